// SPDX-License-Identifier: MIT
/*
 * Instruction cases as lines of text: parse and print.
 *
 *	WORDS | assembly | state before | what is different afterwards
 *
 * WORDS are instructions in hexadecimal, executed one after the other from 60000000 on. State is name=value, in
 * hexadecimal: xN sp nzcv (4 bits) fpcr fpsr tpidr, vN=high:low or vN=low, and mNN, the 8-byte word at NN in 256 bytes of
 * memory that begin at 60040f00 (nothing is mapped behind them). How it ends, when it does not fall through: pc=address,
 * sys=immediate, fault=address, trap=kind:immediate (enum ir_trap); rt=number: it calls the runtime (enum ir_rt).
 *
 * Before, if the line says nothing else: xN = d0000000000000NN with N in bits 15..8 too, sp = 60040f80, vN = bytes 80 + N
 * (high half) and N (low half), memory byte j is j * 37 + 11 modulo 256, all else is 0.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libinsn.h"

#define BYTES 0x0101010101010101ull

void insn_defaults(struct insn_state *st)
{
	memset(st, 0, sizeof(*st));
	for (u64 r = 0; r < 31; r++)
		st->s.x[r] = 0xdull << 60 | r << 8 | r;
	st->s.x[31] = INSN_MEM + 0x80;
	for (u64 r = 0; r < 32; r++)
		st->s.v[r] = (v128){ .d = { BYTES * r, BYTES * (0x80 + r) } };
	st->s.excl_addr = A64_EXCL_NONE;
	for (unsigned j = 0; j < INSN_WIN_SIZE; j++)
		st->mem[j] = (u8)(j * 37 + 11);
	st->pc = st->sys = st->fault = st->trap = st->rt = -1;
}

/* Sets name to v:w (w only when has_w, then v is the first of the two numbers). */
static bool assign(struct insn_state *st, const char *name, u64 v, u64 w, bool has_w)
{
	unsigned n = (unsigned)strtoul(name + 1, NULL, name[0] == 'm' ? 16 : 10);

	if (!strcmp(name, "sp"))
		st->s.x[31] = v;
	else if (!strcmp(name, "nzcv"))
		st->s.nzcv = (u32)v << 28;
	else if (!strcmp(name, "fpcr"))
		st->s.fpcr = v;
	else if (!strcmp(name, "fpsr"))
		st->s.fpsr = v;
	else if (!strcmp(name, "tpidr"))
		st->s.tpidr = v;
	else if (!strcmp(name, "pc"))
		st->pc = (s64)v;
	else if (!strcmp(name, "sys"))
		st->sys = (s64)v;
	else if (!strcmp(name, "fault"))
		st->fault = (s64)v;
	else if (!strcmp(name, "rt"))
		st->rt = (s64)v;
	else if (!strcmp(name, "trap") && has_w)
		st->trap = (s64)v, st->trap_imm = (s64)w;
	else if (name[0] == 'x' && n < 31)
		st->s.x[n] = v;
	else if (name[0] == 'v' && n < 32)
		st->s.v[n] = (v128){ .d = { has_w ? w : v, has_w ? v : 0 } };
	else if (name[0] == 'm' && n + 8 <= INSN_WIN_SIZE)
		memcpy(st->mem + n, &v, 8);
	else
		return false;
	return true;
}

static bool parse_state(struct insn_state *st, const char *text, const char *end)
{
	char name[16];
	int used;
	u64 v, w;

	while (text < end && sscanf(text, " %15[a-z0-9]=%lx%n", name, &v, &used) == 2) {
		bool has_w = text[used] == ':';

		text += used;
		if (has_w) {
			if (sscanf(text, ":%lx%n", &w, &used) != 1)
				return false;
			text += used;
		}
		if (!assign(st, name, v, w, has_w))
			return false;
	}
	return text + strspn(text, " \n") >= end;
}

bool insn_parse(struct insn_case *c, const char *line)
{
	const char *text = strchr(line, '|'), *in = text ? strchr(text + 1, '|') : NULL;
	const char *out = in ? strchr(in + 1, '|') : NULL;
	char *next;

	if (!out)
		return false;
	for (c->n = 0; line < text && c->n < ARRAY_SIZE(c->word); line = next) {
		c->word[c->n] = (u32)strtoul(line, &next, 16);
		if (next == line)
			break;
		c->n++;
	}
	if (!c->n || line + strspn(line, " ") < text)
		return false;
	insn_defaults(&c->in);
	if (!parse_state(&c->in, in + 1, out))
		return false;
	c->out = c->in;
	return parse_state(&c->out, out + 1, out + strlen(out));
}

/* --- printing ---------------------------------------------------------------------------------------------------- */

struct text {
	char *p, *end;
};

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p, (size_t)(t->end - t->p), fmt, ap);
	va_end(ap);
	t->p += n < t->end - t->p ? n : t->end - t->p;
}

static void put_vec(struct text *t, unsigned n, const v128 *v)
{
	if (v->d[1])
		put(t, "v%u=%lx:%lx ", n, v->d[1], v->d[0]);
	else
		put(t, "v%u=%lx ", n, v->d[0]);
}

void insn_format(char *buf, size_t len, const struct insn_state *st, const struct insn_state *base)
{
	struct text t = { buf, buf + len };
	u64 v, w;

	buf[0] = 0;
	for (unsigned k = 0; k < 31; k++)
		if (st->s.x[k] != base->s.x[k])
			put(&t, "x%u=%lx ", k, st->s.x[k]);
	if (st->s.x[31] != base->s.x[31])
		put(&t, "sp=%lx ", st->s.x[31]);
	for (unsigned k = 0; k < 32; k++)
		if (memcmp(&st->s.v[k], &base->s.v[k], 16))
			put_vec(&t, k, &st->s.v[k]);
	if (st->s.nzcv != base->s.nzcv)
		put(&t, "nzcv=%x ", st->s.nzcv >> 28);
	if (st->s.fpcr != base->s.fpcr)
		put(&t, "fpcr=%lx ", st->s.fpcr);
	if (st->s.fpsr != base->s.fpsr)
		put(&t, "fpsr=%lx ", st->s.fpsr);
	for (unsigned k = 0; k < INSN_WIN_SIZE; k += 8) {
		memcpy(&v, st->mem + k, 8);
		memcpy(&w, base->mem + k, 8);
		if (v != w)
			put(&t, "m%x=%lx ", k, v);
	}
	if (st->pc != -1)
		put(&t, "pc=%lx ", st->pc);
	if (st->fault != -1)
		put(&t, "fault=%lx ", st->fault);
	if (t.p > buf && t.p[-1] == ' ')
		t.p[-1] = 0;
}
