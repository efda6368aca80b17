/* drill/call.h - how one call of a script is made: for call*.c.
 *
 * A call's function returns its result, a negative errno, CALL_WAIT (it would sleep: it is made again after each thing that
 * happens), or CALL_BROKEN (the script has failed with a sentence already). */
#ifndef DRILL_CALL_H
#define DRILL_CALL_H

#include "drill/state.h"

#define CALL_WAIT INT64_MIN
#define CALL_BROKEN (INT64_MIN + 1)

typedef int64_t (*call_fn)(struct drill_run *r, const struct drill_call *c);

call_fn call_of_data(const char *name), call_of_socket(const char *name), call_of_poll(const char *name), call_of_option(const char *name);

/* The i-th argument; an EX_ELLIPSIS past the last. */
const struct drill_expr *call_arg(const struct drill_call *c, int i);
/* Its number; `or` for an ellipsis. Else the script fails and 0 is returned. */
int64_t call_int(struct drill_run *r, const struct drill_call *c, int i, int64_t or);
/* The value of a field, or NULL. */
const struct drill_expr *call_field(const struct drill_expr *e, const char *name);
/* What argument i, a descriptor, stands for; NULL: -EBADF. */
struct drill_file *call_file(struct drill_run *r, const struct drill_call *c, int i);
/* The same for a socket; else *err is -EBADF or -ENOTSOCK. */
struct drill_file *call_socket(struct drill_run *r, const struct drill_call *c, int i, int64_t *err);
/* A new file under the number that the script gives as the call's result (the lowest free one if it gives none). Its number,
 * or CALL_BROKEN. */
int64_t call_new_file(struct drill_run *r, const struct drill_call *c, int64_t wanted, enum drill_file_kind kind);
/* The call would sleep: -EAGAIN if it may not, else CALL_WAIT until SO_RCVTIMEO or SO_SNDTIMEO is over. */
int64_t call_would_wait(struct drill_run *r, const struct drill_file *f, int flags, int timeo);
/* Something the call gave is not what the script says. CALL_BROKEN. */
int64_t call_differs(struct drill_run *r, const char *what, const char *expected, const char *seen);
int64_t call_number_differs(struct drill_run *r, const char *what, int64_t expected, int64_t seen, bool hex);

#endif
