// SPDX-License-Identifier: MIT
/*
 * Views that were dropped while other threads run, until those have left. In: a view that nothing finds any more. Out: nobody comes
 * past an instruction boundary in it, and nobody is kept from going on there in the middle of an instruction.
 *
 * It stays mapped, readable (index, constants and descriptions are looked at meanwhile) and not executable: who is inside, or comes
 * by a link, a return or a jump cache, meets a fault. At a boundary that leads out (context.c). Elsewhere the page is needed to
 * come to the next boundary: a private copy of it, with INT3 at each, takes its place.
 */
#include <linux/mman.h>
#include <linux/personality.h>
#include <asm/unistd.h>

#include "object/object.h"
#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/sys.h"

#define PAGE 4096u
#define PERSONALITY_QUERY 0xffffffffu

void rt_view_close(const struct rt_view *v)
{
	s64 persona = sys(__NR_personality, PERSONALITY_QUERY);
	bool implied = persona >= 0 && persona & READ_IMPLIES_EXEC;	/* to read were to execute */

	if (implied)
		sys(__NR_personality, persona & ~(s64)READ_IMPLIES_EXEC);
	sys(__NR_mprotect, v->start, v->end - v->start, PROT_READ);
	if (implied)
		sys(__NR_personality, persona);
}

/* The first region that ends behind hot offset off. */
static u32 first_region(const struct dragoman_object *h, u32 n, u32 off)
{
	u32 lo = 0, hi = n;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (obj_regions(h)[mid].hot + obj_regions(h)[mid].hot_len > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* A boundary at offset off of a region whose code begins at hot offset hot; the page has [from, from + PAGE). */
static void int3(u8 *page, s64 from, u32 hot, u32 off)
{
	s64 at = (s64)hot + off - from;

	if (at >= 0 && at < PAGE)
		page[at] = 0xcc;
}

static void poison(u8 *page, s64 from, const struct dragoman_object *h, const struct dragoman_region *d)
{
	const struct cg_map *map = obj_maps(h, d);

	for (u32 k = 0; k < d->nmap; k++)
		if (!map[k].inside && map[k].off < d->hot_len)
			int3(page, from, d->hot, map[k].off);
	for (u32 k = 0; k < d->nretsite; k++)
		if (obj_retsites(h, d)[k] < d->hot_len)
			int3(page, from, d->hot, obj_retsites(h, d)[k]);
	for (u32 k = 0; k < d->nentry; k++)
		if (obj_entries(h, d)[k].off < d->hot_len)
			int3(page, from, d->hot, obj_entries(h, d)[k].off);
}

static u32 count(const struct dragoman_object *h)
{
	return MIN(__atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE), (u32)(h->regions_size / sizeof(struct dragoman_region)));
}

/* The worker may still add to the object, and link what is there to it: then once more. */
static void copy_page(u8 *to, const struct rt_view *v, u64 page)
{
	const struct dragoman_object *h = v->head;
	s64 from = (s64)(page - v->x.hot);
	u32 n;

	do {
		n = count(h);
		__builtin_memcpy(to, (const void *)page, PAGE);
		for (u32 k = first_region(h, n, from < 0 ? 0 : (u32)from); k < n && obj_regions(h)[k].hot < from + PAGE; k++)
			poison(to, from, h, &obj_regions(h)[k]);
	} while (n != count(h));
}

/* False: no memory, or no mapping more. */
static bool replace_page(const struct rt_view *v, u64 page)
{
	u8 *p = rt_core_map(PAGE, PROT_READ | PROT_WRITE);

	if (!p)
		return false;
	copy_page(p, v, page);
	if (sys(__NR_mprotect, p, PAGE, PROT_READ | PROT_EXEC) ||
	    sys(__NR_mremap, p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) < 0) {
		rt_core_unmap(p, PAGE);
		return false;
	}
	rt_mm_unreserve((u64)p, (u64)p + PAGE);
	return true;
}

bool rt_view_finish(u64 addr)
{
	const struct rt_view *v = rt_view_of_host(addr);

	if (!v || !v->retired)
		return false;
	/* At the worst they go on in what they are in until they leave it by themselves. */
	if (!replace_page(v, addr & ~(u64)(PAGE - 1)))
		sys(__NR_mprotect, v->start, v->end - v->start, PROT_READ | PROT_EXEC);
	return true;
}
