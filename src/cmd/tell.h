/* cmd/tell.h - a running `via run` answers `via ss`: a control socket (control.h) of the name run-PID, like a lab's.
 *
 * It tells of sockets and of nothing else, one question a connection. */
#ifndef CMD_TELL_H
#define CMD_TELL_H

#include "host/loop.h"
#include <jansson.h>

#define TELL_PREFIX "run-" /* of the names; a process number follows */

struct tell;

/* ss(ctx, node) gives the answer for a node, or NULL: there is no such one; node NULL: of the program's. Gives; NULL if there can be no
 * such socket (no folder of ours): the program runs all the same. */
struct tell *tell_start(struct loop *loop, json_t *(*ss)(void *ctx, const char *node), void *ctx);
/* NULL is fine. */
void tell_stop(struct tell *t);

#endif
