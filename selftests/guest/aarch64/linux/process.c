// SPDX-License-Identifier: MIT
/*
 * fork, vfork, posix_spawn, clone and clone3 in their forms; execve's errors; wait.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ktap.h"

extern char **environ;
static volatile int shared;
static char stack[65536] __attribute__((aligned(16)));

static void test_fork(void)
{
	int status, ok = 1;
	pid_t pid, parent = getpid();

	for (int i = 0; i < 50; i++) {
		pid = fork();
		if (!pid)
			_exit(getppid() == parent ? i : 200);
		waitpid(pid, &status, 0);
		ok &= status == i << 8;
	}
	check(ok, "50 forks");
	shared = 1;
	pid = fork();
	if (!pid) {
		shared = 2;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check(shared == 1, "fork shares nothing");
}

static void test_vfork(void)
{
	int status;
	pid_t pid;

	shared = 0;
	pid = vfork();
	if (!pid) {
		shared = 7;
		_exit(5);
	}
	waitpid(pid, &status, 0);
	check(shared == 7 && WEXITSTATUS(status) == 5, "vfork shares memory, and waits");
	pid = vfork();
	if (!pid) {
		execl("/nonexistent", "x", NULL);
		shared = errno;
		_exit(6);
	}
	waitpid(pid, &status, 0);
	check(shared == ENOENT && WEXITSTATUS(status) == 6, "exec's error is seen in the parent");
	for (volatile int i = 0, n = ktap_rounds(50); i < n; i++) {
		pid = vfork();
		if (!pid) {
			execl("/proc/self/exe", "process", "exit", "4", NULL);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		if (WEXITSTATUS(status) != 4)
			break;
	}
	check(WEXITSTATUS(status) == 4, "many times vfork and exec (%x)", status);
}

static void test_spawn(void)
{
	char *args[] = { "process", "exit", "11", NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t set;
	int r, status;
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	r = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ);
	waitpid(pid, &status, 0);
	check(r == 0 && WEXITSTATUS(status) == 11, "posix_spawn");
	r = posix_spawn(&pid, "/nonexistent", NULL, NULL, args, environ);
	check(r == ENOENT, "posix_spawn of nothing: ENOENT (%d)", r);
	r = posix_spawn(&pid, "/etc", NULL, NULL, args, environ);
	check(r == EACCES, "posix_spawn of a directory: EACCES (%d)", r);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, 999, 1);
	r = posix_spawn(&pid, "/proc/self/exe", &fa, NULL, args, environ);
	check(r == EBADF, "failing file action: EBADF (%d)", r);
	/* The child's dispositions are its own although memory is shared. */
	posix_spawnattr_init(&attr);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	args[1] = "sigign";
	args[2] = NULL;
	r = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, args, environ);
	waitpid(pid, &status, 0);
	check(r == 0 && WEXITSTATUS(status) == 0, "SETSIGDEF resets in the child");
	check(signal(SIGUSR1, SIG_DFL) == SIG_IGN, "and not in the parent");
}

static int child_fn(void *arg)
{
	shared = (int)(intptr_t)arg;
	return 21;
}

static void test_clone(void)
{
	struct clone_args args = { 0 };
	int status, pidfd = -1;
	pid_t pid, ctid = 1;

	shared = 0;
	pid = clone(child_fn, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)33);
	check(pid > 0 && waitpid(pid, &status, 0) == pid, "clone(CLONE_VM)");
	check(shared == 33 && WEXITSTATUS(status) == 21, "shares memory (%d, %x)", shared, status);

	pid = clone(child_fn, stack + sizeof(stack), CLONE_PIDFD | SIGCHLD, (void *)34, &pidfd);
	check(pid > 0 && pidfd >= 0, "CLONE_PIDFD");
	check(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 5000) == 1, "pidfd becomes readable");
	waitpid(pid, &status, 0);
	check(shared == 33, "without CLONE_VM nothing is shared");
	close(pidfd);

	args.flags = CLONE_CHILD_SETTID | CLONE_PARENT_SETTID;
	args.exit_signal = SIGCHLD;
	args.child_tid = (uintptr_t)&ctid;
	args.parent_tid = (uintptr_t)&shared;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(ctid == getpid() ? 0 : 1);
	waitpid(pid, &status, 0);
	check(pid > 0 && WEXITSTATUS(status) == 0 && shared == pid && ctid == 1, "clone3 as fork, with tids (%d, %x)", pid, status);
	check(syscall(SYS_clone3, &args, 8ul) == -1 && errno == EINVAL, "clone3: size");
	args.flags = 1ull << 63;
	check(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EINVAL, "clone3: flags");
	check(syscall(SYS_clone3, 1ul, sizeof(args)) == -1 && errno == EFAULT, "clone3: EFAULT");
}

/* What follows the known part of clone3's argument has to be zero, whether all of it can be read or not. */
static void test_clone3_size(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct clone_args *args = (struct clone_args *)map;
	int status = 0;
	pid_t pid;

	args->exit_signal = SIGCHLD;
	pid = syscall(SYS_clone3, args, page);
	if (!pid)
		_exit(7);
	check(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7, "clone3: a page (%d, %x)", pid, status);
	check(syscall(SYS_clone3, args, page + 8) == -1 && errno == E2BIG, "clone3: more than a page");
	munmap(map + page, page);
	args = (struct clone_args *)(map + page - 256);
	args->exit_signal = SIGCHLD;
	check(syscall(SYS_clone3, args, 264ul) == -1 && errno == EFAULT, "clone3: zeros, then nothing");
	map[page - 8] = 1;
	check(syscall(SYS_clone3, args, 264ul) == -1 && errno == E2BIG, "clone3: not zero, then nothing");
	munmap(map, page);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* In the child: SIGUSR1 had a handler, SIGUSR2 was ignored. */
static int cleared(void)
{
	struct sigaction a, b;

	sigaction(SIGUSR1, NULL, &a);
	sigaction(SIGUSR2, NULL, &b);
	return a.sa_handler == SIG_DFL && b.sa_handler == SIG_IGN ? 0 : 1;
}

/* A tagged address faults on the host, and must not kill where handlers were cleared. */
static void test_clear_sighand(void)
{
	struct clone_args args = { .flags = 0x100000000ull /* CLONE_CLEAR_SIGHAND */, .exit_signal = SIGCHLD };
	volatile char *tagged = (char *)((uintptr_t)stack | 5ull << 56);
	struct sigaction sa;
	int status;
	pid_t pid;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	for (int vm = 0; vm < 2; vm++) {
		args.flags |= vm ? CLONE_VFORK | CLONE_VM : 0;
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (!pid) {
			*tagged = 3;
			_exit(cleared());
		}
		waitpid(pid, &status, 0);
		sigaction(SIGUSR1, NULL, &sa);
		check(pid > 0 && !status && sa.sa_handler == on_signal, "CLONE_CLEAR_SIGHAND%s (%x)", vm ? " as vfork" : "", status);
	}
	args.flags = 0x100000000ull | CLONE_SIGHAND | CLONE_VM;
	check(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EINVAL, "but not with CLONE_SIGHAND");
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

static void test_wait(void)
{
	struct rusage ru;
	siginfo_t info;
	int status;
	pid_t pid = fork();

	if (!pid)
		raise(SIGKILL);
	check(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT) && info.si_code == CLD_KILLED && info.si_status == SIGKILL, "waitid");
	check(wait4(pid, &status, 0, &ru) == pid && WTERMSIG(status) == SIGKILL, "wait4");
	check(wait(&status) == -1 && errno == ECHILD, "no child: ECHILD");
}

/* A program started from a memfd: the runtime has to keep that somehow, and it must neither show nor break. */
static int only_three_descriptors(void)
{
	struct dirent *e;
	char magic[4];
	int fd, max = 0;
	DIR *d;

	syscall(SYS_close_range, 3u, ~0u, 0);
	for (int i = 3; i < 1024; i++)
		close(i);
	d = opendir("/proc/self/fd");
	while (d && (e = readdir(d)))
		max = atoi(e->d_name) > max ? atoi(e->d_name) : max;
	if (!d || max != dirfd(d))
		return max;
	fd = open("/proc/self/exe", O_RDONLY);
	return fd >= 0 && read(fd, magic, 4) == 4 && !memcmp(magic, "\177ELF", 4) ? 0 : 3;
}

static void test_exec(void)
{
	char *args[] = { "process", "exit", "12", NULL };
	int fd = memfd_create("prog", 0), self = open("/proc/self/exe", O_RDONLY), status;
	char buf[65536];
	ssize_t n;
	pid_t pid;

	check(syscall(SYS_execve, "/proc/self/exe", 1ul, environ) == -1 && errno == EFAULT, "execve: EFAULT");
	check(execve("/dev/null", args, environ) == -1 && errno == EACCES, "execve of a device: EACCES");
	while ((n = read(self, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			break;
	pid = fork();
	if (!pid) {
		fexecve(fd, args, environ);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	check(WEXITSTATUS(status) == 12, "fexecve of a memfd (%x)", status);
	pid = fork();
	if (!pid) {
		args[1] = "fds";
		args[2] = NULL;
		fexecve(fd, args, environ);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	check(status == 0, "its descriptors (%x)", status);
	close(fd);
	close(self);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "fds"))
		return only_three_descriptors();
	if (argc > 1 && !strcmp(argv[1], "sigign"))
		return signal(SIGUSR1, SIG_DFL) == SIG_IGN;
	ktap_begin();
	test_fork();
	test_vfork();
	test_spawn();
	test_clone();
	test_clone3_size();
	test_clear_sighand();
	test_wait();
	test_exec();
	return ktap_end();
}
