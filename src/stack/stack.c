/* stack/stack.c - a stack's beginning and end.
 *
 * via_init() lays the state into the arena and wires the rooms together through their tables of functions; nothing is
 * allocated anywhere else. Tables start small and grow, so an empty host touches little of its arena. */
#include "stack/nd.h"

#include "filter/conntrack.h"

#include <errno.h>

size_t via_size(void)
{
	return sizeof(struct via);
}

void stack_enter(struct via *v, int64_t now)
{
	v->now = MAX(v->now, now);
	v->st->now = v->now;
	v->tcp.now = v->now;
	v->sock.now = v->now;
}

static void stack_name(struct via *v, const char *name)
{
	size_t n = name ? strnlen(name, sizeof(v->name) - 1) : 0;
	memcpy(v->name, name ? name : "", n);
	v->name[n] = 0;
}

static int stack_loopback(struct via *v)
{
	struct via_state *st = v->st;
	ref_t r = pool_take(v->arena, &st->iface_pool);
	if (!r)
		return -ENOMEM;
	struct iface *lo = arena_at(v->arena, r);
	memcpy(lo->name, "lo", 3);
	lo->ifindex = IFINDEX_LO;
	lo->l2 = VIA_L2_NONE;
	lo->mtu = LO_MTU;
	lo->up = true;
	st->ifaces[IFINDEX_LO] = r;
	st->iface_end = IFINDEX_LO + 1;
	struct via_addr a = via_addr_v4(0x7f000001), one = {.b = {[15] = 1}};
	int err = addrs_add(v->arena, &st->addrs, IFINDEX_LO, &a, 8);
	return err ? err : addrs_add(v->arena, &st->addrs, IFINDEX_LO, &one, 128);
}

static int stack_tables(struct via *v, const struct via_config *cfg)
{
	struct via_state *st = v->st;
	struct neigh_env ne = stack_neigh_env(v);
	wheel_init(&st->wheel, cfg->now);
	pool_init(v->arena, &st->iface_pool, "iface", sizeof(struct iface), VIA_IFACES_MAX);
	icmp_limit_init(&st->icmp, prf_derive(cfg->seed, "icmp limit"));
	st->flow_key = prf_derive(cfg->seed, "flow");
	st->path_key = prf_derive(cfg->seed, "path");
	st->ids.key = prf_derive(cfg->seed, "ip id");
	st->fib = fib_new(v->arena, prf_derive(cfg->seed, "fib"));
	if (!st->fib || neigh_cache_init(&ne, &st->neigh, prf_derive(cfg->seed, "neigh"), WHEEL_NEIGH) || path_init(v))
		return -ENOMEM;
	struct reasm_env re = stack_reasm_env(v);
	reasm_init(&re, &st->reasm, prf_derive(cfg->seed, "reassembly"), WHEEL_REASM);
	st->frag_ids.key = prf_derive(cfg->seed, "fragment id");
	st->frag6_ids.key = prf_derive(cfg->seed, "fragment id 6");
	st->label_key = prf_derive(cfg->seed, "flow label");
	st->ext6 = (struct ext6_limits){EXT6_HEADERS_DEFAULT, EXT6_OPTIONS_DEFAULT};
	pool_init(v->arena, &st->acd_pool, "acd", sizeof(struct acd), ACD_MAX);
	st->acd_random.key = prf_derive(cfg->seed, "acd");
	mcast_init(v, prf_derive(cfg->seed, "group"));
	st->filter_key = prf_derive(cfg->seed, "filter");
	st->ct_max = CT_MAX_DEFAULT;
	pool_init(v->arena, &st->nd_pool, "nd", sizeof(struct nd_iface), VIA_IFACES_MAX);
	st->iid_secret = prf_derive(cfg->seed, "interface id");
	st->nd_default.gateway = via_addr_v4(0);
	return stack_loopback(v);
}

/* First sizes of TCP's buffers, if the owner has a wish. */
static void stack_buffers(struct via *v, const struct via_config *cfg)
{
	struct tcp_settings *s = tcp_settings_of(&v->tcp);
	if (cfg->tcp_rmem)
		s->rmem = cfg->tcp_rmem;
	if (cfg->tcp_wmem)
		s->wmem = cfg->tcp_wmem;
	s->rmem_max = MAX(s->rmem_max, s->rmem);
	s->wmem_max = MAX(s->wmem_max, s->wmem);
}

static int stack_rooms(struct via *v, const struct via_config *cfg)
{
	struct via_state *st = v->st;
	v->tcp = (struct tcp_env){.arena = v->arena, .wheel = &st->wheel, .mem = v->mem, .ops = &stack_tcp_ops, .ctx = v,
				  .trace = cfg->trace, .name = v->name, .now = v->now, .drops = st->drops,
				  .paces = st->tcp_paces, .ecn = st->tcp_ecn, .mtu_probing = st->tcp_mtu_probing, .base_mss = st->tcp_base_mss};
	int err = tcp_init(&v->tcp, cfg->seed);
	if (err)
		return err;
	stack_buffers(v, cfg);
	v->sock = (struct sock_env){.arena = v->arena, .mem = v->mem, .tcp = &v->tcp, .ops = &stack_sock_ops, .ctx = v,
				    .now = v->now, .drops = st->drops, .max_sockets = 65536};
	return sock_init(&v->sock, cfg->seed);
}

struct via *via_init(void *mem, const struct via_config *cfg)
{
	struct via *v = mem;
	memset(v, 0, sizeof(*v));
	stack_name(v, cfg->name);
	v->arena = arena_init(cfg->arena, cfg->arena_bytes);
	v->mem = cfg->mem;
	v->trace = cfg->trace;
	v->now = cfg->now;
	if (!v->arena)
		return NULL;
	ref_t r = arena_buf_take(v->arena, sizeof(struct via_state));
	if (!r)
		goto too_small;
	v->st = arena_at(v->arena, r);
	memset(v->st, 0, sizeof(*v->st));
	v->st->now = cfg->now;
	v->st->ttl = TTL_DEFAULT;
	v->st->forwarding = cfg->forwarding;
	v->st->tcp_ecn = ECN_DEFAULT;
	v->st->tcp_mtu_probing = MTU_PROBING_DEFAULT;
	v->st->tcp_base_mss = BASE_MSS_DEFAULT;
	/* Packet ids must differ between the stacks of one trace: the name tells them apart, the seed decides ties. */
	struct prf_key key = prf_derive(cfg->seed, "trace id");
	v->trace_base = siphash_1_3(key, v->name, strlen(v->name)) << 40;
	if (stack_tables(v, cfg) || stack_rooms(v, cfg))
		goto too_small;
	return v;
too_small:
	arena_fini(v->arena);
	return NULL;
}

void via_fini(struct via *v)
{
	struct via_state *st = v->st;
	struct neigh_env ne = stack_neigh_env(v);
	struct reasm_env re = stack_reasm_env(v);
	struct pktq waiting = {0};
	sock_fini(&v->sock);
	tcp_fini(&v->tcp);
	neigh_flush(&ne, &st->neigh, 0, &waiting);
	pktq_clear(v->mem, &waiting);
	reasm_fini(&re, &st->reasm);
	acd_forget_iface(v, 0);
	filter_end(v);
	mcast_fini(v);
	for (uint32_t i = 0; i < st->iface_end; i++)
		if (iface_at(v, i))
			ifq_clear(v, iface_at(v, i));
	pktq_clear(v->mem, &st->loopq);
	pktq_clear(v->mem, &st->lost);
	path_fini(v);
	fib_free(v->arena, st->fib);
	addrs_free(v->arena, &st->addrs);
	for (uint32_t i = 0; i < st->iface_end; i++)
		if (st->ifaces[i]) {
			if (iface_at(v, i)->nd)
				pool_give(v->arena, &st->nd_pool, iface_at(v, i)->nd);
			pool_give(v->arena, &st->iface_pool, st->ifaces[i]);
		}
	arena_buf_give(v->arena, arena_ref(v->arena, st), sizeof(*st));
	v->st = NULL;
	arena_fini(v->arena);
}
