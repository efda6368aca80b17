/* filter/text.c - rules as text: iptables' words for the filter, "tcp 80 -> 10.0.0.2:8080" for a forwarded port.
 *
 * Words are separated by blanks. Every word is known or is an error that names it; what is given twice, or is impossible together, is
 * one, too. Understood: -A -P -F; -i -o -s -d -p; --sport --dport --tcp-flags --syn --icmp-type; -m conntrack --ctstate (and -m state
 * --state), -m limit --limit --limit-burst, -m tcp|udp|icmp; -j ACCEPT|DROP|REJECT --reject-with; "!" before a match; long names. */
#include <errno.h>

#include "base/defs.h"
#include "wire/addr.h"
#include "wire/icmp4.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include <viaduct/stack.h>

struct text {
	const char *all, *p;      /* p: behind the last word */
	const char *word;         /* the last one */
	size_t len;
	struct via_filter_error *err;
	struct via_filter_rule *r;
	bool not;                 /* "!" came just before */
	unsigned given;           /* bit per option */
};

struct name {
	const char *text;
	int value;
};

static int bad(struct text *t, const char *what)
{
	*t->err = (struct via_filter_error){what, (size_t)(t->word - t->all), t->len};
	return -EINVAL;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The next word. False: there is none. */
static bool next(struct text *t)
{
	while (is_blank(*t->p))
		t->p++;
	t->word = t->p;
	while (*t->p && !is_blank(*t->p))
		t->p++;
	t->len = (size_t)(t->p - t->word);
	return t->len != 0;
}

static bool is(const struct text *t, const char *s) { return t->len == strlen(s) && memcmp(t->word, s, t->len) == 0; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static bool name_is(const char *s, size_t len, const char *name)
{
	size_t i = 0;
	while (i < len && name[i] && lower(s[i]) == lower(name[i]))
		i++;
	return i == len && !name[i];
}

/* The value of a name; -1: none of them. */
static int name_value(const char *s, size_t len, const struct name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name_is(s, len, names[i].text))
			return names[i].value;
	return -1;
}

/* A decimal number at s, before `end`. False: it is none, or larger than max. */
static bool number(const char *s, const char *end, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	return true;
}

/* "80", "1000:2000", "1000:", ":2000"; the separator may be another. */
static bool port_range(const char *s, size_t len, char sep, uint16_t out[2])
{
	const char *end = s + len, *mid = memchr(s, sep, len);
	uint32_t lo = 0, hi = 65535;
	if (!mid) {
		if (!number(s, end, 65535, &lo))
			return false;
		hi = lo;
	} else if (len == 1 || (mid > s && !number(s, mid, 65535, &lo)) || (mid + 1 < end && !number(mid + 1, end, 65535, &hi))) {
		return false;
	}
	out[0] = (uint16_t)lo;
	out[1] = (uint16_t)hi;
	return lo <= hi;
}

/* ---- the matches ---- */

static int take_iface(struct text *t, char out[16], uint16_t bit)
{
	if (t->len > 15)
		return bad(t, "no interface has a name longer than 15 letters");
	memcpy(out, t->word, t->len);
	t->r->invert |= t->not ? bit : 0;
	return 0;
}

static int take_prefix(struct text *t, struct via_addr *a, uint8_t *plen, bool *has, uint16_t bit)
{
	if (addr_parse_prefix(t->word, t->len, a, plen))
		return bad(t, "must be an address or a prefix such as 10.0.0.0/8");
	*has = true;
	t->r->invert |= t->not ? bit : 0;
	return 0;
}

static int take_proto(struct text *t)
{
	static const struct name protos[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"ipv6-icmp", 58}, {"icmpv6", 58}, {"all", 0}, {"igmp", 2},
					     {"gre", 47}, {"esp", 50}, {"ah", 51}, {"sctp", 132}};
	uint32_t n;
	int v = name_value(t->word, t->len, protos, ARRAY_LEN(protos));
	if (v < 0 && number(t->word, t->word + t->len, 255, &n))
		v = (int)n;
	if (v < 0)
		return bad(t, "is no protocol: tcp, udp, icmp, all, or a number up to 255");
	if (v == 0 && t->not)
		return bad(t, "nothing is left of all protocols but all");
	t->r->proto = (uint8_t)v;
	t->r->invert |= t->not ? VIA_NOT_PROTO : 0;
	return 0;
}

static bool proto_is(const struct via_filter_rule *r, uint8_t a, uint8_t b)
{
	return (r->proto == a || r->proto == b) && !(r->invert & VIA_NOT_PROTO);
}

static int take_ports(struct text *t, uint16_t out[2], bool *has, uint16_t bit)
{
	if (!port_range(t->word, t->len, ':', out))
		return bad(t, "must be a port or a range such as 1000:2000");
	*has = true;
	t->r->invert |= t->not ? bit : 0;
	return 0;
}

/* "SYN,ACK", "ALL", "NONE". */
static bool tcp_flags(const char *s, size_t len, uint8_t *out)
{
	static const struct name flags[] = {{"FIN", TCP_FIN}, {"SYN", TCP_SYN}, {"RST", TCP_RST}, {"PSH", TCP_PSH}, {"ACK", TCP_ACK},
					    {"URG", TCP_URG}, {"ALL", 0x3f}, {"NONE", 0}};
	*out = 0;
	for (const char *end = s + len; s <= end;) {
		const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
		int v = name_value(s, (size_t)(stop - s), flags, ARRAY_LEN(flags));
		if (v < 0)
			return false;
		*out |= (uint8_t)v;
		s = stop + 1;
	}
	return true;
}

static int take_tcp_flags(struct text *t)
{
	static const char why[] = "--tcp-flags has two lists of FIN, SYN, RST, PSH, ACK, URG, ALL or NONE: those to look at, "
				  "and those that are set";
	if (!tcp_flags(t->word, t->len, &t->r->tcp_mask) || !next(t) || !tcp_flags(t->word, t->len, &t->r->tcp_flags))
		return bad(t, why);
	if (!t->r->tcp_mask || t->r->tcp_flags & ~t->r->tcp_mask)
		return bad(t, "of --tcp-flags' second list all must be in the first");
	t->r->invert |= t->not ? VIA_NOT_TCP_FLAGS : 0;
	return 0;
}

/* "echo-request", "3", "3/4", "port-unreachable". */
static int take_icmp(struct text *t)
{
	static const struct name types[] = {
		{"echo-reply", ICMP4_ECHO_REPLY}, {"pong", ICMP4_ECHO_REPLY}, {"destination-unreachable", ICMP4_UNREACH},
		{"redirect", ICMP4_REDIRECT},
		{"echo-request", ICMP4_ECHO}, {"ping", ICMP4_ECHO}, {"time-exceeded", ICMP4_TIME_EXCEEDED}, {"ttl-exceeded", ICMP4_TIME_EXCEEDED},
		{"parameter-problem", ICMP4_PARAM}, {"timestamp-request", 13}, {"timestamp-reply", 14},
	};
	static const struct name codes[] = {
		{"network-unreachable", 0}, {"host-unreachable", 1}, {"protocol-unreachable", 2}, {"port-unreachable", 3},
		{"fragmentation-needed", 4}, {"communication-prohibited", 13},
	};
	const char *end = t->word + t->len, *slash = memchr(t->word, '/', t->len), *stop = slash ? slash : end;
	uint32_t n = 0, code = 0;
	int v = name_value(t->word, t->len, types, ARRAY_LEN(types)), c = name_value(t->word, t->len, codes, ARRAY_LEN(codes));
	struct via_filter_rule *r = t->r;
	if (c >= 0)
		v = ICMP4_UNREACH;
	else if (v < 0 && (!number(t->word, stop, 255, &n) || (slash && !number(slash + 1, end, 255, &code))))
		return bad(t, "is no ICMP type: a name such as echo-request, a number, or TYPE/CODE");
	r->has_icmp_type = true;
	r->icmp_type = (uint8_t)(v >= 0 ? (uint32_t)v : n);
	r->has_icmp_code = c >= 0 || slash;
	r->icmp_code = (uint8_t)(c >= 0 ? (uint32_t)c : code);
	r->invert |= t->not ? VIA_NOT_ICMP : 0;
	return 0;
}

static int take_ctstate(struct text *t)
{
	static const struct name states[] = {{"NEW", VIA_CT_NEW}, {"ESTABLISHED", VIA_CT_ESTABLISHED}, {"RELATED", VIA_CT_RELATED},
					     {"INVALID", VIA_CT_INVALID}, {"UNTRACKED", VIA_CT_UNTRACKED}, {"SNAT", VIA_CT_SNAT},
					     {"DNAT", VIA_CT_DNAT}};
	for (const char *s = t->word, *end = s + t->len; s <= end;) {
		const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
		int v = name_value(s, (size_t)(stop - s), states, ARRAY_LEN(states));
		if (v < 0)
			return bad(t, "states are NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED, SNAT and DNAT, with commas between");
		t->r->ctstate |= (uint8_t)v;
		s = stop + 1;
	}
	t->r->invert |= t->not ? VIA_NOT_CTSTATE : 0;
	return 0;
}

/* "3/minute", "10/s", "100": a second. */
static int take_limit(struct text *t)
{
	static const struct name units[] = {{"second", 1}, {"sec", 1}, {"s", 1}, {"minute", 60}, {"min", 60}, {"m", 60}, {"hour", 3600},
					    {"h", 3600}, 					    {"day", 86400}, {"d", 86400}};
	const char *end = t->word + t->len, *slash = memchr(t->word, '/', t->len), *stop = slash ? slash : end;
	uint32_t n = 0;
	int unit = slash ? name_value(slash + 1, (size_t)(end - slash - 1), units, ARRAY_LEN(units)) : 1;
	if (t->not)
		return bad(t, "a limit cannot be inverted");
	if (unit < 0 || !number(t->word, stop, 1000000, &n) || !n)
		return bad(t, "must be a rate such as 3/minute (second, minute, hour or day)");
	t->r->limit_ns = unit * NS_PER_S / n;
	return 0;
}

static int take_burst(struct text *t)
{
	if (t->not || !number(t->word, t->word + t->len, 10000, &t->r->limit_burst) || !t->r->limit_burst)
		return bad(t, "--limit-burst is a number from 1 to 10000");
	return 0;
}

static int take_module(struct text *t)
{
	static const char *const known[] = {"conntrack", "state", "limit", "tcp", "udp", "icmp"};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (is(t, known[i]))
			return 0;
	return bad(t, "there is no such match; those there are: conntrack, state, limit, tcp, udp, icmp");
}

/* ---- the target ---- */

static const struct name targets[] = {{"ACCEPT", VIA_TARGET_ACCEPT}, {"DROP", VIA_TARGET_DROP}, {"REJECT", VIA_TARGET_REJECT}};

static int take_target(struct text *t)
{
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		if (is(t, targets[i].text)) {
			t->r->target = (enum via_target)targets[i].value;
			return 0;
		}
	return bad(t, "targets are ACCEPT, DROP and REJECT");
}

static int take_reject(struct text *t)
{
	static const struct name with[] = {
		{"icmp-port-unreachable", VIA_REJECT_PORT_UNREACHABLE}, {"icmp-net-unreachable", VIA_REJECT_NET_UNREACHABLE},
		{"icmp-host-unreachable", VIA_REJECT_HOST_UNREACHABLE}, {"icmp-proto-unreachable", VIA_REJECT_PROTO_UNREACHABLE},
		{"icmp-net-prohibited", VIA_REJECT_NET_PROHIBITED}, {"icmp-host-prohibited", VIA_REJECT_HOST_PROHIBITED},
		{"icmp-admin-prohibited", VIA_REJECT_ADMIN_PROHIBITED}, {"tcp-reset", VIA_REJECT_TCP_RESET},
	};
	int v = name_value(t->word, t->len, with, ARRAY_LEN(with));
	if (v < 0)
		return bad(t, "--reject-with is icmp-port-, net-, host- or proto-unreachable, icmp-net-, host- or admin-prohibited, or tcp-reset");
	t->r->reject = (enum via_reject_with)v;
	return 0;
}

/* ---- a rule ---- */

enum opt { IN, OUT, SRC, DST, PROTO, SPORT, DPORT, TCPFLAGS, SYN, ICMP, CTSTATE, LIMIT, BURST, MODULE, TARGET, REJECT };
static const struct name options[] = {
	{"-i", IN}, {"--in-interface", IN}, {"-o", OUT}, {"--out-interface", OUT}, {"-s", SRC}, {"--source", SRC}, {"--src", SRC},
	{"-d", DST}, {"--destination", DST}, {"--dst", DST}, {"-p", PROTO}, {"--protocol", PROTO}, {"--sport", SPORT}, {"--source-port", SPORT},
	{"--dport", DPORT}, {"--destination-port", DPORT}, {"--tcp-flags", TCPFLAGS}, {"--syn", SYN}, {"--icmp-type", ICMP},
	{"--ctstate", CTSTATE}, {"--state", CTSTATE}, {"--limit", LIMIT}, {"--limit-burst", BURST}, {"-m", MODULE}, {"--match", MODULE},
	{"-j", TARGET}, {"--jump", TARGET}, {"--reject-with", REJECT},
};

static int take_value(struct text *t, enum opt o)
{
	struct via_filter_rule *r = t->r;
	switch (o) {
	case IN:
		return take_iface(t, r->in, VIA_NOT_IN);
	case OUT:
		return take_iface(t, r->out, VIA_NOT_OUT);
	case SRC:
		return take_prefix(t, &r->src, &r->src_plen, &r->has_src, VIA_NOT_SRC);
	case DST:
		return take_prefix(t, &r->dst, &r->dst_plen, &r->has_dst, VIA_NOT_DST);
	case PROTO:
		return take_proto(t);
	case SPORT:
		return take_ports(t, r->sport, &r->has_sport, VIA_NOT_SPORT);
	case DPORT:
		return take_ports(t, r->dport, &r->has_dport, VIA_NOT_DPORT);
	case TCPFLAGS:
		return take_tcp_flags(t);
	case ICMP:
		return take_icmp(t);
	case CTSTATE:
		return take_ctstate(t);
	case LIMIT:
		return take_limit(t);
	case BURST:
		return take_burst(t);
	case MODULE:
		return take_module(t);
	case TARGET:
		return take_target(t);
	case REJECT:
		return take_reject(t);
	case SYN:
		break;
	}
	r->tcp_mask = TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN;
	r->tcp_flags = TCP_SYN;
	r->invert |= t->not ? VIA_NOT_TCP_FLAGS : 0;
	return 0;
}

/* One option: t->word is its name, or "!" before it. */
static int take_option(struct text *t)
{
	t->not = is(t, "!");
	if (t->not && !next(t))
		return bad(t, "'!' stands before a match");
	int o = -1;
	for (size_t i = 0; i < ARRAY_LEN(options) && o < 0; i++)
		if (is(t, options[i].text))
			o = options[i].value;
	if (o < 0)
		return bad(t, "is no option of a rule; doc/lab.md lists them");
	if (t->not && (o == MODULE || o == TARGET || o == REJECT))
		return bad(t, "cannot be inverted");
	unsigned bit = o == SYN ? 1u << TCPFLAGS : 1u << o;
	if (o != MODULE && t->given & bit)
		return bad(t, "is given twice");
	t->given |= bit;
	struct text name = *t;
	if (o != SYN && !next(t)) {
		*t = name;
		return bad(t, "needs a value behind it");
	}
	return take_value(t, (enum opt)o);
}

/* What makes no sense together. */
static int check_rule(struct text *t)
{
	struct via_filter_rule *r = t->r;
	if (r->chain == VIA_CHAIN_INPUT && r->out[0])
		return bad(t, "what comes in through INPUT has no interface to go out by (-o)");
	if (r->chain == VIA_CHAIN_OUTPUT && r->in[0])
		return bad(t, "what is made here has no interface it came in by (-i)");
	if ((r->has_sport || r->has_dport) && !proto_is(r, IPPROTO_N_TCP, IPPROTO_N_UDP))
		return bad(t, "--sport and --dport need -p tcp or -p udp");
	if (r->tcp_mask && !proto_is(r, IPPROTO_N_TCP, IPPROTO_N_TCP))
		return bad(t, "--syn and --tcp-flags need -p tcp");
	if (r->has_icmp_type && !proto_is(r, IPPROTO_N_ICMP, 58))
		return bad(t, "--icmp-type needs -p icmp");
	if (r->limit_burst && !r->limit_ns)
		return bad(t, "--limit-burst needs --limit");
	if (r->limit_ns && !r->limit_burst)
		r->limit_burst = 5; /* iptables' */
	if (t->given >> REJECT & 1 && r->target != VIA_TARGET_REJECT)
		return bad(t, "--reject-with needs -j REJECT");
	if (r->reject == VIA_REJECT_TCP_RESET && !proto_is(r, IPPROTO_N_TCP, IPPROTO_N_TCP))
		return bad(t, "--reject-with tcp-reset needs -p tcp");
	return 0;
}

static const struct name chains[] = {{"INPUT", VIA_CHAIN_INPUT}, {"FORWARD", VIA_CHAIN_FORWARD}, {"OUTPUT", VIA_CHAIN_OUTPUT}};

/* The next word is a chain. */
static int take_chain(struct text *t)
{
	for (size_t i = 0; next(t) && i < ARRAY_LEN(chains); t->p = t->word, i++)
		if (is(t, chains[i].text)) {
			t->r->chain = (enum via_chain)chains[i].value;
			return 0;
		}
	return bad(t, "chains are INPUT, FORWARD and OUTPUT");
}

static int take_policy(struct text *t)
{
	if (take_chain(t))
		return -EINVAL;
	if (!next(t) || take_target(t) || t->r->target == VIA_TARGET_REJECT)
		return bad(t, "a policy is ACCEPT or DROP");
	return next(t) ? bad(t, "nothing follows a policy") : 0;
}

static int take_flush(struct text *t)
{
	t->r->chain = VIA_CHAINS;
	const char *at = t->p;
	if (!next(t))
		return 0;
	t->p = at;
	if (take_chain(t))
		return -EINVAL;
	return next(t) ? bad(t, "nothing follows the chain") : 0;
}

int via_filter_parse(const char *text, int *kind, struct via_filter_rule *rule, struct via_filter_error *err)
{
	struct text t = {.all = text, .p = text, .word = text, .err = err, .r = rule};
	*rule = (struct via_filter_rule){.size = sizeof(*rule)};
	if (!next(&t))
		return bad(&t, "a rule begins with -A CHAIN, a policy with -P CHAIN");
	if (is(&t, "-P") || is(&t, "--policy")) {
		*kind = VIA_FILTER_POLICY;
		return take_policy(&t);
	}
	if (is(&t, "-F") || is(&t, "--flush")) {
		*kind = VIA_FILTER_FLUSH;
		return take_flush(&t);
	}
	if (!is(&t, "-A") && !is(&t, "--append"))
		return bad(&t, "a rule begins with -A CHAIN, a policy with -P CHAIN");
	*kind = VIA_FILTER_APPEND;
	if (take_chain(&t))
		return -EINVAL;
	while (next(&t))
		if (take_option(&t))
			return -EINVAL;
	t.word = t.all;
	t.len = strlen(text);
	return check_rule(&t);
}

/* ---- a forwarded port ---- */

/* "10.0.0.2:8080" or "10.0.0.2". */
static bool inner_read(struct text *t, struct via_nat_rule *r)
{
	const char *end = t->word + t->len, *colon = memchr(t->word, ':', t->len);
	uint32_t port = r->port[0];
	if (colon && !number(colon + 1, end, 65535, &port))
		return false;
	if (via_addr_parse(t->word, (size_t)((colon ? colon : end) - t->word), &r->inner) || !via_addr_is_v4(&r->inner))
		return false;
	r->inner_port = (uint16_t)port;
	return port && !via_addr_is_any(&r->inner) && !via_addr_is_multicast(&r->inner);
}

int via_nat_parse_forward(const char *text, struct via_nat_rule *rule, struct via_filter_error *err)
{
	struct text t = {.all = text, .p = text, .word = text, .err = err};
	*rule = (struct via_nat_rule){.size = sizeof(*rule), .kind = VIA_NAT_FORWARD};
	if (!next(&t) || (!is(&t, "tcp") && !is(&t, "udp")))
		return bad(&t, "a forward is such as 'tcp 80 -> 10.0.0.2:8080' and begins with tcp or udp");
	rule->proto = is(&t, "tcp") ? IPPROTO_N_TCP : IPPROTO_N_UDP;
	if (!next(&t) || !port_range(t.word, t.len, '-', rule->port) || !rule->port[0])
		return bad(&t, "must be a port from 1 to 65535, or a range such as 5000-5010");
	if (!next(&t) || !is(&t, "->"))
		return bad(&t, "'->' and who gets it must follow the port");
	if (!next(&t) || !inner_read(&t, rule))
		return bad(&t, "must be an inner ADDRESS or ADDRESS:PORT");
	if (rule->inner_port + (uint32_t)(rule->port[1] - rule->port[0]) > 65535)
		return bad(&t, "the range goes beyond port 65535 inside");
	return next(&t) ? bad(&t, "nothing follows the inner address") : 0;
}
