/* SPDX-License-Identifier: MIT */
/*
 * Arm's floating point in integer arithmetic: the Arm ARM's shared pseudocode functions (J1.3), bit-exact for results, NaNs,
 * rounding, flushing and FPSR's cumulative flags.
 *
 * Values are raw bits in the low end of a u64 (the rest zero); esz is IR_H, IR_S or IR_D. `env` gives FPCR (RMode, FZ, FZ16, AHP,
 * DN) and collects FPSR's IOC, DZC, OFC, UFC, IXC, IDC. Trapped exceptions do not exist.
 */
#ifndef IR_SOFTFP_H
#define IR_SOFTFP_H

#include "ir/eval.h"

u64 sf_add(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_sub(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_mul(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_mulx(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);		/* FPMulX: 0 x inf = 2 */
u64 sf_div(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_sqrt(unsigned esz, u64 a, struct ir_fpenv *env);
u64 sf_muladd(unsigned esz, u64 addend, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_recps(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);		/* 2 - ab, fused */
u64 sf_rsqrts(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);	/* (3 - ab) / 2, fused */

u64 sf_max(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_min(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_maxnm(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);
u64 sf_minnm(unsigned esz, u64 a, u64 b, struct ir_fpenv *env);

/* FPCompare: NZCV in bits 3..0. `signal`: quiet NaNs raise IOC too. */
unsigned sf_compare(unsigned esz, u64 a, u64 b, bool signal, struct ir_fpenv *env);

/* Estimates (softfp_est.c). */
u64 sf_recpe(unsigned esz, u64 a, struct ir_fpenv *env);
u64 sf_rsqrte(unsigned esz, u64 a, struct ir_fpenv *env);
u64 sf_recpx(unsigned esz, u64 a, struct ir_fpenv *env);
u32 sf_urecpe(u32 a);
u32 sf_ursqrte(u32 a);

/* Conversions (softfp_cvt.c). round: enum ir_round. */
u64 sf_rint(unsigned esz, u64 a, unsigned round, struct ir_fpenv *env);
u64 sf_convert(unsigned to, unsigned from, u64 a, struct ir_fpenv *env);
u64 sf_convert_odd(unsigned to, unsigned from, u64 a, struct ir_fpenv *env);	/* round to odd */
/* Fixed point of `bits` (16, 32, 64) bits, fbits of them fraction; the result is truncated to its width. */
u64 sf_to_fixed(unsigned esz, u64 a, unsigned bits, unsigned fbits, bool is_unsigned, unsigned round, struct ir_fpenv *env);
u64 sf_from_fixed(unsigned esz, u64 a, unsigned bits, unsigned fbits, bool is_unsigned, struct ir_fpenv *env);
u32 sf_jcvt(u64 a, bool *exact, struct ir_fpenv *env);			/* FJCVTZS */

static inline u64 sf_sign_bit(unsigned esz)
{
	return 1ull << ((8u << esz) - 1);
}

static inline u64 sf_neg(unsigned esz, u64 a)
{
	return a ^ sf_sign_bit(esz);
}

static inline u64 sf_abs(unsigned esz, u64 a)
{
	return a & ~sf_sign_bit(esz);
}

#endif
