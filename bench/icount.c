// SPDX-License-Identifier: MIT
/*
 * icount COMMAND [ARGUMENTS]: counts the host instructions that a kernel executes in user mode between its two marks
 * (kernels/main.c), by single-stepping there. In: a command with one thread and no children; out: the count on stderr, nothing if
 * there were no marks. Slow (30,000 to 300,000 instructions a second), but the same on a busy machine as on an idle one.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/user.h>

#define MARK	0x1c0c0

/* Is the child stopped at the beginning of the marking system call? */
static int at_mark(pid_t pid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getpriority && info.entry.args[0] == MARK;
}

/* Is it before a system call instruction (syscall) that would be the mark? Single steps do not report system calls. */
static int before_mark(pid_t pid, const struct user_regs_struct *r)
{
	return r->rax == SYS_getpriority && r->rdi == MARK &&
	       (ptrace(PTRACE_PEEKTEXT, pid, (void *)r->rip, NULL) & 0xffff) == 0x050f;
}

/* Lets it run until it stops for something other than a signal of its own, which it gets. False when it ended. */
static int resume(pid_t pid, enum __ptrace_request how, int *status)
{
	int pass = 0;

	do {
		if (ptrace(how, pid, NULL, (void *)(long)pass) || waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status))
			return 0;
		pass = WSTOPSIG(*status);
	} while (pass != SIGTRAP && pass != (SIGTRAP | 0x80));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long long count = 0;
	struct user_regs_struct r;
	int status;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: icount COMMAND [ARGUMENTS]\n", stderr);
		return 2;
	}
	pid = fork();
	if (!pid) {
		personality(ADDR_NO_RANDOMIZE);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	while (resume(pid, PTRACE_SYSCALL, &status) && !at_mark(pid))
		;
	resume(pid, PTRACE_SYSCALL, &status);	/* to the end of that system call */
	while (resume(pid, PTRACE_SINGLESTEP, &status)) {
		count++;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &r) || before_mark(pid, &r)) {
			fprintf(stderr, "%llu\n", count);
			break;
		}
	}
	if (WIFSTOPPED(status))
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
