// SPDX-License-Identifier: MIT
/*
 * Random calls, maps, closes, forks, execs and exits of several clients, with servers that answer sensibly, nonsensically or
 * die. In: DRAGOMAN_SEED (default: the time), DRAGOMAN_SECONDS (default 8). Out: nothing in the kernel's log, and a
 * module that afterwards works as before: a request is served, and no session, image or object is left.
 */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#define CLIENTS	5
#define SERVERS	2
#define FDS	12
#define MAPS	8

static unsigned long long rng;

static unsigned int rnd(unsigned int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return n ? (unsigned int)(rng >> 11) % n : 0;
}

struct actor {
	int fd[FDS];
	char *map[MAPS];
	size_t map_size[MAPS];
	unsigned int object;		/* last seen */
	unsigned long long map_offset, image, id, cookie;
	bool server;
};

static int any_fd(struct actor *a) { return rnd(16) ? a->fd[rnd(FDS)] : (int)rnd(40) - 2; }

static void keep_fd(struct actor *a, int fd)
{
	int i = rnd(FDS);

	if (fd < 0)
		return;
	if (a->fd[i] >= 0)
		close(a->fd[i]);
	a->fd[i] = fd;
}

static int open_file(void)
{
	char name[16];

	snprintf(name, sizeof(name), "f%u", rnd(6));
	return open(name, (rnd(12) ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

static unsigned long long soon(void) { return rnd(3) ? now_ns() + rnd(20) * 1000000ull : rnd(5); }

static unsigned int flags_of(unsigned int known) { return rnd(40) ? rnd(known + 1) & known : rnd(0x7fffffff); }

static void client_call(struct actor *a)
{
	struct dragoman_attach at = { .size = sizeof(at), .fd = -1 };
	struct dragoman_miss m = { .size = sizeof(m) };
	struct dragoman_detach d = { .size = sizeof(d), .object = a->object };
	struct dragoman_get_image g = { .size = sizeof(g) };
	struct dragoman_hello h;
	int fd = any_fd(a);

	switch (rnd(8)) {
	case 0:
		keep_fd(a, rnd(2) ? session_open() : session_new());
		break;
	case 1:
		h = hello_for(rnd(4) ? TRANSLATOR : "x");
		h.flags = flags_of(3);
		if (!dg(fd, DRAGOMAN_IOC_HELLO, &h))
			keep_fd(a, h.image_fd);
		break;
	case 2:
	case 3:
		at.flags = flags_of(15);
		if (at.flags & DRAGOMAN_ATTACH_FD)
			at.fd = any_fd(a);
		if (at.flags & DRAGOMAN_ATTACH_ADDRESS)
			at.address = (unsigned long)a->map[rnd(MAPS)] + rnd(8192);
		if (at.flags & DRAGOMAN_ATTACH_WAIT)
			at.deadline_ns = soon();
		if (!dg(fd, DRAGOMAN_IOC_ATTACH, &at) && at.status == DRAGOMAN_OK) {
			a->object = at.object;
			a->map_offset = at.map_offset;
		}
		break;
	case 4:
	case 5:
	case 6:
		m.flags = flags_of(7);
		m.object = rnd(8) ? a->object : rnd(64);
		m.offset = rnd(20) * 4096;
		m.deadline_ns = m.flags & DRAGOMAN_MISS_NOWAIT ? 0 : soon();
		m.cookie = rnd(3) ? 0 : a->cookie;
		dg(fd, DRAGOMAN_IOC_MISS, &m);
		a->cookie = m.cookie;
		break;
	case 7:
		if (rnd(2))
			dg(fd, DRAGOMAN_IOC_DETACH, &d);
		else if (!dg(fd, DRAGOMAN_IOC_GET_IMAGE, &g))
			keep_fd(a, g.fd);
		break;
	}
}

static void answer_some(struct actor *a, int ctl)
{
	struct dragoman_req req[8];
	struct dragoman_answer ans[8];
	struct dragoman_reply r = { .size = sizeof(r), .buffer = (unsigned long)ans, .answer_size = sizeof(ans[0]) };
	int n = recv_n(ctl, req, 1 + rnd(8), rnd(2) ? rnd(10) * 1000000ull : 0), i, fd;

	for (i = 0; i < n; i++) {
		a->image = req[i].image;
		a->id = req[i].id;
		ans[i] = (struct dragoman_answer){ .id = req[i].id, .status = rnd(10) ? DRAGOMAN_OK : rnd(4) };
		if (req[i].kind == DRAGOMAN_REQ_OPEN && ans[i].status == DRAGOMAN_OK) {
			if (!a->object || !rnd(4)) {
				fd = object_create(ctl, 4096ull << rnd(12), TRANSLATOR, &a->object);
				keep_fd(a, fd);
			}
			ans[i].object = a->object;
		}
	}
	r.count = n;
	if (n > 0 && rnd(10))
		dg(ctl, DRAGOMAN_IOC_REPLY, &r);
}

static void server_call(struct actor *a)
{
	struct dragoman_image_fd im;
	unsigned long long g = rnd(8);
	int fd = any_fd(a);

	switch (rnd(9)) {
	case 0:
		keep_fd(a, ctl_open(1 + rnd(3), &g));
		break;
	case 1:
		keep_fd(a, object_create(fd, rnd(5) ? 4096ull << rnd(16) : rnd(100000), TRANSLATOR, &a->object));
		break;
	case 2:
		object_bind(fd, rnd(3) ? a->image : rnd(20), rnd(3) ? a->object : rnd(20), rnd(4));
		break;
	case 3:
		if (!rnd(3))
			object_retire(fd, rnd(2) ? a->object : rnd(20));
		break;
	case 4:
		if (!image_fd(fd, rnd(3) ? a->image : rnd(20), &im))
			keep_fd(a, im.fd);
		break;
	case 5:
		reply(fd, rnd(3) ? a->id : rnd(50), rnd(5), rnd(2) ? a->object : 0);
		break;
	default:
		answer_some(a, fd);
	}
}

/* Anything: a call with random contents. */
static void wild_call(struct actor *a)
{
	unsigned int arg[64], i, sizes[] = { 16, 24, 32, 48, 56, 64, 80, 112, 128, 152, 200 };

	for (i = 0; i < 64; i++)
		arg[i] = rnd(3) ? 0 : rnd(2) ? rnd(64) : rnd(0x7fffffff);
	if (rnd(8))
		arg[0] = sizes[rnd(ARRAY_SIZE(sizes))];
	if (rnd(2))
		arg[1] = rnd(8);
	/* No waiting for ever: deadlines at the end of MISS, RECV, ATTACH would be beyond our life. */
	dg(any_fd(a), _IO(DRAGOMAN_IOC_TYPE, rnd(2) ? rnd(8) : 0x40 + rnd(10)), rnd(20) ? (void *)arg : (void *)(long)rnd(100000));
}

static void memory(struct actor *a)
{
	int i = rnd(MAPS), prot = rnd(8), fd = any_fd(a);
	size_t size = 4096u << rnd(6);
	off_t at = rnd(2) ? (off_t)a->map_offset + rnd(4) * 4096 : rnd(64) * 4096;
	volatile char c;

	if (a->map[i] && rnd(3)) {
		switch (rnd(5)) {
		case 0: mprotect(a->map[i], a->map_size[i], prot); break;
		case 1: madvise(a->map[i], a->map_size[i], rnd(30)); break;
		case 2: msync(a->map[i], a->map_size[i], MS_SYNC); break;
		case 3: /* a page may lie beyond the object: look through the kernel, not by a load */
			if (write(a->fd[0] < 0 ? 1000 : a->fd[0], a->map[i], 1) == 1)
				c = 0;
			break;
		case 4: munmap(a->map[i], a->map_size[i]); a->map[i] = NULL; break;
		}
		(void)c;
		return;
	}
	if (a->map[i])
		munmap(a->map[i], a->map_size[i]);
	a->map[i] = mmap(NULL, size, prot, rnd(4) ? MAP_SHARED : MAP_PRIVATE, fd, at);
	a->map_size[i] = size;
	if (a->map[i] == MAP_FAILED)
		a->map[i] = NULL;
}

static void leave(struct actor *a)
{
	int status;
	pid_t pid;

	switch (rnd(6)) {
	case 0:
		_exit(0);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		execl("./guest", "./guest", rnd(2) ? "report" : "exit", NULL);
		_exit(0);
	case 3:
		pid = fork();
		if (pid == 0) {
			execl("./guest", "./guest", "report", NULL);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		break;
	default:
		/* A child that lives a little with the same descriptors. */
		if (fork() == 0) {
			alarm(1);
			while (rnd(30))
				client_call(a);
			_exit(0);
		}
		while (waitpid(-1, &status, WNOHANG) > 0)
			;
	}
}

static void touch_file(void)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "f%u", rnd(6));
	if (rnd(3)) {
		unlink(name);
		make_guest(name, 0644);
	}
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, name, 2, rnd(60000)) != 2)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

static void live(unsigned long long seed, bool server, unsigned long long until)
{
	struct actor a = { .server = server };
	int i, null = open("/dev/null", O_RDWR);

	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	dup2(null, 1);
	for (i = 0; i < FDS; i++)
		a.fd[i] = -1;
	alarm(30);
	if (server) {
		keep_fd(&a, server_open(NULL));
	} else {
		if (rnd(2) && (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
			_exit(1);
		keep_fd(&a, session_open());
		keep_fd(&a, open_file());
	}
	while (now_ns() < until) {
		unsigned int what = rnd(100);

		if (what < 55)
			(server ? server_call : client_call)(&a);
		else if (what < 60)
			(server ? client_call : server_call)(&a);
		else if (what < 70)
			wild_call(&a);
		else if (what < 85)
			memory(&a);
		else if (what < 90)
			keep_fd(&a, rnd(3) ? open_file() : dup(any_fd(&a)));
		else if (what < 95)
			close(a.fd[rnd(FDS)]);
		else if (what < 96)
			touch_file();
		else if (what < 97)
			leave(&a);
	}
	_exit(0);
}

static pid_t start(unsigned long long seed, int slot, unsigned long long until)
{
	pid_t pid = fork();

	if (pid == 0)
		live(seed, slot < SERVERS, until);
	return pid;
}

static long long settles_to(const char *name, long long want)
{
	char path[128];
	long long n = -1;
	int i;

	snprintf(path, sizeof(path), SYSFS "/stats/%s", name);
	for (i = 0; i < 300; i++) {
		n = read_number(path);
		if (n <= want)
			break;
		usleep(20000);
	}
	return n;
}

FIXTURE(fuzz) {
};

FIXTURE_SETUP(fuzz)
{
}

FIXTURE_TEARDOWN(fuzz)
{
}

/* The harness gives a test without a limit of its own half a minute. */
TEST_F_TIMEOUT(fuzz, random, 14400)
{
	unsigned long long seed, until, actors = 0;
	int seconds = getenv("DRAGOMAN_SECONDS") ? atoi(getenv("DRAGOMAN_SECONDS")) : 8, i;
	long long sessions, images, objects;
	pid_t pid[SERVERS + CLIENTS];
	struct stage s;
	char name[48];

	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	seed = getenv("DRAGOMAN_SEED") ? strtoull(getenv("DRAGOMAN_SEED"), NULL, 0) : now_ns();
	ksft_print_msg("seed %llu\n", seed);
	/* In the kernel's log, too: it may be the last thing that is seen. */
	snprintf(name, sizeof(name), "seed %llu", seed);
	write_text("/dev/kmsg", name);
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
	sessions = read_number(SYSFS "/stats/sessions");
	images = read_number(SYSFS "/stats/images");
	objects = read_number(SYSFS "/stats/objects");
	ASSERT_LE(0, sessions);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, make_guest(name, i & 1 ? 0644 : 0755));
	}
	/* Children of clients come to us, so that all are waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	until = now_ns() + seconds * SECOND;
	for (i = 0; i < SERVERS + CLIENTS; i++)
		pid[i] = start(seed + actors++, i, until);
	while (now_ns() < until) {
		pid_t gone = waitpid(-1, NULL, WNOHANG);

		for (i = 0; i < SERVERS + CLIENTS; i++)
			if (pid[i] == gone)
				pid[i] = start(seed + actors++, i, until);
		if (gone > 0)
			continue;
		usleep(20000);
		rng = seed + actors * 77 + now_ns();
		if (!rnd(12))
			kill(pid[rnd(SERVERS)], SIGKILL);
	}
	for (i = 0; i < SERVERS + CLIENTS; i++)
		kill(pid[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	ksft_print_msg("%llu lives\n", actors);
	/* As before? */
	EXPECT_GE(sessions, settles_to("sessions", sessions));
	ASSERT_EQ(0, no_server());
	EXPECT_GE(objects, settles_to("objects", objects));
	ASSERT_EQ(0, stage_open(&s));
	EXPECT_EQ(0, stage_attach(&s));
	stage_close(&s);
	EXPECT_GE(sessions, settles_to("sessions", sessions));
	ksft_print_msg("images %lld before, %lld after\n", images, read_number(SYSFS "/stats/images"));
	set_runtime(NULL, 0);
	leave_folder();
}

TEST_HARNESS_MAIN
