/* test_dad.c - duplicate address detection of IPv6, the machine alone (RFC 4862 §5.4, RFC 7527). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "link/acd.h"

static const struct via_addr ours = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 5}}, theirs = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 6}};

static struct acd candidate(uint8_t probes)
{
	return (struct acd){.addr = ours, .probes = probes, .gap_ns = NS_PER_S, .nonce = {1, 2, 3, 4, 5, 6}};
}

static void req_SA_001__one_probe_and_a_second_of_silence(void **state)
{
	int64_t least = INT64_MAX, most = 0;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct acd c = candidate(1);
		int64_t next, first = acd_begin(&c, 0, seed * 0x9e3779b97f4a7c15u, 100);
		assert_in_range(first, 100, 100 + NS_PER_S); /* §5.4.2: a random wait up to a second */
		least = MIN(least, first);
		most = MAX(most, first);
		assert_int_equal(acd_timeout(&c, 0, first, &next), ACD_PROBE);
		assert_int_equal(next, first + NS_PER_S);
		assert_int_equal(c.state, ACD_PROBING);
		assert_int_equal(acd_timeout(&c, 0, next, &next), ACD_CLAIM);
		assert_int_equal(next, TIME_NEVER);
		assert_int_equal(c.state, ACD_BOUND);
	}
	assert_true(least < 100 * NS_PER_MS && most > 900 * NS_PER_MS);
	struct acd c = candidate(3); /* DupAddrDetectTransmits */
	c.gap_ns = 250 * NS_PER_MS;
	int64_t next = acd_begin(&c, 0, 0, 0), at = next;
	for (int k = 0; k < 3; k++, at = next) {
		assert_int_equal(acd_timeout(&c, 0, at, &next), ACD_PROBE);
		assert_int_equal(next - at, 250 * NS_PER_MS);
	}
	assert_int_equal(acd_timeout(&c, 0, at, &next), ACD_CLAIM);
}

static void req_SA_002__what_is_a_conflict(void **state)
{
	struct nd_msg ns = {.type = ND_NS, .target = ours}, na = {.type = ND_NA, .target = ours}, other = {.type = ND_NA, .target = theirs};
	for (int phase = ACD_FRESH; phase <= ACD_CONFLICT; phase++) {
		struct acd c = candidate(1);
		bool probing = phase <= ACD_PROBING;
		c.state = (uint8_t)phase;
		assert_int_equal(acd_is_nd_conflict(&c, &na, false), probing);
		assert_int_equal(acd_is_nd_conflict(&c, &ns, true), probing); /* somebody else probes for it too */
		assert_false(acd_is_nd_conflict(&c, &ns, false));            /* somebody resolves it: ignored (§5.4.3) */
		assert_false(acd_is_nd_conflict(&c, &other, false));
		other.type = ND_NS;
		assert_false(acd_is_nd_conflict(&c, &other, true));
	}
}

static void req_SA_002__own_probe_that_comes_back_is_none(void **state)
{
	struct acd c = candidate(1);
	struct nd_msg ns = {.type = ND_NS, .target = ours, .has_nonce = true, .nonce = {1, 2, 3, 4, 5, 6}};
	c.state = ACD_PROBING;
	assert_false(acd_is_nd_conflict(&c, &ns, true));
	ns.nonce[5]++;
	assert_true(acd_is_nd_conflict(&c, &ns, true));
	ns.nonce[5]--;
	ns.has_nonce = false;
	assert_true(acd_is_nd_conflict(&c, &ns, true));
}

/* ARP says nothing about IPv6's addresses. */
static void acd_is_conflict__family(void **state)
{
	struct acd c = candidate(1);
	const uint8_t mac[6] = {2};
	struct arp_pkt a = {.op = ARP_REQUEST, .spa = via_addr_to_v4(&ours), .sha = {4}};
	assert_false(acd_is_conflict(&c, &a, mac));
	c.addr = via_addr_v4(a.spa);
	assert_true(acd_is_conflict(&c, &a, mac));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_SA_001__one_probe_and_a_second_of_silence), cmocka_unit_test(req_SA_002__what_is_a_conflict),
		cmocka_unit_test(req_SA_002__own_probe_that_comes_back_is_none), cmocka_unit_test(acd_is_conflict__family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
