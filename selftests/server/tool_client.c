// SPDX-License-Identifier: MIT
/*
 * tool_client SOCKET COMMAND...: talks to a server.
 *   attach FILE...        attaches and says what came back
 *   miss FILE OFFSET...   attaches, asks for file offsets (hexadecimal) and waits until they are there
 *   bench N FILE...       N times connect, attach, close: microseconds (median, 90 %, worst)
 *   missbench FILE N      N misses one after the other at places not translated: microseconds until the word is there
 *   missall FILE          asks for each place that is not translated; says how full the object is then
 *   translate FILE        all of it, with progress
 *   status | flush | stop | clear
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libclient.h"

static const char *where;

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(err < 0 ? -err : err));
	return 1;
}

static int attach(int n, char **paths)
{
	struct drg_attached a;
	int objects[DRG_MAX_FILES];
	u64 t = client_now();
	int err = client_attach_paths(where, paths, (unsigned)n, &a, objects, 10000);

	if (err)
		return fail("attach", err);
	for (int i = 0; i < n; i++) {
		static const char *const names[] = { "ok", "later", "never" };

		printf("%s: %s, object %u, %llu us\n", paths[i], names[a.file[i].status], a.file[i].object,
		       (unsigned long long)(client_now() - t));
	}
	return 0;
}

static const struct dragoman_object *map(char *path, struct drg_attached *a)
{
	int object, err = client_attach_paths(where, &path, 1, a, &object, 10000);
	struct stat st;
	void *p;

	if (err || object < 0 || fstat(object, &st)) {
		fail(path, err ? err : -ENOENT);
		return NULL;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_EXEC, MAP_SHARED, object, 0);
	close(object);
	return p == MAP_FAILED ? NULL : p;
}

static int miss(int n, char **argv)
{
	struct drg_attached a;
	const struct dragoman_object *o = map(argv[0], &a);
	int fd = client_connect(where), bad = 0;

	if (!o || fd < 0)
		return 1;
	for (int i = 1; i < n; i++) {
		u32 pc = (u32)(strtoull(argv[i], NULL, 16) - o->text_lo), word;
		u64 t = client_now();

		client_miss(fd, a.generation, a.file[0].object, &pc, 1);
		word = client_wait_word(o, pc, 5000);
		printf("%#x: %#x after %llu us\n", pc, word, (unsigned long long)(client_now() - t));
		bad |= !word;
	}
	return bad;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void print_times(u64 *t, unsigned n)
{
	qsort(t, n, sizeof(*t), by_value);
	if (n)
		printf("%u times: median %llu us, 90 %% %llu us, worst %llu us\n", n, (unsigned long long)t[n / 2],
		       (unsigned long long)t[n * 9 / 10], (unsigned long long)t[n - 1]);
}

static int bench(unsigned n, int nfiles, char **paths)
{
	u64 *t = calloc(n, sizeof(*t));
	int files[DRG_MAX_FILES], objects[DRG_MAX_FILES];
	struct drg_attached a;

	for (int i = 0; i < nfiles; i++)
		files[i] = open(paths[i], O_RDONLY);
	for (unsigned i = 0; i < n; i++) {
		u64 start = client_now();
		int fd = client_connect(where), err = fd < 0 ? fd : client_attach(fd, files, (unsigned)nfiles, 0, &a, objects);

		if (err)
			return fail("attach", err);
		close(fd);
		t[i] = client_now() - start;
		for (int k = 0; k < nfiles; k++)
			if (objects[k] >= 0)
				close(objects[k]);
			else
				return fail("no object", ENOENT);
	}
	print_times(t, n);
	return 0;
}

/* As a hostile client does that wants the object full of what nobody needs. */
static int miss_all(char *path)
{
	struct drg_attached a;
	const struct dragoman_object *o = map(path, &a);
	const u32 *index = o ? (const u32 *)((const u8 *)o + o->index) : NULL;
	int fd = client_connect(where);
	u32 pc[DRG_MAX_MISSES], n = 0, asked = 0, silent = 0;

	if (!o || fd < 0)
		return 1;
	for (u64 k = 0; k < o->index_size / 4 && silent < 5; k++) {
		if (!__atomic_load_n(&index[k], __ATOMIC_ACQUIRE))
			pc[n++] = (u32)k * 4;
		if (n < DRG_MAX_MISSES)
			continue;
		client_miss(fd, a.generation, a.file[0].object, pc, n);
		asked += n;
		silent = client_wait_word(o, pc[n - 1], 3000) ? 0 : silent + 1;
		n = 0;
	}
	printf("asked for %u places: %u regions, %u %% of the room\n", asked, o->nregions,
	       (u32)MAX(o->hot_used * 100ull / o->hot_size, o->nregions * sizeof(struct dragoman_region) * 100 / o->regions_size));
	return 0;
}

static int miss_bench(char *path, unsigned n)
{
	struct drg_attached a;
	const struct dragoman_object *o = map(path, &a);
	const u32 *index = o ? (const u32 *)((const u8 *)o + o->index) : NULL;
	u64 *t = calloc(n, sizeof(*t));
	unsigned done = 0;

	for (u64 k = 0; o && k < o->index_size / 4 && done < n; k += 997) {
		u32 pc = (u32)k * 4;
		u64 start = client_now(), end = start + 2000000;
		int fd;

		if (__atomic_load_n(&index[k], __ATOMIC_ACQUIRE))
			continue;
		fd = client_connect(where);
		client_miss(fd, a.generation, a.file[0].object, &pc, 1);
		close(fd);
		while (!__atomic_load_n(&index[k], __ATOMIC_ACQUIRE) && client_now() < end)
			sched_yield();
		t[done++] = client_now() - start;
	}
	print_times(t, done);
	return !o;
}

static int translate(char *path)
{
	struct drg_translate m = { .msg = { sizeof(m), DRG_TRANSLATE, DRG_VERSION }, .machine = 183 };
	struct drg_progress p;
	int fd = client_connect(where), file = open(path, O_RDONLY);

	if (fd < 0 || file < 0 || client_send(fd, &m, sizeof(m), &file, 1))
		return fail(path, errno);
	do {
		if (client_recv(fd, &p, sizeof(p), NULL, NULL, 60000) != sizeof(p))
			return fail("answer", -EPROTO);
		printf("error %d done %u insns %llu of %llu, %llu bytes\n", p.error, p.done, (unsigned long long)p.insns,
		       (unsigned long long)p.total, (unsigned long long)p.bytes);
	} while (!p.done);
	return p.error != 0;
}

static int status(void)
{
	struct drg_msg m = { sizeof(m), DRG_STATUS, DRG_VERSION };
	int fd = client_connect(where), fds[8];
	unsigned n;
	char buf[65536];
	ssize_t got;

	if (fd < 0 || client_send(fd, &m, sizeof(m), NULL, 0) || client_recv(fd, &m, sizeof(m), fds, &n, 10000) != sizeof(m) || n != 1)
		return fail("status", -EPROTO);
	for (off_t at = 0; (got = pread(fds[0], buf, sizeof(buf), at)) > 0; at += got)
		fwrite(buf, 1, (size_t)got, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	where = argv[1];
	if (!strcmp(what, "attach") && argc > 3)
		return attach(argc - 3, argv + 3);
	if (!strcmp(what, "miss") && argc > 4)
		return miss(argc - 3, argv + 3);
	if (!strcmp(what, "bench") && argc > 4)
		return bench((unsigned)atoi(argv[3]), argc - 4, argv + 4);
	if (!strcmp(what, "missall") && argc > 3)
		return miss_all(argv[3]);
	if (!strcmp(what, "missbench") && argc > 4)
		return miss_bench(argv[3], (unsigned)atoi(argv[4]));
	if (!strcmp(what, "translate") && argc > 3)
		return translate(argv[3]);
	if (!strcmp(what, "status"))
		return status();
	if (!strcmp(what, "flush") || !strcmp(what, "stop") || !strcmp(what, "clear")) {
		int err = client_simple(where, what[0] == 'f' ? DRG_FLUSH : what[0] == 's' ? DRG_STOP : DRG_CLEAR);

		return err ? fail(what, err) : 0;
	}
	fputs("usage: tool_client SOCKET attach|miss|bench|missbench|translate|status|flush|stop|clear ...\n", stderr);
	return 2;
}
