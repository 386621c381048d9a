// SPDX-License-Identifier: MIT
/*
 * Scalar floating point, and those FP instructions of vectors whose IR operation needs more than the operation's
 * number: rounding to integers, conversions. (The others have the shapes of lift_simd_arith.c.)
 *
 * In: a decoded instruction; size is the element's. Out: IR.
 */
#include "guest/aarch64/lift_simd.h"

/* FADD_f ...: two registers, one result. */
enum guest_lift a64_lift_f3(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	a64_set_v(l, in->rd, a64_vop2(l, a64_simd_arg[in->op] & A64_V_OP, in->size, IR_WS, n, m, 0));
	return GUEST_NEXT;
}

/* FABS_f, FNEG_f, FSQRT_f, FMOV_f. */
enum guest_lift a64_lift_f2(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop1(l, a64_simd_arg[in->op] & A64_V_OP, in->size, IR_WS, n, 0));
	return GUEST_NEXT;
}

/* FMADD and its kin: A64_V_IMM is what FMA negates. */
enum guest_lift a64_lift_f4(struct a64_lift *l, const struct a64_insn *in)
{
	irv a = a64_v(l, in->ra), n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	a64_set_v(l, in->rd, ir_vop(l->r, IR_FMA, in->size, IR_WS, a, n, m, A64_V_IMM_OF(a64_simd_arg[in->op])));
	return GUEST_NEXT;
}

/* FCVT: the decoder's size is the source's, the IR's the destination's. */
enum guest_lift a64_lift_fcvt(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, a64_vop1(l, IR_FCVT, in->opc, IR_WS, a64_v(l, in->rn), in->size));
	return GUEST_NEXT;
}

/* The low or high half of rn, widened. */
enum guest_lift a64_lift_fcvtl(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, a64_vop1(l, IR_FCVTL, in->size, IR_W128, a64_v(l, in->rn), in->q));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_frint(struct a64_lift *l, const struct a64_insn *in)
{
	static const u8 mode[8] = { IR_RN, IR_RP, IR_RM, IR_RZ, IR_RA, IR_RCUR, IR_RCURX, IR_RCUR };

	a64_set_v(l, in->rd, a64_vop1(l, IR_FRINT, in->size, a64_width(in), a64_v(l, in->rn), mode[in->opc & 7]));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_frint_f(struct a64_lift *l, const struct a64_insn *in)
{
	struct a64_insn s = *in;

	s.scalar = 1;
	return a64_lift_frint(l, &s);
}

/* What the IR calls an FP-integer conversion's immediate. The decoder's opc is the rounding mode, in IR numbers. */
static inline s64 cvt_imm(const struct a64_insn *in, unsigned int round)
{
	return round | (s64)in->amount << 8 | (in->u ? (s64)IR_UNSIGNED : 0);
}

/* To a general register. */
enum guest_lift a64_lift_ftoi_g(struct a64_lift *l, const struct a64_insn *in)
{
	irv v = a64_vop1(l, IR_FTOIG, in->size, IR_WS, a64_v(l, in->rn), cvt_imm(in, in->opc));

	l->r->inst[v].type = a64_type(in);
	a64_set_x(l, a64_type(in), in->rd, v);
	return GUEST_NEXT;
}

/* From a general register. The result is a vector all the same: inst.type is the integer operand's. */
enum guest_lift a64_lift_itof_g(struct a64_lift *l, const struct a64_insn *in)
{
	irv v = a64_vop1(l, IR_ITOFG, in->size, IR_WS, a64_x(l, a64_type(in), in->rn), cvt_imm(in, 0));

	l->r->inst[v].type = a64_type(in);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

/* Lanes of vectors, and scalars in vector registers. */
enum guest_lift a64_lift_ftoi_v(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, a64_vop1(l, IR_FTOI, in->size, a64_width(in), a64_v(l, in->rn), cvt_imm(in, in->opc)));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_itof_v(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, a64_vop1(l, IR_ITOF, in->size, a64_width(in), a64_v(l, in->rn), cvt_imm(in, 0)));
	return GUEST_NEXT;
}

/* FJCVTZS has a result and flags; rd may be ZR, the flags are made all the same. */
enum guest_lift a64_lift_fjcvtzs(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn);
	irv v = a64_vop1(l, IR_FJCVT, IR_D, IR_WS, n, 0);
	irv f = a64_vop1(l, IR_FL_FJCVT, IR_D, IR_WS, n, 0);

	l->r->inst[v].type = IR_I32;
	l->r->inst[f].type = IR_F;
	a64_set_x(l, IR_I32, in->rd, v);
	a64_set_flags(l, f);
	return GUEST_NEXT;
}

/* FMOV between registers: index 1 is the upper half of the vector. */
enum guest_lift a64_lift_fmov_fg(struct a64_lift *l, const struct a64_insn *in)
{
	irv v = a64_vop1(l, IR_VEXTU, in->size, IR_W128, a64_v(l, in->rn), in->index);

	l->r->inst[v].type = a64_type(in);
	a64_set_x(l, a64_type(in), in->rd, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_fmov_gf(struct a64_lift *l, const struct a64_insn *in)
{
	irv v;

	if (in->index)
		v = a64_vop2(l, IR_VINS, IR_D, IR_W128, a64_v(l, in->rd), a64_x(l, IR_I64, in->rn), 1);
	else if (in->rn == 31)			/* the usual way to make a zero */
		v = ir_vconst(l->r, 0, 0);
	else
		v = a64_vop1(l, IR_VDUP, in->size, IR_WS, a64_x(l, a64_type(in), in->rn), 0);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_fmov_i(struct a64_lift *l, const struct a64_insn *in)
{
	a64_set_v(l, in->rd, ir_vconst(l->r, (u64)in->imm, 0));
	return GUEST_NEXT;
}

/* FCMP, FCMPE: the decoder's u says that quiet NaNs signal. */
static inline enum guest_lift compare(struct a64_lift *l, const struct a64_insn *in, irv n, irv m)
{
	struct ir_inst *i = ir_emit(l->r, IR_FL_FCMP);

	i->type = IR_F;
	i->esz = in->size;
	i->aux = in->u;
	i->a = n;
	i->b = m;
	a64_set_flags(l, ir_val(l->r, i));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_fcmp(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	return compare(l, in, n, m);
}

enum guest_lift a64_lift_fcmp_zero(struct a64_lift *l, const struct a64_insn *in)
{
	irv n = a64_v(l, in->rn), m = ir_vconst(l->r, 0, 0);

	return compare(l, in, n, m);
}

enum guest_lift a64_lift_fccmp(struct a64_lift *l, const struct a64_insn *in)
{
	irv f = a64_flags(l), n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	irv v = ir_cc(l->r, IR_FL_FCCMP, IR_F, in->cond, f, n, m, in->nzcv);

	l->r->inst[v].esz = in->size;
	l->r->inst[v].aux = in->u;
	a64_set_flags(l, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_fcsel(struct a64_lift *l, const struct a64_insn *in)
{
	irv f = a64_flags(l), n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	irv v = ir_cc(l->r, IR_VSELECT, IR_V, in->cond, f, n, m, 0);

	l->r->inst[v].esz = in->size;
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}
