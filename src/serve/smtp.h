/* serve/smtp.h - a mail server on sockets of one stack: app/smtp's server engine joined to <viaduct/socket.h>.
 *
 * Final delivery only: mail for the domains of the configuration goes to the owner's mailboxes, all other is refused. A local
 * part names a mailbox, in any case; postmaster always has one, with or without a domain (RFC 5321 §4.5.1). Return-Path and
 * Received are put in front (§4.4). The reply to a message comes when the owner says that it is durable (§6.1).
 * Limits: conns_max, the engine's, SMTP_WAIT_COMMAND for each command and each 4 KiB of text, then 421.
 * The structs hold pointers of this process: the arena is the service's own, not a stack's. */
#ifndef SERVE_SMTP_H
#define SERVE_SMTP_H

#include "app/smtp/server.h"
#include "base/arena.h"
#include "serve/conns.h"
#include "serve/mail.h"
#include <viaduct/socket.h>

struct serve_smtp_config {
	struct arena *arena;          /* borrowed for the service's life; about 13 KiB a connection */
	struct via *via;              /* borrowed */
	struct serve_mail mail;
	const char *name;             /* ours, in greeting and Received; borrowed */
	const char *const *domains;   /* that are ours, NULL-terminated; borrowed. Our own address in brackets is, too */
	const char *const *mailboxes; /* those there are, NULL-terminated; borrowed; NULL: every name is one */
	uint64_t size_max;            /* octets of a message; 0: 10,240,000 */
	struct via_sockaddr local;    /* port 0 means 25 */
	uint32_t conns_max;           /* 0: 256 */
};

struct serve_smtp {
	struct serve_conns conns;     /* first */
	struct serve_smtp_config cfg;
	int64_t now;                  /* set by serve_smtp_tick() */
	uint64_t n_messages, n_refused; /* kept; asked for but not kept */
};

/* now: ns since 1970, for Received. 0 or -errno. */
int serve_smtp_start(struct serve_smtp *s, const struct serve_smtp_config *cfg, int64_t now);
/* Close everything, what is not kept is forgotten; the arena is as it was before start. */
void serve_smtp_stop(struct serve_smtp *s);
/* Tell the time, about once a second or before each via_dispatch(). */
void serve_smtp_tick(struct serve_smtp *s, int64_t now);

#endif
