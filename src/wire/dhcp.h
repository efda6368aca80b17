/* wire/dhcp.h - DHCPv4 messages: header and options to fields and back (RFC 2131 §2, §4.1; RFC 2132; RFC 3396).
 *
 * Options stand in up to three fields: the options field, then, if option 52 says so, the boot file's and the server's
 * name. dhcp_parse() walks all of them once and refuses a message in which any option leaves its field, so a later
 * dhcp_option() cannot fail for that reason. Parts of one option are joined in that order (RFC 3396 §7). BOOTP messages,
 * which have no type, are refused. */
#ifndef WIRE_DHCP_H
#define WIRE_DHCP_H
#include "base/bytes.h"

#define DHCP_HLEN 240u      /* the fixed part and the cookie */
#define DHCP_MSG_MIN 300u   /* shorter ones are dropped by old relays (RFC 1542 §2.1) */
#define DHCP_MSG_MAX 548u   /* what everybody takes: 576 less IP's and UDP's header (RFC 2131 §2) */
#define DHCP_CHADDR 16u
enum { DHCP_PORT_SERVER = 67, DHCP_PORT_CLIENT = 68 };
enum { DHCP_BOOTREQUEST = 1, DHCP_BOOTREPLY = 2 };
enum { DHCP_HTYPE_ETHER = 1 };
enum dhcp_type {
	DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK, DHCP_RELEASE, DHCP_INFORM
};
/* RFC 2132, 3442 */
enum dhcp_code {
	DHCP_OPT_PAD = 0, DHCP_OPT_MASK = 1, DHCP_OPT_ROUTER = 3, DHCP_OPT_DNS = 6, DHCP_OPT_HOSTNAME = 12, DHCP_OPT_DOMAIN = 15,
	DHCP_OPT_MTU = 26, DHCP_OPT_BROADCAST = 28, DHCP_OPT_ADDRESS = 50, DHCP_OPT_LEASE = 51, DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53, DHCP_OPT_SERVER = 54, DHCP_OPT_WANTED = 55, DHCP_OPT_MESSAGE = 56, DHCP_OPT_MAX_SIZE = 57, DHCP_OPT_T1 = 58,
	DHCP_OPT_T2 = 59, DHCP_OPT_CLIENT = 61, DHCP_OPT_ROUTES = 121, DHCP_OPT_END = 255
};

/* Addresses in host byte order. */
struct dhcp_hdr {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs;
	bool broadcast; /* the client cannot take a unicast reply yet */
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[DHCP_CHADDR];
};

/* Borrows the bytes it was parsed from. */
struct dhcp_msg {
	struct dhcp_hdr h;
	uint8_t type; /* enum dhcp_type, or a number nobody knows yet */
	uint8_t n_fields;
	struct dhcp_field {
		const uint8_t *p;
		uint16_t len;
	} field[3];
};

/* A UDP payload of len bytes. 0, or -EINVAL: too short, no cookie, an option that leaves its field, no or several bytes of type or
 * overload, a hardware address longer than its field. */
int dhcp_parse(const uint8_t *p, size_t len, struct dhcp_msg *m);
/* The joined parts of an option into buf. Its length, -ENOENT, or -ENOSPC: longer than cap. */
int dhcp_option(const struct dhcp_msg *m, uint8_t code, uint8_t *buf, size_t cap);
/* An option that is one number of 1, 2 or 4 bytes. False: it is not there, or has another length. */
bool dhcp_option_u32(const struct dhcp_msg *m, uint8_t code, size_t bytes, uint32_t *out);
/* An option that lists addresses: the first n of them. How many were written; 0: not there, or not a list of addresses. */
int dhcp_option_addrs(const struct dhcp_msg *m, uint8_t code, uint32_t *out, int n);

/* Begin a message in out (cap bytes); the writer goes on with options. */
struct writer dhcp_begin(uint8_t *out, size_t cap, const struct dhcp_hdr *h, uint8_t type);
/* Add an option; data of more than 255 bytes becomes several parts (RFC 3396 §4). */
void dhcp_put(struct writer *w, uint8_t code, const void *data, size_t len);
void dhcp_put_u32(struct writer *w, uint8_t code, size_t bytes, uint32_t v);
void dhcp_put_addrs(struct writer *w, uint8_t code, const uint32_t *v, int n);
/* End it and fill up to DHCP_MSG_MIN. Its length, or 0: it did not fit. */
size_t dhcp_end(struct writer *w, const uint8_t *out);
#endif
