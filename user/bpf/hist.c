// SPDX-License-Identifier: MIT
/*
 * dragoman hist: how long things take, as histograms. In: those that hist.bpf.c fills; out: text.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <dragoman-bpf/hist.skel.h>

#include "hist.h"
#include "tool.h"

#define STARS 40

static const char *const titles[HIST_COUNT] = {
	[HIST_HAND_OVER] = "hand-over: exec of a foreign program",
	[HIST_OPEN]	 = "open: from asking for a file's code to the answer",
	[HIST_MISS]	 = "miss: from asking for a place's code to the answer",
	[HIST_PREFETCH]	 = "prefetch: the same, asked for in advance",
	[HIST_SERVICE]	 = "service: from the server's taking a request to its answer",
};

static const struct option long_options[] = {
	TOOL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static void print_slot(unsigned int slot, __u64 count, __u64 most)
{
	char from[TOOL_TIME], to[TOOL_TIME], stars[STARS + 1] = "";

	memset(stars, '*', most ? (count * STARS + most - 1) / most : 0);
	tool_time(from, slot ? 1ull << (slot - 1) : 0);
	tool_time(to, slot ? (1ull << slot) : 1);
	printf("  %8s ... %8s %8llu |%-*s|\n", from, to, count, STARS, stars);
}

static void print_hist(const char *title, const struct hist *hist)
{
	unsigned int first = HIST_SLOTS, last = 0;
	char average[TOOL_TIME];
	__u64 most = 0;

	for (unsigned int i = 0; i < HIST_SLOTS; i++) {
		if (!hist->slots[i])
			continue;
		first = first < i ? first : i;
		last = i;
		most = most > hist->slots[i] ? most : hist->slots[i];
	}
	if (!most)
		return;
	printf("%s\n  %llu, on average %s\n", title, hist->count, tool_time(average, hist->sum / hist->count));
	for (unsigned int i = first; i <= last; i++)
		print_slot(i, hist->slots[i], most);
	putchar('\n');
}

static int print_all(int map)
{
	bool any = false;
	struct hist hist;

	for (__u32 i = 0; i < HIST_COUNT; i++) {
		if (bpf_map_lookup_elem(map, &i, &hist))
			return tool_failed("cannot read the histograms", -errno);
		any |= hist.count != 0;
		print_hist(titles[i], &hist);
	}
	if (!any)
		puts("nothing happened");
	fflush(stdout);
	return 0;
}

static int parse(struct tool_source *source, double *seconds, int argc, char **argv)
{
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
		if (c == 'h')
			return tool_usage(&tool_hist, 0);
		if (c == '?')
			return tool_usage(&tool_hist, TOOL_USAGE);
		tool_source_option(source, c, optarg);
	}
	if (optind < argc - 1 || (optind < argc && !tool_seconds(argv[optind], seconds))) {
		tool_error("hist: takes a number of seconds");
		return tool_usage(&tool_hist, TOOL_USAGE);
	}
	return -1;
}

static int run(int argc, char **argv)
{
	struct tool_source source = {};
	double seconds = 1e9;
	int status = parse(&source, &seconds, argc, argv), err;
	struct hist_bpf *skeleton;

	if (status >= 0)
		return status;
	tool_set_log(source.verbose);
	tool_catch_signals();
	skeleton = hist_bpf__open();
	if (!skeleton)
		return tool_failed("cannot open the BPF programs", -errno);
	status = tool_choose(skeleton->obj, &source);
	if (status)
		goto out;
	err = hist_bpf__load(skeleton);
	status = err ? tool_failed("cannot load the BPF programs", err) : tool_start(skeleton->obj, &source);
	if (!status) {
		if (!source.replay) {
			puts("watching");
			fflush(stdout);
			tool_sleep(seconds);
		}
		status = print_all(bpf_map__fd(skeleton->maps.hists));
	}
	tool_end();
out:
	hist_bpf__destroy(skeleton);
	return status;
}

const struct tool tool_hist = {
	.name = "hist",
	.run = run,
	.help = "usage: dragoman hist [SECONDS]\n"
		"Watches for so long, or until it is interrupted, and shows how long starts of foreign programs, misses and the\n"
		"server's work on them took. As root.\n\n"
		"      --raw          do not use the module's BTF\n"
		"      --replay FILE  recorded events (lines of trace_pipe) instead of the module's\n"
		"  -v, --verbose      also what libbpf says\n",
};
