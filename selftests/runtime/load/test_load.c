// SPDX-License-Identifier: MIT
/*
 * The ELF loader against damaged files: each case changes one thing in a good program and says which exit status and which
 * words the one line on stderr must have. The good program's placement is checked too.
 */
#include "fuzz/elf_image.h"
#include <sys/stat.h>
#include <sys/personality.h>

static char dir[] = "/tmp/dragoman-load-XXXXXX";
static char file[64];
static unsigned count, failures;

static void result(const char *name, bool ok, const struct outcome *o)
{
	count++;
	printf("%s %u %s\n", ok ? "ok" : "not ok", count, name);
	if (!ok) {
		failures++;
		printf("# status %d, %u lines: %s\n", o->status, o->lines, o->text);
	}
}

/* ---- damage -------------------------------------------------------------------------------------------------------- */

struct damage {
	const char *name;
	void (*change)(union image *i, size_t *size);
	int status;
	const char *words;
};

#define CHANGE(name, ...) static void name(union image *i, size_t *size) { (void)i; (void)size; __VA_ARGS__; }
CHANGE(nothing, )
CHANGE(empty, *size = 0)
CHANGE(three_bytes, *size = 3)
CHANGE(half_header, *size = 40)
CHANGE(bad_magic, i->b[0] = 0)
CHANGE(text, strcpy((char *)i->b, "hello\n"); *size = 6)
CHANGE(script, strcpy((char *)i->b, "#!/bin/sh\n"); *size = 10)
CHANGE(x86, i->e.e_machine = EM_X86_64)
CHANGE(riscv, i->e.e_machine = EM_RISCV)
CHANGE(unknown_machine, i->e.e_machine = 0x7777)
CHANGE(class32, i->e.e_ident[EI_CLASS] = ELFCLASS32)
CHANGE(big_endian, i->e.e_ident[EI_DATA] = ELFDATA2MSB)
CHANGE(object, i->e.e_type = ET_REL)
CHANGE(core, i->e.e_type = ET_CORE)
CHANGE(phentsize_0, i->e.e_phentsize = 0)
CHANGE(phentsize_32, i->e.e_phentsize = 32)
CHANGE(phnum_0, i->e.e_phnum = 0)
CHANGE(phnum_max, i->e.e_phnum = 0xffff)
CHANGE(phnum_beyond, i->e.e_phnum = 1000)
CHANGE(phoff_huge, i->e.e_phoff = ~0ull - 8)
CHANGE(phoff_end, i->e.e_phoff = IMAGE_SIZE - 8)
CHANGE(phoff_odd, memmove(i->b + 0x801, i->ph, sizeof(i->ph)); i->e.e_phoff = 0x801)
CHANGE(phdrs_far, memmove(i->b + 0x2100, i->ph, sizeof(i->ph)); i->e.e_phoff = 0x2100)
CHANGE(no_load, i->ph[0].p_type = i->ph[1].p_type = PT_NULL)
CHANGE(zero_memsz, i->ph[0].p_memsz = i->ph[0].p_filesz = i->ph[1].p_memsz = i->ph[1].p_filesz = 0)
CHANGE(cut_data, *size = 0x2400)
CHANGE(cut_text, *size = 0x800)
CHANGE(filesz_huge, i->ph[1].p_filesz = i->ph[1].p_memsz = 1ull << 40)
CHANGE(filesz_wraps, i->ph[1].p_filesz = ~0ull; i->ph[1].p_memsz = ~0ull)
CHANGE(filesz_over_memsz, i->ph[1].p_memsz = 0x100)
CHANGE(memsz_huge, i->ph[1].p_memsz = 1ull << 62)
CHANGE(memsz_wraps, i->ph[1].p_memsz = ~0ull - 0x11000)
CHANGE(memsz_46_bits, i->ph[1].p_memsz = 1ull << 46)
CHANGE(vaddr_kernel, i->ph[1].p_vaddr = 0xffff800000002000)
CHANGE(vaddr_end, i->ph[1].p_vaddr = 0x7ffffffff000 - 0x1000)
CHANGE(vaddr_skew, i->ph[1].p_vaddr += 0x10)
CHANGE(offset_wraps, i->ph[1].p_offset = 0xfffffffffffff000; i->ph[1].p_filesz = 0x2000)
CHANGE(align_odd, i->ph[0].p_align = 3)
CHANGE(align_huge, i->ph[0].p_align = 1ull << 63)
CHANGE(align_2m, i->ph[0].p_align = 1 << 21)
CHANGE(overlap, i->ph[1].p_vaddr = 0)
CHANGE(overlap_reverse, i->ph[1].p_vaddr = 0; i->ph[1].p_memsz = 0x20000)
CHANGE(reverse_order, Elf64_Phdr p = i->ph[0]; i->ph[0] = i->ph[1]; i->ph[1] = p)
CHANGE(bss_only, i->ph[1].p_filesz = 0)
CHANGE(bss_readonly, i->ph[1].p_flags = PF_R)
CHANGE(no_rights, i->ph[1].p_flags = 0; i->ph[1].p_memsz = i->ph[1].p_filesz)
CHANGE(exec_stack, i->ph[3].p_flags = PF_R | PF_W | PF_X)
CHANGE(fixed, i->e.e_type = ET_EXEC; i->ph[0].p_vaddr = 0x400000; i->ph[1].p_vaddr = 0x412000; i->e.e_entry = 0x400400)
CHANGE(fixed_zero, i->e.e_type = ET_EXEC)
CHANGE(fixed_stack, i->e.e_type = ET_EXEC; i->ph[0].p_vaddr = 0x10000; i->ph[1].p_vaddr = 0x20000; i->ph[1].p_memsz = 0x7fffffe00000)
CHANGE(overlap_stack, i->e.e_type = ET_EXEC; i->ph[0].p_vaddr = i->ph[1].p_vaddr = 0x7ffbfc000000; i->ph[1].p_memsz = 0x403f00000)
CHANGE(interp_empty, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x100, .p_filesz = 0 })
CHANGE(interp_one, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x100, .p_filesz = 1 })
CHANGE(interp_long, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x100, .p_filesz = 5000 })
CHANGE(interp_no_nul, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(union image, interp), .p_filesz = 8 };
       memset(i->interp, 'x', 64))
CHANGE(interp_beyond, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = IMAGE_SIZE - 4, .p_filesz = 8 })
CHANGE(interp_wraps, i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = ~0ull - 4, .p_filesz = 8 })

static void use_interp(union image *i, const char *name)
{
	i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(union image, interp), .p_filesz = strlen(name) + 1 };
	strcpy(i->interp, name);
}
CHANGE(interp_missing, use_interp(i, "/nonexistent/ld-linux-aarch64.so.1"))
CHANGE(interp_dir, use_interp(i, "/tmp"))
CHANGE(interp_device, use_interp(i, "/dev/null"))
CHANGE(interp_x86, use_interp(i, "/proc/self/exe"))
CHANGE(interp_not_elf, use_interp(i, "/etc/passwd"))

static const struct damage cases[] = {
	{ "good program", nothing, 0, "base" },
	{ "empty file", empty, 126, "empty" },
	{ "three bytes", three_bytes, 126, "not an ELF" },
	{ "half a header", half_header, 126, "truncated" },
	{ "bad magic", bad_magic, 126, "not an ELF" },
	{ "text file", text, 126, "not an ELF" },
	{ "script", script, 126, "script" },
	{ "x86-64 program", x86, 126, "x86-64" },
	{ "RISC-V program", riscv, 126, "RISC-V" },
	{ "unknown machine", unknown_machine, 126, "machine 30583" },
	{ "32-bit class", class32, 126, "does not translate" },
	{ "big-endian", big_endian, 126, "big-endian" },
	{ "object file", object, 126, "object file" },
	{ "core dump", core, 126, "core dump" },
	{ "e_phentsize 0", phentsize_0, 126, "wrong size" },
	{ "e_phentsize of 32-bit ELF", phentsize_32, 126, "wrong size" },
	{ "e_phnum 0", phnum_0, 126, "no program headers" },
	{ "e_phnum 65535", phnum_max, 126, "too many" },
	{ "program headers beyond the end", phnum_beyond, 126, "truncated" },
	{ "e_phoff wraps", phoff_huge, 126, "impossible offset" },
	{ "e_phoff at the end", phoff_end, 126, "truncated" },
	{ "program headers at an odd offset", phoff_odd, 0, "base" },
	{ "program headers far behind", phdrs_far, 0, "base" },
	{ "nothing to load", no_load, 126, "nothing to load" },
	{ "segments of size 0", zero_memsz, 126, "nothing to load" },
	{ "file ends in the data", cut_data, 126, "truncated" },
	{ "file ends in the text", cut_text, 126, "truncated" },
	{ "p_filesz huge", filesz_huge, 126, "truncated" },
	{ "p_filesz wraps", filesz_wraps, 126, "damaged" },
	{ "p_filesz > p_memsz", filesz_over_memsz, 126, "larger in the file" },
	{ "p_memsz huge", memsz_huge, 126, "outside of the address space" },
	{ "p_memsz wraps", memsz_wraps, 126, "outside of the address space" },
	{ "p_memsz half the address space", memsz_46_bits, 126, "good-or-no-memory" },
	{ "p_vaddr in the kernel", vaddr_kernel, 126, "outside of the address space" },
	{ "p_vaddr at the end", vaddr_end, 126, "outside of the address space" },
	{ "p_vaddr and p_offset differ", vaddr_skew, 126, "do not match" },
	{ "p_offset wraps", offset_wraps, 126, "" },
	{ "p_align 3", align_odd, 0, "base" },
	{ "p_align 2^63", align_huge, 0, "base" },
	{ "p_align 2 MiB", align_2m, 0, "base" },
	{ "segments overlap", overlap, 0, "base" },
	{ "segments overlap, larger second", overlap_reverse, 0, "base" },
	{ "segments in reverse order", reverse_order, 0, "base" },
	{ "only .bss", bss_only, 0, "base" },
	{ "read-only .bss", bss_readonly, 0, "base" },
	{ "no rights", no_rights, 0, "base" },
	{ "executable stack", exec_stack, 0, "base" },
	{ "fixed addresses", fixed, 0, "code 400000" },
	{ "fixed at address 0", fixed_zero, 126, "root-or-mmap_min_addr" },
	{ "fixed over the stack", fixed_stack, 126, "" },
	{ "overlap that reaches over the stack", overlap_stack, 126, "memory" },
	{ "interpreter's name of 0 bytes", interp_empty, 126, "impossible length" },
	{ "interpreter's name of 1 byte", interp_one, 126, "impossible length" },
	{ "interpreter's name too long", interp_long, 126, "impossible length" },
	{ "interpreter's name without NUL", interp_no_nul, 126, "does not end" },
	{ "interpreter's name beyond the end", interp_beyond, 126, "truncated" },
	{ "interpreter's name wraps", interp_wraps, 126, "impossible offset" },
	{ "missing interpreter", interp_missing, 127, "-L" },
	{ "interpreter is a folder", interp_dir, 126, "directory" },
	{ "interpreter is a device", interp_device, 126, "not a regular file" },
	{ "interpreter is for x86-64", interp_x86, 126, "x86-64" },
	{ "interpreter is no ELF file", interp_not_elf, 126, "" },
};

static void run_case(const struct damage *d)
{
	union image i;
	size_t size = IMAGE_SIZE;
	struct outcome o;
	bool ok;

	image_make(&i);
	d->change(&i, &size);
	image_write(&i, size, file);
	load_file(file, "", &o);
	ok = o.status == d->status && strstr(o.text, d->words);
	/* Depends on the machine's overcommit setting. */
	if (!strcmp(d->words, "good-or-no-memory"))
		ok = o.status == 0 || (o.status == 126 && strstr(o.text, "memory"));
	/* A privilege. */
	if (!strcmp(d->words, "root-or-mmap_min_addr"))
		ok = o.status == 0 || (o.status == 126 && strstr(o.text, "mmap_min_addr"));
	if (ok && o.status)
		ok = o.lines == 1 && !strncmp(o.text, "dragoman: ", 10) && strstr(o.text, d->change == interp_dir ||
		     d->change == interp_device || d->change == interp_x86 || d->change == interp_not_elf ? "" : file);
	result(d->name, ok, &o);
}

/* ---- what is no regular, executable file ------------------------------------------------------------------------------- */

static void run_path(const char *name, const char *path, int status, const char *words)
{
	struct outcome o;

	load_file(path, "", &o);
	result(name, o.status == status && o.lines == 1 && strstr(o.text, words) && strstr(o.text, path), &o);
}

static void other_files(void)
{
	char path[100];
	union image i;

	run_path("missing file", "/nonexistent/program", 127, "no such file");
	run_path("folder", "/tmp", 126, "directory");
	run_path("device", "/dev/null", 126, "not a regular file");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	if (!mkfifo(path, 0755))
		run_path("FIFO", path, 126, "not a regular file");
	unlink(path);
	image_make(&i);
	image_write(&i, IMAGE_SIZE, file);
	chmod(file, 0644);
	run_path("no x permission", file, 126, "chmod +x");
	unlink(file);
	snprintf(path, sizeof(path), "%s/loop", dir);
	if (!symlink("loop", path))
		run_path("symbolic link to itself", path, 126, "symbolic links");
	unlink(path);
}

/* ---- where a good program goes ------------------------------------------------------------------------------------------- */

static unsigned long field(const struct outcome *o, const char *name)
{
	char key[32];
	const char *p;

	snprintf(key, sizeof(key), "dragoman: %s ", name);
	p = strstr(o->text, key);
	return p ? strtoul(p + strlen(key), NULL, 16) : 0;
}

static void placement(void)
{
	struct outcome a, b;
	union image i;

	image_make(&i);
	i.ph[0].p_align = 1 << 21;
	image_write(&i, IMAGE_SIZE, file);
	load_file(file, "", &a);
	result("alignment is kept", !a.status && field(&a, "base") && !(field(&a, "base") & ((1 << 21) - 1)), &a);
	result("entry", field(&a, "entry") == field(&a, "base") + 0x400 && field(&a, "start") == field(&a, "entry"), &a);
	result("program headers in memory", field(&a, "phdr") == field(&a, "base") + 64 && field(&a, "phnum") == IMAGE_PHDRS, &a);
	result("break behind .bss", field(&a, "brk") >= field(&a, "base") + 0x17000 && !(field(&a, "brk") & 4095), &a);
	load_file(file, "", &b);
	result("random addresses", field(&a, "base") != field(&b, "base"), &b);
	personality(personality(~0u) | ADDR_NO_RANDOMIZE);
	load_file(file, "", &a);
	load_file(file, "", &b);
	result("no random addresses on request", a.status == 0 && !strcmp(a.text, b.text), &b);
}

static void interpreter_below_root(void)
{
	char path[200];
	struct outcome o;
	union image i;

	image_make(&i);
	use_interp(&i, "/lib/ld-linux-aarch64.so.1");
	image_write(&i, IMAGE_SIZE, file);
	snprintf(path, sizeof(path), "mkdir -p %s/root/usr/lib && ln -sf /usr/lib %s/root/lib", dir, dir);
	if (system(path))
		exit(2);
	image_make(&i);
	snprintf(path, sizeof(path), "%s/root/usr/lib/ld-linux-aarch64.so.1", dir);
	image_write(&i, IMAGE_SIZE, path);
	snprintf(path, sizeof(path), "%s/root", dir);
	load_file(file, path, &o);
	result("interpreter below -L, absolute link in it", !o.status && field(&o, "interp") &&
	       field(&o, "start") == field(&o, "interp") + 0x400, &o);
}

int main(void)
{
	char clean[100];

	if (access(runtime(), X_OK)) {
		printf("%s is not built\n", runtime());
		return 77;
	}
	if (!mkdtemp(dir))
		return 2;
	snprintf(file, sizeof(file), "%s/program", dir);
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++)
		run_case(&cases[n]);
	other_files();
	interpreter_below_root();
	placement();
	printf("1..%u\n", count);
	snprintf(clean, sizeof(clean), "rm -rf %s", dir);
	if (system(clean))
		return 2;
	return failures != 0;
}
