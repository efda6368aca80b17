/* driver/pcapng.h - write pcapng (IETF opsawg draft) with interface names, nanosecond stamps and a comment per packet.
 * Captures copies: checksums still partial are computed into the copy. */
#ifndef DRIVER_PCAPNG_H
#define DRIVER_PCAPNG_H
#include "pkt/pkt.h"
#include <viaduct/driver.h>
struct pcapng;
/* Create (truncate) the file. NULL with errno. */
struct pcapng *pcapng_open(const char *path, const char *application);
/* The same into a descriptor, taken also on failure. If that does not block and is full, writing waits a second for it, then has failed. */
struct pcapng *pcapng_open_fd(int fd, const char *application);
int pcapng_close(struct pcapng *w); /* flushes; 0 or -errno of the first failed write */
/* Write what is buffered. 0 or -errno of the first failed write. */
int pcapng_flush(struct pcapng *w);
/* Declares an interface; returns its id, or -errno. */
int pcapng_iface(struct pcapng *w, const char *name, enum via_l2 l2);
/* when: ns since the epoch (virtual time counts from 0). comment may be NULL; outbound sets the direction flag. p: frame
 * with its L2 header, borrowed; a superframe is written as the frames a wire would carry, each with the comment. 0 or -errno. */
int pcapng_packet(struct pcapng *w, int iface, int64_t when, const struct pktmem *m, const struct pkt *p, bool outbound,
	const char *comment);
#endif
