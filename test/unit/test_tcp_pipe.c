/* Two TCPs joined by a pipe that loses, delays, duplicates, reorders and corrupts, from a seed: what is written on one side is read on the
 * other, byte for byte, both ways and on several connections; then everything closes and every object is given back. */
#include <errno.h>

#include "tcp/recovery.h"
#include "test/unit/tcp_harness.h"

#define FLIGHT_MAX 8192
#define CONNS 3

struct frame {
	int64_t at;
	struct pkt *p;
	int to;
};

struct net {
	struct th h[2];
	struct pktmem mem;
	struct frame fly[FLIGHT_MAX]; /* a heap by (at, order) */
	int n_fly;
	struct rng rng;
	uint32_t loss, dup, reorder, corrupt; /* ppb */
	int64_t delay, jitter;
	uint64_t rate;          /* bytes/s of each direction; 0: none */
	int64_t busy[2];        /* the link is sending until */
	uint32_t queue;         /* packets the interface takes before it says no; 0: no limit */
	bool super;             /* carry superframes whole */
	uint8_t cc;             /* congestion control of both sides */
	bool no_sack, no_ts;    /* the wire takes these options out of SYNs */
	uint32_t iss[2];        /* forced, for the wrap tests */
	uint64_t n_frames;
	uint32_t thief;         /* ppb a tick that all free memory of one arena is taken for a while */
	ref_t loot[3][64];
	int64_t loot_until;
};

struct stream {
	uint32_t want, sent, got; /* bytes to be sent; done so far */
	uint8_t key;
	bool shut, eof;
};
struct flow {
	ref_t conn[2]; /* by host */
	struct stream s[2];
	uint32_t nxt[2], cwnd[2]; /* SND.NXT when last looked at */
};

static uint8_t byte_at(uint8_t key, uint32_t i) { return (uint8_t)(key + i * 131 + (i >> 8) * 17 + (i >> 16)); }

/* --- the wire --- */

static void fly(struct net *n, struct pkt *p, int to, int64_t at)
{
	assert_true(n->n_fly < FLIGHT_MAX);
	int i = n->n_fly++;
	while (i > 0 && n->fly[i - 1].at > at) { /* sorted; equal times keep their order */
		n->fly[i] = n->fly[i - 1];
		i--;
	}
	n->fly[i] = (struct frame){at, p, to};
}

static void wire(struct net *n, struct pkt *p, int from)
{
	int64_t now = n->h[0].env.now, start = MAX(now, n->busy[from]);
	int64_t tx = n->rate ? (int64_t)((uint64_t)p->len * NS_PER_S / n->rate) : 0;

	n->n_frames++;
	n->busy[from] = start + tx;
	if (rng_chance(&n->rng, n->loss)) {
		pkt_free(&n->mem, p);
		return;
	}
	int64_t at = start + tx + n->delay + (n->jitter ? (int64_t)rng_below(&n->rng, (uint64_t)n->jitter) : 0);
	if (rng_chance(&n->rng, n->reorder))
		at += n->delay / 2 + NS_PER_MS;
	if (rng_chance(&n->rng, n->dup)) {
		struct pkt *q = pkt_clone(&n->mem, p);
		if (q)
			fly(n, q, !from, at + NS_PER_MS / 2);
	}
	if (p->m.csum == PKT_CSUM_NONE && rng_chance(&n->rng, n->corrupt))
		pkt_corrupt(&n->mem, p, (uint32_t)rng_below(&n->rng, p->len), (unsigned)rng_below(&n->rng, 8));
	fly(n, p, !from, at);
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

/* A segment of its own with payload [off, off+len) of p, checksum finished, as a wire carries it. */
static struct pkt *cut(struct net *n, struct th *t, struct pkt *p, uint32_t hlen, uint32_t off, uint32_t len)
{
	const struct tcp_path *tp = &th_path(t)->p;
	struct pkt *q = pkt_new(&n->mem, 128);
	uint8_t buf[2048];

	if (!q) { /* the wire loses it */
		assert_true(n->thief);
		return NULL;
	}
	pkt_copy_out(&n->mem, p, 0, buf, hlen);
	pkt_copy_out(&n->mem, p, hlen + off, buf + hlen, len);
	put_be32(buf + 4, get_be32(buf + 4) + off);
	if (hlen + off + len < p->len)
		buf[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	put_be16(buf + 16, 0);
	if (buf[13] & TCP_SYN && n->no_sack)
		strip(buf, hlen, 4);
	if (buf[13] & TCP_SYN && n->no_ts)
		strip(buf, hlen, 8);
	assert_int_equal(pkt_append(&n->mem, q, buf, hlen + len), 0);
	uint64_t sum = ip4_pseudo(via_addr_to_v4(&tp->local), via_addr_to_v4(&tp->remote), 6, hlen + len);
	put_be16(pkt_data(q) + 16, csum_field(csum_add(sum, pkt_data(q), hlen + len)));
	q->m.l4 = q->head;
	return q;
}

/* The driver takes one packet of host i. */
static void take(struct net *n, int i)
{
	struct th *t = &n->h[i];
	struct pkt *p = pktq_pop(&n->mem, &t->txq);
	struct pkt_meta m = p->m;

	th_check_csum(t, p);
	if (n->super) {
		p->m.owner = 0;
		wire(n, p, i);
	} else {
		uint32_t hlen = (pkt_data(p)[12] >> 4) * 4u, size = m.gso_size ? m.gso_size : 65535, off = 0;
		assert_true(hlen + MIN(size, p->len - hlen) <= th_path(t)->p.pmtu - 20); /* TCP-011 */
		do {
			uint32_t len = MIN(size, p->len - hlen - off);
			struct pkt *one = cut(n, t, p, hlen, off, len);
			if (one)
				wire(n, one, i);
			off += len;
		} while (off < p->len - hlen);
		pkt_free(&n->mem, p);
	}
	if (m.owner)
		tcp_sent(&t->env, m.owner, m.owner_gen, m.owner_seq_end, t->env.now);
}

/* Flush host i; with a small interface queue, as much as the wire has room for. */
static void push(struct net *n, int i)
{
	struct th *t = &n->h[i];

	for (;;) {
		tcp_flush(&t->env);
		bool moved = false;
		while (t->txq.n && (!n->queue || n->busy[i] <= t->env.now)) {
			take(n, i);
			moved = true;
		}
		if (n->queue) {
			t->room = t->txq.n < n->queue ? 1500 : 0;
			if (t->room && moved)
				tcp_tx_room(&t->env, 2);
		}
		if (!tcp_is_dirty(&t->env))
			return;
	}
}

/* --- the users --- */

static void user_writes(struct net *n, struct flow *f, int i)
{
	struct stream *s = &f->s[i];
	uint8_t buf[4096];

	while (s->sent < s->want) {
		uint32_t k = (uint32_t)rng_below(&n->rng, sizeof(buf)) + 1;
		k = MIN(k, s->want - s->sent);
		for (uint32_t j = 0; j < k; j++)
			buf[j] = byte_at(s->key, s->sent + j);
		int64_t r = tcp_user_send(&n->h[i].env, f->conn[i], buf, k, false);
		if (r == -EAGAIN || (r < 0 && n->thief))
			return;
		assert_true(r > 0);
		s->sent += (uint32_t)r;
	}
	if (!s->shut) {
		int r = tcp_user_shutdown_wr(&n->h[i].env, f->conn[i]);
		assert_true(r == 0 || n->thief);
		s->shut = true;
	}
}

/* Host i reads what the other sent. */
static void user_reads(struct net *n, struct flow *f, int i)
{
	struct stream *s = &f->s[!i];
	uint8_t buf[8192];

	for (;;) {
		int64_t r = tcp_user_recv(&n->h[i].env, f->conn[i], buf, (uint32_t)rng_below(&n->rng, sizeof(buf)) + 1, false);
		if (r == -EAGAIN)
			return;
		if (n->thief && r <= 0 && s->got < s->want) { /* no memory for FIN: aborted */
			s->eof = f->s[i].shut = true;
			return;
		}
		assert_true(r >= 0);
		if (r == 0) {
			assert_int_equal(s->got, s->want);
			s->eof = true;
			return;
		}
		for (int64_t j = 0; j < r; j++)
			if (buf[j] != byte_at(s->key, s->got + (uint32_t)j))
				fail_msg("byte %u differs", s->got + (uint32_t)j);
		s->got += (uint32_t)r;
	}
}

/* Find the passive side of each flow by its port. */
static void accept_all(struct net *n, struct flow *f, int flows)
{
	ref_t r;

	while ((r = tcp_user_accept(&n->h[1].env, n->h[1].listener, 10))) {
		int k = tcp_node_at(&n->h[1].env, r)->rport - 4000;
		assert_in_range(k, 0, flows - 1);
		f[k].conn[1] = r;
	}
}

static bool step_users(struct net *n, struct flow *f, int flows)
{
	bool done = true;

	accept_all(n, f, flows);
	for (int k = 0; k < flows; k++)
		for (int i = 0; i < 2; i++) {
			if (!f[k].conn[i]) {
				done = false;
				continue;
			}
			if (f[k].s[!i].eof && f[k].s[i].shut) { /* both ways done: the descriptor is closed */
				if (f[k].conn[i] != UINT32_MAX)
					tcp_user_close(&n->h[i].env, f[k].conn[i], false);
				f[k].conn[i] = UINT32_MAX;
				continue;
			}
			done = false;
			enum tcp_state st = tcp_conn_state(&n->h[i].env, f[k].conn[i]);
			if (st == TCP_SYN_SENT || st == TCP_SYN_RECEIVED)
				continue;
			user_writes(n, &f[k], i);
			user_reads(n, &f[k], i);
		}
	return done;
}

/* --- what holds at every moment (CC-022) --- */

/* Who sent something new had room for it: in cwnd, but for limited transmit's two segments and a probe's one, and in the window that the
 * peer told. Who has something in flight has a timer. */
static void check(struct net *n, struct flow *f, int flows)
{
	for (int k = 0; k < flows; k++)
		for (int i = 0; i < 2; i++) {
			ref_t r = f[k].conn[i], other = f[k].conn[!i];
			if (!r || r == UINT32_MAX || tcp_conn_state(&n->h[i].env, r) == TCP_CLOSED)
				continue;
			const struct tcp_conn *c = tcp_conn_at(&n->h[i].env, r);
			const struct tcp_active *a = tcp_active_of(&n->h[i].env, c);
			if (c->snd_una != c->snd_nxt) {
				assert_non_null(a);
				assert_true(c->e.node.timer.where);
				assert_true(a->sent.n > 0);
			}
			if (f[k].nxt[i] != c->snd_nxt && c->was_open && a) {
				uint32_t most = MAX(MAX(c->cwnd, f[k].cwnd[i]), c->mss) + 3u * c->mss; /* a reduction may follow in the same moment */
				if (tcp_pipe(c, a) > most)
					fail_msg("in flight %u, cwnd %u", tcp_pipe(c, a), c->cwnd);
				if (other && other != UINT32_MAX && tcp_conn_state(&n->h[!i].env, other) == TCP_ESTABLISHED)
					assert_true(seq_le(c->snd_nxt, tcp_conn_at(&n->h[!i].env, other)->rcv_adv));
			}
			f[k].nxt[i] = c->snd_nxt;
			f[k].cwnd[i] = c->cwnd;
		}
}

/* --- memory runs out, and comes back --- */

static struct arena *victim(struct net *n, int i) { return i < 2 ? n->h[i].arena : n->mem.home; }

static void give_back(struct net *n)
{
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 64 && n->loot[i][j]; j++) {
			arena_pages_give(victim(n, i), n->loot[i][j], 1);
			n->loot[i][j] = 0;
		}
	n->loot_until = 0;
}

static void steal(struct net *n, int64_t now)
{
	if (n->loot_until && now >= n->loot_until)
		give_back(n);
	if (n->loot_until || !rng_chance(&n->rng, n->thief))
		return;
	int i = (int)rng_below(&n->rng, 3), j = 0;
	while (j < 64 && (n->loot[i][j] = arena_pages_take(victim(n, i), 1)))
		j++;
	n->loot_until = now + (int64_t)rng_below(&n->rng, NS_PER_S / 2) + 1;
}

/* Go to the next event and do it. False: nothing will ever happen. */
static bool tick(struct net *n)
{
	int64_t next = n->n_fly ? n->fly[0].at : TIME_NEVER;

	for (int i = 0; i < 2; i++) {
		next = MIN(next, wheel_next(&n->h[i].wheel));
		if (n->queue && n->h[i].txq.n)
			next = MIN(next, n->busy[i]);
	}
	if (next == TIME_NEVER)
		return false;
	next = MAX(next, n->h[0].env.now);
	steal(n, next);
	n->h[0].env.now = n->h[1].env.now = next;
	while (n->n_fly && n->fly[0].at <= next) {
		struct frame fr = n->fly[0];
		memmove(n->fly, n->fly + 1, (size_t)--n->n_fly * sizeof(fr));
		fr.p->m.rx_ns = next;
		th_deliver(&n->h[fr.to], fr.p);
	}
	for (int i = 0; i < 2; i++) {
		ref_t r;
		while ((r = wheel_expire(n->h[i].arena, &n->h[i].wheel, next)))
			tcp_timeout(&n->h[i].env, r);
		push(n, i);
	}
	return true;
}

static size_t home_bytes = 48 << 20;

static void net_init(struct net *n, uint64_t seed, uint8_t cc)
{
	*n = (struct net){.cc = cc};
	th_mem_new(&n->mem, home_bytes);
	th_init(&n->h[0], TH_A, TH_B, &n->mem, (uint8_t)seed);
	th_init(&n->h[1], TH_B, TH_A, &n->mem, (uint8_t)(seed + 100));
	rng_seed(&n->rng, seed);
	n->delay = 5 * NS_PER_MS;
	th_listen(&n->h[1], 16, &(struct tcp_opts){.cc = n->cc});
}

static void net_fini(struct net *n)
{
	th_fini(&n->h[0]);
	th_fini(&n->h[1]);
	th_mem_free(&n->mem);
}

/* Give connection k of host 0 a chosen ISS: undo the SYN's number before it has left. */
static void force_iss(struct net *n, ref_t c, uint32_t iss)
{
	struct tcp_conn *k = tcp_conn_at(&n->h[0].env, c);
	struct tcp_active *a = tcp_active_of(&n->h[0].env, k);
	struct pkt *p = pktq_peek(&n->mem, &n->h[0].txq);

	k->iss = k->snd_una = iss;
	k->snd_nxt = iss + 1;
	sbuf_init(&k->snd, iss + 1);
	struct tcp_range *r = tcp_ranges_at(n->h[0].arena, &a->sent);
	r->seq = iss;
	r->end = iss + 1;
	a->snd_sml = a->recover = a->reduced_at = iss;
	a->limited_at = iss - 1;
	put_be32(pkt_data(p) + 4, iss);
}

static void run_flows(struct net *n, int flows, const uint32_t *bytes, const uint32_t *iss)
{
	struct flow f[CONNS] = {0};
	uint64_t steps = 0;

	for (int k = 0; k < flows; k++) {
		th_op_path_hold(&n->h[0], n->h[0].path);
		assert_int_equal(tcp_user_connect(&n->h[0].env, n->h[0].path, (uint16_t)(4000 + k), TH_LPORT, &(struct tcp_opts){.cc = n->cc}, 10,
						  &f[k].conn[0]), 0);
		if (iss)
			force_iss(n, f[k].conn[0], *iss);
		for (int i = 0; i < 2; i++)
			f[k].s[i] = (struct stream){.want = bytes[i], .key = (uint8_t)(k * 2 + i)};
		push(n, 0);
	}
	while (!step_users(n, f, flows)) {
		for (int i = 0; i < 2; i++)
			push(n, i);
		check(n, f, flows);
		if (!tick(n))
			fail_msg("stuck");
		check(n, f, flows);
		assert_true(++steps < 20000000);
	}
	tcp_user_unlisten(&n->h[1].env, n->h[1].listener); /* orderly ends: close, TIME-WAIT, and then nothing */
	n->h[1].listener = 0;
	n->h[1].listen_port = 0;
	for (int i = 0; i < 2; i++)
		push(n, i);
	n->thief = 0;
	while (tick(n))
		assert_true(++steps < 20000000);
	give_back(n);
	for (int i = 0; i < 2; i++)
		th_assert_clean(&n->h[i]);
}

/* --- the cases --- */

static void tcp_pipe__clean_transfer_both_ways(void **state)
{
	struct net *n = malloc(sizeof(*n));
	net_init(n, 1, 0);
	run_flows(n, 1, (uint32_t[]){1000000, 300000}, NULL);
	net_fini(n);
	free(n);
}

static void tcp_pipe__superframes_cross_whole(void **state)
{
	struct net *n = malloc(sizeof(*n));
	net_init(n, 2, 0);
	n->super = true;
	run_flows(n, 2, (uint32_t[]){4000000, 10}, NULL);
	assert_true(n->n_frames < 2 * 4000000 / 1448); /* far fewer than segments */
	net_fini(n);
	free(n);
}

static void many_seeds(uint64_t from, uint64_t to, uint32_t queue, bool sack, bool ts)
{
	struct net *n = malloc(sizeof(*n));
	for (uint64_t seed = from; seed < to; seed++) {
		net_init(n, seed, 0);
		n->loss = (uint32_t)rng_below(&n->rng, 100000000);   /* up to 10 % */
		n->reorder = (uint32_t)rng_below(&n->rng, 100000000);
		n->dup = (uint32_t)rng_below(&n->rng, 50000000);
		n->corrupt = (uint32_t)rng_below(&n->rng, 10000000);
		n->jitter = (int64_t)rng_below(&n->rng, 2 * NS_PER_MS);
		n->rate = queue ? 2000000 : 0;
		n->queue = queue;
		tcp_settings_of(&n->h[0].env)->rmem = tcp_settings_of(&n->h[1].env)->rmem = 131072u << rng_below(&n->rng, 4);
		n->no_sack = !sack;
		n->no_ts = !ts;
		uint32_t bytes[2] = {(uint32_t)rng_below(&n->rng, 400000), (uint32_t)rng_below(&n->rng, 200000)};
		run_flows(n, 1 + (int)rng_below(&n->rng, CONNS), bytes, NULL);
		net_fini(n);
	}
	free(n);
}

static void tcp_pipe__loss_reorder_dup_corrupt_seeds(void **state) { many_seeds(1000, 1030, 0, true, true); }
static void tcp_pipe__without_timestamps(void **state) { many_seeds(3000, 3010, 0, true, false); }
/* CC-007: NewReno alone repairs it. */
static void req_CC_007__newreno_without_sack_seeds(void **state)
{
	many_seeds(4000, 4010, 0, false, true);
	many_seeds(5000, 5010, 0, false, false);
}
/* Each congestion control, paced and not, over links with a rate and a queue. */
static void req_CC_022__in_flight_and_timers_at_each_event(void **state)
{
	struct net *n = malloc(sizeof(*n));
	for (uint64_t seed = 7000; seed < 7024; seed++) {
		net_init(n, seed, (uint8_t)(seed % 3));
		n->loss = (uint32_t)rng_below(&n->rng, 60000000);
		n->reorder = (uint32_t)rng_below(&n->rng, 20000000);
		n->rate = 500000u << rng_below(&n->rng, 4);
		n->queue = (uint32_t)rng_below(&n->rng, 3);
		n->delay = (int64_t)(1 + rng_below(&n->rng, 60)) * NS_PER_MS;
		n->h[0].env.paces = n->h[1].env.paces = seed / 3 & 1;
		tcp_settings_of(&n->h[0].env)->rmem = tcp_settings_of(&n->h[1].env)->rmem = 131072u << rng_below(&n->rng, 4);
		run_flows(n, 1 + (int)rng_below(&n->rng, CONNS), (uint32_t[]){600000, 100000}, NULL);
		net_fini(n);
	}
	free(n);
}
static void tcp_pipe__driver_with_room_for_one_packet(void **state) { many_seeds(2000, 2015, 1, true, true); }

/* HARD-10: memory of one side, or for packets, is gone again and again. No crash, no leak, nothing stuck, no wrong byte. */
static void req_HARD_10__memory_fails_at_any_moment(void **state)
{
	struct net *n = malloc(sizeof(*n));
	th_arena_bytes = 12 * ARENA_PAGE_SIZE;
	home_bytes = 50 * ARENA_PAGE_SIZE;
	for (uint64_t seed = 6000; seed < 6030; seed++) {
		net_init(n, seed, 0);
		n->loss = 20000000;
		n->thief = 100000000;
		run_flows(n, 2, (uint32_t[]){200000, 100000}, NULL);
		net_fini(n);
	}
	th_arena_bytes = 8 << 20;
	home_bytes = 48 << 20;
	free(n);
}

/* Virtual time in which 3 MB arrive at 40 Mbit/s over 20 ms. */
static int64_t time_of(struct net *n, uint8_t cc, uint32_t reorder)
{
	net_init(n, 42, cc);
	n->delay = 10 * NS_PER_MS;
	n->rate = 5000000;
	n->reorder = reorder;
	n->h[0].env.paces = n->h[1].env.paces = true;
	struct flow f[CONNS] = {0};
	th_op_path_hold(&n->h[0], n->h[0].path);
	assert_int_equal(tcp_user_connect(&n->h[0].env, n->h[0].path, 4000, TH_LPORT, &(struct tcp_opts){.cc = cc}, 10, &f[0].conn[0]), 0);
	f[0].s[0] = (struct stream){.want = 3000000, .key = 1};
	push(n, 0);
	int64_t at = n->h[0].env.now;
	while (f[0].s[0].got < f[0].s[0].want) {
		step_users(n, f, 1);
		for (int i = 0; i < 2; i++)
			push(n, i);
		if (!tick(n))
			fail_msg("stuck");
	}
	at = n->h[0].env.now - at;
	while (n->n_fly)
		pkt_free(&n->mem, n->fly[--n->n_fly].p);
	net_fini(n);
	return at;
}

/* CC-012: a path that reorders every tenth packet and loses none costs no more than a fifth of the rate. */
static void req_CC_012__reordering_alone_costs_little(void **state)
{
	struct net *n = malloc(sizeof(*n));
	for (uint8_t cc = 0; cc < 2; cc++) {
		int64_t plain = time_of(n, cc, 0), reordered = time_of(n, cc, 100000000);
		print_message("%s: %lld ms, reordered %lld ms\n", tcp_cc_at(cc)->name, (long long)(plain / NS_PER_MS),
			      (long long)(reordered / NS_PER_MS));
		assert_true(plain * 10 >= reordered * 8);
	}
	free(n);
}

/* TCP-047 */
static void req_TCP_047__transfers_cross_2_31_and_2_32(void **state)
{
	static const uint32_t iss[] = {UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 20000, 0x7fffffff, 0x7fffffff - 20000, 0};
	struct net *n = malloc(sizeof(*n));
	for (unsigned i = 0; i < ARRAY_LEN(iss); i++)
		for (int lossy = 0; lossy < 2; lossy++) {
			net_init(n, 30 + i, 0);
			n->loss = lossy ? 30000000 : 0;
			run_flows(n, 1, (uint32_t[]){200000, 50000}, &iss[i]);
			net_fini(n);
		}
	free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_pipe__clean_transfer_both_ways),
		cmocka_unit_test(tcp_pipe__superframes_cross_whole),
		cmocka_unit_test(tcp_pipe__loss_reorder_dup_corrupt_seeds),
		cmocka_unit_test(tcp_pipe__without_timestamps),
		cmocka_unit_test(req_CC_007__newreno_without_sack_seeds),
		cmocka_unit_test(req_CC_022__in_flight_and_timers_at_each_event),
		cmocka_unit_test(tcp_pipe__driver_with_room_for_one_packet),
		cmocka_unit_test(req_HARD_10__memory_fails_at_any_moment),
		cmocka_unit_test(req_CC_012__reordering_alone_costs_little),
		cmocka_unit_test(req_TCP_047__transfers_cross_2_31_and_2_32),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
