/* SPDX-License-Identifier: MIT */
/*
 * The system call table: what sys_*.c handlers get and may use. The prototypes of the handlers are generated from
 * guest/aarch64/linux/syscalls.tbl (build/gen/a64_syscalls.inc.c), which only syscall.c includes; RT_SYS_HANDLER() declares one.
 */
#ifndef RUNTIME_SYSCALL_H
#define RUNTIME_SYSCALL_H

#include <asm/errno.h>
#include <linux/fcntl.h>
#include "runtime/path.h"
#include "runtime/rt.h"
#include "runtime/signal.h"
#include "runtime/sys.h"

struct rt_sysent {
	s16 host;			/* number on the host, or -1 */
	u16 name;			/* offset in the table of names; unnamed calls have ENOSYS and 0 */
	u8 action;			/* RT_SYS_ENOSYS (0), RT_SYS_PASS, else number of the handler */
	u8 nargs;
	u8 conv;			/* bit n: argument n is a path or open flags */
	u8 kind[6];			/* RT_SYS_KIND_* */
};

/*
 * A handler: a[] are the six arguments, its own copy. Returns the result for x0, or -512 (-RT_ERESTARTSYS) when nothing
 * was done and the instruction is to be repeated after signals.
 */
#define RT_SYS_HANDLER(name) \
	s64 rt_sys_##name(struct rt_thread *t, const struct rt_sysent *e, u64 *a); \
	s64 rt_sys_##name(struct rt_thread *t __attribute__((unused)), \
			  const struct rt_sysent *e __attribute__((unused)), u64 *a __attribute__((unused)))

/* Returned by handlers that set all of the state themselves (rt_sigreturn): x0 is left alone. */
#define RT_SYS_STATE_SET INT64_MIN

/* The host call with these arguments, restartable. */
static inline s64 rt_host_call(struct rt_thread *t, s64 nr, const u64 *a)
{
	return rt_safe_syscall(&t->sig_pending, nr, a);
}

/* Pass the call through: paths resolved, flags converted. */
s64 rt_sys_pass(struct rt_thread *t, const struct rt_sysent *e, u64 *a);

static inline u64 rt_oflags_to_host(u64 f)
{
	u64 h = f & ~(u64)A64_O_DIFFERENT;

	h |= f & A64_O_DIRECTORY ? X64_O_DIRECTORY : 0;
	h |= f & A64_O_NOFOLLOW ? X64_O_NOFOLLOW : 0;
	h |= f & A64_O_DIRECT ? X64_O_DIRECT : 0;
	return h | (f & A64_O_LARGEFILE ? X64_O_LARGEFILE : 0);
}

static inline u64 rt_oflags_to_guest(u64 h)
{
	u64 f = h & ~(u64)A64_O_DIFFERENT;

	f |= h & X64_O_DIRECTORY ? A64_O_DIRECTORY : 0;
	f |= h & X64_O_NOFOLLOW ? A64_O_NOFOLLOW : 0;
	f |= h & X64_O_DIRECT ? A64_O_DIRECT : 0;
	return f | (h & X64_O_LARGEFILE ? A64_O_LARGEFILE : 0);
}

/*
 * The path at guest address *path, resolved under -L and in /proc: *path stays as it is when nothing is to be changed (the
 * usual case, and when it cannot be read), else points into buf. flags: RT_PATH_*.
 */
void rt_sys_path(struct rt_thread *t, s64 dirfd, u64 *path, unsigned flags, char buf[RT_PATH_MAX]);

/*
 * sys_seccomp.c. check: true: the call is not to be made, *ret is its result (or RT_SYS_STATE_SET). Filters are inherited by
 * clone; export writes them to a memfd (-1: there are none) and import reads them in a new program.
 */
bool rt_seccomp_check(struct rt_thread *t, u64 *nr, u64 *a, s64 *ret);
s64 rt_seccomp_prctl(struct rt_thread *t, u64 mode, u64 args);
void rt_seccomp_clone(struct rt_thread *t, struct rt_thread *child);
void rt_seccomp_release(struct rt_thread *t);
void rt_seccomp_after_fork(struct rt_thread *t);
s64 rt_seccomp_export(struct rt_thread *t);
int rt_seccomp_import(struct rt_thread *t, int fd);

/*
 * seccomp_notify.c. install: the host's filter for one of the guest that was installed with these flags: the listener's descriptor with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER, else 0 (TSYNC then only gives all threads what this one has); or what seccomp() fails with.
 * call: asks who listens; the call's result, which can be any number, or RT_NOTIFY_CONTINUE: it is to be made; or RT_NOTIFY_RESTART:
 * a signal comes first.
 */
#define RT_NOTIFY_CONTINUE 0x7b1d0c0de5ecc04dll	/* no descriptor, error, size or address */
#define RT_NOTIFY_RESTART 0x7b1d0c0de5ecc057ll
s64 rt_notify_install(u32 flags);
s64 rt_notify_call(struct rt_thread *t, u64 nr, const u64 *a);

/* strace.c: t->state is as at the call. */
void rt_strace_enter(struct rt_thread *t, const struct rt_sysent *e, const char *name);
void rt_strace_leave(struct rt_thread *t, const struct rt_sysent *e, const char *name, s64 ret);

#endif
