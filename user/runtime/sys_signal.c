// SPDX-License-Identifier: MIT
/*
 * System calls about signals, and those that wait with another signal mask.
 */
#include <asm/unistd.h>
#include "runtime/syscall.h"
#include "runtime/uaccess.h"

#define SIG_BLOCK_ 0
#define SIG_UNBLOCK_ 1
#define SIG_SETMASK_ 2
#define SIGSET_SIZE 8

/* --- dispositions and masks ----------------------------------------------------------------------------------------- */

RT_SYS_HANDLER(rt_sigaction)
{
	struct a64_sigaction act, old;
	u32 sig = (u32)a[0];

	if (a[3] != SIGSET_SIZE || sig < 1 || sig > RT_NSIG || (a[1] && RT_UNBLOCKABLE & RT_SIGBIT(sig)))
		return -EINVAL;
	if (a[1] && rt_copy_from_user(&act, a[1], sizeof(act)))
		return -EFAULT;
	rt_signal_action(t, (int)sig, a[1] ? &act : NULL, &old);
	return a[2] && rt_copy_to_user(a[2], &old, sizeof(old)) ? -EFAULT : 0;
}

RT_SYS_HANDLER(rt_sigprocmask)
{
	u64 set, old = t->sigmask;

	if (a[3] != SIGSET_SIZE)
		return -EINVAL;
	if (a[1]) {
		if (rt_get_u64(&set, a[1]))
			return -EFAULT;
		switch ((u32)a[0]) {
		case SIG_BLOCK_:
			set |= old;
			break;
		case SIG_UNBLOCK_:
			set = old & ~set;
			break;
		case SIG_SETMASK_:
			break;
		default:
			return -EINVAL;
		}
		if (rt_signal_set_mask(t, set))
			return -RT_ERESTARTSYS;
	}
	return a[2] && rt_put_u64(a[2], old) ? -EFAULT : 0;
}

RT_SYS_HANDLER(rt_sigpending)
{
	u64 host = 0;
	u64 args[6] = { (u64)&host, SIGSET_SIZE };
	s64 ret;

	if (a[1] > SIGSET_SIZE)
		return -EINVAL;
	ret = rt_host_call(t, __NR_rt_sigpending, args);
	if (ret)
		return ret;
	if (RT_LX(t)->sync_sent)
		host |= RT_SIGQUEUE(t)->sync_pending & t->sigmask;
	return rt_copy_to_user(a[0], &host, a[1]);
}

/* A synchronous signal that was sent waits with us, not in the kernel. */
static s64 take_sync(struct rt_thread *t, u64 set, u64 info)
{
	u64 ready = RT_LX(t)->sync_sent ? RT_SIGQUEUE(t)->sync_pending & set : 0;
	int sig;

	if (!ready)
		return 0;
	sig = __builtin_ctzll(ready) + 1;
	RT_SIGQUEUE(t)->sync_pending &= ~RT_SIGBIT(sig);
	if (info && rt_copy_to_user(info, rt_signal_sync_info(t, sig), sizeof(struct rt_siginfo)))
		return -EFAULT;
	return sig;
}

RT_SYS_HANDLER(rt_sigtimedwait)
{
	u64 set;
	s64 ret;

	if (a[3] != SIGSET_SIZE)
		return -EINVAL;
	if (rt_get_u64(&set, a[0]))
		return -EFAULT;
	ret = take_sync(t, set, a[1]);
	if (ret)
		return ret;
	ret = rt_host_call(t, __NR_rt_sigtimedwait, a);
	if (ret == -EINTR) {
		s64 sig = take_sync(t, set, a[1]);

		ret = sig ? sig : ret;
	}
	return ret;
}

static s64 set_altstack(struct rt_thread *t, const struct a64_stack *ss)
{
	u32 mode = (u32)ss->flags & ~RT_SS_AUTODISARM;

	if (rt_on_altstack(t, RT_STATE(t)->x[31]))
		return -EPERM;
	if (mode != RT_SS_DISABLE && mode != RT_SS_ONSTACK && mode)
		return -EINVAL;
	if (mode != RT_SS_DISABLE && ss->size < A64_MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack.sp = mode == RT_SS_DISABLE ? 0 : ss->sp;
	t->altstack.size = mode == RT_SS_DISABLE ? 0 : ss->size;
	t->altstack.flags = (u32)ss->flags;
	return 0;
}

/* At sigreturn: errors are not reported (and on the stack itself nothing can be changed). */
void rt_altstack_restore(struct rt_thread *t, const struct a64_stack *ss)
{
	set_altstack(t, ss);
}

RT_SYS_HANDLER(sigaltstack)
{
	struct a64_stack ss, old = { .sp = t->altstack.sp, .size = t->altstack.size,
				     .flags = (s32)(t->altstack.flags & RT_SS_AUTODISARM) };
	s64 ret;

	if (!t->altstack.size)
		old.flags |= RT_SS_DISABLE;
	else if (rt_on_altstack(t, RT_STATE(t)->x[31]))
		old.flags |= RT_SS_ONSTACK;
	if (a[0]) {
		if (rt_copy_from_user(&ss, a[0], sizeof(ss)))
			return -EFAULT;
		ret = set_altstack(t, &ss);
		if (ret)
			return ret;
	}
	return a[1] ? rt_copy_to_user(a[1], &old, sizeof(old)) : 0;
}

RT_SYS_HANDLER(rt_sigreturn)
{
	struct a64_state *s = RT_STATE(t);
	u64 mask, sp = s->x[31];
	u8 c;

	if (rt_sigframe_pop(t, &mask)) {
		rt_signal_raise(t, 11, rt_get_u8(&c, sp) ? 1 : 2, sp, false);
		return RT_SYS_STATE_SET;
	}
	/* With a signal in flight the host's mask is full until that is delivered, which is next. */
	if (rt_signal_set_mask(t, mask))
		t->sigmask = mask & ~RT_UNBLOCKABLE;
	rt_vecs_load(t);
	rt_flags_load(t);
	return RT_SYS_STATE_SET;
}

/* The host restarts sleeps by itself; a guest has no reason to call this. */
RT_SYS_HANDLER(restart_syscall)
{
	return -EINTR;
}

/* --- waiting with another mask -------------------------------------------------------------------------------------- */

/* Argument i points to a mask (or is NULL). Makes the call with it in force. */
static s64 call_with_mask(struct rt_thread *t, s64 nr, u64 *a, unsigned i)
{
	u64 mask;

	if (!a[i])
		return rt_host_call(t, nr, a);
	if (rt_get_u64(&mask, a[i]))
		return -EFAULT;
	rt_signal_temp_begin(t, mask);
	mask = rt_host_mask(mask);
	a[i] = (u64)&mask;
	return rt_signal_temp_end(t, rt_host_call(t, nr, a));
}

RT_SYS_HANDLER(rt_sigsuspend)
{
	if (a[1] != SIGSET_SIZE)
		return -EINVAL;
	return a[0] ? call_with_mask(t, __NR_rt_sigsuspend, a, 0) : -EFAULT;
}

RT_SYS_HANDLER(ppoll)
{
	if (a[3] && a[4] != SIGSET_SIZE)
		return -EINVAL;
	return call_with_mask(t, __NR_ppoll, a, 3);
}

/* The sixth argument of pselect6 and io_pgetevents: { const sigset_t *set; size_t size; } or NULL. */
static s64 call_with_sigarg(struct rt_thread *t, s64 nr, u64 *a)
{
	u64 arg[2], mask;

	if (!a[5])
		return rt_host_call(t, nr, a);
	if (rt_copy_from_user(arg, a[5], sizeof(arg)))
		return -EFAULT;
	if (!arg[0])
		return rt_host_call(t, nr, a);
	if (arg[1] != SIGSET_SIZE)
		return -EINVAL;
	if (rt_get_u64(&mask, arg[0]))
		return -EFAULT;
	rt_signal_temp_begin(t, mask);
	mask = rt_host_mask(mask);
	arg[0] = (u64)&mask;
	a[5] = (u64)arg;
	return rt_signal_temp_end(t, rt_host_call(t, nr, a));
}

RT_SYS_HANDLER(pselect6)
{
	return call_with_sigarg(t, __NR_pselect6, a);
}

RT_SYS_HANDLER(io_pgetevents)
{
	return call_with_sigarg(t, __NR_io_pgetevents, a);
}

#define IORING_ENTER_EXT_ARG_ 8u

RT_SYS_HANDLER(io_uring_enter)
{
	struct { u64 mask; u32 size, min_wait; u64 ts; } ext;
	u64 mask;

	if (!a[4])
		return rt_host_call(t, __NR_io_uring_enter, a);
	if (!(a[3] & IORING_ENTER_EXT_ARG_))
		return a[5] == SIGSET_SIZE ? call_with_mask(t, __NR_io_uring_enter, a, 4) : -EINVAL;
	if (a[3] & ~15ull || a[5] != sizeof(ext) || rt_copy_from_user(&ext, a[4], sizeof(ext)) || !ext.mask)
		return rt_host_call(t, __NR_io_uring_enter, a);
	if (ext.size != SIGSET_SIZE)
		return -EINVAL;
	if (rt_get_u64(&mask, ext.mask))
		return -EFAULT;
	rt_signal_temp_begin(t, mask);
	mask = rt_host_mask(mask);
	ext.mask = (u64)&mask;
	a[4] = (u64)&ext;
	return rt_signal_temp_end(t, rt_host_call(t, __NR_io_uring_enter, a));
}
