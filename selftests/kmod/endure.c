// SPDX-License-Identifier: MIT
/*
 * Many execs, many servers that are killed, many loads and unloads: neither memory nor references nor lines in the kernel's log may
 * grow with their number. In: DRAGOMAN_ROUNDS (default 30): ten times as many execs, as many servers, as many loads; DRAGOMAN_MODULE,
 * the module's file, for the loads. A small leak is seen from some hundred rounds on; 1000 is what counts.
 */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#define MAX_CACHES 512

struct memory {
	long kb;			/* what nobody can reclaim, and shared memory */
	int ncaches;
	struct { char name[40]; long objects; } cache[MAX_CACHES];
};

FIXTURE(endure) {
	int rounds, log;
	long long refs;
	struct memory before, after;
};

FIXTURE_SETUP(endure)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	self->rounds = getenv("DRAGOMAN_ROUNDS") ? atoi(getenv("DRAGOMAN_ROUNDS")) : 30;
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
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

/* When all is at rest. */
static long kernel_memory(void)
{
	long least = 0, now;
	int i;

	write_text("/proc/sys/vm/drop_caches", "3");
	for (i = 0; i < 20; i++) {
		usleep(100000);
		now = field("SUnreclaim:") + field("Shmem:") + field("PageTables:") + field("KernelStack:") + field("VmallocUsed:");
		if (!i || now < least)
			least = now;
	}
	return least;
}

static void look(struct memory *m)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512];

	m->kb = kernel_memory();
	m->ncaches = 0;
	while (f && m->ncaches < MAX_CACHES && fgets(line, sizeof(line), f))
		if (line[0] != '#' &&
		    sscanf(line, "%39s %ld", m->cache[m->ncaches].name, &m->cache[m->ncaches].objects) == 2)
			m->ncaches++;
	if (f)
		fclose(f);
}

/* Caches of the kernel that have got more objects than events can have left by chance. Says which. */
static int grown(const struct memory *before, const struct memory *after, int events)
{
	long most = events / 4 < 1000 ? 1000 : events / 4;
	int i, k, bad = 0;

	for (i = 0; i < after->ncaches; i++) {
		for (k = 0; k < before->ncaches && strcmp(before->cache[k].name, after->cache[i].name); k++)
			;
		if (k == before->ncaches || after->cache[i].objects - before->cache[k].objects <= most)
			continue;
		ksft_print_msg("%s: %ld objects before, %ld after %d rounds\n", after->cache[i].name, before->cache[k].objects,
			       after->cache[i].objects, events);
		bad++;
	}
	return bad;
}

/*
 * Is there more than chance leaves? Not asked of a debug kernel: kmemleak has a record of its own for each object, KASAN keeps what was
 * freed for long. There kmemleak judges (selftests/vm/init).
 */
static int more(const struct memory *before, const struct memory *after, int events)
{
	if (access("/sys/kernel/debug/kmemleak", F_OK) == 0) {
		ksft_print_msg("memory is left to kmemleak\n");
		return 0;
	}
	/* Page tables and per-processor caches come and go: some slack. */
	return (after->kb - before->kb >= 2048) + grown(before, after, events);
}

static void forget_log(int fd)
{
	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
}

/* Lines of the kernel's own since forget_log() that say an error or that name the module. Prints all. */
static int bad_lines(int fd)
{
	char line[2048];
	int bad = 0;
	ssize_t n;

	while (fd >= 0 && ((n = read(fd, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE))) {
		int priority = n > 0 ? atoi(line) : 6;

		/* What programs have written has another facility. */
		if (n <= 0 || priority >> 3)
			continue;
		line[n] = 0;
		line[strcspn(line, "\n")] = 0;
		ksft_print_msg("log: %s\n", line);
		bad += priority <= 3 || strstr(line, "dragoman");
	}
	return bad;
}

static long long references(void) { return read_number("/sys/module/dragoman/refcnt"); }

/* Closing is asynchronous in the kernel. */
static long long references_settle(long long want)
{
	long long n = references();

	for (int i = 0; i < 200 && n != want; i++) {
		usleep(20000);
		n = references();
	}
	return n;
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

static int reload(const char *file)
{
	int i, fd, ret = 0;

	for (i = 0; i < 500; i++) {
		ret = syscall(SYS_delete_module, "dragoman", O_NONBLOCK) ? -errno : 0;
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(10000);
	}
	if (ret)
		return ret;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* Each with something to clean up: a runtime, an exec, a server with an object that was killed. */
static int loads(int n, const char *file)
{
	int i, bad = 0;

	for (i = 0; i < n && !bad; i++) {
		bad += set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS) != 0;
		bad += execs(1);
		if (i % 4 == 0)
			bad += servers(1);
		bad += reload(file) != 0;
	}
	return bad;
}

TEST_F_TIMEOUT(endure, execs, 7200)
{
	int quarter = self->rounds * 10 / 4 + 1;

	EXPECT_EQ(0, execs(self->rounds / 2 + 20));
	self->refs = references();
	look(&self->before);
	forget_log(self->log);
	for (int i = 1; i <= 4; i++) {
		ASSERT_EQ(0, execs(quarter));
		/* A short run need not see how it goes. */
		if (i < 4 && self->rounds < 200)
			continue;
		look(&self->after);
		ksft_print_msg("%d execs: %ld kB, %+ld\n", i * quarter, self->after.kb, self->after.kb - self->before.kb);
	}
	EXPECT_EQ(0, more(&self->before, &self->after, 4 * quarter));
	EXPECT_EQ(self->refs, references_settle(self->refs));
	EXPECT_EQ(0, read_number(SYSFS "/stats/sessions"));
	EXPECT_EQ(0, bad_lines(self->log));
}

TEST_F_TIMEOUT(endure, servers, 7200)
{
	int quarter = self->rounds / 4 + 1;
	long long images;

	EXPECT_EQ(0, servers(self->rounds / 10 + 5));
	self->refs = references();
	look(&self->before);
	forget_log(self->log);
	for (int i = 1; i <= 4; i++) {
		ASSERT_EQ(0, servers(quarter));
		/* A short run need not see how it goes. */
		if (i < 4 && self->rounds < 200)
			continue;
		look(&self->after);
		ksft_print_msg("%d servers killed: %ld kB, %+ld\n", i * quarter, self->after.kb, self->after.kb - self->before.kb);
	}
	images = read_number(SYSFS "/stats/images");
	EXPECT_EQ(0, more(&self->before, &self->after, 4 * quarter));
	EXPECT_EQ(self->refs, references_settle(self->refs));
	EXPECT_EQ(0, read_number(SYSFS "/stats/objects"));
	EXPECT_GE(4, images);
	EXPECT_EQ(0, read_number(SYSFS "/stats/sessions"));
	EXPECT_EQ(0, bad_lines(self->log));
}

TEST_F_TIMEOUT(endure, loads, 7200)
{
	const char *file = getenv("DRAGOMAN_MODULE");
	int quarter = self->rounds / 4 + 1;

	if (!file)
		SKIP(return, "DRAGOMAN_MODULE is not set: the module in use is left alone");
	/* KUnit's tests run at each load: some seconds. */
	if (access("/sys/kernel/debug/kunit/dragoman-queue", F_OK) == 0)
		quarter = quarter / 40 + 1;
	ASSERT_EQ(0, loads(5, file));
	look(&self->before);
	forget_log(self->log);
	for (int i = 1; i <= 4; i++) {
		ASSERT_EQ(0, loads(quarter, file));
		/* A short run need not see how it goes. */
		if (i < 4 && self->rounds < 200)
			continue;
		look(&self->after);
		ksft_print_msg("%d loads: %ld kB, %+ld\n", i * quarter, self->after.kb, self->after.kb - self->before.kb);
	}
	EXPECT_EQ(0, more(&self->before, &self->after, 4 * quarter));
	EXPECT_EQ(0, references_settle(0));
	if (quarter == self->rounds / 4 + 1)
		EXPECT_EQ(0, bad_lines(self->log));
}

TEST_HARNESS_MAIN
