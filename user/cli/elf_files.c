// SPDX-License-Identifier: MIT
/*
 * Which guest files a program consists of. In: names of programs or folders, a root; out: a set of ELF files of guests that we have,
 * each once. Symbolic links below the root are resolved there (openat2), as the guest in a chroot would.
 *
 * Libraries are looked for where glibc's ld.so does: DT_RPATH or DT_RUNPATH with $ORIGIN, the folders of
 * /etc/ld.so.conf and its includes, then the defaults. What a program opens by dlopen is not known.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli.h"
#include "elf_files.h"

#define MAX_SEGMENTS 64
#define MAX_DYNAMIC 4096		/* entries */
#define MAX_STRINGS (4u << 20)		/* bytes */
#define MAX_CONF 65536			/* bytes of a file of ld.so.conf */
#define MAX_CONF_DEPTH 4

struct library_path {			/* a folder, the guest's name of it */
	struct library_path *next;
	char name[];
};

/* What is wanted of an ELF file beside its header. */
struct elf_info {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_SEGMENTS];
	int nph;
	char interp[PATH_MAX];		/* "" if none */
	Elf64_Dyn *dyn;
	size_t ndyn;
	char *strings;
	size_t strings_size;
};

/* ------------------------------------------------------------ opening */

static int open_in_root(int root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int elf_set_read(const struct elf_set *set, const struct elf_file *f)
{
	int fd;

	if (f->in_root)
		return open_in_root(set->root, f->path);
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* ------------------------------------------------------------ one ELF file */

static bool read_all(int fd, void *to, size_t n, off_t at)
{
	return pread(fd, to, n, at) == (ssize_t)n;
}

/* Header and segments. 0 or -ENOEXEC. */
static int read_header(int fd, struct elf_info *e)
{
	if (!read_all(fd, &e->eh, sizeof(e->eh), 0) || memcmp(e->eh.e_ident, ELFMAG, SELFMAG) ||
	    e->eh.e_ident[EI_CLASS] != ELFCLASS64 || e->eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (e->eh.e_type != ET_EXEC && e->eh.e_type != ET_DYN) || e->eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    !cli_guest_by_machine(e->eh.e_machine))
		return -ENOEXEC;
	e->nph = e->eh.e_phnum < MAX_SEGMENTS ? e->eh.e_phnum : MAX_SEGMENTS;
	return read_all(fd, e->ph, e->nph * sizeof(*e->ph), e->eh.e_phoff) ? 0 : -ENOEXEC;
}

static bool has_code(const struct elf_info *e)
{
	for (int i = 0; i < e->nph; i++)
		if (e->ph[i].p_type == PT_LOAD && (e->ph[i].p_flags & PF_X) && e->ph[i].p_filesz)
			return true;
	return false;
}

/* Where an address lies in the file, or -1. */
static off_t file_offset(const struct elf_info *e, Elf64_Addr a)
{
	for (int i = 0; i < e->nph; i++)
		if (e->ph[i].p_type == PT_LOAD && a >= e->ph[i].p_vaddr && a - e->ph[i].p_vaddr < e->ph[i].p_filesz)
			return a - e->ph[i].p_vaddr + e->ph[i].p_offset;
	return -1;
}

static const Elf64_Dyn *find_tag(const struct elf_info *e, Elf64_Sxword tag)
{
	for (size_t i = 0; i < e->ndyn && e->dyn[i].d_tag != DT_NULL; i++)
		if (e->dyn[i].d_tag == tag)
			return &e->dyn[i];
	return NULL;
}

static void read_dynamic(int fd, struct elf_info *e, const Elf64_Phdr *ph)
{
	const Elf64_Dyn *table, *size;

	e->ndyn = ph->p_filesz / sizeof(*e->dyn);
	if (e->ndyn > MAX_DYNAMIC)
		e->ndyn = MAX_DYNAMIC;
	e->dyn = calloc(e->ndyn + 1, sizeof(*e->dyn));
	if (!e->dyn || !read_all(fd, e->dyn, e->ndyn * sizeof(*e->dyn), ph->p_offset)) {
		e->ndyn = 0;
		return;
	}
	table = find_tag(e, DT_STRTAB);
	size = find_tag(e, DT_STRSZ);
	if (!table || !size || size->d_un.d_val > MAX_STRINGS || file_offset(e, table->d_un.d_ptr) < 0)
		return;
	e->strings = calloc(1, size->d_un.d_val + 1);
	if (e->strings && read_all(fd, e->strings, size->d_un.d_val, file_offset(e, table->d_un.d_ptr)))
		e->strings_size = size->d_un.d_val;
}

static const char *string(const struct elf_info *e, const Elf64_Dyn *d)
{
	return d && d->d_un.d_val < e->strings_size ? e->strings + d->d_un.d_val : NULL;
}

static void read_segments(int fd, struct elf_info *e)
{
	for (int i = 0; i < e->nph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type == PT_DYNAMIC && !e->dyn)
			read_dynamic(fd, e, ph);
		if (ph->p_type == PT_INTERP && ph->p_filesz < sizeof(e->interp) &&
		    !read_all(fd, e->interp, ph->p_filesz, ph->p_offset))
			*e->interp = 0;
	}
}

static void free_info(struct elf_info *e)
{
	free(e->dyn);
	free(e->strings);
	free(e);
}

/* ------------------------------------------------------------ the set */

static bool is_in(const struct elf_set *set, const struct stat *st)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->file[i].ino == st->st_ino && set->file[i].dev == st->st_dev)
			return true;
	return false;
}

static int add(struct elf_set *set, const char *path, bool in_root, const struct elf_info *e, const struct stat *st)
{
	struct elf_file *f;

	if (set->n == set->room) {
		size_t room = set->room ? 2 * set->room : 64;

		f = realloc(set->file, room * sizeof(*f));
		if (!f)
			return -ENOMEM;
		set->file = f;
		set->room = room;
	}
	f = &set->file[set->n];
	*f = (struct elf_file){ .path = strdup(path), .in_root = in_root, .machine = e->eh.e_machine, .dev = st->st_dev,
				.ino = st->st_ino, .size = st->st_size };
	if (!f->path)
		return -ENOMEM;
	set->n++;
	return 0;
}

/* ------------------------------------------------------------ where libraries are */

static void add_path(struct elf_set *set, const char *name)
{
	struct library_path **at = &set->paths, *p;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	if (*at || *name != '/')
		return;
	p = malloc(sizeof(*p) + strlen(name) + 1);
	if (!p)
		return;
	strcpy(p->name, name);
	p->next = NULL;
	*at = p;
}

static void read_conf(struct elf_set *set, const char *name, int depth);

/* glob(3) knows no root, so the pattern's folder is read with the root in front; links in it point into the root. */
static void include_conf(struct elf_set *set, const char *pattern, int depth)
{
	char dir[PATH_MAX], full[PATH_MAX + 64];
	const char *slash = strrchr(pattern, '/');
	glob_t found;
	int fd;

	if (!slash || (size_t)(slash - pattern) >= sizeof(dir))
		return;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - pattern), pattern);
	fd = open_in_root(set->root, *dir ? dir : "/");
	if (fd < 0)
		return;
	snprintf(full, sizeof(full), "/proc/self/fd/%d%s", fd, slash);
	if (!glob(full, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			snprintf(full, sizeof(full), "%s%s", dir, strrchr(found.gl_pathv[i], '/'));
			read_conf(set, full, depth + 1);
		}
		globfree(&found);
	}
	close(fd);
}

static void read_conf(struct elf_set *set, const char *name, int depth)
{
	char text[MAX_CONF], pattern[PATH_MAX], *line, *rest = text;
	int fd = depth <= MAX_CONF_DEPTH ? open_in_root(set->root, name) : -1;
	long n;

	if (fd < 0)
		return;
	n = cli_read_fd(fd, text, sizeof(text));
	close(fd);
	while (n > 0 && (line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = 0;
		line += strspn(line, " \t");
		if (sscanf(line, "include %4095s", pattern) == 1) {
			include_conf(set, pattern, depth);
			continue;
		}
		line[strcspn(line, " \t\r")] = 0;
		add_path(set, line);
	}
}

static void read_paths(struct elf_set *set)
{
	static const char *const defaults[] = {
		"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
	};

	read_conf(set, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		add_path(set, defaults[i]);
}

int elf_set_open(struct elf_set *set, const char *root)
{
	memset(set, 0, sizeof(*set));
	set->root = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (set->root < 0)
		return -errno;
	read_paths(set);
	return 0;
}

void elf_set_close(struct elf_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->file[i].path);
	free(set->file);
	while (set->paths) {
		struct library_path *p = set->paths;

		set->paths = p->next;
		free(p);
	}
	close(set->root);
}

/* ------------------------------------------------------------ a program and what it needs */

typedef void missing_fn(const char *program, const char *library);
static int add_closure(struct elf_set *set, const char *path, bool in_root, missing_fn *missing);

/* 0: the library is in the set, or is none of ours; -ENOENT. */
static int add_from(struct elf_set *set, const char *dir, size_t len, const char *library, bool in_root, missing_fn *missing)
{
	char path[2 * PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%.*s/%s", (int)(len < PATH_MAX ? len : 0), dir, library);
	err = add_closure(set, path, in_root, missing);
	return err == -ENOMEM ? err : err ? -ENOENT : 0;
}

/* A list as of DT_RUNPATH. $ORIGIN is the folder of the file that has it. */
static int add_from_list(struct elf_set *set, const char *list, const char *origin, bool in_root, const char *library,
			 missing_fn *missing)
{
	const char *slash = strrchr(origin, '/');
	char dir[2 * PATH_MAX];
	size_t len;
	int err = -ENOENT;

	for (; err == -ENOENT && *list; list += len + (list[len] == ':')) {
		size_t skip = !strncmp(list, "$ORIGIN", 7) ? 7 : !strncmp(list, "${ORIGIN}", 9) ? 9 : 0;

		len = strcspn(list, ":");
		if (!len || len >= PATH_MAX)
			continue;
		if (skip)
			snprintf(dir, sizeof(dir), "%.*s%.*s", slash ? (int)(slash - origin) : 1, slash ? origin : ".",
				 (int)(len - skip), list + skip);
		else
			snprintf(dir, sizeof(dir), "%.*s", (int)len, list);
		err = add_from(set, dir, strlen(dir), library, skip ? in_root : true, missing);
	}
	return err;
}

static int add_library(struct elf_set *set, const struct elf_info *e, const char *path, bool in_root, const char *library,
		       missing_fn *missing)
{
	const char *list = string(e, find_tag(e, DT_RUNPATH));
	int err = -ENOENT;

	if (!list)
		list = string(e, find_tag(e, DT_RPATH));
	if (strchr(library, '/'))
		return add_closure(set, library, true, missing);
	if (list)
		err = add_from_list(set, list, path, in_root, library, missing);
	for (struct library_path *p = set->paths; p && err == -ENOENT; p = p->next)
		err = add_from(set, p->name, strlen(p->name), library, true, missing);
	return err;
}

static int add_needed(struct elf_set *set, const struct elf_info *e, const char *path, bool in_root, missing_fn *missing)
{
	int err = 0;

	if (*e->interp) {
		err = add_closure(set, e->interp, true, missing);
		if (err && err != -ENOMEM && missing)
			missing(path, e->interp);
	}
	for (size_t i = 0; i < e->ndyn && err != -ENOMEM && e->dyn[i].d_tag != DT_NULL; i++) {
		const char *library = e->dyn[i].d_tag == DT_NEEDED ? string(e, &e->dyn[i]) : NULL;

		if (!library)
			continue;
		err = add_library(set, e, path, in_root, library, missing);
		if (err && err != -ENOMEM && missing)
			missing(path, library);
	}
	return err == -ENOMEM ? err : 0;
}

/* "#! interpreter argument": the interpreter. What env would start is not looked for. */
static int add_script(struct elf_set *set, int fd, missing_fn *missing)
{
	char line[256] = { 0 };
	char *name = line + 2;

	if (pread(fd, line, sizeof(line) - 1, 0) < 3 || memcmp(line, "#!", 2))
		return -ENOEXEC;
	name += strspn(name, " \t");
	name[strcspn(name, " \t\n")] = 0;
	return *name == '/' ? add_closure(set, name, true, missing) : -ENOEXEC;
}

static int add_closure(struct elf_set *set, const char *path, bool in_root, missing_fn *missing)
{
	struct elf_info *e;
	struct stat st;
	int fd = elf_set_read(set, &(struct elf_file){ .path = (char *)path, .in_root = in_root }), err = -ENOEXEC;

	if (fd < 0)
		return fd;
	e = calloc(1, sizeof(*e));
	if (!e)
		err = -ENOMEM;
	else if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = -ENOEXEC;
	else if (is_in(set, &st))
		err = 0;
	else if (read_header(fd, e))
		err = add_script(set, fd, missing);
	else {
		read_segments(fd, e);
		err = has_code(e) ? add(set, path, in_root, e, &st) : 0;
		if (!err)
			err = add_needed(set, e, path, in_root, missing);
	}
	if (e)
		free_info(e);
	close(fd);
	return err;
}

int elf_set_add_program(struct elf_set *set, const char *path, missing_fn *missing)
{
	return add_closure(set, path, false, missing);
}

/* ------------------------------------------------------------ a whole root */

static struct elf_set *walked;		/* nftw passes nothing on */

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct elf_info *e;
	int fd, err = 0;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode) || st->st_size < (off_t)sizeof(Elf64_Ehdr) || is_in(walked, st))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;	/* not ours to read: neither is it to translate */
	e = calloc(1, sizeof(*e));
	if (!e)
		err = -ENOMEM;
	else if (!read_header(fd, e) && has_code(e))
		err = add(walked, path, false, e, st);
	if (e)
		free_info(e);
	close(fd);
	return err;
}

int elf_set_add_tree(struct elf_set *set, const char *path)
{
	int err;

	walked = set;
	errno = 0;
	err = nftw(path, visit, 32, FTW_PHYS | FTW_MOUNT);
	walked = NULL;
	return err == -1 ? -errno : err;
}
