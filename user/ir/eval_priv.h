/* SPDX-License-Identifier: MIT */
/*
 * What the evaluator's files share. Flags travel as NZCV in bits 3..0.
 */
#ifndef IR_EVAL_PRIV_H
#define IR_EVAL_PRIV_H

#include "ir/eval.h"

#define IR_FLAG_N 8u
#define IR_FLAG_Z 4u
#define IR_FLAG_C 2u
#define IR_FLAG_V 1u

static inline bool ir_cc_holds(unsigned cc, unsigned nzcv)
{
	bool n = nzcv & IR_FLAG_N, z = nzcv & IR_FLAG_Z, c = nzcv & IR_FLAG_C, v = nzcv & IR_FLAG_V, r;

	switch (cc >> 1) {
	case 0: r = z; break;
	case 1: r = c; break;
	case 2: r = n; break;
	case 3: r = v; break;
	case 4: r = c && !z; break;
	case 5: r = n == v; break;
	case 6: r = n == v && !z; break;
	default: return true;		/* AL and NV */
	}
	return r ^ (cc & 1);
}

/*
 * Integer and flag operations without side effects: inst, its operands' values in d[0] (flags as above) and the result. False: not such an
 * operation.
 */
bool ir_eval_int(const struct ir_inst *i, u64 a, u64 b, u64 c, u64 *out);

/* Memory operations. In `st`: the guest state. 0, or -EFAULT with env->fault_addr set, or -EINVAL: not a memory operation. */
int ir_eval_mem(const struct ir_inst *i, const v128 *a, const v128 *b, const v128 *c, const struct guest *g, void *state,
		struct ir_eval_env *env, v128 *out);

/* --- vector operations ------------------------------------------------------------------------------------------------ */

/* One vector operation being evaluated. *d is zero when the operation's function starts, and is never an operand. */
struct ir_vx {
	const v128 *a, *b, *c;
	s64 imm;
	u8 esz, width, type, cc;
	u16 aux;
	u8 lanes;			/* that are computed, by esz and width */
	u8 bits;			/* of an element */
	struct ir_fpenv *env;
};
typedef void ir_vfn(const struct ir_vx *x, v128 *d);

/* One function for each VOP, and for the other operations on vectors that have no side effects. */
#define OP(name, res, args, eff)
#define VOP(name, args, esz, eff) ir_vfn ir_v_##name;
#include "ir/ops.def"
#undef OP
#undef VOP
ir_vfn ir_v_VEXTU, ir_v_VEXTS, ir_v_FL_FCMP, ir_v_FL_FCCMP, ir_v_FTOIG, ir_v_FJCVT, ir_v_FL_FJCVT;

static inline u64 ir_lane(const v128 *v, unsigned esz, unsigned n)
{
	switch (esz) {
	case IR_B: return v->b[n];
	case IR_H: return v->h[n];
	case IR_S: return v->s[n];
	default: return v->d[n];
	}
}

static inline s64 ir_slane(const v128 *v, unsigned esz, unsigned n)
{
	switch (esz) {
	case IR_B: return v->sb[n];
	case IR_H: return v->sh[n];
	case IR_S: return v->ss[n];
	default: return v->sd[n];
	}
}

static inline void ir_put(v128 *v, unsigned esz, unsigned n, u64 x)
{
	switch (esz) {
	case IR_B: v->b[n] = x; break;
	case IR_H: v->h[n] = x; break;
	case IR_S: v->s[n] = x; break;
	default: v->d[n] = x; break;
	}
}

/* All ones in the low bits (1..64). */
static inline u64 ir_ones(unsigned bits)
{
	return ~0ull >> (64 - bits);
}

#endif
