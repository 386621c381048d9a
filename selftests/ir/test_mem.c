// SPDX-License-Identifier: MIT
/*
 * The runtime's own mem*() (user/base/mem.c) against libc's, at all small lengths, offsets and overlaps.
 */
#include <string.h>

#include "ktap.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")
#undef DRAGOMAN_HOSTED
#define memcpy rt_memcpy
#define memmove rt_memmove
#define memset rt_memset
#define memcmp rt_memcmp
#define strlen rt_strlen
#include "base/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen

#define SIZE 512

static u8 a[SIZE], b[SIZE], source[SIZE];

static void fill(void)
{
	for (unsigned n = 0; n < SIZE; n++)
		source[n] = a[n] = b[n] = (u8)ktap_random();
}

static void copies(void)
{
	for (size_t len = 0; len < 150; len++) {
		for (unsigned at = 0; at < 9; at++) {
			fill();
			CHECK(rt_memcpy(a + 100 + at, source + 3, len) == a + 100 + at, "result");
			memcpy(b + 100 + at, source + 3, len);
			CHECK(!memcmp(a, b, SIZE), "memcpy %zu at %u", len, at);
			rt_memset(a + 50 + at, 0x1a5, len);
			memset(b + 50 + at, 0x1a5, len);
			CHECK(!memcmp(a, b, SIZE), "memset %zu at %u", len, at);
		}
	}
}

static void moves(void)
{
	for (size_t len = 0; len < 150; len++) {
		for (int by = -70; by <= 70; by++) {
			fill();
			CHECK(rt_memmove(a + 100 + by, a + 100, len) == a + 100 + by, "result");
			memmove(b + 100 + by, b + 100, len);
			CHECK(!memcmp(a, b, SIZE), "memmove %zu by %d", len, by);
		}
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void compares(void)
{
	for (size_t len = 1; len < 100; len++) {
		for (size_t at = 0; at < len; at++) {
			fill();
			CHECK(!rt_memcmp(a + 1, b + 1, len), "equal, %zu", len);
			a[1 + at] ^= 0x80;
			CHECK(sign(rt_memcmp(a + 1, b + 1, len)) == sign(memcmp(a + 1, b + 1, len)), "memcmp %zu at %zu", len, at);
			CHECK(!rt_memcmp(a + 1, b + 1, at), "memcmp up to %zu", at);
		}
	}
	memset(a, 'x', SIZE);
	for (unsigned n = 0; n < SIZE; n++) {
		a[n] = 0;
		CHECK(rt_strlen((char *)a) == n, "strlen %u", n);
		a[n] = 'x';
	}
}

int main(void)
{
	ktap_start(3);
	ktap_run("mem: memcpy, memset", copies);
	ktap_run("mem: memmove", moves);
	ktap_run("mem: memcmp, strlen", compares);
	return ktap_end();
}
