/* lab/topo_wan.c - the keys of a wan node in a topology file: loopback, dns, tcp, udp; doc/lab.md is their reference. */
#include "lab/yaml.h"
#include <errno.h>
#include <stdlib.h>

/* A port at s, up to `end`. 0: none. */
static uint16_t port_read(const char *s, const char *end)
{
	char *stop;
	unsigned long n = s < end && *s >= '0' && *s <= '9' ? strtoul(s, &stop, 10) : 0;
	return n && n <= 65535 && stop == end ? (uint16_t)n : 0;
}

/* "ADDRESS" or "ADDRESS:PORT". */
int topo_wan_server(struct yaml_tree *y, const ynode *n, struct via_sockaddr *out)
{
	const char *s;
	if (yaml_text(y, n, "dns", &s))
		return -EINVAL;
	const char *end = s + strlen(s), *colon = strrchr(s, ':');
	out->port = colon ? port_read(colon + 1, end) : 53;
	if (!out->port || via_addr_parse(s, (size_t)((colon ? colon : end) - s), &out->addr))
		return yaml_fail(y, n, "dns '%s' is no ADDRESS or ADDRESS:PORT of a name server", s);
	return 0;
}

/* "[HOSTADDRESS/]HOSTPORT[:[GUEST:]PORT]", as passt has it. False: it is not that. */
static bool forward_read(const char *s, const char *end, struct topo_forward *f)
{
	const char *slash = memchr(s, '/', (size_t)(end - s));
	f->host.addr = via_addr_v4(0x7f000001);
	if (slash && via_addr_parse(s, (size_t)(slash - s), &f->host.addr))
		return false;
	s = slash ? slash + 1 : s;
	const char *colon = memchr(s, ':', (size_t)(end - s)), *last = colon;
	for (const char *p = s; p < end; p++)
		if (*p == ':')
			last = p;
	f->host.port = port_read(s, colon ? colon : end);
	f->port = last ? port_read(last + 1, end) : f->host.port;
	if (colon != last) {
		size_t len = (size_t)(last - colon - 1);
		if (!len || len >= sizeof f->guest)
			return false;
		memcpy(f->guest, colon + 1, len);
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

int topo_wan_read(struct yaml_tree *y, const ynode *const val[4], struct topo_wan *w)
{
	uint32_t addr;
	if (val[0]) {
		if (yaml_ip4(y, val[0], "loopback", &addr))
			return -EINVAL;
		w->loopback = via_addr_v4(addr);
		if (via_addr_is_loopback(&w->loopback)) /* that is each host's own, and never gets here */
			return yaml_fail(y, val[0], "loopback must be an address by which the hosts find the machine's 127.0.0.1, such as 203.0.113.7");
	}
	if (val[1] && topo_wan_server(y, val[1], &w->dns))
		return -EINVAL;
	for (int i = 2; i < 4; i++)
		if (val[i] && read_forwards(y, val[i], i == 3, w))
			return -EINVAL;
	return 0;
}

int topo_forward_guest(const struct topo *t, int wan, const struct topo_forward *f, struct via_sockaddr *out)
{
	int node = topo_node_find(t, f->guest);
	out->port = f->port;
	if (f->guest[0] && node < 0)
		return via_addr_parse(f->guest, strlen(f->guest), &out->addr);
	const struct topo_prefix *p = node >= 0 ? topo_node_addr(t, node) : NULL;
	if (node < 0 && t->nodes[wan].n_ends)
		p = &t->ends[t->nodes[wan].ends[0] ^ 1].addr;
	if (!p || !p->set)
		return -EINVAL;
	out->addr = via_addr_v4(p->addr);
	return 0;
}
