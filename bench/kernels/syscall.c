// SPDX-License-Identifier: MIT
/* getppid in a loop: the price of a system call that does nothing. */
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

void kernel(long n)
{
	long first = syscall(SYS_getppid), same = 0;

	for (long i = 0; i < n; i++)
		same += syscall(SYS_getppid) == first;
	sum(same);
}
