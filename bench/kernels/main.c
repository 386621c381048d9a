// SPDX-License-Identifier: MIT
/* The frame of a kernel. In: the amount of work, and how often (1; more for icount.c, which wants it warm); out: "sum HEX", and for kernels that use value() also
 * "value NUMBER" (rounded, for comparison with another machine) and "bits HEX" (exact, among runners of one guest). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* A system call that fails and that nobody else makes: icount.c counts between two of them. */
static void mark(void)
{
	syscall(SYS_getpriority, 0x1c0c0, 0);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0, times = argc > 2 ? atol(argv[2]) : 1;

	if (n <= 0 || times <= 0) {
		fprintf(stderr, "usage: %s COUNT [TIMES]\n", argv[0]);
		return 2;
	}
	while (--times)
		kernel(n);
	mark();
	kernel(n);
	mark();
	printf("sum %016llx\n", (unsigned long long)sums);
	if (have_values)
		printf("value %.5g\nbits %016llx\n", values, (unsigned long long)bits);
	return 0;
}
