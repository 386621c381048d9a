// SPDX-License-Identifier: MIT
/*
 * The frame that the kernel for aarch64 puts on the stack for a signal handler (arch/arm64/kernel/signal.c), and the way back.
 * In: complete guest state in t->state. Out: frame on the guest's stack, t->state at the handler; or the reverse.
 */
#include <asm/errno.h>
#include "runtime/signal.h"
#include "runtime/uaccess.h"

#define SA_SIGINFO_ 0x4ull
#define SA_RESTORER_ 0x04000000ull
#define SA_ONSTACK_ 0x08000000ull
#define SP 31

/* What is written of a frame, at most: the rest of the records' 4096 bytes stays as it is on the stack. */
struct written {
	struct a64_rt_sigframe f;
	struct a64_fpsimd_context fpsimd;
	u8 more[sizeof(struct a64_esr_context) + 16];	/* and the terminator */
};
#define FRAME_SIZE (sizeof(struct a64_rt_sigframe) + A64_SIGCONTEXT_RECORDS)

bool rt_on_altstack(const struct rt_thread *t, u64 sp)
{
	return !(t->altstack.flags & RT_SS_AUTODISARM) && sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;
}

static u64 stack_for(const struct rt_thread *t, const struct a64_sigaction *act)
{
	u64 sp = RT_STATE(t)->x[SP];

	if (act->flags & SA_ONSTACK_ && t->altstack.size && !rt_on_altstack(t, sp))
		return t->altstack.sp + t->altstack.size;
	return sp;
}

static void fill_context(const struct rt_thread *t, struct a64_ucontext *uc, u64 mask)
{
	const struct a64_state *s = RT_STATE(t);
	struct a64_sigcontext *mc = &uc->mcontext;

	uc->stack.sp = t->altstack.sp;
	uc->stack.size = t->altstack.size;
	uc->stack.flags = (s32)(t->altstack.flags & RT_SS_AUTODISARM);
	if (!t->altstack.size)
		uc->stack.flags |= RT_SS_DISABLE;
	else if (rt_on_altstack(t, s->x[SP]))
		uc->stack.flags |= RT_SS_ONSTACK;
	uc->sigmask = mask;
	mc->fault_address = RT_LX(t)->fault_address;
	for (unsigned i = 0; i < 31; i++)
		mc->regs[i] = s->x[i];
	mc->sp = s->x[SP];
	mc->pc = s->pc;
	mc->pstate = s->nzcv & A64_PSTATE_NZCV;
}

/* The records behind the registers; returns their length with the terminator. */
static size_t fill_records(const struct rt_thread *t, struct written *w)
{
	const struct a64_state *s = RT_STATE(t);
	struct a64_esr_context *esr = (struct a64_esr_context *)w->more;

	w->fpsimd.head.magic = A64_FPSIMD_MAGIC;
	w->fpsimd.head.size = sizeof(w->fpsimd);
	w->fpsimd.fpsr = (u32)s->fpsr;
	w->fpsimd.fpcr = (u32)s->fpcr;
	for (unsigned i = 0; i < 32; i++)
		w->fpsimd.v[i] = s->v[i];
	if (!RT_LX(t)->fault_esr)
		return sizeof(*w) - sizeof(*esr);
	esr->head.magic = A64_ESR_MAGIC;
	esr->head.size = sizeof(*esr);
	esr->esr = RT_LX(t)->fault_esr;
	return sizeof(*w);
}

int rt_sigframe_push(struct rt_thread *t, const struct rt_siginfo *info, const struct a64_sigaction *act, u64 mask)
{
	struct written w __attribute__((aligned(16))) = { 0 };
	struct a64_state *s = RT_STATE(t);
	struct a64_frame_record record = { s->x[29], s->x[30] };
	u64 record_at = ALIGN_DOWN(stack_for(t, act) - sizeof(record), 16ull);
	u64 frame = record_at - FRAME_SIZE;
	size_t len;

	if (act->flags & SA_SIGINFO_)
		w.f.info = *info;
	fill_context(t, &w.f.uc, mask);
	len = fill_records(t, &w);
	if (rt_copy_to_user(record_at, &record, sizeof(record)) || rt_copy_to_user(frame, &w, len))
		return -EFAULT;

	s->x[0] = (u64)info->signo;
	if (act->flags & SA_SIGINFO_) {
		s->x[1] = frame + offsetof(struct a64_rt_sigframe, info);
		s->x[2] = frame + offsetof(struct a64_rt_sigframe, uc);
	}
	s->x[29] = record_at;
	s->x[30] = act->flags & SA_RESTORER_ ? act->restorer : rt.sigreturn_pc;
	s->x[SP] = frame;
	s->pc = act->handler;
	return 0;
}

static int restore_fpsimd(struct a64_state *s, u64 at, u32 size)
{
	struct a64_fpsimd_context fp;

	if (size != sizeof(fp) || rt_copy_from_user(&fp, at, sizeof(fp)))
		return -EFAULT;
	for (unsigned i = 0; i < 32; i++)
		s->v[i] = fp.v[i];
	s->fpsr = fp.fpsr & A64_FPSR_MASK;
	s->fpcr = fp.fpcr & A64_FPCR_MASK;
	return 0;
}

/* Walks the records from at. There must be one with the vectors, once. */
static int restore_records(struct a64_state *s, u64 at)
{
	u64 end = at + A64_SIGCONTEXT_RECORDS;
	bool have_fpsimd = false, have_extra = false;
	struct a64_extra_context extra;
	struct a64_ctx head;

	while (end - at >= sizeof(head)) {
		if (rt_copy_from_user(&head, at, sizeof(head)))
			return -EFAULT;
		if (!head.magic)
			return head.size || !have_fpsimd ? -EINVAL : 0;
		if (head.size < sizeof(head) || head.size % 16 || head.size > end - at)
			return -EINVAL;
		switch (head.magic) {
		case A64_FPSIMD_MAGIC:
			if (have_fpsimd || restore_fpsimd(s, at, head.size))
				return -EINVAL;
			have_fpsimd = true;
			break;
		case A64_ESR_MAGIC:
			break;
		case A64_EXTRA_MAGIC:	/* more records behind the terminator that follows */
			if (have_extra || head.size != sizeof(extra) || rt_copy_from_user(&extra, at, sizeof(extra)) ||
			    extra.datap != at + sizeof(extra) + 16 || extra.size % 16)
				return -EINVAL;
			have_extra = true;
			at = extra.datap;
			end = at + extra.size;
			continue;
		default:
			return -EINVAL;
		}
		at += head.size;
	}
	return -EINVAL;
}

int rt_sigframe_pop(struct rt_thread *t, u64 *mask)
{
	struct a64_rt_sigframe f;
	const struct a64_sigcontext *mc = &f.uc.mcontext;
	struct a64_state *s = RT_STATE(t);
	u64 frame = s->x[SP];

	if (frame & 15 || rt_copy_from_user(&f, frame, sizeof(f)) || mc->pstate & A64_PSTATE_PRIVILEGED)
		return -EFAULT;
	if (restore_records(s, frame + sizeof(f)))
		return -EFAULT;
	for (unsigned i = 0; i < 31; i++)
		s->x[i] = mc->regs[i];
	s->x[SP] = mc->sp;
	s->pc = mc->pc;
	s->nzcv = (u32)(mc->pstate & A64_PSTATE_NZCV);
	s->excl_addr = A64_EXCL_NONE;
	s->excl_size = 0;
	*mask = f.uc.sigmask;
	rt_altstack_restore(t, &f.uc.stack);
	return 0;
}
