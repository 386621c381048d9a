/* SPDX-License-Identifier: MIT */
/*
 * Shared by the vec*.c files: the description of how an operation is selected, the emitting primitives, and the emit
 * functions themselves, by file.
 */
#ifndef HOST_X64_VEC_IMPL_H
#define HOST_X64_VEC_IMPL_H

#include "codegen/host.h"
#include "host/x64/emit_vec.h"
#include "host/x64/vec.h"

#define T0 X64_VT0
#define T1 X64_VT1

#define X64_VEC_ARGS struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned c

/* Sets of element sizes. */
#define EB 1
#define EH 2
#define ES 4
#define ED 8
#define EQ 16
#define EBHS (EB | EH | ES)
#define EALL (EB | EH | ES | ED)
#define ESD (ES | ED)

/* x64_vec_op.flags */
#define F_FL 1				/* changes EFLAGS */
#define F_GPR 2				/* uses rax, rcx */
#define F_GPR_512 4			/* ... for doubles only, and not with AVX-512 */
#define F_GPR_BH 8			/* ... for bytes and halfwords only */
#define F_COMM 16

/* How an operation is done: a function, for which element sizes it serves in each class, and its opcodes by esz. */
struct x64_vec_op {
	void (*emit)(X64_VEC_ARGS);
	u8 v2, v3, v4;			/* element sizes that are native */
	u8 flags;
	u16 need;			/* HOST_* that it needs in every class */
	u32 arg;
	u32 opc[4];
};
extern const struct x64_vec_op x64_vec_ops[IR_OP_COUNT];

static inline bool has(const struct x64_vec_ctx *x, u64 f)
{
	return (x->features & f) == f;
}

static inline bool vavx(const struct x64_vec_ctx *x)
{
	return x->features & HOST_AVX;
}

static inline bool v512(const struct x64_vec_ctx *x)
{
	return x->features & HOST_AVX512;
}

static inline const struct x64_vec_op *vdesc(const struct ir_inst *i)
{
	return &x64_vec_ops[i->op];
}

/* --- vec_enc.c: d = op(...), in the encoding that fits ---------------------------------------- */
void x64_v2(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned s);
void x64_v2i(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned s, u8 imm);
void x64_v3(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b);
void x64_v3i(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b, u8 imm);
/* As x64_v3, but d is never written before the operation, which may trap; a temporary `a` may be lost (legacy SSE only). */
void x64_v3f(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b);
void x64_v3fi(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, unsigned b, u8 imm);
/* The last operand is a 16-byte constant. */
void x64_v3c(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 lo, u64 hi);
void x64_v3ci(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 lo, u64 hi, u8 imm);
/* The same with one 64-bit pattern in both halves, or in those within i->width. */
void x64_v3cc(struct x64_vec_ctx *x, u32 o, unsigned d, unsigned a, u64 v);
/* Register and memory operand; n bytes. */
void x64_vmem(struct x64_vec_ctx *x, u32 o, unsigned reg, unsigned v, struct x64_mem m, int imm, unsigned n);
void x64_vsh(struct x64_vec_ctx *x, u32 group, unsigned ext, unsigned d, unsigned s, unsigned n);
void x64_vmov(struct x64_vec_ctx *x, unsigned d, unsigned s);
void x64_vzero(struct x64_vec_ctx *x, unsigned d);
void x64_vones(struct x64_vec_ctx *x, unsigned d);
void x64_vload_c(struct x64_vec_ctx *x, unsigned d, u64 lo, u64 hi);
/* A register below 16 with s's value: s itself or t. */
unsigned x64_vlow(struct x64_vec_ctx *x, unsigned s, unsigned t);
/* d = lanes a == b / a > b (signed): all ones or zero. */
void x64_vcmpeq(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b);
void x64_vcmpgt(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned a, unsigned b);
/* EVEX: compare to a mask (o: opcode with predicate imm), spread over d's lanes. */
void x64_vkcmp(struct x64_vec_ctx *x, u32 o, unsigned esz, unsigned d, unsigned a, unsigned b, int imm);
/* d = sign of mask's lane ? t : f. AVX only. */
void x64_vblend(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned f, unsigned t, unsigned mask);
/* d = s with everything above the width zeroed; esz: the result's element. */
void x64_vfin(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned d, unsigned s);
/* d = s if `zext`, else as x64_vfin. */
void x64_vfin_z(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned d, unsigned s, bool zext);
/* Sets QC when a lane within the width is not zero in t. Changes EFLAGS. */
void x64_vqc(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned esz, unsigned t, u64 lanemask);

/*
 * d = T0, the result of an operation that seldom saturates: when one of T1's lanes within the width has its sign bit set, the
 * evaluator does all of it. Changes EFLAGS.
 */
void x64_vrare(X64_VEC_ARGS);

/* Shifts of whole lanes by n (1..size; a shift by the size gives zero or sign). d may be s; t: a temporary, not s or d. */
void x64_vshl(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n);
void x64_vshr(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n);
void x64_vsar(struct x64_vec_ctx *x, unsigned esz, unsigned d, unsigned s, unsigned n, unsigned t);

/* v repeated in 64 bits. */
static inline u64 vrep(unsigned esz, u64 v)
{
	static const u64 mul[4] = { 0x0101010101010101ull, 0x0001000100010001ull, 0x0000000100000001ull, 1 };

	return (esz == IR_D ? v : v & ((1ull << (8u << esz)) - 1)) * mul[esz];
}

static inline u64 vsignbits(unsigned esz)
{
	return vrep(esz, 1ull << ((8u << esz) - 1));
}

/* Masks of what lies within the width. */
static inline u64 vwidth_lo(const struct ir_inst *i, unsigned esz)
{
	return i->width == IR_WS && esz < IR_D ? (1ull << (8u << esz)) - 1 : ~0ull;
}

static inline u64 vwidth_hi(const struct ir_inst *i)
{
	return i->width == IR_W128 ? ~0ull : 0;
}

/* --- emit functions --------------------------------------------------------------------------- */
/* vec_int.c */
void x64_vi_bin(X64_VEC_ARGS);
void x64_vi_not(X64_VEC_ARGS);
void x64_vi_bic(X64_VEC_ARGS);
void x64_vi_orn(X64_VEC_ARGS);
void x64_vi_bsl(X64_VEC_ARGS);
void x64_vi_mul(X64_VEC_ARGS);
void x64_vi_mla(X64_VEC_ARGS);
void x64_vi_neg(X64_VEC_ARGS);
void x64_vi_abs(X64_VEC_ARGS);
void x64_vi_abd(X64_VEC_ARGS);
void x64_vi_hadd(X64_VEC_ARGS);
void x64_vi_hsub(X64_VEC_ARGS);
void x64_vi_satadd(X64_VEC_ARGS);
void x64_vi_satmixed(X64_VEC_ARGS);
void x64_vi_satneg(X64_VEC_ARGS);
void x64_vi_qdmulh(X64_VEC_ARGS);
void x64_vi_dot(X64_VEC_ARGS);
void x64_vi_cmpeq(X64_VEC_ARGS);
void x64_vi_cmpgt(X64_VEC_ARGS);
void x64_vi_cmpge(X64_VEC_ARGS);
void x64_vi_cmphi(X64_VEC_ARGS);
void x64_vi_cmphs(X64_VEC_ARGS);
void x64_vi_cmtst(X64_VEC_ARGS);
void x64_vi_clz(X64_VEC_ARGS);
void x64_vi_cnt(X64_VEC_ARGS);
void x64_vi_rbit(X64_VEC_ARGS);
void x64_vi_lmul(X64_VEC_ARGS);
void x64_vi_lpmul(X64_VEC_ARGS);
void x64_vi_lqdmul(X64_VEC_ARGS);
void x64_vi_labd(X64_VEC_ARGS);
void x64_vi_lext(X64_VEC_ARGS);
/* vec_shift.c */
void x64_vs_shl(X64_VEC_ARGS);
void x64_vs_shr(X64_VEC_ARGS);
void x64_vs_rshr(X64_VEC_ARGS);
void x64_vs_ins(X64_VEC_ARGS);
void x64_vs_qshl(X64_VEC_ARGS);
void x64_vs_ushl(X64_VEC_ARGS);
void x64_vs_sshl(X64_VEC_ARGS);
void x64_vs_wide_shl(X64_VEC_ARGS);
void x64_vs_qshl_vec(X64_VEC_ARGS);
void x64_vs_rshl(X64_VEC_ARGS);
void x64_vs_nshr(X64_VEC_ARGS);
void x64_vs_nsat(X64_VEC_ARGS);
void x64_vs_naddh(X64_VEC_ARGS);
/* vec_perm.c */
void x64_vp_dupl(X64_VEC_ARGS);
void x64_vp_insl(X64_VEC_ARGS);
void x64_vp_mov(X64_VEC_ARGS);
void x64_vp_rev(X64_VEC_ARGS);
void x64_vp_pair(X64_VEC_ARGS);
void x64_vp_addlp(X64_VEC_ARGS);
void x64_vp_addv(X64_VEC_ARGS);
void x64_vp_minmaxv(X64_VEC_ARGS);
void x64_vp_ext(X64_VEC_ARGS);
void x64_vp_zip(X64_VEC_ARGS);
void x64_vp_uzp(X64_VEC_ARGS);
void x64_vp_trn(X64_VEC_ARGS);
void x64_vp_tbl(X64_VEC_ARGS);
/* vec_fp.c */
void x64_vf_bin(X64_VEC_ARGS);
void x64_vf_sqrt(X64_VEC_ARGS);
void x64_vf_absneg(X64_VEC_ARGS);
void x64_vf_minmax(X64_VEC_ARGS);
void x64_vf_fma(X64_VEC_ARGS);
void x64_vf_recps(X64_VEC_ARGS);
void x64_vf_rsqrts(X64_VEC_ARGS);
void x64_vf_cadd(X64_VEC_ARGS);
void x64_vf_cmla(X64_VEC_ARGS);
void x64_vf_cmp(X64_VEC_ARGS);
void x64_vf_pair(X64_VEC_ARGS);
void x64_vf_across(X64_VEC_ARGS);
/* vec_half.c: the same for IR_H; most of them need AVX-512, see the table */
void x64_vh_bin(X64_VEC_ARGS);
void x64_vh_sqrt(X64_VEC_ARGS);
void x64_vh_minmax(X64_VEC_ARGS);
void x64_vh_cmp(X64_VEC_ARGS);
void x64_vh_fma(X64_VEC_ARGS);
void x64_vh_round(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, u8 imm);
void x64_vh_fcmp(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b);
/* vec_cvt.c */
void x64_vc_rint(X64_VEC_ARGS);
void x64_vc_cvt(X64_VEC_ARGS);
void x64_vc_cvtl(X64_VEC_ARGS);
void x64_vc_cvtn(X64_VEC_ARGS);
void x64_vc_ftoi(X64_VEC_ARGS);
void x64_vc_itof(X64_VEC_ARGS);
bool x64_vc_native(const struct ir_inst *i, u64 features);
void x64_vc_ftoig(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned g, unsigned a);
void x64_vc_itofg(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned g);
/* vec_crypto.c */
void x64_vx_aes(X64_VEC_ARGS);
void x64_vx_aesmc(X64_VEC_ARGS);
void x64_vx_sha1(X64_VEC_ARGS);
void x64_vx_sha1h(X64_VEC_ARGS);
void x64_vx_sha1su0(X64_VEC_ARGS);
void x64_vx_sha1su1(X64_VEC_ARGS);
void x64_vx_sha256su0(X64_VEC_ARGS);
void x64_vx_sha256su1(X64_VEC_ARGS);
void x64_vx_sha256h(X64_VEC_ARGS);

#endif
