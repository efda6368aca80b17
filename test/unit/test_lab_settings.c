/* lab/: settings of nodes in a topology file: a router that sends no ICMP errors, settings by Linux's names; and what a capture tells of
 * frames that a node drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/map.h"
#include "lab/state.h"
#include "serve/bulk.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DOWN = 200000 };

static struct lab *load(const char *text, const struct lab_opts *o)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", o, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static uint64_t counter(struct lab *l, const char *node, const char *want)
{
	const char *name;
	uint64_t value;
	for (int i = 0; via_counter_get(lab_node(l, node)->stack, i, &name, &value); i++)
		if (strcmp(name, want) == 0)
			return value;
	fail_msg("no counter %s", want);
	return 0;
}

static bool is_done(void *ctx)
{
	return ((struct bulk_end *)ctx)->done;
}

/* far sends 200 kB to home. How much came within a minute of virtual time? */
static uint64_t download(struct lab *l)
{
	struct host_map map;
	struct serve_bulk server;
	struct bulk_end client;
	const struct topo_node *far = &l->topo->nodes[topo_node_find(l->topo, "far")];
	assert_int_equal(host_map_new(&map, 8 << 20), 0);
	struct arena *arena = arena_init(map.at, map.bytes);
	assert_int_equal(serve_bulk_start(&server, &(struct serve_bulk_config){.arena = arena, .via = lab_node(l, "far")->stack,
		.local = {via_addr_v4(0), 99}, .send_seed = 1, .send_bytes = DOWN, .recv_bytes = UINT64_MAX}), 0);
	assert_int_equal(bulk_client_start(&client, &(struct bulk_client_config){.via = lab_node(l, "home")->stack,
		.remote = {via_addr_v4(l->topo->ends[far->ends[0]].addr.addr), 99}, .send_seed = 2, .send_bytes = 10, .recv_seed = 1,
		.recv_bytes = DOWN}), 0);
	lab_node(l, "home")->touched(lab_node(l, "home"));
	lab_run(l, lab_now(l) + 60 * NS_PER_S, is_done, &client);
	uint64_t came = client.received;
	bulk_client_stop(&client);
	serve_bulk_stop(&server);
	arena_fini(arena);
	host_map_free(&map);
	return came;
}

/* The path carries 1200 bytes in its middle. icmp: of its routers; far: more of far; pcapng: a capture, or NULL. */
static struct lab *narrow(const char *icmp, const char *far, const char *pcapng)
{
	char text[1024];
	snprintf(text, sizeof text, "name: t\ntopology:\n  nodes:\n    home: {kind: host}\n    r1: {kind: router%s}\n    r2: {kind: router%s}\n"
		 "    far: {kind: host%s}\n  links:\n    - {endpoints: [\"home:e\", \"r1:1\"], impairments: {delay: 5ms}}\n"
		 "    - {endpoints: [\"r1:2\", \"r2:1\"], mtu: 1200}\n    - {endpoints: [\"r2:2\", \"far:e\"]}\n", icmp, icmp, far);
	return load(text, &(struct lab_opts){.pcapng = pcapng});
}

static void icmp__off_makes_a_black_hole_that_probing_crosses(void **state)
{
	struct lab *l = narrow("", "", NULL);
	assert_int_equal(download(l), DOWN);
	assert_true(counter(l, "r2", "icmp.errors_sent") > 0); /* the ordinary way */
	lab_free(l);
	l = narrow(", icmp: off", ", sysctl: {net.ipv4.tcp_mtu_probing: 0}", NULL);
	assert_int_equal(download(l), 0); /* nothing gets through: no full segment, and nobody says why */
	assert_int_equal(counter(l, "r2", "icmp.errors_sent"), 0);
	lab_free(l);
	l = narrow(", icmp: off", "", NULL);
	assert_int_equal(download(l), DOWN);
	assert_int_equal(counter(l, "r2", "icmp.errors_sent"), 0);
	lab_free(l);
}

static void sysctl__a_value_that_is_none_is_told_by_its_place(void **state)
{
	static const char text[] = "name: t\ntopology:\n  nodes:\n    a: {kind: host, sysctl: {tcp_ecn: 7}}\n";
	struct lab_error err;
	assert_null(lab_load_text(text, strlen(text), "t.yaml", &(struct lab_opts){0}, &err));
	assert_string_equal(err.text, "'7' is no value of tcp_ecn");
	assert_int_equal(err.line, 4);
	assert_int_equal(err.col, 39);
}

/* How often `word` stands in a file. */
static uint64_t occurrences(const char *path, const char *word)
{
	uint64_t n = 0;
	FILE *f = fopen(path, "r");
	size_t len = strlen(word), at = 0;
	for (int c; (c = getc(f)) != EOF;) {
		at = c == word[at] ? at + 1 : c == word[0];
		if (at == len) {
			n++;
			at = 0;
		}
	}
	fclose(f);
	return n;
}

/* Each segment that is too large for the narrow link is dropped by r2, and says so on the frame that brought it. */
static void capture__a_frame_tells_who_dropped_it(void **state)
{
	char path[] = "/tmp/viaduct-capture-XXXXXX";
	close(mkstemp(path));
	struct lab *l = narrow("", "", path);
	assert_int_equal(download(l), DOWN);
	uint64_t dropped = counter(l, "r2", "drop.ip.mtu");
	assert_true(dropped > 0);
	lab_free(l);
	assert_int_equal(occurrences(path, "r2 dropped it: "), dropped);
	assert_int_equal(occurrences(path, "(ip.mtu)"), dropped);
	assert_true(occurrences(path, "was held ") > 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp__off_makes_a_black_hole_that_probing_crosses),
		cmocka_unit_test(sysctl__a_value_that_is_none_is_told_by_its_place),
		cmocka_unit_test(capture__a_frame_tells_who_dropped_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
