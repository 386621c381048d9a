// SPDX-License-Identifier: MIT
/* What start:static and start:dynamic run: the C library's start, one line, the end. */
#include <stdio.h>

int main(void)
{
	puts("hello");
	return 0;
}
