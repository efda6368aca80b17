/* IPv6 fragments in and out of a stack: RFC 8200 §4.5, §5; RFC 5722; RFC 6946; RFC 7112; RFC 7739. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ip6_wire.h"
#include "stack_flow.h"

#define ALL 2008u /* bytes of a UDP datagram, header included */

/* A fragment of `whole`: n bytes from off on, behind `before` bytes of headers the first of which is `first`. Returns bytes. */
static uint32_t piece(uint8_t *out, const uint8_t *whole, uint32_t off, uint32_t n, bool more, uint32_t id, uint8_t next)
{
	uint8_t body[2100] = {next};
	put_be16(body + 2, (uint16_t)(off | more));
	put_be32(body + 4, id);
	memcpy(body + 8, whole + off, n);
	return ip6_make(out, IPPROTO_N_FRAGMENT, PEER, HOST, body, 8 + n);
}

static void send_piece(struct wire6 *w, const uint8_t *whole, uint32_t off, uint32_t n, bool more, uint32_t id)
{
	uint8_t out[2200];
	wire6_inject(w, out, piece(out, whole, off, n, more, id, IPPROTO_N_UDP));
}

static void req_IP6_008__fragments_in_any_order(void **state)
{
	struct wire6 *w = wire6_new(false);
	static uint8_t whole[65536];
	static const uint32_t cut[4] = {0, 600, 1400, ALL};
	static const uint8_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	udp_make(whole, PEER, HOST, ALL - 8);
	for (uint32_t i = 0; i < 6; i++) {
		for (int k = 0; k < 3; k++) {
			uint32_t j = order[i][k];
			assert_int_equal(udp_got(w), -EAGAIN);
			send_piece(w, whole, cut[j], cut[j + 1] - cut[j], j < 2, i);
		}
		assert_int_equal(udp_got(w), ALL - 8);
	}
	/* the largest there is */
	udp_make(whole, PEER, HOST, 65527);
	for (uint32_t off = 0; off < 65535; off += 1448)
		send_piece(w, whole, off, MIN(1448u, 65535 - off), off + 1448 < 65535, 77);
	assert_int_equal(udp_got(w), 65527);
	assert_int_equal(w->n, 0);
	wire6_free(w);
}

static void req_IP6_009__key_and_time(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t whole[ALL], out[2200], quoted[2200];
	udp_make(whole, PEER, HOST, ALL - 8);
	/* the next header of a later fragment says nothing: only source, destination and id do */
	uint32_t n = piece(out, whole, 1400, ALL - 1400, false, 5, 99);
	wire6_inject(w, out, n);
	send_piece(w, whole, 0, 1400, true, 6);
	assert_int_equal(udp_got(w), -EAGAIN);
	send_piece(w, whole, 0, 1400, true, 5);
	assert_int_equal(udp_got(w), ALL - 8);
	/* the one with id 6 waits for 60 s, then its sender hears of the first fragment */
	assert_true(net_run(w->t, w->t->now + 59 * NS_PER_S));
	assert_int_equal(w->n, 0);
	n = piece(quoted, whole, 0, 1400, true, 6, IPPROTO_N_UDP);
	assert_true(net_run(w->t, w->t->now + 2 * NS_PER_S));
	assert_int_equal(w->t->seen.dropped[DROP_FRAG_TIMEOUT], 1);
	expect_icmp6(w, ICMP6_TIME_EXCEEDED, 1, 0, quoted, n);
	/* without the first one nobody is told */
	send_piece(w, whole, 1400, ALL - 1400, false, 7);
	assert_true(net_run(w->t, w->t->now + 61 * NS_PER_S));
	assert_int_equal(w->t->seen.dropped[DROP_FRAG_TIMEOUT], 2);
	assert_int_equal(w->n, 0);
	wire6_free(w);
}

static void req_IP6_010__bad_lengths(void **state)
{
	struct wire6 *w = wire6_new(false);
	static uint8_t whole[70000];
	uint8_t out[2200];
	for (uint32_t odd = 1; odd < 8; odd++) {
		uint32_t n = piece(out, whole, 800, 800 + odd, true, odd, IPPROTO_N_UDP);
		wire6_inject(w, out, n);
		expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_FIELD, 4, out, n);
	}
	uint32_t n = piece(out, whole, 65528, 8, false, 9, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_FIELD, 42, out, n);
	n = piece(out, whole, 65528, 7, false, 9, IPPROTO_N_UDP); /* 65,535 */
	wire6_inject(w, out, n);
	assert_int_equal(w->n, 0);
	/* headers in front of the fragment header are part of it */
	uint8_t body[32] = {IPPROTO_N_FRAGMENT, 0, 1, 4, 0, 0, 0, 0, IPPROTO_N_UDP, 0, 0xff, 0xf8, 0, 0, 0, 10};
	n = ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, body, 23);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_FIELD, 50, out, n);
	wire6_free(w);
}

static void req_IP6_011__overlaps(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t whole[ALL];
	static const uint32_t over[][2] = {{592, 808}, {600, 400}, {592, 16}, {0, 1400}, {584, 16}};
	udp_make(whole, PEER, HOST, ALL - 8);
	for (uint32_t i = 0; i < ARRAY_LEN(over); i++) {
		send_piece(w, whole, 0, 600, true, i);
		send_piece(w, whole, 600, 800, true, i);
		send_piece(w, whole, over[i][0], over[i][1], true, i); /* the same bytes, and yet */
		send_piece(w, whole, 1400, ALL - 1400, false, i);
		assert_int_equal(udp_got(w), -EAGAIN);
		assert_int_equal(w->t->seen.dropped[DROP_FRAG_OVERLAP], 3 * (i + 1)); /* all that had come, and no more than that */
	}
	assert_int_equal(w->n, 0); /* silently */
	send_piece(w, whole, 0, 600, true, 99);
	send_piece(w, whole, 0, 600, true, 99); /* exactly the same */
	send_piece(w, whole, 600, ALL - 600, false, 99);
	assert_int_equal(udp_got(w), ALL - 8);
	wire6_free(w);
}

static void req_IP6_012__first_fragment_holds_all_headers(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t body[64] = {0}, out[200];
	static const struct { uint8_t next; uint32_t n; bool fits; } c[] = {
		{IPPROTO_N_TCP, 16, false}, {IPPROTO_N_TCP, 24, true}, {IPPROTO_N_UDP, 8, true}, {IPPROTO_N_ICMP6, 8, true},
		{IPPROTO_N_DSTOPTS, 8, false}, {IPPROTO_N_DSTOPTS, 16, true}, {IPPROTO_N_DSTOPTS, 24, true},
	};
	for (uint32_t i = 0; i < ARRAY_LEN(c); i++) {
		uint8_t *h = body + 8;
		memset(body, 0, sizeof(body));
		body[0] = c[i].next;
		put_be16(body + 2, 1);
		put_be32(body + 4, i);
		if (c[i].next == IPPROTO_N_TCP)
			h[12] = 0x50;
		if (c[i].next == IPPROTO_N_DSTOPTS) /* UDP behind 8 bytes of options; 24: behind an empty transport */
			h[0] = IPPROTO_N_UDP;
		uint32_t n = ip6_make(out, IPPROTO_N_FRAGMENT, PEER, HOST, body, 8 + c[i].n), was = w->t->seen.dropped[DROP_FRAG_TINY];
		wire6_inject(w, out, n);
		assert_int_equal(w->t->seen.dropped[DROP_FRAG_TINY], was + !c[i].fits);
		if (!c[i].fits)
			expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_CHAIN, 0, out, n);
		assert_int_equal(w->n, 0);
	}
	wire6_free(w);
}

static void req_IP6_013__atomic_fragments(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t whole[ALL], small[100];
	udp_make(whole, PEER, HOST, ALL - 8);
	uint32_t n = udp_make(small, PEER, HOST, 50);
	send_piece(w, whole, 0, 600, true, 5);
	send_piece(w, small, 0, n, false, 5); /* the same id: it overlaps nothing */
	assert_int_equal(udp_got(w), 50);
	send_piece(w, whole, 600, ALL - 600, false, 5);
	assert_int_equal(udp_got(w), ALL - 8);
	assert_int_equal(w->n, 0);
	wire6_free(w);
}

/* Headers in front of the fragment header stay, those behind it are obeyed when the whole is there. */
static void fragment__among_other_headers(void **state)
{
	struct wire6 *w = wire6_new(false);
	uint8_t frag[1024], part[2][600], out[700];
	static const uint8_t options[8] = {IPPROTO_N_UDP, 0, 1, 4};
	memcpy(frag, options, 8);
	uint32_t all = 8 + udp_make(frag + 8, PEER, HOST, 500);
	for (int k = 1; k >= 0; k--) {
		uint8_t *b = part[k];
		uint32_t off = k ? 256 : 0, n = k ? all - 256 : 256;
		memcpy(b, (uint8_t[]){IPPROTO_N_ROUTING, 0, 1, 4, 0, 0, 0, 0, IPPROTO_N_FRAGMENT, 0, 0x63, 0, 0, 0, 0, 0,
			 IPPROTO_N_DSTOPTS, 0}, 18);
		put_be16(b + 18, (uint16_t)(off | !k));
		put_be32(b + 20, 3);
		memcpy(b + 24, frag + off, n);
		wire6_inject(w, out, ip6_make(out, IPPROTO_N_DSTOPTS, PEER, HOST, b, 24 + n));
	}
	assert_int_equal(udp_got(w), 500);
	wire6_free(w);
}

/* What we cut comes together elsewhere; nothing on the way cuts it (IP6-014: only sources do). */
static void req_IP6_014__sources_cut_and_ids_tell_nothing(void **state)
{
	struct wire6 *w = wire6_new(false);
	static char text[6000];
	struct via_sockaddr to = {.addr = net_name(PEER), .port = 7}, other = {.addr = net_name("2001:db8::8"), .port = 7};
	uint32_t id[2][20], step = 0;
	net_know(w->t, 0, w->v, 2, 1, "2001:db8::8");
	for (int i = 0; i < 40; i++) {
		w->n = 0;
		assert_int_equal(via_sendto(w->v, w->udp, text, 3000, 0, i % 2 ? &other : &to), 3000);
		assert_true(net_run(w->t, w->t->now + NS_PER_MS));
		assert_int_equal(w->n, 3);
		for (uint32_t k = 0, at = 0; k < 3; k++) {
			const uint8_t *f = w->sent[k] + IP6_HLEN;
			assert_int_equal(w->sent[k][6], IPPROTO_N_FRAGMENT);
			assert_true(w->len[k] <= 1500);
			assert_int_equal(get_be16(w->sent[k] + 4), w->len[k] - IP6_HLEN);
			assert_int_equal(f[0], IPPROTO_N_UDP);
			assert_int_equal(get_be16(f + 2), at | (k < 2));
			at += w->len[k] - 48;
			id[i % 2][i / 2] = get_be32(f + 4);
			assert_int_equal(get_be32(f + 4), get_be32(w->sent[0] + IP6_HLEN + 4));
		}
	}
	for (int i = 1; i < 20; i++) { /* never the same again; each destination has its own sequence, which does not begin at 0 */
		assert_int_not_equal(id[0][i], id[0][i - 1]);
		step += id[0][i] == id[1][i] || id[0][i] == id[1][i] + 1;
	}
	assert_int_equal(step, 0);
	assert_true(id[0][0] > 1000 && id[1][0] > 1000);
	wire6_free(w);
	/* a router: too big goes back, whatever the packet */
	uint8_t out[1600], body[1500];
	w = wire6_new(true);
	uint32_t n = ip6_make(out, IPPROTO_N_UDP, PEER, FAR, body, udp_make(body, PEER, FAR, 1400));
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_TOO_BIG, 0, 1400, out, n);
	wire6_free(w);
}

/* Two hosts on a link of 1280 bytes, the least there may be: a megabyte by TCP each way, and the largest datagram, which is put together
 * from 1280-byte pieces. */
static void req_IP6_008__links_of_1280_bytes(void **state)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	static uint8_t out[65527], in[65536];
	int ia, ib;
	net_link(t, a, b, 256, 1280, 0, 0, &ia, &ib);
	assert_int_equal(net_addr6(a, ia, "2001:db8::1", 64), 0);
	assert_int_equal(net_addr6(b, ib, "2001:db8::2", 64), 0);
	const struct via_sockaddr to_a = {.addr = net_name("2001:db8::1"), .port = 80}, to_b = {.addr = net_name("2001:db8::2"), .port = 80};
	struct flow f[] = {flow_open_at(t, a, b, to_b, 1 << 20), flow_open_at(t, b, a, to_a, 1 << 20)};
	flow_finish(t, f, 2, 60 * NS_PER_S);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = byte_at(i);
	via_sock s = net_open(a, VIA_DGRAM), r = net_open(b, VIA_DGRAM);
	assert_int_equal(via_bind(b, r, &to_b), 0);
	assert_int_equal(via_sendto(a, s, out, sizeof(out), 0, &to_b), sizeof(out));
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(via_recv(b, r, in, sizeof(in), 0), sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_true(net_counter(b, "frag.joined") > 50);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP6_008__fragments_in_any_order), cmocka_unit_test(req_IP6_009__key_and_time),
		cmocka_unit_test(req_IP6_010__bad_lengths), cmocka_unit_test(req_IP6_011__overlaps),
		cmocka_unit_test(req_IP6_012__first_fragment_holds_all_headers), cmocka_unit_test(req_IP6_013__atomic_fragments),
		cmocka_unit_test(fragment__among_other_headers), cmocka_unit_test(req_IP6_014__sources_cut_and_ids_tell_nothing),
		cmocka_unit_test(req_IP6_008__links_of_1280_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
