/* SPDX-License-Identifier: MIT */
/*
 * How translated code on x86-64 uses the machine, and the thread block that %rbp points into. Read by the emitters (which
 * use the X64_* offsets, checked below) and by the runtime.
 *
 *   %rbp            thread block + X64_BIAS: guest registers are one-byte displacements away
 *   %rsp            the return stack: only return addresses of translated calls live there
 *   rax rcx rdx rbx temporaries, dead between blocks
 *   rdi rsi r8-r15  homes of the hottest guest registers, see x64_homes()
 *   xmm11-15        vector temporaries; the other xmm registers are homes of guest vector registers
 *   MXCSR           the guest's rounding mode, and its cumulative flags; invalid operation is unmasked
 *   DF clear; EFLAGS hold guest flags only inside a block
 *
 * At a block's start every guest register is at its home (memory-homed ones in the state), and the guest's flags are in
 * x64_host.hflags. The runtime is compiled without vector instructions, so vector registers live through calls into it.
 */
#ifndef HOST_X64_ABI_H
#define HOST_X64_ABI_H

#define X64_BIAS 128
#define X64_HOST_OFF 1024		/* of struct x64_host in the thread block */
#define X64_JCACHE_OFF 4096		/* of the jump cache in the thread block */
#define X64_JCACHE_ENTRIES 4096
/* A second one for computed jumps while EFLAGS hold guest flags: it can be searched without touching them. */
#define X64_JFLAGS_OFF (X64_JCACHE_OFF + X64_JCACHE_ENTRIES * 16)
#define X64_JFLAGS_ENTRIES 16384	/* index: bits 2..15 of the guest pc */
#define X64_THREAD_BLOCK_SIZE (X64_JFLAGS_OFF + X64_JFLAGS_ENTRIES * 16)

/* Offsets of members of struct x64_host from the start of the thread block. */
#define X64_C_RSP 1024
#define X64_G_RSP 1032
#define X64_HFLAGS 1040
#define X64_EXIT_SITE 1048
#define X64_FN 1056			/* table of entry points, 8 bytes each, by enum x64_fn */
#define X64_SCRATCH 1280		/* 8 vectors */
#define X64_SPILL 1408			/* 32 words */
#define X64_VSPILL 1664			/* 16 vectors */
#define X64_VIEWS 1936			/* table of views, 0: none */

/*
 * Shared code is found by a table of struct x64_view *: that of the view whose text holds pc is in one of the X64_VIEW_WAYS
 * slots from (pc >> X64_VIEW_SHIFT) % X64_VIEW_SLOTS on, or is left to the runtime.
 */
#define X64_VIEW_SHIFT 18
#define X64_VIEW_SLOTS 1024
#define X64_VIEW_WAYS 4

/*
 * Entry points that translated code reaches through the table at X64_FN. "call" ones find their return address on the
 * return stack and normally come back behind the call; all guest registers survive; rax rcx rdx rbx do not.
 */
#define X64_FN_LINK 0		/* jmp: rax = guest target, rcx = address of the site's struct x64_site (in the code) */
#define X64_FN_LOOKUP 1		/* jmp: rax = guest target; not in the jump cache */
#define X64_FN_SYSCALL 2	/* call: rax = guest pc of the next instruction; edx = immediate */
#define X64_FN_RTCALL 3		/* call: eax = enum ir_rt, rcx = a, rdx = b, rbx = guest pc of this instruction; result in rax */
#define X64_FN_TRAP 4		/* call: rax = guest pc of this instruction, ecx = enum ir_trap, edx = imm. Never comes back */
#define X64_FN_INTERP 5		/* jmp: rax = guest pc of this instruction: evaluate it, go on after it */
#define X64_FN_VOP 6		/* call: rax = address of struct ir_vop_args; operands in SCRATCH[1..3], result to SCRATCH[0] */
#define X64_FN_LOOKUP_FLAGS 7	/* jmp: as LOOKUP, from where guest flags have been saved */
#define X64_FN_LOOKUP_STRICT 8	/* call: as LOOKUP, from a call behind which guest flags are read: see X64_SITE_STRICT */
#define X64_FN_EXIT 9		/* jmp: rax = guest target: a direct exit that is not linked, guest flags saved if they are wanted */
#define X64_FN_COUNT 10

#ifndef __ASSEMBLER__
#include "base/types.h"

struct x64_host {
	u64 c_rsp;			/* the runtime's stack, when translated code runs */
	u64 g_rsp;			/* the return stack, when the runtime runs */
	u16 hflags;			/* guest flags: low byte OF (0 or 1), high byte as LAHF; CF holds NOT C */
	u16 pad0[3];
	u64 exit_site;			/* where the code goes on after a call into the runtime */
	u64 fn[(X64_SCRATCH - X64_FN) / 8];
	v128 scratch[8];
	u64 spill[32];
	v128 vspill[16];
	u64 rstack_lo, rstack_hi;	/* bounds of the return stack */
	u64 views;			/* struct x64_view *[X64_VIEW_SLOTS + X64_VIEW_WAYS - 1] */
	u64 pad1[5];
};

/* Guest code at [text, text + text_size) has its code in an object; index and hot as in dragoman/object.h, as host addresses. */
struct x64_view {
	u64 text, text_size, index, hot;
};

struct x64_jcache_entry {
	u64 pc;
	u64 host;
};

/* host: as for X64_JCACHE, but what the guest's flags are wanted by is entered behind a piece of code that saves them. */
struct x64_jflags_entry {
	u64 neg_pc;			/* 0 - pc: a sum of 0 can be tested without flags */
	u64 host;
};

#define X64_CHECK(member, off) \
	_Static_assert(offsetof(struct x64_host, member) + X64_HOST_OFF == (off), #member)
X64_CHECK(c_rsp, X64_C_RSP);
X64_CHECK(g_rsp, X64_G_RSP);
X64_CHECK(hflags, X64_HFLAGS);
X64_CHECK(exit_site, X64_EXIT_SITE);
X64_CHECK(fn, X64_FN);
X64_CHECK(scratch, X64_SCRATCH);
X64_CHECK(spill, X64_SPILL);
X64_CHECK(vspill, X64_VSPILL);
X64_CHECK(views, X64_VIEWS);
_Static_assert(sizeof(struct x64_host) + X64_HOST_OFF <= X64_JCACHE_OFF, "jump cache follows");

/* hflags <-> NZCV in bits 31..28. */
static inline u32 x64_flags_to_nzcv(u16 h)
{
	u32 ah = h >> 8;

	return (ah >> 7 & 1) << 31 | (ah >> 6 & 1) << 30 | (~ah & 1) << 29 | (h & 1u) << 28;
}

static inline u16 x64_flags_from_nzcv(u32 nzcv)
{
	return (u16)((nzcv >> 31 & 1) << 15 | (nzcv >> 30 & 1) << 14 | (~nzcv >> 29 & 1) << 8 | 1u << 9 | (nzcv >> 28 & 1));
}
#endif
#endif
