// SPDX-License-Identifier: MIT
/*
 * Region discovery: from the entry, straight on, past conditional branches and calls; then the branch targets seen, while
 * the budget lasts. Only forward from the entry, so that the entry is the lowest address and loops closed by a backward
 * branch to it or behind it are inside.
 */
#include "translate/region.h"

struct scan {
	struct region *g;
	const struct translate_req *req;
	const u8 *p;			/* bytes at lo */
	u64 lo, hi;
	u64 pending[REGION_PENDING];
	unsigned npending;
};

static const void *bytes(struct scan *s, u64 pc)
{
	size_t avail = 0;

	if (pc >= s->lo && pc + s->req->guest->insn_max <= s->hi)
		return s->p + (pc - s->lo);
	s->p = s->req->fetch(s->req->ctx, pc, &avail);
	s->lo = pc;
	s->hi = pc + avail;
	return avail >= s->req->guest->insn_max ? s->p : NULL;
}

static void mark(u64 *set, u64 n)
{
	if (n < REGION_WINDOW)
		set[n / 64] |= BIT(n % 64);
}

static void want(struct scan *s, u64 target)
{
	u64 n = (target - s->g->base) / s->req->guest->insn_align;

	if (target < s->g->base || n >= REGION_WINDOW || target % s->req->guest->insn_align)
		return;
	if (region_has(s->g->insn, n)) {	/* a loop, or a join */
		mark(s->g->leader, n);
		return;
	}
	if (s->npending < REGION_PENDING)
		s->pending[s->npending++] = target;
}

/* Walks on from pc until control leaves, the budget is used up, or known ground is reached. */
static void walk(struct scan *s, u64 pc)
{
	struct region *g = s->g;
	const struct guest *guest = s->req->guest;
	bool ask = true;		/* whether pc is translated already is asked where blocks tend to begin */

	mark(g->leader, (pc - g->base) / guest->insn_align);
	while (g->ninsns < s->req->max_insns) {
		u64 n = (pc - g->base) / guest->insn_align;
		struct guest_flow f;
		const void *p;

		if (n >= REGION_WINDOW)
			return;
		if (region_has(g->insn, n)) {
			mark(g->leader, n);
			return;
		}
		if (ask && pc != s->req->pc && s->req->known && s->req->known(s->req->ctx, pc))
			return;
		p = bytes(s, pc);
		if (!p)
			return;
		f = guest->flow(pc, p);
		mark(g->insn, n);
		g->ninsns++;
		pc += f.len;
		g->hi = MAX(g->hi, pc);
		ask = f.kind != GUEST_FLOW_NEXT;
		switch ((enum guest_flow_kind)f.kind) {
		case GUEST_FLOW_NEXT:
			break;
		case GUEST_FLOW_COND:
			want(s, f.target);
			break;
		case GUEST_FLOW_CALL:
		case GUEST_FLOW_ICALL:
		case GUEST_FLOW_SYSCALL:
			mark(g->leader, n + 1);
			break;
		case GUEST_FLOW_JUMP:
			want(s, f.target);
			return;
		case GUEST_FLOW_INDIRECT:
		case GUEST_FLOW_RETURN:
		case GUEST_FLOW_STOP:
			return;
		}
	}
}

int region_find(struct region *g, const struct translate_req *req)
{
	struct scan s = { .g = g, .req = req };

	__builtin_memset(g, 0, sizeof(*g));
	g->base = g->hi = req->pc;
	walk(&s, req->pc);
	if (g->ninsns == 0)
		return -14;	/* -EFAULT */
	for (unsigned k = 0; k < s.npending && g->ninsns < req->max_insns; k++)
		if (!region_has(g->insn, (s.pending[k] - g->base) / req->guest->insn_align))
			walk(&s, s.pending[k]);
		else
			mark(g->leader, (s.pending[k] - g->base) / req->guest->insn_align);
	/* targets that were reached by another way after they had been noted */
	for (unsigned k = 0; k < s.npending; k++)
		mark(g->leader, (s.pending[k] - g->base) / req->guest->insn_align);
	return 0;
}

struct dead_scan {
	const struct translate_req *req;
	const u8 *p;			/* bytes at lo */
	u64 lo;
	size_t avail;
	unsigned budget;		/* instructions that may still be looked at */
};

static bool flags_dead(struct dead_scan *d, u64 pc, unsigned depth)
{
	const struct guest *guest = d->req->guest;

	while (d->budget-- > 0) {
		struct guest_flow f;

		if (!d->p || pc < d->lo || pc - d->lo + guest->insn_max > d->avail) {
			d->p = d->req->fetch(d->req->ctx, pc, &d->avail);
			d->lo = pc;
			if (d->avail < guest->insn_max)
				break;
		}
		f = guest->flow(pc, d->p + (pc - d->lo));
		if (f.flags != GUEST_FLAGS_NONE)
			return f.flags == GUEST_FLAGS_WRITE;
		switch ((enum guest_flow_kind)f.kind) {
		case GUEST_FLOW_NEXT:
			pc += f.len;
			break;
		case GUEST_FLOW_JUMP:
		case GUEST_FLOW_CALL:
			pc = f.target;
			break;
		case GUEST_FLOW_COND:
			if (depth == 0 || !flags_dead(d, f.target, depth - 1))
				return false;
			pc += f.len;
			break;
		case GUEST_FLOW_RETURN:
		case GUEST_FLOW_ICALL:
			return !d->req->opt.strict_flags;
		case GUEST_FLOW_INDIRECT:
		case GUEST_FLOW_SYSCALL:
		case GUEST_FLOW_STOP:
			return false;
		}
	}
	d->budget = 0;
	return false;
}

bool region_flags_dead(void *ctx, u64 pc)
{
	struct dead_scan d = { .req = ctx, .budget = 32 };

	return flags_dead(&d, pc, 2);
}
