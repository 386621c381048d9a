// SPDX-License-Identifier: MIT
/*
 * A bounded run of the ELF loader's fuzzer (user/fuzz/elf.c): always the same files. By hand with other seeds.
 */
#define FUZZ_LIBRARY
#include "fuzz/elf.c"

#define FILES 3000

int main(void)
{
	char dir[] = "/tmp/dragoman-fuzz-XXXXXX", file[64];
	unsigned long bad = 0;

	if (access(runtime(), X_OK)) {
		printf("%s is not built\n", runtime());
		return 77;
	}
	if (!mkdtemp(dir))
		return 2;
	snprintf(file, sizeof(file), "%s/program", dir);
	for (unsigned long seed = 1; seed <= FILES; seed++)
		bad += !fuzz_one(seed, file);
	unlink(file);
	rmdir(dir);
	printf("%s 1 %u damaged ELF files\n1..1\n", bad ? "not ok" : "ok", FILES);
	return bad != 0;
}
