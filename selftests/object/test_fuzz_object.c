// SPDX-License-Identifier: MIT
/*
 * A bounded run of the fuzzer of code objects (user/fuzz/object.c): always the same damage.
 */
#define FUZZ_LIBRARY
#include "fuzz/object.c"

#define OBJECTS 30000

int main(void)
{
	u64 bad = 0;

	fuzz_init();
	fuzz_verbose = false;
	for (u64 seed = 1; seed <= OBJECTS; seed++)
		bad += !fuzz_one(seed);
	printf("%s 1 %u damaged objects\n1..1\n", bad ? "not ok" : "ok", OBJECTS);
	return bad != 0;
}
