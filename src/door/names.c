/* door/names.c - names and addresses as the program sees them.
 *
 * Every DNS question (UDP and TCP port 53, whatever the address, 127.x too: libc asks 127.0.0.1 when resolv.conf is empty
 * or absent) goes to the stack's resolver; the program goes on seeing the server it asked, as peer and as source of the
 * answers. Name-service daemons on UNIX sockets would answer for the machine's network: they refuse. */
#include "door/inside.h"

#include <errno.h>
#include <stddef.h>
#include <sys/un.h>

enum { PORT_DNS = 53, DNS_HEADER = 12 };

bool door_names_redirect(struct door *d, struct via_sockaddr *to)
{
	if (to->port != PORT_DNS || !d->has_resolver)
		return false;
	to->addr = d->resolver;
	return true;
}

static uint16_t names_id(const uint8_t *msg)
{
	return (uint16_t)(msg[0] << 8 | msg[1]);
}

void door_names_asked(struct dsock *s, const uint8_t *msg, uint32_t len, const struct via_sockaddr *asked)
{
	if (len < DNS_HEADER)
		return;
	unsigned i = s->n_asked++ % DOOR_DNS_ASKED;
	s->asked[i].id = names_id(msg);
	s->asked[i].server = *asked;
	s->shown_peer = s->has_peer ? s->shown_peer : *asked;
}

void door_names_answer(struct dsock *s, const uint8_t *msg, uint32_t len, struct via_sockaddr *from)
{
	if (from->port != PORT_DNS || !s->d->has_resolver || !via_addr_eq(&from->addr, &s->d->resolver))
		return;
	if (s->renamed) {
		*from = s->shown_peer;
		return;
	}
	unsigned n = MIN((unsigned)s->n_asked, (unsigned)DOOR_DNS_ASKED);
	for (unsigned i = 0; i < n && len >= DNS_HEADER; i++) {
		unsigned k = (s->n_asked - 1u - i) % DOOR_DNS_ASKED; /* the newest first */
		if (s->asked[k].id == names_id(msg)) {
			*from = s->asked[k].server;
			return;
		}
	}
}

/* The daemons libc's name services ask. */
static const char *const names_daemons[] = {
	"/nscd/socket",
	"/systemd/resolve/io.systemd.Resolve", /* .Monitor too */
	"/systemd/machine/io.systemd.Machine",
	"/avahi-daemon/socket",
};

int64_t door_call_foreign_connect(struct door *d, struct call *c)
{
	struct sockaddr_un un = {0};
	size_t len = MIN(c->arg[2], sizeof(un) - 1);
	if (len <= offsetof(struct sockaddr_un, sun_path) || door_target_read(d, c, c->arg[1], &un, len) < 0 || un.sun_family != AF_UNIX)
		return ANSWER_CONTINUE;
	for (size_t i = 0; i < ARRAY_LEN(names_daemons); i++) {
		if (strstr(un.sun_path, names_daemons[i]))
			return -ECONNREFUSED;
	}
	return ANSWER_CONTINUE;
}

int64_t door_call_getsockname(struct door *d, struct call *c, struct dsock *s)
{
	struct via_sockaddr a = {.addr = via_addr_v4(0)};
	int err = via_local(d->v, s->s, &a);
	if (err < 0)
		return err;
	return c->arg[1] ? door_target_addr_write(s, c, c->arg[1], c->arg[2], &a) : -EFAULT;
}

int64_t door_call_getpeername(struct door *d, struct call *c, struct dsock *s)
{
	struct via_sockaddr a = {0};
	bool connected = s->type == VIA_STREAM ? s->state == DS_OPEN : s->has_peer;
	if (!connected)
		return -ENOTCONN;
	int err = s->renamed ? 0 : via_peer(d->v, s->s, &a);
	if (err < 0)
		return err;
	if (s->renamed)
		a = s->shown_peer;
	return c->arg[1] ? door_target_addr_write(s, c, c->arg[1], c->arg[2], &a) : -EFAULT;
}
