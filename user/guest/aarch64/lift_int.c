// SPDX-License-Identifier: MIT
/*
 * Lifts integer data processing: immediates, shifted and extended registers, conditional selection, bit fields,
 * multiplication, division, CRC32. In: decoded instructions; out: IR in the form that code generators like best, that is
 * aliases (MOV, LSL, UXTB, MUL, CSET ...) as the operation that they are.
 */
#include "guest/aarch64/lift.h"

static irv shift_const(struct a64_lift *l, enum ir_op op, enum ir_type t, irv a, unsigned n)
{
	return n ? ir_bin(l->r, op, t, a, ir_const(l->r, IR_I32, n)) : a;
}

/* The second operand of the shifted-register forms. */
static irv shifted_rm(struct a64_lift *l, const struct a64_insn *i)
{
	static const u8 op[4] = { IR_SHL, IR_SHR, IR_SAR, IR_ROR };
	enum ir_type t = a64_type(i);
	irv v = a64_x(l, t, i->rm);

	return i->rm == 31 ? v : shift_const(l, op[i->shift & 3], t, v, i->amount);
}

/* The second operand of the extended-register forms (ExtendReg). */
static irv extended_rm(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	unsigned bits = 8u << (i->option & 3);
	irv v;

	if (bits >= (i->sf ? 64u : 32u))
		v = a64_x(l, t, i->rm);
	else
		v = ir_op3(l->r, i->option & 4 ? IR_SEXT : IR_ZEXT, t, a64_x(l, IR_I32, i->rm), IR_NONE, IR_NONE,
			   bits, 0);
	return shift_const(l, IR_SHL, t, v, i->amount);
}

/* Set rd, where 31 is ZR. */
static enum guest_lift done(struct a64_lift *l, const struct a64_insn *i, irv v)
{
	a64_set_x(l, a64_type(i), i->rd, v);
	return GUEST_NEXT;
}

static enum guest_lift binary(struct a64_lift *l, const struct a64_insn *i, enum ir_op op)
{
	enum ir_type t = a64_type(i);
	irv a = a64_x(l, t, i->rn), b = a64_x(l, t, i->rm);

	return done(l, i, ir_bin(l->r, op, t, a, b));
}

static enum guest_lift unary(struct a64_lift *l, const struct a64_insn *i, enum ir_op op)
{
	enum ir_type t = a64_type(i);

	return done(l, i, ir_un(l->r, op, t, a64_x(l, t, i->rn)));
}

/* --- addresses and constants ------------------------------------------------------------------------------------- */

enum guest_lift a64_lift_adr(struct a64_lift *l, const struct a64_insn *i)
{
	a64_set_x(l, IR_I64, i->rd, ir_gaddr(l->r, l->pc + (u64)i->imm));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_adrp(struct a64_lift *l, const struct a64_insn *i)
{
	a64_set_x(l, IR_I64, i->rd, ir_gaddr(l->r, (l->pc & ~0xfffull) + (u64)i->imm));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_mov_i(struct a64_lift *l, const struct a64_insn *i)
{
	return done(l, i, ir_const(l->r, a64_type(i), (u64)i->imm));
}

enum guest_lift a64_lift_movk(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv old = a64_x(l, t, i->rd);

	return done(l, i, ir_op3(l->r, IR_BFI, t, old, ir_const(l->r, t, (u64)i->imm), IR_NONE, i->amount, 16));
}

/* --- addition, subtraction ----------------------------------------------------------------------------------------- */

/*
 * rd := a + b or a - b with flags. Result and flags stand side by side, before either is written, so that one host
 * instruction can make both.
 */
static enum guest_lift addsub_flags(struct a64_lift *l, const struct a64_insn *i, bool sub, irv a, irv b)
{
	enum ir_type t = a64_type(i);
	irv v = IR_NONE;

	if (i->rd != 31)
		v = ir_bin(l->r, sub ? IR_SUB : IR_ADD, t, a, b);
	a64_set_flags(l, ir_bin(l->r, sub ? IR_FL_SUB : IR_FL_ADD, t, a, b));
	if (i->rd != 31)
		ir_set(l->r, t, A64_SLOT_X0 + i->rd, v);
	return GUEST_NEXT;
}

/* Immediate forms: rn is SP, and so is rd unless flags are set. */
static enum guest_lift addsub_imm(struct a64_lift *l, const struct a64_insn *i, bool sub)
{
	enum ir_type t = a64_type(i);
	irv a = a64_xsp(l, t, i->rn);

	if (i->s)
		return addsub_flags(l, i, sub, a, ir_const(l->r, t, (u64)i->imm));
	if (i->imm)
		a = ir_bini(l->r, sub ? IR_SUB : IR_ADD, t, a, (u64)i->imm);
	a64_set_xsp(l, t, i->rd, a);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_add_i(struct a64_lift *l, const struct a64_insn *i)
{
	return addsub_imm(l, i, false);
}

enum guest_lift a64_lift_sub_i(struct a64_lift *l, const struct a64_insn *i)
{
	return addsub_imm(l, i, true);
}

enum guest_lift a64_lift_add_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a, b;

	if (i->s) {
		a = a64_x(l, t, i->rn);
		return addsub_flags(l, i, false, a, shifted_rm(l, i));
	}
	if (i->rn == 31)
		return done(l, i, shifted_rm(l, i));
	a = a64_x(l, t, i->rn);
	b = shifted_rm(l, i);
	return done(l, i, ir_bin(l->r, IR_ADD, t, a, b));
}

enum guest_lift a64_lift_sub_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a, b;

	if (i->s) {
		a = a64_x(l, t, i->rn);
		return addsub_flags(l, i, true, a, shifted_rm(l, i));
	}
	if (i->rn == 31)
		return done(l, i, ir_un(l->r, IR_NEG, t, shifted_rm(l, i)));
	a = a64_x(l, t, i->rn);
	b = shifted_rm(l, i);
	return done(l, i, ir_bin(l->r, IR_SUB, t, a, b));
}

static enum guest_lift addsub_ext(struct a64_lift *l, const struct a64_insn *i, bool sub)
{
	enum ir_type t = a64_type(i);
	irv a = a64_xsp(l, t, i->rn), b = extended_rm(l, i);

	if (i->s)
		return addsub_flags(l, i, sub, a, b);
	a64_set_xsp(l, t, i->rd, ir_bin(l->r, sub ? IR_SUB : IR_ADD, t, a, b));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_add_x(struct a64_lift *l, const struct a64_insn *i)
{
	return addsub_ext(l, i, false);
}

enum guest_lift a64_lift_sub_x(struct a64_lift *l, const struct a64_insn *i)
{
	return addsub_ext(l, i, true);
}

static enum guest_lift carry(struct a64_lift *l, const struct a64_insn *i, enum ir_op op, enum ir_op fl)
{
	enum ir_type t = a64_type(i);
	irv a = a64_x(l, t, i->rn), b = a64_x(l, t, i->rm), f = a64_flags(l), v = IR_NONE;

	if (i->rd != 31)
		v = ir_op3(l->r, op, t, a, b, f, 0, 0);
	if (i->s)
		a64_set_flags(l, ir_op3(l->r, fl, t, a, b, f, 0, 0));
	if (i->rd != 31)
		ir_set(l->r, t, A64_SLOT_X0 + i->rd, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_adc(struct a64_lift *l, const struct a64_insn *i)
{
	return carry(l, i, IR_ADC, IR_FL_ADC);
}

enum guest_lift a64_lift_sbc(struct a64_lift *l, const struct a64_insn *i)
{
	return carry(l, i, IR_SBC, IR_FL_SBC);
}

/* --- logic ------------------------------------------------------------------------------------------------------------ */

enum guest_lift a64_lift_and_i(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv v = ir_bini(l->r, IR_AND, t, a64_x(l, t, i->rn), (u64)i->imm);

	if (i->s) {
		a64_set_flags(l, ir_un(l->r, IR_FL_LOGIC, t, v));
		return done(l, i, v);
	}
	a64_set_xsp(l, t, i->rd, v);
	return GUEST_NEXT;
}

static enum guest_lift logic_imm(struct a64_lift *l, const struct a64_insn *i, enum ir_op op)
{
	enum ir_type t = a64_type(i);
	irv v;

	if (i->rn == 31)			/* MOV (bitmask immediate) */
		v = ir_const(l->r, t, (u64)i->imm);
	else
		v = ir_bini(l->r, op, t, a64_x(l, t, i->rn), (u64)i->imm);
	a64_set_xsp(l, t, i->rd, v);
	return GUEST_NEXT;
}

enum guest_lift a64_lift_orr_i(struct a64_lift *l, const struct a64_insn *i)
{
	return logic_imm(l, i, IR_OR);
}

enum guest_lift a64_lift_eor_i(struct a64_lift *l, const struct a64_insn *i)
{
	return logic_imm(l, i, IR_XOR);
}

enum guest_lift a64_lift_and_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv v = a64_x(l, t, i->rn);

	if (i->rn != i->rm || i->amount || i->inv)
		v = ir_bin(l->r, i->inv ? IR_BIC : IR_AND, t, v, shifted_rm(l, i));
	if (i->s)
		a64_set_flags(l, ir_un(l->r, IR_FL_LOGIC, t, v));
	return done(l, i, v);
}

enum guest_lift a64_lift_orr_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a = IR_NONE, v;

	if (i->rn != 31)
		a = a64_x(l, t, i->rn);
	v = shifted_rm(l, i);
	if (i->inv)
		v = ir_un(l->r, IR_NOT, t, v);
	return done(l, i, i->rn == 31 ? v : ir_bin(l->r, IR_OR, t, a, v));
}

enum guest_lift a64_lift_eor_r(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a = a64_x(l, t, i->rn), v = ir_bin(l->r, IR_XOR, t, a, shifted_rm(l, i));

	return done(l, i, i->inv ? ir_un(l->r, IR_NOT, t, v) : v);
}

/* --- bit fields ---------------------------------------------------------------------------------------------------------- */

/* The low n bits of rn, extended to the type. */
static irv low_bits(struct a64_lift *l, const struct a64_insn *i, bool sign, unsigned n)
{
	enum ir_type t = a64_type(i);
	irv a;

	if (n == 8 || n == 16 || n == 32) {
		a = a64_x(l, IR_I32, i->rn);
		return !i->sf && n == 32 ? a : ir_op3(l->r, sign ? IR_SEXT : IR_ZEXT, t, a, IR_NONE, IR_NONE, n, 0);
	}
	a = a64_x(l, t, i->rn);
	if (!sign && n < 32)
		return ir_bini(l->r, IR_AND, t, a, BIT(n) - 1);
	return ir_op3(l->r, sign ? IR_SBFX : IR_UBFX, t, a, IR_NONE, IR_NONE, 0, n);
}

/* SBFM and UBFM, by their aliases (C6.2.273, C6.2.398). */
static enum guest_lift bitfield(struct a64_lift *l, const struct a64_insn *i, bool sign)
{
	enum ir_type t = a64_type(i);
	unsigned width = i->sf ? 64 : 32, r = i->immr, s = i->imms;
	irv v;

	if (s == width - 1)			/* ASR, LSR */
		v = shift_const(l, sign ? IR_SAR : IR_SHR, t, a64_x(l, t, i->rn), r);
	else if (!sign && s + 1 == r)		/* LSL */
		v = shift_const(l, IR_SHL, t, a64_x(l, t, i->rn), width - r);
	else if (s < r)				/* xBFIZ */
		v = shift_const(l, IR_SHL, t, low_bits(l, i, sign, s + 1), width - r);
	else if (r == 0)			/* xXTB, xXTH, xXTW and the like */
		v = low_bits(l, i, sign, s + 1);
	else					/* xBFX */
		v = ir_op3(l->r, sign ? IR_SBFX : IR_UBFX, t, a64_x(l, t, i->rn), IR_NONE, IR_NONE, r, s - r + 1);
	return done(l, i, v);
}

enum guest_lift a64_lift_sbfm(struct a64_lift *l, const struct a64_insn *i)
{
	return bitfield(l, i, true);
}

enum guest_lift a64_lift_ubfm(struct a64_lift *l, const struct a64_insn *i)
{
	return bitfield(l, i, false);
}

enum guest_lift a64_lift_bfm(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	unsigned width = i->sf ? 64 : 32, r = i->immr, s = i->imms, n, lsb;
	irv old = a64_x(l, t, i->rd), v = a64_x(l, t, i->rn);

	if (s >= r) {				/* BFXIL */
		v = shift_const(l, IR_SHR, t, v, r);
		n = s - r + 1;
		lsb = 0;
	} else {				/* BFI */
		n = s + 1;
		lsb = width - r;
	}
	if (n < width)
		v = ir_op3(l->r, IR_BFI, t, old, v, IR_NONE, lsb, n);
	return done(l, i, v);
}

enum guest_lift a64_lift_extr(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a, b;

	if (i->rn == i->rm || !i->amount)
		return done(l, i, shift_const(l, IR_ROR, t, a64_x(l, t, i->rm), i->amount));
	a = a64_x(l, t, i->rn);
	b = a64_x(l, t, i->rm);
	return done(l, i, ir_op3(l->r, IR_EXTR, t, a, b, IR_NONE, 0, i->amount));
}

/* --- flags as data ---------------------------------------------------------------------------------------------------------- */

/* Flags from bits 31..28 of x, the others from NZCV as it is; mask says which (N is bit 3). */
static enum guest_lift merge_flags(struct a64_lift *l, irv x, unsigned mask)
{
	u64 m = (u64)mask << 28;
	irv old;

	if (!mask)
		return GUEST_NEXT;
	if (mask != 15) {
		old = ir_un(l->r, IR_FL_TO, IR_I64, a64_flags(l));
		old = ir_bini(l->r, IR_AND, IR_I64, old, 0xf0000000u & ~m);
		x = ir_bin(l->r, IR_OR, IR_I64, ir_bini(l->r, IR_AND, IR_I64, x, m), old);
	}
	a64_set_flags(l, ir_un(l->r, IR_FL_FROM, IR_I64, x));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_rmif(struct a64_lift *l, const struct a64_insn *i)
{
	/* Bits 3..0 of rn rotated right, moved to 31..28: one rotation. */
	unsigned ror = (i->amount + 64 - 28) & 63;

	return merge_flags(l, shift_const(l, IR_ROR, IR_I64, a64_x(l, IR_I64, i->rn), ror), i->index);
}

enum guest_lift a64_lift_setf(struct a64_lift *l, const struct a64_insn *i)
{
	unsigned up = i->size ? 16 : 24;
	irv a = a64_x(l, IR_I32, i->rn);
	irv top = shift_const(l, IR_SHL, IR_I32, a, up);	/* the sign is bit 31 */
	irv above = shift_const(l, IR_SHL, IR_I32, a, up - 1);	/* the bit above the sign is bit 31 */
	irv v, z;

	z = ir_cc(l->r, IR_CSET, IR_I32, IR_EQ, ir_un(l->r, IR_FL_LOGIC, IR_I32, top), IR_NONE, IR_NONE, 0);
	z = shift_const(l, IR_SHL, IR_I32, z, 30);
	v = ir_bin(l->r, IR_XOR, IR_I32, top, above);
	v = ir_bini(l->r, IR_AND, IR_I32, shift_const(l, IR_SHR, IR_I32, v, 3), BIT(28));
	top = ir_bini(l->r, IR_AND, IR_I32, top, BIT(31));
	v = ir_bin(l->r, IR_OR, IR_I32, ir_bin(l->r, IR_OR, IR_I32, top, z), v);
	return merge_flags(l, ir_op3(l->r, IR_ZEXT, IR_I64, v, IR_NONE, IR_NONE, 32, 0), 0xd);
}

enum guest_lift a64_lift_cfinv(struct a64_lift *l, const struct a64_insn *i)
{
	irv f = ir_un(l->r, IR_FL_TO, IR_I64, a64_flags(l));

	(void)i;
	a64_set_flags(l, ir_un(l->r, IR_FL_FROM, IR_I64, ir_bini(l->r, IR_XOR, IR_I64, f, BIT(29))));
	return GUEST_NEXT;
}

/* --- conditions -------------------------------------------------------------------------------------------------------------- */

static enum guest_lift ccmp(struct a64_lift *l, const struct a64_insn *i, enum ir_op fl, bool imm)
{
	enum ir_type t = a64_type(i);
	irv a = a64_x(l, t, i->rn);
	irv b = imm ? ir_const(l->r, t, (u64)i->imm) : a64_x(l, t, i->rm);
	irv old, f;

	if (i->cond >= IR_AL) {
		a64_set_flags(l, ir_bin(l->r, fl, t, a, b));
		return GUEST_NEXT;
	}
	old = a64_flags(l);
	f = ir_bin(l->r, fl, t, a, b);
	a64_set_flags(l, ir_cc(l->r, IR_FL_CCMP, IR_F, i->cond, old, f, IR_NONE, i->nzcv));
	return GUEST_NEXT;
}

enum guest_lift a64_lift_ccmn_r(struct a64_lift *l, const struct a64_insn *i)
{
	return ccmp(l, i, IR_FL_ADD, false);
}

enum guest_lift a64_lift_ccmp_r(struct a64_lift *l, const struct a64_insn *i)
{
	return ccmp(l, i, IR_FL_SUB, false);
}

enum guest_lift a64_lift_ccmn_i(struct a64_lift *l, const struct a64_insn *i)
{
	return ccmp(l, i, IR_FL_ADD, true);
}

enum guest_lift a64_lift_ccmp_i(struct a64_lift *l, const struct a64_insn *i)
{
	return ccmp(l, i, IR_FL_SUB, true);
}

/* rd := cond ? rn : op(rm). Conditions 14 and 15 always hold, so they have no inverse: they are plain moves. */
static enum guest_lift csel(struct a64_lift *l, const struct a64_insn *i, enum ir_op op)
{
	enum ir_type t = a64_type(i);
	irv a, b, f;

	if (i->cond >= IR_AL)
		return done(l, i, a64_x(l, t, i->rn));
	if (i->rn == 31 && i->rm == 31 && (op == IR_ADD || op == IR_NOT)) {	/* CSET, CSETM */
		a = ir_cc(l->r, IR_CSET, t, i->cond ^ 1, a64_flags(l), IR_NONE, IR_NONE, 0);
		return done(l, i, op == IR_ADD ? a : ir_un(l->r, IR_NEG, t, a));
	}
	a = a64_x(l, t, i->rn);
	b = i->rm == i->rn ? a : a64_x(l, t, i->rm);
	if (op == IR_ADD)
		b = i->rm == 31 ? ir_const(l->r, t, 1) : ir_bini(l->r, IR_ADD, t, b, 1);
	else if (op == IR_NOT)
		b = i->rm == 31 ? ir_const(l->r, t, ~0ull) : ir_un(l->r, IR_NOT, t, b);
	else if (op == IR_NEG && i->rm != 31)
		b = ir_un(l->r, IR_NEG, t, b);
	f = a64_flags(l);
	return done(l, i, ir_cc(l->r, IR_SELECT, t, i->cond, f, a, b, 0));
}

enum guest_lift a64_lift_csel(struct a64_lift *l, const struct a64_insn *i)
{
	return csel(l, i, IR_NOP);
}

enum guest_lift a64_lift_csinc(struct a64_lift *l, const struct a64_insn *i)
{
	return csel(l, i, IR_ADD);
}

enum guest_lift a64_lift_csinv(struct a64_lift *l, const struct a64_insn *i)
{
	return csel(l, i, IR_NOT);
}

enum guest_lift a64_lift_csneg(struct a64_lift *l, const struct a64_insn *i)
{
	return csel(l, i, IR_NEG);
}

/* --- one and two sources -------------------------------------------------------------------------------------------------------- */

enum guest_lift a64_lift_rbit(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, IR_RBIT);
}

enum guest_lift a64_lift_rev16(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, IR_REV16);
}

enum guest_lift a64_lift_rev32(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, i->sf ? IR_REV32 : IR_BSWAP);
}

enum guest_lift a64_lift_rev64(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, IR_BSWAP);
}

enum guest_lift a64_lift_clz(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, IR_CLZ);
}

enum guest_lift a64_lift_cls(struct a64_lift *l, const struct a64_insn *i)
{
	return unary(l, i, IR_CLS);
}

enum guest_lift a64_lift_udiv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_UDIV);
}

enum guest_lift a64_lift_sdiv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_SDIV);
}

enum guest_lift a64_lift_lslv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_SHL);
}

enum guest_lift a64_lift_lsrv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_SHR);
}

enum guest_lift a64_lift_asrv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_SAR);
}

enum guest_lift a64_lift_rorv(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_ROR);
}

enum guest_lift a64_lift_crc32(struct a64_lift *l, const struct a64_insn *i)
{
	irv acc = a64_x(l, IR_I32, i->rn), data = a64_x(l, i->size == 3 ? IR_I64 : IR_I32, i->rm);

	a64_set_x(l, IR_I32, i->rd, ir_op3(l->r, IR_CRC32, IR_I32, acc, data, IR_NONE, i->opc, 1 << i->size));
	return GUEST_NEXT;
}

/* --- multiplication --------------------------------------------------------------------------------------------------------------- */

static enum guest_lift accumulate(struct a64_lift *l, const struct a64_insn *i, irv product, bool sub)
{
	enum ir_type t = a64_type(i);

	if (i->ra != 31)
		product = ir_bin(l->r, sub ? IR_SUB : IR_ADD, t, a64_x(l, t, i->ra), product);
	else if (sub)
		product = ir_un(l->r, IR_NEG, t, product);
	return done(l, i, product);
}

static irv product(struct a64_lift *l, const struct a64_insn *i)
{
	enum ir_type t = a64_type(i);
	irv a = a64_x(l, t, i->rn);

	return ir_bin(l->r, IR_MUL, t, a, a64_x(l, t, i->rm));
}

/* 32 x 32 -> 64 */
static irv long_product(struct a64_lift *l, const struct a64_insn *i, enum ir_op ext)
{
	irv a = ir_op3(l->r, ext, IR_I64, a64_x(l, IR_I32, i->rn), IR_NONE, IR_NONE, 32, 0);
	irv b = ir_op3(l->r, ext, IR_I64, a64_x(l, IR_I32, i->rm), IR_NONE, IR_NONE, 32, 0);

	return ir_bin(l->r, IR_MUL, IR_I64, a, b);
}

enum guest_lift a64_lift_madd(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, product(l, i), false);
}

enum guest_lift a64_lift_msub(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, product(l, i), true);
}

enum guest_lift a64_lift_smaddl(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, long_product(l, i, IR_SEXT), false);
}

enum guest_lift a64_lift_smsubl(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, long_product(l, i, IR_SEXT), true);
}

enum guest_lift a64_lift_umaddl(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, long_product(l, i, IR_ZEXT), false);
}

enum guest_lift a64_lift_umsubl(struct a64_lift *l, const struct a64_insn *i)
{
	return accumulate(l, i, long_product(l, i, IR_ZEXT), true);
}

enum guest_lift a64_lift_smulh(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_SMULH);
}

enum guest_lift a64_lift_umulh(struct a64_lift *l, const struct a64_insn *i)
{
	return binary(l, i, IR_UMULH);
}
