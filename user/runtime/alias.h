/* SPDX-License-Identifier: MIT */
/*
 * Memory that is mapped more than once. In: shared mappings as they come and go. Out: where else an address is mapped.
 * For compilers that write code at one address and run it at another. mm.c calls this under its lock.
 */
#ifndef RUNTIME_ALIAS_H
#define RUNTIME_ALIAS_H

#include "base/types.h"

/* [start, end) is now a shared mapping of fd from offset on; of new anonymous memory if fd < 0. */
void rt_alias_add(u64 start, u64 end, s64 fd, u64 offset);
/* ... of a System V segment. */
void rt_alias_add_shm(u64 start, u64 end, s64 id);
/* [start, end) is unmapped, or something else is there. */
void rt_alias_remove(u64 start, u64 end);
/* The mapping that ends at old_end was made longer. */
void rt_alias_grow(u64 old_end, u64 end);
/* What was at [start, start + len) is at `to` now, too. */
void rt_alias_copy(u64 start, u64 len, u64 to);
/* Are there any? Needs no lock. */
bool rt_alias_any(void);
/* Forgets translations made from other mappings of [start, end). */
void rt_alias_invalidate(u64 start, u64 end);

#endif
