/* test/sim/goodput.c - see goodput.h. */
#include "test/sim/goodput.h"

#include "lab/state.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { PORT = 5001, PIECE = 65536, LOST_MAX = 4 << 20, BUFFER = 64 << 20 };

struct run {
	struct via_handler sender, listener, receiver; /* events of the three sockets */
	struct lab *l;
	struct via *a, *b;
	via_sock out, in, lsn;
	const struct goodput_cell *c;
	struct goodput_result *res;
	struct rng rng;
	uint32_t cwnd;               /* after the event before, at `at` */
	int64_t at;
	double area, weight;
	const struct via_driver_ops *inner; /* of the link that loses */
	struct via_driver_ops ops;
	uint8_t piece[PIECE];
};

static struct run *the; /* a driver has no word for its owner */

static bool is_data(const struct pkt *p)
{
	const uint8_t *ip = p->linear + p->head + ETH_HLEN;
	if (p->len <= ETH_HLEN + IP4_HLEN || get_be16(p->linear + p->head + 12) != ETHERTYPE_IP4 || ip[9] != IPPROTO_N_TCP)
		return false;
	return get_be16(ip + 2) > IP4_HLEN + (ip[IP4_HLEN + 12] >> 4) * 4u;
}

/* Number `n` of the data segments: lost? */
static bool draw(struct run *r, uint32_t n)
{
	const struct goodput_cell *c = r->c;
	if (c->loss <= 0)
		return false;
	return c->is_periodic ? (n + 1) % (uint32_t)(1 / c->loss + 0.5) == 0 : rng_chance(&r->rng, (uint32_t)(c->loss * 1e9 + 0.5));
}

static int lossy_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct goodput_result *res = the->res;
	for (int i = 0; i < n; i++) {
		bool lost = false;
		if (is_data(pkts[i]) && res->n < LOST_MAX) {
			lost = draw(the, res->n);
			res->lost[res->n++] = lost;
		}
		if (lost)
			pkt_free(d->mem, pkts[i]);
		else if (the->inner->tx_burst(d, &pkts[i], 1, now) != 1)
			return i;
	}
	return n;
}

static void on_sender(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct run *r = CONTAINER_OF(h, struct run, sender);
	while (via_send(v, s, r->piece, PIECE, 0) > 0)
		;
}

static void on_receiver(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct run *r = CONTAINER_OF(h, struct run, receiver);
	struct via_iov iov[8];
	int n;
	while ((n = via_recv_peek(v, s, iov, 8)) > 0) {
		uint32_t len = 0;
		for (int i = 0; i < n; i++)
			len += iov[i].len;
		if (!len)
			break;
		via_recv_consume(v, s, len);
		r->res->bytes += len;
	}
}

static void on_listener(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct run *r = CONTAINER_OF(h, struct run, listener);
	if (via_accept(v, s, via_cookie(&r->receiver), &r->in, NULL) == 0)
		on_receiver(&r->receiver, v, r->in, 0);
}

static void buffers(struct via *v)
{
	via_configure(v, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TCP_RMEM, .value = BUFFER});
	via_configure(v, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TCP_WMEM, .value = BUFFER});
}

/* The connection; false: there is no such congestion control. */
static bool open_flow(struct run *r)
{
	struct via_sockaddr any = {via_addr_v4(0), PORT}, to = {via_addr_v4(r->l->topo->ends[3].addr.addr), PORT};
	r->a = lab_node(r->l, "a")->stack;
	r->b = lab_node(r->l, "b")->stack;
	buffers(r->a);
	buffers(r->b);
	via_open(r->b, VIA_STREAM, via_cookie(&r->listener), &r->lsn);
	via_bind(r->b, r->lsn, &any);
	via_listen(r->b, r->lsn, 1);
	via_open(r->a, VIA_STREAM, via_cookie(&r->sender), &r->out);
	if (via_setsockopt(r->a, r->out, IPPROTO_TCP, TCP_CONGESTION, r->c->cc, (uint32_t)strlen(r->c->cc)))
		return false;
	via_connect(r->a, r->out, &to);
	lab_node(r->l, "a")->touched(lab_node(r->l, "a"));
	return true;
}

static struct lab *make_lab(const struct goodput_cell *c)
{
	static const char text[] = "name: goodput\ntopology:\n  nodes: {a: {kind: host}, r: {kind: router}, b: {kind: host}}\n  links:\n"
				   "    - {endpoints: [\"a:1\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"b:1\"]}\n";
	struct lab_error err;
	struct lab *l = lab_load_text(text, sizeof text - 1, "goodput", &(struct lab_opts){.seed = 1, .has_seed = true}, &err);
	if (!l)
		abort();
	struct lab_impair bottleneck = {.rate_bps = (uint64_t)GOODPUT_RATE, .limit = (uint32_t)c->buffer};
	struct lab_impair away = {.delay_ns = c->rtt_ms * NS_PER_MS / 2, .limit = 1000000}, back = away;
	link_impair(&l->links[0], 0, &bottleneck);
	link_impair(&l->links[1], 0, &away);
	link_impair(&l->links[1], 1, &back);
	return l;
}

/* After every event: the window, weighted by the time it stood, over the second half of the run. */
static bool on_event(void *ctx)
{
	struct run *r = ctx;
	struct via_sock_info si = {.size = sizeof si};
	int64_t now = r->l->env.now;
	if (now > r->c->seconds * NS_PER_S / 2) {
		r->area += (double)r->cwnd * (double)(now - r->at);
		r->weight += (double)(now - r->at);
	}
	r->at = now;
	if (via_sock_info(r->a, r->out, &si) == 0)
		r->cwnd = si.cwnd;
	return false;
}

void goodput_run(const struct goodput_cell *c, struct goodput_result *out)
{
	struct run *r = calloc(1, sizeof *r);
	*out = (struct goodput_result){.lost = calloc(LOST_MAX, 1)};
	if (!r || !out->lost)
		abort();
	*r = (struct run){.sender = {on_sender}, .listener = {on_listener}, .receiver = {on_receiver}, .l = make_lab(c), .c = c, .res = out};
	the = r;
	rng_seed(&r->rng, (uint64_t)c->rtt_ms * 1000003 + (uint64_t)(c->loss * 1e6));
	struct via_driver *d = &r->l->links[1].port[0].d;
	r->inner = d->ops;
	r->ops = *d->ops;
	r->ops.tx_burst = lossy_burst;
	d->ops = &r->ops;
	out->is_there = open_flow(r);
	if (out->is_there)
		lab_run(r->l, c->seconds * NS_PER_S, on_event, r);
	struct via_sock_info si = {.size = sizeof si};
	if (via_sock_info(r->a, r->out, &si) == 0)
		out->retransmitted = si.segs_retrans;
	out->queue_drops = r->l->links[0].dir[0].st.limited;
	out->window = r->weight > 0 ? r->area / r->weight / GOODPUT_MSS : 0;
	out->bps = (double)out->bytes * 8 / c->seconds;
	d->ops = r->inner;
	lab_free(r->l);
	free(r);
}
