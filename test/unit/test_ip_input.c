/* What an arriving IPv4 packet must be, and which addresses may come this way; the address table; forwarding's checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "net/addrs.h"
#include "net/forward.h"
#include "net/ip_input.h"
#include "base/csum.h"
#include "wire/eth.h"
#include "region.h"

static struct pktmem mem;
static void *home;

static int setup(void **state)
{
	home = aligned_alloc(ARENA_PAGE_SIZE, 32 * ARENA_PAGE_SIZE);
	memset(home, 0, 32 * ARENA_PAGE_SIZE);
	return pktmem_init(&mem, home, 32 * ARENA_PAGE_SIZE);
}

static int teardown(void **state)
{
	assert_int_equal(pktmem_pkts_used(&mem), 0);
	pktmem_fini(&mem);
	free(home);
	return 0;
}

static struct pkt *packet(uint8_t *bytes, uint32_t n)
{
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	assert_int_equal(pkt_append(&mem, p, bytes, n), 0);
	return p;
}

static uint32_t plain(uint8_t *bytes, uint32_t body)
{
	struct ip4_hdr h = {.ttl = 64, .proto = 17, .src = 0x0a000001, .dst = 0x0a000002, .total_len = (uint16_t)(20 + body)};
	memset(bytes, 0xee, 100);
	ip4_emit(bytes, &h);
	return 20 + body;
}

static enum drop verdict(uint8_t *bytes, uint32_t n)
{
	struct ip_hdr h;
	struct pkt *p = packet(bytes, n);
	enum drop d = ip_input(&mem, p, ETHERTYPE_IP4, 0, &h);
	pkt_free(&mem, p);
	return d;
}

static void fix(uint8_t *b, uint32_t hlen)
{
	put_be16(b + 10, 0);
	put_be16(b + 10, csum_field(csum_add(0, b, hlen)));
}

static void req_IP4_001__malformed_headers(void **state)
{
	uint8_t b[200];
	uint32_t n = plain(b, 20);
	assert_int_equal(verdict(b, n), DROP_NONE);
	for (uint32_t k = 0; k < n; k++) /* shorter than it says */
		assert_int_equal(verdict(b, k), DROP_IP_BAD);
	b[0] = 0x65, fix(b, 20);
	assert_int_equal(verdict(b, n), DROP_IP_BAD);
	b[0] = 0x44, fix(b, 16);
	assert_int_equal(verdict(b, n), DROP_IP_BAD);
	plain(b, 20);
	put_be16(b + 2, 19), fix(b, 20);
	assert_int_equal(verdict(b, n), DROP_IP_BAD);
	plain(b, 20);
	for (uint32_t bit = 64; bit < 72; bit++) { /* any flipped bit of the TTL shows in the checksum */
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(verdict(b, n), DROP_IP_CSUM);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void req_IP4_002__padding_is_cut(void **state)
{
	uint8_t b[200];
	struct ip_hdr h;
	uint32_t n = plain(b, 10);
	struct pkt *p = packet(b, n + 16);
	assert_int_equal(ip_input(&mem, p, ETHERTYPE_IP4, 0, &h), DROP_NONE);
	assert_int_equal(p->len, n);
	assert_int_equal(p->m.l4 - p->m.l3, 20);
	pkt_free(&mem, p);
}

static void ip_options__skipped_or_refused(void **state)
{
	uint8_t b[200];
	plain(b, 24);
	b[0] = 0x46;
	memcpy(b + 20, (uint8_t[]){0x1e, 4, 0, 0}, 4); /* unknown: skipped */
	fix(b, 24);
	assert_int_equal(verdict(b, 44), DROP_NONE);
	memcpy(b + 20, (uint8_t[]){0x1e, 0, 0, 0}, 4); /* bad length: parsing ends, the packet goes on */
	fix(b, 24);
	assert_int_equal(verdict(b, 44), DROP_NONE);
	memcpy(b + 20, (uint8_t[]){131, 3, 4, 0}, 4); /* loose source route */
	fix(b, 24);
	assert_int_equal(verdict(b, 44), DROP_IP_OPTIONS);
	memcpy(b + 20, (uint8_t[]){1, 137, 3, 4}, 4); /* strict */
	fix(b, 24);
	assert_int_equal(verdict(b, 44), DROP_IP_OPTIONS);
}

/* A superframe as a link peer may claim it: n bytes of payload behind a TCP header of thl bytes. */
static enum drop super_verdict(uint32_t n, uint32_t thl, uint16_t gso_size, uint16_t gso_segs, uint16_t total_len)
{
	static uint8_t body[4000];
	struct ip4_hdr h = {.ttl = 64, .proto = 6, .src = 0x0a000001, .dst = 0x0a000002, .total_len = total_len};
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	ip4_emit(pkt_put(p, IP4_HLEN), &h);
	body[12] = (uint8_t)(thl / 4 << 4);
	assert_int_equal(pkt_append(&mem, p, body, thl), 0);
	body[12] = 0;
	for (uint32_t left = n, k; left; left -= k)
		assert_int_equal(pkt_append(&mem, p, body, k = MIN(left, (uint32_t)sizeof(body))), 0);
	p->m.gso = PKT_GSO_TCP4;
	p->m.gso_size = gso_size;
	p->m.gso_segs = gso_segs;
	struct ip_hdr seen;
	enum drop d = ip_input(&mem, p, 0, 0, &seen);
	pkt_free(&mem, p);
	return d;
}

static void req_HARD_05__superframes_that_cannot_be(void **state)
{
	assert_int_equal(super_verdict(3000, 32, 1448, 3, 3052), DROP_NONE);
	assert_int_equal(super_verdict(3000, 32, 1448, 3, 0), DROP_NONE); /* the length is the packet's */
	assert_int_equal(super_verdict(66000, 32, 1448, 46, 65535), DROP_NONE);
	assert_int_equal(super_verdict(66000, 32, 1448, 46, 0), DROP_NONE);
	/* an IP length that is another one */
	assert_int_equal(super_verdict(3000, 32, 1448, 3, 3051), DROP_IP_BAD);
	assert_int_equal(super_verdict(3000, 32, 1448, 3, 52), DROP_IP_BAD);
	assert_int_equal(super_verdict(66000, 32, 1448, 46, 65534), DROP_IP_BAD);
	/* segments of a byte: each would cost us a packet. The least a TCP sends by is 88 bytes with its options (TCP-014) */
	assert_int_equal(super_verdict(3000, 20, 1, 3000, 3040), DROP_IP_BAD);
	assert_int_equal(super_verdict(3000, 20, 87, 35, 3040), DROP_IP_BAD);
	assert_int_equal(super_verdict(3000, 20, 88, 35, 3040), DROP_NONE);
	assert_int_equal(super_verdict(3000, 32, 75, 40, 3052), DROP_IP_BAD);
	assert_int_equal(super_verdict(3000, 32, 76, 40, 3052), DROP_NONE);
	/* more or fewer segments than there are */
	assert_int_equal(super_verdict(3000, 32, 1448, 2, 3052), DROP_IP_BAD);
	assert_int_equal(super_verdict(3000, 32, 3001, 1, 3052), DROP_IP_BAD);
}

static void req_IP4_003__addresses(void **state)
{
	static const struct { uint32_t src, dst; enum drop wire, lo; } c[] = {
		{0x0a000001, 0x0a000002, DROP_NONE, DROP_NONE},
		{0x00000001, 0x0a000002, DROP_IP_SOURCE, DROP_IP_SOURCE},
		{0x7f000001, 0x0a000002, DROP_IP_SOURCE, DROP_NONE},
		{0xe0000001, 0x0a000002, DROP_IP_SOURCE, DROP_IP_SOURCE},
		{0xf0000001, 0x0a000002, DROP_IP_SOURCE, DROP_IP_SOURCE},
		{0xffffffff, 0x0a000002, DROP_IP_SOURCE, DROP_IP_SOURCE},
		{0x0a000001, 0x7f000001, DROP_IP_NOT_OURS, DROP_NONE},
		{0x0a000001, 0x00000000, DROP_IP_NOT_OURS, DROP_IP_NOT_OURS},
		{0x0a000001, 0xf0000001, DROP_IP_NOT_OURS, DROP_IP_NOT_OURS},
		{0x0a000001, 0xffffffff, DROP_NONE, DROP_NONE},
	};
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct ip_hdr h = {.src = via_addr_v4(c[i].src), .dst = via_addr_v4(c[i].dst)};
		assert_int_equal(ip_input_addresses(&h, false), c[i].wire);
		assert_int_equal(ip_input_addresses(&h, true), c[i].lo);
	}
}

static void req_RT4_003__ttl_is_lowered_and_the_checksum_exact(void **state)
{
	uint8_t b[200];
	for (uint32_t id = 0; id < 65536; id += 7) {
		for (unsigned ttl = 0; ttl < 256; ttl += ttl < 3 ? 1 : 84) {
			struct ip4_hdr h = {.ttl = (uint8_t)ttl, .proto = 6, .src = 0x0a000001, .dst = 0x0a000002,
					    .id = (uint16_t)id, .total_len = 20}, g;
			ip4_emit(b, &h);
			struct pkt *p = packet(b, 20);
			p->m.l3 = p->head;
			struct ip_hdr view = ip_hdr_of4(&h);
			enum drop d = forward_ttl(p, &view);
			assert_int_equal(d, ttl <= 1 ? DROP_IP_TTL : DROP_NONE);
			assert_int_equal(ip4_parse(pkt_data(p), 20, false, &g), 0);
			assert_int_equal(g.ttl, ttl <= 1 ? ttl : ttl - 1);
			pkt_free(&mem, p);
		}
	}
}

static void req_RT4_006__what_is_never_forwarded(void **state)
{
	struct pkt *p = pkt_new(&mem, 0);
	struct ip_hdr h = {.src = via_addr_v4(0x0a000001), .dst = via_addr_v4(0x0b000001)};
	assert_int_equal(forward_may(p, &h), DROP_NONE);
	p->m.ether_mcast = 1; /* RT4-009 */
	assert_int_equal(forward_may(p, &h), DROP_IP_BROADCAST);
	p->m.ether_mcast = 0;
	h.dst = via_addr_v4(0xffffffff);
	assert_int_equal(forward_may(p, &h), DROP_IP_BROADCAST);
	h.dst = via_addr_v4(0xe0000009);
	assert_int_equal(forward_may(p, &h), DROP_IP_BROADCAST);
	h.dst = via_addr_v4(0xa9fe0101);
	assert_int_not_equal(forward_may(p, &h), DROP_NONE);
	h = (struct ip_hdr){.src = via_addr_v4(0xa9fe0101), .dst = via_addr_v4(0x0b000001)};
	assert_int_not_equal(forward_may(p, &h), DROP_NONE);
	pkt_free(&mem, p);
}

static void addrs__table(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct addrs t = {0};
	struct via_addr x = via_addr_v4(0x0a000001), y = via_addr_v4(0x0a000101), z = via_addr_v4(0xc0a80001);
	assert_int_equal(addrs_add(a, &t, 2, &y, 24), 0);
	assert_int_equal(addrs_add(a, &t, 2, &x, 24), 0);
	assert_int_equal(addrs_add(a, &t, 3, &z, 31), 0);
	assert_int_equal(addrs_add(a, &t, 3, &x, 24), -EEXIST);
	for (uint32_t i = 0; i < 300; i++) {
		struct via_addr m = via_addr_v4(0x0b000000 + i * 77 % 300);
		assert_int_equal(addrs_add(a, &t, 4, &m, 32), 0);
	}
	assert_int_equal(addrs_find(a, &t, &x)->ifindex, 2);
	for (uint32_t i = 0; i < 300; i++) {
		struct via_addr m = via_addr_v4(0x0b000000 + i);
		assert_non_null(addrs_find(a, &t, &m));
		assert_int_equal(addrs_del(a, &t, 4, &m), 0);
		assert_null(addrs_find(a, &t, &m));
	}
	assert_int_equal(addrs_del(a, &t, 3, &x), -EADDRNOTAVAIL);
	struct via_addr b = via_addr_v4(0x0a0000ff), old = via_addr_v4(0x0a000000), other = via_addr_v4(0x0a0002ff),
			p2p = via_addr_v4(0xc0a80001);
	assert_true(addrs_is_broadcast(a, &t, 2, &b) && addrs_is_broadcast(a, &t, 0, &b) && addrs_is_broadcast(a, &t, 2, &old));
	assert_false(addrs_is_broadcast(a, &t, 3, &b) || addrs_is_broadcast(a, &t, 0, &other) || addrs_is_broadcast(a, &t, 0, &p2p));
	struct via_addr near_x = via_addr_v4(0x0a000007), near_y = via_addr_v4(0x0a000107), far = via_addr_v4(0x08080808);
	assert_true(via_addr_eq(&addrs_source(a, &t, 2, &near_x)->addr, &x));
	assert_true(via_addr_eq(&addrs_source(a, &t, 2, &near_y)->addr, &y));
	assert_true(via_addr_eq(&addrs_source(a, &t, 2, &far)->addr, &y)); /* the first one given */
	assert_null(addrs_source(a, &t, 9, &far));
	addrs_free(a, &t);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_IP4_001__malformed_headers), T(req_IP4_002__padding_is_cut), T(ip_options__skipped_or_refused), T(req_IP4_003__addresses),
		T(req_HARD_05__superframes_that_cannot_be),
		T(req_RT4_003__ttl_is_lowered_and_the_checksum_exact), T(req_RT4_006__what_is_never_forwarded), T(addrs__table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
