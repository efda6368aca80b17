/* tcp/linux_info.c - TCP_INFO and TCP_CC_INFO: a connection in Linux's words (net/ipv4/tcp.c, tcp_get_info()).
 *
 * Each field means what it means there. What Linux counts in segments and we in bytes is counted here range by range, when somebody
 * asks. Named differences: tcpi_ato is never below 40 ms once data has come; tcpi_rehash stays 0, no flow changes its way here. */
#include "tcp/info.h"

#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <viaduct/tcp_info.h>

#include "tcp/cwnd.h"
#include "tcp/pacing.h"
#include "tcp/rtt.h"
#include "tcp/tally.h"
#include "tcp/timers.h"

_Static_assert(offsetof(struct via_tcp_info, tcpi_rto) == offsetof(struct tcp_info, tcpi_rto), "layout");
_Static_assert(offsetof(struct via_tcp_info, tcpi_pacing_rate) == offsetof(struct tcp_info, tcpi_pacing_rate), "layout");
_Static_assert(offsetof(struct via_tcp_info, tcpi_delivered_ce) == offsetof(struct tcp_info, tcpi_delivered_ce), "layout");
_Static_assert(offsetof(struct via_tcp_info, tcpi_snd_wnd) == offsetof(struct tcp_info, tcpi_snd_wnd), "layout");
_Static_assert(sizeof(struct via_tcp_info) == 280, "as Linux 6.18");

enum { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };
#define OPT_TFO_CHILD 128           /* TCPI_OPT_TFO_CHILD, newer than most headers */
#define RTTVAR_NONE_US 250000u      /* a quarter of the first RTO, before there is a sample */
#define SSTHRESH_NONE 0x7fffffffu

static uint32_t ms_since(const struct tcp_env *env, uint32_t tick)
{
	return (uint32_t)(tcp_since_tick(env, tick) / NS_PER_MS);
}

/* packets_out, sacked_out, lost_out and retrans_out. What was lost stays so for Linux when it goes again, and is in flight as retrans_out
 * (tcp_packets_in_flight()); a probe was not lost. */
static void info_segments(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, struct via_tcp_info *i)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);

	for (unsigned k = 0; k < a->sent.n; k++) {
		uint32_t n = (v[k].end - v[k].seq + c->mss - 1) / c->mss;
		i->tcpi_unacked += n;
		if (v[k].flags & TCP_RANGE_SACKED)
			i->tcpi_sacked += n;
		else if (v[k].flags & TCP_RANGE_LOST || (v[k].flags & TCP_RANGE_AGAIN && a->ca != TCP_CA_OPEN))
			i->tcpi_lost += n;
		if ((v[k].flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST | TCP_RANGE_AGAIN)) == TCP_RANGE_AGAIN)
			i->tcpi_retrans += n;
	}
	if (!c->sack_ok) /* each duplicate tells of one */
		i->tcpi_sacked = a->dupacks;
}

static uint8_t ca_state(const struct tcp_active *a, const struct via_tcp_info *i)
{
	if (a->ca != TCP_CA_OPEN)
		return a->ca == TCP_CA_LOSS ? CA_LOSS : CA_RECOVERY;
	if (a->signal == TCP_SIGNAL_ECE)
		return CA_CWR;
	return i->tcpi_sacked || i->tcpi_lost || i->tcpi_retrans ? CA_DISORDER : CA_OPEN;
}

static void info_active(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, struct via_tcp_info *i)
{
	info_segments(env, c, a, i);
	i->tcpi_ca_state = ca_state(a, i);
	i->tcpi_retransmits = a->retries;
	i->tcpi_probes = a->probes;
	i->tcpi_backoff = a->backoff;
	i->tcpi_rto = (uint32_t)(tcp_rto_backed(c, a->backoff) / NS_PER_US);
	if (a->pacing_rate)
		i->tcpi_pacing_rate = a->pacing_rate;
	if (a->drs.is_on) {
		i->tcpi_rcv_rtt = a->drs.rtt8_us / 8;
		i->tcpi_rcv_space = a->drs.space;
	}
}

static void info_tally(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_tally *t, struct via_tcp_info *i)
{
	i->tcpi_segs_in = t->segs_in + c->is_passive; /* the SYN */
	i->tcpi_ato = t->data_segs_in ? TCP_DELACK_NS / NS_PER_US : 0;
	i->tcpi_data_segs_in = t->data_segs_in;
	i->tcpi_data_segs_out = t->data_segs_out;
	i->tcpi_total_retrans += t->syn_again;
	i->tcpi_bytes_retrans = t->bytes_retrans;
	i->tcpi_bytes_sent += t->bytes_retrans;
	i->tcpi_delivered = t->delivered;
	i->tcpi_delivered_ce = t->delivered_ce;
	i->tcpi_delivery_rate = t->rate;
	i->tcpi_delivery_rate_app_limited = !t->rate || t->is_app_limited;
	i->tcpi_dsack_dups = t->dsack_dups;
	i->tcpi_reord_seen = t->reord_seen;
	i->tcpi_rcv_ooopack = t->ooo_in;
	i->tcpi_busy_time = tcp_tally_time(env, t, TCP_CLOCK_BUSY);
	i->tcpi_rwnd_limited = tcp_tally_time(env, t, TCP_CLOCK_RWND);
	i->tcpi_sndbuf_limited = tcp_tally_time(env, t, TCP_CLOCK_SNDBUF);
	i->tcpi_total_rto = t->rtos;
	i->tcpi_total_rto_recoveries = t->rto_recoveries;
	i->tcpi_total_rto_time = tcp_tally_rto_ms(env, t);
	i->tcpi_fastopen_client_fail = t->fo_fail & 3u;
	i->tcpi_last_data_recv = ms_since(env, t->data_tick);
	if (!c->tx_tick)
		i->tcpi_last_data_sent = ms_since(env, t->open_tick);
	if (t->rcv_rtt_us)
		i->tcpi_rcv_rtt = t->rcv_rtt_us;
	if (t->rcv_space)
		i->tcpi_rcv_space = t->rcv_space;
}

static uint8_t info_options(const struct tcp_conn *c, const struct tcp_rare *r)
{
	bool fo = r && r->fo_text;

	return (uint8_t)((c->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (c->sack_ok ? TCPI_OPT_SACK : 0) | (c->ws_ok ? TCPI_OPT_WSCALE : 0) |
			 (c->ecn >= TCP_ECN_ECHO ? TCPI_OPT_ECN : 0) | (c->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
			 (fo ? TCPI_OPT_SYN_DATA : 0) | (fo && c->is_passive ? OPT_TFO_CHILD : 0));
}

/* What the hot struct knows. */
static struct via_tcp_info info_hot(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_rare *r)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	uint64_t sent = tcp_bytes_sent(c), edge = sent + c->fin_sent, pace = tcp_pacing_window_rate(c);
	struct via_tcp_info i = {.tcpi_state = c->state, .tcpi_probes = c->keep_probes, .tcpi_options = info_options(c, r),
		.tcpi_rto = (uint32_t)(tcp_rto(c) / NS_PER_US), .tcpi_snd_mss = c->mss,
		.tcpi_rcv_mss = c->rcv_mss, .tcpi_last_data_sent = ms_since(env, c->tx_tick),
		.tcpi_last_data_recv = ms_since(env, c->rx_tick), .tcpi_last_ack_recv = ms_since(env, c->rx_tick), .tcpi_pmtu = p->pmtu,
		.tcpi_rcv_ssthresh = c->rcvbuf, .tcpi_rtt = c->srtt_us, .tcpi_rttvar = c->srtt_us ? c->rttvar_us : RTTVAR_NONE_US,
		.tcpi_snd_ssthresh = SSTHRESH_NONE, .tcpi_snd_cwnd = c->cwnd / MAX(c->mss, 1u), .tcpi_reordering = c->reordering,
		.tcpi_rcv_space = MIN(c->rcvbuf, 10u * c->mss), .tcpi_total_retrans = c->segs_retrans,
		.tcpi_pacing_rate = pace ? pace : UINT64_MAX, .tcpi_max_pacing_rate = UINT64_MAX, .tcpi_segs_out = c->segs_out,
		.tcpi_notsent_bytes = tcp_unsent(c), .tcpi_min_rtt = c->min_rtt_us ? c->min_rtt_us : UINT32_MAX, .tcpi_bytes_sent = sent,
		.tcpi_snd_wnd = c->snd_wnd, .tcpi_rcv_wnd = c->rcv_adv - c->rcv_acked};

	if (c->ws_ok) {
		i.tcpi_snd_wscale = c->snd_ws & 15u;
		i.tcpi_rcv_wscale = c->rcv_ws & 15u;
	}
	i.tcpi_advmss = tcp_mss_advertised(p, r ? &r->opts : NULL) - (c->ts_ok ? TCP_TS_OPT_LEN : 0);
	if (c->ssthresh != TCP_SSTHRESH_INFINITE)
		i.tcpi_snd_ssthresh = c->ssthresh / MAX(c->mss, 1u);
	if (r && r->opts.pacing_max)
		i.tcpi_max_pacing_rate = r->opts.pacing_max;
	if (c->was_open) { /* SYN and FIN count, as in Linux; the SYN of a SYN-ACK does not */
		i.tcpi_bytes_acked = edge - MIN(edge, tcp_flight(c)) + !c->is_passive;
		i.tcpi_bytes_received = tcp_bytes_received(c) + c->fin_rcvd;
	}
	return i;
}

uint32_t tcp_conn_linux_info(struct tcp_env *env, ref_t conn, void *out, uint32_t len)
{
	const struct tcp_conn *c = tcp_conn_at(env, conn);
	const struct tcp_tally *t = tcp_tally_of(env, c);
	struct tcp_active *a = tcp_active_of(env, c);
	struct via_tcp_info i = info_hot(env, c, tcp_rare_of(env, c));

	if (t)
		info_tally(env, c, t, &i);
	if (a)
		info_active(env, c, a, &i);
	len = MIN(len, (uint32_t)sizeof(i));
	if (len)
		memcpy(out, &i, len);
	return len;
}

uint32_t tcp_conn_cc_info(struct tcp_env *env, ref_t conn, void *out, uint32_t len)
{
	static const uint64_t nothing[TCP_CC_WORDS];
	const struct tcp_conn *c = tcp_conn_at(env, conn);
	const struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_cc_algo *algo = tcp_cwnd_algo(env, c);
	union tcp_cc_info i = {0};

	if (!algo->info)
		return 0;
	len = MIN(len, algo->info(a ? a->cc : nothing, c->min_rtt_us, &i));
	if (len)
		memcpy(out, &i, len);
	return len;
}
