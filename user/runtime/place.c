// SPDX-License-Identifier: MIT
/*
 * Where code objects' views go: see place.h. Position-independent files have theirs right below, so a place for both is looked
 * for: by ourselves where the guest leaves the place to the kernel, and, where glibc reserves it first (the files are aligned to
 * 64 KiB, pages have 4), by leaving room below what it reserves. Nothing fails because of a view.
 */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <asm/resource.h>

#include "runtime/core.h"
#include "runtime/mm.h"
#include "runtime/place.h"
#include "runtime/rt.h"
#include "runtime/sys.h"
#include "runtime/view.h"

#define PAGE 4096ull
#define ALIGN (64 << 10)		/* of segments, as the guest's linkers make them */
/* Views may take this part of a limit on address space. */
#define LIMIT_SHARE 16
/* Reservations of shared libraries: not smaller, not larger. */
#define RESERVE_MIN (2 * ALIGN)
#define RESERVE_MAX (256ull << 20)
/* An object needs some 16 bytes for each of the text, and 1 MiB (object/layout.c). */
#define ROOM(len) MIN((len) * 20 + (4ull << 20), DRAGOMAN_OBJECT_MAX_SIZE)

static u64 placed;			/* bytes of views so far */

static s64 map_nothing(u64 len)
{
	return sys(__NR_mmap, 0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* ---- limits ------------------------------------------------------------ */

static bool fits_limit(u64 size)
{
	struct { u64 cur, max; } lim = { ~0ull, ~0ull };

	sys(__NR_prlimit64, 0, RLIMIT_AS, 0, &lim);
	return lim.cur == ~0ull || placed + size <= lim.cur / LIMIT_SHARE;
}

void rt_place_limit(u64 bytes)
{
	if (bytes == ~0ull)
		return;
	rt_cache_prepare_limit();
	if (placed <= bytes / LIMIT_SHARE)
		return;
	rt_client_stop();
	rt_view_stop();
}

u64 rt_place_view(const struct rt_offered *o, int fd, u64 bias)
{
	/* What is mapped has to be what the object was made from. */
	if (!fits_limit(o->head.size) || !rt_client_unchanged(o, fd, bias) ||
	    rt_view_add(o->fd, o->offset, &o->head, bias, o->object, o->generation, false))
		return 0;
	placed += o->head.size;
	return bias + (u64)o->head.delta + o->head.size;
}

/* ---- mappings of the guest ------------------------------------------------------------ */

bool rt_place_wanted(u64 prot, u64 flags, s64 fd)
{
	return prot & PROT_EXEC && !(prot & PROT_WRITE) && (flags & MAP_TYPE) == MAP_PRIVATE && !(flags & MAP_ANONYMOUS) &&
	       fd >= 0 && rt_client_on() && rt_views_wanted();
}

/* A shared library of the guest's machine, opened for reading only? */
static bool is_library(int fd)
{
	Elf64_Ehdr h;
	s64 fl;

	if (sys(__NR_pread64, fd, &h, sizeof(h), 0) != sizeof(h) || __builtin_memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_type != ET_DYN || guest_find(h.e_machine, h.e_ident[EI_CLASS], h.e_ident[EI_DATA]) != rt.guest)
		return false;
	fl = sys(__NR_fcntl, fd, F_GETFL);
	return fl >= 0 && !(fl & (O_ACCMODE | O_PATH));
}

static s64 map_guest(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	return sys(__NR_mmap, addr, len, prot, flags, fd, offset);
}

/*
 * At a place of our choice, with room for the view right below, which is kept: *view, 0 if there is none. The address; 0: there
 * is no such place; -errno: the guest's mapping fails.
 */
static s64 map_both(const struct rt_offered *o, u64 len, u64 prot, u64 flags, s64 fd, u64 offset, u64 *view)
{
	u64 below = offset - (u64)o->head.delta, size = o->head.size;	/* from the view's start to the guest's */
	s64 p, ret;

	if (o->head.delta >= 0 || below < size || below > 2 * DRAGOMAN_OBJECT_MAX_SIZE)
		return 0;
	p = map_nothing(below + len);
	if (p < 0)
		return 0;
	ret = map_guest(p + below, len, prot, flags | MAP_FIXED, fd, offset);
	if (ret < 0) {
		sys(__NR_munmap, p, below + len);
		return ret;
	}
	if (below > size)
		sys(__NR_munmap, p + size, below - size);
	if (rt_mm_reserve(p, p + size))
		sys(__NR_munmap, p, size);
	else
		*view = p;
	return ret;
}

/* The file is mapped with its offset 0 at bias, the place at view is kept. */
static void fill_place(const struct rt_offered *o, int fd, u64 bias, u64 view)
{
	if (rt_client_unchanged(o, fd, bias) &&
	    !rt_view_add(o->fd, o->offset, &o->head, bias, o->object, o->generation, true)) {
		placed += o->head.size;
		return;
	}
	rt_mm_unreserve(view, view + o->head.size);
	sys(__NR_munmap, view, o->head.size);
}

s64 rt_place_mmap(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	const struct rt_offered *o;
	struct rt_offer offer;
	u64 view = 0;
	s64 ret = 0;

	if (!is_library((int)fd) || rt_client_attach(&(const int){ (int)fd }, 1, rt.features, &offer))
		return map_guest(addr, len, prot, flags, fd, offset);
	o = &offer.file[0];
	if (o->fd < 0 || offset > o->head.text_lo || offset + len < o->head.text_hi || !fits_limit(o->head.size)) {
		ret = map_guest(addr, len, prot, flags, fd, offset);
		goto out;
	}
	if (!addr && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		ret = map_both(o, len, prot, flags, fd, offset, &view);
	if (!ret)
		ret = map_guest(addr, len, prot, flags, fd, offset);
	if (view)
		fill_place(o, (int)fd, (u64)ret - offset, view);
	else if (ret > 0)
		rt_place_view(o, (int)fd, (u64)ret - offset);
out:
	rt_client_release(&offer);
	return ret;
}

bool rt_place_is_reservation(u64 addr, u64 len, u64 prot, u64 flags)
{
	return !addr && prot == PROT_NONE && flags == (MAP_PRIVATE | MAP_ANONYMOUS) && len >= RESERVE_MIN && len <= RESERVE_MAX &&
	       rt_client_on() && rt_views_wanted();
}

/* A place for len bytes, reserved, aligned to ALIGN, with room for a view below, which is free. 0: no memory. */
static u64 find_room(u64 len)
{
	u64 room = ROOM(len) + ALIGN, at;
	s64 p = map_nothing(room + len);

	if (p < 0)
		return 0;
	at = ALIGN_DOWN((u64)p + room, (u64)ALIGN);
	sys(__NR_munmap, p, at - (u64)p);
	if (at + len < (u64)p + room + len)
		sys(__NR_munmap, at + len, (u64)p + room - at);
	return at;
}

/*
 * What lies below is given back: unless another thread is quick, it is still free when the library is mapped. The address is
 * aligned as the library will be, so that the guest leaves nothing in between.
 */
s64 rt_place_reserve(u64 len)
{
	u64 at = find_room(len);

	/* As the guest wanted it: this one is accounted, should it be made writable. */
	return sys(__NR_mmap, at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
}

s64 rt_place_map_headers(u64 addr, u64 len, u64 prot, u64 flags, s64 fd, u64 offset)
{
	u64 at;
	s64 ret;

	if (addr || offset || prot != PROT_READ || (flags & ~(u64)MAP_DENYWRITE) != MAP_PRIVATE || len < RESERVE_MIN ||
	    len > RESERVE_MAX || fd < 0 || !rt_client_on() || !rt_views_wanted() || !is_library((int)fd))
		return 0;
	at = find_room(len);
	ret = map_guest(at, len, prot, flags | (at ? MAP_FIXED : 0), fd, offset);
	if (ret < 0 && at)
		sys(__NR_munmap, at, len);
	return ret;
}
