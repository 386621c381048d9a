// SPDX-License-Identifier: MIT
/*
 * Guest memory that may not be there: copies with a fixup (see uaccess.h). The table is a list of pairs of 32-bit
 * distances, (faulting instruction, where to go on), so it needs no relocation.
 */
#include "runtime/uaccess.h"

struct fixup {
	s32 fault, resume;
};
extern const struct fixup __start_rt_fixup[] __attribute__((visibility("hidden")));
extern const struct fixup __stop_rt_fixup[] __attribute__((visibility("hidden")));

u64 rt_uaccess_fixup(u64 host_pc)
{
	for (const struct fixup *f = __start_rt_fixup; f < __stop_rt_fixup; f++)
		if ((u64)&f->fault + (s64)f->fault == host_pc)
			return (u64)&f->resume + (s64)f->resume;
	return 0;
}

static int copy(void *dst, const void *src, size_t n)
{
	int err = 0;

	__asm__ volatile("1:	rep movsb\n2:\n"
			 RT_UACCESS_FIXUP("%[err]")
			 : [err] "+r"(err), "+D"(dst), "+S"(src), "+c"(n) : [efault] "i"(-EFAULT) : "memory");
	return err;
}

int rt_copy_from_user(void *dst, u64 src, size_t n)
{
	return copy(dst, (const void *)src, n);
}

int rt_copy_struct_from_user(void *dst, size_t known, u64 src, size_t size)
{
	u8 more;

	for (size_t i = known; i < size; i++) {
		if (rt_get_u8(&more, src + i))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	__builtin_memset(dst, 0, known);
	return rt_copy_from_user(dst, src, size < known ? size : known);
}

int rt_copy_to_user(u64 dst, const void *src, size_t n)
{
	return copy((void *)dst, src, n);
}

int rt_clear_user(u64 dst, size_t n)
{
	int err = 0;

	__asm__ volatile("1:	rep stosb\n2:\n"
			 RT_UACCESS_FIXUP("%[err]")
			 : [err] "+r"(err), "+D"(dst), "+c"(n) : "a"(0), [efault] "i"(-EFAULT) : "memory");
	return err;
}

/* Aligned words, so that no page is touched beyond the string's last. */
s64 rt_strnlen_user(u64 src, size_t max)
{
	const u64 ones = 0x0101010101010101, tops = 0x8080808080808080;
	u64 p = src & ~7ull, w, zero;
	unsigned skip = src & 7;

	for (;; p += 8) {
		if (rt_get_u64(&w, p))
			return -EFAULT;
		if (skip)
			w |= (1ull << 8 * skip) - 1;
		skip = 0;
		zero = (w - ones) & ~w & tops;
		if (zero)
			break;
		if (p + 8 - src >= max && p + 8 > src)
			return -ENAMETOOLONG;
	}
	p += (unsigned)__builtin_ctzll(zero) / 8;
	return p - src < max ? (s64)(p - src) : -ENAMETOOLONG;
}

s64 rt_strncpy_from_user(char *dst, u64 src, size_t size)
{
	s64 n = rt_strnlen_user(src, size);

	if (n < 0)
		return n;
	if (rt_copy_from_user(dst, src, n + 1))
		return -EFAULT;
	/* Another thread may have changed it meanwhile. */
	dst[n] = 0;
	return n;
}

#define CAS(insn, reg, type)								\
	{										\
		type e, d;								\
											\
		__builtin_memcpy(&e, expected, sizeof(e));				\
		__builtin_memcpy(&d, desired, sizeof(d));				\
		__asm__ volatile("1:	lock " insn " %" reg "[d], (%[addr])\n2:\n"	\
				 RT_UACCESS_FIXUP("%[err]")				\
				 : [err] "+r"(err), "+a"(e)				\
				 : [d] "q"(d), [addr] "r"(addr), [efault] "i"(-EFAULT) : "memory", "cc");	\
		__builtin_memcpy(old, &e, sizeof(e));					\
		return err;								\
	}

int rt_cas_user(u64 addr, unsigned size, const void *expected, const void *desired, void *old)
{
	u64 e[2], d[2];
	int err = 0;

	switch (size) {
	case 1: CAS("cmpxchgb", "b", u8)
	case 2: CAS("cmpxchgw", "w", u16)
	case 4: CAS("cmpxchgl", "k", u32)
	case 8: CAS("cmpxchgq", "q", u64)
	}
	__builtin_memcpy(e, expected, 16);
	__builtin_memcpy(d, desired, 16);
	__asm__ volatile("1:	lock cmpxchg16b (%[addr])\n2:\n"
			 RT_UACCESS_FIXUP("%[err]")
			 : [err] "+r"(err), "+a"(e[0]), "+d"(e[1])
			 : "b"(d[0]), "c"(d[1]), [addr] "r"(addr), [efault] "i"(-EFAULT) : "memory", "cc");
	__builtin_memcpy(old, e, 16);
	return err;
}
