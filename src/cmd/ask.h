/* cmd/ask.h - one question to a running lab: which one is meant, and its answer. */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <jansson.h>

/* Ask lab `name` for `op`, about `node` unless NULL. Gives the answer; NULL after a sentence on stderr. */
json_t *ask_lab(const char *name, const char *op, const char *node);
/* The same with a request of more words, {"op": ..., ...}, borrowed. */
json_t *ask_lab_for(const char *name, const json_t *request);
/* Is the answer a refusal? Its exit status, after its sentence; else 0. */
int ask_refused(const json_t *answer);
/* The lab and node that -n [LAB:]NODE means, or the only lab that is up; *node is NULL if none was named, and borrowed from
 * the command line. Gives the lab's name; NULL after a sentence. */
char *ask_which(const char **node);

#endif
