/* SPDX-License-Identifier: MIT */
/*
 * dragoman trace: the records that trace.bpf.c sends and trace.c prints.
 */
#ifndef DRAGOMAN_BPF_TRACE_H
#define DRAGOMAN_BPF_TRACE_H

#include <linux/types.h>

#include "names.h"

enum trace_type {
	TRACE_EXEC,		/* ns: hand-over; status: 0 or -errno */
	TRACE_ANSWERED,		/* a request from its beginning to its end */
	TRACE_QUEUED,		/* its beginning, with -a */
	TRACE_REQUEUED,		/* number: how often */
	TRACE_REFUSED,		/* status: -errno or enum dragoman_status; no request was made */
	TRACE_LOOKED,		/* status: as the client got it, with -a */
};

/* Zero what a type does not have. Times in nanoseconds. */
struct trace_record {
	__u64 at;			/* CLOCK_MONOTONIC */
	__u64 id, image, offset;	/* request */
	__u64 ns;			/* exec: hand-over; answered: since it was asked for */
	__u64 service;			/* answered: since a server took it; 0 if none had */
	__u32 type;			/* enum trace_type */
	__u32 pid;			/* process that executed or asked */
	__u32 kind;			/* enum dragoman_kind */
	__u32 object, priority, number;
	__s32 status;
	__u32 machine;
	__u32 secure;
	__u32 known;			/* answered, requeued: the tool has seen who asked */
	char program[PROGRAM_NAME];
	char path[EXEC_PATH];
};

#endif
