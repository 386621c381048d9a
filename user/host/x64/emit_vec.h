/* SPDX-License-Identifier: MIT */
/*
 * x86-64 instruction encoding: vector registers. Below: the three encodings (legacy SSE, VEX, EVEX; 128 bits wide
 * but for VO_256) of an opcode word. What most callers want are the x64_v*() functions (vec_enc.c), which choose the
 * encoding that this host has and these registers need, and make up for the missing operand of legacy SSE.
 */
#ifndef HOST_X64_EMIT_VEC_H
#define HOST_X64_EMIT_VEC_H

#include "host/x64/emit.h"

/* An opcode word: opcode byte, pp (0 none, 1 66, 2 F3, 3 F2), map (1 0F, 2 0F38, 3 0F3A), flags. */
#define VO(pp, map, op) ((op) | (pp) << 8 | (map) << 10)
#define VO_W (1 << 13)			/* EVEX.W = 1 (VEX ignores W) */
#define VO_VW (1 << 14)			/* EVEX.W = VEX.W = 1, and REX.W in legacy */
#define VO_COMM (1 << 15)		/* operands may be swapped (integer operations only) */
#define VO_EVEX (1 << 16)		/* has no VEX encoding */
#define VO_256 (1 << 17)		/* on ymm registers (AVX only) */
#define VO_512 (1 << 18 | VO_EVEX)	/* on zmm registers */
#define VO_OP(o) ((u8)(o))
#define VO_PP(o) ((o) >> 8 & 3)
#define VO_MAP(o) ((o) >> 10 & 7)

enum x64_vop {
	/* moves */
	V_MOVAPS = VO(0, 1, 0x28), V_MOVUPS = VO(0, 1, 0x10), V_MOVUPS_ST = VO(0, 1, 0x11),
	V_MOVSS = VO(2, 1, 0x10), V_MOVSS_ST = VO(2, 1, 0x11), V_MOVSD_ST = VO(3, 1, 0x11) | VO_W,
	V_MOVQ = VO(2, 1, 0x7e) | VO_W, V_MOVD_G = VO(1, 1, 0x6e), V_MOVD_TG = VO(1, 1, 0x7e),
	V_MOVDDUP = VO(3, 1, 0x12) | VO_W, V_MOVSHDUP = VO(2, 1, 0x16),
	V_PINSRB = VO(1, 3, 0x20), V_PINSRW = VO(1, 1, 0xc4), V_PINSRD = VO(1, 3, 0x22),
	V_PEXTRB = VO(1, 3, 0x14), V_PEXTRW = VO(1, 3, 0x15), V_PEXTRD = VO(1, 3, 0x16),
	V_INSERTPS = VO(1, 3, 0x21),
	V_PMOVMSKB = VO(1, 1, 0xd7), V_MOVMSKPS = VO(0, 1, 0x50), V_MOVMSKPD = VO(1, 1, 0x50),
	/* bitwise */
	V_PAND = VO(1, 1, 0xdb) | VO_COMM, V_PANDN = VO(1, 1, 0xdf), V_POR = VO(1, 1, 0xeb) | VO_COMM,
	V_PXOR = VO(1, 1, 0xef) | VO_COMM, V_PTEST = VO(1, 2, 0x17),
	V_PTERNLOG = VO(1, 3, 0x25) | VO_EVEX,
	/* integer */
	V_PADDB = VO(1, 1, 0xfc) | VO_COMM, V_PADDW = VO(1, 1, 0xfd) | VO_COMM, V_PADDD = VO(1, 1, 0xfe) | VO_COMM,
	V_PADDQ = VO(1, 1, 0xd4) | VO_W | VO_COMM,
	V_PSUBB = VO(1, 1, 0xf8), V_PSUBW = VO(1, 1, 0xf9), V_PSUBD = VO(1, 1, 0xfa), V_PSUBQ = VO(1, 1, 0xfb) | VO_W,
	V_PADDSB = VO(1, 1, 0xec) | VO_COMM, V_PADDSW = VO(1, 1, 0xed) | VO_COMM,
	V_PADDUSB = VO(1, 1, 0xdc) | VO_COMM, V_PADDUSW = VO(1, 1, 0xdd) | VO_COMM,
	V_PSUBSB = VO(1, 1, 0xe8), V_PSUBSW = VO(1, 1, 0xe9), V_PSUBUSB = VO(1, 1, 0xd8), V_PSUBUSW = VO(1, 1, 0xd9),
	V_PMULLW = VO(1, 1, 0xd5) | VO_COMM, V_PMULHW = VO(1, 1, 0xe5) | VO_COMM, V_PMULHUW = VO(1, 1, 0xe4) | VO_COMM,
	V_PMULLD = VO(1, 2, 0x40) | VO_COMM, V_PMULUDQ = VO(1, 1, 0xf4) | VO_W | VO_COMM,
	V_PMULDQ = VO(1, 2, 0x28) | VO_W | VO_COMM, V_PMULHRSW = VO(1, 2, 0x0b) | VO_COMM,
	V_PMADDWD = VO(1, 1, 0xf5) | VO_COMM, V_PMADDUBSW = VO(1, 2, 0x04), V_PSADBW = VO(1, 1, 0xf6) | VO_COMM,
	V_PAVGB = VO(1, 1, 0xe0) | VO_COMM, V_PAVGW = VO(1, 1, 0xe3) | VO_COMM,
	V_PABSB = VO(1, 2, 0x1c), V_PABSW = VO(1, 2, 0x1d), V_PABSD = VO(1, 2, 0x1e), V_PABSQ = VO(1, 2, 0x1f) | VO_W | VO_EVEX,
	V_PMAXSB = VO(1, 2, 0x3c) | VO_COMM, V_PMAXSW = VO(1, 1, 0xee) | VO_COMM, V_PMAXSD = VO(1, 2, 0x3d) | VO_COMM,
	V_PMAXUB = VO(1, 1, 0xde) | VO_COMM, V_PMAXUW = VO(1, 2, 0x3e) | VO_COMM, V_PMAXUD = VO(1, 2, 0x3f) | VO_COMM,
	V_PMINSB = VO(1, 2, 0x38) | VO_COMM, V_PMINSW = VO(1, 1, 0xea) | VO_COMM, V_PMINSD = VO(1, 2, 0x39) | VO_COMM,
	V_PMINUB = VO(1, 1, 0xda) | VO_COMM, V_PMINUW = VO(1, 2, 0x3a) | VO_COMM, V_PMINUD = VO(1, 2, 0x3b) | VO_COMM,
	V_PHMINPOSUW = VO(1, 2, 0x41),
	V_PCMPEQB = VO(1, 1, 0x74) | VO_COMM, V_PCMPEQW = VO(1, 1, 0x75) | VO_COMM, V_PCMPEQD = VO(1, 1, 0x76) | VO_COMM,
	V_PCMPEQQ = VO(1, 2, 0x29) | VO_COMM,
	V_PCMPGTB = VO(1, 1, 0x64), V_PCMPGTW = VO(1, 1, 0x65), V_PCMPGTD = VO(1, 1, 0x66), V_PCMPGTQ = VO(1, 2, 0x37),
	V_PLZCNTD = VO(1, 2, 0x44) | VO_EVEX, V_POPCNTB = VO(1, 2, 0x54) | VO_EVEX,
	/* shifts by immediate (x64_vsh): opcode, and the extension in modrm.reg; by vector */
	V_SHW = VO(1, 1, 0x71), V_SHD = VO(1, 1, 0x72), V_SHQ = VO(1, 1, 0x73) | VO_W,
	V_SHDQ = VO(1, 1, 0x73), V_SRAQ = VO(1, 1, 0x72) | VO_W | VO_EVEX, V_ROLD = VO(1, 1, 0x72) | VO_EVEX,
	V_PSLLVD = VO(1, 2, 0x47), V_PSLLVQ = VO(1, 2, 0x47) | VO_VW, V_PSRLVD = VO(1, 2, 0x45),
	V_PSRLVQ = VO(1, 2, 0x45) | VO_VW, V_PSRAVD = VO(1, 2, 0x46),
	V_PSLLVW = VO(1, 2, 0x12) | VO_W | VO_EVEX, V_PSRLVW = VO(1, 2, 0x10) | VO_W | VO_EVEX,
	V_PSRAVW = VO(1, 2, 0x11) | VO_W | VO_EVEX, V_PSRAVQ = VO(1, 2, 0x46) | VO_W | VO_EVEX,
	/* permutes */
	V_PSHUFB = VO(1, 2, 0x00), V_PSHUFD = VO(1, 1, 0x70), V_PSHUFLW = VO(3, 1, 0x70),
	V_SHUFPS = VO(0, 1, 0xc6), V_SHUFPD = VO(1, 1, 0xc6) | VO_W, V_PALIGNR = VO(1, 3, 0x0f), V_PBLENDW = VO(1, 3, 0x0e),
	V_PUNPCKLBW = VO(1, 1, 0x60), V_PUNPCKLWD = VO(1, 1, 0x61), V_PUNPCKLDQ = VO(1, 1, 0x62),
	V_PUNPCKLQDQ = VO(1, 1, 0x6c) | VO_W,
	V_PUNPCKHBW = VO(1, 1, 0x68), V_PUNPCKHWD = VO(1, 1, 0x69), V_PUNPCKHDQ = VO(1, 1, 0x6a),
	V_PUNPCKHQDQ = VO(1, 1, 0x6d) | VO_W,
	V_PACKSSWB = VO(1, 1, 0x63), V_PACKSSDW = VO(1, 1, 0x6b), V_PACKUSWB = VO(1, 1, 0x67), V_PACKUSDW = VO(1, 2, 0x2b),
	V_PMOVSXBW = VO(1, 2, 0x20), V_PMOVSXWD = VO(1, 2, 0x23), V_PMOVSXDQ = VO(1, 2, 0x25),
	V_PMOVZXBW = VO(1, 2, 0x30), V_PMOVZXWD = VO(1, 2, 0x33), V_PMOVZXDQ = VO(1, 2, 0x35),
	V_PBROADCASTB = VO(1, 2, 0x78), V_PBROADCASTW = VO(1, 2, 0x79), V_PBROADCASTD = VO(1, 2, 0x58),
	V_PBROADCASTQ = VO(1, 2, 0x59) | VO_W,
	V_BLENDVPS = VO(1, 3, 0x4a), V_BLENDVPD = VO(1, 3, 0x4b), V_PBLENDVB = VO(1, 3, 0x4c),
	/* FP conversions and others (arithmetic: x64_fopc) */
	V_CVTDQ2PS = VO(0, 1, 0x5b), V_CVTTPS2DQ = VO(2, 1, 0x5b), V_CVTPS2PD = VO(0, 1, 0x5a), V_CVTPD2PS = VO(1, 1, 0x5a) | VO_W,
	V_CVTSS2SD = VO(2, 1, 0x5a), V_CVTSD2SS = VO(3, 1, 0x5a) | VO_W,
	V_CVTPH2PS = VO(1, 2, 0x13), V_CVTPS2PH = VO(1, 3, 0x1d),
	V_CVTTPS2UDQ = VO(0, 1, 0x78) | VO_EVEX, V_CVTTPD2QQ = VO(1, 1, 0x7a) | VO_W | VO_EVEX,
	V_CVTTPD2UQQ = VO(1, 1, 0x78) | VO_W | VO_EVEX, V_CVTUDQ2PS = VO(3, 1, 0x7a) | VO_EVEX,
	V_CVTUQQ2PD = VO(2, 1, 0x7a) | VO_W | VO_EVEX, V_CVTQQ2PD = VO(2, 1, 0xe6) | VO_W | VO_EVEX,
	/* cryptography */
	V_AESENC = VO(1, 2, 0xdc), V_AESENCLAST = VO(1, 2, 0xdd), V_AESDEC = VO(1, 2, 0xde),
	V_AESDECLAST = VO(1, 2, 0xdf), V_AESIMC = VO(1, 2, 0xdb),
	V_PCLMUL = VO(1, 3, 0x44), V_AFFINE = VO(1, 3, 0xce) | VO_VW,
	V_SHA1RNDS4 = VO(0, 3, 0xcc),
	V_SHA256RNDS2 = VO(0, 2, 0xcb), V_SHA256MSG1 = VO(0, 2, 0xcc), V_SHA256MSG2 = VO(0, 2, 0xcd),
};

/* Extensions of the shift groups. */
enum { VSH_SRL = 2, VSH_SRA = 4, VSH_SLL = 6, VSH_SRLDQ = 3, VSH_SLLDQ = 7, VSH_ROL = 1 };

/* --- legacy SSE ------------------------------------------------------------------------------- */
static inline void x64_sse_head(struct x64_buf *b, u32 o, unsigned rex)
{
	static const u8 prefix[4] = { 0, 0x66, 0xf3, 0xf2 };

	if (VO_PP(o))
		x64_b(b, prefix[VO_PP(o)]);
	if (rex)
		x64_b(b, 0x40 | rex);
	x64_b(b, 0x0f);
	if (VO_MAP(o) > 1)
		x64_b(b, VO_MAP(o) == 2 ? 0x38 : 0x3a);
	x64_b(b, VO_OP(o));
}

static inline void x64_sse_rr(struct x64_buf *b, u32 o, unsigned reg, unsigned rm)
{
	x64_sse_head(b, o, (o & VO_VW ? 8 : 0) | (reg >> 3 & 1) << 2 | (rm >> 3 & 1));
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void x64_sse_rm(struct x64_buf *b, u32 o, unsigned reg, const struct x64_mem *m, unsigned imm_len)
{
	x64_sse_head(b, o, (o & VO_VW ? 8 : 0) | x64_rex_mem(reg, m));
	x64_modrm_mem(b, reg, m, imm_len);
}

/* --- VEX: v is the extra source (0 where there is none) --------------------------------------- */
static inline void x64_vex_head(struct x64_buf *b, u32 o, unsigned rex, unsigned v)
{
	unsigned tail = (~v & 15) << 3 | VO_PP(o) | (o & VO_256 ? 4 : 0), w = o & VO_VW ? 0x80 : 0;

	if (VO_MAP(o) == 1 && !w && !(rex & 3)) {
		x64_b(b, 0xc5);
		x64_b(b, (rex & 4 ? 0 : 0x80) | tail);
	} else {
		x64_b(b, 0xc4);
		x64_b(b, ((~rex & 7) << 5) | VO_MAP(o));
		x64_b(b, w | tail);
	}
	x64_b(b, VO_OP(o));
}

static inline void x64_vex_rr(struct x64_buf *b, u32 o, unsigned reg, unsigned v, unsigned rm)
{
	x64_vex_head(b, o, (reg >> 3 & 1) << 2 | (rm >> 3 & 1), v);
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void x64_vex_rm(struct x64_buf *b, u32 o, unsigned reg, unsigned v, const struct x64_mem *m, unsigned imm_len)
{
	x64_vex_head(b, o, x64_rex_mem(reg, m), v);
	x64_modrm_mem(b, reg, m, imm_len);
}

/* --- EVEX: k = mask register (0 none), z = zero what is masked off ---------------------------- */
static inline void x64_evex_head(struct x64_buf *b, u32 o, unsigned rxbr, unsigned v, unsigned k, unsigned z)
{
	x64_b(b, 0x62);
	x64_b(b, (~rxbr & 15) << 4 | VO_MAP(o));
	x64_b(b, (o & (VO_W | VO_VW) ? 0x80 : 0) | (~v & 15) << 3 | 4 | VO_PP(o));
	x64_b(b, z << 7 | (o & (VO_512 & ~VO_EVEX) ? 0x40 : o & VO_256 ? 0x20 : 0) | (~v >> 4 & 1) << 3 | k);
	x64_b(b, VO_OP(o));
}

static inline void x64_evex_rr_k(struct x64_buf *b, u32 o, unsigned reg, unsigned v, unsigned rm, unsigned k, unsigned z)
{
	x64_evex_head(b, o, (reg >> 3 & 1) << 3 | (rm >> 4 & 1) << 2 | (rm >> 3 & 1) << 1 | (reg >> 4 & 1), v, k, z);
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void x64_evex_rr(struct x64_buf *b, u32 o, unsigned reg, unsigned v, unsigned rm)
{
	x64_evex_rr_k(b, o, reg, v, rm, 0, 0);
}

/* n: bytes that the instruction accesses: one-byte displacements count in it. */
static inline void x64_evex_rm(struct x64_buf *b, u32 o, unsigned reg, unsigned v, const struct x64_mem *m, unsigned imm_len,
			       unsigned n)
{
	unsigned rex = x64_rex_mem(reg, m), r = (reg & 7) << 3, mod = 0x80, idx = m->index == X64_NOREG ? 4u : m->index & 7u;

	x64_evex_head(b, o, (rex & 4) << 1 | (rex & 2) << 1 | (rex & 1) << 1 | (reg >> 4 & 1), v, 0, 0);
	if (m->rip) {
		x64_modrm_mem(b, reg, m, imm_len);
		return;
	}
	if (m->disp == 0 && (m->base & 7) != RBP)
		mod = 0;
	else if (m->disp % (s32)n == 0 && m->disp / (s32)n >= -128 && m->disp / (s32)n <= 127)
		mod = 0x40;
	if (idx != 4 || m->index != X64_NOREG || (m->base & 7) == RSP) {
		x64_b(b, mod | r | 4);
		x64_b(b, m->scale << 6 | idx << 3 | (m->base & 7));
	} else {
		x64_b(b, mod | r | (m->base & 7));
	}
	if (mod == 0x40)
		x64_b(b, (u8)(m->disp / (s32)n));
	else if (mod == 0x80)
		x64_d(b, (u32)m->disp);
}

/* --- FP arithmetic: opcode byte (0F map), element IR_S or IR_D, scalar or packed -------------- */
enum { VF_ADD = 0x58, VF_MUL = 0x59, VF_SUB = 0x5c, VF_MIN = 0x5d, VF_DIV = 0x5e, VF_MAX = 0x5f, VF_SQRT = 0x51, VF_CMP = 0xc2 };

static inline u32 x64_fopc(unsigned op, bool dbl, bool scalar)
{
	return (scalar ? (dbl ? VO(3, 1, 0) : VO(2, 1, 0)) : (dbl ? VO(1, 1, 0) : VO(0, 1, 0))) | (dbl ? VO_W : 0) | op;
}

#endif
