// SPDX-License-Identifier: MIT
/* A client of the server (include/dragoman/protocol.h), for tests and by hand. */
#include "libclient.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "translator_id.h"

static const u8 translator[32] = DRAGOMAN_TRANSLATOR_ID;

u64 client_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int client_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	close(fd);
	return -errno;
}

int client_send(int fd, const void *msg, size_t n, const int *fds, unsigned nfds)
{
	union {
		char buf[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)msg, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t client_recv(int fd, void *msg, size_t room, int *fds, unsigned *nfds, int ms)
{
	union {
		char buf[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { msg, room };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	struct pollfd p = { fd, POLLIN, 0 };
	struct cmsghdr *h;
	ssize_t n;

	if (nfds)
		*nfds = 0;
	if (poll(&p, 1, ms) <= 0)
		return -EAGAIN;
	n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	if (h && nfds) {
		*nfds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(h), *nfds * sizeof(int));
	}
	return n < 0 ? -errno : n;
}

int client_attach(int fd, const int *files, unsigned n, u32 flags, struct drg_attached *out, int *objects)
{
	struct drg_attach a = { .msg = { sizeof(a), DRG_ATTACH, DRG_VERSION }, .machine = 183, .nfiles = n, .flags = flags };
	int fds[8];
	unsigned nfds, k = 0;
	ssize_t got;
	int err;

	memcpy(a.translator, translator, 32);
	err = client_send(fd, &a, sizeof(a), files, n);
	if (err)
		return err;
	got = client_recv(fd, out, sizeof(*out), fds, &nfds, 10000);
	if (got == sizeof(struct drg_error) && out->msg.type == DRG_ERROR)
		return ((struct drg_error *)out)->error;
	if (got != sizeof(*out))
		return got < 0 ? (int)got : -EPROTO;
	for (unsigned i = 0; i < n; i++)
		objects[i] = out->file[i].status == DRG_OK && k < nfds ? fds[k++] : -1;
	return k == nfds ? 0 : -EPROTO;
}

static bool some_later(const struct drg_attached *a)
{
	for (u32 i = 0; i < a->nfiles; i++)
		if (a->file[i].status == DRG_LATER)
			return true;
	return false;
}

int client_attach_paths(const char *socket, char *const *paths, unsigned n, struct drg_attached *out, int *objects, int ms)
{
	u64 end = client_now() + (u64)ms * 1000;
	int files[DRG_MAX_FILES], fd, err;

	for (;;) {
		fd = client_connect(socket);
		if (fd < 0)
			return fd;
		for (unsigned i = 0; i < n; i++)
			files[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		err = client_attach(fd, files, n, 0, out, objects);
		for (unsigned i = 0; i < n; i++)
			close(files[i]);
		close(fd);
		if (err || !some_later(out) || client_now() > end)
			return err;
		for (unsigned i = 0; i < n; i++)
			if (objects[i] >= 0)
				close(objects[i]);
		usleep(5000);
	}
}

int client_miss(int fd, u32 generation, u32 object, const u32 *pc, unsigned n)
{
	struct drg_miss m = { .msg = { (u32)(offsetof(struct drg_miss, pc) + 4 * n), DRG_MISS, DRG_VERSION }, .generation = generation,
			      .object = object, .n = n };

	memcpy(m.pc, pc, 4 * n);
	return client_send(fd, &m, m.msg.size, NULL, 0);
}

int client_simple(const char *socket, unsigned type)
{
	struct drg_msg m = { sizeof(m), (u16)type, DRG_VERSION };
	struct drg_error e;
	int fd = client_connect(socket), err;
	ssize_t n;

	if (fd < 0)
		return fd;
	err = client_send(fd, &m, sizeof(m), NULL, 0);
	n = err ? err : client_recv(fd, &e, sizeof(e), NULL, NULL, 60000);
	close(fd);
	return n == sizeof(e) ? e.error : n < 0 ? (int)n : -EPROTO;
}

u32 client_wait_word(const struct dragoman_object *o, u32 pc, int ms)
{
	const u32 *word = (const u32 *)((const u8 *)o + o->index) + pc / 4;
	u64 end = client_now() + (u64)ms * 1000;
	u32 w;

	while (!(w = __atomic_load_n(word, __ATOMIC_ACQUIRE)) && client_now() < end)
		usleep(100);
	return w;
}
