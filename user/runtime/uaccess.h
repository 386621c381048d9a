/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing guest memory that may not be there. A fault inside these functions does not kill: the handler of
 * SIGSEGV and SIGBUS asks rt_uaccess_fixup() and goes on there.
 */
#ifndef RUNTIME_UACCESS_H
#define RUNTIME_UACCESS_H

#include <linux/errno.h>
#include "base/types.h"

/* Where to go on when the runtime faulted at this host pc; 0: it was no guest access. */
u64 rt_uaccess_fixup(u64 host_pc);

/* 0 or -EFAULT; then an unknown part has been copied. */
int rt_copy_from_user(void *dst, u64 src, size_t n);
int rt_copy_to_user(u64 dst, const void *src, size_t n);
/*
 * Takes a struct that has grown over time, as the kernel does: the first known bytes of the size bytes at src, with zeros
 * for what is missing. -E2BIG if not all that follows is zero, else -EFAULT.
 */
int rt_copy_struct_from_user(void *dst, size_t known, u64 src, size_t size);
int rt_clear_user(u64 dst, size_t n);
/* Length without the NUL; -EFAULT; -ENAMETOOLONG when none of the first max bytes is NUL. */
s64 rt_strnlen_user(u64 src, size_t max);
/* Copies with the NUL into dst[size]. Returns as rt_strnlen_user. */
s64 rt_strncpy_from_user(char *dst, u64 src, size_t size);

/* Atomic compare-and-swap of 1, 2, 4, 8 or 16 (aligned) bytes: *old receives what was there. 0 or -EFAULT. */
int rt_cas_user(u64 addr, unsigned size, const void *expected, const void *desired, void *old);

/* One line of the fixup table: a fault at label 1 goes on at label 3, which sets the error. */
#define RT_UACCESS_FIXUP(err)						\
	".subsection 1\n3:	mov %[efault], " err "\n	jmp 2b\n.previous\n"	\
	".pushsection rt_fixup,\"a\"\n	.balign 4\n	.long 1b - .\n	.long 3b - .\n.popsection\n"

#define RT_GET_USER(type, insn, reg)						\
static inline int rt_get_##type(type *v, u64 src)				\
{										\
	type x = 0;								\
	int err = 0;								\
										\
	__asm__ volatile("1:	" insn " (%[src]), %" reg "[x]\n2:\n"		\
			 RT_UACCESS_FIXUP("%[err]")				\
			 : [err] "+r"(err), [x] "+q"(x)				\
			 : [src] "r"(src), [efault] "i"(-EFAULT) : "memory");	\
	*v = x;									\
	return err;								\
}										\
static inline int rt_put_##type(u64 dst, type v)				\
{										\
	int err = 0;								\
										\
	__asm__ volatile("1:	" insn " %" reg "[x], (%[dst])\n2:\n"		\
			 RT_UACCESS_FIXUP("%[err]")				\
			 : [err] "+r"(err)					\
			 : [x] "q"(v), [dst] "r"(dst), [efault] "i"(-EFAULT) : "memory");	\
	return err;								\
}
/* int rt_get_u64(u64 *v, u64 src), int rt_put_u64(u64 dst, u64 v) and so on: 0 or -EFAULT. */
RT_GET_USER(u8, "movb", "b")
RT_GET_USER(u16, "movw", "w")
RT_GET_USER(u32, "movl", "k")
RT_GET_USER(u64, "movq", "q")
#undef RT_GET_USER

#endif
