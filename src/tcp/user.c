/* tcp/user.c - the local user's calls (RFC 9293 §3.9.1, §3.10.1 to .6). None blocks; what is to be sent leaves at the
 * next flush. Errors are reported once: by the call that meets one first, or by tcp_user_error(). */
#include "tcp/input.h"

#include <errno.h>

#include "tcp/ack.h"
#include "tcp/autotune.h"
#include "tcp/cwnd.h"
#include "tcp/fastopen.h"
#include "tcp/isn.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/pacing.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"
#include "tcp/window.h"

_Static_assert(sizeof(struct via_iov) == sizeof(struct sbuf_iov) && offsetof(struct via_iov, len) == offsetof(struct sbuf_iov, len),
	       "the public span is the stream buffer's");

/* --- OPEN --- */

int tcp_user_connect(struct tcp_env *env, ref_t path, uint16_t lport, uint16_t rport, const struct tcp_opts *o, ref_t owner, ref_t *out)
{
	bool is_full = tcp_mem_state(env) == TCP_MEM_FULL; /* new work is refused first (HARD-09) */
	struct tcp_conn *c = is_full ? NULL : tcp_conn_new(env, path, lport, rport, o);

	tcp_tab(env)->memory.refused += is_full;
	if (!c) {
		env->ops->path_drop(env->ctx, path); /* the count was ours in any case */
		return is_full ? -ENOBUFS : -ENOMEM;
	}
	c->iss = c->snd_una = c->snd_nxt = tcp_isn(env, tcp_path_of(env, &c->e), lport, rport);
	if (!tcp_conn_activate(env, c)) {
		tcp_conn_free(env, c);
		return -ENOMEM;
	}
	sbuf_init(&c->snd, c->iss + 1);
	sbuf_init(&c->rcv, 0);
	c->owner = owner;
	c->in_demux = 1;
	env->ops->demux_add(env->ctx, tcp_conn_ref(env, c));
	tcp_conn_set_state(env, c, TCP_SYN_SENT);
	if (!tcp_fastopen_may_wait(env, c))
		tcp_output_syn(env, c, WHY_SYN, true);
	*out = tcp_conn_ref(env, c);
	return 0;
}

bool tcp_user_waits(struct tcp_env *env, ref_t conn)
{
	return tcp_fastopen_waits(tcp_conn_at(env, conn));
}

/* --- errors --- */

static int take_error(struct tcp_conn *c)
{
	int err = c->err;

	c->err = 0;
	return err;
}

int tcp_user_error(struct tcp_env *env, ref_t conn)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	int err = take_error(c);

	if (!err) { /* a soft one is made available, and forgotten (MUST-54) */
		err = c->err_soft;
		c->err_soft = 0;
	}
	return err;
}

/* --- SEND --- */

/* May the user send? 0, or the negative errno. */
static int send_check(struct tcp_env *env, struct tcp_conn *c)
{
	if (c->err)
		return -take_error(c);
	if (c->fin_queued || c->state == TCP_CLOSED)
		return -EPIPE;
	if (tcp_fastopen_waits(c)) { /* not by this way: the SYN goes without text */
		if (tcp_conn_activate(env, c))
			tcp_output_syn(env, c, WHY_SYN, true);
		return -EAGAIN;
	}
	if (c->state == TCP_SYN_SENT || (c->state == TCP_SYN_RECEIVED && !tcp_fastopen_is_pending(env, c)))
		return -EAGAIN;
	return 0;
}

/* New bytes stand at the end of the send queue. */
static void sent_more(struct tcp_env *env, struct tcp_conn *c, bool more)
{
	c->more = c->unpushed = more;
	c->push_now = 0;
	tcp_conn_mark_dirty(env, c);
}

/* Memory is out, perhaps for others' sake: the user waits for TCP_EV_WRITABLE, which a timer gives when there is some. Who got
 * a part of it lets the others ask first. */
static int starve(struct tcp_env *env, struct tcp_conn *c, bool got_some)
{
	c->starved = got_some ? 2 : 1;
	tcp_timers_arm(env, c);
	tcp_conn_settle(env, c);
	return -EAGAIN;
}

/* The SYN waits for this: as much text as it can carry, the rest is for later (RFC 7413 §4.2.1). */
static int64_t send_on_syn(struct tcp_env *env, struct tcp_conn *c, const void *data, uint32_t len)
{
	uint32_t n = MIN(MIN(len, tcp_fastopen_room(env, c)), c->sndbuf);

	if (!tcp_conn_activate(env, c))
		return starve(env, c, false);
	n = n ? tcp_buf_append(env, &c->snd, data, n) : 0;
	tcp_output_syn(env, c, WHY_SYN, true);
	return n ? (int64_t)n : -EINPROGRESS;
}

/* How much of `want` bytes may be added now, active taken; 0 with the reason in *err: the buffer is full, or memory is out. */
static uint32_t send_room(struct tcp_env *env, struct tcp_conn *c, uint32_t want, int *err)
{
	bool is_full = tcp_mem_state(env) == TCP_MEM_FULL;
	struct tcp_active *a = is_full ? NULL : tcp_conn_activate(env, c);

	*err = 0;
	tcp_tab(env)->memory.refused += is_full;
	if (!a) {
		*err = starve(env, c, false);
		return 0;
	}
	uint32_t n = tcp_send_room(env, c, want);
	a->nospace |= n < want;
	if (!n && want)
		*err = -EAGAIN;
	return n;
}

int64_t tcp_user_send(struct tcp_env *env, ref_t conn, const void *data, uint32_t len, bool more)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	if (tcp_fastopen_waits(c) && !c->err)
		return send_on_syn(env, c, data, len);
	int err = send_check(env, c);

	if (err || !len)
		return err;
	uint32_t want = send_room(env, c, len, &err);
	if (err)
		return err;
	tcp_cwnd_app_limited(c, tcp_active_of(env, c));
	uint32_t n = tcp_buf_append(env, &c->snd, data, want);
	if (n)
		sent_more(env, c, more);
	c->starved = 0;
	if (n < want) /* also when some was taken: who acts on events waits for one now */
		err = starve(env, c, n > 0);
	return n ? (int64_t)n : err;
}

int tcp_user_send_reserve(struct tcp_env *env, ref_t conn, struct via_iov *iov, int n, uint32_t want)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	int err = send_check(env, c);

	if (err)
		return err;
	want = send_room(env, c, want, &err); /* active is taken, so that what is written there can be committed */
	if (err)
		return err;
	int k = tcp_buf_reserve(env, &c->snd, (struct sbuf_iov *)(void *)iov, n, want);
	c->starved = 0;
	if (k)
		return k;
	if (want && n > 0)
		return starve(env, c, false);
	tcp_conn_settle(env, c);
	return 0;
}

int tcp_user_send_commit(struct tcp_env *env, ref_t conn, uint32_t len)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	if (c->fin_queued || c->state == TCP_CLOSED)
		return -EPIPE;
	if (!tcp_conn_activate(env, c))
		return starve(env, c, false);
	tcp_cwnd_app_limited(c, tcp_active_of(env, c));
	int err = tcp_buf_commit(env, &c->snd, len);
	if (!err && len)
		sent_more(env, c, false);
	else
		tcp_conn_settle(env, c);
	return err;
}

#define LEND_MAX 65535u /* of one block */

int64_t tcp_user_send_lend(struct tcp_env *env, ref_t conn, const void *data, uint32_t len, void (*done)(void *, uint64_t),
			   void *ctx, uint64_t token)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	int err = send_check(env, c);

	if (err || !len)
		return err;
	uint32_t n = MIN(send_room(env, c, MIN(len, LEND_MAX), &err), LEND_MAX);
	if (err)
		return err;
	tcp_cwnd_app_limited(c, tcp_active_of(env, c));
	blk_t b = blk_lend(env->mem, data, n, done, ctx, token);
	if (!b || tcp_buf_append_blk(env, &c->snd, b, 0, n) < 0)
		n = 0;
	c->starved = 0;
	if (n)
		sent_more(env, c, false);
	else
		err = starve(env, c, false);
	if (b)
		blk_drop(env->mem, b); /* the stream holds it now, or done() is called */
	return n ? (int64_t)n : err;
}

/* --- RECEIVE --- */

/* Bytes that one read may give: in order, and up to an urgent mark. */
static struct tcp_urgent_span readable(const struct tcp_env *env, const struct tcp_conn *c)
{
	return c->rare ? tcp_urgent_readable(env, c) : (struct tcp_urgent_span){0, sbuf_len(&c->rcv)};
}

/* Nothing to read: why? */
static int recv_empty(struct tcp_conn *c)
{
	if (c->fin_rcvd) /* whatever came later (as Linux) */
		return 0;
	if (c->err)
		return -take_error(c);
	if (c->rd_shut)
		return 0;
	if (c->state == TCP_CLOSED)
		return c->was_open ? 0 : -ENOTCONN;
	return -EAGAIN;
}

/* len: with what was skipped. */
static void consumed(struct tcp_env *env, struct tcp_conn *c, uint32_t len)
{
	tcp_buf_drop_to(env, &c->rcv, c->rcv.start + len);
	tcp_drs_copied(env, c);
	if (c->rare)
		tcp_urgent_passed(env, c);
	if (c->state != TCP_CLOSED && tcp_window_wants_update(c)) {
		c->ack_due = 1;
		c->ack_why = WHY_ACK_WINDOW;
		tcp_conn_mark_dirty(env, c);
	}
}

int64_t tcp_user_recv(struct tcp_env *env, ref_t conn, void *out, uint32_t len, bool peek)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	struct tcp_urgent_span u = readable(env, c);
	uint32_t n = MIN(len, u.len);

	if (!u.len)
		return recv_empty(c);
	n = sbuf_copy_out(env->arena, env->mem, &c->rcv, c->rcv.start + u.skip, out, n);
	if (!peek)
		consumed(env, c, u.skip + n);
	return n;
}

int tcp_user_recv_peek(struct tcp_env *env, ref_t conn, struct via_iov *iov, int n)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	struct tcp_urgent_span u = readable(env, c);

	if (!u.len)
		return recv_empty(c);
	n = sbuf_peek(env->arena, env->mem, &c->rcv, c->rcv.start + u.skip, (struct sbuf_iov *)(void *)iov, n);
	for (int i = 0; i < n; i++) { /* not past the mark */
		iov[i].len = MIN(iov[i].len, u.len);
		u.len -= iov[i].len;
		if (!u.len)
			n = i + 1;
	}
	return n;
}

int tcp_user_recv_consume(struct tcp_env *env, ref_t conn, uint32_t len)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	struct tcp_urgent_span u = readable(env, c);

	if (len > u.len)
		return -EINVAL;
	if (len)
		consumed(env, c, u.skip + len);
	return 0;
}

/* --- CLOSE, ABORT --- */

/* FIN stands behind what is queued (§3.10.4). False: nothing to close, or no memory for it. */
static bool queue_fin(struct tcp_env *env, struct tcp_conn *c)
{
	bool is_closing = c->state == TCP_CLOSE_WAIT;

	if (c->fin_queued || (c->state != TCP_ESTABLISHED && c->state != TCP_SYN_RECEIVED && !is_closing))
		return false;
	if (!tcp_conn_activate(env, c)) {
		tcp_conn_abort(env, c, ENOBUFS);
		return false;
	}
	c->fin_queued = 1;
	c->more = c->unpushed = 0;
	tcp_conn_set_state(env, c, is_closing ? TCP_LAST_ACK : TCP_FIN_WAIT_1);
	tcp_conn_mark_dirty(env, c);
	return true;
}

int tcp_user_shutdown_wr(struct tcp_env *env, ref_t conn)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	if (c->state == TCP_SYN_SENT || tcp_conn_is_held(c) || (c->state == TCP_CLOSED && !c->fin_queued))
		return -ENOTCONN;
	queue_fin(env, c);
	return 0;
}

void tcp_user_shutdown_rd(struct tcp_env *env, ref_t conn)
{
	tcp_conn_at(env, conn)->rd_shut = 1;
}

void tcp_user_close(struct tcp_env *env, ref_t conn, bool linger0)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	struct tcp_state_tab *t = tcp_tab(env);

	c->owner = 0;
	c->rd_shut = 1;
	if (c->state == TCP_SYN_SENT || (tcp_conn_is_held(c) && !linger0))
		tcp_conn_finish(env, c, 0);
	else if (linger0 || sbuf_len(&c->rcv) || t->n_orphans >= t->set.orphans_max) /* RFC 9293 §3.6.1 SHLD-3 */
		tcp_conn_abort(env, c, 0);
	else if (c->state == TCP_FIN_WAIT_2 && tcp_conn_skips_fin_wait2(env, c))
		tcp_conn_abort(env, c, 0);
	else
		queue_fin(env, c);
	if (c->state != TCP_CLOSED) {
		c->is_orphan = 1;
		t->n_orphans++;
		tcp_timers_slow(env, c); /* waiting in FIN-WAIT-2 is bounded now (TCP-046) */
	}
	tcp_buf_drop_to(env, &c->rcv, c->rcv.end);
	tcp_conn_settle(env, c);
}

void tcp_user_set_opts(struct tcp_env *env, ref_t conn, const struct tcp_opts *o)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	bool was_readable = tcp_conn_is_readable(env, c);
	uint64_t limit = r ? r->opts.pacing_max : 0;

	tcp_conn_apply_opts(env, c, o);
	struct tcp_active *a = tcp_active_of(env, c);
	if (a && limit != o->pacing_max)
		tcp_pacing_limited(env, c, a);
	if (a && a->rtx) { /* a user's time-out may end it sooner now */
		int64_t at = a->rtx_at;
		tcp_timers_set_rtx(env, c, a, a->rto_at);
		a->rtx_at = MIN(a->rtx_at, at); /* probe and reordering timer come before the time-out, and leave it where it is */
		tcp_timers_arm(env, c);
	}
	if (!was_readable && tcp_conn_is_readable(env, c)) /* SO_RCVLOWAT came down */
		tcp_conn_notify(env, c, TCP_EV_READABLE);
	if (c->state != TCP_CLOSED) /* nodelay, or no more cork: what was held goes */
		tcp_conn_mark_dirty(env, c);
}

void tcp_user_push(struct tcp_env *env, ref_t conn)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	c->push_now = 1;
	if (c->state != TCP_CLOSED)
		tcp_conn_mark_dirty(env, c);
}

/* --- STATUS --- */

uint32_t tcp_user_ready(struct tcp_env *env, ref_t conn)
{
	const struct tcp_conn *c = tcp_conn_at(env, conn);
	struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	bool is_opening = (c->state == TCP_SYN_SENT && !tcp_fastopen_waits(c)) ||
			  (c->state == TCP_SYN_RECEIVED && !tcp_fastopen_is_pending(env, c));
	uint32_t bits = 0;

	if ((readable(env, c).len && tcp_conn_is_readable(env, c)) || c->fin_rcvd || c->rd_shut || c->state == TCP_CLOSED)
		bits |= VIA_IN;
	if (c->fin_rcvd || c->rd_shut || c->state == TCP_CLOSED)
		bits |= VIA_RDHUP;
	if (c->state == TCP_CLOSED || c->fin_queued || (!is_opening && tcp_conn_is_writable(env, c)))
		bits |= VIA_OUT;
	else if (a && !is_opening) /* who has seen this waits for the edge */
		a->nospace = true;
	if (c->state == TCP_CLOSED || (c->fin_queued && (c->fin_rcvd || c->rd_shut)))
		bits |= VIA_HUP;
	if (c->err)
		bits |= VIA_ERR;
	if (r && r->urg == TCP_URG_HERE)
		bits |= VIA_PRI;
	return bits;
}

void tcp_user_buffers(struct tcp_env *env, ref_t conn, uint32_t *rcvbuf, uint32_t *sndbuf)
{
	const struct tcp_conn *c = tcp_conn_at(env, conn);

	*rcvbuf = tcp_rcvbuf_told(env, c);
	*sndbuf = c->sndbuf;
}

uint32_t tcp_user_inq(struct tcp_env *env, ref_t conn) { return readable(env, tcp_conn_at(env, conn)).len; }
uint32_t tcp_user_outq(struct tcp_env *env, ref_t conn) { return sbuf_len(&tcp_conn_at(env, conn)->snd); }
enum tcp_state tcp_conn_state(struct tcp_env *env, ref_t conn) { return tcp_conn_at(env, conn)->state; }
