/* stack/icmp_in.c - ICMP that is for us: echo is answered, an error is believed only if it quotes a packet of ours.
 *
 * The quote's source must be an address of this stack and its ports name the socket; TCP checks the quoted sequence
 * number itself (RFC 5927 §4) and lowers the path MTU, which is then kept for its life (PM-003). Redirects are redirect.c's.
 * Quench and unknown types are dropped silently (IC4-001, TCP-084). RFC 792; RFC 1122 §3.2.2; RFC 1191 §3. */
#include "stack/state.h"

#include <errno.h>

#include "base/csum.h"

enum { QUOTE_BYTES = 60 + 8 };

/* p is ours to keep. */
static enum drop icmp_echo(struct via *v, struct pkt *p, const struct ip4_hdr *h, bool to_broadcast)
{
	struct via_addr local = via_addr_v4(h->dst), remote = via_addr_v4(h->src);
	if (to_broadcast || p->m.ether_mcast)
		return DROP_IP_BROADCAST;
	if (!icmp_limit_echo(&v->st->icmp, h->src, v->now))
		return DROP_ICMP_RATE;
	icmp_echo_turn(p);
	ip_options_turn(v, p, h->dst);
	p->m.csum = PKT_CSUM_NONE;
	p->m.ecn = 0;
	p->m.cut = PKT_CUT_ANY;
	v->st->counts[COUNT_ICMP_ECHO]++;
	tx_datagram(v, p, IPPROTO_N_ICMP, &local, &remote, 0, h->tos, false);
	return DROP_NONE;
}

/* An error about a packet of ours whose quote is q. */
static enum drop icmp_error(struct via *v, const struct icmp4_hdr *ih, const struct icmp4_quote *q)
{
	struct via_addr local = via_addr_v4(q->src), remote = via_addr_v4(q->dst);
	struct icmp_cause c;
	if (!icmp_error_cause(ih, q, &c))
		return DROP_ICMP_TYPE;
	if (!stack_addr_is_taken(v, &local))
		return DROP_ICMP_NO_SOCKET;
	ref_t path = 0;
	if (c.mtu && path_get(v, &local, &remote, &path) != 0)
		c.mtu = 0;
	uint32_t was = path ? path_at(v, path)->p.pmtu : 0;
	enum drop why = sock_icmp_arrives(&v->sock, q->proto, &local, &remote, q->sport, q->dport, c.err, c.hard, q->seq, c.mtu);
	if (path) {
		/* TCP has lowered it if the quoted segment was in flight; for the others the socket found is all there is to check. */
		bool is_valid = q->proto == IPPROTO_N_TCP ? path_at(v, path)->p.pmtu < was : !why;
		if (is_valid)
			path_mtu_lower(v, path, c.mtu);
		path_drop(v, path);
	}
	return why;
}

enum drop icmp_arrives(struct via *v, struct pkt *p, const struct ip4_hdr *h, bool to_broadcast)
{
	struct via_addr src = via_addr_v4(h->src), dst = via_addr_v4(h->dst);
	uint8_t quote[QUOTE_BYTES];
	struct icmp4_hdr ih;
	struct icmp4_quote q;
	pkt_csum_finish(v->mem, p);
	if (p->len < ICMP4_HLEN || icmp4_parse(pkt_data(p), p->head_len, &ih))
		return DROP_ICMP_BAD;
	if (p->m.csum != PKT_CSUM_VERIFIED && csum_fold(pkt_csum(v->mem, p, 0, p->len, 0)) != 0xffff)
		return DROP_ICMP_CSUM;
	if (ih.type == ICMP4_ECHO && !to_broadcast && !stack_addr_is_ours(v, &dst)) { /* somebody else's, whom a gateway asks */
		enum drop why = sock_echo_arrives(&v->sock, p, &src, &dst, (uint16_t)(ih.rest >> 16));
		if (why) /* it has freed p */
			v->st->drops[why]++;
		return DROP_NONE;
	}
	if (ih.type == ICMP4_ECHO)
		return icmp_echo(v, p, h, to_broadcast);
	if (ih.type == ICMP4_ECHO_REPLY) {
		enum drop why = sock_ping_arrives(&v->sock, p, &src, &dst, (uint16_t)(ih.rest >> 16));
		if (why) /* it has freed p */
			v->st->drops[why]++;
		return DROP_NONE;
	}
	uint32_t n = pkt_copy_out(v->mem, p, ICMP4_HLEN, quote, sizeof(quote));
	enum drop why = DROP_ICMP_TYPE;
	if (icmp4_is_error(ih.type) && icmp4_quote_parse(quote, n, &q))
		why = DROP_ICMP_BAD;
	else if (ih.type == ICMP4_REDIRECT)
		why = redirect_arrives(v, p->m.ifindex, &src, &q, ih.rest);
	else if (icmp4_is_error(ih.type))
		why = icmp_error(v, &ih, &q);
	if (!why)
		pkt_free(v->mem, p);
	return why;
}

void icmp_tell_local(struct via *v, struct pkt *p, int err)
{
	struct icmp4_quote q;
	uint8_t bytes[QUOTE_BYTES];
	uint32_t n = pkt_copy_out(v->mem, p, 0, bytes, sizeof(bytes));
	if (icmp4_quote_parse(bytes, n, &q))
		return;
	struct via_addr local = via_addr_v4(q.src), remote = via_addr_v4(q.dst);
	/* Not a rumour but our own link's word: an opening connection ends, as Linux ends it. A UDP socket hears it as a soft error. */
	sock_icmp_arrives(&v->sock, q.proto, &local, &remote, q.sport, q.dport, err, q.proto == IPPROTO_N_TCP, q.seq, 0);
}
