// SPDX-License-Identifier: MIT
/*
 * dragoman trace: a line for each start of a foreign program and each miss, with how it came and ended. In: the records of
 * trace.bpf.c; out: text.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <linux/dragoman.h>

#include <dragoman-bpf/trace.skel.h>

#include "tool.h"
#include "trace.h"

struct options {
	struct tool_source source;
	unsigned long pid;		/* 0: all */
	bool all;
};

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "pid", required_argument, NULL, 'p' },
	TOOL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static long long clock_offset;		/* ns from CLOCK_MONOTONIC to the time of day */

static void set_clock(void)
{
	struct timespec real, monotonic;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_offset = (real.tv_sec - monotonic.tv_sec) * 1000000000ll + real.tv_nsec - monotonic.tv_nsec;
}

static void print_clock(__u64 at)
{
	long long ns = at + clock_offset;
	time_t seconds = ns / 1000000000;
	char clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&seconds));
	printf("%s.%06lld ", clock, ns / 1000 % 1000000);
}

static void print_error(int err)
{
	const char *name = strerrorname_np(err);

	printf("%s (%s)", name ? name : "?", strerror(err));
}

/* How a request, or looking for a file's object, ended. */
static void print_status(int status, __u32 kind)
{
	if (status < 0) {
		print_error(-status);
		return;
	}
	switch ((enum dragoman_status)status) {
	case DRAGOMAN_OK: fputs(kind == DRAGOMAN_REQ_MISS ? "translated" : "has code", stdout); return;
	case DRAGOMAN_NONE: fputs("nothing yet", stdout); return;
	case DRAGOMAN_PRIVATE: fputs("never from the server", stdout); return;
	case DRAGOMAN_BY_ADDRESS: fputs("to be asked by address", stdout); return;
	}
	printf("status %d", status);
}

static void print_exec(const struct trace_record *r)
{
	char time[TOOL_TIME];

	printf("%s ", r->path);
	if (r->machine == EM_AARCH64)
		fputs("(aarch64", stdout);
	else
		printf("(machine %u", r->machine);
	printf("%s): ", r->secure ? ", privileged" : "");
	if (r->status == -ENOEXEC)
		fputs("left to the next handler", stdout);
	else if (r->status)
		print_error(-r->status);
	else
		printf("handed over in %s", tool_time(time, r->ns));
}

/* What a request is for, and why it came. */
static void print_request(const struct trace_record *r)
{
	static const char *const reasons[] = { "somebody waits", "wanted", "in advance" };

	printf("request %llu ", r->id);
	if (!r->known) {
		fputs(r->kind == DRAGOMAN_REQ_OPEN ? "(file without code)" : "(place without code)", stdout);
		return;
	}
	if (r->kind == DRAGOMAN_REQ_OPEN)
		printf("(file %llu has no code, ", r->image);
	else
		printf("(file %llu has no code at %#llx, object %u, ", r->image, r->offset, r->object);
	printf("%s)", r->priority < 3 ? reasons[r->priority] : "?");
}

static void print_answered(const struct trace_record *r)
{
	char time[TOOL_TIME];

	print_request(r);
	printf(" after %s", tool_time(time, r->ns));
	if (r->service)
		printf(", %s of it in the server", tool_time(time, r->service));
	else if (r->known)
		fputs(", no server had it", stdout);
	fputs(": ", stdout);
	print_status(r->status, r->kind);
}

static void print_record(const struct trace_record *r)
{
	static const char *const words[] = {
		[TRACE_EXEC] = "exec", [TRACE_ANSWERED] = "miss", [TRACE_QUEUED] = "ask", [TRACE_REQUEUED] = "again",
		[TRACE_REFUSED] = "refuse", [TRACE_LOOKED] = "look",
	};
	const char *word = r->type < sizeof(words) / sizeof(*words) ? words[r->type] : "?";

	print_clock(r->at);
	printf("%7u %-16s %-6s ", r->pid, r->program, word);
	switch ((enum trace_type)r->type) {
	case TRACE_EXEC: print_exec(r); break;
	case TRACE_ANSWERED: print_answered(r); break;
	case TRACE_QUEUED: print_request(r); break;
	case TRACE_REQUEUED:
		print_request(r);
		printf(": its server is gone, %u. time", r->number);
		break;
	case TRACE_REFUSED:
		printf("%s: ", r->kind == DRAGOMAN_REQ_OPEN ? "code of a file" : "code of a place");
		print_status(r->status, r->kind);
		break;
	case TRACE_LOOKED:
		printf("file %llu: ", r->image);
		print_status(r->status, DRAGOMAN_REQ_OPEN);
		break;
	}
	putchar('\n');
}

static int on_record(void *context, void *data, size_t size)
{
	const struct options *options = context;
	struct trace_record record;

	if (size < sizeof(record))
		return 0;
	memcpy(&record, data, sizeof(record));
	if (options->pid && options->pid != record.pid)
		return 0;
	tool_plain(record.program);
	tool_plain(record.path);
	print_record(&record);
	return 0;
}

static int watch(struct trace_bpf *skeleton, struct options *options)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skeleton->maps.records), on_record, options, NULL);
	int n = 0;

	if (!ring)
		return tool_failed("cannot read the records", -errno);
	printf("%-15s %7s %-16s %-6s %s\n", "TIME", "PID", "PROGRAM", "WHAT", "HOW");
	fflush(stdout);
	if (options->source.replay)
		n = ring_buffer__consume(ring);
	while (!options->source.replay && !tool_stop && (n >= 0 || n == -EINTR)) {
		n = ring_buffer__poll(ring, 200);
		fflush(stdout);
	}
	ring_buffer__free(ring);
	if (skeleton->bss->lost)
		tool_error("trace: %llu records were lost", (unsigned long long)skeleton->bss->lost);
	return n < 0 && n != -EINTR ? tool_failed("cannot read the records", n) : 0;
}

static int parse(struct options *options, int argc, char **argv)
{
	bool good = true;
	int c;

	optind = 1;
	while (good && (c = getopt_long(argc, argv, "ap:vh", long_options, NULL)) != -1) {
		switch (c) {
		case 'a': options->all = true; break;
		case 'p': good = tool_number(optarg, &options->pid); break;
		case 'h': return tool_usage(&tool_trace, 0);
		case '?': return tool_usage(&tool_trace, TOOL_USAGE);
		default: tool_source_option(&options->source, c, optarg);
		}
	}
	if (!good)
		tool_error("trace: '%s' is no process", optarg);
	else if (optind < argc)
		tool_error("trace: takes no argument ('%s')", argv[optind]);
	else
		return -1;
	return tool_usage(&tool_trace, TOOL_USAGE);
}

static int run(int argc, char **argv)
{
	struct options options = {};
	int status = parse(&options, argc, argv), err;
	struct trace_bpf *skeleton;

	if (status >= 0)
		return status;
	tool_set_log(options.source.verbose);
	tool_catch_signals();
	set_clock();
	skeleton = trace_bpf__open();
	if (!skeleton)
		return tool_failed("cannot open the BPF programs", -errno);
	skeleton->rodata->want_all = options.all;
	skeleton->rodata->replaying = options.source.replay != NULL;
	status = tool_choose(skeleton->obj, &options.source);
	if (status)
		goto out;
	err = trace_bpf__load(skeleton);
	status = err ? tool_failed("cannot load the BPF programs", err) : tool_start(skeleton->obj, &options.source);
	if (!status)
		status = watch(skeleton, &options);
	tool_end();
out:
	trace_bpf__destroy(skeleton);
	return status;
}

const struct tool tool_trace = {
	.name = "trace",
	.run = run,
	.help = "usage: dragoman trace [-a] [-p PID]\n"
		"Prints a line for each start of a foreign program and each miss, with its reason and end. As root.\n\n"
		"  -a, --all          also each look for a file's code, and requests as they are made\n"
		"  -p, --pid PID      only of this process\n"
		"      --raw          do not use the module's BTF\n"
		"      --replay FILE  recorded events (lines of trace_pipe) instead of the module's\n"
		"  -v, --verbose      also what libbpf says\n",
};
