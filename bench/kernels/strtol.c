// SPDX-License-Identifier: MIT
/* Numbers to text and back: snprintf and strtol of the C library, many short calls and branches. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

void kernel(long n)
{
	uint32_t seed = 17;
	uint64_t total = 0;
	char text[64], *end;

	while (n--) {
		uint32_t x = next_random(&seed);

		snprintf(text, sizeof(text), "%u %x %d", x, x ^ 0xffff, (int)(x >> 5));
		total += strtoul(text, &end, 10);
		total ^= strtoul(end, &end, 16);
		total += strtol(end, NULL, 10);
	}
	sum(total);
}
