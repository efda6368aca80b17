/* tcp/memory.c - the stack's memory budget. See the header. */
#include "tcp/memory.h"

#include <errno.h>

#include "tcp/autotune.h"
#include "tcp/input.h"

#define STALL_OFF offsetof(struct tcp_active, stall)
#define ALL_OFF offsetof(struct tcp_entry, all)

/* Bytes of the region packet memory lives in: a half is pressure; send buffers may never have the last quarter. */
void tcp_mem_defaults(const struct tcp_env *env, struct tcp_settings *set)
{
	uint64_t all = arena_bytes_cap(env->mem->home);

	set->mem_low = all / 8 * 3;
	set->mem_pressure = all / 2;
	set->mem_high = all / 4 * 3;
}

void tcp_mem_changed(struct tcp_env *env, const struct sbuf *s, uint32_t was)
{
	struct tcp_memory *m = &tcp_tab(env)->memory;
	const struct tcp_settings *set = tcp_settings_of(env);
	uint8_t old = m->state;

	m->used = m->used + s->charged - was;
	if (m->used > set->mem_high)
		m->state = TCP_MEM_FULL;
	else if (m->used > set->mem_pressure || (old && m->used >= set->mem_low))
		m->state = TCP_MEM_PRESSURE;
	else
		m->state = TCP_MEM_FREE;
	m->n_pressure += old == TCP_MEM_FREE && m->state;
	m->n_full += old != TCP_MEM_FULL && m->state == TCP_MEM_FULL;
}

void tcp_mem_forget(struct tcp_env *env, ref_t node)
{
	struct tcp_memory *m = &tcp_tab(env)->memory;

	if (m->cursor == node)
		m->cursor = list_next(env->arena, node, ALL_OFF);
}

/* --- pressure --- */

static void prune(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t was = c->rcv.charged;

	if (a && tcp_reorder_has(a)) {
		tcp_buf_cut(env, &c->rcv, c->rcv.end);
		tcp_reorder_free(env, a);
		tcp_tab(env)->memory.pruned += was - c->rcv.charged;
	}
	if (!(r && r->opts.rcvbuf)) /* what was offered stays: window.c moves no edge to the left */
		c->rcvbuf = MIN(c->rcvbuf, MAX(4u * MAX(c->rcv_mss, c->mss), TCP_BUF_MIN));
}

static void reclaim_cap(struct tcp_env *env)
{
	const uint64_t cap = tcp_settings_of(env)->stalled_max;

	if (cap && tcp_tab(env)->memory.stalled > cap)
		tcp_mem_reclaim(env, cap);
}

void tcp_mem_relieve(struct tcp_env *env)
{
	struct tcp_state_tab *t = tcp_tab(env);
	struct tcp_memory *m = &t->memory;

	reclaim_cap(env);
	if (m->state == TCP_MEM_FREE)
		return;
	for (uint32_t n = MIN(t->all.n, TCP_MEM_VISITS); n > 0 && m->state != TCP_MEM_FREE; n--) {
		ref_t r = m->cursor ? m->cursor : t->all.head;
		m->cursor = list_next(env->arena, r, ALL_OFF);
		struct tcp_conn *c = arena_at(env->arena, r);
		if (c->e.node.timer.kind == WHEEL_TCP_CONN && c->state != TCP_CLOSED) {
			prune(env, c);
			tcp_conn_settle(env, c);
		}
	}
}

/* --- zero windows --- */

void tcp_mem_unstall(struct tcp_env *env, struct tcp_active *a)
{
	struct tcp_memory *m = &tcp_tab(env)->memory;

	if (!a->stalled)
		return;
	m->stalled -= a->stalled;
	a->stalled = 0;
	list_remove(env->arena, &m->stalls, arena_ref(env->arena, a), STALL_OFF);
}

void tcp_mem_stall(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	struct tcp_memory *m = &tcp_tab(env)->memory;
	bool is_stalled = c->was_open && tcp_state_may_send(c->state) && !c->snd_wnd && c->snd.charged;

	if (!is_stalled) {
		tcp_mem_unstall(env, a);
		return;
	}
	if (!a->stalled) {
		list_push_tail(env->arena, &m->stalls, arena_ref(env->arena, a), STALL_OFF);
		a->conn = tcp_conn_ref(env, c);
	}
	m->stalled = m->stalled + c->snd.charged - a->stalled;
	a->stalled = c->snd.charged;
}

uint32_t tcp_mem_reclaim(struct tcp_env *env, uint64_t keep)
{
	struct tcp_memory *m = &tcp_tab(env)->memory;
	uint32_t n = 0;

	for (; m->stalled > keep && m->stalls.head && n < TCP_MEM_VISITS; n++) {
		const struct tcp_active *a = arena_at(env->arena, m->stalls.head);
		struct tcp_conn *c = tcp_conn_at(env, a->conn);
		m->reclaimed += a->stalled;
		tcp_conn_abort(env, c, ETIMEDOUT);
		tcp_conn_settle(env, c);
	}
	return n;
}

void tcp_mem_get(const struct tcp_env *env, struct via_tcp_memory *out)
{
	const struct tcp_memory *m = &tcp_tab(env)->memory;
	const struct tcp_settings *set = tcp_settings_of(env);
	uint32_t size = out->size;

	*out = (struct via_tcp_memory){.size = size, .state = (enum via_tcp_memory_state)m->state, .used = m->used, .low = set->mem_low,
				       .pressure = set->mem_pressure, .high = set->mem_high, .n_pressure = m->n_pressure, .n_full = m->n_full,
				       .pruned = m->pruned, .refused = m->refused, .stalled = m->stalled, .n_stalled = m->stalls.n,
				       .stalled_max = set->stalled_max, .reclaimed = m->reclaimed};
}
