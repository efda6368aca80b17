/* fuzz_tcp.c - parse, emit, parse: the same values, but for what may not leave (SYN's options on other segments, SACK
 * blocks without room); a second emit gives the same bytes. */
#include "test/fuzz/fuzz.h"
#include "wire/tcp.h"

static void check_same(const struct tcp_hdr *a, const struct tcp_hdr *b)
{
	bool syn = a->flags & TCP_SYN;
	CHECK(a->sport == b->sport && a->dport == b->dport && a->seq == b->seq && a->ack == b->ack);
	CHECK(a->wnd == b->wnd && a->csum == b->csum && a->urg == b->urg && a->flags == b->flags);
	CHECK(a->has_ts == b->has_ts && a->tsval == b->tsval && a->tsecr == b->tsecr);
	CHECK(b->has_mss == (syn && a->has_mss) && b->mss == (b->has_mss ? a->mss : 0));
	CHECK(b->has_ws == (syn && a->has_ws) && b->ws == (b->has_ws ? a->ws : 0));
	CHECK(b->sack_permitted == (syn && a->sack_permitted));
	CHECK(b->n_sack <= a->n_sack);
	CHECK(syn || a->has_ts || b->n_sack == a->n_sack);
	CHECK(memcmp(a->sack, b->sack, b->n_sack * sizeof(a->sack[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tcp_hdr h, again;
	uint8_t out[TCP_HLEN_MAX], twice[TCP_HLEN_MAX];
	if (tcp_parse(data, len, &h) < 0)
		return 0;
	CHECK(h.hlen >= TCP_HLEN && h.hlen <= TCP_HLEN_MAX && h.hlen <= len && h.ws <= 14 && h.n_sack <= TCP_SACK_MAX);
	uint32_t n = tcp_emit(out, &h);
	CHECK(n == tcp_emit_len(&h) && n % 4 == 0 && n <= TCP_HLEN_MAX);
	CHECK(tcp_parse(out, n, &again) == 0 && again.hlen == n);
	check_same(&h, &again);
	CHECK(tcp_emit(twice, &again) == n && memcmp(out, twice, n) == 0);
	return 0;
}
