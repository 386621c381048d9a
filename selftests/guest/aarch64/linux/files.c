// SPDX-License-Identifier: MIT
/*
 * System calls on files whose flags or structures differ from x86-64's: open flags, stat, epoll, fcntl; and the descriptors that
 * a program sees.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "ktap.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static char dir[64];

static char *in_dir(const char *name)
{
	static char path[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static void test_open(void)
{
	int fd = open(in_dir("file"), O_CREAT | O_RDWR | O_EXCL, 0640), flags, in;
	struct open_how how = { .flags = O_RDONLY | O_NOFOLLOW };

	check(fd >= 0, "create");
	check(write(fd, "0123456789", 10) == 10, "write");
	flags = fcntl(fd, F_GETFL);
	check((flags & O_ACCMODE) == O_RDWR && !(flags & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT)), "F_GETFL (%o)", flags);
	check(syscall(SYS_fcntl, fd, F_GETFL) & 0400000, "O_LARGEFILE has aarch64's value");
	check(!fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) && (fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK),
	      "F_SETFL");
	close(fd);
	check(open(in_dir("file"), O_DIRECTORY) == -1 && errno == ENOTDIR, "O_DIRECTORY of a file: ENOTDIR");
	if (symlink("file", in_dir("link")))
		exit(1);
	check(open(in_dir("link"), O_NOFOLLOW) == -1 && errno == ELOOP, "O_NOFOLLOW of a link: ELOOP");
	fd = open(in_dir("link"), O_RDONLY);
	check(fd >= 0, "a link is followed without");
	close(fd);
	fd = open(dir, O_DIRECTORY | O_RDONLY);
	check(fd >= 0, "O_DIRECTORY of a directory");
	check(fcntl(fd, F_GETFL) & O_DIRECTORY, "F_GETFL shows O_DIRECTORY (%o)", fcntl(fd, F_GETFL));
	check(syscall(SYS_openat2, fd, "link", &how, sizeof(how)) == -1 && errno == ELOOP, "openat2 with O_NOFOLLOW: ELOOP");
	in = (int)syscall(SYS_openat2, fd, "file", &how, sizeof(how));
	check(in >= 0, "openat2");
	close(in);
	check(syscall(SYS_openat2, fd, "file", &how, 8ul) == -1 && errno == EINVAL, "openat2: size");
	close(fd);
	fd = open(dir, O_TMPFILE | O_RDWR, 0600);
	check(fd >= 0 || errno == EOPNOTSUPP, "O_TMPFILE");
	close(fd);
	check(open((char *)1, O_RDONLY) == -1 && errno == EFAULT, "open: EFAULT");
	check(open("", O_RDONLY) == -1 && errno == ENOENT, "open of an empty path: ENOENT");
}

static void test_stat(void)
{
	struct stat st, null;
	struct statx sx;
	int fd;

	check(!stat(in_dir("file"), &st), "stat");
	check(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640 && st.st_size == 10 && st.st_nlink == 1, "mode, size, links");
	check(st.st_uid == geteuid() && st.st_blksize >= 512 && st.st_mtim.tv_sec > 1000000000, "owner, block size, time");
	check(!statx(AT_FDCWD, in_dir("file"), 0, STATX_ALL, &sx) && sx.stx_ino == st.st_ino && sx.stx_mode == st.st_mode &&
	      makedev(sx.stx_dev_major, sx.stx_dev_minor) == st.st_dev, "statx says the same");
	check(!lstat(in_dir("link"), &st) && S_ISLNK(st.st_mode) && st.st_size == 4, "lstat");
	check(!stat("/dev/null", &null) && S_ISCHR(null.st_mode) && null.st_rdev == makedev(1, 3), "device number");
	fd = open(in_dir("file"), O_RDONLY);
	check(!fstat(fd, &st) && st.st_size == 10, "fstat");
	check(!fstatat(fd, "", &st, AT_EMPTY_PATH) && st.st_size == 10, "fstatat with AT_EMPTY_PATH");
	check(syscall(SYS_fstat, fd, 1ul) == -1 && errno == EFAULT, "fstat: EFAULT");
	close(fd);
	check(syscall(SYS_fstat, fd, &st) == -1 && errno == EBADF, "fstat: EBADF");
}

static void test_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 }, got[8];
	int ep = epoll_create1(EPOLL_CLOEXEC), fds[6], n, ok = 1, seen = 0;
	struct timespec second = { 1, 0 };

	for (int i = 0; i < 6; i++) {
		fds[i] = eventfd(1, 0);
		ev.data.u64 = 0x1122334400000000 + (uint64_t)i;
		ok &= !epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
	}
	check(ok, "epoll_ctl");
	memset(got, 0xaa, sizeof(got));
	n = epoll_wait(ep, got, 8, 1000);
	check(n == 6, "six events (%d)", n);
	for (int i = 0; i < n; i++) {
		ok &= got[i].events == EPOLLIN && got[i].data.u64 >> 32 == 0x11223344;
		seen |= 1 << (got[i].data.u64 & 31);
	}
	check(ok && seen == 63, "with their data (%x)", seen);
	check(((uint8_t *)&got[6])[0] == 0xaa, "nothing behind them");
	n = (int)syscall(SYS_epoll_pwait2, ep, got, 8, &second, NULL, 0ul);
	check(n == 6 || (n == -1 && errno == ENOSYS), "epoll_pwait2");
	check(!epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL), "EPOLL_CTL_DEL without an event");
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], (void *)1) == -1 && errno == EFAULT, "epoll_ctl: EFAULT");
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	close(ep);
}

static void test_fcntl(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
	int fd = open(in_dir("file"), O_RDWR), p[2], d;
	char buf[16];

	check(!fcntl(fd, F_SETLK, &fl), "F_SETLK");
	d = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	check(d >= 100 && fcntl(d, F_GETFD) == FD_CLOEXEC, "F_DUPFD_CLOEXEC");
	close(d);
	check(!pipe2(p, O_CLOEXEC | O_DIRECT | O_NONBLOCK), "pipe2 with O_DIRECT");
	check(fcntl(p[1], F_GETFL) & O_DIRECT, "and it shows");
	check(write(p[1], "ab", 2) == 2 && write(p[1], "c", 1) == 1 && read(p[0], buf, 16) == 2 && read(p[0], buf, 16) == 1,
	      "packets");
	check(dup3(p[0], p[0], 0) == -1 && errno == EINVAL, "dup3 onto itself: EINVAL");
	close(p[0]);
	close(p[1]);
	close(fd);
}

/* A program sees its own three descriptors and no others, and may close all. */
static void test_descriptors(void)
{
	int first, second, n = 0;
	struct dirent *e;
	struct stat st;
	DIR *d;

	for (int i = 3; i < 1024; i++)	/* what we inherited */
		close(i);
	first = open("/dev/null", O_RDONLY);
	second = open("/dev/null", O_RDONLY);
	d = opendir("/proc/self/fd");
	check(second == first + 1 && first < 10, "lowest descriptors first (%d)", first);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) > dirfd(d))
			n = atoi(e->d_name);
	check(n == 0, "no stranger in /proc/self/fd (%d)", n);
	if (d)
		closedir(d);
	check(!syscall(SYS_close_range, 3u, ~0u, 0) && fstat(first, &st) == -1, "close_range");
	for (int i = 3; i < 2048; i++)
		close(i);
	check(!system("exit 0"), "and programs can still be started");
	d = opendir("/proc/self");
	check(d != NULL, "and directories opened");
	if (d)
		closedir(d);
}

static void test_vectors(void)
{
	struct iovec iov[2] = { { "abc", 3 }, { "defg", 4 } };
	char a[8] = { 0 }, b[8] = { 0 };
	struct iovec in[2] = { { a, 2 }, { b, 6 } };
	int fd = memfd_create("v", 0);

	check(writev(fd, iov, 2) == 7, "writev");
	check(preadv(fd, in, 2, 1) == 6 && !memcmp(a, "bc", 2) && !memcmp(b, "defg", 4), "preadv");
	check(pwrite(fd, "Z", 1, 100000) == 1 && lseek(fd, 0, SEEK_END) == 100001, "pwrite, lseek");
	check(pread(fd, a, 8, -1) == -1 && errno == EINVAL, "pread: EINVAL");
	check(copy_file_range(fd, &(off_t){ 0 }, fd, &(off_t){ 50000 }, 7, 0) == 7, "copy_file_range");
	close(fd);
}

static void test_messages(void)
{
	int sv[2], fd = eventfd(5, 0), got;
	char data = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	uint64_t v = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	check(sendmsg(sv[0], &m, 0) == 1, "sendmsg with a descriptor");
	memset(control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	check(recvmsg(sv[1], &m, 0) == 1, "recvmsg");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	check(read(got, &v, 8) == 8 && v == 5, "the descriptor works");
	close(got);
	close(fd);
	close(sv[0]);
	close(sv[1]);
}

static void test_ipc(void)
{
	int sem = semget(IPC_PRIVATE, 3, 0600), shm = shmget(IPC_PRIVATE, 8192, 0600), msg = msgget(IPC_PRIVATE, 0600);
	union { int val; struct semid_ds *buf; } arg;
	struct semid_ds sd;
	struct shmid_ds hd;
	struct msqid_ds qd;
	struct { long type; char text[8]; } m = { 5, "hello" };
	volatile int *p;

	if (sem < 0 || shm < 0 || msg < 0) {
		ktap_skip("System V IPC is not there");
		return;
	}
	memset(&sd, 0, sizeof(sd));
	arg.buf = &sd;
	check(!semctl(sem, 0, IPC_STAT, arg) && sd.sem_nsems == 3 && sd.sem_ctime > 1000000000 && sd.sem_otime == 0, "semid_ds");
	check(!shmctl(shm, IPC_STAT, &hd) && hd.shm_segsz == 8192 && hd.shm_cpid == getpid(), "shmid_ds");
	p = shmat(shm, NULL, 0);
	check(p != (void *)-1, "shmat");
	*p = 5;
	check(!shmctl(shm, IPC_STAT, &hd) && hd.shm_nattch == 1, "attached");
	check(!shmdt((void *)p), "shmdt");
	check(!msgsnd(msg, &m, 6, 0) && !msgctl(msg, IPC_STAT, &qd) && qd.msg_qnum == 1 && qd.msg_lspid == getpid(), "msqid_ds");
	check(msgrcv(msg, &m, 8, 5, 0) == 6, "msgrcv");
	semctl(sem, 0, IPC_RMID);
	shmctl(shm, IPC_RMID, NULL);
	msgctl(msg, IPC_RMID, NULL);
}

static void test_others(void)
{
	struct utsname u;
	struct statfs fs;
	int fd, wd, n = 0;
	char buf[512];

	check(!uname(&u) && !strcmp(u.machine, "aarch64"), "uname: %s", u.machine);
	check(!statfs("/proc", &fs) && fs.f_type == 0x9fa0, "statfs");
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, dir, IN_CREATE);
	close(open(in_dir("new"), O_CREAT | O_WRONLY, 0600));
	check(wd > 0 && read(fd, buf, sizeof(buf)) > 0 && ((struct inotify_event *)buf)->mask & IN_CREATE, "inotify");
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(fd, 0, &(struct itimerspec){ .it_value = { 0, 1000000 } }, NULL);
	check(read(fd, buf, 8) == 8 && *(uint64_t *)buf == 1, "timerfd");
	close(fd);
	check(ioctl(0, 0x12345678) == -1 && (errno == ENOTTY || errno == EINVAL || errno == EBADF), "unknown ioctl");
	fd = eventfd(3, 0);
	check(!ioctl(fd, FIONBIO, &n), "FIONBIO");
	close(fd);
	check(syscall(244) == -1 && errno == ENOSYS && syscall(9999) == -1 && errno == ENOSYS, "unknown calls: ENOSYS");
}

int main(void)
{
	ktap_begin();
	snprintf(dir, sizeof(dir), "/tmp/files.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	test_open();
	test_stat();
	test_epoll();
	test_fcntl();
	test_vectors();
	test_messages();
	test_ipc();
	test_others();
	test_descriptors();
	for (int i = 0; i < 3; i++)
		unlink(in_dir(i == 0 ? "file" : i == 1 ? "link" : "new"));
	rmdir(dir);
	return ktap_end();
}
