/* drill/match.c - packets in and out of a running script.
 *
 * The stack's link takes no superframes, so a script's large segment is put together from the MSS-sized frames of one burst:
 * all of one size but the last; PSH may stand on any (a superframe's last piece has it, as in Linux), FIN on the last only. What a
 * script does not say (window, options under <...>, TOS) is not compared. Checksums and every byte of payload are, always. */
#include "drill/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/tcp.h"

/* A packet that left, read. */
struct seen {
	struct drill_packet k;     /* in the script's numbers once `flow` is known */
	struct drill_packet live;
	struct drill_tuple t;
	struct drill_flow *flow;
	const uint8_t *body;
	int64_t at;                /* script time */
};

void drill_sent_drop(struct drill_run *r)
{
	struct drill_sent *s = r->sent;
	r->sent = s->next;
	if (!r->sent)
		r->sent_end = &r->sent;
	r->n_sent--;
	free(s);
}

static bool read_first(struct drill_run *r, const struct drill_packet *want, struct seen *s)
{
	const char *why;
	*s = (struct seen){.at = r->sent->at - r->begin};
	if (!drill_packet_read(r->sent->bytes, r->sent->len, &s->live, &s->t, &s->body, &why))
		return drill_fail(r, r->e->line, "the stack sent a packet at %s and %s", drill_seconds(s->at), why);
	s->k = s->live;
	enum drill_proto proto = s->k.proto;
	s->flow = proto == DRILL_ICMP ? NULL : drill_flow_of(r, proto, &s->t);
	if (s->flow && proto == DRILL_TCP)
		drill_flow_seen(s->flow, want, &s->k);
	return true;
}

/* Show in `seen` only what the script speaks of, so that two lines that look the same are the same. */
static void show_alike(const struct drill_packet *want, struct seen *s)
{
	s->k.tos_check = want->tos_check == TOS_ECT01 ? TOS_ECN : want->tos_check;
	if (want->tos_check == TOS_ECN)
		s->k.tos &= 3;
	if (!want->ttl)
		s->k.ttl = 0;
	if (want->sport) {
		s->k.sport = s->t.sport;
		s->k.dport = s->t.dport;
	}
	if (want->wnd < 0 && want->proto == s->k.proto)
		s->k.wnd = -1;
}

static bool mismatch(struct drill_run *r, const struct drill_event *e, struct seen *s, const char *what)
{
	char a[DRILL_LINE_MAX], b[DRILL_LINE_MAX], x[DRILL_LINE_MAX + 32], y[DRILL_LINE_MAX + 32];
	show_alike(e->packet, s);
	snprintf(x, sizeof(x), "%-10s %s", e->when == DRILL_ANY ? "*" : drill_seconds(e->at_ns), drill_packet_text(e->packet, a));
	snprintf(y, sizeof(y), "%-10s %s", drill_seconds(s->at), drill_packet_text(&s->k, b));
	drill_fail(r, e->line, "the packet sent is not the one expected: %s", what);
	drill_sides(r, x, y);
	return false;
}

static const char *options_differ(struct drill_run *r, struct drill_packet *want, struct drill_packet *k)
{
	if (want->any_options)
		return NULL;
	if (want->n_opts != k->n_opts)
		return "other TCP options";
	uint8_t *ts = drill_opt_ts(k), *wts = drill_opt_ts(want);
	if (!ts != !wts)
		return "other TCP options";
	if (ts) {
		int32_t off = (int32_t)(get_be32(ts + 2) - get_be32(wts + 2));
		if (r->cfg.ts_tick_ns && (off < 0 ? -(int64_t)off : off) * r->cfg.ts_tick_ns > r->cfg.tolerance_ns)
			return "another TS val";
		if (r->how->strict && memcmp(ts + 6, wts + 6, 4) != 0)
			return "another TS ecr";
		memcpy(wts + 2, ts + 2, 8);
	}
	return memcmp(want->opts, k->opts, k->n_opts) ? "other TCP options" : NULL;
}

static const char *ip_differs(const struct drill_packet *want, const struct drill_packet *k)
{
	if ((want->tos_check == TOS_ECN && (k->tos & 3) != want->tos) || (want->tos_check == TOS_ECT01 && (k->tos & 3) % 3 == 0))
		return "another ECN field";
	if (want->tos_check == TOS_EXACT && k->tos != want->tos)
		return "another TOS";
	return want->ttl && want->ttl != k->ttl ? "another TTL" : NULL;
}

static const char *tcp_differs(struct drill_run *r, const struct drill_packet *expected, struct drill_packet *k)
{
	struct drill_packet want = *expected;
	if (want.flags != k->flags)
		return "other flags";
	if (want.seq != k->seq)
		return "another sequence number";
	if (want.payload != k->payload)
		return "another length";
	if (k->flags & TCP_ACK && want.ack != k->ack)
		return "another ACK number";
	if (want.wnd >= 0 && want.wnd != k->wnd)
		return "another window";
	if (want.urg != k->urg)
		return "another urgent pointer";
	return options_differ(r, &want, k);
}

static const char *differs(struct drill_run *r, const struct drill_packet *want, struct drill_packet *k)
{
	if (want->proto != k->proto)
		return "another protocol";
	const char *ip = ip_differs(want, k);
	if (ip)
		return ip;
	if (want->proto == DRILL_TCP)
		return tcp_differs(r, want, k);
	if (want->proto == DRILL_UDP)
		return want->payload != k->payload ? "another length" : NULL;
	if (want->type != k->type || want->code != k->code)
		return "another ICMP message";
	if (want->mtu >= 0 && want->mtu != k->mtu)
		return "another MTU";
	return want->id != k->id ? "another id" : NULL;
}

/* Every byte must be the one that belongs at its place. */
static bool payload_is_right(struct drill_run *r, const struct drill_event *e, struct seen *s)
{
	uint32_t at = 0;
	if (s->live.proto == DRILL_ICMP || (s->flow && s->flow->was_urgent))
		return true;
	if (s->flow && s->live.proto == DRILL_TCP)
		at = s->live.seq - s->flow->live_isn + !!(s->live.flags & TCP_SYN);
	for (uint32_t i = 0; i < s->live.payload; i++)
		if (s->body[i] != drill_byte(at + i))
			return mismatch(r, e, s, "the payload is not the data written there");
	return true;
}

/* Take the frame that goes on where *s ends, if the next one does. */
static bool join_next(struct drill_run *r, const struct drill_event *e, struct seen *s, uint32_t full)
{
	struct seen n;
	struct drill_packet *k = &s->k;
	if (!r->sent || r->sent->at - r->begin != s->at || k->payload % full || k->flags & (TCP_FIN | TCP_SYN | TCP_RST))
		return false;
	if (!read_first(r, e->packet, &n) || n.flow != s->flow || n.k.proto != DRILL_TCP || n.k.payload > full || n.k.payload == 0)
		return false;
	if (n.k.seq != k->seq + k->payload || n.k.ack != k->ack || (n.k.flags | TCP_PSH | TCP_FIN) != (k->flags | TCP_PSH | TCP_FIN))
		return false;
	if (k->payload + n.k.payload > e->packet->payload || !payload_is_right(r, e, &n))
		return false;
	k->payload += n.k.payload;
	k->flags = n.k.flags;
	drill_sent_drop(r);
	return true;
}

/* Wait for a packet: to the end of the time it may take, and 2 s more, to say when it came instead. */
static bool wait_for_packet(struct drill_run *r, const struct drill_event *e)
{
	int64_t until = e->when == DRILL_ANY ? r->now + 1000000 * NS_PER_S : r->begin + e->end_ns + 2 * NS_PER_S;
	if (!r->sent && !drill_pass(r, MAX(until, r->now), true))
		return false;
	if (r->sent)
		return true;
	char a[DRILL_LINE_MAX], x[DRILL_LINE_MAX + 32];
	snprintf(x, sizeof(x), "%-10s %s", e->when == DRILL_ANY ? "*" : drill_seconds(e->at_ns), drill_packet_text(e->packet, a));
	drill_fail(r, e->line, "no packet was sent");
	drill_sides(r, x, "nothing");
	return false;
}

bool drill_expect(struct drill_run *r, const struct drill_event *e)
{
	struct seen s;
	const struct drill_packet *want = e->packet;
	if (!wait_for_packet(r, e) || !read_first(r, want, &s))
		return false;
	const struct drill_flow *mine = drill_flow_for(r, want);
	if (want->proto == s.k.proto && want->proto != DRILL_ICMP && s.flow != mine)
		return mismatch(r, e, &s, "it belongs to another connection");
	uint32_t full = MAX(s.k.payload, 1u);
	if (!payload_is_right(r, e, &s))
		return false;
	struct drill_sent *first = r->sent; /* s.body points into it */
	r->sent = first->next;
	r->n_sent--;
	if (!r->sent)
		r->sent_end = &r->sent;
	while (want->proto == DRILL_TCP && s.k.payload < want->payload && join_next(r, e, &s, full))
		;
	free(first);
	if (r->has_failed)
		return false;
	const char *what = differs(r, want, &s.k);
	if (what)
		return mismatch(r, e, &s, what);
	return e->when == DRILL_ANY || drill_in_time(r, e, e->at_ns, e->end_ns, s.at, "this packet was sent");
}

/* The port of the first listener, or 0. */
static uint16_t listening_port(struct drill_run *r)
{
	for (int fd = 0; fd < DRILL_FILES; fd++) {
		const struct drill_file *file = &r->files[fd];
		struct via_sockaddr local;
		if (file->kind == FILE_SOCKET && file->listens && via_local(r->v, file->s, &local) == 0)
			return local.port;
	}
	return 0;
}

/* The flow of a packet to inject. A SYN opens one if somebody listens; so does any packet of which no flow is known, from a
 * port of its own. */
static struct drill_flow *flow_to_inject(struct drill_run *r, const struct drill_packet *k)
{
	struct drill_flow *now = drill_flow_now(r);
	enum drill_proto proto = k->proto == DRILL_ICMP ? k->quoted : k->proto;
	uint16_t port = proto == DRILL_TCP ? listening_port(r) : 0, to = port ? port : r->cfg.bind_port;
	if (k->sport) {
		struct drill_tuple named = {.dst = r->cfg.remote, .sport = k->dport, .dport = k->sport};
		struct drill_flow *known = drill_flow_of(r, proto, &named);
		return known ? known : drill_flow_new(r, proto, r->cfg.remote, k->dport, k->sport, -1);
	}
	bool opens = k->proto == DRILL_TCP && (k->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && port;
	if (now && now->proto == proto && !opens)
		return now;
	return drill_flow_new(r, proto, r->cfg.remote, to, proto == DRILL_TCP ? r->next_port++ : r->cfg.connect_port, -1);
}

bool drill_inject(struct drill_run *r, const struct drill_event *e)
{
	static _Thread_local uint8_t bytes[DRILL_WIRE_MAX];
	struct drill_packet k = *e->packet;
	struct drill_flow *f = flow_to_inject(r, &k);
	if (!f)
		return false;
	if (k.flags & TCP_URG)
		f->was_urgent = true;
	struct drill_wire w = {.t = {f->remote, r->cfg.local, f->rport, f->lport}, .id = ++r->ip_id};
	w.payload_at = k.proto != DRILL_TCP ? 0 : k.flags & TCP_SYN ? 1 : k.seq;
	if (!drill_flow_inject(r, f, &k))
		return false;
	size_t len = drill_packet_build(&k, &w, bytes);
	if (len == 0 || via_buffer_push(r->link, bytes, len, r->now))
		return drill_fail(r, e->line, "this packet does not fit an IPv4 packet");
	return true;
}

bool drill_nothing_left(struct drill_run *r)
{
	char b[DRILL_LINE_MAX], y[DRILL_LINE_MAX + 32];
	struct seen s;
	if (!r->sent || !read_first(r, NULL, &s))
		return !r->has_failed;
	s.k.tos_check = s.k.tos & 3 ? TOS_ECN : TOS_ANY;
	s.k.ttl = 0;
	snprintf(y, sizeof(y), "%-10s %s", drill_seconds(s.at), drill_packet_text(&s.k, b));
	drill_fail(r, r->e->line, "a packet was sent that no event expects");
	drill_sides(r, "nothing", y);
	return false;
}
