/* sock/groups.c - sockets in multicast groups: joining, leaving, and which interface a datagram to a group leaves by (RFC 3376 §2,
 * RFC 3493 §5.2, RFC 3678 §4.1.1 and §5.1.1 as far as they are about any source).
 *
 * A socket's memberships are a short list that its options hold; they end with it. As in Linux by default, a socket bound to the port
 * hears a group whoever of this stack joined it. Limits: GROUPS_PER_SOCKET, no stream sockets, no choice of sources. */
#include "base/bytes.h"
#include "sock/options.h"

#include <errno.h>
#include <netinet/in.h>

#define GROUPS_PER_SOCKET 20 /* Linux's igmp_max_memberships */

struct ep_member {
	ref_t next;
	uint32_t ifindex, id;
	struct via_addr group;
};

static struct ep_member *member_at(const struct sock_env *env, ref_t r) { return arena_at(env->arena, r); }

void groups_pool_init(struct sock_env *env)
{
	pool_init(env->arena, &tab_of(env)->members, "member", sizeof(struct ep_member), 0);
}

/* The link that leads to the socket's membership (ifindex 0: on any), or to nothing. *n: how many were passed. */
static ref_t *member_find(const struct sock_env *env, struct ep_opts *o, const struct via_addr *group, uint32_t ifindex, uint32_t *n)
{
	ref_t *at = &o->members;
	for (*n = 0; *at; at = &member_at(env, *at)->next, ++*n)
		if (memcmp(member_at(env, *at)->group.b, group->b, 16) == 0 && (!ifindex || member_at(env, *at)->ifindex == ifindex))
			break;
	return at;
}

static int group_join(struct sock_env *env, struct ep_opts *o, const struct via_addr *group, uint32_t ifindex)
{
	uint32_t n, id;
	if (!ifindex)
		ifindex = env->ops->group_iface(env->ctx, group);
	if (!ifindex)
		return -ENODEV;
	ref_t *at = member_find(env, o, group, ifindex, &n);
	if (*at)
		return -EADDRINUSE;
	if (n >= GROUPS_PER_SOCKET)
		return -ENOBUFS;
	ref_t r = pool_take(env->arena, &tab_of(env)->members);
	if (!r)
		return -ENOBUFS;
	int e = env->ops->group_join(env->ctx, ifindex, group, &id);
	if (e) {
		pool_give(env->arena, &tab_of(env)->members, r);
		return e;
	}
	*member_at(env, r) = (struct ep_member){.ifindex = ifindex, .id = id, .group = *group};
	*at = r;
	return 0;
}

static void member_end(struct sock_env *env, ref_t *at)
{
	ref_t r = *at;
	const struct ep_member m = *member_at(env, r);
	*at = m.next;
	pool_give(env->arena, &tab_of(env)->members, r);
	env->ops->group_leave(env->ctx, m.ifindex, &m.group, m.id);
}

void groups_release(struct sock_env *env, struct endpoint *ep)
{
	struct ep_opts *o = ep->opts ? arena_at(env->arena, ep->opts) : NULL;
	while (o && o->members)
		member_end(env, &o->members);
}

/* What the option's value says. Layouts: struct ip_mreq, ip_mreqn, ipv6_mreq, group_req. False: too short, or of another family. */
static bool request_of(const struct sock_env *env, const struct opt *o, const void *val, uint32_t len, struct via_addr *group,
		       uint32_t *ifindex, int *err)
{
	struct group_req g;
	struct ip_mreqn m4 = {.imr_ifindex = 0};
	struct ipv6_mreq m6;
	*err = -EINVAL;
	if (o->name == MCAST_JOIN_GROUP || o->name == MCAST_LEAVE_GROUP) {
		if (len < sizeof(g))
			return false;
		memcpy(&g, val, sizeof(g));
		*ifindex = g.gr_interface;
		bool is_v4 = g.gr_group.ss_family == AF_INET;
		*group = is_v4 ? via_addr_v4(get_be32(&((struct sockaddr_in *)(void *)&g.gr_group)->sin_addr)) : (struct via_addr){.scope = 0};
		if (!is_v4)
			memcpy(group->b, &((struct sockaddr_in6 *)(void *)&g.gr_group)->sin6_addr, 16);
		return is_v4 == (o->level == IPPROTO_IP);
	}
	if (o->level == IPPROTO_IPV6) {
		if (len < sizeof(m6))
			return false;
		memcpy(&m6, val, sizeof(m6));
		*group = (struct via_addr){.scope = 0};
		memcpy(group->b, &m6.ipv6mr_multiaddr, 16);
		*ifindex = m6.ipv6mr_interface;
		return true;
	}
	if (len < sizeof(struct ip_mreq))
		return false;
	memcpy(&m4, val, MIN(len, sizeof(m4)));
	const struct via_addr here = via_addr_v4(get_be32(&m4.imr_address));
	*group = via_addr_v4(get_be32(&m4.imr_multiaddr));
	*ifindex = (uint32_t)m4.imr_ifindex;
	if (!*ifindex && !via_addr_is_any(&here))
		*ifindex = env->ops->addr_iface(env->ctx, &here);
	*err = -ENODEV;
	return *ifindex || via_addr_is_any(&here);
}

int group_option_set(struct sock_env *env, struct endpoint *ep, const struct opt *o, const void *val, uint32_t len)
{
	struct via_addr group;
	uint32_t ifindex, n;
	int err;
	bool joins = o->name == (o->level == IPPROTO_IP ? IP_ADD_MEMBERSHIP : IPV6_JOIN_GROUP) || o->name == MCAST_JOIN_GROUP;
	if (!request_of(env, o, val, len, &group, &ifindex, &err))
		return err;
	if (!via_addr_is_multicast(&group) || via_addr_is_v4(&group) != (o->level == IPPROTO_IP))
		return -EINVAL;
	struct ep_opts *own = ep_opts_own(env, ep);
	if (!own)
		return -ENOMEM;
	if (joins)
		return group_join(env, own, &group, ifindex);
	ref_t *at = member_find(env, own, &group, ifindex, &n);
	if (!*at)
		return -EADDRNOTAVAIL;
	member_end(env, at);
	return 0;
}

void group_scope(const struct sock_env *env, const struct endpoint *ep, struct via_addr *to)
{
	const struct ep_opts *o = ep_opts_of(env, ep);
	if (via_addr_is_multicast(to) && !to->scope)
		to->scope = via_addr_is_v4(to) ? o->mcast_ifindex : o->mcast_ifindex6;
}
