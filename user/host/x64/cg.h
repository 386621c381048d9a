/* SPDX-License-Identifier: MIT */
/*
 * The code generator's own state, shared by the files that make it up:
 *   codegen.c   analysis of a region, the loop over its instructions
 *   cg_regs.c   where values are: homes, temporaries, memory
 *   cg_flags.c  guest flags in EFLAGS or memory; conditions
 *   cg_int.c    integer operations        cg_mem.c  memory        cg_vec.c  vectors        cg_ctrl.c  exits
 */
#ifndef HOST_X64_CG_H
#define HOST_X64_CG_H

#include "codegen/host.h"
#include "host/x64/abi.h"
#include "host/x64/emit.h"
#include "host/x64/vec.h"
#include "ir/ir.h"

#define CG_MAX_SLOTS 96
#define CG_TEMPS (1u << RAX | 1u << RCX | 1u << RDX | 1u << RBX)
#define CG_VTEMPS (1u << 11 | 1u << 12 | 1u << 13)
#define CG_NSPILL 24			/* words; the rest of the spill area is scratch of expansions */
#define CG_SPILL_SCRATCH 24
#define CG_NVSPILL 16

enum cg_where { CG_NOWHERE, CG_CONST, CG_REG, CG_SLOT, CG_SPILL };

/* What is known of a value. */
struct cg_val {
	u16 last;			/* last instruction that needs it */
	u16 canon;			/* the value that it is the same as (itself, mostly) */
	u8 reg;				/* register that holds it, or X64_NOREG */
	u8 mem;				/* CG_SLOT, CG_SPILL or CG_NOWHERE: memory that holds it too */
	u16 memidx;
	u8 zext;			/* integers: bits above 32 are zero in reg; vectors: bytes that may be non-zero (4 8 16) */
	u8 fold;			/* is not emitted: part of its user */
	u8 fuse;			/* SUB & co.: must set EFLAGS for the FL_ op that follows; FL_: is set by its partner */
	u8 dead;
	u16 hint;			/* slot that it will be SET to, before anything can fault; or 0xffff */
	u16 set_at;			/* that SET */
	u16 uses;
};

struct cg_fixup {			/* a jump inside the region whose target is not yet emitted */
	u8 *disp;
	u32 block;
};

struct cg_stub {			/* an exit of the region */
	u8 *disp;			/* rel32 in the hot code */
	u64 target;
	u8 flags_at;			/* where flags are at the jump; MEM when they need no saving */
	u8 site_flags;			/* X64_SITE_* */
	u16 block;			/* 0xffff: leaves the region; else an own block that wants flags in memory */
};

struct cg_pass {			/* a block hands the flags that it is entered with to another one of the region */
	u16 block, to;
};
#define CG_MAX_PASS 4096

struct cg {
	struct x64_buf b;		/* hot */
	struct x64_buf cold;
	u8 *pool_top, *pool_lo;
	const struct guest *g;
	struct ir_region *r;
	const struct cg_options *opt;
	struct cg_out *out;
	u64 features;
	u64 region_pc;
	bool full;

	u32 cur, block;			/* instruction and block being emitted */
	u64 pc;				/* guest instruction */
	unsigned pc_len;
	u32 pinned, vpinned;		/* registers that the current instruction uses */
	u16 gpr_val[16];		/* value in each temporary; for homes the value that is the slot's content */
	u16 vec_val[32];
	u16 slot_val[CG_MAX_SLOTS];	/* value that equals the slot now, or IR_NONE */
	u32 spill_free, vspill_free;
	u8 home[CG_MAX_SLOTS];		/* host register of a slot, or X64_NOREG */

	u8 flags_at;			/* enum cg_flags_at of the guest's current flags */
	u16 flags_val;			/* F value that EFLAGS hold, or IR_NONE */
	u32 flags_last;			/* last instruction that needs the guest's current flags */

	struct cg_val *val;		/* by instruction */
	u8 **block_addr;		/* host address of each block, NULL: not yet */
	u8 *block_live;			/* flags live at its start */
	struct cg_pass *pass;
	u32 npass;
	u16 *block_at;			/* block that starts at an instruction of the window, or 0xffff */
	u32 block_span;
	u8 pc_shift;
	struct cg_fixup *fixup;
	struct cg_stub *stub;
	u32 nfixup, nstub;
	struct x64_vec_ctx vx;
	u8 *lookup_jcc[64];		/* rel32s of jumps to the region's common look-up stub */
	u32 nlookup;
};
#define CG_WINDOW 4096			/* instructions that a region can span */
#define CG_MAX_FIXUP 2048
#define CG_MAX_STUB 2048
#define CG_MAX_BLOCK 1024
#define CG_MAX_LOOKUP 64

/* The region's block that starts at pc, or 0xffff. */
static inline u32 cg_own_block(const struct cg *c, u64 pc)
{
	u64 n = (pc - c->region_pc) >> c->pc_shift;

	return n < c->block_span && c->r->block[c->block_at[n] == 0xffff ? 0 : c->block_at[n]].pc == pc ? c->block_at[n] : 0xffff;
}

/* --- cg_regs.c */
void cg_block_begin(struct cg *c);
/* Canonical value. */
static inline u16 cg_canon(struct cg *c, u16 v)
{
	while (c->val[v].canon != v)
		v = c->val[v].canon;
	return v;
}
static inline struct cg_val *cg_v(struct cg *c, u16 v)
{
	return &c->val[cg_canon(c, v)];
}
static inline bool cg_is_const(struct cg *c, u16 v, s64 *imm)
{
	const struct ir_inst *i = &c->r->inst[cg_canon(c, v)];

	if (i->op != IR_CONST && (i->op != IR_GADDR || c->opt->relative))
		return false;
	*imm = i->imm;
	return true;
}
/* Is it made again rather than kept: constants, guest addresses? */
static inline bool cg_is_made(const struct cg *c, u16 id)
{
	return c->r->inst[id].op == IR_CONST || c->r->inst[id].op == IR_GADDR;
}
static inline bool cg_is_imm32(struct cg *c, u16 v, enum ir_type t, s32 *imm)
{
	s64 k;

	if (!cg_is_const(c, v, &k))
		return false;
	if (t == IR_I32)
		k = (s32)k;
	if (k != (s32)k)
		return false;
	*imm = (s32)k;
	return true;
}
/* Guest address to a register of that width, in code at b; EFLAGS stay. */
void cg_gaddr_relative(struct cg *c, struct x64_buf *b, unsigned w, unsigned reg, u64 addr);
static inline void cg_gaddr(struct cg *c, struct x64_buf *b, unsigned w, unsigned reg, u64 addr)
{
	if (c->opt->relative)
		cg_gaddr_relative(c, b, w, reg, addr);
	else
		x64_movi(b, reg, w ? addr : (u32)addr);
}
/* Value in a general register (pinned until the end of the instruction). */
unsigned cg_use(struct cg *c, u16 v);
/* Is it in memory only (slot or spill)? Then its address. */
bool cg_in_mem(struct cg *c, u16 v, struct x64_mem *m);
/* A free temporary, pinned; evicts when needed. prefer: register number or X64_NOREG. */
unsigned cg_temp(struct cg *c);
/* Makes this very temporary free (its value moves elsewhere), and pins it. */
void cg_take(struct cg *c, unsigned reg);
void cg_untake(struct cg *c, unsigned reg);
/* Register for the result of the current instruction: the home that it is to be SET to, a dying operand's, or a temporary. */
unsigned cg_dest(struct cg *c, u16 v, u16 reuse);
/* The result is in reg. zext: its upper 32 bits are zero. */
void cg_def(struct cg *c, u16 v, unsigned reg, bool zext);
/* Values that die with the current instruction give their temporaries back. */
void cg_release(struct cg *c);
void cg_get(struct cg *c, const struct ir_inst *i);
void cg_set(struct cg *c, const struct ir_inst *i);
/* All general temporaries to memory: before calls into the runtime. */
void cg_spill_temps(struct cg *c);
/* Vectors, the same. */
unsigned cg_vuse(struct cg *c, u16 v);
unsigned cg_vtemp(struct cg *c);
unsigned cg_vdest(struct cg *c, u16 v, u16 reuse);
void cg_vdef(struct cg *c, u16 v, unsigned reg, unsigned zbytes);
void cg_vget(struct cg *c, const struct ir_inst *i);
void cg_vset(struct cg *c, const struct ir_inst *i);
static inline struct x64_mem cg_slot_mem(struct cg *c, unsigned slot)
{
	return x64_m(RBP, (s32)c->g->slot[slot].offset - X64_BIAS);
}
static inline struct x64_mem cg_host_mem(s32 off)
{
	return x64_m(RBP, off - X64_BIAS);
}

/* --- cg_flags.c */
/* The next host instruction changes EFLAGS: saves guest flags that are still needed. */
void cg_clobber_flags(struct cg *c);
static inline bool cg_flags_live(struct cg *c)
{
	return c->flags_at != CG_FLAGS_MEM && c->flags_at != CG_FLAGS_DEAD && c->flags_last > c->cur;
}
/* Guest flags to memory, if they are in EFLAGS. */
void cg_flags_sync(struct cg *c);
/* NZCV from bits 31..28 of a register to memory, as F value v. */
void cg_flags_from(struct cg *c, u16 v, unsigned reg);
/* EFLAGS hold value v with this kind from here on. */
void cg_flags_def(struct cg *c, u16 v, u8 kind);
/* Brings F value v into EFLAGS; returns the kind. */
u8 cg_flags_use(struct cg *c, u16 v);
u8 cg_flags_use_carry(struct cg *c, u16 v);
/* x86 condition(s) for cc: returns 1 or 2 conditions; *all: both must hold (else: any). May emit CMC. n = 0: never, -1: always. */
int cg_conds(struct cg *c, u8 *kind, enum ir_cc cc, enum x64_cond out[2], bool *all);
void cg_fget(struct cg *c, const struct ir_inst *i);
void cg_fset(struct cg *c, const struct ir_inst *i);
void cg_fl_op(struct cg *c, const struct ir_inst *i);
void cg_select(struct cg *c, const struct ir_inst *i);
void cg_cset(struct cg *c, const struct ir_inst *i);
void cg_vselect(struct cg *c, const struct ir_inst *i);
/* --- the others: one instruction each */
void cg_int(struct cg *c, const struct ir_inst *i);
void cg_mem(struct cg *c, const struct ir_inst *i);
void cg_vecop(struct cg *c, const struct ir_inst *i);
void cg_control(struct cg *c, const struct ir_inst *i);
void cg_rtcall(struct cg *c, const struct ir_inst *i);
void cg_vec_init(struct cg *c);
u32 cg_aes_pair(struct cg *c, u32 n, u32 end);
void cg_finish_stubs(struct cg *c);
/* Address operand of memory instruction i, with what was folded into it. Registers are pinned. */
struct x64_mem cg_addr(struct cg *c, const struct ir_inst *i);
/* Runs the evaluator on i: operands and result through the host block. */
void cg_helper(struct cg *c, const struct ir_inst *i);

/*
 * Does the operation, as it is made here, trap on denormal operands and results when these traps are on, before it
 * wrote anything? (Conversions to integers do not.)
 */
static inline bool cg_fp_traps_denormals(const struct ir_inst *i)
{
	switch (i->op) {
	case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FNMUL: case IR_FDIV: case IR_FSQRT: case IR_FMA:
	case IR_FL_FCMP: case IR_FCMEQ: case IR_FCMGE: case IR_FCMGT: case IR_ITOF: case IR_ITOFG:
		return true;
	case IR_FCVT:
		return i->esz != IR_H && i->imm != IR_H;
	default:
		return false;
	}
}

/* Is this FP operation the evaluator's, by the guest's mode or because it keeps trapping here? */
static inline bool cg_fp_evaluated(const struct cg_options *opt, const struct ir_inst *i)
{
	return opt->strict_fp || (i->flags & IR_INST_EVAL) || (opt->flush_fp && !cg_fp_traps_denormals(i));
}

static inline unsigned cg_w(const struct ir_inst *i)
{
	return i->type == IR_I64;
}

#endif
