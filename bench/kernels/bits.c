// SPDX-License-Identifier: MIT
/* Counting and reversing bits, leading zeros, rotations, byte swaps: single instructions on either side, or not. */
#include "kernel.h"

static uint64_t reverse(uint64_t x)
{
	x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
	x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
	x = (x >> 4 & 0x0f0f0f0f0f0f0f0f) | (x & 0x0f0f0f0f0f0f0f0f) << 4;
	return __builtin_bswap64(x);
}

void kernel(long n)
{
	uint64_t x = 0x9e3779b97f4a7c15, total = 0;

	while (n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		total += __builtin_clzll(x | 1) + __builtin_ctzll(x | 1ull << 63) + __builtin_parityll(x);
		total = (total << 7 | total >> 57) + (reverse(x) >> 40) + (x >> 11 & 0x3ff);
	}
	sum(total);
}
