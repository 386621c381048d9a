/* SPDX-License-Identifier: MIT */
/* The host side of the differential test; see libdiff.c. */
#ifndef SELFTESTS_LIBDIFF_H
#define SELFTESTS_LIBDIFF_H

#include "diff.h"
#include "guest/aarch64/decode.h"
#include "guest/aarch64/disasm.h"
#include "guest/aarch64/state.h"
#include "ir/eval.h"

extern const struct guest a64_guest;

struct diff_item {
	struct diff_req req;
	struct a64_insn in;		/* of the first word */
	enum ir_eval_stop stop;
	bool untested;			/* the evaluator does not know one of the operations, or the IR is wrong */
	struct diff_state init, got;
};

/* What differs. */
enum { DIFF_X = 1, DIFF_V = 2, DIFF_NZCV = 4, DIFF_FPSR = 8, DIFF_MEM = 16, DIFF_SIG = 32, DIFF_FPCR = 64 };

/* Lifts one word into diff_region. */
extern struct ir_region diff_region;
enum guest_lift diff_lift(u64 pc, u32 word);

/* Evaluates it->req, whose stub is at pc: sets init, got, stop and untested. */
void diff_evaluate(struct diff_item *it, u64 pc);

/* Compares with an answer: DIFF_* bits. */
unsigned diff_compare(const struct diff_item *it, const struct diff_state *want);
/* The answers are of this project's own translator, not of another emulator. */
extern bool diff_translator;
/* The difference stands in diff_known.def, or is one that translated code may have. */
bool diff_is_known(const struct diff_item *it, const struct diff_state *want, unsigned what);
void diff_report(const struct diff_item *it, u64 pc, const struct diff_state *want, unsigned what);

/* A hash of all that diff_compare looks at. */
u64 diff_hash(const struct diff_state *st);

static inline bool diff_harness_reg(unsigned n)
{
	return n == 29 || n == 30;
}

#endif
