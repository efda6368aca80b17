/* svc/dhcp6_info.c - see dhcp6_info.h. RFC 8415 §15 (repeats), §16.10, §16.12 (what is valid), RFC 3646 §3, RFC 8415 §21.23 (refresh). */
#include "svc/dhcp6_info.h"

#include <errno.h>

enum { DUID_LL = 3, HTYPE_ETHER = 1, DUID_LEN = 10, MAX_RT_S = 3600, MAX_RT_LEAST_S = 60, MAX_RT_MOST_S = 86400 };
#define INF_MAX_DELAY_NS NS_PER_S
#define INF_TIMEOUT_NS NS_PER_S

static void duid_of(const uint8_t mac[6], uint8_t out[DUID_LEN])
{
	put_be16(out, DUID_LL);
	put_be16(out + 2, HTYPE_ETHER);
	memcpy(out + 4, mac, 6);
}

/* ns times a random number from -0.1 to 0.1. */
static int64_t tenth(struct dhcp6_client *c, int64_t ns)
{
	return (int64_t)(prf_next(&c->random) % (uint64_t)(ns / 5 + 1)) - ns / 10;
}

/* --- client --- */

static void client_begin(struct dhcp6_client *c, int64_t now)
{
	c->xid = (uint32_t)prf_next(&c->random) & 0xffffff;
	c->rt_ns = 0;
	c->deadline = now + (int64_t)(prf_next(&c->random) % (uint64_t)(INF_MAX_DELAY_NS + 1));
}

void dhcp6_client_start(struct dhcp6_client *c, const uint8_t mac[6], struct prf_key key, int64_t now)
{
	*c = (struct dhcp6_client){.random = {.key = key}, .max_rt_s = MAX_RT_S};
	memcpy(c->mac, mac, 6);
	client_begin(c, now);
}

size_t dhcp6_client_timeout(struct dhcp6_client *c, int64_t now, uint8_t out[DHCP6_MSG_MAX])
{
	uint8_t duid[DUID_LEN], elapsed[2];
	static const uint8_t wanted[] = {0, DHCP6_OPT_DNS, 0, DHCP6_OPT_REFRESH, 0, DHCP6_OPT_INF_MAX_RT};
	if (now < c->deadline)
		return 0;
	if (c->is_known && c->rt_ns == INT64_MAX) /* what is known has lived its time: another exchange, at once */
		c->rt_ns = 0;
	int64_t rt = c->rt_ns, most = c->max_rt_s * NS_PER_S;
	if (!rt) {
		c->began = now;
		c->xid = (uint32_t)prf_next(&c->random) & 0xffffff;
		rt = INF_TIMEOUT_NS + tenth(c, INF_TIMEOUT_NS);
	} else {
		rt = 2 * rt + tenth(c, rt);
		if (rt > most)
			rt = most + tenth(c, most);
	}
	c->rt_ns = rt;
	c->deadline = now + rt;
	duid_of(c->mac, duid);
	int64_t waited = (now - c->began) / (10 * NS_PER_MS);
	put_be16(elapsed, (uint16_t)MIN(waited, UINT16_MAX));
	struct writer w = dhcp6_begin(out, DHCP6_MSG_MAX, DHCP6_INFORMATION_REQUEST, c->xid);
	dhcp6_put(&w, DHCP6_OPT_CLIENTID, duid, sizeof(duid));
	dhcp6_put(&w, DHCP6_OPT_ORO, wanted, sizeof(wanted));
	dhcp6_put(&w, DHCP6_OPT_ELAPSED, elapsed, sizeof(elapsed));
	return (size_t)(w.p - out);
}

/* May programs ask there? A unicast address of IPv6. */
static bool is_server(const struct via_addr *a)
{
	return !via_addr_is_v4(a) && !via_addr_is_any(a) && !via_addr_is_multicast(a) && !via_addr_is_loopback(a);
}

static void info_read(struct dhcp6_client *c, const struct dhcp6_msg *m)
{
	uint16_t len = 0;
	uint32_t v;
	const uint8_t *dns = dhcp6_option(m, DHCP6_OPT_DNS, &len);
	c->info = (struct dhcp6_info){.refresh_s = DHCP6_REFRESH_DEFAULT_S};
	for (unsigned i = 0; dns && len % 16 == 0 && i < len / 16u && c->info.n_dns < DHCP6_DNS_MAX; i++) {
		struct via_addr a = {.scope = 0};
		memcpy(a.b, dns + 16 * i, 16);
		if (is_server(&a))
			c->info.dns[c->info.n_dns++] = a;
	}
	if (dhcp6_option_u32(m, DHCP6_OPT_REFRESH, 4, &v))
		c->info.refresh_s = MAX(v, DHCP6_REFRESH_MIN_S);
	if (dhcp6_option_u32(m, DHCP6_OPT_INF_MAX_RT, 4, &v) && v >= MAX_RT_LEAST_S && v <= MAX_RT_MOST_S)
		c->max_rt_s = v;
}

bool dhcp6_client_input(struct dhcp6_client *c, const uint8_t *p, size_t len, int64_t now)
{
	struct dhcp6_msg m;
	uint8_t duid[DUID_LEN];
	uint16_t n = 0, n_server = 0;
	bool is_awaited = c->rt_ns && c->rt_ns != INT64_MAX;
	duid_of(c->mac, duid);
	bool good = is_awaited && dhcp6_parse(p, len, &m) == 0 && m.type == DHCP6_REPLY && m.xid == c->xid;
	const uint8_t *id = good ? dhcp6_option(&m, DHCP6_OPT_CLIENTID, &n) : NULL;
	const uint8_t *server = good ? dhcp6_option(&m, DHCP6_OPT_SERVERID, &n_server) : NULL;
	if (!id || n != DUID_LEN || memcmp(id, duid, DUID_LEN) != 0 || !server || n_server < 3 || n_server > DHCP6_DUID_MAX) {
		c->n_ignored++;
		return false;
	}
	info_read(c, &m);
	c->is_known = true;
	c->rt_ns = INT64_MAX; /* nothing is under way */
	c->deadline = c->info.refresh_s == UINT32_MAX ? TIME_NEVER : now + c->info.refresh_s * NS_PER_S;
	return true;
}

/* --- server --- */

/* Is the option wanted? Who names none gets all (RFC 8415 §18.3.6 leaves it to the server). */
static bool is_wanted(const struct dhcp6_msg *m, uint16_t code)
{
	uint16_t len;
	const uint8_t *p = dhcp6_option(m, DHCP6_OPT_ORO, &len);
	for (uint16_t i = 0; p && i + 1 < len; i += 2)
		if (get_be16(p + i) == code)
			return true;
	return !p;
}

size_t dhcp6_server_input(const struct dhcp6_server_config *s, const uint8_t *p, size_t len, uint8_t out[DHCP6_MSG_MAX])
{
	struct dhcp6_msg m;
	uint8_t duid[DUID_LEN], dns[16 * DHCP6_DNS_MAX], refresh[4];
	uint16_t n, n_client = 0;
	duid_of(s->mac, duid);
	if (dhcp6_parse(p, len, &m) || m.type != DHCP6_INFORMATION_REQUEST)
		return 0;
	const uint8_t *server = dhcp6_option(&m, DHCP6_OPT_SERVERID, &n), *client;
	bool is_other = server && (n != DUID_LEN || memcmp(server, duid, DUID_LEN) != 0);
	if (is_other || dhcp6_option(&m, DHCP6_OPT_IA_NA, &n) || dhcp6_option(&m, DHCP6_OPT_IA_TA, &n) || dhcp6_option(&m, DHCP6_OPT_IA_PD, &n))
		return 0; /* §16.12 */
	client = dhcp6_option(&m, DHCP6_OPT_CLIENTID, &n_client);
	if (n_client > DHCP6_DUID_MAX)
		return 0;
	struct writer w = dhcp6_begin(out, DHCP6_MSG_MAX, DHCP6_REPLY, m.xid);
	dhcp6_put(&w, DHCP6_OPT_SERVERID, duid, sizeof(duid));
	if (client)
		dhcp6_put(&w, DHCP6_OPT_CLIENTID, client, n_client);
	for (int i = 0; i < s->info.n_dns; i++)
		memcpy(dns + 16 * i, s->info.dns[i].b, 16);
	if (s->info.n_dns && is_wanted(&m, DHCP6_OPT_DNS))
		dhcp6_put(&w, DHCP6_OPT_DNS, dns, 16u * (unsigned)s->info.n_dns);
	put_be32(refresh, s->info.refresh_s);
	if (s->info.refresh_s && is_wanted(&m, DHCP6_OPT_REFRESH))
		dhcp6_put(&w, DHCP6_OPT_REFRESH, refresh, 4);
	return w.bad ? 0 : (size_t)(w.p - out);
}
