// SPDX-License-Identifier: MIT
/*
 * Lifts loads and stores of general registers, single and pairs. Every access comes before the SETs that depend on it, and
 * the base register is written last: a fault leaves the state so that the instruction can be done again.
 */
#include "guest/aarch64/lift.h"

static u16 load_aux(const struct a64_insn *i)
{
	return (u16)(1u << i->size | (i->s ? IR_MEM_SIGNED : 0));
}

/* A value to be stored: I32 up to a word. */
static enum ir_type store_type(const struct a64_insn *i)
{
	return i->size == 3 ? IR_I64 : IR_I32;
}

enum guest_lift a64_lift_ldr_i(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv base = a64_base(l, i);

	a64_set_x(l, t, i->rt, a64_load(l, t, base, a64_disp(i), load_aux(i)));
	a64_writeback(l, i, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_str_i(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = store_type(i);
	irv base = a64_base(l, i), v = a64_x(l, t, i->rt);

	a64_store(l, t, base, a64_disp(i), v, 1u << i->size);
	a64_writeback(l, i, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldr_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);

	a64_set_x(l, t, i->rt, a64_load(l, t, a64_addr_reg(l, i), 0, load_aux(i)));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_str_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = store_type(i);
	irv addr = a64_addr_reg(l, i), v = a64_x(l, t, i->rt);

	a64_store(l, t, addr, 0, v, 1u << i->size);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldr_lit(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv addr = ir_gaddr(l->r, l->pc + (u64)i->imm);

	a64_set_x(l, t, i->rt, a64_load(l, t, addr, 0, load_aux(i)));
	return GUEST_NEXT;
}

/* When the second half faults, the first register may have been loaded already, but not if it is the base. */
enum guest_lift a64_lift_ldp(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	s64 disp = a64_disp(i);
	irv base = a64_base(l, i), v, w;

	v = a64_load(l, t, base, disp, load_aux(i));
	if (i->rt != i->rn)
		a64_set_x(l, t, i->rt, v);
	w = a64_load(l, t, base, disp + (1 << i->size), load_aux(i));
	if (i->rt == i->rn)
		a64_set_x(l, t, i->rt, v);
	a64_set_x(l, t, i->rt2, w);
	a64_writeback(l, i, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stp(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = store_type(i);
	s64 disp = a64_disp(i);
	irv base = a64_base(l, i), v = a64_x(l, t, i->rt), w = a64_x(l, t, i->rt2);

	a64_store(l, t, base, disp, v, 1u << i->size);
	a64_store(l, t, base, disp + (1 << i->size), w, 1u << i->size);
	a64_writeback(l, i, base);
	return GUEST_NEXT;
}
