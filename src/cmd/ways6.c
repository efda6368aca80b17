/* cmd/ways6.c - see ways6.h. A machine without IPv6 has none of these, one on the internet ::/0, one in a building without more than that
 * building's prefix: so a program's connect to an address that the machine cannot reach fails at once, as it would outside.
 *
 * Left out are routes that reject, those to groups and to anycast addresses, and what is only on a link or on the loopback. */
#include "cmd/ways6.h"
#include "wire/addr.h"
#include <errno.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <stdio.h>

#define ROUTES "/proc/net/ipv6_route"

static bool is_within(const struct ways6 *w, int i, const struct via_addr *to, uint8_t plen)
{
	return plen >= w->to[i].plen && addr_in_prefix(to, &w->to[i].addr, w->to[i].plen);
}

void ways6_add(struct ways6 *w, const struct via_addr *to, uint8_t plen)
{
	int kept = 0;
	for (int i = 0; i < w->n; i++)
		if (is_within(w, i, to, plen))
			return;
	for (int i = 0; i < w->n; i++)
		if (w->to[i].plen < plen || !addr_in_prefix(&w->to[i].addr, to, plen))
			w->to[kept++] = w->to[i];
	w->n = kept;
	if (w->n == WAYS6_MAX) {
		w->to[0].addr = (struct via_addr){.scope = 0};
		w->to[0].plen = 0;
		w->n = 1;
	} else {
		w->to[w->n].addr = *to;
		w->to[w->n++].plen = plen;
	}
}

/* A line of the kernel's table: destination, its length, source, its length, gateway, metric, two counts, flags, device. */
static bool line_read(const char *line, struct via_addr *to, uint8_t *plen)
{
	char dst[33];
	unsigned len, flags;
	if (sscanf(line, "%32[0-9a-f] %2x %*s %*s %*s %*s %*s %*s %8x", dst, &len, &flags) != 3 || strlen(dst) != 32 || len > 128)
		return false;
	*to = (struct via_addr){.scope = 0};
	for (int i = 0; i < 16; i++) {
		unsigned byte;
		if (sscanf(dst + 2 * i, "%2x", &byte) != 1)
			return false;
		to->b[i] = (uint8_t)byte;
	}
	*plen = (uint8_t)len;
	return flags & RTF_UP && !(flags & (RTF_REJECT | RTF_ANYCAST)) && !via_addr_is_multicast(to) && !addr_is_link_local(to) &&
	       !via_addr_is_loopback(to);
}

void ways6_of_machine(struct ways6 *w)
{
	FILE *f = fopen(ROUTES, "re");
	char line[256];
	struct via_addr to;
	uint8_t plen;
	w->n = 0;
	while (f && fgets(line, sizeof line, f))
		if (line_read(line, &to, &plen))
			ways6_add(w, &to, plen);
	if (f)
		fclose(f);
}
