// SPDX-License-Identifier: MIT
/*
 * Paths and exec without a guest: -L's walk below a root, which paths of /proc are special, and the first line of scripts
 * against what the kernel makes of the same line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's and libc's headers do not agree with each other. */
#define _SYS_WAIT_H
extern int waitpid(int pid, int *status, int options);
extern int mkdir(const char *path, unsigned mode);
extern int chmod(const char *path, unsigned mode);
#include "runtime/path.c"
#include "runtime/procfs.c"
#include "runtime/exec.c"

struct rt_globals rt;
u64 rt_host_features;

/* What these files call elsewhere. */
int rt_mm_reserve(u64 start, u64 end) { return start > end; }
void rt_mm_unreserve(u64 start, u64 end) { (void)start; (void)end; }
bool rt_mm_guest_part(u64 start, u64 end, u64 *from, u64 *to)
{
	*from = start;
	*to = end;
	return start < end;
}
s64 rt_safe_syscall(volatile u32 *pending, s64 nr, const u64 a[6])
{
	(void)pending;
	return sys6(nr, (s64)a[0], (s64)a[1], (s64)a[2], (s64)a[3], (s64)a[4], (s64)a[5]);
}
s64 rt_seccomp_export(struct rt_thread *t) { (void)t; return -1; }
u64 rt_client_hint(void) { return 0; }
const char *const *rt_objfile_options(void)
{
	static const char *const none[1];

	return none;
}
void rt_client_flush(void) { }
s64 rt_strncpy_from_user(char *dst, u64 src, size_t size)
{
	strncpy(dst, (const char *)src, size);
	return (s64)strlen(dst);
}

static unsigned number, failed;
static void result(bool ok, const char *name)
{
	printf("%s %u %s\n", ok ? "ok" : "not ok", ++number, name);
	failed += !ok;
}

static char dir[] = "/tmp/dragoman-path-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[4][300];
	static unsigned n;

	snprintf(path[++n % 4], sizeof(path[0]), "%s/%s", dir, name);
	return path[n % 4];
}

/* ---- -L ------------------------------------------------------------------------------------------------------------------ */

static void below(const char *path, unsigned flags, const char *expected)
{
	char buf[RT_PATH_MAX], want[400] = "", name[200];
	const char *got = rt_path_below_root(path, flags, buf);

	if (expected)
		snprintf(want, sizeof(want), "%s/root%s", dir, expected);
	snprintf(name, sizeof(name), "-L: %s%s", path, flags ? " (not followed)" : "");
	result(expected ? got && !strcmp(got, want) : !got, name);
	if (expected ? !got || strcmp(got, want) : !!got)
		printf("# %s instead of %s\n", got ? got : "NULL", expected ? want : "NULL");
}

static void roots(void)
{
	char command[600], root[300];

	snprintf(command, sizeof(command), "cd %s && mkdir -p root/usr/lib root/etc root/proc root/sub && cd root && touch usr/lib/x etc/f && "
		 "ln -s usr/lib lib && ln -s /etc/f abs && ln -s abs abs2 && ln -s ../../../../etc/f up && ln -s loop loop && "
		 "ln -s /nowhere broken && ln -s .. sub/back && ln -s / top", dir);
	if (system(command))
		exit(2);
	snprintf(root, sizeof(root), "%s/root", dir);
	rt.root = root;
	rt.root_len = strlen(root);
	below("/usr/lib/x", 0, "/usr/lib/x");
	below("/lib/x", 0, "/usr/lib/x");
	below("//lib/./x", 0, "/usr/lib/x");
	below("/lib/../lib/x", 0, "/usr/lib/x");
	below("/lib/y", 0, NULL);
	below("/lib/x/y", 0, NULL);
	below("/abs", 0, "/etc/f");
	below("/abs", RT_PATH_NOFOLLOW, "/abs");
	below("/abs2", 0, "/etc/f");
	below("/up", 0, "/etc/f");
	below("/../../etc/f", 0, "/etc/f");
	below("/loop", 0, NULL);
	below("/loop", RT_PATH_NOFOLLOW, "/loop");
	below("/broken", 0, NULL);
	below("/broken", RT_PATH_NOFOLLOW, "/broken");
	below("/sub/back/etc/f", 0, "/etc/f");
	below("/top/etc/f", 0, "/etc/f");
	below("/", 0, "/");
	below("/usr/", 0, "/usr/");
	below("/proc", 0, NULL);
	below("/proc/self", 0, NULL);
	below("/dev/null", 0, NULL);
	below("usr/lib/x", 0, NULL);
	below(in_dir("root/lib/x"), 0, "/usr/lib/x");
	rt.root_len = 0;
	below("/usr/lib/x", 0, NULL);
}

/* ---- /proc ---------------------------------------------------------------------------------------------------------------- */

static void special(int dirfd, const char *path, enum procfs_file expected, s32 expected_pid)
{
	char name[200];
	s32 pid;
	enum procfs_file got = procfs_classify(dirfd, path, &pid);

	snprintf(name, sizeof(name), "/proc: %s", path);
	result(got == expected && (got == PROCFS_NONE || pid == expected_pid), name);
}

static void proc_paths(void)
{
	int proc = (int)sys(__NR_open, "/proc", O_RDONLY, 0), self = (int)sys(__NR_open, "/proc/self", O_RDONLY, 0);
	char path[64];

	special(AT_FDCWD, "/proc/self/exe", PROCFS_EXE, 0);
	special(AT_FDCWD, "/proc//self/./exe", PROCFS_EXE, 0);
	special(AT_FDCWD, "//proc/self/maps", PROCFS_MAPS, 0);
	special(AT_FDCWD, "/proc/thread-self/smaps", PROCFS_SMAPS, 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	special(AT_FDCWD, path, PROCFS_EXE, 0);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", getpid(), getpid());
	special(AT_FDCWD, path, PROCFS_MAPS, 0);
	special(AT_FDCWD, "/proc/1/exe", PROCFS_EXE, 1);
	special(AT_FDCWD, "/proc/1/maps", PROCFS_NONE, 0);
	special(AT_FDCWD, "/proc/cpuinfo", PROCFS_CPUINFO, 0);
	special(AT_FDCWD, "/proc/self/cpuinfo", PROCFS_NONE, 0);
	special(AT_FDCWD, "/proc/self/exe2", PROCFS_NONE, 0);
	special(AT_FDCWD, "/proc/self/exe/", PROCFS_NONE, 0);
	special(AT_FDCWD, "/proc/selfish/exe", PROCFS_NONE, 0);
	special(AT_FDCWD, "/process/self/exe", PROCFS_NONE, 0);
	special(AT_FDCWD, "/usr/bin/exe", PROCFS_NONE, 0);
	special(AT_FDCWD, "exe", PROCFS_NONE, 0);
	special(AT_FDCWD, "", PROCFS_NONE, 0);
	special(proc, "self/exe", PROCFS_EXE, 0);
	special(proc, "cpuinfo", PROCFS_CPUINFO, 0);
	special(self, "exe", PROCFS_EXE, 0);
	special(self, "task/1/exe", PROCFS_EXE, 0);
}

/* ---- scripts ------------------------------------------------------------------------------------------------------------------ */

/* What the kernel runs for this first line: the arguments that the interpreter (a copy of echo) prints, or "error N". */
static void kernel_says(const char *script, char *out, size_t size)
{
	int fd[2], status;
	size_t n = 0;
	ssize_t got;
	int pid;

	if (pipe(fd))
		exit(2);
	pid = fork();
	if (!pid) {
		dup2(fd[1], 1);
		execl(script, "argv0", "last", (char *)NULL);
		dprintf(1, "error");
		_exit(0);
	}
	close(fd[1]);
	while ((got = read(fd[0], out + n, size - 1 - n)) > 0)
		n += got;
	out[n] = 0;
	close(fd[0]);
	waitpid(pid, &status, 0);
}

static void we_say(const char *script, const char *text, size_t len, char *out, size_t size)
{
	char line[SCRIPT_LINE + 1] = { 0 }, *interp, *arg;

	memcpy(line, text, MIN(len, SCRIPT_LINE));
	if (parse_script(line, len, &interp, &arg))
		snprintf(out, size, "error");
	else if (access(interp, X_OK))
		snprintf(out, size, "error");
	else
		snprintf(out, size, "[%s]%s%s%s[%s][last]", interp, arg ? "[" : "", arg ? arg : "", arg ? "]" : "", script);
}

static void script_line(const char *name, const char *text, size_t len)
{
	char kernel[2000], we[2000];
	const char *script = in_dir("script");
	int fd = (int)sys(__NR_open, script, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		exit(2);
	close(fd);
	kernel_says(script, kernel, sizeof(kernel));
	we_say(script, text, len, we, sizeof(we));
	result(!strcmp(kernel, we), name);
	if (strcmp(kernel, we))
		printf("# kernel: %s\n# we: %s\n", kernel, we);
}

static void scripts(const char *self)
{
	char interp[200], text[600];
	static const char *const formats[] = {
		"#!%s\n", "#!%s", "#! %s\n", "#!\t%s \t\n", "#!%s arg\n", "#!%s  two words \n", "#!%s -x\nmore\n", "#!\n", "#!  \n", "#!",
		"#!%s \n", "#!%s\t-a\tb\n", "#!%s arg", "#!%s\n\n", "#!/nonexistent\n", "#! \t %s a",
	};

	snprintf(text, sizeof(text), "cp %s %s", self, in_dir("show-arguments"));
	if (system(text))
		exit(2);
	strcpy(interp, in_dir("show-arguments"));
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		char name[64];

		snprintf(text, sizeof(text), formats[i], interp);
		snprintf(name, sizeof(name), "script line %u", i);
		script_line(name, text, strlen(text));
	}
	/* Around the limit: a long argument, then a long name. */
	for (unsigned len = 250; len <= 260; len++) {
		char name[64];
		int n = snprintf(text, sizeof(text), "#!%s ", interp);

		memset(text + n, 'a', len - n);
		text[len] = '\n';
		snprintf(name, sizeof(name), "argument that ends at %u", len);
		script_line(name, text, len + 1);
		n = snprintf(text, sizeof(text), "#!");
		memset(text + n, '/', len);
		strcpy(text + len - strlen(interp), interp);
		snprintf(name, sizeof(name), "interpreter that ends at %u", len);
		script_line(name, text, len);
		text[len] = '\n';
		snprintf(name, sizeof(name), "interpreter that ends at %u, with newline", len);
		script_line(name, text, len + 1);
	}
}

int main(int argc, char **argv)
{
	char command[100];

	/* As an interpreter: shows the arguments. */
	if (strstr(argv[0], "show-arguments")) {
		for (int i = 0; i < argc; i++)
			printf("[%s]", argv[i]);
		return 0;
	}
	rt.exe_fd = rt.self_fd = rt.session_fd = -1;
	rt.root = rt.exe_path = "";
	if (!mkdtemp(dir))
		return 2;
	roots();
	proc_paths();
	scripts(argv[0]);
	printf("1..%u\n", number);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return 2;
	return failed != 0;
}
