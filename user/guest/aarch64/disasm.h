// SPDX-License-Identifier: MIT
/* The A64 disassembler, from the same table as the decoder. For people and traces; see disasm.c. */
#ifndef A64_DISASM_H
#define A64_DISASM_H

#include "guest/aarch64/decode.h"

/*
 * Writes the text of the instruction at address pc, NUL-terminated and cut off at size (> 0) bytes.
 * No alias is preferred: `mov x0, x1` is `orr x0, xzr, x1`. Returns the length written.
 */
size_t a64_disasm(u32 word, u64 pc, char *buf, size_t size);

/* "ADD_i", without A64_OP_. */
const char *a64_op_name(enum a64_op op);

/* The template of a line of the table; for tests and coverage reports. */
const char *a64_enc_template(unsigned int enc);

#endif
