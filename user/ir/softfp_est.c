// SPDX-License-Identifier: MIT
/*
 * Reciprocal and reciprocal square root estimates, as the Arm ARM's pseudocode defines them (RecipEstimate, RecipSqrtEstimate: nine bits
 * in, nine bits out).
 */
#include "ir/softfp_priv.h"

/* a in 256..511 stands for 0.5 <= a/512 < 1; the result r in 256..511 for 1 <= r/256 < 2. */
static unsigned recip_estimate(unsigned a)
{
	return ((1u << 19) / (2 * a + 1) + 1) / 2;
}

/* a in 128..511 stands for 0.25 <= a/512 < 1; the result as above. */
static unsigned rsqrt_estimate(unsigned a)
{
	unsigned lo = 512, hi = 1024;

	a = a < 256 ? 2 * a + 1 : 2 * (a | 1);
	/* The largest b with a * b * b < 2^28 */
	while (hi - lo > 1) {
		unsigned mid = (lo + hi) / 2;

		if ((u64)a * mid * mid < 1u << 28)
			lo = mid;
		else
			hi = mid;
	}
	return (lo + 1) / 2;
}

/* Too small to have a reciprocal: overflow, in the direction that rounding says. */
static u64 recip_overflow(const struct sf_fmt *f, bool sign, struct ir_fpenv *env)
{
	unsigned rmode = sf_rmode(env);

	sf_raise(env, SF_OFC | SF_IXC);
	if (rmode == IR_RN || rmode == (sign ? IR_RM : IR_RP))
		return sf_inf(f, sign);
	return sf_max_normal(f, sign);
}

u64 sf_recpe(unsigned esz, u64 a, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env);
	int exp;
	u64 frac;

	switch ((enum sf_class)x.cls) {
	case SF_QNAN:
	case SF_SNAN: return sf_nan(f, &x, a, env);
	case SF_INF: return sf_zero(f, x.sign);
	case SF_ZERO: sf_raise(env, SF_DZC); return sf_inf(f, x.sign);
	case SF_NUM: break;
	}
	if (x.exp < f->emin - 2)
		return recip_overflow(f, x.sign, env);
	if (env->fpcr & f->flush && x.exp >= -f->emin) {
		sf_raise(env, SF_UFC);
		return sf_zero(f, x.sign);
	}
	/* The estimate of 1 / (1.xxx * 2^e) is 1.yyy * 2^(-1 - e), which may be denormal by one or two places. */
	frac = (u64)(recip_estimate((unsigned)(x.sig >> 55)) & 0xff) << (f->fbits - 8);
	exp = -1 - x.exp - f->emin + 1;
	if (exp <= 0) {
		frac = (frac | 1ull << f->fbits) >> (1 - exp);
		exp = 0;
	}
	return sf_zero(f, x.sign) | (u64)exp << f->fbits | frac;
}

u64 sf_rsqrte(unsigned esz, u64 a, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env);
	unsigned scaled;
	int exp;

	if (sf_is_nan(&x))
		return sf_nan(f, &x, a, env);
	if (x.cls == SF_ZERO) {
		sf_raise(env, SF_DZC);
		return sf_inf(f, x.sign);
	}
	if (x.sign)
		return sf_invalid(f, env);
	if (x.cls == SF_INF)
		return sf_zero(f, false);
	/* The number as 0.1xxx or, to make the exponent even, 0.01xxx; nine bits of it. */
	scaled = (unsigned)(x.sig >> 55);
	if (!(x.exp & 1))
		scaled >>= 1;
	exp = (-1 - x.exp - (x.exp & 1 ? 0 : 1)) / 2;
	return (u64)(exp - f->emin + 1) << f->fbits | (u64)(rsqrt_estimate(scaled) & 0xff) << (f->fbits - 8);
}

u64 sf_recpx(unsigned esz, u64 a, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env);
	u64 ones = (1ull << f->ebits) - 1, exp = a >> f->fbits & ones;

	if (sf_is_nan(&x))
		return sf_nan(f, &x, a, env);
	return sf_zero(f, x.sign) | (exp ? ~exp & ones : ones - 1) << f->fbits;
}

u32 sf_urecpe(u32 a)
{
	return a >> 31 ? recip_estimate(a >> 23) << 23 : ~0u;
}

u32 sf_ursqrte(u32 a)
{
	return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : ~0u;
}
