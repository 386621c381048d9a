// SPDX-License-Identifier: MIT
/*
 * The A64 disassembler: fills in the template that the matching line of insns.decode carries.
 *
 * In: a word and its address. Out: text as objdump prints it, without aliases. The template's
 * language stands at the top of insns.decode. Freestanding, no allocation.
 */
#include "guest/aarch64/disasm.h"
#include "a64_names.inc.c"

struct text {
	char *buf;
	size_t len, size;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->buf[t->len++] = c;
}

static void put_str(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_num(struct text *t, u64 v, unsigned int base)
{
	char tmp[24];
	unsigned int n = 0;

	do {
		tmp[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put_char(t, tmp[--n]);
}

static void put_hex(struct text *t, u64 v)
{
	put_str(t, "0x");
	put_num(t, v, 16);
}

static void put_dec(struct text *t, s64 v)
{
	if (v < 0) {
		put_char(t, '-');
		v = -v;
	}
	put_num(t, (u64)v, 10);
}

static void put_imm(struct text *t, s64 v)
{
	put_char(t, '#');
	put_dec(t, v);
}

static void put_gpr(struct text *t, char bank, unsigned int r, bool sp)
{
	if (r == 31 && sp) {
		put_str(t, bank == 'x' ? "sp" : "wsp");
		return;
	}
	put_char(t, bank);
	if (r == 31)
		put_str(t, "zr");
	else
		put_num(t, r, 10);
}

/* "v3.8h"; size is log2 of the element's bytes. */
static void put_vec(struct text *t, unsigned int r, unsigned int size, unsigned int bytes)
{
	put_char(t, 'v');
	put_num(t, r, 10);
	put_char(t, '.');
	put_num(t, bytes >> size, 10);
	put_char(t, "bhsdq"[size]);
}

static void put_scalar(struct text *t, unsigned int r, unsigned int size)
{
	put_char(t, size < 5 ? "bhsdq"[size] : '?');
	put_num(t, r, 10);
}

static void put_lane(struct text *t, unsigned int r, unsigned int size, unsigned int lane)
{
	put_char(t, 'v');
	put_num(t, r, 10);
	put_char(t, '.');
	put_char(t, "bhsd"[size & 3]);
	put_char(t, '[');
	put_num(t, lane, 10);
	put_char(t, ']');
}

static unsigned int reg_field(const struct a64_insn *in, char field)
{
	return field == 'd' ? in->rd : field == 'n' ? in->rn : field == 'm' ? in->rm : in->ra;
}

/* %kr: register r printed as kind k. */
static void put_reg(struct text *t, const struct a64_insn *in, char kind, unsigned int r)
{
	unsigned int bytes = in->q ? 16 : 8;

	switch (kind) {
	case 'r': case 'R':
		put_gpr(t, in->sf ? 'x' : 'w', r, kind == 'R');
		break;
	case 'x': case 'w':
		put_gpr(t, kind, r, false);
		break;
	case 'X': case 'W':
		put_gpr(t, kind | 0x20, r, true);
		break;
	case 'f':
		put_scalar(t, r, in->size);
		break;
	case 'F':
		put_scalar(t, r, in->size + 1);
		break;
	case 'v':
		if (in->scalar)
			put_scalar(t, r, in->size);
		else
			put_vec(t, r, in->size, bytes);
		break;
	case 'V':
		if (in->scalar)
			put_scalar(t, r, in->size + 1);
		else
			put_vec(t, r, in->size + 1, 16);
		break;
	case 'p':
		put_vec(t, r, in->size + 1, bytes);
		break;
	default: /* b, h, s, d, q */
		put_char(t, kind);
		put_num(t, r, 10);
	}
}

static void put_list(struct text *t, const struct a64_insn *in, unsigned int first, bool lanes)
{
	bool range = in->nreg > 2 && first + in->nreg <= 32;

	put_char(t, '{');
	for (unsigned int i = 0; i < in->nreg; i += range ? in->nreg - 1u : 1) {
		if (i)
			put_str(t, range ? "-" : ", ");
		if (lanes) {
			put_char(t, 'v');
			put_num(t, (first + i) & 31, 10);
			put_char(t, '.');
			put_char(t, "bhsd"[in->size & 3]);
		} else {
			put_vec(t, (first + i) & 31, in->size, in->q ? 16 : 8);
		}
	}
	put_char(t, '}');
}

static const char conds[16][3] = {
	"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv",
};
static const char shifts[4][4] = { "lsl", "lsr", "asr", "ror" };
static const char extends[8][5] = { "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx" };

/* One function per <name>. */
#define PUT(name) static void put_##name(struct text *t, const struct a64_insn *in, \
	u64 pc __attribute__((unused)))

PUT(label) { put_hex(t, pc + (u64)in->imm); }
PUT(page) { put_hex(t, (pc & ~0xfffull) + (u64)in->imm); }
PUT(rdsp) { put_gpr(t, in->sf ? 'x' : 'w', in->rd, !in->s); }
PUT(immd) { put_imm(t, in->imm); }
PUT(hexi) { put_char(t, '#'); put_hex(t, (u64)in->imm); }
PUT(amount) { put_imm(t, in->amount); }
PUT(imms) { put_imm(t, in->imms); }
PUT(index) { put_imm(t, in->index); }
PUT(rot) { put_imm(t, in->rot * 90); }
PUT(esize) { put_imm(t, 8 << in->size); }
PUT(cond) { put_str(t, conds[in->cond & 15]); }
PUT(rn) { put_num(t, in->rn, 10); }
PUT(rm) { put_num(t, in->rm, 10); }
PUT(rd) { put_num(t, in->rd, 10); }
PUT(selem) { put_num(t, in->selem, 10); }
PUT(lanei) { put_num(t, in->index, 10); }
PUT(laned) { put_lane(t, in->rd, in->size, in->index); }
PUT(lanen) { put_lane(t, in->rn, in->size, in->index); }
PUT(lanesrc) { put_lane(t, in->rn, in->size, (unsigned int)in->imm); }
PUT(elem) { put_lane(t, in->rm, in->size, in->index); }
PUT(tbl) { struct a64_insn c = *in; c.q = 1; put_list(t, &c, in->rn, false); }
PUT(np) { put_str(t, (in->word >> 23 & 3) == 0 ? "n" : ""); }

/* As encoded, not as in->imm. */
PUT(imm12)
{
	put_imm(t, in->word >> 10 & 0xfff);
	put_str(t, in->word >> 22 & 1 ? ", lsl #12" : "");
}

PUT(movw)
{
	put_char(t, '#');
	put_hex(t, in->word >> 5 & 0xffff);
	if (in->word >> 21 & 3) {
		put_str(t, ", lsl #");
		put_num(t, (in->word >> 21 & 3) * 16, 10);
	}
}

/* op1, CRn, CRm, op2 of SYS and SYSL. */
PUT(sysop)
{
	u32 r = (u32)in->imm;

	put_imm(t, r >> 11);
	put_str(t, ", C");
	put_num(t, r >> 7 & 15, 10);
	put_str(t, ", C");
	put_num(t, r >> 3 & 15, 10);
	put_str(t, ", ");
	put_imm(t, r & 7);
}

/* The register of SYS, when there is one. */
PUT(sysrt)
{
	if (in->rt != 31) {
		put_str(t, ", ");
		put_gpr(t, 'x', in->rt, false);
	}
}

/* The operand of CLREX and ISB, when it is not the usual 15. */
PUT(crm)
{
	if (in->imm != 15) {
		put_char(t, ' ');
		put_imm(t, in->imm);
	}
}

PUT(barrier)
{
	static const char names[16][6] = {
		"", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh",
		"", "ishld", "ishst", "ish", "", "ld", "st", "sy",
	};

	if (names[in->imm & 15][0])
		put_str(t, names[in->imm & 15]);
	else
		put_imm(t, in->imm);
}

/* RET's operand, when it is not the usual x30. */
PUT(lr)
{
	if (in->rn != 30) {
		put_char(t, ' ');
		put_gpr(t, 'x', in->rn, false);
	}
}

/* CASP's register pairs. */
PUT(pairs)
{
	char bank = in->sf ? 'x' : 'w';
	const unsigned int regs[4] = { in->rs, in->rs + 1u, in->rt, in->rt + 1u };

	for (unsigned int i = 0; i < 4; i++) {
		put_str(t, i ? ", " : "");
		put_gpr(t, bank, regs[i], false);
	}
}

/* LDR_i's mnemonics: ldur, ldtr, ldr by the index field. */
PUT(ut)
{
	static const char infix[4][2] = { "u", "", "t", "" };

	put_str(t, infix[in->word >> 10 & 3]);
}

PUT(shift)
{
	if (!in->amount && !in->shift)
		return;
	put_str(t, ", ");
	put_str(t, shifts[in->shift & 3]);
	put_str(t, " #");
	put_num(t, in->amount, 10);
}

PUT(ext)
{
	/* With SP, the extend that changes nothing is called LSL, and not printed if it shifts by 0. */
	bool sp = in->rn == 31 || (in->rd == 31 && !in->s);
	bool lsl = sp && in->option == (in->sf ? 3 : 2);

	put_gpr(t, in->sf && (in->option & 3) == 3 ? 'x' : 'w', in->rm, false);
	if (lsl && !in->amount)
		return;
	put_str(t, ", ");
	put_str(t, lsl ? "lsl" : extends[in->option & 7]);
	if (in->amount) {
		put_char(t, ' ');
		put_imm(t, in->amount);
	}
}

/* [base, #imm] and its write-back forms. */
PUT(addr)
{
	put_char(t, '[');
	put_gpr(t, 'x', in->rn, true);
	if (in->wb == 1)
		put_char(t, ']');
	if (in->imm || in->wb) {
		put_str(t, ", ");
		put_imm(t, in->imm);
	}
	if (in->wb != 1)
		put_char(t, ']');
	if (in->wb == 3)
		put_char(t, '!');
}

/* [base, index, extend #amount] */
PUT(raddr)
{
	put_char(t, '[');
	put_gpr(t, 'x', in->rn, true);
	put_str(t, ", ");
	put_gpr(t, in->option & 1 ? 'x' : 'w', in->rm, false);
	if (in->option != 3 || in->sh) {
		put_str(t, ", ");
		put_str(t, in->option == 3 ? "lsl" : extends[in->option & 7]);
		if (in->sh) {
			put_char(t, ' ');
			put_imm(t, in->amount);
		}
	}
	put_char(t, ']');
}

/* Post-index of SIMD structures: the size transferred, or a register. */
PUT(post)
{
	put_char(t, '[');
	put_gpr(t, 'x', in->rn, true);
	put_str(t, "], ");
	if (in->rm == 31)
		put_imm(t, in->imm);
	else
		put_gpr(t, 'x', in->rm, false);
}

PUT(vlist)
{
	/* Single lanes stand in 0x0d......, with bits 15:14 other than 11 (replicate). */
	put_list(t, in, in->rt, (in->word & 0x3f000000) == 0x0d000000 && (in->word >> 14 & 3) != 3);
}

PUT(prfop)
{
	static const char type[4][4] = { "pld", "pli", "pst", "" };
	unsigned int op = in->rt;

	if (op >> 3 == 3 || (op >> 1 & 3) == 3) {
		put_imm(t, op);
		return;
	}
	put_str(t, type[op >> 3]);
	put_char(t, 'l');
	put_char(t, (char)('1' + (op >> 1 & 3)));
	put_str(t, op & 1 ? "strm" : "keep");
}

PUT(sysreg)
{
	u32 r = (u32)in->imm;

	put_char(t, 's');
	put_num(t, r >> 14 & 3, 10);
	put_char(t, '_');
	put_num(t, r >> 11 & 7, 10);
	put_str(t, "_c");
	put_num(t, r >> 7 & 15, 10);
	put_str(t, "_c");
	put_num(t, r >> 3 & 15, 10);
	put_char(t, '_');
	put_num(t, r & 7, 10);
}

/* Dot products: vectors of four bytes a lane. */
PUT(vn4) { put_vec(t, in->rn, 0, in->q ? 16 : 8); }
PUT(vm4) { put_vec(t, in->rm, 0, in->q ? 16 : 8); }

PUT(elem4)
{
	put_char(t, 'v');
	put_num(t, in->rm, 10);
	put_str(t, ".4b[");
	put_num(t, in->index, 10);
	put_char(t, ']');
}

/* MOVI and its kin: the element size comes from cmode. */
PUT(vimm)
{
	unsigned int cmode = in->word >> 12 & 15, op = in->word >> 29 & 1, o2 = in->word >> 11 & 1;
	unsigned int imm8 = (in->word >> 16 & 7) << 5 | (in->word >> 5 & 31);
	unsigned int size = cmode < 8 ? 2 : cmode < 12 ? 1 : cmode < 14 ? 2 : cmode == 14 ? 0 : 2;
	bool wide = op && cmode >= 14;

	if (o2)
		size = 1;
	if (wide && !in->q)
		put_scalar(t, in->rd, 3);
	else
		put_vec(t, in->rd, wide ? 3 : size, in->q ? 16 : 8);
	put_str(t, ", #");
	put_hex(t, cmode == 15 || wide ? (u64)in->imm : imm8);
	if (cmode < 14) {
		unsigned int by = cmode < 8 ? 8 * (cmode >> 1) :
			cmode < 12 ? 8 * (cmode >> 1 & 1) : 8u << (cmode & 1);

		if (!by)
			return;
		put_str(t, cmode < 12 ? ", lsl #" : ", msl #");
		put_num(t, by, 10);
	}
}

/* Finds the function of <name>; a table of pointers would need relocations. */
static void put_named(struct text *t, const struct a64_insn *in, u64 pc, const char *name, size_t len)
{
	size_t i;

#define TRY(n, fn) \
	for (i = 0; i < len && #n[i] == name[i]; i++) \
		; \
	if (i == len && !#n[i]) { \
		fn(t, in, pc); \
		return; \
	}
	TRY(label, put_label) TRY(page, put_page) TRY(rdsp, put_rdsp) TRY(imm, put_immd)
	TRY(hex, put_hexi) TRY(amount, put_amount) TRY(imms, put_imms) TRY(index, put_index) TRY(rot, put_rot)
	TRY(esize, put_esize) TRY(cond, put_cond) TRY(rn, put_rn) TRY(rm, put_rm) TRY(rd, put_rd)
	TRY(selem, put_selem) TRY(lane, put_lanei) TRY(laned, put_laned) TRY(lanen, put_lanen)
	TRY(lanesrc, put_lanesrc) TRY(elem, put_elem) TRY(tbl, put_tbl) TRY(np, put_np) TRY(ut, put_ut)
	TRY(shift, put_shift) TRY(ext, put_ext) TRY(addr, put_addr) TRY(raddr, put_raddr)
	TRY(post, put_post) TRY(vlist, put_vlist) TRY(prfop, put_prfop) TRY(sysreg, put_sysreg)
	TRY(imm12, put_imm12) TRY(movw, put_movw) TRY(sysop, put_sysop) TRY(sysrt, put_sysrt)
	TRY(crm, put_crm)
	TRY(barrier, put_barrier) TRY(lr, put_lr) TRY(pairs, put_pairs)
	TRY(vn4, put_vn4) TRY(vm4, put_vm4) TRY(elem4, put_elem4) TRY(vimm, put_vimm)
#undef TRY
	put_str(t, "<?>");
}

static unsigned int field_value(const struct a64_insn *in, const char *name, size_t len)
{
	if (len == 4)
		return in->size;
	if (len == 3)
		return name[0] == 'o' ? in->opc : name[0] == 'i' ? in->inv :
			name[0] == 'a' ? in->acq : in->rel;
	return name[0] == 's' ? in->s : name[0] == 'u' ? in->u : in->q;
}

/* {f:a,b,...}: prints the text chosen by the field; returns where the template goes on. */
static const char *put_choice(struct text *t, const struct a64_insn *in, const char *p)
{
	const char *name = p;
	unsigned int skip;

	while (*p != ':')
		p++;
	skip = field_value(in, name, (size_t)(p - name));
	for (p++; *p != '}'; p++) {
		if (*p == ',' && skip-- == 0)
			break;
		if (*p != ',' && skip == 0)
			put_char(t, *p);
	}
	while (*p != '}')
		p++;
	return p + 1;
}

static const char *put_angle(struct text *t, const struct a64_insn *in, u64 pc, const char *p)
{
	const char *name = p;

	while (*p != '>')
		p++;
	put_named(t, in, pc, name, (size_t)(p - name));
	return p + 1;
}

const char *a64_op_name(enum a64_op op)
{
	return a64_pool + a64_op_name_at[op];
}

const char *a64_enc_template(unsigned int enc)
{
	return a64_pool + a64_enc_text_at[enc];
}

size_t a64_disasm(u32 word, u64 pc, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };
	struct a64_insn in;
	unsigned int enc = a64_decode_enc(word, &in);
	const char *p = a64_enc_template(enc);

	if (!enc) {
		put_str(&t, ".inst ");
		put_hex(&t, word);
	}
	while (*p) {
		if (*p == '%') {
			put_reg(&t, &in, p[1], reg_field(&in, p[2]));
			p += 3;
		} else if (*p == '{') {
			p = put_choice(&t, &in, p + 1);
		} else if (*p == '<') {
			p = put_angle(&t, &in, pc, p + 1);
		} else {
			put_char(&t, *p++);
		}
	}
	buf[t.len] = '\0';
	return t.len;
}
