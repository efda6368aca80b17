/* gate/dgram.c - datagrams and echo requests of the inside, carried on the machine's sockets.
 *
 * A source inside has one socket outside of each family, whoever it talks to, so that far ends see one address and port (RFC 4787
 * REQ-1); only those it has asked may answer. What the outside says by ICMP (IP_RECVERR, IPV6_RECVERR) is said inside. Echo goes by
 * the kernel's ping sockets, which put an identifier of their own on it; where they are not allowed, echo is answered by ICMP
 * "prohibited". Nothing is kept but the flow: what cannot be sent or taken at once is lost, as on any network. */
#include "gate/inside.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bytes.h"

enum { TURN_DATAGRAMS = 64, ERRORS_MAX = 16, PORT_DNS = 53 };
/* Of ICMP (RFC 792, RFC 1812 §5.2.7.1) and ICMPv6 (RFC 4443). */
enum { ECHO_REPLY = 0, ECHO_HLEN = 8, UNREACH = 3 };
enum { UNREACH_NET = 0, UNREACH_HOST = 1, UNREACH_PORT = 3, UNREACH_FRAG = 4, UNREACH_FILTERED = 13 };
enum { ECHO6_REPLY = 129, UNREACH6 = 1 };
#define SERVER_SILENT_NS (2 * NS_PER_S)

void gate_end_close(struct gate_end *e)
{
	for (int i = 0; i < 2; i++) {
		if (e->g && e->fd[i] >= 0) {
			loop_fd_del(e->g->cfg.loop, e->fd[i]);
			close(e->fd[i]);
		}
	}
	*e = (struct gate_end){.fd = {-1, -1}};
}

static struct gate_flow *flow_at(struct gate *g, uint32_t flow)
{
	return &g->flows.flow[flow];
}

static void tell_unreachable(struct gate *g, uint32_t flow, int code)
{
	const struct gate_flow *w = flow_at(g, flow);
	const struct flow_source *src = &g->flows.source[w->source];
	via_unreach(g->v, src->type, (uint8_t)code, &w->dst, &src->src, 0);
}

/* --- in --- */

/* n bytes in g->scratch came from `from`, for the source whose end is e. */
static void came_back(struct gate *g, struct gate_end *e, size_t n, const struct via_sockaddr *from)
{
	uint32_t source = (uint32_t)(e - g->ends), flow;
	struct via_sockaddr key = *from;
	uint8_t *b = g->scratch;
	if (e->type == VIA_PING)
		key.port = 0;
	if (!flows_find_out(&g->flows, source, &key, &flow))
		return; /* who was not asked */
	const struct flow_source *src = &g->flows.source[source];
	if (e->type == VIA_PING && (n < ECHO_HLEN || b[0] != (via_addr_is_v4(&from->addr) ? (int)ECHO_REPLY : (int)ECHO6_REPLY)))
		return;
	if (e->type == VIA_PING)
		put_be16(b + 4, src->src.port);
	flows_answered(&g->flows, flow, loop_now());
	via_sendfrom(g->v, e->type == VIA_PING ? g->ping_all : g->dgram_all, b, (uint32_t)n, &flow_at(g, flow)->dst, &src->src);
}

/* What an ICMP error of the outside is called as a code of IPv4's "destination unreachable"; -1: it is none. */
static int unreach_code(const struct sock_extended_err *err)
{
	static const uint8_t code6[] = {UNREACH_NET, UNREACH_FILTERED, UNREACH_HOST, UNREACH_HOST, UNREACH_PORT, UNREACH_FILTERED,
		UNREACH_FILTERED}; /* RFC 4443 §3.1 */
	if (err->ee_origin == SO_EE_ORIGIN_ICMP && err->ee_type == UNREACH && err->ee_code != UNREACH_FRAG)
		return err->ee_code;
	if (err->ee_origin == SO_EE_ORIGIN_ICMP6 && err->ee_type == UNREACH6 && err->ee_code < ARRAY_LEN(code6))
		return code6[err->ee_code];
	return -1;
}

/* One message of the error queue. False: there is none. */
static bool error_came(struct gate *g, struct gate_end *e, int fd)
{
	struct sockaddr_storage to;
	_Alignas(struct cmsghdr) char control[512];
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_control = control, .msg_controllen = sizeof(control)};
	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err err;
		struct via_sockaddr out;
		uint32_t flow;
		bool is_v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		if (!is_v4 && !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&err, CMSG_DATA(c), sizeof(err));
		gate_sockaddr_read(&to, &out);
		if (e->type == VIA_PING)
			out.port = 0;
		if (!flows_find_out(&g->flows, (uint32_t)(e - g->ends), &out, &flow))
			continue;
		gate_names_failed(g, &out);
		if (unreach_code(&err) >= 0)
			tell_unreachable(g, flow, unreach_code(&err));
	}
	return true;
}

static void on_outside(void *ctx, uint32_t events)
{
	struct gate_end *e = ctx;
	struct gate *g = e->g;
	struct sockaddr_storage from;
	struct via_sockaddr a;
	gate_woken(g);
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < ERRORS_MAX && events & EPOLLERR && e->fd[i] >= 0 && error_came(g, e, e->fd[i]); k++)
			;
		for (int k = 0; k < TURN_DATAGRAMS && e->fd[i] >= 0; k++) {
			socklen_t len = sizeof(from);
			ssize_t n = recvfrom(e->fd[i], g->scratch, GATE_SCRATCH, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
			if (n < 0)
				break;
			gate_sockaddr_read(&from, &a);
			came_back(g, e, (size_t)n, &a);
		}
	}
}

/* --- out --- */

/* e's socket for that family, made if need be; or -errno. */
static int end_socket(struct gate *g, struct gate_end *e, const struct via_addr *to)
{
	bool is_v6 = !via_addr_is_v4(to);
	int *fd = &e->fd[is_v6], on = 1;
	if (*fd >= 0)
		return *fd;
	int made = gate_socket(to, SOCK_DGRAM, e->type != VIA_PING ? 0 : is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	if (made < 0)
		return made;
	setsockopt(made, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on));
	int err = loop_fd_add(g->cfg.loop, made, EPOLLIN, on_outside, e);
	if (err) {
		close(made);
		return err;
	}
	return *fd = made;
}

/* The end of the flow's source. */
static struct gate_end *end_at(struct gate *g, enum via_type type, uint32_t flow)
{
	struct gate_end *e = &g->ends[flow_at(g, flow)->source];
	if (!e->g)
		*e = (struct gate_end){.g = g, .type = type, .fd = {-1, -1}};
	return e;
}

/* 0 or -errno. */
static int send_out(struct gate *g, struct gate_end *e, const struct via_sockaddr *out, size_t n)
{
	struct sockaddr_storage to;
	socklen_t len = gate_sockaddr(out, &to);
	int fd = end_socket(g, e, &out->addr), err = 0;
	for (int k = 0; k < ERRORS_MAX && fd >= 0; k++) {
		if (sendto(fd, g->scratch, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, len) >= 0)
			return 0;
		err = -errno;
		if (!error_came(g, e, fd)) /* else it was about an earlier datagram, and stood in the way of this one */
			break;
	}
	return fd < 0 ? fd : err;
}

void gate_dgram_enters(struct gate *g, struct gate_door *d, size_t n, const struct via_sockaddr *peer)
{
	struct via_sockaddr name = {gate_name_of(g, &peer->addr, &d->f.guest.addr), peer->port};
	bool is_new;
	uint32_t flow = flows_get(&g->flows, VIA_DGRAM, &d->f.guest, &name, loop_now(), &is_new);
	if (is_new)
		end_at(g, VIA_DGRAM, flow);
	flow_at(g, flow)->door = d;
	flows_set_out(&g->flows, flow, peer);
	flows_answered(&g->flows, flow, loop_now());
	g->stats.flows += is_new;
	via_sendfrom(g->v, g->dgram_all, g->scratch, (uint32_t)n, &name, &d->f.guest);
}

/* What the guest says to somebody who came in by a door goes out by it. False: nobody did. */
static bool pass_by_door(struct gate *g, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst, size_t n)
{
	struct sockaddr_storage to;
	uint32_t flow;
	if (!flows_find(&g->flows, type, src, dst, &flow) || !flow_at(g, flow)->door)
		return false;
	const struct gate_door *d = flow_at(g, flow)->door;
	socklen_t len = gate_sockaddr(&flow_at(g, flow)->out, &to);
	flows_answered(&g->flows, flow, loop_now());
	sendto(d->fd, g->scratch, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, len);
	return true;
}

/* Another server's turn, if the one that was asked says nothing. */
static void question_again(struct gate *g, struct gate_flow *w, int64_t now)
{
	if (!w->asked)
		w->asked = now;
	else if (now - w->asked >= SERVER_SILENT_NS) {
		gate_names_failed(g, &w->out);
		w->asked = now;
	}
}

/* n bytes in g->scratch go from src to dst. */
static void pass_out(struct gate *g, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst, size_t n)
{
	struct via_sockaddr out;
	if (pass_by_door(g, type, src, dst, n))
		return;
	enum gate_verdict verdict = gate_decide(g, dst, &out);
	if (verdict != GATE_GO) {
		int code = verdict == GATE_NOBODY ? (int)UNREACH_PORT : gate_unreach_code(ENETUNREACH);
		via_unreach(g->v, type, (uint8_t)code, dst, src, 0);
		return;
	}
	bool is_new;
	uint32_t flow = flows_get(&g->flows, type, src, dst, loop_now(), &is_new);
	struct gate_flow *w = flow_at(g, flow);
	struct gate_end *e = end_at(g, type, flow);
	if (is_new || w->out.port != out.port || !via_addr_eq(&w->out.addr, &out.addr))
		flows_set_out(&g->flows, flow, &out);
	g->stats.flows += is_new;
	if (dst->port == PORT_DNS)
		question_again(g, w, w->used);
	int err = send_out(g, e, &out, n), code = gate_unreach_code(-err);
	g->stats.ping_denied += type == VIA_PING && code == UNREACH_FILTERED;
	g->stats.refused += err == -EMFILE || err == -ENFILE || err == -ENOMEM;
	if (code >= 0)
		tell_unreachable(g, flow, code);
	g->task.deadline = 0; /* it has flows to sweep now */
}

void gate_dgram_arrived(struct gate *g, enum via_type type)
{
	via_sock all = type == VIA_PING ? g->ping_all : g->dgram_all;
	struct via_sockaddr src, dst;
	for (int errors = 0; errors < ERRORS_MAX;) {
		int64_t n = via_recvfrom(g->v, all, g->scratch, GATE_SCRATCH, 0, &src, &dst);
		if (n == -EAGAIN)
			return;
		if (n < 0)
			errors++;
		else
			pass_out(g, type, &src, &dst, (size_t)n);
	}
}

void gate_dgram_sweep(struct gate *g, int64_t now)
{
	flows_expire(&g->flows, now);
}
