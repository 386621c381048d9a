// SPDX-License-Identifier: MIT
/*
 * Talks to the server in the messages of dragoman/protocol.h. In: requests of the subcommands; out: what the server says, with
 * lengths checked. One connection, one request: the same as a runtime does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "cli.h"

#define STATUS_TIMEOUT 5000		/* ms: a server under load may have a queue */
#define STATUS_MAX (8u << 20)		/* bytes of JSON that are believed */

int cli_own_socket(char *path, size_t max)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	int n;

	if (run && *run == '/')
		n = snprintf(path, max, "%s/dragoman/socket", run);
	else
		n = snprintf(path, max, "/tmp/dragoman-%u/socket", (unsigned int)geteuid());
	return n < (int)max ? 0 : -ENAMETOOLONG;
}

/* "@name" is an abstract socket. Length of the address, or -ENAMETOOLONG. */
static int socket_address(const char *name, struct sockaddr_un *a)
{
	size_t len = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (!len || len >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, name, len);
	if (*name == '@') {
		a->sun_path[0] = 0;
		return offsetof(struct sockaddr_un, sun_path) + len;
	}
	return offsetof(struct sockaddr_un, sun_path) + len + 1;
}

static int connect_to(const char *name, struct cli_peer *peer)
{
	struct sockaddr_un a;
	struct timeval patience = { .tv_sec = STATUS_TIMEOUT / 1000 };	/* a stopped server's queue fills up */
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int len = socket_address(name, &a), s, err;

	if (len < 0)
		return len;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(s, (struct sockaddr *)&a, len) || getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &size)) {
		err = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(s);
		return err;
	}
	if (cred.uid && cred.uid != geteuid()) {	/* anybody may listen on a name in /tmp */
		close(s);
		return -EPERM;
	}
	if (peer) {
		peer->pid = cred.pid;
		peer->uid = cred.uid;
		snprintf(peer->address, sizeof(peer->address), "%s", name);
	}
	return s;
}

int cli_connect(struct cli_peer *peer)
{
	const char *given = getenv("DRAGOMAN_SOCKET");
	char own[PATH_MAX];
	const char *names[] = { DRG_SOCKET_SYSTEM, "@" DRG_SOCKET_ABSTRACT, own };
	int s, err = -ENOENT;

	if (given && *given) {
		s = connect_to(given, peer);
		return s == -ECONNREFUSED ? -ENOENT : s;
	}
	if (cli_own_socket(own, sizeof(own)))
		*own = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		s = connect_to(names[i], peer);
		if (s >= 0)
			return s;
		/* A socket without a server behind it, or a stranger's, is no server. */
		if (s != -ENOENT && s != -ECONNREFUSED && s != -ENOTDIR && s != -EPERM && s != -ENAMETOOLONG)
			err = s;
	}
	return err;
}

int cli_send(int sock, const void *message, size_t size, int fd)
{
	struct iovec iov = { (void *)message, size };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == (ssize_t)size ? 0 : -EPROTO;
}

static int wait_readable(int sock, int timeout)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, timeout);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

/* The first descriptor is kept if one is wanted, all others are closed. */
static void take_descriptors(struct msghdr *m, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (fd && *fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

int cli_receive(int sock, void *buf, size_t max, int *fd, int timeout)
{
	struct iovec iov = { buf, max };
	union {
		char buf[CMSG_SPACE(DRG_MAX_FILES * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	struct drg_msg head;
	ssize_t n;
	int err = wait_readable(sock, timeout);

	if (fd)
		*fd = -1;
	if (err)
		return err;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_descriptors(&m, fd);
	if (!n)
		return -ECONNRESET;
	if (n >= (ssize_t)sizeof(head)) {
		memcpy(&head, buf, sizeof(head));
		if (head.size == n && !(m.msg_flags & MSG_TRUNC))
			return n;
	}
	if (fd && *fd >= 0)
		close(*fd);
	return -EPROTO;
}

int cli_command(int sock, enum drg_type type, int timeout)
{
	struct drg_msg m = { .size = sizeof(m), .type = type, .version = DRG_VERSION };
	struct drg_error e;
	int n = cli_send(sock, &m, sizeof(m), -1);

	if (n)
		return n;
	n = cli_receive(sock, &e, sizeof(e), NULL, timeout);
	if (n < 0)
		return n;
	return n == sizeof(e) && e.msg.type == DRG_ERROR && e.error <= 0 ? e.error : -EPROTO;
}

/* The whole of a memfd as text (malloc), or NULL with *err. Its size is fixed by a seal, else nothing is believed. */
static char *read_memfd(int fd, int *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	char *text;
	long n;

	*err = -EPROTO;
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || st.st_size > STATUS_MAX)
		return NULL;
	text = malloc(st.st_size + 1);
	*err = -ENOMEM;
	if (!text)
		return NULL;
	n = pread(fd, text, st.st_size, 0);
	if (n != st.st_size) {
		*err = n < 0 ? -errno : -EPROTO;
		free(text);
		return NULL;
	}
	text[n] = 0;
	*err = 0;
	return text;
}

char *cli_server_status(struct cli_peer *peer, int *err)
{
	struct drg_msg m = { .size = sizeof(m), .type = DRG_STATUS, .version = DRG_VERSION };
	char buf[DRG_MAX_MESSAGE], *text = NULL;
	int sock = cli_connect(peer), fd = -1, n;

	*err = sock;
	if (sock < 0)
		return NULL;
	*err = cli_send(sock, &m, sizeof(m), -1);
	if (!*err) {
		n = cli_receive(sock, buf, sizeof(buf), &fd, STATUS_TIMEOUT);
		memcpy(&m, buf, sizeof(m));
		if (n < 0)
			*err = n;
		else if (m.type != DRG_STATUS || fd < 0)
			*err = -EPROTO;
		else
			text = read_memfd(fd, err);
	}
	if (fd >= 0)
		close(fd);
	close(sock);
	return text;
}
