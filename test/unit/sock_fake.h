/* test/unit/sock_fake.h - a sock_env over a pretended stack: paths in a list, datagrams caught instead of sent.
 *
 * The host has 10.0.0.1, 10.0.0.2 and 127/8; everything but 192.0.2.0/24 is routed. TCP's room is initialised for real. */
#ifndef UNIT_SOCK_FAKE_H
#define UNIT_SOCK_FAKE_H

#include <errno.h>

#include "region.h"

#include "sock/endpoint.h"

#define A1 0x0a000001u
#define A2 0x0a000002u
#define LO 0x7f000001u
#define PEER 0x0a000063u

struct fake {
	struct sock_env env;
	struct tcp_env tcp;
	struct pktmem mem;
	struct wheel wheel;
	struct pool paths;
	uint64_t drops[DROP_COUNT];
	struct pktq sent; /* datagrams, from their L4 header */
	struct via_addr sent_local, sent_remote;
	uint8_t sent_proto, sent_ttl, sent_tos;
	int tx_answer;
	int n_paths;
};

static inline struct via_sockaddr at(uint32_t ip, uint16_t port) { return (struct via_sockaddr){via_addr_v4(ip), port}; }

static inline bool fake_is_ours(void *ctx, const struct via_addr *a)
{
	(void)ctx;
	uint32_t ip = via_addr_is_v4(a) ? via_addr_to_v4(a) : 0;
	return ip == A1 || ip == A2 || ip >> 24 == 127;
}

static inline int fake_path_get(void *ctx, const struct via_addr *local, const struct via_addr *remote, ref_t *path)
{
	struct fake *f = ctx;
	if (via_addr_to_v4(remote) >> 8 == 0xc00002)
		return -ENETUNREACH;
	ref_t r = pool_take(f->env.arena, &f->paths);
	if (!r)
		return -ENOMEM;
	struct tcp_path *p = arena_at(f->env.arena, r);
	p->local = !via_addr_is_any(local) ? *local : fake_is_ours(ctx, remote) ? *remote : via_addr_v4(A1);
	p->remote = *remote;
	p->refs = 1;
	p->mtu = p->pmtu = 1500;
	p->gso_max = 65535;
	p->ifindex = 2;
	p->ip_hlen = 20;
	p->is_broadcast = via_addr_to_v4(remote) == UINT32_MAX;
	f->n_paths++;
	*path = r;
	return 0;
}

static inline void fake_path_hold(void *ctx, ref_t path)
{
	struct fake *f = ctx;
	((struct tcp_path *)arena_at(f->env.arena, path))->refs++;
}

static inline void fake_path_drop(void *ctx, ref_t path)
{
	struct fake *f = ctx;
	struct tcp_path *p = arena_at(f->env.arena, path);
	if (--p->refs)
		return;
	pool_give(f->env.arena, &f->paths, path);
	f->n_paths--;
}

static inline const struct tcp_path *fake_path_at(void *ctx, ref_t path)
{
	return arena_at(((struct fake *)ctx)->env.arena, path);
}

static inline int fake_tx_datagram(void *ctx, struct pkt *p, uint8_t proto, const struct via_addr *local, const struct via_addr *remote,
				   uint8_t ttl, uint8_t tos)
{
	struct fake *f = ctx;
	if (f->tx_answer) {
		pkt_free(&f->mem, p);
		return f->tx_answer;
	}
	f->sent_local = *local;
	f->sent_remote = *remote;
	f->sent_proto = proto;
	f->sent_ttl = ttl;
	f->sent_tos = tos;
	pktq_push(&f->mem, &f->sent, p);
	return 0;
}

static uint32_t fake_addr_iface(void *ctx, const struct via_addr *addr)
{
	return 2;
}

static const struct sock_ops fake_ops = {
	.path_get = fake_path_get, .path_drop = fake_path_drop, .path_at = fake_path_at, .addr_is_ours = fake_is_ours,
	.tx_datagram = fake_tx_datagram, .addr_iface = fake_addr_iface,
};

static inline struct fake *fake_new(size_t arena_bytes)
{
	struct fake *f = calloc(1, sizeof(*f));
	uint8_t seed[32] = "sock unit tests";
	void *home = aligned_alloc(ARENA_PAGE_SIZE, 8u << 20);
	memset(home, 0, 8u << 20);
	if (pktmem_init(&f->mem, home, 8u << 20))
		abort();
	struct arena *a = region_new(arena_bytes);
	wheel_init(&f->wheel, 0);
	pool_init(a, &f->paths, "path", sizeof(struct tcp_path), 0);
	f->tcp = (struct tcp_env){.arena = a, .wheel = &f->wheel, .mem = &f->mem, .ctx = f, .drops = f->drops};
	f->env = (struct sock_env){.arena = a, .mem = &f->mem, .tcp = &f->tcp, .ops = &fake_ops, .ctx = f,
				   .drops = f->drops, .max_sockets = 1u << 20};
	if (tcp_init(&f->tcp, seed) || sock_init(&f->env, seed))
		abort();
	return f;
}

static inline void fake_free(struct fake *f)
{
	void *home = f->mem.home;
	struct arena *a = f->env.arena;
	pktq_clear(&f->mem, &f->sent);
	sock_fini(&f->env);
	region_free(a);
	arena_fini(home);
	free(home);
	free(f);
}

/* A UDP datagram as it comes from rx.c, beginning at its header, checksum known to be right. */
static inline struct pkt *fake_udp(struct fake *f, uint16_t sport, uint16_t dport, const void *data, uint32_t len)
{
	struct pkt *p = pkt_new(&f->mem, 64);
	struct udp_hdr h = {sport, dport, (uint16_t)(len + UDP_HLEN), 0};
	udp_emit(pkt_put(p, UDP_HLEN), &h);
	if (len && pkt_append(&f->mem, p, data, len))
		abort();
	p->m.csum = PKT_CSUM_VERIFIED;
	p->m.l4 = p->head;
	return p;
}

/* What rx.c does with it. */
static inline enum drop fake_rx_udp(struct fake *f, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
				    const void *data, uint32_t len)
{
	struct via_addr s = via_addr_v4(src), d = via_addr_v4(dst);
	struct pkt *p = fake_udp(f, sport, dport, data, len);
	enum drop why = sock_udp_arrives(&f->env, p, &s, &d);
	if (why == DROP_UDP_NO_SOCKET)
		pkt_free(&f->mem, p);
	return why;
}

static inline via_sock fake_open(struct fake *f, enum via_type type)
{
	via_sock s;
	if (sock_open(&f->env, type, 0, &s))
		abort();
	return s;
}

static inline int fake_bind(struct fake *f, via_sock s, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = at(ip, port);
	return sock_bind(&f->env, s, &a);
}

static inline int fake_connect(struct fake *f, via_sock s, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = at(ip, port);
	return sock_connect(&f->env, s, &a);
}

static inline uint16_t fake_port(struct fake *f, via_sock s)
{
	struct via_sockaddr a;
	if (sock_local(&f->env, s, &a))
		abort();
	return a.port;
}

static inline void fake_flag(struct fake *f, via_sock s, int level, int name)
{
	int one = 1;
	if (sock_setopt(&f->env, s, level, name, &one, sizeof(one)))
		abort();
}

#endif
