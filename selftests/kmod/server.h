/* SPDX-License-Identifier: MIT */
/*
 * Both ends of the device in small steps, for tests that play client and server themselves. All return 0 (or a
 * descriptor) or -errno. Included after test.h.
 */
#ifndef DRAGOMAN_SERVER_H
#define DRAGOMAN_SERVER_H

#define CLASS		7u
#define TRANSLATOR	"selftest translator"

/* ---- client ---- */

static inline struct dragoman_hello hello_for(const char *translator)
{
	struct dragoman_hello h = { .size = sizeof(h), .abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR,
				    .cpu_class = CLASS };

	strncpy((char *)h.translator, translator, sizeof(h.translator));
	return h;
}

/* A session without HELLO. */
static inline int session_new(void)
{
	int node = open(CLIENT_NODE, O_RDWR | O_CLOEXEC), fd;

	if (node < 0)
		return -errno;
	fd = dg(node, DRAGOMAN_IOC_SESSION, NULL);
	close(node);
	return fd;
}

static inline int session_open(void)
{
	struct dragoman_hello h = hello_for(TRANSLATOR);
	int fd = session_new(), ret;

	if (fd < 0)
		return fd;
	ret = dg(fd, DRAGOMAN_IOC_HELLO, &h);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static inline int attach_fd(int session, int file, unsigned int flags, unsigned long long wait_ns, struct dragoman_attach *a)
{
	memset(a, 0, sizeof(*a));
	a->size = sizeof(*a);
	a->flags = DRAGOMAN_ATTACH_FD | flags;
	a->fd = file;
	a->status = ~0u;
	if (flags & DRAGOMAN_ATTACH_WAIT)
		a->deadline_ns = now_ns() + wait_ns;
	return dg(session, DRAGOMAN_IOC_ATTACH, a);
}

static inline int attach_address(int session, const void *address, unsigned int flags, struct dragoman_attach *a)
{
	memset(a, 0, sizeof(*a));
	a->size = sizeof(*a);
	a->flags = DRAGOMAN_ATTACH_ADDRESS | flags;
	a->fd = -1;
	a->address = (unsigned long)address;
	a->status = ~0u;
	return dg(session, DRAGOMAN_IOC_ATTACH, a);
}

static inline struct dragoman_miss miss_for(unsigned int object, unsigned long long offset, unsigned int flags,
					    unsigned long long wait_ns)
{
	struct dragoman_miss m = { .size = sizeof(m), .flags = flags, .object = object, .status = ~0u, .offset = offset,
				   .length = 64 };

	if (!(flags & DRAGOMAN_MISS_NOWAIT))
		m.deadline_ns = wait_ns == DRAGOMAN_NO_DEADLINE ? wait_ns : now_ns() + wait_ns;
	return m;
}

static inline int miss(int session, unsigned int object, unsigned long long offset, unsigned int flags,
		       unsigned long long wait_ns, struct dragoman_miss *m)
{
	*m = miss_for(object, offset, flags, wait_ns);
	return dg(session, DRAGOMAN_IOC_MISS, m);
}

/* ---- server ---- */

static inline int server_open(unsigned long long *generation)
{
	return ctl_open(DRAGOMAN_ROLE_SERVER, generation);
}

/* Takes up to n requests; wait_ns 0: only what is there. */
static inline int recv_n(int ctl, struct dragoman_req *req, unsigned int n, unsigned long long wait_ns)
{
	struct dragoman_recv r = { .size = sizeof(r), .buffer = (unsigned long)req, .count = n, .req_size = sizeof(*req),
				   .deadline_ns = wait_ns ? now_ns() + wait_ns : 0 };

	memset(req, 0, n * sizeof(*req));
	return dg(ctl, DRAGOMAN_IOC_RECV, &r);
}

/* The next request of a kind; others before it are taken and never answered: 1 or -errno. */
static inline int recv_kind(int ctl, unsigned int kind, struct dragoman_req *req, unsigned long long wait_ns)
{
	unsigned long long until = now_ns() + wait_ns;
	int ret;

	do {
		ret = recv_n(ctl, req, 1, wait_ns);
		if (ret == 1 && req->kind == kind)
			return 1;
	} while (ret == 1 && (!wait_ns || now_ns() < until));
	return ret == 1 ? -ETIME : ret;
}

/* The entry's error. */
static inline int reply(int ctl, unsigned long long id, unsigned int status, unsigned int object)
{
	struct dragoman_answer a = { .id = id, .status = status, .object = object, .error = 1 };
	struct dragoman_reply r = { .size = sizeof(r), .buffer = (unsigned long)&a, .count = 1, .answer_size = sizeof(a) };
	int ret = dg(ctl, DRAGOMAN_IOC_REPLY, &r);

	return ret ? ret : a.error;
}

static inline int image_fd(int ctl, unsigned long long image, struct dragoman_image_fd *i)
{
	memset(i, 0, sizeof(*i));
	i->size = sizeof(*i);
	i->image = image;
	return dg(ctl, DRAGOMAN_IOC_IMAGE_FD, i);
}

/* Returns the object's descriptor, its id in *object. */
static inline int object_create(int ctl, unsigned long long size, const char *translator, unsigned int *object)
{
	struct dragoman_obj_create c = { .size = sizeof(c), .object_size = size, .cpu_class = CLASS };
	int ret;

	strncpy((char *)c.translator, translator, sizeof(c.translator));
	ret = dg(ctl, DRAGOMAN_IOC_OBJ_CREATE, &c);
	*object = c.object;
	return ret ? ret : c.fd;
}

static inline int object_bind(int ctl, unsigned long long image, unsigned int object, unsigned int status)
{
	struct dragoman_obj_bind b = { .size = sizeof(b), .image = image, .object = object, .status = status };

	if (status != DRAGOMAN_OK) {
		b.cpu_class = CLASS;
		strncpy((char *)b.translator, TRANSLATOR, sizeof(b.translator));
	}
	return dg(ctl, DRAGOMAN_IOC_OBJ_BIND, &b);
}

static inline int object_retire(int ctl, unsigned int object)
{
	struct dragoman_obj_retire r = { .size = sizeof(r), .object = object };

	return dg(ctl, DRAGOMAN_IOC_OBJ_RETIRE, &r);
}

#define OBJECT_SIZE	(4u << 20)

/* What most tests begin with: a server, a session, a file "lib" that has an object. */
struct stage {
	int ctl, session, file, object_fd;
	unsigned long long generation, image;
	unsigned int object;
	struct dragoman_attach at;
};

static inline int stage_attach(struct stage *s)
{
	struct dragoman_req req;
	int ret = attach_fd(s->session, s->file, 0, 0, &s->at);

	if (ret || s->at.status != DRAGOMAN_NONE)
		return ret ? ret : -EBADMSG;
	ret = recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, 10 * SECOND);
	if (ret != 1)
		return ret;
	s->image = req.image;
	s->object_fd = object_create(s->ctl, OBJECT_SIZE, TRANSLATOR, &s->object);
	if (s->object_fd < 0)
		return s->object_fd;
	ret = reply(s->ctl, req.id, DRAGOMAN_OK, s->object);
	if (ret)
		return ret;
	ret = attach_fd(s->session, s->file, 0, 0, &s->at);
	return ret ? ret : s->at.status == DRAGOMAN_OK ? 0 : -ENODATA;
}

static inline int stage_open(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	s->ctl = s->session = s->file = s->object_fd = -1;
	s->ctl = server_open(&s->generation);
	if (s->ctl < 0)
		return s->ctl;
	s->session = session_open();
	if (s->session < 0)
		return s->session;
	if (make_guest("lib", 0644))
		return -EIO;
	s->file = open("lib", O_RDONLY | O_CLOEXEC);
	return s->file < 0 ? -errno : 0;
}

static inline void stage_close(struct stage *s)
{
	int *fd[] = { &s->ctl, &s->session, &s->file, &s->object_fd };
	size_t i;

	for (i = 0; i < 4; i++)
		if (*fd[i] > 0)
			close(*fd[i]);
}

static inline void *map_object(struct stage *s, size_t offset, size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_SHARED, s->session, s->at.map_offset + offset);
}

/* mmap's errno, 0 if it worked (and unmapped again). */
static inline int map_error(size_t size, int prot, int flags, int fd, off_t offset)
{
	void *p = mmap(NULL, size, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, size);
	return 0;
}

/*
 * No server from an earlier test (its last descriptor is closed a moment after its process ended), and no request of one: what
 * nobody answered waits for the next server, also when nobody waits for it any more.
 */
static inline int no_server(void)
{
	struct dragoman_req req;
	int i, fd = -EBUSY;

	for (i = 0; i < 500; i++) {
		fd = server_open(NULL);
		if (fd != -EBUSY)
			break;
		usleep(10000);
	}
	if (fd < 0)
		return fd;
	for (i = 0; i < 10000 && recv_n(fd, &req, 1, 0) == 1; i++)
		if (req.id)
			reply(fd, req.id, DRAGOMAN_PRIVATE, 0);
	close(fd);
	return 0;
}

#endif
