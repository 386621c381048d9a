// SPDX-License-Identifier: MIT
/*
 * Arm's memory model as programs see it (docs/memory-model.md): an aarch64 program.
 *
 * In:  arguments: seconds for each test (default 1), then words: only tests whose name has one of them.
 * Out: KTAP. A test whose outcome Arm forbids fails when it is seen once; where Arm allows it, it is only counted. The
 *      tests are those of the literature, named as there: SB store buffering, MP message passing, LB load buffering,
 *      2+2W, IRIW independent reads of independent writes, R, S.
 */
#include "litmus.h"

#define STR(a, v) __asm__ volatile("str %0, [%1]" : : "r"((u64)(v)), "r"(a) : "memory")
#define LDR(r, a) __asm__ volatile("ldr %0, [%1]" : "=r"(r) : "r"(a) : "memory")
#define STLR(a, v) __asm__ volatile("stlr %0, [%1]" : : "r"((u64)(v)), "r"(a) : "memory")
#define LDAR(r, a) __asm__ volatile("ldar %0, [%1]" : "=r"(r) : "r"(a) : "memory")
#define DMB(kind) __asm__ volatile("dmb " #kind : : : "memory")
#define PART(name) static void name(struct places *p, struct seen *s)
#define OUTCOME(name, condition) \
	static int name(const struct places *p, const struct seen *s) { (void)p; (void)s; return condition; }

/* A read-modify-write, unordered, whose result nobody uses: does not order on Arm, does on x86. */
#define LDADD_RELAXED(a) __asm__ volatile("ldadd %0, xzr, [%1]" : : "r"(0ul), "r"(a) : "memory")
#define SWPAL(r, a, v) __asm__ volatile("swpal %1, %0, [%2]" : "=r"(r) : "r"((u64)(v)), "r"(a) : "memory")
#define LDAPR(r, a) __asm__ volatile("ldapr %0, [%1]" : "=r"(r) : "r"(a) : "memory")

/* --- SB: each stores and then loads what the other one stores; both may not miss it --------------------------------- */

PART(sb_plain_0) { STR(&p->x, 1); LDR(s->r[0], &p->y); }
PART(sb_plain_1) { STR(&p->y, 1); LDR(s->r[1], &p->x); }
PART(sb_ra_0) { STLR(&p->x, 1); LDAR(s->r[0], &p->y); }
PART(sb_ra_1) { STLR(&p->y, 1); LDAR(s->r[1], &p->x); }
PART(sb_rapc_0) { STLR(&p->x, 1); LDAPR(s->r[0], &p->y); }
PART(sb_rapc_1) { STLR(&p->y, 1); LDAPR(s->r[1], &p->x); }
PART(sb_dmb_0) { STR(&p->x, 1); DMB(ish); LDR(s->r[0], &p->y); }
PART(sb_dmb_1) { STR(&p->y, 1); DMB(ish); LDR(s->r[1], &p->x); }
PART(sb_dmbst_0) { STR(&p->x, 1); DMB(ishst); LDR(s->r[0], &p->y); }
PART(sb_dmbst_1) { STR(&p->y, 1); DMB(ishst); LDR(s->r[1], &p->x); }
PART(sb_swp_0) { u64 t; SWPAL(t, &p->x, 1); LDAR(s->r[0], &p->y); }
PART(sb_swp_1) { u64 t; SWPAL(t, &p->y, 1); LDAR(s->r[1], &p->x); }
OUTCOME(both_zero, s->r[0] == 0 && s->r[1] == 0)

/* The same with bytes, halfwords and words, and with the store-release of an exclusive. */
#define SB_SIZED(size, reg) \
	PART(sb_##size##_0) { u32 t; __asm__ volatile("stlr" #size " %w1, [%2]\n\tldar" #size " %w0, [%3]" : "=&r"(t) : \
			      "r"(1), "r"(&p->x), "r"(&p->y) : "memory"); s->r[0] = t; } \
	PART(sb_##size##_1) { u32 t; __asm__ volatile("stlr" #size " %w1, [%2]\n\tldar" #size " %w0, [%3]" : "=&r"(t) : \
			      "r"(1), "r"(&p->y), "r"(&p->x) : "memory"); s->r[1] = t; }
SB_SIZED(b, w)
SB_SIZED(h, w)

PART(sb_stlxr_0)
{
	u64 t;
	u32 f;

	__asm__ volatile("1: ldxr %0, [%3]\n\tstlxr %w1, %2, [%3]\n\tcbnz %w1, 1b" : "=&r"(t), "=&r"(f) : "r"(1ul), "r"(&p->x) : "memory");
	LDAR(s->r[0], &p->y);
}

PART(sb_stlxr_1)
{
	u64 t;
	u32 f;

	__asm__ volatile("1: ldxr %0, [%3]\n\tstlxr %w1, %2, [%3]\n\tcbnz %w1, 1b" : "=&r"(t), "=&r"(f) : "r"(1ul), "r"(&p->y) : "memory");
	LDAR(s->r[1], &p->x);
}

/* --- MP: who sees the flag sees the data ----------------------------------------------------------------------------- */

PART(mp_plain_w) { (void)s; STR(&p->x, 1); STR(&p->y, 1); }
PART(mp_plain_r) { LDR(s->r[0], &p->y); LDR(s->r[1], &p->x); }
PART(mp_rel_w) { (void)s; STR(&p->x, 1); STLR(&p->y, 1); }
PART(mp_acq_r) { LDAR(s->r[0], &p->y); LDR(s->r[1], &p->x); }
PART(mp_acqpc_r) { LDAPR(s->r[0], &p->y); LDR(s->r[1], &p->x); }
PART(mp_dmb_w) { (void)s; STR(&p->x, 1); DMB(ishst); STR(&p->y, 1); }
PART(mp_dmb_r) { LDR(s->r[0], &p->y); DMB(ishld); LDR(s->r[1], &p->x); }
PART(mp_add_w) { (void)s; STR(&p->x, 1); __asm__ volatile("ldaddl %0, xzr, [%1]" : : "r"(1ul), "r"(&p->y) : "memory"); }
PART(mp_cas_r)
{
	u64 t = 1;

	__asm__ volatile("casa %0, %1, [%2]" : "+r"(t) : "r"(2ul), "r"(&p->y) : "memory");
	s->r[0] = t;
	LDR(s->r[1], &p->x);
}
OUTCOME(stale_data, s->r[0] == 1 && s->r[1] == 0)

/* --- LB: loads before stores: both may not see the other one's later store ------------------------------------------- */

PART(lb_plain_0) { LDR(s->r[0], &p->x); STR(&p->y, 1); }
PART(lb_plain_1) { LDR(s->r[1], &p->y); STR(&p->x, 1); }
PART(lb_ra_0) { LDAR(s->r[0], &p->x); STR(&p->y, 1); }
PART(lb_ra_1) { LDR(s->r[1], &p->y); STLR(&p->x, 1); }
OUTCOME(both_one, s->r[0] == 1 && s->r[1] == 1)

/* --- 2+2W: the last values may not both be the earlier stores ---------------------------------------------------------- */

PART(w22_rel_0) { (void)s; STLR(&p->x, 1); STLR(&p->y, 2); }
PART(w22_rel_1) { (void)s; STLR(&p->y, 1); STLR(&p->x, 2); }
PART(w22_dmb_0) { (void)s; STR(&p->x, 1); DMB(ishst); STR(&p->y, 2); }
PART(w22_dmb_1) { (void)s; STR(&p->y, 1); DMB(ishst); STR(&p->x, 2); }
OUTCOME(first_stores_last, p->x == 1 && p->y == 1)

/* --- R and S -------------------------------------------------------------------------------------------------------------- */

PART(r_0) { (void)s; STR(&p->x, 1); DMB(ish); STR(&p->y, 1); }
PART(r_1) { STR(&p->y, 2); DMB(ish); LDR(s->r[0], &p->x); }
OUTCOME(r_outcome, p->y == 2 && s->r[0] == 0)
PART(r_ra_0) { (void)s; STLR(&p->x, 1); STLR(&p->y, 1); }
PART(r_ra_1) { STLR(&p->y, 2); LDAR(s->r[0], &p->x); }
PART(s_0) { (void)s; STR(&p->x, 2); STLR(&p->y, 1); }
PART(s_1) { LDAR(s->r[0], &p->y); STR(&p->x, 1); }
OUTCOME(s_outcome, p->x == 2 && s->r[0] == 1)

/* --- IRIW: two readers agree on the order of two writers ------------------------------------------------------------------- */

PART(iriw_w0) { (void)s; STLR(&p->x, 1); }
PART(iriw_w1) { (void)s; STLR(&p->y, 1); }
PART(iriw_r0) { LDAR(s->r[0], &p->x); LDAR(s->r[1], &p->y); }
PART(iriw_r1) { LDAR(s->r[2], &p->y); LDAR(s->r[3], &p->x); }
PART(iriw_dmb_r0) { LDR(s->r[0], &p->x); DMB(ish); LDR(s->r[1], &p->y); }
PART(iriw_dmb_r1) { LDR(s->r[2], &p->y); DMB(ish); LDR(s->r[3], &p->x); }
OUTCOME(disagree, s->r[0] == 1 && s->r[1] == 0 && s->r[2] == 1 && s->r[3] == 0)

static const struct litmus tests[] = {
	{ "SB", 2, { sb_plain_0, sb_plain_1 }, both_zero, 1 },
	{ "SB+stlr+ldar", 2, { sb_ra_0, sb_ra_1 }, both_zero, 0 },
	{ "SB+stlrb+ldarb", 2, { sb_b_0, sb_b_1 }, both_zero, 0 },
	{ "SB+stlrh+ldarh", 2, { sb_h_0, sb_h_1 }, both_zero, 0 },
	{ "SB+stlxr+ldar", 2, { sb_stlxr_0, sb_stlxr_1 }, both_zero, 0 },
	{ "SB+swpal+ldar", 2, { sb_swp_0, sb_swp_1 }, both_zero, 0 },
	{ "SB+stlr+ldapr", 2, { sb_rapc_0, sb_rapc_1 }, both_zero, 1 },
	{ "SB+dmb", 2, { sb_dmb_0, sb_dmb_1 }, both_zero, 0 },
	{ "SB+dmb.st", 2, { sb_dmbst_0, sb_dmbst_1 }, both_zero, 1 },
	{ "MP", 2, { mp_plain_w, mp_plain_r }, stale_data, 1 },
	{ "MP+stlr+ldar", 2, { mp_rel_w, mp_acq_r }, stale_data, 0 },
	{ "MP+stlr+ldapr", 2, { mp_rel_w, mp_acqpc_r }, stale_data, 0 },
	{ "MP+dmb.st+dmb.ld", 2, { mp_dmb_w, mp_dmb_r }, stale_data, 0 },
	{ "MP+ldaddl+ldar", 2, { mp_add_w, mp_acq_r }, stale_data, 0 },
	{ "MP+stlr+casa", 2, { mp_rel_w, mp_cas_r }, stale_data, 0 },
	{ "LB", 2, { lb_plain_0, lb_plain_1 }, both_one, 1 },
	{ "LB+ldar+stlr", 2, { lb_ra_0, lb_ra_1 }, both_one, 0 },
	{ "2+2W+stlr", 2, { w22_rel_0, w22_rel_1 }, first_stores_last, 0 },
	{ "2+2W+dmb.st", 2, { w22_dmb_0, w22_dmb_1 }, first_stores_last, 0 },
	{ "R+dmb", 2, { r_0, r_1 }, r_outcome, 0 },
	{ "R+stlr+ldar", 2, { r_ra_0, r_ra_1 }, r_outcome, 0 },
	{ "S+stlr+ldar", 2, { s_0, s_1 }, s_outcome, 0 },
	{ "IRIW+stlr+ldar", 4, { iriw_w0, iriw_w1, iriw_r0, iriw_r1 }, disagree, 0 },
	{ "IRIW+stlr+dmb", 4, { iriw_w0, iriw_w1, iriw_dmb_r0, iriw_dmb_r1 }, disagree, 0 },
};

#define NTESTS (sizeof(tests) / sizeof(tests[0]))

static int wanted(const char *name, int argc, char **argv)
{
	for (int k = 2; k < argc; k++)
		if (strstr(name, argv[k]))
			return 1;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	unsigned n = 0, bad = 0;

	for (unsigned k = 0; k < NTESTS; k++) {
		const struct litmus *t = &tests[k];
		u64 runs, hits;
		int ok;

		if (!wanted(t->name, argc, argv))
			continue;
		hits = litmus_run(t, seconds, &runs);
		ok = t->allowed || !hits;
		bad += !ok;
		printf("%sok %u %s: %lu of %lu%s\n", ok ? "" : "not ", ++n, t->name, hits, runs, t->allowed ? " (allowed)" : "");
		fflush(stdout);
	}
	printf("1..%u\n", n);
	return bad != 0;
}
