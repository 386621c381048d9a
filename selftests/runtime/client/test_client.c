// SPDX-License-Identifier: MIT
/*
 * The runtime against servers that answer well, badly, late or not at all: the guest program always does the same, the object
 * is mapped exactly when everything about it is right, no descriptor stays open, and nothing takes longer than the deadline.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib_fake.h"

static char dir[] = "/tmp/dragoman-client-XXXXXX";
static char runtime[4200], socket_path[100], program[2][100];
static unsigned number, failed;

static void result(bool ok, const char *name, const char *what)
{
	printf("%s %u %s: %s\n", ok ? "ok" : "not ok", ++number, name, what);
	failed += !ok;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* ---- one run ------------------------------------------------------------ */

struct run {
	/* in */
	bool fixed;
	const char *server, *verify;	/* DRAGOMAN_SERVER, DRAGOMAN_VERIFY; NULL: not set */
	unsigned files, space;		/* limits: descriptors; MiB of address space; 0: none */
	bool closed;			/* descriptor 2 is closed */
	const char *as_nobody;		/* the runtime to be used, by uid 65534; NULL: the usual one, as we are */
	bool sync;			/* the server does something more before the program goes on */
	/* out */
	int status;			/* as a shell shows it */
	bool printed, view, dumped;
	unsigned fds;
	double ms;			/* to its first output */
	char errors[1000];
};

static void limit(int what, unsigned long long value)
{
	struct rlimit l = { value, value };

	setrlimit(what, &l);
}

static void child(const struct run *r, int in, int out, int err)
{
	const char *p = program[r->fixed];

	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0u, 0);
	setenv("DRAGOMAN_SOCKET", socket_path, 1);
	unsetenv("DRAGOMAN_SERVER");
	unsetenv("DRAGOMAN_VERIFY");
	if (r->server)
		setenv("DRAGOMAN_SERVER", r->server, 1);
	if (r->verify)
		setenv("DRAGOMAN_VERIFY", r->verify, 1);
	if (r->closed)
		close(2);
	/* the program's own descriptor is closed when it is loaded: so much room there is */
	if (r->files)
		limit(RLIMIT_NOFILE, r->files);
	if (r->space)
		limit(RLIMIT_AS, (unsigned long long)r->space << 20);
	if (r->as_nobody && (setgid(65534) || setuid(65534)))
		_exit(98);
	execl(r->as_nobody ? r->as_nobody : runtime, "dragoman-rt", "--run", "--flags=0", "--root=", "--", p, p, NULL);
	_exit(99);
}

/* Is an object mapped: shared and executable? Would a core dump have it? */
static void look_for_view(pid_t pid, bool *found, bool *dumped)
{
	char path[64], line[500];
	bool in_view = false;
	FILE *f;

	*found = *dumped = false;
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && (line[0] < 'A' || line[0] > 'Z'))
			in_view = false;
		if (strstr(line, " r-xs ") && strstr(line, "memfd:"))
			*found = in_view = true;
		if (in_view && !strncmp(line, "VmFlags:", 8) && !strstr(line, " dd"))
			*dumped = true;
	}
	if (f)
		fclose(f);
}

static unsigned count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void run(struct run *r)
{
	int in[2], out[2], err[2], status;
	char text[16] = "";
	double start = now();
	ssize_t n;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		exit(1);
	pid = fork();
	if (!pid)
		child(r, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	n = read(out[0], text, sizeof(text) - 1);
	r->ms = now() - start;
	r->printed = n == 3 && !strcmp(text, "ok\n");
	look_for_view(pid, &r->view, &r->dumped);
	r->fds = count_fds(pid);
	if (r->sync)
		fake_sync(socket_path);
	if (write(in[1], "x", 1) != 1)
		r->printed = false;
	waitpid(pid, &status, 0);
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	n = read(err[0], r->errors, sizeof(r->errors) - 1);
	r->errors[n < 0 ? 0 : n] = 0;
	close(in[1]);
	close(out[0]);
	close(err[0]);
}

/* Runs with a server of that kind; what must be so for each. */
static void run_with(const char *name, enum fake_mode mode, struct run *r, struct fake_seen *seen, bool want_view)
{
	pid_t server;

	memset((void *)seen, 0, sizeof(*seen));
	server = fake_start(socket_path, mode, seen);
	run(r);
	if (mode != FAKE_SILENT && mode != FAKE_NO_ACCEPT)
		fake_sync(socket_path);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	result(r->printed && r->status == FAKE_PROGRAM_STATUS && !r->errors[0], name, "the program runs as ever");
	if (!r->printed || r->status != FAKE_PROGRAM_STATUS || r->errors[0])
		printf("# status %d, stderr: %s\n", r->status, r->errors);
	result(r->view == want_view, name, want_view ? "its object is mapped" : "no object is mapped");
	result(r->fds == (r->closed ? 2 : 3), name, "no descriptor stays open");
	result(!seen->bad, name, "the server was asked properly");
}

/* ---- cases ------------------------------------------------------------ */

static const struct {
	const char *name;
	enum fake_mode mode;
} wrong[] = {
	{ "later", FAKE_LATER }, { "never", FAKE_NEVER }, { "error", FAKE_ERROR }, { "short answer", FAKE_SHORT },
	{ "long answer", FAKE_LONG }, { "wrong size", FAKE_WRONG_SIZE }, { "garbage", FAKE_GARBAGE },
	{ "wrong type", FAKE_WRONG_TYPE }, { "wrong count", FAKE_WRONG_COUNT }, { "no descriptor", FAKE_NO_FD },
	{ "two descriptors", FAKE_TWO_FDS }, { "descriptor not announced", FAKE_FD_UNASKED }, { "a pipe", FAKE_PIPE },
	{ "a file", FAKE_FILE }, { "not sealed", FAKE_UNSEALED }, { "may grow", FAKE_NO_GROW }, { "writable", FAKE_WRITABLE },
	{ "larger than it says", FAKE_LARGER }, { "smaller than it says", FAKE_SMALLER }, { "wrong magic", FAKE_MAGIC },
	{ "another translator's", FAKE_TRANSLATOR }, { "for another processor", FAKE_FEATURES },
	{ "no features", FAKE_NO_FEATURES }, { "for another machine", FAKE_MACHINE }, { "a part outside", FAKE_PARTS },
	{ "for another file", FAKE_OTHER_FILE }, { "for an older state of the file", FAKE_OTHER_TIME },
	{ "for a file of another size", FAKE_OTHER_FILE_SIZE }, { "closed", FAKE_CLOSE },
};

static void good(struct fake_seen *seen)
{
	struct run r = { 0 }, fixed = { .fixed = true }, closed = { .closed = true }, verify = { .verify = "1" };

	run_with("good", FAKE_GOOD, &r, seen, true);
	result(seen->attaches == 1 && !seen->nmiss, "good", "asked once, nothing was missing");
	result(seen->nreport == 1 && seen->report_kind[0] == 1 && seen->report[0] == FAKE_PROGRAM_SYSCALL, "good",
	       "the unknown system call was reported");
	result(!r.dumped, "good", "no core dump will have the object");
	run_with("good, fixed address", FAKE_GOOD, &fixed, seen, true);
	run_with("good, a low descriptor is closed", FAKE_GOOD, &closed, seen, true);
	run_with("good, verified", FAKE_GOOD, &verify, seen, true);
}

/* DRAGOMAN_SOCKET=@NAME */
static void abstract(struct fake_seen *seen)
{
	struct run r = { 0 };
	char path[sizeof(socket_path)];

	strcpy(path, socket_path);
	snprintf(socket_path, sizeof(socket_path), "@dragoman-test-%d", (int)getpid());
	run_with("an abstract name", FAKE_GOOD, &r, seen, true);
	strcpy(socket_path, path);
}

static void misses(struct fake_seen *seen)
{
	struct run r = { 0 };
	bool entry = false;

	run_with("empty", FAKE_EMPTY, &r, seen, true);
	for (unsigned i = 0; i < seen->nmiss; i++)
		entry |= seen->miss[i] == 0x200;
	result(entry, "empty", "the entry point was named as missing");
}

static void refused(struct fake_seen *seen)
{
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct run r = { 0 };

		run_with(wrong[i].name, wrong[i].mode, &r, seen, false);
	}
}

/* Generous: machines are shared. The deadline is 25 ms, the late server's answer comes after 3 s, a silent one's never. */
static void late(struct fake_seen *seen)
{
	struct run r = { 0 };

	run_with("late", FAKE_LATE, &r, seen, false);
	result(r.ms < 2900, "late", "it did not wait for the answer");
	run_with("silent", FAKE_SILENT, &r, seen, false);
	result(r.ms < 10000, "silent", "it did not wait for ever");
	run_with("full queue", FAKE_NO_ACCEPT, &r, seen, false);
	result(r.ms < 10000, "full queue", "it did not wait for ever");
}

static void limited(struct fake_seen *seen)
{
	struct run off = { .server = "off" }, files = { .files = 4 }, files5 = { .files = 5 }, space = { .space = 200 };
	struct run large = { .space = 200000 };

	run_with("switched off", FAKE_GOOD, &off, seen, false);
	result(!seen->connections, "switched off", "nobody was asked");
	run_with("no free descriptor", FAKE_GOOD, &files, seen, false);
	run_with("one free descriptor", FAKE_GOOD, &files5, seen, false);
	run_with("little address space", FAKE_GOOD, &space, seen, false);
	run_with("much address space", FAKE_GOOD, &large, seen, true);
}

static void corrupt(struct fake_seen *seen)
{
	struct run r = { .verify = "1" };
	pid_t server = fake_start(socket_path, FAKE_CORRUPT, seen);

	run(&r);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	result(r.status == 127 && strstr(r.errors, "DRAGOMAN_VERIFY") && strstr(r.errors, "200"), "changed code",
	       "DRAGOMAN_VERIFY ends the process and says where");
	if (r.status != 127)
		printf("# status %d, stderr: %s\n", r.status, r.errors);
}

/* Code that comes after the offer was verified is not used; without verification it is. */
static void grows(struct fake_seen *seen)
{
	struct run plain = { .sync = true }, verify = { .sync = true, .verify = "1" };
	struct run *runs[] = { &plain, &verify };

	for (unsigned i = 0; i < 2; i++) {
		pid_t server = fake_start(socket_path, FAKE_GROWS, seen);

		run(runs[i]);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	result(plain.view && plain.status == FAKE_GROWN_STATUS, "code that comes later", "it is used");
	result(verify.view && verify.status == FAKE_PROGRAM_STATUS && !verify.errors[0], "code that comes later",
	       "it is not used where all is verified");
	if (verify.status != FAKE_PROGRAM_STATUS || plain.status != FAKE_GROWN_STATUS)
		printf("# status %d, verified %d, stderr: %s\n", plain.status, verify.status, verify.errors);
}

static bool copy_program(const char *from, const char *to, mode_t mode)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return false;
	close(in);
	return !n && !fchmod(out, mode) && !close(out);
}

/* AT_SECURE: who starts the program does not choose the server. */
static void secure(struct fake_seen *seen)
{
	char path[2][120];
	struct run r[2] = { { .as_nobody = path[0] }, { .as_nobody = path[1] } };

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/runtime%u", dir, i);
		if (geteuid() || chmod(dir, 0755) || !copy_program(runtime, path[i], i ? 04755 : 0755)) {
			printf("ok %u AT_SECURE # SKIP needs root\n", ++number);
			return;
		}
	}
	run_with("another user", FAKE_GOOD, &r[0], seen, true);
	result(seen->attaches == 1, "another user", "root's server is asked");
	run_with("AT_SECURE", FAKE_GOOD, &r[1], seen, false);
	result(!seen->connections, "AT_SECURE", "a server that the caller names is not asked");
	unlink(path[0]);
	unlink(path[1]);
}

/* Nobody there, and somebody else's server. */
static void absent(struct fake_seen *seen)
{
	struct run r = { 0 };
	pid_t server;
	int status;

	unlink(socket_path);
	run(&r);
	result(r.printed && r.status == FAKE_PROGRAM_STATUS && !r.view && r.fds == 3, "no server", "the program runs as ever");
	if (geteuid()) {
		printf("ok %u another user's server # SKIP needs root\n", ++number);
		return;
	}
	server = fork();
	if (!server) {
		if (chmod(dir, 0777) || setgid(65534) || setuid(65534))
			_exit(1);
		server = fake_start(socket_path, FAKE_GOOD, seen);
		waitpid(server, &status, 0);
		_exit(0);
	}
	usleep(200000);
	run(&r);
	result(r.printed && r.status == FAKE_PROGRAM_STATUS && !r.view && !seen->attaches, "another user's server", "is not asked");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

int main(void)
{
	const char *build = getenv("BUILD");
	struct fake_seen *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!realpath(build ? build : "build", runtime) || !mkdtemp(dir))
		return 1;
	strcat(runtime, "/dragoman-rt");
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	for (int i = 0; i < 2; i++) {
		snprintf(program[i], sizeof(program[i]), "%s/program%d", dir, i);
		fake_program(program[i], i);
	}
	chmod(dir, 0755);
	good(seen);
	abstract(seen);
	misses(seen);
	refused(seen);
	late(seen);
	limited(seen);
	corrupt(seen);
	grows(seen);
	secure(seen);
	memset((void *)seen, 0, sizeof(*seen));
	absent(seen);
	printf("1..%u\n", number);
	for (int i = 0; i < 2; i++)
		unlink(program[i]);
	unlink(socket_path);
	rmdir(dir);
	return failed != 0;
}
