// SPDX-License-Identifier: MIT
/* CRC-32 by table: a load that depends on the one before, shifts and byte access. */
#include "kernel.h"

void kernel(long n)
{
	static uint32_t table[256];
	static uint8_t data[4096];
	uint32_t crc = ~0u, seed = 5;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = next_random(&seed);
	while (n--)
		for (size_t i = 0; i < sizeof(data); i++)
			crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
	sum(crc);
}
