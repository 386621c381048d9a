// SPDX-License-Identifier: MIT
/*
 * The guests that binfmt_misc can hand to the runtime: one entry each, how their ELF files begin.
 *
 * The mask looks at: the ELF magic, class, byte order, version; OSABI 0 to 3 (System V and GNU, which differ in
 * two bits; a FreeBSD program, 9, is not ours); ET_EXEC or ET_DYN; the machine. It leaves out the ABI version
 * and the padding, as Linux on the real machine does: AppImages keep a mark of their own there.
 */
#include <elf.h>
#include <string.h>

#include "cli.h"

#define ELF64_LE(machine_lo, machine_hi) \
	.magic = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
		   ET_EXEC, 0, machine_lo, machine_hi }, \
	.mask = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0, 0, 0, 0, 0, \
		  0xfe, 0xff, 0xff, 0xff }

const struct cli_guest cli_guests[] = {
	{ .name = "aarch64", .machine = EM_AARCH64, ELF64_LE(EM_AARCH64, 0) },
	{ .name = NULL },
};

const struct cli_guest *cli_guest_by_name(const char *name)
{
	for (const struct cli_guest *g = cli_guests; g->name; g++)
		if (!strcmp(g->name, name) || (!strcmp(name, "arm64") && g->machine == EM_AARCH64))
			return g;
	return NULL;
}

const struct cli_guest *cli_guest_by_machine(unsigned int machine)
{
	for (const struct cli_guest *g = cli_guests; g->name; g++)
		if (g->machine == machine)
			return g;
	return NULL;
}
