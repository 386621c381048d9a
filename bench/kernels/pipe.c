// SPDX-License-Identifier: MIT
/* A byte to and fro between two processes: blocking read and write, context switches. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

/* On one processor: whether the scheduler spreads the two is luck, and decides more than anything else. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void kernel(long n)
{
	int there[2], back[2], status;
	uint64_t total = 0;
	char c = 1;

	stay_here();
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
