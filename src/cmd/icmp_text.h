/* cmd/icmp_text.h - an ICMP error in iputils' words. */
#ifndef CMD_ICMP_TEXT_H
#define CMD_ICMP_TEXT_H

#include "base/defs.h"

/* mtu: of "fragmentation needed". Borrowed, or written to text. */
const char *icmp_text(bool is_v6, int type, int code, int mtu, char text[64]);

#endif
