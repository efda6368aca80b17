/* fuzz_ext6.c - the walk over IPv6 extension headers ends inside the packet, within its limits, and where stepping over the same
 * headers ends; an error points into the packet. Bytes beyond the linear part of the packet are met. */
#include "test/fuzz/fuzz.h"
#include "net/ext6.h"
#include "net/ip_input.h"
#include "wire/eth.h"

enum { HOME = 1 << 20 };

static _Alignas(65536) uint8_t home[HOME];
static struct pktmem mem;

/* IPv6 of `len` payload bytes, the first kind of which is `next`; `room`: how much of it is linear. NULL: no memory. */
static struct pkt *packet(uint8_t next, const uint8_t *data, size_t len, uint32_t room, bool is_multicast)
{
	uint8_t head[IP6_HLEN];
	struct ip6_hdr h = {.next = next, .hops = 9, .payload_len = (uint16_t)len, .src.b = {0x20, 1, 0xd, 0xb8, [15] = 1},
			    .dst.b = {is_multicast ? 0xff : 0xfd, 5, [15] = 2}};
	struct pkt *p = pkt_new(&mem, (uint32_t)(PKT_LINEAR - IP6_HLEN - room));
	if (!p)
		return NULL;
	ip6_emit(head, &h);
	if (pkt_append(&mem, p, head, sizeof(head)) == 0 && pkt_append(&mem, p, data, (uint32_t)len) == 0)
		return p;
	pkt_free(&mem, p);
	return NULL;
}

/* The options between at and end fill it, and all that are not padding may be stepped over (RFC 8200 §4.2). */
static void check_options(const uint8_t *x, uint32_t at, uint32_t end)
{
	while (at < end && x[at] != 0) {
		CHECK(at + 1 < end && x[at] >> 6 == 0);
		at += 2u + x[at + 1];
	}
	CHECK(at <= end);
	if (at < end)
		check_options(x, at + 1, end);
}

/* The walk came to h, which stepped over headers that may be. */
static void check_headers(struct pkt *p, uint8_t next, const struct ip_hdr *h)
{
	static uint8_t x[2048];
	uint32_t at = IP6_HLEN;
	CHECK(pkt_copy_out(&mem, p, 0, x, sizeof(x)) >= h->hlen && h->hlen <= sizeof(x));
	while (at < h->hlen) {
		uint32_t end = at + (next == 44 ? 8 : (x[at + 1] + 1) * 8u);
		if (next == 0 || next == 60)
			check_options(x, at + 2, end);
		CHECK(next != 43 || x[at + 3] == 0);
		next = x[at];
		at = end;
	}
	CHECK(at == h->hlen);
}

/* The walk came to h; stepping over the same headers comes there, too, but goes on behind the header of a first fragment. */
static void check_place(struct pkt *p, uint8_t next, const struct ip_hdr *h, uint32_t len)
{
	uint32_t at = IP6_HLEN;
	bool is_later;
	uint8_t named;
	CHECK(h->hlen >= IP6_HLEN && h->hlen <= len && h->next_at < h->hlen && (h->hlen - IP6_HLEN) % 8 == 0);
	CHECK(pkt_copy_out(&mem, p, h->next_at, &named, 1) == 1 && named == h->proto);
	int proto = ext6_skip(&mem, p, next, &at, &is_later);
	if (ip_is_fragment(h)) {
		CHECK(h->frag_off == 0 || (is_later && at == h->hlen && proto == h->proto));
		return;
	}
	CHECK(proto == h->proto && at == h->hlen && !is_later);
}

/* Bytes: the first kind; bits of how; the limit of headers; the payload. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!mem.home && pktmem_init(&mem, home, sizeof(home)))
		return 0;
	if (len < 3)
		return 0;
	uint8_t next = data[0], how = data[1];
	struct ext6_walk w = {.limits = {.headers = data[2], .options = how >> 4}};
	struct ip_hdr h;
	struct pkt *p = packet(next, data + 3, len - 3, how & 1 ? 0 : how & 2 ? 64 : 512, how & 4);
	if (!p)
		return 0;
	uint32_t all = p->len;
	if (ip_input(&mem, p, ETHERTYPE_IP6, 7, &h) == DROP_NONE) {
		CHECK(h.len == all && h.proto == next);
		enum drop why = ext6_walk(&mem, p, &h, how & 8, &w);
		CHECK(p->len == all && w.n <= w.limits.headers + 1u);
		CHECK(!w.error.is_due || (why && w.error.at >= 6 && w.error.at < all));
		if (!why && !(how & 8)) {
			check_place(p, next, &h, all);
			check_headers(p, next, &h);
		}
	}
	pkt_free(&mem, p);
	CHECK(pktmem_pkts_used(&mem) == 0 && pktmem_blks_used(&mem) == 0);
	return 0;
}
