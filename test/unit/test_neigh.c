/* The neighbour cache and ARP: states, caps, retries, what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "link/arp.h"
#include "neigh_world.h"
#include "wire/eth.h"

static struct via_addr host(uint32_t n)
{
	return via_addr_v4(0x0a000000 + n);
}

static enum neigh_verdict send(struct world *x, uint32_t n, uint32_t mark, struct neigh_ask *ask, struct pktq *dropped)
{
	return send_to(x, host(n), mark, ask, dropped);
}

static void req_ARP_004__packets_wait_and_leave_in_order(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1);
	ref_t r;
	assert_int_equal(send(x, 1, 100, &ask, &q), NEIGH_WAITS);
	assert_true(ask.ask && !ask.unicast && ask.ifindex == IF && via_addr_eq(&ask.addr, &to));
	assert_int_equal(send(x, 1, 101, &ask, &q), NEIGH_WAITS);
	assert_false(ask.ask);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(ready.n, 2);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	for (uint32_t i = 100; i < 102; i++) {
		struct pkt *p = pktq_pop(&x->mem, &ready);
		assert_int_equal(p->m.flow_hash, i);
		pkt_free(&x->mem, p);
	}
	assert_int_equal(send(x, 1, 102, &ask, &q), NEIGH_READY);
	assert_memory_equal(neigh_at(x->a, r)->mac, mac_a, 6);
	assert_int_equal(q.n, 0);
}

static void req_ARP_004__queue_is_capped_and_keeps_the_latest(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1);
	ref_t r;
	const uint32_t room = 212992 / PKT_BYTES; /* Linux's unres_qlen_bytes in our packets */
	assert_true(room > 100);
	for (uint32_t i = 0; i < room + 3; i++)
		send(x, 1, i, &ask, &q);
	assert_int_equal(q.n, 3);
	assert_int_equal(pktq_peek(&x->mem, &q)->m.flow_hash, 0);
	assert_int_equal(pktq_peek(&x->mem, &q)->m.drop, DROP_ARP_QUEUE);
	pktq_clear(&x->mem, &q);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(ready.n, room);
	assert_int_equal(pktq_peek(&x->mem, &ready)->m.flow_hash, 3);
	pktq_clear(&x->mem, &ready);
	/* and in all */
	for (uint32_t i = 0; i < 40; i++)
		for (uint32_t k = 0; k < 40; k++)
			send(x, 10 + i, k, &ask, &q);
	assert_int_equal(x->c.n_queued, NEIGH_QUEUE_TOTAL);
	assert_int_equal(q.n, 1600 - NEIGH_QUEUE_TOTAL);
	pktq_clear(&x->mem, &q);
}

/* A packet pins what its blocks take, not what it says: long ones wait fewer, and one alone always may. */
static void req_ARP_004__queue_counts_memory(void **state)
{
	static const uint8_t huge[65535];
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1);
	ref_t r;
	for (uint32_t i = 0; i < 60; i++) { /* a packet and a block: 34 of 6144 bytes each fit */
		struct pkt *p = pkt_new(&x->mem, PKT_HEADROOM);
		blk_t b = blk_new(&x->mem);
		assert_int_equal(pkt_append_slice(&x->mem, p, b, 0, 1), 0);
		blk_drop(&x->mem, b);
		assert_int_equal(neigh_resolve(&x->e, &x->c, IF, &to, p, &ask, &q, &r), NEIGH_WAITS);
	}
	assert_int_equal(x->c.n_queued, 34);
	assert_int_equal(q.n, 26);
	struct pkt *p = pkt_new(&x->mem, PKT_HEADROOM);
	for (int i = 0; i < 4; i++) {
		blk_t b = blk_lend(&x->mem, huge, sizeof(huge), NULL, NULL, 0);
		assert_int_equal(pkt_append_slice(&x->mem, p, b, 0, sizeof(huge)), 0);
		blk_drop(&x->mem, b);
	}
	assert_int_equal(neigh_resolve(&x->e, &x->c, IF, &to, p, &ask, &q, &r), NEIGH_WAITS);
	assert_int_equal(x->c.n_queued, 1);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(ready.n, 1);
	assert_int_equal(neigh_at(x->a, r)->pinned, 0);
	pktq_clear(&x->mem, &ready);
	pktq_clear(&x->mem, &q);
}

static void req_ARP_003__asks_three_times_a_second_apart_then_fails(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0};
	int asks = 0, uni = 0, failed = 0;
	send(x, 1, 0, &ask, &q);
	assert_true(ask.ask);
	run_to(x, NS_PER_S - 1, &asks, &uni, &failed);
	assert_int_equal(asks, 0);
	run_to(x, NS_PER_S + 2 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(asks, 1);
	/* packets meanwhile cause no question */
	for (int i = 0; i < 10; i++) {
		send(x, 1, 0, &ask, &q);
		assert_false(ask.ask);
	}
	run_to(x, 2 * NS_PER_S + 4 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(asks, 2);
	assert_int_equal(failed, 0);
	run_to(x, 4 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(asks, 2);
	assert_int_equal(failed, 11);
	struct via_addr to = host(1);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &to), 0);
}

static void req_ARP_003__entries_expire(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1);
	int asks = 0, uni = 0, failed = 0;
	ref_t r;
	send(x, 1, 0, &ask, &q);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	pktq_clear(&x->mem, &ready);
	run_to(x, 14 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	run_to(x, 46 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	run_to(x, 107 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &to), 0);
	assert_int_equal(asks, 0);
}

static void neigh__stale_is_used_then_probed_by_unicast(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1);
	int asks = 0, uni = 0, failed = 0;
	ref_t r;
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ASKED_US, &ready, &r);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	assert_int_equal(send(x, 1, 0, &ask, &q), NEIGH_READY);
	neigh_use(&x->e, neigh_at(x->a, r));
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_DELAY);
	run_to(x, 5 * NS_PER_S + 2 * NS_PER_MS, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_PROBE);
	assert_int_equal(uni, 1);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	/* once more, and no answer now: three questions, then it goes */
	run_to(x, 60 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	uint32_t gen = x->c.gen;
	neigh_use(&x->e, neigh_at(x->a, r));
	run_to(x, 70 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(uni, 4);
	assert_int_equal(asks, 4);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &to), 0);
	assert_true(x->c.gen != gen);
}

static void req_ARP_006__unsolicited_replies_create_nothing(void **state)
{
	struct world *x = *state;
	struct pktq ready = {0};
	struct via_addr to = host(1);
	ref_t r;
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(r, 0);
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_OVERHEARD, &ready, &r);
	assert_int_equal(r, 0);
	assert_int_equal(x->c.pool.n_used, 0);
}

static void req_ARP_006__a_scan_cannot_push_out_resolved_ones(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	ref_t r;
	for (uint32_t i = 0; i < NEIGH_RESOLVED_MAX; i++) {
		struct via_addr to = host(i);
		send(x, i, 0, &ask, &q);
		neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ANSWERED, &ready, &r);
		assert_int_not_equal(r, 0);
		pktq_clear(&x->mem, &ready);
	}
	for (uint32_t i = 0; i < 3 * NEIGH_UNRESOLVED_MAX; i++)
		assert_int_equal(send(x, 100000 + i, 0, &ask, &q), NEIGH_WAITS);
	assert_int_equal(x->c.unresolved.n, NEIGH_UNRESOLVED_MAX);
	assert_int_equal(x->c.resolved.n, NEIGH_RESOLVED_MAX);
	for (uint32_t i = 0; i < NEIGH_RESOLVED_MAX; i++)
		assert_int_equal(send(x, i, 0, &ask, &q), NEIGH_READY);
	/* All are confirmed, so a further one is refused, and what waited for it comes back */
	struct via_addr late = host(100000 + 3 * NEIGH_UNRESOLVED_MAX - 1);
	neigh_heard(&x->e, &x->c, IF, &late, mac_b, NEIGH_ANSWERED, &ready, &r);
	assert_int_equal(r, 0);
	assert_int_equal(ready.n, 1);
	pktq_clear(&x->mem, &ready);
	pktq_clear(&x->mem, &q);
}

static void neigh__changed_mac_raises_the_generation(void **state)
{
	struct world *x = *state;
	struct pktq ready = {0};
	struct via_addr to = host(1);
	ref_t r;
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ASKED_US, &ready, &r);
	uint32_t gen = x->c.gen;
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_OVERHEARD, &ready, &r);
	assert_int_equal(x->c.gen, gen);
	neigh_heard(&x->e, &x->c, IF, &to, mac_b, NEIGH_OVERHEARD, &ready, &r);
	assert_int_not_equal(x->c.gen, gen);
	assert_memory_equal(neigh_at(x->a, r)->mac, mac_b, 6);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	/* a configured one is not talked out of it */
	neigh_set(&x->e, &x->c, IF, &to, mac_a, &ready, &r);
	ref_t q;
	neigh_heard(&x->e, &x->c, IF, &to, mac_b, NEIGH_ANSWERED, &ready, &q);
	assert_memory_equal(neigh_at(x->a, r)->mac, mac_a, 6);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_PERMANENT);
}

/* Configured neighbours do not stand in the way of learning others. */
static void neigh__permanent_ones_do_not_stop_eviction(void **state)
{
	struct world *x = *state;
	struct pktq ready = {0};
	ref_t r, dyn;
	for (uint32_t i = 0; i < 20; i++) {
		struct via_addr to = host(i);
		assert_int_equal(neigh_set(&x->e, &x->c, IF, &to, mac_a, &ready, &r), 0);
	}
	for (uint32_t i = 0; i < NEIGH_RESOLVED_MAX + 10; i++) { /* the 10 last push out the 10 oldest */
		struct via_addr to = host(1000 + i);
		neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ASKED_US, &ready, &r);
		assert_int_not_equal(r, 0);
	}
	struct via_addr first = host(1000), eleventh = host(1010), set = host(0);
	assert_int_equal(neigh_find(&x->e, &x->c, IF, &first), 0);
	dyn = neigh_find(&x->e, &x->c, IF, &eleventh);
	assert_int_not_equal(dyn, 0);
	assert_int_not_equal(neigh_find(&x->e, &x->c, IF, &set), 0);
	/* a learnt one may become a configured one; then it is a place less in use among the learnt */
	assert_int_equal(neigh_set(&x->e, &x->c, IF, &eleventh, mac_b, &ready, &r), 0);
	assert_int_equal(r, dyn);
	assert_int_equal(x->c.resolved.n, NEIGH_RESOLVED_MAX - 1);
	/* their own cap */
	for (uint32_t i = 21; i < NEIGH_PERMANENT_MAX; i++) {
		struct via_addr to = host(50000 + i);
		assert_int_equal(neigh_set(&x->e, &x->c, IF, &to, mac_a, &ready, &r), 0);
	}
	struct via_addr more = host(90000);
	assert_int_equal(neigh_set(&x->e, &x->c, IF, &more, mac_a, &ready, &r), -ENOSPC);
	assert_int_equal(neigh_set(&x->e, &x->c, IF, &set, mac_b, &ready, &r), 0);
	neigh_remove(&x->e, &x->c, r, &ready);
	assert_int_equal(neigh_set(&x->e, &x->c, IF, &more, mac_a, &ready, &r), 0);
	assert_int_equal(ready.n, 0);
}

/* RFC 4861 §7.3.1: news of progress from above is as good as an answer; what was never resolved it does not resolve. */
static void neigh_confirm__each_state(void **state)
{
	struct world *x = *state;
	struct neigh_ask ask;
	struct pktq q = {0}, ready = {0};
	struct via_addr to = host(1), set = host(2), open = host(3);
	int asks = 0, uni = 0, failed = 0;
	ref_t r, s;
	neigh_heard(&x->e, &x->c, IF, &to, mac_a, NEIGH_ASKED_US, &ready, &r);
	uint32_t gen = x->c.gen;
	neigh_confirm(&x->e, &x->c, r); /* STALE */
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	for (int i = 0; i < 10; i++) { /* in use for 10 minutes and more: never a question */
		run_to(x, x->e.now + 46 * NS_PER_S, &asks, &uni, &failed);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
		neigh_use(&x->e, neigh_at(x->a, r));
		run_to(x, x->e.now + NS_PER_S, &asks, &uni, &failed);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_DELAY);
		neigh_confirm(&x->e, &x->c, r);
		assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	}
	assert_int_equal(asks, 0);
	neigh_doubt(&x->e, &x->c, r); /* and unanswered packets make it be asked from its next use on */
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_STALE);
	neigh_use(&x->e, neigh_at(x->a, r));
	run_to(x, x->e.now + 6 * NS_PER_S, &asks, &uni, &failed);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_PROBE);
	assert_true(uni > 0);
	neigh_confirm(&x->e, &x->c, r);
	assert_int_equal(neigh_at(x->a, r)->state, NEIGH_REACHABLE);
	assert_int_equal(x->c.gen, gen); /* ready headers stay good */
	assert_int_equal(neigh_set(&x->e, &x->c, IF, &set, mac_a, &ready, &s), 0);
	neigh_confirm(&x->e, &x->c, s);
	neigh_doubt(&x->e, &x->c, s);
	assert_int_equal(neigh_at(x->a, s)->state, NEIGH_PERMANENT);
	assert_int_equal(send(x, 3, 0, &ask, &q), NEIGH_WAITS);
	s = neigh_find(&x->e, &x->c, IF, &open);
	neigh_confirm(&x->e, &x->c, s);
	neigh_doubt(&x->e, &x->c, s);
	assert_int_equal(neigh_at(x->a, s)->state, NEIGH_INCOMPLETE);
}

static const struct arp_iface me = {.ifindex = IF, .mac = {2, 0, 0, 0, 0, 1}};

static void req_ARP_001__request_for_us_is_answered_and_learnt(void **state)
{
	struct world *x = *state;
	struct pktq ready = {0};
	struct arp_pkt a = {.op = ARP_REQUEST, .spa = 0x0a000002, .tpa = 0x0a000001, .sha = {2, 0, 0, 0, 0, 0xa}};
	ref_t r;
	bool reply;
	/* for another target: neither */
	assert_int_equal(arp_input(&x->e, &x->c, &me, &a, false, false, &ready, &r, &reply), DROP_NONE);
	assert_false(reply);
	assert_int_equal(r, 0);
	assert_int_equal(arp_input(&x->e, &x->c, &me, &a, true, false, &ready, &r, &reply), DROP_NONE);
	assert_true(reply);
	assert_int_not_equal(r, 0);
	struct pkt *p = arp_reply_build(&x->mem, &me, &a);
	struct eth_hdr h;
	struct arp_pkt b;
	assert_int_equal(eth_parse(pkt_data(p), p->len, &h), 0);
	assert_memory_equal(h.dst, mac_a, 6);
	assert_memory_equal(h.src, me.mac, 6);
	assert_int_equal(arp_parse(pkt_data(p) + 14, p->len - 14, &b), 0);
	assert_int_equal(b.op, ARP_REPLY);
	assert_int_equal(b.spa, 0x0a000001);
	assert_int_equal(b.tpa, 0x0a000002);
	assert_memory_equal(b.sha, me.mac, 6);
	assert_memory_equal(b.tha, mac_a, 6);
	pkt_free(&x->mem, p);
}

static void req_ARP_002__false_senders_are_not_believed(void **state)
{
	struct world *x = *state;
	struct pktq ready = {0};
	ref_t r;
	bool reply;
	static const uint32_t bad[] = {0xe0000001, 0x7f000001, 0xffffffff};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct arp_pkt a = {.op = ARP_REQUEST, .spa = bad[i], .tpa = 0x0a000001, .sha = {2, 0, 0, 0, 0, 0xa}};
		assert_int_equal(arp_input(&x->e, &x->c, &me, &a, true, false, &ready, &r, &reply), DROP_ARP_BAD);
		assert_false(reply);
	}
	struct arp_pkt ours = {.op = ARP_REQUEST, .spa = 0x0a000001, .tpa = 0x0a000001, .sha = {2, 0, 0, 0, 0, 0xa}};
	assert_int_equal(arp_input(&x->e, &x->c, &me, &ours, true, true, &ready, &r, &reply), DROP_ARP_BAD);
	/* a probe teaches nothing and is answered */
	struct arp_pkt probe = {.op = ARP_REQUEST, .spa = 0, .tpa = 0x0a000001, .sha = {2, 0, 0, 0, 0, 0xa}};
	assert_int_equal(arp_input(&x->e, &x->c, &me, &probe, true, false, &ready, &r, &reply), DROP_NONE);
	assert_true(reply);
	assert_int_equal(x->c.pool.n_used, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_ARP_004__packets_wait_and_leave_in_order), T(req_ARP_004__queue_is_capped_and_keeps_the_latest),
		T(req_ARP_004__queue_counts_memory),
		T(req_ARP_003__asks_three_times_a_second_apart_then_fails), T(req_ARP_003__entries_expire),
		T(neigh__stale_is_used_then_probed_by_unicast), T(req_ARP_006__unsolicited_replies_create_nothing),
		T(req_ARP_006__a_scan_cannot_push_out_resolved_ones), T(neigh__changed_mac_raises_the_generation),
		T(neigh__permanent_ones_do_not_stop_eviction), T(neigh_confirm__each_state),
		T(req_ARP_001__request_for_us_is_answered_and_learnt), T(req_ARP_002__false_senders_are_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
