/* SPDX-License-Identifier: MIT */
/*
 * The host contract: what a host folder gives to translate() and to the runtime.
 */
#ifndef CODEGEN_HOST_H
#define CODEGEN_HOST_H

#include "guest/guest.h"
#include "ir/ir.h"

/* Host CPU features that code generation may use; a class is a set of them. */
#define HOST_AVX BIT(0)
#define HOST_AVX2 BIT(1)
#define HOST_FMA BIT(2)
#define HOST_BMI BIT(3)			/* BMI1, BMI2, LZCNT */
#define HOST_F16C BIT(4)
#define HOST_AVX512 BIT(5)		/* F, VL, BW, DQ, CD */
#define HOST_AVX512FP16 BIT(6)
#define HOST_AES BIT(7)
#define HOST_PCLMUL BIT(8)
#define HOST_SHA BIT(9)
#define HOST_GFNI BIT(10)
#define HOST_VBMI BIT(11)
#define HOST_BITALG BIT(12)		/* AVX512 BITALG + VPOPCNTDQ */
#define HOST_FSRM BIT(13)
#define HOST_VNNI BIT(14)
#define HOST_FEATURES (BIT(15) - 1)

/* How code is to be made; part of what a translation is keyed by. */
struct cg_options {
	u64 features;			/* HOST_* */
	bool strict_flags;		/* guest flags survive every call and return */
	bool strict_fp;			/* FPCR has FZ16, DN or AHP set: FP through the evaluator */
	bool flush_fp;			/* FPCR has FZ set: denormals trap; what does not trap on them goes through the evaluator */
	/*
	 * For code objects: guest addresses are made from the code's own, and links are made by whoever wrote the code.
	 * Guest address a lies at host address guest_base + a when the code runs where it is written; so it does at any
	 * other place, if all of it is moved by the same distance.
	 */
	bool relative;
	u64 guest_base;
	/* Does the code at pc write the guest's flags before it reads them? A guess of false is always right. May be NULL. */
	bool (*flags_dead)(void *ctx, u64 pc);
	void *ctx;
};

/*
 * A place where control leaves the region to a known guest address. It lies in the cold code, 8-aligned. All members but
 * flags are distances in bytes from the site's own address.
 */
struct x64_site {
	s32 disp;			/* the rel32 of the jump or call in the hot code; does not cross an 8-byte boundary */
	s32 tail;			/* the rel32 of a jump behind the stub's saving of flags; 0: the stub saves none */
	s32 stub;			/* the stub: what disp refers to while not linked */
	u32 flags;			/* X64_SITE_* */
};
#define X64_SITE_CALL 1
#define X64_SITE_STRICT 2		/* a call behind which flags are read: before it is made, strict_flags is needed everywhere */

/* Where a block starts that may be entered from outside. */
struct cg_entry {
	u64 pc;
	u32 off;			/* offset of the host code */
	u32 needs_flags;		/* CG_FLAGS_PASS, CG_FLAGS_READ or 0: what it does with the guest flags that it is entered with */
};
#define CG_FLAGS_PASS 1			/* may hand them on to somebody who reads them */
#define CG_FLAGS_READ 2			/* reads them before writing them */

/*
 * The pc map: from this code offset on, up to the next entry's, the instruction at pc is being executed. At `off` itself all
 * earlier instructions are complete and this one has not begun.
 */
struct cg_map {
	u16 off;
	u16 units : 12;			/* pc = region pc + units of the guest's insn_align: see cg_map_pc */
	u16 flags_at : 3;		/* enum cg_flags_at: where guest flags are from here on */
	u16 inside : 1;			/* not the instruction's beginning: only flags have moved */
};
_Static_assert(sizeof(struct cg_map) == 4, "there is one for each instruction");
static inline u64 cg_map_pc(const struct guest *g, u64 region_pc, const struct cg_map *m)
{
	return region_pc + (u64)m->units * g->insn_align;
}
enum cg_flags_at {
	CG_FLAGS_MEM,			/* in the host block */
	CG_FLAGS_SUB,			/* in EFLAGS as after SUB: C inverted */
	CG_FLAGS_ADD,			/* in EFLAGS, C as is (also after TEST: C and V are 0) */
	CG_FLAGS_FCMP,			/* in EFLAGS as after UCOMIS a, b */
	CG_FLAGS_FCMP_SWAP,		/* in EFLAGS as after UCOMIS b, a */
	CG_FLAGS_DEAD,			/* nobody will read them */
};

struct cg_out {
	u8 *code;			/* hot code: where to write; room for max_code bytes; at its final address */
	u32 max_code, code_len;
	u8 *cold;			/* cold code (exit stubs, rare paths), within 2 GiB of the hot code */
	u32 max_cold, cold_len;
	u8 *pool;			/* in: end of the cold memory, 16-aligned; out: start of the constants put there */
	struct cg_entry *entry;
	u32 max_entry, nentry;
	struct cg_map *map;
	u32 max_map, nmap;
	u32 *retsite;			/* code offsets of return sites (patched when the region is invalidated) */
	u32 max_retsite, nretsite;
	u32 *site;			/* offsets in the cold code of struct x64_site */
	u64 *site_target;		/* the guest address that each of them leads to; as many; may be NULL */
	u32 max_site, nsite;
};

/* Makes host code for a region. 0, -ENOSPC (some array is full: make a smaller region). scratch: see cg_scratch_size. */
int x64_codegen(const struct guest *g, struct ir_region *r, const struct cg_options *opt, struct cg_out *out, void *scratch);
size_t x64_codegen_scratch_size(void);
/* Is this operation beyond the code generator? Then the guest instruction is to become INTERP. */
bool x64_must_interp(const struct ir_inst *i, const struct cg_options *opt);
/* Host register of each guest slot (0xff: memory), for these features. */
void x64_homes(const struct guest *g, u64 features, u8 home[]);

/* Emits the saving of guest flags of that kind (enum cg_flags_at) to the host block; rax is lost. */
struct x64_buf;
void cg_flags_store(struct x64_buf *b, u8 kind);

/* What this CPU can do (CPUID, XGETBV), and the named classes: "v2" "v3" "v4" "v4fp16"; 0 when the name is unknown. */
u64 x64_host_features(void);
u64 x64_class_features(const char *name);

#endif
