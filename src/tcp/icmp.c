/* tcp/icmp.c - what an ICMP error may do (RFC 9293 §3.9.2.2, RFC 5927).
 *
 * Only an error that quotes a sequence number in flight counts. It aborts a connection that is still opening, if hard;
 * a synchronized one it never aborts: the errno is kept and told if the connection times out, or by SO_ERROR (MUST-54,
 * and Linux for codes 2 to 4). "Fragmentation needed" lowers the path's MTU (pmtu.h). */
#include "tcp/input.h"

#include "tcp/pmtu.h"

static void conn_icmp(struct tcp_env *env, struct tcp_conn *c, int err, bool hard, uint32_t seq, uint32_t mtu)
{
	if (!(seq_le(c->snd_una, seq) && seq_lt(seq, c->snd_nxt))) /* TX-014 */
		return;
	if (mtu) {
		tcp_pmtu_too_big(env, c, mtu);
		return;
	}
	if (hard && (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED))
		tcp_conn_finish(env, c, err);
	else
		c->err_soft = (uint8_t)err;
	tcp_conn_settle(env, c);
}

void tcp_icmp_arrives(struct tcp_env *env, ref_t node, int err, bool hard, uint32_t seq, uint32_t mtu)
{
	const struct tcp_node *n = tcp_node_at(env, node);

	if (n->timer.kind == WHEEL_TCP_CONN) {
		conn_icmp(env, tcp_conn_at(env, node), err, hard, seq, mtu);
	} else if (n->timer.kind == WHEEL_TCP_SYNRCVD && hard) {
		const struct tcp_synrcvd *q = arena_at(env->arena, node);
		if (q->iss == seq)
			tcp_synrcvd_free(env, node);
	}
}
