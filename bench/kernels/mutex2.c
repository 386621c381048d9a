// SPDX-License-Identifier: MIT
/* Two threads and one mutex: compare-and-swap, futex under contention. */
#include <pthread.h>

#include "kernel.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t counter;

static void *work(void *count)
{
	for (long i = *(long *)count; i > 0; i--) {
		pthread_mutex_lock(&lock);
		counter += i & 3;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

void kernel(long n)
{
	pthread_t other;

	pthread_create(&other, NULL, work, &n);
	work(&n);
	pthread_join(other, NULL);
	sum(counter);
}
