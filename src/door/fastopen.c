/* door/fastopen.c - sendto() and sendmsg() with MSG_FASTOPEN: a send that connects (RFC 7413, as Linux).
 *
 * The text goes to the stack at once: on the SYN, if the server's cookie is known; else the connection opens without. Meanwhile the
 * program's end is unwritable as in connect() (connect.c). Who waits gets the whole send done and learns of a refusal: what did not go on
 * the SYN follows over the pair when the connection stands. Who does not wait is told how much went, or EINPROGRESS.
 * TCP_FASTOPEN_CONNECT is stream.c's. */
#include "door/inside.h"

#include <errno.h>

int64_t door_fastopen_send(struct door *d, struct call *c, struct dsock *s, uint64_t name, uint32_t name_len, uint32_t n, bool dontwait)
{
	struct via_sockaddr to = {0};
	int family = AF_UNSPEC;
	if (s->state == DS_CONNECTING)
		return c->again ? ANSWER_HELD : -EALREADY;
	if (s->state != DS_FRESH)
		return s->state == DS_OPEN ? -EISCONN : -EPIPE;
	int err = name ? door_target_addr_read(s, c, name, name_len, &to, &family) : 0;
	if (err < 0)
		return err;
	if (family == AF_UNSPEC)
		return -EOPNOTSUPP;
	bool waits = !dontwait && !door_target_nonblock(d, c, s);
	s->shown_peer = to;
	s->renamed = door_names_redirect(d, &to);
	int64_t r = via_sendto(d->v, s->s, d->scratch, n, VIA_FASTOPEN, &to);
	if (r == -ECONNABORTED) /* the stack tells once more of a failure the program knows */
		r = via_sendto(d->v, s->s, d->scratch, n, VIA_FASTOPEN, &to);
	if (r < 0 && r != -EINPROGRESS)
		return r;
	err = door_connect_pending(d, c, s);
	if (err < 0)
		return err;
	c->once = true;
	c->timeout = s->sndtimeo;
	c->timeout_err = r > 0 ? (int)r : -EINPROGRESS;
	c->sent = r > 0 ? (uint32_t)r : 0;
	d->stats.bytes_out += c->sent;
	return waits ? ANSWER_HELD : r;
}
