// SPDX-License-Identifier: MIT
/*
 * dragoman top: what each program does with module and server, live. In: the table of top.bpf.c; out: a screen each interval.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dragoman-bpf/top.skel.h>

#include "tool.h"
#include "top.h"

struct row {
	struct top_program program;
	struct top_counts counts;
};

/* One look at the table. */
struct table {
	struct row *rows;
	size_t n;
};

enum order { BY_EXECS, BY_MISSES, BY_WAIT };

static const char *const order_names[] = { [BY_EXECS] = "execs", [BY_MISSES] = "misses", [BY_WAIT] = "wait" };

struct options {
	struct tool_source source;
	double interval;
	unsigned long screens, lines;
	enum order order;
	bool total;
};

static const struct option long_options[] = {
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "lines", required_argument, NULL, 'l' },
	{ "sort", required_argument, NULL, 's' },
	{ "total", no_argument, NULL, 't' },
	TOOL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool parse_order(const char *name, enum order *order)
{
	for (size_t i = 0; i < sizeof(order_names) / sizeof(*order_names); i++) {
		if (!strcmp(order_names[i], name)) {
			*order = i;
			return true;
		}
	}
	return false;
}

/* -1: go on; else an exit status. */
static int parse(struct options *options, int argc, char **argv)
{
	bool good = true;
	int c;

	optind = 1;
	while (good && (c = getopt_long(argc, argv, "i:n:l:s:tvh", long_options, NULL)) != -1) {
		switch (c) {
		case 'i': good = tool_seconds(optarg, &options->interval); break;
		case 'n': good = tool_number(optarg, &options->screens); break;
		case 'l': good = tool_number(optarg, &options->lines); break;
		case 's': good = parse_order(optarg, &options->order); break;
		case 't': options->total = true; break;
		case 'h': return tool_usage(&tool_top, 0);
		case '?': return tool_usage(&tool_top, TOOL_USAGE);
		default: tool_source_option(&options->source, c, optarg);
		}
	}
	if (!good)
		tool_error("top: '%s' is no value for this option", optarg);
	else if (optind < argc)
		tool_error("top: takes no argument ('%s')", argv[optind]);
	else
		return -1;
	return tool_usage(&tool_top, TOOL_USAGE);
}

static int read_table(int map, struct table *table)
{
	struct top_program key, *previous = NULL;

	table->n = 0;
	while (table->n < TOP_PROGRAMS && !bpf_map_get_next_key(map, previous, &key)) {
		struct row *row = &table->rows[table->n];

		row->program = key;
		/* It may have had to make room for another meanwhile. */
		if (!bpf_map_lookup_elem(map, &key, &row->counts))
			table->n++;
		previous = &key;
	}
	return 0;
}

static const struct top_counts *find(const struct table *table, const struct top_program *program)
{
	for (size_t i = 0; i < table->n; i++)
		if (!memcmp(&table->rows[i].program, program, sizeof(*program)))
			return &table->rows[i].counts;
	return NULL;
}

/* What happened since then. A row that is smaller than before has been dropped and made anew. */
static void subtract(struct top_counts *now, const struct top_counts *then)
{
	const __u64 *old = (const __u64 *)then;
	__u64 *new = (__u64 *)now;

	for (size_t i = 0; i < sizeof(*now) / sizeof(*new); i++)
		if (new[i] < old[i])
			return;
	for (size_t i = 0; i < sizeof(*now) / sizeof(*new); i++)
		new[i] -= old[i];
}

static enum order sort_order;

static __u64 weight(const struct top_counts *counts, enum order order)
{
	switch (order) {
	case BY_EXECS: return counts->execs + counts->failed;
	case BY_MISSES: return counts->misses;
	case BY_WAIT: return counts->wait_ns;
	}
	return 0;
}

/* The chosen column first; what ties there by the others, then by name. */
static int compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	const enum order orders[] = { sort_order, BY_EXECS, BY_MISSES };

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		__u64 wa = weight(&a->counts, orders[i]), wb = weight(&b->counts, orders[i]);

		if (wa != wb)
			return wa < wb ? 1 : -1;
	}
	return strncmp(a->program.name, b->program.name, PROGRAM_NAME);
}

static const char *average(char *text, __u64 sum, __u64 n)
{
	return n ? tool_time(text, sum / n) : "-";
}

static void print_row(struct row *row)
{
	const struct top_counts *c = &row->counts;
	char start[TOOL_TIME], wait[TOOL_TIME], hit[16] = "-";

	if (c->looks)
		snprintf(hit, sizeof(hit), "%.1f", 100.0 * c->hits / c->looks);
	printf("%-*.*s %7llu %7llu %9s %7llu %6s %7llu %7llu %9s %7llu\n", 20, PROGRAM_NAME - 1, tool_plain(row->program.name), c->execs, c->failed,
	       average(start, c->exec_ns, c->execs), c->looks, hit, c->misses, c->prefetches,
	       average(wait, c->wait_ns, c->answers), c->refused);
}

static bool nothing(const struct top_counts *counts)
{
	static const struct top_counts none;

	return !memcmp(counts, &none, sizeof(none));
}

static void print_table(struct table *table, const struct options *options)
{
	unsigned long shown = 0;

	sort_order = options->order;
	qsort(table->rows, table->n, sizeof(*table->rows), compare);
	printf("%-20s %7s %7s %9s %7s %6s %7s %7s %9s %7s\n", "PROGRAM", "EXECS", "FAILED", "HANDOVER", "FILES", "HIT%", "MISSES", "PREF",
	       "WAIT", "REFUSED");
	for (size_t i = 0; i < table->n && shown < options->lines; i++) {
		if (nothing(&table->rows[i].counts))
			continue;
		print_row(&table->rows[i]);
		shown++;
	}
	fflush(stdout);
}

static void print_head(const struct options *options)
{
	time_t now = time(NULL);
	char clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	printf("%s, %s %g s\n", clock, options->total ? "in all, each" : "in the last", options->interval);
}

static int watch(int map, const struct options *options)
{
	struct table now = { calloc(TOP_PROGRAMS, sizeof(struct row)), 0 }, last = { calloc(TOP_PROGRAMS, sizeof(struct row)), 0 },
		     shown = { calloc(TOP_PROGRAMS, sizeof(struct row)), 0 };
	int status = TOOL_FAILED;

	if (!now.rows || !last.rows || !shown.rows) {
		tool_error("no memory");
		goto out;
	}
	for (unsigned long n = 0; !options->screens || n < options->screens; n++) {
		struct table swap = last;

		if (!options->source.replay) {
			tool_sleep(options->interval);
			print_head(options);
		}
		read_table(map, &now);
		memcpy(shown.rows, now.rows, now.n * sizeof(*now.rows));
		shown.n = now.n;
		for (size_t i = 0; !options->total && i < shown.n; i++) {
			const struct top_counts *then = find(&last, &shown.rows[i].program);

			if (then)
				subtract(&shown.rows[i].counts, then);
		}
		print_table(&shown, options);
		last = now;
		now = swap;
		if (tool_stop || options->source.replay)
			break;
	}
	status = 0;
out:
	free(now.rows);
	free(last.rows);
	free(shown.rows);
	return status;
}

static int run(int argc, char **argv)
{
	struct options options = { .interval = 2, .lines = 30 };
	int status = parse(&options, argc, argv), err;
	struct top_bpf *skeleton;

	if (status >= 0)
		return status;
	tool_set_log(options.source.verbose);
	tool_catch_signals();
	skeleton = top_bpf__open();
	if (!skeleton)
		return tool_failed("cannot open the BPF programs", -errno);
	status = tool_choose(skeleton->obj, &options.source);
	if (status)
		goto out;
	err = top_bpf__load(skeleton);
	status = err ? tool_failed("cannot load the BPF programs", err) : tool_start(skeleton->obj, &options.source);
	if (!status)
		status = watch(bpf_map__fd(skeleton->maps.programs), &options);
	tool_end();
out:
	top_bpf__destroy(skeleton);
	return status;
}

const struct tool tool_top = {
	.name = "top",
	.run = run,
	.help = "usage: dragoman top [-i SECONDS] [-n COUNT] [-l LINES] [-s COLUMN] [-t]\n"
		"Shows what each foreign program does with the kernel module and the server, live. As root.\n\n"
		"  -i, --interval SECONDS  between two screens (2)\n"
		"  -n, --count COUNT       end after so many\n"
		"  -l, --lines LINES       show no more programs (30)\n"
		"  -s, --sort COLUMN       execs (default), misses or wait\n"
		"  -t, --total             since the start, not in the last interval\n"
		"      --raw               do not use the module's BTF\n"
		"      --replay FILE       recorded events (lines of trace_pipe) instead of the module's\n"
		"  -v, --verbose           also what libbpf says\n\n"
		"EXECS     programs started; FAILED: that could not be, or that a policy refused\n"
		"HANDOVER  average time of a start in the kernel\n"
		"FILES     files that code was looked for; HIT%: of these, code was there\n"
		"MISSES    requests to the server for files or places; PREF: in advance\n"
		"WAIT      average time until one was answered\n"
		"REFUSED   asked for in vain: too much at once, no server, not trusted\n",
};
