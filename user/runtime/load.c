// SPDX-License-Identifier: MIT
/*
 * Loads a guest ELF file and its interpreter. The file may be anything, damaged on purpose included: every number of it is
 * checked before it is used, and what is wrong becomes one line with the file's name and, where there is one, the remedy.
 * Exit status as a shell's: 126 cannot be run, 127 not found.
 */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <asm/stat.h>

#include "codegen/host.h"
#include "runtime/load.h"
#include "runtime/mm.h"
#include "runtime/path.h"
#include "runtime/place.h"
#include "runtime/procfs.h"
#include "runtime/rt.h"
#include "runtime/start.h"
#include "runtime/sys.h"
#include "runtime/view.h"

#define PAGE 4096ull
#define PAGE_UP(x) ALIGN_UP((u64)(x), PAGE)
#define PAGE_DOWN(x) ALIGN_DOWN((u64)(x), PAGE)

#define CANNOT_RUN 126
#define NOT_FOUND 127

/* As Linux: at most 64 KiB of program headers. */
#define MAX_PHDRS (65536 / sizeof(Elf64_Phdr))
/* A larger p_align is not honoured: it would only move the image about. */
#define MAX_ALIGN BIT(30)
/* Where Linux puts position-independent programs: two thirds up the address space, 28 random bits of pages. */
#define DYN_BASE 0x555555554000ull

struct elf_file {
	const char *path;
	int fd;
	u64 size;
	const Elf64_Ehdr *ehdr;
	const Elf64_Phdr *ph;
	unsigned n;
	void *big_ph;			/* mapped for them, as large as big_size; NULL: they are in head */
	u64 big_size;
	u64 lo, hi, align;		/* of the PT_LOADs: page-aligned addresses, largest p_align */
	struct rt_offered *offer;	/* its code object; NULL: none */
	u64 text_shift;			/* text's address less its file offset, if there is an offer */
	s64 head_len;
	u8 head[4096] __attribute__((aligned(8)));
};

/* ---- opening and reading ------------------------------------------------------------ */

static void die_open(const char *path, s64 err)
{
	switch (-err) {
	case ENOENT:
	case ENOTDIR:
		rt_die(NOT_FOUND, "%s: no such file", path);
	case EACCES:
		rt_die(CANNOT_RUN, "%s: no permission to read it; chmod +r it, or `dragoman enable' for execute-only files", path);
	case ELOOP:
		rt_die(CANNOT_RUN, "%s: too many symbolic links", path);
	case ENAMETOOLONG:
		rt_die(CANNOT_RUN, "the program's path is too long");
	}
	rt_die(CANNOT_RUN, "%s: cannot be opened (error %ld)", path, -err);
}

static void check_kind(struct elf_file *f, bool check_permission)
{
	struct stat st;

	if (sys(__NR_fstat, f->fd, &st))
		rt_die(CANNOT_RUN, "%s: is not an open file", f->path);
	if ((st.st_mode & S_IFMT) == S_IFDIR)
		rt_die(CANNOT_RUN, "%s: is a directory; give a program", f->path);
	if ((st.st_mode & S_IFMT) != S_IFREG)
		rt_die(CANNOT_RUN, "%s: is not a regular file", f->path);
	f->size = st.st_size;
	if (!check_permission || !(st.st_mode & 0111) ||
	    sys(__NR_faccessat2, f->fd, "", 1 /* X_OK */, AT_EMPTY_PATH | AT_EACCESS) == -EACCES) {
		if (check_permission)
			rt_die(CANNOT_RUN, "%s: no execute permission; chmod +x it, or is its file system mounted noexec?",
			       f->path);
	}
}

/* Never blocks on a FIFO, and never becomes the controlling terminal. */
static void open_file(struct elf_file *f, bool check_permission)
{
	if (f->fd < 0) {
		s64 fd = sys(__NR_openat, AT_FDCWD, f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

		if (fd < 0)
			die_open(f->path, fd);
		f->fd = (int)fd;
	}
	check_kind(f, check_permission);
	f->head_len = sys(__NR_pread64, f->fd, f->head, sizeof(f->head), 0);
	if (f->head_len < 0)
		rt_die(CANNOT_RUN, "%s: cannot be read (error %ld)", f->path, -f->head_len);
}

/* ---- checks of the headers ------------------------------------------------------------ */

static const char *machine_name(const Elf64_Ehdr *e)
{
	static const struct {
		u16 machine;
		char name[22];
	} names[] = {
		{ 3, "i386" }, { 8, "MIPS" }, { 20, "32-bit PowerPC" }, { 21, "PowerPC" }, { 22, "s390" }, { 40, "32-bit Arm" },
		{ 62, "x86-64" }, { 183, "big-endian aarch64" }, { 243, "RISC-V" }, { 258, "LoongArch" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].machine == e->e_machine)
			return names[i].name;
	return "another machine";
}

static void check_ident(const struct elf_file *f)
{
	const Elf64_Ehdr *e = f->ehdr;

	if (f->head_len == 0)
		rt_die(CANNOT_RUN, "%s: is an empty file", f->path);
	if (f->head_len < SELFMAG || __builtin_memcmp(e->e_ident, ELFMAG, SELFMAG)) {
		if (f->head_len > 2 && e->e_ident[0] == '#' && e->e_ident[1] == '!')
			rt_die(CANNOT_RUN, "%s: is a script; run its interpreter, with the script as argument", f->path);
		rt_die(CANNOT_RUN, "%s: is not an ELF program", f->path);
	}
	if (f->head_len < (s64)sizeof(*e))
		rt_die(CANNOT_RUN, "%s: is truncated within the ELF header; get the file again", f->path);
	rt.guest = guest_find(e->e_machine, e->e_ident[EI_CLASS], e->e_ident[EI_DATA]);
	if (!rt.guest)
		rt_die(CANNOT_RUN, "%s: is for %s (ELF machine %u), which Dragoman does not translate; it runs aarch64 programs",
		       f->path, machine_name(e), e->e_machine);
	if (e->e_type != ET_EXEC && e->e_type != ET_DYN)
		rt_die(CANNOT_RUN, "%s: is not a program but %s", f->path,
		       e->e_type == ET_REL ? "an object file; link it" : e->e_type == ET_CORE ? "a core dump" : "another kind of ELF file");
}

static void damaged(const struct elf_file *f, const char *what)
{
	rt_die(CANNOT_RUN, "%s: is damaged: %s; get the file again", f->path, what);
}

static void truncated(const struct elf_file *f, u64 need)
{
	rt_die(CANNOT_RUN, "%s: is truncated: %lu bytes instead of at least %lu; get the file again", f->path, f->size, need);
}

static void read_phdrs(struct elf_file *f)
{
	const Elf64_Ehdr *e = f->ehdr;
	u64 size = (u64)e->e_phnum * sizeof(Elf64_Phdr), end;
	s64 p;

	if (e->e_phentsize != sizeof(Elf64_Phdr))
		damaged(f, "program headers of a wrong size");
	if (!e->e_phnum)
		damaged(f, "no program headers");
	if (e->e_phnum > MAX_PHDRS)
		damaged(f, "too many program headers");
	if (__builtin_add_overflow(e->e_phoff, size, &end))
		damaged(f, "program headers at an impossible offset");
	if (end > f->size)
		truncated(f, end);
	f->n = e->e_phnum;
	if (end <= (u64)f->head_len && !(e->e_phoff & 7)) {
		f->ph = (const void *)(f->head + e->e_phoff);
		return;
	}
	f->big_size = PAGE_UP(size);
	p = sys(__NR_mmap, 0, f->big_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0)
		rt_die(CANNOT_RUN, "%s: no memory for its program headers; see ulimit -v", f->path);
	if (sys(__NR_pread64, f->fd, p, size, e->e_phoff) != (s64)size)
		truncated(f, end);
	f->big_ph = (void *)p;
	f->ph = f->big_ph;
}

static void check_load(struct elf_file *f, const Elf64_Phdr *ph)
{
	u64 end;

	if (ph->p_filesz > ph->p_memsz)
		damaged(f, "a segment is larger in the file than in memory");
	if (__builtin_add_overflow(ph->p_vaddr, ph->p_memsz, &end) || end > RT_GUEST_END)
		damaged(f, "a segment outside of the address space");
	if ((ph->p_vaddr ^ ph->p_offset) & (PAGE - 1))
		damaged(f, "a segment whose address and file offset do not match");
	f->lo = MIN(f->lo, PAGE_DOWN(ph->p_vaddr));
	f->hi = MAX(f->hi, PAGE_UP(end));
	if (__builtin_add_overflow(ph->p_offset, ph->p_filesz, &end))
		damaged(f, "a segment at an impossible offset");
	if (ph->p_filesz && end > f->size)
		truncated(f, end);
	/* Linux too takes no notice of an alignment that is not a power of two. */
	if (ph->p_align <= MAX_ALIGN && !(ph->p_align & (ph->p_align - 1)))
		f->align = MAX(f->align, ph->p_align);
}

static void check_loads(struct elf_file *f)
{
	bool any = false;

	f->lo = ~0ull;
	f->hi = 0;
	f->align = PAGE;
	for (unsigned i = 0; i < f->n; i++) {
		if (f->ph[i].p_type != PT_LOAD || !f->ph[i].p_memsz)
			continue;
		check_load(f, &f->ph[i]);
		any = true;
	}
	if (!any)
		damaged(f, "nothing to load");
}

static void read_headers(struct elf_file *f)
{
	f->ehdr = (const void *)f->head;
	check_ident(f);
	read_phdrs(f);
	check_loads(f);
}

/* ---- mapping ------------------------------------------------------------ */

static void die_map(const struct elf_file *f, u64 addr, u64 len, s64 err)
{
	switch (-err) {
	case EEXIST:
		rt_die(CANNOT_RUN, "%s: wants memory at %lx, which is taken", f->path, addr);
	case ENOMEM:
		rt_die(CANNOT_RUN, "%s: no memory for a segment of %lu bytes; see ulimit -v and ulimit -d", f->path, len);
	case EPERM:
	case EACCES:
		if (addr < 0x10000)
			rt_die(CANNOT_RUN, "%s: wants memory at %lx, below vm.mmap_min_addr", f->path, addr);
		rt_die(CANNOT_RUN, "%s: may not be mapped executable; is its file system mounted noexec?", f->path);
	}
	rt_die(CANNOT_RUN, "%s: cannot be mapped at %lx (error %ld)", f->path, addr, -err);
}

static u64 segment_prot(const Elf64_Phdr *ph)
{
	u64 prot = 0;

	if (ph->p_flags & PF_R)
		prot |= PROT_READ;
	if (ph->p_flags & PF_W)
		prot |= PROT_WRITE;
	if (ph->p_flags & PF_X)
		prot |= PROT_EXEC | PROT_READ;
	return prot;
}

/* Does an earlier segment reach into the pages of segment i? Then, as in Linux, the later one wins. */
static bool overlaps_earlier(const struct elf_file *f, unsigned i)
{
	u64 start = PAGE_DOWN(f->ph[i].p_vaddr), end = PAGE_UP(f->ph[i].p_vaddr + f->ph[i].p_memsz);

	while (i--) {
		const Elf64_Phdr *ph = &f->ph[i];

		if (ph->p_type == PT_LOAD && ph->p_memsz && PAGE_DOWN(ph->p_vaddr) < end &&
		    PAGE_UP(ph->p_vaddr + ph->p_memsz) > start)
			return true;
	}
	return false;
}

/* Would MAP_FIXED hit what we stand on: the runtime, or the kernel's initial stack? */
static bool hits_us(u64 addr, u64 len)
{
	u64 lo = (u64)__builtin_frame_address(0) - 16 * PAGE, hi = PAGE_UP((u64)rt.self_path + 1);

	return rt_mm_is_reserved(addr, addr + len) || (addr < hi && addr + len > lo);
}

/* 0 or -errno. */
static s64 map_at(u64 addr, u64 len, u64 prot, bool replace, int fd, u64 offset)
{
	u64 flags = MAP_PRIVATE | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE) | (fd < 0 ? MAP_ANONYMOUS : 0);
	s64 p;

	if (!len)
		return 0;
	if (replace && hits_us(addr, len))
		return -EEXIST;
	p = sys(__NR_mmap, addr, len, prot, flags, fd, offset);
	if (p < 0)
		return p;
	/* A kernel before 4.17 takes the flag for a hint. */
	if ((u64)p != addr) {
		sys(__NR_munmap, p, len);
		return -EEXIST;
	}
	return 0;
}

/* 0 or -errno; *at tells where. */
static s64 map_segment(const struct elf_file *f, unsigned i, u64 bias, u64 *at, u64 *len)
{
	const Elf64_Phdr *ph = &f->ph[i];
	u64 start = bias + ph->p_vaddr, page = PAGE_DOWN(start);
	u64 file_end = start + ph->p_filesz, end = start + ph->p_memsz, zero_from = page;
	u64 prot = segment_prot(ph);
	bool replace = overlaps_earlier(f, i);
	s64 err;

	*at = page;
	*len = PAGE_UP(end) - page;
	if (ph->p_filesz) {
		zero_from = PAGE_UP(file_end);
		err = map_at(page, zero_from - page, prot, replace, f->fd, PAGE_DOWN(ph->p_offset));
		if (err)
			return err;
		procfs_note_exe(page, zero_from);
		/* To the end of the page, beyond .bss: ld.so uses that as zeroed memory. */
		if (end > file_end && ph->p_flags & PF_W)
			__builtin_memset((void *)file_end, 0, zero_from - file_end);
	}
	*at = zero_from;
	err = PAGE_UP(end) > zero_from ? map_at(zero_from, PAGE_UP(end) - zero_from, prot, replace, -1, 0) : 0;
	if (!err && ph->p_flags & PF_X)
		rt_mm_exec_add(page, PAGE_UP(end));
	return err;
}

static bool is_first_load(const struct elf_file *f, unsigned i)
{
	while (i--)
		if (f->ph[i].p_type == PT_LOAD && f->ph[i].p_memsz)
			return false;
	return true;
}

/* -EEXIST if the place is taken and nothing has been mapped: another can be tried. */
static s64 map_segments(const struct elf_file *f, u64 bias)
{
	for (unsigned i = 0; i < f->n; i++) {
		u64 at, len;
		s64 err;

		if (f->ph[i].p_type != PT_LOAD || !f->ph[i].p_memsz)
			continue;
		err = map_segment(f, i, bias, &at, &len);
		if (err == -EEXIST && f->ehdr->e_type == ET_DYN && is_first_load(f, i) && at == PAGE_DOWN(bias + f->ph[i].p_vaddr))
			return err;
		if (err)
			die_map(f, at, len, err);
	}
	return 0;
}

/* Bytes that the view wants below the image. */
static u64 room_below(const struct elf_file *f)
{
	u64 view;

	if (!f->offer)
		return 0;
	view = f->text_shift + (u64)f->offer->head.delta;
	return (s64)view < (s64)f->lo ? f->lo - view : 0;
}

/* A place of the kernel's choice for a whole image. */
static u64 find_place(const struct elf_file *f)
{
	u64 below = room_below(f), size = below + f->hi - f->lo + f->align;
	s64 p = sys(__NR_mmap, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p < 0)
		die_map(f, 0, size, p);
	sys(__NR_munmap, p, size);
	return ALIGN_UP((u64)p + below, f->align);
}

/*
 * Maps the file with its lowest page at, or as near as its alignment allows below, wish, and its view. Returns the
 * bias; *end: of the view, 0 none.
 */
static u64 map_image(const struct elf_file *f, u64 wish, u64 *end)
{
	u64 skew = f->lo & (f->align - 1), bias = 0;
	s64 err;

	if (f->ehdr->e_type == ET_DYN)
		bias = ALIGN_DOWN(wish, f->align) + skew - f->lo;
	err = map_segments(f, bias);
	if (err == -EEXIST) {
		bias = find_place(f) + skew - f->lo;
		err = map_segments(f, bias);
	}
	if (err)
		die_map(f, f->lo + bias, f->hi - f->lo, err);
	*end = f->offer ? rt_place_view(f->offer, f->fd, bias + f->text_shift) : 0;
	return bias;
}

/* ---- the two files ------------------------------------------------------------ */

/* The kernel's rules, by which /proc/PID/stat is filled. */
static void note_addresses(const struct elf_file *f, u64 bias, struct rt_image *img)
{
	const Elf64_Ehdr *e = f->ehdr;

	img->base = bias;
	img->entry = e->e_entry + bias;
	img->phnum = f->n;
	img->start_code = ~0ull;
	for (unsigned i = 0; i < f->n; i++) {
		const Elf64_Phdr *ph = &f->ph[i];
		u64 start = ph->p_vaddr + bias;

		if (ph->p_type == PT_GNU_STACK)
			img->exec_stack = ph->p_flags & PF_X;
		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		if (e->e_phoff >= ph->p_offset && e->e_phoff - ph->p_offset < ph->p_filesz)
			img->phdr = e->e_phoff - ph->p_offset + start;
		img->start_code = MIN(img->start_code, start);
		img->start_data = MAX(img->start_data, start);
		if (ph->p_flags & PF_X)
			img->end_code = MAX(img->end_code, start + ph->p_filesz);
		img->end_data = MAX(img->end_data, start + ph->p_filesz);
		img->end = MAX(img->end, start + ph->p_memsz);
	}
	if (img->end_code <= img->start_code)
		img->end_code = img->end_data;
}

static const Elf64_Phdr *find_interp(const struct elf_file *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->ph[i].p_type == PT_INTERP)
			return &f->ph[i];
	return NULL;
}

static void read_interp_path(const struct elf_file *f, const Elf64_Phdr *ph, char *path)
{
	u64 n = ph->p_filesz, end;

	if (n < 2 || n > RT_PATH_MAX)
		damaged(f, "the interpreter's name has an impossible length");
	if (__builtin_add_overflow(ph->p_offset, n, &end))
		damaged(f, "the interpreter's name is at an impossible offset");
	if (end > f->size)
		truncated(f, end);
	if (end <= (u64)f->head_len)
		__builtin_memcpy(path, f->head + ph->p_offset, n);
	else if (sys(__NR_pread64, f->fd, path, n, ph->p_offset) != (s64)n)
		truncated(f, end);
	if (path[n - 1])
		damaged(f, "the interpreter's name does not end");
}

/* The kernel put the runtime at the top of its mmap area, and perhaps the host's vDSO and clock pages right below. */
static u64 below_runtime(void)
{
	extern const char __ehdr_start[] __attribute__((visibility("hidden")));
	u64 top = (u64)__ehdr_start;

	if (rt.host_vdso < top && top - rt.host_vdso < BIT(20))
		top = rt.host_vdso;
	return top - 16 * PAGE;
}

static void open_interp(const struct elf_file *program, const char *name, struct elf_file *f, char *buf)
{
	const char *below = rt_path_below_root(name, 0, buf);
	s64 fd;

	f->path = below ? below : name;
	fd = sys(__NR_openat, AT_FDCWD, f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		rt_die(NOT_FOUND, "%s: needs the interpreter %s, which is not %s%s; give -L with the folder of an arm64 root, "
		       "or install libc6:arm64", program->path, name, rt.root_len ? "there nor below " : "there", rt.root);
	if (fd < 0)
		die_open(f->path, fd);
	f->fd = (int)fd;
	open_file(f, true);
	read_headers(f);
}

static void load_interp(struct elf_file *f, struct rt_image *img)
{
	u64 end;

	img->interp_base = map_image(f, below_runtime() - (f->hi - f->lo), &end);
	img->start = f->ehdr->e_entry + img->interp_base;
	if (f->big_ph)
		sys(__NR_munmap, f->big_ph, f->big_size);
	sys(__NR_close, f->fd);
}

/* ---- code objects ------------------------------------------------------------ */

/* The object is for the segment that its header names, if the file has that. */
static void take_offer(struct elf_file *f, struct rt_offered *o)
{
	if (o->fd < 0)
		return;
	for (unsigned i = 0; i < f->n; i++) {
		const Elf64_Phdr *ph = &f->ph[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || PAGE_DOWN(ph->p_offset) > o->head.text_lo ||
		    PAGE_UP(ph->p_offset + ph->p_filesz) < o->head.text_hi)
			continue;
		f->text_shift = ph->p_vaddr - ph->p_offset;
		f->offer = o;
		return;
	}
}

/* One question for both files. Afterwards rt.features is known, from the server or from the CPU. */
static void ask_server(struct elf_file *program, struct elf_file *interp, struct rt_offer *offer)
{
	int fds[RT_OFFERS] = { program->fd, interp->fd };
	unsigned n = interp->fd < 0 ? 1 : 2;
	int err = -ENOENT;

	offer->n = 0;
	if (rt_views_wanted())
		err = rt_client_attach(fds, n, rt.features, offer);
	if (!rt.features)
		rt.features = rt_host_features = err ? x64_host_features() : offer->features;
	if (err)
		return;
	take_offer(program, &offer->file[0]);
	if (n > 1)
		take_offer(interp, &offer->file[1]);
}

/* The descriptor of a program without a name stays, out of the guest's way. */
static void put_away(const struct rt_program *p, int fd)
{
	if (p->keep_fd) {
		static const u16 high[] = { 1000, 200, 50, 10 };

		for (unsigned i = 0; i < ARRAY_SIZE(high) && rt.exe_fd < 0; i++)
			rt.exe_fd = (int)sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, high[i]);
		if (rt.exe_fd < 0)
			rt.exe_fd = -1;
	}
	sys(__NR_close, fd);
}

void rt_load(const struct rt_program *p, struct rt_image *img)
{
	struct elf_file f = { .path = p->path, .fd = p->fd }, fi = { .fd = -1 };
	u64 wish = DYN_BASE + (p->random & (BIT(28) - 1)) * PAGE, view_end;
	char name[RT_PATH_MAX], buf[RT_PATH_MAX];
	const Elf64_Phdr *interp;
	struct rt_offer offer;

	open_file(&f, p->fd < 0);
	read_headers(&f);
	interp = find_interp(&f);
	if (interp) {
		read_interp_path(&f, interp, name);
		open_interp(&f, name, &fi, buf);
	}
	ask_server(&f, &fi, &offer);
	__builtin_memset(img, 0, sizeof(*img));
	note_addresses(&f, map_image(&f, wish, &view_end), img);
	img->start = img->entry;
	if (interp)
		load_interp(&fi, img);
	if (f.big_ph)
		sys(__NR_munmap, f.big_ph, f.big_size);
	rt_client_release(&offer);
	put_away(p, f.fd);
	rt.load_base = img->base;
	rt.entry = img->entry;
	rt.interp_base = img->interp_base;
	rt.phdr = img->phdr;
	rt.phnum = img->phnum;
	/* Linux on arm64 leaves up to 1 GiB between program and heap, x86-64 32 MiB. The view of a fixed program is in between. */
	rt.brk_start = MAX(PAGE_UP(img->end), f.ehdr->e_type == ET_EXEC ? view_end : 0) + (p->random >> 32 & 0x1fff) * PAGE;
}

/* ---- for tests ------------------------------------------------------------ */

void rt_load_print(const struct rt_image *img)
{
	const struct {
		char name[12];
		u64 value;
	} lines[] = {
		{ "base", img->base }, { "entry", img->entry }, { "start", img->start }, { "interp", img->interp_base },
		{ "phdr", img->phdr }, { "phnum", img->phnum }, { "code", img->start_code }, { "end", img->end },
		{ "brk", rt.brk_start }, { "sp", rt.auxv_start },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		rt_msg("%s %lx", lines[i].name, lines[i].value);
	for (;;)
		sys(__NR_exit_group, 0);
}
