/* Address conflict detection (RFC 5227): the times of probes and announcements, conflicts, how often one tries, defence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stacks.h"
#include "wire/arp.h"

#define A 0x0a000001u
#define B 0x0a000002u

static const uint8_t foreign[6] = {2, 8, 8, 8, 8, 8};

/* ARP packets that stack b sent, and when. */
struct heard {
	struct net *t;
	struct trace before;
	struct arp_pkt arp[200];
	int64_t at[200];
	int n;
};

static void heard_emit(void *ctx, const struct trace_event *e)
{
	struct heard *h = ctx;
	uint8_t f[ETH_HLEN + ARP_LEN];
	h->before.emit(h->before.ctx, e);
	if (e->kind != TRACE_TX || strcmp(e->stack, "b") != 0 || pkt_copy_out(&h->t->mem, e->pkt, 0, f, sizeof(f)) != sizeof(f) || h->n == 200)
		return;
	if (get_be16(f + 12) == ETHERTYPE_ARP && arp_parse(f + ETH_HLEN, ARP_LEN, &h->arp[h->n]) == 0)
		h->at[h->n++] = e->now;
}

/* a has its address; b has none. */
static struct net *two(struct heard *h)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
	assert_int_equal(net_addr(a, ia, A, 24), 0);
	assert_true(net_run(t, t->now + NS_PER_MS));
	*h = (struct heard){.t = t, .before = t->trace};
	t->trace = (struct trace){.emit = heard_emit, .ctx = h};
	return t;
}

static int probe(struct net *t, int who, uint32_t addr)
{
	struct via_change c = {.kind = VIA_ADDR_PROBE, .ifindex = 2, .addr = via_addr_v4(addr), .plen = 24};
	return via_configure(t->v[who], &c);
}

static int forget(struct net *t, int who, uint32_t addr)
{
	struct via_change c = {.kind = VIA_ADDR_DEL, .ifindex = 2, .addr = via_addr_v4(addr), .plen = 24};
	return via_configure(t->v[who], &c);
}

static enum via_acd_state state_of(struct net *t, int who, uint32_t addr)
{
	struct via_acd_info i = {.size = sizeof(i)};
	for (int n = 0; via_acd_get(t->v[who], n, &i); n++)
		if (via_addr_to_v4(&i.addr) == addr)
			return i.state;
	fail_msg("nothing is known of it");
	return VIA_ACD_CONFLICT;
}

static bool uses(struct net *t, int who, uint32_t addr)
{
	struct via_addr a = via_addr_v4(addr);
	return stack_addr_is_ours(t->v[who], &a);
}

/* An ARP packet by the wire, for stack b. */
static void inject(struct net *t, uint16_t op, uint32_t spa, uint32_t tpa)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct arp_pkt a = {.op = op, .spa = spa, .tpa = tpa};
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	memcpy(a.sha, foreign, 6);
	eth_emit(pkt_put(p, ETH_HLEN), all, foreign, ETHERTYPE_ARP);
	arp_emit(pkt_put(p, ARP_LEN), &a);
	via_rx_burst(t->v[1], 2, &p, 1, t->now);
	assert_true(net_run(t, t->now + NS_PER_MS));
}

static void req_ARP_005__three_probes_then_two_announcements(void **state)
{
	int64_t shortest = INT64_MAX, longest = 0;
	for (int seed = 0; seed < 20; seed++) {
		static struct heard h;
		struct net *t = two(&h);
		for (int k = 0; k < seed; k++) /* other random numbers */
			prf_next(&t->v[1]->st->acd_random);
		int64_t begun = t->now;
		assert_int_equal(probe(t, 1, B), 0);
		assert_true(net_run(t, begun + 4 * NS_PER_S));
		assert_int_equal(state_of(t, 1, B), VIA_ACD_PROBING);
		assert_false(uses(t, 1, B)); /* not before it is known to be free */
		assert_true(net_run(t, begun + 30 * NS_PER_S));
		assert_int_equal(state_of(t, 1, B), VIA_ACD_IN_USE);
		assert_true(uses(t, 1, B));
		assert_int_equal(h.n, 5);
		for (int k = 0; k < 5; k++) {
			int64_t gap = h.at[k] - (k ? h.at[k - 1] : begun);
			assert_int_equal(h.arp[k].op, ARP_REQUEST);
			assert_int_equal(h.arp[k].spa, k < 3 ? 0 : B);
			assert_int_equal(h.arp[k].tpa, B);
			if (k == 0)
				assert_in_range(gap, 0, NS_PER_S + 2 * NS_PER_MS);
			else if (k < 3)
				assert_in_range(gap, NS_PER_S, 2 * NS_PER_S + 2 * NS_PER_MS);
			else
				assert_in_range(gap, 2 * NS_PER_S, 2 * NS_PER_S + 2 * NS_PER_MS);
			shortest = k == 1 ? MIN(shortest, gap) : shortest;
			longest = k == 1 ? MAX(longest, gap) : longest;
		}
		net_free(t);
	}
	assert_true(longest - shortest > 500 * NS_PER_MS); /* at random in between */
}

static void req_ARP_005__whoever_has_it_keeps_it(void **state)
{
	static struct heard h;
	struct net *t = two(&h);
	assert_int_equal(probe(t, 1, A), 0);
	assert_true(net_run(t, t->now + 30 * NS_PER_S));
	assert_int_equal(state_of(t, 1, A), VIA_ACD_CONFLICT);
	assert_false(uses(t, 1, A));
	assert_true(uses(t, 0, A));
	assert_int_equal(h.n, 1); /* one probe, and it was answered */
	assert_int_equal(net_counter(t->v[0], "arp.conflicts"), 0); /* a probe claims nothing */
	/* another address: fine */
	assert_int_equal(probe(t, 1, B), 0);
	assert_true(net_run(t, t->now + 30 * NS_PER_S));
	assert_true(uses(t, 1, B));
	assert_int_equal(forget(t, 1, A), 0);
	assert_int_equal(forget(t, 1, B), 0);
	assert_false(uses(t, 1, B));
	assert_int_equal(forget(t, 1, B), -EADDRNOTAVAIL);
	/* who has it may also just speak, at any time of the probing; and two that probe at once are in conflict */
	for (int kind = 0; kind < 3; kind++) {
		uint32_t addr = B + 1 + (uint32_t)kind;
		assert_int_equal(probe(t, 1, addr), 0);
		assert_true(net_run(t, t->now + 2 * NS_PER_S));
		inject(t, ARP_REQUEST, 0, addr + 100); /* about others */
		inject(t, ARP_REPLY, A + 100, addr);
		assert_int_equal(state_of(t, 1, addr), VIA_ACD_PROBING);
		inject(t, kind == 1 ? ARP_REPLY : ARP_REQUEST, kind == 2 ? 0 : addr, kind == 2 ? addr : A);
		assert_int_equal(state_of(t, 1, addr), VIA_ACD_CONFLICT);
		assert_true(net_run(t, t->now + 20 * NS_PER_S));
		assert_false(uses(t, 1, addr));
	}
	net_free(t);
}

static void req_ARP_005__after_ten_conflicts_one_try_a_minute(void **state)
{
	static struct heard h;
	struct net *t = two(&h);
	for (int i = 0; i < 14; i++) {
		int64_t begun = t->now;
		int before = h.n;
		assert_int_equal(probe(t, 1, A), 0);
		assert_true(net_run(t, t->now + 70 * NS_PER_S));
		assert_int_equal(h.n, before + 1);
		assert_int_equal(state_of(t, 1, A), VIA_ACD_CONFLICT);
		if (i < 10)
			assert_true(h.at[before] - begun <= NS_PER_S + 2 * NS_PER_MS);
		else
			assert_true(h.at[before] - begun >= 60 * NS_PER_S);
	}
	assert_int_equal(probe(t, 1, B), 0); /* one that is free ends it */
	assert_true(net_run(t, t->now + 80 * NS_PER_S));
	assert_true(uses(t, 1, B));
	int before = h.n;
	assert_int_equal(probe(t, 1, A), 0);
	assert_true(net_run(t, t->now + 2 * NS_PER_S));
	assert_int_equal(h.n, before + 1);
	net_free(t);
}

static void req_ARP_005__defence_at_most_once_in_ten_seconds(void **state)
{
	for (int is_probed = 0; is_probed < 2; is_probed++) {
		static struct heard h;
		struct net *t = two(&h);
		if (is_probed)
			assert_int_equal(probe(t, 1, B), 0);
		else
			assert_int_equal(net_addr(t->v[1], 2, B, 24), 0);
		assert_true(net_run(t, t->now + 30 * NS_PER_S));
		int before = h.n;
		inject(t, ARP_REQUEST, B, B);
		assert_int_equal(h.n, before + 1); /* one announcement: it is ours */
		assert_int_equal(h.arp[before].spa, B);
		assert_int_equal(h.arp[before].tpa, B);
		assert_true(uses(t, 1, B));
		assert_true(net_run(t, t->now + 11 * NS_PER_S));
		inject(t, ARP_REPLY, B, A);
		assert_int_equal(h.n, before + 2); /* later: again */
		for (int i = 0; i < 4; i++) {
			assert_true(net_run(t, t->now + 2 * NS_PER_S));
			inject(t, ARP_REQUEST, B, A);
		}
		assert_int_equal(h.n, before + 2); /* no war; what was probed for is given up, what was configured stays */
		assert_int_equal(uses(t, 1, B), !is_probed);
		if (is_probed)
			assert_int_equal(state_of(t, 1, B), VIA_ACD_CONFLICT);
		assert_int_equal(net_counter(t->v[1], "arp.conflicts"), is_probed ? 3 : 6);
		net_free(t);
	}
}

static void acd__limits_and_links(void **state)
{
	static struct heard h;
	struct net *t = two(&h);
	assert_int_equal(probe(t, 0, A), -EEXIST);
	assert_int_equal(probe(t, 1, 0xe0000001), -EINVAL);
	assert_int_equal(probe(t, 1, 0), -EINVAL);
	struct via_change none = {.kind = VIA_ADDR_PROBE, .ifindex = 9, .addr = via_addr_v4(B), .plen = 24};
	assert_int_equal(via_configure(t->v[1], &none), -ENODEV);
	for (uint32_t i = 0; i < ACD_MAX; i++)
		assert_int_equal(probe(t, 1, B + i), 0);
	assert_int_equal(probe(t, 1, B + 99), -ENOSPC);
	assert_int_equal(probe(t, 1, B), 0); /* again: from the beginning */
	/* while the link is down nobody could object: nothing is taken for free */
	struct via_driver *d = t->v[1]->drivers[2];
	d->up = false;
	via_iface_updown(t->v[1], 2);
	assert_true(net_run(t, t->now + 30 * NS_PER_S));
	assert_false(uses(t, 1, B));
	d->up = true;
	via_iface_updown(t->v[1], 2);
	assert_true(net_run(t, t->now + 30 * NS_PER_S));
	assert_true(uses(t, 1, B));
	assert_int_equal(via_iface_remove(t->v[1], 2), 0);
	struct via_acd_info i = {.size = sizeof(i)};
	assert_false(via_acd_get(t->v[1], 0, &i));
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_ARP_005__three_probes_then_two_announcements),
		cmocka_unit_test(req_ARP_005__whoever_has_it_keeps_it),
		cmocka_unit_test(req_ARP_005__after_ten_conflicts_one_try_a_minute),
		cmocka_unit_test(req_ARP_005__defence_at_most_once_in_ten_seconds),
		cmocka_unit_test(acd__limits_and_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
