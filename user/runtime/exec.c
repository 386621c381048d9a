// SPDX-License-Identifier: MIT
/*
 * execve of a guest. In: guest pointers. What the file is decides: a guest program is handed to a new runtime (start.c says
 * with which arguments), a script's interpreter is looked at in turn, everything else is the kernel's. If the kernel starts
 * us for guest programs by itself (binfmt_misc, our module), it gets the call as it is, so that set-user-ID and execute-only files work.
 *
 * Nothing may be changed before the kernel's execve succeeds: the call may fail, and a vfork child runs in its parent's memory.
 *
 * Seccomp filters go to the next guest program; a native one is not bound by them.
 *
 * Known limits without binfmt_misc: no privilege is gained by a set-user-ID guest program; an execute-only one gives EACCES; a
 * native program in between (the host's /bin/sh) does not know how to start guest programs.
 */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <asm/stat.h>

#include "runtime/client.h"
#include "runtime/exec.h"
#include "runtime/mm.h"
#include "runtime/objfile.h"
#include "runtime/path.h"
#include "runtime/procfs.h"
#include "runtime/rt.h"
#include "runtime/signal.h"
#include "runtime/start.h"
#include "runtime/sys.h"
#include "runtime/syscall.h"
#include "runtime/uaccess.h"

#define AT_EXECVE_CHECK_ 0x10000	/* Linux 6.14: may it be executed? */
#define X_OK_ 1
#define S_ISUID_ 04000
#define S_ISGID_ 02000

/* As Linux: what of a file is looked at, and how deep scripts may nest. */
#define SCRIPT_LINE 256
#define MAX_SCRIPTS 5

#define HEAD_SIZE 1024
#define MAX_OPTIONS (12 + RT_MAX_OBJFILES)

enum kind { KIND_KERNEL, KIND_GUEST, KIND_SCRIPT };

struct exec {
	struct rt_thread *t;
	/* What the guest asked for. */
	s64 dirfd;
	u64 argv, envp, flags;
	char *path;			/* RT_PATH_MAX: guest path */
	char *host_path;		/* RT_PATH_MAX: room for the host path */
	const char *host;
	char fd_name[RT_PATH_MAX / 16];	/* "/dev/fd/N" */
	const char *name;		/* AT_EXECFN */
	/* The file that is looked at. */
	int fd;
	bool own_fd;
	s64 head_len;
	union {
		Elf64_Ehdr ehdr;
		u8 head[HEAD_SIZE];
	};
	/* Arguments that scripts put in the place of argv[0]. */
	unsigned depth, npre;
	const char *pre[3 * MAX_SCRIPTS];
	char line[MAX_SCRIPTS][SCRIPT_LINE + 1];
	bool below_root;		/* -L decided about one of the files */
};

/* ---- memory that a failed exec gives back ------------------------------------------------------------ */

static struct leftover {
	s32 tid;			/* 0: free */
	u64 addr, size;
} leftovers[16];

/* Memory for a long argument list: the successful exec of a vfork child leaves it to the parent, which calls rt_exec_reap. */
static u64 *leftover_get(u64 size)
{
	s64 p = sys(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s32 tid = (s32)sys(__NR_gettid);

	if (p < 0)
		return NULL;
	rt_mm_reserve(p, p + size);
	for (unsigned i = 0; i < ARRAY_SIZE(leftovers); i++) {
		s32 free = 0;

		if (!__atomic_compare_exchange_n(&leftovers[i].tid, &free, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		leftovers[i].addr = p;
		leftovers[i].size = size;
		break;
	}
	return (u64 *)p;
}

static void leftover_put(u64 addr, u64 size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(leftovers); i++)
		if (leftovers[i].tid && leftovers[i].addr == addr)
			__atomic_store_n(&leftovers[i].tid, 0, __ATOMIC_RELEASE);
	rt_mm_unreserve(addr, addr + size);
	sys(__NR_munmap, addr, size);
}

void rt_exec_reap(s32 child_tid)
{
	for (unsigned i = 0; i < ARRAY_SIZE(leftovers); i++)
		if (leftovers[i].tid == child_tid)
			leftover_put(leftovers[i].addr, leftovers[i].size);
}

/* ---- text ------------------------------------------------------------ */

static char *add_text(char *p, const char *s)
{
	while (*s)
		*p++ = *s++;
	*p = 0;
	return p;
}

static char *add_number(char *p, u64 v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		*p++ = digits[--n];
	*p = 0;
	return p;
}

/* ---- the runtime's own descriptors ------------------------------------------------------------ */

/* Whether rt.self_fd is ours in this process: a vfork child has set it in memory, but not in its parent's descriptors. */
static struct {
	u64 dev, ino;
} self_id;

void rt_exec_hold_self(void)
{
	static const u16 numbers[] = { 1000, 200, 50, 10 };
	struct stat st;
	s64 fd, high = -1;

	/* The module does not ask us for it. */
	if (rt.self_fd >= 0 || rt.flags & RT_FLAG_MODULE)
		return;
	fd = sys(__NR_openat, AT_FDCWD, "/proc/self/exe", O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		fd = sys(__NR_openat, AT_FDCWD, rt.self_path, O_PATH | O_CLOEXEC, 0);
	if (fd < 0 || sys(__NR_fstat, fd, &st))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers) && high < 0; i++)
		high = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, numbers[i]);
	sys(__NR_close, fd);
	if (high < 0)
		return;
	self_id.dev = st.st_dev;
	self_id.ino = st.st_ino;
	rt.self_fd = (int)high;
}

void rt_exec_inherit_self(int fd)
{
	struct stat st;

	if (sys(__NR_fstat, fd, &st))
		return;
	self_id.dev = st.st_dev;
	self_id.ino = st.st_ino;
	rt.self_fd = fd;
	sys(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
}

bool rt_fd_is_ours(s64 fd)
{
	return fd >= 0 && (fd == rt.self_fd || fd == rt.exe_fd || fd == rt.session_fd);
}

static bool have_self_fd(void)
{
	struct stat st;

	return rt.self_fd >= 0 && !sys(__NR_fstat, rt.self_fd, &st) && st.st_dev == self_id.dev && st.st_ino == self_id.ino;
}

/* The kernel's execve. Only returns an error; -512 when a signal is to be delivered first: exec would forget it. */
static s64 host_execve(struct rt_thread *t, const char *path, const u64 *argv, u64 envp)
{
	u64 args[6] = { (u64)path, (u64)argv, envp };

	return rt_safe_syscall(&t->sig_pending, __NR_execve, args);
}

static s64 host_execveat(struct rt_thread *t, s64 dirfd, const char *path, const u64 *argv, u64 envp, u64 flags)
{
	u64 args[6] = { dirfd, (u64)path, (u64)argv, envp, flags };

	return rt_safe_syscall(&t->sig_pending, __NR_execveat, args);
}

/* Under the module /proc/self/exe is the guest. What cannot be left to it (seccomp filters, -L) needs the runtime by name. */
static s64 exec_self_by_name(struct rt_thread *t, const u64 *argv, u64 envp)
{
	char name[RT_PATH_MAX];
	s64 n = procfs_runtime(name, sizeof(name) - 1);

	if (n < 0)
		return -EACCES;
	name[n] = 0;
	return host_execve(t, name, argv, envp);
}

/*
 * The kernel starts the runtime for the guest's file: the way to it where there is no /proc, in a chroot. Our options
 * are then the guest's arguments, and start.c knows them by the first two, but not if the file brings rights with it.
 */
static s64 hand_over(struct rt_thread *t, int fd, const u64 *argv, u64 envp)
{
	struct stat st;
	s64 err = sys(__NR_fstat, fd, &st);

	if (!err && st.st_mode & (S_ISUID_ | S_ISGID_))
		err = -EACCES;
	return err ? err : host_execveat(t, fd, "", argv, envp, AT_EMPTY_PATH);
}

/* Executes the runtime itself for the guest's file fd. Only returns an error. */
static s64 exec_self(struct rt_thread *t, int fd, const u64 *argv, u64 envp)
{
	s64 err;

	if (rt.flags & RT_FLAG_MODULE)
		return exec_self_by_name(t, argv, envp);
	err = host_execve(t, "/proc/self/exe", argv, envp);
	if (err != -ENOENT && err != -EACCES)
		return err;
	/* No /proc here. */
	if (have_self_fd())
		return host_execveat(t, rt.self_fd, "", argv, envp, AT_EMPTY_PATH);
	if (rt.flags & RT_FLAG_BINFMT)
		return hand_over(t, fd, argv, envp);
	return host_execve(t, rt.self_path, argv, envp);
}

/* ---- looking at a file ------------------------------------------------------------ */

static void close_file(struct exec *e)
{
	if (e->own_fd)
		sys(__NR_close, e->fd);
	e->own_fd = false;
	e->fd = -1;
}

/* The file that a descriptor means, readable: 0 or -errno. */
static s64 reopen(struct exec *e, s64 fd)
{
	char link[40];
	s64 got = sys(__NR_fcntl, fd, F_GETFL);

	if (got < 0)
		return got;
	if (!(got & O_PATH) && (got & O_ACCMODE) != O_WRONLY) {
		got = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	} else {
		add_number(add_text(link, "/proc/self/fd/"), fd, 10);
		got = sys(__NR_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	}
	if (got < 0)
		return got;
	e->fd = (int)got;
	e->own_fd = true;
	return 0;
}

/* Opens the file that host (relative to dirfd) names and reads its beginning. 0 or -errno. */
static s64 open_file(struct exec *e)
{
	s64 err = 0;

	if (!*e->host) {
		err = reopen(e, e->dirfd);
	} else {
		u64 how = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (e->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
		s64 fd = sys(__NR_openat, e->dirfd, e->host, how, 0);

		if (fd < 0)
			return fd;
		e->fd = (int)fd;
		e->own_fd = true;
	}
	if (err)
		return err;
	e->head_len = sys(__NR_pread64, e->fd, e->head, sizeof(e->head), 0);
	/* A folder, a pipe: the kernel knows what to say. */
	e->head_len = MAX(e->head_len, 0);
	return 0;
}

static enum kind kind_of(const struct exec *e)
{
	const Elf64_Ehdr *h = &e->ehdr;

	if (e->head_len >= 2 && e->head[0] == '#' && e->head[1] == '!')
		return KIND_SCRIPT;
	if (e->head_len < (s64)sizeof(*h) || __builtin_memcmp(h->e_ident, ELFMAG, SELFMAG))
		return KIND_KERNEL;
	return guest_find(h->e_machine, h->e_ident[EI_CLASS], h->e_ident[EI_DATA]) ? KIND_GUEST : KIND_KERNEL;
}

/* May the open file be executed? 0 or what execve would say. */
static s64 check_permission(const struct exec *e)
{
	static const u64 none;
	s64 err = sys(__NR_execveat, e->fd, "", &none, &none, AT_EMPTY_PATH | AT_EXECVE_CHECK_);
	struct stat st;

	if (err != -EINVAL && err != -ENOSYS)
		return err;
	/* Before 6.14. What this does not see: the file is open for writing. */
	if (sys(__NR_fstat, e->fd, &st) || (st.st_mode & 0170000) != 0100000)
		return -EACCES;
	err = sys(__NR_faccessat2, e->fd, "", X_OK_, AT_EMPTY_PATH | AT_EACCESS);
	if (err == -ENOSYS)
		err = st.st_mode & 0111 ? 0 : -EACCES;
	return err;
}

/* The interpreter of a guest program has to be there: after our exec it would be too late to say so. */
static s64 check_interpreter(struct exec *e)
{
	const Elf64_Ehdr *h = &e->ehdr;
	char buf[RT_PATH_MAX];
	u64 end;

	if ((h->e_type != ET_EXEC && h->e_type != ET_DYN) || h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum)
		return -ENOEXEC;
	if (__builtin_add_overflow(h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr), &end) || end > (u64)e->head_len || h->e_phoff & 7)
		return 0;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		const Elf64_Phdr *ph = (const Elf64_Phdr *)(e->head + h->e_phoff) + i;
		const char *name = (const char *)e->head + ph->p_offset;

		if (ph->p_type != PT_INTERP)
			continue;
		if (ph->p_filesz < 2 || ph->p_filesz > RT_PATH_MAX)
			return -ENOEXEC;
		if (ph->p_offset > sizeof(e->head) || ph->p_offset + ph->p_filesz > (u64)e->head_len)
			return 0;
		if (name[ph->p_filesz - 1])
			return -ENOEXEC;
		return rt_path_below_root(name, 0, buf) ? 0 : sys(__NR_faccessat, AT_FDCWD, name, 0 /* F_OK */);
	}
	return 0;
}

/* ---- scripts ------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Takes the first line apart in place: *interp, *arg (NULL none). As Linux does: one argument at most, which may hold
 * blanks; a line that is cut within the interpreter's name is no script.
 */
static s64 parse_script(char *line, s64 len, char **interp, char **arg)
{
	char *p = line + 2, *end, *limit = line + MIN(len, SCRIPT_LINE);

	for (end = p; end < limit && *end != '\n' && *end; end++)
		;
	if (end == limit && len >= SCRIPT_LINE) {
		char *q = p;

		/* Without a newline the last character does not count. */
		end--;
		while (q < end && is_blank(*q))
			q++;
		while (q < end && !is_blank(*q))
			q++;
		if (q == end)
			return -ENOEXEC;
	}
	while (end > p && is_blank(end[-1]))
		end--;
	*end = 0;
	while (is_blank(*p))
		p++;
	if (!*p)
		return -ENOEXEC;
	*interp = p;
	while (*p && !is_blank(*p))
		p++;
	*arg = NULL;
	if (!*p)
		return 0;
	*p++ = 0;
	while (is_blank(*p))
		p++;
	*arg = p;
	return 0;
}

/* Puts the arguments that a script's line means before the others, argv[0] of which goes. */
static void prepend(struct exec *e, const char *interp, const char *arg, const char *script)
{
	const char *first[3] = { interp, arg, script };
	const char *old[ARRAY_SIZE(e->pre)];
	unsigned nold = e->npre, n = 0;

	__builtin_memcpy(old, e->pre, sizeof(old));
	for (unsigned i = 0; i < 3; i++)
		if (first[i])
			e->pre[n++] = first[i];
	for (unsigned i = 1; i < nold; i++)
		e->pre[n++] = old[i];
	e->npre = n;
}

/* From a script to its interpreter. 0 or -errno. */
static s64 enter_script(struct exec *e)
{
	char *line = e->line[e->depth], *interp, *arg;
	const char *script = e->depth ? e->pre[0] : e->name;
	const char *below;
	s64 err;

	/* An interpreter could not open a descriptor that is closed by exec. */
	if (!e->depth && script == e->fd_name && sys(__NR_fcntl, e->dirfd, F_GETFD) & FD_CLOEXEC)
		return -ENOENT;
	__builtin_memcpy(line, e->head, SCRIPT_LINE);
	line[MIN(e->head_len, SCRIPT_LINE)] = 0;
	err = parse_script(line, e->head_len, &interp, &arg);
	if (err)
		return err;
	if (++e->depth > MAX_SCRIPTS - 1)
		return -ELOOP;
	prepend(e, interp, arg, script);
	close_file(e);
	e->dirfd = AT_FDCWD;
	e->flags = 0;
	below = rt_path_below_root(interp, 0, e->host_path);
	if (below)
		e->below_root = true;
	e->host = below ? below : interp;
	return open_file(e);
}

/* ---- handing over ------------------------------------------------------------ */

/* Number of guest arguments; -EFAULT. */
static s64 count_argv(u64 argv)
{
	u64 n = 0, p;

	if (!argv)
		return 0;
	for (;; n++) {
		if (rt_get_u64(&p, argv + 8 * n))
			return -EFAULT;
		if (!p)
			return (s64)n;
		if (n > 0x7fffff)
			return -E2BIG;
	}
}

/* The arguments behind the runtime's own options: scripts' and the guest's. Returns how many; -EFAULT. */
static s64 put_arguments(const struct exec *e, u64 *out, u64 nargv)
{
	u64 n = 0;

	for (unsigned i = 0; i < e->npre; i++)
		out[n++] = (u64)e->pre[i];
	for (u64 i = e->npre ? 1 : 0; i < nargv; i++)
		if (rt_get_u64(&out[n++], e->argv + 8 * i))
			return -EFAULT;
	if (!n)
		out[n++] = (u64)"";
	out[n] = 0;
	return (s64)n;
}

struct options {
	char flags[24], features[32], server[32], execfd[24], selffd[24], seccomp[24], root[RT_PATH_MAX + 8];
};

/* The runtime's own arguments (see start.c); filters: a descriptor, or -1. Returns how many. */
static unsigned put_options(const struct exec *e, struct options *o, s64 filters, u64 *out)
{
	const char *const *objects = rt_objfile_options();
	struct stat st;
	unsigned n = 0;
	char *p;

	add_number(add_text(o->flags, "--flags="), rt.flags & RT_FLAG_STRACE, 16);
	add_number(add_text(o->features, "--features="), rt_host_features, 16);
	add_number(add_text(o->server, "--server="), rt_client_hint(), 16);
	add_number(add_text(o->execfd, "--execfd="), (u32)e->fd, 10);
	p = add_text(o->root, "--root=");
	__builtin_memcpy(p, rt.root, rt.root_len);
	p[rt.root_len] = 0;
	out[n++] = (u64)"dragoman-rt";
	out[n++] = (u64)"--run";
	out[n++] = (u64)o->flags;
	out[n++] = (u64)o->root;
	out[n++] = (u64)o->features;
	out[n++] = (u64)o->server;
	out[n++] = (u64)o->execfd;
	if (have_self_fd()) {
		add_number(add_text(o->selffd, "--selffd="), (u32)rt.self_fd, 10);
		out[n++] = (u64)o->selffd;
		sys(__NR_fcntl, rt.self_fd, F_SETFD, 0);
	}
	if (filters >= 0) {
		add_number(add_text(o->seccomp, "--seccomp="), (u32)filters, 10);
		out[n++] = (u64)o->seccomp;
	}
	/* A file without a name could not be found again for /proc/self/exe. */
	if (!sys(__NR_fstat, e->fd, &st) && !st.st_nlink)
		out[n++] = (u64)"--keep";
	for (; *objects; objects++)
		out[n++] = (u64)*objects;
	out[n++] = (u64)"--";
	out[n++] = (u64)e->name;
	return n;
}

static s64 run_guest(struct exec *e)
{
	u64 few[192], *argv = few, size = 0;
	s64 n = count_argv(e->argv), err, filters = rt_seccomp_export(e->t);
	struct options o;
	unsigned at;

	if (n >= 0 && filters < -1)
		n = filters;
	if (n < 0)
		goto out_filters;
	if ((u64)n + e->npre + MAX_OPTIONS + 2 > ARRAY_SIZE(few)) {
		size = ALIGN_UP((n + e->npre + MAX_OPTIONS + 2) * 8, 4096);
		argv = leftover_get(size);
		if (!argv) {
			n = -ENOMEM;
			goto out_filters;
		}
	}
	at = put_options(e, &o, filters, argv);
	err = put_arguments(e, argv + at, n);
	if (err >= 0) {
		sys(__NR_fcntl, e->fd, F_SETFD, 0);
		err = exec_self(e->t, e->fd, argv, e->envp);
		if (have_self_fd())
			sys(__NR_fcntl, rt.self_fd, F_SETFD, FD_CLOEXEC);
	}
	if (argv != few)
		leftover_put((u64)argv, size);
	n = err;
out_filters:
	if (filters >= 0)
		sys(__NR_close, filters);
	return n;
}

/* A native interpreter that -L chose: the kernel would choose another. */
static s64 run_native_interpreter(struct exec *e)
{
	u64 few[192], *argv = few, size = 0;
	s64 n = count_argv(e->argv), err;

	if (n < 0)
		return n;
	if ((u64)n + e->npre + 2 > ARRAY_SIZE(few)) {
		size = ALIGN_UP((n + e->npre + 2) * 8, 4096);
		argv = leftover_get(size);
		if (!argv)
			return -ENOMEM;
	}
	err = put_arguments(e, argv, n);
	if (err >= 0)
		err = host_execve(e->t, e->host, argv, e->envp);
	if (argv != few)
		leftover_put((u64)argv, size);
	return err;
}

/* As the guest called, but for the path. */
static s64 let_kernel(const struct exec *e, s64 dirfd, const char *path, u64 flags)
{
	if (dirfd == AT_FDCWD && !flags)
		return host_execve(e->t, path, (const u64 *)e->argv, e->envp);
	return host_execveat(e->t, dirfd, path, (const u64 *)e->argv, e->envp, flags);
}

/* ---- the call ------------------------------------------------------------ */

/* What the kernel calls a file that was given by a descriptor. */
static void set_name(struct exec *e)
{
	char *p;

	e->name = e->path;
	if (e->path[0] == '/' || (e->dirfd == AT_FDCWD && e->path[0]))
		return;
	if (__builtin_strlen(e->path) + 30 > sizeof(e->fd_name))
		return;
	p = add_number(add_text(e->fd_name, "/dev/fd/"), (u32)e->dirfd, 10);
	if (e->path[0])
		add_text(add_text(p, "/"), e->path);
	e->name = e->fd_name;
}

/* Copies the path and finds the host's. 0 or -errno. */
static s64 find_file(struct exec *e, u64 path)
{
	s64 n = rt_strncpy_from_user(e->path, path, RT_PATH_MAX);
	s32 pid;

	if (n < 0)
		return n;
	if (!n && !(e->flags & AT_EMPTY_PATH))
		return -ENOENT;
	set_name(e);
	if (rt_fd_is_ours(e->dirfd))
		return -EBADF;
	e->host = e->path;
	if (!n)
		return 0;
	/* A program without a name, once more. */
	if (rt.exe_fd >= 0 && procfs_classify((int)e->dirfd, e->path, &pid) == PROCFS_EXE && !pid) {
		e->dirfd = rt.exe_fd;
		e->host = "";
		e->flags |= AT_EMPTY_PATH;
		return 0;
	}
	e->host = rt_path_resolve(e->t, (int)e->dirfd, e->path, e->flags & AT_SYMLINK_NOFOLLOW ? RT_PATH_NOFOLLOW : 0, e->host_path);
	e->below_root = rt.root_len && e->host != e->path;
	return 0;
}

/* Looks at the file, through scripts, and executes what it is. */
static s64 look_and_run(struct exec *e)
{
	s64 dirfd = e->dirfd, err;
	u64 flags = e->flags;
	char host[RT_PATH_MAX];
	const char *first = e->host;

	/* host_path is used again for interpreters. */
	if (first == e->host_path)
		first = __builtin_memcpy(host, e->host_path, RT_PATH_MAX);
	err = open_file(e);
	/* Not readable is not yet not executable. */
	if (err) {
		err = let_kernel(e, dirfd, first, flags);
		return err == -ENOEXEC ? -EACCES : err;
	}
	for (;;) {
		enum kind kind = kind_of(e);

		if (kind == KIND_KERNEL)
			break;
		err = check_permission(e);
		if (err)
			return err;
		if (kind == KIND_GUEST) {
			err = check_interpreter(e);
			return err || flags & AT_EXECVE_CHECK_ ? err : run_guest(e);
		}
		err = enter_script(e);
		if (err)
			return err;
	}
	if (e->depth && e->below_root)
		return run_native_interpreter(e);
	close_file(e);
	return let_kernel(e, dirfd, first, flags);
}

/* The file's descriptor belongs to nobody else: in a vfork child, too, descriptors are its own. */
static __attribute__((noinline)) s64 exec_with(struct exec *e, u64 path)
{
	s64 err = find_file(e, path);

	if (err)
		return err;
	/* The kernel would know nothing of -L, unless the environment still has it, and nothing of the guest's filters. */
	if (rt.flags & RT_FLAG_BINFMT && !(rt.flags & RT_FLAG_STRACE) && !rt.root_len && !RT_LX(e->t)->seccomp_mode) {
		err = let_kernel(e, e->dirfd, e->host, e->flags);
		/* A descriptor that exec closes is refused, since its name /dev/fd/N will be gone; we need no name. */
		if (err != -ENOEXEC && !(err == -ENOENT && e->name == e->fd_name))
			return err;
	}
	err = look_and_run(e);
	close_file(e);
	return err;
}

s64 rt_exec(struct rt_thread *t, s64 dirfd, u64 path, u64 argv, u64 envp, u64 flags)
{
	char guest[RT_PATH_MAX], host[RT_PATH_MAX];
	struct exec e;

	if (flags & ~(u64)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK_))
		return -EINVAL;
	rt_client_flush();
	e.t = t;
	e.dirfd = dirfd;
	e.argv = argv;
	e.envp = envp;
	e.flags = flags;
	e.path = guest;
	e.host_path = host;
	e.fd = -1;
	e.own_fd = false;
	e.depth = e.npre = 0;
	e.below_root = false;
	return exec_with(&e, path);
}
