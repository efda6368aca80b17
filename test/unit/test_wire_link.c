/* test_wire_link.c - Ethernet and ARP headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/arp.h"
#include "wire/eth.h"

#include <errno.h>

static const uint8_t frame[18] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0, 0xe0, 0x2a, 8, 0};

static void eth_parse__plain(void **state)
{
	uint8_t b[14];
	struct eth_hdr h;
	eth_emit(b, frame, frame + 6, ETHERTYPE_ARP);
	assert_int_equal(eth_parse(b, sizeof(b), &h), 0);
	assert_memory_equal(h.dst, frame, 6);
	assert_memory_equal(h.src, frame + 6, 6);
	assert_int_equal(h.type, 0x0806);
	assert_int_equal(h.hlen, 14);
	assert_false(h.tagged);
	assert_int_equal(h.vlan, 0);
	for (size_t len = 0; len < 14; len++)
		assert_int_equal(eth_parse(b, len, &h), -EINVAL);
}

static void eth_parse__tagged(void **state)
{
	struct eth_hdr h;
	assert_int_equal(eth_parse(frame, sizeof(frame), &h), 0);
	assert_true(h.tagged);
	assert_int_equal(h.vlan, 42); /* the priority bits 111 are not part of it */
	assert_int_equal(h.type, ETHERTYPE_IP4);
	assert_int_equal(h.hlen, 18);
	for (size_t len = 14; len < 18; len++)
		assert_int_equal(eth_parse(frame, len, &h), -EINVAL);
}

static const uint8_t request[28] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};

static void arp_parse__fields(void **state)
{
	struct arp_pkt a;
	assert_int_equal(arp_parse(request, sizeof(request), &a), 0);
	assert_int_equal(a.op, ARP_REQUEST);
	assert_memory_equal(a.sha, request + 8, 6);
	assert_memory_equal(a.tha, request + 18, 6);
	assert_int_equal(a.spa, 0x0a000001);
	assert_int_equal(a.tpa, 0x0a000002);
}

static void arp_emit__parse_gives_it_back(void **state)
{
	uint8_t out[ARP_LEN];
	struct arp_pkt a;
	assert_int_equal(arp_parse(request, sizeof(request), &a), 0);
	arp_emit(out, &a);
	assert_memory_equal(out, request, sizeof(request));
}

static void req_ARP_002__types_lengths_and_size(void **state)
{
	struct arp_pkt a;
	for (size_t at = 0; at < 6; at++) { /* hardware type, protocol type, both lengths */
		uint8_t b[28];
		memcpy(b, request, sizeof(b));
		b[at] ^= 0x10;
		assert_int_equal(arp_parse(b, sizeof(b), &a), -EINVAL);
	}
	for (size_t len = 0; len < 28; len++)
		assert_int_equal(arp_parse(request, len, &a), -EINVAL);
	uint8_t padded[46] = {0}; /* Ethernet's minimum */
	memcpy(padded, request, sizeof(request));
	assert_int_equal(arp_parse(padded, sizeof(padded), &a), 0);
}

static void req_ARP_002__broadcast_or_multicast_sender_is_refused(void **state)
{
	struct arp_pkt a;
	uint8_t b[28];
	memcpy(b, request, sizeof(b));
	memset(b + 8, 0xff, 6);
	assert_int_equal(arp_parse(b, sizeof(b), &a), -EINVAL);
	memcpy(b + 8, (const uint8_t[]){1, 0, 0x5e, 0, 0, 1}, 6);
	assert_int_equal(arp_parse(b, sizeof(b), &a), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eth_parse__plain),
		cmocka_unit_test(eth_parse__tagged),
		cmocka_unit_test(arp_parse__fields),
		cmocka_unit_test(arp_emit__parse_gives_it_back),
		cmocka_unit_test(req_ARP_002__types_lengths_and_size),
		cmocka_unit_test(req_ARP_002__broadcast_or_multicast_sender_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
