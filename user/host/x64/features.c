// SPDX-License-Identifier: MIT
/*
 * What the host CPU can do: CPUID and XGETBV in, HOST_* bits out; and the named classes that code objects are made for.
 */
#include "codegen/host.h"

struct regs {
	u32 a, b, c, d;
};

static struct regs cpuid(u32 leaf, u32 sub)
{
	struct regs r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
	return r;
}

/* The register states that the kernel saves. */
static u64 xgetbv(void)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (u64)hi << 32 | lo;
}

#define CLASS_V3 (HOST_AVX | HOST_AVX2 | HOST_FMA | HOST_BMI | HOST_F16C)
#define CLASS_V4 (CLASS_V3 | HOST_AVX512)

static bool all(u32 word, u32 bits)
{
	return (word & bits) == bits;
}

static u64 avx_features(const struct regs *l1, const struct regs *l7, u32 ext_c, bool avx512_state)
{
	u64 f = HOST_AVX;

	if (l7->b & BIT(5))
		f |= HOST_AVX2;
	if (l1->c & BIT(12))
		f |= HOST_FMA;
	if (l1->c & BIT(29))
		f |= HOST_F16C;
	if (all(l7->b, BIT(3) | BIT(8)) && (ext_c & BIT(5)))
		f |= HOST_BMI;
	if ((f & CLASS_V3) != CLASS_V3 || !avx512_state)
		return f;
	/* F, DQ, CD, BW, VL */
	if (!all(l7->b, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)))
		return f;
	f |= HOST_AVX512;
	if (l7->d & BIT(23))
		f |= HOST_AVX512FP16;
	if (l7->c & BIT(1))
		f |= HOST_VBMI;
	if (all(l7->c, BIT(12) | BIT(14)))
		f |= HOST_BITALG;
	if (l7->c & BIT(11))
		f |= HOST_VNNI;
	return f;
}

u64 x64_host_features(void)
{
	struct regs l0 = cpuid(0, 0), l1 = cpuid(1, 0), l7 = { 0 };
	u32 ext_c = 0;
	u64 f = 0;

	if (l0.a >= 7)
		l7 = cpuid(7, 0);
	if (cpuid(0x80000000u, 0).a >= 0x80000001u)
		ext_c = cpuid(0x80000001u, 0).c;
	if (l1.c & BIT(25))
		f |= HOST_AES;
	if (l1.c & BIT(1))
		f |= HOST_PCLMUL;
	if (l7.b & BIT(29))
		f |= HOST_SHA;
	if (l7.c & BIT(8))
		f |= HOST_GFNI;
	if (l7.d & BIT(4))
		f |= HOST_FSRM;
	if (all(l1.c, BIT(27) | BIT(28))) {
		u64 xcr = xgetbv();

		if ((xcr & 6) == 6)
			f |= avx_features(&l1, &l7, ext_c, (xcr & 0xe6) == 0xe6);
	}
	return f;
}

u64 x64_class_features(const char *name)
{
	static const struct {
		char name[8];
		u64 features;
	} classes[] = {
		/* v2 has no bit of its own: SSE4.2 and POPCNT are always assumed. AES and PCLMUL: all v3 CPUs. */
		{ "v2", HOST_PCLMUL | HOST_AES },
		{ "v3", CLASS_V3 | HOST_PCLMUL | HOST_AES },
		{ "v4", CLASS_V4 | HOST_PCLMUL | HOST_AES },
		{ "v4fp16", CLASS_V4 | HOST_PCLMUL | HOST_AES | HOST_AVX512FP16 | HOST_SHA | HOST_GFNI | HOST_VBMI |
			    HOST_BITALG | HOST_VNNI },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
		const char *a = name, *b = classes[i].name;

		while (*a && *a == *b)
			a++, b++;
		if (*a == *b)
			return classes[i].features;
	}
	return 0;
}
