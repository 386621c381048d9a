// SPDX-License-Identifier: MIT
/*
 * Memory for translated code: chunks, and using them again. In: what cache.c wants to place. Out: room, or a flush.
 *
 * How memory is used again: when too much of it is no longer reachable, or there are too many chunks, everything is flushed
 * at once. A flush poisons all code (INT3), empties all tables, retires the chunks and begins a new epoch. A retired chunk is
 * written over only when no thread can hold a host address of it any more, that is, when each thread
 *   - has seen the new epoch (rt_cache_sync, called where a thread asks for a fresh host address and holds no other; it
 *     empties the return stack), or
 *   - is in a system call (idle): coming back, it looks at the epoch before it uses the address it has kept.
 * A thread in old code meets an INT3 soon, and so comes to rt_cache_sync; one in shared code is told to (rt_cache_hurry). All is
 * under rt.cache->lock, but idle, for which see rt_cache_past_epoch().
 */
#include <linux/membarrier.h>
#include <linux/mman.h>
#include <asm/unistd.h>

#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/sys.h"

#define META_PER_HOT 2		/* bytes of descriptions for a byte of hot code; what is not used is not touched */
#define HOT_PER_REGION 32	/* the smallest region, for the size of the table */
#define MIN_HOT (1u << 20)
#define LIVE_CHUNKS 16		/* before everything is flushed, garbage or not */
#define HUGE_PAGE (2u << 20)
#define OWN_BELOW (1ull << 30)		/* below what was mapped first */
#define OWN_SIZE (3ull << 30)
#define OWN_LOWEST (1ull << 40)
#define RLIMIT_DATA_ 2
#define RLIMIT_AS_ 9

/*
 * Where our own memory goes while the guest runs: out of the way of what that maps, unmaps, and wants to map there again, and
 * near enough for jumps to shared code. Only a hint. 0: anywhere.
 */
static u64 own_place(u64 len)
{
	u64 at = ALIGN_DOWN((u64)rt.cache, 4096ull) - OWN_BELOW, bottom = at - OWN_SIZE, from, to;

	len = ALIGN_UP(len, 4096ull);
	if (!rt.nthreads || (u64)rt.cache < OWN_LOWEST)
		return 0;
	while (at - len > bottom) {
		u64 lo = at - len;

		if (rt_mm_guest_part(lo, at, &from, &to) && from == lo && to == at)
			return lo;
		at = from == lo && to > lo ? to : lo;
	}
	return 0;
}

void *rt_core_map(size_t len, int prot)
{
	s64 p = sys(__NR_mmap, own_place(len), len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p < 0 && p > -4096)
		return NULL;
	if (rt_mm_reserve((u64)p, (u64)p + len)) {
		sys(__NR_munmap, p, len);
		return NULL;
	}
	/* Where the kernel makes huge pages unasked, a short program would pay for zeroing megabytes that it does not use. */
	if (len >= HUGE_PAGE)
		sys(__NR_madvise, p, len, MADV_NOHUGEPAGE);
	return (void *)p;
}

void rt_core_unmap(void *p, size_t len)
{
	sys(__NR_munmap, p, len);
	rt_mm_unreserve((u64)p, (u64)p + len);
}

void *rt_cache_meta(struct rt_cache *c, size_t n)
{
	struct rt_chunk *k = c->cur;
	void *p;

	n = ALIGN_UP(n, (size_t)16);
	if ((size_t)(k->meta_end - k->meta) < n)
		return NULL;
	p = k->meta;
	k->meta += n;
	return p;
}

static size_t chunk_size(u32 hot)
{
	return ALIGN_UP((2 + META_PER_HOT) * (size_t)hot + hot / HOT_PER_REGION * sizeof(void *), (size_t)4096);
}

/* Everything of the chunk is free: start at its beginning. */
static void chunk_open(struct rt_chunk *k)
{
	k->hot = k->hot_start;
	k->cold = k->base + k->size;
	k->pool = k->end;
	k->meta = (u8 *)(k->region + k->max_region);
	k->meta_end = k->meta + META_PER_HOT * (size_t)k->size;
	k->nregion = 0;
	k->retired = 0;
}

/* Room that a limit of the process allows: a small part of it, for the guest is to run under the same limit. */
static u32 hot_size(void)
{
	u32 hot = RT_CHUNK_HOT;
	static const u8 which[] = { RLIMIT_DATA_, RLIMIT_AS_ };

	for (unsigned n = 0; n < sizeof(which); n++) {
		struct { u64 cur, max; } l;

		if (sys(__NR_prlimit64, 0, which[n], 0, &l))
			continue;
		while (hot > MIN_HOT && hot > l.cur / 64)
			hot /= 2;
	}
	return hot;
}

static struct rt_chunk *chunk_map(struct rt_cache *c)
{
	struct rt_chunk *k = &c->chunk[c->nchunk];
	u8 *p;

	if (c->nchunk == RT_MAX_CHUNKS)
		return NULL;
	if (!c->hot_size)
		c->hot_size = hot_size();
	while (!(p = rt_core_map(chunk_size(c->hot_size), PROT_READ | PROT_WRITE | PROT_EXEC))) {
		if (c->hot_size <= MIN_HOT)
			return NULL;
		c->hot_size /= 2;
	}
	*k = (struct rt_chunk){ .base = p, .hot_start = p, .hot_end = p + c->hot_size, .size = c->hot_size,
				.end = p + 2ul * c->hot_size };
	k->region = (struct rt_region **)k->end;
	k->max_region = k->size / HOT_PER_REGION;
	chunk_open(k);
	__atomic_store_n(&c->nchunk, c->nchunk + 1, __ATOMIC_RELEASE);
	return k;
}

/* --- epochs ---------------------------------------------------------------------------------------------------------- */

void rt_cache_sync(struct rt_cache *c, struct rt_thread *t)
{
	if (likely(t->epoch == c->epoch))
		return;
	/* the glue fills the caches without the lock: what it did meanwhile may lead into a view that was dropped */
	rt_forget_jumps(t);
	t->host.g_rsp = t->host.rstack_hi;
	t->epoch = c->epoch;
}

/* A full barrier on every thread of the process. */
static bool barrier_everywhere(void)
{
	if (!sys(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return true;
	if (!sys(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) &&
	    !sys(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return true;
	return !sys(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/*
 * Has everybody but self, who will sync next, left what was retired at the end of `epoch`? A thread that comes back from a
 * system call clears idle and then reads the epoch; we have written the epoch and read idle behind a barrier on all of
 * them: if it has read the old epoch, we see that it is not idle.
 */
bool rt_cache_past_epoch(const struct rt_thread *self, u64 epoch)
{
	bool ok = true;

	rt_lock(&rt.threads_lock);
	if (rt.nthreads > 1) {
		bool barrier = barrier_everywhere();

		for (struct rt_thread *t = rt.threads; t && ok; t = t->next)
			ok = t == self || __atomic_load_n(&t->epoch, __ATOMIC_ACQUIRE) > epoch ||
			     (barrier && __atomic_load_n(&t->idle, __ATOMIC_ACQUIRE));
	}
	rt_unlock(&rt.threads_lock);
	return ok;
}

void rt_cache_hurry(struct rt_cache *c, const struct rt_thread *self)
{
	rt_lock(&rt.threads_lock);
	for (struct rt_thread *t = rt.threads; t; t = t->next)
		if (t != self && !__atomic_load_n(&t->idle, __ATOMIC_ACQUIRE) && __atomic_load_n(&t->epoch, __ATOMIC_ACQUIRE) < c->epoch)
			rt_signal_nudge(self, t);
	rt_unlock(&rt.threads_lock);
}

/* A retired chunk that may be written over. */
static struct rt_chunk *chunk_again(struct rt_cache *c, const struct rt_thread *self)
{
	for (u32 n = 0; n < c->nchunk; n++) {
		struct rt_chunk *k = &c->chunk[n];

		if (k->retired && rt_cache_past_epoch(self, k->retired)) {
			chunk_open(k);
			return k;
		}
	}
	return NULL;
}

/* --- flush ------------------------------------------------------------------------------------------------------------ */

static void forget_all_jumps(void)
{
	rt_lock(&rt.threads_lock);
	for (struct rt_thread *t = rt.threads; t; t = t->next)
		rt_forget_jumps(t);
	rt_unlock(&rt.threads_lock);
}

static void flush(struct rt_cache *c)
{
	for (u32 n = 0; n < c->nchunk; n++) {
		struct rt_chunk *k = &c->chunk[n];

		if (k->retired)
			continue;
		for (u32 m = 0; m < k->nregion; m++)
			rt_region_retire(k->region[m]);
		k->retired = c->epoch;
	}
	c->free_links = NULL;
	c->garbage = 0;
	c->nlive = 0;
	rt_view_forget_links();
	rt_cache_clear_tables(c);
	forget_all_jumps();
	__atomic_store_n(&c->epoch, c->epoch + 1, __ATOMIC_RELEASE);
	c->nflush++;
}

/* Lets the others run until they have left the old code. */
static struct rt_chunk *wait_for_chunk(struct rt_cache *c, const struct rt_thread *self)
{
	struct { s64 sec, nsec; } ts = { 0, 100000 };
	struct rt_chunk *k = chunk_again(c, self);

	for (unsigned n = 0; n < 20000 && !k && !c->nlive; n++) {
		if (n % 32 == 8)
			rt_cache_hurry(c, self);
		rt_unlock(&c->lock);
		sys(__NR_nanosleep, &ts, 0);
		rt_lock(&c->lock);
		k = c->nlive ? NULL : chunk_again(c, self);
	}
	return k;
}

static u64 live_bytes(const struct rt_cache *c)
{
	u64 sum = 0;

	for (u32 n = 0; n < c->nchunk; n++)
		if (!c->chunk[n].retired)
			sum += (u64)(c->chunk[n].hot - c->chunk[n].hot_start);
	return sum;
}

int rt_cache_new_chunk(struct rt_cache *c, struct rt_thread *self)
{
	struct rt_chunk *k;

	if (c->nlive && (c->garbage > live_bytes(c) / 2 || c->nlive >= LIVE_CHUNKS))
		flush(c);
	k = chunk_again(c, self);
	if (!k)
		k = chunk_map(c);
	if (!k && c->nchunk) {
		if (c->nlive)
			flush(c);
		/* others may wait here too: none of us holds an old address */
		rt_cache_sync(c, self);
		k = wait_for_chunk(c, self);
		if (!k && c->nlive)	/* somebody else got one */
			return 0;
	}
	if (!k)
		return -12;	/* -ENOMEM */
	c->cur = k;
	c->nlive++;
	return 0;
}
