/* The sender when nothing is lost: segments, Nagle, cork, PSH, windows, probes, the link pushing back, superframes, buffers. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[200000];

static void open_with(const struct tcp_opts *o, uint16_t wnd)
{
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = wnd};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000}, o);
}
static int setup(void **state)
{
	open_with(NULL, 60000);
	return 0;
}
static void put(uint32_t n, bool more)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n, more), n);
	th_flush(&t);
}
static void ack(uint32_t n) { th_send(&t, &q, TCP_ACK, 1, n, NULL, 0); }

static void req_TCP_060__nagle_holds_a_second_small_one(void **state)
{
	put(10, false);
	th_expect(&t, &q, TCP_ACK, 1, 1, 10);
	put(10, false);
	put(10, false);
	th_expect_none(&t); /* a small one is in flight */
	ack(11);
	th_expect(&t, &q, TCP_ACK, 11, 1, 20);
	th_finish(&t, c);
}

static void req_TCP_060__nodelay(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.nodelay = true}, 60000);
	for (uint32_t i = 0; i < 3; i++) {
		put(10, false);
		th_expect(&t, &q, TCP_ACK, 1 + 10 * i, 1, 10);
	}
	th_finish(&t, c);
}

static void tcp_send__small_after_full_ones_goes(void **state)
{
	put(2500, false); /* as Linux (Minshall): no small one is in flight yet */
	th_expect(&t, &q, TCP_ACK, 1, 1, 1000);
	th_expect(&t, &q, TCP_ACK, 1001, 1, 1000);
	th_expect(&t, &q, TCP_ACK, 2001, 1, 500);
	th_finish(&t, c);
}

static void req_TCP_061__push_on_the_last_of_the_queue(void **state)
{
	put(2500, false);
	assert_int_equal(th_next(&t)->h.flags & TCP_PSH, 0);
	assert_int_equal(th_next(&t)->h.flags & TCP_PSH, 0);
	assert_int_equal(th_next(&t)->h.flags & TCP_PSH, TCP_PSH);
	th_finish(&t, c);
}

static void req_TCP_062__full_segments_when_possible(void **state)
{
	for (int i = 0; i < 50; i++) { /* small writes in one burst join */
		assert_int_equal(tcp_user_send(&t.env, c, data, 100, false), 100);
	}
	th_flush(&t);
	for (int i = 0; i < 5; i++)
		assert_int_equal(th_next(&t)->len, 1000);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_061__cork_holds_and_lets_go(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.cork = true}, 60000);
	put(1500, false);
	th_expect(&t, &q, TCP_ACK, 1, 1, 1000);
	ack(1001);
	th_expect_none(&t);
	th_run(&t, 190 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 20 * NS_PER_MS); /* never held for ever */
	th_expect(&t, &q, TCP_ACK, 1001, 1, 500);
	ack(1501);
	put(300, false);
	th_expect_none(&t);
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){0});
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1501, 1, 300);
	th_finish(&t, c);
}

static void tcp_send__msg_more(void **state)
{
	put(10, true);
	th_expect_none(&t);
	put(10, false);
	th_expect(&t, &q, TCP_ACK, 1, 1, 20);
	th_finish(&t, c);
}

/* As Linux: "more follows" holds a short segment until an acknowledgement or 200 ms, and its end is not pushed; both end with the
 * next call, of which the timer is one. */
static void tcp_send__msg_more_holds_for_its_call(void **state)
{
	put(1000, false);
	th_expect(&t, &q, TCP_ACK, 1, 1, 1000);
	put(10, true);
	th_expect_none(&t);
	ack(1001);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1001, 1, 10);
	assert_int_equal(s->h.flags & TCP_PSH, 0);
	ack(1011);
	put(10, true);
	th_run(&t, 190 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 20 * NS_PER_MS);
	s = th_expect(&t, &q, TCP_ACK, 1011, 1, 10);
	assert_int_equal(s->h.flags & TCP_PSH, TCP_PSH);
	th_finish(&t, c);
}

/* TCP_NODELAY set anew lets go what cork or "more follows" hold (tcp(7): "Setting this option forces an explicit flush of pending
 * output, even if TCP_CORK is currently set"), once. */
static void tcp_send__push_overrides_cork_once(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.cork = true, .nodelay = true}, 60000);
	put(40, false);
	th_expect_none(&t);
	tcp_user_push(&t.env, c);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 1, 40);
	ack(41);
	put(40, false);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void tcp_send__fin_flushes_what_is_held(void **state)
{
	put(10, false);
	th_drain(&t);
	put(10, false); /* held by Nagle */
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 11, 1, 10);
	th_finish(&t, c);
}

static void req_TCP_001__large_unscaled_window(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 0xffff);
	th_conn(&t, c)->cwnd = 200000;
	put(100000, false);
	uint32_t sum = 0;
	for (const struct th_seg *s; (s = th_next(&t));)
		sum += s->len;
	assert_int_equal(sum, 65000); /* whole segments into 65535 */
	th_finish(&t, c);
}

static void req_TCP_063__silly_window_is_not_filled(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 5000);
	put(20000, false);
	th_drain(&t);
	q.wnd = 300; /* 300 bytes beyond: less than a segment and than half the largest window */
	ack(5001);
	th_expect_none(&t);
	th_run(&t, 250 * NS_PER_MS); /* the override timer: one RTO */
	th_expect(&t, &q, TCP_ACK, 5001, 1, 300);
	q.wnd = 2600;
	ack(5301);
	th_expect(&t, &q, TCP_ACK, 5301, 1, 1000);
	th_expect(&t, &q, TCP_ACK, 6301, 1, 1000);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_067__zero_window_is_probed(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 2000);
	put(10000, false);
	th_drain(&t);
	q.wnd = 0;
	ack(2001);
	th_expect_none(&t);
	int64_t last = t.env.now, gap = tcp_rto(th_conn(&t, c));
	for (int i = 0; i < 20; i++) { /* TCP-068: answered probes keep it open, 20 > R2 */
		th_run(&t, gap - 5 * NS_PER_MS - (t.env.now - last));
		th_expect_none(&t);
		th_run(&t, 10 * NS_PER_MS);
		const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 2000, 1, 0);
		assert_int_equal(s->why, WHY_PROBE);
		last = s->at;
		th_drain(&t);
		ack(2001);
		gap = MIN(2 * gap, TCP_RTO_MAX_NS);
	}
	q.wnd = 5000;
	ack(2001); /* TCP-070: goes on at once */
	th_expect(&t, &q, TCP_ACK, 2001, 1, 1000);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_finish(&t, c);
}

static void req_TCP_068__unanswered_probes_end(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 2000);
	put(10000, false);
	q.wnd = 0;
	ack(2001);
	th_run(&t, 3000 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	th_finish(&t, c);
}

static void req_TCP_066__peer_shrinks_its_window(void **state)
{
	put(8000, false);
	th_drain(&t);
	q.wnd = 2000;
	ack(1001); /* 7000 in flight, 2000 allowed */
	put(1000, false);
	th_expect_none(&t); /* no new data past the edge */
	th_run(&t, NS_PER_S);
	for (const struct th_seg *s; (s = th_next(&t));) /* old data inside is sent again, none beyond */
		assert_true(s->h.seq + s->len - q.irs <= 3001);
	assert_true(t.n_out > 0);
	th_drain(&t);
	q.wnd = 0; /* shut wholly while data is out: probed, not timed out */
	ack(3001);
	for (int i = 0; i < 30; i++) {
		th_run(&t, 100 * NS_PER_S);
		for (const struct th_seg *s; (s = th_next(&t));)
			assert_int_equal(s->len, 0);
		th_drain(&t);
		ack(3001);
	}
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	q.wnd = 60000;
	ack(3001);
	th_run(&t, 2 * NS_PER_S);
	assert_true(th_next(&t)->len > 0);
	th_finish(&t, c);
}

static void req_TCP_034__old_segment_does_not_move_the_window(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	q.wnd = 500;
	th_send(&t, &q, TCP_ACK, 1001, 1, data, 10); /* newest */
	assert_int_equal(th_conn(&t, c)->snd_wnd, 500);
	q.wnd = 9000;
	th_send(&t, &q, TCP_ACK, 501, 1, data, 600); /* WL1 is later than this one */
	assert_int_equal(th_conn(&t, c)->snd_wnd, 500);
	q.wnd = 8000;
	th_send(&t, &q, TCP_ACK, 1101, 1, NULL, 0);
	assert_int_equal(th_conn(&t, c)->snd_wnd, 8000);
	th_finish(&t, c);
}

/* --- the link --- */

static void tcp_send__superframes(void **state)
{
	th_conn(&t, c)->cwnd = 100000;
	put(30500, false);
	assert_int_equal(t.out[0].gso_segs, 31);
	assert_int_equal(t.n_out, 31);
	for (int i = 0; i < 31; i++)
		assert_memory_equal(t.out[i].data, data + 1000 * i, t.out[i].len);
	th_finish(&t, c);
}

static void tcp_send__no_room_holds_until_told(void **state)
{
	t.room = 0;
	assert_int_equal(tcp_user_send(&t.env, c, data, 5000, false), 5000);
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 0);
	assert_false(tcp_is_dirty(&t.env));
	t.room = 1;
	tcp_tx_room(&t.env, 3); /* another interface */
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 0);
	assert_false(tcp_is_dirty(&t.env));
	tcp_tx_room(&t.env, 2);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 1, 1000); /* any room is room for one segment */
	th_expect_none(&t);
	t.room = UINT32_MAX;
	tcp_tx_room(&t.env, 2);
	th_flush(&t);
	assert_int_equal(t.n_out, 4);
	th_finish(&t, c);
}

static void tcp_send__two_bursts_below_at_most(void **state)
{
	th_path(&t)->p.gso_max = 5040;
	th_conn(&t, c)->cwnd = 100000;
	t.hold = true;
	assert_int_equal(tcp_user_send(&t.env, c, data, 50000, false), 50000);
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 2); /* superframes of 5 segments */
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 2);
	struct pkt *p = pktq_pop(t.env.mem, &t.txq);
	th_record(&t, p); /* the driver takes one */
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 2);
	t.hold = false;
	th_finish(&t, c);
}

static void tcp_send__what_is_queued_below_is_not_repeated(void **state)
{
	t.hold = true;
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), 1000);
	tcp_flush(&t.env);
	assert_int_equal(t.txq.n, 1);
	th_run(&t, 60 * NS_PER_S);
	assert_int_equal(t.txq.n, 1);
	t.hold = false;
	th_flush(&t); /* taken now: the timer begins now */
	th_drain(&t);
	th_run(&t, 150 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 100 * NS_PER_MS);
	assert_int_equal(th_next(&t)->why, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static void tcp_send__closed_while_packets_wait_below(void **state)
{
	t.hold = true;
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), 1000);
	tcp_flush(&t.env);
	tcp_user_close(&t.env, c, true);
	assert_int_equal(t.n_nodes, 0);
	assert_true(arena_bytes_used(t.arena) > t.baseline); /* waits for its packets, so that their owner is never stale */
	t.hold = false;
	th_flush(&t);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

/* --- the buffer --- */

/* Linux 6.18, SO_SNDBUF 21000 (42000 as told), peer's window 50000: a write of 61000 takes 60000, the last segment it makes going over
 * the limit; 30000 left are too many to write again, 24000 are not. */
static void tcp_send__buffer_full_and_writable_again(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.sndbuf = 42000}, 50000);
	assert_int_equal(tcp_user_send(&t.env, c, data, 61000, false), 60000);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1, false), -EAGAIN);
	th_flush(&t);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	t.events[TH_OWNER] = 0;
	th_conn(&t, c)->cwnd = 40000;
	ack(10001);
	ack(30001);
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_WRITABLE, 0);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	ack(36001);
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_WRITABLE, TCP_EV_WRITABLE);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, VIA_OUT);
	assert_int_equal(tcp_user_outq(&t.env, c), 24000);
	th_finish(&t, c);
}

static void tcp_send__reserve_and_commit(void **state)
{
	struct via_iov iov[4];
	int n = tcp_user_send_reserve(&t.env, c, iov, 4, 5000);
	assert_true(n > 0);
	uint32_t done = 0;
	for (int i = 0; i < n && done < 1500; i++) {
		uint32_t k = MIN(iov[i].len, 1500 - done);
		memcpy(iov[i].base, data + done, k);
		done += k;
	}
	assert_int_equal(done, 1500);
	assert_int_equal(tcp_user_send_commit(&t.env, c, 1500), 0);
	th_flush(&t);
	assert_memory_equal(t.out[0].data, data, 1000);
	assert_memory_equal(t.out[1].data, data + 1000, 500);
	th_finish(&t, c);
}

static int returned;
static void on_done(void *ctx, uint64_t token)
{
	assert_int_equal(token, 77);
	returned++;
}
static void tcp_send__lend_comes_back_when_acknowledged(void **state)
{
	returned = 0;
	assert_int_equal(tcp_user_send_lend(&t.env, c, data, 3000, on_done, NULL, 77), 3000);
	th_flush(&t);
	assert_memory_equal(t.out[2].data, data + 2000, 1000);
	assert_int_equal(returned, 0);
	ack(3001);
	assert_int_equal(returned, 1);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TCP_060__nagle_holds_a_second_small_one), T(req_TCP_060__nodelay), T(tcp_send__small_after_full_ones_goes),
		T(req_TCP_061__push_on_the_last_of_the_queue), T(req_TCP_062__full_segments_when_possible), T(req_TCP_061__cork_holds_and_lets_go),
		T(tcp_send__msg_more), T(tcp_send__msg_more_holds_for_its_call), T(tcp_send__push_overrides_cork_once),
		T(tcp_send__fin_flushes_what_is_held), T(req_TCP_001__large_unscaled_window),
		T(req_TCP_063__silly_window_is_not_filled), T(req_TCP_067__zero_window_is_probed), T(req_TCP_068__unanswered_probes_end),
		T(req_TCP_066__peer_shrinks_its_window), T(req_TCP_034__old_segment_does_not_move_the_window), T(tcp_send__superframes),
		T(tcp_send__no_room_holds_until_told), T(tcp_send__two_bursts_below_at_most), T(tcp_send__what_is_queued_below_is_not_repeated),
		T(tcp_send__closed_while_packets_wait_below), T(tcp_send__buffer_full_and_writable_again), T(tcp_send__reserve_and_commit),
		T(tcp_send__lend_comes_back_when_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
