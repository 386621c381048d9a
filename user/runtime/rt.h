/* SPDX-License-Identifier: MIT */
/*
 * The runtime: what lives in every guest process beside the guest. This header is the contract between its parts:
 *
 *   start.S start.c      process entry, self-relocation, command line             (load)
 *   load.c stack.c       guest ELF, interpreter, guest stack and auxv             (load)
 *   exec.c               execve and execveat: foreign, native and scripts         (load)
 *   mm.c                 mmap & co., executable ranges, brk                       (load)
 *   procfs.c path.c      /proc/self/..., -L, path rewriting                       (load)
 *   dispatch.c cache.c   find or make translated code                             (core)
 *   link.c stale.c       jumps between translations, invalidation                 (core)
 *   context.c            host context <-> guest state, single evaluation          (core)
 *   signal.c sigframe.c  signals                                                  (linux)
 *   thread.c             clone, fork, vfork, exit, futex-related                  (linux)
 *   syscall.c sys_*.c    system calls, --strace                                   (linux)
 *
 * No libc, no SSE, no writable globals but rt (one per address space, in rt_globals.c).
 */
#ifndef RUNTIME_RT_H
#define RUNTIME_RT_H

#include "base/types.h"
#include "guest/aarch64/state.h"
#include "guest/guest.h"
#include "host/x64/abi.h"

struct rt_region;

/* How FP is done; two bits, part of what code is found by. */
enum rt_fp {
	RT_FP_HOST,
	RT_FP_STRICT,				/* modes that the host's units do not have: the evaluator */
	RT_FP_FLUSH,				/* FZ: the host, and the evaluator behind traps on denormals */
};

/*
 * The thread block: translated code addresses it from %rbp (abi.h). One mapping per thread, with guard pages:
 * [guard][return stack][guard][struct rt_thread][C stack][signal stack][guard].
 */
struct rt_thread {
	union {
		struct a64_state a64;
		u8 state[X64_HOST_OFF];
	};
	struct x64_host host;
	u8 pad[X64_JCACHE_OFF - X64_HOST_OFF - sizeof(struct x64_host)];
	struct x64_jcache_entry jcache[X64_JCACHE_ENTRIES];
	struct x64_jflags_entry jflags[X64_JFLAGS_ENTRIES];

	/* --- core --- */
	struct rt_thread *self;			/* what rt_self reads: %gs points here */
	struct rt_thread *next, **pprev;	/* all threads of the address space, under rt.threads_lock */
	u8 *c_stack_top, *sigstack, *map;
	size_t c_stack_size, sigstack_size, map_size;
	volatile u32 sig_pending;		/* != 0: leave translated code at the next instruction boundary, and
						   call rt_signal_deliver() before going back to it. Checked by the glue (host/x64/glue.c) */
	u32 stepping;				/* the trap flag is set to reach an instruction boundary */
	u32 strict_fp;				/* enum rt_fp: what FPCR asks of the code */
	s32 tid;
	u32 idle;				/* in a system call: the host address kept for afterwards is checked again */
	u64 epoch;				/* of translated code, as far as seen (codemem.c) */

	/* --- linux: owned by signal.c and thread.c --- */
	u64 sigmask;				/* the guest's blocked set, bit sig-1 */
	u64 saved_sigmask;			/* sigsuspend, ppoll, ...: to be restored after delivery */
	u32 have_saved_sigmask;
	u32 exiting;
	struct { u64 sp; u64 size; u32 flags; u32 pad; } altstack;
	void *sigqueue;				/* signal.c */
	u64 clear_child_tid;
	u64 robust_list;
	u64 rseq[4];
	u64 linux_spare[16];
};

#define RT_STATE(t) (&(t)->a64)

/* Process-wide (address-space-wide) state. */
struct rt_globals {
	const struct guest *guest;
	u64 features;			/* HOST_* in use */
	u32 flags;			/* RT_FLAG_* */
	u32 page_size;

	/* load: facts about the guest program */
	const char *exe_path;		/* absolute path of the guest file, as the guest sees it; "" unknown */
	const char *root;		/* -L DIR, "" none */
	size_t root_len;
	int exe_fd;			/* O_PATH or read descriptor kept open for /proc/self/exe, -1 none (high number, O_CLOEXEC) */
	u64 load_base, entry, interp_base, phdr, phnum, brk_start, brk_now;
	u64 stack_lo, stack_hi;		/* guest main stack */
	u64 arg_start, arg_end, env_start, env_end, auxv_start, auxv_len;
	u64 vdso, sigreturn_pc;		/* guest address of the rt_sigreturn trampoline */
	char **envp;
	int self_fd;			/* the runtime's own executable: for execve of foreign children, -1: use self_path */
	int session_fd;			/* the kernel module's session (session.h), -1 none (high number, O_CLOEXEC) */
	const char *self_path;

	u64 host_vdso;			/* AT_SYSINFO_EHDR of the host */
	s64 (*vdso_clock_gettime)(s64 clock, void *ts);
	s64 (*vdso_gettimeofday)(void *tv, void *tz);
	s64 (*vdso_getcpu)(u32 *cpu, u32 *node, void *unused);

	bool code_waits;		/* there is a userfaultfd: who reads the guest's code may wait for one of its other threads */
	u32 threads_lock;
	struct rt_thread *threads;
	u32 nthreads;

	struct rt_cache *cache;		/* core */
	struct rt_mm *mm;		/* mm.c */
	struct rt_sig *sig;		/* signal.c */
	struct rt_fds *fds;		/* descriptor bookkeeping of sys_*.c, procfs.c */
};
extern struct rt_globals rt;

#define RT_FLAG_STRACE 1
#define RT_FLAG_TRACE 0x400		/* print the registers before each instruction (slow; for comparing with another implementation) */
#define RT_FLAG_FAST_FZ 0x800		/* DRAGOMAN_FZ=fast: FPCR.FZ on the host's unit, see is_strict() in dispatch.c */
#define RT_FLAG_REGION 0xff0000		/* most instructions of a region, 0: the default (to find errors of the translator) */
#define RT_FLAG_BINFMT 2		/* started by the kernel: our own execve of foreign files may go straight to it */
#define RT_FLAG_SECURE 4		/* AT_SECURE: no environment variable of ours is honoured */
#define RT_FLAG_MODULE 8		/* started by the kernel module: /proc/self/exe, comm and AT_EXECFN are the guest's already */

/* ---- core (dispatch.c, cache.c, link.c, stale.c, codemem.c, context.c, ../host/x64/glue.c) ------------------------------------------- */

/* Once per address space. 0 or -errno. */
int rt_core_init(void);
/* A new thread block with all host parts ready (fn table, stacks); guest state zero, excl_addr = none. NULL: no memory. */
struct rt_thread *rt_thread_alloc(void);
/* Frees a thread block; not one's own (see rt_thread_free_self). */
void rt_thread_free(struct rt_thread *t);
/* Unmaps the own block and ends the thread with exit(2): never returns. */
void rt_thread_free_self(struct rt_thread *t, int status) __attribute__((noreturn));
/* The calling thread's block (read from %gs:0; %gs is set by rt_thread_enter and kept across clone by thread.c). */
static inline struct rt_thread *rt_self(void)
{
	struct rt_thread *t;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(t));
	return t;
}
/* Makes t the calling thread's block: %gs base, host sigaltstack. In the child after clone before anything else. */
void rt_thread_install(struct rt_thread *t);
/* Starts running guest code of the calling thread at t->state's pc on the thread's own C stack. Vector state is loaded from t->state. */
void rt_thread_run(struct rt_thread *t) __attribute__((noreturn));
/* The guest's vector registers live in the host's while the runtime runs. Copies them to, or from, t->state (FPSR, FPCR <-> MXCSR too). */
void rt_vecs_save(struct rt_thread *t);
void rt_vecs_load(struct rt_thread *t);

/* Guest flags in state.nzcv <- host form, and back. General registers and pc in t->state are always valid in a system call. */
void rt_flags_save(struct rt_thread *t);
void rt_flags_load(struct rt_thread *t);

/* Is this host pc in translated code? In the stretch of the glue that goes there? */
bool rt_pc_in_code(u64 host_pc);
bool rt_pc_entering(u64 host_pc);
struct rt_ucontext;			/* the kernel's struct ucontext for x86-64: runtime/ucontext.h */
/* For a host context in translated code: is it at a guest instruction boundary where everything is known? */
bool rt_context_at_boundary(struct rt_thread *t, const struct rt_ucontext *uc);
/* Host context in translated code -> complete guest state in t->state (registers, vectors, flags, FPSR, pc of the instruction that is running). */
void rt_context_to_state(struct rt_thread *t, const struct rt_ucontext *uc);
/* Makes the host context continue with t->state (all of it, vectors included) when the host signal handler returns. */
void rt_context_resume(struct rt_thread *t, struct rt_ucontext *uc);
/*
 * A synchronous host signal (SEGV, BUS, FPE, ILL, TRAP) in translated code that may be ours to answer (FP invalid trap, non-canonical
 * address, return-stack overflow, step, invalidated code). true: handled, uc is ready to be resumed. false: it is the guest's; *pc etc. by
 * rt_context_to_state.
 */
bool rt_core_fault(struct rt_thread *t, int sig, const void *siginfo, struct rt_ucontext *uc);
/* After the guest changed or unmapped [start, end): forget translations made from it. Cheap when there are none. */
void rt_invalidate(u64 start, u64 end);
/* Around fork(2), so that the child finds the core's tables whole: _before in the parent, then one of the others in each. */
void rt_core_before_fork(void);
void rt_core_after_fork_parent(void);
void rt_core_after_fork(struct rt_thread *t);

/* ---- load ---------------------------------------------------------------------------------------------------------- */
/* May [pc, ...) be executed by the guest? Returns bytes until the end of the executable range, 0 if not executable. Called often. */
size_t rt_mm_exec_avail(u64 pc);

/* ---- linux --------------------------------------------------------------------------------------------------------- */
int rt_signal_init(void);		/* host handlers for synchronous signals; inherited dispositions */
/* Delivers pending unblocked signals to t->state (pushes frames or ends the process). Called with t->state valid (GPRs, pc); it calls
   rt_vecs_save/load and rt_flags_* itself when it builds a frame. */
void rt_signal_deliver(struct rt_thread *t);
/* Raises a synchronous signal for the instruction at state.pc; t->state is complete, vectors included if vecs_in_state. */
void rt_signal_raise(struct rt_thread *t, int sig, int code, u64 addr, bool vecs_in_state);
/* Another thread is to leave translated code at the next boundary, if that is where it is, and sync. rt.threads_lock is held. */
void rt_signal_nudge(const struct rt_thread *from, struct rt_thread *to);
/*
 * The system call in t->state: nr x8, arguments x0..x5, result to x0. state.pc is already behind the SVC.
 * May change any state (rt_sigreturn, restart: pc -= 4). Returns true if pc or vectors were changed other than by
 * falling through: the core then continues at state.pc with everything reloaded from t->state.
 */
bool rt_syscall(struct rt_thread *t);

/* ---- messages (log.c, load): one line on stderr; %s %d %u %x %lx %c %% ----------------------------------------------- */
void rt_msg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rt_die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
