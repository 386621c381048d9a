// SPDX-License-Identifier: MIT
/* strlen, strchr, strcmp, strcpy, memchr, strstr on words: C library calls of a few dozen instructions. */
#include <string.h>

#include "kernel.h"

#define WORDS 512

void kernel(long n)
{
	static char words[WORDS][40], copy[64];
	uint32_t seed = 43;
	uint64_t total = 0;

	for (int i = 0; i < WORDS; i++) {
		int length = 1 + next_random(&seed) % 38;

		for (int j = 0; j < length; j++)
			words[i][j] = 'a' + next_random(&seed) % 9;
	}
	while (n--) {
		for (int i = 0; i < WORDS; i++) {
			const char *w = words[i], *c = strchr(w, 'e');

			total += strlen(w) + (c ? c - w : 0);
			total += strcmp(w, words[(i + n) % WORDS]) < 0;
			strcpy(copy, w);
			total += !!memchr(copy, 'q', sizeof(copy)) + !!strstr(copy, "ab");
		}
	}
	sum(total);
}
