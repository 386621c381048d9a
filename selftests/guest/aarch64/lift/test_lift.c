// SPDX-License-Identifier: MIT
/*
 * Properties of lifted instructions that running them does not show. (What they compute: ../diff.)
 *
 * In: random words of each line of insns.decode. Checked of the IR: it verifies; nothing of the guest state is written
 * before the last access to memory, so that a fault finds the state of the instruction's start; printed, it parses back
 * to the same; a region that is too small says so and is not written beyond its end; and every operation that the
 * decoder knows is lifted to something else than TRAP UNDEF, but for a few. Out: failures, a summary with the IR
 * instructions and nanoseconds per guest instruction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest/aarch64/decode.h"
#include "guest/aarch64/disasm.h"
#include "guest/guest.h"
#include "ir/ir.h"

#define MAX_INST 160
#define WORDS 24			/* of each encoding */

extern const struct guest a64_guest;

static struct ir_inst insts[MAX_INST + 1];
static struct ir_block blocks[1];
static u64 vconsts[MAX_INST];
static unsigned fails;
static u64 rng = 7;

static u32 rnd(void)
{
	rng += 0x9e3779b97f4a7c15ull;
	u64 z = (rng ^ rng >> 30) * 0xbf58476d1ce4e5b9ull;

	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (u32)(z >> 32);
}

static struct ir_region region_of(u32 max_inst, u32 max_vconst)
{
	return (struct ir_region){ .inst = insts, .block = blocks, .vconst = vconsts, .max_inst = max_inst,
				   .max_block = 1, .max_vconst = max_vconst };
}

static void failed(u32 word, const char *what)
{
	char text[96];

	a64_disasm(word, 0x1000, text, sizeof(text));
	if (fails++ < 40)
		printf("lift: %08x  %s: %s\n", word, text, what);
}

/*
 * LDP of general registers may set its first register before the second access: the architecture leaves it unknown after
 * a fault. But not when it is the base.
 */
static bool early_set_ok(const struct a64_insn *in, const struct ir_inst *set)
{
	return in->op == A64_OP_LDP && set->op == IR_SET && set->aux != in->rn;
}

static void check_order(const struct ir_region *r, u32 word)
{
	bool written = false;
	struct a64_insn in;

	a64_decode(word, &in);

	for (u32 i = 0; i < r->ninst; i++) {
		u32 eff = ir_op_info[insts[i].op].effects;

		if (written && eff & (IR_E_MR | IR_E_MW) && insts[i].op != IR_FENCE) {
			failed(word, "state is written before an access that may fault");
			return;
		}
		if (insts[i].op == IR_SET || insts[i].op == IR_VSET || insts[i].op == IR_FSET)
			written |= !early_set_ok(&in, &insts[i]);
	}
}

static void check_text(struct ir_region *r, u32 word)
{
	static char text[2][32768];
	static struct ir_inst inst2[MAX_INST];
	static u64 vconst2[MAX_INST];
	struct ir_region r2 = region_of(MAX_INST, MAX_INST);
	unsigned line;
	size_t len = ir_print(r, text[0], sizeof(text[0]));

	r2.inst = inst2;
	r2.vconst = vconst2;
	if (ir_parse(&r2, text[0], len, &line))
		failed(word, "the printed form does not parse");
	else if (ir_print(&r2, text[1], sizeof(text[1])) != len || memcmp(text[0], text[1], len))
		failed(word, "the printed form changes when it is parsed");
}

static void check_small(u32 word, u32 ninst)
{
	for (u32 max = 1; max < ninst; max++) {
		struct ir_region r = region_of(max, max & 1);
		unsigned len;

		insts[max].op = 0xdead;
		a64_guest.lift(&r, 0x1000, &word, &len);
		if (!r.overflow || insts[max].op != 0xdead)
			failed(word, "a full region is not noticed, or written beyond its end");
	}
}

/* Operations that are there to trap. */
static bool may_trap(enum a64_op op)
{
	return op == A64_OP_HLT || op == A64_OP_BRK || op == A64_OP_SYS || op == A64_OP_SYSL || op == A64_OP_MRS ||
	       op == A64_OP_MSR_r;
}

static u32 check_word(u32 word, enum a64_op op)
{
	struct ir_region r = region_of(MAX_INST, MAX_INST);
	unsigned len = 0;
	char why[160];
	u32 n;

	a64_guest.lift(&r, 0x1000, &word, &len);
	n = r.ninst;
	if (len != 4 || !n || insts[0].op != IR_INSN)
		failed(word, "no INSN, or not 4 bytes");
	if (ir_verify(&r, why, sizeof(why)))
		failed(word, why);
	if (insts[n - 1].op == IR_TRAP && !may_trap(op))
		failed(word, "is not lifted");
	check_order(&r, word);
	check_text(&r, word);
	check_small(word, n);
	return n;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Lifts all words again, for the time. */
static double time_all(const u32 *words, u32 n)
{
	double start = now();

	for (unsigned round = 0; round < 20; round++)
		for (u32 i = 0; i < n; i++) {
			struct ir_region r = region_of(MAX_INST, MAX_INST);
			unsigned len;

			a64_guest.lift(&r, 0x1000, &words[i], &len);
		}
	return (now() - start) / (20.0 * n);
}

int main(void)
{
	static u32 words[A64_ENC_COUNT * WORDS];
	u32 n = 0, total = 0;

	for (unsigned enc = 1; enc < A64_ENC_COUNT; enc++) {
		unsigned got = 0;
		u32 mask, value;
		enum a64_op op;

		a64_enc_bits(enc, &mask, &value, &op);
		for (unsigned tries = 0; tries < 400 && got < WORDS; tries++) {
			struct a64_insn in;
			u32 word = value | (rnd() & ~mask);

			if (a64_decode_enc(word, &in) != enc)
				continue;
			total += check_word(word, op);
			words[n++] = word;
			got++;
		}
		if (!got)
			printf("lift: no word for line %u, %s\n", enc, a64_op_name(op));
	}
	printf("lift: %u words of %u encodings, %.1f IR instructions and %.0f ns each, %u failures\n", n, A64_ENC_COUNT - 1,
	       (double)total / n, time_all(words, n), fails);
	return fails != 0;
}
