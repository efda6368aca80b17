/* A peer without manners and a user without a plan: random segments near the edges, random calls, links that stall, memory that
 * ends. Nothing asserts, nothing leaks; whatever state comes of it, all is given back in the end (HARD-01, HARD-02, HARD-10). */
#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static struct rng r;
static ref_t conn;      /* the user's, or 0 */
static uint8_t data[70000];

static uint32_t pick(uint32_t n) { return (uint32_t)rng_below(&r, n); }

/* A number near one that matters. */
static uint32_t near_edge(uint32_t x)
{
	static const int32_t off[] = {0, 0, 0, 1, -1, 2, 100, -100, 1448, -1448, 65535, 70000, -70000, INT32_MAX, INT32_MIN};
	return x + (uint32_t)off[pick(ARRAY_LEN(off))];
}

static void peer_sends(void)
{
	struct tcp_conn *c = conn ? th_conn(&t, conn) : NULL;
	struct tcp_hdr h = {.sport = TH_RPORT, .dport = TH_LPORT, .wnd = (uint16_t)(pick(3) ? pick(65536) : 0)};
	uint32_t edges[] = {c ? c->rcv_nxt : q.iss, c ? c->rcv_adv : q.iss + 1, q.iss};
	uint32_t acks[] = {c ? c->snd_una : q.irs + 1, c ? c->snd_nxt : q.irs + 1, q.irs + 1};
	h.seq = near_edge(edges[pick(3)]);
	h.ack = near_edge(acks[pick(3)]);
	h.flags = pick(4) ? TCP_ACK : (uint8_t)pick(64);
	if (pick(40) == 0)
		h.flags |= TCP_RST;
	if (pick(20) == 0)
		h.flags |= TCP_FIN;
	h.has_ts = c && c->ts_ok ? pick(20) != 0 : pick(2);
	h.tsval = (c ? c->ts_recent : 0) + pick(10) - (pick(10) == 0 ? 5 : 0);
	h.tsecr = pick(2) ? tcp_ts_now(&t.env, c ? c->ts_offset : 0) : pick(UINT32_MAX);
	h.n_sack = (uint8_t)pick(TCP_SACK_MAX + 1);
	for (unsigned i = 0; i < h.n_sack; i++)
		h.sack[i] = (struct iv){near_edge(acks[pick(2)]) + pick(3000), near_edge(acks[pick(2)]) + pick(6000)};
	h.sack_permitted = h.has_ws = h.has_mss = true;
	h.ws = (uint8_t)pick(15);
	h.mss = (uint16_t)pick(2000);
	uint32_t n = pick(2) ? pick(1500) : 0;
	struct pkt *p = pkt_new(t.env.mem, 64);
	uint8_t hdr[TCP_HLEN_MAX];
	if (!p)
		return;
	if (pkt_append(t.env.mem, p, hdr, tcp_emit(hdr, &h)) == 0 && pkt_append(t.env.mem, p, data, n) == 0) {
		p->m.csum = PKT_CSUM_VERIFIED;
		p->m.gso_size = pick(10) ? 0 : 500;
		p->m.gso_segs = p->m.gso_size ? (uint16_t)(n / 500 + 1) : 0;
		th_deliver(&t, p);
	} else {
		pkt_free(t.env.mem, p);
	}
}

static void user_acts(void)
{
	static uint8_t buf[5000];
	struct tcp_opts opts;
	ref_t fresh = t.listener ? tcp_user_accept(&t.env, t.listener, TH_OWNER) : 0;

	if (fresh && conn)
		tcp_user_close(&t.env, conn, pick(2));
	if (fresh)
		conn = fresh;
	if (!conn) {
		if (!t.listener || th_find(&t, TH_LPORT, TH_RPORT))
			return;
		th_op_path_hold(&t, t.path);
		if (tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &conn) < 0)
			conn = 0;
		return;
	}
	switch (pick(12)) {
	case 0:
		tcp_user_shutdown_wr(&t.env, conn);
		break;
	case 1:
		if (pick(3) == 0) {
			tcp_user_close(&t.env, conn, pick(2));
			conn = 0;
		}
		break;
	case 2:
		opts = (struct tcp_opts){.nodelay = pick(2), .cork = pick(3) == 0, .keepalive = pick(2), .keep_idle_s = pick(3),
					 .rcvbuf = pick(30000), .sndbuf = pick(60000), .user_timeout_ms = pick(4) ? 0 : 5000};
		tcp_user_set_opts(&t.env, conn, &opts);
		break;
	case 3:
		tcp_user_error(&t.env, conn);
		break;
	case 4:
	case 5:
		tcp_user_recv(&t.env, conn, buf, pick(sizeof(buf)), pick(4) == 0);
		break;
	case 6:
		tcp_icmp_arrives(&t.env, conn, 113, pick(2), near_edge(th_conn(&t, conn)->snd_una), pick(4) ? 0 : pick(1600));
		break;
	default:
		tcp_user_send(&t.env, conn, data, pick(sizeof(data)), pick(5) == 0);
	}
}

static void world_acts(void)
{
	switch (pick(6)) {
	case 0:
		th_run(&t, (int64_t)pick(300) * NS_PER_MS);
		break;
	case 1:
		if (pick(20) == 0)
			th_run(&t, (int64_t)pick(200) * NS_PER_S);
		break;
	case 2:
		t.hold = !t.hold;
		break;
	case 3:
		t.room = pick(2) ? pick(3000) : UINT32_MAX;
		if (t.room)
			tcp_tx_room(&t.env, 2);
		break;
	default:
		th_flush(&t);
	}
	th_drain(&t);
}

static void tcp_noise__everything_comes_back(void **state)
{
	th_arena_bytes = 14 * ARENA_PAGE_SIZE;
	th_home_bytes = 1 << 20;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		rng_seed(&r, seed);
		th_init(&t, TH_A, TH_B, NULL, (uint8_t)seed);
		q = (struct peer){.iss = (uint32_t)rng_u64(&r)};
		conn = 0;
		th_listen(&t, 2, NULL);
		for (int i = 0; i < 400; i++) {
			peer_sends();
			if (pick(2))
				user_acts();
			if (pick(3) == 0)
				world_acts();
			if (t.n_out > TH_OUT - 200)
				th_drain(&t);
		}
		t.hold = false;
		t.room = UINT32_MAX;
		tcp_tx_room(&t.env, 2);
		th_unlisten(&t);
		if (conn)
			tcp_user_close(&t.env, conn, true);
		conn = 0;
		th_drain(&t);
		for (int i = 0; i < 4000 && t.n_nodes; i++) { /* orphans and TIME-WAIT run out */
			th_run(&t, NS_PER_S);
			th_drain(&t);
		}
		th_flush(&t);
		th_assert_clean(&t);
		th_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tcp_noise__everything_comes_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
