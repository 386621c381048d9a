/* SPDX-License-Identifier: MIT */
/*
 * The little that the BPF programs know of the kernel: members of its structures that are looked up in the running kernel's BTF
 * when a program is loaded (CO-RE), so no kernel's headers and no vmlinux.h are needed to build. Included by *.bpf.c only.
 */
#ifndef DRAGOMAN_BPF_KERNEL_H
#define DRAGOMAN_BPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	struct mm_struct *mm;
};

#pragma clang attribute pop

#endif
