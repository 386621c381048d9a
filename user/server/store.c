// SPDX-License-Identifier: MIT
/*
 * The cache directory:
 *
 *   objects/DIGEST-FEATURES-TRANSLATOR.dgo   objects; TRANSLATOR: the first 16 digits of its id
 *   damaged/                                 files from objects/ that were not what they should be
 *   profiles/DIGEST                          profile.c
 *   identities                               ident.c
 *   crashes                                  files that crashed the translator: digest, translator, how often
 *
 * A file gets its name when it is whole (temporary name, rename), so a server that is killed leaves no half of one. When the disk does not
 * do what it should (full, read-only, removed), the server goes on in memory, says so once, and tries again a minute later.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

#define RETRY 60000		/* ms */
#define TEMP ".tmp-"
#define TEMP_OLD 3600		/* seconds: then nobody is writing it any more */

static bool broken;
static u64 retry_at;
static u64 bytes;		/* in objects/ and damaged/ */
static unsigned nfiles;
static bool counted;

void srv_store_failed(int error)
{
	retry_at = srv_now() + RETRY;
	if (!broken)
		srv_log(SRV_WARN, "cache directory cannot be used (%s): objects stay in memory, next try in a minute", strerror(-error));
	broken = true;
	counted = false;
}

void srv_store_worked(void)
{
	/* What had begun before it broke says nothing: where no inode is left a file that has one can still be written. */
	if (broken && srv_now() < retry_at)
		return;
	if (broken)
		srv_log(SRV_INFO, "cache directory can be used again");
	broken = false;
}

bool srv_store_usable(void)
{
	return srv_opt.cache_dir[0] && (!broken || srv_now() >= retry_at);
}

static int make_path(const char *path)
{
	char part[sizeof(srv_opt.cache_dir)];

	for (const char *p = path + 1;; p++) {
		if (*p && *p != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdir(part, 0700) && errno != EEXIST && !(errno == EROFS && !access(part, F_OK)))
			return -errno;
		if (!*p)
			return 0;
	}
}

/* Ours, and written by nobody else: what lies in it becomes code of others. */
static int check_dir(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & 022 ? -EPERM : 0;
}

int srv_store_dir(void)
{
	int fd, err;

	if (!srv_opt.cache_dir[0])
		return -ENOENT;
	fd = open(srv_opt.cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !(err = make_path(srv_opt.cache_dir)))
		fd = open(srv_opt.cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = check_dir(fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int srv_store_subdir(const char *name)
{
	int dir = srv_store_dir(), fd, err;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && !mkdirat(dir, name, 0700))
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	err = fd < 0 ? -errno : check_dir(fd);
	close(dir);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

void srv_store_name(char name[SRV_NAME_SIZE], const struct obj_key *key)
{
	char digest[65], translator[17];

	snprintf(name, SRV_NAME_SIZE, "%s-%016llx-%s.dgo", srv_hex(digest, key->digest, 32), (unsigned long long)key->features,
		 srv_hex(translator, key->translator, 8));
}

/* ---------------------------------------------------------------- writing */

static void temp_name(char temp[SRV_NAME_SIZE])
{
	static unsigned n;

	snprintf(temp, SRV_NAME_SIZE, TEMP "%d-%u", (int)getpid(), n++);
}

static int create(int dir, char temp[SRV_NAME_SIZE])
{
	int fd;

	temp_name(temp);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int srv_store_write(int dir, const char *name, int (*fill)(int fd, void *ctx), void *ctx)
{
	char temp[SRV_NAME_SIZE];
	int fd = create(dir, temp), err;

	if (fd < 0)
		return fd;
	err = fill(fd, ctx);
	close(fd);
	if (!err && renameat(dir, temp, dir, name))
		err = -errno;
	if (err)
		unlinkat(dir, temp, 0);
	return err;
}

int srv_store_begin(char temp[SRV_NAME_SIZE])
{
	int dir = srv_store_subdir("objects"), fd;

	if (dir < 0)
		return dir;
	fd = create(dir, temp);
	close(dir);
	return fd;
}

static void count_file(int dir, const char *name, int sign)
{
	struct stat st;

	if (!counted || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	bytes += sign * (s64)st.st_blocks * 512;
	nfiles += sign;
}

static void evict(void);

int srv_store_commit(const char *temp, const struct obj_key *key)
{
	char name[SRV_NAME_SIZE];
	int dir = srv_store_subdir("objects"), err = 0;

	if (dir < 0)
		return dir;
	srv_store_name(name, key);
	count_file(dir, name, -1);
	if (renameat(dir, temp, dir, name))
		err = -errno;
	count_file(dir, name, 1);
	close(dir);
	if (!err && srv_store_size() > srv_opt.cache_size)
		evict();
	return err;
}

void srv_store_abort(const char *temp)
{
	int dir = srv_store_subdir("objects");

	if (dir < 0)
		return;
	unlinkat(dir, temp, 0);
	close(dir);
}

/* ---------------------------------------------------------------- reading */

int srv_store_find(const struct obj_key *key)
{
	char name[SRV_NAME_SIZE];
	int dir = srv_store_subdir("objects"), fd;
	struct stat st;

	if (dir < 0)
		return dir;
	srv_store_name(name, key);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		int err = -errno;

		close(dir);
		if (err == -ELOOP)
			srv_store_set_aside(key, "it is a symbolic link");
		return err;
	}
	close(dir);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022 || st.st_nlink != 1) {
		close(fd);
		srv_store_set_aside(key, "it is not a regular file of this server's own");
		return -EINVAL;
	}
	futimens(fd, NULL);		/* when it was used last: the order in which files are evicted */
	return fd;
}

void srv_store_set_aside(const struct obj_key *key, const char *why)
{
	static struct srv_rate rate;
	char name[SRV_NAME_SIZE];
	int from = srv_store_subdir("objects"), to = srv_store_subdir("damaged");

	srv_store_name(name, key);
	srv_count.set_aside++;
	srv_log_rate(&rate, SRV_WARN, "object file %.16s... set aside: %s", name, why);
	if (from >= 0 && (to < 0 || renameat(from, name, to, name)))
		unlinkat(from, name, 0);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}

/* ---------------------------------------------------------------- all files: size, eviction */

struct entry {
	s64 used;
	u64 size;
	char dir;			/* 'o', 'd' */
	char name[SRV_NAME_SIZE];
};
struct scan {
	struct entry *e;
	size_t n, room;
};

static bool parse_name(const char *name)
{
	return strlen(name) == 64 + 1 + 16 + 1 + 16 + 4 && strspn(name, "0123456789abcdef") == 64 && name[64] == '-' && name[81] == '-' &&
	       !strcmp(name + 98, ".dgo");
}

static void scan_dir(struct scan *s, const char *sub)
{
	int fd = srv_store_subdir(sub);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	struct stat st;

	if (!d && fd >= 0)
		close(fd);
	while (d && (de = readdir(d))) {
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!strncmp(de->d_name, TEMP, strlen(TEMP)) && st.st_mtime + TEMP_OLD < time(NULL))
			unlinkat(fd, de->d_name, 0);
		if (!parse_name(de->d_name))
			continue;
		if (s->n == s->room) {
			size_t room = s->room ? s->room * 2 : 256;
			void *e = realloc(s->e, room * sizeof(*s->e));

			if (!e)
				break;
			s->e = e;
			s->room = room;
		}
		s->e[s->n] = (struct entry){ st.st_mtime, (u64)st.st_blocks * 512, sub[0], "" };
		strcpy(s->e[s->n++].name, de->d_name);
	}
	if (d)
		closedir(d);
}

static int by_use(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

static void scan_all(struct scan *s)
{
	*s = (struct scan){ 0 };
	scan_dir(s, "objects");
	scan_dir(s, "damaged");
	bytes = 0;
	nfiles = s->n;
	for (size_t i = 0; i < s->n; i++)
		bytes += s->e[i].size;
	counted = true;
}

static void count_all(void)
{
	struct scan s;

	if (counted)
		return;
	scan_all(&s);
	free(s.e);
}

u64 srv_store_size(void)
{
	count_all();
	return bytes;
}

unsigned srv_store_files(void)
{
	count_all();
	return nfiles;
}

static bool in_memory(const char *name)
{
	char other[SRV_NAME_SIZE];

	for (unsigned i = 0; i < srv_nobjects; i++) {
		if (srv_objects[i]->state != SRV_READY)
			continue;
		srv_store_name(other, &srv_objects[i]->key);
		if (!strcmp(name, other))
			return true;
	}
	return false;
}

/* Removes what was used longest ago, until an eighth below the limit, so that this is not done for each new file. */
static void evict(void)
{
	struct scan s;
	unsigned removed = 0;
	int odir = srv_store_subdir("objects"), ddir = srv_store_subdir("damaged");

	scan_all(&s);
	if (s.n)
		qsort(s.e, s.n, sizeof(*s.e), by_use);
	for (size_t i = 0; i < s.n && bytes > srv_opt.cache_size - srv_opt.cache_size / 8; i++) {
		if (s.e[i].dir == 'o' && in_memory(s.e[i].name))
			continue;
		if (unlinkat(s.e[i].dir == 'o' ? odir : ddir, s.e[i].name, 0))
			continue;
		bytes -= MIN(bytes, s.e[i].size);
		nfiles--;
		removed++;
	}
	free(s.e);
	if (removed)
		srv_log(SRV_INFO, "cache: %u objects removed, %llu MiB stay", removed, (unsigned long long)bytes >> 20);
	if (odir >= 0)
		close(odir);
	if (ddir >= 0)
		close(ddir);
}

/* Everything goes that a name of ours stands for; what else may lie there stays. */
void srv_store_clear(void)
{
	static const char *const subs[] = { "objects", "damaged", "profiles" };

	for (unsigned i = 0; i < ARRAY_SIZE(subs); i++) {
		int fd = srv_store_subdir(subs[i]);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		struct dirent *de;

		while (d && (de = readdir(d)))
			if (parse_name(de->d_name) || (i == 2 && strspn(de->d_name, "0123456789abcdef") == 64))
				unlinkat(fd, de->d_name, 0);
		if (d)
			closedir(d);
		else if (fd >= 0)
			close(fd);
	}
	int dir = srv_store_dir();

	if (dir >= 0) {
		unlinkat(dir, "identities", 0);
		unlinkat(dir, "crashes", 0);
		close(dir);
	}
	counted = false;
}

int srv_store_open(void)
{
	int dir = srv_store_subdir("objects");

	if (dir < 0) {
		srv_store_failed(dir);
		return dir;
	}
	close(dir);
	if (srv_store_size() > srv_opt.cache_size)
		evict();
	return 0;
}

/* ---------------------------------------------------------------- crashes */

#define MAX_CRASHES 1024
static struct crash {
	u8 digest[32];
	unsigned n;
} crashes[MAX_CRASHES];
static unsigned ncrashes;

unsigned srv_crashes_get(const u8 digest[32])
{
	for (unsigned i = 0; i < ncrashes; i++)
		if (!memcmp(crashes[i].digest, digest, 32))
			return crashes[i].n;
	return 0;
}

static int fill_crashes(int fd, void *ctx)
{
	char digest[65], translator[17], line[128];

	(void)ctx;
	for (unsigned i = 0; i < ncrashes; i++) {
		int n = snprintf(line, sizeof(line), "%s %s %u\n", srv_hex(digest, crashes[i].digest, 32),
				 srv_hex(translator, srv_translator, 8), crashes[i].n);

		if (write(fd, line, n) != n)
			return errno ? -errno : -ENOSPC;
	}
	return 0;
}

void srv_crashes_put(const u8 digest[32], unsigned n)
{
	unsigned i;
	int dir, err;

	for (i = 0; i < ncrashes && memcmp(crashes[i].digest, digest, 32); i++)
		;
	if (i == ncrashes && ncrashes < MAX_CRASHES)
		ncrashes++;
	i = MIN(i, (unsigned)MAX_CRASHES - 1);
	memcpy(crashes[i].digest, digest, 32);
	crashes[i].n = n;
	dir = srv_store_dir();
	err = dir < 0 ? dir : srv_store_write(dir, "crashes", fill_crashes, NULL);
	if (err)
		srv_store_failed(err);
	if (dir >= 0)
		close(dir);
}

static bool unhex(u8 *out, const char *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned v;

		if (strspn(s + 2 * i, "0123456789abcdef") < 2 || sscanf(s + 2 * i, "%2x", &v) != 1)
			return false;
		out[i] = v;
	}
	return true;
}

/* Lines that are damaged or another translator's are left out. */
void srv_crashes_load(void)
{
	char line[256], mine[17];
	int dir = srv_store_dir();
	int fd = dir < 0 ? -1 : openat(dir, "crashes", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned n;

	srv_hex(mine, srv_translator, 8);
	while (f && fgets(line, sizeof(line), f)) {
		if (ncrashes < MAX_CRASHES && strlen(line) > 83 && unhex(crashes[ncrashes].digest, line, 32) &&
		    !strncmp(line + 65, mine, 16) && sscanf(line + 81, " %u", &n) == 1)
			crashes[ncrashes++].n = n;
	}
	if (f)
		fclose(f);
	if (dir >= 0)
		close(dir);
}
