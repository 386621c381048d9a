// SPDX-License-Identifier: MIT
/*
 * Dispatch of pure vector operations. The table is made from ops.def, so that a VOP without an implementation does not
 * link. In: operation, operands, FP environment. Out: the 128-bit result, FPSR's new bits.
 */
#include "ir/eval_priv.h"

static ir_vfn *const vop_fn[IR_OP_COUNT] = {
#define OP(name, res, args, eff)
#define VOP(name, args, esz, eff) [IR_##name] = ir_v_##name,
#include "ir/ops.def"
#undef OP
#undef VOP
	[IR_VEXTU] = ir_v_VEXTU,
	[IR_VEXTS] = ir_v_VEXTS,
	[IR_FL_FCMP] = ir_v_FL_FCMP,
	[IR_FL_FCCMP] = ir_v_FL_FCCMP,
	[IR_FTOIG] = ir_v_FTOIG,
	[IR_FJCVT] = ir_v_FJCVT,
	[IR_FL_FJCVT] = ir_v_FL_FJCVT,
};

static unsigned lane_count(unsigned width, unsigned esz)
{
	if (width == IR_WS)
		return 1;
	return (width == IR_W64 ? 8u : 16u) >> esz;
}

bool ir_eval_vop(const struct ir_vop_args *op, v128 *dst, const v128 *a, const v128 *b, const v128 *c, struct ir_fpenv *env)
{
	const struct ir_vx x = {
		.a = a, .b = b, .c = c, .imm = op->imm, .esz = op->esz, .width = op->width, .type = op->type,
		.cc = op->cc, .aux = op->aux, .lanes = lane_count(op->width, op->esz), .bits = 8u << op->esz, .env = env
	};
	v128 d = { .d = { 0, 0 } };

	if (op->op >= IR_OP_COUNT || !vop_fn[op->op])
		return false;
	vop_fn[op->op](&x, &d);
	*dst = d;
	return true;
}
