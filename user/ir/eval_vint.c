// SPDX-License-Identifier: MIT
/*
 * The evaluator's integer vector operations that work lane by lane: moves, bitwise, arithmetic, compares, shifts.
 * Widening, narrowing, pairwise operations and permutes are in eval_vperm.c.
 */
#include "ir/eval_priv.h"
#include "ir/eval_sat.h"

#define EACH(n) for (unsigned n = 0; n < x->lanes; n++)

/* Define an operation by what it makes of a lane: unsigned (a b c) or sign-extended (sa sb sc) elements. */
#define LANES(NAME, decl, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	EACH(n) { \
		decl; \
		ir_put(d, x->esz, n, expr); \
	} \
}
#define UA u64 a = ir_lane(x->a, x->esz, n)
#define UB u64 b = ir_lane(x->b, x->esz, n)
#define UC u64 c = ir_lane(x->c, x->esz, n)
#define SA s64 sa = ir_slane(x->a, x->esz, n)
#define SB s64 sb = ir_slane(x->b, x->esz, n)
#define SC s64 sc = ir_slane(x->c, x->esz, n)
#define UN(NAME, expr) LANES(NAME, UA, expr)
#define UN_S(NAME, expr) LANES(NAME, SA, expr)
#define BIN(NAME, expr) LANES(NAME, UA; UB, expr)
#define BIN_S(NAME, expr) LANES(NAME, SA; SB, expr)
#define TRI(NAME, expr) LANES(NAME, UA; UB; UC, expr)
#define TRI_S(NAME, expr) LANES(NAME, SA; SB; SC, expr)

/* --- moves ---------------------------------------------------------------------------------------------------------- */

void ir_v_VDUP(const struct ir_vx *x, v128 *d)
{
	EACH(n)
		ir_put(d, x->esz, n, x->a->d[0]);
}

void ir_v_VDUPL(const struct ir_vx *x, v128 *d)
{
	u64 v = ir_lane(x->a, x->esz, x->imm);

	EACH(n)
		ir_put(d, x->esz, n, v);
}

void ir_v_VINS(const struct ir_vx *x, v128 *d)
{
	*d = *x->a;
	ir_put(d, x->esz, x->imm, x->b->d[0]);
}

void ir_v_VINSL(const struct ir_vx *x, v128 *d)
{
	*d = *x->a;
	ir_put(d, x->esz, x->imm & 15, ir_lane(x->b, x->esz, x->imm >> 4));
}

void ir_v_VMOV(const struct ir_vx *x, v128 *d)
{
	if (x->esz == IR_Q) {
		*d = *x->a;
		if (x->width == IR_W64)
			d->d[1] = 0;
		return;
	}
	EACH(n)
		ir_put(d, x->esz, n, ir_lane(x->a, x->esz, n));
}

void ir_v_VEXTU(const struct ir_vx *x, v128 *d)
{
	d->d[0] = ir_lane(x->a, x->esz, x->imm);
	if (x->type == IR_I32)
		d->d[0] = (u32)d->d[0];
}

void ir_v_VEXTS(const struct ir_vx *x, v128 *d)
{
	d->d[0] = ir_slane(x->a, x->esz, x->imm);
	if (x->type == IR_I32)
		d->d[0] = (u32)d->d[0];
}

/* --- bitwise -------------------------------------------------------------------------------------------------------- */

BIN(VAND, a & b)
BIN(VOR, a | b)
BIN(VXOR, a ^ b)
BIN(VBIC, a & ~b)
BIN(VORN, a | ~b)
UN(VNOT, ~a)
TRI(VBSL, (a & b) | (~a & c))

/* --- arithmetic ----------------------------------------------------------------------------------------------------- */

/* Absolute difference in the element's own modulus. */
static u64 absdiff(s64 p, s64 q)
{
	return p > q ? (u64)p - (u64)q : (u64)q - (u64)p;
}

static u64 pmul8(u64 p, u64 q)
{
	u64 r = 0;

	for (unsigned n = 0; n < 8; n++)
		if (q >> n & 1)
			r ^= p << n;
	return r;
}

BIN(VADD, a + b)
BIN(VSUB, a - b)
BIN(VMUL, a * b)
TRI(VMLA, a + b * c)
TRI(VMLS, a - b * c)
BIN(VPMUL, pmul8(a, b))
UN(VNEG, 0 - a)
UN_S(VABS, sa < 0 ? 0 - (u64)sa : (u64)sa)
BIN_S(VSABD, absdiff(sa, sb))
BIN(VUABD, absdiff(a, b))		/* no 64-bit elements: always positive as s64 */
BIN_S(VSMAX, MAX(sa, sb))
BIN_S(VSMIN, MIN(sa, sb))
BIN(VUMAX, MAX(a, b))
BIN(VUMIN, MIN(a, b))
BIN_S(VSHADD, (sa + sb) >> 1)
BIN(VUHADD, (a + b) >> 1)
BIN_S(VSRHADD, (sa + sb + 1) >> 1)
BIN(VURHADD, (a + b + 1) >> 1)
BIN_S(VSHSUB, (sa - sb) >> 1)
BIN(VUHSUB, (a - b) >> 1)
BIN_S(VSQADD, ir_sat_s(x, (s128)sa + sb, x->bits))
BIN(VUQADD, ir_sat_u(x, (s128)a + b, x->bits))
BIN_S(VSQSUB, ir_sat_s(x, (s128)sa - sb, x->bits))
BIN(VUQSUB, ir_sat_u(x, (s128)a - b, x->bits))
LANES(VSUQADD, SA; UB, ir_sat_s(x, (s128)sa + b, x->bits))
LANES(VUSQADD, UA; SB, ir_sat_u(x, (s128)a + sb, x->bits))
UN_S(VSQABS, ir_sat_s(x, sa < 0 ? -(s128)sa : sa, x->bits))
UN_S(VSQNEG, ir_sat_s(x, -(s128)sa, x->bits))

/* (2bc [+ a << bits] [+ half]) >> bits, saturated. The sum of three such terms needs more than 64 bits. */
static u64 double_high(const struct ir_vx *x, s128 acc, s128 product, bool round)
{
	acc = acc * ((s128)1 << x->bits) + 2 * product + (round ? (s128)1 << (x->bits - 1) : 0);
	return ir_sat_s(x, acc >> x->bits, x->bits);
}

BIN_S(VSQDMULH, double_high(x, 0, (s128)sa * sb, false))
BIN_S(VSQRDMULH, double_high(x, 0, (s128)sa * sb, true))
TRI_S(VSQRDMLAH, double_high(x, sa, (s128)sb * sc, true))
TRI_S(VSQRDMLSH, double_high(x, sa, -(s128)sb * sc, true))

void ir_v_VSDOT(const struct ir_vx *x, v128 *d)
{
	EACH(n) {
		u32 acc = x->a->s[n];

		for (unsigned k = 4 * n; k < 4 * n + 4; k++)
			acc += (u32)(x->b->sb[k] * x->c->sb[k]);
		d->s[n] = acc;
	}
}

void ir_v_VUDOT(const struct ir_vx *x, v128 *d)
{
	EACH(n) {
		u32 acc = x->a->s[n];

		for (unsigned k = 4 * n; k < 4 * n + 4; k++)
			acc += (u32)x->b->b[k] * x->c->b[k];
		d->s[n] = acc;
	}
}

/* --- compares and bit counts ---------------------------------------------------------------------------------------- */

static u64 mask(bool holds)
{
	return holds ? ~0ull : 0;
}

/* Leading zeros of an element of `bits`. */
static u64 lead0(const struct ir_vx *x, u64 v)
{
	return v ? (unsigned)__builtin_clzll(v) - (64 - x->bits) : x->bits;
}

static u64 reverse8(u64 v)
{
	v = (v >> 1 & 0x55) | (v & 0x55) << 1;
	v = (v >> 2 & 0x33) | (v & 0x33) << 2;
	return v >> 4 | v << 4;
}

static u64 popcount8(u64 v)
{
	v -= v >> 1 & 0x55;
	v = (v & 0x33) + (v >> 2 & 0x33);
	return (v + (v >> 4)) & 15;
}

BIN(VCMEQ, mask(a == b))
BIN_S(VCMGT, mask(sa > sb))
BIN_S(VCMGE, mask(sa >= sb))
BIN(VCMHI, mask(a > b))
BIN(VCMHS, mask(a >= b))
BIN(VCMTST, mask(a & b))
UN(VCLZ, lead0(x, a))
UN_S(VCLS, lead0(x, (u64)(sa ^ sa >> 1) & ir_ones(x->bits)) - 1)
UN(VCNT, popcount8(a))
UN(VRBIT, reverse8(a))

/* --- shifts by an immediate ----------------------------------------------------------------------------------------- */

static u64 half_of(s64 n)
{
	return 1ull << (n - 1);
}

/* Elements of 64 bits may be shifted right by 64: shifts are done in 128 bits. */
UN(VSHL, a << x->imm)
UN(VUSHR, (u128)a >> x->imm)
UN_S(VSSHR, (s128)sa >> x->imm)
UN(VURSHR, ((u128)a + half_of(x->imm)) >> x->imm)
UN_S(VSRSHR, ((s128)sa + half_of(x->imm)) >> x->imm)
BIN(VSLI, (b << x->imm) | (a & ~(ir_ones(x->bits) << x->imm)))
BIN(VSRI, (u64)((u128)b >> x->imm) | (a & ~(u64)((u128)ir_ones(x->bits) >> x->imm)))
UN_S(VSQSHLI, ir_sat_s(x, (s128)sa * ((s128)1 << x->imm), x->bits))
UN(VUQSHLI, ir_sat_u(x, (s128)a << x->imm, x->bits))
UN_S(VSQSHLUI, ir_sat_u(x, (s128)sa * ((s128)1 << x->imm), x->bits))

/* --- shifts by a register ------------------------------------------------------------------------------------------- */

/*
 * v * 2^n for the signed n that b's low byte holds, rounded down or (when shifting right) to nearest, in 128 bits.
 * Amounts beyond the bounds give the same results as the bounds do: v has at most 64 bits.
 */
static s128 shift_by(s128 v, u64 b, bool round)
{
	int n = (s8)b;

	if (n >= 0)
		return n > 63 ? 0 : (s128)((u128)v << n);
	n = MIN(-n, 66);
	return (v + (round ? (s128)1 << (n - 1) : 0)) >> n;
}

static u64 shift_sat_s(const struct ir_vx *x, s64 v, u64 b, bool round)
{
	int n = (s8)b;

	if (n >= x->bits && v)		/* far out of range, whichever way */
		return ir_sat_s(x, v < 0 ? -((s128)1 << 100) : (s128)1 << 100, x->bits);
	return ir_sat_s(x, shift_by(v, b, round), x->bits);
}

static u64 shift_sat_u(const struct ir_vx *x, u64 v, u64 b, bool round)
{
	int n = (s8)b;

	if (n >= x->bits && v)
		return ir_sat_u(x, (s128)1 << 100, x->bits);
	return ir_sat_u(x, shift_by(v, b, round), x->bits);
}

BIN(VUSHL, shift_by(a, b, false))
LANES(VSSHL, SA; UB, shift_by(sa, b, false))
BIN(VURSHL, shift_by(a, b, true))
LANES(VSRSHL, SA; UB, shift_by(sa, b, true))
BIN(VUQSHL, shift_sat_u(x, a, b, false))
LANES(VSQSHL, SA; UB, shift_sat_s(x, sa, b, false))
BIN(VUQRSHL, shift_sat_u(x, a, b, true))
LANES(VSQRSHL, SA; UB, shift_sat_s(x, sa, b, true))
