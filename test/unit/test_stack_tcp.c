/* TCP through whole stacks: transfers, push-back, superframes by reference, path MTU, equal paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack_flow.h"

#define IP_A 0x0a000001u
#define IP_B 0x0a000002u

static struct net *two(uint32_t limit, uint32_t mtu, uint32_t gso, int room)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	net_link(t, a, b, limit, mtu, gso, room, &ia, &ib);
	assert_int_equal(net_addr(a, ia, IP_A, 24), 0);
	assert_int_equal(net_addr(b, ib, IP_B, 24), 0);
	return t;
}

static uint64_t retransmitted(struct via *v, via_sock s)
{
	struct via_sock_info i = {.size = sizeof(i)};
	assert_int_equal(via_sock_info(v, s, &i), 0);
	return i.segs_retrans;
}

static void tcp__a_megabyte_over_frames(void **state)
{
	struct net *t = two(256, 1500, 0, 0);
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 1 << 20);
	flow_finish(t, &f, 1, 60 * NS_PER_S);
	assert_int_equal(t->seen.tx_super, 0); /* cut before a driver that cannot */
	assert_int_equal(t->seen.drops, 0);
	net_free(t);
}

static void tcp__room_for_one_packet(void **state)
{
	struct net *t = two(1, 1500, 0, 1);
	struct flow f[3];
	for (int i = 0; i < 3; i++)
		f[i] = flow_open(t, t->v[0], t->v[1], IP_B, (uint16_t)(80 + i), 300000);
	for (int i = 0; i < 3; i++)
		flow_step(&f[i]);
	assert_true(net_run(t, t->now + 20 * NS_PER_S));
	for (int i = 0; i < 3; i++)
		assert_int_equal(retransmitted(f[i].from, f[i].out), 0); /* waiting below is no loss */
	flow_finish(t, f, 3, 60 * NS_PER_S);
	assert_int_equal(t->seen.dropped[DROP_IF_QUEUE_FULL], 0);
	net_free(t);
}

/* A link of 68 and 100 bytes: segments too small for a receiver to take them in superframes (net/gso.h). */
static void superframe__none_of_tiny_packets(void **state)
{
	static const uint32_t mtu[] = {68, 100, 127, 128};
	for (size_t i = 0; i < ARRAY_LEN(mtu); i++) {
		struct net *t = two(64, mtu[i], 65535, 0);
		struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 20000);
		flow_finish(t, &f, 1, 60 * NS_PER_S);
		assert_int_equal(t->seen.drops, 0);
		assert_int_equal(t->seen.tx_super > 0, mtu[i] == 128);
		net_free(t);
	}
}

static void superframe__crosses_by_reference(void **state)
{
	struct net *t = two(256, 1500, 65535, 0);
	for (int i = 0; i < 4; i++) /* buffers that hold it all */
		via_configure(t->v[i / 2], &(struct via_change){.kind = VIA_SET, .setting = i % 2 ? VIA_SET_TCP_RMEM : VIA_SET_TCP_WMEM,
								.value = 2 << 20});
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 400000);
	uint32_t most = 0;
	int64_t until = t->now + 10 * NS_PER_S;
	/* let it all arrive before anything is read */
	while (f.sent < f.total && t->now < until) {
		uint8_t buf[8192];
		uint32_t n = (uint32_t)MIN(f.total - f.sent, sizeof(buf));
		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(f.sent + i);
		int64_t k = via_send(f.from, f.out, buf, n, 0);
		f.sent += k > 0 ? (uint64_t)k : 0;
		if (k < 0)
			break;
	}
	uint32_t queued = pktmem_blks_used(&t->mem);
	for (int i = 0; i < 100; i++) {
		assert_true(net_run(t, t->now + NS_PER_MS));
		most = MAX(most, pktmem_blks_used(&t->mem));
	}
	assert_true(t->seen.tx_super > 3);
	/* The receiver holds the very blocks the sender filled: no copy was made, so their number never grew. */
	assert_true(most <= queued + 2);
	assert_in_range(pktmem_blks_used(&t->mem), queued / 2, queued + 2);
	flow_finish(t, &f, 1, 60 * NS_PER_S);
	assert_int_equal(pktmem_blks_used(&t->mem), 0);
	net_free(t);
}

static void superframe__blocks_are_the_same_at_both_ends(void **state)
{
	struct net *t = two(256, 1500, 65535, 0);
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 30000);
	struct via_iov in[32], out[32];
	int n = via_send_reserve(f.from, f.out, out, 32, 30000);
	assert_true(n > 0);
	uint64_t at = 0;
	for (int i = 0; i < n; i++)
		for (uint32_t k = 0; k < out[i].len; k++)
			((uint8_t *)out[i].base)[k] = byte_at(at++);
	assert_int_equal(via_send_commit(f.from, f.out, (uint32_t)at), 0);
	f.sent = at;
	assert_true(net_run(t, t->now + NS_PER_S));
	int m = via_recv_peek(f.to, f.in, in, 32);
	assert_true(m > 0);
	int same = 0;
	for (int i = 0; i < m; i++)
		for (int k = 0; k < n; k++)
			same += (uint8_t *)in[i].base >= (uint8_t *)out[k].base && (uint8_t *)in[i].base < (uint8_t *)out[k].base + out[k].len;
	assert_int_equal(same, m);
	flow_finish(t, &f, 1, 60 * NS_PER_S);
	net_free(t);
}

static void loopback__tcp_to_oneself(void **state)
{
	struct net *t = two(64, 1500, 0, 0);
	struct flow f[2];
	f[0] = flow_open(t, t->v[0], t->v[0], 0x7f000001, 80, 500000);
	f[1] = flow_open(t, t->v[0], t->v[0], IP_A, 81, 500000);
	uint32_t wire = t->seen.tx_by[0][2];
	flow_finish(t, f, 2, 60 * NS_PER_S);
	assert_int_equal(t->seen.tx_by[0][2], wire);
	net_free(t);
}

/* a - r - b with the second link of another MTU and kind. Stacks 0, 1, 2. */
static struct net *line(uint32_t gso1, uint32_t mtu2, uint32_t gso2)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	net_link(t, a, r, 256, 1500, gso1, 0, &ia, &ra);
	net_link(t, r, b, 256, mtu2, gso2, 0, &rb, &ib);
	net_addr(a, ia, IP_A, 24);
	net_addr(r, ra, 0x0a0000fe, 24);
	net_addr(r, rb, 0x0a0100fe, 24);
	net_addr(b, ib, 0x0a010001, 24);
	net_route(a, 0, 0, 0x0a0000fe);
	net_route(b, 0, 0, 0x0a0100fe);
	return t;
}

static void forward__superframe_whole_or_cut(void **state)
{
	for (int clean = 0; clean < 2; clean++) {
		struct net *t = line(65535, 1500, clean ? 65535 : 0);
		struct flow f = flow_open(t, t->v[0], t->v[2], 0x0a010001, 80, 1 << 20);
		flow_finish(t, &f, 1, 60 * NS_PER_S);
		assert_true(t->seen.tx_super > 0);
		assert_int_equal(t->seen.drops, 0);
		uint64_t n = net_counter(t->v[1], "ip.forwarded");
		assert_true(n > (1 << 20) / 1460); /* segments are counted, not superframes */
		if (clean)
			assert_true(t->seen.tx_by[1][3] < n / 4);
		else
			assert_true(t->seen.tx_by[1][3] >= (1 << 20) / 1460);
		net_free(t);
	}
}

static void path_mtu__a_smaller_link_behind_a_router(void **state)
{
	struct net *t = line(0, 1500, 0);
	struct flow f = flow_open(t, t->v[0], t->v[2], 0x0a010001, 80, 300000);
	flow_step(&f);
	iface_at(t->v[1], 3)->mtu = 800; /* the far link has become smaller; nobody told a */
	flow_finish(t, &f, 1, 60 * NS_PER_S);
	assert_true(t->seen.dropped[DROP_IP_MTU] > 0);
	assert_int_equal(t->seen.last_icmp_rest, 800);
	net_free(t);
}

/* "Fragmentation needed" about a segment of f with sequence number seq, as if it came to stack 0 by its wire. */
static void forge_frag_needed(struct net *t, const struct flow *f, uint32_t seq, uint16_t mtu)
{
	struct via_sockaddr local, remote;
	via_local(f->from, f->out, &local);
	via_peer(f->from, f->out, &remote);
	struct pkt *q = pkt_new(&t->mem, PKT_HEADROOM);
	struct ip4_hdr h = {.ttl = 60, .proto = IPPROTO_N_TCP, .total_len = 1500, .src = via_addr_to_v4(&local.addr),
			    .dst = via_addr_to_v4(&remote.addr)};
	struct tcp_hdr th = {.sport = local.port, .dport = remote.port, .seq = seq, .flags = TCP_ACK};
	q->m.l3 = q->head;
	ip4_emit(pkt_put(q, IP4_HLEN), &h);
	tcp_emit(pkt_put(q, TCP_HLEN), &th);
	struct pkt *p = icmp_error_build(&t->mem, q, &(struct icmp4_hdr){.type = ICMP4_UNREACH, .code = ICMP4_UNREACH_FRAG, .rest = mtu});
	static const uint8_t from[6] = {2, 9, 9, 9, 9, 9};
	struct ip4_hdr o = {.ttl = 60, .proto = IPPROTO_N_ICMP, .total_len = (uint16_t)(p->len + IP4_HLEN), .src = 0x0a0000fe, .dst = h.src};
	ip4_emit(pkt_push(p, IP4_HLEN), &o);
	eth_emit(pkt_push(p, ETH_HLEN), iface_at(f->from, 2)->mac, from, ETHERTYPE_IP4);
	p->m.rx_ns = t->now;
	via_rx_burst(f->from, 2, &p, 1, t->now);
	pkt_free(&t->mem, q);
}

static uint32_t pmtu_of(struct net *t, const struct flow *f)
{
	struct via_sockaddr local, remote;
	ref_t r;
	via_local(f->from, f->out, &local);
	via_peer(f->from, f->out, &remote);
	assert_int_equal(path_get(f->from, &local.addr, &remote.addr, &r), 0);
	uint32_t mtu = path_at(f->from, r)->p.pmtu;
	path_drop(f->from, r);
	return mtu;
}

static void req_PM_003__forged_frag_needed_changes_nothing(void **state)
{
	struct net *t = line(0, 1500, 0);
	struct flow f = flow_open(t, t->v[0], t->v[2], 0x0a010001, 80, 3000000);
	struct via_sock_info i = {.size = sizeof(i)};
	via_sock_info(f.from, f.out, &i);
	forge_frag_needed(t, &f, i.iss + 1, 900); /* nothing is in flight */
	assert_int_equal(pmtu_of(t, &f), 1500);
	flow_step(&f);
	via_flush(f.from, t->now);
	forge_frag_needed(t, &f, i.iss + 0x40000000, 900);
	forge_frag_needed(t, &f, i.iss, 900);
	assert_int_equal(pmtu_of(t, &f), 1500);
	forge_frag_needed(t, &f, i.iss + 1, 1400); /* this one is */
	assert_int_equal(pmtu_of(t, &f), 1400);
	forge_frag_needed(t, &f, i.iss + 1, 1450); /* PM-001: not below the current one */
	assert_int_equal(pmtu_of(t, &f), 1400);
	flow_finish(t, &f, 1, 60 * NS_PER_S);
	net_free(t);
}

static void equal_paths__a_host_with_two_gateways(void **state)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *g[2], *b;
	int ia, ig, ib, used = 0;
	g[0] = net_stack(t, "g0", true);
	g[1] = net_stack(t, "g1", true);
	b = net_stack(t, "b", false);
	for (uint32_t k = 0; k < 2; k++) {
		net_link(t, a, g[k], 2, 1500, 0, 1, &ia, &ig);
		net_addr(a, ia, 0x0a000001 + (k << 8), 24);
		net_addr(g[k], ig, 0x0a0000fe + (k << 8), 24);
		net_link(t, g[k], b, 64, 1500, 0, 0, &ig, &ib);
		net_addr(g[k], ig, 0x0b0000fe + (k << 8), 24);
		net_addr(b, ib, 0x0b000001 + (k << 8), 24);
		assert_int_equal(net_route(a, 0x0b000000, 24, 0x0a0000fe + (k << 8)), 0);
		assert_int_equal(net_route(b, 0x0a000000, 16, 0x0b0000fe + (k << 8)), 0);
	}
	assert_int_equal(net_route(g[1], 0x0b000000, 24, 0x0b000101), 0);
	assert_int_equal(net_route(g[1], 0x0a000000, 24, 0x0a000101), 0);
	assert_int_equal(net_route(g[0], 0x0a000100, 24, 0x0a000001), 0);
	struct via_change weak = {.kind = VIA_SET, .setting = VIA_SET_FORWARDING, .value = 1};
	via_configure(a, &weak); /* both are reached by their other interface too */
	via_configure(b, &weak);
	struct flow f[12];
	for (int k = 0; k < 12; k++)
		f[k] = flow_open(t, a, b, 0x0b000001, (uint16_t)(80 + k), 200000);
	flow_finish(t, f, 12, 600 * NS_PER_S);
	for (int k = 0; k < 2; k++)
		used += net_counter(g[k], "ip.forwarded") > 1000;
	assert_int_equal(used, 2);
	assert_int_equal(t->seen.dropped[DROP_IF_QUEUE_FULL], 0);
	net_free(t);
}

static void fini__in_the_middle_of_a_blocked_transfer(void **state)
{
	struct net *t = two(1, 1500, 0, 1);
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 10 << 20);
	for (int k = 0; k < 200; k++) {
		flow_step(&f);
		via_poll(t->v[0], t->now, 64); /* b never takes anything, so a's queue stays full */
		if (k % 50 == 0)
			via_poll(t->v[1], t->now, 64);
	}
	assert_true(iface_at(t->v[0], 2)->q.n > 0);
	net_free(t); /* asserts that all is given back */
}

static void packet_memory__runs_short_and_transfers_go_on(void **state)
{
	/* Both ends share the memory: send buffers must leave enough for packets and for what arrives (HARD-10). */
	for (uint32_t pages = 6; pages < 40; pages = pages * 3 / 2) {
		struct net *t = net_new_in(pages * ARENA_PAGE_SIZE);
		struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
		int ia, ib;
		net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
		net_addr(a, ia, IP_A, 24);
		net_addr(b, ib, IP_B, 24);
		via_sock l = net_open(b, VIA_STREAM), s[6], in[6];
		struct via_sockaddr any = net_at(0, 80), at = net_at(IP_B, 80);
		uint64_t got = 0;
		int n = 0;
		static uint8_t buf[65536];
		via_bind(b, l, &any);
		via_listen(b, l, 16);
		for (int k = 0; k < 6; k++) {
			s[k] = net_open(a, VIA_STREAM);
			via_connect(a, s[k], &at);
		}
		for (int step = 0; step < 500; step++) {
			for (int k = 0; k < 6; k++)
				via_send(a, s[k], buf, sizeof(buf), 0);
			while (n < 6 && via_accept(b, l, 0, &in[n], NULL) == 0)
				n++;
			for (int k = 0; k < n; k++) {
				int64_t r = via_recv(b, in[k], buf, sizeof(buf), 0);
				got += r > 0 ? (uint64_t)r : 0;
			}
			assert_true(net_run(t, t->now + 10 * NS_PER_MS));
		}
		assert_true(got > 0);
		net_free(t);
	}
}

static void closed_port__is_refused(void **state)
{
	struct net *t = two(64, 1500, 0, 0);
	via_sock s = net_open(t->v[0], VIA_STREAM);
	struct via_sockaddr at = net_at(IP_B, 99);
	assert_int_equal(via_connect(t->v[0], s, &at), -EINPROGRESS);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_true(via_ready(t->v[0], s) & VIA_ERR);
	char c;
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -ECONNREFUSED);
	assert_int_equal(net_counter(t->v[1], "drop.tcp.no_socket"), 1);
	net_free(t);
}

/* While acknowledgments come nobody needs to ask whether the neighbour lives; when they stop, it is asked. */
static void neighbour__forward_progress_confirms_it(void **state)
{
	struct net *t = two(64, 1500, 0, 0);
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 0);
	uint32_t arp = t->seen.tx_arp;
	char c;
	for (int k = 0; k < 300; k++) {
		assert_int_equal(via_send(f.from, f.out, "x", 1, 0), 1);
		assert_int_equal(via_send(f.to, f.in, "y", 1, 0), 1);
		assert_true(net_run(t, t->now + NS_PER_S));
		assert_int_equal(via_recv(f.to, f.in, &c, 1, 0), 1);
		assert_int_equal(via_recv(f.from, f.out, &c, 1, 0), 1);
	}
	assert_int_equal(t->seen.tx_arp, arp);
	/* the other side's link is gone, ours does not know: after three unanswered retransmissions and the grace we ask, and then
	 * it is forgotten, long before REACHABLE would have ended by itself */
	t->v[1]->drivers[2]->up = false;
	via_iface_updown(t->v[1], 2);
	assert_int_equal(via_send(f.from, f.out, "x", 1, 0), 1);
	int64_t from = t->now;
	while (t->seen.tx_arp == arp && t->now < from + 60 * NS_PER_S)
		assert_true(net_run(t, t->now + NS_PER_S / 10));
	assert_in_range((t->now - from) / NS_PER_S, 5, 14);
	net_free(t);
}

static void dead_neighbour__ends_connect(void **state)
{
	struct net *t = two(64, 1500, 0, 0);
	via_sock s = net_open(t->v[0], VIA_STREAM);
	struct via_sockaddr at = net_at(0x0a000063, 99);
	assert_int_equal(via_connect(t->v[0], s, &at), -EINPROGRESS);
	assert_true(net_run(t, t->now + 4 * NS_PER_S));
	char c;
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -EHOSTUNREACH); /* as Linux: in SYN-SENT it is not waited out */
	net_free(t);
}

/* What stack b did within one poll. */
static struct {
	int rx, tx, tx_before_rx;
} burst;

static void burst_emit(void *ctx, const struct trace_event *e)
{
	if (strcmp(e->stack, "b") != 0)
		return;
	burst.tx += e->kind == TRACE_TX;
	if (e->kind != TRACE_RX)
		return;
	burst.rx++;
	burst.tx_before_rx += burst.tx;
}

/* MUST-59: all queued segments are processed before an ACK is sent; MUST-58: ACKs are merged, to one per two full-sized segments
 * (SHLD-19) and no further. */
static void req_TCP_072__a_batch_is_processed_whole_before_acks_leave(void **state)
{
	struct net *t = two(256, 1500, 0, 0);
	struct flow f = flow_open(t, t->v[0], t->v[1], IP_B, 80, 1 << 20);
	struct trace was = t->trace;
	int bursts = 0;
	t->trace.emit = burst_emit;
	for (int k = 0; k < 4000 && f.got < f.total; k++) {
		flow_step(&f);
		via_poll(f.from, t->now, 256);
		memset(&burst, 0, sizeof(burst));
		via_poll(f.to, t->now, 256);
		assert_int_equal(burst.tx_before_rx, 0);
		if (burst.rx > 8) {
			bursts++;
			assert_in_range(burst.tx, burst.rx / 2, (burst.rx + 1) / 2 + 1); /* and a window update */
		}
		t->now += 100 * NS_PER_US;
	}
	assert_true(bursts >= 5 || NET_ROOM == 1); /* with room for one packet there is never more than one */
	t->trace = was;
	flow_finish(t, &f, 1, 10 * NS_PER_S);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_TCP_072__a_batch_is_processed_whole_before_acks_leave),
		cmocka_unit_test(tcp__a_megabyte_over_frames), cmocka_unit_test(tcp__room_for_one_packet),
		cmocka_unit_test(superframe__crosses_by_reference),
		cmocka_unit_test(superframe__none_of_tiny_packets), cmocka_unit_test(superframe__blocks_are_the_same_at_both_ends),
		cmocka_unit_test(loopback__tcp_to_oneself), cmocka_unit_test(forward__superframe_whole_or_cut),
		cmocka_unit_test(path_mtu__a_smaller_link_behind_a_router), cmocka_unit_test(closed_port__is_refused),
		cmocka_unit_test(neighbour__forward_progress_confirms_it), cmocka_unit_test(dead_neighbour__ends_connect),
		cmocka_unit_test(equal_paths__a_host_with_two_gateways), cmocka_unit_test(fini__in_the_middle_of_a_blocked_transfer),
		cmocka_unit_test(packet_memory__runs_short_and_transfers_go_on), cmocka_unit_test(req_PM_003__forged_frag_needed_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
