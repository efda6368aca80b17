/* test/unit/tcp_harness.h - TCP alone under a microscope: an env with its own arena and wheel, no IP below it.
 *
 * What TCP sends is kept as values and bytes (expect), or handed to a link by the test; what it receives is hand-made (th_send) or another
 * env's. demux, paths and the user's notifications are plain arrays here. Time is virtual and moves only by th_run(). */
#ifndef UNIT_TCP_HARNESS_H
#define UNIT_TCP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/csum.h"
#include "base/rng.h"
#include "tcp/conn.h"
#include "tcp/input.h"
#include "tcp/output.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"
#include "test/unit/region.h"
#include "wire/ip4.h"

#define TH_NODES 256
#define TH_OUT 512
#define TH_OWNERS 64

/* One segment that left, cut into MTU-sized ones. */
struct th_seg {
	struct tcp_hdr h;
	uint32_t len;
	uint8_t data[2048];
	uint8_t why, ecn;
	uint16_t gso_segs; /* of the superframe it came in */
	int64_t at;
};

struct th_path {
	struct tcp_path p; /* first, as stack/ does */
};

struct th {
	struct tcp_env env;
	struct arena *arena;
	struct pktmem mem;
	struct pktmem *shared;
	struct wheel wheel;
	ref_t path;
	ref_t nodes[TH_NODES];
	int n_nodes;
	ref_t listener;
	uint16_t listen_port;
	uint32_t events[TH_OWNERS]; /* by owner, since last looked at */
	uint32_t room;              /* what tx_room says; UINT32_MAX: no limit */
	struct pktq txq;            /* what was sent, before it is looked at or delivered */
	bool hold;                  /* leave packets in txq: the driver does not take */
	struct th_seg out[TH_OUT];
	int n_out, i_out;
	size_t baseline;
	uint32_t pkts_base, blks_base;
	enum drop drop;             /* of the last segment */
	uint64_t bad_csum;
	uint8_t ecn;                /* IP's ECN bits of what arrives */
};

static inline struct th_path *th_path(struct th *t) { return arena_at(t->arena, t->path); }

/* --- what TCP calls --- */

static inline void th_op_path_hold(void *ctx, ref_t path) { ((struct th_path *)arena_at(((struct th *)ctx)->arena, path))->p.refs++; }
static inline void th_op_path_drop(void *ctx, ref_t path)
{
	struct th_path *p = arena_at(((struct th *)ctx)->arena, path);
	assert_true(p->p.refs > 1); /* the harness's own count stays */
	p->p.refs--;
}
static inline void th_op_tx(void *ctx, struct pkt *p, ref_t path, uint8_t ttl, uint8_t tos)
{
	struct th *t = ctx;
	pktq_push(t->env.mem, &t->txq, p);
	if (t->room != UINT32_MAX)
		t->room -= MIN(t->room, p->len);
}
static inline void th_op_tx_reply(void *ctx, struct pkt *p, const struct via_addr *local, const struct via_addr *remote)
{
	th_op_tx(ctx, p, 0, 0, 0);
}
static inline uint32_t th_op_tx_room(void *ctx, ref_t path) { return ((struct th *)ctx)->room; }
static inline void th_op_demux_add(void *ctx, ref_t node)
{
	struct th *t = ctx;
	assert_true(t->n_nodes < TH_NODES);
	t->nodes[t->n_nodes++] = node;
}
static inline void th_op_demux_del(void *ctx, ref_t node)
{
	struct th *t = ctx;
	for (int i = 0; i < t->n_nodes; i++)
		if (t->nodes[i] == node) {
			t->nodes[i] = t->nodes[--t->n_nodes];
			return;
		}
	fail_msg("demux_del of an unknown node");
}
static inline void th_op_notify(void *ctx, ref_t owner, uint32_t events)
{
	assert_in_range(owner, 1, TH_OWNERS - 1);
	((struct th *)ctx)->events[owner] |= events;
}
static const struct tcp_ops th_ops = {
	.path_hold = th_op_path_hold, .path_drop = th_op_path_drop, .tx = th_op_tx, .tx_reply = th_op_tx_reply, .tx_room = th_op_tx_room,
	.demux_add = th_op_demux_add, .demux_del = th_op_demux_del, .notify = th_op_notify,
};
static inline ref_t th_get_path(void *ctx, const struct via_addr *local, const struct via_addr *remote)
{
	th_op_path_hold(ctx, ((struct th *)ctx)->path);
	return ((struct th *)ctx)->path;
}

/* --- life --- */

#define TH_A 0x0a000001u
#define TH_B 0x0a000002u
#define TH_START (1000 * NS_PER_S)

/* Most regions live until the program ends, in structs that the next case writes over: the leak checker is to know them. */
static inline void th_keep(void *region)
{
	static void *kept[2048];
	static size_t n;
	if (n < ARRAY_LEN(kept))
		kept[n++] = region;
}

static inline void th_mem_new(struct pktmem *m, size_t bytes)
{
	void *home = aligned_alloc(ARENA_PAGE_SIZE, bytes);
	th_keep(home);
	memset(home, 0, bytes);
	assert_int_equal(pktmem_init(m, home, bytes), 0);
}
static inline void th_mem_free(struct pktmem *m)
{
	void *home = m->home;
	pktmem_fini(m);
	free(home);
}

static size_t th_arena_bytes = 8 << 20, th_home_bytes = 8 << 20; /* of each env made from here on */

static inline void th_init(struct th *t, uint32_t local, uint32_t remote, struct pktmem *mem, uint8_t seed)
{
	uint8_t s[32] = {seed};

	memset(t, 0, sizeof(*t));
	t->arena = region_new(th_arena_bytes);
	th_keep(t->arena);
	t->shared = mem;
	if (!mem)
		th_mem_new(&t->mem, th_home_bytes);
	t->env = (struct tcp_env){.arena = t->arena, .wheel = &t->wheel, .mem = mem ? mem : &t->mem, .ops = &th_ops, .ctx = t, .name = "test",
				  .now = TH_START};
	wheel_init(&t->wheel, TH_START);
	t->room = UINT32_MAX;
	t->path = arena_buf_take(t->arena, sizeof(struct th_path));
	*th_path(t) = (struct th_path){{.local = via_addr_v4(local), .remote = via_addr_v4(remote), .refs = 1, .mtu = 1500, .pmtu = 1500,
					.gso_max = 65535, .ifindex = 2, .ip_hlen = 20}};
	assert_int_equal(tcp_init(&t->env, s), 0);
	/* Buffers that limit nothing, and do not change. */
	struct tcp_settings *set = tcp_settings_of(&t->env);
	set->rmem = 8 << 20;
	set->rmem_max = set->wmem = set->wmem_max = 4 << 20;
	set->moderate_rcvbuf = false;
	set->mem_low = set->mem_pressure = set->mem_high = UINT64_MAX;
	t->baseline = arena_bytes_used(t->arena);
	t->pkts_base = pktmem_pkts_used(t->env.mem);
	t->blks_base = pktmem_blks_used(t->env.mem);
}

/* Everything has gone: no object, packet, block or path count is left. */
static inline void th_assert_clean(struct th *t)
{
	assert_int_equal(t->n_nodes, 0);
	assert_int_equal(arena_bytes_used(t->arena), t->baseline);
	assert_int_equal(th_path(t)->p.refs, 1);
	assert_int_equal(pktmem_pkts_used(t->env.mem), t->pkts_base);
	assert_int_equal(pktmem_blks_used(t->env.mem), t->blks_base);
}

static inline void th_fini(struct th *t)
{
	pktq_clear(t->env.mem, &t->txq);
	assert_int_equal(tcp_counts(&t->env)[TCP_COUNT_BROKEN], 0);
	tcp_fini(&t->env);
	if (!t->shared)
		th_mem_free(&t->mem);
	region_free(t->arena);
}

/* --- what left --- */

/* The checksum of a whole segment as it would be on the wire must be right (TCP-002). */
static inline void th_check_csum(struct th *t, struct pkt *p)
{
	const struct tcp_path *tp = &th_path(t)->p;
	uint64_t pseudo = ip4_pseudo(via_addr_to_v4(&tp->local), via_addr_to_v4(&tp->remote), 6, p->len);

	assert_int_equal(p->m.csum, PKT_CSUM_PARTIAL);
	assert_int_equal(p->m.csum_offset, 16);
	assert_int_equal(p->m.l4, p->head);
	assert_int_equal(get_be16(pkt_data(p) + 16), csum_fold(pseudo));
}

/* Cut p at gso_size into out[]; tells TCP that the driver took it; frees p. */
static inline void th_record(struct th *t, struct pkt *p)
{
	struct tcp_hdr h;
	uint32_t off, size = p->m.gso_size ? p->m.gso_size : UINT32_MAX;

	th_check_csum(t, p);
	assert_int_not_equal(p->m.why, WHY_NONE);
	assert_int_equal(tcp_parse(pkt_data(p), p->len, &h), 0);
	off = h.hlen;
	uint16_t segs = 0;
	do {
		assert_true(t->n_out < TH_OUT);
		struct th_seg *s = &t->out[t->n_out++];
		uint32_t n = MIN(size, p->len - off);
		bool last = off + n == p->len;
		assert_true(n <= sizeof(s->data));
		*s = (struct th_seg){.h = h, .len = n, .why = p->m.why, .ecn = p->m.ecn, .gso_segs = p->m.gso_segs, .at = t->env.now};
		pkt_copy_out(t->env.mem, p, off, s->data, n);
		if (!last)
			s->h.flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
		h.seq += n;
		h.flags &= (uint8_t)~TCP_CWR; /* the first cut says it (RFC 3168 §6.1.2) */
		off += n;
		segs++;
	} while (off < p->len);
	if (p->m.gso_size)
		assert_int_equal(segs, p->m.gso_segs);
	struct pkt_meta m = p->m;
	pkt_free(t->env.mem, p);
	if (m.owner)
		tcp_sent(&t->env, m.owner, m.owner_gen, m.owner_seq_end, t->env.now);
}

/* Flush, and look at all that left. */
static inline void th_flush(struct th *t)
{
	struct pkt *p;

	do {
		while (!t->hold && (p = pktq_pop(t->env.mem, &t->txq)))
			th_record(t, p);
		tcp_flush(&t->env);
	} while (tcp_is_dirty(&t->env) || (!t->hold && t->txq.n));
}

/* Move time to `now + dt`, timers firing on the way. */
static inline void th_run(struct th *t, int64_t dt)
{
	int64_t end = t->env.now + dt;

	for (;;) {
		int64_t next = wheel_next(&t->wheel);
		if (next > end)
			break;
		t->env.now = MAX(t->env.now, next);
		ref_t r = wheel_expire(t->arena, &t->wheel, t->env.now);
		if (r)
			tcp_timeout(&t->env, r);
		th_flush(t);
	}
	t->env.now = end;
	th_flush(t);
}

/* --- what arrives --- */

static inline struct pkt *th_make(struct th *t, const struct tcp_hdr *h, const void *data, uint32_t n)
{
	const struct tcp_path *tp = &th_path(t)->p;
	struct pkt *p = pkt_new(t->env.mem, 128);
	uint8_t hdr[TCP_HLEN_MAX];

	assert_non_null(p);
	assert_int_equal(pkt_append(t->env.mem, p, hdr, tcp_emit(hdr, h)), 0);
	if (n)
		assert_int_equal(pkt_append(t->env.mem, p, data, n), 0);
	uint64_t sum = ip4_pseudo(via_addr_to_v4(&tp->remote), via_addr_to_v4(&tp->local), 6, p->len);
	put_be16(pkt_data(p) + 16, csum_field(pkt_csum(t->env.mem, p, 0, p->len, sum)));
	p->m.l4 = p->head;
	p->m.rx_ns = t->env.now;
	p->m.ecn = t->ecn;
	return p;
}

static inline ref_t th_find(const struct th *t, uint16_t lport, uint16_t rport)
{
	for (int i = 0; i < t->n_nodes; i++) {
		const struct tcp_node *n = arena_at(t->arena, t->nodes[i]);
		if (n->lport == lport && n->rport == rport)
			return t->nodes[i];
	}
	return 0;
}

/* As sock/ demultiplexes. Takes p. */
static inline void th_deliver(struct th *t, struct pkt *p)
{
	const struct tcp_path *tp = &th_path(t)->p;
	uint16_t sport = get_be16(pkt_data(p)), dport = get_be16(pkt_data(p) + 2);
	ref_t node = th_find(t, dport, sport), l = t->listen_port == dport ? t->listener : 0;

	if (node && l && tcp_node_at(&t->env, node)->timer.kind == WHEEL_TCP_TIMEWAIT && tcp_timewait_yields(&t->env, node, p))
		node = 0;
	if (node)
		t->drop = tcp_segment_arrives(&t->env, node, p);
	else if (l)
		t->drop = tcp_listen_arrives(&t->env, l, p, &tp->local, &tp->remote, th_get_path);
	else
		t->drop = tcp_closed_arrives(&t->env, p, &tp->local, &tp->remote);
}

static inline void th_inject(struct th *t, const struct tcp_hdr *h, const void *data, uint32_t n)
{
	th_deliver(t, th_make(t, h, data, n));
	th_flush(t);
}

/* --- the script's peer: one connection, numbers relative to both ISNs --- */

#define TH_LPORT 80
#define TH_RPORT 4000

struct peer {
	uint32_t iss, irs;   /* the peer's own ISN; ours, learnt from our SYN */
	bool ts;
	uint32_t tsval, tsecr;
	uint16_t wnd;
};

static inline struct tcp_hdr th_hdr(const struct peer *q, uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct tcp_hdr){.sport = TH_RPORT, .dport = TH_LPORT, .flags = flags, .seq = q->iss + seq,
				.ack = flags & TCP_ACK ? q->irs + ack : 0, .wnd = q->wnd, .has_ts = q->ts, .tsval = q->tsval, .tsecr = q->tsecr};
}

/* A segment of the peer: seq and ack relative. */
static inline void th_send(struct th *t, const struct peer *q, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, uint32_t n)
{
	struct tcp_hdr h = th_hdr(q, flags, seq, ack);
	th_inject(t, &h, data, n);
}

/* The next segment that left, or NULL. */
static inline const struct th_seg *th_next(struct th *t)
{
	return t->i_out < t->n_out ? &t->out[t->i_out++] : NULL;
}

static inline void th_expect_none(struct th *t)
{
	assert_int_equal(t->n_out - t->i_out, 0);
	t->n_out = t->i_out = 0;
}

/* The next segment has these flags (PSH does not matter), relative numbers and length. */
static inline const struct th_seg *th_expect(struct th *t, const struct peer *q, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	const struct th_seg *s = th_next(t);
	assert_non_null(s);
	assert_int_equal(s->h.flags & ~TCP_PSH, flags);
	assert_int_equal(s->h.seq - q->irs, seq);
	if (flags & TCP_ACK)
		assert_int_equal(s->h.ack - q->iss, ack);
	assert_int_equal(s->len, len);
	return s;
}

/* Forget what left so far. */
static inline void th_drain(struct th *t) { t->n_out = t->i_out = 0; }

enum { TH_OWNER = 1, TH_LISTEN_OWNER = 2 };

static inline void th_listen(struct th *t, uint32_t backlog, const struct tcp_opts *o)
{
	struct via_addr any = via_addr_v4(0);
	t->listener = tcp_user_listen(&t->env, &any, TH_LPORT, backlog, o, TH_LISTEN_OWNER);
	t->listen_port = TH_LPORT;
	assert_int_not_equal(t->listener, 0);
}
static inline void th_unlisten(struct th *t)
{
	tcp_user_unlisten(&t->env, t->listener);
	t->listener = 0;
	t->listen_port = 0;
	th_flush(t);
}

/* Active open to the peer; our SYN is taken off the record. syn: options of the SYN-ACK. Returns the connection, ESTABLISHED. */
static inline ref_t th_connect(struct th *t, struct peer *q, const struct tcp_hdr *synack, const struct tcp_opts *o)
{
	ref_t c;
	th_op_path_hold(t, t->path);
	assert_int_equal(tcp_user_connect(&t->env, t->path, TH_LPORT, TH_RPORT, o, TH_OWNER, &c), 0);
	th_flush(t);
	const struct th_seg *s = th_next(t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, TCP_SYN);
	q->irs = s->h.seq;
	q->tsecr = s->h.tsval;
	struct tcp_hdr h = th_hdr(q, TCP_SYN | TCP_ACK, 0, 1);
	if (synack) {
		h.has_mss = synack->has_mss;
		h.mss = synack->mss;
		h.has_ws = synack->has_ws;
		h.ws = synack->ws;
		h.sack_permitted = synack->sack_permitted;
	}
	th_inject(t, &h, NULL, 0);
	th_expect(t, q, TCP_ACK, 1, 1, 0);
	assert_int_equal(tcp_conn_state(&t->env, c), TCP_ESTABLISHED);
	th_expect_none(t);
	return c;
}

static inline struct tcp_conn *th_conn(struct th *t, ref_t c) { return tcp_conn_at(&t->env, c); }

/* Close whatever is left and let all timers run out. */
static inline void th_finish(struct th *t, ref_t c)
{
	if (c)
		tcp_user_close(&t->env, c, true);
	th_flush(t);
	th_drain(t);
	th_run(t, 70 * NS_PER_S);
	th_assert_clean(t);
	th_fini(t);
}

#endif
