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
#include "cli.h"
#include "status.h"

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
	struct json_object *n = status_member(server, "counters");
	long long asked = status_number(n, "attach_files"), hits = status_number(n, "ok");

	if (!n)
		return;
	if (asked)
		printf("  found: %.1f %% of %lld files that programs asked for since it started; misses: %lld\n", 100. * hits / asked, asked,
		       (long long)status_number(n, "miss_pcs"));
	else
		printf("  found: no program has asked for anything yet\n");
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

void status_print_server(struct json_object *s)
{
	struct json_object *cache = status_member(s, "cache");

	if (!s) {
		puts("server: none runs; `dragoman run` starts one for this user, `systemctl enable --now dragomand.socket` one for everybody");
		return;
	}
	printf("server: %s, pid %lld", *status_text(s, "error") ? "does not answer" : "runs", (long long)status_number(s, "pid"));
	if (*status_text(s, "error")) {
		printf(" (%s), %s\n", status_text(s, "error"), status_text(s, "socket"));
		return;
	}
	printf(", version %s, for ", status_text(s, "version"));
	print_duration(status_number(s, "uptime_s"));
	printf(", %s\n", status_text(s, "socket"));
	printf("cache: %lld objects in memory (%.1f MiB), %lld on disk (%.1f MiB of at most %.1f), %s\n",
	       (long long)status_number(cache, "objects"), status_number(cache, "memory") / 1048576.,
	       (long long)status_number(cache, "files"), status_number(cache, "bytes") / 1048576.,
	       status_number(cache, "limit") / 1048576., status_text(cache, "directory"));
	status_print_hits(s);
	print_unsupported(status_member(s, "unsupported"));
}
