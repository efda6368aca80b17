/* lab/ping.c, lab/trace.c, lab/probe.c in labs under virtual time, where each answer and its time is known beforehand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/job.h"
#include "lab/state.h"
#include <stdlib.h>

#define HEAD "name: t\ntopology:\n" \
	     "  nodes: {a: {kind: host}, r: {kind: router}, s: {kind: router}, b: {kind: host, services: {echo: {}}}}\n  links:\n"
static const struct lab_opts small = {.arena_bytes = 2u << 20, .packet_bytes = 64u << 20};
static const char far[] = HEAD "    - {endpoints: [\"a:1\", \"r:1\"], impairments: {delay: 1ms}}\n"
			       "    - {endpoints: [\"r:2\", \"s:1\"], impairments: {delay: 10ms}, mtu: 1400}\n"
			       "    - {endpoints: [\"s:2\", \"b:1\"], impairments: {delay: 100ms}}\n";

struct heard {
	json_t *events, *last;
};

static void on_message(void *ctx, const json_t *msg)
{
	struct heard *h = ctx;
	assert_null(h->last);
	if (json_is_true(json_object_get(msg, "done")))
		h->last = json_deep_copy(msg);
	else
		json_array_append_new(h->events, json_deep_copy(msg));
}

static bool is_over(void *ctx)
{
	return ((struct heard *)ctx)->last != NULL;
}

static struct lab *load(const char *text)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &small, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static size_t used(struct lab *l, const char *name)
{
	return via_arena_used(lab_node(l, name)->stack);
}

/* what is taken. */
static struct heard job(struct lab *l, json_t *what)
{
	char err[256];
	struct heard h = {.events = json_array()};
	assert_non_null(what);
	struct lab_job *j = lab_job_new(l, what, on_message, &h, err);
	if (!j)
		fail_msg("%s", err);
	json_decref(what);
	lab_run(l, TIME_NEVER, is_over, &h);
	assert_non_null(h.last);
	lab_job_free(j);
	return h;
}

static void done(struct heard *h)
{
	json_decref(h->events);
	json_decref(h->last);
}

static json_t *ping_words(const char *to, int count, int bytes, int ttl, int discover)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:i, s:I, s:i}", "job", "ping", "node", "a", "to", to, "count", count, "interval_ns",
			 (json_int_t)NS_PER_S, "bytes", bytes, "ttl", ttl, "wait_ns", (json_int_t)(10 * NS_PER_S), "discover", discover);
}

static json_int_t of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The first request waits at each hop for the announcement of the neighbour, which comes with the link's delay: 1, 10, then 100 ms
 * after the start. So it is there at 200 ms, its reply 111 ms later; the others take the links' delays only. */
static void ping__times_are_the_links(void **state)
{
	struct lab *l = load(far);
	struct heard h = job(l, ping_words("b", 3, 56, 0, -1));
	assert_int_equal(of(h.last, "transmitted"), 3);
	assert_int_equal(of(h.last, "received"), 3);
	assert_int_equal(of(h.last, "errors"), 0);
	assert_int_equal(of(h.last, "min_us"), 222000);
	assert_int_equal(of(h.last, "max_us"), 311000);
	assert_int_equal(of(h.last, "avg_us"), 251666);
	assert_int_equal(of(h.last, "mdev_us"), 41959);
	assert_int_equal(of(h.last, "time_ms"), 2222);
	assert_int_equal(json_array_size(h.events), 4);
	const json_t *reply = json_array_get(h.events, 2);
	assert_string_equal(text(json_array_get(h.events, 0), "event"), "start");
	assert_string_equal(text(reply, "event"), "reply");
	assert_string_equal(text(reply, "from"), text(json_array_get(h.events, 0), "address"));
	assert_int_equal(of(reply, "seq"), 2);
	assert_int_equal(of(reply, "ttl"), 62);
	assert_int_equal(of(reply, "bytes"), 64);
	assert_int_equal(of(reply, "rtt_us"), 222000);
	done(&h);
	lab_free(l);
}

/* Errors say who sent them and to which request. */
static void ping__errors_name_their_sender(void **state)
{
	static const struct {
		const char *to, *from;
		int bytes, ttl, discover, type, code, mtu;
	} asks[] = {
		{"b", "10.0.1.2", 56, 1, -1, 11, 0, 0},            /* r: time exceeded */
		{"b", "10.0.2.2", 56, 2, -1, 11, 0, 0},            /* s */
		{"b", "10.0.1.2", 1472, 0, 3, 3, 4, 1400},         /* r: fragmentation needed (IP_PMTUDISC_PROBE) */
		{"10.77.0.1", "10.0.1.2", 56, 0, -1, 3, 0, 0},     /* r: no route */
		{"10.0.3.77", "10.0.2.2", 56, 0, -1, 3, 1, 0},     /* s: nobody answers for it */
		{"10.0.1.77", "10.0.1.1", 56, 0, -1, 3, 1, 0},     /* we ourselves: the same on our own link */
	};
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct lab *l = load(far);
		struct heard h = job(l, ping_words(asks[i].to, 1, asks[i].bytes, asks[i].ttl, asks[i].discover));
		assert_int_equal(of(h.last, "received"), 0);
		assert_int_equal(of(h.last, "errors"), 1);
		const json_t *e = json_array_get(h.events, 1);
		assert_string_equal(text(e, "event"), "error");
		if (strcmp(text(e, "from"), asks[i].from) != 0)
			fail_msg("%s: from %s, not %s", asks[i].to, text(e, "from"), asks[i].from);
		assert_int_equal(of(e, "type"), asks[i].type);
		assert_int_equal(of(e, "code"), asks[i].code);
		assert_int_equal(of(e, "mtu"), asks[i].mtu);
		assert_int_equal(of(e, "seq"), 1);
		done(&h);
		lab_free(l);
	}
}

static void ping__local_errors(void **state)
{
	struct lab *l = load(HEAD "    - {endpoints: [\"a:1\", \"r:1\"]}\n    - {endpoints: [\"s:2\", \"b:1\"]}\n");
	struct heard h = job(l, ping_words("10.0.1.2", 2, 1473, 0, 2 /* IP_PMTUDISC_DO */));
	assert_int_equal(of(h.last, "errors"), 2);
	assert_string_equal(text(json_array_get(h.events, 1), "event"), "local");
	assert_int_equal(of(json_array_get(h.events, 1), "errno"), 90 /* EMSGSIZE */);
	done(&h);
	h = job(l, ping_words("127.0.0.1", 2, 0, 0, -1));
	assert_int_equal(of(h.last, "received"), 2);
	assert_int_equal(of(json_array_get(h.events, 1), "bytes"), 8);
	done(&h);
	lab_free(l);
}

/* Duplicates are told as such and counted apart; what is lost ends the run ten seconds, or two round trips, after the last request. */
static void ping__duplicates_and_silence(void **state)
{
	struct lab *l = load(HEAD "    - {endpoints: [\"a:1\", \"r:1\"], impairments: {b-to-a: {duplicate: 100%}}}\n"
				  "    - {endpoints: [\"r:2\", \"b:1\"], impairments: {delay: 1ms}}\n    - {endpoints: [\"r:3\", \"s:1\"]}\n");
	struct heard h = job(l, ping_words("b", 4, 56, 0, -1));
	assert_int_equal(of(h.last, "received"), 4);
	assert_int_equal(of(h.last, "duplicates"), 4);
	assert_true(json_is_true(json_object_get(json_array_get(h.events, 2), "duplicate")));
	done(&h);
	lab_free(l);
	l = load(HEAD "    - {endpoints: [\"a:1\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"b:1\"], impairments: {a-to-b: {loss: 100%}}}\n"
		      "    - {endpoints: [\"r:3\", \"s:1\"]}\n");
	h = job(l, json_pack("{s:s, s:s, s:s, s:i, s:I, s:I}", "job", "ping", "node", "a", "to", "b", "count", 0, "interval_ns",
			     (json_int_t)NS_PER_S, "deadline_ns", (json_int_t)(2500 * NS_PER_MS)));
	assert_int_equal(of(h.last, "transmitted"), 3);
	assert_int_equal(of(h.last, "received"), 0);
	assert_int_equal(lab_now(l), 2500 * NS_PER_MS);
	done(&h);
	lab_free(l);
}

static json_t *trace_words(const char *to, const char *kind, int port, bool is_report, int queries)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:I, s:I, s:i}", "job", "trace", "node", "a", "to", to, "kind", kind, "port",
			 port, "max", 30, "queries", queries, "is_report", is_report, "interval_ns", (json_int_t)NS_PER_S, "wait_ns",
			 (json_int_t)(5 * NS_PER_S), "bytes", 32);
}

static const json_t *hop_address(const json_t *hops, size_t hop)
{
	return json_array_get(json_object_get(json_array_get(hops, hop), "addresses"), 0);
}

/* All three kinds of probes find the same way: by ports that are closed, by echo, by a port that is open and one that is not. */
static void trace__kinds(void **state)
{
	static const struct {
		const char *kind;
		int port;
	} kinds[] = {{"udp", 33434}, {"icmp", 1}, {"tcp", 7}, {"tcp", 80}};
	static const char *const way[][2] = {{"10.0.1.2", "r"}, {"10.0.2.2", "s"}, {"10.0.3.2", "b"}};
	struct lab *l = load(far);
	struct heard h = job(l, ping_words("b", 1, 56, 0, -1)); /* neighbours are known from now on */
	done(&h);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		lab_run(l, lab_now(l) + 100 * NS_PER_S, NULL, NULL);
		h = job(l, trace_words("b", kinds[i].kind, kinds[i].port, false, 3));
		const json_t *hops = json_object_get(h.last, "hops");
		assert_true(json_is_true(json_object_get(h.last, "reached")));
		assert_int_equal(json_array_size(hops), 3);
		assert_int_equal(json_array_size(h.events), 4);
		for (size_t k = 0; k < 3; k++) {
			assert_string_equal(text(hop_address(hops, k), "address"), way[k][0]);
			assert_string_equal(text(hop_address(hops, k), "name"), way[k][1]);
			assert_int_equal(of(json_array_get(hops, k), "received"), 3);
			assert_int_equal(of(json_array_get(h.events, k + 1), "ttl"), (json_int_t)k + 1);
		}
		done(&h);
	}
	lab_free(l);
}

/* A router that sends no errors is a hop without answers; the way goes on behind it. One without a route ends it. */
static void trace__silent_and_unreachable(void **state)
{
	struct lab *l = load("name: t\ntopology:\n"
			     "  nodes: {a: {kind: host}, r: {kind: router, icmp: off}, s: {kind: router}, b: {kind: host}}\n  links:\n"
			     "    - {endpoints: [\"a:1\", \"s:1\"]}\n    - {endpoints: [\"s:2\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"b:1\"]}\n");
	struct heard h = job(l, trace_words("b", "icmp", 1, false, 2));
	const json_t *hops = json_object_get(h.last, "hops");
	assert_int_equal(json_array_size(hops), 3);
	assert_int_equal(of(json_array_get(hops, 1), "received"), 0);
	assert_int_equal(of(json_array_get(hops, 1), "sent"), 2);
	assert_string_equal(text(hop_address(hops, 2), "name"), "b");
	done(&h);
	h = job(l, trace_words("10.99.0.1", "udp", 33434, false, 1));
	hops = json_object_get(h.last, "hops");
	assert_true(json_is_false(json_object_get(h.last, "reached")));
	assert_int_equal(json_array_size(hops), 1 + 1);
	const json_t *probe = json_array_get(json_object_get(json_array_get(h.events, 2), "probes"), 0);
	assert_string_equal(text(probe, "flag"), "!N");
	done(&h);
	lab_free(l);
}

/* mtr's report: rounds a second apart; losses are those of the hops' own answers. */
static void trace__report(void **state)
{
	struct lab *l = load(far);
	struct heard h = job(l, trace_words("b", "icmp", 1, true, 20));
	const json_t *hops = json_object_get(h.last, "hops");
	static const int rtt_ms[] = {2, 22, 222};
	assert_int_equal(json_array_size(hops), 3);
	assert_int_equal(json_array_size(h.events), 1);
	for (size_t k = 0; k < 3; k++) {
		const json_t *hop = json_array_get(hops, k);
		assert_int_equal(of(hop, "sent"), 20);
		assert_int_equal(of(hop, "received"), 20);
		assert_int_equal(of(hop, "best_us"), rtt_ms[k] * 1000);
		assert_int_equal(of(hop, "last_us"), rtt_ms[k] * 1000);
		assert_true(of(hop, "worst_us") >= of(hop, "avg_us") && of(hop, "avg_us") >= of(hop, "best_us"));
	}
	assert_in_range(lab_now(l), 19 * NS_PER_S, 20 * NS_PER_S);
	done(&h);
	lab_free(l);
}

/* Sockets, watches and tasks are given back, also by a job that is stopped or freed half way. */
static void jobs__leave_nothing(void **state)
{
	static const char *const kinds[] = {"udp", "icmp", "tcp"};
	struct lab *l = load(far);
	char err[256];
	struct heard h = job(l, ping_words("b", 1, 56, 0, -1));
	done(&h);
	lab_run(l, lab_now(l) + 2000 * NS_PER_S, NULL, NULL);
	size_t before = used(l, "a");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_t *what = trace_words("10.0.3.99", kinds[i], 80, false, 3);
		h = (struct heard){.events = json_array()};
		struct lab_job *j = lab_job_new(l, what, on_message, &h, err);
		assert_non_null(j);
		lab_run(l, lab_now(l) + NS_PER_S / 2, NULL, NULL);
		assert_null(h.last);
		lab_job_stop(j);
		lab_run(l, lab_now(l) + 1, NULL, NULL);
		assert_non_null(h.last);
		lab_job_free(j);
		done(&h);
		h = (struct heard){.events = json_array()};
		j = lab_job_new(l, what, on_message, &h, err);
		lab_run(l, lab_now(l) + NS_PER_S / 2, NULL, NULL);
		lab_job_free(j);
		done(&h);
		json_decref(what);
		assert_null(l->watches);
		assert_null(l->tasks);
		lab_run(l, lab_now(l) + 2000 * NS_PER_S, NULL, NULL);
		assert_int_equal(used(l, "a"), before);
	}
	lab_free(l);
}

static struct via_addr v6(const char *text)
{
	struct via_addr a;
	assert_int_equal(via_addr_parse(text, strlen(text), &a), 0);
	return a;
}

/* Addresses 2001:db8:N::{1,2} on link N, and routes along the way. */
static struct lab *load_v6(void)
{
	static const struct {
		const char *node, *own[2], *to[2], *via[2];
	} set[] = {
		{"a", {"2001:db8:1::1"}, {"::"}, {"2001:db8:1::2"}},
		{"r", {"2001:db8:1::2", "2001:db8:2::1"}, {"2001:db8:3::"}, {"2001:db8:2::2"}},
		{"s", {"2001:db8:2::2", "2001:db8:3::1"}, {"2001:db8:1::"}, {"2001:db8:2::1"}},
		{"b", {"2001:db8:3::2"}, {"::"}, {"2001:db8:3::1"}},
	};
	struct lab *l = load(far);
	for (size_t i = 0; i < ARRAY_LEN(set); i++) {
		struct via *v = lab_node(l, set[i].node)->stack;
		for (int k = 0; k < 2 && set[i].own[k]; k++)
			assert_int_equal(via_configure(v, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = 2 + k,
				.addr = v6(set[i].own[k]), .plen = 64}), 0);
		assert_int_equal(via_configure(v, &(struct via_change){.kind = VIA_ROUTE_ADD, .addr = v6(set[i].to[0]),
			.plen = set[i].to[0][2] ? 64 : 0, .gateway = v6(set[i].via[0])}), 0);
	}
	lab_run(l, 10 * NS_PER_S, NULL, NULL); /* duplicate addresses are looked for */
	return l;
}

/* All of it in IPv6: times, errors of routers, the three kinds of probes. */
static void v6__ping_and_trace(void **state)
{
	static const char *const kinds[] = {"udp", "icmp", "tcp"};
	static const char *const way[] = {"2001:db8:1::2", "2001:db8:2::2", "2001:db8:3::2"};
	struct lab *l = load_v6();
	struct heard h = job(l, ping_words("2001:db8:3::2", 3, 56, 0, -1));
	assert_int_equal(of(h.last, "received"), 3);
	assert_int_equal(of(h.last, "min_us"), 222000);
	assert_int_equal(of(json_array_get(h.events, 3), "ttl"), 62);
	done(&h);
	h = job(l, ping_words("2001:db8:3::2", 1, 56, 2, -1));
	assert_int_equal(of(h.last, "errors"), 1);
	assert_string_equal(text(json_array_get(h.events, 1), "from"), "2001:db8:2::2");
	assert_int_equal(of(json_array_get(h.events, 1), "type"), 3);
	done(&h);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		lab_run(l, lab_now(l) + 100 * NS_PER_S, NULL, NULL);
		h = job(l, trace_words("2001:db8:3::2", kinds[i], 80, false, 3));
		const json_t *hops = json_object_get(h.last, "hops");
		assert_true(json_is_true(json_object_get(h.last, "reached")));
		assert_int_equal(json_array_size(hops), 3);
		for (size_t k = 0; k < 3; k++)
			assert_string_equal(text(hop_address(hops, k), "address"), way[k]);
		done(&h);
	}
	h = job(l, trace_words("2001:db8:9::9", "udp", 33434, false, 1));
	assert_true(json_is_false(json_object_get(h.last, "reached")));
	assert_string_equal(text(json_array_get(json_object_get(json_array_get(h.events, 2), "probes"), 0), "flag"), "!N");
	done(&h);
	lab_free(l);
}

/* What a stack tells of its neighbours: nobody at first, who answered, who does not. */
static void neighbours__are_told(void **state)
{
	static const char apart[] = HEAD "    - {endpoints: [\"a:1\", \"r:1\"], impairments: {a-to-b: {loss: 100%}}}\n"
					 "    - {endpoints: [\"r:2\", \"s:1\"]}\n    - {endpoints: [\"s:2\", \"b:1\"]}\n";
	struct via_neigh_info n = {.size = sizeof n};
	struct lab *l = load(far);
	struct via *a = lab_node(l, "a")->stack;
	assert_false(via_neigh_get(a, 0, &n));
	struct heard h = job(l, ping_words("b", 1, 56, 0, -1));
	done(&h);
	assert_true(via_neigh_get(a, 0, &n));
	assert_int_equal(n.state, VIA_NEIGH_DELAY); /* it had announced itself, was used, and is asked after five seconds */
	lab_run(l, lab_now(l) + 6 * NS_PER_S, NULL, NULL);
	assert_true(via_neigh_get(a, 0, &n));
	assert_int_equal(n.state, VIA_NEIGH_REACHABLE);
	assert_int_equal(n.ifindex, 2);
	assert_int_equal(via_addr_to_v4(&n.addr), 0x0a000102);
	assert_memory_equal(n.mac, lab_port(l, 1)->d.mac, 6);
	assert_false(via_neigh_get(a, 1, &n) || via_neigh_get(a, -1, &n));
	for (uint8_t i = 1; i <= 3; i++) {
		uint8_t mac[6] = {2, 0, 0, 0, 0, i};
		struct via_change c = {.kind = VIA_NEIGH_SET, .ifindex = 2, .addr = via_addr_v4(0x0a000100u + 100 + i)};
		memcpy(c.mac, mac, 6);
		assert_int_equal(via_configure(a, &c), 0);
	}
	for (int i = 0; i < 4; i++)
		assert_true(via_neigh_get(a, i, &n) && n.state == (i < 3 ? VIA_NEIGH_PERMANENT : VIA_NEIGH_REACHABLE));
	assert_false(via_neigh_get(a, 4, &n));
	lab_free(l);
	l = load(apart);
	char err[256];
	h = (struct heard){.events = json_array()};
	json_t *what = ping_words("10.0.1.77", 1, 56, 0, -1);
	struct lab_job *j = lab_job_new(l, what, on_message, &h, err);
	lab_run(l, NS_PER_S / 2, NULL, NULL);
	assert_true(via_neigh_get(lab_node(l, "a")->stack, 0, &n));
	assert_int_equal(n.state, VIA_NEIGH_INCOMPLETE);
	lab_job_free(j);
	json_decref(what);
	done(&h);
	lab_free(l);
}

static void jobs__sentences(void **state)
{
	static const struct {
		const char *words, *says;
	} bad[] = {
		{"{\"job\": \"ping\", \"node\": \"x\", \"to\": \"b\"}", "no host or router named 'x'"},
		{"{\"job\": \"ping\", \"node\": \"a\", \"to\": \"c\"}", "c: no such name or address"},
		{"{\"job\": \"ping\", \"node\": \"a\"}", "no such name or address"},
		{"{\"job\": \"trace\", \"node\": \"a\", \"to\": \"1.2.3\"}", "1.2.3: no such name or address"},
		{"{\"job\": \"trace\"}", "no host or router named ''"},
	};
	struct lab *l = load(far);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char err[256];
		json_t *what = json_loads(bad[i].words, 0, NULL);
		assert_null(lab_job_new(l, what, on_message, NULL, err));
		if (!strstr(err, bad[i].says))
			fail_msg("%s: %s", bad[i].words, err);
		json_decref(what);
	}
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ping__times_are_the_links), cmocka_unit_test(ping__errors_name_their_sender),
		cmocka_unit_test(ping__local_errors), cmocka_unit_test(ping__duplicates_and_silence), cmocka_unit_test(trace__kinds),
		cmocka_unit_test(trace__silent_and_unreachable), cmocka_unit_test(trace__report), cmocka_unit_test(jobs__leave_nothing),
		cmocka_unit_test(jobs__sentences), cmocka_unit_test(neighbours__are_told),
		cmocka_unit_test(v6__ping_and_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
