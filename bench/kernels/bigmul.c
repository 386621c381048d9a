// SPDX-License-Identifier: MIT
/* Schoolbook multiplication and addition of long numbers: 64 x 64 -> 128 and carry chains. */
#include <string.h>

#include "kernel.h"

#define WORDS 32

static uint64_t a[WORDS], b[WORDS], r[2 * WORDS];

static void multiply(void)
{
	memset(r, 0, sizeof(r));
	for (int i = 0; i < WORDS; i++) {
		uint64_t carry = 0;

		for (int j = 0; j < WORDS; j++) {
			unsigned __int128 t = (unsigned __int128)a[i] * b[j] + r[i + j] + carry;

			r[i + j] = t;
			carry = t >> 64;
		}
		r[i + WORDS] = carry;
	}
}

/* a += the upper half of r, with the carry passed from word to word. */
static void add(void)
{
	uint64_t carry = 0;

	for (int i = 0; i < WORDS; i++) {
		uint64_t t = a[i] + carry, c = t < carry;

		a[i] = t + r[WORDS + i];
		carry = c | (a[i] < t);
	}
}

void kernel(long n)
{
	uint32_t seed = 3;

	for (int i = 0; i < WORDS; i++) {
		a[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
		b[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
	}
	while (n--) {
		multiply();
		add();
		b[n % WORDS] ^= r[n % (2 * WORDS)];
	}
	for (int i = 0; i < WORDS; i++)
		sum(a[i]);
}
