/* tcp/fastopen.c - TCP Fast Open. See the header; Linux's net/ipv4/tcp_fastopen.c for corner cases. */
#include "tcp/fastopen.h"

#include "tcp/cc.h"
#include "tcp/recovery.h"
#include "tcp/scoreboard.h"
#include "tcp/tally.h"
#include "tcp/timers.h"

#define FO_OFF offsetof(struct tcp_rare, fo_link)
#define COOKIE_LEN 8            /* of ours */
#define COOKIE_MIN 4
#define KEY_NS (86400 * NS_PER_S)
#define RESET_NS (60 * NS_PER_S)
#define FO_SETS 32u
#define FO_WAYS 4u
#define OPTIONS_MAX 40u         /* left free of text, for what middle boxes add (as Linux) */
#define LOST_MAX 6              /* 60 s << 6 is about an hour */

/* --- the client's cache --- */

struct fo_entry {
	struct via_addr addr;
	uint32_t used_tick;     /* 0: free */
	uint32_t lost_tick;
	uint16_t mss;           /* 0: not known */
	uint8_t len;            /* of the cookie; 0: none */
	uint8_t n_lost;         /* SYNs in a row that went lost with their text */
	uint8_t cookie[TCP_FO_COOKIE_MAX];
};
struct fo_cache {
	struct fo_entry e[FO_SETS][FO_WAYS];
};

static struct fo_entry *set_of(const struct tcp_env *env, const struct via_addr *a)
{
	struct tcp_state_tab *t = tcp_tab(env);
	struct fo_cache *f = arena_at(env->arena, t->fo_cache);

	return f->e[siphash_1_3(t->fo_key, a->b, sizeof(a->b)) % FO_SETS];
}

/* The entry of a, or NULL. */
static struct fo_entry *find(const struct tcp_env *env, const struct via_addr *a)
{
	if (!tcp_tab(env)->fo_cache)
		return NULL;
	struct fo_entry *e = set_of(env, a);
	for (unsigned i = 0; i < FO_WAYS; i++)
		if (e[i].used_tick && via_addr_eq(&e[i].addr, a))
			return &e[i];
	return NULL;
}

/* The same, made if need be. NULL: no memory. */
static struct fo_entry *find_or_make(struct tcp_env *env, const struct via_addr *a)
{
	struct tcp_state_tab *t = tcp_tab(env);
	struct fo_entry *e = find(env, a);

	if (!t->fo_cache) {
		t->fo_cache = arena_buf_take(env->arena, sizeof(struct fo_cache));
		if (!t->fo_cache)
			return NULL;
		memset(arena_at(env->arena, t->fo_cache), 0, sizeof(struct fo_cache));
	}
	if (!e) {
		struct fo_entry *s = e = set_of(env, a);
		for (unsigned i = 1; i < FO_WAYS; i++)
			if (!s[i].used_tick || (e->used_tick && seq_lt(s[i].used_tick, e->used_tick)))
				e = &s[i];
		*e = (struct fo_entry){.addr = *a};
	}
	e->used_tick = MAX(tcp_tick_now(env), 1u);
	return e;
}

void tcp_fastopen_forget(struct tcp_env *env)
{
	struct tcp_state_tab *t = tcp_tab(env);

	if (t->fo_cache)
		arena_buf_give(env->arena, t->fo_cache, sizeof(struct fo_cache));
	t->fo_cache = 0;
}

/* --- client --- */

/* Text there was lost again and again, and lately. */
static bool is_black(const struct tcp_env *env, const struct fo_entry *e)
{
	return e->n_lost > 1 && tcp_since_tick(env, e->lost_tick) < (60 * NS_PER_S) << MIN(e->n_lost, LOST_MAX);
}

static bool needs_no_cookie(const struct tcp_env *env, const struct tcp_rare *r)
{
	return r->opts.fastopen_no_cookie || tcp_tab(env)->set.fastopen & TCP_FASTOPEN_CLIENT_NO_COOKIE;
}

bool tcp_fastopen_may_wait(struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	const struct fo_entry *e = find(env, &tcp_path_of(env, &c->e)->remote);

	if (!r || !r->opts.fastopen || (e && is_black(env, e)))
		return false;
	return needs_no_cookie(env, r) || (e && e->len);
}

uint32_t tcp_fastopen_room(struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	const struct fo_entry *e = find(env, &p->remote);
	uint32_t mss = p->pmtu - p->ip_hlen - TCP_HLEN;

	if (r && r->opts.mss_clamp)
		mss = MIN(mss, r->opts.mss_clamp);
	if (e && e->mss)
		mss = MIN(mss, e->mss);
	return mss - MIN(mss, OPTIONS_MAX);
}

/* A late SYN-ACK of a listener whose key has just changed. */
static uint32_t syn_ack_option(struct tcp_env *env, const struct tcp_conn *c, struct tcp_rare *r, struct tcp_hdr *h)
{
	h->fo_exp = r->fo_exp;
	if (r->fo_give && r->fo_listener)
		tcp_fastopen_give(env, tcp_listener_at(env, r->fo_listener), tcp_path_of(env, &c->e), h);
	r->fo_give = false;
	return 0;
}

uint32_t tcp_fastopen_syn(struct tcp_env *env, struct tcp_conn *c, struct tcp_hdr *h)
{
	struct tcp_rare *r = tcp_rare_of(env, c);
	const struct fo_entry *e = find(env, &tcp_path_of(env, &c->e)->remote);

	if (r && c->state == TCP_SYN_RECEIVED)
		return syn_ack_option(env, c, r, h);
	if (!r || !r->opts.fastopen || (e && is_black(env, e)))
		return 0;
	r->fo = TCP_FO_ASKS;
	h->has_fo = !needs_no_cookie(env, r);
	if (h->has_fo && e) {
		h->fo_len = e->len;
		memcpy(h->fo, e->cookie, e->len);
	}
	if (h->has_fo && !h->fo_len)
		tcp_tally(env, c)->fo_fail = TCP_FO_FAIL_COOKIE;
	uint32_t n = MIN(sbuf_len(&c->snd), tcp_fastopen_room(env, c));
	if (!n || (h->has_fo && !h->fo_len))
		return 0;
	r->fo = TCP_FO_DATA;
	c->peer_mss = (uint16_t)(n + OPTIONS_MAX); /* what the peer said the last time: one segment, no superframe */
	tcp_conn_update_mss(env, c);
	return n;
}

static void learn(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_rare *r, const struct tcp_seg *s, bool is_lost)
{
	struct fo_entry *e = find_or_make(env, &tcp_path_of(env, &c->e)->remote);

	if (!e)
		return;
	if (s->h.has_mss)
		e->mss = tcp_mss_peer(tcp_path_of(env, &c->e), s->h.mss);
	/* One that nobody asked for, or of a wrong length, is none (§4.1.1). */
	if (s->h.has_fo && s->h.fo_len >= COOKIE_MIN && s->h.fo_len % 2 == 0 && !needs_no_cookie(env, r)) {
		e->len = s->h.fo_len;
		memcpy(e->cookie, s->h.fo, e->len);
	}
	if (is_lost) {
		e->n_lost += e->n_lost < LOST_MAX;
		e->lost_tick = tcp_tick_now(env);
	} else {
		e->n_lost = 0;
	}
}

bool tcp_fastopen_answered(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	struct tcp_rare *r = tcp_rare_of(env, c);
	struct tcp_active *a = tcp_active_of(env, c);

	if (!r || (r->fo != TCP_FO_ASKS && r->fo != TCP_FO_DATA))
		return false;
	bool is_left = c->snd_una != c->snd_nxt;
	learn(env, c, r, s, is_left && c->rto_3s && !s->h.has_fo);
	r->fo_text = r->fo == TCP_FO_DATA && !is_left;
	if (is_left)
		tcp_tally(env, c)->fo_fail = c->rto_3s ? TCP_FO_FAIL_SYN_AGAIN : TCP_FO_FAIL_NOT_ACKED;
	r->fo = TCP_FO_ANSWERED;
	for (uint16_t i = 0; is_left && i < a->sent.n; i++)
		tcp_mark_lost(env, c, a, i, c->sack_ok ? WHY_RETRANS_SACK : WHY_RETRANS_FAST);
	if (is_left) /* refused, not lost; also if the link takes it only after more has arrived (as Linux) */
		tcp_recovery_repair(env, c, a);
	return is_left;
}

/* --- server --- */

static struct prf_key key_of_day(const struct tcp_env *env, uint32_t day)
{
	struct prf_key k = tcp_tab(env)->fo_key;
	uint32_t a[2] = {day, 0}, b[2] = {day, 1};

	return (struct prf_key){siphash_2_4(k, a, sizeof(a)), siphash_2_4(k, b, sizeof(b))};
}

/* Key number i of listener l: 0 gives and takes, 1 only takes. False: there is none. */
static bool key_of(const struct tcp_env *env, const struct tcp_listener *l, int i, struct prf_key *k)
{
	const struct tcp_settings *set = &tcp_tab(env)->set;
	const struct prf_key *keys = l->fo_n_keys ? l->fo_keys : set->fo_keys;
	unsigned n = l->fo_n_keys ? l->fo_n_keys : set->fo_n_keys;

	*k = n ? keys[i] : key_of_day(env, (uint32_t)(env->now / KEY_NS) - (uint32_t)i);
	return !n || (unsigned)i < n;
}

void tcp_fastopen_keys(const uint8_t *bytes, uint32_t len, struct prf_key out[2])
{
	for (uint32_t i = 0; i < len / TCP_FO_KEY_LEN; i++, bytes += TCP_FO_KEY_LEN)
		out[i] = (struct prf_key){sip_le64(bytes, 8), sip_le64(bytes + 8, 8)};
}

static void cookie_of(struct prf_key k, const struct tcp_path *p, uint8_t out[COOKIE_LEN])
{
	uint8_t text[32];
	bool v4 = via_addr_is_v4(&p->remote);
	size_t n = v4 ? 4 : 16;

	memcpy(text, p->remote.b + 16 - n, n);
	memcpy(text + n, p->local.b + 16 - n, n);
	uint64_t h = siphash_2_4(k, text, 2 * n);
	for (unsigned i = 0; i < COOKIE_LEN; i++)
		out[i] = (uint8_t)(h >> 8 * i);
}

/* Room for one more that waits for its third ACK? */
static bool has_room(struct tcp_env *env, struct tcp_listener *l)
{
	if (l->fo_resets && env->now >= l->fo_reset_until)
		l->fo_resets = 0;
	return l->fo.n + l->fo_resets < l->fo_max;
}

enum tcp_fo_verdict tcp_fastopen_judge(struct tcp_env *env, struct tcp_listener *l, const struct tcp_seg *s, const struct tcp_path *p)
{
	uint16_t set = tcp_tab(env)->set.fastopen;
	bool no_cookie = set & TCP_FASTOPEN_SERVER_NO_COOKIE || l->opts.fastopen_no_cookie;
	uint8_t want[COOKIE_LEN];
	struct prf_key k;

	if (!(set & TCP_FASTOPEN_SERVER) || (!s->h.has_fo && !s->len) || !has_room(env, l))
		return TCP_FO_IGNORE;
	if (no_cookie)
		return TCP_FO_OPEN;
	if (!s->h.has_fo)
		return TCP_FO_IGNORE;
	for (int i = 0; i < 2 && s->h.fo_len == COOKIE_LEN && key_of(env, l, i, &k); i++) {
		cookie_of(k, p, want);
		uint8_t diff = 0;
		for (unsigned j = 0; j < COOKIE_LEN; j++) /* in a time that tells nothing */
			diff |= want[j] ^ s->h.fo[j];
		if (!diff)
			return i ? TCP_FO_OPEN_GIVE : TCP_FO_OPEN;
	}
	return TCP_FO_GIVE;
}

void tcp_fastopen_give(struct tcp_env *env, const struct tcp_listener *l, const struct tcp_path *p, struct tcp_hdr *h)
{
	struct prf_key k;

	key_of(env, l, 0, &k);
	h->has_fo = true;
	h->fo_len = COOKIE_LEN;
	cookie_of(k, p, h->fo);
}

void tcp_fastopen_pend(struct tcp_env *env, ref_t listener, struct tcp_conn *c, bool give)
{
	struct tcp_rare *r = tcp_rare_of(env, c);

	r->fo = TCP_FO_PENDING;
	r->fo_text = sbuf_len(&c->rcv) != 0;
	r->fo_give = give;
	r->fo_listener = listener;
	list_push_tail(env->arena, &tcp_listener_at(env, listener)->fo, c->rare, FO_OFF);
}

void tcp_fastopen_settled(struct tcp_env *env, struct tcp_conn *c, bool was_reset)
{
	struct tcp_rare *r = tcp_rare_of(env, c);

	if (!r || r->fo != TCP_FO_PENDING)
		return;
	r->fo = TCP_FO_SERVED;
	if (!r->fo_listener)
		return;
	struct tcp_listener *l = tcp_listener_at(env, r->fo_listener);
	list_remove(env->arena, &l->fo, c->rare, FO_OFF);
	r->fo_listener = 0;
	if (was_reset) {
		l->fo_resets++;
		l->fo_reset_until = env->now + RESET_NS;
	}
}

void tcp_fastopen_unlisten(struct tcp_env *env, struct tcp_listener *l)
{
	ref_t r;

	while ((r = list_pop_head(env->arena, &l->fo, FO_OFF)))
		((struct tcp_rare *)arena_at(env->arena, r))->fo_listener = 0;
}
