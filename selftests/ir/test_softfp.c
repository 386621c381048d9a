// SPDX-License-Identifier: MIT
/*
 * Soft floating point against the host's FPU, in all four rounding modes: results and flags of single and double precision, half
 * precision by way of double. What the host does differently (NaNs, flushing, underflow at the border, estimates, alternative half
 * precision) is checked with cases written down here, whose answers follow from the Arm ARM.
 */
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "ir/softfp.h"
#include "ktap.h"

#define ROUNDS 60000

static const int host_mode[4] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };

/* --- operands ---------------------------------------------------------------------------------------------------------- */

struct layout { unsigned bits, fbits, emax; };
static const struct layout layout[4] = { { 0, 0, 0 }, { 16, 10, 31 }, { 32, 23, 255 }, { 64, 52, 2047 } };

/* Numbers of all kinds, with more of the interesting ones; never a NaN. */
static u64 operand(unsigned esz)
{
	const struct layout *l = &layout[esz];
	u64 r = ktap_random(), fmask = (1ull << l->fbits) - 1, bias = l->emax / 2, e, f = ktap_random() & fmask;

	switch (r & 15) {
	case 0: e = 0; f = 0; break;
	case 1: e = l->emax; f = 0; break;
	case 2: e = 0; break;
	case 3: e = 0; f &= 7; break;
	case 4: e = l->emax - 1; break;
	case 5: e = l->emax - 1; f = fmask; break;
	case 6: e = 1 + (r >> 8 & 1); f &= 3; break;
	case 7: e = bias; f &= 3; break;
	case 8: e = bias + (r >> 8 & 3); f = fmask & ~(f & ktap_random()); break;
	case 9: e = bias / 2 + (r >> 8 & 3); break;
	case 10: case 11: case 12: e = bias - 4 + (r >> 8 & 7); break;
	default: e = (r >> 8) % l->emax; break;
	}
	return (r >> 63) << (l->bits - 1) | e << l->fbits | f;
}

static bool is_nan(unsigned esz, u64 v)
{
	return (v & (sf_sign_bit(esz) - 1)) > (u64)layout[esz].emax << layout[esz].fbits;
}

static float as_float(u64 v)
{
	u32 w = (u32)v;
	float f;

	memcpy(&f, &w, 4);
	return f;
}

static double as_double(u64 v)
{
	double d;

	memcpy(&d, &v, 8);
	return d;
}

static u64 float_bits(float f)
{
	u32 w;

	memcpy(&w, &f, 4);
	return w;
}

static u64 double_bits(double d)
{
	u64 v;

	memcpy(&v, &d, 8);
	return v;
}

/* --- the host's answers -------------------------------------------------------------------------------------------------- */

enum { ADD, SUB, MUL, DIV, SQRT, FMA, BINARY_OPS };
static const char *const op_name[] = { "add", "sub", "mul", "div", "sqrt", "fma" };

static __attribute__((noinline, target("fma"))) u64 host_fma(unsigned esz, u64 c, u64 a, u64 b)
{
	volatile double da = as_double(a), db = as_double(b), dc = as_double(c);
	volatile float fa = as_float(a), fb = as_float(b), fc = as_float(c);

	if (esz == IR_D)
		return double_bits(__builtin_fma(da, db, dc));
	return float_bits(__builtin_fmaf(fa, fb, fc));
}

static __attribute__((noinline)) double host_double(unsigned op, double a, double b)
{
	volatile double x = a, y = b, r = 0;

	switch (op) {
	case ADD: r = x + y; break;
	case SUB: r = x - y; break;
	case MUL: r = x * y; break;
	case DIV: r = x / y; break;
	case SQRT: r = sqrt(x); break;
	}
	return r;
}

static __attribute__((noinline)) float host_float(unsigned op, float a, float b)
{
	volatile float x = a, y = b, r = 0;

	switch (op) {
	case ADD: r = x + y; break;
	case SUB: r = x - y; break;
	case MUL: r = x * y; break;
	case DIV: r = x / y; break;
	case SQRT: r = sqrtf(x); break;
	}
	return r;
}

static u64 soft(unsigned op, unsigned esz, u64 a, u64 b, u64 c, struct ir_fpenv *env)
{
	switch (op) {
	case ADD: return sf_add(esz, a, b, env);
	case SUB: return sf_sub(esz, a, b, env);
	case MUL: return sf_mul(esz, a, b, env);
	case DIV: return sf_div(esz, a, b, env);
	case SQRT: return sf_sqrt(esz, a, env);
	}
	return sf_muladd(esz, c, a, b, env);
}

/* The host's flags in FPSR's bits. */
static u64 host_flags(void)
{
	int f = fetestexcept(FE_ALL_EXCEPT);

	return (f & FE_INVALID ? 1 : 0) | (f & FE_DIVBYZERO ? 2 : 0) | (f & FE_OVERFLOW ? 4 : 0) |
	       (f & FE_UNDERFLOW ? 8 : 0) | (f & FE_INEXACT ? 16 : 0);
}

/* The host sees tininess after rounding: at the smallest normal number its underflow flag may be missing. */
static u64 flag_mask(unsigned esz, u64 result)
{
	return (result & (sf_sign_bit(esz) - 1)) == 1ull << layout[esz].fbits ? ~8ull : ~0ull;
}

static void compare_arith(unsigned esz, unsigned op, unsigned mode)
{
	u64 a = operand(esz), b = operand(esz), c = operand(esz), want, got, flags;
	struct ir_fpenv env = { (u64)mode << 22, 0 };

	if (!(ktap_random() & 7))
		b = a ^ (ktap_random() & 3);
	if (is_nan(esz, b))
		b = a;
	fesetround(host_mode[mode]);
	feclearexcept(FE_ALL_EXCEPT);
	if (op == FMA)
		want = host_fma(esz, c, a, b);
	else if (esz == IR_D)
		want = double_bits(host_double(op, as_double(a), as_double(b)));
	else
		want = float_bits(host_float(op, as_float(a), as_float(b)));
	flags = host_flags();
	fesetround(FE_TONEAREST);
	got = soft(op, esz, a, b, c, &env);
	if (is_nan(esz, want))		/* made from no NaN: Arm's default NaN is positive */
		want = sf_abs(esz, want);
	CHECK(got == want && !((env.fpsr ^ flags) & flag_mask(esz, got)),
	      "%s esz %u mode %u: %llx %llx %llx -> %llx flags %llx, host %llx flags %llx", op_name[op], esz, mode,
	      (unsigned long long)a, (unsigned long long)b, (unsigned long long)c, (unsigned long long)got,
	      (unsigned long long)env.fpsr, (unsigned long long)want, (unsigned long long)flags);
}

static void arithmetic(unsigned esz)
{
	unsigned n, op, ops = __builtin_cpu_supports("fma") ? FMA + 1 : FMA;

	for (op = 0; op < ops; op++)
		for (n = 0; n < ROUNDS; n++)
			compare_arith(esz, op, n & 3);
}

static void arith_single(void) { arithmetic(IR_S); }
static void arith_double(void) { arithmetic(IR_D); }

/* --- half precision by way of double ----------------------------------------------------------------------------------------- */

static double half_value(u64 h)
{
	int e = (int)(h >> 10 & 31);
	double f = (double)(h & 1023), v = e == 31 ? HUGE_VAL : e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);

	return h & 0x8000 ? -v : v;
}

/* A finite double (exact, or rounded so far in the same mode that it makes no difference) to half precision. */
static u64 half_bits(double v, unsigned mode, u64 *flags)
{
	u64 sign = signbit(v) ? 0x8000 : 0;
	double mag = fabs(v), ulp, r;
	int e;

	if (mag == 0)
		return sign;
	e = ilogb(mag);
	ulp = ldexp(1, (e < -14 ? -14 : e) - 10);
	fesetround(host_mode[mode]);
	r = fabs(nearbyint(v / ulp) * ulp);
	fesetround(FE_TONEAREST);
	if (r != mag)
		*flags |= 16;
	if (r != mag && e < -14)
		*flags |= 8;
	if (r > 65504) {
		bool inf = mode == 0 || mode == (sign ? 2 : 1);

		*flags |= 4 | 16;
		return sign | (inf ? 0x7c00 : 0x7bff);
	}
	if (r < ldexp(1, -14))
		return sign | (u64)ldexp(r, 24);
	e = ilogb(r);
	return sign | (u64)(e + 15) << 10 | ((u64)ldexp(r, 10 - e) & 1023);
}

static void compare_half(unsigned op, unsigned mode)
{
	u64 a = operand(IR_H), b = operand(IR_H), c = operand(IR_H), want, got, flags = 0;
	struct ir_fpenv env = { (u64)mode << 22, 0 };
	double v;

	if ((a & 0x7c00) == 0x7c00 || (b & 0x7c00) == 0x7c00 || (c & 0x7c00) == 0x7c00)
		return;			/* the generic code's infinities are tested with the other formats */
	fesetround(host_mode[mode]);
	feclearexcept(FE_ALL_EXCEPT);
	if (op == FMA) {
		v = host_double(ADD, half_value(a) * half_value(b), half_value(c));
		if (fetestexcept(FE_INEXACT))
			v = NAN;		/* double rounding */
	} else {
		v = host_double(op, half_value(a), half_value(b));
	}
	if (fetestexcept(FE_INEXACT) && op < FMA)
		flags = 16;
	fesetround(FE_TONEAREST);
	if (isnan(v) || isinf(v))
		return;
	want = half_bits(v, mode, &flags);
	if (flags & 16 && fabs(v) < ldexp(1, -14) && v != 0)
		flags |= 8;
	got = soft(op, IR_H, a, b, c, &env);
	CHECK(got == want && env.fpsr == flags, "half %s mode %u: %llx %llx %llx -> %llx flags %llx, want %llx flags %llx",
	      op_name[op], mode, (unsigned long long)a, (unsigned long long)b, (unsigned long long)c, (unsigned long long)got,
	      (unsigned long long)env.fpsr, (unsigned long long)want, (unsigned long long)flags);
}

static void arith_half(void)
{
	unsigned n, op;

	for (op = 0; op <= FMA; op++)
		for (n = 0; n < ROUNDS; n++)
			compare_half(op, n & 3);
}

/* Every half widens to what it means, and doubles narrow as half_bits says. */
static void convert_half(void)
{
	unsigned n;

	for (n = 0; n < 65536; n++) {
		struct ir_fpenv env = { 0, 0 };

		if ((n & 0x7c00) == 0x7c00 && n & 1023)
			continue;
		CHECK(as_double(sf_convert(IR_D, IR_H, n, &env)) == half_value(n), "%x to double", n);
		CHECK((double)as_float(sf_convert(IR_S, IR_H, n, &env)) == half_value(n), "%x to single", n);
		CHECK(!env.fpsr, "%x: flags", n);
	}
	for (n = 0; n < ROUNDS; n++) {
		unsigned mode = n & 3;
		struct ir_fpenv env = { (u64)mode << 22, 0 };
		double v = ldexp((double)(s64)ktap_random(), -63 - 30 + (int)(ktap_random() % 50));
		u64 flags = 0, want = half_bits(v, mode, &flags), got = sf_convert(IR_H, IR_D, double_bits(v), &env);

		CHECK(got == want && env.fpsr == flags, "%a mode %u -> %llx flags %llx, want %llx flags %llx", v, mode,
		      (unsigned long long)got, (unsigned long long)env.fpsr, (unsigned long long)want, (unsigned long long)flags);
	}
}

/* --- conversions the host has -------------------------------------------------------------------------------------------------- */

static void convert_formats(void)
{
	unsigned n;

	for (n = 0; n < ROUNDS; n++) {
		unsigned mode = n & 3;
		struct ir_fpenv env = { (u64)mode << 22, 0 };
		u64 d = operand(IR_D), s = operand(IR_S), want, got;
		volatile double v = as_double(d);
		volatile float f;

		if (ktap_random() & 1)
			v = as_float(s) * 1.000000001;
		fesetround(host_mode[mode]);
		feclearexcept(FE_ALL_EXCEPT);
		f = (float)v;
		want = float_bits(f);
		got = host_flags();
		fesetround(FE_TONEAREST);
		CHECK(sf_convert(IR_S, IR_D, double_bits(v), &env) == want, "%a to single", v);
		CHECK(!((env.fpsr ^ got) & flag_mask(IR_S, want)), "%a to single: flags", v);
		CHECK(sf_convert(IR_D, IR_S, s, &env) == double_bits(as_float(s)), "%llx to double", (unsigned long long)s);
	}
}

static void integers(void)
{
	unsigned n;

	for (n = 0; n < ROUNDS; n++) {
		unsigned mode = n & 3;
		struct ir_fpenv env = { (u64)mode << 22, 0 };
		volatile s64 i = (s64)ktap_random() >> (ktap_random() & 63);
		volatile u64 u = ktap_random() >> (ktap_random() & 63);
		u64 d = operand(IR_D);
		volatile double v, r;
		double want;

		fesetround(host_mode[mode]);
		v = (double)i;
		want = (double)u;
		r = nearbyint(as_double(d));
		fesetround(FE_TONEAREST);
		CHECK(as_double(sf_from_fixed(IR_D, (u64)i, 64, 0, false, &env)) == v, "%lld to double", (long long)i);
		CHECK(as_double(sf_from_fixed(IR_D, u, 64, 0, true, &env)) == want, "%llu to double", (unsigned long long)u);
		CHECK(sf_rint(IR_D, d, IR_RCUR, &env) == double_bits(r), "rint %llx", (unsigned long long)d);
		env.fpsr = 0;
		if (fabs(r) < 9e18) {
			CHECK((s64)sf_to_fixed(IR_D, d, 64, 0, false, IR_RCUR, &env) == (s64)r, "%a to integer", r);
			CHECK(env.fpsr == (r != as_double(d) ? 16 : 0), "%a to integer: flags", r);
		} else {
			CHECK(sf_to_fixed(IR_D, d, 32, 0, false, IR_RCUR, &env) == (r < 0 ? 0x80000000 : 0x7fffffff) &&
			      env.fpsr == 1, "%a saturates", r);
		}
	}
}

static void compares(void)
{
	unsigned n;

	for (n = 0; n < ROUNDS; n++) {
		struct ir_fpenv env = { 0, 0 };
		u64 a = operand(IR_D), b = ktap_random() & 3 ? operand(IR_D) : a;
		double x = as_double(a), y = as_double(b);

		CHECK(sf_compare(IR_D, a, b, true, &env) == (x < y ? 8u : x > y ? 2u : 6u), "%a ? %a", x, y);
		if (x != y) {
			CHECK(as_double(sf_max(IR_D, a, b, &env)) == (x > y ? x : y), "max %a %a", x, y);
			CHECK(as_double(sf_minnm(IR_D, a, b, &env)) == (x < y ? x : y), "min %a %a", x, y);
		}
		CHECK(!env.fpsr, "flags");
	}
}

/* --- what only Arm does ---------------------------------------------------------------------------------------------------------- */

#define AHP BIT(26)
#define DN BIT(25)
#define FZ BIT(24)
#define FZ16 BIT(19)
#define RP (1u << 22)
#define RM (2u << 22)
#define RZ (3u << 22)
enum { IOC = 1, DZC = 2, OFC = 4, UFC = 8, IXC = 16, IDC = 128 };

enum special {
	X_ADD, X_SUB, X_MUL, X_MULX, X_DIV, X_SQRT, X_MULADD, X_RECPS, X_RSQRTS, X_MAX, X_MIN, X_MAXNM, X_MINNM, X_CMP, X_CMPE,
	X_RECPE, X_RSQRTE, X_RECPX, X_URECPE, X_URSQRTE, X_CVT_H_S, X_CVT_S_H, X_CVT_S_D, X_CVTX, X_JCVT, X_JCVT_Z, X_TO_S32, X_TO_U32,
	X_RINTX, X_RINTA,
};

struct example {
	u16 what, esz;
	u64 fpcr, a, b, c, want;
	u32 flags;
};

#define QN 0x7ff8000000000001ull	/* NaNs with marks */
#define QN2 0xfff8000000000002ull
#define SN 0x7ff0000000000003ull
#define SN2 0xfff0000000000004ull
#define DEF 0x7ff8000000000000ull
#define QUIET 0x0008000000000000ull
#define INF 0x7ff0000000000000ull
#define ONE 0x3ff0000000000000ull
#define NEG 0x8000000000000000ull

static const struct example examples[] = {
	/* NaNs: signalling first, then by position; the quiet bit is set; DN. */
	{ X_ADD, 3, 0, QN, QN2, 0, QN, 0 }, { X_ADD, 3, 0, QN, SN, 0, SN | QUIET, IOC }, { X_ADD, 3, 0, SN2, SN, 0, SN2 | QUIET, IOC },
	{ X_ADD, 3, 0, ONE, QN2, 0, QN2, 0 }, { X_SUB, 3, 0, ONE, QN, 0, QN, 0 }, { X_ADD, 3, DN, QN2, ONE, 0, DEF, 0 },
	{ X_ADD, 3, DN, SN2, ONE, 0, DEF, IOC }, { X_ADD, 3, 0, INF, INF | NEG, 0, DEF, IOC }, { X_SUB, 3, 0, INF, INF, 0, DEF, IOC },
	{ X_MUL, 3, 0, INF, 0, 0, DEF, IOC }, { X_DIV, 3, 0, 0, 0, 0, DEF, IOC }, { X_DIV, 3, 0, ONE, NEG, 0, INF | NEG, DZC },
	{ X_DIV, 3, 0, INF, 0, 0, INF, 0 }, { X_SQRT, 3, 0, ONE | NEG, 0, 0, DEF, IOC }, { X_SQRT, 3, 0, NEG, 0, 0, NEG, 0 },
	/* Three operands: addend c first. */
	{ X_MULADD, 3, 0, QN, QN2, QN | 8, QN | 8, 0 }, { X_MULADD, 3, 0, QN, SN, QN2, SN | QUIET, IOC },
	{ X_MULADD, 3, 0, SN, SN2, SN | 8, SN | 8 | QUIET, IOC }, { X_MULADD, 3, 0, INF, 0, QN, DEF, IOC },
	{ X_MULADD, 3, 0, INF, 0, SN, SN | QUIET, IOC }, { X_MULADD, 3, 0, QN2, ONE, ONE, QN2, 0 },
	{ X_MULADD, 3, 0, ONE, ONE, ONE | NEG, 0, 0 }, { X_MULADD, 3, RM, ONE, ONE, ONE | NEG, NEG, 0 },
	/* Zeros. */
	{ X_ADD, 3, 0, NEG, 0, 0, 0, 0 }, { X_ADD, 3, RM, NEG, 0, 0, NEG, 0 }, { X_SUB, 3, RM, ONE, ONE, 0, NEG, 0 },
	{ X_MAX, 3, 0, NEG, 0, 0, 0, 0 }, { X_MIN, 3, 0, 0, NEG, 0, NEG, 0 }, { X_MAXNM, 3, 0, NEG, QN, 0, NEG, 0 },
	{ X_MAX, 3, 0, ONE, QN, 0, QN, 0 }, { X_MAXNM, 3, 0, QN, ONE, 0, ONE, 0 }, { X_MINNM, 3, 0, ONE, SN, 0, SN | QUIET, IOC },
	{ X_MINNM, 3, 0, QN, SN, 0, SN | QUIET, IOC }, { X_MINNM, 3, 0, QN, QN2, 0, QN, 0 },
	{ X_CMP, 3, 0, QN, ONE, 0, 3, 0 }, { X_CMP, 3, 0, SN, ONE, 0, 3, IOC }, { X_CMPE, 3, 0, QN, ONE, 0, 3, IOC },
	{ X_CMP, 3, 0, NEG, 0, 0, 6, 0 }, { X_CMP, 3, FZ, 1, 0, 0, 6, IDC }, { X_CMP, 1, FZ16, 1, 0, 0, 6, 0 },
	/* Flushing: inputs IDC, outputs UFC alone; FZ does not touch half precision, nor FZ16 the others or IDC. */
	{ X_ADD, 2, FZ, 1, 0x3f800000, 0, 0x3f800000, IDC }, { X_MUL, 2, FZ, 0x00800000, 0x3f000000, 0, 0, UFC },
	{ X_MUL, 2, 0, 0x00800000, 0x3f000000, 0, 0x00400000, 0 }, { X_MUL, 2, FZ16, 0x00800000, 0x3f000000, 0, 0x00400000, 0 },
	{ X_MUL, 1, FZ16, 0x8400, 0x3800, 0, 0x8000, UFC }, { X_MUL, 1, FZ, 0x0400, 0x3800, 0, 0x0200, 0 },
	{ X_ADD, 1, FZ16, 1, 0x3c00, 0, 0x3c00, 0 }, { X_DIV, 2, FZ, 0x3f800000, 1, 0, 0x7f800000, IDC | DZC },
	/* Tiny before rounding, and the result is the smallest normal number: UFC. */
	{ X_MUL, 2, 0, 0x00ffffff, 0x3f000000, 0, 0x00800000, UFC | IXC }, { X_MUL, 2, FZ, 0x00ffffff, 0x3f000000, 0, 0, UFC },
	/* Overflow by direction. */
	{ X_MUL, 2, 0, 0x7f7fffff, 0x40000000, 0, 0x7f800000, OFC | IXC }, { X_MUL, 2, RZ, 0x7f7fffff, 0x40000000, 0, 0x7f7fffff, OFC | IXC },
	{ X_MUL, 2, RP, 0xff7fffff, 0x40000000, 0, 0xff7fffff, OFC | IXC }, { X_MUL, 2, RM, 0xff7fffff, 0x40000000, 0, 0xff800000, OFC | IXC },
	/* 0 x inf in FMULX and the steps. */
	{ X_MULX, 2, 0, 0x7f800000, 0x80000000, 0, 0xc0000000, 0 }, { X_RECPS, 2, 0, 0x7f800000, 0x80000000, 0, 0x40000000, 0 },
	{ X_RSQRTS, 2, 0, 0, 0xff800000, 0, 0x3fc00000, 0 }, { X_RECPS, 2, 0, 0x3f800000, 0x3f800000, 0, 0x3f800000, 0 },
	{ X_RSQRTS, 2, 0, 0x3f800000, 0x3f800000, 0, 0x3f800000, 0 }, { X_RECPS, 2, 0, 0x7fc00001, 0x3f800000, 0, 0xffc00001, 0 },
	/* Estimates. */
	{ X_RECPE, 2, 0, 0x3f800000, 0, 0, 0x3f7f8000, 0 }, { X_RECPE, 2, 0, 0x40000000, 0, 0, 0x3eff8000, 0 },
	{ X_RECPE, 2, 0, 0, 0, 0, 0x7f800000, DZC }, { X_RECPE, 2, 0, 0x80000001, 0, 0, 0xff800000, OFC | IXC },
	{ X_RECPE, 2, RZ, 1, 0, 0, 0x7f7fffff, OFC | IXC }, { X_RECPE, 2, FZ, 0x7f000000, 0, 0, 0, UFC },
	{ X_RECPE, 2, 0, 0x7f000000, 0, 0, 0x003fe000, 0 }, { X_RSQRTE, 2, 0, 0x3f800000, 0, 0, 0x3f7f8000, 0 },
	{ X_RSQRTE, 2, 0, 0x40800000, 0, 0, 0x3eff8000, 0 }, { X_RSQRTE, 2, 0, 0xbf800000, 0, 0, 0x7fc00000, IOC },
	{ X_RSQRTE, 2, 0, 0x80000000, 0, 0, 0xff800000, DZC }, { X_RECPX, 2, 0, 0x3f800000, 0, 0, 0x40000000, 0 },
	{ X_RECPX, 2, 0, 0, 0, 0, 0x7f000000, 0 }, { X_URECPE, 2, 0, 0x80000000, 0, 0, 0xff800000, 0 },
	{ X_URECPE, 2, 0, 0x7fffffff, 0, 0, 0xffffffff, 0 }, { X_URSQRTE, 2, 0, 0x3fffffff, 0, 0, 0xffffffff, 0 },
	{ X_URSQRTE, 2, 0, 0x40000000, 0, 0, 0xff800000, 0 },
	{ X_RSQRTE, 2, 0, 0x3f800000, 0, 0, 0x3f7f8000, 0 },
	{ X_RSQRTE, 2, 0, 0x3f800002, 0, 0, 0x3f7f8000, 0 },
	{ X_RSQRTE, 2, 0, 0x4bc1717a, 0, 0, 0x39500000, 0 },
	{ X_RSQRTE, 2, 0, 0x40580000, 0, 0, 0x3f0b0000, 0 },
	{ X_URSQRTE, 2, 0, 0xc67ebcb8, 0, 0, 0x91800000, 0 },
	{ X_URSQRTE, 2, 0, 0xc9304204, 0, 0, 0x90800000, 0 },
	{ X_URSQRTE, 2, 0, 0xbe600000, 0, 0, 0x94800000, 0 },
	{ X_URSQRTE, 2, 0, 0xfce41596, 0, 0, 0x81000000, 0 },
	{ X_URSQRTE, 2, 0, 0x4ad9c37a, 0, 0, 0xed000000, 0 },
	{ X_URSQRTE, 2, 0, 0xf690f3a3, 0, 0, 0x82800000, 0 },
	/* Formats: alternative half precision has no infinity and no NaN; half precision ignores FZ16 here. */
	{ X_CVT_H_S, 1, AHP, 0x7f800000, 0, 0, 0x7fff, IOC }, { X_CVT_H_S, 1, AHP, 0xffc00000, 0, 0, 0x8000, IOC },
	{ X_CVT_H_S, 1, AHP, 0x47ffe000, 0, 0, 0x7fff, 0 }, { X_CVT_H_S, 1, AHP, 0x48000000, 0, 0, 0x7fff, IOC },
	{ X_CVT_H_S, 1, 0, 0x47ffe000, 0, 0, 0x7c00, OFC | IXC }, { X_CVT_S_H, 2, AHP, 0x7fff, 0, 0, 0x47ffe000, 0 },
	{ X_CVT_S_H, 2, 0, 0x7c01, 0, 0, 0x7fc02000, IOC }, { X_CVT_S_H, 2, FZ16, 1, 0, 0, 0x33800000, 0 },
	{ X_CVT_H_S, 1, FZ16, 0x33800000, 0, 0, 1, 0 }, { X_CVT_H_S, 1, FZ, 1, 0, 0, 0, IDC }, { X_CVT_S_D, 2, FZ, 0x3800000000000000, 0, 0, 0, UFC },
	{ X_CVT_S_D, 2, 0, QN2 | 0x20000000, 0, 0, 0xffc00001, 0 }, { X_CVTX, 2, 0, ONE | 1, 0, 0, 0x3f800001, IXC },
	{ X_CVTX, 2, 0, 0x47f0000000000000, 0, 0, 0x7f7fffff, OFC | IXC }, { X_CVTX, 2, 0, 1, 0, 0, 1, UFC | IXC },
	/* FJCVTZS: modulo 2^32; exact is what Z says. */
	{ X_JCVT, 3, 0, 0x41f0000000000000, 0, 0, 0, IOC }, { X_JCVT, 3, 0, 0x41f0000000100000, 0, 0, 1, IOC },
	{ X_JCVT, 3, 0, 0xc1e0000000000000, 0, 0, 0x80000000, 0 }, { X_JCVT, 3, 0, 0xbff8000000000000, 0, 0, 0xffffffff, IXC },
	{ X_JCVT, 3, 0, INF, 0, 0, 0, IOC }, { X_JCVT_Z, 3, 0, NEG, 0, 0, 0, 0 }, { X_JCVT_Z, 3, 0, 0, 0, 0, 1, 0 },
	{ X_JCVT_Z, 3, FZ, 1, 0, 0, 0, IDC }, { X_JCVT_Z, 3, 0, ONE, 0, 0, 1, 0 }, { X_JCVT, 3, 0, QN, 0, 0, 0, IOC },
	{ X_JCVT, 3, 0, 0x4350000000000001, 0, 0, 4, IOC },
	/* Integers. */
	{ X_TO_S32, 3, 0, QN, 0, 0, 0, IOC }, { X_TO_S32, 3, 0, INF | NEG, 0, 0, 0x80000000, IOC }, { X_TO_U32, 3, 0, 0xbfe0000000000000, 0, 0, 0, IXC },
	{ X_TO_U32, 3, 0, ONE | NEG, 0, 0, 0, IOC }, { X_RINTX, 3, 0, 0x3fe0000000000000, 0, 0, 0, IXC }, { X_RINTX, 3, 0, ONE, 0, 0, ONE, 0 },
	{ X_RINTA, 3, 0, 0xbfe0000000000000, 0, 0, ONE | NEG, 0 }, { X_RINTA, 3, 0, 0x3fdfffffffffffff, 0, 0, 0, 0 },
};

static u64 run_example(const struct example *x, struct ir_fpenv *e)
{
	bool exact = false;
	u64 r;

	switch ((enum special)x->what) {
	case X_ADD: return sf_add(x->esz, x->a, x->b, e);
	case X_SUB: return sf_sub(x->esz, x->a, x->b, e);
	case X_MUL: return sf_mul(x->esz, x->a, x->b, e);
	case X_MULX: return sf_mulx(x->esz, x->a, x->b, e);
	case X_DIV: return sf_div(x->esz, x->a, x->b, e);
	case X_SQRT: return sf_sqrt(x->esz, x->a, e);
	case X_MULADD: return sf_muladd(x->esz, x->c, x->a, x->b, e);
	case X_RECPS: return sf_recps(x->esz, x->a, x->b, e);
	case X_RSQRTS: return sf_rsqrts(x->esz, x->a, x->b, e);
	case X_MAX: return sf_max(x->esz, x->a, x->b, e);
	case X_MIN: return sf_min(x->esz, x->a, x->b, e);
	case X_MAXNM: return sf_maxnm(x->esz, x->a, x->b, e);
	case X_MINNM: return sf_minnm(x->esz, x->a, x->b, e);
	case X_CMP: return sf_compare(x->esz, x->a, x->b, false, e);
	case X_CMPE: return sf_compare(x->esz, x->a, x->b, true, e);
	case X_RECPE: return sf_recpe(x->esz, x->a, e);
	case X_RSQRTE: return sf_rsqrte(x->esz, x->a, e);
	case X_RECPX: return sf_recpx(x->esz, x->a, e);
	case X_URECPE: return sf_urecpe((u32)x->a);
	case X_URSQRTE: return sf_ursqrte((u32)x->a);
	case X_CVT_H_S: return sf_convert(IR_H, IR_S, x->a, e);
	case X_CVT_S_H: return sf_convert(IR_S, IR_H, x->a, e);
	case X_CVT_S_D: return sf_convert(IR_S, IR_D, x->a, e);
	case X_CVTX: return sf_convert_odd(IR_S, IR_D, x->a, e);
	case X_JCVT: return sf_jcvt(x->a, &exact, e);
	case X_JCVT_Z: r = sf_jcvt(x->a, &exact, e); return r * 0 + exact;
	case X_TO_S32: return sf_to_fixed(x->esz, x->a, 32, 0, false, IR_RZ, e);
	case X_TO_U32: return sf_to_fixed(x->esz, x->a, 32, 0, true, IR_RZ, e);
	case X_RINTX: return sf_rint(x->esz, x->a, IR_RCURX, e);
	case X_RINTA: return sf_rint(x->esz, x->a, IR_RA, e);
	}
	return ~0ull;
}

static void arm_only(void)
{
	const struct example *x;

	for (x = examples; x < examples + ARRAY_SIZE(examples); x++) {
		struct ir_fpenv env = { x->fpcr, 0 };
		u64 got = run_example(x, &env);

		CHECK(got == x->want && env.fpsr == x->flags, "example %d: got %llx flags %llx, want %llx flags %x", (int)(x - examples),
		      (unsigned long long)got, (unsigned long long)env.fpsr, (unsigned long long)x->want, x->flags);
	}
}

int main(void)
{
	ktap_start(8);
	ktap_run("softfp: single arithmetic", arith_single);
	ktap_run("softfp: double arithmetic", arith_double);
	ktap_run("softfp: half arithmetic", arith_half);
	ktap_run("softfp: half conversions", convert_half);
	ktap_run("softfp: single and double conversions", convert_formats);
	ktap_run("softfp: integers", integers);
	ktap_run("softfp: comparison", compares);
	ktap_run("softfp: Arm's special cases", arm_only);
	return ktap_end();
}
