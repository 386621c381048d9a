// SPDX-License-Identifier: MIT
/*
 * How long translation takes: goes over the executable part of an aarch64 ELF file (as libc.so.6) region by region, and prints
 * time, code size and pc map entries per guest instruction.
 *	tool_speed [-c CLASS] [-n INSNS_PER_REGION] FILE
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#include "guest/guest.h"
#include "translate/translate.h"

static u8 *text;
static u64 base, len;

static const void *fetch(void *ctx, u64 pc, size_t *avail)
{
	(void)ctx;
	*avail = pc >= base && pc < base + len ? base + len - pc : 0;
	return text + (pc - base);
}

static void load(const char *file)
{
	FILE *f = fopen(file, "rb");
	Elf64_Ehdr h;
	Elf64_Phdr p;

	if (!f || fread(&h, sizeof(h), 1, f) != 1)
		exit(2);
	for (int i = 0; i < h.e_phnum; i++) {
		fseek(f, (long)(h.e_phoff + (u64)i * h.e_phentsize), SEEK_SET);
		if (fread(&p, sizeof(p), 1, f) != 1)
			exit(2);
		if (p.p_type == PT_LOAD && (p.p_flags & PF_X)) {
			base = p.p_vaddr;
			len = p.p_filesz;
			text = malloc(len);
			fseek(f, (long)p.p_offset, SEEK_SET);
			if (fread(text, 1, len, f) != len)
				exit(2);
		}
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	struct translate_req q = { .guest = guest_find(EM_AARCH64, 2, 1), .fetch = fetch, .max_insns = 128 };
	size_t insns = 0, hot = 0, cold = 0, failed = 0, regions = 0;
	struct translate_out o;
	struct timespec a, b;
	void *scratch = calloc(1, translate_scratch_size());
	u8 *mem = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct cg_entry *entry = calloc(4096, sizeof(*entry));
	struct cg_map *map = calloc(8192, sizeof(*map));
	u32 *ret = calloc(4096, 4), *site = calloc(4096, 4);
	const char *class = NULL;
	double s;
	int c;

	while ((c = getopt(argc, argv, "c:n:")) != -1) {
		if (c == 'c')
			class = optarg;
		else if (c == 'n')
			q.max_insns = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (optind >= argc)
		return 2;
	load(argv[optind]);
	q.opt.features = class ? x64_class_features(class) : x64_host_features();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (u64 pc = base; pc < base + len; pc = o.pc_hi > pc ? o.pc_hi : pc + 4) {
		q.pc = pc;
		memset(&o, 0, sizeof(o));
		o.cg = (struct cg_out){ .code = mem, .max_code = 1 << 20, .cold = mem + (1 << 20), .max_cold = 1 << 20,
				.pool = mem + (1 << 22), .entry = entry, .max_entry = 4096, .map = map, .max_map = 8192,
				.retsite = ret, .max_retsite = 4096, .site = site, .max_site = 4096 };
		if (translate(&q, &o, scratch)) {
			failed++;
			continue;
		}
		regions++;
		insns += o.ninsns;
		hot += o.cg.code_len;
		cold += o.cg.cold_len;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	printf("%zu instructions in %zu regions (%zu not translated): %.0f ns, %.1f hot and %.1f cold bytes per instruction\n", insns,
	       regions, failed, s * 1e9 / (double)insns, (double)hot / (double)insns, (double)cold / (double)insns);
	return 0;
}
