/* SPDX-License-Identifier: MIT */
/*
 * dragoman hist: the histograms that hist.bpf.c fills and hist.c prints.
 */
#ifndef DRAGOMAN_BPF_HIST_H
#define DRAGOMAN_BPF_HIST_H

#include <linux/types.h>

#include "names.h"

enum hist_which {
	HIST_HAND_OVER,		/* exec of a guest program, in the module and the native loader */
	HIST_OPEN,		/* from asking for a file's object to the answer */
	HIST_MISS,		/* from asking for a place's code to the answer */
	HIST_PREFETCH,		/* the same, when nobody was in a hurry */
	HIST_SERVICE,		/* from the server's taking a request to its answer */
	HIST_COUNT
};

/* Slot 0 counts what took 0 ns, slot n what took 2^(n-1) to 2^n - 1 ns. */
#define HIST_SLOTS 64

struct hist {
	__u64 slots[HIST_SLOTS];
	__u64 count, sum;		/* sum in ns */
};

#endif
