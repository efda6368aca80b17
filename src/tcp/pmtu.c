/* tcp/pmtu.c - how large a segment may be. See the header. */
#include "tcp/pmtu.h"

#include "tcp/recovery.h"
#include "tcp/rtt.h"

#define FLOOR4 552u                         /* as Linux's min_pmtu; RFC 1191 §3 has 68 */
#define FLOOR6 1280u                        /* RFC 8200 §5 */
#define THRESHOLD 8u                        /* bytes: a search that narrow is over (Linux: tcp_probe_threshold) */
#define SEARCH_AGAIN_NS (600 * NS_PER_S)    /* RFC 4821 §7.3: a raise timer of 10 min; Linux: tcp_probe_interval */
#define TRIES 2u
#define BEHIND (TCP_DUP_THRESH + 1u)        /* segments after a probe that show its loss */

static uint32_t headers(const struct tcp_path *p) { return p->ip_hlen + TCP_HLEN; }
/* Options of each segment of c. */
static uint32_t options(const struct tcp_conn *c) { return c->ts_ok ? TCP_TS_OPT_LEN : 0; }
/* The IP packet of n bytes of c's data. */
static uint32_t packet(const struct tcp_conn *c, const struct tcp_path *p, uint32_t n) { return n + options(c) + headers(p); }

uint32_t tcp_pmtu_base(const struct tcp_env *env, const struct tcp_path *p)
{
	uint32_t mtu = MAX(env->base_mss, TCP_MSS_FLOOR) + headers(p);

	return p->ip_hlen == 40 ? MAX(mtu, FLOOR6) : mtu;
}

/* --- down --- */

static void set_tcp_mtu(struct tcp_env *env, ref_t path, uint32_t mtu)
{
	struct tcp_path *p = arena_at(env->arena, path);

	p->tcp_mtu = mtu < p->pmtu ? mtu : 0;
	p->probe_lost = 0;
	p->probe_at = env->now;
	p->gen++;
	tcp_path_changed(env, path);
}

void tcp_pmtu_too_big(struct tcp_env *env, struct tcp_conn *c, uint32_t mtu)
{
	ref_t path = c->e.node.path;
	struct tcp_path *p = arena_at(env->arena, path);
	struct tcp_active *a = tcp_active_of(env, c);

	mtu = MAX(mtu, p->ip_hlen == 40 ? FLOOR6 : FLOOR4); /* PM-002 */
	if (mtu >= p->pmtu)
		return;
	p->pmtu = mtu;
	p->probe_max = 0;
	p->tcp_mtu = p->tcp_mtu < mtu ? p->tcp_mtu : 0;
	p->gen++;
	if (a && a->probe_len && packet(c, p, a->probe_len) > mtu) {
		uint32_t lo = a->probe_seq, hi = lo + a->probe_len;
		a->probe_len = 0;
		p->probe_at = env->now;
		tcp_recovery_mtu(env, c, a, lo, hi);
	}
	tcp_path_changed(env, path);
}

void tcp_pmtu_raised(const struct tcp_env *env, struct tcp_path *p, uint32_t was)
{
	if (env->mtu_probing == 0 || p->tcp_mtu || p->is_loopback || was >= p->pmtu)
		return;
	p->tcp_mtu = was;
	p->probe_max = 0;
	p->probe_lost = 0;
	p->probe_at = env->now;
}

void tcp_pmtu_timeout(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	ref_t path = c->e.node.path;
	struct tcp_path *p = arena_at(env->arena, path);
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);

	if (env->mtu_probing == 0 || p->is_loopback || a->retries < TCP_RETRIES1 || p->full_at > a->since)
		return;
	uint32_t now = packet(c, p, c->mss), base = tcp_pmtu_base(env, p);
	uint32_t next = now > base ? base : MAX((now - headers(p)) / 2, TCP_MSS_FLOOR) + headers(p);
	if (p->ip_hlen == 40)
		next = MAX(next, FLOOR6);
	if (packet(c, p, MIN(r->end - r->seq, c->mss)) <= next) /* what is stuck is not that large */
		return;
	p->probe_max = 0;
	p->full_at = -1;
	set_tcp_mtu(env, path, next);
}

void tcp_pmtu_gave_up(struct tcp_env *env, struct tcp_conn *c)
{
	ref_t path = c->e.node.path;
	const struct tcp_path *p = arena_at(env->arena, path);

	if (p->tcp_mtu && p->full_at < 0)
		set_tcp_mtu(env, path, UINT32_MAX);
}

/* --- what arrived --- */

/* Found, to within the threshold? Then that holds for a while. */
static void search_ends(const struct tcp_env *env, struct tcp_path *p)
{
	if (!p->probe_max || p->probe_max >= p->tcp_mtu + THRESHOLD)
		return;
	p->probe_max = 0;
	p->probe_at = env->now + SEARCH_AGAIN_NS;
}

static void probe_won(struct tcp_env *env, struct tcp_conn *c, uint32_t mtu)
{
	ref_t path = c->e.node.path;
	struct tcp_path *p = arena_at(env->arena, path);

	if (!p->tcp_mtu || mtu <= p->tcp_mtu || p->pmtu < mtu)
		return;
	set_tcp_mtu(env, path, mtu);
	search_ends(env, p);
}

/* Did what is about to be acknowledged hold a segment as large as the path lets TCP send? */
static bool has_full(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, uint32_t ack)
{
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);

	for (unsigned i = 0; i < a->sent.n && seq_le(r[i].end, ack); i++)
		if (r[i].end - r[i].seq >= c->mss)
			return true;
	return false;
}

void tcp_pmtu_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t ack)
{
	struct tcp_path *p = tcp_path_of(env, &c->e);

	/* Once a second is enough to tell a black hole from a dead peer. */
	if ((p->full_at < 0 || env->now - p->full_at >= NS_PER_S) && packet(c, p, c->mss) == tcp_pmtu_of(p) && has_full(env, c, a, ack))
		p->full_at = env->now;
	if (!a->probe_len || seq_lt(ack, a->probe_seq + a->probe_len))
		return;
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent) + tcp_ranges_find(env->arena, &a->sent, a->probe_seq);
	uint32_t mtu = packet(c, p, a->probe_len);
	a->probe_len = 0;
	if (!(r->flags & TCP_RANGE_EVER)) /* else its pieces arrived, which says nothing */
		probe_won(env, c, mtu);
}

/* --- up --- */

/* The largest packet that c could try. */
static uint32_t ceiling(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_path *p)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t mss = r && r->opts.mss_clamp ? MIN(c->peer_mss, MAX(r->opts.mss_clamp, TCP_MSS_FLOOR)) : c->peer_mss;

	return MIN(mss + headers(p), p->probe_max ? MIN(p->probe_max, p->pmtu) : p->pmtu);
}

uint32_t tcp_pmtu_probe(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a, uint32_t usable)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);

	if (!p->tcp_mtu || env->now < p->probe_at || env->mtu_probing == 0)
		return 0;
	if (a->probe_len || a->ca != TCP_CA_OPEN || a->sent.sacked || a->sent.lost || a->sent.n > TCP_RANGES_MAX / 2)
		return 0;
	uint32_t top = ceiling(env, c, p), pipe = tcp_pipe(c, a), room = c->cwnd > pipe ? c->cwnd - pipe : 0;
	if (top < p->tcp_mtu + THRESHOLD)
		return 0;
	uint32_t mtu = p->probe_max ? (p->tcp_mtu + top + 1) / 2 : top, n = mtu - headers(p) - options(c);
	if (MIN(MIN(tcp_unsent(c), usable), c->cwnd) < n + BEHIND * c->mss)
		return 0;
	return room >= n ? n : TCP_MTU_PROBE_WAIT;
}

void tcp_pmtu_probe_sent(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t seq, uint32_t n)
{
	struct tcp_path *p = tcp_path_of(env, &c->e);

	a->probe_seq = seq;
	a->probe_len = n;
	p->probe_at = env->now + 2 * tcp_rto(c); /* the others of this path wait for the answer */
}

void tcp_pmtu_probe_failed(struct tcp_env *env, struct tcp_conn *c)
{
	tcp_path_of(env, &c->e)->probe_at = env->now + NS_PER_S;
}

/* A packet of mtu was lost for its size, as it seems. */
static void probe_lost(struct tcp_env *env, struct tcp_path *p, uint32_t mtu)
{
	p->probe_at = env->now;
	if (!p->tcp_mtu || mtu <= p->tcp_mtu || ++p->probe_lost < TRIES)
		return;
	p->probe_lost = 0;
	p->probe_max = mtu - 1;
	search_ends(env, p);
}

bool tcp_pmtu_only_probe_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	uint32_t end = a->probe_seq + a->probe_len, lost = 0;

	if (!a->probe_len || seq_lt(a->probe_seq, c->snd_una))
		return false;
	for (unsigned i = tcp_ranges_find(env->arena, &a->sent, a->probe_seq); i < a->sent.n && seq_lt(v[i].seq, end); i++)
		lost += v[i].flags & TCP_RANGE_LOST ? v[i].end - v[i].seq : 0;
	if (lost != a->sent.lost || (!lost && a->probe_seq != c->snd_una))
		return false;
	struct tcp_path *p = tcp_path_of(env, &c->e);
	probe_lost(env, p, packet(c, p, a->probe_len));
	a->probe_len = 0;
	return true;
}
