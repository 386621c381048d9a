/* SPDX-License-Identifier: MIT */
/*
 * Linux for aarch64 as its programs see it, where it differs from x86-64: numbers, and structures with their exact
 * layout. Taken from the kernel's uapi headers (asm-generic and arch/arm64); offsets are checked below.
 */
#ifndef GUEST_AARCH64_LINUX_ABI_H
#define GUEST_AARCH64_LINUX_ABI_H

#include "base/types.h"

/* Open flags whose values differ. The others are the same. */
#define A64_O_DIRECTORY 0040000u
#define A64_O_NOFOLLOW 0100000u
#define A64_O_DIRECT 0200000u
#define A64_O_LARGEFILE 0400000u
#define A64_O_DIFFERENT (A64_O_DIRECTORY | A64_O_NOFOLLOW | A64_O_DIRECT | A64_O_LARGEFILE)
#define X64_O_DIRECT 0040000u
#define X64_O_LARGEFILE 0100000u
#define X64_O_DIRECTORY 0200000u
#define X64_O_NOFOLLOW 0400000u

#define A64_MINSIGSTKSZ 5120
#define A64_AUDIT_ARCH 0xc00000b7u

struct a64_stat {
	u64 st_dev;
	u64 st_ino;
	u32 st_mode;
	u32 st_nlink;
	u32 st_uid;
	u32 st_gid;
	u64 st_rdev;
	u64 pad1;
	s64 st_size;
	s32 st_blksize;
	s32 pad2;
	s64 st_blocks;
	s64 atime, atime_nsec;
	s64 mtime, mtime_nsec;
	s64 ctime, ctime_nsec;
	u32 unused[2];
};
_Static_assert(sizeof(struct a64_stat) == 128, "asm-generic/stat.h");

struct x64_stat {
	u64 st_dev;
	u64 st_ino;
	u64 st_nlink;
	u32 st_mode;
	u32 st_uid;
	u32 st_gid;
	u32 pad0;
	u64 st_rdev;
	s64 st_size;
	s64 st_blksize;
	s64 st_blocks;
	s64 atime, atime_nsec;
	s64 mtime, mtime_nsec;
	s64 ctime, ctime_nsec;
	s64 unused[3];
};
_Static_assert(sizeof(struct x64_stat) == 144, "arch/x86 stat.h");

struct a64_epoll_event {
	u32 events;
	u32 pad;
	u64 data;
};

struct x64_epoll_event {
	u32 events;
	u64 data;
} __attribute__((packed));

struct ipc64_perm {
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	u16 seq, pad2;
	u32 pad3;
	u64 unused1, unused2;
};
_Static_assert(sizeof(struct ipc64_perm) == 48, "asm-generic/ipcbuf.h");

struct a64_semid_ds {
	struct ipc64_perm perm;
	s64 otime, ctime;
	u64 nsems, unused3, unused4;
};

struct x64_semid_ds {
	struct ipc64_perm perm;
	s64 otime;
	u64 unused1;
	s64 ctime;
	u64 unused2, nsems, unused3, unused4;
};

/* --- signals -------------------------------------------------------------------------------------------------------- */

struct a64_sigaction {
	u64 handler, flags, restorer, mask;
};

struct a64_stack {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};

/* The kernel's siginfo for 64-bit machines: the same on both. */
struct rt_siginfo {
	s32 signo, err, code;
	u32 pad;
	union {
		u64 addr;
		struct { s32 pid; u32 uid; u64 value; };
		struct { u64 call_addr; s32 syscall; u32 arch; };
		u8 raw[112];
	};
};
_Static_assert(sizeof(struct rt_siginfo) == 128, "SI_MAX_SIZE");

struct a64_ctx { u32 magic, size; };
#define A64_FPSIMD_MAGIC 0x46508001u
#define A64_ESR_MAGIC 0x45535201u
#define A64_EXTRA_MAGIC 0x45585401u

struct a64_fpsimd_context {
	struct a64_ctx head;
	u32 fpsr, fpcr;
	v128 v[32];
};
_Static_assert(sizeof(struct a64_fpsimd_context) == 0x210, "arch/arm64 sigcontext.h");

struct a64_esr_context {
	struct a64_ctx head;
	u64 esr;
};

struct a64_extra_context {
	struct a64_ctx head;
	u64 datap;
	u32 size, reserved[3];
};

struct a64_sigcontext {
	u64 fault_address;
	u64 regs[31];
	u64 sp, pc, pstate;
} __attribute__((aligned(16)));	/* then the records: A64_SIGCONTEXT_RECORDS bytes are always there */
#define A64_SIGCONTEXT_RECORDS 4096
_Static_assert(sizeof(struct a64_sigcontext) == 288, "arch/arm64 sigcontext.h");

struct a64_ucontext {
	u64 flags, link;
	struct a64_stack stack;
	u64 sigmask;
	u8 unused[1024 / 8 - sizeof(u64)];
	struct a64_sigcontext mcontext;
};
_Static_assert(offsetof(struct a64_ucontext, mcontext) == 176, "arch/arm64 ucontext.h");

struct a64_rt_sigframe {
	struct rt_siginfo info;
	struct a64_ucontext uc;
};
_Static_assert(sizeof(struct a64_rt_sigframe) + A64_SIGCONTEXT_RECORDS == 4688, "arch/arm64 signal.c");

struct a64_frame_record { u64 fp, lr; };

/* pstate bits that a signal frame may hold: NZCV, and bits that a program must not have set there. */
#define A64_PSTATE_NZCV 0xf0000000ull
#define A64_PSTATE_PRIVILEGED 0x3dfull	/* mode, AArch32, DAIF */

/* ESR values for the esr record of a fault: exception class, IL, WnR, fault status (Arm ARM D24.2.37). */
#define A64_ESR_DATA_ABORT (0x24u << 26 | 1u << 25)
#define A64_ESR_INSN_ABORT (0x20u << 26 | 1u << 25)
#define A64_ESR_WNR (1u << 6)
#define A64_ESR_TRANSLATION 0x07u
#define A64_ESR_PERMISSION 0x0fu
#define A64_ESR_ALIGNMENT 0x21u

#endif
