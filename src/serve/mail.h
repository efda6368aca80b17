/* serve/mail.h - where a mail server's messages go: the owner's table of functions, so that serve/ stays pure.
 *
 * Mailbox names come from the network: any printable ASCII, at most 64 octets, of letters only small ones. A message ends with
 * commit() or abort(). */
#ifndef SERVE_MAIL_H
#define SERVE_MAIL_H

#include <stddef.h>
#include <stdint.h>

struct serve_mail {
	/* A message for n different mailboxes begins. 0 and *token, which is not 0, or -ENOSPC, -EDQUOT, -EMFILE, ... */
	int (*begin)(void *ctx, const char *const *mailboxes, uint32_t n, uint64_t *token);
	int (*write)(void *ctx, uint64_t token, const void *data, size_t n); /* 0 or -errno */
	/* Into all the mailboxes, or none: 0 only when a power cut cannot take it back. */
	int (*commit)(void *ctx, uint64_t token);
	void (*abort)(void *ctx, uint64_t token);
	void *ctx;
};

#endif
