// SPDX-License-Identifier: MIT
/*
 * dragoman cache verify. In: the objects, and guest files if some are named; out: one line for each object that is wrong, a summary, exit
 * status 1 if there was one.
 *
 * Of every object: the header, the checksum over all that is used, and that each number in it leads to where such a number may lead. If
 * its guest file is among those named (by content): every region is translated again and compared, byte for byte but for links.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "elf_files.h"
#include "object/object.h"
#include "progress.h"

struct digest {
	unsigned char sum[32];
	const struct elf_file *file;
};

struct verify {
	struct elf_set set;
	struct digest *digest;		/* one for each file of the set */
	struct cli_progress progress;
	unsigned long long checked, bad, other, translated, regions, differ;
};

struct mapping {
	void *p;
	size_t size;
};

static bool map_file(const struct elf_set *set, const struct elf_file *f, struct mapping *m)
{
	int fd = elf_set_read(set, f);
	struct stat st;

	m->p = MAP_FAILED;
	if (fd >= 0 && !fstat(fd, &st) && st.st_size) {
		m->size = st.st_size;
		m->p = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return m->p != MAP_FAILED;
}

static void digest_files(struct verify *v)
{
	v->digest = calloc(v->set.n + 1, sizeof(*v->digest));
	for (size_t i = 0; v->digest && i < v->set.n; i++) {
		struct mapping m;

		if (!map_file(&v->set, &v->set.file[i], &m))
			continue;
		if (EVP_Digest(m.p, m.size, v->digest[i].sum, NULL, EVP_sha256(), NULL))
			v->digest[i].file = &v->set.file[i];
		munmap(m.p, m.size);
	}
}

static const struct elf_file *find_file(const struct verify *v, const struct dragoman_object *h)
{
	for (size_t i = 0; v->digest && i < v->set.n; i++)
		if (v->digest[i].file && !memcmp(v->digest[i].sum, h->digest, 32))
			return v->digest[i].file;
	return NULL;
}

static void complain(struct verify *v, const struct cache_object *o, const char *why)
{
	v->bad++;
	progress_end(&v->progress);
	printf("%.16s...: %s\n", o->name, why);
}

/* Each region again. The guest file is the one that the object's digest names. */
static void retranslate(struct verify *v, const struct cache_object *o, const struct dragoman_object *h, const struct elf_file *f)
{
	const struct guest *guest = guest_find(h->machine, 2, 1);
	size_t room = obj_verify_size(h);
	void *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long long differ = 0;
	struct mapping file;
	char why[80];

	if (memory == MAP_FAILED || !map_file(&v->set, f, &file)) {
		complain(v, o, "cannot be translated again here: out of memory, or its file is gone");
		if (memory != MAP_FAILED)
			munmap(memory, room);
		return;
	}
	for (uint32_t i = 0; i < h->nregions; i++)
		differ += obj_verify_region(memory, h, guest, file.p, file.size, &obj_regions(h)[i]) != 0;
	v->translated++;
	v->regions += h->nregions;
	v->differ += differ;
	snprintf(why, sizeof(why), "%llu of %u regions are not what translation makes of its file", differ, h->nregions);
	if (differ)
		complain(v, o, why);
	munmap(file.p, file.size);
	munmap(memory, room);
}

static int verify_one(struct cache_object *o, void *arg)
{
	struct verify *v = arg;
	const struct elf_file *f;
	const char *why = o->why;
	void *map;

	v->progress.done = ++v->checked;
	progress_show(&v->progress, o->name);
	if (why) {
		complain(v, o, why);
		return 0;
	}
	if (o->other) {
		v->other++;
		return 0;
	}
	map = mmap(NULL, o->h.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		complain(v, o, "cannot be checked: out of memory");
		return 0;
	}
	if (obj_load(o->fd, map, o->h.size, &why)) {
		complain(v, o, why ? why : "cannot be read");
	} else {
		f = find_file(v, map);
		if (f)
			retranslate(v, o, map, f);
	}
	munmap(map, o->h.size);
	return 0;
}

static int count_one(struct cache_object *o, void *arg)
{
	(void)o;
	++*(size_t *)arg;
	return 0;
}

static int add_path(struct verify *v, const char *path)
{
	struct stat st;
	int err = stat(path, &st) ? -errno : S_ISDIR(st.st_mode) ? elf_set_add_tree(&v->set, path) :
		  elf_set_add_program(&v->set, path, NULL);

	if (err)
		cli_error("cache verify: %s: %s", path, err == -ENOEXEC ? "is no aarch64 program or library" : strerror(-err));
	return err;
}

int cache_verify(const struct cache_dir *dir, int argc, char **argv)
{
	const char *given = getenv("DRAGOMAN_SYSROOT");
	char root[PATH_MAX];
	struct verify v = { 0 };
	size_t n = 0;
	int err;

	if (cli_resolve_root(given, root))
		return CLI_FAILED;
	err = elf_set_open(&v.set, root);
	for (int i = 1; i < argc && !err; i++)
		err = add_path(&v, argv[i]);
	if (err)
		return CLI_FAILED;
	cache_flush(dir);
	digest_files(&v);
	cache_each(dir, count_one, &n);
	progress_begin(&v.progress, n);
	err = cache_each(dir, verify_one, &v);
	progress_end(&v.progress);
	if (err)
		cli_error("%s: %s", dir->path, strerror(-err));
	printf("%llu objects: %llu fine, %llu wrong, %llu made by other versions (not checked)\n", v.checked, v.checked - v.bad - v.other,
	       v.bad, v.other);
	if (argc > 1)
		printf("translated again: %llu objects, %llu regions, %llu differ\n", v.translated, v.regions, v.differ);
	free(v.digest);
	elf_set_close(&v.set);
	return v.bad || err ? CLI_FAILED : 0;
}
