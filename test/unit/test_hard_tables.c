/* Tables that packets fill: their hashes are keyed, chains stay short whatever the addresses (HARD-06); each has a cap, a counter and a
 * rule who gives way (HARD-08). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#define NET_ARENA (96u << 20)
#include "gate/flows.h"
#include "link/bridge.h"
#include "sock/endpoint.h"
#include "svc/dns.h"
#include "wire/addr.h"
#include "reasm_world.h"
#include "stacks.h"

/* Chains of as many objects as buckets, at random: longer than this is less likely than one in 10^8. */
enum { SHORT = 14, SHAPES = 5, MANY = 4096 };

/* The i-th address of a kind that an attacker would choose: in a row, differing in few bits, high ones, a subnet's, an interface id's. */
static struct via_addr addr_of(int shape, uint32_t i)
{
	struct via_addr a = {.b = {0x20, 1, 0xd, 0xb8}};
	switch (shape) {
	case 0:
		return via_addr_v4(0x0a000100 + i);
	case 1:
		return via_addr_v4(0x0a000001 + (i << 12));
	case 2:
		put_be32(a.b + 12, 256 + i);
		return a;
	case 3:
		put_be32(a.b + 4, i << 8);
		a.b[15] = 9;
		return a;
	default:
		put_be32(a.b + 8, i << 16);
		a.b[15] = 9;
		return a;
	}
}

static uint32_t longest(const struct arena *a, ref_t heads, uint32_t n, size_t off)
{
	const ref_t *h = arena_at(a, heads);
	uint32_t most = 0;
	for (uint32_t i = 0, len = 0; i < n; i++, most = MAX(most, len), len = 0)
		for (ref_t r = h[i]; r; r = *(const ref_t *)(const void *)((const char *)arena_at(a, r) + off))
			len++;
	return most;
}

/* ---- a stack that all shapes are neighbours of ---- */

struct world_t {
	struct net *t;
	struct via *v;
	int one;
};

static struct world_t begin(uint8_t seed)
{
	struct world_t w = {.t = net_new()};
	int other;
	for (int i = 0; i < seed; i++)
		net_stack(w.t, "none", false);
	w.v = net_stack(w.t, "host", false);
	net_link(w.t, w.v, net_stack(w.t, "peer", false), 256, 1500, 0, 0, &w.one, &other);
	assert_int_equal(net_addr(w.v, w.one, 0x0a000001, 8), 0);
	assert_int_equal(net_addr6(w.v, w.one, "2001:db8::1", 32), 0);
	return w;
}

static void inject(struct world_t *w, uint16_t ethertype, const uint8_t *bytes, uint32_t n)
{
	static const uint8_t from[6] = {2, 0, 0, 2, 0, 0};
	struct pkt *p = pkt_new(&w->t->mem, PKT_HEADROOM);
	eth_emit(pkt_put(p, ETH_HLEN), iface_at(w->v, 2)->mac, from, ethertype);
	assert_int_equal(pkt_append(&w->t->mem, p, bytes, n), 0);
	p->m.rx_ns = w->t->now;
	via_rx_burst(w->v, 2, &p, 1, w->t->now);
}

/* ---- HARD-06 ---- */

static void req_HARD_06__neighbours(void **state)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct world_t w = begin(0);
		for (uint32_t i = 0; i < NEIGH_PERMANENT_MAX; i++) {
			struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = w.one, .addr = addr_of(shape, i), .mac = {2, 1}};
			assert_int_equal(via_configure(w.v, &c), 0);
		}
		struct neigh_cache *n = &w.v->st->neigh;
		assert_true(longest(w.v->arena, n->buckets, n->n_buckets, offsetof(struct neigh, hash_next)) <= SHORT);
		net_free(w.t);
	}
}

static void req_HARD_06__paths(void **state)
{
	static const struct via_addr any = {.b = {[10] = 0xff, 0xff}};
	for (int shape = 0; shape < SHAPES; shape++) {
		struct world_t w = begin(0);
		ref_t r;
		for (uint32_t i = 0; i < MANY; i++) {
			struct via_addr a = addr_of(shape, i), from = via_addr_is_v4(&a) ? any : (struct via_addr){.scope = 0};
			assert_int_equal(path_get(w.v, &from, &a, &r), 0);
		}
		assert_true(longest(w.v->arena, w.v->st->path_buckets, w.v->st->n_path_buckets, offsetof(struct path, hash_next)) <= SHORT);
		net_free(w.t);
	}
}

/* Demultiplexing: connections, connected datagram sockets, ports. */
static void req_HARD_06__sockets(void **state)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct world_t w = begin(0);
		for (uint32_t i = 0; i < MANY; i++) {
			struct via_sockaddr to = {.addr = addr_of(shape, i), .port = 80};
			assert_int_equal(via_connect(w.v, net_open(w.v, VIA_DGRAM), &to), 0);
			if (i < MANY / 2)
				assert_int_equal(via_connect(w.v, net_open(w.v, VIA_STREAM), &to), -EINPROGRESS);
		}
		const struct sock_tab *t = tab_of(&w.v->sock);
		assert_int_equal(t->pairs.count, MANY);
		assert_int_equal(t->nodes.count, MANY / 2);
		assert_true(htab_longest(w.v->arena, &t->pairs) <= SHORT);
		assert_true(htab_longest(w.v->arena, &t->nodes) <= SHORT);
		assert_true(t->ports.count >= MANY && htab_longest(w.v->arena, &t->ports) <= SHORT);
		net_free(w.t);
	}
}

static void req_HARD_06__fragments(void **state)
{
	static uint8_t bytes[600];
	for (int shape = 0; shape < SHAPES; shape++) {
		struct world x;
		struct reasm_whole whole;
		world_new(&x, HOME_BYTES);
		for (uint32_t i = 0; i < 2000; i++) {
			struct reasm_key k = {.src = addr_of(shape, i), .dst = addr_of(shape, 1), .id = 7, .proto = 17};
			const struct reasm_fragment f = {.len = 600, .room = ROOM, .more = true};
			assert_int_equal(reasm_input(&x.e, x.r, &k, &f, packet_of(&x, bytes, 600), &whole, &x.dropped), DROP_NONE);
		}
		assert_true(x.r->pool.n_used > 500); /* at the cap: four of them to a bucket at the most */
		assert_true(reasm_longest(&x.e, x.r) <= 4 * SHORT / 2);
		world_free(&x);
	}
}

static void req_HARD_06__routes(void **state)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct world_t w = begin(0);
		for (uint32_t i = 0; i < MANY; i++) {
			struct via_change c = {.kind = VIA_ROUTE_ADD, .ifindex = w.one, .addr = addr_of(shape, i), .gateway = via_addr_v4(0)};
			c.plen = via_addr_is_v4(&c.addr) ? 32 : 128;
			assert_int_equal(via_configure(w.v, &c), 0);
		}
		assert_in_range(fib_longest(w.v->arena, w.v->st->fib), 2, SHORT);
		net_free(w.t);
	}
}

static void req_HARD_06__bridge(void **state)
{
	for (int shape = 0; shape < 3; shape++) {
		struct arena *a = region_new(4 << 20);
		struct bridge b;
		struct bridge_way out;
		assert_int_equal(bridge_init(&b, a, (struct prf_key){3, 4}, 3, 0), 0);
		for (uint32_t i = 0; i < BRIDGE_MACS_MAX; i++) {
			struct eth_hdr h = {.dst = {2, 0xff}, .src = {2}};
			put_be32(h.src + 1, shape == 0 ? i : shape == 1 ? i << 8 : i << 20);
			bridge_input(&b, a, 0, &h, NS_PER_S, &out);
		}
		assert_in_range(bridge_longest(&b, a), 1, 4 * SHORT);
		bridge_fini(&b, a);
		region_free(a);
	}
}

static void req_HARD_06__names(void **state)
{
	struct arena *a = region_new(16 << 20);
	struct dns_zone z;
	char name[32];
	assert_int_equal(dns_zone_init(a, &z, "lab", 60, (struct prf_key){3, 4}), 0);
	for (uint32_t i = 0; i < 3 * MANY; i++) {
		struct via_addr addr = addr_of((int)(i % SHAPES), i);
		snprintf(name, sizeof(name), "host-%u", i);
		assert_int_equal(dns_zone_add(a, &z, name, &addr), 0);
	}
	assert_true(longest(a, z.by_name, z.n_buckets, 0) <= SHORT); /* the link is the first member */
	assert_true(longest(a, z.by_addr, z.n_buckets, 0) <= SHORT);
	dns_zone_free(a, &z);
	region_free(a);
}

static void req_HARD_06__gateway_flows(void **state)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct gate_flows f;
		void *mem = calloc(1, flows_bytes(MANY));
		uint32_t most = 0;
		flows_init(&f, mem, MANY, (struct prf_key){3, 4});
		for (uint32_t i = 0; i < MANY; i++) {
			const struct via_sockaddr src = {.addr = addr_of(shape, i), .port = 9}, dst = {.addr = addr_of(shape, 1 << 19), .port = 53};
			bool is_new;
			flows_get(&f, VIA_DGRAM, &src, &dst, NS_PER_S, &is_new);
			assert_true(is_new);
		}
		for (uint32_t i = 0, n = 0; i < MANY; i++, most = MAX(most, n), n = 0)
			for (uint32_t k = f.by_src[i]; k; k = f.source[k - 1].hash_next)
				n++;
		assert_in_range(most, 2, SHORT);
		for (uint32_t i = 0, n = 0; i < MANY; i++, most = MAX(most, n), n = 0)
			for (uint32_t k = f.by_dst[i]; k; k = f.flow[k - 1].in_next)
				n++;
		assert_in_range(most, 2, SHORT);
		free(mem);
	}
}

/* The secret is the stack's seed: another seed gives every table another key, and no two tables of a stack have the same. */
static void req_HARD_06__keys_are_of_the_seed(void **state)
{
	struct world_t a = begin(0), b = begin(1);
	struct prf_key key[2][16];
	int n = 0;
	for (int i = 0; i < 2; i++) {
		struct via_state *st = i ? b.v->st : a.v->st;
		const struct sock_tab *t = tab_of(i ? &b.v->sock : &a.v->sock);
		const struct prf_key k[] = {st->neigh.key, st->path_key, st->reasm.key, st->filter_key, st->flow_key, st->icmp.key,
					    t->key_tuple, t->key_port};
		memcpy(key[i], k, sizeof(k));
		n = (int)ARRAY_LEN(k);
	}
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			assert_true(i == k || memcmp(&key[0][i], &key[0][k], sizeof(struct prf_key)) != 0);
			assert_memory_not_equal(&key[0][i], &key[1][k], sizeof(struct prf_key));
		}
	net_free(a.t);
	net_free(b.t);
}

/* Addresses that share one chain under one secret do not under another: neighbours of two stacks. */
static void req_HARD_06__a_chain_known_is_no_chain_elsewhere(void **state)
{
	struct world_t a = begin(0), b = begin(1);
	struct neigh_cache *n = &a.v->st->neigh;
	struct pktq q = {0};
	uint32_t sent = 0;
	for (uint32_t round = 0; round < 256 && sent < NEIGH_PERMANENT_MAX; round++) {
		struct neigh_env ne = stack_neigh_env(a.v);
		for (uint32_t i = 0; i < NEIGH_PERMANENT_MAX; i++) {
			const struct via_addr addr = addr_of(2, round * NEIGH_PERMANENT_MAX + i);
			struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = a.one, .addr = addr, .mac = {2}};
			assert_int_equal(via_configure(a.v, &c), 0);
		}
		for (uint32_t bucket = 0; bucket < 4; bucket++) /* an attacker's list of what falls into the first chains */
			for (ref_t r = ((ref_t *)arena_at(a.v->arena, n->buckets))[bucket]; r; r = neigh_at(a.v->arena, r)->hash_next) {
				const struct via_addr addr = neigh_at(a.v->arena, r)->addr;
				struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = b.one, .addr = addr, .mac = {2}};
				if (sent < NEIGH_PERMANENT_MAX)
					assert_int_equal(via_configure(b.v, &c), 0);
				sent++;
			}
		while (n->permanent.head)
			neigh_remove(&ne, n, n->permanent.head, &q);
	}
	n = &b.v->st->neigh;
	assert_true(sent >= NEIGH_PERMANENT_MAX / 2); /* of those, hundreds were in each of four chains there */
	assert_true(longest(b.v->arena, n->buckets, n->n_buckets, offsetof(struct neigh, hash_next)) <= SHORT);
	net_free(a.t);
	net_free(b.t);
}

/* ---- HARD-08 ---- */

static ref_t path_to(struct via *v, uint32_t i)
{
	const struct via_addr any = {.scope = 0}, a = addr_of(2, i);
	ref_t r;
	return path_get(v, &any, &a, &r) ? 0 : r;
}

/* What was learnt of a path's MTU is kept without users, up to a cap: then the one that is idle longest goes. */
static void req_HARD_08__path_mtus_at_the_cap(void **state)
{
	struct world_t w = begin(0);
	for (uint32_t i = 0; i < PATHS_IDLE_MAX + 3; i++) {
		ref_t r = path_to(w.v, i);
		path_mtu_lower(w.v, r, 1300);
		path_drop(w.v, r);
		assert_true(w.v->st->idle_paths.n <= PATHS_IDLE_MAX);
		if (i == 3) { /* used again: it is not the one that is idle longest any more */
			r = path_to(w.v, 0);
			path_drop(w.v, r);
		}
	}
	assert_int_equal(net_counter(w.v, "path.evicted"), 3);
	for (uint32_t i = 0; i < 8; i++) {
		ref_t r = path_to(w.v, i);
		assert_int_equal(path_at(w.v, r)->p.pmtu, i >= 1 && i <= 3 ? 1500 : 1300);
		path_drop(w.v, r);
	}
	w.t->now += PMTU_LIFE_NS + NS_PER_S; /* all are forgotten in time, too */
	assert_true(net_run(w.t, w.t->now));
	assert_int_equal(w.v->st->path_pool.n_used, 0);
	net_free(w.t);
}

/* All paths together: who is in use stays, an idle one gives way, and without one the newcomer is refused. */
static void req_HARD_08__paths_at_the_cap(void **state)
{
	struct world_t w = begin(0);
	for (uint32_t i = 0; i < PATHS_MAX; i++)
		assert_int_not_equal(path_to(w.v, i), 0);
	assert_int_equal(path_to(w.v, PATHS_MAX), 0);
	assert_int_equal(net_counter(w.v, "path.refused"), 1);
	assert_int_equal(net_counter(w.v, "path.evicted"), 0);
	ref_t known = path_to(w.v, 5); /* what is there is found as before */
	assert_int_not_equal(known, 0);
	path_drop(w.v, known);
	path_mtu_lower(w.v, known, 1300);
	path_drop(w.v, known); /* idle now */
	assert_int_not_equal(path_to(w.v, PATHS_MAX), 0);
	assert_int_equal(net_counter(w.v, "path.evicted"), 1);
	assert_int_equal(path_to(w.v, PATHS_MAX + 1), 0);
	assert_int_equal(net_counter(w.v, "path.refused"), 2);
	net_free(w.t);
}

/* ARP: 1100 hosts ask for us; the longest unconfirmed give way, each is counted. */
static void req_HARD_08__arp_at_the_cap(void **state)
{
	struct world_t w = begin(0);
	enum { N = NEIGH_RESOLVED_MAX + 76 };
	for (uint32_t i = 0; i < N; i++) {
		uint8_t b[ARP_LEN];
		arp_emit(b, &(struct arp_pkt){.op = ARP_REQUEST, .sha = {2, 7, 7, 0, (uint8_t)(i >> 8), (uint8_t)i}, .spa = 0x0a000100 + i,
					       .tpa = 0x0a000001});
		inject(&w, ETHERTYPE_ARP, b, ARP_LEN);
		assert_true(w.v->st->neigh.resolved.n <= NEIGH_RESOLVED_MAX);
	}
	struct neigh_env ne = stack_neigh_env(w.v);
	assert_int_equal(net_counter(w.v, "neigh.evicted"), 76);
	for (uint32_t i = 0; i < N; i++) {
		struct via_addr a = via_addr_v4(0x0a000100 + i);
		assert_int_equal(neigh_find(&ne, &w.v->st->neigh, 2, &a) != 0, i >= 76);
	}
	assert_true(net_run(w.t, w.t->now + NS_PER_S));
	net_free(w.t);
}

/* The first piece of a datagram in two, from the i-th host. */
static void inject_piece(struct world_t *w, bool is_v6, uint32_t i, bool is_last)
{
	uint8_t b[700] = {0};
	struct via_addr src = addr_of(is_v6 ? 2 : 0, i), dst = is_v6 ? net_name("2001:db8::1") : via_addr_v4(0x0a000001);
	if (is_v6) {
		struct ip6_hdr h = {.next = IPPROTO_N_FRAGMENT, .hops = 64, .payload_len = 8 + 608, .src = src, .dst = dst};
		ip6_emit(b, &h);
		b[IP6_HLEN] = IPPROTO_N_UDP;
		put_be16(b + IP6_HLEN + 2, (uint16_t)(is_last ? 608 : 1));
		put_be32(b + IP6_HLEN + 4, i);
	} else {
		ip4_emit(b, &(struct ip4_hdr){.ttl = 64, .proto = IPPROTO_N_UDP, .total_len = IP4_HLEN + 608, .id = (uint16_t)i,
					      .frag = is_last ? 76 : IP4_MF, .src = via_addr_to_v4(&src), .dst = via_addr_to_v4(&dst)});
	}
	if (!is_last)
		udp_emit(b + (is_v6 ? IP6_HLEN + 8 : IP4_HLEN), &(struct udp_hdr){.sport = 1, .dport = 7, .len = 1216});
	inject(w, is_v6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4, b, is_v6 ? IP6_HLEN + 616 : IP4_HLEN + 608);
}

/* Incomplete datagrams of both families share one cap: the oldest gives way and is counted, what comes together is put together. */
static void req_HARD_08__fragments_at_the_cap(void **state)
{
	struct world_t w = begin(0);
	enum { N = 2 * REASM_DATAGRAMS_MAX };
	for (uint32_t i = 0; i < N; i++) {
		inject_piece(&w, i & 1, i, false);
		assert_true(w.v->st->reasm.pool.n_used <= REASM_DATAGRAMS_MAX && w.v->st->reasm.bytes <= w.v->st->reasm.bytes_max);
	}
	uint32_t kept = w.v->st->reasm.pool.n_used;
	assert_true(kept > 500);
	assert_int_equal(net_counter(w.v, "drop.frag.limit"), N - kept);
	uint64_t whole = net_counter(w.v, "frag.datagrams");
	inject_piece(&w, true, N - 1, true);
	inject_piece(&w, false, N - 2, true);
	assert_int_equal(net_counter(w.v, "frag.datagrams") - whole, 2);
	inject_piece(&w, true, 1, true); /* the oldest went */
	assert_int_equal(net_counter(w.v, "frag.datagrams") - whole, 2);
	assert_true(net_run(w.t, w.t->now + REASM_LIFE_NS + NS_PER_S));
	assert_int_equal(w.v->st->reasm.pool.n_used, 0);
	net_free(w.t);
}

/* Half-open connections: a listener keeps a few, answers the others without keeping anything, and lets in who answers. */
static void req_HARD_08__half_open_at_the_cap(void **state)
{
	struct world_t w = begin(0);
	struct via_sockaddr at = {.addr = net_name("::"), .port = 80};
	via_sock l = net_open(w.v, VIA_STREAM), c = net_open(w.t->v[1], VIA_STREAM), s;
	assert_int_equal(via_bind(w.v, l, &at), 0);
	assert_int_equal(via_listen(w.v, l, 16), 0);
	enum { N = 5000, KEPT = 128 /* of a listener with a small backlog */ };
	for (uint32_t i = 0; i < N; i++) {
		uint8_t b[100], seg[TCP_HLEN_MAX];
		struct via_addr src = addr_of(i & 1 ? 2 : 0, i), dst = i & 1 ? net_name("2001:db8::1") : via_addr_v4(0x0a000001);
		uint32_t n = tcp_emit(seg, &(struct tcp_hdr){.sport = 5, .dport = 80, .seq = i, .flags = TCP_SYN, .wnd = 1000});
		struct ip_hdr h = {.src = src, .dst = dst, .is_v6 = i & 1, .proto = IPPROTO_N_TCP, .ttl = 64, .hlen = i & 1 ? IP6_HLEN : IP4_HLEN};
		h.len = h.hlen + n;
		put_be16(seg + 16, csum_field(csum_add(addr_pseudo(&src, &dst, IPPROTO_N_TCP, n), seg, n)));
		ip_emit(b, &h);
		memcpy(b + h.hlen, seg, n);
		inject(&w, i & 1 ? ETHERTYPE_IP6 : ETHERTYPE_IP4, b, h.len);
		assert_true(tab_of(&w.v->sock)->nodes.count <= KEPT);
	}
	assert_int_equal(tab_of(&w.v->sock)->nodes.count, KEPT);
	assert_int_equal(net_counter(w.v, "tcp.syn_cookies"), N - KEPT);
	/* one that answers comes in */
	struct via_sockaddr to = {.addr = via_addr_v4(0x0a000001), .port = 80};
	assert_int_equal(net_addr(w.t->v[1], 2, 0x0a000002, 8), 0);
	assert_int_equal(via_connect(w.t->v[1], c, &to), -EINPROGRESS);
	assert_true(net_run(w.t, w.t->now + NS_PER_S));
	assert_int_equal(via_accept(w.v, l, 0, &s, NULL), 0);
	assert_true(net_run(w.t, w.t->now + 120 * NS_PER_S)); /* the others go in time */
	assert_int_equal(tab_of(&w.v->sock)->nodes.count, 1);
	net_free(w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_HARD_06__neighbours), cmocka_unit_test(req_HARD_06__paths), cmocka_unit_test(req_HARD_06__sockets),
		cmocka_unit_test(req_HARD_06__fragments), cmocka_unit_test(req_HARD_06__routes), cmocka_unit_test(req_HARD_06__bridge),
		cmocka_unit_test(req_HARD_06__names), cmocka_unit_test(req_HARD_06__gateway_flows),
		cmocka_unit_test(req_HARD_06__keys_are_of_the_seed), cmocka_unit_test(req_HARD_06__a_chain_known_is_no_chain_elsewhere),
		cmocka_unit_test(req_HARD_08__path_mtus_at_the_cap), cmocka_unit_test(req_HARD_08__paths_at_the_cap),
		cmocka_unit_test(req_HARD_08__arp_at_the_cap), cmocka_unit_test(req_HARD_08__fragments_at_the_cap),
		cmocka_unit_test(req_HARD_08__half_open_at_the_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
