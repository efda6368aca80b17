/* filter/natmap.c - finding, choosing and giving back outer ports. See the header. RFC 4787 §4, RFC 5382 §7.1, RFC 6056 §3.3.1. */
#include "filter/natmap.h"

#include <errno.h>

enum { SIDE_IN, SIDE_OUT };
enum { ICMP = 1, TCP = 6, UDP = 17 };
enum { PAGES = (2 * NATMAP_BUCKETS * sizeof(ref_t) + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE, PORTS_LOW = 1024 };

int natmaps_start(struct arena *a, struct natmaps *m, struct prf_key key)
{
	pool_init(a, &m->pool, "nat map", sizeof(struct natmap), 0);
	m->key = key;
	m->random = (struct prf_stream){.key = {key.k1, key.k0}};
	m->buckets = arena_pages_take(a, PAGES);
	if (!m->buckets)
		return -ENOMEM;
	memset(arena_at(a, m->buckets), 0, PAGES * ARENA_PAGE_SIZE);
	return 0;
}

void natmaps_stop(struct arena *a, struct natmaps *m)
{
	if (m->buckets)
		arena_pages_give(a, m->buckets, PAGES);
	m->buckets = 0;
}

static ref_t *bucket_of(const struct arena *a, const struct natmaps *m, int side, uint8_t proto, const struct via_addr *addr, uint16_t port)
{
	uint8_t k[sizeof(*addr) + 4] = {0};
	memcpy(k, addr, sizeof(*addr));
	memcpy(k + sizeof(*addr), &port, 2);
	k[sizeof(*addr) + 2] = proto;
	k[sizeof(*addr) + 3] = (uint8_t)side;
	ref_t *heads = arena_at(a, m->buckets);
	return &heads[(uint32_t)side * NATMAP_BUCKETS + siphash_1_3(m->key, k, sizeof(k)) % NATMAP_BUCKETS];
}

static ref_t find_in(const struct arena *a, const struct natmaps *m, uint8_t proto, const struct via_addr *in, uint16_t port,
		     const struct via_addr *out)
{
	ref_t r = *bucket_of(a, m, SIDE_IN, proto, in, port);
	for (; r; r = natmap_at(a, r)->next_in) {
		const struct natmap *n = natmap_at(a, r);
		if (n->in_port == port && n->proto == proto && via_addr_eq(&n->in, in) && via_addr_eq(&n->out, out))
			return r;
	}
	return 0;
}

const struct natmap *natmap_behind(const struct arena *a, const struct natmaps *m, uint8_t proto, const struct via_addr *out,
				   uint16_t port)
{
	ref_t r = *bucket_of(a, m, SIDE_OUT, proto, out, port);
	for (; r; r = natmap_at(a, r)->next_out) {
		const struct natmap *n = natmap_at(a, r);
		if (n->out_port == port && n->proto == proto && via_addr_eq(&n->out, out))
			return n;
	}
	return NULL;
}

/* A free port of `out` for an endpoint that would like `want`. False: none was found. */
static bool choose_port(struct arena *a, struct natmaps *m, uint8_t proto, const struct via_addr *out, uint16_t want, bool owns,
			natmap_free_fn *is_free, void *ctx, uint16_t *port)
{
	uint32_t lo = want < PORTS_LOW ? 0 : PORTS_LOW, n = (want < PORTS_LOW ? PORTS_LOW : 65536 - PORTS_LOW) / 2;
	bool has_ports = proto == ICMP || proto == TCP || proto == UDP;
	*port = want;
	for (int k = 0; k < NATMAP_TRIES; k++) {
		if (!natmap_behind(a, m, proto, out, *port) && ((owns && *port == want) || is_free(ctx, proto, out, *port)))
			return true;
		if (!has_ports)
			break;
		*port = (uint16_t)(lo + (want & 1) + 2 * (prf_next(&m->random) % n));
	}
	return false;
}

ref_t natmap_get(struct arena *a, struct natmaps *m, uint8_t proto, const struct via_addr *in, uint16_t in_port,
		 const struct via_addr *out, uint16_t want, bool owns, natmap_free_fn *is_free, void *ctx)
{
	uint16_t port;
	ref_t r = find_in(a, m, proto, in, in_port, out);
	if (r) {
		natmap_at(a, r)->holds++;
		return r;
	}
	if (!choose_port(a, m, proto, out, want, owns, is_free, ctx, &port))
		return 0;
	r = pool_take(a, &m->pool);
	if (!r)
		return 0;
	struct natmap *n = natmap_at(a, r);
	*n = (struct natmap){.in = *in, .out = *out, .in_port = in_port, .out_port = port, .proto = proto, .holds = 1};
	ref_t *head = bucket_of(a, m, SIDE_IN, proto, in, in_port);
	n->next_in = *head;
	*head = r;
	head = bucket_of(a, m, SIDE_OUT, proto, out, port);
	n->next_out = *head;
	*head = r;
	return r;
}

void natmap_hold(struct arena *a, ref_t r) { natmap_at(a, r)->holds++; }

void natmap_drop(struct arena *a, struct natmaps *m, ref_t r)
{
	struct natmap *n = natmap_at(a, r);
	if (--n->holds)
		return;
	ref_t *at = bucket_of(a, m, SIDE_IN, n->proto, &n->in, n->in_port);
	while (*at != r)
		at = &natmap_at(a, *at)->next_in;
	*at = n->next_in;
	at = bucket_of(a, m, SIDE_OUT, n->proto, &n->out, n->out_port);
	while (*at != r)
		at = &natmap_at(a, *at)->next_out;
	*at = n->next_out;
	pool_give(a, &m->pool, r);
}
