// SPDX-License-Identifier: MIT
/*
 * dragoman-bpf: the tools on libbpf, a program of their own so that `dragoman` itself needs no library. In: a tool's name and
 * its arguments, from `dragoman top` and the like; out: what the tool returns.
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct tool *const tools[] = { &tool_top, &tool_trace, &tool_hist, &tool_policy, NULL };

int main(int argc, char **argv)
{
	for (const struct tool *const *tool = tools; argc > 1 && *tool; tool++)
		if (!strcmp((*tool)->name, argv[1]))
			return (*tool)->run(argc - 1, argv + 1);
	fputs("usage: dragoman-bpf top|trace|hist|policy [OPTIONS]\n", stderr);
	return TOOL_USAGE;
}
