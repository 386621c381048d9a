/* SPDX-License-Identifier: MIT */
/*
 * The stretches of code between translated code and the runtime. They are made at start-up, because which guest register
 * lives where is decided by tables, not by hand.
 */
#ifndef HOST_X64_GLUE_H
#define HOST_X64_GLUE_H

#include "guest/guest.h"
#include "host/x64/abi.h"

/* The runtime's functions that the glue calls. t is the thread block. Each u64 result is a host address to go on at. */
struct x64_glue_calls {
	u64 (*link)(void *t, u64 target, u64 site);
	u64 (*lookup)(void *t, u64 target);	/* guest flags may be lost: a call or return */
	u64 (*lookup_flags)(void *t, u64 target);
	u64 (*lookup_strict)(void *t, u64 target);
	u64 (*exit)(void *t, u64 target);	/* of shared code, or of code that cannot be linked with it */
	u64 (*syscall)(void *t, u64 next);	/* 0: behind the call */
	u64 (*rtcall)(void *t, u64 which, u64 a, u64 b, u64 pc);	/* the result for the guest */
	u64 (*trap)(void *t, u64 pc, u64 kind, u64 imm);
	u64 (*interp)(void *t, u64 pc);
	void (*vop)(void *t, const void *args);
	u64 (*pending)(void *t);		/* signals wait: deliver; state.pc is where the guest is */
	u64 (*reenter)(void *t);		/* state is complete, vectors included: load them, look state.pc up */
	u32 pending_off, stepping_off;		/* of the u32s in the thread block */
};

#define X64_ENTERING 4

struct x64_glue {
	u64 fn[X64_FN_COUNT];		/* for the table in the host block */
	u64 reenter;			/* jump here with rbp set, from anywhere */
	u64 underflow;			/* what lies at the bottom of a return stack */
	u64 entering[X64_ENTERING][2];	/* [lo, hi): on the way into translated code, past the check for signals */
	void (*vecs_save)(void *t);	/* guest vectors: host registers -> state */
	void (*vecs_load)(void *t);	/* and back */
	u64 end;			/* of the glue code */
};

/* Writes the glue at `code` (room for 4096 bytes). */
void x64_glue_make(struct x64_glue *g, u8 *code, const struct guest *guest, u64 features, const struct x64_glue_calls *calls);

#endif
