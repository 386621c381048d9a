// SPDX-License-Identifier: MIT
/* Guests in namespaces, chroots, without /proc and /dev, on overlays. */
#include "kselftest_harness.h"
#include "test.h"

#include <sys/sysmacros.h>

FIXTURE(spaces) {
	struct run r;
};

FIXTURE_SETUP(spaces)
{
	if (cannot_run())
		SKIP(return, "%s", cannot_run());
	ASSERT_EQ(0, enter_folder());
	ASSERT_EQ(0, set_runtime("rt", DRAGOMAN_RUNTIME_CREDENTIALS));
	ASSERT_EQ(0, mkdir("root", 0755));
	ASSERT_EQ(0, mount("root", "root", "tmpfs", 0, "mode=0755"));
	ASSERT_EQ(0, make_guest("root/guest", 0755));
}

FIXTURE_TEARDOWN(spaces)
{
	set_runtime(NULL, 0);
	umount2("root", MNT_DETACH);
	leave_folder();
}

static int to_chroot(void *arg)
{
	return chroot("root") || chdir("/") ? errno : 0;
}

TEST_F(spaces, chroot_without_anything)
{
	struct run *r = &self->r;

	run(r, ARGV("/guest", "report"), NULL, to_chroot, NULL);
	EXPECT_EQ(0, r->status);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_STREQ("/guest", val(r, "execfn"));
	EXPECT_STREQ("(none)", val(r, "exe"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
}

static int to_proc(void *arg)
{
	if (to_chroot(arg) || mkdir("/proc", 0755) || mount("proc", "/proc", "proc", 0, NULL))
		return errno;
	return 0;
}

TEST_F(spaces, chroot_with_proc)
{
	struct run *r = &self->r;

	run(r, ARGV("/guest", "report"), NULL, to_proc, NULL);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_STREQ("/guest", val(r, "exe"));
	EXPECT_STREQ("guest", val(r, "comm"));
	umount("root/proc");
}

static int to_pivot(void *arg)
{
	/* The root of an initramfs cannot be pivoted away: go to an ordinary mount first. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return errno;
	if (chroot(".") || chdir("/") || mkdir("root/old", 0755))
		return errno;
	if (syscall(SYS_pivot_root, "root", "root/old") || chdir("/") || umount2("/old", MNT_DETACH))
		return errno;
	return 0;
}

TEST_F(spaces, pivot_root)
{
	struct run *r = &self->r;

	run(r, ARGV("/guest", "report"), NULL, to_pivot, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(1, num(r, "end"));
}

/* A rootless container: every namespace new, the user root in it. */
static int to_container(void *arg)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP))
		return errno;
	write_text("/proc/self/setgroups", "deny");
	if (write_text("/proc/self/uid_map", "0 0 1") || write_text("/proc/self/gid_map", "0 0 1"))
		return EPERM;
	pid = fork();
	if (pid == 0)
		return chroot("root") || chdir("/") ? errno : 0;
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

TEST_F(spaces, container)
{
	struct run *r = &self->r;

	run(r, ARGV("/guest", "report"), NULL, to_container, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("0,0,0,0", val(r, "ids"));
	EXPECT_EQ(0, num(r, "secure"));
	EXPECT_EQ(0, num(r, "hello"));
}

static int to_user_container(void *arg)
{
	if (setresgid(1001, 1001, 1001) || setresuid(1000, 1000, 1000))
		return errno;
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return errno;
	if (write_text("/proc/self/setgroups", "deny") || write_text("/proc/self/uid_map", "0 1000 1") ||
	    write_text("/proc/self/gid_map", "0 1001 1"))
		return EIO;
	return chroot("root") || chdir("/") ? errno : 0;
}

/* Files of the container's root are not trusted, although they look like root's from inside. */
TEST_F(spaces, root_of_a_container)
{
	struct run *r = &self->r;

	run(r, ARGV("/guest", "report"), NULL, to_user_container, NULL);
	if (r->error == EPERM || r->error == ENOSPC)
		SKIP(return, "no user namespaces for users here");
	EXPECT_EQ(0, r->error);
	EXPECT_STREQ("0,0,0,0", val(r, "ids"));
	EXPECT_EQ(DRAGOMAN_FILE_TRUSTED, num(r, "file_flags"));
	ASSERT_EQ(0, chown("root/guest", 1000, 1001));
	run(r, ARGV("/guest", "report"), NULL, to_user_container, NULL);
	EXPECT_EQ(0, num(r, "file_flags"));
}

TEST_F(spaces, trusted_files)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(DRAGOMAN_FILE_TRUSTED, num(r, "file_flags"));
	ASSERT_EQ(0, chmod("guest", 0775));
	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "file_flags"));
	ASSERT_EQ(0, chmod("guest", 0757));
	run(r, ARGV("./guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "file_flags"));
}

TEST_F(spaces, overlay)
{
	struct run *r = &self->r;
	char dir[PATH_MAX], exe[PATH_MAX + 16];
	struct stat real;

	ASSERT_EQ(0, mkdir("low", 0755) | mkdir("up", 0755) | mkdir("work", 0755) | mkdir("all", 0755));
	ASSERT_EQ(0, make_guest("low/guest", 0755));
	ASSERT_EQ(0, stat("low/guest", &real));
	if (mount("overlay", "all", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work"))
		SKIP(return, "no overlay file system: %s", strerror(errno));
	ASSERT_NE(NULL, getcwd(dir, sizeof(dir)));
	snprintf(exe, sizeof(exe), "%s/all/guest", dir);
	run(r, ARGV("all/guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ(exe, val(r, "exe"));
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ((long)real.st_ino, num(r, "file_ino"));
	EXPECT_EQ(DRAGOMAN_FILE_STACKED, num(r, "file_flags") & DRAGOMAN_FILE_STACKED);
	/* Written through the overlay, it is another file. */
	EXPECT_EQ(0, writable_again("all/guest"));
	run(r, ARGV("all/guest", "report"), NULL, NULL, NULL);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_NE((long)real.st_ino, num(r, "file_ino"));
	EXPECT_EQ(0, umount("all"));
}

/* The registration holds in other mount namespaces and when the runtime's file system is gone there. */
static int without_our_mounts(void *arg)
{
	if (unshare(CLONE_NEWNS) || umount2("/proc", MNT_DETACH))
		return errno;
	umount2("/dev", MNT_DETACH);
	return 0;
}

TEST_F(spaces, no_proc_no_dev)
{
	struct run *r = &self->r;

	run(r, ARGV("./guest", "report"), NULL, without_our_mounts, NULL);
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(0, num(r, "hello"));
	EXPECT_EQ(EM_AARCH64_, num(r, "image_machine"));
}

TEST_HARNESS_MAIN
