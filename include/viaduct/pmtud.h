/* viaduct/pmtud.h - what size of packet does the path carry? Packetization-layer path MTU discovery for datagrams (RFC 8899).
 *
 * For who sends datagrams and is told which arrived: QUIC, a VPN over UDP. A pure state machine in the caller's memory: it says when
 * to send a probe and of what size, is told what was acknowledged or lost, and never sends anything itself. TCP of this stack has its
 * own (RFC 4821). Sizes are bytes of the caller's packets (RFC 8899's PLPMTU), times ns of any clock that never goes back.
 *
 *   via_pmtud_init(&d, 1472, now);
 *   loop:  size = via_pmtud_probe(&d, now); if (size) send a packet padded to size, that may not be fragmented;
 *          at the latest at via_pmtud_at(&d): ask again
 *   a probe's acknowledgement came: via_pmtud_acked(); you know it lost: via_pmtud_lost(); packets of via_pmtud_size() are
 *   lost again and again: via_pmtud_black_hole(); a checked ICMP "too big" came: via_pmtud_too_big() */
#ifndef VIADUCT_PMTUD_H
#define VIADUCT_PMTUD_H

#include <stdbool.h>
#include <stdint.h>

#define VIA_PMTUD_BASE 1200      /* BASE_PLPMTU (§5.1.2) */
#define VIA_PMTUD_MIN 548        /* MIN_PLPMTU: what any IPv4 host takes, 576 less IP's and UDP's headers */
#define VIA_PMTUD_MAX_PROBES 3   /* of one size (§5.1.2) */

enum via_pmtud_state { VIA_PMTUD_BASE_STATE, VIA_PMTUD_SEARCHING, VIA_PMTUD_COMPLETE, VIA_PMTUD_ERROR };

/* Fields are for reading; only the functions write them. */
struct via_pmtud {
	uint32_t plpmtu;  /* what may be sent */
	uint32_t max;     /* MAX_PLPMTU: the interface's */
	uint32_t limit;   /* the search ends here: the largest size not known to be too large */
	uint32_t probed;  /* PROBED_SIZE */
	uint32_t count;   /* PROBE_COUNT: probes of that size lost */
	bool is_out;      /* one is out; until then `at` is when the next is due */
	enum via_pmtud_state state;
	int64_t at;       /* PROBE_TIMER or PMTU_RAISE_TIMER */
};

/* max: what the interface lets out, at least VIA_PMTUD_MIN; below VIA_PMTUD_BASE it is the base. */
void via_pmtud_init(struct via_pmtud *d, uint32_t max, int64_t now);
/* What may be sent now, bytes. */
uint32_t via_pmtud_size(const struct via_pmtud *d);
/* The size of the probe to send now, or 0: none is due. Each size returned is a probe sent; one not acknowledged by via_pmtud_at()
 * counts as lost at the next call. */
uint32_t via_pmtud_probe(struct via_pmtud *d, int64_t now);
/* When to ask for a probe again; INT64_MAX: not before something is told. */
int64_t via_pmtud_at(const struct via_pmtud *d);
/* The probe of `size` bytes arrived; others than the one that is out are ignored. */
void via_pmtud_acked(struct via_pmtud *d, uint32_t size, int64_t now);
/* The probe of `size` bytes is lost, sooner known than by its timer. */
void via_pmtud_lost(struct via_pmtud *d, uint32_t size, int64_t now);
/* Packets no larger than via_pmtud_size() do not arrive any more: back to the base (§4.3). */
void via_pmtud_black_hole(struct via_pmtud *d, int64_t now);
/* An ICMP message about a packet of ours, whose quoted part the caller has checked (§4.6), says that `size` is the most. Returns
 * whether it was believed. */
bool via_pmtud_too_big(struct via_pmtud *d, uint32_t size, int64_t now);

#endif
