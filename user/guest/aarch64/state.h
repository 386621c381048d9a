/* SPDX-License-Identifier: MIT */
/*
 * The guest state of an aarch64 thread, as it lies in memory, and the IR slots that name its parts.
 * While translated code runs, the host may hold some slots in registers; at every exit to the runtime all are here.
 */
#ifndef GUEST_AARCH64_STATE_H
#define GUEST_AARCH64_STATE_H

#include "base/types.h"

struct a64_state {
	u64 x[32];			/* x0..x30, [31] = SP */
	v128 v[32];
	u64 pc;
	u32 nzcv;			/* bits 31..28, Arm's layout. The host keeps it elsewhere while it runs: see
					   host_flags_sync in host/host.h */
	u32 pad;
	u64 excl_addr;			/* exclusive monitor: address, ~0 when not armed */
	u64 excl_lo, excl_hi;		/* the value(s) that were loaded */
	u64 fpcr;			/* as the guest wrote it */
	u64 fpsr;			/* what the host's own flags (MXCSR) do not hold yet; cumulative bits and QC */
	u64 tpidr;			/* TPIDR_EL0 */
	u64 excl_size;			/* bytes; 0 when not armed */
	u64 spare[7];
};

/* IR slot numbers. */
enum {
	A64_SLOT_X0 = 0,		/* .. X30 */
	A64_SLOT_LR = 30,
	A64_SLOT_SP = 31,
	A64_SLOT_V0 = 32,		/* .. V31 */
	A64_SLOT_NZCV = 64,
	A64_SLOT_EXCL_ADDR,
	A64_SLOT_EXCL_LO,
	A64_SLOT_EXCL_HI,
	A64_SLOT_FPCR,
	A64_SLOT_FPSR,
	A64_SLOT_TPIDR,
	A64_SLOT_PC,
	A64_SLOT_EXCL_SIZE,
	A64_NSLOTS
};

#define A64_EXCL_NONE (~0ull)

/* FPCR and FPSR bits (Arm ARM, C5.2.7 and C5.2.8). */
#define A64_FPCR_AHP BIT(26)
#define A64_FPCR_DN BIT(25)
#define A64_FPCR_FZ BIT(24)
#define A64_FPCR_RMODE_SHIFT 22
#define A64_FPCR_FZ16 BIT(19)
#define A64_FPCR_MASK (A64_FPCR_AHP | A64_FPCR_DN | A64_FPCR_FZ | (3ull << 22) | A64_FPCR_FZ16)
#define A64_FPSR_QC BIT(27)
#define A64_FPSR_IDC BIT(7)
#define A64_FPSR_IXC BIT(4)
#define A64_FPSR_UFC BIT(3)
#define A64_FPSR_OFC BIT(2)
#define A64_FPSR_DZC BIT(1)
#define A64_FPSR_IOC BIT(0)
#define A64_FPSR_MASK 0x0800009full

_Static_assert(offsetof(struct a64_state, v) == 256, "host code addresses V registers by this");
_Static_assert(sizeof(struct a64_state) <= 1024, "host block follows at 1024");

#endif
