// SPDX-License-Identifier: MIT
/*
 * mmap in its forms, protections, brk, faults inside system calls, code that the program writes itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ktap.h"

static sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, sig);
}

static int faults(volatile char *p, int write)
{
	int sig = sigsetjmp(out, 1);

	if (!sig) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return sig;
}

static void test_forms(void)
{
	char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q, *hint;
	int fd = memfd_create("m", 0);

	check(p != MAP_FAILED && !p[0] && !p[16383], "anonymous, zero");
	check(mmap(p + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 4096, "MAP_FIXED over it");
	check(!faults(p + 4096, 0) && faults(p + 4096, 1) == SIGSEGV && !faults(p + 8192, 1), "with its own protection");
	q = mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	check(q == MAP_FAILED && errno == EEXIST, "MAP_FIXED_NOREPLACE: EEXIST");
	check(!munmap(p + 4096, 4096) && faults(p + 4096, 0) == SIGSEGV, "hole");
	check(!mprotect(p, 4096, PROT_NONE) && faults(p, 0) == SIGSEGV, "PROT_NONE");
	check(mprotect(p + 4096, 4096, PROT_READ) == -1 && errno == ENOMEM, "mprotect of a hole: ENOMEM");
	hint = mmap(p + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(hint == p + 4096, "a hint that is free is taken");
	munmap(p, 16384);
	check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL, "length 0: EINVAL");
	check(syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 17) == -1 && errno == EINVAL, "odd offset: EINVAL");

	if (ftruncate(fd, 8192))
		exit(1);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	p[4096] = 7;
	check(q[0] == 7, "two shared mappings of a file");
	munmap(q, 4096);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	q[0] = 9;
	check(p[4096] == 7, "a private one");
	munmap(p, 8192);
	munmap(q, 4096);
	close(fd);
}

static void test_mremap(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	p[4096] = 3;
	q = mremap(p, 8192, 1 << 20, MREMAP_MAYMOVE);
	check(q != MAP_FAILED && q[4096] == 3 && !q[(1 << 20) - 1], "mremap grows");
	p = mremap(q, 1 << 20, 8192, 0);
	check(p == q && p[4096] == 3 && faults(p + 8192, 0) == SIGSEGV, "mremap shrinks");
	check(!madvise(p, 8192, MADV_DONTNEED) && !p[4096], "MADV_DONTNEED");
	munmap(p, 8192);
	check(mremap(p, ~4095ul, 4096, 0) == MAP_FAILED && errno == EFAULT, "mremap of nothing, of any size: EFAULT");
}

static void test_brk(void)
{
	char *start = sbrk(0), *p = sbrk(100000);

	check(p == start && sbrk(0) == start + 100000 && !p[99999], "brk grows, zero");
	p[50000] = 1;
	check(sbrk(-100000) == start + 100000 && sbrk(0) == start, "and shrinks");
	p = sbrk(100000);
	check(p == start && !p[50000], "and is zero again");
	check((char *)syscall(SYS_brk, 0) == start + 100000, "brk(0)");
	check((char *)syscall(SYS_brk, 1ul << 60) == start + 100000, "impossible brk: the old one");
}

static void test_efault(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];

	munmap(p + 4096, 4096);
	if (pipe(fds))
		exit(1);
	check(write(fds[1], p + 4096, 10) == -1 && errno == EFAULT, "write from nothing: EFAULT");
	check(syscall(SYS_newfstatat, AT_FDCWD, "/", p + 4090, 0) == -1 && errno == EFAULT, "stat over the edge: EFAULT");
	check(syscall(SYS_clock_gettime, 0, p + 4092) == -1 && errno == EFAULT, "clock_gettime over the edge: EFAULT");
	memset(p + 4090, 'a', 6);
	check(open(p + 4090, O_RDONLY) == -1 && errno == EFAULT, "path over the edge: EFAULT");
	check(syscall(SYS_uname, 8ul) == -1 && errno == EFAULT, "uname: EFAULT");
	munmap(p, 4096);
	close(fds[0]);
	close(fds[1]);
}

static void sync_code(void *p, size_t n)
{
	__builtin___clear_cache(p, (char *)p + n);
}

/* mov w0, #n; ret */
static void write_function(uint32_t *code, unsigned n)
{
	code[0] = 0x52800000 | n << 5;
	code[1] = 0xd65f03c0;
	sync_code(code, 8);
}

static void test_code(void)
{
	uint32_t *rwx = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*fn)(void) = (int (*)(void))rwx, ok = 1, fd = memfd_create("jit", 0);
	uint32_t *w;

	for (unsigned i = 0; i < 300; i++) {
		write_function(rwx, i);
		ok &= fn() == (int)i;
	}
	check(ok, "code written 300 times to a writable and executable page");
	write_function(rwx, 11);
	mprotect(rwx, 4096, PROT_READ | PROT_EXEC);
	ok = fn() == 11;
	mprotect(rwx, 4096, PROT_READ | PROT_WRITE);
	ok &= faults((char *)rwx, 1) == 0;
	write_function(rwx, 12);
	mprotect(rwx, 4096, PROT_READ | PROT_EXEC);
	check(ok && fn() == 12, "write, protect, execute, and again");
	munmap(rwx, 4096);
	rwx = mmap(rwx, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	write_function(rwx, 13);
	check(fn() == 13, "other code at the same place after munmap and mmap");
	munmap(rwx, 4096);

	if (ftruncate(fd, 4096))
		exit(1);
	w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rwx = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	fn = (int (*)(void))rwx;
	ok = 1;
	for (unsigned i = 0; i < 50; i++) {
		write_function(w, i);
		sync_code(rwx, 8);
		ok &= fn() == (int)i;
	}
	check(ok, "code written through a second mapping");
	munmap(w, 4096);
	munmap(rwx, 4096);
	close(fd);
}

static void test_limits(void)
{
	struct rlimit rl;
	int status;
	pid_t pid = fork();

	if (!pid) {
		getrlimit(RLIMIT_AS, &rl);
		rl.rlim_cur = 256 << 20;
		setrlimit(RLIMIT_AS, &rl);
		_exit(mmap(NULL, 1ul << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	check(status == 0, "RLIMIT_AS (%x)", status);
}

/* More functions are called than a translator can remember in the memory it has when there is no more to be had. */
static void test_limit_in_use(void)
{
	enum { FUNCTIONS = 40000 };
	uint32_t *code = mmap(NULL, FUNCTIONS * 8, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit rl;
	int status, bad = 0;
	pid_t pid;

	for (unsigned n = 0; n < FUNCTIONS; n++)
		write_function(code + 2 * n, n);
	sync_code(code, FUNCTIONS * 8);
	pid = fork();
	if (!pid) {
		getrlimit(RLIMIT_AS, &rl);
		rl.rlim_cur = 1 << 20;
		setrlimit(RLIMIT_AS, &rl);
		for (int round = 0; round < 2; round++)
			for (unsigned n = 0; n < FUNCTIONS; n++)
				bad |= ((unsigned (*)(void))(code + 2 * n))() != n;
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	check(status == 0, "less address space allowed than is in use (%x)", status);
	munmap(code, FUNCTIONS * 8);
}

/* Where the program has unmapped something it may map something else, whatever a translator needed memory for meanwhile. */
static void test_place_again(void)
{
	enum { FUNCTIONS = 30000, SIZE = 1 << 28 };
	uint32_t *code = mmap(NULL, FUNCTIONS * 8, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned bad = 0;

	munmap(p, SIZE);
	for (unsigned n = 0; n < FUNCTIONS; n++)
		write_function(code + 2 * n, n);
	sync_code(code, FUNCTIONS * 8);
	for (unsigned n = 0; n < FUNCTIONS; n++)
		bad |= ((unsigned (*)(void))(code + 2 * n))() != n;
	check(!bad && mmap(p, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == p,
	      "a place that was unmapped can be mapped again");
	munmap(p, SIZE);
	munmap(code, FUNCTIONS * 8);
}

/* Protection bits that no kernel knows: mmap takes no notice of them, mprotect refuses them, where there is anything to do. */
static void test_unknown_prot(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = (char *)syscall(SYS_mmap, NULL, page, 1ul << 63 | PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0ul);

	check(p != MAP_FAILED && !*p, "mmap with unknown protection bits");
	check(syscall(SYS_mprotect, p, page, 1ul << 63 | PROT_READ) == -1 && errno == EINVAL, "mprotect: EINVAL");
	check(syscall(SYS_mprotect, p, 0ul, 1ul << 63 | PROT_READ) == 0, "mprotect of nothing");
	munmap(p, page);
}

int main(void)
{
	ktap_begin();
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	test_forms();
	test_unknown_prot();
	test_mremap();
	test_brk();
	test_efault();
	test_code();
	test_place_again();
	test_limits();
	test_limit_in_use();
	return ktap_end();
}
