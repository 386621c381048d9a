// SPDX-License-Identifier: MIT
/*
 * Random sequences of instructions, translated and run, against the evaluator.
 *
 * In:  sequences of 1..20 A64 instructions made from the lines of insns.decode, with registers that are used again and
 *      again, addresses in a page (sometimes over its end), conditional branches, loops and calls; for each CPU class that
 *      this machine has. They are run by libcgrun.c.
 * Out: for each kind of failure the shortest sequence that still fails, what differs, and its host code; status 1.
 * Options: -t SECONDS (default 15), -n SEQUENCES, -s SEED, -c CLASS, -m FAILURES to show (5), -p PROFILE (0..6),
 *      -r MODE (0 private code, 1 as in objects, 2 the same far from the guest; default: all),
 *      -v (their operands too), -x (every sequence in single steps), -l LENGTH, -o OP (only sequences with this operation)
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../guest/aarch64/diff/diff.h"
#include "libcgrun.h"

static const char *const classes[] = { "v2", "v3", "v4", "host" };
static u64 rng = 1;
static unsigned show_max = 5, only_profile = ~0u, max_len = 20;
static bool always_step, verbose;
static int relative = -1;
static const char *only_op;
static struct cg_result want, got;

static u64 rnd(void)
{
	return diff_rand(&rng);
}

static unsigned below(unsigned n)
{
	return (unsigned)(rnd() >> 20) % n;
}

/* --- kinds of instructions ---------------------------------------------------------------------------------------------- */

enum kind { K_NONE, K_INT, K_FLAGS, K_MEM, K_ATOMIC, K_VMEM, K_VEC, K_FLOAT, K_MIXED, K_SYS, K_KINDS };

static u16 enc_of[K_KINDS][A64_ENC_COUNT];
static unsigned nenc[K_KINDS];

static enum kind kind_of_ir(const struct ir_region *r)
{
	bool vec = false, mem = false, atomic = false, flags = false, fp = false, gp = false;

	for (u32 k = 0; k < r->ninst; k++) {
		const struct ir_inst *i = &r->inst[k];
		u32 eff = ir_op_info[i->op].effects;

		if (eff & (IR_E_TERM | IR_E_BR))
			return K_NONE;
		if (i->op == IR_RTCALL)
			return K_SYS;
		vec |= i->op == IR_VSET || i->op == IR_VGET;
		flags |= i->op == IR_FGET || i->op == IR_FSET;
		gp |= i->op == IR_SET || i->op == IR_GET;
		fp |= (eff & IR_E_FP) != 0;
		if (eff & (IR_E_MR | IR_E_MW) && i->op != IR_FENCE) {
			mem = true;
			atomic |= i->op == IR_RMW || i->op == IR_CAS || i->op == IR_CAS128 || (eff & IR_E_ST) ||
				  i->aux & ~(IR_MEM_SIZE | IR_MEM_SIGNED);
		}
	}
	if (mem)
		return atomic ? K_ATOMIC : vec ? K_VMEM : K_MEM;
	if (vec)
		return gp || flags ? K_MIXED : fp ? K_FLOAT : K_VEC;
	return flags ? K_FLAGS : K_INT;
}

static enum kind kind_of_word(u32 word)
{
	static struct ir_inst inst[512];
	static u64 vconst[512];
	struct ir_block block = { .first = 0 };
	struct ir_region r = { .inst = inst, .block = &block, .vconst = vconst, .nblock = 1, .max_inst = 512, .max_block = 1,
			       .max_vconst = 512 };
	unsigned len;

	a64_guest.lift(&r, CG_CODE, &word, &len);
	return r.overflow ? K_NONE : kind_of_ir(&r);
}

static bool usable(const struct a64_insn *in)
{
	bool pair = in->op == A64_OP_LDP || in->op == A64_OP_STP, mem = kind_of_word(in->word) >= K_MEM;

	switch (in->op) {
	case A64_OP_UNDEF: case A64_OP_SYSL: case A64_OP_HLT: case A64_OP_BRK: case A64_OP_SVC: case A64_OP_ISB:
		return false;
	case A64_OP_HINT:
		return in->imm != 1 && in->imm != 2 && in->imm != 3;
	case A64_OP_MRS:
	case A64_OP_MSR_r:
		return true;
	case A64_OP_CASP:
		return in->rs < 28 && in->rt < 28;
	case A64_OP_LDXP:
		return in->rt != in->rt2;
	case A64_OP_STXP:
		return in->rs != in->rt && in->rs != in->rn && in->rs != in->rt2;
	case A64_OP_STXR:
		return in->rs != in->rt && in->rs != in->rn;
	}
	if ((pair || in->op == A64_OP_LDPV) && in->op != A64_OP_STP && in->rt == in->rt2)
		return false;
	if (mem && in->wb && (pair || in->op == A64_OP_LDR_i || in->op == A64_OP_STR_i) &&
	    (in->rt == in->rn || (pair && in->rt2 == in->rn)) && in->rn != 31)
		return false;
	return true;
}

static void sort_encodings(void)
{
	for (unsigned e = 1; e < A64_ENC_COUNT; e++) {
		u32 mask, value;
		enum a64_op op;
		struct a64_insn in;

		a64_enc_bits(e, &mask, &value, &op);
		for (unsigned tries = 0; tries < 100; tries++) {
			u32 word = value | ((u32)rnd() & ~mask);
			enum kind k;

			if (a64_decode_enc(word, &in) != e || !usable(&in))
				continue;
			k = kind_of_word(word);
			if (op == A64_OP_MRS || op == A64_OP_MSR_r)
				k = K_SYS;
			if (k != K_NONE) {
				enc_of[k][nenc[k]++] = (u16)e;
				break;
			}
		}
	}
}

/* --- making sequences ------------------------------------------------------------------------------------------------------ */

static const u8 weights[][K_KINDS] = {
	/*	   INT FLG MEM ATM VMEM VEC FP MIX SYS */
	{ 0,        40, 60,  0,  0,   0,  0, 0,  0,  2 },
	{ 0,        30, 30, 40,  5,   0,  0, 0,  0,  1 },
	{ 0,         5,  5, 10, 60,   5,  0, 0,  0,  1 },
	{ 0,        60, 10, 10,  0,   0,  0, 0,  3,  1 },
	{ 0,         5,  5,  5,  0,  20, 60, 5, 15,  0 },
	{ 0,         5, 15,  5,  0,  10, 10, 50, 30, 3 },
	{ 0,        20, 20, 20, 10,  10, 20, 10, 10, 2 },
};

static u8 pool_regs[8];
static unsigned npool;

static u32 random_reg(void)
{
	return below(16) ? pool_regs[below(npool)] : below(32);
}

static u32 fix_system(u32 word)
{
	static const u16 regs[] = { 0x5a10, 0x5a10, 0x5a20, 0x5a21, 0x5e82 };	/* NZCV, FPCR, FPSR, TPIDR */

	return (word & ~0xfffe0u) | (u32)(regs[below(5)] & 0x7fff) << 5;
}

static u32 random_word(enum kind k)
{
	u32 mask, value, word;
	enum a64_op op;

	a64_enc_bits(enc_of[k][below(nenc[k])], &mask, &value, &op);
	word = value | ((u32)rnd() & ~mask);
	for (unsigned shift = 0; shift <= 16; shift += shift == 10 ? 6 : 5)
		if (!(mask >> shift & 31) && (shift != 10 || below(2)))
			word = (word & ~(31u << shift)) | random_reg() << shift;
	if (op == A64_OP_MRS || op == A64_OP_MSR_r)
		word = fix_system(word);
	if (op == A64_OP_LDR_lit || op == A64_OP_LDRV_lit)	/* mostly in the window or near its end */
		word = (word & ~0xffffe0u) | ((u32)(CG_WIN - CG_CODE) / 4 + below(CG_WIN_SIZE / 4)) << 5;
	if ((op == A64_OP_LDR_i || op == A64_OP_STR_i || op == A64_OP_LDRV_i || op == A64_OP_STRV_i) && (word >> 24 & 1))
		word &= ~(0xf00u << 10);		/* short distances */
	return word;
}

static enum kind pick_kind(const u8 *w)
{
	unsigned sum = 0, x;

	for (unsigned k = 0; k < K_KINDS; k++)
		sum += w[k];
	x = below(sum);
	for (unsigned k = 0; k < K_KINDS; k++) {
		if (x < w[k])
			return nenc[k] ? k : K_INT;
		x -= w[k];
	}
	return K_INT;
}

static void random_state(struct cg_seq *q)
{
	u64 s = rnd();

	memset(&q->init, 0, sizeof(q->init));
	q->init.excl_addr = A64_EXCL_NONE;
	for (unsigned k = 0; k < 31; k++)
		q->init.x[k] = diff_int(&s);
	for (unsigned k = 0; k < 64; k++)
		q->init.v[k / 2].d[k % 2] = diff_vec(&s);
	q->init.x[31] = CG_WIN + 16 * (diff_rand(&s) % (CG_WIN_SIZE / 16));
	for (unsigned k = 0; k < 10; k++) {
		unsigned reg = k < npool ? pool_regs[k] : diff_rand(&s) % 31;

		if (diff_rand(&s) % 3 == 0)
			q->init.x[reg] = diff_rand(&s) % 64;
		else if (reg != 31 && diff_rand(&s) & 1)
			q->init.x[reg] = CG_WIN + (diff_rand(&s) % 16 ? diff_rand(&s) % (CG_WIN_SIZE - 512) : CG_WIN_SIZE - diff_rand(&s) % 40);
		if (reg != 31 && diff_rand(&s) & 1)
			q->init.x[reg] &= ~15ull;
		if (reg != 31 && diff_rand(&s) % 32 == 0)
			q->init.x[reg] |= diff_rand(&s) << 56;	/* a tag */
	}
	q->init.nzcv = (u32)(diff_rand(&s) & 15) << 28;
	if (diff_rand(&s) % 4 == 0)
		q->init.fpcr = diff_rand(&s) & (diff_rand(&s) & 1 ? A64_FPCR_MASK : 3ull << 22);
	if (diff_rand(&s) & 1)
		q->init.fpsr = diff_rand(&s) & A64_FPSR_MASK;
	for (unsigned k = 0; k < CG_WIN_SIZE; k += 8) {
		u64 v = k & 8 ? diff_rand(&s) : diff_int(&s);

		memcpy(q->mem + k, &v, 8);
	}
}

/* A branch at position k of n. */
static u32 random_branch(unsigned k, unsigned n)
{
	u32 off = 2 + below(5), reg = random_reg();

	if (k + off > n)
		off = n - k;
	switch (below(8)) {
	case 0: return 0x14000000 | off;					/* b */
	case 1:
	case 2:
	case 3: return 0x54000000 | off << 5 | below(15);			/* b.cond */
	case 4: return 0x34000000 | below(2) << 31 | off << 5 | reg;		/* cbz */
	case 5: return 0x35000000 | below(2) << 31 | off << 5 | reg;
	case 6: return 0x36000000 | below(2) << 31 | below(32) << 19 | off << 5 | reg;
	}
	return 0x37000000 | below(2) << 31 | below(32) << 19 | off << 5 | reg;
}

/* Fills q->word by evaluating as it goes, so that memory accesses hit the window. */
static void make_straight(struct cg_seq *q, const u8 *w, bool branches)
{
	struct cg_result *r = &want;

	cg_eval_start(r, q);
	for (unsigned k = 0; k < q->n; k++) {
		bool live = r->stop == CG_RUNNING && r->s.pc == CG_CODE + 4 * k;

		for (unsigned tries = 0; tries < 60; tries++) {
			struct cg_result before;
			struct a64_insn in;

			q->word[k] = tries > 50 ? 0xd503201f : branches && !below(6) ? random_branch(k, q->n) :
				     random_word(pick_kind(w));
			a64_decode(q->word[k], &in);
			if (!usable(&in))
				continue;
			if (!live)
				break;
			before = *r;
			memcpy((void *)(CG_CODE + 4 * k), &q->word[k], 4);
			cg_eval_step(r);
			if (r->stop == CG_RUNNING || (r->stop == CG_FAULT && !below(4)))
				break;
			*r = before;
		}
	}
}

/* mov counter, #n; ...; sub counter, counter, #1; cbnz counter, back -- over the sequence's middle. */
static void make_loop(struct cg_seq *q)
{
	unsigned from = below(q->n - 3), to = from + 2 + below(q->n - from - 2), c = 19 + below(10);

	q->word[from] = 0xd2800000 | (1 + below(4)) << 5 | c;
	if (below(2)) {
		q->word[to - 1] = 0xd1000400 | c << 5 | c;
		q->word[to] = 0xb5000000 | ((u32)(from + 1 - to) & 0x7ffff) << 5 | c;
	} else {
		q->word[to - 1] = 0xf1000400 | c << 5 | c;
		q->word[to] = 0x54000000 | ((u32)(from + 1 - to) & 0x7ffff) << 5 | IR_NE;
	}
}

/* bl f; b end; f: ...; ret */
static void make_call(struct cg_seq *q)
{
	unsigned at = below(q->n - 3), f = at + 2 + below(q->n - at - 3), ret = q->n - 1;

	q->word[at] = 0x94000000 | (f - at);
	q->word[f - 1] = 0x14000000 | (q->n - f + 1);
	q->word[ret] = 0xd65f03c0;
	if (below(3) == 0) {			/* blr x16, which the sequence starts with */
		q->word[0] = 0x10000000 | ((f * 4) & 3) << 29 | (f & 0x7ffff) << 5 | 16;
		q->word[at] = at ? 0xd63f0200 : q->word[at];
	}
}

static void make_seq(struct cg_seq *q, unsigned profile)
{
	unsigned shape = below(10);

	memset(q, 0, offsetof(struct cg_seq, mem));
	npool = 2 + below(6);
	for (unsigned k = 0; k < npool; k++)
		pool_regs[k] = (u8)(below(3) ? below(31) : (u8[]){ 0, 1, 2, 5, 9, 18, 14, 28, 31, 30, 17 }[below(11)]);
	random_state(q);
	q->n = 1 + below(max_len);
	q->max_insns = below(3) ? 64 : 1 + below(8);
	q->strict_flags = true;
	q->tight = below(16) ? 0 : 1 + below(1u << 20);
	q->single_step = always_step || !below(16);
	q->relative = relative < 0 ? (u8)(below(2) * (1 + !below(8))) : (u8)relative;
	q->slow_mask = below(8) ? 0 : rnd() & rnd();
	q->interp_mask = below(16) ? 0 : rnd() & rnd() & rnd();
	make_straight(q, weights[profile], shape == 1 || shape == 2 || shape >= 7);
	if (shape >= 8 && q->n > 5)
		make_loop(q);		/* one in the other, or crossing */
	if ((shape == 2 || shape >= 7) && q->n > 5)
		make_loop(q);
	if (shape == 3 && q->n > 5)
		make_call(q);
	else
		q->strict_flags = below(2);
	if (!q->strict_flags)
		for (unsigned k = 0; k < q->n; k++) {
			struct a64_insn in;

			a64_decode(q->word[k], &in);
			if (in.op == A64_OP_RET || in.op == A64_OP_BLR || in.op == A64_OP_BR)
				q->strict_flags = true;
		}
}

/* --- judging ------------------------------------------------------------------------------------------------------------------ */

static char what[200];

static const char *const stop_names[] = { "running", "svc", "trap", "fault", "left", "wild", "long", "unsupported", "crash", "no translation" };

/* Destinations of a load that faulted are unknown, and what a store of several parts has stored. */
static void forget_faulting(struct cg_result *w, struct cg_result *g)
{
	struct a64_insn in;

	a64_decode(*(u32 *)w->pc, &in);
	if (in.op == A64_OP_LDP && in.rt != in.rn)
		g->s.x[in.rt] = w->s.x[in.rt];
	memcpy(g->mem, w->mem, sizeof(g->mem));
	if (g->s.pad == 0)
		g->s.nzcv = w->s.nzcv;
}

/* 0: equal, 1: different, -1: cannot be used. */
static int compare(const struct cg_seq *q)
{
	const char *d;

	cg_eval(&want, q);
	if (want.stop == CG_WILD || want.stop == CG_LONG || want.stop == CG_UNSUPPORTED)
		return -1;
	cg_run(&got, q);
	if (got.stop != want.stop || got.pc != want.pc) {
		snprintf(what, sizeof(what), "%s at %llx instead of %s at %llx (%s, host pc %llx, address %llx)",
			 stop_names[got.stop], (unsigned long long)got.pc, stop_names[want.stop], (unsigned long long)want.pc,
			 got.stop == CG_CRASH ? got.why : "", (unsigned long long)got.host_pc, (unsigned long long)got.addr);
		return 1;
	}
	if (want.stop == CG_FAULT)
		forget_faulting(&want, &got);
	d = cg_state_diff(&want.s, &got.s, true);
	if (d) {
		unsigned n = (unsigned)atoi(d + 1) & 31;

		snprintf(what, sizeof(what), "%s at the end: x %llx want %llx; v %016llx%016llx want %016llx%016llx; nzcv %x want %x; fpsr %llx want %llx",
			 d, (unsigned long long)got.s.x[n], (unsigned long long)want.s.x[n],
			 (unsigned long long)got.s.v[n].d[1], (unsigned long long)got.s.v[n].d[0],
			 (unsigned long long)want.s.v[n].d[1], (unsigned long long)want.s.v[n].d[0], got.s.nzcv >> 28,
			 want.s.nzcv >> 28, (unsigned long long)got.s.fpsr, (unsigned long long)want.s.fpsr);
		return 1;
	}
	for (unsigned k = 0; k < CG_WIN_SIZE; k++)
		if (want.mem[k] != got.mem[k]) {
			snprintf(what, sizeof(what), "memory at %llx: %02x want %02x", (unsigned long long)CG_WIN + k, got.mem[k], want.mem[k]);
			return 1;
		}
	return 0;
}

/* --- shrinking ------------------------------------------------------------------------------------------------------------------ */

#define NOP 0xd503201fu

static bool still(const struct cg_seq *q)
{
	return compare(q) == 1;
}

static bool has_branches(const struct cg_seq *q)
{
	for (unsigned k = 0; k < q->n; k++)
		if (kind_of_word(q->word[k]) == K_NONE)
			return true;
	return false;
}

static void shrink(struct cg_seq *q)
{
	static struct cg_seq t;
	bool changed = true;

	for (unsigned round = 0; changed && round < 6; round++) {
		changed = false;
		for (unsigned k = 0; k < q->n; k++) {
			if (q->word[k] == NOP)
				continue;
			t = *q;
			t.word[k] = NOP;
			if (still(&t)) {
				*q = t;
				changed = true;
			}
		}
	}
	for (unsigned k = q->n; k-- > 0 && !has_branches(q);) {
		t = *q;
		memmove(&t.word[k], &t.word[k + 1], (t.n - k - 1) * 4);
		t.n--;
		t.slow_mask = (t.slow_mask & ((1ull << k) - 1)) | (t.slow_mask >> 1 & ~((1ull << k) - 1));
		t.interp_mask = (t.interp_mask & ((1ull << k) - 1)) | (t.interp_mask >> 1 & ~((1ull << k) - 1));
		if (t.n && still(&t))
			*q = t;
	}
	for (unsigned k = 0; k < 6; k++) {	/* simpler circumstances */
		t = *q;
		if (k == 0)
			t.slow_mask = 0;
		if (k == 1)
			t.interp_mask = 0;
		if (k == 2)
			t.max_insns = 64;
		if (k == 3)
			t.single_step = false;
		if (k == 4)
			t.init.fpcr = 0;
		if (k == 5)
			t.tight = 0;
		if (still(&t))
			*q = t;
	}
}

/* --- reporting ---------------------------------------------------------------------------------------------------------------- */

static struct { char key[120]; unsigned count; } seen[256];
static unsigned nseen;

static void report(struct cg_seq *q, const char *class, unsigned long n, u64 seed)
{
	char key[120] = "", text[96], file[64];

	shrink(q);
	compare(q);
	for (unsigned k = 0; k < q->n; k++) {
		struct a64_insn in;

		if (q->word[k] == NOP)
			continue;
		a64_decode(q->word[k], &in);
		snprintf(key + strlen(key), sizeof(key) - strlen(key), "%s%s", *key ? " " : "", a64_op_name(in.op));
	}
	for (unsigned k = 0; k < nseen; k++)
		if (!strcmp(seen[k].key, key)) {
			seen[k].count++;
			return;
		}
	if (nseen == ARRAY_SIZE(seen))
		return;
	strcpy(seen[nseen].key, key);
	seen[nseen++].count = 1;
	if (nseen > show_max)
		return;
	printf("=== %s: sequence %lu (-s %llu): %s\n  max_insns %u tight %u strict_flags %d relative %d single_step %d slow %llx interp %llx fpcr %llx "
	       "nzcv %x\n", class, n, (unsigned long long)seed, what, q->max_insns, q->tight, q->strict_flags, q->relative, q->single_step,
	       (unsigned long long)q->slow_mask, (unsigned long long)q->interp_mask, (unsigned long long)q->init.fpcr,
	       q->init.nzcv >> 28);
	for (unsigned k = 0; k < q->n; k++) {
		if (q->word[k] == NOP)
			continue;
		a64_disasm(q->word[k], CG_CODE + 4 * k, text, sizeof(text));
		printf("  %2u %llx %08x  %s\n", k, (unsigned long long)CG_CODE + 4 * k, q->word[k], text);
	}
	for (unsigned k = 0; k < q->n; k++) {
		struct a64_insn in;

		a64_decode(q->word[k], &in);
		if (q->word[k] == NOP)
			continue;
		if (!verbose)
			continue;
		printf("  in %u: d x%u=%llx n x%u=%llx m x%u=%llx  vd %016llx%016llx vn %016llx%016llx vm %016llx%016llx\n", k,
		       in.rd, (unsigned long long)q->init.x[in.rd], in.rn, (unsigned long long)q->init.x[in.rn],
		       in.rm, (unsigned long long)q->init.x[in.rm],
		       (unsigned long long)q->init.v[in.rd].d[1], (unsigned long long)q->init.v[in.rd].d[0],
		       (unsigned long long)q->init.v[in.rn].d[1], (unsigned long long)q->init.v[in.rn].d[0],
		       (unsigned long long)q->init.v[in.rm].d[1], (unsigned long long)q->init.v[in.rm].d[0]);
	}
	snprintf(file, sizeof(file), "/tmp/codegen.%d.bin", (int)getpid());
	cg_dump(file);
	unlink(file);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool has_op(const struct cg_seq *q)
{
	struct a64_insn in;

	for (unsigned k = 0; only_op && k < q->n; k++) {
		a64_decode(q->word[k], &in);
		if (!strcmp(only_op, a64_op_name(in.op)))
			return true;
	}
	return !only_op;
}

int main(int argc, char **argv)
{
	static struct cg_seq q;
	unsigned long max = ~0ul, n = 0, used = 0, fails = 0;
	const char *class = NULL;
	double seconds = 15, end;
	u64 seed = 1;
	int o;

	while ((o = getopt(argc, argv, "t:n:s:c:m:p:xl:o:vr:")) != -1) {
		switch (o) {
		case 't': seconds = atof(optarg); break;
		case 'n': max = strtoul(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'c': class = optarg; break;
		case 'm': show_max = (unsigned)atoi(optarg); break;
		case 'p': only_profile = (unsigned)atoi(optarg); break;
		case 'v': verbose = true; break;
		case 'x': always_step = true; break;
		case 'l': max_len = (unsigned)atoi(optarg); break;
		case 'o': only_op = optarg; break;
		case 'r': relative = atoi(optarg); break;
		default: return 2;
		}
	}
	if (max_len < 1 || max_len > CG_MAX)
		max_len = 20;
	if (cg_run_init()) {
		printf("SKIP: no memory at the addresses that the sequences use\n");
		return 77;
	}
	sort_encodings();
	end = now() + seconds;
	for (; n < max && now() < end; n++) {
		const char *name = class ? class : classes[n % ARRAY_SIZE(classes)];
		u64 s = seed + n;
		int r;

		rng = s;
		if (!cg_run_class(name))
			continue;
		make_seq(&q, only_profile < ARRAY_SIZE(weights) ? only_profile : below(ARRAY_SIZE(weights)));
		if (!has_op(&q))
			continue;
		r = compare(&q);
		used += r >= 0;
		if (r > 0) {
			fails++;
			report(&q, name, n, s);
		}
	}
	for (unsigned k = 0; k < nseen; k++)
		printf("%5u x %s\n", seen[k].count, seen[k].key);
	printf("codegen: %lu sequences, %lu used, %lu failed (%u kinds)\n", n, used, fails, nseen);
	return fails != 0 || !used;
}
