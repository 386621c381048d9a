/* SPDX-License-Identifier: MIT */
/*
 * Inside user/object: the translation of one region of a file, the same way for the writer and for who checks its work.
 */
#ifndef OBJECT_TRANSLATE_H
#define OBJECT_TRANSLATE_H

#include "object/object.h"
#include "translate/translate.h"

#define OBJ_MAX_STOP 512

/* What a translation puts out beside code, and where it takes bytes from. */
struct obj_work {
	const struct dragoman_object *h;
	const u8 *file;
	u64 file_size;
	/*
	 * A region ends where it meets what is translated already: by the index; or, when region `again` is made once more,
	 * by what it was then.
	 */
	const struct dragoman_region *again;
	u32 nstop;
	u32 stop[OBJ_MAX_STOP];		/* these places */
	struct cg_entry entry[512];
	struct cg_map map[1024];
	u32 retsite[512], site[1024];
	u64 target[1024];
	u8 scratch[] __attribute__((aligned(64)));
};

size_t obj_work_size(void);
/*
 * Translates the region at pc (bytes from text_lo) to where an object at base has its hot code, cold code and constants used up
 * to hot, cold, pool (bytes, as in the header), with OBJ_MAX_HOT and 3 * OBJ_MAX_COLD bytes of room. 0, -EFAULT, -ENOSPC.
 */
int obj_work_translate(struct obj_work *w, struct translate_out *o, const struct guest *guest, u8 *base, u32 pc, u32 hot,
		       u32 cold, u32 pool);

/* The index word of an entry. */
static inline u32 obj_index_word(u32 hot_off, u32 needs_flags)
{
	return hot_off | (needs_flags ? DRAGOMAN_INDEX_FLAGS : 0) | (needs_flags == CG_FLAGS_READ ? DRAGOMAN_INDEX_READ : 0);
}
/* Does an index word lead to code? */
static inline bool obj_is_code(u32 word)
{
	return (word & DRAGOMAN_INDEX_OFFSET) >= DRAGOMAN_OBJECT_FIRST;
}
/* The rel32 that is patched to link site s to code that its index word tells of. */
static inline u8 *obj_link_place(struct x64_site *s, u32 word)
{
	return (u8 *)s + ((word & DRAGOMAN_INDEX_FLAGS) && s->tail ? s->tail : s->disp);
}
#endif
