/* SPDX-License-Identifier: MIT */
/*
 * A small good aarch64 program to be damaged by tests, and running the runtime on it: loading only, no guest code.
 */
#ifndef FUZZ_ELF_IMAGE_H
#define FUZZ_ELF_IMAGE_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_SIZE 0x3000
#define IMAGE_PHDRS 5

/* ET_DYN without interpreter: text at 0, data and .bss at 0x12000; [2] PT_NULL, [3] PT_GNU_STACK, [4] PT_NULL. */
union image {
	unsigned char b[IMAGE_SIZE + 4096];
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr ph[IMAGE_PHDRS];
		char interp[64];
	};
};

static inline void image_make(union image *i)
{
	memset(i, 0, sizeof(*i));
	i->e = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_AARCH64, .e_version = EV_CURRENT, .e_entry = 0x400,
		.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = IMAGE_PHDRS,
	};
	i->ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x1000, .p_memsz = 0x1000,
				 .p_align = 0x10000 };
	i->ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x2000, .p_vaddr = 0x12000,
				 .p_filesz = 0x800, .p_memsz = 0x5000, .p_align = 0x10000 };
	i->ph[3] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
}

struct outcome {
	int status;			/* as a shell would show it; >= 256: 256 + signal */
	unsigned lines;
	char text[4096];		/* of stderr */
};

/* The runtime under test. */
static inline const char *runtime(void)
{
	static char path[4096];
	const char *build = getenv("BUILD"), *rt = getenv("DRAGOMAN_RT");

	if (rt)
		return rt;
	snprintf(path, sizeof(path), "%s/dragoman-rt", build ? build : "build");
	return path;
}

/* Loads the file, as `dragoman run` does, and stops before its first instruction. */
static inline void load_file(const char *file, const char *root, struct outcome *o)
{
	char root_arg[4200];
	int pipe_fd[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	snprintf(root_arg, sizeof(root_arg), "--root=%s", root);
	memset(o, 0, sizeof(*o));
	if (pipe(pipe_fd))
		exit(2);
	pid = fork();
	if (!pid) {
		dup2(pipe_fd[1], 2);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		execl(runtime(), "dragoman-rt", "--run", "--flags=100", root_arg, "--", file, "argv0", (char *)NULL);
		_exit(99);
	}
	close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], o->text + n, sizeof(o->text) - 1 - n)) > 0)
		n += got;
	close(pipe_fd[0]);
	waitpid(pid, &status, 0);
	o->status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
	for (const char *p = o->text; (p = strchr(p, '\n')); p++)
		o->lines++;
}

/* Writes size bytes of the image as file, executable. */
static inline void image_write(const union image *i, size_t size, const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	if (fd < 0 || write(fd, i->b, size) != (ssize_t)size || close(fd)) {
		perror(file);
		exit(2);
	}
}

#endif
