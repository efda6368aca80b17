/* A listener: the handshake, the small struct, queues and their limits, what a bad segment meets. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	return 0;
}

/* SYN of the peer; our SYN-ACK is taken off the record. */
static const struct th_seg *syn(void)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.has_mss = true;
	h.mss = 1460;
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.ack, q.iss + 1);
	q.irs = s->h.seq;
	return s;
}

static void done(ref_t c)
{
	th_unlisten(&t);
	th_finish(&t, c);
}

static void tcp_listen__handshake(void **state)
{
	th_listen(&t, 4, NULL);
	const struct th_seg *s = syn();
	assert_false(s->h.has_ts || s->h.has_ws || s->h.sack_permitted); /* offered only if the peer did */
	assert_true(s->h.has_mss);
	assert_int_equal(tcp_user_accept(&t.env, t.listener, TH_OWNER), 0);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_true(t.events[TH_LISTEN_OWNER] & TCP_EV_LISTEN);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_ready(&t.env, c), VIA_OUT);
	th_expect_none(&t);
	done(c);
}

static void tcp_listen__options_echo_what_was_offered(void **state)
{
	th_listen(&t, 4, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.has_ts = true;
	h.tsval = 4242;
	h.has_ws = true;
	h.ws = 3;
	h.sack_permitted = true;
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_true(s->h.has_ts && s->h.has_ws && s->h.sack_permitted);
	assert_int_equal(s->h.tsecr, 4242);
	q.irs = s->h.seq;
	q.ts = true;
	q.tsval = 4243;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(th_conn(&t, c)->snd_wnd, 60000 << 3);
	assert_int_equal(th_conn(&t, c)->mss, 536 - 12);
	done(c);
}

static void tcp_listen__data_and_fin_on_the_third_ack(void **state)
{
	char buf[8];
	th_listen(&t, 4, NULL);
	syn();
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, "GET", 3);
	th_expect(&t, &q, TCP_ACK, 1, 5, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 3);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 0);
	done(c);
}

static void req_TCP_028__listen_table(void **state)
{
	th_listen(&t, 4, NULL);
	th_send(&t, &q, TCP_RST, 0, 0, NULL, 0);
	th_send(&t, &q, TCP_RST | TCP_ACK, 0, 9, NULL, 0);
	th_expect_none(&t);
	th_send(&t, &q, TCP_ACK, 0, 9, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, 9);
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 7, NULL, 0);
	assert_int_equal(th_next(&t)->h.flags, TCP_RST);
	th_send(&t, &q, TCP_FIN, 0, 0, NULL, 0);
	th_send(&t, &q, TCP_PSH, 0, 0, "x", 1);
	th_send(&t, &q, 0, 0, 0, NULL, 0);
	th_expect_none(&t);
	assert_int_equal(t.n_nodes, 0);
	done(0);
}

static void tcp_listen__syn_again_gets_syn_ack_again(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	th_run(&t, 900 * NS_PER_MS);
	uint32_t irs = q.irs;
	syn();
	assert_int_equal(q.irs, irs);
	assert_int_equal(t.n_nodes, 1);
	done(0);
}

/* The answer to a repeated SYN says so, and the entry's own timer starts anew: not two SYN-ACKs in a row (as Linux). */
static void tcp_listen__syn_again_restarts_the_timer(void **state)
{
	th_listen(&t, 4, NULL);
	assert_int_equal(syn()->why, WHY_SYN_ACK);
	th_run(&t, 900 * NS_PER_MS);
	assert_int_equal(syn()->why, WHY_SYN_ACK_AGAIN);
	th_run(&t, 980 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 40 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->why, WHY_SYN_RETRANS);
	done(0);
}

/* Karn: whichever SYN-ACK the third ACK answers, no round trip is known. */
static void tcp_listen__no_rtt_sample_after_a_repeated_syn(void **state)
{
	for (int again = 0; again < 2; again++) {
		th_listen(&t, 4, NULL);
		syn();
		th_run(&t, 900 * NS_PER_MS);
		if (again)
			syn();
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_equal(th_conn(&t, c)->srtt_us != 0, !again);
		done(c);
		setup(state);
	}
	th_fini(&t);
}

static void tcp_listen__syn_ack_is_repeated_then_forgotten(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	int n = 0;
	for (int i = 0; i < 100; i++) {
		th_run(&t, NS_PER_S);
		while (th_next(&t))
			n++;
	}
	assert_int_equal(n, TCP_RETRIES_SYNACK);
	assert_int_equal(t.n_nodes, 0);
	done(0);
}

static void req_TCP_023__rst_returns_to_listen(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	th_send(&t, &q, TCP_RST, 5, 0, NULL, 0); /* in the window, not exact: challenged (RFC 5961) */
	assert_int_equal(th_next(&t)->h.flags, TCP_ACK);
	assert_int_equal(t.n_nodes, 1);
	th_send(&t, &q, TCP_RST, 1, 0, NULL, 0);
	assert_int_equal(t.n_nodes, 0);
	assert_int_equal(t.events[TH_LISTEN_OWNER], 0);
	th_expect_none(&t);
	syn(); /* listens on */
	done(0);
}

static void tcp_listen__bad_third_ack_is_reset(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq - q.irs, 2);
	assert_int_equal(t.n_nodes, 1);
	th_send(&t, &q, 0, 1, 0, NULL, 0); /* no ACK */
	assert_int_equal(t.drop, DROP_TCP_NO_ACK);
	done(0);
}

static void tcp_listen__accept_queue_full(void **state)
{
	ref_t c;
	th_listen(&t, 0, NULL); /* one connection */
	syn();
	struct peer second = q;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	struct tcp_hdr h = th_hdr(&second, TCP_SYN, 0, 0);
	h.sport = TH_RPORT + 1;
	th_inject(&t, &h, NULL, 0); /* full: the SYN is dropped */
	assert_int_equal(t.drop, DROP_TCP_ACCEPT_QUEUE);
	th_expect_none(&t);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	done(c);
}

static void tcp_listen__third_ack_with_full_queue_stays(void **state)
{
	struct peer p[2];
	th_listen(&t, 0, NULL);
	for (int i = 0; i < 2; i++) { /* two half open, then two third ACKs */
		p[i] = (struct peer){.iss = 5000, .wnd = 60000};
		struct tcp_hdr h = th_hdr(&p[i], TCP_SYN, 0, 0);
		h.sport = (uint16_t)(TH_RPORT + i);
		th_inject(&t, &h, NULL, 0);
		p[i].irs = th_next(&t)->h.seq;
	}
	for (int i = 0; i < 2; i++) {
		struct tcp_hdr h = th_hdr(&p[i], TCP_ACK, 1, 1);
		h.sport = (uint16_t)(TH_RPORT + i);
		th_inject(&t, &h, NULL, 0);
	}
	assert_int_equal(t.drop, DROP_TCP_ACCEPT_QUEUE);
	assert_int_equal(t.n_nodes, 2);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	th_run(&t, 1100 * NS_PER_MS); /* SYN-ACK again, the peer's ACK again: now there is room */
	th_drain(&t);
	struct tcp_hdr h = th_hdr(&p[1], TCP_ACK, 1, 1);
	h.sport = TH_RPORT + 1;
	th_inject(&t, &h, NULL, 0);
	ref_t c2 = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c2, 0);
	tcp_user_close(&t.env, c2, true);
	done(c);
}

static void tcp_listen__unlisten_resets_the_queued(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_unlisten(&t);
	th_expect(&t, &q, TCP_RST | TCP_ACK, 1, 1, 0);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void tcp_listen__reset_while_queued_is_accepted_as_reset(void **state)
{
	th_listen(&t, 4, NULL);
	syn();
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_send(&t, &q, TCP_RST, 1, 0, NULL, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c, 0);
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), -ECONNRESET);
	done(c);
}

static void req_TCP_026__broadcast_and_multicast_syn(void **state)
{
	th_listen(&t, 4, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	struct pkt *p = th_make(&t, &h, NULL, 0);
	p->m.ether_mcast = 1;
	th_deliver(&t, p);
	th_flush(&t);
	th_path(&t)->p.local = via_addr_v4(0xe0000001);
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_LISTEN);
	th_expect_none(&t);
	assert_int_equal(t.n_nodes, 0);
	done(0);
}

static void tcp_listen__children_inherit_options(void **state)
{
	th_listen(&t, 4, &(struct tcp_opts){.nodelay = true, .rcvbuf = 10000, .mss_clamp = 700, .keepalive = true, .keep_idle_s = 5});
	const struct th_seg *s = syn();
	assert_int_equal(s->h.mss, 700);
	assert_int_equal(s->h.wnd, 10000);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_true(th_conn(&t, c)->nodelay);
	assert_int_equal(th_conn(&t, c)->mss, 700);
	th_run(&t, 5100 * NS_PER_MS);
	assert_int_equal(th_next(&t)->why, WHY_KEEPALIVE);
	done(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(tcp_listen__handshake), T(tcp_listen__options_echo_what_was_offered), T(tcp_listen__data_and_fin_on_the_third_ack),
		T(req_TCP_028__listen_table), T(tcp_listen__syn_again_gets_syn_ack_again), T(tcp_listen__syn_again_restarts_the_timer),
		T(tcp_listen__no_rtt_sample_after_a_repeated_syn), T(tcp_listen__syn_ack_is_repeated_then_forgotten),
		T(req_TCP_023__rst_returns_to_listen), T(tcp_listen__bad_third_ack_is_reset), T(tcp_listen__accept_queue_full),
		T(tcp_listen__third_ack_with_full_queue_stays), T(tcp_listen__unlisten_resets_the_queued),
		T(tcp_listen__reset_while_queued_is_accepted_as_reset), T(req_TCP_026__broadcast_and_multicast_syn),
		T(tcp_listen__children_inherit_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
