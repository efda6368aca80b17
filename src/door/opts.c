/* door/opts.c - getsockopt and setsockopt.
 *
 * Most go to the stack. What the pair must know too (timeouts, low-water mark) also goes on in the kernel; buffer sizes
 * are set on both. Truths about the socket (SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR) are answered here. Options the stack
 * does not have but programs set as a matter of course are kept and read back (opts_kept); each line says why that is
 * no lie that matters. Everything else is ENOPROTOOPT. */
#include "door/inside.h"

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPT_BYTES = 512, SOL_RAW_ = 255, ICMP_FILTER_ = 1, SO_RCVTIMEO_NEW_ = 66, SO_SNDTIMEO_NEW_ = 67 };

/* Kept though the stack does not act on them. */
static const struct {
	int level, name;
} opts_kept[] = {
	{SOL_SOCKET, SO_PRIORITY},           /* our queues are fair, not ranked */
	{SOL_SOCKET, SO_DEBUG},              /* no effect in Linux either */
	{SOL_SOCKET, SO_NO_CHECK},           /* checksums are always made */
	{SOL_SOCKET, SO_BUSY_POLL},          /* a hint */
	{SOL_SOCKET, SO_INCOMING_CPU},       /* a hint */
	{SOL_SOCKET, SO_TIMESTAMP},          /* ping asks, and falls back to its own clock */
	{SOL_SOCKET, SO_TIMESTAMPNS},
	{IPPROTO_IP, IP_RECVERR},            /* errors are told as they are without it */
	{IPPROTO_IP, IP_MTU_DISCOVER},
	{IPPROTO_IP, IP_RETOPTS},            /* nothing to return: the stack sends no IP options */
	{IPPROTO_IP, IP_FREEBIND},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
	{IPPROTO_IP, IP_MULTICAST_LOOP},
	{IPPROTO_IP, IP_MULTICAST_TTL},
	{IPPROTO_IP, IP_RECVTTL},            /* programs live without the control data */
	{IPPROTO_IP, IP_RECVTOS},
	{IPPROTO_TCP, TCP_CORK},
	{IPPROTO_TCP, TCP_QUICKACK},         /* a hint, not even sticky in Linux */
	{IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP},
	{SOL_RAW_, ICMP_FILTER_},            /* a ping socket gets its own replies only */
};

static bool opts_may_keep(int level, int name)
{
	for (size_t i = 0; i < ARRAY_LEN(opts_kept); i++) {
		if (opts_kept[i].level == level && opts_kept[i].name == name)
			return true;
	}
	return false;
}

static struct kept_opt *opts_find(struct dsock *s, int level, int name)
{
	for (int i = 0; i < s->n_kept; i++) {
		if (s->kept[i].level == level && s->kept[i].name == name)
			return &s->kept[i];
	}
	return NULL;
}

static int opts_keep(struct dsock *s, int level, int name, const void *val, uint32_t len)
{
	struct kept_opt *k = opts_find(s, level, name);
	if (!k) {
		if (!s->kept)
			s->kept = calloc(DOOR_KEPT_OPTS, sizeof(*s->kept));
		if (!s->kept || s->n_kept == DOOR_KEPT_OPTS)
			return -ENOBUFS;
		k = &s->kept[s->n_kept++];
	}
	*k = (struct kept_opt){.level = (uint16_t)level, .name = (uint16_t)name, .len = MIN(len, (uint32_t)sizeof(k->val))};
	memcpy(k->val, val, k->len);
	return 0;
}

/* --- set --- */

/* struct timeval (both layouts are two 64-bit words here): ns, TIME_NEVER for zero. */
static int64_t opts_timeout(const int64_t tv[2])
{
	if ((tv[0] == 0 && tv[1] == 0) || tv[0] < 0 || tv[0] > INT64_MAX / NS_PER_S - 1)
		return TIME_NEVER;
	return tv[0] * NS_PER_S + tv[1] * NS_PER_US;
}

static int64_t opts_set_size(struct door *d, struct call *c, struct dsock *s, int name, const void *val, uint32_t len)
{
	int err = via_setsockopt(d->v, s->s, SOL_SOCKET, name, val, len);
	s->sized |= err == 0;
	if (err < 0 || s->type != VIA_STREAM || s->state == DS_CONNECTING)
		return err;
	int fd = door_target_borrow(d, c, s);
	door_stream_sizes(s, fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static int64_t opts_set_socket(struct door *d, struct call *c, struct dsock *s, int name, const uint8_t *val, uint32_t len)
{
	int64_t tv[2] = {0};
	int32_t lin[2] = {0};
	memcpy(tv, val, MIN(len, (uint32_t)sizeof(tv)));
	memcpy(lin, val, MIN(len, (uint32_t)sizeof(lin)));
	switch (name) {
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW_:
		if (len >= sizeof(tv))
			s->rcvtimeo = opts_timeout(tv);
		return ANSWER_CONTINUE;
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW_:
		if (len >= sizeof(tv))
			s->sndtimeo = opts_timeout(tv);
		return ANSWER_CONTINUE;
	case SO_RCVLOWAT:
		return ANSWER_CONTINUE;
	case SO_OOBINLINE: /* is on, and stays: make.c */
		return s->type == VIA_STREAM ? 0 : via_setsockopt(d->v, s->s, SOL_SOCKET, name, val, len);
	case SO_BINDTODEVICE: /* the kernel's answers to a program without rights */
	case SO_MARK:
		return -EPERM;
	case SO_RCVBUF:
	case SO_SNDBUF:
		return opts_set_size(d, c, s, name, val, len);
	case SO_LINGER:
		if (len >= sizeof(lin))
			s->linger0 = lin[0] && lin[1] == 0;
		return via_setsockopt(d->v, s->s, SOL_SOCKET, name, val, len);
	default:
		return via_setsockopt(d->v, s->s, SOL_SOCKET, name, val, len);
	}
}

int64_t door_call_setsockopt(struct door *d, struct call *c, struct dsock *s)
{
	int level = (int)c->arg[1], name = (int)c->arg[2];
	uint8_t val[OPT_BYTES] = {0};
	if ((int)c->arg[4] < 0)
		return -EINVAL;
	uint32_t len = MIN((uint32_t)c->arg[4], (uint32_t)sizeof(val));
	int err = door_target_read(d, c, c->arg[3], val, len);
	if (err < 0)
		return err;
	if (level == IPPROTO_IP && name == IP_PKTINFO)
		s->pktinfo = len >= 1 && val[0];
	if (level == IPPROTO_IPV6 && !s->is_v6)
		return -ENOPROTOOPT;
	if (level == IPPROTO_IPV6 && name == IPV6_RECVPKTINFO)
		s->pktinfo6 = len >= sizeof(int) && (val[0] | val[1] | val[2] | val[3]);
	int64_t r = level == SOL_SOCKET ? opts_set_socket(d, c, s, name, val, len) : via_setsockopt(d->v, s->s, level, name, val, len);
	if (r == -ENOPROTOOPT && opts_may_keep(level, name))
		r = opts_keep(s, level, name, val, len);
	return r;
}

/* --- get --- */

/* Why it broke, once: the kernel knows whether a read() has told it already. */
static int opts_error(struct door *d, struct call *c, struct dsock *s)
{
	int err = 0, fd;
	uint32_t len = sizeof(err);
	if (s->type == VIA_STREAM && s->state != DS_BROKEN) {
		if (s->state != DS_LISTEN && s->state != DS_CONNECTING && s->so_error == 0)
			via_getsockopt(d->v, s->s, SOL_SOCKET, SO_ERROR, &err, &len);
		return err;
	}
	fd = door_target_borrow(d, c, s);
	if (s->type != VIA_STREAM) {
		err = door_dgram_error_take(s, fd);
	} else {
		socklen_t n = sizeof(err);
		if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err && s->so_error > 0)
			err = s->so_error;
		s->so_error = MIN(s->so_error, 0);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* Bytes still in the pair have not been sent either. */
static void opts_tcp_info(struct dsock *s, uint8_t *val, uint32_t len)
{
	size_t at = offsetof(struct tcp_info, tcpi_state);
	uint32_t notsent, off = 144; /* tcpi_notsent_bytes in struct tcp_info of linux/tcp.h */
	if (len > at && s->state == DS_LISTEN)
		return;
	if (len >= off + sizeof(notsent)) {
		memcpy(&notsent, val + off, sizeof(notsent));
		notsent += door_stream_waiting(s);
		memcpy(val + off, &notsent, sizeof(notsent));
	}
}

static int opts_protocol(const struct dsock *s)
{
	if (s->type == VIA_STREAM)
		return IPPROTO_TCP;
	if (s->type == VIA_DGRAM)
		return IPPROTO_UDP;
	return s->is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
}

/* Truths about the socket itself: true and *val when name is one. */
static bool opts_truth(struct door *d, struct call *c, struct dsock *s, int name, int *val)
{
	switch (name) {
	case SO_TYPE:
		*val = s->type == VIA_STREAM ? SOCK_STREAM : SOCK_DGRAM;
		return true;
	case SO_DOMAIN:
		*val = s->is_v6 ? AF_INET6 : AF_INET;
		return true;
	case SO_PROTOCOL:
		*val = opts_protocol(s);
		return true;
	case SO_ACCEPTCONN:
		*val = s->state == DS_LISTEN;
		return true;
	case SO_ERROR:
		*val = opts_error(d, c, s);
		return true;
	default:
		return false;
	}
}

/* Options whose value the program's end has. */
static bool opts_in_the_pair(int name)
{
	return name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_RCVTIMEO_NEW_ || name == SO_SNDTIMEO_NEW_ || name == SO_RCVLOWAT;
}

int64_t door_call_getsockopt(struct door *d, struct call *c, struct dsock *s)
{
	int level = (int)c->arg[1], name = (int)c->arg[2], truth;
	int32_t room;
	uint8_t val[OPT_BYTES] = {0};
	int err = door_target_read(d, c, c->arg[4], &room, sizeof(room));
	if (err < 0)
		return err;
	if (room < 0)
		return -EINVAL;
	if (level == IPPROTO_IPV6 && !s->is_v6)
		return -EOPNOTSUPP;
	uint32_t len = MIN((uint32_t)room, (uint32_t)sizeof(val));
	struct kept_opt *k = opts_find(s, level, name);
	if (level == SOL_SOCKET && opts_in_the_pair(name))
		return ANSWER_CONTINUE;
	if (level == SOL_SOCKET && opts_truth(d, c, s, name, &truth)) {
		len = MIN(len, (uint32_t)sizeof(truth));
		memcpy(val, &truth, len);
	} else if (k) {
		len = MIN(len, k->len);
		memcpy(val, k->val, len);
	} else {
		err = via_getsockopt(d->v, s->s, level, name, val, &len);
		if (err == -ENOPROTOOPT && opts_may_keep(level, name)) {
			err = 0; /* never set: zero */
			len = MIN(len, (uint32_t)sizeof(int));
		}
		if (err < 0)
			return err;
		if (level == IPPROTO_TCP && name == TCP_INFO)
			opts_tcp_info(s, val, len);
	}
	err = door_target_write(d, c, c->arg[3], val, len);
	return err < 0 ? err : door_target_write(d, c, c->arg[4], &len, sizeof(len));
}
