/* lab/capture.h - every frame of a lab into one pcapng, once, on the interface it left by, at the time it left, with a
 * comment: why it was sent, and what the link did to it (loss, limit, reorder, duplicate, corrupt). */
#ifndef LAB_CAPTURE_H
#define LAB_CAPTURE_H

#include "lab/link.h"

struct capture;
#define CAPTURE_COMMENT 512 /* the longest reason with all that can happen to one frame */

/* n: link ends; names by end. NULL with errno. */
struct capture *capture_open(const char *path, struct pktmem *m, int n);
/* Declare end `end` as "node:eth1". 0 or -errno. */
int capture_iface(struct capture *c, int end, const char *name);
/* 0 or -errno of the first failed write. */
int capture_close(struct capture *c);
void capture_add(struct capture *c, const struct link_sent *s);
/* Write what left up to `now`: a frame waiting for the rate is held back, so that the file is in order of time. */
void capture_flush(struct capture *c, int64_t now);
/* The comment of a frame; empty when there is nothing to say. */
void capture_comment(const struct link_sent *s, char out[CAPTURE_COMMENT]);

#endif
