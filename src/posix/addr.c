/* posix/addr.c - struct sockaddr_in and our addresses. */
#include "posix/posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

int addr_from(const struct sockaddr *sa, socklen_t len, struct via_sockaddr *out)
{
	struct sockaddr_in in;
	if (!sa || len < sizeof(in))
		return -EINVAL;
	memcpy(&in, sa, sizeof(in));
	if (in.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	*out = (struct via_sockaddr){.addr = via_addr_v4(ntohl(in.sin_addr.s_addr)), .port = ntohs(in.sin_port)};
	return 0;
}

void addr_to(const struct via_sockaddr *a, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	if (!sa || !len)
		return;
	in.sin_addr.s_addr = via_addr_is_v4(&a->addr) ? htonl(via_addr_to_v4(&a->addr)) : 0;
	memcpy(sa, &in, MIN((size_t)*len, sizeof(in)));
	*len = sizeof(in);
}
