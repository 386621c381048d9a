// SPDX-License-Identifier: MIT
/* setruntime [FILE]: registers FILE, or nobody, for aarch64, for test scripts. Exit status 0, or 1 with the reason. */
#include "../exec/test.h"

int main(int argc, char **argv)
{
	int ret = set_runtime(argc > 1 ? argv[1] : NULL, argc > 1 ? DRAGOMAN_RUNTIME_CREDENTIALS : 0);

	if (ret)
		fprintf(stderr, "setruntime: %s\n", strerror(-ret));
	return !!ret;
}
