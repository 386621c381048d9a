// SPDX-License-Identifier: MIT
/*
 * From a region of IR to x86-64 code. First each block is walked backwards: what is dead, who uses what last, which
 * operations melt into their users, where results should go. Then forwards, choosing registers and emitting in one pass.
 */
#include "host/x64/cg.h"

/* Homes of guest slots, by the guest's heat: hottest first. Callers' and callees' choice is not ours: all survive calls. */
static const u8 gpr_homes[] = { RDI, RSI, R8, R9, R10, R11, R12, R13, R14, R15 };

void x64_homes(const struct guest *g, u64 features, u8 home[])
{
	unsigned vmax = features & HOST_AVX512 ? 32 : 16;

	__builtin_memset(home, X64_NOREG, CG_MAX_SLOTS);
	for (unsigned k = 0; k < ARRAY_SIZE(gpr_homes); k++) {
		unsigned best = 0xffff;

		for (unsigned s = 0; s < g->nslots; s++)
			if (g->slot[s].kind == GUEST_SLOT_INT && g->slot[s].heat && home[s] == X64_NOREG &&
			    (best == 0xffff || g->slot[s].heat > g->slot[best].heat))
				best = s;
		if (best != 0xffff)
			home[best] = gpr_homes[k];
	}
	/* vectors: hottest first into xmm0-10, 16-31 */
	for (unsigned x = 0; x < vmax; x++) {
		unsigned best = 0xffff;

		if (x >= 11 && x <= 15)
			continue;
		for (unsigned s = 0; s < g->nslots; s++)
			if (g->slot[s].kind == GUEST_SLOT_VEC && home[s] == X64_NOREG &&
			    (best == 0xffff || g->slot[s].heat > g->slot[best].heat))
				best = s;
		if (best == 0xffff)
			break;
		home[best] = x;
	}
}

/* --- analysis ---------------------------------------------------------------------------------------------------- */

/* The effects of operations, dense: ir_op_info is too large to be walked for each instruction. */
enum { MR = IR_E_MR, MW = IR_E_MW, ST = IR_E_ST, FP = IR_E_FP, QC = IR_E_QC, TERM = IR_E_TERM, BR = IR_E_BR };
static const u8 op_effects[IR_OP_COUNT] = {
#define OP(name, res, args, eff) [IR_##name] = (eff),
#define VOP(name, args, esz, eff) [IR_##name] = (eff),
#include "ir/ops.def"
#undef OP
#undef VOP
};

static bool has_effect(const struct ir_inst *i, u32 eff)
{
	return eff || i->op == IR_SET || i->op == IR_VSET || i->op == IR_FSET || i->op == IR_INSN;
}

static void count_uses(struct cg *c)
{
	struct ir_region *r = c->r;

	for (u32 k = 0; k < r->ninst; k++) {
		const struct ir_inst *i = &r->inst[k];

		c->val[k] = (struct cg_val){ .last = (u16)k, .canon = (u16)k, .reg = X64_NOREG, .hint = 0xffff };
		if (i->a != IR_NONE)
			c->val[i->a].uses++;
		if (i->b != IR_NONE)
			c->val[i->b].uses++;
		if (i->c != IR_NONE)
			c->val[i->c].uses++;
	}
}

static void need(struct cg *c, u16 v, u32 at)
{
	if (v != IR_NONE && c->val[v].last < at)
		c->val[v].last = (u16)at;
}

static void drop_uses(struct cg *c, const struct ir_inst *i)
{
	if (i->a != IR_NONE)
		c->val[i->a].uses--;
	if (i->b != IR_NONE)
		c->val[i->b].uses--;
	if (i->c != IR_NONE)
		c->val[i->c].uses--;
}

/* Address arithmetic of a memory operation that nobody else wants becomes part of its operand. */
static void fold_address(struct cg *c, const struct ir_inst *i, u32 at)
{
	struct ir_region *r = c->r;
	const struct ir_inst *add = &r->inst[i->a], *sh;
	s64 k;

	if (add->op != IR_ADD || c->val[i->a].uses != 1 || add->type != IR_I64)
		return;
	if (r->inst[add->b].op == IR_CONST || (r->inst[add->b].op == IR_GADDR && !c->opt->relative)) {
		k = r->inst[add->b].imm + i->imm;
		if (k != (s32)k || r->inst[add->b].imm != (s32)r->inst[add->b].imm)
			return;
	}
	c->val[i->a].fold = 1;
	need(c, add->a, at);
	need(c, add->b, at);
	sh = &r->inst[add->b];
	if (sh->op == IR_SHL && sh->type == IR_I64 && c->val[add->b].uses == 1 && r->inst[sh->b].op == IR_CONST &&
	    (u64)r->inst[sh->b].imm <= 3) {
		c->val[add->b].fold = 1;
		need(c, sh->a, at);
	}
}

/* The arithmetic operation that makes the same flags as FL_ operation i, at most a few instructions before. */
static u32 flag_partner(struct cg *c, const struct ir_inst *i, u32 at)
{
	struct ir_region *r = c->r;
	static const u16 partner[] = { [IR_FL_ADD - IR_FL_ADD] = IR_ADD, [IR_FL_SUB - IR_FL_ADD] = IR_SUB,
				       [IR_FL_ADC - IR_FL_ADD] = IR_ADC, [IR_FL_SBC - IR_FL_ADD] = IR_SBC };

	for (u32 k = at; k-- > 0 && at - k <= 4;) {
		const struct ir_inst *j = &r->inst[k];

		if (j->op == IR_INSN || j->op == IR_FSET)
			break;
		if (i->op == IR_FL_LOGIC) {
			if (i->a == k && (j->op == IR_AND || j->op == IR_BIC) && j->type == i->type)
				return k;
		} else if (j->op == partner[i->op - IR_FL_ADD] && j->type == i->type &&
			   j->a == i->a && j->b == i->b && j->c == i->c) {
			return k;
		}
		if (j->op != IR_CONST && j->op != IR_NOP && j->op != IR_GET && j->op != IR_AND && j->op != IR_BIC &&
		    j->op != IR_SET)
			break;
	}
	return 0;
}

static void flags_op(struct cg *c, const struct ir_inst *i, u32 at)
{
	struct cg_val *v = c->val;

	if (i->op == IR_FL_LOGIC && c->r->inst[i->a].op == IR_AND && v[i->a].uses == 1 &&
	    c->r->inst[i->a].type == i->type) {
		const struct ir_inst *d = &c->r->inst[i->a];
		s32 imm;

		if (c->r->inst[d->b].op != IR_CONST || cg_is_imm32(c, d->b, d->type, &imm)) {
			v[i->a].fold = 1;
			need(c, d->a, at);
			need(c, d->b, at);
			return;
		}
	}
	if (i->op <= IR_FL_LOGIC && i->op >= IR_FL_ADD) {
		u32 k = flag_partner(c, i, at);

		if (k && v[k].uses > (i->op == IR_FL_LOGIC ? 1u : 0u) && !v[k].fuse) {
			v[k].fuse = v[at].fuse = 1;
			drop_uses(c, i);
			return;
		}
	}
	need(c, i->a, at);
	need(c, i->b, at);
	need(c, i->c, at);
}

/* A result may be made in the home that it is SET to if nothing in between can fault or looks at the home. */
static void check_hint(struct cg *c, u32 at, u32 next_barrier)
{
	struct cg_val *v = &c->val[at];

	if (v->hint == 0xffff)
		return;
	if (v->set_at > next_barrier || v->set_at - at > 12)
		goto no;
	for (u32 k = at + 1; k < v->set_at; k++) {
		const struct ir_inst *j = &c->r->inst[k];

		if ((j->op == IR_GET || j->op == IR_VGET || j->op == IR_SET || j->op == IR_VSET) && j->aux == v->hint)
			goto no;
		if (j->op == IR_INSN)
			goto no;
	}
	return;
no:
	v->hint = 0xffff;
}

#define WALK_OWN 16
struct walk {
	u32 flags_need;			/* last instruction that needs the guest flags, 0: none */
	u32 barrier;			/* nearest instruction behind that may fault or leave */
	/*
	 * What the guest flags that the block is entered with meet: CG_FLAGS_READ, CG_FLAGS_PASS, or 0 unless one of the
	 * region's blocks in own[] wants them.
	 */
	u8 flags, nown;
	u16 own[WALK_OWN];
};

/* Which exits and calls want the guest's flags in memory or EFLAGS. */
static bool wants_flags(struct cg *c, const struct ir_inst *i)
{
	switch (i->op) {
	case IR_RET:
	case IR_ICALL:
		return c->opt->strict_flags;
	case IR_IGOTO:
		return i->aux == 0 || c->opt->strict_flags;
	case IR_NOP:
		return false;
	}
	return op_effects[i->op] & (IR_E_TERM | IR_E_BR);
}

/* Exit i may hand the guest's flags on. */
static void flags_leave(struct cg *c, struct walk *w, const struct ir_inst *i)
{
	bool direct = (op_effects[i->op] & IR_E_BR) || i->op == IR_GOTO || i->op == IR_CALL;
	u32 own = direct && i->op != IR_CALL ? cg_own_block(c, (u64)i->imm) : 0xffff;

	if (w->flags)
		return;
	if (own != 0xffff && w->nown < WALK_OWN)
		w->own[w->nown++] = (u16)own;
	else if (own != 0xffff || !direct || !(c->opt->flags_dead && c->opt->flags_dead(c->opt->ctx, (u64)i->imm)))
		w->flags = CG_FLAGS_PASS;
}

static void walk_inst(struct cg *c, struct walk *w, u32 at)
{
	const struct ir_inst *i = &c->r->inst[at];
	u32 eff = op_effects[i->op];
	struct cg_val *v = &c->val[at];

	if ((v->uses == 0 && !has_effect(i, eff)) || v->fold) {
		v->dead = 1;
		if (!v->fold)
			drop_uses(c, i);
		return;
	}
	if (wants_flags(c, i)) {
		w->flags_need = MAX(w->flags_need, at);
		flags_leave(c, w, i);
	}
	switch (i->op) {
	case IR_SET:
	case IR_VSET:
		if (c->home[i->aux] != X64_NOREG) {
			c->val[i->a].hint = i->aux;
			c->val[i->a].set_at = (u16)at;
		}
		need(c, i->a, at);
		return;
	case IR_FGET:
		w->flags_need = MAX(w->flags_need, (u32)v->last);
		w->flags = CG_FLAGS_READ;
		return;
	case IR_FSET:
		v->last = (u16)w->flags_need;
		if (!w->flags_need) {
			v->dead = 1;
			drop_uses(c, i);
		}
		w->flags_need = 0;
		w->flags = w->nown = 0;
		if (!v->dead)
			need(c, i->a, MAX(at, (u32)v->last));
		return;
	case IR_FL_CCMP: {
		const struct ir_inst *f = &c->r->inst[i->b];

		need(c, i->a, at);
		if (c->val[i->b].uses == 1 && (f->op == IR_FL_SUB || f->op == IR_FL_ADD)) {
			c->val[i->b].fold = 1;
			need(c, f->a, at);
			need(c, f->b, at);
		} else {
			c->full = true;
		}
		return;
	}
	case IR_CLZ:
		if (c->r->inst[i->a].op == IR_RBIT && c->val[i->a].uses == 1 && c->r->inst[i->a].type == i->type) {
			c->val[i->a].fold = 1;
			need(c, c->r->inst[i->a].a, at);
			check_hint(c, at, w->barrier);
			return;
		}
		break;
	}
	check_hint(c, at, w->barrier);
	if (i->op >= IR_FL_ADD && i->op <= IR_FL_FCCMP) {
		if (eff & IR_E_FP)
			w->barrier = at;
		flags_op(c, i, at);
		return;
	}
	if ((eff & (IR_E_MR | IR_E_MW)) && i->op != IR_FENCE)
		fold_address(c, i, at);
	if (eff & (IR_E_MR | IR_E_MW | IR_E_ST | IR_E_FP | IR_E_BR | IR_E_TERM))
		w->barrier = at;
	need(c, i->a, at);
	need(c, i->b, at);
	need(c, i->c, at);
}

static void analyse_block(struct cg *c, u32 k, struct walk *w)
{
	const struct ir_block *bl = &c->r->block[k];

	w->flags_need = 0;
	w->barrier = ~0u;
	w->flags = w->nown = 0;
	for (u32 n = bl->first + bl->count; n-- > bl->first;)
		walk_inst(c, w, n);
	c->block_live[k] = w->flags;
	if (!w->flags && w->nown) {
		struct cg_pass *p = &c->pass[c->npass];

		if (c->npass + w->nown > CG_MAX_PASS) {
			c->block_live[k] = CG_FLAGS_PASS;
			return;
		}
		for (u32 n = 0; n < w->nown; n++)
			p[n] = (struct cg_pass){ .block = (u16)k, .to = w->own[n] };
		c->npass += w->nown;
	}
}

static void index_blocks(struct cg *c)
{
	const struct ir_region *r = c->r;
	u64 span = 0;

	for (u32 k = 0; k < r->nblock; k++)
		span = MAX(span, (r->block[k].pc - c->region_pc) >> c->pc_shift);
	c->block_span = span >= CG_WINDOW ? 0 : (u32)span + 1;
	__builtin_memset(c->block_at, 0xff, c->block_span * sizeof(c->block_at[0]));
	for (u32 k = 0; k < r->nblock && c->block_span; k++)
		c->block_at[(r->block[k].pc - c->region_pc) >> c->pc_shift] = (u16)k;
}

static void analyse(struct cg *c)
{
	struct ir_region *r = c->r;
	struct walk w;
	bool changed;

	count_uses(c);
	index_blocks(c);
	c->npass = 0;
	for (u32 k = 0; k < r->nblock; k++)
		analyse_block(c, k, &w);
	/* flags at block starts: a least fixed point over the blocks that hand them to each other */
	do {
		changed = false;
		for (u32 k = c->npass; k-- > 0;)
			if (c->block_live[c->pass[k].to] && !c->block_live[c->pass[k].block]) {
				c->block_live[c->pass[k].block] = CG_FLAGS_PASS;
				changed = true;
			}
	} while (changed);
}

/* --- emission ---------------------------------------------------------------------------------------------------- */

static void mark_insn(struct cg *c, const struct ir_inst *i)
{
	struct cg_out *o = c->out;
	u32 off = (u32)(c->b.p - c->b.start), units = (u32)((u64)i->imm - c->region_pc) >> c->pc_shift;
	u8 at = c->flags_at;

	c->pc = (u64)i->imm;
	c->pc_len = i->aux;
	if (o->nmap >= o->max_map || (off >> 16 | units >> 12)) {
		c->full = true;
		return;
	}
	if (at != CG_FLAGS_MEM && c->flags_last <= c->cur)
		at = CG_FLAGS_DEAD;
	o->map[o->nmap++] = (struct cg_map){ .off = (u16)off, .units = units & 0xfff, .flags_at = at & 7 };
}

static void emit_inst(struct cg *c, const struct ir_inst *i)
{
	switch (i->op) {
	case IR_INSN: mark_insn(c, i); return;
	case IR_NOP:
	case IR_CONST:
	case IR_GADDR:
	case IR_VCONST: return;
	case IR_GET: cg_get(c, i); return;
	case IR_SET: cg_set(c, i); return;
	case IR_VGET: cg_vget(c, i); return;
	case IR_VSET: cg_vset(c, i); return;
	case IR_FGET: cg_fget(c, i); return;
	case IR_FSET: cg_fset(c, i); return;
	case IR_VSELECT: cg_vselect(c, i); return;
	case IR_RTCALL: cg_rtcall(c, i); return;
	}
	if (i->op < IR_FL_ADD)
		cg_int(c, i);
	else if (i->op <= IR_FL_FCCMP || i->op == IR_FL_FJCVT)
		cg_fl_op(c, i);
	else if (i->op == IR_FL_FROM)
		cg_fl_op(c, i);
	else if (i->op < IR_LOAD)
		cg_int(c, i);
	else if (i->op < IR_RTCALL)
		cg_mem(c, i);
	else if (i->op < IR_VDUP)
		cg_control(c, i);
	else
		cg_vecop(c, i);
}

/* BFI of constants: what MOVZ and MOVK make. */
static void fold_const(struct cg *c, struct ir_inst *i)
{
	s64 a, b;
	u64 mask;

	if (i->op != IR_BFI || !cg_is_const(c, i->a, &a) || !cg_is_const(c, i->b, &b))
		return;
	mask = (i->imm >= 64 ? ~0ull : BIT(i->imm) - 1) << i->aux;
	a = (s64)(((u64)a & ~mask) | (((u64)b << i->aux) & mask));
	i->op = IR_CONST;
	i->imm = i->type == IR_I32 ? (s64)(u32)a : a;
	i->a = i->b = IR_NONE;
}

static void emit_block(struct cg *c, u32 k)
{
	const struct ir_block *bl = &c->r->block[k];
	struct cg_out *o = c->out;

	c->block = k;
	cg_block_begin(c);
	c->block_addr[k] = c->b.p;
	if (o->nentry < o->max_entry)
		o->entry[o->nentry++] = (struct cg_entry){ .pc = bl->pc, .off = (u32)(c->b.p - c->b.start),
							   .needs_flags = c->block_live[k] };
	else
		c->full = true;
	for (u32 n = bl->first; n < bl->first + bl->count && !c->full; n++) {
		if (c->val[n].dead && !(c->r->inst[n].op == IR_FSET))
			continue;
		c->cur = n;
		if (c->r->inst[n].op == IR_AESE || c->r->inst[n].op == IR_AESD) {
			u32 done = cg_aes_pair(c, n, bl->first + bl->count);

			if (done != n) {
				n = done;
				cg_release(c);
				continue;
			}
		}
		fold_const(c, &c->r->inst[n]);
		emit_inst(c, &c->r->inst[n]);
		cg_release(c);
		if (x64_full(&c->b))
			c->full = true;
	}
}

bool x64_must_interp(const struct ir_inst *i, const struct cg_options *opt)
{
	return i->op == IR_FL_FCCMP &&
	       (cg_fp_evaluated(opt, i) || (i->esz == IR_H && !(opt->features & HOST_F16C)));
}

struct cg_scratch {
	struct cg c;
	struct cg_fixup fixup[CG_MAX_FIXUP];
	struct cg_stub stub[CG_MAX_STUB];
	u8 *block_addr[CG_MAX_BLOCK];
	u8 block_live[CG_MAX_BLOCK];
	struct cg_pass pass[CG_MAX_PASS];
	u16 block_at[CG_WINDOW];
	struct cg_val val[IR_MAX_INSTS];
};

size_t x64_codegen_scratch_size(void)
{
	return sizeof(struct cg_scratch);
}

/* Homes depend on guest and features alone: found once per scratch. */
static void setup(struct cg_scratch *s, const struct guest *g, struct ir_region *r, const struct cg_options *opt,
		  struct cg_out *out)
{
	struct cg *c = &s->c;
	u8 *pool_top = out->pool;

	if (c->g != g || c->features != opt->features)
		x64_homes(g, opt->features, c->home);
	c->g = g;
	c->features = opt->features;
	c->r = r;
	c->opt = opt;
	c->out = out;
	c->b = (struct x64_buf){ out->code, out->code, out->code + out->max_code };
	c->cold = (struct x64_buf){ out->cold, out->cold, out->cold + out->max_cold };
	c->pool_top = c->pool_lo = pool_top;
	if (c->cold.end > c->pool_lo)
		c->cold.end = c->pool_lo;
	c->region_pc = r->block[0].pc;
	c->pc_shift = (u8)__builtin_ctz(g->insn_align);
	c->block_at = s->block_at;
	c->pass = s->pass;
	c->full = r->overflow;
	c->val = s->val;
	c->block_addr = s->block_addr;
	c->block_live = s->block_live;
	c->fixup = s->fixup;
	c->stub = s->stub;
	c->nfixup = c->nstub = c->nlookup = 0;
	c->cur = 0;
	out->nentry = out->nmap = out->nretsite = out->nsite = 0;
	cg_vec_init(c);
}

int x64_codegen(const struct guest *g, struct ir_region *r, const struct cg_options *opt, struct cg_out *out,
		void *scratch)
{
	struct cg_scratch *s = scratch;
	struct cg *c = &s->c;

	if (r->nblock == 0 || r->nblock > CG_MAX_BLOCK || r->ninst > IR_MAX_INSTS)
		return -28;
	setup(s, g, r, opt, out);
	__builtin_memset(c->block_addr, 0, r->nblock * sizeof(c->block_addr[0]));
	analyse(c);
	for (u32 k = 0; k < r->nblock && !c->full; k++)
		emit_block(c, k);
	if (!c->full)
		cg_finish_stubs(c);
	if (c->full)
		return -28;	/* -ENOSPC */
	out->code_len = (u32)(c->b.p - c->b.start);
	out->cold_len = (u32)(c->cold.p - c->cold.start);
	out->pool = c->pool_lo;
	return 0;
}
