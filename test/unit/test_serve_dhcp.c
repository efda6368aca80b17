/* test_serve_dhcp.c - DHCP client and server on real stacks: an address comes, is renewed, runs out, is refused, is somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "serve/dhcp_client.h"
#include "serve/dhcp_server.h"
#include "test/unit/region.h"
#include "test/unit/stacks.h"

enum { REGION = 1 << 20, SERVER = 0x0a000001, FIRST = 0x0a000064, LAST = 0x0a0000c7, LEASE_S = 1000, CHECK_S = 8 };

/* A frame of a DHCP message, as the wire saw it. */
struct said {
	int64_t at;
	char who[8];
	uint8_t mac[6]; /* destination */
	uint32_t src, dst;
	uint8_t type;
	bool broadcast;
};

struct world {
	struct net *net;
	struct trace before;
	struct via *client, *server;
	int ci, si;
	struct arena *arena;
	struct serve_dhcp_client c;
	struct serve_dhcp_iface ci_state, ci2_state;
	struct serve_dhcp_server s;
	struct serve_dhcp_subnet subnet;
	bool has_client, has_server;
	int n_changed;
	struct dhcp_lease told; /* addr 0: dropped */
	struct said said[400];
	int n_said;
};

static void hear(void *ctx, const struct trace_event *e)
{
	struct world *w = ctx;
	uint8_t f[600];
	struct dhcp_msg m;
	w->before.emit(w->before.ctx, e);
	if (e->kind != TRACE_TX || e->ifindex == 1 || w->n_said == 400)
		return;
	uint32_t n = pkt_copy_out(&w->net->mem, e->pkt, 0, f, sizeof(f));
	bool is_udp = n > 42 && get_be16(f + 12) == ETHERTYPE_IP4 && f[23] == IPPROTO_N_UDP;
	if (!is_udp || (get_be16(f + 36) != 67 && get_be16(f + 36) != 68) || dhcp_parse(f + 42, n - 42, &m))
		return;
	struct said *s = &w->said[w->n_said++];
	*s = (struct said){.at = e->now, .src = get_be32(f + 26), .dst = get_be32(f + 30), .type = m.type, .broadcast = m.h.broadcast};
	memcpy(s->mac, f, 6);
	memcpy(s->who, e->stack, MIN(strlen(e->stack), sizeof(s->who) - 1));
}

/* The n-th message of a type since index `from`, or NULL. */
static const struct said *said(const struct world *w, uint8_t type, int n)
{
	for (int i = 0; i < w->n_said; i++)
		if (w->said[i].type == type && n-- == 0)
			return &w->said[i];
	return NULL;
}

static void changed(void *ctx, int ifindex, const struct dhcp_lease *l)
{
	struct world *w = ctx;
	w->n_changed++;
	w->told = l ? *l : (struct dhcp_lease){0};
}

static struct dhcp_server_config range(struct world *w)
{
	struct dhcp_server_config c = {.arena = w->arena, .key = {1, 2}, .server = SERVER, .plen = 24, .first = FIRST, .last = LAST,
				       .router = SERVER, .dns = {SERVER}, .n_dns = 1, .mtu = 1400, .lease_s = LEASE_S};
	return c;
}

static void server_start(struct world *w, const struct dhcp_server_config *c)
{
	assert_int_equal(serve_dhcp_server_start(&w->s, w->server, NULL, NULL), 0);
	assert_int_equal(serve_dhcp_server_add(&w->s, &w->subnet, w->si, c), 0);
	w->has_server = true;
}

static void server_stop(struct world *w)
{
	serve_dhcp_server_stop(&w->s);
	w->has_server = false;
}

static void client_start(struct world *w)
{
	const struct serve_dhcp_client_config c = {.via = w->client, .key = {3, 4}, .hostname = "home", .changed = changed, .ctx = w};
	assert_int_equal(serve_dhcp_client_start(&w->c, &c), 0);
	assert_int_equal(serve_dhcp_client_add(&w->c, &w->ci_state, w->ci, 0, w->net->now), 0);
	w->has_client = true;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	w->net = net_new();
	w->client = net_stack(w->net, "client", false);
	w->server = net_stack(w->net, "server", true);
	net_link(w->net, w->client, w->server, 64, 1500, 0, 0, &w->ci, &w->si);
	assert_int_equal(net_addr(w->server, w->si, SERVER, 24), 0);
	w->arena = region_new(REGION);
	w->before = w->net->trace;
	w->net->trace = (struct trace){.emit = hear, .ctx = w};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	if (w->has_client)
		serve_dhcp_client_stop(&w->c, false, w->net->now);
	if (w->has_server)
		server_stop(w);
	int bad = arena_bytes_used(w->arena) != 0;
	net_free(w->net);
	region_free(w->arena);
	free(w);
	return bad ? -1 : 0;
}

/* Time passes, as an owner lets it: poll, tell the services, hand out events. */
static void run(struct world *w, int64_t ns)
{
	struct net *t = w->net;
	int64_t until = t->now + ns;
	for (int steps = 0; steps < 10000000; steps++) {
		int64_t next = TIME_NEVER;
		for (int i = 0; i < t->n; i++) {
			bool again = via_poll(t->v[i], t->now, 256) == VIA_AGAIN;
			if (w->has_client && t->v[i] == w->client)
				serve_dhcp_client_tick(&w->c, t->now);
			if (w->has_server && t->v[i] == w->server)
				serve_dhcp_server_tick(&w->s, t->now);
			again |= via_dispatch(t->v[i]) > 0;
			next = again ? t->now : next;
		}
		for (int i = 0; i < t->n; i++) {
			int64_t mine = via_next_deadline(t->v[i]);
			if (w->has_client && t->v[i] == w->client)
				mine = MIN(mine, serve_dhcp_client_next(&w->c));
			if (w->has_server && t->v[i] == w->server)
				mine = MIN(mine, serve_dhcp_server_next(&w->s));
			next = MIN(next, MAX(mine, t->now));
		}
		if (next > until) {
			t->now = until;
			return;
		}
		t->now = next;
	}
	fail_msg("it never comes to rest");
}

/* The address of the client's interface, 0: none. */
static uint32_t address(struct via *v, int ifindex)
{
	struct via_addr_info a = {.size = sizeof(a)};
	for (int n = 0; via_addr_get(v, n, &a); n++)
		if (a.ifindex == ifindex && via_addr_is_v4(&a.addr))
			return via_addr_to_v4(&a.addr);
	return 0;
}

static uint32_t default_gateway(struct via *v)
{
	struct via_route_info r = {.size = sizeof(r)};
	for (int n = 0; via_route_get(v, n, &r); n++)
		if (r.plen == 0 && via_addr_is_v4(&r.dst))
			return via_addr_to_v4(&r.gateway);
	return 0;
}

static uint32_t mtu(struct via *v, int ifindex)
{
	struct via_iface_info f = {.size = sizeof(f)};
	for (int n = 0; via_iface_get(v, n, &f); n++)
		if (f.ifindex == ifindex)
			return f.mtu;
	return 0;
}

static void dhcp__a_client_gets_address_route_and_mtu(void **state)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	server_start(w, &c);
	client_start(w);
	run(w, NS_PER_S);
	assert_int_equal(address(w->client, w->ci), 0); /* granted, but others are asked first */
	const struct said *d = said(w, DHCP_DISCOVER, 0), *o = said(w, DHCP_OFFER, 0), *r = said(w, DHCP_REQUEST, 0), *a = said(w, DHCP_ACK, 0);
	assert_non_null(d);
	assert_non_null(o);
	assert_non_null(r);
	assert_non_null(a);
	assert_int_equal(d->src, 0); /* RFC 2131 §4.1 */
	assert_int_equal(d->dst, 0xffffffff);
	assert_memory_equal(d->mac, everybody, 6);
	assert_int_equal(o->src, SERVER);
	assert_int_equal(o->dst, 0xffffffff);
	assert_int_equal(r->src, 0);
	assert_int_equal(a->dst, 0xffffffff);
	run(w, CHECK_S * NS_PER_S);
	assert_in_range(address(w->client, w->ci), FIRST, LAST);
	assert_int_equal(default_gateway(w->client), SERVER);
	assert_int_equal(mtu(w->client, w->ci), 1400);
	assert_int_equal(w->n_changed, 1);
	assert_int_equal(w->told.dns[0], SERVER);
	assert_int_equal(serve_dhcp_client_lease(&w->c, w->ci)->addr, address(w->client, w->ci));
	assert_int_equal(w->net->seen.dropped[DROP_IP_SOURCE], 0);
}

static via_sock connected(struct world *w, via_sock *accepted)
{
	struct via_sockaddr at = net_at(SERVER, 80);
	via_sock l = net_open(w->server, VIA_STREAM), s = net_open(w->client, VIA_STREAM);
	assert_int_equal(via_bind(w->server, l, &at), 0);
	assert_int_equal(via_listen(w->server, l, 1), 0);
	assert_int_equal(via_connect(w->client, s, &at), -EINPROGRESS);
	run(w, NS_PER_S);
	assert_int_equal(via_accept(w->server, l, 0, accepted, NULL), 0);
	return s;
}

static void req_DHC_004__renewed_by_unicast_while_connections_live(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	via_sock there;
	char buf[8];
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	int64_t granted = said(w, DHCP_REQUEST, 0)->at;
	via_sock s = connected(w, &there);
	run(w, 10 * LEASE_S * NS_PER_S);
	assert_int_equal(address(w->client, w->ci), mine);
	const struct said *r = said(w, DHCP_REQUEST, 1);
	assert_int_equal(r->at, granted + LEASE_S / 2 * NS_PER_S); /* T1 */
	assert_int_equal(r->src, mine);
	assert_int_equal(r->dst, SERVER);
	assert_int_equal(said(w, DHCP_ACK, 1)->dst, mine);
	assert_non_null(said(w, DHCP_REQUEST, 19)); /* each half lease */
	assert_null(said(w, DHCP_DISCOVER, 1));
	assert_int_equal(via_send(w->client, s, "x", 1, 0), 1);
	run(w, NS_PER_S);
	assert_int_equal(via_recv(w->server, there, buf, sizeof(buf), 0), 1);
}

static void req_DHC_004__at_expiry_the_address_is_dropped_at_once(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	via_sock there;
	int error = 0;
	uint32_t len = sizeof(error);
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	int64_t granted = said(w, DHCP_REQUEST, 0)->at;
	via_sock s = connected(w, &there), udp = net_open(w->client, VIA_DGRAM);
	struct via_sockaddr from = net_at(mine, 5000), to = net_at(SERVER, 9);
	assert_int_equal(via_bind(w->client, udp, &from), 0);
	server_stop(w);
	run(w, granted + LEASE_S * NS_PER_S - 1 - w->net->now);
	assert_int_equal(address(w->client, w->ci), mine);
	const struct said *rebind = NULL;
	for (int n = 1; said(w, DHCP_REQUEST, n); n++)
		if (!rebind && said(w, DHCP_REQUEST, n)->dst == 0xffffffff)
			rebind = said(w, DHCP_REQUEST, n);
	assert_non_null(rebind);
	assert_int_equal(rebind->src, mine);
	assert_int_equal(rebind->at, granted + LEASE_S * 7 / 8 * NS_PER_S); /* T2 */
	run(w, 1);
	assert_int_equal(address(w->client, w->ci), 0);
	assert_int_equal(default_gateway(w->client), 0);
	assert_int_equal(mtu(w->client, w->ci), 1500);
	assert_int_equal(w->told.addr, 0);
	assert_int_equal(via_getsockopt(w->client, s, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ECONNABORTED);
	assert_int_equal(via_sendto(w->client, udp, "x", 1, 0, &to), -EADDRNOTAVAIL);
	assert_int_equal(said(w, DHCP_DISCOVER, 1)->src, 0); /* and begins again, as somebody without address */
	server_start(w, &c);
	run(w, 100 * NS_PER_S);
	assert_in_range(address(w->client, w->ci), FIRST, LAST);
}

static void req_DHC_005__a_nak_takes_the_address_and_another_comes(void **state)
{
	struct world *w = *state;
	struct dhcp_server_config c = range(w);
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	server_stop(w);
	c.first = mine + 1; /* renumbered: the address is of another range, on another network */
	c.last = mine + 10;
	c.server = 0x0a000101;
	c.first = 0x0a000164;
	c.last = 0x0a000170;
	c.router = 0x0a000101;
	assert_int_equal(net_addr(w->server, w->si, 0x0a000101, 24), 0);
	server_start(w, &c);
	run(w, LEASE_S * NS_PER_S);
	assert_non_null(said(w, DHCP_NAK, 0));
	assert_in_range(address(w->client, w->ci), 0x0a000164, 0x0a000170);
	assert_int_equal(default_gateway(w->client), 0x0a000101);
}

static void req_DHC_003__an_address_in_use_is_declined(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	server_start(w, &c);
	assert_int_equal(net_addr(w->server, w->si, FIRST, 24), 0); /* somebody has the first one */
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	const struct said *no = said(w, DHCP_DECLINE, 0);
	assert_non_null(no);
	assert_int_equal(no->src, 0);
	assert_int_equal(no->dst, 0xffffffff);
	assert_int_equal(address(w->client, w->ci), 0);
	run(w, 30 * NS_PER_S);
	assert_true(said(w, DHCP_DISCOVER, 1)->at - no->at >= 10 * NS_PER_S);
	assert_in_range(address(w->client, w->ci), FIRST + 1, LAST);
}

static void dhcp__a_conflict_later_is_declined_too(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	assert_int_equal(net_addr(w->server, w->si, mine, 24), 0); /* announces it, and again when we defend ours (RFC 5227 §2.4 (b)) */
	run(w, NS_PER_S);
	assert_int_equal(address(w->client, w->ci), 0);
	run(w, 30 * NS_PER_S);
	assert_non_null(said(w, DHCP_DECLINE, 0));
	assert_int_not_equal(address(w->client, w->ci), mine);
	assert_in_range(address(w->client, w->ci), FIRST, LAST);
}

/* A client that can take unicasts before it has an address, as a kernel's raw socket can: by hand, from a configured stack's port 68. */
static void dhcp__who_wants_no_broadcast_is_answered_at_its_mac(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	struct dhcp_hdr h = {.op = DHCP_BOOTREQUEST, .htype = DHCP_HTYPE_ETHER, .hlen = 6, .xid = 77, .chaddr = {2, 0, 0, 1, 0, 0}};
	struct via_sockaddr local = net_at(0, 68), to = net_at(0xffffffff, 67);
	struct via_neigh_info n = {.size = sizeof(n)};
	uint8_t msg[DHCP_MSG_MAX];
	int on = 1;
	server_start(w, &c);
	via_sock s = net_open(w->client, VIA_DGRAM);
	assert_int_equal(via_bind(w->client, s, &local), 0);
	assert_int_equal(via_setsockopt(w->client, s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	struct writer wr = dhcp_begin(msg, sizeof(msg), &h, DHCP_DISCOVER);
	size_t len = dhcp_end(&wr, msg);
	to.addr.scope = (uint32_t)w->ci;
	assert_int_equal(via_sendto(w->client, s, msg, (uint32_t)len, 0, &to), len);
	run(w, NS_PER_S);
	const struct said *o = said(w, DHCP_OFFER, 0);
	assert_non_null(o);
	assert_memory_equal(o->mac, h.chaddr, 6);
	assert_in_range(o->dst, FIRST, LAST);
	assert_false(via_neigh_get(w->server, 0, &n)); /* nobody is a neighbour for that */
}

static void dhcp__without_address_nothing_else_is_said(void **state)
{
	struct world *w = *state;
	struct via_sockaddr other = net_at(0, 69), to = net_at(0xffffffff, 67), wrong = net_at(0xffffffff, 69), boot = net_at(0, 68);
	int on = 1;
	to.addr.scope = wrong.addr.scope = (uint32_t)w->ci;
	via_sock a = net_open(w->client, VIA_DGRAM), b = net_open(w->client, VIA_DGRAM);
	assert_int_equal(via_bind(w->client, a, &other), 0);
	assert_int_equal(via_bind(w->client, b, &boot), 0);
	assert_int_equal(via_setsockopt(w->client, a, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	assert_int_equal(via_setsockopt(w->client, b, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	assert_int_equal(via_sendto(w->client, a, "x", 1, 0, &to), -EADDRNOTAVAIL);
	assert_int_equal(via_sendto(w->client, b, "x", 1, 0, &wrong), -EADDRNOTAVAIL);
	assert_int_equal(via_sendto(w->client, b, "x", 1, 0, &to), 1);
	to.addr.scope = 0; /* by which interface? */
	assert_int_equal(via_sendto(w->client, b, "x", 1, 0, &to), -EADDRNOTAVAIL);
	to.addr.scope = 9;
	assert_int_equal(via_sendto(w->client, b, "x", 1, 0, &to), -ENETUNREACH);
	run(w, NS_PER_S);
	assert_int_equal(net_counter(w->client, "ip.out"), 1);
}

/* Frame by hand: from 0.0.0.0 to everybody at a port. */
static void nobody_sends(struct world *w, uint16_t port)
{
	uint8_t f[ETH_HLEN + IP4_HLEN + UDP_HLEN + 4] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 9, 9, 9, 8, 0};
	uint8_t *ip = f + ETH_HLEN, *udp = ip + IP4_HLEN;
	memcpy(ip, (uint8_t[]){0x45, 0, 0, IP4_HLEN + UDP_HLEN + 4, 0, 1, 0, 0, 64, IPPROTO_N_UDP}, 10);
	put_be32(ip + 16, 0xffffffff);
	put_be16(ip + 10, csum_field(csum_add(0, ip, IP4_HLEN)));
	udp_emit(udp, &(struct udp_hdr){68, port, UDP_HLEN + 4, 0});
	struct pkt *p = pkt_new(&w->net->mem, PKT_HEADROOM);
	assert_int_equal(pkt_append(&w->net->mem, p, f, sizeof(f)), 0);
	via_rx_burst(w->server, w->si, &p, 1, w->net->now);
}

static void dhcp__from_nobody_only_to_port_67(void **state)
{
	struct world *w = *state;
	struct via_sockaddr at67 = net_at(0, 67), at69 = net_at(0, 69), from, to;
	via_sock a = net_open(w->server, VIA_DGRAM), b = net_open(w->server, VIA_DGRAM);
	char buf[16];
	assert_int_equal(via_bind(w->server, a, &at67), 0);
	assert_int_equal(via_bind(w->server, b, &at69), 0);
	nobody_sends(w, 67);
	nobody_sends(w, 69);
	assert_int_equal(via_recvfrom(w->server, a, buf, sizeof(buf), 0, &from, &to), 4);
	assert_true(via_addr_is_any(&from.addr));
	assert_int_equal(via_addr_to_v4(&to.addr), 0xffffffff);
	assert_int_equal(to.addr.scope, w->si); /* the interface it came by */
	assert_int_equal(via_recvfrom(w->server, b, buf, sizeof(buf), 0, &from, &to), -EAGAIN);
	assert_int_equal(net_counter(w->server, "drop.ip.source"), 1);
}

static void dhcp__two_interfaces_two_servers(void **state)
{
	struct world *w = *state;
	int c2, o2;
	net_link(w->net, w->client, w->server, 64, 1500, 0, 0, &c2, &o2);
	assert_int_equal(net_addr(w->server, o2, 0x0a000201, 24), 0);
	struct dhcp_server_config c = range(w), d = c;
	struct serve_dhcp_subnet second;
	d.server = 0x0a000201;
	d.first = 0x0a000210;
	d.last = 0x0a000220;
	d.router = 0;
	server_start(w, &c);
	assert_int_equal(serve_dhcp_server_add(&w->s, &second, o2, &d), 0);
	client_start(w);
	assert_int_equal(serve_dhcp_client_add(&w->c, &w->ci2_state, c2, 0, w->net->now), 0);
	run(w, CHECK_S * NS_PER_S);
	assert_in_range(address(w->client, w->ci), FIRST, LAST);
	assert_in_range(address(w->client, c2), 0x0a000210, 0x0a000220);
	run(w, 5 * LEASE_S * NS_PER_S); /* renewals find their server, too */
	assert_in_range(address(w->client, c2), 0x0a000210, 0x0a000220);
	assert_null(said(w, DHCP_DISCOVER, 2));
	server_stop(w);
}

static void req_DHC_007__a_lease_is_given_back(void **state)
{
	struct world *w = *state;
	struct dhcp_binding_info b;
	const struct dhcp_server_config c = range(w);
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	assert_true(dhcp_server_get(&w->subnet.engine, mine - FIRST, w->net->now, &b));
	assert_int_equal(b.state, DHCP_LEASED);
	serve_dhcp_client_stop(&w->c, true, w->net->now);
	w->has_client = false;
	assert_int_equal(address(w->client, w->ci), 0);
	run(w, NS_PER_S);
	const struct said *r = said(w, DHCP_RELEASE, 0);
	assert_non_null(r);
	assert_int_equal(r->src, mine);
	assert_int_equal(r->dst, SERVER);
	assert_true(dhcp_server_get(&w->subnet.engine, mine - FIRST, w->net->now, &b));
	assert_int_equal(b.state, DHCP_FREE);
}

static void dhcp__a_link_that_comes_back_is_asked_about(void **state)
{
	struct world *w = *state;
	const struct dhcp_server_config c = range(w);
	server_start(w, &c);
	client_start(w);
	run(w, CHECK_S * NS_PER_S);
	uint32_t mine = address(w->client, w->ci);
	struct via_driver *d = pipe_driver(w->net->pipe[0], 0);
	d->up = false;
	via_iface_updown(w->client, w->ci);
	run(w, NS_PER_S);
	assert_null(said(w, DHCP_REQUEST, 1));
	d->up = true;
	via_iface_updown(w->client, w->ci);
	run(w, NS_PER_S);
	assert_non_null(said(w, DHCP_REQUEST, 1));
	assert_int_equal(said(w, DHCP_REQUEST, 1)->dst, 0xffffffff);
	assert_int_equal(address(w->client, w->ci), mine);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dhcp__a_client_gets_address_route_and_mtu),
		CASE(req_DHC_004__renewed_by_unicast_while_connections_live),
		CASE(req_DHC_004__at_expiry_the_address_is_dropped_at_once),
		CASE(req_DHC_005__a_nak_takes_the_address_and_another_comes),
		CASE(req_DHC_003__an_address_in_use_is_declined),
		CASE(dhcp__a_conflict_later_is_declined_too),
		CASE(dhcp__who_wants_no_broadcast_is_answered_at_its_mac),
		CASE(dhcp__without_address_nothing_else_is_said),
		CASE(dhcp__from_nobody_only_to_port_67),
		CASE(dhcp__two_interfaces_two_servers),
		CASE(req_DHC_007__a_lease_is_given_back),
		CASE(dhcp__a_link_that_comes_back_is_asked_about),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
