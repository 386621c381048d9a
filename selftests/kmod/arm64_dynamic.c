// SPDX-License-Identifier: MIT
/*
 * An arm64 program with shared libraries, for guest: prints how many of them are mapped executable, itself included.
 */
#include <stdio.h>
#include <string.h>

static int is_another(const char *line, char *last, size_t size)
{
	const char *name = strchr(line, '/');

	if (!strstr(line, "r-xp") || !name || !strcmp(name, last))
		return 0;
	snprintf(last, size, "%s", name);
	return 1;
}

int main(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512], last[512] = "";
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += is_another(line, last, sizeof(last));
	printf("dynamic %d\n", n);
	return 0;
}
