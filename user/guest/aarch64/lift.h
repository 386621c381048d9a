/* SPDX-License-Identifier: MIT */
/*
 * What the lifters (lift_*.c) share: the context, access to registers, and address forms. A lifter gets a decoded
 * instruction and appends its meaning to the region; guest.c has emitted INSN already.
 *
 * Which function lifts which operation is said in lift_base.def and lift_simd.def; an operation without a line
 * is undefined.
 */
#ifndef GUEST_AARCH64_LIFT_H
#define GUEST_AARCH64_LIFT_H

#include "guest/aarch64/decode.h"
#include "guest/aarch64/state.h"
#include "guest/guest.h"
#include "ir/build.h"

struct a64_lift {
	struct ir_region *r;
	u64 pc;				/* of the instruction being lifted */
};

typedef enum guest_lift (*a64_lift_fn)(struct a64_lift *l, const struct a64_insn *i);

#define LIFT(op, fn) enum guest_lift fn(struct a64_lift *l, const struct a64_insn *i);
#include "guest/aarch64/lift_base.def"
#include "guest/aarch64/lift_simd.def"
#undef LIFT

/* TRAP UNDEF: for what the decoder lets through but does not exist (here). Ends the block. */
enum guest_lift a64_lift_undef(struct a64_lift *l, const struct a64_insn *i);

static inline enum ir_type a64_type(const struct a64_insn *i)
{
	return i->sf ? IR_I64 : IR_I32;
}

/* Register n, where 31 is ZR. */
static inline irv a64_x(struct a64_lift *l, enum ir_type t, unsigned n)
{
	return n == 31 ? ir_const(l->r, t, 0) : ir_get(l->r, t, A64_SLOT_X0 + n);
}

/* Register n, where 31 is SP. */
static inline irv a64_xsp(struct a64_lift *l, enum ir_type t, unsigned n)
{
	return ir_get(l->r, t, A64_SLOT_X0 + n);
}

/* Writes register n; nothing when n is ZR. I32 zero-extends. */
static inline void a64_set_x(struct a64_lift *l, enum ir_type t, unsigned n, irv v)
{
	if (n != 31)
		ir_set(l->r, t, A64_SLOT_X0 + n, v);
}

static inline void a64_set_xsp(struct a64_lift *l, enum ir_type t, unsigned n, irv v)
{
	ir_set(l->r, t, A64_SLOT_X0 + n, v);
}

static inline irv a64_v(struct a64_lift *l, unsigned n)
{
	return ir_vget(l->r, A64_SLOT_V0 + n);
}

static inline void a64_set_v(struct a64_lift *l, unsigned n, irv v)
{
	ir_vset(l->r, A64_SLOT_V0 + n, v);
}

static inline irv a64_flags(struct a64_lift *l)
{
	return ir_fget(l->r, A64_SLOT_NZCV);
}

static inline void a64_set_flags(struct a64_lift *l, irv f)
{
	ir_fset(l->r, A64_SLOT_NZCV, f);
}

/* --- memory operands ------------------------------------------------------------------------------------------- */

/* The base register of a load or store: X or SP. The displacement goes to the access's imm, see a64_disp. */
static inline irv a64_base(struct a64_lift *l, const struct a64_insn *i)
{
	return a64_xsp(l, IR_I64, i->rn);
}

/* Displacement of the access itself: post-indexed forms access the base. */
static inline s64 a64_disp(const struct a64_insn *i)
{
	return i->wb == 1 ? 0 : i->imm;
}

/* To be called after the access, so that a fault leaves the base unchanged. */
static inline void a64_writeback(struct a64_lift *l, const struct a64_insn *i, irv base)
{
	if (i->wb)
		a64_set_xsp(l, IR_I64, i->rn, ir_bini(l->r, IR_ADD, IR_I64, base, (u64)i->imm));
}

/* Register offset: base + extended and shifted rm (option, amount). */
static inline irv a64_addr_reg(struct a64_lift *l, const struct a64_insn *i)
{
	irv base = a64_base(l, i), idx;

	if (i->option & 1)			/* UXTX (LSL), SXTX */
		idx = a64_x(l, IR_I64, i->rm);
	else
		idx = ir_op3(l->r, i->option & 4 ? IR_SEXT : IR_ZEXT, IR_I64, a64_x(l, IR_I32, i->rm),
			     IR_NONE, IR_NONE, 32, 0);
	if (i->amount)
		idx = ir_bin(l->r, IR_SHL, IR_I64, idx, ir_const(l->r, IR_I32, i->amount));
	return ir_bin(l->r, IR_ADD, IR_I64, base, idx);
}

/* aux: access size in bytes | IR_MEM_*. */
static inline irv a64_load(struct a64_lift *l, enum ir_type t, irv addr, s64 disp, u16 aux)
{
	return ir_op3(l->r, IR_LOAD, t, addr, IR_NONE, IR_NONE, aux, disp);
}

static inline void a64_store(struct a64_lift *l, enum ir_type t, irv addr, s64 disp, irv v, u16 aux)
{
	ir_op3(l->r, IR_STORE, t, addr, v, IR_NONE, aux, disp);
}

static inline irv a64_vload(struct a64_lift *l, irv addr, s64 disp, u16 aux)
{
	return ir_op3(l->r, IR_VLOAD, IR_V, addr, IR_NONE, IR_NONE, aux, disp);
}

static inline void a64_vstore(struct a64_lift *l, irv addr, s64 disp, irv v, u16 aux)
{
	ir_op3(l->r, IR_VSTORE, IR_V, addr, v, IR_NONE, aux, disp);
}

#endif
