// SPDX-License-Identifier: MIT
/*
 * The other system calls that differ: time through the vDSO, memory through mm.c, names and versions, prctl, semctl.
 */
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <linux/utsname.h>
#include "runtime/exec.h"
#include "runtime/mm.h"
#include "runtime/place.h"
#include "runtime/syscall.h"
#include "runtime/uaccess.h"

/* --- time ----------------------------------------------------------------------------------------------------------- */

struct two_words { u64 w[2]; };

RT_SYS_HANDLER(clock_gettime)
{
	struct two_words ts;
	s64 ret;

	if (!rt.vdso_clock_gettime)
		return rt_host_call(t, __NR_clock_gettime, a);
	ret = rt.vdso_clock_gettime((s32)a[0], &ts);
	if (ret)
		return ret;
	return rt_put_u64(a[1], ts.w[0]) | rt_put_u64(a[1] + 8, ts.w[1]) ? -EFAULT : 0;
}

RT_SYS_HANDLER(gettimeofday)
{
	struct two_words tv;
	u64 zone;

	if (!rt.vdso_gettimeofday)
		return rt_host_call(t, __NR_gettimeofday, a);
	rt.vdso_gettimeofday(&tv, &zone);
	if (a[0] && rt_copy_to_user(a[0], &tv, sizeof(tv)))
		return -EFAULT;
	return a[1] && rt_copy_to_user(a[1], &zone, sizeof(zone)) ? -EFAULT : 0;
}

RT_SYS_HANDLER(getcpu)
{
	u32 cpu = 0, node = 0;

	if (!rt.vdso_getcpu)
		return rt_host_call(t, __NR_getcpu, a);
	rt.vdso_getcpu(&cpu, &node, NULL);
	if (a[0] && rt_put_u32(a[0], cpu))
		return -EFAULT;
	return a[1] && rt_put_u32(a[1], node) ? -EFAULT : 0;
}

#define MCL_CURRENT_ 1u
#define MCL_FUTURE_ 2u
#define MCL_ONFAULT_ 4u

/* --- memory --------------------------------------------------------------------------------------------------------- */

RT_SYS_HANDLER(brk)
{
	return rt_mm_brk(a[0]);
}

RT_SYS_HANDLER(mmap)
{
	if (a[5] & 4095)
		return -EINVAL;
	return rt_mm_mmap(a[0], a[1], a[2], a[3], (s32)a[4], a[5]);
}

RT_SYS_HANDLER(munmap)
{
	return rt_mm_munmap(a[0], a[1]);
}

RT_SYS_HANDLER(mremap)
{
	return rt_mm_mremap(a[0], a[1], a[2], a[3], a[4]);
}

RT_SYS_HANDLER(mprotect)
{
	return rt_mm_mprotect(a[0], a[1], a[2]);
}

RT_SYS_HANDLER(madvise)
{
	return rt_mm_madvise(a[0], a[1], a[2]);
}

/*
 * Without MCL_ONFAULT all of the reserved space for translated code would be filled, now and (MCL_FUTURE) whenever there is
 * more. So the guest's memory, too, is locked as it is touched.
 */
RT_SYS_HANDLER(mlockall)
{
	if (a[0] & (MCL_CURRENT_ | MCL_FUTURE_))
		a[0] |= MCL_ONFAULT_;
	return rt_host_call(t, __NR_mlockall, a);
}

#define RLIMIT_AS_ 9

/* A limit on address space is the guest's: views are not to fill it. */
RT_SYS_HANDLER(prlimit64)
{
	u64 cur;

	if ((u32)a[1] == RLIMIT_AS_ && a[2] && (!a[0] || (s32)a[0] == sys(__NR_getpid)) && !rt_get_u64(&cur, a[2]))
		rt_place_limit(cur);
	return rt_host_call(t, __NR_prlimit64, a);
}

RT_SYS_HANDLER(setrlimit)
{
	u64 cur;

	if ((u32)a[0] == RLIMIT_AS_ && !rt_get_u64(&cur, a[1]))
		rt_place_limit(cur);
	return rt_host_call(t, __NR_setrlimit, a);
}

RT_SYS_HANDLER(remap_file_pages)
{
	return rt_mm_remap_file_pages(a[0], a[1], a[2], a[3], a[4]);
}

RT_SYS_HANDLER(shmat)
{
	return rt_mm_shmat((s32)a[0], a[1], a[2]);
}

RT_SYS_HANDLER(shmdt)
{
	return rt_mm_shmdt(a[0]);
}

RT_SYS_HANDLER(userfaultfd)
{
	__atomic_store_n(&rt.code_waits, true, __ATOMIC_RELEASE);
	return rt_host_call(t, __NR_userfaultfd, a);
}

/* A machine without protection keys: what the kernel says there. */
RT_SYS_HANDLER(pkey_mprotect)
{
	return (s32)a[3] == -1 ? rt_mm_mprotect(a[0], a[1], a[2]) : -EINVAL;
}

RT_SYS_HANDLER(pkey_alloc)
{
	return a[0] || a[1] & ~3ull ? -EINVAL : -ENOSPC;
}

RT_SYS_HANDLER(pkey_free)
{
	return -EINVAL;
}

/* Guarded control stacks are not there. */
RT_SYS_HANDLER(map_shadow_stack)
{
	return -EOPNOTSUPP;
}

/* --- programs ------------------------------------------------------------------------------------------------------- */

RT_SYS_HANDLER(execve)
{
	s64 ret;

	rt_signal_before_exec(t);
	ret = rt_exec(t, AT_FDCWD, a[0], a[1], a[2], 0);
	rt_signal_after_exec(t);
	return ret;
}

RT_SYS_HANDLER(execveat)
{
	s64 ret;

	rt_signal_before_exec(t);
	ret = rt_exec(t, (s32)a[0], a[1], a[2], a[3], a[4]);
	rt_signal_after_exec(t);
	return ret;
}

static s64 hold_self_and_pass(struct rt_thread *t, const struct rt_sysent *e, u64 *a)
{
	rt_exec_hold_self();
	return rt_sys_pass(t, e, a);
}

RT_SYS_HANDLER(chroot)
{
	return hold_self_and_pass(t, e, a);
}

RT_SYS_HANDLER(pivot_root)
{
	return hold_self_and_pass(t, e, a);
}

RT_SYS_HANDLER(setns)
{
	return hold_self_and_pass(t, e, a);
}

RT_SYS_HANDLER(unshare)
{
	return a[0] & 0x00020000 /* CLONE_NEWNS */ ? hold_self_and_pass(t, e, a) : rt_sys_pass(t, e, a);
}

RT_SYS_HANDLER(uname)
{
	static const char machine[sizeof(((struct new_utsname *)0)->machine)] = "aarch64";
	s64 ret = rt_host_call(t, __NR_uname, a);

	if (ret)
		return ret;
	return rt_copy_to_user(a[0] + offsetof(struct new_utsname, machine), machine, sizeof(machine));
}

/* --- prctl ---------------------------------------------------------------------------------------------------------- */

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#define PR_SVE_SET_VL_ 50
#define PR_SME_GET_VL_ 64
#define PR_SET_MDWE_ 65
#define PR_GET_MDWE_ 66

static s64 get_auxv(const u64 *a)
{
	if (a[3] || a[4])
		return -EINVAL;
	if (rt_copy_to_user(a[1], (const void *)rt.auxv_start, MIN(a[2], rt.auxv_len)))
		return -EFAULT;
	return (s64)rt.auxv_len;
}

/*
 * What belongs to the other machine (x86's time stamp counter; SVE and pointer authentication, which we do not offer), or
 * would take from the runtime what it lives on, is answered as by a kernel that does not know it.
 */
RT_SYS_HANDLER(prctl)
{
	switch ((u32)a[0]) {
	case PR_GET_SECCOMP:
		return RT_LX(t)->seccomp_mode;
	case PR_SET_SECCOMP:
		return rt_seccomp_prctl(t, a[1], a[2]);
	case PR_GET_AUXV:
		return get_auxv(a);
	case PR_GET_TSC:
	case PR_SET_TSC:
	case PR_SET_SYSCALL_USER_DISPATCH:
	case PR_SVE_SET_VL_:
	case PR_SVE_SET_VL_ + 1:
	case PR_PAC_RESET_KEYS:
	case PR_SET_TAGGED_ADDR_CTRL:
	case PR_GET_TAGGED_ADDR_CTRL:
	case PR_PAC_SET_ENABLED_KEYS:
	case PR_PAC_GET_ENABLED_KEYS:
	case PR_SME_GET_VL_ - 1:
	case PR_SME_GET_VL_:
	case PR_SET_MDWE_:
		return -EINVAL;
	case PR_GET_MDWE_:
		return a[1] | a[2] | a[3] | a[4] ? -EINVAL : 0;
	}
	return rt_host_call(t, __NR_prctl, a);
}

/* --- System V semaphores: semid_ds has other padding ----------------------------------------------------------------- */

#define SEM_CMD_STAT 2
#define SEM_CMD_SEM_STAT 18
#define SEM_CMD_SEM_STAT_ANY 20

RT_SYS_HANDLER(semctl)
{
	u32 cmd = (u32)a[2] & ~0x100u;
	struct x64_semid_ds h;
	u64 dst = a[3];
	s64 ret;

	if (cmd != SEM_CMD_STAT && cmd != SEM_CMD_SEM_STAT && cmd != SEM_CMD_SEM_STAT_ANY)
		return rt_host_call(t, __NR_semctl, a);
	a[3] = (u64)&h;
	ret = rt_host_call(t, __NR_semctl, a);
	if (ret >= 0) {
		struct a64_semid_ds g = { .perm = h.perm, .otime = h.otime, .ctime = h.ctime, .nsems = h.nsems };

		if (rt_copy_to_user(dst, &g, sizeof(g)))
			return -EFAULT;
	}
	return ret;
}
