// SPDX-License-Identifier: MIT
/*
 * Integer vector operations other than shifts and permutes. In: registers as the allocator chose them; out: code. Each
 * function works in T0 and T1, and in d once the operand that d may be has been read for the last time.
 */
#include "host/x64/vec_impl.h"

static const u32 padd[4] = { V_PADDB, V_PADDW, V_PADDD, V_PADDQ };
static const u32 psub[4] = { V_PSUBB, V_PSUBW, V_PSUBD, V_PSUBQ };

static bool zext_ab(const struct x64_vec_ctx *x)
{
	return x->a_zext && x->b_zext;
}

/* Operations that are one instruction and give 0 for 0, 0. */
void x64_vi_bin(X64_VEC_ARGS)
{
	u32 o = vdesc(i)->opc[i->esz];
	bool zext = zext_ab(x) || (o == V_PAND && (x->a_zext || x->b_zext));

	(void)c;
	x64_v3(x, o, d, a, b);
	x64_vfin_z(x, i, i->esz, d, d, zext);
}

void x64_vi_not(X64_VEC_ARGS)
{
	(void)b, (void)c;
	if (v512(x)) {
		x64_v3(x, V_PTERNLOG, d, a, a);
		x64_b(x->b, 0x55);
	} else {
		x64_vones(x, T0);
		x64_v3(x, V_PXOR, d, T0, a);
	}
	x64_vfin(x, i, IR_B, d, d);
}

void x64_vi_bic(X64_VEC_ARGS)
{
	(void)c;
	x64_v3(x, V_PANDN, d, b, a);
	x64_vfin_z(x, i, IR_B, d, d, x->a_zext);
}

void x64_vi_orn(X64_VEC_ARGS)
{
	(void)c;
	x64_vones(x, T0);
	x64_v3(x, V_PXOR, T0, T0, b);
	x64_v3(x, V_POR, d, T0, a);
	x64_vfin(x, i, IR_B, d, d);
}

void x64_vi_bsl(X64_VEC_ARGS)
{
	bool zext = x->b_zext && x->c_zext;

	if (!v512(x)) {
		x64_v3(x, V_PAND, T0, a, b);
		x64_vmov(x, T1, a);
		x64_v3(x, V_PANDN, T1, T1, c);
		x64_v3(x, V_POR, d, T0, T1);
	} else if (d == b) {		/* the instruction's first source is d: the truth table depends on which one that is */
		x64_v3(x, V_PTERNLOG, d, a, c);
		x64_b(x->b, 0xe2);
	} else if (d == c) {
		x64_v3(x, V_PTERNLOG, d, a, b);
		x64_b(x->b, 0xb8);
	} else {
		x64_vmov(x, d, a);
		x64_v3(x, V_PTERNLOG, d, b, c);
		x64_b(x->b, 0xca);
	}
	x64_vfin_z(x, i, IR_B, d, d, zext);
}

/* d (or a temporary) = a * b; bytes: even and odd products apart. */
static void mul(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b)
{
	if (esz != IR_B) {
		x64_v3(x, esz == IR_H ? V_PMULLW : V_PMULLD, d, a, b);
		return;
	}
	x64_vsh(x, V_SHW, VSH_SRL, T0, b, 8);
	x64_v3cc(x, V_PAND, T1, a, 0xff00ff00ff00ff00ull);
	x64_v3(x, V_PMULLW, T0, T0, T1);
	x64_v3(x, V_PMULLW, T1, a, b);
	x64_v3cc(x, V_PAND, T1, T1, 0x00ff00ff00ff00ffull);
	x64_v3(x, V_POR, d, T1, T0);
}

void x64_vi_mul(X64_VEC_ARGS)
{
	(void)c;
	mul(x, i->esz, d, a, b);
	x64_vfin_z(x, i, i->esz, d, d, zext_ab(x));
}

void x64_vi_mla(X64_VEC_ARGS)
{
	mul(x, i->esz, T0, b, c);
	x64_v3(x, (i->op == IR_VMLA ? padd : psub)[i->esz], d, a, T0);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext && (x->b_zext || x->c_zext));
}

void x64_vi_neg(X64_VEC_ARGS)
{
	(void)b, (void)c;
	x64_vzero(x, T0);
	x64_v3(x, psub[i->esz], d, T0, a);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

void x64_vi_abs(X64_VEC_ARGS)
{
	static const u32 o[4] = { V_PABSB, V_PABSW, V_PABSD, V_PABSQ };

	(void)b, (void)c;
	if (i->esz != IR_D || v512(x)) {
		x64_v2(x, o[i->esz], d, a);
	} else {
		x64_vzero(x, T0);
		x64_vcmpgt(x, IR_D, T0, T0, a);
		x64_v3(x, V_PXOR, T1, a, T0);
		x64_v3(x, V_PSUBQ, d, T1, T0);
	}
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

static void abd(struct x64_vec_ctx *x, unsigned esz, bool sign, unsigned d, unsigned a, unsigned b)
{
	static const u32 max[2][3] = { { V_PMAXUB, V_PMAXUW, V_PMAXUD }, { V_PMAXSB, V_PMAXSW, V_PMAXSD } };
	static const u32 min[2][3] = { { V_PMINUB, V_PMINUW, V_PMINUD }, { V_PMINSB, V_PMINSW, V_PMINSD } };

	x64_v3(x, max[sign][esz], T0, a, b);
	x64_v3(x, min[sign][esz], T1, a, b);
	x64_v3(x, psub[esz], d, T0, T1);
}

void x64_vi_abd(X64_VEC_ARGS)
{
	(void)c;
	abd(x, i->esz, i->op == IR_VSABD, d, a, b);
	x64_vfin_z(x, i, i->esz, d, d, zext_ab(x));
}

/* VSABDL and VUABDL: the difference fits the narrow element unsigned. */
void x64_vi_labd(X64_VEC_ARGS)
{
	static const u32 zx[3] = { V_PMOVZXBW, V_PMOVZXWD, V_PMOVZXDQ };
	static const u32 zxh[3] = { V_PUNPCKHBW, V_PUNPCKHWD, V_PUNPCKHDQ };

	(void)c;
	abd(x, i->esz, i->op == IR_VLSABD, T0, a, b);
	if (i->imm & 1) {
		x64_vzero(x, T1);
		x64_v3(x, zxh[i->esz], d, T0, T1);
	} else {
		x64_v2(x, zx[i->esz], d, T0);
	}
	x64_vfin(x, i, i->esz + 1, d, d);
}

/* Halving adds, rounding or not: a + b = 2 (a & b) + (a ^ b) = 2 (a | b) - (a ^ b). */
void x64_vi_hadd(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VSHADD || i->op == IR_VSRHADD, round = i->op == IR_VSRHADD || i->op == IR_VURHADD;
	unsigned esz = i->esz;

	(void)c;
	if (round && !sign && esz < IR_S) {
		x64_v3(x, esz == IR_B ? V_PAVGB : V_PAVGW, d, a, b);
		x64_vfin_z(x, i, esz, d, d, zext_ab(x));
		return;
	}
	x64_v3(x, V_PXOR, T0, a, b);
	if (sign)
		x64_vsar(x, esz, T0, T0, 1, T1);
	else
		x64_vshr(x, esz, T0, T0, 1);
	x64_v3(x, round ? V_POR : V_PAND, T1, a, b);
	x64_v3(x, (round ? psub : padd)[esz], d, T1, T0);
	x64_vfin_z(x, i, esz, d, d, zext_ab(x));
}

/* a - b = (a ^ b) - 2 (~a & b) */
void x64_vi_hsub(X64_VEC_ARGS)
{
	unsigned esz = i->esz;

	(void)c;
	x64_v3(x, V_PXOR, T0, a, b);
	if (i->op == IR_VSHSUB)
		x64_vsar(x, esz, T0, T0, 1, T1);
	else
		x64_vshr(x, esz, T0, T0, 1);
	x64_vmov(x, T1, a);
	x64_v3(x, V_PANDN, T1, T1, b);
	x64_v3(x, psub[esz], d, T0, T1);
	x64_vfin_z(x, i, esz, d, d, zext_ab(x));
}

/*
 * Wrapping result in T0, lanes that overflowed have their sign bit set in T1: those go the long way. Then d = T0.
 */
void x64_vrare(X64_VEC_ARGS)
{
	u64 bits = vsignbits(i->esz);

	x64_vmem(x, V_PTEST, T1, 0, x64_mrip(x->pool(x, bits & vwidth_lo(i, i->esz), bits & vwidth_hi(i))), -1, 16);
	x->cold_begin(x, X64_NE);
	x->helper(x, i, T0, a, b, c);
	x->cold_end(x);
	x64_vfin(x, i, i->esz, d, T0);
}

/* Unsigned, words and doublewords (those with AVX-512): saturated in T0 by min or max, compared with the wrapped one. */
static void usat_wide(struct x64_vec_ctx *x, const struct ir_inst *i, bool sub, unsigned d, unsigned a, unsigned b)
{
	bool dw = i->esz == IR_D;
	u32 min = dw ? (u32)(VO(1, 2, 0x3b) | VO_W | VO_EVEX) : (u32)V_PMINUD;
	u32 max = dw ? (u32)(VO(1, 2, 0x3f) | VO_W | VO_EVEX) : (u32)V_PMAXUD;

	if (sub) {
		x64_v3(x, max, T0, a, b);
		x64_v3(x, psub[i->esz], T0, T0, b);
		x64_v3(x, psub[i->esz], T1, a, b);
	} else {
		x64_vones(x, T1);
		x64_v3(x, V_PXOR, T1, T1, b);
		x64_v3(x, min, T0, T1, a);
		x64_v3(x, padd[i->esz], T0, T0, b);
		x64_v3(x, padd[i->esz], T1, a, b);
	}
	x64_v3(x, V_PXOR, T1, T1, T0);
	x64_vqc(x, i, i->esz, T1, ~0ull);
	x64_vfin_z(x, i, i->esz, d, T0, zext_ab(x));
}

/* SQADD and so on. Bytes and halfwords: saturated in T0, and QC where wrapping gives something else. */
void x64_vi_satadd(X64_VEC_ARGS)
{
	bool sub = i->op == IR_VSQSUB || i->op == IR_VUQSUB, sign = i->op == IR_VSQADD || i->op == IR_VSQSUB;
	unsigned esz = i->esz;

	if (esz < IR_S) {
		x64_v3(x, vdesc(i)->opc[esz], T0, a, b);
		x64_v3(x, (sub ? psub : padd)[esz], T1, a, b);
		x64_v3(x, V_PXOR, T1, T1, T0);
		x64_vqc(x, i, esz, T1, ~0ull);
		x64_vfin_z(x, i, esz, d, T0, zext_ab(x));
		return;
	}
	if (!sign) {
		usat_wide(x, i, sub, d, a, b);
		return;
	}
	x64_v3(x, (sub ? psub : padd)[esz], T0, a, b);
	/* overflow: the result went the wrong way for b's sign */
	if (sub)
		x64_vcmpgt(x, esz, T1, T0, a);
	else
		x64_vcmpgt(x, esz, T1, a, T0);
	x64_v3(x, V_PXOR, T1, T1, b);
	x64_vrare(x, i, d, a, b, c);
}

/* One operand signed, the other not; bytes and halfwords. */
void x64_vi_satmixed(X64_VEC_ARGS)
{
	unsigned esz = i->esz;
	u32 addus = esz == IR_B ? V_PADDUSB : V_PADDUSW;

	(void)c;
	if (i->op == IR_VSUQADD) {	/* a signed: moved up, so that the sum can only saturate at the top */
		x64_v3cc(x, V_PXOR, T0, a, vsignbits(esz));
		x64_v3(x, addus, T0, T0, b);
		x64_v3cc(x, V_PXOR, T0, T0, vsignbits(esz));
	} else {			/* b signed: add what is positive, take off what is negative */
		x64_vzero(x, T1);
		x64_v3(x, esz == IR_B ? V_PMAXSB : V_PMAXSW, T0, T1, b);
		x64_v3(x, addus, T0, T0, a);
		x64_v3(x, esz == IR_B ? V_PMINSB : V_PMINSW, T1, T1, b);
		x64_v2(x, esz == IR_B ? V_PABSB : V_PABSW, T1, T1);
		x64_v3(x, esz == IR_B ? V_PSUBUSB : V_PSUBUSW, T0, T0, T1);
	}
	x64_v3(x, padd[esz], T1, a, b);
	x64_v3(x, V_PXOR, T1, T1, T0);
	x64_vqc(x, i, esz, T1, ~0ull);
	x64_vfin_z(x, i, esz, d, T0, zext_ab(x));
}

/* d = saturating negation or absolute value: only the smallest number saturates, and wrapping leaves it alone. */
void x64_vi_satneg(X64_VEC_ARGS)
{
	unsigned esz = i->esz;

	if (i->op == IR_VSQABS && (esz != IR_D || v512(x))) {
		x64_v2(x, ((const u32[4]){ V_PABSB, V_PABSW, V_PABSD, V_PABSQ })[esz], T0, a);
		x64_vmov(x, T1, T0);
	} else if (i->op == IR_VSQABS) {
		x64_vzero(x, T0);
		x64_vcmpgt(x, IR_D, T1, T0, a);
		x64_v3(x, V_PXOR, T0, a, T1);
		x64_v3(x, V_PSUBQ, T0, T0, T1);
		x64_vmov(x, T1, T0);
	} else {
		x64_vzero(x, T0);
		x64_v3(x, psub[esz], T0, T0, a);
		x64_v3(x, V_PAND, T1, T0, a);
	}
	x64_vrare(x, i, d, a, b, c);
}

/* d = the high half of 2 a b, rounded or not. It can be the smallest number only where it saturates. */
void x64_vi_qdmulh(X64_VEC_ARGS)
{
	bool round = i->op == IR_VSQRDMULH;
	unsigned esz = i->esz;

	(void)c;
	if (esz == IR_H && round) {
		x64_v3(x, V_PMULHRSW, T0, a, b);
	} else if (esz == IR_H) {
		x64_v3(x, V_PMULHW, T0, a, b);
		x64_v3(x, V_PMULLW, T1, a, b);
		x64_v3(x, V_PADDW, T0, T0, T0);
		x64_vsh(x, V_SHW, VSH_SRL, T1, T1, 15);
		x64_v3(x, V_POR, T0, T0, T1);
	} else {
		x64_v2i(x, V_PSHUFD, T0, a, 0xf5);
		x64_v2i(x, V_PSHUFD, T1, b, 0xf5);
		x64_v3(x, V_PMULDQ, T0, T0, T1);
		x64_v3(x, V_PMULDQ, T1, a, b);
		x64_v3(x, V_PADDQ, T0, T0, T0);
		x64_v3(x, V_PADDQ, T1, T1, T1);
		if (round) {
			x64_v3cc(x, V_PADDQ, T0, T0, 0x80000000ull);
			x64_v3cc(x, V_PADDQ, T1, T1, 0x80000000ull);
		}
		x64_vsh(x, V_SHQ, VSH_SRL, T1, T1, 32);
		x64_v3i(x, V_PBLENDW, T0, T1, T0, 0xcc);
	}
	x64_v3cc(x, esz == IR_H ? V_PCMPEQW : V_PCMPEQD, T1, T0, vsignbits(esz));
	x64_v3(x, V_PXOR, T0, T0, T1);
	x64_vqc(x, i, esz, T1, ~0ull);
	x64_vfin(x, i, esz, d, T0);
}

/* Four products of bytes added to each word: even and odd bytes as halfwords. d serves as a temporary at the end. */
void x64_vi_dot(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VSDOT;
	unsigned first = d == c ? b : c, second = d == c ? c : b;

	if (sign) {
		x64_vsh(x, V_SHW, VSH_SLL, T0, b, 8);
		x64_vsh(x, V_SHW, VSH_SLL, T1, c, 8);
		x64_vsh(x, V_SHW, VSH_SRA, T0, T0, 8);
		x64_vsh(x, V_SHW, VSH_SRA, T1, T1, 8);
	} else {
		x64_v3cc(x, V_PAND, T0, b, 0x00ff00ff00ff00ffull);
		x64_v3cc(x, V_PAND, T1, c, 0x00ff00ff00ff00ffull);
	}
	x64_v3(x, V_PMADDWD, T0, T0, T1);
	x64_v3(x, V_PADDD, T0, T0, a);
	x64_vsh(x, V_SHW, sign ? VSH_SRA : VSH_SRL, T1, first, 8);
	x64_vsh(x, V_SHW, sign ? VSH_SRA : VSH_SRL, d, second, 8);
	x64_v3(x, V_PMADDWD, T1, T1, d);
	x64_v3(x, V_PADDD, d, T0, T1);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext && (x->b_zext || x->c_zext));
}

/* --- compares --------------------------------------------------------------------------------- */
static const u32 kcmp_s[4] = { VO(1, 3, 0x3f), VO(1, 3, 0x3f) | VO_W, VO(1, 3, 0x1f), VO(1, 3, 0x1f) | VO_W };
static const u32 kcmp_u[4] = { VO(1, 3, 0x3e), VO(1, 3, 0x3e) | VO_W, VO(1, 3, 0x1e), VO(1, 3, 0x1e) | VO_W };
enum { KLE = 2, KNLT = 5, KNLE = 6 };

static bool kform(const struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b)
{
	return v512(x) && ((d | a | b) >= 16 || esz == IR_D);
}

void x64_vi_cmpeq(X64_VEC_ARGS)
{
	(void)c;
	x64_vcmpeq(x, i->esz, d, a, b);
	x64_vfin(x, i, i->esz, d, d);
}

void x64_vi_cmpgt(X64_VEC_ARGS)
{
	(void)c;
	x64_vcmpgt(x, i->esz, d, a, b);
	x64_vfin_z(x, i, i->esz, d, d, zext_ab(x));
}

/* a >= b: max(a, b) == a. 64-bit: not b > a. */
void x64_vi_cmpge(X64_VEC_ARGS)
{
	static const u32 max[3] = { V_PMAXSB, V_PMAXSW, V_PMAXSD };
	unsigned esz = i->esz;

	(void)c;
	if (kform(x, esz, d, a, b)) {
		x64_vkcmp(x, kcmp_s[esz], esz, d, a, b, KNLT);
	} else if (esz == IR_D) {
		x64_vcmpgt(x, IR_D, T0, b, a);
		x64_vones(x, T1);
		x64_v3(x, V_PXOR, d, T0, T1);
	} else {
		x64_v3(x, max[esz], T0, a, b);
		x64_vcmpeq(x, esz, d, T0, a);
	}
	x64_vfin(x, i, esz, d, d);
}

void x64_vi_cmphs(X64_VEC_ARGS)
{
	static const u32 max[3] = { V_PMAXUB, V_PMAXUW, V_PMAXUD };
	unsigned esz = i->esz;

	(void)c;
	if (kform(x, esz, d, a, b)) {
		x64_vkcmp(x, kcmp_u[esz], esz, d, a, b, KNLT);
	} else if (esz == IR_D) {
		x64_v3cc(x, V_PXOR, T0, a, vsignbits(esz));
		x64_v3cc(x, V_PXOR, T1, b, vsignbits(esz));
		x64_vcmpgt(x, esz, T1, T1, T0);
		x64_vones(x, T0);
		x64_v3(x, V_PXOR, d, T0, T1);
	} else {
		x64_v3(x, max[esz], T0, a, b);
		x64_vcmpeq(x, esz, d, T0, a);
	}
	x64_vfin(x, i, esz, d, d);
}

void x64_vi_cmphi(X64_VEC_ARGS)
{
	static const u32 min[3] = { V_PMINUB, V_PMINUW, V_PMINUD };
	unsigned esz = i->esz;

	(void)c;
	if (kform(x, esz, d, a, b)) {
		x64_vkcmp(x, kcmp_u[esz], esz, d, a, b, KNLE);
	} else if (esz == IR_D) {
		x64_v3cc(x, V_PXOR, T0, a, vsignbits(esz));
		x64_v3cc(x, V_PXOR, T1, b, vsignbits(esz));
		x64_vcmpgt(x, esz, d, T0, T1);
	} else {
		x64_v3(x, min[esz], T0, a, b);
		x64_vcmpeq(x, esz, T0, T0, a);
		x64_vones(x, T1);
		x64_v3(x, V_PXOR, d, T0, T1);
	}
	x64_vfin_z(x, i, esz, d, d, zext_ab(x));
}

void x64_vi_cmtst(X64_VEC_ARGS)
{
	static const u32 o[4] = { VO(1, 2, 0x26), VO(1, 2, 0x26) | VO_W, VO(1, 2, 0x27), VO(1, 2, 0x27) | VO_W };
	unsigned esz = i->esz;

	(void)c;
	if (kform(x, esz, d, a, b)) {
		x64_vkcmp(x, o[esz], esz, d, a, b, -1);
	} else {
		if (a != b)
			x64_v3(x, V_PAND, T0, a, b);
		x64_vzero(x, T1);
		x64_vcmpeq(x, esz, T0, a != b ? T0 : a, T1);
		x64_vones(x, T1);
		x64_v3(x, V_PXOR, d, T0, T1);
	}
	x64_vfin_z(x, i, esz, d, d, x->a_zext || x->b_zext);
}

/* --- bit counts ------------------------------------------------------------------------------- */
/*
 * d = op(hi[high nibble], lo[low nibble]) of each byte of a, by table look-up. a is read before d is written.
 */
static void nibbles(struct x64_vec_ctx *x, unsigned d, unsigned a, u32 op, const u64 hi[2], const u64 lo[2])
{
	x64_vsh(x, V_SHW, VSH_SRL, T0, a, 4);
	x64_v3cc(x, V_PAND, T0, T0, 0x0f0f0f0f0f0f0f0full);
	x64_vload_c(x, T1, hi[0], hi[1]);
	x64_v3(x, V_PSHUFB, T1, T1, T0);
	x64_v3cc(x, V_PAND, T0, a, 0x0f0f0f0f0f0f0f0full);
	x64_vload_c(x, d, lo[0], lo[1]);
	x64_v3(x, V_PSHUFB, d, d, T0);
	x64_v3(x, op, d, d, T1);
}

void x64_vi_cnt(X64_VEC_ARGS)
{
	static const u64 t[2] = { 0x0302020102010100ull, 0x0403030203020201ull };

	(void)b, (void)c;
	if (has(x, HOST_AVX512 | HOST_BITALG))
		x64_v2(x, V_POPCNTB, d, a);
	else
		nibbles(x, d, a, V_PADDB, t, t);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

void x64_vi_rbit(X64_VEC_ARGS)
{
	static const u64 lo[2] = { 0xe060a020c0408000ull, 0xf070b030d0509010ull };
	static const u64 hi[2] = { 0x0e060a020c040800ull, 0x0f070b030d050901ull };

	(void)b, (void)c;
	if (has(x, HOST_GFNI))
		x64_v3ci(x, V_AFFINE, d, a, 0x8040201008040201ull, 0x8040201008040201ull, 0);
	else
		nibbles(x, d, a, V_POR, hi, lo);
	x64_vfin_z(x, i, i->esz, d, d, x->a_zext);
}

/* d = leading zeros of a's lanes; a is read before d is written. */
static void clz(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a)
{
	static const u64 hi[2] = { 0x0101010102020308ull, 0 };
	static const u64 lo[2] = { 0x0505050506060708ull, 0x0404040404040404ull };

	if (esz == IR_S && v512(x)) {
		x64_v2(x, V_PLZCNTD, d, a);
		return;
	}
	nibbles(x, d, a, V_PMINUB, hi, lo);
	/* Join pairs: the high half's count, and the low one's too where that is full. */
	for (unsigned e = IR_H; e <= esz; e++) {
		unsigned half = 4u << e;
		u32 group = e == IR_H ? V_SHW : V_SHD;

		x64_vload_c(x, T0, vrep(e, (u64)half << half), vrep(e, (u64)half << half));
		x64_vcmpeq(x, e - 1, T0, T0, d);
		x64_vsh(x, group, VSH_SRL, T0, T0, half);
		x64_v3(x, V_PAND, T0, T0, d);
		x64_vsh(x, group, VSH_SRL, d, d, half);
		x64_v3(x, padd[e], d, d, T0);
	}
}

void x64_vi_clz(X64_VEC_ARGS)
{
	unsigned esz = i->esz;

	(void)b, (void)c;
	if (i->op == IR_VCLZ) {
		clz(x, esz, d, a);
	} else {
		/* the sign bits that follow: leading zeros of a with its sign folded in, less the sign itself */
		x64_vsar(x, esz, T0, a, 8u << esz, T1);
		x64_v3(x, V_PXOR, d, a, T0);
		clz(x, esz, d, d);
		x64_vones(x, T0);
		x64_v3(x, padd[esz], d, d, T0);
	}
	x64_vfin(x, i, esz, d, d);
}

/* --- widening --------------------------------------------------------------------------------- */
static const u32 sx[3] = { V_PMOVSXBW, V_PMOVSXWD, V_PMOVSXDQ };
static const u32 zx[3] = { V_PMOVZXBW, V_PMOVZXWD, V_PMOVZXDQ };

static void extend(struct x64_vec_ctx *x, const struct ir_inst *i, bool sign, unsigned d, unsigned s)
{
	if (i->imm & 1) {
		x64_v2i(x, V_PSHUFD, d, s, 0xee);
		s = d;
	}
	x64_v2(x, (sign ? sx : zx)[i->esz], d, s);
}

void x64_vi_lext(X64_VEC_ARGS)
{
	(void)b, (void)c;
	extend(x, i, i->op == IR_VLSXT, d, a);
	x64_vfin(x, i, i->esz + 1, d, d);
}

/* d = the products of the chosen halves, widened; esz H and S. */
static void lmul(struct x64_vec_ctx *x, const struct ir_inst *i, bool sign, unsigned d, unsigned a, unsigned b)
{
	bool high = i->imm & 1;

	if (i->esz == IR_H) {
		x64_v3(x, V_PMULLW, T0, a, b);
		x64_v3(x, sign ? V_PMULHW : V_PMULHUW, T1, a, b);
		x64_v3(x, high ? V_PUNPCKHWD : V_PUNPCKLWD, d, T0, T1);
	} else {
		x64_v2i(x, V_PSHUFD, T0, a, high ? 0xfa : 0x50);
		x64_v2i(x, V_PSHUFD, T1, b, high ? 0xfa : 0x50);
		x64_v3(x, sign ? V_PMULDQ : V_PMULUDQ, d, T0, T1);
	}
}

void x64_vi_lmul(X64_VEC_ARGS)
{
	bool sign = i->op == IR_VLSMUL;

	(void)c;
	if (i->esz == IR_B) {
		extend(x, i, sign, T0, a);
		extend(x, i, sign, T1, b);
		x64_v3(x, V_PMULLW, d, T0, T1);
	} else {
		lmul(x, i, sign, d, a, b);
	}
	x64_vfin(x, i, i->esz + 1, d, d);
}

/* Only MIN * MIN saturates when doubled: to the smallest number, which nothing else gives. */
void x64_vi_lqdmul(X64_VEC_ARGS)
{
	unsigned esz = i->esz + 1;

	(void)c;
	lmul(x, i, true, T0, a, b);
	x64_v3(x, padd[esz], T0, T0, T0);
	x64_v3cc(x, esz == IR_S ? V_PCMPEQD : V_PCMPEQQ, T1, T0, vsignbits(esz));
	x64_v3(x, V_PXOR, T0, T0, T1);
	x64_vqc(x, i, esz, T1, ~0ull);
	x64_vfin(x, i, esz, d, T0);
}

void x64_vi_lpmul(X64_VEC_ARGS)
{
	(void)c;
	a = x64_vlow(x, a, T0);
	b = x64_vlow(x, b, T1);
	x64_v3i(x, V_PCLMUL, d < 16 ? d : T0, a, b, i->imm & 1 ? 0x11 : 0x00);
	if (d >= 16)
		x64_vmov(x, d, T0);
}
