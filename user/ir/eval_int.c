// SPDX-License-Identifier: MIT
/*
 * The evaluator's integer and flag operations: pure functions of their operands' values.
 */
#include "ir/eval_priv.h"

static u64 trunc_to(unsigned width, u64 v)
{
	return width == 32 ? (u32)v : v;
}

static u64 shift(unsigned op, unsigned width, u64 a, unsigned n)
{
	n &= width - 1;
	switch (op) {
	case IR_SHL: return a << n;
	case IR_SHR: return a >> n;
	case IR_SAR: return sext64(a, width) >> n;
	}
	return n ? a >> n | a << (width - n) : a;	/* ROR */
}

static u64 divide_signed(unsigned width, u64 a, u64 b)
{
	s64 x = sext64(a, width), y = sext64(b, width);

	if (!y)
		return 0;
	return y == -1 ? 0 - (u64)x : (u64)(x / y);
}

static u64 reverse_bits(unsigned width, u64 v)
{
	v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
	v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
	v = (v >> 4 & 0x0f0f0f0f0f0f0f0f) | (v & 0x0f0f0f0f0f0f0f0f) << 4;
	return __builtin_bswap64(v) >> (64 - width);
}

static u64 count_zeros(unsigned width, u64 v)
{
	return v ? (unsigned)__builtin_clzll(v) - (64 - width) : width;
}

/* Leading bits equal to the sign bit, that one not counted. */
static u64 count_signs(unsigned width, u64 v)
{
	s64 x = sext64(v, width);

	return count_zeros(width, trunc_to(width, x ^ x >> 1)) - 1;
}

/* Four steps of the reflected CRC, as a constant expression. */
#define CRC1(p, x) ((x) >> 1 ^ ((p) & (0u - ((x) & 1u))))
#define CRC2(p, x) CRC1(p, CRC1(p, x))
#define CRC4(p, x) CRC2(p, CRC2(p, (u32)(x)))
#define CRC_TABLE(p) { CRC4(p, 0), CRC4(p, 1), CRC4(p, 2), CRC4(p, 3), CRC4(p, 4), CRC4(p, 5), CRC4(p, 6), CRC4(p, 7), \
	CRC4(p, 8), CRC4(p, 9), CRC4(p, 10), CRC4(p, 11), CRC4(p, 12), CRC4(p, 13), CRC4(p, 14), CRC4(p, 15) }

static const u32 crc_table[2][16] = { CRC_TABLE(0xedb88320u), CRC_TABLE(0x82f63b78u) };

static u32 crc32(u32 acc, u64 data, unsigned bytes, bool castagnoli)
{
	const u32 *t = crc_table[castagnoli];

	for (; bytes; bytes--, data >>= 8) {
		acc ^= (u8)data;
		acc = acc >> 4 ^ t[acc & 15];
		acc = acc >> 4 ^ t[acc & 15];
	}
	return acc;
}

/* x + y + carry in width bits, and its flags. Subtraction is x + ~y + 1. */
static unsigned add_flags(unsigned width, u64 x, u64 y, unsigned carry)
{
	u64 r = trunc_to(width, x + y + carry);
	bool c = (u128)x + y + carry > ir_ones(width);
	bool v = (~(x ^ y) & (x ^ r)) >> (width - 1) & 1;

	return (r >> (width - 1) & 1) << 3 | (u64)!r << 2 | c << 1 | v;
}

static bool eval_flags(const struct ir_inst *i, unsigned w, u64 a, u64 b, u64 c, u64 *out)
{
	u64 nb = trunc_to(w, ~b);
	unsigned carry = c >> 1 & 1;

	switch (i->op) {
	case IR_FL_ADD: *out = add_flags(w, a, b, 0); break;
	case IR_FL_SUB: *out = add_flags(w, a, nb, 1); break;
	case IR_FL_ADC: *out = add_flags(w, a, b, carry); break;
	case IR_FL_SBC: *out = add_flags(w, a, nb, carry); break;
	case IR_FL_LOGIC: *out = (a >> (w - 1) & 1) << 3 | (u64)!a << 2; break;
	case IR_FL_CONST: *out = i->imm & 15; break;
	case IR_FL_CCMP: *out = ir_cc_holds(i->cc, a) ? b : (u64)i->imm & 15; break;
	case IR_FL_FROM: *out = a >> 28 & 15; break;
	case IR_FL_TO: *out = (a & 15) << 28; break;
	case IR_SELECT: *out = ir_cc_holds(i->cc, a) ? b : c; break;
	case IR_CSET: *out = ir_cc_holds(i->cc, a); break;
	default: return false;
	}
	return true;
}

static u64 bitfield(const struct ir_inst *i, u64 a, u64 b)
{
	unsigned lsb = i->aux, n = i->imm;
	u64 mask = ir_ones(n);

	if (i->op == IR_UBFX)
		return a >> lsb & mask;
	if (i->op == IR_SBFX)
		return sext64(a >> lsb, n);
	return (a & ~(mask << lsb)) | (b & mask) << lsb;	/* BFI */
}

static bool eval_bits(const struct ir_inst *i, unsigned w, u64 a, u64 b, u64 *out)
{
	switch (i->op) {
	case IR_EXTR: *out = i->imm ? b >> i->imm | a << (w - i->imm) : b; break;
	case IR_UBFX:
	case IR_SBFX:
	case IR_BFI: *out = bitfield(i, a, b); break;
	case IR_CLZ: *out = count_zeros(w, a); break;
	case IR_CLS: *out = count_signs(w, a); break;
	case IR_RBIT: *out = reverse_bits(w, a); break;
	case IR_BSWAP: *out = __builtin_bswap64(a) >> (64 - w); break;
	case IR_REV16: *out = (a >> 8 & 0x00ff00ff00ff00ff) | (a & 0x00ff00ff00ff00ff) << 8; break;
	case IR_REV32: *out = (u64)__builtin_bswap32(a >> 32) << 32 | __builtin_bswap32(a); break;
	case IR_CRC32: *out = crc32(a, b, i->imm, i->aux); break;
	case IR_SEXT: *out = sext64(a, i->aux); break;
	case IR_ZEXT: *out = a & ir_ones(i->aux); break;
	case IR_TRUNC: *out = (u32)a; break;
	default: return false;
	}
	return true;
}

static bool eval_arith(const struct ir_inst *i, unsigned w, u64 a, u64 b, u64 c, u64 *out)
{
	unsigned carry = c >> 1 & 1;

	switch (i->op) {
	case IR_CONST:
	case IR_GADDR: *out = i->imm; break;
	case IR_ADD: *out = a + b; break;
	case IR_SUB: *out = a - b; break;
	case IR_ADC: *out = a + b + carry; break;
	case IR_SBC: *out = a + ~b + carry; break;
	case IR_MUL: *out = a * b; break;
	case IR_UMULH: *out = (u128)a * b >> 64; break;
	case IR_SMULH: *out = (s128)(s64)a * (s64)b >> 64; break;
	case IR_UDIV: *out = b ? a / b : 0; break;
	case IR_SDIV: *out = divide_signed(w, a, b); break;
	case IR_AND: *out = a & b; break;
	case IR_OR: *out = a | b; break;
	case IR_XOR: *out = a ^ b; break;
	case IR_BIC: *out = a & ~b; break;
	case IR_NOT: *out = ~a; break;
	case IR_NEG: *out = 0 - a; break;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROR: *out = shift(i->op, w, a, b); break;
	default: return false;
	}
	return true;
}

bool ir_eval_int(const struct ir_inst *i, u64 a, u64 b, u64 c, u64 *out)
{
	char result = ir_op_info[i->op].result;
	unsigned operands = i->type == IR_I32 ? 32 : 64;	/* W and S operations say their widths themselves */
	u64 v;

	if (result == 'W')
		operands = 64;
	else if (result == 'S')
		operands = 32;
	if (!eval_arith(i, operands, a, b, c, &v) && !eval_bits(i, operands, a, b, &v) &&
	    !eval_flags(i, operands, a, b, c, &v))
		return false;
	*out = result == 'I' || result == 'S' ? trunc_to(operands, v) : v;
	return true;
}
