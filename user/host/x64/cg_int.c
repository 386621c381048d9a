// SPDX-License-Identifier: MIT
/*
 * Integer operations.
 */
#include "host/x64/cg.h"

/* Puts a into d (both registers; d may be a). */
static void into(struct cg *c, unsigned w, unsigned d, unsigned a)
{
	if (d != a)
		x64_mov(&c->b, w, d, a);
}

/* ADD, AND, OR, XOR with d != b or d == a: d = a op b */
static void alu(struct cg *c, const struct ir_inst *i, enum x64_alu op, bool commutes)
{
	unsigned w = cg_w(i), a, b, d;
	bool fuse = c->val[c->cur].fuse;
	struct x64_mem m;
	s32 imm;

	if (cg_is_imm32(c, i->b, i->type, &imm)) {
		a = cg_use(c, i->a);
		d = cg_dest(c, c->cur, i->a);
		if (!fuse && (op == X64_ADD || op == X64_SUB) && (d != a || cg_flags_live(c)) && imm != INT32_MIN) {
			x64_lea(&c->b, w, d, x64_m(a, op == X64_ADD ? imm : -imm));
		} else {
			cg_clobber_flags(c);
			into(c, w, d, a);
			if (op == X64_AND && w && imm >= 0 && !fuse)
				x64_alu_ri(&c->b, op, 0, d, imm);
			else
				x64_alu_ri(&c->b, op, w, d, imm);
		}
		cg_def(c, c->cur, d, !w || (op == X64_AND && imm >= 0));
		goto flags;
	}
	a = cg_use(c, i->a);
	if (cg_in_mem(c, i->b, &m) && cg_v(c, i->b)->last <= c->cur &&
	    !(cg_v(c, i->b)->mem == CG_SLOT && c->r->inst[cg_canon(c, i->b)].type == IR_I32 && w)) {
		d = cg_dest(c, c->cur, i->a);
		cg_clobber_flags(c);
		into(c, w, d, a);
		x64_alu_rm(&c->b, op, w, d, m);
		cg_def(c, c->cur, d, !w);
		goto flags;
	}
	b = cg_use(c, i->b);
	d = cg_dest(c, c->cur, i->a);
	if (op == X64_ADD && !fuse && d != a && (d != b || cg_flags_live(c))) {
		x64_lea(&c->b, w, d, x64_mi(a, b, 0, 0));
		cg_def(c, c->cur, d, !w);
		return;
	}
	cg_clobber_flags(c);
	if (d == b && d != a) {
		if (commutes) {
			x64_alu_rr(&c->b, op, w, d, a);
		} else {
			unsigned t = cg_temp(c);

			x64_mov(&c->b, w, t, a);
			x64_alu_rr(&c->b, op, w, t, b);
			x64_mov(&c->b, w, d, t);
		}
	} else {
		into(c, w, d, a);
		x64_alu_rr(&c->b, op, w, d, b);
	}
	cg_def(c, c->cur, d, !w);
flags:
	if (fuse) {
		/* the FL_ operation right behind is the one that EFLAGS now hold */
		u32 k = c->cur + 1;

		while (!(c->val[k].fuse && c->r->inst[k].op >= IR_FL_ADD && c->r->inst[k].op <= IR_FL_LOGIC))
			k++;
		cg_flags_def(c, k, op == X64_SUB ? CG_FLAGS_SUB : CG_FLAGS_ADD);
	}
}

/* ADC, SBC: a + b + C, a + ~b + C */
static void carry(struct cg *c, const struct ir_inst *i)
{
	bool sub = i->op == IR_SBC, fuse = c->val[c->cur].fuse;
	u8 kind = cg_flags_use_carry(c, i->c);
	unsigned w = cg_w(i), a = cg_use(c, i->a), b = cg_use(c, i->b), d, t;

	if (!fuse && cg_flags_live(c) && c->flags_at != CG_FLAGS_MEM) {
		/* guest flags are needed later: save them, they stay in EFLAGS too */
		cg_clobber_flags(c);
		kind = CG_FLAGS_SUB;
	} else if (c->flags_at != CG_FLAGS_MEM) {
		c->flags_at = CG_FLAGS_DEAD;
	}
	d = cg_dest(c, c->cur, IR_NONE);
	t = d == b && d != a ? cg_temp(c) : d;
	into(c, w, t, a);
	if ((kind == CG_FLAGS_SUB) != sub)
		x64_b(&c->b, 0xf5);
	x64_alu_rr(&c->b, sub ? X64_SBB : X64_ADC, w, t, b);
	into(c, w, d, t);
	c->flags_val = IR_NONE;
	cg_def(c, c->cur, d, !w);
	if (fuse) {
		u32 k = c->cur + 1;

		while (!(c->val[k].fuse && (c->r->inst[k].op == IR_FL_ADC || c->r->inst[k].op == IR_FL_SBC)))
			k++;
		cg_flags_def(c, k, sub ? CG_FLAGS_SUB : CG_FLAGS_ADD);
	}
}

static void unary(struct cg *c, const struct ir_inst *i, unsigned ext, bool flags)
{
	unsigned w = cg_w(i), a = cg_use(c, i->a), d = cg_dest(c, c->cur, i->a);

	if (flags)
		cg_clobber_flags(c);
	into(c, w, d, a);
	x64_rr(&c->b, 0xf7, w, ext, d);
	cg_def(c, c->cur, d, !w);
}

/* MULX leaves EFLAGS alone: long multiplications weave MUL and UMULH into chains of ADCS. high: the upper half is wanted. */
static void mulx(struct cg *c, const struct ir_inst *i, bool high)
{
	unsigned w = cg_w(i), b, d, t;

	cg_take(c, RDX);
	into(c, w, RDX, cg_use(c, i->a));
	c->pinned = 1u << RDX;		/* a is in rdx now */
	b = cg_use(c, i->b);
	d = cg_dest(c, c->cur, IR_NONE);
	t = high ? d : cg_temp(c);
	x64_vex_gpr(&c->b, 2, 3, w, 0xf6, t, d, b);
	cg_def(c, c->cur, d, !w);
}

static void mul(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a, b, d;
	s32 imm;

	if (cg_flags_live(c) && (c->features & HOST_BMI)) {
		mulx(c, i, false);
		return;
	}
	a = cg_use(c, i->a);

	if (cg_is_imm32(c, i->b, i->type, &imm)) {
		d = cg_dest(c, c->cur, i->a);
		cg_clobber_flags(c);
		x64_rr(&c->b, 0x69, w, d, a);
		x64_d(&c->b, (u32)imm);
	} else {
		b = cg_use(c, i->b);
		d = cg_dest(c, c->cur, i->a);
		cg_clobber_flags(c);
		if (d == b) {
			x64_imul_rr(&c->b, w, d, a);
		} else {
			into(c, w, d, a);
			x64_imul_rr(&c->b, w, d, b);
		}
	}
	cg_def(c, c->cur, d, !w);
}

static void mulh(struct cg *c, const struct ir_inst *i)
{
	unsigned b;

	if (i->op == IR_UMULH && (c->features & HOST_BMI)) {
		mulx(c, i, true);
		return;
	}
	cg_clobber_flags(c);
	cg_take(c, RAX);
	cg_take(c, RDX);
	into(c, 1, RAX, cg_use(c, i->a));
	b = cg_use(c, i->b);
	x64_rr(&c->b, 0xf7, 1, i->op == IR_UMULH ? 4 : 5, b);
	cg_def(c, c->cur, RDX, false);
}

static void divide(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), b;
	u8 *zero, *end, *neg = NULL, *end2 = NULL;

	cg_clobber_flags(c);
	cg_take(c, RAX);
	cg_take(c, RDX);
	into(c, w, RAX, cg_use(c, i->a));
	b = cg_use(c, i->b);
	x64_test_rr(&c->b, w, b, b);
	zero = x64_jcc8(&c->b, X64_E);
	if (i->op == IR_UDIV) {
		x64_alu_rr(&c->b, X64_XOR, 0, RDX, RDX);
		x64_rr(&c->b, 0xf7, w, 6, b);
	} else {
		x64_alu_ri(&c->b, X64_CMP, w, b, -1);	/* MIN / -1 traps on x86 */
		neg = x64_jcc8(&c->b, X64_E);
		if (w)
			x64_b(&c->b, 0x48);
		x64_b(&c->b, 0x99);			/* cqo, cdq */
		x64_rr(&c->b, 0xf7, w, 7, b);
	}
	end = x64_jmp8(&c->b);
	if (neg) {
		x64_patch8(&c->b, neg);
		x64_rr(&c->b, 0xf7, w, 3, RAX);
		end2 = x64_jmp8(&c->b);
	}
	x64_patch8(&c->b, zero);
	x64_alu_rr(&c->b, X64_XOR, 0, RAX, RAX);
	x64_patch8(&c->b, end);
	if (end2)
		x64_patch8(&c->b, end2);
	cg_def(c, c->cur, RAX, !w);
}

static void shift(struct cg *c, const struct ir_inst *i)
{
	static const u8 ext[] = { [IR_SHL - IR_SHL] = X64_SHL, [IR_SHR - IR_SHL] = X64_SHR, [IR_SAR - IR_SHL] = X64_SAR,
				  [IR_ROR - IR_SHL] = X64_ROR };
	enum x64_sh op = ext[i->op - IR_SHL];
	unsigned w = cg_w(i), a, n, d;
	s64 imm;

	if (cg_is_const(c, i->b, &imm)) {
		n = (unsigned)imm & (w ? 63 : 31);
		a = cg_use(c, i->a);
		d = cg_dest(c, c->cur, i->a);
		if (op == X64_ROR && (c->features & HOST_BMI)) {
			x64_vex_gpr(&c->b, 3, 3, w, 0xf0, d, 0, a);	/* rorx */
			x64_b(&c->b, n);
		} else if (op == X64_SHL && n == 1 && d != a) {
			x64_lea(&c->b, w, d, x64_mi(a, a, 0, 0));
		} else if (op == X64_SHL && n <= 3 && n && (d != a || cg_flags_live(c))) {
			/* [index << n + disp32] without base */
			x64_b(&c->b, 0x40 | w << 3 | (d >> 3 & 1) << 2 | (a >> 3 & 1) << 1);
			x64_b(&c->b, 0x8d);
			x64_b(&c->b, (d & 7) << 3 | 4);
			x64_b(&c->b, n << 6 | (a & 7) << 3 | 5);
			x64_d(&c->b, 0);
		} else if (n && op != X64_ROR && cg_flags_live(c) && (c->features & HOST_BMI)) {
			unsigned t = cg_temp(c);

			x64_movi(&c->b, t, n);
			x64_vex_gpr(&c->b, 2, op == X64_SHL ? 1 : op == X64_SHR ? 3 : 2, w, 0xf7, d, t, a);
		} else {
			cg_clobber_flags(c);
			into(c, w, d, a);
			if (n)
				x64_sh_ri(&c->b, op, w, d, n);
			else if (!w)
				x64_mov(&c->b, 0, d, d);
		}
		cg_def(c, c->cur, d, !w);
		return;
	}
	if ((c->features & HOST_BMI) && op != X64_ROR) {
		a = cg_use(c, i->a);
		n = cg_use(c, i->b);
		d = cg_dest(c, c->cur, i->a);
		/* shlx 66, shrx F2, sarx F3 */
		x64_vex_gpr(&c->b, 2, op == X64_SHL ? 1 : op == X64_SHR ? 3 : 2, w, 0xf7, d, n, a);
	} else {
		cg_clobber_flags(c);
		cg_take(c, RCX);
		into(c, 0, RCX, cg_use(c, i->b));
		a = cg_use(c, i->a);
		d = cg_temp(c);
		into(c, w, d, a);
		x64_sh_cl(&c->b, op, w, d);
	}
	cg_def(c, c->cur, d, !w);
}

static void extr(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a = cg_use(c, i->a), b = cg_use(c, i->b), d = cg_dest(c, c->cur, i->b);

	/* shrd d = b, a, imm */
	cg_clobber_flags(c);
	if (i->imm == 0) {
		x64_mov(&c->b, w, d, b);
	} else if (d == a && d != b) {
		unsigned t = cg_temp(c);

		x64_mov(&c->b, w, t, b);
		x64_rr(&c->b, 0x0fac, w, a, t);
		x64_b(&c->b, (u8)i->imm);
		x64_mov(&c->b, w, d, t);
	} else {
		into(c, w, d, b);
		x64_rr(&c->b, 0x0fac, w, a, d);
		x64_b(&c->b, (u8)i->imm);
	}
	cg_def(c, c->cur, d, !w);
}

/* Zero- or sign-extension from 8, 16 or 32 bits. */
static void extend(struct cg *c, const struct ir_inst *i, unsigned bits, bool sign)
{
	struct cg_val *v = cg_v(c, i->a);
	unsigned w = cg_w(i), a, d;

	a = cg_use(c, i->a);
	if (!sign && bits == 32 && v->zext) {	/* nothing to do: the same value */
		u16 id = cg_canon(c, i->a);

		c->val[c->cur].canon = id;
		v->last = MAX(v->last, c->val[c->cur].last);
		return;
	}
	d = cg_dest(c, c->cur, i->a);
	if (bits == 32) {
		if (sign && w)
			x64_rr(&c->b, 0x63, 1, d, a);
		else
			x64_mov(&c->b, 0, d, a);
	} else if (bits == 16) {
		x64_rr(&c->b, sign ? 0x0fbf : 0x0fb7, sign && w, d, a);
	} else {
		x64_rr8(&c->b, sign ? 0x0fbe : 0x0fb6, sign && w, d, a);
	}
	cg_def(c, c->cur, d, !sign || !w);
}

static void ubfx(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a, d, lsb = i->aux, n = (unsigned)i->imm;

	if (lsb == 0 && (n == 8 || n == 16 || n == 32)) {
		extend(c, i, n, false);
		return;
	}
	a = cg_use(c, i->a);
	d = cg_dest(c, c->cur, i->a);
	cg_clobber_flags(c);
	if (lsb + n == (w ? 64u : 32u)) {
		into(c, w, d, a);
		x64_sh_ri(&c->b, X64_SHR, w, d, lsb);
	} else if (lsb == 0 && n < 32) {
		into(c, 0, d, a);
		x64_alu_ri(&c->b, X64_AND, 0, d, (s32)((1u << n) - 1));
	} else if (n < 32) {
		into(c, w, d, a);
		x64_sh_ri(&c->b, X64_SHR, w, d, lsb);
		if (n == 8)
			x64_movzx8(&c->b, d, d);
		else if (n == 16)
			x64_rr(&c->b, 0x0fb7, 0, d, d);
		else
			x64_alu_ri(&c->b, X64_AND, 0, d, (s32)((1u << n) - 1));
	} else {
		into(c, w, d, a);
		x64_sh_ri(&c->b, X64_SHL, w, d, (w ? 64 : 32) - lsb - n);
		x64_sh_ri(&c->b, X64_SHR, w, d, (w ? 64 : 32) - n);
	}
	cg_def(c, c->cur, d, !w || n <= 32);
}

static void sbfx(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a, d, lsb = i->aux, n = (unsigned)i->imm, bits = w ? 64 : 32;

	if (lsb == 0 && (n == 8 || n == 16 || (n == 32 && w))) {
		extend(c, i, n, true);
		return;
	}
	a = cg_use(c, i->a);
	d = cg_dest(c, c->cur, i->a);
	cg_clobber_flags(c);
	into(c, w, d, a);
	if (lsb + n != bits)
		x64_sh_ri(&c->b, X64_SHL, w, d, bits - lsb - n);
	if (n != bits)
		x64_sh_ri(&c->b, X64_SAR, w, d, bits - n);
	cg_def(c, c->cur, d, !w);
}

static void bfi(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a, b, d, t, lsb = i->aux, n = (unsigned)i->imm, bits = w ? 64 : 32;
	u64 mask = (n == 64 ? ~0ull : BIT(n) - 1);

	s64 imm;

	a = cg_use(c, i->a);
	b = cg_is_const(c, i->b, &imm) ? RAX : cg_use(c, i->b);
	t = cg_temp(c);
	cg_clobber_flags(c);
	/* t = b's field in place */
	if (cg_is_const(c, i->b, &imm)) {
		x64_movi(&c->b, t, ((u64)imm & mask) << lsb);
	} else if (lsb + n == bits) {
		x64_mov(&c->b, w, t, b);
		x64_sh_ri(&c->b, X64_SHL, w, t, lsb);
	} else if (n == 8) {
		x64_movzx8(&c->b, t, b);
		if (lsb)
			x64_sh_ri(&c->b, X64_SHL, w, t, lsb);
	} else if (n == 16) {
		x64_rr(&c->b, 0x0fb7, 0, t, b);
		if (lsb)
			x64_sh_ri(&c->b, X64_SHL, w, t, lsb);
	} else if (n < 32) {
		x64_mov(&c->b, 0, t, b);
		x64_alu_ri(&c->b, X64_AND, 0, t, (s32)mask);
		if (lsb)
			x64_sh_ri(&c->b, X64_SHL, w, t, lsb);
	} else {
		x64_mov(&c->b, w, t, b);
		x64_sh_ri(&c->b, X64_SHL, w, t, bits - n);
		if (bits - n != lsb)
			x64_sh_ri(&c->b, X64_SHR, w, t, bits - n - lsb);
	}
	/* d = a without the field */
	mask = ~(mask << lsb);
	if (!w)
		mask = (u32)mask;
	if (!w || (s64)mask == (s32)mask) {
		d = cg_dest(c, c->cur, i->a);
		if (d == t)
			c->full = true;
		into(c, w, d, a);
		x64_alu_ri(&c->b, X64_AND, w, d, (s32)mask);
		x64_alu_rr(&c->b, X64_OR, w, d, t);
	} else {
		unsigned k = cg_temp(c);

		x64_movi(&c->b, k, mask);
		x64_alu_rr(&c->b, X64_AND, w, k, a);
		x64_alu_rr(&c->b, X64_OR, w, k, t);
		d = k;
	}
	cg_def(c, c->cur, d, !w);
}

static void bswap(struct cg *c, unsigned w, unsigned d)
{
	x64_b(&c->b, 0x40 | w << 3 | (d >> 3 & 1));
	x64_b(&c->b, 0x0f);
	x64_b(&c->b, 0xc8 | (d & 7));
}

/* d = ((d & mask) << n) | ((d >> n) & mask); t, k temporaries */
static void swap_bits(struct cg *c, unsigned w, unsigned d, unsigned t, unsigned k, u64 mask, unsigned n)
{
	x64_movi(&c->b, k, w ? mask : (u32)mask);
	x64_mov(&c->b, w, t, d);
	x64_sh_ri(&c->b, X64_SHR, w, t, n);
	x64_alu_rr(&c->b, X64_AND, w, t, k);
	x64_alu_rr(&c->b, X64_AND, w, d, k);
	x64_sh_ri(&c->b, X64_SHL, w, d, n);
	x64_alu_rr(&c->b, X64_OR, w, d, t);
}

static void bits_op(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a = cg_use(c, i->a), d, t, k;

	switch (i->op) {
	case IR_CLZ: {
		d = cg_dest(c, c->cur, i->a);
		cg_clobber_flags(c);
		if (c->features & HOST_BMI) {
			x64_rr_p(&c->b, 0xf3, 0x0fbd, w, d, a);		/* lzcnt */
		} else {
			t = cg_temp(c);
			x64_movi(&c->b, t, w ? 127 : 63);
			x64_rr(&c->b, 0x0fbd, w, d, a);			/* bsr */
			x64_cmov(&c->b, X64_E, w, d, t);
			x64_alu_ri(&c->b, X64_XOR, 0, d, w ? 63 : 31);
		}
		break;
	}
	case IR_CLS:
		/* clz(x ^ (x >>s 1)) - 1 */
		t = cg_temp(c);
		cg_clobber_flags(c);
		x64_mov(&c->b, w, t, a);
		x64_sh_ri(&c->b, X64_SAR, w, t, 1);
		x64_alu_rr(&c->b, X64_XOR, w, t, a);
		d = cg_dest(c, c->cur, IR_NONE);
		k = cg_temp(c);
		x64_movi(&c->b, k, w ? 127 : 63);
		x64_rr(&c->b, 0x0fbd, w, t, t);
		x64_cmov(&c->b, X64_E, w, t, k);
		x64_alu_ri(&c->b, X64_XOR, 0, t, w ? 63 : 31);
		x64_lea(&c->b, 0, d, x64_m(t, -1));
		break;
	case IR_RBIT:
		t = cg_temp(c);
		k = cg_temp(c);
		cg_clobber_flags(c);
		d = cg_temp(c);
		into(c, w, d, a);
		bswap(c, w, d);
		swap_bits(c, w, d, t, k, 0x0f0f0f0f0f0f0f0full, 4);
		swap_bits(c, w, d, t, k, 0x3333333333333333ull, 2);
		swap_bits(c, w, d, t, k, 0x5555555555555555ull, 1);
		break;
	case IR_BSWAP:
		d = cg_dest(c, c->cur, i->a);
		into(c, w, d, a);
		bswap(c, w, d);
		break;
	case IR_REV16:
		t = cg_temp(c);
		k = cg_temp(c);
		cg_clobber_flags(c);
		d = cg_temp(c);
		into(c, w, d, a);
		swap_bits(c, w, d, t, k, 0x00ff00ff00ff00ffull, 8);
		break;
	default:	/* IR_REV32 */
		d = cg_dest(c, c->cur, i->a);
		cg_clobber_flags(c);
		into(c, 1, d, a);
		bswap(c, 1, d);
		x64_sh_ri(&c->b, X64_ROR, 1, d, 32);
		break;
	}
	cg_def(c, c->cur, d, !w);
}

/* CLZ of RBIT: counts trailing zeros. The RBIT was folded. */
static bool ctz(struct cg *c, const struct ir_inst *i)
{
	u16 id = cg_canon(c, i->a);
	unsigned w = cg_w(i), a, d;

	if (!c->val[id].fold)
		return false;
	a = cg_use(c, c->r->inst[id].a);
	d = cg_dest(c, c->cur, c->r->inst[id].a);
	cg_clobber_flags(c);
	if (c->features & HOST_BMI) {
		x64_rr_p(&c->b, 0xf3, 0x0fbc, w, d, a);		/* tzcnt */
	} else {
		unsigned t = cg_temp(c);

		x64_movi(&c->b, t, w ? 64 : 32);
		x64_rr(&c->b, 0x0fbc, w, d, a);
		x64_cmov(&c->b, X64_E, w, d, t);
	}
	cg_def(c, c->cur, d, !w);
	return true;
}

static void crc32(struct cg *c, const struct ir_inst *i)
{
	unsigned n = (unsigned)i->imm, a, b, d;

	a = cg_use(c, i->a);
	b = cg_use(c, i->b);
	d = cg_dest(c, c->cur, i->a);
	if (d == b && d != a) {
		unsigned t = cg_temp(c);

		x64_mov(&c->b, 1, t, b);
		b = t;
	}
	into(c, 0, d, a);
	x64_b(&c->b, n == 2 ? 0x66 : 0xf2);
	if (n == 2)
		x64_b(&c->b, 0xf2);
	x64_b(&c->b, 0x40 | (n == 8) << 3 | (d >> 3 & 1) << 2 | (b >> 3 & 1));
	x64_op(&c->b, n == 1 ? 0x0f38f0 : 0x0f38f1);
	x64_b(&c->b, 0xc0 | (d & 7) << 3 | (b & 7));
	cg_def(c, c->cur, d, true);
}

static void fl_to(struct cg *c, const struct ir_inst *i)
{
	struct x64_mem m = cg_host_mem(X64_HFLAGS);
	unsigned d, t;
	u16 v = cg_canon(c, i->a);

	/* through memory: rare */
	if (c->flags_val == v || c->r->inst[v].op == IR_FL_CONST) {
		u8 kind = cg_flags_use(c, v);

		cg_take(c, RAX);
		cg_flags_store(&c->b, kind);
		cg_untake(c, RAX);
		if (c->flags_at != CG_FLAGS_DEAD && c->slot_val[c->g->flags_slot] == v)
			c->flags_at = CG_FLAGS_MEM;
		c->flags_val = IR_NONE;
	}
	t = cg_temp(c);
	d = cg_temp(c);
	/* ah: SF ZF . . . . . !C   al: V */
	x64_rm(&c->b, 0x0fb7, 0, t, &m);
	x64_mov(&c->b, 0, d, t);
	x64_alu_ri(&c->b, X64_AND, 0, d, 0xc000);
	x64_sh_ri(&c->b, X64_SHL, 0, d, 16);
	x64_alu_ri(&c->b, X64_XOR, 0, t, 0x100);
	x64_alu_ri(&c->b, X64_AND, 0, t, 0x101);
	/* bit 8 -> 29, bit 0 -> 28: multiply-free: (t >> 7 | t) & 3 << 28 */
	{
		unsigned k = cg_temp(c);

		x64_mov(&c->b, 0, k, t);
		x64_sh_ri(&c->b, X64_SHR, 0, k, 7);
		x64_alu_rr(&c->b, X64_OR, 0, t, k);
	}
	x64_alu_ri(&c->b, X64_AND, 0, t, 3);
	x64_sh_ri(&c->b, X64_SHL, 0, t, 28);
	x64_alu_rr(&c->b, X64_OR, 0, d, t);
	cg_def(c, c->cur, d, true);
}

void cg_int(struct cg *c, const struct ir_inst *i)
{
	switch (i->op) {
	case IR_ADD: alu(c, i, X64_ADD, true); break;
	case IR_SUB: {
		s64 k;

		if (cg_is_const(c, i->a, &k) && k == 0 && !c->val[c->cur].fuse) {
			unsigned w = cg_w(i), b = cg_use(c, i->b), d = cg_dest(c, c->cur, i->b);

			cg_clobber_flags(c);
			into(c, w, d, b);
			x64_rr(&c->b, 0xf7, w, 3, d);
			cg_def(c, c->cur, d, !w);
			break;
		}
		alu(c, i, X64_SUB, false);
		break;
	}
	case IR_AND: alu(c, i, X64_AND, true); break;
	case IR_OR: alu(c, i, X64_OR, true); break;
	case IR_XOR: alu(c, i, X64_XOR, true); break;
	case IR_BIC: {
		unsigned w = cg_w(i), a = cg_use(c, i->a), b = cg_use(c, i->b), t, d;

		if (c->features & HOST_BMI) {
			d = cg_dest(c, c->cur, i->a);
			cg_clobber_flags(c);
			x64_vex_gpr(&c->b, 2, 0, w, 0xf2, d, b, a);	/* andn d = ~b & a */
		} else {
			t = cg_temp(c);
			cg_clobber_flags(c);
			x64_mov(&c->b, w, t, b);
			x64_rr(&c->b, 0xf7, w, 2, t);
			x64_alu_rr(&c->b, X64_AND, w, t, a);
			d = t;
		}
		cg_def(c, c->cur, d, !w);
		if (c->val[c->cur].fuse) {
			u32 k = c->cur + 1;

			while (!(c->val[k].fuse && c->r->inst[k].op == IR_FL_LOGIC))
				k++;
			/* ANDN leaves CF and OF clear as AND does */
			cg_flags_def(c, k, CG_FLAGS_ADD);
		}
		break;
	}
	case IR_ADC:
	case IR_SBC: carry(c, i); break;
	case IR_MUL: mul(c, i); break;
	case IR_UMULH:
	case IR_SMULH: mulh(c, i); break;
	case IR_UDIV:
	case IR_SDIV: divide(c, i); break;
	case IR_NOT: unary(c, i, 2, false); break;
	case IR_NEG: unary(c, i, 3, true); break;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROR: shift(c, i); break;
	case IR_EXTR: extr(c, i); break;
	case IR_UBFX: ubfx(c, i); break;
	case IR_SBFX: sbfx(c, i); break;
	case IR_BFI: bfi(c, i); break;
	case IR_SEXT: extend(c, i, i->aux, true); break;
	case IR_ZEXT: extend(c, i, i->aux, false); break;
	case IR_TRUNC: {
		u16 id = cg_canon(c, i->a);

		c->val[c->cur].canon = id;
		c->val[id].last = MAX(c->val[id].last, c->val[c->cur].last);
		break;
	}
	case IR_CLZ:
		if (ctz(c, i))
			break;
		bits_op(c, i);
		break;
	case IR_CLS:
	case IR_RBIT:
	case IR_BSWAP:
	case IR_REV16:
	case IR_REV32: bits_op(c, i); break;
	case IR_CRC32:
		if (i->aux)
			crc32(c, i);
		else
			cg_helper(c, i);
		break;
	case IR_FL_TO: fl_to(c, i); break;
	case IR_SELECT: cg_select(c, i); break;
	case IR_CSET: cg_cset(c, i); break;
	}
}
