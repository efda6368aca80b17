/* lab/rule_text.c - rules of filter and NAT as iptables-save prints them; see rule_text.h. */
#include "lab/rule_text.h"
#include "base/defs.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
	char *p, *end;
	uint16_t invert;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(t->p, (size_t)(t->end - t->p), format, ap);
	va_end(ap);
	t->p = n < t->end - t->p ? t->p + n : t->end - 1;
}

/* " -s", or " ! -s" if the match must not hold. */
static void add_option(struct text *t, const char *option, uint16_t bit)
{
	add(t, t->invert & bit ? " ! %s" : " %s", option);
}

static void add_prefix(struct text *t, const char *option, uint16_t bit, const struct via_addr *a, unsigned plen)
{
	char s[VIA_ADDR_STRLEN];
	add_option(t, option, bit);
	add(t, " %s/%u", via_addr_format(a, s), plen);
}

static void add_range(struct text *t, const char *option, uint16_t bit, const uint16_t port[2])
{
	add_option(t, option, bit);
	add(t, port[0] == port[1] ? " %u" : " %u:%u", port[0], port[1]);
}

static const char *proto_name(uint8_t proto, char number[4])
{
	snprintf(number, 4, "%u", proto);
	return proto == 6 ? "tcp" : proto == 17 ? "udp" : proto == 1 ? "icmp" : proto == 58 ? "ipv6-icmp" : number;
}

/* "SYN,ACK" of the bits. */
static void add_flags(struct text *t, uint8_t flags)
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
	const char *before = " ";
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags >> i & 1) {
			add(t, "%s%s", before, names[i]);
			before = ",";
		}
	if (!flags)
		add(t, " NONE");
}

static void add_states(struct text *t, uint8_t states)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{VIA_CT_NEW, "NEW"}, {VIA_CT_RELATED, "RELATED"}, {VIA_CT_ESTABLISHED, "ESTABLISHED"}, {VIA_CT_INVALID, "INVALID"},
		{VIA_CT_UNTRACKED, "UNTRACKED"}, {VIA_CT_SNAT, "SNAT"}, {VIA_CT_DNAT, "DNAT"}};
	const char *before = " ";
	add(t, " -m conntrack");
	add_option(t, "--ctstate", VIA_NOT_CTSTATE);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (states & names[i].bit) {
			add(t, "%s%s", before, names[i].name);
			before = ",";
		}
}

/* One in so many ns, in the largest unit that is exact; rates that divide no unit as the nearest in a day. */
static void add_limit(struct text *t, int64_t ns, uint32_t burst)
{
	static const struct {
		const char *name;
		int64_t s;
	} units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}};
	size_t u = 0;
	while (u + 1 < ARRAY_LEN(units) && ns > units[u].s * NS_PER_S)
		u++;
	add(t, " -m limit --limit %" PRId64 "/%s --limit-burst %u", MAX((units[u].s * NS_PER_S + ns / 2) / ns, 1), units[u].name, burst);
}

static void add_target(struct text *t, const struct via_filter_rule *r)
{
	static const char *const targets[] = {[VIA_TARGET_ACCEPT] = "ACCEPT", [VIA_TARGET_DROP] = "DROP", [VIA_TARGET_REJECT] = "REJECT"};
	static const char *const with[] = {"icmp-port-unreachable", "icmp-net-unreachable", "icmp-host-unreachable",
		"icmp-proto-unreachable", "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited", "tcp-reset"};
	if (r->target == VIA_TARGET_NONE)
		return;
	add(t, " -j %s", targets[r->target]);
	if (r->target == VIA_TARGET_REJECT)
		add(t, " --reject-with %s", with[r->reject]);
}

static void add_interface(struct text *t, const char *option, uint16_t bit, const char *name)
{
	if (!name[0])
		return;
	add_option(t, option, bit);
	add(t, " %s", name);
}

static void add_matches(struct text *t, const struct via_filter_rule *r)
{
	char number[4];
	const char *proto = proto_name(r->proto, number);
	if (r->proto) {
		add_option(t, "-p", VIA_NOT_PROTO);
		add(t, " %s", proto);
	}
	if (r->has_sport || r->has_dport || r->tcp_mask || r->has_icmp_type)
		add(t, " -m %s", r->proto == 58 ? "icmp" : proto);
	if (r->has_sport)
		add_range(t, "--sport", VIA_NOT_SPORT, r->sport);
	if (r->has_dport)
		add_range(t, "--dport", VIA_NOT_DPORT, r->dport);
	if (r->tcp_mask) {
		add_option(t, "--tcp-flags", VIA_NOT_TCP_FLAGS);
		add_flags(t, r->tcp_mask);
		add_flags(t, r->tcp_flags);
	}
	if (r->has_icmp_type) {
		add_option(t, "--icmp-type", VIA_NOT_ICMP);
		add(t, r->has_icmp_code ? " %u/%u" : " %u", r->icmp_type, r->icmp_code);
	}
	if (r->ctstate)
		add_states(t, r->ctstate);
	if (r->limit_ns)
		add_limit(t, r->limit_ns, r->limit_burst);
}

char *rule_text(const struct via_filter_rule *r, bool is_policy, char out[RULE_TEXT_MAX])
{
	static const char *const chains[] = {"INPUT", "FORWARD", "OUTPUT"};
	struct text t = {out, out + RULE_TEXT_MAX, r->invert};
	if (is_policy) {
		add(&t, "-P %s %s", chains[r->chain], r->target == VIA_TARGET_DROP ? "DROP" : "ACCEPT");
		return out;
	}
	add(&t, "-A %s", chains[r->chain]);
	if (r->has_src)
		add_prefix(&t, "-s", VIA_NOT_SRC, &r->src, r->src_plen);
	if (r->has_dst)
		add_prefix(&t, "-d", VIA_NOT_DST, &r->dst, r->dst_plen);
	add_interface(&t, "-i", VIA_NOT_IN, r->in);
	add_interface(&t, "-o", VIA_NOT_OUT, r->out);
	add_matches(&t, r);
	add_target(&t, r);
	return out;
}

char *rule_text_nat(const struct via_nat_rule *r, char out[RULE_TEXT_MAX])
{
	struct text t = {out, out + RULE_TEXT_MAX, 0};
	char s[VIA_ADDR_STRLEN], number[4];
	if (r->kind == VIA_NAT_MASQUERADE) {
		add(&t, "-A POSTROUTING");
		if (r->src_plen)
			add_prefix(&t, "-s", 0, &r->src, r->src_plen);
		add(&t, " -o %s -j MASQUERADE", r->out);
		return out;
	}
	const char *proto = proto_name(r->proto, number);
	add(&t, "-A PREROUTING -i %s -p %s -m %s", r->out, proto, proto);
	add_range(&t, "--dport", 0, r->port);
	add(&t, " -j DNAT --to-destination %s:%u", via_addr_format(&r->inner, s), r->inner_port);
	if (r->port[1] != r->port[0])
		add(&t, "-%u", (unsigned)(r->inner_port + (r->port[1] - r->port[0])));
	return out;
}
