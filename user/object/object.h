/* SPDX-License-Identifier: MIT */
/*
 * Code objects: laid out for a guest file, written by its one worker, checked and read by everybody else. Format:
 * include/dragoman/object.h. layout.c, write.c and read.c are freestanding; store.c (files) is the server's and needs libc.
 */
#ifndef OBJECT_OBJECT_H
#define OBJECT_OBJECT_H

#include "base/types.h"
#include "codegen/host.h"
#include "dragoman/object.h"
#include "guest/guest.h"

/* --- layout.c */

/* Guest instructions of a region, at most. Larger than what the runtime makes while a thread waits: see docs/object-format.md. */
#define OBJ_REGION_INSNS 256
#define OBJ_MAX_REGION_INSNS 512

/* Room that a region may need. */
#define OBJ_MAX_HOT 65536u
#define OBJ_MAX_COLD 65536u
#define OBJ_MAX_META 32768u

/* What decides a layout beside the file. */
struct obj_key {
	u8 digest[32], translator[32];
	u64 features;
};
/*
 * Fills the header for the guest ELF file at file. 0; -ENOEXEC: not an ELF file of that guest, or damaged, or without an
 * executable segment that is mapped from the file; -E2BIG: would be larger than DRAGOMAN_OBJECT_MAX_SIZE.
 */
int obj_layout(struct dragoman_object *h, const struct guest *guest, const void *file, u64 size, const struct obj_key *key);

/* --- starts.c */

/*
 * Calls fn for each place (bytes from text_lo) where the ELF file says that a function begins; some come more than once.
 * For translation ahead of time.
 */
void obj_starts(const struct dragoman_object *h, const void *file, u64 size, void (*fn)(void *ctx, u32 pc), void *ctx);

/* --- read.c: trusts nothing */

/* Is the header whole, and does everything that it says lie inside size bytes? 0 or -EINVAL; *why: what is wrong (English, no newline). */
int obj_check_header(const struct dragoman_object *h, u64 size, const char **why);
/* All of a quiet object: regions in order, each array inside its part, index words that lead to entries, reserved members zero. */
int obj_check(const void *object, u64 size, const char **why);
/* The region whose hot code holds this offset of the hot part, or NULL. n: number of regions as read with acquire. */
const struct dragoman_region *obj_region_at(const struct dragoman_object *h, u32 hot_off);

static inline u32 *obj_index(const struct dragoman_object *h, u32 pc)
{
	return (u32 *)((u8 *)h + h->index) + pc / 4;
}
static inline struct dragoman_region *obj_regions(const struct dragoman_object *h)
{
	return (struct dragoman_region *)((u8 *)h + h->regions);
}
static inline struct dragoman_entry *obj_entries(const struct dragoman_object *h, const struct dragoman_region *r)
{
	return (struct dragoman_entry *)((u8 *)h + h->meta + r->meta);
}
static inline struct cg_map *obj_maps(const struct dragoman_object *h, const struct dragoman_region *r)
{
	return (struct cg_map *)(obj_entries(h, r) + r->nentry);
}
static inline u32 *obj_retsites(const struct dragoman_object *h, const struct dragoman_region *r)
{
	return (u32 *)(obj_maps(h, r) + r->nmap);
}
static inline u32 *obj_stops(const struct dragoman_object *h, const struct dragoman_region *r)
{
	return obj_retsites(h, r) + r->nretsite;
}
static inline struct dragoman_site *obj_sites(const struct dragoman_object *h, const struct dragoman_region *r)
{
	return (struct dragoman_site *)(obj_stops(h, r) + r->nstop);
}
/* Bytes of a region's arrays. */
static inline u64 obj_meta_size(const struct dragoman_region *r)
{
	return r->nentry * sizeof(struct dragoman_entry) + r->nmap * sizeof(struct cg_map) +
	       (r->nretsite + (u64)r->nstop) * 4 + r->nsite * sizeof(struct dragoman_site);
}

/* --- write.c */

/*
 * One worker's access to its object: map is the object, shared and writable, with a header from obj_layout and zeros behind
 * it, or as an earlier worker left it (which may have been killed at any instruction: what was not published is overwritten).
 */
struct obj_writer;
size_t obj_writer_size(const struct dragoman_object *h);	/* bytes of memory that obj_writer_open wants, zeroed, 64-aligned */
struct obj_writer *obj_writer_open(void *memory, void *map, const struct guest *guest, const u8 *file, u64 file_size);
/*
 * Translates the region that begins at pc (bytes from text_lo) and publishes it; nothing if pc is published. 0; -ENOSPC: the
 * object is full; -EINVAL: pc is not in the text or not aligned. What cannot be translated is published as NEVER: 0 too.
 */
int obj_writer_translate(struct obj_writer *w, u32 pc);
/*
 * Next place that code translated so far leads to and that is not translated (direct branches, calls, what follows a
 * call), in the order found; false: none left.
 */
bool obj_writer_next(struct obj_writer *w, u32 *pc);
/* --- verify.c */

/*
 * Translates region r of object h again, and compares all that belongs to it, but for links, which may be made or not.
 * 0 equal; -EBADMSG different. For DRAGOMAN_VERIFY and `dragoman cache verify`. memory: obj_verify_size bytes, zeroed
 * before the first use, 4096-aligned. That is more than the object's size, because distances have to be the same; but little of
 * it is touched: map it with MAP_NORESERVE.
 */
size_t obj_verify_size(const struct dragoman_object *h);
int obj_verify_region(void *memory, const struct dragoman_object *h, const struct guest *guest, const u8 *file, u64 file_size,
		      const struct dragoman_region *r);

/* --- store.c: libc */

/* Writes the object's used parts to fd (a new file), sparse, with the checksum. 0 or -errno. */
int obj_save(const void *object, int fd);
/* Reads such a file into map (size bytes of zeroed shared memory, size from obj_load_header), checks it. 0 or -errno; *why. */
int obj_load_header(int fd, struct dragoman_object *h, const char **why);
int obj_load(int fd, void *map, u64 size, const char **why);
/* SHA-256 of what obj_save would write. */
void obj_checksum(const void *object, u8 sum[32]);
#endif
