// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/* The memory of file identities: found again, told apart, bound to who showed the file, kept over a restart of this boot only. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "server/server.h"

static char dir[64];

static struct srv_ident make(u64 n, u32 domain)
{
	struct srv_ident id = { .file = { .dev = 8ull << 32 | 1, .ino = n, .size = 1000 + n, .ctime_sec = 100, .ctime_nsec = 5 }, .domain = domain };

	memset(id.digest, (int)n, sizeof(id.digest));
	return id;
}

static void test_find(void)
{
	struct srv_ident id = make(1, 0), other;
	const struct srv_ident *f;

	CHECK(!srv_ident_find(&id.file, 0), "found in an empty table");
	srv_ident_put(&id);
	f = srv_ident_find(&id.file, 0);
	CHECK(f && !memcmp(f->digest, id.digest, 32), "not found");
	CHECK(!srv_ident_find(&id.file, 1001), "found for somebody else");
#define CHANGED(member) do { other = id; other.file.member++; CHECK(!srv_ident_find(&other.file, 0), "found with another " #member); } while (0)
	CHANGED(dev);
	CHANGED(ino);
	CHANGED(size);
	CHANGED(ctime_sec);
	CHANGED(ctime_nsec);
	other = id;
	memset(other.digest, 9, 32);
	srv_ident_put(&other);
	f = srv_ident_find(&id.file, 0);
	CHECK(f && f->digest[0] == 9 && srv_ident_count() == 1, "not replaced");
}

static void test_many(void)
{
	unsigned found = 0;

	for (u64 n = 0; n < 200000; n++) {
		struct srv_ident id = make(n, 0);

		srv_ident_put(&id);
		CHECK(srv_ident_find(&id.file, 0), "the newest is not there");
	}
	for (u64 n = 0; n < 200000; n++) {
		struct srv_ident id = make(n, 0);
		const struct srv_ident *f = srv_ident_find(&id.file, 0);

		found += f != NULL;
		CHECK(!f || f->digest[0] == (u8)n, "a wrong one was found");
	}
	CHECK(found > 30000 && found <= 65536 && found == srv_ident_count(), "%u of 200000 are there, %u counted", found, srv_ident_count());
}

static void test_settled(void)
{
	struct drg_file f = { .ctime_sec = 1000 };

	CHECK(!srv_ident_settled(&f, 1000) && !srv_ident_settled(&f, 1002), "too young and taken");
	CHECK(srv_ident_settled(&f, 1003), "old enough and not taken");
	CHECK(!srv_ident_settled(&f, 900), "from the future and taken");
}

/* The file with one byte changed at that place. */
static void damage(off_t at)
{
	char path[96];
	u8 byte;
	int fd;

	snprintf(path, sizeof(path), "%s/identities", dir);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1, "cannot read");
	byte ^= 1;
	CHECK(pwrite(fd, &byte, 1, at) == 1, "cannot write");
	close(fd);
}

static void test_saved(void)
{
	int d = open(dir, O_RDONLY | O_DIRECTORY), err;
	struct srv_ident id = make(77, 5);

	srv_ident_clear();
	srv_ident_put(&id);
	CHECK(srv_ident_changed() && !srv_ident_save(d) && !srv_ident_changed(), "not saved");
	srv_ident_clear();
	CHECK(!srv_ident_find(&id.file, 5), "still there");
	err = srv_ident_load(d);
	CHECK(!err && srv_ident_find(&id.file, 5), "not loaded: %d", err);
	srv_ident_clear();
	damage(10);			/* the boot id */
	err = srv_ident_load(d);
	CHECK(err == -ESTALE && !srv_ident_count(), "another boot's was loaded: %d", err);
	damage(10);
	damage(100);
	err = srv_ident_load(d);
	CHECK(err == -EINVAL && !srv_ident_count(), "a damaged one was loaded: %d", err);
	close(d);
}

int main(void)
{
	char path[96];

	strcpy(dir, "/tmp/dragoman-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	srv_digest_init();
	ktap_start(4);
	ktap_run("found and told apart", test_find);
	ktap_run("more than there is room for", test_many);
	ktap_run("young identities are not settled", test_settled);
	ktap_run("saved and loaded", test_saved);
	snprintf(path, sizeof(path), "%s/identities", dir);
	unlink(path);
	rmdir(dir);
	return ktap_end();
}
