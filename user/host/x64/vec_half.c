// SPDX-License-Identifier: MIT
/*
 * Half-precision arithmetic without AVX512-FP16: widened by F16C, done in single precision, narrowed again. Rounding twice does
 * no harm for the four operations and the square root: 24 bits are twice 11 and two more. The flags come out right: what single
 * precision cannot hold, half precision cannot either; overflow and underflow are found by the narrowing. A signalling NaN traps
 * when it is widened, a default NaN where it is made; quiet ones keep their payload. Operands of IR_W128 are ymm
 * registers meanwhile; T0 and T1 have their high halves cleared at the end. d is written last.
 */
#include "host/x64/vec_impl.h"

/* Room for all elements in singles. */
static u32 wide(const struct ir_inst *i)
{
	return i->width == IR_W128 ? VO_256 : 0;
}

static u32 fop(const struct ir_inst *i, unsigned op)
{
	return x64_fopc(op, false, false) | wide(i);
}

/* t = s's elements within the width as singles (`flip`: with these bits changed before), zeros beside a scalar. */
static void widen(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned t, unsigned s, bool zext, u64 flip)
{
	if (i->width == IR_WS && !zext) {
		x64_v3c(x, V_PAND, t, s, 0xffff, 0);
		s = t;
	}
	if (flip) {
		x64_v3cc(x, V_PXOR, t, s, i->width == IR_WS ? flip & 0xffff : flip);
		s = t;
	}
	x64_v2(x, V_CVTPH2PS | wide(i), t, s);
}

/* d = T0's singles as halves, in the current rounding mode; with sign bits cleared or flipped. */
static void narrow(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, bool clear_sign, bool flip_sign)
{
	u64 lo = vwidth_lo(i, IR_H), hi = vwidth_hi(i);

	x64_v2i(x, V_CVTPS2PH | wide(i), T0, T0, 4);
	if (wide(i))
		x64_vzero(x, T1);
	if (clear_sign)
		x64_v3c(x, V_PAND, T0, T0, lo & 0x7fff7fff7fff7fffull, hi & 0x7fff7fff7fff7fffull);
	if (flip_sign)
		x64_v3c(x, V_PXOR, T0, T0, lo & 0x8000800080008000ull, hi & 0x8000800080008000ull);
	if (i->width == IR_WS && !clear_sign)		/* 0 - 0 beside it may be -0 */
		x64_vfin(x, i, IR_H, d, T0);
	else
		x64_vfin_z(x, i, IR_H, d, T0, true);
}

void x64_vh_bin(X64_VEC_ARGS)
{
	unsigned op = vdesc(i)->arg;

	(void)c;
	widen(x, i, T0, a, x->a_zext, 0);
	if (op == VF_DIV && i->width == IR_WS) {	/* by one beside it */
		x64_v3c(x, V_PAND, T1, b, 0xffff, 0);
		x64_v3c(x, V_POR, T1, T1, 0x3c003c003c000000ull, 0);
		x64_v2(x, V_CVTPH2PS, T1, T1);
	} else {
		widen(x, i, T1, b, x->b_zext, 0);
	}
	x64_v3(x, fop(i, op), T0, T0, T1);
	narrow(x, i, d, i->op == IR_FABD, i->op == IR_FNMUL);
}

void x64_vh_sqrt(X64_VEC_ARGS)
{
	(void)b, (void)c;
	widen(x, i, T0, a, x->a_zext, 0);
	x64_v2(x, fop(i, VF_SQRT), T0, T0);
	narrow(x, i, d, false, false);
}

/* imm: x86's rounding mode. */
void x64_vh_round(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, u8 imm)
{
	widen(x, i, T0, a, x->a_zext, 0);
	x64_v2i(x, VO(1, 3, 0x08) | wide(i), T0, T0, imm);
	narrow(x, i, d, false, false);
}

/* AVX-512 only: a signalling compare into k1, for its trap or its result. */
static void compare(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b, u8 pred)
{
	x64_evex_rr(x->b, fop(i, VF_CMP), 1, a, b);
	x64_b(x->b, pred);
}

/* Any NaN traps; VRANGE knows about zeros. */
void x64_vh_minmax(X64_VEC_ARGS)
{
	bool max = i->op == IR_FMAX || i->op == IR_FMAXNM;

	(void)c;
	widen(x, i, T0, a, x->a_zext, 0);
	widen(x, i, T1, b, x->b_zext, 0);
	compare(x, i, T0, T1, 1);
	x64_v3i(x, VO(1, 3, 0x50) | VO_EVEX | wide(i), T0, T0, T1, max ? 5 : 4);
	narrow(x, i, d, false, false);
}

void x64_vh_cmp(X64_VEC_ARGS)
{
	bool absolute = i->op == IR_FACGE || i->op == IR_FACGT;
	unsigned pred = i->op == IR_FCMEQ ? 0 : i->op == IR_FCMGE || i->op == IR_FACGE ? 2 : 1;

	(void)c;
	if (absolute) {
		u64 m = 0x7fff7fff7fff7fffull;

		x64_v3c(x, V_PAND, T0, a, m & vwidth_lo(i, IR_H), m & vwidth_hi(i));
		x64_v3c(x, V_PAND, T1, b, m & vwidth_lo(i, IR_H), m & vwidth_hi(i));
		x64_v2(x, V_CVTPH2PS | wide(i), T0, T0);
		x64_v2(x, V_CVTPH2PS | wide(i), T1, T1);
	} else {
		widen(x, i, T0, a, x->a_zext, 0);
		widen(x, i, T1, b, x->b_zext, 0);
	}
	if (pred)			/* a >= b is b <= a */
		compare(x, i, T1, T0, (u8)pred);
	else
		compare(x, i, T0, T1, 0);
	if (wide(i)) {
		x64_vzero(x, T0);
		x64_vzero(x, T1);
	}
	x64_evex_rr(x->b, VO(2, 2, 0x28) | VO_W, d, 0, 1);		/* VPMOVM2W */
	x64_vfin_z(x, i, IR_H, d, d, i->width == IR_W64);
}

/*
 * a + b * c with one rounding. The product is exact in singles, and its sum with a in doubles is, or as good as: where it is
 * not, the product is far below half of a's last bit. Then the sum is rounded to odd (cut off, and the last bit set
 * if anything was lost), after which rounding once more is right. Any NaN traps.
 */
void x64_vh_fma(X64_VEC_ARGS)
{
	u64 signs = 0x8000800080008000ull;
	u32 size = wide(i) ? VO_512 : VO_256 | VO_EVEX;

	widen(x, i, T0, b, x->b_zext, i->imm & 1 ? signs : 0);
	widen(x, i, T1, c, x->c_zext, 0);
	compare(x, i, T0, T1, 1);
	x64_v3(x, fop(i, VF_MUL), T0, T0, T1);
	widen(x, i, T1, a, x->a_zext, i->imm & 2 ? signs : 0);
	compare(x, i, T1, T1, 1);
	x64_v2(x, V_CVTPS2PD | size, T0, T0);
	x64_v2(x, V_CVTPS2PD | size, T1, T1);
	x64_v3(x, x64_fopc(VF_ADD, true, false) | size, T0, T0, T1);
	x64_vmem(x, V_PBROADCASTQ | size, T1, 0, x64_mrip(x->pool(x, 0x1fffffff, 0)), -1, 8);
	x64_v3(x, VO(1, 2, 0x27) | VO_W | size, 1, T0, T1);		/* VPTESTMQ k1 */
	x64_v3(x, V_PANDN | VO_W | size, T1, T1, T0);
	x64_vmem(x, V_PBROADCASTQ | size, T0, 0, x64_mrip(x->pool(x, 0x20000000, 0)), -1, 8);
	x64_evex_rr_k(x->b, V_POR | VO_W | size, T1, T1, T0, 1, 0);
	x64_v2(x, V_CVTPD2PS | size, T0, T1);
	x64_vzero(x, T1);
	narrow(x, i, d, false, false);
}

/* EFLAGS = UCOMIS, or COMIS (signalling), of two halves. */
void x64_vh_fcmp(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b)
{
	x64_v3c(x, V_PAND, T0, a, 0xffff, 0);
	x64_v3c(x, V_PAND, T1, b, 0xffff, 0);
	x64_v2(x, V_CVTPH2PS, T0, T0);
	x64_v2(x, V_CVTPH2PS, T1, T1);
	x64_v2(x, VO(0, 1, 0) | (i->aux & 1 ? 0x2f : 0x2e), T0, T1);
}
