// SPDX-License-Identifier: MIT
/*
 * Selection of vector instructions: the table of how each operation is done, and what is common to all. What the table does
 * not say natively is done by the evaluator.
 */
#include "host/x64/vec_impl.h"

#define ALL3(e) .v2 = (e), .v3 = (e), .v4 = (e)
#define BY(e2, e3, e4) .v2 = (e2), .v3 = (e3), .v4 = (e4)
#define OPC(...) .opc = { __VA_ARGS__ }

const struct x64_vec_op x64_vec_ops[IR_OP_COUNT] = {
	[IR_VDUPL] = { x64_vp_dupl, ALL3(EALL) },
	[IR_VINSL] = { x64_vp_insl, ALL3(EALL), .flags = F_GPR | F_GPR_BH },
	[IR_VMOV] = { x64_vp_mov, ALL3(EALL | EQ) },

	[IR_VAND] = { x64_vi_bin, ALL3(EB), .flags = F_COMM, OPC(V_PAND) },
	[IR_VOR] = { x64_vi_bin, ALL3(EB), .flags = F_COMM, OPC(V_POR) },
	[IR_VXOR] = { x64_vi_bin, ALL3(EB), .flags = F_COMM, OPC(V_PXOR) },
	[IR_VBIC] = { x64_vi_bic, ALL3(EB) },
	[IR_VORN] = { x64_vi_orn, ALL3(EB) },
	[IR_VNOT] = { x64_vi_not, ALL3(EB) },
	[IR_VBSL] = { x64_vi_bsl, ALL3(EB) },

	[IR_VADD] = { x64_vi_bin, ALL3(EALL), .flags = F_COMM, OPC(V_PADDB, V_PADDW, V_PADDD, V_PADDQ) },
	[IR_VSUB] = { x64_vi_bin, ALL3(EALL), OPC(V_PSUBB, V_PSUBW, V_PSUBD, V_PSUBQ) },
	[IR_VMUL] = { x64_vi_mul, ALL3(EBHS), .flags = F_COMM },
	[IR_VMLA] = { x64_vi_mla, ALL3(EBHS) },
	[IR_VMLS] = { x64_vi_mla, ALL3(EBHS) },
	[IR_VNEG] = { x64_vi_neg, ALL3(EALL) },
	[IR_VABS] = { x64_vi_abs, ALL3(EALL) },
	[IR_VSABD] = { x64_vi_abd, ALL3(EBHS), .flags = F_COMM },
	[IR_VUABD] = { x64_vi_abd, ALL3(EBHS), .flags = F_COMM },
	[IR_VSMAX] = { x64_vi_bin, ALL3(EBHS), .flags = F_COMM, OPC(V_PMAXSB, V_PMAXSW, V_PMAXSD) },
	[IR_VSMIN] = { x64_vi_bin, ALL3(EBHS), .flags = F_COMM, OPC(V_PMINSB, V_PMINSW, V_PMINSD) },
	[IR_VUMAX] = { x64_vi_bin, ALL3(EBHS), .flags = F_COMM, OPC(V_PMAXUB, V_PMAXUW, V_PMAXUD) },
	[IR_VUMIN] = { x64_vi_bin, ALL3(EBHS), .flags = F_COMM, OPC(V_PMINUB, V_PMINUW, V_PMINUD) },
	[IR_VSHADD] = { x64_vi_hadd, ALL3(EBHS), .flags = F_COMM },
	[IR_VUHADD] = { x64_vi_hadd, ALL3(EBHS), .flags = F_COMM },
	[IR_VSRHADD] = { x64_vi_hadd, ALL3(EBHS), .flags = F_COMM },
	[IR_VURHADD] = { x64_vi_hadd, ALL3(EBHS), .flags = F_COMM },
	[IR_VSHSUB] = { x64_vi_hsub, ALL3(EBHS) },
	[IR_VUHSUB] = { x64_vi_hsub, ALL3(EBHS) },
	[IR_VSQADD] = { x64_vi_satadd, ALL3(EALL), .flags = F_FL | F_COMM, OPC(V_PADDSB, V_PADDSW) },
	[IR_VUQADD] = { x64_vi_satadd, BY(EBHS, EBHS, EALL), .flags = F_FL | F_COMM, OPC(V_PADDUSB, V_PADDUSW) },
	[IR_VSQSUB] = { x64_vi_satadd, ALL3(EALL), .flags = F_FL, OPC(V_PSUBSB, V_PSUBSW) },
	[IR_VUQSUB] = { x64_vi_satadd, BY(EBHS, EBHS, EALL), .flags = F_FL, OPC(V_PSUBUSB, V_PSUBUSW) },
	[IR_VSUQADD] = { x64_vi_satmixed, ALL3(EB | EH), .flags = F_FL },
	[IR_VUSQADD] = { x64_vi_satmixed, ALL3(EB | EH), .flags = F_FL },
	[IR_VSQABS] = { x64_vi_satneg, ALL3(EALL), .flags = F_FL },
	[IR_VSQNEG] = { x64_vi_satneg, ALL3(EALL), .flags = F_FL },
	[IR_VSQDMULH] = { x64_vi_qdmulh, BY(EH | ES, EH | ES, EH | ES), .flags = F_FL | F_COMM },
	[IR_VSQRDMULH] = { x64_vi_qdmulh, BY(EH | ES, EH | ES, EH | ES), .flags = F_FL | F_COMM },
	[IR_VSDOT] = { x64_vi_dot, ALL3(ES) },
	[IR_VUDOT] = { x64_vi_dot, ALL3(ES) },
	[IR_VCMEQ] = { x64_vi_cmpeq, ALL3(EALL), .flags = F_COMM },
	[IR_VCMGT] = { x64_vi_cmpgt, ALL3(EALL) },
	[IR_VCMGE] = { x64_vi_cmpge, ALL3(EALL) },
	[IR_VCMHI] = { x64_vi_cmphi, ALL3(EALL) },
	[IR_VCMHS] = { x64_vi_cmphs, ALL3(EALL) },
	[IR_VCMTST] = { x64_vi_cmtst, ALL3(EALL), .flags = F_COMM },
	[IR_VCLZ] = { x64_vi_clz, ALL3(EBHS) },
	[IR_VCLS] = { x64_vi_clz, ALL3(EBHS) },
	[IR_VCNT] = { x64_vi_cnt, ALL3(EB) },
	[IR_VRBIT] = { x64_vi_rbit, ALL3(EB) },
	[IR_VREV] = { x64_vp_rev, ALL3(EBHS) },

	[IR_VSHL] = { x64_vs_shl, ALL3(EALL) },
	[IR_VUSHR] = { x64_vs_shr, ALL3(EALL) },
	[IR_VSSHR] = { x64_vs_shr, ALL3(EALL) },
	[IR_VURSHR] = { x64_vs_rshr, ALL3(EALL) },
	[IR_VSRSHR] = { x64_vs_rshr, ALL3(EALL) },
	[IR_VSLI] = { x64_vs_ins, ALL3(EALL) },
	[IR_VSRI] = { x64_vs_ins, ALL3(EALL) },
	[IR_VSQSHLI] = { x64_vs_qshl, BY(EH | ES, EH | ES, EH | ESD), .flags = F_FL },
	[IR_VUQSHLI] = { x64_vs_qshl, ALL3(EALL), .flags = F_FL },
	[IR_VSQSHLUI] = { x64_vs_qshl, ALL3(EALL), .flags = F_FL },
	[IR_VUSHL] = { x64_vs_ushl, BY(0, EH | ESD, EALL) },
	[IR_VSSHL] = { x64_vs_sshl, BY(0, EH | ES, EALL) },
	[IR_VURSHL] = { x64_vs_rshl, BY(0, EH | ESD, EALL) },
	[IR_VSRSHL] = { x64_vs_rshl, BY(0, EH | ES, EALL) },

	[IR_VUQSHL] = { x64_vs_qshl_vec, BY(0, 0, EH | ESD), .flags = F_FL },
	[IR_VSQSHL] = { x64_vs_qshl_vec, BY(0, 0, EH | ESD), .flags = F_FL },
	[IR_VUQRSHL] = { x64_vs_qshl_vec, BY(0, 0, EH | ESD), .flags = F_FL },
	[IR_VSQRSHL] = { x64_vs_qshl_vec, BY(0, 0, EH | ESD), .flags = F_FL },

	[IR_VLSXT] = { x64_vi_lext, ALL3(EBHS) },
	[IR_VLUXT] = { x64_vi_lext, ALL3(EBHS) },
	[IR_VLSMUL] = { x64_vi_lmul, ALL3(EBHS), .flags = F_COMM },
	[IR_VLUMUL] = { x64_vi_lmul, ALL3(EBHS), .flags = F_COMM },
	[IR_VLPMUL] = { x64_vi_lpmul, ALL3(ED), .flags = F_COMM, .need = HOST_PCLMUL },
	[IR_VLSQDMUL] = { x64_vi_lqdmul, ALL3(EH | ES), .flags = F_FL | F_COMM },
	[IR_VLSABD] = { x64_vi_labd, ALL3(EBHS), .flags = F_COMM },
	[IR_VLUABD] = { x64_vi_labd, ALL3(EBHS), .flags = F_COMM },

	[IR_VNSHR] = { x64_vs_nshr, ALL3(EBHS) },
	[IR_VNRSHR] = { x64_vs_nshr, ALL3(EBHS) },
	[IR_VNSQS] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNSQRS] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNUQS] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNUQRS] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNSQU] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNSQRU] = { x64_vs_nsat, ALL3(EBHS), .flags = F_FL },
	[IR_VNADDH] = { x64_vs_naddh, ALL3(EBHS) },
	[IR_VNRADDH] = { x64_vs_naddh, ALL3(EBHS) },
	[IR_VNSUBH] = { x64_vs_naddh, ALL3(EBHS) },
	[IR_VNRSUBH] = { x64_vs_naddh, ALL3(EBHS) },

	[IR_VADDP] = { x64_vp_pair, ALL3(EALL), OPC(V_PADDB, V_PADDW, V_PADDD, V_PADDQ) },
	[IR_VSMAXP] = { x64_vp_pair, ALL3(EBHS), OPC(V_PMAXSB, V_PMAXSW, V_PMAXSD) },
	[IR_VSMINP] = { x64_vp_pair, ALL3(EBHS), OPC(V_PMINSB, V_PMINSW, V_PMINSD) },
	[IR_VUMAXP] = { x64_vp_pair, ALL3(EBHS), OPC(V_PMAXUB, V_PMAXUW, V_PMAXUD) },
	[IR_VUMINP] = { x64_vp_pair, ALL3(EBHS), OPC(V_PMINUB, V_PMINUW, V_PMINUD) },
	[IR_VSADDLP] = { x64_vp_addlp, ALL3(EBHS) },
	[IR_VUADDLP] = { x64_vp_addlp, ALL3(EBHS) },
	[IR_VADDV] = { x64_vp_addv, ALL3(EBHS) },
	[IR_VSADDLV] = { x64_vp_addv, ALL3(EBHS) },
	[IR_VUADDLV] = { x64_vp_addv, ALL3(EBHS) },
	[IR_VSMAXV] = { x64_vp_minmaxv, ALL3(EBHS), OPC(0, 0, V_PMAXSD) },
	[IR_VSMINV] = { x64_vp_minmaxv, ALL3(EBHS), OPC(0, 0, V_PMINSD) },
	[IR_VUMAXV] = { x64_vp_minmaxv, ALL3(EBHS), OPC(0, 0, V_PMAXUD) },
	[IR_VUMINV] = { x64_vp_minmaxv, ALL3(EBHS), OPC(0, 0, V_PMINUD) },
	[IR_VEXT] = { x64_vp_ext, ALL3(EB) },
	[IR_VZIP1] = { x64_vp_zip, ALL3(EALL) },
	[IR_VZIP2] = { x64_vp_zip, ALL3(EALL) },
	[IR_VUZP1] = { x64_vp_uzp, ALL3(EALL) },
	[IR_VUZP2] = { x64_vp_uzp, ALL3(EALL) },
	[IR_VTRN1] = { x64_vp_trn, ALL3(EALL) },
	[IR_VTRN2] = { x64_vp_trn, ALL3(EALL) },
	[IR_VTBL] = { x64_vp_tbl, ALL3(EB) },
	[IR_VTBX] = { x64_vp_tbl, ALL3(EB) },

	[IR_FADD] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_ADD },
	[IR_FSUB] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_SUB },
	[IR_FMUL] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_MUL },
	[IR_FNMUL] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_MUL },
	[IR_FMULX] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_MUL },	/* infinity * 0 traps */
	[IR_FDIV] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_DIV },
	[IR_FABD] = { x64_vf_bin, BY(ESD, EH | ESD, EH | ESD), .arg = VF_SUB },
	[IR_FSQRT] = { x64_vf_sqrt, BY(ESD, EH | ESD, EH | ESD) },
	[IR_FABS] = { x64_vf_absneg, ALL3(EH | ESD) },
	[IR_FNEG] = { x64_vf_absneg, ALL3(EH | ESD) },
	[IR_FMAX] = { x64_vf_minmax, BY(ESD, ESD, EH | ESD) },
	[IR_FMIN] = { x64_vf_minmax, BY(ESD, ESD, EH | ESD) },
	[IR_FMAXNM] = { x64_vf_minmax, BY(ESD, ESD, EH | ESD) },
	[IR_FMINNM] = { x64_vf_minmax, BY(ESD, ESD, EH | ESD) },
	[IR_FMA] = { x64_vf_fma, BY(0, ESD, EH | ESD) },
	[IR_FRECPS] = { x64_vf_recps, BY(0, ESD, ESD) },
	[IR_FRSQRTS] = { x64_vf_rsqrts, BY(0, 0, ESD), .flags = F_FL },
	[IR_FCADD] = { x64_vf_cadd, ALL3(ESD) },
	[IR_FCMLA] = { x64_vf_cmla, BY(0, ESD, ESD) },
	[IR_FCMEQ] = { x64_vf_cmp, BY(ESD, ESD, EH | ESD) },
	[IR_FCMGE] = { x64_vf_cmp, BY(ESD, ESD, EH | ESD) },
	[IR_FCMGT] = { x64_vf_cmp, BY(ESD, ESD, EH | ESD) },
	[IR_FACGE] = { x64_vf_cmp, BY(ESD, ESD, EH | ESD) },
	[IR_FACGT] = { x64_vf_cmp, BY(ESD, ESD, EH | ESD) },
	[IR_FADDP] = { x64_vf_pair, ALL3(ESD) },
	[IR_FMAXP] = { x64_vf_pair, BY(0, ESD, ESD) },
	[IR_FMINP] = { x64_vf_pair, BY(0, ESD, ESD) },
	[IR_FMAXNMP] = { x64_vf_pair, BY(0, ESD, ESD) },
	[IR_FMINNMP] = { x64_vf_pair, BY(0, ESD, ESD) },
	[IR_FMAXV] = { x64_vf_across, BY(0, ES, ES) },
	[IR_FMINV] = { x64_vf_across, BY(0, ES, ES) },
	[IR_FMAXNMV] = { x64_vf_across, BY(0, ES, ES) },
	[IR_FMINNMV] = { x64_vf_across, BY(0, ES, ES) },
	[IR_FRINT] = { x64_vc_rint, BY(ESD, EH | ESD, EH | ESD) },
	[IR_FCVT] = { x64_vc_cvt, BY(ESD, EH | ESD, EH | ESD) },
	[IR_FCVTL] = { x64_vc_cvtl, BY(ES, EH | ES, EH | ES) },
	[IR_FCVTN] = { x64_vc_cvtn, BY(ES, EH | ES, EH | ES) },
	[IR_FTOI] = { x64_vc_ftoi, ALL3(ESD), .flags = F_GPR | F_GPR_512 },
	[IR_ITOF] = { x64_vc_itof, ALL3(ESD), .flags = F_GPR | F_GPR_512 },

	[IR_AESE] = { x64_vx_aes, ALL3(EB), .need = HOST_AES },
	[IR_AESD] = { x64_vx_aes, ALL3(EB), .need = HOST_AES },
	[IR_AESMC] = { x64_vx_aesmc, ALL3(EB), .need = HOST_AES },
	[IR_AESIMC] = { x64_vx_aesmc, ALL3(EB), .need = HOST_AES },
	[IR_SHA1C] = { x64_vx_sha1, ALL3(ES), .need = HOST_SHA },
	[IR_SHA1P] = { x64_vx_sha1, ALL3(ES), .need = HOST_SHA },
	[IR_SHA1M] = { x64_vx_sha1, ALL3(ES), .need = HOST_SHA },
	[IR_SHA1H] = { x64_vx_sha1h, ALL3(ES) },
	[IR_SHA1SU0] = { x64_vx_sha1su0, ALL3(ES) },
	[IR_SHA1SU1] = { x64_vx_sha1su1, ALL3(ES) },
	[IR_SHA256H] = { x64_vx_sha256h, ALL3(ES), .flags = F_GPR, .need = HOST_SHA },
	[IR_SHA256H2] = { x64_vx_sha256h, ALL3(ES), .flags = F_GPR, .need = HOST_SHA },
	[IR_SHA256SU0] = { x64_vx_sha256su0, ALL3(ES), .need = HOST_SHA },
	[IR_SHA256SU1] = { x64_vx_sha256su1, ALL3(ES), .need = HOST_SHA },
};

#define V3_NEEDS (HOST_AVX | HOST_AVX2 | HOST_FMA | HOST_F16C)

static bool table_native(const struct x64_vec_op *o, const struct ir_inst *i, u64 features)
{
	unsigned set;

	if (!o->emit || (o->need & features) != o->need)
		return false;
	if ((features & HOST_AVX512) && (features & V3_NEEDS) == V3_NEEDS)
		set = o->v4;
	else if ((features & V3_NEEDS) == V3_NEEDS)
		set = o->v3;
	else
		set = o->v2;
	return set >> i->esz & 1;
}

/* Operations between general and vector registers, and compares: not in the table. */
static bool other_native(const struct ir_inst *i, u64 features, struct x64_vec_info *info)
{
	switch (i->op) {
	case IR_VDUP:
	case IR_VINS:
	case IR_VEXTU:
	case IR_VEXTS:
		return true;
	case IR_FTOIG:
		return x64_vc_native(i, features);
	case IR_ITOFG:
		info->needs_gpr = i->imm & IR_UNSIGNED;
		info->clobbers_flags = (i->imm & IR_UNSIGNED) && i->type == IR_I64 && i->esz == IR_S && !(features & HOST_AVX512);
		return x64_vc_native(i, features);
	case IR_FL_FCMP:
		return i->esz != IR_H || (features & HOST_F16C);
	}
	return false;
}

struct x64_vec_info x64_vec_info(const struct ir_inst *i, u64 features)
{
	const struct x64_vec_op *o = &x64_vec_ops[i->op];
	struct x64_vec_info info = { .how = X64_VEC_HELPER };

	if (!o->emit) {
		if (other_native(i, features, &info))
			info.how = X64_VEC_NATIVE;
		return info;
	}
	if (!table_native(o, i, features))
		return info;
	if (o->emit == x64_vc_cvt || o->emit == x64_vc_cvtl || o->emit == x64_vc_cvtn || o->emit == x64_vc_ftoi) {
		if (!x64_vc_native(i, features))
			return info;
	}
	if (i->op == IR_FRINT && i->esz == IR_H && ((unsigned)i->imm & 0xff) == IR_RA)
		return info;
	info.how = X64_VEC_NATIVE;
	info.clobbers_flags = o->flags & F_FL;
	info.needs_gpr = (o->flags & F_GPR) && !((o->flags & F_GPR_512) && (i->esz != IR_D || (features & HOST_AVX512))) &&
			 !((o->flags & F_GPR_BH) && i->esz >= IR_S);
	info.commutes = o->flags & F_COMM;
	return info;
}

void x64_vec(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned b, unsigned c)
{
	x->d_zext = false;
	x64_vec_ops[i->op].emit(x, i, d, a, b, c);
}

/* --- between general and vector registers ----------------------------------------------------- */
static void dup_gpr(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned g)
{
	static const u32 bc[4] = { V_PBROADCASTB, V_PBROADCASTW, V_PBROADCASTD, V_PBROADCASTQ };
	static const u32 bcg[4] = { VO(1, 2, 0x7a), VO(1, 2, 0x7b), VO(1, 2, 0x7c), VO(1, 2, 0x7c) | VO_W };
	unsigned esz = i->esz;

	if (v512(x)) {
		x64_evex_rr(x->b, bcg[esz], d, 0, g);
	} else {
		x64_v2(x, V_MOVD_G | (esz == IR_D ? VO_VW : 0), d, g);
		if (has(x, HOST_AVX2)) {
			x64_v2(x, bc[esz], d, d);
		} else if (esz == IR_B) {
			x64_vzero(x, T0);
			x64_v3(x, V_PSHUFB, d, d, T0);
		} else {
			if (esz == IR_H)
				x64_v2i(x, V_PSHUFLW, d, d, 0);
			x64_v2i(x, V_PSHUFD, d, d, esz == IR_D ? 0x44 : 0);
		}
	}
	x64_vfin(x, i, esz, d, d);
}

static u32 pinsr(unsigned esz)
{
	static const u32 o[4] = { V_PINSRB, V_PINSRW, V_PINSRD, V_PINSRD | VO_VW };

	return o[esz];
}

/* pinsr with a memory or general-register source never has an xmm operand that could be d: the moves are made here. */
static unsigned pinsr_dest(struct x64_vec_ctx *x, unsigned d, unsigned *a)
{
	if (vavx(x) || d == *a)
		return d;
	x64_vmov(x, T0, *a);
	*a = T0;
	return T0;
}

void x64_vec_from_gpr(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned d, unsigned a, unsigned g)
{
	unsigned r;

	x->d_zext = false;
	if (i->op == IR_VDUP) {
		dup_gpr(x, i, d, g);
	} else if (i->op == IR_VINS) {
		r = pinsr_dest(x, d, &a);
		if (r == d && !vavx(x)) {
			x64_sse_rr(x->b, pinsr(i->esz), d, g);
			x64_b(x->b, (u8)i->imm);
		} else if (!vavx(x)) {
			x64_sse_rr(x->b, pinsr(i->esz), r, g);
			x64_b(x->b, (u8)i->imm);
			x64_vmov(x, d, r);
		} else {
			x64_v3i(x, pinsr(i->esz), d, a, g, (u8)i->imm);
		}
	} else {
		x64_vc_itofg(x, i, d, g);
	}
}

void x64_vec_to_gpr(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned g, unsigned a)
{
	static const u32 pextr[4] = { V_PEXTRB, V_PEXTRW, V_PEXTRD, V_PEXTRD | VO_VW };
	unsigned esz = i->esz, lane = (unsigned)i->imm & 15, wide = i->type == IR_I64;

	if (i->op == IR_FTOIG) {
		x64_vc_ftoig(x, i, g, a);
		return;
	}
	if (!lane && esz >= IR_S)
		x64_v2(x, V_MOVD_TG | (esz == IR_D ? VO_VW : 0), a, g);
	else
		x64_v2i(x, pextr[esz], a, g, lane);
	if (i->op != IR_VEXTS)
		return;
	if (esz == IR_S && wide)
		x64_rr(x->b, 0x63, 1, g, g);
	else if (esz < IR_S)
		x64_rr8(x->b, esz == IR_B ? 0x0fbe : 0x0fbf, wide, g, g);
}

void x64_vec_fcmp(struct x64_vec_ctx *x, const struct ir_inst *i, unsigned a, unsigned b)
{
	u32 o = (i->esz == IR_D ? VO(1, 1, 0) | VO_W : VO(0, 1, 0)) | (i->aux & 1 ? 0x2f : 0x2e);

	if (i->esz == IR_H)
		x64_vh_fcmp(x, i, a, b);
	else
		x64_v2(x, o, a, b);
}

void x64_vec_const(struct x64_vec_ctx *x, unsigned d, u64 lo, u64 hi)
{
	x64_vload_c(x, d, lo, hi);
}

void x64_vec_mov(struct x64_vec_ctx *x, unsigned d, unsigned s)
{
	x64_vmov(x, d, s);
}

/* --- memory ----------------------------------------------------------------------------------- */
/* A fault must leave d as it was. */
void x64_vec_load(struct x64_vec_ctx *x, unsigned size, unsigned d, struct x64_mem m)
{
	switch (size) {
	case 1:
	case 2:
		x64_vzero(x, T0);
		x64_vmem(x, size == 1 ? V_PINSRB : V_PINSRW, vavx(x) ? d : T0, T0, m, 0, size);
		if (!vavx(x))
			x64_vmov(x, d, T0);
		break;
	case 4:
		x64_vmem(x, V_MOVSS, d, 0, m, -1, 4);
		break;
	case 8:
		x64_vmem(x, V_MOVQ, d, 0, m, -1, 8);
		break;
	default:
		x64_vmem(x, V_MOVUPS, d, 0, m, -1, 16);
		break;
	}
}

void x64_vec_store(struct x64_vec_ctx *x, unsigned size, unsigned s, struct x64_mem m)
{
	switch (size) {
	case 1:
		x64_vmem(x, V_PEXTRB, s, 0, m, 0, 1);
		break;
	case 2:
		x64_vmem(x, V_PEXTRW, s, 0, m, 0, 2);
		break;
	case 4:
		x64_vmem(x, V_MOVSS_ST, s, 0, m, -1, 4);
		break;
	case 8:
		x64_vmem(x, V_MOVSD_ST, s, 0, m, -1, 8);
		break;
	default:
		x64_vmem(x, V_MOVUPS_ST, s, 0, m, -1, 16);
		break;
	}
}

static unsigned log2_size(unsigned size)
{
	return (unsigned)__builtin_ctz(size);
}

void x64_vec_load_lane(struct x64_vec_ctx *x, unsigned size, unsigned lane, unsigned d, unsigned a, struct x64_mem m)
{
	unsigned r = pinsr_dest(x, d, &a);

	x64_vmem(x, pinsr(log2_size(size)), r, a, m, (int)lane, size);
	x64_vmov(x, d, r);
}

void x64_vec_store_lane(struct x64_vec_ctx *x, unsigned size, unsigned lane, unsigned s, struct x64_mem m)
{
	static const u32 pextr[4] = { V_PEXTRB, V_PEXTRW, V_PEXTRD, V_PEXTRD | VO_VW };

	x64_vmem(x, pextr[log2_size(size)], s, 0, m, (int)lane, size);
}
