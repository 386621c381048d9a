// SPDX-License-Identifier: MIT
/* dragoman cache list, stat: what is in the cache. In: the objects' headers, the server's counters; out: text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "status.h"

struct totals {
	unsigned long long objects, damaged, other, complete, insns, regions, bytes, disk;
};

static const char *state(const struct cache_object *o)
{
	return o->why ? "damaged" : o->other ? "other" : o->h.complete ? "complete" : "partial";
}

static int list_one(struct cache_object *o, void *arg)
{
	bool nothing = o->why || o->other;
	char used[32];

	(void)arg;
	strftime(used, sizeof(used), "%Y-%m-%d %H:%M", localtime(&o->used));
	printf("%.64s  %8llx  %-8s %10u %8llu %8llu  %s\n", o->name, nothing ? 0 : (unsigned long long)o->h.features, state(o),
	       nothing ? 0 : o->h.ninsns, nothing ? 0 : cache_object_bytes(&o->h) >> 10, o->disk >> 10, used);
	return 0;
}

static int list_failed(const struct cache_dir *dir, int err)
{
	cli_error("%s: %s", dir->path, strerror(-err));
	return CLI_FAILED;
}

int cache_list(const struct cache_dir *dir, int argc, char **argv)
{
	int err;

	(void)argc;
	(void)argv;
	cache_flush(dir);
	printf("%-64s  %8s  %-8s %10s %8s %8s  %s\n", "SHA-256 of the guest file", "features", "state", "insns", "KiB", "on disk", "last use");
	err = cache_each(dir, list_one, NULL);
	return err ? list_failed(dir, err) : 0;
}

static int add(struct cache_object *o, void *arg)
{
	struct totals *t = arg;

	t->objects++;
	t->disk += o->disk;
	if (o->why) {
		t->damaged++;
		return 0;
	}
	if (o->other) {
		t->other++;
		return 0;
	}
	t->complete += o->h.complete;
	t->insns += o->h.ninsns;
	t->regions += o->h.nregions;
	t->bytes += cache_object_bytes(&o->h);
	return 0;
}

int cache_stat(const struct cache_dir *dir, int argc, char **argv)
{
	struct totals t = { 0 };
	struct json_object *server;
	int err;

	(void)argc;
	(void)argv;
	cache_flush(dir);
	err = cache_each(dir, add, &t);
	if (err)
		return list_failed(dir, err);
	printf("directory:     %s\n", dir->path);
	printf("objects:       %llu, %.1f MiB on disk\n", t.objects, t.disk / 1048576.);
	printf("usable:        %llu, of which %llu complete\n", t.objects - t.other - t.damaged, t.complete);
	printf("of others:     %llu made by other versions; they go as room is wanted\n", t.other);
	printf("damaged:       %llu%s\n", t.damaged, t.damaged ? "; `dragoman cache verify` names them" : "");
	printf("instructions:  %llu in %llu regions, %.1f MiB of code and tables\n", t.insns, t.regions, t.bytes / 1048576.);
	if (cache_of_server(dir)) {
		server = status_server();
		puts("server:");
		status_print_hits(server);
		json_object_put(server);
	}
	return 0;
}
