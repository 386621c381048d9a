/* SPDX-License-Identifier: MIT */
/*
 * What the soft floating-point files share: formats, unpacking, NaNs, rounding.
 */
#ifndef IR_SOFTFP_PRIV_H
#define IR_SOFTFP_PRIV_H

#include "ir/softfp.h"

#define SF_IOC 1u
#define SF_DZC 2u
#define SF_OFC 4u
#define SF_UFC 8u
#define SF_IXC 16u
#define SF_IDC 128u

#define SF_AHP BIT(26)
#define SF_DN BIT(25)
#define SF_FZ BIT(24)
#define SF_FZ16 BIT(19)

/* A rounding mode beyond enum ir_round's: von Neumann rounding, of FCVTXN. */
#define SF_ODD 16

struct sf_fmt {
	u8 bits, ebits, fbits;		/* whole, exponent, fraction */
	s16 emin;			/* exponent of the smallest normal number */
	u64 flush;			/* FPCR's bit that flushes denormals to zero */
};

extern const struct sf_fmt sf_fmt[4];	/* by esz */

enum sf_class { SF_ZERO, SF_NUM, SF_INF, SF_QNAN, SF_SNAN };

/* A number taken apart: sig / 2^63 * 2^exp, with sig's bit 63 set if cls is SF_NUM. */
struct sf_num {
	u8 cls;
	bool sign;
	int exp;
	u64 sig;
};

static inline void sf_raise(struct ir_fpenv *env, unsigned flags)
{
	env->fpsr |= flags;
}

static inline unsigned sf_rmode(const struct ir_fpenv *env)
{
	return env->fpcr >> 22 & 3;
}

static inline u64 sf_inf(const struct sf_fmt *f, bool sign)
{
	return (u64)sign << (f->bits - 1) | ((1ull << f->ebits) - 1) << f->fbits;
}

static inline u64 sf_zero(const struct sf_fmt *f, bool sign)
{
	return (u64)sign << (f->bits - 1);
}

static inline u64 sf_max_normal(const struct sf_fmt *f, bool sign)
{
	return sf_inf(f, sign) - 1;
}

static inline u64 sf_default_nan(const struct sf_fmt *f)
{
	return sf_inf(f, false) | 1ull << (f->fbits - 1);
}

static inline u64 sf_invalid(const struct sf_fmt *f, struct ir_fpenv *env)
{
	sf_raise(env, SF_IOC);
	return sf_default_nan(f);
}

/* A power of two. */
static inline u64 sf_pow2(const struct sf_fmt *f, bool sign, int exp)
{
	return (u64)sign << (f->bits - 1) | (u64)(exp - f->emin + 1) << f->fbits;
}

/* v >> n, with a one at the end if a one was lost. n may be anything from 0 up. */
static inline u64 sf_shift_jam(u64 v, unsigned n)
{
	if (n >= 64)
		return v != 0;
	return n ? v >> n | (v << (64 - n) != 0) : v;
}

/*
 * FPUnpackBase. `ahp`: the format is the alternative half precision, without infinities and NaNs. `flush`: FPCR's flush bit
 * counts (it does not for half precision in conversions).
 */
static inline struct sf_num sf_unpack_as(const struct sf_fmt *f, u64 v, struct ir_fpenv *env, bool ahp, bool flush)
{
	unsigned emax = (1u << f->ebits) - 1, e = v >> f->fbits & emax, up = 63 - f->fbits;
	u64 frac = v & ((1ull << f->fbits) - 1);
	struct sf_num x = { .cls = SF_NUM, .sign = v >> (f->bits - 1) & 1 };

	if (likely(e && (e != emax || ahp))) {
		x.exp = (int)e + f->emin - 1;
		x.sig = (frac | 1ull << f->fbits) << up;
	} else if (e) {
		x.cls = !frac ? SF_INF : frac >> (f->fbits - 1) ? SF_QNAN : SF_SNAN;
	} else if (!frac) {
		x.cls = SF_ZERO;
	} else if (flush && env->fpcr & f->flush) {
		x.cls = SF_ZERO;
		if (f->flush == SF_FZ)
			sf_raise(env, SF_IDC);
	} else {
		unsigned lead = (unsigned)__builtin_clzll(frac);

		x.sig = frac << lead;
		x.exp = f->emin + (int)up - (int)lead;
	}
	return x;
}

static inline struct sf_num sf_unpack(const struct sf_fmt *f, u64 v, struct ir_fpenv *env)
{
	return sf_unpack_as(f, v, env, false, true);
}

static inline bool sf_is_nan(const struct sf_num *x)
{
	return x->cls >= SF_QNAN;
}

/* FPProcessNaN. */
u64 sf_nan(const struct sf_fmt *f, const struct sf_num *x, u64 v, struct ir_fpenv *env);

/*
 * FPRoundBase for a nonzero number: sig has bit 63 set, its lowest bit is sticky. rmode: IR_RN, IR_RP, IR_RM, IR_RZ or SF_ODD.
 */
u64 sf_round_as(const struct sf_fmt *f, bool sign, int exp, u64 sig, unsigned rmode, struct ir_fpenv *env, bool ahp, bool flush);

static inline u64 sf_round(const struct sf_fmt *f, bool sign, int exp, u64 sig, struct ir_fpenv *env)
{
	return sf_round_as(f, sign, exp, sig, sf_rmode(env), env, false, true);
}

#endif
