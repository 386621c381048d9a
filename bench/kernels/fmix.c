// SPDX-License-Identifier: MIT
/* Single precision: conversions both ways, minimum, maximum, comparison, rounding, absolute value. */
#include <math.h>

#include "kernel.h"

void kernel(long n)
{
	float x = 0.5f, low = 1e9f, high = -1e9f, total = 0;
	long floors = 0, above = 0;
	uint32_t seed = 53;

	while (n--) {
		float y = (float)(int32_t)next_random(&seed) * (1.0f / 65536), z = fabsf(y) * 0.5f;

		x = x * 0.999f + y * 0.001f;
		low = fminf(low, y);
		high = fmaxf(high, x);
		above += y > x;
		floors += (long)floorf(z) + (int32_t)y;
		total = total * 0.5f + sqrtf(z);
	}
	sum(floors), sum(above > 0);
	value(low), value((double)(long)total);
}
