// SPDX-License-Identifier: MIT
/*
 * Translated code of this address space: making it, finding it by guest pc and by host pc. (codemem.c: memory for it; link.c:
 * jumps between regions; stale.c: what changes.) Everything that changes is under rt.cache->lock; look-ups by host pc
 * (from signal handlers) only read what is published last.
 */
#include <linux/mman.h>
#include <asm/unistd.h>
#include <linux/futex.h>

#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/sys.h"
#include "runtime/uaccess.h"
#include "translate/translate.h"

#define PEEK_SIZE 64
#define SNAP_STEP 512
#define SNAP_SIZE 8192			/* the guest code that a region may span, and more than one instruction behind it */
#define TABLE_BITS 9			/* to begin with: who runs shared code needs few, and pays for each page */
#define TABLE_QUICK 12			/* grows faster up to there */
#define TABLE_LIMITED 15		/* where there may be no memory later */

/* --- lock -------------------------------------------------------------------------------------------------------- */

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

/* --- look-up by guest pc ----------------------------------------------------------------------------------------- */

static u32 hash(const struct rt_cache *c, u64 key)
{
	return (u32)((key * 0x9e3779b97f4a7c15ull) >> (64 - c->table_bits));
}

struct rt_entry *rt_cache_find_any(struct rt_cache *c, u64 key)
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

struct rt_entry *rt_cache_find(struct rt_cache *c, u64 key)
{
	struct rt_entry *e = rt_cache_find_any(c, key);

	return likely(e && !e->hidden) ? e : NULL;
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

static bool table_full(const struct rt_cache *c)
{
	return c->nentries * 4 > 3u << c->table_bits;
}

static bool table_move(struct rt_cache *c, u32 bits)
{
	u32 old_n = 1u << c->table_bits;
	struct rt_entry *old = c->table, *fresh = rt_core_map(sizeof(*fresh) << bits, PROT_READ | PROT_WRITE);

	if (!fresh)
		return false;
	c->table = fresh;
	c->table_bits = bits;
	c->nentries = 0;
	for (u32 k = 0; k < old_n; k++)
		if (old[k].key && old[k].host)
			table_put(c, &old[k]);
	/* the first one is part of a larger mapping, and stays */
	if ((u8 *)old != (u8 *)c + ALIGN_UP(sizeof(*c), 64ul))
		rt_core_unmap(old, (size_t)old_n * sizeof(*old));
	return true;
}

static bool table_grow(struct rt_cache *c)
{
	u32 n = 1u << c->table_bits, used = 0;

	for (u32 k = 0; k < n; k++)
		used += c->table[k].key && c->table[k].host;
	/* it may be full of what is gone */
	return table_move(c, c->table_bits + (used > n / 4) * (c->table_bits < TABLE_QUICK ? 2 : 1));
}

void rt_cache_prepare_limit(void)
{
	struct rt_cache *c = rt.cache;

	rt_lock(&c->lock);
	if (c->table_bits < TABLE_LIMITED)
		table_move(c, TABLE_LIMITED);
	rt_unlock(&c->lock);
}

void rt_cache_clear_tables(struct rt_cache *c)
{
	__builtin_memset(c->table, 0, sizeof(*c->table) << c->table_bits);
	__builtin_memset(c->page, 0, RT_PAGE_BUCKETS * sizeof(*c->page));
	c->nentries = 0;
	__builtin_memset(c->flags_entry, 0, sizeof(c->flags_entry));
}

/* --- making regions ---------------------------------------------------------------------------------------------- */

struct make_ctx {
	struct rt_cache *c;
	struct rt_thread *t;
};

/* Copies as much of [from, to) as can be read, a step or a page at a time. Returns where it ended. */
u64 rt_cache_snapshot(u8 *buf, u64 from, u64 to)
{
	while (from < to) {
		u64 n = MIN(to, ALIGN_DOWN(from, 4096ull) + 4096) - from;

		if (rt_copy_from_user(buf, from, n))
			break;
		buf += n;
		from += n;
	}
	return from;
}

u64 rt_cache_present(u64 from, u64 to)
{
	u8 in_core;

	while (unlikely(rt.code_waits) && from < to) {
		if (sys(__NR_mincore, ALIGN_DOWN(from, 4096ull), 4096, &in_core) || !(in_core & 1))
			return from;
		from = ALIGN_DOWN(from, 4096ull) + 4096;
	}
	return to;
}

/*
 * Guest bytes, copied: while they are translated the guest may change them, unmap them, or truncate their file. What lies
 * in the region's window comes from one copy that grows; the summary of that copy decides later whether a translation is
 * still right. Beyond, there is only a peek (into a copy that lasts until the next).
 */
static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	struct rt_cache *c = ((struct make_ctx *)ctx)->c;
	u64 off = pc - c->snap_pc, end;
	size_t exec;

	if (off < SNAP_SIZE && pc + rt.guest->insn_max <= c->snap_end) {
		*avail = c->snap_end - pc;
		return c->snap + off;
	}
	exec = rt_mm_exec_avail(pc);
	if (off >= SNAP_SIZE) {
		end = rt_cache_present(pc, pc + MIN(exec, (size_t)PEEK_SIZE));
		*avail = rt_cache_snapshot(c->snap + SNAP_SIZE + SNAP_STEP, pc, end) - pc;
		return c->snap + SNAP_SIZE + SNAP_STEP;
	}
	/* between what is there and pc there may be a hole, which no region spans */
	end = MIN(pc + exec, ALIGN_UP(pc - c->snap_pc + SNAP_STEP, (u64)SNAP_STEP) + c->snap_pc);
	if (pc > c->snap_end && rt_mm_exec_avail(c->snap_end) < pc - c->snap_end)
		exec = 0;
	/* the first page was there a moment ago */
	end = rt_cache_present(MIN(MAX(c->snap_end, ALIGN_DOWN(c->snap_pc, 4096ull) + 4096), end), end);
	if (exec && c->snap_end < end)
		c->snap_end = rt_cache_snapshot(c->snap + (c->snap_end - c->snap_pc), c->snap_end, end);
	*avail = exec && c->snap_end > pc ? c->snap_end - pc : 0;
	return c->snap + off;
}

u64 rt_cache_sum(const u8 *p, u64 n)
{
	u64 sum = n, w;

	for (; n >= 8; n -= 8, p += 8) {
		__builtin_memcpy(&w, p, 8);
		sum = (sum ^ w) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
	}
	for (; n; n--)
		sum = (sum ^ *p++) * 0x9e3779b97f4a7c15ull;
	return sum ^ sum >> 32;
}

static u64 key_of(const struct rt_thread *t, u64 pc)
{
	return pc | t->strict_fp;
}

static bool known(void *ctx, u64 pc)
{
	struct make_ctx *m = ctx;

	struct rt_view *missing;
	struct rt_entry e;

	return rt_view_entry(m->t, pc, &e, &missing) || rt_cache_find(m->c, key_of(m->t, pc));
}

static bool slow_fp(void *ctx, u64 pc)
{
	struct make_ctx *m = ctx;

	for (u32 k = 0; k < m->c->nslow_fp; k++)
		if (m->c->slow_fp[k] == pc)
			return true;
	return false;
}

struct outputs {
	struct cg_entry entry[512];
	struct cg_map map[1024];
	u32 retsite[512], site[1024];
};

/* Copies what stays of a translation into a region description. */
static struct rt_region *keep(struct rt_cache *c, const struct translate_out *o, u64 pc, u32 strict)
{
	const struct cg_out *g = &o->cg;
	struct rt_region *r = rt_cache_meta(c, sizeof(*r) + g->nmap * sizeof(*g->map) + g->nretsite * 4 + g->nentry * sizeof(*g->entry));
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

/* Is there room for any region, whatever it turns out to need? */
static bool has_room(const struct rt_chunk *k)
{
	return k->hot_end - k->hot >= 65536 && k->pool - k->cold >= 65536 && k->meta_end - k->meta >= 65536 &&
	       k->nregion < k->max_region;
}

static void new_chunk(struct rt_cache *c, struct rt_thread *t)
{
	if (rt_cache_new_chunk(c, t))
		rt_die(127, "out of memory for translated code: raise the address space limit (ulimit -v)");
}

static struct rt_region *make(struct rt_cache *c, struct rt_thread *t, u64 pc)
{
	struct make_ctx m = { c, t };
	struct outputs *w = (struct outputs *)c->scratch;
	struct rt_chunk *k;
	struct translate_req q = { .guest = rt.guest, .pc = pc, .fetch = fetch, .known = known, .ctx = &m,
				   .slow_fp = c->nslow_fp ? slow_fp : NULL, .max_insns = region_insns(),
				   .opt = { .features = rt.features, .strict_flags = c->strict_flags,
					    .strict_fp = t->strict_fp == RT_FP_STRICT, .flush_fp = t->strict_fp == RT_FP_FLUSH } };
	struct translate_out o;
	struct rt_region *r;
	int err;

	if (table_full(c) && !table_grow(c)) {
		/* No memory for a larger one, and a look-up ends at a hole: begin anew before there is none. */
		c->garbage = ~0ull;
		new_chunk(c, t);
	}
	while (!has_room(c->cur))
		new_chunk(c, t);
	k = c->cur;
	c->snap_pc = c->snap_end = pc;
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
	r = keep(c, &o, pc, t->strict_fp);
	if (!r)
		return NULL;
	r->sum = rt_cache_sum(c->snap + (r->pc_lo - c->snap_pc), r->pc_hi - r->pc_lo);
	k->hot = (u8 *)ALIGN_UP((u64)o.cg.code + o.cg.code_len, 16ull);
	k->cold = (u8 *)ALIGN_UP((u64)o.cg.cold + o.cg.cold_len, 16ull);
	k->pool = o.cg.pool;
	k->region[k->nregion] = r;
	__atomic_store_n(&k->nregion, k->nregion + 1, __ATOMIC_RELEASE);
	rt_region_list(c, r);
	for (u32 n = 0; n < r->nentry; n++) {
		struct rt_entry e = { .key = key_of(t, r->entry[n].pc), .host = r->hot + r->entry[n].off, .region = r,
				      .needs_flags = r->entry[n].needs_flags };

		if (n && table_full(c) && !table_grow(c))
			break;
		if (n == 0 || !rt_cache_find(c, e.key))
			table_put(c, &e);
	}
	return r;
}

/* --- host pc -> region ------------------------------------------------------------------------------------------- */

static struct rt_region *chunk_region(const struct rt_chunk *k, u64 host)
{
	u32 lo = 0, n = __atomic_load_n(&k->nregion, __ATOMIC_ACQUIRE), hi = n;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if ((u64)k->region[mid]->hot + k->region[mid]->hot_len <= host)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && host >= (u64)k->region[lo]->hot ? k->region[lo] : NULL;
}

struct rt_region *rt_cache_region_at(u64 host, struct rt_region *tmp)
{
	struct rt_cache *c = rt.cache;

	for (u32 n = 0; n < __atomic_load_n(&c->nchunk, __ATOMIC_ACQUIRE); n++)
		if (host >= (u64)c->chunk[n].base && host < (u64)c->chunk[n].hot_end)
			return chunk_region(&c->chunk[n], host);
	return rt_view_region(host, tmp) ? tmp : NULL;
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
	return rt_view_in_code(host);
}

bool rt_pc_entering(u64 host)
{
	const struct x64_glue *g = &rt.cache->glue;

	for (unsigned k = 0; k < X64_ENTERING; k++)
		if (host >= g->entering[k][0] && host < g->entering[k][1])
			return true;
	return false;
}

/* Whether a translation is needed or an old one will do. */
static bool get(struct rt_cache *c, struct rt_thread *t, u64 pc)
{
	struct rt_entry *e = rt_cache_find_any(c, key_of(t, pc));

	if (e && e->hidden && rt_region_unhide(c, e->region))
		return true;
	return make(c, t, pc) != NULL;
}

struct rt_entry *rt_cache_peek(struct rt_thread *t, u64 pc, struct rt_view **missing)
{
	struct rt_cache *c = rt.cache;
	struct rt_entry *e;

	if (rt_view_entry(t, pc, &c->shared, missing))
		return &c->shared;
	e = rt_cache_find(c, key_of(t, pc));
	if (e)
		*missing = NULL;
	return e;
}

struct rt_entry *rt_cache_get(struct rt_thread *t, u64 pc)
{
	struct rt_cache *c = rt.cache;
	struct rt_view *missing;
	struct rt_entry *e = rt_cache_peek(t, pc, &missing);

	if (likely(e))
		return e;
	if ((pc & (rt.guest->insn_align - 1)) == 0 && rt_mm_exec_avail(pc) < rt.guest->insn_max)
		return NULL;
	return get(c, t, pc) ? rt_cache_find(c, key_of(t, pc)) : NULL;
}

/* --- start ------------------------------------------------------------------------------------------------------- */

/* One mapping for what every process needs; the hash table moves when it grows. */
int rt_cache_init(void)
{
	size_t scratch = sizeof(struct outputs) + translate_scratch_size();
	size_t table = sizeof(struct rt_entry) << TABLE_BITS, pages = RT_PAGE_BUCKETS * sizeof(void *);
	size_t snap = SNAP_SIZE + SNAP_STEP + PEEK_SIZE;
	size_t total = ALIGN_UP(sizeof(struct rt_cache), 64ul) + table + pages + snap + scratch;
	struct rt_cache *c;
	u8 *p;

	p = rt_core_map(ALIGN_UP(total, 4096ul), PROT_READ | PROT_WRITE);
	if (!p)
		return -12;	/* -ENOMEM */
	c = (struct rt_cache *)p;
	p += ALIGN_UP(sizeof(*c), 64ul);
	c->table = (void *)p;
	c->table_bits = TABLE_BITS;
	p += table;
	c->page = (void *)p;
	p += pages;
	c->snap = p;
	p += snap;
	c->scratch = p;
	c->epoch = 1;
	rt.cache = c;
	return rt_cache_new_chunk(c, NULL);
}
