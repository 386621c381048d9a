// SPDX-License-Identifier: MIT
/*
 * The guest side of the differential test (see diff.h): an aarch64 program that executes the instructions it is sent.
 *
 * In: standard input. Out: standard output. Runs under anything that executes aarch64 programs: qemu-aarch64 gives the
 * expected results, and the translator's own can be had the same way.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "diff.h"

#define NOP 0xd503201fu
#define RET 0xd65f03c0u

/* run_stub(st, fn) loads the state, calls fn and stores the state. run_leave is where a signal's handler goes. */
void run_stub(struct diff_state *st, void (*fn)(void));
extern char run_leave[];

__asm__(
	".text\n.balign 16\n.globl run_stub, run_leave\n"
	"run_stub:\n"
	"	sub sp, sp, #192\n"
	"	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n	stp x27, x28, [sp, #64]\n	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	adrp x2, run_sp\n	add x2, x2, :lo12:run_sp\n	mov x3, sp\n	str x3, [x2]\n"
	"	mov x29, x0\n	mov x30, x1\n"
	"	add x2, x0, #256\n"
	"	ld1 {v0.2d-v3.2d}, [x2], #64\n	ld1 {v4.2d-v7.2d}, [x2], #64\n"
	"	ld1 {v8.2d-v11.2d}, [x2], #64\n	ld1 {v12.2d-v15.2d}, [x2], #64\n"
	"	ld1 {v16.2d-v19.2d}, [x2], #64\n	ld1 {v20.2d-v23.2d}, [x2], #64\n"
	"	ld1 {v24.2d-v27.2d}, [x2], #64\n	ld1 {v28.2d-v31.2d}, [x2], #64\n"
	"	ldr w3, [x2]\n	msr nzcv, x3\n	ldr w3, [x2, #4]\n	msr fpcr, x3\n	ldr w3, [x2, #8]\n	msr fpsr, x3\n"
	"	clrex\n"
	"	ldr x3, [x29, #248]\n	mov sp, x3\n"
	"	ldp x0, x1, [x29]\n	ldp x2, x3, [x29, #16]\n	ldp x4, x5, [x29, #32]\n	ldp x6, x7, [x29, #48]\n"
	"	ldp x8, x9, [x29, #64]\n	ldp x10, x11, [x29, #80]\n	ldp x12, x13, [x29, #96]\n	ldp x14, x15, [x29, #112]\n"
	"	ldp x16, x17, [x29, #128]\n	ldp x18, x19, [x29, #144]\n	ldp x20, x21, [x29, #160]\n	ldp x22, x23, [x29, #176]\n"
	"	ldp x24, x25, [x29, #192]\n	ldp x26, x27, [x29, #208]\n	ldr x28, [x29, #224]\n"
	"	blr x30\n"
	"run_leave:\n"
	"	stp x0, x1, [x29]\n	stp x2, x3, [x29, #16]\n	stp x4, x5, [x29, #32]\n	stp x6, x7, [x29, #48]\n"
	"	stp x8, x9, [x29, #64]\n	stp x10, x11, [x29, #80]\n	stp x12, x13, [x29, #96]\n	stp x14, x15, [x29, #112]\n"
	"	stp x16, x17, [x29, #128]\n	stp x18, x19, [x29, #144]\n	stp x20, x21, [x29, #160]\n	stp x22, x23, [x29, #176]\n"
	"	stp x24, x25, [x29, #192]\n	stp x26, x27, [x29, #208]\n	str x28, [x29, #224]\n"
	"	mov x3, sp\n	str x3, [x29, #248]\n"
	"	adrp x2, run_sp\n	add x2, x2, :lo12:run_sp\n	ldr x3, [x2]\n	mov sp, x3\n"
	"	add x2, x29, #256\n"
	"	st1 {v0.2d-v3.2d}, [x2], #64\n	st1 {v4.2d-v7.2d}, [x2], #64\n"
	"	st1 {v8.2d-v11.2d}, [x2], #64\n	st1 {v12.2d-v15.2d}, [x2], #64\n"
	"	st1 {v16.2d-v19.2d}, [x2], #64\n	st1 {v20.2d-v23.2d}, [x2], #64\n"
	"	st1 {v24.2d-v27.2d}, [x2], #64\n	st1 {v28.2d-v31.2d}, [x2], #64\n"
	"	mrs x3, nzcv\n	str w3, [x2]\n	mrs x3, fpcr\n	str w3, [x2, #4]\n	mrs x3, fpsr\n	str w3, [x2, #8]\n"
	"	msr fpcr, xzr\n"
	"	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n	ldp x27, x28, [sp, #64]\n	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #192\n"
	"	ret\n"
	".bss\n.balign 8\nrun_sp: .zero 8\n.text\n");

static struct diff_state st;
static uint32_t at;			/* the request that runs */

/* Leaves the stub with the registers as they are. */
static void on_signal(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;

	if (uc->uc_mcontext.pc - DIFF_CODE >= DIFF_BATCH * DIFF_STUB) {
		fprintf(stderr, "diff_guest: signal %d at pc %llx, address %p, word %08x, sp %llx\n", sig,
			(unsigned long long)uc->uc_mcontext.pc, info->si_addr, ((uint32_t *)DIFF_CODE)[at * 4],
			(unsigned long long)uc->uc_mcontext.sp);
		_exit(99);
	}
	st.sig = (uint32_t)sig;
	uc->uc_mcontext.pc = (uint64_t)run_leave;
	uc->uc_mcontext.regs[29] = (uint64_t)&st;
}

static int read_all(void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(0, p, len);

		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static void write_all(const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(1, p, len);

		if (n <= 0)
			_exit(1);
		p += n;
		len -= (size_t)n;
	}
}

static void set_up(void)
{
	static char stack[65536];
	const int sigs[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	void *code, *win;

	code = mmap((void *)DIFF_CODE, DIFF_BATCH * DIFF_STUB, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	win = mmap((void *)(DIFF_WIN_END - DIFF_PAGE), 2 * DIFF_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (code == MAP_FAILED || win == MAP_FAILED)
		_exit(2);
	mprotect((void *)DIFF_WIN_END, DIFF_PAGE, PROT_NONE);
	sigaltstack(&ss, NULL);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

/* Results take the place of the given states. */
static void run_batch(const struct diff_req *req, uint32_t n, struct diff_state *out)
{
	uint32_t *code = (uint32_t *)DIFF_CODE;
	uint32_t i;

	for (i = 0; i < n; i++) {
		code[i * 4] = req[i].word[0];
		code[i * 4 + 1] = req[i].word[1] ? req[i].word[1] : NOP;
		code[i * 4 + 2] = RET;
		code[i * 4 + 3] = 0;
	}
	__builtin___clear_cache((char *)code, (char *)(code + n * 4));
	for (i = 0; i < n; i++) {
		if (req[i].given)
			st = out[i];
		else
			diff_init(&st, &req[i]);
		memcpy((void *)DIFF_WIN, st.mem, DIFF_WIN_SIZE);
		at = i;
		run_stub(&st, (void (*)(void))(DIFF_CODE + i * DIFF_STUB));
		memcpy(st.mem, (void *)DIFF_WIN, DIFF_WIN_SIZE);
		out[i] = st;
	}
}

/*
 * No ABI returns values in the flags, as these stubs do. Dragoman finds out about a program that does so all the same where a
 * direct call has an instruction behind it that reads them, as here.
 */
static void return_flags_once(void)
{
	__asm__ volatile("cmp x1, x1\n\tbl 1f\n\tmrs x1, nzcv\n\tb 2f\n1:\tret\n2:" : : : "x1", "x30", "cc");
}

int main(void)
{
	struct diff_req *req = malloc(DIFF_BATCH * sizeof(*req));
	struct diff_state *out = malloc(DIFF_BATCH * sizeof(*out));
	uint32_t n;

	set_up();
	return_flags_once();
	while (!read_all(&n, sizeof(n)) && n && n <= DIFF_BATCH) {
		if (read_all(req, n * sizeof(*req)))
			return 1;
		for (uint32_t i = 0; i < n; i++)
			if (req[i].given && read_all(&out[i], sizeof(*out)))
				return 1;
		run_batch(req, n, out);
		write_all(out, n * sizeof(*out));
	}
	return 0;
}
