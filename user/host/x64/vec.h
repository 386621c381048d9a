/* SPDX-License-Identifier: MIT */
/*
 * Selection of host instructions for vector and FP operations. The register allocator (codegen.c) brings operands into xmm
 * registers and says where the result goes; x64_vec() emits the instructions.
 */
#ifndef HOST_X64_VEC_H
#define HOST_X64_VEC_H

#include "host/x64/emit.h"
#include "ir/ir.h"

/* Always free for use inside one x64_vec() call. */
#define X64_VT0 14
#define X64_VT1 15

struct x64_vec_ctx {
	struct x64_buf *b;
	u64 features;			/* HOST_* */
	/*
	 * Returns the (rip-relative) address of a 16-byte constant in the region's pool; 16-aligned.
	 */
	const u8 *(*pool)(struct x64_vec_ctx *x, u64 lo, u64 hi);
	/*
	 * Emits, out of line, behind the region's code: what is between cold_begin and cold_end. Returns where to come back.
	 * The jump to it has been emitted with condition cc by cold_begin.
	 */
	void (*cold_begin)(struct x64_vec_ctx *x, enum x64_cond cc);
	void (*cold_end)(struct x64_vec_ctx *x);
	/* Emits "FPSR.QC = 1" in the guest state; changes nothing else but EFLAGS. Called between cold_begin and cold_end. */
	void (*set_qc)(struct x64_vec_ctx *x);
	/*
	 * Emits the evaluation of i by the runtime (as for X64_VEC_HELPER), between cold_begin and cold_end: d, a, b, c are xmm
	 * registers, d may be X64_VT0 or X64_VT1. All other registers survive but rax, rcx, rdx, rbx and EFLAGS.
	 */
	void (*helper)(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned c);
	bool flags_live;		/* EFLAGS hold guest flags: an expansion that changes EFLAGS must not be used, see x64_vec_info */
	/* For each operand: is everything above the element (IR_WS) or above 64 bits (IR_W64) known to be zero? */
	bool a_zext, b_zext, c_zext;
	/* out: */
	bool d_zext;			/* the result is zero above the element (IR_WS) or above 64 bits (IR_W64) by construction */
};

/* How an operation can be done on this host. */
enum x64_vec_how {
	X64_VEC_NATIVE,			/* x64_vec() emits it */
	X64_VEC_HELPER,			/* through the evaluator (the codegen emits the call) */
};
struct x64_vec_info {
	u8 how;
	bool clobbers_flags;		/* the expansion changes EFLAGS: the allocator saves guest flags first */
	bool needs_gpr;			/* wants general temporaries rax and rcx (free during the call) */
	bool commutes;
};
struct x64_vec_info x64_vec_info(const struct ir_inst *i, u64 features);

/*
 * Emits i (a VOP with vector operands and vector result; not the ones with general-register operands, which have their own
 * functions below). d may be the same register as any operand; operands do not change unless they are d. d is written last:
 * after the last instruction of the expansion that can trap. The result follows ops.def: zero above i->width. With AVX-512,
 * mask register k1 is a temporary.
 */
void x64_vec(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned c);

/*
 * AESMC(AESE(a, b)), or AESIMC(AESD(a, b)), in one: much better than each alone. Needs HOST_AES.
 */
void x64_vec_aes_round(struct x64_vec_ctx *x, bool decrypt, unsigned d, unsigned a, unsigned b);

/* The same with mixed registers: VDUP, VINS, ITOFG (g = general source), VEXTU, VEXTS, FTOIG, FJCVT (g = general destination). */
void x64_vec_from_gpr(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned g);
void x64_vec_to_gpr(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned g, unsigned a);
/* UCOMIS/COMIS of a with b (FL_FCMP): EFLAGS as after it. */
void x64_vec_fcmp(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b);
/* A vector constant into d: cheapest way. */
void x64_vec_const(struct x64_vec_ctx *x, unsigned d, u64 lo, u64 hi);
void x64_vec_mov(struct x64_vec_ctx *x, unsigned d, unsigned s);
/* Memory: sizes 1 2 4 8 16, loads zero the rest. With AVX512 d/s may be 16..31. */
void x64_vec_load(struct x64_vec_ctx *x, unsigned size, unsigned d, struct x64_mem m);
void x64_vec_store(struct x64_vec_ctx *x, unsigned size, unsigned s, struct x64_mem m);
void x64_vec_load_lane(struct x64_vec_ctx *x, unsigned size, unsigned lane, unsigned d, unsigned a, struct x64_mem m);
void x64_vec_store_lane(struct x64_vec_ctx *x, unsigned size, unsigned lane, unsigned s, struct x64_mem m);

#endif
