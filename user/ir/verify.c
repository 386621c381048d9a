// SPDX-License-Identifier: MIT
/*
 * The IR verifier: is a region what ir.h and ops.def say? In: a region. Out: 0, or -EINVAL and one line of text that
 * names the first violation. Lifters and passes are checked with it in tests; production code does not call it.
 *
 * A region without blocks is checked as one open run of instructions (what a lifter made of a single instruction).
 */
#include <linux/errno.h>

#include "ir/ir.h"
#include "ir/text.h"

struct verify {
	const struct ir_region *r;
	struct ir_text out;
	u32 first;			/* of the block at hand */
	u32 at;				/* the instruction at hand */
};

static int fail(struct verify *v, const char *what)
{
	const struct ir_inst *i = v->at < v->r->ninst ? &v->r->inst[v->at] : NULL;

	ir_text_str(&v->out, "%");
	ir_text_dec(&v->out, v->at);
	if (i && i->op < IR_OP_COUNT) {
		ir_text_str(&v->out, " ");
		ir_text_str(&v->out, ir_op_info[i->op].name);
	}
	ir_text_str(&v->out, ": ");
	ir_text_str(&v->out, what);
	return -EINVAL;
}

static bool is_int(u8 type)
{
	return type == IR_I32 || type == IR_I64;
}

/* The type of the value that an instruction makes. */
static u8 result_type(const struct ir_inst *i)
{
	switch (ir_op_info[i->op].result) {
	case 'I': return i->type;
	case 'W': return IR_I64;
	case 'S': return IR_I32;
	case 'V': return IR_V;
	case 'F': return IR_F;
	}
	return IR_VOID;
}

static bool type_fits(char letter, u8 inst_type, u8 t)
{
	switch (letter) {
	case 'i': return t == inst_type;
	case 'j': return is_int(t);
	case 'w': return t == IR_I64;
	case 's': return t == IR_I32;
	case 'v':
	case 'V': return t == IR_V;
	case 'f': return t == IR_F;
	}
	return false;
}

static int check_operand(struct verify *v, const struct ir_inst *i, char letter, u16 operand)
{
	if (operand == IR_NONE) {
		if (letter == 'V' || i->op == IR_RTCALL)
			return 0;
		return fail(v, "operand missing");
	}
	if (operand >= v->at)
		return fail(v, "operand used before it is made");
	if (operand < v->first)
		return fail(v, "operand from another block");
	if (!type_fits(letter, i->type, result_type(&v->r->inst[operand])))
		return fail(v, "operand has the wrong type");
	return 0;
}

static int check_operands(struct verify *v, const struct ir_inst *i)
{
	const char *args = ir_op_info[i->op].args;
	const u16 operand[3] = { i->a, i->b, i->c };
	unsigned n;
	int err;

	for (n = 0; args[n]; n++) {
		err = check_operand(v, i, args[n], operand[n]);
		if (err)
			return err;
	}
	for (; n < 3; n++)
		if (operand[n] != IR_NONE)
			return fail(v, "too many operands");
	return 0;
}

static bool needs_int_type(const struct ir_op_info *info)
{
	const char *p;

	if (info->result == 'I')
		return true;
	for (p = info->args; *p; p++)
		if (*p == 'i')
			return true;
	return false;
}

static bool esize_allowed(const char *esizes, u8 esz)
{
	for (; *esizes; esizes++)
		if (esz <= IR_Q && *esizes == "bhsdq"[esz])
			return true;
	return false;
}

static bool size_ok(unsigned size, unsigned lo, unsigned hi)
{
	return size >= lo && size <= hi && !(size & (size - 1));
}

/* Immediates of scalar operations that have a range. */
static int check_scalar(struct verify *v, const struct ir_inst *i)
{
	unsigned width = i->type == IR_I32 ? 32 : 64;

	switch (i->op) {
	case IR_EXTR:
		return (u64)i->imm < width ? 0 : fail(v, "shift out of range");
	case IR_UBFX:
	case IR_SBFX:
	case IR_BFI:
		if (i->imm < 1 || i->imm > width || i->aux + i->imm > width)
			return fail(v, "field out of range");
		return 0;
	case IR_SEXT:
	case IR_ZEXT:
		return i->aux == 8 || i->aux == 16 || i->aux == 32 ? 0 : fail(v, "source bits not 8, 16 or 32");
	case IR_CRC32:
		return size_ok(i->imm, 1, 8) && i->aux <= 1 ? 0 : fail(v, "bad CRC32 kind");
	case IR_FL_CONST:
	case IR_FL_CCMP:
	case IR_FL_FCCMP:
		return (u64)i->imm <= 15 ? 0 : fail(v, "flags out of range");
	case IR_VCONST:
		return i->aux < v->r->nvconst ? 0 : fail(v, "no such vector constant");
	case IR_EXIT_BC:
	case IR_EXIT_BS:
		return i->aux < width ? 0 : fail(v, "bit out of range");
	case IR_FENCE:
		return i->aux <= IR_FENCE_FULL ? 0 : fail(v, "unknown fence");
	case IR_TRAP:
		return i->cc <= IR_TRAP_ALIGN ? 0 : fail(v, "unknown trap");
	case IR_RTCALL:
		return (u64)i->imm < IR_RT_COUNT ? 0 : fail(v, "unknown runtime call");
	}
	return 0;
}

static int check_memory(struct verify *v, const struct ir_inst *i)
{
	unsigned size = i->aux & IR_MEM_SIZE;

	switch (i->op) {
	case IR_RMW:
		if (i->cc > IR_RMW_SWP)
			return fail(v, "unknown read-modify-write");
		/* fallthrough */
	case IR_LOAD:
	case IR_STORE:
	case IR_CAS:
	case IR_LDX:
	case IR_STX:
		return size_ok(size, 1, 8) ? 0 : fail(v, "bad access size");
	case IR_VLOAD:
	case IR_VSTORE:
		return size_ok(size, 1, 16) ? 0 : fail(v, "bad access size");
	case IR_VLOADL:
	case IR_VSTOREL:
		return size_ok(size, 1, 8) && i->cc < 16 / size ? 0 : fail(v, "bad lane");
	case IR_CAS128:
	case IR_LDX128:
	case IR_STX128:
		return size_ok(size, 8, 16) ? 0 : fail(v, "bad access size");
	}
	return 0;
}

/* Immediates of vector operations that have a range. */
static int check_vector(struct verify *v, const struct ir_inst *i)
{
	unsigned bits = 8u << i->esz, lanes = 16u >> i->esz;
	s64 imm = i->imm;

	switch (i->op) {
	case IR_VDUPL:
	case IR_VINS:
	case IR_VEXTU:
	case IR_VEXTS:
		return imm >= 0 && imm < lanes ? 0 : fail(v, "no such lane");
	case IR_VINSL:
		return (imm & 15) < lanes && imm >> 4 >= 0 && imm >> 4 < lanes ? 0 : fail(v, "no such lane");
	case IR_VSHL:
	case IR_VSLI:
	case IR_VSQSHLI:
	case IR_VUQSHLI:
	case IR_VSQSHLUI:
		return imm >= 0 && imm < bits ? 0 : fail(v, "shift out of range");
	case IR_VUSHR:
	case IR_VSSHR:
	case IR_VURSHR:
	case IR_VSRSHR:
	case IR_VSRI:
		return imm >= 1 && imm <= bits ? 0 : fail(v, "shift out of range");
	case IR_VNSHR:
	case IR_VNRSHR:
	case IR_VNSQS:
	case IR_VNSQRS:
	case IR_VNUQS:
	case IR_VNUQRS:
	case IR_VNSQU:
	case IR_VNSQRU:
		return (imm & 0xff) <= bits ? 0 : fail(v, "shift out of range");
	case IR_VEXT:
		return imm >= 0 && imm < (i->width == IR_W64 ? 8 : 16) ? 0 : fail(v, "no such byte");
	case IR_VREV:
		return (imm == 2 || imm == 4 || imm == 8) && imm > 1 << i->esz ? 0 : fail(v, "bad container");
	case IR_FRINT:
		return imm >= 0 && imm <= IR_RCURX ? 0 : fail(v, "unknown rounding");
	case IR_FTOI:
	case IR_FTOIG:
		return (imm & 0xff) <= IR_RCUR ? 0 : fail(v, "unknown rounding");
	case IR_FCVT:
		return imm >= IR_H && imm <= IR_D && imm != i->esz ? 0 : fail(v, "bad source size");
	case IR_FCADD:
		return imm == 1 || imm == 3 ? 0 : fail(v, "bad rotation");
	case IR_FCMLA:
		return imm >= 0 && imm <= 3 ? 0 : fail(v, "bad rotation");
	}
	return 0;
}

/* Operand a of a narrowing operation is the old destination, when the high half is made, and absent otherwise. */
static int check_narrow(struct verify *v, const struct ir_inst *i)
{
	if (ir_op_info[i->op].args[0] != 'V')
		return 0;
	if (!!(i->imm & IR_HIGH) != (i->a != IR_NONE))
		return fail(v, "old destination and IR_HIGH do not agree");
	return 0;
}

static int check_inst(struct verify *v)
{
	const struct ir_inst *i = &v->r->inst[v->at];
	const struct ir_op_info *info;
	int err;

	if (i->op >= IR_OP_COUNT)
		return fail(v, "unknown operation");
	info = &ir_op_info[i->op];
	if (i->type > IR_F || i->cc > IR_NV || i->width > IR_W128 || i->esz > IR_Q)
		return fail(v, "field out of range");
	if (needs_int_type(info) && !is_int(i->type))
		return fail(v, "type is not I32 or I64");
	if (info->esizes && !esize_allowed(info->esizes, i->esz))
		return fail(v, "element size not allowed");
	err = check_operands(v, i);
	if (!err)
		err = check_scalar(v, i);
	if (!err)
		err = check_memory(v, i);
	if (!err)
		err = check_vector(v, i);
	if (!err)
		err = check_narrow(v, i);
	return err;
}

static int check_run(struct verify *v, u32 first, u32 end, bool block)
{
	int err;

	v->first = first;
	for (v->at = first; v->at < end; v->at++) {
		bool term;

		err = check_inst(v);
		if (err)
			return err;
		term = ir_op_info[v->r->inst[v->at].op].effects & IR_E_TERM;
		if (term && v->at + 1 != end)
			return fail(v, "terminator inside a block");
		if (block && !term && v->at + 1 == end)
			return fail(v, "block does not end with a terminator");
	}
	return 0;
}

static int check_block_bounds(struct verify *v, u32 n)
{
	const struct ir_block *b = &v->r->block[n], *o;

	v->at = b->first;
	if (!b->count)
		return fail(v, "empty block");
	if (b->first >= v->r->ninst || b->count > v->r->ninst - b->first)
		return fail(v, "block outside of the region");
	for (o = v->r->block; o < b; o++)
		if (b->first < o->first + o->count && o->first < b->first + b->count)
			return fail(v, "blocks overlap");
	return 0;
}

int ir_verify(const struct ir_region *r, char *buf, size_t len)
{
	struct verify v = { .r = r };
	int err = 0;
	u32 n;

	ir_text_init(&v.out, buf, len);
	if (r->overflow)
		return fail(&v, "the region overflowed");
	if (r->ninst > IR_MAX_INSTS)
		return fail(&v, "too many instructions");
	if (!r->nblock)
		return check_run(&v, 0, r->ninst, false);
	for (n = 0; n < r->nblock && !err; n++) {
		err = check_block_bounds(&v, n);
		if (!err)
			err = check_run(&v, r->block[n].first, r->block[n].first + r->block[n].count, true);
	}
	return err;
}
