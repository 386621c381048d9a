// SPDX-License-Identifier: MIT
/*
 * Descriptors of a program that has all of them for itself: numbers, limits, lists; closing and replacing what it never opened
 * breaks nothing. `descriptors child N`: exits with 7 if only 0, 1, 2 and those below N are open.
 * `descriptors ids`: prints whose program it is. `descriptors closed`: exits with 7 if 0 is the first free number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ktap.h"

/* More than the usual limit of 1024, where a number of the runtime's may be. */
static int many = 4096;

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static const char *self;

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Open descriptors in [from, many + 100). */
static int count_open(int from)
{
	int n = 0;

	for (int fd = from; fd < many + 100; fd++)
		n += is_open(fd);
	return n;
}

/* Names in /proc/self/fd beside the list's own; -1: no /proc. */
static int count_listed(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	closedir(d);
	return n;
}

static int end_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_child(const char *from)
{
	pid_t pid = fork();

	if (!pid) {
		execl(self, self, "child", from, NULL);
		_exit(9);
	}
	return end_of(pid);
}

static int run_without_any(void)
{
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_close_range, 0, ~0u, 0);
		execl(self, self, "closed", NULL);
		_exit(9);
	}
	return end_of(pid);
}

/* A vfork child has descriptors of its own, but no memory. */
static int replace_in_vfork_child(volatile unsigned limit)
{
	pid_t pid = vfork();

	if (!pid) {
		for (volatile unsigned fd = 3; fd < limit; fd++)
			if (dup2(0, (int)fd) != (int)fd)
				_exit(8);
		close(3);	/* exec needs one */
		syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
		execl(self, self, "child", "3", NULL);
		_exit(9);
	}
	return end_of(pid);
}

static void fill(unsigned limit)
{
	unsigned n = 0;
	int fd, last = -1;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		last = fd;
		n++;
	}
	check(errno == EMFILE && last == (int)limit - 1, "of %u the last is %d", limit, last);
	check(n == limit - 3, "of %u, %u can be opened", limit, n);
	syscall(SYS_close_range, 3, ~0u, 0);
}

static void replace(unsigned limit)
{
	unsigned good = 0;

	for (unsigned fd = 3; fd < limit; fd++)
		good += dup2(0, (int)fd) == (int)fd && is_open((int)fd);
	check(good == limit - 3, "of %u, %u can be chosen", limit, good);
	check(dup2(0, (int)limit) < 0 && errno == EBADF, "the one behind the limit cannot");
	check(count_open(3) == (int)limit - 3, "and all are there");
	syscall(SYS_close_range, 3, ~0u, 0);
	check(!count_open(3), "and gone again");
}

static void limits(void)
{
	struct rlimit r;
	int got;

	getrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur > 1024)
		r.rlim_cur = 1024;
	setrlimit(RLIMIT_NOFILE, &r);
	fill((unsigned)r.rlim_cur);
	replace((unsigned)r.rlim_cur);
	check(run_child("3") == 7, "a program after that");
	r.rlim_cur = r.rlim_max < (rlim_t)many ? r.rlim_max : (rlim_t)many;
	setrlimit(RLIMIT_NOFILE, &r);
	replace((unsigned)r.rlim_cur);
	check(run_child("3") == 7, "a program after a larger limit");
	got = replace_in_vfork_child((unsigned)r.rlim_cur);
	check(got == 7, "a vfork child that replaces all, and a program after that (%d)", got);
	replace((unsigned)r.rlim_cur);
	r.rlim_cur = 5;
	setrlimit(RLIMIT_NOFILE, &r);
	check(run_child("3") == 7, "a program with a small limit");
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (getenv("KTAP_SHORT"))
		many = 1200;
	if (argc == 2 && !strcmp(argv[1], "ids"))
		return printf("%d %d %d %d secure %lu\n", getuid(), geteuid(), getgid(), getegid(), getauxval(AT_SECURE)) < 0;
	if (argc == 2)
		return open("/", O_RDONLY) || open("/", O_RDONLY) != 1 || open("/", O_RDONLY) != 2 || count_open(3) ? 8 : 7;
	if (argc > 2)
		return count_open(atoi(argv[2])) || (count_listed() > 0 && count_listed() != 3) ? 8 : 7;
	ktap_begin();
	check(!getauxval(AT_EXECFD) && errno == ENOENT, "no AT_EXECFD");
	syscall(SYS_close_range, 3, ~0u, 0);
	check(open("/dev/null", O_RDONLY) == 3, "the first free number");
	check(count_open(4) == 0, "nothing else is open");
	check(count_listed() < 0 || count_listed() == 4, "nothing else is listed");
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	check(run_child("3") == 7, "nothing is inherited that is to be closed");
	close(3);
	for (int fd = 3; fd < many; fd++)
		if (close(fd) != -1 || errno != EBADF)
			check(0, "number %d was open", fd);
	check(run_child("3") == 7, "a program after all were closed");
	check(run_without_any() == 7, "a program without any");
	limits();
	return ktap_end();
}
