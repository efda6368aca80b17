/* cmd/ss.h - what the two halves of `via ss` share: reading the answer of a lab, and the folder the real ss reads. */
#ifndef CMD_SS_H
#define CMD_SS_H

#include <jansson.h>

int64_t ss_int(const json_t *o, const char *key);
const char *ss_text(const json_t *o, const char *key); /* "" if absent */
/* Linux's number of a socket's state; a datagram socket is ESTABLISHED or CLOSED. */
int ss_state(const json_t *socket);
/* Write the sockets and counters of one stack below `dir`; the exit status, after a sentence if it failed. */
int ss_export(const char *dir, const json_t *answer);

#endif
