// SPDX-License-Identifier: MIT
/*
 * Single instructions, by decode, lift and evaluation, against an emulator.
 *
 * In:  for each line of insns.decode random instruction words (branches and system instructions excepted), with
 *      operands weighted towards edges and special FP values, random FPCR and flags; see diff.h.
 * Out: each kind of difference with its operands, a summary by operation, and exit status 1 if there is one;
 *      77: no qemu-aarch64, or no compiler for the guest side. Differences that stand in diff_known.def, with the
 *      reason, are counted and do not fail.
 * Options: -t SECONDS (default 20), -n WORDS of each encoding (default as many as the time allows), -s SEED,
 *      -o OP (this operation only), -m COUNT shown of each operation (3), -v (all operations in the summary),
 *      -w FILE (writes cases of each encoding for test_diff_golden.c),
 *      -g PROGRAM (diff_guest, built before), -r RUNNER ("qemu-aarch64", or a command of this project: its results are
 *      compared with the evaluator's, all the way through code generation; "" runs the program directly).
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libdiff.h"

#define SKIP 77

static struct diff_item items[DIFF_BATCH];
static struct diff_state answers[DIFF_BATCH];
static unsigned cases_of[A64_OP_COUNT], fails_of[A64_OP_COUNT], known_of[A64_OP_COUNT];
static unsigned unsupported_of[A64_OP_COUNT];
static const char *guest_prog, *runner = "qemu-aarch64", *only_op;
static unsigned show_max = 3, max_words = ~0u, seconds = 20;
static uint64_t rng = 1;
static bool verbose;
static FILE *golden;
static pid_t child;
static int to_child, from_child;

/* --- making requests ----------------------------------------------------------------------------- */

static u64 rnd(void)
{
	return diff_rand(&rng);
}

struct effects {
	bool mem, atomic, control, pcrel;
};

static struct effects effects_of(u32 word)
{
	struct effects e = { .control = diff_lift(DIFF_CODE, word) == GUEST_END };

	for (u32 i = 0; i < diff_region.ninst; i++) {
		const struct ir_inst *in = &diff_region.inst[i];
		u32 eff = ir_op_info[in->op].effects;

		if (eff & (IR_E_TERM | IR_E_BR) || in->op == IR_RTCALL)
			e.control = true;
		if (in->op == IR_GADDR)
			e.pcrel = true;
		if (!(eff & (IR_E_MR | IR_E_MW)) || in->op == IR_FENCE)
			continue;
		e.mem = true;
		if (in->op != IR_LOAD && in->op != IR_STORE && in->op != IR_VLOAD && in->op != IR_VSTORE &&
		    in->op != IR_VLOADL && in->op != IR_VSTOREL)
			e.atomic = true;
		else if (in->aux & ~(IR_MEM_SIZE | IR_MEM_SIGNED))
			e.atomic = true;
	}
	return e;
}

/* Where the access is to go: anywhere in the window, sometimes over its end. */
static u64 pick_target(bool atomic)
{
	u64 t = rnd() % 24 ? DIFF_WIN + rnd() % (DIFF_WIN_SIZE - 64) : DIFF_WIN_END - rnd() % 40;

	return atomic ? t & ~15ull : rnd() & 1 ? t & ~7ull : t;
}

static u64 extended(const struct a64_insn *in, u64 v)
{
	if (!(in->option & 1))
		v = in->option & 4 ? (u64)(s32)v : (u32)v;
	return v << in->amount;
}

/* Constrained unpredictable, or in the harness's way. */
static bool unusable(const struct a64_insn *in, const struct effects *e)
{
	bool pair = in->op == A64_OP_LDP || in->op == A64_OP_LDPV || in->op == A64_OP_STP || in->op == A64_OP_STPV;

	if (in->op == A64_OP_HINT)		/* PAC in the hint space changes x30 */
		return true;
	if (diff_harness_reg(in->rd) || diff_harness_reg(in->rn) || diff_harness_reg(in->rm) || diff_harness_reg(in->ra))
		return true;
	if (in->op == A64_OP_CASP && (in->rs >= 28 || in->rt >= 28))
		return true;
	if (!e->mem)
		return false;
	if (pair && in->rt == in->rt2)
		return true;
	if (in->wb && (in->rt == in->rn || (pair && in->rt2 == in->rn)))
		return true;
	switch (in->op) {
	case A64_OP_LDXP:
		return in->rt == in->rt2;
	case A64_OP_STXP:
		return in->rs == in->rt || in->rs == in->rn || in->rs == in->rt2;
	case A64_OP_STXR:
		return in->rs == in->rt || in->rs == in->rn;
	}
	return false;
}

static bool set_memory(struct diff_req *req, const struct a64_insn *in, const struct effects *e)
{
	bool pair = in->op == A64_OP_CASP || in->op == A64_OP_LDXP || in->op == A64_OP_STXP;
	/* Arm faults there; ours carries other atomics out wherever they are (docs/memory-model.md) */
	u64 target = pick_target(e->atomic && (pair || !diff_translator || rnd() % 8));

	req->base = in->rn;
	req->base_val = target - (in->wb == 1 ? 0 : (u64)in->imm);
	switch (in->op) {
	case A64_OP_LDR_r:
	case A64_OP_STR_r:
	case A64_OP_LDRV_r:
	case A64_OP_STRV_r:
		if (in->rm == in->rn)
			return false;
		req->base_val = target;
		if (in->rm != 31) {
			req->index = in->rm;
			req->index_val = rnd() % 512 - 256;
			if (in->option == 2)
				req->index_val &= 0xff;
			if (!(in->option & 1))
				req->index_val = (u32)req->index_val | rnd() << 32;
			req->base_val = target - extended(in, req->index_val);
		}
		break;
	case A64_OP_CAS:
	case A64_OP_CASP:
		if (rnd() & 1 && in->rs < 28 && in->rs + 1 != in->rn)
			req->copy = in->rs;
		break;
	}
	return true;
}

static u32 random_fpcr(void)
{
	u64 r = rnd();

	return r & 1 ? 0 : (u32)(r >> 8 & A64_FPCR_MASK & (r & 2 ? ~0ull : r >> 32));
}

/* --- requests of particular operations ----------------------------------------------------------- */

#define MARK 0xaa3c03fcu		/* mvn x28, x28: what a taken branch jumps over */

/* Branches go over the second word, or not. */
static bool set_branch(struct diff_item *it, u32 word, u64 slot)
{
	switch (it->in.op) {
	case A64_OP_B:
		word = (word & 0xfc000000) | 2;
		break;
	case A64_OP_B_cond:
	case A64_OP_CBZ:
	case A64_OP_CBNZ:
		word = (word & ~0xffffe0u) | 2 << 5;
		break;
	case A64_OP_TBZ:
	case A64_OP_TBNZ:
		word = (word & ~0x7ffe0u) | 2 << 5;
		break;
	case A64_OP_BR:
	case A64_OP_RET:
		if (it->in.rn == 31)
			return false;
		it->req.base = it->in.rn;
		it->req.base_val = DIFF_CODE + slot * DIFF_STUB + 8;
		break;
	default:
		return false;
	}
	it->req.word[0] = word;
	it->req.word[1] = MARK;
	return true;
}

/* MRS and MSR of the registers that a program may use freely. */
static bool set_system(struct diff_item *it, u32 word)
{
	static const u32 regs[] = { 0xda10, 0xda20, 0xda21 };	/* NZCV, FPCR, FPSR */

	it->req.word[0] = (word & ~0xfffe0u) | (regs[rnd() % 3] & 0x7fff) << 5;
	return true;
}

static bool set_control(struct diff_item *it, u32 word, u64 slot)
{
	bool ok;

	switch (it->in.op) {
	case A64_OP_MRS:
	case A64_OP_MSR_r:
		ok = set_system(it, word);
		break;
	default:
		ok = set_branch(it, word, slot);
	}
	if (ok)
		a64_decode(it->req.word[0], &it->in);
	return ok;
}

/* After an exclusive load the store that belongs to it, mostly. */
static void follow_exclusive(struct diff_item *it)
{
	u32 rs = (u32)rnd() % 28, rt = (u32)rnd() % 28;

	if (rnd() & 3 && rs != it->in.rn && rt != it->in.rn && rs != rt && rs != it->in.rt2)
		it->req.word[1] = (it->in.word & ~0x5f001fu) | rs << 16 | rt;
}

/* Any other instruction that has no need of memory. */
static void follow_any(struct diff_item *it)
{
	struct a64_insn in;
	struct effects e;
	enum a64_op op;
	u32 mask, value, word;

	a64_enc_bits(1 + (unsigned)(rnd() % (A64_ENC_COUNT - 1)), &mask, &value, &op);
	word = value | ((u32)rnd() & ~mask);
	if (only_op || a64_decode(word, &in) == A64_OP_UNDEF)
		return;
	e = effects_of(word);
	if (!e.control && !e.mem && !unusable(&in, &e))
		it->req.word[1] = word;
}

/* A random word of the encoding that can be tested, with its operands. */
static bool make_request(struct diff_item *it, unsigned enc, u64 slot)
{
	u32 mask, value;
	enum a64_op op;

	a64_enc_bits(enc, &mask, &value, &op);
	for (unsigned tries = 0; tries < 200; tries++) {
		u32 word = value | ((u32)rnd() & ~mask);
		struct effects e;

		if (a64_decode_enc(word, &it->in) != enc)
			continue;
		e = effects_of(word);
		if (e.pcrel && e.mem) {			/* a literal: bring it into the window */
			u64 off = (pick_target(false) & ~3ull) - (DIFF_CODE + slot * DIFF_STUB);

			word = (word & ~0xffffe0u) | (u32)(off >> 2 & 0x7ffff) << 5;
			a64_decode_enc(word, &it->in);
		}
		if (unusable(&it->in, &e))
			continue;
		it->req = (struct diff_req){ .word = { word, 0 }, .base = DIFF_NONE, .index = DIFF_NONE,
					     .copy = DIFF_NONE, .seed = rnd(), .fpcr = random_fpcr() };
		if (e.control || op == A64_OP_SYS || op == A64_OP_MRS || op == A64_OP_MSR_r) {
			if (set_control(it, word, slot))
				return true;
			continue;
		}
		if (e.mem && !e.pcrel && !set_memory(&it->req, &it->in, &e))
			continue;
		if (op == A64_OP_LDXR || op == A64_OP_LDXP)
			follow_exclusive(it);
		else if (!(rnd() & 7))
			follow_any(it);
		return true;
	}
	return false;
}

/* Lines of golden.def, for the first GOLDEN_EACH good cases of an encoding that change something. */
#define GOLDEN_EACH 2
static void record(const struct diff_item *it, u64 pc, const struct diff_state *want)
{
	static u8 done[A64_ENC_COUNT];
	const struct diff_req *q = &it->req;
	struct a64_insn in;
	unsigned enc = a64_decode_enc(q->word[0], &in);
	char text[96];

	if (!golden || done[enc] == GOLDEN_EACH || want->sig || q->word[1])
		return;
	if (diff_hash(want) == diff_hash(&it->init) && rnd() & 7)	/* (some never change anything) */
		return;
	done[enc]++;
	a64_disasm(q->word[0], pc, text, sizeof(text));
	fprintf(golden, "G(0x%08x, %u, %u, %u, %u, 0x%llx, 0x%llx, 0x%08x, 0x%llx, 0x%016llx, \"%s\")\n",
		q->word[0],
		(unsigned)((pc - DIFF_CODE) / DIFF_STUB), q->base, q->index, q->copy,
		(unsigned long long)q->base_val, (unsigned long long)q->index_val, q->fpcr,
		(unsigned long long)q->seed, (unsigned long long)diff_hash(want), text);
}

static void judge(const struct diff_item *it, u64 pc, const struct diff_state *want)
{
	unsigned op = it->in.op, what;

	cases_of[op]++;
	if (it->untested) {
		unsupported_of[op]++;
		return;
	}
	what = diff_compare(it, want);
	if (!what) {
		record(it, pc, want);
		return;
	}
	if (diff_is_known(it, want, what)) {
		known_of[op]++;
		return;
	}
	if (fails_of[op]++ < show_max)
		diff_report(it, pc, want, what);
}

/* --- the other side ------------------------------------------------------------------------------ */

static void move_all(int fd, void *buf, size_t len, bool out)
{
	char *p = buf;

	while (len) {
		ssize_t n = out ? write(fd, p, len) : read(fd, p, len);

		if (n <= 0) {
			int status = 0;

			waitpid(child, &status, 0);
			fprintf(stderr, "diff: the guest side ended (status %x)\n", status);
			exit(1);
		}
		p += n;
		len -= (size_t)n;
	}
}

static void start_child(void)
{
	int in[2], out[2];
	char cmd[1024];

	if (pipe(in) || pipe(out))
		exit(1);
	child = fork();
	if (!child) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		snprintf(cmd, sizeof(cmd), "exec %s %s", runner, guest_prog);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_child = in[1];
	from_child = out[0];
}

static bool have(const char *cmd)
{
	char buf[256];

	snprintf(buf, sizeof(buf), "command -v %.*s >/dev/null 2>&1", (int)strcspn(cmd, " "), cmd);
	return system(buf) == 0;
}

/* Compiles diff_guest beside this test's source, unless one was given. */
static void find_guest(char *tmp)
{
	const char *cc = getenv("GUEST_CC") ? getenv("GUEST_CC") : "aarch64-linux-gnu-gcc";
	char src[512], cmd[1200];
	char *slash;

	if (guest_prog)
		return;
	snprintf(src, sizeof(src), "%s", __FILE__);
	slash = strrchr(src, '/');
	snprintf(slash ? slash + 1 : src, 16, "diff_guest.c");
	if (access(src, R_OK) || !have(cc)) {
		printf("diff: SKIP: no %s, or not run from the top of the tree\n", cc);
		exit(SKIP);
	}
	if (!mkdtemp(tmp))
		exit(1);
	snprintf(cmd, sizeof(cmd), "%s -O1 -static -o %s/diff_guest %s", cc, tmp, src);
	if (system(cmd)) {
		fprintf(stderr, "diff: cannot compile %s\n", src);
		exit(1);
	}
	strcat(tmp, "/diff_guest");
	guest_prog = tmp;
}

static void clean(char *tmp)
{
	unlink(tmp);
	*strrchr(tmp, '/') = 0;
	rmdir(tmp);
}

static void run_batch(unsigned n)
{
	uint32_t count = n;

	move_all(to_child, &count, sizeof(count), true);
	for (unsigned i = 0; i < n; i++)
		move_all(to_child, &items[i].req, sizeof(items[i].req), true);
	for (unsigned i = 0; i < n; i++)
		diff_evaluate(&items[i], DIFF_CODE + i * DIFF_STUB);
	move_all(from_child, answers, n * sizeof(answers[0]), false);
	for (unsigned i = 0; i < n; i++)
		judge(&items[i], DIFF_CODE + i * DIFF_STUB, &answers[i]);
}

/* --- main ---------------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One word of every encoding after the other, so that a short run sees all. Returns the number of rounds. */
static unsigned run_all(void)
{
	static bool none[A64_ENC_COUNT];
	double end = now() + seconds;
	unsigned n = 0, round;

	for (round = 0; round < max_words && now() < end; round++) {
		for (unsigned enc = 1; enc < A64_ENC_COUNT; enc++) {
			u32 mask, value;
			enum a64_op op;

			a64_enc_bits(enc, &mask, &value, &op);
			if (none[enc] || (only_op && strcmp(only_op, a64_op_name(op))))
				continue;
			if (!make_request(&items[n], enc, n)) {
				none[enc] = round == 0;
				continue;
			}
			if (++n == DIFF_BATCH) {
				run_batch(n);
				n = 0;
			}
		}
	}
	if (n)
		run_batch(n);
	return round;
}

static int summary(unsigned rounds)
{
	unsigned long cases = 0, fails = 0, kn = 0, uns = 0, ops = 0, bad = 0;

	for (unsigned op = 1; op < A64_OP_COUNT; op++) {
		cases += cases_of[op];
		fails += fails_of[op];
		kn += known_of[op];
		uns += unsupported_of[op];
		ops += cases_of[op] != 0;
		bad += fails_of[op] != 0;
		if (fails_of[op] || unsupported_of[op] || (verbose && (cases_of[op] || !only_op)))
			printf("%-14s %7u cases %6u different %6u known %6u not evaluated\n", a64_op_name(op),
			       cases_of[op], fails_of[op], known_of[op], unsupported_of[op]);
	}
	printf("diff: %lu cases (%u rounds) of %lu operations: %lu different in %lu operations, %lu known, "
	       "%lu not evaluated\n", cases, rounds, ops, fails, bad, kn, uns);
	return fails || uns || !cases;
}

int main(int argc, char **argv)
{
	static char tmp[64] = "/tmp/diff-XXXXXX";
	bool own;
	int c, ret;

	while ((c = getopt(argc, argv, "t:n:s:o:m:w:vg:r:")) != -1) {
		switch (c) {
		case 't': seconds = (unsigned)atoi(optarg); break;
		case 'n': max_words = (unsigned)atoi(optarg); seconds = 1000000; break;
		case 's': rng = strtoull(optarg, NULL, 0); break;
		case 'o': only_op = optarg; break;
		case 'm': show_max = (unsigned)atoi(optarg); break;
		case 'w': golden = fopen(optarg, "w"); break;
		case 'v': verbose = true; break;
		case 'g': guest_prog = optarg; break;
		case 'r': runner = optarg; break;
		default: return 2;
		}
	}
	if (*runner && !have(runner)) {
		printf("diff: SKIP: no %s\n", runner);
		return SKIP;
	}
	diff_translator = strncmp(runner, "qemu", 4) != 0;
	own = !guest_prog;
	find_guest(tmp);
	signal(SIGPIPE, SIG_IGN);
	start_child();
	ret = summary(run_all());
	if (golden)
		fclose(golden);
	close(to_child);
	waitpid(child, NULL, 0);
	if (own)
		clean(tmp);
	return ret;
}
