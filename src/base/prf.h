/* base/prf.h - SipHash-1-3 and -2-4 (Aumasson, Bernstein), inline, and keyed functions per purpose.
 *
 * 1-3 for hash tables, 2-4 where an outsider sees the result (sequence numbers, ports, ids). Each purpose has a key of
 * its own derived from the stack's seed, so that one leaked function tells nothing about another (HARD-12). */
#ifndef BASE_PRF_H
#define BASE_PRF_H

#include "base/defs.h"

struct prf_key {
	uint64_t k0, k1;
};

/* Key for `purpose` (a short word) from a 32-byte seed. */
struct prf_key prf_derive(const uint8_t seed[32], const char *purpose);

#define SIP_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static inline void sip_rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1], v[1] = SIP_ROTL(v[1], 13) ^ v[0], v[0] = SIP_ROTL(v[0], 32);
		v[2] += v[3], v[3] = SIP_ROTL(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = SIP_ROTL(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = SIP_ROTL(v[1], 17) ^ v[2], v[2] = SIP_ROTL(v[2], 32);
	}
}

static inline uint64_t sip_le64(const uint8_t *p, size_t n)
{
	uint64_t w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

/* c rounds per word, d at the end; both are constants where it is inlined. */
static inline uint64_t siphash(struct prf_key k, const void *data, size_t len, int c, int d)
{
	const uint8_t *p = data;
	uint64_t v[4] = {k.k0 ^ UINT64_C(0x736f6d6570736575), k.k1 ^ UINT64_C(0x646f72616e646f6d),
	                 k.k0 ^ UINT64_C(0x6c7967656e657261), k.k1 ^ UINT64_C(0x7465646279746573)};
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t w;
		memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
		w = __builtin_bswap64(w);
#endif
		v[3] ^= w;
		sip_rounds(v, c);
		v[0] ^= w;
	}
	last |= sip_le64(p, len);
	v[3] ^= last;
	sip_rounds(v, c);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t siphash_1_3(struct prf_key k, const void *data, size_t len) { return siphash(k, data, len, 1, 3); }
static inline uint64_t siphash_2_4(struct prf_key k, const void *data, size_t len) { return siphash(k, data, len, 2, 4); }

/* An unpredictable sequence: siphash_2_4(key, counter++). */
struct prf_stream {
	struct prf_key key;
	uint64_t counter;
};
uint64_t prf_next(struct prf_stream *s);

#endif
