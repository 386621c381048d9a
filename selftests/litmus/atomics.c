// SPDX-License-Identifier: MIT
/*
 * Atomic operations under contention: an aarch64 program. Exclusives of all sizes, LSE atomics, pairs, with other threads
 * and with signals in between.
 *
 * In: an argument, the number of rounds of each thread (default 500000). Out: KTAP.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define THREADS 4

typedef uint64_t u64;
typedef uint32_t u32;

static u32 rounds = 500000;
static unsigned ntests, nbad;
static u64 word __attribute__((aligned(64))), other __attribute__((aligned(64)));
static u64 pair[2] __attribute__((aligned(64)));
static u32 start, errors;
static u64 sum;

static void report(int ok, const char *what)
{
	nbad += !ok;
	printf("%sok %u %s\n", ok ? "" : "not ", ++ntests, what);
	fflush(stdout);
}

struct job {
	void (*fn)(unsigned me);
	unsigned me;
	pthread_t id;
};

static void *body(void *arg)
{
	struct job *j = arg;

	__atomic_add_fetch(&start, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&start, __ATOMIC_SEQ_CST) < THREADS)
		;
	j->fn(j->me);
	return NULL;
}

static void run(void (*fn)(unsigned me))
{
	struct job j[THREADS];

	word = other = pair[0] = pair[1] = 0;
	start = errors = 0;
	sum = 0;
	for (unsigned k = 0; k < THREADS; k++) {
		j[k] = (struct job){ .fn = fn, .me = k };
		if (pthread_create(&j[k].id, NULL, body, &j[k]))
			exit(1);
	}
	for (unsigned k = 0; k < THREADS; k++)
		pthread_join(j[k].id, NULL);
}

/* --- counters --------------------------------------------------------------------------------------------------- */

/* One more, by an exclusive pair of instructions; as many tries as it takes. */
#define EXCLUSIVE_ADD(size, reg, at) do { \
	u64 t; \
	u32 f; \
	__asm__ volatile("1:\tldxr" size " %" reg "0, [%2]\n\tadd %" reg "0, %" reg "0, #1\n" \
			 "\tstxr" size " %w1, %" reg "0, [%2]\n\tcbnz %w1, 1b" : "=&r"(t), "=&r"(f) : "r"(at) : "memory"); \
} while (0)

static void add_x(unsigned me)
{
	(void)me;
	for (u32 n = 0; n < rounds; n++)
		EXCLUSIVE_ADD("", "x", &word);
}

static void add_w(unsigned me)
{
	for (u32 n = 0; n < rounds; n++)
		EXCLUSIVE_ADD("", "w", (u32 *)&word + (me & 1));
}

static void add_h(unsigned me)
{
	for (u32 n = 0; n < rounds; n++)
		EXCLUSIVE_ADD("h", "w", (uint16_t *)&word + me);
}

static void add_b(unsigned me)
{
	for (u32 n = 0; n < rounds; n++)
		EXCLUSIVE_ADD("b", "w", (uint8_t *)&word + me);
}

static void add_lse(unsigned me)
{
	u64 t;

	for (u32 n = 0; n < rounds; n++) {
		__asm__ volatile("ldaddal %1, %0, [%2]" : "=r"(t) : "r"(1ul), "r"(&word) : "memory");
		__asm__ volatile("staddb %w0, [%1]" : : "r"(1), "r"((uint8_t *)&other + me) : "memory");
	}
}

static void add_cas(unsigned me)
{
	(void)me;
	for (u32 n = 0; n < rounds; n++) {
		u64 old = word, seen;

		do {
			seen = old;
			__asm__ volatile("cas %0, %1, [%2]" : "+r"(seen) : "r"(old + 1), "r"(&word) : "memory");
		} while (seen != old && (old = seen, 1));
	}
}

/* Set and cleared bits, of which none may get lost. */
static void bits(unsigned me)
{
	u64 mine = 0x1111111111111111ul << me, old;

	for (u32 n = 0; n < rounds; n++) {
		__asm__ volatile("ldset %1, %0, [%2]" : "=r"(old) : "r"(mine), "r"(&word) : "memory");
		if (old & mine)
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
		__asm__ volatile("ldclr %1, %0, [%2]" : "=r"(old) : "r"(mine), "r"(&word) : "memory");
		if ((old & mine) != mine)
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
		__asm__ volatile("ldeor %1, %0, [%2]" : "=r"(old) : "r"(mine), "r"(&other) : "memory");
		if ((old & mine) != (n & 1 ? mine : 0))
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
	}
}

/* Every number that is put in by SWP comes out once. */
static void swaps(unsigned me)
{
	u64 mine = 0, old;

	for (u32 n = 1; n <= rounds; n++) {
		u64 v = (u64)n * THREADS + me;

		__asm__ volatile("swp %1, %0, [%2]" : "=r"(old) : "r"(v), "r"(&word) : "memory");
		mine += v - old;
	}
	__atomic_add_fetch(&sum, mine, __ATOMIC_RELAXED);
}

static void maxima(unsigned me)
{
	for (u32 n = 0; n < rounds; n++) {
		u64 v = (u64)n * THREADS + me;

		__asm__ volatile("stumax %0, [%1]" : : "r"(v), "r"(&word) : "memory");
		__asm__ volatile("stsmin %0, [%1]" : : "r"(-v), "r"(&other) : "memory");
		if (word < v)
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
	}
}

/* --- pairs: both halves are always of one store --------------------------------------------------------------------- */

static void casp(u64 old[2], u64 a, u64 b)
{
	register u64 o0 __asm__("x0") = old[0], o1 __asm__("x1") = old[1], n0 __asm__("x2") = a, n1 __asm__("x3") = b;

	__asm__ volatile("caspal x0, x1, x2, x3, [%4]" : "+r"(o0), "+r"(o1) : "r"(n0), "r"(n1), "r"(pair) : "memory");
	old[0] = o0;
	old[1] = o1;
}

static void pairs_casp(unsigned me)
{
	(void)me;
	for (u32 n = 0; n < rounds; n++) {
		u64 old[2] = { pair[0], 0 }, seen[2];

		old[1] = old[0] * 3;
		do {
			memcpy(seen, old, 16);
			casp(seen, old[0] + 1, (old[0] + 1) * 3);
			if (seen[1] != seen[0] * 3)
				__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
		} while (seen[0] != old[0] && (memcpy(old, seen, 16), 1));
	}
}

static void pairs_ldxp(unsigned me)
{
	(void)me;
	for (u32 n = 0; n < rounds; n++) {
		u64 a, b, a3;
		u32 f;

		__asm__ volatile("1:\tldaxp %0, %1, [%4]\n\tadd %2, %0, %0, lsl #1\n\tcmp %1, %2\n\tb.ne 2f\n"
				 "\tadd %0, %0, #1\n\tadd %2, %0, %0, lsl #1\n\tstlxp %w3, %0, %2, [%4]\n\tcbnz %w3, 1b\n2:"
				 : "=&r"(a), "=&r"(b), "=&r"(a3), "=&r"(f) : "r"(pair) : "memory", "cc");
		/* a torn pair can be loaded, on Arm too; it can not be stored */
		if (b + 3 != a * 3)
			n--;
	}
}

static void pairs_words(unsigned me)
{
	(void)me;
	for (u32 n = 0; n < rounds; n++) {
		u32 a, b, f;

		__asm__ volatile("1:\tldxp %w0, %w1, [%3]\n\tadd %w0, %w0, #1\n\tsub %w1, %w1, #1\n\tstxp %w2, %w0, %w1, [%3]\n"
				 "\tcbnz %w2, 1b" : "=&r"(a), "=&r"(b), "=&r"(f) : "r"(pair) : "memory");
		if (a + b)
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
	}
}

/* --- a list ----------------------------------------------------------------------------------------------------------- */

struct node {
	struct node *next;
	u64 value;
};
static struct node *head, *nodes;

/* Pushed one by one, taken all at once: no node comes back while somebody looks at it. */
static void list(unsigned me)
{
	struct node *mine = nodes + (u64)me * rounds, *t;
	u64 got = 0;
	u32 f;

	for (u32 n = 0; n < rounds; n++) {
		mine[n].value = n + 1;
		__asm__ volatile("1:\tldaxr %0, [%3]\n\tstr %0, [%2]\n\tstlxr %w1, %2, [%3]\n\tcbnz %w1, 1b"
				 : "=&r"(t), "=&r"(f) : "r"(&mine[n]), "r"(&head) : "memory");
		if (n % 16 != 15 && n + 1 != rounds)
			continue;
		__asm__ volatile("1:\tldaxr %0, [%2]\n\tstlxr %w1, xzr, [%2]\n\tcbnz %w1, 1b" : "=&r"(t), "=&r"(f) : "r"(&head) : "memory");
		for (; t; t = t->next)
			got += t->value;
	}
	__atomic_add_fetch(&sum, got, __ATOMIC_RELAXED);
}

/*
 * A stack that nodes come back to: between load and store the head may go and come back, with another successor. Arm's
 * monitor sees that, a comparison of values does not (docs/memory-model.md): known to fail.
 */
static struct node few[8];

static void stack(unsigned me)
{
	struct node *n, *t;
	u32 f;

	(void)me;
	for (u32 k = 0; k < rounds / 4 && !errors; k++) {
		__asm__ volatile("1:\tldaxr %0, [%3]\n\tcbz %0, 2f\n\tldr %1, [%0]\n\tstlxr %w2, %1, [%3]\n\tcbnz %w2, 1b\n2:"
				 : "=&r"(n), "=&r"(t), "=&r"(f) : "r"(&head) : "memory");
		if (!n)
			continue;
		if (__atomic_exchange_n(&n->value, 1, __ATOMIC_ACQ_REL))
			__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);	/* somebody else has it */
		__atomic_store_n(&n->value, 0, __ATOMIC_RELEASE);
		__asm__ volatile("1:\tldaxr %0, [%3]\n\tstr %0, [%2]\n\tstlxr %w1, %2, [%3]\n\tcbnz %w1, 1b"
				 : "=&r"(t), "=&r"(f) : "r"(n), "r"(&head) : "memory");
	}
}

static void test_stack(void)
{
	memset(few, 0, sizeof(few));
	for (unsigned k = 0; k < 7; k++)
		few[k].next = &few[k + 1];
	head = few;
	run(stack);
	report(!errors, errors ? "a stack by LDAXR, STLXR # TODO exclusives compare values" : "a stack by LDAXR, STLXR");
	nbad -= errors != 0;
}

/* --- signals ------------------------------------------------------------------------------------------------------------ */

static u32 handled;

/* Between the two instructions, now and then: the store-exclusive then has to fail, also when the value is the same. */
static void handler(int sig)
{
	(void)sig;
	handled++;
	EXCLUSIVE_ADD("", "x", &word);
	other = other ^ 1;
	other = other ^ 1;
}

static void test_signals(void)
{
	struct itimerval it = { { 0, 150 }, { 0, 150 } }, off = { 0 };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	u64 same = 0, t, before;
	u32 f, seen, n = 0;

	sigaction(SIGALRM, &sa, NULL);
	word = other = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	for (n = 0; n < rounds || handled < 50; n++) {
		EXCLUSIVE_ADD("", "x", &word);
		/* a handler that ran between the two: it may not succeed */
		before = *(volatile u32 *)&handled;
		__asm__ volatile("ldxr %0, [%3]\n\tldr %w2, [%4]\n\tmov %w1, #40\n1:\tsub %w1, %w1, #1\n\tcbnz %w1, 1b\n"
				 "\tldr %w1, [%4]\n\tsub %w2, %w1, %w2\n\tstxr %w1, %0, [%3]"
				 : "=&r"(t), "=&r"(f), "=&r"(seen) : "r"(&other), "r"(&handled) : "memory");
		if (!f && seen)
			same++;
		(void)before;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	report(word == (u64)n + handled, "exclusives interrupted by signals: no addition is lost");
	report(!same, "a signal between the two of a pair makes the store fail");
}

/* --- main ----------------------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	u64 all;

	if (argc > 1)
		rounds = (u32)atoi(argv[1]);
	all = (u64)rounds * THREADS;
	run(add_x);
	report(word == all, "LDXR, STXR");
	run(add_w);
	report((u32)word == all / 2 && word >> 32 == all / 2, "LDXR, STXR of neighbouring words");
	run(add_h);
	report(word == (rounds & 0xffff) * 0x0001000100010001ul, "LDXRH, STXRH of neighbours");
	run(add_b);
	report(word == (rounds & 0xff) * 0x01010101ul, "LDXRB, STXRB of neighbours");
	run(add_lse);
	report(word == all && other == (rounds & 0xff) * 0x01010101ul, "LDADDAL, STADDB");
	run(add_cas);
	report(word == all, "CAS");
	run(bits);
	report(!errors && !word, "LDSET, LDCLR, LDEOR");
	run(swaps);
	report(sum == word, "SWP");
	run(maxima);
	report(!errors && word == all - 1 && other == -(all - 1), "STUMAX, STSMIN");
	run(pairs_casp);
	report(!errors && pair[0] == all && pair[1] == all * 3, "CASPAL");
	run(pairs_ldxp);
	report(pair[0] == all && pair[1] == all * 3, "LDAXP, STLXP");
	run(pairs_words);
	report(!errors && (u32)pair[0] == (u32)all && (u32)(pair[0] >> 32) == -(u32)all, "LDXP, STXP of words");
	nodes = calloc(all, sizeof(*nodes));
	run(list);
	for (; head; head = head->next)
		sum += head->value;
	report(sum == THREADS * ((u64)rounds * (rounds + 1) / 2), "a list by LDAXR, STLXR");
	test_signals();
	test_stack();
	printf("1..%u\n", ntests);
	return nbad != 0;
}
