// SPDX-License-Identifier: MIT
/*
 * Control: branches inside the region, exits to known and computed guest addresses, calls and returns, calls into the
 * runtime. What the runtime's entry points expect stands in abi.h.
 */
#include "host/x64/cg.h"

static bool flags_in_eflags(const struct cg *c)
{
	return c->flags_at != CG_FLAGS_MEM && c->flags_at != CG_FLAGS_DEAD;
}

/* May the code at target read the guest's flags as they are now? */
static bool target_wants_flags(struct cg *c, u64 target, bool call)
{
	u32 own = call ? 0xffff : cg_own_block(c, target);

	if (own != 0xffff)
		return c->block_live[own];
	return !(c->opt->flags_dead && c->opt->flags_dead(c->opt->ctx, target));
}

/* EFLAGS are about to be used for a test whose outcome may lead to target: guest flags that somebody wants are saved. */
static void flags_before_test(struct cg *c, u64 target)
{
	if (flags_in_eflags(c)) {
		if (cg_flags_live(c) || target_wants_flags(c, target, false))
			cg_flags_sync(c);
		else
			c->flags_at = CG_FLAGS_DEAD;
	}
	c->flags_val = IR_NONE;		/* EFLAGS may be a copy of what is in memory, too */
}

/*
 * Is the code behind this call one that reads the callee's flags? Or what merely follows a call that does not return: so
 * nothing is done about it before the call is really made.
 */
static bool reads_flags_after_call(const struct cg *c)
{
	return !c->opt->strict_flags && c->block + 1 < c->r->nblock &&
	       c->r->block[c->block + 1].pc == c->pc + c->pc_len && c->block_live[c->block + 1] == CG_FLAGS_READ;
}

/*
 * Emits a jump (cc < 0), conditional jump or call to guest address target. Flags that the target wants and that are in
 * EFLAGS are saved on the way, out of line.
 */
static void jump_to(struct cg *c, int cc, bool call, u64 target)
{
	bool strict = call && reads_flags_after_call(c);
	static const u8 nop[4][3] = { { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 } };
	u32 own = call ? 0xffff : cg_own_block(c, target);
	bool save = flags_in_eflags(c) && target_wants_flags(c, target, call);
	struct cg_stub *s;
	u8 *disp;

	if (own == 0xffff) {
		/* the displacement will be patched while others run it: keep it inside 8 aligned bytes */
		unsigned op = cc < 0 ? 1 : 2, at = ((uintptr_t)c->b.p + op) & 7, pad = at > 4 ? 8 - at : 0;

		__builtin_memcpy(c->b.p, nop[pad], pad);
		c->b.p += pad;
	}
	if (call) {
		x64_b(&c->b, 0xe8);
		x64_d(&c->b, 0);
		disp = c->b.p - 4;
	} else {
		disp = cc < 0 ? x64_jmp32(&c->b) : x64_jcc32(&c->b, (enum x64_cond)cc);
	}
	if (own != 0xffff && !save) {
		if (c->block_addr[own]) {
			x64_patch32(disp, c->block_addr[own]);
		} else if (c->nfixup < CG_MAX_FIXUP) {
			c->fixup[c->nfixup++] = (struct cg_fixup){ .disp = disp, .block = own };
		} else {
			c->full = true;
		}
		return;
	}
	if (c->nstub >= CG_MAX_STUB) {
		c->full = true;
		return;
	}
	s = &c->stub[c->nstub++];
	*s = (struct cg_stub){ .disp = disp, .target = target, .flags_at = save ? c->flags_at : CG_FLAGS_MEM,
			       .site_flags = (call ? X64_SITE_CALL : 0) | (strict ? X64_SITE_STRICT : 0),
			       .block = (u16)own };
}

static void jump_if(struct cg *c, int n, const enum x64_cond *x, bool all, u64 target)
{
	if (n < 0) {
		jump_to(c, -1, false, target);
	} else if (n == 2 && all) {
		u8 *skip = x64_jcc8(&c->b, x[0] ^ 1);

		jump_to(c, x[1], false, target);
		x64_patch8(&c->b, skip);
	} else {
		for (int k = 0; k < n; k++)
			jump_to(c, x[k], false, target);
	}
}

static void exit_cc(struct cg *c, const struct ir_inst *i)
{
	enum x64_cond x[2];
	bool all;
	u8 kind = cg_flags_use(c, i->a);
	int n = cg_conds(c, &kind, (enum ir_cc)i->cc, x, &all);

	jump_if(c, n, x, all, (u64)i->imm);
}

/* Tests of a register. Guest flags are usually dead or in memory here; if not, they are saved first. */
static void exit_reg(struct cg *c, const struct ir_inst *i)
{
	unsigned w = cg_w(i), a;
	struct x64_mem m;
	enum x64_cond cc;

	if (i->op == IR_EXIT_Z || i->op == IR_EXIT_NZ) {
		cc = i->op == IR_EXIT_Z ? X64_E : X64_NE;
		if (cg_in_mem(c, i->a, &m) && (!w || c->r->inst[cg_canon(c, i->a)].type == IR_I64)) {
			flags_before_test(c, (u64)i->imm);
			x64_alu_mi(&c->b, X64_CMP, w, m, 0);
		} else {
			a = cg_use(c, i->a);
			flags_before_test(c, (u64)i->imm);
			x64_test_rr(&c->b, w, a, a);
		}
	} else {
		bool set = i->op == IR_EXIT_BS;
		unsigned bit = i->aux;

		a = cg_use(c, i->a);
		flags_before_test(c, (u64)i->imm);
		cc = set ? X64_NE : X64_E;
		if (bit == (w ? 63u : 31u)) {
			x64_test_rr(&c->b, w, a, a);
			cc = set ? X64_S : X64_NS;
		} else if (bit == 31) {
			x64_test_rr(&c->b, 0, a, a);
			cc = set ? X64_S : X64_NS;
		} else if (bit < 31) {
			x64_test_ri(&c->b, 0, a, (s32)(1u << bit));
		} else {
			x64_rr(&c->b, 0x0fba, 1, 4, a);		/* bt */
			x64_b(&c->b, bit);
			cc = set ? X64_B : X64_AE;
		}
	}
	jump_if(c, 1, &cc, false, (u64)i->imm);
}

static struct x64_mem fn(unsigned k)
{
	return cg_host_mem(X64_FN + 8 * (int)k);
}

/* jne to the stub that looks rax up. */
static void else_lookup(struct cg *c)
{
	if (c->nlookup == CG_MAX_LOOKUP) {
		u8 *skip = x64_jcc8(&c->b, X64_E);

		x64_jmp_m(&c->b, fn(X64_FN_LOOKUP));
		x64_patch8(&c->b, skip);
		return;
	}
	c->lookup_jcc[c->nlookup++] = x64_jcc32(&c->b, X64_NE);
}

/* Guest address a to rax. */
static void target_to_rax(struct cg *c, u16 a)
{
	struct x64_mem m;
	unsigned reg;

	cg_take(c, RAX);
	if (cg_in_mem(c, a, &m)) {
		x64_ld(&c->b, 1, RAX, m);
		return;
	}
	reg = cg_use(c, a);
	if (reg != RAX)
		x64_mov(&c->b, 1, RAX, reg);
}

/* Looks rax up in the jump cache: rcx * 4 is the entry's offset. */
static void jcache(struct cg *c)
{
	x64_mov(&c->b, 0, RCX, RAX);
	x64_alu_ri(&c->b, X64_AND, 0, RCX, (X64_JCACHE_ENTRIES - 1) << 2);
	x64_alu_mr(&c->b, X64_CMP, 1, RAX, x64_mi(RBP, RCX, 2, X64_JCACHE_OFF - X64_BIAS));
}

static struct x64_mem jcache_host(void)
{
	return x64_mi(RBP, RCX, 2, X64_JCACHE_OFF - X64_BIAS + 8);
}

/*
 * Where the callee's host RET comes back, with the guest address that it returns to in rax. If that is not ours (longjmp,
 * a changed link register), look it up.
 */
static void landing(struct cg *c, u64 ret)
{
	struct cg_out *o = c->out;

	if (o->nretsite >= o->max_retsite) {
		c->full = true;
		return;
	}
	o->retsite[o->nretsite++] = (u32)(c->b.p - c->b.start);
	if ((s64)ret == (s32)ret && !c->opt->relative) {
		x64_alu_ri(&c->b, X64_CMP, 1, RAX, (s32)ret);
	} else {
		cg_gaddr(c, &c->b, 1, RCX, ret);
		x64_alu_rr(&c->b, X64_CMP, 1, RAX, RCX);
	}
	else_lookup(c);
}

/* What follows this block in the code is the block at pc, or a jump there. */
static void go_on(struct cg *c, u64 pc)
{
	if (c->block + 1 < c->r->nblock && c->r->block[c->block + 1].pc == pc) {
		if (c->block_live[c->block + 1])
			cg_flags_sync(c);
		return;
	}
	jump_to(c, -1, false, pc);
}

static void icall(struct cg *c, const struct ir_inst *i)
{
	u8 *miss, *back;

	target_to_rax(c, i->a);
	cg_flags_sync(c);
	if (reads_flags_after_call(c)) {
		x64_call_m(&c->b, fn(X64_FN_LOOKUP_STRICT));
		landing(c, c->pc + c->pc_len);
		c->flags_at = CG_FLAGS_MEM;
		go_on(c, c->pc + c->pc_len);
		return;
	}
	jcache(c);
	miss = x64_jcc8(&c->b, X64_NE);
	x64_call_m(&c->b, jcache_host());
	landing(c, c->pc + c->pc_len);
	back = x64_jmp8(&c->b);
	x64_patch8(&c->b, miss);
	x64_call_m(&c->b, fn(X64_FN_LOOKUP));
	landing(c, c->pc + c->pc_len);
	x64_patch8(&c->b, back);
	c->flags_at = CG_FLAGS_MEM;
	go_on(c, c->pc + c->pc_len);
}

/*
 * A computed jump while EFLAGS hold guest flags that may be wanted: nearly always they are not, so they are not saved here
 * but where the target does want them. The look-up must leave EFLAGS alone. false: flags are of a kind that cannot wait.
 */
static bool igoto_with_flags(struct cg *c, const struct ir_inst *i)
{
	u8 *hit;

	if (c->flags_at == CG_FLAGS_ADD)
		x64_b(&c->b, 0xf5);			/* cmc: as after a subtraction */
	else if (c->flags_at != CG_FLAGS_SUB)
		return false;
	target_to_rax(c, i->a);
	x64_rr(&c->b, 0x0fb7, 0, RDX, RAX);		/* movzx edx, ax */
	x64_ld(&c->b, 1, RCX, x64_mi(RBP, RDX, 2, X64_JFLAGS_OFF - X64_BIAS));
	x64_lea(&c->b, 1, RCX, x64_mi(RCX, RAX, 0, 0));
	x64_b(&c->b, 0xe3);				/* jrcxz */
	x64_b(&c->b, 0);
	hit = c->b.p - 1;
	x64_mov(&c->b, 1, RCX, RAX);
	cg_flags_store(&c->b, CG_FLAGS_SUB);
	x64_mov(&c->b, 1, RAX, RCX);
	x64_jmp_m(&c->b, fn(X64_FN_LOOKUP_FLAGS));
	x64_patch8(&c->b, hit);
	x64_jmp_m(&c->b, x64_mi(RBP, RDX, 2, X64_JFLAGS_OFF - X64_BIAS + 8));
	return true;
}

void cg_control(struct cg *c, const struct ir_inst *i)
{
	u64 next = c->pc + c->pc_len;

	switch (i->op) {
	case IR_EXIT_CC: exit_cc(c, i); break;
	case IR_EXIT_Z:
	case IR_EXIT_NZ:
	case IR_EXIT_BC:
	case IR_EXIT_BS: exit_reg(c, i); break;
	case IR_GOTO: go_on(c, (u64)i->imm); break;
	case IR_CALL:
		jump_to(c, -1, true, (u64)i->imm);
		landing(c, next);
		c->flags_at = CG_FLAGS_MEM;
		go_on(c, next);
		break;
	case IR_IGOTO:
		if ((i->aux == 0 || c->opt->strict_flags) && flags_in_eflags(c) && igoto_with_flags(c, i))
			break;
		if (i->aux == 0 || c->opt->strict_flags)
			cg_flags_sync(c);
		target_to_rax(c, i->a);
		jcache(c);
		if (i->aux == 0) {
			u8 *hit = x64_jcc8(&c->b, X64_E);

			x64_jmp_m(&c->b, fn(X64_FN_LOOKUP_FLAGS));
			x64_patch8(&c->b, hit);
		} else {
			else_lookup(c);
		}
		x64_jmp_m(&c->b, jcache_host());
		break;
	case IR_ICALL: icall(c, i); break;
	case IR_RET:
		if (c->opt->strict_flags)
			cg_flags_sync(c);
		target_to_rax(c, i->a);
		x64_b(&c->b, 0xc3);
		break;
	case IR_SYSCALL:
		cg_flags_sync(c);
		cg_gaddr(c, &c->b, 1, RAX, next);
		x64_movi(&c->b, RDX, (u64)i->imm);
		x64_call_m(&c->b, fn(X64_FN_SYSCALL));
		c->flags_at = CG_FLAGS_MEM;
		go_on(c, next);
		break;
	case IR_TRAP:
		cg_flags_sync(c);
		cg_gaddr(c, &c->b, 1, RAX, c->pc);
		x64_movi(&c->b, RCX, i->cc);
		x64_movi(&c->b, RDX, (u32)i->imm);
		x64_call_m(&c->b, fn(X64_FN_TRAP));
		break;
	case IR_INTERP:
		cg_flags_sync(c);
		cg_gaddr(c, &c->b, 1, RAX, c->pc);
		x64_jmp_m(&c->b, fn(X64_FN_INTERP));
		break;
	}
}

void cg_rtcall(struct cg *c, const struct ir_inst *i)
{
	cg_clobber_flags(c);
	if (i->a != IR_NONE) {
		cg_take(c, RCX);
		x64_mov(&c->b, 1, RCX, cg_use(c, i->a));
	}
	if (i->b != IR_NONE) {
		cg_take(c, RDX);
		x64_mov(&c->b, 1, RDX, cg_use(c, i->b));
	}
	c->pinned |= 1u << RCX | 1u << RDX;
	cg_spill_temps(c);
	x64_movi(&c->b, RAX, (u64)i->imm);
	cg_gaddr(c, &c->b, 1, RBX, c->pc);
	x64_call_m(&c->b, fn(X64_FN_RTCALL));
	cg_def(c, c->cur, RAX, false);
}

static void align8(struct x64_buf *b)
{
	while ((uintptr_t)b->p & 7)
		x64_b(b, 0xcc);
}

static void exit_stub(struct cg *c, const struct cg_stub *s)
{
	struct cg_out *o = c->out;
	struct x64_buf *b = &c->cold;
	u8 *stub = b->p, *tail = NULL, *lea = NULL;
	struct x64_site *site;

	if (s->flags_at != CG_FLAGS_MEM) {
		cg_flags_store(b, s->flags_at);
		while ((((uintptr_t)b->p + 1) & 7) > 4)
			x64_b(b, 0x90);
		tail = x64_jmp32(b);		/* to the next instruction, until it is linked */
	}
	cg_gaddr(c, b, 1, RAX, s->target);
	if (!c->opt->relative || (s->site_flags & X64_SITE_STRICT)) {
		x64_lea(b, 1, RCX, x64_mrip(b->p));	/* patched below */
		lea = b->p - 4;
	}
	x64_jmp_m(b, fn(lea ? X64_FN_LINK : X64_FN_EXIT));
	align8(b);
	site = (struct x64_site *)b->p;
	b->p += sizeof(*site);
	if (lea)
		x64_patch32(lea, (u8 *)site);
	x64_patch32(s->disp, stub);
	site->disp = (s32)(s->disp - (u8 *)site);
	site->tail = tail ? (s32)(tail - (u8 *)site) : 0;
	site->stub = (s32)(stub - (u8 *)site);
	site->flags = s->site_flags;
	if (o->nsite >= o->max_site) {
		c->full = true;
		return;
	}
	if (o->site_target)
		o->site_target[o->nsite] = s->target;
	o->site[o->nsite++] = (u32)((u8 *)site - c->cold.start);
}

void cg_finish_stubs(struct cg *c)
{
	for (u32 k = 0; k < c->nfixup; k++)
		x64_patch32(c->fixup[k].disp, c->block_addr[c->fixup[k].block]);
	if (c->nlookup) {
		for (u32 k = 0; k < c->nlookup; k++)
			x64_patch32(c->lookup_jcc[k], c->cold.p);
		x64_jmp_m(&c->cold, fn(X64_FN_LOOKUP));
	}
	for (u32 k = 0; k < c->nstub && !c->full; k++) {
		const struct cg_stub *s = &c->stub[k];

		if (x64_full(&c->cold)) {
			c->full = true;
		} else if (s->block == 0xffff) {
			exit_stub(c, s);
		} else {
			x64_patch32(s->disp, c->cold.p);
			cg_flags_store(&c->cold, s->flags_at);
			x64_patch32(x64_jmp32(&c->cold), c->block_addr[s->block]);
		}
	}
}
