/* Buffers: autotuning both ways, what SO_SNDBUF, SO_RCVBUF, SO_RCVLOWAT and TCP_NOTSENT_LOWAT mean, the memory budget, zero windows.
 * Numbers of bytes taken and of wake-ups are those of Linux, seen in packetdrill's public scripts. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#include "tcp/autotune.h"
#include "tcp/memory.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[400000], sink[400000];

/* Linux's default sizes, the send buffer's first apart; cubic's slow start and ten segments of 1000. */
static void open_with(const struct tcp_opts *o, uint16_t wnd, uint8_t ws, bool ts)
{
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	th_init(&t, TH_A, TH_B, NULL, 1);
	struct tcp_settings *s = tcp_settings_of(&t.env);
	s->rmem = TCP_RMEM;
	s->rmem_max = TCP_RMEM_MAX;
	s->wmem = 50000;
	s->moderate_rcvbuf = true;
	q = (struct peer){.iss = 5000, .wnd = (uint16_t)(wnd << ws), .ts = ts};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = ts ? 1012 : 1000, .has_ws = ws, .ws = ws, .sack_permitted = true}, o);
	q.wnd = wnd;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_conn(&t, c)->ssthresh = 2000; /* the congestion window is what a test says */
}
static int setup(void **state)
{
	open_with(NULL, 257, 7, false);
	return 0;
}
static void ack(uint32_t n) { th_send(&t, &q, TCP_ACK, 1, n, NULL, 0); }
/* With the congestion window that slow start has reached by then. */
static void ack_cwnd(uint32_t n, uint32_t segs)
{
	th_conn(&t, c)->cwnd = segs * 1000;
	ack(n);
}
static int64_t put(uint32_t n) { return tcp_user_send(&t.env, c, data, n, false); }
static bool wakes(void)
{
	bool w = t.events[TH_OWNER] & TCP_EV_WRITABLE;
	t.events[TH_OWNER] = 0;
	return w;
}

/* --- the send buffer --- */

static void send_buffer__takes_what_linux_takes(void **state)
{
	wakes();
	assert_int_equal(put(59000), 58000);
	th_flush(&t);
	assert_false(wakes());
	ack_cwnd(10001, 20);
	assert_false(wakes()); /* the congestion window is full: no more is needed behind it */
	ack_cwnd(26001, 36);
	assert_true(wakes()); /* it grew with the congestion window */
	assert_int_equal(put(180000), 128000);
	th_flush(&t);
	ack_cwnd(42001, 52);
	assert_true(wakes());
	ack_cwnd(74001, 84);
	assert_false(wakes());
	assert_int_equal(put(180000), 112000);
	th_finish(&t, c);
}

static void notsent_lowat__takes_and_wakes_as_linux(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.notsent_lowat = 4000}, 257, 7, false);
	tcp_sndbuf_grow(&t.env, th_conn(&t, c));
	wakes();
	assert_int_equal(put(59000), 26000);
	th_flush(&t);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	for (uint32_t i = 2001; i <= 6001; i += 2000) {
		ack_cwnd(i, 10 + i / 1000);
		assert_false(wakes());
	}
	ack_cwnd(8001, 18); /* fewer than 2000 wait */
	assert_true(wakes());
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, VIA_OUT);
	th_finish(&t, c);
}

static void notsent_lowat__half_of_it_wakes(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.notsent_lowat = 32000}, 257, 7, false);
	wakes();
	assert_int_equal(put(59000), 42000);
	th_flush(&t);
	ack_cwnd(10001, 20);
	assert_false(wakes());
	ack_cwnd(26001, 36);
	assert_true(wakes());
	assert_int_equal(put(180000), 48000);
	th_flush(&t);
	ack_cwnd(42001, 52);
	assert_false(wakes());
	ack_cwnd(74001, 84);
	assert_true(wakes());
	assert_int_equal(put(180000), 48000);
	th_finish(&t, c);
}

static void notsent_lowat__the_stacks_is_for_who_has_none(void **state)
{
	tcp_settings_of(&t.env)->notsent_lowat = 4000;
	assert_int_equal(put(59000), 26000);
	th_finish(&t, c);
}

static void send_buffer__the_users_stays(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.sndbuf = 20000}, 257, 7, false);
	uint32_t rcvbuf, sndbuf;
	for (int i = 0; i < 50; i++) {
		put(100000);
		th_flush(&t);
		ack(th_conn(&t, c)->snd_nxt - q.irs);
		th_drain(&t);
	}
	tcp_user_buffers(&t.env, c, &rcvbuf, &sndbuf);
	assert_int_equal(sndbuf, 20000);
	th_finish(&t, c);
}

/* --- the receive buffer --- */

/* In a round trip the peer sends `n` bytes in segments of 1000 at once, not more than the window; all is read. Returns what it sent. */
static uint32_t seq_at;
static uint32_t round_trip(uint32_t n, int64_t rtt)
{
	uint32_t done = 0;
	n = MIN(n, tcp_rcv_wnd(th_conn(&t, c)) / 1000 * 1000);
	while (done < n) {
		q.tsecr = tcp_ts_now(&t.env, th_conn(&t, c)->ts_offset) - (uint32_t)(rtt / NS_PER_MS); /* of the ACK that let it leave */
		th_send(&t, &q, TCP_ACK, seq_at, 1, data, 1000);
		seq_at += 1000;
		done += 1000;
		tcp_user_recv(&t.env, c, sink, sizeof(sink), false);
		th_flush(&t);
		th_drain(&t);
	}
	th_run(&t, rtt);
	th_drain(&t);
	return done;
}

static uint32_t windows_grown(bool ts, int64_t rtt, int rounds)
{
	uint32_t got = 0, edge = th_conn(&t, c)->rcv_adv;
	seq_at = 1;
	for (int i = 0; i < rounds; i++) {
		got = round_trip(MIN(10000u << MIN(i, 12), 1300000u), rtt);
		assert_true(seq_le(edge, th_conn(&t, c)->rcv_adv)); /* TCP-065 */
		edge = th_conn(&t, c)->rcv_adv;
	}
	return got;
}

static void receive_buffer__grows_to_two_bandwidth_delay_products(void **state)
{
	for (int ts = 0; ts < 2; ts++) {
		th_finish(&t, c);
		open_with(NULL, 257, 7, ts);
		assert_int_equal(tcp_rcv_wnd(th_conn(&t, c)) >> 7, 65536 >> 7);
		assert_int_equal(windows_grown(ts, 100 * NS_PER_MS, 20), 1300000);
		uint32_t rcvbuf, sndbuf;
		tcp_user_buffers(&t.env, c, &rcvbuf, &sndbuf);
		assert_true(rcvbuf >= 2 * 2 * 1300000 && rcvbuf <= TCP_RMEM_MAX);
	}
	th_finish(&t, c);
}

static void receive_buffer__the_users_stays(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 50000}, 257, 7, true);
	uint32_t rcvbuf, sndbuf;
	assert_true(windows_grown(true, 100 * NS_PER_MS, 12) <= 50000);
	tcp_user_buffers(&t.env, c, &rcvbuf, &sndbuf);
	assert_int_equal(rcvbuf, 100000);
	assert_int_equal(th_conn(&t, c)->active, 0); /* nothing to find out */
	th_finish(&t, c);
}

static void receive_buffer__a_setting_turns_it_off(void **state)
{
	tcp_settings_of(&t.env)->moderate_rcvbuf = false;
	assert_true(windows_grown(false, 100 * NS_PER_MS, 12) <= 65536);
	th_finish(&t, c);
}

static void receive_buffer__not_beyond_the_largest(void **state)
{
	tcp_settings_of(&t.env)->rmem_max = 400000;
	assert_true(windows_grown(false, 100 * NS_PER_MS, 15) <= 200000);
	th_finish(&t, c);
}

/* Who reads slowly proves no need: what is unread is not counted. */
static void receive_buffer__a_slow_reader_gets_no_more(void **state)
{
	uint32_t rcvbuf, sndbuf;
	seq_at = 1;
	for (int i = 0; i < 400; i++) {
		if (tcp_rcv_wnd(th_conn(&t, c)) >= 1000) {
			th_send(&t, &q, TCP_ACK, seq_at, 1, data, 1000);
			seq_at += 1000;
		}
		tcp_user_recv(&t.env, c, sink, 100, false);
		th_flush(&t);
		th_drain(&t);
		th_run(&t, 10 * NS_PER_MS);
		th_drain(&t);
	}
	tcp_user_buffers(&t.env, c, &rcvbuf, &sndbuf);
	assert_int_equal(rcvbuf, TCP_RMEM);
	th_finish(&t, c);
}

/* The window follows what arrived, two bytes for one, not the buffer at once. */
static void receive_buffer__opens_by_what_arrives(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	struct tcp_conn *p = th_conn(&t, c);
	tcp_active_of(&t.env, p)->drs.want = 1000000;
	for (uint32_t i = 1; i < 40; i++) {
		uint32_t before = p->rcvbuf;
		th_send(&t, &q, TCP_ACK, 1 + 1000 * i, 1, data, 1000);
		assert_int_equal(p->rcvbuf, before + 2000);
	}
	uint32_t before = p->rcvbuf;
	th_send(&t, &q, TCP_ACK, 40001, 1, data, 100); /* small ones open nothing */
	th_send(&t, &q, TCP_ACK, 50001, 1, data, 1000); /* nor do those out of order */
	assert_int_equal(p->rcvbuf, before);
	th_finish(&t, c);
}

static void receive_buffer__a_pause_gives_active_back(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	tcp_user_recv(&t.env, c, sink, 1000, false);
	th_flush(&t);
	assert_int_not_equal(th_conn(&t, c)->active, 0);
	th_run(&t, NS_PER_S);
	assert_int_equal(th_conn(&t, c)->active, 0);
	th_finish(&t, c);
}

/* --- SO_RCVLOWAT --- */

static void rcvlowat__readable_at_the_mark(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvlowat = 3000}, 257, 7, false);
	t.events[TH_OWNER] = 0;
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	th_send(&t, &q, TCP_ACK, 1001, 1, data, 1999);
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_READABLE, 0);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, 0);
	th_send(&t, &q, TCP_ACK, 3000, 1, data, 1);
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_READABLE, TCP_EV_READABLE);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, VIA_IN);
	assert_int_equal(tcp_user_recv(&t.env, c, sink, 10, false), 10);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, 0);
	t.events[TH_OWNER] = 0;
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.rcvlowat = 2000}); /* lowered: true at once */
	assert_int_equal(t.events[TH_OWNER] & TCP_EV_READABLE, TCP_EV_READABLE);
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.rcvlowat = 9000});
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, 0);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 3001, 1, NULL, 0); /* the end is always readable */
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, VIA_IN);
	th_finish(&t, c);
}

static void rcvlowat__a_full_window_is_readable(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 5000, .rcvlowat = 100000}, 257, 7, false);
	for (uint32_t i = 0; i < 4; i++)
		th_send(&t, &q, TCP_ACK, 1 + 1000 * i, 1, data, 1000);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_IN, VIA_IN); /* one segment of room is left: nothing may come any more */
	th_finish(&t, c);
}

static void rcvlowat__makes_its_room(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvlowat = 300000}, 257, 7, false);
	assert_int_equal(th_conn(&t, c)->rcvbuf, 300000);
	th_finish(&t, c);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(send_buffer__takes_what_linux_takes), T(notsent_lowat__takes_and_wakes_as_linux), T(notsent_lowat__half_of_it_wakes),
		T(notsent_lowat__the_stacks_is_for_who_has_none), T(send_buffer__the_users_stays),
		T(receive_buffer__grows_to_two_bandwidth_delay_products), T(receive_buffer__the_users_stays),
		T(receive_buffer__a_setting_turns_it_off), T(receive_buffer__not_beyond_the_largest),
		T(receive_buffer__a_slow_reader_gets_no_more), T(receive_buffer__opens_by_what_arrives),
		T(receive_buffer__a_pause_gives_active_back), T(rcvlowat__readable_at_the_mark), T(rcvlowat__a_full_window_is_readable),
		T(rcvlowat__makes_its_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
