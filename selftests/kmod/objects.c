// SPDX-License-Identifier: MIT
/* Which files get objects, and what may be mapped how. */
#include "kselftest_harness.h"
#include "../exec/test.h"
#include "server.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/vfs.h>

FIXTURE(objects) {
	struct stage s;
};

FIXTURE_SETUP(objects)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, no_server());
	ASSERT_EQ(0, stage_open(&self->s));
}

FIXTURE_TEARDOWN(objects)
{
	stage_close(&self->s);
	leave_folder();
}

/* The whole way: asked, opened, written by the server, executed by the client. */
TEST_F(objects, from_file_to_code)
{
	static const unsigned char code[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 };	/* mov $42, %eax; ret */
	struct stage *s = &self->s;
	struct dragoman_image_fd i;
	struct dragoman_req req;
	struct stat st, seen;
	unsigned int word[2];
	int (*call)(void);
	char *rw, *rx;

	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &s->at));
	EXPECT_EQ(DRAGOMAN_NONE, s->at.status);
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(DRAGOMAN_REQ_OPEN, req.kind);
	EXPECT_NE(0, req.id);
	EXPECT_NE(0, req.image);
	EXPECT_EQ(CLASS, req.cpu_class);
	EXPECT_STREQ(TRANSLATOR, (char *)req.translator);
	EXPECT_EQ(getpid(), (pid_t)req.pid);
	EXPECT_EQ(0, req.uid);
	EXPECT_EQ(0, req.requeues);
	EXPECT_EQ(DRAGOMAN_REQ_TRUSTED, req.flags);
	/* The server reads the file that the module found. */
	ASSERT_EQ(0, image_fd(s->ctl, req.image, &i));
	ASSERT_EQ(0, fstat(i.fd, &seen));
	ASSERT_EQ(0, fstat(s->file, &st));
	EXPECT_EQ(st.st_ino, seen.st_ino);
	EXPECT_EQ(st.st_ino, i.file.ino);
	EXPECT_EQ(st.st_dev, i.file.dev);
	EXPECT_EQ((unsigned long long)st.st_size, i.file.size);
	EXPECT_EQ(st.st_mtim.tv_sec, i.file.mtime_sec);
	EXPECT_EQ((unsigned int)st.st_mtim.tv_nsec, i.file.mtime_nsec);
	EXPECT_EQ(st.st_ctim.tv_sec, i.file.ctime_sec);
	EXPECT_EQ(0, memcmp(&i.file, &s->at.file, sizeof(i.file)));
	EXPECT_EQ(O_RDONLY, fcntl(i.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(1, fcntl(i.fd, F_GETFD));
	EXPECT_EQ(8, pread(i.fd, word, 8, 4096));
	close(i.fd);
	s->object_fd = object_create(s->ctl, OBJECT_SIZE, TRANSLATOR, &s->object);
	ASSERT_GE(s->object_fd, 0);
	rw = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->object_fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)rw);
	memcpy(rw + 0x3000, code, sizeof(code));
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
	EXPECT_EQ(-ENOENT, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &s->at));
	EXPECT_EQ(DRAGOMAN_OK, s->at.status);
	EXPECT_EQ(s->object, s->at.object);
	EXPECT_EQ(OBJECT_SIZE, s->at.object_size);
	rx = map_object(s, 0, OBJECT_SIZE, PROT_READ | PROT_EXEC);
	ASSERT_NE(MAP_FAILED, (void *)rx);
	call = (void *)(rx + 0x3000);
	EXPECT_EQ(42, call());
	/* Written later, seen at once. */
	rw[0x3001] = 43;
	EXPECT_EQ(43, call());
	rw[0x200000] = 1;
	EXPECT_EQ(1, rx[0x200000]);
	munmap(rw, OBJECT_SIZE);
	munmap(rx, OBJECT_SIZE);
}

TEST_F(objects, client_mappings)
{
	struct stage *s = &self->s;
	int rx = PROT_READ | PROT_EXEC, fd, mode, status;
	char path[64], *p, *q, byte = 1;
	pid_t pid;
	off_t at;

	ASSERT_EQ(0, stage_attach(s));
	at = s->at.map_offset;
	EXPECT_EQ(0, map_error(OBJECT_SIZE, rx, MAP_SHARED, s->session, at));
	EXPECT_EQ(0, map_error(4096, PROT_READ, MAP_SHARED, s->session, at));
	EXPECT_EQ(0, map_error(4096, rx, MAP_SHARED, s->session, at + OBJECT_SIZE - 4096));
	EXPECT_NE(0, map_error(4096, PROT_READ | PROT_WRITE, MAP_SHARED, s->session, at));
	EXPECT_NE(0, map_error(4096, PROT_WRITE, MAP_SHARED, s->session, at));
	EXPECT_NE(0, map_error(4096, rx | PROT_WRITE, MAP_SHARED, s->session, at));
	EXPECT_NE(0, map_error(4096, rx, MAP_SHARED, s->session, at + OBJECT_SIZE));
	EXPECT_NE(0, map_error(8192, rx, MAP_SHARED, s->session, at + OBJECT_SIZE - 4096));
	EXPECT_NE(0, map_error(OBJECT_SIZE + 4096, rx, MAP_SHARED, s->session, at));
	EXPECT_NE(0, map_error(4096, rx, MAP_SHARED, s->session, at + (1ll << 40)));
	EXPECT_NE(0, map_error(4096, rx, MAP_SHARED, s->session, at ^ (1ll << 33)));
	EXPECT_NE(0, map_error(4096, rx, MAP_SHARED, s->session, -4096));
	p = map_object(s, 0, 65536, rx);
	ASSERT_NE(MAP_FAILED, (void *)p);
	for (mode = 0; mode < 8; mode++)
		EXPECT_EQ(mode & PROT_WRITE ? -1 : 0, mprotect(p, 4096, mode)) TH_LOG("mode %d", mode);
	ASSERT_EQ(0, mprotect(p, 4096, rx));
	/* The kernel's back doors. */
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_GT(0, pwrite(fd, &byte, 1, (off_t)(unsigned long)p));
	EXPECT_EQ(1, pread(fd, &byte, 1, (off_t)(unsigned long)p));
	close(fd);
	EXPECT_EQ(-1, madvise(p, 4096, MADV_REMOVE));
	q = mremap(p, 65536, 131072, MREMAP_MAYMOVE);
	if (q != MAP_FAILED) {
		EXPECT_EQ(-1, mprotect(q, 131072, PROT_READ | PROT_WRITE));
		EXPECT_EQ(0, q[100000]);
		munmap(q, 131072);
	} else {
		munmap(p, 65536);
	}
	p = map_object(s, OBJECT_SIZE - 4096, 4096, rx);
	ASSERT_NE(MAP_FAILED, (void *)p);
	/* Growing a mapping must not reach beyond the object. */
	q = mremap(p, 4096, 65536, MREMAP_MAYMOVE);
	if (q != MAP_FAILED) {
		pid = fork();
		if (pid == 0)
			_exit(q[8192]);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status));
		munmap(q, 65536);
	}
	/* Opened anew by its name it would be an ordinary file. */
	pid = fork();
	if (pid == 0) {
		if (setresuid(1000, 1000, 1000))
			_exit(9);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", s->session);
		_exit((open(path, O_RDWR) >= 0) + 2 * (open(path, O_RDONLY) >= 0));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A private map is the client's own copy once he writes; nobody else sees that. */
TEST_F(objects, private_mappings)
{
	struct stage *s = &self->s;
	char *rw, *shared, *copy;

	ASSERT_EQ(0, stage_attach(s));
	rw = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s->object_fd, 0);
	shared = map_object(s, 0, 4096, PROT_READ | PROT_EXEC);
	copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->session, s->at.map_offset);
	ASSERT_NE(MAP_FAILED, (void *)rw);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	if (copy == MAP_FAILED)
		return;		/* refused: well, too */
	rw[0] = 1;
	copy[0] = 2;
	EXPECT_EQ(1, shared[0]);
	EXPECT_EQ(1, rw[0]);
	EXPECT_EQ(2, copy[0]);
	EXPECT_NE(0, map_error(8192, PROT_READ, MAP_PRIVATE, s->session, s->at.map_offset + OBJECT_SIZE - 4096));
}

/* An mmap of 2 MiB or more is placed so that huge pages fit. */
TEST_F(objects, alignment)
{
	struct stage *s = &self->s;
	char *p;

	ASSERT_EQ(0, stage_attach(s));
	p = map_object(s, 0, OBJECT_SIZE, PROT_READ | PROT_EXEC);
	ASSERT_NE(MAP_FAILED, (void *)p);
	if ((unsigned long)p & ((2u << 20) - 1))
		ksft_print_msg("not aligned to 2 MiB: %p\n", p);
	munmap(p, OBJECT_SIZE);
}

/* Only what this address space has attached. */
TEST_F(objects, not_attached)
{
	struct stage *s = &self->s;
	int other, status, rx = PROT_READ | PROT_EXEC;
	pid_t pid;

	ASSERT_EQ(0, stage_attach(s));
	other = session_open();
	ASSERT_GE(other, 0);
	EXPECT_NE(0, map_error(4096, rx, MAP_SHARED, other, s->at.map_offset));
	/* A session that is handed over is not the other's: the program that got it never proved that it has the file. */
	pid = fork();
	if (pid == 0) {
		close(s->file);
		_exit(map_error(4096, rx, MAP_SHARED, s->session, s->at.map_offset));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ksft_print_msg("a child's mmap: %s\n", WEXITSTATUS(status) ? strerror(WEXITSTATUS(status)) : "allowed");
}

TEST_F(objects, detach)
{
	struct stage *s = &self->s;
	struct dragoman_detach d = { .size = sizeof(d) };
	char *p;

	ASSERT_EQ(0, stage_attach(s));
	p = map_object(s, 0, 4096, PROT_READ);
	ASSERT_NE(MAP_FAILED, (void *)p);
	d.object = s->object;
	EXPECT_EQ(0, dg(s->session, DRAGOMAN_IOC_DETACH, &d));
	EXPECT_EQ(-ENOENT, dg(s->session, DRAGOMAN_IOC_DETACH, &d));
	EXPECT_EQ(0, p[0]);
	EXPECT_NE(0, map_error(4096, PROT_READ, MAP_SHARED, s->session, s->at.map_offset));
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &s->at));
	EXPECT_EQ(DRAGOMAN_OK, s->at.status);
	EXPECT_EQ(0, map_error(4096, PROT_READ, MAP_SHARED, s->session, s->at.map_offset));
	d.object = 0;
	EXPECT_EQ(-ENOENT, dg(s->session, DRAGOMAN_IOC_DETACH, &d));
}

/* Descriptors that prove nothing. */
TEST_F(objects, descriptors)
{
	struct stage *s = &self->s;
	struct dragoman_attach a;
	int p[2], fd;

	EXPECT_EQ(-EBADF, attach_fd(s->session, -1, 0, 0, &a));
	EXPECT_EQ(-EBADF, attach_fd(s->session, 9999, 0, 0, &a));
	fd = open("lib", O_PATH);
	EXPECT_EQ(-EBADF, attach_fd(s->session, fd, 0, 0, &a));
	close(fd);
	fd = open("guest", O_WRONLY);
	if (attach_fd(s->session, fd, 0, 0, &a) == 0)
		EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	close(fd);
	ASSERT_EQ(0, pipe(p));
	fd = attach_fd(s->session, p[0], 0, 0, &a);
	EXPECT_TRUE(fd < 0 || a.status == DRAGOMAN_PRIVATE);
	fd = attach_fd(s->session, open(".", O_RDONLY), 0, 0, &a);
	EXPECT_TRUE(fd < 0 || a.status == DRAGOMAN_PRIVATE);
	fd = attach_fd(s->session, open("/dev/zero", O_RDONLY), 0, 0, &a);
	EXPECT_TRUE(fd < 0 || a.status == DRAGOMAN_PRIVATE);
	fd = attach_fd(s->session, s->session, 0, 0, &a);
	EXPECT_TRUE(fd < 0 || a.status == DRAGOMAN_PRIVATE);
	/* Open for writing somewhere: its bytes may change at any time. */
	fd = open("lib", O_RDWR);
	EXPECT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	close(fd);
	EXPECT_EQ(0, attach_fd(s->session, s->file, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	/* Looking queues nothing. */
	{
		struct dragoman_req req;

		EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
	}
}

/* What the server reads is open for it alone: a client's locks, flags and position are the client's. */
TEST_F(objects, own_open_file)
{
	struct stage *s = &self->s;
	struct dragoman_image_fd i;
	struct dragoman_req req;
	int other = open("lib", O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(0, flock(s->file, LOCK_EX));
	ASSERT_EQ(0, fcntl(s->file, F_SETFL, O_APPEND));
	ASSERT_EQ(77, lseek(s->file, 77, SEEK_SET));
	ASSERT_EQ(0, stage_attach(s));
	ASSERT_EQ(0, image_fd(s->ctl, s->image, &i));
	EXPECT_EQ(0, lseek(i.fd, 0, SEEK_CUR));
	EXPECT_EQ(0, fcntl(i.fd, F_GETFL) & O_APPEND);
	ASSERT_EQ(-1, flock(other, LOCK_EX | LOCK_NB));
	close(s->file);
	s->file = -1;
	EXPECT_EQ(0, flock(other, LOCK_EX | LOCK_NB));
	EXPECT_EQ(1, recv_n(s->ctl, &req, 1, 0) == -EAGAIN);
	close(i.fd);
	close(other);
}

/* Files that are none: their contents are made when they are read. */
TEST_F(objects, no_real_files)
{
	static const char *const names[] = { "/sys/kernel/notes", "/sys/kernel/uevent_seqnum", "/proc/kallsyms", "/proc/self/maps" };
	struct stage *s = &self->s;
	struct dragoman_attach a;
	struct dragoman_req req;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open(names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		EXPECT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
		EXPECT_EQ(DRAGOMAN_PRIVATE, a.status) TH_LOG("%s", names[i]);
		close(fd);
	}
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
}

/* So many files as anybody may make and ask for: what the module remembers of those that nobody uses has a limit. */
TEST_F_TIMEOUT(objects, forgotten, 1800)
{
	struct stage *s = &self->s;
	unsigned long long start = now_ns();
	long long before, after;
	struct dragoman_detach d;
	struct statfs fs;
	struct dragoman_attach a;
	struct dragoman_req req;

	ASSERT_EQ(0, stage_attach(s));
	before = read_number(SYSFS "/stats/images");
	for (int i = 0; i < 17000; i++) {
		int fd = open("many", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), session = session_open();

		ASSERT_EQ(4, write(fd, "many", 4));
		close(fd);
		fd = open("many", O_RDONLY | O_CLOEXEC);
		ASSERT_EQ(0, attach_fd(session, fd, 0, 0, &a));
		ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, 10 * SECOND)) TH_LOG("%d", i);
		ASSERT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object)) TH_LOG("%d", i);
		unlink("many");
		close(fd);
		close(session);
	}
	ksft_print_msg("17000 images in %llu s\n", (now_ns() - start) / SECOND);
	after = read_number(SYSFS "/stats/images");
	EXPECT_LE(16000, after - before);
	EXPECT_GE(16500, after - before);
	/* Nor does it hold on to files that are gone. */
	ASSERT_EQ(0, statfs(".", &fs));
	EXPECT_GE(100, fs.f_files - fs.f_ffree);
	/* The one in use is still there, and goes with its object as ever. */
	EXPECT_EQ(0, attach_fd(s->session, s->file, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	d = (struct dragoman_detach){ .size = sizeof(d), .object = s->object };
	EXPECT_EQ(0, dg(s->session, DRAGOMAN_IOC_DETACH, &d));
	EXPECT_EQ(0, object_retire(s->ctl, s->object));
	EXPECT_GE(before, read_number(SYSFS "/stats/images"));
}

TEST_F(objects, attach_arguments)
{
	struct stage *s = &self->s;
	struct dragoman_attach a = { .size = sizeof(a), .fd = -1 };

	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
	a.flags = DRAGOMAN_ATTACH_FD | DRAGOMAN_ATTACH_ADDRESS;
	a.fd = s->file;
	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
	a.flags = DRAGOMAN_ATTACH_FD;
	a.address = 4096;
	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
	a.address = 0;
	a.deadline_ns = 5;
	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
	a.flags = DRAGOMAN_ATTACH_ADDRESS;
	a.deadline_ns = 0;
	EXPECT_EQ(-EINVAL, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
	a.flags = DRAGOMAN_ATTACH_FD | DRAGOMAN_ATTACH_WAIT;
	a.deadline_ns = 1;
	EXPECT_EQ(-ETIMEDOUT, dg(s->session, DRAGOMAN_IOC_ATTACH, &a));
}

/* What an address proves. */
TEST_F(objects, addresses)
{
	struct stage *s = &self->s;
	char *text, *p, *two;
	struct dragoman_attach a;
	int fd;

	ASSERT_EQ(0, stage_attach(s));
	text = mmap(NULL, GUEST_SIZE, PROT_READ, MAP_PRIVATE, s->file, 0);
	ASSERT_NE(MAP_FAILED, (void *)text);
	EXPECT_EQ(0, attach_address(s->session, text + 4100, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
	EXPECT_EQ(4100, a.file_offset);
	EXPECT_EQ(0, memcmp(&a.file, &s->at.file, sizeof(a.file)));
	p = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, s->file, 8192);
	EXPECT_EQ(0, attach_address(s->session, p + 1, 0, &a));
	EXPECT_EQ(8193, a.file_offset);
	/* Nothing there, no file, a stack. */
	munmap(p, 8192);
	EXPECT_TRUE(attach_address(s->session, p, 0, &a) < 0 || a.status == DRAGOMAN_PRIVATE);
	EXPECT_TRUE(attach_address(s->session, (void *)-4096l, 0, &a) < 0 || a.status == DRAGOMAN_PRIVATE);
	EXPECT_TRUE(attach_address(s->session, NULL, 0, &a) < 0 || a.status == DRAGOMAN_PRIVATE);
	EXPECT_EQ(0, attach_address(s->session, &a, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	/* Writable; written once and then protected; shared and writable. */
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->file, 0);
	EXPECT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	p[0] = 1;
	ASSERT_EQ(0, mprotect(p, 8192, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	EXPECT_EQ(0, attach_address(s->session, p + 4096, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	/* A mapping that is changed in /proc/self/mem has private pages, too. */
	two = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, s->file, 0);
	fd = open("/proc/self/mem", O_RDWR);
	if (pwrite(fd, "x", 1, (off_t)(unsigned long)two + 5000) == 1) {
		EXPECT_EQ(0, attach_address(s->session, two, 0, &a));
		EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	}
	fd = open("other", O_RDWR | O_CREAT, 0644);
	ASSERT_EQ(0, ftruncate(fd, 8192));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	EXPECT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
}

/* A file that changes is another image; the old object is never given for the new bytes. */
TEST_F(objects, changed_file)
{
	struct stage *s = &self->s;
	struct dragoman_image_fd i;
	struct dragoman_req req;
	unsigned int old;
	int fd;

	ASSERT_EQ(0, stage_attach(s));
	old = s->object;
	/* Kernels before 6.13 stamp files with the time of the last tick. */
	usleep(20000);
	fd = open("lib", O_RDWR);
	ASSERT_EQ(1, pwrite(fd, "y", 1, 4096));
	close(fd);
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &s->at));
	EXPECT_EQ(DRAGOMAN_NONE, s->at.status);
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, SECOND));
	EXPECT_NE(s->image, req.image);
	EXPECT_EQ(-ESTALE, image_fd(s->ctl, s->image, &i));
	EXPECT_EQ(-ESTALE, object_bind(s->ctl, s->image, old, DRAGOMAN_OK));
	/* Changed between request and answer. */
	usleep(20000);
	fd = open("lib", O_RDWR);
	ASSERT_EQ(1, pwrite(fd, "z", 1, 4096));
	close(fd);
	EXPECT_EQ(-ESTALE, reply(s->ctl, req.id, DRAGOMAN_OK, old));
}

/* Through a shared map tmpfs is written without a change of any time: still a new image, whether the old one is in use or not. */
TEST_F(objects, changed_by_map)
{
	struct stage *s = &self->s;
	struct dragoman_image_fd i;
	struct dragoman_attach a;
	struct dragoman_req req;
	struct stat st, now;
	unsigned long long old;

	ASSERT_EQ(0, stage_attach(s));
	old = s->image;
	for (int round = 0; round < 3; round++) {
		int fd = open("lib", O_RDWR | O_CLOEXEC);
		char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		ASSERT_NE(MAP_FAILED, (void *)p);
		close(fd);
		ASSERT_EQ(0, fstat(s->file, &st));
		EXPECT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
		EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
		/* Read before it is written: then not even the first store is a fault. */
		EXPECT_NE('a' + round, ((volatile char *)p)[4000]);
		p[4000] = 'a' + round;
		munmap(p, 4096);
		ASSERT_EQ(0, fstat(s->file, &now));
		if (now.st_ctim.tv_nsec == st.st_ctim.tv_nsec && now.st_ctim.tv_sec == st.st_ctim.tv_sec)
			EXPECT_EQ(0, memcmp(&a.file, &s->at.file, sizeof(a.file)));
		ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
		EXPECT_EQ(DRAGOMAN_NONE, a.status);
		ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, SECOND));
		EXPECT_NE(old, req.image);
		if (!round)
			EXPECT_EQ(-ESTALE, object_bind(s->ctl, old, s->object, DRAGOMAN_OK));
		EXPECT_EQ(0, image_fd(s->ctl, req.image, &i));
		old = req.image;
		close(i.fd);
		EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
		/* The rest with nobody who uses it. */
		close(s->session);
		s->session = session_open();
		ASSERT_GE(s->session, 0);
	}
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
}

/* A file system on a block device (a loop one) at disk, with inodes of so many bytes. 0 or what is lacking. */
static const char *mount_disk(int inode_size)
{
	int fd = open("disk.img", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char command[128];

	if (fd < 0 || ftruncate(fd, 16 << 20) || close(fd) || mkdir("disk", 0755))
		return strerror(errno);
	snprintf(command, sizeof(command), "mke2fs -F -I %d disk.img >/dev/null 2>&1", inode_size);
	if (system(command))
		return "no mke2fs here";
	return system("mount -t ext4 -o loop disk.img disk >/dev/null 2>&1") ? "no ext4 or no loop device here" : NULL;
}

/* Where a second is the shortest time between two changes that can be told apart, a file is nobody's for two. */
TEST_F(objects, coarse_times)
{
	const char *why = mount_disk(128);
	struct stage *s = &self->s;
	struct dragoman_attach a;
	int fd;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, make_guest("disk/lib", 0644));
	fd = open("disk/lib", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(0, attach_fd(s->session, fd, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(0, a.file.ctime_nsec);
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	usleep(3100000);
	EXPECT_EQ(0, attach_fd(s->session, fd, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	close(fd);
	EXPECT_EQ(0, system("umount disk"));
}

static int mount_overlay(const char *name)
{
	char upper[32], work[32], options[128];

	snprintf(upper, sizeof(upper), "%s-upper", name);
	snprintf(work, sizeof(work), "%s-work", name);
	snprintf(options, sizeof(options), "lowerdir=disk,upperdir=%s,workdir=%s", upper, work);
	return mkdir(name, 0755) || mkdir(upper, 0755) || mkdir(work, 0755) || mount("overlay", name, "overlay", 0, options) ? -errno : 0;
}

/* Two containers of one image: a file below their overlays is one, however it is reached; a copy in one of them is another. */
TEST_F(objects, overlays)
{
	const char *why = mount_disk(256);
	struct stage *s = &self->s;
	struct dragoman_image_fd i;
	struct dragoman_attach a;
	struct dragoman_req req;
	struct stat low, seen;
	char *p, byte;
	int fd, err;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, make_guest("disk/lib", 0644));
	ASSERT_EQ(0, stat("disk/lib", &low));
	err = mount_overlay("one");
	if (err)
		SKIP(return, "no overlay file system: %s", strerror(-err));
	ASSERT_EQ(0, mount_overlay("two"));
	fd = open("one/lib", O_RDONLY | O_CLOEXEC);
	/* Which file the server would read by this descriptor can change; what is mapped cannot. */
	ASSERT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_BY_ADDRESS, a.status);
	EXPECT_EQ(DRAGOMAN_FILE_STACKED, a.file.flags & DRAGOMAN_FILE_STACKED);
	EXPECT_EQ(low.st_ino, a.file.ino);
	EXPECT_EQ(low.st_dev, a.file.dev);
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &req, 1, 0));
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)p);
	ASSERT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	EXPECT_EQ(low.st_ino, a.file.ino);
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_OPEN, &req, SECOND));
	ASSERT_EQ(0, image_fd(s->ctl, req.image, &i));
	ASSERT_EQ(0, fstat(i.fd, &seen));
	EXPECT_EQ(low.st_ino, seen.st_ino);
	EXPECT_EQ(1, pread(i.fd, &byte, 1, 1));
	EXPECT_EQ('E', byte);
	close(i.fd);
	s->object_fd = object_create(s->ctl, OBJECT_SIZE, TRANSLATOR, &s->object);
	ASSERT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
	/* From everywhere it is the same. */
	ASSERT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
	ASSERT_EQ(0, attach_fd(s->session, open("two/lib", O_RDONLY | O_CLOEXEC), 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
	ASSERT_EQ(0, attach_fd(s->session, open("disk/lib", O_RDONLY | O_CLOEXEC), 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
	/* A copy; here it is on tmpfs, where changes below an overlay cannot be seen. */
	fd = open("two/lib", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 5000));
	close(fd);
	fd = open("two/lib", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_EQ(0, attach_address(s->session, p, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	ASSERT_EQ(0, attach_fd(s->session, open("one/lib", O_RDONLY | O_CLOEXEC), 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
}

TEST_F(objects, bind_and_retire)
{
	struct stage *s = &self->s;
	unsigned int second;
	struct dragoman_miss m;
	struct dragoman_attach a;
	int fd, wrong;
	char *p;

	ASSERT_EQ(0, stage_attach(s));
	p = map_object(s, 0, 4096, PROT_READ);
	ASSERT_NE(MAP_FAILED, (void *)p);
	EXPECT_EQ(0, object_retire(s->ctl, s->object));
	EXPECT_EQ(0, p[0]);
	EXPECT_EQ(-ESTALE, miss(s->session, s->object, 4096, 0, SECOND, &m));
	EXPECT_GT(0, object_bind(s->ctl, s->image, s->object, DRAGOMAN_OK));
	EXPECT_EQ(0, attach_fd(s->session, s->file, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	fd = object_create(s->ctl, OBJECT_SIZE, TRANSLATOR, &second);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, object_bind(s->ctl, s->image, second, DRAGOMAN_OK));
	EXPECT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(second, a.object);
	EXPECT_EQ(0, object_bind(s->ctl, s->image, 0, DRAGOMAN_PRIVATE));
	EXPECT_EQ(0, object_bind(s->ctl, s->image, 0, DRAGOMAN_NONE));
	/* An object for another translator serves others only. */
	wrong = object_create(s->ctl, OBJECT_SIZE, "another translator", &second);
	ASSERT_GE(wrong, 0);
	EXPECT_EQ(0, object_bind(s->ctl, s->image, second, DRAGOMAN_OK));
	EXPECT_EQ(0, attach_fd(s->session, s->file, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_NE(DRAGOMAN_OK, a.status);
	munmap(p, 4096);
}

TEST_F(objects, private_image)
{
	struct stage *s = &self->s;
	struct dragoman_attach a;
	struct dragoman_req req, none;

	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_PRIVATE, 0));
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_PRIVATE, a.status);
	EXPECT_EQ(-EAGAIN, recv_n(s->ctl, &none, 1, 0));
	/* The server may change its mind. */
	EXPECT_EQ(0, object_bind(s->ctl, req.image, 0, DRAGOMAN_NONE));
	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	EXPECT_EQ(1, recv_n(s->ctl, &none, 1, SECOND));
	EXPECT_EQ(DRAGOMAN_REQ_OPEN, none.kind);
}

/* Answers that name nonsense leave the request to be answered again. */
TEST_F(objects, wrong_answers)
{
	struct stage *s = &self->s;
	struct dragoman_attach a;
	struct dragoman_req req;
	unsigned int wrong;
	int fd;

	ASSERT_EQ(0, attach_fd(s->session, s->file, 0, 0, &a));
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_GT(0, reply(s->ctl, req.id, DRAGOMAN_OK, 0));
	EXPECT_GT(0, reply(s->ctl, req.id, DRAGOMAN_OK, 4711));
	EXPECT_EQ(-EINVAL, reply(s->ctl, req.id, 99, 0));
	EXPECT_EQ(-EINVAL, reply(s->ctl, req.id, DRAGOMAN_BY_ADDRESS, 0));
	fd = object_create(s->ctl, OBJECT_SIZE, "another translator", &wrong);
	EXPECT_EQ(-EINVAL, reply(s->ctl, req.id, DRAGOMAN_OK, wrong));
	close(fd);
	fd = object_create(s->ctl, OBJECT_SIZE, TRANSLATOR, &wrong);
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, wrong));
	close(fd);
}

/* Several images may be bound to one object, e.g. copies of a file. */
TEST_F(objects, one_for_two)
{
	struct stage *s = &self->s;
	struct dragoman_attach a;
	struct dragoman_req req;
	int fd;

	ASSERT_EQ(0, stage_attach(s));
	ASSERT_EQ(0, copy_file("lib", "copy", 0644));
	fd = open("copy", O_RDONLY);
	ASSERT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_NONE, a.status);
	ASSERT_EQ(1, recv_n(s->ctl, &req, 1, SECOND));
	EXPECT_EQ(0, reply(s->ctl, req.id, DRAGOMAN_OK, s->object));
	ASSERT_EQ(0, attach_fd(s->session, fd, 0, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
}

/* A place stays bound when nobody uses the file; the file itself is let go of. */
TEST_F(objects, warm_start)
{
	struct stage *s = &self->s;
	struct dragoman_attach a;
	struct dragoman_req req;
	int i, ret = 0;

	ASSERT_EQ(0, mkdir("fs", 0755));
	ASSERT_EQ(0, mount("fs", "fs", "tmpfs", 0, "mode=0755"));
	ASSERT_EQ(0, copy_file("lib", "fs/lib", 0644));
	close(s->file);
	s->file = open("fs/lib", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, stage_attach(s));
	close(s->session);
	close(s->file);
	ASSERT_EQ(1, recv_kind(s->ctl, DRAGOMAN_REQ_IDLE, &req, 5 * SECOND));
	EXPECT_EQ(0, req.id);
	EXPECT_EQ(s->image, req.image);
	s->session = session_open();
	s->file = open("fs/lib", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, attach_fd(s->session, s->file, DRAGOMAN_ATTACH_LOOK, 0, &a));
	EXPECT_EQ(DRAGOMAN_OK, a.status);
	EXPECT_EQ(s->object, a.object);
	close(s->session);
	close(s->file);
	for (i = 0; i < 100; i++) {
		ret = umount("fs") ? errno : 0;
		if (!ret)
			break;
		usleep(20000);
	}
	EXPECT_EQ(0, ret) TH_LOG("the file system is still busy");
	s->session = s->file = -1;
}

/* By descriptors over a socket a session goes to another program: it counts whose memory it is. */
TEST_F(objects, session_handed_over)
{
	struct stage *s = &self->s;
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int sv[2], status, fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	if (pid == 0) {
		fd = session_open();
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		if (sendmsg(sv[1], &msg, 0) != 1)
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(1, recvmsg(sv[0], &msg, MSG_CMSG_CLOEXEC));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(s->session);
	s->session = fd;
	/* Our own proof of the file counts. */
	EXPECT_EQ(0, stage_attach(s));
	EXPECT_EQ(0, map_error(4096, PROT_READ | PROT_EXEC, MAP_SHARED, s->session, s->at.map_offset));
}

/* As many as fit; then an error that says so. */
TEST_F(objects, many)
{
	struct stage *s = &self->s;
	struct dragoman_req req[64];
	struct dragoman_attach a;
	int i, j, n, ret = 0, queued = 0, answered = 0;
	char name[32];

	for (i = 0; i < 400; i++) {
		int fd;

		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_RDWR | O_CREAT, 0644);
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			break;
		close(fd);
		fd = open(name, O_RDONLY);
		ret = attach_fd(s->session, fd, 0, 0, &a);
		close(fd);
		if (ret == -EAGAIN) {
			ret = 0;
		} else if (ret) {
			break;
		} else {
			queued++;
		}
		n = recv_n(s->ctl, req, 64, 0);
		for (j = 0; j < n; j++)
			if (req[j].kind == DRAGOMAN_REQ_OPEN && reply(s->ctl, req[j].id, DRAGOMAN_PRIVATE, 0) == 0)
				answered++;
	}
	EXPECT_TRUE(ret == 0 || ret == -ENOSPC) TH_LOG("%d", ret);
	EXPECT_LT(10, queued);
	EXPECT_EQ(queued, answered);
}

TEST_HARNESS_MAIN
