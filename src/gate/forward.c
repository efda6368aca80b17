/* gate/forward.c - ports of this machine's that lead inside.
 *
 * A stream is accepted and one inside begins (stream.c); a datagram goes in as it came, and what the guest sends back to that peer
 * leaves by the same port (dgram.c). Peers keep their address inside, since the gateway's stack takes every address; those of this
 * machine's loopback or of a link, which nothing inside can answer, and of another family than the guest's are known by the gateway's
 * own. Without descriptors connections wait in the machine's queue, and are looked at again once a second. */
#include "gate/inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TURN = 64, BACKLOG = 1024 };

/* Can a host inside answer this address, and tell it from one of its own? */
static bool is_global(const struct via_addr *a)
{
	return !via_addr_is_loopback(a) && !gate_is_link_local(a);
}

struct via_addr gate_name_of(struct gate *g, const struct via_addr *peer, const struct via_addr *guest)
{
	struct via_addr_info i = {.size = sizeof(i)};
	bool is_v4 = via_addr_is_v4(guest);
	if (via_addr_is_v4(peer) == is_v4 && is_global(peer))
		return *peer;
	for (int n = 0; via_addr_get(g->v, n, &i); n++)
		if (via_addr_is_v4(&i.addr) == is_v4 && is_global(&i.addr))
			return i.addr;
	return *peer;
}

static void accept_all(struct gate_door *d)
{
	struct sockaddr_storage from;
	struct via_sockaddr peer;
	for (int i = 0; i < TURN; i++) {
		socklen_t len = sizeof(from);
		int fd = accept4(d->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN) { /* they wait for the sweep, not on us */
				d->is_stuck = true;
				loop_fd_mod(d->g->cfg.loop, d->fd, 0);
			}
			return;
		}
		gate_sockaddr_read(&from, &peer);
		gate_stream_dial(d->g, fd, &peer, &d->f.guest);
	}
}

static void receive_all(struct gate_door *d)
{
	struct sockaddr_storage from;
	struct via_sockaddr peer;
	for (int i = 0; i < TURN; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(d->fd, d->g->scratch, GATE_SCRATCH, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		if (n < 0)
			return;
		gate_sockaddr_read(&from, &peer);
		gate_dgram_enters(d->g, d, (size_t)n, &peer);
	}
}

static void on_door(void *ctx, uint32_t events)
{
	struct gate_door *d = ctx;
	gate_woken(d->g);
	if (d->f.type == VIA_STREAM)
		accept_all(d);
	else
		receive_all(d);
}

/* 0 or -errno. */
static int door_open(struct gate_door *d)
{
	struct sockaddr_storage at;
	socklen_t len = gate_sockaddr(&d->f.host, &at);
	bool is_stream = d->f.type == VIA_STREAM;
	int on = 1;
	d->fd = gate_socket(&d->f.host.addr, is_stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (d->fd < 0)
		return d->fd;
	if (is_stream)
		setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!via_addr_is_v4(&d->f.host.addr)) /* :: is IPv6's alone, so that 0.0.0.0 may have the same port */
		setsockopt(d->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(d->fd, (struct sockaddr *)&at, len) < 0 || (is_stream && listen(d->fd, BACKLOG) < 0))
		return -errno;
	return loop_fd_add(d->g->cfg.loop, d->fd, EPOLLIN, on_door, d);
}

static void door_free(struct gate_door *d)
{
	if (d->fd >= 0) {
		loop_fd_del(d->g->cfg.loop, d->fd);
		close(d->fd);
	}
	free(d);
}

int gate_forward(struct gate *g, const struct gate_forward *f)
{
	struct gate_door *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct gate_door){.next = g->doors, .g = g, .f = *f, .fd = -1};
	int err = door_open(d);
	if (err) {
		door_free(d);
		return err;
	}
	g->doors = d;
	g->task.deadline = 0;
	return 0;
}

void gate_doors_sweep(struct gate *g)
{
	for (struct gate_door *d = g->doors; d; d = d->next)
		if (d->is_stuck)
			d->is_stuck = loop_fd_mod(g->cfg.loop, d->fd, EPOLLIN) < 0;
}

void gate_doors_close(struct gate *g)
{
	while (g->doors) {
		struct gate_door *d = g->doors;
		g->doors = d->next;
		door_free(d);
	}
}
