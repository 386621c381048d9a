// SPDX-License-Identifier: MIT
/*
 * The tracing side of ptrace among guests (trace.h): requests about registers, resuming, and what wait says of a stop.
 *
 * A tracee is a process of this runtime if its %gs base points to a thread block. It is never resumed with the host's
 * PTRACE_SYSCALL or PTRACE_SINGLESTEP: those count host system calls and instructions. Other tracees are the kernel's
 * alone, and their registers, of another machine, are refused.
 *
 * What is not there: a tracee that was stopped in translated code (by an attach, an interrupt or an asynchronous signal) shows
 * the registers that it had at its last entry to the runtime; the stops of a system call that it was blocked in when it was
 * attached to, since the host's kernel restarts that without us (strace -p shows the next call first); the order of stops at
 * a call that a signal interrupts, which is the signal's first and then the call's end, with EINTR for the kernel's ERESTART
 * numbers (strace shows the call as unfinished); the stop for a signal that the tracer gave at another stop, which the tracee
 * gets at once; hardware breakpoints; PTRACE_SYSEMU, PTRACE_SET_SYSCALL_INFO.
 */
#include <asm/stat.h>
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <linux/uio.h>

#include "runtime/client.h"
#include "runtime/syscall.h"
#include "runtime/trace.h"
#include "runtime/uaccess.h"
#include "runtime/view.h"

#define SIGTRAP_ 5
#define SIGSYS_ 31
#define TRAP_TRACE_ 2
#define HOST_RIP (16 * 8)		/* in struct user_regs_struct */
#define HOST_RSP (19 * 8)
#define HOST_GS_BASE (22 * 8)

#define NT_ARM_TLS_ 0x401
#define NT_ARM_HW_BREAK_ 0x402
#define NT_ARM_HW_WATCH_ 0x403
#define NT_ARM_SYSTEM_CALL_ 0x404

struct tracee {
	s64 pid;
	u64 block;			/* address of its struct rt_thread */
	struct rt_trace tr;		/* .kind: 0 unless it is at that stop */
	u32 later;			/* the kind of the stop that it is about to make; a signal came first */
	bool new_born;			/* the block is still that of the thread that made it */
};

#define TRACE_AT (offsetof(struct rt_thread, linux_spare) + offsetof(struct rt_linux, trace))

/* Of this process as a tracer. Hints: what they say too much does no harm. */
static bool wrote_mem;			/* it may have written tracees' code */
static u32 options;			/* the last PTRACE_SETOPTIONS or PTRACE_SEIZE */

void rt_ptrace_note_mem(void)
{
	wrote_mem = true;
}

static s64 peek(s64 pid, u64 addr, u64 *v)
{
	return sys(__NR_ptrace, PTRACE_PEEKDATA, pid, addr, v);
}

static s64 peek_user(s64 pid, u64 offset, u64 *v)
{
	return sys(__NR_ptrace, PTRACE_PEEKUSR, pid, offset, v);
}

/* Copies between this process and a stopped tracee, in words. */
static s64 move_words(s64 pid, u64 addr, u64 *w, size_t bytes, bool write)
{
	for (size_t i = 0; i < bytes / 8; i++) {
		s64 err = write ? sys(__NR_ptrace, PTRACE_POKEDATA, pid, addr + 8 * i, w[i]) : peek(pid, addr + 8 * i, &w[i]);

		if (err)
			return err;
	}
	return 0;
}

/* Has it executed the breakpoint of stop() in tracee.c, or has it yet to? */
static bool at_breakpoint(s64 pid)
{
	u64 rip, w;

	return !peek_user(pid, HOST_RIP, &rip) && !peek(pid, rip - 1, &w) && (u8)w == 0xcc;
}

/* A thread that has not run yet has its maker's %gs, but its own block on its stack (clone_shared). */
static bool find_own_block(struct tracee *v)
{
	u64 sp, block, self;

	if (peek_user(v->pid, HOST_RSP, &sp) || peek(v->pid, sp, &block) || block == v->block ||
	    peek(v->pid, block + offsetof(struct rt_thread, self), &self) || self != block ||
	    move_words(v->pid, block + TRACE_AT, (u64 *)&v->tr, sizeof(v->tr), false))
		return false;
	v->block = block;
	return true;
}

static bool find_tracee(s64 pid, struct tracee *v)
{
	u64 gs, self, back;

	v->pid = pid;
	if (peek_user(pid, HOST_GS_BASE, &gs) || !gs || peek(pid, gs, &self))
		return false;
	if (self + offsetof(struct rt_thread, self) != gs || peek(pid, self + offsetof(struct rt_thread, self), &back) || back != self)
		return false;
	v->block = self;
	if (move_words(pid, self + TRACE_AT, (u64 *)&v->tr, sizeof(v->tr), false))
		return false;
	v->new_born = v->tr.owner && v->tr.owner != pid && !sys(__NR_kcmp, pid, v->tr.owner, 1 /* KCMP_VM */, 0, 0);
	if (v->new_born && find_own_block(v))
		v->new_born = false;
	v->later = v->tr.kind && !v->new_born && !at_breakpoint(pid) ? v->tr.kind : 0;
	if (v->new_born || v->later)
		v->tr.kind = 0;
	return true;
}

static s64 put_trace(struct tracee *v)
{
	struct rt_trace tr = v->tr;

	if (v->new_born)
		return 0;
	if (v->later)
		tr.kind = v->later;
	return move_words(v->pid, v->block + TRACE_AT, (u64 *)&tr, sizeof(tr), true);
}

static s64 mark(struct tracee *v, u32 flag)
{
	v->tr.flags |= flag;
	return put_trace(v);
}

/* --- registers --------------------------------------------------------------------------------------------------------- */

/* A register set in the guest's layout, and where its parts lie in the thread block. */
union regset {
	struct { u64 x[32], pc, pstate; } general;
	struct { v128 v[32]; u32 fpsr, fpcr, pad[2]; } fp;
	u64 word[66];
};

static s64 read_set(struct tracee *v, u64 type, union regset *r)
{
	struct a64_state s;
	s64 err = move_words(v->pid, v->block, (u64 *)&s, sizeof(s), false);

	if (err)
		return err;
	switch (type) {
	case NT_PRSTATUS:
		__builtin_memcpy(r->general.x, s.x, sizeof(s.x));
		r->general.pc = s.pc;
		r->general.pstate = s.nzcv & A64_PSTATE_NZCV;
		return sizeof(r->general);
	case NT_PRFPREG:
		__builtin_memcpy(r->fp.v, s.v, sizeof(s.v));
		r->fp.fpsr = (u32)s.fpsr;
		r->fp.fpcr = (u32)s.fpcr;
		r->fp.pad[0] = r->fp.pad[1] = 0;
		return sizeof(r->fp);
	case NT_ARM_TLS_:
		r->word[0] = s.tpidr;
		return 8;
	case NT_ARM_HW_BREAK_:
	case NT_ARM_HW_WATCH_:
		r->word[0] = 6 << 8;	/* Armv8.0, none of them */
		return 8;
	case NT_ARM_SYSTEM_CALL_:
		r->word[0] = (u32)v->tr.nr;
		return 4;
	}
	return -EINVAL;
}

static s64 write_set(struct tracee *v, u64 type, const union regset *r)
{
	struct a64_state s;
	s64 err = move_words(v->pid, v->block, (u64 *)&s, sizeof(s), false);

	if (err)
		return err;
	switch (type) {
	case NT_PRSTATUS:
		__builtin_memcpy(s.x, r->general.x, sizeof(s.x));
		s.pc = r->general.pc;
		s.nzcv = r->general.pstate & A64_PSTATE_NZCV;
		break;
	case NT_PRFPREG:
		__builtin_memcpy(s.v, r->fp.v, sizeof(s.v));
		s.fpsr = r->fp.fpsr;
		s.fpcr = r->fp.fpcr & A64_FPCR_MASK;
		break;
	case NT_ARM_TLS_:
		s.tpidr = r->word[0];
		break;
	case NT_ARM_SYSTEM_CALL_:
		v->tr.nr = (s32)r->word[0];
		return put_trace(v);
	default:
		return -EINVAL;
	}
	if (v->new_born)
		return -EIO;
	err = move_words(v->pid, v->block, (u64 *)&s, sizeof(s), true);
	return err ? err : mark(v, RT_TRACE_DIRTY);
}

/* Bytes of a register in a set: as much as a length has to be a multiple of. */
static u64 register_size(u64 type)
{
	return type == NT_PRSTATUS || type == NT_ARM_TLS_ ? 8 : 4;
}

static s64 regset(struct tracee *v, bool set, u64 type, u64 iov)
{
	union regset r = { 0 };
	u64 base, len;
	s64 size = read_set(v, type, &r);

	if (rt_get_u64(&base, iov) || rt_get_u64(&len, iov + 8))
		return -EFAULT;
	if (size < 0)
		return size;
	if (len % register_size(type))
		return -EINVAL;
	len = MIN(len, (u64)size);
	if (set ? rt_copy_from_user(&r, base, len) : rt_copy_to_user(base, &r, len))
		return -EFAULT;
	if (rt_put_u64(iov + 8, len))
		return -EFAULT;
	return set ? write_set(v, type, &r) : 0;
}

/* --- what a stop is about ------------------------------------------------------------------------------------------------ */

static u32 trap_signal(void)
{
	return SIGTRAP_ | (options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
}

static s64 siginfo(struct tracee *v, u64 dst)
{
	struct rt_siginfo info = { .signo = SIGTRAP_, .code = TRAP_TRACE_ };
	s64 err = 0;

	if (v->tr.kind == RT_STOP_SIGNAL)
		err = move_words(v->pid, v->tr.info, (u64 *)&info, sizeof(info), false);
	else if (v->tr.kind == RT_STOP_ENTRY || v->tr.kind == RT_STOP_EXIT)
		info.code = (s32)trap_signal();
	else if (v->tr.kind == RT_STOP_EXEC)
		info.code = SIGTRAP_ | PTRACE_EVENT_EXEC << 8;
	else if (v->tr.kind == RT_STOP_SECCOMP)
		info.code = SIGTRAP_ | PTRACE_EVENT_SECCOMP << 8;
	if (err)
		return err;
	if (v->tr.kind != RT_STOP_SIGNAL) {
		info.pid = (s32)v->pid;
		info.uid = (u32)sys(__NR_getuid);
	}
	return rt_copy_to_user(dst, &info, sizeof(info)) ? -EFAULT : 0;
}

/* struct ptrace_syscall_info */
struct syscall_info {
	u8 op, pad[3];
	u32 arch;
	u64 pc, sp;
	u64 word[8];			/* entry, seccomp: number, arguments, the filter's data; exit: result, is it an error? */
};

static s64 syscall_info(struct tracee *v, u64 size, u64 dst)
{
	struct syscall_info info = { .op = PTRACE_SYSCALL_INFO_NONE, .arch = A64_AUDIT_ARCH };
	union regset r = { 0 };
	s64 err = read_set(v, NT_PRSTATUS, &r);
	s64 len = 24;

	if (err < 0)
		return err;
	info.pc = r.general.pc;
	info.sp = r.general.x[31];
	if (v->tr.kind == RT_STOP_ENTRY || v->tr.kind == RT_STOP_SECCOMP) {
		info.op = PTRACE_SYSCALL_INFO_ENTRY;
		info.word[0] = (u64)v->tr.nr;
		for (unsigned i = 0; i < 6; i++)
			info.word[i + 1] = r.general.x[i];
		len += 7 * 8;
		if (v->tr.kind == RT_STOP_SECCOMP) {
			info.op = PTRACE_SYSCALL_INFO_SECCOMP;
			info.word[7] = v->tr.info;
			len += 4;
		}
	} else if (v->tr.kind == RT_STOP_EXIT) {
		info.op = PTRACE_SYSCALL_INFO_EXIT;
		info.word[0] = r.general.x[0];
		info.word[1] = (s64)r.general.x[0] < 0 && (s64)r.general.x[0] >= -4095;
		len += 9;
	}
	return rt_copy_to_user(dst, &info, MIN(size, (u64)len)) ? -EFAULT : len;
}

/* --- resuming ------------------------------------------------------------------------------------------------------------- */

static s64 resume(struct tracee *v, u32 request, u64 sig)
{
	bool to_us = v->tr.kind == RT_STOP_SIGNAL;

	v->tr.flags &= ~(RT_TRACE_SYSCALLS | RT_TRACE_STEP | RT_TRACE_ON | RT_TRACE_SECCOMP);
	if (request != PTRACE_DETACH)
		v->tr.flags |= RT_TRACE_ON | (options & PTRACE_O_TRACESECCOMP ? RT_TRACE_SECCOMP : 0);
	if (request == PTRACE_SYSCALL)
		v->tr.flags |= RT_TRACE_SYSCALLS;
	if (request == PTRACE_SINGLESTEP)
		v->tr.flags |= RT_TRACE_STEP;
	if (wrote_mem)
		v->tr.flags |= RT_TRACE_POKED;
	if (to_us)
		v->tr.resume_sig = (u32)sig;
	v->tr.owner = request == PTRACE_DETACH ? 0 : (s32)v->pid;
	/* A signal may stop it again before it runs, and is another stop. */
	v->tr.kind = 0;
	put_trace(v);
	return sys(__NR_ptrace, request == PTRACE_DETACH ? PTRACE_DETACH : PTRACE_CONT, v->pid, 0, to_us ? 0 : sig);
}

static s64 event_message(struct rt_thread *t, struct tracee *v, u64 *a)
{
	u64 msg;

	switch (v->tr.kind) {
	case RT_STOP_ENTRY:
		msg = PTRACE_EVENTMSG_SYSCALL_ENTRY;
		break;
	case RT_STOP_EXIT:
		msg = PTRACE_EVENTMSG_SYSCALL_EXIT;
		break;
	case RT_STOP_EXEC:
	case RT_STOP_SECCOMP:
		msg = v->tr.info;
		break;
	default:
		return rt_host_call(t, __NR_ptrace, a);
	}
	return rt_put_u64(a[3], msg) ? -EFAULT : 0;
}

static s64 on_tracee(struct rt_thread *t, struct tracee *v, u64 *a)
{
	switch ((u32)a[0]) {
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
		return resume(v, (u32)a[0], a[3]);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset(v, (u32)a[0] == PTRACE_SETREGSET, a[2], a[3]);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(v, a[2], a[3]);
	case PTRACE_GETSIGINFO:
		return v->tr.kind ? siginfo(v, a[3]) : rt_host_call(t, __NR_ptrace, a);
	case PTRACE_SETSIGINFO:
		return v->tr.kind ? 0 : rt_host_call(t, __NR_ptrace, a);
	case PTRACE_GETEVENTMSG:
		return event_message(t, v, a);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		mark(v, RT_TRACE_POKED);
		return rt_host_call(t, __NR_ptrace, a);
	}
	return -EIO;
}

RT_SYS_HANDLER(ptrace)
{
	u32 request = (u32)a[0];
	struct tracee v;

	switch (request) {
	case PTRACE_CONT: case PTRACE_SYSCALL: case PTRACE_SINGLESTEP: case PTRACE_DETACH:
	case PTRACE_GETREGSET: case PTRACE_SETREGSET: case PTRACE_GET_SYSCALL_INFO:
	case PTRACE_GETSIGINFO: case PTRACE_SETSIGINFO: case PTRACE_GETEVENTMSG:
	case PTRACE_POKETEXT: case PTRACE_POKEDATA:
		if (find_tracee((s32)a[1], &v))
			return on_tracee(t, &v, a);
		if (request != PTRACE_GETREGSET && request != PTRACE_SETREGSET && request != PTRACE_GET_SYSCALL_INFO)
			break;
		return peek_user((s32)a[1], HOST_GS_BASE, &v.block) == -ESRCH ? -ESRCH : -EIO;
	/* What a kernel for aarch64 does not have, or would be x86's registers. */
	case PTRACE_PEEKUSR: case PTRACE_POKEUSR: case PTRACE_GETREGS: case PTRACE_SETREGS:
	case PTRACE_GETFPREGS: case PTRACE_SETFPREGS: case 18: case 19: case PTRACE_ARCH_PRCTL:
	case PTRACE_SYSEMU: case PTRACE_SYSEMU_SINGLESTEP: case PTRACE_SINGLEBLOCK:
		return -EIO;
	case PTRACE_TRACEME:
		rt_client_stop();
		rt_view_stop();
		break;
	case PTRACE_SETOPTIONS:
	case PTRACE_SEIZE:
		options = (u32)a[3];
		break;
	}
	return rt_host_call(t, __NR_ptrace, a);
}

/* --- wait ----------------------------------------------------------------------------------------------------------------- */

/* Has this process just executed the runtime, and nothing of it run? */
static bool is_fresh(s64 pid)
{
	char link[32] = "/proc/", *p = link + 6;
	struct stat mine, its;
	u64 gs;

	if (peek_user(pid, HOST_GS_BASE, &gs) || gs)
		return false;
	for (s64 div = 1000000000; div; div /= 10)
		if (pid / div)
			*p++ = (char)('0' + pid / div % 10);
	__builtin_memcpy(p, "/exe", 5);
	return !sys(__NR_stat, link, &its) && !sys(__NR_stat, "/proc/self/exe", &mine) &&
		mine.st_dev == its.st_dev && mine.st_ino == its.st_ino;
}

/* Tells it, in its auxiliary vector, that it is traced: it will stop when it is ready. */
static void tell_traced(s64 pid, u64 bits)
{
	u64 sp, argc, tag, value;

	if (peek_user(pid, HOST_RSP, &sp) || peek(pid, sp, &argc))
		return;
	sp += 8 * (argc + 2);
	do {
		if (peek(pid, sp, &value))
			return;
		sp += 8;
	} while (value);
	for (;; sp += 16) {
		if (peek(pid, sp, &tag) || tag == AT_NULL || peek(pid, sp + 8, &value))
			return;
		if (tag == AT_FLAGS) {
			sys(__NR_ptrace, PTRACE_POKEDATA, pid, sp + 8, value | bits);
			return;
		}
	}
}

static u32 stop_status(struct tracee *v)
{
	u64 signo = SIGTRAP_;

	switch (v->tr.kind) {
	case RT_STOP_ENTRY:
	case RT_STOP_EXIT:
		return trap_signal();
	case RT_STOP_SIGNAL:
		peek(v->pid, v->tr.info, &signo);
		return (u32)signo & 0x7f;
	case RT_STOP_EXEC:
		return SIGTRAP_ | PTRACE_EVENT_EXEC << 8;
	case RT_STOP_SECCOMP:
		return SIGTRAP_ | PTRACE_EVENT_SECCOMP << 8;
	}
	return SIGTRAP_;
}

/* pid stopped; *what: the signal, and the event << 8. False: it is resumed, and nobody is to know. */
static bool show_stop(s64 pid, u32 *what)
{
	u32 sig = *what & 0xff, event = *what >> 8;
	struct rt_siginfo info;
	u64 former = (u64)pid;
	struct tracee v;

	if ((event == PTRACE_EVENT_EXEC || *what == SIGTRAP_) && is_fresh(pid)) {
		if (event)
			sys(__NR_ptrace, PTRACE_GETEVENTMSG, pid, 0, &former);
		tell_traced(pid, RT_AT_TRACED | (event ? RT_AT_TRACED_EVENT : 0) | former << RT_AT_TRACED_FORMER);
		sys(__NR_ptrace, PTRACE_CONT, pid, 0, 0);
		return false;
	}
	if (event || sig > 31 || !((RT_SYNC_SIGNALS | RT_SIGBIT(SIGSYS_)) & RT_SIGBIT(sig)) || !find_tracee(pid, &v))
		return true;
	if (sig == SIGSYS_) {
		if (!(v.tr.flags & RT_TRACE_KILLED))
			return true;
		sys(__NR_ptrace, PTRACE_CONT, pid, 0, sig);
		return false;
	}
	if (v.tr.kind) {
		*what = stop_status(&v);
		return true;
	}
	/* A fault: the runtime's own, or the guest's, which its runtime will stop for when it knows. */
	if (sys(__NR_ptrace, PTRACE_GETSIGINFO, pid, 0, &info) || info.code <= 0)
		return true;
	sys(__NR_ptrace, PTRACE_CONT, pid, 0, sig);
	return false;
}

RT_SYS_HANDLER(wait4)
{
	u64 dst = a[1];
	u32 what;
	int status;
	s64 ret;

	/* Also where this process has called no ptrace yet: the first that many tracers do is to wait for PTRACE_TRACEME. */
	a[1] = (u64)&status;
	do {
		ret = rt_host_call(t, __NR_wait4, a);
		if (ret <= 0)
			return ret;
		if ((status & 0xff) != 0x7f)
			break;
		what = (u32)status >> 8;
	} while (!show_stop(ret, &what));
	if ((status & 0xff) == 0x7f)
		status = (int)(what << 8 | 0x7f);
	return dst && rt_put_u32(dst, (u32)status) ? -EFAULT : ret;
}

#define CLD_TRAPPED_ 4
#define WNOWAIT_ 0x01000000u

RT_SYS_HANDLER(waitid)
{
	struct rt_siginfo info = { 0 };
	u64 dst = a[2];
	s64 ret;

	if (!dst || a[3] & WNOWAIT_)
		return rt_host_call(t, __NR_waitid, a);
	a[2] = (u64)&info;
	do {
		ret = rt_host_call(t, __NR_waitid, a);
		if (ret)
			return ret;
		/* the third word behind pid and uid is si_status */
	} while (info.code == CLD_TRAPPED_ && !show_stop(info.pid, (u32 *)&info.value));
	return rt_copy_to_user(dst, &info, sizeof(info)) ? -EFAULT : 0;
}
