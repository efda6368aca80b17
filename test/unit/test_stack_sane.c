/* A connection whose numbers contradict each other is reset, and nothing else suffers (HARD-11): each of the contradictions that
 * tcp/sane.h knows is made by hand in one of two connections; the other one carries its data to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "stack_flow.h"
#include "tcp/sane.h"

#define SERVER 0x0a000002u
#define VICTIM 7001
#define OTHER 7002

static struct net *t;
static struct via *c, *s;

static int setup(void **state)
{
	int ic, is;
	t = net_new();
	c = net_stack(t, "client", false);
	s = net_stack(t, "server", false);
	net_link(t, c, s, 1000, 1500, 0, 0, &ic, &is);
	assert_int_equal(net_addr(c, ic, 0x0a000001, 24), 0);
	assert_int_equal(net_addr(s, is, SERVER, 24), 0);
	return 0;
}

/* The client's connection to that port. */
static struct tcp_conn *conn_to(uint16_t port)
{
	for (ref_t r = tcp_tab(&c->tcp)->all.head; r; r = list_next(c->arena, r, offsetof(struct tcp_entry, all)))
		if (tcp_node_at(&c->tcp, r)->rport == port)
			return arena_at(c->arena, r);
	fail_msg("no connection");
	return NULL;
}

static void never_sent(struct tcp_conn *k) { k->snd_una = k->snd_nxt + 1000; }
static void behind(struct tcp_conn *k) { k->snd_nxt = k->snd_una - 1; }
static void nothing_in_flight(struct tcp_conn *k) { k->snd_una += 1; }
static void beyond_the_window(struct tcp_conn *k) { k->rcv_nxt = k->rcv_adv + 70000; }
static void no_such_state(struct tcp_conn *k) { k->state = 77; }
static void a_listener(struct tcp_conn *k) { k->state = TCP_LISTEN; }
static void no_such_edge(struct tcp_conn *k) { tcp_conn_set_state(&c->tcp, k, TCP_SYN_SENT); }
static void ranges_elsewhere(struct tcp_conn *k)
{
	struct tcp_active *a = tcp_active_of(&c->tcp, k);
	assert_non_null(a);
	assert_true(a->sent.n > 0);
	tcp_ranges_at(c->arena, &a->sent)->seq += 3;
}
static void more_sacked_than_sent(struct tcp_conn *k)
{
	struct tcp_active *a = tcp_active_of(&c->tcp, k);
	assert_non_null(a);
	a->sent.sacked = k->snd_nxt - k->snd_una + 1;
}

static void one_breaks(void (*harm)(struct tcp_conn *))
{
	setup(NULL);
	struct flow victim = flow_open(t, c, s, SERVER, VICTIM, 4 << 20), other = flow_open(t, c, s, SERVER, OTHER, 1 << 20);
	char b[4096] = "";
	int64_t r;
	flow_step(&other);
	net_run(t, t->now + 2 * NS_PER_MS);
	assert_int_equal(net_counter(c, "tcp.broken"), 0);
	assert_int_equal(via_send(c, victim.out, b, 3000, 0), 3000);
	via_flush(c, t->now); /* in flight */
	struct tcp_conn *k = conn_to(VICTIM);
	harm(k);
	tcp_conn_settle(&c->tcp, k); /* as every way into TCP does last */
	t->broken = 1;
	flow_finish(t, &other, 1, t->now + 60 * NS_PER_S);
	assert_int_equal(net_counter(c, "tcp.broken"), 1);
	assert_int_equal(net_counter(s, "tcp.broken"), 0);
	assert_int_equal(via_send(c, victim.out, "x", 1, 0), -ECONNABORTED);
	/* The number that the reset took may have been wrong, too: then the next segment is answered. */
	int64_t told = via_send(s, victim.in, "x", 1, 0);
	net_run(t, t->now + NS_PER_S);
	do
		r = via_recv(s, victim.in, b, sizeof(b), 0);
	while (r > 0);
	assert_true(told == -ECONNRESET || r == -ECONNRESET);
	via_close(c, victim.out);
	via_close(s, victim.in);
	net_free(t);
}

static void req_HARD_11__one_broken_connection_is_closed_and_no_other(void **state)
{
	static void (*const harms[])(struct tcp_conn *) = {never_sent, behind, nothing_in_flight, beyond_the_window, no_such_state, a_listener,
		no_such_edge, ranges_elsewhere, more_sacked_than_sent};
	for (size_t i = 0; i < ARRAY_LEN(harms); i++)
		one_breaks(harms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(req_HARD_11__one_broken_connection_is_closed_and_no_other)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
