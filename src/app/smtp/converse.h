/* app/smtp/converse.h - between the client's replies (reply.c) and what it does about them (client.c). */
#ifndef APP_SMTP_CONVERSE_H
#define APP_SMTP_CONVERSE_H

#include "app/smtp/client.h"

/* Line `index` of a reply, from 0; text is terminated. EHLO's answer is read by lines. */
void smtp_converse_line(struct smtp_client *c, uint16_t code, uint16_t index, const char *text);
/* A reply is complete; text is its last line's. */
void smtp_converse(struct smtp_client *c, uint16_t code, const char *text);

#endif
