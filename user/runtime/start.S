/* SPDX-License-Identifier: MIT */
/*
 * Process entry. The kernel's stack pointer (argc, argv, envp, auxv) goes to rt_start; the C code runs below it, and leaves
 * RT_STACK_ROOM bytes: the guest's auxiliary vector may be longer than that of a kernel with fewer entries.
 */
#define RT_STACK_ROOM 256	/* as in load.h */

	.text
	.globl	_start
	.hidden	_start
	.type	_start, @function
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	lea	_DYNAMIC(%rip), %rsi
	lea	__ehdr_start(%rip), %rdx
	sub	$RT_STACK_ROOM, %rsp
	and	$-16, %rsp
	call	rt_start
	hlt
	.size	_start, . - _start

	.hidden	_DYNAMIC
	.hidden	__ehdr_start
	.section .note.GNU-stack, "", @progbits
