// SPDX-License-Identifier: MIT
/*
 * System calls on files and descriptors that differ: open flags, struct stat, epoll_event, and the runtime's own descriptors,
 * which the guest must neither see nor close.
 */
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include "runtime/client.h"
#include "runtime/exec.h"
#include "runtime/procfs.h"
#include "runtime/session.h"
#include "runtime/sys.h"
#include "runtime/syscall.h"
#include "runtime/uaccess.h"
#include "runtime/view.h"

#define F_GETFL_ 3
#define F_SETFL_ 4
#define AT_SYMLINK_NOFOLLOW_ 0x100
#define EFD_MAX_EVENTS 0x7fffffff

/* --- open ----------------------------------------------------------------------------------------------------------- */

static bool may_be_special(u64 path)
{
	u8 c = 0;

	return !rt_get_u8(&c, path);
}

/* A debugger, about to write breakpoints; or a program that is about to change its own code. */
static void note_mem(void)
{
	rt_ptrace_note_mem();
	rt_client_stop();
	rt_view_stop();
}

/* Files that the runtime makes up. -ENOSYS: none of these. */
static __attribute__((noinline)) s64 open_special(struct rt_thread *t, s64 dirfd, u64 path, u64 flags, u64 mode)
{
	char guest[RT_PATH_MAX];
	s64 len;

	if (!may_be_special(path))
		return -ENOSYS;
	len = rt_strncpy_from_user(guest, path, sizeof(guest));
	if (len <= 0)
		return -ENOSYS;
	if (flags & 3 && len > 4 && !__builtin_memcmp(guest + len - 4, "/mem", 4))
		note_mem();
	return rt_path_open_special(t, (int)dirfd, guest, flags, mode);
}

static s64 resolve_and_call(struct rt_thread *t, s64 nr, u64 *a, unsigned flags)
{
	char buf[RT_PATH_MAX];

	rt_sys_path(t, (s32)a[0], &a[1], flags, buf);
	return rt_host_call(t, nr, a);
}

RT_SYS_HANDLER(openat)
{
	s64 ret;

	a[2] = rt_oflags_to_host((u32)a[2]);
	ret = open_special(t, (s32)a[0], a[1], a[2], a[3]);
	if (ret != -ENOSYS)
		return ret;
	return resolve_and_call(t, __NR_openat, a, a[2] & X64_O_NOFOLLOW ? RT_PATH_NOFOLLOW : 0);
}

RT_SYS_HANDLER(openat2)
{
	struct open_how how;
	s64 ret;

	if (a[3] < sizeof(how))
		return -EINVAL;
	if (a[3] > 4096)
		return -E2BIG;
	ret = rt_copy_struct_from_user(&how, sizeof(how), a[2], a[3]);
	if (ret)
		return ret;
	how.flags = rt_oflags_to_host(how.flags);
	a[2] = (u64)&how;
	a[3] = sizeof(how);
	if (!how.resolve) {
		ret = open_special(t, (s32)a[0], a[1], how.flags, how.mode);
		if (ret != -ENOSYS)
			return ret;
		return resolve_and_call(t, __NR_openat2, a, how.flags & X64_O_NOFOLLOW ? RT_PATH_NOFOLLOW : 0);
	}
	return rt_host_call(t, __NR_openat2, a);
}

static __attribute__((noinline)) s64 readlink_special(struct rt_thread *t, const u64 *a)
{
	char guest[RT_PATH_MAX], target[RT_PATH_MAX];
	s64 len;

	if (rt_strncpy_from_user(guest, a[1], sizeof(guest)) <= 0)
		return -ENOSYS;
	if ((s32)a[3] <= 0)
		return -EINVAL;
	len = rt_path_readlink_special(t, (s32)a[0], guest, target, MIN((u64)(u32)a[3], sizeof(target)));
	if (len > 0 && rt_copy_to_user(a[2], target, (size_t)len))
		return -EFAULT;
	return len;
}

/* The kernel's maps are made when they are read, ours when they are opened. */
RT_SYS_HANDLER(lseek)
{
	s64 ret = rt_host_call(t, __NR_lseek, a);

	if (!ret && !a[1] && !(u32)a[2] /* SEEK_SET */)
		procfs_rewound((int)a[0]);
	return ret;
}

RT_SYS_HANDLER(readlinkat)
{
	s64 ret = readlink_special(t, a);

	return ret != -ENOSYS ? ret : resolve_and_call(t, __NR_readlinkat, a, RT_PATH_NOFOLLOW);
}

/* --- stat ----------------------------------------------------------------------------------------------------------- */

static s64 put_stat(u64 dst, const struct x64_stat *h)
{
	struct a64_stat g = {
		.st_dev = h->st_dev, .st_ino = h->st_ino, .st_mode = h->st_mode, .st_nlink = (u32)h->st_nlink,
		.st_uid = h->st_uid, .st_gid = h->st_gid, .st_rdev = h->st_rdev, .st_size = h->st_size,
		.st_blksize = (s32)h->st_blksize, .st_blocks = h->st_blocks,
		.atime = h->atime, .atime_nsec = h->atime_nsec, .mtime = h->mtime, .mtime_nsec = h->mtime_nsec,
		.ctime = h->ctime, .ctime_nsec = h->ctime_nsec,
	};

	return rt_copy_to_user(dst, &g, sizeof(g));
}

RT_SYS_HANDLER(fstat)
{
	struct x64_stat h;
	u64 dst = a[1];
	s64 ret;

	if (rt_fd_is_ours((s32)a[0]))
		return -EBADF;
	a[1] = (u64)&h;
	ret = rt_host_call(t, __NR_fstat, a);
	return ret ? ret : put_stat(dst, &h);
}

RT_SYS_HANDLER(newfstatat)
{
	struct x64_stat h;
	u64 dst = a[2];
	s64 ret;

	if (rt_fd_is_ours((s32)a[0]))
		return -EBADF;
	a[2] = (u64)&h;
	ret = resolve_and_call(t, __NR_newfstatat, a, a[3] & AT_SYMLINK_NOFOLLOW_ ? RT_PATH_NOFOLLOW : 0);
	return ret ? ret : put_stat(dst, &h);
}

RT_SYS_HANDLER(statx)
{
	if (rt_fd_is_ours((s32)a[0]))
		return -EBADF;
	return resolve_and_call(t, __NR_statx, a, a[2] & AT_SYMLINK_NOFOLLOW_ ? RT_PATH_NOFOLLOW : 0);
}

/* --- descriptors ---------------------------------------------------------------------------------------------------- */

/*
 * Our descriptors are not shown in /proc/self/fd. Nearly every directory is done with after a look at the names.
 */
struct dirent_head {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[13];			/* the first bytes */
} __attribute__((packed));

static s64 name_to_fd(const char *name)
{
	s64 n = 0;

	for (unsigned i = 0; i < 10; i++) {
		if (!name[i])
			return i ? n : -1;
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return -1;
}

/* Is it the directory /proc/PID/fd or fdinfo, perhaps with task/TID in between? */
static bool is_fd_dir(s64 fd)
{
	char link[32] = "/proc/self/fd/", target[64];
	unsigned n = 14;
	s64 len;

	for (u32 div = 1000000000; div; div /= 10)
		if (fd / div || div == 1)
			link[n++] = (char)('0' + fd / div % 10);
	link[n] = 0;
	len = sys(__NR_readlink, link, target, sizeof(target) - 1);
	if (len < 9 || len > 62)
		return false;
	target[len] = 0;
	return !__builtin_memcmp(target, "/proc/", 6) &&
		(!__builtin_memcmp(target + len - 3, "/fd", 3) || !__builtin_memcmp(target + len - 7, "/fdinfo", 7));
}

/* Takes [at, at + gap) out of what ends at end. */
static int close_gap(u64 at, u64 gap, u64 end)
{
	u8 piece[256];

	for (u64 from = at + gap; from < end; from += sizeof(piece), at += sizeof(piece)) {
		u64 n = MIN(sizeof(piece), end - from);

		if (rt_copy_from_user(piece, from, n) || rt_copy_to_user(at, piece, n))
			return -EFAULT;
	}
	return 0;
}

static s64 hide_ours(s64 fd, u64 buf, s64 len)
{
	struct dirent_head d;
	u64 at = buf, end = buf + (u64)len;

	while (at < end) {
		if (rt_copy_from_user(&d, at, MIN(sizeof(d), end - at)) || d.reclen < 20)
			return len;
		if (unlikely(rt_fd_is_ours(name_to_fd(d.name))) && is_fd_dir(fd)) {
			if (close_gap(at, d.reclen, end))
				return -EFAULT;
			end -= d.reclen;
		} else {
			at += d.reclen;
		}
	}
	return (s64)(end - buf);
}

RT_SYS_HANDLER(getdents64)
{
	s64 ret = rt_host_call(t, __NR_getdents64, a);

	while (ret > 0 && (rt.exe_fd >= 0 || rt.self_fd >= 0 || rt_session_on())) {
		ret = hide_ours((s32)a[0], a[1], ret);
		if (ret)
			break;
		ret = rt_host_call(t, __NR_getdents64, a);	/* all of it was ours: 0 would mean the end */
	}
	return ret;
}

RT_SYS_HANDLER(close)
{
	return rt_fd_is_ours((s32)a[0]) ? -EBADF : rt_host_call(t, __NR_close, a);
}

RT_SYS_HANDLER(dup)
{
	return rt_fd_is_ours((s32)a[0]) ? -EBADF : rt_host_call(t, __NR_dup, a);
}

/* To a number where our session is: another thread may just be using it. */
static s64 dup_onto_session(struct rt_thread *t, u64 *a)
{
	int old = -1;
	s64 ret;

	rt_client_lock();
	if ((s32)a[1] == rt.session_fd)
		old = rt_session_move();
	ret = rt_host_call(t, __NR_dup3, a);
	if (ret < 0 && old >= 0)
		sys(__NR_close, old);
	rt_client_unlock();
	return ret;
}

RT_SYS_HANDLER(dup3)
{
	if (rt_fd_is_ours((s32)a[0]))
		return -EBADF;
	if (unlikely(rt_session_on() && (s32)a[1] == rt.session_fd)) {
		/* What a vfork child replaces its parent still has, at the number that is in their memory. */
		if (RT_LX(t)->flags & RT_LX_VFORK)
			return rt_host_call(t, __NR_dup3, a);
		return dup_onto_session(t, a);
	}
	if (rt_fd_is_ours((s32)a[1]))
		return -EBADF;
	return rt_host_call(t, __NR_dup3, a);
}

/* Into n numbers that are in order. */
static void insert(u32 *list, u32 n, u32 x)
{
	for (; n && list[n - 1] > x; n--)
		list[n] = list[n - 1];
	list[n] = x;
}

/* The ranges between our own descriptors; there are few of them. */
static s64 close_others(struct rt_thread *t, u64 *a)
{
	u32 first = (u32)a[0], last = (u32)a[1], ours[4], n = 0;
	const int fds[] = { rt.exe_fd, rt.self_fd, rt.session_fd };
	s64 ret = 0;

	if (first > last || (u32)a[2] & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return rt_host_call(t, __NR_close_range, a);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0 && (u32)fds[i] >= first && (u32)fds[i] <= last)
			insert(ours, n++, (u32)fds[i]);
	for (unsigned i = 0; i <= n && !ret && first <= last; i++) {
		u32 end = i < n ? ours[i] - 1 : last;

		if (i == n || (ours[i] > first))
			ret = sys(__NR_close_range, first, end, a[2]);
		if (i == n || ours[i] == ~0u)
			break;
		first = ours[i] + 1;
	}
	return ret;
}

/* Another thread may just be asking the server. */
RT_SYS_HANDLER(close_range)
{
	s64 ret;

	rt_client_lock();
	ret = close_others(t, a);
	rt_client_unlock();
	return ret;
}

RT_SYS_HANDLER(fcntl)
{
	s64 ret;

	if (rt_fd_is_ours((s32)a[0]))
		return -EBADF;
	if ((u32)a[1] == F_SETFL_)
		a[2] = rt_oflags_to_host(a[2]);
	ret = rt_host_call(t, __NR_fcntl, a);
	if ((u32)a[1] == F_GETFL_ && ret >= 0)
		ret = (s64)rt_oflags_to_guest((u64)ret);
	return ret;
}

/* --- epoll: the event is packed on x86-64 only ---------------------------------------------------------------------- */

RT_SYS_HANDLER(epoll_ctl)
{
	struct a64_epoll_event g;
	struct x64_epoll_event h;

	if ((u32)a[1] != 2 /* EPOLL_CTL_DEL */) {
		if (rt_copy_from_user(&g, a[3], sizeof(g)))
			return -EFAULT;
		h.events = g.events;
		h.data = g.data;
		a[3] = (u64)&h;
	}
	return rt_host_call(t, __NR_epoll_ctl, a);
}

/* The host wrote n packed events at the start of the guest's array: spread them, from the last one. */
static s64 spread_events(u64 events, s64 n)
{
	for (s64 i = n - 1; i >= 0; i--) {
		struct x64_epoll_event h;
		struct a64_epoll_event g = { 0 };

		if (rt_copy_from_user(&h, events + (u64)i * sizeof(h), sizeof(h)))
			return -EFAULT;
		g.events = h.events;
		g.data = h.data;
		if (rt_copy_to_user(events + (u64)i * sizeof(g), &g, sizeof(g)))
			return -EFAULT;
	}
	return n;
}

static s64 epoll_wait_common(struct rt_thread *t, s64 nr, u64 *a)
{
	u64 mask, events = a[1];
	bool temp = a[4] && a[5] == sizeof(mask);
	s64 ret;

	if (temp) {
		if (rt_copy_from_user(&mask, a[4], sizeof(mask)))
			return -EFAULT;
		rt_signal_temp_begin(t, mask);
		mask = rt_host_mask(mask);
		a[4] = (u64)&mask;
	}
	ret = rt_host_call(t, nr, a);
	if (temp)
		ret = rt_signal_temp_end(t, ret);
	return ret > 0 ? spread_events(events, ret) : ret;
}

RT_SYS_HANDLER(epoll_pwait)
{
	return epoll_wait_common(t, __NR_epoll_pwait, a);
}

RT_SYS_HANDLER(epoll_pwait2)
{
	return epoll_wait_common(t, __NR_epoll_pwait2, a);
}
