/* test/sim/sim.h - what the whole-lab tests share: TAP lines, a lab from text, bulk transfers between two of its nodes. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/rng.h"
#include "lab/state.h"
#include "serve/bulk.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One TAP line. Returns good. */
static int sim_tap_n;
__attribute__((format(printf, 2, 3), unused)) static bool sim_ok(bool good, const char *fmt, ...)
{
	va_list ap;
	printf("%sok %d - ", good ? "" : "not ", ++sim_tap_n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return good;
}

__attribute__((unused)) static struct lab *sim_lab(const char *text, const struct lab_opts *o)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "sim", o, &err);
	if (!l) {
		printf("Bail out! %d:%d: %s\n", err.line, err.col, err.text);
		exit(1);
	}
	return l;
}

__attribute__((unused)) static struct via_sockaddr sim_addr(struct lab *l, const char *node, uint16_t port)
{
	int i = topo_node_find(l->topo, node);
	return (struct via_sockaddr){via_addr_v4(l->topo->ends[l->topo->nodes[i].ends[0]].addr.addr), port};
}

#define SIM_CONNS 8

/* A server on one node, clients on another. */
struct sim_run {
	struct lab *lab;
	struct host_map map;
	struct arena *arena;
	struct serve_bulk server;
	struct bulk_end client[SIM_CONNS];
	struct bulk_client_config cfg;
	struct host_node *node; /* the clients' */
	int n, again;           /* again: connects tried once more */
};

/* Each client sends up bytes and gets down bytes. 0 or -errno. */
__attribute__((unused)) static int sim_run_start_to(struct sim_run *r, struct lab *l, const char *client, const char *server,
						    struct via_sockaddr to, int n, uint64_t up, uint64_t down, uint64_t seed)
{
	struct host_node *c = lab_node(l, client), *s = lab_node(l, server);
	const struct via_sockaddr local = {via_addr_is_v4(&to.addr) ? via_addr_v4(0) : (struct via_addr){.scope = 0}, to.port};
	*r = (struct sim_run){.lab = l, .n = n};
	if (host_map_new(&r->map, 16u << 20))
		return -1;
	r->arena = arena_init(r->map.at, r->map.bytes);
	int rc = serve_bulk_start(&r->server, &(struct serve_bulk_config){.arena = r->arena, .via = s->stack, .local = local,
		.send_seed = seed + 1, .send_bytes = down, .recv_seed = seed + 2, .recv_bytes = up, .check = true});
	r->cfg = (struct bulk_client_config){.via = c->stack, .remote = to, .send_seed = seed + 2, .send_bytes = up,
		.recv_seed = seed + 1, .recv_bytes = down};
	r->node = c;
	for (int i = 0; i < n && !rc; i++)
		rc = bulk_client_start(&r->client[i], &r->cfg);
	s->touched(s);
	c->touched(c);
	return rc;
}

__attribute__((unused)) static int sim_run_start(struct sim_run *r, struct lab *l, const char *client, const char *server, uint16_t port,
						 int n, uint64_t up, uint64_t down, uint64_t seed)
{
	return sim_run_start_to(r, l, client, server, sim_addr(l, server, port), n, up, down, seed);
}

/* When a link loses three ARP exchanges in a row a connect() fails with EHOSTUNREACH, as on Linux; a user tries again. */
static void sim_run_again(struct sim_run *r, struct bulk_end *c)
{
	if (c->done && c->error == -EHOSTUNREACH && !c->sent && !c->received && r->again < 20) {
		r->again++;
		bulk_client_start(c, &r->cfg);
		r->node->touched(r->node);
	}
}

__attribute__((unused)) static bool sim_run_done(void *ctx)
{
	struct sim_run *r = ctx;
	for (int i = 0; i < r->n; i++)
		sim_run_again(r, &r->client[i]);
	if (r->server.n_done + r->server.n_failed < (uint64_t)r->n)
		return false;
	for (int i = 0; i < r->n; i++)
		if (!r->client[i].done)
			return false;
	return true;
}

/* The first error of any end, 0 when all went well. */
__attribute__((unused)) static int sim_run_error(const struct sim_run *r)
{
	for (int i = 0; i < r->n; i++)
		if (r->client[i].error)
			return r->client[i].error;
	return r->server.n_failed ? r->server.error ? r->server.error : -1 : 0;
}

__attribute__((unused)) static void sim_run_stop(struct sim_run *r)
{
	for (int i = 0; i < r->n; i++)
		bulk_client_stop(&r->client[i]);
	serve_bulk_stop(&r->server);
	arena_fini(r->arena);
	host_map_free(&r->map);
}

/* Sum of all stacks' live arena bytes. */
__attribute__((unused)) static size_t sim_arena_used(struct lab *l)
{
	const char *node;
	size_t used, baseline, sum = 0;
	for (int i = 0; lab_arena_get(l, i, &node, &used, &baseline); i++)
		sum += used;
	return sum;
}

#endif
