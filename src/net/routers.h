/* net/routers.h - what a host believes of the routers on one link: who may be its default router, which prefixes are on link
 * (RFC 4861 §5.1, §6.3.4 to §6.3.6; RFC 4191 §3.2 for preferences).
 *
 * At most ROUTERS_MAX and ROUTERS_PREFIXES_MAX; when full, a router of lower preference or one that does not answer gives way, else the
 * newcomer is not believed, so that forged advertisements cannot push out who is in use (RFC 6104). A router that unreachability
 * detection gave up on is passed over while there is another, not forgotten (§6.3.6); if all are such, they are tried in turn. */
#ifndef NET_ROUTERS_H
#define NET_ROUTERS_H
#include "wire/nd.h"

#define ROUTERS_MAX 8u
#define ROUTERS_PREFIXES_MAX 16u

struct routers {
	struct router {
		struct via_addr addr;  /* link-local */
		int64_t until;
		uint32_t order;        /* smaller: tried earlier among equals */
		int8_t preference;     /* enum nd_preference */
		bool is_suspect;       /* it did not answer */
	} router[ROUTERS_MAX];
	struct router_prefix {
		struct via_addr prefix;
		int64_t until;
		uint8_t plen;
	} prefix[ROUTERS_PREFIXES_MAX];
	uint32_t order;
	uint8_t n_routers, n_prefixes;
};

/* An advertisement of `addr`: lifetime_s 0 takes it out. False: it is not believed, the list is full. */
bool routers_hear(struct routers *r, const struct via_addr *addr, uint16_t lifetime_s, int8_t preference, int64_t now);
/* It is a router no more (ND-007). False: it was in no list. */
bool routers_remove(struct routers *r, const struct via_addr *addr);
/* It does not answer; or it does (again). False: it is in no list, or known. */
bool routers_suspect(struct routers *r, const struct via_addr *addr, bool is_suspect);
/* The one to use, or NULL. Borrowed until the next call. */
const struct router *routers_best(const struct routers *r);
/* Is a to be preferred to b? */
bool router_is_better(const struct router *a, const struct router *b);

enum prefix_news { PREFIX_SAME, PREFIX_NEW, PREFIX_GONE };
/* An on-link prefix was advertised. The link-local one is nobody's to advertise and is ignored. */
enum prefix_news routers_hear_prefix(struct routers *r, const struct nd_prefix *p, int64_t now);
/* Is the prefix on link by a router's word? */
bool routers_has_prefix(const struct routers *r, const struct via_addr *prefix, uint8_t plen);
/* Take out routers whose time is over; then each call gives one prefix that ended. False: no more of them. *lost is set if a router
 * went. */
bool routers_expire(struct routers *r, int64_t now, bool *lost, struct router_prefix *gone);
int64_t routers_next(const struct routers *r);
#endif
