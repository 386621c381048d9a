// SPDX-License-Identifier: MIT
/*
 * Translates a region of an object once more, and compares. In: the object, which is not trusted, also while its worker
 * writes; the guest file. Out: equal or not. What may differ are links: each is either not made, or leads to where the index says.
 */
#include "object/translate.h"

size_t obj_verify_size(const struct dragoman_object *h)
{
	return h->size + obj_work_size();
}

/* Does what the record tells of lie inside the object, with the room behind it that a translation may ask for? */
static bool inside(const struct dragoman_object *h, const struct dragoman_region *r)
{
	u64 text = h->text_hi - h->text_lo;

	return r->pc < text && !(r->pc & 3) && (u64)r->hot + OBJ_MAX_HOT <= h->hot_size && r->hot_len <= OBJ_MAX_HOT &&
	       r->pool >= r->pool_len && (u64)r->cold + (r->pool - r->pool_len) + 3ull * OBJ_MAX_COLD <= h->cold_size &&
	       r->cold_len <= OBJ_MAX_COLD && r->pool_len <= 2 * OBJ_MAX_COLD && !(r->hot & 15) && !(r->cold & 15) &&
	       !(r->pool & 15) && !(r->meta & 7) && r->meta + obj_meta_size(r) <= h->meta_size;
}

/* Makes the same links in the new code that the old has, where they are right. How many; -1: the exits are others. */
static int same_links(const struct obj_work *w, const struct dragoman_object *h, const struct dragoman_region *r, u8 *base)
{
	const struct dragoman_site *s = obj_sites(h, r);
	u64 text = h->text_hi - h->text_lo;
	int n = 0;

	for (u32 k = 0; k < r->nsite; k++) {
		struct x64_site *x = (struct x64_site *)(base + h->cold + r->cold + w->site[k]);
		u64 target = w->target[k] - h->text_lo;
		s32 now, linked;
		u32 word;
		u8 *at;

		if (target >= text || (target & 3))
			target = ~0u;
		if (s[k].site != r->cold + w->site[k] || s[k].target != (u32)target)
			return -1;
		if (target == ~0u || (x->flags & X64_SITE_STRICT))
			continue;
		word = __atomic_load_n(obj_index(h, (u32)target), __ATOMIC_ACQUIRE);
		if (!obj_is_code(word))
			continue;
		at = obj_link_place(x, word);
		__builtin_memcpy(&now, (const u8 *)h + (at - base), 4);
		linked = (s32)(base + h->hot + (word & DRAGOMAN_INDEX_OFFSET) - (at + 4));
		if (now == linked) {
			__builtin_memcpy(at, &linked, 4);
			n++;
		}
	}
	return n;
}

/* Code and constants. The worker may make links meanwhile, but each only once: while there are more, it is worth another look. */
static bool same_code(const struct obj_work *w, const struct dragoman_object *h, const struct dragoman_region *r,
		      const struct translate_out *o, u8 *base)
{
	const u8 *obj = (const u8 *)h;
	u64 pool = h->cold + h->cold_size - r->pool;
	int links = -1, n;

	while ((n = same_links(w, h, r, base)) > links) {
		if (!__builtin_memcmp(obj + h->hot + r->hot, o->cg.code, r->hot_len) &&
		    !__builtin_memcmp(obj + h->cold + r->cold, o->cg.cold, r->cold_len))
			return !__builtin_memcmp(obj + pool, base + pool, r->pool_len);
		links = n;
	}
	return false;
}

static bool same_entries(const struct obj_work *w, const struct dragoman_object *h, const struct dragoman_region *r)
{
	const struct dragoman_entry *e = obj_entries(h, r);

	for (u32 k = 0; k < r->nentry; k++)
		if (e[k].pc != w->entry[k].pc - h->text_lo || e[k].off != w->entry[k].off || e[k].flags != w->entry[k].needs_flags)
			return false;
	return true;
}

static bool same_counts(const struct obj_work *w, const struct dragoman_object *h, const struct dragoman_region *r,
			const struct translate_out *o)
{
	const struct cg_out *g = &o->cg;

	return g->code_len == r->hot_len && g->cold_len == r->cold_len && g->nentry == r->nentry && g->nmap == r->nmap &&
	       g->nretsite == r->nretsite && g->nsite == r->nsite && w->nstop == r->nstop && o->ninsns == r->ninsns &&
	       o->pc_lo - h->text_lo == r->lo && o->pc_hi - h->text_lo == r->hi && !r->reserved;
}

static bool same(const struct obj_work *w, const struct dragoman_object *h, const struct dragoman_region *r,
		 const struct translate_out *o, u8 *base)
{
	return same_counts(w, h, r, o) && o->cg.pool == base + h->cold + h->cold_size - r->pool && same_entries(w, h, r) &&
	       !__builtin_memcmp(obj_maps(h, r), w->map, r->nmap * sizeof(w->map[0])) &&
	       !__builtin_memcmp(obj_retsites(h, r), w->retsite, r->nretsite * 4u) &&
	       !__builtin_memcmp(obj_stops(h, r), w->stop, r->nstop * 4u) && same_code(w, h, r, o, base);
}

int obj_verify_region(void *memory, const struct dragoman_object *h, const struct guest *guest, const u8 *file, u64 file_size,
		      const struct dragoman_region *region)
{
	struct dragoman_region r = *region;
	struct obj_work *w = (struct obj_work *)((u8 *)memory + h->size);
	struct translate_out o;

	if (!inside(h, &r))
		return -74;	/* -EBADMSG */
	w->h = h;
	w->file = file;
	w->file_size = file_size;
	w->again = &r;
	if (obj_work_translate(w, &o, guest, memory, r.pc, r.hot, r.cold, r.pool - r.pool_len))
		return -74;
	return same(w, h, &r, &o, memory) ? 0 : -74;
}
