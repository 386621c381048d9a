// SPDX-License-Identifier: MIT
/*
 * What ops.def says about each operation, as a table. In: ops.def. Out: ir_op_info[], indexed by enum ir_op.
 */
#include "ir/ir.h"

/* ops.def's letters. They are only in scope for the table. */
#define MR IR_E_MR
#define MW IR_E_MW
#define ST IR_E_ST
#define FP IR_E_FP
#define QC IR_E_QC
#define TERM IR_E_TERM
#define BR IR_E_BR
#define N 'N'
#define I 'I'
#define W 'W'
#define S 'S'
#define V 'V'
#define F 'F'

const struct ir_op_info ir_op_info[IR_OP_COUNT] = {
#define OP(name, res, args, eff) [IR_##name] = { #name, res, args, NULL, eff },
#define VOP(name, args, esz, eff) [IR_##name] = { #name, V, args, esz, eff },
#include "ir/ops.def"
};
