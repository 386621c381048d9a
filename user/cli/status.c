// SPDX-License-Identifier: MIT
/*
 * dragoman status: which handler has each guest's programs now, ours or another's, and whether the runtime is
 * still the file that was registered. In: binfmt_misc as it is; out: text, or JSON with --json; exit 0.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "displaced.h"

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum runtime_state { RUNTIME_FINE, RUNTIME_MISSING, RUNTIME_CHANGED };

static const char *const state_words[] = {
	[RUNTIME_FINE] = "present", [RUNTIME_MISSING] = "missing", [RUNTIME_CHANGED] = "changed",
};

struct view {
	const struct cli_guest *guest;
	bool json, ours;
	unsigned int count, active;
};

/* With F the kernel keeps the file that was there at registration, whatever the path names now. */
static enum runtime_state runtime_state(const struct cli_guest *g, const char *path)
{
	unsigned long long dev, ino;
	long long sec, nsec;
	char note[PATH_MAX], text[128];
	struct stat st;

	if (stat(path, &st))
		return RUNTIME_MISSING;
	snprintf(note, sizeof(note), RUN_DIR "/%s.runtime", g->name);
	if (cli_read_file(note, text, sizeof(text)) < 0 ||
	    sscanf(text, "%llu %llu %lld %lld", &dev, &ino, &sec, &nsec) != 4)
		return RUNTIME_FINE;	/* registered at boot, by systemd */
	return dev == st.st_dev && ino == st.st_ino && sec == st.st_mtim.tv_sec && nsec == st.st_mtim.tv_nsec ?
	       RUNTIME_FINE : RUNTIME_CHANGED;
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else
			printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	putchar('"');
}

static void show_json(const struct binfmt_entry *e, bool ours, enum runtime_state state, bool first)
{
	printf("%s{\"name\":", first ? "" : ",");
	json_string(e->name);
	printf(",\"ours\":%s,\"enabled\":%s,\"interpreter\":", ours ? "true" : "false", e->enabled ? "true" : "false");
	json_string(e->interpreter);
	printf(",\"flags\":");
	json_string(e->flags);
	printf(",\"file\":\"%s\"}", state_words[state]);
}

static void show_text(const struct binfmt_entry *e, bool ours, enum runtime_state state)
{
	printf("  %s: %s, %s, flags %s%s\n", e->name, e->enabled ? "on" : "off", e->interpreter, e->flags,
	       ours ? " (dragoman)" : "");
	if (state == RUNTIME_MISSING)
		printf("    warning: %s does not exist any more%s\n", e->interpreter,
		       ours ? "; install it and run `dragoman enable` again" : "");
	if (state == RUNTIME_CHANGED)
		printf("    warning: %s has changed since; the kernel keeps the old one until `dragoman enable` "
		       "is run again\n", e->interpreter);
}

static int show(const struct binfmt_entry *e, void *arg)
{
	struct view *v = arg;
	char name[64];
	bool ours;
	enum runtime_state state;

	binfmt_own_name(v->guest, name, sizeof(name));
	ours = !strcmp(e->name, name);
	state = ours ? runtime_state(v->guest, e->interpreter) :
		access(e->interpreter, F_OK) ? RUNTIME_MISSING : RUNTIME_FINE;
	if (v->json)
		show_json(e, ours, state, !v->count);
	else
		show_text(e, ours, state);
	v->count++;
	v->active += e->enabled;
	v->ours |= ours && e->enabled;
	return 0;
}

static bool binfmt_on(void)
{
	char text[64];

	return cli_read_file(BINFMT_DIR "/status", text, sizeof(text)) > 0 && !strncmp(text, "enabled", 7);
}

static void guest_status(struct view *v)
{
	char path[PATH_MAX];
	bool persistent;

	persist_path(v->guest, path, sizeof(path));
	persistent = !access(path, F_OK);
	if (v->json) {
		printf("{\"name\":\"%s\",\"persistent\":%s,\"handlers\":[", v->guest->name, persistent ? "true" : "false");
		binfmt_each(v->guest, show, v);
		printf("],\"active\":%s}", v->ours ? "\"dragoman\"" : v->active ? "\"other\"" : "null");
		return;
	}
	printf("%s:%s\n", v->guest->name, persistent ? " (also after a reboot)" : "");
	if (binfmt_each(v->guest, show, v) < 0 || !v->count)
		printf("  no handler; `dragoman enable %s` registers the runtime\n", v->guest->name);
	if (v->ours && v->active > 1)
		printf("    warning: several handlers are on; the one registered last gets the programs\n");
}

static int run(int argc, char **argv)
{
	bool json = false, mounted;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(&cli_status);
		if (c != 'j')
			return cli_usage(&cli_status, CLI_USAGE);
		json = true;
	}
	if (optind != argc) {
		cli_error("status: takes no arguments");
		return cli_usage(&cli_status, CLI_USAGE);
	}
	mounted = binfmt_mounted();
	if (json)
		printf("{\"version\":\"" DRAGOMAN_VERSION "\",\"binfmt_misc\":\"%s\",\"guests\":[",
		       !mounted ? "not mounted" : binfmt_on() ? "on" : "off");
	else
		printf("binfmt_misc: %s\n", !mounted ? "not mounted" : binfmt_on() ? "on" :
		       "switched off (echo 1 > " BINFMT_DIR "/status switches it on)");
	for (const struct cli_guest *g = cli_guests; g->name; g++) {
		struct view v = { .guest = g, .json = json };

		if (json && g != cli_guests)
			putchar(',');
		guest_status(&v);
	}
	if (json)
		puts("]}");
	return 0;
}

const struct cli_command cli_status = {
	.name = "status",
	.summary = "show who handles which architecture's programs",
	.run = run,
	.help =
	"usage: dragoman status [--json]\n"
	"Shows for each architecture which handlers are registered with binfmt_misc, whether they are on, their flags,\n"
	"and whether the file registered is still there and the same.\n",
};
