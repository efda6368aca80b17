/* TCP_INFO's counters and times, field by field, against hand-made peers. The meanings are Linux's: net/ipv4/tcp.c, tcp_get_info(). */
#include <errno.h>
#include <linux/inet_diag.h>
#include <viaduct/tcp_info.h>

#include "tcp/tally.h"
#include "test/unit/loss_harness.h"

static struct via_tcp_info info(void)
{
	struct via_tcp_info i = {0};
	assert_int_equal(tcp_conn_linux_info(&t.env, c, &i, sizeof(i)), 280);
	return i;
}

/* --- what is counted --- */

/* A SYN counts as delivered and acknowledged, as in Linux; text once, in segments and bytes. */
static void tcp_info__text_and_handshake_are_counted(void **state)
{
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_delivered, 1);
	assert_int_equal(i.tcpi_bytes_acked, 1);
	assert_int_equal(i.tcpi_bytes_sent, 0);
	assert_int_equal(i.tcpi_delivery_rate_app_limited, 1);
	assert_int_equal(i.tcpi_ato, 0);
	uint32_t in = i.tcpi_segs_in, out = i.tcpi_segs_out;
	fill(5);
	assert_int_equal(tcp_user_send(&t.env, c, data, 300, false), 300);
	th_flush(&t);
	th_drain(&t);
	i = info();
	assert_int_equal(i.tcpi_unacked, 6);
	assert_int_equal(i.tcpi_data_segs_out, 6);
	assert_int_equal(i.tcpi_delivered, 1);
	ack(2);
	assert_int_equal(info().tcpi_delivered, 3);
	assert_int_equal(info().tcpi_bytes_acked, 1 + 2 * MSS);
	th_send(&t, &q, TCP_ACK, 1, 1 + 5 * MSS + 300, data, 700); /* text, and the rest acknowledged */
	i = info();
	assert_int_equal(i.tcpi_delivered, 7);
	assert_int_equal(i.tcpi_delivered_ce, 0);
	assert_int_equal(i.tcpi_bytes_acked, 1 + 5 * MSS + 300);
	assert_int_equal(i.tcpi_bytes_sent, 5 * MSS + 300);
	assert_int_equal(i.tcpi_bytes_retrans, 0);
	assert_int_equal(i.tcpi_data_segs_in, 1);
	assert_int_equal(i.tcpi_bytes_received, 700);
	assert_int_equal(i.tcpi_segs_in, in + 2);
	assert_true(i.tcpi_segs_out >= out + 6);
	assert_int_equal(i.tcpi_ato, 40000);
	th_finish(&t, c);
}

/* FIN: one more delivered, one more byte acknowledged, and received (as Linux), but no data. */
static void tcp_info__fin_counts_as_in_linux(void **state)
{
	fill(1);
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_data_segs_out, 1);
	assert_int_equal(i.tcpi_unacked, 2);
	th_send(&t, &q, TCP_ACK, 1, 2 + MSS, NULL, 0);
	i = info();
	assert_int_equal(i.tcpi_delivered, 3);
	assert_int_equal(i.tcpi_bytes_acked, 1 + MSS + 1);
	assert_int_equal(i.tcpi_bytes_sent, MSS);
	assert_int_equal(i.tcpi_bytes_received, 0);
	th_finish(&t, c);
}

/* Half of a superframe that counts as delivered when SACKed is not counted again when acknowledged. */
static void tcp_info__sacked_is_delivered_once(void **state)
{
	fill(10);
	SACK(0, 4, 7);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_delivered, 1 + 3);
	assert_int_equal(i.tcpi_sacked, 3);
	assert_int_equal(i.tcpi_unacked, 10);
	ack(10);
	assert_int_equal(info().tcpi_delivered, 1 + 10);
	th_finish(&t, c);
}

static void tcp_info__repetitions_by_segment_and_byte(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4); /* 0 is lost */
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_ca_state, 3);
	assert_int_equal(i.tcpi_total_retrans, 1);
	assert_int_equal(i.tcpi_bytes_retrans, MSS);
	assert_int_equal(i.tcpi_bytes_sent, 11 * MSS);
	assert_int_equal(i.tcpi_data_segs_out, 11);
	assert_int_equal(i.tcpi_retrans, 1); /* in flight again */
	assert_int_equal(i.tcpi_lost, 1);    /* Linux's lost_out counts it until it has come */
	assert_int_equal(i.tcpi_snd_ssthresh, 5);
	ack(10);
	i = info();
	assert_int_equal(i.tcpi_retrans, 0);
	assert_int_equal(i.tcpi_lost, 0);
	assert_int_equal(i.tcpi_total_retrans, 1);
	th_finish(&t, c);
}

/* SACKed but nothing lost: disorder, which is no recovery. */
static void tcp_info__disorder(void **state)
{
	assert_int_equal(info().tcpi_ca_state, 0);
	fill(10);
	SACK(0, 1, 2);
	assert_int_equal(info().tcpi_ca_state, 1);
	ack(10);
	assert_int_equal(info().tcpi_ca_state, 0);
	th_finish(&t, c);
}

static void tcp_info__dsack_and_reordering(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	assert_int_equal(info().tcpi_dsack_dups, 0);
	ack(4);
	SACK(4, 0, 1);
	assert_int_equal(info().tcpi_dsack_dups, 1);
	assert_int_equal(info().tcpi_reord_seen, 0);
	SACK(4, 6, 8);
	SACK(6, 6, 8); /* 4 and 5 came after 6 and 7 */
	assert_int_equal(info().tcpi_reord_seen, 1);
	th_finish(&t, c);
}

static void tcp_info__out_of_order_in(void **state)
{
	th_send(&t, &q, TCP_ACK, 1001, 1, data, 1000);
	th_send(&t, &q, TCP_ACK, 2001, 1, data, 1000);
	assert_int_equal(info().tcpi_rcv_ooopack, 2);
	th_send(&t, &q, TCP_ACK, 1, 1, data, 1000);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_rcv_ooopack, 2);
	assert_int_equal(i.tcpi_data_segs_in, 3);
	assert_int_equal(i.tcpi_bytes_received, 3000);
	assert_int_equal(i.tcpi_rcv_wnd, th_conn(&t, c)->rcv_adv - th_conn(&t, c)->rcv_acked);
	th_finish(&t, c);
}

/* What an ACK with ECE delivers is delivered_ce. */
static void tcp_info__ecn_echo(void **state)
{
	k()->ecn = TCP_ECN_FULL;
	fill(4);
	ack(2);
	th_send(&t, &q, TCP_ACK | TCP_ECE, 1, 1 + 4 * MSS, NULL, 0);
	assert_int_equal(info().tcpi_delivered, 1 + 4);
	assert_int_equal(info().tcpi_delivered_ce, 2);
	th_finish(&t, c);
}

/* --- time-outs --- */

static void tcp_info__time_outs(void **state)
{
	fill(1);
	th_run(&t, 1900 * MS); /* a probe after one RTO of 300 ms; time-outs 300 and 900 ms after that */
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_total_rto, 2);
	assert_int_equal(i.tcpi_total_rto_recoveries, 1);
	assert_int_equal(i.tcpi_ca_state, 4);
	assert_int_equal(i.tcpi_retransmits, 2);
	assert_in_range(i.tcpi_total_rto_time, 1295, 1305); /* an unfinished one counts */
	ack(1);
	uint32_t ms = info().tcpi_total_rto_time;
	th_run(&t, 3 * NS_PER_S);
	assert_int_equal(info().tcpi_total_rto_time, ms);
	fill(1);
	th_run(&t, NS_PER_S / 2);
	th_run(&t, 5 * NS_PER_S);
	assert_int_equal(info().tcpi_total_rto_recoveries, 2);
	ack(2);
	th_finish(&t, c);
}

/* A SYN counts, too: as repetition and as time-out. */
static void tcp_info__syn_time_out(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &c), 0);
	th_flush(&t);
	q.irs = th_next(&t)->h.seq;
	th_run(&t, NS_PER_S + 200 * MS); /* repeated after 1 s */
	struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
	th_inject(&t, &h, NULL, 0);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(i.tcpi_total_retrans, 1);
	assert_int_equal(i.tcpi_total_rto, 1);
	assert_int_equal(i.tcpi_total_rto_recoveries, 1);
	assert_in_range(i.tcpi_total_rto_time, 199, 201);
	assert_int_equal(i.tcpi_delivered, 1);
	assert_int_equal(i.tcpi_busy_time, 0); /* a SYN alone is no work */
	th_finish(&t, c);
}

/* --- where the sender's time goes --- */

static void tcp_info__busy_while_something_is_in_flight(void **state)
{
	th_run(&t, NS_PER_S);
	assert_int_equal(info().tcpi_busy_time, 0);
	fill(2);
	th_run(&t, 70 * MS);
	assert_int_equal(info().tcpi_busy_time, 70000);
	ack(2);
	th_run(&t, NS_PER_S);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_busy_time, 70000);
	assert_int_equal(i.tcpi_rwnd_limited, 0);
	assert_int_equal(i.tcpi_sndbuf_limited, 0);
	th_finish(&t, c);
}

/* The peer's window is full for 250 of 300 ms. */
static void tcp_info__held_by_the_window(void **state)
{
	q.wnd = 4 * MSS / 16;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	k()->cwnd = 20 * MSS;
	assert_int_equal(tcp_user_send(&t.env, c, data, 6 * MSS, false), 6 * MSS);
	th_flush(&t);
	assert_int_equal(info().tcpi_snd_wnd, 4 * MSS);
	assert_int_equal(info().tcpi_notsent_bytes, 2 * MSS);
	for (int n = 0; n < 5; n++)
		th_run(&t, 50 * MS);
	assert_int_equal(info().tcpi_rwnd_limited, 250000);
	q.wnd = 60000;
	ack(4);
	th_run(&t, 50 * MS);
	ack(6);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_rwnd_limited, 250000);
	assert_int_equal(i.tcpi_busy_time, 300000);
	th_finish(&t, c);
}

/* All is sent, cwnd would let more go, and the writer waits for room. */
static void tcp_info__held_by_the_send_buffer(void **state)
{
	struct tcp_opts o = {.cc = (uint8_t)tcp_cc_find("reno"), .sndbuf = 8000};
	tcp_user_set_opts(&t.env, c, &o);
	k()->cwnd = 40 * MSS;
	k()->snd_wnd_max = 4 * MSS; /* then buffers are filled in steps of two segments */
	int64_t n = tcp_user_send(&t.env, c, data, 100000, false);
	assert_in_range(n, 3 * MSS, 12 * MSS);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), -EAGAIN);
	th_flush(&t);
	th_drain(&t);
	assert_int_equal(tcp_flight(k()), n);
	th_run(&t, 80 * MS);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_sndbuf_limited, 80000);
	assert_int_equal(i.tcpi_rwnd_limited, 0);
	assert_int_equal(i.tcpi_busy_time, 80000);
	th_send(&t, &q, TCP_ACK, 1, 1 + (uint32_t)n, NULL, 0);
	th_run(&t, NS_PER_S);
	assert_int_equal(info().tcpi_sndbuf_limited, 80000);
	th_finish(&t, c);
}

/* cwnd holds, so neither of the two others does. */
static void tcp_info__held_by_cwnd_is_only_busy(void **state)
{
	k()->cwnd = 2 * MSS;
	queue(6);
	th_run(&t, 60 * MS);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_busy_time, 60000);
	assert_int_equal(i.tcpi_rwnd_limited, 0);
	assert_int_equal(i.tcpi_sndbuf_limited, 0);
	th_finish(&t, c);
}

/* --- times since --- */

static void tcp_info__last_of_each_kind(void **state)
{
	int64_t opened = t.env.now;
	th_run(&t, 100 * MS);
	struct via_tcp_info i = info(); /* nothing yet: since the handshake, as Linux */
	uint32_t since = (uint32_t)((t.env.now - opened) / MS);
	assert_in_range(i.tcpi_last_data_sent, since - 1, since + 2);
	assert_in_range(i.tcpi_last_data_recv, since - 1, since + 2);
	th_send(&t, &q, TCP_ACK, 1, 1, data, 100);
	th_run(&t, 100 * MS);
	fill(1);
	th_run(&t, 50 * MS);
	th_send(&t, &q, TCP_ACK, 101, 1 + MSS, NULL, 0);
	th_run(&t, 30 * MS);
	i = info();
	assert_in_range(i.tcpi_last_data_sent, 79, 82);
	assert_in_range(i.tcpi_last_ack_recv, 29, 32);
	assert_in_range(i.tcpi_last_data_recv, 149 + 30, 152 + 30);
	th_finish(&t, c);
}

/* --- before there is anything to tell --- */

static void tcp_info__nothing_known_yet(void **state)
{
	k()->srtt_us = k()->min_rtt_us = 0;
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_rttvar, 250000);
	assert_true(i.tcpi_min_rtt == UINT32_MAX);
	assert_int_equal(i.tcpi_snd_ssthresh, 0x7fffffff);
	assert_true(i.tcpi_pacing_rate == UINT64_MAX && i.tcpi_max_pacing_rate == UINT64_MAX);
	assert_int_equal(i.tcpi_rehash, 0);
	k()->srtt_us = 100000;
	/* As Linux has it without fq: the window, doubled in slow start, by the round-trip time. */
	assert_int_equal(info().tcpi_pacing_rate, (uint64_t)k()->cwnd * 2 * 10);
	th_finish(&t, c);
}

/* --- who keeps them --- */

static void tally__drained_connections_keep_theirs(void **state)
{
	fill(3);
	th_run(&t, 100 * MS);
	ack(3);
	th_run(&t, 10 * NS_PER_S);
	assert_null(act());
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_data_segs_out, 3);
	assert_int_equal(i.tcpi_delivered, 4);
	assert_true(i.tcpi_delivery_rate > 0);
	th_finish(&t, c);
}

/* The one idle for longest gives up its own; bytes are still told. */
static void tally__the_longest_idle_goes(void **state)
{
	ref_t first = c, second;
	struct peer q1 = q;
	tcp_settings_of(&t.env)->tallies = 1;
	fill(3);
	ack(3);
	assert_int_equal(info().tcpi_data_segs_out, 3);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT + 1, TH_RPORT, NULL, TH_OWNER + 1, &second), 0);
	th_flush(&t);
	assert_int_equal(info().tcpi_data_segs_out, 3); /* that one is active */
	struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
	h.ack = t.out[t.n_out - 1].h.seq + 1;
	h.dport = TH_LPORT + 1;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, second), TCP_ESTABLISHED);
	struct via_tcp_info i = info();
	assert_int_equal(i.tcpi_data_segs_out, 0);
	assert_int_equal(i.tcpi_bytes_sent, 3 * MSS);
	c = second;
	assert_int_equal(info().tcpi_delivered, 1);
	tcp_user_close(&t.env, second, true);
	c = first;
	q = q1;
	fill(1); /* counted again from here on */
	assert_int_equal(info().tcpi_data_segs_out, 1);
	th_finish(&t, c);
}

/* --- TCP_CC_INFO --- */

static void cc_info__of_bbr(void **state)
{
	union tcp_cc_info v;
	struct tcp_opts o = {.cc = (uint8_t)tcp_cc_find("bbr")};
	assert_int_equal(tcp_conn_cc_info(&t.env, c, &v, sizeof(v)), 0); /* reno has none */
	tcp_user_set_opts(&t.env, c, &o);
	assert_int_equal(tcp_conn_cc_info(&t.env, c, &v, sizeof(v)), sizeof(struct tcp_bbr_info));
	assert_int_equal(v.bbr.bbr_bw_lo, 0);
	assert_int_equal(v.bbr.bbr_min_rtt, 100000);
	assert_int_equal(v.bbr.bbr_pacing_gain, 277 * 256 / 100); /* Startup: 2.77; the draft's gains */
	assert_int_equal(v.bbr.bbr_cwnd_gain, 2 * 256);
	for (int n = 0; n < 3; n++) { /* 5 segments in 100 ms */
		fill(5);
		th_run(&t, 100 * MS);
		ack(5 * (n + 1u));
	}
	assert_int_equal(tcp_conn_cc_info(&t.env, c, &v, sizeof(v)), sizeof(struct tcp_bbr_info));
	assert_in_range(v.bbr.bbr_bw_lo, 49000, 51000);
	assert_int_equal(v.bbr.bbr_bw_hi, 0);
	assert_in_range(v.bbr.bbr_min_rtt, 80000, 101000); /* paced: the last of five left later */
	assert_int_equal(tcp_conn_cc_info(&t.env, c, &v, 8), 8); /* as much as asked for */
	th_finish(&t, c);
}

#define T(f) cmocka_unit_test_setup(f, lh_sack)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tcp_info__text_and_handshake_are_counted), T(tcp_info__fin_counts_as_in_linux), T(tcp_info__sacked_is_delivered_once),
		T(tcp_info__repetitions_by_segment_and_byte), T(tcp_info__disorder), T(tcp_info__dsack_and_reordering),
		T(tcp_info__out_of_order_in), T(tcp_info__ecn_echo), T(tcp_info__time_outs), cmocka_unit_test(tcp_info__syn_time_out),
		T(tcp_info__busy_while_something_is_in_flight), T(tcp_info__held_by_the_window), T(tcp_info__held_by_the_send_buffer),
		T(tcp_info__held_by_cwnd_is_only_busy), T(tcp_info__last_of_each_kind), T(tcp_info__nothing_known_yet),
		T(tally__drained_connections_keep_theirs), T(tally__the_longest_idle_goes), T(cc_info__of_bbr),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
