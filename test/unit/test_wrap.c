/* test/unit/test_wrap.c - drivers around a driver: faults come at their rates and repeat by seed; narrow takes what fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "driver/pipe.h"
#include "driver/wrap.h"
#include "host/node.h"
#include "pkt/pkt.h"

enum { MEM_BYTES = 16 << 20, FRAME = 60, ROUNDS = 20000 };
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

/* What came out at the other end: how often each number, how many out of order or changed. */
struct tally {
	uint8_t times[ROUNDS];
	int got, lost, twice, late, changed;
};

static void drain(struct via_driver *b, struct tally *t, int64_t *last)
{
	struct pkt *p;
	while (b->ops->rx_burst(b, &p, 1) == 1) {
		uint8_t f[FRAME];
		assert_int_equal(pkt_copy_out(b->mem, p, 0, f, FRAME), FRAME);
		bool same = true;
		for (int i = 4; i < FRAME; i++)
			same &= f[i] == 0x33;
		uint32_t no;
		memcpy(&no, f, 4);
		t->got++;
		if (p->m.corrupted) {
			t->changed++;
		} else {
			assert_true(same);
			assert_true(no < ROUNDS);
			t->times[no]++;
			if (no < *last)
				t->late++;
			*last = MAX(*last, (int64_t)no);
		}
		pkt_free(b->mem, p);
	}
}

static struct tally run(const struct wrap_fault *f)
{
	struct tally t = {{0}, 0, 0, 0, 0, 0};
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct pipe_pair *pair = pipe_new(1024, 1500, 65000, mac_a, mac_b);
	struct via_driver *a = wrap_fault_new(pipe_driver(pair, 0), f), *b = pipe_driver(pair, 1);
	assert_int_equal(a->caps, 0); /* faults act on frames as the wire carries them */
	assert_int_equal(a->gso_max, 0);
	assert_memory_equal(a->mac, mac_a, 6);
	a->mem = b->mem = m;
	int64_t last = -1;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct pkt *p = pkt_new(m, 0);
		memset(pkt_put(p, FRAME), 0x33, FRAME);
		memcpy(pkt_data(p), &i, 4);
		assert_int_equal(a->ops->tx_burst(a, &p, 1, i), 1);
		drain(b, &t, &last);
	}
	/* The last frame may be held: next() says when, and a few polls release it. */
	struct pkt *none;
	for (int i = 0; i < 16 && a->ops->next(a) != INT64_MAX; i++)
		assert_int_equal(a->ops->rx_burst(a, &none, 1), 0);
	assert_int_equal(a->ops->next(a), INT64_MAX);
	drain(b, &t, &last);
	for (int i = 0; i < ROUNDS; i++) {
		t.lost += t.times[i] == 0;
		t.twice += t.times[i] == 2;
	}
	wrap_free(a);
	pipe_free(pair);
	assert_int_equal(pktmem_pkts_used(m), 0);
	host_pktmem_free(m);
	return t;
}

/* 20,000 draws at 5 %: 1,000, standard deviation 30.8; 4.5 of them is chance once in 150,000. */
static void assert_about_1000(int n)
{
	assert_in_range(n, 1000 - 139, 1000 + 139);
}

static void wrap_fault__without_faults_nothing_happens(void **s)
{
	struct tally t = run(&(struct wrap_fault){.seed = 1});
	assert_int_equal(t.got, ROUNDS);
	assert_int_equal(t.lost + t.twice + t.late + t.changed, 0);
}

static void wrap_fault__loses_at_its_rate(void **s)
{
	struct tally t = run(&(struct wrap_fault){.loss_ppb = 50000000, .seed = 2});
	assert_about_1000(t.lost);
	assert_int_equal(t.got + t.lost, ROUNDS);
	assert_int_equal(t.twice + t.late + t.changed, 0);
}

static void wrap_fault__duplicates_at_its_rate(void **s)
{
	struct tally t = run(&(struct wrap_fault){.dup_ppb = 50000000, .seed = 3});
	assert_about_1000(t.twice);
	assert_int_equal(t.got, ROUNDS + t.twice);
	assert_int_equal(t.lost + t.late + t.changed, 0);
}

static void wrap_fault__reorders_at_its_rate_and_loses_none(void **s)
{
	struct tally t = run(&(struct wrap_fault){.reorder_ppb = 50000000, .seed = 4});
	/* One chosen while another is held goes straight through: 5 % x 5 %, about 50, fewer. */
	assert_in_range(t.late, 1000 - 50 - 139, 1000 - 50 + 139);
	assert_int_equal(t.got, ROUNDS);
	assert_int_equal(t.lost + t.twice + t.changed, 0);
}

static void wrap_fault__corrupts_at_its_rate(void **s)
{
	struct tally t = run(&(struct wrap_fault){.corrupt_ppb = 50000000, .seed = 5});
	assert_about_1000(t.changed);
	assert_int_equal(t.got, ROUNDS);
}

static void wrap_fault__same_seed_same_run(void **s)
{
	struct wrap_fault f = {.loss_ppb = 100000000, .dup_ppb = 100000000, .reorder_ppb = 100000000, .seed = 6};
	struct tally a = run(&f), b = run(&f);
	assert_memory_equal(a.times, b.times, sizeof(a.times));
	assert_int_equal(a.late, b.late);
	f.seed = 7;
	struct tally c = run(&f);
	assert_true(memcmp(a.times, c.times, sizeof(a.times)) != 0);
}

static void wrap_fault__inner_pushes_back_and_nothing_is_lost(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct pipe_pair *pair = pipe_new(2, 1500, 0, mac_a, mac_b);
	struct via_driver *a = wrap_fault_new(pipe_driver(pair, 0), &(struct wrap_fault){.seed = 8}), *b = pipe_driver(pair, 1);
	a->mem = b->mem = m;
	struct pkt *p[200];
	for (uint8_t i = 0; i < 200; i++) {
		p[i] = pkt_new(m, 0);
		*pkt_put(p[i], 1) = i;
	}
	int sent = 0, got = 0;
	for (int rounds = 0; got < 200 && rounds < 1000; rounds++) {
		int room = a->ops->tx_room(a), r = a->ops->tx_burst(a, p + sent, 200 - sent, 0);
		assert_true(r >= MIN(room, 200 - sent));
		sent += r;
		struct pkt *q;
		while (b->ops->rx_burst(b, &q, 1) == 1) {
			assert_int_equal(pkt_data(q)[0], got++);
			pkt_free(m, q);
		}
		assert_true(got == 200 || a->ops->next(a) <= 0); /* it says that it can go on */
		assert_int_equal(a->ops->rx_burst(a, &q, 1), 0);
	}
	assert_int_equal(got, 200);
	wrap_free(a);
	pipe_free(pair);
	assert_int_equal(pktmem_pkts_used(m), 0);
	host_pktmem_free(m);
}

static void wrap_narrow__takes_one_packet_per_poll(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct pipe_pair *pair = pipe_new(64, 1500, 0, mac_a, mac_b);
	struct via_driver *a = wrap_narrow_new(pipe_driver(pair, 0), 1), *b = pipe_driver(pair, 1);
	a->mem = b->mem = m;
	struct pkt *p[3], *q;
	for (uint8_t i = 0; i < 3; i++) {
		p[i] = pkt_new(m, 0);
		*pkt_put(p[i], 1) = i;
	}
	assert_int_equal(a->ops->tx_room(a), 1);
	assert_int_equal(a->ops->tx_burst(a, p, 3, 9), 1);
	assert_int_equal(a->ops->tx_room(a), 0);
	assert_int_equal(a->ops->tx_burst(a, p + 1, 2, 9), 0);
	for (int i = 1; i <= 3; i++) {
		assert_true(a->ops->next(a) <= 9); /* wants to be polled */
		assert_int_equal(a->ops->rx_burst(a, &q, 1), 0);
		assert_int_equal(b->ops->rx_burst(b, &q, 1), 1);
		assert_int_equal(pkt_data(q)[0], i - 1);
		pkt_free(m, q);
		assert_int_equal(a->ops->tx_burst(a, p + i, 3 - i, 9), i < 3 ? 1 : 0);
	}
	assert_int_equal(a->ops->next(a), INT64_MAX);
	wrap_free(a);
	pipe_free(pair);
	assert_int_equal(pktmem_pkts_used(m), 0);
	host_pktmem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrap_fault__without_faults_nothing_happens),
		cmocka_unit_test(wrap_fault__loses_at_its_rate),
		cmocka_unit_test(wrap_fault__duplicates_at_its_rate),
		cmocka_unit_test(wrap_fault__reorders_at_its_rate_and_loses_none),
		cmocka_unit_test(wrap_fault__corrupts_at_its_rate),
		cmocka_unit_test(wrap_fault__same_seed_same_run),
		cmocka_unit_test(wrap_fault__inner_pushes_back_and_nothing_is_lost),
		cmocka_unit_test(wrap_narrow__takes_one_packet_per_poll),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
