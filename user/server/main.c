// SPDX-License-Identifier: MIT
/*
 * dragomand: options, directories, the lock that makes it the only one, going to the background. Out: srv_loop().
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/server.h"
#include "translator_id.h"

#define WORKER_UID 0x7e000000u		/* the first of about a thousand: beyond what distributions, containers and systemd hand out */

struct srv_options srv_opt;
const u8 srv_translator[32] = DRAGOMAN_TRANSLATOR_ID;

static const char help[] =
	"usage: dragomand [OPTIONS]\n"
	"Translates programs for all processes that ask, and keeps the translations.\n\n"
	"  --foreground           stay in the foreground, log to standard error\n"
	"  --user                 a server for this user alone (the default unless root); ends when idle\n"
	"  --socket=PATH          where to listen\n"
	"  --cache-dir=DIR        where translations are kept; empty: in memory only\n"
	"  --cache-size=SIZE      most bytes of them on disk (K, M, G; default 4G)\n"
	"  --memory-limit=SIZE    most bytes of them in memory (default: a quarter of it, at most 4G)\n"
	"  --workers=N            translating processes at a time (default: one a CPU, at least 2)\n"
	"  --device=WHICH         the kernel module's device: auto (the default: where it is, for the system's server), none, or its path\n"
	"  --runtime=PATH         what the module runs programs with (default: dragoman-rt beside this program)\n"
	"  --ahead=WHAT           what to translate before it is asked for: all, reached, none (default all)\n"
	"  --idle-exit=SECONDS    end after that long without clients (default 60 with --user; 0: never)\n"
	"  --worker-user=UID      first of the user ids of the confined children, when started as root\n"
	"  --version, --help\n";

static void die(const char *fmt, const char *what) __attribute__((format(printf, 1, 0), noreturn));
static void die(const char *fmt, const char *what)
{
	char text[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), fmt, what);
#pragma GCC diagnostic pop
	srv_log(SRV_ERR, "%s", text);
	exit(1);
}

/* ---------------------------------------------------------------- options */

static u64 size_of(const char *s)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (end != s && !errno && s[0] != '-') {
		static const char units[] = "KMG";
		const char *u = *end ? strchr(units, *end & ~32) : NULL;

		if (!*end)
			return n;
		if (u && !end[1] && n < 1ull << 33)
			return n << 10 * (u - units + 1);
	}
	die("'%s' is no size: write a number, and K, M or G", s);
}

static unsigned number_of(const char *s, unsigned max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (end == s || *end || s[0] == '-' || n > max)
		die("'%s' is no number that fits here", s);
	return (unsigned)n;
}

static enum srv_ahead ahead_of(const char *s)
{
	static const char *const names[] = { "none", "reached", "all" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(s, names[i]))
			return (enum srv_ahead)i;
	die("--ahead=%s: write all, reached or none", s);
}

static void copy_path(char *to, size_t room, const char *from)
{
	if (strlen(from) >= room)
		die("a path is too long: %.64s...", from);
	strcpy(to, from);
}

static void set_device(const char *s)
{
	if (s[0] != '/' && strcmp(s, "auto") && strcmp(s, "none"))
		die("--device=%s: write auto, none or an absolute path", s);
	copy_path(srv_opt.device, sizeof(srv_opt.device), s);
}

enum { FOREGROUND = 256, USER, SOCKET, CACHE_DIR, CACHE_SIZE, MEMORY, WORKERS, AHEAD, IDLE, WORKER_USER, WORKER_IDLE, DEVICE, RUNTIME, VERSION, HELP };

static const struct option options[] = {
	{ "foreground", 0, NULL, FOREGROUND }, { "user", 0, NULL, USER }, { "socket", 1, NULL, SOCKET }, { "cache-dir", 1, NULL, CACHE_DIR },
	{ "cache-size", 1, NULL, CACHE_SIZE }, { "memory-limit", 1, NULL, MEMORY }, { "workers", 1, NULL, WORKERS },
	{ "ahead", 1, NULL, AHEAD }, { "idle-exit", 1, NULL, IDLE }, { "worker-user", 1, NULL, WORKER_USER },
	{ "worker-idle", 1, NULL, WORKER_IDLE }, { "device", 1, NULL, DEVICE }, { "runtime", 1, NULL, RUNTIME }, { "version", 0, NULL, VERSION }, { "help", 0, NULL, HELP }, { 0 },
};

static void defaults(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	u64 memory = (u64)sysconf(_SC_PHYS_PAGES) * 4096;

	srv_opt = (struct srv_options){
		.user = geteuid() != 0, .cache_size = 4ull << 30, .memory_limit = MIN(memory / 4, 4ull << 30),
		.workers = (unsigned)MAX(cpus, 2), .idle_exit = ~0u, .worker_idle = 3, .ahead = SRV_AHEAD_ALL,
		.set_uid = geteuid() == 0, .worker_uid = WORKER_UID, .device = "auto",
	};
}

static void parse(int argc, char **argv, bool *cache_given)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case FOREGROUND: srv_opt.foreground = true; break;
		case USER: srv_opt.user = true; break;
		case SOCKET: copy_path(srv_opt.socket, sizeof(srv_opt.socket), optarg); break;
		case CACHE_DIR:
			copy_path(srv_opt.cache_dir, sizeof(srv_opt.cache_dir), optarg);
			*cache_given = true;
			break;
		case DEVICE: set_device(optarg); break;
		case RUNTIME: copy_path(srv_opt.runtime, sizeof(srv_opt.runtime), optarg); break;
		case CACHE_SIZE: srv_opt.cache_size = size_of(optarg); break;
		case MEMORY: srv_opt.memory_limit = size_of(optarg); break;
		case WORKERS: srv_opt.workers = MAX(number_of(optarg, 128), 1u); break;
		case AHEAD: srv_opt.ahead = ahead_of(optarg); break;
		case IDLE: srv_opt.idle_exit = number_of(optarg, 1u << 30); break;
		case WORKER_USER: srv_opt.worker_uid = number_of(optarg, 0xfffff000u); break;
		case WORKER_IDLE: srv_opt.worker_idle = number_of(optarg, 3600); break;
		case VERSION: puts("dragomand " DRAGOMAN_VERSION); exit(0);
		case HELP: fputs(help, stdout); exit(0);
		default: fputs("dragomand: `dragomand --help` lists the options\n", stderr); exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dragomand: '%s' is not an option; `dragomand --help` lists them\n", argv[optind]);
		exit(2);
	}
	if (srv_opt.idle_exit == ~0u)
		srv_opt.idle_exit = srv_opt.user ? 60 : 0;
	if (!srv_opt.worker_uid)
		die("--worker-user=%s: not root", "0");
}

/* ---------------------------------------------------------------- places */

static void default_places(bool cache_given)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *dir = getenv("CACHE_DIRECTORY");
	char text[4096];

	srv_opt.system_wide = !srv_opt.user && !srv_opt.socket[0];
	if (!srv_opt.socket[0]) {
		if (!srv_opt.user)
			snprintf(text, sizeof(text), "%s", DRG_SOCKET_SYSTEM);
		else if (run && run[0] == '/')
			snprintf(text, sizeof(text), "%s/dragoman/socket", run);
		else
			snprintf(text, sizeof(text), "/tmp/dragoman-%u/socket", geteuid());
		copy_path(srv_opt.socket, sizeof(srv_opt.socket), text);
	}
	if (cache_given)
		return;
	if (dir && dir[0] == '/')
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(dir, ":"), dir);
	else if (!srv_opt.user)
		snprintf(text, sizeof(text), "/var/cache/dragoman");
	else if (cache && cache[0] == '/')
		snprintf(text, sizeof(text), "%s/dragoman", cache);
	else if (home && home[0] == '/')
		snprintf(text, sizeof(text), "%s/.cache/dragoman", home);
	else
		text[0] = 0;
	copy_path(srv_opt.cache_dir, sizeof(srv_opt.cache_dir), text);
}

/* A relative path would change its meaning in the background. */
static void make_absolute(char *path, size_t room)
{
	char cwd[2048], text[6000];

	if (!path[0] || path[0] == '/')
		return;
	if (!getcwd(cwd, sizeof(cwd)))
		die("%s", "the current directory cannot be found out: give absolute paths");
	snprintf(text, sizeof(text), "%s/%s", cwd, path);
	copy_path(path, room, text);
}

/* The socket's directory. A user's own must be his alone: in /tmp anybody could have made it. */
static int socket_dir(void)
{
	char dir[sizeof(srv_opt.socket)];
	struct stat st;
	char *slash;
	int fd;

	strcpy(dir, srv_opt.socket);
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	*slash = 0;
	if (mkdir(dir, srv_opt.user ? 0700 : 0755) && errno != EEXIST)
		die("the socket's directory cannot be made: %s", strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st))
		die("the socket's directory cannot be opened: %s", strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & 022)
		die("the socket's directory %s", "belongs to somebody else or can be written by others: give --socket=PATH");
	return fd;
}

/* Does somebody listen at the socket? One who is stopped does, too. */
static bool answered(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	strcpy(a.sun_path, srv_opt.socket);
	yes = fd >= 0 && (!connect(fd, (struct sockaddr *)&a, sizeof(a)) || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return yes;
}

/*
 * Held as long as this process lives, and by no other: children close it. The name is the socket's with .lock behind it, so two
 * sockets are two servers. One that has just been killed may take a moment to be gone.
 */
static void lock(int dir)
{
	char name[sizeof(srv_opt.socket) + 8];
	unsigned alive = 0;
	int fd;

	snprintf(name, sizeof(name), "%s.lock", strrchr(srv_opt.socket, '/') + 1);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		die("the lock file cannot be made: %s", strerror(errno));
	for (unsigned i = 0; i < 150; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return;
		if (errno != EWOULDBLOCK)
			die("the lock file cannot be locked: %s", strerror(errno));
		if (answered() && ++alive == 15)
			break;
		usleep(20000);
	}
	die("%s", "a server is running there already");
}

/* ---------------------------------------------------------------- process */

/* Can children be confined here? In some containers there are no other uids: then without. */
static void try_confinement(void)
{
	for (;;) {
		int status;
		pid_t pid = fork();

		if (pid < 0)
			die("cannot fork: %s", strerror(errno));
		if (!pid)
			_exit(srv_confine(SRV_WORKER, 0) ? 1 : 0);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!status)
			return;
		if (!srv_opt.set_uid)
			die("%s", "children cannot be confined: this kernel or container lacks seccomp filters");
		srv_log(SRV_WARN, "children cannot have a uid of their own here: they keep this one");
		srv_opt.set_uid = false;
	}
}

static int ready_pipe = -1;

void srv_tell_ready(void)
{
	if (ready_pipe < 0)
		return;
	if (write(ready_pipe, "r", 1) < 0)
		srv_log(SRV_WARN, "nobody waits for this server");
	close(ready_pipe);
	ready_pipe = -1;
}

/* The caller's process ends when the server listens, or with 1 when it does not come to that. Log lines go to a file beside the socket. */
static void background(int dir)
{
	int p[2], log, null;
	char byte;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		die("no pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (pid) {
		close(p[1]);
		exit(read(p[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(p[0]);
	ready_pipe = p[1];
	setsid();
	if (chdir("/"))
		die("cannot leave the directory: %s", strerror(errno));
	log = openat(dir, "log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(log >= 0 ? log : null, 2);
		close(null);
	}
	if (log >= 0)
		close(log);
}

static void limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = MIN(r.rlim_max, 65536ul);
	setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
	bool cache_given = false;
	int dir, null;

	while ((null = open("/dev/null", O_RDWR)) >= 0 && null < 3)
		;			/* 0, 1, 2 are there: nothing of ours must get such a number */
	if (null >= 0)
		close(null);
	defaults();
	parse(argc, argv, &cache_given);
	default_places(cache_given);
	make_absolute(srv_opt.socket, sizeof(srv_opt.socket));
	make_absolute(srv_opt.cache_dir, sizeof(srv_opt.cache_dir));
	make_absolute(srv_opt.runtime, sizeof(srv_opt.runtime));
	umask(0077);
	dir = socket_dir();
	lock(dir);
	if (!srv_opt.foreground)
		background(dir);
	close(dir);
	srv_digest_init();
	limits();
	try_confinement();
	if (srv_opt.cache_dir[0] && !srv_store_open()) {
		int cache = srv_store_dir();

		srv_crashes_load();
		if (cache >= 0) {
			srv_ident_load(cache);
			close(cache);
		}
	}
	return srv_loop() ? 1 : 0;
}
