// SPDX-License-Identifier: MIT
/*
 * Two vDSOs. The guest's: an ELF image of one page in the runtime's read-only data, so it costs no mapping; its functions
 * are system calls, which the runtime answers quickly. The host's: its clock functions are looked up at the first use.
 */
#include <linux/auxvec.h>
#include <linux/elf.h>

#include "runtime/load.h"
#include "runtime/mm.h"
#include "runtime/rt.h"
#include "runtime/sys.h"

/* ---- the guest's ------------------------------------------------------------ */

#define STRINGS									\
	S(soname, "linux-vdso.so.1")						\
	S(version, "LINUX_2.6.39")						\
	S(rt_sigreturn, "__kernel_rt_sigreturn")				\
	S(gettimeofday, "__kernel_gettimeofday")				\
	S(clock_gettime, "__kernel_clock_gettime")				\
	S(clock_getres, "__kernel_clock_getres")

struct strings {
	char empty;
#define S(name, text) char name[sizeof(text)];
	STRINGS
#undef S
};

/* System V ABI hashes of soname and version. */
#define HASH_SONAME 0x0deebfa1u
#define HASH_VERSION 0x075fcb89u

/* The uapi header has no structures for versions. */
struct verdaux {
	u32 name, next;
};
struct verdef {
	u16 version, flags, ndx, cnt;
	u32 hash, aux, next;
	struct verdaux name;
};
#define VER_FLG_BASE 1
#define DT_VERSYM_ 0x6ffffff0
#define DT_VERDEF_ 0x6ffffffc
#define DT_VERDEFNUM_ 0x6ffffffd

#define NSYMS 5
enum { FN_NOP, FN_SIGRETURN, FN_GETTIMEOFDAY = 4, FN_CLOCK_GETTIME = 8, FN_CLOCK_GETRES = 12, FN_END = 16 };

struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[2];
	Elf64_Dyn dyn[10];
	Elf64_Sym sym[NSYMS];
	struct verdef verdef[2];
	u32 hash[2 + 1 + NSYMS];
	u16 versym[NSYMS];
	struct strings str;
	u32 text[FN_END] __attribute__((aligned(16)));
};

#define OFF(member) offsetof(struct image, member)
#define STR(name) offsetof(struct strings, name)
#define FUNCTION(s, at, words) {							\
	.st_name = STR(s), .st_info = STB_GLOBAL << 4 | STT_FUNC, .st_shndx = 1,	\
	.st_value = OFF(text) + 4 * (at), .st_size = 4 * (words) }
#define MOV_X8(nr) (0xd2800008u | (nr) << 5)
#define SVC 0xd4000001u
#define RET 0xd65f03c0u
#define NOP 0xd503201fu

static const union {
	struct image i;
	u8 page[4096];
} guest_vdso __attribute__((aligned(4096))) = { .i = {
	.ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_AARCH64, .e_version = EV_CURRENT,
		.e_phoff = OFF(phdr), .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2, .e_shentsize = sizeof(Elf64_Shdr),
	},
	.phdr = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(struct image),
		  .p_memsz = sizeof(struct image), .p_align = 4096 },
		{ .p_type = PT_DYNAMIC, .p_flags = PF_R, .p_offset = OFF(dyn), .p_vaddr = OFF(dyn), .p_paddr = OFF(dyn),
		  .p_filesz = sizeof(((struct image *)0)->dyn), .p_memsz = sizeof(((struct image *)0)->dyn), .p_align = 8 },
	},
	.dyn = {
		{ DT_SONAME, { STR(soname) } }, { DT_HASH, { OFF(hash) } }, { DT_STRTAB, { OFF(str) } },
		{ DT_SYMTAB, { OFF(sym) } }, { DT_STRSZ, { sizeof(struct strings) } }, { DT_SYMENT, { sizeof(Elf64_Sym) } },
		{ DT_VERSYM_, { OFF(versym) } }, { DT_VERDEF_, { OFF(verdef) } }, { DT_VERDEFNUM_, { 2 } }, { DT_NULL, { 0 } },
	},
	.sym = {
		{ 0 },
		FUNCTION(rt_sigreturn, FN_SIGRETURN, 2), FUNCTION(gettimeofday, FN_GETTIMEOFDAY, 3),
		FUNCTION(clock_gettime, FN_CLOCK_GETTIME, 3), FUNCTION(clock_getres, FN_CLOCK_GETRES, 3),
	},
	.verdef = {
		{ 1, VER_FLG_BASE, 1, 1, HASH_SONAME, offsetof(struct verdef, name), sizeof(struct verdef), { STR(soname), 0 } },
		{ 1, 0, 2, 1, HASH_VERSION, offsetof(struct verdef, name), 0, { STR(version), 0 } },
	},
	/* One bucket: symbol 1, then 2, 3, 4. */
	.hash = { 1, NSYMS, 1, 0, 2, 3, 4, 0 },
	.versym = { 0, 2, 2, 2, 2 },
	.str = {
#define S(name, text) .name = text,
		STRINGS
#undef S
	},
	.text = {
		/* Unwinders look one byte before a return address. */
		[FN_NOP] = NOP,
		[FN_SIGRETURN] = MOV_X8(139), SVC, NOP,
		[FN_GETTIMEOFDAY] = MOV_X8(169), SVC, RET, NOP,
		[FN_CLOCK_GETTIME] = MOV_X8(113), SVC, RET, NOP,
		[FN_CLOCK_GETRES] = MOV_X8(114), SVC, RET, NOP,
	},
} };

/* ---- the host's ------------------------------------------------------------ */

/* The kernel's functions return int: the upper half of %rax is not defined. */
static struct {
	int (*clock_gettime)(s64 clock, void *ts);
	int (*gettimeofday)(void *tv, void *tz);
	int (*getcpu)(u32 *cpu, u32 *node, void *unused);
} host;

static int clock_gettime_syscall(s64 clock, void *ts)
{
	return (int)sys(__NR_clock_gettime, clock, ts);
}

static int gettimeofday_syscall(void *tv, void *tz)
{
	return (int)sys(__NR_gettimeofday, tv, tz);
}

static int getcpu_syscall(u32 *cpu, u32 *node, void *unused)
{
	return (int)sys(__NR_getcpu, cpu, node, unused);
}

/* The first call of any of them finds all; several threads may, and find the same. */
static void find_host_functions(void)
{
	u64 f;

	f = rt_host_vdso_symbol("__vdso_getcpu");
	host.getcpu = f ? (void *)f : getcpu_syscall;
	f = rt_host_vdso_symbol("__vdso_gettimeofday");
	host.gettimeofday = f ? (void *)f : gettimeofday_syscall;
	f = rt_host_vdso_symbol("__vdso_clock_gettime");
	host.clock_gettime = f ? (void *)f : clock_gettime_syscall;
}

static s64 host_clock_gettime(s64 clock, void *ts)
{
	if (unlikely(!host.clock_gettime))
		find_host_functions();
	return host.clock_gettime(clock, ts);
}

static s64 host_gettimeofday(void *tv, void *tz)
{
	if (unlikely(!host.gettimeofday))
		find_host_functions();
	return host.gettimeofday(tv, tz);
}

static s64 host_getcpu(u32 *cpu, u32 *node, void *unused)
{
	if (unlikely(!host.getcpu))
		find_host_functions();
	return host.getcpu(cpu, node, unused);
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

struct host_dynamic {
	u64 bias;		/* what is to be added to its addresses: User-Mode Linux' are not linked at 0 */
	const u32 *hash;
	const Elf64_Sym *sym;
	const char *str;
};

/* The vDSO is the kernel's own: trusted. */
static bool host_dynamic(u64 base, struct host_dynamic *d)
{
	const Elf64_Ehdr *e = (const void *)base;
	const Elf64_Phdr *ph = (const void *)(base + e->e_phoff);
	const Elf64_Dyn *dyn = NULL;

	d->bias = base;
	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			d->bias = base + ph[i].p_offset - ph[i].p_vaddr;
		else if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_offset);
	}
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		u64 at = dyn->d_un.d_ptr + d->bias;

		if (dyn->d_tag == DT_HASH)
			d->hash = (const void *)at;
		else if (dyn->d_tag == DT_SYMTAB)
			d->sym = (const void *)at;
		else if (dyn->d_tag == DT_STRTAB)
			d->str = (const void *)at;
	}
	return d->hash && d->sym && d->str;
}

u64 rt_host_vdso_symbol(const char *name)
{
	struct host_dynamic d = { 0 };

	if (!rt.host_vdso || !host_dynamic(rt.host_vdso, &d))
		return 0;
	for (u32 i = 0; i < d.hash[1]; i++)
		if (d.sym[i].st_shndx && same(d.str + d.sym[i].st_name, name))
			return d.bias + d.sym[i].st_value;
	return 0;
}

void rt_vdso_init(u64 host_vdso)
{
	rt.host_vdso = host_vdso;
	rt.vdso_clock_gettime = host_clock_gettime;
	rt.vdso_gettimeofday = host_gettimeofday;
	rt.vdso_getcpu = host_getcpu;
	rt.vdso = (u64)&guest_vdso;
	rt.sigreturn_pc = rt.vdso + OFF(text) + 4 * FN_SIGRETURN;
	rt_mm_exec_add(rt.vdso, rt.vdso + sizeof(guest_vdso));
	/* The guest may not unmap the clock pages below it either; how many there are depends on the kernel, four always. */
	if (host_vdso)
		rt_mm_reserve(host_vdso - 4 * 4096, host_vdso + 4096);
}
