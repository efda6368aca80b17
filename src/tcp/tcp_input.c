/* tcp/tcp_input.c - SEGMENT ARRIVES (RFC 9293 §3.10.7), one function per step, in the RFC's order.
 *
 * Begin reading at tcp_segment_arrives(), at the end. The RFC's four cases are
 *   §3.10.7.1 CLOSED     tcp_closed_arrives(), at the end
 *   §3.10.7.2 LISTEN     tcp_listen.c, with SYN-RECEIVED as long as that is a listener's small entry
 *   §3.10.7.3 SYN-SENT   input_syn_sent(): first the ACK bit, second RST, third security, fourth SYN, fifth neither
 *   §3.10.7.4 the others tcp_input_synchronized(): first the sequence number, second RST, third security, fourth SYN, fifth the ACK
 *                        (tcp_ack.c), sixth URG (urgent.c), seventh the text (reorder.c), eighth FIN; TIME-WAIT in timewait.c
 * Security and compartment, the third step of both, do not exist here. RFC 7323 §5.3 puts PAWS before the sequence number; RFC 5961
 * narrows what RST (§3.2), SYN (§4.2) and ACK (§5.2) may do. */
#include "tcp/input.h"

#include <errno.h>

#include "tcp/ack.h"
#include "tcp/autotune.h"
#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/rtt.h"
#include "tcp/tally.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"
#include "tcp/window.h"

bool tcp_is_acceptable(uint32_t rcv_nxt, uint32_t wnd, uint32_t seq, uint32_t len)
{
	if (len == 0)
		return wnd == 0 ? seq == rcv_nxt : seq - rcv_nxt < wnd;
	return wnd != 0 && (seq - rcv_nxt < wnd || seq + len - 1 - rcv_nxt < wnd);
}

/* --- before the first: PAWS (RFC 7323 §5.3 R1) --- */

/* A duplicate ACK that others overtook: older by its timestamp, but recent, and it can change nothing but what we know of loss. Linux
 * lets it pass (tcp_disordered_ack()), where RFC 7323 §5.3 R1 drops it. */
static bool is_disordered_ack(const struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t wnd = (uint32_t)s->h.wnd << c->snd_ws;
	bool moves_wnd = seq_lt(c->snd_wl1, s->h.seq) || (c->snd_wl1 == s->h.seq && wnd > c->snd_wnd);
	bool is_recent = c->ts_recent - s->h.tsval <= (uint32_t)(tcp_rto(c) * 6 / 5 / NS_PER_MS); /* its clock: 1 ms or slower */

	return s->h.flags & TCP_ACK && tcp_seg_length(s) == 0 && s->h.seq == c->rcv_nxt && s->h.ack == c->snd_una && !moves_wnd && is_recent;
}

/* A segment that lacks the agreed timestamp is dropped, too (§3.2). RST is exempt from both. */
static enum tcp_step check_paws(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!c->ts_ok || s->h.flags & TCP_RST)
		return TCP_CONTINUE;
	if (!s->h.has_ts) {
		s->drop = DROP_TCP_NO_TS;
		return TCP_DONE;
	}
	if (tcp_paws_rejects(s->h.tsval, c->ts_recent, tcp_tick_now(env) - c->ts_recent_tick) && !is_disordered_ack(c, s)) {
		if (s->len)
			tcp_ack_now(c, WHY_ACK_DUP);
		else
			tcp_ack_challenge(env, c);
		s->drop = DROP_TCP_PAWS;
		return TCP_DONE;
	}
	return TCP_CONTINUE;
}

/* --- first, check sequence number --- */

/* Outside the window: acknowledge and drop, unless it is RST. Pure ACKs and SYNs are answered on a budget, so that two confused
 * ends do not answer each other for ever (RFC 5961 §7). */
static enum tcp_step unacceptable(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	uint32_t len = tcp_seg_length(s);
	bool is_old = len && seq_le(s->h.seq + len, c->rcv_nxt);

	s->drop = is_old ? DROP_TCP_DUPLICATE : DROP_TCP_WINDOW;
	if (s->h.flags & TCP_RST) {
		s->drop = DROP_TCP_RST_INVALID;
		return TCP_DONE;
	}
	if (is_old && s->len)
		tcp_reorder_duplicate(env, c, s->h.seq, s->h.seq + s->len);
	if (len && !(s->h.flags & TCP_SYN))
		tcp_ack_now(c, WHY_ACK_DUP);
	else
		tcp_ack_challenge(env, c);
	return TCP_DONE;
}

/* Keep what lies in the window: the RFC's "idealized segment that begins at RCV.NXT and does not exceed the window". */
static void trim(struct tcp_conn *c, struct tcp_seg *s)
{
	if (s->h.flags & TCP_SYN)
		s->seq++;
	if (seq_lt(s->seq, c->rcv_nxt)) {
		uint32_t cut = MIN(c->rcv_nxt - s->seq, s->len);
		s->old_lo = s->seq;
		s->old_hi = s->seq + cut;
		s->off += cut;
		s->len -= cut;
		s->seq = c->rcv_nxt;
	}
	uint32_t room = seq_lt(s->seq, c->rcv_adv) ? c->rcv_adv - s->seq : 0;
	if (s->len + s->fin > room) {
		s->len = MIN(s->len, room);
		s->fin = false;
		tcp_ack_now(c, WHY_ACK_DUP);
	}
}

/* The SYN-ACK of a simultaneous open: its SYN is known, its ACK is what we wait for (RFC 9293 §3.5, figure 7). */
static bool is_crossed_syn_ack(const struct tcp_conn *c, const struct tcp_seg *s)
{
	return c->state == TCP_SYN_RECEIVED && (s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == (TCP_SYN | TCP_ACK) && s->len == 0 &&
	       s->h.seq + 1 == c->rcv_nxt && s->h.ack == c->snd_nxt;
}

/* Table 6, and three that it leaves out. */
static bool may_be_taken(const struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t len = tcp_seg_length(s), wnd = tcp_rcv_wnd(c);
	/* With a zero window nothing is acceptable, but ACK, URG and RST of the right number still count (MUST-66). */
	bool is_special = wnd == 0 && s->h.seq == c->rcv_nxt;
	/* An ACK alone may stand right at the edge: a peer that filled the window and lost part of that has no other (as Linux). */
	is_special |= len == 0 && s->h.seq == c->rcv_adv && !(s->h.flags & TCP_RST);
	is_special |= is_crossed_syn_ack(c, s);

	return is_special || tcp_is_acceptable(c->rcv_nxt, wnd, s->h.seq, len);
}

/* TS.Recent (RFC 7323 §4.3, §5.3 R3). */
static void record_timestamp(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	if (s->h.has_ts && c->ts_ok && seq_le(s->h.seq, c->rcv_acked) && seq_le(c->ts_recent, s->h.tsval)) {
		c->ts_recent = s->h.tsval;
		c->ts_recent_tick = tcp_tick_now(env);
	}
}

static enum tcp_step step1_sequence(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!may_be_taken(c, s))
		return unacceptable(env, c, s);
	record_timestamp(env, c, s);
	trim(c, s);
	c->rx_tick = tcp_tick_now(env);
	c->keep_probes = 0;
	return TCP_CONTINUE;
}

/* --- second, check the RST bit (RFC 5961 §3.2: only the exact number resets, another one in the window is challenged) --- */

static enum tcp_step step2_rst(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->h.flags & TCP_RST))
		return TCP_CONTINUE;
	if (s->h.seq != c->rcv_nxt) {
		tcp_ack_challenge(env, c);
		s->drop = DROP_TCP_RST_INVALID;
		return TCP_DONE;
	}
	switch (c->state) {
	case TCP_SYN_RECEIVED: /* of an active open; a listener's entry goes back to LISTEN in tcp_listen.c (MUST-11) */
		tcp_conn_finish(env, c, tcp_fastopen_is_pending(env, c) ? ECONNRESET : ECONNREFUSED);
		break;
	case TCP_CLOSE_WAIT: /* the reader has had its end; the writer's pipe is broken (as Linux) */
		tcp_conn_finish(env, c, EPIPE);
		break;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		tcp_conn_finish(env, c, 0);
		break;
	default:
		tcp_conn_finish(env, c, ECONNRESET);
	}
	return TCP_DONE;
}

/* --- fourth, check the SYN bit (RFC 5961 §4.2: a challenge whatever its number) --- */

static enum tcp_step step4_syn(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->h.flags & TCP_SYN) || is_crossed_syn_ack(c, s))
		return TCP_CONTINUE;
	tcp_ack_challenge(env, c);
	s->drop = DROP_TCP_SYN_INVALID;
	return TCP_DONE;
}

/* --- fifth, check the ACK field: tcp_ack.c. Sixth, check the URG bit: urgent.c --- */

/* --- seventh, process the segment text --- */

/* Nobody will read it (RFC 9293 §3.6.1 SHLD-3): reset, also after shutdown of both directions (as Linux). */
static bool is_unwanted(const struct tcp_conn *c, const struct tcp_seg *s)
{
	return s->len && (c->is_orphan || (c->rd_shut && c->state != TCP_ESTABLISHED));
}

static void choose_ack(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s, uint32_t nxt_before, bool had_gap)
{
	if (seq_lt(s->old_lo, s->old_hi))
		tcp_reorder_duplicate(env, c, s->old_lo, s->old_hi);
	if (c->rcv_nxt == nxt_before) /* out of order, or nothing new (RFC 5681 §4.2) */
		tcp_ack_now(c, WHY_ACK_DUP);
	else if (had_gap || s->old_lo != s->old_hi)
		tcp_ack_now(c, WHY_ACK);
	else
		tcp_ack_data(env, c);
}

/* What is a full segment of this peer? A longer one than before; or, since its MSS may have fallen, the size of two in a row that it
 * had no reason to cut short: not pushed, or of a usual size (as Linux, tcp_measure_rcv_mss()). */
static void learn_rcv_mss(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint16_t size = (uint16_t)MIN(s->seg_size, UINT16_MAX);
	bool is_cut_short = s->h.flags & (TCP_PSH | TCP_FIN | TCP_URG) && size < TCP_MSS_DEFAULT4;

	if (size >= c->rcv_mss || s->segs > 1) {
		c->rcv_mss = size;
		return;
	}
	if (is_cut_short || size < TCP_MSS_FLOOR)
		return;
	if (size == c->rcv_size)
		c->rcv_mss = size;
	c->rcv_size = size;
}

/* RCV.NXT moves over what is now in order. A FIN is the last number of its text: s->fin_taken tells the eighth step of one that was
 * reached, be it this segment's or one that had waited. */
static enum tcp_step step7_text(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	uint32_t before = c->rcv_nxt;
	bool had_gap = a && tcp_reorder_has(a);

	if (!tcp_state_may_receive(c->state) || (!s->len && !s->fin))
		return TCP_CONTINUE;
	if (is_unwanted(c, s)) {
		tcp_output_rst_seg(env, &c->e, s); /* at SEG.ACK, which is what the peer expects exactly (as Linux) */
		tcp_conn_finish(env, c, ECONNRESET);
		s->drop = DROP_TCP_CLOSED;
		return TCP_DONE;
	}
	learn_rcv_mss(c, s);
	tcp_ecn_data(c, s);
	s->drop = tcp_reorder_add(env, c, s, &s->fin_taken);
	choose_ack(env, c, s, before, had_gap);
	if (s->len)
		tcp_drs_arrived(env, c, s, c->rcv_nxt - s->fin_taken != before);
	if (c->rcv_nxt - s->fin_taken != before && tcp_conn_is_readable(env, c))
		tcp_conn_notify(env, c, TCP_EV_READABLE);
	if (c->rare)
		tcp_urgent_look(env, c);
	return TCP_CONTINUE;
}

/* --- eighth, check the FIN bit --- */

static void step8_fin(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	if (!s->fin_taken)
		return;
	c->fin_rcvd = 1;
	tcp_ack_due(c);
	c->quick = MAX(c->quick, 1);
	switch (c->state) {
	case TCP_ESTABLISHED:
		tcp_conn_set_state(env, c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1: /* our FIN is not acknowledged: the fifth step saw to that */
		tcp_conn_set_state(env, c, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_conn_set_state(env, c, TCP_TIME_WAIT);
		break;
	default: /* the others have had their FIN, and remain as they are */
		break;
	}
	tcp_conn_notify(env, c, TCP_EV_PEER_FIN | TCP_EV_READABLE);
}

/* --- §3.10.7.4, from the first to the eighth --- */

static void steps_6_to_8(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	tcp_urgent_arrives(env, c, s);
	if (step7_text(env, c, s) == TCP_CONTINUE)
		step8_fin(env, c, s);
}

/* A burst is answered as its segments one by one would be: what is owed for a pair leaves before more text (RFC 5681 §4.2, RFC 9293
 * SHLD-19), and before anything that calls for an ACK of its own, so that this one is told from it. */
static void acknowledge_before(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	bool is_next = s->h.seq == c->rcv_nxt, is_pair = c->rcv_nxt - c->rcv_acked > c->rcv_mss;

	if (c->ack_due && (!is_next || (s->len && (is_pair || (a && tcp_reorder_has(a))))))
		tcp_output_ack(env, c, c->ack_why);
}

void tcp_input_synchronized(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	acknowledge_before(env, c, s);
	if (check_paws(env, c, s) == TCP_DONE)
		return;
	if (step1_sequence(env, c, s) == TCP_DONE || step2_rst(env, c, s) == TCP_DONE)
		return;
	/* third, check security: there is none */
	if (step4_syn(env, c, s) == TCP_DONE || tcp_step5_ack(env, c, s) == TCP_DONE)
		return;
	steps_6_to_8(env, c, s);
}

/* --- §3.10.7.3: SYN-SENT --- */

/* What the peer's SYN says of itself. */
static void learn_syn(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	const struct tcp_hdr *h = &s->h;
	struct tcp_active *a = tcp_active_of(env, c);

	c->irs = h->seq;
	c->rcv_nxt = c->rcv_acked = h->seq + 1;
	c->rcv_adv = c->rcv_nxt + tcp_window_first(c->rcvbuf); /* as our SYN offered */
	sbuf_init(&c->rcv, c->rcv_nxt);
	c->ts_ok = h->has_ts && !tcp_tab(env)->set.no_timestamps;
	c->ts_recent = h->has_ts ? h->tsval : 0;
	c->ts_recent_tick = tcp_tick_now(env);
	c->sack_ok = h->sack_permitted && !tcp_tab(env)->set.no_sack;
	c->ws_ok = h->has_ws && !tcp_tab(env)->set.no_scaling;
	c->snd_ws = c->ws_ok ? h->ws : 0;
	if (!c->ws_ok) /* both or none (RFC 7323 §2.2) */
		c->rcv_ws = 0;
	c->peer_mss = tcp_mss_peer(tcp_path_of(env, &c->e), h->has_mss ? h->mss : 0);
	c->snd_wnd = c->snd_wnd_max = h->wnd; /* a SYN's window is never scaled (RFC 7323 §2.2) */
	c->snd_wl1 = h->seq;
	c->snd_wl2 = h->ack;
	tcp_ecn_learn(c, s, tcp_ranges_at(env->arena, &a->sent)->flags & TCP_RANGE_EVER);
	tcp_conn_update_mss(env, c);
}

/* Our SYN is acknowledged. */
static void syn_acked(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);

	if (!(r->flags & TCP_RANGE_EVER))
		tcp_rtt_sample(c, s->rx_ns - r->sent_at);
	c->snd_una = s->h.ack;
	tcp_tally_ack_begin(c, a);
	tcp_ranges_cut_below(env->arena, &a->sent, c->snd_una);
	tcp_tally_syn_acked(env, c, a);
	a->retries = a->backoff = 0;
	a->rtx = TCP_RTX_NONE;
	tcp_buf_drop_to(env, &c->snd, c->snd_una); /* text of the SYN (RFC 7413) */
	tcp_conn_set_state(env, c, TCP_ESTABLISHED);
	tcp_conn_established(env, c);
	if (tcp_fastopen_answered(env, c, s))
		tcp_ack_due(c); /* it rides on the text that goes again */
	else
		tcp_ack_now(c, WHY_ACK);
}

/* Does an answer to our SYN echo a timestamp that we sent since (as Linux)? A zero says nothing. */
static bool echo_is_possible(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_seg *s)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	uint32_t first = (uint32_t)(a->since / NS_PER_MS) + c->ts_offset;

	return !s->h.has_ts || !s->h.tsecr || s->h.tsecr - first <= tcp_ts_now(env, c->ts_offset) - first;
}

/* First, check the ACK bit: if SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset unless RST is set, and drop. */
static enum tcp_step syn_sent_1_ack(struct tcp_env *env, const struct tcp_conn *c, struct tcp_seg *s)
{
	const struct tcp_hdr *h = &s->h;
	bool is_ours = seq_lt(c->iss, h->ack) && seq_le(h->ack, c->snd_nxt) && (h->flags & TCP_RST || echo_is_possible(env, c, s));

	if (!(h->flags & TCP_ACK) || is_ours)
		return TCP_CONTINUE;
	if (!(h->flags & TCP_RST))
		tcp_output_rst_seg(env, &c->e, s);
	s->drop = h->flags & TCP_RST ? DROP_TCP_RST_INVALID : DROP_TCP_ACK_RANGE;
	return TCP_DONE;
}

/* Second, check the RST bit: with the ACK that was acceptable "connection refused", without one nothing. */
static enum tcp_step syn_sent_2_rst(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->h.flags & TCP_RST))
		return TCP_CONTINUE;
	if (s->h.flags & TCP_ACK)
		tcp_conn_finish(env, c, ECONNREFUSED);
	else
		s->drop = DROP_TCP_RST_INVALID;
	return TCP_DONE;
}

/* Fourth, check the SYN bit: ESTABLISHED if our SYN is acknowledged, else SYN-RECEIVED. */
static void syn_sent_4_syn(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!tcp_conn_activate(env, c)) { /* it may have waited for text of its user */
		s->drop = DROP_NO_MEMORY;
		return;
	}
	learn_syn(env, c, s);
	if (!(s->h.flags & TCP_ACK)) { /* simultaneous open (§3.5, MUST-10): the SYN goes again, with an ACK */
		bool is_first = tcp_fastopen_waits(c);
		tcp_conn_set_state(env, c, TCP_SYN_RECEIVED);
		tcp_output_syn(env, c, WHY_SYN_ACK, is_first);
		return;
	}
	syn_acked(env, c, s);
	trim(c, s);
	steps_6_to_8(env, c, s); /* "if there are other controls or text in the segment, then continue processing at the sixth step" */
}

static void input_syn_sent(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (syn_sent_1_ack(env, c, s) == TCP_DONE || syn_sent_2_rst(env, c, s) == TCP_DONE)
		return;
	if (s->h.flags & TCP_SYN)
		syn_sent_4_syn(env, c, s);
	else /* fifth, neither of SYN and RST: drop */
		s->drop = s->h.flags & TCP_ACK ? DROP_TCP_WINDOW : DROP_TCP_NO_ACK;
}

/* --- the door --- */

void tcp_input_end(struct tcp_env *env, struct tcp_conn *c)
{
	if (c->state == TCP_TIME_WAIT) {
		if (c->ack_now || c->ack_due)
			tcp_output_ack(env, c, c->ack_why);
		tcp_timewait_enter(env, c);
	} else if (c->state != TCP_CLOSED) {
		if (c->ack_now)
			tcp_output_ack(env, c, c->ack_why);
		if ((c->active || c->ack_due) && c->queue == TCP_Q_NONE)
			tcp_conn_mark_dirty(env, c);
		tcp_timers_arm(env, c);
	}
	tcp_conn_settle(env, c);
}

enum drop tcp_segment_arrives(struct tcp_env *env, ref_t node, struct pkt *p)
{
	struct tcp_entry *e = arena_at(env->arena, node);
	const struct tcp_path *path = tcp_path_of(env, e);
	struct tcp_seg s;
	enum drop d = tcp_seg_read(env, p, &path->local, &path->remote, &s);

	if (d == DROP_NONE && e->node.timer.kind == WHEEL_TCP_CONN) {
		struct tcp_conn *c = tcp_conn_at(env, node);
		tcp_tally_in(env, c, &s);
		if (c->state == TCP_SYN_SENT)
			input_syn_sent(env, c, &s);
		else if (tcp_conn_is_held(c))
			tcp_held_arrives(env, c, &s);
		else
			tcp_input_synchronized(env, c, &s);
		d = s.drop;
		tcp_input_end(env, c);
	} else if (d == DROP_NONE) {
		d = e->node.timer.kind == WHEEL_TCP_SYNRCVD ? tcp_synrcvd_arrives(env, node, &s) : tcp_timewait_arrives(env, node, &s);
	}
	pkt_free(env->mem, p);
	return d;
}

enum drop tcp_closed_arrives(struct tcp_env *env, struct pkt *p, const struct via_addr *local, const struct via_addr *remote)
{
	struct tcp_seg s;
	enum drop d = tcp_seg_read(env, p, local, remote, &s);

	if (d == DROP_NONE) { /* §3.10.7.1: CLOSED */
		d = DROP_TCP_NO_SOCKET;
		if (!p->m.ether_mcast && !via_addr_is_multicast(local) && !via_addr_is_multicast(remote))
			tcp_seg_refuse(env, &s, local, remote);
	}
	pkt_free(env->mem, p);
	return d;
}
