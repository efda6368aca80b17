/* posix/addr.c - struct sockaddr_in, struct sockaddr_in6 and our addresses.
 *
 * As Linux: a socket names its own family, an AF_INET6 one IPv4 as ::ffff:a.b.c.d; its datagrams may be sent to a sockaddr_in too.
 * sin6_scope_id counts for addresses of a link only. */
#include "posix/posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

static bool is_of_a_link(const uint8_t b[16])
{
	return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || (b[0] == 0xff && ((b[1] & 15) == 1 || (b[1] & 15) == 2));
}

int addr_from(const struct sockaddr *sa, socklen_t len, struct named *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6 = {.sin6_scope_id = 0};
	const socklen_t without_scope = offsetof(struct sockaddr_in6, sin6_scope_id); /* RFC 2133's */
	if (!sa || len < sizeof(in))
		return -EINVAL;
	memcpy(&in, sa, sizeof(in));
	*out = (struct named){.family = in.sin_family, .len = len};
	if (in.sin_family == AF_INET) {
		out->a = (struct via_sockaddr){.addr = via_addr_v4(ntohl(in.sin_addr.s_addr)), .port = ntohs(in.sin_port)};
		return 0;
	}
	if (in.sin_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < without_scope)
		return -EINVAL;
	memcpy(&in6, sa, MIN((size_t)len, sizeof(in6)));
	out->a = (struct via_sockaddr){.port = ntohs(in6.sin6_port)};
	memcpy(out->a.addr.b, &in6.sin6_addr, 16);
	if (is_of_a_link(out->a.addr.b))
		out->a.addr.scope = in6.sin6_scope_id;
	return 0;
}

int addr_suits(const struct psock *ps, const struct named *n, bool binds)
{
	if (n->family == (ps->is_v6 ? AF_INET6 : AF_INET))
		return 0;
	if (!ps->is_v6)
		return -EAFNOSUPPORT;
	if (ps->type == VIA_DGRAM && !binds)
		return 0;
	return n->len < offsetof(struct sockaddr_in6, sin6_scope_id) ? -EINVAL : -EAFNOSUPPORT;
}

void addr_to(const struct via_sockaddr *a, bool is_v6, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
	size_t whole = is_v6 ? sizeof(in6) : sizeof(in);
	if (!sa || !len)
		return;
	in.sin_addr.s_addr = via_addr_is_v4(&a->addr) ? htonl(via_addr_to_v4(&a->addr)) : 0;
	memcpy(&in6.sin6_addr, a->addr.b, 16);
	in6.sin6_scope_id = is_of_a_link(a->addr.b) ? a->addr.scope : 0;
	memcpy(sa, is_v6 ? (const void *)&in6 : &in, MIN((size_t)*len, whole));
	*len = (socklen_t)whole;
}
