/* base/rng.c - xoshiro256** 1.0 and splitmix64, after Blackman and Vigna's papers. */
#include "base/rng.h"

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ z >> 31;
	}
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	ASSERT(n > 0);
	uint64_t skip = (0 - n) % n, x; /* 2^64 mod n: as many values at the bottom are one too many */

	do
		x = rng_u64(r);
	while (x < skip);
	return x % n;
}

bool rng_chance(struct rng *r, uint32_t ppb) { return rng_below(r, 1000000000) < ppb; }
