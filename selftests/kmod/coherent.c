// SPDX-License-Identifier: MIT
/*
 * Does this machine see code that another processor has written? Every x86-64 processor does, once it has synchronised with the
 * writer and executed CPUID. QEMU's emulation with a thread a processor does not (7.2: the writer drops the old translation
 * before it stores the new bytes; who runs the code in between translates the old ones again, for good). Programs whose
 * threads change code cannot work there, whoever starts them. Exit status: 0 it does, 1 it does not.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WRITES 20000
#define SECONDS 3

static uint8_t *code;
static int asked, answered, stop;

static int call(void)
{
	return ((int (*)(void))code)();
}

static void serialise(void)
{
	unsigned int a = 0, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d) : : "memory");
}

/* Runs the code all the time, and says what it got after it was asked. */
static void *run(void *arg)
{
	int last = 0, n;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		call();
		n = __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
		if (n == last)
			continue;
		serialise();
		last = n;
		__atomic_store_n(&answered, call() == n ? n : -n, __ATOMIC_RELEASE);
	}
	return arg;
}

static int write_and_ask(int n)
{
	int got;

	__atomic_store_n((uint32_t *)(code + 8), n, __ATOMIC_SEQ_CST);
	__atomic_store_n(&asked, n, __ATOMIC_RELEASE);
	while ((got = __atomic_load_n(&answered, __ATOMIC_ACQUIRE)) != n && got != -n)
		sched_yield();
	return got;
}

int main(void)
{
	time_t end = time(NULL) + SECONDS;
	int n, good = 1;
	pthread_t t;

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		return 2;
	memcpy(code, "\x90\x90\x90\x90\x90\x90\x90\xb8\0\0\0\0\xc3", 13);	/* mov $0, %eax; ret; the constant is aligned */
	if (pthread_create(&t, NULL, run, NULL))
		return 2;
	for (n = 1; good && n < WRITES && time(NULL) < end; n++)
		good = write_and_ask(n) == n;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	printf("code written by another processor is %s after %d writes\n", good ? "always seen" : "not seen", n - 1);
	return !good;
}
