// SPDX-License-Identifier: MIT
/* The frame of a kernel. In: one argument, the amount of work; out: "sum HEX", and for kernels that use value() also
 * "value NUMBER" (rounded, for comparison with another machine) and "bits HEX" (exact, among runners of one guest). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static uint64_t sums = 0xcbf29ce484222325, bits = 0xcbf29ce484222325;
static double values;
static int have_values;

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

void sum(uint64_t x)
{
	sums = mix(sums, x);
}

void value(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	bits = mix(bits, u);
	values += x;
	have_values = 1;
}

int main(int argc, char **argv)
{
	long n = argc == 2 ? atol(argv[1]) : 0;

	if (n <= 0) {
		fprintf(stderr, "usage: %s COUNT\n", argv[0]);
		return 2;
	}
	kernel(n);
	printf("sum %016llx\n", (unsigned long long)sums);
	if (have_values)
		printf("value %.5g\nbits %016llx\n", values, (unsigned long long)bits);
	return 0;
}
