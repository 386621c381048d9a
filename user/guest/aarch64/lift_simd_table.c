// SPDX-License-Identifier: MIT
/*
 * The arguments of lift_simd.def's lines, by operation.
 */
#include "guest/aarch64/lift_simd.h"

const u16 a64_simd_arg[A64_OP_COUNT] = {
#define LIFT(op, fn)
#define LIFTV(op, fn, arg) [op] = (arg),
#include "guest/aarch64/lift_simd.def"
#undef LIFT
};
