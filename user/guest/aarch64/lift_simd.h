/* SPDX-License-Identifier: MIT */
/*
 * What the lifters of FP, AdvSIMD and cryptographic instructions share. Most instructions have one of few shapes: the
 * shape is the lift function, and the rest is said by a number that stands in the instruction's line of
 * lift_simd.def: the IR operation in the low bits, and A64_V_* for what is special.
 */
#ifndef GUEST_AARCH64_LIFT_SIMD_H
#define GUEST_AARCH64_LIFT_SIMD_H

#include "guest/aarch64/lift.h"

#define A64_V_OP 0x1ff			/* enum ir_op */
#define A64_V_IMM(n) ((n) << 9)		/* a small number, 0..7; what for is said at the lift function */
#define A64_V_IMM_OF(arg) ((arg) >> 9 & 7)
#define A64_V_SWAP 0x1000		/* operands in the order m, n */
#define A64_V_ACC 0x2000		/* the old destination is the IR operation's first operand */
#define A64_V_ADD 0x4000		/* the result is added to the old destination: VADD */
#define A64_V_SUB 0x8000		/* the result is subtracted from the old destination: VSUB */

_Static_assert(IR_OP_COUNT <= A64_V_OP + 1, "the IR operation fits the argument");

/* The argument of each operation's line in lift_simd.def. */
extern const u16 a64_simd_arg[A64_OP_COUNT];

static inline enum ir_width a64_width(const struct a64_insn *in)
{
	return in->scalar ? IR_WS : in->q ? IR_W128 : IR_W64;
}

/* Operations without a third, or second, operand. */
static inline irv a64_vop1(struct a64_lift *l, unsigned int op, unsigned int esz, enum ir_width w, irv a, s64 imm)
{
	return ir_vop(l->r, op, esz, w, a, IR_NONE, IR_NONE, imm);
}

static inline irv a64_vop2(struct a64_lift *l, unsigned int op, unsigned int esz, enum ir_width w, irv a, irv b,
			   s64 imm)
{
	return ir_vop(l->r, op, esz, w, a, b, IR_NONE, imm);
}

#endif
