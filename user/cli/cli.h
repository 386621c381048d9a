/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands of `dragoman` share: their entry points, the guests known, errors, finding the runtime.
 */
#ifndef DRAGOMAN_CLI_H
#define DRAGOMAN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses. 125 to 127 are those of env, nice and the shells. */
#define CLI_FAILED	1
#define CLI_USAGE	2
#define RUN_OWN_FAULT	125	/* dragoman itself is at fault or was called wrongly */
#define RUN_CANNOT	126	/* the program is there and cannot be run */
#define RUN_NOT_FOUND	127

struct cli_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);	/* argv[0] is the subcommand */
	const char *help;
};

extern const struct cli_command cli_run, cli_enable, cli_disable, cli_status, cli_cache, cli_translate, cli_top, cli_trace, cli_hist,
	cli_policy;

/* A guest architecture as binfmt_misc sees it: the first bytes of its ELF files. */
#define GUEST_MAGIC_SIZE 20
struct cli_guest {
	const char *name;
	uint16_t machine;
	unsigned char magic[GUEST_MAGIC_SIZE], mask[GUEST_MAGIC_SIZE];
};

extern const struct cli_guest cli_guests[];		/* ends with a NULL name */
const struct cli_guest *cli_guest_by_name(const char *name);
const struct cli_guest *cli_guest_by_machine(unsigned int machine);

/* One line on stderr, "dragoman: ..." */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the command's help; for --help. Returns 0. */
int cli_help(const struct cli_command *cmd);

/* For a wrong argument: getopt has said what; points to --help. Returns @status. */
int cli_usage(const struct cli_command *cmd, int status);

/* Absolute path of the runtime in @path (PATH_MAX bytes); prints and returns -errno if there is none. */
int cli_find_runtime(char *path);

/* The server's path; -ENOENT: it is not installed. */
int cli_find_server(char *path);

/* The same for the tools on libbpf. */
int cli_find_bpf(char *path);

/*
 * Starts the user's own server if there is none and the environment does not say otherwise, and gives it so many milliseconds to
 * listen. Is there one now?
 */
bool cli_start_server(unsigned int wait_ms);

/*
 * The sysroot that -L or DRAGOMAN_SYSROOT named (NULL: none) as an absolute path, since a guest may change its folder; "" for none
 * or "/". root has PATH_MAX bytes. 0, or prints and returns RUN_OWN_FAULT.
 */
int cli_resolve_root(const char *given, char *root);

/* Reads @fd to its end or to @max - 1 bytes, adds a NUL; bytes read or -errno. */
long cli_read_fd(int fd, char *buf, size_t max);
long cli_read_file(const char *path, char *buf, size_t max);

/* Replaces @path by @text as a whole (temporary file, rename); 0 or -errno. */
int cli_write_file(const char *path, const char *text);

#endif
