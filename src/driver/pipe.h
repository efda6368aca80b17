/* driver/pipe.h - a virtual wire between two stacks of one process: what goes in at one end comes out at the other at once,
 * bounded, in order. With shared packet memory a packet crosses by reference; else it is copied. */
#ifndef DRIVER_PIPE_H
#define DRIVER_PIPE_H
#include <viaduct/driver.h>
struct pipe_end;
struct pipe_pair;
/* limit: packets per direction. gso_max 0: MTU-sized frames only, else superframes and partial checksums cross uncut. */
struct pipe_pair *pipe_new(uint32_t limit, uint32_t mtu, uint32_t gso_max, const uint8_t mac_a[6], const uint8_t mac_b[6]);
void pipe_free(struct pipe_pair *p);
struct via_driver *pipe_driver(struct pipe_pair *p, int end); /* 0 or 1, borrowed */
#endif
