/* viaduct/types.h - plain values every room above base speaks: addresses, endpoints, byte spans.
 *
 * One address type for both families: 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), and a scope id that tells
 * link-local addresses of different interfaces apart (RFC 4007). So nothing above net/ has a v4 and a v6 twin. */
#ifndef VIADUCT_TYPES_H
#define VIADUCT_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VIA_API __attribute__((visibility("default")))

struct via; /* one stack: a host or a router */

struct via_addr {
	uint8_t b[16];
	uint32_t scope; /* interface index for link-local addresses, else 0 */
};

struct via_sockaddr {
	struct via_addr addr;
	uint16_t port; /* host byte order */
};

/* A writable or readable span of bytes. Borrowed; the call that gave it says for how long. */
struct via_iov {
	void *base;
	uint32_t len;
};

/* a: address in host byte order, 10.1.0.1 is 0x0a010001. */
static inline struct via_addr via_addr_v4(uint32_t a)
{
	return (struct via_addr){.b = {[10] = 0xff, [11] = 0xff, (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a}};
}

static inline bool via_addr_is_v4(const struct via_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(a->b, mapped, 12) == 0;
}

/* The IPv4 address in host byte order; only for addresses via_addr_is_v4() holds for. */
static inline uint32_t via_addr_to_v4(const struct via_addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
}

static inline bool via_addr_eq(const struct via_addr *a, const struct via_addr *b)
{
	return memcmp(a->b, b->b, 16) == 0 && a->scope == b->scope;
}

/* :: or 0.0.0.0 */
static inline bool via_addr_is_any(const struct via_addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->b, zero, 16) == 0 || (via_addr_is_v4(a) && via_addr_to_v4(a) == 0);
}

static inline bool via_addr_is_loopback(const struct via_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};
	return (via_addr_is_v4(a) && a->b[12] == 127) || memcmp(a->b, one, 16) == 0;
}

static inline bool via_addr_is_multicast(const struct via_addr *a)
{
	return via_addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

#define VIA_ADDR_STRLEN 64

/* Text to address ("10.0.0.1", "2001:db8::1", "fe80::1%2" with the scope in digits). 0, or -EINVAL. `len` bytes of `text`, no
 * terminator needed. */
VIA_API int via_addr_parse(const char *text, size_t len, struct via_addr *out);
/* Address to text, always terminated. Returns `buf`, which holds VIA_ADDR_STRLEN bytes. */
VIA_API char *via_addr_format(const struct via_addr *a, char buf[VIA_ADDR_STRLEN]);

#endif
