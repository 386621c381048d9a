// SPDX-License-Identifier: MIT
/* The server's state as JSON, for `dragoman status`. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/server.h"

#define U(x) ((unsigned long long)(x))

static void counters(FILE *f)
{
	const struct srv_counters *c = &srv_count;

	fprintf(f, "  \"connections\": %llu,\n  \"requests\": %llu,\n  \"refused\": %llu,\n", U(c->connections), U(c->requests), U(c->refused));
	fprintf(f, "  \"attached\": {\"files\": %llu, \"ok\": %llu, \"hits\": %llu, \"later\": %llu, \"never\": %llu},\n", U(c->attach_files),
		U(c->ok), U(c->hits), U(c->later), U(c->never));
	fprintf(f, "  \"misses\": {\"messages\": %llu, \"places\": %llu},\n", U(c->misses), U(c->miss_pcs));
	fprintf(f, "  \"files_read\": %llu,\n  \"objects_made\": %llu,\n  \"objects_loaded\": %llu,\n  \"objects_saved\": %llu,\n"
		   "  \"save_errors\": %llu,\n  \"set_aside\": %llu,\n  \"crashes\": %llu,\n", U(c->reads), U(c->creates), U(c->loads),
		U(c->saves), U(c->save_errors), U(c->set_aside), U(c->crashes));
}

static void object(FILE *f, const struct srv_object *o, const char *sep)
{
	static const char *const states[] = { "wanted", "loading", "ready", "never" };
	static const char *const phases[] = { "starting", "misses", "closure", "ahead", "idle" };
	const struct dragoman_object *h = o->map;
	char digest[65];
	unsigned phase = o->worker ? MIN(o->worker->page->phase, 4u) : 0;

	fprintf(f, "%s\n    {\"name\": \"%s\", \"digest\": \"%s\", \"features\": \"%#llx\", \"state\": \"%s\"", sep, o->name,
		srv_hex(digest, o->key.digest, 32), U(o->key.features), states[o->state]);
	fprintf(f, ", \"device\": %s", o->device ? "true" : "false");
	fprintf(f, ", \"attached\": %llu, \"misses\": %llu, \"memory\": %llu, \"crashes\": %u, \"complete\": %s, \"profile\": %u",
		U(o->attaches), U(o->misses), U(o->memory), o->crashes, o->ahead_done ? "true" : "false", o->nprofile);
	if (h)
		fprintf(f, ", \"regions\": %u, \"instructions\": %u, \"hot_bytes\": %u, \"cold_bytes\": %u, \"description_bytes\": %u",
			h->nregions, h->ninsns, h->hot_used, h->cold_used + h->pool_used, h->meta_used);
	if (o->worker)
		fprintf(f, ", \"worker\": {\"pid\": %d, \"phase\": \"%s\"}", o->worker->pid, phases[phase]);
	fputc('}', f);
}

static void objects(FILE *f)
{
	const char *sep = "";

	fputs("  \"objects\": [", f);
	for (unsigned i = 0; i < srv_nobjects; i++, sep = ",")
		object(f, srv_objects[i], sep);
	fputs("\n  ],\n", f);
}

static void unsupported(FILE *f)
{
	fputs("  \"unsupported\": [", f);
	for (unsigned i = 0; i < srv_nunsupported; i++)
		fprintf(f, "%s\n    {\"kind\": \"%s\", \"machine\": %u, \"value\": %llu, \"count\": %llu}", i ? "," : "",
			srv_unsupported[i].kind ? "system call" : "instruction", srv_unsupported[i].machine,
			U(srv_unsupported[i].value), U(srv_unsupported[i].count));
	fputs("\n  ]\n", f);
}

/* A path as a JSON string. */
static void string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fprintf(f, (u8)*s < 32 ? "\\u%04x" : "%c", (u8)*s);
	}
	fputc('"', f);
}

int srv_status_write(FILE *f)
{
	char id[65];

	fprintf(f, "{\n  \"version\": \"%s\",\n  \"protocol\": %u,\n  \"pid\": %d,\n  \"uptime\": %llu,\n  \"generation\": %u,\n", DRAGOMAN_VERSION,
		DRG_VERSION, (int)getpid(), U((srv_now() - srv_started) / 1000), srv_generation);
	fprintf(f, "  \"user\": %s,\n  \"translator\": \"%s\",\n  \"features\": \"%#llx\",\n", srv_opt.user ? "true" : "false",
		srv_hex(id, srv_translator, 32), U(srv_features()));
	fputs("  \"cache\": {\"directory\": ", f);
	string(f, srv_opt.cache_dir);
	fprintf(f, ", \"usable\": %s, \"bytes\": %llu, \"limit\": %llu, \"files\": %u},\n", srv_store_usable() ? "true" : "false",
		U(srv_store_size()), U(srv_opt.cache_size), srv_store_files());
	fprintf(f, "  \"memory\": {\"bytes\": %llu, \"limit\": %llu, \"evicted\": %llu},\n", U(srv_objects_memory()), U(srv_opt.memory_limit),
		U(srv_count.evicted_memory));
	fprintf(f, "  \"workers\": {\"running\": %u, \"limit\": %u},\n  \"jobs\": %u,\n  \"gates\": %u,\n  \"identities\": %u,\n  \"clients\": %u,\n",
		srv_workers_count(), srv_opt.workers, srv_jobs_count(), srv_gates_count(), srv_ident_count(), srv_transport_socket.clients());
	srv_device_status(f);
	counters(f);
	objects(f);
	unsupported(f);
	fputs("}\n", f);
	return ferror(f) ? -EIO : 0;
}

int srv_status_fd(void)
{
	int fd = memfd_create("dragoman-status", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");
	int err = f ? srv_status_write(f) : -errno;

	if (f && fclose(f) && !err)
		err = -errno;
	if (!err && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		err = -errno;
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}
