/* gate/where.c - see where.h. Special addresses: RFC 6890; the guard of loopback addresses is slirp's, turned on by default. */
#include "gate/where.h"

#include "base/defs.h"

enum { PORT_DNS = 53 };

/* This network, loopback, multicast, reserved and the limited broadcast; IPv6's that are of one link. */
static bool is_nowhere(const struct via_addr *a)
{
	if (via_addr_is_any(a) || via_addr_is_loopback(a) || via_addr_is_multicast(a) || gate_is_link_local(a))
		return true;
	return via_addr_is_v4(a) && (a->b[12] == 0 || a->b[12] >= 240);
}

enum gate_verdict gate_where(const struct gate_map *m, const struct via_sockaddr *to, struct via_sockaddr *out)
{
	*out = *to;
	for (size_t i = 0; i < ARRAY_LEN(m->loopback); i++)
		if (!via_addr_is_any(&m->loopback[i]) && via_addr_eq(&to->addr, &m->loopback[i])) {
			out->addr = via_addr_is_v4(&to->addr) ? via_addr_v4(0x7f000001) : (struct via_addr){.b = {[15] = 1}};
			return GATE_GO;
		}
	if (m->is_self && to->port == PORT_DNS && m->has_resolver) {
		*out = m->resolver;
		return GATE_GO;
	}
	if (m->is_self)
		return GATE_NOBODY;
	return is_nowhere(&to->addr) ? GATE_NOWHERE : GATE_GO;
}
