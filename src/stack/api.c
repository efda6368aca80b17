/* stack/api.c - the calls of viaduct/socket.h, one line each over sock/.
 *
 * Socket calls carry no time: they happen at the time of the last via_poll(), via_flush() or via_rx_burst(), which is
 * what v->now holds. What they leave to be sent goes out with the next via_poll() or via_flush(). */
#include "stack/via.h"

/* The sock_env of v at its present time. */
static struct sock_env *env_of(struct via *v)
{
	v->sock.now = v->tcp.now = v->now;
	return &v->sock;
}

int via_open(struct via *v, enum via_type type, uint64_t cookie, via_sock *out) { return sock_open(env_of(v), type, cookie, out); }
int via_set_cookie(struct via *v, via_sock s, uint64_t cookie) { return sock_set_cookie(env_of(v), s, cookie); }
int via_bind(struct via *v, via_sock s, const struct via_sockaddr *local) { return sock_bind(env_of(v), s, local); }
int via_connect(struct via *v, via_sock s, const struct via_sockaddr *remote) { return sock_connect(env_of(v), s, remote); }
int via_listen(struct via *v, via_sock s, int backlog) { return sock_listen(env_of(v), s, backlog); }

int via_accept(struct via *v, via_sock s, uint64_t cookie, via_sock *out, struct via_sockaddr *peer)
{
	return sock_accept(env_of(v), s, cookie, out, peer);
}

int via_catch_all(struct via *v, via_sock s) { return sock_catch_all(env_of(v), s); }
int via_answer(struct via *v, via_sock s) { return sock_answer(env_of(v), s); }
int via_local(struct via *v, via_sock s, struct via_sockaddr *out) { return sock_local(env_of(v), s, out); }
int via_peer(struct via *v, via_sock s, struct via_sockaddr *out) { return sock_peer(env_of(v), s, out); }

int64_t via_send(struct via *v, via_sock s, const void *data, uint32_t len, int flags)
{
	return sock_sendto(env_of(v), s, data, len, flags, NULL);
}

int64_t via_recv(struct via *v, via_sock s, void *data, uint32_t len, int flags)
{
	return sock_recvfrom(env_of(v), s, data, len, flags, NULL, NULL);
}

int64_t via_sendto(struct via *v, via_sock s, const void *data, uint32_t len, int flags, const struct via_sockaddr *to)
{
	return sock_sendto(env_of(v), s, data, len, flags, to);
}

int64_t via_sendfrom(struct via *v, via_sock s, const void *data, uint32_t len, const struct via_sockaddr *from,
		     const struct via_sockaddr *to)
{
	return sock_sendfrom(env_of(v), s, data, len, from, to);
}

int64_t via_recvfrom(struct via *v, via_sock s, void *data, uint32_t len, int flags, struct via_sockaddr *from, struct via_sockaddr *local)
{
	return sock_recvfrom(env_of(v), s, data, len, flags, from, local);
}

int via_recv_peek(struct via *v, via_sock s, struct via_iov *iov, int n) { return sock_recv_peek(env_of(v), s, iov, n); }
int via_recv_consume(struct via *v, via_sock s, uint32_t len) { return sock_recv_consume(env_of(v), s, len); }

int via_send_reserve(struct via *v, via_sock s, struct via_iov *iov, int n, uint32_t want)
{
	return sock_send_reserve(env_of(v), s, iov, n, want);
}

int via_send_commit(struct via *v, via_sock s, uint32_t len) { return sock_send_commit(env_of(v), s, len); }

int64_t via_send_lend(struct via *v, via_sock s, const void *data, uint32_t len, void (*done)(void *ctx, uint64_t token),
		      void *ctx, uint64_t token)
{
	return sock_send_lend(env_of(v), s, data, len, done, ctx, token);
}

int via_shutdown(struct via *v, via_sock s, enum via_how how) { return sock_shutdown(env_of(v), s, how); }
int via_close(struct via *v, via_sock s) { return sock_close(env_of(v), s); }
int via_abort(struct via *v, via_sock s) { return sock_abort(env_of(v), s); }

int via_setsockopt(struct via *v, via_sock s, int level, int name, const void *val, uint32_t len)
{
	return sock_setopt(env_of(v), s, level, name, val, len);
}

int via_getsockopt(struct via *v, via_sock s, int level, int name, void *val, uint32_t *len)
{
	return sock_getopt(env_of(v), s, level, name, val, len);
}

int64_t via_inq(struct via *v, via_sock s) { return sock_inq(env_of(v), s); }
int via_atmark(struct via *v, via_sock s) { return sock_atmark(env_of(v), s); }
int64_t via_outq(struct via *v, via_sock s) { return sock_outq(env_of(v), s); }
uint32_t via_ready(struct via *v, via_sock s) { return sock_ready(env_of(v), s); }
int via_events(struct via *v, struct via_event *ev, int max) { return sock_events(env_of(v), ev, max); }
bool via_sock_next(struct via *v, uint64_t *cursor, struct via_sock_info *out) { return sock_next(env_of(v), cursor, out); }
int via_sock_info(struct via *v, via_sock s, struct via_sock_info *out) { return sock_info(env_of(v), s, out); }

/* One event at a time, so that an event of a socket a handler closed is never given out. */
int via_dispatch(struct via *v)
{
	struct via_event e;
	int given = 0;
	if (v->in_dispatch)
		return 0;
	v->in_dispatch = true;
	while (sock_events(env_of(v), &e, 1) == 1) {
		struct via_handler *h = (struct via_handler *)(uintptr_t)e.cookie;
		if (!h)
			continue;
		h->event(h, v, e.sock, e.edges);
		given++;
	}
	v->in_dispatch = false;
	return given;
}
