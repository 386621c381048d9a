/* SPDX-License-Identifier: MIT */
/*
 * The module's tracepoints as BPF programs see them: arguments in slots of eight bytes, the same for raw_tp and tp_btf. They are the
 * TP_PROTO lines of kmod/trace.h; the layout of its trace records does not matter here. Included by *.bpf.c only.
 *
 * Each handler is made twice, for modules with and without BTF; tool.c loads one of the two. What needs no BTF works where Debian's
 * headers make none (6.1); what has it is checked by the kernel against the module's types.
 *
 *	POINT(exec, struct exec_args *args)
 *	{
 *		... args->ns ...
 *	}
 */
#ifndef DRAGOMAN_BPF_POINTS_H
#define DRAGOMAN_BPF_POINTS_H

#include "kernel.h"
#include "names.h"

#define SLOT __attribute__((aligned(8)))

struct exec_args {
	const char *name;
	SLOT __u16 machine;
	SLOT _Bool secure;
	SLOT int err;
	SLOT __u64 ns;
};

struct looked_args {
	SLOT __u64 image;
	SLOT __u32 object;
	SLOT int status;
};

struct queued_args {
	SLOT __u64 id;
	SLOT __u32 kind;
	SLOT __u64 image;
	SLOT __u32 object;
	SLOT __u64 offset;
	SLOT __u32 priority;
};

struct taken_args {
	SLOT __u64 id;
	SLOT __u32 kind;
	SLOT __u64 age;
};

struct answered_args {
	SLOT __u64 id;
	SLOT __u32 kind;
	SLOT int status;
	SLOT __u64 age;
};

struct requeued_args {
	SLOT __u64 id;
	SLOT __u32 kind;
	SLOT __u32 requeues;
};

struct refused_args {
	SLOT __u32 kind;
	SLOT int why;
};

#define POINT(point, parameter)								\
	static __always_inline int on_##point(parameter);				\
	SEC("tp_btf/dragoman_" #point) int point##_btf(void *ctx) { return on_##point(ctx); }	\
	SEC("raw_tp/dragoman_" #point) int point##_raw(void *ctx) { return on_##point(ctx); }	\
	static __always_inline int on_##point(parameter)

/*
 * The program that the current process runs, by the name of its executable file (the module makes that the guest's), which
 * neither threads nor prctl(PR_SET_NAME) change. name: PROGRAM_NAME bytes, zero.
 */
static __always_inline void current_program(char *name)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const unsigned char *file = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);

	if (!file || bpf_probe_read_kernel_str(name, PROGRAM_NAME, file) <= 0)
		bpf_get_current_comm(name, PROGRAM_NAME);
}

#endif
