/* SPDX-License-Identifier: MIT */
/*
 * What the tools share: their table, attaching to the module's tracepoints, replaying recorded events, words for numbers.
 */
#ifndef DRAGOMAN_BPF_TOOL_H
#define DRAGOMAN_BPF_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOOL_FAILED	1
#define TOOL_USAGE	2

struct bpf_object;

struct tool {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the tool's name; exit status */
	const char *help;
};

extern const struct tool tool_top, tool_trace, tool_hist, tool_policy;

/* Set by SIGINT and SIGTERM after tool_catch_signals(); sleeps and polls end then. */
extern volatile sig_atomic_t tool_stop;
void tool_catch_signals(void);

/* One line on stderr, "dragoman: ..." */
void tool_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints help for --help (@status 0), else points to it; returns @status. */
int tool_usage(const struct tool *tool, int status);

/* Which of an option's tracepoint programs are used, and from where events come. */
struct tool_source {
	bool raw;		/* not by the module's BTF even if there is some */
	bool verbose;		/* what libbpf says goes to stderr */
	const char *replay;	/* file of recorded events instead of the module's; NULL: none */
};

/* Whether @c is one of the options that fill @source: 'R' raw, 'v' verbose, 'f' replay. */
bool tool_source_option(struct tool_source *source, int c, const char *arg);
#define TOOL_SOURCE_OPTIONS				\
	{ "raw", no_argument, NULL, 'R' },		\
	{ "replay", required_argument, NULL, 'f' },	\
	{ "verbose", no_argument, NULL, 'v' },		\
	{ "help", no_argument, NULL, 'h' }

/* Before any open of an object. */
void tool_set_log(bool verbose);

/*
 * Between open and load: picks one of the two programs of each tracepoint (points.h). 0, or prints and returns TOOL_FAILED: the module
 * is not loaded.
 */
int tool_choose(struct bpf_object *object, const struct tool_source *source);

/* Says why open, load or attach failed; @err is -errno. Returns TOOL_FAILED. */
int tool_failed(const char *what, int err);

/*
 * After load: attaches what was chosen, or runs it once for each recorded event. With replay the source is at its end
 * afterwards, so there is nothing to wait for. 0, or prints and returns TOOL_FAILED.
 */
int tool_start(struct bpf_object *object, const struct tool_source *source);
void tool_end(void);

/* Sleeps; false if a signal ended it. */
bool tool_sleep(double seconds);

/* A number of seconds above 0, or a count from 1; false: not such a number. */
bool tool_seconds(const char *text, double *seconds);
bool tool_number(const char *text, unsigned long *number);

/* "312 ns", "4.10 us", "1.23 ms", "45.6 s"; at most TOOL_TIME bytes with the NUL. Returns text. */
#define TOOL_TIME 16
const char *tool_time(char *text, uint64_t ns);

/*
 * Makes a name that any user may have chosen fit for a terminal, in place: what is no printable ASCII character becomes '?', and
 * so does an empty name. Returns name.
 */
char *tool_plain(char *name);

#endif
