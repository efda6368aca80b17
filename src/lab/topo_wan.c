/* lab/topo_wan.c - the keys of a wan node in a topology file: loopback, dns, tcp, udp; doc/lab.md is their reference. */
#include "lab/yaml.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdlib.h>

/* A port at s, up to `end`. 0: none. */
static uint16_t port_read(const char *s, const char *end)
{
	char *stop;
	unsigned long n = s < end && *s >= '0' && *s <= '9' ? strtoul(s, &stop, 10) : 0;
	return n && n <= 65535 && stop == end ? (uint16_t)n : 0;
}

/* "ADDRESS" or "ADDRESS:PORT"; an IPv6 one with a port in brackets. */
int topo_wan_server(struct yaml_tree *y, const ynode *n, struct via_sockaddr *out)
{
	const char *s;
	if (yaml_text(y, n, "dns", &s))
		return -EINVAL;
	const char *end = s + strlen(s), *colon = strrchr(s, ':');
	bool has_brackets = colon > s + 1 && s[0] == '[' && colon[-1] == ']';
	out->port = 53;
	if (via_addr_parse(s, (size_t)(end - s), &out->addr) == 0)
		return 0;
	out->port = colon ? port_read(colon + 1, end) : 0;
	if (!out->port || via_addr_parse(s + has_brackets, (size_t)(colon - s) - 2u * has_brackets, &out->addr) ||
	    via_addr_is_v4(&out->addr) == has_brackets)
		return yaml_fail(y, n, "dns '%s' is no ADDRESS or ADDRESS:PORT of a name server ([ADDRESS]:PORT in IPv6)", s);
	return 0;
}

/* "ADDRESS/" or "[ADDRESS]:" at s, where a forward may begin with it. *rest: what is behind. False: no address stands there. */
static bool host_read(const char *s, const char *end, struct via_addr *out, const char **rest)
{
	bool has_brackets = s < end && *s == '[';
	const char *stop = memchr(s, has_brackets ? ']' : '/', (size_t)(end - s));
	*out = via_addr_v4(0x7f000001);
	*rest = s;
	if (!stop)
		return !has_brackets;
	*rest = stop + 1 + has_brackets;
	return via_addr_parse(s + has_brackets, (size_t)(stop - s) - has_brackets, out) == 0 &&
	       (!has_brackets || (stop + 1 < end && (stop[1] == ':' || stop[1] == '/')));
}

/* "[HOSTADDRESS/]HOSTPORT[:[GUEST:]PORT]", as passt has it. False: it is not that. */
static bool forward_read(const char *s, const char *end, struct topo_forward *f)
{
	if (!host_read(s, end, &f->host.addr, &s))
		return false;
	const char *colon = memchr(s, ':', (size_t)(end - s)), *last = colon;
	for (const char *p = s; p < end; p++)
		if (*p == ':')
			last = p;
	f->host.port = port_read(s, colon ? colon : end);
	f->port = last ? port_read(last + 1, end) : f->host.port;
	if (colon != last) {
		bool has_brackets = colon[1] == '[' && last[-1] == ']' && last - colon > 3;
		size_t len = (size_t)(last - colon - 1) - 2u * has_brackets;
		if (!len || len >= sizeof f->guest)
			return false;
		memcpy(f->guest, colon + 1 + has_brackets, len);
	}
	return f->host.port && f->port;
}

/* Some of them, between commas. */
static int read_forwards(struct yaml_tree *y, const ynode *n, bool is_udp, struct topo_wan *w)
{
	const char *s, *key = is_udp ? "udp" : "tcp";
	if (yaml_text(y, n, key, &s))
		return -EINVAL;
	while (*s) {
		size_t len = strcspn(s, ",");
		struct topo_forward *more = realloc(w->forwards, (size_t)(w->n_forwards + 1) * sizeof *more);
		if (!more)
			return yaml_fail(y, n, "no memory");
		w->forwards = more;
		more[w->n_forwards] = (struct topo_forward){.is_udp = is_udp, .mark = yaml_mark(n)};
		if (!forward_read(s, s + len, &more[w->n_forwards++]))
			return yaml_fail(y, n, "%s '%.*s' must be HOSTPORT:PORT, such as 8080:80, or ADDRESS/HOSTPORT:NODE:PORT", key, (int)len, s);
		s += len + (s[len] == ',');
	}
	return 0;
}

/* One address, or one of each family between commas. */
static int read_loopback(struct yaml_tree *y, const ynode *n, struct topo_wan *w)
{
	const char *s;
	if (yaml_text(y, n, "loopback", &s))
		return -EINVAL;
	while (*s) {
		size_t len = strcspn(s, ",");
		struct via_addr a;
		if (via_addr_parse(s, len, &a))
			return yaml_fail(y, n, "loopback must be an address, or one of IPv4 and one of IPv6: '203.0.113.7,2001:db8::7', not '%.*s'",
					 (int)len, s);
		if (via_addr_is_any(&a) || via_addr_is_loopback(&a) || via_addr_is_multicast(&a) || addr_is_link_local(&a))
			/* a host's own loopback never gets here */
			return yaml_fail(y, n, "loopback must be an address by which the hosts find the machine's 127.0.0.1 or ::1, such as "
					 "203.0.113.7 or 2001:db8::7");
		struct via_addr *at = &w->loopback[!via_addr_is_v4(&a)];
		if (!via_addr_is_any(at))
			return yaml_fail(y, n, "loopback may be one address of each family");
		*at = a;
		s += len + (s[len] == ',');
	}
	return 0;
}

int topo_wan_read(struct yaml_tree *y, const ynode *const val[4], struct topo_wan *w)
{
	if (val[0] && read_loopback(y, val[0], w))
		return -EINVAL;
	if (val[1] && topo_wan_server(y, val[1], &w->dns))
		return -EINVAL;
	for (int i = 2; i < 4; i++)
		if (val[i] && read_forwards(y, val[i], i == 3, w))
			return -EINVAL;
	return 0;
}

static bool has_address(const struct topo *t, int end, bool is_v6)
{
	return is_v6 ? topo_ip6_is_on(t, end) : t->ends[end].addr.set;
}

int topo_forward_guest(const struct topo *t, int wan, const struct topo_forward *f, int *end, bool *is_v6, struct via_addr *out)
{
	int node = topo_node_find(t, f->guest), first = t->nodes[wan].n_ends ? t->nodes[wan].ends[0] ^ 1 : -1, n = 1;
	const int *ends = &first;
	*end = -1;
	if (f->guest[0] && node < 0)
		return via_addr_parse(f->guest, strlen(f->guest), out);
	if (node >= 0) {
		ends = t->nodes[node].ends;
		n = t->nodes[node].n_ends;
	}
	*is_v6 = !via_addr_is_v4(&f->host.addr);
	for (int i = 0; i < 2; i++, *is_v6 = !*is_v6)
		for (int k = 0; k < n; k++)
			if (ends[k] >= 0 && has_address(t, ends[k], *is_v6)) {
				*end = ends[k];
				return 0;
			}
	return -EINVAL;
}
