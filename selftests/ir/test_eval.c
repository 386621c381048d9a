// SPDX-License-Identifier: MIT
/*
 * The reference evaluator: small programs in the IR's text form on a made-up guest, vector operations against written-down answers,
 * cryptographic ones against FIPS test vectors, and that each vector operation is there at all.
 */
#include <string.h>

#include "ir/eval.h"
#include "ktap.h"

/* --- a guest of eight integer and four vector registers ----------------------------------------------------------------------- */

struct state {
	v128 v[4];
	u64 x[8];
	u64 excl_addr, excl_lo, excl_hi, fpcr, fpsr;
	u32 nzcv;
};
enum { SLOT_X, SLOT_V = 8, SLOT_NZCV = 12, SLOT_EXCL_ADDR, SLOT_EXCL_LO, SLOT_EXCL_HI, SLOT_FPCR, SLOT_FPSR, SLOTS };

#define X(n) [SLOT_X + n] = { offsetof(struct state, x[n]), GUEST_SLOT_INT, 0, "x" #n }
#define V(n) [SLOT_V + n] = { offsetof(struct state, v[n]), GUEST_SLOT_VEC, 0, "v" #n }
static const struct guest_slot slots[SLOTS] = {
	X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), V(0), V(1), V(2), V(3),
	[SLOT_NZCV] = { offsetof(struct state, nzcv), GUEST_SLOT_FLAGS, 0, "nzcv" },
	[SLOT_EXCL_ADDR] = { offsetof(struct state, excl_addr), GUEST_SLOT_INT, 0, "excl_addr" },
	[SLOT_EXCL_LO] = { offsetof(struct state, excl_lo), GUEST_SLOT_INT, 0, "excl_lo" },
	[SLOT_EXCL_HI] = { offsetof(struct state, excl_hi), GUEST_SLOT_INT, 0, "excl_hi" },
	[SLOT_FPCR] = { offsetof(struct state, fpcr), GUEST_SLOT_INT, 0, "fpcr" },
	[SLOT_FPSR] = { offsetof(struct state, fpsr), GUEST_SLOT_INT, 0, "fpsr" },
};
static const struct guest guest = {
	.name = "test", .nslots = SLOTS, .slot = slots, .state_size = sizeof(struct state), .flags_slot = SLOT_NZCV,
	.fpcr_slot = SLOT_FPCR, .fpsr_slot = SLOT_FPSR, .excl_addr_slot = SLOT_EXCL_ADDR, .excl_lo_slot = SLOT_EXCL_LO,
	.excl_hi_slot = SLOT_EXCL_HI,
};

static struct state st;
static u64 pc;
static struct ir_eval_env env;

/* Parses, verifies and evaluates. */
static enum ir_eval_stop run(const char *text)
{
	static struct ir_inst inst[64];
	static struct ir_block block[4];
	static u64 vconst[8];
	static v128 scratch[64];
	static struct ir_region r;
	char why[160];
	unsigned line;

	r = (struct ir_region){ .inst = inst, .block = block, .vconst = vconst, .max_inst = 64, .max_block = 4, .max_vconst = 8 };
	if (ir_parse(&r, text, strlen(text), &line)) {
		CHECK(0, "line %u does not parse: %s", line, text);
		return IR_EVAL_UNSUPPORTED;
	}
	if (ir_verify(&r, why, sizeof why)) {
		CHECK(0, "%s: %s", why, text);
		return IR_EVAL_UNSUPPORTED;
	}
	pc = 0;
	return ir_eval(&r, 0, r.ninst, &guest, &st, &env, scratch, &pc);
}

static void reset(u64 x0, u64 x1)
{
	memset(&st, 0, sizeof st);
	memset(&env, 0, sizeof env);
	st.x[0] = x0;
	st.x[1] = x1;
	st.excl_addr = ~0ull;
}

/* --- integers ------------------------------------------------------------------------------------------------------------------- */

/* One operation on x0 and x1 (and the carry, set): OP.type with operands %0 %1 %2, and its fields. */
struct scalar {
	const char *line;
	u64 a, b, want;
};

static const struct scalar scalars[] = {
	{ "ADD.i32 %0, %1", 0xffffffff, 2, 1 }, { "SUB.i64 %0, %1", 1, 2, ~0ull }, { "ADC.i64 %0, %1, %2", 1, 2, 4 },
	{ "SBC.i32 %0, %1, %2", 5, 2, 3 }, { "MUL.i32 %0, %1", 0x10001, 0x10001, 0x20001 }, { "UMULH %0, %1", ~0ull, ~0ull, ~1ull },
	{ "SMULH %0, %1", ~0ull, 2, ~0ull }, { "UDIV.i64 %0, %1", 7, 0, 0 }, { "SDIV.i32 %0, %1", 0x80000000, 0xffffffff, 0x80000000 },
	{ "SDIV.i64 %0, %1", 1ull << 63, ~0ull, 1ull << 63 }, { "SDIV.i32 %0, %1", 0xfffffff9, 2, 0xfffffffd },
	{ "BIC.i64 %0, %1", 0xff, 0x0f, 0xf0 }, { "NOT.i32 %0", 1, 0, 0xfffffffe }, { "NEG.i64 %0", 1, 0, ~0ull },
	{ "SHL.i32 %0, %1", 3, 33, 6 }, { "SAR.i32 %0, %1", 0x80000000, 4, 0xf8000000 }, { "SHR.i64 %0, %1", 1ull << 63, 63, 1 },
	{ "ROR.i32 %0, %1", 1, 1, 0x80000000 }, { "ROR.i64 %0, %1", 5, 64, 5 }, { "EXTR.i32 %0, %1 imm=0x8", 0x12, 0x345678ab, 0x12345678 },
	{ "UBFX.i64 %0 aux=60 imm=0x4", 0xa000000000000000, 0, 10 }, { "SBFX.i32 %0 aux=4 imm=0x4", 0x80, 0, 0xfffffff8 },
	{ "BFI.i32 %0, %1 aux=8 imm=0x8", 0xffffffff, 0x12, 0xffff12ff }, { "CLZ.i32 %0", 1, 0, 31 }, { "CLZ.i64 %0", 0, 0, 64 },
	{ "CLS.i32 %0", 0xffffffff, 0, 31 }, { "CLS.i64 %0", 1, 0, 62 }, { "CLS.i32 %0", 0x40000000, 0, 0 },
	{ "RBIT.i32 %0", 1, 0, 0x80000000 }, { "BSWAP.i32 %0", 0x01020304, 0, 0x04030201 }, { "REV16.i32 %0", 0x01020304, 0, 0x02010403 },
	{ "REV32 %0", 0x0102030405060708, 0, 0x0403020108070605 }, { "SEXT.i64 %0 aux=8", 0x80, 0, ~0x7full },
	{ "SEXT.i32 %0 aux=16", 0x8000, 0, 0xffff8000 }, { "ZEXT.i64 %0 aux=32", ~0ull, 0, 0xffffffff }, { "TRUNC %0", ~0ull, 0, 0xffffffff },
	{ "CSET.i64 %2 cc=cs", 0, 0, 1 }, { "CSET.i64 %2 cc=hi", 0, 0, 1 }, { "CSET.i32 %2 cc=eq", 0, 0, 0 }, { "CSET.i32 %2 cc=nv", 0, 0, 1 },
	{ "SELECT.i64 %2, %0, %1 cc=ne", 7, 8, 7 }, { "SELECT.i64 %2, %0, %1 cc=mi", 7, 8, 8 }, { "FL_TO %2", 0, 0, 0x20000000 },
};

static void integers(void)
{
	const struct scalar *s;
	char text[400];

	for (s = scalars; s < scalars + ARRAY_SIZE(scalars); s++) {
		/* W and S operations carry no type suffix: what the operands are follows from their names. */
		bool narrow = strstr(s->line, ".i32");
		const char *t = narrow && strncmp(s->line, "CSET", 4) ? "i32" : "i64";

		if (!strncmp(s->line, "SEXT", 4))
			t = "i64";
		reset(s->a, s->b);
		snprintf(text, sizeof text, "%%0 = GET.%s aux=0\n%%1 = GET.%s aux=1\n%%2 = FL_CONST imm=0x2\n%%3 = %s\n%%4 = SET.%s %%3 aux=2\n",
			 t, t, s->line, narrow || !strncmp(s->line, "TRUNC", 5) ? "i32" : "i64");
		CHECK(run(text) == IR_EVAL_END && st.x[2] == s->want, "%s: %llx %llx -> %llx, want %llx", s->line,
		      (unsigned long long)s->a, (unsigned long long)s->b, (unsigned long long)st.x[2], (unsigned long long)s->want);
	}
}

static void crc(void)
{
	unsigned n, k;
	u64 acc[2] = { ~0u, ~0u };
	char text[200];

	for (n = 0; n < 9; n++) {	/* the check value of "123456789" */
		for (k = 0; k < 2; k++) {
			reset(acc[k], '1' + n);
			snprintf(text, sizeof text,
				 "%%0 = GET.i32 aux=0\n%%1 = GET.i32 aux=1\n%%2 = CRC32 %%0, %%1 aux=%u imm=0x1\n%%3 = SET.i32 %%2 aux=0\n", k);
			run(text);
			acc[k] = st.x[0];
		}
	}
	CHECK((u32)~acc[0] == 0xcbf43926, "CRC-32 %llx", (unsigned long long)acc[0]);
	CHECK((u32)~acc[1] == 0xe3069283, "CRC-32C %llx", (unsigned long long)acc[1]);
}

/* The flags of all sums and differences of interesting numbers, by their definition in wider arithmetic. */
static void flags(void)
{
	static const u64 v[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff };
	static const char *const op[] = { "FL_ADD.i32 %0, %1", "FL_SUB.i32 %0, %1", "FL_ADC.i32 %0, %1, %2", "FL_SBC.i32 %0, %1, %2" };
	unsigned i, j, k, carry;
	char text[200];

	for (i = 0; i < 64; i++) {
		for (k = 0; k < 8; k++) {
			u64 a = v[i / 8], b = v[i % 8];

			carry = k / 4;
			j = k % 4;
			u64 y = j & 1 ? (u32)~b : b, cin = j >= 2 ? carry : j & 1;
			s64 ss = (s64)(s32)a + (s32)y + (s64)cin;
			u64 us = a + y + cin;
			u32 want = ((u32)us >> 31) << 31 | (u32)((u32)us == 0) << 30 | (u32)(us >> 32) << 29 | (u32)(ss != (s32)ss) << 28;

			reset(a, b);
			snprintf(text, sizeof text, "%%0 = GET.i32 aux=0\n%%1 = GET.i32 aux=1\n%%2 = FL_CONST imm=0x%x\n%%3 = %s\n%%4 = FSET %%3 aux=12\n",
				 carry * 2, op[j]);
			run(text);
			CHECK(st.nzcv == want, "%s %llx %llx carry %u: %x, want %x", op[j], (unsigned long long)a, (unsigned long long)b,
			      carry, st.nzcv, want);
		}
	}
}

/* --- memory ------------------------------------------------------------------------------------------------------------------------- */

static u64 mem[4] __attribute__((aligned(16)));

#define ADDR "%0 = GET.i64 aux=0\n%1 = GET.i64 aux=1\n"

static void memory(void)
{
	reset((u64)mem, 0);
	mem[0] = 0x8182838485868788;
	run(ADDR "%2 = LOAD.i64 %0 aux=33\n%3 = SET.i64 %2 aux=2\n%4 = LOAD.i32 %0 aux=34 imm=0x2\n%5 = SET.i32 %4 aux=3\n");
	CHECK(st.x[2] == 0xffffffffffffff88 && st.x[3] == 0xffff8586, "signed loads %llx %llx", (unsigned long long)st.x[2], (unsigned long long)st.x[3]);
	reset((u64)mem, 0x1234);
	run(ADDR "%2 = STORE %0, %1 aux=257 imm=0x1\n");
	CHECK(mem[0] == 0x8182838485863488, "store byte %llx", (unsigned long long)mem[0]);
	reset((u64)mem, 0);
	st.v[0].d[0] = 1, st.v[0].d[1] = 2;
	run(ADDR "%2 = VGET.v.b.ws aux=8\n%3 = VLOADL.v.b.ws %0, %2 cc=3 aux=4 imm=0x4\n%4 = VSET.v.b.ws %3 aux=9\n"
	    "%5 = VSTOREL %0, %3 cc=12 aux=1 imm=0x10\n%6 = VSTORE %0, %2 aux=16\n");
	CHECK(st.v[1].d[0] == 1 && st.v[1].d[1] == 0x8182838400000002 && (u8)mem[2] == 0x84, "lanes %llx %llx",
	      (unsigned long long)st.v[1].d[1], (unsigned long long)mem[2]);
	CHECK(mem[0] == 1 && mem[1] == 2, "vector store");
}

static void atomics(void)
{
	static const struct { unsigned kind; u64 old, v, want; } t[] = {
		{ IR_RMW_ADD, 0xff, 2, 0x01 }, { IR_RMW_CLR, 0xff, 0x0f, 0xf0 }, { IR_RMW_EOR, 0xff, 0x0f, 0xf0 }, { IR_RMW_SET, 0xf0, 0x0f, 0xff },
		{ IR_RMW_SMAX, 0x80, 1, 1 }, { IR_RMW_SMIN, 0x80, 1, 0x80 }, { IR_RMW_UMAX, 0x80, 1, 0x80 }, { IR_RMW_UMIN, 0x80, 1, 1 },
		{ IR_RMW_SWP, 1, 0x1ff, 0xff },
	};
	unsigned n;
	char text[200];

	for (n = 0; n < ARRAY_SIZE(t); n++) {
		reset((u64)mem, t[n].v);
		mem[0] = 0xaaaaaaaaaaaaaa00 | t[n].old;
		snprintf(text, sizeof text, "%s%%2 = RMW.i64 %%0, %%1 cc=%u aux=1\n%%3 = SET.i64 %%2 aux=2\n", ADDR, t[n].kind);
		run(text);
		CHECK(mem[0] == (0xaaaaaaaaaaaaaa00 | t[n].want) && st.x[2] == t[n].old, "kind %u: %llx", t[n].kind, (unsigned long long)mem[0]);
	}
	reset((u64)mem, 9);
	mem[0] = 9;
	run(ADDR "%2 = CONST.i64 imm=0x55\n%3 = CAS.i64 %0, %1, %2 aux=8\n%4 = CAS.i64 %0, %1, %1 aux=8\n%5 = SET.i64 %4 aux=2\n");
	CHECK(mem[0] == 0x55 && st.x[2] == 0x55, "cas");
	reset((u64)mem, 0);
	mem[0] = 1, mem[1] = 2;
	st.v[0].d[0] = 1, st.v[0].d[1] = 2, st.v[1].d[0] = 3, st.v[1].d[1] = 4;
	run(ADDR "%2 = VGET.v.b.ws aux=8\n%3 = VGET.v.b.ws aux=9\n%4 = CAS128 %0, %2, %3 aux=16\n%5 = VSET.v.b.ws %4 aux=10\n");
	CHECK(mem[0] == 3 && mem[1] == 4 && st.v[2].d[0] == 1 && st.v[2].d[1] == 2, "cas of 16 bytes");
}

static void exclusives(void)
{
	static const char ldx[] = ADDR "%2 = LDX.i64 %0 aux=4\n%3 = SET.i64 %2 aux=2\n";
	static const char stx[] = ADDR "%2 = STX %0, %1 aux=4\n%3 = SET.i32 %2 aux=3\n";

	reset((u64)mem, 77);
	mem[0] = 0x1111111122222222;
	run(ldx);
	CHECK(st.x[2] == 0x22222222 && st.excl_addr == (u64)mem && st.excl_lo == 0x22222222, "ldx");
	run(stx);
	CHECK(st.x[3] == 0 && mem[0] == 0x111111110000004d && st.excl_addr == ~0ull, "stx stores");
	run(stx);
	CHECK(st.x[3] == 1, "stx without ldx");
	run(ldx);
	((u32 *)mem)[0]++;
	run(stx);
	CHECK(st.x[3] == 1 && (u32)mem[0] == 78, "stx after a change");
	run(ldx);
	run("%0 = CLREX\n");
	run(stx);
	CHECK(st.x[3] == 1, "stx after clrex");
	mem[0] = 5, mem[1] = 6;
	st.v[0].d[0] = 7, st.v[0].d[1] = 8;
	run(ADDR "%2 = LDX128 %0 aux=16\n%3 = VGET.v.b.ws aux=8\n%4 = STX128 %0, %3 aux=16\n%5 = SET.i32 %4 aux=3\n");
	CHECK(st.x[3] == 0 && mem[0] == 7 && mem[1] == 8, "pair");
}

static int refuse_store(void *ctx, u64 addr, const void *buf, unsigned size)
{
	(void)ctx, (void)buf, (void)size, (void)addr;
	return -14;
}

static int fake_load(void *ctx, u64 addr, void *buf, unsigned size)
{
	(void)ctx, (void)addr;
	memset(buf, 0x5a, size);
	return 0;
}

static void callbacks(void)
{
	reset(0x123, 0);
	env.load = fake_load;
	env.store = refuse_store;
	CHECK(run(ADDR "%2 = LOAD.i64 %0 aux=2\n%3 = SET.i64 %2 aux=2\n%4 = STORE %0, %1 aux=8 imm=0x8\n%5 = SET.i64 %1 aux=2\n") == IR_EVAL_FAULT, "fault");
	CHECK(st.x[2] == 0x5a5a && env.fault_addr == 0x12b && env.stop && env.stop->op == IR_STORE, "state at the fault");
}

static void control(void)
{
	reset(0, 0x4000);
	CHECK(run(ADDR "%2 = EXIT_NZ.i64 %0 imm=0x1000\n%3 = EXIT_BS.i64 %1 aux=14 imm=0x2000\n%4 = GOTO imm=0x3000\n") == IR_EVAL_GOTO && pc == 0x2000, "exits");
	CHECK(run(ADDR "%2 = EXIT_BC.i64 %1 aux=14 imm=0x2000\n%3 = EXIT_Z.i64 %1 imm=0x2000\n%4 = RET %1\n") == IR_EVAL_GOTO && pc == 0x4000, "ret");
	CHECK(run("%0 = FL_CONST imm=0x4\n%1 = EXIT_CC %0 cc=ne imm=0x10\n%2 = EXIT_CC %0 cc=le imm=0x20\n%3 = INTERP\n") == IR_EVAL_GOTO && pc == 0x20, "exit_cc");
	CHECK(run("%0 = SYSCALL\n") == IR_EVAL_SYSCALL && run("%0 = TRAP cc=1\n") == IR_EVAL_TRAP && run("%0 = INTERP\n") == IR_EVAL_UNSUPPORTED, "stops");
	CHECK(run("%0 = NOP\n") == IR_EVAL_END && !env.stop, "end");
}

/* --- vectors -------------------------------------------------------------------------------------------------------------------------- */

static u64 fpsr;

static v128 vop(enum ir_op op, unsigned esz, unsigned width, s64 imm, v128 a, v128 b, v128 c)
{
	const struct ir_vop_args args = { .op = op, .type = IR_V, .esz = esz, .width = width, .imm = imm };
	struct ir_fpenv e = { 0, 0 };
	v128 d = { .d = { 0xdead, 0xdead } };

	CHECK(ir_eval_vop(&args, &d, &a, &b, &c, &e), "%s", ir_op_info[op].name);
	fpsr = e.fpsr;
	return d;
}

static v128 v2(u64 hi, u64 lo)
{
	return (v128){ .d = { lo, hi } };
}

struct vector {
	u16 op;
	u8 esz, width;
	s64 imm;
	u64 a[2], b[2], c[2], want[2];		/* high half first */
	bool qc;
};

static const struct vector vectors[] = {
	{ IR_VADD, 0, 1, 0, { 1, 0xff01ff02ff03ff04 }, { 1, 0x0101010101010101 }, {}, { 0, 0x0002000300040005 }, 0 },
	{ IR_VMLS, 1, 2, 0, { 0, 10 }, { 0, 3 }, { 0, 4 }, { 0, 0xfffe }, 0 },
	{ IR_VBSL, 0, 2, 0, { ~0ull, 0xff }, { 5, 0x12 }, { 6, 0x3400 }, { 5, 0x3412 }, 0 },
	{ IR_VSQADD, 0, 1, 0, { 0, 0x7f80 }, { 0, 0x01ff }, {}, { 0, 0x7f80 }, 1 },
	{ IR_VUQSUB, 3, 0, 0, { 9, 1 }, { 9, 2 }, {}, { 0, 0 }, 1 },
	{ IR_VSUQADD, 0, 0, 0, { 0, 0x80 }, { 0, 0xff }, {}, { 0, 0x7f }, 0 },
	{ IR_VUSQADD, 0, 0, 0, { 0, 0x10 }, { 0, 0x80 }, {}, { 0, 0 }, 1 },
	{ IR_VSQDMULH, 1, 0, 0, { 0, 0x8000 }, { 0, 0x8000 }, {}, { 0, 0x7fff }, 1 },
	{ IR_VSQRDMULH, 2, 0, 0, { 0, 0x40000000 }, { 0, 3 }, {}, { 0, 2 }, 0 },
	{ IR_VSQRDMLSH, 1, 0, 0, { 0, 0x8000 }, { 0, 0x7fff }, { 0, 0x7fff }, { 0, 0x8000 }, 1 },
	{ IR_VSDOT, 2, 1, 0, { 0, 1 }, { 0, 0xff02 }, { 0, 0x0303 }, { 0, 4 }, 0 },
	{ IR_VUHSUB, 0, 0, 0, { 0, 1 }, { 0, 2 }, {}, { 0, 0xff }, 0 },
	{ IR_VSRHADD, 0, 0, 0, { 0, 0xff }, { 0, 2 }, {}, { 0, 1 }, 0 },
	{ IR_VCMGT, 3, 2, 0, { 1, ~0ull }, { 0, 0 }, {}, { ~0ull, 0 }, 0 },
	{ IR_VCLS, 1, 0, 0, { 0, 0xfffe }, {}, {}, { 0, 14 }, 0 },
	{ IR_VREV, 0, 1, 4, { 0, 0x0102030405060708 }, {}, {}, { 0, 0x0403020108070605 }, 0 },
	{ IR_VUSHR, 3, 0, 64, { 0, ~0ull }, {}, {}, { 0, 0 }, 0 },
	{ IR_VURSHR, 3, 0, 64, { 0, ~0ull }, {}, {}, { 0, 1 }, 0 },
	{ IR_VSLI, 0, 0, 4, { 0, 0xab }, { 0, 0xcd }, {}, { 0, 0xdb }, 0 },
	{ IR_VSRI, 0, 0, 8, { 0, 0xab }, { 0, 0xcd }, {}, { 0, 0xab }, 0 },
	{ IR_VSQSHLUI, 0, 0, 1, { 0, 0xff }, {}, {}, { 0, 0 }, 1 },
	{ IR_VSQSHL, 3, 0, 0, { 0, 1ull << 62 }, { 0, 1 }, {}, { 0, ~0ull >> 1 }, 1 },
	{ IR_VSRSHL, 3, 0, 0, { 0, ~0ull }, { 0, 0x80 }, {}, { 0, 0 }, 0 },
	{ IR_VURSHL, 3, 0, 0, { 0, ~0ull }, { 0, 0xc0 }, {}, { 0, 1 }, 0 },
	{ IR_VUSHL, 3, 0, 0, { 0, 3 }, { 0, 0x3f }, {}, { 0, 1ull << 63 }, 0 },
	{ IR_VLSMUL, 1, 2, 1, { 0x8000, 9 }, { 2, 9 }, {}, { 0, 0xffff0000 }, 0 },
	{ IR_VLPMUL, 3, 2, 0, { 0, ~0ull }, { 0, 3 }, {}, { 1, 1 }, 0 },
	{ IR_VLSQDMUL, 2, 0, 0, { 0, 0x80000000 }, { 0, 0x80000000 }, {}, { 0, ~0ull >> 1 }, 1 },
	{ IR_VNSQU, 0, 0, 0, {}, { 0, 0xffff }, {}, { 0, 0 }, 1 },
	{ IR_VNSQRS, 1, 2, IR_HIGH | 4, { 0, 0x1234 }, { 0, 0x18 }, {}, { 2, 0x1234 }, 0 },
	{ IR_VNRADDH, 0, 1, 0, {}, { 0, 0x0040 }, { 0, 0x0040 }, { 0, 1 }, 0 },
	{ IR_VADDP, 3, 0, 0, { 5, 6 }, { 5, 6 }, {}, { 0, 11 }, 0 },
	{ IR_VADDP, 0, 1, 0, { 0, 0x0807060504030201 }, { 0, 0x1 }, {}, { 0, 0x000000010f0b0703 }, 0 },
	{ IR_VSADDLP, 0, 1, 0, { 0, 0xffff }, {}, {}, { 0, 0xfffe }, 0 },
	{ IR_VUADDLV, 0, 0, IR_W64, { ~0ull, ~0ull }, {}, {}, { 0, 8 * 255 }, 0 },
	{ IR_VSMINV, 0, 0, IR_W128, { 0x80, 0x7f }, {}, {}, { 0, 0x80 }, 0 },
	{ IR_VEXT, 0, 1, 3, { 0, 0x0706050403020100 }, { 0, 0x0f0e0d0c0b0a0908 }, {}, { 0, 0x0a09080706050403 }, 0 },
	{ IR_VZIP2, 3, 2, 0, { 2, 1 }, { 4, 3 }, {}, { 4, 2 }, 0 },
	{ IR_VUZP1, 2, 2, 0, { 0x0000000400000003, 0x0000000200000001 }, { 0x0000000800000007, 0x0000000600000005 }, {}, { 0x0000000700000005, 0x0000000300000001 }, 0 },
	{ IR_VTRN2, 0, 1, 0, { 0, 0x0706050403020100 }, { 0, 0x1716151413121110 }, {}, { 0, 0x1707150513031101 }, 0 },
	{ IR_VTBL, 0, 1, 16, { 0x0f, 0x55aa }, { 0, 0x2018001110ff0f1f }, {}, { 0, 0x000f0055aa000000 }, 0 },
	{ IR_VMOV, 2, 0, 0, { 1, 0x123456789 }, {}, {}, { 0, 0x23456789 }, 0 },
	{ IR_FMA, 3, 0, 1, { 0, 0x4008000000000000 }, { 0, 0x3ff0000000000000 }, { 0, 0x4000000000000000 }, { 0, 0x3ff0000000000000 }, 0 },
	{ IR_FADDP, 2, 0, 0, { 0, 0x3f80000040000000 }, { 0, 0x3f80000040000000 }, {}, { 0, 0x40400000 }, 0 },
	{ IR_FCADD, 2, 1, 1, { 0, 0x4000000040000000 }, { 0, 0x3f80000040000000 }, {}, { 0, 0x408000003f800000 }, 0 },
	{ IR_FCMLA, 2, 1, 1, { 0, 0 }, { 0, 0x400000003f800000 }, { 0, 0x3f80000040400000 }, { 0, 0x40c00000c0000000 }, 0 },
};

static void vector_cases(void)
{
	const struct vector *t;

	for (t = vectors; t < vectors + ARRAY_SIZE(vectors); t++) {
		v128 d = vop(t->op, t->esz, t->width, t->imm, v2(t->a[0], t->a[1]), v2(t->b[0], t->b[1]), v2(t->c[0], t->c[1]));

		CHECK(d.d[1] == t->want[0] && d.d[0] == t->want[1], "%s esz %u: %llx:%llx, want %llx:%llx", ir_op_info[t->op].name, t->esz,
		      (unsigned long long)d.d[1], (unsigned long long)d.d[0], (unsigned long long)t->want[0], (unsigned long long)t->want[1]);
		CHECK(!!(fpsr & BIT(27)) == t->qc, "%s esz %u: QC", ir_op_info[t->op].name, t->esz);
	}
}

/* Each vector operation, element size and width gives an answer, also when the destination is an operand. */
static void coverage(void)
{
	struct ir_vop_args none = { .op = IR_ADD };
	struct ir_fpenv e = { 0, 0 };
	unsigned op, esz, width;
	const char *z;

	for (op = 0; op < IR_OP_COUNT; op++) {
		for (z = ir_op_info[op].esizes; z && *z; z++) {
			for (width = IR_WS; width <= IR_W128; width++) {
				struct ir_vop_args args = { .op = op, .type = IR_I64, .width = width, .imm = 1 };
				v128 a = v2(0x3ff0123456789abc, 0x4ff0123456789abc), b = v2(0x2ff0777700001111, 0x1ff0777700001111), c = v2(1, 2), d;

				esz = (unsigned)(strchr("bhsdq", *z) - "bhsdq");
				args.esz = esz;
				if (op == IR_VREV)
					args.imm = 8;
				CHECK(ir_eval_vop(&args, &d, &a, &b, &c, &e), "%s has no evaluator", ir_op_info[op].name);
				CHECK(ir_eval_vop(&args, &a, &a, &b, &c, &e) && !memcmp(&a, &d, 16), "%s: aliased result differs", ir_op_info[op].name);
			}
		}
	}
	v128 d = v2(1, 2);

	CHECK(!ir_eval_vop(&none, &d, &d, &d, &d, &e) && d.d[0] == 2 && d.d[1] == 1, "a scalar operation is not a VOP");
}

/* --- cryptography ------------------------------------------------------------------------------------------------------------------- */

static const v128 zero;

static v128 crypt(enum ir_op op, v128 a, v128 b, v128 c)
{
	return vop(op, op >= IR_SHA1C ? IR_S : IR_B, op == IR_SHA1H ? IR_WS : IR_W128, 0, a, b, c);
}

/* S-box of the four bytes of a word: ShiftRows does nothing to four equal columns. */
static u32 sub_word(u32 w)
{
	return crypt(IR_AESE, (v128){ .s = { w, w, w, w } }, zero, zero).s[0];
}

/* FIPS 197, appendix C.1, and back. */
static void aes(void)
{
	static const u8 want[16] = { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a };
	v128 key[11], x, plain;
	u32 w[44], rcon = 1;
	unsigned n;

	for (n = 0; n < 16; n++) {
		plain.b[n] = (u8)(n * 0x11);
		((u8 *)w)[n] = (u8)n;
	}
	for (n = 4; n < 44; n++) {
		u32 t = w[n - 1];

		if (n % 4 == 0) {
			t = sub_word(t >> 8 | t << 24) ^ rcon;
			rcon = rcon << 1 ^ (rcon & 0x80 ? 0x11b : 0);
		}
		w[n] = w[n - 4] ^ t;
	}
	memcpy(key, w, sizeof key);
	x = plain;
	for (n = 0; n < 9; n++)
		x = crypt(IR_AESMC, crypt(IR_AESE, x, key[n], zero), zero, zero);
	x = crypt(IR_AESE, x, key[9], zero);
	x.d[0] ^= key[10].d[0];
	x.d[1] ^= key[10].d[1];
	CHECK(!memcmp(&x, want, 16), "ciphertext differs");
	x = crypt(IR_AESD, x, key[10], zero);
	for (n = 9; n; n--)
		x = crypt(IR_AESD, crypt(IR_AESIMC, x, zero, zero), crypt(IR_AESIMC, key[n], zero, zero), zero);
	x.d[0] ^= key[0].d[0];
	x.d[1] ^= key[0].d[1];
	CHECK(!memcmp(&x, &plain, 16), "decrypted text differs");
}

static v128 add_k(v128 w, const u32 *k)
{
	for (unsigned n = 0; n < 4; n++)
		w.s[n] += k[n];
	return w;
}

/* "abc" as one padded block. */
static void abc_block(v128 w[4])
{
	memset(w, 0, 64);
	w[0].s[0] = 0x61626380;
	w[3].s[3] = 24;
}

static const u32 k256[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
	0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static void sha256(void)
{
	static const u32 want[8] = { 0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad };
	const v128 p0 = { .s = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a } }, q0 = { .s = { 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
	v128 w[4], p = p0, q = q0;
	unsigned n;

	abc_block(w);
	for (n = 0; n < 16; n++) {
		v128 kw = add_k(w[n & 3], k256 + 4 * n), old = p;

		if (n < 12)
			w[n & 3] = crypt(IR_SHA256SU1, crypt(IR_SHA256SU0, w[n & 3], w[(n + 1) & 3], zero), w[(n + 2) & 3], w[(n + 3) & 3]);
		p = crypt(IR_SHA256H, p, q, kw);
		q = crypt(IR_SHA256H2, q, old, kw);
	}
	for (n = 0; n < 4; n++)
		CHECK(p.s[n] + p0.s[n] == want[n] && q.s[n] + q0.s[n] == want[4 + n], "word %u", n);
}

static void sha1(void)
{
	static const u32 want[5] = { 0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c, 0x9cd0d89d };
	static const u32 k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	static const u16 f[4] = { IR_SHA1C, IR_SHA1P, IR_SHA1M, IR_SHA1P };
	const v128 h0 = { .s = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 } };
	v128 w[4], h = h0, e = { .s = { 0xc3d2e1f0 } };
	unsigned n;

	abc_block(w);
	for (n = 0; n < 20; n++) {
		const u32 kk[4] = { k[n / 5], k[n / 5], k[n / 5], k[n / 5] };
		v128 kw = add_k(w[n & 3], kk), next = crypt(IR_SHA1H, h, zero, zero);

		if (n < 16)
			w[n & 3] = crypt(IR_SHA1SU1, crypt(IR_SHA1SU0, w[n & 3], w[(n + 1) & 3], w[(n + 2) & 3]), w[(n + 3) & 3], zero);
		h = crypt(f[n / 5], h, e, kw);
		e = next;
	}
	for (n = 0; n < 4; n++)
		CHECK(h.s[n] + h0.s[n] == want[n], "word %u", n);
	CHECK(e.s[0] + 0xc3d2e1f0 == want[4], "word 4");
}

int main(void)
{
	ktap_start(13);
	ktap_run("eval: integers", integers);
	ktap_run("eval: CRC", crc);
	ktap_run("eval: flags", flags);
	ktap_run("eval: loads and stores", memory);
	ktap_run("eval: atomics", atomics);
	ktap_run("eval: exclusives", exclusives);
	ktap_run("eval: callbacks and faults", callbacks);
	ktap_run("eval: control", control);
	ktap_run("eval: vectors", vector_cases);
	ktap_run("eval: every vector operation is there", coverage);
	ktap_run("eval: AES", aes);
	ktap_run("eval: SHA-256", sha256);
	ktap_run("eval: SHA-1", sha1);
	return ktap_end();
}
