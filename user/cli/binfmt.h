/* SPDX-License-Identifier: MIT */
/* The kernel's binfmt_misc as a table that can be read and changed; see binfmt.c. */
#ifndef DRAGOMAN_CLI_BINFMT_H
#define DRAGOMAN_CLI_BINFMT_H

#include <limits.h>

#include "cli.h"

#define BINFMT_DIR	"/proc/sys/fs/binfmt_misc"
#define BINFMT_HEADER	256	/* the kernel looks at that many bytes of a file */

struct binfmt_entry {
	char name[NAME_MAX + 1];
	char interpreter[PATH_MAX];
	char flags[16];
	bool enabled;
	unsigned int offset;
	unsigned int size;	/* of magic and mask; 0 = by file extension */
	unsigned char magic[BINFMT_HEADER], mask[BINFMT_HEADER];
};

/* Makes the file system be there: loads the module and mounts it if need be. 0 or -errno. */
int binfmt_mount(void);
bool binfmt_mounted(void);

/* 0, or -ENOENT when there is no such entry. */
int binfmt_read(const char *name, struct binfmt_entry *e);

/* @value: "1" on, "0" off, "-1" remove. 0 or -errno. */
int binfmt_switch(const char *name, const char *value);

/* Registers a line of the kernel's form, ":name:M:offset:magic:mask:interpreter:flags". 0 or -errno. */
int binfmt_register(const char *line);

/* Builds such a line; 0 or -ENAMETOOLONG, -EINVAL (no character is left that can part the fields). */
int binfmt_format(char *line, size_t max, const struct cli_guest *g, const char *interpreter, const char *flags);

/* Reads such a line (of a binfmt.d file); false if it is none or goes by file extension. */
bool binfmt_parse_line(const char *line, struct binfmt_entry *e);

/* Would the entry take this guest's programs? */
bool binfmt_matches(const struct binfmt_entry *e, const struct cli_guest *g);

/* Our own entry's name, "dragoman-<guest>". */
void binfmt_own_name(const struct cli_guest *g, char *name, size_t max);

/* Calls @fn for each entry that matches @g, until it returns non-zero; that, 0, or -errno. */
int binfmt_each(const struct cli_guest *g, int (*fn)(const struct binfmt_entry *e, void *arg), void *arg);

#endif
