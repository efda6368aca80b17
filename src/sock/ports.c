/* sock/ports.c - who uses which local port, and how one is chosen.
 *
 * A struct port_use stands for one (protocol, port, local address); all addresses of a port share a hash chain. Sharing
 * follows Linux: two TCP endpoints may bind overlapping addresses if both set SO_REUSEADDR and none of them listens, or
 * all set SO_REUSEPORT; UDP the same without the listening clause. Connections and TIME-WAIT entries inherit the flags
 * of the port they came from, so a server with SO_REUSEADDR can bind again over its own TIME-WAIT.
 * Ports for connect() come from RFC 6056 §3.3.4 (Algorithm 4: keyed offset per destination plus a counter) with random
 * increments (§3.3.5); a port is shared between destinations. Ports for bind(0) and unbound senders start at a random
 * place. Both look at every port of 32768..60999 before giving up. */
#include "sock/endpoint.h"

#include <errno.h>

static uint32_t port_hash(const struct sock_env *env, uint8_t proto, uint16_t port)
{
	uint32_t k = (uint32_t)proto << 16 | port;
	return (uint32_t)siphash_1_3(tab_of(env)->key_port, &k, sizeof(k));
}

static struct port_use *use_at(const struct sock_env *env, ref_t r)
{
	return r ? arena_at(env->arena, r) : NULL;
}

/* Next use of (proto, port) in the chain from r on. */
static struct port_use *use_next(const struct sock_env *env, ref_t r, uint8_t proto, uint16_t port)
{
	for (; r; r = htab_next(env->arena, &tab_of(env)->ports, r)) {
		struct port_use *u = use_at(env, r);
		if (u->port == port && u->proto == proto)
			return u;
	}
	return NULL;
}

#define USE_EACH(env, u, proto, port) \
	for (struct port_use *u = use_next(env, htab_first((env)->arena, &tab_of(env)->ports, port_hash(env, proto, port)), proto, port); \
	     u; u = use_next(env, u->hash_next, proto, port))

static bool addr_is_zero(const struct via_addr *a)
{
	static const uint8_t zero[16];
	return !memcmp(a->b, zero, 16);
}

/* How well a datagram or SYN to `a` fits something bound to `bound`: 0 not, 1 by ::, 2 by 0.0.0.0, 3 exactly. */
static int addr_fits(const struct via_addr *bound, const struct via_addr *a)
{
	if (!memcmp(bound->b, a->b, 16))
		return bound->scope && bound->scope != a->scope ? 0 : 3;
	if (addr_is_zero(bound))
		return 1;
	return via_addr_is_any(bound) && via_addr_is_v4(a) ? 2 : 0;
}

static bool addr_overlaps(const struct via_addr *a, const struct via_addr *b)
{
	return addr_fits(a, b) || addr_fits(b, a);
}

static struct port_use *use_find(const struct sock_env *env, uint8_t proto, uint16_t port, const struct via_addr *addr)
{
	USE_EACH(env, u, proto, port)
		if (via_addr_eq(&u->addr, addr))
			return u;
	return NULL;
}

static struct port_use *use_new(struct sock_env *env, uint8_t proto, uint16_t port, const struct via_addr *addr, uint8_t flags)
{
	struct sock_tab *t = tab_of(env);
	ref_t r = pool_take(env->arena, &t->uses);
	if (!r)
		return NULL;
	struct port_use *u = use_at(env, r);
	u->proto = proto;
	u->port = port;
	u->addr = *addr;
	u->flags = flags;
	u->hash = port_hash(env, proto, port);
	htab_add(env->arena, &t->ports, r);
	return u;
}

static void use_drop_if_empty(struct sock_env *env, struct port_use *u)
{
	struct sock_tab *t = tab_of(env);
	if (u->members.n || u->n_nodes)
		return;
	if (u->proto == PROTO_TCP) {
		t->gone_addr = u->addr;
		t->gone_port = u->port;
		t->gone_flags = u->flags;
		t->gone_at = env->tcp->now;
	}
	ref_t r = arena_ref(env->arena, u);
	htab_del(env->arena, &t->ports, r);
	pool_give(env->arena, &t->uses, r);
}

static uint8_t ep_use_flags(const struct endpoint *ep)
{
	return (uint8_t)((ep->flags & EPF_REUSEADDR ? USE_REUSEADDR : 0) | (ep->flags & EPF_REUSEPORT ? USE_REUSEPORT : 0));
}

/* Does a receiver of its kind stand in u, other than ep? */
static bool use_has_listener(const struct sock_env *env, const struct port_use *u, const struct endpoint *ep)
{
	bool self = ep->use && use_at(env, ep->use) == u && ep->flags & EPF_RECEIVER;
	return u->proto == PROTO_TCP && u->n_recv > (self ? 1u : 0u);
}

static bool use_clashes(const struct sock_env *env, const struct port_use *u, const struct endpoint *ep)
{
	uint32_t self = ep->use && use_at(env, ep->use) == u;
	if (u->members.n - self + u->n_nodes == 0)
		return false;
	if (u->flags & USE_REUSEPORT && ep->flags & EPF_REUSEPORT)
		return false;
	if (use_has_listener(env, u, ep))
		return true;
	return !(u->flags & USE_REUSEADDR && ep->flags & EPF_REUSEADDR);
}

static bool port_clashes(const struct sock_env *env, const struct endpoint *ep, uint16_t port)
{
	uint8_t proto = ep_proto(ep);
	USE_EACH(env, u, proto, port)
		if (addr_overlaps(&u->addr, &ep->local) && use_clashes(env, u, ep))
			return true;
	return false;
}

static bool port_is_used(const struct sock_env *env, const struct endpoint *ep, uint16_t port)
{
	uint8_t proto = ep_proto(ep);
	USE_EACH(env, u, proto, port)
		if (addr_overlaps(&u->addr, &ep->local))
			return true;
	return false;
}

/* A port nobody uses at an overlapping address, from a random start; 0 none. */
static uint16_t port_random(struct sock_env *env, const struct endpoint *ep)
{
	uint32_t start = (uint32_t)(prf_next(&tab_of(env)->random) % PORT_AUTO_N);
	for (uint32_t i = 0; i < PORT_AUTO_N; i++) {
		uint16_t port = (uint16_t)(PORT_AUTO_MIN + (start + i) % PORT_AUTO_N);
		if (!port_is_used(env, ep, port))
			return port;
	}
	return 0;
}

/* Receivers stand before the others, so a lookup never walks over endpoints that only send. */
static void use_place(struct sock_env *env, struct port_use *u, struct endpoint *ep, bool receives)
{
	if (receives) {
		list_push_head(env->arena, &u->members, ep_ref(env, ep), offsetof(struct endpoint, use_link));
		ep->flags |= EPF_RECEIVER;
		u->n_recv++;
	} else {
		list_push_tail(env->arena, &u->members, ep_ref(env, ep), offsetof(struct endpoint, use_link));
	}
}

static void use_unplace(struct sock_env *env, struct port_use *u, struct endpoint *ep)
{
	list_remove(env->arena, &u->members, ep_ref(env, ep), offsetof(struct endpoint, use_link));
	if (ep->flags & EPF_RECEIVER)
		u->n_recv--;
	ep->flags &= ~(uint32_t)EPF_RECEIVER;
}

int port_bind(struct sock_env *env, struct endpoint *ep, uint16_t port)
{
	uint8_t proto = ep_proto(ep);
	ASSERT(!ep->use);
	if (!port)
		port = port_random(env, ep);
	else if (port_clashes(env, ep, port))
		return -EADDRINUSE;
	if (!port)
		return -EADDRINUSE;
	struct port_use *u = use_find(env, proto, port, &ep->local);
	if (u)
		u->flags &= ep_use_flags(ep);
	else
		u = use_new(env, proto, port, &ep->local, ep_use_flags(ep));
	if (!u)
		return -ENOMEM;
	ep->use = arena_ref(env->arena, u);
	ep->lport = port;
	use_place(env, u, ep, ep->type != VIA_STREAM);
	return 0;
}

void port_release(struct sock_env *env, struct endpoint *ep)
{
	if (!ep->use)
		return;
	struct port_use *u = use_at(env, ep->use);
	use_unplace(env, u, ep);
	ep->use = 0;
	use_drop_if_empty(env, u);
}

void port_receives(struct sock_env *env, struct endpoint *ep, bool yes)
{
	if (!ep->use)
		return;
	use_unplace(env, use_at(env, ep->use), ep);
	use_place(env, use_at(env, ep->use), ep, yes);
}

bool port_may_listen(struct sock_env *env, struct endpoint *ep)
{
	return !port_clashes(env, ep, ep->lport);
}

void port_flags_changed(struct sock_env *env, struct endpoint *ep)
{
	struct port_use *u = use_at(env, ep->use);
	if (u && u->members.n == 1)
		u->flags = ep_use_flags(ep);
}

/* Only other automatic connections use it here, and none of them has the same far end. */
static bool port_fits_connect(struct sock_env *env, uint16_t port, const struct via_addr *local,
			      const struct via_addr *remote, uint16_t rport)
{
	bool taken = false;
	USE_EACH(env, u, PROTO_TCP, port) {
		if (!addr_overlaps(&u->addr, local))
			continue;
		if (u->members.n || !(u->flags & USE_AUTO))
			return false;
		taken = true;
	}
	return !taken || !demux_node(env, local, port, remote, rport);
}

uint16_t port_auto(struct sock_env *env, const struct via_addr *local, const struct via_addr *remote, uint16_t rport)
{
	struct sock_tab *t = tab_of(env);
	uint8_t text[34];
	memcpy(text, local->b, 16);
	memcpy(text + 16, remote->b, 16);
	text[32] = (uint8_t)(rport >> 8);
	text[33] = (uint8_t)rport;
	uint64_t h = siphash_2_4(t->key_auto, text, sizeof(text));
	uint32_t *counter = &t->auto_counter[(h >> 48) % PORT_COUNTERS];
	uint32_t offset = (uint32_t)h % PORT_AUTO_N;
	*counter += 1 + (uint32_t)(prf_next(&t->random) & 7);
	for (uint32_t i = 0; i < PORT_AUTO_N; i++) {
		uint16_t port = (uint16_t)(PORT_AUTO_MIN + (offset + *counter % PORT_AUTO_N) % PORT_AUTO_N);
		if (port_fits_connect(env, port, local, remote, rport))
			return port;
		++*counter;
	}
	return 0;
}

/* What a connection's port may be shared with: as its listener's or its own bound endpoint's; chosen by connect() else. */
static uint8_t node_flags(const struct sock_env *env, const struct via_addr *local, uint16_t lport)
{
	const struct sock_tab *t = tab_of(env);
	USE_EACH(env, u, PROTO_TCP, lport)
		if (u->members.n && addr_overlaps(&u->addr, local))
			return u->flags;
	if (t->gone_at == env->tcp->now && t->gone_port == lport && addr_overlaps(&t->gone_addr, local))
		return t->gone_flags;
	return USE_AUTO;
}

void port_node_add(struct sock_env *env, const struct via_addr *local, uint16_t lport)
{
	struct port_use *u = use_find(env, PROTO_TCP, lport, local);
	if (!u)
		u = use_new(env, PROTO_TCP, lport, local, node_flags(env, local, lport));
	if (u)
		u->n_nodes++;
}

void port_node_del(struct sock_env *env, const struct via_addr *local, uint16_t lport)
{
	struct port_use *u = use_find(env, PROTO_TCP, lport, local);
	if (!u)
		return;
	/* Zero only if memory was out when the node came. */
	if (u->n_nodes)
		u->n_nodes--;
	use_drop_if_empty(env, u);
}

struct endpoint *port_receiver(struct sock_env *env, uint8_t proto, const struct via_addr *addr, uint16_t port, uint32_t flow)
{
	struct port_use *best = NULL;
	int best_fit = 0;
	USE_EACH(env, u, proto, port) {
		int fit = u->n_recv ? addr_fits(&u->addr, addr) : 0;
		if (fit > best_fit) {
			best = u;
			best_fit = fit;
		}
	}
	if (!best)
		return NULL;
	/* Without SO_REUSEPORT the one that came last has it, as Linux. */
	uint32_t n = best->flags & USE_REUSEPORT ? flow % MIN(best->n_recv, SOCK_GROUP_MAX) : 0;
	ref_t r = best->members.head;
	while (n--)
		r = list_next(env->arena, r, offsetof(struct endpoint, use_link));
	return ep_at(env, r);
}

struct endpoint *port_receiver_nth(struct sock_env *env, uint8_t proto, const struct via_addr *addr, uint16_t port, uint32_t n)
{
	USE_EACH(env, u, proto, port) {
		if (!addr_fits(&u->addr, addr))
			continue;
		if (n >= u->n_recv) {
			n -= u->n_recv;
			continue;
		}
		ref_t r = u->members.head;
		while (n--)
			r = list_next(env->arena, r, offsetof(struct endpoint, use_link));
		return ep_at(env, r);
	}
	return NULL;
}

bool sock_port_in_use(const struct sock_env *env, uint8_t proto, uint16_t port)
{
	USE_EACH(env, u, proto, port)
		return true;
	return false;
}
