// SPDX-License-Identifier: MIT
/*
 * Profiles: which places of a guest file were asked for, in order. Kept by content in a file apart from code, so that a new
 * translator begins with what matters.
 *
 * profiles/DIGEST: struct head, then n places (bytes from text_lo). Read with distrust: a wrong place costs a useless translation.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/server.h"

#define PROFILE_MAGIC 0x3146525047444d47ull
#define MAX_PROFILE 16384

struct head {
	u64 magic;
	u32 n, reserved;
	u64 text_lo;
	char name[64];
	u8 sum[32];			/* of the places */
};

void srv_profile_add(struct srv_object *o, u32 pc)
{
	if (o->nprofile == MAX_PROFILE)
		return;
	if (o->nprofile == o->profile_room) {
		unsigned room = o->profile_room ? 2 * o->profile_room : 64;
		void *p = realloc(o->profile, room * sizeof(*o->profile));

		if (!p)
			return;
		o->profile = p;
		o->profile_room = room;
	}
	o->profile[o->nprofile++] = pc;
}

static void file_name(char name[65], const struct srv_object *o)
{
	srv_hex(name, o->key.digest, 32);
}

void srv_profile_load(struct srv_object *o)
{
	char name[65];
	struct head h;
	u8 sum[32];
	u32 *pc = NULL;
	int dir = srv_store_usable() ? srv_store_subdir("profiles") : -1, fd = -1;

	if (dir < 0)
		return;
	file_name(name, o);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || read(fd, &h, sizeof(h)) != sizeof(h) || h.magic != PROFILE_MAGIC || h.n > MAX_PROFILE)
		goto out;
	pc = malloc(h.n * sizeof(*pc) + 1);
	if (!pc || read(fd, pc, h.n * sizeof(*pc)) != (ssize_t)(h.n * sizeof(*pc)))
		goto out;
	srv_sha256(pc, h.n * sizeof(*pc), sum);
	if (memcmp(sum, h.sum, sizeof(sum)))
		goto out;
	for (u32 i = 0; i < h.n && h.text_lo == o->head.text_lo; i++)
		if (!(pc[i] & 3) && pc[i] < o->head.text_hi - o->head.text_lo)
			srv_profile_add(o, pc[i]);
	o->profile_saved = o->nprofile;
out:
	free(pc);
	if (fd >= 0)
		close(fd);
	close(dir);
}

static int fill(int fd, void *ctx)
{
	struct srv_object *o = ctx;
	struct head h = { .magic = PROFILE_MAGIC, .n = o->nprofile, .text_lo = o->head.text_lo };
	ssize_t bytes = o->nprofile * sizeof(*o->profile);

	memcpy(h.name, o->name, sizeof(h.name));
	srv_sha256(o->profile, bytes, h.sum);
	errno = 0;
	if (write(fd, &h, sizeof(h)) != sizeof(h) || write(fd, o->profile, bytes) != bytes)
		return errno ? -errno : -ENOSPC;
	return 0;
}

void srv_profile_save(struct srv_object *o)
{
	char name[65];
	int dir, err;

	if (o->profile_saved == o->nprofile || !srv_store_usable())
		return;
	o->profile_saved = o->nprofile;
	dir = srv_store_subdir("profiles");
	file_name(name, o);
	err = dir < 0 ? dir : srv_store_write(dir, name, fill, o);
	if (err)
		srv_store_failed(err);
	if (dir >= 0)
		close(dir);
}
