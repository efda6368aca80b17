/* link/bridge.c - learning, flooding, ageing (IEEE 802.1D-2004 §7.7 to §7.9, §7.12.6). See bridge.h. */
#include "link/bridge.h"

#include "link/vlan.h"

#include <errno.h>

enum { BUCKETS = 256 };

struct bridge_mac {
	struct list_link link;
	ref_t hash_next;
	uint8_t mac[6];
	uint16_t vid;
	uint8_t port;
	int64_t seen;
};
#define LINK_OFF offsetof(struct bridge_mac, link)

int bridge_init(struct bridge *b, struct arena *a, struct prf_key key, uint64_t ports, uint32_t max)
{
	memset(b, 0, sizeof(*b));
	b->key = key;
	b->ports = ports;
	b->max = max ? max : BRIDGE_MACS_MAX;
	pool_init(a, &b->pool, "bridge", sizeof(struct bridge_mac), b->max);
	b->buckets = arena_buf_take(a, BUCKETS * sizeof(ref_t));
	if (!b->buckets)
		return -ENOMEM;
	memset(arena_at(a, b->buckets), 0, BUCKETS * sizeof(ref_t));
	return 0;
}

static ref_t *bridge_bucket(const struct bridge *b, const struct arena *a, uint16_t vid, const uint8_t mac[6])
{
	uint8_t key[8];
	memcpy(key, mac, 6);
	put_be16(key + 6, vid);
	return (ref_t *)arena_at(a, b->buckets) + (siphash_1_3(b->key, key, sizeof key) & (BUCKETS - 1));
}

static struct bridge_mac *bridge_find(const struct bridge *b, const struct arena *a, uint16_t vid, const uint8_t mac[6])
{
	for (ref_t r = *bridge_bucket(b, a, vid, mac); r;) {
		struct bridge_mac *m = arena_at(a, r);
		if (m->vid == vid && memcmp(m->mac, mac, 6) == 0)
			return m;
		r = m->hash_next;
	}
	return NULL;
}

static void bridge_forget(struct bridge *b, struct arena *a, ref_t r)
{
	struct bridge_mac *m = arena_at(a, r);
	ref_t *at = bridge_bucket(b, a, m->vid, m->mac);
	while (*at != r)
		at = &((struct bridge_mac *)arena_at(a, *at))->hash_next;
	*at = m->hash_next;
	list_remove(a, &b->by_age, r, LINK_OFF);
	pool_give(a, &b->pool, r);
}

static bool bridge_is_aged(const struct bridge_mac *m, int64_t now)
{
	return now - m->seen >= BRIDGE_AGE_NS;
}

static void bridge_learn(struct bridge *b, struct arena *a, int port, uint16_t vid, const uint8_t mac[6], int64_t now)
{
	struct bridge_mac *m = bridge_find(b, a, vid, mac);
	ref_t r;
	if (m) {
		r = arena_ref(a, m);
		list_remove(a, &b->by_age, r, LINK_OFF);
	} else {
		if (b->by_age.head && bridge_is_aged(arena_at(a, b->by_age.head), now))
			bridge_forget(b, a, b->by_age.head);
		r = pool_take(a, &b->pool);
		if (!r)
			return;
		ref_t *at = bridge_bucket(b, a, vid, mac);
		m = arena_at(a, r);
		memcpy(m->mac, mac, 6);
		m->vid = vid;
		m->hash_next = *at;
		*at = r;
	}
	m->port = (uint8_t)port;
	m->seen = now;
	list_push_tail(a, &b->by_age, r, LINK_OFF);
}

int bridge_lookup(const struct bridge *b, const struct arena *a, uint16_t vid, const uint8_t mac[6], int64_t now)
{
	const struct bridge_mac *m = bridge_find(b, a, vid, mac);
	return m && !bridge_is_aged(m, now) ? m->port : -1;
}

/* 01:80:c2:00:00:00 to :0f stay on their link (§7.12.6). */
static bool bridge_is_link_local(const uint8_t mac[6])
{
	static const uint8_t group[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	return memcmp(mac, group, 5) == 0 && mac[5] < 0x10;
}

int bridge_vlan_add(struct bridge *b, const struct bridge_vlan *v)
{
	if (!v->vid || v->vid > VLAN_ID_MAX || (v->tagged & v->untagged))
		return -EINVAL;
	for (uint32_t i = 0; i < b->n_vlans; i++)
		if (b->vlans[i].vid == v->vid || (b->vlans[i].untagged & v->untagged))
			return -EINVAL;
	if (b->n_vlans == BRIDGE_VLANS_MAX)
		return -ENOSPC;
	b->vlans[b->n_vlans++] = *v;
	return 0;
}

/* The VLAN of a frame that came by port `in`, a bit; NULL: none that the port has. */
static const struct bridge_vlan *bridge_classify(const struct bridge *b, uint64_t in, uint16_t vid)
{
	for (uint32_t i = 0; i < b->n_vlans; i++) {
		const struct bridge_vlan *v = &b->vlans[i];
		if (vid ? v->vid == vid && ((v->tagged | v->untagged) & in) : (v->untagged & in) != 0)
			return v;
	}
	return NULL;
}

int bridge_input(struct bridge *b, struct arena *a, int port, const struct eth_hdr *h, int64_t now, struct bridge_way *w)
{
	const struct bridge_vlan *v = NULL;
	uint64_t in = UINT64_C(1) << port;
	*w = (struct bridge_way){0};
	if (b->n_vlans) {
		v = bridge_classify(b, in, h->vlan);
		w->drop = eth_has_more_tags(h) ? DROP_ETH_TAGS : v ? DROP_NONE : DROP_ETH_VLAN;
		if (w->drop)
			return 0;
		w->vid = v->vid;
		w->untagged = v->untagged;
	}
	if (mac_is_multicast(h->src))
		return 0;
	bridge_learn(b, a, port, w->vid, h->src, now);
	if (bridge_is_link_local(h->dst))
		return 0;
	int to = mac_is_multicast(h->dst) ? -1 : bridge_lookup(b, a, w->vid, h->dst, now);
	uint64_t all = v ? (v->tagged | v->untagged) & b->ports : b->ports;
	w->out = (to < 0 ? all : all & UINT64_C(1) << to) & ~in;
	w->untagged &= w->out;
	return __builtin_popcountll(w->out);
}

void bridge_port_flush(struct bridge *b, struct arena *a, int port)
{
	for (ref_t r = b->by_age.head, next; r; r = next) {
		next = list_next(a, r, LINK_OFF);
		if (((struct bridge_mac *)arena_at(a, r))->port == port)
			bridge_forget(b, a, r);
	}
}

uint32_t bridge_longest(const struct bridge *b, const struct arena *a)
{
	const ref_t *heads = arena_at(a, b->buckets);
	uint32_t most = 0;
	for (uint32_t i = 0, n = 0; i < BUCKETS; i++, most = MAX(most, n), n = 0)
		for (ref_t r = heads[i]; r; r = ((const struct bridge_mac *)arena_at(a, r))->hash_next)
			n++;
	return most;
}

void bridge_fini(struct bridge *b, struct arena *a)
{
	while (b->by_age.head)
		bridge_forget(b, a, b->by_age.head);
	arena_buf_give(a, b->buckets, BUCKETS * sizeof(ref_t));
	b->buckets = 0;
}
