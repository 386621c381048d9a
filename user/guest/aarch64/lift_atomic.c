// SPDX-License-Identifier: MIT
/*
 * Lifts ordered and exclusive accesses, LSE atomics and barriers. What order they need is said in the operations' aux; what
 * it costs is the host's business.
 */
#include "guest/aarch64/lift.h"

static enum ir_type mem_type(const struct a64_insn *i)
{
	return i->size == 3 ? IR_I64 : IR_I32;
}

static u16 mem_aux(const struct a64_insn *i)
{
	return (u16)(1u << i->size | (i->acq ? IR_MEM_ACQ : 0) | (i->rel ? IR_MEM_REL : 0));
}

/* --- ordered loads and stores -------------------------------------------------------------------------------------- */

enum guest_lift a64_lift_ldar(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = mem_type(i);

	a64_set_x(l, t, i->rt, a64_load(l, t, a64_base(l, i), i->imm, (u16)(1u << i->size | IR_MEM_ACQ)));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldapr(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	u16 aux = (u16)(1u << i->size | IR_MEM_ACQPC | (i->s ? IR_MEM_SIGNED : 0));

	a64_set_x(l, t, i->rt, a64_load(l, t, a64_base(l, i), i->imm, aux));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stlr(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = mem_type(i);
	irv base = a64_base(l, i), v = a64_x(l, t, i->rt);

	a64_store(l, t, base, i->imm, v, (u16)(1u << i->size | IR_MEM_REL));
	return GUEST_NEXT;
}

/* --- exclusives ------------------------------------------------------------------------------------------------------ */

enum guest_lift a64_lift_ldxr(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = mem_type(i);

	a64_set_x(l, t, i->rt, ir_op3(l->r, IR_LDX, t, a64_base(l, i), IR_NONE, IR_NONE, mem_aux(i), 0));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stxr(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = mem_type(i);
	irv base = a64_base(l, i), v = a64_x(l, t, i->rt);

	a64_set_x(l, IR_I32, i->rs, ir_op3(l->r, IR_STX, t, base, v, IR_NONE, mem_aux(i), 0));
	return GUEST_NEXT;
}

/* Two registers as one vector: element 0 is first, the one at the lower address. */
static irv join(struct a64_lift *l, const struct a64_insn *i, unsigned first, unsigned second)
{
	enum ir_type t = mem_type(i);
	enum ir_esize e = i->size == 3 ? IR_D : IR_S;
	irv lo = a64_x(l, t, first), hi = a64_x(l, t, second);
	irv v = ir_vop(l->r, IR_VDUP, e, IR_W64, lo, IR_NONE, IR_NONE, 0);

	return ir_vop(l->r, IR_VINS, e, IR_W128, v, hi, IR_NONE, 1);
}

static irv element(struct a64_lift *l, const struct a64_insn *i, irv v, unsigned lane)
{
	struct ir_inst *e = ir_emit(l->r, IR_VEXTU);

	e->type = mem_type(i);
	e->esz = i->size == 3 ? IR_D : IR_S;
	e->a = v;
	e->imm = lane;
	return ir_val(l->r, e);
}

static void split(struct a64_lift *l, const struct a64_insn *i, irv v, unsigned first, unsigned second)
{
	irv lo = element(l, i, v, 0), hi = element(l, i, v, 1);

	a64_set_x(l, mem_type(i), first, lo);
	a64_set_x(l, mem_type(i), second, hi);
}

/* The pair operations have the size of both halves. */
static u16 pair_aux(const struct a64_insn *i)
{
	return (u16)((mem_aux(i) & ~IR_MEM_SIZE) | 2u << i->size);
}

enum guest_lift a64_lift_ldxp(struct a64_lift *l, const struct a64_insn *i)
{
	irv v = ir_op3(l->r, IR_LDX128, IR_V, a64_base(l, i), IR_NONE, IR_NONE, pair_aux(i), 0);

	split(l, i, v, i->rt, i->rt2);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stxp(struct a64_lift *l, const struct a64_insn *i)
{
	irv base = a64_base(l, i), v = join(l, i, i->rt, i->rt2);

	a64_set_x(l, IR_I32, i->rs, ir_op3(l->r, IR_STX128, IR_I32, base, v, IR_NONE, pair_aux(i), 0));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_clrex(struct a64_lift *l, const struct a64_insn *i)
{
	(void)i;
	ir_emit(l->r, IR_CLREX);
	return GUEST_NEXT;
}

/* --- compare and swap -------------------------------------------------------------------------------------------------- */

enum guest_lift a64_lift_cas(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = mem_type(i);
	irv base = a64_base(l, i), expected = a64_x(l, t, i->rs), desired = a64_x(l, t, i->rt);

	a64_set_x(l, t, i->rs, ir_op3(l->r, IR_CAS, t, base, expected, desired, mem_aux(i), 0));
	return GUEST_NEXT;
}

/* Two W registers as one I64. */
static irv join64(struct a64_lift *l, unsigned first)
{
	irv lo = ir_op3(l->r, IR_ZEXT, IR_I64, a64_x(l, IR_I32, first), IR_NONE, IR_NONE, 32, 0);
	irv hi = a64_x(l, IR_I64, first + 1);

	hi = ir_bin(l->r, IR_SHL, IR_I64, hi, ir_const(l->r, IR_I32, 32));
	return ir_bin(l->r, IR_OR, IR_I64, hi, lo);
}

static enum guest_lift casp_words(struct a64_lift *l, const struct a64_insn *i)
{
	irv base = a64_base(l, i), expected = join64(l, i->rs), desired = join64(l, i->rt);
	irv old = ir_op3(l->r, IR_CAS, IR_I64, base, expected, desired, pair_aux(i), 0);
	irv hi = ir_bin(l->r, IR_SHR, IR_I64, old, ir_const(l->r, IR_I32, 32));

	a64_set_x(l, IR_I32, i->rs, ir_un(l->r, IR_TRUNC, IR_I32, old));
	a64_set_x(l, IR_I64, i->rs + 1, hi);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_casp(struct a64_lift *l, const struct a64_insn *i)
{
	irv base, expected, desired, old;

	if (i->size == 2)
		return casp_words(l, i);
	base = a64_base(l, i);
	expected = join(l, i, i->rs, i->rs + 1);
	desired = join(l, i, i->rt, i->rt + 1);
	old = ir_op3(l->r, IR_CAS128, IR_V, base, expected, desired, pair_aux(i), 0);
	split(l, i, old, i->rs, i->rs + 1);
	return GUEST_NEXT;
}

/* --- read, modify, write; the ST forms are those with rt = ZR --------------------------------------------------------------- */

static enum guest_lift rmw(struct a64_lift *l, const struct a64_insn *i, enum ir_rmw op)
{
	enum ir_type t = mem_type(i);
	irv base = a64_base(l, i), v = a64_x(l, t, i->rs), old;

	old = ir_op3(l->r, IR_RMW, t, base, v, IR_NONE, mem_aux(i), 0);
	l->r->inst[old].cc = (u8)op;
	a64_set_x(l, t, i->rt, old);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldadd(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_ADD);
}

enum guest_lift a64_lift_ldclr(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_CLR);
}

enum guest_lift a64_lift_ldeor(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_EOR);
}

enum guest_lift a64_lift_ldset(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_SET);
}

enum guest_lift a64_lift_ldsmax(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_SMAX);
}

enum guest_lift a64_lift_ldsmin(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_SMIN);
}

enum guest_lift a64_lift_ldumax(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_UMAX);
}

enum guest_lift a64_lift_ldumin(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_UMIN);
}

enum guest_lift a64_lift_swp(struct a64_lift *l, const struct a64_insn *i)
{
	return rmw(l, i, IR_RMW_SWP);
}

/* --- barriers ------------------------------------------------------------------------------------------------------------------- */

/* The domain (CRm 3..2) does not matter between CPUs of one system; CRm 1..0: 1 loads, 2 stores, else all. */
enum guest_lift a64_lift_dmb(struct a64_lift *l, const struct a64_insn *i)
{
	unsigned kind = i->imm & 3;
	u16 fence = kind == 1 ? IR_FENCE_LD : kind == 2 ? IR_FENCE_ST : IR_FENCE_FULL;

	ir_op3(l->r, IR_FENCE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, fence, 0);
	return GUEST_NEXT;
}
