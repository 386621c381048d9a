// SPDX-License-Identifier: MIT
/*
 * The loop: waits for descriptors, signals, children and time, and tells those whom it concerns. In: sources (srv_watch),
 * children (srv_fork). Out: calls. Here is also what talks to systemd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

#define TICK 1000		/* ms, while there is something to look after */
#define END_TIME 20000		/* ms: for writing back at the end */

static int epoll_fd = -1;
static struct epoll_event events[64];	/* of this round */
static int nevents;
static bool ending, failed;
static u64 end_by, wake_at = ~0ull, last_tick;
u32 srv_generation;
u64 srv_started;

u64 srv_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int srv_watch(struct srv_source *s, u32 events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &e) ? -errno : 0;
}

/* Before the descriptor is closed. What this round still has for it is dropped. */
void srv_unwatch(struct srv_source *s)
{
	for (int i = 0; i < nevents; i++)
		if (events[i].data.ptr == s)
			events[i].data.ptr = NULL;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

int srv_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) ? -errno : 0;
}

void srv_rewatch(struct epoll_event *e, int fd)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, e);
}

void srv_wake_at(u64 ms)
{
	wake_at = MIN(wake_at, ms);
}

/* ---------------------------------------------------------------- children */

#define MAX_CHILDREN 256
static struct child {
	pid_t pid;
	void (*reaped)(void *ctx, int status);
	void *ctx;
} children[MAX_CHILDREN];
static unsigned nchildren;

/* Moves what the child keeps to 3, 4, ... and closes the rest. */
static void keep_only(const int *keep, unsigned n)
{
	int high[8];

	for (unsigned i = 0; i < n; i++) {
		high[i] = fcntl(keep[i], F_DUPFD_CLOEXEC, 3 + (int)n);
		if (high[i] < 0)
			_exit(2);
	}
	for (unsigned i = 0; i < n; i++)
		if (dup2(high[i], 3 + (int)i) < 0)
			_exit(2);
	close_range(3 + n, ~0u, 0);
}

pid_t srv_fork(const int *keep, unsigned n, void (*reaped)(void *ctx, int status), void *ctx)
{
	pid_t parent = getpid(), pid;
	sigset_t none;

	if (nchildren == MAX_CHILDREN)
		return -EAGAIN;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		children[nchildren++] = (struct child){ pid, reaped, ctx };
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGBUS, SIG_DFL);	/* the supervisor's own (objects.c) */
	keep_only(keep, n);
	return 0;
}

void srv_kill(pid_t pid)
{
	if (pid > 0)
		kill(pid, SIGKILL);
}

static void reap(void)
{
	struct child c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < nchildren; i++) {
			if (children[i].pid != pid)
				continue;
			c = children[i];
			children[i] = children[--nchildren];
			c.reaped(c.ctx, status);
			break;
		}
	}
}

/* ---------------------------------------------------------------- signals */

static void on_signal(struct srv_source *s, u32 events)
{
	struct signalfd_siginfo si[16];
	ssize_t n = read(s->fd, si, sizeof(si));

	(void)events;
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++)
		if (si[i].ssi_signo != SIGCHLD)
			srv_end();
	reap();
}

static struct srv_source signals = { .fd = -1, .ready = on_signal };

static int start_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals.fd < 0 ? -errno : srv_watch(&signals, EPOLLIN);
}

/* ---------------------------------------------------------------- systemd */

static void notify(const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (!n || n >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (void *)&a, offsetof(struct sockaddr_un, sun_path) + n) < 0)
		srv_log(SRV_WARN, "systemd cannot be told: %s", strerror(errno));
	close(fd);
}

/* ms between signs of life; 0: nobody waits for them */
static u64 watchdog_time(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && atoi(pid) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 2000;
}

static void watchdog(u64 now)
{
	static u64 every = ~0ull, last;

	if (every == ~0ull)
		every = watchdog_time();
	if (!every)
		return;
	if (now - last >= every) {
		notify("WATCHDOG=1");
		last = now;
	}
	srv_wake_at(last + every);
}

/* ---------------------------------------------------------------- the loop */

void srv_end(void)
{
	if (ending)
		return;
	ending = true;
	end_by = srv_now() + END_TIME;
	notify("STOPPING=1");
	srv_log(SRV_INFO, "ending");
	for (unsigned i = 0; i < srv_nobjects; i++)
		srv_worker_stop(srv_objects[i]);
}

void srv_fail(void)
{
	failed = true;
	srv_end();
}

bool srv_ending(void)
{
	return ending;
}

static void save_idents(u64 now)
{
	static u64 last;
	int dir, err;

	if (!srv_ident_changed() || !srv_store_usable() || (now - last < 10000 && !ending))
		return;
	last = now;
	dir = srv_store_dir();
	err = dir < 0 ? dir : srv_ident_save(dir);
	if (err)
		srv_store_failed(err);
	if (dir >= 0)
		close(dir);
}

static bool busy(void)
{
	return ending || srv_workers_count() || srv_jobs_count() || srv_objects_dirty() || srv_ident_changed();
}

static void idle_exit(u64 now)
{
	static u64 since;

	if (!srv_opt.idle_exit || ending)
		return;
	since = MAX(since, MAX(srv_started, srv_last_request));
	if (srv_transport_socket.clients() || srv_transport_device.clients() || srv_workers_count() || srv_jobs_count())
		since = now;
	if (now - since >= srv_opt.idle_exit * 1000ull) {
		srv_log(SRV_INFO, "idle for %u s", srv_opt.idle_exit);
		srv_end();
	} else {
		srv_wake_at(since + srv_opt.idle_exit * 1000ull);
	}
}

static void tick(u64 now)
{
	bool regular = now - last_tick >= TICK;

	srv_requests_tick(now);
	if (regular) {
		last_tick = now;
		srv_jobs_tick(now);
		srv_workers_tick(now);
		srv_objects_tick(now);
		srv_gates_tick(now);
		srv_transport_socket.tick(now);
		srv_transport_device.tick(now);
		save_idents(now);
		idle_exit(now);
		watchdog(now);
	}
}

static int timeout(u64 now)
{
	u64 at = MIN(wake_at, srv_requests_deadline());

	if (busy() || srv_transport_socket.clients() || srv_transport_device.clients())
		at = MIN(at, last_tick + TICK);
	if (at == ~0ull)
		return -1;
	return at <= now ? 0 : (int)MIN(at - now, 3600000ull);
}

/* Is all written back that can be? */
static bool may_end(u64 now)
{
	if (now >= end_by) {
		srv_log(SRV_WARN, "not everything could be written back in time");
		return true;
	}
	return !srv_jobs_saving() && !srv_workers_count() && (!srv_objects_dirty() || !srv_store_usable());
}

static int init(void)
{
	struct timespec t;
	int err;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &t);
	srv_generation = (u32)t.tv_sec * 1000003u ^ (u32)t.tv_nsec ^ (u32)getpid() << 16;
	srv_generation += !srv_generation;
	srv_started = srv_now();
	err = srv_objects_guard();
	return err ? err : start_signals();
}

int srv_loop(void)
{
	int err = init(), n;
	u64 now;

	if (!err)
		err = srv_transport_socket.start();
	if (!err)
		err = srv_transport_device.start();
	if (err)
		return err;
	notify("READY=1");
	srv_tell_ready();
	srv_log(SRV_INFO, "listening");
	now = srv_now();
	watchdog(now);
	idle_exit(now);
	while (!ending || !may_end(srv_now())) {
		now = srv_now();
		if (now >= wake_at)
			last_tick = 0;
		n = timeout(now);
		if (now >= wake_at)
			wake_at = ~0ull;
		nevents = epoll_wait(epoll_fd, events, ARRAY_SIZE(events), n);
		for (int i = 0; i < nevents; i++) {
			struct srv_source *s = events[i].data.ptr;

			if (s)
				s->ready(s, events[i].events);
		}
		nevents = 0;
		tick(srv_now());
		srv_workers_run();
		srv_transport_socket.after_events();
		srv_transport_device.after_events();
	}
	srv_requests_end();
	save_idents(srv_now());
	srv_transport_socket.stop();
	srv_transport_device.stop();
	return failed ? -EIO : 0;
}
