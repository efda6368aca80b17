/* tcp/pmtu.h - how large a segment may be: what routers say (RFC 1191, RFC 8201), and what TCP finds out itself (RFC 4821).
 *
 * pmtu of a path is IP's belief: the link's MTU, or less if a router said so. tcp_mtu is TCP's own, smaller one, 0 when
 * there is none; segments are cut by the lesser. Both belong to the path, so what one connection learns helps the others.
 * Routers: "too big" counts if it quotes what is in flight and is less than pmtu; never below a floor of 552 (IPv6:
 * 1280), as Linux. What was too large goes again at once, cut smaller; the window stays (RFC 1191 §6.5).
 * Black hole: as many time-outs as R1 went by, nothing of full size has arrived on this path meanwhile, and something
 * larger is stuck: down to base_mss, then by halves to TCP_MSS_FLOOR (RFC 4821 §7.7; as Linux's tcp_mtu_probing 1).
 * Upwards: one segment of new data, larger than is known to pass, with enough behind it to show its loss. The top first,
 * since many a "black hole" was a peer away; then the middle of what is left, to within 8 bytes. Lost twice, a size does not
 * pass; its loss is no sign of congestion. When done, or ten minutes after a router lowered pmtu, it begins again at the
 * top (RFC 1191 §6.3, RFC 4821 §7.3: not sooner than five). Where TCP has no search to do it costs one comparison.
 * Setting `mtu_probing` as Linux's: 0 never, 1 after a black hole (default; Linux has 0) and to raise, 2 also from the
 * beginning, at base_mss. RFC 4821, RFC 5927 §7, RFC 8899 §5. */
#ifndef TCP_PMTU_H
#define TCP_PMTU_H

#include "tcp/conn.h"

#define TCP_MTU_PROBE_WAIT UINT32_MAX

/* The largest IP packet that TCP sends on p. */
static inline uint32_t tcp_pmtu_of(const struct tcp_path *p)
{
	return p->tcp_mtu && p->tcp_mtu < p->pmtu ? p->tcp_mtu : p->pmtu;
}
/* The packet of base_mss. */
uint32_t tcp_pmtu_base(const struct tcp_env *env, const struct tcp_path *p);

/* A router says that a packet of ours, which begins at seq and is in flight, is larger than mtu. */
void tcp_pmtu_too_big(struct tcp_env *env, struct tcp_conn *c, uint32_t mtu);
/* pmtu may grow after it was lowered: TCP stays at `was` and looks for itself, if it may. Called by the owner of the path, which then
 * calls tcp_path_changed(). */
void tcp_pmtu_raised(const struct tcp_env *env, struct tcp_path *p, uint32_t was);

/* SND.UNA is about to move to ack: was it the probe, was anything of full size in it? */
void tcp_pmtu_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t ack);
/* The retransmission timer has fired for data: a black hole? Lowers the MSS. */
void tcp_pmtu_timeout(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* The connection gave up: what was lowered in vain is forgotten, the path was no black hole but dead. */
void tcp_pmtu_gave_up(struct tcp_env *env, struct tcp_conn *c);

/* Bytes of new data to send as a probe now; 0: none; TCP_MTU_PROBE_WAIT: nothing new, until the window has room for one.
 * usable: what the peer's window still takes. */
uint32_t tcp_pmtu_probe(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a, uint32_t usable);
/* The probe [seq, seq+n) leaves. */
void tcp_pmtu_probe_sent(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t seq, uint32_t n);
/* It could not be made: not for a while. */
void tcp_pmtu_probe_failed(struct tcp_env *env, struct tcp_conn *c);
/* Recovery is about to begin. Is the probe all that was lost? Then it is told so, and the window is to stay. */
bool tcp_pmtu_only_probe_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);

#endif
