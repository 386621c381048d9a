// SPDX-License-Identifier: MIT
/*
 * What is to be translated ahead of time: function starts, as a sorted list without repetitions; then what they do not lead to. Runs in the
 * confined worker.
 */
#include <stdlib.h>
#include <string.h>

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

#define MAX_FUNCTION (1u << 20)
#define LAST_FUNCTION 4096u	/* nothing says where the last one ends, and behind it may be data */

static u32 end_of(const struct dragoman_object *h, const struct srv_ahead_list *l, unsigned n)
{
	u64 text = MIN(h->text_hi, h->file_size) - h->text_lo;
	u32 end = n + 1 < l->n ? MIN(l->pc[n + 1], l->pc[n] + MAX_FUNCTION) : l->pc[n] + LAST_FUNCTION;

	return (u32)MIN((u64)end, text & ~3ull);
}

/*
 * Where to go on behind what only fills: the same value again and again, or once before what is translated or the function's end. at: nowhere,
 * it does not look like that. What is passed over is not looked at again: a hostile file may consist of it.
 */
static u32 skip_padding(const struct dragoman_object *h, const u8 *text, u32 at, u32 end)
{
	u32 p = at;

	while (p < end && !*obj_index(h, p) && !memcmp(text + p, text + at, 4))
		p += 4;
	return p - at > 4 || p == end || *obj_index(h, p) ? p : at;
}

/*
 * The cases of a switch are only reached by a computed jump. They begin behind something that leaves: what is not translated there,
 * inside of a function, is most probably one of them.
 */
bool srv_ahead_gap(const struct dragoman_object *h, const struct guest *guest, const u8 *file, const struct srv_ahead_list *l,
		   struct srv_ahead_place *p, u32 *pc)
{
	const u8 *text = file + h->text_lo;

	for (; p->n < l->n; p->n++) {
		u32 end = end_of(h, l, p->n);

		if (p->at < l->pc[p->n]) {
			p->at = l->pc[p->n];
			p->left = false;
		}
		while (p->at < end) {
			u32 at = p->at;
			struct guest_flow f;

			if (p->left && !*obj_index(h, at)) {
				p->at = skip_padding(h, text, at, end);
				if (p->at != at)
					continue;
				p->left = false;	/* once */
				*pc = at;
				return true;
			}
			f = guest->flow(h->text_lo + at, text + at);
			p->left = f.kind == GUEST_FLOW_JUMP || f.kind == GUEST_FLOW_INDIRECT || f.kind == GUEST_FLOW_RETURN ||
				  f.kind == GUEST_FLOW_STOP;
			p->at += f.len;
		}
	}
	return false;
}
