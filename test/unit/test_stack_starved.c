/* HARD-09 with whole stacks: packet memory far smaller than what the writers have to say. Programs act on events alone, so a wake-up
 * that does not come shows as a transfer that does not end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stacks.h"

#define IP_B 0x0a000002u
#define FLOWS 8
#define TOTAL 150000u

struct end {
	via_sock s;
	bool may_write, may_read, is_shut, is_done;
	uint32_t sent, got;
};

static uint8_t byte_at(int flow, uint32_t i) { return (uint8_t)(i * 2654435761u >> 13 ^ i ^ (uint32_t)flow); }

/* Write until told to wait; a short write is one's last, as with an edge-triggered epoll. */
static void writes(struct via *v, struct end *e, int flow)
{
	static uint8_t buf[20000];
	while (e->may_write && e->sent < TOTAL) {
		uint32_t n = MIN(TOTAL - e->sent, (uint32_t)sizeof(buf));
		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(flow, e->sent + i);
		int64_t k = via_send(v, e->s, buf, n, 0);
		if (k == -EAGAIN)
			k = 0;
		assert_in_range(k, 0, n);
		e->sent += (uint32_t)k;
		e->may_write = k == n;
	}
	if (e->sent == TOTAL && !e->is_shut) {
		assert_int_equal(via_shutdown(v, e->s, VIA_SHUT_WR), 0);
		e->is_shut = true;
	}
}

static void reads(struct via *v, struct end *e, int flow)
{
	static uint8_t buf[20000];
	while (e->may_read && !e->is_done) {
		int64_t k = via_recv(v, e->s, buf, sizeof(buf), 0);
		e->may_read = k != -EAGAIN;
		if (!e->may_read)
			return;
		assert_true(k >= 0);
		for (int64_t i = 0; i < k; i++)
			assert_int_equal(buf[i], byte_at(flow, e->got + (uint32_t)i));
		e->got += (uint32_t)k;
		e->is_done = k == 0;
	}
}

static void run(struct net *t, struct end *out, struct end *in)
{
	struct via_event ev[32];
	for (int64_t until = t->now + 600 * NS_PER_S; t->now < until;) {
		for (int k = 0; k < 2; k++) {
			int n;
			while ((n = via_events(t->v[k], ev, 32)) > 0)
				for (int i = 0; i < n; i++)
					for (int f = 0; f < FLOWS; f++) {
						struct end *e = k ? &in[f] : &out[f];
						if (e->s != ev[i].sock)
							continue;
						assert_int_equal(ev[i].edges & VIA_ERR, 0);
						e->may_write |= (ev[i].edges & VIA_OUT) != 0;
						e->may_read |= (ev[i].edges & VIA_IN) != 0;
					}
		}
		bool all = true;
		for (int f = 0; f < FLOWS; f++) {
			writes(t->v[0], &out[f], f);
			reads(t->v[1], &in[f], f);
			all = all && in[f].is_done;
		}
		if (all)
			return;
		assert_true(net_run(t, t->now + NS_PER_MS));
	}
	for (int f = 0; f < FLOWS; f++)
		print_message("# flow %d: sent %u, read %u\n", f, out[f].sent, in[f].got);
	fail_msg("not all transfers ended");
}

static void starved(uint32_t pages)
{
	struct net *t = net_new_in(pages * ARENA_PAGE_SIZE);
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	struct end out[FLOWS] = {0}, in[FLOWS] = {0};
	struct via_sockaddr any = net_at(0, 80), at = net_at(IP_B, 80);
	int ia, ib;

	net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
	assert_int_equal(net_addr(a, ia, 0x0a000001, 24), 0);
	assert_int_equal(net_addr(b, ib, IP_B, 24), 0);
	via_sock l = net_open(b, VIA_STREAM);
	assert_int_equal(via_bind(b, l, &any), 0);
	assert_int_equal(via_listen(b, l, 16), 0);
	for (int f = 0; f < FLOWS; f++) {
		out[f].s = net_open(a, VIA_STREAM);
		assert_int_equal(via_connect(a, out[f].s, &at), -EINPROGRESS);
		assert_true(net_run(t, t->now + 100 * NS_PER_MS));
		assert_int_equal(via_accept(b, l, 0, &in[f].s, NULL), 0);
		in[f].may_read = true;
	}
	run(t, out, in);
	for (int f = 0; f < FLOWS; f++) {
		assert_int_equal(in[f].got, TOTAL);
		via_close(a, out[f].s);
		via_close(b, in[f].s);
	}
	via_close(b, l);
	net_free(t);
}

static void req_HARD_09__writers_wait_for_packet_memory(void **state) { starved(12); }
static void req_HARD_09__and_for_very_little_of_it(void **state) { starved(7); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_HARD_09__writers_wait_for_packet_memory), cmocka_unit_test(req_HARD_09__and_for_very_little_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
