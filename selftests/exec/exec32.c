// SPDX-License-Identifier: MIT
/* A 32-bit program that executes argv[1] with the rest as its arguments: the module meets a compat caller. No libc. */
static int call3(int nr, int a, int b, int c)
{
	int ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

__attribute__((used)) void start_c(int *sp)
{
	int argc = sp[0];
	int ret = call3(11, sp[2], (int)(sp + 2), (int)(sp + 2 + argc));	/* execve */

	call3(1, -ret & 127, 0, 0);						/* exit */
}

__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call start_c\n hlt\n");
