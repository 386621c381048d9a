// SPDX-License-Identifier: MIT
/*
 * FP conversions: rounding to integral values, between precisions, to and from integers. x86 traps (invalid) where a conversion
 * to integer is out of range or meets a NaN; what it would do without a trap although Arm saturates is made to trap by turning
 * the number into a NaN first. Inexact must not be signalled when invalid is, so it is raised at the end.
 */
#include "host/x64/vec_impl.h"

#define ROUND(imm) ((unsigned)(imm) & 0xff)
#define FBITS(imm) ((unsigned)((imm) >> 8) & 0xff)

/* x86's immediate for a rounding mode; + 8: no inexact. */
static u8 round_imm(unsigned round)
{
	static const u8 imm[7] = { 0 | 8, 2 | 8, 1 | 8, 3 | 8, 0, 4 | 8, 4 };

	return imm[round];
}

static u32 rnd(bool dbl, bool scalar)
{
	return VO(1, 3, 0x08) + (dbl ? 1 + VO_W : 0) + (scalar ? 2 : 0);
}

/* d = s rounded; only the element(s) matter. */
static void round_to(struct x64_vec_ctx *x, bool dbl, bool sc, unsigned d, unsigned s, u8 imm)
{
	if (sc)
		x64_v3i(x, rnd(dbl, true), d, s, s, imm);
	else
		x64_v2i(x, rnd(dbl, false), d, s, imm);
}

/*
 * T1 = s rounded to nearest, ties away; T0 is lost. With t = trunc(s): t + trunc(2 (s - t)), all exact; the sign of a zero
 * is not kept. An infinity traps.
 */
static void round_away(struct x64_vec_ctx *x, bool dbl, bool sc, unsigned s)
{
	round_to(x, dbl, sc, T1, s, 3 | 8);
	x64_v3(x, x64_fopc(VF_SUB, dbl, sc), T0, s, T1);
	x64_v3(x, x64_fopc(VF_ADD, dbl, sc), T0, T0, T0);
	round_to(x, dbl, sc, T0, T0, 3 | 8);
	x64_v3(x, x64_fopc(VF_ADD, dbl, sc), T1, T1, T0);
}

/* t = a with zero above the element or width, or a itself when it is known to be so. */
static unsigned clear_above(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, unsigned a)
{
	bool keep = x->d_zext;

	if (i->width == IR_W128 || x->a_zext)
		return a;
	x64_vfin(x, i, i->esz, t, a);
	x->d_zext = keep;
	return t;
}

void x64_vc_rint(X64_VEC_ARGS)
{
	bool dbl = i->esz == IR_D;
	unsigned s;

	(void)b, (void)c;
	if (i->esz == IR_H) {
		x64_vh_round(x, i, d, a, round_imm(ROUND(i->imm)));
		return;
	}
	s = clear_above(x, i, T0, a);
	if (ROUND(i->imm) != IR_RA) {
		x64_v2i(x, rnd(dbl, false), d, s, round_imm(ROUND(i->imm)));
		x->d_zext = i->width != IR_W128;
		return;
	}
	round_away(x, dbl, false, s);
	x64_v3cc(x, V_PAND, T1, T1, ~vsignbits(i->esz));
	x64_v3cc(x, V_PAND, T0, a, vsignbits(i->esz));
	x64_v3(x, V_POR, d, T1, T0);
	x64_vfin(x, i, i->esz, d, d);
}

/* Between precisions; esz = destination, imm = source. Not half <- double: that would round twice. */
void x64_vc_cvt(X64_VEC_ARGS)
{
	unsigned from = (unsigned)i->imm, to = i->esz;

	(void)b, (void)c;
	x->d_zext = true;
	if (from == IR_H) {
		x64_v3c(x, V_PAND, T0, a, 0xffff, 0);
		x64_v2(x, V_CVTPH2PS, to == IR_S ? d : T0, T0);
		if (to == IR_D)
			x64_v2(x, V_CVTPS2PD, d, T0);
	} else if (to == IR_H) {
		x64_v3i(x, V_INSERTPS, T0, a, a, 0x0e);
		x64_v2i(x, V_CVTPS2PH, T0, d, 4);
	} else {
		x64_vzero(x, T0);
		x64_v3(x, to == IR_D ? V_CVTSS2SD : V_CVTSD2SS, T0, T0, a);
		x64_vmov(x, d, T0);
	}
}

void x64_vc_cvtl(X64_VEC_ARGS)
{
	(void)b, (void)c;
	if (i->imm & 1) {
		x64_v2i(x, V_PSHUFD, T0, a, 0xee);
		a = T0;
	}
	x64_v2(x, i->esz == IR_S ? V_CVTPS2PD : V_CVTPH2PS, d, a);
}

void x64_vc_cvtn(X64_VEC_ARGS)
{
	(void)c;
	if (i->esz == IR_S)
		x64_v2(x, V_CVTPD2PS, T0, b);
	else
		x64_v2i(x, V_CVTPS2PH, b, T0, 4);
	if (i->imm & IR_HIGH)
		x64_v3(x, V_PUNPCKLQDQ, d, a, T0);
	else
		x64_vmov(x, d, T0);
	x->d_zext = i->width != IR_W128;
}

/* --- to integers ------------------------------------------------------------------------------ */
/*
 * T1 = s * 2^fbits, or a NaN where that would overflow (x86 would signal overflow before the conversion signals invalid).
 */
static void scale_up(struct x64_vec_ctx *x, bool dbl, unsigned s, unsigned fbits)
{
	unsigned esz = dbl ? IR_D : IR_S;
	u64 limit = dbl ? (u64)(2046 - fbits) << 52 : (u64)(254 - fbits) << 23;
	u64 scale = dbl ? (u64)(1023 + fbits) << 52 : (u64)(127 + fbits) << 23;

	x64_v3cc(x, V_PAND, T1, s, ~vsignbits(esz));
	x64_v3ci(x, x64_fopc(VF_CMP, dbl, false), T1, T1, vrep(esz, limit), vrep(esz, limit), 5);
	x64_v3(x, V_POR, T1, T1, s);
	x64_v3cc(x, x64_fopc(VF_MUL, dbl, false), T1, T1, vrep(esz, scale));
}

/* T1 = NaN where s is negative (and -0: the evaluator gives 0), else s. T0 is lost unless it is s. */
static void nan_if_negative(struct x64_vec_ctx *x, bool dbl, unsigned s)
{
	unsigned t = s == T1 ? T0 : T1;

	x64_vsh(x, V_SHD, VSH_SRA, t, s, 31);
	if (dbl)
		x64_v2i(x, V_PSHUFD, t, t, 0xf5);
	x64_v3(x, V_POR, T1, t, s);
}

/* Raises inexact if s is not integral; t is lost. s cannot be a NaN any more. */
static void raise_inexact(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, unsigned a)
{
	unsigned s = clear_above(x, i, t, a);

	x64_v2i(x, rnd(i->esz == IR_D, false), t, s, 0);
}

/* T1 = 64-bit integers of the doubles in s, by the general registers. */
static void doubles_to_ints(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned s)
{
	static const u32 cvtt = VO(3, 1, 0x2c) | VO_VW;
	bool two = i->width == IR_W128;

	x64_v2(x, cvtt, RAX, s);
	if (two) {
		x64_v2i(x, V_PSHUFD, T1, s, 0xee);
		x64_v2(x, cvtt, RCX, T1);
	}
	x64_v2(x, V_MOVD_G | VO_VW, T1, RAX);
	if (two)
		x64_v3i(x, V_PINSRD | VO_VW, T1, T1, RCX, 1);
}

void x64_vc_ftoi(X64_VEC_ARGS)
{
	bool dbl = i->esz == IR_D, uns = i->imm & IR_UNSIGNED;
	unsigned round = ROUND(i->imm), s = clear_above(x, i, T0, a);

	(void)b, (void)c;
	if (FBITS(i->imm)) {
		scale_up(x, dbl, s, FBITS(i->imm));
		s = T1;
	} else if (round == IR_RA) {
		round_away(x, dbl, false, s);
		s = T1;
	} else if (round != IR_RZ) {
		x64_v2i(x, rnd(dbl, false), T1, s, round_imm(round));
		s = T1;
	}
	if (uns && !v512(x)) {
		nan_if_negative(x, dbl, s);
		s = T1;
	}
	if (v512(x))
		x64_v2(x, dbl ? (uns ? V_CVTTPD2UQQ : V_CVTTPD2QQ) : uns ? (u32)V_CVTTPS2UDQ : (u32)V_CVTTPS2DQ, T1, s);
	else if (dbl)
		doubles_to_ints(x, i, s);
	else
		x64_v2(x, V_CVTTPS2DQ, T1, s);
	if (!FBITS(i->imm) && round != IR_RZ)
		raise_inexact(x, i, T0, a);
	x64_vmov(x, d, T1);
	x->d_zext = i->width != IR_W128;
}

/* Scalar to general register. */
void x64_vc_ftoig(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned g, unsigned a)
{
	bool dbl = i->esz == IR_D, uns = i->imm & IR_UNSIGNED, wide = i->type == IR_I64;
	unsigned round = ROUND(i->imm), s = a;
	u32 cvtt = dbl ? VO(3, 1, 0x2c) : VO(2, 1, 0x2c);

	if (FBITS(i->imm)) {		/* packed: the rest must not raise anything */
		if (dbl)
			x64_v2(x, V_MOVQ, T0, a);
		else
			x64_v3i(x, V_INSERTPS, T0, a, a, 0x0e);
		scale_up(x, dbl, T0, FBITS(i->imm));
		s = T1;
	} else if (round == IR_RA) {
		round_away(x, dbl, true, s);
		s = T1;
	} else if (round != IR_RZ) {
		round_to(x, dbl, true, T1, s, round_imm(round));
		s = T1;
	}
	if (uns && v512(x)) {
		x64_evex_rr(x->b, (dbl ? VO(3, 1, 0x78) : VO(2, 1, 0x78)) | (wide ? VO_W : 0), g, 0, s);
	} else if (uns) {
		nan_if_negative(x, dbl, s);
		if (!wide) {		/* 2^32 and more */
			u64 limit = dbl ? 0x41f0000000000000ull : 0x4f800000u;

			x64_vmov(x, T0, T1);
			x64_v3ci(x, x64_fopc(VF_CMP, dbl, true), T0, T0, limit, 0, 5);
			x64_v3(x, V_POR, T1, T1, T0);
		}
		x64_v2(x, cvtt | VO_VW, g, T1);
	} else {
		x64_v2(x, cvtt | (wide ? VO_VW : 0), g, s);
	}
	if (!FBITS(i->imm) && round != IR_RZ)
		round_to(x, dbl, true, T0, a, 0);
}

/* --- from integers ---------------------------------------------------------------------------- */
/* d = s * 2^-fbits: exact. */
static void scale_down(struct x64_vec_ctx *x, bool dbl, unsigned d, unsigned s, unsigned fbits)
{
	unsigned esz = dbl ? IR_D : IR_S;
	u64 scale = dbl ? (u64)(1023 - fbits) << 52 : (u64)(127 - fbits) << 23;

	if (fbits)
		x64_v3cc(x, x64_fopc(VF_MUL, dbl, false), d, s, vrep(esz, scale));
	else
		x64_vmov(x, d, s);
}

/* T0 = unsigned 64-bit integers to doubles, rounded once: (high part - 2^84 - 2^52) is exact, + (2^52 + low part). */
static void uq_to_pd(struct x64_vec_ctx *x, unsigned s)
{
	x64_vsh(x, V_SHQ, VSH_SRL, T1, s, 32);
	x64_v3cc(x, V_POR, T1, T1, 0x4530000000000000ull);
	x64_v3cc(x, x64_fopc(VF_SUB, true, false), T1, T1, 0x4530000000100000ull);
	x64_v3cc(x, V_PAND, T0, s, 0xffffffffull);
	x64_v3cc(x, V_POR, T0, T0, 0x4330000000000000ull);
	x64_v3(x, x64_fopc(VF_ADD, true, false), T0, T0, T1);
	/* -2^52 + 2^52 is -0 when rounding down */
	x64_v3cc(x, V_PAND, T0, T0, ~vsignbits(IR_D));
}

/* T0 = unsigned 32-bit integers to floats: two halves, the sum rounds. */
static void ud_to_ps(struct x64_vec_ctx *x, unsigned s)
{
	x64_vsh(x, V_SHD, VSH_SRL, T1, s, 16);
	x64_v2(x, V_CVTDQ2PS, T1, T1);
	x64_v3cc(x, x64_fopc(VF_MUL, false, false), T1, T1, vrep(IR_S, 0x47800000u));
	x64_v3cc(x, V_PAND, T0, s, vrep(IR_S, 0xffff));
	x64_v2(x, V_CVTDQ2PS, T0, T0);
	x64_v3(x, x64_fopc(VF_ADD, false, false), T0, T0, T1);
}

void x64_vc_itof(X64_VEC_ARGS)
{
	bool dbl = i->esz == IR_D, uns = i->imm & IR_UNSIGNED;
	unsigned s = clear_above(x, i, T0, a);

	(void)b, (void)c;
	if (v512(x)) {
		x64_v2(x, dbl ? (uns ? V_CVTUQQ2PD : V_CVTQQ2PD) : uns ? (u32)V_CVTUDQ2PS : (u32)V_CVTDQ2PS, T0, s);
	} else if (dbl && uns) {
		uq_to_pd(x, s);
	} else if (uns) {
		ud_to_ps(x, s);
	} else if (!dbl) {
		x64_v2(x, V_CVTDQ2PS, T0, s);
	} else {
		static const u32 cvt = VO(3, 1, 0x2a) | VO_VW;

		x64_v2(x, V_MOVD_TG | VO_VW, s, RAX);
		if (i->width == IR_W128) {
			x64_v2i(x, V_PEXTRD | VO_VW, s, RCX, 1);
			x64_vzero(x, T1);
			x64_v3(x, cvt, T1, T1, RCX);
		}
		x64_vzero(x, T0);
		x64_v3(x, cvt, T0, T0, RAX);
		if (i->width == IR_W128)
			x64_v3(x, V_PUNPCKLQDQ, T0, T0, T1);
	}
	scale_down(x, dbl, d, T0, FBITS(i->imm));
	x->d_zext = i->width != IR_W128;
}

void x64_vc_itofg(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned g)
{
	bool dbl = i->esz == IR_D, uns = i->imm & IR_UNSIGNED, wide = i->type == IR_I64;
	u32 cvt = (dbl ? VO(3, 1, 0x2a) : VO(2, 1, 0x2a)) | (wide || uns ? VO_VW : 0);

	x->d_zext = true;
	if (uns && wide && dbl && !v512(x)) {
		x64_v2(x, V_MOVD_G | VO_VW, T0, g);
		uq_to_pd(x, T0);
		x64_v2(x, V_MOVQ, T0, T0);
		scale_down(x, dbl, d, T0, FBITS(i->imm));
		return;
	}
	x64_vzero(x, T0);
	if (uns && v512(x)) {
		x64_evex_rr(x->b, (dbl ? VO(3, 1, 0x7b) : VO(2, 1, 0x7b)) | (wide ? VO_W : 0), T0, T0, g);
	} else if (uns && wide) {
		/* float: halve, keeping the lowest bit, which can only matter as "inexact" */
		u8 *neg, *done;

		x64_test_rr(x->b, 1, g, g);
		neg = x64_jcc8(x->b, X64_S);
		x64_v3(x, cvt, T0, T0, g);
		done = x64_jmp8(x->b);
		x64_patch8(x->b, neg);
		x64_mov(x->b, 1, RAX, g);
		x64_mov(x->b, 0, RCX, g);
		x64_sh_ri(x->b, X64_SHR, 1, RAX, 1);
		x64_alu_ri(x->b, X64_AND, 0, RCX, 1);
		x64_alu_rr(x->b, X64_OR, 1, RAX, RCX);
		x64_v3(x, cvt, T0, T0, RAX);
		x64_v3(x, x64_fopc(VF_ADD, false, true), T0, T0, T0);
		x64_patch8(x->b, done);
	} else {
		if (uns) {
			x64_mov(x->b, 0, RAX, g);
			g = RAX;
		}
		x64_v3(x, cvt, T0, T0, g);
	}
	scale_down(x, dbl, d, T0, FBITS(i->imm));
}

/* What of these is done natively here. */
bool x64_vc_native(const struct ir_inst *i, u64 features)
{
	unsigned from = (unsigned)i->imm;

	if (i->op == IR_FCVT && (i->esz == IR_H || from == IR_H))
		return (features & HOST_F16C) && !(i->esz == IR_H && from == IR_D);
	if ((i->op == IR_FCVTL || i->op == IR_FCVTN) && i->esz == IR_H)
		return features & HOST_F16C;
	if (i->op == IR_FTOI || i->op == IR_FTOIG)
		/* a fixed-point conversion rounds towards zero; anything else does not exist */
		return i->esz != IR_H && !(FBITS(i->imm) && ROUND(i->imm) != IR_RZ) && ROUND(i->imm) <= IR_RA;
	return i->esz != IR_H;
}
