/* SPDX-License-Identifier: MIT */
/*
 * ptrace among guests. A tracer's kernel would show it the runtime: host registers, host system calls, faults that are the
 * runtime's own business. So a traced thread stops by itself where the guest has something to show (tracee.c), by a
 * breakpoint instruction while rt_trace.kind is set, and the tracer's runtime (sys_ptrace.c) takes that breakpoint for what it
 * stands for, reads and writes the guest's registers in the thread block, and hides the other stops.
 */
#ifndef RUNTIME_TRACE_H
#define RUNTIME_TRACE_H

#include "base/types.h"

struct rt_thread;
struct rt_siginfo;

/* In the thread block of the traced thread; read and written by its tracer while it is stopped. */
struct rt_trace {
	u32 flags;			/* RT_TRACE_*, set by the tracer */
	u32 kind;			/* RT_STOP_* while stopped, else 0 */
	u32 resume_sig;			/* at a stop for a signal: what to deliver instead; 0: nothing */
	s32 owner;			/* the thread that this block is of, as its tracer calls it; 0: not yet known */
	u64 info;			/* RT_STOP_SIGNAL: address of its struct rt_siginfo; RT_STOP_SECCOMP: the filter's data;
					   RT_STOP_EXEC: the id that the thread had before, as its tracer calls it */
	s64 nr;				/* at a system call stop: its number; the tracer may change it, -1: none */
};

#define RT_TRACE_NR_CHILD (-2)		/* nr in a child of fork, which does not stop at that call's end */

#define RT_TRACE_ON 1u
#define RT_TRACE_SYSCALLS 2u		/* stop before and after each system call */
#define RT_TRACE_STEP 4u		/* stop after an instruction */
#define RT_TRACE_DIRTY 8u		/* the tracer wrote registers */
#define RT_TRACE_POKED 16u		/* the tracer may have written code */
#define RT_TRACE_SECCOMP 32u		/* stop where a filter says SECCOMP_RET_TRACE */
#define RT_TRACE_KILLED 64u		/* set by the tracee: it dies of a filter, by a signal that is no stop */

#define RT_STOP_MAGIC 0x57095000u
#define RT_STOP_ENTRY (RT_STOP_MAGIC + 1)	/* of a system call */
#define RT_STOP_EXIT (RT_STOP_MAGIC + 2)
#define RT_STOP_SIGNAL (RT_STOP_MAGIC + 3)	/* a fault */
#define RT_STOP_STEP (RT_STOP_MAGIC + 4)
#define RT_STOP_EXEC (RT_STOP_MAGIC + 5)	/* PTRACE_EVENT_EXEC */
#define RT_STOP_EXEC_TRAP (RT_STOP_MAGIC + 6)	/* the SIGTRAP of a tracer that did not ask for the event */
#define RT_STOP_SECCOMP (RT_STOP_MAGIC + 7)	/* PTRACE_EVENT_SECCOMP */

/* What the tracer adds to AT_FLAGS of a process that has just executed the runtime. */
#define RT_AT_TRACED 0x40000000u
#define RT_AT_TRACED_EVENT 0x80000000u
#define RT_AT_TRACED_FORMER 32		/* shift: the id that the thread had before (a thread that executes becomes the first) */

/* tracee.c. Each may change t->state as the tracer likes; vecs_in_state as in rt_signal_raise. */
/* The new program's first stop; at: AT_FLAGS. */
void rt_trace_exec(struct rt_thread *t, u64 at);
/* Before a system call: its number. */
s64 rt_trace_enter(struct rt_thread *t, u64 nr);
/* After it, t->state being what the guest will see. True if that was changed (all of it is in t->state then). */
bool rt_trace_leave(struct rt_thread *t);
/*
 * A seccomp filter wants the tracer asked about the call of rt_trace.nr. False: there is none that wants to know. Else nr and
 * the registers are as it left them.
 */
bool rt_trace_seccomp(struct rt_thread *t, u32 data);
/* A fault is to be delivered: the signal to deliver in its place, 0 none. */
int rt_trace_fault(struct rt_thread *t, const struct rt_siginfo *info);
/* On the way back to the guest: single steps. */
void rt_trace_steps(struct rt_thread *t, bool vecs_in_state);

/* sys_ptrace.c: a tracer that writes into /proc/PID/mem was seen. */
void rt_ptrace_note_mem(void);

#endif
