// SPDX-License-Identifier: MIT
/*
 * DRAGOMAN_VERIFY=1: everything that an object holds when it is offered is translated again and compared. A difference ends the
 * process, so that a test sees it: shared code is never trusted then, only checked.
 *
 * What the object's worker adds later nobody has checked. So the process gets a copy of what there is now, and no more. (From
 * the module's memory no copy is made: there it is what was there at the offer that is checked.)
 */
#include <linux/errno.h>
#include <linux/memfd.h>
#include <linux/mman.h>

#include "object/object.h"
#include "runtime/client.h"
#include "runtime/rt.h"
#include "runtime/sys.h"
#include "runtime/view.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static void *map(u64 len, u64 prot, u64 flags, int fd, u64 offset)
{
	s64 p = sys(__NR_mmap, 0, len, prot, flags, fd, offset);

	if (p < 0)
		rt_die(127, "DRAGOMAN_VERIFY: no memory (error %d); see ulimit -v", (int)-p);
	return (void *)p;
}

static void check_region(void *memory, const struct dragoman_object *h, const u8 *file, const struct dragoman_region *r)
{
	int err = obj_verify_region(memory, h, rt.guest, file, h->file_size, r);

	if (err)
		rt_die(127, "DRAGOMAN_VERIFY: the shared code for file offset %lx of an object is not what this translator makes "
		       "(error %d)", (u64)h->text_lo + r->pc, -err);
}

static void copy(u8 *to, const void *head, u64 off, u64 len)
{
	__builtin_memcpy(to + off, (const u8 *)head + off, len);
}

/*
 * All code that a copied link can lead to is to be in the copy: once more, if something was published meanwhile.
 */
static bool copy_used(u8 *to, const struct dragoman_object *h)
{
	struct dragoman_object *own = (struct dragoman_object *)to;
	u32 n, tries = 0;

	do {
		n = __atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE);
		*own = *h;
		own->nregions = n;
		own->publish = 0;
		copy(to, h, h->hot, MIN(own->hot_used, h->hot_size));
		copy(to, h, h->cold, MIN(own->cold_used, h->cold_size));
		copy(to, h, h->cold + h->cold_size - MIN(own->pool_used, h->cold_size), MIN(own->pool_used, h->cold_size));
		copy(to, h, h->meta, MIN(own->meta_used, h->meta_size));
		copy(to, h, h->regions, MIN(n * sizeof(struct dragoman_region), h->regions_size));
	} while (n != __atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE) && ++tries < 10);
	return tries < 10;
}

/*
 * The index, but for its holes. Behind the code: a link that was copied leads to what the index had named before. What came since is left out.
 */
static void copy_index(u8 *to, const struct dragoman_object *h)
{
	const struct dragoman_object *own = (const struct dragoman_object *)to;
	const struct dragoman_region *last = own->nregions ? &obj_regions(own)[own->nregions - 1] : NULL;
	u32 used = last ? last->hot + last->hot_len : DRAGOMAN_INDEX_NEVER + 1;

	for (u64 at = h->index; at < h->index + h->index_size; at += 4) {
		u32 word = __atomic_load_n((u32 *)((u8 *)h + at), __ATOMIC_ACQUIRE);

		if (word && (word & DRAGOMAN_INDEX_OFFSET) < used)
			*(u32 *)(to + at) = word;
	}
}

/* A memfd with what h has now; -errno. */
static s64 snapshot(const struct dragoman_object *h, u64 size)
{
	s64 fd = sys(__NR_memfd_create, "dragoman-verified", MFD_CLOEXEC | MFD_EXEC), err = 0;
	u8 *to;

	if (fd == -EINVAL)		/* a kernel that does not know that flag */
		fd = sys(__NR_memfd_create, "dragoman-verified", MFD_CLOEXEC);
	if (fd < 0)
		return fd;
	err = sys(__NR_ftruncate, fd, size);
	if (!err) {
		to = map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, (int)fd, 0);
		if (copy_used(to, h))
			copy_index(to, h);
		else
			err = -EAGAIN;
		sys(__NR_munmap, to, size);
	}
	if (!err)
		return fd;
	sys(__NR_close, fd);
	return err;
}

static void check(int object, u64 offset, const struct dragoman_object *head, int fd)
{
	u64 room = obj_verify_size(head);
	const struct dragoman_object *h = map(head->size, PROT_READ, MAP_SHARED | MAP_NORESERVE, object, offset);
	const u8 *file = map(head->file_size, PROT_READ, MAP_PRIVATE, fd, 0);
	void *memory = map(room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u32 n = __atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		check_region(memory, h, file, &obj_regions(h)[i]);
	sys(__NR_munmap, memory, room);
	sys(__NR_munmap, file, head->file_size);
	sys(__NR_munmap, h, head->size);
}

void rt_verify_object(struct rt_offered *o, int fd)
{
	if (!o->session) {
		const struct dragoman_object *h = map(o->head.size, PROT_READ, MAP_SHARED | MAP_NORESERVE, o->fd, 0);
		s64 copy = snapshot(h, o->head.size);

		sys(__NR_munmap, h, o->head.size);
		sys(__NR_close, o->fd);
		o->fd = copy < 0 ? -1 : (int)copy;
		if (copy < 0)
			return;
	}
	check(o->fd, o->offset, &o->head, fd);
}
