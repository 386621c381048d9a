// SPDX-License-Identifier: MIT
/*
 * Where functions begin in a guest ELF file: its entry, its symbols, and the search table that unwinders use, which
 * stripped files have too. In: the file, from anybody. Out: places in the text; a hint, so what looks wrong is passed over.
 */
#include <linux/elf.h>

#include "object/object.h"

struct starts {
	const u8 *file;
	u64 size;
	u64 bias;			/* address - file offset, in the text segment */
	u64 lo, len;			/* text */
	void (*fn)(void *ctx, u32 pc);
	void *ctx;
};

/* Copies n bytes at off, if they are there. */
static bool get(const struct starts *s, u64 off, void *to, u64 n)
{
	if (off > s->size || n > s->size - off)
		return false;
	__builtin_memcpy(to, s->file + off, n);
	return true;
}

static void found(const struct starts *s, u64 addr)
{
	u64 pc = addr - s->bias - s->lo;

	if (pc < s->len && !(pc & 3))
		s->fn(s->ctx, (u32)pc);
}

/* .eh_frame_hdr in the one form that linkers write: a table of pairs of 4 bytes relative to its own beginning. */
static void unwind_table(const struct starts *s, const Elf64_Phdr *p)
{
	struct { u8 version, ptr, count, table; s32 eh_frame; u32 n; } head;
	s32 pair[2];

	if (!get(s, p->p_offset, &head, sizeof(head)) || head.version != 1 || head.ptr != 0x1b || head.count != 0x03 ||
	    head.table != 0x3b)
		return;
	for (u64 k = 0; k < head.n && get(s, p->p_offset + sizeof(head) + k * 8, pair, 8); k++)
		found(s, p->p_vaddr + (u64)(s64)pair[0]);
}

static void symbols(const struct starts *s, const Elf64_Shdr *t)
{
	Elf64_Sym y;

	for (u64 off = 0; off + sizeof(y) <= t->sh_size && get(s, t->sh_offset + off, &y, sizeof(y)); off += sizeof(y))
		if (ELF64_ST_TYPE(y.st_info) == STT_FUNC && y.st_shndx)
			found(s, y.st_value);
}

void obj_starts(const struct dragoman_object *h, const void *file, u64 size, void (*fn)(void *ctx, u32 pc), void *ctx)
{
	struct starts s = { .file = file, .size = size, .lo = h->text_lo, .len = h->text_hi - h->text_lo, .fn = fn, .ctx = ctx };
	Elf64_Ehdr e;
	Elf64_Phdr p;
	Elf64_Shdr t;

	if (!get(&s, 0, &e, sizeof(e)) || e.e_phentsize != sizeof(p))
		return;
	for (unsigned k = 0; k < e.e_phnum && get(&s, e.e_phoff + k * sizeof(p), &p, sizeof(p)); k++)
		if (p.p_type == PT_LOAD && (p.p_flags & PF_X) && p.p_filesz && p.p_offset - h->text_lo < 4096)
			s.bias = p.p_vaddr - p.p_offset;
	found(&s, e.e_entry);
	for (unsigned k = 0; k < e.e_phnum && get(&s, e.e_phoff + k * sizeof(p), &p, sizeof(p)); k++)
		if (p.p_type == PT_GNU_EH_FRAME)
			unwind_table(&s, &p);
	if (e.e_shentsize != sizeof(t))
		return;
	for (unsigned k = 0; k < e.e_shnum && get(&s, e.e_shoff + k * sizeof(t), &t, sizeof(t)); k++)
		if ((t.sh_type == SHT_SYMTAB || t.sh_type == SHT_DYNSYM) && t.sh_entsize == sizeof(Elf64_Sym))
			symbols(&s, &t);
}
