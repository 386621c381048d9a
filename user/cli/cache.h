/* SPDX-License-Identifier: MIT */
/* The cache directory seen from `dragoman cache`; see cache_dir.c. */
#ifndef DRAGOMAN_CLI_CACHE_H
#define DRAGOMAN_CLI_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "cli.h"
#include "dragoman/object.h"

#define CACHE_SYSTEM_DIR "/var/cache/dragoman"

struct cache_dir {
	char path[PATH_MAX];
	int fd;				/* -1: there is none yet */
	uid_t owner;
};

/* A file of the cache that has an object's name. */
struct cache_object {
	const char *name;
	int fd;				/* for reading; the walk closes it; -1 */
	struct dragoman_object h;	/* as in the file; to be believed only if why is NULL */
	bool other;			/* another translator's: not looked into */
	const char *why;		/* what is wrong with file or header, or NULL */
	unsigned long long disk;	/* bytes that the file takes */
	time_t used;			/* last time that it was written or loaded */
};

/*
 * given: --dir, or NULL: $DRAGOMAN_CACHE, else the running server's, else what a server of this user would have. A directory that is not
 * there is an empty cache. 0, or prints and returns an exit status.
 */
int cache_open(struct cache_dir *dir, const char *given);
void cache_close(struct cache_dir *dir);

/* Calls fn for each object until it returns non-zero; that, 0 or -errno. */
int cache_each(const struct cache_dir *dir, int (*fn)(struct cache_object *o, void *arg), void *arg);

/* Does the server that runs use this directory? */
bool cache_of_server(const struct cache_dir *dir);

/* If so: asks it to write what it has in memory only. */
void cache_flush(const struct cache_dir *dir);

/* May the caller change the cache? Prints if not. */
bool cache_writable(const struct cache_dir *dir, const char *command);

/* DIGEST-FEATURES-TRANSLATOR.dgo, all in hexadecimal, of the translator 16 digits; in the folder CACHE_OBJECTS. */
#define CACHE_OBJECTS "objects"
#define CACHE_NAME_LEN (64 + 1 + 16 + 1 + 16 + 4)
bool cache_parse_name(const char *name);
void cache_name(char *name, const struct dragoman_object *h);	/* name: CACHE_NAME_LEN + 1 bytes */

/* Bytes of an object's file that hold something, from its header. */
unsigned long long cache_object_bytes(const struct dragoman_object *h);

bool cache_is_current(const struct dragoman_object *h);		/* made by this very translator? */
void cache_hex(char *out, const unsigned char *bytes, size_t n);	/* out: 2 n + 1 bytes */

/* The subcommands: argv[0] is their name; the directory is open, and getopt has taken the common options. */
int cache_list(const struct cache_dir *dir, int argc, char **argv);
int cache_stat(const struct cache_dir *dir, int argc, char **argv);
int cache_verify(const struct cache_dir *dir, int argc, char **argv);
int cache_clear(const struct cache_dir *dir, int argc, char **argv);
int cache_export(const struct cache_dir *dir, int argc, char **argv);
int cache_import(const struct cache_dir *dir, int argc, char **argv);

#endif
