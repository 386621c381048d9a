// SPDX-License-Identifier: MIT
/*
 * The reference evaluator's driver: runs a straight piece of a region on a guest state. In: instructions, state,
 * callbacks for memory. Out: the new state, and why it stopped. What the operations compute is in eval_int.c,
 * eval_mem.c, eval_vint.c, eval_vfp.c and eval_crypto.c.
 */
#include <linux/errno.h>

#include "ir/eval_priv.h"

/* The control words' bits that exist (Arm ARM C5.2.7, C5.2.8). */
#define FPCR_MASK 0x07c80000ull
#define FPSR_MASK 0x0800009full

struct run {
	const struct ir_region *r;
	const struct guest *g;
	char *state;
	struct ir_eval_env *env;
	v128 *val;			/* of instruction `first`, and on */
	u32 first;
	u64 *pc;
};

/* --- guest slots ------------------------------------------------------------------------------------------------ */

static void *slot_ptr(const struct run *x, unsigned slot)
{
	return x->state + x->g->slot[slot].offset;
}

static u64 slot_read(const struct run *x, unsigned slot)
{
	void *p = slot_ptr(x, slot);

	return x->g->slot[slot].kind == GUEST_SLOT_FLAGS ? *(u32 *)p : *(u64 *)p;
}

static void slot_write(const struct run *x, unsigned slot, u64 v)
{
	void *p = slot_ptr(x, slot);

	if (x->g->slot[slot].kind == GUEST_SLOT_FLAGS)
		*(u32 *)p = v;
	else
		*(u64 *)p = v;
}

static bool eval_state(const struct run *x, const struct ir_inst *i, const v128 *a, v128 *out)
{
	switch (i->op) {
	case IR_NOP:
	case IR_INSN: break;
	case IR_VCONST: *out = (v128){ .d = { i->imm, x->r->vconst[i->aux] } }; break;
	case IR_GET: out->d[0] = i->type == IR_I32 ? (u32)slot_read(x, i->aux) : slot_read(x, i->aux); break;
	case IR_SET: slot_write(x, i->aux, a->d[0]); break;
	case IR_VGET: __builtin_memcpy(out, slot_ptr(x, i->aux), 16); break;
	case IR_VSET: __builtin_memcpy(slot_ptr(x, i->aux), a, 16); break;
	case IR_FGET: out->d[0] = slot_read(x, i->aux) >> 28 & 15; break;
	case IR_FSET: slot_write(x, i->aux, (a->d[0] & 15) << 28); break;
	default: return false;
	}
	return true;
}

/* --- control ------------------------------------------------------------------------------------------------------ */

/* Does this exit or terminator leave to an address, and to which? */
static bool eval_branch(const struct ir_inst *i, const v128 *a, u64 *to)
{
	bool taken;

	*to = i->imm;
	switch (i->op) {
	case IR_EXIT_CC: taken = ir_cc_holds(i->cc, a->d[0]); break;
	case IR_EXIT_Z: taken = !a->d[0]; break;
	case IR_EXIT_NZ: taken = a->d[0]; break;
	case IR_EXIT_BC: taken = !(a->d[0] >> i->aux & 1); break;
	case IR_EXIT_BS: taken = a->d[0] >> i->aux & 1; break;
	case IR_GOTO:
	case IR_CALL: taken = true; break;
	case IR_IGOTO:
	case IR_ICALL:
	case IR_RET: *to = a->d[0]; taken = true; break;
	default: taken = false;
	}
	return taken;
}

/* What can be done without a runtime; the rest is for its callback. */
static bool eval_rtcall(const struct run *x, const struct ir_inst *i, u64 a, u64 b, u64 *out)
{
	*out = 0;
	if (x->env->rtcall) {
		*out = x->env->rtcall(x->env->ctx, i->imm, a, b);
		return true;
	}
	switch ((enum ir_rt)i->imm) {
	case IR_RT_GET_FPCR: *out = slot_read(x, x->g->fpcr_slot); return true;
	case IR_RT_SET_FPCR: slot_write(x, x->g->fpcr_slot, a & FPCR_MASK); return true;
	case IR_RT_GET_FPSR: *out = slot_read(x, x->g->fpsr_slot); return true;
	case IR_RT_SET_FPSR: slot_write(x, x->g->fpsr_slot, a & FPSR_MASK); return true;
	case IR_RT_ICINVAL:
	case IR_RT_ISB:
	case IR_RT_YIELD: return true;
	case IR_RT_COUNTER:
	case IR_RT_COUNT: break;
	}
	return false;
}

/* --- vectors ------------------------------------------------------------------------------------------------------ */

static bool eval_vector(const struct run *x, const struct ir_inst *i, const v128 *a, const v128 *b, const v128 *c, v128 *out)
{
	const struct ir_vop_args op = {
		.op = i->op, .type = i->type, .esz = i->esz, .width = i->width, .cc = i->cc, .aux = i->aux, .imm = i->imm
	};
	struct ir_fpenv fp = { 0, 0 };
	u64 before;

	if (!(ir_op_info[i->op].effects & (IR_E_FP | IR_E_QC)))
		return ir_eval_vop(&op, out, a, b, c, &fp);
	fp.fpcr = slot_read(x, x->g->fpcr_slot);
	before = fp.fpsr = slot_read(x, x->g->fpsr_slot);
	if (!ir_eval_vop(&op, out, a, b, c, &fp))
		return false;
	if (fp.fpsr != before)
		slot_write(x, x->g->fpsr_slot, fp.fpsr);
	return true;
}

/* FCSEL. */
static void eval_vselect(const struct ir_inst *i, const v128 *a, const v128 *b, const v128 *c, v128 *out)
{
	out->d[0] = ir_lane(ir_cc_holds(i->cc, a->d[0]) ? b : c, i->esz, 0);
}

/* --- the loop ------------------------------------------------------------------------------------------------------- */

static const v128 *operand(const struct run *x, u16 n)
{
	return n == IR_NONE ? NULL : &x->val[n - x->first];
}

/* Terminators that do not simply go somewhere. */
static enum ir_eval_stop stop_kind(unsigned op)
{
	switch (op) {
	case IR_SYSCALL: return IR_EVAL_SYSCALL;
	case IR_TRAP: return IR_EVAL_TRAP;
	}
	return IR_EVAL_UNSUPPORTED;
}

/* Evaluates one instruction; IR_EVAL_END means: go on with the next. */
static enum ir_eval_stop step(const struct run *x, const struct ir_inst *i)
{
	const v128 *a = operand(x, i->a), *b = operand(x, i->b), *c = operand(x, i->c);
	u64 va = a ? a->d[0] : 0, vb = b ? b->d[0] : 0, vc = c ? c->d[0] : 0, v;
	u32 effects = ir_op_info[i->op].effects;
	v128 out = { .d = { 0, 0 } };
	int err;

	if (effects & (IR_E_BR | IR_E_TERM)) {
		if (eval_branch(i, a, &v)) {
			*x->pc = v;
			return IR_EVAL_GOTO;
		}
		return effects & IR_E_BR ? IR_EVAL_END : stop_kind(i->op);
	}
	if (i->op == IR_RTCALL) {
		if (!eval_rtcall(x, i, va, vb, &out.d[0]))
			return IR_EVAL_UNSUPPORTED;
	} else if (effects & (IR_E_MR | IR_E_MW | IR_E_ST)) {
		err = ir_eval_mem(i, a, b, c, x->g, x->state, x->env, &out);
		if (err)
			return err == -EINVAL ? IR_EVAL_UNSUPPORTED : IR_EVAL_FAULT;
	} else if (i->op == IR_VSELECT) {
		eval_vselect(i, a, b, c, &out);
	} else if (!eval_state(x, i, a, &out) && !ir_eval_int(i, va, vb, vc, &out.d[0]) && !eval_vector(x, i, a, b, c, &out)) {
		return IR_EVAL_UNSUPPORTED;
	}
	x->val[i - x->r->inst - x->first] = out;
	return IR_EVAL_END;
}

enum ir_eval_stop ir_eval(const struct ir_region *r, u32 first, u32 count, const struct guest *g, void *state,
			  struct ir_eval_env *env, v128 *scratch, u64 *pc)
{
	const struct run x = { r, g, state, env, scratch, first, pc };
	u32 n;

	for (n = first; n < first + count; n++) {
		enum ir_eval_stop stop = r->inst[n].op < IR_OP_COUNT ? step(&x, &r->inst[n]) : IR_EVAL_UNSUPPORTED;

		if (stop != IR_EVAL_END) {
			env->stop = &r->inst[n];
			return stop;
		}
	}
	env->stop = NULL;
	return IR_EVAL_END;
}
