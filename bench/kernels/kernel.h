/* SPDX-License-Identifier: MIT */
/*
 * What every kernel shares. A kernel is one file with kernel(n): n says how much work, and the same n must give
 * the same result everywhere. main.c calls it and prints what was given to sum() and value().
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

void kernel(long n);

/* An exact result: equal on every machine. */
void sum(uint64_t x);

/* A floating-point result: nearly equal on every machine (fused operations differ), bit-equal on one guest. */
void value(double x);

/* A small generator, so that no kernel depends on the C library's. Seeded alike each time. */
static inline uint32_t next_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

#endif
