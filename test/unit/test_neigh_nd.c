/* test_neigh_nd.c - the neighbour cache as neighbour discovery feeds it: advertisements, unreachability, times from routers, scans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "neigh_world.h"

static struct via_addr host6(uint32_t n)
{
	return (struct via_addr){.b = {0x20, 1, 0x0d, 0xb8, [12] = (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static const char *name_of(int state)
{
	static const char *const names[] = {"gone", "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"};
	return names[state];
}

/* Neighbour 1 in `state`, with mac_a unless INCOMPLETE. */
static ref_t in_state(struct world *x, int state)
{
	struct neigh_ask ask;
	struct pktq q = {0};
	struct via_addr a = host6(1);
	int asks = 0, uni = 0, failed = 0;
	ref_t r;
	assert_int_equal(send_to(x, a, 7, &ask, &q), NEIGH_WAITS);
	r = neigh_find(&x->e, &x->c, IF, &a);
	if (state == NEIGH_INCOMPLETE)
		return r;
	neigh_advertised(&x->e, &x->c, IF, &a, &(struct neigh_claim){.mac = mac_a, .solicited = true}, &q, &r);
	pktq_clear(&x->mem, &q);
	if (state > NEIGH_REACHABLE)
		neigh_doubt(&x->e, &x->c, r);
	if (state > NEIGH_STALE)
		neigh_use(&x->e, neigh_at(x->a, r));
	if (state > NEIGH_DELAY)
		run_to(x, x->e.now + NEIGH_DELAY_NS + 3 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, state);
	return r;
}

static void forget(struct world *x)
{
	struct via_addr a = host6(1);
	struct pktq q = {0};
	neigh_remove(&x->e, &x->c, neigh_find(&x->e, &x->c, IF, &a), &q);
	pktq_clear(&x->mem, &q);
}

/* RFC 4861 Appendix C, the rows "NA": state after, and whose MAC it has then (0: none yet). The cases: solicited, override, other MAC. */
static const struct {
	bool s, o, other;
	struct {
		uint8_t state;
		char mac;
	} after[5]; /* from INCOMPLETE, REACHABLE, STALE, DELAY, PROBE */
} table[8] = {
#define I_(m) {NEIGH_INCOMPLETE, m}
#define R_(m) {NEIGH_REACHABLE, m}
#define S_(m) {NEIGH_STALE, m}
#define D_(m) {NEIGH_DELAY, m}
#define P_(m) {NEIGH_PROBE, m}
	/* unsolicited: an INCOMPLETE one becomes STALE whatever the override bit says */
	{false, false, false, {S_('a'), R_('a'), S_('a'), D_('a'), P_('a')}},
	{false, false, true,  {S_('b'), S_('a'), S_('a'), D_('a'), P_('a')}},
	{false, true,  false, {S_('a'), R_('a'), S_('a'), D_('a'), P_('a')}},
	{false, true,  true,  {S_('b'), S_('b'), S_('b'), S_('b'), S_('b')}},
	/* solicited */
	{true,  false, false, {R_('a'), R_('a'), R_('a'), R_('a'), R_('a')}},
	{true,  false, true,  {R_('b'), S_('a'), S_('a'), D_('a'), P_('a')}},
	{true,  true,  false, {R_('a'), R_('a'), R_('a'), R_('a'), R_('a')}},
	{true,  true,  true,  {R_('b'), R_('b'), R_('b'), R_('b'), R_('b')}},
};

static void req_ND_004__eight_cases_in_five_states(void **state)
{
	struct world *x = *state;
	struct via_addr a = host6(1);
	for (size_t k = 0; k < ARRAY_LEN(table); k++) {
		for (int from = NEIGH_INCOMPLETE; from <= NEIGH_PROBE; from++) {
			struct pktq q = {0};
			ref_t out, r = in_state(x, from);
			int want = table[k].after[from - 1].state;
			char mac = table[k].after[from - 1].mac;
			neigh_advertised(&x->e, &x->c, IF, &a, &(struct neigh_claim){table[k].other ? mac_b : mac_a, table[k].s, table[k].o}, &q, &out);
			const struct neigh *n = neigh_at(x->a, r);
			if (n->state != want || memcmp(n->mac, mac == 'a' ? mac_a : mac_b, 6) != 0)
				fail_msg("S=%d O=%d other=%d from %s: %s, MAC %x; want %s, %c", table[k].s, table[k].o, table[k].other, name_of(from),
					 name_of(n->state), n->mac[5], name_of(want), mac);
			assert_int_equal(q.n, from == NEIGH_INCOMPLETE); /* what waited leaves */
			pktq_clear(&x->mem, &q);
			forget(x);
		}
	}
}

/* Without a link-layer address: an INCOMPLETE entry learns nothing; any other takes the solicited flag as it is (§7.2.5). */
static void req_ND_004__claims_without_an_address(void **state)
{
	struct world *x = *state;
	struct via_addr a = host6(1);
	for (int from = NEIGH_INCOMPLETE; from <= NEIGH_PROBE; from++) {
		for (int bits = 0; bits < 4; bits++) {
			struct pktq q = {0};
			ref_t out, r = in_state(x, from);
			bool solicited = bits & 1;
			neigh_advertised(&x->e, &x->c, IF, &a, &(struct neigh_claim){NULL, solicited, bits >> 1}, &q, &out);
			assert_int_equal(neigh_at(x->a, r)->state, from != NEIGH_INCOMPLETE && solicited ? NEIGH_REACHABLE : from);
			assert_int_equal(q.n, 0);
			forget(x);
		}
	}
}

static void req_ND_004__an_unknown_neighbour_gets_no_entry(void **state)
{
	struct world *x = *state;
	struct via_addr a = host6(1);
	struct pktq q = {0};
	ref_t out;
	for (int bits = 0; bits < 8; bits++) {
		neigh_advertised(&x->e, &x->c, IF, &a, &(struct neigh_claim){bits & 4 ? mac_a : NULL, bits & 1, bits >> 1 & 1}, &q, &out);
		assert_int_equal(out, 0);
	}
	assert_int_equal(x->c.pool.n_used, 0);
}

static void req_ND_005__three_questions_a_second_apart_then_unreachable(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0};
	int asks = 0, uni = 0, failed = 0;
	struct via_addr a = host6(1);
	assert_int_equal(send_to(x, a, 0, &ask, &q), NEIGH_WAITS);
	assert_true(ask.ask && !ask.unicast); /* the first of the three */
	for (int k = 1; k <= 3; k++) {
		run_to(x, k * NS_PER_S - 1, &asks, &uni, &failed);
		assert_int_equal(asks, k - 1);
		assert_int_equal(failed, 0);
		run_to(x, k * NS_PER_S + (k + 1) * 2 * NS_PER_MS, &asks, &uni, &failed);
	}
	assert_int_equal(asks, 2);
	assert_int_equal(uni, 0);
	assert_int_equal(failed, 1);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &a), 0);
	/* the queue: small, the oldest gives way */
	const uint32_t room = NEIGH_QUEUE_BYTES / PKT_BYTES;
	for (uint32_t i = 0; i < room + 2; i++)
		send_to(x, a, i, &ask, &q);
	assert_int_equal(q.n, 2);
	assert_int_equal(pktq_peek(&x->mem, &q)->m.flow_hash, 0);
	pktq_clear(&x->mem, &q);
	forget(x);
}

/* 30 s x random(0.5 to 1.5), 5 s of grace, 3 unicast questions 1 s apart, then it goes. */
static void req_ND_006__unreachability_detection(void **state)
{
	struct world *x = *state;
	struct via_addr a = host6(1);
	int64_t least = INT64_MAX, most = 0;
	for (int round = 0; round < 40; round++) {
		int asks = 0, uni = 0, failed = 0;
		ref_t r = in_state(x, NEIGH_REACHABLE);
		int64_t from = x->e.now, stale, probe, gone;
		while (neigh_at(x->a, r)->state == NEIGH_REACHABLE)
			run_to(x, x->e.now + 10 * NS_PER_MS, &asks, &uni, &failed);
		stale = x->e.now - from;
		assert_in_range(stale, 15 * NS_PER_S, 45 * NS_PER_S + 20 * NS_PER_MS);
		least = MIN(least, stale);
		most = MAX(most, stale);
		run_to(x, x->e.now + 20 * NS_PER_S, &asks, &uni, &failed); /* unused: nobody asks */
		assert_int_equal(asks, 0);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
		neigh_use(&x->e, neigh_at(x->a, r));
		from = x->e.now;
		while (neigh_at(x->a, r)->state == NEIGH_DELAY)
			run_to(x, x->e.now + 10 * NS_PER_MS, &asks, &uni, &failed);
		probe = x->e.now - from;
		assert_in_range(probe, 5 * NS_PER_S, 5 * NS_PER_S + 20 * NS_PER_MS);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_PROBE);
		assert_int_equal(uni, 1);
		from = x->e.now;
		while (neigh_find(&x->e, &x->c, IF, &a))
			run_to(x, x->e.now + 10 * NS_PER_MS, &asks, &uni, &failed);
		gone = x->e.now - from;
		assert_in_range(gone, 3 * NS_PER_S - 20 * NS_PER_MS, 3 * NS_PER_S + 20 * NS_PER_MS);
		assert_int_equal(uni, 3);
		assert_int_equal(asks, 3);
	}
	assert_true(least < 20 * NS_PER_S && most > 40 * NS_PER_S); /* at random in between */
}

static void req_ND_006__progress_above_confirms(void **state)
{
	struct world *x = *state;
	for (int from = NEIGH_STALE; from <= NEIGH_PROBE; from++) {
		ref_t r = in_state(x, from);
		neigh_confirm(&x->e, &x->c, r);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
		forget(x);
	}
	ref_t r = in_state(x, NEIGH_INCOMPLETE); /* no address, no progress */
	neigh_confirm(&x->e, &x->c, r);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_INCOMPLETE);
	forget(x);
}

/* What a router says of the times counts for its interface's IPv6 neighbours; 0 changes nothing (ND-009). */
static void req_ND_009__times_from_routers(void **state)
{
	struct world *x = *state;
	struct via_addr a = host6(1), four = via_addr_v4(0x0a000001);
	struct neigh_ask ask;
	struct pktq q = {0};
	int asks = 0, uni = 0, failed = 0;
	neigh_set_timing(&x->c, IF, 4000, 250);
	neigh_set_timing(&x->c, IF, 0, 0);
	assert_int_equal(neigh_retrans_ns(&x->c, IF, &a), 250 * NS_PER_MS);
	assert_int_equal(neigh_retrans_ns(&x->c, IF, &four), NS_PER_S);
	assert_int_equal(neigh_retrans_ns(&x->c, IF + 1, &a), NS_PER_S);
	ref_t r = in_state(x, NEIGH_REACHABLE);
	run_to(x, x->e.now + 1900 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	run_to(x, x->e.now + 4200 * NS_PER_MS, &asks, &uni, &failed); /* 6 s at most */
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	forget(x);
	assert_int_equal(send_to(x, a, 0, &ask, &q), NEIGH_WAITS);
	run_to(x, x->e.now + 760 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(failed, 1);
	/* nonsense is kept within reason */
	neigh_set_timing(&x->c, IF, UINT32_MAX, 1);
	assert_int_equal(x->c.timing[IF].reachable_ms, NEIGH_REACHABLE_MS_MAX);
	assert_int_equal(x->c.timing[IF].retrans_ms, NEIGH_MS_MIN);
	neigh_set_timing(&x->c, 60000, 1, 1);
}

static void req_ND_007__a_router_that_becomes_a_host_is_told_of(void **state)
{
	struct world *x = *state;
	ref_t r = in_state(x, NEIGH_REACHABLE);
	assert_false(neigh_set_router(&x->e, r, false));
	assert_false(neigh_set_router(&x->e, r, true));
	assert_false(neigh_set_router(&x->e, r, true));
	assert_true(neigh_set_router(&x->e, r, false));
	assert_false(neigh_set_router(&x->e, r, false));
	forget(x);
}

/* RFC 6583: a scan of a /64 at full speed. */
static void req_ND_012__a_scan_does_not_stop_neighbours(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0};
	uint64_t evicted = 0;
	int asks = 0, uni = 0, failed = 0, first = 0;
	ref_t r = in_state(x, NEIGH_REACHABLE), out;
	struct via_addr new = host6(0x7fffffff);
	x->e.evicted = &evicted;
	int64_t begin = x->e.now;
	for (uint32_t i = 0; i < 100000; i++) { /* 50,000 a second, for two seconds */
		if (i % 50 == 0)
			run_to(x, begin + i * 20 * NS_PER_US, &asks, &uni, &failed);
		assert_int_equal(send_to(x, host6(1000 + i), 0, &ask, &q), NEIGH_WAITS);
		first += ask.ask;
		if (i == 50000) { /* in the middle of it somebody wants a neighbour that is there */
			for (int k = 0; !neigh_find(&x->e, &x->c, IF, &new) && k < 100; k++) {
				x->e.now += 2 * NS_PER_MS; /* a question is due every 2 ms */
				send_to(x, new, 1, &ask, &q);
				first += ask.ask;
			}
			assert_true(ask.ask);
			begin += 2 * NS_PER_MS;
		}
		if (i == 51000) { /* it answers 20 ms later, and was not forgotten meanwhile */
			neigh_advertised(&x->e, &x->c, IF, &new, &(struct neigh_claim){mac_b, true, true}, &q, &out);
			assert_int_not_equal(out, 0);
			assert_int_equal(neigh_at(x->a, out)->state, NEIGH_REACHABLE);
		}
		assert_int_equal(send_to(x, host6(1), 0, &ask, &q), NEIGH_READY);
		pktq_clear(&x->mem, &q);
	}
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	assert_int_equal(x->c.unresolved.n, NEIGH_UNRESOLVED_MAX);
	assert_true(x->c.pool.n_used <= NEIGH_UNRESOLVED_MAX + 2);
	assert_in_range(first, NEIGH_ASKS_PER_S, 3 * NEIGH_ASKS_PER_S + 10); /* what may leave at once, and two seconds */
	assert_in_range(asks, 0, 3 * (int)NEIGH_UNRESOLVED_MAX);            /* repeated ones: once a second for each entry */
	assert_in_range(evicted, 90000, 100000);
	x->e.evicted = NULL;
}

/* At the cap of the resolved the longest unconfirmed STALE one goes and is counted; one that is confirmed never. */
static void req_HARD_08__neighbours_at_the_cap(void **state)
{
	struct world *x = *state;
	struct pktq q = {0};
	uint64_t evicted = 0;
	ref_t out;
	x->e.evicted = &evicted;
	for (uint32_t i = 0; i < NEIGH_RESOLVED_MAX; i++) {
		struct via_addr a = host6(i);
		neigh_heard(&x->e, &x->c, IF, &a, mac_a, NEIGH_ASKED_US, &q, &out);
		assert_int_not_equal(out, 0);
	}
	assert_int_equal(evicted, 0);
	struct via_addr one = host6(NEIGH_RESOLVED_MAX), oldest = host6(0), second = host6(1);
	neigh_heard(&x->e, &x->c, IF, &one, mac_a, NEIGH_ASKED_US, &q, &out);
	assert_int_not_equal(out, 0);
	assert_int_equal(evicted, 1);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &oldest), 0);
	assert_int_not_equal(neigh_find(&x->e, &x->c, IF, &second), 0);
	for (uint32_t i = 1; i <= NEIGH_RESOLVED_MAX; i++) {
		struct via_addr a = host6(i);
		neigh_confirm(&x->e, &x->c, neigh_find(&x->e, &x->c, IF, &a));
	}
	neigh_heard(&x->e, &x->c, IF, &oldest, mac_a, NEIGH_ASKED_US, &q, &out);
	assert_int_equal(out, 0);
	assert_int_equal(evicted, 1);
	assert_int_equal(x->c.resolved.n, NEIGH_RESOLVED_MAX);
	x->e.evicted = NULL;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_ND_004__eight_cases_in_five_states), T(req_ND_004__claims_without_an_address),
		T(req_ND_004__an_unknown_neighbour_gets_no_entry), T(req_ND_005__three_questions_a_second_apart_then_unreachable),
		T(req_ND_006__unreachability_detection), T(req_ND_006__progress_above_confirms), T(req_ND_009__times_from_routers),
		T(req_ND_007__a_router_that_becomes_a_host_is_told_of), T(req_ND_012__a_scan_does_not_stop_neighbours),
		T(req_HARD_08__neighbours_at_the_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
