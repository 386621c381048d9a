/* SPDX-License-Identifier: MIT */
/*
 * Where code objects' views go. A view serves a mapping of a guest file only from one distance (object.h): so its place is
 * kept free when the guest file is mapped. In: what the guest or the loader maps; out: mappings, and views beside them.
 */
#ifndef RUNTIME_PLACE_H
#define RUNTIME_PLACE_H

#include "runtime/client.h"

/*
 * The file of the descriptor was mapped with its offset 0 at bias, its text as a whole. Maps its view if that may be. The end of
 * the view; 0: there is none.
 */
u64 rt_place_view(const struct rt_offered *o, int fd, u64 bias);

/* ---- for mm.c, under its lock */

/* May a view belong to this mapping? */
bool rt_place_wanted(u64 prot, u64 flags, s64 fd);
/* mmap(2) of the kind wanted, with a view if there is one. len: multiple of the page size. The address or -errno. */
s64 rt_place_mmap(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset);
/* Is this mmap one by which a dynamic linker reserves the place of a library? */
bool rt_place_is_reservation(u64 addr, u64 len, u64 prot, u64 flags);
/* Does it so that a view fits below. The address or -errno. */
s64 rt_place_reserve(u64 len);
/*
 * The same where the place is reserved by mapping all of the file, readable, and text is mapped over it later (a separate segment
 * for the headers). 0: it is not such a mapping.
 */
s64 rt_place_map_headers(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset);

/* The guest is to be limited to so many bytes of address space (RLIMIT_AS). */
void rt_place_limit(u64 bytes);

#endif
