/* tcp/sack.c - the SACK blocks we send. See the header. */
#include "tcp/sack.h"

/* The block of the newest segment, then older news, behind what h has. */
static void add_blocks(struct tcp_env *env, const struct tcp_active *a, struct tcp_hdr *h)
{
	const struct ivset *ooo = a->ooo ? arena_at(env->arena, a->ooo) : NULL;
	unsigned first = h->n_sack; /* the block that holds the duplicate follows it, even if it is the same (RFC 2883 §4.2) */

	for (unsigned i = 0; ooo && i < a->n_recent && h->n_sack < TCP_SACK_MAX; i++) {
		uint16_t at = ivset_find(ooo, a->recent[i]);
		bool seen = at == ooo->n || seq_lt(a->recent[i], ooo->v[at].lo);
		for (unsigned k = first; k < h->n_sack && !seen; k++)
			seen = h->sack[k].lo == ooo->v[at].lo && h->sack[k].hi == ooo->v[at].hi;
		if (!seen)
			h->sack[h->n_sack++] = ooo->v[at];
	}
}

void tcp_sack_of_ack(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, struct tcp_hdr *h)
{
	if (!a || !c->sack_ok)
		return;
	if (a->has_dsack)
		h->sack[h->n_sack++] = a->dsack;
	a->has_dsack = false;
	add_blocks(env, a, h);
}

/* Bytes that the blocks of h take beside its timestamps, once the header has left out what is too much for it. */
static uint32_t size_of_blocks(const struct tcp_hdr *h)
{
	struct tcp_hdr bare = {.has_ts = h->has_ts}, full = {.has_ts = h->has_ts, .n_sack = h->n_sack};

	return tcp_emit_len(&full) - tcp_emit_len(&bare);
}

void tcp_sack_of_data(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a, struct tcp_hdr *h, uint32_t room)
{
	if (!c->sack_ok)
		return;
	add_blocks(env, a, h);
	while (h->n_sack && size_of_blocks(h) > room)
		h->n_sack--;
}

uint32_t tcp_sack_seg_size(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a)
{
	struct tcp_hdr h = {.has_ts = c->ts_ok};

	if (!a->ooo || !c->sack_ok)
		return c->mss;
	add_blocks(env, a, &h);
	return c->mss - size_of_blocks(&h);
}
