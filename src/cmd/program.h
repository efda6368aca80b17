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
/* Does SIGHUP mean the end? Not if it is ignored (nohup). */
bool program_hangs_up(void);
/* From now on SIGINT, SIGTERM and, if it means the end, SIGHUP are cb's, to be passed on. */
void program_signals(struct loop *loop, void (*cb)(void *ctx, int signo), void *ctx);
/* Pass one on; not what the terminal's keys make: that reaches the whole foreground group, the program too. */
void program_pass(struct program *p, const struct loop *loop, int signo);
/* What happened so far: sockets taken and left, bytes, retransmissions. Gives. */
json_t *program_summary(const struct program *p);
void program_free(struct program *p);

/* Tell a summary on stderr: one line, the lines of --report if asked for (or -v), JSON under -j; under -q only if asked for. */
void program_tell(const json_t *summary, bool report);
/* Sentence for a door_spawn() failure whose err is empty. */
int program_failed(int error, const char *err);

#endif
