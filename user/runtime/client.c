// SPDX-License-Identifier: MIT
/*
 * Asking the server: see client.h. In: descriptors of guest files. Out: descriptors of sealed objects whose headers were
 * checked; nothing that the server sends is believed otherwise.
 *
 * A request is a connection of its own, made, used and closed under one lock: the guest's descriptors are as before. Where no
 * server answers, that is remembered for a second; a server that was late is left alone for longer each time.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/stat.h>
#include <linux/un.h>
#include <asm/socket.h>
#include <asm/stat.h>
#include <asm/statfs.h>

#include "object/object.h"
#include "runtime/client.h"
#include "runtime/objfile.h"
#include "runtime/core.h"
#include "runtime/session.h"
#include "runtime/sys.h"
#include "translator_id.h"

#define SOCK_SEQPACKET_ 5
#define SOCK_CLOEXEC_ 02000000
#define SOCK_NONBLOCK_ 04000
#define AF_UNIX_ 1
#define SCM_RIGHTS_ 1
#define MSG_CTRUNC_ 8
#define MSG_TRUNC_ 0x20
#define MSG_NOSIGNAL_ 0x4000
#define MSG_DONTWAIT_ 0x40
#define MSG_CMSG_CLOEXEC_ 0x40000000

#define SECOND 1000000000ull
#define QUIET_NONE SECOND		/* after no server was found, ns */
#define QUIET_LATE_MAX (64 * SECOND)	/* after late answers: doubles up to this */

/* Misses are sent when there are so many, or so long after the first. */
#define MISS_BATCH 32
#define MISS_DELAY (1000 * 1000ull)	/* ns */
/* How long a miss waits for its code, us; 0: the code is translated here at once. docs/performance.md has the measurement. */
#ifndef RT_MISS_WAIT_US
#define RT_MISS_WAIT_US 0
#endif

struct msghdr_ {
	void *name;
	u32 name_len, pad;
	struct { void *base; u64 len; } *iov;
	u64 niov;
	void *control;
	u64 control_len;
	u32 flags, pad2;
};

struct cmsghdr_ {
	u64 len;
	s32 level, type;
	s32 fd[DRG_MAX_FILES];
};

/* Where a server may be: those that are there in the order of trying. */
struct place {
	u32 len;			/* of the address; 0: none */
	bool system;			/* has to be root's */
	struct sockaddr_un at;
};

static struct client {
	u32 lock;
	bool off, secure, verify;
	u8 nplace;
	s8 works;			/* place where a server answered last, -1 unknown */
	u32 uid;
	u64 quiet_until, late;		/* CLOCK_MONOTONIC, ns; length of the last pause for lateness */
	struct place place[3];
	/* what is to be sent */
	u32 nmiss;
	u64 first_miss;
	struct miss {
		u32 object, generation, pc;
	} miss[MISS_BATCH];
	u64 reported[2][32];
	u32 nreported[2];
} client = { .works = -1 };

static const u8 translator_id[32] = DRAGOMAN_TRANSLATOR_ID;

static u64 now(void)
{
	struct { s64 sec, nsec; } ts = { 0, 0 };

	if (!rt.vdso_clock_gettime || rt.vdso_clock_gettime(1, &ts))
		sys(__NR_clock_gettime, 1, &ts);
	return (u64)ts.sec * SECOND + (u64)ts.nsec;
}

/* ---- where servers are ------------------------------------------------------------ */

static void add_place(const char *path, const char *more, bool abstract, bool system)
{
	struct place *p = &client.place[client.nplace];
	size_t a = __builtin_strlen(path), b = __builtin_strlen(more);

	if (a + b + 2 > sizeof(p->at.sun_path))
		return;
	p->at.sun_family = AF_UNIX_;
	__builtin_memcpy(p->at.sun_path + abstract, path, a);
	__builtin_memcpy(p->at.sun_path + abstract + a, more, b);
	/* An abstract name ends with the address, a path with a NUL. */
	p->len = (u32)(offsetof(struct sockaddr_un, sun_path) + a + b + 1);
	p->system = system;
	client.nplace++;
}

static void add_own_place(const struct rt_client_setup *s)
{
	char text[40] = "/tmp/dragoman-", digits[12];
	unsigned n = 0, at = 14;
	u32 uid = s->uid;

	if (s->runtime_dir && s->runtime_dir[0] == '/') {
		add_place(s->runtime_dir, "/dragoman/socket", false, false);
		return;
	}
	do
		digits[n++] = (char)('0' + uid % 10);
	while (uid /= 10);
	while (n)
		text[at++] = digits[--n];
	text[at] = 0;
	add_place(text, "/socket", false, false);
}

void rt_client_init(const struct rt_client_setup *s)
{
	client.secure = s->secure;
	client.verify = s->verify;
	client.uid = s->uid;
	if (!s->secure && s->off && s->off[0] == 'o' && s->off[1] == 'f' && s->off[2] == 'f' && !s->off[3])
		client.off = true;
	if (s->no_server)
		client.quiet_until = now() + QUIET_NONE;
	/* The session is the way then, and the only one. */
	if (client.off || rt_session_on())
		return;
	if (!s->secure && s->socket) {
		add_place(s->socket + (s->socket[0] == '@'), "", s->socket[0] == '@', false);
		return;
	}
	add_place(DRG_SOCKET_SYSTEM, "", false, true);
	add_place(DRG_SOCKET_ABSTRACT, "", true, true);
	if (!s->secure)
		add_own_place(s);
}

/* A time that is too far away is nonsense: somebody else's clock. */
static bool quiet(void)
{
	u64 t;

	if (likely(!client.quiet_until))
		return false;
	t = now();
	return t < client.quiet_until && client.quiet_until - t <= QUIET_LATE_MAX;
}

/* What a child may know: the place, and until when there is nothing to be found. Times are the machine's. */
u64 rt_client_hint(void)
{
	return (client.quiet_until & ~15ull) | (u64)(client.works + 1);
}

void rt_client_take_hint(u64 hint)
{
	client.quiet_until = hint & ~15ull;
	if ((hint & 15) <= client.nplace)
		client.works = (s8)((hint & 15) - 1);
}

bool rt_client_on(void)
{
	return rt_objfile_options()[0] || ((client.nplace || rt_session_on()) && !client.off && !quiet());
}

void rt_client_stop(void)
{
	client.off = true;
	client.nmiss = 0;
}

/* Is the other end who may answer? */
static bool peer_is_good(int fd, const struct place *p)
{
	struct { s32 pid; u32 uid, gid; } cred;
	u32 len = sizeof(cred);

	if (sys(__NR_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || len != sizeof(cred))
		return false;
	return cred.uid == 0 || (!p->system && !client.secure && cred.uid == client.uid);
}

/* A connection to the place; takes over *fd, a socket that may be tried again. */
static bool connect_to(const struct place *p, int *fd)
{
	s64 err;

	if (*fd < 0)
		*fd = (int)sys(__NR_socket, AF_UNIX_, SOCK_SEQPACKET_ | SOCK_CLOEXEC_ | SOCK_NONBLOCK_, 0);
	if (*fd < 0)
		return false;
	err = sys(__NR_connect, *fd, &p->at, p->len);
	if (err)
		return false;
	if (peer_is_good(*fd, p))
		return true;
	sys(__NR_close, *fd);
	*fd = -1;
	return false;
}

/* Under the lock. A descriptor, or -1. */
static int connect_any(void)
{
	s32 first = client.works;
	int fd = -1;

	if (first >= 0 && connect_to(&client.place[first], &fd))
		return fd;
	for (s32 i = 0; i < client.nplace; i++) {
		if (i == first || !connect_to(&client.place[i], &fd))
			continue;
		client.works = (s8)i;
		return fd;
	}
	if (fd >= 0)
		sys(__NR_close, fd);
	client.works = -1;
	client.quiet_until = now() + QUIET_NONE;
	return -1;
}

/* ---- one request ------------------------------------------------------------ */

static bool send_message(int fd, const void *msg, u64 len, const int *fds, unsigned n)
{
	struct cmsghdr_ c = { .len = offsetof(struct cmsghdr_, fd) + n * 4, .level = SOL_SOCKET, .type = SCM_RIGHTS_ };
	struct msghdr_ m = { .niov = 1 };
	__typeof__(*m.iov) iov = { (void *)msg, len };

	m.iov = &iov;
	if (n) {
		__builtin_memcpy(c.fd, fds, n * 4);
		m.control = &c;
		m.control_len = offsetof(struct cmsghdr_, fd) + ALIGN_UP(n * 4ul, 8ul);
	}
	return sys(__NR_sendmsg, fd, &m, MSG_NOSIGNAL_ | MSG_DONTWAIT_) == (s64)len;
}

/* Until there is something to read, or the end of the time; signals do not matter here, the kernel keeps them. */
static bool wait_readable(int fd, u64 until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 t = now();

	while (t < until) {
		struct { s64 sec, nsec; } left = { 0, (s64)(until - t) };
		s64 n = sys(__NR_ppoll, &p, 1, &left, 0, 8);

		if (n > 0)
			return true;
		if (n < 0 && n != -EINTR)
			return false;
		t = now();
	}
	return false;
}

/* What one packet brought. */
struct packet {
	union {
		struct drg_msg msg;
		struct drg_attached attached;
		u8 room[sizeof(struct drg_attached) + 8];
	};
	s64 len;
	int fd[DRG_MAX_FILES];
	unsigned nfd;
};

static void close_fds(const int *fd, unsigned n)
{
	while (n--)
		sys(__NR_close, fd[n]);
}

/* The descriptors of all control messages: whatever came is ours to close. */
static void take_fds(struct packet *p, const struct msghdr_ *m)
{
	const u8 *c = m->control, *end = c + m->control_len;

	while (c + offsetof(struct cmsghdr_, fd) <= end) {
		const struct cmsghdr_ *h = (const void *)c;
		u64 n;

		if (h->len < offsetof(struct cmsghdr_, fd) || h->len > (u64)(end - c))
			break;
		n = (h->len - offsetof(struct cmsghdr_, fd)) / 4;
		if (h->level == SOL_SOCKET && h->type == SCM_RIGHTS_)
			for (u64 i = 0; i < n && p->nfd < DRG_MAX_FILES; i++)
				p->fd[p->nfd++] = h->fd[i];
		c += ALIGN_UP(h->len, 8ul);
	}
}

/* One packet, whole, with all its descriptors. */
static bool receive(int fd, struct packet *p)
{
	struct cmsghdr_ control;
	struct msghdr_ m = { .niov = 1, .control = &control, .control_len = sizeof(control) };
	__typeof__(*m.iov) iov = { p->room, sizeof(p->room) };

	m.iov = &iov;
	p->nfd = 0;
	p->len = sys(__NR_recvmsg, fd, &m, MSG_CMSG_CLOEXEC_ | MSG_DONTWAIT_);
	if (p->len < 0)
		return false;
	take_fds(p, &m);
	if (!(m.flags & (MSG_TRUNC_ | MSG_CTRUNC_)) && p->len >= (s64)sizeof(p->msg) && p->msg.size == p->len)
		return true;
	close_fds(p->fd, p->nfd);
	return false;
}

/* ---- attach ------------------------------------------------------------ */

static bool ask(int fd, const int *fds, unsigned n, u64 features, struct packet *answer)
{
	struct drg_attach a = {
		.msg = { sizeof(a), DRG_ATTACH, DRG_VERSION }, .features = features, .machine = rt.guest->elf_machine, .nfiles = n,
		.flags = DRG_ATTACH_NOWAIT,
	};

	__builtin_memcpy(a.translator, translator_id, sizeof(a.translator));
	if (!send_message(fd, &a, sizeof(a), fds, n))
		return false;
	if (!wait_readable(fd, now() + RT_CLIENT_DEADLINE_US * 1000ull)) {
		client.late = MIN(MAX(client.late * 2, SECOND), QUIET_LATE_MAX);
		client.quiet_until = now() + client.late;
		return false;
	}
	return receive(fd, answer);
}

/* Is the answer what it has to be? */
static bool answer_is_whole(const struct packet *p, unsigned n, u64 features)
{
	const struct drg_attached *a = &p->attached;
	unsigned ok = 0;

	if (p->len != sizeof(*a) || a->msg.type != DRG_ATTACH || a->nfiles != n)
		return false;
	if (!a->features || (features && a->features & ~features))
		return false;
	for (unsigned i = 0; i < n; i++)
		ok += a->file[i].status == DRG_OK;
	return ok == p->nfd;
}

static bool identity(int fd, struct drg_file *f, bool secure)
{
	struct statx x;

	if (sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x))
		return false;
	if (secure && (x.stx_uid || x.stx_mode & 022))
		return false;
	*f = (struct drg_file){
		.dev = (u64)x.stx_dev_major << 32 | x.stx_dev_minor, .ino = x.stx_ino, .size = x.stx_size,
		.ctime_sec = x.stx_ctime.tv_sec, .ctime_nsec = x.stx_ctime.tv_nsec,
	};
	return true;
}

static bool same_file(const struct rt_offered *o, int fd)
{
	struct drg_file f;

	return identity(fd, &f, client.secure) && !__builtin_memcmp(&f, &o->file, sizeof(f));
}

bool rt_client_unchanged(const struct rt_offered *o, int fd, u64 bias)
{
	if (unlikely(o->object == RT_OBJFILE_ID))
		return true;
	return o->session ? rt_session_proves(o, bias + o->head.text_lo) : same_file(o, fd);
}

#define F_ADD_SEALS_BASE 1024
#define F_GET_SEALS_ (F_ADD_SEALS_BASE + 10)
#define SEAL_SHRINK 2
#define SEAL_GROW 4
#define SEAL_WRITE 8
#define SEAL_FUTURE_WRITE 16

/* The header is of an object of this file for us, size bytes large. */
static bool header_is_good(const struct rt_offered *o, u64 size, u64 features)
{
	const struct dragoman_object *h = &o->head;
	const char *why;

	return size == h->size && !obj_check_header(h, h->size, &why) &&
	       !__builtin_memcmp(h->translator, translator_id, sizeof(translator_id)) && !(h->features & ~features) &&
	       h->machine == rt.guest->elf_machine && h->file_size == o->file.size;
}

/* Whatever the server says: nobody can change the size under us. */
static bool object_is_good(struct rt_offered *o, u64 features)
{
	s64 seals = sys(__NR_fcntl, o->fd, F_GET_SEALS_);
	struct stat st;

	if (seals < 0 || (seals & (SEAL_SHRINK | SEAL_GROW)) != (SEAL_SHRINK | SEAL_GROW) ||
	    !(seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)))
		return false;
	if (sys(__NR_fstat, o->fd, &st) || sys(__NR_pread64, o->fd, &o->head, sizeof(o->head), 0) != sizeof(o->head))
		return false;
	return header_is_good(o, (u64)st.st_size, features);
}

/* Takes the descriptors over, or closes them. */
static void take_offer(const struct packet *p, const int *fds, unsigned n, struct rt_offer *out)
{
	const struct drg_attached *a = &p->attached;
	unsigned next = 0;

	out->features = a->features;
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct rt_offered *o = &out->file[i];

		o->fd = -1;
		o->session = false;
		o->offset = 0;
		if (a->file[i].status != DRG_OK)
			continue;
		o->fd = p->fd[next++];
		o->object = a->file[i].object;
		o->generation = a->generation;
		o->file = a->file[i].file;
		if (same_file(o, fds[i]) && object_is_good(o, a->features)) {
			if (unlikely(client.verify))
				rt_verify_object(o, fds[i]);
			continue;
		}
		sys(__NR_close, o->fd);
		o->fd = -1;
	}
}

/*
 * On these the server remembers no digest (who runs them says what ctime is), so it has an object for nobody. And it must not get such
 * a descriptor from root, whom it trusts: even to close one may take as long as the file system likes.
 */
static bool on_foreign_fs(int fd)
{
	struct statfs s;

	return sys(__NR_fstatfs, fd, &s) || s.f_type == FUSE_SUPER_MAGIC || s.f_type == NFS_SUPER_MAGIC;
}

/* Those that may be sent: how many, in send; which they are, in which. */
static unsigned may_be_sent(const int *fds, unsigned n, int *send, u8 *which)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		if (likely(!on_foreign_fs(fds[i]))) {
			send[k] = fds[i];
			which[k++] = (u8)i;
		}
	return k;
}

/* The answer for some of n files becomes one for all of them. */
static void spread(struct rt_offer *out, const u8 *which, unsigned n)
{
	for (unsigned i = n, k = out->n; i-- > 0;) {
		if (k && which[k - 1] == i)
			out->file[i] = out->file[--k];
		else
			out->file[i].fd = -1;
	}
	out->n = n;
}

static int attach_locked(const int *all, unsigned nall, u64 features, struct rt_offer *out)
{
	struct packet answer;
	int fd, err = -EIO, fds[RT_OFFERS];
	u8 which[RT_OFFERS];
	unsigned n;

	if (quiet())
		return -EAGAIN;
	n = may_be_sent(all, nall, fds, which);
	if (!n)
		return -ENOENT;
	fd = connect_any();
	if (fd < 0)
		return -ENOENT;
	if (ask(fd, fds, n, features, &answer)) {
		if (answer_is_whole(&answer, n, features)) {
			take_offer(&answer, fds, n, out);
			spread(out, which, nall);
			client.late = 0;
			err = 0;
		} else {
			close_fds(answer.fd, answer.nfd);
			client.quiet_until = now() + QUIET_NONE;
		}
	}
	sys(__NR_close, fd);
	return err;
}

/* The module asks for each file by itself; the first time it only tells the server. */
static int attach_session(const int *fds, unsigned n, u64 features, struct rt_offer *out)
{
	int err = 0;

	if (quiet())
		return -EAGAIN;
	out->features = features;
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct rt_offered *o = &out->file[i];

		o->fd = -1;
		if (err != -ENOTCONN)
			err = rt_session_attach(fds[i], o);
		if (err || !header_is_good(o, o->head.size, features))
			o->fd = -1;
		else if (unlikely(client.verify))
			rt_verify_object(o, fds[i]);
	}
	if (err == -ENOTCONN)
		client.quiet_until = now() + QUIET_NONE;
	return 0;
}

int rt_client_attach(const int *fds, unsigned n, u64 features, struct rt_offer *out)
{
	int err;

	out->n = 0;
	if (unlikely(rt_objfile_options()[0]))
		return rt_objfile_attach(fds, n, features, out);
	if (client.off || (!client.nplace && !rt_session_on()) || !n || n > RT_OFFERS)
		return -ENOENT;
	rt_lock(&client.lock);
	err = rt_session_on() ? attach_session(fds, n, features, out) : attach_locked(fds, n, features, out);
	rt_unlock(&client.lock);
	return err;
}

void rt_client_release(struct rt_offer *offer)
{
	for (u32 i = 0; i < offer->n; i++)
		if (offer->file[i].fd >= 0 && !offer->file[i].session)
			sys(__NR_close, offer->file[i].fd);
	offer->n = 0;
}

/* ---- telling ------------------------------------------------------------ */

/* A message that has no answer. Lost if the server has no time. Under the lock. */
static void tell(const void *msg, u64 len)
{
	int fd;

	if (client.works < 0 || quiet())
		return;
	fd = connect_any();
	if (fd < 0)
		return;
	send_message(fd, msg, len, NULL, 0);
	sys(__NR_close, fd);
}

/* Sends the misses of the object of the first one, and takes them out. */
static void send_misses_of_first(void)
{
	struct drg_miss m = { .msg = { 0, DRG_MISS, DRG_VERSION }, .object = client.miss[0].object,
			      .generation = client.miss[0].generation };
	u32 left = 0;

	for (u32 i = 0; i < client.nmiss; i++) {
		const struct miss *s = &client.miss[i];

		if (s->object == m.object && s->generation == m.generation)
			m.pc[m.n++] = s->pc;
		else
			client.miss[left++] = *s;
	}
	client.nmiss = left;
	m.msg.size = (u32)(offsetof(struct drg_miss, pc) + m.n * 4);
	tell(&m, m.msg.size);
}

/* The session takes them one by one. */
static void send_misses_by_session(void)
{
	for (u32 i = 0; i < client.nmiss && !quiet(); i++) {
		const struct miss *m = &client.miss[i];
		int err = rt_session_miss(m->object, (u64)m->generation * 4096 + m->pc);

		if (err == -ENOTCONN || err == -ESTALE)
			client.quiet_until = now() + QUIET_NONE;
	}
	client.nmiss = 0;
}

static void send_misses(void)
{
	if (rt_session_on())
		send_misses_by_session();
	while (client.nmiss)
		send_misses_of_first();
}

static bool try_lock(void)
{
	u32 unlocked = 0;

	return __atomic_compare_exchange_n(&client.lock, &unlocked, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Waits for the object to change: true if it did. */
static bool wait_publish(u32 *publish, u32 seen)
{
	struct { s64 sec, nsec; } left = { 0, RT_MISS_WAIT_US * 1000 };
	s64 err;

	if (!RT_MISS_WAIT_US || !publish)
		return false;
	err = sys(__NR_futex, publish, 0 /* FUTEX_WAIT, shared */, seen, &left, 0, 0);
	return !err || err == -EAGAIN;
}

bool rt_client_miss(u32 object, u32 generation, u32 pc, u32 *publish)
{
	u32 seen = publish ? __atomic_load_n(publish, __ATOMIC_ACQUIRE) : 0;
	u64 t;

	if (client.off || (client.works < 0 && !rt_session_on()) || !try_lock())
		return false;
	t = now();
	if (!client.nmiss)
		client.first_miss = t;
	client.miss[client.nmiss++] = (struct miss){ object, generation, pc };
	if (RT_MISS_WAIT_US || client.nmiss == MISS_BATCH || t - client.first_miss > MISS_DELAY)
		send_misses();
	rt_unlock(&client.lock);
	return wait_publish(publish, seen);
}

void rt_client_flush(void)
{
	if (!client.nmiss || client.off || !try_lock())
		return;
	send_misses();
	rt_unlock(&client.lock);
}

/* Was it reported before? When the list is full nothing more is. */
static bool is_new(enum rt_report kind, u64 value)
{
	for (u32 i = 0; i < client.nreported[kind]; i++)
		if (client.reported[kind][i] == value)
			return false;
	if (client.nreported[kind] == ARRAY_SIZE(client.reported[kind]))
		return false;
	client.reported[kind][client.nreported[kind]++] = value;
	return true;
}

void rt_client_report(enum rt_report kind, u64 value)
{
	struct drg_report r = { .msg = { sizeof(r), DRG_REPORT, DRG_VERSION }, .kind = kind, .value = value };

	if (client.off || client.works < 0 || !try_lock())
		return;
	r.machine = rt.guest->elf_machine;
	if (is_new(kind, value))
		tell(&r, sizeof(r));
	rt_unlock(&client.lock);
}

/* ---- others' descriptors ------------------------------------------------------------ */

void rt_client_lock(void)
{
	rt_lock(&client.lock);
}

void rt_client_unlock(void)
{
	rt_unlock(&client.lock);
}

void rt_client_after_fork(void)
{
	client.lock = 0;
	client.nmiss = 0;
}
