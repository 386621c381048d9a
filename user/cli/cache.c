// SPDX-License-Identifier: MIT
/*
 * dragoman cache: what is kept of translations. In: a subcommand; out: what it returns. They work on the cache directory, so
 * no server has to run; one that runs is asked to write what it has first, and to forget what is cleared.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cache.h"

static const struct subcommand {
	const char *name, *arguments, *summary;
	int (*run)(const struct cache_dir *dir, int argc, char **argv);
} subcommands[] = {
	{ "list", "", "each object: guest file's digest, instructions, size, last use", cache_list },
	{ "stat", "", "totals, and how often a program found what it needed", cache_stat },
	{ "verify", "[PATH...]", "check every object; translate again what belongs to PATHs", cache_verify },
	{ "clear", "", "remove all objects", cache_clear },
	{ "export", "FILE", "write all objects to an archive", cache_export },
	{ "import", "FILE", "add an archive's objects", cache_import },
};

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(*subcommands); i++)
		if (!strcmp(subcommands[i].name, name))
			return &subcommands[i];
	return NULL;
}

static int run_subcommand(const struct subcommand *s, const char *given, int argc, char **argv)
{
	struct cache_dir dir;
	int status;

	if (!*s->arguments && argc > 1) {
		cli_error("cache %s: takes no arguments", s->name);
		return cli_usage(&cli_cache, CLI_USAGE);
	}
	if (*s->arguments && *s->arguments != '[' && argc != 2) {
		cli_error("cache %s: name one file", s->name);
		return cli_usage(&cli_cache, CLI_USAGE);
	}
	status = cache_open(&dir, given);
	if (status)
		return status;
	status = s->run(&dir, argc, argv);
	cache_close(&dir);
	if (fflush(stdout) && !status) {
		cli_error("cache %s: the output cannot be written", s->name);
		status = CLI_FAILED;
	}
	return status;
}

static int run(int argc, char **argv)
{
	const struct subcommand *s;
	const char *dir = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "d:h", long_options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(&cli_cache);
		if (c != 'd')
			return cli_usage(&cli_cache, CLI_USAGE);
		dir = optarg;
	}
	if (optind == argc) {
		cli_error("cache: list, stat, verify, clear, export or import?");
		return cli_usage(&cli_cache, CLI_USAGE);
	}
	s = find(argv[optind]);
	if (s)
		return run_subcommand(s, dir, argc - optind, argv + optind);
	cli_error("cache: no subcommand '%s'", argv[optind]);
	return cli_usage(&cli_cache, CLI_USAGE);
}

const struct cli_command cli_cache = {
	.name = "cache",
	.summary = "show, check, empty, save or load the cache of translations",
	.run = run,
	.help =
	"usage: dragoman cache [--dir DIR] SUBCOMMAND\n\n"
	"  list             each object: guest file's digest, instructions, size, last use\n"
	"  stat             totals, and how often programs found what they needed\n"
	"  verify [PATH...] check every object (checksum, structure); those whose guest file is a PATH or below one\n"
	"                   are also translated again and compared. Exit status 1 if anything is wrong\n"
	"  clear            remove all objects\n"
	"  export FILE      write all objects to an archive (zstd); - is stdout\n"
	"  import FILE      add an archive's objects; - is stdin. As root or the cache's owner\n\n"
	"  --dir DIR        the cache directory (default: the running server's, else for root\n"
	"                   " CACHE_SYSTEM_DIR ", else ~/.cache/dragoman)\n"
	"  --help           this text\n\n"
	"An archive is code that will run as whoever uses the cache. Import checks that it is whole, that each object's\n"
	"structure is right and that this version made it; it cannot check what the code does, since it has no guest\n"
	"files. Import only what comes from a machine that you trust, or run `dragoman cache verify /` afterwards.\n",
};
