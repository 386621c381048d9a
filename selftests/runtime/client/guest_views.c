// SPDX-License-Identifier: MIT
/*
 * What a guest does to files of code that it has mapped: it must find its own changes, and nothing of the translator's. Argument: a
 * shared library with int answer(void) that returns 41, and its offset in the file (hexadecimal). Prints KTAP. views.sh runs
 * it with a server, and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned number, failed;
static int fd;
static size_t size;
static unsigned long offset;

static void result(int ok, const char *name)
{
	printf("%s %u %s\n", ok ? "ok" : "not ok", ++number, name);
	fflush(stdout);
	failed += !ok;
}

static char *map_whole(void *at, int flags)
{
	return mmap(at, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, fd, 0);
}

static int call(char *base)
{
	return ((int (*)(void))(base + offset))();
}

/* mov w0, #value; ret */
static void write_answer(char *base, unsigned value)
{
	unsigned code[2] = { 0x52800000u | value << 5, 0xd65f03c0u };

	memcpy(base + offset, code, sizeof(code));
	__builtin___clear_cache(base + offset, base + offset + sizeof(code));
}

static unsigned fds_open(void)
{
	unsigned n = 0;

	for (int i = 0; i < 1000; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void many_times(char *base, int want, const char *name)
{
	int bad = 0;

	for (int i = 0; i < 1000; i++)
		bad += call(base) != want;
	result(!bad, name);
}

static void writes(void)
{
	char *a = map_whole(NULL, 0), *b = map_whole(NULL, 0);

	many_times(a, 41, "code of a mapped file");
	many_times(b, 41, "code of the same file, mapped again");
	result(!mprotect(a, size, PROT_READ | PROT_WRITE | PROT_EXEC), "made writable");
	many_times(a, 41, "the same code as before");
	write_answer(a, 7);
	many_times(a, 7, "its own changes");
	many_times(b, 41, "the other mapping is not changed");
	result(!mprotect(a, size, PROT_READ | PROT_EXEC), "made read-only again");
	many_times(a, 7, "its own changes, still");
	munmap(a, size);
	munmap(b, size);
}

static sigjmp_buf *volatile back;
static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(*back, 1);
}

static int faults(char *base)
{
	sigjmp_buf here;
	int ret = 1;

	back = &here;
	signal(SIGSEGV, on_segv);
	if (!sigsetjmp(here, 1))
		ret = call(base) < 0;
	signal(SIGSEGV, SIG_DFL);
	return ret;
}

static void removals(void)
{
	char *a = map_whole(NULL, 0), *b;

	many_times(a, 41, "mapped");
	mprotect(a, size, PROT_READ);
	result(faults(a), "not executable any more: a signal");
	mprotect(a, size, PROT_READ | PROT_EXEC);
	many_times(a, 41, "executable again");
	b = mremap(a, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, a + (1 << 28));
	result(b == a + (1 << 28), "moved");
	many_times(b, 41, "where it was moved to");
	result(faults(a), "where it was: a signal");
	munmap(b, size);
	result(faults(b), "unmapped: a signal");
}

/* Everything around a mapping can be mapped over: what the translator put there gives way. */
static void neighbours(void)
{
	char *room = mmap(NULL, 1 << 27, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *a, *p;
	int bad = 0;

	/* where nothing else of anybody is */
	munmap(room, 1 << 27);
	a = map_whole(room + (1 << 26), MAP_FIXED);

	many_times(a, 41, "mapped");
	for (size_t down = 1 << 16; down <= 1 << 22; down *= 2) {
		p = mmap(a - down, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		bad += p != a - down || *p;
		if (p == a - down)
			memset(p, 1, 1 << 16);
	}
	result(!bad, "a place right below can be had");
	many_times(a, 41, "the code is as before");
	p = mmap(a, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	write_answer(p, 9);
	many_times(p, 9, "other code in its place");
	p = map_whole(a, MAP_FIXED);
	many_times(p, 41, "the file, in the place of that");
	munmap(a, size);
}

/* The place below can be unmapped, too, although there is nothing of the guest's, and something can be moved there. */
static void unmapped(void)
{
	char *room = mmap(NULL, 1 << 27, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *a, *p, *q;

	munmap(room, 1 << 27);
	a = map_whole(room + (1 << 26), MAP_FIXED);
	many_times(a, 41, "mapped");
	result(!munmap(a - (1 << 24), 1 << 24), "what is below is unmapped");
	many_times(a, 41, "the code is as before");
	munmap(a, size);
	a = map_whole(room + (1 << 26), MAP_FIXED);
	many_times(a, 41, "mapped again");
	p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*p = 5;
	q = mremap(p, 1 << 16, 1 << 16, MREMAP_MAYMOVE | MREMAP_FIXED, a - (1 << 16));
	result(q == a - (1 << 16) && *q == 5, "something is moved right below");
	many_times(a, 41, "the code is still as before");
	munmap(a - (1 << 16), size + (1 << 16));
}

/* The loader's way: a place is reserved, then the file is mapped over it. */
static void reserved(void)
{
	size_t room = size + (1 << 16);
	char *r = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *a = (char *)(((unsigned long)r + 0xffff) & ~0xfffful);

	result(map_whole(a, MAP_FIXED) == a, "mapped over a reserved place");
	many_times(a, 41, "its code");
	munmap(r, room);
}

static volatile int stop;
static void *caller(void *p)
{
	unsigned long bad = 0;

	while (!stop)
		bad += call(p) != 41;
	return (void *)bad;
}

static void threads(void)
{
	char *a = map_whole(NULL, 0);
	unsigned long bad = 0;
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, caller, a);
	for (int i = 0; i < 30; i++) {
		/* takes the view away under them, and asks for another one */
		mprotect(a, size, PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(a, size, PROT_READ | PROT_EXEC);
		bad += map_whole(a, MAP_FIXED) != a;
		usleep(2000);
		bad += close_range(900, 1000, 0) != 0;
	}
	stop = 1;
	for (int i = 0; i < 3; i++) {
		void *ret;

		pthread_join(t[i], &ret);
		bad += (unsigned long)ret;
	}
	result(!bad, "threads that run it while it is mapped again and again");
	munmap(a, size);
}

static void forks(void)
{
	char *a = map_whole(NULL, 0);
	int status, bad = 0;

	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(call(map_whole(NULL, 0)) + call(a));
		waitpid(pid, &status, 0);
		bad += !WIFEXITED(status) || WEXITSTATUS(status) != 82;
	}
	result(!bad, "children");
	munmap(a, size);
}

static void limits(void)
{
	struct rlimit l = { 300ul << 20, 300ul << 20 };
	void *p;

	result(!setrlimit(RLIMIT_AS, &l), "a limit on address space");
	p = mmap(NULL, 30 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	result(p != MAP_FAILED, "a tenth of it can be had");
	many_times(map_whole(NULL, 0), 41, "code of a file, under the limit");
}

static int maps_are_clean(void)
{
	char line[1000];
	FILE *f = fopen("/proc/self/maps", "r");
	int clean = f != NULL;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "memfd") || strstr(line, "r-xs") || strstr(line, "dragoman"))
			clean = 0;
	if (f)
		fclose(f);
	return clean;
}

int main(int argc, char **argv)
{
	unsigned fds;
	struct stat st;

	if (argc < 3 || (fd = open(argv[1], O_RDONLY)) < 0 || fstat(fd, &st))
		return 99;
	size = (st.st_size + 0xffff) & ~0xfffful;
	offset = strtoul(argv[2], NULL, 16);
	fds = fds_open();
	writes();
	removals();
	neighbours();
	unmapped();
	reserved();
	threads();
	forks();
	result(maps_are_clean(), "nothing strange in /proc/self/maps");
	result(fds_open() == fds, "as many descriptors as before");
	limits();
	printf("1..%u\n", number);
	return failed != 0;
}
