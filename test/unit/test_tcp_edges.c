/* Rare corners of one connection: memory that is out for a while, answers without end, give-ups that did not come or came too soon,
 * loss recovery where the usual counts say too little. Expectations are the RFC's or Linux's, as each case says. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#define MSS 1000u

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[100000];

static void open_with(bool sack, bool ts, const struct tcp_opts *o)
{
	th_arena_bytes = 20 * ARENA_PAGE_SIZE;
	th_home_bytes = 1 << 20;
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = ts, .tsval = 2000};
	struct tcp_hdr opts = {.has_mss = true, .mss = (uint16_t)(MSS + (ts ? 12 : 0)), .sack_permitted = sack};
	c = th_connect(&t, &q, &opts, o);
}
static int setup(void **state)
{
	open_with(true, false, NULL);
	return 0;
}
static int setup_reno(void **state)
{
	open_with(false, false, &(struct tcp_opts){.nodelay = true});
	return 0;
}
static int setup_ts(void **state)
{
	open_with(true, true, NULL);
	return 0;
}
static struct tcp_conn *k(void) { return th_conn(&t, c); }
static void put(uint32_t n)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n, false), n);
	th_flush(&t);
}
static void sack(uint32_t seg, uint32_t from, uint32_t to)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1 + seg * MSS);
	h.n_sack = 1;
	h.sack[0] = (struct iv){q.irs + 1 + from * MSS, q.irs + 1 + to * MSS};
	th_inject(&t, &h, NULL, 0);
}

/* --- memory --- */

static blk_t blks[1024];
static unsigned n_blks;
static void hoard_blocks(void)
{
	while ((blks[n_blks] = blk_new(t.env.mem)))
		n_blks++;
}
static void free_blocks(unsigned leave)
{
	while (n_blks > leave)
		blk_drop(t.env.mem, blks[--n_blks]);
}

/* HARD-09: a user that acts on events is told to wait, is not told to write, and is told when it can. */
static void req_HARD_09__a_starved_writer_waits_and_is_woken(void **state)
{
	struct via_iov iov;
	hoard_blocks();
	assert_int_equal(tcp_user_send(&t.env, c, data, 100, false), -EAGAIN);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	assert_int_equal(tcp_user_send_reserve(&t.env, c, &iov, 1, 100), -EAGAIN);
	t.events[TH_OWNER] = 0;
	th_run(&t, NS_PER_S);
	assert_int_equal(t.events[TH_OWNER], 0); /* asked often, woken never */
	free_blocks(0);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0); /* nothing is known yet */
	th_run(&t, 20 * NS_PER_MS);
	assert_int_equal(t.events[TH_OWNER], TCP_EV_WRITABLE);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, VIA_OUT);
	put(100);
	th_expect(&t, &q, TCP_ACK, 1, 1, 100);
	th_finish(&t, c);
}

/* A short write means "full" to whoever waits for an edge next (epoll(7)): an edge must come. */
static void req_HARD_09__so_is_one_that_wrote_a_part(void **state)
{
	hoard_blocks();
	free_blocks(n_blks * 6 / 8 - 1); /* one block below the share of send buffers */
	int64_t n = tcp_user_send(&t.env, c, data, 10000, false);
	assert_in_range(n, 1, 9999);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	free_blocks(0);
	t.events[TH_OWNER] = 0;
	th_run(&t, 20 * NS_PER_MS);
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_WRITABLE, TCP_EV_WRITABLE);
	th_finish(&t, c);
}

/* Memory is out and the user asked for more than the buffer holds besides: "wait" is all it is told, or it would come at once again. */
static void req_HARD_09__a_starved_writer_of_much_waits_too(void **state)
{
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.sndbuf = 8192});
	th_flush(&t);
	hoard_blocks();
	t.events[TH_OWNER] = 0;
	assert_int_equal(tcp_user_send(&t.env, c, data, 50000, false), -EAGAIN);
	th_run(&t, NS_PER_S);
	assert_int_equal(t.events[TH_OWNER], 0);
	free_blocks(0);
	th_run(&t, 20 * NS_PER_MS);
	assert_int_equal(t.events[TH_OWNER], TCP_EV_WRITABLE);
	th_finish(&t, c);
}

static void tcp_edges__starved_and_closed(void **state)
{
	hoard_blocks();
	assert_int_equal(tcp_user_send(&t.env, c, data, 100, false), -EAGAIN);
	tcp_user_close(&t.env, c, false);
	th_run(&t, NS_PER_S);
	free_blocks(0);
	th_send(&t, &q, TCP_RST | TCP_ACK, 1, 2, NULL, 0);
	th_finish(&t, 0);
}

/* --- out-of-window ACKs: two ends that both think the other is wrong must not answer each other for ever (RFC 5961 §7; Linux
 * answers once in 500 ms, tcp_invalid_ratelimit). Text is answered each time. --- */

static uint32_t answers(uint32_t seq, const char *text, uint32_t len)
{
	th_drain(&t);
	for (int i = 0; i < 10; i++)
		th_send(&t, &q, TCP_ACK, seq, 1, text, len);
	uint32_t n = (uint32_t)t.n_out;
	th_drain(&t);
	return n;
}

static void tcp_edges__time_wait_answers_twice_a_second(void **state)
{
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	assert_int_equal(tcp_node_at(&t.env, t.nodes[0])->timer.kind, WHEEL_TCP_TIMEWAIT);
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 1);
	th_run(&t, 450 * NS_PER_MS);
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 0);
	th_run(&t, 60 * NS_PER_MS);
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 1);
	assert_int_equal(answers((uint32_t)-500, "x", 1), 10);
	th_finish(&t, 0);
}

static void tcp_edges__a_half_open_entry_too(void **state)
{
	tcp_user_close(&t.env, c, true);
	th_run(&t, NS_PER_S);
	th_listen(&t, 4, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	th_drain(&t);
	th_inject(&t, &h, NULL, 0);
	q.irs = th_next(&t)->h.seq;
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 1);
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 0);
	th_run(&t, 510 * NS_PER_MS);
	assert_int_equal(answers((uint32_t)-500, NULL, 0), 1);
	th_unlisten(&t);
	th_finish(&t, 0);
}

static void tcp_edges__old_syns_have_a_budget_too(void **state)
{
	for (int i = 0; i < 100; i++)
		th_send(&t, &q, TCP_SYN, (uint32_t)-500, 0, NULL, 0);
	assert_in_range(t.n_out, 1, 12); /* RFC 5961 §4.2, §7 */
	th_finish(&t, c);
}

/* --- giving up --- */

/* RFC 5482 counts from the data, not from what the interface did with it. */
static void tcp_edges__user_timeout_though_nothing_left_the_queue(void **state)
{
	th_finish(&t, c);
	open_with(true, false, &(struct tcp_opts){.user_timeout_ms = 5000});
	t.hold = true;
	put(500);
	th_run(&t, 4900 * NS_PER_MS);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_run(&t, 2 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	t.hold = false;
	th_finish(&t, c);
}

static void tcp_edges__r2_though_nothing_left_the_queue(void **state)
{
	t.hold = true;
	put(500);
	th_run(&t, 100 * NS_PER_S); /* RFC 9293 §3.8.3: R2 is at least 100 s */
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_run(&t, 900 * NS_PER_S); /* Linux: 924.6 s */
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	t.hold = false;
	th_finish(&t, c);
}

/* What was never asked was never left unanswered. */
static void tcp_edges__no_probe_sent_is_no_try(void **state)
{
	struct pkt *hoard = NULL;
	assert_int_equal(tcp_user_send(&t.env, c, data, 500, false), 500);
	for (struct pkt *p; (p = pkt_new(t.env.mem, 0)); hoard = p)
		p->next = hoard ? pkt_ref(t.env.mem, hoard) : 0;
	th_run(&t, 4000 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	while (hoard) {
		struct pkt *p = hoard;
		hoard = p->next ? pkt_at(t.env.mem, p->next) : NULL;
		pkt_free(t.env.mem, p);
	}
	th_run(&t, 2 * NS_PER_S); /* and it did not back off for what was its own trouble */
	assert_true(t.n_out > 0);
	assert_int_equal(t.out[0].len, 500);
	th_finish(&t, c);
}

/* --- recovery --- */

/* No room to split a lost range: the piece sent again is not sent once more with each flush, and the next piece follows it. */
static void tcp_edges__a_piece_of_a_lost_range_goes_once(void **state)
{
	static ref_t loot[64];
	ref_t bufs = 0; /* a chain */
	unsigned n = 0;
	k()->cwnd = 100 * MSS;
	for (int i = 0; i < TCP_RANGES_INLINE; i++)
		put(5 * MSS);
	while ((loot[n] = arena_pages_take(t.arena, 1)))
		n++;
	for (ref_t r; (r = arena_buf_take(t.arena, 16 * sizeof(struct tcp_range))); ) /* the rest of pages that are in use */
		*(ref_t *)arena_at(t.arena, r) = bufs, bufs = r;
	sack(0, 5, 10); /* four ranges stay: every second one SACKed */
	sack(0, 15, 20);
	th_drain(&t);
	th_run(&t, 250 * NS_PER_MS); /* the time-out: a window of one segment */
	th_drain(&t);
	th_run(&t, 500 * NS_PER_MS);
	assert_true(t.n_out >= 1);
	th_expect(&t, &q, TCP_ACK, 1, 1, MSS);
	th_expect_none(&t);
	for (int i = 0; i < 5; i++) {
		tcp_conn_mark_dirty(&t.env, k());
		th_flush(&t);
	}
	th_expect_none(&t);
	th_send(&t, &q, TCP_ACK, 1, 1 + MSS, NULL, 0);
	assert_true(t.n_out > 0);
	assert_int_equal(t.out[0].h.seq - q.irs, 1 + MSS);
	for (ref_t r; (r = bufs); arena_buf_give(t.arena, r, 16 * sizeof(struct tcp_range)))
		bufs = *(ref_t *)arena_at(t.arena, r);
	while (n)
		arena_pages_give(t.arena, loot[--n], 1);
	th_finish(&t, c);
}

/* RFC 5681 §3.2 counts duplicate ACKs, whatever the size of the segments. */
static void req_CC_006__three_duplicates_of_small_segments(void **state)
{
	k()->cwnd = 20 * MSS;
	for (int i = 0; i < 8; i++)
		put(100);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_expect_none(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 100)->why, WHY_RETRANS_FAST);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* CC-008 all the same: no more duplicates count than segments were out. */
static void req_CC_008__two_segments_give_no_three_duplicates(void **state)
{
	put(100);
	put(100);
	th_drain(&t);
	for (int i = 0; i < 10; i++)
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* RFC 8961 §4: after a time-out too, a repetition that is lost reduces the window; once for a window of data. */
static void req_CC_020__a_repetition_lost_after_a_time_out(void **state)
{
	k()->cwnd = 10 * MSS;
	put(10 * MSS);
	th_run(&t, 250 * NS_PER_MS);
	sack(0, 1, 10); /* all but the first had only been late */
	k()->cwnd = 7 * MSS;
	put(6 * MSS);
	th_drain(&t);
	uint32_t before = k()->ssthresh;
	sack(0, 1, 14); /* what left after the repetition has arrived */
	th_expect(&t, &q, TCP_ACK, 1, 1, MSS);
	assert_true(k()->ssthresh < before);
	assert_true(k()->cwnd < 7 * MSS);
	before = k()->ssthresh;
	sack(0, 1, 15);
	sack(0, 1, 16);
	assert_int_equal(k()->ssthresh, before);
	th_finish(&t, c);
}

/* --- receiving --- */

/* RFC 9293 §3.8.6.3 MUST-40: an ACK for at least every second full segment; a path or peer may come to send smaller ones. */
static void req_TCP_071__MUST_40_after_the_peers_segments_became_smaller(void **state)
{
	uint32_t seq = 1;
	k()->quick = 0;
	for (int i = 0; i < 4; i++, seq += 1400)
		th_send(&t, &q, TCP_ACK, seq, 1, data, 1400);
	for (int i = 0; i < 4; i++, seq += 500)
		th_send(&t, &q, TCP_ACK, seq, 1, data, 500);
	for (int i = 0; i < 10; i++) {
		th_drain(&t);
		th_send(&t, &q, TCP_ACK, seq, 1, data, 500);
		th_send(&t, &q, TCP_ACK, seq + 500, 1, data, 500);
		assert_true(t.n_out >= 1);
		seq += 1000;
	}
	th_finish(&t, c);
}

/* Small writes of the peer are no full segments. */
static void tcp_edges__pushed_small_segments_are_not_full(void **state)
{
	uint32_t seq = 1;
	k()->quick = 0;
	for (int i = 0; i < 4; i++, seq += 1400)
		th_send(&t, &q, TCP_ACK, seq, 1, data, 1400);
	th_run(&t, NS_PER_S);
	th_drain(&t);
	for (int i = 0; i < 10; i++, seq += 100)
		th_send(&t, &q, TCP_ACK | TCP_PSH, seq, 1, data, 100);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* As Linux (tcp_disordered_ack()): an overtaken duplicate ACK is let through, since it can do no harm and may carry SACK. */
static void tcp_edges__paws_and_an_overtaken_ack(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, "a", 1);
	th_send(&t, &q, TCP_ACK, 2, 1, NULL, 0); /* SND.WL1 is here now: what follows cannot be newer than it */
	put(500);
	th_drain(&t);
	q.tsval = 1999;
	th_send(&t, &q, TCP_ACK, 2, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_NONE);
	th_expect_none(&t);
	q.wnd = 60001; /* moves the window */
	th_send(&t, &q, TCP_ACK, 2, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	q.wnd = 60000;
	th_send(&t, &q, TCP_ACK, 2, 501, NULL, 0); /* acknowledges */
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	th_send(&t, &q, TCP_ACK, 2, 1, "b", 1); /* has text */
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	q.tsval = 2000 - 1300; /* older than an RTO */
	th_send(&t, &q, TCP_ACK, 2, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	th_finish(&t, c);
}

/* --- held by the link --- */

#define CONNS 20
static int room_calls;
static uint32_t counting_room(void *ctx, ref_t path)
{
	room_calls++;
	return ((struct th *)ctx)->room;
}

/* Room for one is told to one, and everyone has a turn before anyone has two. */
static void tcp_edges__room_wakes_as_many_as_it_allows(void **state)
{
	struct tcp_ops ops = th_ops;
	ref_t v[CONNS];
	bool seen[CONNS] = {0};

	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1);
	ops.tx_room = counting_room;
	t.env.ops = &ops;
	q = (struct peer){.iss = 5000, .wnd = 60000};
	for (int i = 0; i < CONNS; i++) {
		th_op_path_hold(&t, t.path);
		assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, (uint16_t)(TH_RPORT + i), NULL, (ref_t)(10 + i), &v[i]), 0);
		th_flush(&t);
		q.irs = th_next(&t)->h.seq;
		struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
		h.sport = (uint16_t)(TH_RPORT + i);
		h.has_mss = true;
		h.mss = MSS;
		th_inject(&t, &h, NULL, 0);
		th_drain(&t);
	}
	t.room = 0;
	for (int i = 0; i < CONNS; i++)
		assert_int_equal(tcp_user_send(&t.env, v[i], data, 5 * MSS, false), 5 * MSS);
	th_flush(&t);
	th_expect_none(&t);
	for (int i = 0; i < CONNS; i++) {
		room_calls = 0;
		t.room = MSS;
		tcp_tx_room(&t.env, 2);
		th_flush(&t);
		assert_in_range(room_calls, 1, 6);
		assert_int_equal(t.n_out, 1);
		int who = t.out[0].h.dport - TH_RPORT;
		assert_false(seen[who]);
		seen[who] = true;
		th_drain(&t);
	}
	t.room = UINT32_MAX;
	tcp_tx_room(&t.env, 2);
	th_flush(&t);
	assert_int_equal(t.n_out, CONNS * 4); /* and all, when there is room for all */
	for (int i = 0; i < CONNS; i++)
		tcp_user_close(&t.env, v[i], true);
	th_finish(&t, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
#define R(f) cmocka_unit_test_setup(f, setup_reno)
	const struct CMUnitTest tests[] = {
		T(req_HARD_09__a_starved_writer_waits_and_is_woken), T(req_HARD_09__so_is_one_that_wrote_a_part),
		T(req_HARD_09__a_starved_writer_of_much_waits_too),
		T(tcp_edges__starved_and_closed), T(tcp_edges__time_wait_answers_twice_a_second), T(tcp_edges__a_half_open_entry_too),
		T(tcp_edges__old_syns_have_a_budget_too),
		T(tcp_edges__user_timeout_though_nothing_left_the_queue), T(tcp_edges__r2_though_nothing_left_the_queue),
		T(tcp_edges__no_probe_sent_is_no_try), T(tcp_edges__a_piece_of_a_lost_range_goes_once),
		R(req_CC_006__three_duplicates_of_small_segments), R(req_CC_008__two_segments_give_no_three_duplicates),
		T(req_CC_020__a_repetition_lost_after_a_time_out), T(req_TCP_071__MUST_40_after_the_peers_segments_became_smaller),
		T(tcp_edges__pushed_small_segments_are_not_full), cmocka_unit_test_setup(tcp_edges__paws_and_an_overtaken_ack, setup_ts),
		T(tcp_edges__room_wakes_as_many_as_it_allows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
