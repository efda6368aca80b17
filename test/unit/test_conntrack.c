/* The table of connections by itself: cap and who gives way, hash chains, idle times, ports, and the arena afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "filter/conntrack.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#define ARENA_BYTES (64u << 20)

struct table {
	void *mem;
	struct wheel wheel;
	uint64_t counts[CT_COUNTS];
	struct ct_env e;
	struct ct ct;
	size_t before;
};

static struct table *table_new(uint32_t max, size_t bytes)
{
	struct table *t = calloc(1, sizeof(*t));
	t->mem = aligned_alloc(ARENA_PAGE_SIZE, bytes);
	memset(t->mem, 0, bytes);
	wheel_init(&t->wheel, 0);
	t->e = (struct ct_env){arena_init(t->mem, bytes), &t->wheel, NS_PER_S, t->counts};
	t->before = arena_bytes_used(t->e.arena);
	assert_int_equal(ct_start(&t->e, &t->ct, (struct prf_key){1, 2}, max), 0);
	return t;
}

static void table_free(struct table *t)
{
	ct_stop(&t->e, &t->ct);
	assert_int_equal(arena_bytes_used(t->e.arena), t->before);
	assert_int_equal(t->wheel.n_armed, 0);
	arena_fini(t->e.arena);
	free(t->mem);
	free(t);
}

static struct ct_tuple tuple(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, uint8_t proto)
{
	struct via_addr s = via_addr_v4(src), d = via_addr_v4(dst);
	return tuple_of(&s, sport, &d, dport, proto);
}

static ref_t add(struct table *t, struct ct_tuple o)
{
	struct ct_tuple r = tuple_inverse(&o);
	return ct_new(&t->e, &t->ct, &o, &r, CT_NAT_NONE, 0, 1);
}

static bool touch(struct table *t, ref_t c, enum ct_dir d, uint8_t flags)
{
	struct view w = {.kind = VIEW_FLOW, .t = ct_at(&t->e, c)->t[d], .proto = ct_at(&t->e, c)->t[0].proto, .tcp_flags = flags};
	return ct_touch(&t->e, &t->ct, c, d, &w, 100);
}

static bool known(struct table *t, struct ct_tuple o)
{
	enum ct_dir d;
	return ct_find(&t->e, &t->ct, &o, &d) != 0;
}

static void advance(struct table *t, int64_t ns)
{
	ref_t r;
	t->e.now += ns;
	while ((r = wheel_expire(t->e.arena, &t->wheel, t->e.now)) != 0)
		ct_timeout(&t->e, &t->ct, r);
}

/* HARD-08: the table has a cap, a counter, and a rule. */
static void req_HARD_08__connections_at_the_cap(void **state)
{
	struct table *t = table_new(1000, ARENA_BYTES);
	ref_t c;
	for (uint32_t i = 0; i < 600; i++) { /* answered, they stay */
		c = add(t, tuple(0x0a000001, (uint16_t)(1000 + i), 0x0b000001, 53, 17));
		assert_int_not_equal(c, 0);
		assert_true(touch(t, c, CT_REPLY, 0));
	}
	for (uint32_t i = 0; i < 10000; i++) /* a flood of questions */
		assert_int_not_equal(add(t, tuple(0x0a000002, (uint16_t)i, 0x0b000001, 53, 17)), 0);
	assert_int_equal(t->ct.pool.n_used, 1000);
	assert_int_equal(t->counts[CT_EVICTED], 9600);
	for (uint32_t i = 0; i < 600; i++)
		assert_true(known(t, tuple(0x0a000001, (uint16_t)(1000 + i), 0x0b000001, 53, 17)));
	assert_false(known(t, tuple(0x0a000002, 9599, 0x0b000001, 53, 17))); /* the oldest go first */
	assert_true(known(t, tuple(0x0a000002, 9600, 0x0b000001, 53, 17)));
	for (uint32_t i = 9600; i < 10000; i++) {
		enum ct_dir d;
		struct ct_tuple o = tuple(0x0a000002, (uint16_t)i, 0x0b000001, 53, 17);
		assert_true(touch(t, ct_find(&t->e, &t->ct, &o, &d), CT_REPLY, 0));
	}
	assert_int_equal(add(t, tuple(0x0a000003, 1, 0x0b000001, 53, 17)), 0); /* all are in use: the new one is refused */
	assert_int_equal(t->counts[CT_REFUSED], 1);
	assert_int_equal(t->counts[CT_OPENED], 10600);
	table_free(t);
}

static void use__keeps_an_unanswered_one_from_giving_way(void **state)
{
	struct table *t = table_new(10, ARENA_BYTES);
	ref_t first = add(t, tuple(1, 1, 2, 2, 17));
	for (uint16_t i = 0; i < 50; i++) {
		add(t, tuple(1, (uint16_t)(100 + i), 2, 2, 17));
		if (i % 5 == 0)
			assert_true(touch(t, first, CT_ORIG, 0));
	}
	assert_true(known(t, tuple(1, 1, 2, 2, 17)));
	table_free(t);
}

/* HARD-10: the arena is full before the cap. */
static void memory__out_before_the_cap(void **state)
{
	struct table *t = table_new(CT_MAX_LIMIT, 1u << 20);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_not_equal(add(t, tuple(0x0a000000 + i, 1, 2, 2, 6)), 0);
	assert_true(t->counts[CT_EVICTED] > 10000);
	table_free(t);
}

/* Chains stay short for what an attacker can choose: addresses and ports that differ little. */
static void req_HARD_06__connections(void **state)
{
	struct table *t = table_new(CT_MAX_DEFAULT, ARENA_BYTES);
	uint32_t longest = 0;
	for (uint32_t i = 0; i < CT_MAX_DEFAULT; i++)
		assert_int_not_equal(add(t, tuple(0x0a000000 + (i >> 8), (uint16_t)(256 * (i & 255)), 0x0b000001, 80, 6)), 0);
	const ref_t *heads = arena_at(t->e.arena, t->ct.buckets);
	for (uint32_t d = 0; d < 2; d++)
		for (uint32_t b = 0; b < CT_BUCKETS; b++) {
			uint32_t n = 0;
			for (ref_t r = heads[d * CT_BUCKETS + b]; r; r = ct_at(&t->e, r)->next[d])
				n++;
			longest = MAX(longest, n);
		}
	assert_in_range(longest, 2, 16); /* 2 on average: a random function has about 11 */
	table_free(t);
}

static int64_t left(struct table *t, ref_t c) { return ct_at(&t->e, c)->expires - t->e.now; }

static void tcp__from_syn_to_the_end(void **state)
{
	struct table *t = table_new(100, ARENA_BYTES);
	struct ct_tuple o = tuple(1, 1, 2, 2, 6);
	ref_t c = add(t, o);
	assert_true(touch(t, c, CT_ORIG, TCP_SYN));
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	assert_true(touch(t, c, CT_REPLY, TCP_SYN | TCP_ACK));
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	assert_true(touch(t, c, CT_ORIG, TCP_ACK));
	assert_int_equal(left(t, c), 7440 * NS_PER_S);
	assert_true(touch(t, c, CT_ORIG, TCP_FIN | TCP_ACK)); /* half closed: may last */
	assert_int_equal(left(t, c), 7440 * NS_PER_S);
	advance(t, 1000 * NS_PER_S);
	assert_true(touch(t, c, CT_REPLY, TCP_FIN | TCP_ACK));
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	assert_true(touch(t, c, CT_ORIG, TCP_SYN)); /* the same ports again */
	assert_false(ct_at(&t->e, c)->is_established);
	assert_true(touch(t, c, CT_REPLY, TCP_SYN | TCP_ACK));
	assert_true(touch(t, c, CT_ORIG, TCP_ACK));
	assert_int_equal(left(t, c), 7440 * NS_PER_S);
	advance(t, 7439 * NS_PER_S);
	assert_true(known(t, o));
	advance(t, 2 * NS_PER_S);
	assert_false(known(t, o));
	table_free(t);
}

/* RFC 7857 §2.2: a RST shortens the time; if its sender goes on, it had been somebody else's. */
static void tcp__a_forged_reset_is_outlived(void **state)
{
	struct table *t = table_new(100, ARENA_BYTES);
	struct ct_tuple o = tuple(1, 1, 2, 2, 6);
	ref_t c = add(t, o);
	touch(t, c, CT_ORIG, TCP_SYN);
	touch(t, c, CT_REPLY, TCP_SYN | TCP_ACK);
	touch(t, c, CT_ORIG, TCP_ACK);
	touch(t, c, CT_REPLY, TCP_RST);
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	touch(t, c, CT_ORIG, TCP_ACK);
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	touch(t, c, CT_REPLY, TCP_ACK);
	assert_int_equal(left(t, c), 7440 * NS_PER_S);
	touch(t, c, CT_REPLY, TCP_RST);
	assert_false(touch(t, c, CT_REPLY, TCP_SYN)); /* and a SYN of the other side is no answer to anything: it is over */
	assert_false(known(t, o));
	table_free(t);
}

/* RFC 5382 REQ-2: both SYNs cross. */
static void tcp__simultaneous_open(void **state)
{
	struct table *t = table_new(100, ARENA_BYTES);
	ref_t c = add(t, tuple(1, 1, 2, 2, 6));
	touch(t, c, CT_ORIG, TCP_SYN);
	touch(t, c, CT_REPLY, TCP_SYN);
	assert_int_equal(left(t, c), 240 * NS_PER_S);
	touch(t, c, CT_ORIG, TCP_SYN | TCP_ACK);
	touch(t, c, CT_REPLY, TCP_SYN | TCP_ACK);
	touch(t, c, CT_ORIG, TCP_ACK);
	assert_int_equal(left(t, c), 7440 * NS_PER_S);
	table_free(t);
}

static bool all_free(void *ctx, uint8_t proto, const struct via_addr *out, uint16_t port)
{
	return true;
}

static void ports__until_few_are_left_and_given_back(void **state)
{
	struct table *t = table_new(100, ARENA_BYTES);
	struct natmaps *m = &t->ct.maps;
	struct via_addr out = via_addr_v4(9), in;
	static ref_t maps[40000];
	static uint8_t used[65536];
	uint32_t n = 0;
	for (; n < ARRAY_LEN(maps); n++) {
		in = via_addr_v4(0x0a000000 + n);
		maps[n] = natmap_get(t->e.arena, m, 17, &in, 4000, &out, 4000, false, all_free, NULL);
		if (!maps[n])
			break;
		uint16_t port = natmap_at(t->e.arena, maps[n])->out_port;
		assert_int_equal(used[port], 0);
		assert_true(port >= 1024 && port % 2 == 0);
		used[port] = 1;
	}
	assert_in_range(n, 31000, 32256); /* of 32,256 even ones most were found, by at most NATMAP_TRIES looks each */
	in = via_addr_v4(0x0a000000);
	assert_int_equal(natmap_get(t->e.arena, m, 17, &in, 4000, &out, 4000, false, all_free, NULL), maps[0]); /* the same again */
	natmap_drop(t->e.arena, m, maps[0]);
	assert_non_null(natmap_behind(t->e.arena, m, 17, &out, 4000));
	for (uint32_t i = 0; i < n; i++)
		natmap_drop(t->e.arena, m, maps[i]);
	assert_null(natmap_behind(t->e.arena, m, 17, &out, 4000));
	assert_int_equal(m->pool.n_used, 0);
	table_free(t);
}

static void find__only_what_was_put_in(void **state)
{
	struct table *t = table_new(100, ARENA_BYTES);
	struct ct_tuple o = tuple(1, 10, 2, 20, 17), r = tuple(2, 20, 3, 30, 17), inv = tuple_inverse(&r);
	enum ct_dir d;
	ref_t c = ct_new(&t->e, &t->ct, &o, &r, CT_NAT_SRC, 0, 1);
	assert_int_equal(ct_find(&t->e, &t->ct, &o, &d), c);
	assert_int_equal(d, CT_ORIG);
	assert_int_equal(ct_find(&t->e, &t->ct, &r, &d), c);
	assert_int_equal(d, CT_REPLY);
	assert_int_equal(ct_find(&t->e, &t->ct, &inv, &d), 0);
	assert_int_equal(ct_find_any(&t->e, &t->ct, &inv, &d), c); /* as it looks when it has been translated */
	assert_int_equal(d, CT_ORIG);
	assert_int_equal(ct_new(&t->e, &t->ct, &o, &inv, CT_NAT_NONE, 0, 1), 0);
	assert_int_equal(ct_new(&t->e, &t->ct, &inv, &r, CT_NAT_NONE, 0, 1), 0);
	assert_int_equal(t->counts[CT_REFUSED], 0); /* in use is not full */
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_HARD_08__connections_at_the_cap),
		cmocka_unit_test(use__keeps_an_unanswered_one_from_giving_way),
		cmocka_unit_test(memory__out_before_the_cap),
		cmocka_unit_test(req_HARD_06__connections),
		cmocka_unit_test(tcp__from_syn_to_the_end),
		cmocka_unit_test(tcp__a_forged_reset_is_outlived),
		cmocka_unit_test(tcp__simultaneous_open),
		cmocka_unit_test(ports__until_few_are_left_and_given_back),
		cmocka_unit_test(find__only_what_was_put_in),
	};
	return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
