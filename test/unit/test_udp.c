/* test_udp.c - UDP header, arrival checks, build with partial checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "test/unit/region.h"
#include "udp/udp.h"

#include <errno.h>

enum { REGION = 1 << 20 };
struct fixture {
	struct pktmem mem;
	void *region;
};

static int setup(void **state)
{
	static struct fixture f;
	f.region = aligned_alloc(ARENA_PAGE_SIZE, REGION);
	memset(f.region, 0, REGION);
	assert_int_equal(pktmem_init(&f.mem, f.region, REGION), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int leak = pktmem_pkts_used(&f->mem) || pktmem_blks_used(&f->mem);
	region_free(f->mem.home);
	return leak ? -1 : 0;
}

/* The checksum as RFC 768 describes it, by hand: pseudo-header, header with field 0, data, odd byte padded. */
static uint16_t naive_csum(const struct via_addr *src, const struct via_addr *dst, const uint8_t *udp, uint32_t n)
{
	uint8_t text[40 + 2048] = {0};
	uint32_t at = 0, sum = 0;
	bool v4 = via_addr_is_v4(src);
	memcpy(text, src->b + (v4 ? 12 : 0), v4 ? 4 : 16);
	at = v4 ? 4 : 16;
	memcpy(text + at, dst->b + (v4 ? 12 : 0), v4 ? 4 : 16);
	at *= 2;
	text[at++] = 0;
	text[at++] = 17;
	text[at++] = (uint8_t)(n >> 8);
	text[at++] = (uint8_t)n;
	memcpy(text + at, udp, n);
	text[at + 6] = text[at + 7] = 0;
	for (uint32_t i = 0; i < at + n + (n & 1); i += 2)
		sum += (uint32_t)(text[i] << 8 | text[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static const struct via_addr six_a = {.b = {0x20, 1, 0xd, 0xb8, [15] = 1}}, six_b = {.b = {0x20, 1, 0xd, 0xb8, [15] = 2}};

static void udp_parse__fields_and_round_trip(void **state)
{
	uint8_t out[8];
	struct udp_hdr b, a = {1234, 53, 20, 0xabcd};
	udp_emit(out, &a);
	assert_memory_equal(out, ((const uint8_t[]){4, 0xd2, 0, 53, 0, 20, 0xab, 0xcd}), 8);
	assert_int_equal(udp_parse(out, 20, &b), 0);
	assert_true(b.sport == 1234 && b.dport == 53 && b.len == 20 && b.csum == 0xabcd);
}

static void req_UDP_002__lengths(void **state)
{
	uint8_t b[32] = {0};
	struct udp_hdr h;
	for (size_t have = 0; have < sizeof(b); have++)
		for (uint16_t said = 0; said < 40; said++) {
			b[5] = (uint8_t)said;
			bool good = have >= 8 && said >= 8 && said <= have;
			assert_int_equal(udp_parse(b, have, &h), good ? 0 : -EINVAL);
		}
}

/* A packet whose linear part begins at the UDP header; `tail` bytes follow the datagram. */
static struct pkt *arrived(struct fixture *f, const struct via_addr *src, const struct via_addr *dst, const void *data,
	uint32_t n, uint32_t tail)
{
	uint8_t b[2048] = {0x9c, 0x40, 0, 53, (uint8_t)((n + 8) >> 8), (uint8_t)(n + 8)};
	memcpy(b + 8, data, n);
	uint16_t c = naive_csum(src, dst, b, n + 8);
	b[6] = (uint8_t)(c >> 8);
	b[7] = (uint8_t)c;
	memset(b + 8 + n, 0xee, tail);
	struct pkt *p = pkt_new(&f->mem, PKT_HEADROOM);
	assert_non_null(p);
	assert_int_equal(pkt_append(&f->mem, p, b, 8 + n + tail), 0);
	p->m.l4 = p->head;
	return p;
}

static void udp_arrives__good(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	const struct via_addr *pairs[][2] = {{&a, &b}, {&six_a, &six_b}};
	for (int v = 0; v < 2; v++)
		for (uint32_t n = 0; n < 40; n++) {
			uint8_t data[40], got[64];
			struct udp_hdr h;
			memset(data, (int)n + 1, sizeof(data));
			struct pkt *p = arrived(f, pairs[v][0], pairs[v][1], data, n, n % 3);
			assert_int_equal(udp_arrives(&f->mem, p, pairs[v][0], pairs[v][1], &h), DROP_NONE);
			assert_true(h.sport == 40000 && h.dport == 53);
			assert_int_equal(p->len, n); /* UDP-002: what is beyond the UDP length is cut */
			assert_int_equal(pkt_copy_out(&f->mem, p, 0, got, sizeof(got)), n);
			assert_memory_equal(got, data, n);
			pkt_free(&f->mem, p);
		}
}

static void req_UDP_001__bad_checksum_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	for (uint32_t bit = 0; bit < 20 * 8; bit++) {
		struct udp_hdr h;
		struct pkt *p = arrived(f, &a, &b, "hello, world", 12, 0);
		pkt_data(p)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum drop d = udp_arrives(&f->mem, p, &a, &b, &h);
		assert_int_equal(d, bit / 8 == 4 || (bit / 8 == 5 && d == DROP_UDP_BAD) ? DROP_UDP_BAD : DROP_UDP_CSUM);
		pkt_free(&f->mem, p);
	}
	struct udp_hdr h;
	struct pkt *p = arrived(f, &a, &b, "hello", 5, 0);
	assert_int_equal(udp_arrives(&f->mem, p, &b, &six_a, &h), DROP_UDP_CSUM); /* the addresses are part of it */
	pkt_free(&f->mem, p);
}

static void req_UDP_001__zero_means_none_on_ip4_only(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	struct udp_hdr h;
	struct pkt *p = arrived(f, &a, &b, "hello", 5, 0);
	pkt_data(p)[6] = pkt_data(p)[7] = 0;
	assert_int_equal(udp_arrives(&f->mem, p, &a, &b, &h), DROP_NONE);
	pkt_free(&f->mem, p);
	p = arrived(f, &six_a, &six_b, "hello", 5, 0);
	pkt_data(p)[6] = pkt_data(p)[7] = 0;
	assert_int_equal(udp_arrives(&f->mem, p, &six_a, &six_b, &h), DROP_UDP_CSUM);
	pkt_free(&f->mem, p);
}

static void udp_arrives__verified_and_partial_are_not_summed(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	for (int kind = PKT_CSUM_VERIFIED; kind <= PKT_CSUM_PARTIAL; kind++) {
		struct udp_hdr h;
		struct pkt *p = arrived(f, &a, &b, "hello", 5, 0);
		pkt_data(p)[6] ^= 0x55;
		p->m.csum = (uint8_t)kind;
		assert_int_equal(udp_arrives(&f->mem, p, &a, &b, &h), DROP_NONE);
		pkt_free(&f->mem, p);
	}
}

static void udp_arrives__short(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	for (uint32_t n = 0; n < 8; n++) {
		struct udp_hdr h;
		uint8_t zero[8] = {0};
		struct pkt *p = pkt_new(&f->mem, PKT_HEADROOM);
		assert_int_equal(pkt_append(&f->mem, p, zero, n), 0);
		assert_int_equal(udp_arrives(&f->mem, p, &a, &b, &h), DROP_UDP_BAD);
		pkt_free(&f->mem, p);
	}
}

static void udp_build__finished_is_what_rfc768_says(void **state)
{
	struct fixture *f = *state;
	struct rng r;
	rng_seed(&r, 5);
	for (int i = 0; i < 500; i++) {
		struct via_addr a = via_addr_v4((uint32_t)rng_u64(&r)), b = via_addr_v4((uint32_t)rng_u64(&r));
		bool six = i & 1;
		uint8_t data[1400], got[1408];
		uint32_t n = (uint32_t)rng_below(&r, sizeof(data));
		for (uint32_t k = 0; k < n; k++)
			data[k] = (uint8_t)rng_u64(&r);
		struct pkt *p = pkt_new(&f->mem, PKT_HEADROOM);
		assert_int_equal(pkt_append(&f->mem, p, data, n), 0);
		udp_build(p, six ? &six_a : &a, six ? &six_b : &b, 1, 2);
		assert_int_equal(p->m.csum, PKT_CSUM_PARTIAL);
		assert_int_equal(p->m.l4, p->head);
		pkt_csum_finish(&f->mem, p);
		assert_int_equal(pkt_copy_out(&f->mem, p, 0, got, sizeof(got)), n + 8);
		uint16_t want = naive_csum(six ? &six_a : &a, six ? &six_b : &b, got, n + 8);
		assert_int_equal(got[6] << 8 | got[7], want ? want : 0xffff);
		assert_int_equal(got[4] << 8 | got[5], n + 8);
		struct udp_hdr h;
		assert_int_equal(udp_arrives(&f->mem, p, six ? &six_a : &a, six ? &six_b : &b, &h), DROP_NONE);
		pkt_free(&f->mem, p);
	}
}

static void req_UDP_001__computed_zero_is_sent_as_ffff(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000002);
	/* With two data bytes equal to the checksum of the datagram that has zeros there, the sum is all ones. */
	uint8_t plain[10] = {0, 1, 0, 2, 0, 10};
	uint16_t c = naive_csum(&a, &b, plain, sizeof(plain));
	uint8_t data[2] = {(uint8_t)(c >> 8), (uint8_t)c}, got[10];
	struct pkt *p = pkt_new(&f->mem, PKT_HEADROOM);
	assert_int_equal(pkt_append(&f->mem, p, data, 2), 0);
	udp_build(p, &a, &b, 1, 2);
	pkt_csum_finish(&f->mem, p);
	pkt_copy_out(&f->mem, p, 0, got, sizeof(got));
	assert_int_equal(naive_csum(&a, &b, got, sizeof(got)), 0);
	assert_int_equal(got[6] << 8 | got[7], 0xffff);
	pkt_free(&f->mem, p);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(udp_parse__fields_and_round_trip),
		CASE(req_UDP_002__lengths),
		CASE(udp_arrives__good),
		CASE(req_UDP_001__bad_checksum_is_dropped),
		CASE(req_UDP_001__zero_means_none_on_ip4_only),
		CASE(udp_arrives__verified_and_partial_are_not_summed),
		CASE(udp_arrives__short),
		CASE(udp_build__finished_is_what_rfc768_says),
		CASE(req_UDP_001__computed_zero_is_sent_as_ffff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
