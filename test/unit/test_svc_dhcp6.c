/* test_svc_dhcp6.c - stateless DHCPv6, both halves against each other and against messages by hand (RFC 8415). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "svc/dhcp6_info.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, server_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t client_id[] = {0, 3, 0, 1, 2, 0, 0, 0, 0, 1}, server_id[] = {0, 3, 0, 1, 2, 0, 0, 0, 0, 9};

static struct dhcp6_server_config server(void)
{
	struct dhcp6_server_config s = {.info = {.n_dns = 2, .refresh_s = 1800}};
	memcpy(s.mac, server_mac, 6);
	s.info.dns[0] = (struct via_addr){.b = {0x20, 1, 0xd, 0xb8, [15] = 0x53}};
	s.info.dns[1] = (struct via_addr){.b = {0xfd, [15] = 0x53}};
	return s;
}

/* The client's first message. */
static size_t first(struct dhcp6_client *c, int64_t now, uint8_t *out)
{
	dhcp6_client_start(c, mac, (struct prf_key){1, 2}, now);
	assert_true(c->deadline >= now && c->deadline <= now + NS_PER_S); /* INF_MAX_DELAY */
	return dhcp6_client_timeout(c, c->deadline, out);
}

static void dhcp6__a_client_learns_name_servers(void **state)
{
	struct dhcp6_client c;
	struct dhcp6_server_config s = server();
	uint8_t q[DHCP6_MSG_MAX], r[DHCP6_MSG_MAX];
	size_t n = first(&c, 5 * NS_PER_S, q), m = dhcp6_server_input(&s, q, n, r);
	int64_t now = c.began + NS_PER_MS;
	assert_int_equal(q[0], DHCP6_INFORMATION_REQUEST);
	assert_true(m > 0);
	assert_int_equal(r[0], DHCP6_REPLY);
	assert_memory_equal(r + 1, q + 1, 3);
	assert_true(dhcp6_client_input(&c, r, m, now));
	assert_int_equal(c.info.n_dns, 2);
	assert_true(via_addr_eq(&c.info.dns[0], &s.info.dns[0]));
	assert_int_equal(c.deadline, now + 1800 * NS_PER_S);
	assert_false(dhcp6_client_input(&c, r, m, now)); /* nothing is asked any more */
	uint32_t xid = c.xid;
	assert_int_equal(dhcp6_client_timeout(&c, c.deadline - 1, q), 0);
	n = dhcp6_client_timeout(&c, c.deadline, q); /* refreshed, by another exchange */
	assert_true(n > 0 && c.xid != xid);
	assert_true(dhcp6_client_input(&c, r, dhcp6_server_input(&s, q, n, r), c.began));
}

/* RFC 8415 §15: RT doubles from 1 s, a tenth more or less, to INF_MAX_RT; elapsed time is told in hundredths. */
static void dhcp6__repeats(void **state)
{
	struct dhcp6_client c;
	struct dhcp6_msg m;
	uint8_t q[DHCP6_MSG_MAX];
	uint32_t elapsed, xid;
	size_t n = first(&c, 0, q);
	int64_t last = c.began, gap, before = NS_PER_S;
	xid = c.xid;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(dhcp6_parse(q, n, &m), 0);
		assert_int_equal(m.xid, xid);
		assert_true(dhcp6_option_u32(&m, DHCP6_OPT_ELAPSED, 2, &elapsed));
		int64_t waited = (last - c.began) / (10 * NS_PER_MS);
		assert_int_equal(elapsed, MIN(waited, 65535));
		gap = c.deadline - last;
		int64_t low = i ? 2 * before - before / 10 : NS_PER_S * 9 / 10, high = i ? 2 * before + before / 10 : NS_PER_S * 11 / 10;
		if (high > 3600 * NS_PER_S) /* then it is the most, a tenth more or less */
			high = 3960 * NS_PER_S;
		assert_true(gap >= MIN(low, 3240 * NS_PER_S) - 1 && gap <= high + 1);
		before = gap;
		last = c.deadline;
		n = dhcp6_client_timeout(&c, c.deadline, q);
	}
	assert_true(gap >= 3240 * NS_PER_S);
}

/* A REPLY of the client's making, and one thing wrong with it at a time. */
static void dhcp6__what_is_not_ours_is_ignored(void **state)
{
	for (int wrong = 0; wrong <= 6; wrong++) {
		struct dhcp6_client c;
		uint8_t q[DHCP6_MSG_MAX], r[DHCP6_MSG_MAX], id[sizeof(client_id)];
		first(&c, 0, q);
		memcpy(id, client_id, sizeof(id));
		id[9] ^= wrong == 3;
		struct writer w = dhcp6_begin(r, sizeof(r), wrong == 1 ? 2 : DHCP6_REPLY, c.xid ^ (wrong == 2));
		if (wrong != 4)
			dhcp6_put(&w, DHCP6_OPT_CLIENTID, id, sizeof(id));
		if (wrong != 5)
			dhcp6_put(&w, DHCP6_OPT_SERVERID, server_id, sizeof(server_id));
		dhcp6_put(&w, DHCP6_OPT_REFRESH, "\0\0\0\1", 4);
		size_t len = (size_t)(w.p - r) - (wrong == 6);
		assert_int_equal(dhcp6_client_input(&c, r, len, 0), wrong == 0);
		assert_int_equal(c.n_ignored, wrong != 0);
		if (!wrong)
			assert_int_equal(c.info.refresh_s, DHCP6_REFRESH_MIN_S); /* IRT_MINIMUM */
	}
}

static void dhcp6__servers_that_cannot_be_are_not_taken(void **state)
{
	struct dhcp6_client c;
	uint8_t q[DHCP6_MSG_MAX], r[DHCP6_MSG_MAX], dns[16 * 6] = {0};
	first(&c, 0, q);
	dns[16] = 0xff;          /* a group; before it, :: */
	dns[32 + 15] = 1;        /* ::1 */
	dns[48 + 10] = dns[48 + 11] = 0xff; /* an IPv4 address */
	dns[64] = dns[80] = 0x20;
	struct writer w = dhcp6_begin(r, sizeof(r), DHCP6_REPLY, c.xid);
	dhcp6_put(&w, DHCP6_OPT_CLIENTID, client_id, sizeof(client_id));
	dhcp6_put(&w, DHCP6_OPT_SERVERID, server_id, sizeof(server_id));
	dhcp6_put(&w, DHCP6_OPT_DNS, dns, sizeof(dns));
	assert_true(dhcp6_client_input(&c, r, (size_t)(w.p - r), 0));
	assert_int_equal(c.info.n_dns, 2);
	assert_int_equal(c.info.refresh_s, DHCP6_REFRESH_DEFAULT_S);
}

/* §16.12: for another server, or with addresses asked for: discarded. Options only when wanted. */
static void dhcp6__what_a_server_answers(void **state)
{
	struct dhcp6_server_config s = server();
	uint8_t q[DHCP6_MSG_MAX], r[DHCP6_MSG_MAX], other[sizeof(server_id)];
	uint16_t len;
	struct dhcp6_msg m;
	memcpy(other, server_id, sizeof(other));
	other[9] ^= 1;
	for (int i = 0; i < 7; i++) {
		struct writer w = dhcp6_begin(q, sizeof(q), i == 6 ? 1 : DHCP6_INFORMATION_REQUEST, 0x123456);
		if (i == 1 || i == 2)
			dhcp6_put(&w, DHCP6_OPT_SERVERID, i == 1 ? server_id : other, sizeof(other));
		if (i >= 3 && i <= 5)
			dhcp6_put(&w, (uint16_t[]){DHCP6_OPT_IA_NA, DHCP6_OPT_IA_TA, DHCP6_OPT_IA_PD}[i - 3], "1234", 4);
		if (i == 1)
			dhcp6_put(&w, DHCP6_OPT_ORO, "\0\40", 2);
		size_t n = dhcp6_server_input(&s, q, (size_t)(w.p - q), r);
		assert_int_equal(n > 0, i < 2);
		if (!n)
			continue;
		assert_int_equal(dhcp6_parse(r, n, &m), 0);
		assert_non_null(dhcp6_option(&m, DHCP6_OPT_SERVERID, &len));
		assert_null(dhcp6_option(&m, DHCP6_OPT_CLIENTID, &len));
		assert_int_equal(dhcp6_option(&m, DHCP6_OPT_DNS, &len) != NULL, i == 0);
		assert_non_null(dhcp6_option(&m, DHCP6_OPT_REFRESH, &len));
	}
}

/* Messages with bytes changed by chance: a walk ends, options lie inside. */
static void dhcp6__random_bytes(void **state)
{
	struct rng rng;
	struct dhcp6_client c;
	struct dhcp6_server_config s = server();
	uint8_t q[DHCP6_MSG_MAX], r[DHCP6_MSG_MAX];
	int parsed = 0;
	rng_seed(&rng, 1);
	size_t n = first(&c, 0, q), m = dhcp6_server_input(&s, q, n, r);
	for (int i = 0; i < 20000; i++) {
		uint8_t b[DHCP6_MSG_MAX];
		struct dhcp6_msg g;
		uint16_t len;
		memcpy(b, r, m);
		for (int k = (int)rng_below(&rng, 4); k >= 0; k--)
			b[rng_below(&rng, m)] = (uint8_t)rng_below(&rng, 256);
		size_t cut = rng_below(&rng, 3) ? m : rng_below(&rng, m + 1);
		dhcp6_server_input(&s, b, cut, q);
		dhcp6_client_input(&c, b, cut, 0);
		if (dhcp6_parse(b, cut, &g))
			continue;
		parsed++;
		for (uint16_t code = 0; code < 40; code++) {
			const uint8_t *p = dhcp6_option(&g, code, &len);
			assert_true(!p || (p >= b + DHCP6_HLEN + 4 && p + len <= b + cut));
		}
	}
	assert_true(parsed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dhcp6__a_client_learns_name_servers), cmocka_unit_test(dhcp6__repeats),
		cmocka_unit_test(dhcp6__what_is_not_ours_is_ignored), cmocka_unit_test(dhcp6__servers_that_cannot_be_are_not_taken),
		cmocka_unit_test(dhcp6__what_a_server_answers), cmocka_unit_test(dhcp6__random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
