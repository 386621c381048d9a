// SPDX-License-Identifier: MIT
/*
 * Fuzzer for the ELF loader: a good program with some bytes, words or header fields changed, or cut short, is given to the
 * runtime, which loads it and stops. Right is: status 0, or 126 or 127 with one line on stderr. Anything else (a signal, a
 * hang, another status, no message) is a finding: the file is kept and the number that makes it again is printed.
 *
 *	elf [-n COUNT] [-s SEED] [-r RUNTIME] [-k FOLDER]		COUNT 0: until interrupted
 *
 * Built by hand: gcc -O2 -D_GNU_SOURCE -Iuser -o elf user/fuzz/elf.c; or with -DFUZZ_LIBRARY as a part of a test.
 */
#include "fuzz/elf_image.h"

static unsigned long fuzz_state;

static unsigned long fuzz_random(void)
{
	/* splitmix64: each seed is a different sequence, also neighbours. */
	unsigned long z = fuzz_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Numbers at which arithmetic goes wrong. */
static unsigned long fuzz_value(unsigned long old)
{
	static const unsigned long special[] = {
		0, 1, 2, 7, 8, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7ffffffff000, 0x7ffffffffff8, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000,
		0xffffffffffffffff, IMAGE_SIZE, IMAGE_SIZE - 1, IMAGE_SIZE + 1, 0x400000, 0x555555554000, 0x7ffffffde000,
	};

	switch (fuzz_random() % 5) {
	case 0:
		return old + fuzz_random() % 0x2000 - 0x1000;
	case 1:
		return old ^ 1ul << fuzz_random() % 64;
	case 2:
		return fuzz_random() >> fuzz_random() % 64;
	default:
		return special[fuzz_random() % (sizeof(special) / sizeof(special[0]))];
	}
}

/* Changes a field of a program header or of the ELF header. */
static void fuzz_field(union image *i)
{
	Elf64_Phdr *p = &i->ph[fuzz_random() % IMAGE_PHDRS];

	switch (fuzz_random() % 12) {
	case 0:
		p->p_type = fuzz_random() % 2 ? PT_LOAD : (unsigned)(fuzz_random() % 10);
		break;
	case 1:
		p->p_flags = fuzz_random() % 8;
		break;
	case 2:
		p->p_offset = fuzz_value(p->p_offset);
		break;
	case 3:
		p->p_vaddr = fuzz_value(p->p_vaddr);
		break;
	case 4:
		p->p_filesz = fuzz_value(p->p_filesz);
		break;
	case 5:
		p->p_memsz = fuzz_value(p->p_memsz);
		break;
	case 6:
		p->p_align = fuzz_value(p->p_align);
		break;
	case 7:
		i->e.e_phoff = fuzz_value(i->e.e_phoff);
		break;
	case 8:
		i->e.e_phnum = fuzz_value(i->e.e_phnum);
		break;
	case 9:
		i->e.e_type = fuzz_random() % 5;
		break;
	case 10:
		i->e.e_entry = fuzz_value(i->e.e_entry);
		break;
	case 11:
		p->p_vaddr = p->p_offset = fuzz_value(p->p_offset) & ~0xffful;
	}
}

/* The file of a seed; its size. */
static size_t fuzz_make(unsigned long seed, union image *i)
{
	size_t size = IMAGE_SIZE;

	fuzz_state = seed;
	image_make(i);
	if (fuzz_random() % 4 == 0) {
		i->ph[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(union image, interp), .p_filesz = 10 };
		memcpy(i->interp, fuzz_random() % 2 ? "/nowhere/x" : "/etc/motd", 10);
	}
	if (fuzz_random() % 4 == 0) {
		i->e.e_type = ET_EXEC;
		i->ph[0].p_vaddr += 0x400000;
		i->ph[1].p_vaddr += 0x400000;
	}
	for (unsigned n = 1 + fuzz_random() % 4; n; n--) {
		switch (fuzz_random() % 8) {
		case 0:
			i->b[fuzz_random() % sizeof(Elf64_Ehdr)] = fuzz_random();
			break;
		case 1:
			i->b[fuzz_random() % (sizeof(Elf64_Ehdr) + sizeof(i->ph))] ^= 1u << fuzz_random() % 8;
			break;
		case 2:
			size = fuzz_random() % 3 ? IMAGE_SIZE : fuzz_random() % IMAGE_SIZE;
			break;
		default:
			fuzz_field(i);
		}
	}
	return size;
}

/* true: as it should be. */
static bool fuzz_one(unsigned long seed, const char *file)
{
	struct outcome o;
	union image i;
	size_t size = fuzz_make(seed, &i);

	image_write(&i, size, file);
	load_file(file, "", &o);
	if (!o.status)
		return strstr(o.text, "dragoman: base ");
	if ((o.status == 126 || o.status == 127) && o.lines == 1 && !strncmp(o.text, "dragoman: ", 10))
		return true;
	printf("# seed %lu: status %d, %u lines: %s\n", seed, o.status, o.lines, o.text);
	return false;
}

#ifndef FUZZ_LIBRARY
int main(int argc, char **argv)
{
	unsigned long count = 10000, seed = 1, found = 0;
	const char *folder = "/tmp";
	char file[4200];
	int c;

	while ((c = getopt(argc, argv, "n:s:r:k:")) != -1) {
		if (c == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (c == 'r')
			setenv("DRAGOMAN_RT", optarg, 1);
		else if (c == 'k')
			folder = optarg;
		else
			return 2;
	}
	for (unsigned long n = 0; !count || n < count; n++) {
		snprintf(file, sizeof(file), "%s/dragoman-elf-%d-%lu", folder, getpid(), seed + n);
		if (!fuzz_one(seed + n, file))
			found++;
		else
			unlink(file);
	}
	printf("%lu files, %lu findings\n", count, found);
	return found != 0;
}
#endif
