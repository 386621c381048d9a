// SPDX-License-Identifier: MIT
/*
 * The smallest server that works: one process, objects in memory only, nobody confined. To try and measure the runtime without
 * dragomand: tool_server PATH [all]; then DRAGOMAN_SOCKET=PATH. "all": what code that is asked for leads to is translated too,
 * before the next message is looked at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "object/object.h"
#include "dragoman/protocol.h"
#include "translator_id.h"

static struct served {
	struct drg_file file;
	int fd;				/* -1: not translatable */
	struct dragoman_object *o;
	struct obj_writer *w;
} served[4096];
static unsigned nserved;
static bool all;

static struct drg_file identity(int fd)
{
	struct drg_file f = { 0 };
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x))
		exit(1);
	f.dev = (u64)x.stx_dev_major << 32 | x.stx_dev_minor;
	f.ino = x.stx_ino;
	f.size = x.stx_size;
	f.ctime_sec = x.stx_ctime.tv_sec;
	f.ctime_nsec = x.stx_ctime.tv_nsec;
	return f;
}

static void make(struct served *s, int fd)
{
	const struct guest *g = guest_find(183, 2, 1);
	struct obj_key key = { .translator = DRAGOMAN_TRANSLATOR_ID, .features = x64_host_features() };
	const u8 *file = mmap(NULL, s->file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	struct dragoman_object h;
	void *memory;

	s->fd = -1;
	if (file == MAP_FAILED || obj_layout(&h, g, file, s->file.size, &key))
		return;
	s->fd = memfd_create("object", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (s->fd < 0 || ftruncate(s->fd, h.size))
		exit(1);
	s->o = mmap(NULL, h.size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	*s->o = h;
	memory = mmap(NULL, obj_writer_size(&h), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->w = obj_writer_open(memory, s->o, g, file, s->file.size);
	if (!s->w || fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | 0x10 /* F_SEAL_FUTURE_WRITE */))
		exit(1);
}

static struct served *find(int fd)
{
	struct drg_file f = identity(fd);
	unsigned i;

	for (i = 0; i < nserved; i++)
		if (!memcmp(&served[i].file, &f, sizeof(f)))
			return &served[i];
	if (nserved == 4096)
		exit(1);
	served[nserved].file = f;
	make(&served[nserved], fd);
	return &served[nserved++];
}

static void attach(int c, const struct drg_attach *a, const int *fds, unsigned n)
{
	struct drg_attached r = { .msg = { sizeof(r), DRG_ATTACH, DRG_VERSION }, .generation = 1, .nfiles = a->nfiles };
	char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h = (struct cmsghdr *)control;
	unsigned nfd = 0;
	int out[4];

	r.features = a->features ? a->features : x64_host_features();
	for (unsigned i = 0; i < n; i++) {
		struct served *s = find(fds[i]);

		r.file[i].status = s->fd < 0 ? DRG_NEVER : DRG_OK;
		r.file[i].object = s - served;
		r.file[i].file = s->file;
		if (s->fd >= 0)
			out[nfd++] = s->fd;
	}
	if (nfd) {
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(h), out, nfd * sizeof(int));
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
	}
	sendmsg(c, &m, MSG_NOSIGNAL);
}

static void miss(const struct drg_miss *m)
{
	struct served *s = m->object < nserved ? &served[m->object] : NULL;
	u32 pc;

	if (!s || s->fd < 0)
		return;
	for (u32 i = 0; i < m->n && i < DRG_MAX_MISSES; i++)
		obj_writer_translate(s->w, m->pc[i]);
	while (all && obj_writer_next(s->w, &pc))
		obj_writer_translate(s->w, pc);
}

static void serve(int c)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	union { struct drg_msg msg; struct drg_attach attach; struct drg_miss miss; char room[DRG_MAX_MESSAGE]; } in;
	struct iovec iov = { &in, sizeof(in) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(c, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	unsigned n = h ? (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	int fds[8];

	if (n)
		memcpy(fds, CMSG_DATA(h), n * sizeof(int));
	if (len == sizeof(in.attach) && in.msg.type == DRG_ATTACH && n <= DRG_MAX_FILES)
		attach(c, &in.attach, fds, n);
	else if (len > 0 && in.msg.type == DRG_MISS)
		miss(&in.miss);
	while (n)
		close(fds[--n]);
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (argc < 2)
		return 2;
	all = argc > 2;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 100))
		return 1;
	for (;;) {
		int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);

		if (c < 0)
			continue;
		serve(c);
		close(c);
	}
}
