// SPDX-License-Identifier: MIT
/*
 * Timer signals as fast as they come, while loops compute with all registers, vectors and flags: nothing may be lost, whatever
 * instruction a signal hits.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ktap.h"

static volatile unsigned signals;

/* The handler spoils what it may: caller-saved registers, all vectors, flags. */
static void handler(int sig)
{
	(void)sig;
	signals++;
	__asm__ volatile(
		"mov x0, #-1\n mov x1, #-1\n mov x2, #-1\n mov x3, #-1\n mov x4, #-1\n mov x5, #-1\n mov x6, #-1\n mov x7, #-1\n"
		"mov x8, #-1\n mov x9, #-1\n mov x10, #-1\n mov x11, #-1\n mov x12, #-1\n mov x13, #-1\n mov x14, #-1\n"
		"mov x15, #-1\n mov x16, #-1\n mov x17, #-1\n"
		"movi v0.2d, #0\n movi v1.2d, #0\n movi v2.2d, #0\n movi v7.2d, #0\n movi v16.2d, #0\n movi v31.2d, #0\n"
		"movi v8.2d, #0\n movi v15.2d, #0\n"
		"adds xzr, xzr, xzr\n"
		: : : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
		      "x16", "x17", "v0", "v1", "v2", "v7", "v8", "v15", "v16", "v31", "cc", "memory");
}

/* A loop over all general registers: each round rotates a sum through them. Returns a digest. */
static uint64_t integer_loop(uint64_t n)
{
	uint64_t out;

	__asm__ volatile(
		"mov x0, #1\n mov x1, #2\n mov x2, #3\n mov x3, #5\n mov x4, #7\n mov x5, #11\n mov x6, #13\n mov x7, #17\n"
		"mov x8, #19\n mov x9, #23\n mov x10, #29\n mov x11, #31\n mov x12, #37\n mov x13, #41\n mov x14, #43\n"
		"mov x15, #47\n mov x16, #53\n mov x17, #59\n mov x19, #61\n mov x20, #67\n mov x21, #71\n mov x22, #73\n"
		"mov x23, #79\n mov x24, #83\n mov x25, #89\n mov x26, #97\n mov x27, #101\n"
		"mov x28, %1\n"
		"1:\n"
		"adds x0, x0, x27\n adcs x1, x1, x0\n adcs x2, x2, x1\n adcs x3, x3, x2\n adcs x4, x4, x3\n adcs x5, x5, x4\n"
		"adcs x6, x6, x5\n adcs x7, x7, x6\n adcs x8, x8, x7\n adcs x9, x9, x8\n adcs x10, x10, x9\n adcs x11, x11, x10\n"
		"adcs x12, x12, x11\n adcs x13, x13, x12\n adcs x14, x14, x13\n adcs x15, x15, x14\n adcs x16, x16, x15\n"
		"adcs x17, x17, x16\n eor x19, x19, x17\n ror x20, x19, #7\n csinc x21, x20, x21, cs\n add x22, x22, x21\n"
		"csel x23, x22, x23, mi\n madd x24, x23, x22, x24\n eor x25, x25, x24\n sub x26, x25, x26\n add x27, x26, x27\n"
		"subs x28, x28, #1\n"
		"b.ne 1b\n"
		"eor %0, x27, x17\n"
		: "=&r"(out) : "r"(n)
		: "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
		  "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "cc");
	return out;
}

static uint64_t vector_loop(uint64_t n)
{
	uint64_t out;

	__asm__ volatile(
		"movi v0.16b, #1\n movi v1.16b, #3\n movi v2.16b, #5\n movi v7.16b, #7\n movi v8.16b, #9\n movi v15.16b, #11\n"
		"movi v16.16b, #13\n movi v31.16b, #17\n"
		"fmov d3, #1.0\n fmov d4, #1.5\n fmov d5, #3.0\n"
		"1:\n"
		"add v0.4s, v0.4s, v31.4s\n eor v1.16b, v1.16b, v0.16b\n mul v2.4s, v2.4s, v1.4s\n ext v7.16b, v7.16b, v2.16b, #5\n"
		"add v8.2d, v8.2d, v7.2d\n uaddl v15.8h, v8.8b, v15.8b\n eor v16.16b, v16.16b, v15.16b\n"
		"tbl v31.16b, {v16.16b}, v31.16b\n add v31.16b, v31.16b, v16.16b\n"
		"fadd d3, d3, d4\n fdiv d3, d3, d5\n fmadd d3, d3, d4, d5\n"
		"subs %1, %1, #1\n"
		"b.ne 1b\n"
		"eor v0.16b, v0.16b, v31.16b\n eor v0.16b, v0.16b, v8.16b\n umov %0, v0.d[0]\n umov x9, v0.d[1]\n"
		"eor %0, %0, x9\n fmov x9, d3\n eor %0, %0, x9\n"
		: "=&r"(out), "+&r"(n) : : "x9", "v0", "v1", "v2", "v3", "v4", "v5", "v7", "v8", "v15", "v16", "v31", "cc");
	return out;
}

/* Memory, calls and returns, exclusives. */
static __attribute__((noinline)) uint64_t call_loop(unsigned n, uint64_t *cell)
{
	uint64_t r;

	if (n < 2) {
		__atomic_fetch_add(cell, 1, __ATOMIC_SEQ_CST);
		return n;
	}
	r = call_loop(n - 1, cell) + call_loop(n - 2, cell);
	return r;
}

static void *loops(void *arg)
{
	uint64_t *bad = arg, i1 = integer_loop(300000), v1 = vector_loop(300000), cell;

	for (int i = 0; i < 30; i++) {
		if (integer_loop(300000) != i1)
			bad[0]++;
		if (vector_loop(300000) != v1)
			bad[1]++;
		cell = 0;
		if (call_loop(20, &cell) != 6765 || cell != 10946)
			bad[2]++;
	}
	return NULL;
}

/* A megabyte through a pipe in odd pieces, with forks beside it: calls are interrupted and restarted, and no byte is lost. */
static int to[2];

static void *writer(void *arg)
{
	unsigned char buf[777];
	unsigned n = 0;

	while (n < 1u << 20) {
		ssize_t w;

		for (unsigned i = 0; i < sizeof(buf); i++)
			buf[i] = (unsigned char)((n + i) * 7 >> 3);
		w = write(to[1], buf, sizeof(buf));
		if (w <= 0)
			break;
		n += (unsigned)w;
	}
	close(to[1]);
	return arg;
}

static void test_calls(void)
{
	unsigned char buf[1000];
	unsigned n = 0, bad = 0, forks = 0;
	pthread_t t;
	ssize_t r;

	if (pipe(to))
		exit(1);
	pthread_create(&t, NULL, writer, NULL);
	while ((r = read(to[0], buf, sizeof(buf))) > 0) {
		for (unsigned i = 0; i < (unsigned)r; i++)
			bad += buf[i] != (unsigned char)((n + i) * 7 >> 3);
		n += (unsigned)r;
		if (n % 64 == 1) {
			pid_t pid = fork();
			int status;

			if (!pid)
				_exit(17);
			while (waitpid(pid, &status, 0) != pid)
				;
			forks++;
			bad += status != 17 << 8;
		}
	}
	pthread_join(t, NULL);
	check(r == 0 && n >= 1u << 20 && !bad, "calls restarted without loss (%u bytes, %u bad, %u forks)", n, bad, forks);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 100 }, { 0, 100 } }, off = { 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec fast = { { 0, 50000 }, { 0, 50000 } };
	uint64_t quiet_i = integer_loop(300000), quiet_v = vector_loop(300000);
	uint64_t bad[3] = { 0 }, bad2[3] = { 0 }, bad3[3] = { 0 };
	pthread_t a, b;
	timer_t timer;

	ktap_begin();
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	timer_create(CLOCK_MONOTONIC, &ev, &timer);
	setitimer(ITIMER_REAL, &it, NULL);
	timer_settime(timer, 0, &fast, NULL);
	check(integer_loop(300000) == quiet_i, "same sum with signals");
	check(vector_loop(300000) == quiet_v, "same vectors with signals");
	loops(bad);
	check(signals > 100, "signals came (%u)", signals);
	check(!bad[0], "integer loop (%d differ)", (int)bad[0]);
	check(!bad[1], "vector loop (%d differ)", (int)bad[1]);
	check(!bad[2], "calls and atomics (%d differ)", (int)bad[2]);
	pthread_create(&a, NULL, loops, bad2);
	pthread_create(&b, NULL, loops, bad3);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check(!bad2[0] && !bad2[1] && !bad2[2] && !bad3[0] && !bad3[1] && !bad3[2], "the same in two threads");
	test_calls();
	setitimer(ITIMER_REAL, &off, NULL);
	return ktap_end();
}
