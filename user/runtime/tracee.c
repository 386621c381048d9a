// SPDX-License-Identifier: MIT
/*
 * The traced side of ptrace among guests: see trace.h. In: rt_trace.flags, which the tracer has set. Out: stops.
 */
#include "runtime/client.h"
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/signal.h"
#include "runtime/syscall.h"
#include "runtime/trace.h"
#include "runtime/uaccess.h"

#define SIGILL_ 4
#define SIGTRAP_ 5
#define SIGBUS_ 7
#define SIGSEGV_ 11
#define NR_EXECVE 221

/* The tracer may have written code while the thread was stopped, here or in the kernel. */
static void look_at_code(struct rt_trace *tr)
{
	if (!(tr->flags & RT_TRACE_POKED))
		return;
	tr->flags &= ~RT_TRACE_POKED;
	rt_invalidate(0, RT_GUEST_END);
	rt_view_stop();
	rt_client_stop();
}

/*
 * Stops, with all of the guest's state in t->state. The signal that the tracer wants delivered; without a tracer (it has gone
 * meanwhile) the handler of SIGTRAP clears the flags, and the signal is the one of the stop. info: as rt_trace.info, or 0.
 */
static int stop(struct rt_thread *t, u32 kind, u64 info)
{
	struct rt_trace *tr = &RT_LX(t)->trace;

	tr->info = info;
	tr->resume_sig = kind == RT_STOP_SIGNAL ? (u32)((const struct rt_siginfo *)info)->signo : 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tr->kind = kind;
	__asm__ volatile("int3" ::: "memory");
	tr->kind = 0;
	look_at_code(tr);
	return (int)tr->resume_sig;
}

/* The same where vector registers are still in the host's: they are up to date in both places afterwards. */
static void stop_live(struct rt_thread *t, u32 kind, u64 info, bool *dirty)
{
	rt_vecs_save(t);
	rt_flags_save(t);
	stop(t, kind, info);
	*dirty = RT_LX(t)->trace.flags & RT_TRACE_DIRTY;
	if (*dirty) {
		rt_vecs_load(t);
		rt_flags_load(t);
		RT_LX(t)->trace.flags &= ~RT_TRACE_DIRTY;
	}
}

s64 rt_trace_enter(struct rt_thread *t, u64 nr)
{
	bool dirty;

	RT_LX(t)->trace.nr = (s64)nr;
	if (RT_LX(t)->trace.flags & RT_TRACE_SYSCALLS)
		stop_live(t, RT_STOP_ENTRY, 0, &dirty);
	return RT_LX(t)->trace.nr;
}

bool rt_trace_seccomp(struct rt_thread *t, u32 data)
{
	struct rt_trace *tr = &RT_LX(t)->trace;
	bool dirty;

	if (!(tr->flags & RT_TRACE_SECCOMP))
		return false;
	stop_live(t, RT_STOP_SECCOMP, data, &dirty);
	return tr->flags & RT_TRACE_ON;
}

bool rt_trace_leave(struct rt_thread *t)
{
	struct rt_trace *tr = &RT_LX(t)->trace;
	bool dirty = false, step = tr->flags & RT_TRACE_STEP;

	look_at_code(tr);
	if (tr->flags & RT_TRACE_SYSCALLS && tr->nr != RT_TRACE_NR_CHILD)
		stop_live(t, RT_STOP_EXIT, 0, &dirty);
	if (step && tr->flags & RT_TRACE_STEP) {
		tr->flags &= ~RT_TRACE_STEP;
		stop_live(t, RT_STOP_STEP, 0, &dirty);
	}
	if (!(tr->flags & RT_TRACE_STEP) && !dirty)
		return false;
	rt_trace_steps(t, false);
	rt_vecs_save(t);
	rt_flags_save(t);
	return true;
}

int rt_trace_fault(struct rt_thread *t, const struct rt_siginfo *info)
{
	int sig = stop(t, RT_STOP_SIGNAL, (u64)info);

	/* state is what counts from here */
	return sig;
}

void rt_trace_exec(struct rt_thread *t, u64 at)
{
	struct rt_trace *tr = &RT_LX(t)->trace;
	u64 x8 = t->a64.x[8];

	tr->flags = RT_TRACE_ON;
	t->a64.x[8] = tr->nr = NR_EXECVE;
	stop(t, at & RT_AT_TRACED_EVENT ? RT_STOP_EXEC : RT_STOP_EXEC_TRAP, at >> RT_AT_TRACED_FORMER);
	if (tr->flags & RT_TRACE_SYSCALLS)
		stop(t, RT_STOP_EXIT, 0);
	if (!(tr->flags & RT_TRACE_DIRTY))
		t->a64.x[8] = x8;
	rt_trace_steps(t, true);
}

/* --- single steps ------------------------------------------------------------------------------------------------------ */

#define IS_SVC(w) (((w) & 0xffe0001fu) == 0xd4000001u)
#define IS_BRK(w) (((w) & 0xffe0001fu) == 0xd4200000u)

/* The instruction at state.pc, with everything in t->state before and after. */
static void one_instruction(struct rt_thread *t)
{
	u64 pc = t->a64.pc, addr = 0;
	u32 w = 0;

	if (rt_mm_exec_avail(pc) < 4 || rt_get_u32(&w, pc)) {
		rt_signal_raise(t, SIGSEGV_, 1, pc, true);
		return;
	}
	if (IS_SVC(w)) {
		t->a64.pc = pc + 4;
		t->a64.excl_addr = A64_EXCL_NONE;
		rt_vecs_load(t);
		rt_flags_load(t);
		rt_syscall(t);
		return;
	}
	switch (rt_eval_one(t, ~0ull >> 8, &addr)) {
	case RT_EVAL_DONE:
		break;
	case RT_EVAL_FAULT:
		rt_signal_raise(t, SIGSEGV_, 1, addr, true);
		break;
	case RT_EVAL_ALIGN:
		rt_signal_raise(t, SIGBUS_, 1, addr, true);
		break;
	case RT_EVAL_OTHER:
		rt_signal_raise(t, IS_BRK(w) ? SIGTRAP_ : SIGILL_, 1, pc, true);
		break;
	}
}

void rt_trace_steps(struct rt_thread *t, bool vecs_in_state)
{
	struct rt_trace *tr = &RT_LX(t)->trace;

	look_at_code(tr);
	if (!(tr->flags & RT_TRACE_STEP)) {
		if (tr->flags & RT_TRACE_DIRTY && !vecs_in_state) {
			rt_vecs_load(t);
			rt_flags_load(t);
		}
		tr->flags &= ~RT_TRACE_DIRTY;
		return;
	}
	if (!vecs_in_state && !(tr->flags & RT_TRACE_DIRTY)) {
		rt_vecs_save(t);
		rt_flags_save(t);
	}
	while (tr->flags & RT_TRACE_STEP) {
		tr->flags &= ~(RT_TRACE_STEP | RT_TRACE_DIRTY);
		one_instruction(t);
		stop(t, RT_STOP_STEP, 0);
	}
	tr->flags &= ~RT_TRACE_DIRTY;
	if (!vecs_in_state) {
		rt_vecs_load(t);
		rt_flags_load(t);
	}
}
