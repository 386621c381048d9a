// SPDX-License-Identifier: MIT
/*
 * Memory that is mapped more than once; see alias.h. An instruction cache is indexed by physical address, so a guest may
 * invalidate code at any address where it is mapped (memfd, shm_open or mremap(old_size 0), once writable, once executable).
 *
 * Not seen: other processes' writes, and private mappings of a file that was opened for reading only and is written elsewhere.
 * The table is of a fixed size; when it is full the oldest go. A record that should have gone costs time only.
 */
#include <asm/stat.h>
#include <asm/unistd.h>

#include "runtime/alias.h"
#include "runtime/rt.h"
#include "runtime/sys.h"

#define RECORDS 256

struct alias {
	u64 start, end;			/* 0, 0: free */
	u64 dev, ino, offset;		/* offset of start */
};

static struct {
	u32 n;				/* records in use or once in use */
	u32 next;			/* to be overwritten when all are in use */
	u64 anonymous;			/* how many anonymous ones there were: their inode */
	struct alias a[RECORDS];
} table;

#define DEV_ANONYMOUS (~0ull)
#define DEV_SHM (~1ull)

static void put(const struct alias *a)
{
	u32 k;

	for (k = 0; k < table.n && table.a[k].end; k++)
		;
	if (k == RECORDS)
		k = table.next++ % RECORDS;
	table.a[k] = *a;
	if (k >= table.n)
		__atomic_store_n(&table.n, k + 1, __ATOMIC_RELEASE);
}

void rt_alias_add(u64 start, u64 end, s64 fd, u64 offset)
{
	struct alias a = { .start = start, .end = end, .dev = DEV_ANONYMOUS };
	struct stat st;

	if (fd < 0) {
		a.ino = ++table.anonymous;
	} else {
		if (sys(__NR_fstat, fd, &st))
			return;
		a.dev = st.st_dev;
		a.ino = st.st_ino;
		a.offset = offset;
	}
	put(&a);
}

void rt_alias_add_shm(u64 start, u64 end, s64 id)
{
	put(&(struct alias){ .start = start, .end = end, .dev = DEV_SHM, .ino = (u64)id });
}

void rt_alias_remove(u64 start, u64 end)
{
	for (u32 k = 0; k < table.n && start < end; k++) {
		struct alias *a = &table.a[k], rest = *a;

		if (a->start >= end || a->end <= start)
			continue;
		if (a->start < start) {
			a->end = start;
			if (rest.end <= end)
				continue;
			rest.offset += end - rest.start;
			rest.start = end;
			put(&rest);
		} else if (a->end > end) {
			a->offset += end - a->start;
			a->start = end;
		} else {
			a->start = a->end = 0;
		}
	}
}

void rt_alias_grow(u64 old_end, u64 end)
{
	for (u32 k = 0; k < table.n; k++)
		if (table.a[k].end == old_end && old_end)
			table.a[k].end = end;
}

void rt_alias_copy(u64 start, u64 len, u64 to)
{
	for (u32 k = 0, n = table.n; k < n; k++) {
		struct alias a = table.a[k];
		u64 lo = MAX(a.start, start), hi = MIN(a.end, start + len);

		if (lo >= hi)
			continue;
		a.offset += lo - a.start;
		a.start = to + (lo - start);
		a.end = to + (hi - start);
		put(&a);
	}
}

bool rt_alias_any(void)
{
	return __atomic_load_n(&table.n, __ATOMIC_ACQUIRE);
}

/* What of b is the same memory as [start, end) of a. */
static void invalidate_pair(const struct alias *a, const struct alias *b, u64 start, u64 end)
{
	u64 from = a->offset + (MAX(start, a->start) - a->start), to = a->offset + (MIN(end, a->end) - a->start);

	from = MAX(from, b->offset);
	to = MIN(to, b->offset + (b->end - b->start));
	if (from < to)
		rt_invalidate(b->start + (from - b->offset), b->start + (to - b->offset));
}

void rt_alias_invalidate(u64 start, u64 end)
{
	for (u32 k = 0; k < table.n; k++) {
		const struct alias *a = &table.a[k];

		if (a->start >= end || a->end <= start)
			continue;
		for (u32 m = 0; m < table.n; m++) {
			const struct alias *b = &table.a[m];

			if (m != k && b->end && b->dev == a->dev && b->ino == a->ino)
				invalidate_pair(a, b, start, end);
		}
	}
}
