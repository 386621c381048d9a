// SPDX-License-Identifier: MIT
/*
 * Signals: from the host's handler to the guest's.
 *
 * The host keeps what it is good at: dispositions SIG_DFL and SIG_IGN, stop and continue, pending signals, restarting
 * of system calls. The guest's mask is the host's, but for the five signals that faults raise. A signal with a guest
 * handler is caught here and, if the thread is not at a place where the guest's state is complete, waits in the thread's queue:
 * one at a time, because all others stay blocked until it is delivered.
 *
 * In: host signals, and faults that the core reports. Out: a frame on the guest's stack (sigframe.c), or the process's end.
 */
#include <asm/errno.h>
#include <asm/unistd.h>
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/signal.h"
#include "runtime/sys.h"
#include "runtime/uaccess.h"

enum { S_ILL = 4, S_TRAP = 5, S_BUS = 7, S_FPE = 8, S_SEGV = 11 };
#define H_DFL 0ull
#define H_IGN 1ull
#define SI_KERNEL_ 0x80
#define TRAP_PERF_ 6
/* What makes a thread sync: a signal that never is blocked, and that guests hardly send. */
#define NUDGE_SIGNAL S_ILL
#define SI_NUDGE (-0x6467)
#define SIG_BLOCK_ 0
#define SIG_UNBLOCK_ 1
#define SIG_SETMASK_ 2
#define SA_NOCLDSTOP_ 0x1ull
#define SA_NOCLDWAIT_ 0x2ull
#define SA_SIGINFO_ 0x4ull
#define SA_RESTORER_ 0x04000000ull
#define SA_ONSTACK_ 0x08000000ull
#define SA_RESTART_ 0x10000000ull
#define SA_NODEFER_ 0x40000000ull
#define SA_RESETHAND_ 0x80000000ull
#define SA_EXPOSE_TAGBITS_ 0x800ull
#define SA_KNOWN (SA_NOCLDSTOP_ | SA_NOCLDWAIT_ | SA_SIGINFO_ | SA_RESTORER_ | SA_ONSTACK_ | SA_RESTART_ | \
		  SA_NODEFER_ | SA_RESETHAND_ | SA_EXPOSE_TAGBITS_)
#define SA_MIRRORED (SA_RESTART_ | SA_NOCLDSTOP_ | SA_NOCLDWAIT_)

static struct rt_sig first_sig;		/* the dispositions that the process begins with: rt.sig */

static void host_handler(int sig, struct rt_siginfo *info, struct rt_ucontext *uc);

void rt_spin_lock(u32 *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		sys(__NR_sched_yield);
}

void rt_spin_unlock(u32 *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static bool is_sync(int sig)
{
	return sig <= S_SEGV && (RT_SYNC_SIGNALS & RT_SIGBIT(sig));
}

static struct rt_siginfo *sync_slot(struct rt_sigqueue *q, int sig)
{
	static const u8 slot[S_SEGV + 1] = { [S_ILL] = 0, [S_TRAP] = 1, [S_BUS] = 2, [S_FPE] = 3, [S_SEGV] = 4 };

	return &q->sync[slot[sig]];
}

/* --- the host's masks and dispositions ------------------------------------------------------------------------------ */

/* In a host handler the mask is the one in its context: it comes into force at the handler's end. */
static void set_host_mask(struct rt_thread *t, u64 mask)
{
	if (RT_LX(t)->uc)
		RT_LX(t)->uc->sigmask = mask;
	else
		sys(__NR_rt_sigprocmask, SIG_SETMASK_, &mask, 0, sizeof(mask));
}

static void host_disposition(int sig, u64 handler, u64 flags)
{
	struct a64_sigaction h = { .handler = handler, .flags = flags & SA_MIRRORED };

	if (handler > H_IGN) {
		h.flags |= SA_SIGINFO_ | SA_ONSTACK_ | SA_RESTORER_;
		h.mask = RT_ALL_BLOCKABLE;
		/* A fault in a guest access of the handler's own has to come through. */
		if (is_sync(sig))
			h.flags |= SA_NODEFER_;
		h.restorer = (u64)rt_sigreturn_host;
	}
	sys(__NR_rt_sigaction, sig, &h, 0, sizeof(h.mask));
}

/* The host's action for a guest's. A guest that ignores a synchronous signal still needs our handler; sent ones must not interrupt. */
static void mirror(int sig, const struct a64_sigaction *act)
{
	if (is_sync(sig))
		host_disposition(sig, (u64)host_handler, act->handler > H_IGN ? act->flags : SA_RESTART_);
	else
		host_disposition(sig, act->handler > H_IGN ? (u64)host_handler : act->handler, act->flags);
}

/* Has a synchronous signal been sent that the guest does not block? */
static bool sync_ready(struct rt_thread *t)
{
	return unlikely(RT_LX(t)->sync_sent) && RT_SIGQUEUE(t)->sync_pending & ~t->sigmask;
}

s64 rt_signal_set_mask(struct rt_thread *t, u64 mask)
{
	u64 host;
	u64 args[6] = { SIG_SETMASK_, (u64)&host, 0, sizeof(host) };

	mask &= ~RT_UNBLOCKABLE;
	host = rt_host_mask(mask);
	if (rt_safe_syscall(&t->sig_pending, __NR_rt_sigprocmask, args) == -RT_ERESTARTSYS)
		return -RT_ERESTARTSYS;
	t->sigmask = mask;
	if (sync_ready(t))
		t->sig_pending = 1;
	return 0;
}

s64 rt_signal_hold(struct rt_thread *t)
{
	u64 all = RT_ALL_BLOCKABLE;

	sys(__NR_rt_sigprocmask, SIG_BLOCK_, &all, 0, sizeof(all));
	/* Caught before: its handler has blocked all already, and delivery unblocks. */
	return t->sig_pending ? -RT_ERESTARTSYS : 0;
}

void rt_signal_unhold(struct rt_thread *t)
{
	u64 mask = rt_host_mask(t->sigmask);

	sys(__NR_rt_sigprocmask, SIG_SETMASK_, &mask, 0, sizeof(mask));
}

void rt_signal_temp_begin(struct rt_thread *t, u64 mask)
{
	t->saved_sigmask = t->sigmask;
	t->have_saved_sigmask = 1;
	t->sigmask = mask & ~RT_UNBLOCKABLE;
	if (sync_ready(t))
		t->sig_pending = 1;
}

/*
 * As in the kernel, a handler whose signal ended the call runs with the temporary mask (and its own), and the mask from before
 * is put into its frame. In any other case the mask from before is back now.
 */
s64 rt_signal_temp_end(struct rt_thread *t, s64 ret)
{
	if (ret == -RT_ERESTARTSYS && sync_ready(t))
		return -EINTR;
	if (ret == -EINTR && t->sig_pending)
		return ret;
	t->sigmask = t->saved_sigmask;
	t->have_saved_sigmask = 0;
	return ret;
}

const struct rt_siginfo *rt_signal_sync_info(struct rt_thread *t, int sig)
{
	return sync_slot(RT_SIGQUEUE(t), sig);
}

void rt_signal_action(struct rt_thread *t, int sig, const struct a64_sigaction *act, struct a64_sigaction *old)
{
	struct rt_sig *s = RT_LX(t)->sig;
	struct a64_sigaction *slot = &s->act[sig - 1], host;

	rt_spin_lock(&s->lock);
	*old = *slot;
	/* Inherited SIG_IGN is the host's knowledge. */
	if (old->handler == H_DFL && !is_sync(sig) && !sys(__NR_rt_sigaction, sig, 0, &host, sizeof(host.mask)) &&
	    host.handler == H_IGN)
		old->handler = H_IGN;
	if (act) {
		*slot = *act;
		slot->flags &= SA_KNOWN;
		slot->mask &= ~RT_UNBLOCKABLE;
		mirror(sig, slot);
	}
	rt_spin_unlock(&s->lock);
}

/* --- delivery ------------------------------------------------------------------------------------------------------- */

static struct a64_sigaction action(struct rt_thread *t, int sig)
{
	struct rt_sig *s = RT_LX(t)->sig;
	struct a64_sigaction act;

	rt_spin_lock(&s->lock);
	act = s->act[sig - 1];
	rt_spin_unlock(&s->lock);
	return act;
}

static void reset_action(struct rt_thread *t, int sig)
{
	struct rt_sig *s = RT_LX(t)->sig;

	rt_spin_lock(&s->lock);
	s->act[sig - 1].handler = H_DFL;
	mirror(sig, &s->act[sig - 1]);
	rt_spin_unlock(&s->lock);
}

/*
 * The kernel does the default action best: with its default disposition, unblocked and sent again to this thread. Comes
 * back if the action was to stop and continue, or to ignore: as init of a namespace ignores whatever it is sent and has no
 * handler for. A fault is its end all the same.
 */
void rt_signal_default(struct rt_thread *t, const struct rt_siginfo *info)
{
	u64 bit = RT_SIGBIT(info->signo), old;
	s64 pid = sys(__NR_getpid), tid = sys(__NR_gettid);

	if (is_sync(info->signo))
		host_disposition(info->signo, H_DFL, 0);
	if (sys(__NR_rt_tgsigqueueinfo, pid, tid, info->signo, info) < 0)
		sys(__NR_tgkill, pid, tid, info->signo);
	sys(__NR_rt_sigprocmask, SIG_UNBLOCK_, &bit, &old, sizeof(bit));
	if (is_sync(info->signo)) {
		struct a64_sigaction act = action(t, info->signo);

		if (info->code > 0)
			sys(__NR_exit_group, 128 + info->signo);
		mirror(info->signo, &act);
	}
	sys(__NR_rt_sigprocmask, SIG_SETMASK_, &old, 0, sizeof(old));
}

static void need_vecs(struct rt_thread *t, bool *vecs_in_state)
{
	if (*vecs_in_state)
		return;
	rt_vecs_save(t);
	rt_flags_save(t);
	*vecs_in_state = true;
}

static void deliver_one(struct rt_thread *t, const struct rt_siginfo *info, bool forced, bool *vecs_in_state);

/* No room for a frame: SIGSEGV, and if that was it, the end. */
static void frame_failed(struct rt_thread *t, int sig, bool *vecs_in_state)
{
	struct rt_siginfo segv = { .signo = S_SEGV, .code = SI_KERNEL_ };

	if (sig == S_SEGV)
		reset_action(t, S_SEGV);
	deliver_one(t, &segv, true, vecs_in_state);
}

/* forced: a fault; it cannot wait and not be ignored. */
static void deliver_one(struct rt_thread *t, const struct rt_siginfo *info, bool forced, bool *vecs_in_state)
{
	int sig = info->signo;
	struct a64_sigaction act = action(t, sig);
	u64 mask = t->have_saved_sigmask ? t->saved_sigmask : t->sigmask;

	if (forced && (act.handler == H_IGN || t->sigmask & RT_SIGBIT(sig))) {
		reset_action(t, sig);
		act.handler = H_DFL;
	}
	if (act.handler == H_IGN)
		return;
	if (act.handler == H_DFL) {
		rt_signal_default(t, info);
		return;
	}
	need_vecs(t, vecs_in_state);
	if (rt_sigframe_push(t, info, &act, mask)) {
		frame_failed(t, sig, vecs_in_state);
		return;
	}
	t->have_saved_sigmask = 0;
	t->sigmask |= act.mask | (act.flags & SA_NODEFER_ ? 0 : RT_SIGBIT(sig));
	if (act.flags & SA_RESETHAND_)
		reset_action(t, sig);
	if (t->altstack.flags & RT_SS_AUTODISARM) {
		t->altstack.sp = t->altstack.size = 0;
		t->altstack.flags = RT_SS_DISABLE;
	}
}

/* The next signal that may be delivered. */
static bool dequeue(struct rt_thread *t, struct rt_siginfo *info)
{
	struct rt_sigqueue *q = RT_SIGQUEUE(t);
	u64 ready = q->sync_pending & ~t->sigmask;

	if (ready) {
		int sig = __builtin_ctzll(ready) + 1;

		*info = *sync_slot(q, sig);
		q->sync_pending &= ~RT_SIGBIT(sig);
		return true;
	}
	if (!q->have_async)
		return false;
	*info = q->async;
	q->have_async = 0;
	return true;
}

static void deliver_all(struct rt_thread *t, bool vecs_in_state)
{
	bool caller_in_state = vecs_in_state;
	struct rt_siginfo info;

	do {
		t->sig_pending = 0;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		while (dequeue(t, &info))
			deliver_one(t, &info, false, &vecs_in_state);
		if (t->have_saved_sigmask) {
			t->sigmask = t->saved_sigmask;
			t->have_saved_sigmask = 0;
		}
		set_host_mask(t, rt_host_mask(t->sigmask));
	} while (t->sig_pending);
	if (unlikely(RT_LX(t)->trace.flags & (RT_TRACE_STEP | RT_TRACE_POKED)))
		rt_trace_steps(t, caller_in_state);
}

void rt_signal_deliver(struct rt_thread *t)
{
	deliver_all(t, false);
}

/* A tracer sees the fault first, and may have it forgotten or changed. False: nothing is to be delivered. */
static bool tracer_agrees(struct rt_thread *t, const struct rt_siginfo **info, struct rt_siginfo *other, bool *vecs_in_state)
{
	int sig;

	need_vecs(t, vecs_in_state);
	sig = rt_trace_fault(t, *info);
	if (sig && sig != (*info)->signo) {
		*other = (struct rt_siginfo){ .signo = sig };
		*info = other;
	}
	return sig;
}

void rt_signal_force(struct rt_thread *t, const struct rt_siginfo *info, bool vecs_in_state)
{
	bool in_state = vecs_in_state;
	struct rt_siginfo other;

	if (likely(!RT_LX(t)->trace.flags) || tracer_agrees(t, &info, &other, &in_state))
		deliver_one(t, info, true, &in_state);
	/* A signal in flight keeps the others blocked, and its delivery follows: it opens the host's mask. */
	if (!t->sig_pending)
		set_host_mask(t, rt_host_mask(t->sigmask));
	if (unlikely(RT_LX(t)->trace.flags & (RT_TRACE_STEP | RT_TRACE_DIRTY | RT_TRACE_POKED)))
		rt_trace_steps(t, vecs_in_state);
}

static void note_fault(struct rt_thread *t, int sig, u64 addr, u64 esr)
{
	if (sig != S_SEGV && sig != S_BUS)
		esr = addr = 0;
	RT_LX(t)->fault_address = addr;
	RT_LX(t)->fault_esr = esr;
}

void rt_signal_raise(struct rt_thread *t, int sig, int code, u64 addr, bool vecs_in_state)
{
	struct rt_siginfo info = { .signo = sig, .code = code, .addr = addr };
	u64 status = sig == S_BUS && code == 1 ? A64_ESR_ALIGNMENT : code == 2 ? A64_ESR_PERMISSION : A64_ESR_TRANSLATION;

	note_fault(t, sig, addr, (addr == RT_STATE(t)->pc ? A64_ESR_INSN_ABORT : A64_ESR_DATA_ABORT) | status);
	rt_signal_force(t, &info, vecs_in_state);
}

/* --- the host's handler --------------------------------------------------------------------------------------------- */

static void stop_stepping(struct rt_thread *t, struct rt_ucontext *uc)
{
	t->stepping = 0;
	uc->mc.eflags &= ~RT_EFLAGS_TF;
}

/* The guest's state is complete: deliver what is pending, info first if there is one, and go on from there. */
static void deliver_in_context(struct rt_thread *t, struct rt_ucontext *uc, const struct rt_siginfo *fault)
{
	stop_stepping(t, uc);
	rt_context_to_state(t, uc);
	RT_LX(t)->uc = uc;
	if (fault)
		rt_signal_force(t, fault, true);
	if (t->sig_pending)
		deliver_all(t, true);
	RT_LX(t)->uc = NULL;
	rt_context_resume(t, uc);
}

/* Where a restartable call that has not happened yet at pc says so; 0: there is none at pc. */
static u64 restart_of(u64 pc)
{
	if (pc >= (u64)rt_safe_syscall_begin && pc <= (u64)rt_safe_syscall_insn)
		return (u64)rt_safe_syscall_restart;
	if ((pc >= (u64)rt_notify_begin && pc <= (u64)rt_notify_jump) || (pc - (u64)rt_notify_page < 4096 && !(pc & 3)))
		return (u64)rt_notify_restart;
	return 0;
}

/* Is pc behind the SYSCALL instruction of one? */
static bool after_call(u64 pc)
{
	return pc == (u64)rt_safe_syscall_insn + 2 || (pc - (u64)rt_notify_page < 4096 && (pc & 3) == 2);
}

/* A signal waits: see that translated code is left soon. Everything else comes by a check of sig_pending. */
static void attend(struct rt_thread *t, struct rt_ucontext *uc)
{
	u64 pc = uc->mc.rip, restart = restart_of(pc);
	bool code = rt_pc_in_code(pc);

	stop_stepping(t, uc);
	if (restart) {
		uc->mc.rip = restart;
	} else if (code && rt_context_at_boundary(t, uc)) {
		deliver_in_context(t, uc, NULL);
	} else if (code || rt_pc_entering(pc)) {
		uc->mc.eflags |= RT_EFLAGS_TF;
		t->stepping = 1;
	}
}

static void async_signal(struct rt_thread *t, int sig, const struct rt_siginfo *info, struct rt_ucontext *uc)
{
	struct rt_sigqueue *q = RT_SIGQUEUE(t);

	if (is_sync(sig)) {
		if (!(q->sync_pending & RT_SIGBIT(sig)))
			*sync_slot(q, sig) = *info;
		q->sync_pending |= RT_SIGBIT(sig);
		RT_LX(t)->sync_sent = 1;
		if (t->sigmask & RT_SIGBIT(sig))
			return;
	} else {
		q->async = *info;
		q->have_async = 1;
	}
	t->sig_pending = 1;
	uc->sigmask |= RT_ALL_BLOCKABLE;
	attend(t, uc);
}

/* Others wait for this thread to sync (codemem.c). */
static bool behind(const struct rt_thread *t)
{
	return t->epoch != __atomic_load_n(&rt.cache->epoch, __ATOMIC_RELAXED);
}

static bool is_nudge(int sig, const struct rt_siginfo *info)
{
	return unlikely(sig == NUDGE_SIGNAL && info->code == SI_NUDGE && info->value == (u64)&rt.cache);
}

void rt_signal_nudge(const struct rt_thread *from, struct rt_thread *to)
{
	struct rt_siginfo info = { .signo = NUDGE_SIGNAL, .code = SI_NUDGE, .value = (u64)&rt.cache };

	if (!((RT_LX(from)->flags | RT_LX(to)->flags) & RT_LX_OWN_GROUP))
		sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), to->tid, NUDGE_SIGNAL, &info);
}

static void internal_error(struct rt_thread *t, int sig, const struct rt_siginfo *info, struct rt_ucontext *uc)
{
	rt_msg("internal error: signal %d, code %d, address %lx, at %lx, guest pc %lx", sig, info->code, info->addr,
	       uc->mc.rip, RT_STATE(t)->pc);
	rt_signal_default(t, info);
}

static void sync_signal(struct rt_thread *t, int sig, const struct rt_siginfo *info, struct rt_ucontext *uc)
{
	u64 fixup, esr;
	bool ours;

	/* INT3 while stepping is for rt_core_fault: it has the code of the kernel's own */
	if (sig == S_TRAP && t->stepping && info->code != SI_KERNEL_) {
		if (t->sig_pending || behind(t))
			attend(t, uc);
		else
			stop_stepping(t, uc);
		return;
	}
	if (rt_pc_in_code(uc->mc.rip)) {
		RT_LX(t)->uc = uc;
		ours = rt_core_fault(t, sig, info, uc);
		RT_LX(t)->uc = NULL;
		if (ours)
			return;
		esr = A64_ESR_DATA_ABORT | (uc->mc.err & 2 ? A64_ESR_WNR : 0) |
			(info->code == 2 ? A64_ESR_PERMISSION : A64_ESR_TRANSLATION);
		note_fault(t, sig, info->addr, esr);
		deliver_in_context(t, uc, info);
		return;
	}
	fixup = sig == S_SEGV || sig == S_BUS ? rt_uaccess_fixup(uc->mc.rip) : 0;
	if (!fixup)
		internal_error(t, sig, info, uc);
	uc->mc.rip = fixup;
}

/* perf's breakpoints tell of what was done already, anywhere in the code of an instruction. */
static bool is_fault(int sig, const struct rt_siginfo *info)
{
	return is_sync(sig) && info->code > 0 && !(sig == S_TRAP && info->code == TRAP_PERF_);
}

/*
 * A fault has a positive code. A guest may also send itself a signal with such a code (a crash reporter passing on what it
 * got): then the host's pc is behind a system call instruction.
 */
static void host_handler(int sig, struct rt_siginfo *info, struct rt_ucontext *uc)
{
	struct rt_thread *t = rt_self();

	/* A stop for a tracer, that is not there. */
	if (unlikely(sig == S_TRAP && RT_LX(t)->trace.kind && info->code > 0)) {
		RT_LX(t)->trace.flags = 0;
		return;
	}
	if (is_nudge(sig, info)) {
		if (behind(t) && (rt_pc_in_code(uc->mc.rip) || rt_pc_entering(uc->mc.rip)))
			attend(t, uc);
		return;
	}
	if (is_fault(sig, info) && !after_call(uc->mc.rip))
		sync_signal(t, sig, info, uc);
	else
		async_signal(t, sig, info, uc);
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

int rt_signal_init(void)
{
	static const u8 syncs[] = { S_ILL, S_TRAP, S_BUS, S_FPE, S_SEGV };
	struct rt_thread *t = rt_self();
	struct a64_sigaction old;
	u64 mask = 0, host;

	first_sig.refs = 1;
	rt.sig = RT_LX(t)->sig = &first_sig;
	for (unsigned i = 0; i < sizeof(syncs); i++) {
		sys(__NR_rt_sigaction, syncs[i], 0, &old, sizeof(old.mask));
		if (old.handler == H_IGN)
			first_sig.act[syncs[i] - 1].handler = H_IGN;
		mirror(syncs[i], &first_sig.act[syncs[i] - 1]);
	}
	sys(__NR_rt_sigprocmask, SIG_BLOCK_, 0, &mask, sizeof(mask));
	t->sigmask = mask;
	host = rt_host_mask(mask);
	if (host != mask)
		sys(__NR_rt_sigprocmask, SIG_SETMASK_, &host, 0, sizeof(host));
	t->altstack.flags = RT_SS_DISABLE;
	return 0;
}

int rt_signal_clone(struct rt_thread *t, struct rt_thread *child, bool share)
{
	struct rt_sig *s = RT_LX(t)->sig;
	s64 copy;

	if (share) {
		__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
		RT_LX(child)->sig = s;
		return 0;
	}
	copy = sys(__NR_mmap, 0, sizeof(*s), 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
	if (copy < 0)
		return (int)copy;
	rt_mm_reserve((u64)copy, (u64)copy + ALIGN_UP(sizeof(*s), 4096));
	rt_spin_lock(&s->lock);
	*(struct rt_sig *)copy = *s;
	rt_spin_unlock(&s->lock);
	((struct rt_sig *)copy)->refs = 1;
	((struct rt_sig *)copy)->lock = 0;
	RT_LX(child)->sig = (struct rt_sig *)copy;
	return 0;
}

void rt_signal_release(struct rt_thread *t)
{
	struct rt_sig *s = RT_LX(t)->sig;

	RT_LX(t)->sig = NULL;
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) || s == &first_sig)
		return;
	rt_mm_unreserve((u64)s, (u64)s + ALIGN_UP(sizeof(*s), 4096));
	sys(__NR_munmap, s, sizeof(*s));
}

/* Not left to the host's clone3, which would take the handlers away that the runtime itself needs. */
void rt_signal_clear(struct rt_thread *t)
{
	struct rt_sig *s = RT_LX(t)->sig;

	for (int sig = 1; sig <= RT_NSIG; sig++) {
		struct a64_sigaction *act = &s->act[sig - 1];

		if (act->handler <= H_IGN && !act->flags)
			continue;
		*act = (struct a64_sigaction){ .handler = act->handler == H_IGN ? H_IGN : H_DFL };
		mirror(sig, act);
	}
}

void rt_signal_after_fork(struct rt_thread *t)
{
	if (RT_LX(t)->sync_sent)
		RT_SIGQUEUE(t)->sync_pending = 0;
	RT_LX(t)->sig->refs = 1;
	RT_LX(t)->sig->lock = 0;
}

/* What execve inherits is the host's: give it the five signals' masks and SIG_IGN, which are only kept here. */
void rt_signal_before_exec(struct rt_thread *t)
{
	u64 five = t->sigmask & RT_SYNC_SIGNALS;

	for (int sig = S_ILL; sig <= S_SEGV; sig++)
		if (is_sync(sig) && action(t, sig).handler == H_IGN)
			host_disposition(sig, H_IGN, 0);
	if (five)
		sys(__NR_rt_sigprocmask, SIG_BLOCK_, &five, 0, sizeof(five));
}

void rt_signal_after_exec(struct rt_thread *t)
{
	u64 five = t->sigmask & RT_SYNC_SIGNALS;

	for (int sig = S_ILL; sig <= S_SEGV; sig++) {
		struct a64_sigaction act;

		if (!is_sync(sig))
			continue;
		act = action(t, sig);
		if (act.handler == H_IGN)
			mirror(sig, &act);
	}
	if (five)
		sys(__NR_rt_sigprocmask, SIG_UNBLOCK_, &five, 0, sizeof(five));
}
