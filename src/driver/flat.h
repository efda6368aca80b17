/* driver/flat.h - a packet as the frames a wire would carry: flat copies, superframes cut, checksums finished.
 *
 * For capture only: works on bytes in ordinary memory, leaves the packet as it is. The data path cuts in net/gso.c. */
#ifndef DRIVER_FLAT_H
#define DRIVER_FLAT_H

#include "pkt/pkt.h"
#include <viaduct/driver.h>

struct flat {
	uint8_t *whole, *frame;
	uint32_t whole_cap, frame_cap;
};
/* Give the buffers back. */
void flat_free(struct flat *f);
/* Call emit for each frame p (borrowed, with its L2 header) stands for. The frame is valid during the call. 0, what emit
 * returned when negative (then it stops), or -ENOMEM. A superframe that is not TCP or UDP over IP comes as it is. */
int flat_frames(struct flat *f, const struct pktmem *m, const struct pkt *p, enum via_l2 l2,
	int (*emit)(void *ctx, const uint8_t *frame, uint32_t len), void *ctx);

#endif
