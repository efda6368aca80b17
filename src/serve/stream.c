/* serve/stream.c - the checkable byte stream of serve/bulk: byte i of stream `seed` is byte i mod 8 of a mixed word.
 *
 * Words are splitmix64's (Steele, Lea, Flood): the finalizer over seed plus a multiple of the golden ratio, so any offset
 * is reached at once and neighbouring seeds give unrelated streams. */
#include "serve/bulk.h"

static uint64_t stream_word(uint64_t seed, uint64_t k)
{
	uint64_t z = seed + (k + 1) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint8_t stream_byte(uint64_t seed, uint64_t i)
{
	return (uint8_t)(stream_word(seed, i / 8) >> (i % 8 * 8));
}

void bulk_fill(uint64_t seed, uint64_t offset, void *out, size_t n)
{
	uint8_t *p = out;
	while (n > 0) {
		if (offset % 8 == 0 && n >= 8) {
			uint64_t w = stream_word(seed, offset / 8);
			for (unsigned i = 0; i < 8; i++)
				p[i] = (uint8_t)(w >> (8 * i));
			p += 8, n -= 8, offset += 8;
		} else {
			*p++ = stream_byte(seed, offset++);
			n--;
		}
	}
}

size_t bulk_diff(uint64_t seed, uint64_t offset, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t at = 0; at < n;) {
		uint8_t want[512];
		size_t k = MIN(n - at, sizeof(want));
		bulk_fill(seed, offset + at, want, k);
		if (memcmp(want, p + at, k) != 0) {
			for (size_t i = 0; i < k; i++)
				if (want[i] != p[at + i])
					return at + i;
		}
		at += k;
	}
	return n;
}
