// SPDX-License-Identifier: MIT
/*
 * Soft floating point: rounding to integers, conversions between formats and to and from integers.
 */
#include "ir/softfp_priv.h"

/* --- to integers --------------------------------------------------------------------------------------------------------- */

/* A magnitude rounded to an integer. */
struct rounded {
	u64 mag;
	bool inexact;
	bool huge;			/* 2^64 or more: mag means nothing */
};

/* Round the nonzero number sig / 2^63 * 2^exp, of the given sign. */
static struct rounded round_integer(bool sign, int exp, u64 sig, unsigned rmode)
{
	struct rounded r = { 0, false, exp > 63 };
	u64 rest, half = 1ull << 63;	/* what is behind the point, scaled by 2^64; sticky */
	bool up = false;

	if (r.huge)
		return r;
	if (exp >= 0) {
		r.mag = sig >> (63 - exp);
		rest = exp == 63 ? 0 : sig << (exp + 1);
	} else {
		rest = sf_shift_jam(sig, (unsigned)(-1 - exp));
	}
	if (!rest)
		return r;
	r.inexact = true;
	switch (rmode) {
	case IR_RN: up = rest > half || (rest == half && r.mag & 1); break;
	case IR_RA: up = rest >= half; break;
	case IR_RP: up = !sign; break;
	case IR_RM: up = sign; break;
	}
	r.mag += up;
	r.huge = up && !r.mag;
	return r;
}

static unsigned integer_rmode(unsigned round, const struct ir_fpenv *env)
{
	return round >= IR_RCUR ? sf_rmode(env) : round;
}

/* FPRoundInt. */
u64 sf_rint(unsigned esz, u64 a, unsigned round, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env);
	struct rounded r;
	unsigned lead;

	if (sf_is_nan(&x))
		return sf_nan(f, &x, a, env);
	if (x.cls == SF_ZERO)
		return sf_zero(f, x.sign);
	if (x.cls == SF_INF || x.exp >= f->fbits)
		return a;
	r = round_integer(x.sign, x.exp, x.sig, integer_rmode(round, env));
	if (r.inexact && round == IR_RCURX)
		sf_raise(env, SF_IXC);
	if (!r.mag)
		return sf_zero(f, x.sign);
	lead = (unsigned)__builtin_clzll(r.mag);
	return sf_round_as(f, x.sign, 63 - (int)lead, r.mag << lead, IR_RZ, env, false, true);
}

/* The largest magnitude that a fixed-point number of this kind holds, by sign. */
static u64 fixed_limit(unsigned bits, bool is_unsigned, bool sign)
{
	if (is_unsigned)
		return sign ? 0 : ~0ull >> (64 - bits);
	return (1ull << (bits - 1)) - !sign;
}

/* FPToFixed. */
u64 sf_to_fixed(unsigned esz, u64 a, unsigned bits, unsigned fbits, bool is_unsigned, unsigned round, struct ir_fpenv *env)
{
	struct sf_num x = sf_unpack(&sf_fmt[esz], a, env);
	u64 limit = fixed_limit(bits, is_unsigned, x.sign), mask = ~0ull >> (64 - bits);
	struct rounded r = { 0, false, x.cls == SF_INF };

	if (sf_is_nan(&x)) {
		sf_raise(env, SF_IOC);
		return 0;
	}
	if (x.cls == SF_NUM)
		r = round_integer(x.sign, x.exp + (int)fbits, x.sig, integer_rmode(round, env));
	if (r.huge || r.mag > limit) {
		sf_raise(env, SF_IOC);
		r.mag = limit;
	} else if (r.inexact) {
		sf_raise(env, SF_IXC);
	}
	return (x.sign ? 0 - r.mag : r.mag) & mask;
}

/* FPToFixedJS: towards zero, modulo 2^32. */
u32 sf_jcvt(u64 a, bool *exact, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[IR_D];
	struct sf_num x = sf_unpack(f, a, env);
	struct rounded r = { 0, false, false };
	u64 limit = fixed_limit(32, false, x.sign);
	bool invalid = sf_is_nan(&x) || x.cls == SF_INF;

	*exact = false;
	if (x.cls == SF_NUM) {
		r = round_integer(x.sign, x.exp, x.sig, IR_RZ);
		invalid = r.huge || r.mag > limit;
		if (r.huge)		/* the bits of weight below 2^32 */
			r.mag = x.exp - 63 < 32 ? x.sig << (x.exp - 63) : 0;
	}
	if (invalid)
		sf_raise(env, SF_IOC);
	else if (r.inexact)
		sf_raise(env, SF_IXC);
	else
		*exact = x.cls == SF_NUM || a == 0;	/* not for -0, nor for a flushed denormal */
	return (u32)(x.sign ? 0 - r.mag : r.mag);
}

/* FixedToFP. */
u64 sf_from_fixed(unsigned esz, u64 a, unsigned bits, unsigned fbits, bool is_unsigned, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	bool sign = !is_unsigned && a >> (bits - 1) & 1;
	unsigned lead;

	if (bits < 64)
		a = is_unsigned ? a & ~0ull >> (64 - bits) : (u64)sext64(a, bits);
	if (!a)
		return sf_zero(f, false);
	if (sign)
		a = 0 - a;
	lead = (unsigned)__builtin_clzll(a);
	return sf_round(f, sign, 63 - (int)lead - (int)fbits, a << lead, env);
}

/* --- between formats -------------------------------------------------------------------------------------------------------- */

/* FPConvertNaN: sign and the top of the fraction stay, quiet. */
static u64 convert_nan(const struct sf_fmt *to, const struct sf_fmt *from, u64 a)
{
	u64 frac = a << (64 - from->fbits) >> (64 - to->fbits);

	return sf_inf(to, a >> (from->bits - 1) & 1) | 1ull << (to->fbits - 1) | frac;
}

/* FPConvert. Half precision ignores FZ16 here, on both sides. */
static u64 convert(unsigned to, unsigned from, u64 a, unsigned rmode, struct ir_fpenv *env)
{
	const struct sf_fmt *ft = &sf_fmt[to], *ff = &sf_fmt[from];
	bool ahp = env->fpcr & SF_AHP, to_ahp = ahp && to == IR_H;
	struct sf_num x = sf_unpack_as(ff, a, env, ahp && from == IR_H, from != IR_H);

	switch ((enum sf_class)x.cls) {
	case SF_QNAN:
	case SF_SNAN:
		if (x.cls == SF_SNAN || to_ahp)
			sf_raise(env, SF_IOC);
		if (to_ahp)
			return sf_zero(ft, x.sign);
		return env->fpcr & SF_DN ? sf_default_nan(ft) : convert_nan(ft, ff, a);
	case SF_INF:
		if (!to_ahp)
			return sf_inf(ft, x.sign);
		sf_raise(env, SF_IOC);
		return sf_zero(ft, x.sign) | (sf_sign_bit(IR_H) - 1);
	case SF_ZERO:
		return sf_zero(ft, x.sign);
	case SF_NUM:
		break;
	}
	return sf_round_as(ft, x.sign, x.exp, x.sig, rmode, env, to_ahp, to != IR_H);
}

u64 sf_convert(unsigned to, unsigned from, u64 a, struct ir_fpenv *env)
{
	return convert(to, from, a, sf_rmode(env), env);
}

u64 sf_convert_odd(unsigned to, unsigned from, u64 a, struct ir_fpenv *env)
{
	return convert(to, from, a, SF_ODD, env);
}
