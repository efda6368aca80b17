/* base/rng.h - xoshiro256** (Blackman, Vigna): fast, seedable, not for secrets. Simulated links and tests use it. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/defs.h"

struct rng {
	uint64_t s[4];
};
/* Any seed will do: it is stretched by splitmix64. */
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n), without bias; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* True with probability ppb / 10^9. */
bool rng_chance(struct rng *r, uint32_t ppb);
#endif
