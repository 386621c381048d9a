// SPDX-License-Identifier: MIT
/*
 * FP arithmetic and compares on the host's FPU. MXCSR's invalid operation traps and the runtime then evaluates the guest
 * instruction; so each expansion has to trap in every case in which Arm would signal IOC, make the default NaN or choose
 * another NaN than x86 does, and must not have written d by then.
 *
 * x86 gives the first operand's NaN when both are quiet, as Arm does: operands are never swapped. What lies above
 * the element or the width must not raise flags: scalar instructions leave it alone, and IR_W64 operands are cleared first.
 */
#include "host/x64/vec_impl.h"

static bool dbl(const struct ir_inst *i)
{
	return i->esz == IR_D;
}

static bool scalar(const struct ir_inst *i)
{
	return i->width == IR_WS;
}

static u64 fsign(const struct ir_inst *i)
{
	return vsignbits(i->esz);
}

/* Clears what is above the low half of a and b, in T0 and T1; for IR_W64. */
static void clear64(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned *a, unsigned *b)
{
	unsigned a0 = *a;

	if (i->width != IR_W64)
		return;
	if (!x->a_zext) {
		x64_v2(x, V_MOVQ, T0, *a);
		*a = T0;
	}
	if (b && *b == a0 && (x->a_zext || vavx(x))) {
		*b = *a;
	} else if (b && !x->b_zext) {
		x64_v2(x, V_MOVQ, T1, *b);
		*b = T1;
	}
}

/* d = s, the result of an instruction whose upper part came from a; packed results are zero there when `zero` says so. */
static void finish(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned s, bool zero)
{
	x64_vfin_z(x, i, i->esz, d, s, scalar(i) ? x->a_zext : zero);
}

void x64_vf_bin(X64_VEC_ARGS)
{
	unsigned op = vdesc(i)->arg;
	bool zero = op == VF_ADD || op == VF_MUL;		/* +0 op +0 is +0; 0 - 0 is -0 when rounding down */

	if (i->esz == IR_H) {
		x64_vh_bin(x, i, d, a, b, c);
		return;
	}
	(void)c;
	if (op == VF_DIV && i->width == IR_W64) {	/* 0 / 0 would trap */
		x64_v2(x, V_MOVDDUP, T0, a);
		x64_v2(x, V_MOVDDUP, T1, b);
		a = T0, b = T1;
	} else {
		clear64(x, i, &a, &b);
	}
	x64_v3f(x, x64_fopc(op, dbl(i), scalar(i)), d, a, b);
	if (i->op == IR_FNMUL)
		x64_v3c(x, V_PXOR, d, d, scalar(i) ? 1ull << ((8u << i->esz) - 1) : fsign(i), i->width == IR_W128 ? fsign(i) : 0);
	if (i->op == IR_FABD)
		x64_v3cc(x, V_PAND, d, d, ~fsign(i));
	finish(x, i, d, d, zero || i->op == IR_FABD);
}

void x64_vf_sqrt(X64_VEC_ARGS)
{
	if (i->esz == IR_H) {
		x64_vh_sqrt(x, i, d, a, b, c);
		return;
	}
	clear64(x, i, &a, NULL);
	if (scalar(i)) {
		x64_v3f(x, x64_fopc(VF_SQRT, dbl(i), true), d, a, a);
		finish(x, i, d, d, false);
		return;
	}
	x64_v2(x, x64_fopc(VF_SQRT, dbl(i), false), d, a);
	finish(x, i, d, d, true);
}

/* The constant is zero above the width: AND clears, XOR keeps. */
void x64_vf_absneg(X64_VEC_ARGS)
{
	u64 sign = 1ull << ((8u << i->esz) - 1), all = fsign(i), lo = scalar(i) ? sign : all;

	(void)b, (void)c;
	if (i->op == IR_FABS) {
		x64_v3c(x, V_PAND, d, a, ~all & vwidth_lo(i, i->esz), ~all & vwidth_hi(i));
		x->d_zext = i->width != IR_W128;
	} else {
		x64_v3c(x, V_PXOR, d, a, lo, all & vwidth_hi(i));
		x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
	}
}

/*
 * x86's MIN and MAX give the second operand when both are zeros, and trap on any NaN (the evaluator knows what to do).
 * Both orders joined make -0 < +0.
 */
static void minmax_both(struct x64_vec_ctx *x, u32 o, bool max, unsigned d, unsigned a, unsigned b)
{
	u32 join = max ? V_PAND : V_POR;

	if (!vavx(x)) {			/* a and b are no temporaries here: see the table */
		x64_vmov(x, T0, a);
		x64_sse_rr(x->b, o, T0, b);
		x64_vmov(x, T1, b);
		x64_sse_rr(x->b, o, T1, a);
		x64_v3(x, join, d, T0, T1);
	} else if (d != a && d != b) {
		x64_v3(x, o, d, a, b);
		x64_v3(x, o, T0, b, a);
		x64_v3(x, join, d, d, T0);
	} else {
		unsigned t = a == T0 || b == T0 ? T1 : T0;

		x64_v3(x, o, t, a, b);
		x64_v3(x, o, d, b, a);
		x64_v3(x, join, d, d, t);
	}
}

static u32 vrange(bool d, bool s)
{
	return (VO(1, 3, 0x50) | (d ? VO_W : 0) | VO_EVEX) + (s ? 1 : 0);
}

/*
 * d = min/max of a and b, which may be T0 and T1. num: the number wins over a quiet NaN. VRANGE does just that, and the zeros
 * too; without it the NaN is replaced by the other operand first. Two NaNs trap.
 */
static void minmax(struct x64_vec_ctx *x, bool max, bool num, bool dw, bool sc, unsigned d, unsigned a, unsigned b)
{
	u32 o = x64_fopc(max ? VF_MAX : VF_MIN, dw, sc), cmp = x64_fopc(VF_CMP, dw, sc);
	unsigned esz = dw ? IR_D : IR_S;

	if (v512(x)) {
		if (!num) {		/* only for its trap */
			unsigned t = a == T0 || b == T0 ? T1 : T0;

			/* both are temporaries: d is not, and what comes next cannot trap */
			x64_v3(x, o, t == a || t == b ? d : t, a, b);
		}
		x64_v3i(x, vrange(dw, sc), d, a, b, max ? 5 : 4);
	} else if (num && vavx(x) && a != T0 && a != T1 && b != T0 && b != T1) {
		x64_v3i(x, cmp, T0, b, b, 3);
		x64_vblend(x, esz, T0, b, a, T0);
		x64_v3i(x, cmp, T1, a, a, 3);
		x64_vblend(x, esz, T1, a, b, T1);
		minmax_both(x, o, max, d, T1, T0);
	} else {
		minmax_both(x, o, max, d, a, b);
	}
}

void x64_vf_minmax(X64_VEC_ARGS)
{
	bool max = i->op == IR_FMAX || i->op == IR_FMAXNM, num = i->op == IR_FMAXNM || i->op == IR_FMINNM;

	if (i->esz == IR_H) {
		x64_vh_minmax(x, i, d, a, b, c);
		return;
	}
	(void)c;
	/* The only flag is IOC, and that traps: nothing to clear. */
	minmax(x, max, num, dbl(i), scalar(i), d, a, b);
	x64_vfin(x, i, i->esz, d, d);
}

/*
 * a + b * c, fused. Wrong without a trap would be: a NaN in a (infinity * 0 then is the default NaN on Arm; and a's NaN wins),
 * and one in b (which Arm negates for FMLS). One signalling compare of these two catches both; c's NaN is what x86 gives.
 */
void x64_vf_fma(X64_VEC_ARGS)
{
	static const u8 base[4] = { 0x98, 0x9c, 0x9a, 0x9e };	/* by imm: madd, nmadd, msub, nmsub */
	unsigned form, r, s2, s3, a0 = a, b0 = b;
	u32 cmp = x64_fopc(VF_CMP, dbl(i), scalar(i));
	u32 o = VO(1, 2, 0) | (dbl(i) ? VO_VW : 0);

	if (i->esz == IR_H) {
		x64_vh_fma(x, i, d, a, b, c);
		return;
	}
	if (i->width == IR_W64 && !(x->a_zext && x->b_zext)) {
		x64_v2(x, V_MOVQ, T0, a);
		x64_v2(x, V_MOVQ, T1, b);
		x64_v3i(x, cmp, T0, T0, T1, 1);
		x64_v2(x, V_MOVQ, T0, a);
		a = T0, b = T1;
	} else if ((a0 | b0) >= 16) {
		x64_evex_rr(x->b, cmp, 1, a, b);
		x64_b(x->b, 1);
	} else {
		x64_v3i(x, cmp, T1, a, b, 1);
	}
	/* The form by what d is: 231 d = b * c + d; 213 d = b * d + a; 132 d = d * c + a. */
	if (d == a) {
		form = 0x20, r = d, s2 = b, s3 = c;
	} else if (d == b) {
		form = 0, r = d, s2 = a, s3 = c;
	} else if (d == c) {
		form = 0x10, r = d, s2 = b, s3 = a;
	} else {
		x64_vmov(x, T0, a);
		form = 0x20, r = T0, s2 = b, s3 = c;
	}
	x64_v3(x, o | (base[i->imm & 3] + form + scalar(i)), r, s2, s3);
	/* packed: 0 + 0 * c is 0 (or a trap) unless a is negated */
	if (scalar(i))
		x64_vfin_z(x, i, i->esz, d, r, r == a0 ? x->a_zext : r == b0 ? x->b_zext : r == T0 ? x->a_zext : x->c_zext);
	else
		x64_vfin(x, i, i->esz, d, r);
}

/*
 * FRECPS: 2 - a * b. Arm negates a before it looks at NaNs; infinity * 0 is 2 there and a trap here. A signalling compare
 * finds the NaNs.
 */
void x64_vf_recps(X64_VEC_ARGS)
{
	u32 cmp = x64_fopc(VF_CMP, dbl(i), scalar(i));
	u64 two = vrep(i->esz, dbl(i) ? 0x4000000000000000ull : 0x40000000u);

	(void)c;
	if (i->width == IR_W64) {
		x64_v2(x, V_MOVQ, T0, a);
		x64_v2(x, V_MOVQ, T1, b);
		x64_v3i(x, cmp, T0, T0, T1, 1);
		x64_v2(x, V_MOVQ, T0, a);
		/* T0 = -(T0 * T1) + 2 */
		x64_vmem(x, VO(1, 2, 0xac), T1, T0, x64_mrip(x->pool(x, two, two)), -1, 16);
		x64_vfin(x, i, i->esz, d, T1);
		return;
	}
	if ((a | b) >= 16) {
		x64_evex_rr(x->b, cmp, 1, a, b);
		x64_b(x->b, 1);
	} else {
		x64_v3i(x, cmp, T1, a, b, 1);
	}
	x64_vload_c(x, T0, two, scalar(i) ? 0 : two);
	x64_v3(x, VO(1, 2, 0xbc) | (dbl(i) ? VO_VW : 0) | scalar(i), T0, a, b);
	x64_vfin(x, i, i->esz, d, T0);
}

static unsigned cleared(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, unsigned s)
{
	if (i->width == IR_W128)
		return s;
	x64_vfin(x, i, i->esz, t, s);
	return t;
}

/*
 * FRSQRTS: (3 - a * b) / 2 with one rounding: halving is exact, unless 3 - a * b overflows. AVX-512 only: lanes whose exponents
 * add up to so much, or with a NaN, are in k2 and go to the evaluator; the others are in k1, and no others raise flags.
 */
void x64_vf_rsqrts(X64_VEC_ARGS)
{
	u32 w = dbl(i) ? VO_W : 0, cmp = x64_fopc(VF_CMP, dbl(i), false);
	u64 lo, limit = vrep(i->esz, dbl(i) ? 0x408fe00000000000ull : 0x42fa0000u);		/* 1020, 125 */
	u64 none = vrep(i->esz, dbl(i) ? 0xfff0000000000000ull : 0xff800000u);			/* minus infinity */
	u64 three = vrep(i->esz, dbl(i) ? 0x4008000000000000ull : 0x40400000u);
	u64 half = vrep(i->esz, dbl(i) ? 0x3fe0000000000000ull : 0x3f000000u);

	x64_v2(x, VO(1, 2, 0x42) | VO_EVEX | w, T0, cleared(x, i, T0, a));	/* VGETEXP: minus infinity for zero */
	x64_v2(x, VO(1, 2, 0x42) | VO_EVEX | w, T1, cleared(x, i, T1, b));
	x64_v3(x, x64_fopc(VF_ADD, dbl(i), false), T0, T0, T1);
	lo = vwidth_lo(i, i->esz);
	x64_vload_c(x, T1, (limit & lo) | (none & ~lo), i->width == IR_W128 ? limit : none);
	x64_evex_rr(x->b, cmp, 1, T0, T1);
	x64_b(x->b, 0x11);			/* less, quiet */
	x64_vload_c(x, T1, limit, limit);
	x64_evex_rr(x->b, cmp, 2, T0, T1);
	x64_b(x->b, 0x15);			/* not less, quiet */
	x64_vload_c(x, T0, three, three);
	x64_evex_rr_k(x->b, VO(1, 2, 0xbc) | w, T0, a, b, 1, 0);
	x64_vload_c(x, T1, half, half);
	x64_evex_rr_k(x->b, x64_fopc(VF_MUL, dbl(i), false), T0, T0, T1, 1, 0);
	x64_vex_rr(x->b, VO(0, 1, 0x98), 2, 0, 2);	/* KORTESTW k2, k2 */
	x->cold_begin(x, X64_NE);
	x->helper(x, i, T0, a, b, c);
	x->cold_end(x);
	x64_vfin(x, i, i->esz, d, T0);
}

/* t = s with the two of each pair exchanged, and zero above the width. */
static void exchange(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, unsigned s)
{
	x64_v2i(x, V_PSHUFD, t, s, dbl(i) ? 0x4e : 0xb1);
	if (i->width == IR_W64)
		x64_v2(x, V_MOVQ, t, t);
}

/* Flips the signs of the real (even) or imaginary (odd) elements. */
static void flip(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, bool even, bool odd)
{
	u64 e = dbl(i) ? 1ull << 63 : 0x80000000u, lo, hi;

	if (!even && !odd)
		return;
	lo = dbl(i) ? (even ? e : 0) : (even ? e : 0) | (odd ? e << 32 : 0);
	hi = dbl(i) ? (odd ? e : 0) : lo;
	x64_v3c(x, V_PXOR, t, t, lo, i->width == IR_W128 ? hi : 0);
}

/* a + b turned by 90 (imm 1) or 270 degrees. A NaN's sign is flipped too, as in Arm's. */
void x64_vf_cadd(X64_VEC_ARGS)
{
	unsigned s = a;

	(void)c;
	exchange(x, i, T1, b);
	flip(x, i, T1, i->imm == 1, i->imm == 3);
	if (i->width == IR_W64 && !x->a_zext) {
		x64_v2(x, V_MOVQ, T0, a);
		s = T0;
	}
	x64_v3f(x, x64_fopc(VF_ADD, dbl(i), false), d, s, T1);
	x64_vfin_z(x, i, i->esz, d, d, true);
}

/* a + the real (imaginary) part of b times c, turned: as in x64_vf_fma, NaNs in a and b have to trap. */
void x64_vf_cmla(X64_VEC_ARGS)
{
	bool odd = i->imm & 1;
	u32 cmp = x64_fopc(VF_CMP, dbl(i), false);

	x64_v2i(x, V_PSHUFD, T0, b, dbl(i) ? (odd ? 0xee : 0x44) : odd ? 0xf5 : 0xa0);
	if (i->width == IR_W64)
		x64_v2(x, V_MOVQ, T0, T0);
	if (a >= 16) {
		x64_evex_rr(x->b, cmp, 1, a, T0);
		x64_b(x->b, 1);
	} else {
		x64_v3i(x, cmp, T1, a, T0, 1);
	}
	if (odd)
		exchange(x, i, T1, c);
	else
		x64_v2(x, i->width == IR_W64 ? V_MOVQ : V_MOVAPS, T1, c);
	flip(x, i, T1, i->imm == 1 || i->imm == 2, i->imm == 2 || i->imm == 3);
	x64_v3(x, VO(1, 2, 0xa8) | (dbl(i) ? VO_VW : 0), T0, T1, a);		/* T0 = T1 * T0 + a */
	x64_vfin(x, i, i->esz, d, T0);
}

/* Masks. Equality is quiet, the others signal on quiet NaNs too, as Arm's do. */
void x64_vf_cmp(X64_VEC_ARGS)
{
	bool absolute = i->op == IR_FACGE || i->op == IR_FACGT, zext;
	unsigned pred = i->op == IR_FCMEQ ? 0 : i->op == IR_FCMGE || i->op == IR_FACGE ? 2 : 1;
	u32 o = x64_fopc(VF_CMP, dbl(i), scalar(i));

	if (i->esz == IR_H) {
		x64_vh_cmp(x, i, d, a, b, c);
		return;
	}
	(void)c;
	if (absolute) {
		u64 m = ~fsign(i), hi = m & vwidth_hi(i);

		x64_v3c(x, V_PAND, T0, a, m & vwidth_lo(i, i->esz), hi);
		x64_v3c(x, V_PAND, T1, b, m & vwidth_lo(i, i->esz), hi);
		a = T0, b = T1;
	} else {
		clear64(x, i, &a, &b);
	}
	if (pred) {		/* a >= b is b <= a */
		unsigned t = a;

		a = b, b = t;
	}
	/* legacy SSE may lose a temporary a, which nobody needs any more */
	if ((d | a | b) >= 16) {
		x64_vkcmp(x, o, i->esz, d, a, b, (int)pred);
		zext = scalar(i);
	} else {
		x64_v3fi(x, o, d, a, b, pred);
		zext = scalar(i) && (absolute || (pred ? x->b_zext : x->a_zext));
	}
	x64_vfin_z(x, i, i->esz, d, d, zext || (!scalar(i) && pred == 1));
}

/* T0, T1 = the even and the odd elements of a:b, zero (or the same) above; IR_WS: of a. */
static void pairs(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b)
{
	if (scalar(i)) {
		x64_vmov(x, T0, a);
		x64_v2i(x, V_PSHUFD, T1, a, dbl(i) ? 0xee : 0x55);
	} else if (dbl(i)) {
		x64_v3i(x, V_SHUFPD, T0, a, b, 0);
		x64_v3i(x, V_SHUFPD, T1, a, b, 3);
	} else if (i->width == IR_W128) {
		x64_v3i(x, V_SHUFPS, T0, a, b, 0x88);
		x64_v3i(x, V_SHUFPS, T1, a, b, 0xdd);
	} else {
		x64_v3(x, V_PUNPCKLDQ, T0, a, b);
		x64_v2i(x, V_PSHUFD, T1, T0, 0xee);
		x64_v2(x, V_MOVQ, T0, T0);
		x64_v2(x, V_MOVQ, T1, T1);
	}
}

void x64_vf_pair(X64_VEC_ARGS)
{
	bool max = i->op == IR_FMAXP || i->op == IR_FMAXNMP, num = i->op == IR_FMAXNMP || i->op == IR_FMINNMP;

	(void)c;
	pairs(x, i, a, b);
	if (i->op == IR_FADDP)
		x64_v3f(x, x64_fopc(VF_ADD, dbl(i), scalar(i)), d, T0, T1);
	else
		minmax(x, max, num, dbl(i), scalar(i), d, T0, T1);
	x64_vfin(x, i, i->esz, d, d);
}

/*
 * Across four floats (of two there is the pairwise form): pairs, then pairs of these. After the first instruction that traps
 * on NaNs there are none, and d may be written.
 */
void x64_vf_across(X64_VEC_ARGS)
{
	bool max = i->op == IR_FMAXV || i->op == IR_FMAXNMV, num = i->op == IR_FMAXNMV || i->op == IR_FMINNMV;
	u32 o = x64_fopc(max ? VF_MAX : VF_MIN, false, false);

	(void)b, (void)c;
	if (i->imm != IR_W128) {
		x64_vmov(x, T0, a);
		x64_v2i(x, V_PSHUFD, T1, a, 0x55);
		minmax(x, max, num, false, true, d, T0, T1);
		x64_vfin(x, i, IR_S, d, d);
		return;
	}
	x64_v3i(x, V_SHUFPS, T0, a, a, 0x88);
	x64_v3i(x, V_SHUFPS, T1, a, a, 0xdd);
	if (v512(x)) {
		if (!num) {
			x64_v3(x, o, T0, T0, T1);
			x64_v3i(x, V_SHUFPS, T0, a, a, 0x88);
		}
		x64_v3i(x, vrange(false, false), T0, T0, T1, max ? 5 : 4);
		num = true;
	} else {
		x64_v3(x, o, T0, T0, T1);
		x64_v3i(x, V_SHUFPS, d, a, a, 0x88);
		x64_v3(x, o, T1, T1, d);
		x64_v3(x, max ? V_PAND : V_POR, T0, T0, T1);
	}
	x64_v2i(x, V_PSHUFD, T1, T0, 0x55);
	minmax(x, max, num, false, true, d, T0, T1);
	x64_vfin(x, i, IR_S, d, d);
}
