// SPDX-License-Identifier: MIT
// LDLIBS: -lcrypto
/*
 * Code objects: laid out, written, interrupted, read while written, damaged, verified, saved and loaded. The guest file is random
 * code (fuzz/object_image.h).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../ir/ktap.h"
#include "fuzz/object_image.h"

#define TEXT 0x8000u
#define NSTART 12

static u8 file[OBJ_GUEST_SIZE(TEXT)];
static u32 start[NSTART];
static struct dragoman_object *good;
static const struct guest *guest;
static void *verify_memory;

static int verify(const struct dragoman_object *h, u32 k)
{
	return obj_verify_region(verify_memory, h, guest, file, sizeof(file), &obj_regions(h)[k]);
}

static struct dragoman_object *copy_of(const struct dragoman_object *o)
{
	struct dragoman_object *c = obj_map(o->size);

	memcpy(c, o, o->size);
	return c;
}

/* Everything: the check, each region, and that no link is missing. */
static void check_all(const struct dragoman_object *h, const char *what)
{
	const char *why = "";
	u32 missing = 0;

	CHECK(!obj_check(h, h->size, &why), "%s: %s", what, why);
	for (u32 k = 0; k < h->nregions; k++) {
		const struct dragoman_region *r = &obj_regions(h)[k];

		CHECK(!verify(h, k), "%s: region %u at %x differs", what, k, r->pc);
		for (u32 n = 0; n < r->nsite; n++) {
			const struct dragoman_site *s = &obj_sites(h, r)[n];
			const u8 *x = (const u8 *)h + h->cold + s->site;
			const struct x64_site *t = (const struct x64_site *)x;
			s32 disp, tail;

			if (s->target == ~0u || (t->flags & X64_SITE_STRICT) || *obj_index(h, s->target) <= DRAGOMAN_INDEX_NEVER)
				continue;
			memcpy(&disp, x + t->disp, 4);
			memcpy(&tail, t->tail ? x + t->tail : x + t->disp, 4);
			missing += x + t->disp + 4 + disp == x + t->stub && (!t->tail || !tail);
		}
	}
	CHECK(!missing, "%s: %u links are missing", what, missing);
}

/* --- layout ---------------------------------------------------------------------------------------------------------- */

static void layout_dyn(void)
{
	struct dragoman_object h;
	const char *why = "";
	u64 bias = 0x10000;			/* address - offset in the file */

	CHECK(!obj_head_make(&h, file, sizeof(file)), "a good file");
	CHECK(!obj_check_header(&h, h.size, &why), "%s", why);
	CHECK(h.text_lo == OBJ_TEXT_OFF && h.text_hi == OBJ_TEXT_OFF + TEXT, "text %llx..%llx", h.text_lo, h.text_hi);
	CHECK(h.delta == -(s64)(h.size + bias), "delta %llx: right below the lowest page", h.delta);
	CHECK(h.hot_size / (TEXT / 4) >= 16, "room for code");
}

static void layout_exec(void)
{
	static u8 exec[sizeof(file)];
	Elf64_Phdr *p = (Elf64_Phdr *)(exec + sizeof(Elf64_Ehdr));
	struct dragoman_object h;
	const char *why = "";

	memcpy(exec, file, sizeof(file));
	((Elf64_Ehdr *)exec)->e_type = ET_EXEC;
	for (unsigned k = 0; k < 3; k++)
		p[k].p_vaddr += 0x400000;
	CHECK(!obj_head_make(&h, exec, sizeof(exec)), "a good file");
	CHECK(!obj_check_header(&h, h.size, &why), "%s", why);
	CHECK((u64)h.delta + 0x410000 == 0x400000 + 0x20000 + TEXT + 0x3000, "delta %llx: right above the image", h.delta);
	/* the segment is smaller in the file than in memory: its last page is not the file's */
	p[1].p_filesz = TEXT - 100;
	CHECK(!obj_head_make(&h, exec, sizeof(exec)) && h.text_hi == OBJ_TEXT_OFF + TEXT - 4096, "text up to %llx", h.text_hi);
	p[1].p_memsz = TEXT - 100;
	CHECK(!obj_head_make(&h, exec, sizeof(exec)) && h.text_hi == OBJ_TEXT_OFF + TEXT, "text up to %llx", h.text_hi);
	p[1].p_flags |= PF_W;
	CHECK(obj_head_make(&h, exec, sizeof(exec)) == -ENOEXEC, "writable text");
}

static void layout_large(void)
{
	static u8 head[4096];
	Elf64_Phdr *p = (Elf64_Phdr *)(head + sizeof(Elf64_Ehdr));
	struct obj_key key = { .features = 0 };
	struct dragoman_object h;
	const char *why = "";

	memcpy(head, file, sizeof(head));
	for (u32 mib = 16; mib <= 512; mib *= 2) {
		int err;

		p[1].p_filesz = p[1].p_memsz = (u64)mib << 20;
		p[2].p_vaddr = 0x20000 + p[1].p_memsz;
		err = obj_layout(&h, guest, head, p[1].p_offset + p[1].p_filesz, &key);
		CHECK(err == (mib <= 256 ? 0 : -E2BIG), "%u MiB of text: %d", mib, err);
		CHECK(err || (h.size <= DRAGOMAN_OBJECT_MAX_SIZE && !obj_check_header(&h, h.size, &why)), "%u MiB: %s", mib, why);
	}
}

/* At the end of a page, so that reading beyond the file is seen. */
static void layout_damaged(void)
{
	u8 *page = obj_map(0x4000), *at;
	unsigned taken = 0, refused = 0;

	mprotect(page + 0x3000, 0x1000, PROT_NONE);
	for (u64 seed = 0; seed < 200000; seed++) {
		struct dragoman_object h = { 0 };
		const char *why = "";
		u32 size = 0x2000;
		int err;

		obj_random_state = seed;
		if (!obj_below(4))
			size = obj_below(300);
		at = page + 0x3000 - size;
		memcpy(at, file, size);
		if (size == 0x2000)
			((Elf64_Phdr *)(at + sizeof(Elf64_Ehdr)))[1].p_filesz = ((Elf64_Phdr *)(at + sizeof(Elf64_Ehdr)))[1].p_memsz = 0x1000;
		for (u32 n = obj_below(4), off; size > 8 && n; n--) {
			off = obj_below(MIN(size, 240));
			if (obj_below(2))
				at[off] ^= 1u << obj_below(8);
			else
				memset(at + (off & ~7u), (int)obj_below(256), MIN(8, size - (off & ~7u)));
		}
		err = obj_head_make(&h, at, size);
		taken += !err;
		refused += err == -ENOEXEC || err == -E2BIG;
		CHECK(!err || err == -ENOEXEC || err == -E2BIG, "seed %llu: error %d", (unsigned long long)seed, err);
		CHECK(err ? !h.magic : !obj_check_header(&h, h.size, &why), "seed %llu: %s", (unsigned long long)seed, why);
		if (!err)
			obj_starts(&h, at, size, (void (*)(void *, u32))(void *)abs, NULL);
	}
	CHECK(taken > 10000 && refused > 10000, "%u taken, %u refused", taken, refused);
	munmap(page, 0x4000);
}

static unsigned nfound;
static void on_start(void *ctx, u32 pc)
{
	(void)ctx;
	nfound += pc < TEXT && !(pc & 3);
}

static void starts(void)
{
	obj_starts(good, file, sizeof(file), on_start, NULL);
	CHECK(nfound == 1, "the entry point: %u", nfound);
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static void written(void)
{
	CHECK(good->nregions > 50, "%u regions", good->nregions);
	CHECK(good->ninsns > TEXT / 8, "%u instructions", good->ninsns);
	check_all(good, "all");
	for (u32 k = 0; k < NSTART; k++)
		CHECK(*obj_index(good, start[k]), "start %u is not published", k);
}

static void arguments(void)
{
	struct dragoman_object *o = copy_of(good);
	struct obj_writer *w = obj_writer_open(obj_map(obj_writer_size(o)), o, guest, file, sizeof(file));
	u32 n = o->nregions, pc;

	CHECK(obj_writer_translate(w, 2) == -EINVAL && obj_writer_translate(w, TEXT) == -EINVAL && obj_writer_translate(w, ~3u) == -EINVAL,
	      "places that are none");
	for (u32 k = 0; k < NSTART; k++)
		CHECK(!obj_writer_translate(w, start[k]), "again");
	CHECK(o->nregions == n && !obj_writer_next(w, &pc), "something was translated twice");
	CHECK(!memcmp(o, good, o->size), "a writer that had nothing to do changed something");
}

/* The same requests, in memory elsewhere, that is not clean behind what is used. */
static void deterministic(void)
{
	struct dragoman_object *o = obj_object_make(file, sizeof(file), start, NSTART);

	CHECK(o != good && !memcmp(o, good, o->size), "two writers, two objects");
	munmap(o, o->size);
}

/* All requests on an object that somebody was killed over. */
static void finish(struct dragoman_object *o, const char *what)
{
	size_t n = obj_writer_size(o);
	void *memory = obj_map(n);
	const char *why = "";
	struct obj_writer *w = obj_writer_open(memory, o, guest, file, sizeof(file));

	CHECK(!obj_check(o, o->size, &why), "%s, taken over: %s", what, why);
	obj_write_all(w, start, NSTART);
	munmap(memory, n);
	o->publish = good->publish;
	CHECK(!memcmp(o, good, o->size), "%s: the result is another", what);
}

static void killed(void)
{
	struct dragoman_object h, *o;
	struct timespec t;
	double whole;
	unsigned in_time = 0;

	obj_head_make(&h, file, sizeof(file));
	clock_gettime(CLOCK_MONOTONIC, &t);
	whole = -(double)t.tv_sec - (double)t.tv_nsec / 1e9;
	munmap(obj_object_make(file, sizeof(file), start, NSTART), h.size);
	clock_gettime(CLOCK_MONOTONIC, &t);
	whole += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	for (unsigned n = 0; n < 100 || (in_time < 10 && n < 1000); n++) {
		pid_t pid;

		o = obj_map(h.size);
		*o = h;
		pid = fork();
		if (!pid) {
			obj_write_all(obj_writer_open(obj_map(obj_writer_size(o)), o, guest, file, sizeof(file)), start, NSTART);
			_exit(0);
		}
		usleep((useconds_t)(whole * 1e6 * (double)(ktap_random() % 1000) / 800));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		in_time += o->nregions && o->nregions < good->nregions;
		finish(o, "killed");
		munmap(o, h.size);
	}
	CHECK(in_time, "nobody was killed at work");
}

/* Killed between any two stores of the publication of region n: as if it were not, or its index words are not all there. */
static void cut(void)
{
	for (u32 n = 0; n < good->nregions; n += 1 + n / 16) {
		const struct dragoman_region *last = &obj_regions(good)[n];
		struct dragoman_object h, *o = obj_map(good->size);
		struct obj_writer *w;
		size_t size;
		void *memory;
		u32 pc;

		/* the same requests, as far as n regions and a part of the next one's entries */
		obj_head_make(&h, file, sizeof(file));
		*o = h;
		size = obj_writer_size(o);
		memory = obj_map(size);
		w = obj_writer_open(memory, o, guest, file, sizeof(file));
		for (u32 k = 0; k < NSTART && o->nregions <= n; k++) {
			obj_writer_translate(w, start[k]);
			while (o->nregions <= n && obj_writer_next(w, &pc))
				obj_writer_translate(w, pc);
		}
		munmap(memory, size);
		for (u32 k = ktap_random() % (last->nentry + 1u); k < last->nentry; k++) {
			u32 *word = obj_index(o, obj_entries(o, last)[k].pc);

			if ((*word & DRAGOMAN_INDEX_OFFSET) == last->hot + obj_entries(o, last)[k].off)
				*word = 0;
		}
		if (ktap_random() & 1) {	/* before nregions was stored; the sums may have been */
			for (u32 k = 0; k < last->nentry; k++)
				if ((*obj_index(o, obj_entries(o, last)[k].pc) & DRAGOMAN_INDEX_OFFSET) >= last->hot)
					*obj_index(o, obj_entries(o, last)[k].pc) = 0;
			for (u32 k = 0; k < n; k++)	/* nobody had linked to it */
				for (u32 m = 0; m < obj_regions(o)[k].nsite; m++) {
					u8 *x = (u8 *)o + o->cold + obj_sites(o, &obj_regions(o)[k])[m].site;
					struct x64_site *t = (struct x64_site *)x;
					s32 disp;

					if (obj_sites(o, &obj_regions(o)[k])[m].target != ~0u &&
					    *obj_index(o, obj_sites(o, &obj_regions(o)[k])[m].target))
						continue;
					disp = t->stub - t->disp - 4;
					memcpy(x + t->disp, &disp, 4);
					if (t->tail)
						memset(x + t->tail, 0, 4);
				}
			o->nregions = n;
		}
		finish(o, "cut");
		munmap(o, good->size);
	}
}

/* --- reading while it is written ------------------------------------------------------------------------------------------ */

static struct dragoman_object *shared;
static volatile bool done;
static unsigned long followed, strays, changed;

static void *reader(void *ctx)
{
	void *memory = obj_map(obj_verify_size(shared));
	u64 s = (u64)(uintptr_t)ctx;

	while (!done) {
		u32 pc = (u32)((s = s * 6364136223846793005ull + 1442695040888963407ull) >> 33) % TEXT & ~3u;
		u32 word = __atomic_load_n(obj_index(shared, pc), __ATOMIC_ACQUIRE), off = word & DRAGOMAN_INDEX_OFFSET, k;
		const struct dragoman_region *r;

		if (off < DRAGOMAN_OBJECT_FIRST)
			continue;
		followed++;
		r = obj_region_at(shared, off);
		for (k = 0; r && k < r->nentry; k++)
			if (obj_entries(shared, r)[k].pc == pc && r->hot + obj_entries(shared, r)[k].off == off)
				break;
		strays += !r || k == r->nentry;
		if (r && s >> 60 == 0)
			changed += obj_verify_region(memory, shared, guest, file, sizeof(file), r) != 0;
	}
	return NULL;
}

static void read_while_written(void)
{
	pthread_t t[2];

	for (unsigned n = 0; n < 10; n++) {
		struct dragoman_object h;

		obj_head_make(&h, file, sizeof(file));
		shared = obj_map(h.size);
		*shared = h;
		done = false;
		for (u64 k = 0; k < 2; k++)
			pthread_create(&t[k], NULL, reader, (void *)(n * 2 + k));
		obj_write_all(obj_writer_open(obj_map(obj_writer_size(&h)), shared, guest, file, sizeof(file)), start, NSTART);
		usleep(1000);
		done = true;
		for (unsigned k = 0; k < 2; k++)
			pthread_join(t[k], NULL);
		CHECK(!memcmp(shared, good, h.size), "the result is another");
		munmap(shared, h.size);
	}
	CHECK(followed > 100, "%lu index words followed", followed);
	CHECK(!strays && !changed, "%lu words led nowhere, %lu regions were wrong", strays, changed);
}

static void wakes(void)
{
	struct dragoman_object *o = obj_map(good->size);
	struct obj_writer *w;
	u32 before;

	obj_head_make(o, file, sizeof(file));
	w = obj_writer_open(obj_map(obj_writer_size(o)), o, guest, file, sizeof(file));
	before = o->publish;
	CHECK(!obj_writer_translate(w, start[0]) && o->publish == before + 1, "publish: %u, then %u", before, o->publish);
	CHECK(!obj_writer_translate(w, start[0]) && o->publish == before + 1, "published twice");
	munmap(o, good->size);
}

/* Parts with hardly any room. */
static void full(void)
{
	struct dragoman_object h, *o;
	struct obj_writer *w;
	const char *why = "";
	u32 n;
	int err = 0;

	obj_head_make(&h, file, sizeof(file));
	h.hot_size = OBJ_MAX_HOT + 0x2000;
	h.cold = h.hot + h.hot_size;
	h.meta = h.cold + h.cold_size;
	h.meta_size = ALIGN_UP(h.meta + h.meta_size, 65536ull) - h.meta;
	h.size = h.meta + h.meta_size;
	h.delta = -(s64)(h.size + 0x10000);
	o = obj_map(h.size);
	*o = h;
	w = obj_writer_open(obj_map(obj_writer_size(o)), o, guest, file, sizeof(file));
	for (u32 pc = 0; pc < TEXT && !err; pc += 4)
		err = obj_writer_translate(w, pc);
	CHECK(err == -ENOSPC, "full: %d", err);
	n = o->nregions;
	CHECK(n > 3 && obj_writer_translate(w, TEXT - 4) == -ENOSPC && o->nregions == n, "%u regions", n);
	CHECK(!obj_check(o, o->size, &why), "%s", why);
	CHECK(o->hot_used <= o->hot_size, "beyond the end");
	munmap(o, h.size);
}

/* --- damage ----------------------------------------------------------------------------------------------------------------- */

#define FIELD(f) { offsetof(struct dragoman_object, f), sizeof(((struct dragoman_object *)0)->f), #f }
static const struct { size_t off, len; const char *name; } field[] = {
	FIELD(magic), FIELD(version), FIELD(machine), FIELD(size), FIELD(file_size), FIELD(delta), FIELD(text_lo), FIELD(text_hi),
	FIELD(index), FIELD(index_size), FIELD(regions), FIELD(regions_size), FIELD(hot), FIELD(hot_size), FIELD(cold), FIELD(cold_size),
	FIELD(meta), FIELD(meta_size), FIELD(region_insns), FIELD(reserved0), FIELD(nregions), FIELD(hot_used), FIELD(cold_used),
	FIELD(pool_used), FIELD(meta_used), FIELD(ninsns), FIELD(complete), FIELD(reserved1), FIELD(features),
};

static void header_fields(void)
{
	struct dragoman_object *o = copy_of(good);
	static const u64 values[] = { 0, 1, 3, 4095, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 40, ~0ull, 1ull << 63 };
	const char *why;

	for (unsigned k = 0; k < ARRAY_SIZE(field); k++)
		for (unsigned n = 0; n < ARRAY_SIZE(values); n++) {
			u64 v = values[n];
			u8 *at = (u8 *)o + field[k].off;
			bool any = !strcmp(field[k].name, "file_size") || !strcmp(field[k].name, "features") ||
				   !strcmp(field[k].name, "region_insns") ||		/* other good values exist */
				   (!strcmp(field[k].name, "delta") && v == 0x80000000);

			memcpy(at, &v, MIN(field[k].len, sizeof(v)));
			if (memcmp(at, (u8 *)good + field[k].off, field[k].len) && !(any && v <= 1ull << 40))
				CHECK(obj_check(o, o->size, &why) == -EINVAL || (!strcmp(field[k].name, "complete") && v == 1),
				      "%s = %llx was taken", field[k].name, (unsigned long long)v);
			memcpy(at, (u8 *)good + field[k].off, field[k].len);
		}
	/* by a page */
	for (unsigned k = 3; k < 18; k++)
		for (int n = -1; n <= 1; n += 2) {
			u64 v;

			memcpy(&v, (u8 *)good + field[k].off, 8);
			v += (u64)(n * 4096);
			memcpy((u8 *)o + field[k].off, &v, 8);
			if (strcmp(field[k].name, "delta") && strcmp(field[k].name, "file_size"))
				CHECK(obj_check(o, o->size, &why) == -EINVAL, "%s %+d pages was taken", field[k].name, n);
			memcpy((u8 *)o + field[k].off, (u8 *)good + field[k].off, 8);
		}
	CHECK(!obj_check(o, o->size, &why), "undone: %s", why);
	for (u64 size = 0; size < o->size; size = size * 2 + 1)
		CHECK(obj_check_header(o, size, &why) == -EINVAL, "truncated to %llu", (unsigned long long)size);
	munmap(o, good->size);
}

static void index_to_nowhere(void)
{
	struct dragoman_object *o = copy_of(good);
	u32 free_pc = 0, used_pc = start[0];
	const char *why;

	while (*obj_index(o, free_pc))
		free_pc += 4;
	for (u32 n = 0; n < 4; n++) {
		u32 *word = obj_index(o, n & 1 ? free_pc : used_pc), old = *word;

		*word = n < 2 ? o->hot_used - 16 : DRAGOMAN_OBJECT_FIRST - 1;
		CHECK(obj_check(o, o->size, &why) == -EINVAL, "an index word to nowhere (%u) was taken", n);
		*word = n < 2 ? old : old ^ DRAGOMAN_INDEX_READ;
		CHECK(n < 2 || obj_check(o, o->size, &why) == -EINVAL, "an index word with other flags was taken");
		*word = old;
	}
	CHECK(!obj_check(o, o->size, &why), "undone: %s", why);
	munmap(o, good->size);
}

/* Any byte of a region: its check or its verification finds it. Links are what may differ. */
static void verification(void)
{
	struct dragoman_object *o = copy_of(good);
	unsigned long missed = 0, tried = 0;

	for (u32 n = 0; n < 4000; n++) {
		u32 k = (u32)(ktap_random() % o->nregions);
		const struct dragoman_region *r = &obj_regions(o)[k];
		u64 part[4][2] = { { o->hot + r->hot, r->hot_len }, { o->cold + r->cold, r->cold_len },
				   { o->cold + o->cold_size - r->pool, r->pool_len }, { o->meta + r->meta, obj_meta_size(r) } };
		u32 p = (u32)(ktap_random() % 4);
		u8 *at;

		if (!part[p][1])
			continue;
		at = (u8 *)o + part[p][0] + ktap_random() % part[p][1];
		*at ^= (u8)(1u << ktap_random() % 8);
		tried++;
		missed += !verify(o, k);
		*at = ((u8 *)good)[at - (u8 *)o];
	}
	CHECK(tried > 2000 && !missed, "%lu of %lu changes were not found", missed, tried);
	CHECK(!verify(o, 0), "undone");
	/* another guest file */
	file[OBJ_TEXT_OFF + start[0]] ^= 1;
	CHECK(obj_verify_region(verify_memory, o, guest, file, sizeof(file), &obj_regions(o)[0]) == -EBADMSG, "another file");
	file[OBJ_TEXT_OFF + start[0]] ^= 1;
	munmap(o, good->size);
}

/* --- files -------------------------------------------------------------------------------------------------------------------- */

static int load(int fd, const char **why)
{
	struct dragoman_object h;
	int err = obj_load_header(fd, &h, why);
	struct dragoman_object *o;

	if (err)
		return err;
	o = obj_map(h.size);
	err = obj_load(fd, o, h.size, why);
	if (!err) {
		o->publish = good->publish;
		err = memcmp(o, good, good->size) ? -EXDEV : 0;
	}
	munmap(o, h.size);
	return err;
}

static void files(void)
{
	char name[] = "/tmp/dragoman-object-XXXXXX";
	int fd = mkstemp(name), err;
	const char *why = "";
	u8 b, flipped;
	off_t end;

	unlink(name);
	CHECK(fd >= 0 && !obj_save(good, fd), "save");
	end = lseek(fd, 0, SEEK_END);
	CHECK((u64)end == good->size, "size %lld", (long long)end);
	err = load(fd, &why);
	CHECK(!err, "load: %d, %s", err, why);
	for (unsigned n = 0; n < 300; n++) {
		u64 parts[6][2] = { { 0, sizeof(*good) }, { good->index, good->index_size },
				    { good->regions, good->nregions * sizeof(struct dragoman_region) }, { good->hot, good->hot_used },
				    { good->cold, good->cold_used }, { good->meta, good->meta_used } };
		u64 *p = parts[n % 6];
		off_t at = (off_t)(p[0] + ktap_random() % p[1]);

		CHECK(pread(fd, &b, 1, at) == 1, "read");
		flipped = b ^ (u8)(1u << ktap_random() % 8);
		CHECK(pwrite(fd, &flipped, 1, at) == 1 && load(fd, &why) == -EINVAL, "a changed byte at %lld was taken", (long long)at);
		CHECK(pwrite(fd, &b, 1, at) == 1, "write");
	}
	CHECK(!load(fd, &why), "undone: %s", why);
	for (off_t size = 0; size < end; size = size * 2 + 1000)
		CHECK(!ftruncate(fd, size) && load(fd, &why) == -EINVAL, "truncated to %lld: taken", (long long)size);
	close(fd);
}

static void files_same(void)
{
	struct dragoman_object *o = copy_of(good);
	u8 a[32], b[32];

	obj_checksum(good, a);
	o->publish += 5;
	memset((u8 *)o + o->hot + o->hot_used, 0x55, 100);	/* left behind by somebody who was killed */
	obj_checksum(o, b);
	CHECK(!memcmp(a, b, 32), "what is not used counts");
	((u8 *)o)[o->hot + o->hot_used - 1] ^= 1;
	obj_checksum(o, b);
	CHECK(memcmp(a, b, 32), "a changed byte does not count");
	munmap(o, good->size);
}

int main(void)
{
	static const struct { const char *name; void (*test)(void); } tests[] = {
		{ "layout of a shared object", layout_dyn }, { "layout of a fixed program", layout_exec }, { "layout of large files", layout_large },
		{ "layout of damaged files", layout_damaged }, { "function starts", starts }, { "what is written is right", written },
		{ "arguments of the writer", arguments }, { "the same requests, the same bytes", deterministic },
		{ "going on after a kill", killed }, { "going on after a cut", cut }, { "readers while it is written", read_while_written },
		{ "publication is counted", wakes }, { "a full object", full }, { "each header field", header_fields },
		{ "index words", index_to_nowhere }, { "verification finds any change", verification }, { "files", files },
		{ "the checksum", files_same },
	};

	guest = guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB);
	obj_guest_make(file, TEXT, 1);
	for (u32 k = 0; k < NSTART; k++)
		start[k] = k ? obj_below(TEXT / 4) * 4 : 0;
	good = obj_object_make(file, sizeof(file), start, NSTART);
	verify_memory = obj_map(obj_verify_size(good));
	ktap_start(ARRAY_SIZE(tests));
	for (unsigned k = 0; k < ARRAY_SIZE(tests); k++)
		ktap_run(tests[k].name, tests[k].test);
	return ktap_end();
}
