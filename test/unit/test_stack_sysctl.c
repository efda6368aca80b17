/* Linux's names of settings: what they set, what they refuse (sysctl(8), Linux's ip-sysctl.rst), and that connections obey. */
#include <errno.h>

#include "stack/state.h"
#include "tcp/fastopen.h"
#include "test/unit/tcp_harness.h"
#include <viaduct/viaduct.h>

static struct th t;

static struct via *stack(void)
{
	struct via *v = via_host_stack_new(NULL);
	assert_non_null(v);
	return v;
}

static void sysctl__names_and_numbers(void **state)
{
	struct via *v = stack();
	assert_int_equal(via_sysctl(v, "net.ipv4.ip_default_ttl", "17"), 0);
	assert_int_equal(v->st->ttl, 17);
	assert_int_equal(via_sysctl(v, "ip_default_ttl", " 0x20\n"), 0);
	assert_int_equal(v->st->ttl, 32);
	assert_int_equal(via_sysctl(v, "tcp_rmem", "4096\t540000 15728640"), 0);
	assert_int_equal(tcp_settings_of(&v->tcp)->rmem, 540000);
	assert_int_equal(tcp_settings_of(&v->tcp)->rmem_max, 15728640);
	assert_int_equal(via_sysctl(v, "tcp_wmem", "4096 262144 4194304"), 0);
	assert_int_equal(tcp_settings_of(&v->tcp)->wmem, 262144);
	assert_int_equal(via_sysctl(v, "tcp_sack", "0"), 0);
	assert_true(tcp_settings_of(&v->tcp)->no_sack);
	assert_int_equal(via_sysctl(v, "tcp_sack", "1"), 0);
	assert_false(tcp_settings_of(&v->tcp)->no_sack);
	assert_int_equal(via_sysctl(v, "tcp_syn_retries", "2"), 0);
	assert_int_equal(tcp_settings_of(&v->tcp)->syn_retries, 2);
	assert_int_equal(via_sysctl(v, "tcp_fastopen", "459779"), 0); /* 0x70403: Linux takes bits that mean nothing, and scripts set them */
	assert_int_equal(tcp_settings_of(&v->tcp)->fastopen & 0x607, TCP_FASTOPEN_CLIENT | TCP_FASTOPEN_SERVER | TCP_FASTOPEN_EVERY_LISTENER);
	assert_int_equal(via_sysctl(v, "tcp_fastopen", "-1"), -EINVAL);
	via_host_stack_free(v);
}

/* The cookies for which packetdrill's public scripts fastopen/server/simple1 to 3 ask of Linux. The first key of two makes them. */
static void sysctl__the_key_of_fast_open(void **state)
{
	static const struct {
		uint32_t local, remote;
		const char *key;
		uint8_t want[8];
	} tests[] = {
		{0xc0a80002, 0x0af80002, "a0bf63f7-ed803d81-cd641d30-cebc4a90", {0x00, 0xab, 0xaa, 0xab, 0xe8, 0xe9, 0x54, 0xc2}},
		{0xc0a80001, 0xc0000201, "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", {0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb}},
		{0xc0a80001, 0xc0000201, "0-0-0-0,a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4\n", {0xb7, 0xc1, 0x23, 0x50, 0xa9, 0x0d, 0xc8, 0xf5}},
	};
	struct via *v = stack();
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		struct tcp_listener l = {.fo_n_keys = 0};
		struct tcp_path p = {.local = via_addr_v4(tests[i].local), .remote = via_addr_v4(tests[i].remote)};
		struct tcp_hdr h = {.has_fo = false};
		assert_int_equal(via_sysctl(v, "tcp_fastopen_key", tests[i].key), 0);
		tcp_fastopen_give(&v->tcp, &l, &p, &h);
		assert_int_equal(h.fo_len, 8);
		assert_memory_equal(h.fo, tests[i].want, 8);
	}
	assert_int_equal(tcp_settings_of(&v->tcp)->fo_n_keys, 2);
	static const char *const bad[] = {
		"", "1-2-3", "1-2-3-4-5", "1-2-3-g", "1-2-3-123456789", "1-2-3-4,", "1-2-3-4,5-6-7", "1,2,3,4", "1-2--4",
		"1-2-3-4,5-6-7-8,9-a-b-c", "1-2-3-4 5",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(via_sysctl(v, "tcp_fastopen_key", bad[i]), -EINVAL);
	struct via_change c = {.kind = VIA_SET, .setting = VIA_SET_TCP_FASTOPEN_KEY, .value = 16};
	assert_int_equal(via_configure(v, &c), -EINVAL);
	c.key = (const uint8_t[32]){0};
	c.value = 15;
	assert_int_equal(via_configure(v, &c), -EINVAL);
	assert_int_equal(tcp_settings_of(&v->tcp)->fo_n_keys, 2);
	c.value = 0;
	assert_int_equal(via_configure(v, &c), 0);
	assert_int_equal(tcp_settings_of(&v->tcp)->fo_n_keys, 0);
	via_host_stack_free(v);
}

static void sysctl__what_is_wrong(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "-", "300", "0", "-1", "99999999999999999999", "0x"};
	struct via *v = stack();
	assert_int_equal(via_sysctl(v, "net.ipv4.tcp_no_such_thing", "1"), -ENOENT);
	assert_int_equal(via_sysctl(v, "net.ipv6.ip_default_ttl", "1"), -ENOENT);
	assert_int_equal(via_sysctl(v, "", "1"), -ENOENT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(via_sysctl(v, "ip_default_ttl", bad[i]), -EINVAL);
		assert_int_equal(via_sysctl(v, "tcp_syn_retries", bad[i]), -EINVAL);
	}
	assert_int_equal(via_sysctl(v, "tcp_rmem", "4096"), -EINVAL); /* the middle one counts */
	assert_int_equal(v->st->ttl, 64);
	via_host_stack_free(v);
}

static void sysctl__every_name_is_known_once(void **state)
{
	struct via *v = stack();
	int n = 0;
	for (const char *a; (a = via_sysctl_name(n)) != NULL; n++) {
		assert_int_not_equal(via_sysctl(v, a, ""), -ENOENT);
		for (int m = 0; m < n; m++)
			assert_string_not_equal(via_sysctl_name(m), a);
	}
	assert_true(n >= 8);
	assert_null(via_sysctl_name(-1));
	via_host_stack_free(v);
}

/* What is switched off is neither offered (RFC 7323 §1.3, RFC 2018 §2) nor agreed to. */
static void settings__options_of_syns(void **state)
{
	struct peer q = {.iss = 5000, .wnd = 60000};
	struct tcp_hdr all = {.has_mss = true, .mss = 1000, .sack_permitted = true, .has_ws = true, .ws = 3};
	th_init(&t, TH_A, TH_B, NULL, 1);
	struct tcp_settings *set = tcp_settings_of(&t.env);
	set->no_sack = set->no_timestamps = set->no_scaling = true;
	ref_t c = th_connect(&t, &q, &all, NULL);
	const struct tcp_conn *conn = th_conn(&t, c);
	assert_int_equal(t.out[0].h.flags, TCP_SYN);
	assert_false(t.out[0].h.sack_permitted);
	assert_false(t.out[0].h.has_ts);
	assert_false(t.out[0].h.has_ws);
	assert_false(conn->sack_ok);
	assert_false(conn->ws_ok);
	assert_int_equal(conn->rcv_ws, 0);
	assert_int_equal(conn->snd_ws, 0);
	th_finish(&t, c);
}

/* The window is scaled for the buffer that may come to be (RFC 7323 §2.3: the shift is chosen once). */
static void settings__scale_for_the_largest_buffer(void **state)
{
	struct peer q = {.iss = 5000, .wnd = 60000};
	th_init(&t, TH_A, TH_B, NULL, 1);
	tcp_settings_of(&t.env)->rmem = 2 * 65535;
	tcp_settings_of(&t.env)->rmem_max = 15 << 20;
	ref_t c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000, .has_ws = true, .ws = 0}, NULL);
	assert_int_equal(t.out[0].h.ws, 8); /* 15 MiB >> 8 < 65536 */
	th_finish(&t, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysctl__names_and_numbers), cmocka_unit_test(sysctl__the_key_of_fast_open),
		cmocka_unit_test(sysctl__what_is_wrong),
		cmocka_unit_test(sysctl__every_name_is_known_once), cmocka_unit_test(settings__options_of_syns),
		cmocka_unit_test(settings__scale_for_the_largest_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
