/* SPDX-License-Identifier: MIT */
/*
 * The guest's ELF file -> memory. What comes in is a descriptor of a file that an enemy may have written; what goes out are
 * mappings and the addresses in struct rt_image, or one line on stderr and the exit status 126 or 127.
 */
#ifndef RUNTIME_LOAD_H
#define RUNTIME_LOAD_H

#include "base/types.h"

struct rt_image {
	u64 base;			/* what was added to the file's addresses */
	u64 entry;
	u64 phdr, phnum;		/* in memory; phdr 0: the file does not map its program headers */
	u64 start_code, end_code, start_data, end_data, end;	/* end: of .bss */
	u64 interp_base;		/* 0: static */
	u64 start;			/* where to begin: the interpreter's entry, or entry */
	bool exec_stack;
};

/* How the program was given. */
struct rt_program {
	const char *path;		/* as the caller wrote it: for messages, AT_EXECFN */
	int fd;				/* >= 0: already open, and checked by whoever gave it */
	bool keep_fd;			/* it has no name to open it by later: kept for /proc/self/exe */
	u64 random;			/* 64 random bits, 0: no address space randomisation */
};

/* Loads the program and its interpreter. Returns only on success. */
void rt_load(const struct rt_program *p, struct rt_image *img);

#define RT_STACK_ROOM 256			/* bytes, as in start.S */

/* stack.c: the kernel's initial stack, where it is, becomes the guest's. */
struct rt_initial_stack {
	u64 *argv;			/* guest argv[0], in the kernel's pointer block */
	u64 argc;
	u64 *envp, *auxv;
	u64 nenv, nauxv;		/* nauxv: words with AT_NULL */
	const char *execfn;
	u64 *low;			/* what is below is in use: RT_STACK_ROOM under the kernel's stack pointer */
};
/* Returns the guest's initial stack pointer. Fills rt.arg_start .. rt.auxv_len, rt.stack_*. */
u64 rt_stack_build(struct rt_initial_stack *s, const struct rt_image *img);
/* Tells the kernel (PR_SET_MM_MAP, PR_SET_NAME) what ps and /proc are to show. */
void rt_stack_publish(const struct rt_initial_stack *s, const struct rt_image *img, u64 sp);

/* For tests: what was loaded where, one line each on stderr; then exits with 0. */
void rt_load_print(const struct rt_image *img) __attribute__((noreturn));

/* vdso.c */
void rt_vdso_init(u64 host_vdso);
u64 rt_host_vdso_symbol(const char *name);	/* address in the host's vDSO, 0: none */

#endif
