// SPDX-License-Identifier: MIT
/* Which programs the module takes, and what a process that it started looks like. */
#include "kselftest_harness.h"
#include "test.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>

FIXTURE(identity) {
	struct run r;
	char dir[PATH_MAX];
};

FIXTURE_SETUP(identity)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_NE(NULL, getcwd(self->dir, sizeof(self->dir)));
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
}

FIXTURE_TEARDOWN(identity)
{
	set_runtime(NULL, 0);
	leave_folder();
}

TEST_F(identity, report)
{
	struct run *r = &self->r;
	char path[PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/guest", self->dir);
	setenv("DRAGOMAN_TEST", "kept", 1);
	run(r, ARGV("odd name", "report", "a b", ""), path, NULL, NULL);
	ASSERT_EQ(0, r->status) TH_LOG("%s", r->out);
	EXPECT_STREQ(path, val(r, "exe"));
	EXPECT_STREQ("guest", val(r, "comm"));
	EXPECT_STREQ("odd name|report|a b|", val(r, "cmdline"));
	EXPECT_STREQ("kept", val(r, "env"));
	EXPECT_EQ(4, num(r, "argc"));
	EXPECT_STREQ("odd name", val(r, "argv0"));
	EXPECT_STREQ(path, val(r, "execfn"));
	EXPECT_EQ(0, num(r, "secure"));
	EXPECT_EQ(1, num(r, "dumpable"));
	EXPECT_STREQ("0,0,0,0", val(r, "ids"));
	EXPECT_STREQ("0,0,0,0", val(r, "aux_ids"));
	EXPECT_EQ(1, num(r, "end"));
	/* The session. */
	EXPECT_EQ(1, num(r, "cloexec"));
	ASSERT_EQ(0, num(r, "hello"));
	EXPECT_EQ(DRAGOMAN_SESSION_EXEC, num(r, "session_flags"));
	ASSERT_EQ(0, stat("guest", &st));
	EXPECT_EQ((long)st.st_ino, num(r, "file_ino"));
	EXPECT_EQ((long)st.st_ino, num(r, "image_ino"));
	EXPECT_EQ(GUEST_SIZE, num(r, "file_size"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
	EXPECT_EQ(O_RDONLY, num(r, "image_mode"));
}

/* Only 0, 1, 2 and the session: nothing of the exec's own is left open. */
TEST_F(identity, descriptors)
{
	struct run *r = &self->r;
	char want[32];

	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	snprintf(want, sizeof(want), "0,1,2,%ld,", num(r, "execfd"));
	/* The harness may have open ones of its own: the guest has those, and one more. */
	EXPECT_NE(NULL, strstr(val(r, "fds"), want + 6)) TH_LOG("fds=%s execfd=%s", val(r, "fds"), val(r, "execfd"));
	EXPECT_GT(num(r, "execfd"), 2);
}

struct header_case {
	const char *name;
	int offset, size;
	unsigned int value;
	bool taken;
};

static const struct header_case header_cases[] = {
	{ "as it is", EI_VERSION, 1, EV_CURRENT, true },
	{ "ET_DYN", offsetof(Elf64_Ehdr, e_type), 2, ET_DYN, true },
	{ "OS/ABI GNU", EI_OSABI, 1, ELFOSABI_GNU, true },
	{ "ET_REL", offsetof(Elf64_Ehdr, e_type), 2, ET_REL, false },
	{ "ET_CORE", offsetof(Elf64_Ehdr, e_type), 2, ET_CORE, false },
	{ "ET_NONE", offsetof(Elf64_Ehdr, e_type), 2, ET_NONE, false },
	{ "OS/ABI FreeBSD", EI_OSABI, 1, ELFOSABI_FREEBSD, false },
	{ "OS/ABI 255", EI_OSABI, 1, 255, false },
	{ "32-bit class", EI_CLASS, 1, ELFCLASS32, false },
	{ "no class", EI_CLASS, 1, 0, false },
	{ "big-endian", EI_DATA, 1, ELFDATA2MSB, false },
	{ "bad magic", 1, 1, 'F', false },
	{ "machine ARM", offsetof(Elf64_Ehdr, e_machine), 2, EM_ARM, false },
	{ "machine 0", offsetof(Elf64_Ehdr, e_machine), 2, 0, false },
	{ "machine byte-swapped", offsetof(Elf64_Ehdr, e_machine), 2, 0xb700, false },
	{ "machine 65535", offsetof(Elf64_Ehdr, e_machine), 2, 65535, false },
};

TEST_F(identity, headers)
{
	struct run *r = &self->r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(header_cases); i++) {
		const struct header_case *c = &header_cases[i];
		Elf64_Ehdr h = guest_header();

		memcpy((char *)&h + c->offset, &c->value, c->size);
		ASSERT_EQ(0, make_guest_as("odd", 0755, &h));
		run(r, ARGV("./odd", "exit", "7"), NULL, NULL, NULL);
		if (c->taken) {
			EXPECT_EQ(0, r->error) TH_LOG("%s", c->name);
			EXPECT_EQ(7, WEXITSTATUS(r->status)) TH_LOG("%s: status %x", c->name, r->status);
		} else {
			EXPECT_EQ(ENOEXEC, r->error) TH_LOG("%s: status %x", c->name, r->status);
		}
	}
}

/* A file that ends within the header is nobody's. */
TEST_F(identity, short_files)
{
	struct run *r = &self->r;
	int sizes[] = { 0, 1, 4, 16, 18, 19, 20, 32, 63 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, make_guest("short", 0755));
		ASSERT_EQ(0, truncate("short", sizes[i]));
		run(r, ARGV("./short", "exit", "7"), NULL, NULL, NULL);
		EXPECT_EQ(ENOEXEC, r->error) TH_LOG("%d bytes: status %x", sizes[i], r->status);
	}
}

TEST_F(identity, no_runtime_falls_through)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, set_runtime(NULL, 0));
	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(ENOEXEC, r->error);
	ASSERT_EQ(0, set_runtime("rt", 0));
	run(r, ARGV("./guest", "exit", "3"), NULL, NULL, NULL);
	EXPECT_EQ(3, WEXITSTATUS(r->status));
}

TEST_F(identity, sysfs_switch)
{
	const char *enabled = SYSFS "/guest-aarch64/enabled";
	struct run *r = &self->r;
	long long execs;

	ASSERT_EQ(1, read_number(enabled));
	EXPECT_EQ(1, read_number(SYSFS "/guest-aarch64/runtime"));
	EXPECT_EQ(EM_AARCH64_, read_number(SYSFS "/guest-aarch64/machine"));
	execs = read_number(SYSFS "/guest-aarch64/execs");
	run(r, ARGV("./guest", "exit", "3"), NULL, NULL, NULL);
	EXPECT_EQ(3, WEXITSTATUS(r->status));
	EXPECT_EQ(execs + 1, read_number(SYSFS "/guest-aarch64/execs"));
	EXPECT_EQ(-EINVAL, write_text(enabled, "2"));
	EXPECT_EQ(-EINVAL, write_text(enabled, "maybe"));
	ASSERT_EQ(0, write_text(enabled, "0"));
	run(r, ARGV("./guest", "exit", "3"), NULL, NULL, NULL);
	EXPECT_EQ(0, write_text(enabled, "1\n"));
	EXPECT_EQ(ENOEXEC, r->error);
	run(r, ARGV("./guest", "exit", "3"), NULL, NULL, NULL);
	EXPECT_EQ(3, WEXITSTATUS(r->status));
	ASSERT_EQ(0, set_runtime(NULL, 0));
	EXPECT_EQ(0, read_number(SYSFS "/guest-aarch64/runtime"));
}

TEST_F(identity, set_runtime_errors)
{
	struct dragoman_set_runtime s = { .size = sizeof(s), .machine = EM_AARCH64_, .elf_class = ELFCLASS64,
					  .elf_data = ELFDATA2LSB, .fd = -1 };
	int ctl = ctl_open(DRAGOMAN_ROLE_ADMIN, NULL), p[2];

	ASSERT_GE(ctl, 0);
	ASSERT_EQ(0, pipe(p));
	EXPECT_EQ(-ENOEXEC, set_runtime("guest", 0));
	s.fd = open("rt", O_PATH);
	EXPECT_EQ(-EBADF, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.fd = open(".", O_RDONLY);
	EXPECT_GT(0, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.fd = p[0];
	EXPECT_GT(0, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.fd = 9999;
	EXPECT_EQ(-EBADF, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.fd = -2;
	EXPECT_GT(0, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.fd = open("rt", O_RDONLY);
	s.machine = EM_SPARC;
	EXPECT_EQ(-ENOENT, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.machine = EM_AARCH64_, s.elf_class = ELFCLASS32;
	EXPECT_EQ(-ENOENT, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.elf_class = ELFCLASS64, s.elf_data = ELFDATA2MSB;
	EXPECT_EQ(-ENOENT, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	s.elf_data = ELFDATA2LSB, s.flags = 0x80;
	EXPECT_EQ(-EINVAL, dg(ctl, DRAGOMAN_IOC_SET_RUNTIME, &s));
	/* None of these has changed what is registered. */
	run(&self->r, ARGV("./guest", "exit", "3"), NULL, NULL, NULL);
	EXPECT_EQ(3, WEXITSTATUS(self->r.status));
}

/* On a mount without exec a runtime cannot be registered. */
TEST_F(identity, runtime_noexec)
{
	ASSERT_EQ(0, mkdir("no", 0755));
	ASSERT_EQ(0, mount("no", "no", "tmpfs", MS_NOEXEC, NULL));
	ASSERT_EQ(0, copy_file("rt", "no/rt", 0755));
	EXPECT_EQ(-EACCES, set_runtime("no/rt", 0));
	umount("no");
}

/* A program that runs keeps its runtime when that is replaced or its file is gone. */
TEST_F(identity, runtime_replaced)
{
	struct run *r = &self->r;

	ASSERT_EQ(0, copy_file("rt", "rt2", 0755));
	ASSERT_EQ(0, set_runtime("rt2", 0));
	ASSERT_EQ(0, unlink("rt2"));
	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(0, copy_file("rt", "rt3", 0755));
	ASSERT_EQ(0, set_runtime("rt3", 0));
	run(r, ARGV("./guest", "exec", "./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(0, r->status);
	ASSERT_EQ(0, set_runtime("rt", 0));
	EXPECT_EQ(0, writable_again("rt3"));
}

TEST_F(identity, busy_files)
{
	struct run *r = &self->r;
	int fd, p[2];
	pid_t pid;
	char c;

	/* A guest that is open for writing. */
	fd = open("guest", O_WRONLY | O_CLOEXEC);
	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(ETXTBSY, r->error);
	close(fd);

	ASSERT_EQ(0, pipe(p));
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl("./guest", "./guest", "sleep", NULL);
		_exit(1);
	}
	EXPECT_EQ(1, read(p[0], &c, 1));
	EXPECT_EQ(-1, open("guest", O_WRONLY));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, open("rt", O_WRONLY));
	EXPECT_EQ(ETXTBSY, errno);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, writable_again("guest"));
	EXPECT_EQ(0, set_runtime(NULL, 0));
	EXPECT_EQ(0, writable_again("rt"));
}

/* i_writecount balances after many execs, failed ones too. */
TEST_F(identity, writers_balance)
{
	struct run *r = &self->r;
	int i;

	for (i = 0; i < 50; i++)
		run(r, ARGV("./guest", "exit", "0"), NULL, NULL, NULL);
	for (i = 0; i < 20; i++) {
		run(r, ARGV("./guest", "exec", "./nothing"), NULL, NULL, NULL);
		EXPECT_EQ(ENOENT, r->error);
	}
	EXPECT_EQ(0, writable_again("guest"));
	run(r, ARGV("./guest", "exit", "5"), NULL, NULL, NULL);
	EXPECT_EQ(5, WEXITSTATUS(r->status));
	ASSERT_EQ(0, set_runtime(NULL, 0));
	EXPECT_EQ(0, writable_again("rt"));
}

TEST_F(identity, core_file)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char pattern[64] = "", *core = NULL;
	struct run *r = &self->r;
	struct stat st;
	int fd;

	fd = open("/proc/sys/kernel/core_pattern", O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_LT(0, read(fd, pattern, sizeof(pattern) - 1));
	ASSERT_EQ(4, pwrite(fd, "core", 4, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &all));
	run(r, ARGV("./guest", "abort", "now"), NULL, NULL, NULL);
	EXPECT_LT(0, pwrite(fd, pattern, strlen(pattern), 0));
	close(fd);
	EXPECT_TRUE(WIFSIGNALED(r->status));
	EXPECT_EQ(SIGABRT, WTERMSIG(r->status));
	EXPECT_TRUE(WCOREDUMP(r->status));
	fd = open("core", O_RDONLY);
	if (fd < 0) {
		char name[64];

		snprintf(name, sizeof(name), "sh -c 'mv core.* core'");
		EXPECT_EQ(0, system(name));
		fd = open("core", O_RDONLY);
	}
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_GT(st.st_size, 4096);
	core = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)core);
	EXPECT_EQ(ET_CORE, ((Elf64_Ehdr *)core)->e_type);
	/* NT_PRPSINFO names the guest program and its arguments. */
	EXPECT_NE(NULL, memmem(core, st.st_size < 65536 ? st.st_size : 65536, "guest\0\0\0", 8));
	EXPECT_NE(NULL, memmem(core, st.st_size < 65536 ? st.st_size : 65536, "./guest abort now", 17));
}

/* Sends to the audit system and waits for its answer: 0 or -errno. */
static int audit_say(int nl, int type, const void *data, unsigned int size)
{
	struct {
		struct nlmsghdr h;
		char data[8192];
	} m = { .h = { .nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	struct timeval patience = { 10, 0 };

	memcpy(m.data, data, size);
	setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(nl, &m, m.h.nlmsg_len, 0) < 0)
		return -errno;
	while (recv(nl, &m, sizeof(m), 0) > 0)
		if (m.h.nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)m.data)->error;
	return -ETIMEDOUT;
}

/* What an audit daemon hears: the guest program, nothing of its runtime. */
TEST_F(identity, audit)
{
	struct audit_status on = { .mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_PID, .enabled = 1, .pid = getpid() };
	struct audit_status off = { .mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_PID };
	struct { struct audit_rule_data r; char space[64]; } rule = { .r = {
		.flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS, .field_count = 1, .fields = { AUDIT_ARCH },
		.fieldflags = { AUDIT_EQUAL }, .values = { AUDIT_ARCH_X86_64 } } };
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT), records = 0, ret;
	char exe[PATH_MAX + 16], dir[PATH_MAX], number[32];
	struct timeval patience = { 3, 0 };
	struct run *r = &self->r;
	struct {
		struct nlmsghdr h;
		char data[8192];
	} m;

	if (nl < 0)
		SKIP(return, "no audit in this kernel");
	ret = audit_say(nl, AUDIT_SET, &on, sizeof(on));
	if (ret)
		SKIP(return, "audit is somebody else's here: %s", strerror(-ret));
	rule.r.mask[__NR_execve / 32] = 1u << (__NR_execve % 32);
	ASSERT_EQ(0, audit_say(nl, AUDIT_ADD_RULE, &rule, sizeof(rule.r)));
	run(r, ARGV("./guest", "exit", "7"), NULL, NULL, NULL);
	EXPECT_EQ(7, WEXITSTATUS(r->status));
	ASSERT_NE(NULL, getcwd(dir, sizeof(dir)));
	snprintf(exe, sizeof(exe), "exe=\"%s/guest\"", dir);
	snprintf(number, sizeof(number), " syscall=%d ", __NR_execve);
	setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	memset(&m, 0, sizeof(m));
	while ((ret = recv(nl, &m, sizeof(m) - 1, 0)) > 0) {
		((char *)&m)[ret] = 0;
		if (m.h.nlmsg_type == AUDIT_SYSCALL) {
			/* Where audit has been on before, our own message to it is heard of, too. */
			if (!strstr(m.data, number))
				continue;
			EXPECT_NE(NULL, strstr(m.data, exe)) TH_LOG("%s", m.data);
			EXPECT_NE(NULL, strstr(m.data, "comm=\"guest\"")) TH_LOG("%s", m.data);
			records |= 1;
		} else if (m.h.nlmsg_type == AUDIT_EXECVE) {
			EXPECT_NE(NULL, strstr(m.data, "argc=3 a0=\"./guest\" a1=\"exit\" a2=\"7\"")) TH_LOG("%s", m.data);
			records |= 2;
		}
	}
	EXPECT_EQ(3, records);
	EXPECT_EQ(0, audit_say(nl, AUDIT_DEL_RULE, &rule, sizeof(rule.r)));
	EXPECT_EQ(0, audit_say(nl, AUDIT_SET, &off, sizeof(off)));
	close(nl);
}

/* A live guest holds the module. */
TEST_F(identity, unload_refused)
{
	int p[2], i;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(p));
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl("./guest", "./guest", "sleep", NULL);
		_exit(1);
	}
	ASSERT_EQ(1, read(p[0], &c, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1, syscall(SYS_delete_module, "dragoman", O_NONBLOCK));
		EXPECT_TRUE(errno == EAGAIN || errno == EBUSY) TH_LOG("errno %d", errno);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_F(identity, many_at_once)
{
	int i, status, bad = 0;
	pid_t pid[20];

	for (i = 0; i < 20; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char n[8];

			snprintf(n, sizeof(n), "%d", i);
			execl("./guest", "./guest", "exit", n, NULL);
			_exit(99);
		}
	}
	for (i = 0; i < 20; i++)
		if (waitpid(pid[i], &status, 0) != pid[i] || WEXITSTATUS(status) != i)
			bad++;
	EXPECT_EQ(0, bad);
}

TEST_HARNESS_MAIN
