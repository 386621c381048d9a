// SPDX-License-Identifier: MIT
/*
 * Soft floating point: arithmetic and comparison. See softfp.h. Names in comments are those of the Arm ARM's functions.
 */
#include "ir/softfp_priv.h"

const struct sf_fmt sf_fmt[4] = {
	[IR_H] = { 16, 5, 10, -14, SF_FZ16 },
	[IR_S] = { 32, 8, 23, -126, SF_FZ },
	[IR_D] = { 64, 11, 52, -1022, SF_FZ },
};

/* --- rounding --------------------------------------------------------------------------------------------------------- */

static u64 overflow(const struct sf_fmt *f, bool sign, unsigned rmode, struct ir_fpenv *env)
{
	bool to_inf = rmode == IR_RN || rmode == (sign ? IR_RM : IR_RP);

	sf_raise(env, SF_OFC | SF_IXC);
	return to_inf ? sf_inf(f, sign) : sf_max_normal(f, sign);
}

u64 sf_round_as(const struct sf_fmt *f, bool sign, int exp, u64 sig, unsigned rmode, struct ir_fpenv *env, bool ahp, bool flush)
{
	unsigned drop = 63 - f->fbits, emax = (1u << f->ebits) - 1;
	u64 rest_mask = (1ull << drop) - 1, half = 1ull << (drop - 1), rest, mant;
	int biased = exp - f->emin + 1;
	bool tiny = biased <= 0;

	if (unlikely(tiny)) {
		if (flush && env->fpcr & f->flush) {
			sf_raise(env, SF_UFC);
			return sf_zero(f, sign);
		}
		sig = sf_shift_jam(sig, (unsigned)(1 - biased));
		biased = 0;
	}
	mant = sig >> drop;
	rest = sig & rest_mask;
	if (rest) {
		if (tiny)
			sf_raise(env, SF_UFC);
		if (rmode == IR_RN)
			mant += rest > half || (rest == half && mant & 1);
		else if (rmode == SF_ODD)
			mant |= 1;
		else
			mant += rmode == (sign ? IR_RM : IR_RP);
	}
	/* mant's leading one, if any, adds one to the exponent; so does a carry out of the fraction. */
	mant += (u64)(biased ? biased - 1 : 0) << f->fbits;
	if (unlikely(mant >> f->fbits >= emax)) {
		if (!ahp)
			return overflow(f, sign, rmode, env);
		if (mant >> f->fbits > emax) {
			sf_raise(env, SF_IOC);
			return sf_zero(f, sign) | (sf_sign_bit(IR_H) - 1);
		}
	}
	if (rest)
		sf_raise(env, SF_IXC);
	return (u64)sign << (f->bits - 1) | mant;
}

/* --- NaNs --------------------------------------------------------------------------------------------------------------- */

u64 sf_nan(const struct sf_fmt *f, const struct sf_num *x, u64 v, struct ir_fpenv *env)
{
	if (x->cls == SF_SNAN)
		sf_raise(env, SF_IOC);
	return env->fpcr & SF_DN ? sf_default_nan(f) : v | 1ull << (f->fbits - 1);
}

/* FPProcessNaNs; one of them is a NaN. */
static u64 nan2(const struct sf_fmt *f, const struct sf_num *x, const struct sf_num *y, u64 a, u64 b, struct ir_fpenv *env)
{
	if (x->cls == SF_SNAN || (y->cls != SF_SNAN && x->cls == SF_QNAN))
		return sf_nan(f, x, a, env);
	return sf_nan(f, y, b, env);
}

/* FPProcessNaNs3. */
static u64 nan3(const struct sf_fmt *f, const struct sf_num *z, const struct sf_num *x, const struct sf_num *y, u64 c, u64 a, u64 b,
		struct ir_fpenv *env)
{
	if (z->cls == SF_SNAN)
		return sf_nan(f, z, c, env);
	if (x->cls == SF_SNAN || y->cls == SF_SNAN)
		return nan2(f, x, y, a, b, env);
	if (z->cls == SF_QNAN)
		return sf_nan(f, z, c, env);
	return nan2(f, x, y, a, b, env);
}

/* --- sums ------------------------------------------------------------------------------------------------------------------ */

/* The sign of an exact zero sum of unlike zeros or cancelling numbers. */
static u64 zero_sum(const struct sf_fmt *f, const struct ir_fpenv *env)
{
	return sf_zero(f, sf_rmode(env) == IR_RM);
}

/* x + y, both SF_NUM. Operands have at least ten zero bits at the end, so that one bit of room above costs nothing. */
static u64 add_nums(const struct sf_fmt *f, const struct sf_num *x, const struct sf_num *y, struct ir_fpenv *env)
{
	u64 big, small, sum;
	unsigned lead;

	if (x->exp < y->exp || (x->exp == y->exp && x->sig < y->sig)) {
		const struct sf_num *t = x;

		x = y;
		y = t;
	}
	big = x->sig >> 1;
	small = sf_shift_jam(y->sig >> 1, (unsigned)(x->exp - y->exp));
	sum = x->sign == y->sign ? big + small : big - small;
	if (!sum)
		return zero_sum(f, env);
	lead = (unsigned)__builtin_clzll(sum);
	return sf_round(f, x->sign, x->exp + 1 - (int)lead, sum << lead, env);
}

/* A number that is a result as it stands (the other addend was zero). It still may be flushed, never be inexact. */
static u64 round_exact(const struct sf_fmt *f, const struct sf_num *x, struct ir_fpenv *env)
{
	return sf_round(f, x->sign, x->exp, x->sig, env);
}

static u64 add_signed(unsigned esz, u64 a, u64 b, bool subtract, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);

	if (unlikely(sf_is_nan(&x) || sf_is_nan(&y)))
		return nan2(f, &x, &y, a, b, env);
	y.sign ^= subtract;
	if (likely(x.cls == SF_NUM && y.cls == SF_NUM))
		return add_nums(f, &x, &y, env);
	if (x.cls == SF_INF)
		return y.cls == SF_INF && x.sign != y.sign ? sf_invalid(f, env) : sf_inf(f, x.sign);
	if (y.cls == SF_INF)
		return sf_inf(f, y.sign);
	if (x.cls == SF_NUM)
		return round_exact(f, &x, env);
	if (y.cls == SF_NUM)
		return round_exact(f, &y, env);
	return x.sign == y.sign ? sf_zero(f, x.sign) : zero_sum(f, env);
}

u64 sf_add(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return add_signed(esz, a, b, false, env);
}

u64 sf_sub(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return add_signed(esz, a, b, true, env);
}

/* --- products and quotients --------------------------------------------------------------------------------------------------- */

/* The top 64 bits of a nonzero 128-bit number, normalised, with a sticky last bit; *lead is how far it was shifted. */
static u64 normalise128(u128 v, int *lead)
{
	u64 hi = v >> 64, lo = (u64)v;

	if (!hi) {
		*lead = 64 + __builtin_clzll(lo);
		return lo << (*lead - 64);
	}
	*lead = __builtin_clzll(hi);
	v <<= *lead;
	return (u64)(v >> 64) | ((u64)v != 0);
}

static u64 multiply(unsigned esz, u64 a, u64 b, bool extended, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);
	bool sign = x.sign ^ y.sign;
	int lead;
	u64 sig;

	if (unlikely(sf_is_nan(&x) || sf_is_nan(&y)))
		return nan2(f, &x, &y, a, b, env);
	if (likely(x.cls == SF_NUM && y.cls == SF_NUM)) {
		sig = normalise128((u128)x.sig * y.sig, &lead);
		return sf_round(f, sign, x.exp + y.exp + 1 - lead, sig, env);
	}
	if (x.cls == SF_INF || y.cls == SF_INF) {
		if (x.cls != SF_ZERO && y.cls != SF_ZERO)
			return sf_inf(f, sign);
		return extended ? sf_pow2(f, sign, 1) : sf_invalid(f, env);
	}
	return sf_zero(f, sign);
}

u64 sf_mul(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return multiply(esz, a, b, false, env);
}

u64 sf_mulx(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return multiply(esz, a, b, true, env);
}

/* hi:lo / d for hi < d. (The compiler would call libgcc.) */
static u64 divide128(u64 hi, u64 lo, u64 d, u64 *rem)
{
	u64 q;

	__asm__("divq %4" : "=a"(q), "=d"(*rem) : "0"(lo), "1"(hi), "rm"(d) : "cc");
	return q;
}

static u64 divide_nums(const struct sf_fmt *f, const struct sf_num *x, const struct sf_num *y, bool sign, struct ir_fpenv *env)
{
	int exp = x->exp - y->exp;
	u64 q, rem;

	if (x->sig >= y->sig) {
		q = divide128(x->sig >> 1, x->sig << 63, y->sig, &rem);
	} else {
		q = divide128(x->sig, 0, y->sig, &rem);
		exp--;
	}
	return sf_round(f, sign, exp, q | (rem != 0), env);
}

u64 sf_div(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);
	bool sign = x.sign ^ y.sign;

	if (unlikely(sf_is_nan(&x) || sf_is_nan(&y)))
		return nan2(f, &x, &y, a, b, env);
	if (likely(x.cls == SF_NUM && y.cls == SF_NUM))
		return divide_nums(f, &x, &y, sign, env);
	if (x.cls == y.cls)
		return sf_invalid(f, env);	/* 0/0, inf/inf */
	if (x.cls == SF_INF || y.cls == SF_ZERO) {
		if (x.cls != SF_INF)
			sf_raise(env, SF_DZC);
		return sf_inf(f, sign);
	}
	return sf_zero(f, sign);
}

/*
 * Integer square roots, rounded down, of n with one of its top two bits set. Each takes the root of n's upper half and gets as many bits
 * again from a division; that errs upwards only, by one at most (the omitted square of the new bits).
 */
static u64 root8(u64 n)
{
	u64 root = 128, bit;

	for (bit = 64; bit; bit >>= 1)
		root += (root + bit) * (root + bit) <= n ? bit : 0;
	return root;
}

static u64 root16(u64 n)
{
	u64 hi = n >> 16, s = root8(hi), r = (s << 8) + (((hi - s * s) << 8 | (n >> 8 & 0xff)) / (2 * s));

	while (r * r > n)
		r--;
	return r;
}

static u64 root32(u64 n)
{
	u64 hi = n >> 32, s = root16(hi), r = (s << 16) + (((hi - s * s) << 16 | (n >> 16 & 0xffff)) / (2 * s));

	while ((u128)r * r > n)
		r--;
	return r;
}

static u64 root64(u128 n)
{
	u64 hi = (u64)(n >> 64), s = root32(hi), rem = hi - s * s, q, r;

	q = divide128(rem >> 32, rem << 32 | (u32)(n >> 32), 2 * s, &rem);
	r = (s << 32) + MIN(q, 0xffffffffull);
	while ((u128)r * r > n)
		r--;
	return r;
}

u64 sf_sqrt(unsigned esz, u64 a, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env);
	u128 m;
	u64 root;

	if (sf_is_nan(&x))
		return sf_nan(f, &x, a, env);
	if (x.cls == SF_ZERO)
		return sf_zero(f, x.sign);
	if (x.sign)
		return sf_invalid(f, env);
	if (x.cls == SF_INF)
		return sf_inf(f, false);
	/* An even exponent leaves m in [2^126, 2^127), an odd one (rounded down to even) in [2^127, 2^128). */
	m = (u128)x.sig << (63 + (x.exp & 1));
	root = root64(m);
	return sf_round(f, false, x.exp >> 1, root | ((u128)root * root != m), env);
}

/* --- fused multiply-add ---------------------------------------------------------------------------------------------------------- */

static u128 shift_jam128(u128 v, unsigned n)
{
	if (n >= 128)
		return v != 0;
	return n ? v >> n | (v << (128 - n) != 0) : v;
}

/*
 * z + x * y, scaled by 2^scale; x, y SF_NUM, z SF_NUM or SF_ZERO. The product is exact in 128 bits; both terms get their leading one
 * to bit 126, so that the sum fits, and there are at least twenty spare bits at the end where sticky bits go.
 */
static u64 fused_nums(const struct sf_fmt *f, const struct sf_num *z, const struct sf_num *x, const struct sf_num *y, int scale,
		      struct ir_fpenv *env)
{
	u128 p = (u128)x->sig * y->sig, q, sum;
	bool sign = x->sign ^ y->sign;
	int exp = x->exp + y->exp, lead;
	u64 sig;

	if (p >> 127) {
		p >>= 1;
		exp++;
	}
	sum = p;
	if (z->cls == SF_NUM) {
		int diff = exp - z->exp;

		q = (u128)z->sig << 63;
		if (diff >= 0) {
			q = shift_jam128(q, (unsigned)diff);
		} else {
			p = shift_jam128(p, (unsigned)-diff);
			exp = z->exp;
		}
		if (sign == z->sign) {
			sum = p + q;
		} else if (p >= q) {
			sum = p - q;
		} else {
			sum = q - p;
			sign = z->sign;
		}
		if (!sum)
			return zero_sum(f, env);
	}
	sig = normalise128(sum, &lead);
	return sf_round(f, sign, exp + 1 - lead + scale, sig, env);
}

/* The part that FPMulAdd and the step functions share: no NaNs, no inf x 0. */
static u64 fused(const struct sf_fmt *f, const struct sf_num *z, const struct sf_num *x, const struct sf_num *y, int scale,
		 struct ir_fpenv *env)
{
	bool inf = x->cls == SF_INF || y->cls == SF_INF, sign = x->sign ^ y->sign;

	if (z->cls == SF_INF || inf) {
		if (z->cls == SF_INF && inf && z->sign != sign)
			return sf_invalid(f, env);
		return sf_inf(f, inf ? sign : z->sign);
	}
	if (x->cls == SF_NUM && y->cls == SF_NUM)
		return fused_nums(f, z, x, y, scale, env);
	if (z->cls == SF_NUM)
		return sf_round(f, z->sign, z->exp + scale, z->sig, env);
	return z->sign == sign ? sf_zero(f, sign) : zero_sum(f, env);
}

static bool inf_times_zero(const struct sf_num *x, const struct sf_num *y)
{
	return (x->cls == SF_INF && y->cls == SF_ZERO) || (x->cls == SF_ZERO && y->cls == SF_INF);
}

u64 sf_muladd(unsigned esz, u64 addend, u64 a, u64 b, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num z = sf_unpack(f, addend, env), x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);

	if (unlikely(inf_times_zero(&x, &y))) {
		if (z.cls == SF_SNAN)
			return sf_nan(f, &z, addend, env);
		return sf_invalid(f, env);	/* also with a quiet NaN as addend */
	}
	if (unlikely(sf_is_nan(&z) || sf_is_nan(&x) || sf_is_nan(&y)))
		return nan3(f, &z, &x, &y, addend, a, b, env);
	return fused(f, &z, &x, &y, 0, env);
}

/* (constant - a * b) * 2^scale; `special` is the answer to 0 x inf. */
static u64 step(unsigned esz, const struct sf_num *constant, u64 a, u64 b, int scale, u64 special, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x, y;

	a = sf_neg(esz, a);
	x = sf_unpack(f, a, env);
	y = sf_unpack(f, b, env);
	if (sf_is_nan(&x) || sf_is_nan(&y))
		return nan2(f, &x, &y, a, b, env);
	if (inf_times_zero(&x, &y))
		return special;
	return fused(f, constant, &x, &y, scale, env);
}

u64 sf_recps(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	static const struct sf_num two = { SF_NUM, false, 1, 1ull << 63 };

	return step(esz, &two, a, b, 0, sf_pow2(&sf_fmt[esz], false, 1), env);
}

u64 sf_rsqrts(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	static const struct sf_num three = { SF_NUM, false, 1, 3ull << 62 };
	const struct sf_fmt *f = &sf_fmt[esz];

	return step(esz, &three, a, b, -1, sf_pow2(f, false, 0) | 1ull << (f->fbits - 1), env);
}

/* --- comparison -------------------------------------------------------------------------------------------------------------------- */

/* -1, 0, 1: numbers (no NaNs) by value. */
static int order(const struct sf_num *x, const struct sf_num *y)
{
	int r;

	if (x->cls == SF_ZERO && y->cls == SF_ZERO)
		return 0;
	if (x->cls == SF_ZERO)
		return y->sign ? 1 : -1;
	if (y->cls == SF_ZERO || x->sign != y->sign)
		return x->sign ? -1 : 1;
	if (x->cls != y->cls)
		r = x->cls == SF_INF ? 1 : -1;
	else if (x->cls == SF_INF)
		return 0;
	else if (x->exp != y->exp)
		r = x->exp > y->exp ? 1 : -1;
	else
		r = (x->sig > y->sig) - (x->sig < y->sig);
	return x->sign ? -r : r;
}

unsigned sf_compare(unsigned esz, u64 a, u64 b, bool signal, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);
	int r;

	if (sf_is_nan(&x) || sf_is_nan(&y)) {
		if (signal || x.cls == SF_SNAN || y.cls == SF_SNAN)
			sf_raise(env, SF_IOC);
		return 3;
	}
	r = order(&x, &y);
	return r < 0 ? 8 : r ? 2 : 6;
}

/* FPMax, FPMin; want: 1 for the greater, -1 for the lesser operand. */
static u64 pick(unsigned esz, u64 a, u64 b, int want, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);
	const struct sf_num *r;

	if (sf_is_nan(&x) || sf_is_nan(&y))
		return nan2(f, &x, &y, a, b, env);
	r = order(&x, &y) == want ? &x : &y;
	if (r->cls == SF_ZERO)		/* zeros of both signs: +0 is the greater */
		return sf_zero(f, want > 0 ? x.sign && y.sign : x.sign || y.sign);
	if (r->cls == SF_INF)
		return sf_inf(f, r->sign);
	return r == &x ? a : b;
}

u64 sf_max(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return pick(esz, a, b, 1, env);
}

u64 sf_min(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return pick(esz, a, b, -1, env);
}

/* FPMaxNum, FPMinNum: one quiet NaN counts as the infinity that loses. */
static u64 pick_num(unsigned esz, u64 a, u64 b, int want, struct ir_fpenv *env)
{
	const struct sf_fmt *f = &sf_fmt[esz];
	struct sf_num x = sf_unpack(f, a, env), y = sf_unpack(f, b, env);

	if (x.cls == SF_QNAN && y.cls != SF_QNAN)
		a = sf_inf(f, want > 0);
	else if (y.cls == SF_QNAN && x.cls != SF_QNAN)
		b = sf_inf(f, want > 0);
	return pick(esz, a, b, want, env);
}

u64 sf_maxnm(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return pick_num(esz, a, b, 1, env);
}

u64 sf_minnm(unsigned esz, u64 a, u64 b, struct ir_fpenv *env)
{
	return pick_num(esz, a, b, -1, env);
}
