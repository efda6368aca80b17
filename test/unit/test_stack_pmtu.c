/* Path MTU through whole stacks: a host, a router whose far link is smaller, a host; with its ICMP and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack_flow.h"

#include "tcp/pmtu.h"

#define IP_A 0x0a000001u
#define IP_R1 0x0a0000feu
#define IP_R2 0x0a0100feu
#define IP_B 0x0a010001u

static struct net *t;
static uint32_t largest;      /* TCP segment that left the sender lately, as an IP packet */
static int64_t largest_at;

/* Every packet of the sender, superframes by their segments. */
static enum drop watch(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	struct ip4_hdr h;
	if (ip4_parse(p->linear + p->m.l3, p->len, p->m.gso_size != 0, &h) || h.proto != IPPROTO_N_TCP)
		return DROP_NONE;
	uint32_t thl = (p->linear[p->m.l4 + 12] >> 4) * 4u, n = p->m.gso_size ? h.hlen + thl + p->m.gso_size : h.total_len;
	if (n >= largest) {
		largest = n;
		largest_at = t->now;
	}
	return DROP_NONE;
}
static const struct stack_hooks hooks = {.at = {[HOOK_LOCAL_OUT] = watch}};

static void set(struct via *v, enum via_setting s, int64_t value)
{
	struct via_change c = {.kind = VIA_SET, .setting = s, .value = value};
	assert_int_equal(via_configure(v, &c), 0);
}

/* a - router - b; the router's far link carries `far` bytes. */
static void line(uint32_t far, bool icmp)
{
	int i[4];
	t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	net_link(t, a, r, 256, 1500, 0, 0, &i[0], &i[1]);
	net_link(t, r, b, 256, 1500, 0, 0, &i[2], &i[3]);
	assert_int_equal(net_addr(a, i[0], IP_A, 24), 0);
	assert_int_equal(net_addr(r, i[1], IP_R1, 24), 0);
	assert_int_equal(net_addr(r, i[2], IP_R2, 24), 0);
	assert_int_equal(net_addr(b, i[3], IP_B, 24), 0);
	assert_int_equal(net_route(a, 0, 0, IP_R1), 0);
	assert_int_equal(net_route(b, 0, 0, IP_R2), 0);
	iface_at(r, 3)->mtu = far;
	set(r, VIA_SET_ICMP_ERRORS, icmp);
	a->hooks = &hooks;
	largest = 0;
}

static struct path *path_of(const struct flow *f)
{
	struct via_sockaddr local, remote;
	ref_t r;
	via_local(f->from, f->out, &local);
	via_peer(f->from, f->out, &remote);
	assert_int_equal(path_get(f->from, &local.addr, &remote.addr, &r), 0);
	path_drop(f->from, r);
	return path_at(f->from, r);
}

/* n bytes go through within `limit`; false: they do not. The connection stays. */
static bool carry(struct flow *f, uint64_t n, int64_t limit)
{
	int64_t until = t->now + limit;
	f->total = UINT64_MAX; /* flow_step() does not close */
	uint64_t goal = f->got + n;
	while (f->got < goal && t->now < until) {
		f->total = f->sent < goal ? goal : f->sent;
		bool open = f->closed;
		f->closed = true;
		flow_step(f);
		f->closed = open;
		assert_true(net_run(t, t->now + NS_PER_MS));
	}
	return f->got >= goal;
}

static void end(struct flow *f)
{
	via_abort(f->from, f->out);
	via_abort(f->to, f->in);
	net_run(t, t->now + NS_PER_S);
	net_free(t);
}

static void req_PM_001__a_router_tells_the_size(void **state)
{
	line(1400, true);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	int64_t from = t->now;
	assert_true(carry(&f, 1000000, 60 * NS_PER_S));
	assert_true(t->now - from < NS_PER_S); /* no time-out was needed */
	assert_int_equal(path_of(&f)->p.pmtu, 1400);
	assert_int_equal(path_of(&f)->p.tcp_mtu, 0);
	largest = 0;
	assert_true(carry(&f, 1000000, 60 * NS_PER_S));
	assert_int_equal(largest, 1400);
	end(&f);
}

/* RFC 1191 §6.3: at least 5 minutes, 10 are wiser; then by a probe, and if the router says no again, another ten. */
static void req_PM_004__no_raise_for_ten_minutes(void **state)
{
	line(1400, true);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	assert_true(carry(&f, 100000, 60 * NS_PER_S));
	int64_t lowered = t->now;
	for (int round = 0; round < 2; round++) {
		largest = 0;
		while (largest <= 1400) {
			assert_true(carry(&f, 100000, 60 * NS_PER_S));
			assert_true(net_run(t, t->now + 5 * NS_PER_S));
			assert_true(t->now < lowered + 700 * NS_PER_S);
		}
		assert_true(largest_at - lowered >= 590 * NS_PER_S);
		assert_int_equal(largest, 1500);
		lowered = largest_at;
		assert_int_equal(path_of(&f)->p.pmtu, 1400);
	}
	iface_at(t->v[1], 3)->mtu = 1500; /* now it would pass, and is found out */
	assert_true(net_run(t, t->now + 610 * NS_PER_S));
	assert_true(carry(&f, 1000000, 60 * NS_PER_S));
	assert_int_equal(path_of(&f)->p.pmtu, 1500);
	assert_int_equal(path_of(&f)->p.tcp_mtu, 0);
	end(&f);
}

/* No ICMP comes: the transfer completes none the less, and finds what passes to within 8 bytes. */
static void req_PM_005__a_black_hole_is_crossed(void **state)
{
	static const uint32_t far[] = {1492, 1400, 1280, 576, 296};

	for (size_t i = 0; i < ARRAY_LEN(far); i++) {
		line(far[i], false);
		struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
		assert_true(carry(&f, 1000000, 60 * NS_PER_S));
		assert_true(carry(&f, 1000000, 10 * NS_PER_S));
		assert_in_range(tcp_pmtu_of(&path_of(&f)->p), far[i] - 8, far[i]);
		assert_int_equal(path_of(&f)->p.pmtu, 1500);
		assert_int_equal(net_counter(t->v[1], "icmp.errors_sent"), 0);
		/* Who comes next begins with what is known. */
		uint32_t drops = t->seen.dropped[DROP_IP_MTU];
		struct flow g = flow_open(t, t->v[0], t->v[2], IP_B, 81, 0);
		assert_true(carry(&g, 300000, 5 * NS_PER_S));
		assert_int_equal(t->seen.dropped[DROP_IP_MTU], drops);
		via_abort(g.from, g.out);
		via_abort(g.to, g.in);
		end(&f);
	}
}

/* The same without probing hangs, or the test above shows nothing. */
static void pmtu__without_probing_a_black_hole_holds(void **state)
{
	line(1400, false);
	set(t->v[0], VIA_SET_TCP_MTU_PROBING, 0);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	assert_false(carry(&f, 100000, 60 * NS_PER_S));
	assert_int_equal(f.got, 0);
	end(&f);
}

/* The way becomes smaller in the middle of a transfer, and larger again: found within the ten minutes that a search holds. */
static void req_PM_005__the_way_changes_under_a_connection(void **state)
{
	line(1500, false);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	assert_true(carry(&f, 1000000, 10 * NS_PER_S));
	iface_at(t->v[1], 3)->mtu = 1300;
	assert_true(carry(&f, 1000000, 10 * NS_PER_S));
	for (int i = 0; i < 50; i++) /* a probe at a time */
		assert_true(carry(&f, 100000, NS_PER_S));
	assert_in_range(tcp_pmtu_of(&path_of(&f)->p), 1292, 1300);
	iface_at(t->v[1], 3)->mtu = 1500;
	assert_true(net_run(t, t->now + 610 * NS_PER_S));
	assert_true(carry(&f, 1000000, 10 * NS_PER_S));
	assert_int_equal(tcp_pmtu_of(&path_of(&f)->p), 1500);
	end(&f);
}

static void pmtu__setting_2_begins_at_base_mss(void **state)
{
	line(1500, true);
	set(t->v[0], VIA_SET_TCP_MTU_PROBING, 2);
	set(t->v[0], VIA_SET_TCP_BASE_MSS, 512);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	assert_true(carry(&f, 500, NS_PER_S));
	assert_int_equal(tcp_pmtu_of(&path_of(&f)->p), 552);
	assert_true(largest <= 552);
	assert_true(carry(&f, 1000000, 10 * NS_PER_S));
	assert_int_equal(tcp_pmtu_of(&path_of(&f)->p), 1500);
	assert_int_equal(t->seen.drops, 0);
	end(&f);
}

/* A lesson outlives its connections, for some minutes, and then gives its memory back. */
static void pmtu__a_lesson_outlives_its_connections(void **state)
{
	line(1400, false);
	struct flow f = flow_open(t, t->v[0], t->v[2], IP_B, 80, 0);
	assert_true(carry(&f, 1000000, 60 * NS_PER_S));
	const struct path *p = path_of(&f);
	via_abort(f.from, f.out);
	via_abort(f.to, f.in);
	assert_true(net_run(t, t->now + 200 * NS_PER_S));
	assert_int_equal(t->v[0]->st->path_pool.n_used, 1);
	assert_in_range(tcp_pmtu_of(&p->p), 1392, 1400);
	struct flow g = flow_open(t, t->v[0], t->v[2], IP_B, 81, 0);
	largest = 0;
	assert_true(carry(&g, 100000, NS_PER_S)); /* nothing stalls it */
	assert_true(largest <= 1400);
	via_abort(g.from, g.out);
	via_abort(g.to, g.in);
	assert_true(net_run(t, t->now + 1300 * NS_PER_S));
	assert_int_equal(t->v[0]->st->path_pool.n_used, 0);
	assert_int_equal(t->v[0]->st->idle_paths.n, 0);
	net_free(t);
}

/* A router that forwards no ICMP errors: one from behind it is lost by name, echo is not. */
static void icmp_errors_off__forwards_none(void **state)
{
	line(1500, false);
	struct via_sockaddr at = net_at(IP_B, 9);
	via_sock u = net_open(t->v[0], VIA_DGRAM);
	assert_int_equal(via_connect(t->v[0], u, &at), 0);
	assert_int_equal(via_send(t->v[0], u, "x", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_S));
	assert_int_equal(net_counter(t->v[2], "icmp.errors_sent"), 1); /* port unreachable */
	assert_int_equal(t->seen.dropped[DROP_ICMP_FILTERED], 1);
	assert_int_equal(via_send(t->v[0], u, "x", 1, 0), 1);          /* and nobody heard */
	via_close(t->v[0], u);
	net_free(t);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(req_PM_001__a_router_tells_the_size), T(req_PM_004__no_raise_for_ten_minutes), T(req_PM_005__a_black_hole_is_crossed),
		T(pmtu__without_probing_a_black_hole_holds), T(req_PM_005__the_way_changes_under_a_connection),
		T(pmtu__setting_2_begins_at_base_mss), T(pmtu__a_lesson_outlives_its_connections), T(icmp_errors_off__forwards_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
