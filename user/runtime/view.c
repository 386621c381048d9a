// SPDX-License-Identifier: MIT
/*
 * Code objects that are mapped into this address space. In: an object's descriptor and the place of the guest mapping that it
 * serves. Out: the table that the glue looks guest pcs up in, and answers to the same questions that cache.c has for private
 * code: what to enter for a guest pc, what a host pc stands for. Their code and index belong to another process, which adds
 * to them at any time; nothing of that is ever taken back.
 */
#include <linux/errno.h>
#include <linux/mman.h>
#include <asm/unistd.h>

#include "object/object.h"
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/session.h"
#include "runtime/sys.h"
#include "runtime/view.h"

/* How long a guest waits for the place of a view that others are in: see rt_view_evict. */
#define EVICT_WAIT_NS 50000
#define EVICT_NUDGE 8
#define EVICT_ROUNDS 100000

struct rt_views {
	u32 n;				/* members of view[] that were ever in use */
	u32 nlive;
	bool stopped;
	struct rt_view view[RT_MAX_VIEWS];
	struct x64_view *slot[X64_VIEW_SLOTS + X64_VIEW_WAYS - 1];
};
static struct rt_views views;

bool rt_views_wanted(void)
{
	return !views.stopped && !(rt.cache && rt.cache->strict_flags);
}

const void *rt_view_table(const struct rt_thread *t)
{
	return t->strict_fp ? NULL : views.slot;
}

/* --- by guest pc --------------------------------------------------------------------------------------------------- */

/* A view whose slots are taken by others, which would be neighbours of its text, is found by C only. */
static void put_in_table(struct rt_view *v)
{
	u64 first = v->x.text >> X64_VIEW_SHIFT, last = (v->x.text + v->x.text_size - 1) >> X64_VIEW_SHIFT;

	for (u64 g = first; g <= last; g++) {
		struct x64_view **at = &views.slot[g & (X64_VIEW_SLOTS - 1)];

		for (unsigned k = 0; k < X64_VIEW_WAYS; k++) {
			if (at[k] == &v->x)
				break;
			if (at[k])
				continue;
			__atomic_store_n(&at[k], &v->x, __ATOMIC_RELEASE);
			break;
		}
	}
}

static void take_from_table(struct rt_view *v)
{
	u64 first = v->x.text >> X64_VIEW_SHIFT, last = (v->x.text + v->x.text_size - 1) >> X64_VIEW_SHIFT;

	for (u64 g = first; g <= last; g++) {
		struct x64_view **at = &views.slot[g & (X64_VIEW_SLOTS - 1)];

		for (unsigned k = 0; k < X64_VIEW_WAYS; k++)
			if (at[k] == &v->x)
				__atomic_store_n(&at[k], NULL, __ATOMIC_RELAXED);
	}
}

struct rt_view *rt_view_at(u64 pc)
{
	for (u32 n = 0; n < __atomic_load_n(&views.n, __ATOMIC_ACQUIRE); n++) {
		struct rt_view *v = &views.view[n];

		if (pc - v->x.text < __atomic_load_n(&v->x.text_size, __ATOMIC_ACQUIRE))
			return v;
	}
	return NULL;
}

bool rt_view_entry(const struct rt_thread *t, u64 pc, struct rt_entry *e, struct rt_view **missing)
{
	struct rt_view *v = views.nlive && !t->strict_fp ? rt_view_at(pc) : NULL;
	u32 word;

	*missing = NULL;
	if (!v || pc & 3)
		return false;
	word = __atomic_load_n((u32 *)(v->x.index + (pc - v->x.text)), __ATOMIC_ACQUIRE);
	if ((word & DRAGOMAN_INDEX_OFFSET) < 64) {
		if (!word)
			*missing = v;
		return false;
	}
	*e = (struct rt_entry){ .key = pc, .host = (u8 *)v->x.hot + (word & DRAGOMAN_INDEX_OFFSET), .view = v,
				.needs_flags = word & DRAGOMAN_INDEX_READ ? CG_FLAGS_READ :
					       word & DRAGOMAN_INDEX_FLAGS ? CG_FLAGS_PASS : 0 };
	return true;
}

/* --- by host pc ---------------------------------------------------------------------------------------------------- */

const struct rt_view *rt_view_of_host(u64 host)
{
	for (u32 n = 0; n < __atomic_load_n(&views.n, __ATOMIC_ACQUIRE); n++) {
		const struct rt_view *v = &views.view[n];

		if (host >= v->start && host < __atomic_load_n(&v->end, __ATOMIC_ACQUIRE))
			return v;
	}
	return NULL;
}

bool rt_view_in_code(u64 host)
{
	const struct rt_view *v = rt_view_of_host(host);

	return v && host >= v->code_lo && host < v->code_hi;
}

static void as_region(const struct rt_view *v, const struct dragoman_region *d, struct rt_region *r)
{
	const struct dragoman_object *h = v->head;

	*r = (struct rt_region){ .pc = v->x.text + d->pc, .pc_lo = v->x.text + d->lo, .pc_hi = v->x.text + d->hi,
				 .hot = (u8 *)v->x.hot + d->hot, .hot_len = d->hot_len, .nmap = d->nmap,
				 .nretsite = d->nretsite, .map = obj_maps(h, d), .retsite = obj_retsites(h, d), .view = v };
}

bool rt_view_region(u64 host, struct rt_region *r)
{
	const struct rt_view *v = rt_view_of_host(host);
	const struct dragoman_region *d;

	if (!v || host < v->x.hot || host - v->x.hot >= v->head->hot_size)
		return false;
	d = obj_region_at(v->head, (u32)(host - v->x.hot));
	if (d)
		as_region(v, d, r);
	return d;
}

/* --- coming ---------------------------------------------------------------------------------------------------------- */

static void release(struct rt_view *v)
{
	u64 start = v->start, end = v->end;

	__atomic_store_n(&v->end, 0, __ATOMIC_RELEASE);
	v->retired = 0;
	rt_mm_unreserve(start, end);
	sys(__NR_munmap, start, end - start);
}

/* Dropped views that nobody can be in any more. */
static void release_retired(void)
{
	const struct rt_thread *self = rt.nthreads ? rt_self() : NULL;

	for (u32 n = 0; n < views.n; n++)
		if (views.view[n].retired && rt_cache_past_epoch(self, views.view[n].retired))
			release(&views.view[n]);
}

static struct rt_view *free_view(void)
{
	for (u32 n = 0; n < views.n; n++)
		if (!views.view[n].end)
			return &views.view[n];
	return views.n < RT_MAX_VIEWS ? &views.view[views.n] : NULL;
}

static int map_at(int fd, u64 offset, u64 start, u64 size, bool replace)
{
	u64 flags = MAP_SHARED | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE);
	s64 p = sys(__NR_mmap, start, size, PROT_READ | PROT_EXEC, flags, fd, offset);

	if (p < 0)
		return (int)p;
	if ((u64)p != start) {		/* a kernel before 4.17 takes the flag for a hint */
		sys(__NR_munmap, p, size);
		return -EEXIST;
	}
	if (!replace && rt_mm_reserve(start, start + size)) {
		sys(__NR_munmap, start, size);
		return -ENOMEM;
	}
	/* To a core dump a memfd is anonymous memory: all of it would be written, and its holes filled for that. */
	sys(__NR_madvise, start, size, MADV_DONTDUMP);
	return 0;
}

static void lock_cache(struct rt_cache *c)
{
	if (c)
		rt_lock(&c->lock);
}

static void unlock_cache(struct rt_cache *c)
{
	if (c)
		rt_unlock(&c->lock);
}

static void drop_range(struct rt_cache *c, u64 start, u64 end);

int rt_view_add(int fd, u64 offset, const struct dragoman_object *h, u64 bias, u32 object, u32 generation, bool replace)
{
	u64 start = bias + (u64)h->delta, text = bias + h->text_lo, size = h->text_hi - h->text_lo;
	struct rt_cache *c = rt.cache;
	struct rt_view *v;
	int err = -EINVAL;

	if (h->features != rt.features || start & 4095 || size > h->index_size || start + h->size > RT_GUEST_END)
		return -EINVAL;
	lock_cache(c);
	if (!rt_views_wanted())
		goto out;
	release_retired();
	err = -ENOSPC;
	v = free_view();
	if (!v) {
		if (rt.nthreads > 1)
			rt_cache_hurry(c, rt_self());	/* the next one may find a place */
		goto out;
	}
	err = map_at(fd, offset, start, h->size, replace);
	if (err)
		goto out;
	drop_range(c, text, text + size);
	v->x = (struct x64_view){ .text = text, .index = start + h->index, .hot = start + h->hot };
	v->start = start;
	v->head = (const struct dragoman_object *)start;
	v->code_lo = MIN(start + h->hot, start + h->cold);
	v->code_hi = MAX(start + h->hot + h->hot_size, start + h->cold + h->cold_size);
	v->object = object;
	v->generation = generation;
	v->incoming = NULL;
	__atomic_store_n(&v->end, start + h->size, __ATOMIC_RELEASE);
	__atomic_store_n(&v->x.text_size, size, __ATOMIC_RELEASE);
	if (v == &views.view[views.n])
		__atomic_store_n(&views.n, views.n + 1, __ATOMIC_RELEASE);
	views.nlive++;
	put_in_table(v);
	if (unlikely(rt.flags & RT_FLAG_STRACE))
		rt_msg("shared code of %lx..%lx is at %lx, %u regions", text, text + size, start, v->head->nregions);
out:
	unlock_cache(c);
	return err;
}

/* --- going ----------------------------------------------------------------------------------------------------------- */

/* Of the live ones. */
static bool object_in_use(u32 object)
{
	for (u32 n = 0; n < views.n; n++)
		if (views.view[n].x.text_size && views.view[n].object == object)
			return true;
	return false;
}

/*
 * Jump caches and return stacks are emptied by the threads themselves, at the new epoch. This one does so before it goes
 * back to the guest: it is in a call that looks at the epoch (dispatch.c). Else it is inside, as others may be.
 */
static void drop(struct rt_cache *c, struct rt_view *v, bool inside)
{
	if (unlikely(rt.flags & RT_FLAG_STRACE))
		rt_msg("shared code of %lx..%lx is no longer used", v->x.text, v->x.text + v->x.text_size);
	take_from_table(v);
	__atomic_store_n(&v->x.text_size, 0, __ATOMIC_RELEASE);
	views.nlive--;
	if (rt_session_on() && !object_in_use(v->object))
		rt_session_detach(v->object);
	if (!c) {
		release(v);
		return;
	}
	rt_cache_unlink(c, v);
	v->retired = c->epoch;
	__atomic_store_n(&c->epoch, c->epoch + 1, __ATOMIC_RELEASE);
	if (rt.nthreads <= 1 && !inside)
		release(v);
	else
		rt_view_close(v);
}

static bool live(const struct rt_view *v)
{
	return v->end && !v->retired;
}

static void drop_range(struct rt_cache *c, u64 start, u64 end)
{
	for (u32 n = 0; n < views.n && views.nlive; n++) {
		struct rt_view *v = &views.view[n];

		if (live(v) && ((v->x.text < end && v->x.text + v->x.text_size > start) || (v->start < end && v->end > start)))
			drop(c, v, false);
	}
}

void rt_view_drop(u64 start, u64 end)
{
	if (!__atomic_load_n(&views.nlive, __ATOMIC_ACQUIRE))
		return;
	lock_cache(rt.cache);
	drop_range(rt.cache, start, end);
	release_retired();
	unlock_cache(rt.cache);
}

void rt_view_changed(u64 pc)
{
	struct rt_cache *c = rt.cache;
	struct rt_view *v;

	if (!__atomic_load_n(&views.nlive, __ATOMIC_ACQUIRE) || !rt_view_at(pc))
		return;
	lock_cache(c);
	v = rt_view_at(pc);
	if (v && c)
		drop(c, v, true);
	unlock_cache(c);
}

static bool retired_in(u64 start, u64 end)
{
	for (u32 n = 0; n < views.n; n++)
		if (views.view[n].retired && views.view[n].start < end && views.view[n].end > start)
			return true;
	return false;
}

bool rt_view_evict(u64 start, u64 end, unsigned round)
{
	struct { s64 sec, nsec; } ts = { 0, EVICT_WAIT_NS };
	bool there;

	lock_cache(rt.cache);
	release_retired();
	there = rt.cache && retired_in(start, end);
	if (there && round % EVICT_NUDGE == 0)
		rt_cache_hurry(rt.cache, rt_self());
	unlock_cache(rt.cache);
	if (!there || round == EVICT_ROUNDS)
		return false;
	sys(__NR_nanosleep, &ts, 0);
	return true;
}

void rt_view_drop_all(void)
{
	rt_view_drop(0, RT_GUEST_END);
}

void rt_view_drop_all_locked(struct rt_cache *c)
{
	drop_range(c, 0, RT_GUEST_END);
}

void rt_view_drop_locked(struct rt_cache *c, const struct rt_view *v)
{
	struct rt_view *mine = &views.view[v - views.view];

	if (live(mine))
		drop(c, mine, false);
}

void rt_view_stop(void)
{
	__atomic_store_n(&views.stopped, true, __ATOMIC_RELEASE);
	rt_view_drop_all();
}

void rt_view_forget_links(void)
{
	for (u32 n = 0; n < views.n; n++)
		views.view[n].incoming = NULL;
}
