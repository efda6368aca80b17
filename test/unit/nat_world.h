/* test/unit/nat_world.h - a home behind a NAT: two hosts a and b, the router r, an outside router o, two servers s and u beyond it.
 *
 *   a 192.168.1.2 -- .1 eth0 \                          / eth3 -- s 198.51.100.2
 *                             r  eth2 203.0.113.1 -- o
 *   b 192.168.2.2 -- .1 eth1 /        .254             \ eth4 -- u 198.51.101.2 */
#ifndef UNIT_NAT_WORLD_H
#define UNIT_NAT_WORLD_H

#include <netinet/in.h>

#include "stacks.h"

#define HOST_A 0xc0a80102u
#define HOST_B 0xc0a80202u
#define OUTER 0xcb007101u
#define SERVER_S 0xc6336402u
#define SERVER_U 0xc6336502u

struct world {
	struct net *t;
	struct via *a, *b, *r, *o, *s, *u;
};

static inline struct world world_new(void)
{
	struct world w = {.t = net_new()};
	struct net *t = w.t;
	int x, y;
	w.a = net_stack(t, "a", false), w.b = net_stack(t, "b", false), w.r = net_stack(t, "r", true);
	w.o = net_stack(t, "o", true), w.s = net_stack(t, "s", false), w.u = net_stack(t, "u", false);
	struct { struct via *l, *r; uint32_t la, ra; } links[] = {
		{w.a, w.r, HOST_A, 0xc0a80101}, {w.b, w.r, HOST_B, 0xc0a80201}, {w.r, w.o, OUTER, 0xcb0071fe},
		{w.o, w.s, 0xc6336401, SERVER_S}, {w.o, w.u, 0xc6336501, SERVER_U},
	};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		net_link(t, links[i].l, links[i].r, 256, 1500, 0, 0, &x, &y);
		assert_int_equal(net_addr(links[i].l, x, links[i].la, 24), 0);
		assert_int_equal(net_addr(links[i].r, y, links[i].ra, 24), 0);
	}
	assert_int_equal(net_route(w.a, 0, 0, 0xc0a80101), 0);
	assert_int_equal(net_route(w.b, 0, 0, 0xc0a80201), 0);
	assert_int_equal(net_route(w.r, 0, 0, 0xcb0071fe), 0);
	assert_int_equal(net_route(w.s, 0, 0, 0xc6336401), 0);
	assert_int_equal(net_route(w.u, 0, 0, 0xc6336501), 0);
	return w;
}

static inline int nat_add(struct via *v, struct via_nat_rule rule)
{
	rule.size = sizeof(rule);
	memcpy(rule.out, "eth2", 5);
	return via_configure(v, &(struct via_change){.kind = VIA_NAT_ADD, .nat = &rule});
}

static inline void nat_on(struct world *w, enum via_nat_filtering filtering)
{
	assert_int_equal(nat_add(w->r, (struct via_nat_rule){.kind = VIA_NAT_MASQUERADE, .filtering = filtering}), 0);
}

static inline int nat_forward(struct world *w, const char *text)
{
	struct via_nat_rule rule;
	struct via_filter_error err;
	assert_int_equal(via_nat_parse_forward(text, &rule, &err), 0);
	return nat_add(w->r, rule);
}

static inline int filter_text(struct via *v, const char *text)
{
	struct via_filter_rule rule;
	struct via_filter_error err;
	int kind;
	if (via_filter_parse(text, &kind, &rule, &err))
		fail_msg("%s: %s (at %zu)", text, err.what, err.at);
	return via_configure(v, &(struct via_change){.kind = (enum via_change_kind)kind, .filter = &rule});
}

static inline void world_run(struct world *w, int64_t ns) { assert_true(net_run(w->t, w->t->now + ns)); }

static inline via_sock udp_at(struct via *v, uint16_t port)
{
	via_sock s = net_open(v, VIA_DGRAM);
	struct via_sockaddr at = net_at(0, port);
	assert_int_equal(via_bind(v, s, &at), 0);
	return s;
}

/* The same, which hears of ICMP errors. */
static inline via_sock udp_hears(struct via *v, uint16_t port)
{
	via_sock s = udp_at(v, port);
	int on = 1;
	assert_int_equal(via_setsockopt(v, s, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	return s;
}

static inline void udp_to(struct world *w, struct via *v, via_sock s, uint32_t addr, uint16_t port, const char *text)
{
	struct via_sockaddr to = net_at(addr, port);
	assert_int_equal(via_sendto(v, s, text, (uint32_t)strlen(text), 0, &to), (int64_t)strlen(text));
	world_run(w, 5 * NS_PER_MS);
}

/* Receives `text`; from whom is returned. NULL text: nothing is there. */
static inline struct via_sockaddr udp_from(struct via *v, via_sock s, const char *text)
{
	char buf[64] = {0};
	struct via_sockaddr from = {0};
	int64_t n = via_recvfrom(v, s, buf, sizeof(buf) - 1, 0, &from, NULL);
	if (!text) {
		assert_int_equal(n, -EAGAIN);
		return from;
	}
	assert_int_equal(n, (int64_t)strlen(text));
	assert_string_equal(buf, text);
	return from;
}

static inline void assert_from(struct via_sockaddr got, uint32_t addr, uint16_t port)
{
	assert_int_equal(via_addr_to_v4(&got.addr), addr);
	assert_int_equal(got.port, port);
}

static inline uint32_t connections(struct via *v)
{
	struct via_ct_info i = {.size = sizeof(i)};
	int n = 0;
	while (via_ct_get(v, n, &i))
		n++;
	return (uint32_t)n;
}

/* All rules away: the arena is as it was before them. */
static inline void nat_off(struct world *w)
{
	assert_int_equal(via_configure(w->r, &(struct via_change){.kind = VIA_FILTER_FLUSH}), 0);
	for (int c = 0; c < VIA_CHAINS; c++) {
		struct via_filter_rule policy = {.size = sizeof(policy), .chain = (enum via_chain)c, .target = VIA_TARGET_ACCEPT};
		assert_int_equal(via_configure(w->r, &(struct via_change){.kind = VIA_FILTER_POLICY, .filter = &policy}), 0);
	}
	assert_int_equal(via_configure(w->r, &(struct via_change){.kind = VIA_NAT_FLUSH}), 0);
	assert_int_equal(connections(w->r), 0);
	assert_int_equal(w->r->st->filter, 0);
	assert_null(w->r->hooks);
}

#endif
