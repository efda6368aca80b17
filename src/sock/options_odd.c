/* sock/options_odd.c - socket options that are neither a boolean nor a number in a range.
 *
 * Constants and roundings are Linux's: SO_SNDBUF and SO_RCVBUF are doubled with a floor, TCP_DEFER_ACCEPT is rounded up to
 * what the SYN-ACK's retransmissions last, TCP_MAXSEG tells 536 before a connection, IP_TOS of a stream keeps the ECN bits. */
#include "sock/options.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <viaduct/tcp_info.h>

#include "tcp/cc.h"

#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304
#define DGRAM_BUF 212992
#define MSS_DEFAULT 536
#define LINGER2_MAX 120        /* seconds */
#define CC_NAME_LEN 16u        /* TCP_CA_NAME_MAX */

#define SET(field, v) opt_num_set(env, ep, offsetof(struct ep_opts, field), v)

/* Linux: min(val as unsigned, cap) doubled, at least `floor`. */
static int32_t buf_rounded(int32_t v, uint32_t cap, int32_t floor)
{
	uint32_t u = MIN((uint32_t)v, cap);
	return MAX((int32_t)u * 2, floor);
}

uint32_t ep_rcvbuf(const struct sock_env *env, const struct endpoint *ep)
{
	int32_t v = ep_opts_of(env, ep)->rcvbuf;
	uint32_t rcvbuf, sndbuf;
	if (v || ep->type != VIA_STREAM)
		return v ? (uint32_t)v : DGRAM_BUF;
	if (ep->state != EP_CONN)
		return tcp_settings_of(env->tcp)->rmem;
	tcp_user_buffers(env->tcp, ep->tcp, &rcvbuf, &sndbuf);
	return rcvbuf;
}

static uint32_t ep_sndbuf(const struct sock_env *env, const struct endpoint *ep)
{
	int32_t v = ep_opts_of(env, ep)->sndbuf;
	uint32_t rcvbuf, sndbuf;
	if (v || ep->type != VIA_STREAM)
		return v ? (uint32_t)v : DGRAM_BUF;
	if (ep->state != EP_CONN)
		return tcp_settings_of(env->tcp)->wmem;
	tcp_user_buffers(env->tcp, ep->tcp, &rcvbuf, &sndbuf);
	return sndbuf;
}

/* Linux: a stream's mark is at most half of what its buffer may be. */
static int32_t lowat_rounded(const struct sock_env *env, const struct endpoint *ep, int32_t v)
{
	const struct ep_opts *o = ep_opts_of(env, ep);
	uint32_t u = v < 0 ? INT32_MAX : (uint32_t)MAX(v, 1);
	if (ep->type == VIA_STREAM)
		u = MIN(u, (o->rcvbuf ? (uint32_t)o->rcvbuf : tcp_settings_of(env->tcp)->rmem_max) / 2);
	return (int32_t)u;
}

static int linger_set(struct sock_env *env, struct endpoint *ep, const void *val, uint32_t len)
{
	struct linger l;
	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	int e = l.l_onoff ? SET(linger_s, l.l_linger) : 0;
	if (!e)
		ep->flags = l.l_onoff ? ep->flags | EPF_LINGER : ep->flags & ~(uint32_t)EPF_LINGER;
	return e;
}

static int timeo_set(struct sock_env *env, struct endpoint *ep, int name, const void *val, uint32_t len)
{
	int64_t tv[2];
	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(tv, val, sizeof(tv));
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	struct ep_opts *o = ep_opts_own(env, ep);
	if (!o)
		return -ENOMEM;
	if (tv[0] < 0)
		tv[0] = tv[1] = 0;
	memcpy(name == SO_RCVTIMEO ? o->rcvtimeo : o->sndtimeo, tv, sizeof(tv));
	return 0;
}

/* How often a SYN-ACK is sent within `s` seconds, and how long that is: 1, 3, 7, 15 ... up to 120 s apart. */
static uint8_t defer_within(int32_t s, int32_t *period)
{
	uint8_t n = s > 0;
	*period = n;
	for (int32_t timeout = 1; s > *period && n < 255; n++) {
		timeout = MIN(timeout * 2, 120);
		*period += timeout;
	}
	return n;
}

uint8_t opt_defer_count(int32_t s)
{
	int32_t period;
	return defer_within(s, &period);
}

static int32_t defer_rounded(int32_t s)
{
	int32_t period;
	defer_within(s, &period);
	return period;
}

/* Bytes a second, as 32 or 64 bits; all ones: no limit. */
static int pacing_set(struct sock_env *env, struct endpoint *ep, int32_t v, const void *val, uint32_t len)
{
	uint64_t rate = v == -1 ? UINT64_MAX : (uint32_t)v;
	struct ep_opts *o = ep_opts_own(env, ep);
	if (!o)
		return -ENOMEM;
	if (len >= sizeof(rate))
		memcpy(&rate, val, sizeof(rate));
	o->pacing_max = rate;
	return 0;
}

static int socket_set(struct sock_env *env, struct endpoint *ep, int name, int32_t v, const void *val, uint32_t len)
{
	switch (name) {
	case SO_SNDBUF:
		return SET(sndbuf, buf_rounded(v, tab_of(env)->wmem_max, SNDBUF_MIN));
	case SO_RCVBUF:
		return SET(rcvbuf, buf_rounded(v, tab_of(env)->rmem_max, RCVBUF_MIN));
	case SO_RCVLOWAT:
		return SET(rcvlowat, lowat_rounded(env, ep, v));
	case SO_LINGER:
		return linger_set(env, ep, val, len);
	case SO_MAX_PACING_RATE:
		return pacing_set(env, ep, v, val, len);
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		return timeo_set(env, ep, name, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int congestion_set(struct sock_env *env, struct endpoint *ep, const void *val, uint32_t len)
{
	char name[CC_NAME_LEN] = "";
	if (len < 1)
		return -EINVAL;
	memcpy(name, val, strnlen(val, MIN(len, CC_NAME_LEN - 1)));
	int i = tcp_cc_find(name);
	return i < 0 ? -ENOENT : SET(cc, i);
}

/* The name, filled up with zeros to TCP_CA_NAME_MAX as Linux gives it. */
static int congestion_get(struct sock_env *env, struct endpoint *ep, void *val, uint32_t *len)
{
	char name[CC_NAME_LEN] = "";
	const char *s = tcp_cc_at((uint8_t)ep_opts_of(env, ep)->cc)->name;
	memcpy(name, s, strnlen(s, sizeof(name) - 1));
	return opt_give(val, len, name, sizeof(name));
}

static int fastopen_key_set(struct sock_env *env, struct endpoint *ep, const void *val, uint32_t len)
{
	if (len != 16 && len != 32)
		return -EINVAL;
	struct ep_opts *o = ep_opts_own(env, ep);
	if (!o)
		return -ENOMEM;
	memcpy(o->fastopen_key, val, len);
	o->fastopen_key_len = (uint8_t)len;
	return 0;
}

static int fastopen_set(struct sock_env *env, struct endpoint *ep, int name, int32_t v, const void *val, uint32_t len)
{
	bool is_yes_or_no = v == 0 || v == 1;
	switch (name) {
	case TCP_FASTOPEN:
		return v < 0 || (ep->state != EP_IDLE && ep->state != EP_LISTEN) ? -EINVAL : SET(fastopen, MIN(v, SOCK_BACKLOG_MAX));
	case TCP_FASTOPEN_CONNECT:
		if (!is_yes_or_no)
			return -EINVAL;
		if (!(tcp_settings_of(env->tcp)->fastopen & TCP_FASTOPEN_CLIENT))
			return -EOPNOTSUPP;
		return ep->state != EP_IDLE ? -EINVAL : SET(fastopen_connect, v);
	case TCP_FASTOPEN_NO_COOKIE:
		return !is_yes_or_no || (ep->state != EP_IDLE && ep->state != EP_LISTEN) ? -EINVAL : SET(fastopen_no_cookie, v);
	default:
		return fastopen_key_set(env, ep, val, len);
	}
}

static int tcp_set(struct sock_env *env, struct endpoint *ep, int name, int32_t v, const void *val, uint32_t len)
{
	switch (name) {
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_NO_COOKIE:
	case TCP_FASTOPEN_KEY:
		return fastopen_set(env, ep, name, v, val, len);
	case TCP_QUICKACK:
		ep->flags &= ~(uint32_t)(EPF_QUICKACK | EPF_NO_QUICKACK);
		ep->flags |= v ? EPF_QUICKACK : EPF_NO_QUICKACK;
		return 0;
	case TCP_MAXSEG:
		return v && (v < 88 || v > 32767) ? -EINVAL : SET(maxseg, v);
	case TCP_DEFER_ACCEPT:
		return SET(defer_accept, defer_rounded(v));
	case TCP_LINGER2:
		return SET(linger2, v < 0 ? -1 : MIN(v, LINGER2_MAX));
	case TCP_CONGESTION:
		return congestion_set(env, ep, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* struct in_addr, or a struct ip_mreqn whose second word is the local address. */
static int mcast_if_set(struct sock_env *env, struct endpoint *ep, const void *val, uint32_t len)
{
	uint8_t b[12] = {0};
	if (ep->type == VIA_STREAM || len < 4)
		return -EINVAL;
	memcpy(b, val, MIN(len, sizeof(b)));
	const uint8_t *ip = len >= 8 ? b + 4 : b;
	int32_t ifindex;
	memcpy(&ifindex, b + 8, sizeof(ifindex)); /* 0 unless it is an ip_mreqn */
	struct via_addr a = via_addr_v4((uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3]);
	if (!via_addr_is_any(&a) && !env->ops->addr_is_ours(env->ctx, &a))
		return -EADDRNOTAVAIL;
	int32_t v;
	memcpy(&v, ip, sizeof(v));
	if (!ifindex && !via_addr_is_any(&a))
		ifindex = (int32_t)env->ops->addr_iface(env->ctx, &a);
	int e = SET(mcast_ifindex, ifindex);
	return e ? e : SET(mcast_if, v);
}

static void mcast_loop_set(struct endpoint *ep, int32_t v)
{
	ep->flags = v ? ep->flags & ~(uint32_t)EPF_NO_MCAST_LOOP : ep->flags | EPF_NO_MCAST_LOOP;
}

static int ip6_set(struct sock_env *env, struct endpoint *ep, const struct opt *o, int32_t v, const void *val, uint32_t len)
{
	switch (o->name) {
	case IPV6_MULTICAST_IF:
		return v < 0 ? -ENODEV : SET(mcast_ifindex6, v);
	case IPV6_MULTICAST_HOPS:
		return v < -1 || v > 255 ? -EINVAL : SET(mcast_ttl, v == -1 ? 1 : v);
	case IPV6_MULTICAST_LOOP:
		if (v < 0 || v > 1)
			return -EINVAL;
		mcast_loop_set(ep, v);
		return 0;
	default:
		return group_option_set(env, ep, o, val, len);
	}
}

static int ip_set(struct sock_env *env, struct endpoint *ep, int name, int32_t v, const void *val, uint32_t len)
{
	switch (name) {
	case IP_TTL:
		return len < 1 || (v != -1 && (v < 1 || v > 255)) ? -EINVAL : SET(ttl, v);
	case IP_TOS:
		if (ep->type == VIA_STREAM)
			v = (v & ~3) | (ep_opts_of(env, ep)->tos & 3);
		return SET(tos, v & 0xff);
	case IP_MULTICAST_TTL:
		if (ep->type == VIA_STREAM || len < 1 || v < -1 || v > 255)
			return -EINVAL;
		return SET(mcast_ttl, v == -1 ? 1 : v);
	case IP_MULTICAST_LOOP:
		if (len < 1)
			return -EINVAL;
		mcast_loop_set(ep, v);
		return 0;
	case IP_MULTICAST_IF:
		return mcast_if_set(env, ep, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int opt_odd_set(struct sock_env *env, struct endpoint *ep, const struct opt *o, int32_t v, const void *val, uint32_t len)
{
	if (o->level == SOL_SOCKET)
		return socket_set(env, ep, o->name, v, val, len);
	if (o->level == IPPROTO_TCP)
		return tcp_set(env, ep, o->name, v, val, len);
	if (o->level == IPPROTO_IPV6)
		return ip6_set(env, ep, o, v, val, len);
	if (o->name == IP_ADD_MEMBERSHIP || o->name == IP_DROP_MEMBERSHIP || o->name == MCAST_JOIN_GROUP || o->name == MCAST_LEAVE_GROUP)
		return group_option_set(env, ep, o, val, len);
	return ip_set(env, ep, o->name, v, val, len);
}

/* Linux's words; payload alone counts here, and what lies ready is all that is counted. */
static int meminfo_get(struct sock_env *env, struct endpoint *ep, void *val, uint32_t *len)
{
	uint32_t m[SK_MEMINFO_VARS] = {[SK_MEMINFO_RCVBUF] = ep_rcvbuf(env, ep), [SK_MEMINFO_SNDBUF] = ep_sndbuf(env, ep)};
	if (ep->type == VIA_STREAM && ep->state == EP_CONN) {
		m[SK_MEMINFO_RMEM_ALLOC] = tcp_user_inq(env->tcp, ep->tcp);
		m[SK_MEMINFO_WMEM_QUEUED] = tcp_user_outq(env->tcp, ep->tcp);
	}
	return opt_give(val, len, m, sizeof(m));
}

static int socket_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	struct linger l = {.l_onoff = !!(ep->flags & EPF_LINGER), .l_linger = v->linger_s};
	switch (o->name) {
	case SO_SNDBUF:
		return opt_give_int(o, val, len, (int32_t)ep_sndbuf(env, ep));
	case SO_RCVBUF:
		return opt_give_int(o, val, len, (int32_t)ep_rcvbuf(env, ep));
	case SO_RCVLOWAT:
		return opt_give_int(o, val, len, v->rcvlowat);
	case SO_SNDLOWAT:
		return opt_give_int(o, val, len, 1);
	case SO_LINGER:
		return opt_give(val, len, &l, sizeof(l));
	case SO_RCVTIMEO:
		return opt_give(val, len, v->rcvtimeo, sizeof(v->rcvtimeo));
	case SO_SNDTIMEO:
		return opt_give(val, len, v->sndtimeo, sizeof(v->sndtimeo));
	case SO_ERROR:
		return opt_give_int(o, val, len, ep->type == VIA_STREAM ? stream_error(env, ep) : -ep_err_take(ep));
	case SO_MAX_PACING_RATE:
		if (*len >= sizeof(v->pacing_max))
			return opt_give(val, len, &v->pacing_max, sizeof(v->pacing_max));
		return opt_give_int(o, val, len, (int32_t)(uint32_t)MIN(v->pacing_max, UINT32_MAX));
	case SO_TYPE:
		return opt_give_int(o, val, len, ep->type == VIA_STREAM ? SOCK_STREAM : SOCK_DGRAM);
	case SO_DOMAIN:
		return opt_give_int(o, val, len, ep->flags & EPF_V6 ? AF_INET6 : AF_INET);
	case SO_PROTOCOL:
		return opt_give_int(o, val, len, ep->type == VIA_PING && ep->flags & EPF_V6 ? IPPROTO_ICMPV6 : ep_proto(ep));
	case SO_MEMINFO:
		return meminfo_get(env, ep, val, len);
	case SO_ACCEPTCONN:
		return opt_give_int(o, val, len, ep->type == VIA_STREAM && ep->state == EP_LISTEN);
	default:
		return -ENOPROTOOPT;
	}
}

static int tcp_info_get(struct sock_env *env, struct endpoint *ep, void *val, uint32_t *len)
{
	static const struct via_tcp_info i = {.tcpi_state = TCP_CLOSED, .tcpi_delivery_rate_app_limited = 1, .tcpi_rto = 1000000,
		.tcpi_snd_mss = MSS_DEFAULT, .tcpi_rttvar = 250000, .tcpi_snd_ssthresh = INT32_MAX, .tcpi_snd_cwnd = 10, .tcpi_reordering = 3,
		.tcpi_pacing_rate = UINT64_MAX, .tcpi_max_pacing_rate = UINT64_MAX, .tcpi_min_rtt = UINT32_MAX};
	if (ep->state == EP_CONN) {
		*len = tcp_conn_linux_info(env->tcp, ep->tcp, val, *len);
		return 0;
	}
	if (ep->state == EP_LISTEN) {
		struct via_sock_info o = {.tcp_info = val, .tcp_info_len = *len};
		tcp_listener_info(env->tcp, ep->tcp, &o);
		*len = o.tcp_info_len;
		return 0;
	}
	return opt_give(val, len, &i, sizeof(i));
}

/* The MSS of the connection, else the user's, else the default. */
static int32_t maxseg_of(struct sock_env *env, const struct endpoint *ep)
{
	if (ep->state == EP_CONN) {
		struct via_sock_info i = {.size = sizeof(i)};
		tcp_node_info(env->tcp, ep->tcp, &i);
		if (i.mss)
			return (int32_t)i.mss;
	}
	int32_t v = ep_opts_of(env, ep)->maxseg;
	return v ? v : MSS_DEFAULT;
}

static int32_t linger2_of(struct sock_env *env, const struct endpoint *ep)
{
	int32_t v = ep_opts_of(env, ep)->linger2;
	return v ? v : tcp_settings_of(env->tcp)->fin_timeout_s;
}

static int tcp_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	switch (o->name) {
	case TCP_FASTOPEN:
		return opt_give_int(o, val, len, v->fastopen);
	case TCP_FASTOPEN_CONNECT:
		return opt_give_int(o, val, len, v->fastopen_connect);
	case TCP_FASTOPEN_NO_COOKIE:
		return opt_give_int(o, val, len, v->fastopen_no_cookie);
	case TCP_FASTOPEN_KEY:
		return opt_give(val, len, v->fastopen_key, v->fastopen_key_len);
	case TCP_QUICKACK:
		return opt_give_int(o, val, len, !(ep->flags & EPF_NO_QUICKACK));
	case TCP_MAXSEG:
		return opt_give_int(o, val, len, maxseg_of(env, ep));
	case TCP_DEFER_ACCEPT:
		return opt_give_int(o, val, len, ep_opts_of(env, ep)->defer_accept);
	case TCP_LINGER2:
		return opt_give_int(o, val, len, linger2_of(env, ep));
	case TCP_CONGESTION:
		return congestion_get(env, ep, val, len);
	case TCP_INFO:
		return tcp_info_get(env, ep, val, len);
	case TCP_CC_INFO: /* an algorithm that has nothing to tell tells nothing, as Linux */
		*len = ep->state == EP_CONN ? tcp_conn_cc_info(env->tcp, ep->tcp, val, *len) : 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* The path MTU towards the peer. */
static int mtu_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	ref_t path;
	if (ep->state != EP_CONN || env->ops->path_get(env->ctx, &ep->local, &ep->remote, &path))
		return -ENOTCONN;
	int32_t mtu = (int32_t)env->ops->path_at(env->ctx, path)->pmtu;
	env->ops->path_drop(env->ctx, path);
	return opt_give_int(o, val, len, mtu);
}

static int ip_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	switch (o->name) {
	case IP_TTL:
		return opt_give_int(o, val, len, v->ttl < 0 ? 64 : v->ttl);
	case IP_TOS:
		return opt_give_int(o, val, len, v->tos);
	case IP_MULTICAST_TTL:
		return opt_give_int(o, val, len, v->mcast_ttl);
	case IP_MULTICAST_LOOP:
		return opt_give_int(o, val, len, !(ep->flags & EPF_NO_MCAST_LOOP));
	case IP_MULTICAST_IF:
		return opt_give(val, len, &v->mcast_if, sizeof(v->mcast_if));
	case IP_MTU:
		return mtu_get(env, ep, o, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int ip6_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	switch (o->name) {
	case IPV6_MULTICAST_IF:
		return opt_give_int(o, val, len, (int32_t)v->mcast_ifindex6);
	case IPV6_MULTICAST_HOPS:
		return opt_give_int(o, val, len, v->mcast_ttl);
	case IPV6_MULTICAST_LOOP:
		return opt_give_int(o, val, len, !(ep->flags & EPF_NO_MCAST_LOOP));
	default:
		return -ENOPROTOOPT;
	}
}

int opt_odd_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len)
{
	if (o->level == SOL_SOCKET)
		return socket_get(env, ep, o, val, len);
	if (o->level == IPPROTO_TCP)
		return tcp_get(env, ep, o, val, len);
	if (o->level == IPPROTO_IPV6)
		return ip6_get(env, ep, o, val, len);
	return ip_get(env, ep, o, val, len);
}
