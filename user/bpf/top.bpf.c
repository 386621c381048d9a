// SPDX-License-Identifier: GPL-2.0-only
/*
 * dragoman top, the kernel's side. In: the module's tracepoints; out: `programs`, counts for each program by name.
 */
#include "points.h"
#include "top.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TOP_PROGRAMS);
	__type(key, struct top_program);
	__type(value, struct top_counts);
} programs SEC(".maps");

/* Who asked for a request: its answer comes in the server's context. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_REQUESTS);
	__type(key, __u64);
	__type(value, struct top_program);
} askers SEC(".maps");

static struct top_counts *counts_of(const struct top_program *program)
{
	static const struct top_counts none;
	struct top_counts *counts = bpf_map_lookup_elem(&programs, program);

	if (counts)
		return counts;
	bpf_map_update_elem(&programs, program, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&programs, program);
}

static struct top_counts *counts_of_current(struct top_program *program)
{
	current_program(program->name);
	return counts_of(program);
}

/* The last part of a path that was executed; the process is still what it was before, so its file does not help. */
static void name_of_path(char *name, const char *path)
{
	char text[EXEC_PATH] = {};
	unsigned int start = 0;

	if (bpf_probe_read_kernel_str(text, sizeof(text), path) <= 0) {
		name[0] = '?';
		return;
	}
	for (unsigned int i = 0; i < sizeof(text) - 1; i++)
		if (text[i] == '/')
			start = i + 1;
	for (unsigned int i = 0; i < PROGRAM_NAME - 1; i++) {
		unsigned int from = start + i;

		if (from >= sizeof(text) || !text[from])
			break;
		name[i] = text[from];
	}
}

static void add(__u64 *count, __u64 n)
{
	__sync_fetch_and_add(count, n);
}

POINT(exec, struct exec_args *args)
{
	struct top_program program = {};
	struct top_counts *counts;

	if (args->err) {
		name_of_path(program.name, args->name);
		counts = counts_of(&program);
		if (counts)
			add(&counts->failed, 1);
		return 0;
	}
	counts = counts_of_current(&program);
	if (!counts)
		return 0;
	add(&counts->execs, 1);
	add(&counts->exec_ns, args->ns);
	return 0;
}

POINT(looked, struct looked_args *args)
{
	struct top_program program = {};
	struct top_counts *counts = counts_of_current(&program);

	if (!counts)
		return 0;
	add(&counts->looks, 1);
	if (!args->status)
		add(&counts->hits, 1);
	return 0;
}

POINT(queued, struct queued_args *args)
{
	struct top_program program = {};
	struct top_counts *counts = counts_of_current(&program);
	__u64 id = args->id;

	if (!counts)
		return 0;
	if (args->priority > 1) {
		add(&counts->prefetches, 1);
		return 0;
	}
	add(&counts->misses, 1);
	bpf_map_update_elem(&askers, &id, &program, BPF_ANY);
	return 0;
}

POINT(answered, struct answered_args *args)
{
	__u64 id = args->id;
	struct top_program *asker = bpf_map_lookup_elem(&askers, &id);
	struct top_counts *counts;

	if (!asker)
		return 0;
	counts = bpf_map_lookup_elem(&programs, asker);
	if (counts) {
		add(&counts->answers, 1);
		add(&counts->wait_ns, args->age);
	}
	bpf_map_delete_elem(&askers, &id);
	return 0;
}

POINT(refused, struct refused_args *args)
{
	struct top_program program = {};
	struct top_counts *counts = counts_of_current(&program);

	if (counts)
		add(&counts->refused, 1);
	return 0;
}
