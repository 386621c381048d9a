// SPDX-License-Identifier: MIT
/*
 * Starts the user's own server if none can be had, so that `dragoman run` shares and keeps translations without any set-up.
 * In: the environment (DRAGOMAN_SERVER=off: none is wanted; DRAGOMAN_SOCKET: the caller says which one, so none is started);
 * out: a process of its own session that ends when it is idle. Whatever goes wrong, programs run all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "cli.h"

#define WAIT_STEP 500			/* microseconds */

static bool wanted(void)
{
	const char *server = getenv("DRAGOMAN_SERVER"), *socket = getenv("DRAGOMAN_SOCKET");

	return (!server || strcmp(server, "off")) && (!socket || !*socket);
}

/* In the child: no descriptor but 0, 1, 2, which lead nowhere, and no terminal. */
static void become_server(char *path)
{
	int null = open("/dev/null", O_RDWR);

	if (setsid() < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/"))
		_exit(1);
	close_range(3, ~0u, 0);
	execl(path, "dragomand", "--user", (char *)NULL);
	_exit(127);
}

/* By a child in between, so that the server is nobody's child here: `run` becomes the guest, which must not find it in wait(). */
static int spawn(char *path)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		pid = fork();
		if (!pid)
			become_server(path);
		_exit(pid < 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EAGAIN : 0;
}

bool cli_start_server(unsigned int wait_ms)
{
	char path[PATH_MAX];
	int s;

	if (!wanted() || cli_find_server(path))
		return false;
	s = cli_connect(NULL);
	if (s == -ENOENT && !spawn(path)) {
		for (int i = 0; i < (int)wait_ms * 1000 / WAIT_STEP && s < 0; i++) {
			usleep(WAIT_STEP);
			s = cli_connect(NULL);
		}
	}
	if (s < 0)
		return false;
	close(s);
	return true;
}
