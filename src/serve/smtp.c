/* serve/smtp.c - see smtp.h. One connection is one loop: push replies, feed the engine what was read, do what it asks.
 *
 * The engine takes nothing while its replies wait, so a client that does not read is not read either. A connection that is
 * to close is shut for writing and drained, so that the last reply arrives (closing over unread bytes is a reset). */
#include "serve/smtp.h"

#include "app/text.h"
#include <errno.h>

enum { SMTP_PORT = 25, SMTP_CONNS = 256, SIZE_MAX_USUAL = 10240000, TEXT_STEP = 4096 };
#define DRAIN_NS (5 * NS_PER_S)

struct smtp_conn {
	struct serve_conn base; /* first */
	struct smtp_server engine;
	uint64_t token;         /* of the message under way, or 0 */
	uint64_t text_renewed;  /* engine.size when the time was renewed last */
	bool is_known;          /* the engine is ready, its time has begun */
	bool ending;            /* the engine said its last; when it is sent, we drain */
	bool draining;
	uint32_t drained;
	uint16_t in_off, in_len;
	char boxes[SMTP_RCPTS_MAX][SMTP_LOCAL_MAX + 1];
	uint8_t in[2048];
};

static struct serve_smtp *smtp_of(struct smtp_conn *c)
{
	return CONTAINER_OF(c->base.set, struct serve_smtp, conns);
}

static void smtp_forget(struct smtp_conn *c)
{
	struct serve_smtp *s = smtp_of(c);
	if (!c->token)
		return;
	s->cfg.mail.abort(s->cfg.mail.ctx, c->token);
	s->n_refused++;
	c->token = 0;
}

static void smtp_closed(struct serve_conn *base)
{
	smtp_forget(CONTAINER_OF(base, struct smtp_conn, base));
}

/* --- who has mail here --- */

static bool is_our_address(struct smtp_conn *c, const char *domain)
{
	struct via_sockaddr local;
	char text[VIA_ADDR_STRLEN];
	if (domain[0] != '[' || via_local(c->base.set->via, c->base.sock, &local) < 0)
		return false;
	via_addr_format(&local.addr, text);
	size_t n = strlen(text), skip = strchr(text, ':') ? strlen("[IPv6:") : 1;
	return strlen(domain) == skip + n + 1 && smtp_word_is(domain + skip, n, text);
}

static bool is_in(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (smtp_word_is(word, strlen(word), *words))
			return true;
	return false;
}

static enum smtp_answer smtp_rcpt(struct smtp_conn *c)
{
	const struct serve_smtp_config *cfg = &smtp_of(c)->cfg;
	const struct smtp_path *to = &c->engine.to;
	bool is_postmaster = smtp_path_is_postmaster(to);
	if (to->domain[0] && !is_in(cfg->domains, to->domain) && !is_our_address(c, to->domain))
		return SMTP_NOT_HERE;
	if (!to->local[0] || (!is_postmaster && cfg->mailboxes && !is_in(cfg->mailboxes, to->local)))
		return SMTP_NO_MAILBOX;
	char *box = c->boxes[c->engine.n_rcpts];
	size_t n = strlen(to->local);
	for (size_t i = 0; i <= n; i++)
		box[i] = to->local[i] >= 'A' && to->local[i] <= 'Z' ? (char)(to->local[i] + 32) : to->local[i];
	return SMTP_YES;
}

/* --- a message --- */

static enum smtp_answer answer_of(int err)
{
	return !err ? SMTP_YES : err == -ENOSPC || err == -EDQUOT ? SMTP_NO_SPACE : SMTP_FAILED;
}

/* Names of different mailboxes; returns how many. */
static uint32_t smtp_boxes(struct smtp_conn *c, const char *out[SMTP_RCPTS_MAX])
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->engine.n_rcpts; i++) {
		uint32_t k = 0;
		while (k < n && strcmp(out[k], c->boxes[i]) != 0)
			k++;
		if (k == n)
			out[n++] = c->boxes[i];
	}
	return n;
}

static int smtp_write_trace(struct smtp_conn *c)
{
	struct serve_smtp *s = smtp_of(c);
	char peer[VIA_ADDR_STRLEN] = "", id[24] = "", trace[SMTP_TRACE_MAX];
	struct via_sockaddr remote;
	struct writer w = writer_of(id, sizeof(id) - 1);
	if (via_peer(s->cfg.via, c->base.sock, &remote) == 0)
		via_addr_format(&remote.addr, peer);
	text_number(&w, s->n_messages + s->n_refused + 1);
	const struct smtp_trace t = {.from = &c->engine.from, .helo = c->engine.helo, .peer = peer, .id = id, .name = s->cfg.name,
		.is_esmtp = c->engine.is_esmtp, .to = c->engine.n_rcpts == 1 ? &c->engine.to : NULL, .date = s->now / NS_PER_S};
	return s->cfg.mail.write(s->cfg.mail.ctx, c->token, trace, smtp_trace_emit(trace, sizeof(trace), &t));
}

static enum smtp_answer smtp_begin(struct smtp_conn *c)
{
	const struct serve_mail *m = &smtp_of(c)->cfg.mail;
	const char *boxes[SMTP_RCPTS_MAX];
	int err = m->begin(m->ctx, boxes, smtp_boxes(c, boxes), &c->token);
	if (!err)
		err = smtp_write_trace(c);
	if (err)
		smtp_forget(c);
	c->text_renewed = 0;
	return answer_of(err);
}

static void smtp_text(struct smtp_conn *c)
{
	const struct serve_mail *m = &smtp_of(c)->cfg.mail;
	int err = m->write(m->ctx, c->token, c->engine.text, c->engine.text_len);
	if (!err)
		return;
	smtp_forget(c);
	smtp_server_answer(&c->engine, answer_of(err));
}

static enum smtp_answer smtp_commit(struct smtp_conn *c)
{
	struct serve_smtp *s = smtp_of(c);
	int err = s->cfg.mail.commit(s->cfg.mail.ctx, c->token);
	c->token = 0;
	s->n_messages += err == 0;
	s->n_refused += err != 0;
	return answer_of(err);
}

/* --- the loop --- */

/* Send replies. 1: all, 0: blocked, or -errno. */
static int smtp_push(struct smtp_conn *c)
{
	const uint8_t *data = (const uint8_t *)c->engine.out;
	uint64_t left = c->engine.out_len;
	int r = serve_push(c->base.set->via, c->base.sock, &data, &left, 0);
	smtp_server_sent(&c->engine, c->engine.out_len - left);
	return r;
}

/* Nothing more is said: 5 s for the rest of what they say. */
static int smtp_end(struct smtp_conn *c)
{
	int r = smtp_push(c);
	smtp_forget(c);
	c->ending = true;
	if (r <= 0)
		return r;
	via_shutdown(c->base.set->via, c->base.sock, VIA_SHUT_WR);
	c->draining = true;
	serve_conn_renew(&c->base, DRAIN_NS);
	return 1;
}

/* Time is theirs anew for every command and every step of text, not for every byte. */
static void smtp_renew(struct smtp_conn *c, enum smtp_event what, size_t replies)
{
	bool step = what == SMTP_TEXT && c->engine.size - c->text_renewed >= TEXT_STEP;
	if (step)
		c->text_renewed = c->engine.size;
	if (step || c->engine.out_len > replies)
		serve_conn_renew(&c->base, SMTP_WAIT_COMMAND);
}

/* Feed the engine from what was read, else read. 1: go on, 0: wait, -1: close. */
static int smtp_read(struct smtp_conn *c)
{
	if (c->in_off == c->in_len) {
		int64_t n = via_recv(c->base.set->via, c->base.sock, c->in, sizeof(c->in), 0);
		if (n <= 0)
			return n == -EAGAIN ? 0 : -1;
		c->in_off = 0;
		c->in_len = (uint16_t)n;
	}
	enum smtp_event what;
	size_t replies = c->engine.out_len;
	c->in_off = (uint16_t)(c->in_off + smtp_server_feed(&c->engine, c->in + c->in_off, (size_t)(c->in_len - c->in_off), &what));
	switch (what) {
	case SMTP_RCPT:
		smtp_server_answer(&c->engine, smtp_rcpt(c));
		break;
	case SMTP_BEGIN:
		smtp_server_answer(&c->engine, smtp_begin(c));
		break;
	case SMTP_TEXT:
		smtp_text(c);
		break;
	case SMTP_END:
		smtp_server_answer(&c->engine, smtp_commit(c));
		break;
	case SMTP_DROP:
		smtp_forget(c);
		break;
	case SMTP_MORE: case SMTP_CLOSE:
		break;
	}
	smtp_renew(c, what, replies);
	return what == SMTP_CLOSE ? smtp_end(c) : 1;
}

static void smtp_event(struct serve_conn *base, uint32_t edges)
{
	struct smtp_conn *c = CONTAINER_OF(base, struct smtp_conn, base);
	const struct serve_smtp_config *cfg = &smtp_of(c)->cfg;
	if (!c->is_known) { /* just accepted */
		smtp_server_init(&c->engine, &(struct smtp_server_config){cfg->name, cfg->size_max, SMTP_RCPTS_MAX});
		serve_conn_renew(base, SMTP_WAIT_COMMAND);
		c->is_known = true;
	}
	for (;;) {
		int r = c->draining ? serve_drain(base, &c->drained) : smtp_push(c);
		if (r > 0)
			r = c->ending ? smtp_end(c) : smtp_read(c);
		if (r == 0)
			return;
		if (r < 0) {
			serve_conn_close(base);
			return;
		}
	}
}

/* RFC 5321 §3.8: a reason is told before the connection is closed. */
static bool smtp_expired(struct serve_conn *base)
{
	struct smtp_conn *c = CONTAINER_OF(base, struct smtp_conn, base);
	if (c->draining)
		return false;
	smtp_server_end(&c->engine, true);
	return smtp_end(c) > 0;
}

int serve_smtp_start(struct serve_smtp *s, const struct serve_smtp_config *cfg, int64_t now)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->now = now;
	if (s->cfg.local.port == 0)
		s->cfg.local.port = SMTP_PORT;
	if (s->cfg.size_max == 0)
		s->cfg.size_max = SIZE_MAX_USUAL;
	struct serve_conns_config cc = {
		.via = cfg->via, .arena = cfg->arena, .local = s->cfg.local, .name = "smtp_conn", .conn_bytes = sizeof(struct smtp_conn),
		.conns_max = cfg->conns_max ? cfg->conns_max : SMTP_CONNS, .event = smtp_event, .closed = smtp_closed, .expired = smtp_expired,
	};
	return serve_conns_start(&s->conns, &cc);
}

void serve_smtp_stop(struct serve_smtp *s)
{
	serve_conns_stop(&s->conns);
}

void serve_smtp_tick(struct serve_smtp *s, int64_t now)
{
	s->now = now;
	serve_conns_tick(&s->conns, now);
}
