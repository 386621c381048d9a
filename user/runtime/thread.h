/* SPDX-License-Identifier: MIT */
/*
 * Threads and processes: clone in all its forms, and ends. What the core gives for it that is not in rt.h.
 */
#ifndef RUNTIME_THREAD_H
#define RUNTIME_THREAD_H

#include "runtime/rt.h"

/*
 * Core: around a fork(2). before: takes the core's locks; then after_fork_parent in the parent, and in the child after_fork, which
 * makes t the only thread.
 */
void rt_core_before_fork(void);
void rt_core_after_fork_parent(void);
void rt_core_after_fork(struct rt_thread *t);

/* safe_syscall.S: clone or clone3, the child's stack holds its thread block and it calls rt_thread_child(). */
s64 rt_clone_thread(s64 nr, u64 a, u64 b, u64 c, u64 d, u64 e);
void rt_thread_child(struct rt_thread *t) __attribute__((noreturn));

#endif
