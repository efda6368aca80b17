/* Multicast on real stacks: what is reported on the wire and when, which queries are believed, and datagrams to groups by sockets:
 * RFC 1112, RFC 3376, RFC 3810, RFC 3590, RFC 3493. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "wire/addr.h"
#include "wire/igmp.h"
#include "wire/mld.h"
#include "stacks.h"

enum { PORT = 5000, KEPT = 64 };
#define GROUP4 "239.1.2.3"
#define GROUP6 "ff0e::123"

/* Two hosts on a wire, both families; the reports that the first one sends are kept, whole frames. */
struct world {
	struct net *t;
	struct via *a, *b;
	struct trace before;
	uint32_t n, datagrams;
	uint32_t len[KEPT];
	uint8_t sent[KEPT][400];
	uint8_t ttl; /* of the last datagram that left */
};

static void on_trace(void *ctx, const struct trace_event *e)
{
	struct world *w = ctx;
	uint8_t b[400];
	w->before.emit(w->before.ctx, e);
	if (e->kind != TRACE_TX || strcmp(e->stack, "a") != 0 || e->ifindex == IFINDEX_LO)
		return;
	uint32_t n = pkt_copy_out(&w->t->mem, e->pkt, 0, b, sizeof(b));
	if (e->pkt->m.why == WHY_GROUP && w->n < KEPT) {
		memcpy(w->sent[w->n], b, n);
		w->len[w->n++] = n;
	}
	if (e->pkt->m.why == WHY_UDP) {
		w->datagrams++;
		w->ttl = b[ETH_HLEN + (b[ETH_HLEN] >> 4 == 6 ? 7 : 8)];
	}
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	int ia, ib;
	w->t = net_new();
	w->a = net_stack(w->t, "a", false);
	w->b = net_stack(w->t, "b", false);
	net_link(w->t, w->a, w->b, 256, 1500, 0, 0, &ia, &ib);
	w->before = w->t->trace;
	w->t->trace = (struct trace){.emit = on_trace, .ctx = w};
	assert_int_equal(net_addr(w->a, ia, 0x0a000001, 24), 0);
	assert_int_equal(net_addr(w->b, ib, 0x0a000002, 24), 0);
	assert_int_equal(net_addr6(w->a, ia, "2001:db8::1", 64), 0);
	assert_int_equal(net_addr6(w->b, ib, "2001:db8::2", 64), 0);
	assert_int_equal(net_addr6(w->a, ia, "fe80::1", 64), 0);
	assert_int_equal(net_addr6(w->b, ib, "fe80::2", 64), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	return w;
}

static void world_free(struct world *w)
{
	net_free(w->t);
	free(w);
}

static int membership(struct via *v, via_sock s, const char *group, bool joins)
{
	struct via_addr g = net_name(group);
	struct ip_mreqn m4 = {.imr_multiaddr.s_addr = via_addr_is_v4(&g) ? htonl(via_addr_to_v4(&g)) : 0};
	struct ipv6_mreq m6 = {.ipv6mr_interface = 2};
	memcpy(&m6.ipv6mr_multiaddr, g.b, 16);
	if (via_addr_is_v4(&g))
		return via_setsockopt(v, s, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4, sizeof(m4));
	return via_setsockopt(v, s, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m6, sizeof(m6));
}

/* The k-th report is well-formed in every byte that is the same in all; returns the message's. */
static const uint8_t *report(struct world *w, uint32_t k, const char *to, uint32_t *n)
{
	const uint8_t *f = w->sent[k], *ip = f + ETH_HLEN;
	const struct via_addr dst = net_name(to);
	uint8_t mac[6];
	assert_true(k < w->n && eth_group(mac, &dst));
	assert_memory_equal(f, mac, 6);
	if (ip[0] >> 4 == 6) {
		struct via_addr src = {.scope = 0};
		static const uint8_t alert[8] = {IPPROTO_N_ICMP6, 0, 5, 2, 0, 0, 1, 0};
		memcpy(src.b, ip + 8, 16);
		*n = w->len[k] - ETH_HLEN - IP6_HLEN - 8;
		assert_int_equal(ip[7], 1); /* hop limit */
		assert_int_equal(ip[6], IPPROTO_N_HOPOPTS);
		assert_memory_equal(ip + IP6_HLEN, alert, 8);
		assert_memory_equal(ip + 24, dst.b, 16);
		assert_true(addr_is_fe80(&src) || via_addr_is_any(&src));
		assert_int_equal(csum_fold(csum_add(addr_pseudo(&src, &dst, IPPROTO_N_ICMP6, *n), ip + IP6_HLEN + 8, *n)), 0xffff);
		return ip + IP6_HLEN + 8;
	}
	static const uint8_t alert[4] = {148, 4, 0, 0};
	*n = w->len[k] - ETH_HLEN - 24;
	assert_int_equal(ip[0], 0x46);
	assert_int_equal(ip[8], 1);
	assert_int_equal(ip[9], IPPROTO_N_IGMP);
	assert_memory_equal(ip + 20, alert, 4);
	assert_int_equal(get_be32(ip + 16), via_addr_to_v4(&dst));
	assert_int_equal(csum_fold(csum_add(0, ip, 24)), 0xffff);
	assert_int_equal(csum_fold(csum_add(0, ip + 24, *n)), 0xffff);
	return ip + 24;
}

/* ---- reports ---- */

static void req_IGM_001__sockets_join_report_and_leave(void **state)
{
	struct world *w = world_new();
	via_sock s = net_open(w->a, VIA_DGRAM), other = net_open(w->a, VIA_DGRAM);
	uint32_t n;
	w->n = 0;
	via_flush(w->a, w->t->now); /* the stack's time stands still while it is idle */
	assert_int_equal(membership(w->a, s, GROUP4, true), 0);
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
	assert_int_equal(w->n, 1);
	static const uint8_t joined[] = {1, 4, 0, 0, 0, 239, 1, 2, 3}; /* one record: to EXCLUDE {} */
	const uint8_t *m = report(w, 0, "224.0.0.22", &n);
	assert_int_equal(n, 16);
	assert_int_equal(m[0], 0x22);
	assert_memory_equal(m + 7, joined, sizeof(joined));
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	assert_int_equal(w->n, 2);
	assert_int_equal(membership(w->a, other, GROUP4, true), 0);
	assert_int_equal(via_close(w->a, s), 0); /* with the socket its memberships go, but another one has it still */
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	assert_int_equal(w->n, 2);
	assert_int_equal(membership(w->a, other, GROUP4, false), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	assert_int_equal(w->n, 4);
	m = report(w, 3, "224.0.0.22", &n);
	assert_int_equal(m[8], GROUP_TO_IN);
	/* and what Linux answers to what makes no sense */
	assert_int_equal(membership(w->a, other, GROUP4, false), -EADDRNOTAVAIL);
	assert_int_equal(membership(w->a, other, "10.0.0.9", true), -EINVAL);
	assert_int_equal(membership(w->a, other, GROUP4, true), 0);
	assert_int_equal(membership(w->a, other, GROUP4, true), -EADDRINUSE);
	struct ip_mreq mreq = {.imr_multiaddr.s_addr = htonl(0xef010204), .imr_interface.s_addr = htonl(0x0a000077)};
	assert_int_equal(via_setsockopt(w->a, other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -ENODEV);
	mreq.imr_interface.s_addr = htonl(0x0a000001);
	assert_int_equal(via_setsockopt(w->a, other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), 0);
	for (uint32_t i = 0; i < 30; i++) {
		mreq.imr_multiaddr.s_addr = htonl(0xef020000 + i);
		assert_int_equal(via_setsockopt(w->a, other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), i < 18 ? 0 : -ENOBUFS);
	}
	world_free(w);
}

/* Each IPv6 address's solicited-node group is announced, and left with the last address that has it; so is a socket's group. */
static void req_MLD_001__solicited_nodes_and_sockets_groups(void **state)
{
	struct world *w = world_new();
	via_sock s = net_open(w->a, VIA_DGRAM);
	uint32_t n, seen = 0;
	for (uint32_t k = 0; k < w->n; k++) { /* ::1 and fe80::1 have one group */
		const uint8_t *m = report(w, k, "ff02::16", &n);
		assert_int_equal(m[0], MLD_REPORT2);
		const struct via_addr want = net_name("ff02::1:ff00:1");
		assert_true(m[8] == GROUP_TO_EX && get_be16(m + 6) == 1);
		assert_memory_equal(m + 12, want.b, 16);
		seen++;
	}
	assert_true(seen >= 2);
	struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = 2, .addr = net_name("2001:db8::1")};
	w->n = 0;
	assert_int_equal(via_configure(w->a, &del), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	assert_int_equal(w->n, 0);
	assert_int_equal(net_addr6(w->a, 2, "2001:db8::abcd", 64), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	assert_int_equal(w->n, 2);
	del.addr = net_name("2001:db8::abcd");
	assert_int_equal(via_configure(w->a, &del), 0);
	assert_int_equal(membership(w->a, s, GROUP6, true), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	bool left = false, joined = false;
	for (uint32_t k = 2; k < w->n; k++) {
		const uint8_t *m = report(w, k, "ff02::16", &n);
		for (uint32_t i = 0; i < get_be16(m + 6); i++) {
			left |= m[8 + 20 * i] == GROUP_TO_IN && m[8 + 20 * i + 18] == 0xab;
			joined |= m[8 + 20 * i] == GROUP_TO_EX && m[8 + 20 * i + 5] == 0x0e;
		}
	}
	assert_true(left && joined);
	assert_int_equal(membership(w->a, s, GROUP6, true), -EADDRINUSE);
	assert_int_equal(membership(w->a, s, "2001:db8::5", true), -EINVAL);
	assert_int_equal(membership(w->a, s, GROUP6, false), 0);
	assert_int_equal(membership(w->a, s, GROUP6, false), -EADDRNOTAVAIL);
	world_free(w);
}

/* An address that is probed for: its group is announced before the first probe, from :: while there is no valid address, and again from
 * the link-local one when there is (RFC 4862 §5.4.2, RFC 3590). A router is in the routers' groups. */
static void req_MLD_001__while_addresses_are_probed_for(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ia, ib;
	w->t = net_new();
	w->a = net_stack(w->t, "a", false);
	w->b = net_stack(w->t, "b", false);
	net_link(w->t, w->a, w->b, 256, 1500, 0, 0, &ia, &ib);
	w->before = w->t->trace;
	w->t->trace = (struct trace){.emit = on_trace, .ctx = w};
	struct via_change on = {.kind = VIA_SET, .setting = VIA_SET_IPV6, .ifindex = ia, .value = 1};
	assert_int_equal(via_configure(w->a, &on), 0);
	assert_true(net_run(w->t, w->t->now + 10 * NS_PER_S));
	uint32_t from_any = 0, from_local = 0, n;
	for (uint32_t k = 0; k < w->n; k++) {
		const uint8_t *m = report(w, k, "ff02::16", &n);
		bool is_any = w->sent[k][ETH_HLEN + 8] == 0;
		assert_true(m[8] == GROUP_TO_EX && m[12 + 11] == 1 && m[12 + 12] == 0xff);
		assert_true(!is_any || !from_local);
		from_any += is_any;
		from_local += !is_any;
	}
	assert_true(from_any >= 1 && from_local >= 1);
	w->n = 0;
	struct via_change fwd = {.kind = VIA_SET, .setting = VIA_SET_FORWARDING, .value = 1};
	assert_int_equal(via_configure(w->a, &fwd), 0);
	assert_true(net_run(w->t, w->t->now + 10 * NS_PER_S));
	uint32_t routers = 0;
	for (uint32_t k = 0; k < w->n; k++) {
		const uint8_t *m = report(w, k, "ff02::16", &n);
		for (uint32_t i = 0; i < get_be16(m + 6); i++)
			routers += m[8 + 20 * i + 4 + 15] == 2 && m[8 + 20 * i + 4 + 12] == 0;
	}
	assert_true(routers >= 2);
	/* down and up: everybody is told anew */
	w->n = 0;
	w->a->drivers[ia]->up = false;
	via_iface_updown(w->a, ia);
	w->a->drivers[ia]->up = true;
	via_iface_updown(w->a, ia);
	assert_true(net_run(w->t, w->t->now + 10 * NS_PER_S));
	assert_true(w->n >= 2);
	world_free(w);
}

/* ---- queries ---- */

/* Give a's interface a frame whose IP packet these n bytes are. */
static void inject(struct world *w, const uint8_t *ip, uint32_t n, const struct via_addr *dst)
{
	uint8_t mac[6];
	struct pkt *p = pkt_new(&w->t->mem, PKT_HEADROOM);
	if (!eth_group(mac, dst))
		memcpy(mac, iface_at(w->a, 2)->mac, 6);
	eth_emit(pkt_put(p, ETH_HLEN), mac, (uint8_t[]){2, 9, 9, 9, 9, 9}, ip[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	assert_int_equal(pkt_append(&w->t->mem, p, ip, n), 0);
	p->m.rx_ns = w->t->now;
	via_rx_burst(w->a, 2, &p, 1, w->t->now);
	assert_true(net_run(w->t, w->t->now + 3 * NS_PER_S));
}

/* A general query of version 3 with a second to answer. wrong: what about it is. */
enum wrong { RIGHT, HOPS, ALERT, SOURCE, TARGET, CSUM, SHORT, WRONGS };

static void query6(struct world *w, enum wrong wrong)
{
	uint8_t b[100] = {0}, *m = b + IP6_HLEN + 8;
	const struct via_addr src = net_name(wrong == SOURCE ? "2001:db8::9" : "fe80::9");
	const struct via_addr dst = net_name(wrong == TARGET ? "ff02::1:ff00:1" : "ff02::1");
	uint32_t n = wrong == SHORT ? 26 : 28;
	ip6_emit(b, &(struct ip6_hdr){.next = IPPROTO_N_HOPOPTS, .hops = wrong == HOPS ? 2 : 1, .payload_len = (uint16_t)(8 + n), .src = src,
				      .dst = dst});
	memcpy(b + IP6_HLEN, (uint8_t[]){IPPROTO_N_ICMP6, 0, wrong == ALERT ? 1 : 5, wrong == ALERT ? 4 : 2, 0, 0, wrong != ALERT, 0}, 8);
	m[0] = MLD_QUERY;
	put_be16(m + 4, 1000);
	m[24] = 2;
	put_be16(m + 2, (uint16_t)(csum_field(csum_add(addr_pseudo(&src, &dst, IPPROTO_N_ICMP6, n), m, n)) ^ (wrong == CSUM)));
	inject(w, b, IP6_HLEN + 8 + n, &dst);
}

static void query4(struct world *w, enum wrong wrong)
{
	uint8_t b[100] = {0}, *m = b + 24;
	const struct via_addr dst = via_addr_v4(wrong == TARGET ? 0xef010203 : 0xe0000001);
	uint32_t n = wrong == SHORT ? 10 : 12;
	ip4_emit(b, &(struct ip4_hdr){.ttl = wrong == HOPS ? 2 : 1, .proto = IPPROTO_N_IGMP, .total_len = (uint16_t)(24 + n), .src = 0x0a000009,
				      .dst = via_addr_to_v4(&dst)});
	memcpy(b + 20, (uint8_t[]){wrong == ALERT ? 1 : 148, wrong == ALERT ? 1 : 4, 1 & (wrong == ALERT), 0}, 4);
	ip4_emit_grown(b, 4);
	m[0] = 0x11;
	m[1] = 10;
	m[8] = 2;
	put_be16(m + 2, (uint16_t)(csum_field(csum_add(0, m, n)) ^ (wrong == CSUM)));
	inject(w, b, 24 + n, &dst);
}

static void queries(struct world *w, void (*query)(struct world *, enum wrong), const char *group, bool is_v6)
{
	via_sock s = net_open(w->a, VIA_DGRAM);
	uint32_t n;
	assert_int_equal(membership(w->a, s, group, true), 0);
	assert_true(net_run(w->t, w->t->now + 5 * NS_PER_S));
	for (enum wrong wrong = RIGHT; wrong < WRONGS; wrong++) {
		w->n = 0;
		query(w, wrong);
		bool is_believed = wrong == RIGHT || (wrong == SOURCE && !is_v6); /* IGMP's may come from any address */
		assert_int_equal(w->n, is_believed);
		if (!is_believed)
			continue;
		const uint8_t *m = report(w, 0, is_v6 ? "ff02::16" : "224.0.0.22", &n);
		assert_int_equal(get_be16(m + 6), is_v6 ? 2 : 1); /* the solicited-node group, too */
		assert_int_equal(m[8], GROUP_IS_EX);
	}
	assert_int_equal(net_counter(w->a, "drop.group.bad"), 5); /* the other is a wrong checksum in IPv6, and right in IPv4 */
}

static void req_IGM_001__only_sound_queries_are_answered(void **state)
{
	struct world *w = world_new();
	queries(w, query4, GROUP4, false);
	world_free(w);
}

static void req_MLD_001__only_sound_queries_are_answered(void **state)
{
	struct world *w = world_new();
	queries(w, query6, GROUP6, true);
	world_free(w);
}

/* ---- datagrams ---- */

static int heard(struct via *v, via_sock s)
{
	char b[64];
	int n = 0;
	while (via_recv(v, s, b, sizeof(b), 0) >= 0)
		n++;
	return n;
}

static void datagrams(const char *group, const char *any)
{
	struct world *w = world_new();
	struct via_sockaddr to = {.addr = net_name(group), .port = PORT}, at = {.addr = net_name(any), .port = PORT};
	bool is_v6 = !via_addr_is_v4(&to.addr);
	int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, off = 0, ttl;
	uint32_t len = sizeof(ttl);
	via_sock tx = net_open(w->a, VIA_DGRAM), own = net_open(w->a, VIA_DGRAM), rx = net_open(w->b, VIA_DGRAM);
	assert_int_equal(via_bind(w->a, own, &at), 0);
	assert_int_equal(via_bind(w->b, rx, &at), 0);
	assert_int_equal(via_setsockopt(w->a, tx, level, is_v6 ? IPV6_MULTICAST_IF : IP_MULTICAST_IF,
					is_v6 ? (void *)&(int){2} : (void *)&(struct in_addr){htonl(0x0a000001)}, 4), 0);
	/* nobody is in it: it leaves, with TTL 1, and nobody hears it */
	w->datagrams = 0;
	assert_int_equal(via_sendto(w->a, tx, "one", 3, 0, &to), 3);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(w->datagrams, 1);
	assert_int_equal(w->ttl, 1);
	assert_int_equal(via_getsockopt(w->a, tx, level, is_v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, &ttl, &len), 0);
	assert_int_equal(ttl, 1);
	assert_int_equal(heard(w->b, rx) + heard(w->a, own), 0);
	assert_int_equal(membership(w->b, rx, group, true), 0);
	assert_int_equal(via_sendto(w->a, tx, "two", 3, 0, &to), 3);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(heard(w->b, rx), 1);
	assert_int_equal(heard(w->a, own), 0);
	/* this host is in it, too: it hears itself, unless it does not want to */
	assert_int_equal(membership(w->a, own, group, true), 0);
	assert_int_equal(via_sendto(w->a, tx, "three", 5, 0, &to), 5);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(heard(w->b, rx), 1);
	assert_int_equal(heard(w->a, own), 1);
	assert_int_equal(via_setsockopt(w->a, tx, level, is_v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, &off, sizeof(off)), 0);
	assert_int_equal(via_sendto(w->a, tx, "four", 4, 0, &to), 4);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(heard(w->b, rx), 1);
	assert_int_equal(heard(w->a, own), 0);
	/* TTL 0 stays here, 7 is 7 */
	assert_int_equal(via_setsockopt(w->a, tx, level, is_v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, &off, sizeof(off)), 0);
	assert_int_equal(via_sendto(w->a, tx, "five", 4, 0, &to), 4);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(heard(w->b, rx), 0);
	assert_int_equal(heard(w->a, own), 1);
	assert_int_equal(via_setsockopt(w->a, tx, level, is_v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, &(int){7}, sizeof(int)), 0);
	assert_int_equal(via_sendto(w->a, tx, "six", 3, 0, &to), 3);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(w->ttl, 7);
	assert_int_equal(heard(w->b, rx), 1);
	assert_int_equal(membership(w->b, rx, group, false), 0);
	assert_int_equal(via_sendto(w->a, tx, "seven", 5, 0, &to), 5);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(heard(w->b, rx), 0);
	world_free(w);
}

static void datagrams__to_an_ip4_group(void **state) { datagrams(GROUP4, "0.0.0.0"); }
static void datagrams__to_an_ip6_group(void **state) { datagrams(GROUP6, "::"); }
static void datagrams__to_a_link_local_group(void **state) { datagrams("ff02::123", "::"); }

/* Bound to the group itself a socket hears that group alone, and what it sends is from the interface's address. */
static void datagrams__bound_to_the_group(void **state)
{
	struct world *w = world_new();
	struct via_sockaddr g = {.addr = net_name(GROUP4), .port = PORT}, other = {.addr = net_name("239.1.2.4"), .port = PORT}, from;
	via_sock a = net_open(w->a, VIA_DGRAM), b = net_open(w->b, VIA_DGRAM);
	char buf[16];
	assert_int_equal(via_bind(w->a, a, &g), 0);
	assert_int_equal(via_bind(w->b, b, &g), 0);
	assert_int_equal(membership(w->b, b, GROUP4, true), 0);
	assert_int_equal(membership(w->b, b, "239.1.2.4", true), 0);
	assert_int_equal(via_sendto(w->a, a, "x", 1, 0, &other), 1);
	assert_int_equal(via_sendto(w->a, a, "y", 1, 0, &g), 1);
	assert_true(net_run(w->t, w->t->now + NS_PER_S));
	assert_int_equal(via_recvfrom(w->b, b, buf, sizeof(buf), 0, &from, NULL), 1);
	assert_int_equal(buf[0], 'y');
	assert_int_equal(via_addr_to_v4(&from.addr), 0x0a000001);
	assert_int_equal(heard(w->b, b), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IGM_001__sockets_join_report_and_leave), cmocka_unit_test(req_MLD_001__solicited_nodes_and_sockets_groups),
		cmocka_unit_test(req_MLD_001__while_addresses_are_probed_for), cmocka_unit_test(req_IGM_001__only_sound_queries_are_answered),
		cmocka_unit_test(req_MLD_001__only_sound_queries_are_answered), cmocka_unit_test(datagrams__to_an_ip4_group),
		cmocka_unit_test(datagrams__to_an_ip6_group), cmocka_unit_test(datagrams__to_a_link_local_group),
		cmocka_unit_test(datagrams__bound_to_the_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
