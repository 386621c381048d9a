// SPDX-License-Identifier: MIT
/*
 * A guest program whose code and libraries are run from code objects (view.sh): mappings that come, go and change under
 * them, signals and faults in shared code, threads, fork. KTAP.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static int n;
static const char *path;

static void result(int ok, const char *what)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++n, what);
	fflush(stdout);
}

static void *open_lib(void)
{
	void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!h) {
		printf("Bail out! %s\n", dlerror());
		exit(1);
	}
	return h;
}

static int triple(int k)
{
	return 3 * k;
}

/* --- the library comes and goes */

#define SUM 0x1c31e8c8u		/* of "shared code" */

static int use(void *h)
{
	unsigned (*sum)(const unsigned char *, unsigned) = (void *)dlsym(h, "lib_sum");
	int (*apply)(int (*)(int), int) = (void *)dlsym(h, "lib_apply");
	double (*series)(int) = (void *)dlsym(h, "lib_series");

	return sum((const void *)"shared code", 11) == SUM && apply(triple, 100) == 3 * 4950 && fabs(series(100) - 5.187377517639621) < 1e-12;
}

static atomic_int bad, stop;

static void *reopen(void *arg)
{
	for (int k = 0; k < 60; k++) {
		void *h = open_lib();

		if (!use(h))
			bad++;
		dlclose(h);
	}
	return arg;
}

static void come_and_go(void)
{
	pthread_t t[4];
	void *h;
	int ok = 1;

	for (int k = 0; k < 50; k++) {
		h = open_lib();
		ok &= use(h);
		dlclose(h);
	}
	result(ok, "dlopen and dlclose, 50 times");
	for (int k = 0; k < 4; k++)
		pthread_create(&t[k], NULL, reopen, NULL);
	for (int k = 0; k < 4; k++)
		pthread_join(t[k], NULL);
	result(!bad, "the same in four threads");
}

/* --- the text changes */

static void patch(void *h, unsigned insn)
{
	unsigned *p = dlsym(h, "lib_eleven");
	void *page = (void *)((unsigned long)p & ~4095ul);

	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	*p = insn;
	__builtin___clear_cache((char *)p, (char *)(p + 1));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void *spin(void *h)
{
	double (*series)(int) = (void *)dlsym(h, "lib_series");
	double want = series(1000);

	while (!stop)
		if (series(1000) != want)
			bad++;
	return NULL;
}

static void changes(void)
{
	void *h = open_lib();
	int (*eleven)(void) = (void *)dlsym(h, "lib_eleven");
	pthread_t t[2];
	int ok = eleven() == 11;

	patch(h, 0x52800180);		/* mov w0, #12 */
	result(ok && eleven() == 12, "text is patched");
	patch(h, 0x528001a0);
	result(eleven() == 13 && use(h), "and patched again");
	dlclose(h);
	h = open_lib();
	eleven = (void *)dlsym(h, "lib_eleven");
	result(eleven() == 11, "a fresh mapping is the file's");
	bad = stop = 0;
	for (int k = 0; k < 2; k++)
		pthread_create(&t[k], NULL, spin, h);
	usleep(20000);
	ok = eleven() == 11;
	patch(h, 0x52800180);
	ok &= eleven() == 12;
	usleep(20000);
	stop = 1;
	for (int k = 0; k < 2; k++)
		pthread_join(t[k], NULL);
	result(ok && !bad, "text is patched while threads run in the library");
	dlclose(h);
}

/* --- signals */

static atomic_int ticks;
static unsigned long fault_pc;
static sigjmp_buf back;
static ucontext_t seen;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void faulted(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	seen = *(ucontext_t *)uc;
	siglongjmp(back, 1);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void storm(void)
{
	struct itimerval on = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	static int v[20000];
	char text[64];
	int ok = 1;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &on, NULL);
	for (int round = 0; round < 10 || (ticks < 100 && round < 2000); round++) {
		unsigned x = 12345;

		for (int k = 0; k < 20000; k++)
			v[k] = (int)((x = x * 1103515245 + 12345) >> 8 & 0xffff);
		qsort(v, 20000, sizeof(*v), compare);
		for (int k = 1; k < 20000; k++)
			ok &= v[k - 1] <= v[k];
		snprintf(text, sizeof(text), "%d %.6f %s", round, round / 7.0, "x");
		ok &= atoi(text) == round && fabs(strtod(strchr(text, ' '), NULL) - round / 7.0) < 1e-5;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	result(ok && ticks >= 100, "a storm of signals");
}

static void fault(void)
{
	struct sigaction sa = { .sa_sigaction = faulted, .sa_flags = SA_SIGINFO };
	void *h = open_lib();
	void (*f)(void *) = (void *)dlsym(h, "lib_fault");
	double d1 = 0;
	volatile int ok = 1;

	fault_pc = (unsigned long)dlsym(h, "lib_fault_pc");
	sigaction(SIGSEGV, &sa, NULL);
	for (volatile int k = 0; k < 20; k++) {
		if (!sigsetjmp(back, 1)) {
			f((void *)8);
			ok = 0;
		}
		/* fpsimd_context: header 8, fpsr, fpcr, then the vectors */
		memcpy(&d1, (char *)seen.uc_mcontext.__reserved + 16 + 16, sizeof(d1));
		ok &= seen.uc_mcontext.pc == fault_pc && seen.uc_mcontext.regs[0] == 8 && seen.uc_mcontext.regs[1] == 101 &&
		      seen.uc_mcontext.regs[2] == 102 && seen.uc_mcontext.regs[3] == 203 &&
		      seen.uc_mcontext.pstate >> 28 == 8 && d1 == 2.5;
	}
	if (!ok)
		printf("# pc %lx (%lx) x0 %lx x1 %lx x3 %lx pstate %lx d1 %g\n", (long)seen.uc_mcontext.pc, fault_pc,
		       (long)seen.uc_mcontext.regs[0], (long)seen.uc_mcontext.regs[1], (long)seen.uc_mcontext.regs[3],
		       (long)seen.uc_mcontext.pstate, d1);
	result(ok, "the state at a fault");
	dlclose(h);
}

/* --- the rest */

/* It does end, by the jump. */
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static void depth(int k, jmp_buf *j)
{
	char room[64];

	memset(room, k, sizeof(room));
	if (k)
		depth(k - 1, j);
	else
		longjmp(*j, room[3] + 1);
}

static void jumps(void)
{
	jmp_buf j;
	volatile int got = 0;

	for (volatile int k = 0; k < 2000; k++)
		if (!setjmp(j))
			depth(k % 50, &j);
		else
			got++;
	result(got == 2000, "longjmp");
}

static void forks(void)
{
	void *h = open_lib();
	int ok = 1;

	for (int k = 0; k < 20; k++) {
		pid_t p = fork();
		int status;

		if (!p) {
			int good = use(h);

			patch(h, 0x52800180);
			good &= ((int (*)(void))dlsym(h, "lib_eleven"))() == 12;
			dlclose(h);
			h = open_lib();
			_exit(!(good && use(h)));
		}
		waitpid(p, &status, 0);
		ok &= !status && use(h);
	}
	result(ok, "fork");
	dlclose(h);
}

static void floating(void)
{
	void *h = open_lib();
	double (*divide)(double, double) = (void *)dlsym(h, "lib_divide");
	double (*series)(int) = (void *)dlsym(h, "lib_series");
	unsigned long fpcr;
	int ok = 1;

	for (int k = 0; k < 1000; k++) {
		feclearexcept(FE_ALL_EXCEPT);
		ok &= isnan(divide(0, 0)) && fetestexcept(FE_INVALID);
		ok &= divide(6, 3) == 2;
	}
	result(ok, "invalid operations");
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	for (int k = 0; k < 20; k++) {
		__asm__ volatile("msr fpcr, %0" : : "r"(fpcr | 1ul << 24));
		ok &= divide(2.2250738585072014e-308, 4) == 0;
		__asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
		ok &= divide(2.2250738585072014e-308, 4) != 0;
	}
	result(ok && fabs(series(100) - 5.187377517639621) < 1e-12, "flushing to zero, on and off");
	dlclose(h);
}

/* The last ones: from then on there is no shared code. */
static void flags(void)
{
	void *h = open_lib();
	int (*f)(int) = (void *)dlsym(h, "lib_flags");
	int ok = 1;

	for (int k = 0; k < 10; k++)
		ok &= f(k) == (k == 5);
	result(ok && use(h), "flags that survive a return");
	dlclose(h);
	for (int k = 0; k < 10; k++) {
		h = open_lib();
		f = (void *)dlsym(h, "lib_flags");
		ok &= f(k) == (k == 5) && use(h);
		dlclose(h);
	}
	result(ok, "the same in a fresh mapping");
}

int main(int argc, char **argv)
{
	path = argc > 1 ? argv[1] : "./libview.so";
	printf("TAP version 13\n");
	come_and_go();
	changes();
	storm();
	fault();
	jumps();
	forks();
	floating();
	flags();
	printf("1..%d\n", n);
	return 0;
}
