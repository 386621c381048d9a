// SPDX-License-Identifier: MIT
/*
 * dragoman run: one program, without any set-up. In: options, a program and its arguments; out: this process
 * becomes the runtime, with the guest's environment and
 *	argv = "dragoman-rt" "--run" "--flags=<hex>" "--root=<DIR or empty>" "--" <path> <guest argv[0]> <argv[1]>...
 * or one line on stderr and 125 (our fault), 126 (cannot run it), 127 (not found).
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "program.h"

#define RT_FLAG_STRACE	1u	/* bits of --flags=, read by the runtime's start */

struct run_options {
	const char *root;
	const char *argv0;
	unsigned int flags;
};

static const struct option long_options[] = {
	{ "strace", no_argument, NULL, 's' },
	{ "no-server", no_argument, NULL, 'S' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int set_variable(char *assignment)
{
	char *eq = strchr(assignment, '=');
	int err;

	if (!eq || eq == assignment) {
		cli_error("-E %s: has to be VARIABLE=VALUE", assignment);
		return RUN_OWN_FAULT;
	}
	*eq = 0;
	err = setenv(assignment, eq + 1, 1);
	*eq = '=';
	return err ? RUN_OWN_FAULT : 0;
}

/* 0 = go on, -1 = --help was printed, else the exit status. */
static int parse_options(int argc, char **argv, struct run_options *o)
{
	int c, status;

	while ((c = getopt_long(argc, argv, "+L:E:0:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'L':
			o->root = optarg;
			break;
		case 'E':
			status = set_variable(optarg);
			if (status)
				return status;
			break;
		case '0':
			o->argv0 = optarg;
			break;
		case 's':
			o->flags |= RT_FLAG_STRACE;
			break;
		case 'S':
			setenv("DRAGOMAN_SERVER", "off", 1);	/* for what the program starts, too */
			break;
		case 'h':
			cli_help(&cli_run);
			return -1;
		default:
			return cli_usage(&cli_run, RUN_OWN_FAULT);
		}
	}
	if (optind < argc)
		return 0;
	cli_error("run: no program given");
	return cli_usage(&cli_run, RUN_OWN_FAULT);
}

static int exec_runtime(const struct run_options *o, const char *root, char *path, int argc, char **argv)
{
	char runtime[PATH_MAX], flags[32], root_option[PATH_MAX + 16];
	char **args;
	int n = 0;

	if (cli_find_runtime(runtime))
		return RUN_OWN_FAULT;
	snprintf(flags, sizeof(flags), "--flags=%x", o->flags);
	snprintf(root_option, sizeof(root_option), "--root=%s", root);
	args = calloc(argc + 8, sizeof(*args));
	if (!args) {
		cli_error("out of memory");
		return RUN_OWN_FAULT;
	}
	args[n++] = "dragoman-rt";
	args[n++] = "--run";
	args[n++] = flags;
	args[n++] = root_option;
	args[n++] = "--";
	args[n++] = path;
	args[n++] = (char *)(o->argv0 ? o->argv0 : argv[0]);
	memcpy(args + n, argv + 1, (argc - 1) * sizeof(*args));

	execv(runtime, args);
	cli_error("%s: %s; the runtime cannot be started", runtime, strerror(errno));
	return RUN_OWN_FAULT;
}

static int run(int argc, char **argv)
{
	struct run_options o = { .root = getenv("DRAGOMAN_SYSROOT") };
	char root[PATH_MAX], path[PATH_MAX];
	int status = parse_options(argc, argv, &o);

	if (status)
		return status < 0 ? 0 : status;
	status = cli_resolve_root(o.root, root);
	if (!status)
		status = program_find(argv[optind], root, path);
	if (!status)
		status = program_check(path, root);
	if (!status) {
		/* The first program may well begin without it. */
		cli_start_server(5);
		status = exec_runtime(&o, root, path, argc - optind, argv + optind);
	}
	return status;
}

const struct cli_command cli_run = {
	.name = "run",
	.summary = "run one program of another architecture",
	.run = run,
	.help =
	"usage: dragoman run [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
	"Runs an aarch64 Linux program, or a script whose interpreter may be one. The exit status or the signal\n"
	"is the program's; 127 = not found, 126 = cannot be run, 125 = dragoman was called wrongly.\n\n"
	"  -L DIR       look below DIR first for the interpreter, libraries and absolute paths\n"
	"               (the variable DRAGOMAN_SYSROOT does the same)\n"
	"  -E VAR=VAL   set a variable of the program's environment; may be repeated\n"
	"  -0 ARGV0     what the program gets as argv[0]\n"
	"  --strace     print the program's system calls on stderr\n"
	"  --no-server  start no server of the user's own and use none (as DRAGOMAN_SERVER=off)\n"
	"  --help       this text\n\n"
	"A PROGRAM without a slash is looked for along PATH, below DIR first.\n",
};
