// SPDX-License-Identifier: MIT
/* Sieve of Eratosthenes: strided byte stores, a short inner loop. */
#include <string.h>

#include "kernel.h"

#define LIMIT 200000

void kernel(long n)
{
	static uint8_t composite[LIMIT];

	while (n--) {
		long primes = 0;

		memset(composite, 0, sizeof(composite));
		for (long i = 2; i < LIMIT; i++) {
			if (composite[i])
				continue;
			primes++;
			for (long j = i * i; j < LIMIT; j += i)
				composite[j] = 1;
		}
		sum(primes);
	}
}
