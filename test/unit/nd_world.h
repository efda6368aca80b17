/* test/unit/nd_world.h - one stack, `a`, on an Ethernet whose other stations are played by hand: messages of neighbour discovery go in
 * as bytes, and what `a` sends is kept. The far end of its wire is a stack that knows nothing of IPv6 and stays silent. */
#ifndef UNIT_ND_WORLD_H
#define UNIT_ND_WORLD_H

#include "stack/nd.h"
#include "stacks.h"
#include "wire/addr.h"
#include "wire/nd.h"

#define ND_LOG 400

struct nd_world {
	struct net *t;
	struct via *a;
	int ifindex;
	struct trace before;
	struct nd_sent {
		int64_t at;
		struct nd_msg m;
		struct via_addr src, dst;
		uint8_t mac[6]; /* to */
		uint8_t hops;
	} sent[ND_LOG];
	int n;
	int n_echo;           /* echo replies sent */
	struct via_addr echo_src;
	uint8_t frame[2048];  /* the last IPv6 packet that was not neighbour discovery, from its Ethernet header */
	uint32_t frame_len;
	int n_other;
};

static const uint8_t mac_router[6] = {2, 0, 0, 9, 9, 1}, mac_other[6] = {2, 0, 0, 9, 9, 2};

static inline void nd_world_emit(void *ctx, const struct trace_event *e)
{
	struct nd_world *w = ctx;
	uint8_t f[2048];
	struct ip6_hdr h;
	w->before.emit(w->before.ctx, e);
	if (e->kind != TRACE_TX || strcmp(e->stack, "a") != 0 || e->ifindex == IFINDEX_LO)
		return;
	uint32_t n = pkt_copy_out(&w->t->mem, e->pkt, 0, f, sizeof(f));
	if (n < ETH_HLEN + IP6_HLEN + 8 || get_be16(f + 12) != ETHERTYPE_IP6 || ip6_parse(f + ETH_HLEN, n - ETH_HLEN, false, &h))
		return;
	const uint8_t *icmp = f + ETH_HLEN + IP6_HLEN;
	if (h.next == IPPROTO_N_ICMP6 && icmp[0] >= ND_RS && icmp[0] <= ND_REDIRECT) {
		struct nd_sent *s = &w->sent[w->n < ND_LOG ? w->n++ : ND_LOG - 1];
		struct nd_from from = {.src = h.src, .dst = h.dst, .hop_limit = h.hops};
		*s = (struct nd_sent){.at = e->now, .src = h.src, .dst = h.dst, .hops = h.hops};
		memcpy(s->mac, f, 6);
		/* Whatever we send, a receiver must take. */
		assert_int_equal(nd_parse(icmp, h.payload_len, &from, &s->m), 0);
		assert_int_equal(csum_fold(csum_add(addr_pseudo(&h.src, &h.dst, IPPROTO_N_ICMP6, h.payload_len), icmp, h.payload_len)), 0xffff);
		s->m.quote = NULL;
		return;
	}
	if (h.next == IPPROTO_N_ICMP6 && icmp[0] == ICMP6_ECHO_REPLY) {
		w->n_echo++;
		w->echo_src = h.src;
	}
	memcpy(w->frame, f, n);
	w->frame_len = n;
	w->n_other++;
}

static inline void nd_world_new(struct nd_world *w, bool forwarding)
{
	int ib;
	memset(w, 0, sizeof(*w));
	w->t = net_new();
	w->a = net_stack(w->t, "a", forwarding);
	struct via *b = net_stack(w->t, "b", false);
	net_link(w->t, w->a, b, 64, 1500, 0, 0, &w->ifindex, &ib);
	w->before = w->t->trace;
	w->t->trace = (struct trace){.emit = nd_world_emit, .ctx = w};
}

static inline int nd_world_set(struct nd_world *w, enum via_setting s, int64_t value)
{
	return via_configure(w->a, &(struct via_change){.kind = VIA_SET, .ifindex = w->ifindex, .setting = s, .value = value});
}

static inline void nd_world_run(struct nd_world *w, int64_t ns)
{
	assert_true(net_run(w->t, w->t->now + ns));
}

static inline void nd_world_free(struct nd_world *w)
{
	net_free(w->t);
}

/* An IPv6 packet of n bytes of payload arrives, from a MAC. */
static inline void nd_inject_packet(struct nd_world *w, const uint8_t mac[6], struct via_addr src, struct via_addr dst, uint8_t next,
				    uint8_t hops, const void *payload, size_t n)
{
	struct pkt *p = pkt_new(&w->t->mem, PKT_HEADROOM);
	uint8_t to[6];
	if (!eth_group(to, &dst))
		memcpy(to, iface_at(w->a, (uint32_t)w->ifindex)->mac, 6);
	struct ip6_hdr h = {.next = next, .hops = hops, .payload_len = (uint16_t)n, .src = src, .dst = dst};
	eth_emit(pkt_put(p, ETH_HLEN), to, mac, ETHERTYPE_IP6);
	ip6_emit(pkt_put(p, IP6_HLEN), &h);
	memcpy(pkt_put(p, (uint32_t)n), payload, n);
	via_rx_burst(w->a, w->ifindex, &p, 1, w->t->now);
	nd_world_run(w, 2 * NS_PER_MS);
}

/* The same for ICMPv6, whose checksum is made. */
static inline void nd_inject_icmp(struct nd_world *w, const uint8_t mac[6], struct via_addr src, struct via_addr dst, uint8_t hops,
				  uint8_t *icmp, size_t n)
{
	put_be16(icmp + 2, 0);
	put_be16(icmp + 2, csum_field(csum_add(addr_pseudo(&src, &dst, IPPROTO_N_ICMP6, (uint32_t)n), icmp, n)));
	nd_inject_packet(w, mac, src, dst, IPPROTO_N_ICMP6, hops, icmp, n);
}

static inline void nd_inject(struct nd_world *w, const uint8_t mac[6], struct via_addr src, struct via_addr dst, struct nd_msg m)
{
	uint8_t icmp[ND_EMIT_MAX + 1300];
	size_t n = nd_emit(icmp, sizeof(icmp), &m);
	assert_true(n > 0);
	nd_inject_icmp(w, mac, src, dst, 255, icmp, n);
}

static inline void nd_inject_echo(struct nd_world *w, const uint8_t mac[6], struct via_addr src, struct via_addr dst)
{
	uint8_t icmp[16] = {ICMP6_ECHO, 0, 0, 0, 1, 2, 3, 4, 'p', 'i', 'n', 'g'};
	nd_inject_icmp(w, mac, src, dst, 64, icmp, sizeof(icmp));
}

/* A neighbour for good. */
static inline void nd_know(struct nd_world *w, const char *addr, const uint8_t mac[6])
{
	struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = w->ifindex, .addr = net_name(addr)};
	memcpy(c.mac, mac, 6);
	assert_int_equal(via_configure(w->a, &c), 0);
}

/* Messages of `type` that were sent since `from` (an index of sent). The first of them in *first. */
static inline int nd_count(const struct nd_world *w, int from, uint8_t type, const struct nd_sent **first)
{
	int n = 0;
	for (int i = from; i < w->n; i++) {
		if (w->sent[i].m.type != type)
			continue;
		if (n++ == 0 && first)
			*first = &w->sent[i];
	}
	return n;
}

/* The n-th address of a that is (not) link-local IPv6; false: there is none. */
static inline bool nd_addr(struct nd_world *w, bool link_local, int n, struct via_addr_info *out)
{
	*out = (struct via_addr_info){.size = sizeof(*out)};
	for (int k = 0; via_addr_get(w->a, k, out); k++)
		if (out->ifindex == w->ifindex && !via_addr_is_v4(&out->addr) && addr_is_fe80(&out->addr) == link_local && n-- == 0)
			return true;
	return false;
}

/* A router's advertisement with one prefix, lifetimes in seconds. */
static inline struct nd_msg nd_ra(uint16_t lifetime, const char *prefix, uint32_t valid, uint32_t preferred)
{
	struct nd_msg m = {.type = ND_RA, .lifetime_s = lifetime, .has_lla = true};
	memcpy(m.lla, mac_router, 6);
	if (prefix) {
		m.n_prefixes = 1;
		m.prefix[0] = (struct nd_prefix){.prefix = net_name(prefix), .plen = 64, .on_link = true, .autonomous = true, .valid_s = valid,
						 .preferred_s = preferred};
	}
	return m;
}
#define ROUTER net_name("fe80::9")
#define ROUTER2 net_name("fe80::8")
#define ALL_NODES net_name("ff02::1")
#endif
