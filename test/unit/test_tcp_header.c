/* What stands in the header of every segment: checksum, reserved bits, the MSS we advertise (RFC 9293 §3.1, §3.7.1). */
#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[8000];

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	struct tcp_hdr opts = {.has_mss = true, .mss = 1001};
	c = th_connect(&t, &q, &opts, &(struct tcp_opts){.nodelay = true});
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + (i >> 8));
	return 0;
}

/* RFC 1071 word by word over pseudo-header and segment: 0xffff if the checksum in it is right. */
static uint32_t naive_sum(const uint8_t *b, uint32_t n, uint32_t src, uint32_t dst)
{
	uint32_t sum = (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + 6 + n;
	for (uint32_t i = 0; i < n; i++)
		sum += (uint32_t)b[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The finished checksum of every length, odd ones included, and of segments without data. */
static void req_TCP_002__checksum_of_even_and_odd_lengths(void **state)
{
	static const uint32_t lens[] = {1, 2, 3, 7, 100, 101, 999, 1000, 1001};
	static uint8_t b[4096];
	uint32_t seq = 1, seen = 0;
	t.hold = true;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		assert_int_equal(tcp_user_send(&t.env, c, data + i, lens[i], false), lens[i]);
		th_flush(&t);
		struct pkt *p = pktq_pop(t.env.mem, &t.txq);
		assert_non_null(p);
		pkt_csum_finish(t.env.mem, p);
		assert_int_equal(pkt_copy_out(t.env.mem, p, 0, b, sizeof(b)), p->len);
		assert_true(p->len >= TCP_HLEN + lens[i]);
		assert_int_equal(naive_sum(b, p->len, TH_A, TH_B), 0xffff);
		b[p->len - 1] ^= 1; /* and the sum would tell */
		assert_int_not_equal(naive_sum(b, p->len, TH_A, TH_B), 0xffff);
		struct pkt_meta m = p->m;
		pkt_free(t.env.mem, p);
		tcp_sent(&t.env, m.owner, m.owner_gen, m.owner_seq_end, t.env.now);
		seq += lens[i];
		th_send(&t, &q, TCP_ACK, 1, seq, NULL, 0);
		seen++;
	}
	assert_int_equal(seen, ARRAY_LEN(lens));
	th_send(&t, &q, TCP_ACK, 3, seq, "x", 1); /* out of order: a pure ACK */
	struct pkt *p = pktq_pop(t.env.mem, &t.txq);
	assert_non_null(p);
	pkt_csum_finish(t.env.mem, p);
	pkt_copy_out(t.env.mem, p, 0, b, sizeof(b));
	assert_int_equal(naive_sum(b, p->len, TH_A, TH_B), 0xffff);
	pkt_free(t.env.mem, p);
	t.hold = false;
	th_finish(&t, c);
}

/* What we advertise is what arrives whole: MTU - 20 - 20, whatever the link, and never more than 65535 - 20 - 20 (RFC 9293
 * §3.7.1 MUST-67), which is all that IPv4 can say, also on a link that carries more; a connection's own clamp lowers it. That routers on
 * the way out carry less says nothing of the way in (SHLD-6). */
static void req_TCP_012__advertised_mss_fits_what_arrives(void **state)
{
	static const uint32_t mtus[] = {576, 1280, 1500, 9000, 65535};
	struct tcp_path p = th_path(&t)->p;
	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		p.mtu = mtus[i];
		assert_int_equal(tcp_mss_advertised(&p, NULL), mtus[i] - 40);
		assert_int_equal(tcp_mss_advertised(&p, &(struct tcp_opts){.mss_clamp = 500}), 500);
		assert_int_equal(tcp_mss_advertised(&p, &(struct tcp_opts){.mss_clamp = 65535}), mtus[i] - 40);
	}
	static const uint32_t beyond[] = {65536, 65575, 1 << 20};
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		p.mtu = beyond[i];
		assert_int_equal(tcp_mss_advertised(&p, NULL), 65535 - 40);
	}
	p.mtu = 1500;
	p.pmtu = 600;
	assert_int_equal(tcp_mss_advertised(&p, NULL), 1460);
	th_finish(&t, c);
}

/* The four bits between data offset and flags: zero in what we send, without effect in what we receive. */
static void req_TCP_015__reserved_bits(void **state)
{
	uint8_t out[TCP_HLEN_MAX];
	for (unsigned f = 0; f < 256; f++) {
		struct tcp_hdr h = {.flags = (uint8_t)f};
		tcp_emit(out, &h);
		assert_int_equal(out[12] & 0x0f, 0);
	}
	for (uint8_t bits = 1; bits < 16; bits++) {
		struct tcp_hdr h = th_hdr(&q, TCP_ACK, bits, 1);
		struct pkt *p = th_make(&t, &h, "z", 1);
		uint8_t *b = pkt_data(p);
		uint32_t sum = (uint16_t)~get_be16(b + 16) + (uint32_t)bits * 256; /* RFC 1624 */
		b[12] |= bits;
		put_be16(b + 16, (uint16_t)~((sum & 0xffff) + (sum >> 16)));
		th_deliver(&t, p);
		assert_int_equal(t.drop, DROP_NONE);
		assert_int_equal(tcp_user_inq(&t.env, c), bits);
	}
	th_finish(&t, c);
}

/* The window of a SYN-ACK is what it says, that of every later segment is shifted (RFC 7323 §2.2). */
static void req_TX_001__the_window_of_a_syn_is_not_scaled(void **state)
{
	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 2);
	q = (struct peer){.iss = 5000, .wnd = 3000};
	struct tcp_hdr opts = {.has_mss = true, .mss = 1000, .has_ws = true, .ws = 7};
	c = th_connect(&t, &q, &opts, &(struct tcp_opts){.nodelay = true});
	assert_int_equal(tcp_user_send(&t.env, c, data, 8000, false), 8000);
	th_flush(&t);
	assert_int_equal(t.n_out, 3);
	th_drain(&t);
	q.wnd = 40; /* 5120 bytes */
	th_send(&t, &q, TCP_ACK, 1, 3001, NULL, 0);
	uint32_t n = 0;
	for (const struct th_seg *s; (s = th_next(&t));)
		n += s->len;
	assert_int_equal(n, 5000);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TCP_002__checksum_of_even_and_odd_lengths),
		T(req_TCP_012__advertised_mss_fits_what_arrives),
		T(req_TCP_015__reserved_bits),
		T(req_TX_001__the_window_of_a_syn_is_not_scaled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
