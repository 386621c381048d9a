// SPDX-License-Identifier: MIT
/* Lifts branches, calls, returns and exceptions: EXIT_* for conditional branches, a TERM operation for all others. */
#include "guest/aarch64/lift.h"

static void leave(struct a64_lift *l, enum ir_op op, u64 target)
{
	ir_op3(l->r, op, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0, (s64)target);
}

static enum guest_lift trap(struct a64_lift *l, enum ir_trap kind, u32 imm)
{
	ir_cc(l->r, IR_TRAP, IR_VOID, (enum ir_cc)kind, IR_NONE, IR_NONE, IR_NONE, imm);
	return GUEST_END;
}

enum guest_lift a64_lift_undef(struct a64_lift *l, const struct a64_insn *i)
{
	return trap(l, IR_TRAP_UNDEF, i->word);
}

enum guest_lift a64_lift_b(struct a64_lift *l, const struct a64_insn *i)
{
	leave(l, IR_GOTO, l->pc + (u64)i->imm);
	return GUEST_END;
}

enum guest_lift a64_lift_bl(struct a64_lift *l, const struct a64_insn *i)
{
	ir_set(l->r, IR_I64, A64_SLOT_LR, ir_gaddr(l->r, l->pc + 4));
	leave(l, IR_CALL, l->pc + (u64)i->imm);
	return GUEST_END;
}

enum guest_lift a64_lift_b_cond(struct a64_lift *l, const struct a64_insn *i)
{
	if (i->cond >= IR_AL)			/* NV holds, too */
		return a64_lift_b(l, i);
	ir_cc(l->r, IR_EXIT_CC, IR_VOID, i->cond, a64_flags(l), IR_NONE, IR_NONE, (s64)l->pc + i->imm);
	return GUEST_NEXT;
}

/* CB(N)Z and TB(N)Z: bit is 0 for the former. */
static enum guest_lift test_branch(struct a64_lift *l, const struct a64_insn *i, enum ir_op op, unsigned bit)
{
	enum ir_type t = a64_type(i);
	irv v = a64_x(l, t, i->rt);

	ir_op3(l->r, op, t, v, IR_NONE, IR_NONE, bit, (s64)l->pc + i->imm);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_cbz(struct a64_lift *l, const struct a64_insn *i)
{
	return test_branch(l, i, IR_EXIT_Z, 0);
}

enum guest_lift a64_lift_cbnz(struct a64_lift *l, const struct a64_insn *i)
{
	return test_branch(l, i, IR_EXIT_NZ, 0);
}

enum guest_lift a64_lift_tbz(struct a64_lift *l, const struct a64_insn *i)
{
	return test_branch(l, i, IR_EXIT_BC, i->amount);
}

enum guest_lift a64_lift_tbnz(struct a64_lift *l, const struct a64_insn *i)
{
	return test_branch(l, i, IR_EXIT_BS, i->amount);
}

/* The ABI gives x16 and x17 to veneers and PLT entries: what jumps through them is at a function's start. */
enum guest_lift a64_lift_br(struct a64_lift *l, const struct a64_insn *i)
{
	irv to = a64_x(l, IR_I64, i->rn);

	ir_op3(l->r, IR_IGOTO, IR_I64, to, IR_NONE, IR_NONE, i->rn == 16 || i->rn == 17, 0);
	return GUEST_END;
}

enum guest_lift a64_lift_blr(struct a64_lift *l, const struct a64_insn *i)
{
	irv to = a64_x(l, IR_I64, i->rn);	/* may be x30 */

	ir_set(l->r, IR_I64, A64_SLOT_LR, ir_gaddr(l->r, l->pc + 4));
	ir_un(l->r, IR_ICALL, IR_I64, to);
	return GUEST_END;
}

enum guest_lift a64_lift_ret(struct a64_lift *l, const struct a64_insn *i)
{
	ir_un(l->r, IR_RET, IR_I64, a64_x(l, IR_I64, i->rn));
	return GUEST_END;
}

enum guest_lift a64_lift_svc(struct a64_lift *l, const struct a64_insn *i)
{
	leave(l, IR_SYSCALL, (u64)i->imm);
	return GUEST_END;
}

enum guest_lift a64_lift_brk(struct a64_lift *l, const struct a64_insn *i)
{
	return trap(l, IR_TRAP_BRK, (u32)i->imm);
}
