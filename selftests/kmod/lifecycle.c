// SPDX-License-Identifier: MIT
/* Servers that die in each state, come back, or are two; the module that is to be unloaded meanwhile. */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#define GRACE	"/sys/module/dragoman/parameters/grace_ms"

FIXTURE(lifecycle) {
	int file, session;
	long long grace;
};

FIXTURE_SETUP(lifecycle)
{
	char text[32];

	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, make_guest("lib", 0644));
	self->file = open("lib", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->file, 0);
	self->session = -1;
	/* Long enough for a new server in a slow machine; tests about the end of it set their own. */
	self->grace = read_number(GRACE);
	ASSERT_LE(0, self->grace);
	snprintf(text, sizeof(text), "%d", 30000);
	ASSERT_EQ(0, write_text(GRACE, text));
}

FIXTURE_TEARDOWN(lifecycle)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", self->grace);
	write_text(GRACE, text);
	leave_folder();
}

enum server_state { IDLE, WAITING, TAKEN_OPEN, OBJECT_MADE, BOUND, TAKEN_MISS, ANSWERED, STATES };

/*
 * A server process that goes as far as a state, says so on the pipe, and stays there. It serves the first OPEN and the
 * first MISS that it gets.
 */
static pid_t start_server(enum server_state until, int *pipe_in)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (pid == 0) {
		unsigned int object = 0;
		struct dragoman_req req;
		int ctl, fd = -1;
		char *rw;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; (ctl = server_open(NULL)) == -EBUSY && i < 500; i++)
			usleep(10000);
		if (ctl < 0 || write(p[1], "s", 1) != 1)
			_exit(1);
		if (until == WAITING)
			recv_n(ctl, &req, 1, 600 * SECOND);
		if (until >= TAKEN_OPEN && recv_kind(ctl, DRAGOMAN_REQ_OPEN, &req, 60 * SECOND) != 1)
			_exit(2);
		if (until >= OBJECT_MADE) {
			fd = object_create(ctl, OBJECT_SIZE, TRANSLATOR, &object);
			rw = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			if (fd < 0 || rw == MAP_FAILED)
				_exit(3);
			rw[4096] = 17;
		}
		if (until >= BOUND && reply(ctl, req.id, DRAGOMAN_OK, object))
			_exit(4);
		if (until >= TAKEN_MISS && recv_kind(ctl, DRAGOMAN_REQ_MISS, &req, 60 * SECOND) != 1)
			_exit(5);
		if (until >= ANSWERED && reply(ctl, req.id, DRAGOMAN_OK, 0))
			_exit(6);
		if (write(p[1], "r", 1) != 1)
			_exit(7);
		pause();
		_exit(0);
	}
	close(p[1]);
	*pipe_in = p[0];
	return pid;
}

static int next(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 60000) == 1 && read(fd, &c, 1) == 1 ? c : -1;
}

static void kill_and_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int joined = -1;			/* a second descriptor of the test's own server */

/*
 * Attaches (waiting), then misses; 100 when all was well, else the errno. Closes ctl, which would keep the server alive.
 */
static pid_t start_client(int ctl, int file, int *pipe_in)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ctl);
		if (joined >= 0)
			close(joined);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct dragoman_attach a = {};
		struct dragoman_miss m;
		int session = session_open(), ret, tries;

		if (write(p[1], "c", 1) != 1)
			_exit(98);
		for (tries = 0; tries < 20; tries++) {
			ret = attach_fd(session, file, DRAGOMAN_ATTACH_WAIT, 90 * SECOND, &a);
			if (ret)
				_exit(-ret);
			if (a.status != DRAGOMAN_OK) {
				usleep(20000);
				continue;
			}
			if (write(p[1], "a", 1) != 1)
				_exit(98);
			ret = miss(session, a.object, 4096, 0, 90 * SECOND, &m);
			if (ret == -ESTALE)
				continue;	/* the server was replaced: its object is retired */
			_exit(ret ? -ret : (int)(100 + m.status));
		}
		_exit(97);
	}
	close(p[1]);
	*pipe_in = p[0];
	return pid;
}

static int result_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Killed in each state; the next server finishes what was begun, and the client notices nothing. */
TEST_F(lifecycle, killed_in_each_state)
{
	int state, sp, cp, sp2;
	pid_t server, client, second;

	for (state = IDLE; state < STATES; state++) {
		/* Another file each time, so that nothing is known of it. */
		ASSERT_EQ(0, unlink("lib"));
		ASSERT_EQ(0, make_guest("lib", 0644));
		close(self->file);
		self->file = open("lib", O_RDONLY | O_CLOEXEC);
		server = start_server(state, &sp);
		ASSERT_EQ('s', next(sp)) TH_LOG("state %d", state);
		client = start_client(-1, self->file, &cp);
		ASSERT_EQ('c', next(cp));
		if (state == WAITING)
			usleep(200000);
		else
			ASSERT_EQ('r', next(sp)) TH_LOG("state %d", state);
		usleep(100000);
		kill_and_wait(server);
		second = start_server(ANSWERED, &sp2);
		ASSERT_EQ('s', next(sp2)) TH_LOG("state %d", state);
		if (state < ANSWERED)
			EXPECT_EQ('r', next(sp2)) TH_LOG("state %d: the second server was not asked", state);
		EXPECT_EQ(100, result_of(client)) TH_LOG("state %d", state);
		kill_and_wait(second);
		close(sp);
		close(sp2);
		close(cp);
	}
}

TEST_F(lifecycle, requeued)
{
	unsigned int i, requeues = 0;
	unsigned long long id = 0;
	struct dragoman_req req;
	int cp, ctl, ret;
	pid_t client;

	ctl = server_open(NULL);
	ASSERT_GE(ctl, 0);
	client = start_client(ctl, self->file, &cp);
	/* A request that each server dies with is given up. */
	for (i = 0; i < DRAGOMAN_MAX_REQUEUES + 3; i++) {
		ret = recv_kind(ctl, DRAGOMAN_REQ_OPEN, &req, i ? 3 * SECOND : 30 * SECOND);
		/* After it a client that asks again makes another request. */
		if (ret != 1 || (id && req.id != id))
			break;
		id = req.id;
		EXPECT_EQ(requeues, req.requeues);
		requeues++;
		close(ctl);
		ctl = server_open(NULL);
		ASSERT_GE(ctl, 0);
	}
	EXPECT_EQ(DRAGOMAN_MAX_REQUEUES + 1, i);
	kill_and_wait(client);
	close(ctl);
}

/* What was taken by one descriptor of a server goes to the others when that one is closed. */
TEST_F(lifecycle, one_thread_dies)
{
	unsigned long long generation;
	struct dragoman_req req, again;
	int ctl, cp;
	pid_t client;

	ctl = server_open(&generation);
	ASSERT_GE(ctl, 0);
	joined = ctl_open(DRAGOMAN_ROLE_JOIN, &generation);
	ASSERT_GE(joined, 0);
	client = start_client(ctl, self->file, &cp);
	ASSERT_EQ(1, recv_kind(joined, DRAGOMAN_REQ_OPEN, &req, 30 * SECOND));
	EXPECT_EQ(-EAGAIN, recv_n(ctl, &again, 1, 0));
	close(joined);
	ASSERT_EQ(1, recv_kind(ctl, DRAGOMAN_REQ_OPEN, &again, 30 * SECOND));
	EXPECT_EQ(req.id, again.id);
	EXPECT_EQ(1, again.requeues);
	EXPECT_EQ(0, reply(ctl, again.id, DRAGOMAN_PRIVATE, 0));
	kill_and_wait(client);
	close(ctl);
}

/* An answer may come through another descriptor of the same server, not of the next server. */
TEST_F(lifecycle, whose_answer)
{
	unsigned long long generation;
	struct dragoman_req req;
	int ctl, cp;
	pid_t client;

	ctl = server_open(&generation);
	joined = ctl_open(DRAGOMAN_ROLE_JOIN, &generation);
	ASSERT_GE(joined, 0);
	client = start_client(ctl, self->file, &cp);
	ASSERT_EQ(1, recv_kind(ctl, DRAGOMAN_REQ_OPEN, &req, 30 * SECOND));
	EXPECT_EQ(0, reply(joined, req.id, DRAGOMAN_NONE, 0));
	ASSERT_EQ(1, recv_kind(ctl, DRAGOMAN_REQ_OPEN, &req, 30 * SECOND));
	close(ctl);
	close(joined);
	ctl = server_open(NULL);
	ASSERT_GE(ctl, 0);
	/* Not taken by this one (yet). */
	EXPECT_EQ(-ENOENT, reply(ctl, req.id, DRAGOMAN_PRIVATE, 0));
	kill_and_wait(client);
	close(ctl);
}

/* Nobody comes: after the time of grace waiters are told. */
TEST_F(lifecycle, grace)
{
	int ctl, cp;
	unsigned long long t;
	struct dragoman_attach a;
	pid_t client;

	ASSERT_EQ(0, write_text(GRACE, "500"));
	ctl = server_open(NULL);
	ASSERT_GE(ctl, 0);
	client = start_client(ctl, self->file, &cp);
	EXPECT_EQ('c', next(cp));
	usleep(200000);
	t = now_ns();
	close(ctl);
	EXPECT_EQ(ENOTCONN, result_of(client));
	EXPECT_LE(SECOND / 4, now_ns() - t);
	/* And at once from then on. */
	self->session = session_open();
	ASSERT_GE(self->session, 0);
	t = now_ns();
	EXPECT_EQ(-ENOTCONN, attach_fd(self->session, self->file, DRAGOMAN_ATTACH_WAIT, 20 * SECOND, &a));
	EXPECT_GT(10 * SECOND, now_ns() - t);
	EXPECT_EQ(-ENOTCONN, attach_fd(self->session, self->file, 0, 0, &a));
}

/* Objects of a dead server: maps go on working, requests say ESTALE, the next server is asked again. */
TEST_F(lifecycle, maps_stay)
{
	struct stage s = { .file = self->file, .object_fd = -1 };
	struct dragoman_miss m;
	struct dragoman_req req;
	char *rx;
	int ret;

	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	s.session = session_open();
	ASSERT_EQ(0, stage_attach(&s));
	rx = map_object(&s, 0, OBJECT_SIZE, PROT_READ | PROT_EXEC);
	ASSERT_NE(MAP_FAILED, (void *)rx);
	close(s.object_fd);
	close(s.ctl);
	EXPECT_EQ(0, rx[4096]);
	/* At once or, if the module hopes for a new server until then, at the deadline. */
	ret = miss(s.session, s.object, 4096, 0, SECOND, &m);
	EXPECT_TRUE(ret == -ESTALE || ret == -ETIMEDOUT) TH_LOG("%d", ret);
	EXPECT_EQ(0, rx[OBJECT_SIZE - 1]);
	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	/* Unasked: the image is in use. */
	ASSERT_EQ(1, recv_kind(s.ctl, DRAGOMAN_REQ_OPEN, &req, 10 * SECOND));
	EXPECT_EQ(-ESTALE, miss(s.session, s.object, 4096, 0, SECOND, &m));
	EXPECT_EQ(0, rx[8192]);
	munmap(rx, OBJECT_SIZE);
	close(s.ctl);
	close(s.session);
}

/* The next server hears of each object that is wanted, not only of one. */
TEST_F(lifecycle, asked_again_for_all)
{
	struct stage s = { .file = self->file, .object_fd = -1 };
	unsigned long long seen[8] = {};
	struct dragoman_attach a;
	struct dragoman_req req;
	unsigned int n = 0;
	char name[16];

	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	s.session = session_open();
	ASSERT_EQ(0, stage_attach(&s));
	for (int i = 0; i < 7; i++) {
		int file;

		snprintf(name, sizeof(name), "lib%d", i);
		ASSERT_EQ(0, make_guest(name, 0644));
		file = open(name, O_RDONLY | O_CLOEXEC);
		ASSERT_EQ(0, attach_fd(s.session, file, 0, 0, &a));
		ASSERT_EQ(1, recv_kind(s.ctl, DRAGOMAN_REQ_OPEN, &req, 10 * SECOND));
		ASSERT_EQ(0, reply(s.ctl, req.id, DRAGOMAN_OK, s.object));
		/* Two files, one object: a session attaches that once, so each gets its own session. */
		int session = session_open();

		ASSERT_GE(session, 0);
		ASSERT_EQ(0, attach_fd(session, file, 0, 0, &a));
		EXPECT_EQ(DRAGOMAN_OK, a.status);
	}
	close(s.object_fd);
	close(s.ctl);
	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	while (n < 8 && recv_kind(s.ctl, DRAGOMAN_REQ_OPEN, &req, SECOND) == 1) {
		for (unsigned int i = 0; i < n; i++)
			EXPECT_NE(seen[i], req.image);
		seen[n++] = req.image;
		EXPECT_EQ(0, reply(s.ctl, req.id, DRAGOMAN_NONE, 0));
	}
	EXPECT_EQ(8, n);
	EXPECT_EQ(-EAGAIN, recv_n(s.ctl, &req, 1, 0));
	close(s.ctl);
	close(s.session);
}

/* A server that inherits its descriptors to a child lives as long as the child. */
TEST_F(lifecycle, forked_server)
{
	int ctl = server_open(NULL), again;
	pid_t pid;

	ASSERT_GE(ctl, 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	close(ctl);
	again = server_open(NULL);
	EXPECT_EQ(-EBUSY, again);
	kill_and_wait(pid);
	EXPECT_EQ(0, no_server());
}

static int unload(void)
{
	return syscall(SYS_delete_module, "dragoman", O_NONBLOCK) ? -errno : 0;
}

static bool held(void)
{
	int ret = unload();

	return ret == -EAGAIN || ret == -EBUSY;
}

/* Descriptors hold the module, whoever has them. Maps do not have to: they are of a file system that is not the module's. */
TEST_F(lifecycle, module_is_held)
{
	struct stage s = { .file = self->file, .object_fd = -1 };
	int node;

	node = open(CLIENT_NODE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(node, 0);
	EXPECT_TRUE(held());
	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	close(node);
	usleep(50000);
	EXPECT_TRUE(held());
	s.session = session_open();
	ASSERT_EQ(0, stage_attach(&s));
	close(s.object_fd);
	close(s.ctl);
	usleep(50000);
	EXPECT_TRUE(held()) TH_LOG("a session");
	close(s.session);
	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	s.object_fd = object_create(s.ctl, OBJECT_SIZE, TRANSLATOR, &s.object);
	ASSERT_GE(s.object_fd, 0);
	close(s.ctl);
	usleep(50000);
	EXPECT_TRUE(held()) TH_LOG("an object's descriptor");
	close(s.object_fd);
}

static int load(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;

	close(fd);
	return ret;
}

static int unload_soon(void)
{
	int i, ret = 0;

	for (i = 0; i < 200; i++) {
		ret = unload();
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(20000);
	}
	return ret;
}

/* Unloaded with code still mapped, requests left, a runtime registered; then loaded again. Needs DRAGOMAN_MODULE (the file). */
TEST_F(lifecycle, unloaded_and_loaded)
{
	const char *file = getenv("DRAGOMAN_MODULE");
	struct stage s = { .file = self->file, .object_fd = -1 };
	struct dragoman_attach a;
	char *rx, *rw, text[32];
	int fd;

	if (!file)
		SKIP(return, "DRAGOMAN_MODULE is not set: the module in use is left alone");
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
	s.ctl = server_open(&s.generation);
	ASSERT_GE(s.ctl, 0);
	s.session = session_open();
	ASSERT_EQ(0, stage_attach(&s));
	rw = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s.object_fd, 0);
	rx = map_object(&s, 0, OBJECT_SIZE, PROT_READ | PROT_EXEC);
	ASSERT_NE(MAP_FAILED, (void *)rw);
	ASSERT_NE(MAP_FAILED, (void *)rx);
	ASSERT_EQ(0, make_guest("unanswered", 0644));
	fd = open("unanswered", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(0, attach_fd(s.session, fd, 0, 0, &a));
	rw[4096] = 42;
	close(fd);
	close(s.object_fd);
	close(s.session);
	close(s.ctl);
	ASSERT_EQ(0, unload_soon());
	EXPECT_EQ(42, rx[4096]);
	rw[8192] = 43;
	EXPECT_EQ(43, rx[8192]);
	EXPECT_EQ(-1, mprotect(rx, 4096, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, access("guest", X_OK));
	ASSERT_EQ(0, load(file));
	EXPECT_EQ(42, rx[4096]);
	munmap(rx, OBJECT_SIZE);
	munmap(rw, OBJECT_SIZE);
	/* It knows nothing of before. */
	EXPECT_EQ(0, read_number(SYSFS "/guest-aarch64/runtime"));
	EXPECT_EQ(0, read_number(SYSFS "/stats/objects"));
	snprintf(text, sizeof(text), "%d", 30000);
	EXPECT_EQ(0, write_text(GRACE, text));
}

/* Many servers, one after another, each killed while clients ask. */
TEST_F(lifecycle, kill_storm)
{
	int i, sp, cp[4], rounds = getenv("DRAGOMAN_ROUNDS") ? atoi(getenv("DRAGOMAN_ROUNDS")) : 30;
	pid_t server, client[4];

	for (i = 0; i < 4; i++)
		client[i] = start_client(-1, self->file, &cp[i]);
	for (i = 0; i < rounds; i++) {
		server = start_server(i % STATES, &sp);
		if (next(sp) != 's')
			break;
		usleep(1000 * (i % 13));
		kill_and_wait(server);
		close(sp);
	}
	EXPECT_EQ(rounds, i);
	for (i = 0; i < 4; i++)
		kill_and_wait(client[i]);
}

TEST_HARNESS_MAIN
