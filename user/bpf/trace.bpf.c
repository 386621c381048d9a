// SPDX-License-Identifier: GPL-2.0-only
/*
 * dragoman trace, the kernel's side. In: the module's tracepoints; out: `records`, a ring of struct trace_record, and
 * `lost`, how many did not fit.
 */
#include "points.h"
#include "trace.h"

char LICENSE[] SEC("license") = "GPL";

const volatile _Bool want_all;		/* also QUEUED and LOOKED */
const volatile _Bool replaying;		/* the process is the tool itself, and its number no news */

__u64 lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

/* A request as it was asked for. Its service is the age at which a server took it, until it is answered. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_REQUESTS);
	__type(key, __u64);
	__type(value, struct trace_record);
} requests SEC(".maps");

static void begin(struct trace_record *record, enum trace_type type)
{
	record->type = type;
	record->at = bpf_ktime_get_ns();
}

static void by_current(struct trace_record *record)
{
	record->pid = replaying ? 0 : bpf_get_current_pid_tgid() >> 32;
	current_program(record->program);
}

static void send(struct trace_record *record)
{
	if (bpf_ringbuf_output(&records, record, sizeof(*record), 0))
		__sync_fetch_and_add(&lost, 1);
}

POINT(exec, struct exec_args *args)
{
	struct trace_record record = {};

	begin(&record, TRACE_EXEC);
	by_current(&record);
	record.status = args->err;
	record.ns = args->ns;
	record.machine = args->machine;
	record.secure = args->secure;
	bpf_probe_read_kernel_str(record.path, sizeof(record.path), args->name);
	send(&record);
	return 0;
}

POINT(looked, struct looked_args *args)
{
	struct trace_record record = {};

	if (!want_all)
		return 0;
	begin(&record, TRACE_LOOKED);
	by_current(&record);
	record.image = args->image;
	record.object = args->object;
	record.status = args->status;
	send(&record);
	return 0;
}

POINT(queued, struct queued_args *args)
{
	struct trace_record record = {};
	__u64 id = args->id;

	begin(&record, TRACE_QUEUED);
	by_current(&record);
	record.id = id;
	record.kind = args->kind;
	record.image = args->image;
	record.object = args->object;
	record.offset = args->offset;
	record.priority = args->priority;
	record.known = 1;
	bpf_map_update_elem(&requests, &id, &record, BPF_ANY);
	if (want_all)
		send(&record);
	return 0;
}

POINT(taken, struct taken_args *args)
{
	__u64 id = args->id;
	struct trace_record *request = bpf_map_lookup_elem(&requests, &id);

	if (request)
		request->service = args->age;
	return 0;
}

/* The request of this id as far as it is known, as a record of that type. */
static void recall(struct trace_record *record, enum trace_type type, __u64 id, __u32 kind)
{
	struct trace_record *request = bpf_map_lookup_elem(&requests, &id);

	if (request)
		*record = *request;
	begin(record, type);
	record->id = id;
	record->kind = kind;
}

POINT(requeued, struct requeued_args *args)
{
	struct trace_record record = {};
	__u64 id = args->id;
	struct trace_record *request = bpf_map_lookup_elem(&requests, &id);

	if (request)
		request->service = 0;
	recall(&record, TRACE_REQUEUED, id, args->kind);
	record.number = args->requeues;
	send(&record);
	return 0;
}

POINT(answered, struct answered_args *args)
{
	struct trace_record record = {};
	__u64 id = args->id, taken;

	recall(&record, TRACE_ANSWERED, id, args->kind);
	taken = record.service;
	record.status = args->status;
	record.ns = args->age;
	record.service = taken && args->age > taken ? args->age - taken : 0;
	send(&record);
	bpf_map_delete_elem(&requests, &id);
	return 0;
}

POINT(refused, struct refused_args *args)
{
	struct trace_record record = {};

	begin(&record, TRACE_REFUSED);
	by_current(&record);
	record.kind = args->kind;
	record.status = args->why;
	send(&record);
	return 0;
}
