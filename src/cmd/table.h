/* cmd/table.h - aligned tables on stdout from rows, by libsmartcols; colours and tree lines only on a terminal. */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include <jansson.h>

struct table;

/* Columns separated by '|'; a name that begins with '>' is right-aligned. NULL when out of memory. */
struct table *table_new(const char *columns);
/* One row: as many strings as columns. Borrows; NULL is an empty cell. */
void table_row(struct table *t, ...);
/* Print and free. */
void table_end(struct table *t);

/* What nodes dropped, from a list of {node, name, count}. */
void table_drops(const json_t *drops);
/* What `via lab inspect` prints. */
void table_inspect(const json_t *lab);
/* Text of a number of nanoseconds ("12.4 ms"), bytes ("5.0 MB"), a plain number. Each call uses the next of 16 buffers. */
const char *text_time(int64_t ns);
const char *text_bytes(int64_t n);
const char *text_number(int64_t n);

#endif
