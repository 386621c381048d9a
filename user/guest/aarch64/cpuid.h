/* SPDX-License-Identifier: MIT */
/*
 * The CPU that guests see: system register numbers, the values of ID registers as Linux shows them to user space
 * (Documentation/arch/arm64/cpu-feature-registers.rst: hidden fields have their safe values), and AT_HWCAP. All three
 * say the same; what they announce is what insns.decode knows and the lifters implement.
 */
#ifndef GUEST_AARCH64_CPUID_H
#define GUEST_AARCH64_CPUID_H

#include "base/types.h"

/* As in a64_insn.imm of MRS and MSR: op0:op1:CRn:CRm:op2. */
#define A64_SYSREG(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

#define A64_NZCV A64_SYSREG(3, 3, 4, 2, 0)
#define A64_FPCR A64_SYSREG(3, 3, 4, 4, 0)
#define A64_FPSR A64_SYSREG(3, 3, 4, 4, 1)
#define A64_TPIDR_EL0 A64_SYSREG(3, 3, 13, 0, 2)
#define A64_TPIDRRO_EL0 A64_SYSREG(3, 3, 13, 0, 3)
#define A64_CTR_EL0 A64_SYSREG(3, 3, 0, 0, 1)
#define A64_DCZID_EL0 A64_SYSREG(3, 3, 0, 0, 7)
#define A64_CNTFRQ_EL0 A64_SYSREG(3, 3, 14, 0, 0)
#define A64_CNTVCT_EL0 A64_SYSREG(3, 3, 14, 0, 2)
#define A64_CNTVCTSS_EL0 A64_SYSREG(3, 3, 14, 0, 6)

/* Identification: an Arm Neoverse N1 r3p1, so that libraries choose what suits a wide out-of-order machine. */
#define A64_MIDR 0x413fd0c1ull
#define A64_MPIDR BIT(31)		/* Linux shows no topology to user space */
/* 64-byte lines, PIPT; IDC and DIC clear: code that is written must be announced with IC IVAU. */
#define A64_CTR 0x8444c004ull
#define A64_DCZID 4			/* DC ZVA clears 4 << 4 bytes; not prohibited */
#define A64_ZVA_BYTES 64
#define A64_CNTFRQ 1000000000ull	/* the counter counts nanoseconds */

/* ID registers; what is not here is 0. */
#define A64_ID_AA64PFR0 (0x11ull | 1ull << 16 | 1ull << 20)	/* EL1, EL0: AArch64; FP and AdvSIMD with FP16 */
#define A64_ID_AA64DFR0 0x6ull
#define A64_ID_AA64ISAR0 (2ull << 4	/* AES, PMULL */					\
			  | 1ull << 8	/* SHA1 */						\
			  | 1ull << 12	/* SHA2: SHA256 */					\
			  | 1ull << 16	/* CRC32 */						\
			  | 2ull << 20	/* Atomic: LSE */					\
			  | 1ull << 28	/* RDM */						\
			  | 1ull << 44	/* DP */						\
			  | 1ull << 52)	/* TS: FlagM */
#define A64_ID_AA64ISAR1 (1ull << 0	/* DPB: DC CVAP */					\
			  | 1ull << 12	/* JSCVT */						\
			  | 1ull << 16	/* FCMA */						\
			  | 2ull << 20	/* LRCPC: LDAPR, LDAPUR */				\
			  | 1ull << 36)	/* SB */
#define A64_ID_AA64MMFR0 0xff000000ull	/* granules: hidden */

/* AT_HWCAP, with Linux's bit numbers (uapi asm/hwcap.h). */
#define A64_HWCAP_FP BIT(0)
#define A64_HWCAP_ASIMD BIT(1)
#define A64_HWCAP_AES BIT(3)
#define A64_HWCAP_PMULL BIT(4)
#define A64_HWCAP_SHA1 BIT(5)
#define A64_HWCAP_SHA2 BIT(6)
#define A64_HWCAP_CRC32 BIT(7)
#define A64_HWCAP_ATOMICS BIT(8)
#define A64_HWCAP_FPHP BIT(9)
#define A64_HWCAP_ASIMDHP BIT(10)
#define A64_HWCAP_CPUID BIT(11)
#define A64_HWCAP_ASIMDRDM BIT(12)
#define A64_HWCAP_JSCVT BIT(13)
#define A64_HWCAP_FCMA BIT(14)
#define A64_HWCAP_LRCPC BIT(15)
#define A64_HWCAP_DCPOP BIT(16)
#define A64_HWCAP_ASIMDDP BIT(20)
#define A64_HWCAP_ILRCPC BIT(26)
#define A64_HWCAP_FLAGM BIT(27)
#define A64_HWCAP_SB BIT(29)

/* No EVTSTRM: WFE gives the CPU away, nothing wakes it periodically. */
static inline u64 a64_hwcap(void)
{
	return A64_HWCAP_FP | A64_HWCAP_ASIMD | A64_HWCAP_AES | A64_HWCAP_PMULL | A64_HWCAP_SHA1 | A64_HWCAP_SHA2 |
	       A64_HWCAP_CRC32 | A64_HWCAP_ATOMICS | A64_HWCAP_FPHP | A64_HWCAP_ASIMDHP | A64_HWCAP_CPUID |
	       A64_HWCAP_ASIMDRDM | A64_HWCAP_JSCVT | A64_HWCAP_FCMA | A64_HWCAP_LRCPC | A64_HWCAP_DCPOP |
	       A64_HWCAP_ASIMDDP | A64_HWCAP_ILRCPC | A64_HWCAP_FLAGM | A64_HWCAP_SB;
}

static inline u64 a64_hwcap2(void)
{
	return 0;
}

/* The names of /proc/cpuinfo's "Features" line, in Linux's order. */
#define A64_CPUINFO_FEATURES "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc " \
			     "dcpop asimddp ilrcpc flagm sb"

/*
 * Reads of constant system registers, as Linux answers them at EL0: true and the value, or false where it sends SIGILL.
 * reg as A64_SYSREG makes it.
 */
bool a64_cpuid_read(u32 reg, u64 *value);

#endif
