// SPDX-License-Identifier: MIT
/*
 * Messages over Unix sockets. In: sockets made here or given by systemd (LISTEN_FDS). Out: srv_request() for each message;
 * its answers go back here.
 *
 * Who is at the other end: the kernel says (SO_PEERCRED). From root and from the server's own user descriptors are taken here. Those of
 * others are taken by a gate (gate.c), since to close a descriptor may mean to wait for a file system that its sender controls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/server.h"

#define MAX_CONNS 1024
#define MAX_CONNS_USER 256
#define IDLE_TIME 10000		/* ms: a connection on which nothing comes */
#define BACKLOG 1024

struct conn {
	struct srv_client c;		/* first: the transport's clients are these */
	struct srv_source s;
	u64 last;
	bool dead, gated;		/* gated: the gate takes its message just now */
	struct conn *next_dead;
};

static struct srv_source listeners[4];
static unsigned nlisteners;
static struct conn *conns[MAX_CONNS], *dead;
static unsigned nconns;
static bool made_socket, deaf;	/* deaf: no descriptor was left to accept with; until the next tick */

static unsigned clients(void)
{
	return nconns + deaf;		/* ticks are wanted */
}

/* ---------------------------------------------------------------- connections */

/* Freed later: events of this round may name it. */
static void end(struct srv_client *client)
{
	struct conn *c = (struct conn *)client;

	if (c->dead)
		return;
	c->dead = true;
	c->next_dead = dead;
	dead = c;
	srv_unwatch(&c->s);
}

static void free_dead(void)
{
	struct conn *c;

	while ((c = dead)) {
		dead = c->next_dead;
		srv_client_gone(&c->c);
		srv_gate_forget(c);
		for (unsigned i = 0; i < nconns; i++)
			if (conns[i] == c) {
				conns[i] = conns[--nconns];
				break;
			}
		c->c.user->conns--;
		close(c->s.fd);
		free(c);
	}
}

static int answer(struct srv_client *client, const void *msg, size_t n, const int *fds, unsigned nfds)
{
	struct conn *c = (struct conn *)client;
	union {
		char buf[CMSG_SPACE(DRG_MAX_FILES * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)msg, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (c->dead)
		return -EPIPE;
	if (nfds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, nfds * sizeof(int));
	}
	if (sendmsg(c->s.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
		return 0;
	end(client);
	return -EPIPE;
}

static void refuse(struct conn *c, int err)
{
	struct drg_error e = { .msg = { sizeof(e), DRG_ERROR, DRG_VERSION }, .error = err };
	static struct srv_rate rate;

	srv_log_rate(&rate, SRV_INFO, "a message of uid %u was refused: %s", c->c.uid, strerror(-err));
	answer(&c->c, &e, sizeof(e), NULL, 0);
	end(&c->c);
}

/* ---------------------------------------------------------------- receiving */

/* Bytes, 0 for the end, -errno. Descriptors are identified; what is more than a message may have the kernel closes. */
static ssize_t receive(struct conn *c, u8 *msg, struct srv_file *files, unsigned *nfiles)
{
	union {
		char buf[CMSG_SPACE(DRG_MAX_FILES * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { msg, DRG_MAX_MESSAGE };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = recvmsg(c->s.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*nfiles = 0;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		unsigned k = h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS ? (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (unsigned i = 0; i < k && *nfiles < DRG_MAX_FILES; i++) {
			struct srv_file *f = &files[(*nfiles)++];

			*f = (struct srv_file){ .user = c->c.user };
			memcpy(&f->fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			f->error = srv_file_identify(f->fd, &f->id);
		}
	}
	if (!(m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
		return n;
	for (unsigned i = 0; i < *nfiles; i++)
		srv_file_close(&files[i]);
	*nfiles = 0;
	return -EMSGSIZE;
}

static void handle(struct conn *c, const void *msg, size_t n, struct srv_file *files, unsigned nfiles)
{
	int err;

	c->last = srv_now();
	if (srv_limited(c->c.user)) {
		for (unsigned i = 0; i < nfiles; i++)
			srv_file_close(&files[i]);
		err = -EAGAIN;
	} else {
		err = srv_request(&c->c, msg, n, files, nfiles);
	}
	if (err)
		refuse(c, err);
}

static void from_gate(void *ctx, int error, const void *msg, size_t n, struct srv_file *files, unsigned nfiles)
{
	struct conn *c = ctx;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = &c->s };

	c->gated = false;
	if (error)
		refuse(c, error);
	else
		handle(c, msg, n, files, nfiles);
	if (!c->dead)
		srv_rewatch(&e, c->s.fd);
}

/* A message of somebody who is not trusted: one that may bring descriptors is taken by the gate. 0 or -errno. */
static int receive_gated(struct conn *c)
{
	struct epoll_event e = { .events = 0, .data.ptr = &c->s };
	u8 msg[DRG_MAX_MESSAGE];
	struct drg_msg m = { 0 };
	ssize_t n = recv(c->s.fd, &m, sizeof(m), MSG_DONTWAIT | MSG_PEEK);
	int err;

	if (n <= 0)
		return n ? -errno : -ENOTCONN;
	if (n == sizeof(m) && (m.type == DRG_ATTACH || m.type == DRG_TRANSLATE)) {
		err = srv_gate_receive(c->c.user, c->s.fd, from_gate, c);
		if (err)
			return err;
		c->gated = true;
		srv_rewatch(&e, c->s.fd);
		return 0;
	}
	/* without room for descriptors the kernel drops any, and that calls no file system */
	n = recv(c->s.fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);
	if (n <= 0)
		return n ? -errno : -ENOTCONN;
	if (n > (ssize_t)sizeof(msg))
		return -EMSGSIZE;
	handle(c, msg, (size_t)n, NULL, 0);
	return 0;
}

static bool trusted(const struct conn *c)
{
	return c->c.uid == 0 || c->c.uid == geteuid();
}

static void on_message(struct conn *c)
{
	struct srv_file files[DRG_MAX_FILES];
	static u8 msg[DRG_MAX_MESSAGE];
	unsigned nfiles = 0;
	ssize_t n;

	/* several in a row, but not for ever: others wait */
	for (unsigned i = 0; i < 16 && !c->dead && !c->gated; i++) {
		if (!trusted(c)) {
			n = receive_gated(c);
		} else {
			n = receive(c, msg, files, &nfiles);
			if (n > 0)
				handle(c, msg, (size_t)n, files, nfiles);
			else if (!n)
				n = -ENOTCONN;
		}
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n == -ENOTCONN || n == -ECONNRESET)
			end(&c->c);
		else if (n < 0)
			refuse(c, (int)n);
	}
}

static void on_conn(struct srv_source *s, u32 events)
{
	struct conn *c = container_of(s, struct conn, s);

	if (c->dead)
		return;
	if (events & EPOLLIN)
		on_message(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		end(&c->c);
}

/* ---------------------------------------------------------------- accepting */

/* 0: it may stay. */
static int admit(uid_t uid, struct srv_user **user)
{
	struct srv_user *u = srv_user_get(uid);

	*user = u;
	if (srv_opt.user && uid != 0 && uid != geteuid())
		return -EPERM;
	if (!u || nconns == MAX_CONNS || u->conns >= MAX_CONNS_USER || u->banned_until > srv_now() || srv_ending())
		return -EAGAIN;
	return 0;
}

static void refuse_connection(int fd, uid_t uid, int err)
{
	static struct srv_rate rate;
	struct drg_error e = { .msg = { sizeof(e), DRG_ERROR, DRG_VERSION }, .error = err };

	srv_log_rate(&rate, SRV_WARN, "a connection of uid %u was refused: %s", uid, err == -EPERM ? "not this user's server" : "too many, or ending");
	srv_count.refused++;
	if (send(fd, &e, sizeof(e), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		srv_count.refused++;
	close(fd);
}

static void add(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct srv_user *u;
	struct conn *c;
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
		close(fd);
		return;
	}
	err = admit(cred.uid, &u);
	c = err ? NULL : calloc(1, sizeof(*c));
	if (!c) {
		refuse_connection(fd, cred.uid, err ? err : -ENOMEM);
		return;
	}
	*c = (struct conn){ .c = { .uid = cred.uid, .user = u, .answer = answer, .end = end }, .s = { fd, on_conn }, .last = srv_now() };
	srv_count.connections++;
	u->conns++;
	conns[nconns++] = c;
	if (srv_watch(&c->s, EPOLLIN))
		end(&c->c);
	else
		on_message(c);		/* mostly it is there already */
}

/* Who comes waits in the queue meanwhile (and goes on without after its deadline). */
static void listen_to(u32 events)
{
	for (unsigned i = 0; i < nlisteners; i++) {
		struct epoll_event e = { .events = events, .data.ptr = &listeners[i] };

		srv_rewatch(&e, listeners[i].fd);
	}
	deaf = !events;
}

static void on_listener(struct srv_source *s, u32 events)
{
	static struct srv_rate rate;

	(void)events;
	srv_last_request = srv_now();
	for (unsigned i = 0; i < 32; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
				return;
			srv_log_rate(&rate, SRV_WARN, "no connection can be taken: %s", strerror(errno));
			listen_to(0);
			return;
		}
		add(fd);
	}
}

/* ---------------------------------------------------------------- starting */

static int add_listener(int fd)
{
	if (nlisteners == ARRAY_SIZE(listeners))
		return -E2BIG;
	listeners[nlisteners] = (struct srv_source){ fd, on_listener };
	return srv_watch(&listeners[nlisteners++], EPOLLIN);
}

static int make(const struct sockaddr_un *a, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)a, len) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int make_path(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t old;
	int fd;

	strcpy(a.sun_path, path);
	unlink(path);			/* of a server that was killed: main.c holds the lock */
	old = umask(srv_opt.user ? 0077 : 0);
	fd = make(&a, sizeof(a));
	umask(old);
	made_socket = fd >= 0;
	return fd;
}

static int make_abstract(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(name);

	memcpy(a.sun_path + 1, name, n);
	return make(&a, offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static int given(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	int count = pid && n && atoi(pid) == getpid() ? atoi(n) : 0, err = 0;

	for (int i = 0; i < count && !err; i++) {
		fcntl(3 + i, F_SETFD, FD_CLOEXEC);
		fcntl(3 + i, F_SETFL, fcntl(3 + i, F_GETFL) | O_NONBLOCK);
		err = add_listener(3 + i);
	}
	return err ? err : count;
}

static int start(void)
{
	int n = given(), fd;

	if (n > 0)
		return 0;
	fd = n < 0 ? n : make_path(srv_opt.socket);
	if (fd < 0 || (n = add_listener(fd))) {
		srv_log(SRV_ERR, "cannot listen: %s", strerror(fd < 0 ? -fd : -n));
		return fd < 0 ? fd : n;
	}
	if (!srv_opt.system_wide)
		return 0;
	fd = make_abstract(DRG_SOCKET_ABSTRACT);
	if (fd < 0 || add_listener(fd))
		srv_log(SRV_WARN, "no abstract socket: programs in a chroot run without this server");
	return 0;
}

static void stop(void)
{
	for (unsigned i = 0; i < nlisteners; i++)
		close(listeners[i].fd);
	if (made_socket)
		unlink(srv_opt.socket);
}

static void tick(u64 now)
{
	if (deaf)
		listen_to(EPOLLIN);
	for (unsigned i = 0; i < nconns; i++)
		if (now - conns[i]->last > IDLE_TIME && !srv_client_waits(&conns[i]->c))
			end(&conns[i]->c);
}

const struct srv_transport srv_transport_socket = {
	.name = "socket", .start = start, .stop = stop, .tick = tick, .clients = clients, .after_events = free_dead,
};
