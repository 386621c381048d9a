// SPDX-License-Identifier: MIT
/* A byte to and fro between two processes: blocking read and write, context switches. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

void kernel(long n)
{
	int there[2], back[2], status;
	uint64_t total = 0;
	char c = 1;

	if (pipe(there) || pipe(back))
		exit(1);
	if (!fork()) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1) {
			c++;
			if (write(back[1], &c, 1) != 1)
				break;
		}
		_exit(0);
	}
	while (n--) {
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			exit(1);
		total += (uint8_t)c;
	}
	close(there[1]);
	wait(&status);
	sum(total), sum(status);
}
