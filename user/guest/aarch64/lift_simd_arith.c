// SPDX-License-Identifier: MIT
/*
 * AdvSIMD instructions that compute: three registers of one shape, one register, by element, comparisons with zero,
 * widening, narrowing, pairwise and across. Integer and FP alike: the IR operation comes from lift_simd.def.
 *
 * In: a decoded instruction and the A64_V_* argument of its line. Out: IR.
 */
#include "guest/aarch64/lift_simd.h"

/* Puts a result of elements `esz` into rd, adding it to or subtracting it from what is there if the line says so. */
static inline void finish(struct a64_lift *l, const struct a64_insn *in, u16 arg, unsigned int esz,
			  enum ir_width w, irv v)
{
	if (arg & (A64_V_ADD | A64_V_SUB))
		v = a64_vop2(l, arg & A64_V_ADD ? IR_VADD : IR_VSUB, esz, w, a64_v(l, in->rd), v, 0);
	a64_set_v(l, in->rd, v);
}

/* The shape of most instructions: rd = op(rn, rm), or op(rd, rn, rm) with A64_V_ACC. */
static inline void three(struct a64_lift *l, const struct a64_insn *in, u16 arg, unsigned int esz, irv n, irv m)
{
	enum ir_width w = a64_width(in);
	irv v;

	if (arg & A64_V_ACC)
		v = ir_vop(l->r, arg & A64_V_OP, esz, w, a64_v(l, in->rd), n, m, A64_V_IMM_OF(arg));
	else if (arg & A64_V_SWAP)
		v = a64_vop2(l, arg & A64_V_OP, esz, w, m, n, A64_V_IMM_OF(arg));
	else
		v = a64_vop2(l, arg & A64_V_OP, esz, w, n, m, A64_V_IMM_OF(arg));
	finish(l, in, arg, esz, w, v);
}

/* The indexed element of rm in all lanes. */
static inline irv element(struct a64_lift *l, const struct a64_insn *in, unsigned int esz)
{
	return a64_vop1(l, IR_VDUPL, esz, in->scalar ? IR_WS : IR_W128, a64_v(l, in->rm), in->index);
}

enum guest_lift a64_lift_v3(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	three(l, in, arg, in->size, n, m);
	return GUEST_NEXT;
}

/* Bitwise: the element size means nothing. */
enum guest_lift a64_lift_vbit(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	three(l, in, arg, IR_B, n, m);
	return GUEST_NEXT;
}

/* ORR is the vector move when both operands are one register. */
enum guest_lift a64_lift_vorr(struct a64_lift *l, const struct a64_insn *in)
{
	irv n;

	if (in->rn != in->rm)
		return a64_lift_vbit(l, in);
	n = a64_v(l, in->rn);
	a64_set_v(l, in->rd, in->q ? n : a64_vop1(l, IR_VMOV, IR_D, IR_W64, n, 0));
	return GUEST_NEXT;
}

/* EOR of a register with itself is the vector zero. */
enum guest_lift a64_lift_veor(struct a64_lift *l, const struct a64_insn *in)
{
	if (in->rn != in->rm)
		return a64_lift_vbit(l, in);
	a64_set_v(l, in->rd, ir_vconst(l->r, 0, 0));
	return GUEST_NEXT;
}

/* BSL, BIT, BIF: A64_V_IMM says which register is the mask, 0 rd, 1 rm, 2 rm inverted. */
enum guest_lift a64_lift_vbsl(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv d = a64_v(l, in->rd), n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	enum ir_width w = a64_width(in);
	irv v;

	if (A64_V_IMM_OF(arg) == 0)
		v = ir_vop(l->r, IR_VBSL, IR_B, w, d, n, m, 0);
	else if (A64_V_IMM_OF(arg) == 1)
		v = ir_vop(l->r, IR_VBSL, IR_B, w, m, n, d, 0);
	else
		v = ir_vop(l->r, IR_VBSL, IR_B, w, m, d, n, 0);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

/* By element. (Of a dot product: the element is four bytes, as the result's lanes are.) */
enum guest_lift a64_lift_v3e(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = element(l, in, in->size);

	three(l, in, arg, in->size, n, m);
	return GUEST_NEXT;
}

/* FCADD, FCMLA: the rotation is the IR operation's immediate. */
enum guest_lift a64_lift_vcomplex(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	enum ir_width w = a64_width(in);
	irv v;

	if (arg & A64_V_ACC)
		v = ir_vop(l->r, arg & A64_V_OP, in->size, w, a64_v(l, in->rd), n, m, in->rot);
	else
		v = a64_vop2(l, arg & A64_V_OP, in->size, w, n, m, in->rot);
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

/* FCMLA by element: the index is that of a complex number, a pair of elements. */
enum guest_lift a64_lift_vcomplex_e(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = element(l, in, in->size + 1);

	a64_set_v(l, in->rd, ir_vop(l->r, arg & A64_V_OP, in->size, a64_width(in), a64_v(l, in->rd), n, m,
				       in->rot));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_v2(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn);
	irv v;

	if (arg & A64_V_ACC)
		v = a64_vop2(l, arg & A64_V_OP, in->size, a64_width(in), a64_v(l, in->rd), n, A64_V_IMM_OF(arg));
	else
		v = a64_vop1(l, arg & A64_V_OP, in->size, a64_width(in), n, A64_V_IMM_OF(arg));
	a64_set_v(l, in->rd, v);
	return GUEST_NEXT;
}

/* One register, bytes (NOT, RBIT, CNT). */
enum guest_lift a64_lift_v2b(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop1(l, arg & A64_V_OP, IR_B, a64_width(in), n, 0));
	return GUEST_NEXT;
}

/* REV16, REV32, REV64: A64_V_IMM is log2 of the container. */
enum guest_lift a64_lift_vrev(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop1(l, IR_VREV, in->size, a64_width(in), n, 1 << A64_V_IMM_OF(arg)));
	return GUEST_NEXT;
}

/* CMxx and FCMxx with zero. "Less" is "greater" with the operands swapped. */
enum guest_lift a64_lift_vcmp0(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), zero = ir_vconst(l->r, 0, 0);

	three(l, in, arg, in->size, n, zero);
	return GUEST_NEXT;
}

/*
 * Long: the result's elements are twice as wide. The accumulating forms add (subtract) at that size; the doubling
 * ones saturate, which A64_V_IMM tells: 1 VSQADD, 2 VSQSUB.
 */
static inline void lng(struct a64_lift *l, const struct a64_insn *in, u16 arg, irv n, irv m)
{
	enum ir_width w = in->scalar ? IR_WS : IR_W128;
	irv v = a64_vop2(l, arg & A64_V_OP, in->size, w, n, m, in->scalar ? 0 : in->q);

	if (A64_V_IMM_OF(arg))
		v = a64_vop2(l, A64_V_IMM_OF(arg) == 1 ? IR_VSQADD : IR_VSQSUB, in->size + 1, w,
			     a64_v(l, in->rd), v, 0);
	finish(l, in, arg, in->size + 1, w, v);
}

enum guest_lift a64_lift_vlong(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);

	lng(l, in, arg, n, m);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_vlong_e(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = element(l, in, in->size);

	lng(l, in, arg, n, m);
	return GUEST_NEXT;
}

/*
 * SADDL, USUBL ... : the operation is the extension, A64_V_IMM 0 adds, 1 subtracts.
 * SADDW, USUBW ... : the same with a first operand that is wide already.
 */
static inline enum guest_lift addl(struct a64_lift *l, const struct a64_insn *in, u16 arg, bool wide)
{
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	enum ir_op op = A64_V_IMM_OF(arg) ? IR_VSUB : IR_VADD;

	if (!wide)
		n = a64_vop1(l, arg & A64_V_OP, in->size, IR_W128, n, in->q);
	m = a64_vop1(l, arg & A64_V_OP, in->size, IR_W128, m, in->q);
	a64_set_v(l, in->rd, a64_vop2(l, op, in->size + 1, IR_W128, n, m, 0));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_vaddl(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	return addl(l, in, arg, false);
}

enum guest_lift a64_lift_vaddw(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	return addl(l, in, arg, true);
}

/*
 * Narrowing of one register by in->amount (0: XTN and its kin). The "2" forms keep the low half of rd; scalar forms
 * have q set in the encoding of some, which means nothing.
 */
enum guest_lift a64_lift_vnarrow(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	bool high = in->q && !in->scalar;
	irv n = a64_v(l, in->rn);
	irv d = high ? a64_v(l, in->rd) : IR_NONE;

	a64_set_v(l, in->rd, ir_vop(l->r, arg & A64_V_OP, in->size, a64_width(in), d, n, IR_NONE,
				       in->amount | (high ? IR_HIGH : 0)));
	return GUEST_NEXT;
}

/* ADDHN and its kin. */
enum guest_lift a64_lift_vnarrow2(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn), m = a64_v(l, in->rm);
	irv d = in->q ? a64_v(l, in->rd) : IR_NONE;

	a64_set_v(l, in->rd, ir_vop(l->r, arg & A64_V_OP, in->size, a64_width(in), d, n, m, in->q ? IR_HIGH : 0));
	return GUEST_NEXT;
}

/* Pairs of one register, widened: SADDLP; SADALP with A64_V_ADD. */
enum guest_lift a64_lift_vaddlp(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	enum ir_width w = a64_width(in);
	irv v = a64_vop1(l, arg & A64_V_OP, in->size, w, a64_v(l, in->rn), 0);

	finish(l, in, arg, in->size + 1, w, v);
	return GUEST_NEXT;
}

/* Scalar pairwise: the pair is the low two elements of rn. */
enum guest_lift a64_lift_vpair(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop2(l, arg & A64_V_OP, in->size, IR_WS, n, n, 0));
	return GUEST_NEXT;
}

/* Across all lanes, to one. */
enum guest_lift a64_lift_vacross(struct a64_lift *l, const struct a64_insn *in)
{
	const u16 arg = a64_simd_arg[in->op];
	irv n = a64_v(l, in->rn);

	a64_set_v(l, in->rd, a64_vop1(l, arg & A64_V_OP, in->size, IR_WS, n, in->q ? IR_W128 : IR_W64));
	return GUEST_NEXT;
}
