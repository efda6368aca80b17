/* cmd/program.h - one program behind the door of one node, and the summary of what it did. */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "cmd/cmd.h"
#include "door/door.h"
#include <jansson.h>

struct program;

/* Start it. c->ended and c->ctx are the caller's; 0, or -errno after a sentence in err. */
int program_start(const struct door_config *c, struct program **out, char err[256]);
void program_signal(struct program *p, int signo);
/* What happened so far: sockets taken and left, bytes, retransmissions. Gives. */
json_t *program_summary(const struct program *p);
void program_free(struct program *p);

/* Tell a summary on stderr: one line, the lines of --report if asked for (or -v), JSON under -j; under -q only if asked for. */
void program_tell(const json_t *summary, bool report);
/* Sentence for a door_spawn() failure whose err is empty. */
int program_failed(int error, const char *err);

#endif
