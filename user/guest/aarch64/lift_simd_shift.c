// SPDX-License-Identifier: MIT
/*
 * AdvSIMD shifts by an immediate. (By a register: lift_simd_arith.c, as any three registers; narrowing: there too.)
 *
 * In: a decoded instruction with the distance in `amount`. Out: IR.
 */
#include "guest/aarch64/lift_simd.h"

/* SHL, SSHR, SRSHR ...; with A64_V_ADD the accumulating ones, with A64_V_ACC SLI and SRI. */
enum guest_lift a64_lift_vshift(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	enum ir_width w = a64_width(in);
	irv n = a64_v(l, in->rn);
	irv v;

	if (arg & A64_V_ACC)
		v = a64_vop2(l, arg & A64_V_OP, in->size, w, a64_v(l, in->rd), n, in->amount);
	else
		v = a64_vop1(l, arg & A64_V_OP, in->size, w, n, in->amount);
	if (arg & A64_V_ADD)
		v = a64_vop2(l, IR_VADD, in->size, w, a64_v(l, in->rd), v, 0);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

static enum guest_lift shift_long(struct a64_lift *l, const struct a64_insn *in, u16 arg, unsigned int amount)
{
	irv v = a64_vop1(l, arg & A64_V_OP, in->size, IR_W128, a64_v(l, in->rn), in->q);

	if (amount)
		v = a64_vop1(l, IR_VSHL, in->size + 1, IR_W128, v, amount);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

/* SSHLL, USHLL (SXTL, UXTL when the distance is 0). */
enum guest_lift a64_lift_vshll(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	return shift_long(l, in, arg, in->amount);
}

/* SHLL: by the size of the element. */
enum guest_lift a64_lift_vshll_esize(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	return shift_long(l, in, arg, 8u << in->size);
}
