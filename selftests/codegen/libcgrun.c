// SPDX-License-Identifier: MIT
/*
 * Runs a sequence of guest instructions by lift + ir_eval on a shadow of its memory, and by translate() with the real glue
 * and hosted callbacks that stand for the runtime. In: struct cg_seq; out: struct cg_result, the state where it stopped.
 * Signals are answered as user/runtime/context.c does: invalid operations by evaluating the instruction and going on.
 * With single_step, the state that the pc map gives is compared with the evaluator's at each instruction boundary.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "codegen/host.h"
#include "host/x64/glue.h"
#include "libcgrun.h"
#include "translate/translate.h"

#define MAX_INST 512
#define HOT_SIZE (1u << 18)
#define MAX_STEPS 400
#define MAX_REGIONS 128

/* --- the evaluator ------------------------------------------------------------------------------------------------------ */

static bool wild;

static int shadow(u8 *mem, u64 addr, unsigned size, bool store, u8 **at)
{
	addr &= ~0ull >> 8;		/* top byte ignored */
	if (addr - CG_WIN < CG_WIN_SIZE && size <= CG_WIN + CG_WIN_SIZE - addr) {
		*at = mem + (addr - CG_WIN);
		return 0;
	}
	if (!store && addr - CG_CODE < CG_CODE_SIZE && size <= CG_CODE + CG_CODE_SIZE - addr) {
		*at = (u8 *)addr;
		return 0;
	}
	if (addr - CG_ZONE >= CG_ZONE_SIZE - 64 || addr + size - CG_CODE < CG_CODE_SIZE + size)
		wild = true;
	return -14;
}

static int ev_load(void *ctx, u64 addr, void *buf, unsigned size)
{
	u8 *p;

	if (shadow(ctx, addr, size, false, &p))
		return -14;
	memcpy(buf, p, size);
	return 0;
}

static int ev_store(void *ctx, u64 addr, const void *buf, unsigned size)
{
	u8 *p;

	if (shadow(ctx, addr, size, true, &p))
		return -14;
	memcpy(p, buf, size);
	return 0;
}

static int ev_cas(void *ctx, u64 addr, unsigned size, const void *expected, const void *desired, void *old)
{
	u8 *p;

	if (size == 16 && addr & 15) {		/* a SIGBUS, for the runtime to send */
		wild = true;
		return -14;
	}
	if (shadow(ctx, addr, size, true, &p))
		return -14;
	memcpy(old, p, size);
	if (!memcmp(old, expected, size))
		memcpy(p, desired, size);
	return 0;
}

static struct ir_region lift_one(u64 pc)
{
	static struct ir_inst inst[MAX_INST];
	static u64 vconst[MAX_INST];
	static struct ir_block block;
	struct ir_region r = { .inst = inst, .block = &block, .vconst = vconst, .nblock = 1, .max_inst = MAX_INST,
			       .max_block = 1, .max_vconst = MAX_INST };
	unsigned len;

	a64_guest.lift(&r, pc, (const void *)pc, &len);
	return r;
}

/* A store-exclusive of another size than the load's may succeed or not. Nobody but this uses excl_size. */
static bool mismatched_exclusive(struct a64_state *s)
{
	struct a64_insn in;

	a64_decode(*(const u32 *)s->pc, &in);
	if (in.op == A64_OP_LDXR || in.op == A64_OP_LDXP)
		s->excl_size = 1ull << in.size << (in.op == A64_OP_LDXP);
	if ((in.op != A64_OP_STXR && in.op != A64_OP_STXP) || s->excl_addr == A64_EXCL_NONE)
		return false;
	return s->excl_size && s->excl_size != 1ull << in.size << (in.op == A64_OP_STXP);
}

/* One instruction at s->pc on memory `mem`, or on real memory when that is NULL. */
static enum cg_stop eval_one(struct a64_state *s, u8 *mem)
{
	static v128 scratch[MAX_INST];
	struct ir_region r;
	struct ir_eval_env env = { .ctx = mem };
	u64 pc = s->pc;
	unsigned len = 4;

	if (mem) {
		env.load = ev_load;
		env.store = ev_store;
		env.cas = ev_cas;
	}
	if (pc - CG_CODE >= CG_CODE_SIZE || pc & 3)
		return CG_LEFT;
	wild = false;
	if (mem != (u8 *)CG_WIN && mismatched_exclusive(s))
		return CG_WILD;
	r = lift_one(pc);
	if (r.overflow)
		return CG_UNSUPPORTED;
	switch (ir_eval(&r, 0, r.ninst, &a64_guest, s, &env, scratch, &pc)) {
	case IR_EVAL_GOTO: s->pc = pc; return CG_RUNNING;
	case IR_EVAL_END: s->pc += len; return CG_RUNNING;
	case IR_EVAL_SYSCALL: s->pc += len; return CG_SYSCALL;
	case IR_EVAL_TRAP: return CG_TRAP;
	case IR_EVAL_FAULT: return wild ? CG_WILD : CG_FAULT;
	case IR_EVAL_UNSUPPORTED: break;
	}
	return CG_UNSUPPORTED;
}

void cg_words(const struct cg_seq *q)
{
	u32 *p = (u32 *)CG_CODE;

	memcpy(p, q->word, q->n * 4);
	p[q->n] = 0xd4000001;			/* svc #0 */
	memset(p + q->n + 1, 0, (CG_MAX + 1 - q->n) * 4);
}

void cg_eval_start(struct cg_result *r, const struct cg_seq *q)
{
	r->stop = CG_RUNNING;
	r->s = q->init;
	r->s.pc = CG_CODE;
	memcpy(r->mem, q->mem, sizeof(r->mem));
}

void cg_eval_step(struct cg_result *r)
{
	r->stop = eval_one(&r->s, r->mem);
	r->pc = r->s.pc;
}

/* States at each step of the last evaluation, for single_step. */
static struct a64_state trace[MAX_STEPS + 1];
static unsigned ntrace;

void cg_eval(struct cg_result *r, const struct cg_seq *q)
{
	cg_words(q);
	cg_eval_start(r, q);
	for (ntrace = 0; r->stop == CG_RUNNING; ntrace++) {
		if (ntrace == MAX_STEPS) {
			r->stop = CG_LONG;
			return;
		}
		trace[ntrace] = r->s;
		cg_eval_step(r);
	}
}

/* --- what stands for the runtime ------------------------------------------------------------------------------------------ */

struct thread {
	union {
		struct a64_state a64;
		u8 state[X64_HOST_OFF];
	};
	struct x64_host host;
	u8 pad[X64_JCACHE_OFF - X64_HOST_OFF - sizeof(struct x64_host)];
	struct x64_jcache_entry jcache[X64_JCACHE_ENTRIES];
	u32 pending, stepping;
};

struct region {
	u64 pc;
	struct translate_out o;
	struct cg_entry entry[128];
	struct cg_map map[1024];
	u32 retsite[256], site[256];
	u64 target[256];
};

/* In relative mode the translator sees the guest's code this much lower than it is; also what guest_base is then. */
#define SHIFT 0x2345000ull
#define NEAR_HOT (CG_ZONE - 0x4000000ull)
#define FAR_HOT (CG_ZONE + 0x150000000ull)

static struct thread *T;
static u64 features;
static struct x64_glue glue;
static u8 home[96];
static u8 *hots[3], *hot, *hot_p, *cold_p, *pool_p, *glue_code;
static void *scratch_mem;
static struct region regions[MAX_REGIONS];
static unsigned nregion, first_region;	/* those before the first were made for another mode of FP */
static const struct cg_seq *seq;
static struct cg_result *res;
static sigjmp_buf out_of_code;
static u8 xs[8192] __attribute__((aligned(64)));
static u8 c_stack[1 << 18] __attribute__((aligned(64)));
static unsigned step_at;
static volatile bool running;

static void leave(enum cg_stop stop, u64 pc) __attribute__((noreturn));
static void leave(enum cg_stop stop, u64 pc)
{
	res->stop = stop;
	res->pc = pc;
	siglongjmp(out_of_code, 1);
}

static void crash(const char *why, u64 host_pc, u64 addr) __attribute__((noreturn));
static void crash(const char *why, u64 host_pc, u64 addr)
{
	res->why = why;
	res->host_pc = host_pc;
	res->addr = addr;
	leave(CG_CRASH, T->a64.pc);
}

static u32 mxcsr_of(u64 fpcr)
{
	static const u8 rc[4] = { 0, 2, 1, 3 };

	return 0x1f00 | (u32)rc[fpcr >> A64_FPCR_RMODE_SHIFT & 3] << 13;
}

static u64 fpsr_of(u32 m)
{
	return (m & 1) | (m & 4) >> 1 | (m & 8) >> 1 | (m & 16) >> 1 | (m & 32) >> 1;
}

static bool strict_fp(u64 fpcr)
{
	return fpcr & (A64_FPCR_FZ | A64_FPCR_FZ16 | A64_FPCR_DN | A64_FPCR_AHP);
}

static u64 shift(void)
{
	return seq->relative ? SHIFT : 0;
}

static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	(void)ctx;
	pc += shift();
	*avail = pc - CG_CODE < CG_CODE_SIZE ? CG_CODE + CG_CODE_SIZE - pc : 0;
	return (const void *)pc;
}

static u8 *find(u64 pc, bool *needs_flags)
{
	for (unsigned k = first_region; k < nregion; k++)
		for (unsigned n = 0; n < regions[k].o.cg.nentry; n++)
			if (regions[k].entry[n].pc == pc) {
				*needs_flags = regions[k].entry[n].needs_flags;
				return regions[k].o.cg.code + regions[k].entry[n].off;
			}
	return NULL;
}

static bool known(void *ctx, u64 pc)
{
	bool f;

	(void)ctx;
	return find(pc + shift(), &f) != NULL;
}

static bool by_number(u64 mask, u64 pc)
{
	u64 n = (pc - CG_CODE) / 4;

	return n < 64 && mask >> n & 1;
}

static bool slow_fp(void *ctx, u64 pc)
{
	(void)ctx;
	return by_number(seq->slow_mask, pc + shift());
}

static u32 cur_mxcsr, new_mxcsr;

/* Outputs that are too small: nothing beyond them may be written, and a second try with more room must not notice. */
static void translate_tight(const struct translate_req *q, struct region *r)
{
	u32 t = seq->tight, max_code = 256 + t % 1024, max_cold = 128 + t / 7 % 1024;
	u8 *end[2] = { hot_p + max_code, cold_p + max_cold };

	r->o = (struct translate_out){ .cg = { .code = hot_p, .max_code = max_code, .cold = cold_p, .max_cold = max_cold,
			.pool = (u8 *)((u64)(cold_p + max_cold) & ~15ull), .entry = r->entry, .max_entry = 1 + t / 3 % 32,
			.map = r->map, .max_map = 1 + t / 5 % 128, .retsite = r->retsite, .max_retsite = t % 3,
			.site = r->site, .max_site = t % 5 } };
	for (unsigned p = 0; p < 2; p++)
		memset(end[p], 0xa5, 512);
	memset(&r->entry[r->o.cg.max_entry], 0xa5, sizeof(r->entry[0]));
	memset(&r->map[r->o.cg.max_map], 0xa5, sizeof(r->map[0]));
	translate(q, &r->o, scratch_mem);
	for (unsigned p = 0; p < 2; p++)
		for (unsigned k = 0; k < 512; k++)
			if (end[p][k] != 0xa5)
				crash(p ? "cold code written beyond its end" : "hot code written beyond its end", (u64)end[p] + k, 0);
	if (r->entry[r->o.cg.max_entry].pc != 0xa5a5a5a5a5a5a5a5ull || r->map[r->o.cg.max_map].off != 0xa5a5u)
		crash("entries or map written beyond the end", 0, 0);
}

static void link_site(struct x64_site *s, u8 *host, bool needs_flags)
{
	u8 *base = (u8 *)s, *where = base + (needs_flags && s->tail ? s->tail : s->disp);
	s32 disp = (s32)(host - (where + 4));

	memcpy(where, &disp, 4);
}

/* What the writer of an object does: links what is known. */
static void link_all(void)
{
	for (unsigned k = first_region; k < nregion; k++)
		for (unsigned n = 0; n < regions[k].o.cg.nsite; n++) {
			struct x64_site *s = (struct x64_site *)(regions[k].o.cg.cold + regions[k].site[n]);
			bool f;
			u8 *host = find(regions[k].target[n] + shift(), &f);

			if (host && !(s->flags & X64_SITE_STRICT))
				link_site(s, host, f);
		}
}

static u8 *get(u64 pc, bool *needs_flags)
{
	struct region *r = &regions[nregion];
	struct translate_req q = { .guest = &a64_guest, .pc = pc - shift(), .fetch = fetch, .known = known, .slow_fp = slow_fp,
				   .interp = by_number(seq->interp_mask, pc), .max_insns = seq->max_insns, .opt = { .features = features,
				   .relative = seq->relative, .guest_base = shift(), .strict_flags = seq->strict_flags, .strict_fp = strict_fp(T->a64.fpcr) } };
	u8 *host = find(pc, needs_flags);

	if (host)
		return host;
	if (pc - CG_CODE >= CG_CODE_SIZE || pc & 3) {
		T->a64.fpsr |= fpsr_of(cur_mxcsr);
		T->a64.nzcv = x64_flags_to_nzcv(T->host.hflags);
		leave(CG_LEFT, pc);
	}
	if (nregion == MAX_REGIONS)
		leave(CG_NOTRANS, pc);
	if (seq->tight)
		translate_tight(&q, r);
	r->pc = pc;
	r->o = (struct translate_out){ .cg = { .code = hot_p, .max_code = HOT_SIZE / 2, .cold = cold_p,
			.max_cold = (u32)(pool_p - cold_p), .pool = pool_p, .entry = r->entry,
			.max_entry = ARRAY_SIZE(r->entry), .map = r->map, .max_map = ARRAY_SIZE(r->map), .retsite = r->retsite,
			.max_retsite = ARRAY_SIZE(r->retsite), .site = r->site, .site_target = r->target,
			.max_site = ARRAY_SIZE(r->site) } };
	if (translate(&q, &r->o, scratch_mem))
		leave(CG_NOTRANS, pc);
	for (unsigned k = 0; k < r->o.cg.nentry; k++)
		r->entry[k].pc += shift();
	nregion++;
	if (seq->relative)
		link_all();
	hot_p = (u8 *)ALIGN_UP((u64)hot_p + r->o.cg.code_len, 16ull);
	cold_p = (u8 *)ALIGN_UP((u64)cold_p + r->o.cg.cold_len, 16ull);
	pool_p = r->o.cg.pool;
	return find(pc, needs_flags);
}

static u64 go(u64 pc)
{
	bool f;

	return (u64)get(pc, &f);
}

static u64 do_link(void *t, u64 target, u64 site, u64 x, u64 y)
{
	bool f;
	u8 *host = get(target, &f);

	(void)t, (void)x, (void)y;
	link_site((struct x64_site *)site, host, f);
	return (u64)host;
}

static u64 do_lookup(void *t, u64 target, u64 a, u64 b, u64 c)
{
	struct x64_jcache_entry *e = &T->jcache[target >> 2 & (X64_JCACHE_ENTRIES - 1)];
	u64 host = go(target);

	(void)t, (void)a, (void)b, (void)c;
	e->pc = target;
	e->host = host;
	return host;
}

static u64 do_rtcall(void *t, u64 which, u64 a, u64 b, u64 pc)
{
	(void)t, (void)b, (void)pc;
	switch ((enum ir_rt)which) {
	case IR_RT_GET_FPCR: return T->a64.fpcr;
	case IR_RT_SET_FPCR:
		if (strict_fp(a) != strict_fp(T->a64.fpcr)) {
			first_region = nregion;
			T->host.g_rsp = T->host.rstack_hi;
			for (unsigned k = 0; k < CG_MAX + 2; k++)
				T->jcache[CG_CODE / 4 % X64_JCACHE_ENTRIES + k].pc = ~0ull;
		}
		T->a64.fpcr = a & A64_FPCR_MASK;
		T->a64.fpsr |= fpsr_of(cur_mxcsr);
		new_mxcsr = mxcsr_of(a);
		return 0;
	case IR_RT_GET_FPSR: return T->a64.fpsr | fpsr_of(cur_mxcsr);
	case IR_RT_SET_FPSR:
		T->a64.fpsr = a & A64_FPSR_MASK;
		new_mxcsr = mxcsr_of(T->a64.fpcr);
		return 0;
	default: return 0;
	}
}

static u64 do_interp(void *t, u64 pc, u64 a, u64 b, u64 c)
{
	enum cg_stop stop;

	(void)t, (void)a, (void)b, (void)c;
	T->a64.fpsr |= fpsr_of(cur_mxcsr);
	T->a64.pc = pc;
	T->a64.nzcv = x64_flags_to_nzcv(T->host.hflags);
	T->a64.pad = 1;
	stop = eval_one(&T->a64, (u8 *)CG_WIN);
	if (stop != CG_RUNNING)
		leave(stop, T->a64.pc);
	T->host.hflags = x64_flags_from_nzcv(T->a64.nzcv);
	new_mxcsr = mxcsr_of(T->a64.fpcr);
	return go(T->a64.pc);
}

static u64 do_reenter(void *t, u64 a, u64 b, u64 c, u64 d)
{
	(void)t, (void)a, (void)b, (void)c, (void)d;
	T->host.hflags = x64_flags_from_nzcv(T->a64.nzcv);
	new_mxcsr = mxcsr_of(T->a64.fpcr);
	return go(T->a64.pc);
}

static u64 do_vop(void *t, u64 args, u64 a, u64 b, u64 c)
{
	const struct ir_vop_args *op = (const void *)args;
	v128 *s = T->host.scratch;
	struct ir_fpenv env = { .fpcr = T->a64.fpcr, .fpsr = T->a64.fpsr };

	(void)t, (void)a, (void)b, (void)c;
	if (op->op == IR_CRC32) {
		u32 acc = s[1].s[0];

		for (unsigned n = 0; n < op->imm; n++) {
			acc ^= (u8)(s[2].d[0] >> 8 * n);
			for (unsigned k = 0; k < 8; k++)
				acc = acc >> 1 ^ (acc & 1 ? 0xedb88320u : 0);
		}
		s[0].d[0] = acc;
		return 0;
	}
	if (!ir_eval_vop(op, &s[0], &s[1], &s[2], &s[3], &env))
		crash("the evaluator does not know the operation of a helper", 0, op->op);
	T->a64.fpsr = env.fpsr;
	return 0;
}

static u64 do_stop(void *t, u64 pc, u64 kind, u64 b, u64 c)
{
	(void)t, (void)b, (void)c;
	T->a64.fpsr |= fpsr_of(cur_mxcsr);
	T->a64.nzcv = x64_flags_to_nzcv(T->host.hflags);
	leave(kind == 1000 ? CG_SYSCALL : CG_TRAP, pc);
}

/*
 * The runtime is compiled without vector instructions, and this is not: all vector registers are kept in xs during a callback.
 * MXCSR goes with them.
 */
#define NOVEC __attribute__((noinline, target("general-regs-only")))
#define WITH_VECTORS(fn, save, load, kind) \
	NOVEC static u64 on_##fn(void *t, u64 a, u64 b, u64 c, u64 d) \
	{ \
		u64 r; \
		__builtin_ia32_stmxcsr_(&cur_mxcsr); \
		new_mxcsr = cur_mxcsr; \
		if (save) \
			glue.vecs_save(t); \
		xsave_all(); \
		load_mxcsr(0x1f80); \
		r = do_##fn(t, a, kind ? kind : b, c, d); \
		xrstor_all(); \
		if (load) \
			glue.vecs_load(t); \
		load_mxcsr(new_mxcsr); \
		step_again(); \
		return r; \
	}
#define __builtin_ia32_stmxcsr_(p) __asm__ volatile("stmxcsr %0" : "=m"(*(p)))

NOVEC static void load_mxcsr(u32 m)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(m));
}

static u64 xs_mask;

NOVEC static void xsave_all(void)
{
	__asm__ volatile("xsave64 %0" : "=m"(xs) : "a"((u32)xs_mask), "d"(0) : "memory");
}

NOVEC static void xrstor_all(void)
{
	__asm__ volatile("xrstor64 %0" : : "m"(xs), "a"((u32)xs_mask), "d"(0) : "memory");
}

/* The trap flag was cleared when single steps came to C code. */
static volatile bool stepping_back;

NOVEC static void step_again(void)
{
	if (!seq->single_step)
		return;
	stepping_back = true;
	__asm__ volatile("lea -256(%%rsp), %%rsp\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tlea 256(%%rsp), %%rsp"
				 : : : "memory", "cc");
}

WITH_VECTORS(link, true, false, 0)
WITH_VECTORS(lookup, true, false, 0)
WITH_VECTORS(rtcall, false, false, 0)
WITH_VECTORS(interp, true, true, 0)
WITH_VECTORS(reenter, false, true, 0)
WITH_VECTORS(vop, false, false, 0)
#define do_syscall do_stop
#define do_trap do_stop
WITH_VECTORS(syscall, true, false, 1000)
WITH_VECTORS(trap, true, false, 0)

static u64 no_pending(void *t)
{
	(void)t;
	crash("the pending callback", 0, 0);
}

/* --- signals ----------------------------------------------------------------------------------------------------------------- */

static const struct cg_map *map_at(const struct region *r, u64 host)
{
	u32 off = (u32)(host - (u64)r->o.cg.code), k = 0;

	while (k < r->o.cg.nmap && r->map[k].off <= off)
		k++;
	if (!k)
		return &r->map[0];
	k--;
	return &r->map[k];
}

static struct region *region_at(u64 host)
{
	for (unsigned k = 0; k < nregion; k++)
		if (host - (u64)regions[k].o.cg.code < regions[k].o.cg.code_len)
			return &regions[k];
	return NULL;
}

static u64 gpr(const ucontext_t *uc, unsigned reg)
{
	static const u8 at[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				   REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

	return (u64)uc->uc_mcontext.gregs[at[reg]];
}

static u32 nzcv_of(u64 e, u8 kind)
{
	u32 cf = e & 1, pf = e >> 2 & 1, zf = e >> 6 & 1, sf = e >> 7 & 1, of = e >> 11 & 1;

	if (kind == CG_FLAGS_FCMP || kind == CG_FLAGS_FCMP_SWAP) {
		bool less = kind == CG_FLAGS_FCMP ? cf && !pf : !cf && !zf;

		return (u32)less << 31 | (u32)(zf && !pf) << 30 | (u32)!less << 29 | pf << 28;
	}
	return sf << 31 | zf << 30 | (kind == CG_FLAGS_ADD ? cf : !cf) << 29 | of << 28;
}

/* What rt_context_to_state() does. Returns false when the guest's flags are dead there. */
static bool context_to_state(struct a64_state *s, const struct region *r, const struct cg_map *m, const ucontext_t *uc)
{
	const struct _libc_fpstate *f = uc->uc_mcontext.fpregs;
	bool hi = (features & HOST_AVX512) && ((const u64 *)((const u8 *)f + 512))[0] >> 7 & 1;
	static u32 hi_off;

	if (!hi_off) {
		u32 a = 0xd, b, c = 7, d;

		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		hi_off = b;
	}
	*s = T->a64;
	for (unsigned k = 0; k < a64_guest.nslots; k++) {
		u8 *p = (u8 *)s + a64_guest.slot[k].offset;

		if (home[k] == 0xff)
			continue;
		if (a64_guest.slot[k].kind == GUEST_SLOT_INT)
			*(u64 *)p = gpr(uc, home[k]);
		else if (home[k] < 16)
			memcpy(p, &f->_xmm[home[k]], 16);
		else if (hi)
			memcpy(p, (const u8 *)f + hi_off + 64 * (home[k] - 16), 16);
		else
			memset(p, 0, 16);
	}
	s->fpsr |= fpsr_of(f->mxcsr);
	s->nzcv = x64_flags_to_nzcv(T->host.hflags);
	s->pc = cg_map_pc(&a64_guest, r->pc, m);
	if (m->flags_at != CG_FLAGS_MEM && m->flags_at != CG_FLAGS_DEAD)
		s->nzcv = nzcv_of((u64)uc->uc_mcontext.gregs[REG_EFL], m->flags_at);
	return m->flags_at != CG_FLAGS_DEAD;
}

const char *cg_state_diff(const struct a64_state *a, const struct a64_state *b, bool flags)
{
	static char what[16];
	u64 fpsr;

	for (unsigned k = 0; k < 32; k++) {
		if (a->x[k] != b->x[k]) {
			snprintf(what, sizeof(what), "x%u", k);
			return what;
		}
		if (memcmp(&a->v[k], &b->v[k], 16)) {
			snprintf(what, sizeof(what), "v%u", k);
			return what;
		}
	}
	if (flags && a->nzcv >> 28 != b->nzcv >> 28)
		return "nzcv";
	/* x86 finds underflow after rounding, Arm before: a result that is rounded up to a normal number */
	fpsr = (a->fpsr ^ b->fpsr) & A64_FPSR_MASK;
	if (fpsr && !(fpsr == A64_FPSR_UFC && a->fpsr & A64_FPSR_IXC))
		return "fpsr";
	if (a->fpcr != b->fpcr)
		return "fpcr";
	return NULL;
}

/* Does what follows write the flags before it reads them (or is that not known)? Then translated code need not have them. */
bool cg_flags_dead_at(u64 pc)
{
	while (pc - CG_CODE < CG_MAX * 4) {
		struct guest_flow f = a64_guest.flow(pc, (const void *)pc);
		struct ir_region r = lift_one(pc);

		bool reads = false, writes = false, used = false;

		for (u32 k = 0; k < r.ninst; k++) {
			reads |= r.inst[k].op == IR_FGET;
			writes |= r.inst[k].op == IR_FSET;
			used |= r.inst[k].op == IR_SET || r.inst[k].op == IR_VSET || ir_op_info[r.inst[k].op].effects & IR_E_BR;
		}
		if (reads || writes)
			return writes || !used;
		if (f.kind != GUEST_FLOW_NEXT)
			return f.kind != GUEST_FLOW_SYSCALL;
		pc += 4;
	}
	return false;
}

/* A single step: compares at boundaries. */
static void on_step(ucontext_t *uc)
{
	u64 rip = (u64)uc->uc_mcontext.gregs[REG_RIP];
	struct region *r = region_at(rip);
	const struct cg_map *m;
	struct a64_state s;
	const char *diff;
	bool flags;

	if (!r) {
		/* glue may be stepped; C code not: step_again() sets it again */
		if (rip - (u64)hot < HOT_SIZE * 2ul || rip - (u64)glue_code < 4096)
			stepping_back = false;
		else if (!stepping_back)
			uc->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
		return;
	}
	stepping_back = false;
	m = map_at(r, rip);
	if ((u64)r->o.cg.code + m->off != rip || m->inside)
		return;
	flags = context_to_state(&s, r, m, uc);
	while (step_at < ntrace && trace[step_at].pc != s.pc)
		step_at++;
	if (step_at == ntrace)
		return;
	diff = cg_state_diff(&trace[step_at], &s, flags && !cg_flags_dead_at(s.pc));
	if (diff) {
		static char why[64];

		snprintf(why, sizeof(why), "at the boundary before instruction %u: %s", (unsigned)((s.pc - CG_CODE) / 4), diff);
		T->a64 = s;
		crash(why, rip, 0);
	}
}

static void on_signal(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	u64 rip = (u64)uc->uc_mcontext.gregs[REG_RIP];
	struct region *r = region_at(rip);
	const struct cg_map *m;
	enum cg_stop stop;
	bool flags;

	if (sig == SIGTRAP && si->si_code == TRAP_TRACE) {
		on_step(uc);
		return;
	}
	load_mxcsr(0x1f80);
	if (!running) {
		if (sig == SIGVTALRM)
			return;
		signal(sig, SIG_DFL);
		return;
	}
	if (sig == SIGVTALRM)
		crash("does not end", rip, 0);
	if (!r)
		crash(sig == SIGSEGV ? "SIGSEGV outside of hot code" : strsignal(sig), rip, (u64)si->si_addr);
	m = map_at(r, rip);
	if (sig == SIGFPE)
		uc->uc_mcontext.fpregs->mxcsr &= ~1u;
	else if (sig == SIGSEGV && si->si_code == 0x80)
		;			/* #GP */
	else if (sig != SIGSEGV || (u64)si->si_addr - CG_ZONE >= CG_ZONE_SIZE)
		crash(strsignal(sig), rip, (u64)si->si_addr);
	flags = context_to_state(&T->a64, r, m, uc);
	if (sig == SIGSEGV && si->si_code != 0x80) {
		res->addr = (u64)si->si_addr;
		res->host_pc = rip;
		T->a64.pad = flags && !cg_flags_dead_at(T->a64.pc);		/* told to the comparison */
		leave(CG_FAULT, T->a64.pc);
	}
	stop = eval_one(&T->a64, (u8 *)CG_WIN);
	if (stop == CG_FAULT) {			/* a tagged address */
		T->a64.pad = flags && !cg_flags_dead_at(T->a64.pc);
		leave(CG_FAULT, T->a64.pc);
	}
	if (stop != CG_RUNNING)
		crash("a trap, but the instruction does not evaluate", rip, 0);
	T->host.g_rsp = gpr(uc, 4);
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)glue.reenter;
	uc->uc_mcontext.gregs[REG_RBP] = (greg_t)((u64)T + X64_BIAS);
	uc->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
}

/* --- running ------------------------------------------------------------------------------------------------------------------ */

static void *map_at_address(u64 addr, size_t len, int prot, int flags)
{
	void *p = mmap((void *)addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int cg_run_init(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t ss = { .ss_size = 1 << 18 };
	u32 a = 0xd, b, c = 0, d;

	if (map_at_address(CG_ZONE, CG_ZONE_SIZE, PROT_NONE, MAP_FIXED_NOREPLACE) != (void *)CG_ZONE)
		return -1;
	map_at_address(CG_CODE, CG_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED);
	map_at_address(CG_WIN, CG_WIN_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED);
	for (unsigned k = 0; k < 3; k++)
		hots[k] = map_at_address(((u64[]){ 0, NEAR_HOT, FAR_HOT })[k], HOT_SIZE * 2ul,
					 PROT_READ | PROT_WRITE | PROT_EXEC, k ? MAP_FIXED_NOREPLACE : 0);
	glue_code = map_at_address(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
	T = map_at_address(0, (1 << 18) + sizeof(*T), PROT_READ | PROT_WRITE, 0);
	scratch_mem = calloc(1, translate_scratch_size());
	ss.ss_sp = malloc(ss.ss_size);
	if (!hots[0] || !hots[1] || !hots[2] || !glue_code || !T || !scratch_mem || !ss.ss_sp)
		return -1;
	/* the return stack lies below the thread block */
	T = (struct thread *)((u8 *)T + (1 << 18));
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	xs_mask = a & 0xe7;
	sigaltstack(&ss, NULL);
	for (unsigned k = 0; k < ARRAY_SIZE(sigs); k++)
		sigaction(sigs[k], &sa, NULL);
	return 0;
}

bool cg_run_class(const char *name)
{
	static u64 cpu;
	static const struct x64_glue_calls calls = {
		.link = (void *)on_link, .lookup = (void *)on_lookup, .lookup_flags = (void *)on_lookup,
		.exit = (void *)on_lookup, .syscall = (void *)on_syscall, .rtcall = on_rtcall,
		.trap = (void *)on_trap, .interp = (void *)on_interp, .vop = (void *)on_vop, .pending = no_pending,
		.reenter = (void *)on_reenter, .pending_off = offsetof(struct thread, pending),
		.stepping_off = offsetof(struct thread, stepping),
	};

	if (!cpu)
		cpu = x64_host_features();
	features = strcmp(name, "host") ? x64_class_features(name) : cpu;	/* all that this CPU has: the runtime's default */
	if (features & ~cpu)
		return false;
	x64_homes(&a64_guest, features, home);
	x64_glue_make(&glue, glue_code, &a64_guest, features, &calls);
	return true;
}

static void limit(unsigned ms)
{
	struct itimerval it = { .it_value = { ms / 1000, ms % 1000 * 1000 }, .it_interval = { 1, 0 } };

	setitimer(ITIMER_VIRTUAL, &it, NULL);
}

static void enter(void) __attribute__((noreturn));
static void enter(void)
{
	__asm__ volatile("mov %0, %%rbp\n\tjmp *%1" : : "c"((u64)T + X64_BIAS), "a"(glue.reenter) : "memory");
	__builtin_unreachable();
}

void cg_run(struct cg_result *r, const struct cg_seq *q)
{
	static unsigned long runs;

	cg_words(q);
	memset(T, 0x5a, X64_JCACHE_OFF);
	for (unsigned k = 0; k < CG_MAX + 2; k++)
		T->jcache[CG_CODE / 4 % X64_JCACHE_ENTRIES + k].pc = ~0ull;
	T->a64 = q->init;
	T->a64.pc = CG_CODE;
	T->pending = T->stepping = 0;
	T->host.views = 0;
	T->host.rstack_hi = (u64)T - 64;
	T->host.rstack_lo = (u64)T - (1 << 18);
	*(u64 *)T->host.rstack_hi = glue.underflow;
	T->host.g_rsp = T->host.rstack_hi;
	T->host.c_rsp = (u64)c_stack + sizeof(c_stack) - 64;
	for (unsigned k = 0; k < X64_FN_COUNT; k++)
		T->host.fn[k] = glue.fn[k];
	memcpy((void *)CG_WIN, q->mem, CG_WIN_SIZE);
	hot = hots[q->relative];
	hot_p = hot;
	cold_p = hot + HOT_SIZE;
	pool_p = hot + 2 * HOT_SIZE;
	nregion = first_region = 0;
	seq = q;
	res = r;
	step_at = 0;
	r->why = NULL;
	if (runs++ % 64 == 0)
		limit(2000);
	running = true;
	if (!sigsetjmp(out_of_code, 0))
		enter();
	running = false;
	load_mxcsr(0x1f80);
	r->s = T->a64;
	r->s.pc = r->pc;
	memcpy(r->mem, (void *)CG_WIN, CG_WIN_SIZE);
	if (r->stop == CG_CRASH && r->why && !strcmp(r->why, "does not end"))
		limit(2000);
}

void cg_dump(const char *file)
{
	FILE *f;
	char cmd[400];

	for (unsigned k = 0; k < nregion; k++) {
		const struct region *r = &regions[k];
		unsigned len[2] = { r->o.cg.code_len, r->o.cg.cold_len };
		const u8 *at[2] = { r->o.cg.code, r->o.cg.cold };

		for (unsigned n = 0; n < r->o.cg.nmap; n++)
			printf("  map %p insn %d flags_at %u%s\n", (void *)(r->o.cg.code + r->map[n].off),
			       (int)(cg_map_pc(&a64_guest, r->pc, &r->map[n]) - CG_CODE) / 4, r->map[n].flags_at,
			       r->map[n].inside ? " inside" : "");
		for (unsigned p = 0; p < 2; p++) {
			f = fopen(file, "wb");
			if (!f || !len[p])
				continue;
			fwrite(at[p], 1, len[p], f);
			fclose(f);
			snprintf(cmd, sizeof(cmd), "objdump -D -b binary -mi386:x86-64 -M intel --no-show-raw-insn "
				 "--adjust-vma=%p %s | sed 1,7d | head -%d", (const void *)at[p], file, p ? 40 : 150);
			fflush(stdout);
			if (system(cmd))
				return;
		}
	}
}
