// SPDX-License-Identifier: MIT
/*
 * A bounded run of the translator's fuzzer (user/fuzz/decode.c): always the same sequences. By hand with other seeds: [COUNT [SEED]].
 */
#define FUZZ_LIBRARY
#include "fuzz/decode.c"

int main(int argc, char **argv)
{
	u64 count = argc > 1 ? strtoull(argv[1], NULL, 0) : 3000, seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, bad = 0;

	for (u64 n = 0; n < count && bad < 20; n++)
		bad += !fuzz_one(seed + n);
	printf("fuzz decode: %llu sequences of %u words, %llu findings\n", (unsigned long long)count, FUZZ_WORDS, (unsigned long long)bad);
	return bad || !count;
}
