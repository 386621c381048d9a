// SPDX-License-Identifier: MIT
/*
 * Vector permutes, pairwise and across-lane operations. PSHUFB's constants end with 0x80 above the width, so that the
 * result is zero there without another instruction.
 */
#include "host/x64/vec_impl.h"

/* d = s's bytes in the order sel[0..15] (0x80: zero). */
static void shuffle(struct x64_vec_ctx *x, unsigned d, unsigned s, const u8 sel[16])
{
	u64 w[2];

	__builtin_memcpy(w, sel, 16);
	x64_v3c(x, V_PSHUFB, d, s, w[0], w[1]);
}

static unsigned width_bytes(const struct ir_inst *i)
{
	return i->width == IR_WS ? 1u << i->esz : i->width == IR_W64 ? 8 : 16;
}

void x64_vp_dupl(X64_VEC_ARGS)
{
	unsigned esz = i->esz, lane = i->imm & 15, n = width_bytes(i), size = 1u << esz;
	u8 sel[16];

	(void)b, (void)c;
	x->d_zext = i->width != IR_W128;
	if (esz == IR_D && i->width == IR_W128) {
		x64_v2i(x, V_PSHUFD, d, a, lane ? 0xee : 0x44);
	} else if (esz == IR_D && lane) {
		x64_vsh(x, V_SHDQ, VSH_SRLDQ, d, a, 8);
	} else if (esz == IR_S && i->width == IR_W128) {
		x64_v2i(x, V_PSHUFD, d, a, lane * 0x55);
	} else if (esz == IR_S && i->width == IR_WS) {
		x64_v3i(x, V_INSERTPS, d, a, a, lane << 6 | 0x0e);
	} else if (esz == IR_S) {
		x64_v2i(x, V_PSHUFD, d, a, lane * 0x55);
		x64_v2(x, V_MOVQ, d, d);
	} else if (esz == IR_D) {
		x64_v2(x, V_MOVQ, d, a);
	} else if (!lane && i->width == IR_W128 && has(x, HOST_AVX2)) {
		x64_v2(x, esz == IR_B ? V_PBROADCASTB : V_PBROADCASTW, d, a);
	} else {
		for (unsigned k = 0; k < 16; k++)
			sel[k] = k < n ? lane * size + k % size : 0x80;
		shuffle(x, d, a, sel);
	}
}

void x64_vp_insl(X64_VEC_ARGS)
{
	unsigned to = i->imm & 15, from = i->imm >> 4 & 15;

	(void)c;
	if (i->esz == IR_D && to == 1 && from == 0) {
		x64_v3(x, V_PUNPCKLQDQ, d, a, b);
	} else if (i->esz == IR_D && to == 1) {
		x64_v3i(x, V_SHUFPD, d, a, b, 2);
	} else if (i->esz == IR_D) {
		x64_v3i(x, V_SHUFPD, d, b, a, from ? 3 : 2);
	} else if (i->esz == IR_S) {
		x64_v3i(x, V_INSERTPS, d, a, b, from << 6 | to << 4);
	} else {
		/* through eax */
		x64_v2i(x, i->esz == IR_B ? V_PEXTRB : V_PEXTRW, b, RAX, from);
		x64_v3i(x, i->esz == IR_B ? V_PINSRB : V_PINSRW, d, a, RAX, to);
	}
}

void x64_vp_mov(X64_VEC_ARGS)
{
	(void)b, (void)c;
	x64_vfin_z(x, i, i->esz, d, a, x->a_zext);
}

void x64_vp_rev(X64_VEC_ARGS)
{
	unsigned size = 1u << i->esz, cont = (unsigned)i->imm, n = width_bytes(i);
	u8 sel[16];

	(void)b, (void)c;
	if (i->esz == IR_S && i->width == IR_W128) {
		x64_v2i(x, V_PSHUFD, d, a, 0xb1);
		return;
	}
	for (unsigned k = 0; k < 16; k++) {
		unsigned in = k % cont;

		sel[k] = k < n ? k - in + (cont - size - in / size * size) + in % size : 0x80;
	}
	shuffle(x, d, a, sel);
	x->d_zext = n < 16;
}

/*
 * Returns the register of the odd elements of a:b (of their low halves for IR_W64); the even ones are in T0. a and b are read
 * before d is written.
 */
static unsigned evens_odds(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b)
{
	unsigned size = 1u << i->esz;
	u8 sel[16];

	if (i->esz == IR_D && i->width == IR_WS) {
		x64_v2i(x, V_PSHUFD, T1, a, 0xee);
		x64_vmov(x, T0, a);
		return T1;
	}
	if (i->esz >= IR_S && i->width == IR_W128) {
		bool dw = i->esz == IR_D;

		x64_v3i(x, dw ? V_SHUFPD : V_SHUFPS, T0, a, b, dw ? 0 : 0x88);
		x64_v3i(x, dw ? V_SHUFPD : V_SHUFPS, T1, a, b, dw ? 3 : 0xdd);
		return T1;
	}
	for (unsigned k = 0; k < 8; k++) {
		sel[k] = k / size * 2 * size + k % size;
		sel[k + 8] = sel[k] + size;
	}
	if (i->width == IR_W128 && a != b) {
		shuffle(x, T0, a, sel);
		shuffle(x, T1, b, sel);
		x64_v3(x, V_PUNPCKHQDQ, d, T0, T1);
		x64_v3(x, V_PUNPCKLQDQ, T0, T0, T1);
		return d;
	}
	if (i->width == IR_W128) {
		shuffle(x, T0, a, sel);
	} else if (i->esz == IR_S) {
		x64_v3(x, V_PUNPCKLDQ, T0, a, b);
	} else {
		x64_v3(x, V_PUNPCKLQDQ, T0, a, b);
		shuffle(x, T0, T0, sel);
	}
	x64_v2i(x, V_PSHUFD, T1, T0, 0x4e);
	return T1;
}

/* Pairwise; the operation is commutative. */
void x64_vp_pair(X64_VEC_ARGS)
{
	unsigned o = evens_odds(x, i, d, a, b);

	(void)c;
	x64_v3(x, vdesc(i)->opc[i->esz], d, o, T0);
	x64_vfin(x, i, i->esz, d, d);
}

/* d = sums of pairs of a's lanes, twice as wide. a may be T0. */
static void addlp(struct x64_vec_ctx *x, unsigned esz, bool sign, unsigned d, unsigned a)
{
	if (esz == IR_B && sign) {
		x64_vload_c(x, T0, vrep(IR_B, 1), vrep(IR_B, 1));
		x64_v3(x, V_PMADDUBSW, d, T0, a);
	} else if (esz == IR_B) {
		x64_v3cc(x, V_PMADDUBSW, d, a, vrep(IR_B, 1));
	} else if (esz == IR_H && sign) {
		x64_v3cc(x, V_PMADDWD, d, a, vrep(IR_H, 1));
	} else if (esz == IR_H) {
		x64_v3cc(x, V_PAND, T1, a, vrep(IR_S, 0xffff));
		x64_vsh(x, V_SHD, VSH_SRL, T0, a, 16);
		x64_v3(x, V_PADDD, d, T0, T1);
	} else if (sign) {
		x64_v3cc(x, V_PMULDQ, T1, a, 1);
		x64_vsh(x, V_SHQ, VSH_SRL, T0, a, 32);
		x64_v3cc(x, V_PMULDQ, T0, T0, 1);
		x64_v3(x, V_PADDQ, d, T0, T1);
	} else {
		x64_v3cc(x, V_PAND, T1, a, 0xffffffffull);
		x64_vsh(x, V_SHQ, VSH_SRL, T0, a, 32);
		x64_v3(x, V_PADDQ, d, T0, T1);
	}
}

void x64_vp_addlp(X64_VEC_ARGS)
{
	(void)b, (void)c;
	addlp(x, i->esz, i->op == IR_VSADDLP, d, a);
	x64_vfin_z(x, i, i->esz + 1, d, d, x->a_zext);
}

/* d = s's lowest bits, zero above. */
static void lowest(struct x64_vec_ctx *x, unsigned bits, unsigned d, unsigned s)
{
	if (bits == 64)
		x64_v2(x, V_MOVQ, d, s);
	else if (bits == 32)
		x64_v3i(x, V_INSERTPS, d, s, s, 0x0e);
	else
		x64_v3c(x, V_PAND, d, s, (1ull << bits) - 1, 0);
	x->d_zext = true;
}

/* T0's 32-bit lanes added up in the lowest one; `wide`: 64-bit lanes. */
static void sum_lanes(struct x64_vec_ctx *x, bool four, bool wide)
{
	if (four || wide) {
		x64_v2i(x, V_PSHUFD, T1, T0, 0xee);
		x64_v3(x, wide ? V_PADDQ : V_PADDD, T0, T0, T1);
	}
	if (!wide) {
		x64_v2i(x, V_PSHUFD, T1, T0, 0x55);
		x64_v3(x, V_PADDD, T0, T0, T1);
	}
}

/* ADDV, SADDLV, UADDLV: across all lanes of the source width. */
void x64_vp_addv(X64_VEC_ARGS)
{
	bool full = i->imm == IR_W128, longer = i->op != IR_VADDV, sign = i->op == IR_VSADDLV;
	unsigned esz = i->esz, bits = (8u << esz) << longer, s = a;

	(void)b, (void)c;
	if (!full && !(esz == IR_S)) {
		x64_v2(x, V_MOVQ, T0, a);
		s = T0;
	}
	if (esz == IR_B && !sign) {
		x64_vzero(x, T1);
		x64_v3(x, V_PSADBW, T0, T1, s);
		if (full) {
			x64_v2i(x, V_PSHUFD, T1, T0, 0xee);
			x64_v3(x, V_PADDD, T0, T0, T1);
		}
		if (longer) {		/* the sum is all there is in the word: nothing to cut */
			lowest(x, 64, d, T0);
			return;
		}
	} else if (esz == IR_B) {
		x64_vload_c(x, T1, vrep(IR_B, 1), vrep(IR_B, 1));
		x64_v3(x, V_PMADDUBSW, T0, T1, s);
		x64_v3cc(x, V_PMADDWD, T0, T0, vrep(IR_H, 1));
		sum_lanes(x, full, false);
	} else if (esz == IR_H) {
		addlp(x, IR_H, sign || !longer, T0, s);
		sum_lanes(x, full, false);
	} else if (longer) {
		addlp(x, IR_S, sign, T0, a);
		if (full)		/* else it was the only pair */
			sum_lanes(x, false, true);
	} else {
		x64_vmov(x, T0, a);
		sum_lanes(x, full, false);
	}
	lowest(x, bits, d, T0);
}

/*
 * Across minimum and maximum. Bytes and halfwords: PHMINPOSUW finds the smallest unsigned halfword; flipping bits makes
 * the others of it. `flip`: what turns the order round.
 */
void x64_vp_minmaxv(X64_VEC_ARGS)
{
	bool full = i->imm == IR_W128, max = i->op == IR_VSMAXV || i->op == IR_VUMAXV;
	bool sign = i->op == IR_VSMAXV || i->op == IR_VSMINV;
	unsigned esz = i->esz, bits = 8u << esz;
	u64 flip = (max ? ~0ull : 0) ^ (sign ? vsignbits(esz) : 0);

	(void)b, (void)c;
	if (esz == IR_S) {
		u32 o = vdesc(i)->opc[IR_S];

		x64_v2i(x, V_PSHUFD, T0, a, full ? 0x4e : 0xe1);
		x64_v3(x, o, T0, T0, a);
		if (full) {
			x64_v2i(x, V_PSHUFD, T1, T0, 0xb1);
			x64_v3(x, o, T0, T0, T1);
		}
		lowest(x, bits, d, T0);
		return;
	}
	if (!full) {
		x64_v2i(x, V_PSHUFD, T0, a, 0x44);
		a = T0;
	}
	if (flip) {
		x64_vload_c(x, T1, vrep(esz, flip), vrep(esz, flip));
		x64_v3(x, V_PXOR, T0, T1, a);
		a = T0;
	}
	if (esz == IR_B) {
		x64_vsh(x, V_SHW, VSH_SRL, T1, a, 8);
		x64_v3(x, V_PMINUB, T0, T1, a);
		a = T0;
	} else if (a >= 16) {
		x64_vmov(x, T0, a);
		a = T0;
	}
	x64_v2(x, V_PHMINPOSUW, T0, a);
	if (flip)
		x64_v3cc(x, V_PXOR, T0, T0, vrep(esz, flip));
	lowest(x, bits, d, T0);
}

void x64_vp_ext(X64_VEC_ARGS)
{
	(void)c;
	if (i->width == IR_W128) {
		x64_v3i(x, V_PALIGNR, d, b, a, (unsigned)i->imm);
		return;
	}
	x64_v3(x, V_PUNPCKLQDQ, T0, a, b);
	x64_vsh(x, V_SHDQ, VSH_SRLDQ, T0, T0, (unsigned)i->imm);
	x64_v2(x, V_MOVQ, d, T0);
	x->d_zext = true;
}

void x64_vp_zip(X64_VEC_ARGS)
{
	static const u32 lo[4] = { V_PUNPCKLBW, V_PUNPCKLWD, V_PUNPCKLDQ, V_PUNPCKLQDQ };
	static const u32 hi[4] = { V_PUNPCKHBW, V_PUNPCKHWD, V_PUNPCKHDQ, V_PUNPCKHQDQ };
	bool second = i->op == IR_VZIP2;

	(void)c;
	if (i->width == IR_W128) {
		x64_v3(x, (second ? hi : lo)[i->esz], d, a, b);
		return;
	}
	x64_v3(x, lo[i->esz], d, a, b);
	if (second)
		x64_vsh(x, V_SHDQ, VSH_SRLDQ, d, d, 8);
	else
		x64_v2(x, V_MOVQ, d, d);
	x->d_zext = true;
}

void x64_vp_uzp(X64_VEC_ARGS)
{
	bool odd = i->op == IR_VUZP2;
	unsigned size = 1u << i->esz;
	u8 sel[16];

	(void)c;
	if (i->width != IR_W128) {
		x64_v3(x, V_PUNPCKLQDQ, T0, a, b);
		for (unsigned k = 0; k < 16; k++)
			sel[k] = k < 8 ? (k / size * 2 + odd) * size + k % size : 0x80;
		shuffle(x, d, T0, sel);
		x->d_zext = true;
		return;
	}
	if (i->esz == IR_D) {
		x64_v3(x, odd ? V_PUNPCKHQDQ : V_PUNPCKLQDQ, d, a, b);
		return;
	}
	if (i->esz == IR_S) {
		x64_v3i(x, V_SHUFPS, d, a, b, odd ? 0xdd : 0x88);
		return;
	}
	if (odd) {
		x64_vsh(x, i->esz == IR_B ? V_SHW : V_SHD, VSH_SRL, T0, a, 8 * size);
		x64_vsh(x, i->esz == IR_B ? V_SHW : V_SHD, VSH_SRL, T1, b, 8 * size);
	} else {
		u64 low = vrep(i->esz + 1, (1ull << 8 * size) - 1);

		x64_v3cc(x, V_PAND, T0, a, low);
		x64_v3cc(x, V_PAND, T1, b, low);
	}
	x64_v3(x, i->esz == IR_B ? V_PACKUSWB : V_PACKUSDW, d, T0, T1);
}

/* a's even (TRN1) or odd elements at the even places, b's at the odd ones. */
void x64_vp_trn(X64_VEC_ARGS)
{
	static const u32 wide[3] = { V_SHW, V_SHD, V_SHQ };
	static const u8 blend[3] = { 0, 0xaa, 0xcc };
	bool second = i->op == IR_VTRN2;
	unsigned esz = i->esz, bits = 8u << esz, keep = second ? b : a;
	u64 low;

	(void)c;
	if (esz == IR_D) {
		x64_v3(x, second ? V_PUNPCKHQDQ : V_PUNPCKLQDQ, d, a, b);
		return;
	}
	x64_vsh(x, wide[esz], second ? VSH_SRL : VSH_SLL, T0, second ? a : b, bits);
	if (esz != IR_B && (d | a | b) < 16) {
		if (second)
			x64_v3i(x, V_PBLENDW, d, T0, b, blend[esz]);
		else
			x64_v3i(x, V_PBLENDW, d, a, T0, blend[esz]);
	} else {
		low = vrep(esz + 1, (1ull << bits) - 1);
		x64_v3cc(x, V_PAND, T1, keep, second ? ~low : low);
		x64_v3(x, V_POR, d, T0, T1);
	}
	x64_vfin_z(x, i, esz, d, d, x->a_zext && x->b_zext);
}

/*
 * Table look-up. Adding 0x70 with saturation leaves bit 7 clear just for the indices 0..15: others give zero. Above the
 * width 0xff is added: always zero.
 */
void x64_vp_tbl(X64_VEC_ARGS)
{
	u64 base = vrep(IR_B, (u64)i->imm), range = vrep(IR_B, 0x70);
	unsigned idx = b;

	if (i->imm) {
		x64_v3cc(x, V_PSUBB, T0, b, base);
		idx = T0;
	}
	x64_v3c(x, V_PADDUSB, T0, idx, range, i->width == IR_W128 ? range : ~0ull);
	if (i->op == IR_VTBL) {
		x64_v3(x, V_PSHUFB, d, a, T0);
		x->d_zext = i->width != IR_W128;
		return;
	}
	x64_v3(x, V_PSHUFB, T1, a, T0);
	if (vavx(x)) {
		x64_vblend(x, IR_B, d, T1, c, T0);
	} else {
		x64_v3cc(x, V_PAND, T0, T0, vrep(IR_B, 0x80));
		x64_v3cc(x, V_PCMPEQB, T0, T0, vrep(IR_B, 0x80));
		x64_v3(x, V_PAND, T0, T0, c);
		x64_v3(x, V_POR, d, T0, T1);
	}
	x64_vfin_z(x, i, IR_B, d, d, x->c_zext);
}
