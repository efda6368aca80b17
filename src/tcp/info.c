/* tcp/info.c - what a node is, for listings and for TCP_INFO. */
#include "tcp/input.h"

#include <linux/tcp.h>

#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"

struct tcp_node *tcp_node_at(struct tcp_env *env, ref_t node)
{
	return arena_at(env->arena, node);
}

ref_t tcp_node_next(struct tcp_env *env, ref_t after)
{
	const size_t off = offsetof(struct tcp_entry, all);
	ref_t r = after ? list_next(env->arena, after, off) : tcp_tab(env)->all.head;

	while (r) { /* a closed connection that waits for its user is no connection any more */
		const struct tcp_conn *c = arena_at(env->arena, r);
		if (c->e.node.timer.kind != WHEEL_TCP_CONN || c->state != TCP_CLOSED)
			return r;
		r = list_next(env->arena, r, off);
	}
	return 0;
}

static uint64_t bytes_sent(const struct tcp_conn *c)
{
	uint32_t low = c->snd_nxt - c->iss - 1 - c->fin_sent;

	return c->was_open ? (uint64_t)c->sent_hi << 32 | low : 0;
}

static uint64_t bytes_received(const struct tcp_conn *c)
{
	return c->was_open ? (uint64_t)c->rcvd_hi << 32 | (uint32_t)(c->rcv_nxt - c->irs - 1 - c->fin_rcvd) : 0;
}

enum { SS_OFF, SS_ON, SS_KEEPALIVE, SS_TIMEWAIT, SS_PERSIST };

static void info_timer(const struct tcp_env *env, struct via_sock_info *out, uint8_t timer, int64_t at, uint8_t retries)
{
	out->timer = timer;
	out->timer_ns = MAX(at - env->now, 0);
	out->retries = retries;
}

/* What Linux's inet_diag tells first: what is sent again, the probe of a closed window, then keep-alive and the orphan's end. */
static void conn_timer(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a, struct via_sock_info *out)
{
	if (a && a->rtx == TCP_RTX_PERSIST)
		info_timer(env, out, SS_PERSIST, a->rtx_at, a->probes);
	else if (a && a->rtx)
		info_timer(env, out, SS_ON, a->rtx_at, a->retries);
	else if (c->slow_tick)
		info_timer(env, out, SS_KEEPALIVE, env->now + tcp_until_tick(env, c->slow_tick), c->keep_probes);
}

static void info_cc(struct via_sock_info *out, uint8_t cc)
{
	const char *name = tcp_cc_at(cc)->name;

	memcpy(out->cc, name, MIN(strlen(name), sizeof(out->cc) - 1));
}

static void conn_info(struct tcp_env *env, const struct tcp_conn *c, struct via_sock_info *out)
{
	const struct tcp_active *a = tcp_active_of(env, c);

	out->tcp_state = c->state;
	out->bytes_sent = bytes_sent(c);
	out->bytes_received = bytes_received(c);
	out->segs_out = c->segs_out;
	out->segs_in = c->segs_in;
	out->segs_retrans = c->segs_retrans;
	out->rcv_queue = sbuf_len(&c->rcv);
	out->snd_queue = sbuf_len(&c->snd);
	out->srtt_ns = c->srtt_us * NS_PER_US;
	out->rttvar_ns = c->rttvar_us * NS_PER_US;
	out->rto_ns = tcp_rto_backed(c, a ? a->backoff : 0);
	out->cwnd = c->cwnd;
	out->ssthresh = c->ssthresh;
	out->mss = c->mss;
	out->iss = c->iss;
	out->irs = c->irs;
	info_cc(out, tcp_rare_of(env, c) ? tcp_rare_of(env, c)->opts.cc : 0);
	conn_timer(env, c, a, out);
	out->tcp_info_len = tcp_conn_linux_info(env, tcp_conn_ref(env, c), out->tcp_info, out->tcp_info_len);
}

void tcp_node_info(struct tcp_env *env, ref_t node, struct via_sock_info *out)
{
	const struct tcp_entry *e = arena_at(env->arena, node);
	const struct tcp_path *p = tcp_path_of(env, e);

	out->type = VIA_STREAM;
	out->local = (struct via_sockaddr){p->local, e->node.lport};
	out->remote = (struct via_sockaddr){p->remote, e->node.rport};
	if (e->node.timer.kind == WHEEL_TCP_CONN) {
		conn_info(env, arena_at(env->arena, node), out);
	} else if (e->node.timer.kind == WHEEL_TCP_SYNRCVD) {
		const struct tcp_synrcvd *q = arena_at(env->arena, node);
		out->tcp_state = TCP_SYN_RECEIVED;
		out->iss = q->iss;
		out->irs = q->irs;
		out->tcp_info_len = 0;
		info_timer(env, out, SS_ON, e->node.timer.deadline, q->retries);
	} else {
		const struct tcp_timewait *t = arena_at(env->arena, node);
		out->tcp_state = TCP_TIME_WAIT;
		out->iss = t->iss;
		out->irs = t->irs;
		out->tcp_info_len = 0;
		info_timer(env, out, SS_TIMEWAIT, e->node.timer.deadline, 0);
	}
}

void tcp_listener_info(struct tcp_env *env, ref_t listener, struct via_sock_info *out)
{
	const struct tcp_listener *l = tcp_listener_at(env, listener);
	const struct tcp_info i = {.tcpi_state = TCP_LISTEN, .tcpi_unacked = l->accept.n, .tcpi_sacked = l->backlog,
				   .tcpi_snd_cwnd = 10, .tcpi_reordering = TCP_DUP_THRESH};

	out->rcv_queue = l->accept.n;
	out->snd_queue = l->backlog;
	info_cc(out, l->opts.cc);
	out->tcp_info_len = MIN(out->tcp_info_len, (uint32_t)sizeof(i));
	if (out->tcp_info_len)
		memcpy(out->tcp_info, &i, out->tcp_info_len);
}

static uint32_t ms_since(const struct tcp_env *env, uint32_t tick)
{
	return (uint32_t)(tcp_since_tick(env, tick) / NS_PER_MS);
}

static void linux_info_active(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, struct tcp_info *i)
{
	static const uint8_t ca[] = {[TCP_CA_OPEN] = 0, [TCP_CA_RECOVERY] = 3, [TCP_CA_LOSS] = 4};

	i->tcpi_ca_state = a->ca == TCP_CA_OPEN && a->signal == TCP_SIGNAL_ECE ? 2 /* CWR */ : ca[a->ca];
	i->tcpi_retransmits = a->retries;
	i->tcpi_probes = a->probes;
	i->tcpi_backoff = a->backoff;
	i->tcpi_rto = (uint32_t)(tcp_rto_backed(c, a->backoff) / NS_PER_US);
	i->tcpi_unacked = (tcp_flight(c) + c->mss - 1) / c->mss;
	i->tcpi_sacked = a->sent.sacked / c->mss;
	i->tcpi_lost = (a->sent.lost + c->mss - 1) / c->mss;
	if (a->pacing_rate)
		i->tcpi_pacing_rate = a->pacing_rate;
	i->tcpi_delivery_rate = a->rs.rate;
	i->tcpi_delivery_rate_app_limited = a->rs.is_app_limited;
}

/* What Linux has added since the headers this is built with; zero is what it says where it does not know. */
struct tcp_info_later {
	struct tcp_info i;
	uint32_t rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time;
	uint32_t accurate_ecn[8];
};
_Static_assert(offsetof(struct tcp_info, tcpi_snd_wnd) + 4 == offsetof(struct tcp_info_later, rcv_wnd), "they follow at once");
_Static_assert(sizeof(struct tcp_info_later) == 280, "as Linux 6.18");

uint32_t tcp_conn_linux_info(struct tcp_env *env, ref_t conn, void *out, uint32_t len)
{
	const struct tcp_conn *c = tcp_conn_at(env, conn);
	struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	struct tcp_info i = {.tcpi_state = c->state, .tcpi_snd_wscale = c->snd_ws & 15u, .tcpi_rcv_wscale = c->rcv_ws & 15u,
			     .tcpi_rto = (uint32_t)(tcp_rto(c) / NS_PER_US), .tcpi_ato = TCP_DELACK_NS / NS_PER_US, .tcpi_snd_mss = c->mss,
			     .tcpi_rcv_mss = c->rcv_mss, .tcpi_pmtu = p->pmtu, .tcpi_rtt = c->srtt_us, .tcpi_rttvar = c->rttvar_us,
			     .tcpi_snd_cwnd = c->cwnd / MAX(c->mss, 1u), .tcpi_snd_ssthresh = c->ssthresh / MAX(c->mss, 1u)};

	i.tcpi_options = (uint8_t)((c->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (c->sack_ok ? TCPI_OPT_SACK : 0) | (c->ws_ok ? TCPI_OPT_WSCALE : 0) |
				   (c->ecn >= TCP_ECN_ECHO ? TCPI_OPT_ECN : 0) | (c->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
				   (r && r->fo_text ? TCPI_OPT_SYN_DATA : 0));
	i.tcpi_advmss = tcp_mss_advertised(p, r ? &r->opts : NULL);
	i.tcpi_rcv_space = c->rcvbuf;
	i.tcpi_min_rtt = c->min_rtt_us;
	i.tcpi_reordering = c->reordering;
	i.tcpi_snd_wnd = c->snd_wnd;
	i.tcpi_total_retrans = c->segs_retrans;
	i.tcpi_bytes_received = bytes_received(c);
	i.tcpi_bytes_sent = bytes_sent(c);
	i.tcpi_bytes_acked = bytes_sent(c) - MIN(bytes_sent(c), tcp_flight(c));
	i.tcpi_segs_out = c->segs_out;
	i.tcpi_segs_in = c->segs_in;
	i.tcpi_notsent_bytes = tcp_unsent(c);
	i.tcpi_last_data_sent = ms_since(env, c->tx_tick);
	i.tcpi_last_data_recv = i.tcpi_last_ack_recv = ms_since(env, c->rx_tick);
	i.tcpi_pacing_rate = UINT64_MAX; /* none */
	i.tcpi_max_pacing_rate = r && r->opts.pacing_max ? r->opts.pacing_max : UINT64_MAX;
	if (a)
		linux_info_active(env, c, a, &i);
	struct tcp_info_later all = {.i = i, .rcv_wnd = tcp_rcv_wnd(c)};
	len = MIN(len, (uint32_t)sizeof(all));
	if (len)
		memcpy(out, &all, len);
	return len;
}
