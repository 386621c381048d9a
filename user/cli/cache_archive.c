// SPDX-License-Identifier: MIT
/*
 * dragoman cache export, import: objects from one machine's cache to another's. In, out: an archive, one zstd stream of
 *
 *	struct archive_head
 *	for each object: struct archive_object, then its file's used parts, in order: struct archive_part and len bytes; one with len 0 is the end
 *	struct archive_object with size 0: the end
 *
 * Import takes nothing on trust that can be checked without the guest file: see import_object. What code does cannot be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cache.h"
#include "object/object.h"
#include "translator_id.h"

#define ARCHIVE_MAGIC 0x3143524e4d4744ull	/* "DGMNRC1" */
#define ARCHIVE_VERSION 1
#define LEVEL 9
#define PIECE 65536

struct archive_head {
	__u64 magic;
	__u32 version, reserved;
	__u8 translator[32];		/* all objects are of this one */
};
struct archive_object {
	__u64 size;			/* bytes of the file, holes included */
};
struct archive_part {
	__u64 off, len;
};

struct archive {
	int fd;
	ZSTD_CStream *out;
	ZSTD_DStream *in;
	ZSTD_inBuffer have;		/* import: what has been read of the file */
	bool end;			/* import: of the stream */
	char buf[PIECE];
	const struct cache_dir *dir;
	int objects;			/* import: that folder */
	unsigned done, refused, kept;
	int err;
};

/* ------------------------------------------------------------ export */

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t did = write(fd, p, n);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return -errno;
		p += did;
		n -= did;
	}
	return 0;
}

static int compress(struct archive *a, const void *p, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { p, n, 0 };
	size_t left;
	int err;

	do {
		ZSTD_outBuffer out = { a->buf, sizeof(a->buf), 0 };

		left = ZSTD_compressStream2(a->out, &out, &in, how);
		if (ZSTD_isError(left))
			return -EIO;
		err = write_all(a->fd, a->buf, out.pos);
		if (err)
			return err;
	} while (in.pos < in.size || (how == ZSTD_e_end && left));
	return 0;
}

static int put(struct archive *a, const void *p, size_t n)
{
	return compress(a, p, n, ZSTD_e_continue);
}

static int put_bytes(struct archive *a, int fd, __u64 off, __u64 len)
{
	char piece[PIECE];
	int err = 0;

	while (len && !err) {
		ssize_t n = pread(fd, piece, len < PIECE ? len : PIECE, off);

		if (n <= 0)
			return n ? -errno : -EIO;
		err = put(a, piece, n);
		off += n;
		len -= n;
	}
	return err;
}

/* The file's parts that are no holes. */
static int put_file(struct archive *a, int fd, __u64 size)
{
	struct archive_object o = { size };
	struct archive_part end = { size, 0 };
	int err = put(a, &o, sizeof(o));
	off_t at = 0, hole;

	while (!err && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		struct archive_part p = { .off = at };

		hole = lseek(fd, at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		p.len = hole - at;
		err = put(a, &p, sizeof(p));
		if (!err)
			err = put_bytes(a, fd, p.off, p.len);
		at = hole;
	}
	if (!err && errno != ENXIO)	/* ENXIO: no data behind this place */
		err = -errno;
	return err ? err : put(a, &end, sizeof(end));
}

/* All that can be checked of an object without its guest file: see obj_load. */
static int check_object(int fd, __u64 size, const char **why)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (map == MAP_FAILED)
		return -errno;
	err = obj_load(fd, map, size, why);
	munmap(map, size);
	return err;
}

static int export_one(struct cache_object *o, void *arg)
{
	struct archive *a = arg;
	const char *why = NULL;
	struct stat st;

	if (o->other)
		return 0;
	if (!o->why && check_object(o->fd, o->h.size, &why))
		o->why = why ? why : "cannot be read";
	if (o->why) {
		cli_error("cache export: %.16s... is left out: %s", o->name, o->why);
		a->refused++;
		return 0;
	}
	if (fstat(o->fd, &st))
		return -errno;
	a->done++;
	return put_file(a, o->fd, st.st_size);
}

static int export_all(struct archive *a)
{
	static const unsigned char id[32] = DRAGOMAN_TRANSLATOR_ID;
	struct archive_head head = { .magic = ARCHIVE_MAGIC, .version = ARCHIVE_VERSION };
	struct archive_object end = { 0 };
	int err;

	memcpy(head.translator, id, sizeof(id));
	ZSTD_CCtx_setParameter(a->out, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(a->out, ZSTD_c_checksumFlag, 1);
	err = put(a, &head, sizeof(head));
	if (!err)
		err = cache_each(a->dir, export_one, a);
	return err ? err : compress(a, &end, sizeof(end), ZSTD_e_end);
}

int cache_export(const struct cache_dir *dir, int argc, char **argv)
{
	bool standard = !strcmp(argv[argc - 1], "-");
	struct archive a = { .dir = dir, .fd = STDOUT_FILENO };
	struct stat st;
	int err;

	if (!standard)
		a.fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (a.fd < 0) {
		cli_error("cache export: %s: %s", argv[1], strerror(errno));
		return CLI_FAILED;
	}
	if (isatty(a.fd)) {
		cli_error("cache export: an archive is nothing for a terminal; name a file");
		return CLI_USAGE;
	}
	cache_flush(dir);
	a.out = ZSTD_createCStream();
	err = a.out ? export_all(&a) : -ENOMEM;
	ZSTD_freeCStream(a.out);
	if (!standard && close(a.fd) && !err)
		err = -errno;
	if (err) {
		cli_error("cache export: %s: %s", argv[1], strerror(-err));
		if (!standard && !stat(argv[1], &st) && S_ISREG(st.st_mode))
			unlink(argv[1]);
		return CLI_FAILED;
	}
	fprintf(standard ? stderr : stdout, "%u objects written\n", a.done);
	return a.refused ? CLI_FAILED : 0;
}

/* ------------------------------------------------------------ import */

/* More of the file into a->have; 0, -ENODATA: it ends. */
static int refill(struct archive *a)
{
	ssize_t n;

	do
		n = read(a->fd, a->buf, sizeof(a->buf));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ENODATA;
	a->have = (ZSTD_inBuffer){ a->buf, n, 0 };
	return 0;
}

/* Exactly n bytes. 0; -ENODATA: the archive is cut; -EBADMSG: it is damaged. */
static int get(struct archive *a, void *p, size_t n)
{
	ZSTD_outBuffer out = { p, n, 0 };

	while (out.pos < n) {
		size_t had = out.pos, ret;
		int err = 0;

		if (a->end)
			return -ENODATA;
		ret = ZSTD_decompressStream(a->in, &out, &a->have);
		if (ZSTD_isError(ret))
			return -EBADMSG;
		a->end = !ret;
		if (out.pos == had && !a->end && a->have.pos == a->have.size)
			err = refill(a);
		if (err)
			return err;
	}
	return 0;
}

static int get_bytes(struct archive *a, int fd, __u64 off, __u64 len)
{
	char piece[PIECE];
	int err = 0;

	while (len && !err) {
		size_t n = len < PIECE ? len : PIECE;

		err = get(a, piece, n);
		if (!err && pwrite(fd, piece, n, off) != (ssize_t)n)
			err = errno ? -errno : -ENOSPC;
		off += n;
		len -= n;
	}
	return err;
}

/* Parts come in order and inside the size, so an archive cannot write more than a file of that size. */
static int get_file(struct archive *a, int fd, __u64 size)
{
	struct archive_part p;
	__u64 at = 0;
	int err = 0;

	if (size < DRAGOMAN_OBJECT_HEADER || size > DRAGOMAN_OBJECT_MAX_SIZE)
		return -EBADMSG;
	while (!err) {
		err = get(a, &p, sizeof(p));
		if (err || !p.len)
			break;
		if (p.off < at || p.off > size || p.len > size - p.off)
			return -EBADMSG;
		err = get_bytes(a, fd, p.off, p.len);
		at = p.off + p.len;
	}
	if (!err && ftruncate(fd, size))
		err = -errno;
	return err;
}

/* Is one there that is as good or better? */
static bool have_better(struct archive *a, const char *name, const struct dragoman_object *h)
{
	struct dragoman_object there;
	const char *why = NULL;
	int fd = openat(a->objects, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool better = fd >= 0 && !obj_load_header(fd, &there, &why) && there.ninsns >= h->ninsns &&
		      !check_object(fd, there.size, &why);

	if (fd >= 0)
		close(fd);
	return better;
}

/* What was written to temp gets its name, if all of it is right. */
static int accept_object(struct archive *a, int fd, const char *temp)
{
	char name[CACHE_NAME_LEN + 1];
	struct dragoman_object h;
	const char *why = NULL;
	int err = obj_load_header(fd, &h, &why);

	if (!err && !cache_is_current(&h)) {
		why = "it was made by another version of dragoman";
		err = -EINVAL;
	}
	if (!err)
		err = check_object(fd, h.size, &why);
	if (err) {
		cli_error("cache import: object %u is refused: %s", a->done + a->kept + a->refused + 1, why ? why : strerror(-err));
		a->refused++;
		return 0;
	}
	cache_name(name, &h);
	if (have_better(a, name, &h)) {
		a->kept++;
		return 0;
	}
	if (fchown(fd, a->dir->owner, -1) || fsync(fd) || renameat(a->objects, temp, a->objects, name))
		return -errno;
	a->done++;
	return 0;
}

static int import_object(struct archive *a, __u64 size)
{
	char temp[64];
	int fd, err;

	snprintf(temp, sizeof(temp), ".tmp-%d-import", (int)getpid());
	fd = openat(a->objects, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = get_file(a, fd, size);
	if (!err)
		err = accept_object(a, fd, temp);
	unlinkat(a->objects, temp, 0);	/* gone already if it has been taken */
	close(fd);
	return err;
}

static int import_all(struct archive *a)
{
	static const unsigned char id[32] = DRAGOMAN_TRANSLATOR_ID;
	struct archive_head head;
	struct archive_object o;
	int err = get(a, &head, sizeof(head));

	if (err || head.magic != ARCHIVE_MAGIC || head.version != ARCHIVE_VERSION || head.reserved)
		return err && err != -EBADMSG && err != -ENODATA ? err : -ENOEXEC;
	if (memcmp(head.translator, id, sizeof(id)))
		return -ESTALE;
	for (;;) {
		err = get(a, &o, sizeof(o));
		if (err || !o.size)
			return err;
		err = import_object(a, o.size);
		if (err)
			return err;
	}
}

static int open_objects(const struct cache_dir *dir)
{
	int fd;

	if (!mkdirat(dir->fd, CACHE_OBJECTS, 0700) && fchownat(dir->fd, CACHE_OBJECTS, dir->owner, -1, AT_SYMLINK_NOFOLLOW))
		return -errno;
	fd = openat(dir->fd, CACHE_OBJECTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static const char *import_error(int err)
{
	switch (err) {
	case -ENOEXEC: return "is no archive of `dragoman cache export`";
	case -ESTALE: return "was written by another version of dragoman, whose translations this one does not use; export it again there "
			     "with this version";
	case -ENODATA: return "is cut off; what came before is imported";
	case -EBADMSG: return "is damaged; what came before is imported";
	default: return strerror(-err);
	}
}

int cache_import(const struct cache_dir *dir, int argc, char **argv)
{
	struct archive a = { .dir = dir, .fd = STDIN_FILENO };
	int err;

	if (!cache_writable(dir, "import"))
		return CLI_FAILED;
	if (strcmp(argv[argc - 1], "-"))
		a.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (a.fd < 0) {
		cli_error("cache import: %s: %s", argv[1], strerror(errno));
		return CLI_FAILED;
	}
	a.objects = open_objects(dir);
	a.in = ZSTD_createDStream();
	err = a.objects < 0 ? a.objects : a.in ? import_all(&a) : -ENOMEM;
	ZSTD_freeDStream(a.in);
	if (err)
		cli_error("cache import: %s: %s", argv[1], import_error(err));
	if (err != -ENOEXEC && err != -ESTALE)
		printf("%u objects imported, %u not newer than what is there, %u refused\n", a.done, a.kept, a.refused);
	if (!err && a.done)
		puts("Checked: checksums, structure, version. Not checked, for want of the guest files: that the code does what they say\n"
		     "(`dragoman cache verify PATH...` translates again what belongs to PATHs).");
	return err || a.refused ? CLI_FAILED : 0;
}
