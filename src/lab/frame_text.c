/* lab/frame_text.c - one frame as a line in tcpdump's words: ARP, IPv4, IPv6; TCP with its options, UDP, ICMP by type and code.
 *
 * Sequence numbers are as on the wire, not counted from the connection's first. What is cut off or malformed is said to be. */
#include "lab/lab.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"
#include "wire/udp.h"
#include <stdarg.h>

struct line {
	char *out;
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(l->out + l->n, LAB_FRAME_TEXT - l->n, format, ap);
	va_end(ap);
	l->n = MIN(l->n + (size_t)MAX(n, 0), (size_t)LAB_FRAME_TEXT - 1);
}

static void put_options(struct line *l, const struct tcp_hdr *h)
{
	const char *comma = "";
	put(l, ", options [");
	if (h->has_mss)
		put(l, "mss %u", h->mss), comma = ",";
	if (h->sack_permitted)
		put(l, "%ssackOK", comma), comma = ",";
	if (h->has_ts)
		put(l, "%sTS val %u ecr %u", comma, h->tsval, h->tsecr), comma = ",";
	if (h->has_ws)
		put(l, "%swscale %u", comma, h->ws), comma = ",";
	for (unsigned i = 0; i < h->n_sack; i++)
		put(l, "%s{%u:%u}", i ? "" : comma[0] ? ",sack " : "sack ", h->sack[i].lo, h->sack[i].hi);
	if (h->has_fo)
		put(l, "%stfo %s", h->n_sack ? "," : comma, h->fo_len ? "cookie" : "cookiereq");
	put(l, "]");
}

static void put_tcp(struct line *l, const uint8_t *p, size_t n, size_t len)
{
	static const char marks[] = "FSRP.UEW"; /* by bit: tcpdump's letters */
	struct tcp_hdr h;
	if (n < TCP_HLEN || n < (size_t)(p[12] >> 4) * 4 || tcp_parse(p, len, &h)) {
		put(l, " [|tcp]");
		return;
	}
	size_t data = len - h.hlen;
	put(l, ": Flags [");
	for (unsigned i = 0; i < 8; i++)
		if (h.flags & 1u << i)
			put(l, "%c", marks[i]);
	put(l, "], seq %u", h.seq);
	if (data)
		put(l, ":%u", (uint32_t)(h.seq + data));
	if (h.flags & TCP_ACK)
		put(l, ", ack %u", h.ack);
	put(l, ", win %u", h.wnd);
	if (h.has_mss || h.sack_permitted || h.has_ts || h.has_ws || h.n_sack || h.has_fo)
		put_options(l, &h);
	put(l, ", length %zu", data);
}

static void put_icmp(struct line *l, const uint8_t *p, size_t n, size_t len, bool is_v6)
{
	static const struct { uint8_t v6, type; const char *word; } words[] = {{0, 8, "echo request"}, {0, 0, "echo reply"},
		{0, 3, "unreachable"}, {0, 11, "time exceeded"}, {0, 5, "redirect"}, {0, 12, "parameter problem"}, {1, 128, "echo request"},
		{1, 129, "echo reply"}, {1, 1, "unreachable"}, {1, 2, "packet too big"}, {1, 3, "time exceeded"}, {1, 4, "parameter problem"},
		{1, 133, "router solicitation"}, {1, 134, "router advertisement"}, {1, 135, "neighbor solicitation"},
		{1, 136, "neighbor advertisement"}, {1, 137, "redirect"}, {1, 143, "multicast listener report v2"}};
	const char *word = NULL;
	if (n < 8) {
		put(l, ": [|icmp]");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].v6 == is_v6 && words[i].type == p[0])
			word = words[i].word;
	put(l, is_v6 ? ": ICMP6, " : ": ICMP ");
	if (word)
		put(l, "%s", word);
	else
		put(l, "type %u", p[0]);
	if (word && strncmp(word, "echo", 4) == 0)
		put(l, ", id %u, seq %u", p[4] << 8 | p[5], p[6] << 8 | p[7]);
	else if (p[1])
		put(l, ", code %u", p[1]);
	put(l, ", length %zu", len);
}

/* n bytes there of len, behind the IP header. */
static void put_transport(struct line *l, const struct via_addr *src, const struct via_addr *dst, uint8_t proto, const uint8_t *p, size_t n,
			  size_t len, unsigned fragment)
{
	char a[VIA_ADDR_STRLEN], b[VIA_ADDR_STRLEN];
	bool has_ports = !fragment && n >= 4 && (proto == IPPROTO_N_TCP || proto == IPPROTO_N_UDP);
	put(l, " %s", via_addr_format(src, a));
	if (has_ports)
		put(l, ".%u", p[0] << 8 | p[1]);
	put(l, " > %s", via_addr_format(dst, b));
	if (has_ports)
		put(l, ".%u", p[2] << 8 | p[3]);
	if (fragment)
		put(l, ": fragment at %u of protocol %u, length %zu", fragment, proto, len);
	else if (proto == IPPROTO_N_TCP)
		put_tcp(l, p, n, len);
	else if (proto == IPPROTO_N_UDP && len < UDP_HLEN)
		put(l, ": [|udp]");
	else if (proto == IPPROTO_N_UDP)
		put(l, ": UDP, length %zu", len - UDP_HLEN);
	else if (proto == IPPROTO_N_ICMP || proto == IPPROTO_N_ICMP6)
		put_icmp(l, p, n, len, proto == IPPROTO_N_ICMP6);
	else
		put(l, ": ip-proto-%u, length %zu", proto, len);
}

static void put_ip4(struct line *l, const uint8_t *p, size_t n, size_t len)
{
	struct ip4_hdr h;
	put(l, "IP");
	if (n < IP4_HLEN || n < (size_t)(p[0] & 15) * 4 || ip4_parse(p, len, false, &h)) {
		put(l, " [malformed]");
		return;
	}
	struct via_addr src = via_addr_v4(h.src), dst = via_addr_v4(h.dst);
	put_transport(l, &src, &dst, h.proto, p + h.hlen, MIN(n, (size_t)h.total_len) - MIN(n, (size_t)h.hlen), h.total_len - h.hlen,
		      (h.frag & 0x1fffu) * 8);
}

static void put_ip6(struct line *l, const uint8_t *p, size_t n, size_t len)
{
	struct ip6_hdr h;
	put(l, "IP6");
	if (n < IP6_HLEN || ip6_parse(p, len, false, &h)) {
		put(l, " [malformed]");
		return;
	}
	put_transport(l, &h.src, &h.dst, h.next, p + IP6_HLEN, MIN(n - IP6_HLEN, (size_t)h.payload_len), h.payload_len, 0);
}

static void put_arp(struct line *l, const uint8_t *p, size_t n, size_t len)
{
	struct arp_pkt a;
	char sender[VIA_ADDR_STRLEN], target[VIA_ADDR_STRLEN];
	if (arp_parse(p, n, &a)) {
		put(l, "ARP [malformed]");
		return;
	}
	struct via_addr s = via_addr_v4(a.spa), t = via_addr_v4(a.tpa);
	via_addr_format(&s, sender);
	via_addr_format(&t, target);
	if (a.op == 1)
		put(l, "ARP, Request who-has %s tell %s, length %zu", target, sender, len);
	else
		put(l, "ARP, Reply %s is-at %02x:%02x:%02x:%02x:%02x:%02x, length %zu", sender, a.sha[0], a.sha[1], a.sha[2], a.sha[3],
		    a.sha[4], a.sha[5], len);
}

void lab_frame_text(const uint8_t *frame, size_t n, size_t len, int dlt, char out[LAB_FRAME_TEXT])
{
	struct line l = {out, 0};
	struct eth_hdr eth = {.type = ETHERTYPE_IP4};
	out[0] = 0;
	if (dlt == 101)
		eth.type = n && frame[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4;
	else if (eth_parse(frame, n, &eth)) {
		put(&l, "[|ether]");
		return;
	}
	uint32_t skip = dlt == 101 ? 0 : eth.hlen;
	if (skip > 14)
		put(&l, "vlan %u, ", (frame[14] << 8 | frame[15]) & 0xfff);
	frame += skip;
	n -= skip;
	len -= skip;
	if (eth.type == ETHERTYPE_IP4)
		put_ip4(&l, frame, n, len);
	else if (eth.type == ETHERTYPE_IP6)
		put_ip6(&l, frame, n, len);
	else if (eth.type == ETHERTYPE_ARP)
		put_arp(&l, frame, n, len);
	else
		put(&l, "ethertype 0x%04x, length %zu", eth.type, len);
}
