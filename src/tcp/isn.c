/* tcp/isn.c - keyed initial sequence numbers. See the header. */
#include "tcp/isn.h"

uint64_t tcp_tuple_prf(struct prf_key key, const struct tcp_path *p, uint16_t lport, uint16_t rport, uint32_t a, uint32_t b)
{
	uint8_t t[52];
	struct writer w = writer_of(t, sizeof(t));

	wr_bytes(&w, p->local.b, 16);
	wr_bytes(&w, p->remote.b, 16);
	wr_be32(&w, p->local.scope);
	wr_be32(&w, p->remote.scope);
	wr_be16(&w, lport);
	wr_be16(&w, rport);
	wr_be32(&w, a);
	wr_be32(&w, b);
	return siphash_2_4(key, t, sizeof(t));
}

uint32_t tcp_isn(const struct tcp_env *env, const struct tcp_path *p, uint16_t lport, uint16_t rport)
{
	return (uint32_t)tcp_tuple_prf(tcp_tab(env)->isn_key, p, lport, rport, 0, 0) + (uint32_t)(env->now / (4 * NS_PER_US));
}

uint32_t tcp_ts_offset(const struct tcp_env *env, const struct tcp_path *p, uint16_t lport, uint16_t rport)
{
	return (uint32_t)tcp_tuple_prf(tcp_tab(env)->ts_key, p, lport, rport, 0, 0);
}
