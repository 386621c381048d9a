// SPDX-License-Identifier: MIT
/*
 * What enable.sh runs: prints what the kernel and the runtime told this program about itself.
 * In: nothing, or "again": executes itself once more through /proc/self/exe. Out: one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char comm[17] = "", exe[4096] = "?";
	uid_t real, effective, saved;
	ssize_t n;

	if (argc > 1 && !strcmp(argv[1], "again")) {
		execl("/proc/self/exe", "second", NULL);
		perror("execl");
		return 1;
	}
	getresuid(&real, &effective, &saved);
	prctl(PR_GET_NAME, comm);
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = 0;
	printf("%s comm=%s uid=%d,%d,%d secure=%lu exe=%s\n", argv[0], comm, (int)real, (int)effective, (int)saved,
	       getauxval(AT_SECURE), strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe);
	return argc > 1 ? atoi(argv[1]) : 0;
}
