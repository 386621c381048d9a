/* SPDX-License-Identifier: MIT */
/* The kernel module, as an administrator sees it; see module.c. */
#ifndef DRAGOMAN_CLI_MODULE_H
#define DRAGOMAN_CLI_MODULE_H

#include "cli.h"

#define MODULE_DIR	"/sys/class/misc/dragoman-ctl"
#define MODULE_LOAD	"/etc/modules-load.d/dragoman.conf"

bool module_loaded(void);
/* Does it know this guest? */
bool module_has(const struct cli_guest *g);

/* A number in MODULE_DIR, e.g. "guest-aarch64/execs"; -1: there is none. */
long long module_number(const char *name);

/* The module's version and its ABI's, "" if it does not say. */
void module_version(char *text, size_t max);
void module_abi(char *text, size_t max);

/* Does binfmt_misc see programs before the module does? Then an entry there for the same programs wins. */
bool module_behind_binfmt(void);

/* Switches the guest on or off. 0 or -errno. */
int module_switch(const struct cli_guest *g, bool on);

/* Registers @runtime (NULL: none) for the guest. 0 or -errno. */
int module_set_runtime(const struct cli_guest *g, const char *runtime);

/* Is it loaded at boot, and does udev then start the server, which registers the runtime? */
bool module_persistent(void);
bool module_starts_server(void);
/* Sees to the former, or undoes that. 0 or -errno. */
int module_persist(void);
int module_unpersist(void);

#endif
