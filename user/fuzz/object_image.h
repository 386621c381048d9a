/* SPDX-License-Identifier: MIT */
/*
 * A guest file of random code, and its object: what tests and fuzzers of user/object start from. In: a seed. Out: the same
 * bytes for the same seed.
 */
#ifndef FUZZ_OBJECT_IMAGE_H
#define FUZZ_OBJECT_IMAGE_H

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "object/object.h"

#define OBJ_TEXT_OFF 0x1000u
#define OBJ_GUEST_SIZE(text) (OBJ_TEXT_OFF + (text))

static u64 obj_random_state;

static inline u32 obj_below(u32 n)
{
	u64 z = obj_random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (u32)((z ^ z >> 31) >> 16) % n;
}

/* A distance in instructions from number at of n: mostly near, sometimes anywhere, rarely out of the text. */
static inline s32 obj_distance(u32 at, u32 n)
{
	if (!obj_below(50))
		return (s32)n;
	return obj_below(8) ? (s32)obj_below(64) - 20 : (s32)obj_below(n) - (s32)at;
}

static inline u32 obj_word(u32 at, u32 n)
{
	static const u32 plain[] = {
		0x91000000, 0xb1000000, 0xf1000000, 0xaa0003e0, 0xf9400000, 0xf9000000, 0x90000000, 0x10000000, 0x58000000,
		0x1e602800, 0x4ea08400, 0x9a800000, 0xfa400000, 0x4f00e400, 0x4e201c00, 0xba000000, 0x8b000000, 0xeb000000,
		0x1e602000, 0xd53b4400, 0xc85f7c00, 0x9b007c00, 0x0f000400, 0x3dc00000,
	};
	u32 rd = obj_below(31), rn = obj_below(31), d = (u32)obj_distance(at, n);

	switch (obj_below(24)) {
	case 0: return 0x54000000 | (d & 0x7ffff) << 5 | obj_below(14);
	case 1: return 0x54000000 | (obj_below(20) & 0x7ffff) << 5 | obj_below(14);
	case 2: return 0xb4000000 | (d & 0x7ffff) << 5 | rd;
	case 3: return 0x36000000 | (d & 0x3fff) << 5 | obj_below(32) << 19 | rd;
	case 4: return 0x94000000 | (d & 0x3ffffff);
	case 5: return obj_below(3) ? 0x94000000 | (d & 0x3ffffff) : 0xd63f0000 | rn << 5;
	case 6: return obj_below(3) ? 0xd65f03c0 : 0x14000000 | (d & 0x3ffffff);
	case 7: return obj_below(4) ? 0xd503201f : (u32[]){ 0xd4000001, 0xd4200000, 0, 0xd61f0000 | rn << 5 }[obj_below(4)];
	}
	return plain[obj_below(ARRAY_SIZE(plain))] | rd | rn << 5 | obj_below(30) << 16;
}

/* An ELF file with text bytes of code at OBJ_TEXT_OFF, and data behind them that is not in the file. */
static inline void obj_guest_make(u8 *file, u32 text, u64 seed)
{
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_DYN, .e_machine = EM_AARCH64,
		.e_version = EV_CURRENT, .e_entry = 0x11000, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3,
	};
	Elf64_Phdr p[3] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000 },
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = OBJ_TEXT_OFF, .p_vaddr = 0x11000, .p_filesz = text,
		  .p_memsz = text, .p_align = 0x1000 },
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0, .p_vaddr = 0x20000 + ALIGN_UP(text, 4096u), .p_filesz = 0,
		  .p_memsz = 0x3000, .p_align = 0x1000 },
	};

	obj_random_state = seed;
	memset(file, 0, OBJ_TEXT_OFF);
	memcpy(file, &e, sizeof(e));
	memcpy(file + sizeof(e), p, sizeof(p));
	for (u32 k = 0; k < text / 4; k++) {
		u32 w = obj_word(k, text / 4);

		memcpy(file + OBJ_TEXT_OFF + 4 * k, &w, 4);
	}
}

static inline void *obj_map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		exit(2);
	return p;
}

/* The header for it; features of this host's class. */
static inline int obj_head_make(struct dragoman_object *h, const u8 *file, u64 size)
{
	struct obj_key key = { .digest = { 1, 2, 3 }, .translator = { 4, 5, 6 }, .features = x64_class_features("v3") };

	return obj_layout(h, guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB), file, size, &key);
}

/* Translates from each of n places and what they lead to. */
static inline int obj_write_all(struct obj_writer *w, const u32 *start, u32 n)
{
	int err = 0;
	u32 pc;

	for (u32 k = 0; k < n && !err; k++) {
		err = obj_writer_translate(w, start[k]);
		while (!err && obj_writer_next(w, &pc))
			err = obj_writer_translate(w, pc);
	}
	return err;
}

/* A whole object of that file, in memory of its own; *size: its size. */
static inline struct dragoman_object *obj_object_make(const u8 *file, u64 file_size, const u32 *start, u32 n)
{
	struct dragoman_object h, *o;
	void *memory;

	if (obj_head_make(&h, file, file_size))
		exit(2);
	o = obj_map(h.size);
	*o = h;
	memory = obj_map(obj_writer_size(&h));
	obj_write_all(obj_writer_open(memory, o, guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB), file, file_size), start, n);
	munmap(memory, obj_writer_size(&h));
	return o;
}

#endif
