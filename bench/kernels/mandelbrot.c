// SPDX-License-Identifier: MIT
/* Mandelbrot set: scalar double arithmetic with a comparison and an exit in each round. */
#include "kernel.h"

#define SIDE 120

void kernel(long n)
{
	double inside = 0;
	long rounds = 0;

	for (int y = 0; y < SIDE; y++) {
		for (int x = 0; x < SIDE; x++) {
			double cr = 3.0 * x / SIDE - 2.03, ci = 2.6 * y / SIDE - 1.29, r = 0, i = 0;
			long k;

			for (k = 0; k < n && r * r + i * i < 4.0; k++) {
				double t = r * r - i * i + cr;

				i = 2 * r * i + ci;
				r = t;
			}
			inside += k == n;
			rounds += k;
		}
	}
	/* A point on the edge may fall to either side when operations are fused: in steps of a percent. */
	value((long)(inside / SIDE + 0.5));
	sum(rounds > 0);
}
