/* SPDX-License-Identifier: MIT */
/*
 * Signals and threads: what signal.c, sigframe.c, thread.c and the system calls share. Nothing here concerns the core.
 */
#ifndef RUNTIME_SIGNAL_H
#define RUNTIME_SIGNAL_H

#include "guest/aarch64/linux/abi.h"
#include "runtime/rt.h"
#include "runtime/trace.h"
#include "runtime/ucontext.h"

#define RT_NSIG 64
#define RT_SIGBIT(sig) BIT((sig) - 1)

/* Signals that the host may raise for translated code. They are never blocked on the host while guest code runs. */
#define RT_SYNC_SIGNALS (BIT(4 - 1) | BIT(5 - 1) | BIT(7 - 1) | BIT(8 - 1) | BIT(11 - 1))
#define RT_UNBLOCKABLE (BIT(9 - 1) | BIT(19 - 1))
#define RT_ALL_BLOCKABLE (~RT_SYNC_SIGNALS)

/* The guest's dispositions: shared by threads, copied by CLONE_VM without CLONE_SIGHAND. */
struct rt_sig {
	u32 refs, lock;
	struct a64_sigaction act[RT_NSIG];
};

/* Signals that were taken from the host and not yet given to the guest. */
struct rt_sigqueue {
	u32 have_async;			/* at most one: the others stay blocked until it is delivered */
	u32 pad;
	u64 sync_pending;		/* sent (not raised) synchronous signals; wait here while the guest blocks them */
	struct rt_siginfo async;
	struct rt_siginfo sync[5];
};
/*
 * It lies in the lowest bytes of the thread's signal stack, which the kernel fills from the other end: there from the
 * first moment on, no allocation, and untouched memory until a signal comes.
 */
#define RT_SIGQUEUE(t) ((struct rt_sigqueue *)(t)->sigstack)

/* What signal.c and thread.c keep in rt_thread.linux_spare. */
struct rt_linux {
	struct rt_sig *sig;
	struct rt_filter *filter;	/* seccomp: newest filter, or NULL */
	u64 fault_address;
	u64 fault_esr;			/* 0: no esr record */
	u32 flags;			/* RT_LX_* */
	u32 seccomp_mode;
	u32 sync_sent;			/* the queue of sent synchronous signals was ever used */
	u32 no_new_privs;		/* to be set at the next system call (sys_seccomp.c) */
	struct rt_trace trace;
	struct rt_ucontext *uc;		/* in a host handler that delivers: its context, which holds the host's mask */
};
#define RT_LX(t) ((struct rt_linux *)(t)->linux_spare)
_Static_assert(sizeof(struct rt_linux) <= sizeof(((struct rt_thread *)0)->linux_spare), "linux_spare");

#define RT_LX_OWN_GROUP 1u		/* shares memory, but is a process of its own */
#define RT_LX_VFORK 2u			/* the parent waits, and frees the thread block */
#define RT_LX_HAS_THREADS 4u
#define RT_LX_CLEAR_SIGHAND 8u		/* begins with no handler */

#define RT_ERESTARTSYS 512		/* of rt_safe_syscall: not done; set pc back */

s64 rt_safe_syscall(volatile u32 *pending, s64 nr, const u64 args[6]);
extern char rt_safe_syscall_begin[], rt_safe_syscall_insn[], rt_safe_syscall_restart[];
s64 rt_notify_syscall(volatile u32 *pending, s64 nr, const u64 args[6], const char *place);
extern char rt_notify_begin[], rt_notify_jump[], rt_notify_page[], rt_notify_restart[];
void rt_sigreturn_host(void);

/* Host signal mask for a guest mask. */
static inline u64 rt_host_mask(u64 guest)
{
	return guest & RT_ALL_BLOCKABLE;
}

/* The guest blocks mask from now on; host too. -512 when a signal is to be delivered first: then nothing is done. */
s64 rt_signal_set_mask(struct rt_thread *t, u64 mask);
/*
 * Around clone and fork: no signal may come in between. begin blocks all, or returns -512 when a signal is to be delivered
 * first; end goes back to the guest's mask.
 */
s64 rt_signal_hold(struct rt_thread *t);
void rt_signal_unhold(struct rt_thread *t);
/* A temporary mask for the length of one system call (sigsuspend, ppoll). end: takes and returns the call's result. */
void rt_signal_temp_begin(struct rt_thread *t, u64 mask);
s64 rt_signal_temp_end(struct rt_thread *t, s64 ret);
/* rt_sigaction: act may be NULL. sig is valid, and may be changed if act is given. */
void rt_signal_action(struct rt_thread *t, int sig, const struct a64_sigaction *act, struct a64_sigaction *old);
/* Where the sent synchronous signal sig waits. */
const struct rt_siginfo *rt_signal_sync_info(struct rt_thread *t, int sig);
/* Raises a signal that cannot be refused (a fault): ends the process when it is blocked or ignored. */
void rt_signal_force(struct rt_thread *t, const struct rt_siginfo *info, bool vecs_in_state);
/* What SIG_DFL does: usually the end of the process. */
void rt_signal_default(struct rt_thread *t, const struct rt_siginfo *info);
/* Before and after execve: blocked and ignored synchronous signals are inherited. */
void rt_signal_before_exec(struct rt_thread *t);
void rt_signal_after_exec(struct rt_thread *t);
/* For clone: the child's share of the dispositions; and at a thread's end. */
int rt_signal_clone(struct rt_thread *t, struct rt_thread *child, bool share);
void rt_signal_release(struct rt_thread *t);
/* CLONE_CLEAR_SIGHAND, in the child, with signals held: what has a handler gets its default action. */
void rt_signal_clear(struct rt_thread *t);
/* In the child of fork. */
void rt_signal_after_fork(struct rt_thread *t);

/* sigframe.c: 0, or -EFAULT when the frame cannot be written. esr and fault address from RT_LX. */
int rt_sigframe_push(struct rt_thread *t, const struct rt_siginfo *info, const struct a64_sigaction *act, u64 mask);
/* 0, or -EFAULT for a damaged frame. *mask: the mask that was in it. */
int rt_sigframe_pop(struct rt_thread *t, u64 *mask);
/* The alternate stack of a frame comes back. */
void rt_altstack_restore(struct rt_thread *t, const struct a64_stack *ss);
/* Is sp on the alternate stack (and it is not of the kind that is disarmed)? */
bool rt_on_altstack(const struct rt_thread *t, u64 sp);
#define RT_SS_ONSTACK 1
#define RT_SS_DISABLE 2
#define RT_SS_AUTODISARM (1u << 31)

/* A small lock for tables that handlers never take. */
void rt_spin_lock(u32 *lock);
void rt_spin_unlock(u32 *lock);

#endif
