// SPDX-License-Identifier: MIT
/*
 * Vector operations: brings operands to x64_vec() and lends it what it needs; or has the runtime's evaluator do them.
 */
#include "host/x64/cg.h"
#include "ir/eval.h"

static struct cg *cg_of(struct x64_vec_ctx *x)
{
	return container_of(x, struct cg, vx);
}

static const u8 *pool(struct x64_vec_ctx *x, u64 lo, u64 hi)
{
	struct cg *c = cg_of(x);

	for (u64 *p = (u64 *)c->pool_lo; p < (u64 *)c->pool_top; p += 2)
		if (p[0] == lo && p[1] == hi)
			return (u8 *)p;
	if (c->pool_lo - 16 < c->cold.p + X64_EMIT_SLACK) {
		c->full = true;
		return c->pool_top - 16;
	}
	c->pool_lo -= 16;
	c->cold.end = c->pool_lo;
	((u64 *)c->pool_lo)[0] = lo;
	((u64 *)c->pool_lo)[1] = hi;
	return c->pool_lo;
}

/* x64_vec emits through x->b, which is the hot buffer: while a cold piece is made, it is the cold one. */
static void cold_begin(struct x64_vec_ctx *x, enum x64_cond cc)
{
	struct cg *c = cg_of(x);
	u8 *disp = x64_jcc32(&c->b, cc);

	if (x64_full(&c->cold))
		c->full = true;
	x64_patch32(disp, c->cold.p);
	x->b = &c->cold;
}

static void cold_end(struct x64_vec_ctx *x)
{
	struct cg *c = cg_of(x);

	x64_patch32(x64_jmp32(&c->cold), c->b.p);
	x->b = &c->b;
}

static void set_qc(struct x64_vec_ctx *x)
{
	struct cg *c = cg_of(x);

	x64_alu_mi(x->b, X64_OR, 0, cg_slot_mem(c, c->g->fpsr_slot), (s32)IR_FPSR_QC);
}

/* lea rax, [descriptor]; call the evaluator */
static void call_vop(struct cg *c, struct x64_buf *b, const struct ir_inst *i)
{
	union {
		struct ir_vop_args v;
		u64 w[2];
	} u = { .w = { 0, 0 } };
	_Static_assert(sizeof(struct ir_vop_args) == 16, "a descriptor is one constant");

	u.v = (struct ir_vop_args){ .op = i->op, .type = i->type, .esz = i->esz, .width = i->width, .cc = i->cc,
				    .aux = i->aux, .imm = i->imm };
	/* the pool is in front of the code that refers to it, and stays */
	x64_lea(b, 1, RAX, x64_mrip(pool(&c->vx, u.w[0], u.w[1])));
	x64_call_m(b, cg_host_mem(X64_FN + 8 * X64_FN_VOP));
}

static void vec_helper(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned v)
{
	struct cg *c = cg_of(x);
	struct x64_mem keep = cg_host_mem(X64_SPILL + 8 * (CG_SPILL_SCRATCH + 1));

	if (i->a != IR_NONE)
		x64_vec_store(x, 16, a, cg_host_mem(X64_SCRATCH + 16));
	if (i->b != IR_NONE)
		x64_vec_store(x, 16, b, cg_host_mem(X64_SCRATCH + 32));
	if (i->c != IR_NONE)
		x64_vec_store(x, 16, v, cg_host_mem(X64_SCRATCH + 48));
	x64_st(x->b, 1, RAX, keep);
	call_vop(c, x->b, i);
	x64_ld(x->b, 1, RAX, keep);
	x64_vec_load(x, 16, d, cg_host_mem(X64_SCRATCH));
}

void cg_vec_init(struct cg *c)
{
	c->vx = (struct x64_vec_ctx){ .b = &c->b, .features = c->features, .pool = pool, .cold_begin = cold_begin,
				      .cold_end = cold_end, .set_qc = set_qc, .helper = vec_helper };
}

/* Operand kinds of an operation, one letter each (ops.def). */
static void operand_to_scratch(struct cg *c, const struct ir_inst *i, u16 v, unsigned n, char kind)
{
	struct x64_mem m = cg_host_mem(X64_SCRATCH + 16 * (int)n);
	bool narrow = kind == 's' || (kind == 'i' && i->type == IR_I32);
	unsigned reg;

	if (v == IR_NONE)
		return;
	if (kind == 'v' || kind == 'V') {
		x64_vec_store(&c->vx, 16, cg_vuse(c, v), m);
		c->vpinned = 0;
		return;
	}
	if (kind == 'f') {		/* FL_FCCMP is not done this way */
		c->full = true;
		return;
	}
	reg = cg_use(c, v);
	if (narrow) {
		unsigned t = cg_temp(c);

		x64_mov(&c->b, 0, t, reg);
		reg = t;
	}
	x64_st(&c->b, 1, reg, m);
	c->pinned = 1u << RAX;
}

void cg_helper(struct cg *c, const struct ir_inst *i)
{
	const struct ir_op_info *info = &ir_op_info[i->op];
	const u16 ops[3] = { i->a, i->b, i->c };
	unsigned d;

	cg_take(c, RAX);
	for (unsigned k = 0; info->args[k] && k < 3; k++)
		operand_to_scratch(c, i, ops[k], k + 1, info->args[k]);
	c->vpinned = 0;			/* they are in memory now */
	cg_clobber_flags(c);
	call_vop(c, &c->b, i);
	switch (info->result) {
	case 'V':
		d = cg_vdest(c, c->cur, IR_NONE);
		x64_vec_load(&c->vx, 16, d, cg_host_mem(X64_SCRATCH));
		cg_vdef(c, c->cur, d, 16);
		break;
	case 'F':
		x64_ld(&c->b, 0, RAX, cg_host_mem(X64_SCRATCH));
		x64_sh_ri(&c->b, X64_SHL, 0, RAX, 28);
		cg_flags_from(c, c->cur, RAX);
		break;
	default:
		d = cg_dest(c, c->cur, IR_NONE);
		x64_ld(&c->b, 1, d, cg_host_mem(X64_SCRATCH));
		cg_def(c, c->cur, d, info->result == 'S' || (info->result == 'I' && i->type == IR_I32));
		break;
	}
}

/* FCSEL: d = cc ? b : c, one element, the rest zero */
void cg_vselect(struct cg *c, const struct ir_inst *i)
{
	struct ir_inst mov = { .op = IR_VMOV, .type = IR_V, .esz = i->esz, .width = IR_WS,
			       .a = i->b, .b = IR_NONE, .c = IR_NONE };
	unsigned a = cg_vuse(c, i->b), b = cg_vuse(c, i->c), d;
	u8 kind, *to_b[2], *end;
	enum x64_cond x[2];
	bool all;
	int n, nb = 0;

	kind = cg_flags_use(c, i->a);
	n = cg_conds(c, &kind, (enum ir_cc)i->cc, x, &all);
	d = cg_vdest(c, c->cur, IR_NONE);
	if (n == 2 && !all) {
		u8 *yes = x64_jcc8(&c->b, x[0]);

		to_b[nb++] = x64_jcc8(&c->b, x[1] ^ 1);
		x64_patch8(&c->b, yes);
	} else {
		for (int k = 0; k < n; k++)
			to_b[nb++] = x64_jcc8(&c->b, x[k] ^ 1);
	}
	c->vx.a_zext = false;
	x64_vec(&c->vx, &mov, d, a, a, a);
	if (nb) {
		end = x64_jmp8(&c->b);
		for (int k = 0; k < nb; k++)
			x64_patch8(&c->b, to_b[k]);
		x64_vec(&c->vx, &mov, d, b, b, b);
		x64_patch8(&c->b, end);
	}
	cg_vdef(c, c->cur, d, MAX(4u, 1u << i->esz));
}

static void native(struct cg *c, const struct ir_inst *i, const struct x64_vec_info *info)
{
	unsigned a = 0, b = 0, v = 0, d, bytes = i->width == IR_W128 ? 16 : i->width == IR_W64 ? 8 : 1u << i->esz;

	if (info->needs_gpr) {
		cg_take(c, RAX);
		cg_take(c, RCX);
	}
	c->vx.a_zext = c->vx.b_zext = c->vx.c_zext = false;
	if (i->a != IR_NONE) {
		a = cg_vuse(c, i->a);
		c->vx.a_zext = cg_v(c, i->a)->zext <= bytes;
	}
	if (i->b != IR_NONE) {
		b = cg_vuse(c, i->b);
		c->vx.b_zext = cg_v(c, i->b)->zext <= bytes;
	}
	if (i->c != IR_NONE) {
		v = cg_vuse(c, i->c);
		c->vx.c_zext = cg_v(c, i->c)->zext <= bytes;
	}
	d = cg_vdest(c, c->cur, i->a);
	if (info->clobbers_flags)
		cg_clobber_flags(c);
	c->vx.flags_live = cg_flags_live(c);
	x64_vec(&c->vx, i, d, a, b, v);
	/* some scalar forms make one element of twice the size */
	if (i->width == IR_WS && (i->op == IR_VSADDLV || i->op == IR_VUADDLV || i->op == IR_VLSQDMUL))
		bytes *= 2;
	cg_vdef(c, c->cur, d, MAX(4u, bytes));
}

void cg_vecop(struct cg *c, const struct ir_inst *i)
{
	const struct ir_op_info *oi = &ir_op_info[i->op];
	struct x64_vec_info info;
	unsigned a = 0, d, g;

	if (cg_fp_evaluated(c->opt, i) && (oi->effects & IR_E_FP)) {
		cg_helper(c, i);
		return;
	}
	info = x64_vec_info(i, c->features);
	if (info.how == X64_VEC_HELPER) {
		cg_helper(c, i);
		return;
	}
	switch (i->op) {
	case IR_VDUP:
	case IR_VINS:
	case IR_ITOFG:
		if (info.needs_gpr) {
			cg_take(c, RAX);
			cg_take(c, RCX);
		}
		if (i->op == IR_VINS)
			a = cg_vuse(c, i->a);
		g = cg_use(c, i->op == IR_VINS ? i->b : i->a);
		d = cg_vdest(c, c->cur, i->op == IR_VINS ? i->a : IR_NONE);
		if (info.clobbers_flags)
			cg_clobber_flags(c);
		c->vx.a_zext = false;
		c->vx.flags_live = cg_flags_live(c);
		x64_vec_from_gpr(&c->vx, i, d, a, g);
		cg_vdef(c, c->cur, d, i->op == IR_VINS || i->width == IR_W128 ? 16 :
			 i->width == IR_W64 ? 8 : MAX(4u, 1u << i->esz));
		break;
	case IR_VEXTU:
	case IR_VEXTS:
	case IR_FTOIG:
	case IR_FJCVT:
		if (info.needs_gpr) {
			cg_take(c, RAX);
			cg_take(c, RCX);
		}
		a = cg_vuse(c, i->a);
		d = cg_dest(c, c->cur, IR_NONE);
		if (info.clobbers_flags)
			cg_clobber_flags(c);
		c->vx.flags_live = cg_flags_live(c);
		x64_vec_to_gpr(&c->vx, i, d, a);
		cg_def(c, c->cur, d, i->op == IR_FJCVT || i->type == IR_I32);
		break;
	default:
		native(c, i, &info);
		break;
	}
}

/* The next instruction from n on that is not dead, below end. */
static u32 next_live(const struct cg *c, u32 n, u32 end)
{
	while (n < end && c->val[n].dead)
		n++;
	return n;
}

/*
 * AESE v, k; AESMC v, v (or AESD, AESIMC) is one AESENC (AESDEC) of the host, and what every AES implementation is made of.
 * What lies between the two is not a place where a signal may be delivered then. Returns the instruction that has been done
 * last, or n if this is no such pair.
 */
u32 cg_aes_pair(struct cg *c, u32 n, u32 end)
{
	const struct ir_inst *v = c->r->inst, *first = &v[n];
	u32 set, insn, get, mix, slot;
	unsigned a, b, d;

	if (!(c->features & HOST_AES) || c->val[n].uses != 1)
		return n;
	set = next_live(c, n + 1, end);
	insn = next_live(c, set + 1, end);
	get = next_live(c, insn + 1, end);
	mix = next_live(c, get + 1, end);
	if (mix >= end || v[set].op != IR_VSET || v[set].a != n || v[insn].op != IR_INSN || v[get].op != IR_VGET ||
	    v[mix].op != (first->op == IR_AESE ? IR_AESMC : IR_AESIMC) || v[mix].a != get)
		return n;
	slot = v[set].aux;
	n = next_live(c, mix + 1, end);
	if (v[get].aux != slot || n >= end || v[n].op != IR_VSET || v[n].aux != slot || v[n].a != mix)
		return (u32)(first - v);
	a = cg_vuse(c, first->a);
	b = cg_vuse(c, first->b);
	c->cur = mix;
	c->pc = (u64)v[insn].imm;
	c->pc_len = v[insn].aux;
	d = cg_vdest(c, (u16)mix, IR_NONE);
	x64_vec_aes_round(&c->vx, first->op == IR_AESD, d, a, b);
	cg_vdef(c, (u16)mix, d, 16);
	return mix;
}
