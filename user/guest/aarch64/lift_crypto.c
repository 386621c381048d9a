// SPDX-License-Identifier: MIT
/*
 * AES, SHA1 and SHA2 instructions. (PMULL is an ordinary long multiplication: lift_simd_arith.c.)
 *
 * In: a decoded instruction; the IR operation in the argument. Out: IR. Operands stand as the Arm ARM has them.
 */
#include "guest/aarch64/lift_simd.h"

/* One source (AESMC, SHA1H), or with A64_V_ACC the old destination and one source (AESE, SHA1SU1). */
enum guest_lift a64_lift_crypto2(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	unsigned int esz = arg & A64_V_IMM(2) ? IR_S : IR_B;
	irv d = a64_v(l, arg & A64_V_ACC ? in->rd : in->rn);
	irv n = arg & A64_V_ACC ? a64_v(l, in->rn) : IR_NONE;

	a64_set_v(l, in->rd, a64_vop2(l, arg & A64_V_OP, esz, arg & A64_V_IMM(1) ? IR_WS : IR_W128, d, n, 0));
	return GUEST_NEXT;
}

/* The old destination and two sources. */
enum guest_lift a64_lift_crypto3(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv d = a64_v(l, in->rd), n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	a64_set_v(l, in->rd, ir_vop(l->r, arg & A64_V_OP, IR_S, IR_W128, d, n, m, 0));
	return GUEST_NEXT;
}
