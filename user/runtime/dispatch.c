// SPDX-License-Identifier: MIT
/*
 * What translated code calls when it needs the runtime: the other side of host/x64/glue.c. Each function runs on the
 * thread's C stack, with general registers in t->state and vector registers still in the host's. It returns the host
 * address to go on at.
 */
#include <linux/mman.h>
#include <asm/prctl.h>
#include <asm/unistd.h>

#include "guest/aarch64/state.h"
#include "ir/eval.h"
#include "runtime/client.h"
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/sys.h"
#include "runtime/uaccess.h"

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGSEGV 11
#define ILL_ILLOPC 1
#define TRAP_BRKPT 1
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2

/* --- going on ---------------------------------------------------------------------------------------------------- */

/* For RT_FLAG_TRACE, with which every region is one instruction and nothing is linked. */
static void trace(const struct rt_thread *t, u64 pc)
{
	u64 w, sum = 0;

	/* what is on the stack, summed up */
	for (unsigned k = 0; k < 64 && !rt_get_u64(&w, t->a64.x[31] + 8 * k); k++)
		sum = (sum + w) * 0x9e3779b97f4a7c15ull;
	rt_msg("trace pc %lx nzcv %x stack %lx", pc, x64_flags_to_nzcv(t->host.hflags) >> 28, sum);
	for (unsigned k = 0; k < 32; k += 4)
		rt_msg(" x%d %lx %lx %lx %lx", k, t->a64.x[k], t->a64.x[k + 1], t->a64.x[k + 2], t->a64.x[k + 3]);
}

static void remember(struct rt_thread *t, u64 pc, u8 *host)
{
	if (unlikely(rt.flags & RT_FLAG_TRACE)) {
		trace(t, pc);
		return;
	}
	struct x64_jcache_entry *e = &t->jcache[pc >> 2 & (X64_JCACHE_ENTRIES - 1)];

	e->host = (u64)host;
	e->pc = pc;
}

/* Is there memory at all at addr? */
static int fetch_code(u64 pc)
{
	u8 vec;

	return sys(__NR_mincore, pc & ~4095ull, 1, &vec) < 0 ? SEGV_MAPERR : SEGV_ACCERR;
}

/* The instruction at pc cannot be read, or must not be executed. Behind the end of a file it is SIGBUS. */
static void fetch_fault(struct rt_thread *t, u64 pc)
{
	int code = fetch_code(pc);

	if (code == SEGV_ACCERR && rt_mm_exec_avail(pc))
		rt_signal_raise(t, SIGBUS, BUS_ADRERR, pc, false);
	else
		rt_signal_raise(t, SIGSEGV, code, pc, false);
}

/*
 * Takes the lock, to look for pc. If an object is to have its code and has not, its worker is told first, and gets the time
 * that the client gives it: a view that is used here lives until this thread syncs.
 */
static void lock_for(struct rt_thread *t, u64 pc)
{
	struct rt_cache *c = rt.cache;
	struct rt_view *v;
	bool more = true;
	u8 first;

	if (unlikely(rt.code_waits) && rt_mm_exec_avail(pc))
		rt_get_u8(&first, pc);		/* who serves it may need the lock */
	rt_lock(&c->lock);
	for (unsigned n = 0; more && n < 4 && !rt_cache_peek(t, pc, &v) && v; n++) {
		rt_unlock(&c->lock);
		more = rt_client_miss(v->object, v->generation, (u32)(pc - v->x.text), (u32 *)&v->head->publish);
		rt_lock(&c->lock);
	}
}

static u64 go(struct rt_thread *t, u64 pc, bool direct)
{
	struct rt_cache *c = rt.cache;

	for (;;) {
		struct rt_entry *e;
		u64 host;

		t->a64.pc = pc;
		lock_for(t, pc);
		e = rt_cache_get(t, pc);
		rt_cache_sync(c, t);
		if (likely(e)) {
			host = (u64)e->host;
			if (!direct || e->needs_flags != CG_FLAGS_READ)
				remember(t, pc, e->host);
			rt_unlock(&c->lock);
			return host;
		}
		rt_unlock(&c->lock);
		fetch_fault(t, pc);
		rt_signal_deliver(t);
		pc = t->a64.pc;
	}
}

u64 rt_go(struct rt_thread *t, u64 pc)
{
	return go(t, pc, false);
}

/* What reads guest flags is not to be found in the jump cache by on_lookup's callers because of a direct exit. */
static u64 on_exit(void *p, u64 target)
{
	return go(p, target, true);
}

/* As go(), but what is there already is looked up once, under one lock: programs with more targets than a jump cache live here. */
static u64 on_lookup(void *p, u64 target)
{
	struct rt_thread *t = p;
	struct rt_cache *c = rt.cache;
	struct rt_view *missing;
	struct rt_entry *e;
	u64 host = 0;

	t->a64.pc = target;
	rt_lock(&c->lock);
	e = rt_cache_peek(t, target, &missing);
	if (likely(e && e->needs_flags != CG_FLAGS_READ)) {
		rt_cache_sync(c, t);
		host = (u64)e->host;
		remember(t, target, e->host);
	} else if (e) {
		/* the guest's flags are wanted by code that was reached by a call or return: what we took for dead was not */
		rt_cache_go_strict(c);
	}
	rt_unlock(&c->lock);
	return host ? host : rt_go(t, target);
}

static u64 on_lookup_strict(void *p, u64 target)
{
	rt_lock(&rt.cache->lock);
	rt_cache_go_strict(rt.cache);
	rt_unlock(&rt.cache->lock);
	return rt_go(p, target);
}

/* The guest's flags are in memory: this entry, and from now on one that saves them itself. */
static u64 on_lookup_flags(void *p, u64 target)
{
	struct rt_thread *t = p;
	struct rt_cache *c = rt.cache;
	struct rt_entry *e;
	u8 *host;

	lock_for(t, target);
	e = rt_cache_get(t, target);
	host = e && !(rt.flags & RT_FLAG_TRACE) ? rt_cache_flags_entry(c, e) : NULL;
	if (host) {
		struct x64_jflags_entry *j = &t->jflags[target >> 2 & (X64_JFLAGS_ENTRIES - 1)];

		j->host = (u64)host;
		j->neg_pc = 0 - target;
	}
	rt_unlock(&c->lock);
	return rt_go(t, target);
}

static u64 on_link(void *p, u64 target, u64 site)
{
	struct rt_thread *t = p;
	struct rt_cache *c = rt.cache;
	struct rt_entry *e;
	u64 host, epoch = t->epoch;

	t->a64.pc = target;
	lock_for(t, target);
	if (unlikely(((struct x64_site *)site)->flags & X64_SITE_STRICT))
		rt_cache_go_strict(c);
	e = rt_cache_get(t, target);
	rt_cache_sync(c, t);
	if (likely(e)) {
		if (unlikely(rt.flags & RT_FLAG_TRACE))
			trace(t, target);
		else if (likely(epoch == c->epoch))	/* else the site is in memory that may be used again */
			rt_cache_link(c, (struct x64_site *)site, e);
		host = (u64)e->host;
		rt_unlock(&c->lock);
		return host;
	}
	rt_unlock(&c->lock);
	return rt_go(t, target);
}

static u64 on_syscall(void *p, u64 next)
{
	struct rt_thread *t = p;
	bool changed;

	t->a64.pc = next;
	t->a64.excl_addr = A64_EXCL_NONE;	/* an exception return clears the monitor */
	t->idle = 1;
	changed = rt_syscall(t);
	__atomic_store_n(&t->idle, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);	/* pairs with past_epoch()'s barrier on all threads */
	if (likely(!changed)) {
		if (likely(t->epoch == __atomic_load_n(&rt.cache->epoch, __ATOMIC_RELAXED)))
			return 0;
		return rt_go(t, next);
	}
	rt_vecs_load(t);
	rt_flags_load(t);
	return rt_go(t, t->a64.pc);
}

static u64 on_pending(void *p)
{
	struct rt_thread *t = p;

	rt_signal_deliver(t);
	return rt_go(t, t->a64.pc);
}

static u64 on_reenter(void *p)
{
	struct rt_thread *t = p;

	rt_vecs_load(t);
	rt_flags_load(t);
	return rt_go(t, t->a64.pc);
}

/* Small numbers are not an instruction and never will be (UDF): somebody wanted the signal. */
static void report_undefined(u64 pc)
{
	u32 w;

	if (!rt_get_u32(&w, pc) && w >> 16)
		rt_client_report(RT_REPORT_INSN, w);
}

static u64 on_trap(void *p, u64 pc, u64 kind, u64 imm)
{
	struct rt_thread *t = p;

	(void)imm;
	t->a64.pc = pc;
	switch ((enum ir_trap)kind) {
	case IR_TRAP_UNDEF:
		report_undefined(pc);
		rt_signal_raise(t, SIGILL, ILL_ILLOPC, pc, false);
		break;
	case IR_TRAP_BRK:
		rt_signal_raise(t, SIGTRAP, TRAP_BRKPT, pc, false);
		break;
	case IR_TRAP_FETCH:
		fetch_fault(t, pc);
		break;
	case IR_TRAP_ALIGN:
		rt_signal_raise(t, SIGBUS, BUS_ADRALN, pc, false);
		break;
	}
	return rt_go(t, t->a64.pc);
}

static u64 on_interp(void *p, u64 pc)
{
	struct rt_thread *t = p;
	u64 addr = 0;

	t->a64.pc = pc;
	rt_vecs_save(t);
	rt_flags_save(t);
	switch (rt_eval_one(t, ~0ull, &addr)) {
	case RT_EVAL_FAULT:
		rt_signal_raise(t, SIGSEGV, SEGV_MAPERR, addr, true);
		break;
	case RT_EVAL_ALIGN:
		rt_signal_raise(t, SIGBUS, BUS_ADRALN, addr, true);
		break;
	case RT_EVAL_DONE:
	case RT_EVAL_OTHER:
		break;
	}
	rt_vecs_load(t);
	rt_flags_load(t);
	return rt_go(t, t->a64.pc);
}

/* --- calls from the middle of a block ---------------------------------------------------------------------------- */

static u64 counter(void)
{
	struct { s64 sec, nsec; } ts = { 0, 0 };

	/* CNTFRQ_EL0 says nanoseconds; CLOCK_MONOTONIC, as the guest's kernel would relate it */
	if (!rt.vdso_clock_gettime || rt.vdso_clock_gettime(1, &ts))
		sys(__NR_clock_gettime, 1, &ts);
	return (u64)ts.sec * 1000000000u + (u64)ts.nsec;
}

static u32 get_mxcsr(void)
{
	u32 m;

	__asm__ volatile("stmxcsr %0" : "=m"(m));
	return m;
}

static void set_mxcsr(u32 m)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(m));
}

/*
 * Modes that the host's units do not have are the evaluator's: exact, and slow. With DRAGOMAN_FZ=fast flushing (FZ, which -ffast-math
 * sets) is done on the host's, the evaluator behind traps on denormals: some 30 times faster, but infinity times a denormal is
 * infinity then, a result that rounds up to the smallest normal number is not flushed, and FPSR.IDC may be missing.
 */
static u32 is_strict(u64 fpcr)
{
	if (fpcr & (A64_FPCR_FZ16 | A64_FPCR_DN | A64_FPCR_AHP))
		return RT_FP_STRICT;
	if (!(fpcr & A64_FPCR_FZ))
		return RT_FP_HOST;
	if (!(rt.flags & RT_FLAG_FAST_FZ) || rt.cache->nslow_fp == ARRAY_SIZE(rt.cache->slow_fp))
		return RT_FP_STRICT;
	return RT_FP_FLUSH;
}

/*
 * MXCSR for FPCR and FPSR: rounding, everything masked but invalid operation, flags clear. Where the guest flushes, denormal
 * operands and underflow trap; and, as a trapping underflow leaves the inexact flag behind, which the guest is not to see,
 * inexact results trap as well until the guest's IXC is set anyway.
 */
static u32 mxcsr_of(const struct a64_state *s)
{
	static const u8 rc[4] = { 0, 2, 1, 3 };		/* RN RP RM RZ -> nearest, up, down, zero */
	u32 masks = 0x1f00;

	if (is_strict(s->fpcr) == RT_FP_FLUSH)
		masks = s->fpsr & A64_FPSR_IXC ? 0x1600 : 0x0600;
	return masks | (u32)rc[s->fpcr >> A64_FPCR_RMODE_SHIFT & 3] << 13;
}

u64 rt_fpsr_of_mxcsr(u32 mxcsr)
{
	u64 f = 0;

	f |= mxcsr & 1 ? A64_FPSR_IOC : 0;
	f |= mxcsr & 4 ? A64_FPSR_DZC : 0;
	f |= mxcsr & 8 ? A64_FPSR_OFC : 0;
	f |= mxcsr & 16 ? A64_FPSR_UFC : 0;
	f |= mxcsr & 32 ? A64_FPSR_IXC : 0;
	return f;
}

static void set_fpcr(struct rt_thread *t, u64 v)
{
	u32 strict;

	t->a64.fpcr = v & A64_FPCR_MASK;
	t->a64.fpsr |= rt_fpsr_of_mxcsr(get_mxcsr());
	set_mxcsr(mxcsr_of(&t->a64));
	strict = is_strict(t->a64.fpcr);
	if (strict == t->strict_fp)
		return;
	/* code made for the other mode must not be returned into, nor found by jumps */
	t->strict_fp = strict;
	t->host.views = (u64)rt_view_table(t);
	t->host.g_rsp = t->host.rstack_hi;
	rt_forget_jumps(t);
}

static u64 on_rtcall(void *p, u64 which, u64 a, u64 b, u64 pc)
{
	struct rt_thread *t = p;

	(void)b;
	t->a64.pc = pc;
	switch ((enum ir_rt)which) {
	case IR_RT_COUNTER:
		return counter();
	case IR_RT_GET_FPCR:
		return t->a64.fpcr;
	case IR_RT_SET_FPCR:
		set_fpcr(t, a);
		break;
	case IR_RT_GET_FPSR:
		return t->a64.fpsr | rt_fpsr_of_mxcsr(get_mxcsr());
	case IR_RT_SET_FPSR:
		t->a64.fpsr = a & A64_FPSR_MASK;
		set_mxcsr(mxcsr_of(&t->a64));
		break;
	case IR_RT_ICINVAL:
		rt_mm_code_changed(a & ~63ull, (a & ~63ull) + 64);
		break;
	case IR_RT_ISB:
		break;
	case IR_RT_YIELD:
		sys(__NR_sched_yield);
		break;
	case IR_RT_COUNT:
		break;
	}
	return 0;
}

static u32 crc32_iso(u32 acc, u64 v, unsigned bytes)
{
	for (unsigned n = 0; n < bytes; n++) {
		acc ^= (u8)(v >> 8 * n);
		for (unsigned k = 0; k < 8; k++)
			acc = acc >> 1 ^ (acc & 1 ? 0xedb88320u : 0);
	}
	return acc;
}

static void on_vop(void *p, const void *args)
{
	struct rt_thread *t = p;
	const struct ir_vop_args *op = args;
	v128 *s = t->host.scratch;
	struct ir_fpenv env = { .fpcr = t->a64.fpcr, .fpsr = t->a64.fpsr };

	if (op->op == IR_CRC32) {
		s[0].d[0] = crc32_iso(s[1].s[0], s[2].d[0], (unsigned)op->imm);
		return;
	}
	if (!ir_eval_vop(op, &s[0], &s[1], &s[2], &s[3], &env))
		rt_die(127, "internal error: operation %d cannot be evaluated", op->op);
	t->a64.fpsr = env.fpsr;
}

/* --- vectors and flags ------------------------------------------------------------------------------------------- */

void rt_vecs_save(struct rt_thread *t)
{
	rt.cache->glue.vecs_save(t);
	t->a64.fpsr |= rt_fpsr_of_mxcsr(get_mxcsr());
}

void rt_vecs_load(struct rt_thread *t)
{
	rt.cache->glue.vecs_load(t);
	set_mxcsr(mxcsr_of(&t->a64));
	if (is_strict(t->a64.fpcr) != t->strict_fp)
		set_fpcr(t, t->a64.fpcr);
}

void rt_flags_save(struct rt_thread *t)
{
	t->a64.nzcv = x64_flags_to_nzcv(t->host.hflags);
}

void rt_flags_load(struct rt_thread *t)
{
	t->host.hflags = x64_flags_from_nzcv(t->a64.nzcv);
}

/* --- threads ----------------------------------------------------------------------------------------------------- */

#define RSTACK_SIZE (256u << 10)
#define CSTACK_SIZE (128u << 10)
#define SIGSTACK_SIZE (64u << 10)
#define PAGE 4096u
#define RT_SIGQUEUE_SIZE 1024u		/* the signal queue lies below the signal stack (signal.h) */

static void set_gs(struct rt_thread *t)
{
	sys(__NR_arch_prctl, ARCH_SET_GS, &t->self);
}

struct rt_thread *rt_thread_alloc(void)
{
	/* [guard][return stack][thread][guard][C stack][signal stack] */
	size_t thread = ALIGN_UP(sizeof(struct rt_thread), (size_t)PAGE);
	size_t len = PAGE + RSTACK_SIZE + thread + PAGE + CSTACK_SIZE + SIGSTACK_SIZE;
	s64 p = sys(__NR_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct rt_thread *t;
	u8 *m = (u8 *)p;

	if (p < 0 && p > -4096)
		return NULL;
	sys(__NR_mprotect, m, PAGE, PROT_NONE);
	sys(__NR_mprotect, m + PAGE + RSTACK_SIZE + thread, PAGE, PROT_NONE);
	if (rt_mm_reserve((u64)m, (u64)m + len)) {
		sys(__NR_munmap, m, len);
		return NULL;
	}
	t = (struct rt_thread *)(m + PAGE + RSTACK_SIZE);
	t->self = t;
	t->map = m;
	t->map_size = len;
	t->c_stack_size = CSTACK_SIZE;
	t->c_stack_top = m + len - SIGSTACK_SIZE;
	t->sigstack = t->c_stack_top;
	t->sigstack_size = SIGSTACK_SIZE;
	t->a64.excl_addr = A64_EXCL_NONE;
	t->host.rstack_lo = (u64)m + PAGE;
	t->host.rstack_hi = (u64)t - 64;
	*(u64 *)t->host.rstack_hi = rt.cache->glue.underflow;
	t->host.g_rsp = t->host.rstack_hi;
	t->host.c_rsp = (u64)t->c_stack_top;
	t->host.hflags = x64_flags_from_nzcv(0);
	for (unsigned k = 0; k < X64_FN_COUNT; k++)
		t->host.fn[k] = rt.cache->glue.fn[k];
	t->host.views = (u64)rt_view_table(t);
	t->epoch = __atomic_load_n(&rt.cache->epoch, __ATOMIC_ACQUIRE);	/* it holds no address yet */
	/* entry 0 of the zeroed jump cache would match pc 0 */
	t->jcache[0].pc = ~0ull;
	t->jflags[0].neg_pc = 1;
	rt_lock(&rt.threads_lock);
	t->next = rt.threads;
	t->pprev = &rt.threads;
	if (t->next)
		t->next->pprev = &t->next;
	rt.threads = t;
	rt.nthreads++;
	rt_unlock(&rt.threads_lock);
	return t;
}

static void unlink_thread(struct rt_thread *t)
{
	rt_lock(&rt.threads_lock);
	*t->pprev = t->next;
	if (t->next)
		t->next->pprev = t->pprev;
	rt.nthreads--;
	rt_unlock(&rt.threads_lock);
}

void rt_thread_free(struct rt_thread *t)
{
	u8 *m = t->map;
	size_t len = t->map_size;

	unlink_thread(t);
	rt_mm_unreserve((u64)m, (u64)m + len);
	sys(__NR_munmap, m, len);
}

void rt_thread_free_self(struct rt_thread *t, int status)
{
	u8 *m = t->map;
	size_t len = t->map_size;
	struct { u64 sp; s32 flags; u32 pad; u64 size; } off = { .flags = 2 /* SS_DISABLE */ };
	u64 all = ~0ull;

	unlink_thread(t);
	/* no handler may run on what is about to go */
	sys(__NR_rt_sigprocmask, 0, &all, 0, 8);
	sys(__NR_sigaltstack, &off, 0);
	rt_mm_unreserve((u64)m, (u64)m + len);
	__asm__ volatile("syscall\n\t"
			 "mov %[nr], %%eax\n\t"
			 "mov %[status], %%edi\n\t"
			 "syscall\n\t"
			 "ud2"
			 :
			 : "a"(__NR_munmap), "D"(m), "S"(len), [nr] "i"(__NR_exit), [status] "r"(status)
			 : "rcx", "r11", "memory");
	__builtin_unreachable();
}

void rt_thread_install(struct rt_thread *t)
{
	struct { u64 sp; s32 flags; u32 pad; u64 size; } ss = { .sp = (u64)t->sigstack + RT_SIGQUEUE_SIZE,
								   .size = t->sigstack_size - RT_SIGQUEUE_SIZE };

	set_gs(t);
	sys(__NR_sigaltstack, &ss, 0);
}

void rt_thread_run(struct rt_thread *t)
{
	__asm__ volatile("mov %0, %%rbp\n\t"
			 "jmp *%1"
			 : : "r"((u64)t + X64_BIAS), "a"(rt.cache->glue.reenter) : "memory");
	__builtin_unreachable();
}

/* --- start, fork ------------------------------------------------------------------------------------------------- */

static u32 find_hi16(void)
{
	u32 a = 0xd, b, c = 7, d;

	if (!(rt.features & HOST_AVX512))
		return 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b;
}

int rt_core_init(void)
{
	static const struct x64_glue_calls calls = {
		.link = on_link, .lookup = on_lookup, .lookup_flags = on_lookup_flags,
		.lookup_strict = on_lookup_strict, .exit = on_exit, .syscall = on_syscall, .rtcall = on_rtcall, .trap = on_trap,
		.interp = on_interp, .vop = on_vop, .pending = on_pending, .reenter = on_reenter,
		.pending_off = offsetof(struct rt_thread, sig_pending), .stepping_off = offsetof(struct rt_thread, stepping),
	};
	int err = rt_cache_init();
	struct rt_chunk *k;

	if (err)
		return err;
	k = &rt.cache->chunk[0];
	x64_glue_make(&rt.cache->glue, k->hot, rt.guest, rt.features, &calls);
	rt.cache->glue_lo = (u64)k->hot;
	rt.cache->glue_hi = rt.cache->glue.end;
	k->hot = k->hot_start = (u8 *)ALIGN_UP(rt.cache->glue.end, 64ull);
	rt.cache->xsave_hi16 = ~0u;
	return 0;
}

/* Where a signal frame holds xmm16-31, from its start. Asked late: CPUID costs microseconds in a virtual machine. */
u32 rt_xsave_hi16(void)
{
	if (rt.cache->xsave_hi16 == ~0u)
		rt.cache->xsave_hi16 = find_hi16();
	return rt.cache->xsave_hi16;
}

void rt_core_before_fork(void)
{
	rt_lock(&rt.cache->lock);
	rt_lock(&rt.threads_lock);
}

void rt_core_after_fork_parent(void)
{
	rt_unlock(&rt.threads_lock);
	rt_unlock(&rt.cache->lock);
}

/* Only the calling thread is left; the others' blocks are freed. */
void rt_core_after_fork(struct rt_thread *t)
{
	struct rt_thread *o, *next;

	rt.cache->lock = rt.threads_lock = 0;
	for (o = rt.threads; o; o = next) {
		next = o->next;
		if (o != t) {
			u8 *m = o->map;
			size_t len = o->map_size;

			sys(__NR_munmap, m, len);
			rt_mm_unreserve((u64)m, (u64)m + len);
		}
	}
	rt.threads = t;
	t->next = NULL;
	t->pprev = &rt.threads;
	rt.nthreads = 1;
}
