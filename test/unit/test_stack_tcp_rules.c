/* Rules of RFC 9293 that TCP keeps only together with ports, routes and IP: listening beside connections, the local address, TTL and
 * DSCP, ICMP errors of each kind, source quench, IP options, addresses that are nobody's, the count of bad checksums.
 * Whole stacks on a wire, frames looked at and made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"
#include "wire/icmp4.h"

#define CLIENT 0x0a000001u
#define CLIENT2 0x0a000011u
#define SERVER 0x0a000002u
#define NOBODY 0x0a000063u

/* The last TCP segment that each of the two stacks sent. */
struct last {
	struct ip4_hdr ip;
	struct tcp_hdr tcp;
	uint32_t n;
};

static struct net *t;
static struct via *c, *s;
static int ic, is;
static struct last last[2];

static void emit(void *ctx, const struct trace_event *e)
{
	uint8_t b[256];
	net_emit(ctx, e);
	if (e->kind != TRACE_TX || !e->pkt || e->pkt->len < ETH_HLEN + IP4_HLEN + TCP_HLEN)
		return;
	pkt_copy_out(&t->mem, e->pkt, 0, b, MIN(e->pkt->len, (uint32_t)sizeof(b)));
	if (get_be16(b + 12) != ETHERTYPE_IP4 || b[ETH_HLEN + 9] != IPPROTO_N_TCP)
		return;
	struct last *l = &last[net_index(t, e->stack)];
	l->n++;
	assert_int_equal(b[ETH_HLEN], 0x45); /* TCP-086: we build no options */
	l->ip = (struct ip4_hdr){.tos = b[ETH_HLEN + 1], .ttl = b[ETH_HLEN + 8], .src = get_be32(b + ETH_HLEN + 12),
				 .dst = get_be32(b + ETH_HLEN + 16)};
	assert_int_equal(tcp_parse(b + ETH_HLEN + IP4_HLEN, MIN(e->pkt->len, (uint32_t)sizeof(b)) - ETH_HLEN - IP4_HLEN, &l->tcp), 0);
}

static int setup(void **state)
{
	memset(last, 0, sizeof(last));
	t = net_new();
	t->trace.emit = emit;
	c = net_stack(t, "client", false);
	s = net_stack(t, "server", false);
	net_link(t, c, s, 1000, 1500, 0, 0, &ic, &is);
	assert_int_equal(net_addr(c, ic, CLIENT, 24), 0);
	assert_int_equal(net_addr(s, is, SERVER, 24), 0);
	return 0;
}
static int teardown(void **state)
{
	net_free(t);
	return 0;
}

static void run(int64_t ms) { assert_true(net_run(t, t->now + ms * NS_PER_MS)); }

static via_sock bound(struct via *v, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = net_at(ip, port);
	via_sock k = net_open(v, VIA_STREAM);
	int one = 1;
	assert_int_equal(via_setsockopt(v, k, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(via_bind(v, k, &a), 0);
	return k;
}

static via_sock listening(struct via *v, uint16_t port)
{
	via_sock k = bound(v, 0, port);
	assert_int_equal(via_listen(v, k, 8), 0);
	return k;
}

static void connect_to(struct via *v, via_sock k, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = net_at(ip, port);
	assert_int_equal(via_connect(v, k, &a), -EINPROGRESS);
}

static via_sock accepted(struct via *v, via_sock l)
{
	via_sock k;
	struct via_sockaddr peer;
	assert_int_equal(via_accept(v, l, 0, &k, &peer), 0);
	return k;
}

static void expect_through(struct via *from, via_sock a, struct via *to, via_sock b, const char *text)
{
	char got[64];
	assert_int_equal(via_send(from, a, text, (uint32_t)strlen(text), 0), strlen(text));
	run(100);
	assert_int_equal(via_recv(to, b, got, sizeof(got), 0), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

/* A TCP segment as if it came by the server's wire. */
struct foreign {
	uint32_t src, dst;   /* dst 0: the server */
	uint8_t opts[4];     /* IP options, if has_opts */
	bool has_opts, is_damaged;
	const char *text;
};
static void from_wire(const struct foreign *f, const struct tcp_hdr *h)
{
	static const uint8_t from[6] = {2, 9, 9, 9, 9, 9};
	const char *text = f->text ? f->text : "";
	uint32_t n = (uint32_t)strlen(text), hlen = IP4_HLEN + (f->has_opts ? 4 : 0), dst = f->dst ? f->dst : SERVER;
	uint8_t b[200] = {0};
	uint32_t len = tcp_emit(b + hlen, h);
	memcpy(b + hlen + len, text, n);
	len += n;
	put_be16(b + hlen + 16, 0);
	put_be16(b + hlen + 16, csum_field(csum_add(ip4_pseudo(f->src, dst, 6, len), b + hlen, len)));
	b[hlen + 17] ^= f->is_damaged;
	ip4_emit(b, &(struct ip4_hdr){.ttl = 60, .proto = IPPROTO_N_TCP, .total_len = (uint16_t)(hlen + len), .src = f->src, .dst = dst});
	b[0] = (uint8_t)(0x40 | hlen / 4);
	memcpy(b + IP4_HLEN, f->opts, hlen - IP4_HLEN);
	put_be16(b + 10, 0);
	put_be16(b + 10, csum_field(csum_add(0, b, hlen)));
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	eth_emit(pkt_put(p, ETH_HLEN), iface_at(s, is)->mac, from, ETHERTYPE_IP4);
	assert_int_equal(pkt_append(&t->mem, p, b, hlen + len), 0);
	p->m.rx_ns = t->now;
	via_rx_burst(s, is, &p, 1, t->now);
}

static void req_TCP_024__a_new_listen_disturbs_no_connection(void **state)
{
	via_sock l = listening(s, 80), a = net_open(c, VIA_STREAM);
	connect_to(c, a, SERVER, 80);
	run(100);
	via_sock b = accepted(s, l);
	assert_int_equal(via_close(s, l), 0);
	via_sock l2 = listening(s, 80);
	expect_through(c, a, s, b, "to the old one");
	via_sock a2 = net_open(c, VIA_STREAM);
	connect_to(c, a2, SERVER, 80);
	run(100);
	via_sock b2 = accepted(s, l2);
	expect_through(s, b2, c, a2, "to the new one");
	expect_through(s, b, c, a, "and back");
	via_sock all[] = {a, a2}, those[] = {b, b2, l2};
	for (int i = 0; i < 2; i++)
		via_close(c, all[i]);
	for (int i = 0; i < 3; i++)
		via_close(s, those[i]);
	run(70000);
}

static int half_open(void)
{
	struct via_sock_info i = {.size = sizeof(i)};
	uint64_t cursor = 0;
	int n = 0;
	while (via_sock_next(s, &cursor, &i))
		n += i.type == VIA_STREAM && i.tcp_state == 3;
	return n;
}

/* One socket is still opening from port 5000 (SYN-SENT: nobody answers); another may listen there all the same, and is reached, also
 * while a half-open connection of the same port waits (SYN-RECEIVED: the one who sent the SYN does not answer). */
static void req_TCP_024__listen_beside_syn_sent_and_syn_received(void **state)
{
	via_sock opening = bound(s, SERVER, 5000);
	struct via_change nb = {.kind = VIA_NEIGH_SET, .ifindex = is, .addr = via_addr_v4(NOBODY), .mac = {2, 7, 7, 7, 7, 7}};
	assert_int_equal(via_configure(s, &nb), 0);
	connect_to(s, opening, NOBODY, 9);
	run(10);
	via_sock l = listening(s, 5000), a = net_open(c, VIA_STREAM);
	struct via_sock_info i = {.size = sizeof(i)};
	assert_int_equal(via_sock_info(s, opening, &i), 0);
	assert_int_equal(i.tcp_state, 2);
	from_wire(&(struct foreign){.src = NOBODY}, &(struct tcp_hdr){.sport = 7, .dport = 5000, .seq = 1, .flags = TCP_SYN, .wnd = 1000});
	assert_int_equal(half_open(), 1);
	connect_to(c, a, SERVER, 5000);
	run(100);
	via_sock b = accepted(s, l);
	expect_through(c, a, s, b, "reached");
	assert_int_equal(half_open(), 1);
	assert_int_equal(via_sock_info(s, opening, &i), 0);
	assert_int_equal(i.tcp_state, 2);
	via_close(s, opening);
	via_close(c, a);
	via_close(s, b);
	via_close(s, l);
	run(70000);
}

static void req_TCP_025__the_local_address_is_given_or_picked_and_stays(void **state)
{
	struct via_sockaddr at;
	via_sock l = listening(s, 80);
	assert_int_equal(net_addr(c, ic, CLIENT2, 24), 0);
	via_sock given = bound(c, CLIENT2, 0), picked = net_open(c, VIA_STREAM);
	connect_to(c, given, SERVER, 80);
	run(10);
	assert_int_equal(last[0].ip.src, CLIENT2);
	connect_to(c, picked, SERVER, 80);
	assert_int_equal(via_local(c, picked, &at), 0); /* before anything has left */
	assert_int_equal(via_addr_to_v4(&at.addr), CLIENT);
	run(10);
	assert_int_equal(last[0].ip.src, CLIENT);
	/* Another address becomes the first: the connection keeps its own. */
	struct via_change gone = {.kind = VIA_ADDR_DEL, .ifindex = ic, .addr = via_addr_v4(CLIENT2), .plen = 24};
	via_sock b[2] = {accepted(s, l), accepted(s, l)};
	via_close(c, given);
	run(70000);
	assert_int_equal(via_configure(c, &gone), 0);
	assert_int_equal(net_addr(c, ic, CLIENT2, 24), 0);
	expect_through(c, picked, s, b[1], "still from the first");
	assert_int_equal(last[0].ip.src, CLIENT);
	via_close(c, picked);
	for (int i = 0; i < 2; i++)
		via_close(s, b[i]);
	via_close(s, l);
	run(70000);
}

/* A connection from c to s, and an IP packet of the server's handed to c by its wire. */
static void open_pair(via_sock *l, via_sock *a, via_sock *b)
{
	*l = listening(s, 80);
	*a = net_open(c, VIA_STREAM);
	connect_to(c, *a, SERVER, 80);
	run(100);
	*b = accepted(s, *l);
}
static void close_pair(via_sock l, via_sock a, via_sock b)
{
	via_close(c, a);
	via_close(s, b);
	via_close(s, l);
	run(70000);
}

static void req_TCP_085__ttl_and_dscp_per_connection(void **state)
{
	via_sock l, a, b;
	int ttl = 7, tos = 0xb8;
	open_pair(&l, &a, &b);
	uint8_t usual = last[0].ip.ttl;
	assert_true(usual >= 64);
	assert_int_equal(last[0].ip.tos & 0xfc, 0);
	assert_int_equal(via_setsockopt(c, a, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	assert_int_equal(via_setsockopt(c, a, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	expect_through(c, a, s, b, "by another class");
	assert_int_equal(last[0].ip.ttl, 7);
	assert_int_equal(last[0].ip.tos & 0xfc, 0xb8);
	via_sock a2 = net_open(c, VIA_STREAM);
	connect_to(c, a2, SERVER, 80);
	run(10);
	assert_int_equal(last[0].ip.ttl, usual); /* not the others */
	assert_int_equal(last[0].ip.tos & 0xfc, 0);
	via_close(c, a2);
	close_pair(l, a, b);
}

/* An ICMP message of a router about the last segment of c. */
static void tell_client(uint8_t type, uint8_t code)
{
	static const uint8_t from[6] = {2, 9, 9, 9, 9, 9};
	struct pkt *q = pkt_new(&t->mem, PKT_HEADROOM);
	struct ip4_hdr h = {.ttl = 60, .proto = IPPROTO_N_TCP, .total_len = 1500, .src = last[0].ip.src, .dst = last[0].ip.dst};
	q->m.l3 = q->head;
	ip4_emit(pkt_put(q, IP4_HLEN), &h);
	tcp_emit(pkt_put(q, TCP_HLEN), &(struct tcp_hdr){.sport = last[0].tcp.sport, .dport = last[0].tcp.dport, .seq = last[0].tcp.seq});
	struct pkt *p = icmp_error_build(&t->mem, q, &(struct icmp4_hdr){.type = type, .code = code});
	struct ip4_hdr o = {.ttl = 60, .proto = IPPROTO_N_ICMP, .total_len = (uint16_t)(p->len + IP4_HLEN), .src = 0x0a0000fe, .dst = h.src};
	ip4_emit(pkt_push(p, IP4_HLEN), &o);
	eth_emit(pkt_push(p, ETH_HLEN), iface_at(c, ic)->mac, from, ETHERTYPE_IP4);
	p->m.rx_ns = t->now;
	via_rx_burst(c, ic, &p, 1, t->now);
	pkt_free(&t->mem, q);
}

static int so_error(via_sock k)
{
	int err = 0;
	uint32_t len = sizeof(err);
	assert_int_equal(via_getsockopt(c, k, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

/* Soft errors are there for who asks, and only for him: no event, no failed call (RFC 9293 §3.9.2.2 MUST-47, SHLD-20). */
static void req_TCP_085__soft_errors_are_told_when_asked(void **state)
{
	via_sock l, a, b;
	struct via_event ev[8];
	open_pair(&l, &a, &b);
	while (via_events(c, ev, 8) > 0)
		;
	for (int asks = 0; asks < 2; asks++) {
		assert_int_equal(via_send(c, a, "x", 1, 0), 1);
		via_flush(c, t->now); /* in flight */
		tell_client(ICMP4_UNREACH, 1);
		assert_int_equal(via_ready(c, a) & (VIA_ERR | VIA_HUP), 0);
		int n = via_events(c, ev, 8);
		for (int i = 0; i < n; i++)
			assert_int_equal(ev[i].edges & (VIA_ERR | VIA_HUP), 0);
		if (asks)
			assert_int_equal(so_error(a), EHOSTUNREACH);
		assert_int_equal(via_send(c, a, "y", 1, 0), 1);
		run(1000);
	}
	assert_int_equal(via_inq(s, b), 4);
	close_pair(l, a, b);
}

static void req_TCP_084__source_quench_is_silently_dropped(void **state)
{
	via_sock l, a, b;
	open_pair(&l, &a, &b);
	assert_int_equal(via_send(c, a, "in flight", 9, 0), 9);
	via_flush(c, t->now);
	struct via_sock_info before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
	assert_int_equal(via_sock_info(c, a, &before), 0);
	uint32_t sent = t->seen.tx;
	uint64_t drops = net_counter(c, "drop.icmp.type");
	tell_client(ICMP4_QUENCH, 0);
	via_flush(c, t->now);
	assert_int_equal(net_counter(c, "drop.icmp.type"), drops + 1);
	assert_int_equal(t->seen.tx, sent);
	assert_int_equal(via_sock_info(c, a, &after), 0);
	assert_int_equal(after.cwnd, before.cwnd);
	assert_int_equal(after.ssthresh, before.ssthresh);
	assert_int_equal(so_error(a), 0);
	close_pair(l, a, b);
}

/* The client's last segment again with text at `off` behind it and four bytes of IP options. */
static void with_options(const uint8_t opts[4], uint32_t off, const char *text)
{
	struct tcp_hdr h = last[0].tcp;
	h.flags = TCP_ACK | TCP_PSH;
	h.seq += off;
	struct foreign f = {.src = CLIENT, .has_opts = true, .text = text};
	memcpy(f.opts, opts, 4);
	from_wire(&f, &h);
}

static void req_TCP_086__ip_options(void **state)
{
	via_sock l, a, b;
	char got[8];
	open_pair(&l, &a, &b);
	with_options((uint8_t[]){0x5e, 4, 1, 2}, 0, "abc"); /* nobody knows it: ignored */
	assert_int_equal(via_recv(s, b, got, sizeof(got), 0), 3);
	assert_memory_equal(got, "abc", 3);
	uint64_t drops = net_counter(s, "drop.ip.options");
	with_options((uint8_t[]){131, 3, 4, 0}, 3, "def"); /* a source route: refused */
	with_options((uint8_t[]){137, 3, 4, 0}, 3, "def");
	assert_int_equal(net_counter(s, "drop.ip.options"), drops + 2);
	assert_int_equal(via_recv(s, b, got, sizeof(got), 0), -EAGAIN);
	via_abort(c, a);
	close_pair(l, a, b);
}

/* MUST-3 and its count: text, RST, SYN, FIN and an ACK of all, each damaged on its way. */
static void req_TCP_003__a_bad_checksum_is_counted_and_changes_nothing(void **state)
{
	static const uint8_t flags[] = {TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_SYN, TCP_ACK | TCP_URG};
	via_sock l, a, b;
	open_pair(&l, &a, &b);
	expect_through(c, a, s, b, "hello");
	struct via_sock_info before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
	struct tcp_hdr h = last[0].tcp;
	uint32_t nxt = h.seq + 5;
	assert_int_equal(via_sock_info(s, b, &before), 0);
	uint64_t drops = net_counter(s, "drop.tcp.checksum");
	uint32_t sent = last[1].n;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		h.flags = flags[i];
		h.seq = nxt;
		from_wire(&(struct foreign){.src = CLIENT, .is_damaged = true, .text = "x"}, &h);
		run(50);
	}
	for (uint16_t port = 80; port < 82; port++) /* a SYN to a listener, and to nobody */
		from_wire(&(struct foreign){.src = CLIENT, .is_damaged = true},
			  &(struct tcp_hdr){.sport = 77, .dport = port, .seq = 1, .flags = TCP_SYN});
	assert_int_equal(net_counter(s, "drop.tcp.checksum"), drops + ARRAY_LEN(flags) + 2);
	assert_int_equal(last[1].n, sent);
	assert_int_equal(half_open(), 0);
	assert_int_equal(via_sock_info(s, b, &after), 0);
	assert_int_equal(after.tcp_state, before.tcp_state);
	assert_int_equal(after.bytes_received, before.bytes_received);
	assert_int_equal(via_inq(s, b), 0);
	expect_through(c, a, s, b, "still here");
	close_pair(l, a, b);
}

/* MUST-46, MUST-57, MUST-63: groups and broadcasts, the net's own too, are nobody one can connect to; a SYN from an address that cannot
 * be a host's, or to more than one host, is dropped without a word. */
static void req_TCP_026__no_connection_with_many_and_none_from_nobody(void **state)
{
	static const uint32_t many[] = {0xe0000001, 0xefffffff, 0xffffffff, 0x0a0000ff};
	static const uint32_t nobody[] = {0xe0000001, 0xffffffff, 0x0a0000ff, 0x7f000001, 0, 0xf0000001};
	struct tcp_hdr syn = {.sport = 7, .dport = 80, .seq = 1, .flags = TCP_SYN, .wnd = 1000};
	via_sock l = listening(s, 80);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		via_sock k = net_open(c, VIA_STREAM);
		struct via_sockaddr to = net_at(many[i], 80);
		int err = via_connect(c, k, &to);
		assert_true(err == -ENETUNREACH || err == -EACCES);
		run(10);
		via_close(c, k);
	}
	assert_int_equal(last[0].n, 0); /* not one SYN */
	uint32_t sent = t->seen.tx, drops = t->seen.drops;
	for (size_t i = 0; i < ARRAY_LEN(nobody); i++)
		from_wire(&(struct foreign){.src = nobody[i]}, &syn);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		from_wire(&(struct foreign){.src = CLIENT, .dst = many[i]}, &syn);
	run(100);
	assert_int_equal(half_open(), 0);
	assert_int_equal(t->seen.tx, sent);
	assert_int_equal(t->seen.drops, drops + ARRAY_LEN(nobody) + ARRAY_LEN(many));
	from_wire(&(struct foreign){.src = NOBODY}, &syn); /* and the same SYN of an honest one counts */
	assert_int_equal(half_open(), 1);
	via_close(s, l);
	run(1000);
}

/* Each error of RFC 1122 §4.2.3.9: the soft ones end nothing, neither an opening nor a connection, and can be learnt; of the hard ones
 * (codes 2 to 4 are; 4 is path MTU's) an opening ends, a synchronized connection does not (RFC 5927 §5.2). */
static void req_TCP_083__each_code_by_its_kind(void **state)
{
	static const struct { uint8_t type, code; int err; bool hard; } icmp[] = {
		{ICMP4_UNREACH, 0, ENETUNREACH, false}, {ICMP4_UNREACH, 1, EHOSTUNREACH, false}, {ICMP4_UNREACH, 5, EOPNOTSUPP, false},
		{ICMP4_TIME_EXCEEDED, 0, EHOSTUNREACH, false}, {ICMP4_TIME_EXCEEDED, 1, EHOSTUNREACH, false}, {12, 0, EPROTO, false},
		{ICMP4_UNREACH, 2, ENOPROTOOPT, true}, {ICMP4_UNREACH, 3, ECONNREFUSED, true},
	};
	struct via_change nb = {.kind = VIA_NEIGH_SET, .ifindex = ic, .addr = via_addr_v4(NOBODY), .mac = {2, 7, 7, 7, 7, 7}};
	via_sock l, a, b;
	assert_int_equal(via_configure(c, &nb), 0);
	open_pair(&l, &a, &b);
	for (size_t i = 0; i < ARRAY_LEN(icmp); i++) {
		struct via_sock_info info = {.size = sizeof(info)};
		assert_int_equal(via_send(c, a, "x", 1, 0), 1);
		via_flush(c, t->now);
		tell_client(icmp[i].type, icmp[i].code);
		assert_int_equal(so_error(a), icmp[i].err);
		assert_int_equal(so_error(a), 0);
		assert_int_equal(via_sock_info(c, a, &info), 0);
		assert_int_equal(info.tcp_state, 1);
		run(1000);
		via_sock o = net_open(c, VIA_STREAM);
		connect_to(c, o, NOBODY, 9);
		run(10);
		struct tcp_hdr was = last[0].tcp;
		last[0].tcp.seq++; /* nobody has sent that */
		tell_client(icmp[i].type, icmp[i].code);
		assert_int_equal(via_sock_info(c, o, &info), 0);
		assert_int_equal(info.tcp_state, 2);
		last[0].tcp = was;
		tell_client(icmp[i].type, icmp[i].code);
		assert_int_equal(via_sock_info(c, o, &info), 0);
		assert_int_equal(info.tcp_state, icmp[i].hard ? 7 : 2);
		assert_int_equal(so_error(o), icmp[i].err);
		via_close(c, o);
		run(10);
	}
	assert_int_equal(via_inq(s, b), ARRAY_LEN(icmp));
	close_pair(l, a, b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_TCP_024__a_new_listen_disturbs_no_connection), T(req_TCP_024__listen_beside_syn_sent_and_syn_received),
		T(req_TCP_025__the_local_address_is_given_or_picked_and_stays), T(req_TCP_085__ttl_and_dscp_per_connection),
		T(req_TCP_085__soft_errors_are_told_when_asked), T(req_TCP_084__source_quench_is_silently_dropped),
		T(req_TCP_086__ip_options), T(req_TCP_003__a_bad_checksum_is_counted_and_changes_nothing),
		T(req_TCP_026__no_connection_with_many_and_none_from_nobody), T(req_TCP_083__each_code_by_its_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
