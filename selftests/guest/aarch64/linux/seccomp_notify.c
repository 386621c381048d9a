// SPDX-License-Identifier: MIT
/*
 * seccomp's user notification: a filter hands calls over to who holds its listener. Also runs natively on x86-64, for comparison.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ktap.h"

#ifdef __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif
#define LISTEN SECCOMP_FILTER_FLAG_NEW_LISTENER
#define UNKNOWN_NR 0x12345678		/* of a call that is not there */

static int filter(unsigned flags, int nr, uint32_t result)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, result),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insns) / sizeof(insns[0]), insns };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* --- a child that is supervised: it installs its filter itself, and passes the listener on ----------------------------- */

struct target {
	int nr;				/* of the call that is handed over */
	unsigned flags;
	int (*fn)(void);		/* what it does then; its exit status */
};

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { "", 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	sendmsg(sock, &m, 0);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec io = { &byte, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static pid_t start(const struct target *how, int *listener)
{
	int sock[2];
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
	pid = fork();
	if (!pid) {
		int fd = filter(how->flags | LISTEN, how->nr, SECCOMP_RET_USER_NOTIF);

		if (fd >= 0)
			send_fd(sock[1], fd);
		close(fd);
		close(sock[0]);
		close(sock[1]);
		_exit(fd < 0 ? 99 : how->fn());
	}
	close(sock[1]);
	*listener = receive_fd(sock[0]);
	close(sock[0]);
	return pid;
}

static int end(pid_t pid, int listener)
{
	int status = -1;

	close(listener);
	waitpid(pid, &status, 0);
	return status;
}

static int receive(int listener, struct seccomp_notif *n)
{
	memset(n, 0, sizeof(*n));
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, n);
}

static int answer(int listener, uint64_t id, int error, int64_t val, unsigned flags)
{
	struct seccomp_notif_resp r = { .id = id, .error = error, .val = val, .flags = flags };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int poll_for(int listener, int ms)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

/* --- what is asked, and what can be answered -------------------------------------------------------------------------- */

static int calls_with_six(void)
{
	long r = syscall(SYS_getppid, 1, 2, ~3ul, 4, 0x500000005, 6);

	if (r != 0x1234567890)
		return 1;
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		return 2;
	if (syscall(SYS_getppid) != -1 || errno != EXDEV)
		return 3;
	return syscall(SYS_getppid) == getpid() ? 4 : 0;
}

static void answers(void)
{
	struct target how = { SYS_getppid, 0, calls_with_six };
	struct seccomp_notif n;
	int fd, ok, s;
	pid_t pid = start(&how, &fd);

	ok = !receive(fd, &n);
	check(ok && n.pid == (uint32_t)pid && n.data.nr == SYS_getppid && n.data.arch == ARCH, "number and architecture (%d, %x)",
	      n.data.nr, n.data.arch);
	check(n.data.args[0] == 1 && n.data.args[1] == 2 && n.data.args[2] == ~3ull && n.data.args[3] == 4 &&
	      n.data.args[4] == 0x500000005 && n.data.args[5] == 6, "six arguments");
	check(!ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), "the id is valid");
	check(answer(fd, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == -1 && errno == EINVAL, "CONTINUE with an error: EINVAL");
	check(answer(fd, n.id, 0, 1, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == -1 && errno == EINVAL, "CONTINUE with a value: EINVAL");
	check(answer(fd, n.id, 0, 0, 2) == -1 && errno == EINVAL, "unknown flag: EINVAL");
	ok = !answer(fd, n.id, 0, 0x1234567890, 0);
	ok &= !receive(fd, &n) && !answer(fd, n.id, -ENOSYS, 0, 0);
	ok &= !receive(fd, &n) && !answer(fd, n.id, -EXDEV, 0, 0);
	ok &= !receive(fd, &n) && !answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	s = end(pid, fd);
	check(ok && s == 0, "a value, ENOSYS, another error, CONTINUE (%x)", s);
}

/* Does the machine filter us already, as a container does? */
static int is_filtered(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	int mode = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Seccomp: %d", &mode);
	if (f)
		fclose(f);
	return mode;
}

static int calls_unknown(void)
{
	if (syscall(UNKNOWN_NR, 7) != 42)
		return 1;
	return syscall(UNKNOWN_NR) == -1 && errno == ENOSYS ? 0 : 2;
}

static void unknown(void)
{
	struct target how = { UNKNOWN_NR, 0, calls_unknown };
	struct seccomp_notif n;
	int fd, ok, s;
	pid_t pid;

	if (is_filtered()) {
		ktap_skip("a call that is not there: a filter of the machine's may refuse it first");
		return;
	}
	pid = start(&how, &fd);
	ok = !receive(fd, &n) && n.data.nr == UNKNOWN_NR && n.data.arch == ARCH && n.data.args[0] == 7;
	ok &= !answer(fd, n.id, 0, 42, 0);
	ok &= !receive(fd, &n) && !answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	s = end(pid, fd);
	check(ok && s == 0, "a call that is not there (%x)", s);
}

/* What the runtime converts: flags and paths differ from the host's. */
static int opens(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	return fd >= 0 && open("/proc/self/exe", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP ? 0 : 1;
}

static void continues(void)
{
	struct target how = { SYS_openat, 0, opens };
	struct seccomp_notif n;
	int fd, ok = 1, s;
	pid_t pid = start(&how, &fd);

	for (int i = 0; i < 2; i++)
		ok &= !receive(fd, &n) && !answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	s = end(pid, fd);
	check(ok && s == 0, "CONTINUE of openat, with flags (%x)", s);
}

static int reads_given(void)
{
	int fd = open("/nowhere", O_RDONLY);
	char c = 0;

	return read(fd, &c, 1) == 1 && c == 'x' && read(200, &c, 1) == 1 && c == 'y' ? 0 : fd;
}

static void gives_descriptors(void)
{
	struct target how = { SYS_openat, 0, reads_given };
	struct seccomp_notif n;
	struct seccomp_notif_addfd add = { .newfd = 200 };
	int fd, pipefd[2], ok, s;
	pid_t pid;

	if (pipe(pipefd) || write(pipefd[1], "xy", 2) != 2)
		return;
	pid = start(&how, &fd);
	ok = !receive(fd, &n);
	add.id = n.id;
	add.srcfd = (uint32_t)pipefd[0];
	add.flags = SECCOMP_ADDFD_FLAG_SETFD;
	check(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == 200, "ADDFD with a number");
	add.newfd = 0;
	add.flags = SECCOMP_ADDFD_FLAG_SEND;
	ok &= ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
	s = end(pid, fd);
	check(ok && s == 0, "ADDFD that answers (%x)", s);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* --- who listens ------------------------------------------------------------------------------------------------------ */

static int gets_enosys(void)
{
	return syscall(SYS_getppid) == -1 && errno == ENOSYS && syscall(SYS_getppid) == -1 && errno == ENOSYS ? 0 : 1;
}

static void closed(void)
{
	struct target how = { SYS_getppid, 0, gets_enosys };
	struct seccomp_notif n;
	int fd, ok, s;
	pid_t pid = start(&how, &fd);

	ok = !receive(fd, &n);
	s = end(pid, fd);
	check(ok && s == 0, "the listener is closed: ENOSYS for who waits, and after (%x)", s);
}

static int waits(void)
{
	syscall(SYS_getppid);
	return 1;
}

static void killed(void)
{
	struct target how = { SYS_getppid, 0, waits };
	struct seccomp_notif n;
	int fd, ok, s, self = (int)syscall(SYS_pidfd_open, getpid(), 0), copy;
	pid_t pid = start(&how, &fd);

	check(poll_for(fd, 60000) == POLLIN, "POLLIN when somebody asks");
	copy = (int)syscall(SYS_pidfd_getfd, self, fd, 0);
	check(copy >= 0 ? poll_for(copy, 60000) == POLLIN : errno == EPERM, "the listener through pidfd_getfd");
	close(copy);
	close(self);
	ok = !receive(fd, &n) && !poll_for(fd, 0);
	kill(pid, SIGKILL);
	waitpid(pid, &s, 0);
	check(ok && ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == -1 && errno == ENOENT, "the target is killed: ENOENT");
	check(answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == -1 && errno == ENOENT, "and no answer");
	check(poll_for(fd, 60000) == POLLHUP, "POLLHUP when the last target is gone");
	close(fd);
}

static int second_listener(void)
{
	int fd = filter(LISTEN, SYS_getpgid, SECCOMP_RET_USER_NOTIF);

	return fd == -1 && errno == EBUSY ? 0 : 1;
}

static int no_listener(void)
{
	return filter(0, SYS_getppid, SECCOMP_RET_USER_NOTIF) ? 1 : gets_enosys();
}

/* Newer filters win among those that say the same: here the newer has nobody who listens. */
static int newer_without(void)
{
	return filter(0, SYS_getppid, SECCOMP_RET_USER_NOTIF) ? 1 : gets_enosys();
}

static int stricter_newer(void)
{
	if (filter(0, SYS_getppid, SECCOMP_RET_ERRNO | 77) || syscall(SYS_getppid) != -1 || errno != 77)
		return 1;
	return filter(0, SYS_getpgid, SECCOMP_RET_TRACE) || syscall(SYS_getpgid, 0) != -1 || errno != ENOSYS ? 2 : 0;
}

static int weaker_newer(void)
{
	return filter(0, SYS_getppid, SECCOMP_RET_TRACE) || syscall(SYS_getppid) != 5;
}

static int run(int (*fn)(void))
{
	struct target how = { SYS_getppid, 0, fn };
	int fd, s;
	pid_t pid = start(&how, &fd);

	s = end(pid, -1);
	close(fd);
	return s;
}

static void several_filters(void)
{
	struct target how = { SYS_getppid, 0, weaker_newer };
	struct seccomp_notif n;
	int fd, s, ok;
	pid_t pid = fork();

	if (!pid)
		_exit(no_listener());
	s = end(pid, -1);
	check(s == 0, "USER_NOTIF without a listener: ENOSYS (%x)", s);
	s = run(second_listener);
	check(s == 0, "a second listener: EBUSY (%x)", s);
	s = run(newer_without);
	check(s == 0, "a newer filter that says the same without a listener (%x)", s);
	s = run(stricter_newer);
	check(s == 0, "a newer filter that is stricter (%x)", s);
	pid = start(&how, &fd);
	ok = !receive(fd, &n) && !answer(fd, n.id, 0, 5, 0);
	s = end(pid, fd);
	check(ok && s == 0, "a newer filter that is less strict (%x)", s);
}

static int listens_again(void)
{
	int fd = filter(LISTEN, SYS_getppid, SECCOMP_RET_USER_NOTIF), next;

	close(fd);
	next = filter(LISTEN, SYS_getpgid, SECCOMP_RET_USER_NOTIF);
	if (fd < 0 || next < 0)
		return 1;
	return syscall(SYS_getppid) == -1 && errno == ENOSYS && !poll_for(next, 0) ? 0 : 2;
}

static void another_listener(void)
{
	int s;
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		_exit(listens_again());
	}
	s = end(pid, -1);
	check(s == 0, "another listener when the first is closed: it is not asked for the first (%x)", s);
}

static void bad_flags(void)
{
	struct seccomp_notif_sizes sizes = { 0 };

	check(filter(LISTEN | SECCOMP_FILTER_FLAG_TSYNC, 1, 0) == -1 && errno == EINVAL, "a listener with TSYNC alone: EINVAL");
	check(filter(1 << 5, 1, 0) == -1 && errno == EINVAL, "WAIT_KILLABLE_RECV without a listener: EINVAL");
	check(!syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) && sizes.seccomp_notif == sizeof(struct seccomp_notif) &&
	      sizes.seccomp_notif_resp == sizeof(struct seccomp_notif_resp) && sizes.seccomp_data == sizeof(struct seccomp_data),
	      "GET_NOTIF_SIZES");
}

/* --- threads, programs, signals --------------------------------------------------------------------------------------- */

static int expected = 5;

static void *asks(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		if (syscall(SYS_getppid, i) != i + 1000)
			return "";
	return NULL;
}

static int many_threads(void)
{
	pthread_t t[4];
	void *r, *bad = NULL;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, asks, NULL);
	for (int i = 0; i < 4; i++)
		if (!pthread_join(t[i], &r) && r)
			bad = r;
	return bad != NULL;
}

static void *waits_for_filter(void *arg)
{
	volatile int *go = arg;

	while (!*go)
		;
	return (void *)(intptr_t)(syscall(SYS_getppid) == expected);
}

/* From the thread that was there before, too. With all: the newer filter is for all, and brings the one that has the listener. */
static int synchronised(unsigned flags, int all)
{
	static volatile int go;
	struct seccomp_notif n;
	pthread_t t;
	void *r = NULL;
	int fd;

	pthread_create(&t, NULL, waits_for_filter, (void *)&go);
	fd = filter(flags | LISTEN, SYS_getppid, SECCOMP_RET_USER_NOTIF);
	if (fd < 0 || (all && filter(SECCOMP_FILTER_FLAG_TSYNC, SYS_getpgid, SECCOMP_RET_ERRNO | 1)))
		return 1;
	go = 1;
	if (poll_for(fd, 60000) != POLLIN || receive(fd, &n) || answer(fd, n.id, 0, expected, 0))
		return 2;
	pthread_join(t, &r);
	return r ? 0 : 3;
}

static void threads(void)
{
	struct target how = { SYS_getppid, 0, many_threads };
	struct seccomp_notif n;
	int fd, s, ok = 1;
	pid_t pid = start(&how, &fd);

	for (int i = 0; i < 200; i++)
		ok &= !receive(fd, &n) && !answer(fd, n.id, 0, (int64_t)n.data.args[0] + 1000, 0);
	s = end(pid, fd);
	check(ok && s == 0, "four threads ask (%x)", s);
	pid = fork();
	if (!pid)
		_exit(synchronised(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, 0));
	s = end(pid, -1);
	check(s == 0, "TSYNC of the filter with the listener (%x)", s);
	pid = fork();
	if (!pid)
		_exit(synchronised(0, 1));
	s = end(pid, -1);
	check(s == 0, "TSYNC of a newer filter (%x)", s);
}

static int spawns(void)
{
	int status = -1;
	pid_t pid = vfork();

	if (!pid) {
		execl("/proc/self/exe", "seccomp_notify", "ask", NULL);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	return status || syscall(SYS_getppid) != expected;
}

static void next_program(void)
{
	struct target how = { SYS_getppid, 0, spawns };
	struct seccomp_notif n;
	int fd, s, ok;
	pid_t pid = start(&how, &fd);

	ok = !receive(fd, &n) && n.pid != (uint32_t)pid && n.data.nr == SYS_getppid && !answer(fd, n.id, 0, expected, 0);
	ok &= !receive(fd, &n) && n.pid == (uint32_t)pid && !answer(fd, n.id, 0, expected, 0);
	s = end(pid, fd);
	check(ok && s == 0, "a program that was started by vfork and exec (%x)", s);
}

static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static int is_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	return syscall(SYS_getppid) == -1 && errno == EINTR && signals == 1 ? 0 : 1;
}

static int is_restarted(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	return syscall(SYS_getppid) == expected && signals == 1 ? 0 : 1;
}

static int is_not_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	return syscall(SYS_getppid) == expected && signals == 1 ? 0 : 1;
}

/* The numbers that the kernel has for itself, and the smallest one. */
static int odd_results(void)
{
	if (syscall(SYS_getppid) != -1 || errno != 512)
		return 1;
#ifdef __aarch64__
	register long x8 __asm__("x8") = SYS_getppid;
	register long x0 __asm__("x0");

	__asm__ volatile("svc #0" : "=r"(x0) : "r"(x8) : "memory");
	return x0 == INT64_MIN ? 0 : 2;
#else
	return syscall(SYS_getppid) == INT64_MIN ? 0 : 2;
#endif
}

static void on_signals(void)
{
	struct target interrupted = { SYS_getppid, 0, is_interrupted }, restarted = { SYS_getppid, 0, is_restarted };
	struct target killable = { SYS_getppid, 1 << 5, is_not_interrupted }, odd = { SYS_getppid, 0, odd_results };
	struct seccomp_notif n;
	uint64_t first;
	int fd, s, ok;
	pid_t pid = start(&interrupted, &fd);

	ok = !receive(fd, &n);
	kill(pid, SIGUSR1);
	s = end(pid, -1);
	check(ok && s == 0, "a signal: EINTR (%x)", s);
	check(answer(fd, n.id, 0, 1, 0) == -1 && errno == ENOENT, "and nobody waits for the answer");
	close(fd);

	pid = start(&restarted, &fd);
	ok = !receive(fd, &n);
	first = n.id;
	kill(pid, SIGUSR1);
	ok &= !receive(fd, &n) && n.id != first && n.data.nr == SYS_getppid && !answer(fd, n.id, 0, expected, 0);
	s = end(pid, fd);
	check(ok && s == 0, "a signal with SA_RESTART: asked again (%x)", s);

	pid = start(&killable, &fd);
	ok = fd >= 0 && !receive(fd, &n);
	kill(pid, SIGUSR1);
	usleep(20000);
	ok &= !answer(fd, n.id, 0, expected, 0);
	s = end(pid, fd);
	if (s == 99 << 8)
		ktap_skip("WAIT_KILLABLE_RECV: not in this kernel");
	else
		check(ok && s == 0, "WAIT_KILLABLE_RECV: the signal comes after the answer (%x)", s);

	pid = start(&odd, &fd);
	ok = !receive(fd, &n) && !answer(fd, n.id, -512, 0, 0);
	ok &= !receive(fd, &n) && !answer(fd, n.id, 0, INT64_MIN, 0);
	s = end(pid, fd);
	check(ok && s == 0, "results that a kernel would not give (%x)", s);
}

static int is_listened(void)
{
	int s;
	pid_t pid = fork();

	if (!pid)
		_exit(filter(LISTEN, SYS_getppid, SECCOMP_RET_ALLOW) == -1 && errno == EBUSY);
	s = end(pid, -1);
	return WIFEXITED(s) && WEXITSTATUS(s);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "ask"))
		return syscall(SYS_getppid) != expected;
	signal(SIGALRM, SIG_DFL);
	alarm(300);		/* whoever waits in vain */
	ktap_begin();
	if (is_listened()) {
		ktap_skip("the machine's own listener is above us");
		return ktap_end();
	}
	bad_flags();
	answers();
	unknown();
	continues();
	gives_descriptors();
	closed();
	killed();
	several_filters();
	another_listener();
	threads();
	next_program();
	on_signals();
	return ktap_end();
}
