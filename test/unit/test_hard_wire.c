/* What a packet claims proves nothing (HARD-03), and an answer counts only if every field of what was asked is in it (HARD-04): both
 * families, from a wire by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/ip.h"
#include "sock/endpoint.h"
#include "wire/addr.h"
#include "wire/icmp6.h"
#include "wire/nd.h"
#include "stacks.h"

enum { OPEN = 80, PORT = 7, ID = 77 };

/* A host with one interface, a socket at UDP port 7 and a listener at 80 of all addresses; all that it sends is counted but reports of
 * groups. */
struct world {
	struct net *t;
	struct via *v;
	struct trace before;
	via_sock udp, tcp;
	uint32_t n; /* packets sent but ARP and ND */
	uint8_t last[1600];
	uint32_t last_len;
};

/* Names by family: 0 IPv4, 1 IPv6. */
static const char *const host[] = {"10.0.0.1", "2001:db8::1"}, *const peer[] = {"10.0.0.9", "2001:db8::9"},
		  *const loop[] = {"127.0.0.1", "::1"}, *const link_local[] = {"169.254.0.9", "fe80::9"};

static void on_trace(void *ctx, const struct trace_event *e)
{
	struct world *w = ctx;
	uint8_t b[1600];
	w->before.emit(w->before.ctx, e);
	if (e->kind == TRACE_TX && e->pkt->m.why == WHY_GROUP)
		return;
	if (e->kind != TRACE_TX || strcmp(e->stack, "host") != 0 || e->pkt->m.l3 <= e->pkt->m.l2)
		return;
	uint32_t n = pkt_copy_out(&w->t->mem, e->pkt, (uint32_t)(e->pkt->m.l3 - e->pkt->head), b, sizeof(b));
	bool is_nd = b[0] >> 4 == 6 && b[6] == IPPROTO_N_ICMP6 && b[IP6_HLEN] >= ND_RS && b[IP6_HLEN] <= ND_REDIRECT;
	if ((b[0] >> 4 != 4 && b[0] >> 4 != 6) || is_nd)
		return;
	w->n++;
	memcpy(w->last, b, n);
	w->last_len = n;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct via_sockaddr at = {.addr = net_name("::"), .port = PORT};
	int one, other;
	w->t = net_new();
	w->v = net_stack(w->t, "host", false);
	net_link(w->t, w->v, net_stack(w->t, "peer", false), 256, 1500, 0, 0, &one, &other);
	assert_int_equal(net_addr(w->v, one, 0x0a000001, 24), 0);
	assert_int_equal(net_addr6(w->v, one, host[1], 64), 0);
	for (int f = 0; f < 2; f++)
		net_know(w->t, 0, w->v, one, 1, peer[f]);
	w->udp = net_open(w->v, VIA_DGRAM);
	w->tcp = net_open(w->v, VIA_STREAM);
	assert_int_equal(via_bind(w->v, w->udp, &at), 0);
	at.port = OPEN;
	assert_int_equal(via_bind(w->v, w->tcp, &at), 0);
	assert_int_equal(via_listen(w->v, w->tcp, 16), 0);
	w->before = w->t->trace;
	w->t->trace = (struct trace){.emit = on_trace, .ctx = w};
	return w;
}

static void world_free(struct world *w)
{
	net_free(w->t);
	free(w);
}

/* Addresses have no scope on a wire. */
static uint32_t make(uint8_t *out, const char *src, const char *dst, uint8_t proto, uint8_t ttl, uint8_t *l4, uint32_t n, uint32_t sum_at)
{
	struct via_addr a = net_name(src), b = net_name(dst);
	bool is_v6 = !via_addr_is_v4(&a), has_pseudo = proto != IPPROTO_N_ICMP;
	struct ip_hdr h = {.src = a, .dst = b, .is_v6 = is_v6, .proto = proto, .ttl = ttl, .hlen = is_v6 ? IP6_HLEN : IP4_HLEN};
	h.len = h.hlen + n;
	put_be16(l4 + sum_at, 0);
	put_be16(l4 + sum_at, csum_field(csum_add(has_pseudo ? addr_pseudo(&a, &b, proto, n) : 0, l4, n)));
	ip_emit(out, &h);
	memcpy(out + h.hlen, l4, n);
	return h.len;
}

/* The frame comes in by the wire; smac: NULL for the peer's. */
static void inject(struct world *w, const uint8_t *ip, uint32_t n, const uint8_t *smac)
{
	static const uint8_t from[6] = {2, 0, 0, 2, 0, 0};
	struct pkt *p = pkt_new(&w->t->mem, PKT_HEADROOM);
	eth_emit(pkt_put(p, ETH_HLEN), iface_at(w->v, 2)->mac, smac ? smac : from, ip[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	assert_int_equal(pkt_append(&w->t->mem, p, ip, n), 0);
	p->m.rx_ns = w->t->now;
	via_rx_burst(w->v, 2, &p, 1, w->t->now);
	assert_true(net_run(w->t, w->t->now + NS_PER_MS));
}

/* A probe that a host answers or hands to a socket: 0 UDP, 1 echo, 2 SYN. */
static uint32_t probe(uint8_t *out, int f, int kind, const char *src, const char *dst)
{
	uint8_t l4[64] = {0};
	if (kind == 0) {
		udp_emit(l4, &(struct udp_hdr){.sport = 9, .dport = PORT, .len = 24});
		return make(out, src, dst, IPPROTO_N_UDP, 64, l4, 24, 6);
	}
	if (kind == 1) {
		l4[0] = f ? ICMP6_ECHO : ICMP4_ECHO;
		return make(out, src, dst, f ? IPPROTO_N_ICMP6 : IPPROTO_N_ICMP, 64, l4, 24, 2);
	}
	uint32_t n = tcp_emit(l4, &(struct tcp_hdr){.sport = 9, .dport = OPEN, .seq = 1, .flags = TCP_SYN, .wnd = 1000});
	return make(out, src, dst, IPPROTO_N_TCP, 64, l4, n, 16);
}

/* Did anything come of it? */
static bool was_taken(struct world *w)
{
	uint8_t b[64];
	bool got = w->n > 0 || via_recv(w->v, w->udp, b, sizeof(b), 0) >= 0 || tab_of(&w->v->sock)->nodes.count > 0;
	w->n = 0;
	return got;
}

/* ---- HARD-03 ---- */

/* Every broken bit of a packet is seen, whoever it says it is from: a neighbour, a far host, one on the link alone; by a MAC of the
 * peer's, our own, a stranger's. */
static void req_HARD_03__a_broken_packet_is_dropped_whoever_sent_it(void **state)
{
	struct world *w = world_new();
	static const char *const sources[2][4] = {{"10.0.0.9", "192.0.2.1", "169.254.0.9", "10.0.0.200"},
						  {"2001:db8::9", "2001:db8:9::1", "fe80::9", "2001:db8::200"}};
	const uint8_t stranger[6] = {2, 9, 9, 9, 9, 9}, zero[6] = {0};
	const uint8_t *const macs[] = {NULL, iface_at(w->v, 2)->mac, stranger, zero};
	uint8_t out[200];
	for (int f = 0; f < 2; f++)
		for (int kind = 0; kind < 3; kind++)
			for (size_t s = 0; s < 4; s++)
				for (size_t m = 0; m < ARRAY_LEN(macs); m++) {
					uint32_t n = probe(out, f, kind, sources[f][s], host[f]);
					/* IPv6's header is covered by the pseudo-header as far as its addresses go */
					uint32_t from = f ? 8 : 0;
					for (uint32_t bit = from * 8; bit < n * 8; bit += 3) {
						out[bit / 8] ^= (uint8_t)(1 << bit % 8);
						inject(w, out, n, macs[m]);
						out[bit / 8] ^= (uint8_t)(1 << bit % 8);
						assert_false(was_taken(w));
					}
				}
	/* the control: whole ones of the peer's are taken */
	for (int f = 0; f < 2; f++)
		for (int kind = 0; kind < 3; kind++) {
			inject(w, out, probe(out, f, kind, peer[f], host[f]), NULL);
			assert_true(was_taken(w));
		}
	world_free(w);
}

/* Nobody on a wire is us: not by our address, not by loopback's, not towards loopback, whatever MAC the frame has. */
static void req_HARD_03__no_address_of_ours_comes_from_a_wire(void **state)
{
	struct world *w = world_new();
	const uint8_t *const macs[] = {NULL, iface_at(w->v, 2)->mac};
	uint8_t out[200];
	for (int f = 0; f < 2; f++)
		for (int kind = 0; kind < 3; kind++)
			for (size_t m = 0; m < ARRAY_LEN(macs); m++) {
				const char *const pairs[][2] = {{host[f], host[f]}, {loop[f], host[f]}, {peer[f], loop[f]}, {loop[f], loop[f]},
								{host[f], loop[f]}};
				for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
					inject(w, out, probe(out, f, kind, pairs[i][0], pairs[i][1]), macs[m]);
					assert_false(was_taken(w));
				}
			}
	world_free(w);
}

/* Being on the link is proved by the hop limit alone: a link-local source is none. */
static void req_HARD_03__neighbour_discovery_from_afar(void **state)
{
	struct world *w = world_new();
	uint8_t out[200], l4[32] = {ND_NS};
	struct via_addr target = net_name(host[1]);
	memcpy(l4 + 8, target.b, 16);
	l4[24] = 1;
	l4[25] = 1;
	memcpy(l4 + 26, (uint8_t[]){2, 9, 9, 9, 9, 9}, 6);
	const char *const sources[] = {link_local[1], peer[1], "2001:db8::77"};
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		for (int hops = 1; hops <= 255; hops++) {
			uint64_t before = net_counter(w->v, "nd.out");
			inject(w, out, make(out, sources[i], host[1], IPPROTO_N_ICMP6, (uint8_t)hops, l4, 32, 2), NULL);
			assert_int_equal(net_counter(w->v, "nd.out") - before, hops == 255);
		}
	world_free(w);
}

/* ---- HARD-04: echo replies ---- */

/* A connected echo socket hears its peer's replies with its number, to its address; no other. */
static void req_HARD_04__echo_replies(void **state)
{
	struct world *w = world_new();
	uint8_t out[200], got[64];
	for (int f = 0; f < 2; f++) {
		struct via_sockaddr to = {.addr = net_name(peer[f])}, me;
		uint8_t req[16] = {f ? ICMP6_ECHO : ICMP4_ECHO, [7] = 1};
		uint8_t proto = f ? IPPROTO_N_ICMP6 : IPPROTO_N_ICMP, reply = f ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
		via_sock s = net_open(w->v, VIA_PING);
		assert_int_equal(via_connect(w->v, s, &to), 0);
		assert_int_equal(via_send(w->v, s, req, sizeof(req), 0), sizeof(req));
		assert_int_equal(via_local(w->v, s, &me), 0);
		assert_true(net_run(w->t, w->t->now + 10 * NS_PER_MS));
		while (via_recv(w->v, s, got, sizeof(got), 0) >= 0) /* the peer is a real stack, but has no such address */
			;
		static const char *const others[2][2] = {{"10.0.0.8", "10.0.0.2"}, {"2001:db8::8", "2001:db8::2"}};
		for (int wrong = 0; wrong < 6; wrong++) {
			uint8_t l4[16] = {wrong == 1 ? (uint8_t)(reply ^ 1) : reply, wrong == 5};
			put_be16(l4 + 4, (uint16_t)(wrong == 2 ? me.port ^ 1 : me.port));
			uint32_t n = make(out, wrong == 3 ? others[f][0] : peer[f], wrong == 4 ? others[f][1] : host[f], proto, 64, l4, 16, 2);
			inject(w, out, n, NULL);
			assert_int_equal(via_recv(w->v, s, got, sizeof(got), 0), wrong && wrong != 5 ? -EAGAIN : 16);
		}
		via_close(w->v, s);
	}
	world_free(w);
}

/* ---- HARD-04: errors ---- */

/* An ICMP error (unreachable: this port) that quotes q, from the peer. */
static void inject_error(struct world *w, int f, const uint8_t *q, uint32_t n)
{
	uint8_t out[1600], l4[1300] = {f ? ICMP6_UNREACH : ICMP4_UNREACH, f ? ICMP6_NO_PORT : ICMP4_UNREACH_PORT};
	memcpy(l4 + 8, q, n);
	inject(w, out, make(out, peer[f], host[f], f ? IPPROTO_N_ICMP6 : IPPROTO_N_ICMP, 64, l4, 8 + n, 2), NULL);
}

/* Fields of a quote that name the request: offset and bits of what is turned. */
struct key_field {
	uint32_t at4, at6;
	uint8_t mask;
};

/* A socket of `type` that has asked `peer`, and what it sent. */
static via_sock asked(struct world *w, int f, enum via_type type, uint8_t *sent, uint32_t *n)
{
	struct via_sockaddr to = {.addr = net_name(peer[f]), .port = type == VIA_PING ? 0 : 4444};
	uint8_t req[16] = {f ? ICMP6_ECHO : ICMP4_ECHO, [7] = 1};
	via_sock s = net_open(w->v, type);
	int on = 1;
	assert_int_equal(via_setsockopt(w->v, s, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	int err = via_connect(w->v, s, &to);
	assert_true(err == 0 || (type == VIA_STREAM && err == -EINPROGRESS));
	if (type != VIA_STREAM)
		assert_int_equal(via_send(w->v, s, req, sizeof(req), 0), sizeof(req));
	w->n = 0;
	via_flush(w->v, w->t->now);
	*n = w->last_len;
	memcpy(sent, w->last, w->last_len);
	return s;
}

static int error_of(struct world *w, via_sock s)
{
	int err = 0;
	uint32_t len = sizeof(err);
	assert_int_equal(via_getsockopt(w->v, s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

static void req_HARD_04__errors_quote_what_was_sent(void **state)
{
	/* source, destination, protocol, both ports (of an echo: its number); TCP's sequence number */
	static const struct key_field fields[] = {{15, 23, 1}, {12, 8, 1}, {19, 39, 1}, {16, 24, 1}, {9, 6, 0x40}, {21, 41, 1}, {20, 40, 1},
						  {23, 43, 1}, {27, 47, 1}, {24, 44, 0x80}};
	struct world *w = world_new();
	static uint8_t sent[1600], q[1600];
	for (int f = 0; f < 2; f++)
		for (int type = VIA_STREAM; type <= VIA_PING; type++)
			for (size_t i = 0; i <= ARRAY_LEN(fields); i++) {
				uint32_t n, hlen = f ? IP6_HLEN : IP4_HLEN;
				via_sock s = asked(w, f, (enum via_type)type, sent, &n);
				memcpy(q, sent, n);
				uint32_t at = i < ARRAY_LEN(fields) ? f ? fields[i].at6 : fields[i].at4 : 0;
				bool is_seq = at >= hlen + 4, is_port = at >= hlen && !is_seq;
				/* an echo has its type and checksum where ports are, its number behind; UDP has no number */
				bool is_key = i < ARRAY_LEN(fields) && (type == VIA_STREAM || (type == VIA_DGRAM && !is_seq) ||
									(type == VIA_PING && !is_port && at != hlen + 7 && at != hlen + 4));
				if (type == VIA_PING && i == 5) { /* its number instead */
					at = hlen + 5;
					is_key = true;
				}
				if (is_key)
					q[at] ^= i == 5 && type == VIA_PING ? 1 : fields[i].mask;
				inject_error(w, f, q, n);
				int err = error_of(w, s);
				if (is_key)
					assert_int_equal(err, 0);
				else
					assert_int_equal(err, ECONNREFUSED);
				via_close(w->v, s);
				assert_true(net_run(w->t, w->t->now + NS_PER_S));
			}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_HARD_03__a_broken_packet_is_dropped_whoever_sent_it),
		cmocka_unit_test(req_HARD_03__no_address_of_ours_comes_from_a_wire),
		cmocka_unit_test(req_HARD_03__neighbour_discovery_from_afar), cmocka_unit_test(req_HARD_04__echo_replies),
		cmocka_unit_test(req_HARD_04__errors_quote_what_was_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
