/* Rules of IPv4 hosts and routers, on stacks: addresses, TTL, options, ICMP that is not ours, redirects both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define A 0x0a000001u    /* host a: 10.0.0.1 on the first wire, its router 10.0.0.254 */
#define A_GW 0x0a0000feu
#define OTHER 0x0a0000fdu /* another router on that wire, which is nobody but a MAC */
#define B 0x0a010001u    /* host b: 10.1.0.1, its router 10.1.0.254 */
#define B_GW 0x0a0100feu
#define FAR 0x0a020001u  /* beyond the other router */

static const uint8_t other_mac[6] = {2, 7, 7, 7, 7, 7};

static struct net *line(void)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	net_link(t, a, r, 64, 1500, 0, 0, &ia, &ra);
	net_link(t, r, b, 64, 1500, 0, 0, &rb, &ib);
	assert_int_equal(net_addr(a, ia, A, 24), 0);
	assert_int_equal(net_addr(r, ra, A_GW, 24), 0);
	assert_int_equal(net_addr(r, rb, B_GW, 24), 0);
	assert_int_equal(net_addr(b, ib, B, 24), 0);
	assert_int_equal(net_route(a, 0, 0, A_GW), 0);
	assert_int_equal(net_route(b, 0, 0, B_GW), 0);
	struct via_change set = {.kind = VIA_NEIGH_SET, .ifindex = 2, .addr = via_addr_v4(OTHER)};
	memcpy(set.mac, other_mac, 6);
	assert_int_equal(via_configure(a, &set), 0);
	assert_int_equal(via_configure(r, &set), 0);
	assert_true(net_run(t, t->now + NS_PER_MS));
	return t;
}

static void set(struct via *v, enum via_setting which, int64_t value)
{
	struct via_change c = {.kind = VIA_SET, .setting = which, .value = value};
	assert_int_equal(via_configure(v, &c), 0);
}

static int64_t send_to(struct net *t, int from, via_sock s, uint32_t dst)
{
	struct via_sockaddr at = net_at(dst, 9);
	int64_t n = via_sendto(t->v[from], s, "hello", 5, 0, &at);
	assert_true(net_run(t, t->now + NS_PER_MS));
	return n;
}

/* The last IP packet that left stack `who`, as bytes. */
struct sniff {
	struct net *t;
	const char *who;
	uint8_t bytes[2048];
	uint32_t len, n;
	struct trace before;
};

static void sniff_emit(void *ctx, const struct trace_event *e)
{
	struct sniff *s = ctx;
	s->before.emit(s->before.ctx, e);
	if (e->kind != TRACE_TX || strcmp(e->stack, s->who) != 0 || e->pkt->m.l3 <= e->pkt->m.l2 || e->pkt->m.l3 < e->pkt->head)
		return;
	uint32_t off = (uint32_t)(e->pkt->m.l3 - e->pkt->head);
	uint8_t type[2];
	pkt_copy_out(&s->t->mem, e->pkt, off - 2, type, 2);
	if (get_be16(type) != ETHERTYPE_IP4)
		return;
	s->len = pkt_copy_out(&s->t->mem, e->pkt, off, s->bytes, sizeof(s->bytes));
	s->n++;
}

static void sniff_begin(struct sniff *s, struct net *t, const char *who)
{
	*s = (struct sniff){.t = t, .who = who, .before = t->trace};
	t->trace = (struct trace){.emit = sniff_emit, .ctx = s};
}

/* A frame for stack `to` by its interface 2: an IP header with options, then a body. */
static void inject(struct net *t, int to, struct ip4_hdr h, const uint8_t *mac, const uint8_t *opts, uint32_t n_opts, const void *body,
		   uint32_t n)
{
	static const uint8_t from[6] = {2, 9, 9, 9, 9, 9};
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	h.total_len = (uint16_t)(IP4_HLEN + n_opts + n);
	eth_emit(pkt_put(p, ETH_HLEN), mac ? mac : iface_at(t->v[to], 2)->mac, from, ETHERTYPE_IP4);
	uint8_t *ip = pkt_put(p, IP4_HLEN + n_opts);
	if (n_opts)
		memcpy(ip + IP4_HLEN, opts, n_opts);
	ip4_emit(ip, &h);
	ip4_emit_grown(ip, n_opts);
	assert_int_equal(pkt_append(&t->mem, p, body, n), 0);
	p->m.rx_ns = t->now;
	via_rx_burst(t->v[to], 2, &p, 1, t->now);
	assert_true(net_run(t, t->now + NS_PER_MS));
}

static void echo(uint8_t out[ICMP4_HLEN])
{
	icmp4_emit(out, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = 7});
	put_be16(out + 2, csum_field(csum_add(0, out, ICMP4_HLEN)));
}

/* ---- addresses and TTL ---- */

static void req_IP4_004__loopback_never_leaves_nor_enters(void **state)
{
	struct net *t = line();
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr lo = net_at(0x7f000001, 0);
	struct sniff w;
	uint8_t body[8] = {0};
	sniff_begin(&w, t, "a");
	send_to(t, 0, s, 0x7f000001);
	send_to(t, 0, s, 0x7fffffff);
	assert_int_equal(w.n, 0);
	s = net_open(t->v[0], VIA_DGRAM);
	assert_int_equal(via_bind(t->v[0], s, &lo), 0);
	assert_int_equal(send_to(t, 0, s, B), -ENETUNREACH); /* nor with such a source */
	assert_int_equal(w.n, 0);
	for (int to = 0; to < 2; to++) { /* refused on a real interface, by hosts and routers */
		uint64_t before = net_counter(t->v[to], "ip.local");
		inject(t, to, (struct ip4_hdr){.ttl = 9, .proto = 17, .src = 0x7f000001, .dst = to ? A_GW : A}, NULL, NULL, 0, body, 8);
		inject(t, to, (struct ip4_hdr){.ttl = 9, .proto = 17, .src = B, .dst = 0x7f000001}, NULL, NULL, 0, body, 8);
		assert_int_equal(net_counter(t->v[to], "drop.ip.source"), 1);
		assert_int_equal(net_counter(t->v[to], "drop.ip.not_ours"), 1);
		assert_int_equal(net_counter(t->v[to], "ip.local"), before);
	}
	net_free(t);
}

static void req_IP4_005__what_we_send_comes_from_us(void **state)
{
	struct net *t = line();
	struct sniff w;
	struct via_sockaddr foreign = net_at(B, 0), all = net_at(0xffffffff, 0), wire = net_at(0x0a0000ff, 0);
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	uint8_t body[8] = {0};
	assert_int_equal(via_bind(t->v[0], s, &foreign), -EADDRNOTAVAIL);
	assert_int_equal(via_bind(t->v[0], s, &all), -EADDRNOTAVAIL);
	assert_int_equal(via_bind(t->v[0], s, &wire), -EADDRNOTAVAIL);
	sniff_begin(&w, t, "a");
	assert_int_equal(send_to(t, 0, s, B), 5);
	assert_int_equal(get_be32(w.bytes + 12), A);
	/* an answer to what came to a broadcast would have one as its source: there is none */
	uint32_t before = w.n;
	inject(t, 0, (struct ip4_hdr){.ttl = 9, .proto = 17, .src = A_GW, .dst = 0x0a0000ff}, NULL, NULL, 0, body, 8);
	echo(body);
	inject(t, 0, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A_GW, .dst = 0x0a0000ff}, NULL, NULL, 0, body, 8);
	inject(t, 0, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A_GW, .dst = 0xffffffff}, NULL, NULL, 0, body, 8);
	assert_int_equal(w.n, before);
	net_free(t);
}

static void req_IP4_006__ttl(void **state)
{
	struct net *t = line();
	struct sniff w;
	via_sock s = net_open(t->v[0], VIA_DGRAM);
	uint8_t body[8];
	int ttl = 0;
	struct via_change zero = {.kind = VIA_SET, .setting = VIA_SET_TTL, .value = 0};
	sniff_begin(&w, t, "a");
	send_to(t, 0, s, A_GW);
	assert_true(w.bytes[8] >= 64);
	assert_int_equal(via_configure(t->v[0], &zero), -EINVAL); /* never 0 */
	assert_int_equal(via_setsockopt(t->v[0], s, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), -EINVAL);
	set(t->v[0], VIA_SET_TTL, 77);
	send_to(t, 0, s, A_GW);
	assert_int_equal(w.bytes[8], 77);
	ttl = 5;
	assert_int_equal(via_setsockopt(t->v[0], s, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	send_to(t, 0, s, A_GW);
	assert_int_equal(w.bytes[8], 5);
	echo(body);
	for (uint8_t in = 0; in < 2; in++) { /* for us, whatever is left */
		inject(t, 0, (struct ip4_hdr){.ttl = in, .proto = 1, .src = A_GW, .dst = A}, NULL, NULL, 0, body, 8);
		assert_int_equal(net_counter(t->v[0], "icmp.echo_answered"), in + 1u);
	}
	net_free(t);
}

/* ---- options ---- */

static void req_IP4_007__options_on_the_way_and_back(void **state)
{
	static const uint8_t rr[] = {7, 23, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t want[] = {7, 23, 16, 10, 1, 0, 0xfe, 10, 1, 0, 1, 10, 0, 0, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t odd[] = {0x9e, 4, 1, 2}, broken[] = {7, 99, 4, 0}, lsrr[] = {131, 7, 4, 10, 1, 0, 1, 0};
	static const uint8_t ssrr[] = {137, 7, 4, 10, 1, 0, 1, 0};
	struct net *t = line();
	struct sniff w;
	uint8_t body[8];
	echo(body);
	/* a's request goes by the router to b and back: each writes the address it sends from, b once */
	sniff_begin(&w, t, "r");
	inject(t, 1, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A, .dst = B}, NULL, rr, sizeof(rr), body, 8);
	assert_int_equal(w.n, 2);
	assert_int_equal(w.len, 20 + 24 + 8);
	assert_memory_equal(w.bytes + 20, want, sizeof(want));
	assert_int_equal(w.bytes[44], ICMP4_ECHO_REPLY);
	assert_int_equal(csum_fold(csum_add(0, w.bytes, 44)), 0xffff);
	/* unknown ones are skipped, broken ones end the walk: both are answered, without them */
	inject(t, 1, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A, .dst = A_GW}, NULL, odd, sizeof(odd), body, 8);
	inject(t, 1, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A, .dst = A_GW}, NULL, broken, sizeof(broken), body, 8);
	assert_int_equal(net_counter(t->v[1], "icmp.echo_answered"), 2);
	assert_int_equal(w.len, 28);
	/* source routes are neither followed nor taken (RFC 7126) */
	for (int to = 0; to < 2; to++) {
		inject(t, to, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = B, .dst = to ? A_GW : A}, NULL, lsrr, 8, body, 8);
		inject(t, to, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = B, .dst = to ? A_GW : A}, NULL, ssrr, 8, body, 8);
		assert_int_equal(net_counter(t->v[to], "drop.ip.options"), 2);
	}
	net_free(t);
}

/* ---- ICMP ---- */

static void req_IC4_001__unknown_types_and_bad_checksums(void **state)
{
	struct net *t = line();
	struct sniff w;
	uint8_t body[8];
	sniff_begin(&w, t, "a");
	static const uint8_t types[] = {1, 2, 6, 7, 13, 15, 17, 30, 41, 255};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		icmp4_emit(body, &(struct icmp4_hdr){.type = types[i]});
		put_be16(body + 2, csum_field(csum_add(0, body, 8)));
		inject(t, 0, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A_GW, .dst = A}, NULL, NULL, 0, body, 8);
		assert_int_equal(net_counter(t->v[0], "drop.icmp.type"), i + 1);
	}
	echo(body);
	body[3] ^= 1;
	inject(t, 0, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A_GW, .dst = A}, NULL, NULL, 0, body, 8);
	assert_int_equal(net_counter(t->v[0], "drop.icmp.checksum"), 1);
	assert_int_equal(w.n, 0); /* silently */
	/* an error goes to the transport that the quote names: that socket, and no other */
	via_sock s = net_open(t->v[0], VIA_DGRAM), o = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr at = net_at(B, 9), on = net_at(B, 10);
	char c;
	assert_int_equal(via_connect(t->v[0], s, &at), 0);
	assert_int_equal(via_connect(t->v[0], o, &on), 0);
	assert_int_equal(via_send(t->v[0], s, "x", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -ECONNREFUSED);
	assert_int_equal(via_recv(t->v[0], o, &c, 1, 0), -EAGAIN);
	net_free(t);
}

/* A redirect for a's datagrams to FAR, from `from`, naming `gw`. */
static void redirect(struct net *t, int to, uint32_t from, uint32_t src, uint32_t dst, uint32_t gw)
{
	uint8_t m[ICMP4_HLEN + IP4_HLEN + 8] = {0};
	icmp4_emit(m, &(struct icmp4_hdr){.type = ICMP4_REDIRECT, .code = 1, .rest = gw});
	ip4_emit(m + 8, &(struct ip4_hdr){.ttl = 9, .proto = 17, .total_len = 40, .src = src, .dst = dst});
	put_be16(m + 2, csum_field(csum_add(0, m, sizeof(m))));
	inject(t, to, (struct ip4_hdr){.ttl = 255, .proto = 1, .src = from, .dst = A}, NULL, NULL, 0, m, sizeof(m));
}

static void req_IC4_005__redirects_only_when_asked_and_from_the_gateway(void **state)
{
	struct net *t = line();
	struct via *a = t->v[0];
	via_sock s = net_open(a, VIA_DGRAM);
	set(t->v[1], VIA_SET_SEND_REDIRECTS, 0);
	uint64_t before = net_counter(t->v[1], "ip.in");
#define TAKES_THE_GATEWAY(yes) do { \
		send_to(t, 0, s, FAR); \
		assert_int_equal(net_counter(t->v[1], "ip.in") - before, (yes)); \
		before = net_counter(t->v[1], "ip.in"); \
	} while (0)
	TAKES_THE_GATEWAY(1);
	redirect(t, 0, A_GW, A, FAR, OTHER); /* off by default */
	TAKES_THE_GATEWAY(1);
	set(a, VIA_SET_ACCEPT_REDIRECTS, 1);
	redirect(t, 0, OTHER, A, FAR, OTHER);       /* not the gateway in use */
	redirect(t, 0, B_GW, A, FAR, OTHER);
	redirect(t, 0, A_GW, A, FAR, B_GW);         /* that is not on our link */
	redirect(t, 0, A_GW, A, FAR, A);            /* ourselves */
	redirect(t, 0, A_GW, A, FAR, 0x0a0000ff);   /* everybody */
	redirect(t, 0, A_GW, A, FAR, 0xe0000001);
	redirect(t, 0, A_GW, B, FAR, OTHER);        /* no packet of ours */
	TAKES_THE_GATEWAY(1);
	assert_int_equal(net_counter(a, "drop.icmp.redirect"), 7);
	set(a, VIA_SET_FORWARDING, 1);
	redirect(t, 0, A_GW, A, FAR, OTHER);        /* a router has its own routes */
	TAKES_THE_GATEWAY(1);
	set(a, VIA_SET_FORWARDING, 0);
	redirect(t, 0, A_GW, A, FAR, OTHER);
	TAKES_THE_GATEWAY(0);
	send_to(t, 0, s, B);                        /* others go as before */
	assert_int_equal(net_counter(t->v[1], "ip.in") - before, 2); /* it, and b's answer */
	/* another route: what was said about the last one is forgotten */
	assert_int_equal(net_route(a, FAR & 0xffffff00, 24, A_GW), 0);
	before = net_counter(t->v[1], "ip.in");
	TAKES_THE_GATEWAY(0);                       /* the same gateway: it still holds */
	redirect(t, 0, OTHER, A, FAR, A_GW);        /* the one in use now may change it again */
	TAKES_THE_GATEWAY(1);
	net_free(t);
}

/* ---- routers ---- */

static void req_RT4_011__redirects_are_sent_to_whom_they_help(void **state)
{
	struct net *t = line();
	struct via *r = t->v[1];
	uint8_t body[8] = {0};
	assert_int_equal(net_route(r, FAR & 0xffffff00, 24, OTHER), 0);
	struct ip4_hdr h = {.ttl = 9, .proto = 17, .src = A, .dst = FAR};
	inject(t, 1, h, NULL, NULL, 0, body, 8);
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_REDIRECT, 1, 1}), 3);
	assert_int_equal(t->seen.last_icmp_rest, OTHER);
	assert_int_equal(t->seen.last_icmp_src, A_GW); /* the interface it came by (RT4-012) */
	assert_int_equal(net_counter(r, "ip.forwarded"), 1); /* and it was forwarded */
	/* the same interface, but a sender that is not on its link; and one that goes on by another interface */
	t->seen.last_icmp[2] = 0;
	assert_int_equal(net_route(r, 0x0b000000, 24, A), 0);
	h.src = 0x0b000001;
	inject(t, 1, h, NULL, NULL, 0, body, 8);
	h.src = A;
	h.dst = B;
	inject(t, 1, h, NULL, NULL, 0, body, 8);
	assert_int_equal(net_counter(r, "ip.forwarded"), 3);
	assert_false(t->seen.last_icmp[2] && t->seen.last_icmp[0] == ICMP4_REDIRECT);
	/* limited: as many as errors may go to one host at once */
	uint64_t sent = net_counter(r, "icmp.errors_sent");
	h.dst = FAR;
	for (int i = 0; i < 200; i++)
		inject(t, 1, h, NULL, NULL, 0, body, 8);
	assert_in_range(net_counter(r, "icmp.errors_sent") - sent, 5, 60);
	set(r, VIA_SET_SEND_REDIRECTS, 0);
	assert_true(net_run(t, t->now + 60 * NS_PER_S));
	sent = net_counter(r, "icmp.errors_sent");
	inject(t, 1, h, NULL, NULL, 0, body, 8);
	assert_int_equal(net_counter(r, "icmp.errors_sent"), sent);
	net_free(t);
}

static void req_RT4_002__headers_are_checked_before_forwarding(void **state)
{
	struct net *t = line();
	struct via *r = t->v[1];
	static const struct { int at; uint8_t xor; bool fix; const char *drop; } bad[] = {
		{10, 1, false, "drop.ip.checksum"}, {0, 0x10, true, "drop.ip.bad"}, {0, 0x07, true, "drop.ip.bad"}, {3, 0x40, true, "drop.ip.bad"},
		{2, 0x40, true, "drop.ip.bad"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t f[ETH_HLEN + 28] = {0};
		uint64_t before = net_counter(r, bad[i].drop);
		eth_emit(f, iface_at(r, 2)->mac, other_mac, ETHERTYPE_IP4);
		ip4_emit(f + ETH_HLEN, &(struct ip4_hdr){.ttl = 9, .proto = 17, .total_len = 28, .src = A, .dst = B});
		f[ETH_HLEN + bad[i].at] ^= bad[i].xor;
		if (bad[i].fix) {
			put_be16(f + ETH_HLEN + 10, 0);
			put_be16(f + ETH_HLEN + 10, csum_field(csum_add(0, f + ETH_HLEN, 20)));
		}
		struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
		assert_int_equal(pkt_append(&t->mem, p, f, sizeof(f)), 0);
		via_rx_burst(r, 2, &p, 1, t->now);
		assert_int_equal(net_counter(r, bad[i].drop), before + 1);
	}
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(net_counter(r, "ip.forwarded"), 0);
	assert_int_equal(t->seen.last_icmp[2], 0);
	net_free(t);
}

static void req_RT4_007__martians_are_not_forwarded(void **state)
{
	static const uint32_t bad[][2] = {{0, B}, {0x00000005, B}, {0x7f000001, B}, {0xe0000001, B}, {0xf0000001, B}, {0xffffffff, B},
		{A, 0x00000005}, {A, 0x7f000001}, {A, 0xf0000001}, {A, 0xffffffff}, {A, 0xe0000005}, {0x0a0000ff, B}, {A_GW, B}};
	struct net *t = line();
	struct via *r = t->v[1];
	uint8_t body[8] = {0};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		inject(t, 1, (struct ip4_hdr){.ttl = 9, .proto = 17, .src = bad[i][0], .dst = bad[i][1]}, NULL, NULL, 0, body, 8);
	assert_int_equal(net_counter(r, "ip.forwarded"), 0);
	assert_int_equal(t->seen.last_icmp[2], 0); /* by counters only: a flood of them writes nothing */
	net_free(t);
}

static void req_RT4_009__link_broadcasts_are_not_forwarded(void **state)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, group[6] = {1, 0, 0x5e, 0, 0, 5};
	struct net *t = line();
	struct via *r = t->v[1];
	uint8_t body[8] = {0};
	struct ip4_hdr h = {.ttl = 9, .proto = 17, .src = A, .dst = B};
	inject(t, 1, h, all, NULL, 0, body, 8);
	inject(t, 1, h, group, NULL, 0, body, 8);
	assert_int_equal(net_counter(r, "ip.forwarded"), 0);
	assert_int_equal(net_counter(r, "drop.ip.broadcast"), 2);
	inject(t, 1, h, NULL, NULL, 0, body, 8);
	assert_int_equal(net_counter(r, "ip.forwarded"), 1);
	net_free(t);
}

static void req_RT4_012__errors_come_from_the_right_address(void **state)
{
	struct net *t = line();
	uint8_t m[ICMP4_HLEN + IP4_HLEN + 8] = {0}, body[8] = {0};
	inject(t, 1, (struct ip4_hdr){.ttl = 1, .proto = 17, .src = A, .dst = B}, NULL, NULL, 0, body, 8);
	assert_memory_equal(t->seen.last_icmp, ((uint8_t[]){ICMP4_TIME_EXCEEDED, 0, 1}), 3);
	assert_int_equal(t->seen.last_icmp_src, A_GW);
	/* errors are no reason for errors: not when the TTL ends, not when there is no way */
	uint64_t sent = net_counter(t->v[1], "icmp.errors_sent");
	icmp4_emit(m, &(struct icmp4_hdr){.type = ICMP4_UNREACH, .code = 1});
	ip4_emit(m + 8, &(struct ip4_hdr){.ttl = 9, .proto = 17, .total_len = 40, .src = B, .dst = A});
	put_be16(m + 2, csum_field(csum_add(0, m, sizeof(m))));
	inject(t, 1, (struct ip4_hdr){.ttl = 1, .proto = 1, .src = A, .dst = B}, NULL, NULL, 0, m, sizeof(m));
	inject(t, 1, (struct ip4_hdr){.ttl = 9, .proto = 1, .src = A, .dst = FAR}, NULL, NULL, 0, m, sizeof(m));
	assert_int_equal(net_counter(t->v[1], "icmp.errors_sent"), sent);
	assert_int_equal(net_counter(t->v[1], "drop.ip.ttl"), 2);
	assert_int_equal(net_counter(t->v[1], "drop.ip.no_route"), 1);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP4_004__loopback_never_leaves_nor_enters),
		cmocka_unit_test(req_IP4_005__what_we_send_comes_from_us),
		cmocka_unit_test(req_IP4_006__ttl),
		cmocka_unit_test(req_IP4_007__options_on_the_way_and_back),
		cmocka_unit_test(req_IC4_001__unknown_types_and_bad_checksums),
		cmocka_unit_test(req_IC4_005__redirects_only_when_asked_and_from_the_gateway),
		cmocka_unit_test(req_RT4_011__redirects_are_sent_to_whom_they_help),
		cmocka_unit_test(req_RT4_002__headers_are_checked_before_forwarding),
		cmocka_unit_test(req_RT4_007__martians_are_not_forwarded),
		cmocka_unit_test(req_RT4_009__link_broadcasts_are_not_forwarded),
		cmocka_unit_test(req_RT4_012__errors_come_from_the_right_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
