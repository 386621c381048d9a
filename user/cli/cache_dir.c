// SPDX-License-Identifier: MIT
/*
 * The cache directory as tools see it: which one it is, and each object in it. In: a name, or what the server says; out: headers that
 * were checked. Nothing here follows a symbolic link below the directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "client.h"
#include "object/object.h"
#include "translator_id.h"

#define FLUSH_TIMEOUT 60000		/* ms */

/* ------------------------------------------------------------ which directory */

static bool server_dir(char *path, size_t max)
{
	struct json_object *status, *cache, *dir;
	char *text;
	bool found;
	int err;

	text = cli_server_status(NULL, &err);
	if (!text)
		return false;
	status = json_tokener_parse(text);
	found = json_object_object_get_ex(status, "cache", &cache) && json_object_object_get_ex(cache, "directory", &dir) &&
		json_object_is_type(dir, json_type_string) &&
		snprintf(path, max, "%s", json_object_get_string(dir)) < (int)max && *path;
	json_object_put(status);
	free(text);
	return found;
}

/* The system's for root, if there is one; else the user's own, for root as well. */
static void default_dir(char *path, size_t max)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (!geteuid() && !access(CACHE_SYSTEM_DIR, F_OK))
		snprintf(path, max, CACHE_SYSTEM_DIR);
	else if (cache && *cache == '/')
		snprintf(path, max, "%s/dragoman", cache);
	else
		snprintf(path, max, "%s/.cache/dragoman", home ? home : "");
}

int cache_open(struct cache_dir *dir, const char *given)
{
	struct stat st;

	if (!given)
		given = getenv("DRAGOMAN_CACHE");
	if (given && *given)
		snprintf(dir->path, sizeof(dir->path), "%s", given);
	else if (!server_dir(dir->path, sizeof(dir->path)))
		default_dir(dir->path, sizeof(dir->path));
	dir->owner = geteuid();
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0 && errno == ENOENT && !(given && *given))
		return 0;
	if (dir->fd < 0 || fstat(dir->fd, &st)) {
		cli_error("%s: %s; --dir names the cache directory", dir->path, strerror(errno));
		return CLI_FAILED;
	}
	dir->owner = st.st_uid;
	return 0;
}

void cache_close(struct cache_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
}

bool cache_writable(const struct cache_dir *dir, const char *command)
{
	if (dir->fd < 0)
		cli_error("cache %s: there is no cache directory yet (%s); start the server once, or make it", command, dir->path);
	else if (geteuid() && geteuid() != dir->owner)
		cli_error("cache %s: only root or the owner of %s may change it", command, dir->path);
	else
		return true;
	return false;
}

bool cache_of_server(const struct cache_dir *dir)
{
	char path[PATH_MAX];
	struct stat a, b;

	return server_dir(path, sizeof(path)) &&
	       (dir->fd < 0 ? !strcmp(path, dir->path) :
		!fstat(dir->fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

void cache_flush(const struct cache_dir *dir)
{
	int sock = cache_of_server(dir) ? cli_connect(NULL) : -1;

	if (sock < 0)
		return;
	cli_command(sock, DRG_FLUSH, FLUSH_TIMEOUT);	/* not allowed to everybody; then what is on the disk has to do */
	close(sock);
}

/* ------------------------------------------------------------ its objects */

bool cache_parse_name(const char *name)
{
	size_t len = strlen(name);

	return len == CACHE_NAME_LEN && strspn(name, "0123456789abcdef") == 64 && name[64] == '-' && name[81] == '-' &&
	       !strcmp(name + len - 4, ".dgo");
}

void cache_name(char *name, const struct dragoman_object *h)
{
	cache_hex(name, h->digest, 32);
	sprintf(name + 64, "-%016llx-", (unsigned long long)h->features);
	cache_hex(name + 82, h->translator, 8);
	strcpy(name + 98, ".dgo");
}

static int visit(int dir, const char *name, int (*fn)(struct cache_object *o, void *arg), void *arg)
{
	struct cache_object o = { .name = name };
	char right[CACHE_NAME_LEN + 1];
	struct stat st;
	int ret;

	o.fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (o.fd < 0 || fstat(o.fd, &st)) {
		o.why = errno == ELOOP ? "is a symbolic link" : strerror(errno);
		memset(&st, 0, sizeof(st));
	} else if (!S_ISREG(st.st_mode)) {
		o.why = "is not a regular file";
	} else if (strncmp(name + 82, DRAGOMAN_TRANSLATOR_ID_TEXT, 16)) {
		o.other = true;			/* its format may be another, too */
	} else if (!obj_load_header(o.fd, &o.h, &o.why)) {
		cache_name(right, &o.h);
		o.why = strcmp(right, name) || !cache_is_current(&o.h) ? "is another object than its name says" : NULL;
	}
	o.disk = st.st_blocks * 512ull;
	o.used = st.st_mtime;
	ret = fn(&o, arg);
	if (o.fd >= 0)
		close(o.fd);
	return ret;
}

int cache_each(const struct cache_dir *dir, int (*fn)(struct cache_object *o, void *arg), void *arg)
{
	int fd = dir->fd < 0 ? -1 : openat(dir->fd, CACHE_OBJECTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret = 0;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return dir->fd < 0 || errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -errno;
	}
	while (!ret && (e = readdir(d)))
		if (cache_parse_name(e->d_name))
			ret = visit(fd, e->d_name, fn, arg);
	closedir(d);
	return ret;
}

bool cache_is_current(const struct dragoman_object *h)
{
	static const unsigned char id[32] = DRAGOMAN_TRANSLATOR_ID;

	return !memcmp(h->translator, id, sizeof(id));
}

unsigned long long cache_object_bytes(const struct dragoman_object *h)
{
	return DRAGOMAN_OBJECT_HEADER + h->index_size + h->nregions * sizeof(struct dragoman_region) + h->hot_used + h->cold_used +
	       h->pool_used + h->meta_used;
}

void cache_hex(char *out, const unsigned char *bytes, size_t n)
{
	*out = 0;
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}
