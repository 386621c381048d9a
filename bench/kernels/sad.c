// SPDX-License-Identifier: MIT
/* Sums of absolute differences of 16 x 16 bytes, as in video encoders: widening byte arithmetic. */
#include "kernel.h"

#define STRIDE 128

static uint8_t picture[STRIDE * STRIDE], reference[STRIDE * STRIDE];

#ifdef __aarch64__
#include <arm_neon.h>

static uint32_t sad(const uint8_t *a, const uint8_t *b)
{
	uint16x8_t low = vdupq_n_u16(0), high = vdupq_n_u16(0);

	for (int y = 0; y < 16; y++) {
		uint8x16_t p = vld1q_u8(a + y * STRIDE), q = vld1q_u8(b + y * STRIDE);

		low = vabal_u8(low, vget_low_u8(p), vget_low_u8(q));
		high = vabal_high_u8(high, p, q);
	}
	return vaddlvq_u16(vaddq_u16(low, high));
}
#else
#include <emmintrin.h>

static uint32_t sad(const uint8_t *a, const uint8_t *b)
{
	__m128i s = _mm_setzero_si128();

	for (int y = 0; y < 16; y++)
		s = _mm_add_epi64(s, _mm_sad_epu8(_mm_loadu_si128((const __m128i *)(a + y * STRIDE)),
						  _mm_loadu_si128((const __m128i *)(b + y * STRIDE))));
	return _mm_cvtsi128_si32(s) + _mm_cvtsi128_si32(_mm_srli_si128(s, 8));
}
#endif

void kernel(long n)
{
	uint32_t seed = 59, best = ~0u;
	uint64_t total = 0;

	for (int i = 0; i < STRIDE * STRIDE; i++) {
		picture[i] = next_random(&seed);
		reference[i] = picture[i] + (next_random(&seed) & 7);
	}
	while (n--) {
		for (int y = 0; y < 32; y++) {
			for (int x = 0; x < 32; x++) {
				uint32_t s = sad(picture + 40 * STRIDE + 40 + n % 8, reference + (y + 24) * STRIDE + x + 24);

				best = s < best ? s : best;
				total += s;
			}
		}
	}
	sum(best), sum(total);
}
