// SPDX-License-Identifier: MIT
/*
 * seccomp's user notification: a guest's filter says SECCOMP_RET_USER_NOTIF, and a supervisor that holds the filter's listener decides.
 *
 * Listener, queue, ids, waiting, poll and what becomes of them when somebody dies are the host kernel's. A guest filter with a listener
 * comes with a small host filter that has the real one: it lets everything pass but host calls that no program makes, and such a call is
 * what the target does, with the guest's six arguments. Usual is NOTIFY_NR, which is in no kernel, but known by name, so that container
 * profiles let it pass; the guest's number is in the place of the SYSCALL instruction: there is one for each in a page (safe_syscall.S).
 * Numbers beyond that page, and all where a filter cannot see that place (User-Mode Linux), are called themselves with BY_NUMBER added.
 * The supervisor's runtime puts number and architecture of the guest back. SECCOMP_USER_NOTIF_FLAG_CONTINUE becomes a value that tells
 * the target's runtime to make the call: to the host -ENOSYS it would be, as when nobody listens any more.
 *
 * In: calls that a filter has handed over, ioctls of supervisors. Out: their results.
 * Differs from Linux: instruction_pointer is 0. Calls from 0x20000000 on are -ENOSYS without a question. A native supervisor sees the
 * host's call, and cannot continue it. Where the process is below a listener of the host already (a container manager's), a new one is
 * -EBUSY.
 */
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include "runtime/syscall.h"
#include "runtime/uaccess.h"

#define NOTIFY_NR __NR_epoll_wait_old
#define PROBE_NR __NR_epoll_ctl_old	/* is the same; the answer says whether filters see places */
#define PLACES 1024u			/* in a page of 4096 bytes */
#define BY_NUMBER 0x20000000u		/* of the three highest bits, this one alone */
#define BY_NUMBER_MASK 0xe0000000u

#define DATA(field) ((u32)__builtin_offsetof(struct seccomp_data, field))

s64 rt_notify_install(u32 flags)
{
	bool listens = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NOTIFY_NR, 8, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROBE_NR, 3, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, BY_NUMBER_MASK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BY_NUMBER, 5, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(instruction_pointer)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 4095),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (PLACES - 1) * 4 + 2, 0, 2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
		BPF_STMT(BPF_RET | BPF_K, listens ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(insn) / sizeof(insn[0]), insn };

	return sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static s64 call_at(struct rt_thread *t, u32 host_nr, const u64 *a, u32 place)
{
	return rt_notify_syscall(&t->sig_pending, host_nr, a, rt_notify_page + 4 * place);
}

s64 rt_notify_call(struct rt_thread *t, u64 nr, const u64 *a)
{
	static u8 places;	/* 0: not known yet, 1: a filter sees them, 2: it does not */
	s64 ret;

	if (nr >= BY_NUMBER)
		return -ENOSYS;
	if (!__atomic_load_n(&places, __ATOMIC_RELAXED)) {
		ret = call_at(t, PROBE_NR, a, PLACES - 1);
		if (ret == RT_NOTIFY_RESTART)
			return ret;
		__atomic_store_n(&places, ret == -EDOM ? 1 : 2, __ATOMIC_RELAXED);
	}
	if (nr < PLACES && places == 1)
		return call_at(t, NOTIFY_NR, a, (u32)nr);
	return call_at(t, (u32)nr | BY_NUMBER, a, 0);
}

/* --- the supervisor's side ------------------------------------------------------------------------------------------- */

/* True: *d was a call that a guest's filter has handed over, and is now as the guest made it. */
static bool to_guest(struct seccomp_data *d)
{
	if (d->arch != AUDIT_ARCH_X86_64)
		return false;
	if (d->nr == NOTIFY_NR)
		d->nr = (int)(d->instruction_pointer / 4 % PLACES);	/* it is behind SYSCALL, which does not fill its 4 bytes */
	else if ((d->nr & BY_NUMBER_MASK) == BY_NUMBER)
		d->nr ^= (int)BY_NUMBER;
	else
		return false;
	d->arch = A64_AUDIT_ARCH;
	d->instruction_pointer = 0;
	return true;
}

static s64 receive(struct rt_thread *t, u64 *a)
{
	u64 at = a[2] + __builtin_offsetof(struct seccomp_notif, data);
	struct seccomp_data d;
	s64 ret = rt_host_call(t, __NR_ioctl, a);

	if (!ret && !rt_copy_from_user(&d, at, sizeof(d)) && to_guest(&d) && rt_copy_to_user(at, &d, sizeof(d)))
		ret = -EFAULT;
	return ret;
}

static s64 respond(struct rt_thread *t, u64 *a)
{
	struct seccomp_notif_resp r;

	if (rt_copy_from_user(&r, a[2], sizeof(r)) || r.flags != SECCOMP_USER_NOTIF_FLAG_CONTINUE || r.error || r.val)
		return rt_host_call(t, __NR_ioctl, a);
	r.val = RT_NOTIFY_CONTINUE;
	r.flags = 0;
	a[2] = (u64)&r;
	return rt_host_call(t, __NR_ioctl, a);
}

RT_SYS_HANDLER(ioctl)
{
	switch ((u32)a[1]) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return receive(t, a);
	case SECCOMP_IOCTL_NOTIF_SEND:
		return respond(t, a);
	}
	return rt_host_call(t, __NR_ioctl, a);
}
