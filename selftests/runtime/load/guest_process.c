// SPDX-License-Identifier: MIT
/*
 * Runs in the guest (guest.sh builds and starts it): a process looks at itself, at what the kernel says of it, and executes
 * others. Prints KTAP. With arguments it is one of its own children.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned number, failed;
static char self[4096], dir[] = "/tmp/dragoman-process-XXXXXX";

static void result(bool ok, const char *name)
{
	printf("%s %u %s\n", ok ? "ok" : "not ok", ++number, name);
	if (!ok)
		printf("# errno %d\n", errno);
	failed += !ok;
	fflush(stdout);
}

static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, buf + n, size - 1 - n)) > 0)
		n += got;
	buf[n] = 0;
	close(fd);
	return n;
}

/* ---- what the loader gave ---------------------------------------------------------------------------------------- */

static void auxiliary_vector(char **argv)
{
	const Elf64_Ehdr *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
	const unsigned char *r = (void *)getauxval(AT_RANDOM);
	unsigned long own[64], sum = 0;
	ssize_t n;

	result(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100, "page size and clock");
	result(ph && getauxval(AT_PHENT) == 56 && getauxval(AT_PHNUM) >= 3 && ph->p_type <= PT_PHDR + 1000, "program headers");
	result(!strcmp((char *)getauxval(AT_PLATFORM), "aarch64"), "platform");
	result(!strcmp((char *)getauxval(AT_EXECFN), self) && !strcmp(argv[0], self), "AT_EXECFN and argv[0]");
	for (int i = 0; i < 16; i++)
		sum += r[i];
	result(sum, "AT_RANDOM");
	result((getauxval(AT_HWCAP) & 3) == 3, "HWCAP: FP and ASIMD");
	result(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid() && !getauxval(AT_SECURE), "ids");
	result(vdso && !memcmp(vdso->e_ident, ELFMAG, 4) && vdso->e_machine == EM_AARCH64, "vDSO");
	n = read_file("/proc/self/auxv", (char *)own, sizeof(own));
	result(n > 160 && own[0] == AT_SYSINFO_EHDR && own[1] == (unsigned long)vdso, "/proc/self/auxv");
}

static unsigned elf_hash(const char *s)
{
	unsigned h = 0;

	for (; *s; s++) {
		h = (h << 4) + (unsigned char)*s;
		h = (h ^ (h >> 28 << 4)) & 0x0fffffff;
	}
	return h;
}

/* By the hash table, as ld.so does. */
static void *vdso_function(const char *name)
{
	const char *base = (void *)getauxval(AT_SYSINFO_EHDR), *str = NULL;
	const Elf64_Ehdr *e = (void *)base;
	const Elf64_Phdr *ph = (void *)(base + e->e_phoff);
	const Elf64_Sym *sym = NULL;
	const Elf64_Dyn *d = NULL;
	const unsigned *hash = NULL;

	for (int i = 0; i < e->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			d = (void *)(base + ph[i].p_vaddr);
	for (; d && d->d_tag; d++) {
		if (d->d_tag == DT_HASH)
			hash = (void *)(base + d->d_un.d_ptr);
		if (d->d_tag == DT_STRTAB)
			str = base + d->d_un.d_ptr;
		if (d->d_tag == DT_SYMTAB)
			sym = (void *)(base + d->d_un.d_ptr);
	}
	if (!hash || !str || !sym)
		return NULL;
	for (unsigned i = hash[2 + elf_hash(name) % hash[0]]; i; i = hash[2 + hash[0] + i])
		if (!strcmp(str + sym[i].st_name, name))
			return (void *)(base + sym[i].st_value);
	return NULL;
}

static void vdso_functions(void)
{
	int (*gettime)(clockid_t, struct timespec *) = vdso_function("__kernel_clock_gettime");
	int (*getres)(clockid_t, struct timespec *) = vdso_function("__kernel_clock_getres");
	struct timespec a, b, c;

	result(gettime && getres && vdso_function("__kernel_gettimeofday") && vdso_function("__kernel_rt_sigreturn") &&
	       !vdso_function("nothing"), "vDSO symbols");
	if (!gettime || !getres)
		return;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a);
	result(!gettime(CLOCK_MONOTONIC, &b), "vDSO clock_gettime");
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
	result((b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec)) &&
	       (c.tv_sec > b.tv_sec || (c.tv_sec == b.tv_sec && c.tv_nsec >= b.tv_nsec)), "its time");
	result(!getres(CLOCK_MONOTONIC, &a) && a.tv_nsec > 0, "vDSO clock_getres");
}

/* ---- /proc --------------------------------------------------------------------------------------------------------- */

static char maps[1 << 18];

static void address_space(void)
{
	unsigned long start, end, local = (unsigned long)&start, heap = (unsigned long)sbrk(8192), stack_ok = 0, heap_ok = 0, last = 0;
	bool sorted = true, readable = true;
	char *line, *save, *copy;
	int null = open("/dev/null", O_WRONLY);

	result(read_file("/proc/self/maps", maps, sizeof(maps)) > 0, "/proc/self/maps");
	result(strstr(maps, self) && strstr(maps, "[stack]") && strstr(maps, "[vdso]"), "maps: what has to be there");
	result(!strstr(maps, "dragoman-rt") && !strstr(maps, "[vsyscall]") && !strstr(maps, "[vvar"), "maps: what must not");
	copy = strdup(maps);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char r;

		if (sscanf(line, "%lx-%lx %c", &start, &end, &r) != 3 || start >= end || start < last)
			sorted = false;
		last = end;
		if (r == 'r' && write(null, (void *)start, 1) != 1)
			readable = false;
		if (strstr(line, "[stack]"))
			stack_ok = start <= local && local < end;
		if (strstr(line, "[heap]"))
			heap_ok = start <= heap && heap < end;
	}
	result(sorted && readable, "maps: order and rights");
	result(stack_ok && heap_ok, "maps: stack and heap");
	result(read_file("/proc/thread-self/smaps", maps, sizeof(maps)) > 0 && strstr(maps, "Private_Dirty:") && !strstr(maps, "dragoman-rt"),
	       "smaps");
	free(copy);
	close(null);
}

static void process_files(char **argv)
{
	char buf[8192], want[8192] = "", *p = want, link[4096] = "";
	Elf64_Ehdr e;
	int fd;

	for (; *argv; argv++)
		p = stpcpy(p, *argv) + 1;
	result(read_file("/proc/self/cmdline", buf, sizeof(buf)) == p - want && !memcmp(buf, want, p - want), "/proc/self/cmdline");
	snprintf(want, 16, "%s", strrchr(self, '/') + 1);
	strcat(want, "\n");
	result(read_file("/proc/self/comm", buf, sizeof(buf)) > 0 && !strcmp(buf, want), "/proc/self/comm");
	result(readlink("/proc/self/exe", link, sizeof(link) - 1) == (ssize_t)strlen(self) && !strcmp(link, self), "/proc/self/exe");
	snprintf(buf, sizeof(buf), "/proc/%d/exe", getpid());
	memset(link, 0, sizeof(link));
	result(readlink(buf, link, sizeof(link) - 1) > 0 && !strcmp(link, self), "/proc/PID/exe");
	fd = open("/proc/self/exe", O_RDONLY);
	result(read(fd, &e, sizeof(e)) == sizeof(e) && e.e_machine == EM_AARCH64, "opening /proc/self/exe");
	close(fd);
	fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
	memset(link, 0, sizeof(link));
	result(fd >= 0 && readlinkat(fd, "exe", link, sizeof(link) - 1) > 0 && !strcmp(link, self), "readlinkat(/proc/self, exe)");
	close(fd);
	result(read_file("/proc/cpuinfo", buf, sizeof(buf)) > 0 && strstr(buf, "CPU implementer\t: 0x41") && strstr(buf, "asimd"), "/proc/cpuinfo");
	fd = open("/proc/self/maps", O_WRONLY);
	result((fd < 0 && errno == EACCES) || (!geteuid() && write(fd, "x", 1) < 0), "/proc/self/maps is not writable");
	if (fd >= 0)
		close(fd);
	fd = open("/proc/self/maps", O_RDONLY);
	result(fd == 3 && write(fd, "x", 1) < 0, "its descriptor is the lowest and read-only");
	close(fd);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static sigjmp_buf on_fault;
static volatile unsigned long fault_code;
static void fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault_code = info->si_code;
	siglongjmp(on_fault, 1);
}

static void memory(void)
{
	struct sigaction sa = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	static const unsigned code[] = { 0x528000e0 /* mov w0, #7 */, 0xd65f03c0 /* ret */ };
	char *old = sbrk(0), *p;
	int (*f)(void), status;
	pid_t child;

	sigaction(SIGSEGV, &sa, NULL);
	result(!brk(old + 100000) && sbrk(0) == old + 100000 && !old[99999] && !brk(old), "brk");
	child = fork();
	if (!child) {
		munmap(0, 0x7ffffffff000);
		_exit(0);
	}
	result(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	       "munmap of everything is the end");
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(p, code, sizeof(code));
	f = (int (*)(void))p;
	if (!sigsetjmp(on_fault, 1)) {
		f();
		result(false, "data is not code");
	} else {
		result(fault_code == SEGV_ACCERR, "data is not code");
	}
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	__builtin___clear_cache(p, p + sizeof(code));
	result(f() == 7, "code that was written");
	mprotect(p, 4096, PROT_READ);
	if (!sigsetjmp(on_fault, 1)) {
		f();
		result(false, "code that is data again");
	} else {
		result(fault_code == SEGV_ACCERR, "code that is data again");
	}
	munmap(p, 8192);
	if (!sigsetjmp(on_fault, 1)) {
		f();
		result(false, "code that is gone");
	} else {
		result(fault_code == SEGV_MAPERR, "code that is gone");
	}
	signal(SIGSEGV, SIG_DFL);
}

/* ---- exec -------------------------------------------------------------------------------------------------------------- */

enum how { FORK, VFORK };

/* Executes in a child; its exit status, or 1000 + errno if exec fails. */
static int run(enum how how, int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	volatile int err = 0;
	int status;
	pid_t pid = how == FORK ? fork() : vfork();

	if (!pid) {
		syscall(SYS_execveat, dirfd, path, argv, envp, flags);
		err = errno;
		_exit(how == FORK ? err : 0);
	}
	waitpid(pid, &status, 0);
	if (how == VFORK && err)
		return 1000 + err;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void put_file(const char *path, const char *text, int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(2);
	fchmod(fd, mode);
	close(fd);
}

static int exec_error(const char *path)
{
	char *const argv[] = { "x", NULL };
	int r = run(VFORK, AT_FDCWD, path, argv, NULL, 0);

	return r >= 1000 ? r - 1000 : -1;
}

static void errors(void)
{
	char loop[100], text[100], script[100], missing[200], *const bad_argv[] = { (char *)8, NULL };
	static char huge[200000], name[5000];
	char **volatile bad_pointer = (char **)8;
	char *const big[] = { "x", huge, NULL };

	memset(huge, 'x', sizeof(huge) - 1);
	memset(name, 'x', sizeof(name) - 1);
	snprintf(loop, sizeof(loop), "%s/loop", dir);
	if (symlink("loop", loop))
		exit(2);
	snprintf(text, sizeof(text), "%s/text", dir);
	put_file(text, "hello\n", 0644);
	result(exec_error("/nonexistent") == ENOENT && exec_error("") == ENOENT, "ENOENT");
	result(exec_error("/proc/cpuinfo/x") == ENOTDIR, "ENOTDIR");
	result(exec_error(loop) == ELOOP, "ELOOP");
	result(exec_error(text) == EACCES && exec_error("/tmp") == EACCES, "EACCES");
	chmod(text, 0755);
	result(exec_error(text) == ENOEXEC, "ENOEXEC");
	result(exec_error((char *)8) == EFAULT, "EFAULT: path");
	result(run(VFORK, AT_FDCWD, self, bad_argv, NULL, 0) == 1000 + EFAULT, "EFAULT: argument");
	result(run(VFORK, AT_FDCWD, self, bad_pointer, NULL, 0) == 1000 + EFAULT, "EFAULT: arguments");
	result(run(VFORK, AT_FDCWD, self, big, NULL, 0) == 1000 + E2BIG, "E2BIG");
	result(exec_error(name) == ENAMETOOLONG, "ENAMETOOLONG");
	snprintf(script, sizeof(script), "%s/script", dir);
	put_file(script, "#!/nonexistent/interpreter\n", 0755);
	result(exec_error(script) == ENOENT, "script without its interpreter");
	snprintf(missing, sizeof(missing), "#!%s\n", script);
	put_file(script, missing, 0755);
	result(exec_error(script) == ELOOP, "script that is its own interpreter");
	unlink(loop);
	unlink(text);
	unlink(script);
}

/* A copy of this program in a memfd. */
static int copy_to_memfd(unsigned flags)
{
	int fd = memfd_create("program", flags), in = open(self, O_RDONLY);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			exit(2);
	close(in);
	return fd;
}

static void children(void)
{
	char *const argv[] = { "child", "check", "a b", "", NULL }, *const envp[] = { "X=1", "Y=", NULL };
	char *const sh[] = { "sh", "-c", "test \"$X\" = 1 && exit 7", NULL };
	static char *many[3003];
	char script[100], text[5000], *const script_argv[] = { "ignored", "last", NULL };
	int fd;

	result(run(FORK, AT_FDCWD, self, argv, envp, 0) == 42, "fork and exec");
	result(run(VFORK, AT_FDCWD, self, argv, envp, 0) == 42, "vfork and exec");
	result(run(VFORK, AT_FDCWD, "/proc/self/exe", argv, envp, 0) == 42, "exec of /proc/self/exe");
	result(run(VFORK, AT_FDCWD, "/bin/sh", sh, envp, 0) == 7, "exec of a shell");
	many[0] = "child";
	many[1] = "count";
	for (int i = 2; i < 3002; i++)
		many[i] = "argument";
	result(run(VFORK, AT_FDCWD, self, many, envp, 0) == 3002 % 251, "3000 arguments");
	result(run(VFORK, AT_FDCWD, self, many, envp, 0) == 3002 % 251, "and again");
	fd = open(self, O_PATH | O_CLOEXEC);
	result(run(VFORK, fd, "", argv, envp, AT_EMPTY_PATH) == 42, "fexecve of an O_CLOEXEC, O_PATH descriptor");
	close(fd);
	fd = copy_to_memfd(MFD_CLOEXEC);
	result(run(VFORK, fd, "", argv, envp, AT_EMPTY_PATH) == 42, "fexecve of a memfd");
	close(fd);
	snprintf(script, sizeof(script), "%s/script", dir);
	snprintf(text, sizeof(text), "#! %s script  two words \n", self);
	put_file(script, text, 0755);
	result(run(VFORK, AT_FDCWD, script, script_argv, envp, 0) == 43, "script");
	fd = open(dir, O_RDONLY);
	result(run(VFORK, fd, "script", script_argv, envp, 0) == 43, "script in a folder given by descriptor");
	close(fd);
	put_file(script, "#!/bin/sh\nexit 9\n", 0755);
	result(run(VFORK, AT_FDCWD, script, script_argv, envp, 0) == 9, "shell script");
	unlink(script);
}

/* Without /proc and without the runtime's file, twice. Only a static program finds its way there. */
static void changed_root(void)
{
	char program[100], buf[65536];
	int in = open(self, O_RDONLY), out, status = 0;
	ssize_t n;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/program", dir);
	out = open(program, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			exit(2);
	close(in);
	close(out);
	pid = fork();
	if (!pid) {
		if (chroot(dir) || chdir("/"))
			_exit(77);
		execl("/program", "child", "again", (char *)NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("ok %u exec after chroot # SKIP needs root\n", ++number);
	else if (getauxval(AT_BASE))
		printf("ok %u exec after chroot # SKIP only for the static program\n", ++number);
	else
		result(WIFEXITED(status) && WEXITSTATUS(status) == 42, "exec after chroot, twice");
	unlink(program);
}

/* ---- being a child --------------------------------------------------------------------------------------------------------- */

static int child(int argc, char **argv)
{
	extern char **environ;
	struct stat st;

	if (!strcmp(argv[1], "count"))
		return argc % 251;
	if (!strcmp(argv[1], "again")) {
		char *const next[] = { "child", "check", "a b", "", NULL }, *const envp[] = { "X=1", "Y=", NULL };

		execve("/program", next, envp);
		return errno;
	}
	/* No descriptor of the runtime or of exec is left. */
	for (int fd = 3; fd < 256; fd++)
		if (!fstat(fd, &st) && !(fd == 3 && argc > 2 && !strncmp(argv[2], "/dev/fd/3/", 10)))
			return 1;
	if (!strcmp(argv[1], "check"))
		return argc == 4 && !strcmp(argv[0], "child") && !strcmp(argv[2], "a b") && !*argv[3] && environ[0] && environ[1] &&
		       !environ[2] && !strcmp(environ[0], "X=1") && !strcmp(environ[1], "Y=") ? 42 : 2;
	if (!strncmp(argv[1], "script  two words", 18))
		return argc == 4 && strstr(argv[2], "script") && !strcmp(argv[3], "last") ? 43 : 3;
	return 4;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--"))
		return child(argc, argv);
	if (!realpath(argv[0], self) || !mkdtemp(dir))
		return 2;
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	auxiliary_vector(argv);
	vdso_functions();
	address_space();
	process_files(argv);
	memory();
	errors();
	children();
	changed_root();
	rmdir(dir);
	printf("1..%u\n", number);
	return failed != 0;
}
