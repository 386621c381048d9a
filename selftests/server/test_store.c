// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/* The cache directory: names, whole files only, strangers' files, the size limit, what cannot be used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "server/server.h"

static char dir[64];
static time_t later;		/* seconds that the clocks are ahead */

/* In the place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, now);

	now->tv_sec += later;
	return ret;
}

static struct obj_key key_of(unsigned n)
{
	struct obj_key k = { .features = 0x1f };

	memset(k.digest, (int)n, 32);
	memcpy(k.translator, srv_translator, 32);
	return k;
}

static bool there(const char *sub, const struct obj_key *k)
{
	char name[SRV_NAME_SIZE], path[400];

	srv_store_name(name, k);
	snprintf(path, sizeof(path), "%s/cache/%s/%s", dir, sub, name);
	return !access(path, F_OK);
}

static int put(const struct obj_key *k, size_t size)
{
	char temp[SRV_NAME_SIZE], *text = calloc(1, size);
	int fd = srv_store_begin(temp);

	if (fd < 0 || !text || write(fd, text, size) != (ssize_t)size)
		return -1;
	free(text);
	close(fd);
	return srv_store_commit(temp, k);
}

static void test_whole(void)
{
	struct obj_key k = key_of(1);
	char temp[SRV_NAME_SIZE];
	int fd = srv_store_begin(temp);

	CHECK(fd >= 0, "cannot begin: %d", fd);
	CHECK(srv_store_find(&k) == -ENOENT && !there("objects", &k), "there before it is whole");
	close(fd);
	srv_store_abort(temp);
	CHECK(!put(&k, 10000) && there("objects", &k), "not there");
	fd = srv_store_find(&k);
	CHECK(fd >= 0, "not found: %d", fd);
	close(fd);
	CHECK(srv_store_files() == 1 && srv_store_size() >= 8192, "%u files, %llu bytes", srv_store_files(), (unsigned long long)srv_store_size());
	srv_store_set_aside(&k, "this is a test");
	CHECK(!there("objects", &k) && there("damaged", &k), "not set aside");
}

static void test_strangers(void)
{
	struct obj_key k = key_of(2);
	char name[SRV_NAME_SIZE], path[400];
	int fd;

	srv_store_name(name, &k);
	snprintf(path, sizeof(path), "%s/cache/objects/%s", dir, name);
	CHECK(!symlink("/etc/passwd", path), "cannot link");
	CHECK(srv_store_find(&k) < 0 && !there("objects", &k), "a symbolic link was taken");
	CHECK(!put(&k, 5000) && !chmod(path, 0666), "cannot make");
	CHECK(srv_store_find(&k) < 0, "a file that others may write was taken");
	CHECK(!mkfifo(path, 0600), "cannot make a pipe");
	fd = srv_store_find(&k);
	CHECK(fd < 0, "a pipe was taken");
	unlink(path);
	CHECK(!put(&k, 5000), "cannot make");
	snprintf(name, sizeof(name), "%s/other-name", dir);
	CHECK(!link(path, name), "cannot link");
	CHECK(srv_store_find(&k) < 0, "a file that has a second name was taken");
}

static void test_limit(void)
{
	struct stat st;
	char name[SRV_NAME_SIZE], path[400];
	unsigned left = 0;

	srv_store_clear();
	srv_opt.cache_size = 1 << 20;
	for (unsigned i = 10; i < 40; i++) {
		struct obj_key k = key_of(i);
		struct timespec t[2] = { { 1000000 + i, 0 }, { 1000000 + i, 0 } };

		CHECK(!put(&k, 100000), "cannot make");
		srv_store_name(name, &k);
		snprintf(path, sizeof(path), "%s/cache/objects/%s", dir, name);
		utimensat(AT_FDCWD, path, t, 0);
		CHECK(srv_store_size() <= srv_opt.cache_size, "over the limit: %llu", (unsigned long long)srv_store_size());
	}
	for (unsigned i = 10; i < 40; i++) {
		struct obj_key k = key_of(i);

		if (!there("objects", &k))
			CHECK(!left, "number %u is gone, an older one is there", i);
		else
			left++;
	}
	CHECK(left >= 5 && left <= 10, "%u of 30 are left", left);
	snprintf(path, sizeof(path), "%s/cache", dir);
	CHECK(!stat(path, &st) && !(st.st_mode & 077), "others may look into the cache");
}

static void test_crashes(void)
{
	u8 digest[32] = { 1, 2, 3 };

	CHECK(!srv_crashes_get(digest), "counted before");
	srv_crashes_put(digest, 2);
	CHECK(srv_crashes_get(digest) == 2, "not counted");
	srv_crashes_put(digest, 3);
	CHECK(srv_crashes_get(digest) == 3, "not counted");
}

static void test_unusable(void)
{
	char path[128];

	CHECK(srv_store_usable(), "not usable before");
	snprintf(path, sizeof(path), "%s/cache", dir);
	chmod(path, 0777);
	CHECK(srv_store_dir() == -EPERM, "a directory that others may write was taken");
	chmod(path, 0700);
	snprintf(srv_opt.cache_dir, sizeof(srv_opt.cache_dir), "%s/new/deep/cache", dir);
	CHECK(!srv_store_open(), "not made anew");
	srv_store_failed(-ENOSPC);
	CHECK(!srv_store_usable(), "tried again at once");
	/* A save that had begun before may still get its place. */
	srv_store_worked();
	CHECK(!srv_store_usable(), "taken for whole because of what had begun before");
	later = 61;
	CHECK(srv_store_usable(), "not tried again");
	srv_store_failed(-ENOSPC);
	CHECK(!srv_store_usable(), "tried again at once, the second time");
	later = 122;
	srv_store_worked();
	later = 0;
	CHECK(srv_store_usable(), "not used again");
	srv_opt.cache_dir[0] = 0;
	CHECK(!srv_store_usable() && srv_store_dir() < 0, "used without a name");
}

int main(void)
{
	char command[128];

	strcpy(dir, "/tmp/dragoman-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	umask(077);
	srv_digest_init();
	srv_opt.cache_size = 1ull << 30;
	snprintf(srv_opt.cache_dir, sizeof(srv_opt.cache_dir), "%s/cache", dir);
	ktap_start(5);
	ktap_run("a file is there when it is whole", test_whole);
	ktap_run("files that are not the server's own", test_strangers);
	ktap_run("what was used longest ago goes first", test_limit);
	ktap_run("crashes are counted", test_crashes);
	ktap_run("directories that cannot be used", test_unusable);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		puts("# left something behind");
	return ktap_end();
}
