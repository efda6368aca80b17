/* gate/outside.c - the machine's sockets: making them, their addresses, and what their errors are called inside. */
#include "gate/inside.h"

#include <errno.h>
#include <netinet/in.h>

enum { CODE_NET_PROHIBITED = 9, CODE_HOST_PROHIBITED = 10, CODE_FILTERED = 13 };

int gate_socket(const struct via_addr *to, int type, int protocol)
{
	int fd = socket(via_addr_is_v4(to) ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

socklen_t gate_sockaddr(const struct via_sockaddr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (via_addr_is_v4(&a->addr)) {
		struct sockaddr_in *in = (void *)out;
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr.s_addr = htonl(via_addr_to_v4(&a->addr))};
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)out;
	*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->addr.scope};
	memcpy(&in6->sin6_addr, a->addr.b, 16);
	return sizeof(*in6);
}

void gate_sockaddr_read(const struct sockaddr_storage *from, struct via_sockaddr *out)
{
	*out = (struct via_sockaddr){.port = 0};
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;
		*out = (struct via_sockaddr){via_addr_v4(ntohl(in->sin_addr.s_addr)), ntohs(in->sin_port)};
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;
		memcpy(out->addr.b, &in6->sin6_addr, 16);
		out->addr.scope = in6->sin6_scope_id;
		out->port = ntohs(in6->sin6_port);
	}
}

/* The codes that end a connect: by 0 and 1 it would only be tried longer (RFC 1122 §4.2.3.9, TCP-083), while the machine's own
 * connect has ended with this error. */
int gate_unreach_code(int err)
{
	switch (err) {
	case ENETUNREACH:
	case ENETDOWN:
	case EAFNOSUPPORT: /* no IPv6 outside */
		return CODE_NET_PROHIBITED;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return CODE_HOST_PROHIBITED;
	case EACCES:
	case EPERM:
		return CODE_FILTERED;
	default:
		return -1;
	}
}
