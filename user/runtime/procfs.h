/* SPDX-License-Identifier: MIT */
/*
 * The files of /proc that tell about the guest: used by path.c.
 */
#ifndef RUNTIME_PROCFS_H
#define RUNTIME_PROCFS_H

#include "base/types.h"

struct rt_thread;

enum procfs_file {
	PROCFS_NONE,
	PROCFS_EXE,			/* a link */
	PROCFS_MAPS,
	PROCFS_SMAPS,
	PROCFS_CMDLINE,			/* these two only if the kernel could not be told (PR_SET_MM_MAP) */
	PROCFS_AUXV,
	PROCFS_CPUINFO,
};

/*
 * Which file does this path mean? *pid: whose, 0 for the calling process. Cheap for all paths that are none: the last
 * component decides.
 */
enum procfs_file procfs_classify(int dirfd, const char *path, s32 *pid);

/* A new descriptor with the contents, or -errno. open_flags: only O_CLOEXEC counts. */
s64 procfs_open(enum procfs_file f, s32 pid, u64 open_flags);

/* fd is at its beginning again: where it is maps or smaps as they were, it becomes what they are now. */
void procfs_rewound(int fd);

/* Absolute path of the guest program of pid (0: ours): length or -errno; -ENOSYS if that process is none of ours. */
s64 procfs_exe(s32 pid, char *buf, size_t size);

/* Path of the runtime's own file: length or -errno. Where /proc/self/exe is something else. */
s64 procfs_runtime(char *buf, size_t size);

/* The loader: these addresses are one mapping of the program. */
void procfs_note_exe(u64 start, u64 end);

/* Our own program: "" if it cannot be known (no /proc). Fills rt.exe_path at the first call. */
const char *rt_exe_path(void);

#endif
