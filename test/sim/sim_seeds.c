/* test/sim/sim_seeds.c - 200 seeds: several connections, both directions, 64 KiB to 4 MiB each way in all, over links with
 * drawn impairments (up to 10 % loss). Every byte right, no connection stuck, every arena back where it was, no packet left
 * over. A failing seed prints the command that replays it; `sim_seeds --seed N [FILE]` runs one, tells more, and captures
 * into FILE. */
#include "test/sim/sim.h"

enum { SEEDS = 200 };
#define LIMIT_NS (INT64_C(6) * 3600 * NS_PER_S) /* virtual */
#define QUIET_NS (INT64_C(900) * NS_PER_S)      /* longer than TIME-WAIT and a learnt path MTU */

struct draw {
	char text[2048], what[512];
	uint64_t up, down;
	int up_conns, down_conns;
};

static uint64_t log_uniform(struct rng *r, uint64_t lo, unsigned doublings)
{
	uint64_t base = lo << rng_below(r, doublings);
	return base + rng_below(r, base);
}

/* Loss up to 10 %; the rest as wild, now and then a slow link with a short queue. */
static void draw_impairments(struct rng *r, char *out, size_t cap)
{
	char rate[64] = "";
	unsigned v[9];
	/* One draw after the other: the order of arguments is the compiler's. */
	static const unsigned below[ARRAY_LEN(v)] = {10, 2000, 1000, 1000, 500, 100, 3, 9, 100};
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = (unsigned)rng_below(r, below[i]);
	if (v[6] == 0)
		snprintf(rate, sizeof rate, ", rate: %ukbit, limit: %u", 500u << v[7], 10 + v[8]);
	snprintf(out, cap, "{delay: %uus, jitter: %uus, loss: %u.%02u%%, reorder: %u.%02u%%, duplicate: %u.%02u%%, corrupt: 0.%02u%%%s}",
		100u << v[0], v[1], v[2] / 100, v[2] % 100, v[3] / 100, v[3] % 100, v[4] / 100, v[4] % 100, v[5], rate);
}

static void draw_lab(struct rng *r, struct draw *d)
{
	static const char *const shapes[] = {
		"  nodes: {a: {kind: host}, b: {kind: host}}\n  links:\n    - {endpoints: [\"a:e\", \"b:e\"], mtu: %u, impairments: %s}\n",
		"  nodes: {a: {kind: host}, r: {kind: router}, b: {kind: host}}\n  links:\n    - {endpoints: [\"a:e\", \"r:1\"]}\n"
		"    - {endpoints: [\"r:2\", \"b:e\"], mtu: %u, impairments: %s}\n",
		"  nodes: {a: {kind: host}, s: {kind: switch}, b: {kind: host}}\n  links:\n    - {endpoints: [\"a:e\", \"s:1\"]}\n"
		"    - {endpoints: [\"s:2\", \"b:e\"], mtu: %u, impairments: %s}\n",
		"  nodes: {a: {kind: host}, r: {kind: router}, p: {kind: router}, q: {kind: router}, t: {kind: router}, b: {kind: host}}\n"
		"  links:\n"
		"    - {endpoints: [\"a:e\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"p:1\"], mtu: %u, impairments: %s}\n"
		"    - {endpoints: [\"r:3\", \"q:1\"]}\n"
		"    - {endpoints: [\"p:2\", \"t:1\"]}\n    - {endpoints: [\"q:2\", \"t:2\"], impairments: {loss: 2%%, delay: 1ms}}\n"
		"    - {endpoints: [\"t:3\", \"b:e\"]}\n",
	};
	char impairments[256];
	unsigned shape = (unsigned)rng_below(r, ARRAY_LEN(shapes));
	/* A switch has no ICMP to tell of a smaller MTU behind it. */
	unsigned mtu = shape == 2 ? 1500 : (const unsigned[]){1500, 1500, 1280, 576, 9000}[rng_below(r, 5)];
	draw_impairments(r, impairments, sizeof impairments);
	int n = snprintf(d->text, sizeof d->text, "name: s\ntopology:\n");
	snprintf(d->text + n, sizeof d->text - (size_t)n, shapes[shape], mtu, impairments);
	d->up_conns = 1 + (int)rng_below(r, 4);
	d->down_conns = 1 + (int)rng_below(r, 3);
	uint64_t total = log_uniform(r, 65536, 6);
	d->up = total / (uint64_t)(d->up_conns + d->down_conns);
	d->down = log_uniform(r, 65536, 6) / (uint64_t)(d->up_conns + d->down_conns);
	snprintf(d->what, sizeof d->what, "shape %u, mtu %u, %d+%d connections, %llu B up, %llu B down, %s", shape, mtu, d->up_conns,
		d->down_conns,
		 (unsigned long long)d->up, (unsigned long long)d->down, impairments);
}

/* Both nodes open connections to each other. True: all done well in time. */
static bool transfer(struct lab *l, const struct draw *d, uint64_t up, uint64_t down, uint64_t seed, char *why, size_t cap)
{
	struct sim_run ab, ba;
	uint16_t port = (uint16_t)(1000 + seed % 1000);
	int64_t end = lab_now(l) + LIMIT_NS;
	if (sim_run_start(&ab, l, "a", "b", port, d->up_conns, up, down, seed) || sim_run_start(&ba, l, "b", "a", port, d->down_conns,
		down, up, seed + 10)) {
		snprintf(why, cap, "could not start");
		return false;
	}
	lab_run(l, end, sim_run_done, &ab);
	lab_run(l, end, sim_run_done, &ba);
	bool done = sim_run_done(&ab) && sim_run_done(&ba);
	int error = sim_run_error(&ab) ? sim_run_error(&ab) : sim_run_error(&ba);
	if (!done)
		snprintf(why, cap, "stuck: up %llu of %llu, down %llu of %llu bytes of the first connection", (unsigned long long)ab.client[0].sent,
			 (unsigned long long)up, (unsigned long long)ab.client[0].received, (unsigned long long)down);
	else if (error)
		snprintf(why, cap, "error %d (%s)", error, strerror(-error));
	sim_run_stop(&ab);
	sim_run_stop(&ba);
	lab_run(l, lab_now(l) + QUIET_NS, NULL, NULL);
	return done && !error;
}

static bool run_seed(uint64_t seed, bool loud, const char *pcapng)
{
	struct rng r;
	struct draw d;
	char why[256] = "";
	rng_seed(&r, seed);
	draw_lab(&r, &d);
	struct lab *l = sim_lab(d.text, &(struct lab_opts){.seed = seed, .has_seed = true, .pcapng = pcapng});
	if (loud)
		printf("# %s\n%s", d.what, d.text);
	/* A first small round fills neighbour and path caches; what is in use after it is the baseline. */
	bool good = transfer(l, &d, 1, 1, seed, why, sizeof why);
	size_t before = sim_arena_used(l);
	good = good && transfer(l, &d, d.up, d.down, seed, why, sizeof why);
	size_t after = sim_arena_used(l);
	uint32_t pkts = pktmem_pkts_used(l->mem), blks = pktmem_blks_used(l->mem);
	if (good && after > before) {
		snprintf(why, sizeof why, "arenas hold %zu bytes more than before", after - before);
		good = false;
	} else if (good && (pkts || blks)) {
		snprintf(why, sizeof why, "%u packets and %u blocks are left over", pkts, blks);
		good = false;
	}
	if (loud)
		printf("# ended at %lld ms of virtual time\n", (long long)(lab_now(l) / NS_PER_MS));
	lab_free(l);
	sim_ok(good, "seed %llu%s%s", (unsigned long long)seed, good ? "" : ": ", why);
	if (!good)
		printf("# %s\n# replay: build-san/test/sim_seeds --seed %llu\n", d.what, (unsigned long long)seed);
	return good;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "--seed") == 0) {
		puts("1..1");
		return !run_seed(strtoull(argv[2], NULL, 0), true, argc > 3 ? argv[3] : NULL);
	}
	bool good = true;
	printf("1..%d\n", SEEDS);
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		good &= run_seed(seed, false, NULL);
	return !good;
}
