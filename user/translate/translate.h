/* SPDX-License-Identifier: MIT */
/*
 * translate(): a pure function from guest bytes to host code. The only place that names every stage.
 */
#ifndef TRANSLATE_TRANSLATE_H
#define TRANSLATE_TRANSLATE_H

#include "codegen/host.h"
#include "guest/guest.h"

struct translate_req {
	const struct guest *guest;
	u64 pc;				/* where to start */
	/* Guest bytes at pc: pointer and how many may be read there (0: none). Called for each block's start. */
	const void *(*fetch)(void *ctx, u64 pc, size_t *avail);
	/* Is there a translation of pc already? Then the region stops there. May be NULL. */
	bool (*known)(void *ctx, u64 pc);
	bool interp;			/* do not translate, have the runtime evaluate: for what is more than one region can hold */
	/* Does its floating point trap so often that the evaluator is to do it? May be NULL. */
	bool (*slow_fp)(void *ctx, u64 pc);
	void *ctx;
	unsigned max_insns;		/* of the region */
	struct cg_options opt;
};

struct translate_out {
	struct cg_out cg;
	u64 pc_lo, pc_hi;		/* guest bytes that the region was made from lie in [pc_lo, pc_hi) */
	unsigned ninsns;
};

/* Bytes of scratch memory that one translation needs (zeroed once, before the first use). */
size_t translate_scratch_size(void);

/* 0 or -ENOSPC (out's arrays; nothing is usable), -EFAULT (no byte at pc can be read). */
int translate(const struct translate_req *req, struct translate_out *out, void *scratch);

#endif
