/* SPDX-License-Identifier: MIT */
/*
 * The frame that the kernel for x86-64 gives to a signal handler (arch/x86 uapi sigcontext.h and ucontext.h), for the
 * freestanding runtime: <asm/ucontext.h> cannot be had without <signal.h>'s names.
 */
#ifndef RUNTIME_UCONTEXT_H
#define RUNTIME_UCONTEXT_H

#include "base/types.h"

struct rt_fpstate {			/* FXSAVE layout; the XSAVE header follows when magic1 is there */
	u16 cwd, swd, twd, fop;
	u64 rip, rdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	v128 xmm[16];
	u8 reserved[48];
	u32 magic1, extended_size;	/* magic1 == 0x46505853: an extended area follows */
	u64 xfeatures;
	u32 xstate_size, pad[7];
};
_Static_assert(sizeof(struct rt_fpstate) == 512, "FXSAVE");
#define RT_FP_XSTATE_MAGIC1 0x46505853u

struct rt_mcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	struct rt_fpstate *fpstate;
	u64 reserved[8];
};

struct rt_ucontext {
	u64 flags;
	struct rt_ucontext *link;
	struct { u64 sp; s32 flags; u32 pad; u64 size; } stack;
	struct rt_mcontext mc;
	u64 sigmask;
};
_Static_assert(offsetof(struct rt_ucontext, mc) == 40, "arch/x86 ucontext.h");
_Static_assert(offsetof(struct rt_ucontext, sigmask) == 296, "arch/x86 ucontext.h");

#define RT_EFLAGS_TF 0x100ull

#endif
