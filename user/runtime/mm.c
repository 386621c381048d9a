// SPDX-License-Identifier: MIT
/*
 * Guest memory. Two sorted tables of address ranges: where the guest may execute, and what is the runtime's own. Both are
 * written under one lock and read without: a writer fills the spare copy and then publishes it, so a reader never waits.
 *
 * PROT_EXEC goes to the host as the guest gave it, so that noexec mounts, SELinux and /proc/self/maps behave; the host
 * never jumps there.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/ipc.h>
#include <linux/mman.h>

#include <linux/shm.h>
#include <asm/mman.h>
#include <asm/resource.h>

#include "runtime/alias.h"
#include "runtime/mm.h"
#include "runtime/place.h"
#include "runtime/rt.h"
#include "runtime/sys.h"
#include "runtime/view.h"

#define PAGE 4096ull
#define PAGE_UP(x) ALIGN_UP((u64)(x), PAGE)

/* What arm64 defines beside the generic bits (arch/arm64/include/uapi/asm/mman.h). */
#define A64_PROT_BTI 0x10
#define A64_PROT_MTE 0x20
#define PROT_VALID (PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP)
/* Flags that only x86 has. On arm64 these bits mean nothing. */
#define X86_MAP_FLAGS (0x40 /* MAP_32BIT */ | 0x80 /* MAP_ABOVE4G */)

struct range {
	u64 start, end;
};

struct block {
	u32 n, cap;
	struct range r[];
};

#define FIRST_CAP 62
struct table {
	struct block *cur, *spare;	/* cur: what readers see */
	u32 seq;			/* incremented by each publication */
	union {
		struct block b;
		u8 room[sizeof(struct block) + FIRST_CAP * sizeof(struct range)];
	} first[2];
};

/* One per address space. rt.mm points here; it is a bss object so that a start costs no mapping. */
struct rt_mm {
	/*
	 * 0 free, 1 taken, 2 taken and waited for. The core's locks are taken under lock (rt_invalidate), own_lock under the
	 * core's (it reserves what it maps) and under lock; nothing is taken under own_lock.
	 */
	u32 lock, own_lock;
	bool native_brk;
	u64 brk_mapped;			/* emulated break: end of what is mapped */
	struct table exec, own;
};
static struct rt_mm mm;

/* ---- lock ------------------------------------------------------------ */

static void lock_take(u32 *lock)
{
	u32 free = 0;

	if (__atomic_compare_exchange_n(lock, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(lock, 2, __ATOMIC_ACQUIRE))
		sys(__NR_futex, lock, FUTEX_WAIT_PRIVATE, 2, 0);
}

static void lock_give(u32 *lock)
{
	if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) == 2)
		sys(__NR_futex, lock, FUTEX_WAKE_PRIVATE, 1);
}

void rt_mm_lock(void)
{
	lock_take(&mm.lock);
	lock_take(&mm.own_lock);
}

void rt_mm_unlock(void)
{
	lock_give(&mm.own_lock);
	lock_give(&mm.lock);
}

/* ---- tables ------------------------------------------------------------ */

/* First range that ends behind addr. */
static u32 find(const struct block *b, u64 addr)
{
	u32 lo = 0, hi = b->n;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (b->r[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/*
 * The first range of the table that reaches into [start, end). The block that was read is rewritten after the next
 * publication, whose seq is stored before: a reader that saw any of that sees seq changed.
 */
static bool table_find(const struct table *t, u64 start, u64 end, struct range *out)
{
	const struct block *b;
	bool found;
	u32 seq, i;

	do {
		seq = __atomic_load_n(&t->seq, __ATOMIC_ACQUIRE);
		b = __atomic_load_n(&t->cur, __ATOMIC_ACQUIRE);
		i = find(b, start);
		found = i < b->n && b->r[i].start < end;
		if (found)
			*out = b->r[i];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(__atomic_load_n(&t->seq, __ATOMIC_RELAXED) != seq));
	return found;
}

static struct block *block_new(u32 cap)
{
	u64 size = PAGE_UP(sizeof(struct block) + cap * sizeof(struct range));
	s64 p = sys(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct block *b = (struct block *)p;

	if (p < 0)
		return NULL;
	b->cap = (size - sizeof(struct block)) / sizeof(struct range);
	return b;
}

/*
 * The spare block with room for n ranges. A block that became too small stays mapped for readers that may still look at
 * it; sizes double, so that is little.
 */
static struct block *table_spare(struct table *t, u32 n, struct block **made)
{
	if (t->spare->cap < n) {
		struct block *b = block_new(n * 2);

		if (!b)
			return NULL;
		t->spare = b;
		*made = b;
	}
	return t->spare;
}

static void table_publish(struct table *t, struct block *b)
{
	struct block *old = t->cur;

	__atomic_store_n(&t->cur, b, __ATOMIC_RELEASE);
	t->spare = old;
	__atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_RELEASE);
}

/* Adds or removes [start, end) in the copy that is to be published. */
static void block_change(struct block *b, const struct block *old, u64 start, u64 end, bool add)
{
	u32 i, n = 0;

	for (i = 0; i < old->n && old->r[i].end < start; i++)
		b->r[n++] = old->r[i];
	/* Here the ranges that touch [start, end) begin. */
	if (add) {
		struct range all = { start, end };

		for (; i < old->n && old->r[i].start <= end; i++) {
			all.start = MIN(all.start, old->r[i].start);
			all.end = MAX(all.end, old->r[i].end);
		}
		b->r[n++] = all;
	} else {
		for (; i < old->n && old->r[i].start <= end; i++) {
			if (old->r[i].start < start)
				b->r[n++] = (struct range){ old->r[i].start, MIN(start, old->r[i].end) };
			if (old->r[i].end > end)
				b->r[n++] = (struct range){ MAX(end, old->r[i].start), old->r[i].end };
		}
	}
	for (; i < old->n; i++)
		b->r[n++] = old->r[i];
	b->n = n;
}

static int own_change(u64 start, u64 end, bool add);

static int table_change(struct table *t, u64 start, u64 end, bool add)
{
	struct block *made = NULL, *b;

	if (start >= end)
		return 0;
	b = table_spare(t, t->cur->n + 2, &made);
	if (!b)
		return -ENOMEM;
	block_change(b, t->cur, start, end, add);
	table_publish(t, b);
	if (!made)
		return 0;
	/* The tables' own pages are the runtime's too. */
	start = (u64)made;
	end = start + PAGE_UP(made->cap * sizeof(struct range));
	return t == &mm.own ? table_change(t, start, end, true) : own_change(start, end, true);
}

static int own_change(u64 start, u64 end, bool add)
{
	int err;

	lock_take(&mm.own_lock);
	err = table_change(&mm.own, start, end, add);
	lock_give(&mm.own_lock);
	return err;
}

static bool own(u64 start, u64 end)
{
	struct range r;

	return table_find(&mm.own, start, end, &r);
}

static bool has_exec(u64 start, u64 end)
{
	struct range r;

	return table_find(&mm.exec, start, end, &r);
}

/* ---- for the rest of the runtime ------------------------------------------------------------ */

void rt_mm_init(void)
{
	struct table *tables[] = { &mm.exec, &mm.own };

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		struct table *t = tables[i];

		t->first[0].b.cap = t->first[1].b.cap = FIRST_CAP;
		t->cur = &t->first[0].b;
		t->spare = &t->first[1].b;
	}
	rt.mm = &mm;
}

size_t rt_mm_exec_avail(u64 pc)
{
	struct range r;

	return table_find(&mm.exec, pc, pc + 1, &r) ? r.end - pc : 0;
}

int rt_mm_reserve(u64 start, u64 end)
{
	return own_change(start, PAGE_UP(end), true);
}

void rt_mm_unreserve(u64 start, u64 end)
{
	own_change(start, PAGE_UP(end), false);
}

bool rt_mm_is_reserved(u64 start, u64 end)
{
	return own(start, end);
}

bool rt_mm_guest_part(u64 start, u64 end, u64 *from, u64 *to)
{
	struct range r;

	while (start < end && table_find(&mm.own, start, end, &r)) {
		if (r.start > start) {
			*from = start;
			*to = r.start;
			return true;
		}
		start = r.end;
	}
	*from = start;
	*to = end;
	return start < end;
}

void rt_mm_exec_add(u64 start, u64 end)
{
	lock_take(&mm.lock);
	table_change(&mm.exec, start, PAGE_UP(end), true);
	lock_give(&mm.lock);
}

void rt_mm_exec_remove(u64 start, u64 end)
{
	lock_take(&mm.lock);
	table_change(&mm.exec, start, PAGE_UP(end), false);
	lock_give(&mm.lock);
}

/* ---- mmap & co. ------------------------------------------------------------ */

/* Under the lock: nothing of [start, end) may run any longer. */
static void forget(u64 start, u64 end)
{
	if (!has_exec(start, end))
		return;
	table_change(&mm.exec, start, end, false);
	rt_invalidate(start, end);
	rt_view_drop(start, end);
}

/* Under the lock: the protection of [start, end) is now prot. */
static void note_prot(u64 start, u64 end, u64 prot)
{
	if (!(prot & PROT_EXEC)) {
		forget(start, end);
		return;
	}
	table_change(&mm.exec, start, end, true);
	/* what an object was made from must stay as it is in the file */
	if (prot & PROT_WRITE)
		rt_view_drop(start, end);
}

/* The guest's protection bits -> the host's. -EINVAL for what no arm64 without MTE accepts. */
static s64 host_prot(u64 prot)
{
	prot &= ~(u64)A64_PROT_BTI;
	if (prot & A64_PROT_MTE)
		return -EINVAL;
	/* Bits that no kernel knows: mmap does not care, mprotect refuses. One stands for all, lest it looks like an error. */
	if (prot >> 31)
		prot = (prot & ~(~0ull << 31)) | 1u << 30;
	/* We have to read what the guest executes; without EPAN arm64 makes execute-only readable too. */
	if (prot & PROT_EXEC)
		prot |= PROT_READ;
	return (s64)prot;
}

static bool in_guest_space(u64 addr, u64 len)
{
	return len <= RT_GUEST_END && addr <= RT_GUEST_END - len;
}

/* Code of a file that the guest may be writing to: not of one that it has opened for reading, as libraries are. */
static bool private_code(u64 prot, u64 flags, s64 fd)
{
	return prot & PROT_EXEC && !(flags & MAP_ANONYMOUS) && (sys(__NR_fcntl, fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

/* Under the lock: a mapping was made at [start, end), over what was there. */
static void note_alias(u64 start, u64 end, u64 prot, u64 flags, s64 fd, u64 offset)
{
	u64 type = flags & MAP_TYPE;

	if (rt_alias_any())
		rt_alias_remove(start, end);
	if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE || private_code(prot, flags, fd))
		rt_alias_add(start, end, flags & MAP_ANONYMOUS ? -1 : fd, offset);
}

void rt_mm_code_changed(u64 start, u64 end)
{
	rt_invalidate(start, end);
	rt_view_changed(start);
	if (!rt_alias_any())
		return;
	lock_take(&mm.lock);
	rt_alias_invalidate(start, end);
	lock_give(&mm.lock);
}

/*
 * Under the lock, which is given up meanwhile: views give way to a guest that wants their place. True: nothing else of ours
 * is there.
 */
static bool make_way(u64 start, u64 end)
{
	bool more = true;

	rt_view_drop(start, end);
	for (unsigned n = 0; more && unlikely(own(start, end)); n++) {
		lock_give(&mm.lock);
		more = rt_view_evict(start, end, n);
		lock_take(&mm.lock);
		rt_view_drop(start, end);
	}
	return !own(start, end);
}

static s64 map_fixed(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	s64 ret;

	if (!in_guest_space(addr, len))
		return -ENOMEM;
	lock_take(&mm.lock);
	/* Views of what is there, and those that are there themselves, go. */
	if (!make_way(addr, addr + len) && !(flags & MAP_FIXED_NOREPLACE))
		ret = -ENOMEM;
	else if (rt_place_wanted(prot, flags, fd))
		ret = rt_place_mmap(addr, len, prot, flags, fd, offset);
	else
		ret = sys(__NR_mmap, addr, len, prot, flags, fd, offset);
	if (ret >= 0) {
		/* Even executable over executable is new code; but at no time is it not executable. */
		if (prot & PROT_EXEC) {
			bool had = has_exec(ret, ret + len);

			table_change(&mm.exec, ret, ret + len, true);
			if (had)
				rt_invalidate(ret, ret + len);
		} else {
			forget(ret, ret + len);
		}
		note_alias(ret, ret + len, prot, flags, fd, offset);
	}
	lock_give(&mm.lock);
	return ret;
}

s64 rt_mm_mmap(u64 addr, u64 len, u64 guest_prot, u64 flags, s64 fd, u64 offset)
{
	s64 prot = host_prot(guest_prot), ret;
	u64 size = PAGE_UP(len);

	if (prot < 0)
		return prot;
	flags &= ~(u64)X86_MAP_FLAGS;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & (PAGE - 1))
			return -EINVAL;
		if (size < len)
			return -ENOMEM;
		if (len)
			return map_fixed(addr, size, prot, flags, fd, offset);
	}
	/* A hint above 47 bits would open the upper half of a five-level address space. */
	if (addr && !in_guest_space(addr, size))
		addr = 0;
	/* It takes a free place: there is nothing to be forgotten. */
	if (rt_place_is_reservation(addr, size, prot, flags))
		return rt_place_reserve(size);
	ret = rt_place_map_headers(addr, size, prot, flags, fd, offset);
	if (ret)
		return ret;
	if (!(prot & PROT_EXEC) && (flags & MAP_TYPE) == MAP_PRIVATE && !rt_alias_any())
		return sys(__NR_mmap, addr, len, prot, flags, fd, offset);
	lock_take(&mm.lock);
	if (len && size >= len && rt_place_wanted(prot, flags, fd))
		ret = rt_place_mmap(addr, size, prot, flags, fd, offset);
	else
		ret = sys(__NR_mmap, addr, len, prot, flags, fd, offset);
	if (ret >= 0 && prot & PROT_EXEC)
		table_change(&mm.exec, ret, ret + size, true);
	if (ret >= 0)
		note_alias(ret, ret + size, prot, flags, fd, offset);
	lock_give(&mm.lock);
	return ret;
}

/* Under the lock. To the guest, what is ours is not mapped. After an error what came before it is gone, and forgotten. */
static s64 unmap(u64 addr, u64 end)
{
	u64 from, to;
	s64 ret = 0;

	if (addr & (PAGE - 1))
		return -EINVAL;
	for (; !ret && rt_mm_guest_part(addr, end, &from, &to); addr = to) {
		ret = sys(__NR_munmap, from, to - from);
		if (!ret) {
			forget(from, to);
			rt_alias_remove(from, to);
		}
	}
	return ret;
}

s64 rt_mm_munmap(u64 addr, u64 len)
{
	u64 end = addr + PAGE_UP(len);
	s64 ret;

	if (!in_guest_space(addr, PAGE_UP(len)) || PAGE_UP(len) < len)
		return -EINVAL;
	if (!has_exec(addr, end) && !rt_alias_any() && likely(!own(addr, end)))
		return sys(__NR_munmap, addr, len);
	lock_take(&mm.lock);
	ret = len ? unmap(addr, end) : -EINVAL;
	lock_give(&mm.lock);
	return ret;
}

/*
 * The kernel may stop in the middle (a hole: ENOMEM) after part of the range was changed. Then what had been executable is
 * forgotten if it was to become non-executable, and what was to become executable is so only as far as it is mapped: a
 * jump beyond finds unmapped memory when it is read.
 */
/* The lowest address to which the main stack can grow. The kernel keeps 128 MiB below the stack free of other mappings. */
static u64 stack_bottom(void)
{
	struct { u64 cur, max; } lim = { 0, 0 };
	u64 size = 128 << 20;

	if (!sys(__NR_prlimit64, 0, RLIMIT_STACK, 0, &lim))
		size = MIN(size, lim.cur);
	return MIN(rt.stack_lo, ALIGN_DOWN(rt.stack_hi - size, PAGE));
}

/* Kernels without protection keys do not have the call with one. */
static s64 host_mprotect(u64 addr, u64 len, s64 prot, s64 pkey)
{
	return pkey == -1 ? sys(__NR_mprotect, addr, len, prot) : sys(__NR_pkey_mprotect, addr, len, prot, pkey);
}

s64 rt_mm_pkey_mprotect(u64 addr, u64 len, u64 guest_prot, s64 pkey)
{
	s64 prot = host_prot(guest_prot), ret;
	u64 start = addr, end = addr + PAGE_UP(len);

	if (prot < 0)
		return prot;
	if (!in_guest_space(addr, PAGE_UP(len)) || PAGE_UP(len) < len)
		return addr & (PAGE - 1) ? -EINVAL : -ENOMEM;
	if (own(addr, end))
		return -ENOMEM;
	if (!(prot & PROT_EXEC) && !has_exec(addr, end))
		return host_mprotect(addr, len, prot, pkey);
	/* The whole growing stack below addr is meant. */
	if (prot & PROT_GROWSDOWN)
		start = end > rt.stack_lo && end <= rt.stack_hi ? MIN(stack_bottom(), addr) : addr;
	lock_take(&mm.lock);
	ret = host_mprotect(addr, len, prot, pkey);
	if (!ret || (ret != -EINVAL && !(prot & PROT_EXEC)))
		note_prot(start, end, prot);
	lock_give(&mm.lock);
	return ret;
}

s64 rt_mm_mprotect(u64 addr, u64 len, u64 prot)
{
	return rt_mm_pkey_mprotect(addr, len, prot, -1);
}

s64 rt_mm_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	u64 old_size = PAGE_UP(old_len), new_size = PAGE_UP(new_len);
	bool exec, fixed_over;
	s64 ret;

	if (addr & (PAGE - 1) || old_size < old_len || new_size < new_len)
		return -EINVAL;
	if (!in_guest_space(0, new_size))
		return -EINVAL;
	if (!in_guest_space(addr, old_size))	/* the kernel looks for memory at addr first */
		return own(addr, addr + PAGE) || sys(__NR_mremap, addr, PAGE, PAGE, 0, 0) == -EFAULT ? -EFAULT : -EINVAL;
	if (own(addr, addr + MAX(old_size, 1)))
		return -EFAULT;
	if (flags & MREMAP_FIXED) {
		if (!in_guest_space(new_addr, new_size))
			return -EINVAL;
	} else if (!in_guest_space(new_addr, new_size)) {
		new_addr = 0;
	}
	exec = has_exec(addr, addr + MAX(old_size, 1));
	fixed_over = flags & MREMAP_FIXED && (has_exec(new_addr, new_addr + new_size) || own(new_addr, new_addr + new_size));
	if (!exec && !fixed_over && !rt_alias_any())
		return sys(__NR_mremap, addr, old_len, new_len, flags, new_addr);
	lock_take(&mm.lock);
	if (fixed_over && !make_way(new_addr, new_addr + new_size))
		ret = -EINVAL;
	else
		ret = sys(__NR_mremap, addr, old_len, new_len, flags, new_addr);
	if (ret >= 0) {
		if (new_size > old_size && old_size && rt_alias_any())
			rt_alias_grow(addr + old_size, addr + new_size);
		if (ret != (s64)addr) {
			rt_alias_remove(ret, ret + new_size);
			rt_alias_copy(addr, new_size, ret);
			rt_alias_remove(addr, addr + old_size);
		}
		/* old_size 0 duplicates a shared mapping, DONTUNMAP leaves an empty one. */
		if (ret != (s64)addr)
			forget(addr, addr + old_size);
		else if (new_size < old_size)
			forget(addr + new_size, addr + old_size);
		if (ret != (s64)addr)
			forget(ret, ret + new_size);
		if (exec)
			table_change(&mm.exec, ret, ret + new_size, true);
		if (exec && (flags & MREMAP_DONTUNMAP))
			table_change(&mm.exec, addr, addr + old_size, true);
	}
	lock_give(&mm.lock);
	return ret;
}

s64 rt_mm_remap_file_pages(u64 addr, u64 size, u64 prot, u64 pgoff, u64 flags)
{
	s64 ret;

	if (!in_guest_space(addr, PAGE_UP(size)) || own(addr, addr + PAGE_UP(size)))
		return -EINVAL;
	ret = sys(__NR_remap_file_pages, addr, size, prot, pgoff, flags);
	if (ret >= 0) {
		rt_invalidate(addr, addr + PAGE_UP(size));
		rt_view_drop(addr, addr + PAGE_UP(size));
	}
	return ret;
}

s64 rt_mm_madvise(u64 addr, u64 len, u64 advice)
{
	u64 end = addr + PAGE_UP(len);
	s64 ret;

	if (!in_guest_space(addr, PAGE_UP(len)))
		return -EINVAL;
	if (own(addr, end))
		return -ENOMEM;
	ret = sys(__NR_madvise, addr, len, advice);
	/* These may replace what is there by zeros or by the file's contents. */
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
		if (has_exec(addr, end))
			rt_invalidate(addr, end);
	}
	return ret;
}

/* ---- brk ------------------------------------------------------------ */

void rt_mm_set_brk(u64 start, bool native)
{
	rt.brk_start = rt.brk_now = mm.brk_mapped = start;
	mm.native_brk = native;
}

struct limit {
	u64 cur, max;
};

static bool brk_allowed(u64 addr)
{
	struct limit l;

	if (addr < rt.brk_start || addr >= RT_GUEST_END)
		return false;
	if (sys(__NR_prlimit64, 0, 2 /* RLIMIT_DATA */, 0, &l))
		return true;
	return addr - rt.brk_start <= l.cur;
}

/* The break as a private mapping that grows in place. Under the lock. */
static void brk_move(u64 addr)
{
	u64 want = PAGE_UP(addr);

	if (want > mm.brk_mapped) {
		u64 flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
		s64 p = sys(__NR_mmap, mm.brk_mapped, want - mm.brk_mapped, PROT_READ | PROT_WRITE, flags, -1, 0);

		if (p != (s64)mm.brk_mapped) {
			/* A kernel before 4.17 takes the flag for a hint. */
			if (p >= 0)
				sys(__NR_munmap, p, want - mm.brk_mapped);
			return;
		}
	} else if (want < mm.brk_mapped) {
		if (own(want, mm.brk_mapped) || sys(__NR_munmap, want, mm.brk_mapped - want))
			return;
	}
	mm.brk_mapped = want;
	rt.brk_now = addr;
}

s64 rt_mm_brk(u64 addr)
{
	u64 old;

	lock_take(&mm.lock);
	old = rt.brk_now;
	if (mm.native_brk)
		rt.brk_now = sys(__NR_brk, addr);
	else if (brk_allowed(addr))
		brk_move(addr);
	if (rt.brk_now < old)
		forget(PAGE_UP(rt.brk_now), PAGE_UP(old));
	addr = rt.brk_now;
	lock_give(&mm.lock);
	return (s64)addr;
}

/* ---- System V shared memory ------------------------------------------------------------ */

static u64 segment_size(s64 id)
{
	struct shmid64_ds ds;

	if (sys(__NR_shmctl, id, IPC_STAT, &ds) < 0)
		return 0;
	return PAGE_UP(ds.shm_segsz);
}

s64 rt_mm_shmat(s64 id, u64 addr, u64 flags)
{
	u64 size = 0, at = flags & SHM_RND ? ALIGN_DOWN(addr, PAGE) : addr;
	s64 ret;

	if (addr && !in_guest_space(addr, 1))
		return -EINVAL;
	size = segment_size(id);
	/* A segment that may be attached but not looked at could be larger than we know. */
	if (flags & SHM_REMAP && (!size || !in_guest_space(at, size)))
		return -EINVAL;
	lock_take(&mm.lock);
	if (flags & SHM_REMAP && !make_way(at, at + size))
		ret = -EINVAL;
	else
		ret = sys(__NR_shmat, id, addr, flags);
	if (ret >= 0 && size) {
		forget(ret, ret + size);
		note_prot(ret, ret + size, flags & SHM_EXEC ? PROT_EXEC : 0);
		rt_alias_remove(ret, ret + size);
		rt_alias_add_shm(ret, ret + size, id);
	}
	lock_give(&mm.lock);
	return ret;
}

/* How long the segment was is known to the kernel alone: look which pages are gone. */
s64 rt_mm_shmdt(u64 addr)
{
	struct range r;
	u64 page;
	u8 in_core;
	s64 ret;

	if (own(addr, addr + 1))
		return -EINVAL;
	lock_take(&mm.lock);
	ret = sys(__NR_shmdt, addr);
	if (!ret && table_find(&mm.exec, addr, addr + 1, &r)) {
		for (page = addr; page < r.end; page += PAGE)
			if (sys(__NR_mincore, page, PAGE, &in_core) != -ENOMEM)
				break;
		forget(addr, page);
	}
	lock_give(&mm.lock);
	return ret;
}
