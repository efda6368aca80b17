/* cmd/lab_host.h - what the lab commands share: loading with one sentence per mistake, and running a lab under its name. */
#ifndef CMD_LAB_HOST_H
#define CMD_LAB_HOST_H

#include "lab/lab.h"

/* From a file, or, if that is NULL, from a shape's line (--topo). NULL after "FILE:LINE:COL: sentence" on stderr. */
struct lab *lab_host_load(const char *file, const char *shape, const struct lab_opts *o);
/* Read --seed; 0, or an exit status after a sentence. */
int lab_host_seed(const char *text, struct lab_opts *o);
/* Let all interfaces that ask by DHCP get their addresses, for 30 seconds at most; a lab that is paced by the clock is attached. A
 * sentence, if one has none. */
void lab_host_settle(struct lab *lab);
/* "no node ..., did you mean ...?"; the exit status. */
int lab_host_no_node(struct lab *lab, const char *name);
/* Write the lab's story. 0 or -errno after a sentence. */
int lab_host_story_write(struct lab *lab, const char *path);
/* Wait until one of two descriptors is readable; that one, a first. -1 on error. */
int lab_host_wait_readable(int a, int b);
/* From now on SIGINT, SIGTERM and, unless it is ignored, SIGHUP are read from the descriptor that this gives, one by one; 0: none could
 * be. */
int lab_host_signals(void);
int lab_host_signal_read(int fd);
/* Run the lab under its name until told to end, or for so many ns (TIME_NEVER: no limit). ready_fd >= 0: a byte is written there once it
 * can be joined. Exit status. */
int lab_host_serve(struct lab *lab, int ready_fd, int64_t for_ns);
/* "lab NAME is STATE" on stdout, as JSON under -j. */
void lab_host_say(const char *name, const char *state);
/* Print JSON to stdout as -j and -p ask. */
void lab_host_print(const json_t *o);

#endif
