// SPDX-License-Identifier: MIT
/*
 * Versions of files on tmpfs, where a store through a shared map changes no time, so that the identity of a changed file may be the old one.
 * What does show is that whoever could store had the file open for writing, and that his last descriptor or map is gone at some time:
 * a lease cannot be had until then, and inotify tells of the closing. So a file's version is a number of this process that is new whenever
 * a writer has gone; while there is one it has none.
 *
 * Which devices are tmpfs is learned from the readers: to ask a file system what it is may take as long as its user likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "server/server.h"

#define MAX_DEVICES 64
#define FILES 8192u		/* power of two; watched at a time */
#define PROBES 8

struct watched {
	u64 dev, ino;
	int wd;				/* 0: free */
	u32 version;
};

static u64 devices[MAX_DEVICES];
static unsigned ndevices;
static struct watched *files;
static int notify = -1;
static u32 counter;

static bool is_tmpfs(u64 dev)
{
	for (unsigned i = 0; i < ndevices; i++)
		if (devices[i] == dev)
			return true;
	return false;
}

void srv_version_learn(u64 dev)
{
	if (is_tmpfs(dev))
		return;
	devices[ndevices < MAX_DEVICES ? ndevices : dev % MAX_DEVICES] = dev;
	ndevices += ndevices < MAX_DEVICES;
}

static u32 next_version(void)
{
	if (++counter == SRV_NO_VERSION)
		counter = 1;
	return counter;
}

/* Forgets all: versions that are given later are new ones. */
static void start_again(void)
{
	if (notify >= 0)
		close(notify);
	notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!files)
		files = calloc(FILES, sizeof(*files));
	else
		memset(files, 0, FILES * sizeof(*files));
}

static void happened(const struct inotify_event *e)
{
	for (u32 i = 0; i < FILES; i++) {
		if (files[i].wd != e->wd)
			continue;
		if (e->mask & IN_IGNORED)	/* the file is gone */
			files[i] = (struct watched){ 0 };
		else
			files[i].version = next_version();
		return;
	}
}

/* Takes what has happened until now. */
static void drain(void)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while ((n = read(notify, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			if (e->mask & IN_Q_OVERFLOW) {
				start_again();
				return;
			}
			happened(e);
			at += (ssize_t)sizeof(*e) + e->len;
		}
	}
}

static struct watched *find(u64 dev, u64 ino, bool free_one)
{
	u32 h = (u32)((dev * 0x9e3779b97f4a7c15ull ^ ino * 0xc2b2ae3d27d4eb4full) >> 40);

	for (unsigned i = 0; i < PROBES; i++) {
		struct watched *f = &files[(h + i) & (FILES - 1)];

		if (free_one ? !f->wd : f->wd && f->dev == dev && f->ino == ino)
			return f;
	}
	return NULL;
}

static struct watched *watch(int fd, u64 dev, u64 ino)
{
	struct watched *f = find(dev, ino, false);
	char path[32];
	int wd;

	if (f)
		return f;
	f = find(dev, ino, true);
	if (!f) {
		start_again();
		f = files && notify >= 0 ? find(dev, ino, true) : NULL;
		if (!f)
			return NULL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(notify, path, IN_CLOSE_WRITE);
	if (wd <= 0)
		return NULL;
	*f = (struct watched){ .dev = dev, .ino = ino, .wd = wd, .version = next_version() };
	return f;
}

static bool has_writer(int fd)
{
	static bool ready;

	if (!ready)
		signal(SIGIO, SIG_IGN);		/* somebody opens it at this very moment */
	ready = true;
	if (fcntl(fd, F_SETLEASE, F_RDLCK))
		return true;			/* or nobody can tell */
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

void srv_version_set(int fd, struct drg_file *id)
{
	id->reserved = 0;
	if (!is_tmpfs(id->dev))
		return;
	id->reserved = SRV_NO_VERSION;
	if (fd < 0)
		return;
	if (!files || notify < 0)
		start_again();
	/* First the watch, then the look for writers, then what the watch saw: none can slip through. */
	if (!files || notify < 0 || !watch(fd, id->dev, id->ino) || has_writer(fd))
		return;
	drain();
	if (files && find(id->dev, id->ino, false))
		id->reserved = find(id->dev, id->ino, false)->version;
}
