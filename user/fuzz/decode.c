// SPDX-License-Identifier: MIT
/*
 * Fuzzer for the translator: random words through decoder, disassembler, flow(), lifter, verifier, printer and parser, and
 * sequences of them through translate() for every class of host CPU, also with too little room for the result. Nothing is
 * executed. Right is: no crash (build with sanitizers), IR that verifies and whose text reads back, 0 or -ENOSPC or -EFAULT
 * of translate(), nothing written outside of what it was given, and a pc map in order and within the region.
 *
 *	decode [-n COUNT] [-s SEED] [-t SECONDS]	COUNT sequences (0: until interrupted)
 *
 * Built by hand: make SAN=1 BUILD=build/san lib, then gcc -O1 -g -fsanitize=address,undefined -D_GNU_SOURCE -DDRAGOMAN_HOSTED
 * -Iinclude -Iuser -Ibuild/san/gen -o decode user/fuzz/decode.c build/san/host/libdragoman.a; or with -DFUZZ_LIBRARY as a part of a test.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codegen/host.h"
#include "guest/aarch64/decode.h"
#include "guest/aarch64/disasm.h"
#include "guest/aarch64/flow.h"
#include "translate/translate.h"

extern const struct guest a64_guest;

#define FUZZ_WORDS 64
#define FUZZ_HOT 65536u
#define FUZZ_COLD 65536u
#define FUZZ_GUARD 64u
#define FUZZ_MAP 1024u

static u64 fuzz_state;
static u32 fuzz_words[FUZZ_WORDS];
static u64 fuzz_pc;			/* where they stand for the guest */
static const char *fuzz_what;

static u64 fuzz_random(void)
{
	/* splitmix64: each seed is a different sequence, also neighbours. */
	u64 z = fuzz_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u32 fuzz_below(u32 n)
{
	return (u32)((fuzz_random() >> 32) % n);
}

/* Any word, one of an encoding, or one that differs from an encoding in one bit. */
static u32 fuzz_word(void)
{
	u32 mask, value, word = (u32)fuzz_random();
	enum a64_op op;

	if (!fuzz_below(8))
		return word;
	a64_enc_bits(1 + fuzz_below(A64_ENC_COUNT - 1), &mask, &value, &op);
	word = value | (word & ~mask);
	return fuzz_below(16) ? word : word ^ 1u << fuzz_below(32);
}

/* --- one instruction ---------------------------------------------------------------------------------------------- */

static bool fuzz_text(struct ir_region *r)
{
	static char text[2][65536];
	static struct ir_inst inst[600];
	static struct ir_block block[4];
	static u64 vconst[600];
	struct ir_region back = { .inst = inst, .block = block, .vconst = vconst, .max_inst = 600, .max_block = 4, .max_vconst = 600 };
	size_t len = ir_print(r, text[0], sizeof(text[0]));
	unsigned line;

	return len < sizeof(text[0]) && !ir_parse(&back, text[0], len, &line) &&
	       ir_print(&back, text[1], sizeof(text[1])) == len && !memcmp(text[0], text[1], len);
}

static bool fuzz_insn(u64 pc, u32 word)
{
	static struct ir_inst inst[600];
	static struct ir_block block[4];
	static u64 vconst[600];
	struct ir_region r = { .inst = inst, .block = block, .vconst = vconst, .max_inst = 600, .max_block = 4, .max_vconst = 600 };
	struct a64_insn in;
	struct guest_flow f;
	char text[128];
	enum guest_lift how;
	unsigned enc = a64_decode_enc(word, &in), len = 0;

	fuzz_what = "decode";
	if (enc >= A64_ENC_COUNT || in.op >= A64_OP_COUNT || in.word != word || !enc != (in.op == A64_OP_UNDEF))
		return false;
	fuzz_what = "disassemble";
	memset(text, 0x55, sizeof(text));
	a64_disasm(word, pc, text, 100);
	if (!memchr(text, 0, 100) || text[100] != 0x55)
		return false;
	fuzz_what = "flow";
	f = a64_flow(pc, &word);
	if (f.len != 4 || f.kind > GUEST_FLOW_STOP)
		return false;
	fuzz_what = "lift";
	how = a64_guest.lift(&r, pc, &word, &len);
	if (r.overflow || len != 4 || !r.ninst)
		return false;
	if (!!(ir_op_info[inst[r.ninst - 1].op].effects & IR_E_TERM) != (how == GUEST_END))
		return false;
	fuzz_what = "verify";
	if (ir_verify(&r, text, sizeof(text)))
		return false;
	fuzz_what = "text";
	return fuzz_text(&r);
}

/* --- a region ------------------------------------------------------------------------------------------------------- */

static const void *fuzz_fetch(void *ctx, u64 pc, size_t *avail)
{
	u64 off = pc - fuzz_pc;

	(void)ctx;
	*avail = off < sizeof(fuzz_words) ? sizeof(fuzz_words) - off : 0;
	return (const u8 *)fuzz_words + (*avail ? off : 0);
}

static bool fuzz_known(void *ctx, u64 pc)
{
	return (uintptr_t)ctx && pc >> 2 & 1 && pc >> 3 & 1 && pc >> 4 & 1;
}

static bool fuzz_slow(void *ctx, u64 pc)
{
	return (uintptr_t)ctx && pc >> 5 & 1;
}

struct fuzz_memory {
	u8 hot[FUZZ_HOT + FUZZ_GUARD] __attribute__((aligned(64)));
	u8 cold[FUZZ_COLD + FUZZ_GUARD] __attribute__((aligned(64)));
	struct cg_entry entry[128 + 1];
	struct cg_map map[FUZZ_MAP + 1];
	u32 retsite[64 + 1], site[256 + 1];
};

static bool fuzz_guards(const struct fuzz_memory *m, const struct cg_out *o)
{
	for (unsigned k = 0; k < FUZZ_GUARD; k++)
		if (m->hot[o->max_code + k] != 0xa5 || m->cold[o->max_cold + k] != 0xa5)
			return false;
	return m->entry[o->max_entry].needs_flags == 0xa5a5a5a5 && m->map[o->max_map].off == 0xa5a5 &&
	       m->retsite[o->max_retsite] == 0xa5a5a5a5 && m->site[o->max_site] == 0xa5a5a5a5;
}

/* NULL, or what is wrong with a translation. */
static const char *fuzz_result(const struct fuzz_memory *m, const struct translate_out *out)
{
	const struct cg_out *o = &out->cg;

	if (o->code_len > o->max_code || o->cold_len > o->max_cold || o->nentry > o->max_entry || o->nmap > o->max_map ||
	    o->nretsite > o->max_retsite || o->nsite > o->max_site || !o->nentry || !o->nmap)
		return "counts";
	if (o->pool < m->cold + o->cold_len || o->pool > m->cold + o->max_cold || ((uintptr_t)o->pool & 15))
		return "pool";
	if (out->pc_lo > fuzz_pc || out->pc_hi <= out->pc_lo || out->pc_hi > fuzz_pc + sizeof(fuzz_words))
		return "guest range";
	for (u32 k = 0; k < o->nentry; k++)
		if (o->entry[k].off >= o->code_len || o->entry[k].pc - out->pc_lo >= out->pc_hi - out->pc_lo)
			return "entries";
	for (u32 k = 0; k < o->nmap; k++)
		if (o->map[k].off > o->code_len || (k && o->map[k].off < o->map[k - 1].off) || o->map[k].flags_at > CG_FLAGS_DEAD)
			return "map";
	for (u32 k = 0; k < o->nsite; k++)
		if (o->site[k] >= o->cold_len || o->site[k] & 7)
			return "sites";
	return NULL;
}

static bool fuzz_region(const char *class, void *scratch)
{
	static struct fuzz_memory *m;
	bool tight = !fuzz_below(4), odd = fuzz_below(2);
	struct translate_req q = { .guest = &a64_guest, .pc = fuzz_pc, .fetch = fuzz_fetch, .known = odd ? fuzz_known : NULL,
				   .slow_fp = odd ? fuzz_slow : NULL, .ctx = (void *)(uintptr_t)fuzz_below(2),
				   .interp = !fuzz_below(16), .max_insns = 1 + fuzz_below(FUZZ_WORDS + 10),
				   .opt = { .features = x64_class_features(class), .strict_flags = fuzz_below(2),
					    .strict_fp = fuzz_below(2) } };
	struct translate_out out = { 0 };
	u32 cold = tight ? 64 + 16 * fuzz_below(256) : FUZZ_COLD;	/* constants come from its end */
	int err;

	if (!m && !(m = aligned_alloc(64, (sizeof(*m) + 63) & ~63ul)))
		exit(1);
	memset(m, 0xa5, sizeof(*m));
	out.cg = (struct cg_out){ .code = m->hot, .max_code = tight ? 64 + fuzz_below(4096) : FUZZ_HOT, .cold = m->cold,
				  .max_cold = cold, .pool = m->cold + cold,
				  .entry = m->entry, .max_entry = tight ? 1 + fuzz_below(128) : 128, .map = m->map,
				  .max_map = tight ? 1 + fuzz_below(FUZZ_MAP) : FUZZ_MAP, .retsite = m->retsite,
				  .max_retsite = tight ? fuzz_below(64) : 64, .site = m->site,
				  .max_site = tight ? fuzz_below(256) : 256 };
	err = translate(&q, &out, scratch);
	fuzz_what = "written outside";
	if (!fuzz_guards(m, &out.cg))
		return false;
	fuzz_what = "error";
	if (err)
		return err == -ENOSPC || err == -EFAULT;
	fuzz_what = fuzz_result(m, &out);
	return !fuzz_what;
}

/* True: all is right. */
static bool fuzz_one(u64 seed)
{
	static const char *const classes[] = { "v2", "v3", "v4", "v4fp16" };
	static void *scratch;

	if (!scratch && !(scratch = calloc(1, translate_scratch_size())))
		exit(1);
	fuzz_state = seed;
	fuzz_pc = fuzz_below(4) ? 0x400000 : fuzz_random() & ~3ull;
	for (unsigned k = 0; k < FUZZ_WORDS; k++) {
		fuzz_words[k] = fuzz_word();
		if (!fuzz_insn(fuzz_pc + 4 * k, fuzz_words[k])) {
			printf("seed %llu: %s: %08x at %llx\n", (unsigned long long)seed, fuzz_what, fuzz_words[k],
			       (unsigned long long)fuzz_pc + 4 * k);
			return false;
		}
	}
	for (unsigned k = 0; k < sizeof(classes) / sizeof(classes[0]); k++)
		if (!fuzz_region(classes[k], scratch)) {
			printf("seed %llu: translate for %s: %s\n", (unsigned long long)seed, classes[k], fuzz_what);
			return false;
		}
	return true;
}

#ifndef FUZZ_LIBRARY
int main(int argc, char **argv)
{
	u64 seed = 1, count = 0, bad = 0, n;
	time_t end = 0;
	int o;

	while ((o = getopt(argc, argv, "n:s:t:")) != -1) {
		switch (o) {
		case 'n': count = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 't': end = time(NULL) + atoi(optarg); break;
		default: return 2;
		}
	}
	for (n = 0; (!count || n < count) && (!end || time(NULL) < end); n++)
		bad += !fuzz_one(seed + n);
	printf("%llu sequences, %llu findings\n", (unsigned long long)n, (unsigned long long)bad);
	return bad != 0;
}
#endif
