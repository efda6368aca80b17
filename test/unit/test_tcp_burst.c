/* tcp/: a burst of segments is answered as the same segments one by one (bursts of 1 and of 32 compared).
 *
 * Two stacks of one seed get the same segments at the same times, one flushed after each, the other after every 32. What they
 * deliver, what they drop and why, the duplicate ACKs with their SACK and D-SACK blocks, and the state they end in are
 * equal; only ACKs of in-order segments may be fewer, and never fewer than one per two full-sized segments. Segments come in
 * order, late, twice, overlapping, corrupted, out of the window; users read only between bursts, or the windows would differ.
 * There is no separate fast path in tcp/, so there is none to be switched off and compared. */
#include "tcp/tally.h"
#include "test/unit/tcp_harness.h"

enum { BURST = 32, SIZE = 1000, SEGMENTS = 6000, STREAM = SEGMENTS * SIZE };

/* One segment of the peer's. */
struct sent {
	uint32_t at, len; /* of the stream */
	uint8_t flags;
	bool is_bad;      /* a wrong checksum */
};

/* What one run showed. */
struct seen {
	uint32_t n_read, n_dup, n_in_order, n_full;
	uint64_t read_hash;
	uint32_t drops[DROP_COUNT];
	struct dup {
		uint32_t ack;
		struct iv sack[TCP_SACK_MAX];
		uint8_t n_sack;
	} *dup;
	uint8_t state;
	uint32_t rcv_nxt, snd_una, rcv_adv, segs_in;
};

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 2654435761u >> 13); }

/* The peer's next segment: mostly the next of the stream. *head: how much it has sent of it. */
static struct sent draw(struct rng *r, uint32_t *head, uint32_t low)
{
	uint32_t luck = (uint32_t)rng_below(r, 100), len = luck < 90 ? SIZE : 1 + (uint32_t)rng_below(r, SIZE);
	struct sent s = {.at = *head, .len = len, .flags = TCP_ACK, .is_bad = rng_below(r, 200) == 0};
	uint32_t kind = (uint32_t)rng_below(r, 100);
	if (kind < 6 && *head > 40 * SIZE) /* again, or what was skipped */
		s.at = *head - (uint32_t)rng_below(r, 40 * SIZE);
	else if (kind < 9)                 /* one is skipped */
		s.at = *head + SIZE;
	else if (kind < 16)                /* the first hole is filled */
		s.at = low;
	else if (kind < 18)                /* far out of the window */
		s.at = *head + (1u << 28);
	else if (kind < 20)                /* no text */
		s.len = 0;
	if (s.at < STREAM && s.at + s.len > *head && s.at <= *head + SIZE)
		*head = s.at + s.len;
	s.flags |= rng_below(r, 10) == 0 ? TCP_PSH : 0;
	return s;
}

static void inject(struct th *t, const struct peer *q, const struct sent *s, struct seen *seen)
{
	uint8_t data[SIZE];
	for (uint32_t i = 0; i < s->len; i++)
		data[i] = byte_at(s->at + i);
	struct tcp_hdr h = th_hdr(q, s->flags, 1 + s->at, 1);
	struct pkt *p = th_make(t, &h, data, s->len);
	if (s->is_bad)
		pkt_data(p)[16] ^= 1;
	th_deliver(t, p);
	seen->drops[t->drop]++;
}

static bool is_dup(const struct th_seg *s) { return s->why == WHY_ACK_DUP || s->why == WHY_ACK_CHALLENGE || s->h.n_sack; }

/* Look at what left; the harness's record is emptied. */
static void look(struct th *t, const struct peer *q, struct seen *seen)
{
	const struct th_seg *s;
	while ((s = th_next(t))) {
		if (!is_dup(s)) {
			seen->n_in_order++;
			continue;
		}
		seen->dup = realloc(seen->dup, (seen->n_dup + 1) * sizeof *seen->dup);
		assert_non_null(seen->dup);
		struct dup *d = &seen->dup[seen->n_dup++];
		*d = (struct dup){.ack = s->h.ack - q->iss, .n_sack = s->h.n_sack};
		for (int i = 0; i < s->h.n_sack; i++)
			d->sack[i] = (struct iv){s->h.sack[i].lo - q->iss, s->h.sack[i].hi - q->iss};
	}
	th_drain(t);
}

static void read_all(struct th *t, ref_t c, struct seen *seen)
{
	uint8_t b[4096];
	int64_t n;
	while ((n = tcp_user_recv(&t->env, c, b, sizeof b, false)) > 0)
		for (int64_t i = 0; i < n; i++) {
			assert_int_equal(b[i], byte_at(seen->n_read));
			seen->read_hash = (seen->read_hash ^ b[i]) * UINT64_C(0x100000001b3);
			seen->n_read++;
		}
}

static void run(uint64_t seed, int flush_every, bool sack, struct seen *seen)
{
	struct th t;
	struct rng r;
	struct peer q = {.iss = 77000, .wnd = 65535};
	struct tcp_hdr synack = {.has_mss = true, .mss = SIZE, .has_ws = true, .ws = 0, .sack_permitted = sack};
	uint32_t head = 0, k = 0;
	*seen = (struct seen){0};
	th_init(&t, TH_A, TH_B, NULL, 3);
	ref_t ref = th_connect(&t, &q, &synack, &(struct tcp_opts){.rcvbuf = 400000} /* a window of half of it */);
	struct tcp_conn *c = th_conn(&t, ref);
	rng_seed(&r, seed);
	for (int burst = 0; burst < SEGMENTS / BURST; burst++) {
		int n = 1 + (int)rng_below(&r, BURST);
		for (int i = 0; i < n; i++) {
			uint32_t before = c->rcv_nxt;
			struct sent s = draw(&r, &head, c->rcv_nxt - q.iss - 1);
			inject(&t, &q, &s, seen);
			seen->n_full += c->rcv_nxt - before == SIZE && s.len == SIZE;
			if (++k % (uint32_t)flush_every == 0 || i == n - 1) {
				th_flush(&t);
				look(&t, &q, seen);
			}
		}
		read_all(&t, ref, seen);
		th_flush(&t);
		look(&t, &q, seen);
		th_run(&t, (int64_t)rng_below(&r, 100) * NS_PER_MS); /* delayed ACKs may come */
		look(&t, &q, seen);
	}
	seen->state = c->state;
	seen->rcv_nxt = c->rcv_nxt - q.iss;
	seen->snd_una = c->snd_una - c->iss;
	seen->rcv_adv = c->rcv_adv - q.iss;
	seen->segs_in = tcp_tally_of(&t.env, c)->segs_in;
	tcp_user_close(&t.env, ref, true);
	th_flush(&t);
	th_assert_clean(&t);
	th_fini(&t);
}

static void compare(uint64_t seed, bool sack)
{
	struct seen one, many;
	run(seed, 1, sack, &one);
	run(seed, 1000, sack, &many);
	assert_int_equal(one.n_read, many.n_read);
	assert_true(one.read_hash == many.read_hash);
	assert_memory_equal(one.drops, many.drops, sizeof one.drops);
	assert_int_equal(one.state, many.state);
	assert_int_equal(one.rcv_nxt, many.rcv_nxt);
	assert_int_equal(one.rcv_adv, many.rcv_adv);
	assert_int_equal(one.snd_una, many.snd_una);
	assert_int_equal(one.segs_in, many.segs_in);
	for (uint32_t i = 0; i < MIN(one.n_dup, many.n_dup); i++)
		if (memcmp(&one.dup[i], &many.dup[i], sizeof one.dup[i]) != 0)
			fail_msg("seed %u: duplicate %u acknowledges %u and %u", (unsigned)seed, i, one.dup[i].ack, many.dup[i].ack);
	assert_int_equal(one.n_dup, many.n_dup);
	assert_true(many.n_in_order <= one.n_in_order);
	assert_true(many.n_in_order + many.n_dup >= many.n_full / 2);
	/* The comparison is of something. */
	assert_in_range(one.n_dup, 300, SEGMENTS);
	assert_in_range(one.n_read, 500 * SIZE, STREAM);
	assert_true(one.drops[DROP_TCP_CSUM] && one.drops[DROP_TCP_DUPLICATE] && one.drops[DROP_TCP_WINDOW]);
	free(one.dup);
	free(many.dup);
}

static void req_TCP_073__burst_of_32_as_of_1_with_sack(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		compare(seed, true);
}

static void req_TCP_073__burst_of_32_as_of_1_without_sack(void **state)
{
	for (uint64_t seed = 21; seed <= 30; seed++)
		compare(seed, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_TCP_073__burst_of_32_as_of_1_with_sack),
		cmocka_unit_test(req_TCP_073__burst_of_32_as_of_1_without_sack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
