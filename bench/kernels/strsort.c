// SPDX-License-Identifier: MIT
/* Sorting strings: qsort, strcmp through a wrapper, pointers. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define STRINGS 8000

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void kernel(long n)
{
	static char text[STRINGS][24], *pointers[STRINGS];
	uint32_t seed = 47;

	while (n--) {
		for (int i = 0; i < STRINGS; i++) {
			int j;

			for (j = 0; j < 6; j++)
				text[i][j] = 'k';	/* a common beginning, as paths have */
			for (; j < 14; j++)
				text[i][j] = 'a' + next_random(&seed) % 20;
			pointers[i] = text[i];
		}
		qsort(pointers, STRINGS, sizeof(*pointers), compare);
		for (int i = 0; i < STRINGS; i += 61)
			sum((uint64_t)(pointers[i] - text[0]));
	}
}
