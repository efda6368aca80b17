/* wire/dhcp6.h - DHCPv6 messages between clients and servers: type, transaction id, options (RFC 8415 §8, §21; RFC 3646; relays not). */
#ifndef WIRE_DHCP6_H
#define WIRE_DHCP6_H
#include "base/bytes.h"

#define DHCP6_HLEN 4u
#define DHCP6_MSG_MAX 1232u /* fits a link of 1280 bytes */
#define DHCP6_DUID_MAX 130u /* RFC 8415 §11.1: 128 and the type */
enum { DHCP6_PORT_CLIENT = 546, DHCP6_PORT_SERVER = 547 };
enum { DHCP6_REPLY = 7, DHCP6_INFORMATION_REQUEST = 11 };
enum dhcp6_code {
	DHCP6_OPT_CLIENTID = 1, DHCP6_OPT_SERVERID = 2, DHCP6_OPT_IA_NA = 3, DHCP6_OPT_IA_TA = 4, DHCP6_OPT_ORO = 6, DHCP6_OPT_ELAPSED = 8,
	DHCP6_OPT_STATUS = 13, DHCP6_OPT_DNS = 23, DHCP6_OPT_DOMAINS = 24, DHCP6_OPT_IA_PD = 25, DHCP6_OPT_REFRESH = 32,
	DHCP6_OPT_INF_MAX_RT = 83
};

/* Borrows the bytes it was parsed from. */
struct dhcp6_msg {
	uint8_t type;
	uint32_t xid; /* 24 bits */
	const uint8_t *options;
	size_t len;
};

/* A UDP payload. 0, or -EINVAL: too short, or an option leaves the message. A relay's message reads as nonsense options or is one. */
int dhcp6_parse(const uint8_t *p, size_t len, struct dhcp6_msg *m);
/* The first option of that code, or NULL; its length in *len. */
const uint8_t *dhcp6_option(const struct dhcp6_msg *m, uint16_t code, uint16_t *len);
/* A number of 2 or 4 bytes. False: it is not there, or has another length. */
bool dhcp6_option_u32(const struct dhcp6_msg *m, uint16_t code, size_t bytes, uint32_t *out);
/* Begin a message; the writer goes on with options. */
struct writer dhcp6_begin(uint8_t *out, size_t cap, uint8_t type, uint32_t xid);
void dhcp6_put(struct writer *w, uint16_t code, const void *data, size_t len);
#endif
