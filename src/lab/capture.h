/* lab/capture.h - every frame of a lab into one pcapng, once, on the interface it left by, at the time it left, with a
 * comment: why it was sent and what held it back, what the link did to it (loss, limit, reorder, duplicate, corrupt), and, if the node at
 * the link's other end dropped it, why. For that a frame waits until it has arrived and been looked at. */
#ifndef LAB_CAPTURE_H
#define LAB_CAPTURE_H

#include "lab/link.h"

struct capture;
#define CAPTURE_COMMENT 512 /* the longest reason with all that can happen to one frame */

/* n: link ends; names by end. NULL with errno. */
struct capture *capture_open(const char *path, struct pktmem *m, int n);
/* The same into a descriptor, taken also on failure. */
struct capture *capture_open_fd(int fd, struct pktmem *m, int n);
/* Declare end `end` as "node:eth1"; what leaves by others is not captured. 0 or -errno. */
int capture_iface(struct capture *c, int end, const char *name);
/* 0 or -errno of the first failed write. */
int capture_close(struct capture *c);
void capture_add(struct capture *c, const struct link_sent *s);
/* Write what arrived before `now`, as far as nothing that left earlier is still under way, so that the file is in order of time. */
void capture_flush(struct capture *c, int64_t now);
/* What capture_flush() wrote goes to the file now. 0 or -errno of the first failed write. */
int capture_push(struct capture *c);
/* The frame that has this id (pkt_meta.id) and came over the link from end `end` was dropped by `node` (kept: it outlives the capture). */
void capture_dropped(struct capture *c, int end, uint64_t id, enum drop why, const char *node);
/* The comment of a frame; empty when there is nothing to say. */
void capture_comment(const struct link_sent *s, char out[CAPTURE_COMMENT]);

#endif
