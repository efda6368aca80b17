/* test/unit/ip6_wire.h - a host and its wire: hand-made IPv6 packets go in, all that it sends is kept, but for reports of groups. */
#ifndef UNIT_IP6_WIRE_H
#define UNIT_IP6_WIRE_H

#include "base/csum.h"
#include "wire/addr.h"
#include "wire/ip6.h"

#include "stacks.h"

#define HOST "2001:db8::1"
#define PEER "2001:db8::9"
#define FAR "2001:db8:1::9" /* behind a router's other side */
#define SENT_MAX 64

struct wire6 {
	struct net *t;
	struct via *v;
	via_sock udp; /* at port 7 of all addresses */
	struct trace before;
	uint32_t n;   /* packets sent since wire6_clear() */
	uint32_t len[SENT_MAX];
	uint8_t sent[SENT_MAX][1600]; /* from the IP header on */
};

static inline void wire6_emit(void *ctx, const struct trace_event *e)
{
	struct wire6 *w = ctx;
	w->before.emit(w->before.ctx, e);
	if (e->kind == TRACE_TX && e->pkt->m.why == WHY_GROUP) /* what it is asked for and when is not what these tests are about */
		return;
	if (e->kind != TRACE_TX || strcmp(e->stack, "host") != 0 || e->pkt->m.l3 <= e->pkt->m.l2 || w->n >= SENT_MAX)
		return;
	uint32_t off = (uint32_t)(e->pkt->m.l3 - e->pkt->head);
	w->len[w->n] = pkt_copy_out(&w->t->mem, e->pkt, off, w->sent[w->n], sizeof(w->sent[0]));
	w->n += w->sent[w->n][0] >> 4 == 6;
}

/* forwarding: a router whose interface 3 leads to FAR's net, with an MTU of 1400. */
static inline struct wire6 *wire6_new(bool forwarding)
{
	struct wire6 *w = calloc(1, sizeof(*w));
	int one, other;
	w->t = net_new();
	w->v = net_stack(w->t, "host", forwarding);
	net_link(w->t, w->v, net_stack(w->t, "peer", false), 256, 1500, 0, 0, &one, &other);
	assert_int_equal(net_addr6(w->v, one, HOST, 64), 0);
	net_know(w->t, 0, w->v, one, 1, PEER);
	if (forwarding) {
		net_link(w->t, w->v, net_stack(w->t, "far", false), 256, 1400, 0, 0, &one, &other);
		assert_int_equal(net_addr6(w->v, one, "2001:db8:1::1", 64), 0);
		net_know(w->t, 1, w->v, one, 1, FAR);
	}
	w->udp = net_open(w->v, VIA_DGRAM);
	struct via_sockaddr at = {.addr = net_name("::"), .port = 7};
	assert_int_equal(via_bind(w->v, w->udp, &at), 0);
	w->before = w->t->trace;
	w->t->trace = (struct trace){.emit = wire6_emit, .ctx = w};
	return w;
}

static inline void wire6_free(struct wire6 *w)
{
	net_free(w->t);
	free(w);
}

/* The host's interface 2 gets these bytes, which begin at the IP header, in a frame to it or to a group. */
static inline void wire6_inject(struct wire6 *w, const uint8_t *ip, uint32_t n)
{
	static const uint8_t from[6] = {2, 0, 0, 2, 0, 0};
	struct pkt *p = pkt_new(&w->t->mem, PKT_HEADROOM);
	struct via_addr dst = {.scope = 0};
	uint8_t mac[6];
	if (n >= IP6_HLEN)
		memcpy(dst.b, ip + 24, 16);
	if (!eth_group(mac, &dst))
		memcpy(mac, iface_at(w->v, 2)->mac, 6);
	eth_emit(pkt_put(p, ETH_HLEN), mac, from, ETHERTYPE_IP6);
	assert_int_equal(pkt_append(&w->t->mem, p, ip, n), 0);
	p->m.rx_ns = w->t->now;
	via_rx_burst(w->v, 2, &p, 1, w->t->now);
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
}

static inline void wire6_clear(struct wire6 *w)
{
	w->n = 0;
	assert_true(net_run(w->t, w->t->now + 10 * NS_PER_S)); /* the rate limit of errors has recovered */
	w->n = 0;
}

/* A packet: header, then n bytes of whatever. Returns bytes. */
static inline uint32_t ip6_make(uint8_t *out, uint8_t next, const char *src, const char *dst, const void *body, uint32_t n)
{
	struct ip6_hdr h = {.next = next, .hops = 64, .payload_len = (uint16_t)n, .src = net_name(src), .dst = net_name(dst)};
	ip6_emit(out, &h);
	memcpy(out + IP6_HLEN, body, n);
	return IP6_HLEN + n;
}

/* A UDP datagram to port 7 from port 9 between these two, payload as byte i = i * 3. */
static inline uint32_t udp_make(uint8_t *out, const char *src, const char *dst, uint32_t payload)
{
	struct via_addr a = net_name(src), b = net_name(dst);
	uint32_t n = UDP_HLEN + payload;
	udp_emit(out, &(struct udp_hdr){.sport = 9, .dport = 7, .len = (uint16_t)n});
	for (uint32_t i = 0; i < payload; i++)
		out[UDP_HLEN + i] = (uint8_t)(i * 3);
	uint16_t sum = csum_field(csum_add(addr_pseudo(&a, &b, IPPROTO_N_UDP, n), out, n));
	put_be16(out + 6, sum ? sum : 0xffff);
	return n;
}

/* Bytes of the datagram that the socket got, or -1; its text must be udp_make()'s. */
static inline int64_t udp_got(struct wire6 *w)
{
	static uint8_t buf[65536];
	int64_t n = via_recv(w->v, w->udp, buf, sizeof(buf), 0);
	for (int64_t i = 0; i < n; i++)
		assert_int_equal(buf[i], (uint8_t)(i * 3));
	return n;
}

/* The one packet sent since wire6_clear() is an ICMPv6 error of that type and code to PEER, its checksum right, its last word `rest`, the
 * packet quoted. */
static inline void expect_icmp6(struct wire6 *w, uint8_t type, uint8_t code, uint32_t rest, const uint8_t *quoted, uint32_t n)
{
	struct ip6_hdr h;
	const uint8_t *p = w->sent[0], *m = p + IP6_HLEN;
	struct via_addr peer = net_name(PEER);
	assert_int_equal(w->n, 1);
	assert_int_equal(ip6_parse(p, w->len[0], false, &h), 0);
	assert_int_equal(h.next, IPPROTO_N_ICMP6);
	assert_true(via_addr_eq(&h.dst, &peer));
	assert_int_equal(h.payload_len + IP6_HLEN, w->len[0]);
	assert_int_equal(csum_fold(csum_add(addr_pseudo(&h.src, &h.dst, IPPROTO_N_ICMP6, h.payload_len), m, h.payload_len)), 0xffff);
	assert_int_equal(m[0], type);
	assert_int_equal(m[1], code);
	assert_int_equal(get_be32(m + 4), rest);
	assert_int_equal(w->len[0], MIN(n + 48, 1280u)); /* RFC 4443 §2.4(c) */
	assert_memory_equal(m + 8, quoted, w->len[0] - 48);
	wire6_clear(w);
}
#endif
