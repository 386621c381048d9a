// SPDX-License-Identifier: MIT
/*
 * The evaluator's integer vector operations whose lanes do not stay where they are: widening, narrowing, pairwise,
 * across the vector, permutes and table look-ups.
 */
#include "ir/eval_priv.h"
#include "ir/eval_sat.h"

/* --- widening: elements of esz from one half of the operands to twice the size -------------------------------------- */

#define WIDEN(NAME, decl, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	unsigned lanes = x->width == IR_WS ? 1 : 8u >> x->esz; \
	unsigned from = x->imm ? 8u >> x->esz : 0; \
	for (unsigned n = 0; n < lanes; n++) { \
		decl; \
		ir_put(d, x->esz + 1, n, expr); \
	} \
}
#define UA u64 a = ir_lane(x->a, x->esz, from + n)
#define UB u64 b = ir_lane(x->b, x->esz, from + n)
#define SA s64 sa = ir_slane(x->a, x->esz, from + n)
#define SB s64 sb = ir_slane(x->b, x->esz, from + n)

WIDEN(VLSXT, SA, sa)
WIDEN(VLUXT, UA, a)
WIDEN(VLSMUL, SA; SB, sa * sb)
WIDEN(VLUMUL, UA; UB, a * b)
WIDEN(VLSQDMUL, SA; SB, ir_sat_s(x, 2 * (s128)sa * sb, 2 * x->bits))
WIDEN(VLSABD, SA; SB, sa > sb ? sa - sb : sb - sa)
WIDEN(VLUABD, UA; UB, a > b ? a - b : b - a)

static u128 pmul(u64 a, u64 b, unsigned bits)
{
	u128 r = 0;

	for (unsigned n = 0; n < bits; n++)
		if (b >> n & 1)
			r ^= (u128)a << n;
	return r;
}

void ir_v_VLPMUL(const struct ir_vx *x, v128 *d)
{
	unsigned lanes = 8u >> x->esz, from = x->imm ? lanes : 0;

	if (x->esz == IR_D) {
		u128 p = pmul(x->a->d[from], x->b->d[from], 64);

		*d = (v128){ .d = { (u64)p, (u64)(p >> 64) } };
		return;
	}
	for (unsigned n = 0; n < lanes; n++)
		d->h[n] = pmul(x->a->b[from + n], x->b->b[from + n], 8);
}

#undef UA
#undef UB
#undef SA
#undef SB

/* --- narrowing: elements of twice esz from b (and c) to one half of the result --------------------------------------- */

/* Puts the 64 bits in d's low half where imm says, with the old low half below. */
static void narrow_place(const struct ir_vx *x, v128 *d)
{
	if (!(x->imm & IR_HIGH))
		return;
	d->d[1] = d->d[0];
	d->d[0] = x->a->d[0];
}

#define NARROW(NAME, decl, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	unsigned lanes = x->width == IR_WS ? 1 : 8u >> x->esz, src = x->esz + 1; \
	for (unsigned n = 0; n < lanes; n++) { \
		decl; \
		ir_put(d, x->esz, n, expr); \
	} \
	narrow_place(x, d); \
}
#define UB u128 b = ir_lane(x->b, src, n)
#define SB s128 sb = ir_slane(x->b, src, n)
#define UC u128 c = ir_lane(x->c, src, n)
#define SH unsigned sh = x->imm & 0xff
#define RND (sh ? (s128)1 << (sh - 1) : 0)

NARROW(VNSHR, UB; SH, b >> sh)
NARROW(VNRSHR, UB; SH, (b + RND) >> sh)
NARROW(VNSQS, SB; SH, ir_sat_s(x, sb >> sh, x->bits))
NARROW(VNSQRS, SB; SH, ir_sat_s(x, (sb + RND) >> sh, x->bits))
NARROW(VNUQS, UB; SH, ir_sat_u(x, b >> sh, x->bits))
NARROW(VNUQRS, UB; SH, ir_sat_u(x, (b + RND) >> sh, x->bits))
NARROW(VNSQU, SB; SH, ir_sat_u(x, sb >> sh, x->bits))
NARROW(VNSQRU, SB; SH, ir_sat_u(x, (sb + RND) >> sh, x->bits))
NARROW(VNADDH, UB; UC, (b + c) >> x->bits)
NARROW(VNRADDH, UB; UC, (b + c + (1ull << (x->bits - 1))) >> x->bits)
NARROW(VNSUBH, UB; UC, (b - c) >> x->bits)
NARROW(VNRSUBH, UB; UC, (b - c + (1ull << (x->bits - 1))) >> x->bits)

/* --- pairwise ---------------------------------------------------------------------------------------------------------- */

/* Element n of a's lanes followed by b's; the scalar form takes both from a. */
static u64 pair_lane(const struct ir_vx *x, unsigned n)
{
	if (n < x->lanes || x->width == IR_WS)
		return ir_lane(x->a, x->esz, n);
	return ir_lane(x->b, x->esz, n - x->lanes);
}

#define PAIRS(NAME, type, conv, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	for (unsigned n = 0; n < x->lanes; n++) { \
		type p = conv(pair_lane(x, 2 * n)), q = conv(pair_lane(x, 2 * n + 1)); \
		ir_put(d, x->esz, n, expr); \
	} \
}
#define SIGNED(v) sext64(v, x->bits)

PAIRS(VADDP, u64, , p + q)
PAIRS(VSMAXP, s64, SIGNED, MAX(p, q))
PAIRS(VSMINP, s64, SIGNED, MIN(p, q))
PAIRS(VUMAXP, u64, , MAX(p, q))
PAIRS(VUMINP, u64, , MIN(p, q))

void ir_v_VSADDLP(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n < x->lanes / 2u; n++)
		ir_put(d, x->esz + 1, n, ir_slane(x->a, x->esz, 2 * n) + ir_slane(x->a, x->esz, 2 * n + 1));
}

void ir_v_VUADDLP(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n < x->lanes / 2u; n++)
		ir_put(d, x->esz + 1, n, ir_lane(x->a, x->esz, 2 * n) + ir_lane(x->a, x->esz, 2 * n + 1));
}

/* --- across the vector -------------------------------------------------------------------------------------------------- */

#define ACROSS(NAME, type, lane, to, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	unsigned lanes = (x->imm == IR_W64 ? 8u : 16u) >> x->esz; \
	type p = lane(x->a, x->esz, 0); \
	for (unsigned n = 1; n < lanes; n++) { \
		type q = lane(x->a, x->esz, n); \
		p = expr; \
	} \
	ir_put(d, to, 0, p); \
}

ACROSS(VADDV, u64, ir_lane, x->esz, p + q)
ACROSS(VSADDLV, s64, ir_slane, x->esz + 1, p + q)
ACROSS(VUADDLV, u64, ir_lane, x->esz + 1, p + q)
ACROSS(VSMAXV, s64, ir_slane, x->esz, MAX(p, q))
ACROSS(VSMINV, s64, ir_slane, x->esz, MIN(p, q))
ACROSS(VUMAXV, u64, ir_lane, x->esz, MAX(p, q))
ACROSS(VUMINV, u64, ir_lane, x->esz, MIN(p, q))

/* --- permutes ------------------------------------------------------------------------------------------------------------ */

void ir_v_VREV(const struct ir_vx *x, v128 *d)
{
	unsigned flip = ((unsigned)x->imm >> x->esz) - 1;

	for (unsigned n = 0; n < x->lanes; n++)
		ir_put(d, x->esz, n, ir_lane(x->a, x->esz, n ^ flip));
}

void ir_v_VEXT(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n < x->lanes; n++) {
		unsigned k = n + (unsigned)x->imm;

		d->b[n] = k < x->lanes ? x->a->b[k] : x->b->b[k - x->lanes];
	}
}

/* Result lane n is lane `k` of operand a (n even) or b (n odd), or of their concatenation. */
#define PERMUTE(NAME, from, k) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	unsigned half = x->lanes > 1 ? x->lanes / 2u : 1; \
	(void)half; \
	for (unsigned n = 0; n < x->lanes; n++) \
		ir_put(d, x->esz, n, ir_lane(from, x->esz, k)); \
}
#define BY_PARITY (n & 1 ? x->b : x->a)
#define BY_HALF (n < half ? x->a : x->b)

PERMUTE(VZIP1, BY_PARITY, n / 2)
PERMUTE(VZIP2, BY_PARITY, half + n / 2)
PERMUTE(VUZP1, BY_HALF, 2 * (n % half))
PERMUTE(VUZP2, BY_HALF, 2 * (n % half) + 1)
PERMUTE(VTRN1, BY_PARITY, n & ~1u)
PERMUTE(VTRN2, BY_PARITY, n | 1u)

void ir_v_VTBL(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n < x->lanes; n++) {
		u64 k = x->b->b[n] - (u64)x->imm;

		d->b[n] = k < 16 ? x->a->b[k] : 0;
	}
}

void ir_v_VTBX(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n < x->lanes; n++) {
		u64 k = x->b->b[n] - (u64)x->imm;

		d->b[n] = k < 16 ? x->a->b[k] : x->c->b[n];
	}
}
