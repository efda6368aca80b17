/* Every parse loop moves on or stops (HARD-02): each two bytes there are, repeated to the end of the longest message, go through each
 * parser that walks a list. A loop that stands still is ended by the alarm; one that moves too little by the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/http/http.h"
#include "app/smtp/server.h"
#include "base/csum.h"
#include "net/ext6.h"
#include "wire/addr.h"
#include "wire/dhcp.h"
#include "wire/dns.h"
#include "wire/icmp6.h"
#include "wire/ip4_opts.h"
#include "wire/nd.h"
#include "wire/tcp.h"
#include "region.h"

enum { SECONDS_MAX = 60, LONGEST = 2048 };

/* Every pair of bytes, and each again with the low byte of what follows changing: no walk comes back to where it was. */
static void every_pair(void (*walk)(uint8_t *bytes, void *ctx), uint32_t n, void *ctx)
{
	uint8_t bytes[LONGEST];
	alarm(SECONDS_MAX);
	for (uint32_t pair = 0; pair < 65536; pair++) {
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(i & 1 ? pair : pair >> 8);
		walk(bytes, ctx);
	}
	alarm(0);
}

static void walk_tcp(uint8_t *b, void *ctx)
{
	struct tcp_hdr h;
	b[12] = 0xf0;
	b[13] = TCP_SYN;
	assert_int_equal(tcp_parse(b, TCP_HLEN_MAX, &h), 0);
	assert_true(h.n_sack <= TCP_SACK_MAX);
}

static void req_HARD_02__tcp_options(void **state) { every_pair(walk_tcp, TCP_HLEN_MAX, NULL); }

static bool nobody(const void *ctx, uint32_t addr) { return false; }

static void walk_ip4(uint8_t *b, void *ctx)
{
	const struct ip4_opts_node node = {.addr = 1, .is_ours = nobody};
	uint8_t out[IP4_OPTS_MAX];
	ip4_opts_record(b, IP4_OPTS_MAX, &node);
	assert_true(ip4_opts_echo(out, b, IP4_OPTS_MAX) <= IP4_OPTS_MAX);
}

static void req_HARD_02__ip4_options(void **state) { every_pair(walk_ip4, IP4_OPTS_MAX, NULL); }

static void walk_nd(uint8_t *b, void *ctx)
{
	static const uint8_t types[] = {ND_RS, ND_RA, ND_NS, ND_NA, ND_REDIRECT}, least[] = {8, 16, 24, 24, 40};
	const struct nd_from from = {.src = {.b = {0xfe, 0x80, [15] = 1}}, .dst = {.b = {0xfe, 0x80, [15] = 2}}, .hop_limit = 255};
	uint8_t msg[1232];
	struct nd_msg m;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		memcpy(msg, b, sizeof(msg));
		memset(msg, 0, least[i]);
		msg[0] = types[i];
		memcpy(msg + 8, from.src.b, 16);
		if (types[i] == ND_REDIRECT)
			memcpy(msg + 24, from.src.b, 16);
		/* an option of length 0 is the end of the message, never skipped */
		uint8_t len = msg[least[i] + 1];
		int err = nd_parse(msg, sizeof(msg), &from, &m);
		assert_true(err == 0 || err == -EINVAL);
		if (!len)
			assert_int_equal(err, -EINVAL);
	}
}

static void req_HARD_02__nd_options(void **state) { every_pair(walk_nd, 1232, NULL); }

static void walk_quote(uint8_t *b, void *ctx)
{
	static const uint8_t chain[] = {IPPROTO_N_HOPOPTS, IPPROTO_N_DSTOPTS, IPPROTO_N_ROUTING, IPPROTO_N_FRAGMENT};
	struct icmp6_quote q;
	for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
		const struct ip6_hdr h = {.next = chain[i], .payload_len = 1000};
		ip6_emit(b, &h);
		icmp6_quote_parse(b, 1232, &q);
	}
}

static void req_HARD_02__quoted_headers(void **state) { every_pair(walk_quote, 1232, NULL); }

static void walk_dns(uint8_t *b, void *ctx)
{
	struct dns_question q;
	put_be32(b + 4, 0xffffffff); /* as many questions and records as can be said */
	put_be32(b + 8, 0xffffffff);
	assert_true(dns_query_parse(b, 512, &q) != 0 || strlen(q.name) <= DNS_NAME_MAX);
}

static void req_HARD_02__dns_names(void **state) { every_pair(walk_dns, 512, NULL); }

/* Compression pointers that lead backwards one by one are a constant number of steps, however long the message is. */
static void req_HARD_02__dns_pointers(void **state)
{
	static uint8_t b[65535];
	struct dns_question q;
	alarm(SECONDS_MAX);
	memset(b, 0, sizeof(b));
	put_be16(b + 4, 1);
	put_be16(b + 10, 0xffff);
	for (uint32_t i = 12; i + 1 < 0x4000; i += 2)
		put_be16(b + i, (uint16_t)(0xc000 | (i > 12 ? i - 2 : 12)));
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL); /* the first points at itself */
	b[12] = 0;
	b[13] = 0;
	put_be16(b + 14, DNS_A); /* the question is the root's; then records whose names are the long way back */
	for (uint32_t i = 17; i + 12 <= sizeof(b); i += 12) {
		memset(b + i, 0, 12);
		put_be16(b + i, (uint16_t)(0xc000 | MIN(i - 2, 0x3fffu)));
	}
	clock_t from = clock();
	for (int k = 0; k < 100; k++)
		dns_query_parse(b, sizeof(b), &q);
	assert_true(clock() - from < 5 * CLOCKS_PER_SEC);
	alarm(0);
}

static void walk_dhcp(uint8_t *b, void *ctx)
{
	static const uint8_t cookie[4] = {99, 130, 83, 99};
	struct dhcp_msg m;
	uint8_t out[600];
	memset(b, 0, DHCP_HLEN);
	memcpy(b + DHCP_HLEN - 4, cookie, 4);
	memcpy(b + DHCP_HLEN, (uint8_t[]){DHCP_OPT_TYPE, 1, DHCP_OFFER, DHCP_OPT_OVERLOAD, 1, 3}, 6);
	if (dhcp_parse(b, DHCP_MSG_MAX, &m))
		return;
	for (int code = 1; code < 255; code++)
		assert_true(dhcp_option(&m, (uint8_t)code, out, sizeof(out)) <= (int)sizeof(out));
}

static void req_HARD_02__dhcp_options(void **state) { every_pair(walk_dhcp, DHCP_MSG_MAX, NULL); }

struct ext {
	struct pktmem mem;
	uint32_t n;
};

/* Options inside a header, and headers one behind the other: hop-by-hop, destination, routing, fragment. */
static void walk_ext(uint8_t *b, void *ctx)
{
	static const uint8_t chain[] = {IPPROTO_N_HOPOPTS, IPPROTO_N_DSTOPTS, IPPROTO_N_ROUTING, IPPROTO_N_FRAGMENT};
	struct ext *x = ctx;
	for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
		struct ip6_hdr h6 = {.next = chain[i], .hops = 64, .payload_len = (uint16_t)(x->n - IP6_HLEN)};
		struct ip_hdr h = ip_hdr_of6(&h6);
		struct ext6_walk w = {.limits = {255, 255}};
		struct pkt *p = pkt_new(&x->mem, PKT_HEADROOM);
		uint32_t at = IP6_HLEN;
		bool later;
		ip6_emit(b, &h6);
		assert_int_equal(pkt_append(&x->mem, p, b, x->n), 0);
		ext6_skip(&x->mem, p, chain[i], &at, &later);
		ext6_walk(&x->mem, p, &h, false, &w);
		assert_true(h.hlen <= x->n);
		pkt_free(&x->mem, p);
	}
}

static void req_HARD_02__ip6_extension_headers(void **state)
{
	struct ext x = {.n = 400};
	void *home = aligned_alloc(ARENA_PAGE_SIZE, 32 * ARENA_PAGE_SIZE);
	memset(home, 0, 32 * ARENA_PAGE_SIZE);
	assert_int_equal(pktmem_init(&x.mem, home, 32 * ARENA_PAGE_SIZE), 0);
	every_pair(walk_ext, x.n, &x);
	/* headers without end: the walk past them is bounded by a number, not by the packet */
	static uint8_t whole[65528]; /* all of them "destination options, 8 bytes, more of them follow" */
	for (size_t i = 0; i < sizeof(whole); i += 8)
		memcpy(whole + i, (uint8_t[]){IPPROTO_N_DSTOPTS, 0, 1, 4, 0, 0, 0, 0}, 8);
	struct pkt *p = pkt_new(&x.mem, PKT_HEADROOM);
	uint32_t at = 0;
	bool later;
	assert_int_equal(pkt_append(&x.mem, p, whole, sizeof(whole)), 0);
	assert_int_equal(ext6_skip(&x.mem, p, IPPROTO_N_DSTOPTS, &at, &later), -1);
	assert_true(at <= 8 * 256);
	pkt_free(&x.mem, p);
	assert_int_equal(pktmem_pkts_used(&x.mem), 0);
	pktmem_fini(&x.mem);
	free(home);
}

static void walk_addr(uint8_t *b, void *ctx)
{
	struct via_addr a;
	uint8_t plen;
	via_addr_parse((const char *)b, 64, &a);
	addr_parse_prefix((const char *)b, 64, &a, &plen);
}

static void req_HARD_02__addresses(void **state) { every_pair(walk_addr, 64, NULL); }

/* Engines that are fed: no more turns than bytes, and one more each for what they ask or answer. */
static void walk_http(uint8_t *b, void *ctx)
{
	static const char line[] = "GET / HTTP/1.1\r\nHost: x\r\n";
	struct http_parser p;
	size_t at = 0, n = 128;
	uint32_t turns = 0;
	if (b[0] & 1)
		memcpy(b, line, sizeof(line) - 1);
	http_parser_init(&p);
	while (at < n) {
		enum http_progress what;
		size_t k = http_feed(&p, b + at, n - at, &what);
		assert_true(k <= n - at && ++turns <= 2 * n);
		at += k;
		if (what == HTTP_FEED_MORE)
			break; /* all taken, or the conversation is over */
	}
}

static void req_HARD_02__http(void **state) { every_pair(walk_http, 128, NULL); }

static void walk_smtp(uint8_t *b, void *ctx)
{
	static const char line[] = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n";
	static struct smtp_server s;
	size_t at = 0, n = 160;
	uint32_t turns = 0;
	if (b[0] & 1)
		memcpy(b, line, sizeof(line) - 1);
	smtp_server_init(&s, &(struct smtp_server_config){.name = "mail.lab"});
	while (at < n) {
		enum smtp_event what;
		size_t k = smtp_server_feed(&s, b + at, n - at, &what);
		assert_true(k <= n - at && ++turns <= 4 * n);
		at += k;
		if (what == SMTP_CLOSE)
			break;
		if (what == SMTP_RCPT || what == SMTP_BEGIN || what == SMTP_END)
			smtp_server_answer(&s, SMTP_YES);
		smtp_server_sent(&s, s.out_len);
	}
}

static void req_HARD_02__smtp(void **state) { every_pair(walk_smtp, 160, NULL); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_HARD_02__tcp_options), cmocka_unit_test(req_HARD_02__ip4_options),
		cmocka_unit_test(req_HARD_02__nd_options), cmocka_unit_test(req_HARD_02__quoted_headers),
		cmocka_unit_test(req_HARD_02__dns_names), cmocka_unit_test(req_HARD_02__dns_pointers),
		cmocka_unit_test(req_HARD_02__dhcp_options), cmocka_unit_test(req_HARD_02__ip6_extension_headers),
		cmocka_unit_test(req_HARD_02__addresses), cmocka_unit_test(req_HARD_02__http), cmocka_unit_test(req_HARD_02__smtp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
