/* SPDX-License-Identifier: MIT */
/*
 * The differential test of single instructions: what its two sides share. test_diff (host) makes requests, diff_guest
 * executes them under an emulator and answers with the state afterwards; the host does the same by decode, lift and
 * evaluation, and compares. Both sides make a request's initial state from its seed by the code below.
 *
 * Stream: u32 count, count requests, the states of those that give one; back: count results.
 */
#ifndef SELFTESTS_DIFF_H
#define SELFTESTS_DIFF_H

#include <stdint.h>
#include <string.h>

#ifndef DIFF_CODE			/* (../insn has them elsewhere) */
#define DIFF_CODE 0x50000000ull		/* where the guest's stubs lie: DIFF_STUB bytes each */
#define DIFF_WIN_END (DIFF_CODE + 0x20000ull)
#endif
#define DIFF_STUB 16u
#define DIFF_BATCH 2048u
/* The window of memory that instructions may use; it ends where nothing is mapped. */
#define DIFF_PAGE 0x1000u
#define DIFF_WIN_SIZE 256u
#define DIFF_WIN (DIFF_WIN_END - DIFF_WIN_SIZE)
#define DIFF_NONE 0xff
#define DIFF_NREG 29			/* x0..x28 and SP are the instruction's; x29, x30 the harness's */

struct diff_req {
	uint32_t word[2];		/* two instructions; the second is mostly NOP */
	uint8_t base, index;		/* registers that get base_val, index_val; DIFF_NONE: none. 31: SP */
	uint8_t copy;			/* this register and the next get what memory has at base_val */
	uint8_t given;			/* 1: the initial state is not made of the seed: it follows the batch's requests */
	uint32_t fpcr;
	uint64_t seed, base_val, index_val;
};

struct diff_state {
	uint64_t x[32];			/* [29], [30] unused, [31] SP */
	uint64_t v[32][2];
	uint32_t nzcv, fpcr, fpsr, sig;	/* sig: of the result; 0 when the stub returned */
	uint8_t mem[DIFF_WIN_SIZE];
};

/* --- pseudo-random numbers and operands that are interesting ------------------------------------- */

static inline uint64_t diff_rand(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* An integer: random, small, or at an edge of some width. */
static inline uint64_t diff_int(uint64_t *s)
{
	uint64_t r = diff_rand(s), v = diff_rand(s);

	switch (r & 7) {
	case 0: return v;
	case 1: return v & 0xff;
	case 2: return 0 - (v & 0xff);
	case 3: return (1ull << (v & 63)) + (int64_t)(v >> 8 & 3) - 1;
	case 4: return (r & 8 ? 0x7fffffffull : 0x7fffffffffffffffull) + (v & 3);
	case 5: return v & 0xffffffff;
	case 6: return v >> (v & 63);
	}
	return v & 0x8080808080808080ull ? v : 0;
}

/* An FP number of `bits` (16, 32, 64) bits. */
static inline uint64_t diff_fp(uint64_t *s, unsigned bits)
{
	unsigned mb = bits == 16 ? 10 : bits == 32 ? 23 : 52, eb = bits - 1 - mb;
	uint64_t r = diff_rand(s), v = diff_rand(s);
	uint64_t sign = (r >> 8 & 1) << (bits - 1), emax = (1ull << eb) - 1, bias = emax >> 1;
	uint64_t frac = v & ((1ull << mb) - 1), one = 1;
	uint64_t exp;

	switch (r & 15) {
	case 0: return sign;						/* zero */
	case 1: return sign | emax << mb;				/* infinity */
	case 2: return sign | emax << mb | one << (mb - 1) | (r & 32 ? frac : 0);	/* quiet NaN */
	case 3: return sign | emax << mb | (frac & ~(one << (mb - 1))) | 1;	/* signalling NaN */
	case 4: return sign | (r & 32 ? frac : r & 64 ? 1 : (one << mb) - 1);	/* denormal */
	case 5: return sign | 1ull << mb | (r & 32 ? frac : 0);		/* smallest normal */
	case 6: return sign | (emax - 1) << mb | (r & 32 ? frac : (one << mb) - 1);	/* largest */
	case 7: return sign | (bias + (r >> 16 & 7) - 3) << mb;		/* small powers of two */
	case 8: return sign | (bias + (r >> 16 & 7)) << mb | (frac & ~((one << (mb - 4)) - 1));	/* few bits */
	case 9: return sign | bias << mb | frac;
	case 10:							/* halves and bounds of integers */
		exp = bias + (r & 32 ? 15 : r & 64 ? 31 : r & 128 ? 63 : r >> 16 & 63);
		exp = exp >= emax ? emax - 1 : exp;
		return sign | exp << mb | (r & 4096 ? frac : r & 8192 ? (one << mb) - 1 : 0);
	case 11: return sign | (bias + (r >> 16 & 15) - 7) << mb | frac;
	case 12:							/* exponents that make results denormal */
		return sign | ((bias >> 1) + (r >> 16 & 15) - 7 + (r & 32 ? bias : 0)) % emax << mb | frac;
	}
	return v & ((one << (bits - 1)) * 2 - 1);
}

static inline uint64_t diff_vec(uint64_t *s)
{
	unsigned kind = diff_rand(s) & 7, i;
	uint64_t v = 0;

	if (kind == 0)
		return diff_rand(s);
	if (kind == 1)
		return diff_int(s);
	if (kind == 2) {
		for (i = 0; i < 64; i += 16)
			v |= diff_fp(s, 16) << i;
	} else if (kind <= 4) {
		v = diff_fp(s, 32) | diff_fp(s, 32) << 32;
	} else if (kind == 5) {
		for (i = 0; i < 64; i += 8)		/* bytes at their edges */
			v |= ((0x80ull + (diff_rand(s) % 3 - 1) + (diff_rand(s) & 0x80)) & 0xff) << i;
	} else {
		v = diff_fp(s, 64);
	}
	return v;
}

static inline void diff_init(struct diff_state *st, const struct diff_req *req)
{
	uint64_t s = req->seed;
	unsigned i;

	memset(st, 0, sizeof(*st));
	for (i = 0; i < DIFF_NREG; i++)
		st->x[i] = diff_int(&s);
	st->x[31] = diff_int(&s) & ~15ull;
	for (i = 0; i < 64; i++)
		st->v[i / 2][i % 2] = diff_vec(&s);
	if (diff_rand(&s) & 1)			/* equal operands: comparisons, cancellation */
		for (i = 0; i < 32; i += 3)
			memcpy(st->v[i], st->v[(i + 5) & 31], 16);
	st->nzcv = (uint32_t)(diff_rand(&s) & 15) << 28;
	st->fpcr = req->fpcr;
	for (i = 0; i < DIFF_WIN_SIZE; i += 8) {
		uint64_t v = diff_rand(&s) & 1 ? diff_int(&s) : diff_vec(&s);

		memcpy(st->mem + i, &v, 8);
	}
	if (diff_rand(&s) & 1)			/* the cumulative bits stay */
		st->fpsr = (uint32_t)diff_rand(&s) & 0x0800009f;
	if (req->base != DIFF_NONE)
		st->x[req->base] = req->base_val;
	if (req->index != DIFF_NONE)
		st->x[req->index] = req->index_val;
	if (req->copy != DIFF_NONE && req->base_val - DIFF_WIN <= DIFF_WIN_SIZE - 16) {
		memcpy(&st->x[req->copy], st->mem + (req->base_val - DIFF_WIN), 8);
		if (req->copy + 1 < DIFF_NREG)
			memcpy(&st->x[req->copy + 1], st->mem + (req->base_val - DIFF_WIN) + 8, 8);
	}
}

#endif
