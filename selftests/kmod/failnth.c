// SPDX-License-Identifier: MIT
/*
 * Each allocation of each call fails once: /proc/thread-self/fail-nth counts down to the one that does. Needs a kernel with
 * CONFIG_FAULT_INJECTION (selftests/vm/run debug). What may happen: the call says so, or does without; an exec beyond the
 * point of no return kills. What may not: anything in the kernel's log, or a module that does not work afterwards.
 */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#define MAX_NTH	600

static bool have_faults(void)
{
	return access("/proc/self/fail-nth", F_OK) == 0;
}

/* By default GFP_KERNEL never fails, nor do single pages. */
static void set_faults(void)
{
	write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_text("/sys/kernel/debug/failslab/verbose", "0");
	write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_text("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_text("/sys/kernel/debug/fail_usercopy/verbose", "0");
}

static int nth_fd;

static void arm(int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0 || pwrite(nth_fd, text, strlen(text), 0) < 0)
		_exit(99);
}

/* Was there a failure? Disarms. */
static bool hit(void)
{
	char text[16] = "";

	/* This very read was the one that failed: the call had not got that far. */
	if (pread(nth_fd, text, sizeof(text) - 1, 0) < 0)
		return false;
	/* And this write may be it, once. */
	if (atoi(text) && pwrite(nth_fd, "0", 1, 0) < 0 && pwrite(nth_fd, "0", 1, 0) < 0)
		_exit(99);
	close(nth_fd);
	return atoi(text) == 0;
}

struct ctx {
	struct stage s;
	struct dragoman_req req;
	int fd, file2;
	void *map;
};

/* Each: what is needed is there (prepare); then the call, 0 or -errno. */
struct op {
	const char *name;
	int (*prepare)(struct ctx *c);
	int (*call)(struct ctx *c);
};

static int prepare_stage(struct ctx *c)
{
	int ret = stage_open(&c->s);

	return ret ? ret : stage_attach(&c->s);
}

static int prepare_server(struct ctx *c)
{
	return stage_open(&c->s);
}

static int prepare_asked(struct ctx *c)
{
	int ret = stage_open(&c->s);

	if (!ret)
		ret = attach_fd(c->s.session, c->s.file, 0, 0, &c->s.at);
	return ret;
}

static int prepare_taken(struct ctx *c)
{
	int ret = prepare_asked(c);

	if (!ret)
		ret = recv_kind(c->s.ctl, DRAGOMAN_REQ_OPEN, &c->req, 10 * SECOND) == 1 ? 0 : -EIO;
	if (!ret)
		c->s.object_fd = object_create(c->s.ctl, OBJECT_SIZE, TRANSLATOR, &c->s.object);
	return ret ? ret : c->s.object_fd < 0 ? c->s.object_fd : 0;
}

static int prepare_map(struct ctx *c)
{
	int ret = prepare_stage(c);

	c->map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, c->s.file, 0);
	return ret;
}

static int prepare_nothing(struct ctx *c) { return 0; }
static int prepare_session(struct ctx *c) { return (c->fd = session_new()) < 0 ? c->fd : 0; }
static int prepare_node(struct ctx *c) { return (c->fd = open(CLIENT_NODE, O_RDWR)) < 0 ? -errno : 0; }

static int keep(struct ctx *c, int fd)
{
	c->fd = fd;
	return fd < 0 ? fd : 0;
}

static int call_session(struct ctx *c) { return keep(c, dg(c->fd, DRAGOMAN_IOC_SESSION, NULL)); }

static int call_hello(struct ctx *c)
{
	struct dragoman_hello h = hello_for(TRANSLATOR);

	return dg(c->fd, DRAGOMAN_IOC_HELLO, &h);
}

static int call_server(struct ctx *c) { return keep(c, server_open(NULL)); }
static int call_attach(struct ctx *c) { return attach_fd(c->s.session, c->s.file, 0, 0, &c->s.at); }
static int call_address(struct ctx *c) { return attach_address(c->s.session, c->map, 0, &c->s.at); }

static int call_recv(struct ctx *c)
{
	int ret = recv_n(c->s.ctl, &c->req, 1, 0);

	return ret == 1 ? 0 : ret;
}

static int call_image(struct ctx *c)
{
	struct dragoman_image_fd i;

	return image_fd(c->s.ctl, c->req.image, &i);
}

static int call_create(struct ctx *c)
{
	unsigned int object;

	return keep(c, object_create(c->s.ctl, OBJECT_SIZE, TRANSLATOR, &object));
}

static int call_reply(struct ctx *c) { return reply(c->s.ctl, c->req.id, DRAGOMAN_OK, c->s.object); }
static int call_bind(struct ctx *c) { return object_bind(c->s.ctl, c->s.image, c->s.object, DRAGOMAN_OK); }
static int call_private(struct ctx *c) { return object_bind(c->s.ctl, c->s.image, 0, DRAGOMAN_PRIVATE); }
static int call_retire(struct ctx *c) { return object_retire(c->s.ctl, c->s.object); }

static int call_miss(struct ctx *c)
{
	struct dragoman_miss m;

	return miss(c->s.session, c->s.object, 4096, DRAGOMAN_MISS_NOWAIT, 0, &m);
}

static int call_map(struct ctx *c)
{
	char *p = map_object(&c->s, 0, OBJECT_SIZE, PROT_READ | PROT_EXEC);

	return p == MAP_FAILED ? -errno : munmap(p, OBJECT_SIZE);
}

static int call_map_writer(struct ctx *c)
{
	char *p = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->s.object_fd, 0);

	return p == MAP_FAILED ? -errno : munmap(p, OBJECT_SIZE);
}

static int call_runtime(struct ctx *c) { return set_runtime("rt", 0); }
static int call_all(struct ctx *c) { return prepare_stage(c); }

static const struct op ops[] = {
	{ "SESSION", prepare_node, call_session },
	{ "HELLO", prepare_session, call_hello },
	{ "CTL_HELLO", prepare_nothing, call_server },
	{ "SET_RUNTIME", prepare_nothing, call_runtime },
	{ "ATTACH", prepare_server, call_attach },
	{ "ATTACH, bound", prepare_stage, call_attach },
	{ "ATTACH by address", prepare_map, call_address },
	{ "RECV", prepare_asked, call_recv },
	{ "IMAGE_FD", prepare_taken, call_image },
	{ "OBJ_CREATE", prepare_server, call_create },
	{ "REPLY", prepare_taken, call_reply },
	{ "OBJ_BIND", prepare_stage, call_bind },
	{ "OBJ_BIND PRIVATE", prepare_stage, call_private },
	{ "OBJ_RETIRE", prepare_stage, call_retire },
	{ "MISS", prepare_stage, call_miss },
	{ "mmap of a session", prepare_stage, call_map },
	{ "mmap of an object", prepare_stage, call_map_writer },
	{ "all", prepare_nothing, call_all },
};

enum { DONE = 50, FAILED = 51, WORKED = 52, BAD_PREPARE = 53 };

/* In a child: the nth allocation of the call fails. */
static int one(const struct op *op, int n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		static struct ctx c;
		int ret = no_server();

		if (!ret)
			ret = op->prepare(&c);
		if (ret) {
			dprintf(2, "# %s, n %d: prepare: %d\n", op->name, n, ret);
			_exit(BAD_PREPARE);
		}
		arm(n);
		ret = op->call(&c);
		_exit(!hit() ? DONE : ret ? FAILED : WORKED);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

FIXTURE(failnth) {
	struct run r;
};

FIXTURE_SETUP(failnth)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	if (!have_faults())
		SKIP(return, "the kernel has no fault injection");
	set_faults();
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(failnth)
{
	set_runtime(NULL, 0);
	leave_folder();
}

TEST_F_TIMEOUT(failnth, calls, 1800)
{
	struct stage s;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		int failed = 0, worked = 0, end = 0;

		for (n = 1; n < MAX_NTH && !end; n++) {
			int ret = one(&ops[i], n);

			failed += ret == FAILED;
			worked += ret == WORKED;
			end = ret == DONE;
			EXPECT_TRUE(ret == FAILED || ret == WORKED || ret == DONE) TH_LOG("%s, n %d: %d", ops[i].name, n, ret);
			if (ret >= BAD_PREPARE)
				break;
		}
		EXPECT_EQ(1, end) TH_LOG("%s has no end", ops[i].name);
		ksft_print_msg("%s: %d failed, %d did without\n", ops[i].name, failed, worked);
	}
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, stage_open(&s));
	EXPECT_EQ(0, stage_attach(&s));
	stage_close(&s);
}

static int armed(void *arg)
{
	arm(*(int *)arg);
	return 0;
}

TEST_F_TIMEOUT(failnth, exec, 1800)
{
	int n, killed = 0, refused = 0, worked = 0, misses = 0;
	struct run *r = &self->r;

	/* Many allocations can be done without, also several in a row; beyond the last one sixty do not fail. */
	for (n = 1; n < MAX_NTH && misses < 60; n++) {
		run(r, ARGV("./guest", "exit", "17"), NULL, armed, &n);
		if (WIFSIGNALED(r->status)) {
			killed++, misses = 0;
		} else if (r->error) {
			refused++, misses = 0;
			EXPECT_TRUE(r->error == ENOMEM || r->error == EAGAIN || r->error == E2BIG || r->error == ENFILE ||
				    r->error == EFAULT || r->error == ENOSPC || r->error == EIO ||
				    /* the kernel's ELF loader says ENOEXEC when it has no memory, of the runtime here */
				    r->error == ELIBBAD) TH_LOG("n %d: errno %d", n, r->error);
		} else if (WEXITSTATUS(r->status) == 17) {
			worked++, misses++;
		} else {
			killed++, misses = 0;	/* the C library could not start */
		}
	}
	ksft_print_msg("exec: %d refused, %d killed, %d worked\n", refused, killed, worked);
	EXPECT_LT(5, refused);
	run(r, ARGV("./guest", "exit", "17"), NULL, NULL, NULL);
	EXPECT_EQ(17, WEXITSTATUS(r->status));
	EXPECT_EQ(0, writable_again("guest"));
	EXPECT_EQ(0, set_runtime(NULL, 0));
	EXPECT_EQ(0, writable_again("rt"));
}

TEST_HARNESS_MAIN
