/* SPDX-License-Identifier: MIT */
/*
 * The intermediate representation between guest and host.
 *
 * A region is an array of instructions in guest order, cut into blocks. A block has one entry and may have several
 * exits (EXIT_*), and ends with a TERM operation. A value is the index of the instruction that makes it; values are
 * used in their own block only: between blocks everything lives in guest slots (GET/SET). What operations mean is
 * written in ops.def.
 *
 * Order is meaning: a SET takes effect where it stands, so that at each guest instruction's start (INSN), and at each
 * operation that may fault, the guest slots hold exactly what the architecture says.
 */
#ifndef IR_IR_H
#define IR_IR_H

#include "base/types.h"

#define IR_NONE 0xffffu			/* an absent operand */
#define IR_MAX_INSTS 60000u		/* of one region: an index fits u16 */

enum ir_op {
#define OP(name, res, args, eff) IR_##name,
#define VOP(name, args, esz, eff) IR_##name,
#include "ir/ops.def"
#undef OP
#undef VOP
	IR_OP_COUNT
};

enum ir_type { IR_VOID, IR_I32, IR_I64, IR_V, IR_F };
enum ir_esize { IR_B, IR_H, IR_S, IR_D, IR_Q };		/* element of 1 << esz bytes */
enum ir_width { IR_WS, IR_W64, IR_W128 };

/* Conditions, with Arm's numbers. */
enum ir_cc {
	IR_EQ, IR_NE, IR_CS, IR_CC, IR_MI, IR_PL, IR_VS, IR_VC,
	IR_HI, IR_LS, IR_GE, IR_LT, IR_GT, IR_LE, IR_AL, IR_NV
};

/* Rounding modes; the first four have Arm's numbers (FPCR.RMode). */
enum ir_round {
	IR_RN,			/* to nearest, ties to even */
	IR_RP,			/* towards plus infinity */
	IR_RM,			/* towards minus infinity */
	IR_RZ,			/* towards zero */
	IR_RA,			/* to nearest, ties away */
	IR_RCUR,		/* as FPCR says */
	IR_RCURX,		/* as FPCR says, and signal inexact (FRINTX) */
};

#define IR_UNSIGNED BIT(16)		/* in the imm of FTOI and its kin */
#define IR_HIGH BIT(8)			/* in the imm of narrowing operations */

/* inst.aux of memory operations. */
#define IR_MEM_SIZE 0x1f
#define IR_MEM_SIGNED 0x20
#define IR_MEM_ACQ 0x40			/* LDAR: may not pass an earlier STLR (a plain load on a TSO host) */
#define IR_MEM_ACQPC 0x80		/* LDAPR */
#define IR_MEM_REL 0x100		/* STLR */

enum ir_fence { IR_FENCE_LD, IR_FENCE_ST, IR_FENCE_FULL };
enum ir_rmw { IR_RMW_ADD, IR_RMW_CLR, IR_RMW_EOR, IR_RMW_SET, IR_RMW_SMAX, IR_RMW_SMIN, IR_RMW_UMAX, IR_RMW_UMIN, IR_RMW_SWP };

enum ir_trap {
	IR_TRAP_UNDEF,			/* SIGILL, ILL_ILLOPC; imm = the word */
	IR_TRAP_BRK,			/* SIGTRAP, TRAP_BRKPT; imm = comment field */
	IR_TRAP_FETCH,			/* the instruction could not be read: SIGSEGV or SIGBUS at pc */
	IR_TRAP_ALIGN,			/* pc not aligned: SIGBUS, BUS_ADRALN */
};

/* RTCALL's imm. a and b are the operands, the result is 0 where none is said. */
enum ir_rt {
	IR_RT_COUNTER,			/* -> the virtual counter (CNTVCT_EL0) */
	IR_RT_GET_FPCR,			/* -> FPCR */
	IR_RT_SET_FPCR,			/* a = new FPCR */
	IR_RT_GET_FPSR,			/* -> FPSR */
	IR_RT_SET_FPSR,			/* a = new FPSR */
	IR_RT_ICINVAL,			/* a = address: the code in its line has changed (IC IVAU) */
	IR_RT_ISB,			/* instruction barrier */
	IR_RT_YIELD,			/* YIELD, WFE: let others run */
	IR_RT_COUNT
};

struct ir_inst {
	u16 op;
	u8 type;			/* enum ir_type of the integer operands and result */
	u8 esz, width;			/* vectors and FP */
	u8 cc;
	u16 aux;
	u16 a, b, c;			/* operands: instruction indices or IR_NONE */
	u16 flags;			/* IR_INST_* */
	s64 imm;
};

#define IR_INST_EVAL 1			/* FP: have the evaluator do it (it traps on the host) */

struct ir_block {
	u32 first, count;		/* instructions [first, first + count) */
	u64 pc;				/* guest address of the first guest instruction */
	u32 flags;			/* IR_BLOCK_* */
};
#define IR_BLOCK_ENTRY 1		/* may be entered from outside the region */

/*
 * A region under construction. The arrays belong to the caller and have the capacities given; when one is full,
 * `overflow` is set, further emissions are dropped, and the region has to be made again, smaller.
 */
struct ir_region {
	struct ir_inst *inst;
	struct ir_block *block;
	u64 *vconst;			/* high halves of VCONSTs, indexed by aux */
	u32 ninst, nblock, nvconst;
	u32 max_inst, max_block, max_vconst;
	bool overflow;
};

struct ir_op_info {
	const char *name;
	char result;			/* N I W S V F */
	const char *args;
	const char *esizes;		/* NULL for OP */
	u32 effects;			/* IR_E_* */
};
#define IR_E_MR 1
#define IR_E_MW 2
#define IR_E_ST 4
#define IR_E_FP 8
#define IR_E_QC 16
#define IR_E_TERM 32
#define IR_E_BR 64

extern const struct ir_op_info ir_op_info[IR_OP_COUNT];

/* --- building (ir/build.h is inline for speed); checking, printing ------------------------------------------------- */

/* 0, or -EINVAL with a description of the first violation in buf. */
int ir_verify(const struct ir_region *r, char *buf, size_t len);
/* Prints the region as text; returns the length that was needed, as snprintf. The text parses back. */
size_t ir_print(const struct ir_region *r, char *buf, size_t len);
/* Reads what ir_print wrote. 0, or -EINVAL with the line's number in *line. */
int ir_parse(struct ir_region *r, const char *text, size_t len, unsigned *line);

#endif
