/* tcp/window.c - the receive window. See the header. */
#include "tcp/window.h"

#include "tcp/memory.h"

/* The right edge the buffer allows: what is unread takes room, and so does memory that small segments pin far beyond their bytes. */
static uint32_t edge_allowed(const struct tcp_conn *c)
{
	uint64_t budget = 2 * (uint64_t)c->rcvbuf + TCP_RCV_SLACK;
	uint32_t free = c->rcv.charged < budget ? (uint32_t)((budget - c->rcv.charged) / 2) : 0;
	uint32_t edge = c->rcv.start + c->rcvbuf, by_size = c->rcv_nxt + free;

	return seq_lt(by_size, edge) ? by_size : edge;
}

/* How far the edge could move now. */
static uint32_t could_move(const struct tcp_conn *c)
{
	uint32_t want = edge_allowed(c);

	return seq_lt(c->rcv_adv, want) ? want - c->rcv_adv : 0;
}

static uint32_t worth_moving(const struct tcp_conn *c)
{
	return MIN(c->rcvbuf / 2, MAX(c->rcv_mss, c->mss)); /* §3.8.6.2.2 */
}

uint16_t tcp_window_field(struct tcp_conn *c, bool is_syn)
{
	uint8_t ws = is_syn ? 0 : c->rcv_ws;
	uint32_t edge = c->rcv_adv;

	if (could_move(c) >= worth_moving(c)) {
		uint32_t wnd = MIN((edge_allowed(c) - c->rcv_nxt) >> ws, 65535u) << ws;
		if (seq_lt(edge, c->rcv_nxt + wnd))
			edge = c->rcv_nxt + wnd;
	}
	uint32_t field = MIN((edge - c->rcv_nxt + (1u << ws) - 1) >> ws, 65535u);
	if (seq_lt(c->rcv_adv, c->rcv_nxt + (field << ws)))
		c->rcv_adv = c->rcv_nxt + (field << ws);
	return (uint16_t)field;
}

bool tcp_window_wants_update(const struct tcp_conn *c)
{
	uint32_t left = tcp_rcv_wnd(c), most = 65535u << c->rcv_ws;
	uint32_t move = MIN(could_move(c), most - MIN(most, left)); /* the field tells no more than `most` */

	if (!tcp_state_may_receive(c->state))
		return false;
	return move >= worth_moving(c) && (move >= c->rcvbuf / 4 || left < 2u * MAX(c->rcv_mss, c->mss));
}

uint8_t tcp_window_shift(uint32_t most)
{
	uint8_t ws = 0;

	while (ws < TCP_WS_MAX && most >> ws > 65535)
		ws++;
	return ws;
}
