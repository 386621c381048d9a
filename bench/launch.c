// SPDX-License-Identifier: MIT
/*
 * launch [-n RUNS] [-t SECONDS] [-i INPUT] [-o OUTPUT] [-d DIRECTORY] COMMAND [ARGUMENTS]: measures a command. In: the command,
 * found along PATH; out: one line per run on stdout,
 *	WALL USER SYSTEM RSS STATUS
 * times in microseconds, of the process and the children it waited for, RSS in KiB, STATUS as a shell gives it (128 + signal).
 * 124 means that it ran longer than SECONDS and was killed, with its process group. The command's output goes to OUTPUT
 * (default /dev/null), its messages to OUTPUT.err.
 *
 * The child is made by vfork (posix_spawn), so that the time does not depend on the size of whoever measures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile pid_t child;
static volatile sig_atomic_t timed_out;

static void on_alarm(int number)
{
	(void)number;
	timed_out = 1;
	if (child > 0)
		kill(-child, SIGKILL);
}

static double microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int run_once(char **argv, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *attr, unsigned int limit)
{
	struct rusage usage;
	double start = microseconds(), wall;
	int status, err;
	pid_t pid, got;

	err = posix_spawnp(&pid, argv[0], files, attr, argv, environ);
	if (err) {
		fprintf(stderr, "launch: %s: %s\n", argv[0], strerror(err));
		return -err;
	}
	child = pid;
	alarm(limit);
	do
		got = wait4(pid, &status, 0, &usage);
	while (got < 0 && errno == EINTR);
	wall = microseconds() - start;
	alarm(0);
	child = 0;
	printf("%.1f %.0f %.0f %ld %d\n", wall, usage.ru_utime.tv_sec * 1e6 + usage.ru_utime.tv_usec,
	       usage.ru_stime.tv_sec * 1e6 + usage.ru_stime.tv_usec, usage.ru_maxrss,
	       timed_out ? 124 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	return timed_out ? -ETIME : 0;
}

int main(int argc, char **argv)
{
	const char *input = "/dev/null", *output = "/dev/null", *dir = NULL;
	char errors[4096];
	unsigned int limit = 0;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	long runs = 1;
	int c, err = 0;

	while ((c = getopt(argc, argv, "+n:t:i:o:d:")) != -1) {
		switch (c) {
		case 'n': runs = atol(optarg); break;
		case 't': limit = atoi(optarg); break;
		case 'i': input = optarg; break;
		case 'o': output = optarg; break;
		case 'd': dir = optarg; break;
		default: return 2;
		}
	}
	if (optind == argc) {
		fputs("usage: launch [-n RUNS] [-t SECONDS] [-i INPUT] [-o OUTPUT] [-d DIRECTORY] COMMAND...\n", stderr);
		return 2;
	}
	snprintf(errors, sizeof(errors), strcmp(output, "/dev/null") ? "%s.err" : "%s", output);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	posix_spawn_file_actions_addopen(&files, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (dir)
		posix_spawn_file_actions_addchdir_np(&files, dir);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	signal(SIGALRM, on_alarm);
	while (runs-- > 0 && !err)
		err = run_once(argv + optind, &files, &attr, limit);
	return err ? 1 : 0;
}
