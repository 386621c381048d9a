// SPDX-License-Identifier: MIT
/* The C library's qsort: a comparison through a pointer, data-dependent branches. */
#include <stdlib.h>

#include "kernel.h"

#define ITEMS 20000

static uint32_t items[ITEMS];

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void kernel(long n)
{
	uint32_t seed = 1;

	while (n--) {
		for (int i = 0; i < ITEMS; i++)
			items[i] = next_random(&seed);
		qsort(items, ITEMS, sizeof(*items), compare);
		for (int i = 0; i < ITEMS; i += 97)
			sum(items[i]);
	}
}
