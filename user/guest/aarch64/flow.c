// SPDX-License-Identifier: MIT
/*
 * Control flow and use of NZCV of one instruction, straight from the word: much cheaper than decoding. In: pc and word; out:
 * kind, target, flags. Words that do not exist may look like their neighbours: the lifter says at last that they trap.
 * The groups are those of the Arm ARM, C4.1.
 */
#include "guest/aarch64/cpuid.h"
#include "guest/aarch64/flow.h"

#define IS(word, mask, value) (((word) & (mask)) == (value))

static struct guest_flow make(enum guest_flow_kind kind, enum guest_flags_use flags, u64 target)
{
	return (struct guest_flow){ .kind = kind, .flags = flags, .len = 4, .target = target };
}

/* Byte offset in the word's n bits from lo up. */
static u64 offset(u32 w, unsigned lo, unsigned n)
{
	return (u64)(sext64(w >> lo, n) * 4);
}

static struct guest_flow register_branch(u32 w)
{
	switch (w & 0xfffffc1f) {
	case 0xd61f0000:
		return make(GUEST_FLOW_INDIRECT, GUEST_FLAGS_NONE, 0);
	case 0xd63f0000:
		return make(GUEST_FLOW_ICALL, GUEST_FLAGS_NONE, 0);
	case 0xd65f0000:
		return make(GUEST_FLOW_RETURN, GUEST_FLAGS_NONE, 0);
	}
	return make(GUEST_FLOW_STOP, GUEST_FLAGS_NONE, 0);
}

/* Hints, barriers, system registers. What has the next instruction looked up again counts as an indirect branch. */
static struct guest_flow system(u32 w)
{
	enum guest_flags_use flags = GUEST_FLAGS_NONE;
	u32 reg = w >> 5 & 0xffff;

	if (IS(w, 0xfffff0ff, 0xd50330df))		/* ISB */
		return make(GUEST_FLOW_INDIRECT, GUEST_FLAGS_NONE, 0);
	if (IS(w, 0xfff00000, 0xd5100000)) {		/* MSR */
		if (reg == A64_FPCR)
			return make(GUEST_FLOW_INDIRECT, GUEST_FLAGS_NONE, 0);
		if (reg == A64_NZCV)
			flags = GUEST_FLAGS_WRITE;
	} else if (IS(w, 0xfff00000, 0xd5300000)) {	/* MRS */
		if (reg == A64_NZCV)
			flags = GUEST_FLAGS_READ;
	} else if (IS(w, 0xfffff0ff, 0xd500401f)) {	/* CFINV */
		flags = GUEST_FLAGS_READ;
	}
	return make(GUEST_FLOW_NEXT, flags, 0);
}

static struct guest_flow branch(u64 pc, u32 w)
{
	switch (w >> 26) {
	case 0x05:					/* B */
		return make(GUEST_FLOW_JUMP, GUEST_FLAGS_NONE, pc + offset(w, 0, 26));
	case 0x25:					/* BL */
		return make(GUEST_FLOW_CALL, GUEST_FLAGS_NONE, pc + offset(w, 0, 26));
	case 0x0d:					/* CBZ, CBNZ, TBZ, TBNZ */
	case 0x2d:
		return make(GUEST_FLOW_COND, GUEST_FLAGS_NONE,
			    pc + (w & BIT(25) ? offset(w, 5, 14) : offset(w, 5, 19)));
	case 0x15:					/* B.cond; 14 and 15 always hold */
		if (!IS(w, 0xff000010, 0x54000000))
			break;
		if (IS(w, 14, 14))
			return make(GUEST_FLOW_JUMP, GUEST_FLAGS_NONE, pc + offset(w, 5, 19));
		return make(GUEST_FLOW_COND, GUEST_FLAGS_READ, pc + offset(w, 5, 19));
	case 0x35:
		if (IS(w, 0xffe0001f, 0xd4000001))
			return make(GUEST_FLOW_SYSCALL, GUEST_FLAGS_NONE, 0);
		if (IS(w, 0xff000000, 0xd5000000))
			return system(w);
		if (IS(w, 0xfe000000, 0xd6000000))
			return register_branch(w);
		break;
	}
	return make(GUEST_FLOW_STOP, GUEST_FLAGS_NONE, 0);
}

/* Data processing, immediate. */
static enum guest_flags_use flags_imm(u32 w)
{
	if (IS(w, 0x3f800000, 0x31000000) ||		/* ADDS, SUBS */
	    IS(w, 0x7f800000, 0x72000000))		/* ANDS */
		return GUEST_FLAGS_WRITE;
	return GUEST_FLAGS_NONE;
}

/* Data processing, register. */
static enum guest_flags_use flags_reg(u32 w)
{
	if (IS(w, 0x3f000000, 0x2b000000) ||		/* ADDS, SUBS, shifted and extended */
	    IS(w, 0x7f000000, 0x6a000000))		/* ANDS, BICS */
		return GUEST_FLAGS_WRITE;
	if (IS(w, 0x1fe00000, 0x1a000000) ||		/* ADC, SBC; RMIF, SETF keep some flags */
	    IS(w, 0x1fe00000, 0x1a400000) ||		/* CCMP, CCMN */
	    IS(w, 0x1fe00000, 0x1a800000))		/* CSEL ... */
		return GUEST_FLAGS_READ;
	return GUEST_FLAGS_NONE;
}

/* Floating point. */
static enum guest_flags_use flags_fp(u32 w)
{
	if (!IS(w, 0xff200000, 0x1e200000))
		return GUEST_FLAGS_NONE;
	if (IS(w, 0xfc00, 0x2000) ||			/* FCMP */
	    IS(w, 0xfffffc00, 0x1e7e0000))		/* FJCVTZS */
		return GUEST_FLAGS_WRITE;
	if (w & BIT(10))				/* FCCMP, FCSEL */
		return GUEST_FLAGS_READ;
	return GUEST_FLAGS_NONE;
}

struct guest_flow a64_flow(u64 pc, const void *p)
{
	u32 w;

	__builtin_memcpy(&w, p, sizeof(w));
	switch (w >> 25 & 15) {
	case 8:
	case 9:
		return make(GUEST_FLOW_NEXT, flags_imm(w), 0);
	case 10:
	case 11:
		return branch(pc, w);
	case 5:
	case 13:
		return make(GUEST_FLOW_NEXT, flags_reg(w), 0);
	case 7:
	case 15:
		return make(GUEST_FLOW_NEXT, flags_fp(w), 0);
	case 4:						/* loads and stores */
	case 6:
	case 12:
	case 14:
		return make(GUEST_FLOW_NEXT, GUEST_FLAGS_NONE, 0);
	}
	return make(GUEST_FLOW_STOP, GUEST_FLAGS_NONE, 0);	/* reserved, SME, SVE */
}
