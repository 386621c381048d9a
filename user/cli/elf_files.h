/* SPDX-License-Identifier: MIT */
/* Which guest files a program consists of; see elf_files.c. */
#ifndef DRAGOMAN_CLI_ELF_FILES_H
#define DRAGOMAN_CLI_ELF_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elf_file {
	char *path;		/* to open it by, on the host */
	bool in_root;		/* path is the guest's: to be resolved below the root */
	uint16_t machine;
	dev_t dev;
	ino_t ino;
	off_t size;		/* bytes */
};

/* Files, each once, whatever its names. Zeroed but for root, which is opened by elf_set_open. */
struct elf_set {
	int root;		/* the guest's root folder */
	struct elf_file *file;
	size_t n, room;
	struct library_path *paths;
};

/* root: "" is the host's own. 0 or -errno. */
int elf_set_open(struct elf_set *set, const char *root);
void elf_set_close(struct elf_set *set);

/*
 * Adds the program at path (a name on the host) and what it needs: its interpreter (for a #! script, the program that interprets it),
 * and libraries as ld.so would find them below the root. 0; -ENOEXEC: no file of a guest that we have; -ENOENT, ...
 * missing: called for each library that is not there.
 */
int elf_set_add_program(struct elf_set *set, const char *path, void (*missing)(const char *program, const char *library));

/* Adds all guest files below a folder, of its own file system. 0 or -errno. */
int elf_set_add_tree(struct elf_set *set, const char *path);

/* The file, for reading: a descriptor or -errno. */
int elf_set_read(const struct elf_set *set, const struct elf_file *f);

#endif
