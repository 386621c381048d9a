/* SPDX-License-Identifier: MIT */
/*
 * Saturation of a wide intermediate to an element, noting it in FPSR.QC.
 */
#ifndef IR_EVAL_SAT_H
#define IR_EVAL_SAT_H

#include "ir/eval_priv.h"

static inline u64 ir_sat_s(const struct ir_vx *x, s128 v, unsigned bits)
{
	s128 max = (s128)(ir_ones(bits) >> 1), min = -max - 1;

	if (v >= min && v <= max)
		return (u64)v;
	x->env->fpsr |= IR_FPSR_QC;
	return (u64)(v > max ? max : min);
}

static inline u64 ir_sat_u(const struct ir_vx *x, s128 v, unsigned bits)
{
	s128 max = ir_ones(bits);

	if (v >= 0 && v <= max)
		return (u64)v;
	x->env->fpsr |= IR_FPSR_QC;
	return v < 0 ? 0 : (u64)max;
}

#endif
