/* SPDX-License-Identifier: MIT */
/*
 * execve and execveat of a guest, and how a guest program is handed to a new runtime.
 */
#ifndef RUNTIME_EXEC_H
#define RUNTIME_EXEC_H

#include "base/types.h"

struct rt_thread;

/*
 * path, argv and envp are guest pointers. Returns only if it failed, with -errno, and then everything is as it was; safe
 * in a vfork child.
 */
s64 rt_exec(struct rt_thread *t, s64 dirfd, u64 path, u64 argv, u64 envp, u64 flags);

/* In the parent, when a vfork child is gone: gives back what its rt_exec took from the shared memory. */
void rt_exec_reap(s32 child_tid);

/*
 * To be called before chroot(2), pivot_root(2), setns(2), unshare(2) of mounts: afterwards the runtime's file may not be
 * reachable by a name. Takes a descriptor (rt.self_fd); harmless when called again.
 */
void rt_exec_hold_self(void);

/* At the start: the runtime that executed us held itself at this descriptor. */
void rt_exec_inherit_self(int fd);

/* Is it a descriptor of the runtime, that the guest does not see? close(2), dup2(2) over it: EBADF. */
bool rt_fd_is_ours(s64 fd);

#endif
