// SPDX-License-Identifier: MIT
/* Ways to execute a guest program: by descriptor, from memory, deleted, through scripts, from threads and 32-bit callers. */
#include "kselftest_harness.h"
#include "test.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

FIXTURE(files) {
	struct run r;
	char dir[PATH_MAX];
};

FIXTURE_SETUP(files)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_NE(NULL, getcwd(self->dir, sizeof(self->dir)));
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(files)
{
	set_runtime(NULL, 0);
	leave_folder();
}

/* Executes the descriptor *arg in place of the exec that follows. */
static int by_descriptor(void *arg)
{
	char *argv[] = { "by-fd", "report", NULL };

	syscall(SYS_execveat, *(int *)arg, "", argv, environ, AT_EMPTY_PATH);
	return errno;
}

static int put_script(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	int ret = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;

	fchmod(fd, 0755);
	close(fd);
	return ret;
}

TEST_F(files, descriptors)
{
	int flags[] = { O_RDONLY, O_RDONLY | O_CLOEXEC, O_PATH, O_PATH | O_CLOEXEC };
	char path[PATH_MAX + 16];
	struct run *r = &self->r;
	size_t i;

	snprintf(path, sizeof(path), "%s/guest", self->dir);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = open("guest", flags[i]);

		ASSERT_GE(fd, 0);
		run(r, ARGV("none"), NULL, by_descriptor, &fd);
		EXPECT_EQ(0, r->error) TH_LOG("flags %x", flags[i]);
		EXPECT_STREQ(path, val(r, "exe"));
		EXPECT_STREQ("by-fd|report", val(r, "cmdline"));
		/* As for a native program: the file's name or, on older kernels, the descriptor's number; never the runtime's. */
		EXPECT_TRUE(!strcmp("guest", val(r, "comm")) || atoi(val(r, "comm")) == fd) TH_LOG("comm %s", val(r, "comm"));
		EXPECT_EQ(0, num(r, "hello"));
		EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_NO_NAME, num(r, "session_flags"));
		EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
		close(fd);
	}
}

TEST_F(files, relative_to_a_folder)
{
	struct run *r = &self->r;
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
	pid_t pid = fork();

	(void)r;
	if (pid == 0) {
		char *argv[] = { "guest", "exit", "9", NULL };

		if (chdir("/"))
			_exit(1);
		syscall(SYS_execveat, fd, "guest", argv, environ, 0);
		_exit(errno);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(9, WEXITSTATUS(status));
}

TEST_F(files, memfd)
{
	Elf64_Ehdr h = guest_header();
	struct run *r = &self->r;
	char path[64];
	int i, fd, ro;

	for (i = 0; i < 2; i++) {
		fd = memfd_create("in memory", i ? MFD_CLOEXEC : 0);
		ASSERT_EQ(0, put_guest(fd, &h));
		run(r, ARGV("none"), NULL, by_descriptor, &fd);
		EXPECT_EQ(0, r->error);
		EXPECT_STREQ("/memfd:in memory (deleted)", val(r, "exe"));
		EXPECT_EQ(0, num(r, "hello"));
		EXPECT_EQ(GUEST_SIZE, num(r, "file_size"));
		/* A second descriptor, really open for writing, refuses it, as for native programs. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ro = open(path, O_RDWR | O_CLOEXEC);
		ASSERT_GE(ro, 0);
		run(r, ARGV("none"), NULL, by_descriptor, &fd);
		EXPECT_EQ(ETXTBSY, r->error);
		close(ro);
		close(fd);
	}
}

TEST_F(files, deleted)
{
	char path[PATH_MAX + 32];
	struct run *r = &self->r;
	int fd;

	ASSERT_EQ(0, make_guest("gone", 0755));
	fd = open("gone", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, unlink("gone"));
	run(r, ARGV("none"), NULL, by_descriptor, &fd);
	snprintf(path, sizeof(path), "%s/gone (deleted)", self->dir);
	EXPECT_STREQ(path, val(r, "exe"));
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
}

TEST_F(files, scripts)
{
	struct run *r = &self->r;
	char text[PATH_MAX + 64], path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/guest", self->dir);
	snprintf(text, sizeof(text), "#!%s/guest report\n", self->dir);
	ASSERT_EQ(0, put_script("one", text));
	run(r, ARGV("./one", "x"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ(path, val(r, "exe"));
	EXPECT_STREQ("one", val(r, "comm"));
	EXPECT_EQ(4, num(r, "argc"));
	EXPECT_STREQ(path, val(r, "argv0"));
	EXPECT_STREQ("report", val(r, "argv1"));
	EXPECT_STREQ("./one", val(r, "argv2"));
	EXPECT_STREQ("x", val(r, "argv3"));
	EXPECT_EQ(0, num(r, "hello"));
	/* A script whose interpreter is a script whose interpreter is a guest. */
	snprintf(text, sizeof(text), "#!%s/one\n", self->dir);
	ASSERT_EQ(0, put_script("two", text));
	run(r, ARGV("./two", "x"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ("report", val(r, "argv1"));
	EXPECT_STREQ("./two", val(r, "argv3"));
	/* By a descriptor that closes on exec the interpreter could not open the script. */
	{
		int fd = open("one", O_RDONLY | O_CLOEXEC);

		run(r, ARGV("none"), NULL, by_descriptor, &fd);
		EXPECT_EQ(ENOENT, r->error);
		close(fd);
	}
}

/* The kernel allows five rewrites; ours is one of them. What matters: an error, and no harm. */
TEST_F(files, script_chain)
{
	struct run *r = &self->r;
	char text[PATH_MAX + 64], name[16];
	int i;

	snprintf(text, sizeof(text), "#!%s/guest exit 6\n", self->dir);
	ASSERT_EQ(0, put_script("s0", "#!./guest exit\n"));
	for (i = 1; i < 8; i++) {
		snprintf(text, sizeof(text), "#!%s/s%d\n", self->dir, i - 1);
		snprintf(name, sizeof(name), "s%d", i);
		ASSERT_EQ(0, put_script(name, text));
	}
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "./s%d", i);
		run(r, ARGV(name), NULL, NULL, NULL);
		if (i <= 2)
			EXPECT_EQ(0, r->error) TH_LOG("script %d", i);
		if (r->error)
			EXPECT_EQ(ELOOP, r->error) TH_LOG("script %d", i);
	}
	EXPECT_EQ(ELOOP, r->error);
	EXPECT_EQ(0, writable_again("guest"));
}

TEST_F(files, nested)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "exec", "./guest", "exec", "./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_STREQ("./guest|report", val(r, "cmdline"));
	/* Into a native program and back: nothing of ours stays in the native one. */
	run(r, ARGV("./guest", "exec", "./rt", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ("none", val(r, "execfd"));
	run(r, ARGV("./guest", "exec", "./rt", "exec", "./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "hello"));
}

TEST_F(files, thread)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "thread-exec", "./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(0, r->status);
	EXPECT_EQ(0, num(r, "hello"));
	run(r, ARGV("./rt", "thread-exec", "./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "hello"));
}

TEST_F(files, fork_in_guest)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "fork-report"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->status);
	EXPECT_EQ(0, num(r, "hello"));
}

TEST_F(files, vfork_and_spawn)
{
	char *argv[] = { "./guest", "exit", "11", NULL };
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			execv("./guest", argv);
			_exit(1);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(11, WEXITSTATUS(status));
		ASSERT_EQ(0, posix_spawn(&pid, "./guest", NULL, NULL, argv, environ));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(11, WEXITSTATUS(status));
	}
}

/* Who shares the table of descriptors keeps his own when the other executes. */
static int shares_files(void *arg)
{
	char *argv[] = { "./guest", "exit", "12", NULL };

	execv("./guest", argv);
	return errno;
}

TEST_F(files, shared_table)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), status, i, before = 0, after = 0;
	pid_t pid;

	for (i = 0; i < 64; i++)
		before += fcntl(i, F_GETFD) >= 0;
	pid = clone(shares_files, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(12, WEXITSTATUS(status));
	EXPECT_LE(0, fcntl(fd, F_GETFD));
	for (i = 0; i < 64; i++)
		after += fcntl(i, F_GETFD) >= 0;
	EXPECT_EQ(before, after);
}

TEST_F(files, compat_caller)
{
	struct run *r = &self->r;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/exec32", self_dir());
	run(r, ARGV("exec32", "./guest", "report"), path, NULL, NULL);
	if (r->error == ENOEXEC)
		SKIP(return, "this kernel runs no 32-bit programs");
	EXPECT_EQ(0, r->status) TH_LOG("status %x", r->status);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_STREQ("./guest|report", val(r, "cmdline"));
}

static int limit_files(void *arg)
{
	struct rlimit l = { *(int *)arg, *(int *)arg };

	return setrlimit(RLIMIT_NOFILE, &l) ? errno : 0;
}

/* With few descriptors left an exec works or says why; nobody is killed beyond the point of no return. */
TEST_F(files, few_descriptors)
{
	struct run *r = &self->r;
	int n, worked = 0, refused = 0;

	for (n = 0; n < 16; n++) {
		run(r, ARGV("./guest", "exit", "13"), NULL, limit_files, &n);
		EXPECT_FALSE(WIFSIGNALED(r->status)) TH_LOG("limit %d: signal %d", n, WTERMSIG(r->status));
		if (r->error) {
			EXPECT_EQ(EMFILE, r->error) TH_LOG("limit %d", n);
			refused++;
		} else {
			EXPECT_EQ(13, WEXITSTATUS(r->status)) TH_LOG("limit %d", n);
			worked++;
		}
	}
	EXPECT_LT(0, worked);
	EXPECT_LT(0, refused);
	EXPECT_EQ(0, writable_again("guest"));
}

static int limit_slowly(void *arg)
{
	struct rlimit l = { 64, 64 };

	(void)arg;
	return setrlimit(RLIMIT_NOFILE, &l) ? errno : 0;
}

/* Somebody lowers the limit while the exec is under way: it works or the process ends, without a word in the kernel's log. */
TEST_F(files, limit_changes)
{
	struct rlimit none = { 0, 64 }, all = { 64, 64 };
	struct run *r = &self->r;
	pid_t pid;

	for (int i = 0; i < 60; i++) {
		int go[2], status;

		ASSERT_EQ(0, pipe(go));
		pid = fork();
		if (pid == 0) {
			char *argv[] = { "./guest", "exit", "13", NULL }, c;

			limit_slowly(NULL);
			if (read(go[0], &c, 1) == 1)
				execv(argv[0], argv);
			_exit(13);
		}
		usleep(1000);
		ASSERT_EQ(1, write(go[1], "g", 1));
		/* Each time a little later. */
		for (unsigned long long until = now_ns() + i * 50000ull; now_ns() < until;)
			;
		for (int n = 0; n < 200 && !waitpid(pid, &status, WNOHANG); n++) {
			prlimit(pid, RLIMIT_NOFILE, &none, NULL);
			prlimit(pid, RLIMIT_NOFILE, &all, NULL);
			if (n == 199)
				waitpid(pid, &status, 0);
		}
		EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 13) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV))
			TH_LOG("status %x", status);
		close(go[0]);
		close(go[1]);
	}
	run(r, ARGV("./guest", "exit", "13"), NULL, NULL, NULL);
	EXPECT_EQ(13, WEXITSTATUS(r->status));
	EXPECT_EQ(0, writable_again("guest"));
}

TEST_F(files, refused)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("plain", 0644));
	run(r, ARGV("./plain"), NULL, NULL, NULL);
	EXPECT_EQ(EACCES, r->error);
	ASSERT_EQ(0, mkdir("no", 0755));
	ASSERT_EQ(0, mount("no", "no", "tmpfs", MS_NOEXEC, NULL));
	ASSERT_EQ(0, make_guest("no/guest", 0755));
	run(r, ARGV("no/guest"), NULL, NULL, NULL);
	EXPECT_EQ(EACCES, r->error);
	umount("no");
}

TEST_F(files, arguments)
{
	struct run *r = &self->r;
	char *big = malloc(120001), *none[] = { NULL }, **many;
	int i;

	memset(big, 'x', 120000);
	big[120000] = 0;
	run(r, ARGV("./guest", "exit", "14", big, big, big), NULL, NULL, NULL);
	EXPECT_EQ(14, WEXITSTATUS(r->status));
	many = calloc(40, sizeof(*many));
	many[0] = "./guest";
	for (i = 1; i < 39; i++)
		many[i] = big;
	run(r, many, NULL, NULL, NULL);
	EXPECT_EQ(E2BIG, r->error);
	/* Without an argv[0] the kernel gives an empty one. */
	run(r, none, "./guest", NULL, NULL);
	EXPECT_EQ(0, r->status);
	EXPECT_EQ(0, num(r, "hello"));
	free(many);
	free(big);
}

/* A tracer sees the guest program at the exec event. */
TEST_F(files, ptrace_event)
{
	char link[64], exe[PATH_MAX] = "", path[PATH_MAX + 16];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execl("./guest", "./guest", "exit", "15", NULL);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGTRAP | PTRACE_EVENT_EXEC << 8, status >> 8);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	ASSERT_LT(0, readlink(link, exe, sizeof(exe) - 1));
	snprintf(path, sizeof(path), "%s/guest", self->dir);
	EXPECT_STREQ(path, exe);
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(15, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
