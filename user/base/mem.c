// SPDX-License-Identifier: MIT
/*
 * The functions that the compiler calls on its own, for the runtime, which has no libc; in the hosted library libc's are used. Short
 * lengths, the usual ones, are moved by words: the string instructions take some 30 cycles to start, and win for long ones.
 *
 * Built with -fno-tree-loop-distribute-patterns, or the compiler would turn these loops into calls of themselves.
 */
#include "base/types.h"

#ifndef DRAGOMAN_HOSTED

#define SHORT 64

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

static u64 get8(const void *p)
{
	u64 w;

	__builtin_memcpy(&w, p, 8);
	return w;
}

static void put8(void *p, u64 w)
{
	__builtin_memcpy(p, &w, 8);
}

void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (n > SHORT) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		put8(d, get8(s));
	for (; n; n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(dst, src, n);	/* which goes upwards */
	/* Downwards by words: rep movsb with the direction flag set goes byte by byte. */
	for (; n >= 8; n -= 8)
		put8(d + n - 8, get8(s + n - 8));
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;

	if (n > SHORT) {
		__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8)
		put8(d, (u8)c * 0x0101010101010101ull);
	for (; n; n--)
		*d++ = (u8)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8 && get8(x) == get8(y); n -= 8) {
		x += 8;
		y += 8;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

#endif
