/* drill/parse_packet.c - packets: `< [ect0] S. 0:0(0) ack 1 win 5000 <mss 1000,nop,wscale 7>`, udp, icmp.
 *
 * In the order of the language: direction, [ECN, TOS or TTL], ports, flags, sequence range, ack, win, urg, <options>. Other
 * headers around the packet (IPv6, GRE, MPLS, PSP) and AccECN's counters are refused by name. */
#include "drill/parse.h"

#include "wire/tcp.h"

/* [ect0], (tos 0x10), [ttl 3]; and no word of what this stack has not. */
static void parse_ip_info(struct parse *p, struct drill_packet *k)
{
	static const struct {
		const char *name;
		enum drill_tos check;
		uint8_t tos;
	} ecn[] = {{"noecn", TOS_ECN, 0}, {"ect0", TOS_ECN, 2}, {"ect1", TOS_ECN, 1}, {"ce", TOS_ECN, 3}, {"ect01", TOS_ECT01, 0}};
	char close = lex_is(&p->l, '[') ? ']' : ')', seen[64];
	lex_take(&p->l);
	for (size_t i = 0; i < ARRAY_LEN(ecn); i++) {
		if (!lex_accept_word(&p->l, ecn[i].name))
			continue;
		k->tos_check = ecn[i].check;
		k->tos = ecn[i].tos;
	}
	if (k->tos_check == TOS_ECT01 && !k->is_out)
		lex_error(&p->l, "[ect01] is for expected packets only");
	if (k->tos_check == TOS_ANY && lex_accept_word(&p->l, "tos")) {
		k->tos_check = TOS_EXACT;
		k->tos = (uint8_t)parse_int(p, "tos", 0, 255);
	} else if (k->tos_check == TOS_ANY && lex_accept_word(&p->l, "ttl")) {
		k->ttl = (uint8_t)parse_int(p, "ttl", 1, 255);
	} else if (k->tos_check == TOS_ANY) {
		lex_error(&p->l, "expected noecn, ect0, ect1, ce, ect01, tos or ttl, not %s", lex_seen(&p->l, seen));
	}
	lex_expect(&p->l, close);
}

static void parse_ports(struct parse *p, struct drill_packet *k)
{
	if (p->l.t.kind != TK_INT)
		return;
	k->sport = (uint16_t)parse_int(p, "source port", 1, 65535);
	lex_expect(&p->l, '>');
	k->dport = (uint16_t)parse_int(p, "destination port", 1, 65535);
}

static void parse_flags(struct parse *p, struct drill_packet *k)
{
	static const char letters[] = "FSRP UEWA";
	static const uint16_t bits[] = {TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, 0, TCP_URG, TCP_ECE, TCP_CWR, DRILL_AE};
	char seen[64];
	if (lex_accept(&p->l, '-'))
		return;
	if (p->l.t.kind == TK_WORD) {
		struct token t = p->l.t;
		for (uint32_t i = 0; i < t.len; i++) {
			const char *at = strchr(letters, t.at[i]);
			if (!at || *at == ' ' || !*at) {
				lex_error(&p->l, "'%.*s' is no TCP flag (of F S R P . U E W A)", 1, t.at + i);
				return;
			}
			k->flags |= bits[at - letters];
		}
		lex_take(&p->l);
		if (lex_accept(&p->l, '.'))
			k->flags |= TCP_ACK;
	} else if (lex_accept(&p->l, '.')) {
		k->flags |= TCP_ACK;
	} else {
		lex_error(&p->l, "expected TCP flags, not %s", lex_seen(&p->l, seen));
	}
	if (p->l.t.kind == TK_TIME)
		lex_error(&p->l, "AccECN's counter in the flags is not known here");
}

/* 1:1001(1000) */
static void parse_seq(struct parse *p, struct drill_packet *k)
{
	k->seq = (uint32_t)parse_int(p, "sequence number", 0, UINT32_MAX);
	lex_expect(&p->l, ':');
	int line = p->l.t.line, column = p->l.t.column;
	uint32_t end = (uint32_t)parse_int(p, "sequence number", 0, UINT32_MAX);
	lex_expect(&p->l, '(');
	k->payload = (uint32_t)parse_int(p, "payload bytes", 0, 65535);
	lex_expect(&p->l, ')');
	if (!lex_failed(&p->l) && end != k->seq + k->payload)
		lex_error_at(&p->l, line, column, "the range %u:%u is not of %u bytes", k->seq, end, k->payload);
}

static uint8_t *option_room(struct parse *p, struct drill_packet *k, uint8_t kind, uint32_t len)
{
	static _Thread_local uint8_t nowhere[DRILL_OPTS_MAX];
	if (k->n_opts + len > DRILL_OPTS_MAX)
		lex_error(&p->l, "these TCP options take more than %d bytes", DRILL_OPTS_MAX);
	if (lex_failed(&p->l))
		return nowhere;
	uint8_t *o = k->opts + k->n_opts;
	k->n_opts = (uint8_t)(k->n_opts + len);
	o[0] = kind;
	if (len > 1)
		o[1] = (uint8_t)len;
	return o;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* FO, FO abcd1234; FOEXP with the experiment's kind and magic. */
static void parse_fast_open(struct parse *p, struct drill_packet *k, bool experiment)
{
	uint8_t cookie[16] = {0}, head = experiment ? 4 : 2;
	uint32_t n = 0;
	if (p->l.t.kind == TK_WORD || p->l.t.kind == TK_INT) {
		struct token t = lex_take(&p->l);
		n = t.len / 2;
		bool bad = t.len % 2 || n > sizeof(cookie);
		for (uint32_t i = 0; i < n && !bad; i++) {
			int hi = hex_digit(t.at[2 * i]), lo = hex_digit(t.at[2 * i + 1]);
			bad = hi < 0 || lo < 0;
			cookie[i] = bad ? 0 : (uint8_t)(hi << 4 | lo);
		}
		if (bad) {
			lex_error_at(&p->l, t.line, t.column, "a cookie is up to 16 bytes in hexadecimal digits");
			return;
		}
	}
	uint8_t *o = option_room(p, k, experiment ? 254 : 34, head + n);
	if (experiment) {
		o[2] = 0xf9;
		o[3] = 0x89;
	}
	memcpy(o + head, cookie, n);
}

static void parse_sack(struct parse *p, struct drill_packet *k)
{
	uint8_t *o = option_room(p, k, 5, 2);
	do {
		uint32_t left = (uint32_t)parse_int(p, "left edge", 0, UINT32_MAX);
		lex_expect(&p->l, ':');
		uint32_t right = (uint32_t)parse_int(p, "right edge", 0, UINT32_MAX);
		if (k->n_opts + 8 > DRILL_OPTS_MAX)
			lex_error(&p->l, "these TCP options take more than %d bytes", DRILL_OPTS_MAX);
		if (lex_failed(&p->l))
			return;
		put_be32(k->opts + k->n_opts, left);
		put_be32(k->opts + k->n_opts + 4, right);
		k->n_opts = (uint8_t)(k->n_opts + 8);
		o[1] = (uint8_t)(o[1] + 8);
	} while (p->l.t.kind == TK_INT);
}

static void parse_timestamp(struct parse *p, struct drill_packet *k)
{
	if (!lex_accept_word(&p->l, "val"))
		lex_error(&p->l, "expected TS val N ecr N");
	uint32_t val = (uint32_t)parse_int(p, "TS val", 0, UINT32_MAX);
	if (!lex_accept_word(&p->l, "ecr"))
		lex_error(&p->l, "expected TS val N ecr N");
	uint32_t ecr = (uint32_t)parse_int(p, "TS ecr", 0, UINT32_MAX);
	uint8_t *o = option_room(p, k, 8, 10);
	put_be32(o + 2, val);
	put_be32(o + 6, ecr);
}

static void parse_tcp_option(struct parse *p, struct drill_packet *k)
{
	char seen[64];
	if (lex_accept_word(&p->l, "nop")) {
		option_room(p, k, 1, 1);
	} else if (lex_accept_word(&p->l, "eol")) {
		option_room(p, k, 0, 1);
	} else if (lex_accept_word(&p->l, "mss")) {
		put_be16(option_room(p, k, 2, 4) + 2, (uint16_t)parse_int(p, "mss", 0, 65535));
	} else if (lex_accept_word(&p->l, "wscale")) {
		option_room(p, k, 3, 3)[2] = (uint8_t)parse_int(p, "wscale", 0, 255);
	} else if (lex_accept_word(&p->l, "sackOK")) {
		option_room(p, k, 4, 2);
	} else if (lex_accept_word(&p->l, "sack")) {
		parse_sack(p, k);
	} else if (lex_accept_word(&p->l, "TS")) {
		parse_timestamp(p, k);
	} else if (lex_is_word(&p->l, "FO") || lex_is_word(&p->l, "FOEXP")) {
		bool experiment = lex_is_word(&p->l, "FOEXP");
		lex_take(&p->l);
		parse_fast_open(p, k, experiment);
	} else if (lex_is_word(&p->l, "md5") || lex_is_word(&p->l, "ECN")) {
		lex_error(&p->l, "the option %s is not built", lex_seen(&p->l, seen));
	} else {
		lex_error(&p->l, "unknown TCP option %s", lex_seen(&p->l, seen));
	}
}

void parse_tcp_options(struct parse *p, struct drill_packet *k)
{
	int line = p->l.t.line, column = p->l.t.column;
	lex_take(&p->l); /* < */
	if (p->l.t.kind == TK_ELLIPSIS) {
		lex_take(&p->l);
		k->any_options = true;
		if (!k->is_out)
			lex_error_at(&p->l, line, column, "<...> is for expected packets only");
	} else {
		do
			parse_tcp_option(p, k);
		while (lex_accept(&p->l, ','));
	}
	lex_expect(&p->l, '>');
	if (k->n_opts % 4)
		lex_error_at(&p->l, line, column, "TCP options are %u bytes, no multiple of 4: pad them with nop", k->n_opts);
}

static void parse_tcp(struct parse *p, struct drill_packet *k)
{
	k->proto = DRILL_TCP;
	parse_ports(p, k);
	parse_flags(p, k);
	parse_seq(p, k);
	if (lex_accept_word(&p->l, "ack"))
		k->ack = (uint32_t)parse_int(p, "ack", 0, UINT32_MAX);
	if (lex_accept_word(&p->l, "win"))
		k->wnd = (int32_t)parse_int(p, "win", 0, 65535);
	if (lex_accept_word(&p->l, "urg"))
		k->urg = (uint16_t)parse_int(p, "urg", 0, 65535);
	if (lex_is(&p->l, '<'))
		parse_tcp_options(p, k);
}

static void parse_udp(struct parse *p, struct drill_packet *k)
{
	k->proto = DRILL_UDP;
	parse_ports(p, k);
	lex_expect(&p->l, '(');
	k->payload = (uint32_t)parse_int(p, "payload bytes", 0, 65507);
	lex_expect(&p->l, ')');
}

/* [1:1001(1000)] or [udp (100)]: what an error quotes. */
static void parse_quote(struct parse *p, struct drill_packet *k)
{
	lex_take(&p->l);
	k->has_quote = true;
	if (lex_accept_word(&p->l, "udp")) {
		k->quoted = DRILL_UDP;
		lex_expect(&p->l, '(');
		k->payload = (uint32_t)parse_int(p, "payload bytes", 0, 65507);
		lex_expect(&p->l, ')');
	} else {
		k->quoted = DRILL_TCP;
		parse_seq(p, k);
	}
	lex_expect(&p->l, ']');
}

static void parse_icmp(struct parse *p, struct drill_packet *k)
{
	k->proto = DRILL_ICMP;
	struct token type = lex_take(&p->l), code = {0};
	bool has_code = p->l.t.kind == TK_WORD && !lex_is_word(&p->l, "mtu") && !lex_is_word(&p->l, "id");
	if (has_code)
		code = lex_take(&p->l);
	const char *c = has_code ? parse_text(p, &code) : NULL, *t = parse_text(p, &type);
	if (type.kind != TK_WORD || !drill_icmp_names(t, c, &k->type, &k->code))
		lex_error_at(&p->l, type.line, type.column, "unknown ICMP type or code '%.40s %.40s'", t, c ? c : "");
	if (lex_accept_word(&p->l, "mtu"))
		k->mtu = (int32_t)parse_int(p, "mtu", 0, 65535);
	if (lex_accept_word(&p->l, "id"))
		k->id = (int32_t)parse_int(p, "id", 0, 65535);
	if (lex_is(&p->l, '['))
		parse_quote(p, k);
}

struct drill_packet *parse_packet(struct parse *p)
{
	static const char *const outer[] = {"ipv4", "ipv6", "gre", "GREv0", "mpls", "encap"};
	struct drill_packet *k = parse_alloc(p, sizeof(*k));
	k->wnd = k->mtu = -1;
	k->is_out = lex_is(&p->l, '>');
	lex_take(&p->l);
	if (lex_is(&p->l, '[') || lex_is(&p->l, '('))
		parse_ip_info(p, k);
	for (size_t i = 0; i < ARRAY_LEN(outer); i++)
		if (lex_is_word(&p->l, outer[i]))
			lex_error(&p->l, "headers around the packet (%s) are not known here", outer[i]);
	if (lex_accept_word(&p->l, "udp"))
		parse_udp(p, k);
	else if (lex_accept_word(&p->l, "icmp"))
		parse_icmp(p, k);
	else
		parse_tcp(p, k);
	return k;
}
