/* sock/options.c - setsockopt and getsockopt, Linux's names, layouts, ranges and errors.
 *
 * Most options are rows of a table: a boolean is a bit of the endpoint's flags, a number is a field of struct ep_opts with
 * its range. What is odd has code in options_odd.c. Some numbers are stored for the caller and mean nothing to the stack, which
 * never blocks: SO_RCVTIMEO, SO_SNDTIMEO, SO_PRIORITY, IP_PKTINFO, TCP_INQ and their kind (ancillary data is made by the doors
 * from what recvfrom tells), SO_ZEROCOPY. Joining groups is groups.c's.
 * Names not in the table are -ENOPROTOOPT. */
#include "sock/options.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

const struct ep_opts ep_opts_default = {
	.rcvlowat = 1, .ttl = -1, .mtu_discover = IP_PMTUDISC_WANT, .mcast_ttl = 1,
	.keepidle = 7200, .keepintvl = 75, .keepcnt = 9, .syncnt = 6, .pacing_max = UINT64_MAX,
};

#define BOOL(l, n, t, bit) {l, n, t, OPT_BOOL, 0, bit, 0, 1}
#define BIT(l, n, t, bit) {l, n, t, OPT_BIT, 0, bit, 0, 1}
#define NUM(l, n, t, field, lo, hi) {l, n, t, OPT_NUM, offsetof(struct ep_opts, field), 0, lo, hi}
#define ODD(l, n, t) {l, n, t, OPT_ODD, 0, 0, 0, 0}
#define TCP_ONLY OPT_STREAM

static const struct opt table[] = {
	BOOL(SOL_SOCKET, SO_REUSEADDR, OPT_ALL, EPF_REUSEADDR),
	BOOL(SOL_SOCKET, SO_REUSEPORT, OPT_ALL, EPF_REUSEPORT),
	BOOL(SOL_SOCKET, SO_KEEPALIVE, OPT_ALL, EPF_KEEPALIVE),
	BOOL(SOL_SOCKET, SO_BROADCAST, OPT_ALL, EPF_BROADCAST),
	BOOL(SOL_SOCKET, SO_OOBINLINE, OPT_ALL, EPF_OOBINLINE),
	BOOL(SOL_SOCKET, SO_DONTROUTE, OPT_ALL, EPF_DONTROUTE),
	BIT(SOL_SOCKET, SO_ZEROCOPY, OPT_ALL, EPF_ZEROCOPY),
	NUM(SOL_SOCKET, SO_PRIORITY, OPT_ALL, priority, INT32_MIN, INT32_MAX),
	ODD(SOL_SOCKET, SO_RCVLOWAT, OPT_ALL),
	ODD(SOL_SOCKET, SO_SNDLOWAT, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_SNDBUF, OPT_ALL),
	ODD(SOL_SOCKET, SO_RCVBUF, OPT_ALL),
	ODD(SOL_SOCKET, SO_LINGER, OPT_ALL),
	ODD(SOL_SOCKET, SO_MAX_PACING_RATE, OPT_ALL),
	ODD(SOL_SOCKET, SO_RCVTIMEO, OPT_ALL),
	ODD(SOL_SOCKET, SO_SNDTIMEO, OPT_ALL),
	ODD(SOL_SOCKET, SO_ERROR, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_TYPE, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_DOMAIN, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_PROTOCOL, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_ACCEPTCONN, OPT_ALL | OPT_READ_ONLY),
	ODD(SOL_SOCKET, SO_MEMINFO, OPT_ALL | OPT_READ_ONLY),
	BOOL(IPPROTO_TCP, TCP_NODELAY, TCP_ONLY, EPF_NODELAY),
	BOOL(IPPROTO_TCP, TCP_CORK, TCP_ONLY, EPF_CORK),
	ODD(IPPROTO_TCP, TCP_QUICKACK, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_MAXSEG, TCP_ONLY),
	NUM(IPPROTO_TCP, TCP_KEEPIDLE, TCP_ONLY, keepidle, 1, 32767),
	NUM(IPPROTO_TCP, TCP_KEEPINTVL, TCP_ONLY, keepintvl, 1, 32767),
	NUM(IPPROTO_TCP, TCP_KEEPCNT, TCP_ONLY, keepcnt, 1, 127),
	NUM(IPPROTO_TCP, TCP_SYNCNT, TCP_ONLY, syncnt, 1, 127),
	NUM(IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_ONLY, user_timeout_ms, 0, INT32_MAX),
	NUM(IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_ONLY, notsent_lowat, INT32_MIN, INT32_MAX),
	ODD(IPPROTO_TCP, TCP_DEFER_ACCEPT, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_LINGER2, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_FASTOPEN, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_FASTOPEN_KEY, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_CONGESTION, TCP_ONLY),
	ODD(IPPROTO_TCP, TCP_INFO, TCP_ONLY | OPT_READ_ONLY),
	ODD(IPPROTO_TCP, TCP_CC_INFO, TCP_ONLY | OPT_READ_ONLY),
	BIT(IPPROTO_TCP, TCP_INQ, TCP_ONLY, EPF_INQ),
	BOOL(IPPROTO_IP, IP_RECVERR, OPT_ALL, EPF_RECVERR),
	BOOL(IPPROTO_IP, IP_PKTINFO, OPT_ALL, EPF_PKTINFO),
	BOOL(IPPROTO_IP, IP_RECVTTL, OPT_ALL, EPF_RECVTTL),
	BOOL(IPPROTO_IP, IP_RECVTOS, OPT_ALL, EPF_RECVTOS),
	BOOL(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, OPT_ALL, EPF_ADDR_NO_PORT),
	ODD(IPPROTO_IP, IP_MULTICAST_LOOP, OPT_ALL),
	NUM(IPPROTO_IP, IP_MTU_DISCOVER, OPT_ALL, mtu_discover, 0, 5),
	ODD(IPPROTO_IP, IP_MULTICAST_TTL, OPT_ALL),
	ODD(IPPROTO_IP, IP_MULTICAST_IF, OPT_ALL),
	ODD(IPPROTO_IP, IP_ADD_MEMBERSHIP, OPT_MCAST),
	ODD(IPPROTO_IP, IP_DROP_MEMBERSHIP, OPT_MCAST),
	ODD(IPPROTO_IP, MCAST_JOIN_GROUP, OPT_MCAST),
	ODD(IPPROTO_IP, MCAST_LEAVE_GROUP, OPT_MCAST),
	ODD(IPPROTO_IPV6, IPV6_JOIN_GROUP, OPT_MCAST),
	ODD(IPPROTO_IPV6, IPV6_LEAVE_GROUP, OPT_MCAST),
	ODD(IPPROTO_IPV6, MCAST_JOIN_GROUP, OPT_MCAST),
	ODD(IPPROTO_IPV6, MCAST_LEAVE_GROUP, OPT_MCAST),
	ODD(IPPROTO_IPV6, IPV6_MULTICAST_IF, OPT_MCAST),
	ODD(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, OPT_MCAST),
	ODD(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, OPT_MCAST),
	ODD(IPPROTO_IP, IP_TTL, OPT_ALL),
	ODD(IPPROTO_IP, IP_TOS, OPT_ALL),
	ODD(IPPROTO_IP, IP_MTU, OPT_ALL | OPT_READ_ONLY),
};

static const struct opt *opt_find(const struct endpoint *ep, int level, int name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].level == level && table[i].name == name)
			return table[i].types & 1 << ep->type ? &table[i] : NULL;
	return NULL;
}

void ep_tcp_opts(const struct sock_env *env, const struct endpoint *ep, struct tcp_opts *o)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	/* Half of a receive buffer is window (tcp_adv_win_scale 1), a send buffer is counted as Linux counts it. */
	*o = (struct tcp_opts){
		.rcvbuf = (uint32_t)v->rcvbuf / 2, .sndbuf = (uint32_t)v->sndbuf,
		.notsent_lowat = (uint32_t)v->notsent_lowat, .rcvlowat = v->rcvlowat > 1 ? (uint32_t)v->rcvlowat : 0,
		.mss_clamp = (uint16_t)v->maxseg,
		.ttl = (uint8_t)(v->ttl < 0 ? 0 : v->ttl), .tos = (uint8_t)v->tos,
		.nodelay = ep->flags & EPF_NODELAY, .cork = ep->flags & EPF_CORK, .keepalive = ep->flags & EPF_KEEPALIVE,
		.quickack = ep->flags & EPF_QUICKACK, .oob_inline = ep->flags & EPF_OOBINLINE,
		.keep_idle_s = v->keepidle == 7200 ? 0 : (uint32_t)v->keepidle,
		.keep_intvl_s = v->keepintvl == 75 ? 0 : (uint32_t)v->keepintvl,
		.keep_cnt = (uint8_t)(v->keepcnt == 9 ? 0 : v->keepcnt),
		.syn_retries = (uint8_t)(v->syncnt == 6 ? 0 : v->syncnt),
		.user_timeout_ms = (uint32_t)v->user_timeout_ms, .cc = (uint8_t)v->cc,
		.defer = opt_defer_count(v->defer_accept), .fin_wait2_s = (int8_t)v->linger2,
		.fastopen = v->fastopen_connect, .fastopen_no_cookie = v->fastopen_no_cookie,
		.pacing_max = v->pacing_max == UINT64_MAX ? 0 : v->pacing_max, /* 0 is no limit either, as Linux */
	};
}

/* A changed option reaches the connection, or a listener's future children. */
static void opt_apply(struct sock_env *env, struct endpoint *ep)
{
	if (!ep->tcp)
		return;
	struct tcp_opts o;
	ep_tcp_opts(env, ep, &o);
	if (ep->state == EP_LISTEN) {
		tcp_listener_at(env->tcp, ep->tcp)->opts = o;
		stream_listener_fastopen(env, ep);
	} else {
		tcp_user_set_opts(env->tcp, ep->tcp, &o);
	}
}

int opt_num_set(struct sock_env *env, struct endpoint *ep, size_t off, int32_t v)
{
	if (*(const int32_t *)(const void *)((const char *)ep_opts_of(env, ep) + off) == v)
		return 0;
	struct ep_opts *o = ep_opts_own(env, ep);
	if (!o)
		return -ENOMEM;
	*(int32_t *)(void *)((char *)o + off) = v;
	return 0;
}

static int opt_bool_set(struct sock_env *env, struct endpoint *ep, uint32_t bit, bool on)
{
	ep->flags = on ? ep->flags | bit : ep->flags & ~bit;
	if (bit & (EPF_REUSEADDR | EPF_REUSEPORT))
		port_flags_changed(env, ep);
	return 0;
}

/* The int a value begins with. IPPROTO_IP takes a single byte too, and nothing as 0. */
static int opt_int(const struct opt *o, const void *val, uint32_t len, int32_t *v)
{
	*v = 0;
	if (len >= sizeof(*v))
		memcpy(v, val, sizeof(*v));
	else if (o->level != IPPROTO_IP)
		return -EINVAL;
	else if (len)
		*v = *(const uint8_t *)val;
	return 0;
}

int sock_setopt(struct sock_env *env, via_sock s, int level, int name, const void *val, uint32_t len)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	const struct opt *o = opt_find(ep, level, name);
	int32_t v = 0;
	int e = level == IPPROTO_TCP && name == TCP_CONGESTION ? 0 : o ? opt_int(o, val, len, &v) : 0;
	/* Linux looks at the length before it knows the name. */
	if (!o && len < sizeof(int) && (level == SOL_SOCKET || (level == IPPROTO_TCP && ep->type == VIA_STREAM)))
		return -EINVAL;
	if (e)
		return e;
	if (!o || o->types & OPT_READ_ONLY)
		return -ENOPROTOOPT;
	if (o->kind == OPT_BIT && (v < 0 || v > 1))
		e = -EINVAL;
	else if (o->kind == OPT_BOOL || o->kind == OPT_BIT)
		e = opt_bool_set(env, ep, o->bit, v);
	else if (o->kind == OPT_NUM)
		e = v < o->min || v > o->max ? -EINVAL : opt_num_set(env, ep, o->off, v);
	else
		e = opt_odd_set(env, ep, o, v, val, len);
	if (e)
		return e;
	opt_apply(env, ep);
	if (o->bit == EPF_NODELAY && v && ep->state == EP_CONN)
		tcp_user_push(env->tcp, ep->tcp); /* also what a cork holds, as Linux */
	return 0;
}

/* Give n bytes of v, cut to the caller's room. */
int opt_give(void *val, uint32_t *len, const void *v, uint32_t n)
{
	*len = MIN(*len, n);
	if (*len)
		memcpy(val, v, *len);
	return 0;
}

int opt_give_int(const struct opt *o, void *val, uint32_t *len, int32_t v)
{
	if (o->level == IPPROTO_IP && *len && *len < sizeof(v) && v >= 0 && v <= 255) {
		*(uint8_t *)val = (uint8_t)v;
		*len = 1;
		return 0;
	}
	return opt_give(val, len, &v, sizeof(v));
}

/* Levels of this type of socket. getsockopt() at another one is -EOPNOTSUPP in Linux, setsockopt() -ENOPROTOOPT. */
static bool level_has(const struct endpoint *ep, int level)
{
	return level == SOL_SOCKET || level == IPPROTO_IP || (level == IPPROTO_IPV6 && ep->flags & EPF_V6) ||
	       (level == IPPROTO_TCP && ep->type == VIA_STREAM) || (level == IPPROTO_UDP && ep->type == VIA_DGRAM);
}

int sock_getopt(struct sock_env *env, via_sock s, int level, int name, void *val, uint32_t *len)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	const struct opt *o = opt_find(ep, level, name);
	if (!o)
		return level_has(ep, level) ? -ENOPROTOOPT : -EOPNOTSUPP;
	if (o->kind == OPT_BOOL || o->kind == OPT_BIT)
		return opt_give_int(o, val, len, !!(ep->flags & o->bit));
	if (o->kind == OPT_NUM)
		return opt_give_int(o, val, len, *(const int32_t *)(const void *)((const char *)ep_opts_of(env, ep) + o->off));
	return opt_odd_get(env, ep, o, val, len);
}
