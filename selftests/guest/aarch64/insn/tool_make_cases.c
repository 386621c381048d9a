// SPDX-License-Identifier: MIT
/*
 * Makes instruction cases for the encodings of insns.decode that have too few: random words and operands, the state
 * afterwards as qemu-aarch64 gives it (../diff/diff_guest.c, compiled for the addresses of libinsn.h).
 *
 *	tool_make_cases [-n CASES] [-s SEED] [-r RUNNER] DIFF_GUEST FOLDER
 *
 * In: FOLDER's *.case files, which count. Out: lines appended to FOLDER/{base,mem,simd,fp}.case. A case in which the evaluator
 * differs from qemu is reported and not written: one of them is wrong.
 *	aarch64-linux-gnu-gcc -O1 -static -DDIFF_CODE=0x60000000ull -DDIFF_WIN_END=0x60041000ull -o build/case_guest diff_guest.c
 */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIFF_CODE CG_CODE
#define DIFF_WIN_END (CG_WIN + CG_WIN_SIZE)
#include "../../../codegen/libcgrun.c"
#include "../diff/diff.h"
#include "libinsn.h"

static u64 rng = 1;
static unsigned covered[A64_ENC_COUNT], want_cases = 4, nmade, ndropped;
static int to_child, from_child;

static u64 rnd(void)
{
	return diff_rand(&rng);
}

/* --- what an instruction uses ------------------------------------------------------------------------------------ */

struct uses {
	u64 x, v;			/* slots read or written */
	bool flags, fp, mem, atomic, control, pcrel, trap, rt;
};

static struct uses uses_of(u32 word)
{
	struct uses u = { 0 };
	struct ir_region r;

	*(u32 *)CG_CODE = word;
	r = lift_one(CG_CODE);
	for (u32 k = 0; k < r.ninst; k++) {
		const struct ir_inst *i = &r.inst[k];
		u32 eff = ir_op_info[i->op].effects;

		if (i->op == IR_GET || i->op == IR_SET)
			u.x |= i->aux < 32 ? 1ull << i->aux : 0;
		if (i->op == IR_VGET || i->op == IR_VSET)
			u.v |= 1ull << (i->aux - A64_SLOT_V0);
		u.flags |= i->op == IR_FGET || i->op == IR_FSET;
		u.fp |= (eff & IR_E_FP) != 0;
		u.control |= (eff & (IR_E_TERM | IR_E_BR)) != 0;
		u.trap |= i->op == IR_TRAP;
		u.rt |= i->op == IR_RTCALL;
		u.pcrel |= i->op == IR_GADDR;
		if (!(eff & (IR_E_MR | IR_E_MW)) || i->op == IR_FENCE)
			continue;
		u.mem = true;
		u.atomic |= i->op >= IR_RMW || i->aux & ~(IR_MEM_SIZE | IR_MEM_SIGNED);
	}
	return u;
}

/* Constrained unpredictable, or registers that the guest's harness needs. */
static bool usable(const struct a64_insn *in, const struct uses *u)
{
	bool pair = in->op == A64_OP_LDP || in->op == A64_OP_LDPV || in->op == A64_OP_STP || in->op == A64_OP_STPV;

	if (u->control || u->trap || u->rt || (u->x >> 29 & 3) || in->op == A64_OP_SYS || in->op == A64_OP_HINT)
		return false;
	if (in->op == A64_OP_CASP && (in->rs >= 28 || in->rt >= 28))
		return false;
	if (!u->mem)
		return true;
	if (pair && in->rt == in->rt2)
		return false;
	if (in->wb && !(u->v) && (in->rt == in->rn || (pair && in->rt2 == in->rn)))
		return false;
	if ((in->op == A64_OP_LDR_r || in->op == A64_OP_STR_r || in->op == A64_OP_LDRV_r || in->op == A64_OP_STRV_r) &&
	    in->rm == in->rn)
		return false;
	if (in->op == A64_OP_LDXP && in->rt == in->rt2)
		return false;
	if (in->op == A64_OP_STXP && (in->rs == in->rt || in->rs == in->rn || in->rs == in->rt2))
		return false;
	return !(in->op == A64_OP_STXR && (in->rs == in->rt || in->rs == in->rn));
}

/* --- making a case ------------------------------------------------------------------------------------------------ */

static u64 fp_lanes(unsigned size)
{
	u64 v = 0;

	for (unsigned at = 0; at < 64; at += 8u << size)
		v |= diff_fp(&rng, 8u << size) << at;
	return v;
}

static void random_operands(struct insn_case *c, const struct a64_insn *in, const struct uses *u)
{
	struct a64_state *s = &c->in.s;
	unsigned size = in->size < 1 || in->size > 3 ? 3 : in->size;

	for (unsigned k = 0; k < 29; k++)
		if (u->x >> k & 1)
			s->x[k] = diff_int(&rng);
	for (unsigned k = 0; k < 32; k++) {
		if (!(u->v >> k & 1))
			continue;
		if (u->fp)
			s->v[k] = (v128){ .d = { fp_lanes(size), rnd() & 1 ? fp_lanes(size) : 0 } };
		else
			s->v[k] = (v128){ .d = { diff_vec(&rng), diff_vec(&rng) } };
	}
	if (u->flags)
		s->nzcv = (u32)(rnd() & 15) << 28;
	if (u->fp && rnd() % 3)
		s->fpcr = rnd() & A64_FPCR_MASK & (rnd() & 1 ? ~0ull : 3ull << A64_FPCR_RMODE_SHIFT);
	if (u->fp && !(rnd() & 3))
		s->fpsr = rnd() & A64_FPSR_MASK;
}

static void memory_operands(struct insn_case *c, const struct a64_insn *in, const struct uses *u)
{
	u64 to = INSN_MEM + rnd() % (INSN_WIN_SIZE - 64), off = in->wb == 1 ? 0 : (u64)in->imm;
	struct a64_state *s = &c->in.s;

	to = u->atomic ? to & ~15ull : rnd() & 1 ? to & ~7ull : to;
	if (u->pcrel) {
		c->word[0] = (c->word[0] & ~0xffffe0u) | (u32)(((to & ~3ull) - CG_CODE) >> 2 & 0x7ffff) << 5;
		return;
	}
	switch (in->op) {
	case A64_OP_LDR_r:
	case A64_OP_STR_r:
	case A64_OP_LDRV_r:
	case A64_OP_STRV_r:
		off = 0;
		if (in->rm != 31) {
			s->x[in->rm] = rnd() % 512 - 256;
			off = in->option & 1 ? s->x[in->rm] : in->option & 4 ? (u64)(s32)s->x[in->rm] : (u32)s->x[in->rm];
			off <<= in->amount;
		}
		break;
	case A64_OP_CAS:
	case A64_OP_CASP:
		if (rnd() & 1 && in->rs < 28 && in->rs + 1 != in->rn && in->rs != in->rn) {
			memcpy(&s->x[in->rs], c->in.mem + (to - INSN_MEM), 8);
			memcpy(&s->x[in->rs + 1], c->in.mem + (to - INSN_MEM) + 8, 8);
		}
		break;
	}
	s->x[in->rn] = to - off;
}

/* Before a store-exclusive, mostly, the load that belongs to it. */
static void before_exclusive(struct insn_case *c, const struct a64_insn *in)
{
	u32 reg = 0;

	if ((in->op != A64_OP_STXR && in->op != A64_OP_STXP) || !(rnd() & 3))
		return;
	while (reg == in->rs || reg == in->rn || reg == in->rt || reg == in->rt2)
		reg++;
	c->word[1] = c->word[0];
	c->word[0] = (in->word & ~0x1f801fu) | 0x5f0000 | reg;
	if (in->op == A64_OP_STXP)
		c->word[0] = (in->word & 0xffff03e0u & ~0x1f8000u) | 0x7f0000 | 31u << 10 | reg;
	c->n = 2;
}

/* --- the answer ----------------------------------------------------------------------------------------------------- */

static void move_all(int fd, void *buf, size_t len, bool out)
{
	for (char *p = buf; len;) {
		ssize_t n = out ? write(fd, p, len) : read(fd, p, len);

		if (n <= 0)
			fprintf(stderr, "the guest side ended\n"), exit(1);
		p += n;
		len -= (size_t)n;
	}
}

static void start_child(const char *runner, const char *guest)
{
	int in[2], out[2];
	char cmd[1024];

	if (pipe(in) || pipe(out))
		exit(1);
	if (!fork()) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		snprintf(cmd, sizeof(cmd), "exec %s %s", runner, guest);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_child = in[1];
	from_child = out[0];
}

/* False: it ended with a signal. */
static bool ask(struct insn_case *c)
{
	static struct diff_state st;
	struct diff_req q = { .word = { c->word[0], c->n > 1 ? c->word[1] : 0 }, .given = 1 };
	u32 count = 1;

	memset(&st, 0, sizeof(st));
	memcpy(st.x, c->in.s.x, sizeof(st.x));
	memcpy(st.v, c->in.s.v, sizeof(st.v));
	st.nzcv = c->in.s.nzcv;
	st.fpcr = (u32)c->in.s.fpcr;
	st.fpsr = (u32)c->in.s.fpsr;
	memcpy(st.mem, c->in.mem, sizeof(st.mem));
	move_all(to_child, &count, 4, true);
	move_all(to_child, &q, sizeof(q), true);
	move_all(to_child, &st, sizeof(st), true);
	move_all(from_child, &st, sizeof(st), false);
	c->out = c->in;
	for (unsigned k = 0; k < 32; k++)
		if (k != 29 && k != 30)
			c->out.s.x[k] = st.x[k];
	memcpy(c->out.s.v, st.v, sizeof(st.v));
	c->out.s.nzcv = st.nzcv;
	c->out.s.fpcr = st.fpcr & A64_FPCR_MASK;
	c->out.s.fpsr = st.fpsr & A64_FPSR_MASK;
	memcpy(c->out.mem, st.mem, sizeof(st.mem));
	return !st.sig;
}

static bool evaluator_agrees(const struct insn_case *c)
{
	static struct cg_seq q;
	static struct cg_result r;

	memset(&q, 0, sizeof(q));
	memcpy(q.word, c->word, sizeof(c->word));
	q.n = c->n;
	q.init = c->in.s;
	memcpy(q.mem + (INSN_MEM - CG_WIN), c->in.mem, INSN_WIN_SIZE);
	cg_eval(&r, &q);
	return r.stop == CG_SYSCALL && !cg_state_diff(&c->out.s, &r.s, true) &&
	       !memcmp(r.mem + (INSN_MEM - CG_WIN), c->out.mem, INSN_WIN_SIZE);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static void write_case(const struct insn_case *c, const struct uses *u, const char *dir)
{
	char path[600], text[2][96] = { "", "" }, in[2000], out[2000];
	static struct insn_state base;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.case", dir, u->mem ? "mem" : u->fp ? "fp" : u->v ? "simd" : "base");
	f = fopen(path, "a");
	if (!f)
		exit(1);
	insn_defaults(&base);
	insn_format(in, sizeof(in), &c->in, &base);
	insn_format(out, sizeof(out), &c->out, &c->in);
	for (unsigned k = 0; k < c->n; k++)
		a64_disasm(c->word[k], CG_CODE + 4 * k, text[k], sizeof(text[k]));
	fprintf(f, "%08x", c->word[0]);
	if (c->n > 1)
		fprintf(f, " %08x", c->word[1]);
	fprintf(f, " | %s%s%s | %s |%s%s\n", text[0], c->n > 1 ? "; " : "", text[1], in, *out ? " " : "", out);
	fclose(f);
	nmade++;
}

static bool make_case(unsigned enc, const char *dir)
{
	static struct insn_case c;
	u32 mask, value;
	enum a64_op op;

	a64_enc_bits(enc, &mask, &value, &op);
	for (unsigned tries = 0; tries < 400; tries++) {
		u32 word = value | ((u32)rnd() & ~mask);
		struct a64_insn in;
		struct uses u;

		if (a64_decode_enc(word, &in) != enc)
			continue;
		u = uses_of(word);
		if (!usable(&in, &u))
			continue;
		memset(&c, 0, sizeof(c));
		insn_defaults(&c.in);
		c.word[0] = word;
		c.n = 1;
		random_operands(&c, &in, &u);
		if (u.mem)
			memory_operands(&c, &in, &u);
		before_exclusive(&c, &in);
		if (!ask(&c))
			continue;
		if (!evaluator_agrees(&c)) {
			char text[96];

			a64_disasm(word, CG_CODE, text, sizeof(text));
			printf("differs from qemu: %08x %s\n", word, text);
			ndropped++;
			continue;
		}
		if (!memcmp(&c.in, &c.out, sizeof(c.in)) && tries < 300 && rnd() % 8)
			continue;	/* nothing to see */
		write_case(&c, &u, dir);
		for (unsigned k = 0; k < c.n; k++)
			covered[a64_decode_enc(c.word[k], &in)]++;
		return true;
	}
	return false;
}

static void count_file(const char *path)
{
	static char line[4096];
	static struct insn_case c;
	struct a64_insn in;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (line[0] != '#' && insn_parse(&c, line))
			for (unsigned k = 0; k < c.n; k++)
				covered[a64_decode_enc(c.word[k], &in)]++;
	if (f)
		fclose(f);
}

static void count_folder(const char *dir)
{
	struct dirent *e;
	char path[1024];
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)))
		if (strstr(e->d_name, ".case")) {
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			count_file(path);
		}
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	const char *runner = "qemu-aarch64";
	int o;

	while ((o = getopt(argc, argv, "n:s:r:")) != -1) {
		switch (o) {
		case 'n': want_cases = (unsigned)atoi(optarg); break;
		case 's': rng = strtoull(optarg, NULL, 0); break;
		case 'r': runner = optarg; break;
		default: return 2;
		}
	}
	if (argc - optind != 2 || cg_run_init())
		return 2;
	count_folder(argv[optind + 1]);
	start_child(runner, argv[optind]);
	for (unsigned e = 1; e < A64_ENC_COUNT; e++) {
		u32 mask, value;
		enum a64_op op;

		a64_enc_bits(e, &mask, &value, &op);
		while (covered[e] < want_cases + 2 * uses_of(value).fp)
			if (!make_case(e, argv[optind + 1])) {
				printf("no case for line %u, %s\n", e, a64_op_name(op));
				break;
			}
	}
	close(to_child);
	wait(NULL);
	printf("%u cases made, %u differ from qemu\n", nmade, ndropped);
	return 0;
}
