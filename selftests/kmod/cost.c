// SPDX-License-Identifier: MIT
/*
 * What the module costs, as ratios of two things done in turn in one run: an exec that is handed over against the exec of the
 * registered runtime itself (the same native program, without the module), and a miss that a waiting server answers at once against a
 * byte through a pipe and another one back between two processes. In: DRAGOMAN_COST=judge: hold them to the bounds below; without it
 * only print them (an emulated processor's times are not a processor's). DRAGOMAN_COST_ROUNDS: pairs of each (default 200).
 */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#define HANDOVER_BOUND	1.15
#define MISS_BOUND	2.0
#define MOST_ROUNDS	20000

static int compare(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double median(unsigned long long *ns, int n)
{
	qsort(ns, n, sizeof(*ns), compare);
	return ns[n / 2];
}

static bool judged(void)
{
	const char *s = getenv("DRAGOMAN_COST");

	return s && !strcmp(s, "judge");
}

static int rounds_wanted(void)
{
	const char *s = getenv("DRAGOMAN_COST_ROUNDS");
	int n = s ? atoi(s) : 200;

	return n < 10 ? 10 : n > MOST_ROUNDS ? MOST_ROUNDS : n;
}

/* One processor for this process and its children, so that none waits for another's to wake up. */
static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE(cost) {
	unsigned long long plain[MOST_ROUNDS], ours[MOST_ROUNDS];
	int rounds;
};

FIXTURE_SETUP(cost)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	self->rounds = rounds_wanted();
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(cost)
{
	set_runtime(NULL, 0);
	leave_folder();
}

/* vfork, exec and exit; 0: it went wrong. */
static unsigned long long exec_ns(const char *path)
{
	unsigned long long start = now_ns();
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execl(path, path, "exit", "5", NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5)
		return 0;
	return now_ns() - start;
}

TEST_F_TIMEOUT(cost, handover, 1200)
{
	double plain, ours;
	int i;

	pin(0);
	for (i = -20; i < self->rounds; i++) {
		int at = i < 0 ? 0 : i;

		self->plain[at] = exec_ns("./rt");
		self->ours[at] = exec_ns("./guest");
		ASSERT_NE(0, self->plain[at]);
		ASSERT_NE(0, self->ours[at]);
	}
	plain = median(self->plain, self->rounds);
	ours = median(self->ours, self->rounds);
	ksft_print_msg("hand-over: native %.1f us, through the module %.1f us: %.3f times (medians of %d)\n", plain / 1e3,
		       ours / 1e3, ours / plain, self->rounds);
	if (judged())
		EXPECT_GE(HANDOVER_BOUND, ours / plain);
}

/* Answers what comes until there is nothing for ten seconds. */
static void serve(int ctl)
{
	struct dragoman_req req;

	while (recv_n(ctl, &req, 1, 10 * SECOND) == 1)
		if (req.kind != DRAGOMAN_REQ_IDLE)
			reply(ctl, req.id, DRAGOMAN_OK, 0);
	_exit(0);
}

static void echo(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
		;
	_exit(0);
}

static unsigned long long pipe_ns(int out, int in)
{
	unsigned long long start = now_ns();
	char byte = 1;

	return write(out, &byte, 1) == 1 && read(in, &byte, 1) == 1 ? now_ns() - start : 0;
}

static unsigned long long miss_ns(struct stage *s, unsigned long long offset)
{
	unsigned long long start = now_ns();
	struct dragoman_miss m;

	return miss(s->session, s->object, offset, 0, 60 * SECOND, &m) || m.status != DRAGOMAN_OK ? 0 : now_ns() - start;
}

TEST_F_TIMEOUT(cost, miss, 1200)
{
	int i, to[2], from[2];
	double plain, ours;
	pid_t server, echoer;
	struct stage s;

	ASSERT_EQ(0, stage_open(&s));
	ASSERT_EQ(0, stage_attach(&s));
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pin(0);
	echoer = fork();
	if (echoer == 0) {
		close(to[1]);
		echo(to[0], from[1]);
	}
	server = fork();
	if (server == 0)
		serve(s.ctl);
	for (i = -20; i < self->rounds; i++) {
		int at = i < 0 ? 0 : i;

		self->plain[at] = pipe_ns(to[1], from[0]);
		self->ours[at] = miss_ns(&s, 64 * (at % 512));
		EXPECT_NE(0, self->plain[at]);
		EXPECT_NE(0, self->ours[at]);
	}
	plain = median(self->plain, self->rounds);
	ours = median(self->ours, self->rounds);
	ksft_print_msg("miss: a pipe there and back %.1f us, a miss %.1f us: %.3f times (medians of %d)\n", plain / 1e3,
		       ours / 1e3, ours / plain, self->rounds);
	if (judged())
		EXPECT_GE(MISS_BOUND, ours / plain);
	kill(server, SIGKILL);
	kill(echoer, SIGKILL);
	waitpid(server, NULL, 0);
	waitpid(echoer, NULL, 0);
	stage_close(&s);
}

TEST_HARNESS_MAIN
