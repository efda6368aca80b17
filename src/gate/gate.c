/* gate/gate.c - a gateway's life: the sockets that catch all of its stack's traffic, and the turn of the loop. */
#include "gate/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { STREAMS_MAX = 16384, FLOWS_MAX = 4096, DGRAM_BUF = 4 << 20 };
#define SWEEP_NS NS_PER_S

static bool is_self(struct gate *g, const struct via_addr *a)
{
	struct via_addr_info i = {.size = sizeof(i)};
	for (int n = 0; via_addr_get(g->v, n, &i); n++)
		if (via_addr_eq(&i.addr, a))
			return true;
	return false;
}

enum gate_verdict gate_decide(struct gate *g, const struct via_sockaddr *to, struct via_sockaddr *out)
{
	struct gate_map m = {.is_self = is_self(g, &to->addr)};
	memcpy(m.loopback, g->cfg.loopback, sizeof(m.loopback));
	m.has_resolver = m.is_self && gate_names_server(g, &m.resolver);
	return gate_where(&m, to, out);
}

static int64_t on_turn(void *ctx, int64_t now)
{
	struct gate *g = ctx;
	gate_stream_more(g, now);
	if (now - g->swept >= SWEEP_NS) {
		g->swept = now;
		gate_dgram_sweep(g, now);
		gate_doors_sweep(g);
	}
	return g->flows.n || g->doors ? g->swept + SWEEP_NS : TIME_NEVER;
}

static void on_stream(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	gate_stream_accept(CONTAINER_OF(h, struct gate, on_stream));
}

static void on_dgram(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	gate_dgram_arrived(CONTAINER_OF(h, struct gate, on_dgram), VIA_DGRAM);
}

static void on_ping(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	gate_dgram_arrived(CONTAINER_OF(h, struct gate, on_ping), VIA_PING);
}

static int catch_all(struct gate *g, enum via_type type, struct via_handler *h, via_sock *out)
{
	int size = DGRAM_BUF, err = via_open(g->v, type, via_cookie(h), out);
	if (!err && type != VIA_STREAM)
		via_setsockopt(g->v, *out, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return err ? err : via_catch_all(g->v, *out);
}

static int open_all(struct gate *g)
{
	static const struct via_change set[] = {{.kind = VIA_SET, .setting = VIA_SET_ANY_ADDRESS, .value = 1},
		{.kind = VIA_SET, .setting = VIA_SET_RMEM_MAX, .value = DGRAM_BUF}};
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(set) && !err; i++)
		err = via_configure(g->v, &set[i]);
	if (!err)
		err = catch_all(g, VIA_STREAM, &g->on_stream, &g->streams_all);
	if (!err)
		err = catch_all(g, VIA_DGRAM, &g->on_dgram, &g->dgram_all);
	return err ? err : catch_all(g, VIA_PING, &g->on_ping, &g->ping_all);
}

static void source_gone(void *ctx, uint32_t source)
{
	gate_end_close(&((struct gate *)ctx)->ends[source]);
}

static int flows_open(struct gate *g)
{
	struct prf_key key;
	uint32_t cap = 16;
	while (cap < g->cfg.flows_max && cap < 1u << 20)
		cap *= 2;
	void *mem = calloc(1, flows_bytes(cap));
	g->ends = calloc(cap, sizeof(*g->ends));
	g->scratch = malloc(GATE_SCRATCH);
	if (!mem || !g->ends || !g->scratch || getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
		free(mem);
		return -ENOMEM;
	}
	flows_init(&g->flows, mem, cap, key);
	g->flows.gone = source_gone;
	g->flows.ctx = g;
	return 0;
}

struct gate *gate_new(const struct gate_config *c)
{
	struct gate *g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->cfg = *c;
	g->cfg.streams_max = c->streams_max ? c->streams_max : STREAMS_MAX;
	g->cfg.flows_max = c->flows_max ? c->flows_max : FLOWS_MAX;
	g->v = c->node->stack;
	g->on_stream.event = on_stream;
	g->on_dgram.event = on_dgram;
	g->on_ping.event = on_ping;
	g->task = (struct loop_task){.run = on_turn, .ctx = g};
	loop_task_add(c->loop, &g->task);
	int err = flows_open(g);
	if (!err)
		err = open_all(g);
	if (!err)
		return g;
	gate_free(g);
	errno = -err;
	return NULL;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	gate_doors_close(g);
	while (g->streams)
		gate_stream_free(g->streams, !g->streams->in_end); /* what the inside has ended, the kernel brings to its end */
	while (g->flows.n)
		flows_del(&g->flows, g->flows.oldest - 1);
	via_sock all[] = {g->streams_all, g->dgram_all, g->ping_all};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i])
			via_close(g->v, all[i]);
	loop_task_del(g->cfg.loop, &g->task);
	free(g->flows.flow);
	free(g->ends);
	free(g->scratch);
	free(g);
}

void gate_stats_get(const struct gate *g, struct gate_stats *out)
{
	*out = g->stats;
	out->flows_now = g->flows.n;
}

bool gate_is_busy(struct gate *g)
{
	for (struct gate_stream *s = g->streams; s; s = s->next)
		if (s->phase == GATE_OPEN && !s->in_end && via_recv_peek(g->v, s->sock, &(struct via_iov){0}, 1) != -EAGAIN)
			return true;
	return false;
}
