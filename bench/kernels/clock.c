// SPDX-License-Identifier: MIT
/* clock_gettime in a loop: no system call natively, so none should be needed here. */
#include <time.h>

#include "kernel.h"

void kernel(long n)
{
	struct timespec last = { 0, 0 }, now;
	long backwards = 0;

	while (n--) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		backwards += now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec);
		last = now;
	}
	sum(backwards);
}
