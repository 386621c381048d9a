/* SPDX-License-Identifier: MIT */
/*
 * Guest memory: what the guest's mmap family does, where guest code may run, what belongs to the runtime and must stay.
 * Guest addresses are host addresses. In: guest arguments as they stand in the registers. Out: the kernel's value, or
 * -errno.
 */
#ifndef RUNTIME_MM_H
#define RUNTIME_MM_H

#include "base/types.h"

/* The guest may use [0, RT_GUEST_END): what x86-64 gives without five-level paging. */
#define RT_GUEST_END 0x7ffffffff000ull

/* Once, before anything is mapped. Cannot fail: the tables are in .bss to begin with. Reserves the runtime's own image. */
void rt_mm_init(void);

/* System calls. */
s64 rt_mm_mmap(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset);
s64 rt_mm_munmap(u64 addr, u64 len);
s64 rt_mm_mprotect(u64 addr, u64 len, u64 prot);
s64 rt_mm_pkey_mprotect(u64 addr, u64 len, u64 prot, s64 pkey);
s64 rt_mm_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr);
s64 rt_mm_remap_file_pages(u64 addr, u64 size, u64 prot, u64 pgoff, u64 flags);
s64 rt_mm_brk(u64 addr);
s64 rt_mm_madvise(u64 addr, u64 len, u64 advice);
s64 rt_mm_shmat(s64 id, u64 addr, u64 flags);
s64 rt_mm_shmdt(u64 addr);

/* The guest invalidated the instruction cache for [start, end): here, and where else that memory is mapped. */
void rt_mm_code_changed(u64 start, u64 end);

/*
 * The runtime's own mappings: [start, end) is out of the guest's reach (munmap, mprotect, MAP_FIXED, ... give ENOMEM or
 * EINVAL) and hidden in /proc/self/maps. Whoever maps calls this. 0 or -ENOMEM.
 */
int rt_mm_reserve(u64 start, u64 end);
void rt_mm_unreserve(u64 start, u64 end);
bool rt_mm_is_reserved(u64 start, u64 end);	/* does any byte of it belong to the runtime? */
/* The part of [start, end) that is the guest's and comes first: *from, *to. false: there is none. For /proc/self/maps. */
bool rt_mm_guest_part(u64 start, u64 end, u64 *from, u64 *to);

/* The loader mapped or changed guest memory itself. */
void rt_mm_exec_add(u64 start, u64 end);
void rt_mm_exec_remove(u64 start, u64 end);
/* The break begins here. native: the kernel knows too (PR_SET_MM_MAP), so its brk(2) is the guest's. */
void rt_mm_set_brk(u64 start, bool native);

/* Held across fork(2), so that the child finds the tables whole. */
void rt_mm_lock(void);
void rt_mm_unlock(void);

#endif
