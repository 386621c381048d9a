// SPDX-License-Identifier: MIT
/* Products of 4 x 4 float matrices, as in graphics: multiply-add by a lane. */
#include "kernel.h"

#define MATRICES 64

static float m[MATRICES][16], result[16];

#ifdef __aarch64__
#include <arm_neon.h>

static void multiply(float *r, const float *a, const float *b)
{
	float32x4_t c0 = vld1q_f32(a), c1 = vld1q_f32(a + 4), c2 = vld1q_f32(a + 8), c3 = vld1q_f32(a + 12);

	for (int i = 0; i < 16; i += 4) {
		float32x4_t v = vld1q_f32(b + i), s = vmulq_laneq_f32(c0, v, 0);

		s = vfmaq_laneq_f32(s, c1, v, 1);
		s = vfmaq_laneq_f32(s, c2, v, 2);
		s = vfmaq_laneq_f32(s, c3, v, 3);
		vst1q_f32(r + i, s);
	}
}
#else
#include <emmintrin.h>

static void multiply(float *r, const float *a, const float *b)
{
	__m128 c0 = _mm_loadu_ps(a), c1 = _mm_loadu_ps(a + 4), c2 = _mm_loadu_ps(a + 8), c3 = _mm_loadu_ps(a + 12);

	for (int i = 0; i < 16; i += 4) {
		__m128 s = _mm_mul_ps(c0, _mm_set1_ps(b[i]));

		s = _mm_add_ps(s, _mm_mul_ps(c1, _mm_set1_ps(b[i + 1])));
		s = _mm_add_ps(s, _mm_mul_ps(c2, _mm_set1_ps(b[i + 2])));
		s = _mm_add_ps(s, _mm_mul_ps(c3, _mm_set1_ps(b[i + 3])));
		_mm_storeu_ps(r + i, s);
	}
}
#endif

void kernel(long n)
{
	uint32_t seed = 67;

	for (int i = 0; i < MATRICES; i++)
		for (int j = 0; j < 16; j++)
			m[i][j] = (j % 5 == 0) + (float)(next_random(&seed) & 255) * (1.0f / 4096) - 0.03f;
	while (n--) {
		for (int i = 0; i < 16; i++)
			result[i] = i % 5 == 0;
		for (int i = 0; i < MATRICES; i++) {
			float t[16];

			multiply(t, m[i], result);
			for (int j = 0; j < 16; j++)
				result[j] = t[j] * 0.98f;
		}
		m[n % MATRICES][n % 16] *= 0.9999f;
	}
	for (int i = 0; i < 16; i++)
		value(result[i] + 4.0);
}
