/* SPDX-License-Identifier: MIT */
/*
 * Text into a buffer of fixed size, for the verifier and the printer: counts what would be needed, writes what fits,
 * and keeps the buffer terminated.
 */
#ifndef IR_TEXT_H
#define IR_TEXT_H

#include "base/types.h"

struct ir_text {
	char *buf;
	size_t len, need;
};

static inline void ir_text_init(struct ir_text *t, char *buf, size_t len)
{
	t->buf = buf;
	t->len = len;
	t->need = 0;
	if (len)
		buf[0] = 0;
}

static inline void ir_text_char(struct ir_text *t, char c)
{
	if (t->need + 1 < t->len) {
		t->buf[t->need] = c;
		t->buf[t->need + 1] = 0;
	}
	t->need++;
}

static inline void ir_text_str(struct ir_text *t, const char *s)
{
	while (*s)
		ir_text_char(t, *s++);
}

static inline void ir_text_dec(struct ir_text *t, u64 v)
{
	char tmp[20];
	unsigned n = 0;

	do {
		tmp[n++] = '0' + v % 10;
		v /= 10;
	} while (v);
	while (n)
		ir_text_char(t, tmp[--n]);
}

static inline void ir_text_hex(struct ir_text *t, u64 v)
{
	int shift = 60;

	ir_text_str(t, "0x");
	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		ir_text_char(t, "0123456789abcdef"[v >> shift & 15]);
}

#endif
