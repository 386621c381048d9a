// SPDX-License-Identifier: MIT
/* A switch interpreter running a small loop: indirect jumps from one site, hard to predict. */
#include "kernel.h"

enum op { LOADI, ADD, SUB, MUL, XOR, SHIFT, MOVE, LOAD, STORE, JUMP, JUMPNZ, DEC, AND, HALT };

struct insn {
	uint8_t op, a, b;
	int32_t imm;
};

static const struct insn program[] = {
	{ LOADI, 1, 0, 12345 },
	{ LOADI, 2, 0, 7 },
	{ MUL, 1, 2, 0 },		/* 2: the loop */
	{ ADD, 1, 0, 0 },
	{ MOVE, 3, 1, 0 },
	{ SHIFT, 3, 0, 7 },
	{ XOR, 1, 3, 0 },
	{ MOVE, 4, 1, 0 },
	{ AND, 4, 0, 255 },
	{ STORE, 4, 1, 0 },
	{ LOAD, 5, 4, 0 },
	{ SUB, 1, 5, 0 },
	{ JUMP, 0, 0, 14 },
	{ HALT, 0, 0, 0 },
	{ ADD, 1, 4, 0 },
	{ DEC, 0, 0, 0 },
	{ JUMPNZ, 0, 0, 2 },
	{ HALT, 0, 0, 0 },
};

static uint32_t run(uint32_t count)
{
	uint32_t r[8] = { count }, memory[256] = { 0 };
	const struct insn *pc = program;

	for (;;) {
		const struct insn *i = pc++;

		switch ((enum op)i->op) {
		case LOADI:	r[i->a] = i->imm; break;
		case ADD:	r[i->a] += r[i->b]; break;
		case SUB:	r[i->a] -= r[i->b] >> 3; break;
		case MUL:	r[i->a] *= r[i->b]; break;
		case XOR:	r[i->a] ^= r[i->b]; break;
		case SHIFT:	r[i->a] >>= i->imm; break;
		case MOVE:	r[i->a] = r[i->b]; break;
		case AND:	r[i->a] &= i->imm; break;
		case LOAD:	r[i->a] = memory[r[i->b] & 255]; break;
		case STORE:	memory[r[i->a] & 255] = r[i->b]; break;
		case JUMP:	pc = program + i->imm; break;
		case JUMPNZ:	if (r[0]) pc = program + i->imm; break;
		case DEC:	r[i->a]--; break;
		case HALT:	return r[1];
		}
	}
}

void kernel(long n)
{
	sum(run(n));
}
