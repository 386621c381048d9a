// SPDX-License-Identifier: MIT
/* memcpy, memmove and memcmp of 1 to 128 bytes: the C library's entry paths, calls and unaligned access. */
#include <string.h>

#include "kernel.h"

void kernel(long n)
{
	static uint8_t from[4096], to[4096];
	uint32_t seed = 41;
	uint64_t total = 0;

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = next_random(&seed);
	while (n--) {
		uint32_t r = next_random(&seed);
		size_t size = 1 + (r & 127), at = r >> 7 & 2047, target = r >> 18 & 2047;

		memcpy(to + target, from + at, size);
		memmove(to + target + 3, to + target, size);
		total += memcmp(to + target, from + at, size) > 0;
	}
	sum(total);
	for (size_t i = 0; i < sizeof(to); i += 64)
		sum(to[i]);
}
