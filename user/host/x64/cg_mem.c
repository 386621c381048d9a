// SPDX-License-Identifier: MIT
/*
 * Guest memory. Guest addresses are host addresses. Arm's memory model is weaker than x86's, so plain accesses and
 * load-acquires are plain moves; a store-release is an XCHG, because a later load-acquire may not pass it (Arm ARM B2.3:
 * RCsc); see docs/memory-model.md.
 */
#include "host/x64/cg.h"

/* The analysis marked the address computation as folded: take it apart. */
struct x64_mem cg_addr(struct cg *c, const struct ir_inst *i)
{
	u16 id = cg_canon(c, i->a);
	const struct ir_inst *d = &c->r->inst[id];
	s64 imm = 0;

	if (c->val[id].fold && d->op == IR_ADD) {
		u16 y = cg_canon(c, d->b);
		const struct ir_inst *s = &c->r->inst[y];
		unsigned base, index, scale = 0;

		/* constants that only MOVK made whole may be too far for a displacement */
		if (cg_is_const(c, d->b, &imm) && imm + i->imm == (s32)(imm + i->imm))
			return x64_m(cg_use(c, d->a), (s32)(imm + i->imm));
		base = cg_use(c, d->a);
		if (c->val[y].fold && s->op == IR_SHL) {
			cg_is_const(c, s->b, &imm);
			scale = (unsigned)imm;
			index = cg_use(c, s->a);
		} else {
			index = cg_use(c, d->b);
		}
		return x64_mi(base, index, scale, (s32)i->imm);
	}
	if (d->op == IR_GADDR && c->opt->relative && c->val[id].reg == X64_NOREG &&
	    (i->op == IR_LOAD || i->op == IR_VLOAD || i->op == IR_STORE || i->op == IR_VSTORE)) {
		u64 at = c->opt->guest_base + (u64)d->imm + (u64)i->imm;
		s64 far = (s64)(at - (u64)c->b.p);

		if (far == (s32)far && (s32)far < INT32_MAX - 64 && (s32)far > INT32_MIN + 64)
			return x64_mrip((const u8 *)at);
	}
	return x64_m(cg_use(c, i->a), (s32)i->imm);
}

/* movzx/movsx/mov load of size bytes. */
static void load(struct cg *c, unsigned d, struct x64_mem m, unsigned size, bool sign, unsigned w)
{
	switch (size) {
	case 1: x64_rm(&c->b, sign ? 0x0fbe : 0x0fb6, sign && w, d, &m); break;
	case 2: x64_rm(&c->b, sign ? 0x0fbf : 0x0fb7, sign && w, d, &m); break;
	case 4:
		if (sign && w)
			x64_rm(&c->b, 0x63, 1, d, &m);
		else
			x64_ld(&c->b, 0, d, m);
		break;
	default: x64_ld(&c->b, 1, d, m); break;
	}
}

/* An instruction in its four sizes: op8 for bytes, op for the rest. lock: with the prefix. */
static void sized_mr(struct cg *c, bool lock, u32 op8, u32 op, unsigned size, unsigned reg, struct x64_mem m)
{
	if (lock)
		x64_b(&c->b, 0xf0);
	x64_rm_p(&c->b, size == 2 ? 0x66 : 0, size == 1 ? op8 : op, size == 8, reg, &m, 0, size == 1);
}

static void do_load(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, w = cg_w(i), d;
	bool sign = i->aux & IR_MEM_SIGNED;
	struct x64_mem m = cg_addr(c, i);

	d = cg_dest(c, c->cur, IR_NONE);
	load(c, d, m, size, sign, w);
	cg_def(c, c->cur, d, size != 8 && !(sign && w));
}

static void do_store(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, v;
	struct x64_mem m = cg_addr(c, i);
	s64 imm;

	if (i->aux & IR_MEM_REL) {
		unsigned t = cg_temp(c);

		v = cg_use(c, i->b);
		x64_mov(&c->b, 1, t, v);
		sized_mr(c, false, 0x86, 0x87, size, t, m);	/* xchg: locks by itself */
		return;
	}
	if (cg_is_const(c, i->b, &imm) && (size < 8 || imm == (s32)imm)) {
		x64_rm_p(&c->b, size == 2 ? 0x66 : 0, size == 1 ? 0xc6 : 0xc7, size == 8, 0, &m,
			 size == 8 ? 4 : size, false);
		if (size == 1)
			x64_b(&c->b, (u8)imm);
		else if (size == 2)
			x64_b(&c->b, (u8)imm), x64_b(&c->b, (u8)(imm >> 8));
		else
			x64_d(&c->b, (u32)imm);
		return;
	}
	v = cg_use(c, i->b);
	sized_mr(c, false, 0x88, 0x89, size, v, m);
}

/* Zero-extends the low size bytes of reg. */
static void zero_extend(struct cg *c, unsigned reg, unsigned size)
{
	if (size == 1)
		x64_movzx8(&c->b, reg, reg);
	else if (size == 2)
		x64_rr(&c->b, 0x0fb7, 0, reg, reg);
	else if (size == 4)
		x64_mov(&c->b, 0, reg, reg);
}

/* Read-modify-write by a compare-and-swap loop: for the operations that x86 has no instruction for. */
static void rmw_loop(struct cg *c, const struct ir_inst *i, struct x64_mem m, unsigned size)
{
	unsigned w = size == 8, v, t;
	u8 *again;

	/* rax is taken by the caller; the value may need extension for the comparison */
	v = cg_use(c, i->b);
	t = cg_temp(c);
	load(c, RAX, m, size, false, w);
	again = c->b.p;
	switch (i->cc) {
	case IR_RMW_CLR:
		x64_mov(&c->b, 1, t, v);
		x64_rr(&c->b, 0xf7, 1, 2, t);
		x64_alu_rr(&c->b, X64_AND, 1, t, RAX);
		break;
	case IR_RMW_EOR:
		x64_mov(&c->b, 1, t, v);
		x64_alu_rr(&c->b, X64_XOR, 1, t, RAX);
		break;
	case IR_RMW_SET:
		x64_mov(&c->b, 1, t, v);
		x64_alu_rr(&c->b, X64_OR, 1, t, RAX);
		break;
	default: {		/* max, min: compare in the access's own size */
		static const u8 keep[] = { [IR_RMW_SMAX] = X64_G, [IR_RMW_SMIN] = X64_L, [IR_RMW_UMAX] = X64_A,
					   [IR_RMW_UMIN] = X64_B };

		x64_mov(&c->b, 1, t, v);
		if (size == 1)
			x64_rr8(&c->b, 0x3a, 0, RAX, v);
		else
			x64_rr_p(&c->b, size == 2 ? 0x66 : 0, 0x3b, w, RAX, v);
		x64_cmov(&c->b, keep[i->cc], 1, t, RAX);
		break;
	}
	}
	sized_mr(c, true, 0x0fb0, 0x0fb1, size, t, m);
	x64_b(&c->b, 0x75);
	x64_b(&c->b, (u8)(again - (c->b.p + 1)));
}

static void do_rmw(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, t;
	bool unused = c->val[c->cur].uses == 0;
	struct x64_mem m;

	cg_clobber_flags(c);
	if (i->cc == IR_RMW_SWP || (i->cc == IR_RMW_ADD && !unused)) {
		m = cg_addr(c, i);
		t = cg_temp(c);
		x64_mov(&c->b, 1, t, cg_use(c, i->b));
		if (i->cc == IR_RMW_SWP)
			sized_mr(c, false, 0x86, 0x87, size, t, m);
		else
			sized_mr(c, true, 0x0fc0, 0x0fc1, size, t, m);
		zero_extend(c, t, size);
		cg_def(c, c->cur, t, size <= 4);
		return;
	}
	if (unused && i->cc <= IR_RMW_SET) {
		static const u8 op[] = { [IR_RMW_ADD] = 0x00, [IR_RMW_CLR] = 0x20, [IR_RMW_EOR] = 0x30,
					 [IR_RMW_SET] = 0x08 };

		m = cg_addr(c, i);
		t = cg_use(c, i->b);
		if (i->cc == IR_RMW_CLR) {
			unsigned k = cg_temp(c);

			x64_mov(&c->b, 1, k, t);
			x64_rr(&c->b, 0xf7, 1, 2, k);
			t = k;
		}
		sized_mr(c, true, op[i->cc], op[i->cc] | 1, size, t, m);
		return;
	}
	cg_take(c, RAX);
	m = cg_addr(c, i);
	rmw_loop(c, i, m, size);
	zero_extend(c, RAX, size);
	cg_def(c, c->cur, RAX, size <= 4);
}

static void do_cas(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, n;
	struct x64_mem m;

	cg_clobber_flags(c);
	cg_take(c, RAX);
	x64_mov(&c->b, 1, RAX, cg_use(c, i->b));
	m = cg_addr(c, i);
	n = cg_use(c, i->c);
	sized_mr(c, true, 0x0fb0, 0x0fb1, size, n, m);
	zero_extend(c, RAX, size);
	cg_def(c, c->cur, RAX, size <= 4);
}

/* A full barrier, cheaper than MFENCE. */
static void full_fence(struct cg *c)
{
	cg_clobber_flags(c);
	x64_b(&c->b, 0xf0);
	x64_alu_mi(&c->b, X64_OR, 0, cg_host_mem(X64_SPILL + 8 * 31), 0);
}

/*
 * An exclusive access has to be aligned, which x86 would not mind: HLT faults, and the runtime, which has the evaluator do
 * the instruction once more, finds out why.
 */
static void check_aligned(struct cg *c, unsigned addr, unsigned size)
{
	u8 *aligned;

	if (size == 1)
		return;
	x64_test_ri(&c->b, 0, addr, (s32)size - 1);
	aligned = x64_jcc8(&c->b, X64_E);
	x64_b(&c->b, 0xf4);
	x64_patch8(&c->b, aligned);
}

static void do_ldx(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, d, a;
	struct x64_mem m;

	cg_clobber_flags(c);
	m = cg_addr(c, i);
	d = cg_temp(c);
	load(c, d, m, size, false, size == 8);
	a = m.base;
	if (m.index != X64_NOREG || m.disp) {
		a = cg_temp(c);
		x64_lea(&c->b, 1, a, m);
	}
	check_aligned(c, a, size);
	x64_st(&c->b, 1, a, cg_slot_mem(c, c->g->excl_addr_slot));
	x64_st(&c->b, 1, d, cg_slot_mem(c, c->g->excl_lo_slot));
	cg_def(c, c->cur, d, size <= 4);
}

/* rax := 1 and out if the monitor is not at this address; otherwise falls through. Returns the jump. */
static u8 *check_monitor(struct cg *c, unsigned addr)
{
	u8 *lost;

	x64_alu_rm(&c->b, X64_CMP, 1, addr, cg_slot_mem(c, c->g->excl_addr_slot));
	lost = x64_jcc8(&c->b, X64_NE);
	return lost;
}

static void disarm(struct cg *c)
{
	struct x64_mem m = cg_slot_mem(c, c->g->excl_addr_slot);

	x64_rm_p(&c->b, 0, 0xc7, 1, 0, &m, 4, false);	/* := ~0 */
	x64_d(&c->b, 0xffffffff);
}

static void do_stx(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, v, t;
	struct x64_mem m;
	u8 *lost;

	cg_clobber_flags(c);
	cg_take(c, RAX);
	m = cg_addr(c, i);
	v = cg_use(c, i->b);
	if (m.index != X64_NOREG || m.disp) {
		t = cg_temp(c);
		x64_lea(&c->b, 1, t, m);
		m = x64_m(t, 0);
	}
	lost = check_monitor(c, m.base);
	x64_ld(&c->b, 1, RAX, cg_slot_mem(c, c->g->excl_lo_slot));
	sized_mr(c, true, 0x0fb0, 0x0fb1, size, v, m);
	x64_patch8(&c->b, lost);
	/* ZF from the compare or from the swap: either way, not equal means not stored */
	x64_setcc(&c->b, X64_NE, RAX);
	x64_movzx8(&c->b, RAX, RAX);
	disarm(c);
	cg_def(c, c->cur, RAX, true);
}

/*
 * CMPXCHG16B wants rax, rdx, rbx, rcx and one register more for the address: a home is lent for the instruction. A fault must
 * find every home right, so the page is tried first, while they are.
 */
static void cmpxchg16(struct cg *c, struct x64_mem m)
{
	struct x64_mem save = cg_host_mem(X64_SPILL + 8 * 30);

	x64_lea(&c->b, 1, RAX, m);
	x64_b(&c->b, 0x44);		/* movaps xmm14, [rax]: traps when not aligned */
	x64_b(&c->b, 0x0f);
	x64_b(&c->b, 0x28);
	x64_b(&c->b, 0x30);
	x64_b(&c->b, 0xf0);
	x64_alu_mi(&c->b, X64_OR, 1, x64_m(RAX, 0), 0);
	x64_st(&c->b, 1, R15, save);
	x64_mov(&c->b, 1, R15, RAX);
	x64_ld(&c->b, 1, RAX, cg_host_mem(X64_SCRATCH + 16));
	x64_ld(&c->b, 1, RDX, cg_host_mem(X64_SCRATCH + 24));
	x64_ld(&c->b, 1, RBX, cg_host_mem(X64_SCRATCH + 32));
	x64_ld(&c->b, 1, RCX, cg_host_mem(X64_SCRATCH + 40));
	m = x64_m(R15, 0);
	x64_b(&c->b, 0xf0);
	x64_rm(&c->b, 0x0fc7, 1, 1, &m);
	x64_ld(&c->b, 1, R15, save);
	x64_st(&c->b, 1, RAX, cg_host_mem(X64_SCRATCH));
	x64_st(&c->b, 1, RDX, cg_host_mem(X64_SCRATCH + 8));
}

/* rax, rcx, rdx and rbx have been used without asking: what the current instruction loaded into them is gone. */
static void forget_temps(struct cg *c)
{
	for (u32 k = CG_TEMPS; k; k &= k - 1) {
		unsigned reg = __builtin_ctz(k);
		u16 id = c->gpr_val[reg];

		if (id != IR_NONE && c->val[id].reg == reg) {
			c->val[id].reg = X64_NOREG;
			c->full |= c->val[id].last > c->cur && c->val[id].mem == CG_NOWHERE &&
				   !cg_is_made(c, id);
		}
		c->gpr_val[reg] = IR_NONE;
	}
}

static void do_cas128(struct cg *c, const struct ir_inst *i)
{
	struct x64_mem m;
	unsigned d;

	cg_clobber_flags(c);
	x64_vec_store(&c->vx, 16, cg_vuse(c, i->b), cg_host_mem(X64_SCRATCH + 16));
	x64_vec_store(&c->vx, 16, cg_vuse(c, i->c), cg_host_mem(X64_SCRATCH + 32));
	cg_spill_temps(c);
	m = cg_addr(c, i);
	cmpxchg16(c, m);
	forget_temps(c);
	d = cg_vdest(c, c->cur, IR_NONE);
	x64_vec_load(&c->vx, 16, d, cg_host_mem(X64_SCRATCH));
	cg_vdef(c, c->cur, d, 16);
}

static void do_ldx128(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, d, t;
	struct x64_mem m;

	cg_clobber_flags(c);
	m = cg_addr(c, i);
	d = cg_vtemp(c);
	x64_vec_load(&c->vx, size, d, m);
	t = cg_temp(c);
	x64_lea(&c->b, 1, t, m);
	check_aligned(c, t, size);
	x64_st(&c->b, 1, t, cg_slot_mem(c, c->g->excl_addr_slot));
	/* excl_lo and excl_hi are neighbours */
	x64_vec_store(&c->vx, 16, d, cg_slot_mem(c, c->g->excl_lo_slot));
	cg_vdef(c, c->cur, d, size);
}

static void do_stx128(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, t;
	struct x64_mem m;
	u8 *lost;

	cg_clobber_flags(c);
	x64_vec_store(&c->vx, 16, cg_vuse(c, i->b), cg_host_mem(X64_SCRATCH + 32));
	cg_spill_temps(c);
	m = cg_addr(c, i);
	c->pinned |= 1u << RAX;
	t = m.base;
	if (m.index != X64_NOREG || m.disp) {
		x64_lea(&c->b, 1, RAX, m);
		t = RAX;
		m = x64_m(RAX, 0);
	}
	lost = check_monitor(c, t);
	if (size == 8) {
		unsigned v = t == RCX ? RDX : RCX;

		if (t == RAX) {
			x64_mov(&c->b, 1, RBX, RAX);
			m = x64_m(RBX, 0);
		}
		x64_ld(&c->b, 1, RAX, cg_slot_mem(c, c->g->excl_lo_slot));
		x64_ld(&c->b, 1, v, cg_host_mem(X64_SCRATCH + 32));
		sized_mr(c, true, 0x0fb0, 0x0fb1, 8, v, m);
	} else {
		struct x64_mem s = cg_slot_mem(c, c->g->excl_lo_slot);

		/* expected := what was loaded */
		if (t != RBX)
			x64_mov(&c->b, 1, RBX, t);
		m = x64_m(RBX, 0);
		x64_ld(&c->b, 1, RAX, s);
		x64_st(&c->b, 1, RAX, cg_host_mem(X64_SCRATCH + 16));
		s.disp += 8;
		x64_ld(&c->b, 1, RAX, s);
		x64_st(&c->b, 1, RAX, cg_host_mem(X64_SCRATCH + 24));
		cmpxchg16(c, m);
	}
	x64_patch8(&c->b, lost);
	forget_temps(c);
	x64_setcc(&c->b, X64_NE, RAX);
	x64_movzx8(&c->b, RAX, RAX);
	disarm(c);
	cg_def(c, c->cur, RAX, true);
}

void cg_mem(struct cg *c, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE, d, v;
	struct x64_mem m;

	switch (i->op) {
	case IR_LOAD: do_load(c, i); break;
	case IR_STORE: do_store(c, i); break;
	case IR_VLOAD:
		m = cg_addr(c, i);
		d = cg_vdest(c, c->cur, IR_NONE);
		x64_vec_load(&c->vx, size, d, m);
		cg_vdef(c, c->cur, d, size < 4 ? 4 : size);
		break;
	case IR_VSTORE:
		m = cg_addr(c, i);
		v = cg_vuse(c, i->b);
		x64_vec_store(&c->vx, size, v, m);
		break;
	case IR_VLOADL:
		m = cg_addr(c, i);
		v = cg_vuse(c, i->b);
		d = cg_vdest(c, c->cur, i->b);
		x64_vec_load_lane(&c->vx, size, i->cc, d, v, m);
		cg_vdef(c, c->cur, d, 16);
		break;
	case IR_VSTOREL:
		m = cg_addr(c, i);
		v = cg_vuse(c, i->b);
		x64_vec_store_lane(&c->vx, size, i->cc, v, m);
		break;
	case IR_FENCE:
		/* loads are not reordered with loads and later stores, nor stores with stores */
		if (i->aux == IR_FENCE_FULL)
			full_fence(c);
		break;
	case IR_RMW: do_rmw(c, i); break;
	case IR_CAS: do_cas(c, i); break;
	case IR_CAS128: do_cas128(c, i); break;
	case IR_LDX: do_ldx(c, i); break;
	case IR_LDX128: do_ldx128(c, i); break;
	case IR_STX: do_stx(c, i); break;
	case IR_STX128: do_stx128(c, i); break;
	case IR_CLREX: disarm(c); break;
	}
}
