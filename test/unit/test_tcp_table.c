/* TCP-045: 11 states x 9 sets of control bits x 5 places in the window, against a table written from RFC 9293 §3.10.7.
 *
 * Segments carry no text; where ACK is set it acknowledges all we have sent, our FIN included. Named differences from
 * RFC 9293, each marked in the table: RST and SYN in the window are challenged (RFC 5961 §3.2, §4.2); RST in TIME-WAIT is
 * ignored (RFC 1337); SYN with FIN to a listener is dropped (as Linux); a second FIN, at a number after the first, is ignored. */
#include "test/unit/tcp_harness.h"

enum { BELOW, LEFT, INSIDE, RIGHT, ABOVE, PLACES };
static const char *const place_names[] = {"below", "left edge", "inside", "right edge", "above"};

static const struct {
	const char *name;
	uint8_t bits;
} flags[] = {
	{"SYN", TCP_SYN}, {"SYN+ACK", TCP_SYN | TCP_ACK}, {"ACK", TCP_ACK}, {"FIN", TCP_FIN}, {"FIN+ACK", TCP_FIN | TCP_ACK},
	{"RST", TCP_RST}, {"RST+ACK", TCP_RST | TCP_ACK}, {"SYN+FIN", TCP_SYN | TCP_FIN}, {"none", 0},
};

/* An outcome is two letters. Answer: - none, a ACK, s SYN-ACK, r RST at SEG.ACK, R RST+ACK.
 * State: . the same, S SYN-RECEIVED, E ESTABLISHED, 2 FIN-WAIT-2, W CLOSE-WAIT, T TIME-WAIT, X gone or CLOSED. */
static const struct {
	enum tcp_state state;
	const char *row[9]; /* by flags; in it the five places */
} table[] = {
	{TCP_CLOSED, { /* §3.10.7.1 */
		"R. R. R. R. R.", "r. r. r. r. r.", "r. r. r. r. r.", "R. R. R. R. R.", "r. r. r. r. r.",
		"-. -. -. -. -.", "-. -. -. -. -.", "R. R. R. R. R.", "R. R. R. R. R."}},
	{TCP_LISTEN, { /* §3.10.7.2; SYN+FIN: deviation */
		"sS sS sS sS sS", "r. r. r. r. r.", "r. r. r. r. r.", "-. -. -. -. -.", "r. r. r. r. r.",
		"-. -. -. -. -.", "-. -. -. -. -.", "-. -. -. -. -.", "-. -. -. -. -."}},
	{TCP_SYN_SENT, { /* §3.10.7.3: no window yet */
		"sS sS sS sS sS", "aE aE aE aE aE", "-. -. -. -. -.", "-. -. -. -. -.", "-. -. -. -. -.",
		"-. -. -. -. -.", "-X -X -X -X -X", "sS sS sS sS sS", "-. -. -. -. -."}},
	{TCP_SYN_RECEIVED, { /* of a listener; §3.10.7.4 */
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -E -E -E a.", "a. -. -. -. a.", "a. aW aE aE a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_ESTABLISHED, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -. -. -. a.", "a. -. -. -. a.", "a. aW a. a. a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_FIN_WAIT_1, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -2 -2 -2 a.", "a. -. -. -. a.", "a. aT a2 a2 a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_FIN_WAIT_2, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -. -. -. a.", "a. -. -. -. a.", "a. aT a. a. a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_CLOSE_WAIT, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -. -. -. a.", "a. -. -. -. a.", "a. -. -. -. a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_CLOSING, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -T -T -T a.", "a. -. -. -. a.", "a. -T -T -T a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_LAST_ACK, {
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -X -X -X a.", "a. -. -. -. a.", "a. -X -X -X a.",
		"-. -X a. a. -.", "-. -X a. a. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
	{TCP_TIME_WAIT, { /* RST: RFC 1337 */
		"a. a. a. a. a.", "a. a. a. a. a.", "a. -. -. -. a.", "a. -. -. -. a.", "a. a. a. a. a.",
		"-. -. -. -. -.", "-. -. -. -. -.", "a. a. a. a. a.", "a. -. -. -. a."}},
};

static struct th t;
static struct peer q;
static ref_t c;
static uint32_t snd_nxt, rcv_nxt, wnd; /* relative to the ISNs */

static void note(uint32_t s, uint32_t r)
{
	snd_nxt = s;
	rcv_nxt = r;
	wnd = 65535;
}

/* Bring a fresh env into the state. */
static void enter(enum tcp_state st)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = 0;
	note(1, 1);
	if (st == TCP_CLOSED)
		return;
	if (st == TCP_LISTEN || st == TCP_SYN_RECEIVED) {
		th_listen(&t, 4, NULL);
		if (st == TCP_LISTEN)
			return;
		th_send(&t, &q, TCP_SYN, 0, 0, NULL, 0);
		q.irs = th_next(&t)->h.seq;
		return;
	}
	if (st == TCP_SYN_SENT) {
		th_op_path_hold(&t, t.path);
		assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &c), 0);
		th_flush(&t);
		q.irs = th_next(&t)->h.seq;
		return;
	}
	c = th_connect(&t, &q, NULL, NULL);
	bool peer_first = st == TCP_CLOSE_WAIT || st == TCP_LAST_ACK;
	if (peer_first)
		th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	if (st != TCP_ESTABLISHED && st != TCP_CLOSE_WAIT) {
		tcp_user_shutdown_wr(&t.env, c);
		th_flush(&t);
	}
	if (st == TCP_FIN_WAIT_2 || st == TCP_TIME_WAIT)
		th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	if (st == TCP_CLOSING)
		th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	if (st == TCP_TIME_WAIT)
		th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 2, NULL, 0);
	bool fin_in = peer_first || st == TCP_CLOSING || st == TCP_TIME_WAIT;
	note(st == TCP_ESTABLISHED || st == TCP_CLOSE_WAIT ? 1 : 2, fin_in ? 2 : 1);
	wnd -= fin_in; /* the FIN used one number of what was offered */
}

/* The state as seen from outside: of the node in demux, or of the listener. */
static enum tcp_state state_now(enum tcp_state before)
{
	struct via_sock_info i = {.size = sizeof(i)};
	ref_t r = th_find(&t, TH_LPORT, TH_RPORT);

	if (!r)
		return before == TCP_LISTEN ? TCP_LISTEN : TCP_CLOSED;
	tcp_node_info(&t.env, r, &i);
	return i.tcp_state;
}

static char state_letter(enum tcp_state before, enum tcp_state after)
{
	if (after == before)
		return '.';
	switch (after) {
	case TCP_SYN_RECEIVED: return 'S';
	case TCP_ESTABLISHED: return 'E';
	case TCP_FIN_WAIT_2: return '2';
	case TCP_CLOSE_WAIT: return 'W';
	case TCP_TIME_WAIT: return 'T';
	case TCP_CLOSED: return 'X';
	default: return '?';
	}
}

static char answer_letter(uint32_t seg_ack)
{
	const struct th_seg *s = th_next(&t);

	if (!s)
		return '-';
	if (t.n_out != t.i_out)
		return 'M'; /* more than one answer is always wrong */
	switch (s->h.flags) {
	case TCP_ACK: return s->h.seq == q.irs + snd_nxt || s->h.seq == q.irs + 1 ? 'a' : '?';
	case TCP_SYN | TCP_ACK: return 's';
	case TCP_RST: return s->h.seq == seg_ack ? 'r' : '?';
	case TCP_RST | TCP_ACK: return s->h.seq == 0 ? 'R' : '?';
	default: return '?';
	}
}

static void req_TCP_045__outcome_table(void **state)
{
	int bad = 0, n = 0;

	th_arena_bytes = th_home_bytes = 1 << 20;
	for (unsigned i = 0; i < ARRAY_LEN(table); i++)
		for (unsigned f = 0; f < ARRAY_LEN(flags); f++)
			for (unsigned p = 0; p < PLACES; p++, n++) {
				enum tcp_state st = table[i].state;
				enter(st);
				th_drain(&t);
				uint32_t seq[] = {rcv_nxt - 100, rcv_nxt, rcv_nxt + 10, rcv_nxt + wnd - 1, rcv_nxt + wnd + 100};
				struct tcp_hdr h = th_hdr(&q, flags[f].bits, seq[p], snd_nxt);
				th_inject(&t, &h, NULL, 0);
				char got[2] = {answer_letter(h.ack), state_letter(st, state_now(st))};
				const char *want = table[i].row[f] + 3 * p;
				if (memcmp(got, want, 2) != 0) {
					bad++;
					print_error("%s, %s %s: expected %.2s, got %.2s\n", tcp_state_name((uint8_t)st), flags[f].name,
						    place_names[p], want, got);
				}
				if (t.listener)
					th_unlisten(&t);
				th_finish(&t, c);
			}
	assert_int_equal(n, 11 * 9 * 5);
	assert_int_equal(bad, 0);
}

/* The edges of RFC 9293 Figure 5, and none other. */
static void tcp_state__edges(void **state)
{
	static const uint8_t edges[][2] = {
		{TCP_CLOSED, TCP_SYN_SENT}, {TCP_CLOSED, TCP_SYN_RECEIVED}, {TCP_LISTEN, TCP_SYN_RECEIVED}, {TCP_LISTEN, TCP_SYN_SENT},
		{TCP_SYN_SENT, TCP_SYN_RECEIVED}, {TCP_SYN_SENT, TCP_ESTABLISHED}, {TCP_SYN_RECEIVED, TCP_ESTABLISHED},
		{TCP_SYN_RECEIVED, TCP_FIN_WAIT_1}, {TCP_SYN_RECEIVED, TCP_LISTEN}, {TCP_ESTABLISHED, TCP_FIN_WAIT_1},
		{TCP_ESTABLISHED, TCP_CLOSE_WAIT}, {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2}, {TCP_FIN_WAIT_1, TCP_CLOSING},
		{TCP_FIN_WAIT_1, TCP_TIME_WAIT}, {TCP_FIN_WAIT_2, TCP_TIME_WAIT}, {TCP_CLOSE_WAIT, TCP_LAST_ACK}, {TCP_CLOSING, TCP_TIME_WAIT},
	};
	for (uint8_t from = TCP_ESTABLISHED; from <= TCP_CLOSING; from++)
		for (uint8_t to = TCP_ESTABLISHED; to <= TCP_CLOSING; to++) {
			bool want = to == TCP_CLOSED && from != TCP_CLOSED && from != TCP_LISTEN; /* abort, RST, time-out */
			for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
				want |= edges[i][0] == from && edges[i][1] == to;
			assert_int_equal(tcp_state_may_go(from, to), want);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(req_TCP_045__outcome_table), cmocka_unit_test(tcp_state__edges)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
