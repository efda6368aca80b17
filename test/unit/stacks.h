/* test/unit/stacks.h - a little net in virtual time for tests of stack/: hosts and routers joined by pipes. */
#ifndef UNIT_STACKS_H
#define UNIT_STACKS_H

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/csum.h"
#include "driver/pipe.h"
#include "driver/wrap.h"
#include "pkt/trace.h"
#include "stack/state.h"
#include "wire/icmp4.h"
#include "wire/tcp.h"
#include "wire/udp.h"
#include <viaduct/viaduct.h>

#ifndef NET_ROOM
#define NET_ROOM 0 /* packets every driver has room for, where a test does not say; 0: as many as the pipe */
#endif
#define NET_STACKS 8
#ifndef NET_ARENA
#define NET_ARENA (16u << 20)
#endif
#define NET_HOME (128u << 20) /* packet memory, unless a test wants less */

/* What the trace of the whole net saw. */
struct net_seen {
	uint64_t hash;
	uint32_t tx, rx, tx_arp, tx_super, drops;
	uint32_t tx_by[NET_STACKS][16]; /* IP packets by stack and interface */
	uint32_t dropped[DROP_COUNT];
	uint8_t last_icmp[3]; /* type, code of the last ICMP error sent, and whether there was one */
	uint32_t last_icmp_rest, last_icmp_src;
	struct via_addr last_icmp_from; /* the same address, of either family */
};

struct net {
	void *home;
	size_t home_bytes;
	struct pktmem mem;
	struct via *v[NET_STACKS];
	void *arena[NET_STACKS];
	struct pipe_pair *pipe[NET_STACKS];
	struct via_driver *wrapped[2 * NET_STACKS];
	int n, n_pipes, n_wrapped;
	uint64_t broken; /* connections that the test itself broke (tcp/sane.h) */
	int64_t now;
	struct trace trace;
	struct net_seen seen;
};

static inline uint64_t net_fnv(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static inline int net_index(const struct net *t, const char *name)
{
	for (int i = 0; i < t->n; i++)
		if (strcmp(via_name(t->v[i]), name) == 0)
			return i;
	return 0;
}

static inline void net_emit(void *ctx, const struct trace_event *e)
{
	struct net *t = ctx;
	static uint8_t bytes[70000];
	uint32_t n = e->pkt ? pkt_copy_out(&t->mem, e->pkt, 0, bytes, sizeof(bytes)) : 0;
	t->seen.hash = net_fnv(t->seen.hash, &e->now, sizeof(e->now));
	t->seen.hash = net_fnv(t->seen.hash, &e->kind, sizeof(e->kind));
	t->seen.hash = net_fnv(t->seen.hash, bytes, n);
	if (e->kind == TRACE_DROP) {
		t->seen.drops++;
		t->seen.dropped[e->reason]++;
	}
	t->seen.rx += e->kind == TRACE_RX;
	if (e->kind != TRACE_TX)
		return;
	t->seen.tx++;
	uint32_t l2 = e->pkt->m.l3 - e->pkt->head;
	if (l2 == ETH_HLEN && get_be16(bytes + 12) == ETHERTYPE_ARP) {
		t->seen.tx_arp++;
		return;
	}
	t->seen.tx_super += e->pkt->m.gso_size != 0;
	t->seen.tx_by[net_index(t, e->stack)][e->ifindex % 16]++;
	const uint8_t *ip = bytes + l2, *icmp = ip + (ip[0] >> 4 == 6 ? IP6_HLEN : IP4_HLEN);
	bool is_v6 = ip[0] >> 4 == 6;
	if (is_v6 ? ip[6] == IPPROTO_N_ICMP6 && icmp6_is_error(icmp[0]) : ip[9] == IPPROTO_N_ICMP && icmp4_is_error(icmp[0])) {
		memcpy(t->seen.last_icmp, icmp, 2);
		t->seen.last_icmp[2] = 1;
		t->seen.last_icmp_rest = get_be32(icmp + 4);
		t->seen.last_icmp_src = is_v6 ? 0 : get_be32(ip + 12);
		t->seen.last_icmp_from = via_addr_v4(t->seen.last_icmp_src);
		if (is_v6)
			memcpy(t->seen.last_icmp_from.b, ip + 8, 16);
	}
}

static inline void *net_map(size_t bytes)
{
	char *p = mmap(NULL, bytes + ARENA_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)p + ARENA_PAGE_SIZE - 1) & ~(uintptr_t)(ARENA_PAGE_SIZE - 1));
	if (at > p)
		munmap(p, (size_t)(at - p));
	munmap(at + bytes, (size_t)(p + ARENA_PAGE_SIZE - at));
	return at;
}

static inline struct net *net_new_in(size_t home_bytes)
{
	struct net *t = calloc(1, sizeof(*t));
	t->home_bytes = home_bytes;
	t->home = net_map(home_bytes);
	pktmem_init(&t->mem, t->home, home_bytes);
	t->now = NS_PER_S;
	t->trace = (struct trace){.emit = net_emit, .ctx = t};
	return t;
}

static inline struct net *net_new(void)
{
	return net_new_in(NET_HOME);
}

static inline struct via *net_stack(struct net *t, const char *name, bool forwarding)
{
	struct via_config c = {.size = sizeof(c), .name = name, .arena_bytes = NET_ARENA, .mem = &t->mem, .trace = &t->trace, .now = t->now,
			       .forwarding = forwarding};
	c.arena = t->arena[t->n] = net_map(NET_ARENA);
	c.seed[0] = (uint8_t)(t->n + 1);
	struct via *v = via_init(aligned_alloc(64, (via_size() + 63) & ~(size_t)63), &c);
	assert_non_null(v);
	t->v[t->n++] = v;
	return v;
}

/* Join a and b; gives interface indexes. gso 0: MTU-sized frames. room 0: no narrow wrapper. */
static inline void net_link(struct net *t, struct via *a, struct via *b, uint32_t limit, uint32_t mtu, uint32_t gso, int room,
			    int *ia, int *ib)
{
	uint8_t mac[2][6] = {{2, 0, 0, 1, 0, (uint8_t)t->n_pipes}, {2, 0, 0, 2, 0, (uint8_t)t->n_pipes}};
	static const char *const names[] = {"eth0", "eth1", "eth2", "eth3", "eth4", "eth5", "eth6", "eth7"};
	struct pipe_pair *p = pipe_new(limit, mtu, gso, mac[0], mac[1]);
	struct via *v[2] = {a, b};
	int *out[2] = {ia, ib};
	t->pipe[t->n_pipes] = p;
	for (int k = 0; k < 2; k++) {
		struct via_driver *d = pipe_driver(p, k);
		if (room || NET_ROOM)
			d = t->wrapped[t->n_wrapped++] = wrap_narrow_new(d, room ? room : NET_ROOM);
		*out[k] = via_iface_add(v[k], d, names[t->n_pipes]);
		assert_true(*out[k] >= 2);
	}
	t->n_pipes++;
}

static inline int net_addr(struct via *v, int ifindex, uint32_t addr, uint8_t plen)
{
	struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = via_addr_v4(addr), .plen = plen};
	return via_configure(v, &c);
}

static inline int net_route(struct via *v, uint32_t dst, uint8_t plen, uint32_t gw)
{
	struct via_change c = {.kind = VIA_ROUTE_ADD, .addr = via_addr_v4(dst), .plen = plen, .gateway = via_addr_v4(gw)};
	return via_configure(v, &c);
}

/* Let all that is due until `until` happen. Returns false if it never comes to rest. */
static inline bool net_run(struct net *t, int64_t until)
{
	for (int64_t steps = 0; steps < 20000000; steps++) {
		int64_t next = INT64_MAX;
		for (int i = 0; i < t->n; i++) {
			int64_t d = via_next_deadline(t->v[i]);
			if (d <= t->now && via_poll(t->v[i], t->now, 256) == VIA_AGAIN)
				d = t->now;
			next = MIN(next, d <= t->now ? t->now : d);
		}
		if (next > until) {
			t->now = MAX(t->now, until);
			return true;
		}
		t->now = MAX(t->now, next);
	}
	return false;
}

/* The same for either family, in text. */
static inline struct via_addr net_name(const char *text)
{
	struct via_addr a;
	assert_int_equal(via_addr_parse(text, strlen(text), &a), 0);
	return a;
}

static inline int net_addr6(struct via *v, int ifindex, const char *addr, uint8_t plen)
{
	struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = net_name(addr), .plen = plen};
	return via_configure(v, &c);
}

static inline int net_route6(struct via *v, const char *dst, uint8_t plen, const char *gw)
{
	struct via_change c = {.kind = VIA_ROUTE_ADD, .addr = net_name(dst), .plen = plen, .gateway = net_name(gw)};
	return via_configure(v, &c);
}

/* Each end of a wire knows the other's MAC for good (net_link() gave them), under its address. */
static inline void net_know(struct net *t, int wire, struct via *v, int ifindex, int peer, const char *addr)
{
	struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = ifindex, .addr = net_name(addr)};
	memcpy(c.mac, (uint8_t[]){2, 0, 0, (uint8_t)(peer + 1), 0, (uint8_t)wire}, 6);
	assert_true(wire < t->n_pipes);
	assert_int_equal(via_configure(v, &c), 0);
}

static inline struct via_sockaddr net_at(uint32_t addr, uint16_t port)
{
	return (struct via_sockaddr){.addr = via_addr_v4(addr), .port = port};
}

static inline uint64_t net_counter(struct via *v, const char *want)
{
	const char *name;
	uint64_t value;
	for (int n = 0; via_counter_get(v, n, &name, &value); n++)
		if (strcmp(name, want) == 0)
			return value;
	fail_msg("no counter %s", want);
	return 0;
}

static inline via_sock net_open(struct via *v, enum via_type type)
{
	via_sock s;
	assert_int_equal(via_open(v, type, 0, &s), 0);
	return s;
}

/* Ends all and checks that nothing is left. */
static inline void net_free(struct net *t)
{
	uint64_t broken = 0;
	for (int i = 0; i < t->n; i++) {
		broken += net_counter(t->v[i], "tcp.broken");
		via_fini(t->v[i]);
	}
	assert_int_equal(broken, t->broken);
	for (int i = 0; i < t->n_wrapped; i++)
		wrap_free(t->wrapped[i]);
	for (int i = 0; i < t->n_pipes; i++)
		pipe_free(t->pipe[i]);
	for (int i = 0; i < t->n; i++) {
		assert_int_equal(via_arena_used(t->v[i]), 0);
		free(t->v[i]);
		munmap(t->arena[i], NET_ARENA);
	}
	assert_int_equal(pktmem_pkts_used(&t->mem), 0);
	assert_int_equal(pktmem_blks_used(&t->mem), 0);
	pktmem_fini(&t->mem);
	munmap(t->home, t->home_bytes);
	free(t);
}

#endif
