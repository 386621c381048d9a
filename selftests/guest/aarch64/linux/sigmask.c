// SPDX-License-Identifier: MIT
/*
 * Masks, pending and queued signals, interrupted and restarted system calls.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ktap.h"

static volatile int seen, order[64], values[64];
static sigset_t mask_in_handler;

static void count(int sig)
{
	order[seen++ % 64] = sig;
	sigprocmask(SIG_SETMASK, NULL, &mask_in_handler);
}

static void queued(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	values[seen % 64] = info->si_value.sival_int;
	order[seen++ % 64] = sig;
}

static void install(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	if (sig)
		sigaddset(&s, sig);
	return s;
}

static void test_mask(void)
{
	sigset_t usr1 = set_of(SIGUSR1), pending, old;
	struct sigaction sa = { .sa_handler = count };

	seen = 0;
	install(SIGUSR1, 0);
	sigprocmask(SIG_BLOCK, &usr1, &old);
	check(!sigismember(&old, SIGUSR1), "old mask");
	raise(SIGUSR1);
	sigpending(&pending);
	check(seen == 0 && sigismember(&pending, SIGUSR1), "blocked: pending");
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	check(seen == 1, "unblocked: delivered before the call returns");
	check(sigismember(&mask_in_handler, SIGUSR1), "blocked in its handler");
	sigaddset(&sa.sa_mask, SIGUSR2);
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	check(!sigismember(&mask_in_handler, SIGUSR1) && sigismember(&mask_in_handler, SIGUSR2), "SA_NODEFER and sa_mask");
	sigprocmask(SIG_SETMASK, NULL, &old);
	check(!sigismember(&old, SIGUSR2), "mask is back after the handler");
	sa.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	check(sa.sa_handler == SIG_DFL, "SA_RESETHAND");
}

static void test_realtime(void)
{
	struct sigaction sa = { .sa_sigaction = queued, .sa_flags = SA_SIGINFO };
	sigset_t all, old;
	int ok = 1, n = 0;

	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		ok &= !sigaction(sig, &sa, NULL);
	check(ok, "handlers for all real-time signals");
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = i });
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 77 });
	seen = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	check(seen == 6, "each queued instance is delivered (%d)", seen);
	/* All frames are made before the first handler runs; but each signal blocks itself, so instances come in order. */
	for (int i = 0; i < 6; i++)
		if (order[i] == SIGRTMIN + 3)
			ok &= values[i] == n++;
	check(ok && n == 5, "in order, with their values");
	ok = 1;
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) {
		seen = 0;
		raise(sig);
		ok &= seen == 1 && order[0] == sig;
	}
	check(ok, "each real-time signal up to %d arrives", SIGRTMAX);
}

static void nested(int sig)
{
	order[seen++] = sig;
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	order[seen++] = -sig;
}

static void test_nested(void)
{
	struct sigaction sa = { .sa_handler = nested };

	seen = 0;
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR1);
	check(seen == 4 && order[0] == SIGUSR1 && order[1] == SIGUSR2 && order[2] == -SIGUSR2 && order[3] == -SIGUSR1,
	      "nested handlers");
}

/* --- interrupted calls ----------------------------------------------------------------------------------------------- */

static int pipe_fd[2];

static void alarm_in(int usec)
{
	struct itimerval it = { .it_value = { 0, usec } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void *write_later(void *arg)
{
	usleep(60000);
	return (void *)write(pipe_fd[1], arg, 1);
}

static void test_restart(void)
{
	pthread_t writer;
	sigset_t alrm = set_of(SIGALRM);
	char c = 0;
	ssize_t n;

	install(SIGALRM, 0);
	seen = 0;
	alarm_in(20000);
	n = read(pipe_fd[0], &c, 1);
	check(n == -1 && errno == EINTR && seen == 1, "read without SA_RESTART: EINTR");

	install(SIGALRM, SA_RESTART);
	sigprocmask(SIG_BLOCK, &alrm, NULL);
	pthread_create(&writer, NULL, write_later, "x");
	sigprocmask(SIG_UNBLOCK, &alrm, NULL);
	seen = 0;
	alarm_in(20000);
	n = read(pipe_fd[0], &c, 1);
	check(n == 1 && c == 'x' && seen == 1, "read with SA_RESTART goes on (%zd, %d)", n, seen);
	pthread_join(writer, NULL);

	alarm_in(20000);
	seen = 0;
	n = poll(NULL, 0, 1000);
	check(n == -1 && errno == EINTR && seen == 1, "poll is never restarted");

	alarm_in(20000);
	n = syscall(SYS_rt_sigsuspend, &(uint64_t){ 0 }, 8);
	check(n == -1 && errno == EINTR && seen == 2, "sigsuspend");
}

static void test_sleep(void)
{
	struct timespec want = { 0, 100000000 }, left = { 0 };
	int n;

	install(SIGALRM, SA_RESTART);
	alarm_in(20000);
	n = nanosleep(&want, &left);
	check(n == -1 && errno == EINTR && left.tv_nsec > 50000000 && left.tv_nsec < 90000000, "nanosleep tells what is left");
	alarm_in(20000);
	n = clock_nanosleep(CLOCK_MONOTONIC, 0, &want, &left);
	check(n == EINTR, "clock_nanosleep");
}

static void test_temporary_mask(void)
{
	sigset_t usr1 = set_of(SIGUSR1), none = set_of(0), usr2 = set_of(SIGUSR2), now;
	struct timespec zero = { 0 }, second = { 1, 0 };
	int n, ep = epoll_create1(0);
	struct epoll_event ev;

	install(SIGUSR1, 0);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	seen = 0;
	n = ppoll(NULL, 0, &zero, &usr1);
	check(n == 0 && seen == 0, "ppoll with the signal blocked");
	n = ppoll(NULL, 0, &second, &usr2);
	check(n == -1 && errno == EINTR && seen == 1, "ppoll unblocks it");
	check(sigismember(&mask_in_handler, SIGUSR1) && sigismember(&mask_in_handler, SIGUSR2),
	      "handler runs with ppoll's mask");
	sigprocmask(SIG_SETMASK, NULL, &now);
	check(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2), "and the old one is back");
	raise(SIGUSR1);
	n = pselect(0, NULL, NULL, NULL, &second, &none);
	check(n == -1 && errno == EINTR && seen == 2, "pselect");
	raise(SIGUSR1);
	n = epoll_pwait(ep, &ev, 1, 1000, &none);
	check(n == -1 && errno == EINTR && seen == 3, "epoll_pwait");
	raise(SIGUSR1);
	n = sigsuspend(&none);
	check(n == -1 && errno == EINTR && seen == 4, "sigsuspend with it pending");
	sigprocmask(SIG_SETMASK, NULL, &now);
	check(sigismember(&now, SIGUSR1), "mask after sigsuspend");
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	close(ep);
}

static void test_wait(void)
{
	sigset_t usr1 = set_of(SIGUSR1), segv = set_of(SIGSEGV), pending;
	struct signalfd_siginfo si;
	struct timespec zero = { 0 };
	siginfo_t info;
	int fd;

	sigprocmask(SIG_BLOCK, &usr1, NULL);
	check(sigtimedwait(&usr1, &info, &zero) == -1 && errno == EAGAIN, "sigtimedwait with nothing");
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 99 });
	check(sigtimedwait(&usr1, &info, &zero) == SIGUSR1 && info.si_value.sival_int == 99, "sigtimedwait");
	fd = signalfd(-1, &usr1, 0);
	raise(SIGUSR1);
	check(read(fd, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR1, "signalfd");
	close(fd);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);

	/* A sent SIGSEGV can be blocked and waited for, like any other. */
	install(SIGSEGV, 0);
	sigprocmask(SIG_BLOCK, &segv, NULL);
	seen = 0;
	raise(SIGSEGV);
	sigpending(&pending);
	check(seen == 0 && sigismember(&pending, SIGSEGV), "sent SIGSEGV, blocked: pending");
	check(sigtimedwait(&segv, &info, &zero) == SIGSEGV, "and waited for");
	raise(SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &segv, NULL);
	check(seen == 1, "or delivered when unblocked");
}

/* --- ends ------------------------------------------------------------------------------------------------------------ */

static int end_of(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void crash(void)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile int *)8 = 1;
}

static void crash_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);			/* sent: ignored */
	*(volatile int *)8 = 1;		/* raised: not */
}

static void crash_blocked(void)
{
	sigset_t segv = set_of(SIGSEGV);

	sigprocmask(SIG_BLOCK, &segv, NULL);
	*(volatile int *)8 = 1;
}

static void sent(void)
{
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

static void aborted(void)
{
	abort();
}

static void test_ends(void)
{
	int s = end_of(crash);

	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "fault without handler: dies by SIGSEGV (%x)", s);
	s = end_of(crash_ignored);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "fault while ignored (%x)", s);
	s = end_of(crash_blocked);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "fault while blocked (%x)", s);
	s = end_of(sent);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM, "SIGTERM (%x)", s);
	s = end_of(aborted);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT, "abort (%x)", s);
}

static void test_stop(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		raise(SIGSTOP);
		raise(SIGTSTP);
		_exit(7);
	}
	waitpid(pid, &status, WUNTRACED);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "SIGSTOP");
	kill(pid, SIGCONT);
	waitpid(pid, &status, WUNTRACED);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP, "SIGTSTP");
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "and on");
}

static void test_invalid(void)
{
	struct sigaction sa = { .sa_handler = count };
	uint64_t set = 0;

	check(sigaction(SIGKILL, &sa, NULL) == -1 && errno == EINVAL, "no handler for SIGKILL");
	check(sigaction(SIGKILL, NULL, &sa) == 0, "but it can be asked for");
	check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16) == -1 && errno == EINVAL, "sigset size");
	check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 1ul, NULL, 8) == -1 && errno == EFAULT, "sigprocmask: EFAULT");
	check(syscall(SYS_rt_sigaction, SIGUSR1, 1ul, NULL, 8) == -1 && errno == EFAULT, "sigaction: EFAULT");
	check(syscall(SYS_rt_sigprocmask, 17, &set, NULL, 8) == -1 && errno == EINVAL, "sigprocmask: how");
}

int main(void)
{
	ktap_begin();
	if (pipe(pipe_fd))
		return 1;
	test_mask();
	test_realtime();
	test_nested();
	test_restart();
	test_sleep();
	test_temporary_mask();
	test_wait();
	test_ends();
	test_stop();
	test_invalid();
	return ktap_end();
}
