// SPDX-License-Identifier: MIT
/*
 * One region of a guest file: translate() with what objects want of it. See translate.h.
 */
#include "object/translate.h"

size_t obj_work_size(void)
{
	return ALIGN_UP(sizeof(struct obj_work) + translate_scratch_size(), (size_t)64);
}

/* Guest pcs here are file offsets. */
static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	struct obj_work *w = ctx;
	u64 end = MIN(w->h->text_hi, w->file_size);

	*avail = pc >= w->h->text_lo && pc < end ? end - pc : 0;
	return *avail ? w->file + pc : NULL;
}

static bool among(const u32 *p, u32 n, u32 x)
{
	while (n--)
		if (*p++ == x)
			return true;
	return false;
}

static bool known(void *ctx, u64 pc)
{
	struct obj_work *w = ctx;
	const struct dragoman_object *h = w->h;
	u64 off = pc - h->text_lo;

	if (off >= h->text_hi - h->text_lo)
		return false;
	if (w->again ? !among(obj_stops(h, w->again), w->again->nstop, (u32)off) : !*obj_index(h, (u32)off))
		return false;
	if (among(w->stop, w->nstop, (u32)off))
		return true;
	if (w->nstop == OBJ_MAX_STOP)
		return false;
	w->stop[w->nstop++] = (u32)off;
	return true;
}

int obj_work_translate(struct obj_work *w, struct translate_out *o, const struct guest *guest, u8 *base, u32 pc, u32 hot,
		       u32 cold, u32 pool)
{
	const struct dragoman_object *h = w->h;
	struct translate_req q = { .guest = guest, .pc = h->text_lo + pc, .fetch = fetch, .known = known, .ctx = w,
				   .max_insns = h->region_insns,
				   .opt = { .features = h->features, .relative = true, .guest_base = (u64)base - (u64)h->delta } };
	int err;

	w->nstop = 0;
	do {
		*o = (struct translate_out){ .cg = { .code = base + h->hot + hot, .max_code = OBJ_MAX_HOT,
				.cold = base + h->cold + cold, .max_cold = OBJ_MAX_COLD,
				.pool = base + h->cold + h->cold_size - pool, .entry = w->entry,
				.max_entry = ARRAY_SIZE(w->entry), .map = w->map, .max_map = ARRAY_SIZE(w->map),
				.retsite = w->retsite, .max_retsite = ARRAY_SIZE(w->retsite), .site = w->site,
				.site_target = w->target, .max_site = ARRAY_SIZE(w->site) } };
		err = translate(&q, o, w->scratch);
		if (err == -28 && q.max_insns == 1 && !q.interp) {
			/* one instruction, and more than the code generator can hold: evaluate it each time */
			q.interp = true;
			q.max_insns = 2;
		}
		q.max_insns /= 2;
	} while (err == -28 && q.max_insns);
	return err;
}
