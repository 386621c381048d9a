/* SPDX-License-Identifier: MIT */
/*
 * The code object: the translation of one guest file for one set of host CPU features by one translator. What the worker
 * that writes it, the server that stores it and the runtime that maps it agree on. docs/object-format.md is its manual.
 *
 * The same bytes are the memory (a sealed memfd, sparse) and, with the unused parts left out as holes, the file on disk.
 *
 *   [header][index][regions][hot code][cold code ... constants][descriptions]
 *
 * Coordinates are guest file offsets: a guest mapping has file offset o at address bias + o, and the view, the mapping of
 * this object that serves it, is at bias + delta. So every distance between code and guest memory is a constant, and
 * nothing is relocated.
 */
#ifndef DRAGOMAN_OBJECT_H
#define DRAGOMAN_OBJECT_H

#include <linux/types.h>

#define DRAGOMAN_OBJECT_MAGIC 0x314a424f4e4d4744ull	/* "DGMNOBJ1" */
#define DRAGOMAN_OBJECT_VERSION 1
#define DRAGOMAN_OBJECT_HEADER 4096			/* bytes; the index follows */
#define DRAGOMAN_OBJECT_MAX_SIZE (1ull << 30)		/* bytes: distances have to fit into 32 bits */

struct dragoman_object {
	__u64 magic;
	__u32 version;
	__u32 machine;			/* ELF machine of the guest */
	__u64 size;			/* bytes of the whole object, a multiple of 64 KiB */
	__u8 digest[32];		/* SHA-256 of the guest file */
	__u8 translator[32];		/* translator id: SHA-256 over the sources that decide the output */
	__u64 features;			/* HOST_* that the code may use */
	__u64 file_size;		/* of the guest file */
	__s64 delta;			/* view address - bias; a multiple of 4096 */
	__u64 text_lo, text_hi;		/* file offsets of the executable segment, multiples of 4096 */
	/* Parts: offset from the object's start, and room in bytes. Multiples of 4096. */
	__u64 index, index_size;	/* a word for each 4 guest bytes of [text_lo, text_hi) */
	__u64 regions, regions_size;	/* struct dragoman_region, in order of hot code */
	__u64 hot, hot_size;
	__u64 cold, cold_size;		/* grows up; constants grow down from its end */
	__u64 meta, meta_size;		/* what regions' descriptions consist of */
	__u32 region_insns;		/* most guest instructions of a region */
	__u32 reserved0[13];		/* zero */

	/*
	 * From here on what changes while the worker writes. A reader takes nregions before it looks at a region, and an index
	 * word before it looks at what that leads to.
	 */
	__u32 publish;			/* incremented after each publication; futex word */
	__u32 nregions;
	__u32 hot_used, cold_used, pool_used, meta_used;	/* bytes of each part */
	__u32 ninsns;			/* guest instructions translated */
	__u32 complete;			/* 1: all code that was found has been translated */
	__u32 reserved1[8];		/* zero */
	__u8 checksum[32];		/* on disk: SHA-256 of all used parts and of the header with this zero; in memory zero */
};

/* An index word: 0 not translated; NEVER; else where the code starts, in bytes from the start of the hot code, and flags. */
#define DRAGOMAN_INDEX_NEVER 1u			/* cannot be translated here: do it privately */
#define DRAGOMAN_INDEX_OFFSET 0x3fffffffu	/* >= 64 */
#define DRAGOMAN_INDEX_FLAGS 0x40000000u	/* does something with the guest flags that it is entered with */
#define DRAGOMAN_INDEX_READ 0x80000000u		/* reads the guest flags before writing them */

/*
 * Each region begins, in each part, where the one before it ended: hot and cold code 16-aligned, descriptions 8-aligned;
 * the first at DRAGOMAN_OBJECT_FIRST in the hot code and at 0 elsewhere. Between them is INT3 (code) or zero.
 */
#define DRAGOMAN_OBJECT_FIRST 64u
struct dragoman_region {
	__u32 hot, hot_len;		/* its hot code: bytes from the start of that part */
	__u32 cold, cold_len;		/* its cold code, likewise */
	__u32 pool, pool_len;		/* its constants begin pool bytes before the end of the cold part */
	__u32 pc;			/* where it was begun: bytes from text_lo */
	__u32 lo, hi;			/* guest bytes that it was made from: [lo, hi) from text_lo */
	__u32 meta;			/* bytes from the start of that part, 8-aligned: see below */
	__u16 nentry, nmap, nretsite, nsite, nstop;
	__u16 ninsns;			/* guest instructions */
	__u32 reserved;			/* zero */
};

/* The arrays at dragoman_region.meta, one behind the other: entries; */
struct dragoman_entry {
	__u32 pc;			/* bytes from text_lo */
	__u32 off;			/* bytes from the region's hot code */
	__u32 flags;			/* CG_FLAGS_* of codegen/host.h */
};
/*
 * then nmap struct cg_map (4 bytes, codegen/host.h), nretsite __u32 (return sites: bytes from the region's hot code), nstop __u32 (places
 * where the region ends because they were translated already: bytes from text_lo), then nsite of
 */
struct dragoman_site {
	__u32 site;			/* struct x64_site: bytes from the start of the cold code */
	__u32 target;			/* guest address it leads to: bytes from text_lo; ~0: outside */
};

_Static_assert(sizeof(struct dragoman_object) == 360, "object header");
_Static_assert(sizeof(struct dragoman_region) == 56, "region record");
#endif
