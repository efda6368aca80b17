/* drill/symbols.c - names of constants, errnos and ICMP messages.
 *
 * Values are this machine's, as its headers have them; TCPI_OPT_ and TCP_CA_ names are Linux's. */
#include "drill/script.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Names that linux/tcp.h leaves to netinet/tcp.h, with which it cannot be included. */
enum {
	TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
	TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING
};
enum { SOL_IP_LEVEL = IPPROTO_IP, SOL_TCP_LEVEL = IPPROTO_TCP, SOL_UDP_LEVEL = IPPROTO_UDP };
#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)
#endif

struct symbol {
	const char *name;
	int64_t value;
};

#define C(x) {#x, (int64_t)(x)}
static const struct symbol symbols[] = {
	C(AF_INET), C(AF_INET6), C(AF_UNSPEC), C(PF_INET), C(PF_INET6), C(SOCK_STREAM), C(SOCK_DGRAM), C(SOCK_RAW),
	C(SOCK_NONBLOCK), C(SOCK_CLOEXEC), C(IPPROTO_IP), C(IPPROTO_TCP), C(IPPROTO_UDP), C(IPPROTO_ICMP), C(INADDR_ANY),
	C(SOL_SOCKET), {"SOL_IP", SOL_IP_LEVEL}, {"SOL_TCP", SOL_TCP_LEVEL}, {"SOL_UDP", SOL_UDP_LEVEL}, C(SO_ACCEPTCONN),
	C(SO_BROADCAST), C(SO_DOMAIN), C(SO_DONTROUTE),
	C(SO_ERROR), C(SO_KEEPALIVE), C(SO_LINGER), C(SO_MARK), C(SO_MAX_PACING_RATE), C(SO_NO_CHECK), C(SO_OOBINLINE),
	C(SO_PRIORITY), C(SO_PROTOCOL), C(SO_RCVBUF), C(SO_RCVLOWAT), C(SO_RCVTIMEO), C(SO_REUSEADDR), C(SO_REUSEPORT),
	C(SO_SNDBUF), C(SO_SNDLOWAT), C(SO_SNDTIMEO), C(SO_TIMESTAMP), C(SO_TIMESTAMPING), C(SO_TYPE), C(SO_ZEROCOPY),
	C(SO_BINDTODEVICE), C(SO_BUSY_POLL),
	C(IP_TOS), C(IP_TTL), C(IP_MTU), C(IP_MTU_DISCOVER), C(IP_RECVERR), C(IP_FREEBIND), C(IP_PKTINFO), C(IP_RECVTOS),
	C(IP_RECVTTL), C(IP_PMTUDISC_DONT), C(IP_PMTUDISC_WANT), C(IP_PMTUDISC_DO), C(IP_PMTUDISC_PROBE),
	C(IP_BIND_ADDRESS_NO_PORT),
	C(TCP_NODELAY), C(TCP_MAXSEG), C(TCP_CORK), C(TCP_KEEPIDLE), C(TCP_KEEPINTVL), C(TCP_KEEPCNT), C(TCP_SYNCNT),
	C(TCP_LINGER2), C(TCP_DEFER_ACCEPT), C(TCP_WINDOW_CLAMP), C(TCP_INFO), C(TCP_QUICKACK), C(TCP_CONGESTION),
	C(TCP_MD5SIG), C(TCP_THIN_LINEAR_TIMEOUTS), C(TCP_THIN_DUPACK), C(TCP_USER_TIMEOUT), C(TCP_FASTOPEN),
	C(TCP_FASTOPEN_CONNECT), C(TCP_FASTOPEN_KEY), C(TCP_FASTOPEN_NO_COOKIE), C(TCP_TIMESTAMP), C(TCP_NOTSENT_LOWAT),
	C(TCP_INQ), C(TCP_CM_INQ), C(TCP_TX_DELAY), C(TCP_REPAIR), C(TCP_ULP), C(TCP_CC_INFO),
	C(TCP_ESTABLISHED), C(TCP_SYN_SENT), C(TCP_SYN_RECV), C(TCP_FIN_WAIT1), C(TCP_FIN_WAIT2), C(TCP_TIME_WAIT),
	C(TCP_CLOSE), C(TCP_CLOSE_WAIT), C(TCP_LAST_ACK), C(TCP_LISTEN), C(TCP_CLOSING), C(TCP_CA_Open),
	C(TCP_CA_Disorder), C(TCP_CA_CWR), C(TCP_CA_Recovery), C(TCP_CA_Loss), C(TCPI_OPT_TIMESTAMPS), C(TCPI_OPT_SACK),
	C(TCPI_OPT_WSCALE), C(TCPI_OPT_ECN), C(TCPI_OPT_ECN_SEEN), C(TCPI_OPT_SYN_DATA),
	C(O_RDONLY), C(O_WRONLY), C(O_RDWR), C(O_ACCMODE), C(O_CREAT), C(O_EXCL), C(O_TRUNC), C(O_APPEND), C(O_NONBLOCK),
	C(F_GETFD), C(F_SETFD), C(F_GETFL), C(F_SETFL), C(FD_CLOEXEC),
	C(MSG_OOB), C(MSG_DONTROUTE), C(MSG_PEEK), C(MSG_CTRUNC), C(MSG_EOR), C(MSG_WAITALL), C(MSG_TRUNC),
	C(MSG_ERRQUEUE), C(MSG_DONTWAIT), C(MSG_CONFIRM), C(MSG_FIN), C(MSG_SYN), C(MSG_RST), C(MSG_NOSIGNAL), C(MSG_MORE),
	C(MSG_CMSG_CLOEXEC), C(MSG_FASTOPEN), C(MSG_ZEROCOPY),
	C(SIOCINQ), C(SIOCOUTQ), C(SIOCOUTQNSD), C(FIONREAD), C(FIONBIO), C(SIOCATMARK), C(SHUT_RD), C(SHUT_WR),
	C(SHUT_RDWR),
	C(POLLIN), C(POLLPRI), C(POLLOUT), C(POLLRDNORM), C(POLLRDBAND), C(POLLWRNORM), C(POLLWRBAND), C(POLLMSG),
	C(POLLRDHUP), C(POLLERR), C(POLLHUP), C(POLLNVAL),
	C(EPOLLIN), C(EPOLLPRI), C(EPOLLOUT), C(EPOLLRDNORM), C(EPOLLRDBAND), C(EPOLLWRNORM), C(EPOLLWRBAND), C(EPOLLMSG),
	C(EPOLLERR), C(EPOLLHUP), C(EPOLLRDHUP), C(EPOLLONESHOT), C(EPOLLET), C(EPOLLEXCLUSIVE), C(EPOLL_CTL_ADD),
	C(EPOLL_CTL_MOD), C(EPOLL_CTL_DEL),
	C(SPLICE_F_MOVE), C(SPLICE_F_NONBLOCK), C(SPLICE_F_MORE), C(SPLICE_F_GIFT), C(SEEK_SET), C(SEEK_CUR), C(SEEK_END),
	{"TCP_INFINITE_SSTHRESH", 0x7fffffff}, {"TCP_CA_OPEN", TCP_CA_Open}, {"TCP_CA_DISORDER", TCP_CA_Disorder},
	{"TCP_CA_RECOVERY", TCP_CA_Recovery}, {"TCP_CA_LOSS", TCP_CA_Loss},
};
static const struct symbol errnos[] = {
	C(EPERM), C(ENOENT), C(ESRCH), C(EINTR), C(EIO), C(ENXIO), C(E2BIG), C(EBADF), C(EAGAIN), C(ENOMEM), C(EACCES),
	C(EFAULT), C(EBUSY), C(EEXIST), C(ENODEV), C(ENOTDIR), C(EISDIR), C(EINVAL), C(ENFILE), C(EMFILE), C(ENOTTY),
	C(EFBIG), C(ENOSPC), C(ESPIPE), C(EROFS), C(EMLINK), C(EPIPE), C(EDOM), C(ERANGE), C(ENOSYS), C(ELOOP), C(ENODATA),
	C(ETIME), C(ENONET), C(EPROTO), C(EBADMSG), C(EOVERFLOW), C(EBADFD), C(ENOTSOCK), C(EDESTADDRREQ), C(EMSGSIZE),
	C(EPROTOTYPE), C(ENOPROTOOPT), C(EPROTONOSUPPORT), C(ESOCKTNOSUPPORT), C(EOPNOTSUPP), C(EPFNOSUPPORT),
	C(EAFNOSUPPORT), C(EADDRINUSE), C(EADDRNOTAVAIL), C(ENETDOWN), C(ENETUNREACH), C(ENETRESET), C(ECONNABORTED),
	C(ECONNRESET), C(ENOBUFS), C(EISCONN), C(ENOTCONN), C(ESHUTDOWN), C(ETOOMANYREFS), C(ETIMEDOUT), C(ECONNREFUSED),
	C(EHOSTDOWN), C(EHOSTUNREACH), C(EALREADY), C(EINPROGRESS), C(ESTALE), C(ECANCELED),
	{"EWOULDBLOCK", EWOULDBLOCK}, {"ENOTSUP", ENOTSUP},
};
#undef C

static bool find(const struct symbol *s, size_t n, const char *name, int64_t *value)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(s[i].name, name) == 0) {
			*value = s[i].value;
			return true;
		}
	}
	return false;
}

bool drill_symbol(const char *name, int64_t *value)
{
	return find(symbols, ARRAY_LEN(symbols), name, value) || find(errnos, ARRAY_LEN(errnos), name, value);
}

const char *drill_errno_name(int e)
{
	static _Thread_local char number[24];
	for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
		if (errnos[i].value == e)
			return errnos[i].name;
	snprintf(number, sizeof(number), "errno %d", e);
	return number;
}

static const struct symbol icmp_types[] = {
	{"echo_reply", 0}, {"unreachable", 3}, {"source_quench", 4}, {"redirect", 5}, {"echo_request", 8}, {"time_exceeded", 11},
	{"parameter_problem", 12}, {"timestamp_request", 13}, {"timestamp_reply", 14}, {"information_request", 15},
	{"information_reply", 16}, {"address_mask_request", 17}, {"address_mask_reply", 18},
};
static const struct symbol unreachable_codes[] = {
	{"net_unreachable", 0}, {"host_unreachable", 1}, {"protocol_unreachable", 2}, {"port_unreachable", 3}, {"frag_needed", 4},
	{"source_route_failed", 5}, {"net_unknown", 6}, {"host_unknown", 7}, {"source_host_isolated", 8}, {"net_prohibited", 9},
	{"host_prohibited", 10}, {"net_unreachable_for_tos", 11}, {"host_unreachable_for_tos", 12}, {"packet_filtered", 13},
	{"precedence_violation", 14}, {"precedence_cutoff", 15},
};

/* prefix and a number up to 255 */
static bool numbered(const char *s, const char *prefix, int64_t *value)
{
	size_t n = strlen(prefix);
	char *end;
	if (strncmp(s, prefix, n) != 0 || s[n] < '0' || s[n] > '9')
		return false;
	*value = strtol(s + n, &end, 10);
	return !*end && *value <= 255;
}

bool drill_icmp_names(const char *type, const char *code, uint8_t *t, uint8_t *c)
{
	int64_t v = 0;
	if (!numbered(type, "type_", &v) && !find(icmp_types, ARRAY_LEN(icmp_types), type, &v))
		return false;
	*t = (uint8_t)v;
	v = 0;
	if (code && !numbered(code, "code_", &v) && (*t != 3 || !find(unreachable_codes, ARRAY_LEN(unreachable_codes), code, &v)))
		return false;
	*c = (uint8_t)v;
	return true;
}

void drill_icmp_text(uint8_t t, uint8_t c, char *out, size_t room)
{
	const char *type = NULL;
	for (size_t i = 0; i < ARRAY_LEN(icmp_types); i++)
		if (icmp_types[i].value == t)
			type = icmp_types[i].name;
	int n = type ? snprintf(out, room, "%s", type) : snprintf(out, room, "type_%u", t);
	if (t == 3 && c < ARRAY_LEN(unreachable_codes))
		snprintf(out + n, room - (size_t)n, " %s", unreachable_codes[c].name);
	else if (c)
		snprintf(out + n, room - (size_t)n, " code_%u", c);
}
