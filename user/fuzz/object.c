// SPDX-License-Identifier: MIT
/*
 * Fuzzer for what reads code objects: a good object with bits, words or header fields changed is given to obj_check(), and,
 * when that takes it, to all that may then be done with it. Right is: no access outside of the object (it lies
 * between pages that fault), an error with a reason, or none.
 *
 *	object [-n COUNT] [-s SEED] [-v]		COUNT 0: until interrupted; -v: print what was wrong with each
 *
 * Built by hand: gcc -O2 -D_GNU_SOURCE -DDRAGOMAN_HOSTED -Iuser -Iinclude -o object user/fuzz/object.c build/host/libdragoman.a;
 * or with -DFUZZ_LIBRARY as a part of a test.
 */
#include <stdio.h>
#include <unistd.h>

#include "fuzz/object_image.h"

#define FUZZ_TEXT 0x2000u

static u8 fuzz_file[OBJ_GUEST_SIZE(FUZZ_TEXT)];
static struct dragoman_object *fuzz_good, *fuzz_bad;
static void *fuzz_memory;
static bool fuzz_verbose;

static u32 fuzz_used(u32 part, u64 *at)
{
	const struct dragoman_object *h = fuzz_good;

	switch (part) {
	case 0: *at = 0; return sizeof(*h);
	case 1: *at = h->index; return (u32)h->index_size;
	case 2: *at = h->regions; return h->nregions * (u32)sizeof(struct dragoman_region);
	case 3: *at = h->hot; return h->hot_used;
	case 4: *at = h->cold; return h->cold_used;
	default: *at = h->meta; return h->meta_used;
	}
}

static void fuzz_init(void)
{
	static const u32 start[] = { 0, 0x400, 0x1000, 0x1800 };
	u8 *p;

	obj_guest_make(fuzz_file, FUZZ_TEXT, 7);
	fuzz_good = obj_object_make(fuzz_file, sizeof(fuzz_file), start, ARRAY_SIZE(start));
	p = mmap(NULL, fuzz_good->size + (2ul << 30), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || mprotect(p + (1ul << 30), fuzz_good->size, PROT_READ | PROT_WRITE))
		exit(2);
	fuzz_bad = (struct dragoman_object *)(p + (1ul << 30));
	memcpy(fuzz_bad, fuzz_good, fuzz_good->size);
	fuzz_memory = obj_map(obj_verify_size(fuzz_good));
}

/* What a reader does with an object that was taken. */
static void fuzz_use(const struct dragoman_object *h)
{
	const struct guest *g = guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB);
	const struct dragoman_region *r = obj_region_at(h, obj_below(h->hot_used));
	volatile u32 sum = 0;

	for (u32 k = 0; r && k < r->nentry; k++)
		sum += obj_entries(h, r)[k].off;
	for (u32 k = 0; r && k < r->nmap; k++)
		sum += obj_maps(h, r)[k].off;
	for (u32 k = 0; r && k < r->nsite; k++)
		sum += obj_sites(h, r)[k].site;
	if (r && h->size == fuzz_good->size)
		obj_verify_region(fuzz_memory, h, g, fuzz_file, sizeof(fuzz_file), r);
}

/* True: all is right (otherwise it does not come back). */
static bool fuzz_one(u64 seed)
{
	struct { u64 at; u64 old; } undo[4];
	const char *why = NULL;
	unsigned n;
	int err;

	obj_random_state = seed;
	n = 1 + obj_below(4);
	for (unsigned k = 0; k < n; k++) {
		u64 at, v;
		u32 len = fuzz_used(obj_below(6), &at);

		if (len < 8) {
			len = fuzz_used(0, &at);
		}
		at += obj_below(len / 4 - 1) * 4;
		undo[k].at = at;
		memcpy(&v, (u8 *)fuzz_bad + at, 8);
		undo[k].old = v;
		switch (obj_below(5)) {
		case 0: v ^= 1ull << obj_below(64); break;
		case 1: v = (v & ~0xffffffffull) | obj_below(~0u); break;
		case 2: v = (v & ~0xffffull) | obj_below(0x10000); break;
		case 3: v = ~0ull >> obj_below(64); break;
		default: v += 4 * obj_below(1000) - 2000ull;
		}
		memcpy((u8 *)fuzz_bad + at, &v, 8);
	}
	err = obj_check(fuzz_bad, fuzz_good->size, &why);
	if (!err)
		fuzz_use(fuzz_bad);
	if (fuzz_verbose)
		printf("%llu: %s\n", (unsigned long long)seed, err ? why : "taken");
	while (n--)
		memcpy((u8 *)fuzz_bad + undo[n].at, &undo[n].old, 8);
	return !err || why;
}

#ifndef FUZZ_LIBRARY
int main(int argc, char **argv)
{
	u64 seed = 1, count = 100000, n, bad = 0;
	int o;

	while ((o = getopt(argc, argv, "n:s:v")) != -1) {
		switch (o) {
		case 'n': count = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'v': fuzz_verbose = true; break;
		default: return 2;
		}
	}
	fuzz_init();
	for (n = 0; !count || n < count; n++)
		bad += !fuzz_one(seed + n);
	printf("%llu objects, %llu findings\n", (unsigned long long)n, (unsigned long long)bad);
	return bad != 0;
}
#endif
