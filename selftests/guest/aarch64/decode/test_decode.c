// SPDX-License-Identifier: MIT
/*
 * The A64 decoder and disassembler against binutils' objdump.
 *
 * In:  samples of the encoding space: for each line of insns.decode random fields, and the line with
 *      one fixed bit turned (what lies beside an encoding is where decoders are wrong); uniformly
 *      random words; a stride over all words.
 * Out: a summary line; each unexplained difference (allocated or not, mnemonic, operands) on a line
 *      of its own, and then exit status 1. 77: no objdump here.
 * Options: -n COUNT random words (default 400000), -s SEED.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest/aarch64/decode.h"
#include "guest/aarch64/disasm.h"

#define MAX_SHOWN 60

static u64 rng_state = 1;

static u32 rng(void)
{
	rng_state += 0x9e3779b97f4a7c15ull;
	u64 z = rng_state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (u32)(z >> 32);
}

/* What objdump knows and this decoder leaves out on purpose; the guest sees SIGILL. */
static const char *const left_out[] = {
	/* Not executable at EL0. */
	"hvc", "smc", "dcps1", "dcps2", "dcps3", "eret", "eretaa", "eretab", "drps",
	/* UDF is undefined by its definition. */
	"udf",
	/* PAuth outside of the hint space. */
	"braa", "brab", "braaz", "brabz", "blraa", "blrab", "blraaz", "blrabz", "retaa", "retab",
	"ldraa", "ldrab", "pacia", "pacib", "pacda", "pacdb", "autia", "autib", "autda", "autdb",
	"paciza", "pacizb", "pacdza", "pacdzb", "autiza", "autizb", "autdza", "autdzb", "pacga",
	"xpaci", "xpacd",
	/* MTE. */
	"addg", "subg", "irg", "gmi", "subp", "subps", "stg", "stzg", "st2g", "stz2g", "ldg", "ldgm",
	"stgm", "stzgm", "stgp",
	/* BF16, I8MM, FHM, FRINTTS. */
	"bfdot", "bfmmla", "bfmlalb", "bfmlalt", "bfcvt", "bfcvtn", "bfcvtn2", "smmla", "ummla",
	"usmmla", "usdot", "sudot", "fmlal", "fmlal2", "fmlsl", "fmlsl2", "frint32z", "frint32x",
	"frint64z", "frint64x",
	/* SHA3, SHA512, SM3, SM4. */
	"eor3", "bcax", "rax1", "xar", "sha512h", "sha512h2", "sha512su0", "sha512su1", "sm3ss1",
	"sm3tt1a", "sm3tt1b", "sm3tt2a", "sm3tt2b", "sm3partw1", "sm3partw2", "sm4e", "sm4ekey",
	/* FlagM2, LS64, WFxT, TME, RPRES, BC (HBC). */
	"axflag", "xaflag", "ld64b", "st64b", "st64bv", "st64bv0", "wfet", "wfit", "tstart", "tcommit",
	"tcancel", "ttest",
};

/* Whole regions; with `only`, where objdump prints that mnemonic. */
static const struct { u32 mask, value; const char *why, *only; } left_out_space[] = {
	{ 0x1e000000, 0x04000000, "SVE", NULL },
	{ 0x9e000000, 0x80000000, "SME", NULL },
	{ 0x3b200c00, 0x19000400, "MOPS: CPY, SET", NULL },
	{ 0xff000010, 0x54000010, "BC.cond (FEAT_HBC)", NULL },
	{ 0xffd80000, 0xd5000000, "op0 = 0, and MSR (immediate), printed as msr", "msr" },
	{ 0xffd80000, 0xd5000000, "op0 = 0, printed as mrs", "mrs" },
	{ 0xfffff3ff, 0xd503323f, "DSB nXS (FEAT_XS)", NULL },
	{ 0x7fc00000, 0x11c00000, "CSSC: SMAX, SMIN, UMAX, UMIN (immediate)", NULL },
	{ 0x7fe0f000, 0x1ac06000, "CSSC: SMAX, SMIN, UMAX, UMIN (register)", NULL },
	{ 0x7ffff800, 0x5ac01800, "CSSC: CTZ, CNT", NULL },
	{ 0x7ffffc00, 0x5ac02000, "CSSC: ABS", NULL },
};

static bool is_left_out(u32 word, const char *mnemonic)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (!strcmp(left_out[i], mnemonic))
			return true;
	for (size_t i = 0; i < sizeof(left_out_space) / sizeof(*left_out_space); i++)
		if ((word & left_out_space[i].mask) == left_out_space[i].value &&
		    (!left_out_space[i].only || !strcmp(left_out_space[i].only, mnemonic)))
			return true;
	return false;
}

/* Words that this decoder takes and objdump does not: bits that the manual marks "should be". */
static const struct { u32 mask, value, sbo_mask, sbo; const char *why; } lenient[] = {
	{ 0xfffff0ff, 0xd500401f, 0x00000f00, 0, "CFINV: CRm is (0)" },
	{ 0x3fe00000, 0x08c00000, 0x001f7c00, 0x001f7c00, "LDAR, LDLAR: Rs and Rt2 are (1)" },
	{ 0x3fe00000, 0x08800000, 0x001f7c00, 0x001f7c00, "STLR, STLLR: Rs and Rt2 are (1)" },
	{ 0x3fe0fc00, 0x38a0c000, 0x001f0000, 0x001f0000, "LDAPR: Rs is (1)" },
};

static bool is_lenient(u32 word)
{
	for (size_t i = 0; i < sizeof(lenient) / sizeof(*lenient); i++)
		if ((word & lenient[i].mask) == lenient[i].value &&
		    (word & lenient[i].sbo_mask) != lenient[i].sbo)
			return true;
	/* LDPSW into one register twice, or with write-back of a loaded base: CONSTRAINED UNPREDICTABLE. */
	if ((word & 0xfe400000) == 0x68400000) {
		u32 rn = word >> 5 & 31, rt = word & 31, rt2 = word >> 10 & 31;

		return rt == rt2 || ((word & 0x00800000) && (rn == rt || rn == rt2));
	}
	return false;
}

/*
 * The next token of an operand list: a word (register, shift, condition) or a number, brought to one
 * form. False at the end; comments end the text.
 */
static bool next_token(const char **at, char *tok, size_t size)
{
	const char *p = *at;
	size_t n = 0;

	while (*p && *p != '/' && *p != '!' && *p != '-' && !isalnum((unsigned char)*p))
		p++;
	if (!*p || *p == '/')
		return false;
	if (*p == '!') {
		*at = p + 1;
		strcpy(tok, "!");
		return true;
	}
	if (*p == '-' || isdigit((unsigned char)*p)) {
		char *end;
		u64 v = strtoull(p, &end, 0);

		if (*end == '.')
			end += strspn(end, ".0");
		*at = end > p ? end : p + 1;
		snprintf(tok, size, "%llx", (unsigned long long)v);
		return true;
	}
	while ((isalnum((unsigned char)*p) || *p == '.' || *p == '_') && n + 1 < size)
		tok[n++] = *p++;
	tok[n] = 0;
	*at = p;
	return true;
}

/* FMOV with an immediate: ours are bits to replicate over 64, objdump's a decimal. */
static bool same_fp_imm(u64 bits, const char *theirs, u32 word)
{
	const char *hash = strrchr(theirs, '#');
	double want = hash ? strtod(hash + 1, NULL) : 0;
	bool scalar = (word & 0x1f000000) == 0x1e000000;
	unsigned int type = word >> 22 & 3;
	unsigned int size = scalar ? (type == 3 ? 1 : 2 + type) :
		word >> 11 & 1 ? 1 : 2 + (word >> 29 & 1);
	u64 unit = size == 1 ? 0x1000100010001ull : size == 2 ? 0x100000001ull : 1;

	for (unsigned int imm8 = 0; imm8 < 256; imm8++) {
		int exponent = (int)(imm8 >> 4 & 3) + (imm8 & 0x40 ? -3 : 1);
		double value = 1 + (imm8 & 15) / 16.0;

		for (; exponent > 0; exponent--)
			value *= 2;
		for (; exponent < 0; exponent++)
			value /= 2;
		if ((imm8 & 0x80 ? -value : value) == want)
			return bits == a64_vfp_imm(imm8, size) * (scalar ? 1 : unit);
	}
	return false;
}

/* Ours prints system registers by number: any name is right, the number stands in the word. */
static bool is_sysreg(const char *tok)
{
	return tok[0] == 's' && isdigit((unsigned char)tok[1]) && tok[2] == '_';
}

static bool same_operands(const char *a, const char *b)
{
	char ta[64], tb[64];
	bool more_a, more_b;

	do {
		more_a = next_token(&a, ta, sizeof(ta));
		more_b = next_token(&b, tb, sizeof(tb));
		if (more_a != more_b || (more_a && strcmp(ta, tb) && !is_sysreg(ta)))
			return false;
	} while (more_a);
	return true;
}

struct tally {
	unsigned long words, allocated, explained, wrong;
};

static void differ(struct tally *t, u32 word, const char *ours, const char *theirs)
{
	if (t->wrong++ < MAX_SHOWN)
		printf("%08x: ours '%s', objdump '%s'\n", word, ours, theirs);
}

static void compare(struct tally *t, u32 word, u64 pc, char *theirs)
{
	char ours[256], op[64] = "", mnemonic[64] = "";

	t->words++;
	a64_disasm(word, pc, ours, sizeof(ours));
	sscanf(ours, "%63s", op);
	sscanf(theirs, "%63s", mnemonic);
	if (strcmp(op, ".inst"))
		t->allocated++;
	if (!strcmp(op, mnemonic) && (!strcmp(op, ".inst") || same_operands(ours, theirs)))
		return;
	if (!strcmp(op, "fmov") && !strcmp(mnemonic, "fmov") && strstr(ours, "#0x") &&
	    same_fp_imm(strtoull(strstr(ours, "#0x") + 1, NULL, 16), theirs, word))
		return;
	if ((!strcmp(op, ".inst") && is_left_out(word, mnemonic)) ||
	    ((!strcmp(mnemonic, ".inst") || !strcmp(op, "cfinv")) && is_lenient(word))) {
		t->explained++;
		return;
	}
	differ(t, word, ours, theirs);
}

/* Runs objdump over the words and compares line by line. */
static int run_batch(struct tally *t, const u32 *words, size_t count)
{
	char path[] = "/tmp/a64-decode-XXXXXX", cmd[256], *line = NULL;
	size_t cap = 0, seen = 0;
	int fd = mkstemp(path);
	FILE *f;

	if (fd < 0 || write(fd, words, count * 4) != (ssize_t)(count * 4)) {
		perror(path);
		return 1;
	}
	close(fd);
	snprintf(cmd, sizeof(cmd),
		 "aarch64-linux-gnu-objdump -D -z -b binary -m aarch64 -M no-aliases %s", path);
	f = popen(cmd, "r");
	while (f && getline(&line, &cap, f) > 0) {
		char *p = strchr(line, ':');
		char *text = p ? strchr(p, '\t') : NULL;

		if (!text || !isspace((unsigned char)line[0]))
			continue;
		text = strchr(text + 1, '\t');
		if (!text || seen >= count)
			continue;
		text[strcspn(text, "\n")] = 0;
		compare(t, words[seen], seen * 4, text + 1);
		seen++;
	}
	free(line);
	unlink(path);
	if (!f || pclose(f) || seen != count) {
		fprintf(stderr, "objdump failed after %zu of %zu words\n", seen, count);
		return 1;
	}
	return 0;
}

/* Each line of the table: random fields, and a neighbour that differs in one fixed bit. */
static size_t sample_table(u32 *words, size_t each)
{
	size_t n = 0;

	for (unsigned int enc = 1; enc < A64_ENC_COUNT; enc++) {
		enum a64_op op;
		u32 mask, value;

		a64_enc_bits(enc, &mask, &value, &op);
		for (size_t i = 0; i < each; i++) {
			u32 word = value | (rng() & ~mask);

			if (i & 1)
				word ^= 1u << (rng() & 31);
			words[n++] = word;
		}
	}
	return n;
}

/* Reports lines of the table that nothing decodes to. */
static unsigned int unreached(const u32 *words, size_t count)
{
	static bool hit[A64_ENC_COUNT];
	unsigned int missing = 0;
	struct a64_insn in;

	for (size_t i = 0; i < count; i++)
		hit[a64_decode_enc(words[i], &in)] = true;
	for (unsigned int enc = 1; enc < A64_ENC_COUNT; enc++) {
		if (hit[enc])
			continue;
		printf("line never decoded: %s\n", a64_enc_template(enc));
		missing++;
	}
	return missing;
}

/* Final immediates, which the disassembly does not show: worked out by hand from the manual. */
static const struct { u32 word; u16 op; u64 imm; } known_imm[] = {
	{ 0x12800000, A64_OP_MOV_i, 0xffffffff },		/* movn w0, #0 */
	{ 0x92a00020, A64_OP_MOV_i, 0xfffffffffffeffff },	/* movn x0, #1, lsl #16 */
	{ 0xd2f00000, A64_OP_MOV_i, 0x8000000000000000 },	/* movz x0, #0x8000, lsl #48 */
	{ 0x32010420, A64_OP_ORR_i, 0x80000001 },		/* orr w0, w1, #0x80000001 */
	{ 0x9201f020, A64_OP_AND_i, 0xaaaaaaaaaaaaaaaa },
	{ 0x917ffc20, A64_OP_ADD_i, 0xfff000 },			/* add x0, x1, #0xfff, lsl #12 */
	{ 0x6f000420, A64_OP_MOVI_v, 0xfffffffefffffffe },	/* mvni v0.4s, #1 */
	{ 0x4f00a420, A64_OP_MOVI_v, 0x0100010001000100 },	/* movi v0.8h, #1, lsl #8 */
	{ 0x6f05e540, A64_OP_MOVI_v, 0xff00ff00ff00ff00 },	/* movi v0.2d */
	{ 0x6f0777e0, A64_OP_BIC_vi, 0xff000000ff000000 },	/* bic v0.4s, #255, lsl #24 */
	{ 0x0f00c420, A64_OP_MOVI_v, 0x000001ff000001ff },	/* movi v0.2s, #1, msl #8 */
	{ 0x2f00d420, A64_OP_MOVI_v, 0xfffe0000fffe0000 },	/* mvni v0.2s, #1, msl #16 */
	{ 0x4f02e740, A64_OP_MOVI_v, 0x5a5a5a5a5a5a5a5a },
	{ 0x4f03f600, A64_OP_MOVI_v, 0x3f8000003f800000 },	/* fmov v0.4s, #1.0 */
	{ 0x6f04f400, A64_OP_MOVI_v, 0xc000000000000000 },	/* fmov v0.2d, #-2.0 */
	{ 0x4f02fc00, A64_OP_MOVI_v, 0x3000300030003000 },	/* fmov v0.8h, #0.125 */
	{ 0x1e67f000, A64_OP_FMOV_fi, 0x403f000000000000 },	/* fmov d0, #31.0 */
	{ 0x0cdf0000, A64_OP_LDn_m, 32 },			/* ld4 {v0.8b-v3.8b}, [x0], #32 */
	{ 0xad600400, A64_OP_LDPV, (u64)-1024 },		/* ldp q0, q1, [x0, #-1024] */
	{ 0xf93ffc20, A64_OP_STR_i, 32760 },			/* str x0, [x1, #32760] */
	{ 0x6e1c4420, A64_OP_INS_e, 2 },			/* ins v0.s[3], v1.s[2] */
};

static void check_known(struct tally *t)
{
	struct a64_insn in;

	for (size_t i = 0; i < sizeof(known_imm) / sizeof(*known_imm); i++) {
		a64_decode(known_imm[i].word, &in);
		if (in.op == known_imm[i].op && (u64)in.imm == known_imm[i].imm)
			continue;
		t->wrong++;
		printf("%08x: %s imm %llx, want %s %llx\n", known_imm[i].word, a64_op_name(in.op),
		       (unsigned long long)in.imm, a64_op_name(known_imm[i].op),
		       (unsigned long long)known_imm[i].imm);
	}
}

static double decode_ns(const u32 *words, size_t count)
{
	struct timespec a, b;
	struct a64_insn in;
	volatile unsigned int sink = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (size_t i = 0; i < count; i++)
		sink += a64_decode(words[i], &in);
	clock_gettime(CLOCK_MONOTONIC, &b);
	(void)sink;
	return ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / (double)count;
}

int main(int argc, char **argv)
{
	size_t count = 400000, each = 600, n;
	struct tally t = { 0 };
	unsigned int missing;
	u32 *words;
	double ns;
	int c;

	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		if (c == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			rng_state = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (system("command -v aarch64-linux-gnu-objdump >/dev/null")) {
		puts("test_decode: skipped, no aarch64-linux-gnu-objdump");
		return 77;
	}
	n = each * A64_ENC_COUNT;
	words = malloc((n > count ? n : count) * sizeof(*words));
	if (!words)
		return 2;

	n = sample_table(words, each);
	missing = unreached(words, n);
	check_known(&t);
	ns = decode_ns(words, n);
	if (run_batch(&t, words, n))
		return 2;
	for (size_t i = 0; i < count; i++)
		words[i] = rng();
	if (run_batch(&t, words, count))
		return 2;
	for (size_t i = 0; i < count; i++)
		words[i] = (u32)(i * (0x100000000ull / count | 1));
	if (run_batch(&t, words, count))
		return 2;
	free(words);
	printf("test_decode: %lu words, %lu allocated, %lu left out on purpose, %lu differences, "
	       "%u lines unreached, %.1f ns a decode\n", t.words, t.allocated, t.explained, t.wrong, missing, ns);
	return t.wrong || missing ? 1 : 0;
}
