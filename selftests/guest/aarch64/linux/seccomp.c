// SPDX-License-Identifier: MIT
/*
 * seccomp filters that a program installs hold, with the guest's call numbers and architecture.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ktap.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Gives result for one call, allows the others; kills when the architecture is not aarch64. */
static int filter(unsigned op_flags, int nr, uint32_t result)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, result),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insns) / sizeof(insns[0]), insns };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op_flags, &prog);
}

static volatile siginfo_t got;
static volatile uint64_t pc, x8;

static void on_sys(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	*(siginfo_t *)&got = *info;
	pc = ((ucontext_t *)ctx)->uc_mcontext.pc;
	x8 = ((ucontext_t *)ctx)->uc_mcontext.regs[8];
	((ucontext_t *)ctx)->uc_mcontext.regs[0] = 777;
}

static int synchronised(void);

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (fn != synchronised)
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return status;
}

static int gives_errno(void)
{
	if (filter(0, SYS_getppid, SECCOMP_RET_ERRNO | 77))
		return 1;
	if (syscall(SYS_getppid) != -1 || errno != 77)
		return 2;
	return syscall(SYS_getpid) == getpid() ? 0 : 3;
}

static int stricter_wins(void)
{
	if (filter(0, SYS_getppid, SECCOMP_RET_ERRNO | 77) || filter(0, SYS_getppid, SECCOMP_RET_ALLOW))
		return 1;
	return syscall(SYS_getppid) == -1 && errno == 77 ? 0 : 2;
}

static int traps(void)
{
	struct sigaction sa = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &sa, NULL);
	if (filter(0, SYS_getppid, SECCOMP_RET_TRAP | 55))
		return 1;
	if (syscall(SYS_getppid) != 777)
		return 2;
	if (got.si_signo != SIGSYS || got.si_code != SYS_SECCOMP || got.si_syscall != SYS_getppid || got.si_errno != 55)
		return 3;
	if (got.si_arch != AUDIT_ARCH_AARCH64)
		return 4;
	return (uintptr_t)got.si_call_addr == pc && x8 == SYS_getppid ? 0 : 5;
}

static int kills(void)
{
	if (filter(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS))
		return 1;
	syscall(SYS_getppid);
	return 2;
}

static int inherited(void)
{
	int status;
	pid_t pid;

	if (filter(0, SYS_getppid, SECCOMP_RET_ERRNO | 78))
		return 1;
	pid = fork();
	if (!pid)
		_exit(syscall(SYS_getppid) == -1 && errno == 78 ? 9 : 2);
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) != 9)
		return 3;
	execl("/proc/self/exe", "seccomp", "78", NULL);
	return 4;
}

static void *other(void *arg)
{
	volatile int *go = arg;

	while (!*go)
		;
	return (void *)(intptr_t)(syscall(SYS_getppid) == -1 && errno == 79 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static int synchronised(void)
{
	static volatile int go;
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, other, (void *)&go);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (filter(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 79))
		return 1;
	go = 1;
	pthread_join(t, &r);
	return r ? 0 : 2;
}

/* A filter of 4096 instructions, each time anew. */
static int too_many(void)
{
	static struct sock_filter insns[4096];
	struct sock_fprog prog = { 4096, insns };

	for (int i = 0; i < 4096; i++)
		insns[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (int i = 0; i < 16; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
			return i == 7 && errno == ENOMEM ? 0 : 2;
	return 1;
}

static int strict(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (write(1, "", 0))
		return 1;
	syscall(SYS_getpid);
	syscall(SYS_exit, 3);
	return 2;
}

static int bad_program(void)
{
	struct sock_filter jump[] = { BPF_JUMP(BPF_JMP | BPF_JA, 100, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter end[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
	struct sock_filter load[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog p[] = { { 2, jump }, { 1, end }, { 2, load } };

	for (int i = 0; i < 3; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p[i]) != -1 || errno != EINVAL)
			return i + 1;
	return prctl(PR_GET_SECCOMP) == 0 ? 0 : 9;
}

int main(int argc, char **argv)
{
	int s;

	if (argc > 1)
		return syscall(SYS_getppid) == -1 && errno == atoi(argv[1]) ? 0 : 8;
	ktap_begin();
	s = in_child(bad_program);
	check(s == 0, "invalid programs: EINVAL (%x)", s);
	s = in_child(gives_errno);
	check(s == 0, "ERRNO (%x)", s);
	s = in_child(stricter_wins);
	check(s == 0, "the stricter of two filters wins (%x)", s);
	s = in_child(traps);
	check(s == 0, "TRAP: SIGSYS with number, architecture and address (%x)", s);
	s = in_child(kills);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSYS, "KILL_PROCESS (%x)", s);
	s = in_child(inherited);
	check(s == 0, "inherited by fork and exec (%x)", s);
	s = in_child(synchronised);
	check(s == 0, "TSYNC, with no_new_privs (%x)", s);
	s = in_child(too_many);
	check(s == 0, "32768 instructions at most (%x)", s);
	s = in_child(strict);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL, "strict mode (%x)", s);
	return ktap_end();
}
