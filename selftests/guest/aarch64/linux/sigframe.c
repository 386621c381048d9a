// SPDX-License-Identifier: MIT
/*
 * What a signal handler sees, and what it may change: registers, vectors, flags, mask, stack.
 */
#define _GNU_SOURCE
#include <asm/sigcontext.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "ktap.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static volatile int seen;
static ucontext_t saved;
static siginfo_t saved_info;
static uintptr_t handler_sp, handler_uc;

static struct fpsimd_context *fpsimd_of(ucontext_t *uc)
{
	struct _aarch64_ctx *c = (void *)uc->uc_mcontext.__reserved;

	while (c->magic && c->magic != FPSIMD_MAGIC)
		c = (void *)((char *)c + c->size);
	return c->magic ? (void *)c : NULL;
}

static void note(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	handler_sp = (uintptr_t)__builtin_frame_address(0);
	handler_uc = (uintptr_t)ctx;
	saved = *(ucontext_t *)ctx;
	saved_info = *info;
	seen++;
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

/* Sends SIGUSR1 to the calling thread by a bare system call, with patterns in x19..x28, v8 and flags. */
static void raise_with_patterns(uint64_t out[12], int sig)
{
	register uint64_t x0 __asm__("x0") = (uint64_t)getpid();
	register uint64_t x1 __asm__("x1") = (uint64_t)gettid();
	register uint64_t x2 __asm__("x2") = (uint64_t)sig;
	register uint64_t *o __asm__("x9") = out;

	__asm__ volatile(
		"mov x19, #0x1919\n mov x20, #0x2020\n mov x21, #0x2121\n mov x28, #0x2828\n"
		"movi v8.16b, #0x55\n movi v31.16b, #0x31\n movi v0.16b, #0x77\n"
		"cmp xzr, xzr\n"		/* Z and C */
		"mov x8, #131\n"
		"svc #0\n"
		"cset w10, eq\n cset w11, cs\n cset w12, mi\n"
		"stp x19, x20, [x9]\n stp x21, x28, [x9, #16]\n"
		"umov x13, v8.d[0]\n umov x14, v31.d[1]\n umov x15, v0.d[0]\n"
		"stp x13, x14, [x9, #32]\n str x15, [x9, #48]\n"
		"stp x10, x11, [x9, #56]\n stp x12, x0, [x9, #72]\n"
		: "+r"(x0), "+r"(x1), "+r"(x2), "+r"(o)
		: : "x8", "x10", "x11", "x12", "x13", "x14", "x15", "x19", "x20", "x21", "x28", "v0", "v8", "v31", "cc",
		    "memory");
}

static void test_layout(void)
{
	uint64_t out[12];
	struct fpsimd_context *fp;

	install(SIGUSR1, note, 0);
	seen = 0;
	raise_with_patterns(out, SIGUSR1);
	check(seen == 1, "handler ran once");
	check(out[0] == 0x1919 && out[1] == 0x2020 && out[2] == 0x2121 && out[3] == 0x2828, "callee-saved registers survive");
	check(out[4] == 0x5555555555555555 && out[5] == 0x3131313131313131 && out[6] == 0x7777777777777777,
	      "vectors survive");
	check(out[7] == 1 && out[8] == 1 && out[9] == 0, "flags survive");
	check(out[10] == 0, "tgkill returns 0");
	check(saved.uc_mcontext.regs[19] == 0x1919 && saved.uc_mcontext.regs[28] == 0x2828, "frame holds x19, x28");
	check((saved.uc_mcontext.pstate & 0xf0000000) == 0x60000000, "frame holds the flags (%llx)",
	      (unsigned long long)saved.uc_mcontext.pstate);
	check(*(uint32_t *)(saved.uc_mcontext.pc - 4) == 0xd4000001, "pc is behind the SVC");
	check(saved.uc_mcontext.regs[8] == 131 && saved.uc_mcontext.regs[0] == 0, "x0 is the result, x8 the number");
	fp = fpsimd_of(&saved);
	check(fp && fp->head.size == 0x210, "vector record there");
	check(fp && (uint64_t)fp->vregs[8] == 0x5555555555555555 && (uint64_t)(fp->vregs[31] >> 64) == 0x3131313131313131,
	      "vector record holds v8, v31");
	check(handler_uc % 16 == 0, "ucontext is aligned");
	check(saved_info.si_signo == SIGUSR1 && saved_info.si_code == SI_TKILL && saved_info.si_pid == getpid(),
	      "siginfo of tgkill");
}

static void edit(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	struct fpsimd_context *fp = fpsimd_of(uc);

	(void)sig;
	(void)info;
	fp->vregs[8] = ((__uint128_t)0x1122334455667788 << 64) | 0x99aabbccddeeff00;
	fp->vregs[31] = ~(__uint128_t)0;
	uc->uc_mcontext.regs[20] = 0xabcdef;
	uc->uc_mcontext.pstate = (uc->uc_mcontext.pstate & ~0xf0000000ull) | 0x80000000;	/* N alone */
	seen++;
}

static void test_edits(void)
{
	uint64_t out[12];

	install(SIGUSR1, edit, 0);
	raise_with_patterns(out, SIGUSR1);
	check(out[4] == 0x99aabbccddeeff00, "v8 edited in the frame");
	check(out[5] == ~0ull, "v31 edited in the frame");
	check(out[1] == 0xabcdef && out[0] == 0x1919, "x20 edited in the frame");
	check(out[7] == 0 && out[8] == 0 && out[9] == 1, "flags edited in the frame");
}

static uint32_t fpcr_in_handler;

static void edit_fp(int sig, siginfo_t *info, void *ctx)
{
	struct fpsimd_context *fp = fpsimd_of(ctx);

	(void)sig;
	(void)info;
	fpcr_in_handler = fp->fpcr;
	fp->fpcr = 2u << 22;		/* towards minus infinity */
	fp->fpsr = 0x10 | 1u << 27;	/* IXC, QC */
}

static void test_fpcr(void)
{
	uint64_t fpcr = 1u << 22, fpsr = 0, out[12];
	volatile double one = 1, three = 3;
	double down, up;

	install(SIGUSR1, edit_fp, 0);
	__asm__ volatile("msr fpcr, %0\n msr fpsr, %1" : : "r"(fpcr), "r"(fpsr));
	up = one / three;
	raise_with_patterns(out, SIGUSR1);
	__asm__ volatile("mrs %0, fpcr\n mrs %1, fpsr" : "=r"(fpcr), "=r"(fpsr));
	down = one / three;
	__asm__ volatile("msr fpcr, xzr\n msr fpsr, xzr");
	check(fpcr_in_handler == 1u << 22, "frame holds FPCR");
	check(fpcr == 2u << 22, "FPCR edited in the frame");
	check(fpsr == (0x10 | 1u << 27), "FPSR edited in the frame (%llx)", (unsigned long long)fpsr);
	check(down < up, "rounding mode edited in the frame is in force");
}

static void skip_insn(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	saved_info = *info;
	saved = *uc;
	uc->uc_mcontext.pc += 4;
	seen++;
}

static int has_esr(const ucontext_t *uc, uint64_t *esr)
{
	const struct _aarch64_ctx *c = (const void *)uc->uc_mcontext.__reserved;

	for (; c->magic; c = (const void *)((const char *)c + c->size))
		if (c->magic == ESR_MAGIC) {
			*esr = ((const struct esr_context *)c)->esr;
			return 1;
		}
	return 0;
}

static void test_faults(void)
{
	char *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t esr = 0, x = 0x1234;
	int esr_there;

	munmap(ro + 4096, 4096);
	install(SIGSEGV, skip_insn, 0);
	install(SIGILL, skip_insn, 0);
	install(SIGTRAP, skip_insn, 0);
	seen = 0;
	__asm__ volatile("str %1, [%0]" : : "r"(ro + 24), "r"(x) : "memory");
	check(seen == 1 && saved_info.si_code == SEGV_ACCERR && saved_info.si_addr == ro + 24, "write to read-only: ACCERR");
	esr_there = has_esr(&saved, &esr);
	check(esr_there && esr >> 26 == 0x24 && esr & 1 << 6, "esr record: data abort, write (%llx)", (unsigned long long)esr);
	check(saved.uc_mcontext.fault_address == (uintptr_t)ro + 24, "fault_address");
	__asm__ volatile("ldr %0, [%1]" : "+r"(x) : "r"(ro + 4096 + 8) : "memory");
	check(seen == 2 && saved_info.si_code == SEGV_MAPERR && saved_info.si_addr == ro + 4096 + 8, "read of unmapped: MAPERR");
	check(x == 0x1234, "register of a faulting load is unchanged");
	__asm__ volatile("udf #0");
	check(seen == 3 && saved_info.si_signo == SIGILL && saved_info.si_code == ILL_ILLOPC &&
	      (uintptr_t)saved_info.si_addr == saved.uc_mcontext.pc, "udf: SIGILL, ILLOPC, address");
	__asm__ volatile("brk #7");
	check(seen == 4 && saved_info.si_signo == SIGTRAP && saved_info.si_code == TRAP_BRKPT &&
	      (uintptr_t)saved_info.si_addr == saved.uc_mcontext.pc, "brk: SIGTRAP, BRKPT, address");
	__asm__ volatile("str %1, [%0]" : : "r"(1ul << 62), "r"(x) : "memory");
	check(seen == 5 && saved_info.si_signo == SIGSEGV, "write to an address that cannot be");
	munmap(ro, 4096);
}

static void jump_out(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	saved_info = *info;
	saved = *uc;
	uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
	seen++;
}

static void test_exec_faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	install(SIGSEGV, jump_out, 0);
	seen = 0;
	((void (*)(void))(page + 16))();
	check(seen == 1 && saved_info.si_code == SEGV_ACCERR && saved_info.si_addr == page + 16 &&
	      saved.uc_mcontext.pc == (uintptr_t)page + 16, "jump to a page that is not executable");
	munmap(page, 4096);
	((void (*)(void))(page + 16))();
	check(seen == 2 && saved_info.si_code == SEGV_MAPERR && saved_info.si_addr == page + 16, "jump to nothing");
}

static void test_bus(void)
{
	int fd = memfd_create("bus", 0);
	char *p;

	if (ftruncate(fd, 4096))
		exit(1);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	install(SIGBUS, skip_insn, 0);
	seen = 0;
	__asm__ volatile("str %1, [%0]" : : "r"(p + 5000), "r"(0ul) : "memory");
	check(seen == 1 && saved_info.si_signo == SIGBUS && saved_info.si_code == BUS_ADRERR && saved_info.si_addr == p + 5000,
	      "access behind a file's end: BUS_ADRERR");
	munmap(p, 8192);
	close(fd);
}

/* The exclusives have to be aligned to what they load, a pair to both; the flags are those of before. */
static void test_align(void)
{
	static uint64_t at[4] __attribute__((aligned(32)));
	char *p = (char *)at;
	uint64_t equal;

	install(SIGBUS, skip_insn, 0);
	seen = 0;
	__asm__ volatile("cmp %1, #8\n ldxr x0, [%2]\n cset %0, eq"
			 : "=r"(equal) : "r"(sizeof(at[0])), "r"(p + 4) : "x0", "cc", "memory");
	check(seen == 1 && saved_info.si_signo == SIGBUS && saved_info.si_code == BUS_ADRALN && saved_info.si_addr == p + 4,
	      "ldxr, not aligned: BUS_ADRALN");
	check(equal && saved.uc_mcontext.pstate & 1u << 30, "with the flags that were");
	__asm__ volatile("ldxrh w0, [%0]" : : "r"(p + 3) : "x0", "memory");
	check(seen == 2 && saved_info.si_addr == p + 3, "half a word");
	__asm__ volatile("ldaxp x0, x1, [%0]" : : "r"(p + 8) : "x0", "x1", "memory");
	check(seen == 3 && saved_info.si_code == BUS_ADRALN && saved_info.si_addr == p + 8, "a pair");
	__asm__ volatile("ldxrb w0, [%0]\n ldxr w0, [%0, #0]" : : "r"(p + 4) : "x0", "memory");
	__asm__ volatile("ldxp w0, w1, [%0]" : : "r"(p + 8) : "x0", "x1", "memory");
	check(seen == 3, "aligned ones do not fault");
}

/* --- alternate stack ------------------------------------------------------------------------------------------------- */

static char alt[65536] __attribute__((aligned(16)));
static stack_t inner;

static void on_alt(int sig, siginfo_t *info, void *ctx)
{
	note(sig, info, ctx);
	sigaltstack(NULL, &inner);
}

static void test_altstack(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old, small = { .ss_sp = alt, .ss_size = 1000 };

	check(sigaltstack(&small, NULL) == -1 && errno == ENOMEM, "too small an alternate stack: ENOMEM");
	check(!sigaltstack(&ss, &old) && old.ss_flags == SS_DISABLE, "sigaltstack");
	install(SIGUSR1, on_alt, SA_ONSTACK);
	raise(SIGUSR1);
	check(handler_sp > (uintptr_t)alt && handler_sp < (uintptr_t)alt + sizeof(alt), "handler runs on it");
	check(inner.ss_flags == SS_ONSTACK, "SS_ONSTACK inside");
	check(saved.uc_stack.ss_sp == alt && saved.uc_stack.ss_size == sizeof(alt) && !saved.uc_stack.ss_flags,
	      "frame names it");
	install(SIGUSR1, on_alt, 0);
	raise(SIGUSR1);
	check(handler_sp < (uintptr_t)alt || handler_sp >= (uintptr_t)alt + sizeof(alt), "without SA_ONSTACK: not on it");
	ss.ss_flags = SS_AUTODISARM;
	check(!sigaltstack(&ss, NULL), "SS_AUTODISARM");
	install(SIGUSR1, on_alt, SA_ONSTACK);
	raise(SIGUSR1);
	check(handler_sp > (uintptr_t)alt && handler_sp < (uintptr_t)alt + sizeof(alt) && inner.ss_flags == SS_DISABLE,
	      "disarmed inside");
	sigaltstack(NULL, &old);
	check(old.ss_sp == alt && old.ss_flags == (int)SS_AUTODISARM, "and armed again after it");
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

/* Runs out of stack; the handler on the alternate one says so. */
static __attribute__((noinline)) int recurse(int n)
{
	volatile char fill[4096];

	fill[n & 4095] = (char)n;
	if (n < 0)
		return 0;
	return recurse(n + 1) + fill[(n + 1) & 4095];
}

static void overflow_handler(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)info;
	(void)ctx;
	_exit(42);
}

static void test_overflow(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	int status;
	pid_t pid = fork();

	if (!pid) {
		sigaltstack(&ss, NULL);
		install(SIGSEGV, overflow_handler, SA_ONSTACK);
		_exit(recurse(0));
	}
	waitpid(pid, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "stack overflow is seen on the alternate stack (%x)", status);
	pid = fork();
	if (!pid) {
		install(SIGSEGV, overflow_handler, 0);
		_exit(recurse(0));
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "without one it kills (%x)", status);
}

static void spoil(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)info;
	((ucontext_t *)ctx)->uc_mcontext.__reserved[0] ^= 0xff;
}

static void spoil_mode(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)info;
	((ucontext_t *)ctx)->uc_mcontext.pstate |= 0x10;
}

static int status_of(void (*handler)(int, siginfo_t *, void *))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		install(SIGUSR1, handler, 0);
		raise(SIGUSR1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void test_damage(void)
{
	int status = status_of(spoil);

	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "damaged vector record kills (%x)", status);
	status = status_of(spoil_mode);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "AArch32 mode in the frame kills (%x)", status);
}

static volatile int watched;
static volatile int traps, other_traps;

static void on_perf(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	traps++;
	other_traps += info->si_code != 6 /* TRAP_PERF */;
}

/* perf's breakpoint on data: its SIGTRAP comes when the access is done, with the guest's instruction perhaps half done. */
static void test_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .sample_period = 1, .bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched, .bp_len = HW_BREAKPOINT_LEN_4, .exclude_kernel = 1, .exclude_hv = 1,
		.remove_on_exec = 1, .sigtrap = 1,
	};
	struct sigaction sa = { .sa_sigaction = on_perf, .sa_flags = SA_SIGINFO };
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 8ul /* PERF_FLAG_FD_CLOEXEC */), sum = 0;

	if (fd < 0) {
		ktap_skip("no breakpoints of perf here");
		return;
	}
	sigaction(SIGTRAP, &sa, NULL);
	for (int i = 0; i < 200; i++) {
		watched = i;
		sum += watched;
	}
	close(fd);
	signal(SIGTRAP, SIG_DFL);
	check(traps == 200 && !other_traps && sum == 19900, "SIGTRAP of perf (%d, %d, %d)", traps, other_traps, sum);
}

int main(void)
{
	ktap_begin();
	test_layout();
	test_edits();
	test_fpcr();
	test_faults();
	test_exec_faults();
	test_bus();
	test_align();
	test_altstack();
	test_overflow();
	test_damage();
	test_perf();
	return ktap_end();
}
