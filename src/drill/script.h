/* drill/script.h - a script as values: what drill_parse() makes of packetdrill's language.
 *
 * A script is option lines (`--name=value`) and events. An event has a time and is a packet to inject (`<`), a packet to
 * expect (`>`), a socket call with its result, a shell command in backticks, or assertions between `%{` and `}%`. Times are
 * nanoseconds since the script began, or since the event before (`+`). Everything of a script lives until drill_script_free().
 * Names of constants are resolved while parsing, so a misspelt one is an error with a line and a column. */
#ifndef DRILL_SCRIPT_H
#define DRILL_SCRIPT_H

#include "base/defs.h"

enum { DRILL_TEXT_MAX = 1 << 20, DRILL_OPTS_MAX = 40, DRILL_ERROR_MAX = 240 };

enum drill_when {
	DRILL_ABSOLUTE,       /* 1.5 */
	DRILL_RELATIVE,       /* +.5 */
	DRILL_ANY,            /* *, of expected packets */
	DRILL_ABSOLUTE_RANGE, /* 1~2, of expected packets */
	DRILL_RELATIVE_RANGE, /* +1~+2 */
};
enum drill_kind { DRILL_PACKET, DRILL_CALL, DRILL_COMMAND, DRILL_CODE };

enum drill_expr_kind {
	EX_ELLIPSIS, /* ...: whatever fits */
	EX_INT,      /* a number, or a constant's value */
	EX_NULL,     /* NULL */
	EX_STRING,
	EX_LIST,     /* [a, b] or {a, b} */
	EX_FIELDS,   /* {name=value, ...} */
};
struct drill_expr {
	enum drill_expr_kind kind;
	int64_t num;
	const char *text;          /* EX_STRING: zero-terminated, len bytes; of a field: see name */
	uint32_t len;
	const char *name;          /* of a field of EX_FIELDS, else NULL */
	struct drill_expr *first;  /* EX_LIST, EX_FIELDS: their members */
	struct drill_expr *next;
};

enum drill_proto { DRILL_TCP, DRILL_UDP, DRILL_ICMP };
enum drill_tos { TOS_ANY, TOS_ECN, TOS_ECT01, TOS_EXACT };
enum { DRILL_AE = 0x100 }; /* beside wire/tcp.h's flags: the first reserved bit */

/* A packet as a script writes it: sequence numbers and timestamps are the script's own. */
struct drill_packet {
	bool is_out;
	enum drill_proto proto;
	enum drill_tos tos_check;
	uint8_t tos, ttl;          /* ttl 0: not given */
	uint16_t sport, dport;     /* 0: not given */
	uint16_t flags;            /* TCP_* and DRILL_AE */
	uint32_t seq, ack, payload;
	int32_t wnd;               /* -1: not given */
	uint16_t urg;
	bool any_options;          /* <...> */
	uint8_t opts[DRILL_OPTS_MAX], n_opts; /* as on the wire */
	uint8_t type, code;        /* ICMP */
	int32_t mtu, id;           /* ICMP; mtu -1: not given */
	bool has_quote;
	enum drill_proto quoted;   /* with seq and payload */
};

struct drill_call {
	const char *name;
	const char *head;          /* "read(4, ..., 1000)", as it was written */
	struct drill_expr *args;
	int n_args;
	bool blocks;               /* written with ...END */
	int64_t end_ns;            /* when it returns; of relative times, after the same beginning */
	struct drill_expr *result;
	int error;                 /* errno that a result of -1 brings; 0: none was named */
	uint32_t column;
};

struct drill_event {
	int line;
	enum drill_when when;
	int64_t at_ns, end_ns;     /* end_ns of ranges */
	enum drill_kind kind;
	struct drill_packet *packet;
	struct drill_call *call;
	const char *text;          /* of commands and code */
	struct drill_event *next;
};

struct drill_option {
	int line;
	const char *name, *value;  /* without --; value NULL if there is none */
	struct drill_option *next;
};

struct drill_chunk;
struct drill_script {
	struct drill_option *options;
	struct drill_event *events;
	int n_events;
	struct drill_chunk *chunks; /* its memory */
};

struct drill_error {
	int line, column;
	char text[DRILL_ERROR_MAX];
};

/* Parse len bytes. NULL with *err. */
struct drill_script *drill_parse(const char *text, size_t len, struct drill_error *err);
void drill_script_free(struct drill_script *s);
/* Memory that goes with the script, zeroed; NULL when memory is out. */
void *drill_alloc(struct drill_script *s, size_t bytes);

/* A constant's value ("SOL_TCP"). False when there is none of that name. */
bool drill_symbol(const char *name, int64_t *value);
/* "EINVAL" of a number, or a number as text. Valid until the next call. */
const char *drill_errno_name(int e);
/* ICMP type and code of their names ("unreachable", "frag_needed", "type_3", "code_4"; code NULL: 0). False: unknown. */
bool drill_icmp_names(const char *type, const char *code, uint8_t *t, uint8_t *c);
/* Their names, for messages. code is NULL where the type has none. */
void drill_icmp_text(uint8_t t, uint8_t c, char *out, size_t room);

#endif
