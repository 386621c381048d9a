/* SPDX-License-Identifier: MIT */
/* What `enable --replace` put aside and `disable` puts back; see displaced.c. */
#ifndef DRAGOMAN_CLI_DISPLACED_H
#define DRAGOMAN_CLI_DISPLACED_H

#include "binfmt.h"

#define RUN_DIR		"/run/dragoman"
#define PERSIST_DIR	"/etc/binfmt.d"

/* The entries that run until reboot: one name a line in RUN_DIR/<guest>.displaced. All: 0 or -errno. */
int displaced_add(const struct cli_guest *g, const char *name);
int displaced_each(const struct cli_guest *g, void (*fn)(const char *name, void *arg), void *arg);
void displaced_forget(const struct cli_guest *g);

/* Our line for systemd-binfmt; path of the file. */
void persist_path(const struct cli_guest *g, char *path, size_t max);

/*
 * Calls @fn for each binfmt.d file, other than ours, that registers another handler for @g at boot, until it
 * returns non-zero. @path is the file in effect (one in /etc hides one of the same name in /usr/lib).
 */
int persist_rivals(const struct cli_guest *g, int (*fn)(const char *path, const char *line, void *arg), void *arg);

/* Writes our file with @line and masks all rivals; -EEXIST if one is in /etc itself. 0 or -errno. */
int persist_write(const struct cli_guest *g, const char *line);

/* Removes our file and the masks that it lists; calls @fn for each line that is in effect again. 0 or -errno. */
int persist_remove(const struct cli_guest *g, int (*fn)(const char *path, const char *line, void *arg), void *arg);

#endif
