// SPDX-License-Identifier: MIT
/* Signals to oneself: frame, handler, sigreturn. */
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include "kernel.h"

static volatile uint64_t handled;

static void handler(int number)
{
	handled += number == SIGUSR1;
}

void kernel(long n)
{
	struct sigaction sa = { .sa_handler = handler };
	pid_t self = getpid();

	sigaction(SIGUSR1, &sa, NULL);
	while (n--)
		kill(self, SIGUSR1);
	sum(handled);
}
