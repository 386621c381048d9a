// SPDX-License-Identifier: MIT
/*
 * The A64 decoder: walks the generated decision tree to a few candidates, compares their fixed
 * bits, and lets the generated extraction check constraints and fill the fields.
 *
 * In: one instruction word. Out: struct a64_insn (see decode.h). No state, no failure.
 */
#include "guest/aarch64/decode.h"

/* Sign-extends the low n bits of v. */
static inline s64 sx(u64 v, unsigned int n)
{
	return (s64)(v << (64 - n)) >> (64 - n);
}

/* Index of the highest set bit; v is not zero. */
static inline unsigned int top_bit(u32 v)
{
	return 31 - (unsigned int)__builtin_clz(v);
}

/* Index of the lowest set bit of imm5: the element size of DUP, INS, UMOV, SMOV. 31 for none. */
static inline unsigned int low_bit(u32 v)
{
	return v ? (unsigned int)__builtin_ctz(v) : 31;
}

bool a64_bitmask_imm(unsigned int n, unsigned int imms, unsigned int immr, unsigned int width, u64 *out)
{
	unsigned int key = n << 6 | (~imms & 0x3f);
	unsigned int len, esize, ones, rot;
	u64 elem, mask;

	if (key < 2 || (n && width == 32))
		return false;
	len = top_bit(key);
	esize = 1u << len;
	ones = (imms & (esize - 1)) + 1;
	rot = immr & (esize - 1);
	if (ones == esize)
		return false;
	mask = esize == 64 ? ~0ull : (1ull << esize) - 1;
	elem = (1ull << ones) - 1;
	if (rot)
		elem = (elem >> rot | elem << (esize - rot)) & mask;
	for (; esize < width; esize *= 2)
		elem |= elem << esize;
	*out = elem;
	return true;
}

u64 a64_vfp_imm(unsigned int imm8, unsigned int size)
{
	u64 sign = imm8 >> 7, frac = imm8 & 0x3f, b6 = imm8 >> 6 & 1;

	if (size == 1)
		return sign << 15 | (b6 ? 0x3000 : 0x4000) | frac << 6;
	if (size == 2)
		return sign << 31 | (b6 ? 0x3e000000 : 0x40000000) | frac << 19;
	return sign << 63 | (b6 ? 0x3fc0ull << 48 : 0x4000ull << 48) | frac << 48;
}

/* Each bit of imm8 becomes a byte of ones or zeros. */
static u64 bits_to_bytes(unsigned int imm8)
{
	u64 v = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (imm8 >> i & 1)
			v |= 0xffull << (8 * i);
	return v;
}

u64 a64_simd_imm(unsigned int op, unsigned int cmode, unsigned int imm8)
{
	u64 v = imm8;

	if (cmode < 8) {
		v <<= 8 * (cmode >> 1);
	} else if (cmode < 12) {
		v <<= 8 * (cmode >> 1 & 1);
		v |= v << 16;
	} else if (cmode < 14) {
		v = cmode & 1 ? v << 16 | 0xffff : v << 8 | 0xff;
	} else if (cmode == 14) {
		return op ? bits_to_bytes(imm8) : v * 0x0101010101010101ull;
	} else {
		if (op)
			return a64_vfp_imm(imm8, 3);
		v = a64_vfp_imm(imm8, 2);
	}
	return v | v << 32;
}

#include "a64_decode.inc.c"

unsigned int a64_decode_enc(u32 word, struct a64_insn *out)
{
	u32 at = A64_TREE_ROOT;
	const u16 *leaf;

	do {
		u32 head = a64_tree[at];

		at = a64_tree[at + 1 + (word >> (head & 31) & ((1u << (head >> 8)) - 1))];
	} while (!(at & A64_TREE_LEAF));

	*out = (struct a64_insn){ .word = word };
	for (leaf = a64_leaves + (at & ~A64_TREE_LEAF); *leaf; leaf++) {
		if ((word & a64_enc_table[*leaf].mask) != a64_enc_table[*leaf].value)
			continue;
		if (a64_extract(word, a64_enc_table[*leaf].fmt, out)) {
			out->op = a64_enc_table[*leaf].op;
			return *leaf;
		}
	}
	return 0;
}

enum a64_op a64_decode(u32 word, struct a64_insn *out)
{
	a64_decode_enc(word, out);
	return (enum a64_op)out->op;
}

void a64_enc_bits(unsigned int enc, u32 *mask, u32 *value, enum a64_op *op)
{
	*mask = a64_enc_table[enc].mask;
	*value = a64_enc_table[enc].value;
	*op = (enum a64_op)a64_enc_table[enc].op;
}
