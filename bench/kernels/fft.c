// SPDX-License-Identifier: MIT
/* Fast Fourier transform of complex doubles, radix 2, in place: strided loads, multiply-add, sine and cosine. */
#include <math.h>

#include "kernel.h"

#define POINTS 1024

static double re[POINTS], im[POINTS], wr[POINTS / 2], wi[POINTS / 2];

static void shuffle(void)
{
	for (unsigned int i = 1, j = 0; i < POINTS; i++) {
		unsigned int bit = POINTS >> 1;

		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			double t = re[i];

			re[i] = re[j], re[j] = t;
			t = im[i], im[i] = im[j], im[j] = t;
		}
	}
}

static void transform(void)
{
	shuffle();
	for (int half = 1; half < POINTS; half *= 2) {
		for (int i = 0; i < POINTS; i += 2 * half) {
			for (int k = 0; k < half; k++) {
				double c = wr[k * (POINTS / 2 / half)], s = wi[k * (POINTS / 2 / half)];
				double tr = re[i + k + half] * c - im[i + k + half] * s;
				double ti = re[i + k + half] * s + im[i + k + half] * c;

				re[i + k + half] = re[i + k] - tr;
				im[i + k + half] = im[i + k] - ti;
				re[i + k] += tr;
				im[i + k] += ti;
			}
		}
	}
}

void kernel(long n)
{
	for (int i = 0; i < POINTS / 2; i++) {
		wr[i] = cos(-2 * M_PI * i / POINTS);
		wi[i] = sin(-2 * M_PI * i / POINTS);
	}
	while (n--) {
		for (int i = 0; i < POINTS; i++)
			re[i] = i % 37 + n % 5, im[i] = i % 11 - 5.0;
		transform();
	}
	for (int i = 0; i < POINTS; i += 101)
		value(re[i]), value(im[i]);
}
