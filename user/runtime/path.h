/* SPDX-License-Identifier: MIT */
/*
 * Guest paths -> host paths: -L (an absolute path is looked for below rt.root first) and the files of /proc that would
 * show the runtime instead of the guest.
 */
#ifndef RUNTIME_PATH_H
#define RUNTIME_PATH_H

#include "base/types.h"

struct rt_thread;

#define RT_PATH_MAX 4096

/* Flags of rt_path_resolve. */
#define RT_PATH_NOFOLLOW 1		/* the last component is not followed if it is a symbolic link */

/*
 * The host path for a guest path (already copied to the runtime's memory): either guest_path itself or buf. Never fails: an
 * impossible path is left for the kernel to refuse. Without -L this costs a compare.
 * buf: RT_PATH_MAX bytes. /proc/self/exe (and what means the same) becomes the guest program's path, unless NOFOLLOW.
 */
const char *rt_path_resolve(struct rt_thread *t, int dirfd, const char *guest_path, unsigned flags, char *buf);

/* open(2) of a file that we make up (maps, cpuinfo, ...): descriptor or -errno; -ENOSYS: nothing special, open it as usual. */
s64 rt_path_open_special(struct rt_thread *t, int dirfd, const char *path, u64 flags, u64 mode);

/* readlink(2) of a link that we make up: length or -errno (not NUL-terminated, cut to size); -ENOSYS: nothing special. */
s64 rt_path_readlink_special(struct rt_thread *t, int dirfd, const char *path, char *buf, size_t size);

/* The same for a path below root, whether or not it is the guest's: buf or NULL if there is no such file. */
const char *rt_path_below_root(const char *path, unsigned flags, char *buf);

#endif
