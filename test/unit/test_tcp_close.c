/* Closing: every way out of ESTABLISHED, half-close, simultaneous close, abort, TIME-WAIT, orphans. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, NULL);
	return 0;
}

static enum tcp_state st(void) { return tcp_conn_state(&t.env, c); }
static uint8_t node_kind(void)
{
	ref_t r = th_find(&t, TH_LPORT, TH_RPORT);
	return r ? tcp_node_at(&t.env, r)->timer.kind : 0;
}

static void tcp_close__active(void **state)
{
	assert_int_equal(tcp_user_shutdown_wr(&t.env, c), 0);
	th_flush(&t);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 1, 1, 0);
	assert_int_equal(st(), TCP_FIN_WAIT_1);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	assert_int_equal(st(), TCP_FIN_WAIT_2);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), 0); /* TCP-037: a FIN reads as 0 */
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_HUP, VIA_HUP);
	tcp_user_close(&t.env, c, false);
	th_run(&t, 59 * NS_PER_S);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT); /* TCP-042 */
	th_run(&t, 2 * NS_PER_S);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void tcp_close__fin_and_ack_in_one(void **state)
{
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0); /* acknowledges ours too: straight to TIME-WAIT */
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_finish(&t, c);
}

static void tcp_close__passive(void **state)
{
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1, 2, 0);
	assert_int_equal(st(), TCP_CLOSE_WAIT);
	assert_true(t.events[TH_OWNER] & TCP_EV_PEER_FIN);
	assert_int_equal(tcp_user_ready(&t.env, c), VIA_IN | VIA_OUT | VIA_RDHUP);
	assert_int_equal(tcp_user_send(&t.env, c, "bye", 3, false), 3); /* the other half is open */
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	const struct th_seg *s = th_next(&t); /* data and FIN in one */
	assert_int_equal(s->h.flags, TCP_FIN | TCP_PSH | TCP_ACK);
	assert_int_equal(s->len, 3);
	th_send(&t, &q, TCP_ACK, 2, 5, NULL, 0);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_039__half_close(void **state)
{
	char buf[16];
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, "one", 3); /* in FIN-WAIT-1 */
	th_expect(&t, &q, TCP_ACK, 2, 4, 0);
	th_send(&t, &q, TCP_ACK, 4, 2, NULL, 0);
	assert_int_equal(st(), TCP_FIN_WAIT_2);
	th_send(&t, &q, TCP_ACK, 4, 2, "two", 3); /* in FIN-WAIT-2 */
	th_expect(&t, &q, TCP_ACK, 2, 7, 0);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 16, false), 6);
	assert_memory_equal(buf, "onetwo", 6);
	assert_int_equal(tcp_user_send(&t.env, c, "x", 1, false), -EPIPE);
	th_finish(&t, c);
}

static void req_TCP_040__simultaneous_close(void **state)
{
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0); /* its FIN does not acknowledge ours */
	assert_int_equal(st(), TCP_CLOSING);
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	th_send(&t, &q, TCP_ACK, 2, 2, NULL, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_finish(&t, c);
}

static void req_TCP_041__fin_out_of_order(void **state)
{
	char buf[8];
	th_send(&t, &q, TCP_FIN | TCP_ACK, 4, 1, "def", 3); /* a hole of 3 before it */
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_int_equal(st(), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), -EAGAIN);
	th_send(&t, &q, TCP_ACK, 1, 1, "abc", 3);
	th_expect(&t, &q, TCP_ACK, 1, 8, 0);
	assert_int_equal(st(), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 6);
	assert_memory_equal(buf, "abcdef", 6);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 0);
	th_finish(&t, c);
}

static void req_TCP_041__bare_fin_out_of_order(void **state)
{
	th_send(&t, &q, TCP_FIN | TCP_ACK, 4, 1, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 1, 1, "abc", 3);
	th_expect(&t, &q, TCP_ACK, 1, 5, 0);
	assert_int_equal(st(), TCP_CLOSE_WAIT);
	th_finish(&t, c);
}

static void req_TCP_041__fin_with_data_and_fin_again(void **state)
{
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, "abc", 3);
	th_expect(&t, &q, TCP_ACK, 1, 5, 0);
	assert_int_equal(tcp_user_inq(&t.env, c), 3);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, "abc", 3);
	th_expect(&t, &q, TCP_ACK, 1, 5, 0);
	assert_int_equal(tcp_user_inq(&t.env, c), 3);
	th_finish(&t, c);
}

static void req_TCP_037__reset_is_told_once(void **state)
{
	char buf[8];
	th_send(&t, &q, TCP_ACK, 1, 1, "last", 4);
	th_send(&t, &q, TCP_RST, 5, 0, NULL, 0);
	assert_int_equal(st(), TCP_CLOSED);
	assert_true(t.events[TH_OWNER] & TCP_EV_ERROR);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 4); /* what came before is still read, as on Linux */
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), -ECONNRESET);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 0);
	assert_int_equal(tcp_user_send(&t.env, c, buf, 8, false), -EPIPE);
	th_finish(&t, c);
}

static void req_TCP_036__rst_with_text(void **state)
{
	th_send(&t, &q, TCP_RST | TCP_ACK, 1, 1, "go away", 7);
	assert_int_equal(st(), TCP_CLOSED);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_038__close_with_unread_data_resets(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, "unread", 6);
	th_drain(&t);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_RST | TCP_ACK, 1, 7, 0);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_038__data_after_close_is_reset(void **state)
{
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 1, 2, "late", 4);
	assert_int_equal(th_next(&t)->h.flags & TCP_RST, TCP_RST);
	assert_int_equal(t.drop, DROP_TCP_CLOSED);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void tcp_close__linger0_resets(void **state)
{
	tcp_user_send(&t.env, c, "x", 1, false);
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	th_expect(&t, &q, TCP_RST | TCP_ACK, 1, 1, 0);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void tcp_close__orphan_delivers_what_was_sent(void **state)
{
	static uint8_t data[20000];
	tcp_user_send(&t.env, c, data, sizeof(data), false);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	uint32_t got = 0;
	for (int i = 0; i < 40 && got < sizeof(data); i++) {
		const struct th_seg *s;
		while ((s = th_next(&t)))
			got += s->len;
		th_send(&t, &q, TCP_ACK, 1, 1 + got, NULL, 0);
	}
	assert_int_equal(got, sizeof(data));
	th_send(&t, &q, TCP_ACK, 1, 2 + got, NULL, 0);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2 + got, NULL, 0);
	th_run(&t, 61 * NS_PER_S);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_046__fin_wait_2_without_user_times_out(void **state)
{
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	th_run(&t, 59 * NS_PER_S);
	assert_int_equal(t.n_nodes, 1);
	th_run(&t, 2 * NS_PER_S);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_046__fin_wait_2_with_user_stays(void **state)
{
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	th_run(&t, 600 * NS_PER_S);
	assert_int_equal(st(), TCP_FIN_WAIT_2);
	th_finish(&t, c);
}

static void req_TCP_046__orphan_gives_up_sooner(void **state)
{
	tcp_user_close(&t.env, c, false); /* FIN is never answered */
	th_run(&t, 150 * NS_PER_S);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

/* --- TIME-WAIT --- */

static void to_timewait(bool ts)
{
	if (ts) {
		tcp_user_close(&t.env, c, true);
		th_flush(&t);
		th_drain(&t);
		q.ts = true;
		q.tsval = 1000;
		c = th_connect(&t, &q, NULL, NULL);
	}
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	th_drain(&t);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
}

static void req_TCP_042__fin_again_restarts_2msl(void **state)
{
	to_timewait(false);
	th_run(&t, 50 * NS_PER_S);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	th_run(&t, 50 * NS_PER_S);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_run(&t, 11 * NS_PER_S);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_044__rst_in_time_wait_is_ignored(void **state)
{
	to_timewait(false);
	th_send(&t, &q, TCP_RST, 2, 0, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_TIMEWAIT);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_expect_none(&t);
	th_finish(&t, 0);
}

static void req_TCP_043__new_syn_by_sequence(void **state)
{
	to_timewait(false);
	th_listen(&t, 1, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 2, 0); /* equal to RCV.NXT: not above the last one seen */
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	h = th_hdr(&q, TCP_SYN, 3, 0);
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_SYNRCVD);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_true(seq_lt(q.irs + 2, s->h.seq)); /* its ISS lies above all the old incarnation sent */
	th_unlisten(&t);
	th_finish(&t, 0);
}

static void req_TCP_043__new_syn_by_timestamp(void **state)
{
	to_timewait(true);
	th_listen(&t, 1, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 100000, 0);
	h.tsval = 999; /* older: refused though the sequence number is higher */
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	h = th_hdr(&q, TCP_SYN, (uint32_t)-1000, 0);
	h.tsval = 1001; /* newer: taken though the number is lower */
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(node_kind(), WHEEL_TCP_SYNRCVD);
	th_unlisten(&t);
	th_finish(&t, 0);
}

static void tcp_close__read_after_time_wait(void **state)
{
	char buf[8];
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, "tail", 4);
	assert_int_equal(node_kind(), WHEEL_TCP_TIMEWAIT);
	th_run(&t, 61 * NS_PER_S);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 4); /* the user keeps its bytes */
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 0);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(tcp_close__active), T(tcp_close__fin_and_ack_in_one), T(tcp_close__passive), T(req_TCP_039__half_close),
		T(req_TCP_040__simultaneous_close), T(req_TCP_041__fin_out_of_order), T(req_TCP_041__bare_fin_out_of_order),
		T(req_TCP_041__fin_with_data_and_fin_again), T(req_TCP_037__reset_is_told_once), T(req_TCP_036__rst_with_text),
		T(req_TCP_038__close_with_unread_data_resets), T(req_TCP_038__data_after_close_is_reset), T(tcp_close__linger0_resets),
		T(tcp_close__orphan_delivers_what_was_sent), T(req_TCP_046__fin_wait_2_without_user_times_out),
		T(req_TCP_046__fin_wait_2_with_user_stays), T(req_TCP_046__orphan_gives_up_sooner), T(req_TCP_042__fin_again_restarts_2msl),
		T(req_TCP_044__rst_in_time_wait_is_ignored), T(req_TCP_043__new_syn_by_sequence), T(req_TCP_043__new_syn_by_timestamp),
		T(tcp_close__read_after_time_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
