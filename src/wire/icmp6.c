/* wire/icmp6.c - ICMPv6 header and the packet an ICMPv6 error quotes (RFC 4443 §2.1, §3; RFC 8200 §4).
 *
 * In a quote the chain of extension headers is stepped over, none of them obeyed: it was ours to write. A quoted fragment other
 * than the first carries no transport header, so it names no socket and is refused. */
#include "wire/icmp6.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

int icmp6_parse(const uint8_t *p, size_t len, struct icmp6_hdr *h)
{
	if (len < ICMP6_HLEN)
		return -EINVAL;
	h->type = p[0];
	h->code = p[1];
	h->csum = get_be16(p + 2);
	h->rest = get_be32(p + 4);
	return 0;
}

void icmp6_emit(uint8_t out[ICMP6_HLEN], const struct icmp6_hdr *h)
{
	out[0] = h->type;
	out[1] = h->code;
	put_be16(out + 2, 0);
	put_be32(out + 4, h->rest);
}

/* Where the transport begins: *at moves there from the first header behind the fixed one. Its number, or -EINVAL. */
static int quote_transport(const uint8_t *p, size_t len, uint8_t next, size_t *at)
{
	for (int n = 0; n < ICMP6_QUOTE_HEADERS; n++) {
		if (len - *at < 8)
			return -EINVAL;
		const uint8_t *x = p + *at;
		size_t step = 8;
		if (next == IPPROTO_N_FRAGMENT && get_be16(x + 2) & 0xfff8)
			return -EINVAL;
		if (next == IPPROTO_N_HOPOPTS || next == IPPROTO_N_DSTOPTS || next == IPPROTO_N_ROUTING)
			step = 8u * (x[1] + 1u);
		else if (next != IPPROTO_N_FRAGMENT)
			return next;
		if (len - *at < step)
			return -EINVAL;
		next = x[0];
		*at += step;
	}
	return -EINVAL;
}

int icmp6_quote_parse(const uint8_t *p, size_t len, struct icmp6_quote *q)
{
	if (len < IP6_HLEN + 8 || p[0] >> 4 != 6)
		return -EINVAL;
	size_t at = IP6_HLEN;
	int proto = quote_transport(p, len, p[6], &at);
	if (proto < 0)
		return proto;
	memset(q, 0, sizeof(*q));
	memcpy(q->src.b, p + 8, 16);
	memcpy(q->dst.b, p + 24, 16);
	q->total_len = IP6_HLEN + get_be16(p + 4);
	q->proto = (uint8_t)proto;
	const uint8_t *l4 = p + at;
	switch (proto) {
	case IPPROTO_N_TCP:
		q->seq = get_be32(l4 + 4);
		/* fall through */
	case IPPROTO_N_UDP:
		q->sport = get_be16(l4);
		q->dport = get_be16(l4 + 2);
		break;
	case IPPROTO_N_ICMP6:
		if (l4[0] == ICMP6_ECHO || l4[0] == ICMP6_ECHO_REPLY)
			q->sport = get_be16(l4 + 4);
		break;
	default:
		break;
	}
	return 0;
}
