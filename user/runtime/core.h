/* SPDX-License-Identifier: MIT */
/*
 * The core's own declarations: translated code of this address space, how it is found, linked and forgotten.
 */
#ifndef RUNTIME_CORE_H
#define RUNTIME_CORE_H

#include "codegen/host.h"
#include "host/x64/glue.h"
#include "runtime/rt.h"
#include "runtime/view.h"

#define RT_CHUNK_HOT (16u << 20)	/* bytes of hot code in a chunk, if limits allow */
#define RT_MAX_CHUNKS 32
#define RT_REGION_INSNS 48		/* most guest instructions of a region */
#define RT_PAGE_BUCKETS 4096

/* A jump that was linked to a region, to be undone when the region goes. */
struct rt_link {
	struct rt_link *next;
	struct x64_site *site;
	u8 *tail_or_disp;
	u8 *target;
};

/*
 * LIVE -> HIDDEN: the guest said that code may have changed, or it may not be executed now: nothing leads there, and who is
 * inside meets an INT3. HIDDEN -> LIVE: somebody wants to go there, and the guest's code is the same as before.
 * -> DEAD: it is not; or the translation is to be made in another way. For ever.
 */
enum rt_region_state { RT_REGION_LIVE, RT_REGION_HIDDEN, RT_REGION_DEAD };

struct rt_region {
	u64 pc, pc_lo, pc_hi;
	u8 *hot;
	u32 hot_len;
	u32 nmap, nretsite, nentry;
	struct cg_map *map;		/* by offset */
	u32 *retsite;
	struct cg_entry *entry;
	struct rt_link *incoming;
	u64 sum;			/* of the guest code at [pc_lo, pc_hi) */
	u8 *saved;			/* bytes under the INT3s, NULL: it was never hidden */
	struct rt_region *next_in_page[4];	/* lists of regions by guest page: one link for each page touched */
	u8 npages;
	u8 state;			/* enum rt_region_state */
	u8 strict;			/* enum rt_fp */
	const struct rt_view *view;	/* it stands for one of shared code: only pc, pc_lo, pc_hi and hot .. retsite are valid */
};

/* One mapping: hot code, cold code growing up, constants growing down, the table of regions, what describes them. */
struct rt_chunk {
	u8 *base, *hot_start;		/* the first chunk begins with the glue */
	u8 *hot, *hot_end, *cold, *pool;
	u8 *end;			/* of code */
	u32 size;			/* of the hot part, and of the cold part */
	u32 nregion, max_region;
	struct rt_region **region;	/* in order of hot addresses */
	u8 *meta, *meta_end;		/* bump allocator */
	u64 retired;			/* 0: in use; else the epoch at whose end it was flushed */
};

/* Guest pc -> host entry. */
struct rt_entry {
	u64 key;			/* pc | enum rt_fp; 0: free */
	u8 *host;
	struct rt_region *region;
	u8 *flags_host;			/* as host, but saves the guest flags that EFLAGS hold first; NULL: not made yet */
	u32 needs_flags;
	u32 hidden;			/* its region is */
	struct rt_view *view;		/* it is made up for shared code; there is no region */
};

/* Where shared code is entered with guest flags in EFLAGS; see rt_cache_flags_entry. */
struct rt_flags_entry {
	u8 *target, *host;
};

struct rt_cache {
	u32 lock;
	u32 nchunk, nlive;		/* mapped; not retired */
	struct rt_chunk chunk[RT_MAX_CHUNKS];
	struct rt_chunk *cur;		/* where new code goes */
	u32 hot_size;			/* of a chunk that is mapped next */
	u32 nflush;
	u64 epoch;			/* from 1; see codemem.c */
	u64 garbage;			/* bytes of hot code in regions that are not live */
	struct rt_entry *table;
	u32 table_bits, nentries;
	struct rt_region **page;	/* hash of guest page -> regions */
	void *scratch;			/* translate()'s */
	u8 *snap;			/* the guest code that is being translated, copied: it may change or go meanwhile */
	u64 snap_pc, snap_end;
	struct rt_link *free_links;
	struct x64_glue glue;
	u64 glue_lo, glue_hi;
	u64 trap_pc[64];		/* FP: pcs that trapped, and how often */
	u8 trap_count[64];
	u64 slow_fp[256];		/* pcs whose FP operations go through the evaluator */
	u32 nslow_fp;
	struct rt_entry shared;		/* what rt_cache_get returned last, if that was in shared code */
	struct rt_flags_entry flags_entry[128];	/* by hash of target */
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

/*
 * Finds the code of pc for t, shared code first, or makes a translation. NULL: pc cannot be executed. Lock held; the result is
 * valid until it is given back.
 */
struct rt_entry *rt_cache_get(struct rt_thread *t, u64 pc);
/* The same, but makes nothing. *missing: the view in which it would be, if it will have it one day. */
struct rt_entry *rt_cache_peek(struct rt_thread *t, u64 pc, struct rt_view **missing);
/* Also under the lock: the entry if there is one. */
struct rt_entry *rt_cache_find(struct rt_cache *c, u64 key);
/* Those of hidden regions too. */
struct rt_entry *rt_cache_find_any(struct rt_cache *c, u64 key);
/* Copies as much of the guest's [from, to) as can be read. Returns where it ended. */
u64 rt_cache_snapshot(u8 *buf, u64 from, u64 to);
/* Where the first page of [from, to) begins that is not in memory, if to read it may wait for another thread; else to. */
u64 rt_cache_present(u64 from, u64 to);
/* A summary of n bytes. Not against an enemy: a guest can only fool itself. */
u64 rt_cache_sum(const u8 *p, u64 n);
int rt_cache_init(void);
/* Where to enter with guest flags in EFLAGS, as after a subtraction (lock held). */
u8 *rt_cache_flags_entry(struct rt_cache *c, struct rt_entry *e);
/* Links a site to an entry (lock held). */
void rt_cache_link(struct rt_cache *c, struct x64_site *site, struct rt_entry *e);
/* Undoes the links to a view (lock held). */
void rt_cache_unlink(struct rt_cache *c, struct rt_view *v);
/* One link; and a jump to a place, in one store. */
void rt_link_undo(struct rt_link *l);
void rt_link_make(u8 *disp, const u8 *target);
/* stale.c, lock held. A new region is found by the guest pages that it was made from. */
void rt_region_list(struct rt_cache *c, struct rt_region *r);
/* Is the guest code that a hidden region was made from still there? Then the region lives again; else it is dead. */
bool rt_region_unhide(struct rt_cache *c, struct rt_region *r);
/* codemem.c. Has everybody but self, who will sync next, left what was given up at the end of epoch? */
bool rt_cache_past_epoch(const struct rt_thread *self, u64 epoch);
/* Has the threads sync that have not seen the epoch, soon; but self. Where they are may be shared code, which is never taken back from
 * under them. Lock held. */
void rt_cache_hurry(struct rt_cache *c, const struct rt_thread *self);
/* A chunk with room for self to go on, as c->cur; may flush. 0 or -ENOMEM. */
int rt_cache_new_chunk(struct rt_cache *c, struct rt_thread *self);
/* t holds no host address but the one that it will be given now. Lock held. */
void rt_cache_sync(struct rt_cache *c, struct rt_thread *t);
/* Empties a thread's jump caches. */
void rt_forget_jumps(struct rt_thread *t);
void *rt_cache_meta(struct rt_cache *c, size_t n);
/* Memory of the runtime's own, whole pages. NULL: there is none. */
void *rt_core_map(size_t len, int prot);
void rt_core_unmap(void *p, size_t len);
/* stale.c, for codemem.c: nothing is to run in it any more; its tables are emptied separately. */
void rt_region_retire(struct rt_region *r);
void rt_cache_clear_tables(struct rt_cache *c);

/* The guest is about to limit its address space: takes the memory that look-ups may need later. */
void rt_cache_prepare_limit(void);
/* The region whose hot code holds this host address, stale ones included; NULL. In shared code: *tmp. No lock. */
struct rt_region *rt_cache_region_at(u64 host_pc, struct rt_region *tmp);
/* The map entry for an address in a region: the last one at or before it. */
const struct cg_map *rt_region_map(const struct rt_region *r, u64 host_pc);
/* The translation is not to be used again, whatever the guest code (of shared code: none of its object). Lock held. */
void rt_region_kill(struct rt_cache *c, struct rt_region *r);
/* From now on guest flags survive calls and returns: everything is made again. Lock held. */
void rt_cache_go_strict(struct rt_cache *c);

/* Guest address to continue at -> host address, raising a signal if it cannot be executed. Fills the jump cache. */
u64 rt_go(struct rt_thread *t, u64 pc);

/* MXCSR's cumulative flags as FPSR's. */
u64 rt_fpsr_of_mxcsr(u32 mxcsr);
/* Where a signal frame holds xmm16-31, from its start; 0: nowhere. */
u32 rt_xsave_hi16(void);

/* Evaluates the instruction at state.pc on t->state (vectors and flags included in the state). */
enum rt_eval_result { RT_EVAL_DONE, RT_EVAL_FAULT, RT_EVAL_ALIGN, RT_EVAL_OTHER };
enum rt_eval_result rt_eval_one(struct rt_thread *t, u64 addr_mask, u64 *fault_addr);

#endif
