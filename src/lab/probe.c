/* lab/probe.c - see probe.h. Frames are read here, per family; all else knows addresses only. RFC 792; RFC 1812 §4.3. */
#include "lab/probe.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>

/* An ICMP message to us, as far as probes need it. */
struct seen {
	struct via_addr from, quoted_to;
	bool is_error;
	uint8_t ttl, type, code, proto; /* proto: of the quoted packet */
	uint32_t mtu;
	uint16_t sport, dport, seq;     /* of the quoted packet; of an echo reply its id (sport) and number */
};

/* b: the first n bytes, from the IPv4 header on, of a packet of len. */
static bool read_ip4(const uint8_t *b, size_t n, size_t len, struct seen *s)
{
	struct ip4_hdr h;
	struct icmp4_hdr ih;
	struct icmp4_quote q;
	if (n < IP4_HLEN || ip4_parse(b, len, true, &h) || h.proto != IPPROTO_N_ICMP || n < h.hlen + ICMP4_HLEN)
		return false;
	if (icmp4_parse(b + h.hlen, n - h.hlen, &ih))
		return false;
	*s = (struct seen){.from = via_addr_v4(h.src), .ttl = h.ttl, .type = ih.type, .code = ih.code, .proto = IPPROTO_N_ICMP,
		.sport = (uint16_t)(ih.rest >> 16), .seq = (uint16_t)ih.rest, .is_error = icmp4_is_error(ih.type)};
	if (!s->is_error)
		return ih.type == ICMP4_ECHO_REPLY;
	const uint8_t *quote = b + h.hlen + ICMP4_HLEN;
	if (icmp4_quote_parse(quote, n - h.hlen - ICMP4_HLEN, &q))
		return false;
	s->quoted_to = via_addr_v4(q.dst);
	s->proto = q.proto;
	s->sport = q.sport;
	s->dport = q.dport;
	if (q.proto == IPPROTO_N_ICMP)
		s->seq = get_be16(quote + (quote[0] & 15) * 4 + 6);
	s->mtu = ih.type == ICMP4_UNREACH && ih.code == 4 ? ih.rest & 0xffff : 0;
	return true;
}

/* The same of IPv6; nobody answers a probe behind extension headers. */
static bool read_ip6(const uint8_t *b, size_t n, size_t len, struct seen *s)
{
	struct ip6_hdr h;
	struct icmp6_hdr ih;
	struct icmp6_quote q;
	if (n < IP6_HLEN + ICMP6_HLEN || ip6_parse(b, len, true, &h) || h.next != IPPROTO_N_ICMP6)
		return false;
	icmp6_parse(b + IP6_HLEN, n - IP6_HLEN, &ih);
	*s = (struct seen){.from = h.src, .ttl = h.hops, .type = ih.type, .code = ih.code, .proto = IPPROTO_N_ICMP,
		.sport = (uint16_t)(ih.rest >> 16), .seq = (uint16_t)ih.rest, .is_error = icmp6_is_error(ih.type)};
	if (!s->is_error)
		return ih.type == ICMP6_ECHO_REPLY;
	const uint8_t *quote = b + IP6_HLEN + ICMP6_HLEN;
	if (icmp6_quote_parse(quote, n - IP6_HLEN - ICMP6_HLEN, &q))
		return false;
	s->quoted_to = q.dst;
	s->proto = q.proto == IPPROTO_N_ICMP6 ? IPPROTO_N_ICMP : q.proto;
	s->sport = q.sport;
	s->dport = q.dport;
	if (quote[6] == IPPROTO_N_ICMP6)
		s->seq = get_be16(quote + IP6_HLEN + 6);
	s->mtu = ih.type == ICMP6_TOO_BIG ? ih.rest : 0;
	return true;
}

static bool read_frame(const struct pktmem *m, const struct pkt *p, struct seen *s)
{
	enum { MOST = ETH_HLEN + 4 + IP6_HLEN + ICMP6_HLEN + IP6_HLEN + 64 }; /* IPv4 with options in both headers needs less */
	uint8_t b[MOST];
	struct eth_hdr eth;
	uint32_t n = pkt_copy_out(m, p, 0, b, MIN(p->len, MOST));
	if (eth_parse(b, n, &eth))
		return false;
	return eth.type == ETHERTYPE_IP4 ? read_ip4(b + eth.hlen, n - eth.hlen, p->len - eth.hlen, s) :
	       eth.type == ETHERTYPE_IP6 ? read_ip6(b + eth.hlen, n - eth.hlen, p->len - eth.hlen, s) :
					   false;
}

/* Which probe the quoted packet was. */
static bool which(const struct prober *p, const struct seen *s, uint16_t *n)
{
	static const uint8_t protos[] = {[PROBE_ICMP] = IPPROTO_N_ICMP, [PROBE_UDP] = IPPROTO_N_UDP, [PROBE_TCP] = IPPROTO_N_TCP};
	if (s->proto != protos[p->kind] || !via_addr_eq(&s->quoted_to, &p->to))
		return false;
	if (p->kind == PROBE_TCP) {
		for (size_t i = 0; i < PROBE_TCP_MAX; i++)
			if (p->tcp[i].sock && p->tcp[i].lport == s->sport) {
				*n = p->tcp[i].n;
				return true;
			}
		return false;
	}
	*n = p->kind == PROBE_UDP ? (uint16_t)(s->dport - p->port) : s->seq ? s->seq : p->last; /* a gateway's own errors quote no number */
	return s->sport == p->lport;
}

/* An error that no larger TTL would have spared the probe. */
static bool is_end(const struct seen *s)
{
	return via_addr_is_v4(&s->from) ? s->type == ICMP4_UNREACH : s->type == ICMP6_UNREACH || s->type == ICMP6_TOO_BIG;
}

static void on_frame(void *ctx, const struct pkt *pkt)
{
	struct prober *p = ctx;
	struct seen s;
	struct probe_answer a;
	if (!read_frame(p->node->lab->mem, pkt, &s))
		return;
	if (!s.is_error) {
		if (p->kind == PROBE_ICMP && s.sport == p->lport)
			p->ttl_of[s.seq % ARRAY_LEN(p->ttl_of)] = s.ttl;
		return;
	}
	a = (struct probe_answer){.from = s.from, .is_error = true, .is_end = is_end(&s), .type = s.type, .code = s.code, .mtu = s.mtu};
	if (!which(p, &s, &a.n))
		return;
	p->has_seen_error = true;
	p->answered(p, &a);
}

/* --- what sockets say --- */

/* Our own stack could not deliver the last one: nobody answered for the next hop. */
static void tell_local_error(struct prober *p)
{
	bool is_v4 = via_addr_is_v4(&p->to);
	struct probe_answer a = {.n = p->last, .from = p->self, .is_error = true, .is_end = true, .type = is_v4 ? ICMP4_UNREACH : ICMP6_UNREACH,
		.code = is_v4 ? 1 : ICMP6_NO_ADDRESS};
	p->answered(p, &a);
}

static void on_datagram(struct prober *p, struct via *v, via_sock s)
{
	uint8_t m[ICMP4_HLEN];
	struct via_sockaddr from;
	int64_t n;
	while ((n = via_recvfrom(v, s, m, sizeof m, VIA_TRUNC, &from, NULL)) != -EAGAIN && n != -EBADF) {
		struct probe_answer a = {.from = from.addr, .bytes = (uint32_t)n};
		if (n < 0 && !p->has_seen_error)
			tell_local_error(p);
		if (n < 0) {
			p->has_seen_error = false;
			continue;
		}
		if (p->kind == PROBE_UDP) {
			a.n = (uint16_t)(from.port - p->port);
		} else if (n >= ICMP4_HLEN && m[0] == (via_addr_is_v4(&p->to) ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY)) {
			a.n = get_be16(m + 6);
			a.ttl = p->ttl_of[a.n % ARRAY_LEN(p->ttl_of)];
		} else {
			continue;
		}
		p->answered(p, &a);
	}
}

/* A connection has come about or was refused: the target answered. Other ends of it are told by the frames. */
static void on_stream(struct prober *p, struct via *v, via_sock s, uint32_t edges)
{
	for (size_t i = 0; i < PROBE_TCP_MAX; i++) {
		if (p->tcp[i].sock != s)
			continue;
		int err = 0;
		uint32_t len = sizeof err;
		via_getsockopt(v, s, SOL_SOCKET, SO_ERROR, &err, &len);
		struct probe_answer a = {.n = p->tcp[i].n, .from = p->to};
		via_abort(v, s);
		p->tcp[i].sock = 0;
		if (!err || err == ECONNREFUSED)
			p->answered(p, &a);
	}
}

static void on_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct prober *p = (struct prober *)h;
	if (p->kind == PROBE_TCP)
		on_stream(p, v, s, edges);
	else
		on_datagram(p, v, s);
}

/* --- asking --- */

/* The address that packets to the target bear. */
static void find_self(struct prober *p)
{
	struct via *v = p->node->stack;
	struct via_sockaddr self = {.port = 0};
	via_sock s;
	if (via_open(v, VIA_DGRAM, 0, &s))
		return;
	if (via_connect(v, s, &(struct via_sockaddr){p->to, 9}) == 0 && via_local(v, s, &self) == 0)
		p->self = self.addr;
	via_close(v, s);
}

/* The socket of all echo requests or datagrams. 0 or -errno. */
static int open_datagrams(struct prober *p)
{
	struct via *v = p->node->stack;
	struct via_sockaddr local = {.addr = via_addr_is_v4(&p->to) ? via_addr_v4(0) : (struct via_addr){.scope = 0}};
	int on = 1, rc = via_open(v, p->kind == PROBE_ICMP ? VIA_PING : VIA_DGRAM, via_cookie(&p->handler), &p->sock);
	if (rc)
		return rc;
	rc = via_bind(v, p->sock, &local);
	if (!rc)
		rc = via_local(v, p->sock, &local);
	if (!rc)
		rc = prober_option(p, IP_RECVERR, on); /* else the socket would not hear that our own stack cannot deliver */
	if (rc)
		via_close(v, p->sock);
	p->lport = local.port;
	return rc;
}

int prober_open(struct prober *p)
{
	p->handler.event = on_event;
	p->message = calloc(1, ICMP4_HLEN + p->bytes);
	int rc = !p->message ? -ENOMEM : p->kind != PROBE_TCP ? open_datagrams(p) : 0;
	if (rc) {
		free(p->message);
		return rc;
	}
	p->message[0] = via_addr_is_v4(&p->to) ? ICMP4_ECHO : ICMP6_ECHO;
	for (uint32_t i = 0; i < p->bytes; i++)
		p->message[ICMP4_HLEN + i] = (uint8_t)i;
	find_self(p);
	p->watch = (struct lab_watch){.came = on_frame, .ctx = p, .node = p->node->index};
	lab_watch_add(p->node->lab, &p->watch);
	return 0;
}

void prober_close(struct prober *p)
{
	lab_watch_del(p->node->lab, &p->watch);
	if (p->sock)
		via_close(p->node->stack, p->sock);
	for (size_t i = 0; i < PROBE_TCP_MAX; i++)
		if (p->tcp[i].sock)
			via_abort(p->node->stack, p->tcp[i].sock);
	p->node->hn.touched(&p->node->hn);
	free(p->message);
}

int prober_option(struct prober *p, int name, int value)
{
	return p->sock ? via_setsockopt(p->node->stack, p->sock, IPPROTO_IP, name, &value, sizeof value) : -EOPNOTSUPP;
}

static int send_syn(struct prober *p, uint16_t n, int ttl)
{
	struct via *v = p->node->stack;
	size_t i = 0;
	int once = 1;
	struct via_sockaddr local;
	while (i < PROBE_TCP_MAX && p->tcp[i].sock)
		i++;
	if (i == PROBE_TCP_MAX)
		return -EAGAIN;
	int rc = via_open(v, VIA_STREAM, via_cookie(&p->handler), &p->tcp[i].sock);
	if (rc)
		return rc;
	via_setsockopt(v, p->tcp[i].sock, IPPROTO_TCP, TCP_SYNCNT, &once, sizeof once);
	if (ttl)
		via_setsockopt(v, p->tcp[i].sock, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
	rc = via_connect(v, p->tcp[i].sock, &(struct via_sockaddr){p->to, p->port});
	if (rc == -EINPROGRESS)
		rc = via_local(v, p->tcp[i].sock, &local);
	if (rc) {
		via_close(v, p->tcp[i].sock);
		p->tcp[i].sock = 0;
		return rc;
	}
	p->tcp[i].n = n;
	p->tcp[i].lport = local.port;
	return 0;
}

int prober_send(struct prober *p, uint16_t n, int ttl)
{
	struct via_sockaddr to = {p->to, p->kind == PROBE_UDP ? (uint16_t)(p->port + n) : 0};
	bool is_echo = p->kind == PROBE_ICMP;
	int rc = ttl && p->kind != PROBE_TCP ? prober_option(p, IP_TTL, ttl) : 0;
	p->last = n;
	if (rc || p->kind == PROBE_TCP)
		return rc ? rc : send_syn(p, n, ttl);
	put_be16(p->message + 6, n);
	int64_t sent = via_sendto(p->node->stack, p->sock, p->message + (is_echo ? 0 : ICMP4_HLEN), p->bytes + (is_echo ? ICMP4_HLEN : 0), 0,
				  &to);
	return sent < 0 ? (int)sent : 0;
}

void prober_forget(struct prober *p, uint16_t n)
{
	for (size_t i = 0; i < PROBE_TCP_MAX; i++)
		if (p->tcp[i].sock && p->tcp[i].n == n) {
			via_abort(p->node->stack, p->tcp[i].sock);
			p->tcp[i].sock = 0;
		}
}

/* --- names --- */

int probe_target(const struct lab *l, const char *word, int family, struct via_addr *out)
{
	char name[64];
	if (via_addr_parse(word, strlen(word), out) == 0)
		return !family || via_addr_is_v4(out) == (family == 4) ? 0 : -EINVAL;
	size_t len = strlen(word), suffix = len > 4 && strcasecmp(word + len - 4, ".lab") == 0 ? 4 : 0;
	snprintf(name, sizeof name, "%.*s", (int)(len - suffix), word);
	int i = topo_node_find(l->topo, name);
	const struct topo_node *n = i >= 0 ? &l->topo->nodes[i] : NULL;
	for (int k = 0; n && k < n->n_ends && n->kind != TOPO_SWITCH; k++)
		if ((family != 6 && lab_end_addr(&l->nodes[i], k, out)) || (family != 4 && lab_ip6_end_addr(&l->nodes[i], k, out)))
			return 0;
	return -EINVAL;
}

const char *probe_name(const struct lab *l, const struct via_addr *a)
{
	const struct lab_node *n = via_addr_is_v4(a) ? lab_addr_node(l, a) : lab_ip6_addr_node(l, a);
	return n ? n->t->name : NULL;
}
