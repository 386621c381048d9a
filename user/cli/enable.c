// SPDX-License-Identifier: MIT
/*
 * dragoman enable: hands a guest's programs to the runtime, by the kernel module if it is loaded, else by binfmt_misc. In: the guest's
 * name and options; out: the module's switch and runtime, or an entry "dragoman-<guest>" and what displaced.c remembers.
 *
 * Flags of the entry: P keeps argv[0]; O passes the program as a descriptor, so that one which may be executed
 * but not read runs; F opens the runtime now, so that it is there in every chroot and container. C, only on
 * request, takes credentials (setuid) from the program in place of the runtime.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "displaced.h"
#include "module.h"

enum { REPLACE = 'r', CREDENTIALS = 'c', PERSIST = 'p', BINFMT = 'b' };

static const struct option long_options[] = {
	{ "replace", no_argument, NULL, REPLACE },
	{ "credentials", no_argument, NULL, CREDENTIALS },
	{ "persist", no_argument, NULL, PERSIST },
	{ "binfmt", no_argument, NULL, BINFMT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct enable {
	const struct cli_guest *guest;
	bool replace, credentials, persist, binfmt;
};

static int failed(const char *what, int err)
{
	if (err == -EPERM || err == -EACCES || err == -EROFS)
		cli_error("enable: %s: %s; run it as root, where " BINFMT_DIR " is writable", what, strerror(-err));
	else
		cli_error("enable: %s: %s", what, strerror(-err));
	return CLI_FAILED;
}

static bool is_ours(const struct binfmt_entry *e, const struct cli_guest *g)
{
	char name[64];

	binfmt_own_name(g, name, sizeof(name));
	return !strcmp(e->name, name);
}

static int refuse_rival(const struct binfmt_entry *e, void *arg)
{
	const struct cli_guest *g = arg;

	if (!e->enabled || is_ours(e, g))
		return 0;
	cli_error("enable: %s programs belong to '%s' (%s) already; --replace takes its place until `dragoman disable`",
		  g->name, e->name, e->interpreter);
	return CLI_FAILED;
}

static int refuse_persistent_rival(const char *path, const char *line, void *arg)
{
	const struct cli_guest *g = arg;

	(void)line;
	cli_error("enable: %s registers another handler of %s programs at boot; add --replace to mask it",
		  path, g->name);
	return CLI_FAILED;
}

/* Newest entry first is the kernel's rule, so ours already wins when the others are switched off. */
static int displace(const struct binfmt_entry *e, void *arg)
{
	const struct cli_guest *g = arg;
	int err;

	if (!e->enabled || is_ours(e, g))
		return 0;
	err = displaced_add(g, e->name);
	if (!err)
		err = binfmt_switch(e->name, "0");
	if (!err)
		printf("'%s' is off until `dragoman disable %s`\n", e->name, g->name);
	return err;
}

static int check_rivals(const struct enable *o)
{
	int ret = 0;

	if (o->replace)
		return 0;
	ret = binfmt_each(o->guest, refuse_rival, (void *)o->guest);
	if (!ret && o->persist)
		ret = persist_rivals(o->guest, refuse_persistent_rival, (void *)o->guest);
	return ret < 0 ? failed(BINFMT_DIR, ret) : ret;
}

/* The kernel has opened the file named now (F); status tells by this when it has been replaced since. */
static void note_runtime(const struct cli_guest *g, const char *runtime)
{
	char path[PATH_MAX], text[128];
	struct stat st;

	if (stat(runtime, &st))
		return;
	mkdir(RUN_DIR, 0755);
	snprintf(path, sizeof(path), RUN_DIR "/%s.runtime", g->name);
	snprintf(text, sizeof(text), "%llu %llu %lld %lld\n", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec, (long long)st.st_mtim.tv_nsec);
	cli_write_file(path, text);
}

/* A registered program has nobody who would start a server for it, as `dragoman run` does; the module's do not knock at a socket. */
static void mention_server(bool module)
{
	int sock = cli_connect(NULL);

	if (sock >= 0)
		close(sock);
	else
		printf("no server runs, so each process translates for itself; `systemctl %s` changes that\n",
		       module ? "start dragomand" : "enable --now dragomand.socket");
}

static int module_failed(int err)
{
	const char *why = strerror(-err), *remedy = "--binfmt does without it";

	if (err == -EPERM || err == -EACCES) {
		remedy = "run it as root";
	} else if (err == -ENOENT) {
		why = "its node /dev/dragoman-ctl is not there";
		remedy = "run it outside of the container; --binfmt does without";
	} else if (err == -EPROTO) {
		why = "it is of another version";
		remedy = "build and load the one of these sources; --binfmt does without";
	} else if (err == -ETXTBSY) {
		why = "the runtime is open for writing";
		remedy = "try again when that has ended";
	}
	cli_error("enable: the kernel module does not do it: %s; %s", why, remedy);
	return CLI_FAILED;
}

static void say_module(const struct enable *o, const char *runtime)
{
	printf("%s programs are run by %s, through the kernel module%s\n", o->guest->name, runtime,
	       !o->persist ? "" : module_starts_server() ? ", after a reboot too" : ", after a reboot as soon as a server runs");
	mention_server(true);
}

/*
 * The module's guests are in front of binfmt_misc's entries, so nobody has to be switched off; but for a binfmt_misc that was loaded
 * after the module.
 */
static int enable_module(const struct enable *o)
{
	const struct cli_guest *g = o->guest;
	char runtime[PATH_MAX], name[64];
	int err = 0, behind = module_behind_binfmt();

	if (cli_find_runtime(runtime))
		return CLI_FAILED;
	if (behind && !o->replace && binfmt_each(g, refuse_rival, (void *)g) > 0)
		return CLI_FAILED;
	err = module_set_runtime(g, runtime);
	if (!err)
		err = module_switch(g, true);
	if (!err && o->persist)
		err = module_persist();
	if (err)
		return module_failed(err);
	binfmt_own_name(g, name, sizeof(name));
	binfmt_switch(name, "-1");	/* an older entry of ours would only hide what the module counts */
	if (behind && o->replace) {
		err = binfmt_each(g, displace, (void *)g);
		if (err && err != -ENOENT)
			return failed("another handler cannot be switched off", err);
	}
	say_module(o, runtime);
	return 0;
}

/* It is in front of binfmt_misc, so it has to be off where that is wanted. */
static int leave_module(const struct cli_guest *g)
{
	int err = module_has(g) ? module_switch(g, false) : 0;

	if (!err && module_has(g))
		printf("the kernel module leaves them alone until `dragoman enable %s`\n", g->name);
	return err;
}

static int enable(const struct enable *o)
{
	const char *flags = o->credentials ? "POCF" : "POF";
	char runtime[PATH_MAX], line[2 * PATH_MAX], name[64];
	int err, status;

	if (cli_find_runtime(runtime))
		return CLI_FAILED;
	err = binfmt_mount();
	if (err)
		return failed("binfmt_misc cannot be mounted", err);
	status = check_rivals(o);
	if (status)
		return status;
	err = binfmt_format(line, sizeof(line), o->guest, runtime, flags);
	if (err)
		return failed(runtime, err);

	binfmt_own_name(o->guest, name, sizeof(name));
	err = binfmt_switch(name, "-1");	/* an older one of ours */
	if (err && err != -ENOENT)
		return failed(name, err);
	err = binfmt_register(line);
	if (err)
		return failed("the kernel does not take the registration", err);
	note_runtime(o->guest, runtime);
	err = binfmt_each(o->guest, displace, (void *)o->guest);
	if (err)
		return failed("another handler cannot be switched off", err);
	if (o->persist) {
		err = persist_write(o->guest, line);
		if (err)
			return failed(err == -EEXIST ? "a file in " PERSIST_DIR " registers another handler; remove it"
						     : "on, but cannot be made to survive a reboot", err);
	}
	err = leave_module(o->guest);
	if (err)
		return failed("the kernel module has them still", err);
	printf("%s programs are run by %s%s\n", o->guest->name, runtime, o->persist ? ", after a reboot too" : "");
	mention_server(false);
	return 0;
}

static int run(int argc, char **argv)
{
	struct enable o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (c) {
		case REPLACE:
			o.replace = true;
			break;
		case CREDENTIALS:
			o.credentials = true;
			break;
		case PERSIST:
			o.persist = true;
			break;
		case BINFMT:
			o.binfmt = true;
			break;
		case 'h':
			return cli_help(&cli_enable);
		default:
			return cli_usage(&cli_enable, CLI_USAGE);
		}
	}
	if (optind + 1 != argc) {
		cli_error("enable: name one architecture (aarch64)");
		return cli_usage(&cli_enable, CLI_USAGE);
	}
	o.guest = cli_guest_by_name(argv[optind]);
	if (!o.guest) {
		cli_error("enable: %s: not an architecture that dragoman translates; aarch64 is", argv[optind]);
		return CLI_USAGE;
	}
	if (!o.binfmt && module_has(o.guest))
		return enable_module(&o);
	return enable(&o);
}

const struct cli_command cli_enable = {
	.name = "enable",
	.summary = "run an architecture's programs whenever they are executed",
	.run = run,
	.help =
	"usage: dragoman enable aarch64 [OPTIONS]\n"
	"Registers the runtime with the kernel, so that aarch64 programs just run: in shells, chroots and containers.\n"
	"With dragoman's kernel module, if it is loaded, otherwise with binfmt_misc. As root; until the next reboot.\n\n"
	"  --binfmt       with binfmt_misc, even if the module is loaded\n"
	"  --replace      switch another handler of these programs off; `dragoman disable` puts it back\n"
	"  --credentials  setuid programs get their owner's rights (the runtime then runs with them); always so with the module\n"
	"  --persist      also after a reboot (a file in " PERSIST_DIR ", or the module loaded at boot)\n"
	"  --help         this text\n",
};
