// SPDX-License-Identifier: MIT
/* Comparisons, conditional selects, conditional compares and saturating arithmetic: condition flags everywhere. */
#include "kernel.h"

static int32_t saturate(int32_t a, int32_t b)
{
	int32_t r;

	if (__builtin_add_overflow(a, b, &r))
		return a < 0 ? INT32_MIN : INT32_MAX;
	return r;
}

void kernel(long n)
{
	uint32_t seed = 7, low = 0, high = 0, both = 0;
	int32_t acc = 0;
	int64_t best = INT64_MIN, worst = INT64_MAX;
	uint64_t borrow = 0;

	while (n--) {
		uint32_t a = next_random(&seed);
		int32_t b = (int32_t)(a * 2654435761u);
		int64_t d = (int64_t)b * 3 - (int32_t)a;

		low += a < 0x40000000;
		high += b > 0x20000000 && a < 0xc0000000;
		both += (a & 1 && b < 0) || a == (uint32_t)b;
		best = d > best ? d : best;
		worst = d < worst ? d : worst;
		acc = saturate(acc, b >> 3);
		borrow += (uint64_t)a < borrow;
	}
	sum(low), sum(high), sum(both), sum(acc), sum(best), sum(worst), sum(borrow);
}
