/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types and the few macros that every layer uses. Freestanding.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned __int128 u128;
typedef __int128 s128;

/* A 128-bit vector register as memory holds it: little-endian lanes. */
typedef union v128 {
	u8 b[16];
	u16 h[8];
	u32 s[4];
	u64 d[2];
	s8 sb[16];
	s16 sh[8];
	s32 ss[4];
	s64 sd[2];
} __attribute__((aligned(16))) v128;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a) (((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define BIT(n) (1ull << (n))
/* Bits lo .. lo+n-1 of x. */
#define BITS(x, lo, n) (((x) >> (lo)) & ((1ull << (n)) - 1))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

static inline s64 sext64(u64 v, unsigned bits)
{
	return (s64)(v << (64 - bits)) >> (64 - bits);
}

#endif
