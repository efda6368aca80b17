/* test/sim/play.c - see play.h. */
#include "test/sim/play.h"

#include "stack/state.h"
#include "tcp/conn.h"
#include "test/sim/actor.h"
#include "test/sim/watch.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

enum { ACTORS = 512, AGAIN_MAX = 20, PORT = 1000 };
/* More than a scene uses; the sanitizer pays for every byte that is reserved. */
enum { PACKET_BYTES = 64 << 20, ARENA_BYTES = 8 << 20 };
#define LIMIT_NS (INT64_C(12) * 3600 * NS_PER_S) /* virtual; the rules above end a run much earlier */
#define QUIET_NS (INT64_C(900) * NS_PER_S)       /* longer than TIME-WAIT, an orphan's FIN-WAIT-2 and a learnt path MTU */

struct play_flow {
	struct via_handler handler; /* the listener's; first */
	struct play *play;
	int index;
	via_sock listener;
	unsigned started, ended;    /* connections of the client, tries counted once */
	bool has_begun;
};

struct play {
	const struct scene *s;
	const struct play_how *how;
	struct play_result *out;
	struct lab *l;
	struct watch watch;
	struct play_flow flows[SCENE_FLOWS];
	struct actor *actors[ACTORS];
	int n_actors, n_begun;
	uint64_t fault_began, fault_ended; /* bit each */
	bool is_calm, watches;             /* calm: nothing is lost any more */
	int64_t start;
};

__attribute__((format(printf, 2, 3))) static void fail(struct play *p, const char *fmt, ...)
{
	va_list ap;
	if (p->out->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(p->out->why, sizeof p->out->why, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void tell(struct play *p, const char *fmt, ...)
{
	va_list ap;
	if (!p->how->tell)
		return;
	fprintf(p->how->tell, "# %12.6f  ", (double)(p->l->env.now - p->start) / 1e9);
	va_start(ap, fmt);
	vfprintf(p->how->tell, fmt, ap);
	va_end(ap);
	fputc('\n', p->how->tell);
}

static struct host_node *host(struct play *p, int i)
{
	return &p->l->nodes[i].hn;
}

/* --- connections --- */

static struct actor *actor_new(struct play *p, int flow, int side)
{
	const struct scene_flow *f = &p->s->flows[flow];
	struct actor *a = p->n_actors < ACTORS ? calloc(1, sizeof *a) : NULL;
	if (!a) {
		fail(p, "more connections than the test has room for");
		return NULL;
	}
	actor_init(a, p->s, flow, side, &p->l->env.now);
	a->node = host(p, side ? f->to : f->from);
	p->actors[p->n_actors++] = a;
	return a;
}

static void on_listener(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct play_flow *pf = (struct play_flow *)h;
	struct via_sockaddr peer;
	via_sock got;
	while (via_accept(v, s, 0, &got, &peer) == 0) {
		struct actor *a = actor_new(pf->play, pf->index, 1);
		if (!a) {
			via_abort(v, got);
			return;
		}
		a->sock = got;
		a->port = peer.port;
		via_set_cookie(v, got, via_cookie(&a->handler));
		actor_run(a, 0);
	}
}

static void flow_listen(struct play *p, int i)
{
	const struct scene_flow *f = &p->s->flows[i];
	struct play_flow *pf = &p->flows[i];
	struct via *v = host(p, f->to)->stack;
	struct via_sockaddr local = {via_addr_v4(0), (uint16_t)(PORT + i)};
	pf->handler.event = on_listener;
	pf->play = p;
	pf->index = i;
	int rc = via_open(v, VIA_STREAM, via_cookie(&pf->handler), &pf->listener);
	if (!rc)
		rc = actor_options(v, pf->listener, &f->o[1]);
	if (!rc)
		rc = via_bind(v, pf->listener, &local);
	if (!rc)
		rc = via_listen(v, pf->listener, f->backlog);
	if (rc)
		fail(p, "flow %d cannot listen: error %d", i, rc);
}

static void flow_connect(struct play *p, int i)
{
	const struct scene_flow *f = &p->s->flows[i];
	struct host_node *from = host(p, f->from);
	struct via_sockaddr to = {via_addr_v4(p->l->topo->ends[p->l->topo->nodes[f->to].ends[0]].addr.addr), (uint16_t)(PORT + i)}, local;
	struct actor *a = actor_new(p, i, 0);
	if (!a)
		return;
	int rc = via_open(from->stack, VIA_STREAM, via_cookie(&a->handler), &a->sock);
	if (!rc)
		rc = actor_options(from->stack, a->sock, &f->o[0]);
	if (!rc)
		rc = via_connect(from->stack, a->sock, &to);
	if (rc && rc != -EINPROGRESS)
		fail(p, "flow %d cannot connect: error %d", i, rc);
	else if (via_local(from->stack, a->sock, &local) == 0)
		a->port = local.port;
	from->touched(from);
	tell(p, "flow %d connects from port %u", i, a->port);
}

/* The other end of a, the newest one, or NULL. */
static struct actor *peer_of(struct play *p, const struct actor *a)
{
	for (int i = p->n_actors - 1; i >= 0; i--)
		if (p->actors[i]->flow == a->flow && p->actors[i]->side != a->side && p->actors[i]->port == a->port)
			return p->actors[i];
	return NULL;
}

/* A connect() that failed is tried again, as a user would. */
static bool tries_again(const struct play *p, const struct actor *a)
{
	bool is_connect = a->error == -EHOSTUNREACH || a->error == -ETIMEDOUT || a->error == -ENETUNREACH;
	return is_connect && !a->sent && !a->received && !a->connected && p->out->n_again < AGAIN_MAX;
}

/* What a program that ended means for its flow. */
static void actor_ended(struct play *p, struct actor *a)
{
	struct play_flow *pf = &p->flows[a->flow];
	bool wild = scene_may_fail(p->s);
	tell(p, "flow %d port %u %s %s: error %d, %llu of %llu sent, %llu of %llu received", a->flow, a->port, a->side ? "server" : "client",
		a->has_reset ? "has reset it" : "ends", a->error, (unsigned long long)a->sent, (unsigned long long)a->send_bytes,
		(unsigned long long)a->received, (unsigned long long)a->recv_bytes);
	if (a->error == -EBADMSG || a->error == -EPROTO)
		fail(p, "flow %d port %u, %s: %s after %llu bytes", a->flow, a->port, a->side ? "server" : "client",
			a->error == -EBADMSG ? "a wrong byte" : "a wrong length", (unsigned long long)a->received);
	p->out->bytes += a->received;
	if (a->side) {
		struct actor *c = peer_of(p, a);
		if (a->error && !wild && !(c && (c->has_reset || (c->is_done && c->error))))
			fail(p, "flow %d port %u: the server's end failed with %d", a->flow, a->port, a->error);
		return;
	}
	if (tries_again(p, a)) {
		p->out->n_again++;
		flow_connect(p, a->flow);
		return;
	}
	p->out->n_ok += !a->error;
	p->out->n_failed += !!a->error;
	if (a->error && !wild)
		fail(p, "flow %d port %u failed with %d, and nothing in the scene is a reason", a->flow, a->port, a->error);
	if (++pf->ended < p->s->flows[a->flow].conns)
		flow_connect(p, a->flow);
}

/* --- time --- */

static int64_t at(const struct play *p, int64_t rel) { return p->start + rel; }

static void restore_link(struct play *p, int link)
{
	for (int d = 0; d < 2; d++) {
		struct lab_impair im = p->s->links[link].im[d];
		if (p->is_calm) {
			im.loss_ppb = im.reorder_ppb = im.duplicate_ppb = im.corrupt_ppb = im.mangle_ppb = 0;
			im.ge = (struct lab_gemodel){0};
		}
		link_impair(&p->l->links[link], d, &im);
	}
}

/* The routers at a link's ends take `mtu` for it. */
static void set_mtu(struct play *p, int link, uint32_t mtu)
{
	for (int e = 2 * link; e < 2 * link + 2; e++) {
		struct lab_node *n = &p->l->nodes[p->l->topo->ends[e].node];
		if (n->stack && n->t->kind == TOPO_ROUTER)
			iface_at(n->stack, (uint32_t)p->l->end_ifindex[e])->mtu = mtu;
	}
}

static void fault_apply(struct play *p, const struct scene_fault *f)
{
	tell(p, "fault %d begins on link %d", f->kind, f->link);
	if (f->kind == FAULT_MTU)
		set_mtu(p, f->link, MIN(f->value, p->s->links[f->link].mtu));
	for (int d = 0; d < 2; d++) {
		struct lab_impair im = p->s->links[f->link].im[d];
		if (!(f->dirs >> d & 1) || f->kind == FAULT_MTU)
			continue;
		if (f->kind == FAULT_CUT)
			im.loss_ppb = 1000000000;
		if (f->kind == FAULT_LOSS)
			im.loss_ppb = f->value;
		if (f->kind == FAULT_BLOAT)
			im.rate_bps = f->value, im.limit = 1000;
		link_impair(&p->l->links[f->link], d, &im);
	}
}

static void fault_end(struct play *p, const struct scene_fault *f)
{
	tell(p, "fault %d ends on link %d", f->kind, f->link);
	if (f->kind == FAULT_MTU)
		set_mtu(p, f->link, p->s->links[f->link].mtu);
	else
		restore_link(p, f->link);
}

/* No fault outlives the calm. */
static int64_t fault_end_at(const struct play *p, const struct scene_fault *f)
{
	return MIN(f->at + f->ns, p->s->calm);
}

static int64_t next_time(const struct play *p)
{
	int64_t t = TIME_NEVER, now = p->l->env.now;
	for (int i = 0; i < p->s->n_faults; i++) {
		const struct scene_fault *f = &p->s->faults[i];
		if (!(p->fault_began >> i & 1) && f->at < p->s->calm)
			t = MIN(t, at(p, f->at));
		else if (p->fault_began >> i & 1 && !(p->fault_ended >> i & 1))
			t = MIN(t, at(p, fault_end_at(p, f)));
	}
	for (int i = 0; i < p->s->n_flows; i++)
		if (!p->flows[i].has_begun)
			t = MIN(t, at(p, p->s->flows[i].at));
	for (int i = 0; i < p->n_actors; i++)
		if (!p->actors[i]->is_done)
			t = MIN(t, p->actors[i]->next);
	if (!p->is_calm)
		t = MIN(t, at(p, p->s->calm));
	return MAX(t, now);
}

static void do_faults(struct play *p)
{
	int64_t now = p->l->env.now;
	if (!p->is_calm && at(p, p->s->calm) <= now) {
		tell(p, "calm");
		p->is_calm = true;
		for (int i = 0; i < p->s->n_links; i++)
			restore_link(p, i);
	}
	for (int i = 0; i < p->s->n_faults; i++) {
		const struct scene_fault *f = &p->s->faults[i];
		if (!(p->fault_began >> i & 1) && f->at < p->s->calm && at(p, f->at) <= now) {
			p->fault_began |= UINT64_C(1) << i;
			fault_apply(p, f);
		} else if (p->fault_began >> i & 1 && !(p->fault_ended >> i & 1) && at(p, fault_end_at(p, f)) <= now) {
			p->fault_ended |= UINT64_C(1) << i;
			fault_end(p, f);
		}
	}
}

/* What is due now. */
static void do_due(struct play *p)
{
	int64_t now = p->l->env.now;
	do_faults(p);
	for (int i = 0; i < p->s->n_flows; i++)
		if (!p->flows[i].has_begun && at(p, p->s->flows[i].at) <= now) {
			p->flows[i].has_begun = true;
			p->n_begun++;
			flow_connect(p, i);
		}
	for (int i = 0; i < p->n_actors; i++)
		if (!p->actors[i]->is_done && p->actors[i]->next <= now) {
			actor_run(p->actors[i], 0);
			p->actors[i]->node->touched(p->actors[i]->node);
		}
}

/* --- judgement --- */

/* Does a wait with a right to? */
static bool may_wait(struct play *p, const struct actor *a, bool is_peer_dead)
{
	const struct scene_opts *o = &p->s->flows[a->flow].o[a->side];
	bool is_alone = a->connected && is_peer_dead && !o->keepalive && via_outq(a->node->stack, a->sock) == 0;
	return is_alone && (scene_may_fail(p->s) || a->side);
}

/* Nothing moves: whose fault is it? */
static bool is_stuck(struct play *p, struct actor *a, bool *waits)
{
	const struct actor *o = peer_of(p, a);
	bool is_peer_dead = !o || o->is_done;
	int64_t now = p->l->env.now;
	*waits = may_wait(p, a, is_peer_dead);
	if (!p->is_calm || *waits)
		return false;
	int64_t since = MAX(MAX(a->progress_at, at(p, p->s->calm)), a->next == TIME_NEVER ? 0 : now);
	bool stands = now - since > (is_peer_dead ? DEAD_NS : STILL_NS);
	/* A falsified timestamp or number that no checksum finds may stop a connection for days (RFC 7323 §5.5): it may stand. */
	*waits |= stands && p->s->has_mangled;
	return stands && !*waits;
}

/* All is over: every program has ended, or waits with a right to. */
static bool judge(struct play *p)
{
	bool over = true;
	for (int i = 0; i < p->n_actors; i++) {
		struct actor *a = p->actors[i];
		bool waits;
		if (a->is_done)
			continue;
		uint64_t progress = actor_progress(a);
		if (progress != a->seen_progress) {
			a->seen_progress = progress;
			a->progress_at = p->l->env.now;
		}
		if (is_stuck(p, a, &waits))
			fail(p, "flow %d port %u: the %s stands still since %.1f s: %llu of %llu sent, %llu of %llu received, %lld queued", a->flow,
				a->port, a->side ? "server" : "client", (double)(a->progress_at - p->start) / 1e9,
				(unsigned long long)a->sent, (unsigned long long)a->send_bytes, (unsigned long long)a->received,
				(unsigned long long)a->recv_bytes, (long long)via_outq(a->node->stack, a->sock));
		over &= waits;
	}
	return (over && p->n_begun == p->s->n_flows) || p->out->why[0];
}

/* After every event. True: stop and look. */
static bool on_event(void *ctx)
{
	struct play *p = ctx;
	bool over = p->n_begun == p->s->n_flows;
	p->out->events++;
	if (p->watches && !watch_event(&p->watch))
		fail(p, "%s", p->watch.why);
	for (int i = 0; i < p->n_actors; i++) { /* the list may grow */
		struct actor *a = p->actors[i];
		if (a->is_done && !a->is_told) {
			a->is_told = true;
			actor_ended(p, a);
		}
		over &= a->is_done;
	}
	return over || p->out->why[0];
}

/* The same with no program left. */
static bool on_quiet_event(void *ctx)
{
	struct play *p = ctx;
	if (p->watches && !watch_event(&p->watch))
		fail(p, "%s", p->watch.why);
	return p->out->why[0];
}

/* --- the run --- */

/* Close everything and wait until nothing is left of it. */
static void clear(struct play *p)
{
	for (int i = 0; i < p->n_actors; i++) {
		struct host_node *n = p->actors[i]->node;
		actor_stop(p->actors[i]);
		n->touched(n);
		free(p->actors[i]);
	}
	p->n_actors = 0;
	for (int i = 0; i < p->s->n_flows; i++) {
		struct host_node *n = host(p, p->s->flows[i].to);
		if (p->flows[i].listener)
			via_close(n->stack, p->flows[i].listener);
		n->touched(n);
	}
	memset(p->flows, 0, sizeof p->flows);
	p->n_begun = 0;
	for (int hours = 0; hours < 2; hours++) {
		bool has_nodes = false;
		lab_run(p->l, p->l->env.now + QUIET_NS, on_quiet_event, p);
		for (int i = 0; i < p->s->n_hosts; i++)
			has_nodes |= tcp_tab(&p->l->nodes[i].stack->tcp)->all.n != 0;
		if (!has_nodes)
			break;
	}
	lab_run(p->l, p->l->env.now + QUIET_NS, on_quiet_event, p); /* what the last of them learnt is forgotten, too */
}

/* From now until all programs have ended, or the judgement is that they never will. */
static void run(struct play *p)
{
	p->start = p->watch.start = p->l->env.now;
	for (int i = 0; i < p->s->n_flows && !p->out->why[0]; i++)
		flow_listen(p, i);
	while (!p->out->why[0] && !judge(p)) {
		do_due(p);
		lab_run(p->l, MIN(next_time(p), p->l->env.now + 5 * NS_PER_S), on_event, p);
		if (p->l->env.now > at(p, LIMIT_NS))
			fail(p, "not at its end after %lld hours", (long long)(LIMIT_NS / NS_PER_S / 3600));
	}
}

/* The same flows, a byte each, over clean links. */
static void prime(struct play *p)
{
	struct scene first = *p->s;
	const struct scene *s = p->s;
	for (int i = 0; i < first.n_flows; i++)
		first.flows[i] = (struct scene_flow){.work = WORK_BULK, .from = s->flows[i].from, .to = s->flows[i].to, .conns = 1, .backlog = 4,
			.up = 1, .down = 1};
	first.n_faults = 0;
	first.calm = 0;
	p->s = &first;
	p->is_calm = true;
	run(p);
	clear(p);
	p->s = s;
	p->is_calm = false;
	p->out->n_ok = 0;
}

static void check_empty(struct play *p, const size_t before[])
{
	const char *node;
	size_t used, baseline;
	uint32_t pkts = pktmem_pkts_used(p->l->mem), blks = pktmem_blks_used(p->l->mem);
	for (int i = 0; lab_arena_get(p->l, i, &node, &used, &baseline); i++)
		if (used > before[i])
			fail(p, "the arena of %s holds %zu bytes more than before", node, used - before[i]);
	if (pkts || blks)
		fail(p, "%u packets and %u blocks are left over", pkts, blks);
	if (!watch_conserves(&p->watch) || !watch_is_idle(&p->watch))
		fail(p, "%s", p->watch.why);
}

static void play_all(struct play *p)
{
	size_t before[SCENE_NODES], baseline;
	const char *node;
	prime(p);
	for (int i = 0; lab_arena_get(p->l, i, &node, &before[i], &baseline); i++)
		;
	for (int i = 0; i < p->s->n_links; i++)
		restore_link(p, i);
	p->watches = true;
	if (!p->out->why[0])
		run(p);
	p->out->ended = p->l->env.now - p->start;
	if (!p->out->why[0])
		clear(p);
	if (!p->out->why[0])
		check_empty(p, before);
}

void play(const struct scene *s, const struct play_how *how, struct play_result *out)
{
	struct play p = {.s = s, .how = how, .out = out};
	struct lab_error err;
	char *text = scene_topology(s);
	*out = (struct play_result){0};
	p.l = lab_load_text(text, strlen(text), "scene", &(struct lab_opts){.seed = s->seed, .has_seed = true, .pcapng = how->pcapng,
		.trace_hash = how->trace_hash, .packet_bytes = PACKET_BYTES, .arena_bytes = ARENA_BYTES}, &err);
	free(text);
	if (!p.l) {
		fail(&p, "the topology: %d:%d: %s", err.line, err.col, err.text);
		return;
	}
	watch_init(&p.watch, p.l, s->has_mangled);
	p.l->env.whole_frames |= s->whole_frames;
	for (int i = 0; i < s->n_links; i++)
		for (int d = 0; d < 2; d++)
			link_impair(&p.l->links[i], d, &(struct lab_impair){0}); /* clean, and cut to frames if asked */
	play_all(&p);
	for (int i = 0; i < p.n_actors; i++)
		free(p.actors[i]);
	out->trace_hash = how->trace_hash ? lab_trace_hash(p.l) : 0;
	lab_free(p.l);
	out->good = !out->why[0];
}
