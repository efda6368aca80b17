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

/* Linux's loop, a segment at a time: each is allocated while the buffer has true size left and what waits is below the mark. */
static uint32_t naive_room(uint32_t want, uint32_t goal, uint32_t leaves, uint32_t queued, uint32_t lowat, uint32_t sndbuf)
{
	uint32_t room = 0;
	for (;;) {
		uint32_t waits = queued + room > leaves ? queued + room - leaves : 0;
		uint64_t cost = queued + room + TCP_SKB_OVERHEAD * (uint64_t)((queued + room + goal - 1) / goal);
		if (room >= want)
			return want;
		if (waits % goal)
			room += goal - waits % goal;
		else if (cost < sndbuf && waits < lowat)
			room += goal;
		else
			return room;
	}
}

static void send_buffer__room_is_that_of_segment_by_segment(void **state)
{
	static const uint32_t lowats[] = {1, 4000, 32000, UINT32_MAX};
	struct tcp_conn *k = th_conn(&t, c);
	struct rng r;
	rng_seed(&r, 77);
	assert_int_equal(put(100), 100); /* unsent: nothing is flushed here */
	for (int i = 0; i < 20000; i++) {
		k->mss = (uint16_t)(88 + rng_below(&r, 1400));
		k->snd_wnd = k->snd_wnd_max = 600 + (uint32_t)rng_below(&r, 300000);
		k->cwnd = (uint32_t)rng_below(&r, 200000);
		k->sndbuf = (uint32_t)rng_below(&r, 300000);
		tcp_settings_of(&t.env)->notsent_lowat = lowats[rng_below(&r, 4)];
		if (rng_below(&r, 100) == 0)
			tcp_buf_append(&t.env, &k->snd, data, (uint32_t)rng_below(&r, 1000));
		uint32_t want = (uint32_t)rng_below(&r, 400000);
		uint32_t most = th_path(&t)->p.gso_max - 40, goal = MAX(MIN(most, k->snd_wnd_max / 2) / k->mss, 1u) * k->mss;
		uint32_t leaves = MIN(k->cwnd, k->snd_wnd) / k->mss * k->mss;
		assert_int_equal(tcp_send_room(&t.env, k, want),
				 naive_room(want, goal, leaves, sbuf_len(&k->snd), tcp_settings_of(&t.env)->notsent_lowat, k->sndbuf));
	}
	th_finish(&t, c);
}

/* HARD-05: with the largest buffer and the smallest segments no more work than with others. */
static void req_HARD_05__a_huge_buffer_is_no_work(void **state)
{
	struct tcp_conn *k = th_conn(&t, c);
	k->mss = TCP_MSS_FLOOR;
	k->snd_wnd_max = 100;
	k->sndbuf = TCP_BUF_MAX;
	uint64_t sum = 0;
	for (int i = 0; i < 100000; i++)
		sum += tcp_send_room(&t.env, k, TCP_BUF_MAX);
	assert_in_range(sum / 100000, TCP_BUF_MAX / 20, TCP_BUF_MAX / 10); /* 88 bytes of 1368 each */
	k->mss = 1000;
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

/* packetdrill's blocking/blocking-write.pkt: the initial window and then each flight is acknowledged as a whole; who sleeps for room
 * hears of it when there is some for a good part of the buffer. */
static void send_buffer__the_rest_of_a_write_wakes(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.sndbuf = 42000}, 50000, 0, false);
	th_conn(&t, c)->ssthresh = TCP_SSTHRESH_INFINITE;
	wakes();
	uint32_t took = (uint32_t)put(61000);
	assert_in_range(took, 60000, 60999);
	assert_int_equal(put(61000 - took), -EAGAIN);
	th_flush(&t);
	ack(10001);
	assert_false(wakes());
	ack(30001);
	assert_false(wakes());
	ack(36001);
	assert_true(wakes());
	assert_int_equal(put(61000 - took), 61000 - took);
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

/* --- the memory budget --- */

static void limits(uint64_t low, uint64_t pressure, uint64_t high)
{
	struct tcp_settings *s = tcp_settings_of(&t.env);
	s->mem_low = low;
	s->mem_pressure = pressure;
	s->mem_high = high;
}
static struct via_tcp_memory budget(void)
{
	struct via_tcp_memory m = {.size = sizeof(m)};
	tcp_mem_get(&t.env, &m);
	return m;
}

static void req_HARD_09__pressure_prunes_and_shrinks_windows(void **state)
{
	limits(10000, 30000, 200000);
	th_send(&t, &q, TCP_ACK, 2001, 1, data, 1000); /* out of order, kept */
	uint32_t edge = th_conn(&t, c)->rcv_adv;
	assert_int_equal(put(40000), 40000);
	th_flush(&t);
	assert_int_equal(budget().state, VIA_TCP_MEM_PRESSURE);
	assert_int_equal(budget().n_pressure, 1);
	assert_true(budget().pruned > 0);
	assert_true(th_conn(&t, c)->rcvbuf <= 4000);
	assert_int_equal(th_conn(&t, c)->rcv_adv, edge); /* not taken back */
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 2001, 1, data, 1000);
	assert_int_equal(t.drop, DROP_TCP_MEMORY);
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000); /* in order: always */
	assert_int_equal(t.drop, DROP_NONE);
	assert_int_equal(tcp_user_recv(&t.env, c, sink, 5000, false), 1000);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	for (uint32_t i = 1; i <= 40; i++) {
		th_conn(&t, c)->cwnd = 60000;
		th_send(&t, &q, TCP_ACK, 1001, 1000 * i + 1, NULL, 0);
		assert_int_equal(budget().state, budget().used >= 10000 ? VIA_TCP_MEM_PRESSURE : VIA_TCP_MEM_FREE);
	}
	assert_int_equal(budget().state, VIA_TCP_MEM_FREE);
	th_finish(&t, c);
}

static void req_HARD_09__full_refuses_what_is_new(void **state)
{
	ref_t other;
	limits(10000, 20000, 30000);
	assert_true(put(60000) > 30000);
	assert_int_equal(budget().state, VIA_TCP_MEM_FULL);
	assert_int_equal(put(1000), -EAGAIN);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, 81, 81, NULL, 2, &other), -ENOBUFS);
	th_flush(&t);
	th_listen(&t, 4, NULL);
	t.listen_port = 99;
	struct tcp_hdr syn = {.sport = 500, .dport = 99, .seq = 1, .flags = TCP_SYN, .wnd = 1000};
	th_inject(&t, &syn, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_MEMORY);
	assert_int_equal(budget().refused, 3);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	t.events[TH_OWNER] = 0;
	while (th_conn(&t, c)->snd_una != th_conn(&t, c)->snd_nxt)
		ack_cwnd(th_conn(&t, c)->snd_nxt - q.irs, 60);
	th_run(&t, 50 * NS_PER_MS);
	assert_true(wakes()); /* the refused writer hears of it */
	th_unlisten(&t);
	th_finish(&t, c);
}

static void req_HARD_09__every_byte_is_counted_once(void **state)
{
	assert_int_equal(budget().used, 0);
	put(30000);
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	th_send(&t, &q, TCP_ACK, 5001, 1, data, 1000);
	assert_int_equal(budget().used, th_conn(&t, c)->snd.charged + th_conn(&t, c)->rcv.charged);
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	assert_int_equal(budget().used, 0);
	th_finish(&t, 0);
}

/* --- zero windows --- */

static void shut(uint32_t n)
{
	q.wnd = 0;
	ack(n);
}

static void req_TCP_069__what_zero_windows_pin_can_be_reclaimed(void **state)
{
	put(30000);
	th_flush(&t);
	shut(10001);
	struct via_tcp_memory m = budget();
	assert_int_equal(m.n_stalled, 1);
	assert_int_equal(m.stalled, th_conn(&t, c)->snd.charged);
	for (int i = 0; i < 200; i++) { /* TCP-068: without a cap it stays while probes are answered */
		th_run(&t, 120 * NS_PER_S);
		th_drain(&t);
		shut(10001);
	}
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	assert_int_equal(tcp_mem_reclaim(&t.env, m.stalled), 0); /* no more than is allowed */
	assert_int_equal(tcp_mem_reclaim(&t.env, 1000), 1);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	assert_int_equal(budget().stalled, 0);
	assert_int_equal(budget().n_stalled, 0);
	assert_int_equal(budget().reclaimed, m.stalled);
	th_finish(&t, c);
}

static void req_TCP_069__a_cap_reclaims_by_itself(void **state)
{
	tcp_settings_of(&t.env)->stalled_max = 5000;
	put(30000);
	th_flush(&t);
	shut(10001);
	th_run(&t, NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	th_finish(&t, c);
}

static void req_TCP_069__an_opened_window_pins_nothing(void **state)
{
	put(30000);
	th_flush(&t);
	shut(10001);
	q.wnd = 257;
	ack(10001);
	assert_int_equal(budget().stalled, 0);
	assert_int_equal(budget().n_stalled, 0);
	th_finish(&t, c);
}

/* The ACK that opens the window is lost: the next probe's answer tells. */
static void req_TCP_070__a_lost_window_update_costs_one_probe_interval(void **state)
{
	put(30000);
	th_flush(&t);
	shut(10001);
	th_drain(&t);
	int64_t rto = tcp_rto(th_conn(&t, c));
	q.wnd = 257; /* said, but nobody heard */
	th_run(&t, rto + 5 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->why, WHY_PROBE);
	th_drain(&t);
	ack(10001);
	assert_int_equal(th_next(&t)->h.seq - q.irs, 10001);
	th_finish(&t, c);
}

static void req_TCP_071__at_most_half_a_second_late(void **state)
{
	th_conn(&t, c)->quick = 0;
	th_send(&t, &q, TCP_ACK, 1, 1, data, 100);
	th_expect_none(&t);
	int64_t begin = t.env.now;
	th_run(&t, 500 * NS_PER_MS);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1, 101, 0);
	assert_true(s->at - begin < 500 * NS_PER_MS);
	th_finish(&t, c);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(send_buffer__takes_what_linux_takes), T(send_buffer__room_is_that_of_segment_by_segment),
		T(req_HARD_05__a_huge_buffer_is_no_work), T(notsent_lowat__takes_and_wakes_as_linux), T(notsent_lowat__half_of_it_wakes),
		T(notsent_lowat__the_stacks_is_for_who_has_none), T(send_buffer__the_users_stays),
		T(send_buffer__the_rest_of_a_write_wakes),
		T(receive_buffer__grows_to_two_bandwidth_delay_products), T(receive_buffer__the_users_stays),
		T(receive_buffer__a_setting_turns_it_off), T(receive_buffer__not_beyond_the_largest),
		T(receive_buffer__a_slow_reader_gets_no_more), T(receive_buffer__opens_by_what_arrives),
		T(receive_buffer__a_pause_gives_active_back), T(rcvlowat__readable_at_the_mark), T(rcvlowat__a_full_window_is_readable),
		T(rcvlowat__makes_its_room), T(req_HARD_09__pressure_prunes_and_shrinks_windows), T(req_HARD_09__full_refuses_what_is_new),
		T(req_HARD_09__every_byte_is_counted_once), T(req_TCP_069__what_zero_windows_pin_can_be_reclaimed),
		T(req_TCP_069__a_cap_reclaims_by_itself), T(req_TCP_069__an_opened_window_pins_nothing),
		T(req_TCP_070__a_lost_window_update_costs_one_probe_interval), T(req_TCP_071__at_most_half_a_second_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
