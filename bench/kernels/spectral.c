// SPDX-License-Identifier: MIT
/* Spectral norm: double division, conversions from integer, dot products. */
#include <math.h>

#include "kernel.h"

#define SIZE 100

static double element(int i, int j)
{
	return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void multiply(const double *v, double *out, int transposed)
{
	for (int i = 0; i < SIZE; i++) {
		double s = 0;

		for (int j = 0; j < SIZE; j++)
			s += (transposed ? element(j, i) : element(i, j)) * v[j];
		out[i] = s;
	}
}

void kernel(long n)
{
	double u[SIZE], v[SIZE], t[SIZE], uv = 0, vv = 0;

	for (int i = 0; i < SIZE; i++)
		u[i] = 1;
	while (n--) {
		multiply(u, t, 0), multiply(t, v, 1);
		multiply(v, t, 0), multiply(t, u, 1);
		for (int i = 0; n && i < SIZE; i++)
			u[i] /= v[0];	/* or it would grow without end */
	}
	for (int i = 0; i < SIZE; i++)
		uv += u[i] * v[i], vv += v[i] * v[i];
	value(sqrt(uv / vv));
}
