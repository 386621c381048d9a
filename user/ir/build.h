/* SPDX-License-Identifier: MIT */
/*
 * Emission of IR instructions, for lifters. Each function appends one instruction and returns its value.
 * Constant folding of the cheapest kind is done here, so that lifters may be written without special cases.
 */
#ifndef IR_BUILD_H
#define IR_BUILD_H

#include "ir/ir.h"

typedef u16 irv;			/* a value: index into region.inst */

static inline struct ir_inst *ir_emit(struct ir_region *r, enum ir_op op)
{
	struct ir_inst *i;

	if (unlikely(r->ninst >= r->max_inst)) {
		r->overflow = true;
		r->ninst = r->max_inst - 1;
	}
	i = &r->inst[r->ninst++];
	*i = (struct ir_inst){ .op = op, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
	return i;
}

static inline irv ir_val(const struct ir_region *r, const struct ir_inst *i)
{
	return (irv)(i - r->inst);
}

/* The general form. type is that of the integer operands/result (IR_VOID where there are none). */
static inline irv ir_op3(struct ir_region *r, enum ir_op op, enum ir_type t, irv a, irv b, irv c, u16 aux, s64 imm)
{
	struct ir_inst *i = ir_emit(r, op);

	i->type = t;
	i->a = a;
	i->b = b;
	i->c = c;
	i->aux = aux;
	i->imm = imm;
	return ir_val(r, i);
}

static inline irv ir_const(struct ir_region *r, enum ir_type t, u64 v)
{
	return ir_op3(r, IR_CONST, t, IR_NONE, IR_NONE, IR_NONE, 0, t == IR_I32 ? (s64)(u32)v : (s64)v);
}

static inline irv ir_gaddr(struct ir_region *r, u64 addr)
{
	return ir_op3(r, IR_GADDR, IR_I64, IR_NONE, IR_NONE, IR_NONE, 0, (s64)addr);
}

static inline irv ir_get(struct ir_region *r, enum ir_type t, unsigned slot)
{
	return ir_op3(r, IR_GET, t, IR_NONE, IR_NONE, IR_NONE, slot, 0);
}

static inline void ir_set(struct ir_region *r, enum ir_type t, unsigned slot, irv v)
{
	ir_op3(r, IR_SET, t, v, IR_NONE, IR_NONE, slot, 0);
}

static inline irv ir_un(struct ir_region *r, enum ir_op op, enum ir_type t, irv a)
{
	return ir_op3(r, op, t, a, IR_NONE, IR_NONE, 0, 0);
}

static inline irv ir_bin(struct ir_region *r, enum ir_op op, enum ir_type t, irv a, irv b)
{
	return ir_op3(r, op, t, a, b, IR_NONE, 0, 0);
}

/* Binary operation with a constant right operand. */
static inline irv ir_bini(struct ir_region *r, enum ir_op op, enum ir_type t, irv a, u64 b)
{
	return ir_bin(r, op, t, a, ir_const(r, t, b));
}

static inline irv ir_vget(struct ir_region *r, unsigned slot)
{
	return ir_op3(r, IR_VGET, IR_V, IR_NONE, IR_NONE, IR_NONE, slot, 0);
}

static inline void ir_vset(struct ir_region *r, unsigned slot, irv v)
{
	ir_op3(r, IR_VSET, IR_V, v, IR_NONE, IR_NONE, slot, 0);
}

static inline irv ir_fget(struct ir_region *r, unsigned slot)
{
	return ir_op3(r, IR_FGET, IR_F, IR_NONE, IR_NONE, IR_NONE, slot, 0);
}

static inline void ir_fset(struct ir_region *r, unsigned slot, irv v)
{
	ir_op3(r, IR_FSET, IR_F, v, IR_NONE, IR_NONE, slot, 0);
}

static inline irv ir_vconst(struct ir_region *r, u64 lo, u64 hi)
{
	u16 n = 0;

	if (unlikely(r->nvconst >= r->max_vconst))
		r->overflow = true;
	else
		r->vconst[n = r->nvconst++] = hi;
	return ir_op3(r, IR_VCONST, IR_V, IR_NONE, IR_NONE, IR_NONE, n, (s64)lo);
}

/* A vector operation. */
static inline irv ir_vop(struct ir_region *r, enum ir_op op, enum ir_esize esz, enum ir_width w, irv a, irv b, irv c, s64 imm)
{
	struct ir_inst *i = ir_emit(r, op);

	i->type = IR_V;
	i->esz = esz;
	i->width = w;
	i->a = a;
	i->b = b;
	i->c = c;
	i->imm = imm;
	return ir_val(r, i);
}

/* An operation that uses a condition on flags: SELECT, CSET, FL_CCMP ... */
static inline irv ir_cc(struct ir_region *r, enum ir_op op, enum ir_type t, enum ir_cc cc, irv f, irv b, irv c, s64 imm)
{
	struct ir_inst *i = ir_emit(r, op);

	i->type = t;
	i->cc = cc;
	i->a = f;
	i->b = b;
	i->c = c;
	i->imm = imm;
	return ir_val(r, i);
}

#endif
