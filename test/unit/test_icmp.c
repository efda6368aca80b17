/* ICMP: when an error is due, what it quotes, the rate limit, what an arriving error means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/csum.h"
#include "net/gso.h"
#include "net/icmp.h"
#include "wire/tcp.h"
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

/* An IP packet of n bytes after the IP header, first of them `first`. */
static struct pkt *packet(struct ip4_hdr *h, uint32_t n, uint8_t first)
{
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	uint8_t body[1400];
	for (uint32_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)i;
	body[0] = first;
	h->total_len = (uint16_t)(IP4_HLEN + n);
	h->hlen = IP4_HLEN;
	p->m.l3 = p->head;
	ip4_emit(pkt_put(p, IP4_HLEN), h);
	p->m.l4 = (uint16_t)(p->head + p->head_len);
	assert_int_equal(pkt_append(&mem, p, body, n), 0);
	return p;
}

static const struct ip4_hdr plain = {.ttl = 9, .proto = 17, .src = 0x0a000001, .dst = 0x0a000002};

static bool due(struct ip4_hdr h, uint8_t first, bool bcast, bool link_mcast)
{
	struct pkt *p = packet(&h, 40, first);
	struct ip_hdr view = ip_hdr_of4(&h);
	p->m.ether_mcast = link_mcast;
	bool d = icmp_error_is_due(&mem, p, &view, bcast, ICMP_SAY_NO_PORT);
	pkt_free(&mem, p);
	return d;
}

static void req_IC4_002__no_error_about_these(void **state)
{
	struct ip4_hdr h = plain;
	assert_true(due(h, 0, false, false));
	assert_false(due(h, 0, true, false));
	assert_false(due(h, 0, false, true));
	h.dst = 0xe0000001;
	assert_false(due(h, 0, false, false));
	h.dst = 0xffffffff;
	assert_false(due(h, 0, false, false));
	h = plain;
	h.frag = 5; /* not the first fragment */
	assert_false(due(h, 0, false, false));
	h.frag = IP4_MF;
	assert_true(due(h, 0, false, false));
	h = plain;
	h.src = 0;
	assert_false(due(h, 0, false, false));
	h.src = 0xe0000005;
	assert_false(due(h, 0, false, false));
	h = plain;
	h.proto = IPPROTO_N_ICMP;
	assert_true(due(h, ICMP4_ECHO, false, false));
	for (uint8_t t = 0; t < 255; t++)
		if (icmp4_is_error(t))
			assert_false(due(h, t, false, false));
}

static void req_IC4_007__quotes_what_fits_576(void **state)
{
	static const uint32_t sizes[] = {8, 9, 100, 527, 528, 529, 1400};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ip4_hdr h = plain;
		struct pkt *p = packet(&h, sizes[i], 1);
		struct pkt *e = icmp_error_build(&mem, p, &(struct icmp4_hdr){.type = ICMP4_UNREACH, .code = ICMP4_UNREACH_FRAG, .rest = 1400});
		uint8_t out[600], in[1500];
		struct icmp4_hdr ih;
		assert_non_null(e);
		uint32_t n = pkt_copy_out(&mem, e, 0, out, sizeof(out)), all = pkt_copy_out(&mem, p, 0, in, sizeof(in));
		assert_int_equal(n, 8 + (all < 548 ? all : 548));
		assert_int_equal(icmp4_parse(out, n, &ih), 0);
		assert_int_equal(ih.type, ICMP4_UNREACH);
		assert_int_equal(ih.code, ICMP4_UNREACH_FRAG);
		assert_int_equal(ih.rest, 1400);
		assert_int_equal(csum_fold(csum_add(0, out, n)), 0xffff);
		assert_memory_equal(out + 8, in, n - 8);
		pkt_free(&mem, e);
		pkt_free(&mem, p);
	}
}

/* About a superframe the error quotes what a wire would have carried first: its length, its checksums. The model is gso_cut(). */
static void icmp_error_build__a_superframe_is_quoted_as_its_first_segment(void **state)
{
	static const uint32_t payload[] = {3000, 1449, 200, 1000};
	static const uint16_t size[] = {1448, 1448, 100, 1000};
	for (size_t i = 0; i < ARRAY_LEN(size); i++) {
		static uint8_t body[4000];
		for (uint32_t k = 0; k < sizeof(body); k++)
			body[k] = (uint8_t)(k * 13 + i);
		struct tcp_hdr t = {.sport = 80, .dport = 5000, .seq = 7, .ack = 8, .flags = TCP_ACK | TCP_PSH | TCP_FIN, .has_ts = true};
		uint32_t thl = tcp_emit_len(&t);
		struct ip4_hdr h = {.ttl = 9, .proto = 6, .frag = IP4_DF, .src = 0x0a000001, .dst = 0x0a000002,
				    .total_len = (uint16_t)(IP4_HLEN + thl + payload[i])};
		struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
		p->m.l2 = p->m.l3 = p->head;
		ip4_emit(pkt_put(p, IP4_HLEN), &h);
		p->m.l4 = (uint16_t)(p->head + p->head_len);
		tcp_emit(pkt_put(p, thl), &t);
		assert_int_equal(pkt_append(&mem, p, body, payload[i]), 0);
		p->m.gso = PKT_GSO_TCP4;
		p->m.gso_size = size[i];
		p->m.gso_segs = (uint16_t)((payload[i] + size[i] - 1) / size[i]);
		p->m.csum = PKT_CSUM_PARTIAL;
		p->m.csum_start = p->m.l4;
		p->m.csum_offset = 16;
		struct pkt *e = icmp_error_build(&mem, p, &(struct icmp4_hdr){.type = ICMP4_UNREACH, .code = ICMP4_UNREACH_FRAG, .rest = 1400});
		struct pktq q = {0};
		uint8_t out[600], want[600];
		assert_non_null(e);
		uint32_t n = pkt_copy_out(&mem, e, 0, out, sizeof(out));
		assert_int_equal(gso_cut(&mem, p, &q), 0);
		uint32_t all = pkt_copy_out(&mem, pktq_peek(&mem, &q), 0, want, sizeof(want));
		assert_int_equal(n, 8 + MIN(all, 548u));
		assert_memory_equal(out + 8, want, n - 8);
		assert_int_equal(csum_fold(csum_add(0, out, n)), 0xffff);
		pktq_clear(&mem, &q);
		pkt_free(&mem, e);
	}
}

static void req_IC4_003__echo_keeps_data_id_and_sequence(void **state)
{
	uint8_t msg[64], out[64];
	for (unsigned csum_case = 0; csum_case < 65536; csum_case += 251) {
		for (size_t i = 0; i < sizeof(msg); i++)
			msg[i] = (uint8_t)(i * 7);
		icmp4_emit(msg, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = csum_case << 16 | 5});
		put_be16(msg + 2, csum_field(csum_add(0, msg, sizeof(msg))));
		struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
		pkt_append(&mem, p, msg, sizeof(msg));
		icmp_echo_turn(p, false);
		pkt_copy_out(&mem, p, 0, out, sizeof(out));
		assert_int_equal(out[0], ICMP4_ECHO_REPLY);
		assert_int_equal(csum_fold(csum_add(0, out, sizeof(out))), 0xffff);
		assert_memory_equal(out + 4, msg + 4, sizeof(msg) - 4);
		pkt_free(&mem, p);
	}
}

static const struct via_addr peer1 = {.b = {[10] = 0xff, 0xff, 10, 0, 0, 1}}, peer2 = {.b = {[10] = 0xff, 0xff, 10, 0, 0, 2}};

static void req_IC4_006__errors_are_limited_per_destination(void **state)
{
	struct icmp_limit l;
	int first = 0, later = 0, other = 0;
	icmp_limit_init(&l, (struct prf_key){1, 2});
	for (int i = 0; i < 1000; i++)
		first += icmp_limit_error(&l, &peer1, 0);
	assert_in_range(first, ICMP_ERROR_BURST / 2, 2 * ICMP_ERROR_BURST);
	/* a peer that uses up its own share takes nothing from another */
	for (int i = 0; i < 1000; i++)
		other += icmp_limit_error(&l, &peer2, 0);
	assert_in_range(other, ICMP_ERROR_BURST / 2, 2 * ICMP_ERROR_BURST);
	/* nor errors from echo */
	assert_true(icmp_limit_echo(&l, &peer1, 0));
	/* and over 100 s it is the rate: one per ICMP_ERROR_COST_NS on average */
	for (int64_t t = 0; t < 100 * NS_PER_S; t += NS_PER_MS)
		later += icmp_limit_error(&l, &peer1, t);
	assert_in_range(later, 900, 1100);
}

static void req_IC4_006__how_many_get_through_is_random(void **state)
{
	int seen[100] = {0}, kinds = 0;
	for (uint64_t k = 0; k < 50; k++) {
		struct icmp_limit l;
		int n = 0;
		icmp_limit_init(&l, (struct prf_key){k, 2});
		for (int i = 0; i < 100; i++)
			n += icmp_limit_error(&l, &peer1, 0);
		seen[n] = 1;
	}
	for (int i = 0; i < 100; i++)
		kinds += seen[i];
	assert_true(kinds > 2);
}

/* Somebody with thousands of addresses cannot find one by which to tell that a victim's share is used up: each gets its first error, and
 * as many as if there were no victim. */
static void req_IC4_006__a_used_up_share_is_not_seen_from_elsewhere(void **state)
{
	struct icmp_limit l, alone;
	icmp_limit_init(&l, (struct prf_key){1, 2});
	icmp_limit_init(&alone, (struct prf_key){1, 2});
	while (icmp_limit_error(&l, &peer1, 0))
		;
	for (uint32_t i = 0; i < 100; i++) {
		struct via_addr a = {.b = {0x20, 1, 0xd, 0xb8}};
		put_be32(a.b + 12, i);
		assert_true(icmp_limit_error(&l, &a, 0));
	}
	/* one address at a time, all buckets else full */
	for (uint32_t i = 0; i < 4096; i++) {
		struct via_addr a = {.b = {0x20, 1, 0xd, 0xb8}};
		struct icmp_limit one = {.key = alone.key, .random = alone.random};
		int got = 0;
		put_be32(a.b + 12, i);
		while (icmp_limit_error(&one, &peer1, 0))
			;
		for (int k = 0; k < 4; k++)
			got += icmp_limit_error(&one, &a, 0);
		assert_int_equal(got, 4);
	}
}

/* Whoever shares all buckets with a victim shares none of them a minute later. */
static void req_IC4_006__keys_live_a_minute(void **state)
{
	struct icmp_limit l;
	int n = 0;
	icmp_limit_init(&l, (struct prf_key){1, 2});
	icmp_limit_error(&l, &peer1, 5);
	struct prf_key was = l.key;
	icmp_limit_error(&l, &peer1, 4 + ICMP_REKEY_NS);
	assert_memory_equal(&l.key, &was, sizeof(was));
	icmp_limit_error(&l, &peer1, 5 + ICMP_REKEY_NS);
	assert_true(l.key.k0 != was.k0 && l.key.k1 != was.k1);
	/* and the rate is still the rate */
	for (int64_t t = 2 * ICMP_REKEY_NS; t < 12 * ICMP_REKEY_NS; t += NS_PER_MS)
		n += icmp_limit_error(&l, &peer1, t);
	assert_in_range(n, 6000 * 9 / 10, 6000 * 11 / 10);
}

static void icmp_error_cause__linux_meanings(void **state)
{
	static const struct { uint8_t type, code; int err; bool hard; } want[] = {
		{3, 0, ENETUNREACH, false}, {3, 1, EHOSTUNREACH, false}, {3, 2, ENOPROTOOPT, true}, {3, 3, ECONNREFUSED, true},
		{3, 4, EMSGSIZE, false}, {3, 5, EOPNOTSUPP, false}, {3, 13, EHOSTUNREACH, true},
		{11, 0, EHOSTUNREACH, false}, {12, 0, EPROTO, false},
	};
	struct icmp_cause c;
	struct icmp_quote q = {.total_len = 1500};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct icmp4_hdr h = {.type = want[i].type, .code = want[i].code};
		assert_true(icmp_error_cause(false, &h, &q, &c));
		assert_int_equal(c.err, want[i].err);
		assert_int_equal(c.hard, want[i].hard);
	}
	struct icmp4_hdr quench = {.type = ICMP4_QUENCH}, redirect = {.type = ICMP4_REDIRECT}, odd = {.type = 3, .code = 99};
	assert_false(icmp_error_cause(false, &quench, &q, &c));
	assert_false(icmp_error_cause(false, &redirect, &q, &c));
	assert_false(icmp_error_cause(false, &odd, &q, &c));
}

static void req_PM_002__mtu_has_a_floor_and_plateaus(void **state)
{
	struct icmp_cause c;
	struct icmp_quote q = {.total_len = 1500};
	struct icmp4_hdr h = {.type = 3, .code = 4, .rest = 1400};
	assert_true(icmp_error_cause(false, &h, &q, &c));
	assert_int_equal(c.mtu, 1400);
	h.rest = 68;
	icmp_error_cause(false, &h, &q, &c);
	assert_int_equal(c.mtu, 552);
	h.rest = 0; /* RFC 1191 §7.1: the plateau below the quoted length */
	icmp_error_cause(false, &h, &q, &c);
	assert_int_equal(c.mtu, 1492);
	q.total_len = 1492;
	icmp_error_cause(false, &h, &q, &c);
	assert_int_equal(c.mtu, 1006);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_IC4_002__no_error_about_these), T(req_IC4_007__quotes_what_fits_576),
		T(icmp_error_build__a_superframe_is_quoted_as_its_first_segment), T(req_IC4_003__echo_keeps_data_id_and_sequence),
		T(req_IC4_006__errors_are_limited_per_destination), T(req_IC4_006__how_many_get_through_is_random),
		T(req_IC4_006__a_used_up_share_is_not_seen_from_elsewhere), T(req_IC4_006__keys_live_a_minute),
		T(icmp_error_cause__linux_meanings), T(req_PM_002__mtu_has_a_floor_and_plateaus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
