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
#include "runtime/uaccess.h"
#include "translate/translate.h"

#define PAGE_BUCKETS 4096
#define PEEK_SIZE 64
#define SNAP_STEP 512
#define SNAP_SIZE 8192			/* the guest code that a region may span, and more than one instruction behind it */
#define TABLE_BITS 9			/* to begin with: who runs shared code needs few, and pays for each page */
#define TABLE_QUICK 12			/* grows faster up to there */

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

/* Those of hidden regions too. */
static struct rt_entry *find_any(struct rt_cache *c, u64 key)
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
	struct rt_entry *e = find_any(c, key);

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

static bool table_grow(struct rt_cache *c)
{
	u32 old_n = 1u << c->table_bits, used = 0, bits;
	struct rt_entry *old = c->table, *fresh;

	for (u32 k = 0; k < old_n; k++)
		used += old[k].key && old[k].host;
	/* it may be full of what is gone */
	bits = c->table_bits + (used > old_n / 4) * (c->table_bits < TABLE_QUICK ? 2 : 1);
	fresh = rt_core_map(sizeof(*fresh) << bits, PROT_READ | PROT_WRITE);
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

/* --- making regions ---------------------------------------------------------------------------------------------- */

struct make_ctx {
	struct rt_cache *c;
	struct rt_thread *t;
};

/* Copies as much of [from, to) as can be read, a step or a page at a time. Returns where it ended. */
static u64 snapshot(u8 *buf, u64 from, u64 to)
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
		*avail = snapshot(c->snap + SNAP_SIZE + SNAP_STEP, pc, pc + MIN(exec, (size_t)PEEK_SIZE)) - pc;
		return c->snap + SNAP_SIZE + SNAP_STEP;
	}
	/* between what is there and pc there may be a hole, which no region spans */
	end = MIN(pc + exec, ALIGN_UP(pc - c->snap_pc + SNAP_STEP, (u64)SNAP_STEP) + c->snap_pc);
	if (pc > c->snap_end && rt_mm_exec_avail(c->snap_end) < pc - c->snap_end)
		exec = 0;
	if (exec && c->snap_end < end)
		c->snap_end = snapshot(c->snap + (c->snap_end - c->snap_pc), c->snap_end, end);
	*avail = exec && c->snap_end > pc ? c->snap_end - pc : 0;
	return c->snap + off;
}

/* Not against an enemy: a guest can only fool itself. */
static u64 sum_of(const u8 *p, u64 n)
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

	while (!has_room(c->cur))
		if (rt_cache_new_chunk(c, t))
			rt_die(127, "out of memory for translated code: raise the address space limit (ulimit -v)");
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
	r->sum = sum_of(c->snap + (r->pc_lo - c->snap_pc), r->pc_hi - r->pc_lo);
	k->hot = (u8 *)ALIGN_UP((u64)o.cg.code + o.cg.code_len, 16ull);
	k->cold = (u8 *)ALIGN_UP((u64)o.cg.cold + o.cg.cold_len, 16ull);
	k->pool = o.cg.pool;
	k->region[k->nregion] = r;
	__atomic_store_n(&k->nregion, k->nregion + 1, __ATOMIC_RELEASE);
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

/* --- linking ----------------------------------------------------------------------------------------------------- */

static void patch(u8 *disp, const u8 *target)
{
	/* one aligned-enough store: the code generator keeps displacements inside 8 bytes */
	__atomic_store_n((s32 *)disp, (s32)(target - (disp + 4)), __ATOMIC_RELEASE);
}

/* The list of an entry's links. */
static struct rt_link **incoming(struct rt_entry *e)
{
	return e->view ? &e->view->incoming : &e->region->incoming;
}

/*
 * The target is too far for a direct jump: from now on the stub looks it up without coming here. The displacement of the stub's
 * last instruction, jmp [rbp + FN_LINK], changes in its lowest byte.
 */
static void leave_by_exit(struct x64_site *site)
{
	u32 link = X64_FN + 8 * X64_FN_LINK - X64_BIAS, leave = X64_FN + 8 * X64_FN_EXIT - X64_BIAS, disp;
	u8 *p = (u8 *)site;

	while (p[-1] == 0xcc)
		p--;
	__builtin_memcpy(&disp, p - 4, 4);
	if (p[-6] == 0xff && p[-5] == 0xa5 && disp == link && (link ^ leave) < 256)
		__atomic_store_n(p - 4, (u8)leave, __ATOMIC_RELAXED);
}

void rt_cache_link(struct rt_cache *c, struct x64_site *site, struct rt_entry *e)
{
	u8 *base = (u8 *)site, *where = base + site->disp;
	s64 far = e->host - where;
	struct rt_link *l;
	unsigned n = 0;

	if (far != (s32)far) {
		if (e->view)
			leave_by_exit(site);
		return;
	}
	if (e->needs_flags && site->tail)
		where = base + site->tail;
	/* another thread was quicker; or the list has it */
	for (l = *incoming(e); l && n++ < 8; l = l->next)
		if (l->tail_or_disp == where && l->target == e->host) {
			patch(where, e->host);
			return;
		}
	l = c->free_links;
	if (l)
		c->free_links = l->next;
	else
		l = rt_cache_meta(c, sizeof(*l));
	if (!l)
		return;
	*l = (struct rt_link){ .next = *incoming(e), .site = site, .tail_or_disp = where, .target = e->host };
	*incoming(e) = l;
	patch(where, e->host);
}

/* The guest flags in EFLAGS are saved, then on to target. NULL: no room. */
static u8 *make_flags_entry(struct rt_cache *c, u8 *target)
{
	struct rt_chunk *k = c->cur;
	struct x64_buf b = { k->cold, k->cold, k->pool };
	s64 far = target - k->cold;
	u8 *at = k->cold;

	if (k->pool - k->cold <= 4096)
		return NULL;
	cg_flags_store(&b, CG_FLAGS_SUB);
	if (far < INT32_MAX - 4096 && far > INT32_MIN + 4096) {
		x64_patch32(x64_jmp32(&b), target);
	} else {
		x64_jmp_m(&b, x64_mrip(b.p + 6));
		x64_q(&b, (u64)target);
	}
	k->cold = (u8 *)ALIGN_UP((u64)b.p, 16ull);
	return at;
}

static u8 *shared_flags_entry(struct rt_cache *c, u8 *target)
{
	struct rt_flags_entry *f = &c->flags_entry[(u64)target >> 4 & (ARRAY_SIZE(c->flags_entry) - 1)];

	if (f->target != target) {
		f->host = make_flags_entry(c, target);
		f->target = f->host ? target : NULL;
	}
	return f->host;
}

u8 *rt_cache_flags_entry(struct rt_cache *c, struct rt_entry *e)
{
	if (!e->needs_flags)
		return e->host;
	if (e->view)
		return shared_flags_entry(c, e->host);
	if (!e->flags_host)
		e->flags_host = make_flags_entry(c, e->host);
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

void rt_cache_unlink(struct rt_cache *c, struct rt_view *v)
{
	struct rt_link *l, *next;

	for (l = v->incoming; l; l = next) {
		next = l->next;
		unlink_site(l);
		l->next = c->free_links;
		c->free_links = l;
	}
	v->incoming = NULL;
	__builtin_memset(c->flags_entry, 0, sizeof(c->flags_entry));
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

/* --- invalidation ------------------------------------------------------------------------------------------------ */

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

enum entries_to { HIDE, SHOW, DROP };

static void change_entries(struct rt_cache *c, struct rt_region *r, enum entries_to what)
{
	for (u32 n = 0; n < r->nentry; n++) {
		struct rt_entry *e = find_any(c, r->entry[n].pc | r->strict);

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
			unlink_site(l);
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

void rt_cache_clear_tables(struct rt_cache *c)
{
	__builtin_memset(c->table, 0, sizeof(*c->table) << c->table_bits);
	__builtin_memset(c->page, 0, PAGE_BUCKETS * sizeof(*c->page));
	c->nentries = 0;
	__builtin_memset(c->flags_entry, 0, sizeof(c->flags_entry));
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
		unlink_site(l);
	forget_region_jumps(r);
	poison(r, r->saved);
}

/* Is the guest code that a hidden region was made from still there? Then the region lives again; else it is dead. */
static bool unhide(struct rt_cache *c, struct rt_region *r)
{
	u64 len = r->pc_hi - r->pc_lo;

	if (rt_mm_exec_avail(r->pc_lo) < len)
		return false;		/* some of it; the rest may come back */
	if (snapshot(c->snap, r->pc_lo, r->pc_hi) != r->pc_hi || sum_of(c->snap, len) != r->sum) {
		rt_region_kill(c, r);
		return false;
	}
	unpoison(r);
	c->garbage -= r->hot_len;
	r->state = RT_REGION_LIVE;
	change_entries(c, r, SHOW);
	for (struct rt_link *l = r->incoming; l; l = l->next)
		patch(l->tail_or_disp, l->target);
	return true;
}

/* Whether a translation is needed or an old one will do. */
static bool get(struct rt_cache *c, struct rt_thread *t, u64 pc)
{
	struct rt_entry *e = find_any(c, key_of(t, pc));

	if (e && e->hidden && unhide(c, e->region))
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
	if ((end - start) >> 12 > PAGE_BUCKETS) {
		invalidate_all(c, start, end);
	} else {
		for (u64 p = start >> 12; p <= (end - 1) >> 12; p++)
			if (c->page[page_bucket(p)])
				invalidate_bucket(c, p, start, end);
	}
	rt_unlock(&c->lock);
}

/* --- start ------------------------------------------------------------------------------------------------------- */

/* One mapping for what every process needs; the hash table moves when it grows. */
int rt_cache_init(void)
{
	size_t scratch = sizeof(struct outputs) + translate_scratch_size();
	size_t table = sizeof(struct rt_entry) << TABLE_BITS, pages = PAGE_BUCKETS * sizeof(void *);
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
