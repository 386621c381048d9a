// SPDX-License-Identifier: MIT
/* memset and memcpy of 16 bytes to 64 KiB: vector stores, large copies. */
#include <string.h>

#include "kernel.h"

void kernel(long n)
{
	static uint8_t a[65536], b[65536];

	while (n--) {
		for (size_t size = 16; size <= sizeof(a); size *= 2) {
			memset(a, (int)(n + size), size);
			memcpy(b + sizeof(b) - size, a, size);
		}
		sum(b[n % sizeof(b)]);
	}
}
