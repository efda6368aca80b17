/* cmd/control.h - how another `via` reaches a running lab: a UNIX socket in the user's runtime folder, one per lab.
 *
 * A message is a 4-byte length and that much JSON; the first bytes of an exec request carry three descriptors. The lab's
 * process starts the program itself, so it is the ancestor that Yama asks for. The folder is mode 0700 and ours. */
#ifndef CMD_CONTROL_H
#define CMD_CONTROL_H

#include "base/defs.h"
#include <jansson.h>

/* Path of lab NAME's socket; makes the folder if asked. 0; -ENOTDIR or -ENAMETOOLONG, which control_fail() explains; -errno. */
int control_path(const char *lab, bool make_folder, char *out, size_t cap);
/* Listen there. fd, or -errno: -EADDRINUSE when a live lab of that name is there (a dead one's socket is replaced). */
int control_listen(const char *lab);
/* Connect to lab NAME. fd, or -errno. */
int control_connect(const char *lab);
/* The sentence for an error of the three above; returns `status`. */
int control_fail(int status, const char *lab, int err);
/* Names of the sockets there, an array of strings; gives. */
json_t *control_names(void);

/* Arguments, environment and paths are bytes, JSON holds characters: each byte travels as the character of its number. Both
 * give; NULL: no memory, or not such text. */
json_t *control_bytes(const char *bytes);
char *control_bytes_of(const json_t *text);

/* Blocking. fds may be NULL (n_fds 0). borrows msg. 0 or -errno. */
int control_send(int fd, const json_t *msg, const int *fds, int n_fds);
/* Blocking; gives the message, or NULL at the end or on error. fds: room for 3, *n_fds in and out (gives them). */
json_t *control_recv(int fd, int *fds, int *n_fds);

#endif
