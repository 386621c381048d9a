// SPDX-License-Identifier: MIT
/* What is to be translated ahead of time: function starts, as a sorted list without repetitions. Runs in the confined worker. */
#include <stdlib.h>

#include "server/server.h"

#define MAX_STARTS (4u << 20)

static void add(void *ctx, u32 pc)
{
	struct srv_ahead_list *l = ctx;

	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 1024;
		u32 *p = room <= MAX_STARTS ? realloc(l->pc, room * sizeof(*p)) : NULL;

		if (!p)
			return;
		l->pc = p;
		l->room = room;
	}
	l->pc[l->n++] = pc;
}

static int by_pc(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

void srv_ahead_find(const struct dragoman_object *h, const u8 *file, u64 size, struct srv_ahead_list *out)
{
	unsigned n = 0;

	*out = (struct srv_ahead_list){ 0 };
	obj_starts(h, file, size, add, out);
	if (!out->n)
		return;
	qsort(out->pc, out->n, sizeof(*out->pc), by_pc);
	for (unsigned i = 0; i < out->n; i++)
		if (!n || out->pc[n - 1] != out->pc[i])
			out->pc[n++] = out->pc[i];
	out->n = n;
}
