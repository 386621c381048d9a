/* SPDX-License-Identifier: MIT */
/*
 * Litmus tests: a few threads run their part of a test at (nearly) the same time, very many times, each time on fresh
 * places; outcomes are counted. See litmus.c.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 512u			/* instances between two meetings of the threads */
#define THREADS 4

typedef uint64_t u64;
typedef uint32_t u32;

/* The places of one instance, each in a cache line of its own. */
struct places {
	volatile u64 x __attribute__((aligned(64))), y __attribute__((aligned(64)));
};

/* What the threads saw. */
struct seen {
	u64 r[4];
};

struct litmus {
	const char *name;
	unsigned threads;
	void (*thread[THREADS])(struct places *p, struct seen *s);
	/* Is this outcome the one that is asked about? */
	int (*outcome)(const struct places *p, const struct seen *s);
	int allowed;			/* 1: Arm allows it: only counted */
};

/* Runs t for that long. The number of instances in which the outcome was seen; *runs: of how many. */
u64 litmus_run(const struct litmus *t, double seconds, u64 *runs);

double litmus_now(void);

#endif
