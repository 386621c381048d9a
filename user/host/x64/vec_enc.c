// SPDX-License-Identifier: MIT
/*
 * Vector instructions for whatever host this is: an opcode word and registers in, one instruction out (EVEX when a
 * register is above 15 or only EVEX has it, VEX with AVX, else legacy SSE and the moves that its two-operand form needs).
 * Also the small sequences that everything else is made of.
 */
#include "host/x64/vec_impl.h"

static bool evex(const struct x64_vec_ctx *x, u32 o, unsigned regs)
{
	return (o & VO_EVEX) || (regs >= 16 && v512(x));
}

/* Legacy SSE: the register to operate on so that it holds a and b is still there; *b follows if it was moved. */
static unsigned sse_dest(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned *b)
{
	if (d == a)
		return d;
	if (d != *b) {
		x64_vmov(x, d, a);
		return d;
	}
	if (o & VO_COMM) {
		*b = a;
		return d;
	}
	/* d is b */
	unsigned t = a == T0 || a == T1 ? a : d == T0 ? T1 : T0;

	x64_vmov(x, t, a);
	return t;
}

void x64_v3(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b)
{
	if (evex(x, o, d | a | b)) {
		x64_evex_rr(x->b, o, d, a, b);
	} else if (vavx(x)) {
		/* the shorter encoding has its high register in the vvvv field */
		if ((o & VO_COMM) && b >= 8 && a < 8)
			x64_vex_rr(x->b, o, d, b, a);
		else
			x64_vex_rr(x->b, o, d, a, b);
	} else {
		unsigned r = sse_dest(x, o, d, a, &b);

		x64_sse_rr(x->b, o, r, b);
		x64_vmov(x, d, r);
	}
}

void x64_v3i(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b, u8 imm)
{
	if (evex(x, o, d | a | b)) {
		x64_evex_rr(x->b, o, d, a, b);
		x64_b(x->b, imm);
	} else if (vavx(x)) {
		x64_vex_rr(x->b, o, d, a, b);
		x64_b(x->b, imm);
	} else {
		unsigned r = sse_dest(x, o & ~(u32)VO_COMM, d, a, &b);

		x64_sse_rr(x->b, o, r, b);
		x64_b(x->b, imm);
		x64_vmov(x, d, r);
	}
}

/* Legacy SSE, FP: works in a temporary unless d is a. */
static unsigned sse_fdest(struct x64_vec_ctx *x, unsigned d, unsigned a, unsigned b)
{
	unsigned t;

	if (d == a || a == T0 || a == T1)
		return a;
	t = b == T0 ? T1 : T0;
	x64_vmov(x, t, a);
	return t;
}

void x64_v3f(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b)
{
	unsigned r;

	if (vavx(x)) {
		x64_v3(x, o, d, a, b);
		return;
	}
	r = sse_fdest(x, d, a, b);
	x64_sse_rr(x->b, o, r, b);
	x64_vmov(x, d, r);
}

void x64_v3fi(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b, u8 imm)
{
	unsigned r;

	if (vavx(x)) {
		x64_v3i(x, o, d, a, b, imm);
		return;
	}
	r = sse_fdest(x, d, a, b);
	x64_sse_rr(x->b, o, r, b);
	x64_b(x->b, imm);
	x64_vmov(x, d, r);
}

void x64_v2(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned s)
{
	if (evex(x, o, d | s))
		x64_evex_rr(x->b, o, d, 0, s);
	else if (vavx(x))
		x64_vex_rr(x->b, o, d, 0, s);
	else
		x64_sse_rr(x->b, o, d, s);
}

void x64_v2i(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned s, u8 imm)
{
	x64_v2(x, o, d, s);
	x64_b(x->b, imm);
}

void x64_vmem(struct x64_vec_ctx *x, u32 o, unsigned reg, unsigned v, struct x64_mem m, int imm, unsigned n)
{
	unsigned imm_len = imm >= 0;

	if (evex(x, o, reg | v))
		x64_evex_rm(x->b, o, reg, v, &m, imm_len, n);
	else if (vavx(x))
		x64_vex_rm(x->b, o, reg, v, &m, imm_len);
	else
		x64_sse_rm(x->b, o, reg, &m, imm_len);
	if (imm >= 0)
		x64_b(x->b, (u8)imm);
}

static void with_const(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 lo, u64 hi, int imm)
{
	struct x64_mem m = x64_mrip(x->pool(x, lo, hi));

	if (!vavx(x)) {
		x64_vmov(x, d, a);
		a = d;
	}
	x64_vmem(x, o, d, a, m, imm, 16);
}

void x64_v3c(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 lo, u64 hi)
{
	with_const(x, o, d, a, lo, hi, -1);
}

void x64_v3ci(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 lo, u64 hi, u8 imm)
{
	with_const(x, o, d, a, lo, hi, imm);
}

void x64_v3cc(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 v)
{
	with_const(x, o, d, a, v, v, -1);
}

void x64_vsh(struct x64_vec_ctx *x, u32 group, unsigned ext, unsigned d, unsigned s, unsigned n)
{
	if (evex(x, group, d | s)) {
		x64_evex_rr(x->b, group, ext, d, s);
	} else if (vavx(x)) {
		x64_vex_rr(x->b, group, ext, d, s);
	} else {
		x64_vmov(x, d, s);
		x64_sse_rr(x->b, group, ext, d);
	}
	x64_b(x->b, n);
}

void x64_vmov(struct x64_vec_ctx *x, unsigned d, unsigned s)
{
	if (d == s)
		return;
	/* VEX: with the high register in the place that the two-byte form has */
	if (vavx(x) && (d | s) < 16 && s >= 8 && d < 8)
		x64_vex_rr(x->b, V_MOVAPS | 1, s, 0, d);
	else
		x64_v2(x, V_MOVAPS, d, s);
}

void x64_vzero(struct x64_vec_ctx *x, unsigned d)
{
	x64_v3(x, V_PXOR, d, d, d);
}

void x64_vones(struct x64_vec_ctx *x, unsigned d)
{
	if (d >= 16) {
		x64_v3(x, V_PTERNLOG, d, d, d);
		x64_b(x->b, 0xff);
	} else {
		x64_v3(x, V_PCMPEQD, d, d, d);
	}
}

void x64_vload_c(struct x64_vec_ctx *x, unsigned d, u64 lo, u64 hi)
{
	if (!(lo | hi))
		x64_vzero(x, d);
	else if ((lo & hi) == ~0ull)
		x64_vones(x, d);
	else
		x64_vmem(x, V_MOVAPS, d, 0, x64_mrip(x->pool(x, lo, hi)), -1, 16);
}

unsigned x64_vlow(struct x64_vec_ctx *x, unsigned s, unsigned t)
{
	if (s < 16)
		return s;
	x64_vmov(x, t, s);
	return t;
}

void x64_vkcmp(struct x64_vec_ctx *x, u32 o, unsigned esz, unsigned d, unsigned a, unsigned b, int imm)
{
	static const u32 spread[4] = { VO(2, 2, 0x28), VO(2, 2, 0x28) | VO_W, VO(2, 2, 0x38), VO(2, 2, 0x38) | VO_W };

	x64_evex_rr(x->b, o, 1, a, b);
	if (imm >= 0)
		x64_b(x->b, (u8)imm);
	x64_evex_rr(x->b, spread[esz], d, 0, 1);
}

void x64_vcmpeq(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b)
{
	static const u32 o[4] = { V_PCMPEQB, V_PCMPEQW, V_PCMPEQD, V_PCMPEQQ | VO_W };

	if ((d | a | b) >= 16)
		x64_vkcmp(x, o[esz], esz, d, a, b, -1);
	else
		x64_v3(x, o[esz], d, a, b);
}

void x64_vcmpgt(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b)
{
	static const u32 o[4] = { V_PCMPGTB, V_PCMPGTW, V_PCMPGTD, V_PCMPGTQ | VO_W };

	if ((d | a | b) >= 16)
		x64_vkcmp(x, o[esz], esz, d, a, b, -1);
	else
		x64_v3(x, o[esz], d, a, b);
}

void x64_vblend(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned f, unsigned t, unsigned mask)
{
	static const u32 legacy[4] = { V_PBLENDVB, 0, V_BLENDVPS, V_BLENDVPD };
	static const u32 to_k[4] = { VO(2, 2, 0x29), VO(2, 2, 0x29) | VO_W, VO(2, 2, 0x39), VO(2, 2, 0x39) | VO_W };
	static const u32 sel[4] = { VO(1, 2, 0x66), VO(1, 2, 0x66) | VO_W, VO(1, 2, 0x64), VO(1, 2, 0x64) | VO_W };

	if (legacy[esz] && (d | f | t | mask) < 16) {
		x64_vex_rr(x->b, legacy[esz], d, f, t);
		x64_b(x->b, mask << 4);
		return;
	}
	x64_evex_rr(x->b, to_k[esz], 1, 0, mask);
	x64_evex_rr_k(x->b, sel[esz], d, f, t, 1, 0);
}

void x64_vfin(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned d, unsigned s)
{
	if (i->width == IR_W128 || (i->width == IR_WS && esz >= IR_Q)) {
		x64_vmov(x, d, s);
		return;
	}
	x->d_zext = true;
	if (i->width == IR_W64 || esz == IR_D)
		x64_v2(x, V_MOVQ, d, s);
	else if (esz == IR_S)
		x64_v3i(x, V_INSERTPS, d, s, s, 0x0e);
	else
		x64_v3c(x, V_PAND, d, s, vwidth_lo(i, esz), 0);
}

void x64_vfin_z(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned d, unsigned s, bool zext)
{
	if (!zext) {
		x64_vfin(x, i, esz, d, s);
		return;
	}
	x64_vmov(x, d, s);
	x->d_zext = i->width != IR_W128;
}

void x64_vqc(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned t, u64 lanemask)
{
	u64 lo = lanemask & vwidth_lo(i, esz), hi = lanemask & vwidth_hi(i);

	if ((lo & hi) == ~0ull)
		x64_v2(x, V_PTEST, t, t);
	else
		x64_vmem(x, V_PTEST, t, 0, x64_mrip(x->pool(x, lo, hi)), -1, 16);
	x->cold_begin(x, X64_NE);
	x->set_qc(x);
	x->cold_end(x);
}
