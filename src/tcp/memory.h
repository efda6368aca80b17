/* tcp/memory.h - one memory budget for all connections of a stack (HARD-09), and what zero windows pin of it (TCP-069).
 *
 * Counted is the true size of all send and receive queues, reorder queues in them: every change of a stream goes through the calls
 * below. Two thresholds, with hysteresis as Linux's tcp_mem: above `mem_pressure` until below `mem_low` there is pressure, above
 * `mem_high` the budget is full. What follows, in this order:
 *   pressure: nothing out of order is taken in, reorder queues are pruned (the peer keeps what it sent until it is acknowledged, RFC
 *             2018 §8), windows the stack chose shrink to a few segments, their right edges staying where they are; no buffer grows;
 *   full:     new work is refused: connect() is -ENOBUFS, a SYN is dropped, a writer waits for memory.
 * What is in order and in the window is always taken in; no established connection is reset for it. The pruning walks a few
 * connections at each flush.
 * A connection whose peer shut its window may stay for ever (RFC 9293 §3.8.6.1 MUST-37); what such peers pin is counted, oldest first,
 * so that the owner can reclaim it (RFC 6429): by a cap, off by default, or by tcp_mem_reclaim(). */
#ifndef TCP_MEMORY_H
#define TCP_MEMORY_H

#include "tcp/conn.h"

#define TCP_RCV_SLACK (8 * BLK_BYTES) /* true size a receive queue may have beyond twice its window */
#define TCP_MEM_VISITS 16u            /* connections looked at in one flush */

static inline enum tcp_mem_state tcp_mem_state(const struct tcp_env *env) { return (enum tcp_mem_state)tcp_tab(env)->memory.state; }
/* The thresholds until the owner sets others. */
void tcp_mem_defaults(const struct tcp_env *env, struct tcp_settings *set);
/* The true size of s was `was`. */
void tcp_mem_changed(struct tcp_env *env, const struct sbuf *s, uint32_t was);
/* At each flush, when memory is short: prune and shrink a few connections; keep the cap on what zero windows pin. */
void tcp_mem_relieve(struct tcp_env *env);
/* c's queue is, or is no more, pinned by a zero window; called when windows or queues changed. */
void tcp_mem_stall(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* active is about to go, or its connection has ended. */
void tcp_mem_unstall(struct tcp_env *env, struct tcp_active *a);
/* A node is about to go. */
void tcp_mem_forget(struct tcp_env *env, ref_t node);

/* --- the streams, counted: see pkt/sbuf.h --- */

static inline void tcp_buf_free(struct tcp_env *env, struct sbuf *s)
{
	uint32_t was = s->charged;

	sbuf_free(env->arena, env->mem, s);
	tcp_mem_changed(env, s, was);
}
static inline void tcp_buf_drop_to(struct tcp_env *env, struct sbuf *s, uint32_t seq)
{
	uint32_t was = s->charged;

	sbuf_drop_to(env->arena, env->mem, s, seq);
	tcp_mem_changed(env, s, was);
}
static inline void tcp_buf_cut(struct tcp_env *env, struct sbuf *s, uint32_t seq)
{
	uint32_t was = s->charged;

	sbuf_cut(env->arena, env->mem, s, seq);
	tcp_mem_changed(env, s, was);
}
static inline int tcp_buf_insert(struct tcp_env *env, struct sbuf *s, uint32_t seq, const struct pkt *p, uint32_t off, uint32_t n)
{
	uint32_t was = s->charged;
	int err = sbuf_insert(env->arena, env->mem, s, seq, p, off, n);

	tcp_mem_changed(env, s, was);
	return err;
}
static inline uint32_t tcp_buf_append(struct tcp_env *env, struct sbuf *s, const void *data, uint32_t n)
{
	uint32_t was = s->charged, done = sbuf_append(env->arena, env->mem, s, data, n);

	tcp_mem_changed(env, s, was);
	return done;
}
static inline int tcp_buf_append_blk(struct tcp_env *env, struct sbuf *s, blk_t b, uint32_t off, uint32_t len)
{
	uint32_t was = s->charged;
	int err = sbuf_append_blk(env->arena, env->mem, s, b, off, len);

	tcp_mem_changed(env, s, was);
	return err;
}
static inline int tcp_buf_reserve(struct tcp_env *env, struct sbuf *s, struct sbuf_iov *iov, int n, uint32_t want)
{
	uint32_t was = s->charged;
	int k = sbuf_reserve(env->arena, env->mem, s, iov, n, want);

	tcp_mem_changed(env, s, was);
	return k;
}
static inline int tcp_buf_commit(struct tcp_env *env, struct sbuf *s, uint32_t len)
{
	uint32_t was = s->charged;
	int err = sbuf_commit(env->arena, env->mem, s, len);

	tcp_mem_changed(env, s, was);
	return err;
}

#endif
