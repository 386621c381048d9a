// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/*
 * Translates a guest file ahead of time, without a server: all that can be reached from where functions begin. Prints what it
 * took. The output is an object file that the runtime can use, and has been checked.
 *	tool_object [-c CLASS] [-n INSNS_PER_REGION] [-e] [-v] [-r SEED] GUEST-FILE [OUT]
 *	-e only from the entry point; -v verify each region; -r functions in random order: more code is translated twice
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "object/object.h"
#include "translator_id.h"

static const u8 id[32] = DRAGOMAN_TRANSLATOR_ID;
static u32 *start;
static size_t nstart, room;

static void add_start(void *ctx, u32 pc)
{
	(void)ctx;
	if (nstart == room)
		start = realloc(start, (room = room * 2 + 1024) * sizeof(*start));
	start[nstart++] = pc;
}

static void *map_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int translate_all(struct obj_writer *w)
{
	u32 pc;
	int err = 0;

	for (size_t k = 0; k < nstart && !err; k++) {
		err = obj_writer_translate(w, start[k]);
		while (!err && obj_writer_next(w, &pc))
			err = obj_writer_translate(w, pc);
	}
	return err;
}

static void report(const struct dragoman_object *h, const struct guest *g, double s)
{
	u64 links = 0, sites = 0, never = 0, exits = 0, n = h->ninsns ? h->ninsns : 1, entries = 0, insns = 0;
	u8 *seen = calloc(1, h->index_size / 4);

	for (u32 k = 0; k < h->nregions; k++) {
		const struct dragoman_region *r = &obj_regions(h)[k];

		entries += r->nentry;
		for (u32 m = 0; m < r->nmap; m++)
			seen[cg_map_pc(g, r->pc, &obj_maps(h, r)[m]) / 4] = 1;
		for (u32 m = 0; m < r->nsite; m++) {
			const u8 *x = (const u8 *)h + h->cold + obj_sites(h, r)[m].site;
			const struct x64_site *t = (const void *)x;
			s32 disp;

			sites++;
			exits += obj_sites(h, r)[m].target == ~0u;
			memcpy(&disp, x + t->disp, 4);
			links += x + t->disp + 4 + disp != x + t->stub;
		}
	}
	for (u32 pc = 0; pc < h->index_size; pc += 4) {
		never += *obj_index(h, pc) == DRAGOMAN_INDEX_NEVER;
		insns += seen[pc / 4];
	}
	printf("%u instructions (%llu different, of %llu in the text) in %u regions, %.0f ns each, %.3f s\n", h->ninsns,
	       (unsigned long long)insns, (unsigned long long)h->index_size / 4, h->nregions, s * 1e9 / (double)n, s);
	printf("bytes per instruction: hot %.2f cold %.2f constants %.2f descriptions %.2f regions %.2f\n", (double)h->hot_used / (double)n,
	       (double)h->cold_used / (double)n, (double)h->pool_used / (double)n, (double)h->meta_used / (double)n,
	       (double)h->nregions * sizeof(struct dragoman_region) / (double)n);
	printf("per instruction of the text: hot %.2f cold %.2f descriptions %.2f regions %.2f\n",
	       4.0 * h->hot_used / (double)h->index_size, 4.0 * (h->cold_used + h->pool_used) / (double)h->index_size,
	       4.0 * h->meta_used / (double)h->index_size, 4.0 * h->nregions * sizeof(struct dragoman_region) / (double)h->index_size);
	printf("size %llu MiB, delta %lld MiB; %llu entries, %llu exits, %llu linked without tail, %llu out of the text, %llu never\n",
	       (unsigned long long)h->size >> 20, (long long)h->delta >> 20, (unsigned long long)entries, (unsigned long long)sites,
	       (unsigned long long)links, (unsigned long long)exits, (unsigned long long)never);
	free(seen);
}

static int verify_all(const struct dragoman_object *h, const struct guest *g, const u8 *file, u64 size)
{
	void *memory = map_memory(obj_verify_size(h));
	double t = now();
	u32 bad = 0;

	for (u32 k = 0; k < h->nregions; k++)
		bad += obj_verify_region(memory, h, g, file, size, &obj_regions(h)[k]) != 0;
	printf("verified in %.3f s: %u of %u regions differ\n", now() - t, bad, h->nregions);
	return bad != 0;
}

static int save(const struct dragoman_object *h, const char *out)
{
	int fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0644), err;
	struct stat st;
	double t = now();

	if (fd < 0) {
		perror(out);
		return 1;
	}
	err = obj_save(h, fd);
	if (err) {
		fprintf(stderr, "%s: %s\n", out, strerror(-err));
		return 1;
	}
	fstat(fd, &st);
	printf("saved in %.3f s: %lld KiB on disk\n", now() - t, (long long)st.st_blocks / 2);
	return close(fd) != 0;
}

int main(int argc, char **argv)
{
	struct obj_key key = { .features = x64_host_features() };
	struct dragoman_object head;
	const struct guest *g = guest_find(183, 2, 1);
	bool only_entry = false, verify = false;
	const char *why = NULL;
	unsigned insns = 0, shuffle = 0;
	struct stat st;
	double t;
	u8 *file, *map;
	int c, fd, err;

	memcpy(key.translator, id, sizeof(id));
	while ((c = getopt(argc, argv, "c:n:evr:")) != -1) {
		switch (c) {
		case 'c': key.features = x64_class_features(optarg); break;
		case 'n': insns = (unsigned)atoi(optarg); break;
		case 'e': only_entry = true; break;
		case 'v': verify = true; break;
		case 'r': shuffle = (unsigned)atoi(optarg); break;
		default: return 2;
		}
	}
	if (optind >= argc)
		return 2;
	fd = open(argv[optind], O_RDONLY);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[optind]);
		return 1;
	}
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	EVP_Digest(file, (size_t)st.st_size, key.digest, NULL, EVP_sha256(), NULL);
	err = obj_layout(&head, g, file, (u64)st.st_size, &key);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[optind], strerror(-err));
		return 1;
	}
	if (insns)
		head.region_insns = insns;
	map = map_memory(head.size);
	memcpy(map, &head, sizeof(head));
	t = now();
	obj_starts(&head, file, (u64)st.st_size, add_start, NULL);
	srandom(shuffle);
	for (size_t k = nstart; shuffle && k > 1; k--) {
		size_t n = (size_t)random() % k;
		u32 pc = start[n];

		start[n] = start[k - 1];
		start[k - 1] = pc;
	}
	if (only_entry && nstart)
		nstart = 1;
	err = translate_all(obj_writer_open(map_memory(obj_writer_size(&head)), map, g, file, (u64)st.st_size));
	t = now() - t;
	printf("%s: %zu starts, %s\n", argv[optind], nstart, err ? strerror(-err) : "complete");
	((struct dragoman_object *)map)->complete = !err;
	report((struct dragoman_object *)map, g, t);
	t = now();
	err = obj_check(map, head.size, &why);
	printf("checked in %.3f s: %s\n", now() - t, err ? why : "good");
	if (!err && verify)
		err = verify_all((struct dragoman_object *)map, g, file, (u64)st.st_size);
	if (!err && optind + 1 < argc)
		err = save((struct dragoman_object *)map, argv[optind + 1]);
	return err != 0;
}
