// SPDX-License-Identifier: MIT
/*
 * The guest's initial stack, made out of the kernel's where it lies: the strings of arguments and environment stay, the
 * pointer block loses the runtime's own arguments, the auxiliary vector is written anew. So the guest's stack is the real
 * one: it grows, obeys RLIMIT_STACK, and what ps and setproctitle look at is where they look.
 */
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "guest/aarch64/cpuid.h"
#include "runtime/load.h"
#include "runtime/mm.h"
#include "runtime/rt.h"
#include "runtime/start.h"
#include "runtime/sys.h"

#define PAGE 4096ull

/* arm64's signal frame without SVE and SME, as its kernel computes it. */
#define A64_SIGFRAME_SIZE 4720

/* Entries whose values are the host's. */
static bool is_passed_on(u64 type)
{
	switch (type) {
	case AT_PAGESZ:
	case AT_CLKTCK:
	case AT_UID:
	case AT_EUID:
	case AT_GID:
	case AT_EGID:
	case AT_SECURE:
	case AT_RANDOM:
		return true;
	}
	return false;
}

/* Writes the vector, AT_NULL included; words. room: at least as many as the kernel's has, plus 24. */
static u64 build_auxv(u64 *out, const struct rt_initial_stack *s, const struct rt_image *img)
{
	const u64 ours[][2] = {
		{ AT_SYSINFO_EHDR, rt.vdso },
		{ AT_MINSIGSTKSZ, A64_SIGFRAME_SIZE },
		{ AT_HWCAP, a64_hwcap() },
		{ AT_PHDR, img->phdr },
		{ AT_PHENT, 56 },
		{ AT_PHNUM, img->phnum },
		{ AT_BASE, img->interp_base },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, img->entry },
		{ AT_HWCAP2, a64_hwcap2() },
		{ AT_EXECFN, (u64)s->execfn },
		{ AT_PLATFORM, (u64)"aarch64" },
	};
	u64 n = sizeof(ours) / 8;

	__builtin_memcpy(out, ours, sizeof(ours));
	for (const u64 *a = s->auxv; a[0] != AT_NULL; a += 2) {
		if (!is_passed_on(a[0]))
			continue;
		out[n++] = a[0];
		out[n++] = a[1];
	}
	out[n++] = AT_NULL;
	out[n++] = 0;
	return n;
}

static u64 string_end(u64 s)
{
	return s + __builtin_strlen((const char *)s) + 1;
}

/* The strings lie one behind the other: arguments, then environment, then the file name that the kernel executed. */
static void note_strings(const struct rt_initial_stack *s)
{
	rt.arg_start = s->argv[0];
	rt.arg_end = string_end(s->argv[s->argc - 1]);
	rt.env_start = rt.env_end = rt.arg_end;
	if (s->nenv) {
		rt.env_start = s->envp[0];
		rt.env_end = string_end(s->envp[s->nenv - 1]);
	}
	rt.stack_hi = ALIGN_UP(string_end((u64)rt.self_path) + 8, PAGE);
}

u64 rt_stack_build(struct rt_initial_stack *s, const struct rt_image *img)
{
	u64 auxv[64], nauxv = build_auxv(auxv, s, img);
	u64 *end = s->auxv + s->nauxv;
	u64 pointers = s->argc + 1 + s->nenv + 1;
	u64 *sp = s->argv - 1;

	/* argc, the pointers and the vector have to end where they ended, and begin at a multiple of 16. */
	if (sp + 1 + pointers + nauxv > end)
		sp = end - nauxv - pointers - 1;
	sp = (u64 *)ALIGN_DOWN((u64)sp, 16);
	if (sp < s->low)
		rt_die(126, "%s: no room for the auxiliary vector", s->execfn);
	note_strings(s);
	__builtin_memmove(sp + 1, s->argv, pointers * 8);
	sp[0] = s->argc;
	s->argv = sp + 1;
	s->envp = sp + 1 + s->argc + 1;
	s->auxv = sp + 1 + pointers;
	s->nauxv = nauxv;
	__builtin_memcpy(s->auxv, auxv, nauxv * 8);
	rt.envp = (char **)s->envp;
	rt.auxv_start = (u64)s->auxv;
	rt.auxv_len = nauxv * 8;
	rt.stack_lo = ALIGN_DOWN((u64)sp, PAGE);
	if (img->exec_stack)
		rt_mm_mprotect(rt.stack_lo, rt.stack_hi - rt.stack_lo, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	return (u64)sp;
}

static const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

/*
 * What the kernel tells others about us. Without CONFIG_CHECKPOINT_RESTORE it refuses; then procfs.c answers the guest's own
 * questions, others see the runtime's arguments, and the break is a mapping of ours. /proc/PID/exe stays the runtime:
 * changing it needs a privilege and that nothing of the old file is mapped.
 */
void rt_stack_publish(const struct rt_initial_stack *s, const struct rt_image *img, u64 sp)
{
	struct prctl_mm_map map = {
		.start_code = img->start_code, .end_code = img->end_code,
		.start_data = img->start_data, .end_data = img->end_data,
		.start_brk = rt.brk_start, .brk = rt.brk_start,
		.start_stack = sp,
		.arg_start = rt.arg_start, .arg_end = rt.arg_end,
		.env_start = rt.env_start, .env_end = rt.env_end,
		.auxv = (void *)rt.auxv_start, .auxv_size = (u32)rt.auxv_len,
		.exe_fd = (u32)-1,
	};
	s64 err = sys(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);

	if (err)
		rt.flags |= RT_FLAG_UNPUBLISHED;
	rt_mm_set_brk(rt.brk_start, !err);
	/* A program that was executed by descriptor has a name of the kernel's. */
	if (!(rt.flags & RT_FLAG_MODULE))
		sys(__NR_prctl, PR_SET_NAME, base_name(s->execfn), 0, 0, 0);
}
