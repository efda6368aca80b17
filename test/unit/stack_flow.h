/* test/unit/stack_flow.h - a stream between two stacks of a net: a sender that sends all it can, a receiver that checks each byte. */
#ifndef UNIT_STACK_FLOW_H
#define UNIT_STACK_FLOW_H

#include "stacks.h"

static inline uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ i);
}

struct flow {
	struct via *from, *to;
	via_sock out, in;
	uint64_t sent, got, total;
	bool closed, done;
};

static inline struct flow flow_open_at(struct net *t, struct via *from, struct via *to, struct via_sockaddr at, uint64_t total)
{
	struct flow f = {.from = from, .to = to, .total = total};
	struct via_sockaddr any = {.port = at.port}, peer;
	if (via_addr_is_v4(&at.addr))
		any.addr = via_addr_v4(0);
	via_sock l = net_open(to, VIA_STREAM);
	assert_int_equal(via_bind(to, l, &any), 0);
	assert_int_equal(via_listen(to, l, 16), 0);
	f.out = net_open(from, VIA_STREAM);
	assert_int_equal(via_connect(from, f.out, &at), -EINPROGRESS);
	for (int k = 0; k < 1000 && !(via_ready(to, l) & VIA_IN); k++)
		assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_accept(to, l, 0, &f.in, &peer), 0);
	assert_int_equal(via_close(to, l), 0);
	return f;
}

static inline struct flow flow_open(struct net *t, struct via *from, struct via *to, uint32_t addr, uint16_t port, uint64_t total)
{
	return flow_open_at(t, from, to, net_at(addr, port), total);
}

/* What a program would do now. */
static inline void flow_step(struct flow *f)
{
	static uint8_t buf[65536];
	while (f->sent < f->total) {
		uint32_t n = (uint32_t)MIN(f->total - f->sent, sizeof(buf));
		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(f->sent + i);
		int64_t k = via_send(f->from, f->out, buf, n, 0);
		if (k == -EAGAIN)
			break;
		assert_true(k > 0);
		f->sent += (uint64_t)k;
	}
	if (f->sent == f->total && !f->closed) {
		assert_int_equal(via_shutdown(f->from, f->out, VIA_SHUT_WR), 0);
		f->closed = true;
	}
	int64_t k;
	while (!f->done && (k = via_recv(f->to, f->in, buf, sizeof(buf), 0)) != -EAGAIN) {
		assert_true(k >= 0);
		for (int64_t i = 0; i < k; i++)
			if (buf[i] != byte_at(f->got + (uint64_t)i))
				fail_msg("byte %llu is wrong", (unsigned long long)(f->got + (uint64_t)i));
		f->got += (uint64_t)k;
		f->done = k == 0;
	}
}

static inline void flow_finish(struct net *t, struct flow *f, int n, int64_t limit)
{
	int64_t until = t->now + limit;
	for (bool all = false; !all;) {
		assert_true(t->now < until);
		all = true;
		for (int i = 0; i < n; i++) {
			flow_step(&f[i]);
			all = all && f[i].done;
		}
		assert_true(net_run(t, t->now + NS_PER_MS / 10));
	}
	for (int i = 0; i < n; i++) {
		assert_int_equal(f[i].got, f[i].total);
		via_close(f[i].to, f[i].in);
		via_close(f[i].from, f[i].out);
	}
}

#endif
