// SPDX-License-Identifier: MIT
/*
 * Gates: a process for each user who is not trusted, that receives the descriptors of that user. A file system may belong to its user
 * (FUSE), and a call on a file of it, even close(), may hang for as long as the user likes. Then his gate hangs and nobody else: it is
 * killed, and the user is not served for a while. Readers of his files are the gate's children.
 *
 * Supervisor to gate: struct order, with descriptors. Gate to supervisor: struct taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"

#define MAX_GATES 32
#define SLOTS 64
#define HANG_TIME 3000		/* ms */
#define IDLE_TIME 30000
#define BAN_TIME 60000
#define UID_SLOT 512		/* uids of gates: behind those of jobs */

enum { RECEIVE, READ, RELEASE };

struct order {
	u32 what, slot, uid_slot, token;
	u64 features;
};

struct taken {
	u32 token;
	s32 error;
	u32 n, nfiles;
	u32 slot[DRG_MAX_FILES];
	s32 file_error[DRG_MAX_FILES];
	struct drg_file id[DRG_MAX_FILES];
	u8 msg[DRG_MAX_MESSAGE];
};

struct pending {
	u32 token;
	srv_gate_done done;
	void *ctx;
	u64 since;
};

struct srv_gate {
	struct srv_source channel;
	struct srv_user *user;
	pid_t pid;
	bool dead;			/* kept until nobody names a slot of it any more */
	unsigned held;
	u64 last;
	unsigned npending;
	struct pending pending[MAX_GATES * 2];
};

static struct srv_gate *gates[MAX_GATES];

/* ---------------------------------------------------------------- messages with descriptors, both ways */

static int send_fds(int to, const void *msg, size_t n, const int *fds, unsigned nfds)
{
	union {
		char buf[CMSG_SPACE(DRG_MAX_FILES * sizeof(int))];
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
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n ? 0 : -EAGAIN;
}

static ssize_t recv_fds(int from, void *msg, size_t room, int *fds, unsigned *nfds, int flags)
{
	union {
		char buf[CMSG_SPACE(DRG_MAX_FILES * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { msg, room };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC | flags);
	struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	*nfds = 0;
	if (n < 0)
		return -errno;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		*nfds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(h), *nfds * sizeof(int));
	}
	return m.msg_flags & (MSG_CTRUNC | MSG_TRUNC) ? -EMSGSIZE : n;
}

/* ---------------------------------------------------------------- the gate's own process; its channel is descriptor 3 */

static int slot_fd[SLOTS];

static int free_slot(void)
{
	for (int i = 0; i < SLOTS; i++)
		if (slot_fd[i] < 0)
			return i;
	return -1;
}

static void take(int conn, u32 token)
{
	static struct taken t;
	int fds[DRG_MAX_FILES];
	ssize_t n;

	memset(&t, 0, offsetof(struct taken, msg));
	t.token = token;
	n = recv_fds(conn, t.msg, sizeof(t.msg), fds, &t.nfiles, MSG_DONTWAIT);
	close(conn);
	t.error = n < 0 ? (int)n : 0;
	t.n = n < 0 ? 0 : (u32)n;
	for (u32 i = 0; i < t.nfiles; i++) {
		int s = t.error ? -1 : free_slot();

		t.slot[i] = (u32)s;
		if (s < 0) {
			close(fds[i]);
			t.error = t.error ? t.error : -EAGAIN;
			continue;
		}
		slot_fd[s] = fds[i];
		t.file_error[i] = srv_file_identify(fds[i], &t.id[i]);
	}
	for (u32 i = 0; i < t.nfiles && t.error; i++)
		if (t.slot[i] < SLOTS) {
			close(slot_fd[t.slot[i]]);
			slot_fd[t.slot[i]] = -1;
		}
	if (t.error)
		t.nfiles = 0;
	if (send(3, &t, sizeof(t), MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void read_file(const struct order *o, int copy, int channel)
{
	int file = o->slot < SLOTS ? slot_fd[o->slot] : -1;

	if (file >= 0 && !fork()) {
		close(3);
		srv_reader_child(file, copy, channel, o->uid_slot, o->features);
	}
	close(copy);
	close(channel);
}

static void gate_main(unsigned slot)
{
	struct order o;
	int fds[DRG_MAX_FILES];
	unsigned nfds;
	ssize_t n;

	memset(slot_fd, 0xff, sizeof(slot_fd));
	signal(SIGCHLD, SIG_IGN);
	fcntl(3, F_SETFL, fcntl(3, F_GETFL) & ~O_NONBLOCK);
	if (srv_confine(SRV_GATE, UID_SLOT + slot))
		_exit(4);
	srv_opt.set_uid = false;		/* its children keep its uid */
	while ((n = recv_fds(3, &o, sizeof(o), fds, &nfds, 0)) == sizeof(o)) {
		if (o.what == RECEIVE && nfds == 1) {
			take(fds[0], o.token);
		} else if (o.what == READ && nfds == 2) {
			read_file(&o, fds[0], fds[1]);
		} else if (o.what == RELEASE && o.slot < SLOTS && slot_fd[o.slot] >= 0) {
			close(slot_fd[o.slot]);
			slot_fd[o.slot] = -1;
		}
	}
	_exit(0);
}

/* ---------------------------------------------------------------- in the supervisor */

static void forget_if_done(struct srv_gate *g)
{
	if (!g->dead || g->held || g->npending)
		return;
	for (unsigned i = 0; i < MAX_GATES; i++)
		if (gates[i] == g)
			gates[i] = NULL;
	free(g);
}

/* It serves no more. Who waits for it is told. */
static void kill_gate(struct srv_gate *g, bool hung)
{
	if (g->dead)
		return;
	g->dead = true;
	srv_unwatch(&g->channel);
	close(g->channel.fd);
	srv_kill(g->pid);
	if (hung) {
		srv_log(SRV_WARN, "a file system of uid %u hangs: this user is not served for a minute", g->user->uid);
		g->user->banned_until = srv_now() + BAN_TIME;
	}
	while (g->npending) {
		struct pending p = g->pending[--g->npending];

		p.done(p.ctx, -EAGAIN, NULL, 0, NULL, 0);
	}
	forget_if_done(g);
}

static void on_gate(struct srv_source *s, u32 events)
{
	struct srv_gate *g = container_of(s, struct srv_gate, channel);
	static struct taken t;
	struct srv_file files[DRG_MAX_FILES];
	ssize_t n = recv(s->fd, &t, sizeof(t), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n != sizeof(t) || t.nfiles > DRG_MAX_FILES || t.n > DRG_MAX_MESSAGE) {
		kill_gate(g, false);
		return;
	}
	g->last = srv_now();
	g->held += t.nfiles;
	for (u32 i = 0; i < t.nfiles; i++)
		files[i] = (struct srv_file){ .fd = -1, .gate = g, .slot = t.slot[i], .id = t.id[i], .error = t.file_error[i], .user = g->user };
	for (unsigned i = 0; i < g->npending; i++) {
		struct pending p = g->pending[i];

		if (p.token != t.token)
			continue;
		g->pending[i] = g->pending[--g->npending];
		p.done(p.ctx, t.error, t.msg, t.n, files, t.nfiles);
		return;
	}
	for (u32 i = 0; i < t.nfiles; i++)	/* the connection is gone */
		srv_file_close(&files[i]);
}

static void reaped(void *ctx, int status)
{
	pid_t pid = *(pid_t *)ctx;

	free(ctx);
	for (unsigned i = 0; i < MAX_GATES; i++)
		if (gates[i] && gates[i]->pid == pid) {
			if (!gates[i]->dead && status)
				srv_log(SRV_WARN, "a gate ended: status %#x", status);
			gates[i]->pid = 0;
			kill_gate(gates[i], false);
			return;
		}
}

static struct srv_gate *new_gate(struct srv_user *u, unsigned slot)
{
	struct srv_gate *g = calloc(1, sizeof(*g));
	pid_t *ctx = malloc(sizeof(*ctx));
	int pair[2];

	if (!g || !ctx || srv_pair(pair))
		goto fail;
	g->pid = srv_fork(&pair[1], 1, reaped, ctx);
	if (!g->pid)
		gate_main(slot);
	close(pair[1]);
	*ctx = g->pid;
	if (g->pid < 0) {
		close(pair[0]);
		goto fail;
	}
	g->channel = (struct srv_source){ pair[0], on_gate };
	g->user = u;
	g->last = srv_now();
	srv_watch(&g->channel, EPOLLIN);
	gates[slot] = g;
	return g;
fail:
	free(g);
	free(ctx);
	return NULL;
}

static struct srv_gate *gate_of(struct srv_user *u)
{
	int slot = -1;

	for (int i = 0; i < MAX_GATES; i++) {
		if (gates[i] && !gates[i]->dead && gates[i]->user == u)
			return gates[i];
		if (!gates[i])
			slot = i;
	}
	return slot < 0 ? NULL : new_gate(u, (unsigned)slot);
}

int srv_gate_receive(struct srv_user *u, int conn, srv_gate_done done, void *ctx)
{
	static u32 tokens;
	struct srv_gate *g = gate_of(u);
	struct order o = { .what = RECEIVE, .token = ++tokens };

	if (!g || g->npending == ARRAY_SIZE(g->pending) || send_fds(g->channel.fd, &o, sizeof(o), &conn, 1))
		return -EAGAIN;
	g->pending[g->npending++] = (struct pending){ o.token, done, ctx, srv_now() };
	return 0;
}

void srv_gate_forget(void *ctx)
{
	for (unsigned i = 0; i < MAX_GATES; i++)
		for (unsigned k = 0; gates[i] && k < gates[i]->npending; k++)
			if (gates[i]->pending[k].ctx == ctx)
				gates[i]->pending[k] = gates[i]->pending[--gates[i]->npending];
}

void srv_gate_release(struct srv_gate *g, u32 slot)
{
	struct order o = { .what = RELEASE, .slot = slot };

	g->held--;
	if (!g->dead && send_fds(g->channel.fd, &o, sizeof(o), NULL, 0))
		kill_gate(g, true);
	else
		forget_if_done(g);
}

int srv_gate_read(struct srv_gate *g, u32 slot, int copy, int channel, unsigned uid_slot, u64 features)
{
	struct order o = { .what = READ, .slot = slot, .uid_slot = uid_slot, .features = features };
	int fds[2] = { copy, channel };

	return g->dead ? -EIO : send_fds(g->channel.fd, &o, sizeof(o), fds, 2);
}

void srv_gates_tick(u64 now)
{
	for (unsigned i = 0; i < MAX_GATES; i++) {
		struct srv_gate *g = gates[i];
		bool hung = false;

		if (!g || g->dead)
			continue;
		for (unsigned k = 0; k < g->npending; k++)
			hung |= now - g->pending[k].since > HANG_TIME;
		if (hung || (!g->held && !g->npending && now - g->last > IDLE_TIME))
			kill_gate(g, hung);
	}
}

unsigned srv_gates_count(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_GATES; i++)
		n += gates[i] && !gates[i]->dead;
	return n;
}
