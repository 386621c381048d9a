// SPDX-License-Identifier: MIT
/*
 * Threads and processes: clone, clone3 and everything made of them, and their ends.
 *
 * A guest thread is a host thread. What shares memory (threads, vfork, CLONE_VM alone) gets a thread block and a C stack of
 * its own; what does not (fork) goes on in the copy. Namespaces, thread ids, pidfds, the robust list and the wake at a
 * thread's end are the host kernel's work.
 */
#include <asm/unistd.h>
#include "runtime/client.h"
#include "runtime/exec.h"
#include "runtime/mm.h"
#include "runtime/session.h"
#include "runtime/syscall.h"
#include "runtime/thread.h"
#include "runtime/uaccess.h"

#define C_VM 0x100ull
#define C_SIGHAND 0x800ull
#define C_PIDFD 0x1000ull
#define C_VFORK 0x4000ull
#define C_THREAD 0x10000ull
#define C_NEWNS 0x20000ull
#define C_SETTLS 0x80000ull
#define C_PARENT_SETTID 0x100000ull
#define C_CHILD_CLEARTID 0x200000ull
#define C_CHILD_SETTID 0x1000000ull
#define C_CLEAR_SIGHAND 0x100000000ull

/* clone3's argument (uapi linux/sched.h), as far as it is known; the size says how much is there. */
struct clone_args_known {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64
#define CLONE_ARGS_SIZE_MAX 4096

/* A clone in either form. */
struct clone_request {
	u64 flags;			/* of clone3: without the exit signal */
	u64 sp, tls;			/* sp 0: the parent's */
	u64 parent_tid, child_tid;
	struct clone_args_known *args;	/* of clone3, else NULL */
	u64 args_size, exit_signal;
};

static void give_registers(struct a64_state *s, const struct clone_request *r)
{
	s->x[0] = 0;
	if (r->sp)
		s->x[31] = r->sp;
	if (r->flags & C_SETTLS)
		s->tpidr = r->tls;
	s->excl_addr = A64_EXCL_NONE;
	s->excl_size = 0;
}

/*
 * The host's call, on a stack that begins at top. TLS is a guest register, and the host's threads have none. Handlers are
 * cleared by the child itself.
 */
static s64 host_clone(struct clone_request *r, u64 top)
{
	if (!r->args)
		return rt_clone_thread(__NR_clone, (r->flags & ~C_SETTLS) | r->exit_signal, top, r->parent_tid,
				       r->child_tid, 0);
	r->args->flags &= ~(C_SETTLS | C_CLEAR_SIGHAND);
	r->args->tls = 0;
	r->args->stack = top - 4096;
	r->args->stack_size = 4096;
	return rt_clone_thread(__NR_clone3, (u64)r->args, r->args_size, 0, 0, 0);
}

/* The child goes on in a copy of this stack. */
static s64 host_fork(struct clone_request *r)
{
	if (!r->args)
		return sys(__NR_clone, (r->flags & ~C_SETTLS) | r->exit_signal, 0, r->parent_tid, r->child_tid, 0);
	r->args->flags &= ~(C_SETTLS | C_CLEAR_SIGHAND);
	r->args->tls = r->args->stack = r->args->stack_size = 0;
	return sys(__NR_clone3, r->args, r->args_size);
}

/* --- what shares memory --------------------------------------------------------------------------------------------- */

void rt_thread_child(struct rt_thread *t)
{
	rt_thread_install(t);
	t->tid = (s32)sys(__NR_gettid);
	if (RT_LX(t)->flags & RT_LX_CLEAR_SIGHAND)
		rt_signal_clear(t);
	rt_signal_unhold(t);
	rt_thread_run(t);
}

static struct rt_thread *new_thread(struct rt_thread *t, const struct clone_request *r)
{
	struct rt_thread *child = rt_thread_alloc();

	if (!child)
		return NULL;
	rt_vecs_save(t);
	rt_flags_save(t);
	child->a64 = t->a64;
	give_registers(&child->a64, r);
	child->sigmask = t->sigmask;
	child->altstack.flags = RT_SS_DISABLE;
	if (r->flags & C_VFORK)		/* as in the kernel: the alternate stack is inherited then */
		child->altstack = t->altstack;
	RT_LX(child)->flags = (r->flags & C_THREAD ? 0 : RT_LX_OWN_GROUP) | (r->flags & C_VFORK ? RT_LX_VFORK : 0) |
		(r->flags & C_CLEAR_SIGHAND ? RT_LX_CLEAR_SIGHAND : 0);
	if (rt_signal_clone(t, child, r->flags & C_SIGHAND)) {
		rt_thread_free(child);
		return NULL;
	}
	rt_seccomp_clone(t, child);
	RT_LX(child)->trace.flags = RT_LX(t)->trace.flags & (RT_TRACE_ON | RT_TRACE_SYSCALLS | RT_TRACE_SECCOMP);
	return child;
}

static void discard_thread(struct rt_thread *child)
{
	rt_seccomp_release(child);
	rt_signal_release(child);
	rt_thread_free(child);
}

static s64 clone_shared(struct rt_thread *t, struct clone_request *r)
{
	struct rt_thread *child = new_thread(t, r);
	u64 *stack;
	s64 ret;

	if (!child)
		return -EAGAIN;
	stack = (u64 *)ALIGN_DOWN((u64)child->c_stack_top, 16ull) - 2;
	stack[0] = (u64)child;
	ret = host_clone(r, (u64)stack);
	if (ret < 0) {
		discard_thread(child);
	} else if (r->flags & C_THREAD) {
		RT_LX(t)->flags |= RT_LX_HAS_THREADS;
	} else if (r->flags & C_VFORK) {
		/* It has executed or ended: its block is ours. */
		rt_exec_reap((s32)ret);
		discard_thread(child);
	}
	return ret;
}

/* --- fork ----------------------------------------------------------------------------------------------------------- */

static void child_of_fork(struct rt_thread *t)
{
	rt_client_after_fork();
	rt_mm_unlock();
	rt_core_after_fork(t);
	rt_signal_after_fork(t);
	rt_seccomp_after_fork(t);
	t->tid = (s32)sys(__NR_gettid);
	RT_LX(t)->flags = 0;
	RT_LX(t)->trace.nr = RT_TRACE_NR_CHILD;
	RT_LX(t)->trace.owner = 0;
}

static s64 clone_copy(struct rt_thread *t, struct clone_request *r)
{
	struct rt_sig *s = RT_LX(t)->sig;
	s64 ret;

	rt_spin_lock(&s->lock);
	rt_mm_lock();
	rt_core_before_fork();
	rt_client_lock();
	rt_session_share();
	ret = host_fork(r);
	if (!ret) {
		child_of_fork(t);
		if (r->flags & C_CLEAR_SIGHAND)
			rt_signal_clear(t);
		give_registers(RT_STATE(t), r);
		return 0;
	}
	rt_client_unlock();
	rt_core_after_fork_parent();
	rt_mm_unlock();
	rt_spin_unlock(&s->lock);
	return ret;
}

static s64 do_clone(struct rt_thread *t, struct clone_request *r)
{
	s64 ret;

	if (r->flags & C_NEWNS)
		rt_exec_hold_self();
	if (rt_signal_hold(t))
		return -RT_ERESTARTSYS;
	ret = r->flags & C_VM ? clone_shared(t, r) : clone_copy(t, r);
	rt_signal_unhold(t);
	return ret;
}

RT_SYS_HANDLER(clone)
{
	struct clone_request r = {
		.flags = (u32)a[0] & ~0xffu, .exit_signal = a[0] & 0xff, .sp = a[1], .parent_tid = a[2], .tls = a[3],
		.child_tid = a[4],
	};

	return do_clone(t, &r);
}

RT_SYS_HANDLER(clone3)
{
	struct clone_args_known args;
	struct clone_request r = { .args = &args, .args_size = a[1] < sizeof(args) ? a[1] : sizeof(args) };
	int err;

	if (a[1] > CLONE_ARGS_SIZE_MAX)
		return -E2BIG;
	if (a[1] < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	err = rt_copy_struct_from_user(&args, sizeof(args), a[0], a[1]);
	if (err)
		return err;
	r.flags = args.flags;
	r.tls = args.tls;
	if (!args.stack != !args.stack_size)
		return -EINVAL;
	if (r.flags & C_CLEAR_SIGHAND && r.flags & C_SIGHAND)
		return -EINVAL;
	r.sp = args.stack + args.stack_size;
	return do_clone(t, &r);
}

/* --- ends ----------------------------------------------------------------------------------------------------------- */

/* A thread among others: gives back what is its own. The block is unmapped last, by code that needs no stack. */
static void end_thread(struct rt_thread *t, s64 status)
{
	u64 all = ~0ull;

	sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, sizeof(all));
	t->exiting = 1;
	rt_seccomp_release(t);
	rt_signal_release(t);
	rt_thread_free_self(t, (int)status);
}

RT_SYS_HANDLER(exit)
{
	if (rt.nthreads > 1 && !(RT_LX(t)->flags & RT_LX_VFORK))
		end_thread(t, (s32)a[0]);
	sys(__NR_exit, a[0]);
	__builtin_unreachable();
}

/*
 * A process that shares memory with others, which live on, ends as a thread does. If it has threads of its own, their blocks
 * stay behind in the shared memory.
 */
RT_SYS_HANDLER(exit_group)
{
	rt_client_flush();
	if ((RT_LX(t)->flags & (RT_LX_OWN_GROUP | RT_LX_VFORK | RT_LX_HAS_THREADS)) == RT_LX_OWN_GROUP)
		end_thread(t, (s32)a[0]);
	sys(__NR_exit_group, a[0]);
	__builtin_unreachable();
}

RT_SYS_HANDLER(set_tid_address)
{
	t->clear_child_tid = a[0];
	return rt_host_call(t, __NR_set_tid_address, a);
}

RT_SYS_HANDLER(set_robust_list)
{
	s64 ret = rt_host_call(t, __NR_set_robust_list, a);

	if (!ret)
		t->robust_list = a[0];
	return ret;
}
