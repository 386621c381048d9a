// SPDX-License-Identifier: MIT
/*
 * Where values are. A guest register with a home is always up to date in it, one without in the state; so nothing has to be
 * written back at a block's end or before something that may fault. Temporaries hold what is neither.
 */
#include "host/x64/cg.h"

void cg_block_begin(struct cg *c)
{
	__builtin_memset(c->gpr_val, 0xff, sizeof(c->gpr_val));
	__builtin_memset(c->vec_val, 0xff, sizeof(c->vec_val));
	__builtin_memset(c->slot_val, 0xff, sizeof(c->slot_val));
	c->spill_free = (1u << CG_NSPILL) - 1;
	c->vspill_free = (1u << CG_NVSPILL) - 1;
	c->pinned = c->vpinned = 0;
	c->flags_at = CG_FLAGS_MEM;
	c->flags_val = IR_NONE;
	c->flags_last = 0;
}

static void put_back_spill(struct cg *c, struct cg_val *v, bool vec)
{
	if (v->mem == CG_SPILL) {
		if (vec)
			c->vspill_free |= 1u << v->memidx;
		else
			c->spill_free |= 1u << v->memidx;
		v->mem = CG_NOWHERE;
	}
}

static struct x64_mem val_mem(struct cg *c, const struct cg_val *v, bool vec)
{
	if (v->mem == CG_SLOT)
		return cg_slot_mem(c, v->memidx);
	return vec ? cg_host_mem(X64_VSPILL + 16 * v->memidx) : cg_host_mem(X64_SPILL + 8 * v->memidx);
}

/* Gives a value that sits in a register a place in memory, so that the register can be used. */
static void evict_any(struct cg *c, unsigned reg, bool vec)
{
	u16 *holds = vec ? &c->vec_val[reg] : &c->gpr_val[reg], id = *holds;
	u32 *room = vec ? &c->vspill_free : &c->spill_free;
	struct cg_val *v;

	*holds = IR_NONE;
	if (id == IR_NONE)
		return;
	v = &c->val[id];
	if (v->reg != reg)
		return;
	v->reg = X64_NOREG;
	if (v->last < c->cur || v->mem != CG_NOWHERE)
		return;
	if (!*room) {
		c->full = true;
		return;
	}
	v->mem = CG_SPILL;
	v->memidx = __builtin_ctz(*room);
	*room &= *room - 1;
	if (vec)
		x64_vec_store(&c->vx, 16, reg, val_mem(c, v, true));
	else
		x64_st(&c->b, 1, reg, val_mem(c, v, false));
}

static void evict(struct cg *c, unsigned reg)
{
	evict_any(c, reg, false);
}

unsigned cg_temp(struct cg *c)
{
	u32 m = CG_TEMPS & ~c->pinned;
	unsigned best = X64_NOREG, far = 0;

	for (u32 k = m; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);

		if (c->gpr_val[reg] == IR_NONE) {
			c->pinned |= 1u << reg;
			return reg;
		}
	}
	for (u32 k = m; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		const struct cg_val *v = &c->val[c->gpr_val[reg]];
		/* what is in memory anyway goes first, then what is needed last */
		unsigned d = v->last + (v->mem != CG_NOWHERE ? 0x10000 : 0);

		if (best == X64_NOREG || d > far) {
			best = reg;
			far = d;
		}
	}
	if (best == X64_NOREG) {	/* an expansion asks for more than there is: a bug, reported as "too complex" */
		c->full = true;
		return RAX;
	}
	evict(c, best);
	c->pinned |= 1u << best;
	return best;
}

void cg_take(struct cg *c, unsigned reg)
{
	u16 id = c->gpr_val[reg];

	if (id != IR_NONE && c->val[id].reg == reg && c->val[id].last >= c->cur) {
		u32 m = CG_TEMPS & ~c->pinned & ~(1u << reg);

		for (u32 k = m; k; k &= k - 1) {
			unsigned to = __builtin_ctz(k);

			if (c->gpr_val[to] == IR_NONE) {
				x64_mov(&c->b, 1, to, reg);
				c->gpr_val[to] = id;
				c->val[id].reg = to;
				c->gpr_val[reg] = IR_NONE;
				c->pinned |= 1u << reg;
				return;
			}
		}
	}
	evict(c, reg);
	c->pinned |= 1u << reg;
}

void cg_untake(struct cg *c, unsigned reg)
{
	c->pinned &= ~(1u << reg);
}

bool cg_in_mem(struct cg *c, u16 id, struct x64_mem *m)
{
	struct cg_val *v = cg_v(c, id);

	if (v->reg != X64_NOREG || v->mem == CG_NOWHERE)
		return false;
	*m = val_mem(c, v, false);
	return true;
}

void cg_gaddr_relative(struct cg *c, struct x64_buf *b, unsigned w, unsigned reg, u64 addr)
{
	s64 far, near;

	far = (s64)(c->opt->guest_base + addr - ((u64)b->p + 7));
	if (far != (far << 29) >> 29) {		/* some 16 GiB: further than any code reaches */
		c->full = true;
		return;
	}
	for (unsigned n = 0; n == 0 || far; n++, far -= near) {
		near = MAX(MIN(far, (s64)INT32_MAX), (s64)INT32_MIN);
		if (n) {
			x64_lea(b, 1, reg, x64_m(reg, (s32)near));
			continue;
		}
		x64_b(b, 0x48 | (reg >> 3 & 1) << 2);	/* REX in any case: the length is what was counted on */
		x64_b(b, 0x8d);
		x64_b(b, 5 | (reg & 7) << 3);
		x64_d(b, (u32)near);
	}
	if (!w)
		x64_mov(b, 0, reg, reg);
}

unsigned cg_use(struct cg *c, u16 id)
{
	struct cg_val *v;
	const struct ir_inst *i;
	unsigned reg;

	id = cg_canon(c, id);
	v = &c->val[id];
	if (v->reg != X64_NOREG) {
		c->pinned |= 1u << v->reg;
		return v->reg;
	}
	reg = cg_temp(c);
	i = &c->r->inst[id];
	if (v->mem != CG_NOWHERE) {
		x64_ld(&c->b, v->mem == CG_SLOT && i->type == IR_I32 ? 0 : 1, reg, val_mem(c, v, false));
		if (v->mem == CG_SLOT && i->type == IR_I32)
			v->zext = 1;
	} else if (i->op == IR_GADDR && c->opt->relative) {
		cg_gaddr_relative(c, &c->b, 1, reg, (u64)i->imm);
		v->zext = 0;
	} else {
		x64_movi(&c->b, reg, i->type == IR_I32 ? (u32)i->imm : (u64)i->imm);
		v->zext = (u64)i->imm >> 32 == 0;
	}
	v->reg = reg;
	c->gpr_val[reg] = id;
	return reg;
}

/* A dead value that is what a memory-homed slot holds stays in its register for the next GET, until that is wanted. */
static bool still_useful(const struct cg *c, u16 id)
{
	const struct cg_val *v = &c->val[id];

	return v->mem == CG_SLOT && c->slot_val[v->memidx] == id;
}

void cg_release(struct cg *c)
{
	u64 none = 0;

	/* rax rcx rdx rbx are registers 0 to 3: usually all are free */
	__builtin_memcpy(&none, c->gpr_val, sizeof(none));
	for (u32 k = none == ~0ull ? 0 : CG_TEMPS; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		u16 id = c->gpr_val[reg];

		if (id != IR_NONE && c->val[id].last <= c->cur && !still_useful(c, id)) {
			c->val[id].reg = X64_NOREG;
			put_back_spill(c, &c->val[id], false);
			c->gpr_val[reg] = IR_NONE;
		}
	}
	for (u32 k = (c->vec_val[11] & c->vec_val[12] & c->vec_val[13]) == IR_NONE ? 0 : CG_VTEMPS; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		u16 id = c->vec_val[reg];

		if (id != IR_NONE && c->val[id].last <= c->cur && !still_useful(c, id)) {
			c->val[id].reg = X64_NOREG;
			put_back_spill(c, &c->val[id], true);
			c->vec_val[reg] = IR_NONE;
		}
	}
	c->pinned = c->vpinned = 0;
}

/*
 * The content of a home is about to change: a value that still lives there only, and is needed later than `after`,
 * moves to a temporary.
 */
static void save_home(struct cg *c, unsigned slot, u32 after)
{
	unsigned home = c->home[slot];
	u16 id = c->gpr_val[home];

	c->gpr_val[home] = IR_NONE;
	c->slot_val[slot] = IR_NONE;
	if (id == IR_NONE || c->val[id].reg != home)
		return;
	c->val[id].reg = X64_NOREG;
	if (c->val[id].last <= after || cg_is_made(c, id))
		return;
	if (c->val[id].mem == CG_NOWHERE) {
		unsigned t = cg_temp(c);

		x64_mov(&c->b, 1, t, home);
		c->gpr_val[t] = id;
		c->val[id].reg = t;
	}
}

unsigned cg_dest(struct cg *c, u16 id, u16 reuse)
{
	const struct cg_val *v = &c->val[id];

	if (v->hint != 0xffff) {
		unsigned home = c->home[v->hint];
		u16 old = c->gpr_val[home];
		u32 last = old == IR_NONE || c->val[old].reg != home ? 0 : c->val[old].last;

		/* between here and the SET somebody else wants the old content: make the result elsewhere */
		if (last <= c->cur || last > v->set_at) {
			if (last > v->set_at)
				save_home(c, v->hint, v->set_at);
			return home;
		}
	}
	if (reuse != IR_NONE) {
		struct cg_val *u = cg_v(c, reuse);

		if (u->reg != X64_NOREG && (CG_TEMPS >> u->reg & 1) && u->last <= c->cur)
			return u->reg;
	}
	return cg_temp(c);
}

void cg_def(struct cg *c, u16 id, unsigned reg, bool zext)
{
	struct cg_val *v = &c->val[id];
	u16 old = c->gpr_val[reg];

	if (old != IR_NONE && c->val[old].reg == reg)
		c->val[old].reg = X64_NOREG;
	if (!(CG_TEMPS >> reg & 1) && v->hint != 0xffff)
		c->slot_val[v->hint] = IR_NONE;
	v->reg = reg;
	v->mem = CG_NOWHERE;
	v->zext = zext;
	c->gpr_val[reg] = id;
}

/* Memory of `slot` changes: values that are only there are loaded first. */
static void leave_slot(struct cg *c, unsigned slot)
{
	u16 id = c->slot_val[slot];

	c->slot_val[slot] = IR_NONE;
	if (id == IR_NONE || c->val[id].mem != CG_SLOT || c->val[id].memidx != slot)
		return;
	if (c->val[id].reg == X64_NOREG && c->val[id].last > c->cur)
		cg_use(c, id);
	c->val[id].mem = CG_NOWHERE;
}

/* The value that slot has, if it is still somewhere (it may have lived in a home that has changed), or IR_NONE. */
static u16 slot_value(struct cg *c, unsigned slot)
{
	u16 id = c->slot_val[slot];

	if (id != IR_NONE)
		id = cg_canon(c, id);
	if (id != IR_NONE && c->val[id].reg == X64_NOREG && c->val[id].mem == CG_NOWHERE && !cg_is_made(c, id) &&
	    c->r->inst[id].op != IR_VCONST)
		id = c->slot_val[slot] = IR_NONE;
	return id;
}

/* d read the slot's low half: the slot's upper half is not what d's register has there. */
static bool low_half(const struct ir_inst *d, unsigned slot)
{
	return d->op == IR_GET && d->type == IR_I32 && d->aux == slot;
}

void cg_get(struct cg *c, const struct ir_inst *i)
{
	u16 id = c->cur, same = slot_value(c, i->aux);
	struct cg_val *v = &c->val[id];

	if (same != IR_NONE) {
		const struct ir_inst *d = &c->r->inst[same];

		/* a 64-bit read of what was SET as 32 bits is the zero-extended value (of what was only read so, it is not) */
		if (i->type == IR_I32 || d->type == IR_I64 || (d->op != IR_GET && c->val[same].zext)) {
			v->canon = same;
			if (c->val[same].last < v->last)
				c->val[same].last = v->last;
			return;
		}
		leave_slot(c, i->aux);
	}
	v->reg = X64_NOREG;
	v->mem = CG_NOWHERE;
	v->zext = 0;
	if (c->home[i->aux] != X64_NOREG) {
		unsigned home = c->home[i->aux];
		u16 old = c->gpr_val[home];

		if (old != IR_NONE && c->val[old].reg == home && c->val[old].last > c->cur) {
			/* the same content under another type: the old value keeps the register as well */
			if (i->type == IR_I64) {
				c->val[old].canon = id;
				v->last = MAX(v->last, c->val[old].last);
			} else {
				v->canon = old;
				c->val[old].last = MAX(v->last, c->val[old].last);
				return;
			}
		}
		if (old != IR_NONE && c->val[old].reg == home)
			c->val[old].reg = X64_NOREG;	/* it may still be some other slot's value */
		v->reg = home;
		c->gpr_val[home] = id;
	} else {
		v->mem = CG_SLOT;
		v->memidx = i->aux;
	}
	c->slot_val[i->aux] = id;
}

static void set_home(struct cg *c, const struct ir_inst *i, u16 id, struct cg_val *v, unsigned home)
{
	s64 imm;

	if (v->reg == home) {			/* made in place */
		if (i->type == IR_I32 && !v->zext) {
			if (v->last > c->cur && c->r->inst[id].type != IR_I32) {
				save_home(c, i->aux, c->cur);
				x64_mov(&c->b, 0, home, home);
				return;
			}
			x64_mov(&c->b, 0, home, home);
			v->zext = 1;
		}
		c->slot_val[i->aux] = id;
		c->gpr_val[home] = id;
		return;
	}
	save_home(c, i->aux, c->cur);
	if (v->reg == X64_NOREG && cg_is_const(c, id, &imm)) {
		x64_movi(&c->b, home, i->type == IR_I32 ? (u32)imm : (u64)imm);
		if ((u64)imm >> 32 && (i->type == IR_I32 || c->r->inst[id].type == IR_I32))
			return;		/* the home has its low half: not the same value */
		v->reg = home;
		v->zext = i->type == IR_I32 || (u64)imm >> 32 == 0;
		c->gpr_val[home] = id;
		c->slot_val[i->aux] = id;
		return;
	}
	if (v->reg == X64_NOREG && v->mem == CG_NOWHERE && c->r->inst[id].op == IR_GADDR) {
		cg_gaddr(c, &c->b, i->type == IR_I64, home, (u64)c->r->inst[id].imm);
		if (i->type == IR_I64) {
			v->reg = home;
			v->zext = 0;
			c->gpr_val[home] = id;
			c->slot_val[i->aux] = id;
		}
		return;
	}
	if (v->reg == X64_NOREG) {
		x64_ld(&c->b, i->type == IR_I64, home, val_mem(c, v, false));
		return;
	}
	x64_mov(&c->b, i->type == IR_I64, home, v->reg);
	if ((CG_TEMPS >> v->reg & 1) && (i->type == IR_I64 || c->r->inst[id].type == IR_I32)) {
		/* from now on it lives in the home (and in memory, if it is another slot's value too) */
		c->gpr_val[v->reg] = IR_NONE;
		put_back_spill(c, v, false);
		v->reg = home;
		v->zext |= i->type == IR_I32;
		c->gpr_val[home] = id;
		c->slot_val[i->aux] = id;
	}
}

void cg_set(struct cg *c, const struct ir_inst *i)
{
	u16 id = cg_canon(c, i->a);
	struct cg_val *v = &c->val[id];
	struct x64_mem m = cg_slot_mem(c, i->aux);
	unsigned reg;
	s64 imm;

	if (c->slot_val[i->aux] == id && v->reg != X64_NOREG && (i->type == IR_I64 || v->zext) &&
	    !low_half(&c->r->inst[id], i->aux))
		return;
	if (c->home[i->aux] != X64_NOREG) {
		set_home(c, i, id, v, c->home[i->aux]);
		return;
	}
	if (i->type == IR_I64 && v->mem == CG_SLOT && v->memidx == i->aux)
		return;			/* the slot holds it already */
	if (v->reg == X64_NOREG && v->mem != CG_NOWHERE)
		cg_use(c, id);		/* perhaps from the very slot */
	leave_slot(c, i->aux);
	if (v->reg == X64_NOREG && cg_is_const(c, id, &imm)) {
		u64 k = i->type == IR_I32 ? (u32)imm : (u64)imm;

		if ((s64)k == (s32)k) {
			x64_rm_p(&c->b, 0, 0xc7, 1, 0, &m, 4, false);
			x64_d(&c->b, (u32)k);
			c->slot_val[i->aux] = id;
			return;
		}
	}
	reg = cg_use(c, id);
	if (i->type == IR_I32 && !v->zext) {
		if (!(CG_TEMPS >> reg & 1) || v->mem == CG_SLOT || c->r->inst[id].type != IR_I32) {
			unsigned t = cg_temp(c);

			x64_mov(&c->b, 0, t, reg);
			x64_st(&c->b, 1, t, m);
			return;
		}
		x64_mov(&c->b, 0, reg, reg);
		v->zext = 1;
	}
	x64_st(&c->b, 1, reg, m);
	if (CG_TEMPS >> reg & 1) {
		put_back_spill(c, v, false);
		if (v->mem == CG_NOWHERE) {
			v->mem = CG_SLOT;
			v->memidx = i->aux;
			/* worth keeping in its temporary until somebody needs that: a GET may follow */
			c->slot_val[i->aux] = id;
		}
	}
}

void cg_spill_temps(struct cg *c)
{
	for (u32 k = CG_TEMPS; k; k &= k - 1)
		evict(c, __builtin_ctz(k));
}

/* --- vectors ----------------------------------------------------------------------------------------------------- */

static void vevict(struct cg *c, unsigned reg)
{
	evict_any(c, reg, true);
}

unsigned cg_vtemp(struct cg *c)
{
	u32 m = CG_VTEMPS & ~c->vpinned;
	unsigned best = X64_NOREG, far = 0;

	for (u32 k = m; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		u16 id = c->vec_val[reg];
		unsigned d = id == IR_NONE ? 0x30000 : c->val[id].last + (c->val[id].mem != CG_NOWHERE ? 0x10000 : 0);

		if (best == X64_NOREG || d > far) {
			best = reg;
			far = d;
		}
	}
	if (best == X64_NOREG) {
		c->full = true;
		return 11;
	}
	vevict(c, best);
	c->vpinned |= 1u << best;
	return best;
}

unsigned cg_vuse(struct cg *c, u16 id)
{
	struct cg_val *v;
	const struct ir_inst *i;
	unsigned reg;

	id = cg_canon(c, id);
	v = &c->val[id];
	if (v->reg != X64_NOREG) {
		c->vpinned |= 1u << v->reg;
		return v->reg;
	}
	reg = cg_vtemp(c);
	i = &c->r->inst[id];
	if (v->mem != CG_NOWHERE) {
		x64_vec_load(&c->vx, 16, reg, val_mem(c, v, true));
	} else {
		x64_vec_const(&c->vx, reg, (u64)i->imm, c->r->vconst[i->aux]);
		v->zext = c->r->vconst[i->aux] ? 16 : (u64)i->imm >> 32 ? 8 : 4;
	}
	v->reg = reg;
	c->vec_val[reg] = id;
	return reg;
}

static void vsave_home(struct cg *c, unsigned slot, u32 after)
{
	unsigned home = c->home[slot];
	u16 id = c->vec_val[home];

	c->vec_val[home] = IR_NONE;
	c->slot_val[slot] = IR_NONE;
	if (id == IR_NONE || c->val[id].reg != home)
		return;
	c->val[id].reg = X64_NOREG;
	if (c->val[id].last > after && c->val[id].mem == CG_NOWHERE) {
		unsigned t = cg_vtemp(c);

		x64_vec_mov(&c->vx, t, home);
		c->vec_val[t] = id;
		c->val[id].reg = t;
	}
}

/*
 * All vector temporaries are operands of the current instruction: the result may take the place of one that dies here or is
 * in memory as well. 0: none.
 */
static unsigned vspare(struct cg *c)
{
	if (CG_VTEMPS & ~c->vpinned)
		return 0;
	for (u32 k = CG_VTEMPS; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		u16 id = c->vec_val[reg];

		if (id != IR_NONE && (c->val[id].last <= c->cur || c->val[id].mem != CG_NOWHERE))
			return reg;
	}
	return 0;
}

unsigned cg_vdest(struct cg *c, u16 id, u16 reuse)
{
	const struct cg_val *v = &c->val[id];
	unsigned spare;

	if (v->hint != 0xffff) {
		unsigned home = c->home[v->hint];
		u16 old = c->vec_val[home];
		u32 last = old == IR_NONE || c->val[old].reg != home ? 0 : c->val[old].last;

		if (last <= c->cur || last > v->set_at) {
			if (last > v->set_at)
				vsave_home(c, v->hint, v->set_at);
			return home;
		}
	}
	if (reuse != IR_NONE) {
		struct cg_val *u = cg_v(c, reuse);

		if (u->reg != X64_NOREG && (CG_VTEMPS >> u->reg & 1) && u->last <= c->cur)
			return u->reg;
	}
	spare = vspare(c);
	return spare ? spare : cg_vtemp(c);
}

void cg_vdef(struct cg *c, u16 id, unsigned reg, unsigned zbytes)
{
	struct cg_val *v = &c->val[id];
	u16 old = c->vec_val[reg];

	if (old != IR_NONE && c->val[old].reg == reg)
		c->val[old].reg = X64_NOREG;
	if (v->hint != 0xffff && c->home[v->hint] == reg)
		c->slot_val[v->hint] = IR_NONE;
	v->reg = reg;
	v->mem = CG_NOWHERE;
	v->zext = zbytes;
	c->vec_val[reg] = id;
}

void cg_vget(struct cg *c, const struct ir_inst *i)
{
	u16 id = c->cur, same = slot_value(c, i->aux);
	struct cg_val *v = &c->val[id];

	if (same != IR_NONE) {
		v->canon = same;
		c->val[same].last = MAX(c->val[same].last, v->last);
		return;
	}
	v->reg = X64_NOREG;
	v->mem = CG_NOWHERE;
	v->zext = 16;
	if (c->home[i->aux] != X64_NOREG) {
		u16 old = c->vec_val[c->home[i->aux]];

		v->reg = c->home[i->aux];
		if (old != IR_NONE && c->val[old].reg == v->reg)
			c->val[old].reg = X64_NOREG;
		c->vec_val[v->reg] = id;
	} else {
		v->mem = CG_SLOT;
		v->memidx = i->aux;
	}
	c->slot_val[i->aux] = id;
}

void cg_vset(struct cg *c, const struct ir_inst *i)
{
	u16 id = cg_canon(c, i->a);
	struct cg_val *v = &c->val[id];
	unsigned home = c->home[i->aux], reg;

	if (c->slot_val[i->aux] == id && (v->reg == home || home == X64_NOREG))
		return;
	if (home != X64_NOREG) {
		if (v->reg != home) {
			vsave_home(c, i->aux, c->cur);
			if (v->reg != X64_NOREG)
				x64_vec_mov(&c->vx, home, v->reg);
			else if (v->mem != CG_NOWHERE)
				x64_vec_load(&c->vx, 16, home, val_mem(c, v, true));
			else
				x64_vec_const(&c->vx, home, (u64)c->r->inst[id].imm, c->r->vconst[c->r->inst[id].aux]);
			if (v->reg == X64_NOREG || !(CG_VTEMPS >> v->reg & 1))
				return;		/* lives elsewhere; the next GET finds the home */
			c->vec_val[v->reg] = IR_NONE;
			put_back_spill(c, v, true);
			v->reg = home;
			c->vec_val[home] = id;
		}
		c->slot_val[i->aux] = id;
		return;
	}
	/* memory home */
	if (v->mem == CG_SLOT && v->memidx == i->aux)
		return;
	cg_vuse(c, id);
	if (c->slot_val[i->aux] != IR_NONE) {
		u16 old = c->slot_val[i->aux];

		c->slot_val[i->aux] = IR_NONE;
		if (c->val[old].mem == CG_SLOT && c->val[old].memidx == i->aux) {
			if (c->val[old].reg == X64_NOREG && c->val[old].last > c->cur)
				cg_vuse(c, old);
			c->val[old].mem = CG_NOWHERE;
		}
	}
	reg = cg_vuse(c, id);
	x64_vec_store(&c->vx, 16, reg, cg_slot_mem(c, i->aux));
	if (CG_VTEMPS >> reg & 1) {
		put_back_spill(c, v, true);
		if (v->mem == CG_NOWHERE) {
			v->mem = CG_SLOT;
			v->memidx = i->aux;
			c->slot_val[i->aux] = id;
		}
	}
}
