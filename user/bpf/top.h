/* SPDX-License-Identifier: MIT */
/*
 * dragoman top: the table that top.bpf.c fills and top.c prints. Programs with the same file name count as one.
 */
#ifndef DRAGOMAN_BPF_TOP_H
#define DRAGOMAN_BPF_TOP_H

#include <linux/types.h>

#include "names.h"

#define TOP_PROGRAMS 4096

struct top_program {
	char name[PROGRAM_NAME];
};

/* Since the tool was started. Times in nanoseconds. */
struct top_counts {
	__u64 execs, exec_ns;		/* handed over, and how long that took in all */
	__u64 failed;			/* execs that failed or that a policy refused */
	__u64 looks, hits;		/* files that code was looked for, and was there */
	__u64 misses;			/* requests queued for it: files and places in files, no prefetches */
	__u64 prefetches;
	__u64 answers, wait_ns;		/* answers to misses, and from asking to answer in all */
	__u64 refused;			/* asked for and refused without a request */
};

#endif
