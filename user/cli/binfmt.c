// SPDX-License-Identifier: MIT
/*
 * binfmt_misc: reads the kernel's files and binfmt.d lines into struct binfmt_entry, and writes registrations.
 * Knows nothing of what dragoman does with them (enable.c, disable.c, status.c do).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binfmt.h"

bool binfmt_mounted(void)
{
	/* Going through the folder also starts systemd's automount. */
	return !access(BINFMT_DIR "/register", F_OK);
}

static void load_module(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		if (null >= 0)
			dup2(null, 2);
		execlp("modprobe", "modprobe", "-q", "binfmt_misc", NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int binfmt_mount(void)
{
	if (binfmt_mounted())
		return 0;
	if (!mount("binfmt_misc", BINFMT_DIR, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return 0;
	if (errno != ENODEV && errno != ENOENT)
		return -errno;
	load_module();
	if (mount("binfmt_misc", BINFMT_DIR, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	return 0;
}

static int write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), BINFMT_DIR "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)	/* one write is one command */
		err = -errno;
	close(fd);
	return err;
}

int binfmt_switch(const char *name, const char *value)
{
	return write_file(name, value);
}

int binfmt_register(const char *line)
{
	return write_file("register", line);
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* "7f454c..." as /proc shows it; bytes, at most BINFMT_HEADER. */
static unsigned int parse_hex(const char *s, unsigned char *out)
{
	unsigned int n = 0;

	for (; n < BINFMT_HEADER && hex_digit(s[0]) >= 0 && hex_digit(s[1]) >= 0; s += 2)
		out[n++] = hex_digit(s[0]) << 4 | hex_digit(s[1]);
	return n;
}

static void parse_proc_line(const char *line, struct binfmt_entry *e)
{
	if (!strcmp(line, "enabled"))
		e->enabled = true;
	else if (!strncmp(line, "interpreter ", 12))
		snprintf(e->interpreter, sizeof(e->interpreter), "%s", line + 12);
	else if (!strncmp(line, "flags: ", 7))
		snprintf(e->flags, sizeof(e->flags), "%.15s", line + 7);
	else if (!strncmp(line, "offset ", 7))
		e->offset = strtoul(line + 7, NULL, 10);
	else if (!strncmp(line, "magic ", 6))
		e->size = parse_hex(line + 6, e->magic);
	else if (!strncmp(line, "mask ", 5))
		parse_hex(line + 5, e->mask);
}

int binfmt_read(const char *name, struct binfmt_entry *e)
{
	char path[PATH_MAX], text[8192], *line, *rest = text;
	long n;

	snprintf(path, sizeof(path), BINFMT_DIR "/%s", name);
	n = cli_read_file(path, text, sizeof(text));
	if (n < 0)
		return n;
	memset(e, 0, sizeof(*e));
	memset(e->mask, 0xff, sizeof(e->mask));		/* shown only where it is not all ones */
	snprintf(e->name, sizeof(e->name), "%s", name);
	while ((line = strsep(&rest, "\n")))
		parse_proc_line(line, e);
	return 0;
}

/* Undoes \xNN and \c, in the kernel's way; bytes. */
static unsigned int unescape(const char *s, unsigned char *out)
{
	unsigned int n = 0;

	while (*s && n < BINFMT_HEADER) {
		if (s[0] == '\\' && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
			out[n++] = hex_digit(s[2]) << 4 | hex_digit(s[3]);
			s += 4;
		} else {
			if (s[0] == '\\' && s[1])
				s++;
			out[n++] = *s++;
		}
	}
	return n;
}

bool binfmt_parse_line(const char *line, struct binfmt_entry *e)
{
	enum { NAME, TYPE, OFFSET, MAGIC, MASK, INTERPRETER, FLAGS, FIELDS };
	char copy[8192], separator[2] = { *line }, *rest = copy, *field[FIELDS];
	unsigned int masked;

	if (!*line || strchr("#; \t\n", *line) || strlen(line) >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%s", line + 1);
	copy[strcspn(copy, "\n")] = 0;
	for (int i = 0; i < FIELDS; i++) {
		field[i] = strsep(&rest, separator);
		if (!field[i])
			return false;
	}
	if (strcmp(field[TYPE], "M"))
		return false;
	memset(e, 0, sizeof(*e));
	memset(e->mask, 0xff, sizeof(e->mask));
	snprintf(e->name, sizeof(e->name), "%.255s", field[NAME]);
	snprintf(e->interpreter, sizeof(e->interpreter), "%.4095s", field[INTERPRETER]);
	snprintf(e->flags, sizeof(e->flags), "%.15s", field[FLAGS]);
	e->enabled = true;
	e->offset = strtoul(field[OFFSET], NULL, 10);
	e->size = unescape(field[MAGIC], e->magic);
	masked = unescape(field[MASK], e->mask);
	return e->size && (!masked || masked == e->size);
}

bool binfmt_matches(const struct binfmt_entry *e, const struct cli_guest *g)
{
	unsigned char header[BINFMT_HEADER] = { 0 };

	if (!e->size || e->offset >= BINFMT_HEADER || e->size > BINFMT_HEADER - e->offset)
		return false;
	memcpy(header, g->magic, sizeof(g->magic));
	for (unsigned int i = 0; i < e->size; i++)
		if ((header[e->offset + i] ^ e->magic[i]) & e->mask[i])
			return false;
	return true;
}

void binfmt_own_name(const struct cli_guest *g, char *name, size_t max)
{
	snprintf(name, max, "dragoman-%s", g->name);
}

static void escape(char *out, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 4 * i, "\\x%02x", bytes[i]);
}

int binfmt_format(char *line, size_t max, const struct cli_guest *g, const char *interpreter, const char *flags)
{
	char magic[4 * GUEST_MAGIC_SIZE + 1], mask[4 * GUEST_MAGIC_SIZE + 1], name[64];
	const char *s = ":|,;@%";
	int n;

	while (*s && strchr(interpreter, *s))
		s++;
	if (!*s)
		return -EINVAL;
	escape(magic, g->magic, sizeof(g->magic));
	escape(mask, g->mask, sizeof(g->mask));
	binfmt_own_name(g, name, sizeof(name));
	n = snprintf(line, max, "%c%s%cM%c%c%s%c%s%c%s%c%s", *s, name, *s, *s, *s, magic, *s, mask, *s,
		     interpreter, *s, flags);
	return n < (int)max ? 0 : -ENAMETOOLONG;
}

int binfmt_each(const struct cli_guest *g, int (*fn)(const struct binfmt_entry *e, void *arg), void *arg)
{
	struct binfmt_entry *e;
	struct dirent *d;
	DIR *dir = opendir(BINFMT_DIR);
	int ret = 0;

	if (!dir)
		return -errno;
	e = malloc(sizeof(*e));
	if (!e)
		ret = -ENOMEM;
	while (!ret && (d = readdir(dir))) {
		if (*d->d_name == '.' || !strcmp(d->d_name, "register") || !strcmp(d->d_name, "status"))
			continue;
		if (!binfmt_read(d->d_name, e) && binfmt_matches(e, g))
			ret = fn(e, arg);
	}
	free(e);
	closedir(dir);
	return ret;
}
