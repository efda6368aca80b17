/* test/sim/fast_internet.c - scale: an internet of 1,000 hosts with 10,000 connections at once, each byte checked, in virtual time; how
 * much memory it takes, and that a frame costs no more time in a large internet than in a small one, but for the machine's caches.
 *
 * Trees of fan-out 10; each host is the server of 10 others, chosen by the same distances for all, so most ways lead through the
 * root. The links of hosts carry 2 Mbit/s, all links delay by 1 ms, so that all connections are open before the first ends.
 * `--write` writes doc/scale.md from the figures (make scale). */
#include "test/sim/sim.h"

#include "lab/job.h"
#include <time.h>
#include <unistd.h>

enum { EACH = 10, DOWN = 20000, UP = 5000, MEMORY_MAX_MIB = 4096, SLOWER_MAX = 6 };

struct figures {
	int hosts, routers, connections, most_open;
	uint64_t frames;
	size_t built, most;     /* resident bytes of the lab: when it stood, and at most */
	double build_s, run_s, ping_s;
	int64_t virtual_ns;
	uint64_t ping_frames;
	bool is_whole, all_answer;
};

static size_t resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t frames_of(struct lab *l)
{
	struct lab_link_stats st;
	uint64_t n = 0;
	for (int i = 0; lab_link_get(l, i, &st); i++)
		n += st.sent;
	return n;
}

/* --- all connections --- */

struct host {
	struct host_node *node;
	struct via_addr addr;
	struct host_map map;
	struct arena *arena;
	struct serve_bulk server;
	struct bulk_end client[EACH];
};

struct world {
	struct lab *l;
	struct host *host;
	int n;
};

static void links_slow(struct lab *l)
{
	for (int i = 0; i < l->topo->n_links; i++)
		for (int s = 0; s < 2; s++) {
			const struct topo_end *e = &l->topo->ends[2 * i];
			bool is_hosts = l->topo->nodes[e[0].node].kind == TOPO_HOST || l->topo->nodes[e[1].node].kind == TOPO_HOST;
			link_impair(&l->links[i], s, &(struct lab_impair){.delay_ns = NS_PER_MS, .rate_bps = is_hosts ? 2000000 : 0, .limit = 100000});
		}
}

static bool world_start(struct world *w)
{
	const struct topo *t = w->l->topo;
	int n = 0;
	bool good = true;
	for (int i = 0; i < t->n_nodes; i++) {
		if (t->nodes[i].kind != TOPO_HOST)
			continue;
		struct host *h = &w->host[n++];
		h->node = lab_node(w->l, t->nodes[i].name);
		h->addr = via_addr_v4(t->ends[t->nodes[i].ends[0]].addr.addr);
		good = good && host_map_new(&h->map, 1u << 20) == 0 && (h->arena = arena_init(h->map.at, h->map.bytes)) &&
		       serve_bulk_start(&h->server, &(struct serve_bulk_config){.arena = h->arena, .via = h->node->stack,
				.local = {via_addr_v4(0), 7000}, .conns_max = EACH, .send_seed = 1, .send_bytes = DOWN, .recv_seed = 2,
				.recv_bytes = UP, .check = true}) == 0;
	}
	for (int i = 0; i < n && good; i++)
		for (int k = 0; k < EACH && good; k++) {
			const struct host *to = &w->host[(i + 1 + k * (n - 1) / EACH) % n];
			good = bulk_client_start(&w->host[i].client[k], &(struct bulk_client_config){.via = w->host[i].node->stack,
				.remote = {to->addr, 7000}, .send_seed = 2, .send_bytes = UP, .recv_seed = 1, .recv_bytes = DOWN}) == 0;
			w->host[i].node->touched(w->host[i].node);
		}
	return good;
}

static void world_stop(struct world *w)
{
	for (int i = 0; i < w->n; i++) {
		struct host *h = &w->host[i];
		for (int k = 0; k < EACH; k++)
			bulk_client_stop(&h->client[k]);
		serve_bulk_stop(&h->server);
		arena_fini(h->arena);
		host_map_free(&h->map);
	}
}

/* How many are open; *ended: over, *failed: not as they should be. */
static int count(const struct world *w, int *ended, int *failed)
{
	int open = 0;
	*ended = *failed = 0;
	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < EACH; k++) {
			const struct bulk_end *c = &w->host[i].client[k];
			open += c->connected && !c->done;
			*ended += c->done;
			*failed += c->done && (c->error || c->received != DOWN);
		}
	return open;
}

static void transfer(struct world *w, struct figures *f)
{
	int ended, failed;
	double start = seconds(), look = 0;
	uint64_t before = frames_of(w->l);
	do {
		lab_run(w->l, lab_now(w->l) + 50 * NS_PER_MS, NULL, NULL);
		double now = seconds();
		f->most_open = MAX(f->most_open, count(w, &ended, &failed));
		f->most = MAX(f->most, resident());
		look += seconds() - now;
	} while (ended < w->n * EACH && lab_now(w->l) < 600 * NS_PER_S);
	f->run_s = seconds() - start - look;
	f->frames = frames_of(w->l) - before;
	f->virtual_ns = lab_now(w->l);
	f->is_whole = ended == w->n * EACH && !failed;
}

/* --- pingall --- */

static void on_message(void *ctx, const json_t *msg)
{
	*(json_t **)ctx = json_deep_copy(msg);
}

static bool has_result(void *ctx)
{
	return *(json_t **)ctx != NULL;
}

static void pingall(struct lab *l, struct figures *f)
{
	char err[256];
	json_t *result = NULL, *what = json_pack("{s:s}", "job", "pingall");
	double start = seconds();
	uint64_t before = frames_of(l);
	struct lab_job *j = lab_job_new(l, what, on_message, &result, err);
	json_decref(what);
	lab_run(l, TIME_NEVER, has_result, &result);
	lab_job_free(j);
	f->ping_s = seconds() - start;
	f->ping_frames = frames_of(l) - before;
	f->all_answer = json_integer_value(json_object_get(result, "answered")) == json_integer_value(json_object_get(result, "pairs"));
	json_decref(result);
}

static struct figures measure(const char *shape, int hosts)
{
	struct figures f = {.hosts = hosts, .connections = hosts * EACH};
	struct lab_error err;
	size_t before = resident();
	double start = seconds();
	struct lab *l = lab_load_shape(shape, &(struct lab_opts){.seed = 1, .has_seed = true}, &err);
	struct world w = {.l = l, .n = hosts, .host = calloc((size_t)hosts, sizeof *w.host)};
	if (!l || !w.host) {
		printf("Bail out! %s\n", l ? "no memory" : err.text);
		exit(1);
	}
	f.routers = l->topo->n_nodes - hosts;
	links_slow(l);
	f.build_s = seconds() - start;
	f.built = resident() - before;
	pingall(l, &f);
	if (world_start(&w))
		transfer(&w, &f);
	f.most -= MIN(f.most, before);
	world_stop(&w);
	lab_free(l);
	free(w.host);
	return f;
}

/* --- telling --- */

static double per_frame(const struct figures *f)
{
	return f->run_s / (double)MAX(f->frames, 1u);
}

static bool write_page(const struct figures *f, size_t n)
{
	char path[512];
	const char *src = getenv("SRC");
	snprintf(path, sizeof path, "%s/doc/scale.md", src ? src : ".");
	FILE *o = fopen(path, "we");
	if (!o)
		return false;
	fputs("# Scale of a lab\n\n"
	      "Made by `make scale` from a run of `test/sim/fast_internet.c`, release build, in virtual time, one thread. Counts of\n"
	      "protocol work are the same on every machine; times are relative to the smallest internet, on the machine that wrote\n"
	      "this page.\n\n"
	      "Trees of fan-out 10 (`--topo tree,1,10` to `tree,3,10`). Each host serves 10 others, most of them beyond the root;\n"
	      "links delay by 1 ms, those of hosts carry 2 Mbit/s. Each connection carries 20,000 bytes down and 5,000 up, all\n"
	      "checked; all are open at once.\n\n"
	      "| | 10 hosts | 100 hosts | 1,000 hosts |\n|---|---|---|---|\n", o);
#define ROW(label, format, ...) do { \
		fprintf(o, "| " label " |"); \
		for (size_t i = 0; i < n; i++) \
			fprintf(o, " " format " |", __VA_ARGS__); \
		fputc('\n', o); \
	} while (0)
	ROW("nodes", "%d", f[i].hosts + f[i].routers);
	ROW("connections", "%d", f[i].connections);
	ROW("most of them open at once", "%d", f[i].most_open);
	ROW("frames over links", "%llu", (unsigned long long)f[i].frames);
	ROW("time per frame, relative", "%.1f", per_frame(&f[i]) / per_frame(&f[0]));
	ROW("the same of pingall", "%.1f", f[i].ping_s / (double)f[i].ping_frames / (f[0].ping_s / (double)f[0].ping_frames));
	ROW("time to build, per node, relative", "%.1f",
	    f[i].build_s / (f[i].hosts + f[i].routers) / (f[0].build_s / (f[0].hosts + f[0].routers)));
	ROW("memory when built, KiB per node", "%zu", f[i].built / (size_t)(f[i].hosts + f[i].routers) >> 10);
	ROW("memory at most, MiB", "%zu", f[i].most >> 20);
	ROW("more per connection, KiB", "%zu", (f[i].most - MIN(f[i].built, f[i].most)) / (size_t)f[i].connections >> 10);
#undef ROW
	fputs("\nAn event costs a step in a heap of nodes, the rest of it what one stack does with one frame: nothing looks at all nodes.\n"
	      "What is left of the growth is that a small internet fits the processor's caches.\n", o);
	return fclose(o) == 0;
}

int main(int argc, char **argv)
{
	static const char *const shapes[] = {"tree,1,10", "tree,2,10", "tree,3,10"};
	struct figures f[ARRAY_LEN(shapes)];
	bool good = true;
	measure(shapes[0], 10); /* the processor wakes up */
	for (size_t i = 0, hosts = 10; i < ARRAY_LEN(shapes); i++, hosts *= 10)
		f[i] = measure(shapes[i], (int)hosts);
	puts("1..5");
	const struct figures *large = &f[ARRAY_LEN(f) - 1];
	good &= sim_ok(large->is_whole && f[0].is_whole && f[1].is_whole, "10,000 connections among 1,000 hosts end well, byte for byte");
	good &= sim_ok(large->most_open == large->connections, "%d of them are open at once", large->most_open);
	good &= sim_ok(large->most < (size_t)MEMORY_MAX_MIB << 20, "they take %zu MiB, %zu KiB a node when built", large->most >> 20,
		       large->built / (size_t)(large->hosts + large->routers) >> 10);
	good &= sim_ok(per_frame(large) < SLOWER_MAX * per_frame(&f[0]), "a frame takes %.1f times as long as among 10 hosts",
		       per_frame(large) / per_frame(&f[0]));
	good &= sim_ok(large->all_answer && f[0].all_answer && f[1].all_answer, "all hosts answer before");
	if (argc > 1 && strcmp(argv[1], "--write") == 0)
		good &= write_page(f, ARRAY_LEN(f));
	return !good;
}
