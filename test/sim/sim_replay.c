/* test/sim/sim_replay.c - one seed, one run: the trace hash (every frame's bytes, interface, time, fate) of two runs of a
 * seed agree, two seeds differ; and watching (capture, story) changes nothing of an impaired lab. */
#include "test/sim/sim.h"
#include <unistd.h>

static const char text[] =
	"name: replay\ntopology:\n"
	"  nodes: {a: {kind: host}, r1: {kind: router}, r2: {kind: router}, r3: {kind: router}, r4: {kind: router}, b: {kind: host}}\n"
	"  links:\n    - {endpoints: [\"a:1\", \"r1:1\"], impairments: {delay: 100us}}\n"
	"    - {endpoints: [\"r1:2\", \"r2:1\"], impairments: {delay: 5ms, jitter: 1ms, loss: 3%, reorder: 2%, duplicate: 1%, corrupt: 0.1%}}\n"
	"    - {endpoints: [\"r1:3\", \"r3:1\"], impairments: {delay: 12ms, jitter: 1ms, loss: 1%, rate: 20mbit, limit: 60}}\n"
	"    - {endpoints: [\"r2:2\", \"r4:1\"], impairments: {delay: 10us}}\n"
	"    - {endpoints: [\"r3:2\", \"r4:2\"], impairments: {delay: 10us}}\n"
	"    - {endpoints: [\"r4:3\", \"b:1\"], impairments: {delay: 100us}}\n";

struct result {
	uint64_t hash;
	int64_t end;
	uint64_t frames;
	bool good; /* every transfer ended well */
};

static struct result run(uint64_t seed, bool watched)
{
	char path[] = "/tmp/viaduct-replay-XXXXXX";
	int fd = watched ? mkstemp(path) : -1;
	struct lab *l = sim_lab(text, &(struct lab_opts){.seed = seed, .has_seed = true, .trace_hash = true,
		.pcapng = fd >= 0 ? path : NULL, .story = watched});
	struct sim_run ab, ba;
	struct lab_link_stats st;
	struct result res = {0};
	sim_run_start(&ab, l, "a", "b", 80, 6, 100000, 200000, 7);
	sim_run_start(&ba, l, "b", "a", 80, 3, 50000, 1, 8);
	lab_run(l, INT64_C(3600) * NS_PER_S, sim_run_done, &ab);
	lab_run(l, INT64_C(3600) * NS_PER_S, sim_run_done, &ba);
	res.good = sim_run_done(&ab) && sim_run_done(&ba) && !sim_run_error(&ab) && !sim_run_error(&ba);
	sim_run_stop(&ab);
	sim_run_stop(&ba);
	lab_run(l, lab_now(l) + 200 * NS_PER_S, NULL, NULL);
	for (int i = 0; lab_link_get(l, i, &st); i++)
		res.frames += st.sent;
	res.hash = lab_trace_hash(l);
	res.end = lab_now(l);
	lab_free(l);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return res;
}

int main(void)
{
	enum { ROUNDS = 5 };
	bool good = true;
	uint64_t last = 0;
	printf("1..%d\n", 3 * ROUNDS);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct result x = run(seed, false), y = run(seed, false), z = run(seed, true);
		good &= sim_ok(x.good && x.hash == y.hash && x.end == y.end && x.frames == y.frames && x.frames > 500,
			"seed %llu twice: hash %016llx over %llu frames",
			       (unsigned long long)seed, (unsigned long long)x.hash, (unsigned long long)x.frames);
		good &= sim_ok(x.hash == z.hash, "seed %llu watched: the same", (unsigned long long)seed);
		good &= sim_ok(x.hash != last, "seed %llu differs from the one before", (unsigned long long)seed);
		last = x.hash;
	}
	return !good;
}
