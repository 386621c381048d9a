// SPDX-License-Identifier: MIT
/*
 * Reads the IR's text form (print.c describes it) into a region. The text is untrusted: whatever does not fit is -EINVAL with the
 * line's number. Lines that are empty or start with '#' mean nothing. Whether the region makes sense is ir_verify's business.
 */
#include <linux/errno.h>

#include "ir/ir.h"
#include "ir/names.h"

struct cursor {
	const char *p, *end;		/* of the line at hand */
};

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

static bool at_end(struct cursor *c)
{
	skip_blanks(c);
	return c->p == c->end;
}

static bool eat(struct cursor *c, char ch)
{
	skip_blanks(c);
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static bool is_word_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_';
}

/* The next word; length 0 if there is none. */
static size_t word(struct cursor *c, const char **w)
{
	skip_blanks(c);
	*w = c->p;
	while (c->p < c->end && is_word_char(*c->p))
		c->p++;
	return (size_t)(c->p - *w);
}

static bool same(const char *w, size_t len, const char *name)
{
	size_t n;

	for (n = 0; n < len; n++)
		if (!name[n] || w[n] != name[n])
			return false;
	return !name[len];
}

/* The index of the word among names, or -1. */
static int find(const char *w, size_t len, const char *const *names, unsigned count)
{
	unsigned n;

	for (n = 0; n < count; n++)
		if (len && same(w, len, names[n]))
			return (int)n;
	return -1;
}

static int digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return 99;
}

/* Decimal, or hexadecimal after 0x; at most max. */
static bool number(struct cursor *c, u64 max, u64 *out)
{
	const char *w;
	size_t len = word(c, &w), n = 0;
	unsigned base = 10;
	u64 v = 0;

	if (len > 2 && w[0] == '0' && w[1] == 'x') {
		base = 16;
		n = 2;
	}
	if (n >= len)
		return false;
	for (; n < len; n++) {
		unsigned d = (unsigned)digit(w[n]);

		if (d >= base || v > (max - d) / base)
			return false;
		v = v * base + d;
	}
	*out = v;
	return true;
}

/* --- the lines ----------------------------------------------------------------------------------------------------------- */

static bool parse_vconst(struct ir_region *r, struct cursor *c)
{
	u64 n, v;

	if (!number(c, 0xffff, &n) || n != r->nvconst || n >= r->max_vconst || !number(c, ~0ull, &v))
		return false;
	r->vconst[r->nvconst++] = v;
	return true;
}

static bool parse_block(struct ir_region *r, struct cursor *c)
{
	u64 first, count, pc, flags;

	if (!number(c, ~0u, &first) || !number(c, ~0u, &count) || !number(c, ~0ull, &pc) || !number(c, ~0u, &flags) ||
	    r->nblock >= r->max_block)
		return false;
	r->block[r->nblock++] = (struct ir_block){ .first = (u32)first, .count = (u32)count, .pc = pc, .flags = (u32)flags };
	return true;
}

static int find_op(const char *w, size_t len)
{
	int n;

	for (n = 0; n < IR_OP_COUNT; n++)
		if (len && same(w, len, ir_op_info[n].name))
			return n;
	return -1;
}

static bool parse_suffixes(struct cursor *c, struct ir_inst *i)
{
	const char *w;
	size_t len;
	int n;

	while (c->p < c->end && *c->p == '.') {
		c->p++;
		len = word(c, &w);
		if ((n = find(w, len, ir_type_names, ARRAY_SIZE(ir_type_names))) >= 0)
			i->type = (u8)n;
		else if ((n = find(w, len, ir_esize_names, ARRAY_SIZE(ir_esize_names))) >= 0)
			i->esz = (u8)n;
		else if ((n = find(w, len, ir_width_names, ARRAY_SIZE(ir_width_names))) >= 0)
			i->width = (u8)n;
		else
			return false;
	}
	return true;
}

static bool parse_operands(struct cursor *c, struct ir_inst *i)
{
	u16 *const operand[3] = { &i->a, &i->b, &i->c };
	unsigned n;
	u64 v;

	skip_blanks(c);
	if (c->p == c->end || (*c->p != '%' && *c->p != '_'))
		return true;
	for (n = 0; n < 3; n++) {
		if (eat(c, '%')) {
			if (!number(c, IR_NONE - 1, &v))
				return false;
			*operand[n] = (u16)v;
		} else if (!eat(c, '_')) {
			return false;
		}
		if (!eat(c, ','))
			return true;
	}
	return false;
}

static bool parse_cc(struct cursor *c, struct ir_inst *i)
{
	struct cursor start = *c;
	const char *w;
	size_t len = word(c, &w);
	int n = find(w, len, ir_cc_names, ARRAY_SIZE(ir_cc_names));
	u64 v;

	if (n < 0) {
		*c = start;
		if (!number(c, 255, &v))
			return false;
		n = (int)v;
	}
	i->cc = (u8)n;
	return true;
}

static bool parse_fields(struct cursor *c, struct ir_inst *i)
{
	const char *w;
	size_t len;
	bool minus;
	u64 v;

	while (!at_end(c)) {
		len = word(c, &w);
		if (!eat(c, '='))
			return false;
		if (same(w, len, "cc")) {
			if (!parse_cc(c, i))
				return false;
		} else if (same(w, len, "aux")) {
			if (!number(c, 0xffff, &v))
				return false;
			i->aux = (u16)v;
		} else if (same(w, len, "imm")) {
			minus = eat(c, '-');
			if (!number(c, ~0ull, &v))
				return false;
			i->imm = (s64)(minus ? 0 - v : v);
		} else {
			return false;
		}
	}
	return true;
}

static bool parse_inst(struct ir_region *r, struct cursor *c)
{
	struct ir_inst i = { .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
	const char *w;
	size_t len;
	u64 index;
	int op;

	if (!number(c, IR_MAX_INSTS, &index) || index != r->ninst || index >= r->max_inst || !eat(c, '='))
		return false;
	len = word(c, &w);
	op = find_op(w, len);
	if (op < 0)
		return false;
	i.op = (u16)op;
	if (!parse_suffixes(c, &i) || !parse_operands(c, &i) || !parse_fields(c, &i))
		return false;
	r->inst[r->ninst++] = i;
	return true;
}

static bool parse_line(struct ir_region *r, struct cursor *c)
{
	const char *w;
	size_t len;

	if (at_end(c) || *c->p == '#')
		return true;
	if (eat(c, '%'))
		return parse_inst(r, c);
	len = word(c, &w);
	if (same(w, len, "vconst"))
		return parse_vconst(r, c) && at_end(c);
	if (same(w, len, "block"))
		return parse_block(r, c) && at_end(c);
	return false;
}

int ir_parse(struct ir_region *r, const char *text, size_t len, unsigned *line)
{
	const char *end = text + len;

	r->ninst = r->nblock = r->nvconst = 0;
	r->overflow = false;
	for (*line = 1; text < end; (*line)++) {
		struct cursor c = { text, text };

		while (c.end < end && *c.end != '\n')
			c.end++;
		text = c.end + (c.end < end);
		if (!parse_line(r, &c))
			return -EINVAL;
	}
	return 0;
}
