/* tcp/state.c - the state diagram of RFC 9293 §3.3.2 (Figure 5) as data: which edges exist. */
#include "tcp/conn.h"

static const char *const names[] = {
	[TCP_ESTABLISHED] = "ESTABLISHED", [TCP_SYN_SENT] = "SYN-SENT",     [TCP_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCP_FIN_WAIT_1] = "FIN-WAIT-1",   [TCP_FIN_WAIT_2] = "FIN-WAIT-2", [TCP_TIME_WAIT] = "TIME-WAIT",
	[TCP_CLOSED] = "CLOSED",           [TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_LAST_ACK] = "LAST-ACK",
	[TCP_LISTEN] = "LISTEN",           [TCP_CLOSING] = "CLOSING",
};

#define TO(s) (1u << (s))

/* Every state may also go to CLOSED (abort, RST, time-out). SYN-RECEIVED of a listener is a struct of its own: its
 * connection is born in SYN-RECEIVED, hence the edge from CLOSED. */
static const uint16_t edges[] = {
	[TCP_CLOSED] = TO(TCP_SYN_SENT) | TO(TCP_SYN_RECEIVED),
	[TCP_LISTEN] = TO(TCP_SYN_RECEIVED) | TO(TCP_SYN_SENT),
	[TCP_SYN_SENT] = TO(TCP_SYN_RECEIVED) | TO(TCP_ESTABLISHED) | TO(TCP_CLOSED),
	[TCP_SYN_RECEIVED] = TO(TCP_ESTABLISHED) | TO(TCP_FIN_WAIT_1) | TO(TCP_LISTEN) | TO(TCP_CLOSED),
	[TCP_ESTABLISHED] = TO(TCP_FIN_WAIT_1) | TO(TCP_CLOSE_WAIT) | TO(TCP_CLOSED),
	[TCP_FIN_WAIT_1] = TO(TCP_FIN_WAIT_2) | TO(TCP_CLOSING) | TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_FIN_WAIT_2] = TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_CLOSE_WAIT] = TO(TCP_LAST_ACK) | TO(TCP_CLOSED),
	[TCP_CLOSING] = TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_LAST_ACK] = TO(TCP_CLOSED),
	[TCP_TIME_WAIT] = TO(TCP_CLOSED),
};

const char *tcp_state_name(uint8_t s)
{
	return s < ARRAY_LEN(names) && names[s] ? names[s] : "?";
}

bool tcp_state_may_go(uint8_t from, uint8_t to)
{
	return from < ARRAY_LEN(edges) && to < 16 && (edges[from] >> to & 1);
}
