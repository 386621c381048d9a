// SPDX-License-Identifier: MIT
/*
 * One place, at which a file's code, other code, and nothing are mapped by turns, while threads go on calling it, and while
 * others are busy elsewhere. Every call has to succeed, and whoever calls after it returned finds what is there now.
 * Arguments: libview.so, seconds, seed. KTAP; right on any machine, with or without shared code.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define ROOM (48ul << 20)		/* below the slot: where shared code may be */
#define FAULT (-100)			/* less the signal's number */
#define ANYTHING (-1000)
#define MOVZ_W0(v) (0x52800000u | (uint32_t)(v) << 5)
#define RET 0xd65f03c0u

static char *slot, *other;		/* size bytes each; ROOM below is ours, and free */
static size_t size, eleven, apply;	/* of the file; of functions in it */
static int fd;
static atomic_int seq, expected, calls_wrong, stop;
static atomic_ulong calls, faults, steady;
static int n, nbad, failed_line, failed_errno;

static void result(bool ok, const char *what)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++n, what);
	fflush(stdout);
	nbad += !ok;
}

/* --- those who call ------------------------------------------------------------------------------------------------ */

static __thread sigjmp_buf back;
static __thread siginfo_t fault;
static __thread volatile int armed;

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	if (!armed) {
		signal(sig, SIG_DFL);
		return;
	}
	fault = *info;
	siglongjmp(back, sig);
}

static void nothing(int sig)
{
	(void)sig;
}

static int one(int k)
{
	return k & 1;
}

/* What is called at p: mov w0, #value; ret. Or, in the file's code, a loop that calls back. */
static int call_at(char *p, bool loop)
{
	int sig = sigsetjmp(back, 1), v;

	if (sig) {
		armed = 0;
		if (fault.si_addr != p + eleven && (char *)fault.si_addr - p >= (long)size)
			return ANYTHING + 1;
		return FAULT - sig - (fault.si_code == SEGV_ACCERR ? 50 : 0);
	}
	armed = 1;
	if (loop)
		v = ((int (*)(int (*)(int), int))(p + apply))(one, 200);
	else
		v = ((int (*)(void))(p + eleven))();
	armed = 0;
	return v;
}

static void *caller(void *arg)
{
	bool loop = arg;

	while (!stop) {
		int before = seq, want = expected, got;

		if (before & 1) {
			sched_yield();
			continue;
		}
		if (loop && want == 11)
			want = 100;
		else if (loop && want >= 0)
			continue;
		got = call_at(slot, loop);
		calls++;
		faults += got <= FAULT;
		if (before == seq && want != got) {
			if (!calls_wrong++)
				printf("# called: %d instead of %d, fault at slot + %lx\n", got, want, (long)((char *)fault.si_addr - slot));
		}
	}
	return NULL;
}

/* Makes no system call, calls nothing. */
static void *busy(void *arg)
{
	unsigned long k = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		k = k * 0x9e3779b97f4a7c15ul + 1;
	steady += k != 1;
	return arg;
}

/* --- who changes the slot ------------------------------------------------------------------------------------------ */

static void begin(void)
{
	seq++;
}

static void end(int want)
{
	expected = want;
	seq++;
}

#define MUST(x) do { if (!(x) && !failed_line) { failed_line = __LINE__; failed_errno = errno; } } while (0)

static void put(char *base, int value)
{
	uint32_t code[2] = { MOVZ_W0(value), RET };

	memcpy(base + eleven, code, sizeof(code));
	__builtin___clear_cache(base + eleven, base + eleven + sizeof(code));
}

static void from_file(char *at)
{
	MUST(mmap(at, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == at);
}

static void anonymous(char *at, size_t len, int prot)
{
	MUST(mmap(at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
}

static void file_text(int k)
{
	(void)k;
	from_file(slot);
	end(11);
}

static void all_gone(int k)
{
	MUST(!munmap(slot - (k & 1) * ROOM, size + (k & 1) * ROOM));
	end(FAULT - SIGSEGV);
}

static void other_code(int k)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	put(p, k);
	MUST(!mprotect(p, size, PROT_READ | PROT_EXEC));
	MUST(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, slot) == slot);
	end(k);
}

/* Over the slot, and over all that is below it. */
static void wide(int k)
{
	char *from = slot - ROOM;

	anonymous(from, ROOM + size, PROT_READ | PROT_WRITE);
	for (size_t at = 0; at < ROOM; at += 128 * PAGE) {
		MUST(!from[at]);
		from[at] = 1;
	}
	put(slot, k);
	MUST(!mprotect(slot, size, PROT_READ | PROT_EXEC));
	MUST(!munmap(from, ROOM));
	end(k);
}

static void below_only(int k)
{
	char *from = slot - ROOM, *p;

	switch (k % 3) {
	case 0:
		anonymous(from, ROOM, PROT_READ | PROT_WRITE | PROT_EXEC);
		memset(from + ROOM - 64 * PAGE, 0xff, 64 * PAGE);
		break;
	case 1:
		p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		MUST(mremap(p, ROOM, ROOM, MREMAP_MAYMOVE | MREMAP_FIXED, from) == from);
		break;
	case 2:
		p = mmap(from, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		MUST(p == from);
	}
	MUST(!munmap(from, ROOM));
	end(expected);
}

static void protected(int k)
{
	if (expected < 0) {
		end(expected);
		return;
	}
	MUST(!mprotect(slot, size, k & 1 ? PROT_NONE : PROT_READ));
	end(FAULT - SIGSEGV - 50);
	usleep(200);
	begin();
	MUST(!mprotect(slot, size, PROT_READ | PROT_EXEC));
	from_file(slot);
	end(11);
}

static void patched(int k)
{
	char *page = slot + (eleven & ~(PAGE - 1));

	from_file(slot);
	MUST(!mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	put(slot, k);
	MUST(!mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	end(k);
	usleep(100);
	/* private changes go, the file's contents come back */
	begin();
	MUST(!madvise(page, PAGE, MADV_DONTNEED));
	end(11);
}

static void half_a_page_more(int k)
{
	char *page = slot + (eleven & ~(PAGE - 1));

	from_file(slot);
	anonymous(page, PAGE, PROT_READ | PROT_WRITE);
	put(slot, k);
	MUST(!mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	end(k);
}

static void moved(int k)
{
	(void)k;
	from_file(slot);
	MUST(mremap(slot, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
	end(FAULT - SIGSEGV);
	MUST(call_at(other, false) == 11 && call_at(other, true) == 100);
	begin();
	MUST(mremap(other, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, slot) == slot);
	end(11);
	MUST(call_at(other, false) == FAULT - SIGSEGV);
}

static void forked(int k)
{
	int want = expected, status = -1;
	pid_t p = fork();

	if (!p) {
		if (call_at(slot, false) != want)
			_exit(1);
		wide(k);
		if (call_at(slot, false) != k || failed_line)
			_exit(2);
		file_text(k);
		_exit(call_at(slot, false) == 11 && call_at(slot, true) == 100 ? 0 : 3);
	}
	waitpid(p, &status, 0);
	if (status && !failed_line)
		printf("# child: status %x\n", status);
	MUST(!status);
	end(want);
}

/* --- the file itself changes --------------------------------------------------------------------------------------- */

/* Through another mapping, and by write: who invalidates the instruction cache where it is executed finds what is new. */
static bool rewritten(void)
{
	char path[] = "/tmp/slot.XXXXXX", *all = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0), *w, *x;
	int out = mkstemp(path), in = open(path, O_RDONLY);
	struct stat st;
	bool ok;

	unlink(path);
	ok = !fstat(fd, &st) && write(out, all, (size_t)st.st_size) == st.st_size;
	w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	x = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, in, 0);
	for (int k = 0; k < 20; k++)
		ok &= call_at(x, false) == 11;
	for (int k = 20; k < 60 && ok; k++) {
		uint32_t code[2] = { MOVZ_W0(k), RET };

		if (k & 1)
			memcpy(w + eleven, code, sizeof(code));
		else
			ok &= pwrite(out, code, sizeof(code), (off_t)eleven) == sizeof(code);
		__builtin___clear_cache(x + eleven, x + eleven + sizeof(code));
		ok &= call_at(x, false) == k;
	}
	munmap(all, size);
	munmap(w, size);
	munmap(x, size);
	close(out);
	close(in);
	return ok;
}

static void (*const change[])(int) = {
	file_text, all_gone, other_code, wide, below_only, protected, patched, half_a_page_more, moved, forked,
};
static const char *const name[] = {
	"the file's code", "unmapped", "other code by mremap", "mapped over, and below", "mapped below only", "protected",
	"patched, and thrown away", "one page replaced", "moved there and back", "fork",
};
#define CHANGES (sizeof(change) / sizeof(change[0]))

static void one_change(unsigned c, int k)
{
	begin();
	if (c != 0 && (c == 4 || k % 3)) {		/* mostly from the file's code */
		from_file(slot);
		end(11);
		usleep(k % 300);
		begin();
	}
	change[c](k);
	usleep(k % 200);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct sigaction tick = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct itimerval on = { { 0, 700 }, { 0, 700 } }, off = { { 0, 0 }, { 0, 0 } };
	double seconds = argc > 2 ? atof(argv[2]) : 2;
	pthread_t t[5];
	struct stat st;
	Dl_info info;
	void *h;

	srandom(argc > 3 ? (unsigned)atoi(argv[3]) : 1);
	h = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	if (!h || fd < 0 || fstat(fd, &st) || !dladdr(dlsym(h, "lib_eleven"), &info)) {
		printf("Bail out! no library\n");
		return 1;
	}
	size = ((size_t)st.st_size + PAGE - 1) & ~(PAGE - 1);
	eleven = (size_t)((char *)dlsym(h, "lib_eleven") - (char *)info.dli_fbase);
	apply = (size_t)((char *)dlsym(h, "lib_apply") - (char *)info.dli_fbase);
	/* where nobody maps anything unasked */
	other = (char *)(0x2000000000ul + ROOM);
	slot = other + size + ROOM;
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	printf("TAP version 13\n");
	result(rewritten(), "the file is rewritten");
	from_file(slot);
	end(11);
	seq--;
	for (long k = 0; k < 3; k++)
		pthread_create(&t[k], NULL, caller, (void *)(k & 1));
	for (int k = 3; k < 5; k++)
		pthread_create(&t[k], NULL, busy, NULL);
	for (unsigned c = 0; c < CHANGES; c++) {
		struct timespec from, now;
		unsigned long rounds = 0;

		failed_line = calls_wrong = 0;
		clock_gettime(CLOCK_MONOTONIC, &from);
		do {
			one_change(c, (int)(random() % 5000) + 200);
			clock_gettime(CLOCK_MONOTONIC, &now);
			rounds++;
		} while ((double)(now.tv_sec - from.tv_sec) + (double)(now.tv_nsec - from.tv_nsec) / 1e9 < seconds / CHANGES);
		if (failed_line)
			printf("# line %d: error %d\n", failed_line, failed_errno);
		printf("# %lu times\n", rounds);
		result(!failed_line && !calls_wrong, name[c]);
	}
	failed_line = calls_wrong = 0;
	sigaction(SIGALRM, &tick, NULL);
	setitimer(ITIMER_REAL, &on, NULL);
	for (int k = 0; k < 100 * seconds; k++)
		one_change((unsigned)random() % CHANGES, (int)(random() % 5000) + 200);
	if (failed_line)
		printf("# line %d: error %d\n", failed_line, failed_errno);
	setitimer(ITIMER_REAL, &off, NULL);
	result(!failed_line && !calls_wrong, "all of them in any order, and signals");
	result(rewritten(), "the file is rewritten, with threads");
	stop = 1;
	for (int k = 0; k < 5; k++)
		pthread_join(t[k], NULL);
	printf("# %lu calls, %lu faults\n", calls, faults);
	printf("1..%d\n", n);
	return nbad != 0;
}
