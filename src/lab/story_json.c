/* lab/story_json.c - the story as JSON; doc/lab.md names every field. Times are ns since the lab's start. */
#include "lab/story.h"
#include "wire/tcp.h"
#include <stdio.h>
#include <stdlib.h>

static json_t *int_of(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *address_json(uint32_t ip)
{
	struct via_addr a = via_addr_v4(ip);
	char text[VIA_ADDR_STRLEN];
	return json_string(via_addr_format(&a, text));
}

static const char *node_name(const struct story *s, int node)
{
	return s->t->nodes[node].name;
}

/* The node that has an address, or NULL. */
static const char *owner_name(const struct story *s, uint32_t ip)
{
	for (int e = 0; e < s->t->n_ends; e++)
		if (s->t->ends[e].addr.set && s->t->ends[e].addr.addr == ip)
			return node_name(s, s->t->ends[e].node);
	return NULL;
}

static void put_count(json_t *o, const struct story_count *n)
{
	const struct {
		const char *name;
		uint64_t value;
	} v[] = {{"packets", n->packets}, {"bytes", n->bytes}, {"lost", n->lost}, {"limited", n->limited}, {"reordered", n->reordered},
		{"duplicated", n->duplicated}, {"corrupted", n->corrupted}, {"retransmitted", n->retransmitted}};
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		json_object_set_new(o, v[i].name, int_of(v[i].value));
}

static void add_count(struct story_count *to, const struct story_count *n)
{
	to->packets += n->packets;
	to->bytes += n->bytes;
	to->lost += n->lost;
	to->limited += n->limited;
	to->reordered += n->reordered;
	to->duplicated += n->duplicated;
	to->corrupted += n->corrupted;
	to->retransmitted += n->retransmitted;
}

static json_t *interfaces_json(const struct story *s, struct story_count *total)
{
	json_t *all = json_array();
	for (int i = 0; i < s->t->n_nodes; i++)
		for (int k = 0; k < s->t->nodes[i].n_ends; k++) {
			int e = s->t->nodes[i].ends[k];
			if (s->t->ends[e].vlan)
				continue; /* its frames leave by its parent */
			char name[TOPO_END_NAME], address[VIA_ADDR_STRLEN + 4] = "", text[VIA_ADDR_STRLEN];
			const struct topo_prefix *p = &s->t->ends[e].addr;
			struct via_addr a = via_addr_v4(p->addr);
			json_t *o = json_object();
			topo_end_name(s->t, e, name);
			if (p->set)
				snprintf(address, sizeof address, "%s/%u", via_addr_format(&a, text), p->plen);
			json_object_set_new(o, "interface", json_string(name));
			json_object_set_new(o, "node", json_string(node_name(s, i)));
			json_object_set_new(o, "address", json_string(address));
			put_count(o, &s->ifaces[e]);
			json_array_append_new(all, o);
			add_count(total, &s->ifaces[e]);
		}
	return all;
}

static json_t *end_json(const struct story *s, const struct story_conn *c, int side)
{
	const char *name = owner_name(s, c->ip[side]);
	json_t *o = json_object();
	json_object_set_new(o, "node", name ? json_string(name) : json_null());
	json_object_set_new(o, "address", address_json(c->ip[side]));
	json_object_set_new(o, "port", json_integer(c->port[side]));
	return o;
}

static void put_step(json_t *o, const char *name, const struct story_step *step, bool has_ack)
{
	json_t *v = json_null();
	if (step->set) {
		v = json_pack("{s:I, s:I}", "time_ns", (json_int_t)step->at, "seq", (json_int_t)step->seq);
		if (has_ack)
			json_object_set_new(v, "ack", json_integer(step->ack));
	}
	json_object_set_new(o, name, v);
}

static json_t *hops_json(const struct story *s, const struct story_dir *d)
{
	json_t *a = json_array();
	for (int i = 0; i < d->n_hops; i++)
		json_array_append_new(a, json_string(node_name(s, d->hops[i])));
	return a;
}

static json_t *direction_json(const struct story *s, const struct story_dir *d)
{
	json_t *o = json_object();
	put_count(o, &d->n);
	json_object_set_new(o, "segments", int_of(d->segments));
	json_object_set_new(o, "payload", int_of(d->payload));
	json_object_set_new(o, "path", hops_json(s, d));
	return o;
}

static json_t *connection_json(const struct story *s, int n)
{
	const struct story_conn *c = s->conns[n];
	json_t *o = json_object(), *h = json_object();
	int64_t took = c->last - c->first, busy = c->busy - c->first;
	uint64_t payload = c->dir[0].payload + c->dir[1].payload;
	json_object_set_new(o, "n", json_integer(n + 1));
	json_object_set_new(o, "client", end_json(s, c, 0));
	json_object_set_new(o, "server", end_json(s, c, 1));
	put_step(h, "syn", &c->syn, false);
	put_step(h, "syn_ack", &c->syn_ack, true);
	put_step(h, "ack", &c->ack, true);
	json_object_set_new(o, "handshake", h);
	json_object_set_new(o, "time_ns", json_integer(c->first));
	json_object_set_new(o, "duration_ns", json_integer(took));
	json_object_set_new(o, "busy_ns", json_integer(MAX(busy, 0)));
	json_object_set_new(o, "goodput_bps", int_of(busy > 0 ? (uint64_t)((__uint128_t)payload * 8 * NS_PER_S / (uint64_t)busy) : 0));
	json_object_set_new(o, "sent", direction_json(s, &c->dir[0]));
	json_object_set_new(o, "received", direction_json(s, &c->dir[1]));
	return o;
}

/* --- paths --- */

/* Directions of connections that went the same way. */
struct path {
	const struct story_dir *way;
	struct story_count n;
	uint64_t segments, payload;
	uint32_t src, dst; /* addresses of the first such direction */
	json_t *ports;     /* of those who opened, one per connection */
};

static bool same_way(const struct story_dir *a, const struct story_dir *b)
{
	return a->n_hops == b->n_hops && memcmp(a->hops, b->hops, (size_t)a->n_hops * sizeof a->hops[0]) == 0;
}

static bool has_hop(const struct story_dir *d, int node)
{
	for (int i = 0; i < d->n_hops; i++)
		if (d->hops[i] == node)
			return true;
	return false;
}

/* Do both join the same two ends, in either direction? */
static bool same_ends(const struct story_dir *a, const struct story_dir *b)
{
	int a0 = a->hops[0], a1 = a->hops[a->n_hops - 1], b0 = b->hops[0], b1 = b->hops[b->n_hops - 1];
	return (a0 == b0 && a1 == b1) || (a0 == b1 && a1 == b0);
}

/* The nodes that tell this path from the others between the same ends; all between, when there is no other. */
static json_t *via_json(const struct story *s, const struct path *paths, int n, int k)
{
	const struct story_dir *d = paths[k].way;
	json_t *all = json_array();
	for (int i = 1; i + 1 < d->n_hops; i++) {
		bool others = false, everywhere = true;
		for (int p = 0; p < n; p++) {
			const struct story_dir *o = paths[p].way;
			if (p == k || !same_ends(d, o))
				continue;
			bool is_reverse_only = o->n_hops == d->n_hops;
			for (int h = 0; h < d->n_hops && is_reverse_only; h++)
				is_reverse_only = has_hop(o, d->hops[h]);
			if (is_reverse_only)
				continue;
			others = true;
			everywhere &= has_hop(o, d->hops[i]);
		}
		if (!others || !everywhere)
			json_array_append_new(all, json_string(node_name(s, d->hops[i])));
	}
	return all;
}

static int gather_paths(const struct story *s, struct path *paths)
{
	int n = 0;
	for (int i = 0; i < s->n_conns; i++)
		for (int side = 0; side < 2; side++) {
			const struct story_conn *c = s->conns[i];
			const struct story_dir *d = &c->dir[side];
			int k = 0;
			if (!d->n_hops)
				continue;
			while (k < n && !same_way(paths[k].way, d))
				k++;
			if (k == n)
				paths[n++] = (struct path){.way = d, .src = c->ip[side], .dst = c->ip[!side], .ports = json_array()};
			add_count(&paths[k].n, &d->n);
			paths[k].segments += d->segments;
			paths[k].payload += d->payload;
			json_array_append_new(paths[k].ports, json_integer(c->port[0]));
		}
	return n;
}

static json_t *paths_json(const struct story *s)
{
	struct path *paths = calloc(2 * (size_t)s->n_conns + 1, sizeof *paths);
	json_t *all = json_array();
	int n = paths ? gather_paths(s, paths) : 0;
	for (int k = 0; k < n; k++) {
		json_t *o = json_object();
		json_object_set_new(o, "nodes", hops_json(s, paths[k].way));
		json_object_set_new(o, "via", via_json(s, paths, n, k));
		json_object_set_new(o, "from", address_json(paths[k].src));
		json_object_set_new(o, "to", address_json(paths[k].dst));
		put_count(o, &paths[k].n);
		json_object_set_new(o, "segments", int_of(paths[k].segments));
		json_object_set_new(o, "payload", int_of(paths[k].payload));
		json_object_set_new(o, "connections", int_of(json_array_size(paths[k].ports)));
		json_object_set_new(o, "ports", paths[k].ports);
		json_array_append_new(all, o);
	}
	free(paths);
	return all;
}

/* --- the ladder --- */

static json_t *flags_json(uint8_t flags)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{TCP_SYN, "SYN"}, {TCP_FIN, "FIN"}, {TCP_RST, "RST"}, {TCP_PSH, "PSH"}, {TCP_ACK, "ACK"}, {TCP_ECE, "ECE"},
		{TCP_CWR, "CWR"}};
	char text[40] = "";
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].bit) {
			strcat(text, text[0] ? " " : "");
			strcat(text, names[i].name);
		}
	return json_string(text);
}

static void append_rung(json_t *events, const struct story *s, const struct story_conn *c, const struct story_rung *r, const char *what)
{
	char name[TOPO_END_NAME];
	if (!r->set)
		return;
	json_t *o = json_object();
	topo_end_name(s->t, r->end, name);
	json_object_set_new(o, "what", json_string(what));
	json_object_set_new(o, "time_ns", json_integer(r->sent));
	json_object_set_new(o, "arrives_ns", r->arrives ? json_integer(r->arrives) : json_null());
	json_object_set_new(o, "from", json_string(r->dir ? "server" : "client"));
	json_object_set_new(o, "interface", json_string(name));
	json_object_set_new(o, "flags", flags_json(r->flags));
	json_object_set_new(o, "seq", json_integer(r->seq));
	json_object_set_new(o, "ack", json_integer(r->ack));
	json_object_set_new(o, "seq_relative", json_integer((uint32_t)(r->seq - c->dir[r->dir].iss)));
	json_object_set_new(o, "ack_relative", json_integer(r->flags & TCP_ACK ? (uint32_t)(r->ack - c->dir[!r->dir].iss) : 0));
	json_object_set_new(o, "len", json_integer(r->len));
	json_object_set_new(o, "note", json_string(r->note));
	json_array_append_new(events, o);
}

/* The opening of the first connection; its first loss, else that of the first connection that has one. */
static void put_ladder(json_t *story, const struct story *s)
{
	json_t *opening = json_array(), *loss = json_array();
	int n = 0;
	if (s->n_conns)
		for (int i = 0; i < s->conns[0]->n_opening; i++)
			append_rung(opening, s, s->conns[0], &s->conns[0]->opening[i], "sent");
	while (n < s->n_conns && !(s->conns[n]->lost.set && s->conns[n]->repeated.set))
		n++;
	if (n < s->n_conns) {
		append_rung(loss, s, s->conns[n], &s->conns[n]->lost, "lost");
		append_rung(loss, s, s->conns[n], &s->conns[n]->repeated, "repeated");
		append_rung(loss, s, s->conns[n], &s->conns[n]->acked, "acknowledged");
	}
	json_object_set_new(story, "ladder", json_pack("{s:i, s:o}", "connection", s->n_conns ? 1 : 0, "events", opening));
	json_object_set_new(story, "loss", json_pack("{s:i, s:o}", "connection", n < s->n_conns ? n + 1 : 0, "events", loss));
}

json_t *story_json(const struct story *s, uint64_t seed, int64_t now)
{
	struct story_count total = {0};
	json_t *o = json_object(), *conns = json_array(), *sum = json_object();
	json_object_set_new(o, "lab", json_string(s->t->name));
	json_object_set_new(o, "seed", int_of(seed));
	json_object_set_new(o, "now_ns", json_integer(now));
	json_object_set_new(o, "interfaces", interfaces_json(s, &total));
	for (int i = 0; i < s->n_conns; i++)
		json_array_append_new(conns, connection_json(s, i));
	json_object_set_new(o, "connections", conns);
	json_object_set_new(o, "connections_untold", int_of(s->n_untold));
	json_object_set_new(o, "paths", paths_json(s));
	put_count(sum, &total);
	json_object_set_new(o, "totals", sum);
	put_ladder(o, s);
	return o;
}
