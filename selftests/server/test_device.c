// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/*
 * What the server does when the module's calls fail: its ioctl() is one of ours, which plays the module. In: scenarios, each a list of
 * requests and of what goes wrong. Each runs a whole server in a child; out: what the module was answered, and how the server ended.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "libguest.h"
#include "server/server.h"
#include "uapi/linux/dragoman.h"

#define OBJECT 7u		/* the fake module's number for the last one */
#define NOT_YET 99u
#define RETIRED 98u
#define SIGN "x"

struct scenario {
	struct dragoman_req req[3];
	unsigned nreq;
	u32 want[3];			/* what is to be answered */
	int hello, hello_times, recv, reply, image, create;	/* errnos */
	const char *file;		/* what IMAGE_FD gives */
	int file_flags;
	s64 memory;			/* bytes of an object that there are; -1: all */
	bool retire;			/* an object is to be retired before the end */
	bool fails;			/* the server is to end with an error */
};

static const struct scenario *now;
static struct {
	u32 status[3];
	unsigned delivered, retired, created;
	bool unknown;			/* answered what was not asked, or twice */
} *seen;
static char dir[64], guest[128], fifo[128];
static int device = -1;

static void tell(void)
{
	if (write(device, SIGN, 1) != 1)
		_exit(9);
}

static int fail(int err)
{
	errno = err;
	return -1;
}

static bool all_answered(void)
{
	for (unsigned i = 0; i < seen->delivered; i++)
		if (seen->status[i] == NOT_YET)
			return false;
	return true;
}

/* One request at a time: the next comes when the last is answered. */
static void next(void)
{
	if (!all_answered())
		return;
	if (seen->delivered < now->nreq)
		tell();
	else if (!now->retire || seen->retired)
		srv_end();
}

static int fake_hello(struct dragoman_ctl_hello *h, int fd)
{
	static int times;

	device = fd;
	if (now->hello && times++ < now->hello_times)
		return fail(now->hello);
	h->generation = 1;
	if (now->nreq || now->recv)
		tell();
	else
		srv_end();
	return 0;
}

static int fake_recv(const struct dragoman_recv *r, int fd)
{
	char byte;

	if (now->recv)
		return fail(now->recv);
	if (!all_answered() || seen->delivered == now->nreq || read(fd, &byte, 1) != 1)
		return fail(EAGAIN);
	memcpy((void *)(uintptr_t)r->buffer, &now->req[seen->delivered], sizeof(struct dragoman_req));
	seen->status[seen->delivered++] = NOT_YET;
	return 1;
}

static int fake_reply(const struct dragoman_reply *r)
{
	struct dragoman_answer *a = (void *)(uintptr_t)r->buffer;

	for (unsigned i = 0; i < r->count; i++) {
		u64 n = a[i].id - 1;

		if (n >= seen->delivered || seen->status[n] != NOT_YET) {
			seen->unknown = true;
			continue;
		}
		seen->status[n] = a[i].status;
		a[i].error = now->reply ? -now->reply : 0;
	}
	next();
	return 0;
}

static int fake_image(struct dragoman_image_fd *i)
{
	if (now->image)
		return fail(now->image);
	i->fd = open(now->file ? now->file : guest, now->file_flags | O_CLOEXEC);
	return i->fd < 0 ? fail(errno) : 0;
}

static int fake_create(struct dragoman_obj_create *c)
{
	int fd;

	if (now->create)
		return fail(now->create);
	fd = srv_memfd("test");
	if (fd < 0 || ftruncate(fd, now->memory < 0 ? (off_t)c->object_size : (off_t)now->memory))
		return fail(ENOSPC);
	c->fd = fd;
	c->object = OBJECT;
	seen->created++;
	return 0;
}

/* The module tells who waits for the object (ESTALE); no answer is expected any more. */
static int fake_retire(void)
{
	for (unsigned i = 0; i < seen->delivered; i++)
		if (seen->status[i] == NOT_YET && now->req[i].kind == DRAGOMAN_REQ_MISS)
			seen->status[i] = RETIRED;
	seen->retired++;
	next();
	return 0;
}

/* The one that the server is linked with. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (request) {
	case DRAGOMAN_IOC_CTL_HELLO: return fake_hello(arg, fd);
	case DRAGOMAN_IOC_SET_RUNTIME: return fail(ETXTBSY);
	case DRAGOMAN_IOC_RECV: return fake_recv(arg, fd);
	case DRAGOMAN_IOC_REPLY: return fake_reply(arg);
	case DRAGOMAN_IOC_IMAGE_FD: return fake_image(arg);
	case DRAGOMAN_IOC_OBJ_CREATE: return fake_create(arg);
	case DRAGOMAN_IOC_OBJ_RETIRE: return fake_retire();
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* ---------------------------------------------------------------- running them */

static struct dragoman_req open_req(u64 id)
{
	struct dragoman_req r = { .id = id, .kind = DRAGOMAN_REQ_OPEN, .image = 5, .cpu_class = srv_features(), .uid = getuid() };

	memcpy(r.translator, srv_translator, sizeof(r.translator));
	return r;
}

static struct dragoman_req miss_req(u64 id, u32 object, u64 offset)
{
	return (struct dragoman_req){ .id = id, .kind = DRAGOMAN_REQ_MISS, .image = 5, .object = object, .offset = offset, .uid = getuid() };
}

static void server(void)
{
	snprintf(srv_opt.socket, sizeof(srv_opt.socket), "%s/socket", dir);
	snprintf(srv_opt.device, sizeof(srv_opt.device), "%s", fifo);
	snprintf(srv_opt.runtime, sizeof(srv_opt.runtime), "/bin/true");
	srv_opt.workers = 2;
	srv_opt.worker_idle = 1;
	srv_opt.memory_limit = 1ull << 30;
	srv_opt.worker_uid = 65000;
	alarm(120);
	exit(srv_loop() ? 1 : 0);
}

static void run(const struct scenario *s)
{
	int status;
	pid_t pid;

	now = s;
	memset(seen, 0, sizeof(*seen));
	fflush(stdout);
	pid = fork();
	if (!pid)
		server();
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "no server");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == s->fails, "the server ended with %#x", status);
	CHECK(!seen->unknown, "answered what was not asked, or twice");
	CHECK(seen->delivered == s->nreq || s->fails, "%u requests taken", seen->delivered);
	for (unsigned i = 0; i < seen->delivered; i++)
		CHECK(seen->status[i] == s->want[i], "request %u: %u, not %u", i + 1,
		      seen->status[i], s->want[i]);
}

#define OPEN1 .req = { open_req(1) }, .nreq = 1, .memory = -1

static void test_hello(void)
{
	run(&(struct scenario){ .hello = EBUSY, .hello_times = 3, .memory = -1 });
	run(&(struct scenario){ .hello = EPROTO, .hello_times = 1, .fails = true });
	run(&(struct scenario){ .hello = EBUSY, .hello_times = 1000, .fails = true });
}

static void test_recv(void)
{
	run(&(struct scenario){ .recv = ENODEV, .fails = true });
	run(&(struct scenario){ .recv = ESTALE, .fails = true });
}

static void test_image(void)
{
	static const int errors[] = { ENOENT, ESTALE, EINTR, EMFILE, ENOMEM };

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
		run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_NONE }, .image = errors[i] });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_PRIVATE }, .file_flags = O_PATH });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_PRIVATE }, .file_flags = O_RDWR });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_PRIVATE }, .file = "/", .file_flags = O_DIRECTORY });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_PRIVATE }, .file = "/dev/null" });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_PRIVATE }, .file = "/bin/true" });
}

static void test_odd(void)
{
	struct dragoman_req kind = { .id = 1, .kind = 77 }, class = open_req(1), other = open_req(1);

	class.cpu_class = 0;
	other.cpu_class = 1ull << 63;
	run(&(struct scenario){ .req = { kind, miss_req(2, 1234, 0) }, .nreq = 2, .want = { DRAGOMAN_NONE, DRAGOMAN_NONE } });
	run(&(struct scenario){ .req = { class }, .nreq = 1, .want = { DRAGOMAN_PRIVATE } });
	run(&(struct scenario){ .req = { other }, .nreq = 1, .want = { DRAGOMAN_PRIVATE } });
}

static void test_object(void)
{
	const struct dragoman_req good = open_req(1), inside = miss_req(2, OBJECT, GUEST_CODE), outside = miss_req(3, OBJECT, 1ull << 40);

	run(&(struct scenario){ .req = { good, inside, outside }, .nreq = 3, .memory = -1,
				.want = { DRAGOMAN_OK, DRAGOMAN_OK, DRAGOMAN_PRIVATE } });
	CHECK(seen->created == 1, "%u objects", seen->created);
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_OK }, .reply = ESTALE });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_NONE }, .create = ENOSPC });
	run(&(struct scenario){ OPEN1, .want = { DRAGOMAN_NONE }, .create = EMFILE });
}

static void test_memory(void)
{
	struct scenario none = { OPEN1, .want = { DRAGOMAN_NONE } };
	struct scenario little = { .req = { open_req(1), miss_req(2, OBJECT, GUEST_CODE) }, .nreq = 2, .want = { DRAGOMAN_OK, RETIRED },
				   .memory = 4096, .retire = true };

	none.memory = 0;
	run(&none);
	run(&little);			/* the header's page, and no more: SIGBUS for whoever looks at the index */
	CHECK(seen->retired == 1, "%u retired", seen->retired);
}

int main(void)
{
	char command[128];

	strcpy(dir, "/tmp/dragoman-test-XXXXXX");
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!mkdtemp(dir) || seen == MAP_FAILED)
		return 1;
	snprintf(guest, sizeof(guest), "%s/guest", dir);
	snprintf(fifo, sizeof(fifo), "%s/device", dir);
	if (guest_write(guest, 50, 1) || mkfifo(fifo, 0600))
		return 1;
	srv_digest_init();
	sleep(3);			/* what has only just been written is not served */
	ktap_start(6);
	ktap_run("HELLO: busy for a while, for ever, of another version", test_hello);
	ktap_run("RECV: errors that time does not cure", test_recv);
	ktap_run("IMAGE_FD: errors, files that are none", test_image);
	ktap_run("requests that nobody should make", test_odd);
	ktap_run("objects: made, missed, refused", test_object);
	ktap_run("no memory for an object, or in one", test_memory);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		puts("# left something behind");
	return ktap_end();
}
