/* A listener under a SYN flood: caps, cookies, what they keep, what forging gets; TCP_DEFER_ACCEPT, which also lives there. */
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

static void done(ref_t c)
{
	th_unlisten(&t);
	th_finish(&t, c);
}

/* n SYNs of others, whose answers nobody looks at. */
static int n_flood;
static void flood(int n)
{
	for (int i = 0; i < n; i++) {
		struct tcp_hdr h = {.sport = (uint16_t)(10000 + n_flood++), .dport = TH_LPORT, .flags = TCP_SYN, .seq = (uint32_t)i, .wnd = 1000};
		th_inject(&t, &h, NULL, 0);
		assert_int_equal(t.drop, DROP_NONE);
		th_drain(&t);
	}
}

static struct tcp_hdr syn_of(uint16_t mss)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.has_mss = mss != 0;
	h.mss = mss;
	return h;
}

/* The SYN-ACK that answers h: a cookie. */
static const struct th_seg *cookie_for(const struct tcp_hdr *h)
{
	int nodes = t.n_nodes;
	th_inject(&t, h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags & ~TCP_ECE, TCP_SYN | TCP_ACK);
	assert_int_equal(s->why, WHY_SYN_COOKIE);
	assert_int_equal(s->h.ack, q.iss + 1);
	assert_int_equal(t.n_nodes, nodes); /* nothing is kept */
	th_expect_none(&t);
	q.irs = s->h.seq;
	q.tsecr = s->h.tsval;
	return s;
}

static void always(void) { tcp_settings_of(&t.env)->syncookies = 2; }

static void req_TX_012__entries_are_capped_small_and_time_out(void **state)
{
	th_listen(&t, 1, NULL);
	size_t before = arena_bytes_used(t.arena);
	flood(128);
	assert_int_equal(t.n_nodes, 128);
	/* a page for the pool, not a connection each */
	assert_true(arena_bytes_used(t.arena) - before <= 128 * 128 + ARENA_PAGE_SIZE);
	flood(100); /* beyond the cap: answered, but nothing is kept */
	assert_int_equal(t.n_nodes, 128);
	for (int i = 0; i < 65; i++, th_drain(&t)) { /* 63 s: five repetitions go unanswered */
		assert_int_equal(t.n_nodes, i < 64 ? 128 : 0);
		th_run(&t, NS_PER_S);
	}
	assert_int_equal(t.n_nodes, 0);
	done(0);
}

static void tcp_listen__cookies_off(void **state)
{
	tcp_settings_of(&t.env)->syncookies = 0;
	th_listen(&t, 1, NULL);
	flood(128);
	struct tcp_hdr h = syn_of(1460);
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_SYN_QUEUE);
	th_expect_none(&t);
	done(0);
}

static void req_TX_011__a_client_gets_through_a_full_queue(void **state)
{
	char buf[8];
	th_listen(&t, 1, NULL);
	flood(128);
	struct tcp_hdr h = syn_of(1460);
	const struct th_seg *s = cookie_for(&h);
	assert_true(s->h.has_mss);
	assert_false(s->h.has_ts || s->h.has_ws || s->h.sack_permitted);
	th_send(&t, &q, TCP_ACK, 1, 1, "GET", 3);
	th_expect(&t, &q, TCP_ACK, 1, 4, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 3);
	assert_int_equal(th_conn(&t, c)->mss, 1460);
	assert_int_equal(th_conn(&t, c)->snd_wnd, 60000);
	assert_int_equal(th_conn(&t, c)->srtt_us, 0); /* when the SYN-ACK left is not known */
	assert_int_equal(tcp_user_send(&t.env, c, "200", 3, false), 3);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 4, 3);
	done(c);
}

/* The largest of the table that does not exceed the peer's. */
static void req_TX_011__mss_survives(void **state)
{
	static const uint16_t said_kept[][2] = {{0, 536}, {1, 88}, {88, 88}, {535, 88}, {536, 536}, {1219, 536}, {1220, 1220}, {1299, 1220},
						{1300, 1300}, {1400, 1400}, {1448, 1440}, {1460, 1460}, {8959, 1460}, {8960, 8960}, {65495, 8960}};
	th_listen(&t, 100, NULL);
	always();
	th_path(&t)->p.pmtu = 65535;
	for (unsigned i = 0; i < ARRAY_LEN(said_kept); i++) {
		struct tcp_hdr h = syn_of(said_kept[i][0]);
		cookie_for(&h);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_not_equal(c, 0);
		assert_int_equal(th_conn(&t, c)->peer_mss, said_kept[i][1]);
		tcp_user_close(&t.env, c, true);
		th_flush(&t);
		th_drain(&t);
	}
	done(0);
}

/* With timestamps all options survive; each shift, with and without SACK and ECN. */
static void req_TX_011__options_survive_by_the_timestamp(void **state)
{
	th_listen(&t, 100, NULL);
	always();
	t.env.ecn = 2;
	for (unsigned i = 0; i < 4 * 16; i++) {
		uint8_t ws = i & 15;
		bool sack = i & 16, ecn = i & 32;
		struct tcp_hdr h = syn_of(1460);
		h.has_ts = true;
		h.tsval = 777 + i;
		h.has_ws = ws < 15;
		h.ws = ws;
		h.sack_permitted = sack;
		h.flags |= ecn ? TCP_ECE | TCP_CWR : 0;
		th_run(&t, 37 * NS_PER_MS);
		const struct th_seg *s = cookie_for(&h);
		assert_true(s->h.has_ts);
		assert_int_equal(s->h.tsecr, 777 + i);
		assert_int_equal(s->h.has_ws, ws < 15);
		assert_int_equal(s->h.sack_permitted, sack);
		q.ts = true;
		q.tsval = 778 + i;
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		const struct tcp_conn *k = th_conn(&t, c);
		assert_true(k->ts_ok);
		assert_int_equal(k->ws_ok, ws < 15);
		assert_int_equal(k->snd_ws, ws < 15 ? ws : 0);
		assert_int_equal(k->rcv_ws, ws < 15 ? s->h.ws : 0);
		assert_int_equal(k->sack_ok, sack);
		assert_int_equal(k->ecn, ecn ? TCP_ECN_FULL : TCP_ECN_OFF);
		assert_int_equal(k->snd_wnd, 60000u << (ws < 15 ? ws : 0));
		tcp_user_send(&t.env, c, "x", 1, false);
		th_flush(&t);
		const struct th_seg *d = th_expect(&t, &q, TCP_ACK, 1, 1, 1);
		assert_in_range(d->h.tsval - q.tsecr, 0, 127); /* not older than what the SYN-ACK said: PAWS of the peer */
		tcp_user_close(&t.env, c, true);
		th_flush(&t);
		th_drain(&t);
		q = (struct peer){.iss = q.iss + 1000, .wnd = 60000};
	}
	done(0);
}

static void req_TX_011__forged_and_old_cookies_are_rejected(void **state)
{
	th_listen(&t, 100, NULL);
	always();
	struct tcp_hdr h = syn_of(1460);
	cookie_for(&h);
	uint32_t irs = q.irs;
	struct rng r;
	rng_seed(&r, 9);
	for (int i = 0; i < 20000; i++) { /* 2^-28 each */
		q.irs = (uint32_t)rng_u64(&r);
		if (q.irs == irs)
			continue;
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		assert_int_equal(t.drop, DROP_TCP_COOKIE);
		const struct th_seg *s = th_next(&t);
		assert_int_equal(s->h.flags, TCP_RST);
		assert_int_equal(s->h.seq, q.irs + 1);
		th_expect_none(&t);
	}
	q.irs = irs;
	for (int bit = 0; bit < 32; bit++) { /* near misses, too */
		q.irs = irs ^ 1u << bit;
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		assert_int_equal(t.drop, DROP_TCP_COOKIE);
	}
	th_drain(&t);
	q.irs = irs;
	th_send(&t, &q, TCP_ACK, 2, 1, NULL, 0); /* bound to the peer's ISN */
	assert_int_equal(t.drop, DROP_TCP_COOKIE);
	q.irs = irs + 7; /* also if both numbers are shifted alike */
	th_send(&t, &q, TCP_ACK, 1 + 7, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_COOKIE);
	q.irs = irs;
	struct tcp_hdr other = th_hdr(&q, TCP_ACK, 1, 1);
	other.sport++; /* to its port */
	th_inject(&t, &other, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_COOKIE);
	th_path(&t)->p.remote = via_addr_v4(TH_B + 1); /* to its address */
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_COOKIE);
	th_path(&t)->p.remote = via_addr_v4(TH_B);
	assert_int_equal(t.n_nodes, 0);
	th_drain(&t);
	th_run(&t, 120 * NS_PER_S); /* and to its time */
	flood(1);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_COOKIE);
	done(0);
}

/* LISTEN ignores a reset, also one whose ACK is the cookie's. */
static void req_TCP_028__a_reset_answers_no_cookie(void **state)
{
	th_listen(&t, 100, NULL);
	always();
	struct tcp_hdr h = syn_of(1460);
	cookie_for(&h);
	th_send(&t, &q, TCP_RST | TCP_ACK, 1, 1, NULL, 0);
	th_expect_none(&t);
	assert_int_equal(tcp_user_accept(&t.env, t.listener, TH_OWNER), 0);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(t.n_nodes, 1);
	done(tcp_user_accept(&t.env, t.listener, TH_OWNER));
}

static void req_TX_011__a_cookie_lives_a_minute_at_least(void **state)
{
	th_listen(&t, 100, NULL);
	always();
	for (int i = 0; i < 7; i++) { /* wherever in the period it was made */
		th_run(&t, 9 * NS_PER_S);
		struct tcp_hdr h = syn_of(1460);
		cookie_for(&h);
		th_run(&t, 60 * NS_PER_S);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_not_equal(c, 0);
		tcp_user_close(&t.env, c, true);
		th_flush(&t);
		th_drain(&t);
	}
	done(0);
}

/* Without a flood a listener believes no cookie, not even a right one. */
static void req_TX_011__no_cookie_without_a_flood(void **state)
{
	th_listen(&t, 1, NULL);
	always();
	struct tcp_hdr h = syn_of(1460);
	cookie_for(&h);
	tcp_listener_at(&t.env, t.listener)->cookie_at = INT64_MIN;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_LISTEN);
	assert_int_equal(th_next(&t)->h.flags, TCP_RST);
	done(0);
}

static void req_TX_011__accept_queue_full_drops_in_silence(void **state)
{
	th_listen(&t, 0, NULL);
	always();
	struct peer p[2];
	for (int i = 0; i < 2; i++) {
		q.iss = 5000 + (uint32_t)i;
		struct tcp_hdr h = syn_of(1460);
		h.sport = (uint16_t)(TH_RPORT + i);
		cookie_for(&h);
		p[i] = q;
	}
	for (int i = 0; i < 2; i++) {
		struct tcp_hdr h = th_hdr(&p[i], TCP_ACK, 1, 1);
		h.sport = (uint16_t)(TH_RPORT + i);
		th_inject(&t, &h, NULL, 0);
		assert_int_equal(t.drop, i ? DROP_TCP_ACCEPT_QUEUE : DROP_NONE);
	}
	th_expect_none(&t);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	struct tcp_hdr h = th_hdr(&p[1], TCP_ACK, 1, 1); /* there is room now, and its text comes */
	h.sport++;
	th_inject(&t, &h, "x", 1);
	ref_t c2 = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_user_inq(&t.env, c2), 1);
	tcp_user_close(&t.env, c2, true);
	done(c);
}

/* ISNs of cookies of one four-tuple rise with time, those of others have nothing to do with them. */
static void req_TX_011__isn_is_not_told_by_its_neighbours(void **state)
{
	th_listen(&t, 1, NULL);
	always();
	uint32_t isn[64];
	for (int i = 0; i < 64; i++) {
		struct tcp_hdr h = syn_of(1460);
		h.sport = (uint16_t)(20000 + i);
		isn[i] = cookie_for(&h)->h.seq;
	}
	int close_by = 0;
	for (int i = 0; i < 64; i++)
		for (int k = 0; k < i; k++)
			close_by += (isn[i] - isn[k] + (1u << 24)) >> 25 == 0; /* 2^-7 each: 16 of 2016 expected */
	assert_in_range(close_by, 0, 40);
	done(0);
}

/* --- TCP_DEFER_ACCEPT --- */

static void syn_ack_taken(void)
{
	struct tcp_hdr h = syn_of(1460);
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	q.irs = s->h.seq;
}

static void tcp_listen__deferred_until_text(void **state)
{
	th_listen(&t, 4, &(struct tcp_opts){.defer = 3});
	syn_ack_taken();
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_DEFER);
	assert_int_equal(t.events[TH_LISTEN_OWNER], 0);
	assert_int_equal(tcp_user_accept(&t.env, t.listener, TH_OWNER), 0);
	th_send(&t, &q, TCP_ACK, 1, 1, "GET", 3);
	assert_true(t.events[TH_LISTEN_OWNER] & TCP_EV_LISTEN);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_user_inq(&t.env, c), 3);
	assert_int_equal(th_conn(&t, c)->rto_3s, 0);
	th_drain(&t);
	done(c);
}

/* Three time-outs, 1 + 2 + 4 s: the SYN-ACK rests, goes once more at the end, and an ACK to that one counts. */
static void tcp_listen__deferred_as_long_as_asked(void **state)
{
	th_listen(&t, 4, &(struct tcp_opts){.defer = 3});
	syn_ack_taken();
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_run(&t, 6900 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 200 * NS_PER_MS);
	assert_int_equal(th_next(&t)->why, WHY_SYN_RETRANS);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	ref_t c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c, 0);
	done(c);
}

static void tcp_listen__deferred_longer_than_tries(void **state)
{
	th_listen(&t, 4, &(struct tcp_opts){.defer = 8, .syn_retries = 2});
	syn_ack_taken();
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_run(&t, 250 * NS_PER_S); /* two tries last 7 s, but the ACK has come: 255 s */
	assert_int_equal(t.n_nodes, 1);
	th_drain(&t);
	th_run(&t, 200 * NS_PER_S); /* the last SYN-ACK went unanswered */
	assert_int_equal(t.n_nodes, 0);
	th_drain(&t);
	syn_ack_taken(); /* no ACK at all: the tries decide */
	th_run(&t, 8 * NS_PER_S);
	assert_int_equal(t.n_nodes, 0);
	done(0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TX_012__entries_are_capped_small_and_time_out), T(tcp_listen__cookies_off), T(req_TX_011__a_client_gets_through_a_full_queue),
		T(req_TX_011__mss_survives), T(req_TX_011__options_survive_by_the_timestamp),
		T(req_TCP_028__a_reset_answers_no_cookie), T(req_TX_011__forged_and_old_cookies_are_rejected),
		T(req_TX_011__a_cookie_lives_a_minute_at_least), T(req_TX_011__no_cookie_without_a_flood),
		T(req_TX_011__accept_queue_full_drops_in_silence), T(req_TX_011__isn_is_not_told_by_its_neighbours),
		T(tcp_listen__deferred_until_text), T(tcp_listen__deferred_as_long_as_asked), T(tcp_listen__deferred_longer_than_tries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
