// SPDX-License-Identifier: MIT
/*
 * ptrace among guests: system call stops with the guest's numbers and registers, faults, single steps, breakpoints written
 * into code, changed registers, seccomp's RET_TRACE, exec, fork.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ktap.h"

static long trace(long request, pid_t pid, unsigned long addr, void *data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static int get(pid_t pid, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof(*r) };

	return trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) || v.iov_len != sizeof(*r);
}

static int set(pid_t pid, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof(*r) };

	return trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}

/* Resumes; the stop's signal and event (status >> 8), or -1 - status at the end. */
static int go(long request, pid_t pid, long sig)
{
	int status;

	if (trace(request, pid, 0, (void *)sig) || waitpid(pid, &status, __WALL) != pid)
		return 0x1000000;
	return WIFSTOPPED(status) ? status >> 8 : -1 - status;
}

static pid_t start(void (*child)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		trace(PTRACE_TRACEME, 0, 0, NULL);
		raise(SIGSTOP);
		child();
		_exit(99);
	}
	waitpid(pid, &status, 0);
	trace(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	return pid;
}

static void calls(void)
{
	long r = syscall(SYS_getpriority, 77, 88, 3, 4, 5, 6);

	_exit(syscall(SYS_gettid) == 4242 && r == -1 ? 3 : 4);
}

static void test_syscalls(void)
{
	pid_t pid = start(calls);
	struct __ptrace_syscall_info { uint8_t op, pad[3]; uint32_t arch; uint64_t pc, sp, nr, args[6]; } info = { 0 };
	struct user_regs_struct r;
	int s, nr = 0;
	struct iovec v = { &nr, sizeof(nr) };

	do
		s = go(PTRACE_SYSCALL, pid, 0);
	while (s == (SIGTRAP | 0x80) && !get(pid, &r) && r.regs[8] != SYS_getpriority);
	check(s == (SIGTRAP | 0x80), "stops with 0x80 (%x)", s);
	check(r.regs[0] == 77 && r.regs[5] == 6, "arguments at the entry");
	check(!trace(PTRACE_GETREGSET, pid, NT_ARM_SYSTEM_CALL, &v) && nr == SYS_getpriority, "NT_ARM_SYSTEM_CALL");
	check(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) >= 80 && info.op == 1 && info.arch == 0xc00000b7 &&
	      info.nr == SYS_getpriority && info.args[1] == 88 && info.pc == r.pc, "PTRACE_GET_SYSCALL_INFO at the entry");
	s = go(PTRACE_SYSCALL, pid, 0);
	get(pid, &r);
	check(s == (SIGTRAP | 0x80) && (long)r.regs[0] == -EINVAL, "result at the exit");
	check(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) == 33 && info.op == 2 && (long)info.nr == -EINVAL,
	      "PTRACE_GET_SYSCALL_INFO at the exit");
	s = go(PTRACE_SYSCALL, pid, 0);
	nr = -1;
	trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
	s = go(PTRACE_SYSCALL, pid, 0);
	get(pid, &r);
	r.regs[0] = 4242;
	set(pid, &r);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (3 << 8), "a call is left out, its result given (%x)", s);
}

static void faults(void)
{
	*(volatile int *)24 = 1;
	_exit(5);
}

static void test_fault(void)
{
	pid_t pid = start(faults);
	struct user_regs_struct r;
	siginfo_t info;
	int s = go(PTRACE_CONT, pid, 0);

	trace(PTRACE_GETSIGINFO, pid, 0, &info);
	check(s == SIGSEGV && info.si_addr == (void *)24 && info.si_code == SEGV_MAPERR, "a fault stops (%x)", s);
	check(!get(pid, &r), "and has registers");
	r.pc += 4;
	set(pid, &r);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (5 << 8), "is forgotten, and pc moved on (%x)", s);
	pid = start(faults);
	go(PTRACE_CONT, pid, 0);
	s = go(PTRACE_CONT, pid, SIGSEGV);
	check(s < 0 && ((-1 - s) & 0x7f) == SIGSEGV, "or kills (%x)", s);
}

__attribute__((noinline)) static int target(int x)
{
	__asm__ volatile("nop\n\tadd %w0, %w0, #1\n\tadd %w0, %w0, #2" : "+r"(x));
	return x;
}

static void loops(void)
{
	int n = 0;

	for (int i = 0; i < 3000; i++)
		n = target(n);
	raise(SIGTRAP);
	for (int i = 0; i < 3; i++)
		n = target(n);
	_exit(n == 9009 ? 7 : 8);
}

static void test_breakpoint(void)
{
	pid_t pid = start(loops);
	struct user_regs_struct r, r2 = { 0 };
	long word = *(long *)target, saved = word;
	int s = go(PTRACE_CONT, pid, 0), hits = 0;

	check(s == SIGTRAP, "a signal that was sent (%x)", s);
	word = (word & ~0xffffffffl) | 0xd4200000;
	trace(PTRACE_POKETEXT, pid, (unsigned long)target, (void *)word);
	while ((s = go(PTRACE_CONT, pid, 0)) == SIGTRAP && hits < 3) {
		get(pid, &r);
		hits += r.pc == (unsigned long)target;
		trace(PTRACE_POKETEXT, pid, (unsigned long)target, (void *)saved);
		s = go(PTRACE_SINGLESTEP, pid, 0);
		get(pid, &r2);
		if (s != SIGTRAP || r2.pc != r.pc + 4)
			hits = 100;
		trace(PTRACE_POKETEXT, pid, (unsigned long)target, (void *)word);
	}
	check(hits == 3, "a breakpoint in code that ran before, and single steps (%d)", hits);
	check(s == -1 - (7 << 8), "the program does not notice (%x)", s);
}

/* getppid: the tracer is asked; gettid: death. */
static void filtered(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 123),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_gettid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insns) / sizeof(insns[0]), insns };
	long parent = getppid();

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
	if (syscall(SYS_getppid) != parent || syscall(SYS_getppid) != getpid() || syscall(SYS_getppid) != 4711)
		_exit(1);
	syscall(SYS_getppid);
	_exit(2);
}

static void test_seccomp(void)
{
	struct __ptrace_syscall_info_seccomp {
		uint8_t op, pad[3];
		uint32_t arch;
		uint64_t pc, sp, nr, args[6];
		uint32_t ret_data;
	} info = { 0 };
	pid_t pid = start(filtered);
	struct user_regs_struct r;
	unsigned long msg = 0;
	int s, nr = SYS_getpid;
	struct iovec v = { &nr, sizeof(nr) };

	trace(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	s = go(PTRACE_CONT, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &msg);
	check(s == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) && msg == 123 && !get(pid, &r) && r.regs[8] == SYS_getppid,
	      "PTRACE_EVENT_SECCOMP (%x, %lu)", s, msg);
	check(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) >= 84 && info.op == 3 && info.nr == SYS_getppid &&
	      info.ret_data == 123, "PTRACE_GET_SYSCALL_INFO there");
	go(PTRACE_CONT, pid, 0);
	trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
	s = go(PTRACE_SYSCALL, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &msg);
	check(s == (SIGTRAP | 0x80) && msg == PTRACE_EVENTMSG_SYSCALL_EXIT && !get(pid, &r) && (pid_t)r.regs[0] == pid,
	      "another call in its place (%x, %lu)", s, msg);
	go(PTRACE_SYSCALL, pid, 0);	/* getpid, which the program compares with */
	go(PTRACE_SYSCALL, pid, 0);
	s = go(PTRACE_SYSCALL, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &msg);
	check(s == (SIGTRAP | 0x80) && msg == PTRACE_EVENTMSG_SYSCALL_ENTRY, "entry first (%x, %lu)", s, msg);
	s = go(PTRACE_CONT, pid, 0);
	check(s == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8), "then the filter (%x)", s);
	get(pid, &r);
	r.regs[0] = 4711;
	set(pid, &r);
	nr = -1;
	trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
	go(PTRACE_CONT, pid, 0);
	nr = SYS_gettid;
	trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - SIGSYS || s == -1 - (SIGSYS | 0x80), "filters see the new call; death is no stop (%x)", s);
}

/* A register set's length is one of whole registers; what does not fit is left out, what is too long is cut. */
static void test_lengths(void)
{
	static const struct { unsigned type, whole, odd; } sets[] = {
		{ NT_PRSTATUS, 272, 4 }, { NT_PRFPREG, 528, 2 }, { NT_ARM_TLS, 8, 4 },
	};
	pid_t pid = start(calls);
	uint64_t buf[80];

	for (int k = 0; k < 3; k++) {
		struct iovec part = { buf, 8 }, more = { buf, sizeof(buf) };
		struct iovec odd = { buf, 8 + sets[k].odd };
		long r = trace(PTRACE_GETREGSET, pid, sets[k].type, &odd);
		int refused = r == -1 && errno == EINVAL && odd.iov_len == 8 + sets[k].odd;

		check(refused && !trace(PTRACE_GETREGSET, pid, sets[k].type, &part) && part.iov_len == 8 &&
		      !trace(PTRACE_GETREGSET, pid, sets[k].type, &more) && more.iov_len >= sets[k].whole,
		      "lengths of register set %x (%d, %zu)", sets[k].type, refused, more.iov_len);
		odd.iov_len = 8 + sets[k].odd;
		check(trace(PTRACE_SETREGSET, pid, sets[k].type, &odd) == -1 && errno == EINVAL, "as it is set");
	}
	go(PTRACE_CONT, pid, 0);
}

static void executes(void)
{
	execl("/proc/self/exe", "ptrace", "child", (char *)NULL);
}

static void test_exec(void)
{
	pid_t pid = start(executes);
	struct user_regs_struct r;
	unsigned long msg = 0;
	int s = go(PTRACE_CONT, pid, 0);

	check(s == SIGTRAP && !get(pid, &r) && r.pc && r.sp, "exec stops (%x)", s);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (6 << 8), "and runs (%x)", s);
	pid = start(executes);
	trace(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD));
	s = go(PTRACE_CONT, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &msg);
	check(s == (SIGTRAP | PTRACE_EVENT_EXEC << 8) && (pid_t)msg == pid, "PTRACE_EVENT_EXEC (%x)", s);
	s = go(PTRACE_SYSCALL, pid, 0);
	get(pid, &r);
	check(s == (SIGTRAP | 0x80) && r.regs[0] == 0, "then execve's end (%x)", s);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (6 << 8), "and it runs (%x)", s);
}

static void *thread_executes(void *arg)
{
	executes();
	return arg;
}

static void lets_thread_execute(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, thread_executes, NULL))
		pthread_join(t, NULL);
}

/* A thread that executes gets the process's id; the event tells which one it had. */
static void test_exec_in_thread(void)
{
	pid_t pid = start(lets_thread_execute);
	unsigned long tid = 0, former = 0;
	int s, status = 0;

	trace(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE));
	s = go(PTRACE_CONT, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &tid);
	check(s == (SIGTRAP | PTRACE_EVENT_CLONE << 8) && tid, "PTRACE_EVENT_CLONE (%x, %lu)", s, tid);
	trace(PTRACE_CONT, pid, 0, NULL);
	waitpid((pid_t)tid, &status, __WALL);
	check(status >> 8 == SIGSTOP, "the thread stops (%x)", status);
	trace(PTRACE_CONT, (pid_t)tid, 0, NULL);
	waitpid(pid, &status, __WALL);
	trace(PTRACE_GETEVENTMSG, pid, 0, &former);
	check(status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8) && former == tid, "the thread executes (%x, %lu)", status, former);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (6 << 8), "and the program runs (%x)", s);
}

/* As debuggers' servers do it: nothing but fork and wait before the first stop, and that is execve's. */
static void test_first_wait(void)
{
	struct user_regs_struct r = { 0 };
	int status = 0, s;
	pid_t pid = fork();

	if (!pid) {
		trace(PTRACE_TRACEME, 0, 0, NULL);
		executes();
		_exit(99);
	}
	waitpid(pid, &status, 0);
	s = get(pid, &r);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && !s && r.pc && r.sp,
	      "a tracer that begins with a wait sees the new program (%x)", status);
	s = go(PTRACE_CONT, pid, 0);
	check(s == -1 - (6 << 8), "which runs (%x)", s);
}

static void pauses(void)
{
	for (int k = 0; k < 100; k++)
		syscall(SYS_getpriority, 77, 0);
}

/* A signal that comes while the thread is at another stop. */
static void test_signal_at_stop(void)
{
	pid_t pid = start(pauses);
	siginfo_t info = { 0 };
	int s = go(PTRACE_SYSCALL, pid, 0);

	check(s == (SIGTRAP | 0x80), "a system call stops (%x)", s);
	kill(pid, SIGUSR1);
	s = go(PTRACE_SYSCALL, pid, 0);
	trace(PTRACE_GETSIGINFO, pid, 0, &info);
	check(s == SIGUSR1 && info.si_signo == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid(),
	      "then a signal, with its own siginfo (%x %d %d)", s, info.si_signo, info.si_code);
	s = go(PTRACE_SYSCALL, pid, 0);
	check(s == (SIGTRAP | 0x80), "which is not delivered (%x)", s);
	s = go(PTRACE_CONT, pid, SIGKILL);
	check(s == -1 - SIGKILL, "the last one is (%x)", s);
}

static void forks(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(syscall(SYS_getpriority, 77, 0) == -1 ? 11 : 12);
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status) + 1);
}

static void test_fork(void)
{
	pid_t pid = start(forks), child;
	struct user_regs_struct r;
	unsigned long msg = 0;
	int s, status, seen = 0;

	trace(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACESYSGOOD));
	s = go(PTRACE_CONT, pid, 0);
	trace(PTRACE_GETEVENTMSG, pid, 0, &msg);
	child = (pid_t)msg;
	check(s == (SIGTRAP | PTRACE_EVENT_FORK << 8) && child > 0, "PTRACE_EVENT_FORK (%x)", s);
	waitpid(child, &status, __WALL);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "the child stops (%x)", status);
	while ((s = go(PTRACE_SYSCALL, child, 0)) == (SIGTRAP | 0x80))
		seen |= !get(child, &r) && r.regs[8] == SYS_getpriority && r.regs[0] == 77;
	check(seen && s == -1 - (11 << 8), "and its calls are seen (%x)", s);
	do
		s = go(PTRACE_CONT, pid, s == SIGCHLD ? SIGCHLD : 0);
	while (s == SIGCHLD);
	check(s == -1 - (12 << 8), "the parent ends (%x)", s);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 6;
	ktap_begin();
	test_first_wait();		/* has to be the first */
	test_signal_at_stop();
	test_syscalls();
	test_fault();
	test_breakpoint();
	test_seccomp();
	test_lengths();
	test_exec();
	test_exec_in_thread();
	test_fork();
	return ktap_end();
}
