/* test/sim/shrink.h - a failing scene made smaller while it still fails: fewer flows, faults, links that do something, bytes. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "test/sim/play.h"

/* Plays s in a child of its own, so that a crash is a failure too. limit_s: real seconds, then it "hangs". Returns good. */
bool play_apart(const struct scene *s, const struct play_how *how, unsigned limit_s, struct play_result *out);
/* The smallest scene found within `tries` plays; s must fail. Tells each success on f. */
void shrink(struct scene *s, int tries, FILE *f);

#endif
