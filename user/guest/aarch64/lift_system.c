// SPDX-License-Identifier: MIT
/*
 * Lifts hints, cache maintenance, barriers of the instruction stream and system registers. What EL0 may not do is
 * undefined here.
 */
#include "guest/aarch64/cpuid.h"
#include "guest/aarch64/lift.h"

/* As in a64_insn.imm of SYS: op1:CRn:CRm:op2. */
#define SYS_OP(op1, crn, crm, op2) ((op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define SYS_IC_IVAU SYS_OP(3, 7, 5, 1)
#define SYS_DC_ZVA SYS_OP(3, 7, 4, 1)
#define SYS_DC_CVAC SYS_OP(3, 7, 10, 1)
#define SYS_DC_CVAU SYS_OP(3, 7, 11, 1)
#define SYS_DC_CVAP SYS_OP(3, 7, 12, 1)
#define SYS_DC_CIVAC SYS_OP(3, 7, 14, 1)

#define HINT_WFE 2
#define HINT_WFI 3

static irv rtcall(struct a64_lift *l, enum ir_rt fn, irv a)
{
	return ir_op3(l->r, IR_RTCALL, IR_I64, a, IR_NONE, IR_NONE, 0, fn);
}

/*
 * Goes on behind this instruction as if by a branch through a register: the code there is looked up afresh, in this
 * region or another.
 */
static enum guest_lift look_up_next(struct a64_lift *l)
{
	ir_un(l->r, IR_IGOTO, IR_I64, ir_gaddr(l->r, l->pc + 4));
	return GUEST_END;
}

enum guest_lift a64_lift_nop(struct a64_lift *l, const struct a64_insn *i)
{
	(void)l;
	(void)i;
	return GUEST_NEXT;
}

/* YIELD does nothing: spin loops have it in their body. Pointer authentication and BTI are hints that do nothing. */
enum guest_lift a64_lift_hint(struct a64_lift *l, const struct a64_insn *i)
{
	if (i->imm == HINT_WFE || i->imm == HINT_WFI)
		rtcall(l, IR_RT_YIELD, IR_NONE);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_isb(struct a64_lift *l, const struct a64_insn *i)
{
	(void)i;
	rtcall(l, IR_RT_ISB, IR_NONE);
	return look_up_next(l);
}

static enum guest_lift dc_zva(struct a64_lift *l, const struct a64_insn *i)
{
	irv addr = ir_bini(l->r, IR_AND, IR_I64, a64_x(l, IR_I64, i->rt), ~(A64_ZVA_BYTES - 1ull));
	irv zero = ir_vconst(l->r, 0, 0);

	for (unsigned n = 0; n < A64_ZVA_BYTES; n += 16)
		a64_vstore(l, addr, n, zero, 16);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_sys(struct a64_lift *l, const struct a64_insn *i)
{
	switch (i->imm) {
	case SYS_DC_ZVA:
		return dc_zva(l, i);
	case SYS_IC_IVAU:
		rtcall(l, IR_RT_ICINVAL, a64_x(l, IR_I64, i->rt));
		return GUEST_NEXT;
	case SYS_DC_CVAC:
	case SYS_DC_CVAU:
	case SYS_DC_CVAP:
	case SYS_DC_CIVAC:
		return GUEST_NEXT;
	}
	return a64_lift_undef(l, i);
}

static enum guest_lift mrs_value(struct a64_lift *l, const struct a64_insn *i, irv v)
{
	a64_set_x(l, IR_I64, i->rt, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_mrs(struct a64_lift *l, const struct a64_insn *i)
{
	u64 value;

	switch (i->imm) {
	case A64_TPIDR_EL0:
		return mrs_value(l, i, ir_get(l->r, IR_I64, A64_SLOT_TPIDR));
	case A64_NZCV:
		return mrs_value(l, i, ir_un(l->r, IR_FL_TO, IR_I64, a64_flags(l)));
	case A64_FPCR:
		return mrs_value(l, i, rtcall(l, IR_RT_GET_FPCR, IR_NONE));
	case A64_FPSR:
		return mrs_value(l, i, rtcall(l, IR_RT_GET_FPSR, IR_NONE));
	case A64_CNTVCT_EL0:
	case A64_CNTVCTSS_EL0:
		return mrs_value(l, i, rtcall(l, IR_RT_COUNTER, IR_NONE));
	}
	if (a64_cpuid_read((u32)i->imm, &value))
		return mrs_value(l, i, ir_const(l->r, IR_I64, value));
	return a64_lift_undef(l, i);
}

enum guest_lift a64_lift_msr(struct a64_lift *l, const struct a64_insn *i)
{
	switch (i->imm) {
	case A64_TPIDR_EL0:
		ir_set(l->r, IR_I64, A64_SLOT_TPIDR, a64_x(l, IR_I64, i->rt));
		return GUEST_NEXT;
	case A64_NZCV:
		a64_set_flags(l, ir_un(l->r, IR_FL_FROM, IR_I64, a64_x(l, IR_I64, i->rt)));
		return GUEST_NEXT;
	case A64_FPCR:
		/* Code depends on some of its bits (cg_options.strict_fp), so what follows is looked up again. */
		rtcall(l, IR_RT_SET_FPCR, a64_x(l, IR_I64, i->rt));
		return look_up_next(l);
	case A64_FPSR:
		rtcall(l, IR_RT_SET_FPSR, a64_x(l, IR_I64, i->rt));
		return GUEST_NEXT;
	}
	return a64_lift_undef(l, i);
}
