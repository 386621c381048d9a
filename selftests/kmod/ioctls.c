// SPDX-License-Identifier: MIT
/* Every call with every wrong size, flag, padding, descriptor and state, as the rules in the header have it. */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#include <linux/userfaultfd.h>

struct call {
	const char *name;
	unsigned int nr;
	unsigned int size;		/* of version 1.0 */
	bool ctl;
	/* Offsets of fields that must be zero, 0: none. */
	unsigned int pad[2];
	unsigned int known_flags;
};

static const struct call calls[] = {
	{ "HELLO", DRAGOMAN_IOC_HELLO, DRAGOMAN_SIZE_HELLO_1_0, false, {}, 3 },
	{ "GET_IMAGE", DRAGOMAN_IOC_GET_IMAGE, DRAGOMAN_SIZE_GET_IMAGE_1_0, false,
	  { offsetof(struct dragoman_get_image, pad) }, 0 },
	{ "ATTACH", DRAGOMAN_IOC_ATTACH, DRAGOMAN_SIZE_ATTACH_1_0, false, { offsetof(struct dragoman_attach, pad) }, 15 },
	{ "DETACH", DRAGOMAN_IOC_DETACH, DRAGOMAN_SIZE_DETACH_1_0, false, { offsetof(struct dragoman_detach, pad) }, 0 },
	{ "MISS", DRAGOMAN_IOC_MISS, DRAGOMAN_SIZE_MISS_1_0, false, {}, 7 },
	{ "CTL_HELLO", DRAGOMAN_IOC_CTL_HELLO, DRAGOMAN_SIZE_CTL_HELLO_1_0, true,
	  { offsetof(struct dragoman_ctl_hello, pad) }, 0 },
	{ "SET_RUNTIME", DRAGOMAN_IOC_SET_RUNTIME, DRAGOMAN_SIZE_SET_RUNTIME_1_0, true, {}, 1 },
	{ "RECV", DRAGOMAN_IOC_RECV, DRAGOMAN_SIZE_RECV_1_0, true, {}, 0 },
	{ "REPLY", DRAGOMAN_IOC_REPLY, DRAGOMAN_SIZE_REPLY_1_0, true, {}, 0 },
	{ "IMAGE_FD", DRAGOMAN_IOC_IMAGE_FD, DRAGOMAN_SIZE_IMAGE_FD_1_0, true, { offsetof(struct dragoman_image_fd, pad) }, 0 },
	{ "OBJ_CREATE", DRAGOMAN_IOC_OBJ_CREATE, DRAGOMAN_SIZE_OBJ_CREATE_1_0, true, {}, 0 },
	{ "OBJ_BIND", DRAGOMAN_IOC_OBJ_BIND, DRAGOMAN_SIZE_OBJ_BIND_1_0, true, {}, 0 },
	{ "OBJ_RETIRE", DRAGOMAN_IOC_OBJ_RETIRE, DRAGOMAN_SIZE_OBJ_RETIRE_1_0, true,
	  { offsetof(struct dragoman_obj_retire, pad) }, 0 },
};

FIXTURE(ioctls) {
	int ctl, session, node;
	char *page;			/* followed by one that cannot be touched */
};

FIXTURE_SETUP(ioctls)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	self->ctl = server_open(NULL);
	ASSERT_GE(self->ctl, 0);
	self->session = session_open();
	ASSERT_GE(self->session, 0);
	self->node = open(CLIENT_NODE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->node, 0);
	self->page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, mprotect(self->page + 4096, 4096, PROT_NONE));
}

FIXTURE_TEARDOWN(ioctls)
{
	leave_folder();
}

/* An argument with size and flags set; the rest zero. */
static void *arg_of(char *page, unsigned int size, unsigned int flags)
{
	unsigned int *a = (unsigned int *)page;

	memset(page, 0, 4096);
	a[0] = size;
	a[1] = flags;
	return a;
}

TEST_F(ioctls, sizes)
{
	unsigned int sizes[] = { 0, 1, 4, 7, 8, 15 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		int fd = c->ctl ? self->ctl : self->session;

		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			EXPECT_EQ(-EINVAL, dg(fd, c->nr, arg_of(self->page, sizes[j], 0))) TH_LOG("%s %u", c->name, sizes[j]);
		EXPECT_EQ(-EINVAL, dg(fd, c->nr, arg_of(self->page, c->size - 1, 0))) TH_LOG("%s", c->name);
		/* More than the module knows, and it is not zero. */
		arg_of(self->page, c->size + 8, 0);
		self->page[c->size + 7] = 1;
		EXPECT_EQ(-E2BIG, dg(fd, c->nr, self->page)) TH_LOG("%s", c->name);
		EXPECT_EQ(-E2BIG, dg(fd, c->nr, arg_of(self->page, 0xffffffffu, 0))) TH_LOG("%s", c->name);
		EXPECT_EQ(-E2BIG, dg(fd, c->nr, arg_of(self->page, 0x80000000u, 0))) TH_LOG("%s", c->name);
	}
}

TEST_F(ioctls, flags_and_padding)
{
	size_t i, j;
	int bit;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		int fd = c->ctl ? self->ctl : self->session;

		for (bit = 0; bit < 32; bit++)
			if (!(c->known_flags & 1u << bit))
				EXPECT_EQ(-EINVAL, dg(fd, c->nr, arg_of(self->page, c->size, 1u << bit)))
					TH_LOG("%s flag %d", c->name, bit);
		for (j = 0; j < 2 && c->pad[j]; j++) {
			arg_of(self->page, c->size, 0);
			self->page[c->pad[j] + 3] = 1;
			EXPECT_EQ(-EINVAL, dg(fd, c->nr, self->page)) TH_LOG("%s padding at %u", c->name, c->pad[j]);
		}
	}
}

TEST_F(ioctls, addresses)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		int fd = c->ctl ? self->ctl : self->session;
		unsigned int *tail;

		EXPECT_EQ(-EFAULT, dg(fd, c->nr, NULL)) TH_LOG("%s", c->name);
		EXPECT_EQ(-EFAULT, dg(fd, c->nr, (void *)-4096l)) TH_LOG("%s", c->name);
		EXPECT_EQ(-EFAULT, dg(fd, c->nr, self->page + 4096)) TH_LOG("%s", c->name);
		/* The size is readable, the rest is not. */
		tail = (unsigned int *)(self->page + 4088);
		tail[0] = c->size;
		tail[1] = 0;
		EXPECT_EQ(-EFAULT, dg(fd, c->nr, tail)) TH_LOG("%s", c->name);
	}
}

/* Calls of the one kind of descriptor on the others, unknown numbers, other types. */
TEST_F(ioctls, wrong_descriptor)
{
	unsigned int object;
	int fds[4], n = 0, other;
	size_t i, j;

	fds[n++] = self->node;
	fds[n++] = self->session;
	fds[n++] = self->ctl;
	fds[n] = object_create(self->ctl, DRAGOMAN_OBJECT_MIN, TRANSLATOR, &object);
	ASSERT_GE(fds[n], 0);
	n++;
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		for (j = 0; j < (size_t)n; j++) {
			if (fds[j] == (calls[i].ctl ? self->ctl : self->session))
				continue;
			EXPECT_EQ(-ENOTTY, dg(fds[j], calls[i].nr, arg_of(self->page, calls[i].size, 0)))
				TH_LOG("%s on %zu", calls[i].name, j);
		}
	for (j = 0; j < (size_t)n; j++) {
		for (i = 0; i < 256; i++) {
			bool known = fds[j] == self->node && i == 0;
			size_t k;

			for (k = 0; k < ARRAY_SIZE(calls); k++)
				known |= (calls[k].nr & 255) == i;
			if (!known)
				EXPECT_EQ(-ENOTTY, dg(fds[j], _IO(DRAGOMAN_IOC_TYPE, i), self->page)) TH_LOG("nr %zu on %zu", i, j);
		}
		EXPECT_EQ(-ENOTTY, dg(fds[j], _IO('X', 1), self->page));
		EXPECT_GT(0, read(fds[j], self->page, 16));
		EXPECT_GT(0, write(fds[j], self->page, 16));
	}
	EXPECT_EQ(-EINVAL, dg(self->node, DRAGOMAN_IOC_SESSION, self->page));
	other = open("/dev/null", O_RDWR);
	EXPECT_EQ(-ENOTTY, dg(other, DRAGOMAN_IOC_HELLO, self->page));
}

TEST_F(ioctls, versions)
{
	struct dragoman_hello h;
	struct dragoman_ctl_hello c = { .size = sizeof(c), .abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR + 7,
					.role = DRAGOMAN_ROLE_ADMIN };
	int fd = session_new(), ctl;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(1, fcntl(fd, F_GETFD));
	h = hello_for(TRANSLATOR);
	h.abi_major = DRAGOMAN_ABI_MAJOR + 1;
	EXPECT_EQ(-EPROTO, dg(fd, DRAGOMAN_IOC_HELLO, &h));
	h = hello_for(TRANSLATOR);
	h.abi_major = 0;
	EXPECT_EQ(-EPROTO, dg(fd, DRAGOMAN_IOC_HELLO, &h));
	h = hello_for(TRANSLATOR);
	h.abi_minor = 99;
	EXPECT_EQ(0, dg(fd, DRAGOMAN_IOC_HELLO, &h));
	EXPECT_EQ(DRAGOMAN_ABI_MINOR, h.abi_minor);
	EXPECT_EQ(0, h.session_flags);
	EXPECT_EQ(-1, h.image_fd);
	EXPECT_NE(0, h.server_generation);
	h = hello_for(TRANSLATOR);
	EXPECT_EQ(-EALREADY, dg(fd, DRAGOMAN_IOC_HELLO, &h));

	ctl = open(CTL_NODE, O_RDWR);
	EXPECT_EQ(0, dg(ctl, DRAGOMAN_IOC_CTL_HELLO, &c));
	EXPECT_EQ(DRAGOMAN_ABI_MINOR, c.abi_minor);
	EXPECT_EQ(-EALREADY, dg(ctl, DRAGOMAN_IOC_CTL_HELLO, &c));
	close(ctl);
	ctl = open(CTL_NODE, O_RDWR);
	c.abi_major = DRAGOMAN_ABI_MAJOR + 1;
	EXPECT_EQ(-EPROTO, dg(ctl, DRAGOMAN_IOC_CTL_HELLO, &c));
}

/* Nothing but HELLO before HELLO. */
TEST_F(ioctls, before_hello)
{
	int session = session_new(), ctl = open(CTL_NODE, O_RDWR);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].nr == DRAGOMAN_IOC_HELLO || calls[i].nr == DRAGOMAN_IOC_CTL_HELLO)
			continue;
		EXPECT_EQ(-EPROTO, dg(calls[i].ctl ? ctl : session, calls[i].nr, arg_of(self->page, calls[i].size, 0)))
			TH_LOG("%s", calls[i].name);
	}
	EXPECT_NE(0, map_error(4096, PROT_READ, MAP_SHARED, session, 0));
	EXPECT_NE(0, map_error(4096, PROT_READ, MAP_SHARED, ctl, 0));
}

TEST_F(ioctls, roles)
{
	unsigned long long g = 0, mine = 12345;
	struct dragoman_ctl_hello c = { .size = sizeof(c), .abi_major = DRAGOMAN_ABI_MAJOR, .role = 99 };
	struct dragoman_req req;
	int fd = open(CTL_NODE, O_RDWR), admin, joined, i, ret;

	EXPECT_EQ(-EINVAL, dg(fd, DRAGOMAN_IOC_CTL_HELLO, &c));
	c.role = 0;
	EXPECT_EQ(-EINVAL, dg(fd, DRAGOMAN_IOC_CTL_HELLO, &c));
	EXPECT_EQ(-EBUSY, server_open(&g));
	EXPECT_EQ(-ESTALE, ctl_open(DRAGOMAN_ROLE_JOIN, &mine));
	close(self->ctl);
	self->ctl = server_open(&g);
	ASSERT_GE(self->ctl, 0);
	EXPECT_NE(0, g);
	joined = ctl_open(DRAGOMAN_ROLE_JOIN, &g);
	ASSERT_GE(joined, 0);
	/* The one that joined keeps the generation alive. */
	close(self->ctl);
	EXPECT_EQ(-EBUSY, server_open(&mine));
	EXPECT_EQ(-EAGAIN, recv_n(joined, &req, 1, 0));
	close(joined);
	EXPECT_EQ(-ESTALE, ctl_open(DRAGOMAN_ROLE_JOIN, &g));
	self->ctl = server_open(&mine);
	ASSERT_GE(self->ctl, 0);
	EXPECT_NE(g, mine);
	/* An administrator registers runtimes and nothing else. */
	admin = ctl_open(DRAGOMAN_ROLE_ADMIN, NULL);
	ASSERT_GE(admin, 0);
	for (i = 0; i < (int)ARRAY_SIZE(calls); i++) {
		if (!calls[i].ctl || calls[i].nr == DRAGOMAN_IOC_CTL_HELLO || calls[i].nr == DRAGOMAN_IOC_SET_RUNTIME)
			continue;
		ret = dg(admin, calls[i].nr, arg_of(self->page, calls[i].size, 0));
		EXPECT_TRUE(ret == -EPERM || ret == -EPROTO || ret == -EACCES) TH_LOG("%s: %d", calls[i].name, ret);
	}
}

TEST_F(ioctls, receive)
{
	struct dragoman_req req[4];
	struct dragoman_recv r = { .size = sizeof(r), .buffer = (unsigned long)req, .req_size = sizeof(req[0]), .count = 4 };
	unsigned long long t;
	struct pollfd p = { .fd = self->ctl, .events = POLLIN };

	EXPECT_EQ(-EAGAIN, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	EXPECT_EQ(0, poll(&p, 1, 0));
	t = now_ns();
	r.deadline_ns = t + SECOND / 10;
	EXPECT_EQ(-ETIMEDOUT, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	EXPECT_LE(SECOND / 10, now_ns() - t);
	r.deadline_ns = 1;
	EXPECT_EQ(-ETIMEDOUT, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	r.deadline_ns = 0;
	r.count = 0;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	r.count = DRAGOMAN_BATCH_MAX + 1;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	r.count = 1;
	r.req_size = sizeof(req[0]) - 8;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
	r.req_size = 0;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_RECV, &r));
}

TEST_F(ioctls, replies)
{
	struct dragoman_answer a = { .id = 77 };
	struct dragoman_reply r = { .size = sizeof(r), .buffer = (unsigned long)&a, .answer_size = sizeof(a), .count = 1 };

	EXPECT_EQ(-ENOENT, reply(self->ctl, 12345, DRAGOMAN_OK, 0));
	EXPECT_EQ(-ENOENT, reply(self->ctl, 0, DRAGOMAN_PRIVATE, 0));
	r.count = 0;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_REPLY, &r));
	r.count = DRAGOMAN_BATCH_MAX + 1;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_REPLY, &r));
	r.count = 1;
	r.answer_size = 8;
	EXPECT_EQ(-EINVAL, dg(self->ctl, DRAGOMAN_IOC_REPLY, &r));
	r.answer_size = sizeof(a);
	r.buffer = 0;
	EXPECT_EQ(-EFAULT, dg(self->ctl, DRAGOMAN_IOC_REPLY, &r));
}

TEST_F(ioctls, objects)
{
	unsigned long long bad[] = { 0, 1, 4095, 4097, DRAGOMAN_OBJECT_MAX + 4096, ~0ull, 1ull << 63 };
	unsigned int object, second;
	struct stat st;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, object_create(self->ctl, bad[i], TRANSLATOR, &object)) TH_LOG("size %llu", bad[i]);
	fd = object_create(self->ctl, DRAGOMAN_OBJECT_MAX, TRANSLATOR, &object);
	ASSERT_GE(fd, 0);
	EXPECT_NE(0, object);
	EXPECT_EQ(1, fcntl(fd, F_GETFD));
	close(fd);
	EXPECT_EQ(0, object_retire(self->ctl, object));
	EXPECT_GT(0, object_retire(self->ctl, object));
	EXPECT_EQ(-ENOENT, object_retire(self->ctl, object + 1000));
	EXPECT_EQ(-ENOENT, object_retire(self->ctl, 0));
	fd = object_create(self->ctl, OBJECT_SIZE, TRANSLATOR, &second);
	ASSERT_GE(fd, 0);
	EXPECT_NE(object, second);
	if (!fstat(fd, &st))
		EXPECT_TRUE(st.st_size == OBJECT_SIZE || st.st_size == 0);
	EXPECT_EQ(-ENOENT, object_bind(self->ctl, 999999, second, DRAGOMAN_OK));
	EXPECT_EQ(-ENOENT, object_bind(self->ctl, 999999, 0, DRAGOMAN_PRIVATE));
	EXPECT_EQ(-EINVAL, object_bind(self->ctl, 999999, 0, 77));
	close(fd);
}

/* What the file of an object can be used for: one kind of mapping. */
TEST_F(ioctls, object_descriptor)
{
	int rw = PROT_READ | PROT_WRITE, fd;
	unsigned int object;
	char path[64], *p;

	fd = object_create(self->ctl, OBJECT_SIZE, TRANSLATOR, &object);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, map_error(OBJECT_SIZE, rw, MAP_SHARED, fd, 0));
	EXPECT_EQ(0, map_error(4096, PROT_READ, MAP_SHARED, fd, 8192));
	EXPECT_NE(0, map_error(4096, rw | PROT_EXEC, MAP_SHARED, fd, 0));
	EXPECT_NE(0, map_error(4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
	EXPECT_NE(0, map_error(4096, rw, MAP_PRIVATE, fd, 0));
	EXPECT_NE(0, map_error(4096, PROT_READ, MAP_PRIVATE, fd, 0));
	EXPECT_NE(0, map_error(4096, rw, MAP_SHARED, fd, OBJECT_SIZE));
	EXPECT_NE(0, map_error(8192, rw, MAP_SHARED, fd, OBJECT_SIZE - 4096));
	p = mmap(NULL, OBJECT_SIZE, rw, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)p);
	EXPECT_EQ(-1, mprotect(p, 4096, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, mprotect(p, 4096, PROT_READ));
	EXPECT_EQ(-1, mprotect(p, 4096, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, p[100]);
	p[8192] = 5;
	/* The system call that maps what a map shows again, without asking whose file it was. */
	if (!syscall(SYS_remap_file_pages, p, 4096, 0, 1, 0))
		EXPECT_EQ(-1, mprotect(p, 4096, PROT_READ | PROT_EXEC));
	EXPECT_NE(0, ftruncate(fd, 4096));
	EXPECT_NE(0, fallocate(fd, 0, 0, 4096));
	EXPECT_NE(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096));
	EXPECT_EQ(5, p[8192]);
	EXPECT_GT(0, pread(fd, path, 1, 0));
	EXPECT_GT(0, pwrite(fd, path, 1, 0));
	/* /proc must not make of it something that can do more. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_GT(0, open(path, O_RDWR));
	EXPECT_GT(0, open(path, O_RDONLY));
	munmap(p, OBJECT_SIZE);
	close(fd);
}

/* A page that can be read, but whose write faults wait for somebody who never comes. NULL: not here. */
static void *stuck_page(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = { .range = { (unsigned long)p, 4096 }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct dragoman_hello h = hello_for(TRANSLATOR);

	memcpy(p, &h, sizeof(h));
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg) || ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		return NULL;
	return p;
}

/* A HELLO whose memory does not come keeps others waiting, but not from dying. */
TEST_F(ioctls, hello_stuck)
{
	int session = session_new(), p[2], status, i;
	pid_t stuck, waits;
	char c = 0;

	ASSERT_GE(session, 0);
	ASSERT_EQ(0, pipe(p));
	stuck = fork();
	if (stuck == 0) {
		void *page = stuck_page();

		if (write(p[1], page ? "y" : "n", 1) == 1 && page)
			dg(session, DRAGOMAN_IOC_HELLO, page);
		_exit(1);
	}
	ASSERT_EQ(1, read(p[0], &c, 1));
	if (c == 'n') {
		waitpid(stuck, NULL, 0);
		SKIP(return, "no userfaultfd here");
	}
	usleep(300000);
	EXPECT_EQ(0, waitpid(stuck, &status, WNOHANG));
	waits = fork();
	if (waits == 0) {
		struct dragoman_hello h = hello_for(TRANSLATOR);

		dg(session, DRAGOMAN_IOC_HELLO, &h);
		_exit(0);
	}
	usleep(300000);
	EXPECT_EQ(0, waitpid(waits, &status, WNOHANG));
	kill(waits, SIGKILL);
	for (i = 0; i < 500 && !waitpid(waits, &status, WNOHANG); i++)
		usleep(10000);
	EXPECT_GT(500, i);
	kill(stuck, SIGKILL);
	EXPECT_EQ(stuck, waitpid(stuck, &status, 0));
	if (i == 500)
		waitpid(waits, &status, 0);
	close(session);
}

/* Too many descriptors: an error, and nothing is lost. */
TEST_F(ioctls, no_descriptor_left)
{
	struct rlimit none = { 0, 4096 }, back;
	unsigned int object;
	long long before;
	int i;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &back));
	before = read_number(SYSFS "/stats/objects");
	EXPECT_LE(0, before);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-EMFILE, object_create(self->ctl, OBJECT_SIZE, TRANSLATOR, &object));
		EXPECT_EQ(-EMFILE, dg(self->node, DRAGOMAN_IOC_SESSION, NULL));
	}
	none.rlim_cur = back.rlim_cur > 4096 ? 4096 : back.rlim_cur;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(before, read_number(SYSFS "/stats/objects"));
}

/* Output that cannot be written back leaves no descriptor behind. */
TEST_F(ioctls, read_only_argument)
{
	struct dragoman_obj_create *c = (void *)self->page;
	int before, after, i;

	memset(self->page, 0, 4096);
	c->size = sizeof(*c);
	c->object_size = 4096;
	before = dup(0);
	close(before);
	ASSERT_EQ(0, mprotect(self->page, 4096, PROT_READ));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(-EFAULT, dg(self->ctl, DRAGOMAN_IOC_OBJ_CREATE, c));
	after = dup(0);
	EXPECT_EQ(before, after);
}

TEST_HARNESS_MAIN
