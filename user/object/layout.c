// SPDX-License-Identifier: MIT
/*
 * Where everything lies in the object of a guest file, and where the object lies beside the guest. In: the file's ELF headers, from
 * anybody. Out: a header whose numbers depend on these headers alone.
 *
 * The room for each part is what real files need, by measurement, and half as much again (docs/object-format.md). It is
 * address space and not memory: what is not used is a hole. A file that needs more has its last code translated privately.
 */
#include <linux/elf.h>

#include "object/object.h"

#define PAGE 4096ull
#define MAX_SPAN (1ull << 30)		/* of the guest's image */
#define MAX_PHDRS 256
#define SLACK (4ull * OBJ_MAX_COLD)	/* the writer stops when less than what any region may need is left */
#define SIZE_ALIGN 65536ull

/* Bytes for each guest instruction of the text, in quarters of bytes: room that is enough for a file all of which is code. */
#define REGIONS_PER_INSN 10
#define HOT_PER_INSN 76
#define COLD_PER_INSN 48
#define META_PER_INSN 48

struct image {
	u64 lo, hi;			/* addresses of the lowest and behind the highest byte, whole pages */
	u64 text_addr, text_off, text_len;
	bool fixed;			/* ET_EXEC */
};

static bool header_ok(const Elf64_Ehdr *e, const struct guest *guest)
{
	return !__builtin_memcmp(e->e_ident, ELFMAG, SELFMAG) && e->e_ident[EI_CLASS] == guest->elf_class &&
	       guest->elf_class == ELFCLASS64 && e->e_ident[EI_DATA] == guest->elf_data && e->e_machine == guest->elf_machine &&
	       (e->e_type == ET_EXEC || e->e_type == ET_DYN) && e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum &&
	       e->e_phnum <= MAX_PHDRS;
}

/* One PT_LOAD. */
static int add_segment(struct image *m, const Elf64_Phdr *p, u64 size)
{
	u64 len = p->p_filesz;

	if (p->p_memsz < p->p_filesz || p->p_memsz >= MAX_SPAN || p->p_vaddr >= 1ull << 47 ||
	    ((p->p_vaddr - p->p_offset) & (PAGE - 1)))
		return -8;	/* -ENOEXEC */
	/* where a segment without bytes (.bss) would be in the file does not matter */
	if (p->p_filesz && (p->p_offset > size || p->p_filesz > size - p->p_offset))
		return -8;
	m->lo = MIN(m->lo, ALIGN_DOWN(p->p_vaddr, PAGE));
	m->hi = MAX(m->hi, ALIGN_UP(p->p_vaddr + p->p_memsz, PAGE));
	if (!(p->p_flags & PF_X) || (p->p_flags & PF_W) || len <= m->text_len)
		return 0;
	m->text_addr = p->p_vaddr;
	m->text_off = p->p_offset;
	m->text_len = len;
	/* of a page that is partly .bss the loader changes the rest */
	if (p->p_memsz > p->p_filesz)
		m->text_len -= MIN(m->text_len, (p->p_offset + len) & (PAGE - 1));
	return 0;
}

static int read_image(struct image *m, const struct guest *guest, const u8 *file, u64 size)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;
	int err;

	*m = (struct image){ .lo = ~0ull };
	if (size < sizeof(e) || size > 1ull << 40)
		return -8;
	__builtin_memcpy(&e, file, sizeof(e));
	if (!header_ok(&e, guest) || e.e_phoff > size || size - e.e_phoff < (u64)e.e_phnum * sizeof(p))
		return -8;
	m->fixed = e.e_type == ET_EXEC;
	for (unsigned k = 0; k < e.e_phnum; k++) {
		__builtin_memcpy(&p, file + e.e_phoff + k * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		err = add_segment(m, &p, size);
		if (err)
			return err;
	}
	if (!m->text_len)
		return -8;
	return m->hi - m->lo > MAX_SPAN ? -7 : 0;	/* -E2BIG */
}

/* Room for n instructions. */
static u64 room(u64 n, unsigned quarters)
{
	return ALIGN_UP(n * quarters / 4 + SLACK, PAGE);
}

/* Sizes of the parts for code of n instructions; the sum. */
static u64 parts(struct dragoman_object *h, u64 n)
{
	h->regions_size = room(n, REGIONS_PER_INSN);
	h->hot_size = room(n, HOT_PER_INSN);
	h->cold_size = room(n, COLD_PER_INSN);
	h->meta_size = room(n, META_PER_INSN);
	return DRAGOMAN_OBJECT_HEADER + h->index_size + h->regions_size + h->hot_size + h->cold_size + h->meta_size;
}

static int place_parts(struct dragoman_object *h)
{
	u64 n = (h->text_hi - h->text_lo) / 4, size;

	h->index = DRAGOMAN_OBJECT_HEADER;
	h->index_size = n * 4;
	size = parts(h, n);
	/* a very large file: not all of its code will ever be run */
	while (size > DRAGOMAN_OBJECT_MAX_SIZE - SIZE_ALIGN && h->index_size <= DRAGOMAN_OBJECT_MAX_SIZE / 4 && n)
		size = parts(h, n = n / 8 * 7);
	if (size > DRAGOMAN_OBJECT_MAX_SIZE - SIZE_ALIGN)
		return -7;
	h->size = ALIGN_UP(size, SIZE_ALIGN);
	h->meta_size += h->size - size;
	h->regions = h->index + h->index_size;
	h->hot = h->regions + h->regions_size;
	h->cold = h->hot + h->hot_size;
	h->meta = h->cold + h->cold_size;
	return 0;
}

int obj_layout(struct dragoman_object *h, const struct guest *guest, const void *file, u64 size, const struct obj_key *key)
{
	struct dragoman_object o = {
		.magic = DRAGOMAN_OBJECT_MAGIC, .version = DRAGOMAN_OBJECT_VERSION, .machine = guest->elf_machine,
		.features = key->features, .file_size = size, .region_insns = OBJ_REGION_INSNS,
	};
	struct image m;
	int err = read_image(&m, guest, file, size);
	u64 bias;

	if (err)
		return err;
	o.text_lo = ALIGN_DOWN(m.text_off, PAGE);
	o.text_hi = ALIGN_UP(m.text_off + m.text_len, PAGE);
	err = place_parts(&o);
	if (err)
		return err;
	/* below the image, where a shared library or PIE has nothing else of its own; a fixed program's image starts too low */
	bias = m.text_addr - m.text_off;
	o.delta = (s64)((m.fixed ? m.hi : m.lo - o.size) - bias);
	__builtin_memcpy(o.digest, key->digest, sizeof(o.digest));
	__builtin_memcpy(o.translator, key->translator, sizeof(o.translator));
	o.hot_used = DRAGOMAN_OBJECT_FIRST;
	*h = o;
	return 0;
}
