/* SPDX-License-Identifier: MIT */
/*
 * Finds the code of a region: which instructions, cut into which blocks.
 */
#ifndef TRANSLATE_REGION_H
#define TRANSLATE_REGION_H

#include "translate/translate.h"

#define REGION_WINDOW 2048		/* instructions from the region's start that may belong to it */
#define REGION_PENDING 64

struct region {
	u64 base;			/* guest address of bit 0 */
	u64 insn[REGION_WINDOW / 64];	/* belongs to the region */
	u64 leader[REGION_WINDOW / 64];	/* a block starts here */
	unsigned ninsns;
	u64 hi;				/* end of the last instruction */
};

/* 0, or -EFAULT when the first instruction cannot be fetched. */
int region_find(struct region *g, const struct translate_req *req);
/* Does the code at pc write the flags before reading them? ctx: struct translate_req. */
bool region_flags_dead(void *ctx, u64 pc);

static inline bool region_has(const u64 *set, u64 n)
{
	return n < REGION_WINDOW && (set[n / 64] >> (n % 64) & 1);
}

#endif
