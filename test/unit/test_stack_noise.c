/* Noise: frames of real traffic, damaged at random, thrown at a host and a router. Nothing may crash or leak, each frame
 * taken ends somewhere, and both still answer afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "stacks.h"

enum { KEEP = 256, FRAMES = 30000, SEEDS = 10 };

static struct {
	uint8_t bytes[KEEP][1600];
	uint32_t len[KEEP];
	int n;
} kept;

static void keep_emit(void *ctx, const struct trace_event *e)
{
	struct net *t = ctx;
	if (e->kind == TRACE_RX && e->pkt && e->pkt->len <= sizeof(kept.bytes[0])) {
		int k = kept.n++ % KEEP;
		kept.len[k] = pkt_copy_out(&t->mem, e->pkt, 0, kept.bytes[k], sizeof(kept.bytes[0]));
	}
	net_emit(ctx, e);
}

/* A frame of the kept ones with some of it changed; sometimes repaired so that it gets past the checksums. */
static struct pkt *damaged(struct net *t, struct rng *r)
{
	int k = (int)rng_below(r, (uint64_t)MIN(kept.n, KEEP));
	uint8_t b[1600];
	uint32_t len = kept.len[k];
	memcpy(b, kept.bytes[k], len);
	for (uint64_t i = rng_below(r, 4); i > 0 && len > 0; i--)
		b[rng_below(r, MIN(len, 80))] = (uint8_t)rng_u64(r);
	if (rng_below(r, 4) == 0)
		len = (uint32_t)rng_below(r, len + 1);
	uint32_t hlen = len > 34 ? (b[14] & 15) * 4u : 0;
	if (rng_below(r, 2) && hlen >= 20 && 14 + hlen <= len) {
		put_be16(b + 24, 0);
		put_be16(b + 24, csum_field(csum_add(0, b + 14, hlen)));
	}
	struct pkt *p = pkt_new(&t->mem, PKT_HEADROOM);
	uint32_t linear = (uint32_t)rng_below(r, len + 1);
	pkt_append(&t->mem, p, b, linear);
	if (linear < len) { /* the rest in a block, as a driver with scattered buffers gives it */
		blk_t blk = blk_new(&t->mem);
		memcpy(blk_data(&t->mem, blk), b + linear, len - linear);
		pkt_append_slice(&t->mem, p, blk, 0, len - linear);
		blk_drop(&t->mem, blk);
	}
	p->m.rx_ns = t->now;
	if (rng_below(r, 8) == 0)
		p->m.csum = PKT_CSUM_VERIFIED;
	if (rng_below(r, 8) == 0) {
		p->m.gso = (uint8_t)rng_below(r, 4);
		p->m.gso_size = (uint16_t)rng_below(r, 2000);
		p->m.gso_segs = (uint16_t)rng_below(r, 4);
	}
	return p;
}

static void converse(struct net *t, uint32_t to)
{
	via_sock l = net_open(t->v[2], VIA_STREAM), s = net_open(t->v[0], VIA_STREAM), in = 0, u = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr any = net_at(0, 80), at = net_at(to, 80), none = net_at(to, 81);
	static char buf[20000];
	int64_t got = 0, k;
	assert_int_equal(via_bind(t->v[2], l, &any), 0);
	assert_int_equal(via_listen(t->v[2], l, 4), 0);
	assert_int_equal(via_connect(t->v[0], s, &at), -EINPROGRESS);
	via_sendto(t->v[0], u, buf, 100, 0, &none);
	for (int step = 0; step < 20000 && got < (int64_t)sizeof(buf); step++) {
		if (got == 0 && step % 100 == 0)
			via_send(t->v[0], s, buf, sizeof(buf), 0);
		if (!in)
			via_accept(t->v[2], l, 0, &in, NULL);
		while (in && (k = via_recv(t->v[2], in, buf, sizeof(buf), 0)) > 0)
			got += k;
		assert_true(net_run(t, t->now + NS_PER_MS));
	}
	assert_true(got >= (int64_t)sizeof(buf));
	via_abort(t->v[0], s);
	via_abort(t->v[2], in);
	via_close(t->v[2], l);
	via_close(t->v[0], u);
	assert_true(net_run(t, t->now + NS_PER_S));
}

static void noise(uint64_t seed)
{
	struct net *t = net_new();
	struct rng r;
	int ia, ra, rb, ib;
	rng_seed(&r, seed);
	kept.n = 0;
	t->trace.emit = keep_emit;
	net_stack(t, "a", false);
	net_stack(t, "r", true);
	net_stack(t, "b", false);
	net_link(t, t->v[0], t->v[1], 256, 1500, 0, 0, &ia, &ra);
	net_link(t, t->v[1], t->v[2], 256, 1500, 0, 0, &rb, &ib);
	net_addr(t->v[0], ia, 0x0a000001, 24);
	net_addr(t->v[1], ra, 0x0a0000fe, 24);
	net_addr(t->v[1], rb, 0x0a0100fe, 24);
	net_addr(t->v[2], ib, 0x0a010001, 24);
	net_route(t->v[0], 0, 0, 0x0a0000fe);
	net_route(t->v[2], 0, 0, 0x0a0100fe);
	converse(t, 0x0a010001);
	t->trace.emit = net_emit;
	assert_true(kept.n > 30);
	for (int i = 0; i < FRAMES; i++) {
		struct via *v = t->v[rng_below(&r, 3)];
		struct pkt *p = damaged(t, &r);
		via_rx_burst(v, v == t->v[1] ? 2 + (int)rng_below(&r, 2) : 2, &p, 1, t->now);
		if (i % 16 == 0)
			assert_true(net_run(t, t->now + NS_PER_MS));
	}
	assert_true(net_run(t, t->now + 300 * NS_PER_S));
	converse(t, 0x0a010001);
	assert_true(t->seen.drops > FRAMES / 10);
	net_free(t);
}

static void noise__no_crash_no_leak_and_life_goes_on(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		noise(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(noise__no_crash_no_leak_and_life_goes_on)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
