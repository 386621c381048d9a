// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/*
 * No memory behind an object's page, as where the module's mount is full: the supervisor goes on, the object is dropped, others are not. A
 * file that is shorter than its map gives the same SIGBUS as a mount that is full.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "server/server.h"

#define PAGES 16u
#define THERE 4u	/* pages of memory; the rest is missing */

static struct srv_object *make(unsigned n)
{
	struct obj_key key = { .features = 0x1f };
	struct dragoman_object head = {
		.size = PAGES * 4096, .index = 4096, .text_hi = 8 * 4096, .regions_size = 64 * sizeof(struct dragoman_region),
	};
	struct srv_object *o;
	int fd;

	memset(key.digest, (int)n, 32);
	o = srv_object_get(&key, false);
	fd = srv_memfd("test");
	if (!o || fd < 0 || ftruncate(fd, THERE * 4096))
		return NULL;
	o->map = mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	o->head = head;
	o->fd = fd;
	o->state = SRV_READY;
	return o->map == MAP_FAILED ? NULL : o;
}

static void test_survives(void)
{
	struct srv_object *good = make(1), *bad = make(2);
	u32 pc = 3 * 4096;		/* its index word is on page 4 */
	const struct obj_key key = bad->key;

	CHECK(good && bad && !srv_objects_guard(), "cannot begin");
	srv_object_misses(bad, &pc, 1);
	CHECK(bad->spoilt && bad->npending == 1, "reading: spoilt %d, %u wanted", bad->spoilt, bad->npending);
	bad->spoilt = false;
	pc = 7 * 4096;
	srv_object_set_never(bad, pc);
	CHECK(bad->spoilt && !good->spoilt, "writing: spoilt %d, the other %d", bad->spoilt, good->spoilt);
	bad->waited++;
	srv_objects_tick(srv_now());
	CHECK(srv_object_find(&key, false) == bad, "dropped while somebody holds it");
	bad->waited--;
	srv_objects_tick(srv_now());
	CHECK(!srv_object_find(&key, false) && srv_nobjects == 1 && srv_objects[0] == good, "%u objects left", srv_nobjects);
}

/* What is no object's is still what kills. */
static void test_others(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		int fd = srv_memfd("test");
		volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		_exit(p[0]);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status %#x", status);
}

int main(void)
{
	srv_opt.memory_limit = 1ull << 30;
	ktap_start(2);
	ktap_run("pages without memory", test_survives);
	ktap_run("other bus errors", test_others);
	return ktap_end();
}
