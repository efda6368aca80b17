/* test_svc_dhcp_client.c - the DHCP client's machine against replies made by hand: the rules of RFC 2131 for clients, time
 * given by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "svc/dhcp_client.h"

#include <errno.h>

#define SERVER 0x0a000001u
#define OTHER 0x0a000002u
#define ADDR 0x0a000064u
#define START (5 * NS_PER_S)
static const uint8_t mac[6] = {2, 0x76, 1, 2, 3, 4};

struct world {
	struct dhcp_client c;
	struct dhcp_do out;
	int64_t now;
	struct dhcp_msg sent; /* what out.msg says */
};

/* What a server's message is like; zeros: as it should be. */
struct answer {
	uint32_t xid_xor, yiaddr, server, mask, lease, t1, t2, from;
	uint8_t chaddr_xor, chaddr_tail, op, hlen, htype;
	uint16_t port, mtu;
	bool no_server, no_lease, has_t, zero_lease, other_id, own_id;
	uint32_t router, dns[4];
	int n_dns;
	uint8_t routes[32];
	int n_routes;
};

static void heed(struct world *w)
{
	memset(&w->sent, 0, sizeof(w->sent));
	if (w->out.len)
		assert_int_equal(dhcp_parse(w->out.msg, w->out.len, &w->sent), 0);
}

static void answer(struct world *w, uint8_t type, const struct answer *a)
{
	static const struct answer plain;
	uint8_t msg[600], id[7] = {1, 2, 0x76, 1, 2, 3, 4};
	if (!a)
		a = &plain;
	struct dhcp_hdr h = {.op = a->op ? a->op : 2, .htype = a->htype ? a->htype : 1, .hlen = a->hlen ? a->hlen : 6,
			     .xid = w->c.xid ^ a->xid_xor, .yiaddr = type == DHCP_NAK ? 0 : a->yiaddr ? a->yiaddr : ADDR};
	memcpy(h.chaddr, mac, 6);
	h.chaddr[5] ^= a->chaddr_xor;
	h.chaddr[15] = a->chaddr_tail;
	struct writer m = dhcp_begin(msg, sizeof(msg), &h, type);
	if (!a->no_server)
		dhcp_put_u32(&m, DHCP_OPT_SERVER, 4, a->server ? a->server : SERVER);
	if (!a->no_lease && type != DHCP_NAK)
		dhcp_put_u32(&m, DHCP_OPT_LEASE, 4, a->zero_lease ? 0 : a->lease ? a->lease : 3600);
	if (a->has_t) {
		dhcp_put_u32(&m, DHCP_OPT_T1, 4, a->t1);
		dhcp_put_u32(&m, DHCP_OPT_T2, 4, a->t2);
	}
	dhcp_put_u32(&m, DHCP_OPT_MASK, 4, a->mask ? a->mask : 0xffffff00);
	if (a->router)
		dhcp_put_u32(&m, DHCP_OPT_ROUTER, 4, a->router);
	dhcp_put_addrs(&m, DHCP_OPT_DNS, a->dns, a->n_dns);
	if (a->mtu)
		dhcp_put_u32(&m, DHCP_OPT_MTU, 2, a->mtu);
	if (a->n_routes)
		dhcp_put(&m, DHCP_OPT_ROUTES, a->routes, (size_t)a->n_routes);
	id[6] ^= a->other_id;
	if (a->other_id || a->own_id)
		dhcp_put(&m, DHCP_OPT_CLIENT, id, sizeof(id));
	size_t n = dhcp_end(&m, msg);
	assert_true(n > 0);
	dhcp_client_input(&w->c, msg, n, a->from ? a->from : SERVER, a->port ? a->port : 67, w->now, &w->out);
	heed(w);
}

static void start(struct world *w, uint64_t seed, uint32_t known)
{
	struct dhcp_client_config cfg = {.key = {seed, 7}, .hostname = "sina", .known = known};
	memcpy(cfg.mac, mac, 6);
	w->now = START;
	dhcp_client_start(&w->c, &cfg, w->now, &w->out);
	heed(w);
}

/* The next deadline comes. */
static void wait_out(struct world *w)
{
	assert_true(w->c.deadline < TIME_NEVER);
	w->now = MAX(w->now, w->c.deadline);
	dhcp_client_timeout(&w->c, w->now, &w->out);
	heed(w);
}

static uint32_t told(const struct world *w, uint8_t code)
{
	uint32_t v = 0;
	return dhcp_option_u32(&w->sent, code, 4, &v) ? v : 0;
}

static void check(struct world *w, bool conflict)
{
	dhcp_client_checked(&w->c, conflict, w->now, &w->out);
	heed(w);
}

/* All the way to BOUND with the lease of `a`. */
static void bind_with(struct world *w, const struct answer *a)
{
	start(w, 1, 0);
	answer(w, DHCP_OFFER, a);
	answer(w, DHCP_ACK, a);
	check(w, false);
	assert_int_equal(w->c.state, DHCP_BOUND);
	assert_int_equal(w->out.act, DHCP_ACT_USE);
}

static void req_DHC_001__discover_offer_request_ack(void **state)
{
	struct world w;
	uint8_t list[32], id[8];
	uint32_t size;
	start(&w, 1, 0);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
	assert_true(w.out.to == 0 && w.out.act == DHCP_ACT_NONE);
	assert_true(w.sent.h.op == 1 && w.sent.h.htype == 1 && w.sent.h.hlen == 6 && w.sent.h.hops == 0 && w.sent.h.broadcast);
	assert_true(w.sent.h.ciaddr == 0 && w.sent.h.yiaddr == 0 && w.sent.h.siaddr == 0 && w.sent.h.giaddr == 0);
	assert_memory_equal(w.sent.h.chaddr, ((const uint8_t[16]){2, 0x76, 1, 2, 3, 4}), 16);
	assert_int_equal(told(&w, DHCP_OPT_SERVER), 0); /* MUST NOT (table 5) */
	assert_int_equal(dhcp_option(&w.sent, DHCP_OPT_CLIENT, id, sizeof(id)), 7);
	assert_memory_equal(id, "\1\2\x76\1\2\3\4", 7);
	int n = dhcp_option(&w.sent, DHCP_OPT_WANTED, list, sizeof(list));
	assert_true(n > 0);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(memchr(list, (const uint8_t[]){1, 3, 6, 26}[i], (size_t)n));
	assert_true(dhcp_option_u32(&w.sent, DHCP_OPT_MAX_SIZE, 2, &size) && size >= 576);
	uint32_t xid = w.sent.h.xid;

	w.now += NS_PER_S;
	answer(&w, DHCP_OFFER, &(struct answer){.yiaddr = ADDR + 5});
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	assert_int_equal(w.c.state, DHCP_REQUESTING);
	assert_true(w.out.to == 0 && w.sent.h.ciaddr == 0 && w.sent.h.xid == xid && w.sent.h.broadcast);
	assert_int_equal(told(&w, DHCP_OPT_SERVER), SERVER);
	assert_int_equal(told(&w, DHCP_OPT_ADDRESS), ADDR + 5);
	answer(&w, DHCP_OFFER, &(struct answer){.server = OTHER}); /* the second offer comes too late */
	assert_int_equal(w.out.len, 0);

	answer(&w, DHCP_ACK, &(struct answer){.yiaddr = ADDR + 5});
	assert_int_equal(w.out.act, DHCP_ACT_CHECK);
	assert_int_equal(w.out.addr, ADDR + 5);
	assert_int_equal(w.out.len, 0);
	check(&w, false);
	assert_int_equal(w.out.act, DHCP_ACT_USE);
	assert_true(w.c.has_addr && w.c.lease.addr == ADDR + 5 && w.c.lease.server == SERVER && w.c.lease.plen == 24);
}

/* Repeats after 4, 8, 16, 32, 64, 64 seconds, each within a second, and not always the same. */
static void req_DHC_001__randomised_exponential_backoff(void **state)
{
	static const int64_t steps[] = {4, 8, 16, 32, 64, 64, 64};
	int64_t sum[ARRAY_LEN(steps)] = {0};
	int n_same = 0;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct world w;
		start(&w, seed, 0);
		uint32_t xid = w.sent.h.xid;
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			int64_t before = w.now;
			dhcp_client_timeout(&w.c, w.c.deadline - 1, &w.out); /* not before its time */
			assert_int_equal(w.out.len, 0);
			wait_out(&w);
			int64_t off = w.now - before - steps[i] * NS_PER_S;
			assert_true(off >= -NS_PER_S && off <= NS_PER_S);
			n_same += off == 0;
			sum[i] += off / 50;
			assert_int_equal(w.sent.type, DHCP_DISCOVER);
			assert_int_equal(w.sent.h.xid, xid);
			assert_int_equal(w.sent.h.secs, (w.now - START) / NS_PER_S);
		}
	}
	assert_true(n_same < 5);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_true(sum[i] > -NS_PER_S / 3 && sum[i] < NS_PER_S / 3); /* uniform: the mean of 50 has sigma 0.08 s */
}

/* A request without answer goes out five times over a minute, then all begins again (§3.1 (5)). */
static void req_DHC_001__unanswered_request_begins_again(void **state)
{
	struct world w;
	start(&w, 3, 0);
	uint32_t xid = w.sent.h.xid;
	answer(&w, DHCP_OFFER, NULL);
	int64_t began = w.now;
	for (int i = 0; i < 4; i++) {
		wait_out(&w);
		assert_int_equal(w.sent.type, DHCP_REQUEST);
		assert_int_equal(w.sent.h.xid, xid);
		assert_int_equal(told(&w, DHCP_OPT_ADDRESS), ADDR);
	}
	assert_true(w.now - began >= 56 * NS_PER_S && w.now - began <= 64 * NS_PER_S);
	wait_out(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
	assert_int_not_equal(w.sent.h.xid, xid);
	assert_int_equal(told(&w, DHCP_OPT_ADDRESS), 0);
	assert_int_equal(w.out.act, DHCP_ACT_NONE);
}

/* Each of these leaves the client where it is. */
static const struct answer strange[] = {
	{.xid_xor = 1}, {.xid_xor = 0x80000000u}, {.chaddr_xor = 1}, {.chaddr_tail = 1}, {.op = 1}, {.hlen = 5}, {.hlen = 7}, {.htype = 6},
	{.no_server = true}, {.server = 0x7f000001}, {.server = 0xe0000001u}, {.no_lease = true}, {.zero_lease = true},
	{.yiaddr = 0x7f000001}, {.yiaddr = 0xffffffffu}, {.yiaddr = 0xe0000005u}, {.yiaddr = 5}, {.other_id = true}, {.port = 68}, {.port = 53},
};

static void req_DHC_002__other_xid_chaddr_or_missing_options_are_ignored(void **state)
{
	struct world w;
	start(&w, 1, 0);
	int64_t deadline = w.c.deadline;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		answer(&w, DHCP_OFFER, &strange[i]);
		assert_true(w.out.len == 0 && w.out.act == DHCP_ACT_NONE && w.c.state == DHCP_SELECTING && w.c.deadline == deadline);
		assert_int_equal(w.c.n_ignored, i + 1);
	}
	answer(&w, DHCP_OFFER, &(struct answer){.own_id = true}); /* RFC 6842: our identifier echoed */
	assert_int_equal(w.c.state, DHCP_REQUESTING);
	deadline = w.c.deadline;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		answer(&w, DHCP_ACK, &strange[i]);
		assert_true(w.out.len == 0 && w.out.act == DHCP_ACT_NONE && w.c.state == DHCP_REQUESTING && w.c.deadline == deadline);
	}
	answer(&w, DHCP_ACK, NULL);
	assert_int_equal(w.c.state, DHCP_CHECKING);
}

static void req_DHC_002__xid_is_unpredictable(void **state)
{
	uint32_t seen[400];
	int n = 0, ones[32] = {0};
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct world w;
		start(&w, seed, 0);
		seen[n++] = w.sent.h.xid;
		answer(&w, DHCP_OFFER, NULL);
		answer(&w, DHCP_NAK, NULL); /* a new beginning takes a new one */
		assert_int_equal(w.sent.type, DHCP_DISCOVER);
		seen[n++] = w.sent.h.xid;
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
		for (int b = 0; b < 32; b++)
			ones[b] += seen[i] >> b & 1;
	}
	for (int b = 0; b < 32; b++) /* 400 fair coins: sigma 10 */
		assert_true(ones[b] > 150 && ones[b] < 250);
}

/* Nothing counts that was not asked for: other servers, other addresses, other types, other states. */
static void dhcp_client__reply_matches_in_every_field(void **state)
{
	struct world w;
	start(&w, 1, 0);
	answer(&w, DHCP_ACK, NULL); /* before any request */
	answer(&w, DHCP_NAK, NULL);
	assert_int_equal(w.c.state, DHCP_SELECTING);
	answer(&w, DHCP_OFFER, NULL);
	static const uint8_t types[] = {DHCP_DISCOVER, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_RELEASE, DHCP_INFORM, 9, 0, 255};
	for (size_t i = 0; i < sizeof(types); i++)
		answer(&w, types[i], NULL);
	answer(&w, DHCP_ACK, &(struct answer){.server = OTHER});
	answer(&w, DHCP_NAK, &(struct answer){.server = OTHER});
	answer(&w, DHCP_NAK, &(struct answer){.no_server = true});
	answer(&w, DHCP_NAK, &(struct answer){.xid_xor = 2});
	answer(&w, DHCP_NAK, &(struct answer){.chaddr_xor = 2});
	answer(&w, DHCP_ACK, &(struct answer){.yiaddr = ADDR + 1});
	assert_int_equal(w.c.state, DHCP_REQUESTING);
	assert_int_equal(w.c.lease.addr, ADDR);
	answer(&w, DHCP_ACK, NULL);
	answer(&w, DHCP_NAK, NULL); /* it is ours now; a late nak is no answer to anything */
	assert_int_equal(w.c.state, DHCP_CHECKING);
	check(&w, false);
	answer(&w, DHCP_NAK, NULL);
	answer(&w, DHCP_ACK, &(struct answer){.lease = 10});
	assert_true(w.c.state == DHCP_BOUND && w.c.lease.lease_s == 3600);
	wait_out(&w); /* T1 */
	answer(&w, DHCP_NAK, &(struct answer){.server = OTHER}); /* a renewal asks one server */
	answer(&w, DHCP_ACK, &(struct answer){.server = OTHER});
	answer(&w, DHCP_ACK, &(struct answer){.yiaddr = ADDR + 1});
	assert_true(w.c.state == DHCP_RENEWING && w.c.has_addr);
}

static void req_DHC_003__conflict_is_declined_and_waited_for(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct world w;
		start(&w, seed, 0);
		uint32_t xid = w.sent.h.xid;
		answer(&w, DHCP_OFFER, NULL);
		answer(&w, DHCP_ACK, NULL);
		int64_t then = w.now += 3 * NS_PER_S;
		check(&w, true);
		assert_int_equal(w.sent.type, DHCP_DECLINE);
		assert_int_equal(w.out.to, 0); /* broadcast, as from nobody (§4.4.4) */
		assert_true(w.sent.h.ciaddr == 0 && w.sent.h.xid != xid);
		assert_int_equal(told(&w, DHCP_OPT_ADDRESS), ADDR);
		assert_int_equal(told(&w, DHCP_OPT_SERVER), SERVER);
		assert_int_equal(w.out.act, DHCP_ACT_DROP);
		assert_int_equal(w.out.addr, ADDR);
		assert_false(w.c.has_addr);
		wait_out(&w);
		assert_true(w.now - then >= 10 * NS_PER_S && w.now - then < 12 * NS_PER_S);
		assert_int_equal(w.sent.type, DHCP_DISCOVER);
		assert_int_equal(told(&w, DHCP_OPT_ADDRESS), 0);
	}
	/* Found out later, in use. */
	struct world w;
	bind_with(&w, NULL);
	w.now += 100 * NS_PER_S;
	check(&w, true);
	assert_int_equal(w.sent.type, DHCP_DECLINE);
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && !w.c.has_addr && w.c.state == DHCP_INIT);
	assert_true(w.c.deadline >= w.now + 10 * NS_PER_S);
}

static void req_DHC_004__renew_at_t1_unicast_rebind_at_t2_broadcast(void **state)
{
	struct world w;
	bind_with(&w, NULL); /* an hour, asked for at START */
	wait_out(&w);
	assert_int_equal(w.now, START + 1800 * NS_PER_S);
	int n = 0;
	for (uint32_t xid = 0; w.now < START + 3150 * NS_PER_S; n++) {
		assert_int_equal(w.sent.type, DHCP_REQUEST);
		assert_true(w.out.to == SERVER && w.sent.h.ciaddr == ADDR && !w.sent.h.broadcast && w.sent.h.xid != xid);
		assert_true(told(&w, DHCP_OPT_ADDRESS) == 0 && told(&w, DHCP_OPT_SERVER) == 0); /* MUST NOT (table 4) */
		assert_int_equal(w.out.act, DHCP_ACT_NONE);
		xid = w.sent.h.xid;
		int64_t before = w.now, left = START + 3150 * NS_PER_S - before;
		wait_out(&w);
		int64_t want = left <= 60 * NS_PER_S ? left : MAX(left / 2, 60 * NS_PER_S); /* half of what is left, at least a minute */
		assert_int_equal(w.now - before, want);
	}
	assert_true(n >= 4);
	assert_int_equal(w.now, START + 3150 * NS_PER_S); /* 0.875 of 3600 */
	for (n = 0; w.now < START + 3600 * NS_PER_S; n++) {
		assert_int_equal(w.sent.type, DHCP_REQUEST);
		assert_true(w.out.to == 0 && w.sent.h.ciaddr == ADDR && w.c.state == DHCP_REBINDING && w.c.has_addr);
		assert_true(told(&w, DHCP_OPT_ADDRESS) == 0 && told(&w, DHCP_OPT_SERVER) == 0);
		wait_out(&w);
	}
	assert_true(n >= 3);
	assert_int_equal(w.now, START + 3600 * NS_PER_S);
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && !w.c.has_addr);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
	assert_true(w.sent.h.ciaddr == 0 && w.sent.h.broadcast);
}

static void req_DHC_004__an_ack_of_either_counts_from_its_request(void **state)
{
	struct world w;
	bind_with(&w, NULL);
	wait_out(&w);
	int64_t asked = w.now;
	w.now += 2 * NS_PER_S;
	answer(&w, DHCP_ACK, &(struct answer){.lease = 7200});
	assert_true(w.c.state == DHCP_BOUND && w.out.act == DHCP_ACT_USE && w.out.len == 0); /* in use: no check again */
	assert_int_equal(w.c.lease.expiry, asked + 7200 * NS_PER_S);
	assert_int_equal(w.c.deadline, asked + 3600 * NS_PER_S);
	while (w.c.state != DHCP_REBINDING)
		wait_out(&w);
	asked = w.now;
	answer(&w, DHCP_ACK, &(struct answer){.server = OTHER}); /* any server may extend it now */
	assert_true(w.c.state == DHCP_BOUND && w.c.lease.server == OTHER);
	assert_int_equal(w.c.lease.expiry, asked + 3600 * NS_PER_S);
}

/* A clock that jumps over T1, T2 and the end: the address goes at once, before any renewal. */
static void req_DHC_004__expiry_comes_before_everything(void **state)
{
	struct world w;
	bind_with(&w, NULL);
	w.now = START + 3600 * NS_PER_S;
	dhcp_client_timeout(&w.c, w.now, &w.out);
	heed(&w);
	assert_true(w.out.act == DHCP_ACT_DROP && w.sent.type == DHCP_DISCOVER);
	/* The link came back and the server is silent: no deadline of the reboot passes the end. */
	bind_with(&w, NULL);
	w.now = START + 3598 * NS_PER_S;
	dhcp_client_link_up(&w.c, w.now, &w.out);
	wait_out(&w);
	assert_int_equal(w.now, START + 3600 * NS_PER_S);
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR);
}

static void req_DHC_005__nak_restarts_from_init(void **state)
{
	struct world w;
	start(&w, 1, 0);
	answer(&w, DHCP_OFFER, NULL);
	answer(&w, DHCP_NAK, NULL);
	assert_true(w.sent.type == DHCP_DISCOVER && w.out.act == DHCP_ACT_NONE && told(&w, DHCP_OPT_ADDRESS) == 0);
	bind_with(&w, NULL);
	wait_out(&w);
	answer(&w, DHCP_NAK, NULL); /* renewing */
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && w.sent.type == DHCP_DISCOVER && !w.c.has_addr);
	bind_with(&w, NULL);
	while (w.c.state != DHCP_REBINDING)
		wait_out(&w);
	answer(&w, DHCP_NAK, &(struct answer){.server = OTHER}); /* any server may say so to a broadcast */
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && w.sent.type == DHCP_DISCOVER);
	start(&w, 1, ADDR);
	answer(&w, DHCP_NAK, &(struct answer){.server = OTHER});
	assert_true(w.sent.type == DHCP_DISCOVER && told(&w, DHCP_OPT_ADDRESS) == 0);
	/* A server that refuses whatever it offers does not become a storm. */
	int64_t began = w.now;
	for (int i = 0; i < 10; i++) {
		while (w.c.state == DHCP_INIT)
			wait_out(&w);
		answer(&w, DHCP_OFFER, NULL);
		answer(&w, DHCP_NAK, NULL);
	}
	assert_true(w.now - began > 120 * NS_PER_S);
}

static void req_DHC_005__infinite_lease(void **state)
{
	struct world w;
	bind_with(&w, &(struct answer){.lease = 0xffffffffu, .has_t = true, .t1 = 10, .t2 = 20});
	assert_true(w.c.deadline == TIME_NEVER && w.c.lease.expiry == TIME_NEVER);
	dhcp_client_timeout(&w.c, INT64_MAX - 1, &w.out);
	assert_true(w.out.len == 0 && w.out.act == DHCP_ACT_NONE && w.c.has_addr);
	bind_with(&w, &(struct answer){.lease = 0xfffffffeu}); /* the longest that ends: 136 years, in 64 bits of nanoseconds */
	assert_int_equal(w.c.lease.expiry, START + INT64_C(0xfffffffe) * NS_PER_S);
	assert_true(w.c.lease.t1 > START && w.c.lease.t1 < w.c.lease.t2 && w.c.lease.t2 < w.c.lease.expiry);
}

static void req_DHC_005__odd_lease_times_are_survived(void **state)
{
	static const struct answer odd[] = {
		{.lease = 1000, .has_t = true, .t1 = 900, .t2 = 800},          /* T1 > T2 */
		{.lease = 1000, .has_t = true, .t1 = 2000, .t2 = 3000},        /* > lease */
		{.lease = 1000, .has_t = true, .t1 = 500, .t2 = 0xffffffffu},
		{.lease = 1000, .has_t = true, .t1 = 0, .t2 = 0},
		{.lease = 1000, .has_t = true, .t1 = 0xffffffffu, .t2 = 0xffffffffu},
	};
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct world w;
		bind_with(&w, &odd[i]);
		assert_int_equal(w.c.lease.t1, START + 500 * NS_PER_S);
		assert_int_equal(w.c.lease.t2, START + 875 * NS_PER_S);
		assert_int_equal(w.c.lease.expiry, START + 1000 * NS_PER_S);
	}
	struct world w;
	bind_with(&w, &(struct answer){.lease = 1000, .has_t = true, .t1 = 100, .t2 = 1000}); /* in order: the server's word holds */
	assert_true(w.c.lease.t1 == START + 100 * NS_PER_S && w.c.lease.t2 == START + 1000 * NS_PER_S);
	/* Zero: no lease (req_DHC_002). One second: it ends before it can be used, again and again, without spinning. */
	start(&w, 1, 0);
	for (int i = 0; i < 20; i++) {
		while (w.c.state == DHCP_INIT)
			wait_out(&w);
		answer(&w, DHCP_OFFER, &(struct answer){.lease = 1});
		int64_t before = w.now;
		answer(&w, DHCP_ACK, &(struct answer){.lease = 1});
		assert_int_equal(w.out.act, DHCP_ACT_CHECK);
		wait_out(&w);
		assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR); /* the check is over */
		assert_true(w.now - before >= NS_PER_S);
	}
}

static void req_DHC_007__known_address_is_asked_for_first(void **state)
{
	struct world w;
	start(&w, 1, ADDR);
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	assert_int_equal(told(&w, DHCP_OPT_ADDRESS), ADDR);
	assert_int_equal(told(&w, DHCP_OPT_SERVER), 0); /* MUST NOT (§4.4.2) */
	assert_true(w.out.to == 0 && w.sent.h.ciaddr == 0 && w.sent.h.broadcast);
	answer(&w, DHCP_OFFER, NULL);
	answer(&w, DHCP_ACK, &(struct answer){.yiaddr = ADDR + 1});
	assert_int_equal(w.c.state, DHCP_REBOOTING);
	answer(&w, DHCP_ACK, &(struct answer){.server = OTHER}); /* whichever server knows it */
	assert_true(w.out.act == DHCP_ACT_CHECK && w.out.addr == ADDR);
	check(&w, false);
	assert_true(w.c.state == DHCP_BOUND && w.c.lease.server == OTHER);
	/* Nobody answers: after five requests the ordinary way. */
	start(&w, 1, ADDR);
	for (int i = 0; i < 4; i++) {
		wait_out(&w);
		assert_int_equal(w.sent.type, DHCP_REQUEST);
	}
	wait_out(&w);
	assert_true(w.sent.type == DHCP_DISCOVER && told(&w, DHCP_OPT_ADDRESS) == 0);
}

static void req_DHC_007__link_came_back(void **state)
{
	struct world w;
	bind_with(&w, NULL);
	w.now += 60 * NS_PER_S;
	dhcp_client_link_up(&w.c, w.now, &w.out);
	heed(&w);
	assert_true(w.sent.type == DHCP_REQUEST && told(&w, DHCP_OPT_ADDRESS) == ADDR && told(&w, DHCP_OPT_SERVER) == 0 && w.c.has_addr);
	answer(&w, DHCP_ACK, NULL);
	assert_true(w.c.state == DHCP_BOUND && w.out.act == DHCP_ACT_USE && w.c.lease.expiry == w.now + 3600 * NS_PER_S);
	dhcp_client_link_up(&w.c, w.now, &w.out); /* no server this time: the lease is as good as it was (§3.2 (3)) */
	for (int i = 0; i < 5; i++)
		wait_out(&w);
	assert_true(w.c.state == DHCP_BOUND && w.c.has_addr && w.out.act == DHCP_ACT_NONE && w.out.len == 0);
	dhcp_client_link_up(&w.c, w.now, &w.out);
	answer(&w, DHCP_NAK, &(struct answer){.server = OTHER}); /* plugged in elsewhere */
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && w.sent.type == DHCP_DISCOVER);
}

static void req_DHC_007__release_when_asked(void **state)
{
	struct world w;
	bind_with(&w, NULL);
	dhcp_client_stop(&w.c, true, w.now, &w.out);
	heed(&w);
	assert_int_equal(w.sent.type, DHCP_RELEASE);
	assert_true(w.out.to == SERVER && w.sent.h.ciaddr == ADDR && !w.sent.h.broadcast);
	assert_int_equal(told(&w, DHCP_OPT_SERVER), SERVER);
	assert_int_equal(told(&w, DHCP_OPT_ADDRESS), 0); /* MUST NOT (table 5) */
	assert_true(w.out.act == DHCP_ACT_DROP && w.out.addr == ADDR && w.c.deadline == TIME_NEVER);
	bind_with(&w, NULL);
	dhcp_client_stop(&w.c, false, w.now, &w.out);
	assert_true(w.out.len == 0 && w.out.act == DHCP_ACT_DROP);
	answer(&w, DHCP_ACK, NULL);
	assert_true(w.out.act == DHCP_ACT_NONE && w.c.state == DHCP_STOPPED);
	start(&w, 1, 0);
	dhcp_client_stop(&w.c, true, w.now, &w.out);
	assert_true(w.out.len == 0 && w.out.act == DHCP_ACT_NONE); /* nothing to give back */
}

static void dhcp_lease__parameters(void **state)
{
	struct world w;
	bind_with(&w, &(struct answer){.router = 0x0a0000fe, .dns = {0x08080808, 0x7f000001, 0x0a000035, 0}, .n_dns = 3, .mtu = 1400,
		.mask = 0xfffffe00u});
	const struct dhcp_lease *l = &w.c.lease;
	assert_true(l->plen == 23 && l->mtu == 1400 && l->n_routes == 1 && l->n_dns == 2);
	assert_true(l->routes[0].plen == 0 && l->routes[0].net == 0 && l->routes[0].gateway == 0x0a0000fe);
	assert_true(l->dns[0] == 0x08080808 && l->dns[1] == 0x0a000035); /* no server stands on our own loopback */
	bind_with(&w, &(struct answer){.mask = 0xff00ff00u, .mtu = 67, .router = 0xffffffffu}); /* nonsense: as if not there */
	assert_true(l->plen == 8 && l->mtu == 0 && l->n_routes == 0 && l->n_dns == 0);
}

/* RFC 3442: the list takes the router's place. */
static void dhcp_lease__classless_routes(void **state)
{
	struct world w;
	bind_with(&w, &(struct answer){.router = 0x0a0000fe, .n_routes = 21,
		.routes = {24, 192, 168, 1, 10, 0, 0, 3, 0, 10, 0, 0, 4, 13, 172, 23, 0, 0, 0, 0}, .mask = 0});
	const struct dhcp_lease *l = &w.c.lease;
	assert_int_equal(l->n_routes, 1); /* malformed (a byte too many): none of it is believed, the router counts */
	assert_int_equal(l->routes[0].gateway, 0x0a0000fe);
	bind_with(&w, &(struct answer){.router = 0x0a0000fe, .n_routes = 20,
		.routes = {24, 192, 168, 1, 10, 0, 0, 3, 0, 10, 0, 0, 4, 13, 172, 23, 0, 0, 0, 0}});
	assert_int_equal(l->n_routes, 3);
	assert_true(l->routes[0].net == 0xc0a80100u && l->routes[0].plen == 24 && l->routes[0].gateway == 0x0a000003);
	assert_true(l->routes[1].net == 0 && l->routes[1].plen == 0 && l->routes[1].gateway == 0x0a000004);
	assert_true(l->routes[2].net == 0xac100000u && l->routes[2].plen == 13 && l->routes[2].gateway == 0); /* bits past the length go */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_DHC_001__discover_offer_request_ack),
		cmocka_unit_test(req_DHC_001__randomised_exponential_backoff),
		cmocka_unit_test(req_DHC_001__unanswered_request_begins_again),
		cmocka_unit_test(req_DHC_002__other_xid_chaddr_or_missing_options_are_ignored),
		cmocka_unit_test(req_DHC_002__xid_is_unpredictable),
		cmocka_unit_test(dhcp_client__reply_matches_in_every_field),
		cmocka_unit_test(req_DHC_003__conflict_is_declined_and_waited_for),
		cmocka_unit_test(req_DHC_004__renew_at_t1_unicast_rebind_at_t2_broadcast),
		cmocka_unit_test(req_DHC_004__an_ack_of_either_counts_from_its_request),
		cmocka_unit_test(req_DHC_004__expiry_comes_before_everything),
		cmocka_unit_test(req_DHC_005__nak_restarts_from_init),
		cmocka_unit_test(req_DHC_005__infinite_lease),
		cmocka_unit_test(req_DHC_005__odd_lease_times_are_survived),
		cmocka_unit_test(req_DHC_007__known_address_is_asked_for_first),
		cmocka_unit_test(req_DHC_007__link_came_back),
		cmocka_unit_test(req_DHC_007__release_when_asked),
		cmocka_unit_test(dhcp_lease__parameters),
		cmocka_unit_test(dhcp_lease__classless_routes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
