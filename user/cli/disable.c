// SPDX-License-Identifier: MIT
/*
 * dragoman disable: undoes `dragoman enable`. In: the guest's name; out: the module's switch off, our entry gone, those that it had
 * displaced on again, nothing of ours in binfmt.d. Says nothing is wrong if it was not enabled.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "displaced.h"
#include "module.h"

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int failed(const char *what, int err)
{
	cli_error("disable: %s: %s%s", what, strerror(-err), err == -EPERM || err == -EACCES ? "; run it as root" : "");
	return CLI_FAILED;
}

static void put_back(const char *name, void *arg)
{
	int err = binfmt_switch(name, "1"), *first = arg;

	if (!err) {
		printf("'%s' is on again\n", name);
	} else if (err != -ENOENT) {	/* -ENOENT: its package has been removed meanwhile */
		failed(name, err);
		*first = err;
	}
}

/* A handler that was masked at boot has no entry to switch on. */
static int register_again(const char *path, const char *line, void *arg)
{
	struct binfmt_entry e, now;
	int err, *first = arg;

	if (!binfmt_parse_line(line, &e) || !binfmt_read(e.name, &now))
		return 0;
	err = binfmt_register(line);
	if (!err)
		printf("'%s' (%s) is on again\n", e.name, path);
	else
		*first = failed(path, err);
	return 0;
}

/* 1: it was on; 0: not loaded, or off already; -errno. */
static int disable_module(const struct cli_guest *g)
{
	char name[64];
	int err, had;

	err = module_unpersist();
	snprintf(name, sizeof(name), "guest-%s/enabled", g->name);
	if (err || module_number(name) != 1)
		return err;
	snprintf(name, sizeof(name), "guest-%s/runtime", g->name);
	had = module_number(name) == 1;
	err = module_switch(g, false);
	if (!err && had)
		module_set_runtime(g, NULL);	/* its file may be written again; off is off, also where this cannot be done */
	return err ? err : had;
}

/* Removes our entry: 0, -ENOENT (there was none), or -errno. Where the module does it, binfmt_misc need not be there; loaded now, it would get in front. */
static int unregister(const char *name)
{
	int err = binfmt_mounted() || !module_loaded() ? binfmt_mount() : -ENOENT;

	if (err && err != -ENOENT)
		failed("binfmt_misc cannot be mounted", err);
	if (err)
		return err;
	err = binfmt_switch(name, "-1");
	if (err && err != -ENOENT)
		failed(name, err);
	return err;
}

static int disable(const struct cli_guest *g)
{
	char name[64], note[PATH_MAX];
	int err, removed, problem = 0, module = disable_module(g);

	if (module < 0)
		return failed("the kernel module", module);
	if (module)
		printf("the kernel module does not run %s programs any more, until `dragoman enable` or it is loaded again\n", g->name);
	binfmt_own_name(g, name, sizeof(name));
	removed = unregister(name);
	if (removed && removed != -ENOENT)
		return CLI_FAILED;
	err = displaced_each(g, put_back, &problem);
	if (!err && !problem)
		displaced_forget(g);
	if (!err)
		err = persist_remove(g, register_again, &problem);
	if (err)
		return failed(g->name, err);
	snprintf(note, sizeof(note), RUN_DIR "/%s.runtime", g->name);
	unlink(note);
	printf("%s programs are %s handed to dragoman\n", g->name, removed && !module ? "not" : "no longer");
	return problem ? CLI_FAILED : 0;
}

static int run(int argc, char **argv)
{
	const struct cli_guest *g;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		return c == 'h' ? cli_help(&cli_disable) : cli_usage(&cli_disable, CLI_USAGE);
	if (optind + 1 != argc) {
		cli_error("disable: name one architecture (aarch64)");
		return cli_usage(&cli_disable, CLI_USAGE);
	}
	g = cli_guest_by_name(argv[optind]);
	if (g)
		return disable(g);
	cli_error("disable: %s: not an architecture that dragoman translates; aarch64 is", argv[optind]);
	return CLI_USAGE;
}

const struct cli_command cli_disable = {
	.name = "disable",
	.summary = "undo enable, and put back what it replaced",
	.run = run,
	.help =
	"usage: dragoman disable aarch64\n"
	"Switches the kernel module off for these programs, removes what `dragoman enable` registered, from " PERSIST_DIR "\n"
	"too, and switches the handler on again whose place it took. Programs that are running go on. As root.\n",
};
