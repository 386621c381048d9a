// SPDX-License-Identifier: MIT
/*
 * The evaluator's floating-point vector operations: lanes and immediates; the arithmetic is softfp's.
 */
#include "ir/eval_priv.h"
#include "ir/softfp.h"

#define EACH(n) for (unsigned n = 0; n < x->lanes; n++)

#define LANES(NAME, decl, expr) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	EACH(n) { \
		decl; \
		ir_put(d, x->esz, n, expr); \
	} \
}
#define A u64 a = ir_lane(x->a, x->esz, n)
#define B u64 b = ir_lane(x->b, x->esz, n)
#define C u64 c = ir_lane(x->c, x->esz, n)
#define UN(NAME, expr) LANES(NAME, A, expr)
#define BIN(NAME, expr) LANES(NAME, A; B, expr)

/* --- arithmetic ------------------------------------------------------------------------------------------------------------ */

BIN(FADD, sf_add(x->esz, a, b, x->env))
BIN(FSUB, sf_sub(x->esz, a, b, x->env))
BIN(FMUL, sf_mul(x->esz, a, b, x->env))
BIN(FNMUL, sf_neg(x->esz, sf_mul(x->esz, a, b, x->env)))
BIN(FDIV, sf_div(x->esz, a, b, x->env))
BIN(FMULX, sf_mulx(x->esz, a, b, x->env))
BIN(FABD, sf_abs(x->esz, sf_sub(x->esz, a, b, x->env)))
BIN(FMAX, sf_max(x->esz, a, b, x->env))
BIN(FMIN, sf_min(x->esz, a, b, x->env))
BIN(FMAXNM, sf_maxnm(x->esz, a, b, x->env))
BIN(FMINNM, sf_minnm(x->esz, a, b, x->env))
BIN(FRECPS, sf_recps(x->esz, a, b, x->env))
BIN(FRSQRTS, sf_rsqrts(x->esz, a, b, x->env))
UN(FSQRT, sf_sqrt(x->esz, a, x->env))
UN(FABS, sf_abs(x->esz, a))
UN(FNEG, sf_neg(x->esz, a))
UN(FRECPE, sf_recpe(x->esz, a, x->env))
UN(FRSQRTE, sf_rsqrte(x->esz, a, x->env))
UN(FRECPX, sf_recpx(x->esz, a, x->env))
UN(VURECPE, sf_urecpe(a))
UN(VURSQRTE, sf_ursqrte(a))

/* imm bit 0: the product's first factor is negated, bit 1: the addend is. */
void ir_v_FMA(const struct ir_vx *x, v128 *d)
{
	u64 sign = sf_sign_bit(x->esz);

	EACH(n) {
		A;
		B;
		C;
		a ^= x->imm & 2 ? sign : 0;
		b ^= x->imm & 1 ? sign : 0;
		ir_put(d, x->esz, n, sf_muladd(x->esz, a, b, c, x->env));
	}
}

/* --- comparison ------------------------------------------------------------------------------------------------------------- */

#define EQUAL 6u
#define GREATER 2u

static u64 mask(bool holds)
{
	return holds ? ~0ull : 0;
}

static bool greater(const struct ir_vx *x, u64 a, u64 b)
{
	return sf_compare(x->esz, a, b, true, x->env) == GREATER;
}

static bool greater_equal(const struct ir_vx *x, u64 a, u64 b)
{
	unsigned r = sf_compare(x->esz, a, b, true, x->env);

	return r == GREATER || r == EQUAL;
}

BIN(FCMEQ, mask(sf_compare(x->esz, a, b, false, x->env) == EQUAL))
BIN(FCMGE, mask(greater_equal(x, a, b)))
BIN(FCMGT, mask(greater(x, a, b)))
BIN(FACGE, mask(greater_equal(x, sf_abs(x->esz, a), sf_abs(x->esz, b))))
BIN(FACGT, mask(greater(x, sf_abs(x->esz, a), sf_abs(x->esz, b))))

void ir_v_FL_FCMP(const struct ir_vx *x, v128 *d)
{
	d->d[0] = sf_compare(x->esz, ir_lane(x->a, x->esz, 0), ir_lane(x->b, x->esz, 0), x->aux & 1, x->env);
}

void ir_v_FL_FCCMP(const struct ir_vx *x, v128 *d)
{
	if (ir_cc_holds(x->cc, x->a->d[0]))
		d->d[0] = sf_compare(x->esz, ir_lane(x->b, x->esz, 0), ir_lane(x->c, x->esz, 0), x->aux & 1, x->env);
	else
		d->d[0] = x->imm & 15;
}

/* --- pairs and reductions ---------------------------------------------------------------------------------------------------- */

typedef u64 binary_fn(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);

static u64 pair_lane(const struct ir_vx *x, unsigned n)
{
	if (n < x->lanes || x->width == IR_WS)
		return ir_lane(x->a, x->esz, n);
	return ir_lane(x->b, x->esz, n - x->lanes);
}

static void pairs(const struct ir_vx *x, v128 *d, binary_fn *f)
{
	EACH(n)
		ir_put(d, x->esz, n, f(x->esz, pair_lane(x, 2 * n), pair_lane(x, 2 * n + 1), x->env));
}

/* Neighbours first, then neighbouring results: what halving recursively does. */
static void across(const struct ir_vx *x, v128 *d, binary_fn *f)
{
	unsigned lanes = (x->imm == IR_W64 ? 8u : 16u) >> x->esz;
	v128 v = *x->a;

	for (; lanes > 1; lanes /= 2)
		for (unsigned n = 0; n < lanes / 2; n++)
			ir_put(&v, x->esz, n, f(x->esz, ir_lane(&v, x->esz, 2 * n), ir_lane(&v, x->esz, 2 * n + 1), x->env));
	ir_put(d, x->esz, 0, ir_lane(&v, x->esz, 0));
}

#define REDUCE(NAME, how, f) \
void ir_v_##NAME(const struct ir_vx *x, v128 *d) \
{ \
	how(x, d, f); \
}
REDUCE(FADDP, pairs, sf_add)
REDUCE(FMAXP, pairs, sf_max)
REDUCE(FMINP, pairs, sf_min)
REDUCE(FMAXNMP, pairs, sf_maxnm)
REDUCE(FMINNMP, pairs, sf_minnm)
REDUCE(FMAXV, across, sf_max)
REDUCE(FMINV, across, sf_min)
REDUCE(FMAXNMV, across, sf_maxnm)
REDUCE(FMINNMV, across, sf_minnm)

/* --- complex numbers: even lanes real, odd lanes imaginary ----------------------------------------------------------------------- */

/* b is turned by 90 (imm 1) or 270 (imm 3) degrees, then added. */
void ir_v_FCADD(const struct ir_vx *x, v128 *d)
{
	for (unsigned n = 0; n + 1 < x->lanes; n += 2) {
		u64 re = ir_lane(x->b, x->esz, n + 1), im = ir_lane(x->b, x->esz, n);

		if (x->imm == 1)
			re = sf_neg(x->esz, re);
		else
			im = sf_neg(x->esz, im);
		ir_put(d, x->esz, n, sf_add(x->esz, ir_lane(x->a, x->esz, n), re, x->env));
		ir_put(d, x->esz, n + 1, sf_add(x->esz, ir_lane(x->a, x->esz, n + 1), im, x->env));
	}
}

/* imm = rotation: which part of b multiplies (imm bit 0), and which parts of c, with which signs. */
void ir_v_FCMLA(const struct ir_vx *x, v128 *d)
{
	unsigned rot = x->imm & 3, odd = rot & 1;
	bool neg_re = rot == 1 || rot == 2, neg_im = rot >= 2;

	for (unsigned n = 0; n + 1 < x->lanes; n += 2) {
		u64 factor = ir_lane(x->b, x->esz, n + odd);
		u64 re = ir_lane(x->c, x->esz, n + odd), im = ir_lane(x->c, x->esz, n + !odd);

		if (neg_re)
			re = sf_neg(x->esz, re);
		if (neg_im)
			im = sf_neg(x->esz, im);
		ir_put(d, x->esz, n, sf_muladd(x->esz, ir_lane(x->a, x->esz, n), factor, re, x->env));
		ir_put(d, x->esz, n + 1, sf_muladd(x->esz, ir_lane(x->a, x->esz, n + 1), factor, im, x->env));
	}
}

/* --- conversions ------------------------------------------------------------------------------------------------------------------- */

#define IMM_ROUND ((unsigned)x->imm & 0xff)
#define IMM_FBITS ((unsigned)(x->imm >> 8) & 0xff)
#define IMM_UNSIGNED (!!(x->imm & IR_UNSIGNED))

UN(FRINT, sf_rint(x->esz, a, (unsigned)x->imm, x->env))
UN(FTOI, sf_to_fixed(x->esz, a, x->bits, IMM_FBITS, IMM_UNSIGNED, IMM_ROUND, x->env))
UN(ITOF, sf_from_fixed(x->esz, a, x->bits, IMM_FBITS, IMM_UNSIGNED, x->env))

void ir_v_FTOIG(const struct ir_vx *x, v128 *d)
{
	unsigned bits = x->type == IR_I32 ? 32 : 64;

	d->d[0] = sf_to_fixed(x->esz, ir_lane(x->a, x->esz, 0), bits, IMM_FBITS, IMM_UNSIGNED, IMM_ROUND, x->env);
}

void ir_v_ITOFG(const struct ir_vx *x, v128 *d)
{
	unsigned bits = x->type == IR_I32 ? 32 : 64;

	d->d[0] = sf_from_fixed(x->esz, x->a->d[0], bits, IMM_FBITS, IMM_UNSIGNED, x->env);
}

void ir_v_FJCVT(const struct ir_vx *x, v128 *d)
{
	bool exact;

	d->d[0] = sf_jcvt(x->a->d[0], &exact, x->env);
}

void ir_v_FL_FJCVT(const struct ir_vx *x, v128 *d)
{
	bool exact;

	sf_jcvt(x->a->d[0], &exact, x->env);
	d->d[0] = exact ? IR_FLAG_Z : 0;
}

void ir_v_FCVT(const struct ir_vx *x, v128 *d)
{
	d->d[0] = sf_convert(x->esz, (unsigned)x->imm, ir_lane(x->a, (unsigned)x->imm, 0), x->env);
}

void ir_v_FCVTL(const struct ir_vx *x, v128 *d)
{
	unsigned lanes = x->width == IR_WS ? 1 : 8u >> x->esz, from = x->imm ? 8u >> x->esz : 0;

	for (unsigned n = 0; n < lanes; n++)
		ir_put(d, x->esz + 1, n, sf_convert(x->esz + 1, x->esz, ir_lane(x->a, x->esz, from + n), x->env));
}

static void narrow(const struct ir_vx *x, v128 *d, u64 (*convert)(unsigned to, unsigned from, u64 a, struct ir_fpenv *env))
{
	unsigned lanes = x->width == IR_WS ? 1 : 8u >> x->esz;

	for (unsigned n = 0; n < lanes; n++)
		ir_put(d, x->esz, n, convert(x->esz, x->esz + 1, ir_lane(x->b, x->esz + 1, n), x->env));
	if (x->imm & IR_HIGH) {
		d->d[1] = d->d[0];
		d->d[0] = x->a->d[0];
	}
}

void ir_v_FCVTN(const struct ir_vx *x, v128 *d)
{
	narrow(x, d, sf_convert);
}

void ir_v_FCVTXN(const struct ir_vx *x, v128 *d)
{
	narrow(x, d, sf_convert_odd);
}
