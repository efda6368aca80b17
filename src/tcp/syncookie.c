/* tcp/syncookie.c - SYN cookies: the state of a half-open connection, in our ISN and our timestamp. See the header.
 *
 * Layout as Bernstein's: ISN = F0(four-tuple) + IRS + [minute mod 32 : 5][MSS index : 3][tag : 24], where the tag is SipHash-2-4
 * under a key of its own over the four-tuple, IRS, minute and index. F0 hides the fields and keeps ISNs of different tuples apart;
 * the minute in the top bits lets them rise with time (RFC 6528). A cookie is good for one to two minutes: a blind ACK meets one of
 * the 16 good numbers once in 2^28. Options (window scale, SACK, ECN) live in the low six bits of the SYN-ACK's timestamp, as in
 * Linux; a peer without timestamps gets none of them. The SYN-ACK is not repeated: the peer's SYN is. */
#include "tcp/syncookie.h"

#include "tcp/isn.h"
#include "tcp/rtt.h"

#define PERIOD_NS (60 * NS_PER_S)
#define AGES 2u            /* this period and the one before */
#define TS_BITS 6
#define TS_MASK ((1u << TS_BITS) - 1)
#define TS_NO_WS 15u       /* a shift is at most 14 */
#define TS_SACK (1u << 4)
#define TS_ECN (1u << 5)
#define TAG_BITS 24
#define TAG_MASK ((1u << TAG_BITS) - 1)

/* The largest that does not exceed the peer's is taken: 1460 and 1440 for Ethernet, 1400 and 1300 for tunnels, 1220 for IPv6, 536 for
 * those who say nothing, the floor, and jumbo frames. */
static const uint16_t mss_table[8] = {TCP_MSS_FLOOR, TCP_MSS_DEFAULT4, TCP_MSS_DEFAULT6, 1300, 1400, 1440, 1460, 8960};

static uint32_t minute(const struct tcp_env *env) { return (uint32_t)(env->now / PERIOD_NS); }

static uint64_t prf(const struct tcp_env *env, int which, const struct tcp_synrcvd *q, uint32_t a, uint32_t b)
{
	const struct tcp_node *n = &q->e.node;

	return tcp_tuple_prf(tcp_tab(env)->cookie_key[which], arena_at(env->arena, n->path), n->lport, n->rport, a, b);
}

static uint32_t base_of(const struct tcp_env *env, const struct tcp_synrcvd *q)
{
	return (uint32_t)prf(env, 0, q, 0, 0) + q->irs;
}

static uint32_t tag_of(const struct tcp_env *env, const struct tcp_synrcvd *q, uint32_t when, uint32_t mss)
{
	return (uint32_t)prf(env, 1, q, q->irs, when << 3 | mss) & TAG_MASK;
}

void tcp_cookie_make(struct tcp_env *env, struct tcp_synrcvd *q)
{
	uint32_t i = ARRAY_LEN(mss_table) - 1, when = minute(env);

	while (i && mss_table[i] > q->mss)
		i--;
	q->iss = base_of(env, q) + (when << (TAG_BITS + 3) | i << TAG_BITS | tag_of(env, q, when, i));
	q->ws_ok &= q->ts_ok;
	q->sack_ok &= q->ts_ok;
	q->ecn_ok &= q->ts_ok;
	if (!q->ws_ok)
		q->rcv_ws = q->snd_ws = 0;
}

uint32_t tcp_cookie_tsval(const struct tcp_env *env, const struct tcp_synrcvd *q)
{
	uint32_t now = tcp_ts_now(env, 0), v = (now & ~TS_MASK) | (q->ws_ok ? q->snd_ws : TS_NO_WS) | (q->sack_ok ? TS_SACK : 0) |
					    (q->ecn_ok ? TS_ECN : 0);

	if (seq_lt(now, v)) /* not ahead of our clock: a later segment must not look older (PAWS) */
		v -= 1u << TS_BITS;
	return v + q->ts_offset;
}

static void read_options(const struct tcp_env *env, struct tcp_synrcvd *q, const struct tcp_seg *s)
{
	uint32_t bits = s->h.has_ts ? (s->h.tsecr - q->ts_offset) & TS_MASK : TS_NO_WS;

	q->ts_ok = s->h.has_ts;
	q->ts_recent = s->h.tsval;
	q->snd_ws = bits & 15;
	q->ws_ok = q->snd_ws != TS_NO_WS;
	if (!q->ws_ok)
		q->snd_ws = 0;
	q->sack_ok = bits & TS_SACK;
	q->ecn_ok = bits & TS_ECN && env->ecn;
}

bool tcp_cookie_read(const struct tcp_env *env, struct tcp_synrcvd *q, const struct tcp_seg *s)
{
	uint32_t v = q->iss - base_of(env, q), now = minute(env), mss = v >> TAG_BITS & 7;
	uint32_t age = (now - (v >> (TAG_BITS + 3))) & 31;

	if (age >= AGES || tag_of(env, q, now - age, mss) != (v & TAG_MASK))
		return false;
	q->mss = mss_table[mss];
	read_options(env, q, s);
	return true;
}

bool tcp_cookie_is_out(const struct tcp_env *env, const struct tcp_listener *l)
{
	return l->cookie_at != INT64_MIN && env->now - l->cookie_at < (int64_t)AGES * PERIOD_NS;
}
