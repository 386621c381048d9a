// SPDX-License-Identifier: MIT
/*
 * AdvSIMD instructions that move: between lanes and to and from general registers, permutations, table lookups,
 * immediates.
 *
 * In: a decoded instruction. Out: IR.
 */
#include "guest/aarch64/lift_simd.h"

/* DUP (element), vector and scalar. */
enum guest_lift a64_lift_dup_e(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, a64_vop1(l, IR_VDUPL, in->size, a64_width(in), a64_v(l, in->rn), in->index));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_dup_x(struct a64_lift *l, const struct a64_insn *in)
{
	if (in->rn == 31) {
		a64_set_v(l, in->rd, ir_vconst(l->r, 0, 0));
		return GUEST_NEXT;
	}
	a64_set_v(l, in->rd, a64_vop1(l, IR_VDUP, in->size, a64_width(in), a64_x(l, a64_type(in), in->rn), 0));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ins_x(struct a64_lift *l, const struct a64_insn *in)
{
	irv d = a64_v(l, in->rd), x = a64_x(l, a64_type(in), in->rn);

	a64_set_v(l, in->rd, a64_vop2(l, IR_VINS, in->size, IR_W128, d, x, in->index));
	return GUEST_NEXT;
}

/* INS (element): index is the destination's lane, imm the source's. */
enum guest_lift a64_lift_ins_e(struct a64_lift *l, const struct a64_insn *in)
{
	irv d = a64_v(l, in->rd), n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop2(l, IR_VINSL, in->size, IR_W128, d, n, in->index | in->imm << 4));
	return GUEST_NEXT;
}

/* UMOV, SMOV: the IR operation is VEXTU or VEXTS. */
enum guest_lift a64_lift_mov_lane(struct a64_lift *l, const struct a64_insn *in)
{
	enum ir_type t = a64_type(in);
	irv v = a64_vop1(l, a64_simd_arg[in->op] & A64_V_OP, in->size, IR_W128, a64_v(l, in->rn), in->index);

	l->r->inst[v].type = t;
	a64_set_x(l, t, in->rd, v);
	return GUEST_NEXT;
}

/* EXT: amount in bytes is the index. */
enum guest_lift a64_lift_ext(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	a64_set_v(l, in->rd, a64_vop2(l, IR_VEXT, IR_B, a64_width(in), n, m, in->index));
	return GUEST_NEXT;
}

/* TBL and TBX (A64_V_ACC): tables of 1 to 4 registers, each looked up on top of the one before. */
enum guest_lift a64_lift_tbl(struct a64_lift *l, const struct a64_insn *in)
{
	irv idx = a64_v(l, in->rm), v = IR_NONE;
	enum ir_width w = a64_width(in);
	unsigned int k = 0;

	if (a64_simd_arg[in->op] & A64_V_ACC)
		v = a64_v(l, in->rd);
	else
		v = a64_vop2(l, IR_VTBL, IR_B, w, a64_v(l, in->rn), idx, 16 * k++);
	for (; k < in->nreg; k++)
		v = ir_vop(l->r, IR_VTBX, IR_B, w, a64_v(l, (in->rn + k) & 31), idx, v, 16 * k);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

static inline irv replicated(struct a64_lift *l, const struct a64_insn *in)
{
	return ir_vconst(l->r, (u64)in->imm, in->q ? (u64)in->imm : 0);
}

/* MOVI, MVNI, FMOV (vector, immediate): imm is what each 64 bits become. */
enum guest_lift a64_lift_movi(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, replicated(l, in));
	return GUEST_NEXT;
}

/* ORR, BIC (vector, immediate). */
enum guest_lift a64_lift_logic_imm(struct a64_lift *l, const struct a64_insn *in)
{
	irv d = a64_v(l, in->rd), c = replicated(l, in);

	a64_set_v(l, in->rd, a64_vop2(l, a64_simd_arg[in->op] & A64_V_OP, IR_B, a64_width(in), d, c, 0));
	return GUEST_NEXT;
}
