/* Linux's names of settings: what they set, what they refuse (sysctl(8), Linux's ip-sysctl.rst), and that connections obey. */
#include <errno.h>

#include "stack/state.h"
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
		cmocka_unit_test(sysctl__names_and_numbers), cmocka_unit_test(sysctl__what_is_wrong),
		cmocka_unit_test(sysctl__every_name_is_known_once), cmocka_unit_test(settings__options_of_syns),
		cmocka_unit_test(settings__scale_for_the_largest_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
