// SPDX-License-Identifier: MIT
/*
 * Objects as files. In: a quiet object in memory; a file that may be damaged. Out: a sparse file; an object in memory, checked.
 * The file has the layout of the memory; behind the header only what is used is written, and the index without its empty pages.
 */
#ifdef DRAGOMAN_HOSTED
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object/object.h"

#define STEP 65536u

struct span {
	u64 off, len;
};

/* The used parts behind the header, whose own numbers have been checked. */
static void spans(const struct dragoman_object *h, struct span s[6])
{
	s[0] = (struct span){ h->index, h->index_size };
	s[1] = (struct span){ h->regions, (u64)h->nregions * sizeof(struct dragoman_region) };
	s[2] = (struct span){ h->hot, h->hot_used };
	s[3] = (struct span){ h->cold, h->cold_used };
	s[4] = (struct span){ h->cold + h->cold_size - h->pool_used, h->pool_used };
	s[5] = (struct span){ h->meta, h->meta_used };
}

static bool all_zero(const u8 *p, u64 n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* The header as it is on disk, but for the checksum. */
static struct dragoman_object disk_header(const struct dragoman_object *h)
{
	struct dragoman_object o = *h;

	o.publish = 0;
	memset(o.checksum, 0, sizeof(o.checksum));
	return o;
}

void obj_checksum(const void *object, u8 sum[32])
{
	struct dragoman_object h = disk_header(object);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	struct span s[6];
	bool ok;

	spans(&h, s);
	ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) && EVP_DigestUpdate(c, &h, sizeof(h));
	for (unsigned k = 0; k < 6; k++)
		ok = ok && EVP_DigestUpdate(c, (const u8 *)object + s[k].off, s[k].len);
	if (!ok || !EVP_DigestFinal_ex(c, sum, NULL))
		memset(sum, 0, 32);		/* never equal to what a check finds */
	EVP_MD_CTX_free(c);
}

static int write_all(int fd, const u8 *p, u64 n, u64 at)
{
	while (n) {
		ssize_t did = pwrite(fd, p, n, (off_t)at);

		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return did ? -errno : -EIO;
		p += did;
		n -= (u64)did;
		at += (u64)did;
	}
	return 0;
}

/* Leaves zeros out, a page at a time; neighbours go in one piece. */
static int write_sparse(int fd, const u8 *object, struct span s)
{
	u64 at = s.off, end = s.off + s.len, next, from;
	int err = 0;

	while (at < end && !err) {
		from = at;
		for (next = from; next < end && !all_zero(object + next, MIN(4096, end - next)) && next - from < 64 * STEP; next = at)
			at = MIN(ALIGN_DOWN(next, 4096ull) + 4096, end);
		if (next > from)
			err = write_all(fd, object + from, next - from, from);
		else
			at = MIN(ALIGN_DOWN(from, 4096ull) + 4096, end);
	}
	return err;
}

int obj_save(const void *object, int fd)
{
	struct dragoman_object h = disk_header(object);
	struct span s[6];
	int err = 0;

	obj_checksum(object, h.checksum);
	if (all_zero(h.checksum, sizeof(h.checksum)))
		return -ENOMEM;
	if (ftruncate(fd, (off_t)h.size))
		return -errno;
	spans(&h, s);
	for (unsigned k = 0; k < 6 && !err; k++)
		err = write_sparse(fd, object, s[k]);
	return err ? err : write_all(fd, (const u8 *)&h, sizeof(h), 0);
}

static int read_all(int fd, u8 *p, u64 n, u64 at)
{
	while (n) {
		ssize_t did = pread(fd, p, n, (off_t)at);

		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return did ? -errno : -EIO;
		p += did;
		n -= (u64)did;
		at += (u64)did;
	}
	return 0;
}

int obj_load_header(int fd, struct dragoman_object *h, const char **why)
{
	struct stat st;
	int err;

	*why = "cannot be read";
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (u64)st.st_size < DRAGOMAN_OBJECT_HEADER) {
		*why = "too short";
		return -EINVAL;
	}
	err = read_all(fd, (u8 *)h, sizeof(*h), 0);
	return err ? err : obj_check_header(h, (u64)st.st_size, why);
}

/* Only data of the file: holes stay untouched memory. */
static int read_span(int fd, u8 *map, struct span s)
{
	off_t at = (off_t)s.off, end = (off_t)(s.off + s.len), from, to;
	int err = 0;

	while (at < end && !err) {
		from = lseek(fd, at, SEEK_DATA);
		if (from < 0)
			return errno == ENXIO ? 0 : -errno;
		if (from >= end)
			return 0;
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			return -errno;
		to = MIN(to, end);
		err = read_all(fd, map + from, (u64)(to - from), (u64)from);
		at = to;
	}
	return err;
}

int obj_load(int fd, void *map, u64 size, const char **why)
{
	struct dragoman_object *o = map, h;
	struct span s[6];
	u8 sum[32], zero[DRAGOMAN_OBJECT_HEADER - sizeof(h)];
	int err = obj_load_header(fd, &h, why);

	if (err)
		return err;
	*why = "has changed while it was read";
	if (h.size != size)
		return -EINVAL;
	*why = "cannot be read";
	err = read_all(fd, zero, sizeof(zero), sizeof(h));
	*o = h;
	spans(&h, s);
	for (unsigned k = 0; k < 6 && !err; k++)
		err = read_span(fd, map, s[k]);
	if (err)
		return err;
	memset(o->checksum, 0, sizeof(o->checksum));
	*why = "the checksum is wrong";
	obj_checksum(map, sum);
	if (h.publish || memcmp(sum, h.checksum, sizeof(sum)) || all_zero(sum, sizeof(sum)) || !all_zero(zero, sizeof(zero)))
		return -EINVAL;
	return obj_check(map, size, why);
}
#endif
