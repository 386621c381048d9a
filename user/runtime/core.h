/* SPDX-License-Identifier: MIT */
/*
 * The core's own declarations: translated code of this address space, how it is found, linked and forgotten.
 */
#ifndef RUNTIME_CORE_H
#define RUNTIME_CORE_H

#include "codegen/host.h"
#include "host/x64/glue.h"
#include "runtime/rt.h"

#define RT_CHUNK_HOT (64u << 20)	/* bytes of hot code in a chunk; the cold half is as large */
#define RT_MAX_CHUNKS 32
#define RT_REGION_INSNS 128		/* most guest instructions of a region */

/* A jump that was linked to a region, to be undone when the region goes. */
struct rt_link {
	struct rt_link *next;
	struct x64_site *site;
	u8 *tail_or_disp;
};

struct rt_region {
	u64 pc, pc_lo, pc_hi;
	u8 *hot;
	u32 hot_len;
	u32 nmap, nretsite, nentry;
	struct cg_map *map;		/* by offset */
	u32 *retsite;
	struct cg_entry *entry;
	struct rt_link *incoming;
	struct rt_region *next_in_page[4];	/* lists of regions by guest page: one link for each page touched */
	u8 npages;
	bool stale, strict;
};

struct rt_chunk {
	u8 *base;			/* hot code, then cold code growing up, then constants growing down */
	u8 *hot, *hot_end, *cold, *pool;
	u8 *end;
};

/* Guest pc -> host entry. */
struct rt_entry {
	u64 key;			/* pc | 1 for strict FP; 0: free */
	u8 *host;
	struct rt_region *region;
	u8 *flags_host;			/* as host, but saves the guest flags that EFLAGS hold first; NULL: not made yet */
	u32 needs_flags;
};

struct rt_cache {
	u32 lock;
	struct rt_chunk chunk[RT_MAX_CHUNKS];
	u32 nchunk;
	struct rt_entry *table;
	u32 table_bits, nentries;
	struct rt_region **region;	/* in order of hot addresses within each chunk's run of allocations */
	u32 nregion, max_region;
	struct rt_region **page;	/* hash of guest page -> regions */
	u8 *meta, *meta_end;		/* bump allocator of what describes regions */
	void *scratch;			/* translate()'s */
	struct rt_link *free_links;
	struct x64_glue glue;
	u64 glue_lo, glue_hi;
	u64 trap_pc[64];		/* FP: pcs that trapped, and how often */
	u8 trap_count[64];
	u64 slow_fp[256];		/* pcs whose FP operations go through the evaluator */
	u32 nslow_fp;
	bool strict_flags;
	u32 xsave_hi16;			/* offset of ZMM16-31 in the extended state, 0: none */
};

static inline void rt_lock(u32 *l)
{
	extern void rt_lock_slow(u32 *l);
	u32 unlocked = 0;

	if (!__atomic_compare_exchange_n(l, &unlocked, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		rt_lock_slow(l);
}

void rt_unlock(u32 *l);

/* Finds or makes the translation of pc for t. NULL: pc cannot be executed. Takes the lock. */
struct rt_entry *rt_cache_get(struct rt_thread *t, u64 pc);
/* Also under the lock: the entry if there is one. */
struct rt_entry *rt_cache_find(struct rt_cache *c, u64 key);
int rt_cache_init(void);
/* Where to enter with guest flags in EFLAGS, as after a subtraction (lock held). */
u8 *rt_cache_flags_entry(struct rt_cache *c, struct rt_entry *e);
/* Links a site to an entry (lock held). */
void rt_cache_link(struct rt_cache *c, struct x64_site *site, struct rt_entry *e);
/* The region whose hot code holds this host address, stale ones included; NULL. No lock. */
struct rt_region *rt_cache_region_at(u64 host_pc);
/* The map entry for an address in a region: the last one at or before it. */
const struct cg_map *rt_region_map(const struct rt_region *r, u64 host_pc);
void rt_region_invalidate(struct rt_cache *c, struct rt_region *r);
/* From now on guest flags survive calls and returns: everything is made again. Lock held. */
void rt_cache_go_strict(struct rt_cache *c);

/* Guest address to continue at -> host address, raising a signal if it cannot be executed. Fills the jump cache. */
u64 rt_go(struct rt_thread *t, u64 pc);

/* Evaluates the instruction at state.pc on t->state (vectors and flags included in the state). */
enum rt_eval_result { RT_EVAL_DONE, RT_EVAL_FAULT, RT_EVAL_OTHER };
enum rt_eval_result rt_eval_one(struct rt_thread *t, u64 addr_mask, u64 *fault_addr);

#endif
