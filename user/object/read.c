// SPDX-License-Identifier: MIT
/*
 * Checks objects that come from elsewhere: a file, another process. In: bytes. Out: whether they are a whole object; a
 * reader that follows offsets of an object that passed stays inside it. Says nothing about what the code does: the checksum
 * and who may write the file answer for that, or obj_verify_region().
 */
#include "object/translate.h"

#define CHECK(cond, text) do { if (!(cond)) { *why = (text); return -22; } } while (0)
#define TEXT_MAX (1ull << 40)		/* file offsets of text */

static bool all_zero(const void *p, u64 n)
{
	const u8 *b = p;

	while (n && !*b)
		b++, n--;
	return !n;
}

/* The parts of the object, one behind the other, without gaps. */
static int check_parts(const struct dragoman_object *h, u64 size, const char **why)
{
	u64 at = DRAGOMAN_OBJECT_HEADER;
	const u64 part[][2] = {
		{ h->index, h->index_size }, { h->regions, h->regions_size }, { h->hot, h->hot_size }, { h->cold, h->cold_size },
		{ h->meta, h->meta_size },
	};

	CHECK(h->size == size, "the size is not what the header says");
	CHECK(size <= DRAGOMAN_OBJECT_MAX_SIZE && !(size & 0xffff), "a size that no object has");
	for (unsigned k = 0; k < ARRAY_SIZE(part); k++) {
		CHECK(part[k][0] == at && part[k][1] && !(part[k][1] & 4095) && part[k][1] <= size - at, "the parts do not fit");
		at += part[k][1];
	}
	CHECK(at == size, "the parts do not fill the object");
	return 0;
}

/* Text, and where the object is to lie beside it. */
static int check_place(const struct dragoman_object *h, const char **why)
{
	u64 text = h->text_hi - h->text_lo;

	CHECK(h->text_lo < h->text_hi && h->text_hi < TEXT_MAX && !(h->text_lo & 4095) && !(text & 4095), "no such text");
	CHECK(h->index_size == text, "the index is not of the text's size");
	CHECK(h->file_size > h->text_lo && h->file_size < TEXT_MAX && h->text_hi <= ALIGN_UP(h->file_size, 4096ull), "the text is not in the file");
	CHECK(!(h->delta & 4095) && h->delta > -(s64)TEXT_MAX && h->delta < (s64)TEXT_MAX, "no such place");
	CHECK(h->delta + (s64)h->size <= (s64)h->text_lo || h->delta >= (s64)h->text_hi, "would lie over the guest's text");
	CHECK(h->delta - (s64)h->text_hi <= (s64)(1ll << 31) && (s64)h->text_lo - h->delta <= (s64)(1ll << 31),
	      "would lie too far from the guest's text");
	return 0;
}

static int check_used(const struct dragoman_object *h, const char **why)
{
	CHECK(h->hot_used >= DRAGOMAN_OBJECT_FIRST && h->hot_used <= h->hot_size && !(h->hot_used & 15), "more hot code than room");
	CHECK(h->cold_used <= h->cold_size && h->pool_used <= h->cold_size - h->cold_used && !(h->cold_used & 15) &&
	      !(h->pool_used & 15), "more cold code than room");
	CHECK(h->meta_used <= h->meta_size && !(h->meta_used & 7), "more descriptions than room");
	CHECK(h->nregions <= h->regions_size / sizeof(struct dragoman_region), "more regions than room");
	CHECK(h->complete <= 1, "neither complete nor not");
	return 0;
}

int obj_check_header(const struct dragoman_object *h, u64 size, const char **why)
{
	int err;

	CHECK(size >= DRAGOMAN_OBJECT_HEADER, "too short");
	CHECK(h->magic == DRAGOMAN_OBJECT_MAGIC, "not a code object");
	CHECK(h->version == DRAGOMAN_OBJECT_VERSION, "of another version");
	CHECK(guest_find((u16)h->machine, 2, 1) && h->machine <= 0xffff, "for a guest that is not known");
	CHECK(!(h->features & ~HOST_FEATURES), "for features that are not known");
	CHECK(h->region_insns && h->region_insns <= OBJ_MAX_REGION_INSNS, "no such size of regions");
	CHECK(all_zero(h->reserved0, sizeof(h->reserved0)) && all_zero(h->reserved1, sizeof(h->reserved1)), "a reserved member is set");
	err = check_parts(h, size, why);
	if (!err)
		err = check_place(h, why);
	return err ? err : check_used(h, why);
}

/* --- the rest of a quiet object ----------------------------------------------------------------------------------------- */

struct check {
	const struct dragoman_object *h;
	const struct guest *guest;
	u32 text;			/* bytes */
	u64 nwords;			/* index words that an entry was found for */
	u64 ninsns;
};

static int check_record(const struct check *c, const struct dragoman_region *r, const struct dragoman_region *last, const char **why)
{
	const struct dragoman_object *h = c->h;
	u32 hot = last ? ALIGN_UP(last->hot + last->hot_len, 16u) : DRAGOMAN_OBJECT_FIRST;
	u32 cold = last ? ALIGN_UP(last->cold + last->cold_len, 16u) : 0;
	u32 meta = last ? ALIGN_UP(last->meta + (u32)obj_meta_size(last), 8u) : 0;

	CHECK(r->hot == hot && r->hot_len && r->hot_len <= h->hot_used - hot, "regions whose hot code is not in order");
	CHECK(r->cold == cold && r->cold_len <= h->cold_used - cold, "regions whose cold code is not in order");
	CHECK(r->pool_len <= h->pool_used && !(r->pool_len & 15) && r->pool == (last ? last->pool : 0) + r->pool_len &&
	      r->pool <= h->pool_used, "regions whose constants are not in order");
	CHECK(r->meta == meta && obj_meta_size(r) <= h->meta_used - meta, "regions whose descriptions are not in order");
	CHECK(!(r->pc & 3) && r->lo <= r->pc && r->pc < r->hi && r->hi <= c->text, "a region that is not in the text");
	CHECK(r->nentry && r->nmap && r->ninsns && !r->reserved, "a region without content");
	return 0;
}

/* Entries in order of pc, the first where the region begins; counts the index words that lead to them. */
static int check_entries(struct check *c, const struct dragoman_region *r, const char **why)
{
	const struct dragoman_entry *e = obj_entries(c->h, r);

	CHECK(e[0].pc == r->pc, "a region that does not begin with an entry");
	for (u32 k = 0; k < r->nentry; k++) {
		u32 word;

		CHECK(e[k].pc >= r->lo && e[k].pc < r->hi && !(e[k].pc & 3) && (!k || e[k].pc > e[k - 1].pc), "an entry outside of its region");
		CHECK(e[k].off < r->hot_len && e[k].flags <= CG_FLAGS_READ, "an entry to nowhere");
		word = *obj_index(c->h, e[k].pc);
		CHECK(word, "an entry that the index does not know");
		if ((word & DRAGOMAN_INDEX_OFFSET) == r->hot + e[k].off) {
			CHECK(word == obj_index_word(r->hot + e[k].off, e[k].flags), "an index word with other flags than its entry");
			c->nwords++;
		}
	}
	return 0;
}

static int check_maps(const struct check *c, const struct dragoman_region *r, const char **why)
{
	const struct cg_map *m = obj_maps(c->h, r);
	const u32 *ret = obj_retsites(c->h, r), *stop = obj_stops(c->h, r);

	for (u32 k = 0; k < r->nmap; k++) {
		u64 pc = cg_map_pc(c->guest, r->pc, &m[k]);

		CHECK(m[k].off <= r->hot_len && (!k || m[k].off >= m[k - 1].off), "a pc map that is not in order");
		CHECK(pc >= r->lo && pc < r->hi, "a pc map that leads outside");
		CHECK(m[k].flags_at <= CG_FLAGS_DEAD, "a pc map with unknown flags");
	}
	for (u32 k = 0; k < r->nretsite; k++)
		CHECK(ret[k] < r->hot_len, "a return site outside of its region");
	for (u32 k = 0; k < r->nstop; k++)
		CHECK(stop[k] < c->text && !(stop[k] & 3), "a region that stops outside of the text");
	return 0;
}

static u64 hot_at(const struct check *c, u64 off)
{
	return off - c->h->hot;
}

/* The rel32 at offset `at` of the object: where does it lead? An offset in the object, too. */
static u64 leads_to(const struct check *c, u64 at)
{
	s32 disp;

	__builtin_memcpy(&disp, (const u8 *)c->h + at, 4);
	return at + 4 + (u64)(s64)disp;
}

static int check_site(const struct check *c, const struct dragoman_region *r, const struct dragoman_site *s, const char **why)
{
	u64 cold = c->h->cold + r->cold, at, stub, disp, tail, code = 0;
	const struct x64_site *x;
	u32 word = 0;

	CHECK(s->site >= r->cold && (u64)s->site + sizeof(*x) <= (u64)r->cold + r->cold_len && !(s->site & 7), "a site outside of its region");
	CHECK(s->target == ~0u || (s->target < c->text && !(s->target & 3)), "a site that leads outside of the text");
	at = c->h->cold + s->site;
	x = (const struct x64_site *)((const u8 *)c->h + at);
	disp = at + (u64)(s64)x->disp;
	stub = at + (u64)(s64)x->stub;
	tail = at + (u64)(s64)x->tail;
	CHECK(!(x->flags & ~(u32)(X64_SITE_CALL | X64_SITE_STRICT)), "a site with unknown flags");
	CHECK(hot_at(c, disp) - r->hot < r->hot_len && hot_at(c, disp) + 4 <= r->hot + (u64)r->hot_len && (disp & 7) <= 4,
	      "a site whose jump is outside of its region");
	CHECK(stub - cold < r->cold_len, "a site whose stub is outside of its region");
	if (s->target != ~0u)
		word = *obj_index(c->h, s->target);
	if (obj_is_code(word) && !(x->flags & X64_SITE_STRICT))
		code = c->h->hot + (word & DRAGOMAN_INDEX_OFFSET);
	if (x->tail) {
		CHECK(tail - cold < r->cold_len && tail - cold + 4 <= r->cold_len && (tail & 7) <= 4, "a site whose tail is outside of its region");
		CHECK(leads_to(c, tail) == tail + 4 || (code && leads_to(c, tail) == code), "a tail that leads elsewhere");
	}
	CHECK(leads_to(c, disp) == stub || (code && leads_to(c, disp) == code), "a jump that leads elsewhere");
	return 0;
}

static int check_region(struct check *c, const struct dragoman_region *r, const struct dragoman_region *last, const char **why)
{
	int err = check_record(c, r, last, why);

	if (!err)
		err = check_entries(c, r, why);
	if (!err)
		err = check_maps(c, r, why);
	for (u32 k = 0; !err && k < r->nsite; k++)
		err = check_site(c, r, &obj_sites(c->h, r)[k], why);
	c->ninsns += r->ninsns;
	return err;
}

/* Each index word has been met as an entry's. */
static int check_index(const struct check *c, const char **why)
{
	u64 n = 0;

	for (u32 pc = 0; pc < c->text; pc += 4) {
		u32 word = *obj_index(c->h, pc);

		n += word && word != DRAGOMAN_INDEX_NEVER;
	}
	CHECK(n == c->nwords, "an index word that leads nowhere");
	return 0;
}

/* The first code of all is INT3s, for offset 0 is none. */
static int check_ends(const struct check *c, const struct dragoman_region *last, const char **why)
{
	const struct dragoman_object *h = c->h;
	u32 hot = DRAGOMAN_OBJECT_FIRST, cold = 0, pool = 0, meta = 0;

	if (last) {
		hot = ALIGN_UP(last->hot + last->hot_len, 16u);
		cold = ALIGN_UP(last->cold + last->cold_len, 16u);
		pool = last->pool;
		meta = ALIGN_UP(last->meta + (u32)obj_meta_size(last), 8u);
	}
	CHECK(h->hot_used == hot && h->cold_used == cold && h->pool_used == pool && h->meta_used == meta, "bytes that belong to no region");
	CHECK(h->ninsns == (u32)c->ninsns, "not as many instructions as the header says");
	return 0;
}

int obj_check(const void *object, u64 size, const char **why)
{
	const struct dragoman_object *h = object;
	const struct dragoman_region *r, *last = NULL;
	struct check c = { .h = h };
	int err = obj_check_header(h, size, why);

	if (err)
		return err;
	CHECK(all_zero(h + 1, DRAGOMAN_OBJECT_HEADER - sizeof(*h)), "something behind the header");
	c.guest = guest_find((u16)h->machine, 2, 1);
	c.text = (u32)(h->text_hi - h->text_lo);
	r = obj_regions(h);
	for (u32 k = 0; k < h->nregions; last = &r[k++]) {
		err = check_region(&c, &r[k], last, why);
		if (err)
			return err;
	}
	err = check_index(&c, why);
	return err ? err : check_ends(&c, last, why);
}

const struct dragoman_region *obj_region_at(const struct dragoman_object *h, u32 hot_off)
{
	const struct dragoman_region *r = obj_regions(h);
	u32 n = __atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE), lo = 0, hi;

	n = hi = MIN(n, (u32)(h->regions_size / sizeof(*r)));
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (r[mid].hot + r[mid].hot_len <= hot_off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && hot_off >= r[lo].hot ? &r[lo] : NULL;
}
