// SPDX-License-Identifier: MIT
/*
 * Guest flags. They live in EFLAGS from the instruction that makes them to the last one that reads them, or, when
 * something in between destroys EFLAGS, in the host block (hflags), in the form that LAHF and SETO give; x86 subtraction's
 * inverted carry is the common case and so the stored form.
 */
#include "host/x64/cg.h"

void cg_flags_store(struct x64_buf *b, u8 kind)
{
	struct x64_mem m = cg_host_mem(X64_HFLAGS);

	switch ((enum cg_flags_at)kind) {
	case CG_FLAGS_ADD:
		x64_b(b, 0xf5);				/* cmc */
		break;
	case CG_FLAGS_FCMP:
	case CG_FLAGS_FCMP_SWAP:
		/*
		 * UCOMIS: unordered ZF PF CF = 111, equal 100, below 001, above 000. Wanted in AH: SF = less, ZF = equal,
		 * CF = less (C inverted), in AL: unordered. With operands swapped, less is "above".
		 */
		x64_setcc(b, X64_P, RAX);		/* al = unordered */
		x64_b(b, 0x9f);				/* lahf */
		x64_b(b, 0x50 | RCX);			/* push rcx: the return stack has room, and nothing else may change */
		x64_b(b, 0x89);				/* mov ecx, eax */
		x64_b(b, 0xc1);
		x64_rr(b, 0xc1, 0, X64_SHR, RCX);	/* cl = ah */
		x64_b(b, 8);
		x64_movzx8(b, RAX, RAX);
		/* eax: bit 0 unordered. cl & 0x41: 0 above, 1 below, 0x40 equal, 0x41 unordered */
		x64_b(b, 0x83); x64_b(b, 0xe1); x64_b(b, 0x41);		/* and ecx, 0x41 */
		/* less: 0x8100; equal: 0x4000; greater and unordered: 0 */
		x64_b(b, 0x83); x64_b(b, 0xf9);				/* cmp ecx, below or above */
		x64_b(b, kind == CG_FLAGS_FCMP);
		x64_b(b, 0x75); x64_b(b, 0x05);				/* jne +5 */
		x64_b(b, 0x0d); x64_d(b, 0x8100);			/* or eax, 0x8100 */
		x64_b(b, 0x83); x64_b(b, 0xf9); x64_b(b, 0x40);		/* cmp ecx, 0x40 */
		x64_b(b, 0x75); x64_b(b, 0x05);				/* jne +5 */
		x64_b(b, 0x0d); x64_d(b, 0x4000);			/* or eax, 0x4000 */
		x64_b(b, 0x58 | RCX);			/* pop rcx */
		x64_rm_p(b, 0x66, 0x89, 0, RAX, &m, 0, false);
		return;
	case CG_FLAGS_SUB:
		break;
	case CG_FLAGS_MEM:
	case CG_FLAGS_DEAD:
		return;
	}
	x64_b(b, 0x9f);					/* lahf */
	x64_setcc(b, X64_O, RAX);
	x64_rm_p(b, 0x66, 0x89, 0, RAX, &m, 0, false);	/* mov [hflags], ax */
}

/* A fault later in this guest instruction finds its flags where they are from here on. */
static void flags_moved(struct cg *c)
{
	struct cg_out *o = c->out;

	if (!o->nmap || o->nmap >= o->max_map || c->b.p - c->b.start > 0xffff)
		return;			/* the next instruction will find that there is no room */
	o->map[o->nmap] = o->map[o->nmap - 1];
	o->map[o->nmap].off = (u16)(c->b.p - c->b.start);
	o->map[o->nmap].flags_at = c->flags_at & 7;
	o->map[o->nmap++].inside = 1;
}

/*
 * EFLAGS to memory, keeping a value that may be in rax. After it flags are in memory (and, but for FCMP, in EFLAGS still,
 * as SUB).
 */
static void save(struct cg *c)
{
	u8 kind = c->flags_at;

	if (kind == CG_FLAGS_MEM || kind == CG_FLAGS_DEAD)
		return;
	if (c->gpr_val[RAX] != IR_NONE || (c->pinned & 1u << RAX))
		x64_st(&c->b, 1, RAX, cg_host_mem(X64_SPILL + 8 * CG_SPILL_SCRATCH));
	cg_flags_store(&c->b, kind);
	if (c->gpr_val[RAX] != IR_NONE || (c->pinned & 1u << RAX))
		x64_ld(&c->b, 1, RAX, cg_host_mem(X64_SPILL + 8 * CG_SPILL_SCRATCH));
	c->flags_at = CG_FLAGS_MEM;
	flags_moved(c);
}

void cg_flags_sync(struct cg *c)
{
	save(c);
	c->flags_val = IR_NONE;
}

void cg_clobber_flags(struct cg *c)
{
	if (cg_flags_live(c))
		save(c);
	else if (c->flags_at != CG_FLAGS_MEM)
		c->flags_at = CG_FLAGS_DEAD;
	c->flags_val = IR_NONE;
}

void cg_flags_def(struct cg *c, u16 v, u8 kind)
{
	c->flags_val = v;
	c->val[v].reg = kind;		/* F values: how EFLAGS hold it */
}

/* hflags into EFLAGS, as after a subtraction. rax is used. */
static void load_hflags(struct cg *c)
{
	struct x64_mem m = cg_host_mem(X64_HFLAGS);

	cg_take(c, RAX);
	x64_rm(&c->b, 0x0fb7, 0, RAX, &m);			/* movzx eax, word [hflags] */
	x64_b(&c->b, 0x04);					/* add al, 0x7f: OF = al */
	x64_b(&c->b, 0x7f);
	x64_b(&c->b, 0x9e);					/* sahf */
	cg_untake(c, RAX);
}

/* A constant NZCV (bits 3..0) into EFLAGS as after a subtraction. */
static void load_const(struct cg *c, unsigned nzcv)
{
	u16 h = x64_flags_from_nzcv(nzcv << 28);

	cg_take(c, RAX);
	x64_movi(&c->b, RAX, h);
	x64_b(&c->b, 0x04);
	x64_b(&c->b, 0x7f);
	x64_b(&c->b, 0x9e);
	cg_untake(c, RAX);
}

u8 cg_flags_use(struct cg *c, u16 v)
{
	const struct ir_inst *i;

	v = cg_canon(c, v);
	if (c->flags_val == v)
		return c->val[v].reg;
	i = &c->r->inst[v];
	if (i->op == IR_FGET) {
		load_hflags(c);
		c->flags_val = v;
		c->val[v].reg = CG_FLAGS_SUB;
		return CG_FLAGS_SUB;
	}
	if (c->val[v].mem == CG_SLOT || (c->slot_val[c->g->flags_slot] == v && c->flags_at == CG_FLAGS_MEM)) {
		load_hflags(c);
	} else if (i->op == IR_FL_CONST) {
		cg_clobber_flags(c);
		load_const(c, (unsigned)i->imm);
	} else {
		c->full = true;		/* two flag values at once: lifters do not do that */
	}
	c->flags_val = v;
	c->val[v].reg = CG_FLAGS_SUB;
	return CG_FLAGS_SUB;
}

/* The same, but never as UCOMIS leaves them: for arithmetic with the carry. */
u8 cg_flags_use_carry(struct cg *c, u16 v)
{
	u8 kind = cg_flags_use(c, v);

	if (kind != CG_FLAGS_FCMP && kind != CG_FLAGS_FCMP_SWAP)
		return kind;
	v = cg_canon(c, v);
	if (c->flags_at == kind) {
		save(c);
	} else {
		cg_take(c, RAX);
		cg_flags_store(&c->b, kind);
		cg_untake(c, RAX);
	}
	load_hflags(c);
	c->flags_val = v;
	c->val[v].reg = CG_FLAGS_SUB;
	return CG_FLAGS_SUB;
}

static const u8 cc_sub[16] = {
	X64_E, X64_NE, X64_AE, X64_B, X64_S, X64_NS, X64_O, X64_NO, X64_A, X64_BE, X64_GE, X64_L, X64_G, X64_LE, 0, 0
};

/* After UCOMIS a, b: first condition, second (0xff none), 1: both must hold. P: unordered. */
static const struct { u8 x, y, all; } cc_fcmp[2][14] = {
	{
		[IR_EQ] = { X64_E, X64_NP, 1 }, [IR_NE] = { X64_NE, X64_P, 0 }, [IR_CS] = { X64_AE, X64_P, 0 },
		[IR_CC] = { X64_B, X64_NP, 1 }, [IR_MI] = { X64_B, X64_NP, 1 }, [IR_PL] = { X64_AE, X64_P, 0 },
		[IR_VS] = { X64_P, 0xff, 0 }, [IR_VC] = { X64_NP, 0xff, 0 }, [IR_HI] = { X64_A, X64_P, 0 },
		[IR_LS] = { X64_BE, X64_NP, 1 }, [IR_GE] = { X64_AE, 0xff, 0 }, [IR_LT] = { X64_B, 0xff, 0 },
		[IR_GT] = { X64_A, 0xff, 0 }, [IR_LE] = { X64_BE, 0xff, 0 },
	}, {
		[IR_EQ] = { X64_E, X64_NP, 1 }, [IR_NE] = { X64_NE, X64_P, 0 }, [IR_CS] = { X64_BE, 0xff, 0 },
		[IR_CC] = { X64_A, 0xff, 0 }, [IR_MI] = { X64_A, 0xff, 0 }, [IR_PL] = { X64_BE, 0xff, 0 },
		[IR_VS] = { X64_P, 0xff, 0 }, [IR_VC] = { X64_NP, 0xff, 0 }, [IR_HI] = { X64_B, 0xff, 0 },
		[IR_LS] = { X64_AE, 0xff, 0 }, [IR_GE] = { X64_BE, X64_NP, 1 }, [IR_LT] = { X64_A, X64_P, 0 },
		[IR_GT] = { X64_B, X64_NP, 1 }, [IR_LE] = { X64_AE, X64_P, 0 },
	},
};

int cg_conds(struct cg *c, u8 *kind, enum ir_cc cc, enum x64_cond out[2], bool *all)
{
	*all = false;
	if (cc >= IR_AL)
		return -1;
	if (*kind == CG_FLAGS_FCMP || *kind == CG_FLAGS_FCMP_SWAP) {
		unsigned s = *kind == CG_FLAGS_FCMP_SWAP;

		out[0] = cc_fcmp[s][cc].x;
		if (cc_fcmp[s][cc].y == 0xff)
			return 1;
		out[1] = cc_fcmp[s][cc].y;
		*all = cc_fcmp[s][cc].all;
		return 2;
	}
	if (*kind == CG_FLAGS_ADD) {
		if (cc == IR_CS || cc == IR_CC) {
			out[0] = cc == IR_CS ? X64_B : X64_AE;
			return 1;
		}
		if (cc == IR_HI || cc == IR_LS) {
			x64_b(&c->b, 0xf5);		/* cmc: as after a subtraction */
			*kind = CG_FLAGS_SUB;
			if (c->flags_val != IR_NONE)
				c->val[c->flags_val].reg = CG_FLAGS_SUB;
			if (c->flags_at == CG_FLAGS_ADD)
				c->flags_at = CG_FLAGS_SUB;
		}
	}
	out[0] = cc_sub[cc];
	return 1;
}

void cg_fget(struct cg *c, const struct ir_inst *i)
{
	u16 same = c->slot_val[i->aux];

	if (same != IR_NONE) {
		c->val[c->cur].canon = same;
		c->val[same].last = MAX(c->val[same].last, c->val[c->cur].last);
		return;
	}
	c->slot_val[i->aux] = c->cur;
}

void cg_fset(struct cg *c, const struct ir_inst *i)
{
	u16 v = cg_canon(c, i->a);

	c->slot_val[i->aux] = v;
	c->flags_last = c->val[c->cur].last;
	if (c->val[c->cur].dead) {
		c->flags_at = CG_FLAGS_DEAD;
		c->slot_val[i->aux] = IR_NONE;
		return;
	}
	if (c->flags_val == v) {
		c->flags_at = c->val[v].reg;
	} else if (c->r->inst[v].op == IR_FL_CONST) {
		u16 h = x64_flags_from_nzcv((u32)c->r->inst[v].imm << 28);
		struct x64_mem m = cg_host_mem(X64_HFLAGS);

		x64_rm_p(&c->b, 0x66, 0xc7, 0, 0, &m, 2, false);	/* mov word [hflags], imm16 */
		x64_b(&c->b, (u8)h);
		x64_b(&c->b, h >> 8);
		c->flags_at = CG_FLAGS_MEM;
	} else if (c->val[v].mem == CG_SLOT) {
		c->flags_at = CG_FLAGS_MEM;		/* was stored where it was made */
	} else {
		cg_flags_use(c, v);
		c->flags_at = c->val[v].reg;
	}
}

/* cmp/test/add for flags only. */
static void emit_sub_flags(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a;
	struct x64_mem m;
	s32 imm;

	if (cg_is_imm32(c, i->b, i->type, &imm)) {
		if (imm && cg_in_mem(c, i->a, &m) && c->r->inst[cg_canon(c, i->a)].type == i->type) {
			cg_clobber_flags(c);
			x64_alu_mi(&c->b, X64_CMP, w, m, imm);
			return;
		}
		a = cg_use(c, i->a);
		cg_clobber_flags(c);
		if (imm == 0)
			x64_test_rr(&c->b, w, a, a);	/* CF = 0: no borrow; OF = 0: as CMP with 0 */
		else
			x64_alu_ri(&c->b, X64_CMP, w, a, imm);
		return;
	}
	a = cg_use(c, i->a);
	if (cg_in_mem(c, i->b, &m) && (!w || c->r->inst[cg_canon(c, i->b)].type == IR_I64)) {
		cg_clobber_flags(c);
		x64_alu_rm(&c->b, X64_CMP, w, a, m);
	} else {
		unsigned b = cg_use(c, i->b);

		cg_clobber_flags(c);
		x64_alu_rr(&c->b, X64_CMP, w, a, b);
	}
}

static void emit_add_flags(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), t = cg_temp(c), a;
	s32 imm;

	a = cg_use(c, i->a);
	x64_mov(&c->b, w, t, a);
	if (cg_is_imm32(c, i->b, i->type, &imm)) {
		cg_clobber_flags(c);
		x64_alu_ri(&c->b, X64_ADD, w, t, imm);
	} else {
		unsigned b = cg_use(c, i->b);

		cg_clobber_flags(c);
		x64_alu_rr(&c->b, X64_ADD, w, t, b);
	}
}

static void emit_logic_flags(struct cg *c, const struct ir_inst *i)
{
	u16 id = cg_canon(c, i->a);
	const struct ir_inst *d = &c->r->inst[id];
	unsigned a;
	s32 imm;

	/* TST: the AND was folded into this */
	if (c->val[id].fold) {
		if (cg_is_imm32(c, d->b, d->type, &imm)) {
			a = cg_use(c, d->a);
			cg_clobber_flags(c);
			x64_test_ri(&c->b, cg_w(d), a, imm);
		} else {
			unsigned b;

			a = cg_use(c, d->a);
			b = cg_use(c, d->b);
			cg_clobber_flags(c);
			x64_test_rr(&c->b, cg_w(d), a, b);
		}
		return;
	}
	a = cg_use(c, i->a);
	cg_clobber_flags(c);
	x64_test_rr(&c->b, cg_w(i), a, a);
}

/* ADCS/SBCS flags, when the value itself was not asked for. */
static void emit_carry_flags(struct cg *c, const struct ir_inst *i)
{
	bool sub = i->op == IR_FL_SBC;
	u8 kind = cg_flags_use_carry(c, i->c);
	unsigned w = cg_w(i), t = cg_temp(c), a = cg_use(c, i->a), b = cg_use(c, i->b);

	x64_mov(&c->b, w, t, a);
	/* x86 SBB subtracts CF = NOT C, ADC adds CF = C */
	if ((kind == CG_FLAGS_SUB) != sub)
		x64_b(&c->b, 0xf5);
	c->flags_val = IR_NONE;
	x64_alu_rr(&c->b, sub ? X64_SBB : X64_ADC, w, t, b);
}

static void cg_ccmp(struct cg *c, const struct ir_inst *i)
{
	u16 inner = cg_canon(c, i->op == IR_FL_CCMP ? i->b : i->a);
	const struct ir_inst *f = &c->r->inst[inner];
	enum x64_cond x[2];
	u8 *to_else[2], *done, kind, at;
	bool all;
	int n, ne = 0;

	/* operands into registers before the paths part; what is taken stays out of them */
	cg_take(c, RAX);
	if (i->op == IR_FL_CCMP) {
		s32 imm;

		cg_use(c, f->a);
		if (!cg_is_imm32(c, f->b, f->type, &imm))
			cg_use(c, f->b);
	} else {
		cg_vuse(c, i->b);
		cg_vuse(c, i->c);
	}
	kind = cg_flags_use(c, i->a);
	c->pinned |= 1u << RAX;
	at = c->flags_at;
	n = cg_conds(c, &kind, (enum ir_cc)i->cc, x, &all);
	if (c->flags_at != at && i->op == IR_FL_FCCMP)
		flags_moved(c);			/* the comparison may trap */
	c->flags_val = IR_NONE;
	c->flags_at = c->flags_at == CG_FLAGS_MEM ? CG_FLAGS_MEM : CG_FLAGS_DEAD;
	if (n == 2 && !all) {		/* x or y: y true skips the check of x */
		u8 *yes = x64_jcc8(&c->b, x[1]);

		to_else[ne++] = x64_jcc8(&c->b, x[0] ^ 1);
		x64_patch8(&c->b, yes);
	} else if (n > 0) {
		for (int k = 0; k < n; k++)
			to_else[ne++] = x64_jcc8(&c->b, x[k] ^ 1);
	}
	if (i->op == IR_FL_CCMP) {
		if (f->op == IR_FL_SUB) {
			emit_sub_flags(c, f);
		} else {
			/* FL_ADD: CCMN; bring it to the form of a subtraction */
			unsigned w = cg_w(f), a = cg_use(c, f->a);
			s32 imm;

			x64_mov(&c->b, w, RAX, a);
			if (cg_is_imm32(c, f->b, f->type, &imm))
				x64_alu_ri(&c->b, X64_ADD, w, RAX, imm);
			else
				x64_alu_rr(&c->b, X64_ADD, w, RAX, cg_use(c, f->b));
			x64_b(&c->b, 0xf5);
		}
	} else {
		/* FP: through memory form, rare */
		x64_vec_fcmp(&c->vx, i, cg_vuse(c, i->b), cg_vuse(c, i->c));
		cg_flags_store(&c->b, CG_FLAGS_FCMP);
		{
			struct x64_mem m = cg_host_mem(X64_HFLAGS);

			x64_rm(&c->b, 0x0fb7, 0, RAX, &m);
		}
		x64_b(&c->b, 0x04);
		x64_b(&c->b, 0x7f);
		x64_b(&c->b, 0x9e);
	}
	if (ne) {
		done = x64_jmp8(&c->b);
		for (int k = 0; k < ne; k++)
			x64_patch8(&c->b, to_else[k]);
		x64_movi(&c->b, RAX, x64_flags_from_nzcv((u32)i->imm << 28));
		x64_b(&c->b, 0x04);
		x64_b(&c->b, 0x7f);
		x64_b(&c->b, 0x9e);
		x64_patch8(&c->b, done);
	}
	cg_flags_def(c, c->cur, CG_FLAGS_SUB);
}

/* Would the users of this compare rather have it the other way round (one x86 condition instead of two)? */
static bool fcmp_swap(struct cg *c, u16 v)
{
	const struct ir_block *bl = &c->r->block[c->block];

	for (u32 k = c->cur + 1; k < bl->first + bl->count && k < c->cur + 24; k++) {
		const struct ir_inst *i = &c->r->inst[k];

		if (i->op == IR_EXIT_CC || i->op == IR_SELECT || i->op == IR_CSET || i->op == IR_VSELECT)
			return i->cc == IR_MI || i->cc == IR_CC || i->cc == IR_LS || i->cc == IR_PL || i->cc == IR_CS ||
			       i->cc == IR_HI;
		if (i->op == IR_FL_SUB || i->op == IR_FL_ADD || i->op == IR_FL_LOGIC)
			break;
	}
	(void)v;
	return false;
}

/*
 * Bits 31..28 of a word -> hflags: AH = N Z . . . . . !C, AL = V. F value v is in memory from here on.
 */
void cg_flags_from(struct cg *c, u16 v, unsigned reg)
{
	struct x64_mem m = cg_host_mem(X64_HFLAGS);
	unsigned t, u;
	u8 *skip;

	cg_clobber_flags(c);
	t = cg_temp(c);
	u = cg_temp(c);
	x64_mov(&c->b, 0, t, reg);
	x64_sh_ri(&c->b, X64_SHR, 0, t, 16);
	x64_mov(&c->b, 0, u, t);
	x64_alu_ri(&c->b, X64_AND, 0, t, 0xc000);
	x64_sh_ri(&c->b, X64_SHR, 0, u, 12);		/* bits 1 C, 0 V */
	x64_test_ri(&c->b, 0, u, 2);
	skip = x64_jcc8(&c->b, X64_NE);
	x64_alu_ri(&c->b, X64_OR, 0, t, 0x100);
	x64_patch8(&c->b, skip);
	x64_alu_ri(&c->b, X64_AND, 0, u, 1);
	x64_alu_rr(&c->b, X64_OR, 0, t, u);
	x64_rm_p(&c->b, 0x66, 0x89, 0, t, &m, 0, false);
	c->val[v].mem = CG_SLOT;
}

void cg_fl_op(struct cg *c, const struct ir_inst *i)
{
	if (c->val[c->cur].fuse) {		/* the arithmetic partner has set EFLAGS */
		return;
	}
	switch (i->op) {
	case IR_FL_SUB:
		emit_sub_flags(c, i);
		cg_flags_def(c, c->cur, CG_FLAGS_SUB);
		break;
	case IR_FL_ADD:
		emit_add_flags(c, i);
		cg_flags_def(c, c->cur, CG_FLAGS_ADD);
		break;
	case IR_FL_LOGIC:
		emit_logic_flags(c, i);
		cg_flags_def(c, c->cur, CG_FLAGS_ADD);
		break;
	case IR_FL_ADC:
	case IR_FL_SBC:
		emit_carry_flags(c, i);
		cg_flags_def(c, c->cur, i->op == IR_FL_SBC ? CG_FLAGS_SUB : CG_FLAGS_ADD);
		break;
	case IR_FL_CCMP:
	case IR_FL_FCCMP:
		cg_ccmp(c, i);
		break;
	case IR_FL_FCMP: {
		bool swap = fcmp_swap(c, c->cur);
		unsigned a, b;

		if (cg_fp_evaluated(c->opt, i) || (i->esz == IR_H && !(c->features & HOST_F16C))) {
			cg_helper(c, i);
			break;
		}
		a = cg_vuse(c, i->a);
		b = cg_vuse(c, i->b);
		cg_clobber_flags(c);
		x64_vec_fcmp(&c->vx, i, swap ? b : a, swap ? a : b);
		cg_flags_def(c, c->cur, swap ? CG_FLAGS_FCMP_SWAP : CG_FLAGS_FCMP);
		break;
	}
	case IR_FL_CONST:
		break;				/* at its use */
	case IR_FL_FROM:
		cg_flags_from(c, c->cur, cg_use(c, i->a));
		break;
	case IR_FL_FJCVT:
		cg_helper(c, i);
		break;
	}
}

/* d = cc ? a : b */
void cg_select(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a, b, d;
	enum x64_cond x[2];
	bool all;
	u8 kind;
	int n;

	/* flags first: bringing them into EFLAGS takes rax */
	kind = cg_flags_use(c, i->a);
	n = cg_conds(c, &kind, (enum ir_cc)i->cc, x, &all);
	a = cg_use(c, i->b);
	b = cg_use(c, i->c);
	d = cg_dest(c, c->cur, i->c);
	if (n < 0) {
		x64_mov(&c->b, w, d, a);
	} else if (n == 1 && d == a && d != b) {
		x64_cmov(&c->b, x[0] ^ 1, w, d, b);
	} else if (n == 1 || !all) {
		unsigned t = d;

		if (d == a && d != b) {
			t = cg_temp(c);
		}
		if (t != b)
			x64_mov(&c->b, w, t, b);
		x64_cmov(&c->b, x[0], w, t, a);
		if (n == 2)
			x64_cmov(&c->b, x[1], w, t, a);
		if (t != d)
			x64_mov(&c->b, w, d, t);
	} else {			/* both must hold: start from a, either inverse brings b */
		unsigned t = d;

		if (d == b && d != a)
			t = cg_temp(c);
		if (t != a)
			x64_mov(&c->b, w, t, a);
		x64_cmov(&c->b, x[0] ^ 1, w, t, b);
		x64_cmov(&c->b, x[1] ^ 1, w, t, b);
		if (t != d)
			x64_mov(&c->b, w, d, t);
	}
	/* a 32-bit CMOV and MOV both clear the upper half, unless neither was needed */
	cg_def(c, c->cur, d, !w && !(n >= 0 && a == b && d == a));
}

void cg_cset(struct cg *c, const struct ir_inst *i)
{
	enum x64_cond x[2];
	unsigned d, t = X64_NOREG;
	bool all;
	u8 kind;
	int n;

	kind = cg_flags_use(c, i->a);
	n = cg_conds(c, &kind, (enum ir_cc)i->cc, x, &all);
	d = cg_dest(c, c->cur, IR_NONE);
	if (n < 0) {
		x64_movi(&c->b, d, 1);
	} else {
		x64_setcc(&c->b, x[0], d);
		if (n == 2) {
			t = cg_temp(c);
			x64_setcc(&c->b, x[1], t);
			cg_clobber_flags(c);
			x64_rr8(&c->b, all ? 0x22 : 0x0a, 0, d, t);	/* and/or d8, t8 */
		}
		x64_movzx8(&c->b, d, d);
	}
	cg_def(c, c->cur, d, true);
}
