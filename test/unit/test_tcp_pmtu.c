/* Path MTU by TCP alone: what routers say and who is believed, black holes, probes and what their loss means. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#include "tcp/pmtu.h"

#define HDR 40u

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[200000];

static struct tcp_conn *k(void) { return th_conn(&t, c); }
static struct tcp_active *act(void) { return tcp_active_of(&t.env, k()); }
static struct tcp_path *path(void) { return &th_path(&t)->p; }

static void begin(uint8_t ip_hlen, uint8_t probing)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	path()->ip_hlen = ip_hlen;
	t.env.mtu_probing = probing;
	t.env.base_mss = 1024;
	q = (struct peer){.iss = 5000, .wnd = 60000};
	struct tcp_hdr opts = {.has_mss = true, .mss = 1460, .sack_permitted = true, .has_ws = true, .ws = 4};
	c = th_connect(&t, &q, &opts, &(struct tcp_opts){.cc = (uint8_t)tcp_cc_find("reno")});
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
}
static int setup(void **state)
{
	begin(20, 1);
	return 0;
}
static void finish(void) { th_finish(&t, c); }

static void offer(uint32_t n)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n, false), n);
	th_flush(&t);
}
/* A router's word about the segment at `at` (relative to our ISN). */
static void too_big(uint32_t at, uint32_t mtu)
{
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs + at, mtu);
	th_flush(&t);
}
static void ack(uint32_t upto) { th_send(&t, &q, TCP_ACK, 1, 1 + upto, NULL, 0); }
static void sack(uint32_t upto, uint32_t from, uint32_t to)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1 + upto);
	h.n_sack = 1;
	h.sack[0] = (struct iv){q.irs + 1 + from, q.irs + 1 + to};
	th_inject(&t, &h, NULL, 0);
}
/* All that left: bytes, the least first number, and the largest segment. */
static uint32_t left(uint32_t *first, uint32_t *largest)
{
	uint32_t sum = 0;
	*first = UINT32_MAX;
	*largest = 0;
	for (const struct th_seg *s; (s = th_next(&t));) {
		sum += s->len;
		*first = s->len ? MIN(*first, s->h.seq - q.irs - 1) : *first;
		*largest = MAX(*largest, s->len);
	}
	return sum;
}

/* --- what routers say --- */

static void req_PM_001__too_big_goes_again_at_once_and_cwnd_stays(void **state)
{
	uint32_t first, largest;

	offer(14600);
	assert_int_equal(left(&first, &largest), 14600);
	assert_int_equal(largest, 1460);
	uint32_t cwnd = k()->cwnd, ssthresh = k()->ssthresh;
	too_big(1, 1500); /* no news, or a lie: >= the current one */
	too_big(1, 9000);
	th_expect_none(&t);
	assert_int_equal(path()->pmtu, 1500);
	too_big(1, 1400);
	assert_int_equal(path()->pmtu, 1400);
	assert_int_equal(left(&first, &largest), 14600); /* all of it at once, no timer, no duplicate needed */
	assert_int_equal(first, 0);
	assert_int_equal(largest, 1400 - HDR);
	assert_int_equal(k()->cwnd, cwnd);
	for (uint32_t i = 1; i <= 10; i++)
		ack(i * 1360);
	ack(14600);
	assert_true(k()->cwnd >= cwnd);
	assert_int_equal(k()->ssthresh, ssthresh);
	too_big(1, 1300); /* the segment it quotes is not in flight any more */
	assert_int_equal(path()->pmtu, 1400);
	finish();
}

/* What waits at the interface when the word comes leaves too large, and no second word follows for what is known: it goes again as soon
 * as it has left, without a timer, and no window falls for it. */
static void req_PM_001__what_waited_below_goes_again_too(void **state)
{
	static bool here[20000];
	uint32_t past = 0;

	offer(1460);
	th_drain(&t);
	k()->cwnd = 40 * 1460;
	t.hold = true;
	offer(14600);
	assert_true(t.txq.n > 0);
	uint32_t cwnd = k()->cwnd, ssthresh = k()->ssthresh;
	too_big(1, 1000);
	assert_int_equal(k()->mss, 960);
	t.hold = false;
	th_flush(&t);
	for (const struct th_seg *s; (s = th_next(&t));) {
		past += s->len > 960;
		for (uint32_t i = 0; s->len <= 960 && i < s->len; i++)
			here[s->h.seq - q.irs - 1 + i] = true;
	}
	assert_true(past > 0); /* they were cut already */
	for (uint32_t i = 0; i < 16060; i++)
		assert_true(here[i]);
	assert_int_equal(k()->cwnd, cwnd);
	assert_int_equal(k()->ssthresh, ssthresh);
	ack(16060);
	assert_int_equal(k()->ssthresh, ssthresh);
	assert_false(act() && act()->has_too_big);
	finish();
}

/* What one connection learns cuts the segments of all that share the path. */
static void req_PM_001__a_path_is_shared(void **state)
{
	ref_t other;
	uint32_t first, largest;

	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT + 1, TH_RPORT, NULL, TH_OWNER + 2, &other), 0);
	th_flush(&t);
	const struct th_seg *syn = th_next(&t);
	struct tcp_hdr h = {.sport = TH_RPORT, .dport = TH_LPORT + 1, .flags = TCP_SYN | TCP_ACK, .seq = 9, .ack = syn->h.seq + 1, .wnd = 60000,
			    .has_mss = true, .mss = 1460};
	th_inject(&t, &h, NULL, 0);
	offer(1460);
	too_big(1, 1000);
	th_drain(&t);
	assert_int_equal(tcp_user_send(&t.env, other, data, 5000, false), 5000);
	th_flush(&t);
	left(&first, &largest);
	assert_int_equal(largest, 960);
	assert_int_equal(tcp_mss_advertised(path(), NULL), 1460); /* what we can take has not changed */
	tcp_user_close(&t.env, other, true);
	finish();
}

/* Nodes of one path stand side by side, in the order they were born, so that a word about it costs no more than it concerns (HARD-05);
 * whichever of them go. */
static void req_HARD_05__a_routers_word_is_heard_by_its_path_alone(void **state)
{
	enum { PATHS = 5, CONNS = 200 };
	ref_t paths[PATHS], conns[CONNS] = {0};
	uint8_t of[CONNS] = {0};
	struct rng r;

	finish();
	th_init(&t, TH_A, TH_B, NULL, 1);
	rng_seed(&r, 4);
	for (int i = 0; i < PATHS; i++) {
		paths[i] = arena_buf_take(t.arena, sizeof(struct th_path));
		*(struct th_path *)arena_at(t.arena, paths[i]) = *th_path(&t);
	}
	for (int step = 0; step < 3000; step++) {
		uint32_t i = (uint32_t)rng_below(&r, CONNS), p = (uint32_t)rng_below(&r, PATHS);
		if (conns[i]) {
			tcp_user_close(&t.env, conns[i], true);
			conns[i] = 0;
		} else {
			of[i] = (uint8_t)p;
			th_op_path_hold(&t, paths[p]);
			assert_int_equal(tcp_user_connect(&t.env, paths[p], (uint16_t)(1000 + i), 80, NULL, TH_OWNER, &conns[i]), 0);
		}
		th_flush(&t);
		th_drain(&t);
		if (step % 10)
			continue;
		tcp_path_changed(&t.env, paths[p]);
		for (i = 0; i < CONNS; i++)
			if (conns[i])
				assert_int_equal(th_conn(&t, conns[i])->queue == TCP_Q_DIRTY, of[i] == p);
		/* and none was asked but those: from one end of the list to the other, each path begins once */
		const size_t off = offsetof(struct tcp_entry, all);
		ref_t n = tcp_tab(&t.env)->all.head, last = 0;
		unsigned begun = 0;
		for (; n; n = list_next(t.arena, n, off)) {
			ref_t path = tcp_node_at(&t.env, n)->path, next = list_next(t.arena, n, off);
			begun += path != last;
			last = path;
			bool is_end = !next || tcp_node_at(&t.env, next)->path != path;
			assert_int_equal(((struct tcp_path *)arena_at(t.arena, path))->last_node == n, is_end);
		}
		assert_true(begun <= PATHS);
		th_flush(&t);
		th_drain(&t);
	}
	for (int i = 0; i < CONNS; i++)
		if (conns[i])
			tcp_user_close(&t.env, conns[i], true);
	th_flush(&t);
	th_drain(&t);
	for (int i = 0; i < PATHS; i++) {
		assert_int_equal(((struct th_path *)arena_at(t.arena, paths[i]))->p.last_node, 0);
		arena_buf_give(t.arena, paths[i], sizeof(struct th_path));
	}
	th_finish(&t, 0);
}

static void req_PM_002__never_below_the_floor_of_its_family(void **state)
{
	static const struct { uint8_t ip_hlen; uint32_t said, then; } want[] = {
		{20, 68, 552}, {20, 0x10, 552}, {20, 551, 552}, {20, 553, 553}, {40, 68, 1280}, {40, 1279, 1280}, {40, 1281, 1281},
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		begin(want[i].ip_hlen, 1);
		offer(3000);
		th_drain(&t);
		too_big(1, want[i].said);
		assert_int_equal(path()->pmtu, want[i].then);
		assert_int_equal(k()->mss, MIN(want[i].then - want[i].ip_hlen - 20, 1460));
		if (i + 1 < ARRAY_LEN(want))
			finish();
	}
	too_big(1, 68);
	too_big(1, 68);
	assert_int_equal(path()->pmtu, 1280); /* again and again: no lower */
	finish();

	begin(20, 1);
	path()->mtu = path()->pmtu = 300; /* our own link is smaller than the floor: that is no reason to raise it */
	tcp_path_changed(&t.env, t.path);
	offer(3000);
	too_big(1, 200);
	assert_int_equal(path()->pmtu, 300);
	finish();
}

static void req_PM_003__only_what_is_in_flight_is_believed(void **state)
{
	offer(2920);
	ack(1460);
	th_drain(&t);
	static const uint32_t off[] = {0, 1, 1460, 2921, 5000, 0x7fffffff, 0x80000000, 0xfffffff0};
	for (size_t i = 0; i < ARRAY_LEN(off); i++)
		too_big(off[i], 1000);
	assert_int_equal(path()->pmtu, 1500);
	assert_int_equal(k()->mss, 1460);
	th_expect_none(&t);
	assert_false(act()->sent.lost);
	too_big(1461, 1000); /* its first byte */
	assert_int_equal(path()->pmtu, 1000);
	finish();
}

/* --- black holes --- */

static void lose_everything(int64_t for_ns)
{
	th_run(&t, for_ns);
	th_drain(&t);
}

static void req_PM_005__timeouts_lower_the_mss(void **state)
{
	offer(14600);
	th_run(&t, 1000 * NS_PER_MS); /* two or three time-outs say nothing yet */
	th_drain(&t);
	assert_int_equal(k()->mss, 1460);
	lose_everything(2500 * NS_PER_MS);
	assert_int_equal(k()->mss, 1024); /* base_mss */
	assert_int_equal(path()->pmtu, 1500); /* what IP believes is another matter */
	lose_everything(4 * NS_PER_S);
	assert_int_equal(k()->mss, 512);
	lose_everything(100 * NS_PER_S);
	assert_int_equal(k()->mss, TCP_MSS_FLOOR); /* and no lower */
	ack(TCP_MSS_FLOOR);
	uint32_t first, largest;
	left(&first, &largest);
	assert_int_equal(largest, TCP_MSS_FLOOR);
	finish();
}

static void pmtu__no_black_hole_where_something_full_arrives(void **state)
{
	offer(14600);
	th_drain(&t);
	th_run(&t, 500 * NS_PER_MS);
	path()->full_at = t.env.now; /* another connection's data gets through */
	lose_everything(5 * NS_PER_S);
	assert_int_equal(k()->mss, 1460);
	finish();

	begin(20, 1); /* nor where what is stuck is small */
	offer(500);
	lose_everything(30 * NS_PER_S);
	assert_int_equal(k()->mss, 1460);
	finish();

	begin(20, 0); /* nor if the user does not want it */
	offer(14600);
	lose_everything(30 * NS_PER_S);
	assert_int_equal(k()->mss, 1460);
	finish();
}

static void pmtu__full_segments_are_noted(void **state)
{
	assert_int_equal(path()->full_at, 0);
	offer(500);
	ack(500);
	assert_int_equal(path()->full_at, 0);
	offer(1460);
	ack(1960);
	assert_int_equal(path()->full_at, t.env.now);
	finish();
}

/* A dead peer is no black hole: who talks to it later begins as if nothing had been. */
static void pmtu__a_dead_peer_leaves_no_lesson(void **state)
{
	offer(14600);
	lose_everything(10 * NS_PER_S);
	assert_true(path()->tcp_mtu != 0);
	lose_everything(3000 * NS_PER_S);
	assert_int_equal(k()->state, TCP_CLOSED);
	assert_int_equal(path()->tcp_mtu, 0);
	finish();
}

/* --- upwards --- */

/* The path is known to carry 1064; there may be more. */
static void stand_at(uint32_t mtu)
{
	path()->tcp_mtu = mtu;
	tcp_path_changed(&t.env, t.path);
	assert_int_equal(k()->mss, mtu - HDR);
	k()->cwnd = 20 * k()->mss;
}
static void expect_probe(uint32_t at, uint32_t mtu)
{
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1 + at, 1, mtu - HDR);
	assert_int_equal(s->why, WHY_MTU_PROBE);
	assert_int_equal(s->gso_segs, 0);
}

static void req_PM_005__a_probe_that_arrives_raises_the_mss(void **state)
{
	stand_at(1064);
	offer(30000);
	expect_probe(0, 1500); /* the top first, real data, and only one at a time */
	for (uint32_t at = 1460; at < 1460 + 15 * 1024u; at += 1024)
		assert_int_equal(th_expect(&t, &q, TCP_ACK, 1 + at, 1, 1024)->why, WHY_DATA);
	th_drain(&t);
	ack(1460);
	assert_int_equal(path()->tcp_mtu, 0);
	assert_int_equal(k()->mss, 1460);
	th_drain(&t);
	ack(1460 + 15 * 1024);
	uint32_t first, largest;
	left(&first, &largest);
	assert_int_equal(largest, 1460);
	finish();
}

/* Lost probes: repeated in what passes, no congestion; twice, and the size is too large; then the middle of the rest. */
static void req_PM_005__a_lost_probe_is_no_congestion(void **state)
{
	uint32_t at = 0, want[] = {1500, 1500, (1064 + 1499 + 1) / 2};

	stand_at(1064);
	for (int i = 0; i < 3; i++) {
		uint32_t n = want[i] - HDR;
		offer(n + 10 * 1024);
		uint32_t cwnd = k()->cwnd, ssthresh = k()->ssthresh;
		expect_probe(at, want[i]);
		th_drain(&t);
		if (i == 2)
			break;
		sack(at, at + n, at + n + 4 * 1024);
		th_run(&t, 200 * NS_PER_MS); /* whatever detects loss has had its time */
		uint32_t first, largest, sum = left(&first, &largest);
		assert_true(sum >= n);
		assert_int_equal(first, at);
		assert_true(largest <= 1024);
		assert_int_equal(k()->ssthresh, ssthresh);
		assert_int_equal(k()->cwnd, cwnd);
		at += n + 10 * 1024;
		ack(at);
		assert_true(k()->cwnd >= cwnd);
		assert_int_equal(k()->mss, 1024);
		th_drain(&t);
	}
	finish();
}

/* A raised MSS does not leave a window of less than one segment. */
static void req_CC_003__a_window_of_one_segment_grows_with_the_mss(void **state)
{
	stand_at(552);
	k()->cwnd = 512;
	path()->tcp_mtu = 0; /* another connection's probe got through */
	tcp_path_changed(&t.env, t.path);
	assert_int_equal(k()->mss, 1460);
	assert_int_equal(k()->cwnd, 1460);
	finish();
}

static void pmtu__losses_beside_the_probe_are_congestion(void **state)
{
	stand_at(1064);
	offer(15 * 1024);
	expect_probe(0, 1500);
	th_drain(&t);
	uint32_t cwnd = k()->cwnd;
	sack(0, 1460 + 1024, 1460 + 6 * 1024); /* the probe and the one behind it */
	th_run(&t, 50 * NS_PER_MS);
	assert_true(k()->ssthresh < cwnd);
	assert_int_equal(path()->probe_lost, 0);
	finish();
}

static void pmtu__too_little_behind_it_no_probe(void **state)
{
	stand_at(1064);
	offer(1460 + 4 * 1024 - 1); /* its loss would not show */
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 1024)->why, WHY_DATA);
	th_drain(&t);
	ack(1460 + 4 * 1024 - 1);
	k()->cwnd = 5 * 1024;
	offer(30000); /* nor with such a window */
	assert_int_equal(th_next(&t)->why, WHY_DATA);
	th_drain(&t);
	finish();

	begin(20, 0);
	stand_at(1064);
	offer(30000);
	assert_int_equal(th_next(&t)->why, WHY_DATA);
	finish();
}

static void pmtu__a_router_answers_the_probe(void **state)
{
	stand_at(1064);
	uint32_t cwnd = k()->cwnd, ssthresh = k()->ssthresh;
	offer(15 * 1024);
	expect_probe(0, 1500);
	th_drain(&t);
	too_big(1, 1400);
	uint32_t first, largest;
	assert_int_equal(left(&first, &largest), 1460); /* the probe alone goes again */
	assert_int_equal(first, 0);
	assert_int_equal(largest, 1024);
	assert_int_equal(path()->pmtu, 1400);
	assert_int_equal(path()->tcp_mtu, 1064);
	assert_int_equal(k()->cwnd, cwnd);
	ack(15 * 1024);
	assert_int_equal(k()->ssthresh, ssthresh);
	offer(15 * 1024);
	expect_probe(15 * 1024, 1400);
	finish();
}

/* A peer that takes less than the path: no probe beyond that. */
static void pmtu__never_beyond_the_peers_mss(void **state)
{
	stand_at(1064);
	k()->peer_mss = 1200;
	offer(15 * 1024);
	expect_probe(0, 1240);
	th_drain(&t);
	ack(15 * 1024);
	assert_int_equal(k()->mss, 1200);
	assert_int_equal(path()->tcp_mtu, 1240);
	offer(15 * 1024);
	assert_int_equal(th_next(&t)->why, WHY_DATA);
	finish();
}

/* The search finds every size to within 8 bytes, in few probes, and rests for ten minutes then. */
static void req_PM_005__search_finds_the_size(void **state)
{
	static const uint32_t real[] = {1072, 1280, 1300, 1400, 1492, 1499, 1500};

	for (size_t i = 0; i < ARRAY_LEN(real); i++) {
		uint32_t at = 0, probes = 0;
		if (i)
			begin(20, 1);
		stand_at(1064);
		for (int round = 0; round < 40; round++) {
			k()->cwnd = 20 * k()->mss;
			offer(15000);
			const struct th_seg *s = th_next(&t);
			uint32_t n = s->len;
			bool is_probe = s->why == WHY_MTU_PROBE;
			probes += is_probe;
			th_drain(&t);
			if (is_probe && n + HDR > real[i]) {
				sack(at, at + n, at + 15000);
				th_run(&t, 50 * NS_PER_MS);
			}
			at += 15000;
			ack(at);
			th_drain(&t);
		}
		uint32_t found = tcp_pmtu_of(path());
		assert_in_range(found, real[i] - 8, real[i]);
		assert_int_equal(k()->mss, found - HDR);
		assert_in_range(probes, 1, 16);
		if (real[i] < 1500)
			assert_true(path()->probe_at > t.env.now + 500 * NS_PER_S);
		if (i + 1 < ARRAY_LEN(real))
			finish();
	}
	finish();
}

#define T(f) cmocka_unit_test(f)
#define O(f) cmocka_unit_test_setup(f, setup)

/* Recovery for the probe's sake leaves the window; what else is lost meanwhile does not (RFC 4821 §7.6.2, RFC 5681 §3.1). */
static void pmtu__a_loss_found_later_is_congestion_too(void **state)
{
	stand_at(1064);
	offer(15 * 1024);
	expect_probe(0, 1500);
	th_drain(&t);
	uint32_t cwnd = k()->cwnd, ssthresh = k()->ssthresh, at = 1460 + 4 * 1024;
	sack(0, 1460, at);
	th_run(&t, 20 * NS_PER_MS);
	assert_true(act()->is_mtu);
	assert_int_equal(k()->cwnd, cwnd);
	assert_int_equal(k()->ssthresh, ssthresh);
	sack(0, at + 1024, at + 5 * 1024); /* one behind the probe is missing, too */
	th_run(&t, 20 * NS_PER_MS);
	assert_true(k()->ssthresh < cwnd);
	assert_int_equal(path()->probe_lost, 1);
	/* Once. */
	ssthresh = k()->ssthresh;
	sack(0, at + 6 * 1024, at + 9 * 1024);
	th_run(&t, 20 * NS_PER_MS);
	assert_int_equal(k()->ssthresh, ssthresh);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		O(req_PM_001__too_big_goes_again_at_once_and_cwnd_stays), O(req_PM_001__a_path_is_shared),
		O(req_HARD_05__a_routers_word_is_heard_by_its_path_alone), O(req_PM_001__what_waited_below_goes_again_too),
		T(req_PM_002__never_below_the_floor_of_its_family), O(req_PM_003__only_what_is_in_flight_is_believed),
		O(req_PM_005__timeouts_lower_the_mss), O(pmtu__no_black_hole_where_something_full_arrives), O(pmtu__full_segments_are_noted),
		O(pmtu__a_dead_peer_leaves_no_lesson), O(req_PM_005__a_probe_that_arrives_raises_the_mss),
		O(req_PM_005__a_lost_probe_is_no_congestion), O(pmtu__losses_beside_the_probe_are_congestion),
		O(pmtu__a_loss_found_later_is_congestion_too),
		O(pmtu__too_little_behind_it_no_probe), O(pmtu__a_router_answers_the_probe), O(pmtu__never_beyond_the_peers_mss),
		O(req_CC_003__a_window_of_one_segment_grows_with_the_mss), O(req_PM_005__search_finds_the_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
