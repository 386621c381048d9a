// SPDX-License-Identifier: MIT
/*
 * Between a host signal's context and the guest's state; and faults in translated code that are ours to answer.
 */
#include "codegen/host.h"
#include "ir/build.h"
#include "ir/eval.h"
#include "runtime/core.h"
#include "runtime/uaccess.h"
#include "runtime/ucontext.h"

#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGSEGV 11
#define SEGV_MAPERR 1
#define PF_FETCH 16		/* a page fault's error code: an instruction was fetched */
#define BUS_ADRALN 1

bool rt_context_at_boundary(struct rt_thread *t, const struct rt_ucontext *uc)
{
	struct rt_region tmp, *r = rt_cache_region_at(uc->mc.rip, &tmp);
	const struct cg_map *m;

	(void)t;
	if (!r)
		return false;
	m = rt_region_map(r, uc->mc.rip);
	return (u64)r->hot + m->off == uc->mc.rip && !m->inside;
}

/* Host register number -> its place in the context. */
static u64 *gpr(struct rt_ucontext *uc, unsigned reg)
{
	struct rt_mcontext *m = &uc->mc;
	u64 *const at[16] = { &m->rax, &m->rcx, &m->rdx, &m->rbx, &m->rsp, &m->rbp, &m->rsi, &m->rdi,
			      &m->r8, &m->r9, &m->r10, &m->r11, &m->r12, &m->r13, &m->r14, &m->r15 };

	return at[reg];
}

static void vectors_from(struct rt_thread *t, const struct rt_ucontext *uc, const u8 *home)
{
	const struct rt_fpstate *f = uc->mc.fpstate;
	u32 hi = 0;

	if (f->magic1 == RT_FP_XSTATE_MAGIC1 && (rt.features & HOST_AVX512))
		hi = rt_xsave_hi16();
	for (unsigned s = 0; s < rt.guest->nslots; s++) {
		v128 *v;

		if (home[s] == 0xff || rt.guest->slot[s].kind != GUEST_SLOT_VEC)
			continue;
		v = (v128 *)(t->state + rt.guest->slot[s].offset);
		if (home[s] < 16)
			*v = f->xmm[home[s]];
		else if (hi && (f->xfeatures >> 7 & 1))
			*v = *(const v128 *)((const u8 *)f + hi + 64 * (home[s] - 16));
		else
			*v = (v128){ .d = { 0, 0 } };	/* in its initial state */
	}
	t->a64.fpsr |= rt_fpsr_of_mxcsr(f->mxcsr);
}

static u32 eflags_to_nzcv(u64 e, u8 kind)
{
	u32 cf = e & 1, pf = e >> 2 & 1, zf = e >> 6 & 1, sf = e >> 7 & 1, of = e >> 11 & 1, n, z, c, v;

	if (kind == CG_FLAGS_FCMP || kind == CG_FLAGS_FCMP_SWAP) {
		bool less = kind == CG_FLAGS_FCMP ? cf && !pf : !cf && !zf;

		n = less;
		z = zf && !pf;
		c = !less;
		v = pf;
	} else {
		n = sf;
		z = zf;
		c = kind == CG_FLAGS_ADD ? cf : !cf;
		v = of;
	}
	return n << 31 | z << 30 | c << 29 | v << 28;
}

void rt_context_to_state(struct rt_thread *t, const struct rt_ucontext *ucp)
{
	struct rt_ucontext *uc = (struct rt_ucontext *)ucp;
	struct rt_region tmp, *r = rt_cache_region_at(uc->mc.rip, &tmp);
	u8 home[96];

	x64_homes(rt.guest, rt.features, home);
	for (unsigned s = 0; s < rt.guest->nslots; s++)
		if (home[s] != 0xff && rt.guest->slot[s].kind == GUEST_SLOT_INT)
			*(u64 *)(t->state + rt.guest->slot[s].offset) = *gpr(uc, home[s]);
	vectors_from(t, uc, home);
	t->host.g_rsp = uc->mc.rsp;
	rt_flags_save(t);
	if (r) {
		const struct cg_map *m = rt_region_map(r, uc->mc.rip);

		t->a64.pc = cg_map_pc(rt.guest, r->pc, m);
		if (m->flags_at != CG_FLAGS_MEM && m->flags_at != CG_FLAGS_DEAD)
			t->a64.nzcv = eflags_to_nzcv(uc->mc.eflags, m->flags_at);
	}
}

void rt_context_resume(struct rt_thread *t, struct rt_ucontext *uc)
{
	uc->mc.rip = rt.cache->glue.reenter;
	uc->mc.rbp = (u64)t + X64_BIAS;
	uc->mc.rsp = t->host.c_rsp;
	uc->mc.eflags &= ~(RT_EFLAGS_TF | 1ull << 10);
}

/* --- single evaluation ------------------------------------------------------------------------------------------- */

struct eval_ctx {
	u64 mask;
};

static int ev_load(void *ctx, u64 addr, void *buf, unsigned size)
{
	return rt_copy_from_user(buf, addr & ((struct eval_ctx *)ctx)->mask, size);
}

static int ev_store(void *ctx, u64 addr, const void *buf, unsigned size)
{
	return rt_copy_to_user(addr & ((struct eval_ctx *)ctx)->mask, buf, size);
}

static int ev_cas(void *ctx, u64 addr, unsigned size, const void *expected, const void *desired, void *old)
{
	return rt_cas_user(addr & ((struct eval_ctx *)ctx)->mask, size, expected, desired, old);
}

/* Exclusives, and pairs of registers that are exchanged, fault when not aligned to their size; nothing else does. */
static bool misaligned(const struct ir_inst *i, u64 addr)
{
	switch (i->op) {
	case IR_LDX: case IR_LDX128: case IR_STX128: case IR_CAS128:
		return addr & ((i->aux & IR_MEM_SIZE) - 1);
	}
	return false;
}

enum rt_eval_result rt_eval_one(struct rt_thread *t, u64 mask, u64 *fault_addr)
{
	struct ir_inst inst[256];
	u64 vconst[64];
	struct ir_block block = { .first = 0 };
	struct ir_region r = { .inst = inst, .block = &block, .vconst = vconst, .nblock = 1, .max_inst = 256, .max_block = 1,
			       .max_vconst = 64 };
	v128 scratch[256];
	struct eval_ctx ctx = { mask };
	struct ir_eval_env env = { .ctx = &ctx, .load = ev_load, .store = ev_store, .cas = ev_cas };
	u64 pc = t->a64.pc;
	unsigned len = 4;

	rt.guest->lift(&r, pc, (const void *)pc, &len);
	if (r.overflow)
		return RT_EVAL_OTHER;
	switch (ir_eval(&r, 0, r.ninst, rt.guest, t->state, &env, scratch, &pc)) {
	case IR_EVAL_GOTO:
		t->a64.pc = pc;
		return RT_EVAL_DONE;
	case IR_EVAL_END:
		t->a64.pc += len;
		return RT_EVAL_DONE;
	case IR_EVAL_FAULT:
		*fault_addr = env.fault_addr;
		return misaligned(env.stop, env.fault_addr) ? RT_EVAL_ALIGN : RT_EVAL_FAULT;
	case IR_EVAL_SYSCALL:
	case IR_EVAL_TRAP:
	case IR_EVAL_UNSUPPORTED:
		break;
	}
	return RT_EVAL_OTHER;
}

/* --- faults ------------------------------------------------------------------------------------------------------ */

/* The return stack is full: forget it. Returns then find their way by look-up. */
static bool return_stack_overflow(struct rt_thread *t, u64 addr, struct rt_ucontext *uc)
{
	if (addr >= t->host.rstack_lo || addr < t->host.rstack_lo - 4096)
		return false;
	uc->mc.rsp = t->host.rstack_hi;
	return true;
}

/* An address with bits in its top byte (top-byte-ignore): not canonical here, so #GP. The evaluator masks them off. */
static bool tagged_address(struct rt_thread *t, struct rt_ucontext *uc)
{
	u64 addr = 0;

	rt_context_to_state(t, uc);
	switch (rt_eval_one(t, ~0ull >> 8, &addr)) {
	case RT_EVAL_DONE:
		break;
	case RT_EVAL_FAULT:
		rt_signal_raise(t, SIGSEGV, SEGV_MAPERR, addr, true);
		break;
	case RT_EVAL_ALIGN:
		rt_signal_raise(t, SIGBUS, BUS_ADRALN, addr, true);
		break;
	case RT_EVAL_OTHER:
		return false;
	}
	rt_context_resume(t, uc);
	return true;
}

/*
 * Floating point that the host's unit does differently: an operation that makes a default NaN, reads a signalling NaN or
 * converts out of range. A place that does so often is made again, with the evaluator inline.
 */
#define TRAPS 8
#define SHARED_TRAPS 200		/* it costs all of the object's code */

static bool fp_invalid(struct rt_thread *t, struct rt_ucontext *uc)
{
	struct rt_cache *c = rt.cache;
	struct rt_region tmp, *r = rt_cache_region_at(uc->mc.rip, &tmp);
	u64 pc, addr;
	u32 h;

	/* IE, or DE and UE, stand for this trap only: the guest's flags come from the evaluation */
	uc->mc.fpstate->mxcsr &= t->strict_fp == RT_FP_FLUSH ? ~0x13u : ~1u;
	if (!(uc->mc.fpstate->mxcsr & 0x1000))		/* and PE where inexact results trap (mxcsr_of in dispatch.c) */
		uc->mc.fpstate->mxcsr &= ~0x20u;
	rt_context_to_state(t, uc);
	pc = t->a64.pc;
	if (rt_eval_one(t, ~0ull, &addr) != RT_EVAL_DONE)
		return false;
	h = (u32)(pc >> 2 & (ARRAY_SIZE(c->trap_pc) - 1));
	if (c->trap_pc[h] != pc) {
		c->trap_pc[h] = pc;
		c->trap_count[h] = 0;
	}
	if (++c->trap_count[h] == (r && r->view ? SHARED_TRAPS : TRAPS) && r) {
		rt_lock(&c->lock);
		if (c->nslow_fp < ARRAY_SIZE(c->slow_fp)) {
			c->slow_fp[c->nslow_fp++] = pc;
			rt_region_kill(c, r);
		}
		rt_unlock(&c->lock);
	}
	rt_context_resume(t, uc);
	return true;
}

static bool at_return_site(const struct rt_region *r, u64 at)
{
	for (unsigned n = 0; n < r->nretsite; n++)
		if ((u64)r->hot + r->retsite[n] == at)
			return true;
	return false;
}

/* On from rip by look-up: at a return site of r rax holds where the guest returns to; else it is a boundary. */
static void leave(struct rt_thread *t, const struct rt_region *r, struct rt_ucontext *uc)
{
	bool returns = at_return_site(r, uc->mc.rip);
	u64 pc = uc->mc.rax;

	t->stepping = 0;
	uc->mc.eflags &= ~RT_EFLAGS_TF;
	rt_context_to_state(t, uc);
	if (returns) {
		rt_flags_save(t);
		t->a64.pc = pc;
	}
	rt_context_resume(t, uc);
}

/* INT3 in code that is not to run. The code may have come back to life since, which does no harm. */
static bool invalidated(struct rt_thread *t, struct rt_ucontext *uc)
{
	struct rt_region tmp, *r = rt_cache_region_at(uc->mc.rip - 1, &tmp);

	if (!r)
		return false;
	uc->mc.rip--;
	leave(t, r, uc);
	return true;
}

/* Shared code that is not executable any more (retire.c). */
static bool retired(struct rt_thread *t, u64 addr, struct rt_ucontext *uc)
{
	struct rt_region tmp, *r = rt_cache_region_at(uc->mc.rip, &tmp);

	if (!(uc->mc.err & PF_FETCH))
		return false;
	if (addr != uc->mc.rip || !r || !(at_return_site(r, addr) || rt_context_at_boundary(t, uc)))
		return rt_view_finish(addr);
	leave(t, r, uc);
	return true;
}

bool rt_core_fault(struct rt_thread *t, int sig, const void *siginfo, struct rt_ucontext *uc)
{
	const struct { s32 signo, err, code, pad; u64 addr; } *info = siginfo;

	switch (sig) {
	case SIGSEGV:
		if (return_stack_overflow(t, info->addr, uc) || retired(t, info->addr, uc))
			return true;
		/* SI_KERNEL with no address: #GP */
		return info->code == 0x80 && tagged_address(t, uc);
	case SIGFPE:
		return fp_invalid(t, uc);
	case SIGTRAP:
		return invalidated(t, uc);
	}
	return false;
}
