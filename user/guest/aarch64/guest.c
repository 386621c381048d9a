// SPDX-License-Identifier: MIT
/*
 * The aarch64 guest: its state as slots, and the dispatch from decoded instructions to lifters. In: instruction words; out:
 * IR. Everything here runs once per translated instruction.
 */
#include <linux/elf.h>

#include "guest/aarch64/disasm.h"
#include "guest/aarch64/flow.h"
#include "guest/aarch64/lift.h"

#define INT(m, heat, name) { offsetof(struct a64_state, m), GUEST_SLOT_INT, heat, name }
#define VEC(n, heat) [A64_SLOT_V0 + n] = { offsetof(struct a64_state, v[n]), GUEST_SLOT_VEC, heat, "v" #n }
#define X(n, heat) [A64_SLOT_X0 + n] = INT(x[n], heat, "x" #n)

/*
 * Heat: the order comes from counting register operands in Debian's arm64 libc, libm, libgmp, libzstd and libpcre2, with more
 * weight on what loops use (x0-x5, x8; v16-v19) than on what prologues save (x29, x30).
 */
static const struct guest_slot slots[A64_NSLOTS] = {
	X(0, 255), X(1, 240), X(2, 220), X(3, 200), X(4, 160), X(5, 125), X(6, 95), X(7, 78),
	X(8, 90), X(9, 55), X(10, 48), X(11, 44), X(12, 40), X(13, 36), X(14, 34), X(15, 30),
	X(16, 46), X(17, 32), X(18, 5), X(19, 185), X(20, 165), X(21, 130), X(22, 100), X(23, 85),
	X(24, 80), X(25, 70), X(26, 65), X(27, 60), X(28, 50), X(29, 105), X(30, 120),
	[A64_SLOT_SP] = INT(x[31], 215, "sp"),
	VEC(0, 255), VEC(1, 230), VEC(2, 200), VEC(3, 180), VEC(4, 160), VEC(5, 150), VEC(6, 140), VEC(7, 130),
	VEC(8, 118), VEC(9, 112), VEC(10, 70), VEC(11, 65), VEC(12, 60), VEC(13, 55), VEC(14, 50), VEC(15, 45),
	VEC(16, 120), VEC(17, 115), VEC(18, 110), VEC(19, 105), VEC(20, 100), VEC(21, 98), VEC(22, 96), VEC(23, 94),
	VEC(24, 92), VEC(25, 90), VEC(26, 88), VEC(27, 86), VEC(28, 84), VEC(29, 82), VEC(30, 80), VEC(31, 78),
	[A64_SLOT_NZCV] = { offsetof(struct a64_state, nzcv), GUEST_SLOT_FLAGS, 255, "nzcv" },
	[A64_SLOT_EXCL_ADDR] = INT(excl_addr, 2, "excl_addr"),
	[A64_SLOT_EXCL_LO] = INT(excl_lo, 2, "excl_lo"),
	[A64_SLOT_EXCL_HI] = INT(excl_hi, 1, "excl_hi"),
	[A64_SLOT_FPCR] = INT(fpcr, 1, "fpcr"),
	[A64_SLOT_FPSR] = INT(fpsr, 1, "fpsr"),
	[A64_SLOT_TPIDR] = INT(tpidr, 4, "tpidr"),
	[A64_SLOT_PC] = INT(pc, 0, "pc"),
	[A64_SLOT_EXCL_SIZE] = INT(excl_size, 2, "excl_size"),
};

/* A switch rather than a table of pointers: no relocations at start, and calls that the compiler may inline. */
static enum guest_lift dispatch(struct a64_lift *l, const struct a64_insn *i)
{
	switch (i->op) {
#define LIFT(op, fn)			\
	case op:			\
		return fn(l, i);
#include "guest/aarch64/lift_base.def"
#include "guest/aarch64/lift_simd.def"
#undef LIFT
	}
	return a64_lift_undef(l, i);
}

static enum guest_lift lift(struct ir_region *r, u64 pc, const void *p, unsigned *len)
{
	struct a64_lift l = { r, pc };
	struct a64_insn i;
	u32 word;

	__builtin_memcpy(&word, p, sizeof(word));
	*len = sizeof(word);
	ir_op3(r, IR_INSN, IR_VOID, IR_NONE, IR_NONE, IR_NONE, sizeof(word), (s64)pc);
	if (unlikely(pc & 3)) {
		ir_cc(r, IR_TRAP, IR_VOID, (enum ir_cc)IR_TRAP_ALIGN, IR_NONE, IR_NONE, IR_NONE, 0);
		return GUEST_END;
	}
	a64_decode(word, &i);
	return dispatch(&l, &i);
}

static size_t disasm(u64 pc, const void *p, char *buf, size_t len)
{
	u32 word;

	__builtin_memcpy(&word, p, sizeof(word));
	return a64_disasm(word, pc, buf, len);
}

const struct guest a64_guest = {
	.name = "aarch64",
	.elf_machine = EM_AARCH64,
	.elf_class = ELFCLASS64,
	.elf_data = ELFDATA2LSB,
	.insn_align = 4,
	.insn_max = 4,
	.nslots = A64_NSLOTS,
	.flags_slot = A64_SLOT_NZCV,
	.fpcr_slot = A64_SLOT_FPCR,
	.fpsr_slot = A64_SLOT_FPSR,
	.excl_addr_slot = A64_SLOT_EXCL_ADDR,
	.excl_lo_slot = A64_SLOT_EXCL_LO,
	.excl_hi_slot = A64_SLOT_EXCL_HI,
	.sp_slot = A64_SLOT_SP,
	.lr_slot = A64_SLOT_LR,
	.state_size = sizeof(struct a64_state),
	.slot = slots,
	.lift = lift,
	.flow = a64_flow,
	.disasm = disasm,
};
