/* stack/ip_options.c - what IPv4 options make of a node: routes and times are recorded, echoed back, source routes refused
 * (net/ip_input.c). RFC 791 §3.1; RFC 1122 §3.2.1.8, §3.2.2.6; RFC 1812 §5.3.13; RFC 7126. */
#include "stack/state.h"

#include "base/csum.h"
#include "wire/ip4_opts.h"

static bool is_ours(const void *ctx, uint32_t addr)
{
	struct via_addr a = via_addr_v4(addr);
	return stack_addr_is_ours(ctx, &a);
}

static bool record(struct via *v, struct pkt *p, uint32_t addr)
{
	uint8_t *ip = p->linear + p->m.l3;
	uint32_t hlen = (uint32_t)(p->m.l4 - p->m.l3);
	struct ip4_opts_node n = {.addr = addr, .time = ip4_opts_time(v->now), .is_ours = is_ours, .ctx = v};
	if (!ip4_opts_record(ip + IP4_HLEN, hlen - IP4_HLEN, &n))
		return false;
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_field(csum_add(0, ip, hlen)));
	return true;
}

void ip_options_pass(struct via *v, struct pkt *p, uint16_t out, const struct via_addr *next)
{
	const struct addr_entry *e = p->m.l4 - p->m.l3 > (int)IP4_HLEN ? addrs_source(v->arena, &v->st->addrs, out, next) : NULL;
	if (e)
		record(v, p, via_addr_to_v4(&e->addr));
}

void ip_options_turn(struct via *v, struct pkt *p, uint32_t here)
{
	uint8_t opts[IP4_OPTS_MAX];
	if (p->m.l4 - p->m.l3 <= (int)IP4_HLEN)
		return;
	record(v, p, here);
	uint32_t n = ip4_opts_echo(opts, p->linear + p->m.l3 + IP4_HLEN, (size_t)(p->m.l4 - p->m.l3) - IP4_HLEN);
	memcpy(pkt_push(p, n), opts, n);
	p->m.ip_opts = (uint8_t)n;
}
