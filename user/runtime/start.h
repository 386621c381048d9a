/* SPDX-License-Identifier: MIT */
/*
 * What start.c, exec.c and the loader's tests agree on beside rt.h.
 */
#ifndef RUNTIME_START_H
#define RUNTIME_START_H

#include "base/types.h"

/* Bit of --flags=: print where things were loaded and exit with 0, for tests of the loader. */
#define RT_FLAG_LOAD_ONLY 0x100
/* In rt.flags: the kernel refused to be told where the guest's arguments are (PR_SET_MM_MAP). */
#define RT_FLAG_UNPUBLISHED 0x200

/* What this CPU can do, before DRAGOMAN_CPU: children are told, rt.features is what is used. */
extern u64 rt_host_features;

/* Called by start.S with the kernel's stack pointer, our dynamic section and where we are loaded. */
void rt_start(u64 *sp, const void *dynamic, u64 image) __attribute__((noreturn));

#endif
