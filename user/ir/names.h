/* SPDX-License-Identifier: MIT */
/*
 * Words of the IR's text form, which printer and parser share.
 */
#ifndef IR_NAMES_H
#define IR_NAMES_H

static const char *const ir_type_names[] = { "void", "i32", "i64", "v", "f" };
static const char *const ir_esize_names[] = { "b", "h", "s", "d", "q", "?", "?", "?" };
static const char *const ir_width_names[] = { "ws", "w64", "w128", "?" };
static const char *const ir_cc_names[] = {
	"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"
};

#endif
