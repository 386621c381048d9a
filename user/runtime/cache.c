// SPDX-License-Identifier: MIT
/*
 * Translated code of this address space: memory for it, finding it by guest pc and by host pc, linking regions to each
 * other, forgetting regions whose guest code changed. Everything that changes is under rt.cache->lock; look-ups by host pc
 * (from signal handlers) only read what is published last.
 */
#include <linux/mman.h>
#include <asm/unistd.h>
#include <linux/futex.h>

#include "host/x64/emit.h"
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/sys.h"
#include "translate/translate.h"

#define PAGE_BUCKETS 4096
#define FIRST_REGIONS 65536
#define META_CHUNK (32u << 20)		/* touched as it is used */
#define TABLE_BITS 12

/* --- lock -------------------------------------------------------------------------------------------------------------- */

/* 0 free, 1 taken, 2 taken and somebody may be asleep */
void rt_lock_slow(u32 *l)
{
	for (unsigned n = 0; n < 100; n++) {
		u32 unlocked = 0;

		__builtin_ia32_pause();
		if (__atomic_load_n(l, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(l, &unlocked, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
	}
	while (__atomic_exchange_n(l, 2, __ATOMIC_ACQUIRE))
		sys(__NR_futex, l, FUTEX_WAIT_PRIVATE, 2, 0);
}

void rt_unlock(u32 *l)
{
	if (__atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
		sys(__NR_futex, l, FUTEX_WAKE_PRIVATE, 1);
}

/* --- memory ------------------------------------------------------------------------------------------------------------ */

static void *map(size_t len, int prot)
{
	s64 p = sys(__NR_mmap, 0, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p < 0 && p > -4096)
		return NULL;
	if (rt_mm_reserve((u64)p, (u64)p + len)) {
		sys(__NR_munmap, p, len);
		return NULL;
	}
	return (void *)p;
}

static void unmap(void *p, size_t len)
{
	sys(__NR_munmap, p, len);
	rt_mm_unreserve((u64)p, (u64)p + len);
}

/* Regions' descriptions are never freed: what runs may look at them at any time. */
static void *meta(struct rt_cache *c, size_t n)
{
	void *p;

	n = ALIGN_UP(n, (size_t)16);
	if ((size_t)(c->meta_end - c->meta) < n) {
		c->meta = map(META_CHUNK, PROT_READ | PROT_WRITE);
		if (!c->meta) {
			c->meta_end = NULL;
			return NULL;
		}
		c->meta_end = c->meta + META_CHUNK;
	}
	p = c->meta;
	c->meta += n;
	return p;
}

static struct rt_chunk *new_chunk(struct rt_cache *c)
{
	struct rt_chunk *k;
	u8 *p;

	if (c->nchunk == RT_MAX_CHUNKS)
		return NULL;
	p = map(2ul * RT_CHUNK_HOT, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (!p)
		return NULL;
	k = &c->chunk[c->nchunk];
	*k = (struct rt_chunk){ .base = p, .hot = p, .hot_end = p + RT_CHUNK_HOT, .cold = p + RT_CHUNK_HOT,
				.pool = p + 2ul * RT_CHUNK_HOT, .end = p + 2ul * RT_CHUNK_HOT };
	__atomic_store_n(&c->nchunk, c->nchunk + 1, __ATOMIC_RELEASE);
	return k;
}

/* --- look-up by guest pc --------------------------------------------------------------------------------------------------- */

static u32 hash(const struct rt_cache *c, u64 key)
{
	return (u32)((key * 0x9e3779b97f4a7c15ull) >> (64 - c->table_bits));
}

struct rt_entry *rt_cache_find(struct rt_cache *c, u64 key)
{
	u32 mask = (1u << c->table_bits) - 1;

	for (u32 h = hash(c, key);; h = (h + 1) & mask) {
		struct rt_entry *e = &c->table[h];

		if (e->key == key)
			return e->host ? e : NULL;
		if (!e->key)
			return NULL;
	}
}

static void table_put(struct rt_cache *c, const struct rt_entry *n)
{
	u32 mask = (1u << c->table_bits) - 1, h = hash(c, n->key);

	while (c->table[h].key && c->table[h].key != n->key)
		h = (h + 1) & mask;
	if (!c->table[h].key)
		c->nentries++;
	c->table[h] = *n;
}

static bool table_grow(struct rt_cache *c)
{
	u32 old_n = 1u << c->table_bits;
	struct rt_entry *old = c->table, *fresh;

	fresh = map(2ul * old_n * sizeof(*fresh), PROT_READ | PROT_WRITE);
	if (!fresh)
		return false;
	c->table = fresh;
	c->table_bits++;
	c->nentries = 0;
	for (u32 k = 0; k < old_n; k++)
		if (old[k].key && old[k].host)
			table_put(c, &old[k]);
	unmap(old, (size_t)old_n * sizeof(*old));
	return true;
}

/* --- making regions ----------------------------------------------------------------------------------------------------------- */

struct make_ctx {
	struct rt_cache *c;
	struct rt_thread *t;
};

static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	(void)ctx;
	*avail = rt_mm_exec_avail(pc);
	return (const void *)pc;
}

static u64 key_of(const struct rt_thread *t, u64 pc)
{
	return pc | t->strict_fp;
}

static bool known(void *ctx, u64 pc)
{
	struct make_ctx *m = ctx;

	return rt_cache_find(m->c, key_of(m->t, pc)) != NULL;
}

static bool slow_fp(void *ctx, u64 pc)
{
	struct make_ctx *m = ctx;

	for (u32 k = 0; k < m->c->nslow_fp; k++)
		if (m->c->slow_fp[k] == pc)
			return true;
	return false;
}

static u32 page_bucket(u64 page)
{
	return (u32)(page * 0x9e3779b97f4a7c15ull >> 52);
}

static void list_pages(struct rt_cache *c, struct rt_region *r)
{
	for (u64 p = r->pc_lo >> 12; p <= (r->pc_hi - 1) >> 12 && r->npages < 4; p++) {
		u32 b = page_bucket(p);

		r->next_in_page[r->npages++] = c->page[b];
		c->page[b] = r;
	}
}

static bool grow_regions(struct rt_cache *c)
{
	u32 n = c->max_region * 2;
	struct rt_region **fresh = map(n * sizeof(*fresh), PROT_READ | PROT_WRITE);

	if (!fresh)
		return false;
	__builtin_memcpy(fresh, c->region, c->nregion * sizeof(*fresh));
	/* the old array stays: a signal handler may be reading it */
	__atomic_store_n(&c->region, fresh, __ATOMIC_RELEASE);
	c->max_region = n;
	return true;
}

struct outputs {
	struct cg_entry entry[512];
	struct cg_map map[1024];
	u32 retsite[512], site[1024];
};

/* Copies what stays of a translation into a region description. */
static struct rt_region *keep(struct rt_cache *c, const struct translate_out *o, u64 pc, bool strict)
{
	const struct cg_out *g = &o->cg;
	struct rt_region *r = meta(c, sizeof(*r) + g->nmap * sizeof(*g->map) + g->nretsite * 4 + g->nentry * sizeof(*g->entry));
	u8 *p = (u8 *)(r + 1);

	if (!r)
		return NULL;
	*r = (struct rt_region){ .pc = pc, .pc_lo = o->pc_lo, .pc_hi = o->pc_hi, .hot = g->code, .hot_len = g->code_len,
				 .nmap = g->nmap, .nretsite = g->nretsite, .nentry = g->nentry, .strict = strict };
	r->entry = (void *)p;
	p += g->nentry * sizeof(*g->entry);
	__builtin_memcpy(r->entry, g->entry, g->nentry * sizeof(*g->entry));
	r->map = (void *)p;
	p += g->nmap * sizeof(*g->map);
	__builtin_memcpy(r->map, g->map, g->nmap * sizeof(*g->map));
	r->retsite = (void *)p;
	__builtin_memcpy(r->retsite, g->retsite, g->nretsite * 4);
	return r;
}

static unsigned region_insns(void)
{
	unsigned n = (rt.flags & RT_FLAG_REGION) >> 16;

	return n ? n : rt.flags & RT_FLAG_TRACE ? 1 : RT_REGION_INSNS;
}

static struct rt_region *make(struct rt_cache *c, struct rt_thread *t, u64 pc)
{
	struct make_ctx m = { c, t };
	struct outputs *w = (struct outputs *)c->scratch;
	struct rt_chunk *k = &c->chunk[c->nchunk - 1];
	struct translate_req q = { .guest = rt.guest, .pc = pc, .fetch = fetch, .known = known, .ctx = &m,
				   .slow_fp = c->nslow_fp ? slow_fp : NULL, .max_insns = region_insns(),
				   .opt = { .features = rt.features, .strict_flags = c->strict_flags, .strict_fp = t->strict_fp } };
	struct translate_out o;
	struct rt_region *r;
	int err;

	if (k->hot_end - k->hot < 65536 || k->pool - k->cold < 65536) {
		k = new_chunk(c);
		if (!k)
			rt_die(127, "out of memory for translated code: raise the address space limit (ulimit -v)");
	}
	do {
		o = (struct translate_out){ .cg = { .code = k->hot, .max_code = (u32)(k->hot_end - k->hot), .cold = k->cold,
				.max_cold = (u32)(k->pool - k->cold), .pool = k->pool, .entry = w->entry,
				.max_entry = ARRAY_SIZE(w->entry), .map = w->map, .max_map = ARRAY_SIZE(w->map),
				.retsite = w->retsite, .max_retsite = ARRAY_SIZE(w->retsite), .site = w->site,
				.max_site = ARRAY_SIZE(w->site) } };
		err = translate(&q, &o, w + 1);
		if (err == -28 && q.max_insns == 1 && !q.interp) {
			/* one instruction, and more than the code generator can hold: evaluate it each time */
			q.interp = true;
			q.max_insns = 2;
		}
		q.max_insns /= 2;
	} while (err == -28 && q.max_insns);
	if (err)
		return NULL;
	if (c->nregion == c->max_region && !grow_regions(c))
		return NULL;
	r = keep(c, &o, pc, t->strict_fp);
	if (!r)
		return NULL;
	k->hot = (u8 *)ALIGN_UP((u64)o.cg.code + o.cg.code_len, 16ull);
	k->cold = (u8 *)ALIGN_UP((u64)o.cg.cold + o.cg.cold_len, 16ull);
	k->pool = o.cg.pool;
	c->region[c->nregion] = r;
	__atomic_store_n(&c->nregion, c->nregion + 1, __ATOMIC_RELEASE);
	list_pages(c, r);
	for (u32 n = 0; n < r->nentry; n++) {
		struct rt_entry e = { .key = key_of(t, r->entry[n].pc), .host = r->hot + r->entry[n].off, .region = r,
				      .needs_flags = r->entry[n].needs_flags };

		if (c->nentries * 4 > 3u << c->table_bits && !table_grow(c))
			break;
		if (n == 0 || !rt_cache_find(c, e.key))
			table_put(c, &e);
	}
	return r;
}

struct rt_entry *rt_cache_get(struct rt_thread *t, u64 pc)
{
	struct rt_cache *c = rt.cache;
	struct rt_entry *e = rt_cache_find(c, key_of(t, pc));

	if (likely(e))
		return e;
	if ((pc & (rt.guest->insn_align - 1)) == 0 && rt_mm_exec_avail(pc) < rt.guest->insn_max)
		return NULL;
	if (!make(c, t, pc))
		return NULL;
	return rt_cache_find(c, key_of(t, pc));
}

/* --- linking --------------------------------------------------------------------------------------------------------------------- */

static void patch(u8 *disp, const u8 *target)
{
	/* one aligned-enough store: the code generator keeps displacements inside 8 bytes */
	__atomic_store_n((s32 *)disp, (s32)(target - (disp + 4)), __ATOMIC_RELEASE);
}

void rt_cache_link(struct rt_cache *c, struct x64_site *site, struct rt_entry *e)
{
	u8 *base = (u8 *)site, *where = base + site->disp;
	s64 far = e->host - where;
	struct rt_link *l;

	if (far != (s32)far || e->region->stale)
		return;
	if (e->needs_flags && site->tail)
		where = base + site->tail;
	l = c->free_links;
	if (l)
		c->free_links = l->next;
	else
		l = meta(c, sizeof(*l));
	if (!l)
		return;
	*l = (struct rt_link){ .next = e->region->incoming, .site = site, .tail_or_disp = where };
	e->region->incoming = l;
	patch(where, e->host);
}

u8 *rt_cache_flags_entry(struct rt_cache *c, struct rt_entry *e)
{
	struct rt_chunk *k = &c->chunk[c->nchunk - 1];
	s64 far = e->host - k->cold;

	if (!e->needs_flags)
		return e->host;
	if (!e->flags_host && k->pool - k->cold > 4096 && far == (s32)far) {
		struct x64_buf b = { k->cold, k->cold, k->pool };

		cg_flags_store(&b, CG_FLAGS_SUB);
		x64_patch32(x64_jmp32(&b), e->host);
		e->flags_host = k->cold;
		k->cold = (u8 *)ALIGN_UP((u64)b.p, 16ull);
	}
	return e->flags_host;
}

static void unlink_site(struct rt_link *l)
{
	u8 *base = (u8 *)l->site;

	if (l->tail_or_disp == base + l->site->disp)
		patch(l->tail_or_disp, base + l->site->stub);
	else
		patch(l->tail_or_disp, l->tail_or_disp + 4);
}

/* --- host pc -> region ------------------------------------------------------------------------------------------------------------ */

struct rt_region *rt_cache_region_at(u64 host)
{
	struct rt_cache *c = rt.cache;
	u32 lo = 0, hi = __atomic_load_n(&c->nregion, __ATOMIC_ACQUIRE);
	struct rt_region **v = __atomic_load_n(&c->region, __ATOMIC_ACQUIRE);

	/* chunks are taken in any order of addresses: a linear search over chunks' runs would do too, but they are few */
	if (__atomic_load_n(&c->nchunk, __ATOMIC_ACQUIRE) > 1) {
		while (hi-- > 0)
			if (host >= (u64)v[hi]->hot && host < (u64)v[hi]->hot + v[hi]->hot_len)
				return v[hi];
		return NULL;
	}
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if ((u64)v[mid]->hot + v[mid]->hot_len <= host)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < c->nregion && host >= (u64)v[lo]->hot && host < (u64)v[lo]->hot + v[lo]->hot_len)
		return v[lo];
	return NULL;
}

const struct cg_map *rt_region_map(const struct rt_region *r, u64 host)
{
	u32 off = (u32)(host - (u64)r->hot), lo = 0, hi = r->nmap;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (r->map[mid].off <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* several at the same place: those before the last made no code, and are complete */
	return &r->map[lo ? lo - 1 : 0];
}

bool rt_pc_in_code(u64 host)
{
	struct rt_cache *c = rt.cache;

	if (host >= c->glue_lo && host < c->glue_hi)
		return false;
	for (u32 k = 0; k < __atomic_load_n(&c->nchunk, __ATOMIC_ACQUIRE); k++)
		if (host >= (u64)c->chunk[k].base && host < (u64)c->chunk[k].end)
			return true;
	return false;
}

bool rt_pc_entering(u64 host)
{
	const struct x64_glue *g = &rt.cache->glue;

	for (unsigned k = 0; k < 3; k++)
		if (host >= g->entering[k][0] && host < g->entering[k][1])
			return true;
	return false;
}

/* --- invalidation ----------------------------------------------------------------------------------------------------------------- */

static void drop_entries(struct rt_cache *c, struct rt_region *r)
{
	for (u32 n = 0; n < r->nentry; n++) {
		struct rt_entry *e = rt_cache_find(c, r->entry[n].pc | r->strict);

		if (e && e->region == r)
			e->host = NULL;		/* the key stays: a tombstone */
	}
}

/*
 * Whoever is inside, or comes back into it, meets an INT3 at the next instruction boundary or return site and is sent on by
 * the SIGTRAP handler. One byte is written at a time, so no other thread sees half an instruction.
 */
static void poison(struct rt_region *r)
{
	for (u32 n = 0; n < r->nmap; n++)
		if (!r->map[n].inside)
			__atomic_store_n(r->hot + r->map[n].off, 0xcc, __ATOMIC_RELAXED);
	for (u32 n = 0; n < r->nretsite; n++)
		__atomic_store_n(r->hot + r->retsite[n], 0xcc, __ATOMIC_RELAXED);
	for (u32 n = 0; n < r->nentry; n++)
		__atomic_store_n(r->hot + r->entry[n].off, 0xcc, __ATOMIC_RELAXED);
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

void rt_region_invalidate(struct rt_cache *c, struct rt_region *r)
{
	struct rt_link *l, *next;

	if (r->stale)
		return;
	r->stale = true;
	drop_entries(c, r);
	for (l = r->incoming; l; l = next) {
		next = l->next;
		unlink_site(l);
		l->next = c->free_links;
		c->free_links = l;
	}
	r->incoming = NULL;
	rt_lock(&rt.threads_lock);
	forget_jumps_to(r);
	rt_unlock(&rt.threads_lock);
	poison(r);
}

void rt_cache_go_strict(struct rt_cache *c)
{
	if (c->strict_flags)
		return;
	c->strict_flags = true;
	for (u32 k = 0; k < c->nregion; k++)
		rt_region_invalidate(c, c->region[k]);
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
		if (r->pc_lo < end && r->pc_hi > start) {
			rt_region_invalidate(c, r);
			unlist(c, r);
		}
		r = next;
	}
}

void rt_invalidate(u64 start, u64 end)
{
	struct rt_cache *c = rt.cache;

	if (!c || !c->nregion || start >= end)
		return;
	rt_lock(&c->lock);
	if ((end - start) >> 12 > PAGE_BUCKETS) {
		for (u32 k = 0; k < c->nregion; k++)
			if (!c->region[k]->stale && c->region[k]->pc_lo < end && c->region[k]->pc_hi > start) {
				rt_region_invalidate(c, c->region[k]);
				unlist(c, c->region[k]);
			}
	} else {
		for (u64 p = start >> 12; p <= (end - 1) >> 12; p++)
			if (c->page[page_bucket(p)])
				invalidate_bucket(c, p, start, end);
	}
	rt_unlock(&c->lock);
}

/* --- start ------------------------------------------------------------------------------------------------------------------------- */

/* One mapping for what every process needs; the large tables grow by themselves. */
int rt_cache_init(void)
{
	size_t scratch = sizeof(struct outputs) + translate_scratch_size();
	size_t table = sizeof(struct rt_entry) << TABLE_BITS, regions = FIRST_REGIONS * sizeof(void *);
	size_t pages = PAGE_BUCKETS * sizeof(void *);
	size_t total = ALIGN_UP(sizeof(struct rt_cache), 64ul) + table + regions + pages + scratch + META_CHUNK;
	struct rt_cache *c;
	u8 *p;

	total = ALIGN_UP(total, 4096ul);
	p = map(total, PROT_READ | PROT_WRITE);
	if (!p)
		return -12;	/* -ENOMEM */
	c = (struct rt_cache *)p;
	p += ALIGN_UP(sizeof(*c), 64ul);
	c->table = (void *)p;
	c->table_bits = TABLE_BITS;
	p += table;
	c->region = (void *)p;
	c->max_region = FIRST_REGIONS;
	p += regions;
	c->page = (void *)p;
	p += pages;
	c->scratch = p;
	p += scratch;
	c->meta = (u8 *)ALIGN_UP((u64)p, 16ull);
	c->meta_end = c->meta + META_CHUNK - 4096;
	rt.cache = c;
	return new_chunk(c) ? 0 : -12;
}
