// SPDX-License-Identifier: MIT
/* A library for view.c: what it does is told by its names. */
#include <string.h>

__attribute__((noinline)) unsigned lib_sum(const unsigned char *p, unsigned n)
{
	unsigned s = 0;

	while (n--)
		s = s * 31 + *p++;
	return s;
}

__attribute__((noinline)) int lib_apply(int (*fn)(int), int n)
{
	int s = 0;

	for (int k = 0; k < n; k++)
		s += fn(k);
	return s;
}

/* Patched by the test: mov w0, #11; ret. */
__asm__(".text\n.balign 4096\n.global lib_eleven\n.type lib_eleven, %function\nlib_eleven: mov w0, #11\nret\n"
	".size lib_eleven, . - lib_eleven\n.balign 64\n"
	/* A fault with known registers: x1..x5 set, then a load from x0. */
	".global lib_fault\n.type lib_fault, %function\nlib_fault: mov x1, #101\nmov x2, #102\nadd x3, x1, x2\n"
	"subs xzr, x1, x2\nfmov d1, #2.5\n"
	".global lib_fault_pc\nlib_fault_pc: ldr x4, [x0]\ncset w0, mi\nret\n.size lib_fault, . - lib_fault\n"
	/* Flags that survive a call and a return. */
	".global lib_flags_leaf\n.type lib_flags_leaf, %function\nlib_flags_leaf: cmp w0, #5\nret\n"
	".global lib_flags\n.type lib_flags, %function\nlib_flags: stp x29, x30, [sp, #-16]!\nbl lib_flags_leaf\n"
	"cset w0, eq\nldp x29, x30, [sp], #16\nret\n");

/* 0 / 0: a default NaN each time. */
__attribute__((noinline)) double lib_divide(double a, double b)
{
	return a / b;
}

__attribute__((noinline)) double lib_series(int n)
{
	double s = 0;

	for (int k = 1; k <= n; k++)
		s += 1.0 / k;
	return s;
}
