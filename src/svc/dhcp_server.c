/* svc/dhcp_server.c - bindings and answers (RFC 2131 §4.3, table 3 and 4). See dhcp_server.h.
 *
 * A state's entries all run out after the same time, so its list is in that order and whoever ran out stands at the head:
 * each message first frees what is due, as much as it may make (AGED_MAX). The server grants its own lease time always. */
#include "svc/dhcp_server.h"

#include <errno.h>

#include "svc/dhcp_lease.h"

enum { AGED_MAX = 64, LEASE_DEFAULT_S = 3600 };
#define OFFER_NS (60 * NS_PER_S)
#define DECLINED_NS (600 * NS_PER_S)

struct binding {
	_Alignas(16) struct list_link link;
	uint64_t client; /* 0: nobody's yet */
	int64_t expiry;
	uint32_t next;   /* of the same bucket, index + 1 */
	uint8_t state;
	uint8_t mac[6];
};
_Static_assert(sizeof(struct binding) % 16 == 0, "entries of the array are named by ref_t");

/* Who asks, and for what. */
struct asked {
	const struct dhcp_msg *m;
	uint64_t client;
	uint32_t server, addr; /* options 54 and 50; 0: not there */
	int64_t now;
};

static struct binding *binding_at(const struct dhcp_server *s, uint32_t i)
{
	return (struct binding *)arena_at(s->cfg.arena, s->bindings) + i;
}

static uint32_t binding_index(const struct dhcp_server *s, const struct binding *b)
{
	return (uint32_t)(b - binding_at(s, 0));
}

static uint32_t binding_addr(const struct dhcp_server *s, const struct binding *b)
{
	return s->cfg.first + binding_index(s, b);
}

/* The entry of an address, or NULL: not of our range. */
static struct binding *binding_of_addr(const struct dhcp_server *s, uint32_t addr)
{
	return addr >= s->cfg.first && addr <= s->cfg.last ? binding_at(s, addr - s->cfg.first) : NULL;
}

static uint32_t *client_bucket(const struct dhcp_server *s, uint64_t client)
{
	return (uint32_t *)arena_at(s->cfg.arena, s->buckets) + (client >> 1 & (s->n_buckets - 1)); /* bit 0 is always set */
}

static struct binding *binding_of_client(const struct dhcp_server *s, uint64_t client)
{
	for (uint32_t i = *client_bucket(s, client); i; i = binding_at(s, i - 1)->next)
		if (binding_at(s, i - 1)->client == client)
			return binding_at(s, i - 1);
	return NULL;
}

static void binding_forget(struct dhcp_server *s, struct binding *b)
{
	if (!b->client)
		return;
	uint32_t *at = client_bucket(s, b->client);
	while (*at != binding_index(s, b) + 1)
		at = &binding_at(s, *at - 1)->next;
	*at = b->next;
	b->client = 0;
}

static void binding_move(struct dhcp_server *s, struct binding *b, enum dhcp_binding_state to, int64_t expiry)
{
	ref_t r = arena_ref(s->cfg.arena, b);
	list_remove(s->cfg.arena, &s->list[b->state], r, offsetof(struct binding, link));
	list_push_tail(s->cfg.arena, &s->list[to], r, offsetof(struct binding, link));
	b->state = (uint8_t)to;
	b->expiry = expiry;
}

/* b becomes the client's, and no other entry is. */
static void binding_claim(struct dhcp_server *s, struct binding *b, const struct asked *q)
{
	struct binding *old = binding_of_client(s, q->client);
	if (old != b) {
		if (old && old->state != DHCP_FREE)
			binding_move(s, old, DHCP_FREE, 0);
		if (old)
			binding_forget(s, old);
		binding_forget(s, b);
		uint32_t *at = client_bucket(s, q->client);
		b->client = q->client;
		b->next = *at;
		*at = binding_index(s, b) + 1;
	}
	memcpy(b->mac, q->m->h.chaddr, 6);
}

/* What has run out is free again; it still remembers its client. */
static void bindings_age(struct dhcp_server *s, int64_t now)
{
	for (int state = DHCP_OFFERED, n = 0; state < DHCP_BINDING_STATES; state++)
		for (; s->list[state].head && n < AGED_MAX; n++) {
			struct binding *b = arena_at(s->cfg.arena, s->list[state].head);
			if (b->expiry > now)
				break;
			binding_move(s, b, DHCP_FREE, 0);
		}
}

int dhcp_server_init(struct dhcp_server *s, const struct dhcp_server_config *cfg)
{
	uint32_t mask = cfg->plen && cfg->plen <= 32 ? ~UINT32_C(0) << (32 - cfg->plen) : 0;
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	if (!mask || cfg->first > cfg->last || cfg->last - cfg->first >= DHCP_RANGE_MAX || (cfg->first & mask) != (cfg->server & mask) ||
	    (cfg->last & mask) != (cfg->server & mask))
		return -EINVAL;
	if (s->cfg.lease_s == 0)
		s->cfg.lease_s = LEASE_DEFAULT_S;
	s->n = cfg->last - cfg->first + 1;
	s->n_buckets = 16;
	while (s->n_buckets < s->n)
		s->n_buckets *= 2;
	s->bindings = arena_buf_take(cfg->arena, s->n * sizeof(struct binding));
	s->buckets = arena_buf_take(cfg->arena, s->n_buckets * sizeof(uint32_t));
	if (!s->bindings || !s->buckets) {
		dhcp_server_free(s);
		return -ENOMEM;
	}
	memset(binding_at(s, 0), 0, s->n * sizeof(struct binding));
	memset(arena_at(cfg->arena, s->buckets), 0, s->n_buckets * sizeof(uint32_t));
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t addr = cfg->first + i;
		bool never = addr == cfg->server || addr == cfg->router || (cfg->plen < 31 && ((addr & ~mask) == 0 || (addr & ~mask) == ~mask));
		struct binding *b = binding_at(s, i);
		b->state = never ? DHCP_DECLINED : DHCP_FREE; /* in no list: for ever */
		b->expiry = TIME_NEVER;
		if (!never)
			list_push_tail(cfg->arena, &s->list[DHCP_FREE], arena_ref(cfg->arena, b), offsetof(struct binding, link));
	}
	return 0;
}

void dhcp_server_free(struct dhcp_server *s)
{
	if (s->bindings)
		arena_buf_give(s->cfg.arena, s->bindings, s->n * sizeof(struct binding));
	if (s->buckets)
		arena_buf_give(s->cfg.arena, s->buckets, s->n_buckets * sizeof(uint32_t));
	s->bindings = s->buckets = 0;
}

/* --- replies --- */

/* Where a reply goes (§4.1). */
static void reply_address(const struct asked *q, uint8_t type, uint32_t yiaddr, struct dhcp_reply *out)
{
	const struct dhcp_hdr *h = &q->m->h;
	out->port = DHCP_PORT_CLIENT;
	memcpy(out->mac, h->chaddr, 6);
	out->addr = yiaddr;
	if (h->giaddr) {
		out->way = DHCP_TO_ADDR;
		out->addr = h->giaddr;
		out->port = DHCP_PORT_SERVER;
	} else if (type == DHCP_NAK) {
		out->way = DHCP_TO_LINK;
	} else if (h->ciaddr) {
		out->way = DHCP_TO_ADDR;
		out->addr = h->ciaddr;
	} else {
		out->way = h->broadcast ? DHCP_TO_LINK : DHCP_TO_MAC;
	}
}

static void put_parameters(const struct dhcp_server *s, struct writer *w)
{
	const struct dhcp_server_config *c = &s->cfg;
	uint32_t mask = ~UINT32_C(0) << (32 - c->plen);
	dhcp_put_u32(w, DHCP_OPT_MASK, 4, mask); /* before the router's (RFC 2132 §3.3) */
	if (c->router)
		dhcp_put_u32(w, DHCP_OPT_ROUTER, 4, c->router);
	dhcp_put_addrs(w, DHCP_OPT_DNS, c->dns, c->n_dns);
	if (c->domain[0])
		dhcp_put(w, DHCP_OPT_DOMAIN, c->domain, strlen(c->domain));
	if (c->mtu)
		dhcp_put_u32(w, DHCP_OPT_MTU, 2, c->mtu);
	dhcp_put_u32(w, DHCP_OPT_BROADCAST, 4, (c->server & mask) | ~mask);
}

/* OFFER, ACK and NAK, by table 3. yiaddr 0: parameters only, without a lease (INFORM), or a NAK. */
static void reply(struct dhcp_server *s, const struct asked *q, uint8_t type, uint32_t yiaddr, struct dhcp_reply *out)
{
	const struct dhcp_hdr *in = &q->m->h;
	struct dhcp_hdr h = {.op = DHCP_BOOTREPLY, .htype = in->htype, .hlen = in->hlen, .xid = in->xid, .giaddr = in->giaddr,
			     .broadcast = in->broadcast || (type == DHCP_NAK && in->giaddr), /* §4.3.2: the relay must broadcast it */
			     .yiaddr = yiaddr, .ciaddr = type == DHCP_ACK ? in->ciaddr : 0};
	uint8_t id[255];
	memcpy(h.chaddr, in->chaddr, 6);
	struct writer w = dhcp_begin(out->msg, sizeof(out->msg), &h, type);
	dhcp_put_u32(&w, DHCP_OPT_SERVER, 4, s->cfg.server);
	int n = dhcp_option(q->m, DHCP_OPT_CLIENT, id, sizeof(id));
	if (n > 0) /* RFC 6842 §3 */
		dhcp_put(&w, DHCP_OPT_CLIENT, id, (size_t)n);
	if (yiaddr) {
		uint32_t l = s->cfg.lease_s;
		dhcp_put_u32(&w, DHCP_OPT_LEASE, 4, l);
		dhcp_put_u32(&w, DHCP_OPT_T1, 4, l == UINT32_MAX ? l : l / 2);
		dhcp_put_u32(&w, DHCP_OPT_T2, 4, l == UINT32_MAX ? l : l / 8 * 7 + l % 8 * 7 / 8);
	}
	if (type != DHCP_NAK)
		put_parameters(s, &w);
	out->len = (uint16_t)dhcp_end(&w, out->msg);
	reply_address(q, type, yiaddr, out);
}

static void refuse(struct dhcp_server *s, const struct asked *q, struct dhcp_reply *out)
{
	s->n_naks++;
	reply(s, q, DHCP_NAK, 0, out);
}

static void grant(struct dhcp_server *s, const struct asked *q, struct binding *b, struct dhcp_reply *out)
{
	binding_claim(s, b, q);
	binding_move(s, b, DHCP_LEASED, s->cfg.lease_s == UINT32_MAX ? TIME_NEVER : q->now + s->cfg.lease_s * NS_PER_S);
	reply(s, q, DHCP_ACK, binding_addr(s, b), out);
}

/* --- messages --- */

/* §4.3.1: the address it has or had, the one it asks for, the one that has been free for longest. */
static void on_discover(struct dhcp_server *s, const struct asked *q, struct dhcp_reply *out)
{
	struct binding *b = binding_of_client(s, q->client), *asked = q->addr ? binding_of_addr(s, q->addr) : NULL;
	if (!b && asked && asked->state == DHCP_FREE)
		b = asked;
	if (!b && s->list[DHCP_FREE].head)
		b = arena_at(s->cfg.arena, s->list[DHCP_FREE].head);
	if (!b) {
		s->n_full++;
		return;
	}
	binding_claim(s, b, q);
	if (b->state != DHCP_LEASED)
		binding_move(s, b, DHCP_OFFERED, q->now + OFFER_NS);
	reply(s, q, DHCP_OFFER, binding_addr(s, b), out);
}

/* Ours, another client's, or unknown since we began again: may this client have the address it says it has? */
static bool may_have(const struct asked *q, const struct binding *b)
{
	return b->client == q->client ? b->state != DHCP_DECLINED : b->state == DHCP_FREE;
}

/* §4.3.2: an answer to an offer (server named); INIT-REBOOT (an address, no server); RENEWING, REBINDING (ciaddr). */
static void on_request(struct dhcp_server *s, const struct asked *q, struct dhcp_reply *out)
{
	struct binding *mine = binding_of_client(s, q->client);
	uint32_t addr = q->addr ? q->addr : q->m->h.ciaddr;
	struct binding *b = binding_of_addr(s, addr);
	if (q->server && q->server != s->cfg.server) {
		if (mine && mine->state == DHCP_OFFERED) /* it chose another server */
			binding_move(s, mine, DHCP_FREE, 0);
		return;
	}
	if (!addr) {
		s->n_ignored++;
	} else if (q->server) {
		if (b && b == mine && (b->state == DHCP_OFFERED || b->state == DHCP_LEASED))
			grant(s, q, b, out);
		else
			refuse(s, q, out);
	} else if (b && may_have(q, b)) {
		grant(s, q, b, out);
	} else if (b || (addr ^ s->cfg.server) >> (32 - s->cfg.plen)) {
		refuse(s, q, out); /* somebody else's, or of another network */
	} else {
		s->n_ignored++; /* of our network, but not our business */
	}
}

static void on_decline(struct dhcp_server *s, const struct asked *q)
{
	struct binding *b = binding_of_client(s, q->client);
	if (q->server == s->cfg.server && b && binding_addr(s, b) == q->addr && b->state != DHCP_FREE) {
		binding_move(s, b, DHCP_DECLINED, q->now + DECLINED_NS);
		binding_forget(s, b);
	} else {
		s->n_ignored++;
	}
}

static void on_release(struct dhcp_server *s, const struct asked *q)
{
	struct binding *b = binding_of_client(s, q->client);
	if (q->server == s->cfg.server && b && binding_addr(s, b) == q->m->h.ciaddr && b->state == DHCP_LEASED)
		binding_move(s, b, DHCP_FREE, 0);
	else
		s->n_ignored++;
}

/* A keyed hash of the identifier, or of the hardware address if it has none (§4.2). Never 0. */
static uint64_t client_of(const struct dhcp_server *s, const struct dhcp_msg *m)
{
	uint8_t id[256] = {1};
	int n = dhcp_option(m, DHCP_OPT_CLIENT, id + 1, 255);
	if (n < 2) { /* RFC 2132 §9.14: at least two bytes */
		id[0] = 0;
		memcpy(id + 1, m->h.chaddr, 6);
		n = 6;
	}
	return siphash_2_4(s->cfg.key, id, (size_t)n + 1) | 1;
}

void dhcp_server_input(struct dhcp_server *s, const uint8_t *p, size_t len, int64_t now, struct dhcp_reply *out)
{
	struct dhcp_msg m;
	struct asked q = {.m = &m, .now = now};
	out->len = 0;
	bindings_age(s, now);
	bool ok = dhcp_parse(p, len, &m) == 0 && m.h.op == DHCP_BOOTREQUEST && m.h.htype == DHCP_HTYPE_ETHER && m.h.hlen == 6;
	bool is_far = ok && m.h.giaddr && (m.h.giaddr ^ s->cfg.server) >> (32 - s->cfg.plen); /* of a subnet that is not ours */
	if (!ok || is_far) {
		s->n_ignored++;
		return;
	}
	q.client = client_of(s, &m);
	dhcp_option_u32(&m, DHCP_OPT_SERVER, 4, &q.server);
	dhcp_option_u32(&m, DHCP_OPT_ADDRESS, 4, &q.addr);
	switch (m.type) {
	case DHCP_DISCOVER:
		on_discover(s, &q, out);
		break;
	case DHCP_REQUEST:
		on_request(s, &q, out);
		break;
	case DHCP_DECLINE:
		on_decline(s, &q);
		break;
	case DHCP_RELEASE:
		on_release(s, &q);
		break;
	case DHCP_INFORM:
		if (dhcp_addr_is_host(m.h.ciaddr))
			reply(s, &q, DHCP_ACK, 0, out);
		break;
	default:
		s->n_ignored++;
	}
}

bool dhcp_server_get(const struct dhcp_server *s, uint32_t n, int64_t now, struct dhcp_binding_info *out)
{
	if (n >= s->n)
		return false;
	const struct binding *b = binding_at(s, n);
	bool is_over = b->state != DHCP_FREE && b->expiry <= now;
	*out = (struct dhcp_binding_info){.addr = s->cfg.first + n, .state = is_over ? DHCP_FREE : (enum dhcp_binding_state)b->state,
					  .expiry = b->expiry};
	memcpy(out->mac, b->mac, 6);
	return true;
}
