/* tcp/rtt.c - round-trip time and RTO. See the header. */
#include "tcp/rtt.h"

uint32_t tcp_rtt_sample(struct tcp_conn *c, int64_t rtt)
{
	uint32_t r = (uint32_t)MIN(MAX(rtt / NS_PER_US, 1), UINT32_MAX / 16); /* R', at least the clock's unit */

	c->min_rtt_us = c->min_rtt_us ? MIN(c->min_rtt_us, r) : r;
	if (!c->srtt_us) { /* RFC 6298 §2.2 */
		c->srtt_us = r;
		c->rttvar_us = r / 2;
		return r;
	}
	uint32_t dev = c->srtt_us > r ? c->srtt_us - r : r - c->srtt_us;
	c->rttvar_us = (uint32_t)((3 * (uint64_t)c->rttvar_us + dev) / 4); /* §2.3: RTTVAR first, with the old SRTT */
	c->srtt_us = (uint32_t)MAX((7 * (uint64_t)c->srtt_us + r) / 8, 1u);
	return r;
}

int64_t tcp_rto(const struct tcp_conn *c)
{
	if (c->rto_3s) /* §5.7 */
		return TCP_RTO_INIT_3S_NS;
	if (!c->srtt_us)
		return TCP_RTO_INIT_NS; /* §2.1 */
	int64_t us = (int64_t)c->srtt_us + MAX(4 * c->rttvar_us, TCP_RTO_MIN_US);
	return MIN(us * NS_PER_US, TCP_RTO_MAX_NS);
}

static int64_t backed(int64_t rto, uint8_t backoff)
{
	while (backoff-- && rto < TCP_RTO_MAX_NS)
		rto *= 2;
	return MIN(rto, TCP_RTO_MAX_NS);
}

int64_t tcp_rto_backed(const struct tcp_conn *c, uint8_t backoff)
{
	return backed(tcp_rto(c), backoff);
}

int64_t tcp_rto_initial_backed(uint8_t backoff)
{
	return backed(TCP_RTO_INIT_NS, backoff);
}
