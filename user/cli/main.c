// SPDX-License-Identifier: MIT
/*
 * dragoman: the command line. In: a subcommand and its arguments; out: what it returns as exit status.
 * Each subcommand is a file of its own; this one holds the table of them.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
	&cli_run, &cli_enable, &cli_disable, &cli_status, &cli_cache, &cli_translate,
	&cli_top, &cli_trace, &cli_hist, &cli_policy, NULL
};

static const struct cli_command *find_command(const char *name)
{
	for (const struct cli_command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static int overview(FILE *to)
{
	fputs("usage: dragoman COMMAND [OPTIONS] ...\n"
	      "Runs Linux programs of other architectures (aarch64) on this machine.\n\n", to);
	for (const struct cli_command *const *c = commands; *c; c++)
		fprintf(to, "  %-10s%s\n", (*c)->name, (*c)->summary);
	fputs("\n`dragoman COMMAND --help` says more; `dragoman --version` prints the version.\n", to);
	return to == stdout ? 0 : CLI_USAGE;
}

static int help(int argc, char **argv)
{
	const struct cli_command *cmd;

	if (argc < 2)
		return overview(stdout);
	cmd = find_command(argv[1]);
	if (cmd)
		return cli_help(cmd);
	cli_error("no command '%s'; `dragoman --help` lists them", argv[1]);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const struct cli_command *cmd;

	if (argc < 2)
		return overview(stderr);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version")) {
		puts("dragoman " DRAGOMAN_VERSION);
		return 0;
	}
	cmd = find_command(argv[1]);
	if (!cmd) {
		cli_error("no command '%s'; `dragoman --help` lists them", argv[1]);
		return CLI_USAGE;
	}
	return cmd->run(argc - 1, argv + 1);
}
