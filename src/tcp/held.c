/* tcp/held.c - a passive open that waits for its owner's word: answer, refuse, or say nothing.
 *
 * A gateway must know whether the far host answers before it answers for it. So the SYN makes a connection in SYN-RECEIVED at once
 * (tcp_listen.c), which stands in the accept queue with nothing sent: SND.NXT is still ISS, and that is how it is known. No timer
 * runs: how long to wait is the owner's business. tcp_user_answer() sends the SYN-ACK, and from then on it is like any other;
 * tcp_user_close() drops it silently, with linger0 by a RST. Meanwhile a RST of the right number ends it, and all else is dropped:
 * the peer's SYN comes again. RFC 9293 §3.10.7.2 (the answer is only late). */
#include "tcp/input.h"

#include <errno.h>

#include "tcp/output.h"

int tcp_user_answer(struct tcp_env *env, ref_t conn)
{
	struct tcp_conn *c = tcp_conn_at(env, conn);

	if (!tcp_conn_is_held(c))
		return -EINVAL;
	if (!tcp_conn_activate(env, c))
		return -ENOMEM;
	tcp_output_syn(env, c, WHY_SYN_ACK, true);
	return 0;
}

void tcp_held_arrives(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (s->h.flags & TCP_RST && s->h.seq == c->rcv_nxt)
		tcp_conn_finish(env, c, ECONNREFUSED);
	else
		s->drop = DROP_TCP_HELD;
}
