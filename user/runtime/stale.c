// SPDX-License-Identifier: MIT
/*
 * Translations that are not right any more, or may not be. In: guest addresses whose code changed, regions to be given up. Out: nothing
 * leads into those regions, and who is inside meets an INT3. All under rt.cache->lock.
 */
#include "runtime/core.h"
#include "runtime/mm.h"

/* --- regions by guest page --------------------------------------------------------------------------------------- */

static u32 page_bucket(u64 page)
{
	return (u32)(page * 0x9e3779b97f4a7c15ull >> 52);
}

void rt_region_list(struct rt_cache *c, struct rt_region *r)
{
	for (u64 p = r->pc_lo >> 12; p <= (r->pc_hi - 1) >> 12 && r->npages < 4; p++) {
		u32 b = page_bucket(p);

		r->next_in_page[r->npages++] = c->page[b];
		c->page[b] = r;
	}
}

static void unlist(struct rt_cache *c, struct rt_region *r)
{
	u64 p = r->pc_lo >> 12;

	for (unsigned k = 0; k < r->npages; k++, p++) {
		struct rt_region **at = &c->page[page_bucket(p)];

		while (*at && *at != r) {
			u64 q = (*at)->pc_lo >> 12;
			unsigned n = 0;

			while (n < (*at)->npages && page_bucket(q + n) != page_bucket(p))
				n++;
			at = &(*at)->next_in_page[n];
		}
		if (*at)
			*at = r->next_in_page[k];
	}
}

/* --- giving up, or hiding ---------------------------------------------------------------------------------------- */

enum entries_to { HIDE, SHOW, DROP };

static void change_entries(struct rt_cache *c, struct rt_region *r, enum entries_to what)
{
	for (u32 n = 0; n < r->nentry; n++) {
		struct rt_entry *e = rt_cache_find_any(c, r->entry[n].pc | r->strict);

		if (!e || e->region != r)
			continue;
		e->hidden = what != SHOW;
		if (what == DROP)
			e->host = NULL;		/* the key stays: a tombstone */
	}
}

/* One byte, so no other thread sees half an instruction. What it was goes to *saved, if that is wanted. */
static u8 *int3(struct rt_region *r, u32 off, u8 *saved)
{
	u8 *p = r->hot + off;

	if (off >= r->hot_len)
		return saved;
	if (saved)
		*saved++ = *p;
	__atomic_store_n(p, 0xcc, __ATOMIC_RELAXED);
	return saved;
}

/* Whoever is inside, or comes back into it, meets an INT3 and is sent on by the SIGTRAP handler. */
static void poison(struct rt_region *r, u8 *saved)
{
	for (u32 n = 0; n < r->nmap; n++)
		if (!r->map[n].inside)
			saved = int3(r, r->map[n].off, saved);
	for (u32 n = 0; n < r->nretsite; n++)
		saved = int3(r, r->retsite[n], saved);
	for (u32 n = 0; n < r->nentry; n++)
		saved = int3(r, r->entry[n].off, saved);
}

/* Puts the bytes back; a place that was met twice has its own in the first. */
static void unpoison(struct rt_region *r)
{
	const u8 *saved = r->saved;

	for (u32 n = 0; n < r->nmap; n++)
		if (!r->map[n].inside && r->map[n].off < r->hot_len && *saved++ != 0xcc)
			__atomic_store_n(r->hot + r->map[n].off, saved[-1], __ATOMIC_RELAXED);
	for (u32 n = 0; n < r->nretsite; n++)
		if (r->retsite[n] < r->hot_len && *saved++ != 0xcc)
			__atomic_store_n(r->hot + r->retsite[n], saved[-1], __ATOMIC_RELAXED);
	for (u32 n = 0; n < r->nentry; n++)
		if (r->entry[n].off < r->hot_len && *saved++ != 0xcc)
			__atomic_store_n(r->hot + r->entry[n].off, saved[-1], __ATOMIC_RELAXED);
}

void rt_forget_jumps(struct rt_thread *t)
{
	for (u32 k = 0; k < X64_JCACHE_ENTRIES; k++)
		__atomic_store_n(&t->jcache[k].pc, ~0ull, __ATOMIC_RELAXED);
	for (u32 k = 0; k < X64_JFLAGS_ENTRIES; k++)
		if (t->jflags[k].neg_pc)
			__atomic_store_n(&t->jflags[k].neg_pc, 1, __ATOMIC_RELAXED);
}

/* The jump caches' entries for one region only: they sit at the hashes of its entries. */
static void forget_jumps_to(struct rt_region *r)
{
	for (struct rt_thread *t = rt.threads; t; t = t->next)
		for (u32 k = 0; k < r->nentry; k++) {
			struct x64_jcache_entry *e = &t->jcache[r->entry[k].pc >> 2 & (X64_JCACHE_ENTRIES - 1)];

			if (e->pc == r->entry[k].pc)
				__atomic_store_n(&e->pc, ~0ull, __ATOMIC_RELAXED);
			__atomic_store_n(&t->jflags[r->entry[k].pc >> 2 & (X64_JFLAGS_ENTRIES - 1)].neg_pc, 1, __ATOMIC_RELAXED);
		}
}

static void forget_region_jumps(struct rt_region *r)
{
	rt_lock(&rt.threads_lock);
	forget_jumps_to(r);
	rt_unlock(&rt.threads_lock);
}

static void free_links(struct rt_cache *c, struct rt_region *r)
{
	struct rt_link *l, *next;

	for (l = r->incoming; l; l = next) {
		next = l->next;
		if (r->state == RT_REGION_LIVE)
			rt_link_undo(l);
		l->next = c->free_links;
		c->free_links = l;
	}
	r->incoming = NULL;
}

void rt_region_kill(struct rt_cache *c, struct rt_region *r)
{
	if (r->view) {
		rt_view_drop_locked(c, r->view);
		return;
	}
	if (r->state == RT_REGION_DEAD)
		return;
	change_entries(c, r, DROP);
	free_links(c, r);
	if (r->state == RT_REGION_LIVE) {
		c->garbage += r->hot_len;
		forget_region_jumps(r);
		poison(r, NULL);
	}
	r->state = RT_REGION_DEAD;
	unlist(c, r);
}

void rt_region_retire(struct rt_region *r)
{
	if (r->state == RT_REGION_LIVE)
		poison(r, NULL);
	r->state = RT_REGION_DEAD;
	r->incoming = NULL;
}

/*
 * The region may be out of date, or not executable now; what it was made from is looked at when somebody wants to go
 * there. The links to it stay on its list.
 */
static void hide(struct rt_cache *c, struct rt_region *r)
{
	if (r->state != RT_REGION_LIVE)
		return;
	if (!r->saved) {
		r->saved = rt_cache_meta(c, r->nmap + r->nretsite + r->nentry);
		if (!r->saved) {
			rt_region_kill(c, r);
			return;
		}
	}
	r->state = RT_REGION_HIDDEN;
	c->garbage += r->hot_len;
	change_entries(c, r, HIDE);
	for (struct rt_link *l = r->incoming; l; l = l->next)
		rt_link_undo(l);
	forget_region_jumps(r);
	poison(r, r->saved);
}

bool rt_region_unhide(struct rt_cache *c, struct rt_region *r)
{
	u64 len = r->pc_hi - r->pc_lo;

	if (rt_mm_exec_avail(r->pc_lo) < len)
		return false;		/* some of it; the rest may come back */
	if (rt_cache_present(r->pc_lo, r->pc_hi) != r->pc_hi ||
	    rt_cache_snapshot(c->snap, r->pc_lo, r->pc_hi) != r->pc_hi || rt_cache_sum(c->snap, len) != r->sum) {
		rt_region_kill(c, r);
		return false;
	}
	unpoison(r);
	c->garbage -= r->hot_len;
	r->state = RT_REGION_LIVE;
	change_entries(c, r, SHOW);
	for (struct rt_link *l = r->incoming; l; l = l->next)
		rt_link_make(l->tail_or_disp, l->target);
	return true;
}

void rt_cache_go_strict(struct rt_cache *c)
{
	if (c->strict_flags)
		return;
	c->strict_flags = true;
	rt_view_drop_all_locked(c);
	for (u32 n = 0; n < c->nchunk; n++)
		for (u32 k = 0; k < c->chunk[n].nregion; k++)
			rt_region_kill(c, c->chunk[n].region[k]);
}

/* Regions that share a bucket of page p and overlap [start, end). */
static void invalidate_bucket(struct rt_cache *c, u64 page, u64 start, u64 end)
{
	u32 b = page_bucket(page);
	struct rt_region *r = c->page[b], *next;

	while (r) {
		u64 q = r->pc_lo >> 12;
		unsigned n = 0;

		while (n < r->npages && page_bucket(q + n) != b)
			n++;
		next = n < r->npages ? r->next_in_page[n] : NULL;
		if (r->pc_lo < end && r->pc_hi > start)
			hide(c, r);
		r = next;
	}
}

static void invalidate_all(struct rt_cache *c, u64 start, u64 end)
{
	for (u32 n = 0; n < c->nchunk; n++)
		for (u32 k = 0; k < c->chunk[n].nregion; k++) {
			struct rt_region *r = c->chunk[n].region[k];

			if (r->pc_lo < end && r->pc_hi > start)
				hide(c, r);
		}
}

void rt_invalidate(u64 start, u64 end)
{
	struct rt_cache *c = rt.cache;

	if (!c || start >= end)
		return;
	rt_lock(&c->lock);
	if ((end - start) >> 12 > RT_PAGE_BUCKETS) {
		invalidate_all(c, start, end);
	} else {
		for (u64 p = start >> 12; p <= (end - 1) >> 12; p++)
			if (c->page[page_bucket(p)])
				invalidate_bucket(c, p, start, end);
	}
	rt_unlock(&c->lock);
}
