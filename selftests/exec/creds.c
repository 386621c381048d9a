// SPDX-License-Identifier: MIT
/* Whose privileges a guest program gets, and who may look at it. */
#include "kselftest_harness.h"
#include "test.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/ptrace.h>
#include <sys/xattr.h>

#define USER	1000
#define GROUP	1001

FIXTURE(creds) {
	struct run r;
};

FIXTURE_SETUP(creds)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(creds)
{
	set_runtime(NULL, 0);
	leave_folder();
}

static int be_user(void *arg)
{
	if (setgroups(0, NULL) || setresgid(GROUP, GROUP, GROUP) || setresuid(USER, USER, USER))
		return errno;
	return 0;
}

static int be_user_no_new_privs(void *arg)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return errno;
	return be_user(arg);
}

/* A user namespace where only USER is mapped, to itself. */
static int be_user_in_namespace(void *arg)
{
	char map[64];
	int ret = be_user(arg);

	/* After a change of ids the process's own maps belong to root, unless it is dumpable. */
	prctl(PR_SET_DUMPABLE, 1);
	if (!ret && unshare(CLONE_NEWUSER))
		ret = errno;
	snprintf(map, sizeof(map), "%d %d 1", USER, USER);
	if (!ret)
		ret = -write_text("/proc/self/setgroups", "deny");
	if (!ret)
		ret = -write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%d %d 1", GROUP, GROUP);
	if (!ret)
		ret = -write_text("/proc/self/gid_map", map);
	return ret;
}

static const char *full_caps(void)
{
	static char caps[32];
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapBnd: %31s", caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps;
}

TEST_F(creds, plain_user)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "aux_ids"));
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
	EXPECT_EQ(0, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC, num(r, "session_flags"));
}

TEST_F(creds, setuid_root)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("su", 04755));
	run(r, ARGV("./su", "report"), NULL, be_user, NULL);
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("1000,0,1001,1001", val(r, "ids"));
	EXPECT_STREQ("1000,0,1001,1001", val(r, "aux_ids"));
	EXPECT_STREQ(full_caps(), val(r, "capeff"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_NE(1, num(r, "dumpable"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_SECURE, num(r, "session_flags"));
	EXPECT_EQ(DRAGOMAN_FILE_TRUSTED, num(r, "file_flags"));
	/* Root gains nothing by it. */
	run(r, ARGV("./su", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC, num(r, "session_flags"));
}

TEST_F(creds, setuid_other)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("su", 0755));
	ASSERT_EQ(0, chown("su", 2000, 2001));
	ASSERT_EQ(0, chmod("su", 06755));
	run(r, ARGV("./su", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,2000,1001,2001", val(r, "ids"));
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(0, num(r, "file_flags") & DRAGOMAN_FILE_TRUSTED);
}

TEST_F(creds, setgid)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("sg", 0755));
	ASSERT_EQ(0, chown("sg", 0, 2001));
	ASSERT_EQ(0, chmod("sg", 02755));
	run(r, ARGV("./sg", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,2001", val(r, "ids"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_SECURE, num(r, "session_flags"));
	/* Without execute permission for the group it means something else, and gives nothing. */
	ASSERT_EQ(0, chmod("sg", 02745));
	run(r, ARGV("./sg", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_EQ(0, num(r, "secure"));
}

TEST_F(creds, file_capabilities)
{
	struct vfs_cap_data cap = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };
	struct run *r = &self->r;

	cap.data[0].permitted = 1u << CAP_NET_ADMIN;
	ASSERT_EQ(0, make_guest("caps", 0755));
	if (setxattr("caps", "security.capability", &cap, sizeof(cap), 0))
		SKIP(return, "this file system has no capabilities: %s", strerror(errno));
	run(r, ARGV("./caps", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("0000000000001000", val(r, "capeff"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_SECURE, num(r, "session_flags"));
	run(r, ARGV("./caps", "report"), NULL, be_user_no_new_privs, NULL);
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
}

/* The runtime's own bits give nothing: neither to its guests nor to itself. */
TEST_F(creds, runtime_bits)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, chmod("rt", 04755));
	run(r, ARGV("./guest", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
	ASSERT_EQ(0, chmod("rt", 0755));
}

TEST_F(creds, not_registered_for_it)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, set_runtime("rt", 0));
	ASSERT_EQ(0, make_guest("su", 04755));
	run(r, ARGV("./su", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
}

TEST_F(creds, no_new_privs)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("su", 06755));
	run(r, ARGV("./su", "report"), NULL, be_user_no_new_privs, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
	EXPECT_EQ(1, num(r, "no_new_privs"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC, num(r, "session_flags"));
}

TEST_F(creds, nosuid_mount)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, mkdir("no", 0755));
	ASSERT_EQ(0, mount("no", "no", "tmpfs", MS_NOSUID, "mode=0755"));
	ASSERT_EQ(0, make_guest("no/su", 06755));
	run(r, ARGV("no/su", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_EQ(0, num(r, "secure"));
	umount("no");
}

TEST_F(creds, user_namespace)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("su", 04755));
	run(r, ARGV("./su", "report"), NULL, be_user_in_namespace, NULL);
	if (r->error == EPERM || r->error == ENOSPC)
		SKIP(return, "no user namespaces for users here");
	EXPECT_EQ(0, r->error);
	/* root is not mapped: the bit is without effect. */
	EXPECT_STREQ("1000,1000,1001,1001", val(r, "ids"));
	EXPECT_EQ(0, num(r, "hello"));
}

/* A container whose users 0 to 9 are 1000 to 1009 outside; we are 5 in it. The map has to come from outside. */
static int be_in_container(void *arg)
{
	char path[64], c = 0;
	int p[2], status;
	pid_t helper;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", getpid());
	if (pipe(p))
		return errno;
	helper = fork();
	if (helper == 0) {
		if (read(p[0], &c, 1) != 1 || write_text(path, "0 1000 10"))
			_exit(1);
		memcpy(strstr(path, "uid_map"), "gid_map", 7);
		_exit(write_text(path, "0 1000 10") ? 1 : 0);
	}
	if (unshare(CLONE_NEWUSER))
		return errno;
	if (write(p[1], "u", 1) != 1 || waitpid(helper, &status, 0) != helper || status)
		return EIO;
	close(p[0]);
	close(p[1]);
	return setgroups(0, NULL) || setresgid(5, 5, 5) || setresuid(5, 5, 5) ? errno : 0;
}

/* The bits of a file that belongs to the container's root count inside, and give what is inside. */
TEST_F(creds, setuid_in_container)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("su", 0755));
	ASSERT_EQ(0, chown("su", 1000, 1000));
	ASSERT_EQ(0, chmod("su", 04755));
	run(r, ARGV("./su", "report"), NULL, be_in_container, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ("5,0,5,5", val(r, "ids"));
	EXPECT_STREQ("5,0,5,5", val(r, "aux_ids"));
	EXPECT_STREQ(full_caps(), val(r, "capeff"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_SECURE, num(r, "session_flags"));
	/* The container's root is a user like others: no object for a privileged program. */
	EXPECT_EQ(0, num(r, "file_flags"));
}

/* Capabilities that a container's root gave to a file: inside, and only there. */
TEST_F(creds, capabilities_of_container)
{
	struct vfs_ns_cap_data cap = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE, .rootid = 1000 };
	struct run *r = &self->r;

	cap.data[0].permitted = 1u << CAP_NET_ADMIN;
	ASSERT_EQ(0, make_guest("caps", 0755));
	if (setxattr("caps", "security.capability", &cap, sizeof(cap), 0))
		SKIP(return, "this file system has no capabilities: %s", strerror(errno));
	run(r, ARGV("./caps", "report"), NULL, be_in_container, NULL);
	EXPECT_STREQ("5,5,5,5", val(r, "ids"));
	EXPECT_STREQ("0000000000001000", val(r, "capeff"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_SECURE, num(r, "session_flags"));
	run(r, ARGV("./caps", "report"), NULL, be_user, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ("0000000000000000", val(r, "capeff"));
	EXPECT_EQ(0, num(r, "secure"));
}

/* Executable, not readable: runs; only its runtime may read it. */
TEST_F(creds, unreadable)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, make_guest("hidden", 0711));
	run(r, ARGV("./hidden", "report"), NULL, be_user, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_NE(1, num(r, "dumpable"));
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC | DRAGOMAN_SESSION_UNREADABLE, num(r, "session_flags"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
	/* Set-user-ID as well: its new user (root) may read it. */
	ASSERT_EQ(0, chmod("hidden", 04711));
	run(r, ARGV("./hidden", "report"), NULL, be_user, NULL);
	EXPECT_STREQ("1000,0,1001,1001", val(r, "ids"));
	EXPECT_EQ(1, num(r, "secure"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
}

static pid_t start_sleeper(const char *path, int out)
{
	pid_t pid = fork();

	if (pid == 0) {
		dup2(out, 1);
		if (be_user(NULL))
			_exit(1);
		execl(path, path, "sleep", NULL);
		_exit(1);
	}
	return pid;
}

/* The same user may look into his plain guests, not into those that are unreadable or have gained. */
TEST_F(creds, attach)
{
	struct {
		const char *name;
		int mode;
		bool allowed;
	} c[] = { { "plain", 0755, true }, { "hidden", 0711, false }, { "gained", 04755, false } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		char path[32], b;
		int p[2], status;
		pid_t pid, tracer;

		snprintf(path, sizeof(path), "./%s", c[i].name);
		ASSERT_EQ(0, make_guest(path, c[i].mode));
		ASSERT_EQ(0, pipe(p));
		pid = start_sleeper(path, p[1]);
		ASSERT_EQ(1, read(p[0], &b, 1));
		tracer = fork();
		if (tracer == 0) {
			char mem[64];
			long ret;

			be_user(NULL);
			ret = ptrace(PTRACE_SEIZE, pid, 0, 0) ? errno : 0;
			snprintf(mem, sizeof(mem), "/proc/%d/maps", pid);
			if (!ret != (access(mem, R_OK) == 0 && open(mem, O_RDONLY) >= 0))
				_exit(200);
			_exit(ret);
		}
		ASSERT_EQ(tracer, waitpid(tracer, &status, 0));
		EXPECT_EQ(c[i].allowed ? 0 : EPERM, WEXITSTATUS(status)) TH_LOG("%s", c[i].name);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(p[0]);
		close(p[1]);
	}
}

/* What a user's ./su prints that is traced by a process of the user's or of root's; its status. */
static int run_traced(bool by_user, char *out, int size)
{
	int p[2], status, n = 0, got;
	pid_t tracer;

	if (pipe(p))
		return -errno;
	tracer = fork();
	if (tracer == 0) {
		pid_t pid;

		if (by_user)
			be_user(NULL);
		pid = fork();
		if (pid == 0) {
			dup2(p[1], 1);
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			if (!by_user)
				be_user(NULL);
			execl("./su", "./su", "report", NULL);
			_exit(1);
		}
		while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, pid, 0, 0);
		_exit(WEXITSTATUS(status));
	}
	close(p[1]);
	while (n < size - 1 && (got = read(p[0], out + n, size - 1 - n)) > 0)
		n += got;
	out[n] = 0;
	close(p[0]);
	return waitpid(tracer, &status, 0) == tracer ? status : -ECHILD;
}

/* A program that is traced by somebody without privilege gains nothing. */
TEST_F(creds, traced)
{
	char out[4096];

	ASSERT_EQ(0, make_guest("su", 04755));
	EXPECT_EQ(0, run_traced(true, out, sizeof(out)));
	EXPECT_NE(NULL, strstr(out, "\nids=1000,1000,1001,1001\n")) TH_LOG("%s", out);
	/* Root may watch. */
	EXPECT_EQ(0, run_traced(false, out, sizeof(out)));
	EXPECT_NE(NULL, strstr(out, "\nids=1000,0,1001,1001\n")) TH_LOG("%s", out);
	EXPECT_NE(NULL, strstr(out, "\nsecure=1\n")) TH_LOG("%s", out);
}

/* The node for the server is root's alone, also where somebody is root of a namespace. */
TEST_F(creds, nodes)
{
	struct stat st;
	int status;
	pid_t pid;

	ASSERT_EQ(0, stat(CTL_NODE, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	ASSERT_EQ(0, stat(CLIENT_NODE, &st));
	EXPECT_EQ(0666, st.st_mode & 07777);
	ASSERT_EQ(0, chmod(CTL_NODE, 0666));
	pid = fork();
	if (pid == 0) {
		int fd;

		be_user(NULL);
		if (open(CTL_NODE, O_RDWR) >= 0 || errno != EPERM)
			_exit(1);
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER) == 0 && (open(CTL_NODE, O_RDWR) >= 0 || errno != EPERM))
			_exit(2);
		fd = open(CLIENT_NODE, O_RDWR);
		if (fd < 0)
			_exit(3);
		if (ioctl(fd, DRAGOMAN_IOC_SESSION, 0) < 0)
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, chmod(CTL_NODE, 0600));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
