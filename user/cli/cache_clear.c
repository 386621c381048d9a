// SPDX-License-Identifier: MIT
/*
 * dragoman cache clear. In: the cache directory; out: no objects in it, nor what else the server remembers there. A server that runs does it
 * itself, because it has objects in memory; a process that uses one goes on with what it has mapped.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "client.h"

#define CLEAR_TIMEOUT 60000		/* ms */

static bool is_object(const char *name)
{
	return cache_parse_name(name) || !strncmp(name, ".tmp-", 5);
}

static bool is_profile(const char *name)
{
	return strspn(name, "0123456789abcdef") == 64;
}

/* Removes what has a name of ours; what else lies there stays. How many, or -errno. */
static long clear_folder(int dir, const char *name, bool (*ours)(const char *name))
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	long n = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (n >= 0 && (e = readdir(d)))
		if (ours(e->d_name))
			n = unlinkat(fd, e->d_name, 0) ? -errno : n + 1;
	closedir(d);
	return n;
}

static int clear_directory(const struct cache_dir *dir)
{
	long n, err;

	if (dir->fd < 0)
		return 0;
	if (!cache_writable(dir, "clear"))
		return CLI_FAILED;
	n = clear_folder(dir->fd, CACHE_OBJECTS, is_object);
	err = n < 0 ? n : clear_folder(dir->fd, "damaged", is_object);
	if (err >= 0)
		err = clear_folder(dir->fd, "profiles", is_profile);
	if (err < 0) {
		cli_error("cache clear: %s: %s", dir->path, strerror(-err));
		return CLI_FAILED;
	}
	unlinkat(dir->fd, "identities", 0);
	unlinkat(dir->fd, "crashes", 0);
	printf("%ld objects removed\n", n);
	return 0;
}

int cache_clear(const struct cache_dir *dir, int argc, char **argv)
{
	int sock, err;

	(void)argc;
	(void)argv;
	if (!cache_of_server(dir))
		return clear_directory(dir);
	sock = cli_connect(NULL);
	err = sock < 0 ? sock : cli_command(sock, DRG_CLEAR, CLEAR_TIMEOUT);
	if (sock >= 0)
		close(sock);
	if (err) {
		cli_error("cache clear: the server: %s%s", strerror(-err), err == -EPERM || err == -EACCES ?
			  "; only root or its owner may clear its cache" : "");
		return CLI_FAILED;
	}
	puts("the server has removed all objects");
	return 0;
}
