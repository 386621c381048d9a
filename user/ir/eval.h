/* SPDX-License-Identifier: MIT */
/*
 * The reference evaluator: what each IR operation means, in C without floating point. It is the oracle of the tests,
 * it computes what the host's units cannot do exactly, and it steps single guest instructions in the runtime.
 */
#ifndef IR_EVAL_H
#define IR_EVAL_H

#include "guest/guest.h"
#include "ir/ir.h"

/* The FP control and status words, in Arm's layout. */
struct ir_fpenv {
	u64 fpcr, fpsr;
};
#define IR_FPSR_QC BIT(27)		/* saturation has happened, cumulative */

/*
 * One pure operation on vectors (all VOPs and FL_FCMP, FTOIG, FJCVT ...): esz/width/imm as in the instruction. Integer operands and
 * results travel in d[0] (I32 zero-extended; flags as NZCV in bits 3..0); `type` is inst.type. Absent operands are NULL. dst may be
 * the same as an operand. Unknown op: returns false and leaves dst alone.
 */
struct ir_vop_args {
	u16 op;
	u8 type, esz, width, cc;
	u16 aux;
	s64 imm;
};
bool ir_eval_vop(const struct ir_vop_args *op, v128 *dst, const v128 *a, const v128 *b, const v128 *c, struct ir_fpenv *env);

/* How evaluation of a block ended. */
enum ir_eval_stop {
	IR_EVAL_GOTO,			/* go on at *pc (GOTO, EXIT_*, IGOTO, CALL, ICALL, RET) */
	IR_EVAL_END,			/* ran off the end of the instructions given */
	IR_EVAL_SYSCALL,
	IR_EVAL_TRAP,
	IR_EVAL_FAULT,			/* a memory callback refused */
	IR_EVAL_UNSUPPORTED,
};

/*
 * What the evaluator asks of its caller. Guest memory goes through these, so that a test can give it an array and the
 * runtime its own fault-safe copies. Return 0 or -EFAULT. NULL load/store: plain host accesses.
 */
struct ir_eval_env {
	void *ctx;
	int (*load)(void *ctx, u64 addr, void *buf, unsigned size);
	int (*store)(void *ctx, u64 addr, const void *buf, unsigned size);
	/* Atomic compare-and-swap of size 1..16 bytes; *old receives what was there. */
	int (*cas)(void *ctx, u64 addr, unsigned size, const void *expected, const void *desired, void *old);
	u64 (*rtcall)(void *ctx, unsigned which, u64 a, u64 b);
	u64 fault_addr;			/* out */
	const struct ir_inst *stop;	/* out: the instruction that ended it */
};

/*
 * Evaluates instructions [first, first + count) of r on the guest state. scratch has room for one v128 per instruction of
 * the range. Sets *pc for IR_EVAL_GOTO.
 */
enum ir_eval_stop ir_eval(const struct ir_region *r, u32 first, u32 count, const struct guest *g, void *state,
			  struct ir_eval_env *env, v128 *scratch, u64 *pc);

#endif
