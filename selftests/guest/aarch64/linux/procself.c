// SPDX-License-Identifier: MIT
/*
 * What a program learns about itself: /proc/self, the auxiliary vector, prctl, uname; and timers and clocks.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include "ktap.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

static size_t slurp_fd(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = 0;
	return len;
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t len = fd < 0 ? 0 : slurp_fd(fd, buf, size);

	if (fd >= 0)
		close(fd);
	return len;
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void test_exe(const char *argv0)
{
	char link[512] = "", path[64];
	struct stat st;
	Elf64_Ehdr eh = { 0 };
	int fd;

	check(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0 && !strcmp(base(link), base(argv0)), "exe is a link to us: %s", link);
	memset(link, 0, sizeof(link));
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	check(readlink(path, link, sizeof(link) - 1) > 0 && !strcmp(base(link), base(argv0)), "by number too: %s", link);
	fd = open("/proc/self/exe", O_RDONLY);
	check(read(fd, &eh, sizeof(eh)) == sizeof(eh) && eh.e_machine == EM_AARCH64, "and opens the aarch64 file");
	close(fd);
	check(!lstat("/proc/self/exe", &st) && S_ISLNK(st.st_mode), "lstat: a link");
	check(!stat("/proc/self/exe", &st) && S_ISREG(st.st_mode), "stat: a file");
}

static int maps_has(const char *maps, uintptr_t addr, const char *perms, const char *name)
{
	const char *line = maps;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long lo, hi;
		char p[5], text[512] = "";

		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %511[^\n]", &lo, &hi, p, text) < 3)
			continue;
		if (addr >= lo && addr < hi)
			return (!perms || !strcmp(p, perms)) && (!name || strstr(text, name));
	}
	return 0;
}

static void test_maps(const char *argv0)
{
	static char maps[1 << 20];
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int local;

	check(slurp("/proc/self/maps", maps, sizeof(maps)) > 0, "maps");
	check(maps_has(maps, (uintptr_t)test_maps, "r-xp", base(argv0)), "our code is executable, and our file's");
	check(maps_has(maps, (uintptr_t)&local, "rw-p", "[stack]"), "the stack");
	check(maps_has(maps, (uintptr_t)p, "rwxp", NULL), "a mapping of our own");
	check(!strstr(maps, "dragoman"), "nothing of the translator");
	munmap(p, 4096);
	check(maps_has(maps, (uintptr_t)sbrk(0) - 1, "rw-p", "[heap]"), "the heap");
}

/* One descriptor, read twice. */
static void test_maps_again(void)
{
	static char maps[1 << 20];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char *p;

	slurp_fd(fd, maps, sizeof(maps));
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(!lseek(fd, 0, SEEK_SET) && slurp_fd(fd, maps, sizeof(maps)) && maps_has(maps, (uintptr_t)p, "r-xs", NULL),
	      "maps from the beginning again: as they are then");
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "closed by exec as before");
	munmap(p, 4096);
	close(fd);
}

static void test_files(int argc, char **argv)
{
	static char buf[1 << 16];
	char want[512] = "";
	size_t len, n = 0;

	for (int i = 0; i < argc; i++)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "%s", argv[i]) + 1;
	len = slurp("/proc/self/cmdline", buf, sizeof(buf));
	check(len == n && !memcmp(buf, want, n), "cmdline is ours (%zu, %zu)", len, n);
	len = slurp("/proc/self/auxv", buf, sizeof(buf));
	n = 0;
	for (size_t i = 0; i + 16 <= len; i += 16)
		n |= *(uint64_t *)(buf + i) == AT_ENTRY && *(uint64_t *)(buf + i + 8) == getauxval(AT_ENTRY);
	check(n, "auxv is ours");
	len = slurp("/proc/self/comm", buf, sizeof(buf));
	check(len > 1 && !strncmp(buf, base(argv[0]), MIN(len - 1, 15)), "comm: %s", buf);
	len = slurp("/proc/self/stat", buf, sizeof(buf));
	check(len && atoi(buf) == getpid(), "stat");
	slurp("/proc/self/status", buf, sizeof(buf));
	check(strstr(buf, "Threads:\t1\n") != NULL, "one thread");
	slurp("/proc/cpuinfo", buf, sizeof(buf));
	check(strstr(buf, "CPU implementer") != NULL, "cpuinfo is of an aarch64 machine");
}

static void test_auxv(void)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
	int any = 0;

	check(ph && getauxval(AT_PHENT) == sizeof(*ph) && getauxval(AT_PHNUM) < 30, "AT_PHDR");
	check(getauxval(AT_PAGESZ) == 4096, "AT_PAGESZ");
	for (int i = 0; random && i < 16; i++)
		any |= random[i];
	check(any, "AT_RANDOM");
	check(getauxval(AT_HWCAP) & 3, "AT_HWCAP has FP and ASIMD (%lx)", getauxval(AT_HWCAP));
	check(getauxval(AT_PLATFORM) && !strcmp((char *)getauxval(AT_PLATFORM), "aarch64"), "AT_PLATFORM");
	check(getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0, "AT_UID, AT_SECURE");
}

static void test_prctl(void)
{
	char name[16] = "";

	check(!prctl(PR_SET_NAME, "renamed") && !prctl(PR_GET_NAME, name) && !strcmp(name, "renamed"), "PR_SET_NAME");
	check(prctl(26 /* PR_SET_TSC */, 1) == -1 && errno == EINVAL, "x86's PR_SET_TSC: EINVAL");
	check(syscall(SYS_prctl, 51 /* PR_SVE_GET_VL */, 0, 0, 0, 0) == -1 && errno == EINVAL, "no SVE: EINVAL");
	check(prctl(PR_GET_DUMPABLE) == 1, "PR_GET_DUMPABLE");
}

static volatile int ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void test_time(void)
{
	struct timespec a, b, vdso, call;
	struct itimerspec its = { { 0, 2000000 }, { 0, 2000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct timeval tv;
	timer_t timer;
	unsigned cpu = ~0u;

	clock_gettime(CLOCK_MONOTONIC, &a);
	usleep(5000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	check((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 5000000, "usleep sleeps");
	clock_gettime(CLOCK_REALTIME, &vdso);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &call);
	gettimeofday(&tv, NULL);
	check(call.tv_sec - vdso.tv_sec <= 1 && tv.tv_sec - vdso.tv_sec <= 1 && vdso.tv_sec > 1600000000, "the clocks agree");
	check(!clock_getres(CLOCK_MONOTONIC, &a) && a.tv_sec == 0 && a.tv_nsec > 0, "clock_getres");
	check(syscall(SYS_clock_gettime, 9999, &a) == -1 && errno == EINVAL, "unknown clock: EINVAL");
	check(!syscall(SYS_getcpu, &cpu, NULL, NULL) && cpu < 4096, "getcpu");
	check(times(&(struct tms){ 0 }) != (clock_t)-1, "times");
	signal(SIGRTMIN, tick);
	check(!timer_create(CLOCK_MONOTONIC, &ev, &timer) && !timer_settime(timer, 0, &its, NULL), "timer_create");
	while (ticks < 10)
		;
	check(!timer_delete(timer), "it ticked while we computed");
}

int main(int argc, char **argv)
{
	ktap_begin();
	test_exe(argv[0]);
	test_maps(argv[0]);
	test_maps_again();
	test_files(argc, argv);
	test_auxv();
	test_prctl();
	test_time();
	return ktap_end();
}
