// SPDX-License-Identifier: MIT
/* mmap, touch, mprotect, munmap: what the translator keeps about each page. */
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel.h"

void kernel(long n)
{
	uint64_t total = 0;

	while (n--) {
		size_t size = 4096 * (1 + n % 16);
		uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			exit(1);
		for (size_t i = 0; i < size; i += 4096)
			p[i] = n;
		mprotect(p, size, PROT_READ);
		total += p[size - 4096];
		munmap(p, size);
	}
	sum(total);
}
