/* tcp/urgent.c - urgent data, received and sent. See the header. Control flow and corner cases as in Linux (tcp_check_urg()). */
#include "tcp/urgent.h"

#include <errno.h>

#include "tcp/ack.h"
#include "tcp/memory.h"

/* --- received --- */

/* An older urgent octet at which the reader stands is no part of the stream: it goes before its mark is forgotten. */
static void drop_old_mark(struct tcp_env *env, struct tcp_conn *c, const struct tcp_rare *r)
{
	if (r->urg != TCP_URG_NONE && r->urg_seq == c->rcv.start && !r->opts.oob_inline && sbuf_len(&c->rcv))
		tcp_buf_drop_to(env, &c->rcv, c->rcv.start + 1);
}

static void note_pointer(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t at = s->h.seq + !!(s->h.flags & TCP_SYN) + s->h.urg - (s->h.urg != 0);
	struct tcp_rare *r = tcp_rare_of(env, c);

	if (seq_lt(at, c->rcv.start) || seq_lt(at, c->rcv_nxt)) /* read, or here and known of */
		return;
	if (r && r->urg != TCP_URG_NONE && seq_le(at, r->urg_seq))
		return;
	r = tcp_conn_rare(env, c);
	if (!r)
		return;
	drop_old_mark(env, c, r);
	r->urg = TCP_URG_AWAITED;
	r->urg_seq = at;
	tcp_conn_notify(env, c, TCP_EV_URGENT); /* MUST-32: at each advance */
}

static void has_come(struct tcp_env *env, struct tcp_conn *c, struct tcp_rare *r, uint8_t octet)
{
	r->urg = TCP_URG_HERE;
	r->urg_byte = octet;
	tcp_conn_notify(env, c, TCP_EV_URGENT | TCP_EV_READABLE);
}

void tcp_urgent_arrives(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	uint8_t octet;

	if (!tcp_state_may_receive(c->state) || c->is_orphan)
		return;
	if (s->h.flags & TCP_URG)
		note_pointer(env, c, s);
	struct tcp_rare *r = tcp_rare_of(env, c);
	if (!r || r->urg != TCP_URG_AWAITED)
		return;
	uint32_t off = r->urg_seq - s->h.seq - !!(s->h.flags & TCP_SYN);
	if (off < s->p->len - s->h.hlen) { /* even ahead of its turn, or beyond what the window takes */
		pkt_copy_out(env->mem, s->p, s->h.hlen + off, &octet, 1);
		has_come(env, c, r, octet);
	}
}

void tcp_urgent_look(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_rare *r = tcp_rare_of(env, c);
	uint8_t octet;

	if (!r || r->urg != TCP_URG_AWAITED || r->urg_seq - c->rcv.start >= sbuf_len(&c->rcv))
		return;
	sbuf_copy_out(env->arena, env->mem, &c->rcv, r->urg_seq, &octet, 1);
	has_come(env, c, r, octet);
}

struct tcp_urgent_span tcp_urgent_readable(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t n = sbuf_len(&c->rcv), to_mark = r ? r->urg_seq - c->rcv.start : 0;

	if (!r || r->urg == TCP_URG_NONE || to_mark >= n)
		return (struct tcp_urgent_span){0, n};
	if (to_mark)
		return (struct tcp_urgent_span){0, to_mark};
	return r->opts.oob_inline ? (struct tcp_urgent_span){0, n} : (struct tcp_urgent_span){1, n - 1};
}

void tcp_urgent_passed(const struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_rare *r = tcp_rare_of(env, c);

	if (r && r->urg != TCP_URG_NONE && seq_lt(r->urg_seq, c->rcv.start))
		r->urg = TCP_URG_NONE;
}

int tcp_user_recv_oob(struct tcp_env *env, ref_t conn, uint8_t *out, bool peek)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	struct tcp_rare *r = tcp_rare_of(env, c);

	if (!r || r->opts.oob_inline || r->urg == TCP_URG_NONE || r->urg == TCP_URG_TAKEN)
		return -EINVAL;
	if (r->urg == TCP_URG_HERE) {
		*out = r->urg_byte;
		if (!peek)
			r->urg = TCP_URG_TAKEN;
		return 1;
	}
	return c->state == TCP_CLOSED || c->rd_shut ? 0 : -EAGAIN;
}

bool tcp_user_atmark(struct tcp_env *env, ref_t conn)
{
	const struct tcp_conn *c = tcp_conn_at(env, conn);
	const struct tcp_rare *r = tcp_rare_of(env, c);

	return r && r->urg != TCP_URG_NONE && r->urg_seq == c->rcv.start;
}

/* --- sent --- */

bool tcp_urgent_send(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_rare *r = tcp_conn_rare(env, c);

	if (!r)
		return false;
	r->has_up = true;
	r->snd_up = c->snd.end;
	return true;
}

bool tcp_urgent_is_sending(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	return r && r->has_up && seq_lt(c->snd_una, r->snd_up);
}

void tcp_urgent_acked(const struct tcp_env *env, const struct tcp_conn *c)
{
	struct tcp_rare *r = tcp_rare_of(env, c);

	r->has_up &= seq_lt(c->snd_una, r->snd_up);
}

void tcp_urgent_mark(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_hdr *h)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	if (!tcp_urgent_is_sending(env, c) || !seq_lt(h->seq, r->snd_up))
		return;
	uint32_t off = r->snd_up - h->seq;
	/* Farther than the field reaches: as far as it does, if that is not among what the peer may have (it would take that octet). */
	if (off > UINT16_MAX && !seq_lt(c->snd_nxt, h->seq + UINT16_MAX))
		return;
	h->flags |= TCP_URG;
	h->urg = (uint16_t)MIN(off, UINT16_MAX);
}

int64_t tcp_user_send_oob(struct tcp_env *env, ref_t conn, const void *data, uint32_t len)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	if (len && !c->fin_queued && !c->err && tcp_state_may_send(c->state) && !tcp_conn_rare(env, c))
		return -ENOBUFS;
	int64_t n = tcp_user_send(env, conn, data, len, false);
	if (n > 0)
		tcp_urgent_send(env, c);
	return n;
}
