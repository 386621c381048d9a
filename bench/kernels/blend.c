// SPDX-License-Identifier: MIT
/* Alpha blending of bytes: widen, multiply, round, narrow with saturation, interleaved loads. */
#include "kernel.h"

#define PIXELS 4096

static uint8_t top[PIXELS * 4], bottom[PIXELS * 4], out[PIXELS * 4];

#ifdef __aarch64__
#include <arm_neon.h>

static void blend(void)
{
	for (int i = 0; i < PIXELS * 4; i += 32) {
		uint8x8x4_t a = vld4_u8(top + i), b = vld4_u8(bottom + i);
		uint8x8_t keep = vmvn_u8(a.val[3]);

		for (int c = 0; c < 4; c++) {
			uint16x8_t t = vmull_u8(b.val[c], keep);

			t = vrsraq_n_u16(t, t, 8);
			b.val[c] = vqadd_u8(a.val[c], vrshrn_n_u16(t, 8));
		}
		vst4_u8(out + i, b);
	}
}
#else
#include <emmintrin.h>

static __m128i scale(__m128i colour, __m128i pixel)
{
	const __m128i half = _mm_set1_epi16(128);
	__m128i alpha = _mm_shufflehi_epi16(_mm_shufflelo_epi16(pixel, 0xff), 0xff), t;

	t = _mm_mullo_epi16(colour, _mm_xor_si128(alpha, _mm_set1_epi16(255)));
	t = _mm_add_epi16(t, _mm_srli_epi16(_mm_add_epi16(t, half), 8));
	return _mm_srli_epi16(_mm_add_epi16(t, half), 8);
}

static void blend(void)
{
	const __m128i zero = _mm_setzero_si128();

	for (int i = 0; i < PIXELS * 4; i += 16) {
		__m128i a = _mm_loadu_si128((const __m128i *)(top + i)), b = _mm_loadu_si128((const __m128i *)(bottom + i));
		__m128i low = scale(_mm_unpacklo_epi8(b, zero), _mm_unpacklo_epi8(a, zero));
		__m128i high = scale(_mm_unpackhi_epi8(b, zero), _mm_unpackhi_epi8(a, zero));

		_mm_storeu_si128((__m128i *)(out + i), _mm_adds_epu8(a, _mm_packus_epi16(low, high)));
	}
}
#endif

void kernel(long n)
{
	uint32_t seed = 71;

	for (int i = 0; i < PIXELS * 4; i++)
		top[i] = next_random(&seed), bottom[i] = next_random(&seed);
	while (n--) {
		blend();
		bottom[n % (PIXELS * 4)] ^= out[n % 1000];
	}
	for (int i = 0; i < PIXELS * 4; i += 33)
		sum(out[i]);
}
