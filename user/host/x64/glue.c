// SPDX-License-Identifier: MIT
/*
 * Entry to and exit from translated code; see glue.h and abi.h.
 */
#include "codegen/host.h"
#include "host/x64/emit_vec.h"
#include "host/x64/glue.h"
#include "host/x64/vec.h"

struct mk {
	struct x64_buf b;
	struct x64_vec_ctx vx;
	const struct guest *g;
	u8 home[96];
	const struct x64_glue_calls *calls;
	u8 *resume, *lookup;
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

static void make_exits(struct mk *m, struct x64_glue *g)
{
	struct x64_buf *b = &m->b;

	/* LOOKUP: rax = target */
	g->fn[X64_FN_LOOKUP] = (u64)b->p;
	m->lookup = b->p;
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->lookup);
	jmp_to(m, m->resume);

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
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->interp);
	jmp_to(m, m->resume);

	/* from a signal handler, or the start of a thread: rbp is set */
	g->reenter = (u64)b->p;
	x64_ld(b, 1, RSP, hostf(X64_C_RSP));
	call_c(m, m->calls->reenter);
	jmp_to(m, m->resume);

	/* a RET with nothing on the return stack: rax = guest address; the entry stays */
	g->underflow = (u64)b->p;
	x64_lea(b, 1, RSP, x64_m(RSP, -8));
	jmp_to(m, m->lookup);

	/* LOOKUP_FLAGS: rax = target */
	g->fn[X64_FN_LOOKUP_FLAGS] = (u64)b->p;
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->lookup_flags);
	jmp_to(m, m->resume);
	g->fn[X64_FN_EXIT] = g->fn[X64_FN_LOOKUP];

	/* LOOKUP_STRICT: called; rax = target */
	g->fn[X64_FN_LOOKUP_STRICT] = (u64)b->p;
	homes(m, true);
	to_c(m);
	x64_mov(b, 1, RSI, RAX);
	call_c(m, m->calls->lookup_strict);
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
