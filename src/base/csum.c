/* base/csum.c - the Internet checksum.
 *
 * One's-complement sums do not care for byte order (RFC 1071 section 2B): text is added as machine words, 64 bits at a
 * time with their halves kept apart so that no carry is lost, and the folded result is swapped once at the end. A block
 * at an odd offset is the same sum swapped once more. */
#include "base/csum.h"

static uint64_t load64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t swap16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }

static uint16_t from_machine(uint16_t folded)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return swap16(folded);
#else
	return folded;
#endif
}

/* The last 0 to 7 bytes, as a machine word filled up with zeros. */
static uint64_t load_tail(const uint8_t *p, size_t len)
{
	uint64_t w = 0;

	memcpy(&w, p, len);
	return w;
}

static uint16_t sum16(const uint8_t *p, size_t len)
{
	uint64_t a = 0, b = 0;

	for (; len >= 32; len -= 32, p += 32) {
		uint64_t w0 = load64(p), w1 = load64(p + 8), w2 = load64(p + 16), w3 = load64(p + 24);
		a += (w0 & 0xffffffff) + (w1 & 0xffffffff) + (w2 & 0xffffffff) + (w3 & 0xffffffff);
		b += (w0 >> 32) + (w1 >> 32) + (w2 >> 32) + (w3 >> 32);
	}
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t w = load64(p);
		a += w & 0xffffffff;
		b += w >> 32;
	}
	if (len) {
		uint64_t w = load_tail(p, len);
		a += w & 0xffffffff;
		b += w >> 32;
	}
	return from_machine(csum_fold((uint64_t)csum_fold(a) + csum_fold(b)));
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len) { return len ? sum + sum16(data, len) : sum; }
uint64_t csum_add_odd(uint64_t sum, const void *data, size_t len) { return len ? sum + swap16(sum16(data, len)) : sum; }

uint64_t csum_copy(uint64_t sum, void *dst, const void *src, size_t len)
{
	const uint8_t *p = src;
	uint8_t *d = dst;
	uint64_t a = 0, b = 0;

	if (!len)
		return sum;
	for (; len >= 8; len -= 8, p += 8, d += 8) {
		uint64_t w = load64(p);
		memcpy(d, &w, sizeof(w));
		a += w & 0xffffffff;
		b += w >> 32;
	}
	if (len) {
		uint64_t w = load_tail(p, len);
		memcpy(d, &w, len);
		a += w & 0xffffffff;
		b += w >> 32;
	}
	return sum + from_machine(csum_fold((uint64_t)csum_fold(a) + csum_fold(b)));
}

uint16_t csum_update(uint16_t field, uint16_t from, uint16_t to)
{
	uint32_t sum = (uint32_t)(uint16_t)~field + (uint16_t)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
