/* test/unit/test_pipe.c - the virtual wire: order, bounds, push-back, reference or copy, what a wire cannot carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "driver/pipe.h"
#include "host/node.h"
#include "pkt/pkt.h"

enum { MEM_BYTES = 8 << 20, LIMIT = 4, MTU = 1500, GSO = 65000 };
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

struct fixture {
	struct pktmem *ma, *mb;
	struct pipe_pair *pair;
	struct via_driver *a, *b;
};

static struct fixture fixture_new(bool shared, uint32_t gso_max)
{
	struct fixture f = {.ma = host_pktmem_new(MEM_BYTES)};
	f.mb = shared ? f.ma : host_pktmem_new(MEM_BYTES);
	f.pair = pipe_new(LIMIT, MTU, gso_max, mac_a, mac_b);
	f.a = pipe_driver(f.pair, 0);
	f.b = pipe_driver(f.pair, 1);
	f.a->mem = f.ma;
	f.b->mem = f.mb;
	return f;
}

/* Frees all and finds no packet or block left behind. */
static void fixture_free(struct fixture *f)
{
	pipe_free(f->pair);
	assert_int_equal(pktmem_pkts_used(f->ma), 0);
	assert_int_equal(pktmem_blks_used(f->ma), 0);
	assert_int_equal(pktmem_pkts_used(f->mb), 0);
	assert_int_equal(pktmem_blks_used(f->mb), 0);
	if (f->mb != f->ma)
		host_pktmem_free(f->mb);
	host_pktmem_free(f->ma);
}

/* A frame of len bytes whose first byte is tag. */
static struct pkt *frame(struct pktmem *m, uint8_t tag, uint32_t len)
{
	struct pkt *p = pkt_new(m, PKT_HEADROOM);
	assert_non_null(p);
	uint8_t b[512];
	memset(b, 0x55, sizeof(b));
	b[0] = tag;
	for (uint32_t done = 0; done < len; done += sizeof(b)) {
		assert_int_equal(pkt_append(m, p, b, MIN(len - done, (uint32_t)sizeof(b))), 0);
		b[0] = 0x55;
	}
	return p;
}

static int send1(struct via_driver *d, struct pkt *p, int64_t now)
{
	return d->ops->tx_burst(d, &p, 1, now);
}

static struct pkt *recv1(struct via_driver *d)
{
	struct pkt *p = NULL;
	return d->ops->rx_burst(d, &p, 1) == 1 ? p : NULL;
}

static void pipe__delivers_in_order_both_ways(void **s)
{
	struct fixture f = fixture_new(true, 0);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(send1(f.a, frame(f.ma, i, 100), 7), 1);
		assert_int_equal(send1(f.b, frame(f.mb, (uint8_t)(10 + i), 100), 8), 1);
	}
	for (uint8_t i = 0; i < 3; i++) {
		struct pkt *at_b = recv1(f.b), *at_a = recv1(f.a);
		assert_int_equal(pkt_data(at_b)[0], i);
		assert_int_equal(at_b->m.rx_ns, 7);
		assert_int_equal(pkt_data(at_a)[0], 10 + i);
		assert_int_equal(at_a->m.rx_ns, 8);
		pkt_free(f.ma, at_a);
		pkt_free(f.mb, at_b);
	}
	assert_null(recv1(f.a));
	assert_null(recv1(f.b));
	fixture_free(&f);
}

static void pipe__shared_memory_crosses_by_reference(void **s)
{
	struct fixture f = fixture_new(true, GSO);
	struct pkt *p = frame(f.ma, 1, 30000);
	p->m.gso_size = 1448;
	blk_t first = p->slices[0].blk;
	uint32_t blocks = pktmem_blks_used(f.ma);
	assert_true(blocks > 0);
	assert_int_equal(send1(f.a, p, 0), 1);
	struct pkt *q = recv1(f.b);
	assert_ptr_equal(q, p);
	assert_int_equal(q->slices[0].blk, first);
	assert_int_equal(pktmem_blks_used(f.ma), blocks);
	pkt_free(f.mb, q);
	fixture_free(&f);
}

static void pipe__foreign_memory_is_copied(void **s)
{
	struct fixture f = fixture_new(false, GSO);
	struct pkt *p = frame(f.ma, 1, 30000);
	p->m.gso_size = 1448;
	p->m.l3 = (uint16_t)(p->head + 14);
	p->m.csum = PKT_CSUM_PARTIAL;
	uint16_t l3_in = 14;
	assert_int_equal(send1(f.a, p, 5), 1);
	assert_int_equal(pktmem_pkts_used(f.ma), 0);
	assert_int_equal(pktmem_blks_used(f.ma), 0);
	struct pkt *q = recv1(f.b);
	assert_int_equal(q->len, 30000);
	assert_int_equal(q->m.gso_size, 1448);
	assert_int_equal(q->m.csum, PKT_CSUM_PARTIAL);
	assert_int_equal(q->m.l3 - q->head, l3_in);
	uint8_t *got = test_malloc(30000);
	assert_int_equal(pkt_copy_out(f.mb, q, 0, got, 30000), 30000);
	assert_int_equal(got[0], 1);
	for (int i = 1; i < 30000; i++)
		assert_int_equal(got[i], 0x55);
	test_free(got);
	pkt_free(f.mb, q);
	fixture_free(&f);
}

static void pipe__senders_secrets_stay_behind(void **s)
{
	struct fixture f = fixture_new(true, 0);
	struct pkt *p = frame(f.ma, 1, 100);
	p->m.owner = 77;
	p->m.owner_gen = 3;
	p->m.owner_seq_end = 9;
	p->m.flow_hash = 0xabcd;
	p->m.ifindex = 2;
	p->m.id = 1234;
	send1(f.a, p, 0);
	struct pkt *q = recv1(f.b);
	assert_int_equal(q->m.owner, 0);
	assert_int_equal(q->m.owner_gen, 0);
	assert_int_equal(q->m.owner_seq_end, 0);
	assert_int_equal(q->m.flow_hash, 0);
	assert_int_equal(q->m.ifindex, 0);
	assert_int_equal(q->m.id, 1234); /* the trace follows it */
	pkt_free(f.mb, q);
	fixture_free(&f);
}

static void pipe__full_queue_pushes_back_and_wakes(void **s)
{
	struct fixture f = fixture_new(true, 0);
	struct pkt *six[6];
	for (uint8_t i = 0; i < 6; i++)
		six[i] = frame(f.ma, i, 100);
	assert_int_equal(f.a->ops->tx_room(f.a), LIMIT);
	assert_int_equal(f.a->ops->tx_burst(f.a, six, 6, 50), LIMIT);
	assert_int_equal(f.a->ops->tx_room(f.a), 0);
	assert_int_equal(f.a->ops->next(f.a), INT64_MAX); /* no room yet */
	assert_int_equal(f.b->ops->next(f.b), 50);        /* something to receive since 50 */
	pkt_free(f.mb, recv1(f.b));
	assert_int_equal(f.a->ops->tx_room(f.a), 1);
	assert_true(f.a->ops->next(f.a) <= 50); /* room came back: at once */
	struct pkt *none;
	assert_int_equal(f.a->ops->rx_burst(f.a, &none, 1), 0); /* the poll it asked for */
	assert_int_equal(f.a->ops->next(f.a), INT64_MAX);       /* asked once, not for ever */
	assert_int_equal(f.a->ops->tx_burst(f.a, six + 4, 2, 51), 1);
	for (uint8_t i = 1; i <= 4; i++) {
		struct pkt *q = recv1(f.b);
		assert_int_equal(pkt_data(q)[0], i);
		pkt_free(f.mb, q);
	}
	pkt_free(f.ma, six[5]);
	fixture_free(&f);
}

static void pipe__too_long_is_not_carried(void **s)
{
	struct fixture f = fixture_new(true, 0);
	send1(f.a, frame(f.ma, 1, MTU + 14 + 5), 0); /* beyond MTU, Ethernet header and one tag */
	assert_null(recv1(f.b));
	send1(f.a, frame(f.ma, 2, MTU + 14), 0);
	struct pkt *q = recv1(f.b);
	assert_int_equal(pkt_data(q)[0], 2);
	pkt_free(f.mb, q);
	struct pkt *super = frame(f.ma, 3, 9000);
	super->m.gso_size = 1448;
	send1(f.a, super, 0); /* this pipe does not take superframes */
	assert_null(recv1(f.b));
	fixture_free(&f);
}

static void pipe__down_end_hears_nothing(void **s)
{
	struct fixture f = fixture_new(true, 0);
	f.b->up = false;
	assert_int_equal(send1(f.a, frame(f.ma, 1, 100), 0), 1);
	f.b->up = true;
	assert_null(recv1(f.b));
	fixture_free(&f);
}

static void pipe__no_memory_for_the_copy_loses_the_packet(void **s)
{
	struct fixture f = fixture_new(false, 0);
	struct pkt *hog[8192];
	int n = 0;
	while (n < 8192 && (hog[n] = pkt_new(f.mb, 0)) != NULL)
		n++;
	assert_true(n < 8192);
	assert_int_equal(send1(f.a, frame(f.ma, 1, 100), 0), 1);
	assert_int_equal(pktmem_pkts_used(f.ma), 0);
	assert_null(recv1(f.b));
	while (n > 0)
		pkt_free(f.mb, hog[--n]);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipe__delivers_in_order_both_ways),
		cmocka_unit_test(pipe__shared_memory_crosses_by_reference),
		cmocka_unit_test(pipe__foreign_memory_is_copied),
		cmocka_unit_test(pipe__senders_secrets_stay_behind),
		cmocka_unit_test(pipe__full_queue_pushes_back_and_wakes),
		cmocka_unit_test(pipe__too_long_is_not_carried),
		cmocka_unit_test(pipe__down_end_hears_nothing),
		cmocka_unit_test(pipe__no_memory_for_the_copy_loses_the_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
