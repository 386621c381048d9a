// SPDX-License-Identifier: MIT
/*
 * The pipeline: find the region, lift it to IR, generate code. See translate.h.
 */
#include "translate/translate.h"
#include "ir/build.h"
#include "translate/region.h"

#define MAX_BLOCKS 1000
#define MAX_VCONST 4096

struct scratch {
	struct region region;
	const u8 *bytes;		/* guest bytes at [lo, hi), as last fetched */
	u64 lo, hi;
	struct ir_region ir;
	struct ir_block block[MAX_BLOCKS];
	u64 vconst[MAX_VCONST];
	struct ir_inst inst[IR_MAX_INSTS];
	u8 codegen[];
};

size_t translate_scratch_size(void)
{
	return sizeof(struct scratch) + x64_codegen_scratch_size();
}

static void term(struct ir_region *r, enum ir_op op, u64 target)
{
	ir_op3(r, op, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0, (s64)target);
}

/* Replaces what was lifted for the instruction at pc, from IR instruction `first` on, by its evaluation in the runtime. */
static void make_interp(struct ir_region *r, u32 first, u64 pc, unsigned len)
{
	r->ninst = first;
	ir_op3(r, IR_INSN, IR_VOID, IR_NONE, IR_NONE, IR_NONE, (u16)len, (s64)pc);
	term(r, IR_INTERP, 0);
}

/* One guest instruction. Returns its length; *end: the block is complete. 0: its bytes cannot be read. */
static unsigned lift_one(struct scratch *s, const struct translate_req *req, u64 pc, bool *end)
{
	struct ir_region *r = &s->ir;
	u32 first = r->ninst;
	const void *p;
	unsigned len = 0;

	if (pc < s->lo || pc + req->guest->insn_max > s->hi) {
		size_t avail = 0;

		s->bytes = req->fetch(req->ctx, pc, &avail);
		s->lo = pc;
		s->hi = pc + avail;
		if (avail < req->guest->insn_max)
			return 0;
	}
	p = s->bytes + (pc - s->lo);
	*end = req->guest->lift(r, pc, p, &len) == GUEST_END;
	if (req->interp && !*end) {
		make_interp(r, first, pc, len);
		*end = true;
		return len;
	}
	if (req->slow_fp && req->slow_fp(req->ctx, pc))
		for (u32 k = first; k < r->ninst; k++)
			r->inst[k].flags |= IR_INST_EVAL;
	for (u32 k = first; k < r->ninst; k++)
		if (x64_must_interp(&r->inst[k], &req->opt)) {
			make_interp(r, first, pc, len);
			*end = true;
			break;
		}
	return len;
}

static void lift_block(struct scratch *s, const struct translate_req *req, u64 pc)
{
	struct ir_region *r = &s->ir;
	struct ir_block *b = &r->block[r->nblock++];
	unsigned align = req->guest->insn_align, len;
	bool end = false;

	*b = (struct ir_block){ .first = r->ninst, .pc = pc, .flags = IR_BLOCK_ENTRY };
	while (!end) {
		u64 n = (pc - s->region.base) / align;

		if (!region_has(s->region.insn, n) || (pc != b->pc && region_has(s->region.leader, n))) {
			term(r, IR_GOTO, pc);
			break;
		}
		len = lift_one(s, req, pc, &end);
		if (!len) {
			term(r, IR_GOTO, pc);
			break;
		}
		pc += len;
		if (r->overflow)
			break;
	}
	b->count = r->ninst - b->first;
}

int translate(const struct translate_req *req, struct translate_out *out, void *scratch)
{
	struct scratch *s = scratch;
	struct ir_region *r = &s->ir;
	struct translate_req q = *req;
	int err = region_find(&s->region, req);

	s->lo = s->hi = 0;
	if (err)
		return err;
	*r = (struct ir_region){ .inst = s->inst, .block = s->block, .vconst = s->vconst, .max_inst = IR_MAX_INSTS,
				 .max_block = MAX_BLOCKS, .max_vconst = MAX_VCONST };
	q.opt.flags_dead = region_flags_dead;
	q.opt.ctx = &q;
	for (u64 n = 0; n * req->guest->insn_align < s->region.hi - s->region.base && r->nblock < MAX_BLOCKS; n++)
		if (region_has(s->region.leader, n) && region_has(s->region.insn, n))
			lift_block(s, &q, s->region.base + n * req->guest->insn_align);
	out->pc_lo = s->region.base;
	out->pc_hi = s->region.hi;
	out->ninsns = s->region.ninsns;
	return x64_codegen(req->guest, r, &q.opt, &out->cg, s->codegen);
}
