/* svc/dhcp_client.c - the client's state machine: RFC 2131 figure 5, §4.4. See dhcp_client.h; leases are read in dhcp_lease.c.
 *
 * Repeats come after 4, 8, 16, 32 and then every 64 seconds, each a second more or less by chance (§4.1); a request that
 * four repeats did not get answered begins again from INIT (§3.1 (5)). Renewals are repeated after half the time that is
 * left, at least a minute. Each of them has an id of its own, so a late answer never makes a lease longer than it is. */
#include "svc/dhcp_client.h"

#include <errno.h>

#include "svc/dhcp_lease.h"

enum { REQUESTS_MAX = 5, BACKOFF_STEPS = 4, NAK_STEPS = 6 };
#define BACKOFF_FIRST_NS (4 * NS_PER_S)
#define RENEW_MIN_NS (60 * NS_PER_S)
#define DECLINE_WAIT_NS (10 * NS_PER_S)

static void client_do(struct dhcp_do *out)
{
	out->act = DHCP_ACT_NONE;
	out->addr = out->to = 0;
	out->len = 0;
}

/* 4, 8, 16, 32, 64, 64 ... seconds, plus or minus one. */
static int64_t client_backoff(struct dhcp_client *c)
{
	int64_t jitter = (int64_t)(prf_next(&c->random) % (uint64_t)(2 * NS_PER_S + 1)) - NS_PER_S;
	return (BACKOFF_FIRST_NS << MIN(c->tries > 0 ? c->tries - 1 : 0, BACKOFF_STEPS)) + jitter;
}

/* Whatever is awaited, the end of the lease comes first. */
static void client_clamp(struct dhcp_client *c)
{
	if (c->has_addr)
		c->deadline = MIN(c->deadline, c->lease.expiry);
}

static void client_xid(struct dhcp_client *c)
{
	c->xid = (uint32_t)prf_next(&c->random);
}

static struct dhcp_hdr client_header(const struct dhcp_client *c, int64_t now)
{
	struct dhcp_hdr h = {.op = DHCP_BOOTREQUEST, .htype = DHCP_HTYPE_ETHER, .hlen = 6, .xid = c->xid};
	int64_t secs = (now - c->began) / NS_PER_S;
	h.secs = (uint16_t)MIN(secs, UINT16_MAX);
	memcpy(h.chaddr, c->cfg.mac, 6);
	return h;
}

static void client_put_id(const struct dhcp_client *c, struct writer *w)
{
	uint8_t id[7] = {DHCP_HTYPE_ETHER};
	memcpy(id + 1, c->cfg.mac, 6);
	dhcp_put(w, DHCP_OPT_CLIENT, id, sizeof(id));
}

/* A DISCOVER or a REQUEST by the state the client is in (§4.3.2, §4.3.6, table 4). */
static void client_ask(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	static const uint8_t wanted[] = {DHCP_OPT_MASK, DHCP_OPT_ROUTES, DHCP_OPT_ROUTER, DHCP_OPT_DNS, DHCP_OPT_DOMAIN, DHCP_OPT_MTU,
					 DHCP_OPT_T1, DHCP_OPT_T2};
	bool is_renewal = c->state == DHCP_RENEWING || c->state == DHCP_REBINDING;
	struct dhcp_hdr h = client_header(c, now);
	h.ciaddr = is_renewal ? c->lease.addr : 0;
	h.broadcast = !is_renewal;
	struct writer w = dhcp_begin(out->msg, sizeof(out->msg), &h, c->state == DHCP_SELECTING ? DHCP_DISCOVER : DHCP_REQUEST);
	client_put_id(c, &w);
	if (!is_renewal && c->lease.addr)
		dhcp_put_u32(&w, DHCP_OPT_ADDRESS, 4, c->lease.addr);
	if (c->state == DHCP_REQUESTING)
		dhcp_put_u32(&w, DHCP_OPT_SERVER, 4, c->lease.server);
	dhcp_put(&w, DHCP_OPT_WANTED, wanted, sizeof(wanted));
	dhcp_put_u32(&w, DHCP_OPT_MAX_SIZE, 2, 1500);
	if (c->cfg.hostname[0])
		dhcp_put(&w, DHCP_OPT_HOSTNAME, c->cfg.hostname, strlen(c->cfg.hostname));
	out->len = (uint16_t)dhcp_end(&w, out->msg);
	out->to = c->state == DHCP_RENEWING ? c->lease.server : 0;
	c->tries += c->tries < UINT8_MAX;
}

/* A DECLINE or RELEASE: names server and address, is not answered. */
static void client_tell(struct dhcp_client *c, uint8_t type, int64_t now, struct dhcp_do *out)
{
	client_xid(c);
	struct dhcp_hdr h = client_header(c, now);
	h.secs = 0;
	h.ciaddr = type == DHCP_RELEASE ? c->lease.addr : 0;
	struct writer w = dhcp_begin(out->msg, sizeof(out->msg), &h, type);
	client_put_id(c, &w);
	if (type == DHCP_DECLINE)
		dhcp_put_u32(&w, DHCP_OPT_ADDRESS, 4, c->lease.addr);
	dhcp_put_u32(&w, DHCP_OPT_SERVER, 4, c->lease.server);
	out->len = (uint16_t)dhcp_end(&w, out->msg);
	out->to = type == DHCP_RELEASE ? c->lease.server : 0;
}

/* Begin a state in which something is asked. */
static void client_enter(struct dhcp_client *c, enum dhcp_state state, int64_t now, struct dhcp_do *out)
{
	c->state = state;
	c->tries = 0;
	client_xid(c);
	c->asked = now;
	client_ask(c, now, out);
	c->deadline = now + client_backoff(c);
}

static void client_discover(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	c->began = now;
	c->lease = (struct dhcp_lease){0};
	client_enter(c, DHCP_SELECTING, now, out);
}

/* The address is not ours any more; begin again after `wait`. */
static void client_restart(struct dhcp_client *c, int64_t wait, int64_t now, struct dhcp_do *out)
{
	if (c->has_addr || c->state == DHCP_CHECKING) {
		out->act = DHCP_ACT_DROP;
		out->addr = c->lease.addr;
	}
	c->has_addr = false;
	c->state = DHCP_INIT;
	c->deadline = now + wait;
}

/* When to ask next while the lease runs out at `end`. */
static int64_t client_half_way(int64_t now, int64_t end)
{
	return end - now <= RENEW_MIN_NS ? end : now + MAX((end - now) / 2, RENEW_MIN_NS);
}

/* RENEWING and REBINDING: each message is a new request. */
static void client_renew(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	if (now >= c->lease.expiry) {
		client_restart(c, 0, now, out);
		return;
	}
	enum dhcp_state state = now >= c->lease.t2 ? DHCP_REBINDING : DHCP_RENEWING;
	if (state != c->state) {
		c->state = state;
		c->tries = 0;
		c->began = now;
	}
	client_xid(c);
	c->asked = now;
	client_ask(c, now, out);
	c->deadline = client_half_way(now, state == DHCP_RENEWING ? c->lease.t2 : c->lease.expiry);
}

static void client_bound(struct dhcp_client *c, struct dhcp_do *out)
{
	c->state = DHCP_BOUND;
	c->has_addr = true;
	c->naks = 0;
	c->deadline = c->lease.t1; /* never after the lease's end: dhcp_lease_read() */
	out->act = DHCP_ACT_USE;
}

void dhcp_client_start(struct dhcp_client *c, const struct dhcp_client_config *cfg, int64_t now, struct dhcp_do *out)
{
	client_do(out);
	*c = (struct dhcp_client){.cfg = *cfg, .random = {.key = cfg->key}, .began = now};
	c->lease.addr = cfg->known;
	if (cfg->known)
		client_enter(c, DHCP_REBOOTING, now, out);
	else
		client_discover(c, now, out);
}

void dhcp_client_stop(struct dhcp_client *c, bool release, int64_t now, struct dhcp_do *out)
{
	client_do(out);
	if (release && c->has_addr)
		client_tell(c, DHCP_RELEASE, now, out);
	uint16_t len = out->len;
	uint32_t to = out->to;
	client_restart(c, 0, now, out);
	out->len = len;
	out->to = to;
	c->state = DHCP_STOPPED;
	c->deadline = TIME_NEVER;
}

/* Is m an answer to what we asked, from whom we asked? RFC 2131 §4.4.1, RFC 6842 §3. */
static bool client_is_asked(const struct dhcp_client *c, const struct dhcp_msg *m, uint32_t from, uint16_t port)
{
	uint8_t id[7];
	uint32_t server = 0;
	static const uint8_t rest[DHCP_CHADDR - 6];
	int n = dhcp_option(m, DHCP_OPT_CLIENT, id, sizeof(id));
	bool other_id = n != -ENOENT && (n != 7 || id[0] != DHCP_HTYPE_ETHER || memcmp(id + 1, c->cfg.mac, 6) != 0);
	if (port != DHCP_PORT_SERVER || from == 0 || m->h.op != DHCP_BOOTREPLY || m->h.htype != DHCP_HTYPE_ETHER || m->h.hlen != 6)
		return false;
	if (m->h.xid != c->xid || memcmp(m->h.chaddr, c->cfg.mac, 6) != 0 || memcmp(m->h.chaddr + 6, rest, sizeof(rest)) != 0 || other_id)
		return false;
	if (!dhcp_option_u32(m, DHCP_OPT_SERVER, 4, &server) || !dhcp_addr_is_host(server))
		return false;
	bool is_of_one = c->state == DHCP_REQUESTING || c->state == DHCP_RENEWING;
	return !is_of_one || server == c->lease.server;
}

static bool client_awaits(const struct dhcp_client *c, uint8_t type)
{
	switch (c->state) {
	case DHCP_SELECTING:
		return type == DHCP_OFFER;
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		return type == DHCP_ACK || type == DHCP_NAK;
	default:
		return false;
	}
}

static void client_offered(struct dhcp_client *c, const struct dhcp_lease *l, int64_t now, struct dhcp_do *out)
{
	c->lease = *l;
	c->state = DHCP_REQUESTING;
	c->tries = 0;
	c->asked = now;
	client_ask(c, now, out); /* with the offer's xid and secs (§4.4.1) */
	c->deadline = now + client_backoff(c);
}

static void client_acked(struct dhcp_client *c, const struct dhcp_lease *l, struct dhcp_do *out)
{
	c->lease = *l;
	if (c->has_addr) {
		client_bound(c, out);
		return;
	}
	c->state = DHCP_CHECKING;
	c->deadline = l->expiry;
	out->act = DHCP_ACT_CHECK;
	out->addr = l->addr;
}

/* Servers that refuse again and again get asked more and more seldom. */
static void client_nakked(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	int64_t wait = ((INT64_C(1) << MIN(c->naks, NAK_STEPS)) - 1) * NS_PER_S;
	c->naks += c->naks < UINT8_MAX;
	client_restart(c, wait, now, out);
	if (wait == 0)
		client_discover(c, now, out);
}

void dhcp_client_input(struct dhcp_client *c, const uint8_t *p, size_t len, uint32_t from, uint16_t port, int64_t now,
		       struct dhcp_do *out)
{
	struct dhcp_msg m;
	struct dhcp_lease l;
	client_do(out);
	if (dhcp_parse(p, len, &m) || !client_awaits(c, m.type) || !client_is_asked(c, &m, from, port)) {
		c->n_ignored++;
		return;
	}
	if (m.type == DHCP_NAK) {
		client_nakked(c, now, out);
		return;
	}
	bool is_whole = dhcp_lease_read(&m, c->asked, &l);
	if (!is_whole || (m.type == DHCP_ACK && l.addr != c->lease.addr)) {
		c->n_ignored++;
		return;
	}
	if (m.type == DHCP_OFFER)
		client_offered(c, &l, now, out);
	else
		client_acked(c, &l, out);
}

/* A request that nobody answered after all its repeats. */
static void client_give_up(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	if (c->state == DHCP_REBOOTING && c->has_addr && now < c->lease.expiry) { /* §3.2 (3): the lease we have is still good */
		c->state = DHCP_BOUND;
		c->deadline = MAX(c->lease.t1, now);
		return;
	}
	client_restart(c, 0, now, out);
	client_discover(c, now, out);
}

void dhcp_client_timeout(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	client_do(out);
	if (now < c->deadline)
		return;
	if (c->has_addr && now >= c->lease.expiry) { /* at once: before anything else (§4.4.5) */
		client_restart(c, 0, now, out);
		client_discover(c, now, out);
		return;
	}
	switch (c->state) {
	case DHCP_INIT:
		client_discover(c, now, out);
		break;
	case DHCP_CHECKING: /* the lease ended before we knew whether we may use it */
		client_restart(c, 0, now, out);
		break;
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
		if (c->tries >= REQUESTS_MAX) {
			client_give_up(c, now, out);
			break;
		}
		/* fall through */
	case DHCP_SELECTING:
		client_ask(c, now, out);
		c->deadline = now + client_backoff(c);
		break;
	case DHCP_BOUND:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		client_renew(c, now, out);
		break;
	case DHCP_STOPPED:
		c->deadline = TIME_NEVER;
		break;
	}
	client_clamp(c);
}

void dhcp_client_checked(struct dhcp_client *c, bool is_conflict, int64_t now, struct dhcp_do *out)
{
	client_do(out);
	if (!is_conflict && c->state == DHCP_CHECKING) {
		client_bound(c, out);
	} else if (is_conflict && (c->state == DHCP_CHECKING || c->has_addr)) {
		client_tell(c, DHCP_DECLINE, now, out);
		client_restart(c, DECLINE_WAIT_NS + (int64_t)(prf_next(&c->random) % (uint64_t)NS_PER_S), now, out);
	}
}

void dhcp_client_link_up(struct dhcp_client *c, int64_t now, struct dhcp_do *out)
{
	client_do(out);
	if (c->state == DHCP_STOPPED || c->state == DHCP_CHECKING)
		return;
	c->began = now;
	if (c->has_addr)
		client_enter(c, DHCP_REBOOTING, now, out);
	else if (c->state != DHCP_REBOOTING)
		client_discover(c, now, out);
	client_clamp(c);
}
