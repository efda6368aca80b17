/* VLAN interfaces of stacks (stack/vlan.c): who hears whom, what is dropped and why, lengths, links that go. And the tag itself
 * (link/vlan.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "link/vlan.h"
#include "stack_flow.h"

#define A10 0x0a0a0001u
#define B10 0x0a0a0002u
#define A20 0x0a140001u
#define B20 0x0a140002u
#define A_PLAIN 0x0a000001u
#define B_PLAIN 0x0a000002u

struct pair {
	struct net *t;
	struct via *a, *b;
	int ia, ib, a10, b10, a20, b20;
};

/* Two hosts on one wire, with addresses untagged, in VLAN 10 and in VLAN 20. */
static struct pair pair_new(uint32_t mtu, uint32_t gso)
{
	struct pair p = {.t = net_new()};
	p.a = net_stack(p.t, "a", false);
	p.b = net_stack(p.t, "b", false);
	net_link(p.t, p.a, p.b, 256, mtu, gso, 0, &p.ia, &p.ib);
	p.a10 = via_vlan_add(p.a, p.ia, 10, "eth0.10");
	p.b10 = via_vlan_add(p.b, p.ib, 10, "eth0.10");
	p.a20 = via_vlan_add(p.a, p.ia, 20, "eth0.20");
	p.b20 = via_vlan_add(p.b, p.ib, 20, "eth0.20");
	assert_true(p.a10 > 0 && p.b10 > 0 && p.a20 > 0 && p.b20 > 0);
	assert_int_equal(net_addr(p.a, p.ia, A_PLAIN, 24), 0);
	assert_int_equal(net_addr(p.b, p.ib, B_PLAIN, 24), 0);
	assert_int_equal(net_addr(p.a, p.a10, A10, 24), 0);
	assert_int_equal(net_addr(p.b, p.b10, B10, 24), 0);
	assert_int_equal(net_addr(p.a, p.a20, A20, 24), 0);
	assert_int_equal(net_addr(p.b, p.b20, B20, 24), 0);
	assert_true(net_run(p.t, p.t->now + NS_PER_S));
	return p;
}

static struct via_iface_info info(struct via *v, int ifindex)
{
	struct via_iface_info f = {.size = sizeof f};
	for (int i = 0; via_iface_get(v, i, &f); i++)
		if (f.ifindex == ifindex)
			return f;
	f.ifindex = 0;
	return f;
}

static void vlan__streams_each_in_its_own(void **state)
{
	struct pair p = pair_new(1500, 0);
	struct flow f[3] = {flow_open(p.t, p.a, p.b, B10, 80, 300000), flow_open(p.t, p.b, p.a, A20, 81, 300000),
			    flow_open(p.t, p.a, p.b, B_PLAIN, 82, 300000)};
	struct via_iface_info before = info(p.a, p.a10);
	flow_finish(p.t, f, 3, 60 * NS_PER_S);
	struct via_iface_info ten = info(p.a, p.a10), twenty = info(p.b, p.b20), whole = info(p.a, p.ia);
	assert_int_equal(p.t->seen.drops, 0);
	assert_true(ten.vlan == 10 && ten.parent == p.ia && ten.mtu == 1500 && ten.up);
	assert_memory_equal(ten.mac, whole.mac, 6);
	assert_in_range(ten.tx_bytes - before.tx_bytes, 300000, 330000);
	assert_in_range(twenty.tx_bytes, 300000, 330000);
	assert_true(whole.tx_bytes >= 600000); /* the parent carries them all */
	assert_true(whole.rx_packets > ten.rx_packets);
	net_free(p.t);
}

/* 802.3ac: the tag does not count; 9000 bytes pass, and superframes pass whole or are cut with their tags. */
static void vlan__jumbo_and_superframes(void **state)
{
	for (uint32_t gso = 0; gso <= 65535; gso += 65535) {
		struct pair p = pair_new(9000, gso);
		struct flow f = flow_open(p.t, p.a, p.b, B10, 80, 1 << 20);
		flow_finish(p.t, &f, 1, 60 * NS_PER_S);
		struct via_iface_info ten = info(p.a, p.a10);
		assert_int_equal(p.t->seen.drops, 0);
		if (gso)
			assert_true(p.t->seen.tx_super > 0);
		else
			assert_in_range(ten.tx_packets, (1 << 20) / 8960, (1 << 20) / 8960 + 60);
		net_free(p.t);
	}
}

static void vlan__a_shorter_mtu_of_its_own(void **state)
{
	struct pair p = pair_new(9000, 0);
	struct via_change c = {.kind = VIA_SET, .setting = VIA_SET_IFACE_MTU, .ifindex = p.a10, .value = 1500};
	assert_int_equal(via_configure(p.a, &c), 0);
	assert_int_equal(info(p.a, p.a10).mtu, 1500);
	struct flow f = flow_open(p.t, p.a, p.b, B10, 80, 1 << 20);
	flow_finish(p.t, &f, 1, 60 * NS_PER_S);
	assert_true(info(p.a, p.a10).tx_packets > (1 << 20) / 1460);
	c.value = 9001;
	assert_int_equal(via_configure(p.a, &c), -EINVAL);
	net_free(p.t);
}

/* An echo request for `dst` as b's kernel would send it, with these tags in front of its type. Gives a's drop of that reason since. */
static uint64_t inject(struct pair *p, uint32_t src, uint32_t dst, const uint16_t *tags, int n, enum drop why)
{
	uint8_t frame[14 + 16 + 20 + 8] = {0}, *at = frame;
	struct via_iface_info a = info(p->a, p->ia), b = info(p->b, p->ib);
	struct ip4_hdr h = {.src = src, .dst = dst, .total_len = 28, .hlen = 20, .proto = IPPROTO_N_ICMP, .ttl = 64};
	uint64_t before = p->t->seen.dropped[why];
	memcpy(at, a.mac, 6);
	memcpy(at + 6, b.mac, 6);
	at += 12;
	for (int i = 0; i < n; i++, at += 2)
		put_be16(at, tags[i]);
	put_be16(at, ETHERTYPE_IP4);
	ip4_emit(at + 2, &h);
	at[22] = ICMP4_ECHO;
	put_be16(at + 24, csum_field(csum_add(0, at + 22, 8)));
	struct pkt *q = pkt_new(&p->t->mem, 64);
	assert_non_null(q);
	size_t len = (size_t)(at - frame) + 2 + 28;
	memcpy(pkt_put(q, (uint32_t)len), frame, len);
	via_rx_burst(p->a, p->ia, &q, 1, p->t->now);
	assert_true(net_run(p->t, p->t->now + NS_PER_S));
	return p->t->seen.dropped[why] - before;
}

static void vlan__tags_that_are_dropped(void **state)
{
	struct pair p = pair_new(1500, 0);
	static const uint16_t ten[] = {ETHERTYPE_VLAN, 10}, prio[] = {ETHERTYPE_VLAN, 5 << 13}, ten_prio[] = {ETHERTYPE_VLAN, 3 << 13 | 10},
			      other[] = {ETHERTYPE_VLAN, 30}, twice[] = {ETHERTYPE_VLAN, 10, ETHERTYPE_VLAN, 10},
			      prio_twice[] = {ETHERTYPE_VLAN, 0, ETHERTYPE_VLAN, 10}, provider[] = {ETHERTYPE_SVLAN, 10, ETHERTYPE_VLAN, 10},
			      alone[] = {ETHERTYPE_SVLAN, 10};
	uint64_t echoes = net_counter(p.a, "icmp.echo_answered");
	assert_int_equal(inject(&p, B10, A10, ten, 2, DROP_ETH_VLAN), 0);
	assert_int_equal(inject(&p, B_PLAIN, A_PLAIN, prio, 2, DROP_ETH_VLAN), 0); /* a priority, no VLAN */
	assert_int_equal(inject(&p, B10, A10, ten_prio, 2, DROP_ETH_VLAN), 0);
	assert_int_equal(net_counter(p.a, "icmp.echo_answered"), echoes + 3);
	assert_int_equal(inject(&p, B10, A10, other, 2, DROP_ETH_VLAN), 1);
	assert_int_equal(inject(&p, B10, A10, twice, 4, DROP_ETH_TAGS), 1);
	assert_int_equal(inject(&p, B10, A10, prio_twice, 4, DROP_ETH_TAGS), 1);
	assert_int_equal(inject(&p, B10, A10, provider, 4, DROP_ETH_TAGS), 1);
	assert_int_equal(inject(&p, B10, A10, alone, 2, DROP_ETH_TAGS), 1);
	/* Strong host model: the address of one VLAN is not reached through another, nor untagged. */
	assert_int_equal(inject(&p, B20, A20, ten, 2, DROP_IP_NOT_OURS), 1);
	assert_int_equal(inject(&p, B10, A10, NULL, 0, DROP_IP_NOT_OURS), 1);
	assert_int_equal(net_counter(p.a, "icmp.echo_answered"), echoes + 3);
	net_free(p.t);
}

static void vlan__what_cannot_be(void **state)
{
	struct pair p = pair_new(1500, 0);
	assert_int_equal(via_vlan_add(p.a, 1, 10, "lo.10"), -ENODEV);
	assert_int_equal(via_vlan_add(p.a, 40, 10, "x"), -ENODEV);
	assert_int_equal(via_vlan_add(p.a, p.a10, 11, "eth0.10.11"), -EINVAL); /* a tag in a tag */
	assert_int_equal(via_vlan_add(p.a, p.ia, 0, "eth0.0"), -EINVAL);
	assert_int_equal(via_vlan_add(p.a, p.ia, 4095, "eth0.4095"), -EINVAL);
	assert_int_equal(via_vlan_add(p.a, p.ia, 10, "again"), -EEXIST);
	assert_int_equal(via_vlan_add(p.a, p.ia, 30, "eth0.10"), -EEXIST);
	assert_int_equal(via_vlan_add(p.a, p.ia, 30, "a-name-too-long!"), -EINVAL);
	assert_int_equal(via_vlan_add(p.a, p.ia, 4094, "eth0.4094"), p.a20 + 1);
	net_free(p.t);
}

static void vlan__goes_with_its_parent(void **state)
{
	struct pair p = pair_new(1500, 0);
	struct flow f = flow_open(p.t, p.a, p.b, B10, 80, 400000);
	flow_step(&f);
	assert_true(net_run(p.t, p.t->now + NS_PER_MS / 100));
	struct via_driver *d = p.a->drivers[p.ia];
	d->up = false;
	via_iface_updown(p.a, p.ia);
	assert_false(info(p.a, p.a10).up);
	struct via_sockaddr at = net_at(B20, 9);
	via_sock u = net_open(p.a, VIA_DGRAM);
	assert_int_equal(via_sendto(p.a, u, "x", 1, 0, &at), -ENETUNREACH);
	assert_true(net_run(p.t, p.t->now + 2 * NS_PER_S));
	d->up = true;
	via_iface_updown(p.a, p.ia);
	assert_true(info(p.a, p.a10).up);
	flow_finish(p.t, &f, 1, 120 * NS_PER_S);
	assert_int_equal(via_sendto(p.a, u, "x", 1, 0, &at), 1);
	via_close(p.a, u);
	assert_int_equal(via_iface_remove(p.b, p.b20), 0); /* one alone */
	assert_int_equal(info(p.b, p.b20).ifindex, 0);
	assert_int_equal(info(p.b, p.b10).ifindex, p.b10);
	assert_int_equal(via_iface_remove(p.b, p.ib), 0); /* and all */
	assert_int_equal(info(p.b, p.b10).ifindex, 0);
	assert_int_equal(via_iface_remove(p.b, p.b10), -ENODEV);
	net_free(p.t);
}

/* A router on a stick: in by one tag, out by the other. */
static void vlan__a_router_on_a_stick(void **state)
{
	struct pair p = pair_new(1500, 0);
	struct via *r = net_stack(p.t, "r", true);
	int ir, ia;
	net_link(p.t, p.a, r, 256, 1500, 0, 0, &ia, &ir);
	int r30 = via_vlan_add(r, ir, 30, "eth0.30"), r40 = via_vlan_add(r, ir, 40, "eth0.40"), a30 = via_vlan_add(p.a, ia, 30, "eth1.30");
	assert_true(r30 > 0 && r40 > 0 && a30 > 0);
	assert_int_equal(net_addr(r, r30, 0x0a1e0001, 24), 0);
	assert_int_equal(net_addr(r, r40, 0x0a280001, 24), 0);
	assert_int_equal(net_addr(p.a, a30, 0x0a1e0002, 24), 0);
	assert_int_equal(net_route(p.a, 0x0a280000, 24, 0x0a1e0001), 0);
	struct flow f = flow_open(p.t, p.a, r, 0x0a280001, 80, 100000); /* the router's other address */
	flow_finish(p.t, &f, 1, 60 * NS_PER_S);
	struct via_sockaddr at = net_at(0x0a280009, 9); /* nobody there: asked for in VLAN 40 only */
	via_sock u = net_open(p.a, VIA_DGRAM);
	uint64_t before = info(r, r40).tx_packets;
	assert_int_equal(via_sendto(p.a, u, "x", 1, 0, &at), 1);
	assert_true(net_run(p.t, p.t->now + NS_PER_S / 2));
	assert_int_equal(info(r, r40).tx_packets, before + 1);
	via_close(p.a, u);
	net_free(p.t);
}

/* --- the tag --- */

static void tag__in_another_out(void **state)
{
	struct net *t = net_new();
	struct rng r;
	rng_seed(&r, 3);
	for (int i = 0; i < 20000; i++) {
		uint8_t was[64], is[68];
		uint32_t len = 14 + (uint32_t)rng_below(&r, 50);
		uint16_t vid = (uint16_t)(1 + rng_below(&r, VLAN_ID_MAX)), other = (uint16_t)(1 + rng_below(&r, VLAN_ID_MAX));
		uint16_t room = (uint16_t)rng_below(&r, 8), prio = (uint16_t)(rng_below(&r, 16) << 12);
		struct pkt *p = pkt_new(&t->mem, room);
		struct eth_hdr h;
		for (uint32_t k = 0; k < len; k++)
			was[k] = (uint8_t)rng_u64(&r);
		memcpy(pkt_put(p, len), was, len);
		assert_int_equal(vlan_push(p, vid), room >= 4);
		if (room >= 4) {
			assert_int_equal(pkt_copy_out(&t->mem, p, 0, is, sizeof is), len + 4);
			assert_int_equal(eth_parse(is, len + 4, &h), 0);
			assert_true(h.tagged && h.vlan == vid && h.hlen == 18 && h.type == get_be16(was + 12));
			assert_memory_equal(is, was, 12);
			assert_memory_equal(is + 16, was + 12, len - 12);
			put_be16(pkt_data(p) + 14, vid | prio);
			vlan_set(p, other);
			assert_int_equal(get_be16(pkt_data(p) + 14), other | prio);
			vlan_pop(p);
		}
		assert_int_equal(p->len, len);
		assert_memory_equal(pkt_data(p), was, len);
		pkt_free(&t->mem, p);
	}
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vlan__streams_each_in_its_own),
		cmocka_unit_test(vlan__jumbo_and_superframes),
		cmocka_unit_test(vlan__a_shorter_mtu_of_its_own),
		cmocka_unit_test(vlan__tags_that_are_dropped),
		cmocka_unit_test(vlan__what_cannot_be),
		cmocka_unit_test(vlan__goes_with_its_parent),
		cmocka_unit_test(vlan__a_router_on_a_stick),
		cmocka_unit_test(tag__in_another_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
