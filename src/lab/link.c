/* lab/link.c - see link.h for what each impairment means. The idea of one small struct with rate, delay, loss and the
 * next arrival is picoquic's sim_link. */
#include "lab/flip.h"
#include "lab/link.h"
#include "wire/eth.h"

bool impair_is_clean(const struct lab_impair *im)
{
	return !im->delay_ns && !im->jitter_ns && !im->loss_ppb && !im->reorder_ppb && !im->duplicate_ppb && !im->corrupt_ppb &&
	       !im->mangle_ppb && !im->ge.p_ppb && !im->rate_bps && !im->police_bps;
}

static uint32_t dir_limit(const struct link_dir *d)
{
	return d->im.limit ? d->im.limit : LINK_LIMIT_DEFAULT;
}

/* --- a packet enters --- */

/* Keep the queue sorted by arrival; equal ones stay in the order they were sent. */
static void queue_insert(struct link_dir *d, struct pkt *p)
{
	struct pktmem *m = d->env->mem;
	if (!d->q.tail || pkt_at(m, d->q.tail)->m.rx_ns <= p->m.rx_ns) {
		pktq_push(m, &d->q, p);
		return;
	}
	struct pkt *prev = NULL, *at = pkt_at(m, d->q.head);
	while (at->m.rx_ns <= p->m.rx_ns) {
		prev = at;
		at = pkt_at(m, at->next);
	}
	p->next = pkt_ref(m, at);
	if (prev)
		prev->next = pkt_ref(m, p);
	else
		d->q.head = pkt_ref(m, p);
	d->q.n++;
	d->q.bytes += p->len;
}

/* When it would arrive undisturbed; jitter is uniform around the delay. */
static int64_t draw_arrival(struct link_dir *d, int64_t sent)
{
	int64_t delay = d->im.delay_ns;
	if (d->im.jitter_ns)
		delay += (int64_t)rng_below(&d->rng, 2 * (uint64_t)d->im.jitter_ns + 1) - d->im.jitter_ns;
	return MAX(sent + MAX(delay, 0), d->last);
}

/* Lost by the state the link is in; then the state may change. */
static bool draw_gemodel(struct link_dir *d)
{
	const struct lab_gemodel *ge = &d->im.ge;
	if (!ge->p_ppb)
		return false;
	bool lost = rng_chance(&d->rng, d->is_bad ? ge->bad_ppb : ge->good_ppb);
	d->is_bad ^= rng_chance(&d->rng, d->is_bad ? ge->r_ppb : ge->p_ppb);
	return lost;
}

/* Bits times 10^9 that the policer's bucket holds. */
static uint64_t bucket(const struct lab_impair *im)
{
	uint64_t bytes = im->burst ? im->burst : MAX(im->police_bps / 800, 3000u);
	return MIN(bytes, UINT32_MAX / 4) * 8 * NS_PER_S;
}

/* Are there tokens for p? Takes them. */
static bool police_passes(struct link_dir *d, const struct pkt *p, int64_t now)
{
	uint64_t most = bucket(&d->im), cost = (uint64_t)p->len * 8 * NS_PER_S;
	__uint128_t more = (__uint128_t)(uint64_t)MAX(now - d->filled, 0) * d->im.police_bps;
	d->tokens = more < most - MIN(d->tokens, most) ? d->tokens + (uint64_t)more : most;
	d->filled = now;
	if (d->tokens < cost)
		return false;
	d->tokens -= cost;
	return true;
}

/* What the stack below us left in the packet means nothing to the next one. */
static void meta_clear(struct link_dir *d, struct pkt *p)
{
	p->m.flow_hash = 0;
	p->m.ifindex = 0;
	p->m.l2 = p->m.l3 = p->m.l4 = 0;
	p->m.ecn = p->m.drop = p->m.why = p->m.ether_mcast = p->m.corrupted = p->m.reordered = 0;
	p->m.owner = 0;
	p->m.owner_gen = p->m.owner_seq_end = 0;
	if ((!d->clean && !p->m.gso_size) || p->m.csum != PKT_CSUM_PARTIAL)
		p->m.csum = PKT_CSUM_NONE;
}

static void count(struct link_dir *d, uint32_t len, unsigned fate)
{
	d->st.sent++;
	d->st.bytes += len;
	d->st.lost += !!(fate & FATE_LOST);
	d->st.limited += !!(fate & FATE_LIMITED);
	d->st.reordered += !!(fate & FATE_REORDERED);
	d->st.duplicated += !!(fate & FATE_DUPLICATED);
	d->st.corrupted += !!(fate & FATE_CORRUPTED);
}

static void tell(struct link_dir *d, const struct pkt *p, int64_t leaves, int64_t arrives, unsigned fate)
{
	count(d, p->len, fate);
	if (d->env->sent)
		d->env->sent(d->env, &(struct link_sent){d, p, leaves, arrives, fate});
}

static void send_clean(struct link_dir *d, struct pkt *p, int64_t now)
{
	tell(d, p, now, now, 0);
	meta_clear(d, p);
	p->m.rx_ns = now;
	d->last = MAX(d->last, now);
	queue_insert(d, p);
	d->env->wake(d->env, d->to, now);
}

/* Takes p. */
static void send_impaired(struct link_dir *d, struct pkt *p, int64_t now)
{
	struct pktmem *m = d->env->mem;
	unsigned fate = 0;
	struct flip flip = {0};
	if (p->m.csum == PKT_CSUM_PARTIAL)
		pkt_csum_finish(m, p);
	if (d->q.n >= dir_limit(d) || (d->im.police_bps && !police_passes(d, p, now))) {
		tell(d, p, now, now, FATE_LIMITED);
		pkt_free(m, p);
		return;
	}
	int64_t leaves = MAX(now, d->busy_until), sent = leaves;
	if (d->im.rate_bps)
		sent += (int64_t)((__uint128_t)p->len * 8 * NS_PER_S / d->im.rate_bps);
	d->busy_until = sent;
	if (rng_chance(&d->rng, d->im.loss_ppb) || draw_gemodel(d))
		fate |= FATE_LOST;
	if (!fate && rng_chance(&d->rng, d->im.duplicate_ppb))
		fate |= FATE_DUPLICATED;
	if (!(fate & FATE_LOST) && rng_chance(&d->rng, d->im.corrupt_ppb))
		fate |= flip_draw(&flip, &d->rng, p) ? FATE_CORRUPTED : FATE_CORRUPTED | FATE_LOST;
	else if (!(fate & FATE_LOST) && rng_chance(&d->rng, d->im.mangle_ppb) && flip_draw_mangled(&flip, &d->rng, m, p))
		fate |= FATE_CORRUPTED;
	bool early = rng_chance(&d->rng, d->im.reorder_ppb);
	int64_t arrives = early ? sent : draw_arrival(d, sent);
	struct pkt *twin = fate == FATE_DUPLICATED || fate == (FATE_DUPLICATED | FATE_CORRUPTED) ? pkt_clone(m, p) : NULL;
	if (!twin)
		fate &= ~(unsigned)FATE_DUPLICATED;
	if (early && !(fate & FATE_LOST) && d->q.tail && pkt_at(m, d->q.tail)->m.rx_ns > arrives)
		fate |= FATE_REORDERED;
	tell(d, p, leaves, arrives, fate);
	if (fate & FATE_LOST) {
		pkt_free(m, p);
		return;
	}
	d->last = MAX(d->last, arrives);
	if ((fate & FATE_CORRUPTED) && flip_apply(&flip, m, p)) { /* no memory to flip it in: then it is lost in us */
		pkt_free(m, p);
		p = NULL;
	}
	struct pkt *both[2] = {p, twin};
	for (int i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		meta_clear(d, both[i]);
		both[i]->m.corrupted = i == 0 && (fate & FATE_CORRUPTED);
		both[i]->m.rx_ns = arrives;
		queue_insert(d, both[i]);
	}
	d->env->wake(d->env, d->to, arrives);
}

/* --- the driver --- */

int link_send(struct link_port *port, struct pkt **pkts, int n, int64_t now)
{
	struct link_dir *d = port->out;
	int i;
	for (i = 0; i < n; i++) {
		if (!port->d.up) { /* a switch or tap knows no links that are down */
			tell(d, pkts[i], now, now, FATE_LOST);
			pkt_free(d->env->mem, pkts[i]);
		} else if (!d->clean && !pkts[i]->m.gso_size) {
			send_impaired(d, pkts[i], now);
		} else if (d->q.n < dir_limit(d)) {
			send_clean(d, pkts[i], now); /* also a superframe that the stack made ready before the link became worse */
		} else {
			d->pushed_back = true;
			break;
		}
	}
	return i;
}

void link_pass(struct link_port *port, struct pkt *p, int64_t now)
{
	struct link_dir *d = port->out;
	bool is_tagged = p->head_len >= ETH_HLEN && get_be16(pkt_data(p) + 12) == ETHERTYPE_VLAN; /* its four bytes are not the MTU's */
	bool too_long = p->len > port->d.mtu + ETH_HLEN + (is_tagged ? 4 : 0);
	if (!too_long && link_send(port, &p, 1, now) == 1)
		return;
	if (too_long)
		d->st.too_long++;
	else
		tell(d, p, now, now, FATE_LIMITED);
	pkt_free(d->env->mem, p);
}

struct pkt *link_receive(struct link_port *port)
{
	struct link_dir *d = port->in;
	struct pkt *p = pktq_peek(d->env->mem, &d->q);
	if (!p || p->m.rx_ns > d->env->now)
		return NULL;
	d->st.delivered++;
	if (d->pushed_back) {
		d->pushed_back = false;
		d->env->wake(d->env, d->from, d->env->now);
	}
	if (d->env->came)
		d->env->came(d->env, d->to, p);
	return pktq_pop(d->env->mem, &d->q);
}

int64_t link_next(const struct link_port *port)
{
	struct link_dir *d = port->in;
	const struct pkt *p = pktq_peek(d->env->mem, &d->q);
	return p ? p->m.rx_ns : TIME_NEVER;
}

static int port_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct link_port *p = (struct link_port *)d;
	int n = 0;
	while (n < max && (pkts[n] = link_receive(p)))
		n++;
	return n;
}

static int port_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	return link_send((struct link_port *)d, pkts, n, now);
}

/* An impaired direction always takes: what is too much it drops. */
static int port_tx_room(struct via_driver *d)
{
	struct link_dir *dir = ((struct link_port *)d)->out;
	uint32_t limit = dir_limit(dir);
	if (!dir->clean)
		return (int)limit;
	if (dir->q.n < limit)
		return (int)(limit - dir->q.n);
	dir->pushed_back = true;
	return 0;
}

static int64_t port_next(struct via_driver *d)
{
	return link_next((struct link_port *)d);
}

static const struct via_driver_ops port_ops = {port_rx_burst, port_tx_burst, port_tx_room, port_next};

/* --- life --- */

/* What the stack at this end may hand us. */
static void port_caps(struct link_port *p)
{
	bool super = p->out->clean && !p->out->plain && !p->out->env->whole_frames;
	p->d.caps = super ? VIA_CAP_SUPERFRAME | VIA_CAP_CSUM : 0;
	p->d.gso_max = super ? LINK_GSO_MAX : 0;
}

void link_init(struct link *l, const struct link_config *cfg)
{
	memset(l, 0, sizeof *l);
	for (int i = 0; i < 2; i++) {
		struct link_dir *d = &l->dir[i];
		d->env = cfg->env;
		d->end = cfg->end[i];
		d->from = cfg->node[i];
		d->to = cfg->node[!i];
		d->plain = cfg->plain;
		rng_seed(&d->rng, cfg->seed + 0x9e3779b97f4a7c15u * (uint64_t)(i + 1));
		struct link_port *p = &l->port[i];
		p->d = (struct via_driver){.ops = &port_ops, .mem = cfg->env->mem, .l2 = VIA_L2_ETHER, .mtu = cfg->mtu, .up = true};
		memcpy(p->d.mac, cfg->mac[i], 6);
		p->out = d;
		p->in = &l->dir[!i];
		link_impair(l, i, &cfg->impair[i]);
	}
}

void link_impair(struct link *l, int dir, const struct lab_impair *im)
{
	struct link_dir *d = &l->dir[dir];
	d->im = *im;
	d->clean = impair_is_clean(im);
	d->tokens = bucket(im); /* a policer begins with a full bucket */
	d->filled = d->env->now;
	d->st.impair = *im;
	port_caps(&l->port[dir]);
}

void link_updown(struct link *l, bool up)
{
	for (int i = 0; i < 2; i++) {
		struct link_dir *d = &l->dir[i];
		l->port[i].d.up = up;
		if (up)
			continue;
		d->st.cut += d->q.n;
		pktq_clear(d->env->mem, &d->q);
		d->busy_until = d->last = 0;
		d->pushed_back = false;
	}
}

void link_fini(struct link *l)
{
	for (int i = 0; i < 2; i++)
		pktq_clear(l->dir[i].env->mem, &l->dir[i].q);
}
