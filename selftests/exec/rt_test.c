// SPDX-License-Identifier: MIT
/*
 * A stand-in for the runtime: what the module starts in the tests instead of dragoman-rt, so that they depend on nothing
 * but the module. In: the guest program's argv: argv[1] is a command, the rest are its arguments. Out: what the process sees
 * of itself, as key=value lines. Must be static-PIE, as the real one.
 *
 *   report              everything below
 *   sleep               prints ready=1, waits for a signal
 *   exit N | abort
 *   exec FILE ARGS...   execv; prints error=ERRNO if that fails
 *   thread-exec FILE... the same from a second thread
 *   fork-report         report from a child
 *   hold FD             prints ready=1, closes stdout, waits until FD is closed by the other side
 *   mem                 tries to be read: prints what ptrace and /proc say about this process
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dragoman.h>

extern char **environ;

static void put_link(const char *key, const char *path)
{
	char buf[4096];
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);

	if (n >= 0) {
		buf[n] = 0;
		printf("%s=%s\n", key, buf);
	}
}

/* File contents with NUL shown as '|'. */
static void put_file(const char *key, const char *path, const char *line_with)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n, i;

	if (fd < 0)
		return;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return;
	buf[n] = 0;
	if (line_with) {
		char *p = strstr(buf, line_with);

		if (p)
			printf("%s=%.*s\n", key, (int)strcspn(p + strlen(line_with), "\n"), p + strlen(line_with));
		return;
	}
	for (i = 0; i < n - 1; i++)
		if (!buf[i])
			buf[i] = '|';
	printf("%s=%.*s\n", key, (int)strcspn(buf, "\n"), buf);
}

static void report_session(void)
{
	unsigned long fd = getauxval(AT_EXECFD);
	struct dragoman_hello hello = {
		.size = sizeof(hello), .flags = DRAGOMAN_HELLO_IMAGE_FD,
		.abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR, .cpu_class = 1,
	};
	struct stat st;
	int flags;

	errno = 0;
	fd = getauxval(AT_EXECFD);
	if (errno == ENOENT) {
		printf("execfd=none\n");
		return;
	}
	printf("execfd=%lu\n", fd);
	flags = fcntl(fd, F_GETFD);
	printf("cloexec=%d\n", flags < 0 ? -errno : !!(flags & FD_CLOEXEC));
	memcpy(hello.translator, "test", 5);
	if (ioctl(fd, DRAGOMAN_IOC_HELLO, &hello)) {
		printf("hello=%d\n", -errno);
		return;
	}
	printf("hello=0\nabi=%u.%u\nsession_flags=%u\nstatus=%u\nfile_ino=%llu\nfile_size=%llu\nfile_flags=%u\nimage_fd=%d\n",
	       hello.abi_major, hello.abi_minor, hello.session_flags, hello.status, hello.file.ino, hello.file.size,
	       hello.file.flags, hello.image_fd);
	if (hello.image_fd >= 0) {
		char magic[20] = "";

		if (!fstat(hello.image_fd, &st))
			printf("image_ino=%lu\nimage_uid=%u\n", (unsigned long)st.st_ino, st.st_uid);
		if (pread(hello.image_fd, magic, sizeof(magic), 0) == sizeof(magic))
			printf("image_machine=%d\n", magic[18] & 255);
		flags = fcntl(hello.image_fd, F_GETFL);
		printf("image_mode=%d\n", flags & O_ACCMODE);
		close(hello.image_fd);
	}
}

static void report_fds(void)
{
	int fd;

	printf("fds=");
	for (fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d,", fd);
	printf("\n");
}

static int report(int argc, char **argv)
{
	int i;

	report_fds();
	printf("argc=%d\n", argc);
	for (i = 0; i < argc; i++)
		printf("argv%d=%s\n", i, argv[i]);
	printf("env=%s\n", getenv("DRAGOMAN_TEST") ? : "");
	printf("execfn=%s\n", getauxval(AT_EXECFN) ? (char *)getauxval(AT_EXECFN) : "");
	printf("secure=%lu\n", getauxval(AT_SECURE));
	printf("ids=%d,%d,%d,%d\n", getuid(), geteuid(), getgid(), getegid());
	printf("aux_ids=%lu,%lu,%lu,%lu\n", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID));
	printf("dumpable=%d\n", prctl(PR_GET_DUMPABLE));
	printf("no_new_privs=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("base=%lx\nphdr=%lx\n", getauxval(AT_BASE), getauxval(AT_PHDR));
	put_link("exe", "/proc/self/exe");
	put_file("comm", "/proc/self/comm", NULL);
	put_file("cmdline", "/proc/self/cmdline", NULL);
	put_file("capeff", "/proc/self/status", "CapEff:\t");
	put_file("capprm", "/proc/self/status", "CapPrm:\t");
	put_file("seccomp", "/proc/self/status", "Seccomp:\t");
	put_file("maps", "/proc/self/maps", NULL);
	report_session();
	printf("mem_readable=%d\n", access("/proc/self/mem", R_OK) == 0);
	printf("end=1\n");
	return 0;
}

static int do_exec(char **argv)
{
	fflush(stdout);
	execve(argv[0], argv, environ);
	printf("error=%d\n", errno);
	return 125;
}

static void *thread_exec(void *argv)
{
	exit(do_exec(argv));
}

static int wait_for(const char *fd)
{
	char c;

	printf("ready=1\n");
	fclose(stdout);
	close(1);
	while (read(atoi(fd), &c, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "report";
	pthread_t t;

	if (!strcmp(cmd, "sleep")) {
		printf("ready=1\n");
		fflush(stdout);
		pause();
		return 1;
	}
	if (!strcmp(cmd, "exit"))
		return argc > 2 ? atoi(argv[2]) : 0;
	if (!strcmp(cmd, "abort"))
		abort();
	if (!strcmp(cmd, "exec") && argc > 2)
		return do_exec(argv + 2);
	if (!strcmp(cmd, "hold") && argc > 2)
		return wait_for(argv[2]);
	if (!strcmp(cmd, "thread-exec") && argc > 2) {
		pthread_create(&t, NULL, thread_exec, argv + 2);
		pthread_join(t, NULL);
		return 1;
	}
	if (!strcmp(cmd, "fork-report")) {
		int status = 0;

		fflush(stdout);
		if (fork() == 0) {
			report(argc, argv);
			exit(0);
		}
		wait(&status);
		return WEXITSTATUS(status);
	}
	return report(argc, argv);
}
