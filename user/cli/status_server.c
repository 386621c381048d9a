// SPDX-License-Identifier: MIT
/*
 * The server's part of `dragoman status`. In: the JSON text that the server gives (docs/protocol.md, STATUS); out: a tree, or a few lines.
 * The server may be of another version: whatever it does not say is left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "cache.h"
#include "cli.h"
#include "status.h"
#include "translator_id.h"

struct json_object *status_member(struct json_object *o, const char *name)
{
	struct json_object *m = NULL;

	return o && json_object_object_get_ex(o, name, &m) ? m : NULL;
}

int64_t status_number(struct json_object *o, const char *name)
{
	return json_object_get_int64(status_member(o, name));
}

bool status_flag(struct json_object *o, const char *name)
{
	return json_object_get_boolean(status_member(o, name));
}

const char *status_text(struct json_object *o, const char *name)
{
	struct json_object *m = status_member(o, name);

	return m && json_object_is_type(m, json_type_string) ? json_object_get_string(m) : "";
}

struct json_object *status_server(void)
{
	struct cli_peer peer = { 0 };
	struct json_object *o = NULL;
	char *text;
	int err;

	text = cli_server_status(&peer, &err);
	if (err == -ENOENT)
		return NULL;
	if (text)
		o = json_tokener_parse(text);
	free(text);
	if (!o || !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		o = json_object_new_object();
		json_object_object_add(o, "error", json_object_new_string(err ? strerror(-err) : "its answer is not JSON"));
	}
	if (peer.pid) {
		json_object_object_add(o, "socket", json_object_new_string(peer.address));
		json_object_object_add(o, "pid", json_object_new_int64(peer.pid));
		json_object_object_add(o, "uid", json_object_new_int64(peer.uid));
	}
	return o;
}

static void print_duration(int64_t s)
{
	if (s < 120)
		printf("%lld s", (long long)s);
	else if (s < 7200)
		printf("%lld min", (long long)s / 60);
	else if (s < 172800)
		printf("%lld h", (long long)s / 3600);
	else
		printf("%lld days", (long long)s / 86400);
}

void status_print_hits(struct json_object *server)
{
	struct json_object *n = status_member(server, "attached"), *misses = status_member(server, "misses");
	long long files = status_number(n, "files");

	if (!n)
		return;
	if (!files) {
		printf("  no program has asked for anything yet\n");
		return;
	}
	printf("  programs asked for %lld files: %.1f %% were there, %lld too late for the first start, %lld not for the cache\n", files,
	       100. * status_number(n, "ok") / files, (long long)status_number(n, "later"), (long long)status_number(n, "never"));
	printf("  and missed %lld places in them\n", (long long)status_number(misses, "places"));
}

static void print_unsupported(struct json_object *list)
{
	size_t n = list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (!n) {
		puts("not implemented, and wanted by a program: nothing");
		return;
	}
	puts("not implemented, and wanted by a program:");
	for (size_t i = 0; i < n; i++) {
		struct json_object *u = json_object_array_get_idx(list, i);
		const char *kind = status_text(u, "kind");
		const struct cli_guest *g = cli_guest_by_machine(status_number(u, "machine"));

		printf(!strcmp(kind, "instruction") ? "  %s %s %08llx, %lld times\n" : "  %s %s %llu, %lld times\n", g ? g->name : "?", kind,
		       (unsigned long long)status_number(u, "value"), (long long)status_number(u, "count"));
	}
}

static size_t length(struct json_object *array)
{
	return array && json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* Objects in memory and on disk. */
static void print_cache(struct json_object *s)
{
	struct json_object *cache = status_member(s, "cache"), *memory = status_member(s, "memory");

	printf("cache: %zu objects in memory, %.1f MiB (at most %.0f); %lld on disk, %.1f MiB (at most %.0f), in %s\n",
	       length(status_member(s, "objects")), status_number(memory, "bytes") / 1048576.,
	       status_number(memory, "limit") / 1048576., (long long)status_number(cache, "files"),
	       status_number(cache, "bytes") / 1048576., status_number(cache, "limit") / 1048576., status_text(cache, "directory"));
	if (!status_flag(cache, "usable"))
		puts("  warning: the directory cannot be used now, objects stay in memory; the server's log says why");
	status_print_hits(s);
	if (status_number(s, "crashes") || status_number(s, "set_aside"))
		printf("  warning: %lld workers crashed, %lld damaged objects were set aside; see the server's log\n",
		       (long long)status_number(s, "crashes"), (long long)status_number(s, "set_aside"));
}

/* What the module's programs asked. A server that does not know devices says nothing. */
static void print_device(struct json_object *s)
{
	struct json_object *d = status_member(s, "device");

	if (!d)
		return;
	printf("  serves the kernel module: %lld files asked for, %lld places (%lld were there), %lld waiting\n", (long long)status_number(d, "opens"),
	       (long long)status_number(d, "misses"), (long long)status_number(d, "hits"), (long long)status_number(d, "waiting"));
}

/* Code is of one very translator: another build's server has none for the runtime that is built with this program. */
static void warn_of_build(struct json_object *s)
{
	static const unsigned char id[] = DRAGOMAN_TRANSLATOR_ID;
	const char *theirs = status_text(s, "translator");
	char ours[2 * sizeof(id) + 1];

	cache_hex(ours, id, sizeof(id));
	if (*theirs && strcmp(theirs, ours))
		puts("  warning: it is another build's, so it is of no use to programs of this one; stop it, and start or install this build's");
}

void status_print_server(struct json_object *s, bool module)
{
	if (!s) {
		printf("server: none runs; `dragoman run` starts one for this user, `systemctl %s` one for everybody\n",
		       module ? "start dragomand" : "enable --now dragomand.socket");
		return;
	}
	printf("server: %s, pid %lld", *status_text(s, "error") ? "does not answer" : "runs", (long long)status_number(s, "pid"));
	if (*status_text(s, "error")) {
		printf(" (%s), %s\n", status_text(s, "error"), status_text(s, "socket"));
		return;
	}
	printf(", version %s, for ", status_text(s, "version"));
	print_duration(status_number(s, "uptime"));
	printf(", %s, %lld workers\n", status_text(s, "socket"), (long long)status_number(status_member(s, "workers"), "running"));
	warn_of_build(s);
	print_device(s);
	print_cache(s);
	print_unsupported(status_member(s, "unsupported"));
}
