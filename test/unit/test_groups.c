/* The membership machine and its messages: RFC 3376 §5 and §7, RFC 3810 §6 and §8, RFC 2236, RFC 2710; both families by one table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/csum.h"
#include "net/groups.h"
#include "wire/igmp.h"
#include "wire/mld.h"
#include "region.h"

enum { IF = 3, SAID_MAX = 256, KIND = 9 };

struct said {
	int64_t at;
	uint16_t ifindex;
	bool is_v6;
	struct group_report r;
	struct via_addr source[GROUP_SOURCES_MAX]; /* of the first record */
};

struct world {
	struct arena *a;
	struct wheel wheel;
	struct groups g;
	struct groups_env e;
	size_t base;
	uint32_t n;
	struct said said[SAID_MAX];
	bool is_v6;
};

static void on_report(void *ctx, uint16_t ifindex, bool is_v6, const struct group_report *r)
{
	struct world *w = ctx;
	struct said *s = &w->said[w->n < SAID_MAX ? w->n++ : 0];
	*s = (struct said){.at = w->e.now, .ifindex = ifindex, .is_v6 = is_v6, .r = *r};
	for (int i = 0; i < r->record[0].n_sources; i++)
		s->source[i] = r->record[0].source[i];
}

static const struct groups_ops ops = {.report = on_report};

static struct world *world_new(bool is_v6)
{
	struct world *w = calloc(1, sizeof(*w));
	w->a = region_new(4 << 20);
	w->is_v6 = is_v6;
	w->e = (struct groups_env){.arena = w->a, .wheel = &w->wheel, .now = 1000 * NS_PER_S, .ops = &ops, .ctx = w};
	wheel_init(&w->wheel, w->e.now);
	groups_init(&w->e, &w->g, (struct prf_key){5, 6}, KIND);
	w->base = arena_bytes_used(w->a);
	return w;
}

static void world_free(struct world *w)
{
	groups_fini(&w->e, &w->g);
	assert_int_equal(arena_bytes_used(w->a), w->base);
	assert_int_equal(w->wheel.n_armed, 0);
	region_free(w->a);
	free(w);
}

static struct via_addr group_of(const struct world *w, uint32_t i)
{
	struct via_addr a = {.b = {0xff, 0x0e}};
	put_be32(a.b + 12, 1 + i);
	return w->is_v6 ? a : via_addr_v4(0xe1000001 + i);
}

static void run(struct world *w, int64_t ns)
{
	int64_t until = w->e.now + ns;
	for (;;) {
		int64_t next = wheel_next(&w->wheel);
		if (next > until)
			break;
		w->e.now = next > w->e.now ? next : w->e.now;
		for (ref_t r; (r = wheel_expire(w->a, &w->wheel, w->e.now)) != 0;)
			groups_timeout(&w->e, &w->g, r);
	}
	w->e.now = until;
}

static uint32_t join(struct world *w, uint32_t i)
{
	const struct via_addr a = group_of(w, i);
	uint32_t id;
	assert_int_equal(groups_join(&w->e, &w->g, IF, &a, &id), 0);
	return id;
}

static void leave(struct world *w, uint32_t i, uint32_t id)
{
	const struct via_addr a = group_of(w, i);
	groups_leave(&w->e, &w->g, IF, &a, id);
}

static void ask(struct world *w, uint8_t version, const struct via_addr *group, int64_t max_ns, int n_sources)
{
	struct group_msg m = {.kind = GROUP_QUERY, .version = version, .max_resp_ns = max_ns, .n_sources = (uint16_t)n_sources};
	m.group = group ? *group : w->is_v6 ? (struct via_addr){.scope = 0} : via_addr_v4(0);
	for (int i = 0; i < n_sources && i < GROUP_SOURCES_MAX; i++)
		m.source[i] = via_addr_v4(0x0a000001 + (uint32_t)i);
	groups_hear(&w->e, &w->g, IF, w->is_v6, &m);
}

/* The k-th report has n records of which the first is of this type and group. */
static void expect(const struct world *w, uint32_t k, uint8_t version, int n, uint8_t type, uint32_t i)
{
	const struct via_addr a = group_of(w, i);
	assert_true(k < w->n);
	assert_int_equal(w->said[k].ifindex, IF);
	assert_int_equal(w->said[k].is_v6, w->is_v6);
	assert_int_equal(w->said[k].r.version, version);
	assert_int_equal(w->said[k].r.n, n);
	assert_int_equal(w->said[k].r.record[0].type, type);
	assert_memory_equal(w->said[k].r.record[0].group.b, a.b, 16);
}

/* ---- version 3 ---- */

/* A change is told at once, and once more within a second (robustness 2); a second user changes nothing. */
static void joins_and_leaves(bool is_v6)
{
	struct world *w = world_new(is_v6);
	const struct via_addr a = group_of(w, 0);
	uint32_t id = join(w, 0);
	int64_t begin = w->e.now;
	assert_int_equal(w->n, 1);
	expect(w, 0, 3, 1, GROUP_TO_EX, 0);
	run(w, 100 * NS_PER_S);
	assert_int_equal(w->n, 2);
	expect(w, 1, 3, 1, GROUP_TO_EX, 0);
	assert_in_range(w->said[1].at - begin, 1, GROUP_UNSOLICITED_NS + 2 * NS_PER_MS);
	assert_int_equal(join(w, 0), id);
	assert_true(groups_has(w->a, &w->g, IF, &a) && groups_has(w->a, &w->g, 0, &a) && !groups_has(w->a, &w->g, IF + 1, &a));
	leave(w, 0, id + 1); /* somebody else's */
	leave(w, 0, id);
	run(w, 10 * NS_PER_S);
	assert_int_equal(w->n, 2);
	assert_true(groups_has(w->a, &w->g, IF, &a));
	leave(w, 0, id);
	assert_false(groups_has(w->a, &w->g, IF, &a));
	run(w, 10 * NS_PER_S);
	assert_int_equal(w->n, 4);
	expect(w, 2, 3, 1, GROUP_TO_IN, 0);
	expect(w, 3, 3, 1, GROUP_TO_IN, 0);
	assert_int_equal(w->g.pool.n_used, 0);
	/* left and joined again before all was told: the last word counts */
	id = join(w, 0);
	leave(w, 0, id);
	uint32_t other = join(w, 0);
	assert_int_not_equal(id, other);
	leave(w, 0, id); /* the first membership is no more */
	run(w, 10 * NS_PER_S);
	expect(w, w->n - 1, 3, 1, GROUP_TO_EX, 0);
	assert_true(groups_has(w->a, &w->g, IF, &a));
	world_free(w);
}

/* A general query: one answer about all groups, at a random moment within the time it gives. */
static void general_queries(bool is_v6)
{
	struct world *w = world_new(is_v6);
	int64_t least = INT64_MAX, most = 0;
	uint32_t ids[70];
	for (uint32_t i = 0; i < 70; i++)
		ids[i] = join(w, i);
	run(w, 10 * NS_PER_S);
	for (int k = 0; k < 50; k++) {
		int64_t begin = w->e.now;
		w->n = 0;
		ask(w, 3, NULL, 10 * NS_PER_S, 0);
		ask(w, 3, NULL, 10 * NS_PER_S, 0); /* another querier: not twice */
		run(w, 11 * NS_PER_S);
		assert_int_equal(w->n, 3); /* 32 + 32 + 6 */
		assert_int_equal(w->said[0].r.n + w->said[1].r.n + w->said[2].r.n, 70);
		for (int i = 0; i < 32; i++)
			assert_int_equal(w->said[0].r.record[i].type, GROUP_IS_EX);
		assert_in_range(w->said[0].at - begin, 1, 10 * NS_PER_S + 2 * NS_PER_MS);
		least = MIN(least, w->said[0].at - begin);
		most = MAX(most, w->said[0].at - begin);
	}
	assert_true(least < 2 * NS_PER_S && most > 3 * NS_PER_S); /* of two, the earlier one counts */
	/* one that is left meanwhile is not in it */
	w->n = 0;
	for (uint32_t i = 1; i < 70; i++)
		leave(w, i, ids[i]);
	run(w, 10 * NS_PER_S);
	w->n = 0;
	ask(w, 3, NULL, NS_PER_S, 0);
	run(w, 2 * NS_PER_S);
	assert_int_equal(w->n, 1);
	expect(w, 0, 3, 1, GROUP_IS_EX, 0);
	/* an answer that is due is not put off by another query (rule 1) */
	w->n = 0;
	ask(w, 3, NULL, NS_PER_S, 0);
	ask(w, 3, NULL, 3000 * NS_PER_S, 0);
	run(w, NS_PER_S + 2 * NS_PER_MS);
	assert_int_equal(w->n, 1);
	w->n = 1;
	/* no time to wait: at once */
	ask(w, 3, NULL, 0, 0);
	run(w, 3 * NS_PER_MS);
	assert_int_equal(w->n, 2);
	world_free(w);
}

/* A query about a group is answered for that group if it is joined; one about sources with those that are wanted: all that were asked
 * about. */
static void group_queries(bool is_v6)
{
	struct world *w = world_new(is_v6);
	const struct via_addr mine = group_of(w, 0), other = group_of(w, 9);
	join(w, 0);
	join(w, 1);
	run(w, 10 * NS_PER_S);
	w->n = 0;
	ask(w, 3, &other, NS_PER_S, 0);
	run(w, 2 * NS_PER_S);
	assert_int_equal(w->n, 0);
	ask(w, 3, &mine, NS_PER_S, 0);
	run(w, NS_PER_S + 2 * NS_PER_MS);
	assert_int_equal(w->n, 1);
	expect(w, 0, 3, 1, GROUP_IS_EX, 0);
	ask(w, 3, &mine, NS_PER_S, 2); /* rule 3 */
	ask(w, 3, &mine, NS_PER_S, 5); /* rule 5: the union, once */
	run(w, 2 * NS_PER_S);
	assert_int_equal(w->n, 2);
	expect(w, 1, 3, 1, GROUP_IS_IN, 0);
	assert_int_equal(w->said[1].r.record[0].n_sources, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(via_addr_to_v4(&w->said[1].source[i]), 0x0a000001 + i);
	ask(w, 3, &mine, NS_PER_S, 2);
	ask(w, 3, &mine, NS_PER_S, 0); /* rule 4: the group as a whole */
	ask(w, 3, &mine, NS_PER_S, 2);
	run(w, 2 * NS_PER_S);
	assert_int_equal(w->n, 3);
	expect(w, 2, 3, 1, GROUP_IS_EX, 0);
	ask(w, 3, &mine, NS_PER_S, 1000); /* more than are kept */
	run(w, 2 * NS_PER_S);
	expect(w, 3, 3, 1, GROUP_IS_EX, 0);
	/* rule 1: a general answer that comes sooner says it all */
	ask(w, 3, NULL, NS_PER_MS, 0);
	ask(w, 3, &mine, 100 * NS_PER_S, 0);
	run(w, 200 * NS_PER_S);
	assert_int_equal(w->n, 5);
	assert_int_equal(w->said[4].r.n, 2);
	world_free(w);
}

/* The querier's robustness says how often a change is told. */
static void robustness(bool is_v6)
{
	struct world *w = world_new(is_v6);
	struct group_msg q = {.kind = GROUP_QUERY, .version = 3, .robustness = 5, .interval_s = 60};
	q.group = is_v6 ? (struct via_addr){.scope = 0} : via_addr_v4(0);
	groups_hear(&w->e, &w->g, IF, is_v6, &q);
	run(w, NS_PER_S); /* there is nothing to answer yet */
	uint32_t id = join(w, 0);
	run(w, 20 * NS_PER_S);
	assert_int_equal(w->n, 5);
	q.robustness = 0; /* not said: the default */
	groups_hear(&w->e, &w->g, IF, is_v6, &q);
	run(w, NS_PER_S);
	w->n = 0;
	leave(w, 0, id);
	run(w, 20 * NS_PER_S);
	assert_int_equal(w->n, 2);
	world_free(w);
}

/* Groups nobody reports: all hosts, and what is of an interface or less. */
static void silent(bool is_v6)
{
	static const struct via_addr quiet6[] = {{.b = {0xff, 2, [15] = 1}}, {.b = {0xff, 1, [15] = 7}}, {.b = {0xff, 0, [15] = 7}}};
	struct world *w = world_new(is_v6);
	uint32_t id;
	for (size_t i = 0; i < (is_v6 ? ARRAY_LEN(quiet6) : 1); i++) {
		const struct via_addr a = is_v6 ? quiet6[i] : via_addr_v4(0xe0000001);
		assert_int_equal(groups_join(&w->e, &w->g, IF, &a, &id), 0);
		ask(w, 3, NULL, NS_PER_S, 0);
		ask(w, 3, &a, NS_PER_S, 0);
		run(w, 3 * NS_PER_S);
		ask(w, 2, NULL, NS_PER_S, 0);
		run(w, 3 * NS_PER_S);
		groups_again(&w->e, &w->g, IF, is_v6);
		groups_leave(&w->e, &w->g, IF, &a, id);
		run(w, 3 * NS_PER_S);
	}
	assert_int_equal(w->n, 0);
	assert_int_equal(w->g.pool.n_used, 0);
	world_free(w);
}

/* ---- older versions ---- */

/* After a query of version 2 (MLDv1) that version is spoken, for robustness times interval and a response time; then 3 again. */
static void older_querier(bool is_v6)
{
	struct world *w = world_new(is_v6);
	const struct via_addr a = group_of(w, 0);
	struct group_msg heard = {.kind = GROUP_REPORT, .version = 2, .group = a};
	uint32_t id = join(w, 0);
	ask(w, 2, NULL, 10 * NS_PER_S, 0);
	w->n = 0;
	run(w, 10 * NS_PER_S + 2 * NS_PER_MS); /* what version 3 was still to say is not said */
	assert_int_equal(w->n, 1);
	expect(w, 0, 2, 1, GROUP_IS_EX, 0);
	ask(w, 2, &a, NS_PER_S, 0);
	groups_hear(&w->e, &w->g, IF, is_v6, &heard); /* another host was first */
	run(w, 2 * NS_PER_S);
	assert_int_equal(w->n, 1);
	leave(w, 0, id); /* it was not we who reported last: no word */
	assert_int_equal(w->n, 1);
	id = join(w, 0);
	assert_int_equal(w->n, 2);
	run(w, 10 * NS_PER_S + 2 * NS_PER_MS); /* an unsolicited report is repeated within ten seconds */
	assert_int_equal(w->n, 3);
	expect(w, 2, 2, 1, GROUP_TO_EX, 0);
	leave(w, 0, id);
	assert_int_equal(w->n, 4);
	expect(w, 3, 2, 1, GROUP_TO_IN, 0);
	run(w, 20 * NS_PER_S);
	assert_int_equal(w->n, 4); /* said once */
	/* a query of version 3 does not end it: the older one must be silent for so long (§7.2.1) */
	ask(w, 3, NULL, NS_PER_S, 0);
	join(w, 1);
	expect(w, 4, 2, 1, GROUP_TO_EX, 1);
	run(w, (GROUP_ROBUSTNESS * GROUP_QUERY_INTERVAL_S + 10) * NS_PER_S);
	join(w, 2);
	expect(w, w->n - 1, 3, 1, GROUP_TO_EX, 2);
	world_free(w);
}

static void req_IGM_001__version_1_knows_no_leave(void **state)
{
	struct world *w = world_new(false);
	ask(w, 1, NULL, 10 * NS_PER_S, 0);
	uint32_t id = join(w, 0);
	expect(w, 0, 1, 1, GROUP_TO_EX, 0);
	run(w, 20 * NS_PER_S);
	w->n = 0;
	leave(w, 0, id);
	run(w, 20 * NS_PER_S);
	assert_int_equal(w->n, 0);
	world_free(w);
}

#define BOTH(name, body)                                                      \
	static void req_IGM_001__##name(void **state) { body(false); }        \
	static void req_MLD_001__##name(void **state) { body(true); }
BOTH(joins_and_leaves, joins_and_leaves)
BOTH(general_queries_within_the_random_delay, general_queries)
BOTH(group_queries, group_queries)
BOTH(robustness, robustness)
BOTH(groups_nobody_reports, silent)
BOTH(older_queriers, older_querier)

/* ---- what the stack itself wants ---- */

static void groups_own__follows_what_is_wanted(void **state)
{
	struct world *w = world_new(true);
	const struct via_addr a = group_of(w, 0), b = group_of(w, 1);
	groups_own_begin(&w->e, &w->g);
	groups_own(&w->e, &w->g, IF, &a);
	groups_own(&w->e, &w->g, IF, &a);
	groups_own_end(&w->e, &w->g);
	assert_int_equal(w->n, 1);
	uint32_t id = join(w, 0); /* a user, too */
	groups_own_begin(&w->e, &w->g);
	groups_own(&w->e, &w->g, IF, &b);
	groups_own_end(&w->e, &w->g);
	assert_true(groups_has(w->a, &w->g, IF, &a) && groups_has(w->a, &w->g, IF, &b));
	run(w, 5 * NS_PER_S);
	w->n = 0;
	leave(w, 0, id);
	expect(w, 0, 3, 1, GROUP_TO_IN, 0);
	groups_own_begin(&w->e, &w->g);
	groups_own_end(&w->e, &w->g);
	assert_false(groups_has(w->a, &w->g, IF, &b));
	run(w, 5 * NS_PER_S);
	assert_int_equal(w->g.pool.n_used, 0);
	world_free(w);
}

static void groups__cap(void **state)
{
	struct world *w = world_new(false);
	uint32_t id;
	for (uint32_t i = 0; i < GROUPS_MAX; i++)
		join(w, i);
	const struct via_addr more = group_of(w, GROUPS_MAX), first = group_of(w, 0);
	assert_int_equal(groups_join(&w->e, &w->g, IF, &more, &id), -ENOBUFS);
	assert_int_equal(w->g.refused, 1);
	assert_int_equal(groups_join(&w->e, &w->g, IF, &first, &id), 0);
	groups_forget(&w->e, &w->g, IF);
	assert_int_equal(groups_join(&w->e, &w->g, IF, &more, &id), 0);
	world_free(w);
}

/* ---- bytes ---- */

static int parse4(uint8_t *p, size_t n, struct group_msg *m)
{
	put_be16(p + 2, 0);
	put_be16(p + 2, csum_field(csum_add(0, p, n)));
	return igmp_parse(p, n, m);
}

static void req_IGM_001__queries_by_their_bytes(void **state)
{
	struct group_msg m;
	uint8_t v1[] = {0x11, 0, 0, 0, 0, 0, 0, 0}, v2[] = {0x11, 100, 0, 0, 225, 1, 2, 3};
	uint8_t v3[] = {0x11, 0x9f, 0, 0, 225, 1, 2, 3, 0x0a, 0xff, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2, 99};
	assert_int_equal(parse4(v1, 8, &m), 0);
	assert_true(m.kind == GROUP_QUERY && m.version == 1 && m.max_resp_ns == 10 * NS_PER_S && via_addr_is_any(&m.group));
	assert_int_equal(parse4(v2, 8, &m), 0);
	assert_true(m.version == 2 && m.max_resp_ns == 10 * NS_PER_S && via_addr_to_v4(&m.group) == 0xe1010203);
	assert_int_equal(parse4(v3, 21, &m), 0); /* more than it says is fine (§4.2.11 of reports; §4.1.10) */
	assert_true(m.version == 3 && m.robustness == 2 && m.interval_s == 31 << 10 && m.n_sources == 2);
	assert_int_equal(m.max_resp_ns, (31 << 4) * (NS_PER_S / 10)); /* 0x9f: mantissa 15, exponent 1 */
	assert_int_equal(via_addr_to_v4(&m.source[1]), 0x0a000002);
	/* malformed: lengths no version has, sources that are not there, groups that are none, checksums */
	for (size_t n = 0; n < 20; n++)
		assert_int_equal(parse4(v3, n, &m) == 0, n == 8);
	assert_int_equal(parse4(v3, 20, &m), 0);
	v3[2] ^= 1;
	assert_int_equal(igmp_parse(v3, 20, &m), -EBADMSG);
	v2[4] = 10;
	assert_int_equal(parse4(v2, 8, &m), -EINVAL);
	memset(v3 + 4, 0, 4); /* sources without a group */
	assert_int_equal(parse4(v3, 20, &m), -EINVAL);
	uint8_t odd[] = {0x55, 0, 0, 0, 225, 1, 2, 3};
	assert_int_equal(parse4(odd, 8, &m), -EINVAL);
}

static void req_MLD_001__queries_by_their_bytes(void **state)
{
	struct group_msg m;
	uint8_t b[28 + 32] = {130, [8] = 0xff, 5, [23] = 9, [24] = 0x0a, 0xff, 0, 2};
	put_be16(b + 4, 10000);
	assert_int_equal(mld_parse(b, 24, &m), 0);
	assert_true(m.kind == GROUP_QUERY && m.version == 2 && m.max_resp_ns == 10 * NS_PER_S && m.group.b[1] == 5);
	put_be16(b + 4, 0x9abc); /* exponent 1, mantissa 0xabc */
	assert_int_equal(mld_parse(b, sizeof(b), &m), 0);
	assert_true(m.version == 3 && m.robustness == 2 && m.interval_s == 31 << 10 && m.n_sources == 2);
	assert_int_equal(m.max_resp_ns, (0x1abc << 4) * NS_PER_MS);
	for (size_t n = 0; n < sizeof(b); n++)
		assert_int_equal(mld_parse(b, n, &m) == 0, n == 24);
	b[8] = 0x20;
	assert_int_equal(mld_parse(b, sizeof(b), &m), -EINVAL);
	memset(b + 8, 0, 16);
	assert_int_equal(mld_parse(b, sizeof(b), &m), -EINVAL);
	b[27] = 0;
	assert_int_equal(mld_parse(b, sizeof(b), &m), 0);
	assert_true(via_addr_is_any(&m.group));
}

static void req_IGM_001__reports_by_their_bytes(void **state)
{
	const struct via_addr src = via_addr_v4(0x0a000001);
	struct group_report r = {.version = 3, .n = 1,
				 .record = {{.type = GROUP_IS_IN, .group = via_addr_v4(0xe1010203), .n_sources = 1, .source = &src}}};
	uint8_t out[100];
	static const uint8_t want3[] = {0x22, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 225, 1, 2, 3, 10, 0, 0, 1};
	size_t n = igmp_emit(out, sizeof(out), &r);
	assert_int_equal(n, sizeof(want3));
	assert_int_equal(csum_fold(csum_add(0, out, n)), 0xffff);
	put_be16(out + 2, 0);
	assert_memory_equal(out, want3, n);
	assert_int_equal(igmp_emit(out, sizeof(want3) - 1, &r), 0);
	static const struct { uint8_t version, type, first; } old[] = {{2, GROUP_IS_EX, 0x16}, {2, GROUP_TO_IN, 0x17}, {1, GROUP_TO_EX, 0x12}};
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		r.version = old[i].version;
		r.record[0].type = old[i].type;
		assert_int_equal(igmp_emit(out, sizeof(out), &r), 8);
		assert_int_equal(out[0], old[i].first);
		assert_int_equal(get_be32(out + 4), 0xe1010203);
	}
}

static void req_MLD_001__reports_by_their_bytes(void **state)
{
	struct group_report r = {.version = 3, .n = 2, .record = {{.type = GROUP_TO_EX, .group = {.b = {0xff, 2, [15] = 5}}},
								  {.type = GROUP_TO_IN, .group = {.b = {0xff, 2, [15] = 6}}}}};
	uint8_t out[100];
	assert_int_equal(mld_emit(out, sizeof(out), &r), 8 + 2 * 20);
	static const uint8_t head[] = {143, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0xff, 2};
	assert_memory_equal(out, head, sizeof(head));
	assert_true(out[27] == 5 && out[28] == 3 && out[32] == 0xff && out[47] == 6);
	r.version = 2;
	r.n = 1;
	assert_int_equal(mld_emit(out, sizeof(out), &r), 24);
	assert_true(out[0] == 131 && out[23] == 5);
	r.record[0].type = GROUP_TO_IN;
	assert_int_equal(mld_emit(out, sizeof(out), &r), 24);
	assert_int_equal(out[0], 132);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
#define TWO(name) T(req_IGM_001__##name), T(req_MLD_001__##name)
	const struct CMUnitTest tests[] = {
		TWO(joins_and_leaves), TWO(general_queries_within_the_random_delay), TWO(group_queries), TWO(robustness),
		TWO(groups_nobody_reports), TWO(older_queriers), T(req_IGM_001__version_1_knows_no_leave),
		T(groups_own__follows_what_is_wanted), T(groups__cap), TWO(queries_by_their_bytes), TWO(reports_by_their_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
