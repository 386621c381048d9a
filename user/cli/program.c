// SPDX-License-Identifier: MIT
/*
 * Finding and checking a program before the runtime gets it. In: a name and the sysroot; out: a path, or one
 * line that says what is wrong with which file and what to do, and the exit status that a shell would give.
 *
 * The runtime checks everything again, for what the guest executes; this is for people.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli.h"
#include "program.h"

static int join(char *path, const char *root, const char *dir, size_t dir_len, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s%.*s%s%s", root, (int)dir_len, dir, dir_len ? "/" : "", name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* One pass over PATH below @root; the first file with x permission wins. */
static bool find_in_path(const char *name, const char *root, char *path)
{
	const char *dirs = getenv("PATH"), *end;

	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	for (;; dirs = end + 1) {
		end = strchrnul(dirs, ':');
		/* A relative folder means the working folder, which is not below the root. */
		if (!(*root && *dirs != '/') && !join(path, root, dirs, end - dirs, name) && is_program(path))
			return true;
		if (!*end)
			return false;
	}
}

int program_find(const char *name, const char *root, char *path)
{
	if (!*name) {
		cli_error("the program's name is empty");
		return RUN_NOT_FOUND;
	}
	if (!strchr(name, '/')) {
		if ((*root && find_in_path(name, root, path)) || find_in_path(name, "", path))
			return 0;
		cli_error("%s: not found in PATH%s%s; give its path, with a slash", name,
			  *root ? ", neither below " : "", root);
		return RUN_NOT_FOUND;
	}
	if (*root && *name == '/' && !join(path, root, "", 0, name) && !access(path, F_OK))
		return 0;
	if (join(path, "", "", 0, name)) {
		cli_error("%.60s...: %s", name, strerror(ENAMETOOLONG));
		return RUN_CANNOT;
	}
	return 0;
}

static int cannot(const char *path, const char *what)
{
	cli_error("%s: %s", path, what);
	return RUN_CANNOT;
}

static int check_file(const char *path, struct stat *st)
{
	struct statvfs fs;

	if (stat(path, st)) {
		if (errno == ENOENT) {
			cli_error("%s: no such file; check the path", path);
			return RUN_NOT_FOUND;
		}
		return cannot(path, strerror(errno));
	}
	if (S_ISDIR(st->st_mode))
		return cannot(path, "is a directory; name a program in it");
	if (!S_ISREG(st->st_mode))
		return cannot(path, "is not a regular file; name a program");
	if (!access(path, X_OK))
		return 0;
	if (!statvfs(path, &fs) && (fs.f_flag & ST_NOEXEC))
		return cannot(path, "is on a file system mounted noexec; copy it to another or remount it");
	return cannot(path, "no permission to execute it; chmod +x it");
}

static const char *machine_name(unsigned int machine)
{
	static const struct { unsigned int machine; const char *name; } names[] = {
		{ EM_386, "i386" }, { EM_ARM, "32-bit arm" }, { EM_RISCV, "riscv" }, { EM_PPC64, "ppc64" },
		{ EM_PPC, "powerpc" }, { EM_S390, "s390x" }, { EM_MIPS, "mips" }, { EM_SPARCV9, "sparc64" },
		{ EM_LOONGARCH, "loongarch" }, { EM_IA_64, "ia64" }, { EM_68K, "m68k" }, { EM_ALPHA, "alpha" },
		{ EM_SH, "sh4" }, { EM_PARISC, "hppa" }, { EM_AARCH64, "aarch64" }, { EM_X86_64, "x86-64" },
	};
	static char number[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(number, sizeof(number), "machine %u", machine);
	return number;
}

static int foreign(const char *path, const Elf64_Ehdr *eh)
{
	bool big = eh->e_ident[EI_DATA] == ELFDATA2MSB;
	unsigned int machine = big ? __builtin_bswap16(eh->e_machine) : eh->e_machine;
	const char *kind = big && machine == EM_AARCH64 ? "big-endian " : "";

	if (machine == EM_X86_64 && eh->e_ident[EI_CLASS] == ELFCLASS64)
		return cannot(path, "is an x86-64 program, native here; run it without dragoman, "
			      "or name an aarch64 one (-L DIR searches DIR first)");
	cli_error("%s: is a %s%s program, which dragoman does not translate; it runs aarch64 (64-bit, little-endian)",
		  path, kind, machine_name(machine));
	return RUN_CANNOT;
}

static int check_header(const char *path, const Elf64_Ehdr *eh, long have, off_t size)
{
	bool ours = eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_ident[EI_DATA] == ELFDATA2LSB;

	if (have < (long)sizeof(Elf64_Ehdr))
		return cannot(path, "truncated ELF header; copy or build the file again");
	if (!ours || !cli_guest_by_machine(eh->e_machine))
		return foreign(path, eh);
	if (eh->e_type == ET_REL)
		return cannot(path, "is an object file; link it first");
	if (eh->e_type == ET_CORE)
		return cannot(path, "is a core dump; open it with a debugger");
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return cannot(path, "damaged ELF header (type); copy or build the file again");
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || !eh->e_phnum)
		return cannot(path, "damaged ELF header (program headers); copy or build the file again");
	if (eh->e_phoff > (uint64_t)size || eh->e_phnum * sizeof(Elf64_Phdr) > size - eh->e_phoff)
		return cannot(path, "truncated: its program headers lie beyond the end; copy or build the file again");
	if (eh->e_type == ET_DYN && !eh->e_entry)
		return cannot(path, "is a shared library; name a program that uses it");
	return 0;
}

/* @name is the guest's view of its interpreter: below the root first, then as it stands. */
static int check_interpreter(const char *path, const char *name, const char *root)
{
	char file[PATH_MAX];

	if (*root && !join(file, root, "", 0, name) && !access(file, F_OK))
		return 0;
	if (!access(name, F_OK))
		return 0;
	cli_error("%s: its interpreter %s is not there%s%s; give -L DIR where DIR is a root with it "
		  "(scripts/arm64-root.sh makes one) or install libc6:arm64",
		  path, name, *root ? ", neither below " : "", root);
	return RUN_NOT_FOUND;
}

static int check_segment(int fd, const char *path, const char *root, const Elf64_Phdr *ph, off_t size)
{
	char interp[PATH_MAX];
	/* where a segment without bytes would be in the file does not matter */
	bool within = !ph->p_filesz || (ph->p_offset <= (uint64_t)size && ph->p_filesz <= size - ph->p_offset);

	if (ph->p_type == PT_LOAD && (!within || ph->p_filesz > ph->p_memsz)) {
		if (within)
			return cannot(path, "damaged: a segment is larger in the file than in memory; "
				      "copy or build the file again");
		cli_error("%s: truncated: %lld bytes, its segments need %llu; copy or build the file again", path,
			  (long long)size, (unsigned long long)(ph->p_offset + ph->p_filesz));
		return RUN_CANNOT;
	}
	if (ph->p_type != PT_INTERP)
		return 0;
	if (ph->p_filesz < 2 || ph->p_filesz > sizeof(interp) ||
	    pread(fd, interp, ph->p_filesz, ph->p_offset) != (ssize_t)ph->p_filesz ||
	    interp[ph->p_filesz - 1])
		return cannot(path, "damaged: the interpreter's name is cut; copy or build the file again");
	return check_interpreter(path, interp, root);
}

static int check_elf(int fd, const char *path, const char *root, const Elf64_Ehdr *eh, off_t size)
{
	bool loads = false;

	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		int status;

		if (pread(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)) != sizeof(ph))
			return cannot(path, "cannot be read to the end");
		status = check_segment(fd, path, root, &ph, size);
		if (status)
			return status;
		loads |= ph.p_type == PT_LOAD;
	}
	return loads ? 0 : cannot(path, "damaged: nothing in it is to be loaded; copy or build the file again");
}

int program_check(const char *path, const char *root)
{
	union {
		Elf64_Ehdr eh;
		char bytes[sizeof(Elf64_Ehdr) + 1];
	} head = { 0 };
	struct stat st;
	int fd, status = check_file(path, &st);
	long n;

	if (status)
		return status;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		cli_error("%s: %s; `run` has to read the program, `dragoman enable` does not", path, strerror(errno));
		return RUN_CANNOT;
	}
	n = cli_read_fd(fd, head.bytes, sizeof(head.bytes));
	if (n < 0)
		status = cannot(path, strerror(-n));
	else if (n >= 2 && !memcmp(head.bytes, "#!", 2))
		status = 0;	/* the runtime finds and runs its interpreter */
	else if (n < SELFMAG || memcmp(head.bytes, ELFMAG, SELFMAG))
		status = cannot(path, st.st_size ? "is neither an ELF program nor a script with #!"
						  : "is empty; copy or build the file again");
	else
		status = check_header(path, &head.eh, n, st.st_size);
	if (!status && head.bytes[0] != '#')
		status = check_elf(fd, path, root, &head.eh, st.st_size);
	close(fd);
	return status;
}
