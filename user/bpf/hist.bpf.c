// SPDX-License-Identifier: GPL-2.0-only
/*
 * dragoman hist, the kernel's side. In: the module's tracepoints; out: `hists`, a struct hist for each enum hist_which.
 */
#include "points.h"
#include "hist.h"

#include <linux/dragoman.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HIST_COUNT);
	__type(key, __u32);
	__type(value, struct hist);
} hists SEC(".maps");

struct request {
	__u64 taken;		/* its age then; 0: not yet */
	__u32 prefetch;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_REQUESTS);
	__type(key, __u64);
	__type(value, struct request);
} requests SEC(".maps");

/* How many bits n has: 0 for 0, 64 for the highest. */
static __always_inline __u32 bits(__u64 n)
{
	__u32 b = 0;

	for (__u32 step = 32; step; step >>= 1) {
		if (n >> step) {
			n >>= step;
			b += step;
		}
	}
	return n ? b + 1 : b;
}

static __always_inline void record(__u32 which, __u64 ns)
{
	struct hist *hist = bpf_map_lookup_elem(&hists, &which);
	__u32 slot = bits(ns);

	if (!hist)
		return;
	if (slot >= HIST_SLOTS)
		slot = HIST_SLOTS - 1;
	__sync_fetch_and_add(&hist->slots[slot], 1);
	__sync_fetch_and_add(&hist->count, 1);
	__sync_fetch_and_add(&hist->sum, ns);
}

POINT(exec, struct exec_args *args)
{
	if (!args->err)
		record(HIST_HAND_OVER, args->ns);
	return 0;
}

POINT(queued, struct queued_args *args)
{
	struct request request = { .prefetch = args->priority > 1 };
	__u64 id = args->id;

	bpf_map_update_elem(&requests, &id, &request, BPF_ANY);
	return 0;
}

POINT(taken, struct taken_args *args)
{
	__u64 id = args->id;
	struct request *request = bpf_map_lookup_elem(&requests, &id);

	/* 0 stands for never. */
	if (request)
		request->taken = args->age | 1;
	return 0;
}

POINT(requeued, struct requeued_args *args)
{
	__u64 id = args->id;
	struct request *request = bpf_map_lookup_elem(&requests, &id);

	if (request)
		request->taken = 0;
	return 0;
}

/* Only requests whose beginning was seen: whether others were prefetches is not known. */
POINT(answered, struct answered_args *args)
{
	__u64 id = args->id, age = args->age, taken;
	struct request *request = bpf_map_lookup_elem(&requests, &id);

	if (!request)
		return 0;
	taken = request->taken;
	record(args->kind == DRAGOMAN_REQ_OPEN ? HIST_OPEN : request->prefetch ? HIST_PREFETCH : HIST_MISS, age);
	if (taken)
		record(HIST_SERVICE, age > taken ? age - taken : 0);
	bpf_map_delete_elem(&requests, &id);
	return 0;
}
