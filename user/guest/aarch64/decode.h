// SPDX-License-Identifier: MIT
/*
 * The A64 decoder: a 32-bit word in, an operation and its fields out.
 *
 * The table is insns.decode; gen_decode.py makes enum a64_op (a64_insns.h) and the decoder from it.
 * Whatever the table does not list, and every reserved combination of fields, is A64_OP_UNDEF: the
 * guest gets SIGILL. Included: Armv8.0 with FP and AdvSIMD, CRC32, AES, PMULL, SHA1, SHA2, LSE
 * atomics, LOR, RDM, FP16, DotProd, LRCPC, LRCPC2, FCMA, JSCVT, FlagM, SB and all of the hint space.
 * What EL0 may not execute at any time (HVC, SMC, ERET, MSR DAIFSet ...) is UNDEF too.
 *
 * Fields that the line of the table does not set are zero. Meanings, unless the line says otherwise:
 *
 *   rd rt     destination, or the transferred register      rn  first source or base
 *   rm rs     second source; offset; status or operand of an exclusive or atomic
 *   ra rt2    third source; second transferred register
 *   sf        1: X registers, 0: W registers (for loads: the width that rt is extended to)
 *   size      log2 of the bytes of a vector's element, an FP scalar, or a memory access.
 *             For widening, narrowing and long operations: the NARROW element's size.
 *   q         1: 128-bit vector (or upper half, for the "2" forms), 0: 64-bit
 *   scalar    1: scalar AdvSIMD form, one element of `size`
 *   opc       small selector, meaning stands in the table
 *   wb        loads and stores: 0 no write-back, 1 post-index, 3 pre-index
 *   s         sets flags (ADD_i, AND_r, ...); for loads: sign-extends to sf; RMIF: none
 *   inv       AND_r, ORR_r, EOR_r: second operand is inverted
 *   acq rel   the access has acquire, release semantics
 *   cond      condition, as encoded
 *   shift     kind of shift: 0 LSL, 1 LSR, 2 ASR, 3 ROR
 *   option    extend: 0 UXTB .. 3 UXTX, 4 SXTB .. 7 SXTX
 *   amount    distance of the shift or extend, in bits; vector shift distance (as a positive number)
 *   immr imms as encoded;  nzcv as encoded (N is bit 3);  rot: 0..3 times 90 degrees
 *   index     lane number
 *   nreg      registers in a SIMD structure list;  selem: elements in a structure (1..4)
 *   imm       the final immediate: expanded, scaled, sign-extended; byte offset for ADR, ADRP,
 *             branches, loads and stores; system register or operation number
 *   word      the instruction itself
 */
#ifndef A64_DECODE_H
#define A64_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/types.h"
#include "a64_insns.h"

struct a64_insn {
	u16 op;
	union { u8 rd; u8 rt; };
	u8 rn;
	union { u8 rm; u8 rs; };
	union { u8 ra; u8 rt2; };
	u8 sf;
	u8 size;
	u8 q;
	union { u8 opc; u8 wb; };
	u8 s;
	u8 cond;
	union { u8 shift; u8 option; u8 selem; };
	union { u8 amount; u8 immr; u8 nzcv; u8 rot; u8 nreg; };
	union { u8 index; u8 imms; };
	u8 scalar;
	u32 word;
	union { u8 inv; u8 acq; };
	union { u8 u; u8 rel; };
	u8 sh;
	u8 pad;
	s64 imm;
};

_Static_assert(sizeof(struct a64_insn) == 32, "half a cache line");

/* Fills *out whole, and returns out->op. Never fails: what is not allocated is A64_OP_UNDEF. */
enum a64_op a64_decode(u32 word, struct a64_insn *out);

/* As a64_decode, but returns the line of the table, 1 .. A64_ENC_COUNT - 1; 0 for UNDEF. */
unsigned int a64_decode_enc(u32 word, struct a64_insn *out);

/* The fixed bits of a line of the table; for tests and coverage reports. */
void a64_enc_bits(unsigned int enc, u32 *mask, u32 *value, enum a64_op *op);

/* DecodeBitMasks, immediate form; width is 32 or 64. False: reserved. *out is zero-extended. */
bool a64_bitmask_imm(unsigned int n, unsigned int imms, unsigned int immr, unsigned int width, u64 *out);

/* AdvSIMDExpandImm: 64 bits to replicate. op=1, cmode=15 is FMOV of doubles; o2=1: FP16 FMOV. */
u64 a64_simd_imm(unsigned int op, unsigned int cmode, unsigned int imm8);

/* VFPExpandImm; size is 1, 2 or 3 (log2 of the bytes). */
u64 a64_vfp_imm(unsigned int imm8, unsigned int size);

#endif
