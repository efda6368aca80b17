/* Reading packets for NAT and filter, and changing them: checksums against those summed anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/csum.h"
#include "base/rng.h"
#include "filter/view.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

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

/* A packet written into out, checksums summed: n bytes of transport and payload. Returns its length. */
static uint32_t make(uint8_t *out, uint8_t proto, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t n, struct rng *r,
		     bool no_sum)
{
	uint8_t *l4 = out + IP4_HLEN;
	ip4_emit(out, &(struct ip4_hdr){.ttl = 9, .proto = proto, .total_len = (uint16_t)(IP4_HLEN + n), .id = (uint16_t)rng_u64(r),
					.src = src, .dst = dst});
	for (uint32_t i = 0; i < n; i++)
		l4[i] = (uint8_t)rng_u64(r);
	if (proto == IPPROTO_N_ICMP) {
		l4[0] = ICMP4_ECHO;
		put_be16(l4 + 4, sport);
		put_be16(l4 + 2, 0);
		put_be16(l4 + 2, csum_field(csum_add(0, l4, n)));
		return IP4_HLEN + n;
	}
	put_be16(l4, sport);
	put_be16(l4 + 2, dport);
	uint32_t at = proto == IPPROTO_N_TCP ? 16 : 6;
	if (proto == IPPROTO_N_TCP) {
		l4[12] = 5 << 4;
		l4[13] = TCP_ACK;
	} else {
		put_be16(l4 + 4, (uint16_t)n);
	}
	put_be16(l4 + at, 0);
	if (!no_sum) {
		uint16_t sum = csum_field(csum_add(ip4_pseudo(src, dst, proto, n), l4, n));
		put_be16(l4 + at, sum || proto == IPPROTO_N_TCP ? sum : 0xffff);
	}
	return IP4_HLEN + n;
}

static struct pkt *packet(const uint8_t *bytes, uint32_t n)
{
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	assert_int_equal(pkt_append(&mem, p, bytes, n), 0);
	p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + IP4_HLEN);
	return p;
}

static void expect_bytes(struct pkt *p, const uint8_t *want, uint32_t n)
{
	uint8_t got[2048];
	assert_int_equal(pkt_copy_out(&mem, p, 0, got, sizeof(got)), n);
	assert_memory_equal(got, want, n);
	pkt_free(&mem, p);
}

static const uint8_t protos[] = {IPPROTO_N_TCP, IPPROTO_N_UDP, IPPROTO_N_ICMP};

/* The same packet made with the other addresses from the start: byte for byte what rewriting gives. */
static void rewrite__equals_a_packet_made_so(void **state)
{
	struct rng r;
	rng_seed(&r, 7);
	for (int k = 0; k < 3000; k++) {
		uint8_t a[1600], b[1600], proto = protos[k % 3];
		uint32_t src = (uint32_t)rng_u64(&r), dst = (uint32_t)rng_u64(&r), to = (uint32_t)rng_u64(&r);
		uint32_t n = 24 + (uint32_t)rng_below(&r, 1200);
		uint16_t sport = (uint16_t)rng_u64(&r), dport = (uint16_t)rng_u64(&r), port = (uint16_t)rng_u64(&r);
		enum view_side side = proto == IPPROTO_N_ICMP ? VIEW_SRC : (enum view_side)rng_below(&r, 2);
		bool no_sum = proto == IPPROTO_N_UDP && k % 5 == 0;
		struct rng same = r;
		uint32_t len = make(a, proto, src, dst, sport, dport, n, &r, no_sum);
		make(b, proto, side == VIEW_SRC ? to : src, side == VIEW_DST ? to : dst, side == VIEW_SRC ? port : sport,
		     side == VIEW_DST ? port : dport, n, &same, no_sum);
		struct pkt *p = packet(a, len);
		struct view w;
		struct via_addr addr = via_addr_v4(to);
		assert_true(view_read(&mem, p, &w));
		assert_int_equal(w.kind, VIEW_FLOW);
		view_rewrite(p, &w, side, &addr, port);
		struct view again;
		assert_true(view_read(&mem, p, &again));
		assert_memory_equal(&w.t, &again.t, sizeof(w.t));
		assert_int_equal(w.sport, again.sport);
		expect_bytes(p, b, len);
	}
}

/* A checksum that the link has still to finish: it comes out right. */
static void rewrite__partial_checksum(void **state)
{
	struct rng r;
	rng_seed(&r, 8);
	for (int k = 0; k < 500; k++) {
		uint8_t a[1600], b[1600], proto = protos[k % 2];
		uint32_t src = (uint32_t)rng_u64(&r), dst = (uint32_t)rng_u64(&r), to = (uint32_t)rng_u64(&r), n = 64;
		struct rng same = r;
		uint32_t len = make(a, proto, src, dst, 1, 2, n, &r, false);
		make(b, proto, to, dst, 77, 2, n, &same, false);
		uint32_t at = proto == IPPROTO_N_TCP ? 16 : 6;
		put_be16(a + IP4_HLEN + at, csum_fold(ip4_pseudo(src, dst, proto, n)));
		struct pkt *p = packet(a, len);
		p->m.csum = PKT_CSUM_PARTIAL;
		p->m.csum_start = p->m.l4;
		p->m.csum_offset = (uint16_t)at;
		struct view w;
		struct via_addr addr = via_addr_v4(to);
		assert_true(view_read(&mem, p, &w));
		view_rewrite(p, &w, VIEW_SRC, &addr, 77);
		pkt_csum_finish(&mem, p);
		expect_bytes(p, b, len);
	}
}

/* An error around a quote cut to `quoted` bytes. */
static uint32_t make_error(uint8_t *out, uint32_t src, uint32_t dst, const uint8_t *quote, uint32_t quoted)
{
	uint8_t *l4 = out + IP4_HLEN;
	uint32_t n = ICMP4_HLEN + quoted;
	ip4_emit(out, &(struct ip4_hdr){.ttl = 9, .proto = IPPROTO_N_ICMP, .total_len = (uint16_t)(IP4_HLEN + n), .src = src, .dst = dst});
	icmp4_emit(l4, &(struct icmp4_hdr){.type = ICMP4_UNREACH, .code = 3});
	memcpy(l4 + ICMP4_HLEN, quote, quoted);
	put_be16(l4 + 2, csum_field(csum_add(0, l4, n)));
	return IP4_HLEN + n;
}

/* RFC 5508 REQ-4: outer address, quoted address and port, quoted IP and transport checksum where it is there, and ICMP's own. */
static void rewrite__an_error_and_its_quote(void **state)
{
	struct rng r;
	rng_seed(&r, 9);
	for (int k = 0; k < 3000; k++) {
		uint8_t qa[1600], qb[1600], a[1700], b[1700], proto = protos[k % 3];
		uint32_t outer = (uint32_t)rng_u64(&r), inner = (uint32_t)rng_u64(&r), far = (uint32_t)rng_u64(&r), hop = (uint32_t)rng_u64(&r);
		uint16_t port = (uint16_t)rng_u64(&r), to = (uint16_t)rng_u64(&r);
		struct rng same = r;
		uint32_t n = 24 + (uint32_t)rng_below(&r, 600), whole, quoted;
		rng_below(&same, 600);
		whole = make(qa, proto, outer, far, port, 80, n, &r, false);
		make(qb, proto, inner, far, to, 80, n, &same, false);
		quoted = k % 4 == 0 ? IP4_HLEN + 8 : IP4_HLEN + 8 + (uint32_t)rng_below(&r, whole - IP4_HLEN - 8 + 1);
		quoted += proto == IPPROTO_N_TCP && quoted == IP4_HLEN + 17; /* half a checksum is left as it is */
		uint32_t len = make_error(a, hop, outer, qa, quoted);
		make_error(b, hop, inner, qb, quoted);
		struct pkt *p = packet(a, len);
		struct view w;
		struct via_addr addr = via_addr_v4(inner);
		assert_true(view_read(&mem, p, &w));
		assert_int_equal(w.kind, VIEW_ERROR);
		assert_true(view_error_is_sound(&mem, p, &w));
		assert_int_equal(via_addr_to_v4(&w.t.src), far); /* it travels as an answer would */
		assert_int_equal(via_addr_to_v4(&w.t.dst), outer);
		assert_int_equal(w.t.dport, port);
		assert_int_equal(via_addr_to_v4(&w.src), hop);
		view_rewrite(p, &w, VIEW_DST, &addr, to);
		assert_true(view_error_is_sound(&mem, p, &w));
		/* 0 and 0xffff are the same sum (RFC 1624 §3): compare what is summed, and that all sums are right */
		uint8_t got[1700];
		pkt_copy_out(&mem, p, 0, got, sizeof(got));
		if (memcmp(got, b, len) != 0) {
			memcpy(got + IP4_HLEN + 2, b + IP4_HLEN + 2, 2);
			assert_memory_equal(got, b, len);
		}
		pkt_free(&mem, p);
	}
}

static void sound__wrong_sums_are_seen(void **state)
{
	struct rng r;
	uint8_t q[600], e[700];
	rng_seed(&r, 1);
	make(q, IPPROTO_N_UDP, 1, 2, 3, 4, 100, &r, false);
	uint32_t len = make_error(e, 9, 1, q, 60);
	struct view w;
	for (uint32_t i = IP4_HLEN; i < len; i++) {
		struct pkt *p = packet(e, len);
		pkt_data(p)[i] ^= 1;
		assert_true(view_read(&mem, p, &w));
		if (w.kind == VIEW_ERROR)
			assert_false(view_error_is_sound(&mem, p, &w));
		pkt_free(&mem, p);
	}
	q[8]++; /* the quoted header's checksum does not fit its TTL */
	len = make_error(e, 9, 1, q, 60);
	struct pkt *p = packet(e, len);
	assert_true(view_read(&mem, p, &w));
	assert_int_equal(w.kind, VIEW_ERROR);
	assert_false(view_error_is_sound(&mem, p, &w));
	pkt_free(&mem, p);
}

static enum view_kind kind_of(const uint8_t *bytes, uint32_t n)
{
	struct pkt *p = packet(bytes, n);
	struct view w;
	assert_true(view_read(&mem, p, &w));
	pkt_free(&mem, p);
	return w.kind;
}

static void kinds__what_is_cut_short_or_odd(void **state)
{
	struct rng r;
	uint8_t b[600];
	rng_seed(&r, 2);
	uint32_t n = make(b, IPPROTO_N_TCP, 1, 2, 3, 4, 40, &r, false);
	assert_int_equal(kind_of(b, n), VIEW_FLOW);
	assert_int_equal(kind_of(b, IP4_HLEN + 19), VIEW_INVALID);
	assert_int_equal(kind_of(b, 12), VIEW_INVALID);
	static const struct { uint8_t flags; bool odd; } f[] = {
		{0, true}, {TCP_FIN, true}, {TCP_SYN | TCP_FIN, true}, {TCP_SYN | TCP_RST, true}, {TCP_URG | TCP_PSH | TCP_FIN, true},
		{TCP_SYN, false}, {TCP_ACK, false}, {TCP_RST, false}, {TCP_SYN | TCP_ACK, false}, {TCP_FIN | TCP_ACK, false},
		{TCP_RST | TCP_ACK, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(f); i++) {
		b[IP4_HLEN + 13] = f[i].flags;
		assert_int_equal(kind_of(b, n), f[i].odd ? VIEW_INVALID : VIEW_FLOW);
	}
	b[7] = 5; /* a later fragment */
	assert_int_equal(kind_of(b, n), VIEW_UNTRACKED);
	n = make(b, IPPROTO_N_UDP, 1, 2, 3, 4, 8, &r, false);
	assert_int_equal(kind_of(b, n), VIEW_FLOW);
	assert_int_equal(kind_of(b, n - 1), VIEW_INVALID);
	n = make(b, IPPROTO_N_ICMP, 1, 2, 3, 4, 8, &r, false);
	assert_int_equal(kind_of(b, n), VIEW_FLOW);
	b[IP4_HLEN] = ICMP4_REDIRECT;
	assert_int_equal(kind_of(b, n), VIEW_UNTRACKED);
	b[IP4_HLEN] = ICMP4_UNREACH; /* without a quote */
	assert_int_equal(kind_of(b, n), VIEW_INVALID);
	n = make(b, 47, 1, 2, 3, 4, 4, &r, true);
	assert_int_equal(kind_of(b, n), VIEW_FLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rewrite__equals_a_packet_made_so),
		cmocka_unit_test(rewrite__partial_checksum),
		cmocka_unit_test(rewrite__an_error_and_its_quote),
		cmocka_unit_test(sound__wrong_sums_are_seen),
		cmocka_unit_test(kinds__what_is_cut_short_or_odd),
	};
	return cmocka_run_group_tests_name("filter_view", tests, setup, teardown);
}
