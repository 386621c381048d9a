/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints (group dragoman): what user/bpf and perf see. Times are nanoseconds; status is enum dragoman_status, or -errno.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dragoman

#if !defined(DRAGOMAN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DRAGOMAN_TRACE_H

#include <linux/tracepoint.h>

/* A guest program was started: err 0 and how long it took, or why not. */
TRACE_EVENT(dragoman_exec,
	TP_PROTO(const char *name, u16 machine, bool secure, int err, u64 ns),
	TP_ARGS(name, machine, secure, err, ns),
	TP_STRUCT__entry(
		__array(char, name, 64)
		__field(u16, machine)
		__field(bool, secure)
		__field(int, err)
		__field(u64, ns)
	),
	TP_fast_assign(
		strscpy_pad(__entry->name, name, sizeof(__entry->name));
		__entry->machine = machine;
		__entry->secure = secure;
		__entry->err = err;
		__entry->ns = ns;
	),
	TP_printk("name=%s machine=%u secure=%d err=%d ns=%llu", __entry->name, __entry->machine, __entry->secure,
		  __entry->err, __entry->ns)
);

TRACE_EVENT(dragoman_queued,
	TP_PROTO(u64 id, u32 kind, u64 image, u32 object, u64 offset, u32 priority),
	TP_ARGS(id, kind, image, object, offset, priority),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, image)
		__field(u64, offset)
		__field(u32, kind)
		__field(u32, object)
		__field(u32, priority)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->image = image;
		__entry->offset = offset;
		__entry->kind = kind;
		__entry->object = object;
		__entry->priority = priority;
	),
	TP_printk("id=%llu kind=%u image=%llu object=%u offset=%#llx priority=%u", __entry->id, __entry->kind,
		  __entry->image, __entry->object, __entry->offset, __entry->priority)
);

TRACE_EVENT(dragoman_taken,
	TP_PROTO(u64 id, u32 kind, u64 age),
	TP_ARGS(id, kind, age),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, age)
		__field(u32, kind)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->age = age;
		__entry->kind = kind;
	),
	TP_printk("id=%llu kind=%u age=%llu", __entry->id, __entry->kind, __entry->age)
);

TRACE_EVENT(dragoman_answered,
	TP_PROTO(u64 id, u32 kind, int status, u64 age),
	TP_ARGS(id, kind, status, age),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, age)
		__field(u32, kind)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->age = age;
		__entry->kind = kind;
		__entry->status = status;
	),
	TP_printk("id=%llu kind=%u status=%d age=%llu", __entry->id, __entry->kind, __entry->status, __entry->age)
);

TRACE_EVENT(dragoman_requeued,
	TP_PROTO(u64 id, u32 kind, u32 requeues),
	TP_ARGS(id, kind, requeues),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, kind)
		__field(u32, requeues)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->kind = kind;
		__entry->requeues = requeues;
	),
	TP_printk("id=%llu kind=%u requeues=%u", __entry->id, __entry->kind, __entry->requeues)
);

TRACE_EVENT(dragoman_mapped,
	TP_PROTO(u32 object, u64 offset, u64 length, bool writer),
	TP_ARGS(object, offset, length, writer),
	TP_STRUCT__entry(
		__field(u64, offset)
		__field(u64, length)
		__field(u32, object)
		__field(bool, writer)
	),
	TP_fast_assign(
		__entry->offset = offset;
		__entry->length = length;
		__entry->object = object;
		__entry->writer = writer;
	),
	TP_printk("object=%u offset=%#llx length=%#llx writer=%d", __entry->object, __entry->offset, __entry->length,
		  __entry->writer)
);

/* A client asked which object has a file's code: enum dragoman_status of what was there, or -errno. */
TRACE_EVENT(dragoman_looked,
	TP_PROTO(u64 image, u32 object, int status),
	TP_ARGS(image, object, status),
	TP_STRUCT__entry(
		__field(u64, image)
		__field(u32, object)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->image = image;
		__entry->object = object;
		__entry->status = status;
	),
	TP_printk("image=%llu object=%u status=%d", __entry->image, __entry->object, __entry->status)
);

/* A client got no for an answer before anything was queued: -errno, or DRAGOMAN_PRIVATE. */
TRACE_EVENT(dragoman_refused,
	TP_PROTO(u32 kind, int why),
	TP_ARGS(kind, why),
	TP_STRUCT__entry(
		__field(u32, kind)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->kind = kind;
		__entry->why = why;
	),
	TP_printk("kind=%u why=%d", __entry->kind, __entry->why)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
