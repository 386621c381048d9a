// SPDX-License-Identifier: MIT
/* Creating and joining threads. */
#include <pthread.h>

#include "kernel.h"

static void *work(void *p)
{
	(*(uint64_t *)p)++;
	return NULL;
}

void kernel(long n)
{
	uint64_t counter = 0;
	pthread_t t;

	while (n--) {
		pthread_create(&t, NULL, work, &counter);
		pthread_join(t, NULL);
	}
	sum(counter);
}
