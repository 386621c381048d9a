/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the module's tests: a folder of their own (a private tmpfs, so that set-user-ID and exec hold), guest programs
 * that are nothing but a header, the stand-in runtime registered, a program run with its output kept.
 * Included after kselftest_harness.h.
 */
#ifndef DRAGOMAN_TEST_H
#define DRAGOMAN_TEST_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dragoman.h>

/* The harness gives a test 30 s; an emulated machine on a busy host may need more. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

#define CTL_NODE	"/dev/dragoman-ctl"
#define CLIENT_NODE	"/dev/dragoman"
#define SYSFS		"/sys/class/misc/dragoman-ctl"
#define EM_AARCH64_	183
#define SECOND		1000000000ull

/* ioctl that returns -errno. */
static inline int dg(int fd, unsigned long nr, void *arg)
{
	int ret = ioctl(fd, nr, arg);

	return ret < 0 ? -errno : ret;
}

static inline unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* A number in a small file; -errno. */
static inline long long read_number(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (read(fd, buf, sizeof(buf) - 1) < 0) {
		close(fd);
		return -EIO;
	}
	close(fd);
	return strtoll(buf, NULL, 0);
}

static inline bool module_loaded(void)
{
	return access("/sys/module/dragoman", F_OK) == 0;
}

/* The reason not to run here, or NULL. A module without its nodes is a failure, not a reason. */
static inline const char *cannot_run(void)
{
	if (geteuid())
		return "needs root";
	if (!module_loaded())
		return "the module is not loaded";
	return NULL;
}

/* ---- files ---- */

static inline int copy_file(const char *from, const char *to, mode_t mode)
{
	static char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -EIO;
	fchmod(out, mode);
	close(in);
	close(out);
	return 0;
}

/* Header of a guest program, as the module sees it; *change is free to spoil it. */
static inline Elf64_Ehdr guest_header(void)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE },
		.e_type = ET_EXEC, .e_machine = EM_AARCH64_, .e_version = EV_CURRENT, .e_entry = 0x400000 + 0x1000,
		.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};

	return h;
}

#define GUEST_SIZE	65536

static inline int put_guest(int fd, const Elf64_Ehdr *h)
{
	Elf64_Phdr p = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = GUEST_SIZE,
			 .p_memsz = GUEST_SIZE, .p_align = 0x1000 };
	static unsigned int body[GUEST_SIZE / 4];
	static unsigned int serial;
	unsigned int i;

	serial++;
	for (i = 0; i < GUEST_SIZE / 4; i++)
		body[i] = i + (serial << 16) + (getpid() << 20);
	memcpy(body, h, sizeof(*h));
	memcpy((char *)body + sizeof(*h), &p, sizeof(p));
	return pwrite(fd, body, GUEST_SIZE, 0) == GUEST_SIZE ? 0 : -EIO;
}

static inline int make_guest_as(const char *path, mode_t mode, const Elf64_Ehdr *h)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700), ret;

	if (fd < 0)
		return -errno;
	ret = put_guest(fd, h);
	fchmod(fd, mode);
	close(fd);
	return ret;
}

static inline int make_guest(const char *path, mode_t mode)
{
	Elf64_Ehdr h = guest_header();

	return make_guest_as(path, mode, &h);
}

/* The folder of this test program. */
static inline const char *self_dir(void)
{
	static char buf[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

	if (n < 0)
		return ".";
	buf[n] = 0;
	*strrchr(buf, '/') = 0;
	return buf;
}

/*
 * A private mount namespace with an empty tmpfs, which becomes the current folder; rt and guest are in it.
 * 0 or -errno.
 */
static inline int enter_folder(void)
{
	char from[PATH_MAX], dir[] = "/tmp/dragoman-test-XXXXXX";

	umask(022);
	snprintf(from, sizeof(from), "%s/rt_test", self_dir());
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (!mkdtemp(dir) || mount("test", dir, "tmpfs", 0, "mode=0755") || chdir(dir))
		return -errno;
	if (copy_file(from, "rt", 0755))
		return -ENOENT;
	return make_guest("guest", 0755);
}

static inline void leave_folder(void)
{
	char dir[PATH_MAX];

	if (getcwd(dir, sizeof(dir)) && !strncmp(dir, "/tmp/dragoman-test-", 19) && !chdir("/")) {
		umount2(dir, MNT_DETACH);
		rmdir(dir);
	}
}

/* ---- control ---- */

static inline int ctl_open(unsigned int role, unsigned long long *generation)
{
	struct dragoman_ctl_hello h = { .size = sizeof(h), .abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR,
					.role = role, .generation = generation && role == DRAGOMAN_ROLE_JOIN ? *generation : 0 };
	int fd = open(CTL_NODE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = dg(fd, DRAGOMAN_IOC_CTL_HELLO, &h);
	if (ret) {
		close(fd);
		return ret;
	}
	if (generation)
		*generation = h.generation;
	return fd;
}

/* Registers path (NULL: nobody) for aarch64. */
static inline int set_runtime(const char *path, unsigned int flags)
{
	struct dragoman_set_runtime s = { .size = sizeof(s), .flags = flags, .machine = EM_AARCH64_, .elf_class = ELFCLASS64,
					  .elf_data = ELFDATA2LSB, .fd = -1 };
	int ctl = ctl_open(DRAGOMAN_ROLE_ADMIN, NULL), ret;

	if (ctl < 0)
		return ctl;
	if (path)
		s.fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = path && s.fd < 0 ? -errno : dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s);
	if (s.fd >= 0)
		close(s.fd);
	close(ctl);
	return ret;
}

/* ---- running a program ---- */

struct run {
	int status;			/* of waitpid */
	int error;			/* errno of the exec, or 0 */
	char out[70000];
};

static inline void run_child(char *const argv[], const char *file, int (*prepare)(void *), void *arg)
{
	int ret = prepare ? prepare(arg) : 0;

	if (!ret) {
		execv(file ? file : argv[0], argv);
		ret = errno;
	}
	dprintf(1, "error=%d\n", ret);
	_exit(126);
}

/*
 * Runs argv, with file as its path (NULL: argv[0]), after prepare(arg) in the child, which returns 0 or an errno.
 * Gives up after 60 s. The exec's own error is in r->error.
 */
static inline void run(struct run *r, char *const argv[], const char *file, int (*prepare)(void *), void *arg)
{
	int p[2], n, len = 0;
	struct pollfd pfd;
	const char *e;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	if (pipe(p) || (pid = fork()) < 0) {
		r->error = errno;
		return;
	}
	if (pid == 0) {
		close(p[0]);
		dup2(p[1], 1);
		if (p[1] != 1)
			close(p[1]);
		run_child(argv, file, prepare, arg);
	}
	close(p[1]);
	pfd = (struct pollfd){ .fd = p[0], .events = POLLIN };
	while (len < (int)sizeof(r->out) - 1 && poll(&pfd, 1, 60000) > 0 &&
	       (n = read(p[0], r->out + len, sizeof(r->out) - 1 - len)) > 0)
		len += n;
	if (pfd.revents == 0)
		kill(pid, SIGKILL);
	close(p[0]);
	waitpid(pid, &r->status, 0);
	e = strncmp(r->out, "error=", 6) ? strstr(r->out, "\nerror=") : r->out - 1;
	if (e)
		r->error = atoi(e + 7);
}

/* The value of key in the output, or "(none)". Overwritten after eight calls. */
static inline const char *val(const struct run *r, const char *key)
{
	static char buf[8][4096];
	static int turn;
	char want[64];
	const char *p;
	char *b = buf[turn++ & 7];

	snprintf(want, sizeof(want), "\n%s=", key);
	p = strncmp(r->out, want + 1, strlen(want + 1)) ? strstr(r->out, want) : r->out - 1;
	if (!p)
		return "(none)";
	p += strlen(want);
	snprintf(b, 4096, "%.*s", (int)strcspn(p, "\n"), p);
	return b;
}

static inline long num(const struct run *r, const char *key)
{
	const char *v = val(r, key);

	return *v == '(' ? -99999 : strtol(v, NULL, 0);
}

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

/* Waits until path may be opened for writing again: a process's last reference goes a moment after its exit. */
static inline int writable_again(const char *path)
{
	int i, fd, err = 0;

	for (i = 0; i < 100; i++) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		err = errno;
		usleep(20000);
	}
	return -err;
}

#endif
