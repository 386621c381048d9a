/* SPDX-License-Identifier: MIT */
/*
 * x86-64 instruction encoding: general registers. Each function appends one instruction at b->p. When less than
 * X64_EMIT_SLACK bytes are left the caller must stop (x64_full): an instruction never checks by itself.
 * Vector instructions: emit_vec.h.
 */
#ifndef HOST_X64_EMIT_H
#define HOST_X64_EMIT_H

#include "base/types.h"

enum x64_reg {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, X64_NOREG = 0xff
};

struct x64_buf {
	u8 *start, *p, *end;
};
#define X64_EMIT_SLACK 256

static inline bool x64_full(const struct x64_buf *b)
{
	return b->end - b->p < X64_EMIT_SLACK;
}

static inline void x64_b(struct x64_buf *b, u8 v)
{
	*b->p++ = v;
}

static inline void x64_d(struct x64_buf *b, u32 v)
{
	__builtin_memcpy(b->p, &v, 4);
	b->p += 4;
}

static inline void x64_q(struct x64_buf *b, u64 v)
{
	__builtin_memcpy(b->p, &v, 8);
	b->p += 8;
}

/* A memory operand: [base + index << scale + disp]; base X64_NOREG with rip set: rip-relative to `target`. */
struct x64_mem {
	u8 base, index, scale;		/* index X64_NOREG: none */
	bool rip;
	s32 disp;
	const u8 *target;		/* rip: the address meant */
};

static inline struct x64_mem x64_m(enum x64_reg base, s32 disp)
{
	return (struct x64_mem){ .base = base, .index = X64_NOREG, .disp = disp };
}

static inline struct x64_mem x64_mi(enum x64_reg base, enum x64_reg index, unsigned scale, s32 disp)
{
	return (struct x64_mem){ .base = base, .index = index, .scale = scale, .disp = disp };
}

static inline struct x64_mem x64_mrip(const u8 *target)
{
	return (struct x64_mem){ .base = X64_NOREG, .index = X64_NOREG, .rip = true, .target = target };
}

/* ModRM (+ SIB, displacement) for reg field and memory operand; imm_len: bytes of immediate that follow (for rip). */
static inline void x64_modrm_mem(struct x64_buf *b, unsigned reg, const struct x64_mem *m, unsigned imm_len)
{
	unsigned r = (reg & 7) << 3, mod;

	if (m->rip) {
		x64_b(b, r | 5);
		x64_d(b, (u32)(m->target - (b->p + 4 + imm_len)));
		return;
	}
	if (m->disp == 0 && (m->base & 7) != RBP)
		mod = 0;
	else if (m->disp >= -128 && m->disp <= 127)
		mod = 0x40;
	else
		mod = 0x80;
	if (m->index != X64_NOREG || (m->base & 7) == RSP) {
		unsigned idx = m->index == X64_NOREG ? 4u : (m->index & 7u);

		x64_b(b, mod | r | 4);
		x64_b(b, m->scale << 6 | idx << 3 | (m->base & 7));
	} else {
		x64_b(b, mod | r | (m->base & 7));
	}
	if (mod == 0x40)
		x64_b(b, (u8)m->disp);
	else if (mod == 0x80)
		x64_d(b, (u32)m->disp);
}

/* REX for a memory operand. */
static inline unsigned x64_rex_mem(unsigned reg, const struct x64_mem *m)
{
	return (reg >> 3 & 1) << 2 | (m->index != X64_NOREG ? (m->index >> 3 & 1) << 1 : 0) |
	       (m->base != X64_NOREG ? (m->base >> 3 & 1) : 0);
}

/* opcode with up to three bytes: 0xOO, 0x0FOO, 0x0F38OO; prefix 0, 0x66, 0xF2, 0xF3 goes before REX. */
static inline void x64_op(struct x64_buf *b, u32 op)
{
	if (op > 0xffff)
		x64_b(b, op >> 16);
	if (op > 0xff)
		x64_b(b, op >> 8);
	x64_b(b, op);
}

/* reg, r/m register form. w: 64-bit. */
static inline void x64_rr_p(struct x64_buf *b, u8 prefix, u32 op, unsigned w, unsigned reg, unsigned rm)
{
	unsigned rex = w << 3 | (reg >> 3 & 1) << 2 | (rm >> 3 & 1);

	if (prefix)
		x64_b(b, prefix);
	if (rex)
		x64_b(b, 0x40 | rex);
	x64_op(b, op);
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void x64_rr(struct x64_buf *b, u32 op, unsigned w, unsigned reg, unsigned rm)
{
	x64_rr_p(b, 0, op, w, reg, rm);
}

/* As x64_rr for instructions whose r/m (and reg) are byte registers: forces REX for sil, dil. */
static inline void x64_rr8(struct x64_buf *b, u32 op, unsigned w, unsigned reg, unsigned rm)
{
	x64_b(b, 0x40 | w << 3 | (reg >> 3 & 1) << 2 | (rm >> 3 & 1));
	x64_op(b, op);
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* reg, memory form. imm_len: immediate bytes that the caller appends. */
static inline void x64_rm_p(struct x64_buf *b, u8 prefix, u32 op, unsigned w, unsigned reg, const struct x64_mem *m,
			    unsigned imm_len, bool force_rex)
{
	unsigned rex = w << 3 | x64_rex_mem(reg, m);

	if (prefix)
		x64_b(b, prefix);
	if (rex || force_rex)
		x64_b(b, 0x40 | rex);
	x64_op(b, op);
	x64_modrm_mem(b, reg, m, imm_len);
}

static inline void x64_rm(struct x64_buf *b, u32 op, unsigned w, unsigned reg, const struct x64_mem *m)
{
	x64_rm_p(b, 0, op, w, reg, m, 0, false);
}

/* VEX-encoded general-register instruction (BMI): map 2 = 0F38, 3 = 0F3A; pp 0 none 1 66 2 F3 3 F2. */
static inline void x64_vex_gpr(struct x64_buf *b, unsigned map, unsigned pp, unsigned w, u8 op, unsigned reg,
			       unsigned vvvv, unsigned rm)
{
	x64_b(b, 0xc4);
	x64_b(b, (~reg >> 3 & 1) << 7 | 1 << 6 | (~rm >> 3 & 1) << 5 | map);
	x64_b(b, w << 7 | (~vvvv & 15) << 3 | pp);
	x64_b(b, op);
	x64_b(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* --- the usual ones --------------------------------------------------------------------------------------------- */
enum x64_alu { X64_ADD, X64_OR, X64_ADC, X64_SBB, X64_AND, X64_SUB, X64_XOR, X64_CMP };
enum x64_sh { X64_ROL, X64_ROR, X64_RCL, X64_RCR, X64_SHL, X64_SHR, X64_SAR = 7 };
/* x86 condition codes */
enum x64_cond {
	X64_O, X64_NO, X64_B, X64_AE, X64_E, X64_NE, X64_BE, X64_A, X64_S, X64_NS, X64_P, X64_NP, X64_L, X64_GE, X64_LE, X64_G
};

static inline void x64_mov(struct x64_buf *b, unsigned w, unsigned d, unsigned s)
{
	x64_rr(b, 0x8b, w, d, s);
}

static inline void x64_ld(struct x64_buf *b, unsigned w, unsigned d, struct x64_mem m)
{
	x64_rm(b, 0x8b, w, d, &m);
}

static inline void x64_st(struct x64_buf *b, unsigned w, unsigned s, struct x64_mem m)
{
	x64_rm(b, 0x89, w, s, &m);
}

static inline void x64_alu_rr(struct x64_buf *b, enum x64_alu o, unsigned w, unsigned d, unsigned s)
{
	x64_rr(b, o << 3 | 3, w, d, s);
}

static inline void x64_alu_rm(struct x64_buf *b, enum x64_alu o, unsigned w, unsigned d, struct x64_mem m)
{
	x64_rm(b, o << 3 | 3, w, d, &m);
}

static inline void x64_alu_mr(struct x64_buf *b, enum x64_alu o, unsigned w, unsigned s, struct x64_mem m)
{
	x64_rm(b, o << 3 | 1, w, s, &m);
}

static inline void x64_alu_ri(struct x64_buf *b, enum x64_alu o, unsigned w, unsigned d, s32 imm)
{
	bool small = imm >= -128 && imm <= 127;

	x64_rr(b, small ? 0x83 : 0x81, w, o, d);
	if (small)
		x64_b(b, (u8)imm);
	else
		x64_d(b, (u32)imm);
}

static inline void x64_alu_mi(struct x64_buf *b, enum x64_alu o, unsigned w, struct x64_mem m, s32 imm)
{
	bool small = imm >= -128 && imm <= 127;

	x64_rm_p(b, 0, small ? 0x83 : 0x81, w, o, &m, small ? 1 : 4, false);
	if (small)
		x64_b(b, (u8)imm);
	else
		x64_d(b, (u32)imm);
}

static inline void x64_test_rr(struct x64_buf *b, unsigned w, unsigned d, unsigned s)
{
	x64_rr(b, 0x85, w, s, d);
}

static inline void x64_test_ri(struct x64_buf *b, unsigned w, unsigned d, s32 imm)
{
	x64_rr(b, 0xf7, w, 0, d);
	x64_d(b, (u32)imm);
}

static inline void x64_lea(struct x64_buf *b, unsigned w, unsigned d, struct x64_mem m)
{
	x64_rm(b, 0x8d, w, d, &m);
}

/* Any constant, the shortest way that leaves EFLAGS alone. */
static inline void x64_movi(struct x64_buf *b, unsigned d, u64 v)
{
	if (v == (u32)v) {
		if (d & 8)
			x64_b(b, 0x41);
		x64_b(b, 0xb8 | (d & 7));
		x64_d(b, (u32)v);
	} else if ((s64)v == (s32)v) {
		x64_rr(b, 0xc7, 1, 0, d);
		x64_d(b, (u32)v);
	} else {
		x64_b(b, 0x48 | (d >> 3 & 1));
		x64_b(b, 0xb8 | (d & 7));
		x64_q(b, v);
	}
}

static inline void x64_sh_ri(struct x64_buf *b, enum x64_sh o, unsigned w, unsigned d, unsigned n)
{
	x64_rr(b, 0xc1, w, o, d);
	x64_b(b, n);
}

static inline void x64_sh_cl(struct x64_buf *b, enum x64_sh o, unsigned w, unsigned d)
{
	x64_rr(b, 0xd3, w, o, d);
}

static inline void x64_imul_rr(struct x64_buf *b, unsigned w, unsigned d, unsigned s)
{
	x64_rr(b, 0x0faf, w, d, s);
}

static inline void x64_setcc(struct x64_buf *b, enum x64_cond c, unsigned d)
{
	x64_rr8(b, 0x0f90 | c, 0, 0, d);
}

static inline void x64_cmov(struct x64_buf *b, enum x64_cond c, unsigned w, unsigned d, unsigned s)
{
	x64_rr(b, 0x0f40 | c, w, d, s);
}

static inline void x64_movzx8(struct x64_buf *b, unsigned d, unsigned s)
{
	x64_rr8(b, 0x0fb6, 0, d, s);
}

static inline void x64_jmp_m(struct x64_buf *b, struct x64_mem m)
{
	x64_rm(b, 0xff, 0, 4, &m);
}

static inline void x64_call_m(struct x64_buf *b, struct x64_mem m)
{
	x64_rm(b, 0xff, 0, 2, &m);
}

/* jcc/jmp rel32 with target to be filled in; returns the address of the displacement. */
static inline u8 *x64_jcc32(struct x64_buf *b, enum x64_cond c)
{
	x64_b(b, 0x0f);
	x64_b(b, 0x80 | c);
	x64_d(b, 0);
	return b->p - 4;
}

static inline u8 *x64_jmp32(struct x64_buf *b)
{
	x64_b(b, 0xe9);
	x64_d(b, 0);
	return b->p - 4;
}

static inline u8 *x64_jcc8(struct x64_buf *b, enum x64_cond c)
{
	x64_b(b, 0x70 | c);
	x64_b(b, 0);
	return b->p - 1;
}

static inline u8 *x64_jmp8(struct x64_buf *b)
{
	x64_b(b, 0xeb);
	x64_b(b, 0);
	return b->p - 1;
}

static inline void x64_patch32(u8 *disp, const u8 *target)
{
	s32 d = (s32)(target - (disp + 4));

	__builtin_memcpy(disp, &d, 4);
}

/* The short jump at disp comes here. */
static inline void x64_patch8(struct x64_buf *b, u8 *disp)
{
	*disp = (u8)(b->p - (disp + 1));
}

#endif
