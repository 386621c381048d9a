// SPDX-License-Identifier: MIT
/*
 * What `enable` has to remember for `disable`: which binfmt_misc entries it switched off (in /run, since entries do
 * not outlive a boot either), and in /etc/binfmt.d our own line and which other packages' files are masked.
 *
 * A mask is systemd's: a link of the file's name to /dev/null in /etc/binfmt.d. Which of those are ours stands in
 * our own file, in comments "# masks NAME", so that `disable` takes away no other.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "displaced.h"

#define MASK_MARK "# masks "
#define TEXT_MAX 16384

/* ------------------------------------------------------------ until reboot */

static void displaced_path(const struct cli_guest *g, char *path, size_t max)
{
	snprintf(path, max, RUN_DIR "/%s.displaced", g->name);
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p += len)
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return true;
	return false;
}

int displaced_add(const struct cli_guest *g, const char *name)
{
	char path[PATH_MAX], text[TEXT_MAX];
	long n;

	displaced_path(g, path, sizeof(path));
	n = cli_read_file(path, text, sizeof(text));
	if (n == -ENOENT)
		n = text[0] = 0;
	if (n < 0)
		return n;
	if (has_line(text, name))
		return 0;
	if (snprintf(text + n, sizeof(text) - n, "%s\n", name) >= (int)(sizeof(text) - n))
		return -ENOSPC;
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	return cli_write_file(path, text);
}

int displaced_each(const struct cli_guest *g, void (*fn)(const char *name, void *arg), void *arg)
{
	char path[PATH_MAX], text[TEXT_MAX], *rest = text, *name;
	long n;

	displaced_path(g, path, sizeof(path));
	n = cli_read_file(path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	while ((name = strsep(&rest, "\n")))
		if (*name && !strchr(name, '/'))
			fn(name, arg);
	return 0;
}

void displaced_forget(const struct cli_guest *g)
{
	char path[PATH_MAX];

	displaced_path(g, path, sizeof(path));
	unlink(path);
}

/* ------------------------------------------------------------ from boot to boot */

void persist_path(const struct cli_guest *g, char *path, size_t max)
{
	snprintf(path, max, PERSIST_DIR "/dragoman-%s.conf", g->name);
}

/* In systemd's order: what is in a folder hides files of that name in those after it. */
static const char *const conf_dirs[] = { PERSIST_DIR, "/run/binfmt.d", "/usr/local/lib/binfmt.d", "/usr/lib/binfmt.d" };
#define NR_CONF_DIRS (sizeof(conf_dirs) / sizeof(*conf_dirs))

static bool hidden(size_t dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < dir; i++) {
		snprintf(path, sizeof(path), "%s/%s", conf_dirs[i], name);
		if (!lstat(path, &st))
			return true;
	}
	return false;
}

static int rival_lines(const char *path, const struct cli_guest *g,
		       int (*fn)(const char *path, const char *line, void *arg), void *arg)
{
	char *text = malloc(TEXT_MAX), *rest = text, *line;
	struct binfmt_entry *e = malloc(sizeof(*e));
	int ret = 0;

	if (!text || !e)
		ret = -ENOMEM;
	else if (cli_read_file(path, text, TEXT_MAX) < 0)
		*text = 0;
	while (!ret && (line = strsep(&rest, "\n")))
		if (binfmt_parse_line(line, e) && binfmt_matches(e, g))
			ret = fn(path, line, arg);
	free(e);
	free(text);
	return ret;
}

static int rivals_in(size_t dir, const struct cli_guest *g,
		     int (*fn)(const char *path, const char *line, void *arg), void *arg)
{
	char path[PATH_MAX], own[64];
	struct dirent *d;
	DIR *stream = opendir(conf_dirs[dir]);
	int ret = 0;

	snprintf(own, sizeof(own), "dragoman-%s.conf", g->name);
	while (stream && !ret && (d = readdir(stream))) {
		size_t len = strlen(d->d_name);

		if (len < 6 || strcmp(d->d_name + len - 5, ".conf") || !strcmp(d->d_name, own) ||
		    hidden(dir, d->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", conf_dirs[dir], d->d_name);
		ret = rival_lines(path, g, fn, arg);
	}
	if (stream)
		closedir(stream);
	return ret;
}

int persist_rivals(const struct cli_guest *g, int (*fn)(const char *path, const char *line, void *arg), void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < NR_CONF_DIRS && !ret; i++)
		ret = rivals_in(i, g, fn, arg);
	return ret;
}

/* Text of our own file while it is put together, and what went wrong. */
struct draft {
	char text[TEXT_MAX];
	size_t len;
	int err;
};

static void draft_add(struct draft *d, const char *before, const char *text)
{
	int n = snprintf(d->text + d->len, TEXT_MAX - d->len, "%s%s\n", before, text);

	if (n >= (int)(TEXT_MAX - d->len))
		d->err = -ENOSPC;
	else
		d->len += n;
}

/* Takes over the marks that stand in our file already. */
static void draft_keep_marks(struct draft *d, const char *path)
{
	char old[TEXT_MAX], *rest = old, *line;

	if (cli_read_file(path, old, sizeof(old)) < 0)
		return;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, MASK_MARK, sizeof(MASK_MARK) - 1))
			draft_add(d, "", line);
}

static int draft_mark(const char *path, const char *line, void *arg)
{
	struct draft *d = arg;

	(void)line;
	if (!strncmp(path, PERSIST_DIR "/", sizeof(PERSIST_DIR)))
		return -EEXIST;		/* the administrator's own: not ours to mask */
	draft_add(d, MASK_MARK, strrchr(path, '/') + 1);
	return d->err;
}

static int mask_marked(const char *text)
{
	char copy[TEXT_MAX], link[PATH_MAX], *rest = copy, *line;

	strcpy(copy, text);
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, MASK_MARK, sizeof(MASK_MARK) - 1))
			continue;
		snprintf(link, sizeof(link), PERSIST_DIR "/%s", line + sizeof(MASK_MARK) - 1);
		if (symlink("/dev/null", link) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int persist_write(const struct cli_guest *g, const char *line)
{
	struct draft *d = calloc(1, sizeof(*d));
	char path[PATH_MAX];
	int err;

	if (!d)
		return -ENOMEM;
	persist_path(g, path, sizeof(path));
	draft_add(d, "", "# Made by `dragoman enable`; `dragoman disable` removes it.");
	draft_keep_marks(d, path);
	err = persist_rivals(g, draft_mark, d);
	draft_add(d, "", line);
	if (!err)
		err = d->err;
	if (!err && mkdir(PERSIST_DIR, 0755) && errno != EEXIST)
		err = -errno;
	/* Marks before masks: a mask that no mark knows would stay for ever. */
	if (!err)
		err = cli_write_file(path, d->text);
	if (!err)
		err = mask_marked(d->text);
	free(d);
	return err;
}

static void unmask(const struct cli_guest *g, const char *name,
		   int (*fn)(const char *path, const char *line, void *arg), void *arg)
{
	char path[PATH_MAX], to[16];
	ssize_t n;

	snprintf(path, sizeof(path), PERSIST_DIR "/%s", name);
	n = readlink(path, to, sizeof(to));
	if (n != 9 || memcmp(to, "/dev/null", 9) || unlink(path))
		return;
	for (size_t i = 1; i < NR_CONF_DIRS; i++) {
		snprintf(path, sizeof(path), "%s/%s", conf_dirs[i], name);
		if (access(path, F_OK))
			continue;
		rival_lines(path, g, fn, arg);
		return;
	}
}

int persist_remove(const struct cli_guest *g, int (*fn)(const char *path, const char *line, void *arg), void *arg)
{
	char path[PATH_MAX], text[TEXT_MAX], *rest = text, *line;
	long n;

	persist_path(g, path, sizeof(path));
	n = cli_read_file(path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, MASK_MARK, sizeof(MASK_MARK) - 1) && !strchr(line, '/'))
			unmask(g, line + sizeof(MASK_MARK) - 1, fn, arg);
	return unlink(path) ? -errno : 0;
}
