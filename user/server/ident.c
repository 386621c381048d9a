// SPDX-License-Identifier: MIT
/*
 * Which content a file has, remembered, so that a digest is computed once: identity (device, inode, size, ctime) -> digest.
 *
 * A file system can be made by a user (FUSE, overlayfs or tmpfs in a user namespace, an image on a loop device or a stick), and its device
 * number is given again to others. So what was learned from a file on such a device is believed only for the same user (domain). On the
 * disks that hold the system ctime cannot be set by anybody.
 *
 * ctime is as coarse as the kernel's tick: content that changes twice within one keeps it. So an identity that was digested less than
 * two seconds after its ctime is not remembered. Where times do not tell, the identity has a version (drg_file.reserved; version.c).
 *
 * Saved with the id of this boot, for device numbers mean nothing after the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/server.h"

#define ENTRIES 65536u		/* power of two */
#define PROBES 8
#define SETTLED 2		/* seconds */

static struct srv_ident *table;
static u8 *used;
static unsigned count;
static bool changed;

static bool make_table(void)
{
	if (table)
		return true;
	table = calloc(ENTRIES, sizeof(*table));
	used = calloc(ENTRIES, 1);
	if (table && used)
		return true;
	free(table);
	table = NULL;
	return false;
}

bool srv_ident_of_system(u64 dev)
{
	static const char *const places[] = { "/", "/usr", "/opt" };
	static u64 devs[ARRAY_SIZE(places)];
	static bool known;

	for (unsigned i = 0; i < ARRAY_SIZE(places) && !known; i++) {
		struct statx x;

		/* without a block device (overlayfs, tmpfs) there are many, and they come and go */
		if (!statx(AT_FDCWD, places[i], 0, STATX_BASIC_STATS, &x) && x.stx_dev_major)
			devs[i] = (u64)x.stx_dev_major << 32 | x.stx_dev_minor;
	}
	known = true;
	for (unsigned i = 0; i < ARRAY_SIZE(devs); i++)
		if (devs[i] && devs[i] == dev)
			return true;
	return false;
}

static u32 hash(const struct drg_file *f, u32 domain)
{
	u64 h = f->dev * 0x9e3779b97f4a7c15ull ^ f->ino * 0xc2b2ae3d27d4eb4full ^ f->ctime_nsec * 0x165667b19e3779f9ull ^
		(u64)f->ctime_sec * 0x85ebca77c2b2ae63ull ^ domain;

	h ^= h >> 29;
	return (u32)(h * 0xbf58476d1ce4e5b9ull >> 40);
}

static bool same(const struct drg_file *a, const struct drg_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->ctime_sec == b->ctime_sec &&
	       a->ctime_nsec == b->ctime_nsec && a->reserved == b->reserved;
}

const struct srv_ident *srv_ident_find(const struct drg_file *file, u32 domain)
{
	u32 h = hash(file, domain);

	if (!table)
		return NULL;
	for (unsigned i = 0; i < PROBES; i++) {
		u32 at = (h + i) & (ENTRIES - 1);

		if (used[at] && table[at].domain == domain && same(&table[at].file, file))
			return &table[at];
	}
	return NULL;
}

/* An older state of the same file gives way, then a free place is taken, then somebody has to go. */
void srv_ident_put(const struct srv_ident *id)
{
	u32 h = hash(&id->file, id->domain), at = h & (ENTRIES - 1);
	bool found = false;

	if (!make_table())
		return;
	for (unsigned i = 0; i < PROBES; i++) {
		u32 n = (h + i) & (ENTRIES - 1);

		if (used[n] && table[n].domain == id->domain && same(&table[n].file, &id->file)) {
			at = n;
			found = true;
			break;
		}
		if (!used[n] && !found) {
			at = n;
			found = true;
		}
	}
	if (!found)
		at = (h + (u32)srv_now() % PROBES) & (ENTRIES - 1);
	count += !used[at];
	used[at] = 1;
	table[at] = *id;
	changed = true;
}

void srv_ident_clear(void)
{
	if (used)
		memset(used, 0, ENTRIES);
	count = 0;
	changed = true;
}

unsigned srv_ident_count(void)
{
	return count;
}

bool srv_ident_changed(void)
{
	return changed;
}

bool srv_ident_settled(const struct drg_file *file, s64 now)
{
	return file->ctime_sec + SETTLED < now;		/* a time in the future is never settled */
}

#define IDENT_MAGIC 0x31544449474d4744ull	/* "DGMGIDT1" */

struct head {
	u64 magic;
	char boot[40];
	u64 n;
	u8 sum[32];			/* of the entries */
};

static bool boot_id(char id[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	memset(id, 0, 40);
	if (fd < 0)
		return false;
	n = read(fd, id, 36);
	close(fd);
	return n == 36;
}

static int fill(int fd, void *ctx)
{
	const struct head *h = ctx;

	if (write(fd, h, sizeof(*h)) != sizeof(*h) || write(fd, h + 1, h->n * sizeof(*table)) != (ssize_t)(h->n * sizeof(*table)))
		return errno ? -errno : -ENOSPC;
	return 0;
}

int srv_ident_save(int dir)
{
	struct head *h;
	struct srv_ident *to;
	int err;

	changed = false;
	h = calloc(1, sizeof(*h) + (size_t)count * sizeof(*table));
	if (!h)
		return -ENOMEM;
	h->magic = IDENT_MAGIC;
	if (!boot_id(h->boot)) {
		free(h);
		return -ENOENT;
	}
	to = (struct srv_ident *)(h + 1);
	for (u32 i = 0; used && i < ENTRIES && h->n < count; i++)
		if (used[i] && !table[i].file.reserved)		/* versions are of this process */
			to[h->n++] = table[i];
	srv_sha256(to, h->n * sizeof(*to), h->sum);
	err = srv_store_write(dir, "identities", fill, h);
	free(h);
	return err;
}

int srv_ident_load(int dir)
{
	struct head h;
	struct srv_ident *from = NULL;
	char boot[40];
	u8 sum[32];
	struct stat st;
	int fd = openat(dir, "identities", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = -EINVAL;
	size_t bytes;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || read(fd, &h, sizeof(h)) != sizeof(h) ||
	    h.magic != IDENT_MAGIC || h.n > ENTRIES || (u64)st.st_size != sizeof(h) + h.n * sizeof(*from))
		goto out;
	err = -ESTALE;
	if (!boot_id(boot) || memcmp(boot, h.boot, sizeof(boot)))
		goto out;
	bytes = h.n * sizeof(*from);
	from = malloc(bytes + 1);
	err = -EINVAL;
	if (!from || read(fd, from, bytes) != (ssize_t)bytes)
		goto out;
	srv_sha256(from, bytes, sum);
	if (memcmp(sum, h.sum, sizeof(sum)))
		goto out;
	for (u64 i = 0; i < h.n; i++)
		srv_ident_put(&from[i]);
	changed = false;
	err = 0;
out:
	free(from);
	close(fd);
	return err;
}
