/* The receiver: order, trimming, windows, SACK blocks, when it acknowledges. */
#include <errno.h>

#include "tcp/tally.h"
#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[65536];

static void open_with(const struct tcp_opts *o, bool sack, bool ts)
{
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = ts, .tsval = 100};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460, .sack_permitted = sack}, o);
}
static int setup(void **state)
{
	open_with(NULL, true, false);
	return 0;
}

/* No more quick ACKs: the delayed-ACK rules show. */
static void no_quick(void) { th_conn(&t, c)->quick = 0; }

/* Data [seq, seq+n) of the peer's stream, which is data[] from number 1 on. */
static void seg(uint32_t seq, uint32_t n) { th_send(&t, &q, TCP_ACK, seq, 1, data + seq - 1, n); }

static void assert_reads(uint32_t n)
{
	static uint8_t buf[sizeof(data)];
	assert_int_equal(tcp_user_recv(&t.env, c, buf, sizeof(buf), false), n);
	assert_memory_equal(buf, data, n);
}

/* A buffer larger than an unscaled window can tell: reading moves no edge, and is no news (RFC 9293 §3.8.6.2.2). */
static void req_TCP_064__no_update_beyond_the_field(void **state)
{
	seg(1, 1000);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1001, 0)->h.wnd, 65535);
	assert_reads(1000);
	th_flush(&t);
	th_expect_none(&t);
	th_run(&t, NS_PER_S);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* --- acceptability and trimming --- */

static void req_TCP_030__table_of_acceptability(void **state)
{
	/* rcv_nxt 1000; length zero and not, window zero and not (Table 6) */
	assert_true(tcp_is_acceptable(1000, 0, 1000, 0));
	assert_false(tcp_is_acceptable(1000, 0, 1001, 0));
	assert_false(tcp_is_acceptable(1000, 0, 999, 0));
	assert_true(tcp_is_acceptable(1000, 10, 1000, 0));
	assert_true(tcp_is_acceptable(1000, 10, 1009, 0));
	assert_false(tcp_is_acceptable(1000, 10, 1010, 0));
	assert_false(tcp_is_acceptable(1000, 10, 999, 0));
	assert_false(tcp_is_acceptable(1000, 0, 1000, 1));
	assert_false(tcp_is_acceptable(1000, 10, 990, 10));
	assert_true(tcp_is_acceptable(1000, 10, 990, 11));
	assert_true(tcp_is_acceptable(1000, 10, 1009, 5));
	assert_false(tcp_is_acceptable(1000, 10, 1010, 5));
	assert_true(tcp_is_acceptable(0xfffffffb, 10, 2, 1)); /* across the wrap */
	assert_false(tcp_is_acceptable(0xfffffffb, 10, 5, 1));
	th_finish(&t, c);
}

static void req_TCP_031__trimmed_on_both_edges(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4000}, false, false);
	seg(1, 1000);
	th_drain(&t);
	seg(501, 1000); /* half of it is old */
	th_expect(&t, &q, TCP_ACK, 1, 1501, 0);
	seg(1501, 6000); /* beyond the right edge */
	th_expect(&t, &q, TCP_ACK, 1, 4001, 0);
	assert_reads(4000);
	th_finish(&t, c);
}

static void req_TCP_030__unacceptable_is_answered(void **state)
{
	seg(1, 100);
	th_drain(&t);
	seg(1, 100); /* all old */
	th_expect(&t, &q, TCP_ACK, 1, 101, 0);
	assert_int_equal(t.drop, DROP_TCP_DUPLICATE);
	th_send(&t, &q, TCP_ACK, 101 + (8 << 20), 1, "x", 1); /* far beyond */
	th_expect(&t, &q, TCP_ACK, 1, 101, 0);
	assert_int_equal(t.drop, DROP_TCP_WINDOW);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_033__no_ack_bit_is_dropped(void **state)
{
	th_send(&t, &q, TCP_PSH, 1, 0, "x", 1);
	assert_int_equal(t.drop, DROP_TCP_NO_ACK);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_send(&t, &q, TCP_ACK, 1, 5, "x", 1); /* acknowledges what was never sent */
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_int_equal(t.drop, DROP_TCP_ACK_RANGE);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_finish(&t, c);
}

static void req_TCP_032__out_of_order_is_kept(void **state)
{
	static const uint32_t order[] = {2001, 4001, 1001, 3001, 1};
	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		seg(order[i], 1000);
	assert_reads(5000);
	th_finish(&t, c);
}

static void tcp_receive__overlaps_out_of_order(void **state)
{
	seg(2001, 1000);
	seg(2501, 1000); /* overlaps the one held */
	seg(501, 5000);  /* covers all that is held, and both sides of it */
	seg(1, 600);
	assert_reads(5500);
	th_finish(&t, c);
}

static void req_HARD_05__reorder_queue_is_capped(void **state)
{
	for (uint32_t i = 0; i < 3000; i++) {
		seg(3 + 2 * i, 1); /* every second byte */
		th_drain(&t);
	}
	assert_int_equal(t.drop, DROP_TCP_RCVBUF);
	const struct tcp_active *a = tcp_active_of(&t.env, th_conn(&t, c));
	assert_true(((struct ivset *)arena_at(t.arena, a->ooo))->n <= TCP_OOO_MAX);
	for (uint32_t i = 0; i < 100; i++) { /* what was dropped can come again */
		seg(1 + 100 * i, 100);
		th_drain(&t);
	}
	assert_reads(10000);
	th_finish(&t, c);
}

/* A byte in each of many blocks pins them whole: beyond twice the buffer what is out of order is refused, what is in order never. */
static void req_HARD_05__memory_pinned_out_of_order_is_capped(void **state)
{
	struct tcp_conn *k = th_conn(&t, c);
	uint32_t refused = 0, rcvbuf = k->rcvbuf;
	k->rcvbuf = 4096;
	for (uint32_t i = 0; i < 40; i++) {
		seg(3 + 1000 * i, 999);
		refused += t.drop == DROP_TCP_RCVBUF;
		assert_true(k->rcv.charged <= 2 * k->rcvbuf + 4096);
		th_drain(&t);
	}
	assert_true(refused > 20);
	seg(1, 2);
	assert_int_equal(t.drop, DROP_NONE);
	k->rcvbuf = rcvbuf;
	th_finish(&t, c);
}

/* --- SACK (CC-009) --- */

static void assert_sack(const struct th_seg *s, unsigned n, const uint32_t *lohi)
{
	assert_int_equal(s->h.n_sack, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(s->h.sack[i].lo - q.iss, lohi[2 * i]);
		assert_int_equal(s->h.sack[i].hi - q.iss, lohi[2 * i + 1]);
	}
}

static void req_CC_009__first_block_is_the_newest(void **state)
{
	seg(1001, 500);
	assert_sack(th_expect(&t, &q, TCP_ACK, 1, 1, 0), 1, (uint32_t[]){1001, 1501});
	seg(3001, 500);
	assert_sack(th_next(&t), 2, (uint32_t[]){3001, 3501, 1001, 1501});
	seg(1501, 500); /* grows the older block: that one is first again */
	assert_sack(th_next(&t), 2, (uint32_t[]){1001, 2001, 3001, 3501});
	seg(5001, 500);
	seg(7001, 500);
	th_drain(&t);
	seg(9001, 500);
	assert_sack(th_next(&t), 4, (uint32_t[]){9001, 9501, 7001, 7501, 5001, 5501, 1001, 2001});
	seg(1, 1000); /* the gap is filled: that block is no news */
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.ack - q.iss, 2001);
	assert_sack(s, 3, (uint32_t[]){9001, 9501, 7001, 7501, 5001, 5501});
	th_finish(&t, c);
}

static void req_CC_009__no_sack_unless_permitted(void **state)
{
	th_finish(&t, c);
	open_with(NULL, false, false);
	seg(1001, 500);
	assert_int_equal(th_next(&t)->h.n_sack, 0);
	th_finish(&t, c);
}

static void req_CC_009__three_blocks_beside_timestamps(void **state)
{
	th_finish(&t, c);
	open_with(NULL, true, true);
	for (uint32_t i = 0; i < 5; i++)
		seg(1001 + 2000 * i, 100);
	const struct th_seg *s = &t.out[t.n_out - 1];
	assert_true(s->h.has_ts);
	assert_int_equal(s->h.n_sack, 3);
	th_finish(&t, c);
}

/* RFC 2018 §4: on all that acknowledges while something waits out of order, data too; it holds so much less text (RFC 9293 §3.7.1). */
static void req_CC_009__data_carries_the_blocks(void **state)
{
	static uint8_t text[5000];
	for (int ts = 0; ts < 2; ts++) {
		uint32_t opts = ts ? 12 : 0, full = 1460 - opts, size = full - 12; /* of one block */
		th_finish(&t, c);
		open_with(NULL, true, ts);
		struct tcp_conn *k = th_conn(&t, c);
		assert_int_equal(k->mss, full);
		seg(1001, 500);
		th_drain(&t);
		assert_int_equal(tcp_user_send(&t.env, c, text, sizeof text, false), sizeof text);
		th_flush(&t);
		uint32_t sent = 0;
		for (const struct th_seg *s; (s = th_next(&t)); sent += s->len) {
			assert_sack(s, 1, (uint32_t[]){1001, 1501});
			assert_int_equal(s->len, MIN(size, sizeof text - sent));
			assert_int_equal(s->h.hlen, TCP_HLEN + opts + 12);
		}
		assert_int_equal(sent, sizeof text);
		seg(3001, 100);
		seg(5001, 100);
		seg(7001, 100);
		th_drain(&t);
		assert_int_equal(tcp_user_send(&t.env, c, text, 300, false), 300);
		th_flush(&t);
		th_send(&t, &q, TCP_ACK, 1, 1 + sizeof text, NULL, 0); /* Nagle */
		const struct th_seg *s = th_next(&t);
		assert_int_equal(s->len, 300);
		assert_int_equal(s->h.n_sack, ts ? 3 : 4);
		assert_int_equal(s->h.sack[0].lo - q.iss, 7001);
		th_send(&t, &q, TCP_ACK, 1, 1 + sizeof text + 300, NULL, 0);
		seg(1, 1000);
		seg(1501, 1500);
		seg(3101, 1900);
		seg(5101, 1900);
		th_drain(&t);
		assert_int_equal(tcp_user_send(&t.env, c, text, sizeof text, false), sizeof text); /* nothing waits: full ones again */
		th_flush(&t);
		s = th_next(&t);
		assert_int_equal(s->h.n_sack, 0);
		assert_int_equal(s->len, full);
	}
	th_finish(&t, c);
}
/* What goes again keeps its cut, with the blocks for which it has room; a duplicate is told by a pure ACK, and once. */
static void req_CC_009__repetitions_take_what_fits(void **state)
{
	static uint8_t text[1460 + 20];
	struct tcp_conn *k = th_conn(&t, c);
	k->nodelay = 1;
	assert_int_equal(tcp_user_send(&t.env, c, text, 1460, false), 1460);
	th_flush(&t);
	assert_int_equal(tcp_user_send(&t.env, c, text, 1440, false), 1440);
	th_flush(&t);
	seg(1001, 500);
	seg(1001, 500);
	th_drain(&t);
	for (int i = 0; i < 2; i++) { /* RTO, and the second segment when the first has come */
		th_run(&t, i ? NS_PER_MS : 1500 * NS_PER_MS);
		const struct th_seg *s = &t.out[t.n_out - 1];
		assert_int_equal(s->len, i ? 1440 : 1460);
		if (i)
			assert_sack(s, 1, (uint32_t[]){1001, 1501});
		else
			assert_int_equal(s->h.n_sack, 0);
		th_drain(&t);
		th_send(&t, &q, TCP_ACK, 1, 1461, NULL, 0);
	}
	th_finish(&t, c);
}

static void req_CC_012__duplicate_is_reported_first(void **state)
{
	seg(1, 1000);
	seg(2001, 500);
	th_drain(&t);
	seg(1, 1000);
	assert_sack(th_next(&t), 2, (uint32_t[]){1, 1001, 2001, 2501});
	seg(2001, 500); /* a duplicate out of order */
	assert_sack(th_next(&t), 2, (uint32_t[]){2001, 2501, 2001, 2501});
	seg(3001, 100); /* only once */
	assert_sack(th_next(&t), 2, (uint32_t[]){3001, 3101, 2001, 2501});
	th_finish(&t, c);
}

/* --- when it acknowledges --- */

static void req_TCP_071__every_second_full_segment(void **state)
{
	no_quick();
	seg(1, 1460);
	th_expect_none(&t);
	seg(1461, 1460);
	th_expect(&t, &q, TCP_ACK, 1, 2921, 0);
	seg(2921, 1460);
	th_expect_none(&t);
	th_run(&t, 39 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 3 * NS_PER_MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 4381, 0)->why, WHY_ACK_DELAYED);
	th_run(&t, NS_PER_S);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_071__superframe_counts_its_segments(void **state)
{
	no_quick();
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1);
	struct pkt *p = th_make(&t, &h, data, 1000);
	p->m.gso_size = 500;
	p->m.gso_segs = 2;
	p->m.gso = PKT_GSO_TCP4;
	th_deliver(&t, p);
	th_flush(&t);
	th_conn(&t, c)->rcv_mss = 500;
	h = th_hdr(&q, TCP_ACK, 1001, 1);
	p = th_make(&t, &h, data + 1000, 1000);
	p->m.gso_size = 500;
	p->m.gso_segs = 2;
	p->m.gso = PKT_GSO_TCP4;
	th_drain(&t);
	th_deliver(&t, p);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 2001, 0);
	assert_int_equal(tcp_tally_of(&t.env, th_conn(&t, c))->segs_in, 1 + 4);
	th_finish(&t, c);
}

/* Merged, but to no fewer than one per two full-sized segments (SHLD-19); test_stack_tcp.c shows that none leaves before the whole
 * burst is processed (MUST-59). */
static void req_TCP_072__acks_of_a_burst_are_merged_by_pairs(void **state)
{
	for (uint32_t i = 0; i < 10; i++) {
		struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1 + 1000 * i, 1);
		th_deliver(&t, th_make(&t, &h, data + 1000 * i, 1000));
	}
	th_flush(&t);
	for (uint32_t i = 2; i <= 10; i += 2)
		th_expect(&t, &q, TCP_ACK, 1, 1 + 1000 * i, 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_073__dup_ack_leaves_before_the_next_segment(void **state)
{
	no_quick();
	struct tcp_hdr h;
	for (uint32_t i = 1; i < 4; i++) { /* one burst: a hole first, then three out of order, then the hole */
		h = th_hdr(&q, TCP_ACK, 1 + 1000 * i, 1);
		th_deliver(&t, th_make(&t, &h, data + 1000 * i, 1000));
	}
	h = th_hdr(&q, TCP_ACK, 1, 1);
	th_deliver(&t, th_make(&t, &h, data, 1000));
	th_flush(&t);
	for (int i = 0; i < 3; i++)
		assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 0)->why, WHY_ACK_DUP);
	th_expect(&t, &q, TCP_ACK, 1, 4001, 0); /* gap filled: at once, and only one */
	th_expect_none(&t);
	th_finish(&t, c);
}

/* The same one by one: what fills the gap in part is acknowledged at once too (RFC 5681 §4.2). */
static void req_TCP_073__what_fills_a_gap_is_acked_at_once(void **state)
{
	no_quick();
	seg(1001, 100);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	no_quick();
	seg(1, 200); /* the beginning of the gap */
	th_expect(&t, &q, TCP_ACK, 1, 201, 0);
	no_quick();
	seg(201, 800);
	th_expect(&t, &q, TCP_ACK, 1, 1101, 0);
	no_quick();
	seg(1101, 100); /* no gap any more: delayed */
	th_expect_none(&t);
	th_finish(&t, c);
}

static void tcp_receive__ack_rides_on_data(void **state)
{
	no_quick();
	seg(1, 100);
	tcp_user_send(&t.env, c, "answer", 6, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 101, 6);
	th_expect_none(&t);
	th_run(&t, 100 * NS_PER_MS);
	th_expect_none(&t); /* no delayed ACK is left over */
	th_finish(&t, c);
}

/* --- windows --- */

static void req_TCP_065__right_edge_never_moves_left(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 20000}, true, false);
	uint32_t edge = 0, at = 1;
	uint8_t buf[4096];
	struct rng r;
	rng_seed(&r, 5);
	for (int i = 0; i < 400; i++) {
		uint32_t room = th_conn(&t, c)->rcv_adv - th_conn(&t, c)->rcv_nxt;
		uint32_t n = MIN(room, (uint32_t)rng_below(&r, 1000));
		if (n)
			th_send(&t, &q, TCP_ACK, at, 1, data, n);
		at += n;
		if (rng_below(&r, 2))
			tcp_user_recv(&t.env, c, buf, (uint32_t)rng_below(&r, sizeof(buf)), false);
		th_flush(&t);
		for (const struct th_seg *s; (s = th_next(&t));) {
			uint32_t e = s->h.ack - q.iss + s->h.wnd;
			assert_true(e >= edge);
			edge = e;
		}
		th_drain(&t);
	}
	th_finish(&t, c);
}

static void req_TCP_064__window_moves_by_a_segment_or_half_the_buffer(void **state)
{
	uint8_t buf[4000];
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4000}, true, false);
	for (uint32_t i = 0; i < 4; i++)
		seg(1 + 1000 * i, 1000);
	assert_int_equal(t.out[t.n_out - 1].h.wnd, 0); /* full */
	th_drain(&t);
	for (int i = 0; i < 14; i++) { /* small reads say nothing */
		tcp_user_recv(&t.env, c, buf, 100, false);
		th_flush(&t);
		th_expect_none(&t);
	}
	tcp_user_recv(&t.env, c, buf, 100, false); /* now a whole segment is free */
	th_flush(&t);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1, 4001, 0);
	assert_int_equal(s->h.wnd, 1500);
	assert_int_equal(s->why, WHY_ACK_WINDOW);
	th_finish(&t, c);
}

/* A buffer of less than two segments: half of it is what counts. */
static void req_TCP_064__half_of_a_small_buffer(void **state)
{
	uint8_t buf[4000];
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 2400}, true, false);
	seg(1, 1400);
	seg(1401, 1000);
	assert_int_equal(t.out[t.n_out - 1].h.wnd, 0);
	th_drain(&t);
	for (int i = 0; i < 11; i++) {
		tcp_user_recv(&t.env, c, buf, 100, false);
		th_flush(&t);
		th_expect_none(&t);
	}
	tcp_user_recv(&t.env, c, buf, 100, false); /* 1200 */
	th_flush(&t);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 2401, 0)->h.wnd, 1200);
	th_finish(&t, c);
}

static void req_TCP_035__zero_window_still_takes_ack_and_rst(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4000}, true, false);
	for (uint32_t i = 0; i < 4; i++)
		seg(1 + 1000 * i, 1000);
	tcp_user_send(&t.env, c, "abc", 3, false);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 4001, 4, "probe", 5); /* text is refused, its ACK counts */
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	th_expect(&t, &q, TCP_ACK, 4, 4001, 0);
	th_send(&t, &q, TCP_RST, 4001, 0, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	th_finish(&t, c);
}

static void tcp_receive__zero_copy_peek(void **state)
{
	struct via_iov iov[8];
	seg(1, 1000);
	seg(1001, 1000);
	int n = tcp_user_recv_peek(&t.env, c, iov, 8);
	assert_true(n > 0);
	uint32_t at = 0;
	for (int i = 0; i < n; i++) {
		assert_memory_equal(iov[i].base, data + at, iov[i].len);
		at += iov[i].len;
	}
	assert_int_equal(at, 2000);
	assert_int_equal(tcp_user_recv_consume(&t.env, c, 2001), -EINVAL);
	assert_int_equal(tcp_user_recv_consume(&t.env, c, 2000), 0);
	assert_int_equal(tcp_user_recv_peek(&t.env, c, iov, 8), -EAGAIN);
	th_finish(&t, c);
}

static void tcp_receive__peek_leaves_it(void **state)
{
	uint8_t buf[10];
	seg(1, 10);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 4, true), 4);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 10, false), 10);
	th_finish(&t, c);
}

static void tcp_receive__bytes_are_counted(void **state)
{
	struct via_sock_info i = {.size = sizeof(i)};
	seg(1, 1000);
	seg(1, 1000);
	tcp_user_send(&t.env, c, data, 300, false);
	th_flush(&t);
	tcp_node_info(&t.env, c, &i);
	assert_int_equal(i.bytes_received, 1000);
	assert_int_equal(i.bytes_sent, 300);
	assert_int_equal(i.iss, q.irs);
	assert_int_equal(i.irs, q.iss);
	assert_int_equal(i.local.port, TH_LPORT);
	assert_int_equal(i.segs_retrans, 0);
	th_send(&t, &q, TCP_RST, 1001, 0, NULL, 0); /* still known when it is over */
	tcp_node_info(&t.env, c, &i);
	assert_int_equal(i.bytes_sent, 300);
	assert_int_equal(i.bytes_received, 1000);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TCP_030__table_of_acceptability), T(req_TCP_031__trimmed_on_both_edges), T(req_TCP_030__unacceptable_is_answered),
		T(req_TCP_033__no_ack_bit_is_dropped), T(req_TCP_032__out_of_order_is_kept), T(tcp_receive__overlaps_out_of_order),
		T(req_HARD_05__reorder_queue_is_capped), T(req_CC_009__first_block_is_the_newest), T(req_CC_009__no_sack_unless_permitted),
		T(req_CC_009__three_blocks_beside_timestamps), T(req_CC_009__data_carries_the_blocks),
		T(req_CC_009__repetitions_take_what_fits), T(req_CC_012__duplicate_is_reported_first),
		T(req_TCP_071__every_second_full_segment), T(req_TCP_071__superframe_counts_its_segments),
		T(req_TCP_072__acks_of_a_burst_are_merged_by_pairs),
		T(req_TCP_073__dup_ack_leaves_before_the_next_segment), T(tcp_receive__ack_rides_on_data),
		T(req_HARD_05__memory_pinned_out_of_order_is_capped),
		T(req_TCP_073__what_fills_a_gap_is_acked_at_once),
		T(req_TCP_065__right_edge_never_moves_left), T(req_TCP_064__window_moves_by_a_segment_or_half_the_buffer),
		T(req_TCP_064__half_of_a_small_buffer),
		T(req_TCP_035__zero_window_still_takes_ack_and_rst), T(tcp_receive__zero_copy_peek), T(tcp_receive__peek_leaves_it),
		T(req_TCP_064__no_update_beyond_the_field), T(tcp_receive__bytes_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
