// SPDX-License-Identifier: MIT
/*
 * Loads and stores of SIMD and FP registers: single registers, pairs, structures (LD1..LD4, ST1..ST4), lanes, and
 * load-and-replicate.
 *
 * In: a decoded instruction. Out: IR. Registers are set, and the base written back, after the last access: a fault
 * leaves the state as it was before the instruction. Memory is read in whole vectors and (de)interleaved in registers.
 */
#include "guest/aarch64/lift_simd.h"

enum guest_lift a64_lift_ldrv_i(struct a64_lift *l, const struct a64_insn *in)
{
	irv base = a64_base(l, in);

	a64_set_v(l, in->rt, a64_vload(l, base, a64_disp(in), 1u << in->size));
	a64_writeback(l, in, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_strv_i(struct a64_lift *l, const struct a64_insn *in)
{
	irv base = a64_base(l, in);

	a64_vstore(l, base, a64_disp(in), a64_v(l, in->rt), 1u << in->size);
	a64_writeback(l, in, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldrv_r(struct a64_lift *l, const struct a64_insn *in)
{
	irv addr = a64_addr_reg(l, in);

	a64_set_v(l, in->rt, a64_vload(l, addr, 0, 1u << in->size));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_strv_r(struct a64_lift *l, const struct a64_insn *in)
{
	irv addr = a64_addr_reg(l, in);

	a64_vstore(l, addr, 0, a64_v(l, in->rt), 1u << in->size);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldrv_lit(struct a64_lift *l, const struct a64_insn *in)
{
	irv addr = ir_gaddr(l->r, l->pc + (u64)in->imm);

	a64_set_v(l, in->rt, a64_vload(l, addr, 0, 1u << in->size));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ldpv(struct a64_lift *l, const struct a64_insn *in)
{
	unsigned int bytes = 1u << in->size;
	irv base = a64_base(l, in);
	irv v = a64_vload(l, base, a64_disp(in), bytes);
	irv v2 = a64_vload(l, base, a64_disp(in) + bytes, bytes);

	a64_set_v(l, in->rt, v);
	a64_set_v(l, in->rt2, v2);
	a64_writeback(l, in, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stpv(struct a64_lift *l, const struct a64_insn *in)
{
	unsigned int bytes = 1u << in->size;
	irv base = a64_base(l, in);
	irv v = a64_v(l, in->rt), v2 = a64_v(l, in->rt2);

	a64_vstore(l, base, a64_disp(in), v, bytes);
	a64_vstore(l, base, a64_disp(in) + bytes, v2, bytes);
	a64_writeback(l, in, base);
	return GUEST_NEXT;
}

/* --- structures ---------------------------------------------------------------------------------- */

/* Post-index of the structure instructions: by register rm, or by imm when that is 31. */
static inline void post_index(struct a64_lift *l, const struct a64_insn *in, irv base)
{
	if (!in->wb)
		return;
	if (in->rm == 31)
		base = ir_bini(l->r, IR_ADD, IR_I64, base, (u64)in->imm);
	else
		base = ir_bin(l->r, IR_ADD, IR_I64, base, ir_get(l->r, IR_I64, A64_SLOT_X0 + in->rm));
	a64_set_xsp(l, IR_I64, in->rn, base);
}

static inline void set_list(struct a64_lift *l, const struct a64_insn *in, const irv *v)
{
	for (unsigned int k = 0; k < in->nreg; k++)
		a64_set_v(l, (in->rt + k) & 31, v[k]);
}

static inline void get_list(struct a64_lift *l, const struct a64_insn *in, irv *v)
{
	for (unsigned int k = 0; k < in->nreg; k++)
		v[k] = a64_v(l, (in->rt + k) & 31);
}

static inline irv permute(struct a64_lift *l, unsigned int op, unsigned int esz, enum ir_width w, irv a, irv b)
{
	return a64_vop2(l, op, esz, w, a, b, 0);
}

/*
 * Byte indices for table lookups that bring every third element together (LD3), or take them apart (ST3).
 */
struct three_map {
	u8 idx[16];
};

/* Deinterleaving: register k of the structure takes elements k, k + 3, ... of memory. */
static struct three_map map_load(unsigned int esz, unsigned int k)
{
	struct three_map m;

	for (unsigned int i = 0; i < 16; i++)
		m.idx[i] = (((i >> esz) * 3 + k) << esz) + (i & ((1u << esz) - 1));
	return m;
}

/* Interleaving: memory byte pos comes from register (element % 3), lane (element / 3); registers have `reg` bytes. */
static struct three_map map_store(unsigned int esz, unsigned int pos, unsigned int reg)
{
	struct three_map m;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int e = (pos + i) >> esz;

		m.idx[i] = e % 3 * reg + (e / 3 << esz) + (i & ((1u << esz) - 1));
	}
	return m;
}

static irv map_const(struct a64_lift *l, const struct three_map *m)
{
	u64 half[2];

	__builtin_memcpy(half, m->idx, 16);
	return ir_vconst(l->r, half[0], half[1]);
}

/* Looks up a map in n tables of 16 bytes. */
static irv lookup(struct a64_lift *l, const struct three_map *m, enum ir_width w, const irv *table, unsigned int n)
{
	irv idx = map_const(l, m);
	irv v = a64_vop2(l, IR_VTBL, IR_B, w, table[0], idx, 0);

	for (unsigned int k = 1; k < n; k++)
		v = ir_vop(l->r, IR_VTBX, IR_B, w, table[k], idx, v, 16 * k);
	return v;
}

/* Three registers of two elements: lanes a0 a1 b0 b1 c0 c1 of memory become a0 b1, a1 c0, b0 c1. */
static void unzip3_d(struct a64_lift *l, irv *v)
{
	irv a = v[0], b = v[1], c = v[2];

	v[0] = a64_vop2(l, IR_VINSL, IR_D, IR_W128, a, b, 1 | 1 << 4);
	v[1] = a64_vop2(l, IR_VEXT, IR_B, IR_W128, a, c, 8);
	v[2] = a64_vop2(l, IR_VINSL, IR_D, IR_W128, b, c, 1 | 1 << 4);
}

/* The inverse: registers p0 p1, q0 q1, r0 r1 become p0 q0, r0 p1, q1 r1. */
static void zip3_d(struct a64_lift *l, irv *v)
{
	irv p = v[0], q = v[1], r = v[2];

	v[0] = permute(l, IR_VZIP1, IR_D, IR_W128, p, q);
	v[1] = a64_vop2(l, IR_VINSL, IR_D, IR_W128, r, p, 1 | 1 << 4);
	v[2] = permute(l, IR_VZIP2, IR_D, IR_W128, q, r);
}

static void load3(struct a64_lift *l, const struct a64_insn *in, irv base, irv *v)
{
	unsigned int n = in->q ? 3 : 2;
	irv mem[3];

	mem[0] = a64_vload(l, base, 0, 16);
	mem[1] = a64_vload(l, base, 16, in->q ? 16 : 8);
	if (in->q)
		mem[2] = a64_vload(l, base, 32, 16);
	if (in->size == IR_D) {
		__builtin_memcpy(v, mem, sizeof(mem));
		unzip3_d(l, v);
		return;
	}
	for (unsigned int k = 0; k < 3; k++) {
		struct three_map m = map_load(in->size, k);

		v[k] = lookup(l, &m, a64_width(in), mem, n);
	}
}

static void store3(struct a64_lift *l, const struct a64_insn *in, irv base, irv *v)
{
	unsigned int total = in->q ? 48 : 24;
	irv table[3] = { v[0], v[1], v[2] };

	if (in->size == IR_D) {
		zip3_d(l, table);
	} else {
		irv out[3] = { IR_NONE, IR_NONE, IR_NONE };

		if (!in->q) {			/* three halves in two tables */
			table[0] = permute(l, IR_VZIP1, IR_D, IR_W128, v[0], v[1]);
			table[1] = v[2];
		}
		for (unsigned int pos = 0; pos < total; pos += 16) {
			struct three_map m = map_store(in->size, pos, in->q ? 16 : 8);

			out[pos / 16] = lookup(l, &m, pos + 16 > total ? IR_W64 : IR_W128, table, in->q ? 3 : 2);
		}
		__builtin_memcpy(table, out, sizeof(out));
	}
	for (unsigned int pos = 0; pos < total; pos += 16)
		a64_vstore(l, base, pos, table[pos / 16], pos + 16 > total ? 8 : 16);
}

/* Memory order to register order, for two and four registers: even and odd elements are separated, twice for four. */
static void unzip24(struct a64_lift *l, const struct a64_insn *in, irv *v)
{
	enum ir_width w = a64_width(in);
	unsigned int esz = in->size;
	irv e0 = permute(l, IR_VUZP1, esz, w, v[0], v[1]), o0 = permute(l, IR_VUZP2, esz, w, v[0], v[1]);
	irv e1, o1;

	if (in->selem == 2) {
		v[0] = e0;
		v[1] = o0;
		return;
	}
	e1 = permute(l, IR_VUZP1, esz, w, v[2], v[3]);
	o1 = permute(l, IR_VUZP2, esz, w, v[2], v[3]);
	v[0] = permute(l, IR_VUZP1, esz, w, e0, e1);
	v[1] = permute(l, IR_VUZP1, esz, w, o0, o1);
	v[2] = permute(l, IR_VUZP2, esz, w, e0, e1);
	v[3] = permute(l, IR_VUZP2, esz, w, o0, o1);
}

/* The inverse. 64-bit registers have all of their elements in ZIP1's result of full width: half as many vectors. */
static void zip24(struct a64_lift *l, const struct a64_insn *in, irv *v)
{
	unsigned int esz = in->size;
	irv a = v[0], b = v[1], lo, hi;

	if (in->selem == 2) {
		v[0] = permute(l, IR_VZIP1, esz, IR_W128, a, b);
		if (in->q)
			v[1] = permute(l, IR_VZIP2, esz, IR_W128, a, b);
		return;
	}
	lo = permute(l, IR_VZIP1, esz, IR_W128, a, v[2]);
	hi = permute(l, IR_VZIP1, esz, IR_W128, b, v[3]);
	if (in->q) {
		irv lo2 = permute(l, IR_VZIP2, esz, IR_W128, a, v[2]);
		irv hi2 = permute(l, IR_VZIP2, esz, IR_W128, b, v[3]);

		v[2] = permute(l, IR_VZIP1, esz, IR_W128, lo2, hi2);
		v[3] = permute(l, IR_VZIP2, esz, IR_W128, lo2, hi2);
	}
	v[0] = permute(l, IR_VZIP1, esz, IR_W128, lo, hi);
	v[1] = permute(l, IR_VZIP2, esz, IR_W128, lo, hi);
}

/* LD1 .. LD4, multiple structures. */
enum guest_lift a64_lift_ldn_m(struct a64_lift *l, const struct a64_insn *in)
{
	unsigned int bytes = in->q ? 16 : 8;
	irv base = a64_base(l, in);
	irv v[4];

	if (in->selem == 3) {
		load3(l, in, base, v);
	} else {
		for (unsigned int k = 0; k < in->nreg; k++)
			v[k] = a64_vload(l, base, k * bytes, bytes);
		if (in->selem != 1)
			unzip24(l, in, v);
	}
	set_list(l, in, v);
	post_index(l, in, base);
	return GUEST_NEXT;
}

/* ST1 .. ST4, multiple structures. */
enum guest_lift a64_lift_stn_m(struct a64_lift *l, const struct a64_insn *in)
{
	unsigned int bytes = in->q || in->selem != 1 ? 16 : 8;
	unsigned int total = in->nreg * (in->q ? 16 : 8);
	irv base = a64_base(l, in);
	irv v[4];

	get_list(l, in, v);
	if (in->selem == 3) {
		store3(l, in, base, v);
	} else {
		if (in->selem != 1)
			zip24(l, in, v);
		for (unsigned int k = 0; k * bytes < total; k++)
			a64_vstore(l, base, k * bytes, v[k], bytes);
	}
	post_index(l, in, base);
	return GUEST_NEXT;
}

/* LD1 .. LD4 of one lane: the rest of the registers stays. */
enum guest_lift a64_lift_ldn_l(struct a64_lift *l, const struct a64_insn *in)
{
	irv base = a64_base(l, in);
	irv v[4];

	get_list(l, in, v);
	for (unsigned int k = 0; k < in->nreg; k++) {
		v[k] = ir_op3(l->r, IR_VLOADL, IR_V, base, v[k], IR_NONE, 1u << in->size, k << in->size);
		l->r->inst[v[k]].cc = in->index;
	}
	set_list(l, in, v);
	post_index(l, in, base);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_stn_l(struct a64_lift *l, const struct a64_insn *in)
{
	irv base = a64_base(l, in);
	irv v[4], at;

	get_list(l, in, v);
	for (unsigned int k = 0; k < in->nreg; k++) {
		at = ir_op3(l->r, IR_VSTOREL, IR_VOID, base, v[k], IR_NONE, 1u << in->size, k << in->size);
		l->r->inst[at].cc = in->index;
	}
	post_index(l, in, base);
	return GUEST_NEXT;
}

/* LD1R .. LD4R. */
enum guest_lift a64_lift_ldn_r(struct a64_lift *l, const struct a64_insn *in)
{
	irv base = a64_base(l, in);
	irv v[4];

	for (unsigned int k = 0; k < in->nreg; k++)
		v[k] = a64_vload(l, base, k << in->size, 1u << in->size);
	for (unsigned int k = 0; k < in->nreg; k++)
		v[k] = a64_vop1(l, IR_VDUPL, in->size, a64_width(in), v[k], 0);
	set_list(l, in, v);
	post_index(l, in, base);
	return GUEST_NEXT;
}
