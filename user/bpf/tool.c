// SPDX-License-Identifier: MIT
/*
 * What the tools share. In: BPF objects that were opened from skeletons, and options. Out: objects attached to the module's
 * tracepoints or fed from a file, one line for each thing that goes wrong.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define MODULE		"/sys/module/dragoman"
#define MODULE_BTF	"/sys/kernel/btf/dragoman"
#define MAX_LINKS	16
#define MAX_ARGS	12	/* of a tracepoint, in BPF */

volatile sig_atomic_t tool_stop;
static struct bpf_link *links[MAX_LINKS];
static int nlinks;

static void on_signal(int sig)
{
	(void)sig;
	tool_stop = 1;
}

void tool_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void tool_error(const char *fmt, ...)
{
	va_list ap;

	fputs("dragoman: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int tool_usage(const struct tool *tool, int status)
{
	if (status)
		fprintf(stderr, "Try `dragoman %s --help`.\n", tool->name);
	else
		fputs(tool->help, stdout);
	return status;
}

static int no_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
	return 0;
}

void tool_set_log(bool verbose)
{
	if (!verbose)
		libbpf_set_print(no_log);
}

bool tool_source_option(struct tool_source *source, int c, const char *arg)
{
	switch (c) {
	case 'R': source->raw = true; return true;
	case 'v': source->verbose = true; return true;
	case 'f': source->replay = arg; return true;
	default: return false;
	}
}

int tool_failed(const char *what, int err)
{
	if (err == -EPERM || err == -EACCES)
		tool_error("%s: %s; run it as root", what, strerror(-err));
	else
		tool_error("%s: %s; --verbose says more", what, strerror(-err));
	return TOOL_FAILED;
}

/* ---- tracepoints --------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

int tool_choose(struct bpf_object *object, const struct tool_source *source)
{
	const char *unwanted = "_btf";
	struct bpf_program *program;

	if (!source->replay) {
		if (access(MODULE, F_OK)) {
			tool_error("the kernel module is not loaded (modprobe dragoman)");
			return TOOL_FAILED;
		}
		if (!source->raw && !access(MODULE_BTF, F_OK))
			unwanted = "_raw";
	}
	bpf_object__for_each_program(program, object)
		if (ends_with(bpf_program__name(program), unwanted))
			bpf_program__set_autoload(program, false);
	return 0;
}

static int attach_all(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program))
			continue;
		if (nlinks == MAX_LINKS)
			return tool_failed("too many programs", -E2BIG);
		links[nlinks] = bpf_program__attach(program);
		if (!links[nlinks]) {
			if (errno == ENOENT || errno == EINVAL) {
				tool_error("the module has no tracepoint for '%s': module and tools are of different versions",
					   bpf_program__section_name(program));
				return TOOL_FAILED;
			}
			return tool_failed("cannot attach to the module's tracepoints", -errno);
		}
		nlinks++;
	}
	return 0;
}

void tool_end(void)
{
	while (nlinks)
		bpf_link__destroy(links[--nlinks]);
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

/*
 * A line as trace_pipe, perf script or the module's TP_printk have it: "... dragoman_queued: id=1 kind=2 ...". The values are the
 * tracepoint's arguments in their order; a text becomes a null pointer. Returns how many, 0: no event of ours.
 */
static int parse_event(char *line, char *point, size_t size, uint64_t *args)
{
	char *at = strstr(line, "dragoman_"), *colon = at ? strchr(at, ':') : NULL, *word, *save, *end;
	int n = 0;

	if (!colon || (size_t)(colon - at) >= size)
		return 0;
	at += strlen("dragoman_");
	snprintf(point, size, "%.*s_raw", (int)(colon - at), at);
	for (word = strtok_r(colon + 1, " \n", &save); word && n < MAX_ARGS; word = strtok_r(NULL, " \n", &save)) {
		word = strchr(word, '=');
		if (!word)
			continue;
		/* Negative ones are 32 bits wide in the kernel: only their lower half counts. */
		args[n] = word[1] == '-' ? (uint64_t)strtoll(word + 1, &end, 0) : strtoull(word + 1, &end, 0);
		if (*end)
			args[n] = 0;
		n++;
	}
	return n;
}

static int replay_event(struct bpf_object *object, const char *point, uint64_t *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = MAX_ARGS * sizeof(*args));
	struct bpf_program *program = bpf_object__find_program_by_name(object, point);

	/* A tracepoint that this tool does not use. */
	if (!program)
		return 0;
	return bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
}

static int replay(struct bpf_object *object, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	uint64_t args[MAX_ARGS];
	char line[1024], point[64];
	int err = 0;

	if (!file) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_FAILED;
	}
	while (!err && fgets(line, sizeof(line), file)) {
		memset(args, 0, sizeof(args));
		if (parse_event(line, point, sizeof(point), args))
			err = replay_event(object, point, args);
	}
	if (file != stdin)
		fclose(file);
	return err ? tool_failed("cannot run a BPF program", err) : 0;
}

int tool_start(struct bpf_object *object, const struct tool_source *source)
{
	return source->replay ? replay(object, source->replay) : attach_all(object);
}

/* ---- times and numbers ---------------------------------------------------------------------------------------- */

bool tool_sleep(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - floor(seconds)) * 1e9) };

	if (!tool_stop)
		nanosleep(&time, NULL);
	return !tool_stop;
}

bool tool_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return end != text && !*end && *seconds > 0 && *seconds < 1e9;
}

bool tool_number(const char *text, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return end != text && !*end && !errno && *number && *text != '-';
}

const char *tool_time(char *text, uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int unit = 0;

	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, TOOL_TIME, "%.*f %s", !unit || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, units[unit]);
	return text;
}

char *tool_plain(char *name)
{
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (!*name)
		strcpy(name, "?");
	return name;
}
