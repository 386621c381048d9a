// SPDX-License-Identifier: MIT
/* Walking a linked list in random order: latency of loads, near 1 for every good translator. */
#include "kernel.h"

#define NODES 16384

static struct node {
	struct node *next;
	uint64_t payload;
} nodes[NODES];

void kernel(long n)
{
	static uint32_t order[NODES];
	uint32_t seed = 31;
	struct node *at;
	uint64_t total = 0;

	for (uint32_t i = 0; i < NODES; i++)
		order[i] = i;
	for (uint32_t i = NODES - 1; i > 0; i--) {
		uint32_t j = next_random(&seed) % (i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (uint32_t i = 0; i < NODES; i++) {
		nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
		nodes[order[i]].payload = i;
	}
	at = nodes;
	for (long i = n * NODES; i > 0; i--) {
		total += at->payload;
		at = at->next;
	}
	sum(total);
}
