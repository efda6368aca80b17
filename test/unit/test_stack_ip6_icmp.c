/* ICMPv6 from a wire and to it, path MTU, flow labels, TCP's checksum and MSS in IPv6: RFC 4443, RFC 8201, RFC 6437, RFC 9293. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "ip6_wire.h"

/* An ICMPv6 message of n bytes, of which the first 8 are these, checksum right. Returns the packet's bytes. */
static uint32_t icmp_make(uint8_t *out, const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t rest, const void *data,
			  uint32_t n)
{
	uint8_t m[1600];
	struct via_addr a = net_name(src), b = net_name(dst);
	icmp6_emit(m, &(struct icmp6_hdr){.type = type, .code = code, .rest = rest});
	memcpy(m + 8, data, n);
	put_be16(m + 2, csum_field(csum_add(addr_pseudo(&a, &b, IPPROTO_N_ICMP6, 8 + n), m, 8 + n)));
	return ip6_make(out, IPPROTO_N_ICMP6, src, dst, m, 8 + n);
}

/* A connected socket of the host's, and what it sent to PEER's port 9. Returns bytes of the packet. */
static uint32_t one_sent(struct wire6 *w, via_sock *s, uint8_t *out)
{
	struct via_sockaddr to = {.addr = net_name(PEER), .port = 9};
	int on = 1;
	*s = net_open(w->v, VIA_DGRAM);
	assert_int_equal(via_setsockopt(w->v, *s, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	assert_int_equal(via_connect(w->v, *s, &to), 0);
	w->n = 0;
	assert_int_equal(via_send(w->v, *s, "hello", 5, 0), 5);
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
	assert_true(w->n >= 1);
	memcpy(out, w->sent[0], w->len[0]);
	uint32_t n = w->len[0];
	char c;
	via_recv(w->v, *s, &c, 1, 0); /* the peer, a real stack, said that nobody is there */
	wire6_clear(w);
	return n;
}

static void req_IC6_001__checksum_and_unknown_types(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t out[1600], sent[1600];
	via_sock s;
	uint32_t n = icmp_make(out, PEER, HOST, ICMP6_ECHO, 0, 5, "abcdefgh", 8);
	for (uint32_t bit = 0; bit < 8 * (n - IP6_HLEN); bit += 5) {
		out[IP6_HLEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
		wire6_inject(w, out, n);
		out[IP6_HLEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(w->n, 0);
	}
	out[8 + 15] ^= 1; /* the pseudo-header counts: another source */
	wire6_inject(w, out, n);
	assert_int_equal(w->n, 0);
	/* an unknown informational type is nothing, an unknown error is the transport's to know */
	for (unsigned type = 150; type < 256; type++)
		wire6_inject(w, out, icmp_make(out, PEER, HOST, (uint8_t)type, 0, 5, "abcdefgh", 8));
	assert_int_equal(w->n, 0);
	n = one_sent(w, &s, sent);
	char c;
	wire6_inject(w, out, icmp_make(out, PEER, HOST, 77, 3, 0, sent, n));
	assert_int_equal(via_recv(w->v, s, &c, 1, 0), -EPROTO);
	assert_int_equal(w->n, 0);
	wire6_free(w);
}

static void req_IC6_002__no_error_about_these(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t out[1600], body[100], dead[100] = {0};
	static const struct { const char *src, *dst; } odd[] = {{PEER, "ff02::1"}, {"::", "ff02::1"}, {"ff02::1", HOST}};
	uint32_t n = udp_make(body, PEER, HOST, 10);
	put_be16(body + 2, 8); /* nobody is at port 8, and the checksum has to agree */
	put_be16(body + 6, 0);
	struct via_addr a = net_name(PEER), b = net_name(HOST);
	put_be16(body + 6, csum_field(csum_add(addr_pseudo(&a, &b, IPPROTO_N_UDP, n), body, n)));
	uint32_t k = ip6_make(out, IPPROTO_N_UDP, PEER, HOST, body, n);
	wire6_inject(w, out, k);
	expect_icmp6(w, ICMP6_UNREACH, ICMP6_NO_PORT, 0, out, k);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) /* to many, from nobody, from many */
		wire6_inject(w, out, ip6_make(out, 99, odd[i].src, odd[i].dst, body, n));
	assert_int_equal(w->n, 0);
	/* errors that are themselves wrong, and redirects, also behind extension headers */
	uint8_t opt[8] = {99, 0, 0x80 | 0x1e, 4};
	for (unsigned type = 0; type < 128; type++) {
		uint8_t m[8 + 100] = {IPPROTO_N_ICMP6, 0, 0x80 | 0x1e, 4, [8] = (uint8_t)type};
		wire6_inject(w, out, ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, m, sizeof(m)));
		wire6_inject(w, out, icmp_make(out, PEER, HOST, (uint8_t)type, 0, 0, dead, 100));
	}
	uint8_t m[48] = {IPPROTO_N_ICMP6, 0, 0x80 | 0x1e, 4, [8] = ICMP6_REDIRECT};
	wire6_inject(w, out, ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, m, sizeof(m)));
	assert_int_equal(w->n, 0);
	m[8] = ICMP6_ECHO; /* while about a query there is one */
	k = ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, m, sizeof(m));
	wire6_inject(w, out, k);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_OPTION, 42, out, k);
	k = ip6_make(out, IPPROTO_N_DSTOPTS, PEER, "ff02::1", opt, 8); /* a bad option of that kind: even to many */
	wire6_inject(w, out, k);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_OPTION, 42, out, k);
	wire6_free(w);
}

static void req_IC6_003__quotes_1280_and_is_limited(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t out[1600], body[1500];
	static const uint32_t sizes[] = {8, 100, 1191, 1192, 1193, 1440};
	for (uint32_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 5);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t n = ip6_make(out, 99, PEER, HOST, body, sizes[i]);
		wire6_inject(w, out, n);
		expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_NEXT, 6, out, n); /* at most 1280 bytes, it checks */
	}
	/* a flood gets a few; another peer gets its own share meanwhile */
	uint32_t n = ip6_make(out, 99, PEER, HOST, body, 50);
	net_know(w->t, 0, w->v, 2, 1, "2001:db8::7");
	for (int i = 0; i < 60; i++)
		wire6_inject(w, out, n);
	assert_in_range(w->n, ICMP_ERROR_BURST / 2, 2 * ICMP_ERROR_BURST);
	w->n = 0;
	wire6_inject(w, out, ip6_make(out, 99, "2001:db8::7", HOST, body, 50));
	assert_int_equal(w->n, 1);
	wire6_free(w);
}

static void req_IC6_004__echo_to_one_and_to_many(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const char *const to[] = {HOST, "ff02::1", "ff02::1:ff00:1"};
	struct via_addr host = net_name(HOST);
	uint8_t out[1600], data[1000];
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11);
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		uint32_t n = icmp_make(out, PEER, to[i], ICMP6_ECHO, 0, 0x12345678, data, sizeof(data));
		struct ip6_hdr h;
		wire6_inject(w, out, n);
		assert_int_equal(w->n, 1);
		assert_int_equal(ip6_parse(w->sent[0], w->len[0], false, &h), 0);
		assert_true(via_addr_eq(&h.src, &host)); /* the one asked, or ours for a group */
		assert_int_equal(w->len[0], n);
		const uint8_t *m = w->sent[0] + IP6_HLEN;
		assert_int_equal(m[0], ICMP6_ECHO_REPLY);
		assert_int_equal(csum_fold(csum_add(addr_pseudo(&h.src, &h.dst, IPPROTO_N_ICMP6, n - 40), m, n - 40)), 0xffff);
		assert_memory_equal(m + 4, out + 44, n - 44);
		wire6_clear(w);
	}
	wire6_inject(w, out, icmp_make(out, PEER, "ff02::1:ff00:2", ICMP6_ECHO, 0, 5, data, 8)); /* a group we are not in */
	wire6_inject(w, out, icmp_make(out, PEER, "ff02::2", ICMP6_ECHO, 0, 5, data, 8));        /* all routers */
	assert_int_equal(w->n, 0);
	wire6_free(w);
}

static void req_IC6_005__unreachable_codes_reach_the_transport(void **state)
{
	static const struct { uint8_t code; int err; bool ends_syn; } c[] = {
		{ICMP6_NO_ROUTE, ENETUNREACH, false}, {ICMP6_PROHIBITED, EACCES, true}, {ICMP6_NO_ADDRESS, EHOSTUNREACH, false},
		{ICMP6_NO_PORT, ECONNREFUSED, true}, {ICMP6_POLICY, EACCES, true}, {ICMP6_REJECT_ROUTE, EHOSTUNREACH, true},
	};
	struct wire6 *w = wire6_new(false);
	uint8_t out[1600], sent[1600];
	char x;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		via_sock s;
		uint32_t n = one_sent(w, &s, sent);
		wire6_inject(w, out, icmp_make(out, PEER, HOST, ICMP6_UNREACH, c[i].code, 0, sent, n));
		assert_int_equal(via_recv(w->v, s, &x, 1, 0), -c[i].err);
		via_close(w->v, s);
		/* TCP: an open ends by a hard one; the SYN's number must be right (RFC 5927) */
		struct via_sockaddr to = {.addr = net_name("2001:db8::5"), .port = 80};
		int err = 0;
		uint32_t len = sizeof(err);
		net_know(w->t, 0, w->v, 2, 1, "2001:db8::5"); /* the peer is not that one, so nothing answers */
		w->n = 0;
		s = net_open(w->v, VIA_STREAM);
		assert_int_equal(via_connect(w->v, s, &to), -EINPROGRESS);
		assert_true(net_run(w->t, w->t->now + NS_PER_MS));
		memcpy(sent, w->sent[0], w->len[0]);
		n = w->len[0];
		sent[IP6_HLEN + 7] ^= 1;
		wire6_inject(w, out, icmp_make(out, PEER, HOST, ICMP6_UNREACH, c[i].code, 0, sent, n));
		assert_int_equal(via_ready(w->v, s) & VIA_ERR, 0);
		sent[IP6_HLEN + 7] ^= 1;
		wire6_inject(w, out, icmp_make(out, PEER, HOST, ICMP6_UNREACH, c[i].code, 0, sent, n));
		assert_int_equal((via_ready(w->v, s) & VIA_ERR) != 0, c[i].ends_syn);
		via_getsockopt(w->v, s, SOL_SOCKET, SO_ERROR, &err, &len);
		assert_int_equal(err, c[i].ends_syn ? c[i].err : err);
		via_abort(w->v, s);
		wire6_clear(w);
	}
	wire6_free(w);
	/* and those that a router says: no route, no neighbour, beyond scope; port by a host above */
	struct wire6 *r = wire6_new(true);
	uint8_t body[100];
	uint32_t n = ip6_make(out, 17, PEER, "2001:db8:77::1", body, udp_make(body, PEER, HOST, 10));
	wire6_inject(r, out, n);
	expect_icmp6(r, ICMP6_UNREACH, ICMP6_NO_ROUTE, 0, out, n);
	wire6_free(r);
}

/* What a router says of routes that lead nowhere by somebody's will, and of a neighbour that does not answer. */
static void req_IC6_005__codes_that_a_router_sends(void **state)
{
	static const struct { const char *to; enum via_route_type type; uint8_t code; } c[] = {
		{"2001:db8:a::1", VIA_ROUTE_PROHIBIT, ICMP6_PROHIBITED}, {"2001:db8:b::1", VIA_ROUTE_UNREACHABLE, ICMP6_REJECT_ROUTE},
		{"2001:db8:1::77", VIA_ROUTE_UNICAST, ICMP6_NO_ADDRESS}, {"2001:db8:c::1", VIA_ROUTE_BLACKHOLE, 0},
	};
	struct wire6 *r = wire6_new(true);
	uint8_t out[200], body[100];
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct via_change add = {.kind = VIA_ROUTE_ADD, .addr = net_name(c[i].to), .plen = 128, .gateway = net_name("::"),
					 .route_type = c[i].type};
		if (c[i].type != VIA_ROUTE_UNICAST)
			assert_int_equal(via_configure(r->v, &add), 0);
		wire6_clear(r);
		wire6_inject(r, out, ip6_make(out, IPPROTO_N_UDP, PEER, c[i].to, body, udp_make(body, PEER, c[i].to, 10)));
		assert_true(net_run(r->t, r->t->now + 5 * NS_PER_S)); /* three questions, a second apart */
		uint32_t errors = 0;
		for (uint32_t k = 0; k < r->n; k++) {
			const uint8_t *m = r->sent[k] + IP6_HLEN;
			if (r->sent[k][6] != IPPROTO_N_ICMP6 || m[0] != ICMP6_UNREACH)
				continue;
			const struct via_addr peer = net_name(PEER);
			assert_int_equal(m[1], c[i].code);
			assert_memory_equal(r->sent[k] + 24, peer.b, 16);
			errors++;
		}
		assert_int_equal(errors, c[i].type != VIA_ROUTE_BLACKHOLE);
	}
	wire6_free(r);
}

static void req_PM_002__too_big_below_1280(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t out[1600], sent[1600];
	static char text[1500];
	static const struct { uint32_t said, fits; } c[] = {{1400, 1352}, {1280, 1232}, {1279, 1232}, {68, 1232}, {0, 1232}};
	int how = IP_PMTUDISC_DO;
	via_sock s;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		uint32_t n = one_sent(w, &s, sent);
		assert_int_equal(via_setsockopt(w->v, s, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
		wire6_inject(w, out, icmp_make(out, PEER, HOST, ICMP6_TOO_BIG, 0, c[i].said, sent, n));
		char x;
		via_recv(w->v, s, &x, 1, 0);
		assert_int_equal(via_send(w->v, s, text, c[i].fits + 1, 0), -EMSGSIZE);
		assert_int_equal(via_send(w->v, s, text, c[i].fits, 0), c[i].fits);
		via_close(w->v, s);
		wire6_clear(w);
	}
	wire6_free(w);
}

static void req_PM_007__router_says_too_big_with_the_mtu(void **state)
{
	struct wire6 *w = wire6_new(true);
	uint8_t out[1600], body[1500];
	uint32_t n = ip6_make(out, IPPROTO_N_UDP, PEER, FAR, body, udp_make(body, PEER, FAR, 1353));
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_TOO_BIG, 0, 1400, out, n);
	n = ip6_make(out, IPPROTO_N_UDP, PEER, FAR, body, udp_make(body, PEER, FAR, 1352));
	wire6_inject(w, out, n);
	assert_int_equal(net_counter(w->v, "ip.forwarded"), 1);
	wire6_free(w);
}

static void req_IP6_016__flow_labels(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint32_t label[64], equal = 0;
	for (int i = 0; i < 64; i++) {
		struct via_sockaddr to = {.addr = net_name(PEER), .port = (uint16_t)(1000 + i / 2)};
		via_sock s = net_open(w->v, VIA_DGRAM);
		if (i & 1)
			to.addr.b[15] ^= 2; /* the same ports to another host */
		net_know(w->t, 0, w->v, 2, 1, "2001:db8::b");
		struct via_sockaddr from = {.addr = net_name(HOST), .port = 5000};
		assert_int_equal(via_bind(w->v, s, &from), 0);
		for (int k = 0; k < 3; k++) { /* all packets of a flow have it, fragments, too */
			static char text[3000];
			w->n = 0;
			assert_int_equal(via_sendto(w->v, s, text, k * 1000 + 10, 0, &to), k * 1000 + 10);
			assert_true(net_run(w->t, w->t->now + NS_PER_MS));
			for (uint32_t p = 0; p < w->n; p++) {
				uint32_t l = get_be32(w->sent[p]) & 0xfffff;
				assert_true(k + p == 0 || l == label[i]);
				label[i] = l;
			}
		}
		via_close(w->v, s);
		assert_int_not_equal(label[i], 0);
	}
	for (int i = 0; i < 64; i++)
		for (int k = 0; k < i; k++)
			equal += label[i] == label[k] || (i & 1 && (label[i] ^ label[i - 1]) == (label[k] ^ label[k ^ 1]) && k / 2 < i / 2);
	assert_true(equal <= 1); /* 2016 pairs of 20 bits; nor does one destination's label give the other's */
	wire6_free(w);
}

/* A connection from PEER's side by hand: SYN, SYN-ACK, ACK, then the host's text. */
static void req_TCP_010__no_mss_means_1220(void **state)
{
	struct wire6 *w = wire6_new(false);
	struct via_addr a = net_name(PEER), b = net_name(HOST);
	struct via_sockaddr at = {.addr = net_name("::"), .port = 80};
	via_sock l = net_open(w->v, VIA_STREAM), s;
	static char text[8000];
	uint8_t seg[60], out[200];
	assert_int_equal(via_bind(w->v, l, &at), 0);
	assert_int_equal(via_listen(w->v, l, 1), 0);
	struct tcp_hdr h = {.sport = 9, .dport = 80, .seq = 100, .flags = TCP_SYN, .wnd = 60000};
	for (int step = 0; step < 2; step++) {
		uint32_t n = tcp_emit(seg, &h);
		put_be16(seg + 16, csum_field(csum_add(addr_pseudo(&a, &b, IPPROTO_N_TCP, n), seg, n)));
		/* behind a destination options header: the checksum's pseudo-header is of the last header (TCP-002) */
		uint8_t body[100] = {IPPROTO_N_TCP, 0, 1, 4};
		memcpy(body + 8, seg, n);
		w->n = 0;
		wire6_inject(w, out, ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, body, 8 + n));
		if (step == 0) {
			assert_int_equal(w->n, 1);
			h.seq = 101;
			h.ack = get_be32(w->sent[0] + IP6_HLEN + 4) + 1;
			h.flags = TCP_ACK;
		}
	}
	assert_int_equal(via_accept(w->v, l, 0, &s, NULL), 0);
	w->n = 0;
	assert_int_equal(via_send(w->v, s, text, sizeof(text), 0), sizeof(text));
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
	assert_true(w->n >= 2);
	assert_int_equal(w->len[0], IP6_HLEN + TCP_HLEN + 1220);
	via_abort(w->v, s);
	wire6_free(w);
}

static void req_TCP_002__checksum_in_ipv6_of_odd_lengths(void **state)
{
	struct wire6 *w = wire6_new(false);
	struct via_sockaddr to = {.addr = net_name(PEER), .port = 80}, any = {.addr = net_name("::"), .port = 80};
	struct via *peer = w->t->v[1];
	via_sock l = net_open(peer, VIA_STREAM), c = net_open(w->v, VIA_STREAM);
	static char text[1400];
	assert_int_equal(net_addr6(peer, 2, PEER, 64), 0);
	net_know(w->t, 0, peer, 2, 0, HOST);
	assert_int_equal(via_bind(peer, l, &any), 0);
	assert_int_equal(via_listen(peer, l, 1), 0);
	assert_int_equal(via_connect(w->v, c, &to), -EINPROGRESS);
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
	for (uint32_t len = 1; len < 1400; len += 98) { /* odd and even in turn */
		memset(text, (int)len, sizeof(text));
		assert_int_equal(via_send(w->v, c, text, len | (len & 2 ? 1 : 0), 0), len | (len & 2 ? 1 : 0));
		assert_true(net_run(w->t, w->t->now + NS_PER_MS));
	}
	assert_true(w->n > 10);
	for (uint32_t i = 0; i < w->n; i++) {
		struct ip6_hdr h;
		assert_int_equal(ip6_parse(w->sent[i], w->len[i], false, &h), 0);
		assert_int_equal(h.next, IPPROTO_N_TCP);
		uint64_t sum = addr_pseudo(&h.src, &h.dst, IPPROTO_N_TCP, h.payload_len);
		assert_int_equal(csum_fold(csum_add(sum, w->sent[i] + IP6_HLEN, h.payload_len)), 0xffff);
	}
	assert_int_equal(w->t->seen.dropped[DROP_TCP_CSUM], 0);
	wire6_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IC6_001__checksum_and_unknown_types), cmocka_unit_test(req_IC6_002__no_error_about_these),
		cmocka_unit_test(req_IC6_003__quotes_1280_and_is_limited), cmocka_unit_test(req_IC6_004__echo_to_one_and_to_many),
		cmocka_unit_test(req_IC6_005__unreachable_codes_reach_the_transport),
		cmocka_unit_test(req_IC6_005__codes_that_a_router_sends), cmocka_unit_test(req_PM_002__too_big_below_1280),
		cmocka_unit_test(req_PM_007__router_says_too_big_with_the_mtu), cmocka_unit_test(req_IP6_016__flow_labels),
		cmocka_unit_test(req_TCP_010__no_mss_means_1220), cmocka_unit_test(req_TCP_002__checksum_in_ipv6_of_odd_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
