// SPDX-License-Identifier: MIT
/*
 * Many execs, and many rounds of a server with an object: the kernel's memory must not grow with their number. In:
 * DRAGOMAN_ROUNDS (default 30): ten times as many execs, as many servers. A leak is seen from some hundred rounds on.
 */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

FIXTURE(endure) {
	int rounds;
};

FIXTURE_SETUP(endure)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	self->rounds = getenv("DRAGOMAN_ROUNDS") ? atoi(getenv("DRAGOMAN_ROUNDS")) : 30;
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(endure)
{
	set_runtime(NULL, 0);
	leave_folder();
}

static long field(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "r");
	long kb = -1;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kb = strtol(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* kB of the kernel's that nobody can reclaim, and of shared memory, when all is at rest. */
static long kernel_memory(void)
{
	long least = 0, now;
	int i;

	write_text("/proc/sys/vm/drop_caches", "3");
	for (i = 0; i < 20; i++) {
		usleep(100000);
		now = field("SUnreclaim:") + field("Shmem:") + field("PageTables:");
		if (!i || now < least)
			least = now;
	}
	return least;
}

static int execs(int n)
{
	int i, status, bad = 0;

	for (i = 0; i < n; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("./guest", "./guest", "exit", "5", NULL);
			_exit(1);
		}
		bad += waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5;
	}
	return bad;
}

/* A server that makes an object for a file and has a request open when it is killed; each time another file. */
static int servers(int n)
{
	int i, status, bad = 0;

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct dragoman_miss m;
			struct stage s;
			char *p;

			for (int k = 0; k < 200 && stage_open(&s) == -EBUSY; k++)
				usleep(5000);
			if (stage_attach(&s))
				_exit(1);
			p = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s.object_fd, 0);
			memset(p, 1, 65536);
			if (miss(s.session, s.object, 4096, DRAGOMAN_MISS_NOWAIT, 0, &m))
				_exit(2);
			kill(getpid(), SIGKILL);
		}
		bad += waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status);
		no_server();
	}
	return bad;
}

TEST_F_TIMEOUT(endure, memory, 3000)
{
	long before, after;
	long long images;

	EXPECT_EQ(0, execs(self->rounds / 2 + 20));
	EXPECT_EQ(0, servers(self->rounds / 10 + 5));
	before = kernel_memory();
	EXPECT_EQ(0, execs(self->rounds * 10));
	EXPECT_EQ(0, servers(self->rounds));
	after = kernel_memory();
	images = read_number(SYSFS "/stats/images");
	ksft_print_msg("%d execs, %d servers killed: %ld kB before, %ld kB after; %lld images\n", self->rounds * 10, self->rounds,
		       before, after, images);
	/* Page tables and per-processor caches come and go: some slack. 100 bytes an exec or 1 kB a server are more than that from
	 * some thousand rounds on, a page of an object is at once. */
	EXPECT_GT(2048, after - before);
	EXPECT_EQ(0, read_number(SYSFS "/stats/objects"));
	EXPECT_GE(4, images);
	EXPECT_EQ(0, read_number(SYSFS "/stats/sessions"));
}

TEST_HARNESS_MAIN
