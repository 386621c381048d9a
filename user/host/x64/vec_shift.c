// SPDX-License-Identifier: MIT
/*
 * Vector shifts: by immediate, by vector, with insertion, narrowing with rounding and saturation. x86 has no shifts of bytes:
 * they are shifts of halfwords and a mask, or one bit-matrix product with GFNI.
 */
#include "host/x64/vec_impl.h"

static const u32 padd[4] = { V_PADDB, V_PADDW, V_PADDD, V_PADDQ };
static const u32 psub[4] = { V_PSUBB, V_PSUBW, V_PSUBD, V_PSUBQ };
static const u32 group[4] = { V_SHW, V_SHW, V_SHD, V_SHQ };

/* The GF(2) matrix whose output bit k is input bit k + n (clamped to 7 when `sign`, nothing when out of the byte). */
static u64 matrix(int n, bool sign)
{
	u64 m = 0;

	for (int k = 0; k < 8; k++) {
		int from = k + n;

		if (sign && from > 7)
			from = 7;
		if (from >= 0 && from <= 7)
			m |= 1ull << from << (7 - k) * 8;
	}
	return m;
}

static void gfni(struct x64_vec_ctx *x, unsigned d, unsigned s, u64 m)
{
	x64_v3ci(x, V_AFFINE, d, s, m, m, 0);
}

void x64_vshl(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n)
{
	if (!n) {
		x64_vmov(x, d, s);
	} else if (esz != IR_B) {
		x64_vsh(x, group[esz], VSH_SLL, d, s, n);
	} else if (has(x, HOST_GFNI)) {
		gfni(x, d, s, matrix(-(int)n, false));
	} else {
		x64_vsh(x, V_SHW, VSH_SLL, d, s, n);
		x64_v3cc(x, V_PAND, d, d, vrep(IR_B, 0xffu << n));
	}
}

void x64_vshr(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n)
{
	if (n == 8u << esz) {
		x64_vzero(x, d);
	} else if (esz != IR_B) {
		x64_vsh(x, group[esz], VSH_SRL, d, s, n);
	} else if (has(x, HOST_GFNI)) {
		gfni(x, d, s, matrix((int)n, false));
	} else {
		x64_vsh(x, V_SHW, VSH_SRL, d, s, n);
		x64_v3cc(x, V_PAND, d, d, vrep(IR_B, 0xffu >> n));
	}
}

void x64_vsar(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n, unsigned t)
{
	if (n == 8u << esz)
		n--;
	if (esz == IR_B && has(x, HOST_GFNI)) {
		gfni(x, d, s, matrix((int)n, true));
	} else if (esz == IR_B) {
		/* sign extension from bit 7 - n: flip it, take it off */
		x64_vshr(x, IR_B, d, s, n);
		x64_vload_c(x, t, vrep(IR_B, 0x80u >> n), vrep(IR_B, 0x80u >> n));
		x64_v3(x, V_PXOR, d, d, t);
		x64_v3(x, V_PSUBB, d, d, t);
	} else if (esz != IR_D) {
		x64_vsh(x, group[esz], VSH_SRA, d, s, n);
	} else if (v512(x)) {
		x64_vsh(x, V_SRAQ, VSH_SRA, d, s, n);
	} else {
		x64_vzero(x, t);
		x64_v3(x, V_PCMPGTQ, t, t, s);
		if (n == 63) {
			x64_vmov(x, d, t);
			return;
		}
		x64_vsh(x, V_SHQ, VSH_SRL, d, s, n);
		x64_vsh(x, V_SHQ, VSH_SLL, t, t, 64 - n);
		x64_v3(x, V_POR, d, d, t);
	}
}

void x64_vs_shl(X64_VEC_ARGS)
{
	(void)b, (void)c;
	x64_vshl(x, i->esz, d, a, (unsigned)i->imm);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

void x64_vs_shr(X64_VEC_ARGS)
{
	(void)b, (void)c;
	if (i->op == IR_VSSHR)
		x64_vsar(x, i->esz, d, a, (unsigned)i->imm, T0);
	else
		x64_vshr(x, i->esz, d, a, (unsigned)i->imm);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

/* t = bit n - 1 of each lane of s, as 0 or 1. */
static void round_bit(struct x64_vec_ctx *x, unsigned esz, unsigned t, unsigned s, unsigned n)
{
	if (n > 1)
		x64_vsh(x, group[esz], VSH_SRL, t, s, n - 1);
	x64_v3cc(x, V_PAND, t, n > 1 ? t : s, vrep(esz, 1));
}

/* (a + (1 << (n - 1))) >> n without its overflow: (a >> n) + bit n - 1. */
void x64_vs_rshr(X64_VEC_ARGS)
{
	unsigned n = (unsigned)i->imm, esz = i->esz;

	(void)b, (void)c;
	round_bit(x, esz, T0, a, n);
	if (i->op == IR_VSRSHR)
		x64_vsar(x, esz, d, a, n, T1);
	else
		x64_vshr(x, esz, d, a, n);
	x64_v3(x, padd[esz], d, d, T0);
	x64_vfin_z(x, i, esz, d, d, x->a_zext);
}

void x64_vs_ins(X64_VEC_ARGS)
{
	unsigned n = (unsigned)i->imm, esz = i->esz;
	u64 ones = vrep(esz, ~0ull), keep;

	(void)c;
	if (i->op == IR_VSRI && n == 8u << esz) {
		x64_vfin_z(x, i, esz, d, a, x->a_zext);
		return;
	}
	if (i->op == IR_VSLI) {
		x64_vshl(x, esz, T0, b, n);
		keep = (1ull << n) - 1;
	} else {
		x64_vshr(x, esz, T0, b, n);
		keep = ~(~0ull >> (64 - (8u << esz)) >> n);
	}
	x64_v3cc(x, V_PAND, T1, a, vrep(esz, keep) & ones);
	x64_v3(x, V_POR, d, T0, T1);
	x64_vfin_z(x, i, esz, d, d, x->a_zext && x->b_zext);
}

/*
 * Saturating left shifts by immediate: lanes that do not come back when shifted the other way go the long way, and so do
 * negative ones for SQSHLU.
 */
void x64_vs_qshl(X64_VEC_ARGS)
{
	unsigned n = (unsigned)i->imm, esz = i->esz;

	x64_vshl(x, esz, T0, a, n);
	if (!n)
		x64_vmov(x, T1, a);
	else if (i->op == IR_VSQSHLI)
		x64_vsar(x, esz, T1, T0, n, T1);
	else
		x64_vshr(x, esz, T1, T0, n);
	x64_vcmpeq(x, esz, T1, T1, a);
	x64_v3cc(x, V_PXOR, T1, T1, ~0ull);
	if (i->op == IR_VSQSHLUI)
		x64_v3(x, V_POR, T1, T1, a);
	x64_vrare(x, i, d, a, b, c);
}

/* --- by vector: the amount is the signed low byte of each lane -------------------------------- */
static const u32 sllv[4] = { 0, V_PSLLVW, V_PSLLVD, V_PSLLVQ };
static const u32 srlv[4] = { 0, V_PSRLVW, V_PSRLVD, V_PSRLVQ };
static const u32 srav[4] = { 0, V_PSRAVW, V_PSRAVD, V_PSRAVQ };

/* Amounts of 128 and more (as unsigned bytes) give zero, so both directions can be done and joined. */
void x64_vs_ushl(X64_VEC_ARGS)
{
	unsigned esz = i->esz;

	if (esz == IR_B || (esz == IR_H && !v512(x))) {
		x64_vs_wide_shl(x, i, d, a, b, c);
		return;
	}
	x64_vzero(x, T1);
	x64_v3(x, psub[esz], T1, T1, b);
	x64_v3cc(x, V_PAND, T1, T1, vrep(esz, 0xff));
	x64_v3cc(x, V_PAND, T0, b, vrep(esz, 0xff));
	x64_v3(x, srlv[esz], T1, a, T1);
	x64_v3(x, sllv[esz], T0, a, T0);
	x64_v3(x, V_POR, d, T0, T1);
	x64_vfin_z(x, i, esz, d, d, x->a_zext);
}

/* d = left shifted in T0, or right shifted in T1, by the sign of b's lane's low byte. b's last use. */
static void by_sign(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned b)
{
	x64_vsh(x, group[esz], VSH_SLL, d, b, (8u << esz) - 8);
	x64_vblend(x, esz, d, T0, T1, d);
}

void x64_vs_sshl(X64_VEC_ARGS)
{
	unsigned esz = i->esz;

	if (esz == IR_B || (esz == IR_H && !v512(x))) {
		x64_vs_wide_shl(x, i, d, a, b, c);
		return;
	}
	x64_vzero(x, T1);
	x64_v3(x, psub[esz], T1, T1, b);
	x64_v3cc(x, V_PAND, T1, T1, vrep(esz, 0xff));
	x64_v3cc(x, V_PAND, T0, b, vrep(esz, 0xff));
	x64_v3(x, srav[esz], T1, a, T1);
	x64_v3(x, sllv[esz], T0, a, T0);
	by_sign(x, esz, d, b);
	x64_vfin_z(x, i, esz, d, d, x->a_zext);
}

/*
 * Rounding: right by m is (a >> m) + bit m - 1. With t = a >> (m - 1): (t >> 1) + (t & 1). m - 1 = ~b's low byte; for left
 * shifts (b >= 0) that is 128 and more.
 */
void x64_vs_rshl(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VSRSHL;
	unsigned esz = i->esz;

	if (esz == IR_B || (esz == IR_H && !v512(x))) {
		x64_vs_wide_shl(x, i, d, a, b, c);
		return;
	}
	x64_vones(x, T1);
	x64_v3(x, V_PXOR, T1, T1, b);
	x64_v3cc(x, V_PAND, T1, T1, vrep(esz, 0xff));
	x64_v3(x, sign ? srav[esz] : srlv[esz], T1, a, T1);
	x64_v3cc(x, V_PAND, T0, T1, vrep(esz, 1));
	x64_vsh(x, esz == IR_D && sign ? (u32)V_SRAQ : group[esz], sign ? VSH_SRA : VSH_SRL, T1, T1, 1);
	x64_v3(x, padd[esz], T1, T1, T0);
	x64_v3cc(x, V_PAND, T0, b, vrep(esz, 0xff));
	x64_v3(x, sllv[esz], T0, a, T0);
	by_sign(x, esz, d, b);
	x64_vfin_z(x, i, esz, d, d, x->a_zext);
}

static void to_k(struct x64_vec_ctx *x, u32 o, unsigned esz, unsigned k, unsigned a, unsigned b, unsigned only)
{
	x64_evex_rr_k(x->b, o | (esz == IR_H || esz == IR_D ? VO_W : 0), k, a, b, only, 0);
}

/*
 * Saturating, rounding or not; AVX-512 only. A lane saturates when it is shifted to the left and does not come back. Those are
 * in k1 (within the width), and send all of it to the evaluator. k2: lanes that are shifted to the right.
 */
void x64_vs_qshl_vec(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VSQSHL || i->op == IR_VSQRSHL, round = i->op == IR_VUQRSHL || i->op == IR_VSQRSHL;
	unsigned esz = i->esz;
	u32 right = sign ? srav[esz] : srlv[esz], test = esz == IR_H ? VO(1, 2, 0x26) : VO(1, 2, 0x27);
	u32 cmp = esz == IR_H ? VO(1, 3, 0x3f) : VO(1, 3, 0x1f), blend = esz == IR_H ? VO(1, 2, 0x66) : VO(1, 2, 0x64);
	u64 negative = vrep(esz, 0x80);

	x64_v3cc(x, V_PAND, T1, b, vrep(esz, 0xff));
	x64_v3(x, sllv[esz], T0, a, T1);
	x64_v3(x, right, T0, T0, T1);
	/* k1 = neither negative amount nor beyond the width, and not equal */
	x64_vload_c(x, T1, negative, negative);
	to_k(x, test, esz, 2, b, T1, 0);
	x64_vload_c(x, T1, negative & vwidth_lo(i, esz), negative & vwidth_hi(i));
	x64_v3(x, V_PANDN, T1, b, T1);
	to_k(x, test, esz, 1, T1, T1, 0);
	to_k(x, cmp, esz, 1, T0, a, 1);
	x64_b(x->b, 4);
	/* now the shift itself */
	if (round) {
		x64_vones(x, T1);
		x64_v3(x, V_PXOR, T1, T1, b);
		x64_v3cc(x, V_PAND, T1, T1, vrep(esz, 0xff));
		x64_v3(x, right, T1, a, T1);
		x64_v3cc(x, V_PAND, T0, T1, vrep(esz, 1));
		x64_vsh(x, esz == IR_D && sign ? (u32)V_SRAQ : group[esz], sign ? VSH_SRA : VSH_SRL, T1, T1, 1);
		x64_v3(x, padd[esz], T1, T1, T0);
	} else {
		x64_vzero(x, T1);
		x64_v3(x, psub[esz], T1, T1, b);
		x64_v3cc(x, V_PAND, T1, T1, vrep(esz, 0xff));
		x64_v3(x, right, T1, a, T1);
	}
	x64_v3cc(x, V_PAND, T0, b, vrep(esz, 0xff));
	x64_v3(x, sllv[esz], T0, a, T0);
	to_k(x, blend, esz, T0, T0, T1, 2);
	x64_vex_rr(x->b, VO(0, 1, 0x98), 1, 0, 1);	/* KORTESTW k1, k1 */
	x->cold_begin(x, X64_NE);
	x->helper(x, i, T0, a, b, c);
	x->cold_end(x);
	x64_vfin(x, i, esz, d, T0);
}

/*
 * Shifts by vector where there are none of such lanes: in ymm registers, with lanes twice as wide (halfwords with AVX2, bytes
 * with AVX-512). d is a temporary once b has been read for the last time. The last writes clear the registers' high halves.
 * Rounding: twice the lane is shifted, and (that + 1) >> 1 taken, which for a shift to the left changes nothing.
 */
void x64_vs_wide_shl(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VSSHL || i->op == IR_VSRSHL, round = i->op == IR_VURSHL || i->op == IR_VSRSHL;
	bool byte = i->esz == IR_B;
	unsigned wide = i->esz + 1, up = byte ? 8 : 24;
	u32 g = group[wide] | VO_256, zx = (byte ? V_PMOVZXBW : V_PMOVZXWD) | VO_256;

	(void)c;
	x64_v2(x, sign ? (byte ? V_PMOVSXBW : V_PMOVSXWD) | VO_256 : zx, T0, a);
	if (round)
		x64_vsh(x, g, VSH_SLL, T0, T0, 1);
	x64_vzero(x, T1);
	x64_v3(x, psub[i->esz], T1, T1, b);
	x64_v2(x, zx, T1, T1);
	x64_vsh(x, g, VSH_SLL, T1, T1, up);
	x64_vsh(x, g, VSH_SRL, T1, T1, up);
	x64_v3(x, (sign ? srav[wide] : srlv[wide]) | VO_256, T1, T0, T1);
	x64_v2(x, zx, d, b);
	x64_vsh(x, g, VSH_SLL, d, d, up);
	x64_vsh(x, g, VSH_SRL, d, d, up);
	x64_v3(x, sllv[wide] | VO_256, T0, T0, d);
	/* join: by the amount's sign, or simply where one of them is zero */
	if (!sign) {
		x64_v3(x, V_POR | VO_256, T0, T0, T1);
	} else {
		x64_vsh(x, g, VSH_SLL, d, d, up);
		if (byte) {
			x64_evex_rr(x->b, VO(2, 2, 0x29) | VO_W | VO_256, 1, 0, d);
			x64_evex_rr_k(x->b, VO(1, 2, 0x66) | VO_W | VO_256, T0, T0, T1, 1, 0);
		} else {
			x64_vex_rr(x->b, V_BLENDVPS | VO_256, T0, T0, T1);
			x64_b(x->b, d << 4);
		}
	}
	if (round) {
		x64_v3(x, V_PCMPEQD | VO_256, T1, T1, T1);
		x64_v3(x, psub[wide] | VO_256, T0, T0, T1);
		if (byte)
			x64_vsh(x, g, VSH_SRL, T0, T0, 1);
	}
	if (byte) {
		x64_evex_rr(x->b, VO(2, 2, 0x30) | VO_256, T0, 0, d);		/* VPMOVWB */
	} else {
		x64_vsh(x, g, VSH_SLL, T0, T0, round ? 15 : 16);
		x64_vsh(x, g, VSH_SRA, T0, T0, 16);
		x64_vex_rr(x->b, VO(1, 3, 0x39) | VO_256, T0, 0, T1);		/* VEXTRACTI128 */
		x64_b(x->b, 1);
		x64_v3(x, V_PACKSSDW, d, T0, T1);
	}
	x64_vzero(x, T0);
	x64_vzero(x, T1);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

/* --- narrowing -------------------------------------------------------------------------------- */
/* d = s's bytes `byte`.. of each wide lane, packed in the low half, and zero above; IR_HIGH: behind a's low half. */
static void narrow(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned byte, unsigned d, unsigned a, unsigned s)
{
	unsigned size = 1u << i->esz, t = i->imm & IR_HIGH ? s : d;
	u64 sel = 0;

	for (unsigned k = 0; k < 8; k++)
		sel |= (u64)(k / size * 2 * size + k % size + byte) << k * 8;
	if (i->width == IR_WS && i->esz < IR_S)
		sel |= ~0ull << (8u << i->esz);
	if (i->width == IR_WS && i->esz == IR_S)
		sel |= ~0ull << 32;
	x64_v3c(x, V_PSHUFB, t, s, sel, ~0ull);
	if (i->imm & IR_HIGH)
		x64_v3(x, V_PUNPCKLQDQ, d, a, t);
	x->d_zext = true;
}

/* XTN, SHRN, RSHRN. What rounding carries out of the wide lane is above what remains. */
void x64_vs_nshr(X64_VEC_ARGS)
{
	unsigned n = i->imm & 0xff, wide = i->esz + 1;

	(void)c;
	if (n && i->op == IR_VNRSHR) {
		x64_v3cc(x, padd[wide], T0, b, vrep(wide, 1ull << (n - 1)));
		b = T0;
	}
	if (n % 8) {
		x64_vsh(x, group[wide], VSH_SRL, T0, b, n);
		b = T0;
		n = 0;
	} else if (i->imm & IR_HIGH) {
		x64_vmov(x, T0, b);
		b = T0;
	}
	narrow(x, i, n / 8, d, a, b);
}

/* ADDHN and so on: the high halves of sums and differences. */
void x64_vs_naddh(X64_VEC_ARGS)
{
	bool sub = i->op == IR_VNSUBH || i->op == IR_VNRSUBH, round = i->op == IR_VNRADDH || i->op == IR_VNRSUBH;
	unsigned wide = i->esz + 1, size = 1u << i->esz;

	x64_v3(x, (sub ? psub : padd)[wide], T0, b, c);
	if (round)
		x64_v3cc(x, padd[wide], T0, T0, vrep(wide, 1ull << (8 * size - 1)));
	narrow(x, i, size, d, a, T0);
}

/* T0 = b >> n of the wide lanes, rounded; a rounding that only a saturating lane could feel may saturate. */
static void nsat_shift(struct x64_vec_ctx *x, const struct ir_inst *i, bool sign, bool round, unsigned b)
{
	unsigned n = i->imm & 0xff, wide = i->esz + 1;

	if (!n) {
		x64_vmov(x, T0, b);
		return;
	}
	if (round && i->esz == IR_B && n <= 6) {
		x64_v3cc(x, sign ? V_PADDSW : V_PADDUSW, T0, b, vrep(IR_H, 1ull << (n - 1)));
		x64_vsh(x, V_SHW, sign ? VSH_SRA : VSH_SRL, T0, T0, n);
		return;
	}
	if (sign)
		x64_vsar(x, wide, T0, b, n, T1);
	else
		x64_vshr(x, wide, T0, b, n);
	if (round) {
		round_bit(x, wide, T1, b, n);
		x64_v3(x, padd[wide], T0, T0, T1);
	}
}

/*
 * Saturating narrowing. Out of range is seen in the bits above the narrow element, after moving a signed range up to 0.
 * There is no pack from 64 bits: what saturates there goes the long way, the rest is cut.
 */
void x64_vs_nsat(X64_VEC_ARGS)
{
	bool sign_in = i->op != IR_VNUQS && i->op != IR_VNUQRS, sign_out = i->op == IR_VNSQS || i->op == IR_VNSQRS;
	bool round = i->op == IR_VNSQRS || i->op == IR_VNUQRS || i->op == IR_VNSQRU;
	unsigned wide = i->esz + 1, bits = 8u << i->esz;
	u64 upper = vrep(wide, ~0ull << bits);
	u32 pack;

	nsat_shift(x, i, sign_in, round, b);
	if (sign_out)
		x64_v3cc(x, padd[wide], T1, T0, vrep(wide, 1ull << (bits - 1)));
	if (i->esz == IR_S) {
		u64 hi = i->width == IR_WS ? 0 : upper;

		x64_vmem(x, V_PTEST, sign_out ? T1 : T0, 0, x64_mrip(x->pool(x, upper, hi)), -1, 16);
		if (i->imm & IR_HIGH) {
			x64_v3i(x, V_SHUFPS, T0, T0, T0, 0x88);
			x64_v3(x, V_PUNPCKLQDQ, T0, a, T0);
		} else {
			x64_v3c(x, V_PSHUFB, T0, T0, i->width == IR_WS ? 0xffffffff03020100ull : 0x0b0a090803020100ull, ~0ull);
		}
		x->cold_begin(x, X64_NE);
		x->helper(x, i, T0, a, b, c);
		x->cold_end(x);
		x64_vmov(x, d, T0);
		x->d_zext = true;
		return;
	}
	{
		/* scalar: only the first wide lane counts */
		u64 lo = i->width == IR_WS ? upper & ((1ull << (8u << wide)) - 1) : upper, hi = i->width == IR_WS ? 0 : upper;

		x64_vmem(x, V_PTEST, sign_out ? T1 : T0, 0, x64_mrip(x->pool(x, lo, hi)), -1, 16);
		x->cold_begin(x, X64_NE);
		x->set_qc(x);
		x->cold_end(x);
	}
	if (!sign_in)			/* the packs read signed lanes */
		x64_v3cc(x, i->esz == IR_B ? V_PMINUW : V_PMINUD, T0, T0, ~upper);
	if (sign_out)
		pack = i->esz == IR_B ? V_PACKSSWB : V_PACKSSDW;
	else
		pack = i->esz == IR_B ? V_PACKUSWB : V_PACKUSDW;
	x64_vzero(x, T1);
	x64_v3(x, pack, T0, T0, T1);
	if (i->imm & IR_HIGH)
		x64_v3(x, V_PUNPCKLQDQ, d, a, T0);
	else
		x64_vfin_z(x, i, i->esz, d, T0, i->width != IR_WS);
	x->d_zext = true;
}
