/* Urgent data, both ways: the mark, the octet, its announcement, and pointers that lie. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;

static void open_with(const struct tcp_opts *o)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, o);
}
static int setup(void **state)
{
	open_with(NULL);
	return 0;
}
static int setup_inline(void **state)
{
	open_with(&(struct tcp_opts){.oob_inline = true});
	return 0;
}

/* Text of the peer at seq with the urgent pointer. */
static void urgent(uint32_t seq, const char *text, uint16_t pointer)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK | TCP_URG, seq, 1);
	h.urg = pointer;
	th_inject(&t, &h, text, (uint32_t)strlen(text));
}

static bool told(void)
{
	bool yes = t.events[TH_OWNER] & TCP_EV_URGENT;
	t.events[TH_OWNER] = 0;
	return yes;
}

static bool pri(void) { return tcp_user_ready(&t.env, c) & VIA_PRI; }

static void reads(const char *want)
{
	char buf[64];
	int64_t n = tcp_user_recv(&t.env, c, buf, sizeof(buf), true); /* a peek sees the same */
	assert_int_equal(n, strlen(want));
	struct via_iov iov[4];
	uint32_t sum = 0;
	int spans = tcp_user_recv_peek(&t.env, c, iov, 4);
	for (int i = 0; i < spans; i++) {
		assert_memory_equal(iov[i].base, want + sum, iov[i].len);
		sum += iov[i].len;
	}
	assert_int_equal(sum, strlen(want));
	n = tcp_user_recv(&t.env, c, buf, sizeof(buf), false);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, strlen(want));
}

static int oob(void)
{
	uint8_t b = 0;
	int n = tcp_user_recv_oob(&t.env, c, &b, false);
	return n == 1 ? b : n;
}

/* MUST-62, MUST-30 ... 33: the pointer names the octet after the urgent one; the mark is where reading stops, so what is left before
 * it can be learnt; told once per advance. */
static void req_TCP_081__the_pointer_names_the_octet_after(void **state)
{
	assert_false(told());
	urgent(1, "abcDe", 4); /* D */
	assert_true(told());
	assert_true(pri());
	assert_int_equal(tcp_user_inq(&t.env, c), 3); /* before the mark */
	assert_false(tcp_user_atmark(&t.env, c));
	uint8_t b;
	assert_int_equal(tcp_user_recv_oob(&t.env, c, &b, true), 1); /* peeked */
	assert_int_equal(oob(), 'D');
	assert_int_equal(oob(), -EINVAL); /* once */
	assert_false(pri());
	reads("abc");
	assert_true(tcp_user_atmark(&t.env, c));
	reads("e"); /* the octet is no part of the stream */
	assert_false(tcp_user_atmark(&t.env, c));
	assert_int_equal(tcp_user_recv(&t.env, c, &b, 1, false), -EAGAIN);
	th_finish(&t, c);
}

static void req_TCP_081__told_once_per_advance(void **state)
{
	urgent(1, "ab", 10); /* octet 10, not here yet */
	assert_true(told());
	assert_false(pri());
	assert_int_equal(oob(), -EAGAIN);
	urgent(3, "cd", 8); /* the same place */
	urgent(1, "ab", 10);
	assert_false(told());
	urgent(5, "e", 3); /* an older one */
	assert_false(told());
	urgent(6, "f", 20); /* farther: octet 25 */
	assert_true(told());
	reads("abcdef"); /* nothing stops before it is here */
	th_send(&t, &q, TCP_ACK, 7, 1, "ghijklmnopqrstuvwxyz", 20);
	assert_true(told());
	assert_true(pri());
	reads("ghijklmnopqrstuvwx");
	assert_int_equal(oob(), 'y');
	reads("z");
	th_finish(&t, c);
}

/* MUST-31: a sequence of urgent data of any length; all of it may be read, the mark is at its end. */
static void req_TCP_081__any_length(void **state)
{
	static char text[3001];
	memset(text, 'u', 3000);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK | TCP_URG, 1, 1);
	for (uint32_t at = 0; at < 3000; at += 1000) {
		h.seq = q.iss + 1 + at;
		h.urg = (uint16_t)(3000 - at);
		th_inject(&t, &h, text + at, 1000);
	}
	assert_int_equal(tcp_user_inq(&t.env, c), 2999);
	assert_int_equal(oob(), 'u');
	assert_int_equal(tcp_user_recv_consume(&t.env, c, 3000), -EINVAL);
	assert_int_equal(tcp_user_recv_consume(&t.env, c, 2999), 0);
	assert_true(tcp_user_atmark(&t.env, c));
	th_finish(&t, c);
}

static void req_TCP_082__inline_stops_at_the_mark_and_goes_on(void **state)
{
	urgent(1, "abcDe", 4);
	assert_true(told());
	assert_int_equal(oob(), -EINVAL);
	reads("abc");
	assert_true(tcp_user_atmark(&t.env, c));
	reads("De");
	assert_false(tcp_user_atmark(&t.env, c));
	th_finish(&t, c);
}

static void req_TCP_082__inline_can_be_changed(void **state)
{
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.oob_inline = true});
	urgent(1, "aB", 2);
	reads("a");
	reads("B");
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){0});
	urgent(3, "cDe", 2);
	reads("c");
	assert_int_equal(oob(), 'D');
	reads("e");
	th_finish(&t, c);
}

/* Zero means the segment's first octet, as Linux; without text, a pointer only announces; far beyond, nothing is read over. */
static void req_TCP_082__pointers_that_lie(void **state)
{
	urgent(1, "Xy", 0);
	assert_int_equal(oob(), 'X');
	reads("y");
	urgent(3, "", 0); /* no octet here at all */
	assert_int_equal(oob(), -EAGAIN);
	urgent(3, "", 1);
	assert_int_equal(oob(), -EAGAIN);
	th_send(&t, &q, TCP_ACK, 3, 1, "Z", 1);
	assert_int_equal(oob(), 'Z');
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), -EAGAIN);
	urgent(4, "abc", 65535);
	reads("abc");
	assert_int_equal(oob(), -EAGAIN);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 7, 1, NULL, 0); /* it will never come */
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), 0);
	th_send(&t, &q, TCP_RST, 8, 0, NULL, 0);
	assert_int_equal(oob(), 0);
	th_finish(&t, c);
}

static void req_TCP_082__pointer_before_what_was_read(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, 1, "abc", 3);
	reads("abc");
	urgent(1, "abcd", 2); /* its octet was read long ago */
	assert_false(told());
	assert_int_equal(oob(), -EINVAL);
	reads("d");
	th_finish(&t, c);
}

static void tcp_urgent__a_second_pointer_makes_the_first_ordinary(void **state)
{
	urgent(1, "aBc", 2);
	urgent(4, "dEf", 2);
	assert_int_equal(oob(), 'E');
	reads("aBcd"); /* B was not taken in time (as Linux) */
	reads("f");
	urgent(7, "gH", 2);
	reads("g");
	urgent(9, "iJ", 2); /* the reader stood at the first mark: that octet is gone */
	reads("i");
	assert_int_equal(oob(), 'J');
	th_finish(&t, c);
}

/* The octet comes out of order: readable at once, although what is before it is missing. And: before its pointer. */
static void tcp_urgent__out_of_order(void **state)
{
	urgent(4, "dE", 2);
	assert_true(pri());
	assert_int_equal(oob(), 'E');
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), -EAGAIN);
	th_send(&t, &q, TCP_ACK, 1, 1, "abc", 3);
	reads("abcd");
	assert_true(tcp_user_atmark(&t.env, c));
	th_send(&t, &q, TCP_ACK, 7, 1, "gH", 2); /* hole at 6 */
	urgent(6, "f", 3); /* 8 is H, which is here already */
	assert_true(pri());
	assert_int_equal(oob(), 'H');
	reads("fg");
	th_finish(&t, c);
}

/* TCP-035, MUST-66: also with a shut window. */
static void req_TCP_035__urgent_with_a_zero_window(void **state)
{
	static uint8_t lots[65535];
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4096});
	uint32_t at = 0, wnd;
	while ((wnd = tcp_rcv_wnd(th_conn(&t, c)))) {
		th_send(&t, &q, TCP_ACK, 1 + at, 1, lots, MIN(wnd, 1000u));
		at += MIN(wnd, 1000u);
	}
	assert_false(told());
	urgent(1 + at, "", 7);
	assert_true(told());
	urgent(1 + at, "U", 1); /* older than that one */
	assert_false(told());
	assert_int_equal(oob(), -EAGAIN);
	th_finish(&t, c);
}

static void tcp_urgent__no_memory_leaves_it_in_line(void **state)
{
	struct tcp_state_tab *tab = tcp_tab(&t.env);
	tab->rares.obj_max = tab->rares.n_used; /* the pool is at its cap */
	if (!tab->rares.obj_max)
		tab->rares.obj_max = 1, assert_int_not_equal(pool_take(t.arena, &tab->rares), 0);
	urgent(1, "aBc", 2);
	assert_int_equal(oob(), -EINVAL);
	reads("aBc");
	assert_int_equal(tcp_user_send_oob(&t.env, c, "x", 1), -ENOBUFS);
	pktq_clear(t.env.mem, &t.txq);
	th_fini(&t);
}

/* Urgent before accept(): the child keeps it. */
static void tcp_urgent__of_a_queued_child(void **state)
{
	th_listen(&t, 4, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.sport++;
	th_inject(&t, &h, NULL, 0);
	for (const struct th_seg *s; (s = th_next(&t));)
		q.irs = s->h.seq;
	h = th_hdr(&q, TCP_ACK | TCP_URG, 1, 1);
	h.sport++;
	h.urg = 2;
	th_inject(&t, &h, "aB", 2);
	ref_t first = c;
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_true(pri());
	assert_int_equal(oob(), 'B');
	reads("a");
	tcp_user_close(&t.env, c, true);
	th_unlisten(&t);
	th_finish(&t, first);
}

/* --- sending --- */

static void req_TCP_082__msg_oob_sends_a_pointer(void **state)
{
	assert_int_equal(tcp_user_send_oob(&t.env, c, "abc", 3), 3);
	th_flush(&t);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK | TCP_URG, 1, 1, 3);
	assert_int_equal(s->h.urg, 3); /* the octet after 'c' */
	assert_int_equal(tcp_user_send(&t.env, c, "de", 2, false), 2);
	th_conn(&t, c)->nodelay = 1;
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.nodelay = true});
	th_flush(&t);
	s = th_expect(&t, &q, TCP_ACK, 4, 1, 2); /* behind it: no pointer */
	assert_int_equal(s->h.urg, 0);
	th_run(&t, 1500 * NS_PER_MS); /* the repetition has it again */
	s = th_next(&t);
	assert_int_equal(s->h.flags & TCP_URG, TCP_URG);
	assert_int_equal(s->h.seq - q.irs, 1);
	assert_int_equal(s->h.urg, 3);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 6, NULL, 0);
	tcp_user_send(&t.env, c, "f", 1, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 6, 1, 1);
	th_finish(&t, c);
}

/* Each segment up to it says how far it is; none is a superframe, whose cuts would all say the same. */
static void tcp_urgent__each_segment_points_there(void **state)
{
	static uint8_t lots[5001];
	assert_int_equal(tcp_user_send_oob(&t.env, c, lots, 5001), 5001);
	th_flush(&t);
	uint32_t at = 1;
	for (const struct th_seg *s; (s = th_next(&t)); at += s->len) {
		assert_int_equal(s->gso_segs, 0);
		assert_true(s->h.flags & TCP_URG);
		assert_int_equal(s->h.seq - q.irs, at);
		assert_int_equal(s->h.urg, 5002 - at);
	}
	assert_int_equal(at, 5002);
	th_finish(&t, c);
}

/* Nagle and cork do not hold it; a shut window does not hide it. */
static void tcp_urgent__goes_at_once(void **state)
{
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.cork = true});
	tcp_user_send(&t.env, c, "a", 1, false);
	th_flush(&t);
	th_expect_none(&t);
	tcp_user_send_oob(&t.env, c, "b", 1);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK | TCP_URG, 1, 1, 2);
	q.wnd = 0;
	th_send(&t, &q, TCP_ACK, 1, 3, NULL, 0);
	tcp_user_send_oob(&t.env, c, "c", 1);
	th_flush(&t);
	th_run(&t, 1500 * NS_PER_MS);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK | TCP_URG, 3, 1, 0); /* the peer looks at this one */
	assert_int_equal(s->h.urg, 1);
	th_expect(&t, &q, TCP_ACK, 2, 1, 0); /* and answers this one */
	th_finish(&t, c);
}

/* SND.UP of long ago would seem to lie ahead after 2^31 bytes more: a pointer into ordinary data takes an octet out of the stream. */
static void tcp_urgent__what_was_acknowledged_is_not_urgent_again(void **state)
{
	assert_int_equal(tcp_user_send_oob(&t.env, c, "a", 1), 1);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK | TCP_URG, 1, 1, 1);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	struct tcp_conn *k = th_conn(&t, c);
	tcp_rare_of(&t.env, k)->snd_up = k->snd_una + 0x7ffffff0; /* as that mark looks from there */
	assert_int_equal(tcp_user_send(&t.env, c, "b", 1, false), 1);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 2, 1, 1);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
#define I(f) cmocka_unit_test_setup(f, setup_inline)
	const struct CMUnitTest tests[] = {
		T(req_TCP_081__the_pointer_names_the_octet_after), T(req_TCP_081__told_once_per_advance), T(req_TCP_081__any_length),
		I(req_TCP_082__inline_stops_at_the_mark_and_goes_on), T(req_TCP_082__inline_can_be_changed), T(req_TCP_082__pointers_that_lie),
		T(req_TCP_082__pointer_before_what_was_read), T(tcp_urgent__a_second_pointer_makes_the_first_ordinary),
		T(tcp_urgent__out_of_order), T(req_TCP_035__urgent_with_a_zero_window), T(tcp_urgent__no_memory_leaves_it_in_line),
		T(tcp_urgent__of_a_queued_child), T(req_TCP_082__msg_oob_sends_a_pointer), T(tcp_urgent__each_segment_points_there),
		T(tcp_urgent__goes_at_once), T(tcp_urgent__what_was_acknowledged_is_not_urgent_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
