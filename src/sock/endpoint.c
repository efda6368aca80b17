/* sock/endpoint.c - endpoints and their handles.
 *
 * The slot table doubles when full and falls back to SOCK_SLOTS_MIN when the last socket goes. A handle is valid while
 * its slot carries its generation. Limits: env->max_sockets, and the arena. */
#include "sock/endpoint.h"

#include <errno.h>

_Static_assert(sizeof(struct endpoint) <= ENDPOINT_BYTES_MAX, "an idle connection has 512 bytes in all");
_Static_assert(sizeof(struct port_use) <= 64, "an idle connection has 512 bytes in all");

static struct sock_slot *slot_at(const struct sock_env *env, uint32_t i)
{
	return (struct sock_slot *)arena_at(env->arena, tab_of(env)->slots) + i;
}

static void slots_free_from(const struct sock_env *env, uint32_t from)
{
	struct sock_tab *t = tab_of(env);
	for (uint32_t i = t->n_slots; i-- > from;) {
		*slot_at(env, i) = (struct sock_slot){t->free_slot, 0};
		t->free_slot = i + 1;
	}
}

int sock_init(struct sock_env *env, const uint8_t seed[32])
{
	struct arena *a = env->arena;
	env->tab = arena_buf_take(a, sizeof(struct sock_tab));
	if (!env->tab)
		return -ENOMEM;
	struct sock_tab *t = tab_of(env);
	memset(t, 0, sizeof(*t));
	pool_init(a, &t->eps, "endpoint", sizeof(struct endpoint), env->max_sockets);
	pool_init(a, &t->uses, "port_use", sizeof(struct port_use), 0);
	pool_init(a, &t->opts, "ep_opts", sizeof(struct ep_opts), 0);
	t->key_tuple = prf_derive(seed, "sock.tuple");
	t->key_port = prf_derive(seed, "sock.port");
	t->key_auto = prf_derive(seed, "sock.auto");
	t->random.key = prf_derive(seed, "sock.random");
	groups_pool_init(env);
	t->gone_at = INT64_MIN;
	t->rmem_max = t->wmem_max = SOCK_BUF_MAX;
	t->slots = arena_buf_take(a, SOCK_SLOTS_MIN * sizeof(struct sock_slot));
	if (!t->slots || htab_init(a, &t->nodes, offsetof(struct tcp_node, hash_next), offsetof(struct tcp_node, hash)) ||
	    htab_init(a, &t->pairs, offsetof(struct endpoint, hash_next), offsetof(struct endpoint, hash)) ||
	    htab_init(a, &t->ports, offsetof(struct port_use, hash_next), offsetof(struct port_use, hash))) {
		sock_fini(env);
		return -ENOMEM;
	}
	t->n_slots = SOCK_SLOTS_MIN;
	slots_free_from(env, 0);
	return 0;
}

void sock_set_buf_max(struct sock_env *env, uint32_t rmem_max, uint32_t wmem_max)
{
	struct sock_tab *t = tab_of(env);
	t->rmem_max = rmem_max ? rmem_max : t->rmem_max;
	t->wmem_max = wmem_max ? wmem_max : t->wmem_max;
}

/* Give everything back. Connections are left to tcp_fini(), which comes next; listeners it does not know, so they go here:
 * what their queues are told stays in queues that are about to be emptied. */
void sock_fini(struct sock_env *env)
{
	if (!env->tab)
		return;
	struct arena *a = env->arena;
	struct sock_tab *t = tab_of(env);
	for (uint32_t i = 0; i < t->n_slots && t->n_live; i++) {
		if (slot_at(env, i)->gen) {
			struct endpoint *ep = ep_at(env, slot_at(env, i)->ep);
			if (ep->state == EP_LISTEN && env->tcp->tab)
				tcp_user_unlisten(env->tcp, ep->tcp);
			ep->tcp = 0;
			ep_free(env, ep);
		}
	}
	for (ref_t r = htab_any(a, &t->ports); r; r = htab_any(a, &t->ports)) {
		htab_del(a, &t->ports, r);
		pool_give(a, &t->uses, r);
	}
	htab_fini(a, &t->nodes);
	htab_fini(a, &t->pairs);
	htab_fini(a, &t->ports);
	if (t->slots)
		arena_buf_give(a, t->slots, MAX(t->n_slots, SOCK_SLOTS_MIN) * sizeof(struct sock_slot));
	arena_buf_give(a, env->tab, sizeof(*t));
	env->tab = 0;
}

struct endpoint *ep_of(const struct sock_env *env, via_sock s)
{
	uint32_t i = (uint32_t)s - 1, gen = (uint32_t)(s >> 32);
	if (i >= tab_of(env)->n_slots || !gen || slot_at(env, i)->gen != gen)
		return NULL;
	return ep_at(env, slot_at(env, i)->ep);
}

static int slots_grow(struct sock_env *env)
{
	struct sock_tab *t = tab_of(env);
	uint32_t n = t->n_slots * 2, had = t->n_slots;
	ref_t r = n > had ? arena_buf_take(env->arena, n * sizeof(struct sock_slot)) : 0;
	if (!r)
		return -ENOMEM;
	memcpy(arena_at(env->arena, r), slot_at(env, 0), had * sizeof(struct sock_slot));
	arena_buf_give(env->arena, t->slots, had * sizeof(struct sock_slot));
	t->slots = r;
	t->n_slots = n;
	slots_free_from(env, had);
	return 0;
}

static void slots_reset(struct sock_env *env)
{
	struct sock_tab *t = tab_of(env);
	if (t->n_slots == SOCK_SLOTS_MIN)
		return;
	ref_t r = arena_buf_take(env->arena, SOCK_SLOTS_MIN * sizeof(struct sock_slot));
	if (!r)
		return;
	arena_buf_give(env->arena, t->slots, t->n_slots * sizeof(struct sock_slot));
	t->slots = r;
	t->n_slots = SOCK_SLOTS_MIN;
	t->free_slot = 0;
	slots_free_from(env, 0);
}

int ep_new(struct sock_env *env, enum via_type type, uint64_t cookie, struct endpoint **out)
{
	struct sock_tab *t = tab_of(env);
	if (env->max_sockets && t->n_live >= env->max_sockets)
		return -EMFILE;
	if (!t->free_slot && slots_grow(env))
		return -ENOMEM;
	ref_t r = pool_take(env->arena, &t->eps);
	if (!r)
		return -ENOMEM;
	uint32_t i = t->free_slot - 1;
	struct sock_slot *s = slot_at(env, i);
	t->free_slot = s->ep;
	t->gen += t->gen == UINT32_MAX ? 2 : 1;
	*s = (struct sock_slot){r, t->gen};
	t->n_live++;
	struct endpoint *ep = ep_at(env, r);
	ep->type = (uint8_t)type;
	ep->cookie = cookie;
	ep->handle = (uint64_t)t->gen << 32 | (i + 1);
	ep->local = ep->remote = via_addr_v4(0);
	*out = ep;
	return 0;
}

void ep_free(struct sock_env *env, struct endpoint *ep)
{
	struct sock_tab *t = tab_of(env);
	uint32_t i = (uint32_t)ep->handle - 1;
	ASSERT(!ep->tcp);
	ep_unqueue(env, ep);
	if (ep->type == VIA_DGRAM && ep->state == EP_CONN)
		demux_pair_del(env, ep);
	if (t->catch_all[ep->type] == ep_ref(env, ep))
		t->catch_all[ep->type] = 0;
	port_release(env, ep);
	pktq_clear(env->mem, &ep->q);
	groups_release(env, ep);
	if (ep->opts)
		pool_give(env->arena, &t->opts, ep->opts);
	pool_give(env->arena, &t->eps, ep_ref(env, ep));
	*slot_at(env, i) = (struct sock_slot){t->free_slot, 0};
	t->free_slot = i + 1;
	if (!--t->n_live)
		slots_reset(env);
}

const struct ep_opts *ep_opts_of(const struct sock_env *env, const struct endpoint *ep)
{
	return ep->opts ? arena_at(env->arena, ep->opts) : &ep_opts_default;
}

struct ep_opts *ep_opts_own(struct sock_env *env, struct endpoint *ep)
{
	if (!ep->opts) {
		ep->opts = pool_take(env->arena, &tab_of(env)->opts);
		if (!ep->opts)
			return NULL;
		*(struct ep_opts *)arena_at(env->arena, ep->opts) = ep_opts_default;
	}
	return arena_at(env->arena, ep->opts);
}

int ep_err_take(struct endpoint *ep)
{
	int e = ep->err;
	ep->err = 0;
	return -e;
}
