// SPDX-License-Identifier: MIT
/*
 * The IR as text. One line an instruction:
 *
 *   vconst 0 0x8000000000000000                       high half of a VCONST
 *   block 12 5 0x400010 1                             first, count, pc, flags of the block that starts here
 *   %12 = ADD.i64 %3, %4
 *   %13 = VNSHR.v.h.w128 %10, %11 imm=0x104           type, element, width; "_" is an absent operand
 *   %14 = EXIT_CC %9 cc=ne imm=0x400020
 *
 * Fields that are zero are left out. inst.uses is not printed: it belongs to passes.
 */
#include "ir/ir.h"
#include "ir/names.h"
#include "ir/text.h"

static void suffix(struct ir_text *t, const char *s)
{
	ir_text_char(t, '.');
	ir_text_str(t, s);
}

static void print_operands(struct ir_text *t, const struct ir_inst *i)
{
	const u16 operand[3] = { i->a, i->b, i->c };
	unsigned n, count = 3;

	while (count && operand[count - 1] == IR_NONE)
		count--;
	for (n = 0; n < count; n++) {
		ir_text_str(t, n ? ", " : " ");
		if (operand[n] == IR_NONE) {
			ir_text_char(t, '_');
		} else {
			ir_text_char(t, '%');
			ir_text_dec(t, operand[n]);
		}
	}
}

/* cc means a condition where the first operand is flags; elsewhere it is a number (lane, kind). */
static bool has_condition(const struct ir_op_info *info)
{
	return info->args[0] == 'f';
}

static void print_fields(struct ir_text *t, const struct ir_inst *i)
{
	if (i->cc || has_condition(&ir_op_info[i->op])) {
		ir_text_str(t, " cc=");
		if (has_condition(&ir_op_info[i->op]) && i->cc < 16)
			ir_text_str(t, ir_cc_names[i->cc]);
		else
			ir_text_dec(t, i->cc);
	}
	if (i->aux) {
		ir_text_str(t, " aux=");
		ir_text_dec(t, i->aux);
	}
	if (i->imm) {
		ir_text_str(t, i->imm < 0 ? " imm=-" : " imm=");
		ir_text_hex(t, i->imm < 0 ? 0 - (u64)i->imm : (u64)i->imm);
	}
}

static void print_inst(struct ir_text *t, const struct ir_region *r, u32 n)
{
	const struct ir_inst *i = &r->inst[n];

	ir_text_char(t, '%');
	ir_text_dec(t, n);
	ir_text_str(t, " = ");
	if (i->op >= IR_OP_COUNT) {
		ir_text_str(t, "?\n");		/* does not parse, on purpose */
		return;
	}
	ir_text_str(t, ir_op_info[i->op].name);
	if (i->type && i->type <= IR_F)
		suffix(t, ir_type_names[i->type]);
	if (i->type == IR_V || i->esz || i->width) {
		suffix(t, ir_esize_names[i->esz & 7]);
		suffix(t, ir_width_names[i->width & 3]);
	}
	print_operands(t, i);
	print_fields(t, i);
	ir_text_char(t, '\n');
}

static void print_blocks_at(struct ir_text *t, const struct ir_region *r, u32 first)
{
	const struct ir_block *b;

	for (b = r->block; b < r->block + r->nblock; b++) {
		if (b->first != first)
			continue;
		ir_text_str(t, "block ");
		ir_text_dec(t, b->first);
		ir_text_char(t, ' ');
		ir_text_dec(t, b->count);
		ir_text_char(t, ' ');
		ir_text_hex(t, b->pc);
		ir_text_char(t, ' ');
		ir_text_dec(t, b->flags);
		ir_text_char(t, '\n');
	}
}

size_t ir_print(const struct ir_region *r, char *buf, size_t len)
{
	struct ir_text t;
	u32 n;

	ir_text_init(&t, buf, len);
	for (n = 0; n < r->nvconst; n++) {
		ir_text_str(&t, "vconst ");
		ir_text_dec(&t, n);
		ir_text_char(&t, ' ');
		ir_text_hex(&t, r->vconst[n]);
		ir_text_char(&t, '\n');
	}
	for (n = 0; n < r->ninst; n++) {
		print_blocks_at(&t, r, n);
		print_inst(&t, r, n);
	}
	return t.need;
}
