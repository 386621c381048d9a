// SPDX-License-Identifier: MIT
/* Finds the guest of an ELF header; the list is guests.def. */
#include "guest/guest.h"

#define GUEST(name) extern const struct guest name;
#include "guest/guests.def"
#undef GUEST

const struct guest *guest_find(u16 machine, u8 class, u8 data)
{
#define GUEST(name)                                                                             \
	if (name.elf_machine == machine && name.elf_class == class && name.elf_data == data)    \
		return &name;
#include "guest/guests.def"
#undef GUEST
	return NULL;
}
