/* test_svc_dhcp_server.c - the DHCP server's machine: RFC 2131 §4.3 message by message, then with our own clients, by the
 * hundred, against a model that only knows which client has which address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "svc/dhcp_client.h"
#include "svc/dhcp_server.h"
#include "test/unit/region.h"

#include <errno.h>

#define NET 0x0a000000u
#define SERVER (NET + 1)
#define FIRST (NET + 100)
enum { RANGE = 10, LEASE_S = 600 };

struct world {
	struct arena *arena;
	size_t before;
	struct dhcp_server s;
	struct dhcp_reply out;
	struct dhcp_msg said; /* what out.msg says */
	int64_t now;
};

static struct dhcp_server_config config(struct arena *a)
{
	return (struct dhcp_server_config){.arena = a, .key = {3, 4}, .server = SERVER, .plen = 24, .first = FIRST, .last = FIRST + RANGE - 1,
		.router = NET + 254, .dns = {NET + 53, 0x08080808}, .n_dns = 2, .mtu = 1400, .domain = "lab", .lease_s = LEASE_S};
}

static int setup(void **state)
{
	static struct world w;
	w = (struct world){.arena = region_new(8 << 20), .now = NS_PER_S};
	w.before = arena_bytes_used(w.arena);
	struct dhcp_server_config c = config(w.arena);
	assert_int_equal(dhcp_server_init(&w.s, &c), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	dhcp_server_free(&w->s);
	bool same = arena_bytes_used(w->arena) == w->before;
	region_free(w->arena);
	return same ? 0 : -1;
}

/* A client's message; zeros: not there. */
struct ask {
	uint8_t who; /* last byte of the MAC */
	uint32_t addr, server, ciaddr, giaddr;
	bool broadcast;
	const char *id;
	uint8_t op, hlen, htype;
};

/* The reply's type, 0: none. */
static int ask(struct world *w, uint8_t type, const struct ask *a)
{
	uint8_t msg[600];
	struct dhcp_hdr h = {.op = a->op ? a->op : 1, .htype = a->htype ? a->htype : 1, .hlen = a->hlen ? a->hlen : 6,
		.xid = 0x55aa0000u + a->who, .ciaddr = a->ciaddr, .giaddr = a->giaddr, .broadcast = a->broadcast,
		.chaddr = {2, 0, 0, 0, 0, a->who}};
	struct writer m = dhcp_begin(msg, sizeof(msg), &h, type);
	if (a->addr)
		dhcp_put_u32(&m, DHCP_OPT_ADDRESS, 4, a->addr);
	if (a->server)
		dhcp_put_u32(&m, DHCP_OPT_SERVER, 4, a->server);
	if (a->id)
		dhcp_put(&m, DHCP_OPT_CLIENT, a->id, strlen(a->id));
	size_t n = dhcp_end(&m, msg);
	assert_true(n > 0);
	dhcp_server_input(&w->s, msg, n, w->now, &w->out);
	if (!w->out.len)
		return 0;
	assert_int_equal(dhcp_parse(w->out.msg, w->out.len, &w->said), 0);
	assert_int_equal(w->said.h.xid, h.xid);
	assert_int_equal(w->said.h.op, 2);
	assert_memory_equal(w->said.h.chaddr, h.chaddr, 16);
	return w->said.type;
}

static uint32_t told(const struct world *w, uint8_t code)
{
	uint32_t v = 0;
	return dhcp_option_u32(&w->said, code, 4, &v) ? v : 0;
}

/* A whole exchange. The address. */
static uint32_t lease(struct world *w, uint8_t who)
{
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = who}), DHCP_OFFER);
	uint32_t a = w->said.h.yiaddr;
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = who, .addr = a, .server = SERVER}), DHCP_ACK);
	assert_int_equal(w->said.h.yiaddr, a);
	return a;
}

static enum dhcp_binding_state state_of(struct world *w, uint32_t addr)
{
	struct dhcp_binding_info i;
	assert_true(dhcp_server_get(&w->s, addr - FIRST, w->now, &i));
	assert_int_equal(i.addr, addr);
	return i.state;
}

static void dhcp_server__offer_and_ack_tell_everything(void **state)
{
	struct world *w = *state;
	uint32_t dns[4], mtu;
	char domain[8];
	for (int round = 0; round < 2; round++) {
		int type = round ? ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST, .server = SERVER})
				 : ask(w, DHCP_DISCOVER, &(struct ask){.who = 1});
		assert_int_equal(type, round ? DHCP_ACK : DHCP_OFFER);
		assert_int_equal(w->said.h.yiaddr, FIRST);
		assert_int_equal(told(w, DHCP_OPT_SERVER), SERVER);
		assert_int_equal(told(w, DHCP_OPT_LEASE), LEASE_S);
		assert_int_equal(told(w, DHCP_OPT_T1), LEASE_S / 2);
		assert_int_equal(told(w, DHCP_OPT_T2), LEASE_S * 7 / 8);
		assert_int_equal(told(w, DHCP_OPT_MASK), 0xffffff00u);
		assert_int_equal(told(w, DHCP_OPT_ROUTER), NET + 254);
		assert_int_equal(told(w, DHCP_OPT_BROADCAST), NET + 255);
		assert_true(dhcp_option_addrs(&w->said, DHCP_OPT_DNS, dns, 4) == 2 && dns[0] == NET + 53 && dns[1] == 0x08080808);
		assert_true(dhcp_option_u32(&w->said, DHCP_OPT_MTU, 2, &mtu) && mtu == 1400);
		assert_true(dhcp_option(&w->said, DHCP_OPT_DOMAIN, (uint8_t *)domain, 8) == 3 && memcmp(domain, "lab", 3) == 0);
		assert_int_equal(told(w, DHCP_OPT_ADDRESS), 0); /* MUST NOT (table 3) */
	}
	assert_int_equal(state_of(w, FIRST), DHCP_LEASED);
}

/* §4.1: relay, ciaddr, broadcast flag, hardware address. */
static void dhcp_server__where_replies_go(void **state)
{
	struct world *w = *state;
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	ask(w, DHCP_DISCOVER, &(struct ask){.who = 1});
	assert_true(w->out.way == DHCP_TO_MAC && w->out.addr == FIRST && w->out.port == 68 && memcmp(w->out.mac, mac, 6) == 0);
	ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .broadcast = true});
	assert_true(w->out.way == DHCP_TO_LINK && w->out.port == 68);
	ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .broadcast = true, .giaddr = NET + 9});
	assert_true(w->out.way == DHCP_TO_ADDR && w->out.addr == NET + 9 && w->out.port == 67);
	assert_true(w->said.h.giaddr == NET + 9 && w->said.h.broadcast);
	lease(w, 1);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .ciaddr = FIRST}), DHCP_ACK);
	assert_true(w->out.way == DHCP_TO_ADDR && w->out.addr == FIRST && w->out.port == 68 && w->said.h.ciaddr == FIRST);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .ciaddr = FIRST}), DHCP_NAK);
	assert_int_equal(w->out.way, DHCP_TO_LINK);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .ciaddr = FIRST, .giaddr = NET + 9}), DHCP_NAK);
	assert_true(w->out.way == DHCP_TO_ADDR && w->out.addr == NET + 9 && w->said.h.broadcast); /* §4.3.2 */
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 3, .giaddr = 0x0a000101}), 0); /* a relay of another subnet */
}

static void dhcp_server__nak_tells_nothing_else(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = 0xc0a80001u}), DHCP_NAK); /* INIT-REBOOT from another network */
	assert_true(w->said.h.yiaddr == 0 && w->said.h.ciaddr == 0 && w->said.h.siaddr == 0);
	assert_int_equal(told(w, DHCP_OPT_SERVER), SERVER);
	assert_true(!told(w, DHCP_OPT_LEASE) && !told(w, DHCP_OPT_MASK) && !told(w, DHCP_OPT_ROUTER));
}

/* §4.3.1: the same one again, the one it wishes for if it is free, the one unused for longest. */
static void dhcp_server__which_address(void **state)
{
	struct world *w = *state;
	assert_int_equal(lease(w, 1), FIRST);
	assert_int_equal(lease(w, 2), FIRST + 1);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST);
	assert_int_equal(state_of(w, FIRST), DHCP_LEASED); /* an offer takes no lease away */
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 3, .addr = FIRST + 7}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST + 7);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 4, .addr = FIRST}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST + 2); /* the one wished for is taken */
	w->now += (LEASE_S + 1) * NS_PER_S;
	assert_int_equal(state_of(w, FIRST), DHCP_FREE);
	assert_int_equal(lease(w, 2), FIRST + 1); /* it ran out, and is remembered */
	for (uint8_t who = 10; who < 15; who++)
		assert_int_equal(lease(w, who), FIRST + 3 + (who - 10u) + (who >= 14)); /* never used ones before used ones; 7 was offered */
}

static void dhcp_server__range_is_full(void **state)
{
	struct world *w = *state;
	for (uint8_t i = 0; i < RANGE; i++)
		lease(w, (uint8_t)(i + 1));
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 99}), 0);
	assert_int_equal(w->s.n_full, 1);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 3}), DHCP_OFFER); /* who has one is still answered */
	w->now += LEASE_S / 2 * NS_PER_S;
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .ciaddr = FIRST}), DHCP_ACK);
	w->now += (LEASE_S / 2 + 1) * NS_PER_S;
	assert_int_equal(state_of(w, FIRST), DHCP_LEASED); /* renewed in time */
	for (uint8_t i = 0; i < RANGE - 1; i++)
		lease(w, (uint8_t)(i + 100));
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 200}), 0);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .ciaddr = FIRST + 1}), DHCP_NAK); /* gone to another */
}

static void dhcp_server__offers_are_kept_a_minute(void **state)
{
	struct world *w = *state;
	for (uint8_t i = 0; i < RANGE; i++)
		assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = (uint8_t)(i + 1)}), DHCP_OFFER);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 99}), 0);
	w->now += 59 * NS_PER_S;
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 99}), 0);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST, .server = NET + 2}), 0); /* it chose another server */
	assert_int_equal(state_of(w, FIRST), DHCP_FREE);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 99}), DHCP_OFFER);
	w->now += 2 * NS_PER_S;
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .addr = FIRST + 1, .server = SERVER}), DHCP_NAK); /* too late */
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 98}), DHCP_OFFER);
}

static void dhcp_server__requests_that_do_not_fit(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1}), DHCP_OFFER);
	/* Not what was offered, not to whom it was offered, no address. */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST + 1, .server = SERVER}), DHCP_NAK);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .addr = FIRST, .server = SERVER}), DHCP_NAK);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .server = SERVER}), 0);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 5, .addr = NET + 7}), 0); /* of our network, not of our range */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 5, .addr = 0x0b000007}), DHCP_NAK);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST, .server = SERVER}), DHCP_ACK);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 5, .addr = FIRST}), DHCP_NAK); /* INIT-REBOOT: somebody else's */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST}), DHCP_ACK);
	/* One address a client: with another one the first is free at once. */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = FIRST + 5}), DHCP_ACK);
	assert_int_equal(state_of(w, FIRST), DHCP_FREE);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 6, .addr = FIRST}), DHCP_OFFER);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 6, .addr = FIRST + 6}), DHCP_ACK);
	assert_int_equal(state_of(w, FIRST), DHCP_FREE);
}

/* It began again and knows nothing: who has an address keeps it. */
static void dhcp_server__restart(void **state)
{
	struct world *w = *state;
	uint32_t a = lease(w, 1), b = lease(w, 2);
	struct dhcp_server_config c = config(w->arena);
	dhcp_server_free(&w->s);
	assert_int_equal(dhcp_server_init(&w->s, &c), 0);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 2, .ciaddr = b}), DHCP_ACK); /* renewing */
	assert_int_equal(w->said.h.yiaddr, b);
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 1, .addr = a}), DHCP_ACK); /* init-reboot */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 3, .ciaddr = b}), DHCP_NAK);
	assert_int_equal(lease(w, 3), FIRST + 2);
}

static void req_DHC_003__a_declined_address_is_given_to_nobody(void **state)
{
	struct world *w = *state;
	uint32_t a = lease(w, 1);
	assert_int_equal(ask(w, DHCP_DECLINE, &(struct ask){.who = 2, .addr = a, .server = SERVER}), 0); /* not the client's to decline */
	assert_int_equal(ask(w, DHCP_DECLINE, &(struct ask){.who = 1, .addr = a + 1, .server = SERVER}), 0);
	assert_int_equal(ask(w, DHCP_DECLINE, &(struct ask){.who = 1, .addr = a, .server = SERVER + 1}), 0);
	assert_int_equal(state_of(w, a), DHCP_LEASED);
	assert_int_equal(ask(w, DHCP_DECLINE, &(struct ask){.who = 1, .addr = a, .server = SERVER}), 0);
	assert_int_equal(state_of(w, a), DHCP_DECLINED);
	assert_int_equal(lease(w, 1), a + 1); /* another one at once */
	assert_int_equal(ask(w, DHCP_REQUEST, &(struct ask){.who = 7, .addr = a}), DHCP_NAK);
	for (uint8_t i = 2; i < RANGE; i++)
		assert_int_not_equal(lease(w, (uint8_t)(i + 20)), a);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 77}), 0);
	w->now += 601 * NS_PER_S;
	assert_int_equal(state_of(w, a), DHCP_FREE);
}

static void dhcp_server__release(void **state)
{
	struct world *w = *state;
	uint32_t a = lease(w, 1);
	assert_int_equal(ask(w, DHCP_RELEASE, &(struct ask){.who = 2, .ciaddr = a, .server = SERVER}), 0);
	assert_int_equal(ask(w, DHCP_RELEASE, &(struct ask){.who = 1, .ciaddr = a, .server = SERVER + 1}), 0);
	assert_int_equal(state_of(w, a), DHCP_LEASED);
	assert_int_equal(ask(w, DHCP_RELEASE, &(struct ask){.who = 1, .ciaddr = a, .server = SERVER}), 0);
	assert_int_equal(state_of(w, a), DHCP_FREE);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, a); /* remembered (§4.3.4) */
}

static void dhcp_server__inform(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask(w, DHCP_INFORM, &(struct ask){.who = 1, .ciaddr = NET + 7}), DHCP_ACK);
	assert_true(w->said.h.yiaddr == 0 && !told(w, DHCP_OPT_LEASE) && told(w, DHCP_OPT_ROUTER) == NET + 254); /* §4.3.5 */
	assert_true(w->out.way == DHCP_TO_ADDR && w->out.addr == NET + 7 && w->out.port == 68);
	assert_int_equal(ask(w, DHCP_INFORM, &(struct ask){.who = 1}), 0);
}

/* The identifier names the client, not its hardware (§4.2); it comes back (RFC 6842). */
static void dhcp_server__client_identifier(void **state)
{
	struct world *w = *state;
	uint8_t id[16];
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .id = "\xff" "one"}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST);
	assert_int_equal(dhcp_option(&w->said, DHCP_OPT_CLIENT, id, sizeof(id)), 4);
	assert_memory_equal(id, "\xff" "one", 4);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 2, .id = "\xff" "one"}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST); /* other hardware, same client */
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .id = "\xff" "two"}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST + 1);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1}), DHCP_OFFER);
	assert_int_equal(w->said.h.yiaddr, FIRST + 2);
	char longest[256];
	memset(longest, 'x', 255);
	longest[255] = 0;
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .id = longest}), DHCP_OFFER);
	uint8_t echoed[300];
	assert_int_equal(dhcp_option(&w->said, DHCP_OPT_CLIENT, echoed, sizeof(echoed)), 255);
	assert_memory_equal(echoed, longest, 255);
}

static void dhcp_server__not_for_us(void **state)
{
	struct world *w = *state;
	static const uint8_t types[] = {0, DHCP_OFFER, DHCP_ACK, DHCP_NAK, 9, 255};
	for (size_t i = 0; i < sizeof(types); i++)
		assert_int_equal(ask(w, types[i], &(struct ask){.who = 1}), 0);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .op = 2}), 0);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .htype = 6}), 0);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 1, .hlen = 16}), 0);
	dhcp_server_input(&w->s, (const uint8_t *)"short", 5, w->now, &w->out);
	assert_int_equal(w->out.len, 0);
	assert_int_equal(w->s.n_ignored, sizeof(types) + 4);
}

static void dhcp_server_init__ranges(void **state)
{
	struct world *w = *state;
	struct dhcp_server s;
	size_t used = arena_bytes_used(w->arena);
	struct dhcp_server_config c = config(w->arena);
	c.last = FIRST - 1;
	assert_int_equal(dhcp_server_init(&s, &c), -EINVAL);
	c.last = NET + 256;
	assert_int_equal(dhcp_server_init(&s, &c), -EINVAL);
	c = config(w->arena);
	c.plen = 8;
	c.last = FIRST + DHCP_RANGE_MAX;
	assert_int_equal(dhcp_server_init(&s, &c), -EINVAL);
	c.last--;
	assert_int_equal(dhcp_server_init(&s, &c), 0);
	dhcp_server_free(&s);
	c.arena = region_new(1 << 20); /* 3 MiB do not fit */
	size_t small = arena_bytes_used(c.arena);
	assert_int_equal(dhcp_server_init(&s, &c), -ENOMEM);
	assert_int_equal(arena_bytes_used(c.arena), small);
	region_free(c.arena);
	/* The network's, the broadcast, the router's and our own address are never given. */
	c = config(w->arena);
	c.first = NET;
	c.last = NET + 255;
	c.router = NET + 2;
	c.lease_s = UINT32_MAX;
	assert_int_equal(dhcp_server_init(&s, &c), 0);
	struct dhcp_server keep = w->s;
	w->s = s;
	for (int i = 0; i < 252; i++) {
		uint32_t a = lease(w, (uint8_t)i);
		assert_true(a >= NET + 3 && a <= NET + 254);
	}
	assert_true(told(w, DHCP_OPT_LEASE) == UINT32_MAX && told(w, DHCP_OPT_T1) == UINT32_MAX && told(w, DHCP_OPT_T2) == UINT32_MAX);
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 254}), 0);
	w->now = INT64_MAX / 2;
	assert_int_equal(ask(w, DHCP_DISCOVER, &(struct ask){.who = 254}), 0); /* for ever */
	dhcp_server_free(&w->s);
	w->s = keep;
	w->now = NS_PER_S;
	assert_int_equal(arena_bytes_used(w->arena), used);
}

/* --- with our clients --- */

enum { CLIENTS = 40, ROUNDS = 6000 };
struct crowd {
	struct dhcp_client c[CLIENTS];
	uint32_t has[CLIENTS]; /* the model: what each may use, 0 none */
	int64_t until[CLIENTS];
	uint64_t leases;
};

static void crowd_do(struct world *w, struct crowd *k, int i, struct dhcp_do *d, struct rng *r);

/* What the server answers goes back at once, or is lost. */
static void crowd_carry(struct world *w, struct crowd *k, int i, const struct dhcp_do *d, struct rng *r)
{
	struct dhcp_do next;
	struct dhcp_reply out;
	if (!d->len || rng_below(r, 10) == 0)
		return;
	dhcp_server_input(&w->s, d->msg, d->len, w->now, &out);
	if (!out.len || rng_below(r, 10) == 0)
		return;
	dhcp_client_input(&k->c[i], out.msg, out.len, SERVER, 67, w->now, &next);
	crowd_do(w, k, i, &next, r);
}

static void crowd_do(struct world *w, struct crowd *k, int i, struct dhcp_do *d, struct rng *r)
{
	struct dhcp_do next;
	if (d->act == DHCP_ACT_DROP)
		k->has[i] = 0;
	if (d->act == DHCP_ACT_USE) {
		k->has[i] = k->c[i].lease.addr;
		k->until[i] = k->c[i].lease.expiry;
		k->leases++;
		for (int j = 0; j < CLIENTS; j++) /* nobody has what somebody has */
			assert_true(j == i || k->has[j] != k->has[i]);
		assert_true(k->has[i] >= FIRST && k->has[i] < FIRST + RANGE);
	}
	crowd_carry(w, k, i, d, r);
	if (d->act == DHCP_ACT_CHECK) {
		dhcp_client_checked(&k->c[i], rng_below(r, 30) == 0, w->now, &next);
		crowd_do(w, k, i, &next, r);
	}
}

/* Forty clients, ten addresses, one message in ten lost each way, clients that come, go and fall silent: no address is ever in
 * use twice, none is used past its lease, and all are given out again and again. */
static void dhcp_server__crowd(void **state)
{
	struct world *w = *state;
	static struct crowd k;
	struct dhcp_do d;
	struct rng r;
	bool silent[CLIENTS] = {false};
	rng_seed(&r, 11);
	for (int round = 0; round < ROUNDS; round++) {
		int first = 0, i = (int)rng_below(&r, CLIENTS);
		if (round % 3 == 0) { /* somebody starts, stops, or is switched off */
			struct dhcp_client_config cfg = {.mac = {2, 0, 0, 0, 1, (uint8_t)i}, .key = {rng_u64(&r), 1}};
			uint64_t what = rng_below(&r, 8);
			silent[i] = what == 0;
			if (what > 0 && k.c[i].state == DHCP_STOPPED)
				dhcp_client_start(&k.c[i], &cfg, w->now, &d);
			else if (what == 1)
				dhcp_client_stop(&k.c[i], true, w->now, &d);
			else
				continue;
			crowd_do(w, &k, i, &d, &r);
			continue;
		}
		for (int j = 1; j < CLIENTS; j++)
			if (k.c[j].state != DHCP_STOPPED && (k.c[first].state == DHCP_STOPPED || k.c[j].deadline < k.c[first].deadline))
				first = j;
		if (k.c[first].state == DHCP_STOPPED || k.c[first].deadline == TIME_NEVER)
			continue;
		w->now = MAX(w->now, k.c[first].deadline);
		dhcp_client_timeout(&k.c[first], w->now, &d);
		if (silent[first])
			d.len = 0;
		crowd_do(w, &k, first, &d, &r);
		for (int j = 0; j < CLIENTS; j++)
			assert_true(!k.has[j] || k.until[j] > w->now || k.c[j].deadline <= w->now);
	}
	assert_true(k.leases > 200);
	assert_true(w->s.n_full > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(dhcp_server__offer_and_ack_tell_everything),
		T(dhcp_server__where_replies_go),
		T(dhcp_server__nak_tells_nothing_else),
		T(dhcp_server__which_address),
		T(dhcp_server__range_is_full),
		T(dhcp_server__offers_are_kept_a_minute),
		T(dhcp_server__requests_that_do_not_fit),
		T(dhcp_server__restart),
		T(req_DHC_003__a_declined_address_is_given_to_nobody),
		T(dhcp_server__release),
		T(dhcp_server__inform),
		T(dhcp_server__client_identifier),
		T(dhcp_server__not_for_us),
		T(dhcp_server_init__ranges),
		T(dhcp_server__crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
