// SPDX-License-Identifier: MIT
/* Greatest common divisors: signed and unsigned division and remainder. */
#include "kernel.h"

void kernel(long n)
{
	uint32_t seed = 23;
	uint64_t total = 0;

	while (n--) {
		uint64_t a = next_random(&seed), b = next_random(&seed) | 1;
		int32_t s = (int32_t)a;

		while (b) {
			uint64_t t = a % b;

			a = b;
			b = t;
		}
		total += a + (s / 1000003) * 3 + s % 977;
	}
	sum(total);
}
