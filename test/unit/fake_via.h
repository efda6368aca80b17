/* test/unit/fake_via.h - the calls of <viaduct/socket.h> that servers use, over plain memory, the test being the peer.
 *
 * A test file that includes this defines the calls itself, so the linker takes no stack. The test puts bytes in, says how
 * much a send may take, delivers events, and sees what was sent, shut, closed or reset. Handles are index + 1. */
#ifndef UNIT_FAKE_VIA_H
#define UNIT_FAKE_VIA_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <viaduct/socket.h>

enum { FAKE_SOCKS = 64, FAKE_DATAGRAMS = 64 };

struct fake_dgram {
	struct via_sockaddr peer;
	uint32_t len;
	uint8_t data[2048];
};
struct fake_sock {
	bool used, listening, connecting, fin_in, fin_out, closed, reset;
	uint64_t cookie;
	enum via_type type;
	struct via_sockaddr local;
	uint8_t *in, *out;          /* a stream's bytes to the server and from it */
	size_t in_at, in_len, out_len;
	size_t room;                /* bytes sends still take */
	size_t piece;               /* a recv gives at most this; 0: no limit */
	int error;                  /* given once by the next call, as -errno */
	int64_t unacked;            /* what via_outq() tells */
	int pending[FAKE_SOCKS];    /* a listener's queue */
	int n_pending;
	struct fake_dgram din[FAKE_DATAGRAMS], dout[FAKE_DATAGRAMS];
	int n_din, din_at, n_dout;
};
struct via {
	struct fake_sock s[FAKE_SOCKS];
	int n, open_max;            /* -EMFILE at open_max, 0: none */
	int accept_error;           /* given by via_accept() while it is set, as -errno */
};

static inline struct via *fake_new(void)
{
	return calloc(1, sizeof(struct via));
}

static inline void fake_free(struct via *v)
{
	for (int i = 0; i < v->n; i++) {
		free(v->s[i].in);
		free(v->s[i].out);
	}
	free(v);
}

static inline struct fake_sock *fake_at(struct via *v, via_sock s)
{
	struct fake_sock *f = s && s <= (via_sock)v->n ? &v->s[s - 1] : NULL;
	return f && f->used && !f->closed ? f : NULL;
}

/* Any socket ever made, closed ones too. */
static inline struct fake_sock *fake_of(struct via *v, via_sock s)
{
	if (s == 0 || s > (via_sock)v->n)
		abort();
	return &v->s[s - 1];
}

static inline via_sock fake_make(struct via *v, enum via_type type)
{
	if (v->n < 0 || v->n >= FAKE_SOCKS || (v->open_max && v->n >= v->open_max))
		return 0;
	v->s[v->n++] = (struct fake_sock){.used = true, .type = type, .room = SIZE_MAX};
	return (via_sock)v->n;
}

static inline void fake_event(struct via *v, via_sock s, uint32_t edges)
{
	struct fake_sock *f = fake_at(v, s);
	if (f && f->cookie) {
		struct via_handler *h = (struct via_handler *)(uintptr_t)f->cookie;
		h->event(h, v, s, edges);
	}
}

/* The bound socket of a type. */
static inline via_sock fake_bound(struct via *v, enum via_type type)
{
	for (int i = 0; i < v->n; i++)
		if (v->s[i].type == type && v->s[i].local.port && fake_at(v, (via_sock)i + 1))
			return (via_sock)i + 1;
	return 0;
}

/* A client connects: the connection the server will see. `tell`: deliver the event. */
static inline via_sock fake_connect(struct via *v, bool tell)
{
	via_sock l = fake_bound(v, VIA_STREAM), c = fake_make(v, VIA_STREAM);
	if (!l || !c) /* the test asked for more than the fake has */
		abort();
	struct fake_sock *f = &v->s[l - 1];
	f->pending[f->n_pending++] = (int)c;
	if (tell)
		fake_event(v, l, VIA_IN);
	return c;
}

/* Bytes arrive; without an event. */
static inline void fake_put(struct via *v, via_sock s, const void *data, size_t n)
{
	struct fake_sock *f = &v->s[s - 1];
	f->in = realloc(f->in, f->in_len + n);
	memcpy(f->in + f->in_len, data, n);
	f->in_len += n;
}

static inline void fake_write(struct via *v, via_sock s, const char *text)
{
	fake_put(v, s, text, strlen(text));
	fake_event(v, s, VIA_IN);
}

static inline void fake_fin(struct via *v, via_sock s)
{
	fake_of(v, s)->fin_in = true;
	fake_event(v, s, VIA_IN | VIA_RDHUP);
}

static inline void fake_room(struct via *v, via_sock s, size_t n)
{
	v->s[s - 1].room = n;
	fake_event(v, s, VIA_OUT);
}

static inline struct fake_dgram *fake_datagram(struct via *v, const void *data, uint32_t n, uint16_t port)
{
	struct fake_sock *f = &v->s[fake_bound(v, VIA_DGRAM) - 1];
	struct fake_dgram *d = &f->din[f->n_din++];
	*d = (struct fake_dgram){.peer = {via_addr_v4(0x0a000009), port}, .len = n};
	memcpy(d->data, data, n);
	return d;
}

int via_open(struct via *v, enum via_type type, uint64_t cookie, via_sock *out)
{
	*out = fake_make(v, type);
	if (*out)
		v->s[*out - 1].cookie = cookie;
	return *out ? 0 : -EMFILE;
}

int via_bind(struct via *v, via_sock s, const struct via_sockaddr *local)
{
	for (int i = 0; i < v->n; i++)
		if (v->s[i].type == fake_at(v, s)->type && v->s[i].local.port == local->port && !v->s[i].closed)
			return -EADDRINUSE;
	fake_at(v, s)->local = *local;
	return 0;
}

int via_listen(struct via *v, via_sock s, int backlog)
{
	fake_at(v, s)->listening = backlog > 0;
	return 0;
}

int via_connect(struct via *v, via_sock s, const struct via_sockaddr *remote)
{
	fake_at(v, s)->connecting = true;
	return remote->port ? -EINPROGRESS : -ENETUNREACH;
}

int via_accept(struct via *v, via_sock s, uint64_t cookie, via_sock *out, struct via_sockaddr *peer)
{
	struct fake_sock *l = fake_at(v, s);
	if (v->accept_error)
		return -v->accept_error;
	if (l->n_pending == 0)
		return -EAGAIN;
	*out = (via_sock)l->pending[0];
	memmove(l->pending, l->pending + 1, (size_t)--l->n_pending * sizeof(int));
	v->s[*out - 1].cookie = cookie;
	return 0;
}

int via_local(struct via *v, via_sock s, struct via_sockaddr *out)
{
	*out = (struct via_sockaddr){via_addr_v4(0x0a000001), 0};
	return fake_at(v, s) ? 0 : -EBADF;
}

int via_peer(struct via *v, via_sock s, struct via_sockaddr *out)
{
	*out = (struct via_sockaddr){via_addr_v4(0x0a000009), 50000};
	return fake_at(v, s) ? 0 : -EBADF;
}

uint32_t via_ready(struct via *v, via_sock s)
{
	struct fake_sock *f = fake_at(v, s);
	if (!f)
		return VIA_ERR | VIA_HUP;
	return (f->in_at < f->in_len || f->fin_in ? VIA_IN : 0u) | (f->room && !f->connecting ? VIA_OUT : 0u);
}

static inline int fake_error(struct fake_sock *f)
{
	int e = f->error;
	f->error = 0;
	return -e;
}

int64_t via_send(struct via *v, via_sock s, const void *data, uint32_t len, int flags)
{
	struct fake_sock *f = fake_at(v, s);
	if (!f)
		return -EBADF;
	if (f->error)
		return fake_error(f);
	if (f->fin_out || f->reset)
		return -EPIPE;
	uint32_t n = len < f->room ? len : (uint32_t)f->room;
	if (n == 0)
		return -EAGAIN;
	if (f->room != SIZE_MAX)
		f->room -= n;
	f->out = realloc(f->out, f->out_len + n);
	memcpy(f->out + f->out_len, data, n);
	f->out_len += n;
	return n;
}

int64_t via_recv(struct via *v, via_sock s, void *data, uint32_t len, int flags)
{
	struct fake_sock *f = fake_at(v, s);
	if (!f)
		return -EBADF;
	if (f->error)
		return fake_error(f);
	size_t n = f->in_len - f->in_at;
	if (n == 0)
		return f->fin_in ? 0 : -EAGAIN;
	n = n < len ? n : len;
	n = f->piece && n > f->piece ? f->piece : n;
	memcpy(data, f->in + f->in_at, n);
	f->in_at += n;
	return (int64_t)n;
}

int64_t via_sendto(struct via *v, via_sock s, const void *data, uint32_t len, int flags, const struct via_sockaddr *to)
{
	struct fake_sock *f = fake_at(v, s);
	if (f->n_dout == FAKE_DATAGRAMS || len > f->room)
		return -EAGAIN;
	struct fake_dgram *d = &f->dout[f->n_dout++];
	d->peer = *to;
	d->len = len;
	memcpy(d->data, data, len);
	return len;
}

int64_t via_recvfrom(struct via *v, via_sock s, void *data, uint32_t len, int flags, struct via_sockaddr *from, struct via_sockaddr *local)
{
	struct fake_sock *f = fake_at(v, s);
	if (f->error)
		return fake_error(f);
	if (f->din_at == f->n_din)
		return -EAGAIN;
	struct fake_dgram *d = &f->din[f->din_at++];
	*from = d->peer;
	len = len < d->len ? len : d->len;
	memcpy(data, d->data, len);
	return len;
}

int via_shutdown(struct via *v, via_sock s, enum via_how how)
{
	fake_at(v, s)->fin_out |= how != VIA_SHUT_RD;
	return 0;
}

int via_close(struct via *v, via_sock s)
{
	struct fake_sock *f = fake_at(v, s);
	if (!f)
		return -EBADF;
	f->closed = f->fin_out = true;
	f->reset |= f->in_at < f->in_len; /* unread data: RFC 9293 §3.6.1 */
	return 0;
}

int via_abort(struct via *v, via_sock s)
{
	struct fake_sock *f = fake_at(v, s);
	if (!f)
		return -EBADF;
	f->closed = f->reset = true;
	return 0;
}

int64_t via_outq(struct via *v, via_sock s)
{
	struct fake_sock *f = fake_at(v, s);
	return f ? f->unacked : -EBADF;
}

int via_setsockopt(struct via *v, via_sock s, int level, int name, const void *val, uint32_t len)
{
	return level == SOL_SOCKET ? 0 : -ENOPROTOOPT;
}

int via_getsockopt(struct via *v, via_sock s, int level, int name, void *val, uint32_t *len)
{
	int e = -fake_error(fake_at(v, s));
	memcpy(val, &e, sizeof(e));
	return 0;
}

#endif
