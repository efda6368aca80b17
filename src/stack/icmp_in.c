/* stack/icmp_in.c - ICMP of either family that is for us: echo is answered, an error is believed only if it quotes a packet of ours.
 *
 * The quote's source must be an address of this stack and its ports name the socket; TCP checks the quoted sequence
 * number itself (RFC 5927 §4) and lowers the path MTU, which is then kept for its life (PM-003). Redirects are redirect.c's.
 * Quench and unknown types are dropped silently (IC4-001, TCP-084), unknown ICMPv6 errors passed up (RFC 4443 §2.4). RFC 792;
 * RFC 1122 §3.2.2; RFC 1191 §3; RFC 4443; RFC 8201 §4. */
#include "stack/nd.h"

#include "base/csum.h"
#include "wire/addr.h"
#include "wire/mld.h"

/* A request for an echo to many is answered in IPv6, by one of our own addresses (RFC 4443 §4.2), not in IPv4 (RFC 1122 §3.2.2.6).
 * p is ours to keep. */
static enum drop icmp_echo(struct via *v, struct pkt *p, const struct ip_hdr *h, bool to_broadcast)
{
	bool to_many = to_broadcast || p->m.ether_mcast;
	struct via_addr local = to_many ? via_addr_v4(0) : h->dst;
	if (to_many && !(h->is_v6 && via_addr_is_multicast(&h->dst)))
		return DROP_IP_BROADCAST;
	if (via_addr_is_any(&h->src))
		return DROP_IP_SOURCE;
	if (!icmp_limit_echo(&v->st->icmp, &h->src, v->now))
		return DROP_ICMP_RATE;
	icmp_echo_turn(p, h->is_v6);
	if (!h->is_v6)
		ip_options_turn(v, p, via_addr_to_v4(&h->dst));
	p->m.csum = PKT_CSUM_NONE;
	p->m.ecn = 0;
	p->m.cut = PKT_CUT_ANY;
	v->st->counts[COUNT_ICMP_ECHO]++;
	tx_datagram(v, p, IPPROTO_N_ICMP, &local, &h->src, 0, h->tos, false);
	return DROP_NONE;
}

/* An error about a packet of ours whose quote is q. */
static enum drop icmp_error(struct via *v, bool is_v6, const struct icmp4_hdr *ih, const struct icmp_quote *q)
{
	struct icmp_cause c;
	if (!icmp_error_cause(is_v6, ih, q, &c))
		return DROP_ICMP_TYPE;
	if (!stack_addr_is_taken(v, &q->src))
		return DROP_ICMP_NO_SOCKET;
	ref_t path = 0;
	if (c.mtu && path_get(v, &q->src, &q->dst, &path) != 0)
		c.mtu = 0;
	uint32_t was = path ? path_at(v, path)->p.pmtu : 0;
	enum drop why = sock_icmp_arrives(&v->sock, q->proto, &q->src, &q->dst, q->sport, q->dport, c.err, c.hard, q->seq, c.mtu);
	if (path) {
		/* TCP has lowered it if the quoted segment was in flight; for the others the socket found is all there is to check. */
		bool is_valid = q->proto == IPPROTO_N_TCP ? path_at(v, path)->p.pmtu < was : !why;
		if (is_valid)
			path_mtu_lower(v, path, c.mtu);
		path_drop(v, path);
	}
	return why;
}

/* Not a query: an error about one of ours, or nothing to us. p stays the caller's. */
static enum drop icmp_other(struct via *v, const struct pkt *p, const struct ip_hdr *h, const struct icmp4_hdr *ih)
{
	uint8_t bytes[ICMP_QUOTE_BYTES];
	struct icmp_quote q;
	if (h->is_v6 && ih->type >= ND_RS && ih->type <= ND_REDIRECT)
		return nd_arrives(v, p, h);
	if (h->is_v6 && mld_is(ih->type))
		return mcast_arrives(v, p, h);
	if (h->is_v6 ? !icmp6_is_error(ih->type) : !icmp4_is_error(ih->type))
		return DROP_ICMP_TYPE;
	uint32_t n = pkt_copy_out(v->mem, p, ICMP4_HLEN, bytes, sizeof(bytes));
	if (!icmp_quote_read(h->is_v6, h->dst.scope ? h->dst.scope : p->m.ifindex, bytes, n, &q))
		return DROP_ICMP_BAD;
	if (!h->is_v6 && ih->type == ICMP4_REDIRECT) {
		struct via_addr gateway = via_addr_v4(ih->rest);
		return redirect_arrives(v, p->m.ifindex, &h->src, &q, &gateway);
	}
	return icmp_error(v, h->is_v6, ih, &q);
}

enum drop icmp_arrives(struct via *v, struct pkt *p, const struct ip_hdr *h, bool to_broadcast)
{
	struct icmp4_hdr ih;
	uint64_t pseudo = h->is_v6 ? addr_pseudo(&h->src, &h->dst, IPPROTO_N_ICMP6, p->len) : 0;
	pkt_csum_finish(v->mem, p);
	if (p->len < ICMP4_HLEN || icmp4_parse(pkt_data(p), p->head_len, &ih))
		return DROP_ICMP_BAD;
	if (p->m.csum != PKT_CSUM_VERIFIED && csum_fold(pkt_csum(v->mem, p, 0, p->len, pseudo)) != 0xffff)
		return DROP_ICMP_CSUM;
	bool is_echo = ih.type == (h->is_v6 ? ICMP6_ECHO : ICMP4_ECHO), is_reply = ih.type == (h->is_v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY);
	uint16_t id = (uint16_t)(ih.rest >> 16);
	enum drop why;
	if (is_echo && (to_broadcast || stack_addr_is_ours(v, &h->dst)))
		return icmp_echo(v, p, h, to_broadcast);
	if (!is_echo && !is_reply) {
		why = icmp_other(v, p, h, &ih);
		if (!why)
			pkt_free(v->mem, p);
		return why;
	}
	/* An echo asked of somebody else is for the gateway that stands for them. */
	why = is_echo ? sock_echo_arrives(&v->sock, p, &h->src, &h->dst, id) : sock_ping_arrives(&v->sock, p, &h->src, &h->dst, id);
	if (why) /* it has freed p */
		v->st->drops[why]++;
	return DROP_NONE;
}

void icmp_tell_local(struct via *v, struct pkt *p, const struct ip_hdr *h, int err)
{
	struct icmp_quote q;
	uint8_t bytes[ICMP_QUOTE_BYTES];
	uint32_t n = pkt_copy_out(v->mem, p, 0, bytes, sizeof(bytes));
	if (!icmp_quote_read(h->is_v6, p->m.ifindex, bytes, n, &q))
		return;
	/* Not a rumour but our own link's word: an opening connection ends, as Linux ends it. A UDP socket hears it as a soft error. */
	sock_icmp_arrives(&v->sock, q.proto, &q.src, &q.dst, q.sport, q.dport, err, q.proto == IPPROTO_N_TCP, q.seq, 0);
}
