/* SPDX-License-Identifier: MIT */
/*
 * Process entry. The kernel's stack pointer (argc, argv, envp, auxv) goes to rt_start; the C code runs below it.
 */
	.text
	.globl	_start
	.hidden	_start
	.type	_start, @function
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	lea	_DYNAMIC(%rip), %rsi
	lea	__ehdr_start(%rip), %rdx
	and	$-16, %rsp
	call	rt_start
	hlt
	.size	_start, . - _start

	.hidden	_DYNAMIC
	.hidden	__ehdr_start
	.section .note.GNU-stack, "", @progbits
