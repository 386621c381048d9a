// SPDX-License-Identifier: MIT
/*
 * The worker's side of an object: translates regions into it, publishes and links them. In: the object's memory, shared with
 * processes that execute it, and the guest file. Out: the same memory; nothing in it depends on addresses or time.
 *
 * The writer may be killed between any two instructions, and another one goes on. What there is is decided by nregions
 * alone: all before is complete, all behind is written over. So for a region: its bytes, its record, then nregions, then the
 * index words (each only ever written once), then links. Index words and links can be made again from the records.
 *
 * Readers: an index word is stored with release, and read with acquire by whoever follows it; links are stores of four
 * bytes inside eight aligned ones, which a processor that executes them sees as a whole.
 */
#ifdef DRAGOMAN_HOSTED
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "host/x64/emit.h"
#include "object/translate.h"

#define QUEUED 0x80000000u

/* A site that waits for its target. */
struct waiting {
	u32 next;			/* number + 1 of the next one for the same target */
	u32 site;			/* bytes from the start of the cold code */
};

struct obj_writer {
	struct dragoman_object *h;
	const struct guest *guest;
	u32 words;			/* of the index */
	u32 *head;			/* for each guest instruction: number + 1 of the first that waits, QUEUED */
	u32 *queue, first, last;	/* targets, in the order found */
	struct waiting *waiting;
	u32 nwaiting, free;		/* free: number + 1 of the first that is not used any more */
	struct obj_work *work;
};

static u32 text_words(const struct dragoman_object *h)
{
	return (u32)((h->text_hi - h->text_lo) / 4);
}

size_t obj_writer_size(const struct dragoman_object *h)
{
	return ALIGN_UP(sizeof(struct obj_writer), 64ul) + obj_work_size() + ALIGN_UP(8ul * text_words(h), 64ul) +
	       h->meta_size / sizeof(struct dragoman_site) * sizeof(struct waiting);
}

/* --- links ---------------------------------------------------------------------------------------------------------- */

static void link_site(struct dragoman_object *h, u32 site, u32 word)
{
	u8 *place = obj_link_place((struct x64_site *)((u8 *)h + h->cold + site), word);
	u8 *to = (u8 *)h + h->hot + (word & DRAGOMAN_INDEX_OFFSET);

	__atomic_store_n((s32 *)place, (s32)(to - (place + 4)), __ATOMIC_RELEASE);
}

static void wait_for(struct obj_writer *w, u32 site, u32 n)
{
	u32 k = w->free;

	if (k)
		w->free = w->waiting[k - 1].next;
	else
		k = ++w->nwaiting;
	w->waiting[k - 1] = (struct waiting){ .next = w->head[n] & ~QUEUED, .site = site };
	w->head[n] = (w->head[n] & QUEUED) | k;
}

/* What leads out of a region is linked to what there is, or waits. */
static void link_out(struct obj_writer *w, const struct dragoman_region *r)
{
	const struct dragoman_site *s = obj_sites(w->h, r);

	for (u32 k = 0; k < r->nsite; k++) {
		const struct x64_site *x = (const struct x64_site *)((u8 *)w->h + w->h->cold + s[k].site);
		u32 n = s[k].target / 4, word;

		if (s[k].target == ~0u)
			continue;
		word = *obj_index(w->h, s[k].target);
		if (!word && !(w->head[n] & QUEUED)) {
			w->head[n] |= QUEUED;
			w->queue[w->last++] = s[k].target;
		}
		if (x->flags & X64_SITE_STRICT)		/* never linked here: the process has to know first */
			continue;
		if (obj_is_code(word))
			link_site(w->h, s[k].site, word);
		else
			wait_for(w, s[k].site, n);
	}
}

/* Those that waited for pc. */
static void link_in(struct obj_writer *w, u32 pc)
{
	u32 *head = &w->head[pc / 4], word = *obj_index(w->h, pc);

	for (u32 k = *head & ~QUEUED, next; k && obj_is_code(word); k = next) {
		struct waiting *x = &w->waiting[k - 1];

		link_site(w->h, x->site, word);
		next = x->next;
		x->next = w->free;
		w->free = k;
		*head = (*head & QUEUED) | next;
	}
}

/* --- publishing ------------------------------------------------------------------------------------------------------ */

static void announce(struct dragoman_object *h)
{
	__atomic_store_n(&h->publish, h->publish + 1, __ATOMIC_RELEASE);
#ifdef DRAGOMAN_HOSTED
	syscall(SYS_futex, &h->publish, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
#endif
}

static void publish_entries(struct dragoman_object *h, const struct dragoman_region *r)
{
	const struct dragoman_entry *e = obj_entries(h, r);

	for (u32 k = 0; k < r->nentry; k++) {
		u32 *word = obj_index(h, e[k].pc);

		if (!*word)
			__atomic_store_n(word, obj_index_word(r->hot + e[k].off, e[k].flags), __ATOMIC_RELEASE);
	}
}

/* What is used behind region r. */
static void use_up(struct dragoman_object *h, const struct dragoman_region *r)
{
	h->hot_used = ALIGN_UP(r->hot + r->hot_len, 16u);
	h->cold_used = ALIGN_UP(r->cold + r->cold_len, 16u);
	h->pool_used = r->pool;
	h->meta_used = ALIGN_UP(r->meta + (u32)obj_meta_size(r), 8u);
}

static void fill(u8 *from, u8 *to, u8 with)
{
	while (from < to)
		*from++ = with;
}

/* Copies the outputs behind each other. */
static void write_meta(struct obj_writer *w, const struct dragoman_region *r)
{
	struct dragoman_object *h = w->h;
	const struct obj_work *k = w->work;
	struct dragoman_entry *e = obj_entries(h, r);
	struct dragoman_site *s = obj_sites(h, r);
	u64 text = h->text_hi - h->text_lo, target;

	for (u32 n = 0; n < r->nentry; n++)
		e[n] = (struct dragoman_entry){ .pc = (u32)(k->entry[n].pc - h->text_lo), .off = k->entry[n].off,
						.flags = k->entry[n].needs_flags };
	__builtin_memcpy(obj_maps(h, r), k->map, r->nmap * sizeof(k->map[0]));
	__builtin_memcpy(obj_retsites(h, r), k->retsite, r->nretsite * 4u);
	__builtin_memcpy(obj_stops(h, r), k->stop, r->nstop * 4u);
	for (u32 n = 0; n < r->nsite; n++) {
		target = k->target[n] - h->text_lo;
		s[n] = (struct dragoman_site){ .site = r->cold + k->site[n], .target = target < text && !(target & 3) ? (u32)target : ~0u };
	}
	fill((u8 *)(s + r->nsite), (u8 *)h + h->meta + ALIGN_UP(r->meta + (u32)obj_meta_size(r), 8u), 0);
}

static bool has_room(const struct dragoman_object *h)
{
	return h->hot_size - h->hot_used >= OBJ_MAX_HOT && h->cold_size - h->cold_used - h->pool_used >= 3 * OBJ_MAX_COLD &&
	       h->meta_size - h->meta_used >= OBJ_MAX_META && h->regions_size / sizeof(struct dragoman_region) > h->nregions;
}

static void publish(struct obj_writer *w, const struct translate_out *o, u32 pc)
{
	struct dragoman_object *h = w->h;
	struct dragoman_region *r = obj_regions(h) + h->nregions;
	const struct cg_out *g = &o->cg;

	*r = (struct dragoman_region){
		.hot = h->hot_used, .hot_len = g->code_len, .cold = h->cold_used, .cold_len = g->cold_len,
		.pool = (u32)((u8 *)h + h->cold + h->cold_size - g->pool), .pc = pc, .lo = (u32)(o->pc_lo - h->text_lo),
		.hi = (u32)(o->pc_hi - h->text_lo), .meta = h->meta_used, .nentry = (u16)g->nentry, .nmap = (u16)g->nmap,
		.nretsite = (u16)g->nretsite, .nsite = (u16)g->nsite, .nstop = (u16)w->work->nstop, .ninsns = (u16)o->ninsns,
	};
	r->pool_len = r->pool - h->pool_used;
	write_meta(w, r);
	fill(g->code + g->code_len, (u8 *)h + h->hot + ALIGN_UP(r->hot + r->hot_len, 16u), 0xcc);
	fill(g->cold + g->cold_len, (u8 *)h + h->cold + ALIGN_UP(r->cold + r->cold_len, 16u), 0xcc);
	use_up(h, r);
	h->ninsns += r->ninsns;
	__atomic_store_n(&h->nregions, h->nregions + 1, __ATOMIC_RELEASE);
	publish_entries(h, r);
	link_out(w, r);
	for (u32 k = 0; k < r->nentry; k++)
		link_in(w, obj_entries(h, r)[k].pc);
	announce(h);
}

int obj_writer_translate(struct obj_writer *w, u32 pc)
{
	struct dragoman_object *h = w->h;
	struct translate_out o;

	if (pc / 4 >= w->words || (pc & 3))
		return -22;	/* -EINVAL */
	if (*obj_index(h, pc))
		return 0;
	if (!has_room(h))
		return -28;	/* -ENOSPC */
	if (obj_work_translate(w->work, &o, w->guest, (u8 *)h, pc, h->hot_used, h->cold_used, h->pool_used)) {
		__atomic_store_n(obj_index(h, pc), DRAGOMAN_INDEX_NEVER, __ATOMIC_RELEASE);
		announce(h);
		return 0;
	}
	publish(w, &o, pc);
	return 0;
}

bool obj_writer_next(struct obj_writer *w, u32 *pc)
{
	while (w->first < w->last) {
		*pc = w->queue[w->first++];
		if (!*obj_index(w->h, *pc))
			return true;
	}
	return false;
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

/* Everything that follows from the records; and INT3 before the first code, for an offset of 0 is none. */
static void take_over(struct obj_writer *w)
{
	struct dragoman_object *h = w->h;
	const struct dragoman_region *r = obj_regions(h);

	fill((u8 *)h + h->hot, (u8 *)h + h->hot + DRAGOMAN_OBJECT_FIRST, 0xcc);
	h->hot_used = DRAGOMAN_OBJECT_FIRST;
	h->cold_used = h->pool_used = h->meta_used = h->ninsns = 0;
	if (h->nregions)
		use_up(h, &r[h->nregions - 1]);
	for (u32 k = 0; k < h->nregions; k++) {
		h->ninsns += r[k].ninsns;
		publish_entries(h, &r[k]);
	}
	for (u32 k = 0; k < h->nregions; k++)
		link_out(w, &r[k]);
}

struct obj_writer *obj_writer_open(void *memory, void *map, const struct guest *guest, const u8 *file, u64 file_size)
{
	struct obj_writer *w = memory;
	u8 *p = (u8 *)memory + ALIGN_UP(sizeof(*w), 64ul);

	*w = (struct obj_writer){ .h = map, .guest = guest };
	w->words = text_words(w->h);
	w->work = (struct obj_work *)p;
	p += obj_work_size();
	w->work->h = map;
	w->work->file = file;
	w->work->file_size = file_size;
	w->head = (u32 *)p;
	w->queue = w->head + w->words;
	p += ALIGN_UP(8ul * w->words, 64ul);
	w->waiting = (struct waiting *)p;
	take_over(w);
	return w;
}
