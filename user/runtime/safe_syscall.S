/* SPDX-License-Identifier: MIT */
/*
 * System calls that a signal can interrupt without a race, and the clone of a thread.
 *
 * rt_safe_syscall(pending, nr, args): makes the call unless *pending is set, which then gives -512. Between
 * rt_safe_syscall_begin and rt_safe_syscall_insn, both included, a call has not happened yet, or the kernel has put the
 * program counter back because it is to be restarted: a host handler that finds %rip there makes it return -512.
 *
 * rt_notify_syscall(pending, nr, args, place): the same, but gives RT_NOTIFY_RESTART, because -512 may be the result; and the
 * SYSCALL instruction is the one at place, one of the 1024 that rt_notify_page has, each in 4 bytes (seccomp_notify.c).
 */
	/* rdi: pending, rsi: nr, rdx: args. To where the kernel wants them, and pending to rcx; r11 stays. */
	.macro	load_call
	mov	%rsi, %rax
	mov	%rdi, %rcx
	mov	%rdx, %r9
	mov	(%r9), %rdi
	mov	8(%r9), %rsi
	mov	16(%r9), %rdx
	mov	24(%r9), %r10
	mov	32(%r9), %r8
	mov	40(%r9), %r9
	.endm

	.text
	.globl	rt_safe_syscall, rt_safe_syscall_begin, rt_safe_syscall_insn, rt_safe_syscall_restart
	.hidden	rt_safe_syscall, rt_safe_syscall_begin, rt_safe_syscall_insn, rt_safe_syscall_restart
	.type	rt_safe_syscall, @function
rt_safe_syscall:			# rdi: volatile u32 *pending, rsi: nr, rdx: const u64 args[6]
	load_call
rt_safe_syscall_begin:
	cmpl	$0, (%rcx)
	jne	rt_safe_syscall_restart
rt_safe_syscall_insn:
	syscall
	ret
rt_safe_syscall_restart:
	mov	$-512, %rax
	ret
	.size	rt_safe_syscall, . - rt_safe_syscall

	.globl	rt_notify_syscall, rt_notify_begin, rt_notify_jump, rt_notify_page, rt_notify_restart
	.hidden	rt_notify_syscall, rt_notify_begin, rt_notify_jump, rt_notify_page, rt_notify_restart
	.type	rt_notify_syscall, @function
rt_notify_syscall:			# rdi: volatile u32 *pending, rsi: nr, rdx: const u64 args[6], rcx: place
	mov	%rcx, %r11
	load_call
rt_notify_begin:
	cmpl	$0, (%rcx)
	jne	rt_notify_restart
rt_notify_jump:
	jmp	*%r11
rt_notify_restart:
	movabs	$0x7b1d0c0de5ecc057, %rax	# RT_NOTIFY_RESTART
	ret
	.size	rt_notify_syscall, . - rt_notify_syscall

	.balign	4096
rt_notify_page:
	.rept	1024
	syscall
	ret
	nop
	.endr
	.size	rt_notify_page, . - rt_notify_page

/*
 * rt_clone_thread(nr, a, b, c, d, e): clone or clone3 whose child starts on another stack, where it finds the address of
 * its thread block: the child calls rt_thread_child(block), which does not return. The parent gets the call's result.
 */
	.globl	rt_clone_thread
	.hidden	rt_clone_thread
	.type	rt_clone_thread, @function
rt_clone_thread:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	xor	%ebp, %ebp
	pop	%rdi
	and	$-16, %rsp
	call	rt_thread_child
	ud2
	.size	rt_clone_thread, . - rt_clone_thread

/* The host's rt_sigreturn, for SA_RESTORER. */
	.globl	rt_sigreturn_host
	.hidden	rt_sigreturn_host
	.type	rt_sigreturn_host, @function
rt_sigreturn_host:
	mov	$15, %eax
	syscall
	ud2
	.size	rt_sigreturn_host, . - rt_sigreturn_host
	.section .note.GNU-stack, "", @progbits
