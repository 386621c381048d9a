// SPDX-License-Identifier: MIT
/*
 * Base instructions, lifted and evaluated: a line is assembly, its words, the state before and what is different
 * afterwards. cases.def comes from an arm64 machine's answers (make_cases.py), special.def was written by hand.
 *
 * Register defaults: xN = 0xd0000000000000NN with N in bits 15..8 too; sp = BUF + 0x80; nzcv = 0. Memory: a page at BUF whose
 * first 256 bytes are j * 37 + 11. mNN= is the 8-byte word at BUF + NN.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/aarch64/decode.h"
#include "guest/aarch64/flow.h"
#include "guest/aarch64/state.h"
#include "guest/guest.h"
#include "ir/eval.h"
#include "ir/ir.h"

#define BUF 0x10000000ull
#define PAGE 4096
#define PC 0x400000ull

extern const struct guest a64_guest;

struct test_case {
	const char *text, *words, *in, *out;
};

static const struct test_case cases[] = {
#define CASE(text, words, in, out) { text, words, in, out },
#include "cases.def"
#include "special.def"
#undef CASE
};

/* All that a case can see. */
struct world {
	struct a64_state s;
	u8 mem[PAGE];
	enum ir_eval_stop stop;
	u64 pc, fault, sys, rt_arg, trap_imm;
	int rt, trap;
};

static struct world *cur;

static u8 *at(u64 addr, unsigned size)
{
	if (addr < BUF || addr + size > BUF + PAGE) {
		cur->fault = addr;
		return NULL;
	}
	return cur->mem + (addr - BUF);
}

static int load(void *ctx, u64 addr, void *buf, unsigned size)
{
	const u8 *p = at(addr, size);

	(void)ctx;
	if (!p)
		return -EFAULT;
	memcpy(buf, p, size);
	return 0;
}

static int store(void *ctx, u64 addr, const void *buf, unsigned size)
{
	u8 *p = at(addr, size);

	(void)ctx;
	if (!p)
		return -EFAULT;
	memcpy(p, buf, size);
	return 0;
}

static int cas(void *ctx, u64 addr, unsigned size, const void *expected, const void *desired, void *old)
{
	u8 *p = at(addr, size);

	(void)ctx;
	if (!p)
		return -EFAULT;
	memcpy(old, p, size);
	if (!memcmp(p, expected, size))
		memcpy(p, desired, size);
	return 0;
}

static u64 rtcall(void *ctx, unsigned which, u64 a, u64 b)
{
	(void)ctx;
	(void)b;
	cur->rt = (int)which;
	cur->rt_arg = a;
	return 0x5a5a;
}

/* Applies "name=value" words to a world. */
static void apply(struct world *w, const char *text)
{
	char name[16];
	u64 v;
	int n, used;

	for (; sscanf(text, " %15[^=]=%lx%n", name, &v, &used) == 2; text += used) {
		if (name[0] == 'x')
			w->s.x[atoi(name + 1)] = v;
		else if (!strcmp(name, "sp"))
			w->s.x[31] = v;
		else if (!strcmp(name, "nzcv"))
			w->s.nzcv = (u32)v << 28;
		else if (!strcmp(name, "tpidr"))
			w->s.tpidr = v;
		else if (name[0] == 'm')
			memcpy(w->mem + strtoul(name + 1, NULL, 16), &v, 8);
		else if (!strcmp(name, "pc"))
			w->stop = IR_EVAL_GOTO, w->pc = v;
		else if (!strcmp(name, "sys"))
			w->stop = IR_EVAL_SYSCALL, w->sys = v;
		else if (!strcmp(name, "fault"))
			w->stop = IR_EVAL_FAULT, w->fault = v;
		else if (!strcmp(name, "trap") && sscanf(text + used, ":%lx%n", &w->trap_imm, &n) == 1)
			w->stop = IR_EVAL_TRAP, w->trap = (int)v, used += n;
		else if (!strcmp(name, "rt") && sscanf(text + used, ":%lx%n", &w->rt_arg, &n) == 1)
			w->rt = (int)v, used += n;
		else
			printf("cannot read: %s\n", text), exit(1);
	}
	if (strspn(text, " ") != strlen(text))
		printf("cannot read: %s\n", text), exit(1);
}

static void init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (u64 r = 0; r < 31; r++)
		w->s.x[r] = 0xdull << 60 | r << 8 | r;
	w->s.x[31] = BUF + 0x80;
	w->s.excl_addr = A64_EXCL_NONE;
	for (unsigned j = 0; j < 256; j++)
		w->mem[j] = (u8)(j * 37 + 11);
	w->stop = IR_EVAL_END;
	w->rt = w->trap = -1;
}

/* Words that flow() says to read flags though they do not: conditions that always hold, RMIF. */
static bool may_read_in_vain(u32 word)
{
	return (word & 0x1e00e000) == 0x1a00e000 || (word & 0xffe07c10) == 0xba000400;
}

/* How flow() and what was lifted must agree. */
static const char *check_flow(const struct ir_region *r, enum guest_lift how, u64 pc, u32 word)
{
	struct guest_flow f = a64_flow(pc, &word);
	const struct ir_inst *last = &r->inst[r->ninst - 1];
	enum guest_flags_use want;
	bool reads = false, writes = false;

	for (u32 n = 0; n < r->ninst; n++) {
		reads |= r->inst[n].op == IR_FGET;
		writes |= r->inst[n].op == IR_FSET;
	}
	want = reads ? GUEST_FLAGS_READ : writes ? GUEST_FLAGS_WRITE : GUEST_FLAGS_NONE;
	if (last->op != IR_TRAP && f.flags != want && !may_read_in_vain(word))
		return "flow: flags";
	if (f.len != 4)
		return "flow: length";
	switch (last->op) {
	case IR_TRAP: return NULL;
	case IR_SYSCALL: return f.kind == GUEST_FLOW_SYSCALL ? NULL : "flow: syscall";
	case IR_CALL: return f.kind == GUEST_FLOW_CALL && f.target == (u64)last->imm ? NULL : "flow: call";
	case IR_GOTO: return f.kind == GUEST_FLOW_JUMP && f.target == (u64)last->imm ? NULL : "flow: jump";
	case IR_ICALL: return f.kind == GUEST_FLOW_ICALL ? NULL : "flow: icall";
	case IR_IGOTO: return f.kind == GUEST_FLOW_INDIRECT ? NULL : "flow: indirect";
	case IR_RET: return f.kind == GUEST_FLOW_RETURN ? NULL : "flow: return";
	}
	if (ir_op_info[last->op].effects & IR_E_BR)
		return f.kind == GUEST_FLOW_COND && f.target == (u64)last->imm ? NULL : "flow: cond";
	return f.kind == GUEST_FLOW_NEXT && how == GUEST_NEXT ? NULL : "flow: next";
}

/* Lifts and evaluates the words one after the other. NULL or what is wrong. */
static const char *execute(struct world *w, const char *words)
{
	static struct ir_inst inst[256];
	static u64 vconst[64];
	static v128 scratch[256];
	static char why[200];
	struct ir_eval_env env = { .load = load, .store = store, .cas = cas, .rtcall = rtcall };
	struct ir_region r = { .inst = inst, .vconst = vconst, .max_inst = 256, .max_vconst = 64 };
	const char *bad;
	char *next;
	u64 pc = PC;
	u32 word;

	for (; *words && w->stop == IR_EVAL_END; words = next, pc += 4) {
		unsigned len = 0;
		enum guest_lift how;

		word = (u32)strtoul(words, &next, 16);
		r.ninst = r.nvconst = 0;
		how = a64_guest.lift(&r, pc, &word, &len);
		if (r.overflow || len != 4 || r.inst[0].op != IR_INSN || (u64)r.inst[0].imm != pc)
			return "lift";
		if (!!(ir_op_info[inst[r.ninst - 1].op].effects & IR_E_TERM) != (how == GUEST_END))
			return "lift: end";
		if (ir_verify(&r, why, sizeof(why)))
			return why;
		bad = check_flow(&r, how, pc, word);
		if (bad)
			return bad;
		w->pc = 0;
		w->stop = ir_eval(&r, 0, r.ninst, &a64_guest, &w->s, &env, scratch, &w->pc);
	}
	if (w->stop == IR_EVAL_TRAP)
		w->trap = env.stop->cc, w->trap_imm = (u64)env.stop->imm;
	if (w->stop == IR_EVAL_SYSCALL)
		w->sys = (u64)env.stop->imm;
	if (w->stop != IR_EVAL_GOTO)
		w->pc = 0;
	return NULL;
}

static int differ(const char *what, u64 got, u64 want)
{
	if (got == want)
		return 0;
	printf("    %s is %lx, should be %lx\n", what, got, want);
	return 1;
}

static int compare(const struct world *got, const struct world *want)
{
	char name[16];
	u64 a, b;
	int bad = 0;

	for (int r = 0; r < 32; r++) {
		snprintf(name, sizeof(name), r == 31 ? "sp" : "x%d", r);
		bad += differ(name, got->s.x[r], want->s.x[r]);
	}
	bad += differ("nzcv", got->s.nzcv, want->s.nzcv);
	bad += differ("tpidr", got->s.tpidr, want->s.tpidr);
	bad += differ("stop", got->stop, want->stop);
	bad += differ("pc", got->pc, want->pc);
	bad += differ("fault", got->fault, want->fault);
	bad += differ("sys", got->sys, want->sys);
	bad += differ("rt", (u64)got->rt, (u64)want->rt);
	bad += differ("rt argument", got->rt_arg, want->rt_arg);
	bad += differ("trap", (u64)got->trap, (u64)want->trap);
	bad += differ("trap imm", got->trap_imm, want->trap_imm);
	for (unsigned j = 0; j < PAGE; j += 8) {
		snprintf(name, sizeof(name), "m%x", j);
		memcpy(&a, got->mem + j, 8);
		memcpy(&b, want->mem + j, 8);
		bad += differ(name, a, b);
	}
	return bad;
}

static bool seen[A64_OP_COUNT];

static void note_ops(const char *words)
{
	struct a64_insn i;
	char *next;

	for (; *words; words = next)
		seen[a64_decode((u32)strtoul(words, &next, 16), &i)] = true;
}

/* Every operation that lift_base.def names must have a case. */
static unsigned check_coverage(void)
{
	unsigned missing = 0;

#define LIFT(op, fn)					\
	if (!seen[op]) {				\
		printf("FAIL no case for " #op "\n");	\
		missing++;				\
	}
#include "guest/aarch64/lift_base.def"
#undef LIFT
	return missing;
}

static unsigned check_misaligned(void)
{
	struct ir_inst inst[4];
	struct ir_region r = { .inst = inst, .max_inst = 4 };
	u32 nop = 0xd503201f;
	unsigned len;

	if (a64_guest.lift(&r, PC + 2, &nop, &len) == GUEST_END && inst[1].op == IR_TRAP && inst[1].cc == IR_TRAP_ALIGN)
		return 0;
	printf("FAIL misaligned pc\n");
	return 1;
}

int main(void)
{
	unsigned failed = check_misaligned();

	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
		static struct world got, want;
		const char *bad;

		init(&got);
		apply(&got, cases[n].in);
		want = got;
		apply(&want, cases[n].out);
		cur = &got;
		note_ops(cases[n].words);
		bad = execute(&got, cases[n].words);
		if (bad)
			printf("    %s\n", bad);
		if (bad || compare(&got, &want)) {
			printf("FAIL %s (%s) with %s\n", cases[n].text, cases[n].words, cases[n].in);
			failed++;
		}
	}
	failed += check_coverage();
	printf("%zu passed, %u failed\n", ARRAY_SIZE(cases) - failed, failed);
	return failed != 0;
}
