/* fuzz_dns_serve.c - whatever is asked, an answer is a DNS response to it of a bounded size, or there is none; a response
 * is never answered. The first byte chooses TCP or UDP. */
#include "test/fuzz/fuzz.h"
#include "svc/dns.h"
#include "wire/dns.h"

static _Alignas(ARENA_PAGE_SIZE) uint8_t region[8 * ARENA_PAGE_SIZE];
static struct arena *arena;
static struct dns_zone zone;

static void zone_make(void)
{
	arena = arena_init(region, sizeof(region));
	CHECK(arena && dns_zone_init(arena, &zone, "lab", 60, (struct prf_key){1, 2}) == 0);
	for (uint32_t i = 0; i < 16; i++) {
		struct via_addr a = via_addr_v4(0x0a000001 + i);
		CHECK(dns_zone_add(arena, &zone, "sina", &a) == 0 && dns_zone_add(arena, &zone, i & 1 ? "r1" : "a-b.c", &a) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!arena)
		zone_make();
	if (len == 0)
		return 0;
	bool tcp = data[0] & 1;
	data++, len--;
	uint8_t out[DNS_REPLY_MAX];
	struct dns_question q, a;
	size_t n = dns_serve(arena, &zone, data, len, out, sizeof(out), tcp);
	CHECK((n == 0) == (len < 12 || (data[2] & 0x80)));
	if (n == 0)
		return 0;
	bool good = dns_query_parse(data, len, &q) == 0;
	CHECK(n <= (tcp ? sizeof(out) : good && q.udp_size > 512 ? 1232u : 512u));
	CHECK(dns_query_parse(out, n, &a) == 0 && a.is_response && a.id == get_be16(data));
	unsigned answers = get_be16(out + 6), rcode = out[3] & 15u;
	CHECK(answers <= DNS_ADDRS_MAX && (answers == 0 || (good && rcode == DNS_OK)));
	CHECK(good || rcode == DNS_FORMERR || rcode == DNS_NOTIMP);
	if (good && q.n_questions)
		CHECK(a.n_questions == 1 && a.raw_len == q.raw_len && memcmp(a.raw, q.raw, q.raw_len) == 0);
	return 0;
}
