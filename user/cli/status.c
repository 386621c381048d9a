// SPDX-License-Identifier: MIT
/*
 * dragoman status: who has each guest's programs now (the module, a binfmt_misc entry of ours or another's), whether a server runs, how much it
 * keeps, what programs wanted that is not implemented. In: sysfs, binfmt_misc, the server's own word; out: text, or JSON with --json; exit 0.
 *
 * Everything is collected into one JSON tree, which is printed as it is or put into words.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "displaced.h"
#include "module.h"
#include "status.h"

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum runtime_state { RUNTIME_FINE, RUNTIME_MISSING, RUNTIME_CHANGED };

static const char *const state_words[] = {
	[RUNTIME_FINE] = "present", [RUNTIME_MISSING] = "missing", [RUNTIME_CHANGED] = "changed",
};

/* ------------------------------------------------------------ collecting */

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

struct handlers {
	const struct cli_guest *guest;
	struct json_object *list;
	bool ours;
	unsigned int active;
};

static int add_handler(const struct binfmt_entry *e, void *arg)
{
	struct handlers *h = arg;
	struct json_object *o = json_object_new_object();
	enum runtime_state state;
	char name[64];
	bool ours;

	binfmt_own_name(h->guest, name, sizeof(name));
	ours = !strcmp(e->name, name);
	state = ours ? runtime_state(h->guest, e->interpreter) :
		access(e->interpreter, F_OK) ? RUNTIME_MISSING : RUNTIME_FINE;
	json_object_object_add(o, "name", json_object_new_string(e->name));
	json_object_object_add(o, "ours", json_object_new_boolean(ours));
	json_object_object_add(o, "enabled", json_object_new_boolean(e->enabled));
	json_object_object_add(o, "interpreter", json_object_new_string(e->interpreter));
	json_object_object_add(o, "flags", json_object_new_string(e->flags));
	json_object_object_add(o, "file", json_object_new_string(state_words[state]));
	json_object_array_add(h->list, o);
	h->active += e->enabled;
	h->ours |= ours && e->enabled;
	return 0;
}

/* NULL: the module does not know this guest, or is not loaded. */
static struct json_object *module_guest(const struct cli_guest *g)
{
	static const char *const names[] = { "enabled", "runtime", "execs", "refused", "failed" };
	struct json_object *o;

	if (!module_has(g))
		return NULL;
	o = json_object_new_object();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[128];
		long long n;

		snprintf(path, sizeof(path), "guest-%s/%s", g->name, names[i]);
		n = module_number(path);
		json_object_object_add(o, names[i], i < 2 ? json_object_new_boolean(n == 1) : json_object_new_int64(n));
	}
	return o;
}

/* NULL: not loaded. */
static struct json_object *module_totals(void)
{
	static const char *const names[] = {
		"sessions", "images", "objects", "queued", "taken", "answered", "requeued", "mapped", "timeouts", "refused",
	};
	struct json_object *o;
	char text[64];

	if (!module_loaded())
		return NULL;
	o = json_object_new_object();
	module_version(text, sizeof(text));
	json_object_object_add(o, "version", json_object_new_string(text));
	module_abi(text, sizeof(text));
	json_object_object_add(o, "abi", json_object_new_string(text));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "stats/%s", names[i]);
		json_object_object_add(o, names[i], json_object_new_int64(module_number(text)));
	}
	return o;
}

static struct json_object *guest_status(const struct cli_guest *g)
{
	struct json_object *o = json_object_new_object(), *module = module_guest(g);
	struct handlers h = { .guest = g, .list = json_object_new_array() };
	const char *active;
	char path[PATH_MAX];
	bool works;

	persist_path(g, path, sizeof(path));
	binfmt_each(g, add_handler, &h);
	works = status_flag(module, "enabled") && status_flag(module, "runtime");
	active = works && !(h.active && module_behind_binfmt()) ? "module" : h.ours ? "dragoman" : h.active ? "other" : NULL;
	json_object_object_add(o, "name", json_object_new_string(g->name));
	json_object_object_add(o, "persistent", json_object_new_boolean(!access(path, F_OK) || (works && module_persistent())));
	json_object_object_add(o, "handlers", h.list);
	json_object_object_add(o, "module", module);
	json_object_object_add(o, "active", active ? json_object_new_string(active) : NULL);
	return o;
}

static const char *binfmt_state(void)
{
	char text[64];

	if (!binfmt_mounted())
		return "not mounted";
	return cli_read_file(BINFMT_DIR "/status", text, sizeof(text)) > 0 && !strncmp(text, "enabled", 7) ? "on" : "off";
}

static struct json_object *collect(void)
{
	struct json_object *o = json_object_new_object(), *guests = json_object_new_array();

	for (const struct cli_guest *g = cli_guests; g->name; g++)
		json_object_array_add(guests, guest_status(g));
	json_object_object_add(o, "version", json_object_new_string(DRAGOMAN_VERSION));
	json_object_object_add(o, "module", module_totals());
	json_object_object_add(o, "binfmt_misc", json_object_new_string(binfmt_state()));
	json_object_object_add(o, "guests", guests);
	json_object_object_add(o, "server", status_server());
	return o;
}

/* ------------------------------------------------------------ in words */

static void print_handler(struct json_object *e)
{
	const char *interpreter = status_text(e, "interpreter"), *file = status_text(e, "file");
	bool ours = status_flag(e, "ours");

	printf("  %s: %s, %s, flags %s%s\n", status_text(e, "name"), status_flag(e, "enabled") ? "on" : "off", interpreter,
	       status_text(e, "flags"), ours ? " (dragoman)" : "");
	if (!strcmp(file, state_words[RUNTIME_MISSING]))
		printf("    warning: %s does not exist any more%s\n", interpreter,
		       ours ? "; install it and run `dragoman enable` again" : "");
	if (!strcmp(file, state_words[RUNTIME_CHANGED]))
		printf("    warning: %s has changed since; the kernel keeps the old one until `dragoman enable` "
		       "is run again\n", interpreter);
}

/* Who has the programs. */
static void print_way(struct json_object *g, struct json_object *module)
{
	const char *active = status_text(g, "active");

	if (!strcmp(active, "module"))
		puts("  programs are run by the kernel module");
	else if (!strcmp(active, "dragoman"))
		puts("  programs are run through binfmt_misc");
	else if (!strcmp(active, "other"))
		printf("  programs are run by another handler; `dragoman enable %s --replace` takes its place\n", status_text(g, "name"));
	else if (status_flag(module, "enabled"))
		printf("  programs do not run yet: no runtime is registered; `systemctl start dragomand` or `dragoman enable %s` does that\n",
		       status_text(g, "name"));
	else
		printf("  programs do not run; `dragoman enable %s` changes that\n", status_text(g, "name"));
}

static void print_guest(struct json_object *g)
{
	struct json_object *handlers = status_member(g, "handlers"), *module = status_member(g, "module");
	size_t n = handlers ? json_object_array_length(handlers) : 0, active = 0;

	printf("%s:%s\n", status_text(g, "name"), status_flag(g, "persistent") ? " (also after a reboot)" : "");
	if (module)
		printf("  kernel module: %s, %s, %lld programs started, %lld refused, %lld failed\n",
		       status_flag(module, "enabled") ? "on" : "off", status_flag(module, "runtime") ? "has a runtime" : "no runtime",
		       (long long)status_number(module, "execs"), (long long)status_number(module, "refused"),
		       (long long)status_number(module, "failed"));
	for (size_t i = 0; i < n; i++) {
		print_handler(json_object_array_get_idx(handlers, i));
		active += status_flag(json_object_array_get_idx(handlers, i), "enabled");
	}
	if (active > 1 && !strcmp(status_text(g, "active"), "dragoman"))
		printf("    warning: several handlers are on; the one registered last gets the programs\n");
	print_way(g, module);
}

static void print_module(struct json_object *m)
{
	if (!m) {
		puts("module: not loaded");
		return;
	}
	printf("module: loaded, version %s, ABI %s, %lld programs have a session, %lld files and %lld code objects\n", status_text(m, "version"),
	       status_text(m, "abi"), (long long)status_number(m, "sessions"), (long long)status_number(m, "images"),
	       (long long)status_number(m, "objects"));
	printf("  requests: %lld, answered %lld, queued again %lld, timed out %lld, refused %lld\n", (long long)status_number(m, "queued"),
	       (long long)status_number(m, "answered"), (long long)status_number(m, "requeued"), (long long)status_number(m, "timeouts"),
	       (long long)status_number(m, "refused"));
}

static void print(struct json_object *o)
{
	const char *binfmt = status_text(o, "binfmt_misc");
	struct json_object *guests = status_member(o, "guests");

	print_module(status_member(o, "module"));
	printf("binfmt_misc: %s\n", !strcmp(binfmt, "off") ? "switched off (echo 1 > " BINFMT_DIR "/status switches it on)" : binfmt);
	for (size_t i = 0; i < json_object_array_length(guests); i++)
		print_guest(json_object_array_get_idx(guests, i));
	status_print_server(status_member(o, "server"), status_member(o, "module"));
}

static int run(int argc, char **argv)
{
	struct json_object *o;
	bool json = false;
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
	o = collect();
	if (json)
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print(o);
	json_object_put(o);
	return 0;
}

const struct cli_command cli_status = {
	.name = "status",
	.summary = "show who handles which programs, the server, the cache, what was not implemented",
	.run = run,
	.help =
	"usage: dragoman status [--json]\n"
	"Shows for each architecture whether the kernel module or which binfmt_misc handlers have its programs, and whether\n"
	"the file registered is still there and the same; whether the server runs, what it keeps and how often programs found\n"
	"there what they needed; which instructions and system calls programs wanted that are not implemented.\n",
};
