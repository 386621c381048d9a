// SPDX-License-Identifier: MIT
/*
 * Vector instruction selection against the evaluator. For each operation, element size, width and host class that this CPU has:
 * code is made with random registers, run on random and special operands with invalid operation unmasked, and compared. A trap
 * must leave all registers and raise no flag that the evaluator does not raise. Arguments: [seed] [operation].
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "codegen/host.h"
#include "host/x64/emit_vec.h"
#include "host/x64/vec.h"
#include "ir/eval.h"

struct tctx {
	v128 regs[32], after[32], save[32], hop[4];
	u64 gpr_in, gpr_out, gprs[2];
	u32 mxcsr_in, mxcsr_out;
	u32 qc, flags_out;
	u64 helper_fn;
	u32 helper_uses;
	struct ir_vop_args op;
	struct ir_fpenv env;
};
#define OFF(m) ((s32)offsetof(struct tctx, m))

#define HOT_SIZE 65536
#define FLAGS_IN 0x8d5u
#define GPR_MARK 0x1234567u
static u8 *mem;
static struct x64_buf hot, cold, *const poolb = &(struct x64_buf){ 0 };
static struct x64_vec_ctx X;
static u8 *cold_jump;
static struct tctx *T;
static sigjmp_buf jb;
static u64 seed = 1;
static unsigned long runs, traps, odd_traps, fails, helpers;
static unsigned nregs, longest, longest_op;

static u64 rnd64(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

static unsigned rnd(unsigned n)
{
	return (unsigned)(rnd64() >> 20) % n;
}

/* --- what x64_vec() asks of the code generator ------------------------------------------------ */
static const u8 *pool(struct x64_vec_ctx *x, u64 lo, u64 hi)
{
	const u8 *p = poolb->p;

	(void)x;
	x64_q(poolb, lo);
	x64_q(poolb, hi);
	return p;
}

static void cold_begin(struct x64_vec_ctx *x, enum x64_cond cc)
{
	cold_jump = x64_jcc32(&hot, cc);
	x64_patch32(cold_jump, cold.p);
	x->b = &cold;
}

static void cold_end(struct x64_vec_ctx *x)
{
	u8 *j = x64_jmp32(&cold);

	x64_patch32(j, cold_jump + 4);
	x->b = &hot;
}

static void set_qc(struct x64_vec_ctx *x)
{
	x64_alu_mi(x->b, X64_OR, 0, x64_m(RBP, OFF(qc)), 1);
}

static void helper_c(struct tctx *t)
{
	t->helper_uses++;
	if (!ir_eval_vop(&t->op, &t->hop[0], &t->hop[1], &t->hop[2], &t->hop[3], &t->env))
		abort();
}

static void helper(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned c)
{
	(void)i;
	x64_vec_store(x, 16, a, x64_m(RBP, OFF(hop[1])));
	x64_vec_store(x, 16, b, x64_m(RBP, OFF(hop[2])));
	x64_vec_store(x, 16, c, x64_m(RBP, OFF(hop[3])));
	for (unsigned k = 0; k < nregs; k++)
		x64_vec_store(x, 16, k, x64_m(RBP, OFF(save[k])));
	x64_mov(x->b, 1, RDI, RBP);
	x64_call_m(x->b, x64_m(RBP, OFF(helper_fn)));
	for (unsigned k = 0; k < nregs; k++)
		x64_vec_load(x, 16, k, x64_m(RBP, OFF(save[k])));
	x64_vec_load(x, 16, d, x64_m(RBP, OFF(hop[0])));
}

static u32 trap_mxcsr;
static bool trap_changed;

static void on_fpe(int sig, siginfo_t *si, void *uc_)
{
	ucontext_t *uc = uc_;

	(void)sig, (void)si;
	trap_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
	trap_changed = false;
	for (unsigned k = 0; k < 14; k++)
		if (memcmp(&uc->uc_mcontext.fpregs->_xmm[k], &T->regs[k], 16))
			trap_changed = true;
	siglongjmp(jb, 1);
}

/* --- making instructions ---------------------------------------------------------------------- */
static bool in(unsigned op, unsigned lo, unsigned hi)
{
	return op >= lo && op <= hi;
}

static bool is_narrow(unsigned op)
{
	return in(op, IR_VNSHR, IR_VNRSUBH) || op == IR_FCVTN || op == IR_FCVTXN;
}

static bool is_widen(unsigned op)
{
	return in(op, IR_VLSXT, IR_VLUABD) || op == IR_FCVTL;
}

static bool is_across(unsigned op)
{
	return in(op, IR_VADDV, IR_VUMINV) || in(op, IR_FMAXV, IR_FMINNMV);
}

/* Does the combination exist? */
static bool width_ok(unsigned op, unsigned esz, unsigned width)
{
	if (op == IR_VMOV)
		return true;
	if (op == IR_ITOFG || op == IR_FCVT || op == IR_SHA1H || op == IR_FNMUL || op == IR_FRECPX)
		return width == IR_WS;
	if (op == IR_FCADD || op == IR_FCMLA)
		return width == IR_W128 || (width == IR_W64 && esz != IR_D);
	if (in(op, IR_AESE, IR_SHA256SU1) || op == IR_VINS || op == IR_VINSL)
		return width == IR_W128;
	if (is_across(op))
		return width == IR_WS;
	if (op == IR_VLSQDMUL)
		return width != IR_W64;
	if (is_widen(op))
		return width == IR_W128;
	if (op == IR_FCVTN || op == IR_FCVTXN)
		return width != IR_WS || op == IR_FCVTXN;
	if (width == IR_W64 && esz == IR_D)
		return false;
	if (op == IR_VADDP)
		return width != IR_WS || esz == IR_D;
	if (in(op, IR_VSMAXP, IR_VUADDLP) || in(op, IR_VEXT, IR_VTBX) || op == IR_VREV)
		return width != IR_WS;
	if (in(op, IR_VAND, IR_VBSL))
		return width != IR_WS;
	return true;
}

static s64 gen_imm(const struct ir_inst *i)
{
	unsigned bits = 8u << i->esz, op = i->op;

	if (op == IR_VDUPL || op == IR_VINS || op == IR_VEXTU || op == IR_VEXTS)
		return rnd(16 >> i->esz);
	if (op == IR_VINSL)
		return rnd(16 >> i->esz) | rnd(16 >> i->esz) << 4;
	if (op == IR_VREV)
		return 2 << i->esz << rnd(3 - i->esz);
	if (in(op, IR_VSHL, IR_VSHL) || op == IR_VSLI || in(op, IR_VSQSHLI, IR_VSQSHLUI))
		return rnd(bits);
	if (in(op, IR_VUSHR, IR_VSRSHR) || op == IR_VSRI)
		return 1 + rnd(bits);
	if (is_widen(op))
		return i->width == IR_WS ? 0 : rnd(2);
	if (in(op, IR_VNADDH, IR_VNRSUBH) || op == IR_FCVTN || op == IR_FCVTXN)
		return i->width == IR_W128 ? IR_HIGH : 0;
	if (is_narrow(op)) {
		bool may0 = op == IR_VNSHR || op == IR_VNSQS || op == IR_VNUQS || op == IR_VNSQU;

		return (may0 ? rnd(bits + 1) : 1 + rnd(bits)) | (i->width == IR_W128 ? IR_HIGH : 0);
	}
	if (is_across(op))
		return i->esz == IR_S ? (in(op, IR_FMAXV, IR_FMINNMV) && rnd(2) ? IR_W64 : IR_W128) : rnd(2) ? IR_W64 : IR_W128;
	if (op == IR_VEXT)
		return rnd(i->width == IR_W64 ? 8 : 16);
	if (op == IR_VTBL || op == IR_VTBX)
		return rnd(4) * 16;
	if (op == IR_FMA)
		return rnd(4);
	if (op == IR_FRINT)
		return rnd(7);
	if (op == IR_FCVT)
		return (i->esz + 1 + rnd(2) - IR_H) % 3 + IR_H;
	if (op == IR_FTOI || op == IR_FTOIG) {
		u64 uns = rnd(2) ? IR_UNSIGNED : 0;
		unsigned gbits = op == IR_FTOIG ? (i->type == IR_I64 ? 64 : 32) : bits;

		return (s64)(uns | (rnd(2) ? rnd(5) : IR_RZ | (1 + rnd(gbits)) << 8));
	}
	if (op == IR_ITOF || op == IR_ITOFG) {
		unsigned gbits = op == IR_ITOFG ? (i->type == IR_I64 ? 64 : 32) : bits;

		return (s64)((rnd(2) ? IR_UNSIGNED : 0) | (rnd(2) ? 0 : rnd(gbits + 1) << 8));
	}
	if (op == IR_FCADD)
		return rnd(2) ? 1 : 3;
	if (op == IR_FCMLA)
		return rnd(4);
	return 0;
}

/* --- operands --------------------------------------------------------------------------------- */
static u64 fp_special(unsigned esz)
{
	unsigned mb = esz == IR_H ? 10 : esz == IR_S ? 23 : 52, eb = esz == IR_H ? 5 : esz == IR_S ? 8 : 11;
	u64 man = (1ull << mb) - 1, emax = (1ull << eb) - 1, bias = emax >> 1, v;

	switch (rnd(16)) {
	case 0: v = 0; break;
	case 1: v = emax << mb; break;
	case 2: v = emax << mb | 1ull << (mb - 1) | (rnd64() & man); break;
	case 3: v = rnd(3) ? rnd64() & man : emax << mb | (1 + (rnd64() & (man >> 1))); break;
	case 4: v = (emax - 1) << mb | man; break;
	case 5: v = 1ull << mb; break;
	case 6: v = bias << mb; break;
	case 7: v = (bias - 1) << mb | (rnd(2) ? 0 : man); break;
	case 8: v = (bias + rnd(70) % (emax - bias)) << mb | (rnd(2) ? 0 : rnd(2) ? man : rnd64() & man); break;
	case 9: v = (bias + (rnd(2) ? 31 : 63) % (emax - bias)) << mb; break;
	case 10: v = (bias + 1) << mb | 1ull << (mb - 1 - rnd(3)); break;
	default: v = (bias + rnd(8) - 4) << mb | (rnd64() & man); break;
	}
	return v | (u64)rnd(2) << (mb + eb);
}

static void gen_lane(v128 *v, unsigned esz, unsigned k, bool fp)
{
	static const u64 ints[] = { 0, 1, ~0ull, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff, 0x80000000u, 0x7fffffffffffffffull,
				    0x8000000000000000ull, 0xff, 0xffff, 0xffffffffu, 0x81, 0xfe };
	u64 r = rnd64();

	if (fp && rnd(8))
		r = fp_special(esz);
	else if (rnd(4) == 0)
		r = ints[rnd(ARRAY_SIZE(ints))];
	else if (rnd(4) == 0)
		r = (u64)(s64)((int)rnd(40) - 20);
	memcpy(&v->b[k << esz], &r, 1u << esz);
}

static v128 gen_vec(unsigned esz, bool fp)
{
	v128 v;
	bool calm = rnd(2);

	esz = MIN(esz, IR_D);
	for (unsigned k = 0; k < 16u >> esz; k++) {
		gen_lane(&v, esz, k, fp);
		if (calm && fp && esz >= IR_S) {	/* no NaN, moderate exponents: most packed tests should not trap */
			if (esz == IR_S)
				v.s[k] = (v.s[k] & 0x87ffffffu) | (0x3c000000u);
			else
				v.d[k] = (v.d[k] & 0x80ffffffffffffffull) | 0x3f00000000000000ull;
		}
	}
	return v;
}

static void clear_above(v128 *v, const struct ir_inst *i)
{
	unsigned n = i->width == IR_WS ? 1u << i->esz : 8;

	memset(&v->b[n], 0, 16 - n);
}

/* --- one test --------------------------------------------------------------------------------- */
struct regs {
	unsigned d, a, b, c;
};

static unsigned pick(u64 features)
{
	unsigned r;

	do {
		r = rnd(features & HOST_AVX512 ? 32 : 16);
	} while (r == X64_VT0 || r == X64_VT1);
	return r;
}

static struct regs pick_regs(u64 f)
{
	struct regs r = { pick(f), pick(f), pick(f), pick(f) };

	if (!rnd(4))
		r.b = r.a;
	if (!rnd(4))
		r.c = r.a;
	if (!rnd(6))
		r.c = r.b;
	switch (rnd(6)) {
	case 0: case 1: r.d = r.a; break;
	case 2: r.d = r.b; break;
	case 3: r.d = r.c; break;
	}
	return r;
}

static bool to_gpr(unsigned op)
{
	return op == IR_VEXTU || op == IR_VEXTS || op == IR_FTOIG || op == IR_FL_FCMP;
}

static bool from_gpr(unsigned op)
{
	return op == IR_VDUP || op == IR_VINS || op == IR_ITOFG;
}

/* Code around a test: a function of T that loads all registers, and stores them. */
static void begin(void)
{
	struct x64_mem m = x64_m(RBP, OFF(mxcsr_in));

	hot.p = mem;
	cold.p = mem + HOT_SIZE;
	poolb->p = mem + 2 * HOT_SIZE;
	X.b = &hot;
	x64_b(&hot, 0x55), x64_b(&hot, 0x53), x64_b(&hot, 0x41), x64_b(&hot, 0x54);
	x64_mov(&hot, 1, RBP, RDI);
	for (unsigned k = 0; k < nregs; k++)
		x64_vec_load(&X, 16, k, x64_m(RBP, OFF(regs[k])));
	x64_rm(&hot, 0x0fae, 0, 2, &m);
	x64_ld(&hot, 1, R12, x64_m(RBP, OFF(gpr_in)));
	/* EFLAGS: OF, then the others from ah: a pattern that no instruction leaves */
	x64_movi(&hot, RAX, 0xd57f);
	x64_b(&hot, 0x04), x64_b(&hot, 0x01), x64_b(&hot, 0x9e);
}

static void (*end(void))(struct tctx *)
{
	struct x64_mem m = x64_m(RBP, OFF(mxcsr_out));

	x64_b(&hot, 0x9c);			/* pushf */
	x64_b(&hot, 0x58);			/* pop rax */
	x64_st(&hot, 0, RAX, x64_m(RBP, OFF(flags_out)));
	x64_st(&hot, 1, R12, x64_m(RBP, OFF(gpr_out)));
	x64_rm(&hot, 0x0fae, 0, 3, &m);
	for (unsigned k = 0; k < nregs; k++)
		x64_vec_store(&X, 16, k, x64_m(RBP, OFF(after[k])));
	x64_b(&hot, 0x41), x64_b(&hot, 0x5c), x64_b(&hot, 0x5b), x64_b(&hot, 0x5d), x64_b(&hot, 0xc3);
	__asm__ volatile("" ::: "memory");
	return (void (*)(struct tctx *))(uintptr_t)mem;
}

static void (*make(const struct ir_inst *i, struct regs r))(struct tctx *)
{
	begin();
	u8 *p = hot.p;

	if (!x64_vec_info(i, X.features).needs_gpr)	/* they must be as they were, then */
		x64_movi(&hot, RAX, GPR_MARK), x64_movi(&hot, RCX, GPR_MARK), p = hot.p;
	if (i->op == IR_FL_FCMP)
		x64_vec_fcmp(&X, i, r.a, r.b);
	else if (to_gpr(i->op))
		x64_vec_to_gpr(&X, i, R12, r.a);
	else if (from_gpr(i->op))
		x64_vec_from_gpr(&X, i, r.d, r.a, R12);
	else
		x64_vec(&X, i, r.d, r.a, r.b, r.c);
	if ((unsigned)(hot.p - p) > longest)
		longest = (unsigned)(hot.p - p), longest_op = i->op;
	x64_st(&hot, 1, RAX, x64_m(RBP, OFF(gprs[0])));
	x64_st(&hot, 1, RCX, x64_m(RBP, OFF(gprs[1])));
	return end();
}

/* Loads, stores, lanes, constants and moves, at displacements of all encodings. */
static void test_memory(const char *cls, u64 features)
{
	static u8 buf[16384], copy[16384];
	static const int disps[] = { 0, 1, 16, 127, 128, -128, -129, 1024, 2032, 2048, -2048, 4000, -4000 };

	X.features = features;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned kind = rnd(6), sl = rnd(kind < 2 ? 5 : 4), size = 1u << sl, lane = rnd(16 >> sl);
		int disp = disps[rnd(ARRAY_SIZE(disps))];
		unsigned d = pick(features), a = rnd(3) ? pick(features) : d;
		u8 *at = buf + 8192 + disp;
		struct x64_mem m = x64_m(rnd(2) ? R12 : RAX, disp);
		v128 want, k = gen_vec(rnd(4), false);
		bool bad;

		if (!rnd(4))
			k.d[rnd(2)] = rnd(2) ? 0 : ~0ull;
		for (unsigned j = 0; j < sizeof(buf); j += 8)
			if (j + 24 > (unsigned)(at - buf) && j < (unsigned)(at - buf) + 24)
				*(u64 *)(void *)(buf + j) = rnd64();
		for (unsigned j = 0; j < nregs; j++)
			T->regs[j] = gen_vec(IR_D, false);
		T->gpr_in = (u64)(uintptr_t)(buf + 8192);
		T->mxcsr_in = 0x1f80;
		memcpy(copy, buf, sizeof(buf));
		begin();
		if (rnd(2)) {		/* with an index */
			x64_movi(&hot, RCX, 3);
			m.index = RCX, m.scale = 1, m.disp -= 6;
		}
		x64_mov(&hot, 1, RAX, R12);
		want = T->regs[d];
		switch (kind) {
		case 0:
			x64_vec_load(&X, size, d, m);
			memset(&want, 0, 16);
			memcpy(&want, at, size);
			break;
		case 1:
			x64_vec_store(&X, size, d, m);
			memcpy(copy + (at - buf), &T->regs[d], size);
			break;
		case 2:
			x64_vec_load_lane(&X, size, lane, d, a, m);
			want = T->regs[a];
			memcpy(&want.b[lane * size], at, size);
			break;
		case 3:
			x64_vec_store_lane(&X, size, lane, d, m);
			memcpy(copy + (at - buf), &T->regs[d].b[lane * size], size);
			break;
		case 4:
			x64_vec_const(&X, d, k.d[0], k.d[1]);
			want = k;
			break;
		case 5:
			x64_vec_mov(&X, d, a);
			want = T->regs[a];
			break;
		}
		end()(T);
		bad = memcmp(&want, &T->after[d], 16) || memcmp(buf, copy, sizeof(buf)) || (T->flags_out & 0x8d5) != FLAGS_IN;
		for (unsigned j = 0; j < nregs; j++)
			if (j != X64_VT0 && j != X64_VT1 && j != d && memcmp(&T->after[j], &T->regs[j], 16))
				bad = true;
		runs++;
		if (bad && fails++ < 10)
			printf("not ok: %s memory kind %u size %u lane %u disp %d d %u a %u\n", cls, kind, size, lane, disp, d, a);
	}
}

static u64 fpsr_of(u32 mx)
{
	return (mx & 1) | (mx >> 2 & 1) << 1 | (mx >> 3 & 1) << 2 | (mx >> 4 & 1) << 3 | (mx >> 5 & 1) << 4;
}

static void show(const char *what, const v128 *v)
{
	printf("  %-4s %016llx %016llx\n", what, (unsigned long long)v->d[1], (unsigned long long)v->d[0]);
}

static void report(const char *why, const char *cls, const struct ir_inst *i, struct regs r, const v128 *in, const v128 *want,
		   const v128 *got, u64 fwant, u64 fgot)
{
	static struct ir_inst last;

	fails++;
	/* one of a kind */
	if (last.op == i->op && last.esz == i->esz && last.width == i->width)
		return;
	last = *i;
	printf("not ok: %s %s %s esz %u width %u imm %llx type %u aux %u; d %u a %u b %u c %u zext %d%d%d\n", cls, why,
	       ir_op_info[i->op].name, i->esz, i->width, (unsigned long long)i->imm, i->type, i->aux, r.d, r.a, r.b, r.c, X.a_zext,
	       X.b_zext, X.c_zext);
	show("a", &in[1]), show("b", &in[2]), show("c", &in[3]);
	show("want", want);
	if (got)
		show("got", got);
	printf("  fpsr want %llx got %llx; mxcsr %x\n", (unsigned long long)fwant, (unsigned long long)fgot, T->mxcsr_in);
	if (fails == 1 && getenv("DUMP")) {
		FILE *f = fopen(getenv("DUMP"), "w");

		fwrite(mem, 1, (size_t)(hot.p - mem), f);
		fclose(f);
	}
}

/* Arm finds tininess before rounding, x86 after: a result rounded up to the smallest normal number. */
static bool tiny_edge(const struct ir_inst *i, const v128 *v)
{
	for (unsigned k = 0; k < 16u >> i->esz; k++) {
		u64 e = 0;

		memcpy(&e, &v->b[k << i->esz], 1u << i->esz);
		e &= ~(1ull << ((8u << i->esz) - 1));
		if (e == (i->esz == IR_H ? 1ull << 10 : i->esz == IR_S ? 1ull << 23 : 1ull << 52))
			return true;
	}
	return false;
}

static void one(const char *cls, const struct ir_inst *i, struct regs r, void (*fn)(struct tctx *), bool keeps_flags)
{
	const char *args = ir_op_info[i->op].args;
	bool fp = ir_op_info[i->op].effects & IR_E_FP, narrow = is_narrow(i->op);
	unsigned rm = rnd(3) ? 0 : rnd(4), nargs = (unsigned)strlen(args);
	static const u8 rc[4] = { 0, 2, 1, 3 };	/* Arm's numbers to x86's */
	v128 in[4], want = { 0 }, got, *op[4] = { 0 };
	unsigned reg[4] = { 0, r.a, r.b, r.c };
	struct ir_fpenv env = { .fpcr = (u64)rm << 22 };
	bool ez[4] = { 0, X.a_zext, X.b_zext, X.c_zext };
	unsigned esz = i->esz;

	if (i->op == IR_FCVT)
		esz = (unsigned)i->imm;
	if (narrow || i->op == IR_FCVTXN)
		esz++;
	for (unsigned k = 0; k < nregs; k++)
		T->regs[k] = gen_vec(esz, fp && i->op != IR_ITOF);
	for (unsigned k = 1; k < 4; k++)
		if (ez[k])
			clear_above(&T->regs[reg[k]], i);
	for (unsigned k = 1; k < 4; k++)
		in[k] = T->regs[reg[k]];
	T->gpr_in = gen_vec(rnd(4), false).d[0];
	for (unsigned k = 1; k <= nargs; k++)
		if (args[k - 1] != 'V' || (i->imm & IR_HIGH))
			op[k] = &in[k];
	if (from_gpr(i->op)) {
		unsigned k = i->op == IR_VINS ? 2 : 1;

		in[k] = (v128){ .d = { i->type == IR_I32 ? (u32)T->gpr_in : T->gpr_in, 0 } };
	}
	T->op = (struct ir_vop_args){ i->op, i->type, i->esz, i->width, i->cc, i->aux, i->imm };
	if (!ir_eval_vop(&T->op, &want, op[1], op[2], op[3], &env)) {
		report("evaluator refuses", cls, i, r, in, &want, NULL, 0, 0);
		return;
	}
	T->env = (struct ir_fpenv){ .fpcr = env.fpcr };
	T->mxcsr_in = 0x1f00u | (u32)rc[rm] << 13;
	T->qc = 0;
	T->helper_uses = 0;
	runs++;
	if (sigsetjmp(jb, 0)) {
		u64 got_f = fpsr_of(trap_mxcsr & ~1u);

		traps++;
		if (!(env.fpsr & 1))
			odd_traps++;
		if (got_f & ~env.fpsr)
			report("flags at trap", cls, i, r, in, &want, NULL, env.fpsr, got_f);
		if (trap_changed)
			report("register changed at trap", cls, i, r, in, &want, NULL, env.fpsr, got_f);
		return;
	}
	fn(T);
	/* the test itself must not trap */
	__asm__ volatile("ldmxcsr %0" :: "m"((u32){ 0x1f80 }));
	helpers += T->helper_uses;
	u64 f = fpsr_of(T->mxcsr_out) | (T->qc ? BIT(27) : 0) | T->env.fpsr;

	if (i->op == IR_FL_FCMP) {
		/* less CF, equal ZF, unordered all, greater none; Arm: 8, 6, 3, 2 */
		u32 fl = T->flags_out;
		u64 nzcv = fl & 4 ? 3 : fl & 1 ? 8 : fl & 0x40 ? 6 : 2;

		got = (v128){ .d = { nzcv, 0 } };
	} else if (to_gpr(i->op)) {
		got = (v128){ .d = { i->type == IR_I32 ? (u32)T->gpr_out : T->gpr_out, 0 } };
	} else {
		got = T->after[r.d];
	}
	if (memcmp(&got, &want, 16))
		report("result", cls, i, r, in, &want, &got, env.fpsr, f);
	else if ((fp || (ir_op_info[i->op].effects & IR_E_QC)) && f != env.fpsr && !(f == (env.fpsr & ~8ull) && tiny_edge(i, &want)))
		report("fpsr", cls, i, r, in, &want, &got, env.fpsr, f);
	else if (!fp && (T->mxcsr_out & 0x3d))
		report("mxcsr", cls, i, r, in, &want, &got, env.fpsr, f);
	for (unsigned k = 0; k < nregs; k++)
		if (k != X64_VT0 && k != X64_VT1 && (k != r.d || to_gpr(i->op)) && memcmp(&T->after[k], &T->regs[k], 16)) {
			report("other register changed", cls, i, r, in, &want, &got, k, 0);
			break;
		}
	if (!T->helper_uses && !x64_vec_info(i, X.features).needs_gpr && (T->gprs[0] != GPR_MARK || T->gprs[1] != GPR_MARK))
		report("rax or rcx changed", cls, i, r, in, &want, &got, 0, 0);
	if (keeps_flags && (T->flags_out & 0x8d5) != FLAGS_IN)
		report("EFLAGS", cls, i, r, in, &want, &got, FLAGS_IN, T->flags_out);
}

static void test_op(const char *cls, u64 features, unsigned op, unsigned esz, unsigned width, unsigned variants, unsigned inputs)
{
	struct ir_inst i = { .op = (u16)op, .esz = (u8)esz, .width = (u8)width };

	for (unsigned n = 0; n < variants; n++) {
		struct x64_vec_info info;
		struct regs r = pick_regs(features);
		void (*fn)(struct tctx *);

		i.type = rnd(2) ? IR_I32 : IR_I64;
		if (esz == IR_D && (op == IR_VEXTU || op == IR_VEXTS || op == IR_VDUP || op == IR_VINS))
			i.type = IR_I64;
		i.aux = op == IR_FL_FCMP ? rnd(2) : 0;
		i.imm = gen_imm(&i);
		if (width == IR_WS && esz == IR_D && op == IR_VADDP)
			r.b = r.a;
		if (width == IR_WS && in(op, IR_FADDP, IR_FMINNMP))
			r.b = r.a;
		info = x64_vec_info(&i, features);
		if (info.how != X64_VEC_NATIVE)
			continue;
		X.features = features;
		X.a_zext = X.b_zext = X.c_zext = false;
		if (width != IR_W128 && !is_narrow(op) && !is_widen(op) && !is_across(op) && op != IR_VDUPL && op != IR_FCVT && esz != IR_Q &&
		    !in(op, IR_FADDP, IR_FMINNMP) && op != IR_VADDP && op != IR_VEXTU && op != IR_VEXTS) {
			X.a_zext = rnd(2), X.b_zext = rnd(2), X.c_zext = rnd(2);
			if (r.a == r.b)
				X.b_zext = X.a_zext;
			if (r.a == r.c)
				X.c_zext = X.a_zext;
			if (r.b == r.c)
				X.c_zext = X.b_zext;
		}
		fn = make(&i, r);
		for (unsigned k = 0; k < inputs; k++)
			one(cls, &i, r, fn, !info.clobbers_flags && op != IR_FL_FCMP);
	}
}

static void test_aes_round(const char *cls, u64 features)
{
	struct ir_vop_args op = { .width = IR_W128 };
	struct ir_fpenv env = { 0 };

	X.features = features;
	for (unsigned n = 0; n < 2000 && (features & HOST_AES); n++) {
		bool dec = rnd(2);
		struct regs r = pick_regs(features);
		v128 want;

		for (unsigned j = 0; j < nregs; j++)
			T->regs[j] = gen_vec(IR_D, false);
		T->mxcsr_in = 0x1f80;
		begin();
		x64_vec_aes_round(&X, dec, r.d, r.a, r.b);
		end()(T);
		op.op = dec ? IR_AESD : IR_AESE;
		ir_eval_vop(&op, &want, &T->regs[r.a], &T->regs[r.b], NULL, &env);
		op.op = dec ? IR_AESIMC : IR_AESMC;
		ir_eval_vop(&op, &want, &want, NULL, NULL, &env);
		runs++;
		if (memcmp(&want, &T->after[r.d], 16) && fails++ < 10)
			printf("not ok: %s aes round, decrypt %d\n", cls, dec);
	}
}

static void test_class(const char *cls, u64 features, const char *only)
{
	unsigned native = 0, total = 0;
	unsigned long t0 = traps, o0 = odd_traps, r0 = runs;

	test_memory(cls, features);
	test_aes_round(cls, features);

	for (unsigned op = 0; op < IR_OP_COUNT; op++) {
		static const char letters[] = "bhsdq";
		const char *es = ir_op_info[op].esizes;

		if (op == IR_VEXTU || op == IR_VEXTS)
			es = "bhsd";
		if (op == IR_FTOIG || op == IR_FL_FCMP)
			es = "hsd";
		if (!es || (only && strcmp(only, ir_op_info[op].name)))
			continue;
		for (const char *e = es; *e; e++)
			for (unsigned w = IR_WS; w <= IR_W128; w++) {
				unsigned esz = (unsigned)(strchr(letters, *e) - letters);
				struct ir_inst i = { .op = (u16)op, .esz = (u8)esz, .width = (u8)w, .imm = op == IR_FCVT ? (esz == IR_S ? IR_D : IR_S) : 0 };

				if (to_gpr(op) ? w != IR_WS : !width_ok(op, esz, w))
					continue;
				total++;
				if (x64_vec_info(&i, features).how == X64_VEC_NATIVE)
					native++;
				test_op(cls, features, op, esz, w, only ? 400 : 40, 25);
			}
	}
	printf("# %s: %u of %u forms native; %lu runs, %lu traps, %lu of them without IOC\n", cls, native, total, runs - r0, traps - t0,
	       odd_traps - o0);
}

int main(int argc, char **argv)
{
	static const char *const classes[] = { "v2", "v3", "v4" };
	struct sigaction sa = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER };
	u64 have = x64_host_features();
	const char *only = argc > 2 ? argv[2] : NULL;

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0) * 2 + 1;
	mem = mmap(NULL, 3 * HOT_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T = aligned_alloc(64, ALIGN_UP(sizeof(*T), 64));
	if (mem == MAP_FAILED || !T)
		return 1;
	hot = (struct x64_buf){ mem, mem, mem + HOT_SIZE };
	cold = hot;
	T->helper_fn = (u64)(uintptr_t)helper_c;
	X = (struct x64_vec_ctx){ .pool = pool, .cold_begin = cold_begin, .cold_end = cold_end, .set_qc = set_qc, .helper = helper };
	sigaction(SIGFPE, &sa, NULL);
	printf("# host features %llx\n", (unsigned long long)have);
	for (unsigned k = 0; k < ARRAY_SIZE(classes); k++) {
		u64 f = x64_class_features(classes[k]);

		if ((f & have) != f) {
			printf("# SKIP class %s: this CPU lacks %llx\n", classes[k], (unsigned long long)(f & ~have));
			continue;
		}
		nregs = f & HOST_AVX512 ? 32 : 16;
		X.features = f;
		test_class(classes[k], f, only);
		f |= have & (HOST_GFNI | HOST_SHA | HOST_BITALG * !!(f & HOST_AVX512) | HOST_VBMI * !!(f & HOST_AVX512));
		X.features = f;
		char name[16];
		snprintf(name, sizeof(name), "%s+", classes[k]);
		test_class(name, f, only);
	}
	printf("# longest expansion: %u bytes (%s)\n", longest, ir_op_info[longest_op].name);
	printf("1..1\n%s 1 - vector selection: %lu runs, %lu failures, %lu by helper\n", fails ? "not ok" : "ok", runs, fails, helpers);
	return !!fails;
}
