/* test/sim/sim_loss.c - over a 1 % link 10^5 data segments lose 1 % within 3.5 sigma; and without impairments nothing is
 * lost or sent twice. Counted by the story, that is by frames. */
#include "test/sim/sim.h"

static const char lossy[] = "name: loss\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}}\n  links:\n"
			    "    - {endpoints: [\"a:1\", \"b:1\"], mtu: 576, impairments: {delay: 1ms, a-to-b: {loss: 1%}}}\n";

/* The story's first connection's `sent` figures. */
static uint64_t sent(json_t *story, const char *key)
{
	json_t *c = json_array_get(json_object_get(story, "connections"), 0);
	return (uint64_t)json_integer_value(json_object_get(json_object_get(c, "sent"), key));
}

static json_t *run(bool clean, uint64_t bytes)
{
	struct lab *l = sim_lab(lossy, &(struct lab_opts){.seed = 3, .has_seed = true, .story = true, .no_impairments = clean});
	struct sim_run r;
	sim_run_start(&r, l, "a", "b", 80, 1, bytes, 0, 1);
	lab_run(l, INT64_C(36000) * NS_PER_S, sim_run_done, &r);
	if (!sim_run_done(&r) || sim_run_error(&r))
		puts("Bail out! the transfer did not end well");
	json_t *story = lab_story(l);
	sim_run_stop(&r);
	lab_free(l);
	return story;
}

int main(void)
{
	bool good = true;
	puts("1..5");
	json_t *s = run(false, UINT64_C(53000000));
	uint64_t n = sent(s, "packets"), lost = sent(s, "lost"), segments = sent(s, "segments");
	/* (lost - n/100)^2 <= 3.5^2 * n * 0.01 * 0.99 */
	int64_t off = (int64_t)(100 * lost) - (int64_t)n;
	good &= sim_ok(segments >= 100000, "%llu data segments left", (unsigned long long)segments);
	good &= sim_ok(n - segments < n / 1000, "nearly all of the %llu packets are data", (unsigned long long)n);
	good &= sim_ok(off * off * 100 <= (int64_t)n * 1225 * 99, "%llu of %llu lost: 1 %% within 3.5 sigma", (unsigned long long)lost,
		(unsigned long long)n);
	good &= sim_ok(sent(s, "retransmitted") >= sent(s, "lost") * 9 / 10, "what was lost was sent again (%llu)",
		(unsigned long long)sent(s, "retransmitted"));
	json_decref(s);
	s = run(true, UINT64_C(2000000));
	good &= sim_ok(sent(s, "segments") > 3000 && sent(s, "lost") == 0 && sent(s, "retransmitted") == 0,
		"clean: nothing lost, nothing repeated");
	json_decref(s);
	return !good;
}
