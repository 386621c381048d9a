// SPDX-License-Identifier: MIT
/* Nine queens by bit masks and recursion: short basic blocks, backtracking. */
#include "kernel.h"

static __attribute__((noinline)) long place(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint32_t free = all & ~(columns | left | right);
	long found = columns == all;

	while (free) {
		uint32_t bit = free & -free;

		free ^= bit;
		found += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return found;
}

void kernel(long n)
{
	while (n--) {
		uint32_t columns = 0;

		__asm__ volatile("" : "+r"(columns));	/* or it would be worked out once */
		sum(place((1 << 9) - 1, columns, 0, 0));
	}
}
