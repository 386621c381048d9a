// SPDX-License-Identifier: MIT
/* Reads of identification registers. In: the register's number; out: the value that Linux gives to user space. */
#include "guest/aarch64/cpuid.h"

static bool id_register(unsigned crm, unsigned op2, u64 *value)
{
	static const struct { u8 crm, op2; u64 value; } id[] = {
		{ 0, 0, A64_MIDR },
		{ 0, 5, A64_MPIDR },
		{ 0, 6, 0 },			/* REVIDR */
		{ 4, 0, A64_ID_AA64PFR0 },
		{ 5, 0, A64_ID_AA64DFR0 },
		{ 6, 0, A64_ID_AA64ISAR0 },
		{ 6, 1, A64_ID_AA64ISAR1 },
		{ 7, 0, A64_ID_AA64MMFR0 },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(id); n++) {
		if (id[n].crm == crm && id[n].op2 == op2) {
			*value = id[n].value;
			return true;
		}
	}
	*value = 0;			/* CRm 4..7: not tracked or not there: reads as zero. CRm 1..3 are AArch32's: not shown */
	return crm >= 4 && crm <= 7;
}

bool a64_cpuid_read(u32 reg, u64 *value)
{
	if ((reg & ~0x7fu) == A64_SYSREG(3, 0, 0, 0, 0))
		return id_register(reg >> 3 & 15, reg & 7, value);
	switch (reg) {
	case A64_CTR_EL0:
		*value = A64_CTR;
		return true;
	case A64_DCZID_EL0:
		*value = A64_DCZID;
		return true;
	case A64_CNTFRQ_EL0:
		*value = A64_CNTFRQ;
		return true;
	case A64_TPIDRRO_EL0:
		*value = 0;
		return true;
	}
	return false;
}
