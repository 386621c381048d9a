// SPDX-License-Identifier: MIT
/*
 * Small things that several subcommands need: messages, whole files, where the runtime is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

void cli_error(const char *fmt, ...)
{
	va_list ap;

	fputs("dragoman: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_help(const struct cli_command *cmd)
{
	fputs(cmd->help, stdout);
	return 0;
}

int cli_usage(const struct cli_command *cmd, int status)
{
	fprintf(stderr, "Try `dragoman %s --help`.\n", cmd->name);
	return status;
}

long cli_read_fd(int fd, char *buf, size_t max)
{
	size_t have = 0;

	while (have + 1 < max) {
		ssize_t n = read(fd, buf + have, max - 1 - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += n;
	}
	buf[have] = 0;
	return have;
}

long cli_read_file(const char *path, char *buf, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return -errno;
	n = cli_read_fd(fd, buf, max);
	close(fd);
	return n;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= n;
	}
	return 0;
}

int cli_write_file(const char *path, const char *text)
{
	char tmp[PATH_MAX];
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, strlen(text));
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

/* The folder of this executable, without its last slash. */
static int own_folder(char *dir)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	dir[n] = 0;
	slash = strrchr(dir, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	return 0;
}

/* A program of ours: beside this one, or where it is installed. 0 or -ENOENT. */
static int find_own(const char *name, char *path)
{
	static const char *const folders[] = { "", "../libexec/dragoman/" };
	char dir[PATH_MAX], file[2 * PATH_MAX];

	if (own_folder(dir))
		strcpy(dir, ".");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(file, sizeof(file), "%s/%s%s", dir, folders[i], name);
		if (realpath(file, path) && !access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

int cli_find_server(char *path)
{
	return find_own("dragomand", path);
}

int cli_find_bpf(char *path)
{
	return find_own("dragoman-bpf", path);
}

int cli_find_runtime(char *path)
{
	const char *given = getenv("DRAGOMAN_RUNTIME");
	char dir[PATH_MAX];

	if (given && *given) {
		if (realpath(given, path) && !access(path, X_OK))
			return 0;
		cli_error("%s: %s; DRAGOMAN_RUNTIME has to name the runtime (dragoman-rt)", given, strerror(errno));
		return -ENOENT;
	}
	if (!find_own("dragoman-rt", path))
		return 0;
	if (own_folder(dir))
		strcpy(dir, ".");
	cli_error("no runtime: dragoman-rt is neither in %s nor in %s/../libexec/dragoman; "
		  "build or install it, or name it in DRAGOMAN_RUNTIME", dir, dir);
	return -ENOENT;
}

int cli_resolve_root(const char *given, char *root)
{
	struct stat st;

	*root = 0;
	if (!given || !*given)
		return 0;
	if (!realpath(given, root) || stat(root, &st)) {
		cli_error("%s: %s; -L and DRAGOMAN_SYSROOT name a folder with an aarch64 root", given, strerror(errno));
		return RUN_OWN_FAULT;
	}
	if (!S_ISDIR(st.st_mode)) {
		cli_error("%s: is not a folder; -L and DRAGOMAN_SYSROOT name one with an aarch64 root", given);
		return RUN_OWN_FAULT;
	}
	if (!strcmp(root, "/"))
		*root = 0;
	return 0;
}
