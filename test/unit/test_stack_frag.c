/* Stacks and fragments: datagrams of 65,535 bytes both ways, cut by hosts and by routers, what is told when pieces are missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/frag4.h"
#include "stacks.h"

#define A 0x0a000001u    /* host a: 10.0.0.1 on the first wire, its router 10.0.0.254 */
#define A_GW 0x0a0000feu
#define B 0x0a010001u    /* host b: 10.1.0.1, its router 10.1.0.254 */
#define B_GW 0x0a0100feu

enum { UDP_MAX = 65507, PING_MAX = 65515 };

static uint8_t noise[70000], got[70000];

/* a - r - b; the first wire has 1500 bytes, the second mtu. Stacks 0, 1, 2. */
static struct net *line(uint32_t mtu)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	for (uint32_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	net_link(t, a, r, 4096, 1500, 0, 0, &ia, &ra);
	net_link(t, r, b, 4096, mtu, 0, 0, &rb, &ib);
	assert_int_equal(net_addr(a, ia, A, 24), 0);
	assert_int_equal(net_addr(r, ra, A_GW, 24), 0);
	assert_int_equal(net_addr(r, rb, B_GW, 24), 0);
	assert_int_equal(net_addr(b, ib, B, 24), 0);
	assert_int_equal(net_route(a, 0, 0, A_GW), 0);
	assert_int_equal(net_route(b, 0, 0, B_GW), 0);
	/* all know their neighbours: what waits for ARP is bounded, and is another test's subject */
	via_sock s = net_open(a, VIA_PING);
	struct via_sockaddr at = net_at(B, 0);
	icmp4_emit(got, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = 1});
	assert_int_equal(via_sendto(a, s, got, 8, 0, &at), 8);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recv(a, s, got, sizeof(got), 0), 8);
	via_close(a, s);
	return t;
}

static void discover(struct via *v, via_sock s, int how)
{
	assert_int_equal(via_setsockopt(v, s, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
}

static via_sock bound(struct via *v, uint32_t addr, uint16_t port)
{
	via_sock s = net_open(v, VIA_DGRAM);
	struct via_sockaddr at = net_at(addr, port);
	int big = 1 << 20;
	struct via_change set = {.kind = VIA_SET, .setting = VIA_SET_RMEM_MAX, .value = 1 << 22};
	assert_int_equal(via_configure(v, &set), 0);
	assert_int_equal(via_setsockopt(v, s, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big)), 0);
	assert_int_equal(via_bind(v, s, &at), 0);
	return s;
}

/* n bytes from one to the other arrive as they are, once. */
static void carries(struct net *t, int from, via_sock s, int to, via_sock r, uint32_t dst, uint32_t n)
{
	struct via_sockaddr at = net_at(dst, 7);
	assert_int_equal(via_sendto(t->v[from], s, noise, n, 0, &at), n);
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(via_recv(t->v[to], r, got, sizeof(got), 0), n);
	assert_memory_equal(got, noise, n);
	assert_int_equal(via_recv(t->v[to], r, got, sizeof(got), 0), -EAGAIN);
}

static void req_IP4_008__datagrams_of_65535_bytes_both_ways(void **state)
{
	static const uint32_t mtus[] = {1500, 576, 296, 9000};
	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		struct net *t = line(mtus[i]);
		via_sock a = bound(t->v[0], A, 7), b = bound(t->v[2], B, 7);
		discover(t->v[0], a, IP_PMTUDISC_DONT);
		carries(t, 0, a, 2, b, B, UDP_MAX); /* cut by the host, and by the router again */
		carries(t, 2, b, 0, a, A, UDP_MAX);
		carries(t, 0, a, 2, b, B, 1473);
		carries(t, 0, a, 2, b, B, 1472);
		struct via_sockaddr at = net_at(B, 7);
		assert_int_equal(via_sendto(t->v[0], a, noise, UDP_MAX + 1, 0, &at), -EMSGSIZE);
		assert_int_equal(net_counter(t->v[2], "frag.datagrams"), mtus[i] < 1500 ? 3 : 2);
		assert_int_equal(t->seen.drops, 0);
		assert_int_equal(pktmem_blks_used(&t->mem), 0);
		net_free(t);
	}
}

static void req_IC4_003__echo_of_65507_bytes(void **state)
{
	static const uint32_t mtus[] = {1500, 576};
	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		struct net *t = line(mtus[i]);
		via_sock s = net_open(t->v[0], VIA_PING);
		struct via_sockaddr at = net_at(B, 0);
		int big = 1 << 20;
		struct via_change set = {.kind = VIA_SET, .setting = VIA_SET_RMEM_MAX, .value = 1 << 22};
		assert_int_equal(via_configure(t->v[0], &set), 0);
		assert_int_equal(via_setsockopt(t->v[0], s, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big)), 0);
		discover(t->v[0], s, IP_PMTUDISC_DONT);
		icmp4_emit(noise, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = 5});
		for (uint32_t n = 8; n <= PING_MAX; n += n < 3000 ? 373 : (PING_MAX - 3000) / 4) {
			assert_int_equal(via_sendto(t->v[0], s, noise, n, 0, &at), n);
			assert_true(net_run(t, t->now + NS_PER_S));
			assert_int_equal(via_recv(t->v[0], s, got, sizeof(got), 0), n);
			assert_int_equal(got[0], ICMP4_ECHO_REPLY);
			assert_memory_equal(got + 8, noise + 8, n - 8);
		}
		assert_int_equal(via_sendto(t->v[0], s, noise, PING_MAX, 0, &at), PING_MAX);
		assert_true(net_run(t, t->now + NS_PER_S));
		assert_int_equal(via_recv(t->v[0], s, got, sizeof(got), 0), PING_MAX);
		assert_memory_equal(got + 8, noise + 8, PING_MAX - 8);
		assert_int_equal(t->seen.drops, 0);
		net_free(t);
	}
}

/* Linux's IP_MTU_DISCOVER: who may cut. */
static void req_IP4_013__cut_only_without_do_not_fragment(void **state)
{
	struct net *t = line(600);
	via_sock a = bound(t->v[0], A, 7), b = bound(t->v[2], B, 7);
	struct via_sockaddr at = net_at(B, 7);
	assert_int_equal(via_connect(t->v[0], a, &at), 0);
	/* WANT, the default: what fits our link says "do not fragment", and the router tells */
	assert_int_equal(via_send(t->v[0], a, noise, 1400, 0), 1400);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_UNREACH, ICMP4_UNREACH_FRAG, 1}), 3);
	assert_int_equal(t->seen.last_icmp_rest, 600);
	assert_int_equal(via_recv(t->v[0], a, got, 1, 0), -EMSGSIZE);
	assert_int_equal(net_counter(t->v[0], "frag.made"), 0);
	/* now the path is known: cut here, none in the router */
	carries(t, 0, a, 2, b, B, 1400);
	assert_int_equal(net_counter(t->v[0], "frag.cut"), 1);
	assert_int_equal(net_counter(t->v[0], "frag.made"), 3);
	assert_int_equal(net_counter(t->v[1], "frag.made"), 0);
	/* DO: never */
	discover(t->v[0], a, IP_PMTUDISC_DO);
	assert_int_equal(via_send(t->v[0], a, noise, 573, 0), -EMSGSIZE);
	carries(t, 0, a, 2, b, B, 572);
	/* PROBE: what was learnt of the path does not count, the link's own limit does */
	discover(t->v[0], a, IP_PMTUDISC_PROBE);
	assert_int_equal(via_send(t->v[0], a, noise, 1473, 0), -EMSGSIZE);
	assert_int_equal(via_send(t->v[0], a, noise, 1472, 0), 1472);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_IP_MTU], 2);
	assert_int_equal(via_recv(t->v[0], a, got, 1, 0), -EMSGSIZE);
	/* DONT: the router may, too */
	discover(t->v[2], b, IP_PMTUDISC_DONT);
	carries(t, 2, b, 0, a, A, 572);
	struct via *fresh = t->v[2];
	assert_int_equal(net_counter(fresh, "frag.cut"), 0);
	net_free(t);
}

/* ---- by hand ---- */

static void inject(struct net *t, uint16_t id, uint32_t off, uint32_t n, bool more, uint8_t proto)
{
	static const uint8_t from[6] = {2, 9, 9, 9, 9, 9};
	struct ip4_hdr h = {.ttl = 9, .proto = proto, .src = A, .dst = B, .id = id, .frag = (uint16_t)(off / 8 | (more ? IP4_MF : 0)),
			    .total_len = (uint16_t)(IP4_HLEN + n)};
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	eth_emit(pkt_put(p, ETH_HLEN), iface_at(t->v[2], 2)->mac, from, ETHERTYPE_IP4);
	ip4_emit(pkt_put(p, IP4_HLEN), &h);
	assert_int_equal(pkt_append(&t->mem, p, noise + off, n), 0);
	p->m.rx_ns = t->now;
	via_rx_burst(t->v[2], 2, &p, 1, t->now);
}

static void req_IP4_009__time_exceeded_only_with_the_first_fragment(void **state)
{
	for (int has_first = 0; has_first < 2; has_first++) {
		struct net *t = line(1500);
		uint32_t pkts = pktmem_pkts_used(&t->mem);
		inject(t, 1, 800, 800, true, IPPROTO_N_UDP);
		if (has_first)
			inject(t, 1, 0, 800, true, IPPROTO_N_UDP);
		assert_true(net_run(t, t->now + 59 * NS_PER_S));
		assert_int_equal(t->seen.last_icmp[2], 0);
		assert_int_equal(pktmem_pkts_used(&t->mem), pkts + 1 + (uint32_t)has_first);
		assert_true(net_run(t, t->now + 3 * NS_PER_S)); /* 60 s: RFC 1122 §3.3.2 */
		assert_int_equal(t->seen.last_icmp[2], has_first);
		if (has_first) {
			assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_TIME_EXCEEDED, 1}), 2);
			assert_int_equal(t->seen.last_icmp_src, B);
		}
		assert_int_equal(net_counter(t->v[2], "drop.frag.timeout"), 1 + (uint64_t)has_first);
		assert_int_equal(t->seen.dropped[DROP_FRAG_TIMEOUT], 1 + (uint32_t)has_first);
		assert_int_equal(pktmem_pkts_used(&t->mem), pkts);
		net_free(t);
	}
}

/* Nothing is told about a later fragment, nothing twice (IC4-002); a whole datagram is answered as any other. */
static void req_IC4_002__errors_about_fragments(void **state)
{
	struct net *t = line(1500);
	put_be16(noise + 4, 2000); /* a UDP header: length, no checksum, a port where nobody listens */
	put_be16(noise + 6, 0);
	inject(t, 1, 0, 1000, true, IPPROTO_N_UDP);
	inject(t, 1, 1000, 1000, false, IPPROTO_N_UDP);
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(net_counter(t->v[2], "drop.udp.no_socket"), 1);
	assert_int_equal(net_counter(t->v[2], "icmp.errors_sent"), 1);
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_UNREACH, ICMP4_UNREACH_PORT, 1}), 3);
	inject(t, 2, 1000, 1000, false, 99);
	inject(t, 2, 0, 1000, true, 99);
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(net_counter(t->v[2], "icmp.errors_sent"), 2);
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_UNREACH, ICMP4_UNREACH_PROTO, 1}), 3);
	/* a router looks at no fragment that passes: the second one of an expired pair is not told of */
	net_free(t);
}

/* Every fragment that came is part of a datagram, dropped by name, or still waits. */
static void frag__each_one_is_counted_once(void **state)
{
	struct net *t = line(1500);
	struct via *b = t->v[2];
	uint64_t in = net_counter(b, "ip.in"), local = net_counter(b, "ip.local");
	inject(t, 1, 0, 800, true, 99);
	inject(t, 1, 800, 80, true, 99);
	inject(t, 1, 800, 80, true, 99);  /* duplicate */
	inject(t, 1, 840, 80, true, 99);  /* overlap: three go */
	inject(t, 2, 0, 800, true, 99);
	inject(t, 2, 800, 800, false, 99); /* a whole one */
	inject(t, 3, 0, 8, true, IPPROTO_N_TCP); /* tiny */
	inject(t, 4, 8, 7, true, 99);     /* not a multiple of 8 */
	inject(t, 5, 65528, 100, false, 99); /* beyond the end */
	inject(t, 6, 0, 800, true, 99);   /* waits */
	assert_int_equal(net_counter(b, "ip.in") - in, 10);
	assert_int_equal(net_counter(b, "ip.local") - local, 1);
	assert_int_equal(net_counter(b, "frag.joined"), 2);
	assert_int_equal(net_counter(b, "frag.datagrams"), 1);
	assert_int_equal(net_counter(b, "drop.frag.duplicate"), 1);
	assert_int_equal(net_counter(b, "drop.frag.overlap"), 3);
	assert_int_equal(net_counter(b, "drop.frag.tiny"), 1);
	assert_int_equal(net_counter(b, "drop.frag.bad"), 2);
	assert_int_equal(t->seen.dropped[DROP_FRAG_OVERLAP], 2); /* the copied one has no packet any more */
	assert_int_equal(iface_at(b, 2)->rx_dropped, 1 + 2 + 1 + 2 + 1);
	net_free(t);
}

/* TCP in fragments is TCP: what a path with a smaller router cuts, if somebody sends it without "do not fragment". */
static void frag__a_segment_of_tcp_in_fragments(void **state)
{
	struct net *t = line(1500);
	uint8_t tcp[1200] = {0};
	put_be16(tcp, 4000);
	put_be16(tcp + 2, 4001);
	put_be32(tcp + 4, 77);
	tcp[12] = 0x50;
	tcp[13] = TCP_SYN;
	put_be16(tcp + 16, csum_field(csum_add(ip4_pseudo(A, B, IPPROTO_N_TCP, sizeof(tcp)), tcp, sizeof(tcp))));
	memcpy(noise, tcp, sizeof(tcp));
	inject(t, 1, 600, 600, false, IPPROTO_N_TCP);
	inject(t, 1, 0, 600, true, IPPROTO_N_TCP);
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(net_counter(t->v[2], "drop.tcp.no_socket"), 1);
	assert_int_equal(net_counter(t->v[2], "tcp.out_rsts"), 1);
	net_free(t);
}

/* Reassembly is a host's business: what passes through a router is never held there. */
static void req_RT4_010__a_router_puts_nothing_together(void **state)
{
	struct net *t = line(1500);
	via_sock a = bound(t->v[0], A, 7), b = bound(t->v[2], B, 7);
	carries(t, 0, a, 2, b, B, 20000);
	assert_int_equal(net_counter(t->v[1], "frag.joined"), 0);
	assert_int_equal(t->v[1]->st->reasm.pool.n_peak, 0);
	/* but packets for itself it does */
	via_sock r = bound(t->v[1], A_GW, 7);
	carries(t, 0, a, 1, r, A_GW, 20000);
	assert_int_equal(net_counter(t->v[1], "frag.datagrams"), 1);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP4_008__datagrams_of_65535_bytes_both_ways),
		cmocka_unit_test(req_IC4_003__echo_of_65507_bytes),
		cmocka_unit_test(req_IP4_013__cut_only_without_do_not_fragment),
		cmocka_unit_test(req_IP4_009__time_exceeded_only_with_the_first_fragment),
		cmocka_unit_test(req_IC4_002__errors_about_fragments),
		cmocka_unit_test(frag__each_one_is_counted_once),
		cmocka_unit_test(frag__a_segment_of_tcp_in_fragments),
		cmocka_unit_test(req_RT4_010__a_router_puts_nothing_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
