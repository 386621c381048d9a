// SPDX-License-Identifier: MIT
/*
 * The host side of the differential test: a request's result by decode, lift and evaluation, and its comparison
 * with an answer. Used by test_diff.c (answers of an emulator) and test_diff_golden.c (answers kept in a file).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libdiff.h"

#define MAX_INST 160

/* --- lifting and evaluation ---------------------------------------------------------------------- */

static struct ir_inst insts[MAX_INST];
static struct ir_block blocks[2];
static u64 vconsts[MAX_INST];
struct ir_region diff_region;
bool diff_translator;

enum guest_lift diff_lift(u64 pc, u32 word)
{
	unsigned len;

	diff_region = (struct ir_region){ .inst = insts, .block = blocks, .vconst = vconsts, .max_inst = MAX_INST,
				     .max_block = 2, .max_vconst = MAX_INST };
	return a64_guest.lift(&diff_region, pc, &word, &len);
}

static int win_load(void *ctx, u64 addr, void *buf, unsigned size)
{
	if (addr - DIFF_WIN > DIFF_WIN_SIZE || size > DIFF_WIN_END - addr)
		return -14;
	memcpy(buf, (u8 *)ctx + (addr - DIFF_WIN), size);
	return 0;
}

static int win_store(void *ctx, u64 addr, const void *buf, unsigned size)
{
	if (addr - DIFF_WIN > DIFF_WIN_SIZE || size > DIFF_WIN_END - addr)
		return -14;
	memcpy((u8 *)ctx + (addr - DIFF_WIN), buf, size);
	return 0;
}

static int win_cas(void *ctx, u64 addr, unsigned size, const void *expected, const void *desired, void *old)
{
	if (win_load(ctx, addr, old, size))
		return -14;
	return memcmp(old, expected, size) ? 0 : win_store(ctx, addr, desired, size);
}

void diff_evaluate(struct diff_item *it, u64 pc)
{
	static v128 scratch[MAX_INST];
	struct diff_state *st = &it->got;
	struct a64_state s = { .excl_addr = A64_EXCL_NONE };
	struct ir_eval_env env = { .ctx = st->mem, .load = win_load, .store = win_store, .cas = win_cas };
	char why[160];
	u64 to = 0;

	diff_init(st, &it->req);
	it->init = *st;
	memcpy(s.x, st->x, sizeof(s.x));
	memcpy(s.v, st->v, sizeof(s.v));
	s.nzcv = st->nzcv;
	s.fpcr = st->fpcr;
	s.fpsr = st->fpsr;
	for (unsigned i = 0; i < 2 && it->req.word[i]; i++) {
		diff_lift(pc + 4 * i, it->req.word[i]);
		if (ir_verify(&diff_region, why, sizeof(why))) {
			fprintf(stderr, "diff: %08x: %s\n", it->req.word[i], why);
			it->stop = IR_EVAL_UNSUPPORTED;
			break;
		}
		it->stop = ir_eval(&diff_region, 0, diff_region.ninst, &a64_guest, &s, &env, scratch, &to);
		if (it->stop == IR_EVAL_GOTO && to == pc + 4 * (i + 1))
			it->stop = IR_EVAL_END;
		if (it->stop != IR_EVAL_END)
			break;
	}
	if (it->stop == IR_EVAL_GOTO && to == pc + 8)	/* to the stub's return */
		it->stop = IR_EVAL_END;
	it->untested = it->stop == IR_EVAL_UNSUPPORTED;
	memcpy(st->x, s.x, sizeof(s.x));
	memcpy(st->v, s.v, sizeof(s.v));
	st->nzcv = s.nzcv;
	st->fpcr = (u32)s.fpcr;
	st->fpsr = (u32)s.fpsr;
}

/* --- comparing ----------------------------------------------------------------------------------- */

unsigned diff_compare(const struct diff_item *it, const struct diff_state *want)
{
	const struct diff_state *got = &it->got;
	bool fault = want->sig == SIGSEGV || want->sig == SIGBUS;
	unsigned what = 0;

	if (want->sig ? !(fault && it->stop == IR_EVAL_FAULT) : it->stop != IR_EVAL_END)
		return DIFF_SIG;
	for (unsigned i = 0; i < 32; i++) {
		/* After a fault the destinations are unknown. */
		if (fault && i != it->in.rn && (i == it->in.rt || i == it->in.rt2))
			continue;
		if (!diff_harness_reg(i) && want->x[i] != got->x[i])
			what |= DIFF_X;
	}
	if (want->nzcv != got->nzcv)
		what |= DIFF_NZCV;
	if (fault)				/* so is memory, partly stored to */
		return what;
	if (memcmp(want->v, got->v, sizeof(want->v)))
		what |= DIFF_V;
	if ((want->fpsr ^ got->fpsr) & A64_FPSR_MASK)
		what |= DIFF_FPSR;
	if ((want->fpcr ^ got->fpcr) & A64_FPCR_MASK)	/* qemu keeps Len and Stride, which A64 has no use for */
		what |= DIFF_FPCR;
	if (memcmp(want->mem, got->mem, sizeof(want->mem)))
		what |= DIFF_MEM;
	return what;
}

static void print_vec(const char *name, unsigned n, const u64 *v)
{
	printf("    %s v%-2u = %016llx %016llx\n", name, n, (unsigned long long)v[1], (unsigned long long)v[0]);
}

void diff_report(const struct diff_item *it, u64 pc, const struct diff_state *want, unsigned what)
{
	const struct diff_state *got = &it->got, *init = &it->init;
	const struct a64_insn *in = &it->in;
	char text[96];

	a64_disasm(it->req.word[0], pc, text, sizeof(text));
	printf("%s: %08x  %s   (fpcr %08x, seed %llx)\n", a64_op_name(in->op), in->word, text, it->req.fpcr,
	       (unsigned long long)it->req.seed);
	if (it->req.word[1]) {
		a64_disasm(it->req.word[1], pc + 4, text, sizeof(text));
		printf("    then %08x  %s\n", it->req.word[1], text);
	}
	print_vec("in  rn", in->rn, init->v[in->rn]);
	print_vec("in  rm", in->rm, init->v[in->rm]);
	print_vec("in  rd", in->rd, init->v[in->rd]);
	printf("    in  xn = %016llx xm = %016llx xd = %016llx nzcv %x\n", (unsigned long long)init->x[in->rn],
	       (unsigned long long)init->x[in->rm], (unsigned long long)init->x[in->rd], init->nzcv >> 28);
	if (what & DIFF_SIG)
		printf("    signal %u wanted, evaluation ended with %d\n", want->sig, it->stop);
	for (unsigned i = 0; i < 32; i++) {
		if (!diff_harness_reg(i) && want->x[i] != got->x[i])
			printf("    x%u = %016llx, not %016llx\n", i, (unsigned long long)got->x[i],
			       (unsigned long long)want->x[i]);
		if (what & DIFF_V && memcmp(want->v[i], got->v[i], 16)) {
			print_vec("want  ", i, want->v[i]);
			print_vec("got   ", i, got->v[i]);
		}
	}
	if (what & (DIFF_NZCV | DIFF_FPSR | DIFF_FPCR))
		printf("    nzcv %x want %x, fpsr %08x want %08x, fpcr %08x want %08x\n", got->nzcv >> 28,
		       want->nzcv >> 28, got->fpsr, want->fpsr, got->fpcr, want->fpcr);
	for (unsigned i = 0; what & DIFF_MEM && i < DIFF_WIN_SIZE; i++)
		if (want->mem[i] != got->mem[i])
			printf("    mem[%u] = %02x, not %02x (base %llx)\n", i, got->mem[i], want->mem[i],
			       (unsigned long long)it->req.base_val - DIFF_WIN);
}

/*
 * x86 finds underflow after rounding, Arm before: a result that is rounded up to the smallest normal number is inexact
 * on both and an underflow on Arm only. Translated code has the host's answer.
 */
static bool late_underflow(const struct diff_item *it, const struct diff_state *want)
{
	return ((want->fpsr ^ it->got.fpsr) & A64_FPSR_MASK) == A64_FPSR_UFC && want->fpsr & A64_FPSR_IXC;
}

bool diff_is_known(const struct diff_item *it, const struct diff_state *want, unsigned what)
{
	if (diff_translator && what == DIFF_FPSR)
		return late_underflow(it, want);
	for (unsigned i = 0; i < 2; i++) {
		struct a64_insn d;
		const struct a64_insn *in = &d;

		if (!it->req.word[i])
			break;
		a64_decode(it->req.word[i], &d);
#define KNOWN(o, may, cond, why) \
		if (in->op == (o) && !(what & ~(unsigned)(may)) && (cond)) \
			return true;
#include "diff_known.def"
#undef KNOWN
	}
	return false;
}

static u64 hash_bytes(u64 h, const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const u8 *)p)[i]) * 0x100000001b3ull;
	return h;
}

u64 diff_hash(const struct diff_state *st)
{
	const u32 sys[3] = { st->nzcv, st->fpcr & (u32)A64_FPCR_MASK, st->fpsr & (u32)A64_FPSR_MASK };
	u64 h = hash_bytes(0xcbf29ce484222325ull, st->x, 29 * sizeof(st->x[0]));

	h = hash_bytes(h, &st->x[31], sizeof(st->x[31]));
	h = hash_bytes(h, st->v, sizeof(st->v));
	h = hash_bytes(h, sys, sizeof(sys));
	return hash_bytes(h, st->mem, sizeof(st->mem));
}
