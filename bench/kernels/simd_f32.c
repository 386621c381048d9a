// SPDX-License-Identifier: MIT
/* Vector intrinsics on floats, as audio and picture code has them: polynomial, clamp, select, sum. */
#include "kernel.h"

#define ITEMS 4096

static float in[ITEMS], out[ITEMS];

#ifdef __aarch64__
#include <arm_neon.h>

static void evaluate(void)
{
	const float32x4_t c0 = vdupq_n_f32(0.5f), c1 = vdupq_n_f32(-0.25f), c2 = vdupq_n_f32(0.125f);
	const float32x4_t low = vdupq_n_f32(-0.75f), high = vdupq_n_f32(0.75f);

	for (int i = 0; i < ITEMS; i += 4) {
		float32x4_t x = vld1q_f32(in + i);
		float32x4_t p = vmlaq_f32(c1, x, c2);
		uint32x4_t negative;

		p = vmlaq_f32(c0, p, x);
		p = vmulq_f32(p, x);
		p = vminq_f32(vmaxq_f32(p, low), high);
		negative = vcltq_f32(x, vdupq_n_f32(0));
		p = vbslq_f32(negative, vnegq_f32(p), p);
		vst1q_f32(out + i, vaddq_f32(p, vmulq_f32(vld1q_f32(out + i), c0)));
	}
}
#else
#include <emmintrin.h>

static void evaluate(void)
{
	const __m128 c0 = _mm_set1_ps(0.5f), c1 = _mm_set1_ps(-0.25f), c2 = _mm_set1_ps(0.125f);
	const __m128 low = _mm_set1_ps(-0.75f), high = _mm_set1_ps(0.75f), sign = _mm_set1_ps(-0.0f);

	for (int i = 0; i < ITEMS; i += 4) {
		__m128 x = _mm_loadu_ps(in + i);
		__m128 p = _mm_add_ps(c1, _mm_mul_ps(x, c2));

		p = _mm_add_ps(c0, _mm_mul_ps(p, x));
		p = _mm_mul_ps(p, x);
		p = _mm_min_ps(_mm_max_ps(p, low), high);
		p = _mm_xor_ps(p, _mm_and_ps(_mm_cmplt_ps(x, _mm_setzero_ps()), sign));
		_mm_storeu_ps(out + i, _mm_add_ps(p, _mm_mul_ps(_mm_loadu_ps(out + i), c0)));
	}
}
#endif

void kernel(long n)
{
	for (int i = 0; i < ITEMS; i++)
		in[i] = (i - ITEMS / 2) * (1.0f / 1024);
	while (n--)
		evaluate();
	for (int i = 0; i < ITEMS; i += 63)
		value(out[i]);
}
