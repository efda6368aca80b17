/* gate/flows.c - see flows.h. Objects are named by their index, links hold index + 1, so 0 is none. */
#include "gate/flows.h"

#include "base/defs.h"

enum { PORT_DNS = 53 };

size_t flows_bytes(uint32_t cap)
{
	return cap * (sizeof(struct gate_flow) + sizeof(struct flow_source) + 3 * sizeof(uint32_t));
}

void flows_init(struct gate_flows *f, void *mem, uint32_t cap, struct prf_key key)
{
	*f = (struct gate_flows){.key = key, .cap = cap, .mask = cap - 1, .flow = mem};
	f->source = (void *)(f->flow + cap);
	f->by_src = (void *)(f->source + cap);
	f->by_dst = f->by_src + cap;
	f->by_out = f->by_dst + cap;
	for (uint32_t i = 0; i < cap; i++) { /* free ones are chained by these */
		f->flow[i].in_next = i + 1 < cap ? i + 2 : 0;
		f->source[i].hash_next = i + 1 < cap ? i + 2 : 0;
	}
	f->free_flow = f->free_source = 1;
}

static bool same(const struct via_sockaddr *a, const struct via_sockaddr *b)
{
	return a->port == b->port && via_addr_eq(&a->addr, &b->addr);
}

/* who: the source's index, or its type. */
static uint32_t *bucket(const struct gate_flows *f, uint32_t *table, uint32_t who, const struct via_sockaddr *a)
{
	struct { uint8_t b[16]; uint32_t who, port; } text = {.who = who, .port = a->port};
	memcpy(text.b, a->addr.b, 16);
	return &table[siphash_1_3(f->key, &text, sizeof(text)) & f->mask];
}

/* --- sources --- */

/* Index + 1, or 0. */
static uint32_t source_find(const struct gate_flows *f, enum via_type type, const struct via_sockaddr *src)
{
	uint32_t i = *bucket(f, f->by_src, type, src);
	while (i && !(f->source[i - 1].type == type && same(&f->source[i - 1].src, src)))
		i = f->source[i - 1].hash_next;
	return i;
}

/* The same; there are as many as flows, so one is free. */
static uint32_t source_new(struct gate_flows *f, enum via_type type, const struct via_sockaddr *src)
{
	uint32_t *b = bucket(f, f->by_src, type, src), i = f->free_source;
	struct flow_source *s = &f->source[i - 1];
	f->free_source = s->hash_next;
	*s = (struct flow_source){.src = *src, .type = type, .hash_next = *b};
	*b = i;
	return i;
}

static void source_drop(struct gate_flows *f, uint32_t source)
{
	struct flow_source *s = &f->source[source];
	if (--s->n)
		return;
	if (f->gone)
		f->gone(f->ctx, source);
	uint32_t *at = bucket(f, f->by_src, s->type, &s->src);
	while (*at != source + 1)
		at = &f->source[*at - 1].hash_next;
	*at = s->hash_next;
	s->hash_next = f->free_source;
	f->free_source = source + 1;
}

/* --- by age --- */

static void age_unlink(struct gate_flows *f, struct gate_flow *w)
{
	*(w->older ? &f->flow[w->older - 1].newer : &f->oldest) = w->newer;
	*(w->newer ? &f->flow[w->newer - 1].older : &f->newest) = w->older;
}

static void age_newest(struct gate_flows *f, struct gate_flow *w)
{
	uint32_t i = (uint32_t)(w - f->flow) + 1;
	w->older = f->newest;
	w->newer = 0;
	*(f->newest ? &f->flow[f->newest - 1].newer : &f->oldest) = i;
	f->newest = i;
}

static void flow_touch(struct gate_flows *f, struct gate_flow *w, int64_t now)
{
	w->used = now;
	age_unlink(f, w);
	age_newest(f, w);
}

/* --- flows --- */

static void out_unlink(struct gate_flows *f, uint32_t flow)
{
	struct gate_flow *w = &f->flow[flow];
	uint32_t *at = bucket(f, f->by_out, w->source, &w->out);
	while (*at && *at != flow + 1)
		at = &f->flow[*at - 1].out_next;
	if (*at)
		*at = w->out_next;
}

void flows_set_out(struct gate_flows *f, uint32_t flow, const struct via_sockaddr *out)
{
	struct gate_flow *w = &f->flow[flow];
	out_unlink(f, flow);
	w->out = *out;
	uint32_t *b = bucket(f, f->by_out, w->source, out);
	w->out_next = *b;
	*b = flow + 1;
}

void flows_del(struct gate_flows *f, uint32_t flow)
{
	struct gate_flow *w = &f->flow[flow];
	out_unlink(f, flow);
	uint32_t *at = bucket(f, f->by_dst, w->source, &w->dst);
	while (*at != flow + 1)
		at = &f->flow[*at - 1].in_next;
	*at = w->in_next;
	age_unlink(f, w);
	w->is_used = false;
	w->in_next = f->free_flow;
	f->free_flow = flow + 1;
	f->n--;
	source_drop(f, w->source);
}

/* Index + 1, or 0. */
static uint32_t flow_find(const struct gate_flows *f, uint32_t source, const struct via_sockaddr *dst)
{
	uint32_t i = *bucket(f, f->by_dst, source, dst);
	while (i && !(f->flow[i - 1].source == source && same(&f->flow[i - 1].dst, dst)))
		i = f->flow[i - 1].in_next;
	return i;
}

bool flows_find(const struct gate_flows *f, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst,
		uint32_t *flow)
{
	uint32_t source = source_find(f, type, src), i = source ? flow_find(f, source - 1, dst) : 0;
	*flow = i - 1;
	return i != 0;
}

uint32_t flows_get(struct gate_flows *f, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst, int64_t now,
		   bool *is_new)
{
	uint32_t source = source_find(f, type, src), i = source ? flow_find(f, source - 1, dst) : 0;
	*is_new = !i;
	if (i) {
		flow_touch(f, &f->flow[i - 1], now);
		return i - 1;
	}
	if (!f->free_flow) {
		flows_del(f, f->oldest - 1);
		source = source_find(f, type, src); /* it may have been its last */
	}
	if (!source)
		source = source_new(f, type, src);
	i = f->free_flow;
	struct gate_flow *w = &f->flow[i - 1];
	uint32_t *b = bucket(f, f->by_dst, source - 1, dst);
	f->free_flow = w->in_next;
	*w = (struct gate_flow){.source = source - 1, .dst = *dst, .used = now, .is_used = true, .in_next = *b};
	*b = i;
	age_newest(f, w);
	f->source[source - 1].n++;
	f->n++;
	return i - 1;
}

bool flows_find_out(const struct gate_flows *f, uint32_t source, const struct via_sockaddr *out, uint32_t *flow)
{
	for (uint32_t i = *bucket(f, f->by_out, source, out); i; i = f->flow[i - 1].out_next) {
		if (f->flow[i - 1].source == source && same(&f->flow[i - 1].out, out)) {
			*flow = i - 1;
			return true;
		}
	}
	return false;
}

void flows_answered(struct gate_flows *f, uint32_t flow, int64_t now)
{
	struct gate_flow *w = &f->flow[flow];
	w->is_answered = true;
	w->asked = 0;
	flow_touch(f, w, now);
}

static int64_t flow_ends(const struct gate_flow *w)
{
	return w->used + (w->is_answered && w->dst.port == PORT_DNS ? FLOW_IDLE_DNS_NS : FLOW_IDLE_NS);
}

/* A walk from the oldest, as far as one could be due. */
int64_t flows_expire(struct gate_flows *f, int64_t now)
{
	int64_t next = TIME_NEVER;
	for (uint32_t i = f->oldest; i;) {
		struct gate_flow *w = &f->flow[i - 1];
		uint32_t flow = i - 1;
		i = w->newer;
		if (w->used + FLOW_IDLE_DNS_NS > now) /* and all after it are younger */
			return MIN(next, w->used + FLOW_IDLE_DNS_NS);
		if (flow_ends(w) <= now)
			flows_del(f, flow);
		else
			next = MIN(next, flow_ends(w));
	}
	return next;
}
