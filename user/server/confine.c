// SPDX-License-Identifier: MIT
/*
 * Takes from a child what it does not need: limits, an own uid (when the server is root's), Landlock where the kernel has it, and a
 * seccomp filter that allows a short list of system calls: others fail, and those of an intruder kill. What a child keeps is what srv_fork() left
 * open, and memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/server.h"

bool srv_have_landlock;

/* ---------------------------------------------------------------- limits */

#define MIB (1ull << 20)

static void limit(int what, u64 n)
{
	struct rlimit r = { n, n };

	setrlimit(what, &r);	/* lowering is always allowed; if it is lower already, good */
}

static void limits(enum srv_role role)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, role == SRV_GATE ? 256 : 16);
	limit(RLIMIT_DATA, 1024 * MIB);		/* private memory: the writer's tables of the largest text are about half of it */
	limit(RLIMIT_AS, 8192 * MIB);
	if (role != SRV_GATE) {
		limit(RLIMIT_NPROC, 0);
		limit(RLIMIT_CPU, role == SRV_WORKER ? 1200 : 120);
	}
	if (role == SRV_WORKER || role == SRV_READER)
		limit(RLIMIT_FSIZE, 0);
}

/* ---------------------------------------------------------------- uid */

static int own_uid(unsigned slot)
{
	uid_t uid = srv_opt.worker_uid + slot;

	if (!srv_opt.set_uid)
		return 0;
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return !setuid(0) ? -EPERM : 0;		/* no way back */
}

/* ---------------------------------------------------------------- Landlock */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

/* As the kernel's header of version 6 of that ABI has it; older kernels take the beginning. */
struct ruleset {
	u64 fs, net, scoped;
};

/* No rule is added: nothing of what can be handled is allowed. A kernel without it: seccomp does alone. */
static void landlock(void)
{
	static const u64 fs[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff };
	struct ruleset r = { 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	long fd;

	if (abi < 1)
		return;
	r.fs = fs[MIN(abi, 6)];
	r.net = abi >= 4 ? 3 : 0;
	r.scoped = abi >= 6 ? 3 : 0;
	fd = syscall(SYS_landlock_create_ruleset, &r, abi >= 6 ? sizeof(r) : abi >= 4 ? 16 : 8, 0);
	if (fd < 0)
		return;
	srv_have_landlock = !syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

/* ---------------------------------------------------------------- seccomp */

#define MAX_FILTER 256

struct program {
	struct sock_filter f[MAX_FILTER];
	unsigned n;
};

static void put(struct program *p, u16 code, u32 k, u8 jt, u8 jf)
{
	if (p->n < MAX_FILTER)
		p->f[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define JGE (BPF_JMP | BPF_JGE | BPF_K)
#define JSET (BPF_JMP | BPF_JSET | BPF_K)
#define RET (BPF_RET | BPF_K)

static void allow(struct program *p, u32 nr)
{
	put(p, JEQ, nr, 0, 1);
	put(p, RET, SECCOMP_RET_ALLOW, 0, 0);
}

/* Allows nr as long as the low word of that argument has none of these bits. */
static void allow_without(struct program *p, u32 nr, unsigned arg, u32 bits)
{
	put(p, JEQ, nr, 0, 4);
	put(p, LOAD, offsetof(struct seccomp_data, args) + 8 * arg, 0, 0);
	put(p, JSET, bits, 1, 0);
	put(p, RET, SECCOMP_RET_ALLOW, 0, 0);
	put(p, RET, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

/* Allows nr if the low word of that argument is this; else it fails with EPERM. */
static void allow_only(struct program *p, u32 nr, unsigned arg, u32 value)
{
	put(p, JEQ, nr, 0, 4);
	put(p, LOAD, offsetof(struct seccomp_data, args) + 8 * arg, 0, 0);
	put(p, JEQ, value, 0, 1);
	put(p, RET, SECCOMP_RET_ALLOW, 0, 0);
	put(p, RET, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static const u16 for_all[] = {
	SYS_exit_group, SYS_exit, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_futex, SYS_brk, SYS_munmap, SYS_madvise, SYS_write, SYS_sendto,
	SYS_recvfrom, SYS_close, SYS_getpid, SYS_gettid, SYS_clock_gettime, SYS_poll, SYS_restart_syscall,
};
static const u16 for_loader[] = { SYS_pread64, SYS_lseek, SYS_fstat, SYS_newfstatat, SYS_ftruncate };
static const u16 for_saver[] = { SYS_pwrite64, SYS_fstat, SYS_newfstatat, SYS_ftruncate, SYS_fsync };
static const u16 for_gate[] = {
	SYS_recvmsg, SYS_sendmsg, SYS_statx, SYS_ftruncate, SYS_fcntl, SYS_fstat, SYS_newfstatat, SYS_pread64, SYS_read, SYS_fstatfs, SYS_readlink,
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl, SYS_clone, SYS_wait4, SYS_kill, SYS_set_robust_list, SYS_rseq, SYS_close_range,
	SYS_dup2, SYS_dup3, SYS_prctl, SYS_seccomp, SYS_prlimit64, SYS_setrlimit, SYS_getppid, SYS_rt_sigaction, SYS_geteuid,
	SYS_getuid, SYS_landlock_create_ruleset, SYS_landlock_restrict_self,
};

/* Nobody but an intruder makes these. Anything else that is not allowed only fails: a C library may try this or that. */
static const u16 hostile[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_socket, SYS_connect, SYS_bind, SYS_bpf,
	SYS_io_uring_setup, SYS_mount, SYS_setns, SYS_unshare, SYS_keyctl, SYS_add_key, SYS_init_module, SYS_userfaultfd,
};

static void allow_all(struct program *p, const u16 *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		allow(p, list[i]);
}

static int filter(enum srv_role role)
{
	struct program p = { .n = 0 };
	struct sock_fprog prog;

	put(&p, LOAD, offsetof(struct seccomp_data, arch), 0, 0);
	put(&p, JEQ, AUDIT_ARCH_X86_64, 1, 0);
	put(&p, RET, SECCOMP_RET_KILL_PROCESS, 0, 0);
	put(&p, LOAD, offsetof(struct seccomp_data, nr), 0, 0);
	put(&p, JGE, 0x40000000, 0, 1);
	put(&p, RET, SECCOMP_RET_KILL_PROCESS, 0, 0);
	allow_all(&p, for_all, ARRAY_SIZE(for_all));
	switch (role) {
	case SRV_READER:
		break;
	case SRV_WORKER:
		/* sched_setscheduler(0, SCHED_IDLE): may only sink */
		allow_only(&p, SYS_sched_setscheduler, 1, 5);
		allow(&p, SYS_sched_getscheduler);
		break;
	case SRV_LOADER:
		allow_all(&p, for_loader, ARRAY_SIZE(for_loader));
		break;
	case SRV_SAVER:
		allow_all(&p, for_saver, ARRAY_SIZE(for_saver));
		break;
	case SRV_GATE:
		allow_all(&p, for_gate, ARRAY_SIZE(for_gate));
		break;
	}
	/* memory, but never executable */
	allow_without(&p, SYS_mmap, 2, PROT_EXEC);
	allow_without(&p, SYS_mremap, 3, 0);
	allow_without(&p, SYS_mprotect, 2, PROT_EXEC);
	for (unsigned i = 0; i < ARRAY_SIZE(hostile); i++) {
		put(&p, JEQ, hostile[i], 0, 1);
		put(&p, RET, SECCOMP_RET_KILL_PROCESS, 0, 0);
	}
	put(&p, RET, SECCOMP_RET_ERRNO | EPERM, 0, 0);
	if (p.n >= MAX_FILTER)
		return -E2BIG;
	prog = (struct sock_fprog){ p.n, p.f };
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) ? -errno : 0;
}

int srv_confine(enum srv_role role, unsigned slot)
{
	int err;

	limits(role);
	err = own_uid(slot);
	if (err)
		return err;
	/* after the change of uid, which resets it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (role != SRV_GATE)
		landlock();
	return filter(role);
}
