/* SPDX-License-Identifier: MIT */
/*
 * Views: code objects that are mapped into this address space, one for each guest mapping of an executable segment that has
 * one (include/dragoman/object.h). In: objects that the client has got. Out: where to go on for a guest pc (here and, in
 * assembly, host/x64/glue.c), and what a host pc in a view stands for.
 *
 * The list is written under rt.cache->lock and read without. A thread may use what it found until it syncs with the cache's
 * epoch (codemem.c): a view that is dropped stays mapped, but is not executable (retire.c), until all have.
 */
#ifndef RUNTIME_VIEW_H
#define RUNTIME_VIEW_H

#include "dragoman/object.h"
#include "host/x64/glue.h"
#include "runtime/rt.h"

struct rt_cache;
struct rt_entry;
struct rt_link;

struct rt_view {
	struct x64_view x;		/* what the glue reads; text_size 0: not to be found by pc */
	u64 start, end;			/* the mapping; end 0: this one is free */
	const struct dragoman_object *head;	/* at start */
	u64 code_lo, code_hi;		/* hot and cold part */
	u32 object, generation;		/* as the server calls it */
	u64 retired;			/* the epoch at whose end it was dropped, 0: in use */
	struct rt_link *incoming;	/* from private code */
};

#define RT_MAX_VIEWS 256

/* Will rt_view_add take anything? Not when the process is traced, strict, or debugged by regions. */
bool rt_views_wanted(void);
/*
 * Maps the object that is open as fd, from offset, at bias + h->delta and uses it for the guest code at [bias + text_lo, bias + text_hi), which
 * is mapped executable. h: the header, copied and checked. replace: the caller has reserved that place (rt_mm_reserve), and
 * mapped it; it is the view's from now on if the result is 0. Else nothing may be mapped there (-EEXIST). fd is not
 * needed afterwards. 0 or -errno: -ENOSPC too many views; -EINVAL not for this machine or translator options.
 */
int rt_view_add(int fd, u64 offset, const struct dragoman_object *h, u64 bias, u32 object, u32 generation, bool replace);
/* The guest mapping in [start, end) changed: views of text in it are dropped, and views that lie
 * there themselves. */
void rt_view_drop(u64 start, u64 end);
/*
 * IC IVAU at pc, by a thread that goes on where it is: the guest may have written to the file. (To its own copy of it, it could
 * write only after mprotect, which drops the view.)
 */
void rt_view_changed(u64 pc);
/* All of them. */
void rt_view_drop_all(void);
/* For good: from now on none is wanted. */
void rt_view_stop(void);
/*
 * The guest wants [start, end), where a view was until it was dropped, and other threads may still be inside: hurries them and
 * waits a little, round for round (from 0). False: no such view is there any more, or it is enough.
 */
bool rt_view_evict(u64 start, u64 end, unsigned round);

/* ---- for the core; lock: rt.cache->lock is held ---- */
/* The view whose text holds pc, NULL: none. No lock. */
struct rt_view *rt_view_at(u64 pc);
/* Fills *e with where t is to go on for pc in shared code. False: not there (*v: the view, if pc is in one and not translated yet). */
bool rt_view_entry(const struct rt_thread *t, u64 pc, struct rt_entry *e, struct rt_view **v);
/* Is this host address in code of a view? No lock. */
bool rt_view_in_code(u64 host);
/* Whose mapping holds this host address, retired ones included; NULL. No lock. */
const struct rt_view *rt_view_of_host(u64 host);
struct rt_region;
/* The region whose hot code holds this host address, as if it were a private one, in *r. False: none. No lock. */
bool rt_view_region(u64 host, struct rt_region *r);
void rt_view_drop_all_locked(struct rt_cache *c);
void rt_view_drop_locked(struct rt_cache *c, const struct rt_view *v);
/* retire.c. Nobody is to come past an instruction boundary in v, which is retired. */
void rt_view_close(const struct rt_view *v);
/* This thread cannot execute addr, in a view that was closed, but has to, to come to the next boundary. False: it is in none. */
bool rt_view_finish(u64 addr);
/* All private code is gone, and with it the links from there (lock). */
void rt_view_forget_links(void);
/* For x64_host.views of a thread: NULL for modes in which shared code is of no use. */
const void *rt_view_table(const struct rt_thread *t);

#endif
