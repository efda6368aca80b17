/* lab/change.c, lab/routes.c: links that go and come back, impairments that change, in labs that run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/job.h"
#include "lab/state.h"
#include <stdlib.h>

static const struct lab_opts small = {.arena_bytes = 2u << 20, .packet_bytes = 64u << 20};

static struct lab *of_shape(const char *words)
{
	struct lab_error err;
	struct lab *l = lab_load_shape(words, &small, &err);
	if (!l)
		fail_msg("%s", err.text);
	return l;
}

static struct lab *of_text(const char *text)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &small, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static void change(struct lab *l, const char *link, const char *word)
{
	char err[256] = "";
	if (lab_link_change(l, link, word, false, err))
		fail_msg("%s %s: %s", link, word, err);
}

struct sums {
	json_int_t pairs, answered, max_us;
	bool is_over;
};

static void on_message(void *ctx, const json_t *msg)
{
	struct sums *s = ctx;
	s->is_over = json_is_true(json_object_get(msg, "done"));
	s->pairs = json_integer_value(json_object_get(msg, "pairs"));
	s->answered = json_integer_value(json_object_get(msg, "answered"));
	s->max_us = json_integer_value(json_object_get(msg, "max_us"));
}

static bool is_over(void *ctx)
{
	return ((struct sums *)ctx)->is_over;
}

static struct sums job(struct lab *l, const char *words)
{
	char err[256];
	struct sums s = {0};
	json_t *what = json_loads(words, 0, NULL);
	struct lab_job *j = lab_job_new(l, what, on_message, &s, err);
	assert_non_null(j);
	json_decref(what);
	lab_run(l, TIME_NEVER, is_over, &s);
	lab_job_free(j);
	return s;
}

static struct sums pingall(struct lab *l)
{
	return job(l, "{\"job\": \"pingall\"}");
}

/* All routes of all stacks: {"h1 10.0.1.0/24 via eth1": true, ...}, to compare without their order. */
static json_t *routes(struct lab *l)
{
	json_t *all = lab_inspect(l), *out = json_object(), *n, *r;
	size_t i, k;
	json_array_foreach(json_object_get(all, "nodes"), i, n) {
		json_array_foreach(json_object_get(n, "routes"), k, r) {
			char *text = json_dumps(r, JSON_COMPACT | JSON_SORT_KEYS), key[256];
			snprintf(key, sizeof key, "%s %s", json_string_value(json_object_get(n, "name")), text);
			json_object_set_new(out, key, json_true());
			free(text);
		}
	}
	json_decref(all);
	return out;
}

static bool same_routes(struct lab *a, struct lab *b)
{
	json_t *x = routes(a), *y = routes(b);
	bool same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* A ring minus a link is a line: everybody still answers. Minus two it is two lines, and they say so. */
static void link__down_and_up(void **state)
{
	struct lab *l = of_shape("ring,6"), *fresh = of_shape("ring,6");
	assert_int_equal(pingall(l).answered, 30);
	change(l, "r1-r2", "down");
	assert_int_equal(pingall(l).answered, 30);
	change(l, "r4-r5", "down");
	struct sums s = pingall(l); /* 2 3 4 and 5 6 1 */
	assert_int_equal(s.pairs, 30);
	assert_int_equal(s.answered, 12);
	change(l, "r2-r1", "up");
	assert_int_equal(pingall(l).answered, 30);
	assert_false(same_routes(l, fresh));
	change(l, "r5-r4", "up");
	assert_int_equal(pingall(l).answered, 30);
	assert_true(same_routes(l, fresh));
	change(l, "r5-r4", "up"); /* it is */
	lab_free(fresh);
	lab_free(l);
}

/* A link that goes down takes what is under way with it, counted as cut; what a switch sends there is lost. */
static void link__down_loses_what_is_under_way(void **state)
{
	struct lab *l = of_text("name: t\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}, s: {kind: switch}}\n  links:\n"
				"    - {endpoints: [\"a:1\", \"s:1\"], impairments: {delay: 100ms}}\n    - {endpoints: [\"s:2\", \"b:1\"]}\n");
	struct lab_link_stats st;
	assert_int_equal(pingall(l).answered, 2);
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	char err[256];
	struct sums s = {0};
	json_t *what = json_loads("{\"job\": \"pingall\"}", 0, NULL);
	struct lab_job *j = lab_job_new(l, what, on_message, &s, err);
	lab_run(l, lab_now(l) + 50 * NS_PER_MS, NULL, NULL); /* a's request is on the way to s, and what b sent on that to a */
	change(l, "a-s", "down");
	assert_true(lab_link_get(l, 0, &st) && st.cut == 1);
	assert_true(lab_link_get(l, 1, &st) && st.cut == 1);
	lab_run(l, TIME_NEVER, is_over, &s);
	lab_job_free(j);
	json_decref(what);
	assert_int_equal(s.answered, 0);
	assert_true(lab_link_get(l, 1, &st) && st.lost >= 1); /* b's second try, from the switch */
	change(l, "a-s", "up");
	assert_int_equal(pingall(l).answered, 2);
	lab_free(l);
}

static void link__impairments_change(void **state)
{
	static const char ping[] = "{\"job\": \"ping\", \"node\": \"h1\", \"to\": \"h2\", \"count\": 3, \"interval_ns\": 1000000000,"
				   " \"wait_ns\": 1000000000, \"bytes\": 56}";
	struct lab *l = of_shape("line,2");
	struct lab_link_stats st;
	char err[256];
	pingall(l);
	assert_int_equal(job(l, ping).max_us, 0);
	change(l, "r1-r2", "delay=20ms");
	change(l, "r1-r2", "rate=100mbit");
	assert_int_equal(job(l, ping).max_us, 40015); /* 98 bytes at 100 Mbit/s: 7.8 us a way */
	assert_int_equal(lab_link_change(l, "r2-r1", "delay=0ms", true, err), 0);
	change(l, "r1-r2", "rate=1gbit");
	assert_int_equal(job(l, ping).max_us, 20001);
	assert_true(lab_link_get(l, 2, &st) && strcmp(st.from, "r1:eth2") == 0 && st.impair.delay_ns == 20 * NS_PER_MS);
	assert_true(lab_link_get(l, 3, &st) && st.impair.delay_ns == 0);
	change(l, "r1-r2", "clean");
	assert_int_equal(job(l, ping).max_us, 0);
	lab_free(l);
}

static void link__sentences(void **state)
{
	static const struct {
		const char *link, *word, *says;
	} bad[] = {
		{"a-c", "up", "lab 't' has no link 'a-c'; a link is named by its ends, such as a-b"},
		{"", "up", "has no link"},
		{"a-b", "up", "2 links join 'a-b'; name the interfaces: a:2-b:2"},
		{"a:1-b:1", "dwn", "'dwn' is not KEY=VALUE"},
		{"a:1-b:1", "dlay=3ms", "did you mean 'delay'?"},
		{"a:1-b:1", "delay=3", "delay"},
		{"a:1-b:1", "reorder=3%", "reorder needs a delay"},
		{"a:1-b:1", "a-to-b=x", "belongs into a file"},
		{"a:1-b:1", "loss='x", "is not KEY=VALUE"},
	};
	struct lab *l = of_text("name: t\ntopology:\n  nodes: {a: {kind: router}, b: {kind: router}}\n  links:\n"
				"    - {endpoints: [\"a:1\", \"b:1\"]}\n    - {endpoints: [\"a:2\", \"b:2\"]}\n");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char err[256] = "";
		assert_true(lab_link_change(l, bad[i].link, bad[i].word, false, err) < 0);
		if (!strstr(err, bad[i].says))
			fail_msg("%s %s: %s", bad[i].link, bad[i].word, err);
	}
	change(l, "b:2-a:2", "down");
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link__down_and_up), cmocka_unit_test(link__down_loses_what_is_under_way),
		cmocka_unit_test(link__impairments_change), cmocka_unit_test(link__sentences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
