/* Memory: every allocation that can fail, one by one (HARD-10); what an idle connection owns; the end of a stack; what is traced. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[5000];
static ref_t loot[512];

static int setup(void **state)
{
	th_arena_bytes = 20 * ARENA_PAGE_SIZE;
	th_home_bytes = 1 << 20;
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	return 0;
}

static void take_all(struct arena *a)
{
	for (unsigned i = 0; i < ARRAY_LEN(loot) && (loot[i] = arena_pages_take(a, 1)); i++)
		;
}
static void give_all(struct arena *a)
{
	for (unsigned i = 0; i < ARRAY_LEN(loot) && loot[i]; i++) {
		arena_pages_give(a, loot[i], 1);
		loot[i] = 0;
	}
}

static ref_t kept[1024];
static unsigned n_kept;
/* No object is left in a pool, whatever pages it has. */
static void drain_pool(struct pool *p)
{
	while ((kept[n_kept] = pool_take(t.arena, p)))
		n_kept++;
}
static void refill_pool(struct pool *p)
{
	while (n_kept)
		pool_give(t.arena, p, kept[--n_kept]);
}

static void req_HARD_10__connect(void **state)
{
	ref_t r;
	take_all(t.arena);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, 1, 2, NULL, TH_OWNER, &r), -ENOMEM); /* no connection */
	give_all(t.arena);
	struct tcp_state_tab *tab = tcp_tab(&t.env);
	ref_t keep = pool_take(t.arena, &tab->conns);
	take_all(t.arena);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, 1, 2, NULL, TH_OWNER, &r), -ENOMEM); /* no active */
	give_all(t.arena);
	pool_give(t.arena, &tab->conns, keep);
	th_assert_clean(&t);
	struct via_addr any = via_addr_v4(0);
	take_all(t.arena);
	assert_int_equal(tcp_user_listen(&t.env, &any, 1, 1, NULL, TH_LISTEN_OWNER), 0);
	give_all(t.arena);
	th_finish(&t, 0);
}

static void req_HARD_10__accepting(void **state)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	struct tcp_state_tab *tab = tcp_tab(&t.env);

	th_listen(&t, 4, NULL);
	take_all(t.arena);
	th_inject(&t, &h, NULL, 0); /* no SYN-RECEIVED entry */
	assert_int_equal(t.drop, DROP_NO_MEMORY);
	give_all(t.arena);
	th_inject(&t, &h, NULL, 0);
	q.irs = th_next(&t)->h.seq;
	struct pool *pools[] = {&tab->conns, &tab->rares, &tab->actives};
	for (unsigned i = 0; i < ARRAY_LEN(pools); i++) { /* the third ACK finds no memory: the entry stays */
		ref_t keep[3];
		for (unsigned j = 0; j < ARRAY_LEN(pools); j++)
			keep[j] = pool_take(t.arena, pools[j]); /* each has a page */
		take_all(t.arena);
		drain_pool(pools[i]);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		assert_int_equal(t.drop, DROP_NO_MEMORY);
		assert_int_equal(t.n_nodes, 1);
		refill_pool(pools[i]);
		give_all(t.arena);
		for (unsigned j = 0; j < ARRAY_LEN(pools); j++)
			pool_give(t.arena, pools[j], keep[j]);
	}
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c, 0);
	th_unlisten(&t);
	th_finish(&t, c);
}

static void req_HARD_10__sending_and_closing(void **state)
{
	c = th_connect(&t, &q, NULL, NULL);
	assert_int_equal(th_conn(&t, c)->active, 0);
	take_all(t.arena);
	/* "Wait", not ENOBUFS: the shortage passes and may be others', and every user treats another errno as the stream's end (HARD-09). */
	assert_int_equal(tcp_user_send(&t.env, c, "x", 1, false), -EAGAIN);
	assert_int_equal(tcp_user_send_lend(&t.env, c, data, 100, NULL, NULL, 0), -EAGAIN);
	assert_int_equal(tcp_user_send_commit(&t.env, c, 0), -EAGAIN);
	assert_int_equal(tcp_user_ready(&t.env, c) & VIA_OUT, 0);
	th_send(&t, &q, TCP_ACK, 5, 1, "ooo", 3); /* no reorder queue: dropped, and asked for again */
	assert_int_equal(t.drop, DROP_NO_MEMORY);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_int_equal(tcp_user_shutdown_wr(&t.env, c), 0); /* FIN cannot be remembered: the connection is reset, not stuck */
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ENOBUFS);
	give_all(t.arena);
	th_finish(&t, c);
}

/* Packet memory is gone while data waits: the persist timer tries again. */
static void req_HARD_10__no_packet_to_send_in(void **state)
{
	c = th_connect(&t, &q, NULL, NULL);
	assert_int_equal(tcp_user_send(&t.env, c, data, 500, false), 500);
	take_all(t.env.mem->home);
	struct pkt *hoard = NULL;
	for (struct pkt *p; (p = pkt_new(t.env.mem, 0)); hoard = p)
		p->next = hoard ? pkt_ref(t.env.mem, hoard) : 0;
	th_flush(&t);
	th_run(&t, NS_PER_S);
	assert_int_equal(t.n_out, 0);
	while (hoard) {
		struct pkt *p = hoard;
		hoard = p->next ? pkt_at(t.env.mem, p->next) : NULL;
		pkt_free(t.env.mem, p);
	}
	give_all(t.env.mem->home);
	th_run(&t, 5 * NS_PER_S);
	assert_true(t.n_out > 0);
	assert_int_equal(t.out[0].len, 500);
	th_finish(&t, c);
}

/* More slices than a packet holds: the segment is cut short, and the rest follows. */
static void tcp_memory__many_small_loans_in_one_superframe(void **state)
{
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1000}, NULL);
	static uint8_t piece[60][400];
	for (int i = 0; i < 60; i++) {
		memset(piece[i], i, sizeof(piece[i]));
		assert_int_equal(tcp_user_send_lend(&t.env, c, piece[i], 400, NULL, NULL, 0), 400);
	}
	th_conn(&t, c)->cwnd = 100000;
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	uint32_t at = 0;
	bool fin = false;
	for (const struct th_seg *s; (s = th_next(&t)); at += s->len) {
		assert_false(fin);
		assert_int_equal(s->h.seq - q.irs, 1 + at);
		for (uint32_t i = 0; i < s->len; i++)
			assert_int_equal(s->data[i], (at + i) / 400);
		fin = s->h.flags & TCP_FIN;
		assert_int_equal(fin, at + s->len == 24000);
	}
	assert_int_equal(at, 24000);
	assert_true(fin);
	th_finish(&t, c);
}

/* Design, decision 8: an idle connection owns its hot struct and no more, if it is none of the few that keep their counters. */
static void tcp_memory__idle_connection_is_hot_only(void **state)
{
	char buf[8];
	tcp_settings_of(&t.env)->tallies = 0;
	size_t before = arena_bytes_used(t.arena);
	th_listen(&t, 1, NULL);
	size_t listener = arena_bytes_used(t.arena) - before;
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	th_inject(&t, &h, NULL, 0);
	q.irs = th_next(&t)->h.seq;
	assert_true(arena_bytes_used(t.arena) - before - listener <= 128);
	th_send(&t, &q, TCP_ACK, 1, 1, "ping", 4);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	tcp_user_recv(&t.env, c, buf, 8, false);
	tcp_user_send(&t.env, c, "pong", 4, false);
	th_flush(&t);
	th_send(&t, &q, TCP_ACK, 5, 5, NULL, 0);
	th_send(&t, &q, TCP_ACK, 7, 5, "late", 4); /* out of order, then whole */
	th_send(&t, &q, TCP_ACK, 5, 5, "is", 2);
	tcp_user_recv(&t.env, c, buf, 8, false);
	th_run(&t, NS_PER_S);
	assert_int_equal(arena_bytes_used(t.arena) - before - listener, sizeof(struct tcp_conn));
	assert_true(sizeof(struct tcp_conn) <= 256);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_send(&t, &q, TCP_FIN | TCP_ACK, 11, 6, NULL, 0);
	assert_true(arena_bytes_used(t.arena) - before - listener <= 128); /* TIME-WAIT */
	th_unlisten(&t);
	th_finish(&t, 0);
}

static void tcp_memory__fini_takes_all_kinds_down(void **state)
{
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	c = th_connect(&t, &q, NULL, NULL);
	tcp_user_send(&t.env, c, data, 5000, false);
	th_send(&t, &q, TCP_ACK, 9, 1, "hole", 4);
	th_listen(&t, 1, NULL);
	h.sport = 1;
	th_inject(&t, &h, NULL, 0);
	ref_t c2;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, 2, NULL, TH_OWNER, &c2), 0);
	struct tcp_conn *k = th_conn(&t, c2);
	k->fin_sent = 1;
	tcp_timewait_enter(&t.env, k); /* one of each kind stands now */
	ref_t seen = 0;
	int n = 0, kinds = 0;
	while ((seen = tcp_node_next(&t.env, seen))) {
		struct via_sock_info i = {.size = sizeof(i)};
		tcp_node_info(&t.env, seen, &i);
		kinds |= 1 << i.tcp_state;
		n++;
	}
	assert_int_equal(n, 3); /* the closed one is not listed */
	assert_int_equal(kinds, 1 << TCP_ESTABLISHED | 1 << TCP_SYN_RECEIVED | 1 << TCP_TIME_WAIT);
	pktq_clear(t.env.mem, &t.txq);
	t.hold = true;
	th_fini(&t); /* the sanitizers watch */
}

static void tcp_memory__linux_info(void **state)
{
	uint8_t info[512];
	q.ts = true;
	c = th_connect(&t, &q, &(struct tcp_hdr){.sack_permitted = true}, NULL);
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	memset(info, 0xee, sizeof(info));
	uint32_t n = tcp_conn_linux_info(&t.env, c, info, sizeof(info));
	assert_true(n > 100 && n <= 512);
	assert_int_equal(info[0], TCP_ESTABLISHED); /* tcpi_state */
	assert_int_equal(info[5] & 3, 3);           /* tcpi_options: timestamps, SACK */
	uint32_t snd_mss, unacked;
	memcpy(&snd_mss, info + 16, 4);
	memcpy(&unacked, info + 24, 4);
	assert_int_equal(snd_mss, 524);
	assert_int_equal(unacked, 1);
	assert_int_equal(info[n], 0xee);
	assert_int_equal(tcp_conn_linux_info(&t.env, c, info, 8), 8);
	th_finish(&t, c);
}

/* --- traces --- */

static struct trace_event seen[64];
static int n_seen;
static void on_event(void *ctx, const struct trace_event *e)
{
	assert_true(n_seen < 64);
	seen[n_seen++] = *e;
}
static int count(enum trace_kind kind, uint32_t a, uint32_t b)
{
	int n = 0;
	for (int i = 0; i < n_seen; i++)
		n += seen[i].kind == kind && seen[i].a == a && (kind != TRACE_TCP_STATE || seen[i].b == b);
	return n;
}

static void tcp_trace__decisions_are_told(void **state)
{
	static const struct trace tr = {on_event, NULL};
	n_seen = 0;
	t.env.trace = &tr;
	c = th_connect(&t, &q, NULL, NULL);
	assert_int_equal(count(TRACE_TCP_STATE, TCP_CLOSED, TCP_SYN_SENT), 1);
	assert_int_equal(count(TRACE_TCP_STATE, TCP_SYN_SENT, TCP_ESTABLISHED), 1);
	tcp_user_send(&t.env, c, data, 10, false);
	th_flush(&t);
	tcp_user_send(&t.env, c, data, 10, false);
	th_flush(&t);
	bool held = false;
	for (int i = 0; i < n_seen; i++)
		held |= seen[i].kind == TRACE_TCP_HELD && seen[i].reason == HELD_NAGLE;
	assert_true(held);
	th_run(&t, 300 * NS_PER_MS);
	assert_int_equal(count(TRACE_TCP_RTO, 0, 0), 1);
	assert_int_equal(count(TRACE_TCP_CC, 536, 0), 1); /* cwnd fell to one segment */
	th_send(&t, &q, TCP_RST, 1, 0, NULL, 0);
	assert_int_equal(count(TRACE_TCP_STATE, TCP_ESTABLISHED, TCP_CLOSED), 1);
	assert_int_equal(seen[n_seen - 1].lport, TH_LPORT);
	t.env.trace = NULL;
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_HARD_10__connect), T(req_HARD_10__accepting), T(req_HARD_10__sending_and_closing), T(req_HARD_10__no_packet_to_send_in),
		T(tcp_memory__many_small_loans_in_one_superframe), T(tcp_memory__idle_connection_is_hot_only),
		T(tcp_memory__fini_takes_all_kinds_down), T(tcp_memory__linux_info), T(tcp_trace__decisions_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
