/* SPDX-License-Identifier: MIT */
/*
 * KTAP output for the tests of this folder. A test is a function that calls CHECK; its first failures are shown as
 * diagnostics.
 */
#ifndef SELFTESTS_IR_KTAP_H
#define SELFTESTS_IR_KTAP_H

#include <stdbool.h>
#include <stdio.h>

static unsigned ktap_number, ktap_failed;
static unsigned long ktap_checks, ktap_bad;

#define CHECK(cond, ...) do { \
	ktap_checks++; \
	if (!(cond) && ktap_bad++ < 8) { \
		printf("# %s:%d: ", __FILE__, __LINE__); \
		printf(__VA_ARGS__); \
		printf("\n"); \
	} \
} while (0)

/* Runs one test. One that checked nothing has failed. */
__attribute__((unused)) static void ktap_run(const char *name, void (*test)(void))
{
	bool ok;

	ktap_checks = ktap_bad = 0;
	test();
	ok = ktap_checks && !ktap_bad;
	if (ktap_bad)
		printf("# %lu of %lu checks failed\n", ktap_bad, ktap_checks);
	printf("%sok %u %s\n", ok ? "" : "not ", ++ktap_number, name);
	ktap_failed += !ok;
}

__attribute__((unused)) static void ktap_skip(const char *name, const char *why)
{
	printf("ok %u %s # SKIP %s\n", ++ktap_number, name, why);
}

__attribute__((unused)) static void ktap_start(unsigned tests)
{
	printf("KTAP version 1\n1..%u\n", tests);
}

__attribute__((unused)) static int ktap_end(void)
{
	return ktap_failed ? 1 : 0;
}

/* A reproducible sequence (xorshift64*). */
static unsigned long long ktap_seed = 0x2545f4914f6cdd1dull;

__attribute__((unused)) static unsigned long long ktap_random(void)
{
	ktap_seed ^= ktap_seed >> 12;
	ktap_seed ^= ktap_seed << 25;
	ktap_seed ^= ktap_seed >> 27;
	return ktap_seed * 0x2545f4914f6cdd1dull;
}

#endif
