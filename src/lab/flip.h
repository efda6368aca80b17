/* lab/flip.h - one bit of a frame flips: as noise that a checksum finds, or mangled so that none does.
 *
 * Noise hits any bit behind the Ethernet header. Mangling hits the TCP segment or UDP datagram of an unfragmented IPv4
 * packet, its own checksum field excepted, and makes that checksum right again, as a broken card or middlebox does that
 * computes it over what it has already spoilt: only the program can notice, if at all. First drawn, then applied, because
 * a frame is told before it is touched. */
#ifndef LAB_FLIP_H
#define LAB_FLIP_H

#include "base/rng.h"
#include "pkt/pkt.h"

struct flip {
	uint32_t off;      /* byte of the frame */
	unsigned bit;      /* of that byte */
	uint32_t csum_off; /* of the checksum field to be made right; 0: none */
	uint16_t csum;     /* its value then */
};

/* p: borrowed, begins with its Ethernet header. False: not IPv4, so that a frame with a flipped bit would not arrive. */
bool flip_draw(struct flip *f, struct rng *r, const struct pkt *p);
/* False: nothing that can be mangled. */
bool flip_draw_mangled(struct flip *f, struct rng *r, const struct pktmem *m, const struct pkt *p);
/* 0, or -ENOMEM: p is as it was. */
int flip_apply(const struct flip *f, struct pktmem *m, struct pkt *p);

#endif
