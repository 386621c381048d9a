// SPDX-License-Identifier: MIT
/* Misses: waiting, signals, deadlines, who is served first, how many are allowed, what one request stands for. */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#include <pthread.h>
#include <sys/time.h>

FIXTURE(requests) {
	struct stage s;
};

FIXTURE_SETUP(requests)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, stage_open(&self->s));
	ASSERT_EQ(0, stage_attach(&self->s));
}

FIXTURE_TEARDOWN(requests)
{
	stage_close(&self->s);
	leave_folder();
}

static void no_action(int sig)
{
}

/* A child that misses one place; its exit status says how that ended: 100 + status, or errno. */
static pid_t start_miss(struct stage *s, unsigned long long offset, unsigned int flags, unsigned long long wait_ns)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct dragoman_attach a;
		struct dragoman_miss m;
		int session = session_open(), ret;

		signal(SIGUSR1, no_action);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(s->ctl);
		close(s->session);
		ret = session < 0 ? session : attach_fd(session, s->file, 0, 0, &a);
		if (!ret && a.status != DRAGOMAN_OK)
			_exit(99);
		if (!ret)
			ret = miss(session, a.object, offset, flags, wait_ns, &m);
		_exit(ret ? -ret : (int)(100 + m.status));
	}
	return pid;
}

static int result_from(int status)
{
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int result_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? result_from(status) : -1;
}

/* Has the process been asleep for a while? Then it waits for an answer; where the machine is busy it may be long until then. */
static bool sleeps(pid_t pid)
{
	char path[64], text[256], *state;
	int in_turn = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 3000 && in_turn < 10; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC), n = read(fd, text, sizeof(text) - 1);

		close(fd);
		text[n > 0 ? n : 0] = 0;
		state = strrchr(text, ')');
		in_turn = state && state[1] && (state[2] == 'S' || state[2] == 'D') ? in_turn + 1 : 0;
		usleep(10000);
	}
	return in_turn == 10;
}

TEST_F(requests, answered)
{
	unsigned int said[] = { DRAGOMAN_OK, DRAGOMAN_NONE, DRAGOMAN_PRIVATE };
	struct stage *s = &self->s;
	struct dragoman_req req;
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++) {
		pid = start_miss(s, 4096 + i * 8, 0, 60 * SECOND);
		ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_MISS, &req, 30 * SECOND));
		EXPECT_EQ(4096 + i * 8, req.offset);
		EXPECT_EQ(64, req.length);
		EXPECT_EQ(s->object, req.object);
		EXPECT_EQ(s->image, req.image);
		EXPECT_EQ(pid, (pid_t)req.pid);
		EXPECT_EQ(0, req.priority);
		EXPECT_EQ(0, reply(s->ctl, req.id, said[i], 0));
		EXPECT_EQ(100 + (int)said[i], result_of(pid));
	}
}

TEST_F(requests, deadline)
{
	struct stage *s = &self->s;
	unsigned long long t = now_ns();
	struct dragoman_req req;
	struct dragoman_miss m;

	EXPECT_EQ(-ETIMEDOUT, miss(s->session, s->object, 4096, 0, SECOND / 5, &m));
	EXPECT_LE(SECOND / 5, now_ns() - t);
	EXPECT_NE(0, m.cookie);
	/* The request lives on, and asking again is the same one. */
	EXPECT_EQ(-ETIMEDOUT, miss(s->session, s->object, 4096, 0, 1, &m));
	usleep(100000);
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(4096, req.offset);
	EXPECT_LE(SECOND / 10, req.age_ns);
	EXPECT_GE(now_ns() - t, req.age_ns);
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
}

TEST_F(requests, arguments)
{
	struct stage *s = &self->s;
	struct dragoman_req req;
	struct dragoman_miss m;

	EXPECT_EQ(-EINVAL, miss(s->session, s->object, GUEST_SIZE, DRAGOMAN_MISS_NOWAIT, 0, &m));
	EXPECT_EQ(-EINVAL, miss(s->session, s->object, ~0ull, DRAGOMAN_MISS_NOWAIT, 0, &m));
	EXPECT_EQ(-EINVAL, miss(s->session, s->object, 4096, DRAGOMAN_MISS_PREFETCH, SECOND, &m));
	m = miss_for(s->object, 4096, DRAGOMAN_MISS_NOWAIT, 0);
	m.deadline_ns = 5;
	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_MISS, &m));
	EXPECT_GT(0, miss(s->session, s->object + 77, 4096, DRAGOMAN_MISS_NOWAIT, 0, &m));
	EXPECT_GT(0, miss(s->session, 0, 4096, DRAGOMAN_MISS_NOWAIT, 0, &m));
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
	/* A length beyond the end is only a hint. */
	m = miss_for(s->object, 4096, DRAGOMAN_MISS_NOWAIT, 0);
	m.length = GUEST_SIZE;
	EXPECT_EQ(0, dg(s->session, DRAGOMAN_IOC_MISS, &m));
	EXPECT_EQ(DRAGOMAN_NONE, m.status);
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(1, req.priority);
}

/* One request however many ask. */
TEST_F(requests, same_place)
{
	struct stage *s = &self->s;
	struct dragoman_req req[8];
	pid_t pid[6];
	int i;

	for (i = 0; i < 6; i++)
		pid[i] = start_miss(s, 8192, 0, 60 * SECOND);
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_MISS, req, 30 * SECOND));
	/* Some come later than the first was taken: they wait for it, too. */
	for (i = 0; i < 6; i++)
		EXPECT_TRUE(sleeps(pid[i]));
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, req + 1, 4, 0));
	EXPECT_EQ(0, reply(s->ctl, req[0].id, DRAGOMAN_OK, 0));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(100, result_of(pid[i]));
}

TEST_F(requests, batch_and_order)
{
	struct stage *s = &self->s;
	struct dragoman_req req[16];
	struct dragoman_answer a[16] = {};
	struct dragoman_reply r = { .size = sizeof(r), .buffer = (unsigned long)a, .answer_size = sizeof(a[0]) };
	struct dragoman_miss m;
	pid_t pid;
	int i, n, waiting = -1;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, miss(s->session, s->object, 4096 * i, DRAGOMAN_MISS_NOWAIT | DRAGOMAN_MISS_PREFETCH, 0, &m));
	for (i = 3; i < 6; i++)
		EXPECT_EQ(0, miss(s->session, s->object, 4096 * i, DRAGOMAN_MISS_NOWAIT, 0, &m));
	pid = start_miss(s, 4096 * 7, 0, 60 * SECOND);
	for (i = 0; i < 500 && read_number(SYSFS "/stats/queued") >= 0; i++) {
		struct pollfd p = { .fd = s->ctl, .events = POLLIN };

		EXPECT_EQ(1, poll(&p, 1, 0));
		usleep(2000);
	}
	n = recv_n(s->ctl, req, 16, SECOND);
	EXPECT_EQ(7, n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(i == 0 ? 0 : i < 4 ? 1 : 2, (int)req[i].priority) TH_LOG("entry %d", i);
		if (req[i].offset == 4096 * 7)
			waiting = i;
		a[i].id = req[i].id;
		a[i].status = DRAGOMAN_OK;
		a[i].error = 99;
	}
	EXPECT_EQ(0, waiting);
	/* In one call, with a wrong entry among them. */
	a[n].id = 1ull << 60;
	a[n].error = 99;
	r.count = n + 1;
	EXPECT_EQ(0, dg(s->ctl, DRAGOMAN_IOC_REPLY, &r));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, a[i].error) TH_LOG("entry %d", i);
	EXPECT_EQ(-ENOENT, a[n].error);
	EXPECT_EQ(100, result_of(pid));
}

/* Somebody who waits for what was only prefetched makes it urgent. */
TEST_F(requests, promoted)
{
	struct stage *s = &self->s;
	struct dragoman_req req[4];
	struct dragoman_miss m;
	pid_t pid;

	EXPECT_EQ(0, miss(s->session, s->object, 0, DRAGOMAN_MISS_NOWAIT, 0, &m));
	EXPECT_EQ(0, miss(s->session, s->object, 4096, DRAGOMAN_MISS_NOWAIT | DRAGOMAN_MISS_PREFETCH, 0, &m));
	pid = start_miss(s, 4096, 0, 60 * SECOND);
	ASSERT_TRUE(sleeps(pid));
	ASSERT_EQ(2, recv_n(s->ctl, req, 4, SECOND));
	EXPECT_EQ(4096, req[0].offset);
	EXPECT_EQ(0, req[0].priority);
	EXPECT_EQ(0, reply(s->ctl, req[0].id, DRAGOMAN_OK, 0));
	EXPECT_EQ(100, result_of(pid));
}

static volatile int *storms;			/* alarms that came */

static void count_alarm(int sig)
{
	if (storms)
		++*storms;
}

static void start_storm(int flags, long usec)
{
	struct sigaction sa = { .sa_handler = count_alarm, .sa_flags = flags };
	struct itimerval it = { { 0, usec }, { 0, usec } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

/* A storm of signals makes no second request. */
TEST_F(requests, restarted)
{
	struct stage *s = &self->s;
	struct dragoman_req req;
	struct dragoman_miss m;
	pid_t pid;
	int i;

	storms = mmap(NULL, sizeof(*storms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)storms);
	pid = fork();
	if (pid == 0) {
		int session = session_open();
		struct dragoman_attach a;

		if (attach_fd(session, s->file, 0, 0, &a) || a.status != DRAGOMAN_OK)
			_exit(90);
		start_storm(SA_RESTART, 20000);
		if (miss(session, a.object, 4096, 0, 60 * SECOND, &m))
			_exit(errno);
		_exit(100 + m.status);
	}
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_MISS, &req, 30 * SECOND));
	*storms = 0;
	for (i = 0; i < 3000 && *storms < 10; i++)
		usleep(10000);
	EXPECT_LE(10, *storms);
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, 0));
	EXPECT_EQ(100, result_of(pid));
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
}

/* Without SA_RESTART: EINTR, with a cookie that finds the request again; also when it was answered meanwhile. */
TEST_F(requests, interrupted)
{
	struct stage *s = &self->s;
	struct dragoman_req req, again;
	struct dragoman_miss m;
	struct itimerval off = {};
	unsigned long long cookie;

	start_storm(0, 100000);
	EXPECT_EQ(-EINTR, miss(s->session, s->object, 4096, 0, 60 * SECOND, &m));
	cookie = m.cookie;
	EXPECT_NE(0, cookie);
	EXPECT_EQ(-EINTR, dg(s->session, DRAGOMAN_IOC_MISS, &m));
	EXPECT_EQ(cookie, m.cookie);
	setitimer(ITIMER_REAL, &off, NULL);
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &again, 1, 0));
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, 0));
	EXPECT_EQ(0, dg(s->session, DRAGOMAN_IOC_MISS, &m));
	EXPECT_EQ(DRAGOMAN_OK, m.status);
	/* A cookie of nobody's: not waited for, not an oops. */
	m = miss_for(s->object, 4096, 0, SECOND / 10);
	m.cookie = 0xdeadbeefdeadbeefull;
	EXPECT_LE(-ETIMEDOUT, dg(s->session, DRAGOMAN_IOC_MISS, &m));
}

/* KILLABLE: other signals wait until the answer is there. */
TEST_F(requests, killable)
{
	struct stage *s = &self->s;
	struct dragoman_req req;
	pid_t pid;

	pid = start_miss(s, 4096, DRAGOMAN_MISS_KILLABLE, 60 * SECOND);
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_MISS, &req, 30 * SECOND));
	kill(pid, SIGUSR1);
	usleep(300000);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGKILL);
	EXPECT_EQ(1000 + SIGKILL, result_of(pid));
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, 0));
}

/* Waiters that are killed: the request goes on, and nobody is left waiting. */
TEST_F(requests, killed_waiters)
{
	struct stage *s = &self->s;
	struct dragoman_req req[16];
	pid_t pid[8];
	int i, n;

	for (i = 0; i < 8; i++)
		pid[i] = start_miss(s, 4096 * (i / 2), 0, 120 * SECOND);
	usleep(400000);
	for (i = 0; i < 8; i++)
		kill(pid[i], SIGKILL);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(1000 + SIGKILL, result_of(pid[i]));
	n = recv_n(s->ctl, req, 16, SECOND / 10);
	for (i = 0; i < n; i++)
		if (req[i].id)
			EXPECT_EQ(0, reply(s->ctl, req[i].id, DRAGOMAN_OK, 0));
}

struct waiter {
	struct stage *s;
	int ret;
	struct dragoman_miss m;
};

static void *thread_miss(void *arg)
{
	struct waiter *w = arg;

	w->ret = miss(w->s->session, w->s->object, 4096, 0, 60 * SECOND, &w->m);
	return NULL;
}

/* Closing the session under a waiting thread: the file lives until the call ends. */
TEST_F(requests, closed_while_waiting)
{
	struct stage *s = &self->s;
	struct waiter w = { .s = s };
	struct dragoman_req req;
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, thread_miss, &w));
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_MISS, &req, 30 * SECOND));
	close(s->session);
	s->session = -1;
	usleep(100000);
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, 0));
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_EQ(0, w.ret);
	EXPECT_EQ(DRAGOMAN_OK, w.m.status);
}

/* Who asks too much is told so, and others still get through. */
TEST_F(requests, too_many)
{
	struct stage *s = &self->s;
	static struct dragoman_req req[256];
	struct dragoman_miss m;
	int i, ret = 0, n, got = 0, queued = 0, status = 0;
	pid_t pid;

	for (i = 0; i < 16384; i++) {
		ret = miss(s->session, s->object, i * 4, DRAGOMAN_MISS_NOWAIT | DRAGOMAN_MISS_PREFETCH, 0, &m);
		if (ret)
			break;
		queued++;
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(8, queued);
	ksft_print_msg("%d requests of one session are allowed\n", queued);
	pid = fork();
	if (pid == 0) {
		struct dragoman_attach a;
		int session, ret;

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		session = session_open();
		ret = session < 0 ? session : attach_fd(session, s->file, 0, 0, &a);
		if (!ret)
			ret = miss(session, a.object, 65000, 0, 60 * SECOND, &m);
		_exit(ret ? -ret : 100);
	}
	while (!waitpid(pid, &status, WNOHANG) || got < queued) {
		n = recv_n(s->ctl, req, 256, SECOND / 5);
		for (i = 0; i < n; i++) {
			got++;
			if (req[i].offset == 65000)
				EXPECT_EQ(1000, req[i].uid);
			EXPECT_EQ(0, reply(s->ctl, req[i].id, DRAGOMAN_OK, 0));
		}
	}
	EXPECT_EQ(100, result_from(status));
	EXPECT_EQ(queued + 1, got);
}

/* Asks as user uid of a namespace that user 1000 made and in which 0 to 9 are 1000 to 1009: how many are allowed; -errno. */
static int ask_in_namespace(int file, int uid)
{
	char path[64], c = 0;
	int p[2], status, n = 0;
	struct dragoman_attach a;
	struct dragoman_miss m;
	pid_t me = getpid();

	if (pipe(p))
		return -errno;
	if (fork() == 0) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
		if (read(p[0], &c, 1) != 1 || write_text(path, "0 1000 10"))
			_exit(1);
		_exit(0);
	}
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER))
		return -errno;
	if (write(p[1], "u", 1) != 1 || wait(&status) < 0 || status || setresuid(uid, uid, uid))
		return -EIO;
	/* One session after the other, each as much as it may. */
	for (int i = 0; i < 64; i++) {
		int session = session_open();

		if (session < 0 || attach_fd(session, file, 0, 0, &a) || a.status != DRAGOMAN_OK)
			return -EBADMSG;
		while (n < 4000 && !miss(session, a.object, uid * 16384 + n * 4, DRAGOMAN_MISS_NOWAIT, 0, &m))
			n++;
	}
	return n;
}

/* More user IDs of one user are not more users. */
TEST_F(requests, too_many_users)
{
	struct stage *s = &self->s;
	int uid, total = 0, first = 0, r[2];
	static struct dragoman_req req[256];

	for (uid = 1; uid <= 3; uid++) {
		int n = 0;

		ASSERT_EQ(0, pipe(r));
		if (fork() == 0) {
			n = ask_in_namespace(s->file, uid);
			_exit(write(r[1], &n, sizeof(n)) != sizeof(n));
		}
		ASSERT_EQ((int)sizeof(n), read(r[0], &n, sizeof(n)));
		wait(NULL);
		if (n == -EPERM || n == -ENOSPC)
			SKIP(return, "no user namespaces for users here");
		ASSERT_LE(0, n) TH_LOG("%d", n);
		if (uid == 1)
			first = n;
		total += n;
		close(r[0]);
		close(r[1]);
	}
	EXPECT_LT(100, first);
	EXPECT_GE(first + 16, total);
	/* The server still hears who it was. */
	ASSERT_LT(0, recv_n(s->ctl, req, 256, SECOND));
	EXPECT_EQ(1001, req[0].uid);
}

/* An ATTACH that waits gets what the server decides. */
TEST_F(requests, attach_waits)
{
	struct stage *s = &self->s;
	struct dragoman_req req;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, make_guest("second", 0644));
	fd = open("second", O_RDONLY);
	pid = fork();
	if (pid == 0) {
		struct dragoman_attach a;
		int session = session_open();
		int ret = attach_fd(session, fd, DRAGOMAN_ATTACH_WAIT, 60 * SECOND, &a);

		_exit(ret ? -ret : (int)(100 + a.status));
	}
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, 30 * SECOND));
	usleep(50000);
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
	EXPECT_EQ(100, result_of(pid));
}

/* A server thread that waits is woken; signals restart its wait, too. */
static void *thread_recv(void *arg)
{
	struct waiter *w = arg;
	struct dragoman_req req;

	w->ret = recv_n(w->s->ctl, &req, 1, 60 * SECOND);
	if (w->ret == 1)
		reply(w->s->ctl, req.id, DRAGOMAN_OK, 0);
	return NULL;
}

TEST_F(requests, receiver_waits)
{
	struct stage *s = &self->s;
	struct waiter w = { .s = s };
	struct dragoman_miss m;
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, thread_recv, &w));
	usleep(100000);
	pthread_kill(t, SIGCONT);
	EXPECT_EQ(0, miss(s->session, s->object, 4096, 0, 60 * SECOND, &m));
	EXPECT_EQ(DRAGOMAN_OK, m.status);
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_EQ(1, w.ret);
}

TEST_HARNESS_MAIN
