// SPDX-License-Identifier: MIT
/*
 * DRAGOMAN_VERIFY=1: everything that an object holds when it is offered is translated again and compared. A difference ends the
 * process, so that a test sees it: shared code is never trusted then, only checked.
 */
#include <linux/errno.h>
#include <linux/mman.h>

#include "object/object.h"
#include "runtime/client.h"
#include "runtime/rt.h"
#include "runtime/sys.h"

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

void rt_verify_object(const struct rt_offered *o, int fd)
{
	u64 size = o->head.size, file_size = o->head.file_size, room = obj_verify_size(&o->head);
	const struct dragoman_object *h = map(size, PROT_READ, MAP_SHARED | MAP_NORESERVE, o->fd, o->offset);
	const u8 *file = map(file_size, PROT_READ, MAP_PRIVATE, fd, 0);
	void *memory = map(room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u32 n = __atomic_load_n(&h->nregions, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		check_region(memory, h, file, &obj_regions(h)[i]);
	sys(__NR_munmap, memory, room);
	sys(__NR_munmap, file, file_size);
	sys(__NR_munmap, h, size);
}
