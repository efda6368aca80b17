/* tcp/output.c - the one way out. See the header. */
#include "tcp/output.h"

#include "tcp/ack.h"
#include "tcp/autotune.h"
#include "tcp/cwnd.h"
#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/memory.h"
#include "tcp/pacing.h"
#include "tcp/pmtu.h"
#include "tcp/prr.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/sack.h"
#include "tcp/tally.h"
#include "tcp/timers.h"
#include "tcp/undo.h"
#include "tcp/urgent.h"
#include "tcp/window.h"

static uint8_t conn_ttl(const struct tcp_rare *r) { return r ? r->opts.ttl : 0; }
static uint8_t conn_tos(const struct tcp_rare *r) { return r ? r->opts.tos : 0; }

/* Ports, timestamps, window and acknowledgement of a segment about to leave (RFC 7323 §3.2: TSopt in every one). */
static struct tcp_hdr header(struct tcp_env *env, struct tcp_conn *c, uint32_t seq, uint8_t flags)
{
	struct tcp_hdr h = {.sport = c->e.node.lport, .dport = c->e.node.rport, .seq = seq, .flags = flags};

	if (flags & TCP_ACK)
		h.ack = c->rcv_nxt;
	if (c->ece && (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK)
		h.flags |= TCP_ECE;
	if (c->ts_ok || (flags & TCP_SYN && !(flags & TCP_ACK) && !tcp_tab(env)->set.no_timestamps)) {
		h.has_ts = true;
		h.tsval = tcp_ts_now(env, c->ts_offset);
		h.tsecr = flags & TCP_ACK ? c->ts_recent : 0;
	}
	h.wnd = tcp_window_field(c, flags & TCP_SYN);
	if (c->rare && !(flags & (TCP_SYN | TCP_RST)))
		tcp_urgent_mark(env, c, &h);
	return h;
}

/* False: no memory. */
static bool send_header(struct tcp_env *env, struct tcp_conn *c, const struct tcp_hdr *h, enum why why)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	if (!tcp_seg_send(env, c->e.node.path, h, why, conn_ttl(r), conn_tos(r)))
		return false;
	c->segs_out++;
	return true;
}

/* --- segments without data --- */

/* Seq of a segment without data: SND.NXT, or, if the peer took window back, the edge, else it would not accept it. */
static uint32_t ack_seq(const struct tcp_conn *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return c->state == TCP_SYN_RECEIVED || seq_le(c->snd_nxt, edge) ? c->snd_nxt : edge;
}

void tcp_output_ack(struct tcp_env *env, struct tcp_conn *c, enum why why)
{
	/* Owed; ACKs merge while the link is full. The last one before TIME-WAIT has nobody left to owe it. */
	if (c->state != TCP_TIME_WAIT && env->ops->tx_room(env->ctx, c->e.node.path) == 0) {
		c->ack_due = 1;
		tcp_conn_mark_held(env, c);
		return;
	}
	struct tcp_hdr h = header(env, c, ack_seq(c), TCP_ACK);
	tcp_sack_of_ack(env, c, tcp_active_of(env, c), &h);
	send_header(env, c, &h, why);
	if (c->quick)
		c->quick--;
	tcp_ack_sent(c);
}

bool tcp_output_probe(struct tcp_env *env, struct tcp_conn *c, enum why why)
{
	struct tcp_hdr h = header(env, c, c->snd_una - 1, TCP_ACK);

	if (h.flags & TCP_URG) { /* one that the peer looks at, besides: its window does not hide urgent data (MUST-66, as Linux) */
		struct tcp_hdr u = header(env, c, c->snd_una, TCP_ACK);
		send_header(env, c, &u, why);
		h.flags &= (uint8_t)~TCP_URG;
		h.urg = 0;
	}
	return send_header(env, c, &h, why); /* does not acknowledge: the peer drops it as old before it looks at the ACK */
}

void tcp_output_rst(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_hdr h = header(env, c, ack_seq(c), TCP_RST | TCP_ACK);

	h.wnd = 0;
	send_header(env, c, &h, WHY_RST);
}

void tcp_output_rst_seg(struct tcp_env *env, const struct tcp_entry *e, const struct tcp_seg *s)
{
	struct tcp_hdr h = {.sport = e->node.lport, .dport = e->node.rport, .seq = s->h.ack, .flags = TCP_RST};

	tcp_seg_send(env, e->node.path, &h, WHY_RST, 0, 0);
}

/* --- data --- */

/* What leaves in about 1 ms at the connection's rate: 2 segments, of `size` bytes each, to a superframe (design, decision 11). */
static uint32_t burst_bytes(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a, uint32_t size)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	uint32_t hdr = p->ip_hlen + TCP_HLEN + (c->ts_ok ? TCP_TS_OPT_LEN : 0) + c->mss - size; /* the rest of the MSS are options */
	uint32_t most = p->gso_max > hdr + size ? p->gso_max - hdr : size;

	if (c->rare && tcp_urgent_is_sending(env, c)) /* the pointer counts from each segment's own number */
		return size;
	if (a->pacing_rate)
		most = (uint32_t)MIN(most, MAX(a->pacing_rate / 1000, 2u * size));
	else if (c->srtt_us > 1000)
		most = (uint32_t)MIN(most, MAX(tcp_pacing_window_rate(c) / 1000, 2u * size));
	return most / size * size;
}

/* What waits, lost or new, goes no further for now. */
static void held(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, bool lost, enum held why)
{
	if (!a->held_first || a->held_lost != lost) {
		a->held_first = (uint8_t)why;
		a->held_at = env->now;
		a->held_lost = lost;
	}
	a->held_now = a->held_last = (uint8_t)why;
	if (env->trace)
		tcp_trace(env, c, TRACE_TCP_HELD, why, c->snd_nxt, c->snd.end, c->cwnd, c->snd_wnd);
}

/* Is it time, and does the link take *n bytes? Lowers *n to what it has room for, in whole segments of `size` bytes. */
static bool may_leave(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool lost, uint32_t *n, uint32_t size)
{
	uint32_t room = env->ops->tx_room(env->ctx, c->e.node.path);

	if (!tcp_pacing_may_send(env, a)) {
		held(env, c, a, lost, HELD_PACING);
		return false;
	}
	bool is_enough = a->sent.queued && a->sent.queued >= 2 * burst_bytes(env, c, a, size); /* tcp_sent() goes on */
	if (room == 0 || is_enough) {
		held(env, c, a, lost, HELD_LINK);
		if (room == 0)
			tcp_conn_mark_held(env, c);
		return false;
	}
	if (*n > size && room < *n)
		*n = MAX(room / size, 1u) * size;
	return true;
}

/* A packet with header h and up to *n bytes from seq, `size` to a segment; *n is lowered to whole segments if it holds fewer. NULL: no
 * memory. */
static struct pkt *fill(struct tcp_env *env, struct tcp_conn *c, struct tcp_hdr *h, uint32_t seq, uint32_t *n, uint32_t size, enum why why)
{
	const struct tcp_path *path = tcp_path_of(env, &c->e);
	struct pkt *p = tcp_seg_make(env, h, why);

	if (!p)
		return NULL;
	uint32_t got = *n ? sbuf_attach(env->arena, env->mem, &c->snd, seq, *n, p) : 0;
	if (got < *n && why == WHY_MTU_PROBE) { /* a smaller one would be none */
		pkt_free(env->mem, p);
		return NULL;
	}
	if (got < *n) {
		uint32_t keep = got > size ? got / size * size : got;
		if (!keep) {
			pkt_free(env->mem, p);
			return NULL;
		}
		pkt_trim(env->mem, p, p->head_len + keep);
		h->flags &= (uint8_t)~(TCP_FIN | (keep > size ? 0 : TCP_PSH));
		pkt_data(p)[13] = h->flags;
		*n = keep;
	}
	if (*n > size && why != WHY_MTU_PROBE) {
		p->m.gso = path->ip_hlen == 40 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
		p->m.gso_size = (uint16_t)size;
		p->m.gso_segs = (uint16_t)((*n + size - 1) / size);
	}
	tcp_seg_finish(p, &path->local, &path->remote);
	return p;
}

/* --- SYN --- */

/* SYN with n bytes of text (RFC 7413). False: no memory. */
static bool send_syn_text(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_hdr *h, uint32_t n)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	struct pkt *p = fill(env, c, h, c->iss + 1, &n, c->mss, WHY_SYN_DATA);

	if (!p)
		return false;
	uint16_t i = a->sent.n;
	tcp_ranges_push(env->arena, &a->sent, c->snd_nxt, c->snd_nxt + n, 0, env->now);
	if (a->sent.n > i)
		tcp_ranges_note(env->arena, &a->sent, i, env->now, 1);
	a->tlp.from = env->now;
	c->snd_nxt += n;
	c->segs_out++;
	tcp_tally_out(env, c, 1, n, false);
	env->ops->tx(env->ctx, p, c->e.node.path, conn_ttl(r), conn_tos(r));
	return true;
}

void tcp_output_syn(struct tcp_env *env, struct tcp_conn *c, enum why why, bool first)
{
	bool is_ack = c->state != TCP_SYN_SENT;
	struct tcp_hdr h = header(env, c, c->iss, is_ack ? TCP_SYN | TCP_ACK : TCP_SYN);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	struct tcp_active *a = tcp_active_of(env, c);

	h.flags |= tcp_ecn_syn_flags(env, c, first);
	h.has_mss = true; /* RFC 9293 §3.7.1 SHLD-5; and only here (MUST-65) */
	h.mss = tcp_mss_advertised(tcp_path_of(env, &c->e), r ? &r->opts : NULL);
	h.has_ws = is_ack ? c->ws_ok : !tcp_tab(env)->set.no_scaling; /* an answer offers only what was offered (RFC 7323 §1.3, RFC 2018 §2) */
	h.ws = c->rcv_ws;
	h.sack_permitted = is_ack ? c->sack_ok : !tcp_tab(env)->set.no_sack;
	if (first) {
		c->snd_nxt = c->iss + 1;
		tcp_ranges_push(env->arena, &a->sent, c->iss, c->snd_nxt, 0, env->now);
		tcp_ranges_note(env->arena, &a->sent, 0, env->now, 0);
		a->since = env->now;
	} else {
		tcp_ranges_mark(env->arena, &a->sent, 0, TCP_RANGE_EVER, TCP_RANGE_LOST);
		tcp_tab(env)->counts[TCP_COUNT_RETRANS_SEGS]++;
		tcp_tally(env, c)->syn_again++;
	}
	uint32_t text = first ? tcp_fastopen_syn(env, c, &h) : 0;
	if (!text || !send_syn_text(env, c, a, &h, text))
		send_header(env, c, &h, why);
	if (is_ack)
		tcp_ack_sent(c);
	tcp_timers_rtx(env, c, true);
}

/* --- data, and data again --- */

/* A data segment ready to leave: what it holds is decided here, that it left is told by launch(). */
struct outgoing {
	struct pkt *p;
	uint32_t seq, len; /* sequence space, FIN included */
	uint32_t data;     /* bytes of it */
	bool again;
};

/* [seq, seq+n), `size` bytes to a segment, and FIN if asked and all n fit. False: no memory. */
static bool prepare(struct tcp_env *env, struct tcp_conn *c, uint32_t seq, uint32_t n, uint32_t size, bool fin, enum why why,
		    struct outgoing *o)
{
	struct tcp_hdr h = header(env, c, seq, TCP_ACK | (fin ? TCP_FIN : 0));

	tcp_sack_of_data(env, c, tcp_active_of(env, c), &h, c->mss - MIN(n, size));
	/* The queue's last segment is pushed (RFC 9293 §3.9.1.2 MUST-61), and the last of a superframe, as Linux: receivers that
	 * merge need not wait for more. */
	if (n && (n > size || (seq + n == c->snd.end && !c->unpushed)))
		h.flags |= TCP_PSH;
	o->p = fill(env, c, &h, seq, &n, size, why);
	o->seq = seq;
	o->len = n + !!(h.flags & TCP_FIN);
	o->data = n;
	o->again = seq != c->snd_nxt;
	return o->p != NULL;
}

/* What held it back and for how long goes along, for captures. */
static void tell_held(const struct tcp_env *env, struct tcp_active *a, const struct outgoing *o)
{
	if (!a->held_first || a->held_lost != o->again)
		return;
	o->p->m.held = (uint8_t)(a->held_first | a->held_last << 4);
	o->p->m.held_us = (uint32_t)MIN((env->now - a->held_at) / NS_PER_US, UINT32_MAX);
	a->held_first = 0;
}

/* Give it to the stack. The ranges must know of it already. */
static void launch(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct outgoing *o)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	o->p->m.owner = tcp_conn_ref(env, c);
	o->p->m.owner_gen = c->iss;
	o->p->m.owner_seq_end = o->seq + o->len;
	a->below++;
	tell_held(env, a, o);
	uint32_t segs = o->p->m.gso_segs ? o->p->m.gso_segs : 1;
	c->segs_out += segs;
	tcp_tally_out(env, c, segs, o->data, o->again);
	if (!o->again && (c->ack_due || c->ack_now || c->delack_tick))
		c->quick = 0; /* the user answers: acknowledgements ride on data (what goes again answers nothing) */
	tcp_ack_sent(c);
	tcp_pacing_sent(env, c, a, o->len);
	tcp_prr_sent(a, o->len);
	if (o->data)
		c->tx_tick = tcp_tick_now(env);
	env->ops->tx(env->ctx, o->p, c->e.node.path, conn_ttl(r), conn_tos(r));
}

/* Send again n bytes, and FIN, from the front of range i, for the reason it is marked with. True: there may be more to do. */
static bool resend(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint16_t i, uint32_t n, bool fin)
{
	struct outgoing o;
	const struct tcp_range *v = &tcp_ranges_at(env->arena, &a->sent)[i];
	uint32_t seq = v->seq, end = v->end;

	if (!prepare(env, c, seq, n, c->mss, fin, v->why, &o))
		return false;
	c->segs_retrans += o.p->m.gso_segs ? o.p->m.gso_segs : 1;
	tcp_tab(env)->counts[TCP_COUNT_RETRANS_SEGS] += o.p->m.gso_segs ? o.p->m.gso_segs : 1;
	a->force = false;
	if (v->flags & TCP_RANGE_LOST)
		o.p->m.lost_us = MAX(tcp_rate_us(env->now) - v->lost_us, 1u);
	tcp_undo_resent(env, c, a, &tcp_ranges_at(env->arena, &a->sent)[i], seq + o.len);
	/* With no room to split, the range stays lost as a whole and goes on when this piece is acknowledged (or by the time-out). */
	bool is_told = seq + o.len == end || tcp_ranges_split(env->arena, &a->sent, i, seq + o.len);
	if (is_told) {
		struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		r->sent_at = env->now;
		r->mark = c->snd_nxt;
		r->ts = tcp_ts_now(env, c->ts_offset);
		tcp_ranges_note(env->arena, &a->sent, i, env->now, tcp_pipe(c, a));
		tcp_ranges_mark(env->arena, &a->sent, i, TCP_RANGE_AGAIN | TCP_RANGE_EVER | TCP_RANGE_QUEUED, TCP_RANGE_LOST);
	} else {
		tcp_ranges_mark(env->arena, &a->sent, i, TCP_RANGE_EVER, 0);
		a->has_piece = true;
		a->piece_seq = seq;
	}
	launch(env, c, a, &o);
	return is_told;
}

/* The first lost range, or as much of it as may go. True: there may be more to do. */
static bool send_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	uint16_t i = tcp_ranges_first_lost(env->arena, &a->sent);
	if (i == a->sent.n)
		return false;
	const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
	a->has_piece &= seq_le(c->snd_una, a->piece_seq);
	if (a->has_piece && r->seq == a->piece_seq)
		return false;
	if (!c->was_open && r->seq == c->iss) { /* closed before the handshake ended */
		tcp_output_syn(env, c, WHY_SYN_RETRANS, false);
		return false;
	}
	uint32_t edge = c->snd_una + c->snd_wnd, pipe = tcp_pipe(c, a);
	uint32_t room = c->cwnd > pipe ? c->cwnd - pipe : 0;
	bool fin = c->fin_sent && r->end == c->snd.end + 1;
	uint32_t data = r->end - r->seq - fin, n = MIN(data, burst_bytes(env, c, a, c->mss));
	if (n && seq_le(edge, r->seq)) { /* never beyond the window, even if it was larger once (RFC 9293 §3.8.6 SHLD-17) */
		held(env, c, a, true, HELD_RWND);
		return false;
	}
	if (n)
		n = MIN(n, edge - r->seq);
	if (room < MIN(n, c->mss) && !a->force) {
		held(env, c, a, true, HELD_CWND);
		a->limited_at = c->snd_nxt;
		return false;
	}
	if (n > c->mss)
		n = MAX(MIN(n, room) / c->mss, 1u) * c->mss;
	if (!may_leave(env, c, a, true, &n, c->mss))
		return false;
	return resend(env, c, a, i, n, fin && n == data);
}

/* May a last, short segment go (RFC 9293 §3.7.4)? Minshall's Nagle, as Linux: only another short one in flight holds it. */
static bool small_may_go(const struct tcp_conn *c, const struct tcp_active *a, bool override)
{
	if (override || c->fin_queued || c->push_now)
		return true;
	if (c->cork || c->more)
		return false;
	return c->nodelay || c->snd_una == c->snd_nxt || seq_le(a->snd_sml, c->snd_una);
}

/* How much new data may leave now, `size` bytes to a segment; 0 with the reason in *why, 0 if there is simply none. */
static uint32_t new_data(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t usable, uint32_t size, bool override,
			 enum held *why)
{
	uint32_t unsent = tcp_unsent(c), pipe = tcp_pipe(c, a), cwnd = MAX(c->cwnd, c->mss);
	uint32_t room = cwnd > pipe ? cwnd - pipe : 0, n = MIN(unsent, usable);

	if (room < MIN(n, size)) {
		*why = HELD_CWND;
		a->limited_at = c->snd_nxt;
		return 0;
	}
	n = MIN(MIN(n, room), burst_bytes(env, c, a, size));
	if (n >= size) {
		if (n < unsent || !small_may_go(c, a, override))
			n -= n % size;
		return n;
	}
	if (n == unsent) {
		*why = HELD_NAGLE;
		return small_may_go(c, a, override) ? n : 0;
	}
	*why = HELD_RWND; /* silly window avoidance, sender's side (§3.8.6.2.1 MUST-38): half the largest window, or the timer */
	return override || n >= c->snd_wnd_max / 2 ? n : 0;
}

/* Its range is pushed; one that had to join the last keeps that one's note. */
static void push(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, const struct outgoing *o)
{
	uint32_t pipe = tcp_pipe(c, a), n = a->sent.n;

	tcp_ranges_push(env->arena, &a->sent, o->seq, o->seq + o->len, TCP_RANGE_QUEUED, env->now);
	if (a->sent.n > n)
		tcp_ranges_note(env->arena, &a->sent, (uint16_t)n, env->now, pipe);
	tcp_ranges_at(env->arena, &a->sent)[a->sent.n - 1].ts = tcp_ts_now(env, c->ts_offset);
	a->tlp.from = env->now;
}

/* Is the handshake so far that data may go? As Fast Open's server before the third ACK (RFC 7413 §4.2.2). */
static bool may_send_data(const struct tcp_env *env, const struct tcp_conn *c)
{
	if (c->was_open)
		return tcp_state_may_send(c->state);
	return c->rare && tcp_fastopen_is_pending(env, c) && (c->state == TCP_SYN_RECEIVED || tcp_state_may_send(c->state));
}

/* n bytes from SND.NXT, `size` to a segment, and FIN if asked. False: no memory. */
static bool send_fresh(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t n, uint32_t size, bool fin, enum why why)
{
	struct outgoing o;

	if (!prepare(env, c, c->snd_nxt, n, size, fin, why, &o))
		return false;
	if (n)
		tcp_ecn_new_data(c, o.p);
	if (c->snd_una == c->snd_nxt)
		a->since = env->now;
	push(env, c, a, &o);
	if ((uint32_t)(o.seq - c->iss - 1) + o.data < o.data) /* 2^32 bytes more have been sent */
		c->sent_hi++;
	c->fin_sent = o.data < o.len;
	c->snd_nxt += o.len;
	if (o.data % size && why != WHY_MTU_PROBE)
		a->snd_sml = c->snd_nxt;
	launch(env, c, a, &o);
	return true;
}

/* A segment of n bytes, more than the MSS: does it pass? False: it could not be sent, and is not tried again for a while. */
static bool send_mtu_probe(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t n)
{
	uint32_t seq = c->snd_nxt;

	if (env->ops->tx_room(env->ctx, c->e.node.path) < n || !send_fresh(env, c, a, n, c->mss, false, WHY_MTU_PROBE)) {
		tcp_pmtu_probe_failed(env, c);
		return false;
	}
	tcp_pmtu_probe_sent(env, c, a, seq, n);
	return true;
}

/* One segment of new data, or FIN. True: there may be more to do. */
static bool send_new(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool override)
{
	uint32_t unsent = tcp_unsent(c), edge = c->snd_una + c->snd_wnd, n = 0;
	uint32_t usable = seq_lt(c->snd_nxt, edge) ? edge - c->snd_nxt : 0, size = tcp_sack_seg_size(env, c, a);
	enum held why = HELD_RWND;

	if (!may_send_data(env, c) || (!unsent && (!c->fin_queued || c->fin_sent)))
		return false;
	if (c->snd_una == c->snd_nxt && c->tx_tick && tcp_since_tick(env, c->tx_tick) > tcp_rto(c))
		tcp_recovery_idle(env, c, a);
	if (c->snd_una == c->snd_nxt)
		tcp_cwnd_event(env, c, a, TCP_CC_BEGIN, NULL, 0);
	if (usable && unsent)
		n = new_data(env, c, a, usable, size, override || tcp_urgent_is_sending(env, c), &why);
	uint32_t probe = n ? tcp_pmtu_probe(env, c, a, usable) : 0;
	if ((a->ece_waits && !override) || probe == TCP_MTU_PROBE_WAIT) {
		why = HELD_CWND;
		n = 0;
	}
	if (!usable || (unsent && !n)) {
		held(env, c, a, false, why);
		return false;
	}
	if (!may_leave(env, c, a, false, &n, size))
		return false;
	if (probe && send_mtu_probe(env, c, a, probe))
		return true;
	bool fin = c->fin_queued && n == unsent && usable > n;
	return send_fresh(env, c, a, n, size, fin, n ? WHY_DATA : WHY_FIN);
}

/* The last segment sent, as it was cut: alone in range *i. False: it may not or cannot be sent. */
static bool last_segment(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint16_t *i, uint32_t *n, bool *fin)
{
	*i = (uint16_t)(a->sent.n - 1);
	struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[*i];
	*fin = c->fin_sent && r->end == c->snd.end + 1;
	uint32_t data = r->end - r->seq - *fin;
	*n = data ? (data - 1) % c->mss + 1 : 0;
	if (r->flags & (TCP_RANGE_QUEUED | TCP_RANGE_SACKED) || seq_lt(c->snd_una + c->snd_wnd, r->end - *fin))
		return false;
	if (*n < data) {
		if (!tcp_ranges_split(env->arena, &a->sent, *i, r->end - *fin - *n))
			return false;
		(*i)++;
	}
	tcp_ranges_at(env->arena, &a->sent)[*i].why = WHY_RETRANS_TLP;
	return true;
}

bool tcp_output_loss_probe(struct tcp_env *env, struct tcp_conn *c, bool *is_retrans)
{
	struct tcp_active *a = tcp_active_of(env, c);
	uint32_t edge = c->snd_una + c->snd_wnd, room = seq_lt(c->snd_nxt, edge) ? edge - c->snd_nxt : 0;
	uint32_t size = tcp_sack_seg_size(env, c, a), n = MIN(tcp_unsent(c), size), out = c->segs_out;
	uint16_t i;
	bool fin;

	if (env->ops->tx_room(env->ctx, c->e.node.path) == 0)
		return false;
	*is_retrans = n == 0 || room < n;
	if (!*is_retrans)
		return send_fresh(env, c, a, n, size, false, WHY_DATA_TLP);
	if (last_segment(env, c, a, &i, &n, &fin))
		resend(env, c, a, i, n, fin);
	return c->segs_out != out;
}

/* RFC 5682 step 2b: up to two new segments. Nothing can go: then what is marked lost does. */
static void ask_with_new(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	uint32_t nxt = c->snd_nxt;

	if (send_new(env, c, a, false) && c->snd_nxt - nxt <= c->mss)
		send_new(env, c, a, false);
	if (c->snd_nxt == nxt)
		a->undo.frto = TCP_FRTO_NONE;
}

void tcp_output(struct tcp_env *env, struct tcp_conn *c, bool override)
{
	struct tcp_active *a = tcp_active_of(env, c);
	bool is_waiting = c->state == TCP_SYN_RECEIVED && !tcp_fastopen_is_pending(env, c);

	if (c->state == TCP_CLOSED || c->state == TCP_SYN_SENT || is_waiting)
		a = NULL;
	if (a) {
		uint32_t nxt = c->snd_nxt;
		a->pacing_waits = false;
		a->held_now = 0;
		if (a->held_lost && !a->sent.lost) /* it has come after all: nothing waits that could tell */
			a->held_first = 0;
		if (tcp_undo_asks(a) && c->snd_nxt == a->undo.point)
			ask_with_new(env, c, a);
		while (!tcp_undo_asks(a) && send_lost(env, c, a))
			;
		if (a->sent.lost == 0 && !tcp_undo_asks(a))
			while (send_new(env, c, a, override && c->snd_nxt == nxt))
				;
		if (c->snd_nxt != nxt)
			tcp_cwnd_used(c, a);
		a->ece_waits &= !override;
		tcp_timers_rtx(env, c, false);
		tcp_mem_stall(env, c, a);
		tcp_space_check(env, c, a);
		tcp_tally_clock(env, c, a);
	}
	if (c->ack_due || c->ack_now)
		tcp_output_ack(env, c, c->ack_why);
	tcp_timers_arm(env, c);
}
