// SPDX-License-Identifier: MIT
/*
 * The kernel module's session: see session.h. In: the descriptor that the kernel left in AT_EXECFD. Out: the guest program's
 * descriptor, and offers of code objects for client.c, which checks their headers. Whatever the session refuses later only
 * means that code is translated here.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include "runtime/rt.h"
#include "runtime/session.h"
#include "runtime/sys.h"
#include "translator_id.h"
#include "uapi/linux/dragoman.h"

#define PAGE 4096ull
/* Limits on descriptors beyond this are not worth a table of that size. */
#define SMALL_LIMIT 4096

static const u8 translator_id[DRAGOMAN_TRANSLATOR_SIZE] = DRAGOMAN_TRANSLATOR_ID;

static struct {
	bool in_the_way;		/* it could not be moved out of the guest's way */
	bool shared;			/* with a forked process: what is attached may be of use there */
} session;

/* ---- its number ------------------------------------------------------------ */

/* Beyond the limit, where the guest neither meets it nor misses a number; -errno if the limit cannot be raised. */
static s64 dup_beyond_limit(int fd)
{
	struct { u64 cur, max; } old, more;
	s64 ret;

	ret = sys(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &old);
	if (ret)
		return ret;
	if (old.cur > SMALL_LIMIT || old.max <= old.cur)
		return -EMFILE;
	/* Two: when it is moved, the first may be taken by itself. */
	more = old;
	more.cur = old.cur + 1 < old.max ? old.cur + 2 : old.max;
	ret = sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &more, NULL);
	if (ret)
		return ret;
	ret = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, old.cur);
	sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &old, NULL);
	return ret;
}

static s64 dup_high(int fd)
{
	static const u16 numbers[] = { 1000, 200, 50, 10 };
	s64 high = dup_beyond_limit(fd);

	for (unsigned i = 0; i < ARRAY_SIZE(numbers) && high < 0; i++)
		high = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, numbers[i]);
	return high;
}

int rt_session_move(void)
{
	int old = rt.session_fd;
	s64 high = dup_high(old);

	rt.session_fd = high < 0 ? -1 : (int)high;
	return old;
}

void rt_session_loaded(void)
{
	if (likely(!session.in_the_way))
		return;
	sys(__NR_close, rt.session_fd);
	rt.session_fd = -1;
}

void rt_session_share(void)
{
	session.shared = true;
}

/* ---- the beginning ------------------------------------------------------------ */

int rt_session_begin(int fd, bool ask, int *image, bool *no_server)
{
	struct dragoman_hello h = {
		.size = sizeof(h), .flags = DRAGOMAN_HELLO_IMAGE_FD | (ask ? 0 : DRAGOMAN_HELLO_NO_OBJECT),
		.abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR, .cpu_class = rt.features,
	};
	s64 high = dup_high(fd), err;

	__builtin_memcpy(h.translator, translator_id, sizeof(h.translator));
	/* The guest is to find the number free that the kernel gave. */
	if (high >= 0)
		sys(__NR_close, fd);
	session.in_the_way = high < 0;
	rt.session_fd = high < 0 ? fd : (int)high;
	err = sys(__NR_ioctl, rt.session_fd, DRAGOMAN_IOC_HELLO, &h);
	if (err)
		return (int)err;
	*image = h.image_fd;
	*no_server = !h.server_generation;
	if (h.session_flags & DRAGOMAN_SESSION_SECURE)
		rt.flags |= RT_FLAG_SECURE;
	return 0;
}

/* ---- objects ------------------------------------------------------------ */

static s64 attach(struct dragoman_attach *a, u32 flags, int fd, u64 address)
{
	*a = (struct dragoman_attach){ .size = sizeof(*a), .flags = flags, .fd = fd, .address = address };
	return sys(__NR_ioctl, rt.session_fd, DRAGOMAN_IOC_ATTACH, a);
}

/* A descriptor does not say which file below an overlay will be mapped; a mapping does. */
static s64 attach_by_mapping(struct dragoman_attach *a, int fd)
{
	s64 p = sys(__NR_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), err;

	if (p < 0)
		return p;
	err = attach(a, DRAGOMAN_ATTACH_ADDRESS, -1, (u64)p);
	sys(__NR_munmap, p, PAGE);
	return err;
}

static s64 copy_head(struct dragoman_object *head, u64 offset)
{
	s64 p = sys(__NR_mmap, 0, PAGE, PROT_READ, MAP_SHARED, rt.session_fd, offset);

	if (p < 0)
		return p;
	__builtin_memcpy(head, (const void *)p, sizeof(*head));
	sys(__NR_munmap, p, PAGE);
	return 0;
}

int rt_session_attach(int fd, struct rt_offered *o)
{
	struct dragoman_attach a;
	s64 err = attach(&a, DRAGOMAN_ATTACH_FD, fd, 0);

	if (!err && a.status == DRAGOMAN_BY_ADDRESS)
		err = attach_by_mapping(&a, fd);
	if (!err && a.status != DRAGOMAN_OK)
		err = -ENOENT;
	if (!err)
		err = copy_head(&o->head, a.map_offset);
	if (err)
		return (int)err;
	o->fd = rt.session_fd;
	o->session = true;
	o->offset = a.map_offset;
	o->object = a.object;
	o->generation = (u32)(o->head.text_lo / PAGE);
	o->file = (struct drg_file){ .dev = a.file.dev, .ino = a.file.ino, .size = a.file.size };
	return o->head.size == a.object_size ? 0 : -EINVAL;
}

bool rt_session_proves(const struct rt_offered *o, u64 address)
{
	struct dragoman_attach a;

	return !attach(&a, DRAGOMAN_ATTACH_ADDRESS | DRAGOMAN_ATTACH_LOOK, -1, address) && a.status == DRAGOMAN_OK &&
	       a.object == o->object && a.file_offset == o->head.text_lo;
}

int rt_session_miss(u32 object, u64 offset)
{
	struct dragoman_miss m = { .size = sizeof(m), .flags = DRAGOMAN_MISS_NOWAIT, .object = object, .offset = offset };

	return (int)sys(__NR_ioctl, rt.session_fd, DRAGOMAN_IOC_MISS, &m);
}

void rt_session_detach(u32 object)
{
	struct dragoman_detach d = { .size = sizeof(d), .object = object };

	if (rt_session_on() && !session.shared)
		sys(__NR_ioctl, rt.session_fd, DRAGOMAN_IOC_DETACH, &d);
}
