// SPDX-License-Identifier: MIT
/* Product of two matrices of doubles, plain triple loop: (fused) multiply-add and loads. */
#include "kernel.h"

#define SIZE 96

void kernel(long n)
{
	static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j < SIZE; j++)
			a[i][j] = 1.0 / (i + j + 1), b[i][j] = (i - j) * 0.25;
	while (n--) {
		for (int i = 0; i < SIZE; i++) {
			for (int j = 0; j < SIZE; j++) {
				double s = 0;

				for (int k = 0; k < SIZE; k++)
					s += a[i][k] * b[k][j];
				c[i][j] = s;
			}
		}
		b[n % SIZE][n % 7] += 0.5 * c[n % 11][n % SIZE] > 0 ? 0.25 : -0.25;
	}
	for (int i = 0; i < SIZE; i++)
		value(c[i][i]);
}
