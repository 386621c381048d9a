/* SPDX-License-Identifier: MIT */
/* Instruction cases as lines of text; see libinsn.c for the format. */
#ifndef SELFTESTS_LIBINSN_H
#define SELFTESTS_LIBINSN_H

#include "../../../codegen/libcgrun.h"

#define INSN_WIN_SIZE 256u		/* of memory: the last bytes of the page that sequences use; behind it nothing is mapped */
#define INSN_MEM (CG_WIN + CG_WIN_SIZE - INSN_WIN_SIZE)

struct insn_state {
	struct a64_state s;
	u8 mem[INSN_WIN_SIZE];
	/* how it ended; -1: not in the line */
	s64 pc, sys, fault, trap, trap_imm, rt;
};

struct insn_case {
	u32 word[8];
	unsigned n;
	struct insn_state in, out;
};

void insn_defaults(struct insn_state *st);
/* False: the line cannot be read. */
bool insn_parse(struct insn_case *c, const char *line);
/* Writes `st` as far as it differs from `base`. */
void insn_format(char *buf, size_t len, const struct insn_state *st, const struct insn_state *base);

#endif
