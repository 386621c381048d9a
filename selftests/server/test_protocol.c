// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/*
 * The server as its clients see it: build/dragomand is started for each group of tests, with a socket and a cache in a temporary
 * directory. Right requests get objects that cannot be written; wrong ones get an error, and the server goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "libclient.h"
#include "libguest.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define PATIENCE 60000		/* ms; machines are shared */

static char dir[64], sock[96], cache[96], server[PATH_MAX], log_file[96];
static pid_t pid;

static char *in_dir(const char *name)
{
	static char path[4][160];
	static unsigned n;

	snprintf(path[n %= 4], sizeof(path[0]), "%s/%s", dir, name);
	return path[n++];
}

/* ---------------------------------------------------------------- the server */

static pid_t spawn(char *const *extra)
{
	char *argv[16] = { server, "--foreground" }, s[128], c[128];
	int n = 2, log;
	pid_t p;

	snprintf(s, sizeof(s), "--socket=%s", sock);
	snprintf(c, sizeof(c), "--cache-dir=%s", cache);
	argv[n++] = s;
	argv[n++] = c;
	while (extra && *extra && n < 15)
		argv[n++] = *extra++;
	p = fork();
	if (p)
		return p;
	log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, 2);
	execv(server, argv);
	_exit(127);
}

static bool start(char *const *extra)
{
	int fd = -1;

	pid = spawn(extra);
	for (int i = 0; i < PATIENCE / 10 && (fd = client_connect(sock)) < 0; i++)
		usleep(10000);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Exit status, or -1. */
static int wait_end(pid_t p)
{
	int status;

	for (int i = 0; i < PATIENCE / 10; i++) {
		if (waitpid(p, &status, WNOHANG) == p)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(10000);
	}
	kill(p, SIGKILL);
	waitpid(p, &status, 0);
	return -1;
}

static int stop(void)
{
	kill(pid, SIGTERM);
	return wait_end(pid);
}

static unsigned count_fds(pid_t p)
{
	char path[64];
	DIR *d;
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", p);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static char *status_text(void)
{
	static char text[262144];
	struct drg_msg m = { sizeof(m), DRG_STATUS, DRG_VERSION };
	int fd = client_connect(sock), fds[8];
	unsigned n = 0;
	ssize_t got;

	text[0] = 0;
	if (fd < 0 || client_send(fd, &m, sizeof(m), NULL, 0) || client_recv(fd, &m, sizeof(m), fds, &n, PATIENCE) != sizeof(m) || n != 1)
		return text;
	got = pread(fds[0], text, sizeof(text) - 1, 0);
	text[got > 0 ? got : 0] = 0;
	close(fds[0]);
	close(fd);
	return text;
}

/* The number behind "key": */
static long status_number(const char *key)
{
	char quoted[64], *p;

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	p = strstr(status_text(), quoted);
	return p ? strtol(p + strlen(quoted), NULL, 10) : -1;
}

static bool log_has(const char *text)
{
	char *line = NULL;
	size_t room = 0;
	FILE *f = fopen(log_file, "r");
	bool found = false;

	while (f && getline(&line, &room, f) > 0)
		found |= strstr(line, text) != NULL;
	if (f)
		fclose(f);
	free(line);
	return found;
}

static int attach_one(char *path, struct drg_attached *a)
{
	int object = -1, err = client_attach_paths(sock, &path, 1, a, &object, PATIENCE);

	return err ? err : object;
}

/* ---------------------------------------------------------------- right requests */

static const struct dragoman_object *map_object(int fd, u64 *size)
{
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	*size = (u64)st.st_size;
	p = mmap(NULL, *size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void test_sealed(void)
{
	struct drg_attached a;
	int fd, seals, other;
	u64 size = 0;
	const struct dragoman_object *o;
	char self[64];

	guest_write(in_dir("guest"), 100, 1);
	fd = attach_one(in_dir("guest"), &a);
	o = map_object(fd, &size);
	CHECK(fd >= 0 && o, "no object: %d", fd);
	if (!o)
		return;
	CHECK(o->magic == DRAGOMAN_OBJECT_MAGIC && o->size == size && o->text_hi > o->text_lo, "the header is wrong");
	seals = fcntl(fd, F_GET_SEALS);
	CHECK((seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE),
	      "seals: %#x", seals);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY, "open for more than reading");
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "can be mapped writable");
	CHECK(mprotect((void *)o, 4096, PROT_READ | PROT_WRITE) != 0, "can be made writable");
	CHECK(ftruncate(fd, 0) != 0, "can be truncated");
	CHECK(fallocate(fd, 0, 0, 4096) != 0, "can be filled");
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	other = open(self, O_RDWR);		/* root may; the seals remain */
	if (other >= 0) {
		CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0) == MAP_FAILED, "can be mapped writable by another name");
		CHECK(pwrite(other, "x", 1, 0) < 0 && ftruncate(other, 0), "can be written by another name");
		CHECK(fallocate(other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0, "holes can be made");
		close(other);
	}
	munmap((void *)o, size);
	close(fd);
}

static void test_same_content(void)
{
	struct drg_attached a, b, c;
	int f1, f2, f3;

	guest_write(in_dir("copy"), 100, 1);
	guest_write(in_dir("other"), 100, 2);
	f1 = attach_one(in_dir("guest"), &a);
	f2 = attach_one(in_dir("copy"), &b);
	f3 = attach_one(in_dir("other"), &c);
	CHECK(f1 >= 0 && f2 >= 0 && f3 >= 0, "no objects: %d %d %d", f1, f2, f3);
	CHECK(a.file[0].object == b.file[0].object, "the same content has two objects");
	CHECK(a.file[0].object != c.file[0].object, "different contents have one object");
	close(f1);
	close(f2);
	close(f3);
}

/* Attaches, and waits until there is something in the object. */
static void use(char *path)
{
	struct drg_attached a;
	int fd = attach_one(path, &a), s = client_connect(sock);
	u64 size = 0;
	const struct dragoman_object *o = map_object(fd, &size);
	u32 pc = o ? (u32)(GUEST_CODE - o->text_lo) : 0;

	CHECK(o && s >= 0 && !client_miss(s, a.generation, a.file[0].object, &pc, 1), "cannot be used");
	CHECK(o && client_wait_word(o, pc, PATIENCE), "nothing is translated");
	if (o)
		munmap((void *)o, size);
	close(s);
	close(fd);
}

static void test_miss(void)
{
	struct drg_attached a;
	int fd = attach_one(in_dir("guest"), &a), s = client_connect(sock);
	u64 size = 0;
	const struct dragoman_object *o = map_object(fd, &size);
	u32 pc, word;

	CHECK(o && s >= 0, "no object");
	if (!o)
		return;
	for (unsigned i = 0; i < 100; i += 33) {
		pc = (u32)(GUEST_CODE + i * GUEST_FUNCTION - o->text_lo);
		CHECK(!client_miss(s, a.generation, a.file[0].object, &pc, 1), "MISS is not taken");
		word = client_wait_word(o, pc, PATIENCE);
		CHECK((word & DRAGOMAN_INDEX_OFFSET) >= 64, "function %u: index word %#x", i, word);
	}
	/* places that are none, an object that is none, another generation: nothing happens */
	pc = 0xfffffffc;
	CHECK(!client_miss(s, a.generation, a.file[0].object, &pc, 1), "a wrong place is not ignored");
	pc = 3;
	CHECK(!client_miss(s, a.generation, a.file[0].object, &pc, 1), "a wrong place is not ignored");
	CHECK(!client_miss(s, a.generation, 12345, &pc, 1), "a wrong object is not ignored");
	CHECK(!client_miss(s, a.generation + 1, a.file[0].object, &pc, 1), "a wrong generation is not ignored");
	CHECK(status_number("pid") == pid, "the server does not answer any more");
	close(s);
	close(fd);
	munmap((void *)o, size);
}

/* What a worker may do, as the kernel tells. */
static void test_confined(void)
{
	char *text, *p, path[64], line[256];
	int worker = 0;
	bool seccomp = false, nnp = false, root = true;
	struct drg_attached a;
	FILE *f;

	guest_write(in_dir("busy"), 30000, 3);
	for (int i = 0; i < 200 && !worker; i++) {
		int fd;

		guest_write(in_dir("busy"), 30000, (unsigned)(3 + i));
		fd = attach_one(in_dir("busy"), &a);
		close(fd);
		text = status_text();
		p = strstr(text, "\"worker\": {\"pid\": ");
		worker = p ? atoi(p + 18) : 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", worker);
	f = worker ? fopen(path, "r") : NULL;
	if (!f) {
		CHECK(false, "no worker seen");
		return;
	}
	kill(worker, SIGSTOP);
	for (unsigned uid; fgets(line, sizeof(line), f);) {
		seccomp |= !strncmp(line, "Seccomp:\t2", 10);
		nnp |= !strncmp(line, "NoNewPrivs:\t1", 13);
		if (sscanf(line, "Uid: %u", &uid) == 1)
			root = !uid;
	}
	fclose(f);
	CHECK(count_fds(worker) - 2 <= 4, "a worker has %u descriptors", count_fds(worker) - 2);
	kill(worker, SIGKILL);
	CHECK(seccomp && nnp, "a worker is not confined");
	CHECK(!root || geteuid(), "a worker is root");
}

/* ---------------------------------------------------------------- wrong requests */

/* Sends, and expects an error and the end of the connection. */
static void expect_refused(const char *what, const void *msg, size_t n, const int *fds, unsigned nfds)
{
	int fd = client_connect(sock);
	struct drg_error e;
	ssize_t got;

	CHECK(fd >= 0, "%s: no connection", what);
	if (fd < 0)
		return;
	CHECK(!client_send(fd, msg, n, fds, nfds), "%s: not sent", what);
	got = client_recv(fd, &e, sizeof(e), NULL, NULL, PATIENCE);
	CHECK(got == sizeof(e) && e.msg.type == DRG_ERROR && e.error < 0, "%s: answer of %zd bytes", what, got);
	got = client_recv(fd, &e, sizeof(e), NULL, NULL, PATIENCE);
	CHECK(got <= 0 && got != -EAGAIN, "%s: the connection stays", what);
	close(fd);
}

static void test_garbage(void)
{
	struct drg_attach a = { .msg = { sizeof(a), DRG_ATTACH, DRG_VERSION }, .machine = 183, .nfiles = 1 };
	struct drg_miss m = { .msg = { 24, DRG_MISS, DRG_VERSION }, .n = 64 };
	struct drg_msg short_status = { sizeof(short_status), DRG_STATUS, DRG_VERSION + 1 };
	u8 noise[DRG_MAX_MESSAGE + 100];

	for (int round = 0; round < 50; round++) {
		size_t n = 1 + ktap_random() % sizeof(noise);

		for (size_t i = 0; i < n; i++)
			noise[i] = (u8)ktap_random();
		expect_refused("noise", noise, n, NULL, 0);
	}
	for (size_t n = 1; n < sizeof(a); n += 7)
		expect_refused("half an ATTACH", &a, n, NULL, 0);
	expect_refused("ATTACH without its descriptor", &a, sizeof(a), NULL, 0);
	expect_refused("MISS with fewer places than it says", &m, 24, NULL, 0);
	expect_refused("another version", &short_status, sizeof(short_status), NULL, 0);
	for (unsigned type = 9; type < 65536; type += 5003) {
		struct drg_msg t = { sizeof(t), (u16)type, DRG_VERSION };

		expect_refused("a type that is none", &t, sizeof(t), NULL, 0);
	}
	CHECK(status_number("pid") == pid, "the server does not answer any more");
}

static int status_of(int file)
{
	struct drg_attached a;
	int object = -1, s = client_connect(sock), err = client_attach(s, &file, 1, 0, &a, &object);

	close(s);
	if (object >= 0)
		close(object);
	return err ? err : (int)a.file[0].status;
}

static void test_descriptors(void)
{
	struct drg_attach a = { .msg = { sizeof(a), DRG_ATTACH, DRG_VERSION }, .machine = 183, .nfiles = 1 };
	unsigned before = count_fds(pid), after = 0;
	int fds[32], pair[2], f;

	f = open(in_dir("guest"), O_RDWR);
	CHECK(status_of(f) == DRG_NEVER, "open for writing: %d", status_of(f));
	close(f);
	f = open(in_dir("guest"), O_PATH);
	CHECK(status_of(f) == DRG_NEVER, "O_PATH: %d", status_of(f));
	close(f);
	f = open(dir, O_RDONLY);
	CHECK(status_of(f) == DRG_NEVER, "a directory: %d", status_of(f));
	close(f);
	CHECK(!pipe(pair) && status_of(pair[0]) == DRG_NEVER, "a pipe");
	close(pair[0]);
	close(pair[1]);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && status_of(pair[0]) == DRG_NEVER, "a socket");
	close(pair[0]);
	close(pair[1]);
	f = open("/dev/zero", O_RDONLY);
	CHECK(status_of(f) == DRG_NEVER, "a device");
	close(f);
	for (int i = 0; i < 32; i++)
		fds[i] = open(in_dir("guest"), O_RDONLY);
	expect_refused("32 descriptors for one", &a, sizeof(a), fds, 32);
	expect_refused("2 descriptors for one", &a, sizeof(a), fds, 2);
	a.nfiles = 4;
	expect_refused("2 descriptors for four", &a, sizeof(a), fds, 2);
	a.nfiles = 5;
	expect_refused("5 descriptors", &a, sizeof(a), fds, 5);
	a.msg.type = DRG_STATUS;
	a.msg.size = sizeof(a.msg);
	expect_refused("a descriptor with STATUS", &a, sizeof(a.msg), fds, 1);
	for (int i = 0; i < 32; i++)
		close(fds[i]);
	for (int i = 0; i < 500 && (after = count_fds(pid)) > before; i++)
		usleep(10000);
	CHECK(after <= before, "the server had %u descriptors and has %u", before, after);
}

static void write_text(const char *path, const void *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n, "cannot write a file");
	close(fd);
}

static void test_not_elf(void)
{
	static char text[100000];
	struct drg_attached a;
	u8 elf[8192];
	int f;

	memset(text, 'x', sizeof(text));
	write_text(in_dir("text"), text, sizeof(text));
	write_text(in_dir("small"), text, 3);
	attach_one(in_dir("text"), &a);
	CHECK(a.file[0].status == DRG_NEVER, "a text: %u", a.file[0].status);
	attach_one(in_dir("small"), &a);
	CHECK(a.file[0].status == DRG_NEVER, "three bytes: %u", a.file[0].status);
	f = open("/proc/self/exe", O_RDONLY);
	for (int i = 0; i < 100 && status_of(f) == DRG_LATER; i++)
		usleep(10000);
	CHECK(status_of(f) == DRG_NEVER, "a native program: %d", status_of(f));
	close(f);
	/* the beginning of a guest file, with noise in its headers */
	f = open(in_dir("guest"), O_RDONLY);
	CHECK(read(f, elf, sizeof(elf)) > 4096, "cannot read");
	close(f);
	for (int round = 0; round < 40; round++) {
		u8 bad[sizeof(elf)];

		memcpy(bad, elf, sizeof(bad));
		for (int k = 0; k < 4; k++)
			bad[20 + ktap_random() % 100] = (u8)ktap_random();
		unlink(in_dir("bad"));
		write_text(in_dir("bad"), bad, sizeof(bad));
		f = attach_one(in_dir("bad"), &a);
		if (f >= 0)
			close(f);
	}
	CHECK(status_number("pid") == pid, "the server does not answer any more");
}

static void test_many(void)
{
	int fds[400];
	unsigned refused = 0, before = count_fds(pid), after = 0;
	struct drg_attached a;
	int f;

	for (int i = 0; i < 400; i++)
		fds[i] = client_connect(sock);
	for (int i = 0; i < 400; i++) {
		struct drg_error e;

		if (fds[i] < 0 || client_recv(fds[i], &e, sizeof(e), NULL, NULL, i == 399 ? 2000 : 5) == sizeof(e))
			refused++;
	}
	CHECK(refused >= 100 && refused < 400, "%u of 400 connections were refused", refused);
	for (int i = 0; i < 400; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (int i = 0; i < 500 && (after = count_fds(pid)) > before; i++)
		usleep(10000);
	CHECK(after <= before, "the server had %u descriptors and has %u", before, after);
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0, "not served any more");
	close(f);
}

/* Clients that go away in the middle. */
static void test_gone(void)
{
	struct drg_attach m = { .msg = { sizeof(m), DRG_ATTACH, DRG_VERSION }, .machine = 183, .nfiles = 1 };

	for (int i = 0; i < 50; i++) {
		int s = client_connect(sock), f;

		guest_write(in_dir("new"), 50, (unsigned)(100 + i));
		f = open(in_dir("new"), O_RDONLY);
		client_send(s, &m, sizeof(m), &f, 1);
		close(s);
		close(f);
	}
	CHECK(status_number("pid") == pid, "the server does not answer any more");
}

/* ---------------------------------------------------------------- start, end, disk */

static void test_second(void)
{
	CHECK(wait_end(spawn(NULL)) == 1, "the second server does not exit with 1");
	CHECK(log_has("a server is running there already"), "it does not say why");
	CHECK(status_number("pid") == pid, "the first one does not answer any more");
}

static void test_clear(void)
{
	struct drg_attached a;
	int f;

	use(in_dir("guest"));
	CHECK(!client_simple(sock, DRG_FLUSH), "FLUSH fails");
	CHECK(status_number("files") > 0, "nothing on disk after FLUSH");
	CHECK(!client_simple(sock, DRG_CLEAR), "CLEAR fails");
	CHECK(strstr(status_text(), "\"files\": 0}"), "files on disk after CLEAR");
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0, "no object after CLEAR");
	close(f);
}

static void test_stop(void)
{
	struct drg_attached a;
	int f;

	use(in_dir("guest"));
	CHECK(!client_simple(sock, DRG_FLUSH), "FLUSH fails");
	CHECK(!client_simple(sock, DRG_STOP), "STOP fails");
	CHECK(wait_end(pid) == 0, "not ended with 0");
	CHECK(access(sock, F_OK) != 0, "the socket is still there");
	CHECK(start(NULL), "does not start again");
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0 && status_number("objects_loaded") == 1, "the object was not loaded");
	close(f);
}

/* SIGKILL, at moments when it writes. */
static void test_killed(void)
{
	struct drg_attached a;
	char *none[] = { "--worker-idle=0", NULL };
	int f;

	for (int i = 0; i < 8; i++) {
		guest_write(in_dir("victim"), 3000, (unsigned)(200 + i));
		f = attach_one(in_dir("victim"), &a);
		CHECK(f >= 0, "round %d: no object", i);
		close(f);
		usleep((useconds_t)(ktap_random() % 300000));
		kill(pid, SIGKILL);
		wait_end(pid);
		CHECK(start(none), "round %d: does not start again", i);
	}
	CHECK(!log_has("set aside"), "a half written file was found");
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0, "no object");
	close(f);
}

/* All files in the cache are damaged in one way each; all are found out. */
static void test_damaged(void)
{
	char path[512];
	struct drg_attached a;
	struct dirent *de;
	unsigned n = 0;
	DIR *d;
	int f;

	use(in_dir("guest"));
	client_simple(sock, DRG_FLUSH);
	stop();
	snprintf(path, sizeof(path), "%s/objects", cache);
	d = opendir(path);
	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/objects/%s", cache, de->d_name);
		f = de->d_name[0] == '.' ? -1 : open(path, O_RDWR);
		if (f < 0)
			continue;
		if (n++ % 2)
			CHECK(!ftruncate(f, 5000), "cannot truncate");
		else
			CHECK(pwrite(f, "\xff", 1, 4096 + 10) == 1, "cannot write");
		close(f);
	}
	if (d)
		closedir(d);
	CHECK(n, "no files");
	CHECK(start(NULL), "does not start");
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0, "no object");
	close(f);
	CHECK(log_has("set aside"), "not said that a file was damaged");
}

static void test_idle_exit(void)
{
	char *user[] = { "--user", "--idle-exit=1", NULL };
	u64 t;

	stop();
	CHECK(start(user), "does not start");
	t = client_now();
	CHECK(wait_end(pid) == 0, "not ended with 0");
	CHECK(client_now() - t > 500000, "ended at once");
}

/* The cache directory cannot be made (a file is in the way): everything works, in memory. */
static void test_no_disk(void)
{
	struct drg_attached a;
	int f;

	snprintf(cache, sizeof(cache), "%s/guest/cache", dir);
	CHECK(start(NULL), "does not start without a disk");
	f = attach_one(in_dir("guest"), &a);
	CHECK(f >= 0, "no object");
	close(f);
	CHECK(log_has("cache directory cannot be used"), "not said that the disk cannot be used");
	CHECK(stop() == 0, "not ended with 0");
}

int main(void)
{
	const char *build = getenv("BUILD");
	char *slow[] = { "--worker-idle=1", NULL };

	if (!realpath(build ? build : "build", server))
		return 4;
	strcat(server, "/dragomand");
	if (access(server, X_OK)) {
		puts("dragomand is not built");
		return 4;
	}
	strcpy(dir, "/tmp/dragoman-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(sock, sizeof(sock), "%s/socket", dir);
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	snprintf(log_file, sizeof(log_file), "%s/log", dir);
	ktap_start(16);
	if (!start(slow)) {
		puts("Bail out! the server does not start");
		return 1;
	}
	ktap_run("an object is sealed against its clients", test_sealed);
	ktap_run("one object for one content", test_same_content);
	ktap_run("what is missed is translated", test_miss);
	ktap_run("workers are confined", test_confined);
	ktap_run("garbage and half messages", test_garbage);
	ktap_run("wrong descriptors", test_descriptors);
	ktap_run("files that are no guest programs", test_not_elf);
	ktap_run("too many connections", test_many);
	ktap_run("clients that go away", test_gone);
	ktap_run("a second server", test_second);
	ktap_run("CLEAR", test_clear);
	ktap_run("STOP, and what is on disk afterwards", test_stop);
	ktap_run("killed while it works", test_killed);
	ktap_run("damaged files", test_damaged);
	ktap_run("a user's server ends when idle", test_idle_exit);
	ktap_run("without a disk", test_no_disk);
	if (ktap_failed) {
		printf("# the log is %s\n", log_file);
	} else {
		char command[128];

		snprintf(command, sizeof(command), "rm -rf %s", dir);
		if (system(command))
			puts("# left something behind");
	}
	return ktap_end();
}
