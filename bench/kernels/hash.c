// SPDX-License-Identifier: MIT
/* A hash table with linear probing: multiplication, masks, unpredictable loads. */
#include <string.h>

#include "kernel.h"

#define SLOTS 65536

static struct { uint64_t key, count; } slots[SLOTS];

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

void kernel(long n)
{
	uint32_t seed = 11;
	uint64_t probes = 0;

	while (n--) {
		memset(slots, 0, sizeof(slots));
		for (int i = 0; i < 100000; i++) {
			uint64_t key = 1 + next_random(&seed) % 40000, at = mix(key);

			while (slots[at % SLOTS].key && slots[at % SLOTS].key != key)
				at++, probes++;
			slots[at % SLOTS].key = key;
			slots[at % SLOTS].count++;
		}
		sum(slots[mix(n) % SLOTS].count);
	}
	sum(probes);
}
