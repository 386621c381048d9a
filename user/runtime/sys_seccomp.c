// SPDX-License-Identifier: MIT
/*
 * seccomp for the guest: its filters speak of the guest's call numbers and architecture, so the host cannot run them. They are
 * kept here, as classic BPF programs that are checked once and interpreted at each system call of the thread.
 * A filter binds the guest only: the runtime's own host calls are not filtered.
 * What concerns listeners is in seccomp_notify.c.
 */
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/syscall.h"
#include "runtime/uaccess.h"

#define SIGSYS_ 31
#define SIGKILL_ 9
#define SYS_SECCOMP_ 1
#define WAIT_KILLABLE_RECV (1u << 5)	/* SECCOMP_FILTER_FLAG_: since Linux 5.19 */
#define MAX_INSNS (256 * 1024 / sizeof(struct sock_filter))	/* of all filters of a thread: the kernel's MAX_INSNS_PER_PATH */

struct rt_filter {
	struct rt_filter *prev;
	u32 refs;			/* threads, and the next newer filter */
	u32 len;
	u32 listener;			/* it was installed with one; the host has a filter for it, too */
	struct sock_filter insn[];
};

static size_t filter_size(u32 len)
{
	return ALIGN_UP(sizeof(struct rt_filter) + len * sizeof(struct sock_filter), 4096);
}

static struct rt_filter *filter_alloc(u32 len)
{
	s64 p = sys(__NR_mmap, 0, filter_size(len), 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
	struct rt_filter *f = (struct rt_filter *)p;

	if (p < 0)
		return NULL;
	rt_mm_reserve((u64)p, (u64)p + filter_size(len));
	f->refs = 1;
	f->len = len;
	return f;
}

static void filter_put(struct rt_filter *f)
{
	while (f && !__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL)) {
		struct rt_filter *prev = f->prev;

		rt_mm_unreserve((u64)f, (u64)f + filter_size(f->len));
		sys(__NR_munmap, f, filter_size(f->len));
		f = prev;
	}
}

/* --- checking: what the kernel accepts (net/core/filter.c, kernel/seccomp.c) ------------------------------------------ */

static bool insn_is_valid(const struct sock_filter *p, u32 at, u32 len)
{
	u32 k = p->k;

	switch (p->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return !(k & 3) && k < sizeof(struct seccomp_data);
	case BPF_ALU | BPF_DIV | BPF_K:
		return k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return k < len - at - 1;
	case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K: case BPF_JMP | BPF_JSET | BPF_X:
		return at + p->jt + 1 < len && at + p->jf + 1 < len;
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM:
	case BPF_RET | BPF_K: case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA:
	case BPF_ALU | BPF_ADD | BPF_K: case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K: case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K: case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K: case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K: case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K: case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X: case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
		return true;
	}
	return false;
}

static bool filter_is_valid(const struct rt_filter *f)
{
	for (u32 i = 0; i < f->len; i++)
		if (!insn_is_valid(&f->insn[i], i, f->len))
			return false;
	return BPF_CLASS(f->insn[f->len - 1].code) == BPF_RET;
}

/* --- running --------------------------------------------------------------------------------------------------------- */

static u32 alu(u16 code, u32 a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b ? a / b : 0;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return b < 32 ? a << b : 0;
	case BPF_RSH: return b < 32 ? a >> b : 0;
	case BPF_NEG: return -a;
	}
	return 0;
}

static bool compare(u16 code, u32 a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JSET: return a & b;
	}
	return false;
}

static u32 filter_run(const struct rt_filter *f, const struct seccomp_data *d)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (const struct sock_filter *p = f->insn;; p++) {
		u32 b = BPF_SRC(p->code) == BPF_X ? x : p->k;

		switch (BPF_CLASS(p->code)) {
		case BPF_LD:
			if (BPF_MODE(p->code) == BPF_ABS)
				a = ((const u32 *)d)[p->k / 4];
			else
				a = BPF_MODE(p->code) == BPF_MEM ? mem[p->k] :
					BPF_MODE(p->code) == BPF_LEN ? sizeof(*d) : p->k;
			break;
		case BPF_LDX:
			x = BPF_MODE(p->code) == BPF_MEM ? mem[p->k] : BPF_MODE(p->code) == BPF_LEN ? sizeof(*d) : p->k;
			break;
		case BPF_ST:
			mem[p->k] = a;
			break;
		case BPF_STX:
			mem[p->k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(p->code) == BPF_DIV && !b)
				return 0;	/* as the kernel: ends the program with 0 */
			a = alu(p->code, a, b);
			break;
		case BPF_JMP:
			if (BPF_OP(p->code) == BPF_JA)
				p += p->k;
			else
				p += compare(p->code, a, b) ? p->jt : p->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(p->code) == BPF_A ? a : p->k;
		case BPF_MISC:
			if (BPF_MISCOP(p->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
}

/* A result, and the filter that gave it: NULL if none had anything against the call. */
struct verdict {
	u32 result;
	const struct rt_filter *by;
};

/* The newest of the most restrictive results; what restricts most is the smallest as a signed number. */
static struct verdict run_all(const struct rt_filter *f, const struct seccomp_data *d)
{
	struct verdict v = { .result = SECCOMP_RET_ALLOW };

	for (; f; f = f->prev) {
		u32 r = filter_run(f, d);

		if ((s32)(r & SECCOMP_RET_ACTION_FULL) < (s32)(v.result & SECCOMP_RET_ACTION_FULL))
			v = (struct verdict){ .result = r, .by = f };
	}
	return v;
}

s64 rt_sys_exit(struct rt_thread *t, const struct rt_sysent *e, u64 *a);

static void kill_by(struct rt_thread *t, int sig)
{
	struct rt_siginfo info = { .signo = sig, .code = SYS_SECCOMP_ };
	struct a64_sigaction act = { 0 }, old;

	if (sig != SIGKILL_)
		rt_signal_action(t, sig, &act, &old);
	RT_LX(t)->trace.flags |= RT_TRACE_KILLED;
	rt_signal_default(t, &info);
	sys(__NR_exit_group, 128 + sig);
}

static s64 trap(struct rt_thread *t, u64 nr, u32 data)
{
	struct rt_siginfo info = { .signo = SIGSYS_, .err = (s32)data, .code = SYS_SECCOMP_,
				   .call_addr = RT_STATE(t)->pc, .syscall = (s32)nr, .arch = A64_AUDIT_ARCH };

	rt_signal_force(t, &info, false);
	return RT_SYS_STATE_SET;
}

static bool strict_allows(u64 nr)
{
	return nr == 63 /* read */ || nr == 64 /* write */ || nr == 93 /* exit */ || nr == 139 /* rt_sigreturn */;
}

static struct verdict ask_filters(struct rt_thread *t, u64 nr, const u64 *a)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = A64_AUDIT_ARCH, .instruction_pointer = RT_STATE(t)->pc };

	for (unsigned i = 0; i < 6; i++)
		d.args[i] = a[i];
	return run_all(RT_LX(t)->filter, &d);
}

/*
 * SECCOMP_RET_TRACE: the tracer may change the call, which the filters see again then, and *v is of the new one; it is not
 * asked a second time. False: there is no call, but *ret.
 */
static bool ask_tracer(struct rt_thread *t, struct verdict *v, u64 *nr, u64 *a, s64 *ret)
{
	*ret = -ENOSYS;
	if (!rt_trace_seccomp(t, v->result & SECCOMP_RET_DATA))
		return false;
	*nr = (u64)RT_LX(t)->trace.nr;
	*ret = (s64)RT_STATE(t)->x[0];
	if ((s64)*nr < 0)
		return false;
	for (unsigned i = 0; i < 6; i++)
		a[i] = RT_STATE(t)->x[i];
	*v = ask_filters(t, *nr, a);
	if ((v->result & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE)
		v->result = SECCOMP_RET_ALLOW;
	return true;
}

/* SECCOMP_RET_USER_NOTIF. False: the supervisor wants the call made; else *ret is its result. */
static bool ask_listener(struct rt_thread *t, const struct rt_filter *f, u64 nr, const u64 *a, s64 *ret)
{
	*ret = f->listener ? rt_notify_call(t, nr, a) : -ENOSYS;
	if (*ret == RT_NOTIFY_RESTART) {
		*ret = -RT_ERESTARTSYS;
	} else if (*ret == -RT_ERESTARTSYS || *ret == RT_SYS_STATE_SET) {
		/* a supervisor's number, not ours */
		RT_STATE(t)->x[0] = (u64)*ret;
		rt_vecs_save(t);
		rt_flags_save(t);
		*ret = RT_SYS_STATE_SET;
	}
	return *ret != RT_NOTIFY_CONTINUE;
}

/* A thread that installed a filter for all gave them its no_new_privs too, which each can only set for itself. */
static void take_no_new_privs(struct rt_thread *t)
{
	if (__atomic_exchange_n(&RT_LX(t)->no_new_privs, 0, __ATOMIC_ACQUIRE))
		sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

bool rt_seccomp_check(struct rt_thread *t, u64 *nr, u64 *a, s64 *ret)
{
	struct verdict v;

	if (RT_LX(t)->seccomp_mode == SECCOMP_MODE_STRICT) {
		if (strict_allows(*nr))
			return false;
		kill_by(t, SIGKILL_);
	}
	if (unlikely(RT_LX(t)->no_new_privs))
		take_no_new_privs(t);
	v = ask_filters(t, *nr, a);
	if ((v.result & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE && !ask_tracer(t, &v, nr, a, ret))
		return true;
	switch (v.result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return false;
	case SECCOMP_RET_ERRNO:
		*ret = -(s64)MIN(v.result & SECCOMP_RET_DATA, 4095u);
		return true;
	case SECCOMP_RET_TRAP:
		*ret = trap(t, *nr, v.result & SECCOMP_RET_DATA);
		return true;
	case SECCOMP_RET_USER_NOTIF:
		return ask_listener(t, v.by, *nr, a, ret);
	case SECCOMP_RET_KILL_THREAD:
		if (rt.nthreads > 1) {
			u64 status = SIGSYS_;

			rt_sys_exit(t, NULL, &status);
		}
	}
	kill_by(t, SIGSYS_);
	return true;
}

/* --- installing ------------------------------------------------------------------------------------------------------ */

/* Without no_new_privs only who administers the system may filter. */
static bool may_filter(void)
{
	struct { u32 version; s32 pid; } head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct { u32 effective, permitted, inheritable; } data[2] = { 0 };

	if (sys(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return true;
	return !sys(__NR_capget, &head, data) && data[0].effective >> CAP_SYS_ADMIN & 1;
}

/* What the thread had before is an ancestor of f, and stays with it. */
static void adopt(struct rt_thread *o, struct rt_filter *f, bool no_new_privs)
{
	struct rt_filter *old = RT_LX(o)->filter;

	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	if (no_new_privs)
		__atomic_store_n(&RT_LX(o)->no_new_privs, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&RT_LX(o)->filter, f, __ATOMIC_RELEASE);
	__atomic_store_n(&RT_LX(o)->seccomp_mode, SECCOMP_MODE_FILTER, __ATOMIC_RELEASE);
	filter_put(old);
}

/* Can each thread's chain of filters be reached from ours? Returns a thread that has one of its own, or NULL. */
static struct rt_thread *tsync_refuses(struct rt_thread *t)
{
	for (struct rt_thread *o = rt.threads; o; o = o->next) {
		const struct rt_filter *f = RT_LX(t)->filter;

		if (o->exiting || !RT_LX(o)->filter)
			continue;
		while (f && f != RT_LX(o)->filter)
			f = f->prev;
		if (!f)
			return o;
	}
	return NULL;
}

static void push_filter(struct rt_thread *t, struct rt_filter *f)
{
	f->prev = RT_LX(t)->filter;	/* our reference becomes the new filter's */
	RT_LX(t)->filter = f;
	RT_LX(t)->seccomp_mode = SECCOMP_MODE_FILTER;
}

static bool has_listener(const struct rt_filter *f)
{
	while (f && !f->listener)
		f = f->prev;
	return f;
}

/*
 * What the host has to know of f, before it comes to t's filters: nothing if none has a listener. A descriptor, 0, or -errno.
 * The host has no second listener while there is one: who had one before is not listened to any more.
 */
static s64 tell_host(struct rt_thread *t, const struct rt_filter *f, u32 flags)
{
	bool sync = flags & SECCOMP_FILTER_FLAG_TSYNC;
	s64 ret;

	if (!f->listener && !(sync && has_listener(RT_LX(t)->filter)))
		return 0;
	ret = rt_notify_install(sync ? flags | SECCOMP_FILTER_FLAG_TSYNC_ESRCH : flags);
	if (ret >= 0 && f->listener)
		for (struct rt_filter *old = RT_LX(t)->filter; old; old = old->prev)
			old->listener = 0;
	return ret;
}

static s64 install_one(struct rt_thread *t, struct rt_filter *f, u32 flags)
{
	s64 ret = tell_host(t, f, flags);

	if (ret < 0)
		filter_put(f);
	else
		push_filter(t, f);
	return ret;
}

/* All threads get t's filters, or none does. The threads do not look at theirs under a lock: a chain is complete before it is seen. */
static s64 install_all(struct rt_thread *t, struct rt_filter *f, u32 flags)
{
	bool no_new_privs = sys(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	struct rt_thread *refuses;
	s64 ret;

	rt_lock(&rt.threads_lock);
	refuses = tsync_refuses(t);
	if (refuses)
		ret = flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : refuses->tid;
	else
		ret = tell_host(t, f, flags);
	if (!refuses && ret >= 0) {
		push_filter(t, f);
		for (struct rt_thread *o = rt.threads; o; o = o->next)
			if (o != t && !o->exiting)
				adopt(o, f, no_new_privs);
		f = NULL;
	}
	rt_unlock(&rt.threads_lock);
	filter_put(f);
	return ret;
}

/* In instructions; the kernel counts four more for each filter. */
static u32 chain_length(const struct rt_filter *f)
{
	u32 n = 0;

	for (; f; f = f->prev)
		n += f->len + 4;
	return n;
}

/* As the kernel: a result cannot be both a descriptor and the id of a thread that refuses. */
static bool flags_are_valid(u32 flags)
{
	const u32 known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | WAIT_KILLABLE_RECV;

	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return !(flags & ~known) && (!(flags & SECCOMP_FILTER_FLAG_TSYNC) || flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	return !(flags & ~known) && !(flags & WAIT_KILLABLE_RECV);
}

static s64 set_filter(struct rt_thread *t, u32 flags, u64 args)
{
	struct rt_filter *f;
	u16 len;
	u64 insns;

	if (!flags_are_valid(flags) || RT_LX(t)->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (rt_get_u16(&len, args) || rt_get_u64(&insns, args + 8))
		return -EFAULT;
	if (!len || len > BPF_MAXINSNS)
		return -EINVAL;
	if (!may_filter())
		return -EACCES;
	f = chain_length(RT_LX(t)->filter) + len > MAX_INSNS ? NULL : filter_alloc(len);
	if (!f)
		return -ENOMEM;
	if (rt_copy_from_user(f->insn, insns, len * sizeof(f->insn[0]))) {
		filter_put(f);
		return -EFAULT;
	}
	if (!filter_is_valid(f)) {
		filter_put(f);
		return -EINVAL;
	}
	f->listener = !!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
	return flags & SECCOMP_FILTER_FLAG_TSYNC ? install_all(t, f, flags) : install_one(t, f, flags);
}

static s64 set_strict(struct rt_thread *t)
{
	if (RT_LX(t)->seccomp_mode == SECCOMP_MODE_FILTER)
		return -EINVAL;
	RT_LX(t)->seccomp_mode = SECCOMP_MODE_STRICT;
	return 0;
}

s64 rt_seccomp_prctl(struct rt_thread *t, u64 mode, u64 args)
{
	if (mode == SECCOMP_MODE_STRICT)
		return set_strict(t);
	return mode == SECCOMP_MODE_FILTER ? set_filter(t, 0, args) : -EINVAL;
}

RT_SYS_HANDLER(seccomp)
{
	switch ((u32)a[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return a[1] || a[2] ? -EINVAL : set_strict(t);
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(t, (u32)a[1], a[2]);
	}
	return rt_host_call(t, __NR_seccomp, a);
}

/* --- inheritance ----------------------------------------------------------------------------------------------------- */

void rt_seccomp_clone(struct rt_thread *t, struct rt_thread *child)
{
	RT_LX(child)->seccomp_mode = RT_LX(t)->seccomp_mode;
	RT_LX(child)->filter = RT_LX(t)->filter;
	if (RT_LX(t)->filter)
		__atomic_fetch_add(&RT_LX(t)->filter->refs, 1, __ATOMIC_RELAXED);
}

void rt_seccomp_release(struct rt_thread *t)
{
	filter_put(RT_LX(t)->filter);
	RT_LX(t)->filter = NULL;
}

/* The other threads' references are gone with them. */
void rt_seccomp_after_fork(struct rt_thread *t)
{
	for (struct rt_filter *f = RT_LX(t)->filter; f; f = f->prev)
		f->refs = 1;
}

struct exported { u32 len, listener; };

/* The memfd holds, newest first, { struct exported; instructions } of each filter. */
s64 rt_seccomp_export(struct rt_thread *t)
{
	s64 fd;

	if (RT_LX(t)->seccomp_mode != SECCOMP_MODE_FILTER)
		return -1;
	fd = sys(__NR_memfd_create, "seccomp", 2 /* MFD_ALLOW_SEALING */);
	for (const struct rt_filter *f = RT_LX(t)->filter; f && fd >= 0; f = f->prev) {
		struct exported head = { f->len, f->listener };
		size_t size = f->len * sizeof(f->insn[0]);

		if (sys(__NR_write, fd, &head, sizeof(head)) != sizeof(head) || sys(__NR_write, fd, f->insn, size) != (s64)size) {
			sys(__NR_close, fd);
			return -ENOMEM;
		}
	}
	if (fd >= 0)
		sys(__NR_fcntl, fd, 1033 /* F_ADD_SEALS */, 15);
	return fd;
}

int rt_seccomp_import(struct rt_thread *t, int fd)
{
	struct rt_filter **link = &RT_LX(t)->filter;
	struct exported head;
	u64 at = 0;

	while (sys(__NR_pread64, fd, &head, sizeof(head), at) == sizeof(head)) {
		struct rt_filter *f = head.len && head.len <= BPF_MAXINSNS ? filter_alloc(head.len) : NULL;
		size_t size = head.len * sizeof(f->insn[0]);

		if (!f)
			return -EINVAL;
		f->listener = head.listener;
		*link = f;
		link = &f->prev;
		if (sys(__NR_pread64, fd, f->insn, size, at + sizeof(head)) != (s64)size || !filter_is_valid(f))
			return -EINVAL;
		at += sizeof(head) + size;
	}
	RT_LX(t)->seccomp_mode = SECCOMP_MODE_FILTER;
	return 0;
}
