// SPDX-License-Identifier: MIT
/*
 * dragoman top, trace, hist, policy: what the kernel module does, seen by BPF. In: arguments, which are passed on; out: the program
 * dragoman-bpf in our place. It is a program of its own, so that this one needs none of its libraries.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int run(int argc, char **argv)
{
	char path[PATH_MAX], *args[argc + 2];

	if (cli_find_bpf(path)) {
		cli_error("%s: dragoman-bpf is not installed; it is built where clang, bpftool, libbpf-dev, libelf-dev and zlib1g-dev are",
			  argv[0]);
		return CLI_FAILED;
	}
	args[0] = "dragoman-bpf";
	memcpy(args + 1, argv, (argc + 1) * sizeof(*argv));
	execv(path, args);
	cli_error("%s: dragoman-bpf cannot be started: %s", argv[0], strerror(errno));
	return CLI_FAILED;
}

#define TOOL(tool, what)									\
	const struct cli_command cli_##tool = {							\
		.name = #tool, .summary = what, .run = run,					\
		.help = "usage: dragoman " #tool " [OPTIONS]\n`dragoman " #tool " --help` says more.\n",	\
	}

TOOL(top, "show what each program does with module and server, live");
TOOL(trace, "print each start of a program and each miss, with its reason");
TOOL(hist, "show how long starts, misses and the server take, as histograms");
TOOL(policy, "decide by cgroup which programs the module starts (an example)");
