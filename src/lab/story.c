/* lab/story.c - see story.h. Frames that are no TCP over IPv4 count for their interface only. A connection begins with a
 * SYN; the same four numbers with another SYN begin another one. */
#include "lab/story.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include <stdlib.h>

enum { BUCKETS = 4096 };

/* What matters of one segment. */
struct segment {
	struct ip4_hdr ip;
	struct tcp_hdr tcp;
	uint32_t len; /* payload bytes */
};

struct story *story_new(const struct topo *t, struct pktmem *mem, struct prf_key key)
{
	struct story *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->t = t;
	s->mem = mem;
	s->key = key;
	s->ifaces = calloc(2 * (size_t)t->n_links + 1, sizeof *s->ifaces);
	s->buckets = malloc(BUCKETS * sizeof *s->buckets);
	if (!s->ifaces || !s->buckets) {
		story_free(s);
		return NULL;
	}
	memset(s->buckets, 0xff, BUCKETS * sizeof *s->buckets);
	return s;
}

void story_free(struct story *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n_conns; i++)
		free(s->conns[i]);
	free(s->conns);
	free(s->buckets);
	free(s->ifaces);
	free(s);
}

static bool parse(const struct story *s, const struct pkt *p, struct segment *g)
{
	uint8_t b[ETH_HLEN + 4 + 60 + TCP_HLEN_MAX]; /* with a VLAN tag and all options */
	uint32_t n = pkt_copy_out(s->mem, p, 0, b, sizeof b);
	struct eth_hdr eth;
	if (eth_parse(b, n, &eth) || eth.type != ETHERTYPE_IP4 || ip4_parse(b + eth.hlen, p->len - eth.hlen, p->m.gso_size != 0, &g->ip))
		return false;
	uint32_t l4 = eth.hlen + g->ip.hlen;
	uint32_t ip_len = p->m.gso_size ? p->len - eth.hlen : g->ip.total_len;
	if (g->ip.proto != IPPROTO_N_TCP || (g->ip.frag & 0x1fff) || l4 >= n || tcp_parse(b + l4, ip_len - g->ip.hlen, &g->tcp))
		return false;
	g->len = ip_len - g->ip.hlen - g->tcp.hlen;
	return true;
}

static bool is_retransmission(const struct pkt *p)
{
	switch (p->m.why) {
	case WHY_SYN_ACK_AGAIN:
	case WHY_SYN_RETRANS:
	case WHY_RETRANS_FAST:
	case WHY_RETRANS_PARTIAL:
	case WHY_RETRANS_RTO:
	case WHY_RETRANS_SACK:
	case WHY_RETRANS_RACK:
	case WHY_RETRANS_TLP:
		return true;
	default:
		return false;
	}
}

static void count_fate(struct story_count *n, const struct link_sent *f)
{
	n->lost += !!(f->fate & FATE_LOST);
	n->limited += !!(f->fate & FATE_LIMITED);
	n->reordered += !!(f->fate & FATE_REORDERED);
	n->duplicated += !!(f->fate & FATE_DUPLICATED);
	n->corrupted += !!(f->fate & FATE_CORRUPTED);
}

static void count_sent(struct story_count *n, const struct link_sent *f)
{
	n->packets++;
	n->bytes += f->pkt->len;
	n->retransmitted += is_retransmission(f->pkt);
}

/* --- connections --- */

/* The bucket of both directions' four numbers. */
static int *bucket(const struct story *s, const struct segment *g)
{
	uint32_t a[4] = {g->ip.src, g->tcp.sport, g->ip.dst, g->tcp.dport}, b[4] = {a[2], a[3], a[0], a[1]};
	bool swap = memcmp(a, b, sizeof a) > 0;
	return &s->buckets[siphash_1_3(s->key, swap ? b : a, sizeof a) % BUCKETS];
}

/* The newest connection of the segment, and the direction it goes; or NULL. */
static struct story_conn *find(const struct story *s, const struct segment *g, int *dir)
{
	for (int i = *bucket(s, g); i >= 0; i = s->conns[i]->next) {
		struct story_conn *c = s->conns[i];
		for (*dir = 0; *dir < 2; ++*dir)
			if (c->ip[*dir] == g->ip.src && c->port[*dir] == g->tcp.sport && c->ip[!*dir] == g->ip.dst && c->port[!*dir] == g->tcp.dport)
				return c;
	}
	return NULL;
}

static struct story_conn *begin(struct story *s, const struct segment *g, int64_t at)
{
	if (s->n_conns == STORY_CONNS_MAX) {
		s->n_untold++;
		return NULL;
	}
	if (s->n_conns == s->cap_conns) {
		int cap = s->cap_conns ? 2 * s->cap_conns : 64;
		struct story_conn **more = realloc(s->conns, (size_t)cap * sizeof(struct story_conn *));
		if (!more)
			return NULL;
		s->conns = more;
		s->cap_conns = cap;
	}
	struct story_conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	*c = (struct story_conn){.ip = {g->ip.src, g->ip.dst}, .port = {g->tcp.sport, g->tcp.dport}, .first = at, .next = *bucket(s, g)};
	*bucket(s, g) = s->n_conns;
	s->conns[s->n_conns++] = c;
	return c;
}

static void note_hop(struct story_dir *d, int node)
{
	for (int i = 0; i < d->n_hops; i++)
		if (d->hops[i] == node)
			return;
	if (d->n_hops < STORY_HOPS_MAX)
		d->hops[d->n_hops++] = node;
}

static void note_handshake(struct story_conn *c, const struct segment *g, int dir, int64_t at)
{
	struct story_step step = {true, at, g->tcp.seq, g->tcp.ack};
	uint8_t flags = g->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST);
	if (flags == TCP_SYN && dir == 0 && !c->syn.set)
		c->syn = step;
	else if (flags == (TCP_SYN | TCP_ACK) && dir == 1 && !c->syn_ack.set)
		c->syn_ack = step;
	else if (flags == TCP_ACK && dir == 0 && c->syn_ack.set && !c->ack.set)
		c->ack = step;
}

static void note_stream(struct story_dir *d, const struct segment *g)
{
	uint32_t first = g->tcp.seq + !!(g->tcp.flags & TCP_SYN), end = first + g->len;
	if (g->tcp.flags & TCP_SYN && !d->has_iss) {
		d->has_iss = true;
		d->iss = g->tcp.seq;
		d->top = first;
	}
	d->segments += g->len > 0;
	if (d->has_iss && g->len && seq_lt(d->top, end)) {
		d->payload += end - d->top;
		d->top = end;
	}
}

/* --- the ladder --- */

static struct story_rung rung(const struct link_sent *f, const struct segment *g, int dir)
{
	struct story_rung r = {.set = true, .ip_id = g->ip.id, .tsval = g->tcp.tsval, .sent = f->leaves, .dir = dir, .end = f->dir->end,
		.seq = g->tcp.seq, .ack = g->tcp.ack, .len = g->len, .flags = g->tcp.flags};
	capture_comment(f, r.note);
	return r;
}

/* The first data segment that a link lost, its first repetition, and the ACK for it. */
static void note_loss(struct story_conn *c, const struct link_sent *f, const struct segment *g, int dir, bool leaves_sender)
{
	if (!c->lost.set && g->len && (f->fate & FATE_DROPPED)) {
		c->lost = rung(f, g, dir);
		return;
	}
	if (!c->lost.set || !leaves_sender)
		return;
	if (!c->repeated.set && dir == c->lost.dir && g->len && is_retransmission(f->pkt) && seq_le(g->tcp.seq, c->lost.seq) &&
	    seq_lt(c->lost.seq, g->tcp.seq + g->len))
		c->repeated = rung(f, g, dir);
	else if (c->repeated.set && !c->acked.set && dir != c->lost.dir && (g->tcp.flags & TCP_ACK) &&
		 seq_lt(c->lost.seq, g->tcp.ack))
		c->acked = rung(f, g, dir);
}

static bool is_rung(const struct story_rung *r, const struct segment *g, int dir)
{
	return r->set && !r->arrives && r->dir == dir && r->ip_id == g->ip.id && r->tsval == g->tcp.tsval && r->seq == g->tcp.seq &&
	       r->ack == g->tcp.ack && r->len == g->len && r->flags == g->tcp.flags;
}

/* The packet of a rung leaves for its destination: now its arrival is known. */
static void note_arrival(struct story_conn *c, const struct link_sent *f, const struct segment *g, int dir)
{
	if (f->fate & (FATE_DROPPED | FATE_CORRUPTED))
		return;
	for (int i = 0; i < c->n_opening; i++)
		if (is_rung(&c->opening[i], g, dir)) {
			c->opening[i].arrives = f->arrives;
			break;
		}
	if (is_rung(&c->repeated, g, dir))
		c->repeated.arrives = f->arrives;
	if (is_rung(&c->acked, g, dir))
		c->acked.arrives = f->arrives;
}

static bool node_has(const struct story *s, int node, uint32_t ip)
{
	const struct topo_node *n = &s->t->nodes[node];
	for (int e = 0; e < n->n_ends; e++)
		if (s->t->ends[n->ends[e]].addr.set && s->t->ends[n->ends[e]].addr.addr == ip)
			return true;
	return false;
}

static void add_segment(struct story *s, const struct link_sent *f, const struct segment *g)
{
	int dir = 0;
	struct story_conn *c = find(s, g, &dir);
	bool opens = (g->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	if (opens && (!c || (dir == 0 && c->syn.seq != g->tcp.seq) || (dir == 1 && c->ack.set))) {
		c = begin(s, g, f->leaves);
		dir = 0;
	}
	if (!c)
		return;
	struct story_dir *d = &c->dir[dir];
	c->last = MAX(c->last, f->leaves);
	note_hop(d, f->dir->from);
	bool leaves_sender = d->hops[0] == f->dir->from;
	count_fate(&d->n, f);
	if (leaves_sender) {
		count_sent(&d->n, f);
		note_stream(d, g);
		if (g->len)
			c->busy = f->leaves;
		note_handshake(c, g, dir, f->leaves);
		if (c->n_opening < STORY_OPENING)
			c->opening[c->n_opening++] = rung(f, g, dir);
	}
	note_loss(c, f, g, dir, leaves_sender);
	if (node_has(s, f->dir->to, g->ip.dst)) {
		note_hop(d, f->dir->to);
		note_arrival(c, f, g, dir);
	}
}

void story_add(struct story *s, const struct link_sent *f)
{
	struct segment g;
	count_sent(&s->ifaces[f->dir->end], f);
	count_fate(&s->ifaces[f->dir->end], f);
	if (parse(s, f->pkt, &g))
		add_segment(s, f, &g);
}
