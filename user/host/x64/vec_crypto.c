// SPDX-License-Identifier: MIT
/*
 * AES and SHA instructions. AES differs only in where the key goes; SHA-NI keeps its words in other orders, adds SHA-1's
 * constants itself, and knows only xmm0..15, in legacy encoding.
 */
#include "host/x64/vec_impl.h"

/* AESE: SubBytes(ShiftRows(a ^ b)) */
void x64_vx_aes(X64_VEC_ARGS)
{
	(void)c;
	x64_v3(x, V_PXOR, T0, a, b);
	x64_vzero(x, T1);
	if (d < 16) {
		x64_v3(x, i->op == IR_AESE ? V_AESENCLAST : V_AESDECLAST, d, T0, T1);
	} else {
		x64_v3(x, i->op == IR_AESE ? V_AESENCLAST : V_AESDECLAST, T0, T0, T1);
		x64_vmov(x, d, T0);
	}
}

/* A whole round: AESE and AESMC, or AESD and AESIMC. */
void x64_vec_aes_round(struct x64_vec_ctx *x, bool decrypt, unsigned d, unsigned a, unsigned b)
{
	unsigned r = d < 16 ? d : T0;

	x64_v3(x, V_PXOR, T0, a, b);
	x64_vzero(x, T1);
	x64_v3(x, decrypt ? V_AESDEC : V_AESENC, r, T0, T1);
	x64_vmov(x, d, r);
	x->d_zext = false;
}

/* AESMC alone: AESENC after undoing its other two steps. */
void x64_vx_aesmc(X64_VEC_ARGS)
{
	unsigned r = d < 16 ? d : T0;

	(void)b, (void)c;
	if (i->op == IR_AESIMC) {
		x64_v2(x, V_AESIMC, r, x64_vlow(x, a, T0));
	} else {
		x64_vzero(x, T1);
		x64_vmov(x, T0, a);
		x64_v3(x, V_AESDECLAST, T0, T0, T1);
		x64_v3(x, V_AESENC, r, T0, T1);
	}
	x64_vmov(x, d, r);
}

/* Four rounds; a = ABCD, b = E, c = words with constants added. SHA1RNDS4 adds the constant itself, and counts from the top. */
void x64_vx_sha1(X64_VEC_ARGS)
{
	unsigned f = i->op == IR_SHA1C ? 0 : i->op == IR_SHA1P ? 1 : 2;
	u32 k = f == 0 ? 0x5a827999u : f == 1 ? 0x6ed9eba1u : 0x8f1bbcdcu;

	x64_v3cc(x, V_PSUBD, T1, c, vrep(IR_S, k));
	x64_v3i(x, V_INSERTPS, T0, b, b, 0x0e);
	x64_v3(x, V_PADDD, T1, T1, T0);
	x64_v2i(x, V_PSHUFD, T1, T1, 0x1b);
	x64_v2i(x, V_PSHUFD, T0, a, 0x1b);
	x64_sse_rr(x->b, V_SHA1RNDS4, T0, T1);
	x64_b(x->b, f);
	x64_v2i(x, V_PSHUFD, d, T0, 0x1b);
}

/* T0 or d = s rotated left by n; the other temporary is lost. */
static void rol(struct x64_vec_ctx *x, unsigned d, unsigned s, unsigned n)
{
	if (v512(x)) {
		x64_vsh(x, V_ROLD, VSH_ROL, d, s, n);
		return;
	}
	x64_vsh(x, V_SHD, VSH_SRL, T1, s, 32 - n);
	x64_vsh(x, V_SHD, VSH_SLL, d, s, n);
	x64_v3(x, V_POR, d, d, T1);
}

void x64_vx_sha1h(X64_VEC_ARGS)
{
	(void)b, (void)c;
	rol(x, d, a, 30);
	x64_vfin_z(x, i, IR_S, d, d, x->a_zext);
}

/* a ^ (a's high half, b's low half) ^ c */
void x64_vx_sha1su0(X64_VEC_ARGS)
{
	(void)i;
	x64_v3i(x, V_SHUFPD, T0, a, b, 1);
	x64_v3(x, V_PXOR, T0, T0, a);
	x64_v3(x, V_PXOR, d, T0, c);
}

/* t = a ^ (b >> 32 bits): each word rotated by 1; the last also gets the first one's rotated by 2. */
void x64_vx_sha1su1(X64_VEC_ARGS)
{
	(void)i, (void)c;
	x64_vsh(x, V_SHDQ, VSH_SRLDQ, T0, b, 4);
	x64_v3(x, V_PXOR, T0, T0, a);
	rol(x, d, T0, 1);
	x64_vsh(x, V_SHDQ, VSH_SLLDQ, T0, d, 12);
	rol(x, T0, T0, 1);
	x64_v3(x, V_PXOR, d, d, T0);
}

void x64_vx_sha256su0(X64_VEC_ARGS)
{
	(void)i, (void)c;
	x64_vmov(x, T0, a);
	x64_sse_rr(x->b, V_SHA256MSG1, T0, x64_vlow(x, b, T1));
	x64_vmov(x, d, T0);
}

void x64_vx_sha256su1(X64_VEC_ARGS)
{
	(void)i;
	x64_v3i(x, V_PALIGNR, T0, c, b, 4);
	x64_v3(x, V_PADDD, T0, T0, a);
	x64_sse_rr(x->b, V_SHA256MSG2, T0, x64_vlow(x, c, T1));
	x64_vmov(x, d, T0);
}

/* Four rounds, two by two. SHA256RNDS2 takes (CDGH, ABEF), words in xmm0, and gives the new ABEF; the old one is the new CDGH. */
void x64_vx_sha256h(X64_VEC_ARGS)
{
	bool first = i->op == IR_SHA256H;
	unsigned abcd = first ? a : b, efgh = first ? b : a;

	x64_v3i(x, V_SHUFPS, T0, efgh, abcd, 0x11);
	x64_v3i(x, V_SHUFPS, T1, efgh, abcd, 0xbb);
	if (d != 0) {
		x64_v2(x, V_MOVD_TG | VO_VW, 0, RAX);
		x64_v2i(x, V_PEXTRD | VO_VW, 0, RCX, 1);
	}
	x64_vmov(x, 0, c);
	x64_sse_rr(x->b, V_SHA256RNDS2, T1, T0);
	x64_v2i(x, V_PSHUFD, 0, 0, 0xee);
	x64_sse_rr(x->b, V_SHA256RNDS2, T0, T1);
	if (d != 0) {
		x64_v2(x, V_MOVD_G | VO_VW, 0, RAX);
		x64_v3i(x, V_PINSRD | VO_VW, 0, 0, RCX, 1);
	}
	x64_v3i(x, V_SHUFPS, d, T0, T1, first ? 0xbb : 0x11);
}
