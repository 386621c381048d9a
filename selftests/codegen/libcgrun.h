/* SPDX-License-Identifier: MIT */
/* Runs sequences of guest instructions twice: by the evaluator and by translated code. See libcgrun.c. */
#ifndef SELFTESTS_LIBCGRUN_H
#define SELFTESTS_LIBCGRUN_H

#include "guest/aarch64/decode.h"
#include "guest/aarch64/disasm.h"
#include "guest/aarch64/state.h"
#include "ir/eval.h"

extern const struct guest a64_guest;

/* Nothing else is mapped in the zone: accesses elsewhere in it fault. */
#define CG_ZONE 0x5ff00000ull
#define CG_ZONE_SIZE 0x300000ull
#define CG_CODE 0x60000000ull
#define CG_CODE_SIZE 4096u
#define CG_WIN 0x60040000ull
#define CG_WIN_SIZE 4096u
#define CG_MAX 64			/* instructions of a sequence, without the SVC at its end */

enum cg_stop {
	CG_RUNNING,			/* the evaluator was stopped after the instructions asked for */
	CG_SYSCALL,
	CG_TRAP,
	CG_FAULT,			/* in the zone */
	CG_LEFT,			/* went to an address outside of the code */
	CG_WILD,			/* an access outside of the zone: the sequence cannot be used */
	CG_LONG,			/* too many steps */
	CG_UNSUPPORTED,
	CG_CRASH,			/* translated code only: a signal that nobody wanted */
	CG_NOTRANS,			/* translate() failed */
};

struct cg_result {
	enum cg_stop stop;
	u64 pc;				/* where it stopped */
	struct a64_state s;
	u8 mem[CG_WIN_SIZE];
	const char *why;		/* CRASH */
	u64 host_pc, addr;
};

struct cg_seq {
	u32 word[CG_MAX + 1];
	unsigned n;
	struct a64_state init;
	u8 mem[CG_WIN_SIZE];
	/* how it is translated */
	unsigned max_insns;
	bool strict_flags, single_step;
	u8 relative;			/* as code of an object: 1 near to the guest's memory, 2 further than a displacement reaches */
	u32 tight;			/* not 0: how small the outputs are, at the first try */
	u64 slow_mask, interp_mask;	/* by instruction number: through the evaluator */
};

int cg_run_init(void);
/* False: this CPU has not all of them. */
bool cg_run_class(const char *name);
void cg_words(const struct cg_seq *q);	/* puts them where the guest's code is */
/* Starts the evaluator / does one instruction of it. */
void cg_eval_start(struct cg_result *r, const struct cg_seq *q);
void cg_eval_step(struct cg_result *r);
void cg_eval(struct cg_result *r, const struct cg_seq *q);
void cg_run(struct cg_result *r, const struct cg_seq *q);
/* The first register that differs, or NULL. */
const char *cg_state_diff(const struct a64_state *a, const struct a64_state *b, bool flags);
bool cg_flags_dead_at(u64 pc);
/* Host code of the last run. */
void cg_dump(const char *file);

#endif
