// SPDX-License-Identifier: MIT
/* Dot products of 16-bit integers: widening multiply-accumulate, sum across. */
#include "kernel.h"

#define ITEMS 2048

static int16_t a[ITEMS], b[ITEMS];

#ifdef __aarch64__
#include <arm_neon.h>

static int32_t dot(void)
{
	int32x4_t s = vdupq_n_s32(0), t = vdupq_n_s32(0);

	for (int i = 0; i < ITEMS; i += 8) {
		int16x8_t p = vld1q_s16(a + i), q = vld1q_s16(b + i);

		s = vmlal_s16(s, vget_low_s16(p), vget_low_s16(q));
		t = vmlal_high_s16(t, p, q);
	}
	return vaddvq_s32(vaddq_s32(s, t));
}
#else
#include <emmintrin.h>

static int32_t dot(void)
{
	__m128i s = _mm_setzero_si128();

	for (int i = 0; i < ITEMS; i += 8)
		s = _mm_add_epi32(s, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(a + i)),
						    _mm_loadu_si128((const __m128i *)(b + i))));
	s = _mm_add_epi32(s, _mm_srli_si128(s, 8));
	return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_srli_si128(s, 4)));
}
#endif

void kernel(long n)
{
	uint32_t seed = 61;
	uint64_t total = 0;

	for (int i = 0; i < ITEMS; i++)
		a[i] = next_random(&seed) & 1023, b[i] = (next_random(&seed) & 1023) - 512;
	while (n--) {
		total += dot();
		a[n % ITEMS] ^= 1;
	}
	sum(total);
}
