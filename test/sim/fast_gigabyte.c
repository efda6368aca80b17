/* test/sim/fast_gigabyte.c - 1 GB, byte-exact, over 2 % loss, 5 % reordering, 1 % duplication and 0.01 % corruption. */
#include "test/sim/sim.h"

int main(void)
{
	static const char text[] = "name: gigabyte\ntopology:\n  nodes: {a: {kind: host}, r: {kind: router}, b: {kind: host}}\n  links:\n"
				   "    - {endpoints: [\"a:e\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"b:e\"], "
				   "impairments: {delay: 2ms, jitter: 200us, loss: 2%, reorder: 5%, duplicate: 1%, corrupt: 0.01%}}\n";
	const uint64_t bytes = 1000000000;
	struct lab *l = sim_lab(text, &(struct lab_opts){.seed = 1, .has_seed = true});
	struct sim_run r;
	struct lab_link_stats st;
	puts("1..2");
	if (sim_run_start(&r, l, "a", "b", 5000, 1, bytes, 0, 42))
		return puts("Bail out! cannot start"), 1;
	lab_run(l, INT64_C(100) * 3600 * NS_PER_S, sim_run_done, &r);
	bool good = sim_ok(sim_run_done(&r) && sim_run_error(&r) == 0 && r.server.received == bytes, "1 GB byte-exact (%llu arrived, error %d)",
			   (unsigned long long)r.server.received, sim_run_error(&r));
	lab_link_get(l, 2, &st);
	printf("# virtual time %lld s; to the receiver: %llu frames sent, %llu lost, %llu reordered, %llu duplicated, %llu corrupted\n",
	       (long long)(lab_now(l) / NS_PER_S), (unsigned long long)st.sent, (unsigned long long)st.lost, (unsigned long long)st.reordered,
	       (unsigned long long)st.duplicated, (unsigned long long)st.corrupted);
	/* The impairments did happen, each. */
	good &= sim_ok(st.lost > 10000 && st.reordered > 20000 && st.duplicated > 5000 && st.corrupted > 30, "the link did what it was told");
	sim_run_stop(&r);
	lab_free(l);
	return !good;
}
