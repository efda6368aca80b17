/* base/prf.c - keys per purpose, and the keyed sequence.
 *
 * The first half of the seed keys a SipHash-2-4 over (second half, purpose, index): whoever learns one derived key must
 * invert it to learn another. SipHash is a PRF with a 128-bit key; this is not meant for encryption. */
#include "base/prf.h"

#define PURPOSE_MAX 32

struct prf_key prf_derive(const uint8_t seed[32], const char *purpose)
{
	struct prf_key root = {sip_le64(seed, 8), sip_le64(seed + 8, 8)}, out;
	uint8_t text[16 + PURPOSE_MAX + 1] = {0};
	size_t len = strlen(purpose);

	ASSERT(len <= PURPOSE_MAX);
	len = MIN(len, (size_t)PURPOSE_MAX);
	memcpy(text, seed + 16, 16);
	memcpy(text + 16, purpose, len);
	out.k0 = siphash_2_4(root, text, sizeof(text));
	text[sizeof(text) - 1] = 1;
	out.k1 = siphash_2_4(root, text, sizeof(text));
	return out;
}

uint64_t prf_next(struct prf_stream *s)
{
	uint8_t text[8];

	for (int i = 0; i < 8; i++)
		text[i] = (uint8_t)(s->counter >> (8 * i));
	s->counter++;
	return siphash_2_4(s->key, text, sizeof(text));
}
