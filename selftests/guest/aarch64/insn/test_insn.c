// SPDX-License-Identifier: MIT
/*
 * Instruction cases (*.case beside this file; libinsn.c has the format), each by the evaluator and by translated code in every
 * class of CPU that this machine has ("host": with all of its features, as the runtime does); and the coverage of insns.decode by them.
 *
 * In:  the files, or those given. Out: each case that fails, with what is wrong; each line of insns.decode that has less than
 *      MIN_CASES cases; a summary. Status 1 if there is one of either.
 * Options: -v (coverage of every encoding), -c CLASS (only this one; "eval": none), -k (no coverage check)
 */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../codegen/libcgrun.c"
#include "guest/aarch64/flow.h"
#include "ir/ir.h"
#include "libinsn.h"

#define MIN_CASES 3
#define MAX_SHOWN 40

static const char *const classes[] = { "v2", "v3", "v4", "v4fp16", "host" };
static unsigned covered[A64_ENC_COUNT];
static unsigned ncase, nfail, nrun, class_runs[ARRAY_SIZE(classes)];
static const char *only_class;
static const char *file;
static unsigned line_no;

static void fail(const char *line, const char *where, const char *what)
{
	if (nfail++ < MAX_SHOWN)
		printf("%s:%u: %s: %s\n    %s", file, line_no, where, what, line);
}

/* --- what is lifted ---------------------------------------------------------------------------------------------- */

/* Words that flow() says to read flags though they do not: conditions that always hold, RMIF. */
static bool may_read_in_vain(u32 word)
{
	return (word & 0x1e00e000) == 0x1a00e000 || (word & 0xffe07c10) == 0xba000400;
}

/* How flow() and what was lifted must agree. */
static const char *check_flow(const struct ir_region *r, u64 pc, u32 word)
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
	return f.kind == GUEST_FLOW_NEXT ? NULL : "flow: next";
}

/* The IR of the case's instructions: sound, and ends and calls the runtime as the case says. */
static const char *check_lift(const struct insn_case *c)
{
	static char why[200];
	s64 rt = -1;

	for (unsigned k = 0; k < c->n; k++) {
		struct ir_region r = lift_one(CG_CODE + 4 * k);
		const struct ir_inst *last = &r.inst[r.ninst - 1];
		const char *bad;

		r.nblock = 0;
		if (r.overflow || ir_verify(&r, why, sizeof(why)))
			return r.overflow ? "lift: overflow" : why;
		bad = check_flow(&r, CG_CODE + 4 * k, c->word[k]);
		if (bad)
			return bad;
		for (u32 n = 0; n < r.ninst; n++)
			if (r.inst[n].op == IR_RTCALL)
				rt = r.inst[n].imm;
		if (last->op == IR_TRAP && (c->out.trap != last->cc || c->out.trap_imm != last->imm))
			return "lift: another trap";
		if (last->op == IR_SYSCALL && c->out.sys != last->imm)
			return "lift: another immediate of SVC";
	}
	return c->out.rt != -1 && rt != c->out.rt ? "lift: another call into the runtime" : NULL;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void make_seq(struct cg_seq *q, const struct insn_case *c)
{
	memset(q, 0, sizeof(*q));
	memcpy(q->word, c->word, sizeof(c->word));
	q->n = c->n;
	q->init = c->in.s;
	memcpy(q->mem + (INSN_MEM - CG_WIN), c->in.mem, INSN_WIN_SIZE);
	q->max_insns = 64;
	q->strict_flags = true;
}

/* Where and how the result stopped, against the case. */
static const char *check_stop(const struct insn_case *c, const struct cg_result *r, bool host)
{
	static char why[160];
	u64 pc = CG_CODE + 4 * c->n + 4;
	const struct insn_state *o = &c->out;

	snprintf(why, sizeof(why), "stopped (%d) at %lx %s", r->stop, r->pc, r->stop == CG_CRASH ? r->why : "");
	if (o->fault != -1) {
		/* the page's address is all that a wide access need give */
		if (host && r->stop == CG_FAULT && (r->addr ^ (u64)o->fault) >> 12 && r->addr != (u64)o->fault)
			return "another address of the fault";
		return r->stop == CG_FAULT || (!host && r->stop == CG_WILD) ? NULL : why;
	}
	if (o->trap != -1)
		return r->stop == CG_TRAP ? NULL : why;
	if (o->pc != -1)	/* zeros, which are undefined, or somewhere else */
		return (r->stop == CG_LEFT || r->stop == CG_TRAP) && r->pc == (u64)o->pc ? NULL : why;
	if (o->sys != -1)
		pc -= 4;
	return r->stop == CG_SYSCALL && r->pc == pc ? NULL : why;
}

/* After a fault translated code may have: destinations of a load half done, stores in part, flags that nobody reads. */
static void forget_faulting(const struct insn_case *c, struct cg_result *r)
{
	struct a64_insn in;

	a64_decode(c->word[c->n - 1], &in);
	if (in.op == A64_OP_LDP && in.rt != in.rn)
		r->s.x[in.rt] = c->out.s.x[in.rt];
	memcpy(r->mem + (INSN_MEM - CG_WIN), c->out.mem, INSN_WIN_SIZE);
	if (r->s.pad == 0)
		r->s.nzcv = c->out.s.nzcv;
}

static const char *check_state(const struct insn_case *c, struct cg_result *r, bool host)
{
	static char why[200];
	const struct a64_state *w = &c->out.s, *g = &r->s;
	const char *d;

	if (c->out.fault != -1 && host)
		forget_faulting(c, r);
	d = cg_state_diff(w, g, true);
	if (d) {
		unsigned n = (unsigned)atoi(d + 1) & 31;

		snprintf(why, sizeof(why), "%s: x %lx want %lx; v %lx:%lx want %lx:%lx; nzcv %x want %x; fpsr %lx want %lx; fpcr %lx want %lx",
			 d, g->x[n], w->x[n], g->v[n].d[1], g->v[n].d[0], w->v[n].d[1], w->v[n].d[0], g->nzcv >> 28,
			 w->nzcv >> 28, g->fpsr, w->fpsr, g->fpcr, w->fpcr);
		return why;
	}
	if (g->tpidr != w->tpidr)
		return "tpidr";
	for (unsigned k = 0; k < INSN_WIN_SIZE; k++)
		if (r->mem[INSN_MEM - CG_WIN + k] != c->out.mem[k]) {
			snprintf(why, sizeof(why), "memory byte %x: %02x want %02x", k, r->mem[INSN_MEM - CG_WIN + k], c->out.mem[k]);
			return why;
		}
	return NULL;
}

static void run_case(const struct insn_case *c, const char *line)
{
	static struct cg_seq q;
	static struct cg_result r;
	const char *bad;

	make_seq(&q, c);
	cg_words(&q);
	bad = check_lift(c);
	if (bad)
		fail(line, "lift", bad);
	cg_eval(&r, &q);
	bad = check_stop(c, &r, false);
	if (!bad)
		bad = check_state(c, &r, false);
	if (bad)
		fail(line, "evaluator", bad);
	for (unsigned k = 0; k < ARRAY_SIZE(classes); k++) {
		if ((only_class && strcmp(only_class, classes[k])) || !cg_run_class(classes[k]))
			continue;
		if (c->out.fault != -1 && (u64)c->out.fault - CG_ZONE >= CG_ZONE_SIZE)
			continue;		/* a place that may be mapped here */
		cg_run(&r, &q);
		bad = check_stop(c, &r, true);
		if (!bad)
			bad = check_state(c, &r, true);
		if (bad)
			fail(line, classes[k], bad);
		class_runs[k]++;
		nrun++;
	}
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void run_file(const char *path)
{
	static char line[4096];
	static struct insn_case c;
	struct a64_insn in;
	FILE *f = fopen(path, "r");

	if (!f) {
		printf("%s: cannot be opened\n", path);
		nfail++;
		return;
	}
	file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	for (line_no = 1; fgets(line, sizeof(line), f); line_no++) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		ncase++;
		if (!insn_parse(&c, line)) {
			fail(line, "case", "cannot be read");
			continue;
		}
		for (unsigned k = 0; k < c.n; k++)
			covered[a64_decode_enc(c.word[k], &in)]++;
		run_case(&c, line);
	}
	fclose(f);
}

static unsigned check_coverage(bool verbose)
{
	unsigned missing = 0;

	for (unsigned e = 1; e < A64_ENC_COUNT; e++) {
		u32 mask, value;
		enum a64_op op;
		char text[96];

		a64_enc_bits(e, &mask, &value, &op);
		if (covered[e] < MIN_CASES)
			missing++;
		else if (!verbose)
			continue;
		a64_disasm(value, 0, text, sizeof(text));
		printf("%s %-12s line %3u, mask %08x value %08x  %s: %u cases\n", covered[e] < MIN_CASES ? "MISSING" : "covered",
		       a64_op_name(op), e, mask, value, text, covered[e]);
	}
	return missing;
}

/* A pc that is not aligned: no case can have one. */
static void check_misaligned(void)
{
	struct ir_inst inst[4];
	struct ir_region r = { .inst = inst, .max_inst = 4 };
	u32 nop = 0xd503201f;
	unsigned len;

	if (a64_guest.lift(&r, CG_CODE + 2, &nop, &len) != GUEST_END || inst[1].op != IR_TRAP || inst[1].cc != IR_TRAP_ALIGN)
		fail("nop\n", "a misaligned pc", "does not trap");
}

static int is_case(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && !strcmp(d->d_name + n - 5, ".case");
}

static void run_folder(void)
{
	char dir[512], path[1024];
	struct dirent **list;
	int n;

	snprintf(dir, sizeof(dir), "%s", __FILE__);
	*strrchr(dir, '/') = 0;
	n = scandir(dir, &list, is_case, alphasort);
	for (int k = 0; k < n; k++) {
		snprintf(path, sizeof(path), "%s/%s", dir, list[k]->d_name);
		run_file(path);
	}
}

int main(int argc, char **argv)
{
	bool verbose = false, check = true;
	unsigned missing = 0;
	int o;

	while ((o = getopt(argc, argv, "vkc:")) != -1) {
		switch (o) {
		case 'v': verbose = true; break;
		case 'k': check = false; break;
		case 'c': only_class = optarg; break;
		default: return 2;
		}
	}
	if (cg_run_init()) {
		printf("SKIP: no memory at the addresses that the cases use\n");
		return 77;
	}
	check_misaligned();
	if (optind == argc)
		run_folder();
	for (; optind < argc; optind++)
		run_file(argv[optind]);
	if (check)
		missing = check_coverage(verbose);
	for (unsigned k = 0; k < ARRAY_SIZE(classes); k++)
		printf("%s: %u cases run as translated code\n", classes[k], class_runs[k]);
	printf("insn: %u cases, each evaluated; %u runs; %u failures; %u of %u encodings without %u cases\n", ncase, nrun, nfail,
	       missing, A64_ENC_COUNT - 1, MIN_CASES);
	return nfail || missing || !ncase;
}
