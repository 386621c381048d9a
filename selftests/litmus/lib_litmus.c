// SPDX-License-Identifier: MIT
/*
 * Runs litmus tests. Threads meet at a barrier of their own (spinning: one that sleeps would let them start far apart), then
 * each does its part of BATCH instances in the same order; the last to be done looks at the outcomes and clears the places.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "litmus.h"

static struct places places[BATCH];
static struct seen seen[BATCH];
static const struct litmus *test;
static u32 arrived, phase, stop;
static u64 hits, instances;
static double end;

double litmus_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void judge(void)
{
	for (unsigned k = 0; k < BATCH; k++)
		hits += (u64)test->outcome(&places[k], &seen[k]);
	instances += BATCH;
	memset((void *)places, 0, sizeof(places));
	memset(seen, 0, sizeof(seen));
	if (litmus_now() > end)
		stop = 1;
}

/* The last one does what is between the rounds. */
static void meet(int between)
{
	u32 now = __atomic_load_n(&phase, __ATOMIC_ACQUIRE);
	unsigned spins = 0;

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == test->threads) {
		if (between)
			judge();
		__atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&phase, now + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) == now)
		if (++spins % 2048 == 0)
			sched_yield();		/* fewer CPUs than threads */
}

static void *body(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	void (*part)(struct places *p, struct seen *s) = test->thread[me];

	while (!stop) {
		/* now this one, now that one is ahead */
		for (volatile u32 wait = (u32)(instances / BATCH * 7 + me * 13) % 61; wait; wait--)
			;
		for (unsigned k = 0; k < BATCH; k++)
			part(&places[k], &seen[k]);
		meet(1);
		meet(0);
	}
	return NULL;
}

u64 litmus_run(const struct litmus *t, double seconds, u64 *runs)
{
	pthread_t id[THREADS];

	test = t;
	hits = instances = stop = arrived = phase = 0;
	memset((void *)places, 0, sizeof(places));
	memset(seen, 0, sizeof(seen));
	end = litmus_now() + seconds;
	for (unsigned k = 0; k < t->threads; k++)
		if (pthread_create(&id[k], NULL, body, (void *)(uintptr_t)k))
			exit(1);
	for (unsigned k = 0; k < t->threads; k++)
		pthread_join(id[k], NULL);
	*runs = instances;
	return hits;
}
