/* SPDX-License-Identifier: MIT */
/*
 * dragoman policy: what policy.c tells policy.bpf.c.
 */
#ifndef DRAGOMAN_BPF_POLICY_H
#define DRAGOMAN_BPF_POLICY_H

#include <linux/types.h>

#define POLICY_CGROUPS	1024	/* that rules may name */
#define POLICY_LEVELS	32	/* of cgroups that are looked at, from the root */

/* Key: a cgroup's id (the inode number of its folder). It holds for all below, unless one below has a rule of its own. */
struct policy_rule {
	__s32 err;		/* 0: allow; -ENOEXEC: leave it to the next handler; another -errno: the exec fails */
	__u32 pad;
	__u64 hits;
};

#endif
