// SPDX-License-Identifier: MIT
/*
 * Guest memory (mm.c): the tables of executable and own ranges against a model with one byte a page, also while other threads
 * read; what a guest may not touch; the break; executable ranges after mprotect, mremap, shmdt; the copies of uaccess.c.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/alias.c"
#include "runtime/mm.c"
#include "runtime/uaccess.c"

struct rt_globals rt;

static u64 forgotten_start, forgotten_end;
void rt_invalidate(u64 start, u64 end)
{
	forgotten_start = start;
	forgotten_end = end;
}

/* No server, no views. */
void rt_view_drop(u64 start, u64 end)
{
	(void)start;
	(void)end;
}

void rt_view_changed(u64 pc)
{
	(void)pc;
}

bool rt_view_evict(u64 start, u64 end, unsigned round)
{
	(void)start;
	(void)end;
	(void)round;
	return false;
}

bool rt_place_wanted(u64 prot, u64 flags, s64 fd)
{
	(void)prot;
	(void)flags;
	(void)fd;
	return false;
}

bool rt_place_is_reservation(u64 addr, u64 len, u64 prot, u64 flags)
{
	(void)addr;
	(void)len;
	(void)prot;
	(void)flags;
	return false;
}

s64 rt_place_mmap(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	return sys(__NR_mmap, addr, len, prot, flags, fd, offset);
}

s64 rt_place_map_headers(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	(void)addr;
	(void)len;
	(void)prot;
	(void)flags;
	(void)fd;
	(void)offset;
	return 0;
}

s64 rt_place_reserve(u64 len)
{
	return sys(__NR_mmap, 0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static unsigned number, failed;
static void result(bool ok, const char *name)
{
	printf("%s %u %s\n", ok ? "ok" : "not ok", ++number, name);
	failed += !ok;
}

/* ---- tables against a model ------------------------------------------------------------------------------------------ */

#define PAGES 512
#define BASE 0x10000000ull
static u8 model[PAGES + 1];

static u64 seed = 1;
static u64 random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool model_agrees(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		u64 avail = rt_mm_exec_avail(BASE + i * PAGE + 4);
		unsigned end = i;

		while (model[end])
			end++;
		if (avail != (end > i ? (end - i) * PAGE - 4 : 0))
			return false;
	}
	return true;
}

static void random_ranges(void)
{
	bool ok = true;

	for (unsigned n = 0; n < 3000 && ok; n++) {
		unsigned a = random_number() % PAGES, len = 1 + random_number() % (n % 30 ? 2 : 60);
		unsigned b = a + len > PAGES ? PAGES : a + len;
		bool add = random_number() & 1;

		if (add)
			rt_mm_exec_add(BASE + a * PAGE, BASE + b * PAGE);
		else
			rt_mm_exec_remove(BASE + a * PAGE, BASE + b * PAGE);
		memset(model + a, add, b - a);
		if (n % 10 == 0)
			ok = model_agrees();
	}
	result(ok && model_agrees(), "random ranges agree with a model");
	result(mm.exec.cur->cap > FIRST_CAP, "the table has grown");
	rt_mm_exec_remove(BASE, BASE + PAGES * PAGE);
	memset(model, 0, sizeof(model));
	result(!mm.exec.cur->n, "nothing remains");
}

/* Range 7 is always there; others come and go. A reader must see it each time, and never one that was never there. */
static volatile bool stop;
static void *reader(void *arg)
{
	u64 bad = 0, pc = BASE + 700 * PAGE;

	(void)arg;
	while (!stop) {
		bad += rt_mm_exec_avail(pc) != PAGE;
		bad += rt_mm_exec_avail(pc + 2 * PAGE) != 0;
	}
	return (void *)bad;
}

static void readers_while_writing(void)
{
	pthread_t t[2];
	u64 bad = 0;

	rt_mm_exec_add(BASE + 700 * PAGE, BASE + 701 * PAGE);
	stop = false;
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, reader, NULL);
	for (unsigned n = 0; n < 200000; n++) {
		u64 at = BASE + (random_number() % 340) * 2 * PAGE;

		if (n & 1)
			rt_mm_exec_add(at, at + PAGE);
		else
			rt_mm_exec_remove(at, at + PAGE);
	}
	stop = true;
	for (unsigned i = 0; i < 2; i++) {
		void *r;

		pthread_join(t[i], &r);
		bad += (u64)r;
	}
	result(!bad, "readers see whole tables while they change");
	rt_mm_exec_remove(BASE, BASE + 1000 * PAGE);
}

/* ---- what is the runtime's ------------------------------------------------------------------------------------------------ */

static bool mapped(u64 page)
{
	u8 in_core;

	return sys(__NR_mincore, page, PAGE, &in_core) == 0;
}

static void own_ranges(void)
{
	u64 p = rt_mm_mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), from, to;
	const u64 fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	rt_mm_reserve(p + 2 * PAGE, p + 3 * PAGE);
	rt_mm_reserve(p + 5 * PAGE, p + 6 * PAGE);
	result(rt_mm_munmap(p + 2 * PAGE, 1) == 0 && rt_mm_munmap(p + 2 * PAGE, 0) == -EINVAL && mapped(p + 2 * PAGE),
	       "munmap of own memory: nothing is there");
	result(rt_mm_mmap(p + PAGE, 2 * PAGE, PROT_READ, fixed, -1, 0) == -ENOMEM, "MAP_FIXED over own memory");
	result(rt_mm_mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == -EEXIST,
	       "MAP_FIXED_NOREPLACE over own memory");
	result(rt_mm_mprotect(p, 8 * PAGE, PROT_NONE) == -ENOMEM, "mprotect of own memory");
	result(rt_mm_madvise(p, 8 * PAGE, MADV_DONTNEED) == -ENOMEM, "madvise of own memory");
	result(rt_mm_mremap(p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0) == -EFAULT, "mremap of own memory");
	result(rt_mm_mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 5 * PAGE) == -EINVAL, "mremap onto own memory");
	result(rt_mm_guest_part(p, p + 8 * PAGE, &from, &to) && from == p && to == p + 2 * PAGE &&
	       rt_mm_guest_part(to, p + 8 * PAGE, &from, &to) && from == p + 3 * PAGE && to == p + 5 * PAGE &&
	       rt_mm_guest_part(to, p + 8 * PAGE, &from, &to) && from == p + 6 * PAGE && to == p + 8 * PAGE &&
	       !rt_mm_guest_part(to, p + 8 * PAGE, &from, &to), "the guest's parts");
	result(rt_mm_munmap(p, 8 * PAGE) == 0 && !mapped(p + PAGE) && mapped(p + 2 * PAGE) && !mapped(p + 4 * PAGE) &&
	       mapped(p + 5 * PAGE) && !mapped(p + 7 * PAGE), "munmap around own memory");
	rt_mm_unreserve(p, p + 8 * PAGE);
	result(rt_mm_munmap(p, 8 * PAGE) == 0 && !mapped(p + 2 * PAGE), "munmap when it is no longer own");
}

static void arguments(void)
{
	const u64 anon = MAP_PRIVATE | MAP_ANONYMOUS;

	result(rt_mm_mmap(0, PAGE, PROT_READ | A64_PROT_MTE, anon, -1, 0) == -EINVAL, "PROT_MTE");
	result(rt_mm_mmap(0, PAGE, PROT_READ | A64_PROT_BTI, anon, -1, 0) > 0, "PROT_BTI");
	result(rt_mm_mmap(0, 0, PROT_READ, anon, -1, 0) == -EINVAL, "mmap of nothing");
	result(rt_mm_mmap(0, ~0ull, PROT_READ, anon, -1, 0) == -ENOMEM, "mmap of everything");
	result(rt_mm_mmap(0xffff800000000000, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0) == -ENOMEM, "MAP_FIXED in the kernel");
	result(rt_mm_mmap(0x1001, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0) == -EINVAL, "MAP_FIXED not at a page");
	result((u64)rt_mm_mmap(1ull << 50, PAGE, PROT_READ, anon, -1, 0) < RT_GUEST_END, "hint above the address space");
	result(rt_mm_mmap(0, PAGE, PROT_READ, anon | 0x40, -1, 0) > (s64)BIT(32), "MAP_32BIT means nothing");
	result(rt_mm_munmap(0x1001, PAGE) == -EINVAL && rt_mm_munmap(0, ~0ull) == -EINVAL, "bad munmap");
	result(rt_mm_mprotect(1ull << 50, PAGE, PROT_READ) == -ENOMEM, "bad mprotect");
}

/* ---- executable ranges --------------------------------------------------------------------------------------------------- */

static void executable(void)
{
	u64 p = rt_mm_mmap(0, 8 * PAGE, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), q;

	result(rt_mm_exec_avail(p) == 8 * PAGE && rt_mm_exec_avail(p + 8 * PAGE) == 0, "mmap executable");
	result(*(volatile u8 *)p == 0, "execute-only is readable");
	forgotten_end = 0;
	rt_mm_mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	result(rt_mm_exec_avail(p) == 4 * PAGE && !rt_mm_exec_avail(p + 4 * PAGE) && rt_mm_exec_avail(p + 5 * PAGE) == 3 * PAGE,
	       "mprotect takes it away");
	result(forgotten_start == p + 4 * PAGE && forgotten_end == p + 5 * PAGE, "and its translations");
	rt_mm_mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	result(rt_mm_exec_avail(p) == 8 * PAGE, "mprotect gives it back");
	forgotten_end = 0;
	rt_mm_mmap(p + PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	result(rt_mm_exec_avail(p) == 8 * PAGE && forgotten_end == p + 2 * PAGE, "executable over executable is new code");
	q = rt_mm_mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE, 0);
	if (q == p)
		result(rt_mm_exec_avail(p) == 16 * PAGE, "mremap grows");
	else
		result(!rt_mm_exec_avail(p) && (rt_mm_exec_avail(q) == 16 * PAGE || (s64)q == -EFAULT), "mremap moves");
	/* Mappings of different kinds cannot be moved at once. */
	if ((s64)q == -EFAULT)
		q = p;
	forgotten_end = 0;
	rt_mm_madvise(q, PAGE, MADV_DONTNEED);
	result(forgotten_start == q, "MADV_DONTNEED forgets code");
	rt_mm_munmap(q, 16 * PAGE);
	result(!rt_mm_exec_avail(q), "munmap");
}

static void shared_memory(void)
{
	int id = (int)sys(__NR_shmget, IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0700);
	u64 p = rt_mm_shmat(id, 0, SHM_EXEC), next;

	if (id < 0 || (s64)p < 0) {
		printf("ok %u shared memory # SKIP no System V shared memory\n", ++number);
		return;
	}
	result(rt_mm_exec_avail(p) == 3 * PAGE, "shmat executable");
	next = rt_mm_mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	result(rt_mm_shmdt(p) == 0 && !rt_mm_exec_avail(p) && (next != p + 3 * PAGE || rt_mm_exec_avail(next) == PAGE),
	       "shmdt takes away the segment and no more");
	sys(__NR_shmctl, id, IPC_RMID, 0);
}

/* ---- brk -------------------------------------------------------------------------------------------------------------------- */

static void emulated_break(void)
{
	u64 start = rt_mm_mmap(0, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	rt_mm_munmap(start, 32 * PAGE);
	rt_mm_set_brk(start, false);
	result(rt_mm_brk(0) == (s64)start && rt_mm_brk(start - 1) == (s64)start, "the break begins");
	result(rt_mm_brk(start + 100) == (s64)start + 100, "the break grows");
	memset((void *)start, 1, PAGE);
	result(rt_mm_brk(start + 10 * PAGE) == (s64)(start + 10 * PAGE) && *(u8 *)(start + PAGE) == 0 && *(u8 *)start == 1,
	       "the break grows in place");
	result(rt_mm_brk(start + 40 * PAGE) == (s64)(start + 10 * PAGE), "the break stops at other memory");
	result(rt_mm_brk(start + 1) == (s64)start + 1, "the break shrinks");
	rt_mm_brk(start + 10 * PAGE);
	result(*(u8 *)(start + PAGE) == 0, "what comes back is zero");
}

/* ---- uaccess ------------------------------------------------------------------------------------------------------------------ */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	u64 resume = rt_uaccess_fixup(uc->uc_mcontext.gregs[REG_RIP]);

	(void)sig;
	(void)info;
	if (!resume)
		_exit(3);
	uc->uc_mcontext.gregs[REG_RIP] = resume;
}

static void guest_access(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	u64 p = rt_mm_mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), v;
	char *end = (char *)(p + PAGE), buf[64];
	bool ok = true;
	u32 w;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	rt_mm_munmap(p + PAGE, PAGE);
	result(rt_copy_from_user(buf, p + PAGE - 8, 8) == 0 && rt_copy_from_user(buf, p + PAGE - 8, 9) == -EFAULT &&
	       rt_copy_to_user(p + PAGE - 8, buf, 8) == 0 && rt_copy_to_user(p + PAGE - 8, buf, 9) == -EFAULT, "copies");
	result(rt_clear_user(p, PAGE) == 0 && rt_clear_user(p, PAGE + 1) == -EFAULT, "clear");
	result(rt_get_u64(&v, p + PAGE - 8) == 0 && rt_get_u64(&v, p + PAGE - 7) == -EFAULT && rt_put_u32(p + PAGE - 4, 7) == 0 &&
	       rt_get_u32(&w, p + PAGE - 4) == 0 && w == 7 && rt_put_u8(p + PAGE, 1) == -EFAULT, "words");
	result(rt_get_u64(&v, 0x8000000000000000) == -EFAULT && rt_copy_from_user(buf, ~0ull - 4, 3) == -EFAULT,
	       "addresses that do not exist");
	memset((void *)p, 'x', PAGE);
	result(rt_strnlen_user(p, 10000) == -EFAULT && rt_strnlen_user(p + 5, 20) == -ENAMETOOLONG, "strings without end");
	for (unsigned at = 1; at < 40; at++)
		for (unsigned len = 0; len < at; len++) {
			end[(int)len - (int)at] = 0;
			ok &= rt_strnlen_user(p + PAGE - at, 64) == len;
			ok &= rt_strnlen_user(p + PAGE - at, len) == -ENAMETOOLONG || (!len && at);
			ok &= rt_strnlen_user(p + PAGE - at, len + 1) == len;
			end[(int)len - (int)at] = 'x';
		}
	result(ok, "lengths of strings at the end of memory");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	rt_mm_init();
	random_ranges();
	readers_while_writing();
	own_ranges();
	arguments();
	executable();
	shared_memory();
	emulated_break();
	guest_access();
	printf("1..%u\n", number);
	return failed != 0;
}
