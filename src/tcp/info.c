/* tcp/info.c - what a node is, for listings. TCP_INFO: linux_info.c. */
#include "tcp/info.h"

#include <viaduct/tcp_info.h>

#include "tcp/input.h"
#include "tcp/rtt.h"
#include "tcp/tally.h"
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
	out->bytes_sent = tcp_bytes_sent(c);
	out->bytes_received = tcp_bytes_received(c);
	out->segs_out = c->segs_out;
	out->segs_in = tcp_tally_of(env, c) ? tcp_tally_of(env, c)->segs_in : 0;
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
	out->cc_info_len = tcp_conn_cc_info(env, tcp_conn_ref(env, c), out->cc_info, out->cc_info_len);
}

ref_t tcp_node_info(struct tcp_env *env, ref_t node, struct via_sock_info *out)
{
	const struct tcp_entry *e = arena_at(env->arena, node);
	const struct tcp_path *p = tcp_path_of(env, e);

	out->type = VIA_STREAM;
	out->local = (struct via_sockaddr){p->local, e->node.lport};
	out->remote = (struct via_sockaddr){p->remote, e->node.rport};
	if (e->node.timer.kind == WHEEL_TCP_CONN) {
		conn_info(env, arena_at(env->arena, node), out);
		return tcp_conn_at(env, node)->owner;
	} else if (e->node.timer.kind == WHEEL_TCP_SYNRCVD) {
		const struct tcp_synrcvd *q = arena_at(env->arena, node);
		out->tcp_state = TCP_SYN_RECEIVED;
		out->iss = q->iss;
		out->irs = q->irs;
		out->tcp_info_len = out->cc_info_len = 0;
		info_timer(env, out, SS_ON, e->node.timer.deadline, q->retries);
	} else {
		const struct tcp_timewait *t = arena_at(env->arena, node);
		out->tcp_state = TCP_TIME_WAIT;
		out->iss = t->iss;
		out->irs = t->irs;
		out->tcp_info_len = out->cc_info_len = 0;
		info_timer(env, out, SS_TIMEWAIT, e->node.timer.deadline, 0);
	}
	return 0;
}

void tcp_listener_info(struct tcp_env *env, ref_t listener, struct via_sock_info *out)
{
	const struct tcp_listener *l = tcp_listener_at(env, listener);
	const struct via_tcp_info i = {.tcpi_state = TCP_LISTEN, .tcpi_unacked = l->accept.n, .tcpi_sacked = l->backlog,
				   .tcpi_snd_cwnd = 10, .tcpi_reordering = TCP_DUP_THRESH, .tcpi_pacing_rate = UINT64_MAX,
				       .tcpi_max_pacing_rate = UINT64_MAX};

	out->rcv_queue = l->accept.n;
	out->snd_queue = l->backlog;
	info_cc(out, l->opts.cc);
	out->cc_info_len = 0;
	out->tcp_info_len = MIN(out->tcp_info_len, (uint32_t)sizeof(i));
	if (out->tcp_info_len)
		memcpy(out->tcp_info, &i, out->tcp_info_len);
}
