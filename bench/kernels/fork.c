// SPDX-License-Identifier: MIT
/* fork, exit in the child, wait: copying an address space with the translator in it. */
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

void kernel(long n)
{
	uint64_t total = 0;

	for (long i = 0; i < n; i++) {
		int status = 0;
		pid_t pid = fork();

		if (!pid)
			_exit(i & 63);
		waitpid(pid, &status, 0);
		total += WEXITSTATUS(status);
	}
	sum(total);
}
