/* SPDX-License-Identifier: MIT */
/* Finding and checking the program that `dragoman run` was given. */
#ifndef DRAGOMAN_CLI_PROGRAM_H
#define DRAGOMAN_CLI_PROGRAM_H

/*
 * Finds @name as a shell would: with a slash it is a path, without one it is looked for along PATH. With
 * @root (absolute, or "") an absolute path and the folders of PATH are tried below it first.
 * Returns 0 and the path to open in @path (PATH_MAX bytes), or prints one line and returns the exit status.
 */
int program_find(const char *name, const char *root, char *path);

/*
 * Checks what the kernel's exec would, with one clear line in place of ENOEXEC: a regular file with x permission,
 * a #! script or a whole ELF program of a guest that we have, whose interpreter is there. 0 or the exit status.
 */
int program_check(const char *path, const char *root);

#endif
