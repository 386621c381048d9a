// SPDX-License-Identifier: MIT
/*
 * Shows what becomes of A64 code: words (hex) as arguments in, disassembly, IR and host code (to a file for objdump) out.
 *	tool_translate [-c CLASS] [-o FILE] WORD...
 *	objdump -D -b binary -mi386:x86-64 FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "guest/guest.h"
#include "ir/ir.h"
#include "translate/translate.h"

#define BASE 0x10000ull

static u32 word[1024];
static size_t nword;

static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	(void)ctx;
	if (pc < BASE || pc >= BASE + 4 * nword) {
		*avail = 0;
		return NULL;
	}
	*avail = BASE + 4 * nword - pc;
	return (u8 *)word + (pc - BASE);
}

static void print_ir(const struct guest *g)
{
	static struct ir_inst inst[IR_MAX_INSTS];
	static struct ir_block block[1];
	static u64 vconst[4096];
	static char text[1 << 20];
	struct ir_region r = { .inst = inst, .block = block, .vconst = vconst, .max_inst = IR_MAX_INSTS, .max_block = 1,
			       .max_vconst = 4096 };
	unsigned len;

	for (size_t k = 0; k < nword; k++) {
		char line[128];

		g->disasm(BASE + 4 * k, &word[k], line, sizeof(line));
		printf("%06llx  %08x  %s\n", (unsigned long long)(BASE + 4 * k), word[k], line);
		g->lift(&r, BASE + 4 * k, &word[k], &len);
	}
	r.nblock = 1;
	block[0] = (struct ir_block){ .first = 0, .count = r.ninst, .pc = BASE };
	ir_print(&r, text, sizeof(text));
	fputs(text, stdout);
}

int main(int argc, char **argv)
{
	const struct guest *g = guest_find(183, 2, 1);
	struct translate_req q = { .guest = g, .pc = BASE, .fetch = fetch, .max_insns = 1000 };
	struct translate_out o = { 0 };
	const char *file = NULL, *class = NULL;
	u8 *mem;
	int c, err;

	while ((c = getopt(argc, argv, "c:o:")) != -1) {
		if (c == 'c')
			class = optarg;
		else if (c == 'o')
			file = optarg;
		else
			return 2;
	}
	for (; optind < argc && nword < 1024; optind++)
		word[nword++] = (u32)strtoul(argv[optind], NULL, 16);
	print_ir(g);
	q.opt.features = class ? x64_class_features(class) : x64_host_features();
	mem = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	o.cg = (struct cg_out){ .code = mem, .max_code = 1 << 18, .cold = mem + (1 << 18), .max_cold = 1 << 18,
				.pool = mem + (1 << 20), .entry = calloc(1024, sizeof(struct cg_entry)), .max_entry = 1024,
				.map = calloc(4096, sizeof(struct cg_map)), .max_map = 4096, .retsite = calloc(1024, 4),
				.max_retsite = 1024, .site = calloc(4096, 4), .max_site = 4096 };
	err = translate(&q, &o, calloc(1, translate_scratch_size()));
	printf("translate: %d, %u bytes hot, %u cold\n", err, o.cg.code_len, o.cg.cold_len);
	if (!err && file) {
		FILE *f = fopen(file, "w");

		if (!f)
			return 1;
		fwrite(mem, 1, o.cg.code_len, f);
		fclose(f);
	}
	return err != 0;
}
