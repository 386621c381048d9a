// SPDX-License-Identifier: MIT
/*
 * Jumps from private code to other code of this address space. In: the site of an exit, and the entry that it leads to. Out: a patched
 * jump, which is remembered with its target and undone when that goes. All under rt.cache->lock.
 */
#include "host/x64/emit.h"
#include "runtime/core.h"

void rt_link_make(u8 *disp, const u8 *target)
{
	/* one aligned-enough store: the code generator keeps displacements inside 8 bytes */
	__atomic_store_n((s32 *)disp, (s32)(target - (disp + 4)), __ATOMIC_RELEASE);
}

/* The list of an entry's links. */
static struct rt_link **incoming(struct rt_entry *e)
{
	return e->view ? &e->view->incoming : &e->region->incoming;
}

/*
 * The target is too far for a direct jump: from now on the stub looks it up without coming here. The displacement of the stub's
 * last instruction, jmp [rbp + FN_LINK], changes in its lowest byte.
 */
static void leave_by_exit(struct x64_site *site)
{
	u32 link = X64_FN + 8 * X64_FN_LINK - X64_BIAS, leave = X64_FN + 8 * X64_FN_EXIT - X64_BIAS, disp;
	u8 *p = (u8 *)site;

	while (p[-1] == 0xcc)
		p--;
	__builtin_memcpy(&disp, p - 4, 4);
	if (p[-6] == 0xff && p[-5] == 0xa5 && disp == link && (link ^ leave) < 256)
		__atomic_store_n(p - 4, (u8)leave, __ATOMIC_RELAXED);
}

void rt_cache_link(struct rt_cache *c, struct x64_site *site, struct rt_entry *e)
{
	u8 *base = (u8 *)site, *where = base + site->disp;
	s64 far = e->host - where;
	struct rt_link *l;
	unsigned n = 0;

	if (far != (s32)far) {
		if (e->view)
			leave_by_exit(site);
		return;
	}
	if (e->needs_flags && site->tail)
		where = base + site->tail;
	/* another thread was quicker; or the list has it */
	for (l = *incoming(e); l && n++ < 8; l = l->next)
		if (l->tail_or_disp == where && l->target == e->host) {
			rt_link_make(where, e->host);
			return;
		}
	l = c->free_links;
	if (l)
		c->free_links = l->next;
	else
		l = rt_cache_meta(c, sizeof(*l));
	if (!l)
		return;
	*l = (struct rt_link){ .next = *incoming(e), .site = site, .tail_or_disp = where, .target = e->host };
	*incoming(e) = l;
	rt_link_make(where, e->host);
}

/* The guest flags in EFLAGS are saved, then on to target. NULL: no room. */
static u8 *make_flags_entry(struct rt_cache *c, u8 *target)
{
	struct rt_chunk *k = c->cur;
	struct x64_buf b = { k->cold, k->cold, k->pool };
	s64 far = target - k->cold;
	u8 *at = k->cold;

	if (k->pool - k->cold <= 4096)
		return NULL;
	cg_flags_store(&b, CG_FLAGS_SUB);
	if (far < INT32_MAX - 4096 && far > INT32_MIN + 4096) {
		x64_patch32(x64_jmp32(&b), target);
	} else {
		x64_jmp_m(&b, x64_mrip(b.p + 6));
		x64_q(&b, (u64)target);
	}
	k->cold = (u8 *)ALIGN_UP((u64)b.p, 16ull);
	return at;
}

static u8 *shared_flags_entry(struct rt_cache *c, u8 *target)
{
	struct rt_flags_entry *f = &c->flags_entry[(u64)target >> 4 & (ARRAY_SIZE(c->flags_entry) - 1)];

	if (f->target != target) {
		f->host = make_flags_entry(c, target);
		f->target = f->host ? target : NULL;
	}
	return f->host;
}

u8 *rt_cache_flags_entry(struct rt_cache *c, struct rt_entry *e)
{
	if (!e->needs_flags)
		return e->host;
	if (e->view)
		return shared_flags_entry(c, e->host);
	if (!e->flags_host)
		e->flags_host = make_flags_entry(c, e->host);
	return e->flags_host;
}

void rt_link_undo(struct rt_link *l)
{
	u8 *base = (u8 *)l->site;

	if (l->tail_or_disp == base + l->site->disp)
		rt_link_make(l->tail_or_disp, base + l->site->stub);
	else
		rt_link_make(l->tail_or_disp, l->tail_or_disp + 4);
}

void rt_cache_unlink(struct rt_cache *c, struct rt_view *v)
{
	struct rt_link *l, *next;

	for (l = v->incoming; l; l = next) {
		next = l->next;
		rt_link_undo(l);
		l->next = c->free_links;
		c->free_links = l;
	}
	v->incoming = NULL;
	__builtin_memset(c->flags_entry, 0, sizeof(c->flags_entry));
}
