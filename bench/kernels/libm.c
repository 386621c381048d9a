// SPDX-License-Identifier: MIT
/* sin, exp, log, pow and atan2 of the C library: table look-ups, fused multiply-add, bit moves between registers. */
#include <math.h>

#include "kernel.h"

void kernel(long n)
{
	double total = 0;

	for (long i = 1; i <= n; i++) {
		double x = i * 0.001;

		total += sin(x) + exp(-x * 0.01) + log(x) + pow(x, 0.3) + atan2(x, 3.0);
	}
	value(total);
}
