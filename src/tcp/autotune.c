/* tcp/autotune.c - sizes of buffers. See the header. */
#include "tcp/autotune.h"

#include "tcp/memory.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"

#define DRS_RTT_MAX_US 60000000u
#define DRS_QUIET_NS (500 * NS_PER_MS)
#define DRS_QUIET_MAX_NS (4 * NS_PER_S)
#define DRS_SMALL 128u /* a segment below it opens no window */

/* --- receiving --- */

/* May the stack choose c's receive buffer? */
static bool drs_may_tune(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	return tcp_settings_of(env)->moderate_rcvbuf && !(r && r->opts.rcvbuf);
}

static uint32_t drs_max(const struct tcp_env *env, const struct tcp_conn *c)
{
	return MIN(tcp_win_from_space(tcp_settings_of(env)->rmem_max), 65535u << c->rcv_ws);
}

static void drs_begin(const struct tcp_env *env, struct tcp_conn *c, struct tcp_drs *d)
{
	*d = (struct tcp_drs){.is_on = true, .want = c->rcvbuf, .seq = c->rcv.start, .at = env->now,
			      .rtt8_us = MIN(c->srtt_us, DRS_RTT_MAX_US) * 8};
	d->space = MIN(c->rcvbuf, 10u * MAX(c->rcv_mss, c->mss)); /* what the peer's initial window brings */
}

/* by_window: not more than the round trip plus what the peer waited for (only a smaller one is news). */
static void drs_rtt(struct tcp_drs *d, uint32_t us, bool by_window)
{
	uint32_t m = MIN(MAX(us, 1u), DRS_RTT_MAX_US);

	if (!d->rtt8_us)
		d->rtt8_us = m * 8;
	else if (by_window)
		d->rtt8_us = MIN(d->rtt8_us, m * 8);
	else
		d->rtt8_us = d->rtt8_us - d->rtt8_us / 8 + m;
}

/* The echo of our newest timestamp tells the round trip; without timestamps, the time in which a whole window comes. */
static void drs_measure(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_drs *d, const struct tcp_seg *s)
{
	if (c->ts_ok && s->h.has_ts && s->h.tsecr) {
		uint32_t ms = tcp_ts_now(env, c->ts_offset) - s->h.tsecr;
		if (s->h.tsecr != d->tsecr && s->seg_size >= c->rcv_mss && ms <= INT32_MAX)
			drs_rtt(d, MIN(MAX(ms, 1u), DRS_RTT_MAX_US / 1000) * 1000, false);
		d->tsecr = s->h.tsecr;
		return;
	}
	if (d->rtt_at && seq_lt(c->rcv_nxt, d->rtt_seq))
		return;
	if (d->rtt_at)
		drs_rtt(d, (uint32_t)MIN((env->now - d->rtt_at) / NS_PER_US, DRS_RTT_MAX_US), true);
	d->rtt_at = env->now;
	d->rtt_seq = c->rcv_nxt + tcp_rcv_wnd(c);
}

/* The window opens towards the buffer by twice what came, if that did not pin much more memory than it has bytes. */
static void drs_open(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_drs *d, const struct tcp_seg *s)
{
	uint32_t held = sbuf_len(&c->rcv) + TCP_RCV_SLACK;

	if (c->rcvbuf < d->want && s->seg_size >= DRS_SMALL && c->rcv.charged <= 2 * held && tcp_mem_state(env) == TCP_MEM_FREE)
		c->rcvbuf += MIN(d->want - c->rcvbuf, 2 * s->len);
}

void tcp_drs_arrived(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s, bool in_order)
{
	struct tcp_active *a = tcp_active_of(env, c);

	if (!tcp_state_may_receive(c->state) || c->is_orphan || !drs_may_tune(env, c))
		return;
	if (!(a && a->drs.is_on) && c->rcvbuf >= drs_max(env, c)) /* nothing left to find out */
		return;
	if (!a)
		a = tcp_conn_activate(env, c);
	if (!a)
		return;
	struct tcp_drs *d = &a->drs;
	if (!d->is_on || d->quiet_at <= env->now)
		drs_begin(env, c, d);
	d->quiet_at = env->now + MIN(MAX(DRS_QUIET_NS, d->rtt8_us / 4 * NS_PER_US), DRS_QUIET_MAX_NS);
	drs_measure(env, c, d, s);
	if (in_order)
		drs_open(env, c, d, s);
	tcp_timers_arm(env, c);
}

bool tcp_drs_holds(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a)
{
	return a->drs.is_on && a->drs.quiet_at > env->now && tcp_state_may_receive(c->state) && !c->is_orphan;
}

/* The window for a flow of which the user takes `copied` bytes in a round trip: twice that so that a loss does not stop it, and more
 * while it grows: by a quarter, as it would in slow start, 3 times, by a half 4 times, and so on. */
static uint32_t drs_window(const struct tcp_drs *d, uint32_t copied, uint32_t mss)
{
	uint64_t win = 2 * (uint64_t)copied + 16 * mss;

	win += 2 * (win * (copied - d->space) / MAX(d->space, 1u));
	return (uint32_t)MIN(win, UINT32_MAX);
}

void tcp_drs_copied(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_active *a = tcp_active_of(env, c);
	struct tcp_drs *d = a ? &a->drs : NULL;

	if (!d || !d->is_on || !d->rtt8_us || env->now - d->at < d->rtt8_us / 8 * NS_PER_US)
		return;
	uint32_t copied = c->rcv.start - d->seq;
	if (copied > d->space) {
		if (drs_may_tune(env, c) && tcp_mem_state(env) == TCP_MEM_FREE)
			d->want = MAX(d->want, MIN(drs_window(d, copied, MAX(c->rcv_mss, c->mss)), drs_max(env, c)));
		d->space = copied;
	}
	d->seq = c->rcv.start;
	d->at = env->now;
}

uint32_t tcp_rcvbuf_told(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_rare *r = tcp_rare_of(env, c);

	if (r && r->opts.rcvbuf)
		return 2 * r->opts.rcvbuf;
	return 2 * MAX(c->rcvbuf, a && a->drs.is_on ? a->drs.want : 0);
}

/* As Linux: the mark, or what will not grow, since the window is nearly shut or memory is short. */
bool tcp_conn_is_readable(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t n = sbuf_len(&c->rcv);

	if (!n || !r || n >= r->opts.rcvlowat)
		return n > 0;
	return tcp_rcv_wnd(c) <= c->rcv_mss || tcp_mem_state(env) != TCP_MEM_FREE;
}

/* --- sending --- */

/* Bytes of the segments Linux would keep: up to a superframe, and half the largest window seen. */
static uint32_t send_goal(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	uint32_t hdr = p->ip_hlen + TCP_HLEN + (c->ts_ok ? TCP_TS_OPT_LEN : 0), mss = MAX(c->mss, 1);
	uint32_t most = MAX(p->gso_max, hdr + mss) - hdr;
	uint32_t half = c->snd_wnd_max > TCP_MSS_DEFAULT4 ? c->snd_wnd_max / 2 : c->snd_wnd_max;

	return MAX(MIN(most, half) / mss, 1u) * mss;
}

/* What of the unsent bytes leaves at the next flush: whole segments, by both windows. Linux has sent them already. */
static uint32_t send_leaves(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	uint32_t edge = c->snd_una + c->snd_wnd, mss = MAX(c->mss, 1);

	if (!a || !c->was_open || a->sent.lost || !seq_lt(c->snd_nxt, edge))
		return 0;
	uint32_t pipe = tcp_pipe(c, a);
	return c->cwnd > pipe ? MIN(c->cwnd - pipe, edge - c->snd_nxt) / mss * mss : 0;
}

static uint32_t notsent_lowat(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	return r && r->opts.notsent_lowat ? r->opts.notsent_lowat : tcp_settings_of(env)->notsent_lowat;
}

/* True size of n queued bytes. */
static uint64_t send_cost(uint64_t n, uint32_t goal)
{
	return n + TCP_SKB_OVERHEAD * ((n + goal - 1) / goal);
}

/* The least n for which from + n * by is `to` or more. */
static uint64_t steps(uint64_t from, uint64_t to, uint64_t by) { return from < to ? (to - from + by - 1) / by : 0; }
/* What n lacks to be a multiple of goal. */
static uint32_t to_whole(uint64_t n, uint32_t goal) { return (uint32_t)((goal - n % goal) % goal); }

/* As many segments as the buffer has true size for, but what waits behind those that leave at once is below the mark. A segment is
 * always filled: what waits is counted in whole ones. */
uint32_t tcp_send_room(const struct tcp_env *env, const struct tcp_conn *c, uint32_t want)
{
	uint32_t goal = send_goal(env, c), leaves = send_leaves(env, c), queued = sbuf_len(&c->snd), unsent = tcp_unsent(c);
	uint64_t room = 0, each = (uint64_t)goal + TCP_SKB_OVERHEAD;

	if (unsent <= leaves) { /* nothing waits until more than that is there */
		uint64_t fit = steps(send_cost(queued, goal), c->sndbuf, each), past = (leaves - unsent) / goal + 1;
		room = MIN(fit, past) * goal;
		if (fit < past)
			return (uint32_t)MIN(room, want);
	}
	room += to_whole(unsent + room - leaves, goal);
	uint64_t fit = steps(send_cost(queued + room, goal), c->sndbuf, each);
	room += MIN(fit, steps(unsent + room - leaves, notsent_lowat(env, c), goal)) * goal;
	return (uint32_t)MIN(room, want);
}

/* Twice the congestion window, in true size: Linux rounds what a segment takes up to a power of two. */
void tcp_sndbuf_grow(const struct tcp_env *env, struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t mss = MAX(c->mss, 1), per = 1024, n = MAX(MAX(c->cwnd / mss, 10u), c->reordering + 1u);

	if (r && r->opts.sndbuf)
		return;
	while (per < mss + 640)
		per *= 2;
	uint64_t want = MIN(2 * (uint64_t)n * (per + 256), tcp_settings_of(env)->wmem_max);
	c->sndbuf = MAX(c->sndbuf, (uint32_t)want);
}

void tcp_space_check(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	if (!a->nospace)
		return;
	if (tcp_pipe(c, a) + c->mss <= c->cwnd && tcp_mem_state(env) == TCP_MEM_FREE) /* a full window needs no more behind it yet */
		tcp_sndbuf_grow(env, c);
	if (!tcp_conn_is_writable(env, c))
		return;
	a->nospace = false;
	tcp_conn_notify(env, c, TCP_EV_WRITABLE);
}

bool tcp_conn_is_writable(const struct tcp_env *env, const struct tcp_conn *c)
{
	uint64_t used = send_cost(sbuf_len(&c->snd), send_goal(env, c));
	uint32_t unsent = tcp_unsent(c);

	unsent -= MIN(unsent, send_leaves(env, c));
	return !c->starved && used < c->sndbuf && c->sndbuf - used >= used / 2 && 2 * (uint64_t)unsent < notsent_lowat(env, c);
}
