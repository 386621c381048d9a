// SPDX-License-Identifier: MIT
/*
 * An arm64 program with shared libraries, for guest: prints how many files it is made of, and the sum of a sorted list.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count(struct dl_phdr_info *info, size_t size, void *n)
{
	(void)size;
	if (!strstr(info->dlpi_name, "vdso"))
		++*(int *)n;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int main(void)
{
	int list[1000], files = 0, sum = 0;

	for (int i = 0; i < 1000; i++)
		list[i] = i * 7919 % 1000;
	qsort(list, 1000, sizeof(*list), by_size);
	for (int i = 0; i < 1000; i++)
		sum += list[i] == i;
	dl_iterate_phdr(count, &files);
	printf("dynamic %d %d\n", files, sum);
	return 0;
}
