// SPDX-License-Identifier: MIT
/*
 * System calls: from the guest's registers through the table to the host or to a handler in sys_*.c, and back.
 * In: t->state with the number in x8 and arguments in x0..x5. Out: x0, or any state.
 */
#include <asm/unistd.h>
#include "runtime/client.h"
#include "runtime/syscall.h"
#include "runtime/uaccess.h"
#include "a64_syscalls.inc.c"

/* Does a path have to be looked at? Without -L only what begins like /proc, and /proc itself is only a mount point. */
static bool path_is_special(u64 path)
{
	u32 head;
	u8 c;

	if (unlikely(rt.root_len))
		return true;
	if (likely(!rt_get_u8(&c, path) && c != '/'))
		return false;
	return !rt_get_u32(&head, path + 1) && head == ('p' | 'r' << 8 | 'o' << 16 | (u32)'c' << 24);
}

void rt_sys_path(struct rt_thread *t, s64 dirfd, u64 *path, unsigned flags, char buf[RT_PATH_MAX])
{
	char guest[RT_PATH_MAX];
	const char *host;

	if (!path_is_special(*path) || rt_strncpy_from_user(guest, *path, sizeof(guest)) < 0)
		return;
	host = rt_path_resolve(t, (int)dirfd, guest, flags, buf);
	if (host != guest)
		*path = (u64)host;
}

/* At most two paths in a call. Not inlined: the buffers are on the stack. */
static __attribute__((noinline)) s64 pass_converted(struct rt_thread *t, const struct rt_sysent *e, u64 *a)
{
	char buf[2][RT_PATH_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < e->nargs; i++) {
		s64 dirfd = i && e->kind[i - 1] == RT_SYS_KIND_DFD ? (s32)a[i - 1] : AT_FDCWD;

		if (!(e->conv >> i & 1))
			continue;
		if (e->kind[i] == RT_SYS_KIND_OFLAGS)
			a[i] = rt_oflags_to_host(a[i]);
		else if (n < 2)
			rt_sys_path(t, dirfd, &a[i], e->kind[i] == RT_SYS_KIND_PATH ? 0 : RT_PATH_NOFOLLOW, buf[n++]);
	}
	return rt_host_call(t, e->host, a);
}

s64 rt_sys_pass(struct rt_thread *t, const struct rt_sysent *e, u64 *a)
{
	return e->conv ? pass_converted(t, e, a) : rt_host_call(t, e->host, a);
}

#define GUEST_NR_RSEQ 293		/* asm-generic/unistd.h */

static inline const struct rt_sysent *entry_of(u64 nr)
{
	return nr < RT_SYS_MAX ? &rt_sys_table[nr] : &rt_sys_table[RT_SYS_NONE];
}

static inline s64 do_call(struct rt_thread *t, const struct rt_sysent *e, u64 nr, u64 *a)
{
	s64 ret;

	if (unlikely(RT_LX(t)->seccomp_mode)) {
		if (rt_seccomp_check(t, &nr, a, &ret))
			return ret;
		e = entry_of(nr);	/* a tracer may want another call */
	}
	if (likely(e->action == RT_SYS_PASS))
		return rt_sys_pass(t, e, a);
	if (e->action == RT_SYS_ENOSYS) {
		/* every program of a recent C library asks for restartable sequences, and does without */
		if (nr != GUEST_NR_RSEQ)
			rt_client_report(RT_REPORT_SYSCALL, nr);
		return -ENOSYS;
	}
	return rt_sys_call(t, e, a);
}

static bool state_changed(struct rt_thread *t);

/* rt_syscall for a thread that a tracer watches: it sees the call before and after, and may change everything. */
static __attribute__((noinline)) bool traced_syscall(struct rt_thread *t)
{
	struct a64_state *s = RT_STATE(t);
	s64 nr = rt_trace_enter(t, s->x[8]), ret;
	u64 a[6], x0 = s->x[0], pc;

	__builtin_memcpy(a, s->x, sizeof(a));
	ret = nr == -1 ? (s64)x0 : do_call(t, entry_of((u64)nr), (u64)nr, a);
	pc = s->pc;
	if (ret != RT_SYS_STATE_SET)
		s->x[0] = (u64)ret;
	if (rt_trace_leave(t) && (ret != -RT_ERESTARTSYS || s->pc != pc))
		return true;
	if (ret == -RT_ERESTARTSYS) {
		s->x[0] = x0;
		s->pc -= 4;
		return state_changed(t);
	}
	return ret == RT_SYS_STATE_SET;
}

/* The core continues from t->state alone: put there what the host still holds. */
static bool state_changed(struct rt_thread *t)
{
	rt_vecs_save(t);
	rt_flags_save(t);
	return true;
}

bool rt_syscall(struct rt_thread *t)
{
	struct a64_state *s = RT_STATE(t);
	u64 nr = s->x[8], a[6];
	const struct rt_sysent *e = entry_of(nr);
	s64 ret;

	if (unlikely(RT_LX(t)->trace.flags))
		return traced_syscall(t);
	for (unsigned i = 0; i < 6; i++)
		a[i] = s->x[i];
	if (unlikely(rt.flags & RT_FLAG_STRACE))
		rt_strace_enter(t, e, rt_sys_names + e->name);
	ret = do_call(t, e, nr, a);
	if (unlikely(rt.flags & RT_FLAG_STRACE))
		rt_strace_leave(t, e, rt_sys_names + e->name, ret);
	if (unlikely(ret == -RT_ERESTARTSYS)) {
		s->pc -= 4;
		return state_changed(t);
	}
	if (unlikely(ret == RT_SYS_STATE_SET))
		return true;
	s->x[0] = (u64)ret;
	return false;
}
