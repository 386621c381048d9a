// SPDX-License-Identifier: MIT
/* Recursive Fibonacci: calls, returns, little else. */
#include "kernel.h"

static __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls,no-inline"))) long fib(long n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

void kernel(long n)
{
	sum(fib(n));
}
