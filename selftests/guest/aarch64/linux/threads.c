// SPDX-License-Identifier: MIT
/*
 * Threads: mutexes, conditions, thread-local data, many of them, ends in all orders, robust futexes, signals to threads.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ktap.h"

#define N 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned counter, atomic_counter, turn;
static __thread uint64_t tls = 0x1234;
static __thread char tls_array[1000];

static void *adder(void *arg)
{
	uint64_t me = (uint64_t)arg;
	int ok = tls == 0x1234 && !tls_array[999];

	tls = me;
	tls_array[999] = (char)me;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		__atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED);
		if (i % 512 == 0)
			sched_yield();
	}
	return (void *)(uint64_t)(ok && tls == me && tls_array[999] == (char)me);
}

static void test_many(void)
{
	pthread_t t[N];
	uint64_t ok = 1;
	void *r;

	for (uint64_t i = 0; i < N; i++)
		if (pthread_create(&t[i], NULL, adder, (void *)(i + 1)))
			exit(1);
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], &r);
		ok &= (uint64_t)r;
	}
	check(ok, "thread-local data of %d threads", N);
	check(counter == N * 2000, "mutex (%u)", counter);
	check(atomic_counter == N * 2000, "atomic additions (%u)", atomic_counter);
	check(tls == 0x1234, "ours is untouched");
}

static void *ping(void *arg)
{
	unsigned me = (unsigned)(uint64_t)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (turn % 2 != me)
			pthread_cond_wait(&cond, &lock);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_cond(void)
{
	struct timespec until;
	pthread_t a, b;

	pthread_create(&a, NULL, ping, (void *)0);
	pthread_create(&b, NULL, ping, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check(turn == 1000, "condition variable ping-pong");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	check(pthread_cond_timedwait(&cond, &lock, &until) == ETIMEDOUT, "timed wait");
	pthread_mutex_unlock(&lock);
}

static void *nothing(void *arg)
{
	return arg;
}

static void test_churn(void)
{
	int ok = 1;

	for (int i = 0, n = ktap_rounds(500); i < n; i++) {
		pthread_t t[4];
		void *r;

		for (uint64_t k = 0; k < 4; k++)
			ok &= !pthread_create(&t[k], NULL, nothing, (void *)k);
		for (uint64_t k = 0; k < 4; k++) {
			pthread_join(t[k], &r);
			ok &= r == (void *)k;
		}
	}
	check(ok, "many threads come and go");
}

static void *detached_end(void *arg)
{
	sem_post(arg);
	return NULL;
}

static void test_detached(void)
{
	pthread_attr_t attr;
	sem_t sem;
	int ok = 1, n = ktap_rounds(300);

	sem_init(&sem, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < n; i++) {
		pthread_t t;

		ok &= !pthread_create(&t, &attr, detached_end, &sem);
	}
	for (int i = 0; i < n; i++)
		while (sem_wait(&sem))
			;
	check(ok, "many detached threads");
}

/* --- process ends ---------------------------------------------------------------------------------------------------- */

static void *spin(void *arg)
{
	volatile uint64_t n = 0;

	(void)arg;
	for (;;)
		n++;
	return NULL;
}

static void *exits(void *arg)
{
	usleep(20000);
	exit((int)(uint64_t)arg);
}

static void *last_words(void *arg)
{
	usleep(30000);
	_exit((int)(uint64_t)arg);
}

static int end_of(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(99);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void exit_while_spinning(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, spin, NULL);
	usleep(10000);
	_exit(3);
}

static void thread_exits(void)
{
	pthread_t t;

	pthread_create(&t, NULL, spin, NULL);
	pthread_create(&t, NULL, exits, (void *)5);
	for (;;)
		pause();
}

static void leader_first(void)
{
	pthread_t t;

	pthread_create(&t, NULL, last_words, (void *)6);
	pthread_exit(NULL);
}

static void *crash(void *arg)
{
	*(volatile int *)arg = 1;
	return NULL;
}

static void thread_crashes(void)
{
	pthread_t t;

	pthread_create(&t, NULL, spin, NULL);
	pthread_create(&t, NULL, crash, NULL);
	pthread_join(t, NULL);
}

static void thread_forks(void)
{
	pthread_t t;
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, spin, NULL);
	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (!pid) {
			pthread_create(&t, NULL, nothing, NULL);
			pthread_join(t, NULL);
			_exit(i);
		}
		waitpid(pid, &status, 0);
		if (status != i << 8)
			_exit(50);
	}
	_exit(8);
}

static void thread_executes(void)
{
	pthread_t t;

	pthread_create(&t, NULL, spin, NULL);
	execl("/proc/self/exe", "threads", "exit9", NULL);
}

static void test_ends(void)
{
	int s = end_of(exit_while_spinning);

	check(WIFEXITED(s) && WEXITSTATUS(s) == 3, "exit_group with threads in loops (%x)", s);
	s = end_of(thread_exits);
	check(WIFEXITED(s) && WEXITSTATUS(s) == 5, "exit in a thread (%x)", s);
	s = end_of(leader_first);
	check(WIFEXITED(s) && WEXITSTATUS(s) == 6, "the first thread ends first (%x)", s);
	s = end_of(thread_crashes);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "a thread crashes (%x)", s);
	s = end_of(thread_forks);
	check(WIFEXITED(s) && WEXITSTATUS(s) == 8, "fork with threads in loops (%x)", s);
	s = end_of(thread_executes);
	check(WIFEXITED(s) && WEXITSTATUS(s) == 9, "exec with threads in loops (%x)", s);
}

/* --- robust, signals, cancellation ------------------------------------------------------------------------------------ */

static pthread_mutex_t robust;

static void *dies_holding(void *arg)
{
	pthread_mutex_lock(&robust);
	return arg;
}

static void test_robust(void)
{
	pthread_mutexattr_t attr;
	pthread_t t;
	int r;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&t, NULL, dies_holding, NULL);
	pthread_join(t, NULL);
	r = pthread_mutex_lock(&robust);
	check(r == EOWNERDEAD, "robust mutex of a dead owner (%d)", r);
	pthread_mutex_consistent(&robust);
	pthread_mutex_unlock(&robust);
	check(!pthread_mutex_lock(&robust), "made consistent");
}

static void test_robust_process(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	pid_t pid;
	int r;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &attr);
	pid = fork();
	if (!pid) {
		pthread_mutex_lock(m);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	r = pthread_mutex_lock(m);
	check(r == EOWNERDEAD, "robust mutex of a killed process (%d)", r);
}

static volatile pid_t got_by;

static void who(int sig)
{
	(void)sig;
	got_by = gettid();
}

static volatile pid_t target_tid;

static void *target(void *arg)
{
	target_tid = gettid();
	while (!got_by)
		;
	return arg;
}

static void test_directed(void)
{
	pthread_t t;

	signal(SIGUSR1, who);
	pthread_create(&t, NULL, target, NULL);
	while (!target_tid)
		usleep(1000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	check(got_by == target_tid && got_by != gettid(), "a signal to a thread that computes");
}

static void *waits(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *computes(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	return spin(arg);
}

static void test_cancel(void)
{
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, waits, NULL);
	usleep(10000);
	pthread_cancel(t);
	pthread_join(t, &r);
	check(r == PTHREAD_CANCELED, "cancel a thread in a system call");
	pthread_create(&t, NULL, computes, NULL);
	usleep(10000);
	pthread_cancel(t);
	pthread_join(t, &r);
	check(r == PTHREAD_CANCELED, "cancel a thread in a loop");
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exit9"))
		return 9;
	ktap_begin();
	test_many();
	test_cond();
	test_churn();
	test_detached();
	test_ends();
	test_robust();
	test_robust_process();
	test_directed();
	test_cancel();
	return ktap_end();
}
