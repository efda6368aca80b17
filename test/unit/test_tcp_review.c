/* Searching for stuck states: two TCPs over a bad and narrow wire, with users that act on events alone (a lost wake-up shows),
 * pause, half-close, close early and abort; tiny buffers, little packet memory of each side's own, an interface that takes one
 * packet. Whatever the seed, everything ends, and every object comes back. Then single cases that such a search led to. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#define FLIGHT_MAX 4096
#define FLOWS 4
#define OWNER 10               /* of flow 0 on either side */
#define LIMIT (4 * 3600 * NS_PER_S)

enum ending { END_FIN, END_EARLY, END_ABORT }; /* when all is sent; close() at some byte; close() with linger 0 there */

struct side {
	ref_t conn;
	uint32_t want, sent, got;
	uint32_t end_at;       /* bytes sent or read before an early end */
	enum ending ending;
	uint8_t key;
	bool is_open, is_shut, has_eof, is_over;
	bool may_read, may_write;
	int64_t wait_read, wait_write; /* pauses */
};
struct frame {
	int64_t at;
	struct pkt *p;
};
struct sim {
	struct th h[2];
	struct tcp_ops ops;
	struct frame fly[2][FLIGHT_MAX]; /* towards host i, by time */
	int n_fly[2];
	bool starved[2];
	int64_t busy[2];
	struct rng rng;
	uint32_t loss, dup, reorder;
	int64_t delay, byte_ns;
	bool no_sack, no_ts;           /* the wire takes these options out of SYNs */
	struct side s[FLOWS][2];
	int flows;
	uint64_t seed;
};
static struct sim *n;

static int64_t now(void) { return n->h[0].env.now; }
static uint32_t below(uint32_t k) { return (uint32_t)rng_below(&n->rng, k); }
static uint8_t byte_at(uint8_t key, uint32_t i) { return (uint8_t)(key + i * 131 + (i >> 8) * 17); }
static int host_of(const struct th *t) { return t == &n->h[1]; }

/* --- an interface that has room for one packet, and says so only to who asked --- */

static uint32_t narrow_room(void *ctx, ref_t path)
{
	struct th *t = ctx;
	if (!t->txq.n)
		return 1500;
	n->starved[host_of(t)] = true;
	return 0;
}

/* --- the wire --- */

static void fly(struct pkt *p, int to, int64_t at)
{
	struct frame *f = n->fly[to];
	int i = n->n_fly[to]++;
	assert_true(i < FLIGHT_MAX);
	for (; i > 0 && f[i - 1].at > at; i--)
		f[i] = f[i - 1];
	f[i] = (struct frame){at, p};
}

/* Bytes of a whole segment to the other side, which has its own memory. */
static void cross(int from, const uint8_t *seg, uint32_t len)
{
	struct pktmem *m = n->h[!from].env.mem;
	int64_t start = MAX(now(), n->busy[from]);

	n->busy[from] = start + len * n->byte_ns;
	int copies = rng_chance(&n->rng, n->dup) ? 2 : 1;
	if (rng_chance(&n->rng, n->loss))
		return;
	for (int k = 0; k < copies; k++) {
		struct pkt *p = pkt_new(m, 128);
		if (!p)
			return; /* a driver without memory loses it */
		if (pkt_append(m, p, seg, len)) {
			pkt_free(m, p);
			return;
		}
		p->m.l4 = p->head;
		int64_t late = rng_chance(&n->rng, n->reorder) ? n->delay / 2 + NS_PER_MS : 0;
		fly(p, !from, n->busy[from] + n->delay + late);
	}
}

/* Overwrite option `kind` of a SYN with NOPs. */
static void strip(uint8_t *seg, uint32_t hlen, uint8_t kind)
{
	for (uint32_t i = TCP_HLEN; i < hlen && seg[i]; i += seg[i] == 1 ? 1 : seg[i + 1])
		if (seg[i] == kind) {
			memset(seg + i, 1, seg[i + 1]);
			return;
		}
}

/* The driver of host i takes one packet, and cuts it. */
static void take(int i)
{
	struct th *t = &n->h[i];
	struct pkt *p = pktq_pop(t->env.mem, &t->txq);
	const struct tcp_path *tp = &th_path(t)->p;
	uint32_t hlen = (pkt_data(p)[12] >> 4) * 4u, size = p->m.gso_size ? p->m.gso_size : 65535, off = 0, all = p->len - hlen;
	uint8_t buf[2048];
	struct pkt_meta m = p->m;

	th_check_csum(t, p);
	do {
		uint32_t len = MIN(size, all - off);
		assert_true(hlen + len <= sizeof(buf));
		pkt_copy_out(t->env.mem, p, 0, buf, hlen);
		pkt_copy_out(t->env.mem, p, hlen + off, buf + hlen, len);
		put_be32(buf + 4, get_be32(buf + 4) + off);
		if (off + len < all)
			buf[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
		if (buf[13] & TCP_SYN && n->no_sack)
			strip(buf, hlen, 4);
		if (buf[13] & TCP_SYN && n->no_ts)
			strip(buf, hlen, 8);
		put_be16(buf + 16, 0);
		uint64_t sum = ip4_pseudo(via_addr_to_v4(&tp->local), via_addr_to_v4(&tp->remote), 6, hlen + len);
		put_be16(buf + 16, csum_field(csum_add(sum, buf, hlen + len)));
		cross(i, buf, hlen + len);
		off += len;
	} while (off < all);
	pkt_free(t->env.mem, p);
	if (m.owner)
		tcp_sent(&t->env, m.owner, m.owner_gen, m.owner_seq_end, now());
}

/* What must hold between two calls (CC-022): whoever has something to wait for has a timer, a queue or the link. */
static void check(struct th *t)
{
	for (int i = 0; i < t->n_nodes; i++) {
		const struct tcp_node *node = arena_at(t->arena, t->nodes[i]);
		if (node->timer.kind != WHEEL_TCP_CONN)
			continue;
		const struct tcp_conn *c = tcp_conn_at(&t->env, t->nodes[i]);
		const struct tcp_active *a = tcp_active_of(&t->env, c);
		bool waits = c->was_open && tcp_state_may_send(c->state) && (tcp_unsent(c) || (c->fin_queued && !c->fin_sent));
		if (c->snd_una != c->snd_nxt)
			assert_true(a && a->rtx == TCP_RTX_RTO && node->timer.where);
		else if (waits && c->queue == TCP_Q_NONE)
			assert_true(a && a->rtx == TCP_RTX_PERSIST && node->timer.where);
		if (c->queue == TCP_Q_HELD)
			assert_true(n->starved[host_of(t)]);
	}
}

/* Flush host i as far as its interface goes. */
static void push(int i)
{
	struct th *t = &n->h[i];

	for (int k = 0; k < 10000; k++) {
		tcp_flush(&t->env);
		if (t->txq.n && n->busy[i] <= now())
			take(i);
		if (!t->txq.n && n->starved[i]) {
			n->starved[i] = false;
			tcp_tx_room(&t->env, 2);
		}
		if (!tcp_is_dirty(&t->env) && (!t->txq.n || n->busy[i] > now())) {
			check(t);
			return;
		}
	}
	fail_msg("seed %llu: work without end at one moment", (unsigned long long)n->seed);
}

/* --- users --- */

static void over(struct side *s, int i, bool linger0)
{
	tcp_user_close(&n->h[i].env, s->conn, linger0);
	s->is_over = true;
}

/* The connection failed: right only if an end was not orderly. */
static void failed(int k, int i, int err)
{
	const struct side *s = n->s[k];
	if (s[0].ending == END_FIN && s[1].ending == END_FIN)
		fail_msg("seed %llu: flow %d side %d: errno %d", (unsigned long long)n->seed, k, i, err);
	over(&n->s[k][i], i, false);
}

static bool ends_now(struct side *s, int i)
{
	if (s->ending == END_FIN || s->sent + s->got < s->end_at)
		return false;
	over(s, i, s->ending == END_ABORT);
	return true;
}

static void user_writes(int k, int i)
{
	struct side *s = &n->s[k][i];
	uint8_t buf[3000];

	while (s->may_write && !s->is_over && s->sent < s->want) {
		uint32_t m = below(sizeof(buf)) + 1; /* MIN would ask twice */
		m = MIN(m, s->want - s->sent);
		if (rng_chance(&n->rng, 30000000)) {
			s->wait_write = now() + (int64_t)rng_below(&n->rng, 3 * NS_PER_S);
			return;
		}
		for (uint32_t j = 0; j < m; j++)
			buf[j] = byte_at(s->key, s->sent + j);
		int64_t r = tcp_user_send(&n->h[i].env, s->conn, buf, m, below(8) == 0);
		if (r == -EAGAIN) {
			s->may_write = false;
			return;
		}
		assert_true(r <= (int64_t)m);
		if (r < 0) {
			failed(k, i, (int)-r);
			return;
		}
		s->sent += (uint32_t)r;
		if (ends_now(s, i))
			return;
	}
	if (!s->is_over && s->sent == s->want && !s->is_shut) {
		tcp_user_shutdown_wr(&n->h[i].env, s->conn);
		s->is_shut = true;
	}
}

static void user_reads(int k, int i)
{
	struct side *s = &n->s[k][i], *from = &n->s[k][!i];
	uint8_t buf[5000];

	while (s->may_read && !s->is_over && !s->has_eof) {
		if (rng_chance(&n->rng, 30000000)) {
			s->wait_read = now() + (int64_t)rng_below(&n->rng, 3 * NS_PER_S);
			return;
		}
		int64_t r = tcp_user_recv(&n->h[i].env, s->conn, buf, below(sizeof(buf)) + 1, false);
		if (r == -EAGAIN) {
			s->may_read = false;
			return;
		}
		if (r < 0) {
			failed(k, i, (int)-r);
			return;
		}
		if (r == 0) {
			assert_true(s->got == from->sent);
			assert_true(from->ending != END_FIN || s->got == from->want);
			s->has_eof = true;
			return;
		}
		for (int64_t j = 0; j < r; j++)
			assert_int_equal(buf[j], byte_at(from->key, s->got + (uint32_t)j));
		s->got += (uint32_t)r;
		if (ends_now(s, i))
			return;
	}
}

static void user_events(int i)
{
	struct th *t = &n->h[i];
	ref_t r;

	while (i == 1 && t->listener && (r = tcp_user_accept(&t->env, t->listener, OWNER))) {
		int k = tcp_node_at(&t->env, r)->rport - 4000;
		tcp_conn_at(&t->env, r)->owner = (ref_t)(OWNER + k);
		struct side *s = &n->s[k][1];
		s->conn = r;
		s->is_open = s->may_read = s->may_write = true;
	}
	for (int k = 0; k < n->flows; k++) {
		struct side *s = &n->s[k][i];
		uint32_t e = t->events[OWNER + k];
		t->events[OWNER + k] = 0;
		if (e & TCP_EV_CONNECTED)
			s->is_open = true;
		if (e & (TCP_EV_READABLE | TCP_EV_PEER_FIN | TCP_EV_ERROR))
			s->may_read = true;
		if (e & (TCP_EV_WRITABLE | TCP_EV_CONNECTED | TCP_EV_ERROR))
			s->may_write = true;
		if (!s->is_open || s->is_over)
			continue;
		if (s->wait_write <= now())
			user_writes(k, i);
		if (s->wait_read <= now())
			user_reads(k, i);
		if (!s->is_over && s->has_eof && s->is_shut)
			over(s, i, false);
	}
}

/* --- time --- */

static int64_t next_event(void)
{
	int64_t at = TIME_NEVER;

	for (int i = 0; i < 2; i++) {
		if (n->n_fly[i])
			at = MIN(at, n->fly[i][0].at);
		at = MIN(at, wheel_next(&n->h[i].wheel));
		if (n->h[i].txq.n)
			at = MIN(at, n->busy[i]);
		for (int k = 0; k < n->flows; k++) {
			const struct side *s = &n->s[k][i];
			if (s->is_open && !s->is_over && s->wait_read > now() && s->may_read)
				at = MIN(at, s->wait_read);
			if (s->is_open && !s->is_over && s->wait_write > now() && s->may_write && !s->is_shut)
				at = MIN(at, s->wait_write);
		}
	}
	return at;
}

/* False: nothing will ever happen. */
static bool tick(void)
{
	int64_t at = next_event();

	if (at == TIME_NEVER)
		return false;
	n->h[0].env.now = n->h[1].env.now = MAX(at, now());
	for (int i = 0; i < 2; i++) {
		ref_t r;
		while (n->n_fly[i] && n->fly[i][0].at <= now()) {
			struct pkt *p = n->fly[i][0].p;
			memmove(n->fly[i], n->fly[i] + 1, (size_t)--n->n_fly[i] * sizeof(struct frame));
			p->m.rx_ns = now();
			th_deliver(&n->h[i], p);
		}
		while ((r = wheel_expire(n->h[i].arena, &n->h[i].wheel, now())))
			tcp_timeout(&n->h[i].env, r);
		push(i);
	}
	return true;
}

static bool all_over(void)
{
	for (int k = 0; k < n->flows; k++)
		for (int i = 0; i < 2; i++)
			if (!n->s[k][i].is_over)
				return false;
	return true;
}

static void tell_stuck(const char *what)
{
	for (int k = 0; k < n->flows; k++)
		for (int i = 0; i < 2; i++) {
			const struct side *s = &n->s[k][i];
			const struct tcp_conn *c = s->conn && !s->is_over ? tcp_conn_at(&n->h[i].env, s->conn) : NULL;
			print_message("# flow %d side %d: sent %u of %u, read %u, ending %d over %d eof %d shut %d state %d wnd %u queue %d\n", k, i,
				      s->sent, s->want, s->got, s->ending, s->is_over, s->has_eof, s->is_shut, c ? c->state : 0,
				      c ? c->snd_wnd : 0, c ? c->queue : 0);
		}
	fail_msg("seed %llu: %s", (unsigned long long)n->seed, what);
}

/* --- one run --- */

static uint32_t some_buffer(void)
{
	static const uint32_t sizes[] = {TCP_BUF_MIN, TCP_BUF_MIN, 3000, 5000, 20000, 65536, 400000};
	return sizes[below(ARRAY_LEN(sizes))];
}

static void sim_open(uint64_t seed)
{
	memset(n, 0, sizeof(*n));
	n->seed = seed;
	rng_seed(&n->rng, seed);
	n->ops = th_ops;
	n->ops.tx_room = narrow_room;
	for (int i = 0; i < 2; i++) {
		th_init(&n->h[i], i ? TH_B : TH_A, i ? TH_A : TH_B, NULL, (uint8_t)(seed + (uint64_t)i * 100));
		th_mem_free(&n->h[i].mem);
		th_mem_new(&n->h[i].mem, (10 + below(8)) * ARENA_PAGE_SIZE); /* for all that is in flight and queued: about 1 MiB */
		n->h[i].env.ops = &n->ops;
		tcp_settings_of(&n->h[i].env)->rmem = 2 * some_buffer();
		tcp_settings_of(&n->h[i].env)->wmem = some_buffer();
		n->h[i].pkts_base = pktmem_pkts_used(&n->h[i].mem);
		n->h[i].blks_base = pktmem_blks_used(&n->h[i].mem);
	}
	n->loss = below(100000000);
	n->dup = below(30000000);
	n->reorder = below(100000000);
	n->delay = (int64_t)rng_below(&n->rng, 40 * NS_PER_MS) + NS_PER_MS / 10;
	n->no_sack = !below(4);
	n->no_ts = !below(4);
	n->byte_ns = 100 + below(2000); /* 4 to 80 Mbit/s */
	static const struct tcp_opts alive = {.keepalive = true, .keep_idle_s = 60, .keep_intvl_s = 10, .keep_cnt = 6};
	th_listen(&n->h[1], 8, &alive);
	n->flows = 1 + (int)below(FLOWS);
	for (int k = 0; k < n->flows; k++) {
		for (int i = 0; i < 2; i++) {
			struct side *s = &n->s[k][i];
			s->want = below(4) ? below(below(4) ? 60000 : 600000) : 0;
			s->key = (uint8_t)(2 * k + i);
			s->ending = below(6) ? END_FIN : below(2) ? END_ABORT : END_EARLY;
			s->end_at = 1 + below(40000);
		}
		th_op_path_hold(&n->h[0], n->h[0].path);
		struct th *h = &n->h[0];
		int err = tcp_user_connect(&h->env, h->path, (uint16_t)(4000 + k), TH_LPORT, &alive, (ref_t)(OWNER + k), &n->s[k][0].conn);
		assert_int_equal(err, 0);
	}
}

static void sim_run(uint64_t seed)
{
	sim_open(seed);
	int64_t start = now();
	for (;;) {
		user_events(0);
		user_events(1);
		push(0);
		push(1);
		if (all_over())
			break;
		if (now() - start > LIMIT)
			tell_stuck("no end after four hours");
		if (!tick()) {
			/* A client may be over before its server ever learnt of it: reset while in SYN-RECEIVED, or never accepted. */
			for (int k = 0; k < n->flows; k++)
				if (n->s[k][0].is_over && !n->s[k][1].conn)
					n->s[k][1].is_over = true;
			if (!all_over())
				tell_stuck("nothing will ever happen");
			break;
		}
	}
	th_unlisten(&n->h[1]);
	while (tick())
		assert_true(now() - start < 2 * LIMIT);
	for (int i = 0; i < 2; i++) {
		th_assert_clean(&n->h[i]);
		th_fini(&n->h[i]);
	}
}

static void tcp_review__nothing_gets_stuck(void **state)
{
	/* VIA_SEED=N runs one seed, VIA_SEEDS=M of them: for a longer search. */
	const char *from = getenv("VIA_SEED"), *count = getenv("VIA_SEEDS");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1, m = count ? strtoull(count, NULL, 10) : from ? 1 : 150;

	n = malloc(sizeof(*n));
	for (uint64_t seed = first; seed < first + m; seed++)
		sim_run(seed);
	if (!from)
		sim_run(941); /* lost ACKs drove the RTO up to minutes, and keep-alive ended the connection */
	free(n);
}

/* --- single cases --- */

static struct th t;
static struct peer q;
static ref_t c;

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000}, NULL);
	return 0;
}

static void put(uint32_t k)
{
	static const uint8_t zeros[20000];
	assert_int_equal(tcp_user_send(&t.env, c, zeros, k, false), k);
}

/* The connection becomes a TIME-WAIT entry at once, so its last ACK cannot wait for room; without it the peer would have to wait
 * for its time-out. */
static void tcp_review__last_ack_leaves_though_the_link_is_full(void **state)
{
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	t.room = 0;
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 2, 2, 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* FIN held because two bursts wait below goes when one has left, not only when an ACK comes. */
static void tcp_review__fin_follows_what_waited_below(void **state)
{
	th_conn(&t, c)->srtt_us = 100000; /* a burst is two segments now */
	t.hold = true;
	put(4000);
	th_flush(&t);
	assert_int_equal(t.txq.n, 2);
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	t.hold = false;
	th_flush(&t);
	for (uint32_t i = 0; i < 4; i++)
		th_expect(&t, &q, TCP_ACK, 1 + i * 1000, 1, 1000);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 4001, 1, 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* What the driver took may be acknowledged already, as another copy of it: the range behind it still waits. */
static void tcp_review__taken_late_tells_nothing_of_the_next_range(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct tcp_ranges r;

	tcp_ranges_init(&r);
	tcp_ranges_push(a, &r, 0, 100, TCP_RANGE_QUEUED, 1);
	tcp_ranges_push(a, &r, 100, 200, TCP_RANGE_QUEUED, 1);
	tcp_ranges_cut_below(a, &r, 100);
	tcp_ranges_taken(a, &r, 100, 5);
	assert_int_equal(r.queued, 100);
	tcp_ranges_taken(a, &r, 200, 6);
	assert_int_equal(r.queued, 0);
	tcp_ranges_free(a, &r);
	region_free(a);
}

/* Marks in sequence space that nothing moves would seem to lie ahead after 2^31 bytes: they follow SND.UNA. */
static void tcp_review__marks_left_behind_follow(void **state)
{
	put(5000);
	th_flush(&t);
	struct tcp_conn *k = th_conn(&t, c);
	struct tcp_active *a = tcp_active_of(&t.env, k);
	a->limited_at = a->snd_sml = a->recover = k->snd_una - (1u << 30); /* the last of their kind a GiB ago */
	a->has_recover = true;
	th_send(&t, &q, TCP_ACK, 1, 1001, NULL, 0);
	assert_in_range(k->snd_una - a->limited_at, 1, 1000);
	assert_in_range(k->snd_una - a->snd_sml, 0, 1000);
	assert_false(a->has_recover);
	th_finish(&t, c);
}

/* As Linux (tcp_reset(), tcp_recvmsg()): after the peer's FIN a RST is a broken pipe to the writer, the end to the reader. */
static void tcp_review__reset_after_fin(void **state)
{
	char b;

	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	th_send(&t, &q, TCP_RST, 2, 0, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_user_recv(&t.env, c, &b, 1, false), 0);
	assert_int_equal(tcp_user_error(&t.env, c), EPIPE);
	assert_int_equal(tcp_user_recv(&t.env, c, &b, 1, false), 0);
	th_drain(&t);
	th_finish(&t, c);
}

/* Karn with timestamps (RFC 6298 §3): the ACK was lost, the time-out repeats the segment, the peer answers the repetition with the
 * echo of the first copy (RFC 7323 §5.3: a duplicate does not move TS.Recent). That time is ours, not the network's: taken as a sample
 * it would feed itself, each lost ACK raising the RTO that the next one waits for. */
static void tcp_review__time_out_is_no_rtt_sample(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = true, .tsval = 1000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000}, NULL);
	for (uint32_t i = 0; i < 20; i++) {
		put(100);
		th_flush(&t);
		q.tsecr = th_expect(&t, &q, TCP_ACK, 1 + 100 * i, 1, 100)->h.tsval;
		if (i % 2) { /* its first ACK is lost */
			th_run(&t, 10 * NS_PER_S); /* far beyond any honest RTO here */
			assert_in_range(t.n_out - t.i_out, 1, 7);
			th_drain(&t);
		}
		th_run(&t, 10 * NS_PER_MS);
		q.tsval += 1000;
		th_send(&t, &q, TCP_ACK, 1, 101 + 100 * i, NULL, 0);
		th_drain(&t);
	}
	assert_in_range(th_conn(&t, c)->srtt_us, 1, 20000);
	/* The echo of the repetition itself is a sample, and ends the backoff. */
	put(100);
	th_flush(&t);
	th_drain(&t);
	th_run(&t, 250 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_in_range(s->why, WHY_RETRANS_RTO, WHY_RETRANS_RTO);
	q.tsecr = s->h.tsval;
	th_run(&t, 10 * NS_PER_MS);
	assert_int_equal(tcp_active_of(&t.env, th_conn(&t, c))->backoff, 1);
	put(100);
	th_send(&t, &q, TCP_ACK, 1, 2101, NULL, 0);
	assert_int_equal(tcp_active_of(&t.env, th_conn(&t, c))->backoff, 0);
	th_finish(&t, c);
}

/* As Linux: a peer that has filled our window and lost part of it can acknowledge only from the right edge. Its ACKs, window updates
 * and answers to keep-alive count. */
static void tcp_review__ack_from_the_right_edge_counts(void **state)
{
	struct tcp_opts o = {.rcvbuf = 3000};
	static const uint8_t zeros[2000];

	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000}, &o);
	put(1000);
	th_flush(&t);
	th_send(&t, &q, TCP_ACK, 1001, 1, zeros, 2000); /* the first 1000 are lost */
	assert_int_equal(tcp_user_outq(&t.env, c), 1000);
	th_send(&t, &q, TCP_ACK, 3001, 1001, NULL, 0);
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	assert_int_equal(t.drop, DROP_NONE);
	th_send(&t, &q, TCP_ACK, 3002, 1001, NULL, 0); /* beyond it is beyond it */
	assert_int_equal(t.drop, DROP_TCP_WINDOW);
	th_send(&t, &q, TCP_RST, 3001, 0, NULL, 0); /* TX-006 */
	assert_int_equal(t.drop, DROP_TCP_RST_INVALID);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_finish(&t, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_review__nothing_gets_stuck),
		cmocka_unit_test_setup(tcp_review__last_ack_leaves_though_the_link_is_full, setup),
		cmocka_unit_test_setup(tcp_review__fin_follows_what_waited_below, setup),
		cmocka_unit_test(tcp_review__taken_late_tells_nothing_of_the_next_range),
		cmocka_unit_test_setup(tcp_review__marks_left_behind_follow, setup),
		cmocka_unit_test_setup(tcp_review__reset_after_fin, setup),
		cmocka_unit_test(tcp_review__time_out_is_no_rtt_sample),
		cmocka_unit_test(tcp_review__ack_from_the_right_edge_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
