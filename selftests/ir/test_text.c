// SPDX-License-Identifier: MIT
/*
 * The IR's printer, parser and verifier: what is printed parses back to the same region; damaged text and regions that
 * break ir.h's rules are refused.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/build.h"
#include "ktap.h"

#define MAX_INST 400
#define TEXT_SIZE 65536

struct space {
	struct ir_region r;
	struct ir_inst inst[MAX_INST];
	struct ir_block block[16];
	u64 vconst[64];
};

static struct space one, two;
static char text[TEXT_SIZE], text2[TEXT_SIZE];

static struct ir_region *fresh(struct space *s)
{
	memset(s, 0, sizeof *s);
	s->r = (struct ir_region){ .inst = s->inst, .block = s->block, .vconst = s->vconst, .max_inst = MAX_INST,
				   .max_block = ARRAY_SIZE(s->block), .max_vconst = ARRAY_SIZE(s->vconst) };
	return &s->r;
}

/* --- round trip ------------------------------------------------------------------------------------------------------ */

static u16 random_operand(unsigned n)
{
	return n && ktap_random() % 4 ? (u16)(ktap_random() % n) : IR_NONE;
}

/* Any fields, whether they make sense or not: text must carry them all. */
static void random_region(struct ir_region *r)
{
	unsigned n, count = 1 + ktap_random() % 200;

	for (n = 0; n < count; n++) {
		u64 x = ktap_random();

		r->inst[n] = (struct ir_inst){
			.op = x % IR_OP_COUNT, .type = x >> 20 & 3, .esz = (x >> 24) % 5, .width = (x >> 28) % 3,
			.cc = x >> 32 & 15, .aux = x >> 40 & 1 ? (u16)(x >> 41) : 0,
			.a = random_operand(n), .b = random_operand(n), .c = random_operand(n),
			.imm = x >> 63 ? (s64)ktap_random() >> ktap_random() % 64 : 0
		};
	}
	r->ninst = count;
	r->nvconst = ktap_random() % 10;
	for (n = 0; n < r->nvconst; n++)
		r->vconst[n] = ktap_random();
	r->nblock = count >= 4 ? 3 : 0;
	for (n = 0; n < r->nblock; n++)
		r->block[n] = (struct ir_block){ .first = n * (count / 4), .count = count / 4, .pc = ktap_random(), .flags = n };
}

static void round_trip(void)
{
	unsigned k, line;
	size_t len;
	int err;

	for (k = 0; k < 500; k++) {
		struct ir_region *r = fresh(&one), *s = fresh(&two);

		random_region(r);
		len = ir_print(r, text, sizeof text);
		CHECK(len < sizeof text && len == strlen(text), "length %zu", len);
		err = ir_parse(s, text, len, &line);
		CHECK(!err, "line %u does not parse", line);
		CHECK(s->ninst == r->ninst && s->nblock == r->nblock && s->nvconst == r->nvconst, "counts differ");
		CHECK(!memcmp(one.inst, two.inst, sizeof one.inst), "instructions differ");
		CHECK(!memcmp(one.block, two.block, sizeof one.block), "blocks differ");
		CHECK(!memcmp(one.vconst, two.vconst, sizeof one.vconst), "constants differ");
	}
}

static void short_buffer(void)
{
	struct ir_region *r = fresh(&one);
	size_t len, n;

	random_region(r);
	len = ir_print(r, text, sizeof text);
	CHECK(ir_print(r, NULL, 0) == len, "length without a buffer");
	for (n = 1; n < 100; n++) {
		memset(text2, 'x', sizeof text2);
		CHECK(ir_print(r, text2, n) == len, "length with %zu bytes", n);
		CHECK(!memcmp(text, text2, n - 1) && !text2[n - 1] && text2[n] == 'x', "contents with %zu bytes", n);
	}
}

static void bad_text(void)
{
	static const char *const bad[] = {
		"%1 = NOP\n", "%0 = NOSUCH\n", "%0 = ADD.i128 %0\n", "%0 = NOP imm=\n", "%0 = NOP imm=0x\n",
		"%0 = NOP imm=0x10000000000000000\n", "%0 = NOP aux=65536\n", "%0 = ADD %1, \n", "%0 = ADD _, _, _, _\n",
		"%0 = NOP cc=zz\n", "%0 NOP\n", "block 1\n", "vconst 1 0\n", "nonsense\n", "%0 = NOP foo=1\n", "%0 = ADD %65535\n",
	};
	unsigned n, line;

	for (n = 0; n < ARRAY_SIZE(bad); n++) {
		snprintf(text, sizeof text, "# comment\n\n%s", bad[n]);
		CHECK(ir_parse(fresh(&one), text, strlen(text), &line) && line == 3, "accepted (line %u): %s", line, bad[n]);
	}
}

/* Text with a byte changed either is refused or gives something that prints and parses. */
static void damaged_text(void)
{
	unsigned k, line;
	size_t len;

	random_region(fresh(&one));
	len = ir_print(&one.r, text, sizeof text);
	for (k = 0; k < 5000; k++) {
		memcpy(text2, text, len);
		text2[ktap_random() % len] = (char)ktap_random();
		if (!ir_parse(fresh(&two), text2, len, &line))
			CHECK(ir_print(&two.r, text2, sizeof text2) > 0, "nothing printed");
		else
			CHECK(line > 0, "no line number");
	}
}

/* --- verifier ---------------------------------------------------------------------------------------------------------- */

/* A small region that is right: two blocks. */
static void good_region(struct ir_region *r)
{
	irv a, b, f, v;

	ir_op3(r, IR_INSN, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 4, 0x1000);
	a = ir_get(r, IR_I64, 1);
	b = ir_bini(r, IR_ADD, IR_I64, a, 5);
	f = ir_bin(r, IR_FL_SUB, IR_I64, a, b);
	ir_set(r, IR_I64, 1, b);
	ir_cc(r, IR_EXIT_CC, IR_VOID, IR_NE, f, IR_NONE, IR_NONE, 0x1000);
	ir_op3(r, IR_GOTO, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0, 0x1008);
	r->block[r->nblock++] = (struct ir_block){ .first = 0, .count = r->ninst, .pc = 0x1000, .flags = IR_BLOCK_ENTRY };
	ir_op3(r, IR_INSN, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 4, 0x1008);
	v = ir_vget(r, 32);
	v = ir_vop(r, IR_VNSHR, IR_H, IR_W64, IR_NONE, v, IR_NONE, 3);
	ir_vset(r, 32, v);
	ir_op3(r, IR_TRAP, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0, 0);
	r->block[r->nblock++] = (struct ir_block){ .first = 8, .count = r->ninst - 8, .pc = 0x1008 };
}

static void spoil_type(struct ir_region *r) { r->inst[3].type = IR_I32; }
static void spoil_void(struct ir_region *r) { r->inst[3].type = IR_VOID; }
static void spoil_forward(struct ir_region *r) { r->inst[3].a = 5; }
static void spoil_self(struct ir_region *r) { r->inst[3].a = 3; }
static void spoil_missing(struct ir_region *r) { r->inst[3].b = IR_NONE; }
static void spoil_extra(struct ir_region *r) { r->inst[3].c = 1; }
static void spoil_block(struct ir_region *r) { r->inst[11] = r->inst[5]; }	/* SET of %3 */
static void spoil_op(struct ir_region *r) { r->inst[3].op = IR_OP_COUNT; }
static void spoil_class(struct ir_region *r) { r->inst[6].a = 1; }
static void spoil_term(struct ir_region *r) { r->inst[7].op = IR_NOP; }
static void spoil_early(struct ir_region *r) { r->inst[0].op = IR_GOTO; }
static void spoil_esize(struct ir_region *r) { r->inst[10].esz = IR_D; }
static void spoil_shift(struct ir_region *r) { r->inst[10].imm = 17; }
static void spoil_high(struct ir_region *r) { r->inst[10].imm = IR_HIGH; }
static void spoil_width(struct ir_region *r) { r->inst[10].width = 3; }
static void spoil_overlap(struct ir_region *r) { r->block[1].first = 7, r->block[1].count = 6; }
static void spoil_bounds(struct ir_region *r) { r->block[1].count = 100; }
static void spoil_empty(struct ir_region *r) { r->block[1].count = 0; }
static void spoil_overflow(struct ir_region *r) { r->overflow = true; }
static void spoil_cc(struct ir_region *r) { r->inst[6].cc = 16; }

static void verifier(void)
{
	static const struct { const char *name; void (*spoil)(struct ir_region *r); } bad[] = {
		{ "operand of another type", spoil_type }, { "no type", spoil_void }, { "use before definition", spoil_forward },
		{ "use of itself", spoil_self }, { "missing operand", spoil_missing }, { "extra operand", spoil_extra },
		{ "operand of another block", spoil_block }, { "unknown op", spoil_op }, { "integer for flags", spoil_class },
		{ "no terminator", spoil_term }, { "early terminator", spoil_early }, { "element size", spoil_esize },
		{ "shift amount", spoil_shift }, { "IR_HIGH without a", spoil_high }, { "width", spoil_width },
		{ "overlap", spoil_overlap }, { "bounds", spoil_bounds }, { "empty block", spoil_empty },
		{ "overflow", spoil_overflow }, { "condition", spoil_cc },
	};
	char why[200];
	unsigned n;
	int err;

	good_region(fresh(&one));
	err = ir_verify(&one.r, why, sizeof why);
	CHECK(!err, "good region refused: %s", why);
	for (n = 0; n < ARRAY_SIZE(bad); n++) {
		good_region(fresh(&one));
		bad[n].spoil(&one.r);
		why[0] = 0;
		CHECK(ir_verify(&one.r, why, sizeof why) && why[0], "accepted: %s", bad[n].name);
	}
}

static void table(void)
{
	unsigned n;

	for (n = 0; n < IR_OP_COUNT; n++) {
		const struct ir_op_info *i = &ir_op_info[n];

		CHECK(i->name && strchr("NIWSVF", i->result) && strlen(i->args) <= 3, "op %u", n);
		CHECK(strspn(i->args, "ijwsvVf") == strlen(i->args), "%s: args", i->name);
		CHECK(!i->esizes || strspn(i->esizes, "bhsdq") == strlen(i->esizes), "%s: esizes", i->name);
	}
}

int main(void)
{
	ktap_start(6);
	ktap_run("ir: op table", table);
	ktap_run("ir: print and parse round trip", round_trip);
	ktap_run("ir: print into a short buffer", short_buffer);
	ktap_run("ir: parse refuses bad text", bad_text);
	ktap_run("ir: parse survives damaged text", damaged_text);
	ktap_run("ir: verifier", verifier);
	return ktap_end();
}
