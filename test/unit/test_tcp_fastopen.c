/* Fast Open, client and server, apart and against each other; the cookie against Linux's own numbers. */
#include <errno.h>
#include <linux/tcp.h>

#include "test/unit/tcp_harness.h"

#include "tcp/fastopen.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[5000];

#define COOKIE 8
static uint8_t cookie[16];

static void set(uint16_t bits) { tcp_settings_of(&t.env)->fastopen = bits; }

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31);
	set(TCP_FASTOPEN_CLIENT | TCP_FASTOPEN_SERVER);
	return 0;
}

/* Also the cache of cookies goes. */
static void done(ref_t conn)
{
	if (t.listener)
		th_unlisten(&t);
	tcp_fastopen_forget(&t.env);
	th_finish(&t, conn);
}

static uint8_t options(ref_t conn)
{
	struct tcp_info i;
	tcp_conn_linux_info(&t.env, conn, &i, sizeof(i));
	return i.tcpi_options;
}

/* --- server --- */

static void listen_with(uint32_t max, const struct tcp_opts *o)
{
	th_listen(&t, 4, o);
	tcp_listener_at(&t.env, t.listener)->fo_max = max;
}

static struct tcp_hdr syn_with(const void *fo, uint8_t len)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.has_mss = true;
	h.mss = 1460;
	h.has_fo = true;
	h.fo_len = len;
	if (len)
		memcpy(h.fo, fo, len);
	return h;
}

/* Ask the listener for a cookie, and forget the attempt. */
static void ask(void)
{
	struct tcp_hdr h = syn_with(NULL, 0);
	h.sport = 999;
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_true(s->h.has_fo);
	assert_int_equal(s->h.fo_len, COOKIE);
	memcpy(cookie, s->h.fo, COOKIE);
	h.flags = TCP_RST;
	h.seq++;
	th_inject(&t, &h, NULL, 0);
	th_expect_none(&t);
}

/* The values that Linux's own tests of TCP name (tools/testing/selftests/net/packetdrill): SipHash of 192.0.2.1 and 192.168.0.1 under the
 * keys a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4 and 0. */
static void req_TX_013__the_cookie_is_linuxs(void **state)
{
	static const uint8_t want[2][COOKIE] = {{0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb},
						{0xb7, 0xc1, 0x23, 0x50, 0xa9, 0x0d, 0xc8, 0xf5}};
	th_path(&t)->p.local = via_addr_v4(0xc0a80001);
	th_path(&t)->p.remote = via_addr_v4(0xc0000201);
	listen_with(1, NULL);
	struct tcp_listener *l = tcp_listener_at(&t.env, t.listener);
	l->fo_n_keys = 1;
	for (int i = 0; i < 2; i++) {
		l->fo_keys[0] = i ? (struct prf_key){0, 0} : (struct prf_key){0xb2b2b2b2a1a1a1a1, 0xd4d4d4d4c3c3c3c3};
		ask();
		assert_memory_equal(cookie, want[i], COOKIE);
	}
	done(0);
}

static void req_TX_013__a_good_cookie_opens_at_once(void **state)
{
	char buf[16];
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.ack, q.iss + 6); /* the text, too */
	assert_false(s->h.has_fo);
	q.irs = s->h.seq;
	assert_true(t.events[TH_LISTEN_OWNER] & TCP_EV_LISTEN);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER); /* before the third ACK */
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_RECEIVED);
	assert_int_equal(tcp_user_ready(&t.env, c), VIA_IN | VIA_OUT);
	assert_true(options(c) & TCPI_OPT_SYN_DATA);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 16, false), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(tcp_user_send(&t.env, c, "world", 5, false), 5); /* and the answer goes */
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 6, 5);
	th_send(&t, &q, TCP_ACK, 6, 1, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_send(&t, &q, TCP_ACK, 6, 6, NULL, 0);
	th_expect_none(&t);
	done(c);
}

static void req_TX_013__without_text_the_user_may_still_speak(void **state)
{
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, NULL, 0);
	q.irs = th_next(&t)->h.seq;
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_false(options(c) & TCPI_OPT_SYN_DATA);
	tcp_user_send(&t.env, c, data, 3000, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 1, 1460);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 3001, NULL, 0); /* all of it at once */
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	done(c);
}

/* §4.2.2: anything else than a good cookie acknowledges the SYN alone and gets a good one. */
static void req_TX_013__a_wrong_cookie_gets_a_fresh_one(void **state)
{
	listen_with(5, NULL);
	ask();
	uint8_t wrong[16];
	for (int i = 0; i < 12; i++) {
		uint8_t len = i < 8 ? COOKIE : (uint8_t[]){4, 6, 10, 16}[i - 8];
		memset(wrong, 0, sizeof(wrong));
		memcpy(wrong, cookie, COOKIE);
		if (i < 8)
			wrong[i] ^= 1;
		struct tcp_hdr h = syn_with(wrong, len);
		h.sport = (uint16_t)(5000 + i);
		th_inject(&t, &h, "hello", 5);
		const struct th_seg *s = th_next(&t);
		assert_int_equal(s->h.ack, q.iss + 1);
		assert_true(s->h.has_fo);
		assert_memory_equal(s->h.fo, cookie, COOKIE);
		assert_int_equal(tcp_user_accept(&t.env, t.listener, TH_OWNER), 0);
	}
	th_path(&t)->p.remote = via_addr_v4(TH_B + 1); /* bound to the client's address */
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 1);
	th_path(&t)->p.remote = via_addr_v4(TH_B);
	done(0);
}

static void req_TX_013__keys_change_and_yesterdays_still_counts(void **state)
{
	listen_with(5, NULL);
	ask();
	uint8_t first[COOKIE];
	memcpy(first, cookie, COOKIE);
	th_run(&t, 86400 * NS_PER_S);
	struct tcp_hdr h = syn_with(first, COOKIE);
	th_inject(&t, &h, "hello", 5);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.ack, q.iss + 6); /* taken, and a new one comes along */
	assert_true(s->h.has_fo);
	assert_memory_not_equal(s->h.fo, first, COOKIE);
	memcpy(cookie, s->h.fo, COOKIE);
	tcp_user_close(&t.env, tcp_user_accept(&t.env, t.listener, TH_OWNER), true);
	th_flush(&t);
	th_drain(&t);
	th_run(&t, 86400 * NS_PER_S);
	h = syn_with(first, COOKIE);
	h.sport++;
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 1); /* the day before yesterday's is none */
	h = syn_with(cookie, COOKIE);
	h.sport += 2;
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 6);
	done(0);
}

static void req_TX_013__off_by_default(void **state)
{
	listen_with(0, NULL); /* the setting alone does not do it */
	struct tcp_hdr h = syn_with(NULL, 0);
	th_inject(&t, &h, NULL, 0);
	assert_false(th_next(&t)->h.has_fo);
	th_unlisten(&t);
	listen_with(5, NULL);
	ask();
	set(0); /* nor the option alone; and 0 is the default */
	h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.ack, q.iss + 1);
	assert_false(s->h.has_fo);
	struct th fresh;
	th_init(&fresh, TH_A, TH_B, NULL, 2);
	assert_int_equal(tcp_settings_of(&fresh.env)->fastopen, 0);
	th_fini(&fresh);
	done(0);
}

static void req_TX_013__the_pending_limit_holds(void **state)
{
	listen_with(2, NULL);
	ask();
	uint32_t irs[4];
	for (int i = 0; i < 3; i++) {
		struct tcp_hdr h = syn_with(cookie, COOKIE);
		h.sport = (uint16_t)(5000 + i);
		th_inject(&t, &h, "hello", 5);
		const struct th_seg *s = th_next(&t);
		irs[i] = s->h.seq;
		assert_int_equal(s->h.ack, q.iss + (i < 2 ? 6 : 1)); /* the third goes the ordinary way */
	}
	struct tcp_hdr a = th_hdr(&q, TCP_ACK, 6, 0);
	a.sport = 5000;
	a.ack = irs[0] + 1;
	th_inject(&t, &a, NULL, 0); /* one is established: there is room again */
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	h.sport = 5003;
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 6);
	h.sport = 5003; /* reset by whom it was sent in the name of: still counts, for a minute (§5.1) */
	h.flags = TCP_RST;
	h.seq += 6;
	th_inject(&t, &h, NULL, 0);
	h = syn_with(cookie, COOKIE);
	h.sport = 5004;
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 1);
	th_run(&t, 61 * NS_PER_S);
	th_drain(&t);
	h.sport = 5005;
	th_inject(&t, &h, "hello", 5);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 6);
	done(0);
}

static void tcp_fastopen__reset_before_accept(void **state)
{
	char buf[8];
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	q.irs = th_next(&t)->h.seq;
	th_send(&t, &q, TCP_RST, 6, 0, NULL, 0);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER); /* it does not go away: its text is read, then the error (as Linux) */
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 5);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), -ECONNRESET);
	done(c);
}

static void tcp_fastopen__listener_closed_with_one_pending(void **state)
{
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	q.irs = th_next(&t)->h.seq;
	h.sport++;
	th_inject(&t, &h, "hello", 5);
	uint32_t irs = th_next(&t)->h.seq;
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER); /* the first: it outlives its listener */
	th_unlisten(&t);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(s->h.seq, irs + 1);
	assert_int_equal(s->h.ack, q.iss + 6);
	th_send(&t, &q, TCP_ACK, 6, 1, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	done(c);
}

static void tcp_fastopen__fin_is_the_third_ack(void **state)
{
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	q.irs = th_next(&t)->h.seq;
	th_send(&t, &q, TCP_FIN | TCP_ACK, 6, 1, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1, 7, 0);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_user_inq(&t.env, c), 5);
	done(c);
}

/* The third ACK is lost: SYN-ACK again, not the text, until it is given up. */
static void tcp_fastopen__the_syn_ack_is_repeated(void **state)
{
	listen_with(2, NULL);
	ask();
	struct tcp_hdr h = syn_with(cookie, COOKIE);
	th_inject(&t, &h, "hello", 5);
	q.irs = th_next(&t)->h.seq;
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	tcp_user_send(&t.env, c, "world", 5, false);
	th_flush(&t);
	th_drain(&t);
	th_run(&t, 1100 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.ack, q.iss + 6);
	th_expect_none(&t);
	th_run(&t, 600 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_listener_at(&t.env, t.listener)->fo.n, 0);
	done(c);
}

/* Cookies of a flood and Fast Open's: the flood's win. A good Fast Open cookie with text opens nothing, its text is not acknowledged and
 * comes again; ECN is agreed if there is a timestamp to keep it in. */
static void tcp_fastopen__under_a_flood_syn_cookies_win(void **state)
{
	for (int ts = 0; ts < 2; ts++) {
		char buf[8];
		if (ts)
			setup(state);
		t.env.ecn = 1;
		listen_with(2, NULL);
		ask();
		tcp_settings_of(&t.env)->syncookies = 2;
		struct tcp_hdr h = syn_with(cookie, COOKIE);
		h.flags |= TCP_ECE | TCP_CWR;
		h.has_ts = ts;
		h.tsval = 9;
		th_inject(&t, &h, "hello", 5);
		const struct th_seg *s = th_next(&t);
		assert_int_equal(s->why, WHY_SYN_COOKIE);
		assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK | (ts ? TCP_ECE : 0));
		assert_int_equal(s->h.ack, q.iss + 1);
		assert_false(s->h.has_fo);
		assert_int_equal(t.n_nodes, 0);
		q.irs = s->h.seq;
		q.ts = ts;
		q.tsval = 10;
		q.tsecr = s->h.tsval;
		th_send(&t, &q, TCP_ACK, 1, 1, "hello", 5);
		th_drain(&t);
		c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_not_equal(c, 0);
		assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 5);
		assert_memory_equal(buf, "hello", 5);
		assert_int_equal(th_conn(&t, c)->ecn, ts ? TCP_ECN_FULL : TCP_ECN_OFF);
		assert_int_equal(tcp_listener_at(&t.env, t.listener)->fo.n, 0);
		done(c);
	}
}

static void tcp_fastopen__no_cookie_required(void **state)
{
	set(TCP_FASTOPEN_SERVER | TCP_FASTOPEN_SERVER_NO_COOKIE);
	listen_with(2, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	th_inject(&t, &h, data, 1000);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 1001);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_equal(tcp_user_inq(&t.env, c), 1000);
	done(c);
}

/* The option's older form is answered in the same. */
static void tcp_fastopen__experimental_option(void **state)
{
	listen_with(2, NULL);
	struct tcp_hdr h = syn_with(NULL, 0);
	h.fo_exp = true;
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_true(s->h.has_fo && s->h.fo_exp);
	memcpy(cookie, s->h.fo, COOKIE);
	h = syn_with(cookie, COOKIE);
	h.fo_exp = true;
	h.sport++;
	th_inject(&t, &h, "hi", 2);
	assert_int_equal(th_next(&t)->h.ack, q.iss + 3);
	done(0);
}

/* --- client --- */

static uint16_t port = 3000;

static void begin(const struct tcp_opts *o)
{
	th_op_path_hold(&t, t.path);
	struct tcp_opts with = o ? *o : (struct tcp_opts){0};
	with.fastopen = true;
	assert_int_equal(tcp_user_connect(&t.env, t.path, ++port, TH_RPORT, &with, TH_OWNER, &c), 0);
	th_flush(&t);
}

static const struct th_seg *take_syn(uint8_t fo_len, uint32_t len)
{
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, TCP_SYN);
	assert_int_equal(s->len, len);
	assert_true(s->h.has_fo);
	assert_int_equal(s->h.fo_len, fo_len);
	assert_memory_equal(s->h.fo, cookie, fo_len);
	assert_memory_equal(s->data, data, len);
	q.irs = s->h.seq;
	th_expect_none(&t);
	return s;
}

/* SYN-ACK of the peer for `ack`, with a cookie (len 0: none). */
static void answer(uint32_t ack, uint16_t mss, const void *fo, uint8_t len)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, ack);
	h.dport = port;
	h.has_mss = true;
	h.mss = mss;
	h.sack_permitted = true;
	h.has_fo = len != 0;
	h.fo_len = len;
	if (len)
		memcpy(h.fo, fo, len);
	th_inject(&t, &h, NULL, 0);
}

static void end(void)
{
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	th_drain(&t);
}

/* One connection that brings a cookie home. */
static void warm_up(uint16_t mss, const char *fo)
{
	memset(cookie, 0, sizeof(cookie));
	begin(NULL);
	assert_false(tcp_user_waits(&t.env, c));
	take_syn(0, 0); /* asks */
	memcpy(cookie, fo, strlen(fo));
	answer(1, mss, cookie, (uint8_t)strlen(fo));
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_false(options(c) & TCPI_OPT_SYN_DATA);
	end();
}

static void req_TX_013__text_on_the_syn(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	assert_true(tcp_user_waits(&t.env, c));
	th_expect_none(&t);
	assert_int_equal(tcp_user_ready(&t.env, c), VIA_OUT);
	assert_int_equal(tcp_user_recv(&t.env, c, data, 1, false), -EAGAIN);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), 1000);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), -EAGAIN); /* one SYN */
	th_flush(&t);
	take_syn(8, 1000);
	answer(1001, 1460, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1001, 1, 0);
	assert_true(options(c) & TCPI_OPT_SYN_DATA);
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	assert_true(th_conn(&t, c)->srtt_us != 0);
	assert_int_equal(tcp_user_send(&t.env, c, data, 10, false), 10);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1001, 1, 10);
	done(c);
}

/* The peer's MSS of last time, TCP_MAXSEG and the path bound it, 40 bytes for options off. */
static void req_TX_013__how_much_fits(void **state)
{
	warm_up(940, "abcd");
	begin(NULL);
	assert_int_equal(tcp_user_send(&t.env, c, data, 2000, false), 900);
	th_flush(&t);
	take_syn(4, 900);
	answer(901, 10000, NULL, 0);
	end();
	begin(NULL);
	assert_int_equal(tcp_user_send(&t.env, c, data, 2000, false), 1420);
	end();
	begin(&(struct tcp_opts){.mss_clamp = 1040});
	assert_int_equal(tcp_user_send(&t.env, c, data, 2000, false), 1000);
	end();
	done(0);
}

static void req_TX_013__unacknowledged_text_goes_again_at_once(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1420, false);
	th_flush(&t);
	take_syn(8, 1420);
	answer(1, 1040, "12345678", 8); /* the server takes the SYN only, and its MSS is smaller now */
	uint32_t at = 1;
	for (const struct th_seg *s; (s = th_next(&t)); at += s->len) {
		assert_int_equal(s->h.seq - q.irs, at);
		assert_true(s->len <= 1040);
		assert_memory_equal(s->data, data + at - 1, s->len);
	}
	assert_int_equal(at, 1421);
	assert_false(options(c) & TCPI_OPT_SYN_DATA);
	assert_int_equal(th_conn(&t, c)->cwnd, tcp_cc_initial_window(1040)); /* no congestion */
	end();
	memcpy(cookie, "12345678", 8); /* the new cookie counts */
	begin(NULL);
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	take_syn(8, 100);
	answer(51, 1460, NULL, 0); /* half of it */
	th_expect(&t, &q, TCP_ACK, 51, 1, 50);
	th_expect_none(&t);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 101); /* that was no answer of the user's: the first text is acknowledged at once */
	h.dport = port;
	th_inject(&t, &h, "x", 1);
	th_expect(&t, &q, TCP_ACK, 101, 2, 0);
	done(c);
}

/* The link takes nothing when the SYN-ACK comes, and the peer speaks meanwhile: what it refused was not lost, no window falls. */
static void req_TX_013__refused_text_is_no_congestion(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1420, false), 1420);
	th_flush(&t);
	take_syn(8, 1420);
	t.room = 0;
	answer(1, 1460, NULL, 0);
	th_expect_none(&t);
	uint32_t cwnd = th_conn(&t, c)->cwnd;
	for (uint32_t i = 0; i < 3; i++) {
		struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1 + i, 1);
		h.dport = port;
		th_inject(&t, &h, "x", 1);
	}
	assert_int_equal(th_conn(&t, c)->cwnd, cwnd);
	assert_int_equal(th_conn(&t, c)->ssthresh, TCP_SSTHRESH_INFINITE);
	t.room = UINT32_MAX;
	tcp_tx_room(&t.env, 2);
	th_flush(&t);
	uint32_t again = 0;
	for (const struct th_seg *s; (s = th_next(&t)); again += s->len)
		assert_true(!s->len || s->h.seq - q.irs == 1 + again);
	assert_int_equal(again, 1420);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 4, 1421);
	h.dport = port;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	assert_true(th_conn(&t, c)->cwnd >= cwnd);
	assert_int_equal(th_conn(&t, c)->ssthresh, TCP_SSTHRESH_INFINITE);
	done(c);
}

static void req_TX_013__a_repeated_syn_is_bare(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1000, false);
	th_flush(&t);
	take_syn(8, 1000);
	th_run(&t, 1100 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN);
	assert_false(s->h.has_fo);
	assert_int_equal(s->len, 0);
	assert_int_equal(s->h.seq, q.irs);
	answer(1, 1460, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1, 1, 1000);
	th_send(&t, &q, TCP_ACK, 1, 1001, NULL, 0);
	done(c);
}

/* Where text on SYNs is lost twice in a row there is none for minutes; then one try, and silence for twice as long. */
static void req_TX_013__black_holes_are_remembered(void **state)
{
	warm_up(1460, "abcd1234");
	int64_t silent[2] = {0};
	for (int round = 0; round < 3; round++) {
		begin(NULL);
		assert_true(tcp_user_waits(&t.env, c));
		tcp_user_send(&t.env, c, data, 1000, false);
		th_flush(&t);
		take_syn(8, 1000);
		th_run(&t, 1100 * NS_PER_MS);
		th_drain(&t);
		answer(1, 1460, NULL, 0);
		end();
		if (!round)
			continue;
		int64_t from = t.env.now;
		for (;; th_run(&t, 10 * NS_PER_S)) {
			begin(NULL);
			bool waits = tcp_user_waits(&t.env, c);
			if (!waits) {
				assert_false(th_next(&t)->h.has_fo);
				th_drain(&t);
			}
			end();
			if (waits)
				break;
		}
		silent[round - 1] = t.env.now - from;
	}
	assert_in_range(silent[0], 230 * NS_PER_S, 250 * NS_PER_S);
	assert_in_range(silent[1], 470 * NS_PER_S, 490 * NS_PER_S);
	done(0);
}

/* §4.1.1: 4 to 16 bytes, even; others, and those nobody asked for, are none. */
static void req_TX_013__which_cookies_are_kept(void **state)
{
	warm_up(1460, "abcd");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1, false);
	th_flush(&t);
	take_syn(4, 1);
	answer(2, 1460, "0123456789abcdef", 16);
	end();
	memcpy(cookie, "0123456789abcdef", 16);
	begin(NULL);
	tcp_user_send(&t.env, c, NULL, 0, false); /* nothing to send is a SYN with the cookie */
	th_flush(&t);
	take_syn(16, 0);
	th_send(&t, &q, TCP_RST | TCP_ACK, 0, 1, NULL, 0);
	end();
	th_op_path_hold(&t, t.path); /* one that did not ask */
	assert_int_equal(tcp_user_connect(&t.env, t.path, ++port, TH_RPORT, NULL, TH_OWNER, &c), 0);
	th_flush(&t);
	q.irs = th_next(&t)->h.seq;
	answer(1, 1460, "zzzz", 4);
	end();
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1, false);
	th_flush(&t);
	take_syn(16, 1);
	done(c);
}

static void tcp_fastopen__the_cache_is_bounded(void **state)
{
	struct via_addr b = th_path(&t)->p.remote;
	warm_up(1460, "abcd1234");
	size_t used = arena_bytes_used(t.arena);
	for (uint32_t i = 1; i < 1000; i++) {
		th_path(&t)->p.remote = via_addr_v4(TH_B + i);
		warm_up(1460, "abcd1234");
		th_run(&t, 10 * NS_PER_MS);
	}
	assert_int_equal(arena_bytes_used(t.arena), used);
	begin(NULL);
	assert_true(tcp_user_waits(&t.env, c)); /* the newest is there */
	end();
	th_path(&t)->p.remote = b;
	begin(NULL);
	assert_false(tcp_user_waits(&t.env, c)); /* the oldest went */
	end();
	done(0);
}

static void tcp_fastopen__refused_and_closed(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1420, false);
	th_flush(&t);
	take_syn(8, 1420);
	struct tcp_hdr h = th_hdr(&q, TCP_RST | TCP_ACK, 0, 1);
	h.dport = port;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1, false), -ECONNREFUSED);
	end();
	begin(NULL); /* closed before anything was sent: nothing is */
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect_none(&t);
	done(0);
}

/* An acknowledgement beyond the text opens nothing; a SYN from there does, even while ours waits. */
static void tcp_fastopen__odd_answers(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	take_syn(8, 100);
	answer(102, 1460, "zzzz", 4);
	assert_int_equal(th_next(&t)->h.flags, TCP_RST);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_SENT);
	end();
	begin(NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.dport = port;
	th_inject(&t, &h, NULL, 0);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	q.irs = s->h.seq;
	h = th_hdr(&q, TCP_ACK, 1, 1);
	h.dport = port;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_send(&t.env, c, data, 10, false), 10);
	done(c);
}

static void tcp_fastopen__too_big_for_the_path(void **state)
{
	warm_up(1460, "abcd1234");
	begin(NULL);
	tcp_user_send(&t.env, c, data, 1420, false);
	th_flush(&t);
	take_syn(8, 1420);
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs, 800);
	th_flush(&t);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_SYN);
	assert_int_equal(s->len, 0);
	answer(1, 1460, NULL, 0);
	uint32_t sum = 0;
	while ((s = th_next(&t))) {
		assert_true(s->len <= 760);
		sum += s->len;
	}
	assert_int_equal(sum, 1420);
	done(c);
}

/* RFC 7323, as Linux: an answer that echoes what was never sent is no answer. */
static void tcp_open__echo_of_another_time(void **state)
{
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, ++port, TH_RPORT, NULL, TH_OWNER, &c), 0);
	th_flush(&t);
	const struct th_seg *s = th_next(&t);
	q.irs = s->h.seq;
	q.ts = true;
	uint32_t sent = s->h.tsval;
	th_run(&t, 50 * NS_PER_MS);
	static const int32_t off[] = {-1, 51, INT32_MIN, 10};
	for (unsigned i = 0; i < ARRAY_LEN(off); i++) {
		q.tsecr = sent + (uint32_t)off[i];
		answer(1, 1460, NULL, 0);
		assert_int_equal(th_next(&t)->h.flags, i == 3 ? TCP_ACK : TCP_RST);
		assert_int_equal(tcp_conn_state(&t.env, c), i == 3 ? TCP_ESTABLISHED : TCP_SYN_SENT);
	}
	done(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TX_013__the_cookie_is_linuxs), T(req_TX_013__a_good_cookie_opens_at_once),
		T(req_TX_013__without_text_the_user_may_still_speak), T(req_TX_013__a_wrong_cookie_gets_a_fresh_one),
		T(req_TX_013__keys_change_and_yesterdays_still_counts), T(req_TX_013__off_by_default), T(req_TX_013__the_pending_limit_holds),
		T(tcp_fastopen__reset_before_accept), T(tcp_fastopen__listener_closed_with_one_pending), T(tcp_fastopen__fin_is_the_third_ack),
		T(tcp_fastopen__the_syn_ack_is_repeated), T(tcp_fastopen__no_cookie_required), T(tcp_fastopen__experimental_option),
		T(req_TX_013__text_on_the_syn), T(req_TX_013__how_much_fits), T(req_TX_013__unacknowledged_text_goes_again_at_once),
		T(req_TX_013__refused_text_is_no_congestion),
		T(tcp_fastopen__under_a_flood_syn_cookies_win),
		T(req_TX_013__a_repeated_syn_is_bare),
		T(req_TX_013__black_holes_are_remembered), T(req_TX_013__which_cookies_are_kept),
		T(tcp_fastopen__the_cache_is_bounded), T(tcp_fastopen__refused_and_closed), T(tcp_fastopen__odd_answers),
		T(tcp_fastopen__too_big_for_the_path), T(tcp_open__echo_of_another_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
