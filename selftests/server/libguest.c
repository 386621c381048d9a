// SPDX-License-Identifier: MIT
/* A small aarch64 program as a file, made without a compiler: functions of a few instructions, one behind the other. */
#include "libguest.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int guest_write(const char *path, unsigned nfunctions, unsigned variant)
{
	static u8 image[GUEST_CODE + 1024 * 1024];
	u32 *code = (u32 *)(image + GUEST_CODE);
	size_t size = GUEST_CODE + nfunctions * GUEST_FUNCTION;
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC, .e_machine = EM_AARCH64,
		.e_version = 1, .e_entry = 0x400000 + GUEST_CODE, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
	};
	Elf64_Phdr p = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = size, .p_memsz = size, .p_align = 4096 };
	int fd;

	if (size > sizeof(image))
		return -1;
	memset(image, 0, sizeof(image));
	memcpy(image, &e, sizeof(e));
	memcpy(image + sizeof(e), &p, sizeof(p));
	for (unsigned i = 0; i < nfunctions; i++) {
		u32 *f = code + i * GUEST_FUNCTION / 4;

		f[0] = 0xd2800000 | (i & 0x7fff) << 5;	/* mov x0, #i */
		f[1] = 0x91000000 | (variant & 0xfff) << 10;	/* add x0, x0, #variant */
		f[2] = 0xeb01001f;			/* cmp x0, x1 */
		f[3] = 0x54000040;			/* b.eq f[5] */
		f[4] = 0x8b010000;			/* add x0, x0, x1 */
		f[5] = 0xd65f03c0;			/* ret */
		f[6] = f[7] = 0xd503201f;		/* nop */
	}
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
	if (fd < 0 || write(fd, image, size) != (ssize_t)size)
		return -1;
	return close(fd);
}
