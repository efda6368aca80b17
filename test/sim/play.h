/* test/sim/play.h - a scene played: a lab, its faults, its programs, and the judgement.
 *
 * First every pair of hosts that will talk does so once over clean links, which fills what stays filled (neighbours, paths);
 * then quiet, and what the arenas hold is the baseline. Then the scene. When its programs are done, or have been judged, all
 * sockets close, TIME-WAIT and learnt path MTUs run out, and the arenas must hold no more than before.
 *
 * Judged: every byte (actor.h), every event (watch.h), and the end. A connection must end well where the scene gives no reason
 * to fail. Where it does, it must fail or get on: once calm has come, one that stands still for STILL_NS with a living peer, or
 * for DEAD_NS with a dead one, is stuck. Left alone with nothing to send it may wait for ever, as TCP does without keep-alive. */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include "test/sim/scene.h"

#define STILL_NS (400 * NS_PER_S)  /* more than three times the longest RTO */
#define DEAD_NS (2500 * NS_PER_S)  /* 15 retries, the first after 3 s, at most 120 s apart, and a probe */

struct play_result {
	bool good;
	char why[400];
	int64_t ended;          /* virtual ns */
	uint64_t events, bytes; /* received by all programs */
	unsigned n_ok, n_failed, n_again;
	uint64_t trace_hash;    /* if asked for */
};

struct play_how {
	FILE *tell;          /* connections and faults as they come and go, or NULL */
	const char *pcapng;  /* or NULL */
	bool trace_hash;
};

void play(const struct scene *s, const struct play_how *how, struct play_result *out);

#endif
