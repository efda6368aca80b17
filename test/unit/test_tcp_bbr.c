/* BBR on a connection: paced from the first ACK on, its model kept for a while when there is nothing to send, and told by TCP_INFO. */
#include <linux/tcp.h>

#include "tcp/bbr.h"
#include "tcp/cwnd.h"
#include "test/unit/tcp_harness.h"

#define MSS 1000u
#define MS NS_PER_MS

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[20000];

static struct tcp_active *act(void) { return tcp_active_of(&t.env, th_conn(&t, c)); }
static const struct bbr *bbr(void) { return (const struct bbr *)(const void *)act()->cc; }

static void open_bbr(uint64_t pacing_max)
{
	int cc = tcp_cc_find("bbr");
	assert_true(cc > 0);
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = MSS}, &(struct tcp_opts){.cc = (uint8_t)cc, .pacing_max = pacing_max});
}
/* Send n segments, acknowledge them 20 ms later, one by one. from: relative sequence number. */
static void exchange(uint32_t from, uint32_t n)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
	th_flush(&t);
	th_run(&t, 20 * MS);
	for (uint32_t i = 1; i <= n; i++)
		th_send(&t, &q, TCP_ACK, 1, from + i * MSS, NULL, 0);
	th_drain(&t);
}

static void bbr__keeps_its_model_for_ten_seconds(void **state)
{
	open_bbr(0);
	exchange(1, 8);
	assert_non_null(act());
	assert_int_equal(bbr()->min_rtt_us, 20000);
	uint64_t bw = bbr_max_bw(bbr());
	assert_in_range(bw, 390000, 410000); /* 8 kB in 20 ms */
	th_run(&t, 9 * NS_PER_S);
	assert_non_null(act());
	exchange(8001, 1);
	assert_true(bbr_max_bw(bbr()) == bw); /* one segment after silence says nothing of the path */
	th_run(&t, 9 * NS_PER_S);
	assert_non_null(act());
	th_run(&t, 2 * NS_PER_S);
	assert_null(act());
	th_finish(&t, c);
}

/* Others give it back at once. */
static void cubic__gives_its_memory_back_at_once(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = MSS}, NULL);
	exchange(1, 8);
	assert_null(act());
	th_finish(&t, c);
}

/* Silence longer than an RTO does not lower a paced window (tcp/cc_bbr.c says why); a window that is not paced it does (CC-006). */
static void bbr__idle_leaves_the_window(void **state)
{
	open_bbr(0);
	for (uint32_t i = 0; i < 4; i++)
		exchange(1 + i * 8 * MSS, 8);
	uint32_t cwnd = th_conn(&t, c)->cwnd;
	assert_true(cwnd > 14600);
	th_run(&t, 5 * NS_PER_S);
	exchange(1 + 32 * MSS, 1);
	assert_true(th_conn(&t, c)->cwnd >= cwnd);
	th_finish(&t, c);
}

static void bbr__tcp_info_tells_rates(void **state)
{
	struct tcp_info i = {0};
	open_bbr(300000);
	assert_true(tcp_conn_linux_info(&t.env, c, &i, sizeof(i)) == sizeof(i));
	assert_int_equal(i.tcpi_max_pacing_rate, 300000);
	exchange(1, 8);
	tcp_conn_linux_info(&t.env, c, &i, sizeof(i));
	assert_int_equal(i.tcpi_pacing_rate, 300000); /* 2.77 times 400 kB/s, but for the user's limit */
	assert_in_range(i.tcpi_delivery_rate, 390000, 410000);
	th_finish(&t, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bbr__keeps_its_model_for_ten_seconds), cmocka_unit_test(cubic__gives_its_memory_back_at_once),
		cmocka_unit_test(bbr__idle_leaves_the_window), cmocka_unit_test(bbr__tcp_info_tells_rates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
