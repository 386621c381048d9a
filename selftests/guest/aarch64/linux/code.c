// SPDX-License-Identifier: MIT
/*
 * Code that changes: patched by its own thread, by another while many run it, through another mapping, by taking away and
 * giving back the right to execute it, by other memory at its place. Argument "churn N": makes N functions one after the
 * other, each once called, for memory limits; "churn N busy": while another thread makes no system call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "ktap.h"

#define PAGE 4096
#define RET 0xd65f03c0u
#define NOP 0xd503201fu
#define ISB 0xd5033fdfu
#define MOVZ(r, v) (0x52800000u | (uint32_t)(v) << 5 | (r))
#define ADDI(d, n, v) (0x11000000u | (uint32_t)(v) << 10 | (n) << 5 | (d))

typedef int (*fn)(void *);

static void flush(void *p, size_t n)
{
	__builtin___clear_cache((char *)p, (char *)p + n);
}

static void *rwx(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int call(void *p)
{
	return ((fn)p)(NULL);
}

static void put_const(uint32_t *p, int v)
{
	p[0] = MOVZ(0, v);
	p[1] = RET;
}

static bool own_thread(void)
{
	uint32_t *p = rwx(PAGE);

	for (int k = 0; k < 3000; k++) {
		put_const(p, k);
		flush(p, 8);
		if (call(p) != k || call(p) != k)
			return false;
	}
	return true;
}

/* The instruction behind the ISB is the one that was changed by those before it. */
static bool straight_line(void)
{
	static const uint32_t code[] = {
		MOVZ(0, 1),
		0xb9000022,		/* str w2, [x1] */
		0xd50b7b21,		/* dc cvau, x1 */
		0xd5033b9f,		/* dsb ish */
		0xd50b7521,		/* ic ivau, x1 */
		0xd5033b9f, ISB,
		MOVZ(0, 2),		/* to be overwritten */
		RET,
	};
	uint32_t *p = rwx(PAGE);

	memcpy(p, code, sizeof(code));
	flush(p, sizeof(code));
	for (int k = 0; k < 300; k++)
		if (((int (*)(int, uint32_t *, uint32_t))p)(0, p + 7, MOVZ(0, k)) != k)
			return false;
	return true;
}

/* --- others run it ------------------------------------------------------------------------------------------------------ */

static uint32_t *shared;
static int stop, wrong, limit, ended;

static void *caller(void *arg)
{
	int last = 0;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		int v = call(shared);

		/* may be an old one for a while, but never goes back, and is never mixed */
		if (v < last || v > limit)
			__atomic_store_n(&wrong, v, __ATOMIC_RELAXED);
		last = v;
	}
	__asm__ volatile("isb");
	if (call(shared) != limit)
		__atomic_store_n(&wrong, -1, __ATOMIC_RELAXED);
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

static bool others_run_it(bool signals)
{
	struct itimerval tick = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	pthread_t t[4];

	stop = wrong = 0;
	limit = 4000;
	shared = rwx(PAGE);
	/* a caller's frame within the page, so that there are return sites too */
	static const uint32_t code[] = { 0xa9bf7bfd, 0x94000004, ADDI(0, 0, 0), 0xa8c17bfd, RET, MOVZ(0, 0), RET };
	memcpy(shared, code, sizeof(code));
	flush(shared, sizeof(code));
	if (signals) {
		signal(SIGALRM, nothing);
		setitimer(ITIMER_REAL, &tick, NULL);
	}
	for (int k = 0; k < 4; k++)
		pthread_create(&t[k], NULL, caller, NULL);
	for (int k = 0; k <= limit; k++) {
		__atomic_store_n(&shared[5], MOVZ(0, k), __ATOMIC_RELEASE);
		flush(shared + 5, 4);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int k = 0; k < 4; k++)
		pthread_join(t[k], NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	return !wrong;
}

static void *looper(void *p)
{
	call(p);
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* An endless loop, until another thread makes its branch a return. */
static bool loop_ends(void)
{
	uint32_t *p = rwx(PAGE);
	pthread_t t[3];

	for (int k = 0; k < 20; k++) {
		ended = 0;
		p[0] = MOVZ(0, 0);
		p[1] = ADDI(0, 0, 1);
		p[2] = 0x17ffffff;	/* b -4 */
		flush(p, 12);
		for (int n = 0; n < 3; n++)
			pthread_create(&t[n], NULL, looper, p);
		usleep(1000);
		if (ended)
			return false;
		__atomic_store_n(&p[2], RET, __ATOMIC_RELEASE);
		flush(p + 2, 4);
		for (int n = 0; n < 3; n++)
			pthread_join(t[n], NULL);
	}
	return true;
}

/* --- mapped twice --------------------------------------------------------------------------------------------------------- */

static bool patch_through(uint32_t *w, uint32_t *x, uint32_t *flush_at)
{
	if (w == MAP_FAILED || x == MAP_FAILED)
		return false;
	for (int k = 0; k < 200; k++) {
		put_const(w + 100, k);
		flush(flush_at + 100, 8);
		if (call(x + 100) != k)
			return false;
	}
	return true;
}

static bool twice(bool at_writable, int kind)
{
	int fd = memfd_create("code", 0);
	uint32_t *w, *x;

	if (ftruncate(fd, 3 * PAGE))
		return false;
	w = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, kind, fd, PAGE);
	close(fd);
	return patch_through(w + PAGE / 4, x, at_writable ? w + PAGE / 4 : x);
}

static bool twice_by_mremap(void)
{
	uint32_t *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t *x = mremap(w, 0, PAGE, MREMAP_MAYMOVE);

	return x != MAP_FAILED && !mprotect(x, PAGE, PROT_READ | PROT_EXEC) && patch_through(w, x, w);
}

/* --- the right to execute --------------------------------------------------------------------------------------------------- */

static sigjmp_buf back;
static siginfo_t fault;

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	fault = *info;
	siglongjmp(back, sig);
}

static int try_call(void *p, int *result)
{
	int sig = sigsetjmp(back, 1);

	if (!sig)
		*result = call(p);
	return sig;
}

static bool toggled(void)
{
	uint32_t *p = rwx(PAGE);
	int v = -1;

	for (int k = 0; k < 200; k++) {
		mprotect(p, PAGE, PROT_READ | PROT_WRITE);
		if (k && (try_call(p, &v) != SIGSEGV || fault.si_addr != p || fault.si_code != SEGV_ACCERR))
			return false;
		if (k % 2 == 0) {
			put_const(p, k);
			flush(p, 8);
		}
		mprotect(p, PAGE, PROT_READ | PROT_EXEC);
		if (try_call(p, &v) || v != k / 2 * 2 || try_call(p, &v) || v != k / 2 * 2)
			return false;
	}
	return true;
}

static void take_away(void *p)
{
	mprotect(p, PAGE, PROT_READ);
}

/* The callee takes the caller's page away: the return faults. */
static bool return_faults(void)
{
	static const uint32_t code[] = { 0xa9bf7bfd, 0xaa0003e9, 0xaa0103e0, 0xd63f0120, 0xa8c17bfd, RET };
	uint32_t *p = rwx(PAGE);
	int sig;

	memcpy(p, code, sizeof(code));
	flush(p, sizeof(code));
	sig = sigsetjmp(back, 1);
	if (!sig)
		((void (*)(void *, void *))p)((void *)take_away, p);
	return sig == SIGSEGV && fault.si_addr == p + 4;
}

static bool replaced(void)
{
	uint32_t *p = rwx(PAGE);
	int v;

	for (int k = 0; k < 100; k++) {
		put_const(p, k);
		flush(p, 8);
		if (call(p) != k)
			return false;
		munmap(p, PAGE);
		if (try_call(p, &v) != SIGSEGV || fault.si_code != SEGV_MAPERR)
			return false;
		if (mmap(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
			return false;
	}
	return true;
}

/* Code that runs on into a page behind the end of its file. */
static bool behind_end(void)
{
	int fd = memfd_create("short", 0), v = 0;
	uint32_t *p;

	if (ftruncate(fd, PAGE))
		return false;
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
	for (int k = 0; k < PAGE / 4; k++)
		p[k] = NOP;
	flush(p, PAGE);
	return try_call(p + 1000, &v) == SIGBUS && fault.si_addr == p + PAGE / 4;
}

/* Code that another thread brings when it is wanted: the second page of a function too, and again after it was thrown away. */
static uint32_t *brought;
static int uffd, nbrought;

static void *bring(void *arg)
{
	static uint32_t page[PAGE / 4];
	struct uffdio_copy copy = { .src = (uintptr_t)page, .len = PAGE };
	struct uffd_msg m;

	while (read(uffd, &m, sizeof(m)) == sizeof(m)) {
		/* not translated yet: this thread has to get something done meanwhile */
		if (strspn("abc", "ab") != 2 || (m.arg.pagefault.address & ~(PAGE - 1ul)) - (uintptr_t)brought >= 4 * PAGE)
			break;
		nbrought++;
		for (int k = 0; k < PAGE / 4; k++)
			page[k] = ADDI(0, 0, 1);
		page[500] = RET;
		copy.dst = m.arg.pagefault.address & ~(PAGE - 1ul);
		if (ioctl(uffd, UFFDIO_COPY, &copy))
			break;
	}
	return arg;
}

static void brought_by_a_thread(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .range = { .len = 4 * PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int (*f)(int), first, second, again;
	pthread_t t;

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	brought = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.range.start = (uintptr_t)brought;
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &r)) {
		ktap_skip("code that a userfaultfd brings: there is none");
		return;
	}
	pthread_create(&t, NULL, bring, NULL);
	pthread_detach(t);
	signal(SIGALRM, SIG_DFL);
	alarm(120);
	f = (int (*)(int))(brought + 1000);
	first = f(0);
	second = f(1);
	madvise(brought, 4 * PAGE, MADV_DONTNEED);
	again = f(2);
	alarm(0);
	check(first == 524 && second == 525 && again == 526 && nbrought == 4, "code that a userfaultfd brings");
}

/* --- churn -------------------------------------------------------------------------------------------------------------------- */

static void *busy(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		ended++;
	return arg;
}

static int churn(int n)
{
	enum { WORDS = 64, SLOTS = 256 };
	uint32_t *p = rwx(SLOTS * WORDS * 4);
	long long sum = 0, want = 0;

	for (int k = 0; k < n; k++) {
		uint32_t *f = p + k % SLOTS * WORDS;

		f[0] = MOVZ(0, k % 1000);
		for (int m = 1; m < WORDS - 1; m++)
			f[m] = ADDI(0, 0, (k + m) % 7);
		f[WORDS - 1] = RET;
		flush(f, WORDS * 4);
		sum += call(f);
		want += k % 1000;
		for (int m = 1; m < WORDS - 1; m++)
			want += (k + m) % 7;
	}
	puts(sum == want ? "churn equal" : "churn differs");
	return sum != want;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	if (argc > 3) {
		pthread_t t;

		pthread_create(&t, NULL, busy, NULL);
	}
	if (argc > 2)
		return churn(atoi(argv[2]));
	ktap_begin();
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	check(own_thread(), "patched by its own thread");
	check(straight_line(), "patched right ahead of itself");
	check(others_run_it(false), "patched while others run it");
	check(others_run_it(true), "patched while others run it and signals come");
	check(loop_ends(), "a loop is patched away under those in it");
	check(twice(false, MAP_SHARED), "mapped twice, invalidated at the executable address");
	check(twice(true, MAP_SHARED), "mapped twice, invalidated at the writable address");
	check(twice(true, MAP_PRIVATE), "mapped twice, privately where it is executed");
	check(twice_by_mremap(), "mapped twice by mremap");
	check(toggled(), "not executable and executable by turns");
	check(return_faults(), "return to where execution is no longer allowed");
	check(replaced(), "unmapped, and other code at its place");
	check(behind_end(), "runs on behind the end of a file");
	brought_by_a_thread();
	return ktap_end();
}
