/* base/csum.h - the Internet checksum (RFC 1071): fast, in parts, fused with a copy, and incremental (RFC 1624 eq. 3).
 * A sum is an unfolded 64-bit one's-complement accumulator of 16-bit words in memory order as big-endian values. */
#ifndef BASE_CSUM_H
#define BASE_CSUM_H

#include "base/bytes.h"

/* Add `len` bytes that begin at an even offset of the summed text. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);
/* The same for bytes that begin at an odd offset. */
uint64_t csum_add_odd(uint64_t sum, const void *data, size_t len);
/* memcpy and csum_add in one pass. */
uint64_t csum_copy(uint64_t sum, void *dst, const void *src, size_t len);
/* Fold to 16 bits, not complemented, host value of the big-endian field. */
uint16_t csum_fold(uint64_t sum);
/* The field's value for a finished sum: ~fold. */
static inline uint16_t csum_field(uint64_t sum) { return (uint16_t)~csum_fold(sum); }
/* Checksum field `field` after a 16-bit word of the text changed from `from` to `to` (RFC 1624 eq. 3). */
uint16_t csum_update(uint16_t field, uint16_t from, uint16_t to);

#endif
