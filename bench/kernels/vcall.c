// SPDX-License-Identifier: MIT
/* Calls through a table of pointers, the callee chosen by data: what virtual methods do. */
#include "kernel.h"

struct shape {
	long (*area)(const struct shape *s);
	long a, b;
};

#define METHOD(name, expr) \
	static __attribute__((noinline)) long name(const struct shape *s) { return expr; }
METHOD(square, s->a * s->a)
METHOD(rectangle, s->a * s->b)
METHOD(triangle, s->a * s->b / 2)
METHOD(ring, s->a * s->a - s->b)

void kernel(long n)
{
	static long (*const methods[])(const struct shape *) = { square, rectangle, triangle, ring };
	static struct shape shapes[64];
	uint32_t seed = 99;
	long total = 0;

	for (int i = 0; i < 64; i++)
		shapes[i] = (struct shape){ methods[next_random(&seed) >> 7 & 3], i + 3, 2 * i + 1 };
	for (long i = 0; i < n; i++)
		for (int j = 0; j < 64; j++)
			total += shapes[j].area(&shapes[j]) ^ i;
	sum(total);
}
