// SPDX-License-Identifier: MIT
/*
 * Single instructions, by decode, lift and evaluation, against kept results of qemu-aarch64: two cases of each encoding
 * of insns.decode that test_diff can make, in golden.def. For where there is no qemu, and in a moment.
 *
 * In: golden.def. Out: each difference on a line, a summary, exit status 1 if there is one. (What differs exactly,
 * test_diff -o OP shows.) To make golden.def again, after a change of the operands in diff.h: test_diff -n 40 -w golden.def.
 */
#include <stdio.h>

#include "libdiff.h"

static const struct golden {
	u32 word, slot;
	u8 base, index, copy;
	u64 base_val, index_val;
	u32 fpcr;
	u64 seed, hash;
	const char *text;
} golden[] = {
#define G(...) { __VA_ARGS__ },
#include "golden.def"
#undef G
};

static bool good(const struct golden *g)
{
	static struct diff_item it;

	it = (struct diff_item){ .req = { .word = { g->word, 0 }, .base = g->base, .index = g->index, .copy = g->copy,
					  .base_val = g->base_val, .index_val = g->index_val, .fpcr = g->fpcr,
					  .seed = g->seed } };
	a64_decode(g->word, &it.in);
	diff_evaluate(&it, DIFF_CODE + g->slot * DIFF_STUB);
	if (it.stop == IR_EVAL_END && diff_hash(&it.got) == g->hash)
		return true;
	printf("golden: %s: %08x  %s (seed %llx): %s\n", a64_op_name(it.in.op), g->word, g->text,
	       (unsigned long long)g->seed, it.stop == IR_EVAL_END ? "different state" : "does not evaluate");
	return false;
}

int main(void)
{
	unsigned bad = 0, ops = 0;
	static bool seen[A64_OP_COUNT];

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		struct a64_insn in;

		bad += !good(&golden[i]);
		a64_decode(golden[i].word, &in);
		ops += !seen[in.op];
		seen[in.op] = true;
	}
	printf("golden: %zu cases of %u operations, %u different\n", ARRAY_SIZE(golden), ops, bad);
	return bad || ARRAY_SIZE(golden) < 1200;
}
