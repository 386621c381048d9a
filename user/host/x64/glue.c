// SPDX-License-Identifier: MIT
/*
 * Entry to and exit from translated code; see glue.h and abi.h.
 */
#include "codegen/host.h"
#include "dragoman/object.h"
#include "host/x64/emit_vec.h"
#include "host/x64/glue.h"
#include "host/x64/vec.h"

struct mk {
	struct x64_buf b;
	struct x64_vec_ctx vx;
	const struct guest *g;
	u8 home[96];
	const struct x64_glue_calls *calls;
	u8 *resume;
};

static struct x64_mem slot(struct mk *m, unsigned s)
{
	return x64_m(RBP, (s32)m->g->slot[s].offset - X64_BIAS);
}

static struct x64_mem hostf(s32 off)
{
	return x64_m(RBP, off - X64_BIAS);
}

static void homes(struct mk *m, bool save)
{
	for (unsigned s = 0; s < m->g->nslots; s++) {
		if (m->home[s] == X64_NOREG || m->g->slot[s].kind != GUEST_SLOT_INT)
			continue;
		if (save)
			x64_st(&m->b, 1, m->home[s], slot(m, s));
		else
			x64_ld(&m->b, 1, m->home[s], slot(m, s));
	}
}

static void vecs(struct mk *m, bool save)
{
	struct x64_mem s;

	/* rdi = thread block */
	for (unsigned k = 0; k < m->g->nslots; k++) {
		if (m->home[k] == X64_NOREG || m->g->slot[k].kind != GUEST_SLOT_VEC)
			continue;
		s = x64_m(RDI, (s32)m->g->slot[k].offset);
		if (save)
			x64_vec_store(&m->vx, 16, m->home[k], s);
		else
			x64_vec_load(&m->vx, 16, m->home[k], s);
	}
	x64_b(&m->b, 0xc3);
}

/* To the runtime's stack; rdi = thread block. */
static void to_c(struct mk *m)
{
	x64_st(&m->b, 1, RSP, hostf(X64_G_RSP));
	x64_ld(&m->b, 1, RSP, hostf(X64_C_RSP));
}

static void call_c(struct mk *m, const void *fn)
{
	x64_lea(&m->b, 1, RDI, x64_m(RBP, -X64_BIAS));
	x64_movi(&m->b, RAX, (u64)fn);
	x64_rr(&m->b, 0xff, 0, 2, RAX);
}

static void jmp_to(struct mk *m, const u8 *to)
{
	x64_patch32(x64_jmp32(&m->b), to);
}

/* rax = host address to go on at; guest state in memory, but for vectors. Signals are looked at once more. */
static void make_resume(struct mk *m, struct x64_glue *g)
{
	u8 *pending;

	m->resume = m->b.p;
	g->entering[0][0] = (u64)m->b.p;
	x64_alu_mi(&m->b, X64_CMP, 0, hostf((s32)m->calls->pending_off), 0);
	pending = x64_jcc8(&m->b, X64_NE);
	homes(m, false);
	x64_ld(&m->b, 1, RSP, hostf(X64_G_RSP));
	x64_rr(&m->b, 0xff, 0, 4, RAX);
	g->entering[0][1] = (u64)m->b.p;
	x64_patch8(&m->b, pending);
	call_c(m, m->calls->pending);
	jmp_to(m, m->resume);
}

/* Back into the middle of translated code (after a call that keeps rax): a signal that came meanwhile is met by stepping. */
static void make_back(struct mk *m, bool flags_on_stack)
{
	u8 *none, *go;

	x64_alu_mi(&m->b, X64_CMP, 0, hostf((s32)m->calls->pending_off), 0);
	none = x64_jcc8(&m->b, X64_E);
	{
		struct x64_mem s = hostf((s32)m->calls->stepping_off);

		x64_rm_p(&m->b, 0, 0xc7, 0, 0, &s, 4, false);
		x64_d(&m->b, 1);
	}
	if (!flags_on_stack)
		x64_b(&m->b, 0x9c);				/* pushfq */
	{
		struct x64_mem f = x64_m(RSP, 0);

		x64_rm_p(&m->b, 0, 0x81, 0, X64_OR, &f, 4, false);	/* the trap flag */
		x64_d(&m->b, 0x100);
	}
	if (!flags_on_stack)
		x64_b(&m->b, 0x9d);				/* popfq */
	go = x64_jmp8(&m->b);
	x64_patch8(&m->b, none);
	x64_patch8(&m->b, go);
	if (flags_on_stack)
		x64_b(&m->b, 0x9d);
}

/* --- look-up in shared code ---------------------------------------------------------------------------------------- */

#define MISSES 8

/* Jumps to where C is called, once that has been written. */
struct misses {
	u8 *jcc[MISSES];
	unsigned n;
};

static void miss_if(struct mk *m, struct misses *to, enum x64_cond cc)
{
	to->jcc[to->n++] = x64_jcc32(&m->b, cc);
}

static struct x64_mem view_member(s32 off)
{
	return x64_m(RBX, off);
}

/* rax = guest pc. Finds the view in rbx and the word of its index in edx. rcx is lost. */
static void index_word(struct mk *m, struct misses *miss)
{
	struct x64_buf *b = &m->b;
	u8 *found[X64_VIEW_WAYS];

	x64_ld(b, 1, RDX, hostf(X64_VIEWS));
	x64_test_rr(b, 1, RDX, RDX);
	miss_if(m, miss, X64_E);
	x64_mov(b, 1, RCX, RAX);
	x64_sh_ri(b, X64_SHR, 1, RCX, X64_VIEW_SHIFT);
	x64_alu_ri(b, X64_AND, 0, RCX, X64_VIEW_SLOTS - 1);
	x64_lea(b, 1, RDX, x64_mi(RDX, RCX, 3, 0));
	for (unsigned k = 0; k < X64_VIEW_WAYS; k++) {
		u8 *empty;

		x64_ld(b, 1, RBX, x64_m(RDX, 8 * (s32)k));
		x64_test_rr(b, 1, RBX, RBX);
		empty = x64_jcc8(b, X64_E);
		x64_mov(b, 1, RCX, RAX);
		x64_alu_rm(b, X64_SUB, 1, RCX, view_member(offsetof(struct x64_view, text)));
		x64_alu_rm(b, X64_CMP, 1, RCX, view_member(offsetof(struct x64_view, text_size)));
		found[k] = x64_jcc8(b, X64_B);
		x64_patch8(b, empty);
	}
	miss->jcc[miss->n++] = x64_jmp32(b);
	for (unsigned k = 0; k < X64_VIEW_WAYS; k++)
		x64_patch8(b, found[k]);
	x64_test_ri(b, 0, RCX, 3);
	miss_if(m, miss, X64_NE);
	/* a word for each 4 bytes; whoever published it wrote the code before: loads are in order here */
	x64_ld(b, 1, RDX, view_member(offsetof(struct x64_view, index)));
	x64_ld(b, 0, RDX, x64_mi(RDX, RCX, 0, 0));
}

static struct x64_mem jcache_at(s32 member)
{
	return x64_mi(RBP, RCX, 2, X64_JCACHE_OFF - X64_BIAS + member);
}

/* rcx * 4 = offset of rax's entry in the jump cache. */
static void jcache_hash(struct mk *m)
{
	x64_mov(&m->b, 0, RCX, RAX);
	x64_alu_ri(&m->b, X64_AND, 0, RCX, (X64_JCACHE_ENTRIES - 1) << 2);
}

/* Jump cache: rax -> rdx. An entry of another pc leads to the wrong place for a moment: only this thread looks at it. */
static void jcache_fill(struct mk *m)
{
	jcache_hash(m);
	x64_st(&m->b, 1, RDX, jcache_at(offsetof(struct x64_jcache_entry, host)));
	x64_st(&m->b, 1, RAX, jcache_at(offsetof(struct x64_jcache_entry, pc)));
}

/* edx: what of an index word is the offset -> rdx: host address. */
static void hot_address(struct mk *m)
{
	x64_alu_ri(&m->b, X64_AND, 0, RDX, DRAGOMAN_INDEX_OFFSET);
	x64_alu_rm(&m->b, X64_ADD, 1, RDX, view_member(offsetof(struct x64_view, hot)));
}

static void jmp_reg(struct mk *m, unsigned reg)
{
	x64_rr(&m->b, 0xff, 0, 4, reg);
}

/*
 * rax = target, in all of them. What is not in a view, or may not be taken from it in this place, is left to C. All of it
 * counts as on the way into translated code: a signal that comes here is met at the next boundary.
 */
static void make_lookups(struct mk *m, struct x64_glue *g, struct misses *lookup, struct misses *flags, struct misses *leave)
{
	struct x64_buf *b = &m->b;
	u8 *skip;

	g->entering[3][0] = (u64)b->p;
	/* EXIT: a direct exit. Guest flags are where they belong; but LOOKUP is not to find what reads them in the jump cache */
	g->fn[X64_FN_EXIT] = (u64)b->p;
	jcache_hash(m);
	x64_alu_mr(b, X64_CMP, 1, RAX, jcache_at(offsetof(struct x64_jcache_entry, pc)));
	skip = x64_jcc8(b, X64_NE);
	x64_jmp_m(b, jcache_at(offsetof(struct x64_jcache_entry, host)));
	x64_patch8(b, skip);
	index_word(m, leave);
	x64_test_ri(b, 0, RDX, DRAGOMAN_INDEX_OFFSET & ~63u);
	miss_if(m, leave, X64_E);
	x64_test_rr(b, 0, RDX, RDX);
	skip = x64_jcc8(b, X64_S);
	hot_address(m);
	jcache_fill(m);
	jmp_reg(m, RDX);
	x64_patch8(b, skip);
	hot_address(m);
	jmp_reg(m, RDX);

	/* a RET with nothing on the return stack: rax = guest address; the entry stays */
	g->underflow = (u64)b->p;
	x64_lea(b, 1, RSP, x64_m(RSP, -8));
	/* LOOKUP: guest flags may be lost, so what reads them must not be entered: the sign bit */
	g->fn[X64_FN_LOOKUP] = (u64)b->p;
	index_word(m, lookup);
	x64_alu_ri(b, X64_CMP, 0, RDX, 64);
	miss_if(m, lookup, X64_L);
	hot_address(m);
	jcache_fill(m);
	jmp_reg(m, RDX);

	/* LOOKUP_FLAGS: guest flags have been saved here, but the jump caches are for those who have not done that */
	g->fn[X64_FN_LOOKUP_FLAGS] = (u64)b->p;
	index_word(m, flags);
	x64_lea(b, 0, RCX, x64_m(RDX, -64));
	x64_alu_ri(b, X64_CMP, 0, RCX, DRAGOMAN_INDEX_FLAGS - 64);
	miss_if(m, flags, X64_AE);
	hot_address(m);
	jcache_fill(m);
	x64_rr(b, 0x0fb7, 0, RBX, RAX);				/* movzx ebx, ax */
	x64_mov(b, 1, RCX, RAX);
	x64_rr(b, 0xf7, 1, 3, RCX);				/* neg rcx */
	x64_st(b, 1, RDX, x64_mi(RBP, RBX, 2, X64_JFLAGS_OFF - X64_BIAS + (s32)offsetof(struct x64_jflags_entry, host)));
	x64_st(b, 1, RCX, x64_mi(RBP, RBX, 2, X64_JFLAGS_OFF - X64_BIAS));
	jmp_reg(m, RDX);
	g->entering[3][1] = (u64)b->p;
}

/* The C side of a look-up: rax = target. */
static void leave_to(struct mk *m, const struct misses *from, u64 (*fn)(void *t, u64 target))
{
	for (unsigned k = 0; from && k < from->n; k++)
		x64_patch32(from->jcc[k], m->b.p);
	homes(m, true);
	to_c(m);
	x64_mov(&m->b, 1, RSI, RAX);
	call_c(m, fn);
	jmp_to(m, m->resume);
}

static void make_exits(struct mk *m, struct x64_glue *g)
{
	struct misses lookup = { .n = 0 }, flags = { .n = 0 }, leave = { .n = 0 };
	struct x64_buf *b = &m->b;

	make_lookups(m, g, &lookup, &flags, &leave);
	leave_to(m, &lookup, m->calls->lookup);
	leave_to(m, &flags, m->calls->lookup_flags);
	leave_to(m, &leave, m->calls->exit);
	/* LOOKUP_STRICT: called; rax = target */
	g->fn[X64_FN_LOOKUP_STRICT] = (u64)b->p;
	leave_to(m, NULL, m->calls->lookup_strict);

	/* LINK: rax = target, rcx = site */
	g->fn[X64_FN_LINK] = (u64)b->p;
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	x64_mov(b, 1, RDX, RCX);
	call_c(m, m->calls->link);
	jmp_to(m, m->resume);

	/* SYSCALL: called; rax = next guest pc */
	g->fn[X64_FN_SYSCALL] = (u64)b->p;
	x64_b(b, 0x58 | RCX);					/* pop rcx: where to go on */
	x64_st(b, 1, RCX, hostf(X64_EXIT_SITE));
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->syscall);
	x64_test_rr(b, 1, RAX, RAX);
	{
		u8 *other = x64_jcc8(b, X64_NE);

		x64_ld(b, 1, RAX, hostf(X64_EXIT_SITE));
		x64_patch8(b, other);
	}
	jmp_to(m, m->resume);

	/* TRAP: called; rax = pc, ecx = kind, edx = imm */
	g->fn[X64_FN_TRAP] = (u64)b->p;
	x64_lea(b, 1, RSP, x64_m(RSP, 8));
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	x64_mov(b, 1, RBX, RDX);
	x64_mov(b, 1, RDX, RCX);
	x64_mov(b, 1, RCX, RBX);
	call_c(m, m->calls->trap);
	jmp_to(m, m->resume);

	/* INTERP: rax = pc */
	g->fn[X64_FN_INTERP] = (u64)b->p;
	leave_to(m, NULL, m->calls->interp);

	/* from a signal handler, or the start of a thread: rbp is set */
	g->reenter = (u64)b->p;
	x64_ld(b, 1, RSP, hostf(X64_C_RSP));
	call_c(m, m->calls->reenter);
	jmp_to(m, m->resume);
}

static void make_calls(struct mk *m, struct x64_glue *g)
{
	static const u8 keep[] = { RCX, RDX, RSI, RDI, R8, R9, R10, R11 };
	struct x64_buf *b = &m->b;

	/* RTCALL: called; eax = which, rcx = a, rdx = b, rbx = pc; result in rax */
	g->fn[X64_FN_RTCALL] = (u64)b->p;
	x64_b(b, 0x8f);						/* pop [exit_site] */
	{
		struct x64_mem s = hostf(X64_EXIT_SITE);

		x64_modrm_mem(b, 0, &s, 0);
	}
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	x64_mov(b, 1, R8, RBX);
	x64_b(b, 0x48);						/* xchg rcx, rdx */
	x64_b(b, 0x87);
	x64_b(b, 0xca);
	call_c(m, m->calls->rtcall);
	g->entering[1][0] = (u64)b->p;
	homes(m, false);
	x64_ld(b, 1, RSP, hostf(X64_G_RSP));
	make_back(m, false);
	x64_jmp_m(b, hostf(X64_EXIT_SITE));
	g->entering[1][1] = (u64)b->p;

	/* VOP: called; rax = descriptor. All registers but rax survive, EFLAGS too */
	g->fn[X64_FN_VOP] = (u64)b->p;
	x64_b(b, 0x9c);						/* pushfq, on the return stack */
	to_c(m);
	for (unsigned k = 0; k < ARRAY_SIZE(keep); k++) {
		if (keep[k] & 8)
			x64_b(b, 0x41);
		x64_b(b, 0x50 | (keep[k] & 7));
	}
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->vop);
	g->entering[2][0] = (u64)b->p;
	for (unsigned k = ARRAY_SIZE(keep); k-- > 0;) {
		if (keep[k] & 8)
			x64_b(b, 0x41);
		x64_b(b, 0x58 | (keep[k] & 7));
	}
	x64_ld(b, 1, RSP, hostf(X64_G_RSP));
	make_back(m, true);
	x64_b(b, 0xc3);
	g->entering[2][1] = (u64)b->p;
}

void x64_glue_make(struct x64_glue *g, u8 *code, const struct guest *guest, u64 features, const struct x64_glue_calls *calls)
{
	struct mk m = { .b = { code, code, code + 4096 }, .g = guest, .calls = calls };

	m.vx = (struct x64_vec_ctx){ .b = &m.b, .features = features };
	x64_homes(guest, features, m.home);
	make_resume(&m, g);
	make_exits(&m, g);
	make_calls(&m, g);
	g->vecs_save = (void (*)(void *))(u64)m.b.p;
	vecs(&m, true);
	g->vecs_load = (void (*)(void *))(u64)m.b.p;
	vecs(&m, false);
	g->end = (u64)m.b.p;
}
