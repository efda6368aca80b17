/* The gateway's table of datagram flows, against a naive list; and what an address means outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/defs.h"
#include "base/rng.h"
#include "gate/flows.h"
#include "gate/where.h"

enum { CAP = 64, SOURCES = 12, FARS = 12, STEPS = 200000 };

struct model_flow {
	int src, dst, out;
	int64_t used;
	bool answered, on;
};

struct world {
	struct gate_flows f;
	void *mem;
	struct model_flow m[CAP];
	uint32_t gone[CAP]; /* how often a source went, by index */
};

static struct via_sockaddr inside(int i) { return (struct via_sockaddr){via_addr_v4(0xc0000002u), (uint16_t)(1000 + i)}; }
static struct via_sockaddr far_end(int i) { return (struct via_sockaddr){via_addr_v4(0x08080800u + (uint32_t)i / 2), i % 2 ? 53 : 5000}; }

static void on_gone(void *ctx, uint32_t source)
{
	((struct world *)ctx)->gone[source]++;
}

static void world_new(struct world *w)
{
	*w = (struct world){.mem = calloc(1, flows_bytes(CAP))};
	flows_init(&w->f, w->mem, CAP, (struct prf_key){1, 2});
	w->f.gone = on_gone;
	w->f.ctx = w;
}

static struct model_flow *model_find(struct world *w, int src, int dst)
{
	for (int i = 0; i < CAP; i++)
		if (w->m[i].on && w->m[i].src == src && w->m[i].dst == dst)
			return &w->m[i];
	return NULL;
}

/* A place in the model: a free one, or that of the one idle longest. */
static struct model_flow *model_place(struct world *w)
{
	struct model_flow *old = &w->m[0];
	for (int i = 0; i < CAP; i++) {
		if (!w->m[i].on)
			return &w->m[i];
		if (w->m[i].used < old->used)
			old = &w->m[i];
	}
	return old;
}

static void step_out(struct world *w, int src, int dst, int out, int64_t now)
{
	struct via_sockaddr s = inside(src), d = far_end(dst), o = far_end(out);
	struct model_flow *m = model_find(w, src, dst);
	bool is_new;
	uint32_t flow = flows_get(&w->f, VIA_DGRAM, &s, &d, now, &is_new);
	assert_int_equal(is_new, m == NULL);
	if (!m) {
		m = model_place(w);
		*m = (struct model_flow){.src = src, .dst = dst, .on = true};
	}
	m->used = now;
	m->out = out;
	flows_set_out(&w->f, flow, &o);
}

/* Each source's answer from each far end finds the flow that the list finds. */
static void check(struct world *w)
{
	uint32_t n = 0, per[SOURCES] = {0};
	for (int i = 0; i < CAP; i++) {
		n += w->m[i].on;
		per[w->m[i].src] += w->m[i].on;
	}
	assert_int_equal(w->f.n, n);
	for (uint32_t s = 0; s < CAP; s++) {
		if (!w->f.source[s].n)
			continue;
		int src = w->f.source[s].src.port - 1000;
		assert_int_equal(w->f.source[s].n, per[src]);
		for (int out = 0; out < FARS; out++) {
			struct via_sockaddr o = far_end(out);
			uint32_t flow = 0;
			bool any = false, found = flows_find_out(&w->f, s, &o, &flow);
			for (int i = 0; i < CAP; i++)
				any |= w->m[i].on && w->m[i].src == src && w->m[i].out == out;
			assert_int_equal(found, any);
			assert_true(!found || (w->f.flow[flow].source == s && w->f.flow[flow].out.port == o.port));
		}
	}
}

static void flows__as_a_naive_list(void **state)
{
	struct world w;
	struct rng r;
	int64_t now = NS_PER_S;
	world_new(&w);
	rng_seed(&r, 7);
	for (int i = 0; i < STEPS; i++) {
		now += 1 + (int64_t)(rng_u64(&r) % (uint64_t)(i % 1000 < 500 ? NS_PER_S / 50 : 3 * NS_PER_S));
		int src = (int)(rng_u64(&r) % SOURCES), dst = (int)(rng_u64(&r) % FARS);
		struct model_flow *m = model_find(&w, src, dst);
		switch (rng_u64(&r) % 8) {
		case 0:
			if (m) { /* answered */
				struct via_sockaddr s = inside(src), d = far_end(dst);
				bool is_new;
				uint32_t flow = flows_get(&w.f, VIA_DGRAM, &s, &d, now, &is_new);
				assert_false(is_new);
				flows_answered(&w.f, flow, now);
				m->answered = true;
				m->used = now;
			}
			break;
		case 1: {
			int64_t next = flows_expire(&w.f, now);
			for (int k = 0; k < CAP; k++) {
				int64_t idle = w.m[k].answered && far_end(w.m[k].dst).port == 53 ? 20 * NS_PER_S : 120 * NS_PER_S;
				if (w.m[k].on && w.m[k].used + idle <= now)
					w.m[k].on = false;
				assert_true(!w.m[k].on || next <= w.m[k].used + idle);
			}
			assert_true(next > now);
			break;
		}
		default:
			step_out(&w, src, dst, (int)(rng_u64(&r) % FARS), now);
		}
		if (i % 97 == 0)
			check(&w);
	}
	while (w.f.n)
		flows_del(&w.f, w.f.oldest - 1);
	assert_int_equal(w.f.oldest, 0);
	assert_int_equal(w.f.newest, 0);
	free(w.mem);
}

/* The oldest goes when there are too many, and its source with it. */
static void flows__are_bounded(void **state)
{
	struct world w;
	bool is_new;
	world_new(&w);
	for (int i = 0; i < 3 * CAP; i++) {
		struct via_sockaddr s = inside(i), d = far_end(0);
		flows_get(&w.f, VIA_DGRAM, &s, &d, i + 1, &is_new);
		assert_true(is_new);
		assert_int_equal(w.f.n, MIN(i + 1, CAP));
	}
	uint32_t gone = 0;
	for (int i = 0; i < CAP; i++)
		gone += w.gone[i];
	assert_int_equal(gone, 2 * CAP);
	struct via_sockaddr s = inside(3 * CAP - 1), ping = inside(3 * CAP - 1), d = far_end(0);
	flows_get(&w.f, VIA_DGRAM, &s, &d, 1000, &is_new);
	assert_false(is_new);
	flows_get(&w.f, VIA_PING, &ping, &d, 1000, &is_new); /* an identifier is no port */
	assert_true(is_new);
	free(w.mem);
}

static struct via_sockaddr at(const char *text, uint16_t port)
{
	struct via_sockaddr a = {.port = port};
	assert_int_equal(via_addr_parse(text, strlen(text), &a.addr), 0);
	return a;
}

static void where__guards_the_machine(void **state)
{
	static const struct { const char *to; uint16_t port; bool is_self; enum gate_verdict verdict; const char *out; } cases[] = {
		{"93.184.216.34", 80, false, GATE_GO, "93.184.216.34"},
		{"192.168.1.1", 53, false, GATE_GO, "192.168.1.1"}, /* a server that is asked by name, not by the gateway's */
		{"127.0.0.1", 80, false, GATE_NOWHERE, NULL},
		{"127.255.255.254", 80, false, GATE_NOWHERE, NULL},
		{"0.0.0.0", 80, false, GATE_NOWHERE, NULL},
		{"0.0.0.1", 80, false, GATE_NOWHERE, NULL},
		{"224.0.0.251", 5353, false, GATE_NOWHERE, NULL},
		{"255.255.255.255", 67, false, GATE_NOWHERE, NULL},
		{"250.1.2.3", 67, false, GATE_NOWHERE, NULL},
		{"10.0.2.2", 80, false, GATE_GO, "127.0.0.1"}, /* the address that stands for it */
		{"2001:db8::7", 80, false, GATE_GO, "::1"},         /* and for it in IPv6 */
		{"2606:2800:220:1::1", 80, false, GATE_GO, "2606:2800:220:1::1"},
		{"fd00::5", 53, false, GATE_GO, "fd00::5"},
		{"::1", 80, false, GATE_NOWHERE, NULL},
		{"::", 80, false, GATE_NOWHERE, NULL},
		{"::ffff:127.0.0.1", 80, false, GATE_NOWHERE, NULL},
		{"fe80::1", 80, false, GATE_NOWHERE, NULL},
		{"febf::1", 80, false, GATE_NOWHERE, NULL},
		{"fec0::1", 80, false, GATE_GO, "fec0::1"},
		{"ff02::fb", 5353, false, GATE_NOWHERE, NULL},
		{"fd76:6961:6475::1", 53, true, GATE_GO, "127.0.0.53"},
		{"fd76:6961:6475::1", 80, true, GATE_NOBODY, NULL},
		{"192.0.0.1", 53, true, GATE_GO, "127.0.0.53"},
		{"192.0.0.1", 80, true, GATE_NOBODY, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gate_map m = {.loopback = {via_addr_v4(0x0a000202u), at("2001:db8::7", 0).addr}, .is_self = cases[i].is_self,
				     .has_resolver = true, .resolver = at("127.0.0.53", 53)};
		struct via_sockaddr to = at(cases[i].to, cases[i].port), out;
		assert_int_equal(gate_where(&m, &to, &out), cases[i].verdict);
		if (!cases[i].out)
			continue;
		struct via_sockaddr want = at(cases[i].out, cases[i].port);
		assert_true(via_addr_eq(&out.addr, &want.addr));
		assert_int_equal(out.port, want.port);
	}
	struct gate_map none = {.is_self = true};
	struct via_sockaddr zero = at("0.0.0.0", 80), self = at("192.0.0.1", 53), out;
	assert_int_equal(gate_where(&none, &self, &out), GATE_NOBODY); /* no resolver */
	none.is_self = false;
	assert_int_equal(gate_where(&none, &zero, &out), GATE_NOWHERE); /* "no address stands for loopback" is not 0.0.0.0 */
	zero = at("::", 80);
	assert_int_equal(gate_where(&none, &zero, &out), GATE_NOWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows__as_a_naive_list), cmocka_unit_test(flows__are_bounded), cmocka_unit_test(where__guards_the_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
