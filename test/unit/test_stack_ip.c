/* Stacks on pipes: ping, UDP, neighbours, loopback, ICMP errors to the sender, push-back. All in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define IP_A 0x0a000001u
#define IP_B 0x0a000002u

/* a and b on one wire. */
static struct net *two(uint32_t limit, uint32_t gso, int room)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	net_link(t, a, b, limit, 1500, gso, room, &ia, &ib);
	assert_int_equal(net_addr(a, ia, IP_A, 24), 0);
	assert_int_equal(net_addr(b, ib, IP_B, 24), 0);
	return t;
}

static void ping_send(struct via *v, via_sock s, uint32_t to, uint16_t seq, uint32_t len, int64_t want)
{
	uint8_t msg[2000];
	struct via_sockaddr at = net_at(to, 0);
	for (uint32_t i = 0; i < len; i++)
		msg[i] = (uint8_t)(i + seq);
	icmp4_emit(msg, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = seq});
	assert_int_equal(via_sendto(v, s, msg, len, 0, &at), want);
}

static void ping_expect(struct via *v, via_sock s, uint32_t from, uint16_t seq, uint32_t len)
{
	uint8_t msg[2000];
	struct via_sockaddr at;
	struct icmp4_hdr h;
	assert_int_equal(via_recvfrom(v, s, msg, sizeof(msg), 0, &at, NULL), len);
	assert_int_equal(via_addr_to_v4(&at.addr), from);
	assert_int_equal(icmp4_parse(msg, len, &h), 0);
	assert_int_equal(h.type, ICMP4_ECHO_REPLY);
	assert_int_equal(h.rest & 0xffff, seq);
	for (uint32_t i = 8; i < len; i++)
		assert_int_equal(msg[i], (uint8_t)(i + seq));
}

static void req_IC4_003__ping_across_a_wire(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_PING);
	for (uint16_t seq = 1; seq <= 20; seq++) {
		ping_send(t->v[0], s, IP_B, seq, 8 + seq * 60u, 8 + seq * 60);
		assert_true(net_run(t, t->now + NS_PER_MS));
		ping_expect(t->v[0], s, IP_B, seq, 8 + seq * 60u);
	}
	assert_int_equal(net_counter(t->v[1], "icmp.echo_answered"), 20);
	/* each announced itself once; one asked, once; answering taught the other */
	assert_int_equal(t->seen.tx_arp, 4);
	assert_int_equal(t->seen.drops, 0);
	net_free(t);
}

static void loopback__own_addresses_and_127(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_PING);
	static const uint32_t to[] = {0x7f000001, 0x7f010203, IP_A};
	assert_true(net_run(t, t->now + NS_PER_MS));
	uint32_t before = t->seen.tx_by[0][2];
	for (uint16_t i = 0; i < 3; i++) {
		ping_send(t->v[0], s, to[i], i, 100, 100);
		assert_true(via_next_deadline(t->v[0]) <= t->now);
		assert_true(net_run(t, t->now + NS_PER_MS));
		ping_expect(t->v[0], s, to[i], i, 100);
	}
	assert_int_equal(t->seen.tx_by[0][2], before); /* IP4-004: nothing left by the wire */
	net_free(t);
}

static void udp__both_ways_and_port_unreachable(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 7777), to = net_at(IP_B, 7777), closed = net_at(IP_B, 7778), from, local;
	char buf[64];
	assert_int_equal(via_bind(t->v[1], r, &at), 0);
	assert_int_equal(via_sendto(t->v[0], s, "hello", 5, 0, &to), 5);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recvfrom(t->v[1], r, buf, sizeof(buf), 0, &from, &local), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(via_addr_to_v4(&from.addr), IP_A);
	assert_int_equal(via_addr_to_v4(&local.addr), IP_B);
	assert_int_equal(via_sendto(t->v[1], r, "hi", 2, 0, &from), 2);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recv(t->v[0], s, buf, sizeof(buf), 0), 2);
	/* req_IC4_004, req_UDP_003 */
	assert_int_equal(via_connect(t->v[0], s, &closed), 0);
	assert_int_equal(via_send(t->v[0], s, "x", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_UNREACH, ICMP4_UNREACH_PORT, 1}), 3);
	assert_int_equal(t->seen.last_icmp_src, IP_B);
	assert_int_equal(via_recv(t->v[0], s, buf, sizeof(buf), 0), -ECONNREFUSED);
	assert_int_equal(net_counter(t->v[1], "drop.udp.no_socket"), 1);
	/* what does not fit the link goes in pieces, unless the user forbids it */
	static char big[3000];
	int how = IP_PMTUDISC_DO;
	assert_int_equal(via_send(t->v[0], s, big, 1473, 0), 1473);
	assert_int_equal(via_setsockopt(t->v[0], s, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
	assert_int_equal(via_send(t->v[0], s, big, 1473, 0), -EMSGSIZE);
	assert_int_equal(via_send(t->v[0], s, big, 1472, 0), 1472);
	net_free(t);
}

/* a, b and c on one switched wire would all hear it; here b stands for everybody. */
static void broadcast__limited_and_directed(void **state)
{
	static const uint32_t to_all[] = {0xffffffff, 0x0a0000ff};
	for (int routed = 0; routed < 2; routed++) {
		struct net *t = two(64, 0, 0);
		via_sock s = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM), own = net_open(t->v[0], VIA_DGRAM);
		via_sock tcp = net_open(t->v[0], VIA_STREAM);
		struct via_sockaddr at = net_at(0, 7777), from, local;
		char buf[64];
		int on = 1;
		if (routed) /* a default route changes nothing: it leaves as a broadcast, not to the gateway */
			assert_int_equal(net_route(t->v[0], 0, 0, IP_B + 1), 0);
		assert_int_equal(via_bind(t->v[1], r, &at), 0);
		assert_int_equal(via_bind(t->v[0], own, &at), 0);
		assert_true(net_run(t, t->now + NS_PER_MS));
		uint32_t arp = t->seen.tx_arp;
		for (int k = 0; k < 2; k++) {
			struct via_sockaddr to = net_at(to_all[k], 7777);
			assert_int_equal(via_setsockopt(t->v[0], s, SOL_SOCKET, SO_BROADCAST, &(int){0}, sizeof(int)), 0);
			assert_int_equal(via_sendto(t->v[0], s, "hello", 5, 0, &to), -EACCES);
			assert_int_equal(via_connect(t->v[0], s, &to), -EACCES);
			assert_int_equal(via_connect(t->v[0], tcp, &to), -ENETUNREACH);
			assert_int_equal(via_setsockopt(t->v[0], s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
			assert_int_equal(via_sendto(t->v[0], s, "hello", 5, 0, &to), 5);
			assert_true(net_run(t, t->now + NS_PER_MS));
			assert_int_equal(via_recvfrom(t->v[1], r, buf, sizeof(buf), 0, &from, &local), 5);
			assert_int_equal(via_addr_to_v4(&from.addr), IP_A);
			assert_int_equal(via_addr_to_v4(&local.addr), to_all[k]);
			assert_int_equal(via_recvfrom(t->v[0], own, buf, sizeof(buf), 0, &from, &local), 5); /* Linux: we hear ourselves */
			assert_int_equal(via_recv(t->v[1], r, buf, sizeof(buf), 0), -EAGAIN);
			assert_int_equal(via_recv(t->v[0], own, buf, sizeof(buf), 0), -EAGAIN);
			/* nobody listens: nobody answers */
			to.port = 7778;
			assert_int_equal(via_sendto(t->v[0], s, "hello", 5, 0, &to), 5);
			assert_true(net_run(t, t->now + NS_PER_MS));
			assert_int_equal(t->seen.last_icmp[2], 0);
		}
		assert_int_equal(t->seen.tx_arp, arp);
		net_free(t);
	}
}

/* The limited broadcast leaves by the interface of the address it is sent from. */
static void broadcast__by_the_bound_interface(void **state)
{
	struct net *t = two(64, 0, 0);
	struct via *c = net_stack(t, "c", false);
	int ia, ic;
	net_link(t, t->v[0], c, 64, 1500, 0, 0, &ia, &ic);
	assert_int_equal(net_addr(t->v[0], ia, 0x0a010001, 24), 0);
	assert_int_equal(net_addr(c, ic, 0x0a010002, 24), 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM), rb = net_open(t->v[1], VIA_DGRAM), rc = net_open(c, VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 7777), from = net_at(0x0a010001, 5), to = net_at(0xffffffff, 7777);
	char buf[8];
	int on = 1;
	via_bind(t->v[1], rb, &at);
	via_bind(c, rc, &at);
	assert_int_equal(via_bind(t->v[0], s, &from), 0);
	via_setsockopt(t->v[0], s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	assert_int_equal(via_sendto(t->v[0], s, "x", 1, 0, &to), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recv(t->v[1], rb, buf, 8, 0), -EAGAIN);
	assert_int_equal(via_recv(c, rc, buf, 8, 0), 1);
	/* and with its link down nowhere */
	pipe_driver(t->pipe[1], 0)->up = false;
	via_iface_updown(t->v[0], ia);
	assert_int_equal(via_sendto(t->v[0], s, "x", 1, 0, &to), -ENETUNREACH);
	net_free(t);
}

static void req_ARP_004__what_waited_is_sent_in_order(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 7777), to = net_at(IP_B, 7777);
	uint32_t got;
	via_bind(t->v[1], r, &at);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(via_sendto(t->v[0], s, &i, 4, 0, &to), 4);
	assert_true(net_run(t, t->now + NS_PER_MS));
	for (uint32_t i = 0; i < 30; i++) {
		assert_int_equal(via_recv(t->v[1], r, &got, 4, 0), 4);
		assert_int_equal(got, i);
	}
	net_free(t);
}

static void req_ARP_003__a_dead_neighbour_is_reported(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr to = net_at(0x0a000063, 9);
	int on = 1;
	char c;
	via_setsockopt(t->v[0], s, SOL_IP, IP_RECVERR, &on, sizeof(on)); /* without it a soft error stays silent, as Linux */
	assert_int_equal(via_connect(t->v[0], s, &to), 0);
	assert_true(net_run(t, t->now + NS_PER_MS));
	uint32_t arp = t->seen.tx_arp;
	int64_t from = t->now;
	assert_int_equal(via_send(t->v[0], s, "x", 1, 0), 1);
	assert_true(net_run(t, from + 2900 * NS_PER_MS));
	assert_int_equal(t->seen.tx_arp - arp, 3);
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -EAGAIN);
	assert_true(net_run(t, from + 3100 * NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_ARP_FAILED], 1);
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -EHOSTUNREACH);
	assert_int_equal(t->seen.tx_arp - arp, 3);
	net_free(t);
}

static void push_back__room_for_one_packet_loses_nothing(void **state)
{
	struct net *t = two(4, 0, 1);
	via_sock s = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 7777), to = net_at(IP_B, 7777);
	uint32_t got;
	via_bind(t->v[1], r, &at);
	assert_int_equal(via_sendto(t->v[0], s, "", 0, 0, &to), 0);
	assert_true(net_run(t, t->now + NS_PER_MS)); /* the neighbour is known now */
	assert_int_equal(via_recv(t->v[1], r, &got, 4, 0), 0);
	uint32_t before = t->seen.tx;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(via_sendto(t->v[0], s, &i, 4, 0, &to), 4);
	assert_true(net_run(t, t->now + NS_PER_S));
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(via_recv(t->v[1], r, &got, 4, 0), 4);
		assert_int_equal(got, i);
	}
	assert_int_equal(t->seen.tx - before, 100); /* each traced once, however often it was offered */
	assert_int_equal(t->seen.drops, 0);
	net_free(t);
}

/* However much arrives, timers fire: here a neighbour that does not answer is given up on time. */
static void poll__a_flood_does_not_stop_the_clock(void **state)
{
	for (int local = 0; local < 2; local++) {
		struct net *t = two(64, 0, 0);
		via_sock flood = net_open(t->v[0], VIA_DGRAM), self = net_open(t->v[1], VIA_DGRAM), s = net_open(t->v[1], VIA_DGRAM);
		struct via_sockaddr to = net_at(IP_B, 7777), dead = net_at(0x0a000063, 9);
		int on = 1, steps = 0;
		char c;
		via_setsockopt(t->v[1], s, SOL_IP, IP_RECVERR, &on, sizeof(on));
		assert_int_equal(via_connect(t->v[1], s, &dead), 0);
		assert_int_equal(via_sendto(t->v[0], flood, "x", 1, 0, &to), 1);
		assert_true(net_run(t, t->now + 10 * NS_PER_MS));
		assert_int_equal(via_send(t->v[1], s, "x", 1, 0), 1);
		for (; steps < 4000 && via_recv(t->v[1], s, &c, 1, 0) == -EAGAIN; steps++) {
			for (int k = 0; k < 12; k++)
				via_sendto(local ? t->v[1] : t->v[0], local ? self : flood, "x", 1, 0, &to);
			t->now += NS_PER_MS;
			via_poll(t->v[0], t->now, 64);
			assert_int_equal(via_poll(t->v[1], t->now, 8), VIA_AGAIN);
		}
		assert_in_range(steps, 2900, 3200);
		net_free(t);
	}
}

static void loopback__is_bounded(void **state)
{
	struct net *t = two(64, 0, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr to = net_at(IP_A, 7777);
	for (uint32_t i = 0; i < LOOPQ_PACKETS_MAX + 100; i++)
		via_sendto(t->v[0], s, "x", 1, 0, &to);
	assert_int_equal(t->v[0]->st->loopq.n, LOOPQ_PACKETS_MAX);
	assert_int_equal(net_counter(t->v[0], "drop.link.queue_full"), 100);
	net_free(t);
}

static void queue__is_bounded(void **state)
{
	struct net *t = two(4, 0, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr to = net_at(IP_B, 7777);
	int refused = 0;
	via_sendto(t->v[0], s, "", 0, 0, &to);
	assert_true(net_run(t, t->now + NS_PER_MS));
	int on = 1;
	via_setsockopt(t->v[0], s, SOL_IP, IP_RECVERR, &on, sizeof(on)); /* Linux tells of local drops only then */
	for (int i = 0; i < 1500; i++)
		refused += via_sendto(t->v[0], s, "x", 1, 0, &to) != 1;
	assert_true(iface_at(t->v[0], 2)->q.n <= IFQ_PACKETS_MAX);
	assert_int_equal(refused, 1500 - IFQ_PACKETS_MAX);
	assert_int_equal(net_counter(t->v[0], "drop.link.queue_full"), 1500 - IFQ_PACKETS_MAX);
	struct via_iface_info info = {.size = sizeof(info)};
	assert_true(via_iface_get(t->v[0], 1, &info));
	assert_string_equal(info.name, "eth0");
	assert_int_equal(info.tx_dropped, 1500 - IFQ_PACKETS_MAX);
	net_free(t);
}

static void queue__is_fair_between_flows(void **state)
{
	struct net *t = two(1, 0, 1);
	via_sock bulk = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 7777), to = net_at(IP_B, 7777);
	static char big[1472];
	int on = 4 << 20, place = -1;
	via_bind(t->v[1], r, &at);
	via_setsockopt(t->v[1], r, SOL_SOCKET, SO_RCVBUF, &on, sizeof(on));
	via_sendto(t->v[0], bulk, "", 0, 0, &to);
	assert_true(net_run(t, t->now + NS_PER_MS));
	for (int i = 0; i < 400; i++)
		assert_int_equal(via_sendto(t->v[0], bulk, big, sizeof(big), 0, &to), sizeof(big));
	for (int k = 0; k < 8; k++) { /* several small flows: at least one is not in the bulk flow's bucket */
		via_sock small = net_open(t->v[0], VIA_DGRAM);
		assert_int_equal(via_sendto(t->v[0], small, "small", 5, 0, &to), 5);
	}
	for (int i = 0; i < 409 && place < 0; i++) {
		for (int k = 0; k < 10 && !(via_ready(t->v[1], r) & VIA_IN); k++)
			assert_true(net_run(t, t->now + NS_PER_MS));
		if (via_recv(t->v[1], r, big, sizeof(big), 0) == 5)
			place = i;
	}
	/* one turn of the bulk flow is a superframe: 44 frames, besides the few that were staged before */
	assert_in_range(place, 1, 44 + 20);
	net_free(t);
}

static void req_IP4_015__strong_host_model(void **state)
{
	for (int router = 0; router < 2; router++) {
		struct net *t = two(64, 0, 0);
		struct via *c = net_stack(t, "c", false);
		int ib, ic;
		net_link(t, t->v[1], c, 64, 1500, 0, 0, &ib, &ic);
		assert_int_equal(net_addr(t->v[1], ib, 0x0a010001, 24), 0);
		assert_int_equal(net_route(t->v[0], 0x0a010000, 24, IP_B), 0);
		struct via_change set = {.kind = VIA_SET, .setting = VIA_SET_FORWARDING, .value = router};
		assert_int_equal(via_configure(t->v[1], &set), 0);
		via_sock s = net_open(t->v[0], VIA_PING);
		ping_send(t->v[0], s, 0x0a010001, 1, 64, 64);
		assert_true(net_run(t, t->now + NS_PER_MS));
		if (router)
			ping_expect(t->v[0], s, 0x0a010001, 1, 64);
		assert_int_equal(net_counter(t->v[1], "drop.ip.not_ours"), !router);
		net_free(t);
	}
}

/* A frame handed to b as if it came by its wire. */
static void inject(struct net *t, struct ip4_hdr *h, const uint8_t *dst_mac, uint32_t body)
{
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	static const uint8_t zero[256], from[6] = {2, 9, 9, 9, 9, 9};
	h->total_len = (uint16_t)(IP4_HLEN + body);
	eth_emit(pkt_put(p, ETH_HLEN), dst_mac, from, ETHERTYPE_IP4);
	ip4_emit(pkt_put(p, IP4_HLEN), h);
	assert_int_equal(pkt_append(&t->mem, p, zero, body), 0);
	p->m.rx_ns = t->now;
	via_rx_burst(t->v[1], 2, &p, 1, t->now);
}

static void req_IP4_003__addresses_from_the_wire(void **state)
{
	struct net *t = two(64, 0, 0);
	const uint8_t *mac = iface_at(t->v[1], 2)->mac;
	static const struct { uint32_t src, dst; const char *counter; } c[] = {
		{0x7f000001, IP_B, "drop.ip.source"}, /* IP4-004 */
		{IP_A, 0x7f000001, "drop.ip.not_ours"},
		{0xe0000001, IP_B, "drop.ip.source"},
		{0x0a0000ff, IP_B, "drop.ip.source"}, /* the wire's broadcast */
		{IP_B, IP_B, "drop.ip.source"},       /* our own */
		{0, IP_B, "drop.ip.source"},
		{IP_A, 0x0b000001, "drop.ip.not_ours"}, /* RT4-001: a host does not forward */
		{IP_A, 0xe0000005, "drop.ip.broadcast"},
	};
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		uint64_t before = net_counter(t->v[1], c[i].counter);
		inject(t, &(struct ip4_hdr){.ttl = 9, .proto = 17, .src = c[i].src, .dst = c[i].dst}, mac, 8);
		assert_int_equal(net_counter(t->v[1], c[i].counter), before + 1);
	}
	assert_true(net_run(t, t->now + 4 * NS_PER_S));
	assert_int_equal(t->seen.last_icmp[2], 0);
	/* TTL 0 and 1 are fine for us (IP4-006): the answer comes from UDP */
	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		uint64_t before = net_counter(t->v[1], "drop.udp.bad");
		inject(t, &(struct ip4_hdr){.ttl = ttl, .proto = 17, .src = IP_A, .dst = IP_B}, mac, 8);
		assert_int_equal(net_counter(t->v[1], "drop.udp.bad"), before + 1);
	}
	net_free(t);
}

static void req_IC4_004__protocol_unreachable(void **state)
{
	struct net *t = two(64, 0, 0);
	const uint8_t *mac = iface_at(t->v[1], 2)->mac;
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	inject(t, &(struct ip4_hdr){.ttl = 9, .proto = 200, .src = IP_A, .dst = IP_B}, mac, 30);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_UNREACH, ICMP4_UNREACH_PROTO, 1}), 3);
	/* IC4-002: not for a link broadcast, nor for a broadcast address */
	memset(t->seen.last_icmp, 0, 3);
	inject(t, &(struct ip4_hdr){.ttl = 9, .proto = 200, .src = IP_A, .dst = IP_B}, everybody, 30);
	inject(t, &(struct ip4_hdr){.ttl = 9, .proto = 200, .src = IP_A, .dst = 0x0a0000ff}, everybody, 30);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.last_icmp[2], 0);
	/* a frame for another station */
	static const uint8_t other[6] = {2, 7, 7, 7, 7, 7};
	inject(t, &(struct ip4_hdr){.ttl = 9, .proto = 200, .src = IP_A, .dst = IP_B}, other, 30);
	assert_int_equal(net_counter(t->v[1], "drop.eth.other_host"), 1);
	net_free(t);
}

static void configure__errors_and_generation(void **state)
{
	struct net *t = two(64, 0, 0);
	struct via *a = t->v[0];
	uint32_t gen = a->st->gen;
	assert_int_equal(net_addr(a, 2, IP_A, 24), -EEXIST);
	assert_int_equal(net_addr(a, 9, IP_A + 9, 24), -ENODEV);
	assert_int_equal(net_addr(a, 2, 0xe0000001, 24), -EINVAL);
	assert_int_equal(net_route(a, 0, 0, 0x0b000001), -ENETUNREACH);
	assert_int_equal(net_route(a, 0, 0, IP_A), -EINVAL);
	assert_int_equal(a->st->gen, gen);
	assert_int_equal(net_route(a, 0, 0, IP_B), 0);
	assert_int_equal(net_route(a, 0, 0, IP_B), -EEXIST);
	assert_int_not_equal(a->st->gen, gen);
	struct via_route_info r = {.size = sizeof(r)};
	assert_true(via_route_get(a, 0, &r));
	assert_int_equal(r.plen, 24);
	assert_true(via_route_get(a, 1, &r));
	assert_int_equal(r.plen, 0);
	assert_int_equal(r.ifindex, 2);
	assert_int_equal(via_addr_to_v4(&r.gateway), IP_B);
	assert_false(via_route_get(a, 2, &r));
	struct via_addr dns;
	struct via_change set_dns = {.kind = VIA_SET, .setting = VIA_SET_DNS, .addr = via_addr_v4(IP_B)};
	assert_false(via_dns_get(a, &dns));
	assert_int_equal(via_configure(a, &set_dns), 0);
	assert_true(via_dns_get(a, &dns));
	assert_int_equal(via_addr_to_v4(&dns), IP_B);
	struct via_addr_info ai = {.size = sizeof(ai)};
	assert_true(via_addr_get(a, 1, &ai));
	assert_true(via_addr_get(a, 2, &ai)); /* 127.0.0.1, ::1 and its own */
	assert_false(via_addr_get(a, 3, &ai));
	struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = 2, .addr = via_addr_v4(IP_A)};
	assert_int_equal(via_configure(a, &del), 0);
	assert_int_equal(via_configure(a, &del), -EADDRNOTAVAIL);
	assert_true(via_route_get(a, 0, &r));
	assert_int_equal(r.plen, 0);
	assert_int_equal(via_iface_remove(a, 2), 0);
	assert_false(via_route_get(a, 0, &r));
	assert_int_equal(via_iface_remove(a, 2), -ENODEV);
	net_free(t);
}

static int hook_calls[HOOK_COUNT], hook_order, hook_last[HOOK_COUNT];
static enum hook_point hook_refuses = HOOK_COUNT;

static enum drop hook_note(enum hook_point at, struct pkt *p)
{
	assert_int_equal(pkt_data(p)[0] >> 4, 4); /* it begins at its IP header */
	hook_calls[at]++;
	hook_last[at] = ++hook_order;
	return at == hook_refuses ? DROP_LINK_LOSS : DROP_NONE;
}
static enum drop hook_pre(struct via *v, struct pkt *p, uint16_t in, uint16_t out) { return hook_note(HOOK_PRE_ROUTE, p); }
static enum drop hook_in(struct via *v, struct pkt *p, uint16_t in, uint16_t out) { return hook_note(HOOK_LOCAL_IN, p); }
static enum drop hook_fwd(struct via *v, struct pkt *p, uint16_t in, uint16_t out) { return hook_note(HOOK_FORWARD, p); }
static enum drop hook_out(struct via *v, struct pkt *p, uint16_t in, uint16_t out) { return hook_note(HOOK_LOCAL_OUT, p); }
static enum drop hook_post(struct via *v, struct pkt *p, uint16_t in, uint16_t out) { return hook_note(HOOK_POST_ROUTE, p); }

static void hooks__stand_on_the_lines_in_order(void **state)
{
	static const struct stack_hooks hooks = {{hook_pre, hook_in, hook_fwd, hook_out, hook_post}};
	for (int refuse = HOOK_PRE_ROUTE; refuse <= HOOK_COUNT; refuse++) {
		struct net *t = two(64, 0, 0);
		via_sock s = net_open(t->v[0], VIA_PING);
		memset(hook_calls, 0, sizeof(hook_calls));
		hook_refuses = (enum hook_point)refuse;
		t->v[1]->hooks = &hooks;
		ping_send(t->v[0], s, IP_B, 1, 64, 64);
		assert_true(net_run(t, t->now + NS_PER_MS));
		uint8_t msg[64];
		bool through = refuse == HOOK_FORWARD || refuse == HOOK_COUNT;
		assert_int_equal(via_recv(t->v[0], s, msg, sizeof(msg), 0), through ? 64 : -EAGAIN);
		assert_int_equal(t->seen.dropped[DROP_LINK_LOSS], !through);
		if (through) {
			assert_int_equal(hook_calls[HOOK_FORWARD], 0);
			assert_true(hook_last[HOOK_PRE_ROUTE] < hook_last[HOOK_LOCAL_IN] && hook_last[HOOK_LOCAL_IN] < hook_last[HOOK_LOCAL_OUT] &&
				    hook_last[HOOK_LOCAL_OUT] < hook_last[HOOK_POST_ROUTE]);
		}
		net_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IC4_003__ping_across_a_wire), cmocka_unit_test(loopback__own_addresses_and_127),
		cmocka_unit_test(udp__both_ways_and_port_unreachable), cmocka_unit_test(broadcast__limited_and_directed),
		cmocka_unit_test(broadcast__by_the_bound_interface), cmocka_unit_test(req_ARP_004__what_waited_is_sent_in_order),
		cmocka_unit_test(req_ARP_003__a_dead_neighbour_is_reported), cmocka_unit_test(push_back__room_for_one_packet_loses_nothing),
		cmocka_unit_test(queue__is_bounded), cmocka_unit_test(poll__a_flood_does_not_stop_the_clock),
		cmocka_unit_test(loopback__is_bounded), cmocka_unit_test(queue__is_fair_between_flows),
		cmocka_unit_test(req_IP4_015__strong_host_model), cmocka_unit_test(req_IP4_003__addresses_from_the_wire),
		cmocka_unit_test(req_IC4_004__protocol_unreachable), cmocka_unit_test(configure__errors_and_generation),
		cmocka_unit_test(hooks__stand_on_the_lines_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
