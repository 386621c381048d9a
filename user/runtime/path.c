// SPDX-License-Identifier: MIT
/*
 * Guest paths. With -L an absolute path is looked up below rt.root first, symbolic links inside it relative to it, as in a
 * chroot; what is not there is looked up on the host. Files of /proc that would show the runtime are recognised by procfs.c.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "runtime/path.h"
#include "runtime/procfs.h"
#include "runtime/rt.h"
#include "runtime/sys.h"

/* As Linux. */
#define MAX_LINKS 40

/* ---- below the root ------------------------------------------------------------ */

/*
 * A walk: out is root + the part that is done and holds no link; rest is what is still to be walked. Following a link puts
 * its text before the rest.
 */
struct walk {
	char *out;
	size_t len;
	char rest[RT_PATH_MAX];
	unsigned links;
};

/* Kernel file systems and scratch space are the host's, whatever empty folders the root has there. */
static bool is_hosts(const char *path)
{
	static const char dirs[][6] = { "/proc", "/sys", "/dev", "/tmp" };

	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
		size_t n = __builtin_strlen(dirs[i]);

		if (!__builtin_memcmp(path, dirs[i], MIN(n, __builtin_strlen(path) + 1)) && (!path[n] || path[n] == '/'))
			return true;
	}
	return false;
}

static void parent(struct walk *w)
{
	while (w->len > rt.root_len && w->out[--w->len] != '/')
		;
}

/* Takes a component off the rest; its length, 0 at the end. *name is in rest. */
static size_t next_component(const char **rest, const char **name)
{
	const char *p = *rest;

	while (*p == '/')
		p++;
	*name = p;
	while (*p && *p != '/')
		p++;
	*rest = p;
	return p - *name;
}

/* The walk goes on with link text (n bytes at link), then what was left. false: too long. */
static bool follow(struct walk *w, const char *left, const char *link, size_t n)
{
	size_t left_len = __builtin_strlen(left);

	if (n + left_len + 1 > sizeof(w->rest) || ++w->links > MAX_LINKS)
		return false;
	__builtin_memmove(w->rest + n, left, left_len + 1);
	__builtin_memcpy(w->rest, link, n);
	if (*w->rest == '/')
		w->len = rt.root_len;
	return true;
}

/* One component after the other. true: out is a path without links (but perhaps the last) that exists. */
static bool walk(struct walk *w, unsigned flags)
{
	const char *rest = w->rest, *name;
	char link[RT_PATH_MAX];
	size_t n;
	s64 got;

	while ((n = next_component(&rest, &name))) {
		size_t before = w->len;

		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			parent(w);
			continue;
		}
		if (w->len + n + 2 > RT_PATH_MAX)
			return false;
		w->out[w->len++] = '/';
		__builtin_memcpy(w->out + w->len, name, n);
		w->len += n;
		w->out[w->len] = 0;
		got = sys(__NR_readlink, w->out, link, sizeof(link));
		if (got == -EINVAL || (got >= 0 && !*rest && flags & RT_PATH_NOFOLLOW))
			continue;
		if (got < 0)
			return false;
		w->len = before;
		if (!follow(w, rest, link, got))
			return false;
		rest = w->rest;
	}
	/* The root itself: after a chroot it may not be there. */
	if (name == w->rest || w->len == rt.root_len) {
		w->out[w->len] = 0;
		if (sys(__NR_access, w->out, 0 /* F_OK */))
			return false;
	}
	/* "name/" has to be a folder: the kernel decides. */
	if (name > w->rest && name[-1] == '/' && w->len + 2 < RT_PATH_MAX)
		w->out[w->len++] = '/';
	w->out[w->len] = 0;
	return true;
}

const char *rt_path_below_root(const char *path, unsigned flags, char *buf)
{
	struct walk w = { .out = buf };
	size_t n;

	if (likely(!rt.root_len) || path[0] != '/')
		return NULL;
	n = __builtin_strlen(path);
	if (n + 1 > sizeof(w.rest) || rt.root_len + 2 > RT_PATH_MAX)
		return NULL;
	/* A path that is below the root already: the guest had it from getcwd or /proc. */
	if (n >= rt.root_len && !__builtin_memcmp(path, rt.root, rt.root_len) && (!path[rt.root_len] || path[rt.root_len] == '/')) {
		path += rt.root_len;
		n -= rt.root_len;
	}
	if (is_hosts(path))
		return NULL;
	__builtin_memcpy(buf, rt.root, rt.root_len);
	w.len = rt.root_len;
	__builtin_memcpy(w.rest, path, n + 1);
	return walk(&w, flags) ? buf : NULL;
}

/* ---- for system calls ------------------------------------------------------------ */

const char *rt_path_resolve(struct rt_thread *t, int dirfd, const char *guest_path, unsigned flags, char *buf)
{
	const char *below;
	s32 pid;

	(void)t;
	if (!(flags & RT_PATH_NOFOLLOW) && procfs_classify(dirfd, guest_path, &pid) == PROCFS_EXE) {
		s64 n = procfs_exe(pid, buf, RT_PATH_MAX - 1);

		if (n > 0) {
			buf[n] = 0;
			return buf;
		}
	}
	below = rt_path_below_root(guest_path, flags, buf);
	return below ? below : guest_path;
}

s64 rt_path_open_special(struct rt_thread *t, int dirfd, const char *path, u64 flags, u64 mode)
{
	enum procfs_file f;
	s32 pid;

	(void)t;
	(void)mode;
	f = procfs_classify(dirfd, path, &pid);
	if (likely(f == PROCFS_NONE))
		return -ENOSYS;
	if (f == PROCFS_EXE && (flags & O_NOFOLLOW))
		return -ENOSYS;
	return procfs_open(f, pid, flags);
}

s64 rt_path_readlink_special(struct rt_thread *t, int dirfd, const char *path, char *buf, size_t size)
{
	s32 pid;

	(void)t;
	if (likely(procfs_classify(dirfd, path, &pid) != PROCFS_EXE))
		return -ENOSYS;
	return procfs_exe(pid, buf, size);
}
